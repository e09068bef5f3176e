/* loop_test.c: both loops hold to one contract, whichever make chose. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../loop.h"
#include "test.h"

/* loop_posix.c again, under other names. */
int poll_open(struct fail *);
int poll_set(int, unsigned, uint64_t, struct fail *);
void poll_del(int);
int poll_wait(int, struct loop_event *, struct fail *);
int64_t poll_mono_ms(void);
#define loop_open poll_open
#define loop_set poll_set
#define loop_del poll_del
#define loop_wait poll_wait
#define loop_mono_ms poll_mono_ms
#include "../loop_posix.c"
#undef loop_open
#undef loop_set
#undef loop_del
#undef loop_wait
#undef loop_mono_ms

static const struct {
	int (*open)(struct fail *);
	int (*set)(int, unsigned, uint64_t, struct fail *);
	void (*del)(int);
	int (*wait)(int, struct loop_event *, struct fail *);
	int64_t (*mono_ms)(void);
} loops[] = {
	{ loop_open, loop_set, loop_del, loop_wait, loop_mono_ms },
	{ poll_open, poll_set, poll_del, poll_wait, poll_mono_ms },
};

static struct loop_event ev[LOOP_EVENTS_MAX];
static struct fail why;

#define TAG	UINT64_C(0xfedcba9876543210)

static void
test_events(size_t i)
{
	int p[2];
	char c;

	CHECK_ROW(i, socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 0);

	CHECK_ROW(i, loops[i].set(p[0], LOOP_IN, TAG, &why) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 0);
	CHECK_ROW(i, write(p[1], "x", 1) == 1);
	CHECK_ROW(i, loops[i].wait(-1, ev, &why) == 1);
	CHECK_ROW(i, ev[0].tag == TAG && ev[0].what == LOOP_IN);
	/* Level-triggered: it is told until it is read. */
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 1);

	CHECK_ROW(i, loops[i].set(p[0], LOOP_IN | LOOP_OUT, 7, &why) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 1);
	CHECK_ROW(i, ev[0].tag == 7 && ev[0].what == (LOOP_IN | LOOP_OUT));
	CHECK_ROW(i, loops[i].set(p[0], LOOP_OUT, 8, &why) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 1);
	CHECK_ROW(i, ev[0].tag == 8 && ev[0].what == LOOP_OUT);
	CHECK_ROW(i, loops[i].set(p[0], 0, 9, &why) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 0);

	CHECK_ROW(i, read(p[0], &c, 1) == 1 && c == 'x');
	CHECK_ROW(i, close(p[1]) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 1);
	CHECK_ROW(i, ev[0].tag == 9 && ev[0].what == LOOP_HUP);

	loops[i].del(p[0]);
	loops[i].del(p[0]);	/* harmless */
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 0);
	CHECK_ROW(i, close(p[0]) == 0);
	CHECK_ROW(i, loops[i].set(-1, LOOP_IN, 1, &why) == -1);
}

/* A number of one descriptor that is closed and given again is watched as
 * the new one. */
static void
test_reuse(size_t i)
{
	int p[2], q[2];

	CHECK_ROW(i, pipe(p) == 0);
	CHECK_ROW(i, loops[i].set(p[0], LOOP_IN, 1, &why) == 0);
	loops[i].del(p[0]);
	CHECK_ROW(i, close(p[0]) == 0 && close(p[1]) == 0);
	CHECK_ROW(i, pipe(q) == 0 && q[0] == p[0]);
	CHECK_ROW(i, write(q[1], "x", 1) == 1);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 0);
	CHECK_ROW(i, loops[i].set(q[0], LOOP_IN, 2, &why) == 0);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 1 && ev[0].tag == 2);
	loops[i].del(q[0]);
	CHECK_ROW(i, close(q[0]) == 0 && close(q[1]) == 0);
}

/* More ready than one wait tells: none of them starves. */
static void
test_many(size_t i)
{
	static int fd[LOOP_EVENTS_MAX + 20];
	static unsigned char seen[LOOP_EVENTS_MAX + 20];
	const int n = LOOP_EVENTS_MAX + 20;
	int p[2], k, got, all = 0, round;

	CHECK_ROW(i, pipe(p) == 0 && write(p[1], "x", 1) == 1);
	memset(seen, 0, sizeof seen);
	for (k = 0; k < n; k++) {
		fd[k] = dup(p[0]);
		CHECK_ROW(i, fd[k] != -1 && loops[i].set(fd[k], LOOP_IN,
		    (uint64_t)k, &why) == 0);
	}
	for (round = 0; round < 2; round++) {
		got = loops[i].wait(0, ev, &why);
		CHECK_ROW(i, got == LOOP_EVENTS_MAX);
		for (k = 0; k < got; k++)
			seen[ev[k].tag] = 1;
	}
	for (k = 0; k < n; k++) {
		all += seen[k];
		loops[i].del(fd[k]);
		CHECK_ROW(i, close(fd[k]) == 0);
	}
	CHECK_ROW(i, all == n);
	CHECK_ROW(i, loops[i].wait(0, ev, &why) == 0);
	CHECK_ROW(i, close(p[0]) == 0 && close(p[1]) == 0);
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* The time-out holds, and a signal ends a wait without an error. */
static void
test_time(size_t i)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval in_20_ms = { { 0, 0 }, { 0, 20000 } };
	int64_t then = loops[i].mono_ms(), now;

	CHECK_ROW(i, loops[i].wait(20, ev, &why) == 0);
	now = loops[i].mono_ms();
	CHECK_ROW(i, now - then >= 19 && now - then < 10000);
	CHECK_ROW(i, sigaction(SIGALRM, &act, NULL) == 0);
	CHECK_ROW(i, setitimer(ITIMER_REAL, &in_20_ms, NULL) == 0);
	CHECK_ROW(i, loops[i].wait(60000, ev, &why) == 0);
	CHECK_ROW(i, loops[i].mono_ms() - now < 30000);
}

/* Only poll's table has a limit of its own. */
static void
test_limit(void)
{
	CHECK(poll_set(LOOP_FDS_MAX - 1, 0, 1, &why) == 0);
	poll_del(LOOP_FDS_MAX - 1);
	CHECK(watch.n == 0);
	CHECK(poll_set(LOOP_FDS_MAX, 0, 1, &why) == -1);
	poll_del(LOOP_FDS_MAX);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof loops / sizeof loops[0]; i++) {
		CHECK_ROW(i, loops[i].open(&why) == 0);
		test_events(i);
		test_reuse(i);
		test_many(i);
		test_time(i);
	}
	test_limit();
	return test_end();
}
