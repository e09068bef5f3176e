/*
 * store_code.c: see store_impl.h; how numbers, texts and columns of numbers
 * become bytes and come back, and the frame around a record.
 *
 * One function both writes and reads: with c->writing it writes what is
 * given, and else what is given does not matter; each returns what then
 * stands there.  So neither can know a byte that the other does not.
 *
 * A column is n numbers that belong together.  It is coded as what a simple
 * predictor leaves of it, after their common divisor is taken out: zigzag,
 * then Rice codes whose parameter follows the mean of what went before, and
 * runs of zeros where that mean is small (after Rice 1979, and the run mode
 * of JPEG-LS, ITU-T T.87).  doc/format has it to the bit.
 */
#include <assert.h>
#include <string.h>
#include <zlib.h>

#include "store_impl.h"

#define UNARY_MAX	24		/* ones; then the number plain */
#define MEAN_SHIFT	4		/* the mean is kept in 16ths */
#define MEAN_FIRST	64
#define MEAN_MAX	(UINT64_C(1) << 56)
#define RUN_BELOW	32		/* a mean below it: runs */
#define RUN_MAX		40		/* its parameter, in quarters of a bit */
#define SMALL		(INT64_C(1) << 50)

enum predictor { SAME, MEAN, DELTA, DELTA2, LINE, TREND2, TREND4, PREDICTORS };

unsigned
store_code_byte(struct store_code *c, unsigned byte)
{
	if (c->writing) {
		buf_addc(&c->out, (char)byte);
		return byte;
	}
	if (c->in.n == 0) {
		c->bad = true;
		return 0;
	}
	c->in.n--;
	return (unsigned char)*c->in.p++;
}

uint64_t
store_code(struct store_code *c, uint64_t v)
{
	unsigned shift = 0, byte;
	uint64_t got = 0;

	do {
		byte = store_code_byte(c, (v & 127) | (v > 127 ? 128 : 0));
		got |= (uint64_t)(byte & 127) << shift;
		v >>= 7;
		shift += 7;
	} while (byte > 127 && shift <= 63);
	if (byte > 127 || (shift > 63 && byte > 1))
		c->bad = true;		/* longer than 64 bits */
	return got;
}

static uint64_t
zigzag(uint64_t d)
{
	return d >> 63 ? ~(d << 1) : d << 1;
}

static uint64_t
unzigzag(uint64_t u)
{
	return u & 1 ? ~(u >> 1) : u >> 1;
}

int64_t
store_code_signed(struct store_code *c, int64_t v, int64_t base)
{
	uint64_t u = store_code(c, zigzag((uint64_t)v - (uint64_t)base));

	return (int64_t)((uint64_t)base + unzigzag(u));
}

struct str
store_code_bytes(struct store_code *c, struct str s, size_t max)
{
	uint64_t n = store_code(c, s.n);

	if (n > max || (!c->writing && n > c->in.n)) {
		c->bad = true;
		n = 0;
	}
	if (c->writing) {
		buf_add(&c->out, s);
		return (struct str){ c->out.p + c->out.n - s.n, s.n };
	}
	s = (struct str){ c->in.p, (size_t)n };
	c->in = str_after(c->in, s.n);
	return s;
}

/* A name: its place among those of this record or strip, or 0 and the name. */
struct str
store_code_name(struct store_code *c, struct str name)
{
	uint64_t k = c->writing ? c->names : 0;

	while (k > 0 && !str_eq(c->name[k - 1], name))
		k--;
	k = store_code(c, k);
	if (k > 0 && k <= c->names)
		return c->name[k - 1];
	if (k > 0)
		c->bad = true;
	name = store_code_bytes(c, name, STORE_NAME_MAX);
	if (c->names < STORE_DICT_MAX)
		c->name[c->names++] = name;
	return name;
}

/* Columns. */

/* n bits, at most 32, the highest first. */
static uint64_t
bits(struct store_code *c, unsigned n, uint64_t v)
{
	if (c->writing) {
		c->bits = c->bits << n | v;
		for (c->have += n; c->have >= 8;) {
			c->have -= 8;
			buf_addc(&c->out, (char)(c->bits >> c->have & 255));
		}
		return v;
	}
	for (; c->have < n; c->have += 8)
		c->bits = c->bits << 8 | store_code_byte(c, 0);
	c->have -= n;
	return c->bits >> c->have & ((UINT64_C(1) << n) - 1);
}

/* Fill, or leave, the last byte. */
static void
bits_end(struct store_code *c)
{
	if (c->writing && c->have > 0)
		(void)bits(c, 8 - c->have, 0);
	c->have = 0;
}

uint64_t
store_code_fixed(struct store_code *c, uint64_t v)
{
	uint64_t high = bits(c, 32, v >> 32);

	return high << 32 | bits(c, 32, v & UINT32_MAX);
}

