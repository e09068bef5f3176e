/*
 * block_help.h: what block_test.c stands on: results that are functions of
 * their check, time and salt; a list of all that were put; and what must be
 * read back of them, computed the slow way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../store_impl.h"
#include "memfs.h"
#include "store_data.h"

#define SAMPLES_MAX	120000
#define HOUR		INT64_C(3600000)
#define DAY		(24 * HOUR)
#define P0	(T0 / HOUR * HOUR)	/* an hour begins */
#define FAR		(INT64_MAX / 2)	/* later than any job waits for */

/* What a result of a check is like: its number's last digit says it. */
enum { CONSTANT, RAMP, MISSING, NAMES, TEXTS, EXTREME, FLAGS, WIDE, SPIKES,
    MIXED };

struct sample {
	uint64_t check;
	int64_t at;
	unsigned salt;			/* results of one time differ by it */
	unsigned order;			/* of arrival */
};
static struct sample all[SAMPLES_MAX], set[SAMPLES_MAX];
static unsigned alls, sets;

static struct memfs *fs;
static struct store *s;
static int64_t mono;

/* A number that looks random, of others. */
static uint64_t
hash(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t x = a * 0x9e3779b97f4a7c15 ^ b * 0xbf58476d1ce4e5b9 ^
	    c * 0x94d049bb133111eb;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static const char *
name_of(unsigned i)
{
	static char names[100][8];

	if (names[i][0] == '\0')
		snprintf(names[i], sizeof names[i], "m%02u", i);
	return names[i];
}

static void
add_metrics(struct store_result *r, unsigned from, unsigned n, int64_t v)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		r->metric[r->metrics].name = str_of(name_of(from + i));
		r->metric[r->metrics++].value = v + i;
	}
}

static struct str
make_text(const struct sample *a, uint64_t h)
{
	static char text[STORE_TEXT_MAX + 1];
	unsigned n = h % 5 == 0 ? 0 : h % 5 == 1 ? STORE_TEXT_MAX :
	    (unsigned)(h >> 8) % 60, i;

	if (h % 7 < 3)			/* as before, mostly */
		return STR("all is well");
	for (i = 0; i < n; i++)
		text[i] = (char)(hash(a->check, (uint64_t)a->at, i) % 256);
	return (struct str){ text, n };
}

static void
make_sample(const struct sample *a, struct store_result *r)
{
	static const int64_t ends[] = { INT64_MAX, INT64_MIN, MILLI_MAX,
	    -MILLI_MAX, 0, 1, -1, INT64_MIN + 1 };
	uint64_t h = hash(a->check, (uint64_t)a->at, a->salt);
	unsigned kind = (unsigned)(a->check % 10);

	*r = (struct store_result){ .check = a->check, .at_ms = a->at,
	    .code = h % 100 == 0, .given = STORE_NO_CODE,
	    .has_value = true, .value = 12345 };
	if (kind == RAMP || kind == MIXED)
		r->value = a->at / 1000 * 17 + (int64_t)(h >> 40) % 7;
	if (kind == RAMP)
		add_metrics(r, 0, 4, (int64_t)(h >> 20) % 1000);
	if (kind == MISSING || kind == MIXED)
		r->has_value = h % 3 != 0;
	if (kind == MISSING)
		add_metrics(r, 10, (unsigned)(h >> 10) % 3, a->at % 1000);
	if (kind == NAMES)
		add_metrics(r, (unsigned)(a->at / 60000 + (int64_t)h % 3) % 70,
		    (unsigned)(h >> 10) % 20, (int64_t)(h >> 30));
	if (kind == TEXTS || kind == MIXED)
		r->text = make_text(a, h);
	if (kind == EXTREME)
		r->value = ends[(h >> 12) % COUNT(ends)];
	if (kind == EXTREME)
		add_metrics(r, 0, 2, ends[(h >> 22) % COUNT(ends)] / 2);
	if (kind == FLAGS) {
		r->code = h % 4;
		r->given = (uint8_t)((h >> 4) % 5 == 4 ? STORE_NO_CODE :
		    (h >> 4) % 5);
		r->late = h >> 10 & 1;
		r->has_value = h >> 11 & 1;
	}
	if (kind == WIDE)
		add_metrics(r, 0, STORE_METRICS_MAX, (int64_t)(h % 9999));
	if (kind == SPIKES && h % 500 == 7)
		r->value = (int64_t)(h >> 2) - (INT64_C(1) << 61);
	if (kind == SPIKES && h % 700 == 8)
		r->code = 3;
	if (!r->has_value)
		r->value = 0;
}

