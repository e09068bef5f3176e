/*
 * block_damage.h: of block_test.c, what goes wrong: a block with a bit that
 * is not what it was, or cut; and every file call failing in turn while
 * snapshots, blocks and their successors are made.
 */

#ifdef __SANITIZE_ADDRESS__
#define STRIDE	7			/* memory takes its time */
#else
#define STRIDE	1
#endif

/* A block's records, as they stand in it. */
enum { HEADER = 3, TIMES, PART, STRIP, PAGE, TOP };
struct rec {
	size_t at, end;
	unsigned type;
	uint64_t check;
};
static struct rec rec[4096];
static unsigned recs;

static void
find_recs(const unsigned char *p, size_t n)
{
	size_t at = 0;
	unsigned k, shift;

	for (recs = 0; at < n && recs < COUNT(rec); recs++) {
		struct rec *r = &rec[recs];

		r->at = at;
		r->end = at + 8 + p[at] + p[at + 1] * 256u + p[at + 2] * 65536u;
		r->type = p[at + 8];
		r->check = 0;
		for (k = 9, shift = 0; k < 9 + 10; k++, shift += 7) {
			r->check |= (uint64_t)(p[at + k] & 127) << shift;
			if (p[at + k] < 128)
				break;
		}
		at = r->end;
	}
	CHECK(at == n && recs < COUNT(rec));
}

static const struct rec *
rec_of(size_t n)
{
	unsigned i = 0;

	while (rec[i].end <= n)
		i++;
	return &rec[i];
}

/* Read the results of a check: how many of them are missing; UINT32_MAX: some
 * were never put. */
static unsigned
missing(uint64_t check)
{
	struct store_query ask = { .check = check, .from_ms = INT64_MIN,
	    .to_ms = INT64_MAX };
	static struct store_row row;
	unsigned low, high = range_of(check, INT64_MIN, INT64_MAX, &low);
	unsigned lost = 0;
	struct fail why;

	if (store_rows(s, &ask, &why) != 0)
		return UINT32_MAX;
	while (store_row_next(s, &row, &why) == 1) {
		for (; low < high && set[low].at < row.r.at_ms; low++)
			lost++;
		if (low == high || !same_row(&row, &set[low]))
			return UINT32_MAX;
		low++;
	}
	return lost + high - low;
}

static char said[2000];
static unsigned verify_said;

static void
verify_tell(struct str damage)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof said - n, "%.*s\n", (int)damage.n, damage.p);
	verify_said++;
}

static void
verify(void)
{
	struct store_tally tally = { .n = 0 };
	struct fail why;

	said[0] = '\0';
	verify_said = 0;
	CHECK(store_verify("d", &mem_io, verify_tell, &tally, &why) == 0);
	CHECK(tally.damages == verify_said);
}

/* One check of two parts, more of one each, which share their times. */
static struct memfs *whole;
static int block_node;

static void
make_damaged(void)
{
	static const unsigned checks[] = { 2, 4, 6, 11, 13 };
	unsigned i, k, first;

	begin();
	for (i = 0; i < 1400; i++) {
		first = alls;
		plan_sample(10, P0 + i * 1000, 0);
		for (k = 0; k < COUNT(checks) && i % 200 == 0; k++)
			plan_sample(checks[k], P0 + i * 1000, 0);
		put_from(first, P0 + i * 1000);
	}
	commit();
	CHECK(seal());
	make_set();
	store_close(s);
	s = NULL;
	whole = mem_new();
	mem_copy(whole, fs);
	block_node = mem_find(whole, "d/blocks/1.blk");
	CHECK(block_node > 0 && mem_find(whole, "d/head/1.log") < 0);
	find_recs(whole->node[block_node].p, whole->node[block_node].size);
}

