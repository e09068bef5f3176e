/*
 * budget_test: a year under a budget of 4 MiB.  At no moment, temporary files
 * included, does the directory take more; the newest day is there as it came;
 * what is older is thinned, the oldest most, with nothing missing between.
 *
 * In the environment: ALL, results of a fuller year; DAYS, how long a year is.
 */
#include "../store_impl.h"
#include "memfs.h"
#include "store_data.h"

#define BUDGET	(4u << 20)
#define MINUTE	60000
#define HOUR	(60 * INT64_C(60000))
#define DAY	(24 * HOUR)
#define P0	(T0 / DAY * DAY)

static struct memfs *fs;
static struct store *s;
static int64_t now, next_record;
static bool kills, killed;	/* each job's process, once */
static unsigned checks = 3, did[5], tries, records, level_days[LEVELS];
static unsigned gone_days;

static uint64_t
noise(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15 ^ b * 0xbf58476d1ce4e5b9;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	return x ^ x >> 31;
}

static void
make_row(uint64_t check, int64_t at, struct store_result *r)
{
	uint64_t h = noise(check, (uint64_t)at);
	unsigned i;
	static const char *const names[] = { "user", "system", "iowait" };

	*r = (struct store_result){ .check = check, .at_ms = at,
	    .given = STORE_NO_CODE, .has_value = true, .metrics = 3,
	    .code = h % 5000 == 0 ? 2 : 0,
	    .value = (int64_t)(h % 100000) };
	for (i = 0; i < 3; i++)
		r->metric[i] = (struct store_metric){ str_of(names[i]),
		    (int64_t)(h >> (10 + 10 * i) & 16383) };
}

static void
put(void)
{
	struct store_report rep = { .source = 1, .received_ms = now };
	struct store_result r;
	struct fail why;
	uint64_t seq, k;

	CHECK(store_report_begin(s, &rep, checks, &seq, &why) == 0);
	for (k = 1; k <= checks; k++) {
		make_row(k, now, &r);
		store_report_add(s, &r);
	}
	store_report_end(s);
}

static void
commit(void)
{
	struct fail why;

	if (!CHECK(store_commit(s, now - P0, &why) == 0))
		printf("    %s\n", why.msg);
	mem_forget(fs);
	CHECK(fs->blocks_peak * MEM_BLOCK <= BUDGET);
	CHECK(store_bytes(s) <= BUDGET);
	fs->blocks_peak = fs->blocks;
}

/* Ten minutes; each hour a record. */
static void
advance(void)
{
	static char body[240];
	struct fail why;
	unsigned i;

	for (i = 0; i < 10; i++, now += MINUTE)
		put();
	if (now >= next_record) {
		memset(body, 'x', sizeof body);
		memcpy(body, "\"i\":1,\"x\":\"", 11);
		body[sizeof body - 1] = '"';
		CHECK(store_journal(s, (struct str){ body, sizeof body },
		    true, &why) == 0);
		records++;
		next_record += HOUR;
	}
	commit();
}

/* A job, and commits while it runs. */
static void
job(void)
{
	struct store_job job;
	struct fail why;
	int rc, i;

	if (!store_job_next(s, now, now - P0, &job))
		return;
	/* What comes meanwhile has room: it takes that of no block. */
	CHECK(store_bytes(s) <= BUDGET - BUDGET / 16);
	/* Its process is killed at its very end, and it is tried again. */
	killed = kills && !killed;
	if (!killed)
		advance();
	if (job.what == STORE_SNAPSHOT) {
		rc = store_snapshot_begin(s, &job, now, &why);
		for (i = 0; i < 50 && rc == 0; i++)
			store_snapshot_put(s, STR("\"i\":1,\"name\":\"one\""));
		rc = rc == 0 ? store_snapshot_end(s, &why) : rc;
	} else {
		rc = store_job_run(s, &job, &why);
	}
	if (rc != 0)
		printf("job %d: %s\n", job.what, why.msg);
	if (!killed)
		advance();
	rc = killed ? -1 : rc;
	store_job_end(s, &job, rc == 0, now - P0);
	did[job.what] += rc == 0;
	tries++;
	commit();
}

/* The newest day as it came. */
static void
check_day(uint64_t check, int row)
{
	struct store_query ask = { .check = check,
	    .from_ms = now - DAY < P0 ? P0 : now - DAY, .to_ms = now };
	static struct store_row got;
	struct store_result want;
	struct fail why;
	unsigned bad = 0;
	int64_t at;

	CHECK_ROW(row, store_rows(s, &ask, &why) == 0);
	for (at = ask.from_ms; at < now; at += MINUTE) {
		make_row(check, at, &want);
		if (store_row_next(s, &got, &why) != 1 || got.span_ms != 0 ||
		    !same_result(&got.r, &want)) {
			bad++;
			break;
		}
	}
	CHECK_ROW(row, bad == 0);
}

