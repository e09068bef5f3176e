/*
 * store_block.c: see store_impl.h; the files of sealed results, by check.
 *
 *	header  [times] part  [times] part ... strip    of the first check
 *	                part          part ... strip    of the second
 *	page    the strips of up to 256 checks
 *	top     the pages
 *	header
 *
 * All are records as the head has them.  A strip says where the parts of its
 * check are, and of more than one part the least, mean and greatest of each
 * 342 rows, so that a month can be drawn without reading it all.
 */
#include <assert.h>
#include <stdlib.h>

#include "store_impl.h"

#define MAGIC		"vilicus-block"
#define VERSION		1
#define HEADER_BYTES	(STORE_FRAME + 2 + sizeof MAGIC + 8 * 8)

/* Records of a block; those of the head are below. */
enum { TYPE_HEAD = 3, TYPE_TIMES, TYPE_PART, TYPE_STRIP, TYPE_PAGE, TYPE_TOP };

const int64_t store_level_ms[LEVELS] = { 0, 300000, 3600000 };

/* Means of any int64: sums in two halves, of values moved above 0. */

void
store_sum_add(struct store_sum *a, const int64_t v[3], uint64_t count)
{
	uint64_t u = (uint64_t)v[0] ^ UINT64_C(1) << 63;

	if (a->n == 0 || v[1] < a->min)
		a->min = v[1];
	if (a->n == 0 || v[2] > a->max)
		a->max = v[2];
	if (a->n + count >= UINT64_C(1) << 31)
		return;			/* the mean stays what it was */
	a->n += count;
	a->high += (u >> 32) * count;
	a->low += (u & UINT32_MAX) * count;
}

int64_t
store_sum_mean(const struct store_sum *a)
{
	uint64_t rest = a->high % a->n;
	uint64_t u = (a->high / a->n << 32) +
	    ((rest << 32) + a->low + a->n / 2) / a->n;

	return (int64_t)(u ^ UINT64_C(1) << 63);
}

/* The header. */

static void
code_header(struct store_code *c, struct store_header *h)
{
	uint64_t *const v[] = { &h->first, &h->last, &h->level,
	    (uint64_t *)&h->received_ms, (uint64_t *)&h->span.min_ms,
	    (uint64_t *)&h->span.max_ms, &h->rows, &h->top };

	for (unsigned i = 0; i < COUNT(v); i++)
		*v[i] = store_code_fixed(c, *v[i]);
}

static bool
header_at(struct store *s, struct store_file *f, uint64_t at)
{
	struct store_rec r = { .at = at };
	struct store_code c;

	if (!store_record_at(&s->b, f, &r) || r.type != TYPE_HEAD ||
	    !str_starts(r.text, STR(MAGIC)))
		return false;
	store_code_from(&c, str_after(r.text, sizeof MAGIC - 1));
	if (store_code(&c, 0) != VERSION)
		return false;
	code_header(&c, &f->block);
	return !c.bad && f->block.level < LEVELS && f->block.first > 0 &&
	    f->block.first <= f->block.last;
}

int
store_block_open(struct store *s, unsigned i, struct fail *why)
{
	struct store_file *f = &s->b.file[i];
	struct store_walk w;

	store_walk_begin(&w, &s->b, i);
	if (header_at(s, f, 0) || (f->end > HEADER_BYTES &&
	    header_at(s, f, f->end - HEADER_BYTES))) {
		f->first = f->block.first;
		f->span = f->block.span;
		return 0;
	}
	f->block = (struct store_header){ .top = 0 };
	f->foreign = true;
	if (store_unread(&w, why) != 0)
		return -1;
	store_note(s, &w, 0, "no block that can be read");
	return 0;
}

static int
by_first(const void *a, const void *b)
{
	const struct store_file *x = a, *y = b;

	return x->block.first != y->block.first ?
	    (x->block.first < y->block.first ? -1 : 1) :
	    (x->number > y->number) - (x->number < y->number);
}

/* Put the blocks in the order of their reports. */
void
store_block_order(struct store *s)
{
	store_sort(s->b.file, s->b.files, sizeof *s->b.file, by_first);
}