/* What is lost of each check, by its kind of damage. */
static void
check_lost(size_t n, const struct rec *r)
{
	unsigned i, lost, all_lost = 0;
	struct str text;

	for (i = 0; i < sets; i++) {
		if (i > 0 && set[i].check == set[i - 1].check)
			continue;
		lost = missing(set[i].check);
		CHECK_ROW(n, lost != UINT32_MAX);
		CHECK_ROW(n, lost == 0 || r->type == TIMES ||
		    (r->type >= PART && r->type <= STRIP &&
		    r->check == set[i].check));
		CHECK_ROW(n, r->type == STRIP || lost <= STORE_ROWS);
		all_lost += lost;
	}
	CHECK_ROW(n, all_lost > 0 || r->type == HEADER || r->type >= PAGE);
	if (r->type == HEADER)
		return;
	CHECK_ROW(n, store_damage(s, &text) == 1 &&
	    str_starts(text, STR("blocks/1.blk: byte ")));
}

static void
check_goes_on(void)
{
	unsigned first = alls;

	plan_sample(99, P0 + DAY, 0);
	put_from(first, P0 + DAY);
	commit();
	make_set();
	CHECK(missing(99) == 0);
	CHECK(seal());
	CHECK(missing(99) == 0 && missing(10) != UINT32_MAX);
	alls--;
	make_set();
}

static void
flip_all(void)
{
	size_t n, size = whole->node[block_node].size;
	const struct rec *r;
	char want[60];

	for (n = 0; n < size; n += STRIDE) {
		r = rec_of(n);
		mem_copy(fs, whole);
		fs->node[block_node].p[n] ^= (unsigned char)(1 << n % 8);
		again();
		check_lost(n, r);
		if (n % 64 == 5)
			check_goes_on();
		store_close(s);
		s = NULL;
		mem_copy(fs, whole);
		fs->node[block_node].p[n] ^= (unsigned char)(1 << n % 8);
		verify();
		snprintf(want, sizeof want, "blocks/1.blk: byte %zu: ", r->at);
		CHECK_ROW(n, strstr(said, want) != NULL);
	}
}

/* Two parts of a block are damaged: both are named. */
static void
flip_two(void)
{
	char want[60];
	unsigned i, named = 0, flipped = 0;

	mem_copy(fs, whole);
	for (i = 0; i < recs; i++)
		if (rec[i].type == PART) {
			fs->node[block_node].p[rec[i].at + 12] ^= 4;
			flipped++;
		}
	verify();
	for (i = 0; i < recs; i++) {
		snprintf(want, sizeof want, "blocks/1.blk: byte %zu: ",
		    rec[i].at);
		named += rec[i].type == PART && strstr(said, want) != NULL;
	}
	CHECK(flipped > 5 && named == flipped);
}

static void
cut_all(void)
{
	size_t n, size = whole->node[block_node].size;
	unsigned i, lost, all_lost;
	struct str text;

	for (n = 0; n < size; n += STRIDE) {
		mem_copy(fs, whole);
		fs->node[block_node].size = n;
		again();
		for (i = all_lost = 0; i < sets; i++) {
			if (i > 0 && set[i].check == set[i - 1].check)
				continue;
			lost = missing(set[i].check);
			CHECK_ROW(n, lost != UINT32_MAX);
			all_lost += lost;
		}
		CHECK_ROW(n, all_lost == 0 || store_damage(s, &text) == 1);
		CHECK_ROW(n, n < rec[recs - 1].at || all_lost == 0);
		if (n % 64 == 5)
			check_goes_on();
		store_close(s);
		s = NULL;
		mem_copy(fs, whole);
		fs->node[block_node].size = n;
		verify();
		CHECK_ROW(n, all_lost == 0 || verify_said > 0);
	}
}

static void
test_damage(void)
{
	make_damaged();
	mem_copy(fs, whole);
	verify();
	CHECK(verify_said == 0);
	flip_all();
	flip_two();
	cut_all();
	mem_free(whole);
}

/* Every call failing in turn. */

static struct {
	unsigned acked, records;	/* samples; records */
	bool thinned;
} life;

static void
try_commit(void)
{
	struct fail why;

	if (store_commit(s, mono, &why) == 0 && !fs->dead) {
		life.acked = alls;
		life.records = alls;
	}
	mono += LATER;
}

