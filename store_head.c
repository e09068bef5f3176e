/*
 * store_head.c: see store.h; the records of the head.
 *
 *	length  crc32   type seq ...
 *	4       4       1    varint             length counts from type on
 *
 * A record stands by itself: what it refers to is in it.  doc/format draws
 * them byte by byte.  Differences wrap around at 2^64, both ways.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "store_impl.h"

#define MAGIC		"vilicus-head"
#define VERSION		1

enum { TYPE_FILE = 1, TYPE_REPORT = 2 };

/* A result's first byte; the two lowest bits are its code. */
enum {
	HAS_VALUE = 4, HAS_METRICS = 8, HAS_TEXT = 16, IS_LATE = 32,
	GIVEN_SAME = 64, GIVEN_BYTE = 128
};

static void
code_result(struct store_code *c, struct store_result *r)
{
	unsigned flags = r->code, i;

	flags |= r->has_value ? HAS_VALUE : 0;
	flags |= r->metrics > 0 ? HAS_METRICS : 0;
	flags |= r->text.n > 0 ? HAS_TEXT : 0;
	flags |= r->late ? IS_LATE : 0;
	if (r->given != STORE_NO_CODE)
		flags |= r->given == r->code ? GIVEN_SAME : GIVEN_BYTE;
	flags = store_code_byte(c, flags);
	r->code = flags & 3;
	r->late = (flags & IS_LATE) != 0;
	r->has_value = (flags & HAS_VALUE) != 0;
	if (flags & GIVEN_BYTE)
		r->given = (uint8_t)store_code_byte(c, r->given);
	else
		r->given = flags & GIVEN_SAME ? r->code : STORE_NO_CODE;
	r->check = c->check = store_code_signed(c, r->check, c->check);
	r->at_ms = c->at_ms = store_code_signed(c, r->at_ms, c->at_ms);
	if (r->has_value)
		r->value = store_code_signed(c, r->value, 0);
	if (flags & HAS_METRICS)
		r->metrics = (unsigned)store_code(c, r->metrics);
	if (r->metrics > STORE_METRICS_MAX) {
		c->bad = true;
		r->metrics = 0;
	}
	for (i = 0; i < r->metrics; i++) {
		r->metric[i].name = store_code_name(c, r->metric[i].name);
		r->metric[i].value = store_code_signed(c,
		    r->metric[i].value, 0);
	}
	if (flags & HAS_TEXT)
		r->text = store_code_bytes(c, r->text, STORE_TEXT_MAX);
}

/* What stands before the results. */
static void
code_report(struct store_code *c)
{
	struct store_report *r = &c->rep;
	struct store_span *t = &c->span;

	r->source = store_code(c, r->source);
	r->received_ms = store_code_signed(c, r->received_ms, 0);
	r->dropped = store_code(c, r->dropped);
	r->results = (unsigned)store_code(c, r->results);
	t->min_ms = store_code_signed(c, t->min_ms, r->received_ms);
	t->max_ms = t->min_ms + store_code(c, (uint64_t)t->max_ms - t->min_ms);
}

int
store_record(struct store_set *t, const struct store_file *f,
    struct store_rec *r)
{
	struct store_rec after = { 0 };
	struct store_code c;

	if (store_record_at(t, f, r)) {
		if (r->type != TYPE_FILE)
			return r->type == TYPE_REPORT ? STORE_GOOD : STORE_PASS;
		if (r->n == 0 || !str_starts(r->text, STR(MAGIC)))
			return STORE_BAD;
		store_code_from(&c, str_after(r->text, sizeof MAGIC - 1));
		r->version = store_code(&c, 0);
		r->first = r->n--;
		return STORE_GOOD;
	}
	/* Go on past it if a good one follows there, for what looks like one
	 * inside it may be somebody's text. */
	after.at = r->next;
	if (r->next == 0 || !store_record_at(t, f, &after))
		r->next = r->at + 1;
	return STORE_BAD;
}

