/* loop_linux.c: see loop.h; by epoll(7), which costs nothing per idle fd. */
#include <sys/epoll.h>
#include <time.h>

#include "loop.h"

static int ep = -1;

int
loop_open(struct fail *why)
{
	ep = epoll_create1(EPOLL_CLOEXEC);
	return ep == -1 ? fail_errno(why, "epoll_create1") : 0;
}

int
loop_set(int fd, unsigned want, uint64_t tag, struct fail *why)
{
	struct epoll_event e = { .data.u64 = tag, .events = (want & LOOP_IN ?
	    EPOLLIN : 0) | (want & LOOP_OUT ? EPOLLOUT : 0) };

	if (epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) == 0 ||
	    (errno == ENOENT && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0))
		return 0;
	return fail_errno(why, "epoll_ctl");
}

void
loop_del(int fd)
{
	/* Not watched is what was wanted. */
	(void)epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
}

int
loop_wait(int timeout_ms, struct loop_event *ev, struct fail *why)
{
	struct epoll_event e[LOOP_EVENTS_MAX];
	int i, n = epoll_wait(ep, e, LOOP_EVENTS_MAX, timeout_ms);

	if (n == -1)
		return errno == EINTR ? 0 : fail_errno(why, "epoll_wait");
	for (i = 0; i < n; i++) {
		ev[i].tag = e[i].data.u64;
		ev[i].what = (e[i].events & EPOLLIN ? LOOP_IN : 0) |
		    (e[i].events & EPOLLOUT ? LOOP_OUT : 0) |
		    (e[i].events & (EPOLLHUP | EPOLLERR) ? LOOP_HUP : 0);
	}
	return n;
}

int64_t
loop_mono_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
