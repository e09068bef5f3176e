/*
 * block_test: results sealed into blocks, merged and thinned, are what they
 * were; and what of a block is damaged, or fails to be written, costs no more
 * than itself.
 */
#include "block_help.h"
#include "block_damage.h"

/* Columns of numbers. */

/* As the agent tells it. */
static int64_t
percent(uint64_t part, uint64_t of)
{
	return (int64_t)((part * 100000 + of / 2) / of);
}

static int64_t
shape(unsigned kind, unsigned i)
{
	uint64_t h = hash(kind, i, 5);

	switch (kind) {
	case 0: return 42;
	case 1: return (int64_t)i * 1000 - 7;
	case 2: return (int64_t)(h % 1000);
	case 3: return (int64_t)h;
	case 4: return i % 2 ? INT64_MIN : INT64_MAX;
	case 5: return (int64_t)(i * i) * 3;
	case 6: return h % 100 == 0 ? (int64_t)(h >> 8) : 0;
	case 7: return i < 500 ? 5 : INT64_MIN + 1;
	case 8: return T0 + (int64_t)i * 10000 + (int64_t)(h % 30);
	case 9: return (int64_t)(h % 3) * 4096000 - (INT64_C(1) << 49);
	case 10: return (int64_t)(h >> (h % 60));
	case 11: return -(int64_t)i * (INT64_C(1) << 40);
	case 12: return (INT64_C(1) << 50) - (int64_t)(i % 2);
	case 13: return (int64_t)(h % (UINT64_C(1) << 45));
	case 14: return h % 50 == 0;
	case 15: return percent(h % 90, 999 + h / 90 % 3);
	case 16: return i == 700 ? 100000 : percent(h % 64000, 32000);
	case 17: return i % 100 == 0 ? 1 + (int64_t)(h % 90) : percent(h % 90,
	    1000);
	default: return i == 7 ? -1 : (int64_t)(i / 100 % 2) * 100000;
	}
}

static char coded[STORE_ROWS * 12 + 64];

static size_t
code(const int64_t *want, unsigned n)
{
	static int64_t v[STORE_ROWS];
	struct store_code c = { .writing = true };

	memcpy(v, want, n * sizeof *v);
	buf_init(&c.out, coded, sizeof coded);
	store_code_column(&c, v, n);
	CHECK(!c.out.full && memcmp(v, want, n * sizeof *v) == 0);
	return c.out.n;
}

/* Read so many bytes of it, of which none stands after them. */
static bool
decode(int64_t *v, unsigned n, size_t bytes, size_t *left)
{
	char *p = malloc(bytes + 1);
	struct store_code c = { .in = { p, bytes } };

	memcpy(p, coded, bytes);
	p = realloc(p, bytes > 0 ? bytes : 1);
	c.in.p = p;
	memset(v, 0x5a, n * sizeof *v);
	store_code_column(&c, v, n);
	*left = c.in.n;
	free(p);
	return !c.bad;
}

static void
column(unsigned kind, unsigned n)
{
	static int64_t want[STORE_ROWS], v[STORE_ROWS];
	size_t size, k, left, step;
	unsigned i;

	for (i = 0; i < n; i++)
		want[i] = shape(kind, i);
	size = code(want, n);
	CHECK_ROW(kind, decode(v, n, size, &left) && left == 0);
	CHECK_ROW(kind, memcmp(v, want, n * sizeof *v) == 0);
	step = size > 600 ? size / 300 : 1;
	for (k = 0; k < size; k += step)
		CHECK_ROW(kind, !decode(v, n, k, &left));
	/* Whatever the bytes are, it ends, and stays within them. */
	for (k = 0; k < size; k += step) {
		coded[k] ^= (char)(1 << k % 8);
		(void)decode(v, n, size, &left);
		coded[k] ^= (char)(1 << k % 8);
	}
}

