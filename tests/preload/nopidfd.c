/*
 * nopidfd.c: a preloaded library under which the kernel is one without
 * pidfds.  For tests only.
 *
 *	cc -shared -fPIC -o nopidfd.so nopidfd.c -ldl
 *	LD_PRELOAD=./nopidfd.so program
 */
#define _GNU_SOURCE			/* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

#define PIDFD_OPEN	434

long
syscall(long number, ...)
{
	static long (*next)(long, long, long, long, long, long, long);
	long arg[6];
	va_list ap;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (number == PIDFD_OPEN) {
		errno = ENOSYS;
		return -1;
	}
	return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
