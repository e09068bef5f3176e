/* pool.c: see pool.h. */
#include <assert.h>
#include <stdlib.h>

#include "pool.h"

void *
pool_get(struct pool *p, size_t n)
{
	return n == 0 ? NULL : pool_grow(p, NULL, 0, n);
}

void *
pool_grow(struct pool *p, void *m, size_t was, size_t n)
{
	size_t others;
	void *r;

	assert(n > 0 && was <= p->used && (m == NULL) == (was == 0));
	others = p->used - was;
	if (n > was && (others > p->cap || n > p->cap - others))
		return NULL;
	r = realloc(m, n);
	if (r != NULL)
		p->used = others + n;
	return r;
}

void
pool_put(struct pool *p, void *m, size_t n)
{
	assert(n <= p->used && (m == NULL) == (n == 0));
	free(m);
	p->used -= n;
}