static void
test_columns(void)
{
	static const unsigned n[] = { 1, 2, 3, 4, 17, 255, 256, 1000, 1024 };
	static int64_t want[STORE_ROWS];
	unsigned kind, i;

	for (kind = 0; kind < 19; kind++)
		for (i = 0; i < COUNT(n); i++)
			column(kind, n[i]);
	/* Ratios are told as such; what is none is not. */
	for (kind = 14; kind < 19; kind++) {
		for (i = 0; i < 1024; i++)
			want[i] = shape(kind, i);
		i = (unsigned)code(want, 1024);
		CHECK_ROW(kind, (coded[0] == 5) == (kind == 15));
		CHECK_ROW(kind, kind != 15 || i < 1200);
	}
	for (i = 1; i <= STORE_ROWS; i += i < 64 ? 1 : 61)
		column(10 + i % 4, i);
}

/* Bytes that nobody wrote. */
static void
test_junk(void)
{
	static int64_t v[STORE_ROWS];
	static struct store_part part;
	struct store_code c;
	size_t left;
	unsigned i, k, n;

	for (i = 0; i < 3000; i++) {
		n = (unsigned)(hash(i, 1, 1) % 300);
		for (k = 0; k < n; k++)
			coded[k] = (char)hash(i, k, 9);
		coded[0] = (char)(i % 8);
		(void)decode(v, 1 + i % STORE_ROWS, n, &left);
		c = (struct store_code){ .in = { coded, n } };
		store_part_clear(&part, i % LEVELS);
		coded[0] = (char)(i % 100);
		store_part_code(&c, &part, NULL);
		CHECK_ROW(i, part.rows <= STORE_ROWS && c.in.n <= n);
	}
}

/* Every kind of result, in parts. */

static void
put_regular(unsigned checks, unsigned rows, int64_t step_ms, int64_t from)
{
	unsigned i, k, first;

	for (i = 0; i < rows; i++) {
		first = alls;
		for (k = 1; k <= checks; k++)
			plan_sample(k, from + i * step_ms, 0);
		put_from(first, from + i * step_ms);
		if (i % 100 == 99)
			commit();
	}
	commit();
}

static void
test_parts(void)
{
	begin();
	put_regular(10, 2100, 10000, P0);
	CHECK(all_rows_are());
	CHECK(seal() && s->b.files == 1 && s->h.files == 0);
	CHECK(all_rows_are());
	again();
	CHECK(all_rows_are() && s->damages == 0);
	CHECK(store_head_seq(s) == 2100);
	/* And with rows in the head as well, some of them late. */
	put_regular(10, 300, 10000, P0 + 2100 * 10000 - 5000);
	CHECK(all_rows_are());
	CHECK(seal() && s->b.files == 2);
	CHECK(all_rows_are());
}

/* Every border: of parts, of blocks, of the head; each limit. */
static void
test_ranges(void)
{
	static const unsigned at[] = { 0, 1, 1023, 1024, 1025, 2047, 2048,
	    2099, 2100, 2101, 2399 };
	int64_t a, b;
	unsigned i, k;

	for (i = 0; i < COUNT(at) * COUNT(at); i++) {
		a = P0 + at[i % COUNT(at)] * 10000;
		b = P0 + at[i / COUNT(at)] * 10000;
		for (k = 0; k < 8; k++)
			CHECK_ROW(i, rows_are(2 + k % 2 * 2, a + (int64_t)k / 4,
			    b - k / 4, k & 1, k & 2 ? 7 : UINT32_MAX));
	}
	CHECK(rows_are(77, INT64_MIN, INT64_MAX, true, 9));
	CHECK(rows_are(2, INT64_MIN, P0 - 1, true, 9));
	CHECK(rows_are(2, P0 + 3 * DAY, INT64_MAX, false, 9));
	CHECK(rows_are(2, INT64_MAX, INT64_MIN, false, 9));
}

