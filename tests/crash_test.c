/*
 * crash_test: the store on every state that a crash may leave behind.
 *
 * A workload runs once, on a file system in memory that records it.  Then,
 * after each call that changed something, the states that a power failure
 * there may leave (crash.h) are built, all of them where they are few, and
 * the store is opened on each: it opens, what was acknowledged is there,
 * what was undone is not, it goes on, and what it found is found again if
 * the power fails once more.
 *
 * In the environment: STATES, how many times as many random ones (0: the
 * least), and SEED.
 */
#include <errno.h>
#include <fcntl.h>

#include "crash_work.h"

static unsigned times = 1;
static uint64_t first_seed;
static unsigned long states, points, chains;

/* The disks: a running one; before and after a crash; after another. */
static struct memfs *view, *before, *disk, *again;

struct step {
	void (*fn)(unsigned a, unsigned b);
	unsigned a, b;
	unsigned times;			/* 0: once */
};

#define STEPS_MAX	24
static const struct workload {
	const char *name;
	uint64_t budget;
	bool whole;			/* nothing gives way to it */
	bool jobs;			/* blocks are made in it */
	struct step step[STEPS_MAX];
} workloads[] = {
	{ "plain", 0, true, false, {
		{ work_commit, 2, 2, 2 }, { work_commit, 1, 0, 0 },
		{ work_commit, 0, 3, 0 }, { work_kill, 0, 0, 0 },
		{ work_commit, 3, 4, 3 }, { work_kill, 0, 0, 2 },
		{ work_commit, 1, 1, 0 } } },
	{ "write fails", 0, true, false, {
		{ work_commit, 2, 2, 0 }, { work_fault, 'w', 1, 0 },
		{ work_commit, 1, 3, 0 }, { work_commit, 1, 3, 2 },
		{ work_fault, 'w', 2, 0 }, { work_commit, 1, 3, 2 },
		{ work_fault, 'w', 2, 0 }, { work_commit, 0, 3, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 2, 2, 0 } } },
	{ "sync fails", 0, true, false, {
		{ work_commit, 2, 2, 0 }, { work_fault, 's', 1, 0 },
		{ work_commit, 1, 3, 0 }, { work_commit, 1, 3, 2 },
		{ work_fault, 's', 2, 0 }, { work_commit, 1, 3, 2 },
		{ work_wanted, 0, 0, 0 }, { work_commit, 2, 2, 0 },
		{ work_fault, 's', 2, 0 }, { work_commit, 1, 3, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 2, 2, 2 } } },
	{ "directory's sync fails", 0, true, false, {
		{ work_fault, 'S', 1, 0 }, { work_commit, 1, 3, 2 },
		{ work_fault, 's', 2, 0 }, { work_commit, 1, 3, 0 },
		{ work_fault, 'S', 1, 0 }, { work_commit, 1, 3, 0 },
		{ work_fault, 's', 1, 0 }, { work_commit, 1, 3, 0 },
		{ work_commit, 1, 2, 0 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 2, 0 } } },
	{ "disk full", 0, true, false, {
		{ work_commit, 2, 2, 0 }, { work_full, 1, 0, 0 },
		{ work_commit, 9, 9, 9 }, { work_full, 0, 0, 0 },
		{ work_commit, 1, 3, 2 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 2, 0 } } },
	{ "snapshots", 0, true, false, {
		{ work_commit, 2, 2, 3 }, { work_snapshot, 0, 0, 0 },
		{ work_commit, 1, 2, 0 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 2, 0 }, { work_snapshot, 1, 0, 0 },
		{ work_commit, 1, 2, 0 }, { work_wanted, 0, 0, 0 },
		{ work_fault, 's', 1, 0 }, { work_snapshot, 0, 0, 0 },
		{ work_commit, 1, 2, 0 }, { work_wanted, 0, 0, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 1, 2, 0 } } },
	{ "killed", 0, true, false, {
		{ work_commit, 2, 2, 2 }, { work_die, 's', 1, 0 },
		{ work_commit, 1, 2, 0 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 2, 0 }, { work_die, 'f', 1, 0 },
		{ work_commit, 1, 2, 0 }, { work_kill, 0, 0, 0 },
		{ work_die, 's', 2, 0 }, { work_commit, 1, 2, 0 },
		{ work_kill, 0, 0, 2 }, { work_commit, 1, 2, 0 } } },
	{ "killed, and a start fails", 0, true, false, {
		{ work_commit, 2, 2, 2 }, { work_die, 's', 1, 0 },
		{ work_commit, 1, 2, 0 }, { work_bad_start, 's', 2, 0 },
		{ work_commit, 1, 2, 0 }, { work_die, 's', 2, 0 },
		{ work_commit, 1, 2, 0 }, { work_bad_start, 's', 1, 0 },
		{ work_commit, 1, 2, 0 } } },
	{ "large", 0, true, false, {
		{ work_commit, 2, 2, 0 }, { work_large, 4, 0, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 1, 2, 0 } } },
	{ "many files", 160 << 10, true, false, {
		{ work_commit, 20, 12, 9 }, { work_wanted, 0, 0, 0 },
		{ work_commit, 20, 6, 9 }, { work_wanted, 0, 0, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 20, 2, 3 } } },
	{ "small budget", 160 << 10, false, false, {
		{ work_commit, 20, 12, 9 }, { work_wanted, 0, 0, 0 },
		{ work_commit, 20, 12, 9 }, { work_wanted, 0, 0, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 20, 8, 9 },
		{ work_wanted, 0, 0, 0 }, { work_commit, 20, 8, 9 } } },
	{ "two journals in use", 128 << 10, false, false, {
		{ work_commit, 2, 12, 9 }, { work_fault, 's', 2, 0 },
		{ work_commit, 1, 12, 9 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 4, 0 } } },
};

