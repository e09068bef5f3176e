/* What is known of processes, over a /proc of our own and a made-up loop. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static long test_syscall(long number, ...);
#define syscall test_syscall
#include "../proc_watch_linux.c"
#undef syscall


#include "test.h"

#define N	8		/* queries */

static char root[] = "/tmp/vilicus-proc-XXXXXX";
static int64_t mono_ms = 1000;
static int watched;		/* descriptors that the loop has */
static uint64_t tag_of[4096];	/* of each */
static int no_pidfd;		/* an errno */
static bool no_turn = true;	/* none but new ones are looked at */
static unsigned scans;		/* whole ones */
static struct proc_query q[N];
static struct fail why;

int64_t
loop_mono_ms(void)
{
	return mono_ms;
}

int
loop_set(int fd, unsigned want, uint64_t tag, struct fail *w)
{
	(void)want, (void)w;
	CHECK(fd < 4096);
	tag_of[fd] = tag;
	watched++;
	return 0;
}

void
loop_del(int fd)
{
	(void)fd;
	watched--;
}

/* The real one has but a pidfd of somebody else, or of nobody. */
static long
test_syscall(long number, ...)
{
	va_list ap;
	void *p;
	size_t n;
	int fd;

	if (number == PIDFD_OPEN) {
		errno = no_pidfd;
		return no_pidfd != 0 ? -1 : dup(0);
	}
	va_start(ap, number);
	fd = va_arg(ap, int);
	p = va_arg(ap, void *);
	n = va_arg(ap, size_t);
	va_end(ap);
	scans += n == PROC_DENTS && lseek(fd, 0, SEEK_CUR) == 0;
	return n == DIRENT_ROOM && no_turn ? 0 : syscall(number, fd, p, n);
}

static void
put(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd != -1 && write(fd, text, strlen(text)) ==
	    (ssize_t)strlen(text));
	close(fd);
}

/* The newest id. */
static void
newest(int pid)
{
	char text[64];

	snprintf(text, sizeof text, "0.00 0.01 0.05 1/123 %d\n", pid);
	put("loadavg", text);
}

static void
put_process(int pid, const char *comm, char state, int start, int signal)
{
	char text[256];

	snprintf(text, sizeof text, "%s/%d", root, pid);
	mkdir(text, 0700);
	snprintf(text, sizeof text, "%d (%s) %c 1 1 1 0 -1 0 0 0 0 0 7 0 0 0 "
	    "20 0 1 0 %d 0 2 9 9 9 9 9 9 9 9 9 9 9 9 9 %d 0 0\n", pid, comm,
	    state, start, signal);
	snprintf(text + 200, 50, "%d/stat", pid);
	put(text + 200, text);
}

static void
process(int pid, const char *comm)
{
	put_process(pid, comm, 'S', pid, 17);
}

static void
gone(int pid)
{
	static const char *const file[] = { "/stat", "/cmdline", "" };
	char path[128];

	for (size_t i = 0; i < COUNT(file); i++) {
		snprintf(path, sizeof path, "%s/%d%s", root, pid, file[i]);
		(void)remove(path);
	}
}

/* A look, a second later: how many are there of the first query? */
static uint64_t
count(void)
{
	mono_ms += 1000;
	CHECK(proc_look(q, N, &why) == 0);
	return q[0].count;
}

static void
test_new(void)
{
	unsigned was;
	int i;

	process(1, "init");
	process(10, "a");
	process(11, "b");
	newest(11);
	CHECK(count() == 1 && watched == 1 && q[0].came == 1);
	CHECK(count() == 1);		/* all are looked at twice */
	was = scans;
	CHECK(count() == 1 && scans == was);
	process(12, "a");		/* nobody says so */
	CHECK(count() == 1);
	newest(12);
	CHECK(count() == 2 && watched == 2 && q[0].came == 2);
	process(13, "sh");		/* it is to become one of them */
	process(14, "sh");
	put_process(15, "a", 'S', 15, -1);	/* but a thread */
	put_process(16, "a", 'Z', 16, 17);
	newest(16);
	CHECK(count() == 2);
	process(13, "a");
	CHECK(count() == 3 && q[0].gone == 0);
	CHECK(count() == 3);
	process(14, "a");		/* too late, so by and by */
	CHECK(count() == 3 && scans == was);
	no_turn = false;
	for (i = 0; i < 20 && count() == 3; i++)
		;
	CHECK(q[0].count == 4 && scans == was);
	no_turn = true;
	q[0].came = 0;
}

