/* loop_posix.c: see loop.h; by poll(2), with a table indexed by fd. */
#include <poll.h>
#include <time.h>

#include "loop.h"

static struct {
	struct pollfd p[LOOP_FDS_MAX];	/* fd is -1 where none is watched */
	uint64_t tag[LOOP_FDS_MAX];
	int n;				/* entries from here on are unused */
	int last;			/* the last one looked at */
} watch;

int
loop_open(struct fail *why)
{
	(void)why;
	return 0;
}

int
loop_set(int fd, unsigned want, uint64_t tag, struct fail *why)
{
	if (fd < 0 || fd >= LOOP_FDS_MAX)
		return fail(why, "descriptor %d: over %d", fd,
		    LOOP_FDS_MAX - 1);
	while (watch.n <= fd)
		watch.p[watch.n++].fd = -1;
	watch.p[fd] = (struct pollfd){ .fd = fd, .events = (short)((want &
	    LOOP_IN ? POLLIN : 0) | (want & LOOP_OUT ? POLLOUT : 0)) };
	watch.tag[fd] = tag;
	return 0;
}

void
loop_del(int fd)
{
	if (fd < 0 || fd >= watch.n)
		return;
	watch.p[fd].fd = -1;
	while (watch.n > 0 && watch.p[watch.n - 1].fd == -1)
		watch.n--;
}

int
loop_wait(int timeout_ms, struct loop_event *ev, struct fail *why)
{
	int n = 0, ready = poll(watch.p, (nfds_t)watch.n, timeout_ms), r;

	if (ready == -1)
		return errno == EINTR ? 0 : fail_errno(why, "poll");
	/* Begin behind the last one told, so that none starves. */
	while (n < ready && n < LOOP_EVENTS_MAX) {
		watch.last = (watch.last + 1) % watch.n;
		r = watch.p[watch.last].revents;
		if (r == 0)
			continue;
		ev[n].tag = watch.tag[watch.last];
		ev[n++].what = (r & POLLIN ? LOOP_IN : 0) |
		    (r & POLLOUT ? LOOP_OUT : 0) |
		    (r & (POLLHUP | POLLERR | POLLNVAL) ? LOOP_HUP : 0);
	}
	return n;
}

int64_t
loop_mono_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