/* All there is: from the oldest on nothing is missing, and it gets finer. */
static void
check_all(uint64_t check, int row)
{
	struct store_query ask = { .check = check, .to_ms = INT64_MAX };
	static struct store_row got;
	struct fail why;
	int64_t end = 0, first = 0, span = HOUR;
	unsigned bad = 0, level;
	uint64_t of[LEVELS] = { 0 };

	CHECK_ROW(row, store_rows(s, &ask, &why) == 0);
	while (store_row_next(s, &got, &why) == 1) {
		first = first == 0 ? got.r.at_ms : first;
		bad += end != 0 && got.r.at_ms > end;
		/* At a seam there may be two of one time. */
		bad += got.span_ms > span;
		span = got.span_ms;
		level = span == 0 ? LEVEL_RAW : span == HOUR ? LEVEL_HOUR :
		    LEVEL_MINUTES;
		of[level] += level == LEVEL_RAW || got.count > 0;
		if (end < got.r.at_ms + (span == 0 ? MINUTE : span))
			end = got.r.at_ms + (span == 0 ? MINUTE : span);
	}
	CHECK_ROW(row, bad == 0 && end >= now);
	/* What is gone had to go: at three quarters a job begins that frees an
	 * eighth, and what was sealed meanwhile took less. */
	CHECK_ROW(row, first == P0 || store_bytes(s) > BUDGET / 5 * 3);
	gone_days += first > P0 + HOUR;
	for (level = 0; level < LEVELS; level++)
		level_days[level] += of[level] > 0;
}

static void
year(unsigned days)
{
	unsigned day;
	struct fail why;

	for (day = 0; day < days && test_bad < 20; day++) {
		while (now < P0 + (day + 1) * DAY) {
			advance();
			job();
			if (killed) {
				s->job_ms = 0;
				job();
			}
		}
		check_day(1 + day % checks, (int)day);
		if (day % 10 == 9)
			check_all(1 + day % checks, (int)day);
		if (day % 50 != 49)
			continue;
		store_close(s);
		mem_kill(fs);
		s = store_open("d", &mem_io, BUDGET, &why);
		CHECK(s != NULL && fs->blocks * MEM_BLOCK <= BUDGET);
		check_day(1, (int)day);
	}
}

static void
begin(void)
{
	struct fail why;

	fs = mem_new();
	mem_use(fs);
	now = next_record = P0;
	records = gone_days = 0;
	memset(level_days, 0, sizeof level_days);
	memset(did, 0, sizeof did);
	tries = 0;
	s = store_open("d", &mem_io, BUDGET, &why);
}

int
main(void)
{
	uint64_t first, n;
	struct str line;
	struct fail why;
	unsigned kept = 0, days[LEVELS], gone, thinned;
	uint64_t length = 365;

	if (getenv("ALL") != NULL)
		checks = 25;
	if (getenv("DAYS") != NULL)
		CHECK(str_u64(str_of(getenv("DAYS")), 1, 365, &length) == 0);
	begin();
	year((unsigned)length);
	printf("%u snapshots, %u seals, %u merges, %u thinned; %u failed\n",
	    did[STORE_SNAPSHOT], did[STORE_SEAL], did[STORE_MERGE],
	    did[STORE_THIN], tries - did[1] - did[2] - did[3] - did[4]);
	printf("days with each level: %u %u %u; with something gone: %u\n",
	    level_days[0], level_days[1], level_days[2], gone_days);
	/* Of the fuller year not ten days have room as they came, and means of
	 * random numbers take little less: they go soon. */
	CHECK(checks > 3 || (level_days[LEVEL_MINUTES] > 10 &&
	    level_days[LEVEL_HOUR] > 10));
	/* The journal goes last: it has its half. */
	first = store_journal_first(s);
	for (n = first; n <= store_journal_n(s, NULL); n++)
		kept += store_journal_read(s, n, &line, &why) == 1;
	printf("%u of %u records are kept, %llu bytes in use\n", kept, records,
	    (unsigned long long)store_bytes(s));
	CHECK(kept == records || kept * 300 > BUDGET / 8 * 3);
	store_close(s);
	mem_free(fs);
	if (checks > 3)
		return test_end();
	/* The same with each job killed once: that is no reason to drop what
	 * would have become means, and all goes as it went. */
	memcpy(days, level_days, sizeof days);
	gone = gone_days;
	thinned = did[STORE_THIN];
	kills = true;
	begin();
	year((unsigned)length);
	printf("each job killed once: %u thinned, days with each level: %u %u "
	    "%u; with something gone: %u\n", did[STORE_THIN], level_days[0],
	    level_days[1], level_days[2], gone_days);
	CHECK(memcmp(days, level_days, sizeof days) == 0 &&
	    gone == gone_days && thinned == did[STORE_THIN]);
	store_close(s);
	mem_free(fs);
	return test_end();
}