static void
live_round(unsigned round, bool thin)
{
	unsigned i, k, first;
	int64_t now = P0 + round * 8 * HOUR;

	for (i = 0; i < 3; i++) {
		first = alls;
		for (k = 1; k < 6; k++)
			plan_sample(k, now + i * 60000, 0);
		put_from(first, now + i * 60000);
		(void)put_record(s, alls, true);
		try_commit();
	}
	store_want_snapshot(s);
	for (i = 0; i < 4 && !fs->dead; i++) {
		(void)do_job(s, now + 2 * HOUR + i * LATER, NULL, 0);
		if (store_dirty(s))
			try_commit();
	}
	if (thin && round == 4 && !store_dirty(s) && s->b.files > 0) {
		life.thinned = true;
		(void)job_now(STORE_THIN, LEVEL_MINUTES, 1, 9);
		try_commit();
	}
}

static uint64_t
count_of(uint64_t check)
{
	struct store_query ask = { .check = check, .from_ms = INT64_MIN,
	    .to_ms = INT64_MAX };
	static struct store_row row;
	struct fail why;
	uint64_t n = 0;

	if (store_rows(s, &ask, &why) != 0)
		return 0;
	while (store_row_next(s, &row, &why) == 1)
		n += row.count;
	return n;
}

/* All that was acknowledged, and nothing but what was put. */
static void
check_life(int row)
{
	static unsigned told;
	unsigned check, n, got;
	int bad = test_bad;

	make_set();
	for (check = 1; check < 6; check++) {
		n = missing(check);
		got = (unsigned)count_of(check);
		CHECK_ROW(row, got >= life.acked / 5 && got <= alls / 5);
		CHECK_ROW(row, life.thinned || n <= (alls - life.acked) / 5);
	}
	CHECK_ROW(row, store_journal_n(s, NULL) >= life.records / 5);
	if (test_bad > bad && told++ < 5)
		printf("    fault %d: acked %u of %u, now %u\n", row,
		    life.acked / 5, alls / 5, (unsigned)count_of(1));
}

static bool
one_life(unsigned long at, int error, int letter, bool sticks)
{
	bool hit;
	unsigned round;

	begin();
	memset(&life, 0, sizeof life);
	mem_fault(fs, letter == 'W' ? 'w' : letter, at, error);
	fs->fault_short = letter == 'W';
	fs->fault_on = sticks;
	for (round = 0; round < 6 && !fs->dead; round++) {
		live_round(round, at % 2);
		if (round == 3 && sticks)
			fs->fault_at = 0;
	}
	hit = fs->calls >= at;
	if (!fs->dead) {
		mem_fault(fs, 0, 0, 0);
		try_commit();
		CHECK_ROW(at, !hit || life.acked == alls);
		check_life((int)at);
	}
	again();
	check_life((int)at);
	(void)jobs(STORE_MERGE);
	check_life((int)at);
	verify();
	CHECK_ROW(at, verify_said == 0);
	return hit;
}

static void
test_faults(void)
{
	static const struct {
		int error, letter;
		bool sticks;
	} rows[] = {
		{ EIO, 0, false }, { ENOSPC, 'w', false }, { EINTR, 0, false },
		{ ENOSPC, 'W', false }, { 0, 0, false }, { EIO, 0, true },
		{ ENOSPC, 'w', true }, { EIO, 's', false },
	};
	unsigned long at, cases = 0;
	unsigned i, step;
	const char *p = getenv("ALL");

	for (i = 0; i < COUNT(rows); i++) {
		step = p != NULL || rows[i].letter != 0 ? STRIDE : 5 * STRIDE;
		for (at = 1 + i % step; at < 5000; at += step, cases++)
			if (!one_life(at, rows[i].error, rows[i].letter,
			    rows[i].sticks))
				break;
		CHECK_ROW(i, at > 20 && at < 5000);
	}
	printf("%lu lives with a call that fails\n", cases);
}
