/*
 * full_test: a disk without room, a budget without room, and results that may
 * wait for the platter: what is answered then, and what is there.
 */
#include <errno.h>

#include "../store_impl.h"
#include "memfs.h"
#include "store_data.h"

static struct memfs *fs;
static struct store *s;
static int64_t mono;

static void
open_again(uint64_t budget)
{
	struct fail why;

	if (s != NULL)
		store_close(s);
	mem_kill(fs);
	mem_forget(fs);
	mem_use(fs);
	s = store_open("d", &mem_io, budget, &why);
	if (!CHECK(s != NULL))
		exit(test_end());
}

static void
begin(uint64_t budget)
{
	if (s != NULL)
		store_close(s);
	s = NULL;
	if (fs != NULL)
		mem_free(fs);
	fs = mem_new();
	mono = 100000;
	open_again(budget);
}

static unsigned
commit(void)
{
	struct fail why;
	unsigned failed = store_commit(s, mono, &why);

	mem_forget(fs);
	return failed;
}

static bool
there(const char *path)
{
	return mem_find(fs, path) >= 0;
}

/* Reports until there is no room for more: how many were stored. */
static unsigned
fill(void)
{
	uint64_t seq;
	unsigned n = 0;

	do
		CHECK(put_report(s, &seq) == 0);
	while (commit() == 0 && ++n < 100000);
	return n;
}

/* Of so many minutes on a full disk: each has some reports and a record. */
static unsigned
minutes(unsigned n, unsigned record)
{
	unsigned i, failed, stored = 0;
	uint64_t seq;

	for (i = 0; i < n * 6; i++) {
		mono += STORE_RETRY_MS / 6;
		CHECK(put_report(s, &seq) == 0);
		CHECK(put_record(s, record + i, true) == 0);
		failed = commit();
		CHECK_ROW(i, failed & STORE_REPORTS);
		stored += (failed & STORE_RECORDS) == 0;
	}
	return stored;
}

/* A full disk: reports fail; records are taken, from the reserve. */
static void
test_reserve(void)
{
	unsigned n, i;

	begin(0);
	CHECK(there("d/reserve"));
	CHECK(put_record(s, 0, true) == 0 && commit() == 0);
	fs->blocks_max = fs->blocks + 20;
	n = fill();
	CHECK(n > 100 && there("d/reserve"));
	CHECK(minutes(20, 1) == 120);
	CHECK(!there("d/reserve"));
	mono += STORE_RETRY_MS;
	fs->blocks_max = 0;
	CHECK(commit() == 0);
	mono += STORE_RETRY_MS;
	CHECK(put_record(s, 500, false) == 0 && commit() == 0);
	CHECK(there("d/reserve") && s->reserve_bytes > 0);
	open_again(0);
	read_all(s);
	CHECK(!found.wrong && found.reports == n + 1 + 120);
	for (i = 0; i <= 120; i++)
		CHECK_ROW(i, found.has[i]);
	CHECK(found.has[500] && found.damages == 0);
}

/* The newest snapshot is not what it was: the one before it, and the journal
 * from there on, have all of it. */
static void
damage_snapshot(const bool *has, uint64_t budget)
{
	char path[32];
	unsigned i, lost = 0;
	int node;

	snprintf(path, sizeof path, "d/journal/%s", store_newest(&s->n)->name);
	node = mem_find(fs, path);
	CHECK(s->n.files == 2 && node > 0);
	fs->node[node].p[fs->node[node].size / 2] ^= 1;
	open_again(budget);
	read_all(s);
	for (i = 0; i < RECORDS_MAX; i++)
		lost += has[i] && !found.has[i];
	CHECK(lost == 0 && found.damages > 0);
}

/* The same where it is the budget. */
static void
test_budget(void)
{
	enum { BUDGET = 640 << 10 };
	static bool has[RECORDS_MAX];
	unsigned i, k, failed, taken = 0, snapshots = 0;
	uint64_t seq;

	begin(BUDGET);
	CHECK(there("d/reserve"));
	for (i = 0; i < 4000; i++) {
		CHECK(put_record(s, i, true) == 0);
		CHECK(put_report(s, &seq) == 0);
		mono += 100;
		failed = commit();
		CHECK_ROW(i, store_bytes(s) <= BUDGET);
		CHECK_ROW(i, fs->blocks * MEM_BLOCK <= BUDGET);
		taken += (failed & STORE_RECORDS) == 0;
		for (k = 0; k <= i && (failed & STORE_RECORDS) == 0; k++)
			has[k] = true;
		if (i % 150 == 149 && !store_dirty(s)) {
			s->job_ms = 0;
			snapshots += do_snapshot(s, has, i + 1);
			(void)commit();
		}
	}
	CHECK(taken > 500 && snapshots > 5);
	damage_snapshot(has, BUDGET);
}