/* Reading a report. */

bool
store_report_open(struct store_code *c, const struct store_rec *r)
{
	store_code_from(c, r->text);
	c->rep.seq = r->n;
	code_report(c);
	c->at_ms = c->rep.received_ms;
	return r->type == TYPE_REPORT && !c->bad &&
	    c->rep.results <= STORE_RESULTS_MAX;
}

/* The next result.  False: there are no more (that can be read). */
static bool
report_result(struct store_code *c, struct store_result *r)
{
	if (c->bad || c->done == c->rep.results)
		return false;
	memset(r, 0, offsetof(struct store_result, metric)); /* not 1 KB */
	r->text.n = 0;
	code_result(c, r);
	c->done++;
	return !c->bad;
}

/* Opening. */

/* Read all of a file. */
int
store_head_scan(struct store *s, unsigned i, struct fail *why)
{
	struct store_file *f = &s->h.file[i];
	struct store_walk w;
	struct store_code d;
	struct store_rec rec;

	store_walk_begin(&w, &s->h, i);
	/* It may be a file that was sealed, and came back. */
	w.tell = w.limit - 1 > s->seq;
	while (store_step(s, &w, &rec)) {
		if (rec.n > s->seq)
			s->seq = rec.n;
		if (!store_report_open(&d, &rec))
			continue;
		if (f->block.received_ms == 0)
			f->block.received_ms = d.rep.received_ms;
		s->newest_ms = d.rep.received_ms;
		if (d.rep.results > 0)
			store_span_add(&f->span, d.span.min_ms, d.span.max_ms);
	}
	if (store_unread(&w, why) != 0)
		return -1;
	f->whole = !w.damaged && !s->h.holes;
	return i + 1 == s->h.files && !s->look ? store_cut(s, &w, why) : 0;
}

int
store_head_open(struct store *s, struct fail *why)
{
	s->span = STORE_NO_SPAN;
	for (unsigned i = 0; i < s->b.files; i++)
		if (s->b.file[i].block.last > s->seq) {
			s->seq = s->b.file[i].block.last;
			s->newest_ms = s->b.file[i].block.received_ms;
		}
	if (s->snap_head > s->seq)	/* they were there, and are gone */
		s->seq = s->snap_head;
	for (unsigned i = 0; i < s->h.files; i++)
		if (s->h.file[i].first != 0 && store_head_scan(s, i, why) != 0)
			return -1;
	s->durable = s->seq;
	store_walk_begin(&s->reports, &s->h, 0);
	return 0;
}

int
store_report_next(struct store *s, uint64_t from_seq, struct store_report *r,
    struct fail *why)
{
	struct store_walk *w = &s->reports;
	struct store_rec rec;
	int rc;

	while (w->i < s->h.files && w->limit <= from_seq)
		store_walk_begin(w, &s->h, w->i + 1);
	do
		rc = store_next(s, w, &rec, why);
	while (rc == 1 && (rec.n < from_seq ||
	    !store_report_open(&s->dec, &rec)));
	*r = s->dec.rep;
	s->dec.bad |= rc != 1;
	return rc;
}

int
store_result_next(struct store *s, struct store_result *r)
{
	return report_result(&s->dec, r);
}

/* Writing. */

int
store_report_begin(struct store *s, const struct store_report *r,
    unsigned max_results, uint64_t *seq, struct fail *why)
{
	struct store_code *c = &s->enc;
	struct buf *b = &s->h.pend;
	size_t left = b->cap - b->n;

	assert(!c->writing);
	s->newest_ms = r->received_ms;
	if (max_results > STORE_RESULTS_MAX ||
	    STORE_REPORT_ROOM + max_results * STORE_RESULT_ROOM > left)
		return fail(why, "no room for %u results until the disk works",
		    max_results);
	*c = (struct store_code){ .writing = true, .rep = *r,
	    .span = STORE_NO_SPAN, .at_ms = r->received_ms };
	/* Behind a gap for what will stand before the results. */
	buf_init(&c->out, b->p + b->n + STORE_REPORT_ROOM,
	    left - STORE_REPORT_ROOM);
	c->rep.results = 0;
	c->rep.seq = *seq = s->seq + 1;
	return 0;
}

