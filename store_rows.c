/*
 * store_rows.c: see store.h; history read back, over head and blocks alike.
 *
 * What a file has of a check is a strip of parts; of the head's results one
 * is made.  Parts are read, and their rows put in order; so late data, and
 * what came twice, need no more than a sort.
 */
#include <assert.h>
#include <stdlib.h>

#include "store_impl.h"

/* A part to read into: of series always the same. */
static struct store_part *
room(struct store_reader *q)
{
	struct store_part **p;

	if (q->to != NULL && q->parts > 0)
		return q->part[0];
	if (q->parts == q->made) {
		p = realloc(q->part, (q->made + 1) * sizeof *p);
		if (p == NULL)
			return NULL;
		q->part = p;
		p[q->made] = malloc(sizeof **p);
		if (p[q->made] == NULL)
			return NULL;
		q->made++;
	}
	return q->part[q->parts++];
}

/* Forget what was read. */
void
store_reader_close(struct store_reader *q)
{
	while (q->made > 0)
		free(q->part[--q->made]);
	free(q->part);
	free(q->row);
	*q = (struct store_reader){ .parts = 0 };
}

/* Series: buckets of equal width, which need no order. */

static unsigned
bucket_of(const struct store_series *g, int64_t at_ms)
{
	const struct store_query *a = g->ask;

	at_ms = at_ms < a->from_ms ? a->from_ms :
	    at_ms > a->to_ms ? a->to_ms : at_ms;
	return (unsigned)((at_ms - a->from_ms) * g->points /
	    (a->to_ms + 1 - a->from_ms));
}

static void
draw(struct store_bucket *b, const int64_t *v, uint64_t count, int64_t code)
{
	b->rows += count;
	if (code > b->worst)
		b->worst = (uint8_t)code;
	if (v != NULL)
		store_sum_add(&b->sum, v, count);
}

/* Draw from the summary, if there is one fine enough: what a third has is
 * in each bucket that it touches. */
static bool
draw_summary(struct store_series *g, struct store_strip *p)
{
	static struct store_summary sum;
	int64_t width = (g->ask->to_ms + 1 - g->ask->from_ms) / g->points;
	int64_t first = p->ref[0].first_ms, last = p->ref[p->refs - 1].last_ms;
	unsigned i, from, to;
	uint64_t each;

	if (p->refs < 2 || (last - first) / (2 * p->refs) > width ||
	    !store_strip_summary(p, g->name, &sum) ||
	    2 * (last - first) / sum.n > width)
		return false;
	for (i = 0; i < 2 * sum.n; i++) {
		unsigned k = i % sum.n;
		int64_t v[3] = { sum.v[0][k], sum.v[1][k], sum.v[2][k] };
		int64_t end = k + 1 < sum.n ? sum.at[k + 1] - 1 : last;

		if (end < g->ask->from_ms || sum.at[k] > g->ask->to_ms)
			continue;
		from = bucket_of(g, sum.at[k]);
		to = bucket_of(g, end);
		/* Before any is drawn: in one so long nothing was heard. */
		if (to > from + 1)
			return false;
		each = (uint64_t)sum.count[k] / (to - from + 1);
		for (; i >= sum.n && from <= to; from++)
			draw(&g->b[from], v, each > 0 ? each : 1, sum.worst[k]);
	}
	return true;
}

/* Reading. */

/* What is done with each part: series draws it; else its rows that are in
 * range are kept.  0, or -1: no memory. */
static int
take_part(struct store_reader *q, struct store_part *p, uint64_t age)
{
	const struct store_column *c = p->column, *end = c + p->columns;
	struct store_series *g = q->to;
	struct store_at *r;

	while (g != NULL && c < end && !str_is(g->name, c->name))
		c++;
	for (unsigned i = 0; i < p->rows; i++) {
		if (p->at[i] < q->ask.from_ms || p->at[i] > q->ask.to_ms)
			continue;
		if (g != NULL) {
			draw(&g->b[bucket_of(g, p->at[i])],
			    c == end || !c->has[i] ? NULL : (int64_t[]){
			    c->v[0][i], c->v[1][i], c->v[2][i] },
			    (uint64_t)p->count[i], p->flags[i] & 3);
			continue;
		}
		r = store_grow(q->row, q->rows, &q->rows_room, sizeof *r);
		if (r == NULL)
			return -1;
		q->row = r;
		r[q->rows++] = (struct store_at){ p->at[i], age, p, i };
	}
	return 0;
}

/* In the order of their times; of those with one the first to come. */
static int
by_time(const void *a, const void *b)
{
	const struct store_at *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->age != y->age)
		return x->age < y->age ? -1 : 1;
	return x->i < y->i ? -1 : 1;
}

/* Sort what was read, and drop what came again; means of different blocks
 * are never the same. */
void
store_reader_order(struct store_reader *q)
{
	unsigned i, n = 0;

	store_sort(q->row, q->rows, sizeof *q->row, by_time);
	for (i = 0; i < q->rows; i++)
		if (n == 0 || q->row[i].at_ms != q->row[n - 1].at_ms ||
		    q->row[i].p->level != LEVEL_RAW ||
		    q->row[n - 1].p->level != LEVEL_RAW)
			q->row[n++] = q->row[i];
	q->rows = n;
	q->next = q->ask.down ? n : 0;
}