/* A number as v >> k ones, a zero, and its k lowest bits. */
static uint64_t
rice(struct store_code *c, unsigned k, uint64_t v)
{
	unsigned q = 0;
	uint64_t high;

	if (c->writing) {
		q = v >> k < UNARY_MAX ? (unsigned)(v >> k) : UNARY_MAX;
		(void)bits(c, q, (UINT64_C(1) << q) - 1);
		if (q < UNARY_MAX)
			(void)bits(c, 1, 0);
	} else {
		while (q < UNARY_MAX && bits(c, 1, 0) == 1)
			q++;
	}
	if (q == UNARY_MAX)
		return store_code_fixed(c, v);
	if (k > 32) {
		high = bits(c, k - 32, v >> 32 &
		    ((UINT64_C(1) << (k - 32)) - 1));
		return (uint64_t)q << k | high << 32 |
		    bits(c, 32, v & UINT32_MAX);
	}
	return (uint64_t)q << k | bits(c, k, v & ((UINT64_C(1) << k) - 1));
}

/* The zeros from u[i] on; the place after them. */
static unsigned
run(struct store_code *c, unsigned *param, uint64_t *u, unsigned i, unsigned n)
{
	unsigned zeros = 0, full, k;

	while (c->writing && i + zeros < n && u[i + zeros] == 0)
		zeros++;
	for (; i < n && !c->bad; i += full, zeros -= full) {
		k = *param / 4;
		full = 1u << k;
		if (full > n - i)
			full = n - i;
		if (bits(c, 1, zeros >= full) == 0) {
			zeros = (unsigned)bits(c, k, zeros);
			*param -= *param > 3 ? 3 : *param;
			if (zeros > n - i)
				c->bad = true;
			else if (!c->writing)
				memset(u + i, 0, zeros * sizeof *u);
			return c->bad ? n : i + zeros;
		}
		if (!c->writing) {
			memset(u + i, 0, full * sizeof *u);
			zeros = full;
		}
		*param += *param < RUN_MAX ? 2 : 0;
	}
	return n;
}

/* n numbers without sign, most of them small. */
static void
numbers(struct store_code *c, uint64_t *u, unsigned n)
{
	uint64_t mean = MEAN_FIRST, least, v;
	unsigned param = 0, i = 0, k, from;

	while (i < n && !c->bad) {
		least = mean < RUN_BELOW;
		if (least) {
			from = i;
			i = run(c, &param, u, i, n);
			for (; from < i && mean > 0; from++)
				mean -= (mean + 15) >> MEAN_SHIFT;
			if (i == n)
				break;
		}
		for (k = 0; UINT64_C(2) << k <= mean * 11 / 256; k++)
			;
		v = rice(c, k, u[i] - least) + least;
		u[i++] = v;
		mean += (v < MEAN_MAX ? v : MEAN_MAX) - (mean >> MEAN_SHIFT);
	}
	bits_end(c);
}

/* What comes next, after v[0] to v[i - 1]. */
struct guess {
	enum predictor kind;
	int64_t base;			/* MEAN: it; LINE: its last */
	unsigned n;
	uint64_t trend;			/* TREND: in 256ths */
};

static uint64_t
guess(const struct guess *g, const int64_t *v, unsigned i)
{
	uint64_t last = i > 0 ? (uint64_t)v[i - 1] : 0;

	switch (g->kind) {
	case MEAN:
		return (uint64_t)g->base;
	case DELTA:
		return last;
	case DELTA2:
		return i > 1 ? 2 * last - (uint64_t)v[i - 2] : last;
	case LINE:
		return (uint64_t)(g->base * (int64_t)i / (int64_t)(g->n - 1));
	default:
		return (uint64_t)((int64_t)(g->trend + 128) / 256);
	}
}

static void
learn(struct guess *g, int64_t v)
{
	if (g->kind >= TREND2)
		g->trend += (uint64_t)((int64_t)((uint64_t)v * 256 - g->trend)
		    / (g->kind == TREND2 ? 2 : 4));
}

static unsigned
width(uint64_t u)
{
	unsigned n = 1;

	for (; u > 0; u >>= 1)
		n++;
	return n;
}

/* What a predictor leaves of w, into u; how many bits that is, about. */
static uint64_t
residuals(struct guess g, const int64_t *w, uint64_t *u, unsigned n)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		u[i] = zigzag((uint64_t)w[i] - guess(&g, w, i));
		learn(&g, w[i]);
		sum += width(u[i]);
	}
	return sum;
}

/* The predictor that leaves least. */
static struct guess
choose(const int64_t *w, uint64_t *u, unsigned n, bool small)
{
	struct guess g = { .kind = DELTA, .n = n }, best = g;
	uint64_t least = UINT64_MAX, sum = 0, got;
	unsigned i, k;

	for (i = 0; i < n; i++)
		sum += (uint64_t)w[i];
	for (k = MEAN; k < PREDICTORS; k++) {
		g.kind = (enum predictor)k;
		if (!small && k != DELTA && k != DELTA2)
			continue;
		g.base = k == MEAN ? (int64_t)sum / (int64_t)n :
		    k == LINE ? w[n - 1] : 0;
		got = residuals(g, w, u, n);
		if (got < least) {
			least = got;
			best = g;
		}
	}
	(void)residuals(best, w, u, n);
	return best;
}