static const struct workload sealing[] = {
	{ "seals", 0, true, true, {
		{ work_commit, 2, 2, 2 }, { work_later, 2, 3, 0 },
		{ work_commit, 1, 1, 0 }, { work_later, 4, 2, 0 },
		{ work_commit, 3, 1, 0 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 1, 0 } } },
	{ "a seal, then kill", 0, true, true, {
		{ work_commit, 3, 2, 2 }, { work_later, 2, 2, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 2, 0, 0 },
		{ work_later, 3, 2, 0 }, { work_kill, 0, 0, 0 },
		{ work_commit, 1, 0, 0 }, { work_later, 5, 3, 0 } } },
	{ "merges", 0, true, true, {
		{ work_commit, 2, 1, 0 }, { work_later, 2, 3, 0 },
		{ work_commit, 3, 1, 0 }, { work_later, 3, 3, 0 },
		{ work_commit, 1, 0, 0 }, { work_merge, 0, 0, 0 },
		{ work_commit, 2, 1, 0 }, { work_later, 6, 3, 0 },
		{ work_merge, 1, 0, 0 }, { work_merge, 0, 0, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 1, 1, 0 } } },
	{ "thinned", 0, true, true, {
		{ work_commit, 3, 1, 2 }, { work_later, 2, 3, 0 },
		{ work_commit, 3, 1, 0 }, { work_later, 3, 3, 0 },
		{ work_thin, 1, 0, 0 }, { work_commit, 1, 0, 0 },
		{ work_thin, 2, 0, 0 }, { work_commit, 1, 0, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 1, 1, 0 } } },
	{ "a job's calls fail", 0, true, true, {
		{ work_commit, 2, 1, 2 }, { work_later, 2, 2, 0 },
		{ work_fault, 'u', 1, 0 }, { work_commit, 2, 1, 0 },
		{ work_later, 4, 1, 0 }, { work_fault, 's', 1, 0 },
		{ work_later, 5, 1, 0 }, { work_fault, 'n', 1, 0 },
		{ work_later, 6, 2, 0 }, { work_fault, 'w', 2, 0 },
		{ work_later, 8, 3, 0 }, { work_commit, 1, 1, 0 },
		{ work_kill, 0, 0, 0 }, { work_commit, 1, 1, 0 } } },
	{ "a name's sync fails", 0, true, true, {
		{ work_commit, 2, 1, 2 }, { work_later, 2, 2, 0 },
		{ work_fault, 'S', 1, 0 }, { work_commit, 0, 0, 2 },
		{ work_commit, 1, 1, 0 }, { work_later, 4, 2, 0 },
		{ work_fault, 'S', 2, 0 }, { work_commit, 0, 0, 2 },
		{ work_commit, 1, 1, 0 }, { work_merge, 0, 0, 0 },
		{ work_fault, 'S', 1, 0 }, { work_commit, 0, 0, 2 },
		{ work_commit, 1, 1, 0 } } },
};