/* More checks than a page names; more pages than one. */
static void
test_pages(void)
{
	enum { CHECKS = 700 };
	struct fail why;
	uint64_t check, at, k;
	unsigned i, first;

	begin();
	for (i = 0; i < 5; i++) {
		for (first = alls, k = 1; k <= CHECKS; k++)
			plan_sample(k * 3, P0 + i * 60000 + (int64_t)k % 3, 0);
		put_from(first, P0 + i * 60000);
	}
	commit();
	CHECK(seal() && all_rows_are());
	for (k = 0; k <= 3 * CHECKS + 3; k++) {
		check = 0;
		CHECK_ROW(k, store_block_find(s, 0, k, &check, &at) ==
		    (k <= 3 * CHECKS));
		CHECK_ROW(k, k > 3 * CHECKS || check == (k < 3 ? 3 :
		    (k + 2) / 3 * 3));
	}
	CHECK(rows_are(1, 0, INT64_MAX, true, 9) &&
	    rows_are(3 * CHECKS + 3, 0, INT64_MAX, false, 9));
	/* And of the largest numbers. */
	first = alls;
	plan_sample(STORE_NUMBER_MAX - 1, P0, 0);
	plan_sample(STORE_NUMBER_MAX - 2, P0, 0);
	put_from(first, P0);
	CHECK(all_rows_are());
	CHECK(store_commit(s, mono, &why) == 0);
	CHECK(seal() && all_rows_are());
	CHECK(job_now(STORE_MERGE, LEVEL_RAW, 1, 6) == 0);
	commit();
	CHECK(s->b.files == 1 && all_rows_are());
}

/* Sealing reads the head some times, and not once for each check. */
static void
test_reads(void)
{
	enum { CHECKS = 300 };
	unsigned i, first;
	uint64_t k;

	begin();
	for (i = 0; i < 60; i++) {
		for (first = alls, k = 1; k <= CHECKS; k++)
			plan_sample(k, P0 + i * 60000, 0);
		put_from(first, P0 + i * 60000);
		commit();
	}
	CHECK(s->h.files > 2);
	fs->fault = 'r';
	fs->fault_at = (unsigned long)-1;
	fs->calls = 0;
	CHECK(seal());
	CHECK_ROW(fs->calls, fs->calls > 0 && fs->calls < 200);
	fs->fault_at = 0;
	CHECK(all_rows_are());
}

/* Results in any order, many twice, sealed and merged in between. */
static void
late_round(unsigned round)
{
	unsigned i, k, first, n;
	uint64_t h;

	for (i = 0; i < 12; i++) {
		first = alls;
		n = 1 + (unsigned)(hash(round, i, 3) % 60);
		for (k = 0; k < n; k++) {
			h = hash(round, i, 100 + k);
			plan_sample(1 + h % 9, P0 + (int64_t)(h >> 8) % 700 *
			    1000, (unsigned)(h >> 40));
		}
		put_from(first, P0 + (int64_t)round * HOUR);
		if (i % 4 == 1)
			commit();
	}
}

static void
test_late(void)
{
	unsigned round;

	begin();
	for (round = 0; round < 60; round++) {
		late_round(round);
		if (round % 5 == 0)
			CHECK_ROW(round, all_rows_are());
		commit();
		if (round % 3 == 1)
			CHECK_ROW(round, seal());
		if (round % 7 == 1)
			again();
		if (round % 10 == 3)
			(void)jobs(STORE_MERGE);
	}
	CHECK(all_rows_are());
	CHECK(seal());
	(void)jobs(STORE_MERGE);
	CHECK(s->b.files > 1 && s->b.files < 10 && s->h.files == 0);
	CHECK(all_rows_are() && s->damages == 0);
	again();
	CHECK(all_rows_are());
	for (round = 0; round < 300; round++)
		CHECK_ROW(round, rows_are(1 + round % 9, P0 + (int64_t)
		    (hash(round, 1, 2) % 700) * 1000, P0 + (int64_t)
		    (hash(round, 1, 3) % 700) * 1000, round % 2,
		    round % 5 ? UINT32_MAX : round / 5));
}

/* Series. */

static struct store_bucket bucket[10000];

static bool
ask_series(uint64_t check, int64_t from, int64_t to, struct str name,
    unsigned points)
{
	struct store_query ask = { .check = check, .from_ms = from,
	    .to_ms = to };
	struct fail why;

	return CHECK(store_series(s, &ask, name, points, bucket, &why) == 0);
}

/* When bucket i begins. */
static int64_t
edge(int64_t from, int64_t to, unsigned points, unsigned i)
{
	int64_t width = to + 1 - from;

	return from + (width * i + points - 1) / points;
}

static bool
same_bucket(const struct store_bucket *b, const struct sum *t)
{
	return b->rows == t->rows && b->worst == t->worst &&
	    b->sum.n == t->n && (t->n == 0 || (b->sum.min == t->min &&
	    b->sum.max == t->max && store_sum_mean(&b->sum) == t->mean));
}