void
store_report_add(struct store *s, const struct store_result *r)
{
	struct store_code *c = &s->enc;
	struct store_result copy = *r;

	assert(c->writing && c->rep.results < STORE_RESULTS_MAX);
	assert(r->code < 4 && (r->given < 4 || r->given == STORE_NO_CODE));
	assert(r->check != 0);
	code_result(c, &copy);
	assert(!c->bad);
	store_span_add(&c->span, r->at_ms, r->at_ms);
	c->rep.results++;
}

void
store_report_end(struct store *s)
{
	struct store_code *c = &s->enc;
	struct buf *b = &s->h.pend, body = c->out;
	char *p = b->p + b->n;

	assert(c->writing && !body.full);
	if (c->rep.results > 0)
		store_span_add(&s->span, c->span.min_ms, c->span.max_ms);
	else
		c->span = (struct store_span){ c->at_ms, c->at_ms };
	store_record_begin(c, p, STORE_REPORT_ROOM, TYPE_REPORT, c->rep.seq);
	code_report(c);
	c->writing = false;
	memmove(p + c->out.n, body.p, body.n);
	b->n += store_record_end(p, c->out.n + body.n).n;
	s->seq = c->rep.seq;
}

uint64_t
store_head_seq(const struct store *s)
{
	return s->seq;
}

/* Write what is pending and was not written yet; sync it unless it may
 * wait. */
int
store_head_commit(struct store *s, int64_t mono_ms, struct fail *why)
{
	struct store_set *t = &s->h;
	bool wait = mono_ms - s->synced_ms < s->sync_ms && !s->sync_now &&
	    s->j.pend.n == 0 && t->pend.n < STORE_PENDING_MAX / 2;
	struct str all = str_after(str_from(&t->pend), t->written);
	struct store_code c = { .writing = true };
	char p[STORE_FRONT];

	assert(!s->enc.writing);
	if (wait && all.n == 0)
		return 0;
	if (t->written == 0 && t->fd >= 0 &&
	    store_newest(t)->end >= store_cap(s, STORE_HEAD_BYTES))
		store_leave(t);
	if (t->written == 0 && store_begin(s, t, t->pend.n, why) != 0)
		return -1;
	if (t->at == 0) {
		/* A new file: behind a first record, in one piece, so that
		 * neither is there without the other. */
		store_record_begin(&c, p, sizeof p, TYPE_FILE, s->durable + 1);
		buf_add(&c.out, STR(MAGIC));
		(void)store_code(&c, VERSION);
		(void)store_record_end(p, c.out.n);
		memcpy(t->pend.p - c.out.n, p, c.out.n);
		all = (struct str){ t->pend.p - c.out.n, c.out.n + all.n };
	}
	store_write(t, all);
	t->written = t->pend.n;
	if (wait && t->write_error == 0)
		return 0;
	if (store_end(t, s->durable + 1, why) != 0)
		return -1;
	store_span_add(&store_newest(t)->span, s->span.min_ms, s->span.max_ms);
	if (store_newest(t)->block.received_ms == 0)
		store_newest(t)->block.received_ms = s->newest_ms;
	s->span = STORE_NO_SPAN;
	s->durable = s->seq;
	s->synced_ms = mono_ms;
	return 0;
}

/* Finding: where results are. */

struct query {
	const struct store_query *ask;	/* check 0: all */
	struct store_pos *pos;
	unsigned n, room;
	bool full;			/* no memory */
};