/* The head's results, pos, which are in order. */
int
store_read_head(struct store *s, struct store_reader *q,
    const struct store_pos *pos, unsigned n, struct fail *why)
{
	struct store_part *p;

	for (unsigned i = 0; i < n;) {
		p = room(q);
		if (p != NULL)
			i += store_head_part(s, pos + i, n - i, p);
		if (p == NULL || take_part(q, p, UINT64_MAX) != 0)
			return fail(why, "no memory");
	}
	return 0;
}

/* What block i has of the check: its strip is at that place, or to be found
 * (0). */
int
store_read_block(struct store *s, struct store_reader *q, unsigned i,
    uint64_t at, struct fail *why)
{
	const struct store_file *f = &s->b.file[i];
	struct store_strip strip;
	struct store_part *p;
	uint64_t check;
	int rc;

	if (at == 0 && (store_block_find(s, i, q->ask.check, &check, &at) ==
	    0 || check != q->ask.check))
		return 0;
	rc = store_strip_open(s, i, at, &strip, why);
	if (rc > 0)
		store_block_damaged(s, i, at);
	if (rc > 0 || (rc == 0 && q->to != NULL && draw_summary(q->to, &strip)))
		strip.refs = rc = 0;
	for (unsigned k = 0; k < strip.refs && rc == 0; k++) {
		if (strip.ref[k].first_ms > q->ask.to_ms ||
		    strip.ref[k].last_ms < q->ask.from_ms)
			continue;
		p = room(q);
		if (p != NULL && !store_part_read(s, &strip, k, p,
		    q->to == NULL ? NULL : &q->to->name))
			store_block_damaged(s, i, strip.ref[k].at);
		else if (p == NULL || take_part(q, p, f->block.first) != 0)
			rc = fail(why, "no memory");
	}
	free(strip.bytes);
	free(strip.ref);
	return rc;
}

/* Of the blocks not looked at the one that goes on where the others end:
 * with the latest result, or the earliest.  The number of blocks: none. */
static unsigned
next_block(struct store *s, const struct store_reader *q)
{
	const struct store_query *a = &q->ask;
	const struct store_file *f, *best = NULL;

	for (f = s->b.file; f < s->b.file + s->b.files; f++)
		if (!f->dead && !f->foreign && f->mark != q->mark &&
		    f->span.min_ms <= a->to_ms && f->span.max_ms >= a->from_ms
		    && (best == NULL || (a->down ?
		    f->span.max_ms > best->span.max_ms :
		    f->span.min_ms < best->span.min_ms)))
			best = f;
	return best == NULL ? s->b.files : (unsigned)(best - s->b.file);
}

/* Are the rows that are wanted all before this block? */
static bool
enough(const struct store_reader *q, const struct store_file *f)
{
	unsigned i, n = 0;

	if (q->ask.limit == 0 || q->rows < q->ask.limit)
		return false;
	for (i = 0; i < q->rows; i++)
		n += q->ask.down ? q->row[i].at_ms > f->span.max_ms :
		    q->row[i].at_ms < f->span.min_ms;
	return n >= q->ask.limit;
}

/* Read all that a query is about, or draw it. */
static int
read_all(struct store *s, const struct store_query *ask,
    struct store_series *g, struct fail *why)
{
	static unsigned mark;
	struct store_reader *q = &s->q;
	struct store_pos *pos;
	unsigned i, n;
	int rc;

	store_reader_close(q);
	q->ask = *ask;
	q->to = g;
	q->mark = ++mark;
	if (store_head_rows(s, ask, 0, &pos, &n, why) != 0)
		return -1;
	/* The newest first, or last: then rows mostly come in order. */
	rc = ask->down ? store_read_head(s, q, pos, n, why) : 0;
	while (rc == 0 && (i = next_block(s, q)) < s->b.files &&
	    !enough(q, &s->b.file[i])) {
		s->b.file[i].mark = mark;
		rc = store_read_block(s, q, i, 0, why);
	}
	if (rc == 0 && !ask->down)
		rc = store_read_head(s, q, pos, n, why);
	free(pos);
	return rc;
}

int
store_rows(struct store *s, const struct store_query *ask, struct fail *why)
{
	if (read_all(s, ask, NULL, why) != 0)
		return -1;
	store_reader_order(&s->q);
	return 0;
}

int
store_reader_next(struct store_reader *q, struct store_row *row)
{
	const struct store_at *r;

	if (q->ask.down ? q->next == 0 : q->next == q->rows)
		return 0;
	r = &q->row[q->ask.down ? --q->next : q->next++];
	row->r.check = q->ask.check;
	store_part_row(r->p, r->i, row);
	return 1;
}

int
store_row_next(struct store *s, struct store_row *row, struct fail *why)
{
	(void)why;
	return store_reader_next(&s->q, row);
}

int
store_series(struct store *s, const struct store_query *ask, struct str name,
    unsigned points, struct store_bucket *b, struct fail *why)
{
	struct store_series g = { ask, name, points, b };

	assert(points > 0 && ask->from_ms >= 0 && ask->from_ms <= ask->to_ms);
	memset(b, 0, points * sizeof *b);
	return read_all(s, ask, &g, why);
}