/* Each bucket is what its results come to, to the last digit. */
static bool
series_exact(uint64_t check, int64_t from, int64_t to, struct str name,
    unsigned points)
{
	unsigned i, low, high, bad = 0;
	struct sum t;

	if (!ask_series(check, from, to, name, points))
		return false;
	for (i = 0; i < points; i++) {
		high = range_of(check, edge(from, to, points, i),
		    edge(from, to, points, i + 1) - 1, &low);
		t = sum_of(low, high, name);
		bad += !same_bucket(&bucket[i], &t);
	}
	return bad == 0;
}

/* No bucket hides what it has; and none shows what is not within `slack_ms`
 * of it. */
static bool
series_covers(uint64_t check, int64_t from, int64_t to, struct str name,
    unsigned points, int64_t slack_ms)
{
	unsigned i, low, high, bad = 0;
	const struct store_bucket *b;
	struct sum t, u;

	if (!ask_series(check, from, to, name, points))
		return false;
	for (i = 0; i < points; i++) {
		int64_t a = edge(from, to, points, i);
		int64_t z = edge(from, to, points, i + 1) - 1;

		if (points > 500 && i % 40 != 0)
			continue;
		b = &bucket[i];
		high = range_of(check, a, z, &low);
		t = sum_of(low, high, name);
		high = range_of(check, a - slack_ms, z + slack_ms, &low);
		u = sum_of(low, high, name);
		bad += b->worst < t.worst || b->worst > u.worst ||
		    (b->rows > 0) < (t.rows > 0) || b->rows > u.rows;
		if (t.n > 0)
			bad += b->sum.n == 0 || b->sum.min > t.min ||
			    b->sum.max < t.max;
		if (b->sum.n > 0)
			bad += u.n == 0 || b->sum.min < u.min ||
			    b->sum.max > u.max ||
			    store_sum_mean(&b->sum) < b->sum.min ||
			    store_sum_mean(&b->sum) > b->sum.max;
	}
	return bad == 0;
}

static void
test_series(void)
{
	static const unsigned points[] = { 1, 2, 7, 300, 1000, 10000 };
	static const char *const names[] = { "", "m00", "m01", "m12", "x" };
	int64_t end = P0 + 4000 * INT64_C(10000) - 1;
	unsigned i, k, check;

	begin();
	put_regular(10, 2500, 10000, P0);
	CHECK(seal());
	put_regular(10, 1500, 10000, P0 + 2500 * 10000);
	make_set();
	for (check = 1; check <= 10; check++) {
		for (i = 0; i < COUNT(points); i++) {
			struct str name = str_of(names[(check + i) %
			    COUNT(names)]);
			int64_t to = i < 3 ? P0 + 3600000 : end;

			if (i >= 3)
				CHECK_ROW(check, series_exact(check, P0, to,
				    name, points[i]));
			CHECK_ROW(check, series_covers(check, P0, to, name,
			    points[i], 2560000));
		}
		for (i = 0; i < 5; i++)
			CHECK_ROW(check, series_covers(check, P0, end,
			    str_of(names[i]), 1 + i * 3, 2560000));
		CHECK_ROW(check, series_exact(check, P0 + 123456,
		    P0 + 523456, STR(""), 40));
	}
	/* Nothing there; all that may be asked for. */
	CHECK(ask_series(1, 0, P0 - 1, STR(""), 10000));
	for (k = i = 0; i < 10000; i++)
		k += bucket[i].rows != 0 || bucket[i].sum.n != 0;
	CHECK(k == 0);
	CHECK(series_covers(1, 0, INT64_C(253402300799999), STR(""), 10000,
	    DAY * 300));
	CHECK(series_exact(1, P0, P0, STR(""), 1));
	CHECK(series_exact(9, P0, P0 + 9, STR(""), 10));
}

/* Nothing was heard for long: no bucket says otherwise. */
static void
test_gap(void)
{
	int64_t from = P0, to = P0 + DAY - 1;
	unsigned i, n = 0;

	begin();
	put_regular(1, 18000, 1000, P0);
	put_regular(1, 18000, 1000, P0 + 10 * HOUR);
	CHECK(seal());
	make_set();
	CHECK(ask_series(1, from, to, STR(""), 48));
	for (i = 0; i < 48; i++)
		n += bucket[i].rows > 0;
	CHECK(n >= 20 && n <= 21);
	CHECK(series_covers(1, from, to, STR(""), 48, 512000));
	CHECK(series_covers(1, from, to, STR(""), 9, 512000));
}