/* It is another one's id, name, or nobody's; each way it went. */
static void
test_gone(void)
{
	unsigned was = scans;

	put_process(12, "a", 'S', 99, 17);
	CHECK(count() == 3 && q[0].gone == 1 && watched == 3);
	newest(12);			/* went round: all are looked at */
	CHECK(count() == 4 && scans == was + 1 && q[0].came == 1);
	process(14, "z");
	CHECK(count() == 3 && q[0].gone == 2);
	put_process(13, "a", 'Z', 13, 17);
	CHECK(count() == 2 && q[0].gone == 3);
	gone(12);
	CHECK(count() == 1 && q[0].gone == 4 && watched == 1);
	newest(16);
	CHECK(count() == 1);
	/* Of too few there is no doubt. */
	q[0].least = 2;
	CHECK(count() == 1);
	process(14, "a");
	was = scans;
	CHECK(count() == 2 && scans == was + 1);
	CHECK(count() == 2 && scans == was + 1);
	q[0].least = 0;
	newest(16 + PROC_NEW_MAX + 1);	/* more than are tried */
	CHECK(count() == 2 && scans == was + 2);
	put("loadavg", "?\n");		/* nobody knows */
	CHECK(count() == 2 && scans == was + 3);
	newest(16);
	(void)count();
	(void)count();
}

static void
test_death(void)
{
	uint64_t tag = tag_of[member[0].fd];
	unsigned was;

	CHECK(tag == PROC_TAG && watched == 2);
	was = scans;
	CHECK(proc_died(q, tag) == 0 && watched == 1 && q[0].count == 1);
	CHECK(proc_died(q, tag) == SIZE_MAX && watched == 1);
	CHECK(proc_died(q, PROC_TAG + PROC_KNOWN_MAX) == SIZE_MAX);
	gone(10);
	CHECK(count() == 1 && scans == was && watched == 1);
	no_pidfd = EMFILE;
	process(17, "a");
	newest(17);
	CHECK(count() == 2 && watched == 1 && proc_polls() == NULL);
	no_pidfd = 0;			/* as soon as there can be one */
	CHECK(count() == 2 && watched == 2);
	proc_forget(q, 0);
	CHECK(watched == 0 && held == 0 && members == 0 && !q[0].on);
}

/* As many are held as may be; and known. */
static void
test_many(void)
{
	int i, many = PROC_KNOWN_MAX + 50;

	q[0] = (struct proc_query){ .on = true, .due = true,
	    .name = STR("a") };
	q[1] = (struct proc_query){ .on = true, .due = true, .least = 80,
	    .name = STR("c") };
	for (i = 100; i < 190; i++)
		process(i, "c");
	newest(190);
	CHECK(count() == 2 && q[1].count == 90 && q[1].held == 80);
	q[1].least = 0;
	for (i = 100; i < 170; i++)
		process(i, "a");
	CHECK(count() == 72 && q[1].count == 20 && q[0].held == PROC_HELD);
	for (i = 200; i < 200 + many; i++)
		process(i, "a");
	CHECK(count() == 72);
	newest(200 + many);
	CHECK(count() == 72 + (uint64_t)many && q[0].over);
	gone(210);
	CHECK(count() == 71 + (uint64_t)many && q[1].count == 20);
	for (i = 100; i < 200 + many; i++)
		gone(i);
	CHECK(count() == 2 && q[1].count == 0 && !q[0].over);
	CHECK(count() == 2 && members <= PROC_KNOWN_MAX);
	proc_forget(q, 1);
	CHECK(watched == 2);
}

static bool
match_x(char *cmdline)
{
	return strstr(cmdline, "x -v") != NULL;
}