/* Finding a strip. */

/* The record at that place, if it is of that type. */
static bool
record(struct store *s, const struct store_file *f, uint64_t at,
    unsigned type, struct store_rec *r)
{
	*r = (struct store_rec){ .at = at };
	return store_record_at(&s->b, f, r) && r->type == type;
}

/* A check and its place. */
struct entry {
	uint64_t check, at;
};

/* In a page, or of the pages: the last entry up to least and the first past
 * it, at 0 where there is none.  False: it is damaged. */
static bool
look(struct store *s, const struct store_file *f, uint64_t at, unsigned type,
    uint64_t least, struct entry e[2])
{
	struct store_code c;
	struct entry now = { 0, 0 };
	struct store_rec r;
	uint64_t n;

	e[0] = e[1] = now;
	if (!record(s, f, at, type, &r))
		return false;
	store_code_from(&c, r.text);
	for (n = store_code(&c, 0); n > 0 && !c.bad && e[1].at == 0; n--) {
		now.check += store_code(&c, 0);
		now.at += store_code(&c, 0);
		e[now.check > least] = now;
	}
	return !c.bad;
}

/* The same, where the directory is damaged: by looking at all records. */
static int
scan(struct store *s, unsigned i, uint64_t least, uint64_t *check, uint64_t *at)
{
	struct store_file *f = &s->b.file[i];
	struct store_walk w;
	struct store_rec r;

	store_walk_begin(&w, &s->b, i);
	if (!f->told)
		store_note(s, &w, f->block.top, "the directory is damaged");
	f->told = true;
	for (r.next = 0; r.next < f->end;) {
		r = (struct store_rec){ .at = r.next };
		if (store_record(&s->b, f, &r) == STORE_PASS &&
		    r.type == TYPE_STRIP && r.n >= least) {
			*check = r.n;
			*at = r.at;
			return 1;
		}
	}
	return 0;
}

/* The first check from least on that block i has, and where its strip is.
 * 1, or 0: none. */
int
store_block_find(struct store *s, unsigned i, uint64_t least, uint64_t *check,
    uint64_t *at)
{
	const struct store_file *f = &s->b.file[i];
	struct entry page[2], e[2];
	unsigned k;

	if (f->foreign || f->block.rows == 0)
		return 0;
	if (!look(s, f, f->block.top, TYPE_TOP, least, page))
		return scan(s, i, least, check, at);
	for (k = 0, e[1].at = 0; k < 2 && e[1].at == 0; k++) {
		if (page[k].at == 0)
			continue;
		if (!look(s, f, page[k].at, TYPE_PAGE, least, e))
			return scan(s, i, least, check, at);
		if (e[0].at != 0 && e[0].check == least)
			e[1] = e[0];
	}
	*check = e[1].check;
	*at = e[1].at;
	return e[1].at != 0;
}

/* Strips. */

/* Names, both ways. */
static void
code_names(struct store_code *c, unsigned names)
{
	unsigned n = (unsigned)store_code(c, names), i;

	if (n > STORE_DICT_MAX)
		c->bad = true;
	for (i = 0; i < n && !c->bad; i++)
		c->name[i] = store_code_bytes(c, c->name[i], STORE_NAME_MAX);
	c->names = c->bad ? 0 : n;
}

static void
code_ref(struct store_code *c, struct store_ref *r, const struct store_ref *was)
{
	r->rows = (unsigned)store_code(c, r->rows);
	r->first_ms = store_code_signed(c, r->first_ms, was->last_ms);
	r->last_ms = r->first_ms +
	    store_code(c, (uint64_t)r->last_ms - r->first_ms);
	r->at = store_code_signed(c, r->at, was->at);
	r->times = store_code_signed(c, r->times, was->times);
}

/* Read the strip at that place.  Then its bytes and refs are the caller's to
 * free.  0; 1: it is damaged; or -1, no memory. */
