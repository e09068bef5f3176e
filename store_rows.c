/*
 * store_rows.c: see store.h; history read back, over head and blocks alike.
 *
 * A cursor stands in one file that may have results of the check.  It is
 * SHUT until its turn may have come, then knows where its PARTS are, then
 * has one of them read: READY.  The cursor whose next row comes first, as
 * far as is known, goes next; so no file is opened before it is needed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

enum { SHUT, PARTS, READY };

/* The one whose row is next.  Of equal ones that which knows least, then
 * the oldest: what came first counts. */
static bool
before(const struct store_reader *q, const struct store_cursor *a,
    const struct store_cursor *b)
{
	if (a->key != b->key)
		return q->ask.down ? a->key > b->key : a->key < b->key;
	return a->state != b->state ? a->state < b->state : a->age < b->age;
}

static void
cursor_end(struct store_reader *q, struct store_cursor *c)
{
	if (c->part != NULL && q->spare == NULL)
		q->spare = c->part;
	else
		free(c->part);
	store_strip_close(&c->strip);
	free(c->pos);
	*c = q->cursor[--q->cursors];
}

/* Stand before the rows of part k, or after the last: then it ends. */
static void
seek(struct store_reader *q, struct store_cursor *c, int64_t k)
{
	const struct store_query *a = &q->ask;
	const struct store_ref *r = c->strip.ref;
	int64_t step = a->down ? -1 : 1, n = c->strip.refs;

	while (k >= 0 && k < n && (r[k].first_ms > a->to_ms ||
	    r[k].last_ms < a->from_ms))
		k += step;
	if (k < 0 || k >= n) {
		cursor_end(q, c);
		return;
	}
	c->state = PARTS;
	c->k = (unsigned)k;
	c->key = a->down ? r[k].last_ms : r[k].first_ms;
	if (c->key < a->from_ms)
		c->key = a->from_ms;
	if (c->key > a->to_ms)
		c->key = a->to_ms;
}

/* The parts that the head's results make: at is the first's place in pos. */
static int
open_head(struct store *s, struct store_reader *q, struct store_cursor *c,
    struct fail *why)
{
	struct store_strip *p = &c->strip;
	unsigned n, i;

	if (c->pos == NULL && store_head_rows(s, &q->ask, &c->pos, &c->rows,
	    why) != 0)
		return -1;
	p->refs = (c->rows + STORE_ROWS - 1) / STORE_ROWS;
	p->ref = malloc((p->refs + 1) * sizeof *p->ref);
	if (p->ref == NULL)
		return fail(why, "no memory");
	for (i = 0; i < p->refs; i++) {
		n = c->rows - i * STORE_ROWS;
		n = n < STORE_ROWS ? n : STORE_ROWS;
		p->ref[i] = (struct store_ref){ .at = i * STORE_ROWS,
		    .rows = n, .first_ms = c->pos[i * STORE_ROWS].at_ms,
		    .last_ms = c->pos[i * STORE_ROWS + n - 1].at_ms };
	}
	return 0;
}

/* Learn where the parts are.  0, -1; the cursor may have ended. */
static int
open_parts(struct store *s, struct store_reader *q, struct store_cursor *c,
    struct fail *why)
{
	uint64_t check;
	int rc;

	if (c->head) {
		if (open_head(s, q, c, why) != 0)
			return -1;
	} else if (c->at == 0 && (store_block_find(s, c->file, q->ask.check,
	    &check, &c->at) == 0 || check != q->ask.check)) {
		cursor_end(q, c);
		return 0;
	} else {
		rc = store_strip_open(s, c->file, c->at, &c->strip, why);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			store_block_damaged(s, c->file, c->at);
			cursor_end(q, c);
			return 0;
		}
	}
	seek(q, c, q->ask.down ? (int64_t)c->strip.refs - 1 : 0);
	return 0;
}

/* Part k of the head turned out to have room for n results only: the others
 * are a part of their own. */