/* A row is that one result; its metrics may stand in another order. */
static bool
same_row(const struct store_row *row, const struct sample *a)
{
	struct store_result want;
	const struct store_result *r = &row->r;
	unsigned i, k;

	make_sample(a, &want);
	if (r->check != a->check || r->at_ms != a->at || row->count != 1 ||
	    row->span_ms != 0 || r->code != want.code ||
	    r->given != want.given || r->late != want.late ||
	    r->has_value != want.has_value || r->metrics != want.metrics ||
	    r->value != want.value || !str_eq(r->text, want.text))
		return false;
	for (k = 0; k < 3 && r->has_value; k++)
		if (row->value[k] != want.value)
			return false;
	for (i = 0; i < r->metrics; i++) {
		for (k = 0; k < want.metrics; k++)
			if (str_eq(r->metric[i].name, want.metric[k].name))
				break;
		if (k == want.metrics ||
		    row->metric[i][0] != want.metric[k].value ||
		    row->metric[i][1] != want.metric[k].value ||
		    row->metric[i][2] != want.metric[k].value)
			return false;
	}
	return true;
}

/* The store, and putting into it. */

static void
again(void)
{
	struct fail why;

	if (s != NULL)
		store_close(s);
	mem_kill(fs);
	mem_forget(fs);
	mem_use(fs);
	s = store_open("d", &mem_io, 0, &why);
	if (!CHECK(s != NULL)) {
		printf("%s\n", why.msg);
		exit(test_end());
	}
}

static void
begin(void)
{
	if (s != NULL)
		store_close(s);
	s = NULL;
	if (fs != NULL)
		mem_free(fs);
	fs = mem_new();
	alls = sets = 0;
	again();
}

static void
commit(void)
{
	struct fail why;

	if (!CHECK(store_commit(s, mono, &why) == 0))
		printf("%s\n", why.msg);
	mem_forget(fs);
	mono += LATER;
}

static void
plan_sample(uint64_t check, int64_t at, unsigned salt)
{
	if (alls < SAMPLES_MAX)
		all[alls] = (struct sample){ check, at, salt, alls };
	CHECK(alls++ < SAMPLES_MAX);
}

/* Put what was planned from i on as one report. */
static void
put_from(unsigned i, int64_t received_ms)
{
	struct store_report rep = { .received_ms = received_ms };
	struct store_result r;
	struct fail why;
	uint64_t seq;

	CHECK(store_report_begin(s, &rep, alls - i, &seq, &why) == 0);
	for (; i < alls; i++) {
		make_sample(&all[i], &r);
		store_report_add(s, &r);
	}
	store_report_end(s);
}

/* Do jobs until one of this kind was done, and there is nothing more of it. */
static bool
jobs(enum store_what until)
{
	enum store_what what;
	bool did = false;

	do {
		if (store_dirty(s))
			commit();
		s->job_ms = 0;
		what = do_job(s, FAR, NULL, 0);
		did = did || (what == until && s->job_ms == 0);
		/* What failed is tried again. */
	} while (what != STORE_IDLE && (!did || what == STORE_MERGE ||
	    s->job_ms > 0));
	if (store_dirty(s))
		commit();
	return did;
}

static bool
seal(void)
{
	return do_snapshot(s, NULL, 0) && jobs(STORE_SEAL);
}

/* A job that nothing asks for. */
static int
job_now(enum store_what what, unsigned level, uint64_t first, uint64_t last)
{
	struct store_job job = { .what = what, .level = level, .first = first,
	    .last = last, .max_bytes = 64 << 20, .number = s->b.next++ };
	struct fail why = { "" };
	int rc;

	s->busy = true;
	rc = store_aside_make(&s->b, job.number);
	if (rc == 0)
		rc = store_job_run(s, &job, &why);
	store_job_end(s, &job, rc == 0, 0);
	s->job_ms = 0;
	return rc;
}

