/*
 * crash_work.h: what a store is made to do in crash_test.c, step by step, what
 * was promised on the way, and what must be found of it.
 */
#include <errno.h>

#include "../store_impl.h"
#include "store_data.h"
#include "crash.h"

#define LIVES_MAX	1024
#define FILES_MAX	256
#define HOUR		INT64_C(3600000)

/* What was asked for, and what was answered. */
enum { NONE, PENDING, ACKED, DROPPED, GONE };
struct life {
	unsigned next;			/* i of the next record */
	unsigned char rec[RECORDS_MAX];	/* what of record i is known */
	bool loose[RECORDS_MAX];	/* it is not kept */
	unsigned short batch[RECORDS_MAX];	/* it was first one of */
	unsigned batches;
	uint64_t asked_seq, acked_seq;
	uint64_t first[FILES_MAX];	/* of head file N, once acknowledged, */
	int node[FILES_MAX];		/* and which file that is */
};

static struct life lives[LIVES_MAX];
static unsigned noted;

static struct memfs *run;		/* the disk it works on */

static struct work {
	struct store *s;
	uint64_t budget;
	int64_t mono;
	struct life life;
} w;

static struct store *
open_on(struct memfs *m, uint64_t budget)
{
	struct fail why;
	struct store *s;

	mem_use(m);
	s = store_open("d", &mem_io, budget, &why);
	if (!CHECK(s != NULL))
		printf("open: %s\n", why.msg);
	return s;
}

/* As a killed process: nothing more is done to its files. */
static void
kill_on(struct memfs *m, struct store *s)
{
	mem_use(m);
	m->dead = true;
	if (s != NULL)
		store_close(s);
	mem_kill(m);
}

/* What a start finds; of reports that were sealed it tells the last. */
static void
read_start(struct store *s)
{
	read_all(s);
	if (found.seq < store_head_seq(s))
		found.seq = store_head_seq(s);
}

/* What must be found. */

/* The first report of those that the running store still holds: what stands
 * in a head file that is there. */
static uint64_t
oldest_report(const struct memfs *m, const struct life *l)
{
	uint64_t first = l->acked_seq + 1;
	char path[32];
	unsigned i;

	for (i = 1; i < FILES_MAX; i++) {
		if (l->first[i] == 0 || l->first[i] >= first)
			continue;
		snprintf(path, sizeof path, "d/head/%u.log", i);
		if (mem_find(m, path) == l->node[i])
			first = l->first[i];
	}
	return first;
}

/* Kept records that were first committed together stay so. */
static bool
batches_whole(const struct life *l)
{
	static int has[RECORDS_MAX];
	unsigned i;

	memset(has, 0, sizeof has);
	for (i = 0; i < l->next; i++) {
		if (l->loose[i])
			continue;
		if (has[l->batch[i]] == (found.has[i] ? 1 : 2))
			return false;
		has[l->batch[i]] = found.has[i] ? 2 : 1;
	}
	return true;
}

static bool
check_found(const struct store *s, const struct life *l, uint64_t oldest)
{
	bool ok = CHECK(!found.wrong);
	unsigned i, lost = 0, back = 0;
	uint64_t q;

	for (i = 0; i < RECORDS_MAX; i++) {
		lost += l->rec[i] == ACKED && !found.has[i];
		back += (l->rec[i] == GONE || l->rec[i] == NONE) &&
		    found.has[i];
	}
	ok = CHECK(lost == 0) && ok;
	ok = CHECK(back == 0) && ok;
	ok = CHECK(batches_whole(l)) && ok;
	/* What was sealed is not looked for as a report, but by result. */
	for (i = 0; i < s->b.files; i++)
		if (oldest <= s->b.file[i].block.last)
			oldest = s->b.file[i].block.last + 1;
	for (lost = 0, q = oldest; q <= l->acked_seq; q++)
		lost += !found.seen[q];
	ok = CHECK(lost == 0) && ok;
	ok = CHECK(found.seq >= l->acked_seq) && ok;
	return CHECK(found.seq <= l->asked_seq) && ok;
}