static int
split(struct store_strip *p, unsigned k, unsigned n)
{
	struct store_ref *r = realloc(p->ref, (p->refs + 2) * sizeof *r);

	if (r == NULL)
		return -1;
	p->ref = r;
	memmove(r + k + 1, r + k, (p->refs++ - k) * sizeof *r);
	r[k + 1].at += n;
	r[k + 1].rows -= n;
	r[k].rows = n;
	return 0;
}

/* Read a part of a strip or of the head.  1; 0: it is damaged, or was split
 * and is another now; -1. */
static int
read_part(struct store *s, struct store_cursor *c, const struct str *only,
    struct fail *why)
{
	const struct store_ref *r = &c->strip.ref[c->k];
	unsigned n;

	if (!c->head) {
		if (store_part_read(s, &c->strip, c->k, c->part, only))
			return 1;
		store_block_damaged(s, c->file, r->at);
		return 0;
	}
	n = store_head_part(s, c->pos + r->at, r->rows, c->part);
	if (n < r->rows && split(&c->strip, c->k, n) != 0)
		return fail(why, "no memory");
	return c->part->rows > 0;
}

static int
need_part(struct store_reader *q, struct store_cursor *c, struct fail *why)
{
	if (c->part == NULL) {
		c->part = q->spare;
		q->spare = NULL;
	}
	if (c->part == NULL)
		c->part = malloc(sizeof *c->part);
	return c->part == NULL ? fail(why, "no memory") : 0;
}

/* Go to the next row in range from row i on, in this part or the next. */
static void
stand(struct store_reader *q, struct store_cursor *c, int64_t i)
{
	const struct store_query *a = &q->ask;
	const struct store_part *p = c->part;
	int64_t step = a->down ? -1 : 1;

	while (i >= 0 && i < p->rows && (p->at[i] < a->from_ms ||
	    p->at[i] > a->to_ms))
		i += step;
	if (i < 0 || i >= p->rows) {
		seek(q, c, (int64_t)c->k + step);
		return;
	}
	c->state = READY;
	c->row = (unsigned)i;
	c->key = p->at[i];
}

static int
read_next(struct store *s, struct store_reader *q, struct store_cursor *c,
    struct fail *why)
{
	unsigned refs = c->strip.refs;
	int rc = need_part(q, c, why);

	if (rc == 0)
		rc = read_part(s, c, NULL, why);
	if (rc < 0)
		return -1;
	if (c->strip.refs > refs && q->ask.down)
		seek(q, c, (int64_t)c->k + 1);	/* the later half first */
	else if (rc > 0)
		stand(q, c, q->ask.down ? (int64_t)c->part->rows - 1 : 0);
	else
		seek(q, c, (int64_t)c->k + (q->ask.down ? -1 : 1));
	return 0;
}

struct store_cursor *
store_cursor_add(struct store_reader *q)
{
	struct store_cursor *p;
	unsigned want = 2 * q->room + 8;

	if (q->cursors == q->room) {
		p = realloc(q->cursor, want * sizeof *p);
		if (p == NULL)
			return NULL;
		q->cursor = p;
		q->room = want;
	}
	p = &q->cursor[q->cursors++];
	*p = (struct store_cursor){ .state = SHUT,
	    .key = q->ask.down ? INT64_MAX : INT64_MIN };
	return p;
}

/* Begin anew, with no cursor. */
void
store_reader_begin(struct store_reader *q, const struct store_query *ask)
{
	while (q->cursors > 0)
		cursor_end(q, q->cursor);
	q->run = NULL;
	q->last_raw = false;
	q->ask = *ask;
}

void
store_reader_close(struct store_reader *q)
{
	while (q->cursors > 0)
		cursor_end(q, q->cursor);
	free(q->cursor);
	free(q->spare);
	*q = (struct store_reader){ .cursors = 0 };
}

/* Which cursor is next, and up to which key nobody else is. */
static struct store_cursor *
choose(struct store_reader *q)
{
	struct store_cursor *c, *best = NULL, *second = NULL;

	for (c = q->cursor; c < q->cursor + q->cursors; c++) {
		if (best == NULL || before(q, c, best)) {
			second = best;
			best = c;
		} else if (second == NULL || before(q, c, second)) {
			second = c;
		}
	}
	q->limit_ms = second != NULL ? second->key :
	    q->ask.down ? INT64_MIN : INT64_MAX;
	return best;
}

