/*
 * pool.h: memory for connections' buffers, counted, with a bound.
 *
 * A pool is two numbers over the heap: what is out, and how much may be.
 * It keeps no list: who takes n bytes gives n bytes back.  Zero bytes are
 * the null pointer, and cost nothing.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

struct pool {
	size_t used, cap;	/* bytes; cap may change at any time */
};

/* n bytes, not cleared.  NULL when cap would be passed or the heap has
 * none (and when n is 0).  pool_put ends it. */
void *pool_get(struct pool *p, size_t n);

/* Make m, which has was bytes (NULL and 0: none yet), n bytes long; n may
 * be less.  The new place, or NULL: then m is as it was, still was bytes
 * and still its owner's.  n is not 0. */
void *pool_grow(struct pool *p, void *m, size_t was, size_t n);

/* Give back m, which has n bytes.  NULL and 0 is nothing. */
void pool_put(struct pool *p, void *m, size_t n);

#endif
