/*
 * store_code.c: see store_impl.h; how numbers, texts and columns of numbers
 * become bytes and come back, and the frame around a record.
 *
 * One function both writes and reads: with c->writing it writes what is
 * given, and else what is given does not matter; each returns what then
 * stands there.  So neither can know a byte that the other does not.
 *
 * A column is n numbers that belong together.  It is coded as what a simple
 * predictor leaves of it, after their common divisor is taken out: of each
 * number its width and the bits after its highest one, as bits whose chances
 * are learnt in the column (a range coder: Martin 1979, with the carry and
 * the bit models of LZMA).  Percentages of ticks are two columns, these and
 * all there were.  doc/format has it to the bit.
 */
#include <assert.h>
#include <stddef.h>
#include <zlib.h>

#include "store_impl.h"

#define RANGE_MIN	(UINT32_C(1) << 24)
#define RARE		31		/* 4096ths: nothing is less likely */
#define HALF		0x8000		/* 2048 of 4096 */
#define TREE_MAX	7		/* bits with chances of their own */
#define CELL_BITS	3
#define LEARNING	80		/* 16ths of a bit */
#define SMALL		(INT64_C(1) << 50)

#define PERCENT		100000		/* thousandths of a percent in all */

enum predictor { SAME, LEAST, DELTA, LINE, TREND, RATIO };

void
store_code_from(struct store_code *c, struct str in)
{
	memset(c, 0, offsetof(struct store_code, name));	/* not 1 KB */
	c->in = in;
}

unsigned
store_code_byte(struct store_code *c, unsigned byte)
{
	if (c->writing) {
		buf_addc(&c->out, (char)byte);
		return byte;
	}
	c->bad |= c->in.n == 0;
	if (c->in.n == 0)
		return 0;
	c->in.n--;
	return (unsigned char)*c->in.p++;
}