int
store_strip_open(struct store *s, unsigned i, uint64_t at,
    struct store_strip *p, struct fail *why)
{
	static const struct store_ref none;
	struct store_rec r;
	uint64_t n, k;

	*p = (struct store_strip){ .file = i };
	if (!record(s, &s->b.file[i], at, TYPE_STRIP, &r))
		return 1;
	p->bytes = malloc(r.text.n + 1);
	if (p->bytes == NULL)
		return fail(why, "no memory");
	memcpy(p->bytes, r.text.p, r.text.n);
	p->c.in = (struct str){ p->bytes, r.text.n };
	code_names(&p->c, 0);
	n = store_code(&p->c, 0);
	if (p->c.bad || n > r.text.n || n == 0)
		return 1;
	p->ref = malloc((size_t)n * sizeof *p->ref);
	if (p->ref == NULL)
		return fail(why, "no memory");
	for (k = 0; k < n; k++)
		code_ref(&p->c, &p->ref[k], k > 0 ? &p->ref[k - 1] : &none);
	p->refs = (unsigned)n;
	return p->c.bad ? 1 : 0;
}

/* The summary of a strip just opened: its thirds, and of each the worst
 * code, the rows' count, and mean, least and greatest of one column.  False:
 * it has none. */
bool
store_strip_summary(struct store_strip *p, struct str name,
    struct store_summary *sum)
{
	struct store_code *c = &p->c;
	unsigned i, k, n;

	sum->n = n = (unsigned)store_code(c, 0);
	if (n == 0 || n > STORE_ROWS || c->bad)
		return false;
	store_code_column(c, sum->at, n);
	store_code_column(c, sum->worst, n);
	store_code_column(c, sum->count, n);
	for (i = 0; i < c->names && !c->bad; i++) {
		if (store_code_byte(c, 0) == 0)
			continue;
		for (k = 0; k < 3; k++)
			store_code_column(c, sum->v[k], n);
		if (str_eq(c->name[i], name))
			break;
	}
	for (k = 0; k < n; k++) {
		sum->v[1][k] = (uint64_t)sum->v[1][k] + sum->v[0][k];
		sum->v[2][k] = (uint64_t)sum->v[2][k] + sum->v[0][k];
	}
	return i < c->names && !c->bad;
}

/* Read part k of a strip.  only (may be NULL): of its columns just that. */
bool
store_part_read(struct store *s, struct store_strip *p, unsigned k,
    struct store_part *part, const struct str *only)
{
	const struct store_file *f = &s->b.file[p->file];
	struct store_code c, names = p->c;
	struct store_rec r;

	store_part_clear(part, (unsigned)f->block.level);
	if (!record(s, f, p->ref[k].at, TYPE_PART, &r))
		return false;
	names.in = r.text;
	names.bad = false;
	store_part_code(&names, part, only);
	if (names.bad || !record(s, f, p->ref[k].times, TYPE_TIMES, &r))
		return false;
	store_code_from(&c, r.text);
	store_code_column(&c, part->at, part->rows);
	return !c.bad;
}

/* Making one. */

struct store_maker {
	struct store *s;
	uint64_t max_bytes;
	struct store_header h;
	struct store_code c;		/* of the strip: its names */
	uint64_t check;
	struct store_ref *ref;
	unsigned refs, refs_room;

	struct entry page[STORE_PAGE];	/* strips, and pages */
	unsigned pages;
	struct entry *top;
	unsigned tops, tops_room;

	unsigned shared;		/* times written, round and round */
	struct {
		uint64_t at;
		unsigned n;
		int64_t v[STORE_ROWS];
	} times[STORE_SHARED];

	unsigned thirds;		/* of the strip so far */
	unsigned in[STORE_DICT_MAX];	/* that have a column in all rows */
	int64_t third_at[STORE_ROWS], worst[STORE_ROWS], count[STORE_ROWS];
	int64_t sum[3 * STORE_DICT_MAX][STORE_ROWS];
	char names[STORE_DICT_MAX][STORE_NAME_MAX];
	struct store_part part;
	char room[STORE_RECORD_MAX];
};