/* One kind fails, the other does not. */
static void
test_apart(void)
{
	uint64_t seq;

	begin(0);
	CHECK(put_report(s, &seq) == 0 && put_record(s, 0, true) == 0);
	mem_fault(fs, 's', 1, EIO);
	CHECK(commit() == STORE_REPORTS);
	CHECK(store_journal_n(s, NULL) == 2 && s->durable == 0);
	mono += STORE_RETRY_MS;
	CHECK(commit() == 0 && s->durable == 1);
	CHECK(put_report(s, &seq) == 0 && put_record(s, 1, false) == 0);
	mem_fault(fs, 's', 2, EIO);
	CHECK(commit() == STORE_RECORDS && s->durable == 2);
	mono += STORE_RETRY_MS;
	CHECK(put_record(s, 2, true) == 0 && commit() == 0);
	open_again(0);
	read_all(s);
	CHECK(found.reports == 2 && !found.wrong);
	CHECK(found.has[0] && !found.has[1] && found.has[2]);
}

/* How many syncs the next commit makes. */
static unsigned
syncs(void)
{
	struct fail why;
	unsigned i, n = 0;

	mem_forget(fs);
	CHECK(store_commit(s, mono, &why) == 0);
	for (i = 0; i < fs->ops; i++)
		n += fs->op[i].kind == MEM_SYNC;
	mem_forget(fs);
	return n;
}

/* Results may wait a second, written though; records do not. */
static void
test_interval(void)
{
	struct store_job job;
	uint64_t seq;

	begin(0);
	store_sync(s, 1000);
	CHECK(put_report(s, &seq) == 0 && syncs() == 2);
	CHECK(!store_dirty(s) && s->durable == 1);
	mono += 10;
	CHECK(put_report(s, &seq) == 0 && syncs() == 0 && store_dirty(s));
	mono += 500;
	CHECK(put_report(s, &seq) == 0 && syncs() == 0 && s->durable == 1);
	mono += 489;
	CHECK(syncs() == 0);
	mono += 1;
	CHECK(syncs() == 1 && !store_dirty(s) && s->durable == 3);
	CHECK(put_report(s, &seq) == 0 && syncs() == 0);
	/* A record takes the reports with it. */
	CHECK(put_record(s, 0, true) == 0 && syncs() == 3);
	CHECK(!store_dirty(s) && s->durable == 4);
	/* And so does a job, but not to be asked for one. */
	CHECK(put_report(s, &seq) == 0 && syncs() == 0);
	CHECK(!store_job_next(s, T0, mono, &job) && syncs() == 0);
	store_want_snapshot(s);
	CHECK(!store_job_next(s, T0, mono, &job) && syncs() == 1);
	CHECK(store_job_next(s, T0, mono, &job));
	CHECK(job.what == STORE_SNAPSHOT);
	store_job_end(s, &job, false, mono);
	/* The process ends: what was written is there. */
	mono += 10;
	CHECK(put_report(s, &seq) == 0 && syncs() == 0 && s->durable == 5);
	fs->dead = true;
	open_again(0);
	read_all(s);
	CHECK(found.reports == 6 && !found.wrong && found.damages == 0);
	/* What waits cannot be written any more: it stays, and comes again. */
	store_sync(s, 1000);
	mono += 5000;
	CHECK(put_report(s, &seq) == 0 && syncs() > 0);
	CHECK(put_report(s, &seq) == 0 && syncs() == 0);
	CHECK(put_report(s, &seq) == 0);
	mem_fault(fs, 'w', 1, EIO);
	CHECK(commit() == STORE_REPORTS && s->durable == 7);
	mono += STORE_RETRY_MS;
	CHECK(commit() == 0 && s->durable == 9);
	open_again(0);
	read_all(s);
	CHECK(found.reports == 9 && !found.wrong && found.damages == 0);
}

int
main(void)
{
	test_apart();
	test_interval();
	test_reserve();
	test_budget();
	store_close(s);
	mem_free(fs);
	return test_end();
}
