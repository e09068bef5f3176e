/*
 * hurry.c: stands in for time in the tests of the agent: as a library that
 * LD_PRELOAD names, all clocks are ahead by what it has hurried.  The file
 * $TEST_HURRY holds two int64_t of ms: so far it is to hurry, so far it is;
 * while the first is more, a wait in which nothing comes is over at once, and
 * time has passed as if it were not.  With TEST_1970 the wall clock began at 0.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS	1000000

static volatile int64_t none[2], *hurry = none;
static time_t began;		/* TEST_1970: the wall clock's 0 */

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("TEST_HURRY");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	struct timespec t;
	void *p;

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	began = getenv("TEST_1970") == NULL ? 0 : t.tv_sec;
	if (fd == -1)
		return;
	p = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		hurry = p;
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);
	int64_t ns = t->tv_nsec + hurry[1] % 1000 * MS;

	t->tv_sec += hurry[1] / 1000 + ns / (1000 * MS);
	t->tv_nsec = ns % (1000 * MS);
	if (id == CLOCK_REALTIME)
		t->tv_sec -= began;
	return rc;
}

int
epoll_wait(int fd, struct epoll_event *e, int max, int ms)
{
	const struct timespec moment = { 0, MS / 5 };
	int n;

	if (hurry[0] <= hurry[1])
		return (int)syscall(SYS_epoll_pwait, fd, e, max, ms, NULL, 8);
	/* A moment for what others do. */
	(void)syscall(SYS_nanosleep, &moment, NULL);
	n = (int)syscall(SYS_epoll_pwait, fd, e, max, 0, NULL, 8);
	if (n == 0)
		hurry[1] += ms < 0 ? 1000 : ms;
	return n;
}