/* Each result of the reports from first to last is found by its check. */
static bool
check_results(struct store *s, uint64_t first, uint64_t last)
{
	static bool seen[RECORDS_MAX][3];
	static struct store_row row;
	struct store_query ask = { .from_ms = INT64_MIN, .to_ms = INT64_MAX };
	struct store_result want;
	struct fail why;
	uint64_t q, bad = 0, means = 0;
	unsigned j;

	memset(seen, 0, sizeof seen);
	for (ask.check = 1; ask.check <= 4; ask.check++) {
		bad += store_rows(s, &ask, &why) != 0;
		while (store_row_next(s, &row, &why) == 1) {
			if (row.span_ms != 0) {
				means += row.count;
				continue;
			}
			q = (uint64_t)(row.r.at_ms - T0 + 999) / 1000;
			j = (unsigned)(q * 1000 + T0 - row.r.at_ms) / 10;
			bad += j > 2 || q >= RECORDS_MAX;
			make_result(q, j % 3, &want);
			bad += !same_result(&row.r, &want);
			seen[q % RECORDS_MAX][j % 3] = true;
		}
	}
	for (q = first; q <= last; q++)
		for (j = 0; j < 1 + q % 3; j++)
			bad += !seen[q][j];
	/* Those that were thinned are all in some mean, and once. */
	return CHECK(bad == means);
}

/* Everything that was found by another start is, and no other record. */
static bool
check_again(const struct found *was)
{
	bool ok = CHECK(!found.wrong && found.seq == was->seq);
	unsigned i, lost = 0;

	ok = CHECK(memcmp(found.has, was->has, sizeof found.has) == 0) && ok;
	for (i = 0; i < RECORDS_MAX; i++)
		lost += was->seen[i] && !found.seen[i];
	return CHECK(lost == 0) && ok;
}

/* The workloads' steps: whatever else a store can be asked to do is one
 * more of them. */

static void
note(void)
{
	assert(noted < LIVES_MAX);
	lives[noted] = w.life;
	mem_note(run, noted++);
}

/* A start: what it finds is a promise, and what it does not never was. */
static void
work_open(unsigned a, unsigned b)
{
	struct life *l = &w.life;
	unsigned i;

	(void)a;
	(void)b;
	w.s = open_on(run, w.budget);
	if (w.s == NULL)
		return;
	read_start(w.s);
	(void)check_found(w.s, l, oldest_report(run, l));
	if (w.budget == 0)
		(void)check_results(w.s, 1, found.seq);
	for (i = 0; i < l->next; i++)
		l->rec[i] = found.has[i] ? ACKED : GONE;
	l->asked_seq = l->acked_seq = found.seq;
	w.mono = 0;
	note();
}

static void
work_kill(unsigned a, unsigned b)
{
	mem_fault(run, 0, 0, 0);
	kill_on(run, w.s);
	work_open(a, b);
}

static void
learn_file(struct life *l, uint64_t first)
{
	char path[32];
	unsigned i;
	int node;

	for (i = FILES_MAX - 1; i > 0; i--) {
		snprintf(path, sizeof path, "d/head/%u.log", i);
		node = mem_find(run, path);
		if (node < 0)
			continue;
		if (l->first[i] == 0 || l->node[i] != node)
			l->first[i] = first;
		l->node[i] = node;
		return;
	}
}

static void
commit(void)
{
	struct life *l = &w.life;
	uint64_t n = store_journal_n(w.s, NULL), was = l->acked_seq;
	struct fail why;
	unsigned i;
	unsigned rc;

	l->asked_seq = store_head_seq(w.s);
	note();
	rc = store_commit(w.s, w.mono, &why);
	w.mono += LATER;
	mem_fault(run, 0, 0, 0);
	for (i = 0; i < l->next; i++) {
		bool lost = (rc & STORE_RECORDS) != 0;

		if (!lost && l->rec[i] == PENDING)
			l->rec[i] = ACKED;
		else if (lost && l->rec[i] == PENDING && l->loose[i])
			l->rec[i] = DROPPED;
		else if (l->rec[i] == DROPPED && store_journal_n(w.s, NULL) > n)
			l->rec[i] = GONE;
	}
	if ((rc & STORE_REPORTS) == 0) {
		l->acked_seq = l->asked_seq;
		if (was < l->acked_seq)
			learn_file(l, was + 1);
	}
	note();
}

static void
record(bool keep)
{
	struct life *l = &w.life;

	CHECK(put_record(w.s, l->next, keep) == 0);
	assert(l->next < RECORDS_MAX - 4);
	l->rec[l->next] = PENDING;
	l->loose[l->next] = !keep;
	l->batch[l->next++] = (unsigned short)l->batches;
}