static void
begin(struct store_maker *m, struct store_code *c, unsigned type, uint64_t n)
{
	store_record_begin(c, m->room, sizeof m->room, type, n);
}

/* Write the record that c has come to; where it stands. */
static uint64_t
end(struct store_maker *m, const struct store_code *c)
{
	struct store_set *t = &m->s->b;
	uint64_t at = t->at;

	if (c->out.full)
		t->write_error = EFBIG;
	else if (m->max_bytes != 0 &&
	    at + c->out.n + HEADER_BYTES > m->max_bytes)
		store_cramp(m->s, t);
	store_write(t, store_record_end(m->room, c->out.n));
	return at;
}

static void
put_header(struct store_maker *m)
{
	struct store_code c = { .writing = true };

	begin(m, &c, TYPE_HEAD, 0);
	buf_add(&c.out, STR(MAGIC));
	(void)store_code(&c, VERSION);
	code_header(&c, &m->h);
	assert(c.out.n == HEADER_BYTES);
	store_write(&m->s->b, store_record_end(m->room, c.out.n));
}

struct store_maker *
store_maker_open(struct store *s, const struct store_header *h,
    uint64_t max_bytes)
{
	struct store_maker *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->s = s;
	m->max_bytes = max_bytes;
	m->h = *h;
	m->h.span = STORE_NO_SPAN;
	put_header(m);
	return m;
}

/* Where these times stand, written if they do not stand yet. */
static uint64_t
put_times(struct store_maker *m, int64_t *at, unsigned n)
{
	struct store_code c = { .writing = true };
	unsigned i;

	for (i = 0; i < STORE_SHARED; i++)
		if (m->times[i].n == n &&
		    memcmp(m->times[i].v, at, n * sizeof *at) == 0)
			return m->times[i].at;
	i = m->shared++ % STORE_SHARED;
	begin(m, &c, TYPE_TIMES, 0);
	store_code_column(&c, at, n);
	m->times[i].at = end(m, &c);
	m->times[i].n = n;
	memcpy(m->times[i].v, at, n * sizeof *at);
	return m->times[i].at;
}

/* Sum up the rows from i on: one third. */
static void
put_third(struct store_maker *m, unsigned i)
{
	const struct store_part *p = &m->part;
	unsigned q = m->thirds, n, k, j;
	const struct store_column *col;
	struct store_sum sum;
	uint64_t mean;

	n = p->rows - i < STORE_THIRD ? p->rows - i : STORE_THIRD;
	m->third_at[q] = p->at[i];
	m->worst[q] = m->count[q] = 0;
	for (j = i; j < i + n; j++) {
		if ((p->flags[j] & 3) > m->worst[q])
			m->worst[q] = p->flags[j] & 3;
		m->count[q] += p->count[j];
	}
	for (col = p->column; col < p->column + p->columns; col++) {
		for (k = 0; k < m->c.names; k++)
			if (str_is(m->c.name[k], col->name))
				break;
		if (k == m->c.names || col->n < p->rows || m->in[k] != q)
			continue;
		m->in[k]++;
		sum = (struct store_sum){ .n = 0 };
		for (j = i; j < i + n; j++)
			store_sum_add(&sum, (int64_t[]){ col->v[0][j],
			    col->v[1][j], col->v[2][j] }, p->count[j]);
		mean = store_sum_mean(&sum);
		m->sum[3 * k][q] = mean;
		m->sum[3 * k + 1][q] = sum.min - mean;
		m->sum[3 * k + 2][q] = sum.max - mean;
	}
}