static void
test_pattern(void)
{
	static struct proc_query copy[N];
	char text[256];
	struct buf b = BUF(text);
	uint32_t from = 0;

	put("17/cmdline", "/bin/x");
	put("14/cmdline", "x -w");
	process(30, "r");
	put("30/cmdline", "");
	process(31, "r");
	put("31/cmdline", "r");
	newest(31);
	proc_forget(q, 0);
	q[2] = (struct proc_query){ .on = true, .due = true,
	    .by_pattern = true };
	CHECK(count() == 0 && q[2].count == 0 && members == 0);
	/* As a child does it. */
	memcpy(copy, q, sizeof copy);
	CHECK(proc_seek(copy, 2, &from, match_x, &b, &why) == 0 && b.n == 0);
	CHECK(proc_open(root, &why) == 0);
	snprintf(text, sizeof text, "%s/31/cmdline", root);
	from = (uint32_t)open(text, O_WRONLY);
	CHECK(write((int)from, "x\0-v\0\0", 6) == 6);
	close((int)from);
	from = 30;
	CHECK(proc_seek(copy, 2, &from, match_x, &b, &why) == 1 && from == 30);
	CHECK(str_is(str_from(&b), "31 31 "));
	matcher = NULL;
	polls = NULL;
	members = 0;
	memset(member, 0, sizeof member);
	/* And here. */
	proc_found(q, 2, STR("31 31 30 30 "));
	CHECK(members == 2 && watched == 2 && q[2].came == 2);
	proc_found(q, 2, STR("31 31 14 15 7"));	/* cut, and wrong */
	CHECK(watched == 2 && q[2].came == 3 && q[2].gone == 1);
	(void)count();
	CHECK(q[2].count == 1 && watched == 1 && q[2].gone == 2);
	put_process(31, "rr", 'S', 31, 17);
	CHECK(!q[2].moved);
	(void)count();
	CHECK(q[2].count == 1 && q[2].moved);
	proc_forget(q, 2);
	CHECK(watched == 0 && members == 0);
}

/* Processes come and go at random: whoever looks sees what there is. */
static void
test_random(void)
{
	static bool alive[400];
	uint64_t there = 0;
	unsigned was;
	int i, k, last = 50, step;

	for (i = 1; i < 60; i++)
		gone(i);
	process(1, "init");
	newest(last);
	q[0] = (struct proc_query){ .on = true, .due = true,
	    .name = STR("a") };
	srandom(7);
	was = scans;
	for (step = 0; step < 2000; step++) {
		for (k = (int)(random() % 4); k > 0; k--) {
			do
				last = last == 399 ? 50 : last + 1;
			while (alive[last]);
			process(last, random() % 2 ? "a" : "b");
			put_process(last, random() % 2 ? "a" : "b", 'S',
			    step * 4 + k, 17);
			alive[last] = true;
		}
		newest(last);
		for (i = 50; i < 400; i++)
			if (alive[i] && random() % 64 == 0) {
				gone(i);
				alive[i] = false;
			}
		for (there = 0, i = 50; i < 400; i++)
			there += alive[i] && find(0, (uint32_t)i) != NULL;
		CHECK_ROW(step, count() >= there);
	}
	was = scans - was;
	CHECK(was < 40);
	there = q[0].count;
	q[0].over = true;		/* look at all */
	CHECK(count() == there && scans > was && (int)there == watched);
	for (i = 1; i < 400; i++)
		gone(i);
	proc_forget(q, 0);
	CHECK(watched == 0 && held == 0);
}

int
main(void)
{
	char path[128], self[16];

	if (!CHECK(mkdtemp(root) != NULL))
		return test_end();
	put("stat", "cpu 1 1 1 1\n");
	newest(1);
	snprintf(path, sizeof path, "%s/self", root);
	snprintf(self, sizeof self, "%d", (int)getpid());
	CHECK(symlink(self, path) == 0);
	CHECK(proc_open(root, &why) == 0 && proc_newest() == 1);
	q[0] = (struct proc_query){ .on = true, .due = true,
	    .name = STR("a") };
	test_new();
	test_gone();
	test_death();
	test_many();
	test_pattern();
	test_random();
	remove(path);
	snprintf(path, sizeof path, "%s/stat", root);
	remove(path);
	snprintf(path, sizeof path, "%s/loadavg", root);
	remove(path);
	CHECK(rmdir(root) == 0);
	return test_end();
}
