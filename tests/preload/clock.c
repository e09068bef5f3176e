/*
 * clock.c: a preloaded library whose wall clock runs faster.  For tests only.
 *
 *	cc -shared -fPIC -o clock.so clock.c -ldl
 *	CLOCK_FROM=SECONDS CLOCK_TIMES=N LD_PRELOAD=./clock.so vilicus-server
 *
 * From that second since the epoch on, each second is N; time since the
 * machine's start goes as always.
 */
#define _GNU_SOURCE			/* RTLD_NEXT */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*next)(clockid_t, struct timespec *);
	static long long from, times;
	long long ms;
	int rc;

	if (next == NULL) {
		*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
		from = strtoll(getenv("CLOCK_FROM"), NULL, 10) * 1000;
		times = strtoll(getenv("CLOCK_TIMES"), NULL, 10);
	}
	rc = next(id, ts);
	if (rc != 0 || id != CLOCK_REALTIME)
		return rc;
	ms = ts->tv_sec * 1000LL + ts->tv_nsec / 1000000;
	ms = from + (ms - from) * times;
	ts->tv_sec = ms / 1000;
	ts->tv_nsec = ms % 1000 * 1000000;
	return 0;
}