/* Leave the row that was given last. */
static void
advance(struct store_reader *q)
{
	struct store_cursor *c = q->run;
	unsigned n = q->cursors;

	q->run = NULL;
	if (c == NULL)
		return;
	stand(q, c, (int64_t)c->row + (q->ask.down ? -1 : 1));
	if (q->cursors == n && c->state == READY && (q->ask.down ?
	    c->key > q->limit_ms : c->key < q->limit_ms))
		q->run = c;
}

/* Bring a cursor to its next row.  1, 0: there is none, or -1. */
static int
settle(struct store *s, struct store_reader *q, struct fail *why)
{
	struct store_cursor *c;
	int rc = 0;

	while (q->run == NULL && rc == 0) {
		c = choose(q);
		if (c == NULL)
			return 0;
		if (c->state == SHUT)
			rc = open_parts(s, q, c, why);
		else if (c->state == PARTS)
			rc = read_next(s, q, c, why);
		else
			q->run = c;
	}
	return rc == 0 ? 1 : -1;
}

/* The next row.  1, 0: no more, -1 with *why.  Its texts last until the next
 * call.  Of two raw ones with one time the second is none. */
int
store_reader_next(struct store *s, struct store_reader *q,
    struct store_row *row, struct fail *why)
{
	bool again, raw;
	int rc;

	do {
		advance(q);
		rc = settle(s, q, why);
		if (rc != 1)
			return rc;
		raw = q->run->part->level == LEVEL_RAW;
		again = raw && q->last_raw && q->last_ms == q->run->key;
		q->last_raw = raw;
		q->last_ms = q->run->key;
	} while (again);
	row->r.check = q->ask.check;
	store_part_row(q->run->part, q->run->row, row);
	return 1;
}

/* A cursor for block i, or for the head (i is the number of blocks), if it
 * may have anything.  0 or -1. */
static int
add_file(struct store *s, struct store_reader *q, unsigned i,
    struct fail *why)
{
	const struct store_query *a = &q->ask;
	const struct store_file *f = &s->b.file[i];
	bool head = i == s->b.files;
	struct store_cursor *c;

	if (!head && (f->dead || f->foreign || f->span.min_ms > a->to_ms ||
	    f->span.max_ms < a->from_ms))
		return 0;
	c = store_cursor_add(q);
	if (c == NULL)
		return fail(why, "no memory");
	c->head = head;
	c->file = i;
	c->age = head ? UINT64_MAX : f->block.first;
	if (!head)
		c->key = a->down ? f->span.max_ms : f->span.min_ms;
	return 0;
}

int
store_rows(struct store *s, const struct store_query *ask, struct fail *why)
{
	unsigned i;

	store_reader_begin(&s->q, ask);
	for (i = 0; i <= s->b.files; i++)
		if (add_file(s, &s->q, i, why) != 0)
			return -1;
	return 0;
}

int
store_row_next(struct store *s, struct store_row *row, struct fail *why)
{
	return store_reader_next(s, &s->q, row, why);
}

/* Series: buckets of equal width, which need no order. */

struct series {
	const struct store_query *ask;
	struct str name;
	unsigned points;
	struct store_bucket *b;
};

static unsigned
bucket_of(const struct series *g, int64_t at_ms)
{
	const struct store_query *a = g->ask;

	at_ms = at_ms < a->from_ms ? a->from_ms :
	    at_ms > a->to_ms ? a->to_ms : at_ms;
	return (unsigned)((at_ms - a->from_ms) * g->points /
	    (a->to_ms + 1 - a->from_ms));
}

