/*
 * http_fuzz.c: any bytes through every reader of http.c.  The first byte
 * chooses which, the second where the rest is cut in two.  What must hold:
 * no access beyond the bytes, a verdict on a part is the verdict on the
 * whole, and what is taken borrows from what was given.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -o http_fuzz \
 *	    tests/fuzz/http_fuzz.c http.c str.c fail.c
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../http.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct fail why;

static bool
within(struct str in, struct str s)
{
	return s.n == 0 || s.n == 1 /* "/" or "*" */ ||
	    (s.p >= in.p && s.p + s.n <= in.p + in.n);
}

static enum http_rc
head(struct str in, bool of_answer, bool to_head, struct http_head *h,
    int *status)
{
	enum http_rc rc;
	unsigned i;

	*status = 0;
	rc = of_answer ? http_answer(in, to_head, h, &why) :
	    http_request(in, h, status, &why);
	if (rc != HTTP_DONE)
		return rc;
	assert(h->size <= in.n && h->size <= HTTP_HEAD_MAX);
	assert(!h->chunked || (h->length == -1 && h->minor == 1));
	assert(within(in, h->path) && within(in, h->query) &&
	    within(in, h->host));
	for (i = 0; i < h->fields; i++)
		assert(h->field[i].name.n > 0 && within(in, h->field[i].name) &&
		    within(in, h->field[i].value));
	return rc;
}

static void
heads(struct str in, size_t cut, bool of_answer, bool to_head)
{
	static struct http_head a, b;
	int part_status, status;
	struct str part = { in.p, cut };
	enum http_rc was, rc;

	was = head(part, of_answer, to_head, &a, &part_status);
	rc = head(in, of_answer, to_head, &b, &status);
	assert(was == HTTP_MORE || (was == rc && part_status == status));
	assert(was != HTTP_DONE || (a.size == b.size &&
	    a.length == b.length && a.fields == b.fields));
	assert(of_answer || (rc == HTTP_BAD) == (status >= 400));
}

/* Decode in into out, given in two parts.  The bytes used. */
static size_t
decode(struct str in, size_t cut, struct buf *out, enum http_rc *rc)
{
	static const struct http_head h = { .chunked = true, .length = -1 };
	struct http_body b;
	struct buf part = { out->p, cut, out->cap, false };
	size_t at = 0, got, behind;

	assert(in.n <= out->cap);
	http_body_init(&b, &h, false);
	do {
		memcpy(part.p, in.p + at, part.n);
		at += part.n;
		*rc = http_body(&b, &part, &got, &why);
		assert(got <= part.n && (*rc != HTTP_MORE || got == part.n));
		out->n += got;
		behind = part.n - got;
		part = (struct buf){ part.p + got, in.n - at,
		    part.cap - got, false };
	} while (*rc == HTTP_MORE && at < in.n);
	return at - behind;
}

static void
bodies(struct str in, size_t cut)
{
	static char p[1 << 16], q[1 << 16];
	struct buf a, b;
	enum http_rc rc_a, rc_b;
	size_t used_a, used_b;

	buf_init(&a, p, sizeof p);
	buf_init(&b, q, sizeof q);
	used_a = decode(in, in.n, &a, &rc_a);
	used_b = decode(in, cut, &b, &rc_b);
	assert(rc_a == rc_b);
	assert(rc_a == HTTP_BAD || (used_a == used_b &&
	    str_eq(str_from(&a), str_from(&b))));
}

static void
texts(struct str in)
{
	static char p[1 << 16], q[1 << 18];
	struct str rest = in, name, value;
	struct http_url u;
	struct buf b;

	while (http_query(&rest, &name, &value) == 0)
		assert(name.n + value.n <= in.n);
	if (http_unescape(in, true, p, sizeof p) == 0) {
		assert(strlen(p) <= in.n);
		buf_init(&b, q, sizeof q);
		http_escape(&b, str_of(p));
		assert(b.full || http_unescape(str_from(&b), false, p,
		    sizeof p) == 0);
	}
	if (http_url(in, &u, &why) == 0)
		assert(u.host.n > 0 && u.port.n > 0 && u.path.p[0] == '/');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in;
	size_t cut;

	if (n < 2)
		return 0;
	in = (struct str){ (const char *)p + 2, n - 2 };
	cut = in.n * p[1] / 255;
	switch (p[0] % 5) {
	case 0:
		heads(in, cut, false, false);
		break;
	case 1:
		heads(in, cut, true, false);
		break;
	case 2:
		heads(in, cut, true, true);
		break;
	case 3:
		bodies(in, cut);
		break;
	default:
		texts(in);
	}
	return 0;
}