/* One commit of so many of each. */
static void
work_commit(unsigned reports, unsigned records)
{
	uint64_t seq;

	while (reports-- > 0)
		CHECK(put_report(w.s, &seq) == 0);
	w.life.batches++;
	while (records-- > 0)
		record(records % 3 != 1);
	commit();
}

/* One commit of as many lines as take two writes. */
static void
work_large(unsigned lines, unsigned b)
{
	static char body[40000];
	struct life *l = &w.life;
	struct fail why;
	int n;

	(void)b;
	l->batches++;
	for (; lines > 0; lines--) {
		memset(body, 'x', sizeof body);
		n = snprintf(body, sizeof body, "\"i\":%u,\"x\":\"", l->next);
		body[n] = 'x';
		body[sizeof body - 1] = '"';
		CHECK(store_journal(w.s, (struct str){ body, sizeof body },
		    true, &why) == 0);
		l->rec[l->next] = PENDING;
		l->batch[l->next++] = (unsigned short)l->batches;
	}
	commit();
}

/* Of the next commit this call fails. */
static void
work_fault(unsigned letter, unsigned at)
{
	mem_fault(run, (int)letter, at, letter == 'w' ? ENOSPC : EIO);
	run->fault_short = letter == 'w' && at > 1;
}

/* In the next commit the process is killed at this call. */
static void
work_die(unsigned letter, unsigned at)
{
	mem_fault(run, (int)letter, at, 0);
}

/* This call of the first of two starts fails, which may end it. */
static void
work_bad_start(unsigned letter, unsigned at)
{
	struct fail why;
	struct store *s;

	kill_on(run, w.s);
	mem_use(run);
	mem_fault(run, (int)letter, at, EIO);
	s = store_open("d", &mem_io, w.budget, &why);
	mem_fault(run, 0, 0, 0);
	kill_on(run, s);
	work_open(0, 0);
}

/* The disk has room for so many blocks more; for 0, again for everything. */
static void
work_full(unsigned blocks, unsigned b)
{
	(void)b;
	run->blocks_max = blocks == 0 ? 0 : run->blocks + blocks;
}

/* A job that nothing asks for, of the blocks there are; it dies in it. */
static void
job_now(enum store_what what, unsigned level, bool stop)
{
	struct store_job job = { .what = what, .level = level, .first = 1,
	    .max_bytes = 1 << 20, .number = w.s->b.next++ };
	struct fail why;
	unsigned i;
	int rc;

	if (store_dirty(w.s) || w.s->b.files == 0)
		return;
	for (i = 0; i < w.s->b.files; i++)
		if (w.s->b.file[i].block.last > job.last)
			job.last = w.s->b.file[i].block.last;
	w.s->busy = true;
	rc = store_aside_make(&w.s->b, job.number);
	if (stop)
		mem_fault(run, 'w', 1, 0);
	if (rc == 0)
		rc = store_job_run(w.s, &job, &why);
	store_job_end(w.s, &job, rc == 0, w.mono);
	w.s->job_ms = 0;
}

static void
work_merge(unsigned stop, unsigned b)
{
	job_now(STORE_MERGE, LEVEL_RAW, stop);
	if (stop)
		work_kill(0, b);
}

static void
work_thin(unsigned level, unsigned b)
{
	(void)b;
	job_now(STORE_THIN, level, false);
}

/* The jobs that are due so many hours later, each with its commit but the
 * last. */
static void
work_later(unsigned hours, unsigned times)
{
	bool has[RECORDS_MAX];
	unsigned i;

	for (; times > 0; times--) {
		if (store_dirty(w.s))
			work_commit(0, 0);
		for (i = 0; i < RECORDS_MAX; i++)
			has[i] = w.life.rec[i] == ACKED;
		w.s->job_ms = 0;
		(void)do_job(w.s, T0 + hours * HOUR, has, w.life.next);
	}
}

/* A job that is due; stop: the process is killed within it. */
static void
work_wanted(unsigned stop, unsigned b)
{
	bool has[RECORDS_MAX];
	unsigned i;

	if (store_dirty(w.s))
		work_commit(0, 0);
	for (i = 0; i < RECORDS_MAX; i++)
		has[i] = w.life.rec[i] == ACKED;
	if (stop)
		mem_fault(run, 'w', 1, 0);
	(void)do_job(w.s, T0, has, w.life.next);
	if (stop)
		work_kill(0, b);
	mem_fault(run, 0, 0, 0);
}

static void
work_snapshot(unsigned stop, unsigned b)
{
	store_want_snapshot(w.s);
	work_wanted(stop, b);
}