static void
add_part(struct series *g, const struct store_part *p)
{
	const struct store_column *c = p->column;
	struct store_bucket *b;
	int64_t v[3];
	unsigned i, k;

	while (c < p->column + p->columns && !str_is(g->name, c->name))
		c++;
	if (c == p->column + p->columns)
		c = NULL;
	for (i = 0; i < p->rows; i++) {
		if (p->at[i] < g->ask->from_ms || p->at[i] > g->ask->to_ms)
			continue;
		b = &g->b[bucket_of(g, p->at[i])];
		b->rows += (uint64_t)p->count[i];
		if ((p->flags[i] & 3) > b->worst)
			b->worst = p->flags[i] & 3;
		if (c == NULL || !c->has[i])
			continue;
		for (k = 0; k < 3; k++)
			v[k] = c->v[k][i];
		store_sum_add(&b->sum, v, (uint64_t)p->count[i]);
	}
}

/* One quarter: what it has is in each bucket that it touches. */
static void
add_quarter(struct series *g, const struct store_summary *sum, unsigned i,
    int64_t end_ms)
{
	const int64_t v[3] = { sum->v[0][i], sum->v[1][i], sum->v[2][i] };
	unsigned from = bucket_of(g, sum->at[i]), to = bucket_of(g, end_ms);
	uint64_t each = (uint64_t)sum->count[i] / (to - from + 1);

	for (; from <= to; from++) {
		store_sum_add(&g->b[from].sum, v, each > 0 ? each : 1);
		g->b[from].rows += each > 0 ? each : 1;
		if (sum->worst[i] > g->b[from].worst)
			g->b[from].worst = (uint8_t)sum->worst[i];
	}
}

/* Draw from the summary, if there is one fine enough. */
static bool
add_summary(struct store_cursor *c, struct series *g)
{
	static struct store_summary sum;
	const struct store_strip *p = &c->strip;
	int64_t width = (g->ask->to_ms + 1 - g->ask->from_ms) / g->points;
	int64_t first = p->ref[0].first_ms, last = p->ref[p->refs - 1].last_ms;
	int64_t end;
	unsigned i;

	if (p->refs < 2 || (last - first) / (2 * p->refs) > width ||
	    !store_strip_summary(&c->strip, g->name, &sum) ||
	    2 * (last - first) / sum.n > width)
		return false;
	for (i = 0; i < 2 * sum.n; i++) {
		unsigned k = i % sum.n;

		end = k + 1 < sum.n ? sum.at[k + 1] - 1 : last;
		if (end < g->ask->from_ms || sum.at[k] > g->ask->to_ms)
			continue;
		if (i >= sum.n)
			add_quarter(g, &sum, k, end);
		/* Before any is: in one so long nothing was heard. */
		else if (bucket_of(g, end) > bucket_of(g, sum.at[k]) + 1)
			return false;
	}
	return true;
}

/* All of one file. */
static int
add_all(struct store *s, struct store_reader *q, struct series *g,
    struct fail *why)
{
	struct store_cursor *c = q->cursor;
	int rc = 0;

	if (q->cursors > 0 && open_parts(s, q, c, why) != 0)
		return -1;
	if (q->cursors > 0 && !c->head && add_summary(c, g))
		cursor_end(q, c);
	while (q->cursors > 0 && rc >= 0) {
		rc = need_part(q, c, why);
		if (rc == 0)
			rc = read_part(s, c, &g->name, why);
		if (rc > 0)
			add_part(g, c->part);
		seek(q, c, (int64_t)c->k + 1);
	}
	return rc < 0 ? -1 : 0;
}

int
store_series(struct store *s, const struct store_query *ask, struct str name,
    unsigned points, struct store_bucket *b, struct fail *why)
{
	struct series g = { ask, name, points, b };
	struct store_reader *q = &s->q;
	unsigned i;

	assert(points > 0 && ask->from_ms >= 0 && ask->from_ms <= ask->to_ms);
	memset(b, 0, points * sizeof *b);
	for (i = 0; i <= s->b.files; i++) {
		store_reader_begin(q, ask);
		if (add_file(s, q, i, why) != 0 ||
		    add_all(s, q, &g, why) != 0)
			return -1;
	}
	return 0;
}