static void
work_begin(uint64_t budget)
{
	memset(&w, 0, sizeof w);
	w.budget = budget;
	noted = 0;
	note();
	work_open(0, 0);
}

static void
work_steps(const struct workload *x)
{
	const struct step *p;
	unsigned i;

	for (p = x->step; p < x->step + STEPS_MAX && p->fn != NULL; p++)
		for (i = 0; i == 0 || i < p->times; i++)
			p->fn(p->a, p->b);
}

/* One point of time, and the states after a crash there. */
static struct point {
	const char *name;
	unsigned at;			/* operations done */
	uint64_t budget;
	bool jobs;
	uint64_t oldest, oldest_result;	/* reports that must be there; or
					 * what was reported */
	const struct life *life;
	struct crash c;
} pt;
static struct crash after;

static void
feed_from(struct crash *c, const struct memfs *m, unsigned i)
{
	for (; i < m->ops; i++)
		crash_feed(c, &m->op[i]);
}

/* The power fails once more: is all of it there? */
static bool
check_after(const struct found *was)
{
	struct store *s;
	bool ok = false;

	crash_build(&after, again);
	s = open_on(again, pt.budget);
	if (s != NULL) {
		read_start(s);
		ok = check_again(was);
		ok = (!pt.jobs || check_results(s, 1, found.seq)) && ok;
	}
	kill_on(again, s);
	return ok;
}

static bool
check_goes_on(struct store *s, struct found *was)
{
	unsigned i = pt.life->next, ops = disk->ops;
	struct fail why;
	uint64_t seq = 0;
	bool ok;

	mem_use(disk);
	ok = CHECK(put_report(s, &seq) == 0 && seq == was->seq + 1) &&
	    CHECK(put_record(s, i, true) == 0) &&
	    CHECK(put_record(s, i + 1, true) == 0) &&
	    CHECK(store_commit(s, 0, &why) == 0);
	if (!ok)
		return false;
	/* The oldest may have given way, or been sealed. */
	if (pt.budget != 0 || pt.jobs)
		memset(was->seen, 0, sizeof was->seen);
	was->has[i] = was->has[i + 1] = true;
	was->seen[seq] = true;
	was->seq = seq;
	feed_from(&after, disk, ops);
	crash_all(&after, (struct mem_part){ MEM_LOST, 0 });
	ok = check_after(was);
	/* What was torn was cut. */
	return CHECK(found.damages == 0 || found.damages < was->damages) && ok;
}

/* Whatever is due afterwards is done, and all results are there yet. */
static bool
check_jobs(struct store *s, const struct found *was)
{
	struct fail why;
	unsigned i;
	bool ok = true;

	mem_use(disk);
	for (i = 0; i < 4; i++) {
		(void)do_job(s, T0 + (100 + i) * HOUR, was->has, RECORDS_MAX);
		ok = CHECK(store_commit(s, LATER, &why) == 0) && ok;
	}
	return check_results(s, 1, store_head_seq(s)) && ok;
}

/* The store on this state; if killed, after which not the power failed, but
 * the process ended, so that nothing was lost, nor is certain. */
static bool
check_open(bool killed)
{
	static struct found was;
	struct store *s;
	bool ok;

	crash_build(&pt.c, before);
	mem_copy(disk, before);
	s = open_on(disk, pt.budget);
	if (s == NULL)
		return false;
	read_start(s);
	was = found;
	ok = check_found(s, pt.life, pt.oldest);
	ok = check_results(s, pt.oldest_result, found.seq) && ok;
	if (killed)
		crash_copy(&after, &pt.c);
	else
		crash_begin(&after, before);
	feed_from(&after, disk, 0);
	crash_all(&after, (struct mem_part){ MEM_LOST, 0 });
	if (after.opens > 0)
		ok = check_after(&was) && ok;
	ok = check_goes_on(s, &was) && ok;
	ok = (!pt.jobs || check_jobs(s, &was)) && ok;
	kill_on(disk, s);
	return ok;
}

#ifdef __SANITIZE_ADDRESS__
#define EACH	9			/* memory is slow: some of them */
#else
#define EACH	1
#endif

