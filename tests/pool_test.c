#include <stdint.h>
#include <string.h>

#include "../pool.h"
#include "test.h"

static void
test_bound(void)
{
	struct pool p = { 0, 100 };
	char *a, *b, *m;

	CHECK(pool_get(&p, 101) == NULL && p.used == 0);
	CHECK(pool_get(&p, SIZE_MAX) == NULL && p.used == 0);
	CHECK(pool_get(&p, 0) == NULL && p.used == 0);
	a = pool_get(&p, 60);
	CHECK(a != NULL && p.used == 60);
	CHECK(pool_get(&p, 41) == NULL && p.used == 60);
	b = pool_get(&p, 40);
	CHECK(b != NULL && p.used == 100);
	CHECK(pool_get(&p, 1) == NULL && p.used == 100);
	if (a == NULL || b == NULL)
		return;
	memset(a, 'a', 60);		/* ASan sees that it is ours */
	memset(b, 'b', 40);
	CHECK(pool_grow(&p, a, 60, 61) == NULL && p.used == 100);
	CHECK(pool_grow(&p, a, 60, SIZE_MAX) == NULL && p.used == 100);
	CHECK(a[0] == 'a' && a[59] == 'a');	/* still its owner's */
	m = pool_grow(&p, a, 60, 10);
	CHECK(m != NULL && p.used == 50);
	if (m == NULL)
		return;
	CHECK(m[0] == 'a' && m[9] == 'a');
	a = m;
	m = pool_grow(&p, b, 40, 90);
	CHECK(m != NULL && p.used == 100);
	if (m == NULL)
		return;
	CHECK(m[0] == 'b' && m[39] == 'b');
	m[89] = 'b';
	pool_put(&p, m, 90);
	CHECK(p.used == 10);
	pool_put(&p, NULL, 0);
	CHECK(p.used == 10);
	pool_put(&p, a, 10);
	CHECK(p.used == 0);
}

/* A cap that comes down below what is out. */
static void
test_cap(void)
{
	struct pool p = { 0, 100 };
	char *a = pool_get(&p, 80), *m;

	p.cap = 50;
	CHECK(a != NULL && pool_get(&p, 1) == NULL);
	if (a == NULL)
		return;
	CHECK(pool_grow(&p, a, 80, 81) == NULL);
	m = pool_grow(&p, a, 80, 70);		/* less is always allowed */
	CHECK(m != NULL && p.used == 70);
	if (m == NULL)
		return;
	a = m;
	CHECK(pool_grow(&p, a, 70, 71) == NULL);
	pool_put(&p, a, 70);
	CHECK(p.used == 0);
	a = pool_grow(&p, NULL, 0, 50);
	CHECK(a != NULL && p.used == 50);
	pool_put(&p, a, 50);
}

int
main(void)
{
	test_bound();
	test_cap();
	return test_end();
}