/* What must be there: of results with one check and time the first. */
static int
by_all(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->check != y->check)
		return x->check < y->check ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void
make_set(void)
{
	unsigned i;

	memcpy(set, all, alls * sizeof *set);
	qsort(set, alls, sizeof *set, by_all);
	for (i = sets = 0; i < alls; i++)
		if (i == 0 || set[i].check != set[sets - 1].check ||
		    set[i].at != set[sets - 1].at)
			set[sets++] = set[i];
}

/* The first that does not come before that check and time. */
static unsigned
place_of(uint64_t check, int64_t at)
{
	unsigned low = 0, high = sets, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (set[mid].check < check || (set[mid].check == check &&
		    set[mid].at < at))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Those of a check in a range: from *low up to but not with what is
 * returned. */
static unsigned
range_of(uint64_t check, int64_t from, int64_t to, unsigned *low)
{
	unsigned high = to == INT64_MAX ? place_of(check + 1, INT64_MIN) :
	    place_of(check, to + 1);

	*low = place_of(check, from);
	return high > *low ? high : *low;
}

/* Are the rows of a check in a range what they must be?  The first `limit` of
 * them are read. */
static bool
rows_are(uint64_t check, int64_t from, int64_t to, bool down, unsigned limit)
{
	struct store_query ask = { .check = check, .from_ms = from,
	    .to_ms = to, .down = down };
	static struct store_row row;
	struct fail why;
	unsigned low, high = range_of(check, from, to, &low), n = high - low;
	unsigned i;

	if (store_rows(s, &ask, &why) != 0)
		return false;
	for (i = 0; i < n && i < limit; i++) {
		if (store_row_next(s, &row, &why) != 1 || !same_row(&row,
		    &set[down ? high - 1 - i : low + i]))
			return false;
	}
	return i == limit || store_row_next(s, &row, &why) == 0;
}

static bool
all_rows_are(void)
{
	unsigned i;
	bool ok = true;

	make_set();
	for (i = 0; i < sets; i++)
		if (i == 0 || set[i].check != set[i - 1].check)
			ok = rows_are(set[i].check, INT64_MIN, INT64_MAX,
			    i % 2, UINT32_MAX) && ok;
	return ok;
}

/* The mean by whole numbers and remainders, so that nothing overflows. */

static int64_t
mean_of(const int64_t *v, unsigned n)
{
	int64_t whole = 0, rest = 0, half;
	unsigned i;

	for (i = 0; i < n; i++) {
		whole += v[i] / (int64_t)n;
		rest += v[i] % (int64_t)n;
	}
	half = 2 * rest + (int64_t)n;
	whole += half / (2 * (int64_t)n);
	return half % (2 * (int64_t)n) < 0 ? whole - 1 : whole;
}

/* A number of a result: 0 its value, else metric i - 1.  False: it has none. */
static bool
number_of(const struct sample *a, struct str name, int64_t *v)
{
	struct store_result r;
	unsigned i;

	make_sample(a, &r);
	*v = r.value;
	if (name.n == 0)
		return r.has_value;
	for (i = 0; i < r.metrics; i++) {
		*v = r.metric[i].value;
		if (str_eq(name, r.metric[i].name))
			return true;
	}
	return false;
}

/* What results from low on, up to but not with high, come to. */
struct sum {
	unsigned rows, n;
	int64_t min, max, mean;
	uint8_t worst;
};

static struct sum
sum_of(unsigned low, unsigned high, struct str name)
{
	static int64_t v[SAMPLES_MAX];
	struct sum t = { .rows = high - low };
	struct store_result r;

	for (; low < high; low++) {
		make_sample(&set[low], &r);
		if (r.code > t.worst)
			t.worst = r.code;
		if (!number_of(&set[low], name, &v[t.n]))
			continue;
		if (t.n == 0 || v[t.n] < t.min)
			t.min = v[t.n];
		if (t.n == 0 || v[t.n] > t.max)
			t.max = v[t.n];
		t.n++;
	}
	if (t.n > 0)
		t.mean = mean_of(v, t.n);
	return t;
}