static void
check_state(bool killed)
{
	static unsigned told;

	if (states++ % EACH != 0)
		return;
	if (check_open(killed) || told++ > 4)
		return;
	printf("    seed %llu: %s, after %u operations%s:\n",
	    (unsigned long long)first_seed, pt.name, pt.at,
	    killed ? ", the process killed" : "");
	crash_print(&pt.c);
	printf("    %u damages: %s\n", found.damages, found.text);
}

/* Every subset of m others, or, if they are many, some. */
static void
check_subsets(unsigned m)
{
	static const struct mem_part part[] = { { MEM_LOST, 0 },
	    { MEM_DONE, 0 } };
	struct crash *c = &pt.c;
	unsigned i, k;

	for (k = 0; m <= 5 && k < 1u << m; k++) {
		for (i = 0; i < m; i++)
			c->part[c->open[i]] = part[k >> i & 1];
		check_state(false);
	}
	for (k = 0; m > 5 && k < 2 * m + 2; k++) {
		/* None; all; each alone; all but one. */
		if (k > 1 && m > 8 && times < 2 && any(m) > 4)
			continue;
		for (i = 0; i < m; i++)
			c->part[c->open[i]] = part[k < 2 ? k :
			    (k % 2 == 0) == (i == k / 2 - 1)];
		check_state(false);
	}
}

static void
check_random(unsigned m, unsigned n)
{
	unsigned i;

	while (n-- > 0) {
		for (i = 0; i < m; i++)
			crash_any(&pt.c, pt.c.open[i]);
		check_state(false);
	}
}

/* The newest, a write, torn there: the others are all done, or any are. */
static void
check_torn_at(unsigned m, size_t n)
{
	struct crash *c = &pt.c;
	unsigned i, how;

	for (how = n > 0 ? MEM_CUT : MEM_ZEROS; how <= MEM_JUNK; how++) {
		crash_all(c, (struct mem_part){ MEM_DONE, 0 });
		for (i = any(2) * m; i < m; i++)
			crash_any(c, c->open[i]);
		c->part[c->open[m]] = (struct mem_part){ how, n };
		check_state(false);
	}
}

/* Short ones at each byte, or at some, others at sectors. */
static void
check_torn(unsigned m)
{
	const struct mem_op *op = &pt.c.op[pt.c.open[m]];
	size_t n, at = (size_t)op->at;
	size_t step = times > 1 || op->n < 16 ? 1 : op->n / 4;

	if (op->n > 512)
		step = op->n > 512 * 16 && times < 2 ? 512 * 11 : 512;
	for (n = 0; n < op->n; n += step - (n == 0 ? at % step : 0))
		check_torn_at(m, n);
}

/* The states that are new after this operation. */
static void
check_point(const struct mem_op *op)
{
	struct crash *c = &pt.c;
	unsigned m;

	if (op->kind == MEM_SYNC || op->kind == MEM_SYNC_FAILED)
		return;
	points++;
	crash_all(c, (struct mem_part){ MEM_DONE, 0 });
	check_state(true);
	m = c->opens - (op->kind != MEM_NOTE);
	check_subsets(m);
	if (m > 0)
		check_random(c->opens, 4 * times);
	if (op->kind == MEM_WRITE)
		check_torn(m);
}

/* From what is certain in base, through what was recorded since. */
static void
check_points(const struct workload *x, struct memfs *base)
{
	unsigned i;

	pt.name = x->name;
	pt.budget = x->budget;
	pt.jobs = x->jobs;
	pt.life = &lives[0];
	mem_copy(view, base);
	crash_begin(&pt.c, base);
	for (i = 0; i < run->ops; i++) {
		mem_apply(view, &run->op[i], (struct mem_part){ MEM_DONE, 0 });
		crash_feed(&pt.c, &run->op[i]);
		crash_fold(&pt.c);
		if (run->op[i].kind == MEM_NOTE)
			pt.life = &lives[run->op[i].at];
		pt.at = i + 1;
		pt.oldest = oldest_report(view, pt.life);
		pt.oldest_result = x->whole ? 1 : pt.oldest;
		check_point(&run->op[i]);
	}
}

/* The disk itself: what its calls say, and what is left of them. */