/* The greatest number that divides all distances; 0: all are alike.  *small:
 * none is so far from the first that a predictor might pass 64 bits. */
static uint64_t
divisor(const int64_t *v, unsigned n, bool *small)
{
	uint64_t d = 0, a, b, t;
	unsigned i;

	*small = true;
	for (i = 1; i < n; i++) {
		a = (uint64_t)v[i] - (uint64_t)v[0];
		*small = *small && v[i] > -SMALL && v[i] < SMALL &&
		    v[0] > -SMALL && v[0] < SMALL;
		a = a >> 63 ? 0 - a : a;
		for (b = d, d = a; b != 0; b = t) {
			t = d % b;
			d = b;
		}
	}
	return *small || d == 0 ? d : 1;
}

void
store_code_column(struct store_code *c, int64_t *v, unsigned n)
{
	static int64_t w[STORE_ROWS];
	static uint64_t u[STORE_ROWS];
	struct guess g = { .n = n };
	uint64_t d = 0, sum;
	bool small;
	unsigned i;

	assert(n <= STORE_ROWS);
	if (n == 0)
		return;
	if (c->writing && (d = divisor(v, n, &small)) > 0) {
		for (i = 0; i < n; i++) {
			sum = (uint64_t)v[i] - (uint64_t)v[0];
			w[i] = d == 1 ? (int64_t)sum :
			    (int64_t)sum / (int64_t)d;
		}
		g = choose(w, u, n, small);
	}
	g.kind = store_code_byte(c, g.kind);
	v[0] = store_code_signed(c, v[0], 0);
	if (g.kind == SAME) {
		for (i = 1; i < n; i++)
			v[i] = v[0];
		return;
	}
	if (g.kind >= PREDICTORS)
		c->bad = true;
	d = store_code(c, d);
	if (g.kind == MEAN || g.kind == LINE)
		g.base = store_code_signed(c, g.base, 0);
	if (g.kind == LINE && (n < 2 || g.base <= -2 * SMALL ||
	    g.base >= 2 * SMALL))
		c->bad = true;
	if (c->bad)
		return;
	numbers(c, u, n);
	if (c->writing)
		return;
	for (i = 0; i < n; i++) {
		w[i] = (int64_t)(guess(&g, w, i) + unzigzag(u[i]));
		learn(&g, w[i]);
	}
	sum = (uint64_t)v[0];
	for (i = 1; i < n; i++)
		v[i] = (int64_t)(sum + (uint64_t)w[i] * d);
}

/* Records: a frame, type and number. */

static uint32_t
get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 |
	    (uint32_t)u[3] << 24;
}

static void
put_u32(char *p, uint32_t v)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		p[i] = (char)(v >> 8 * i);
}

/* The crc32 covers the length too: zeros are no record. */
static uint32_t
record_crc(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)crc32(crc32(0, u, 4), u + STORE_FRAME, (unsigned)n);
}

void
store_record_begin(struct store_code *c, char *p, size_t cap, unsigned type,
    uint64_t n)
{
	c->writing = true;
	c->have = 0;
	buf_init(&c->out, p, cap);
	buf_add(&c->out, (struct str){ "\0\0\0\0\0\0\0", STORE_FRAME });
	(void)store_code_byte(c, type);
	(void)store_code(c, n);
}

struct str
store_record_end(char *p, size_t n)
{
	put_u32(p, (uint32_t)(n - STORE_FRAME));
	put_u32(p + 4, record_crc(p, n - STORE_FRAME));
	return (struct str){ p, n };
}

bool
store_record_at(struct store_set *t, const struct store_file *f,
    struct store_rec *r)
{
	struct store_code c = { .writing = false };
	uint64_t left = f->end - r->at;
	const char *p;
	size_t n;

	if (r->at > f->end || left < STORE_FRAME + 2 ||
	    (p = store_win(t, f, r->at, STORE_FRAME)) == NULL)
		return false;
	n = get_u32(p);
	if (n < 2 || n > STORE_RECORD_MAX || n > left - STORE_FRAME)
		return false;
	r->next = r->at + STORE_FRAME + n;
	p = store_win(t, f, r->at, STORE_FRAME + n);
	if (p == NULL || (!r->trusted && get_u32(p + 4) != record_crc(p, n)))
		return false;
	c.in = (struct str){ p + STORE_FRAME, n };
	r->type = store_code_byte(&c, 0);
	r->n = store_code(&c, 0);
	r->text = c.in;
	return !c.bad && r->type >= 1 && r->type <= 127 &&
	    r->n < STORE_NUMBER_MAX;
}