static int
put_part(struct store_maker *m)
{
	struct store_part *p = &m->part;
	unsigned i = m->c.names;
	struct store_ref *r;

	if (p->rows == 0)
		return 0;
	r = store_grow(m->ref, m->refs, &m->refs_room, sizeof *r);
	if (r == NULL)
		return -1;
	m->ref = r;
	r += m->refs++;
	*r = (struct store_ref){ .rows = p->rows, .first_ms = p->at[0],
	    .last_ms = p->at[p->rows - 1] };
	r->times = put_times(m, p->at, p->rows);
	begin(m, &m->c, TYPE_PART, m->check);
	store_part_code(&m->c, p, NULL);
	r->at = end(m, &m->c);
	/* Its new names lie in what will be written over: keep them. */
	for (; i < m->c.names; i++) {
		memcpy(m->names[i], m->c.name[i].p, m->c.name[i].n);
		m->c.name[i].p = m->names[i];
	}
	for (i = 0; i < p->rows; i += STORE_THIRD, m->thirds++)
		if (m->thirds < STORE_ROWS)
			put_third(m, i);
	m->h.rows += p->rows;
	store_span_add(&m->h.span, r->first_ms, r->last_ms);
	store_part_clear(p, p->level);
	return 0;
}

void
store_maker_strip(struct store_maker *m, uint64_t check)
{
	m->check = check;
	m->refs = m->thirds = 0;
	m->c = (struct store_code){ .writing = true };
	memset(m->in, 0, sizeof m->in);
	store_part_clear(&m->part, (unsigned)m->h.level);
}

int
store_maker_row(struct store_maker *m, const struct store_row *row)
{
	if (store_part_add(&m->part, row))
		return 0;
	if (put_part(m) != 0)
		return -1;
	(void)store_part_add(&m->part, row);
	return 0;
}

/* Write a page, or the top; where it stands. */
static uint64_t
put_dir(struct store_maker *m, unsigned type, const struct entry *e, unsigned n)
{
	struct store_code c = { .writing = true };
	struct entry was = { 0, 0 };

	begin(m, &c, type, 0);
	(void)store_code(&c, n);
	for (unsigned i = 0; i < n; was = e[i++]) {
		(void)store_code(&c, e[i].check - was.check);
		(void)store_code(&c, e[i].at - was.at);
	}
	return end(m, &c);
}

static int
put_page(struct store_maker *m)
{
	struct entry *e = store_grow(m->top, m->tops, &m->tops_room, sizeof *e);

	if (e == NULL)
		return -1;
	m->top = e;
	if (m->pages > 0)
		e[m->tops++] = (struct entry){ m->page[0].check,
		    put_dir(m, TYPE_PAGE, m->page, m->pages) };
	m->pages = 0;
	return 0;
}

int
store_maker_strip_end(struct store_maker *m)
{
	static const struct store_ref none;
	struct store_code *c = &m->c;
	unsigned i, k, n;

	if (put_part(m) != 0)
		return -1;
	if (m->refs == 0)
		return 0;
	begin(m, c, TYPE_STRIP, m->check);
	code_names(c, c->names);
	(void)store_code(c, m->refs);
	for (i = 0; i < m->refs; i++)
		code_ref(c, &m->ref[i], i > 0 ? &m->ref[i - 1] : &none);
	/* Its summary. */
	n = m->refs < 2 || m->thirds > STORE_ROWS ? 0 : m->thirds;
	(void)store_code(c, n);
	store_code_column(c, m->third_at, n);
	store_code_column(c, m->worst, n);
	store_code_column(c, m->count, n);
	for (i = 0; i < c->names && n > 0; i++) {
		(void)store_code_byte(c, m->in[i] == n);
		for (k = 0; k < 3 && m->in[i] == n; k++)
			store_code_column(c, m->sum[3 * i + k], n);
	}
	m->page[m->pages++] = (struct entry){ m->check, end(m, c) };
	return m->pages == STORE_PAGE ? put_page(m) : 0;
}

/* Write what is left, and the header again.  0, or -1 with *why. */
int
store_maker_end(struct store_maker *m, struct fail *why)
{
	struct store_set *t = &m->s->b;

	if (put_page(m) != 0)
		return fail(why, "no memory");
	m->h.top = put_dir(m, TYPE_TOP, m->top, m->tops);
	put_header(m);
	t->at = 0;
	put_header(m);
	errno = t->write_error;
	return errno != 0 ? fail_errno(why, "%s: write", t->name) : 0;
}

void
store_maker_close(struct store_maker *m)
{
	free(m->top);
	free(m->ref);
	free(m);
}