static size_t
size_of(const struct memfs *m, const char *path)
{
	int node = mem_find(m, path);

	return node < 0 ? SIZE_MAX : m->node[node].size;
}

static void
test_calls(void)
{
	const struct store_io *io = &mem_io;
	struct stat st;
	char p[8] = "";
	int d, f;

	run->blocks_max = 1;
	CHECK(io->mkdirat(AT_FDCWD, "d", 0700) == 0);
	CHECK(io->mkdirat(AT_FDCWD, "d", 0700) == -1 && errno == EEXIST);
	d = io->openat(AT_FDCWD, "d", O_RDONLY | O_DIRECTORY, 0);
	CHECK(io->openat(d, "a", O_RDWR, 0) == -1 && errno == ENOENT);
	f = io->openat(d, "a", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(io->openat(d, "a", O_RDWR | O_CREAT | O_EXCL, 0600) == -1);
	CHECK(errno == EEXIST && io->lock(f) == 0 && io->lock(f) == -1);
	CHECK(io->pwrite(f, "abcd", 4, 8190) == 2);	/* a block was left */
	run->blocks_max = 2;
	CHECK(io->pwrite(f, "e", 1, 8192) == 1);
	CHECK(io->pwrite(f, "f", 1, 0) == -1 && errno == ENOSPC);
	CHECK(io->fstat(f, &st) == 0 && st.st_size == 8193);
	CHECK(st.st_blocks == 16 && S_ISREG(st.st_mode));
	CHECK(io->pread(f, p, 8, 8189) == 4 && memcmp(p, "\0abe", 4) == 0);
	CHECK(io->ftruncate(f, 8191) == 0 && io->pwrite(f, "f", 1, 0) == 1);
	CHECK(io->renameat(d, "a", d, "b") == 0);
	CHECK(io->unlinkat(d, "a", 0) == -1 && errno == ENOENT);
	CHECK(io->unlinkat(d, "../d/b", 0) == 0 && run->blocks == 2);
	CHECK(io->close(f) == 0 && run->blocks == 0 && io->close(d) == 0);
}

/* Lose all that may be lost. */
static void
test_lost(void)
{
	static const struct mem_part lost = { MEM_LOST, 0 };
	const struct store_io *io = &mem_io;
	int d = io->openat(AT_FDCWD, "/", O_RDONLY, 0), a, b;
	struct crash *c = &pt.c;

	a = io->openat(d, "a", O_RDWR | O_CREAT, 0600);
	io->pwrite(a, "1", 1, 0);
	io->fdatasync(a);
	io->fsync(d);			/* the name; then what is in it */
	io->pwrite(a, "2", 1, 1);
	b = io->openat(d, "b", O_RDWR | O_CREAT, 0600);
	io->pwrite(b, "12", 2, 0);
	mem_fault(run, 's', 1, EIO);
	CHECK(io->fdatasync(b) == -1 && io->fdatasync(b) == 0);
	io->fsync(d);
	io->pwrite(b, "3", 1, 2);
	io->fdatasync(b);
	io->renameat(d, "a", d, "c");
	mem_copy(before, view);
	crash_begin(c, before);
	feed_from(c, run, 0);
	crash_all(c, lost);
	CHECK(c->opens == 3);
	crash_build(c, disk);
	CHECK(size_of(disk, "a") == 1 && size_of(disk, "c") == SIZE_MAX);
	CHECK(size_of(disk, "b") == 3);
	CHECK(disk->node[mem_find(disk, "b")].p[0] == '\0');
	c->part[c->open[1]] = (struct mem_part){ MEM_CUT, 1 };
	c->part[c->open[2]] = (struct mem_part){ MEM_BOTH, 0 };
	crash_build(c, disk);
	CHECK(size_of(disk, "a") == 1 && size_of(disk, "c") == 1);
	CHECK(disk->node[mem_find(disk, "b")].p[0] == '1');
	CHECK(disk->node[mem_find(disk, "b")].p[1] == '\0');
}

static void
test_disk(void)
{
	mem_use(run);
	test_calls();
	mem_copy(run, view);
	test_lost();
}

static void
test_workloads(const struct workload *x, unsigned n)
{
	struct memfs *base = mem_new();
	unsigned long was;

	for (; n > 0; n--, x++) {
		was = states;
		mem_free(run);
		run = mem_new();
		mem_free(base);
		base = mem_new();
		/* It is large, and of no interest where there is room. */
		mem_refused = strcmp(x->name, "disk full") == 0 ? NULL :
		    "reserve";
		work_begin(x->budget);
		work_steps(x);
		kill_on(run, w.s);
		check_points(x, base);
		printf("%s: %u operations, %lu states\n", x->name, run->ops,
		    states - was);
	}
	mem_free(base);
}

/* Lives one after the other, each from a state that a crash in the one
 * before left, with steps and failing calls at random. */

static void
random_step(void)
{
	static const char letters[] = "wwwssSotuf";
	/* A directory's sync that fails at a start cannot be made good. */
	static const char start[] = "sotuwfrl";
	unsigned k = any(16);

	if (k < 2)
		work_snapshot(any(4) == 0, 0);
	else if (k >= 9 && k < 12)
		work_later(2 + any(50), 1 + any(3));
	else if (k == 12)
		work_merge(any(3) == 0, 0);
	else if (k == 2)
		work_kill(0, 0);
	else if (k == 3)
		work_full(any(6), 0);
	else if (k == 4)
		work_wanted(0, 0);
	else if (k < 8)
		work_fault((unsigned char)letters[any(10)], 1 + any(3));
	else if (k == 8)
		work_die(0, 1 + any(12));
	work_commit(any(1 + 8 * (k == 15)), any(4));
	if (run->dead && any(2) == 0)
		work_bad_start((unsigned char)start[any(8)], 1 + any(6));
	else if (run->dead)
		work_kill(0, 0);
}

/* Let the power fail somewhere in it: base is what is left. */
static void
random_crash(struct memfs *base)
{
	static const unsigned char how[] = { MEM_LOST, MEM_DONE, MEM_CUT };
	struct crash *c = &pt.c;
	unsigned i, stop = any(run->ops + 1), kind = any(4);

	mem_copy(view, base);
	crash_begin(c, view);
	pt.life = &lives[0];
	for (i = 0; i < stop; i++) {
		crash_feed(c, &run->op[i]);
		if (run->op[i].kind == MEM_NOTE)
			pt.life = &lives[run->op[i].at];
	}
	crash_all(c, (struct mem_part){ how[kind % 2], 0 });
	for (i = 0; i < c->opens && kind > 1; i++)
		crash_any(c, c->open[i]);
	crash_build(c, disk);
	mem_copy(base, disk);
	w.life = *pt.life;
}

static void
test_chain(uint64_t budget)
{
	struct memfs *base = mem_new();
	int bad = test_bad;
	uint64_t was = seed;
	unsigned i, k;

	memset(&w, 0, sizeof w);
	w.budget = budget;
	for (i = 0; i < 6 && test_bad == bad; i++, chains++) {
		mem_copy(run, base);
		noted = 0;
		note();
		work_open(0, 0);
		for (k = 2 + any(12); k > 0 && w.s != NULL; k--)
			random_step();
		if (w.s == NULL)
			break;
		kill_on(run, w.s);
		random_crash(base);
	}
	if (test_bad != bad)
		printf("    chain of seed %llu (this one: %llu): life %u, "
		    "budget %llu\n", (unsigned long long)first_seed,
		    (unsigned long long)was, i, (unsigned long long)budget);
	mem_free(base);
}

static void
test_chains(void)
{
	unsigned i;

	for (i = 0; i < (400 * times + 50) / EACH; i++)
		test_chain(any(3) == 0 ? 160 << 10 : 0);
}

int
main(void)
{
	const char *p = getenv("STATES");

	if (p != NULL)
		times = (unsigned)strtoul(p, NULL, 10);
	p = getenv("SEED");
	if (p != NULL && (seed = strtoul(p, NULL, 10)) == 0)
		seed = 1;
	first_seed = seed;
	run = mem_new();
	view = mem_new();
	before = mem_new();
	disk = mem_new();
	again = mem_new();
	test_disk();
	test_workloads(workloads, COUNT(workloads));
	test_workloads(sealing, COUNT(sealing));
	test_chains();
	printf("%lu states after %lu points, %lu lives\n", states, points,
	    chains);
	mem_free(run);
	mem_free(view);
	mem_free(before);
	mem_free(disk);
	mem_free(again);
	return test_end();
}