static void
query_report(struct query *q, const struct store_rec *rec, unsigned file)
{
	const struct store_query *a = q->ask;
	struct store_pos *p;
	struct store_result r;
	struct store_code d;

	if (!store_report_open(&d, rec) || d.span.min_ms > a->to_ms ||
	    d.span.max_ms < a->from_ms || (a->source != 0 &&
	    d.rep.source != 0 && d.rep.source != a->source))
		return;
	while (!q->full && report_result(&d, &r)) {
		if ((a->check != 0 && r.check != a->check) ||
		    r.at_ms < a->from_ms || r.at_ms > a->to_ms)
			continue;
		p = store_grow(q->pos, q->n, &q->room, sizeof *p);
		q->full = p == NULL;
		if (p == NULL)
			continue;
		q->pos = p;
		p[q->n++] = (struct store_pos){ file, (uint32_t)rec->at,
		    d.done - 1, r.at_ms, rec->n, r.check };
	}
}

static int
by_time(const void *a, const void *b)
{
	const struct store_pos *x = a, *y = b;

	if (x->check != y->check)
		return x->check < y->check ? -1 : 1;
	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The results of a query, in the order of their checks and times, of those
 * with one time the first to come; of the reports up to number last, or of
 * all and what is pending (0). */
int
store_head_rows(struct store *s, const struct store_query *ask, uint64_t last,
    struct store_pos **pos, unsigned *n, struct fail *why)
{
	struct query q = { .ask = ask };
	struct store_set *t = &s->h;
	struct store_walk w;
	struct store_rec rec;
	unsigned i, k = 0;

	t->file[t->files] = (struct store_file){ .number = STORE_PENDING,
	    .end = last == 0 ? t->pend.n : 0, .span = s->span, .whole = true };
	for (i = 0; i <= t->files && !q.full; i++) {
		struct store_file *f = &t->file[i];

		if (f->dead || f->span.min_ms > ask->to_ms ||
		    f->span.max_ms < ask->from_ms)
			continue;
		store_walk_begin(&w, t, i);
		w.trusted = f->whole;
		while (store_step(s, &w, &rec) && (last == 0 || rec.n <= last))
			query_report(&q, &rec, i);
	}
	store_sort(q.pos, q.n, sizeof *q.pos, by_time);
	for (i = 0; i < q.n; i++)
		if (k == 0 || q.pos[i].check != q.pos[k - 1].check ||
		    q.pos[i].at_ms != q.pos[k - 1].at_ms)
			q.pos[k++] = q.pos[i];
	*n = k;
	*pos = q.pos;
	if (!q.full)
		return 0;
	free(q.pos);
	return fail(why, "no memory");
}

/* Up to a part of results from their places, which are sorted.  How many
 * were taken: all, but where the part has no room for their names. */
unsigned
store_head_part(struct store *s, const struct store_pos *pos, unsigned n,
    struct store_part *part)
{
	struct store_row row = { .count = 1 };
	struct store_rec rec = { .at = UINT64_MAX };
	struct store_code d = { .bad = true };
	unsigned i, file = UINT32_MAX, k;

	store_part_clear(part, LEVEL_RAW);
	for (i = 0; i < n; i++) {
		if (file != pos[i].file || rec.at != pos[i].offset ||
		    d.done > pos[i].index) {
			file = pos[i].file;
			rec = (struct store_rec){ .at = pos[i].offset,
			    .trusted = s->h.file[file].whole };
			if (!store_record_at(&s->h, &s->h.file[file], &rec) ||
			    !store_report_open(&d, &rec))
				d.bad = true;
		}
		while (d.done <= pos[i].index && report_result(&d, &row.r))
			;
		if (d.bad || row.r.at_ms != pos[i].at_ms)
			continue;
		row.value[0] = row.value[1] = row.value[2] = row.r.value;
		for (k = 0; k < row.r.metrics; k++)
			row.metric[k][0] = row.metric[k][1] =
			    row.metric[k][2] = row.r.metric[k].value;
		if (!store_part_add(part, &row))
			break;
	}
	return i;
}