uint64_t
store_code(struct store_code *c, uint64_t v)
{
	unsigned shift = 0, byte = 128;
	struct str in = c->in;
	uint64_t got = c->writing ? v : 0;

	for (; c->writing && v > 127; v >>= 7)
		buf_addc(&c->out, (char)(v | 128));
	if (c->writing) {
		buf_addc(&c->out, (char)v);
		return got;
	}
	for (; byte > 127 && in.n > 0 && shift <= 63; shift += 7, in.n--) {
		byte = (unsigned char)*in.p++;
		got |= (uint64_t)(byte & 127) << shift;
	}
	c->in = in;
	c->bad |= byte > 127 || (shift > 63 && byte > 1); /* over 64 bits */
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

uint64_t
store_code_fixed(struct store_code *c, uint64_t v)
{
	uint64_t got = 0;

	for (unsigned shift = 64; shift > 0;) {
		shift -= 8;
		got = got << 8 | store_code_byte(c, v >> shift & 255);
	}
	return got;
}

/* Columns. */

struct range {
	struct store_code *c;
	uint64_t low;			/* writing: 32 bits and a carry */
	uint32_t span, code;		/* reading: code is that above low */
};

/* The highest byte, once it will not change but for a carry. */
static void
range_byte(struct range *r)
{
	char *p = r->c->out.p + r->c->out.n;

	if (!r->c->writing) {
		r->code = r->code << 8 | store_code_byte(r->c, 0);
		return;
	}
	if (r->low >> 32 != 0) {
		while (*--p == '\377')
			*p = '\0';
		*p = (char)((unsigned char)*p + 1);
	}
	(void)store_code_byte(r->c, r->low >> 24 & 255);
	r->low = r->low << 8 & UINT32_MAX;
}

static inline void
range_fill(struct range *r)
{
	for (; r->span < RANGE_MIN; r->span <<= 8)
		range_byte(r);
}

/* One bit of many that are alike: *p ^ HALF is how likely a 0 is, in 4096ths,
 * and, in its lowest four bits, how many were seen.  Of the span the lower
 * part is for 0, the upper for 1. */
static inline unsigned
likely(struct range *r, uint16_t *p, unsigned bit)
{
	unsigned zero = (*p ^ HALF) >> 4, seen = *p & 15;
	unsigned rate = seen < 1 ? 2 : seen < 4 ? 3 : 4;
	uint32_t lower = (r->span >> 12) * zero;

	if (!r->c->writing)
		bit = r->code >= lower;
	if (bit) {
		r->low += lower;
		r->code -= lower;
		r->span -= lower;
		zero -= (zero - RARE) >> rate;
	} else {
		r->span = lower;
		zero += (4096 - RARE - zero) >> rate;
	}
	range_fill(r);
	*p = (uint16_t)((zero << 4 | (seen < 15 ? seen + 1 : 15)) ^ HALF);
	return bit;
}

/* The n lowest bits of v, at most 7, from the highest on, each with its own
 * chances as those before it are. */
static inline unsigned
tree(struct range *r, uint16_t *p, unsigned n, unsigned v)
{
	unsigned got = 1;

	while (n-- > 0)
		got = got << 1 | likely(r, &p[got], v >> n & 1);
	return got;
}

/* The n lowest bits of v, as likely as not. */
static uint64_t
plain(struct range *r, unsigned n, uint64_t v)
{
	uint64_t got = 0, digit;
	unsigned k;

	for (; n > 0; n -= k) {
		k = n < 16 ? n : 16;
		r->span >>= k;
		digit = r->c->writing ? v >> (n - k) & ((1u << k) - 1) :
		    r->code / r->span;
		r->low += digit * r->span;
		r->code -= (uint32_t)digit * r->span;
		got = got << k | digit;
		range_fill(r);
	}
	return got;
}

static unsigned
width(uint64_t u)
{
	unsigned n = 0;

	for (; u > 0; u >>= 1)
		n++;
	return n;
}

/* n numbers without sign: of each its width, then what follows its highest
 * bit. */
static void
numbers(struct store_code *c, uint64_t *u, unsigned n)
{
	static uint16_t of_width[128], of_bits[65][1 << TREE_MAX];
	struct range r = { .c = c, .span = UINT32_MAX };
	unsigned i, k, top, left, most, widest;
	uint64_t max = 0, v;

	for (i = 0; i < n && c->writing; i++)
		max |= u[i];
	widest = store_code_byte(c, width(max));
	most = width(widest);
	c->bad |= widest > 64;
	memset(of_width, 0, sizeof of_width);
	memset(of_bits, 0, (c->bad ? 0 : widest + 1) * sizeof *of_bits);
	for (i = 0; i < 4 && !c->writing; i++)
		range_byte(&r);
	for (i = 0; i < n && !c->bad; i++) {
		k = c->writing ? width(u[i]) : 0;
		k = tree(&r, of_width, most, k) - (1u << most);
		if (k > widest)
			break;
		top = k <= TREE_MAX ? k : TREE_MAX + 1;
		left = k - top;
		v = k == 0 ? 0 : tree(&r, of_bits[k], top - 1,
		    (unsigned)(u[i] >> left) & ((1u << TREE_MAX) - 1));
		u[i] = left == 0 ? v : v << left | plain(&r, left, u[i]);
	}
	c->bad |= i < n;
	for (i = 0; i < 4 && c->writing; i++)
		range_byte(&r);
}

/* What comes next, after v[0] to v[i - 1]. */
struct guess {
	enum predictor kind;
	int64_t base;			/* LEAST: it; LINE: its last */
	unsigned n;
	uint64_t trend;			/* TREND: in 256ths */
};

static uint64_t
guess(const struct guess *g, const int64_t *v, unsigned i)
{
	switch (g->kind) {
	case LEAST:
		return (uint64_t)g->base;
	case DELTA:
		return i > 0 ? (uint64_t)v[i - 1] : 0;
	case LINE:
		return (uint64_t)(g->base * (int64_t)i / (int64_t)(g->n - 1));
	default:
		return (uint64_t)((int64_t)(g->trend + 128) / 256);
	}
}

static void
learn(struct guess *g, int64_t v)
{
	if (g->kind == TREND)
		g->trend += (int64_t)((uint64_t)v * 256 - g->trend) / 4;
}

/* 16 times the binary logarithm of x, at least 1; between powers a line. */
static unsigned
logarithm(unsigned x)
{
	unsigned k = width(x) - 1;

	return 16 * k + (16 * x >> k) - 16;
}

/* What a predictor leaves of w, into u; how many 16ths of a bit that is,
 * about: what their widths and next bits tell, the bits after them, and what
 * it takes to learn of each. */
static uint64_t
residuals(struct guess g, const int64_t *w, uint64_t *u, unsigned n)
{
	static uint16_t cell[65 << CELL_BITS];
	unsigned i, k;
	uint64_t sum = 0;

	memset(cell, 0, sizeof cell);
	for (i = 0; i < n; i++) {
		u[i] = (uint64_t)w[i] - guess(&g, w, i);
		if (g.kind != LEAST)
			u[i] = zigzag(u[i]);
		learn(&g, w[i]);
		k = width(u[i]);
		if (k > CELL_BITS + 1)
			sum += 16 * (k - 1 - CELL_BITS);
		cell[k << CELL_BITS | (k <= CELL_BITS ? u[i] :
		    u[i] >> (k - 1 - CELL_BITS) & ((1u << CELL_BITS) - 1))]++;
	}
	for (i = 0; i < COUNT(cell); i++)
		if (cell[i] > 0)
			sum += cell[i] * (logarithm(n) - logarithm(cell[i])) +
			    LEARNING;
	return sum;
}

/* The predictor that leaves least. */
static struct guess
choose(const int64_t *w, uint64_t *u, unsigned n, bool small)
{
	struct guess g = { .kind = DELTA, .n = n }, best = g;
	uint64_t least = UINT64_MAX, got;
	int64_t min = 0;

	for (unsigned i = 0; i < n; i++)
		min = w[i] < min ? w[i] : min;
	for (g.kind = LEAST; g.kind < RATIO && small; g.kind++) {
		g.base = g.kind == LEAST ? min : g.kind == LINE ? w[n - 1] : 0;
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

	*small = true;
	for (unsigned i = 1; i < n; i++) {
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

/* A column that is no ratio. */
static void
simple_column(struct store_code *c, int64_t *v, unsigned n)
{
	static int64_t w[STORE_ROWS];
	static uint64_t u[STORE_ROWS];
	struct guess g = { .n = n };
	uint64_t d = 0;
	bool small;

	if (c->writing && (d = divisor(v, n, &small)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			w[i] = (int64_t)((uint64_t)v[i] - (uint64_t)v[0]);
			w[i] = d == 1 ? w[i] : w[i] / (int64_t)d;
		}
		g = choose(w, u, n, small);
	}
	g.kind = store_code_byte(c, g.kind);
	v[0] = store_code_signed(c, v[0], 0);
	if (g.kind == SAME) {
		for (unsigned i = 1; i < n; i++)
			v[i] = v[0];
		return;
	}
	if (g.kind >= RATIO)
		c->bad = true;
	d = store_code(c, d);
	if (g.kind == LEAST || g.kind == LINE)
		g.base = store_code_signed(c, g.base, 0);
	if (g.kind == LINE && (n < 2 || g.base <= -2 * SMALL ||
	    g.base >= 2 * SMALL))
		c->bad = true;
	if (c->bad)
		return;
	numbers(c, u, n);
	for (unsigned i = 0; i < n && !c->writing; i++) {
		w[i] = (int64_t)(guess(&g, w, i) + (g.kind == LEAST ? u[i] :
		    unzigzag(u[i])));
		learn(&g, w[i]);
		if (i > 0)
			v[i] = (int64_t)((uint64_t)v[0] + (uint64_t)w[i] * d);
	}
}

/* What the agent tells of so many ticks, of all. */
static int64_t
percent(int64_t part, int64_t whole)
{
	return (part * PERCENT + whole / 2) / whole;
}

/* Find ratios that v may be the percents of, the wholes as near to `about` as
 * can be.  False: they are not near, so v is something else. */
static bool
ratios(const int64_t *v, int64_t *part, int64_t *whole, unsigned n,
    int64_t about)
{
	unsigned i, k = 0, far = 0;

	for (i = 0; i < n && far <= 64 + i + i / 2;) {
		if (v[i] < 0 || v[i] > PERCENT)
			return false;
		whole[i] = k % 2 == 0 ? about + k / 2 : about - (k + 1) / 2;
		part[i] = (v[i] * whole[i] + PERCENT / 2) / PERCENT;
		if (percent(part[i], whole[i]) == v[i]) {
			i++;
			k = 0;
		} else {
			far++;
			k++;
		}
	}
	return i == n;
}

void
store_code_column(struct store_code *c, int64_t *v, unsigned n)
{
	static int64_t part[STORE_ROWS], whole[STORE_ROWS];
	size_t at = c->out.n, size, other;
	int64_t about = STORE_TICKS_MIN;
	bool ratio = !c->writing && c->in.n > 0 && *c->in.p == RATIO;

	assert(n <= STORE_ROWS);
	if (n == 0)
		return;
	if (!ratio)
		simple_column(c, v, n);
	size = c->out.n - at;
	/* Written is the shorter of two. */
	while (size > n / 2 && about <= STORE_TICKS_MAX && !ratio) {
		ratio = ratios(v, part, whole, n, about);
		about += STORE_TICKS_MIN;
	}
	if (!ratio)
		return;
	(void)store_code_byte(c, RATIO);
	simple_column(c, part, n);
	simple_column(c, whole, n);
	for (unsigned i = 0; i < n && !c->writing; i++) {
		c->bad |= part[i] < 0 || part[i] > UINT32_MAX || whole[i] < 1;
		v[i] = c->bad ? 0 : percent(part[i], whole[i]);
	}
	if (!c->writing)
		return;
	other = c->out.n - at - size;
	if (other < size)
		memmove(c->out.p + at, c->out.p + at + size, other);
	c->out.n = at + (other < size ? other : size);
}

/* Records: a frame, type and number. */

static uint32_t
get_u32(const char *p)
{
	uint32_t v = 0;

	for (unsigned i = 4; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static void
put_u32(char *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
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
	struct store_code c;
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
	store_code_from(&c, (struct str){ p + STORE_FRAME, n });
	r->type = store_code_byte(&c, 0);
	r->n = store_code(&c, 0);
	r->text = c.in;
	return !c.bad && r->type >= 1 && r->type <= 127 &&
	    r->n < STORE_NUMBER_MAX;
}