/* Thinned. */

/* The rows of a check are the means of its results over each so many ms. */
static bool
thinned_are(uint64_t check, int64_t ms, unsigned off)
{
	struct store_query ask = { .check = check, .from_ms = INT64_MIN,
	    .to_ms = INT64_MAX };
	static struct store_row row;
	unsigned low, high, end = range_of(check, INT64_MIN, INT64_MAX, &low);
	unsigned bad = 0, i;
	int64_t at, mean;
	struct fail why;
	struct sum t;

	if (store_rows(s, &ask, &why) != 0)
		return false;
	for (; low < end && bad == 0; low = high) {
		at = set[low].at - set[low].at % ms;
		for (high = low; high < end && set[high].at < at + ms;)
			high++;
		bad += store_row_next(s, &row, &why) != 1;
		t = sum_of(low, high, STR(""));
		bad += row.r.at_ms != at || row.span_ms != ms ||
		    row.count != t.rows || row.r.code != t.worst ||
		    row.r.has_value != (t.n > 0);
		mean = row.value[0] - t.mean;
		bad += t.n > 0 && (row.value[1] != t.min || row.value[2] !=
		    t.max || row.value[0] != row.r.value ||
		    (t.n == t.rows && (mean > off || mean < -(int64_t)off)));
		/* Of so many names some are left out. */
		for (i = check == NAMES ? 99 : 0; i < row.r.metrics; i++) {
			t = sum_of(low, high, row.r.metric[i].name);
			mean = row.metric[i][0] - t.mean;
			bad += t.n == 0 || row.metric[i][1] != t.min ||
			    row.metric[i][2] != t.max || (t.n == t.rows &&
			    (mean > off || mean < -(int64_t)off));
		}
	}
	return bad == 0 && store_row_next(s, &row, &why) == 0;
}

/* As series_covers, but what was thinned stands where its span begins. */
static void
thin_series(int64_t slack_ms)
{
	unsigned check;

	for (check = 1; check <= 10; check++) {
		CHECK_ROW(check, series_covers(check, P0, P0 + 2 * DAY - 1,
		    STR(""), 48, slack_ms));
		CHECK_ROW(check, series_exact(check, P0, P0 + 2 * DAY - 1,
		    STR(""), 1) || check % 10 == MISSING ||
		    check % 10 == FLAGS || check % 10 == MIXED || slack_ms >
		    300000);
	}
}

static void
test_thin(void)
{
	unsigned check;

	begin();
	put_regular(10, 2000, 20000, P0);
	CHECK(seal());
	put_regular(10, 2000, 20000, P0 + 2001 * 20000);
	CHECK(seal());
	make_set();
	CHECK(s->b.files == 2);
	CHECK(job_now(STORE_THIN, LEVEL_MINUTES, 1, 4000) == 0);
	commit();
	CHECK(s->b.files == 1);
	for (check = 1; check <= 10; check++)
		CHECK_ROW(check, thinned_are(check, 300000, 0));
	thin_series(300000);
	again();
	CHECK(job_now(STORE_THIN, LEVEL_HOUR, 1, 4000) == 0);
	commit();
	CHECK(s->b.files == 1);
	for (check = 1; check <= 10; check++)
		CHECK_ROW(check, thinned_are(check, HOUR, 1));
	thin_series(HOUR);
	/* Beside them results as they came. */
	put_regular(10, 10, 20000, P0 + 4002 * 20000);
	CHECK(ask_series(1, P0, P0 + 5000 * 20000, STR(""), 1));
	CHECK(bucket[0].rows == 4010);
	CHECK(store_damage(s, &(struct str){ 0 }) == 0);
}

int
main(void)
{
	test_columns();
	test_junk();
	test_parts();
	test_ranges();
	test_pages();
	test_reads();
	test_late();
	test_series();
	test_gap();
	test_thin();
	test_damage();
	test_faults();
	store_close(s);
	mem_free(fs);
	return test_end();
}
