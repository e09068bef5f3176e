/*
 * faults.c: calls that fail now and then, for the tests of the agent: as a
 * library that LD_PRELOAD names, one in $TEST_FAULTS of open, openat, read,
 * pread, recv, send, socketpair, fork and epoll_ctl fails, with one of the
 * errors that it has, once /proc/self/comm was opened for the first time or
 * so; the numbers follow from the process's own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEXT(name)	static __typeof__(name) *next; \
	if (next == NULL) \
		*(void **)&next = dlsym(RTLD_NEXT, #name)

static uint32_t every, seed, calls;

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("TEST_FAULTS");

	every = text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
	seed = (uint32_t)getpid() | 1;
}

/* Is this one to fail?  The start is left alone. */
static int
fails(int a, int b)
{
	if (every == 0 || calls++ < 1000)
		return 0;
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	if (seed % every != 0)
		return 0;
	errno = seed / every % 2 ? a : b;
	return 1;
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;
	NEXT(open);

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return fails(EMFILE, ENOMEM) ? -1 : next(path, flags, mode);
}

int
openat(int fd, const char *path, int flags, ...)
{
	va_list ap;
	int mode;
	NEXT(openat);

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return fails(EMFILE, ENOENT) ? -1 : next(fd, path, flags, mode);
}

ssize_t
read(int fd, void *p, size_t n)
{
	NEXT(read);

	return fails(EIO, ESRCH) ? -1 : next(fd, p, n);
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	NEXT(pread);

	return fails(EIO, ENOMEM) ? -1 : next(fd, p, n, at);
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	NEXT(recv);

	return fails(ECONNRESET, EINTR) ? -1 : next(fd, p, n, flags);
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	NEXT(send);

	return fails(EPIPE, EAGAIN) ? -1 : next(fd, p, n, flags);
}

int
socketpair(int domain, int type, int protocol, int fd[2])
{
	NEXT(socketpair);

	return fails(EMFILE, ENFILE) ? -1 : next(domain, type, protocol, fd);
}

pid_t
fork(void)
{
	NEXT(fork);

	return fails(EAGAIN, ENOMEM) ? -1 : next();
}

int
epoll_ctl(int fd, int op, int other, struct epoll_event *e)
{
	NEXT(epoll_ctl);

	return op != EPOLL_CTL_DEL && fails(ENOMEM, ENOSPC) ? -1 :
	    next(fd, op, other, e);
}
