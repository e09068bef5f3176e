/*
 * names.c: a preloaded library that knows one more name.  For tests only.
 *
 *	cc -shared -fPIC -o names.so names.c -ldl
 *	LD_PRELOAD=./names.so program
 *
 * "two.example" has the addresses ::1 and 127.0.0.1, in that order.
 */
#define _GNU_SOURCE			/* RTLD_NEXT */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **list)
{
	static int (*next)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	struct addrinfo *v4;
	int rc;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
	if (host == NULL || strcmp(host, "two.example") != 0)
		return next(host, port, hints, list);
	rc = next("127.0.0.1", port, hints, &v4);
	if (rc == 0)
		rc = next("::1", port, hints, list);
	if (rc == 0)
		(*list)->ai_next = v4;
	return rc;
}
