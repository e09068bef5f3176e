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
#include <string.h>
#include <zlib.h>

#include "store_impl.h"

#define FRAME		8		/* length and crc32 */
#define VARINT_MAX	10
#define REPORT_ROOM	(FRAME + 1 + 7 * VARINT_MAX)
#define METRIC_ROOM	(2 + STORE_NAME_MAX + VARINT_MAX)
#define RESULT_ROOM	(2 + 3 * VARINT_MAX + 1 + \
			 STORE_METRICS_MAX * METRIC_ROOM + 2 + STORE_TEXT_MAX)
#define MAGIC		"vilicus-head"
#define VERSION		1

enum { TYPE_FILE = 1, TYPE_REPORT = 2 };

/* A result's first byte; the two lowest bits are its code. */
enum {
	HAS_VALUE = 4, HAS_METRICS = 8, HAS_TEXT = 16, IS_LATE = 32,
	GIVEN_SAME = 64, GIVEN_BYTE = 128
};

/* Numbers, bytes, names: c->writing writes what is given, and else what is
 * given does not matter; each returns what then stands there. */

static unsigned
code_byte(struct store_code *c, unsigned byte)
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

static uint64_t
code(struct store_code *c, uint64_t v)
{
	unsigned shift = 0, byte;
	uint64_t got = 0;

	do {
		byte = code_byte(c, (v & 127) | (v > 127 ? 128 : 0));
		got |= (uint64_t)(byte & 127) << shift;
		v >>= 7;
		shift += 7;
	} while (byte > 127 && shift <= 63);
	if (byte > 127 || (shift > 63 && byte > 1))
		c->bad = true;		/* longer than 64 bits */
	return got;
}

/* As the difference to base, which is small when they are close. */
static int64_t
code_signed(struct store_code *c, int64_t v, int64_t base)
{
	uint64_t d = (uint64_t)v - (uint64_t)base;

	d = code(c, d >> 63 ? ~(d << 1) : d << 1);
	return (int64_t)((uint64_t)base + (d & 1 ? ~(d >> 1) : d >> 1));
}

static struct str
code_bytes(struct store_code *c, struct str s, size_t max)
{
	uint64_t n = code(c, s.n);

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

/* A name: its place among those of this record, or 0 and the name. */
static struct str
code_name(struct store_code *c, struct str name)
{
	uint64_t k = c->writing ? c->names : 0;

	while (k > 0 && !str_eq(c->name[k - 1], name))
		k--;
	k = code(c, k);
	if (k > 0 && k <= c->names)
		return c->name[k - 1];
	if (k > 0)
		c->bad = true;
	name = code_bytes(c, name, STORE_NAME_MAX);
	if (c->names < STORE_DICT_MAX)
		c->name[c->names++] = name;
	return name;
}

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
	flags = code_byte(c, flags);
	r->code = flags & 3;
	r->late = (flags & IS_LATE) != 0;
	r->has_value = (flags & HAS_VALUE) != 0;
	if (flags & GIVEN_BYTE)
		r->given = (uint8_t)code_byte(c, r->given);
	else
		r->given = flags & GIVEN_SAME ? r->code : STORE_NO_CODE;
	c->check = code_signed(c, (int64_t)r->check, c->check);
	r->check = (uint64_t)c->check;
	r->at_ms = c->at_ms = code_signed(c, r->at_ms, c->at_ms);
	if (r->has_value)
		r->value = code_signed(c, r->value, 0);
	if (flags & HAS_METRICS)
		r->metrics = (unsigned)code(c, r->metrics);
	if (r->metrics > STORE_METRICS_MAX) {
		c->bad = true;
		r->metrics = 0;
	}
	for (i = 0; i < r->metrics; i++) {
		r->metric[i].name = code_name(c, r->metric[i].name);
		r->metric[i].value = code_signed(c, r->metric[i].value, 0);
	}
	if (flags & HAS_TEXT)
		r->text = code_bytes(c, r->text, STORE_TEXT_MAX);
}

/* What stands before the results. */
static void
code_report(struct store_code *c)
{
	struct store_report *r = &c->rep;
	struct store_span *t = &c->span;

	r->source = code(c, r->source);
	r->received_ms = code_signed(c, r->received_ms, 0);
	r->dropped = code(c, r->dropped);
	r->results = (unsigned)code(c, r->results);
	t->min_ms = code_signed(c, t->min_ms, r->received_ms);
	t->max_ms = (int64_t)((uint64_t)t->min_ms +
	    code(c, (uint64_t)t->max_ms - (uint64_t)t->min_ms));
}

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

/* Records: the frame, type and seq. */

/* The crc32 covers the length too: zeros are no record. */
static uint32_t
record_crc(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)crc32(crc32(0, u, 4), u + FRAME, (unsigned)n);
}

static void
record_begin(struct store_code *c, char *p, unsigned type, uint64_t seq)
{
	c->writing = true;
	buf_init(&c->out, p, REPORT_ROOM);
	buf_add(&c->out, (struct str){ "\0\0\0\0\0\0\0", FRAME });
	(void)code_byte(c, type);
	(void)code(c, seq);
}

/* Frame the record of n bytes at p. */
static struct str
record_end(char *p, size_t n)
{
	put_u32(p, (uint32_t)(n - FRAME));
	put_u32(p + 4, record_crc(p, n - FRAME));
	return (struct str){ p, n };
}

static bool
record_parse(const char *p, size_t n, struct store_rec *r)
{
	struct store_code c = { .in = { p + FRAME, n } };

	r->type = code_byte(&c, 0);
	r->n = code(&c, 0);
	r->text = c.in;
	return !c.bad && r->type >= TYPE_FILE && r->type <= 127 &&
	    r->n < STORE_NUMBER_MAX;
}

/* Is there a whole record at r->at?  What may follow it is at r->next. */
static bool
record_at(struct store_set *t, const struct store_file *f,
    struct store_rec *r)
{
	uint64_t left = f->end - r->at;
	const char *p;
	size_t n;

	if (left < FRAME + 2 || (p = store_win(t, f, r->at, FRAME)) == NULL)
		return false;
	n = get_u32(p);
	if (n < 2 || n > STORE_RECORD_MAX || n > left - FRAME)
		return false;
	r->next = r->at + FRAME + n;
	p = store_win(t, f, r->at, FRAME + n);
	return p != NULL && get_u32(p + 4) == record_crc(p, n) &&
	    record_parse(p, n, r);
}

/* A file's first record also tells the times of the file before, which then
 * need not be read for them. */
static void
code_first(struct store_code *c, struct store_rec *r)
{
	r->version = code(c, r->version);
	r->before = code(c, r->before);
	r->span.min_ms = code_signed(c, r->span.min_ms, 0);
	r->span.max_ms = code_signed(c, r->span.max_ms, 0);
}

static int
first_parse(struct store_rec *r)
{
	struct store_code c = { .writing = false };

	if (r->n == 0 || !str_starts(r->text, STR(MAGIC)))
		return STORE_BAD;
	c.in = str_after(r->text, sizeof MAGIC - 1);
	code_first(&c, r);
	r->before = c.bad ? 0 : r->before;
	r->first = r->n--;
	return STORE_GOOD;
}

int
store_record(struct store_set *t, const struct store_file *f,
    struct store_rec *r)
{
	struct store_rec after = { 0 };

	if (record_at(t, f, r))
		return r->type == TYPE_REPORT ? STORE_GOOD :
		    r->type == TYPE_FILE ? first_parse(r) : STORE_PASS;
	/* Go on past it if a good one follows there, for what looks like one
	 * inside it may be somebody's text. */
	after.at = r->next;
	if (r->next == 0 || !record_at(t, f, &after))
		r->next = r->at + 1;
	return STORE_BAD;
}

/* Reading a report. */

static bool
report_open(struct store_code *c, const struct store_rec *r)
{
	*c = (struct store_code){ .in = r->text, .rep.seq = r->n };
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
	*r = (struct store_result){ 0 };
	code_result(c, r);
	c->done++;
	return !c->bad;
}

/* Opening. */

static void
span_add(struct store_span *s, int64_t min_ms, int64_t max_ms)
{
	if (min_ms < s->min_ms)
		s->min_ms = min_ms;
	if (max_ms > s->max_ms)
		s->max_ms = max_ms;
}

static void
latest_put(struct store *s, const struct store_result *r)
{
	int64_t *at_ms = &s->latest[r->check % STORE_LATEST];

	if (r->at_ms > *at_ms)
		*at_ms = r->at_ms;
}

/* Read all of a file; from the newest learn the checks' latest, too. */
static int
scan(struct store *s, unsigned i, struct fail *why)
{
	struct store_set *t = &s->h;
	struct store_file *f = &t->file[i];
	struct store_result r;
	struct store_walk w;
	struct store_code d;
	struct store_rec rec;

	store_walk_begin(&w, t, i);
	w.tell = f->told = true;
	if (w.limit == STORE_NUMBER_MAX)
		s->latest_from = f->number;
	while (store_step(s, &w, &rec)) {
		s->seq = rec.n;
		if (!report_open(&d, &rec) || d.rep.results == 0)
			continue;
		span_add(&f->span, d.span.min_ms, d.span.max_ms);
		while (s->latest_from == f->number && report_result(&d, &r))
			latest_put(s, &r);
	}
	if (store_unread(&w, why) != 0)
		return -1;
	return i + 1 == t->files ? store_cut(s, &w, why) : 0;
}

int
store_head_open(struct store *s, struct fail *why)
{
	struct store_set *t = &s->h;
	unsigned i;

	s->span = STORE_NO_SPAN;
	for (i = 0; i < t->files; i++) {
		if (t->file[i].first != 0 && !t->file[i].known &&
		    scan(s, i, why) != 0)
			return -1;
	}
	s->durable = s->seq;
	store_walk_begin(&s->reports, t, 0);
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
	while (rc == 1 && (rec.n < from_seq || !report_open(&s->dec, &rec)));
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
	if (max_results > STORE_RESULTS_MAX ||
	    REPORT_ROOM + max_results * RESULT_ROOM > left)
		return fail(why, "no room for %u results until the disk works",
		    max_results);
	*c = (struct store_code){ .writing = true, .rep = *r,
	    .span = STORE_NO_SPAN, .at_ms = r->received_ms };
	/* Behind a gap for what will stand before the results. */
	buf_init(&c->out, b->p + b->n + REPORT_ROOM, left - REPORT_ROOM);
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
	span_add(&c->span, r->at_ms, r->at_ms);
	c->rep.results++;
	latest_put(s, r);
}

void
store_report_end(struct store *s)
{
	struct store_code *c = &s->enc;
	struct buf *b = &s->h.pend, body = c->out;
	char *p = b->p + b->n;

	assert(c->writing && !body.full);
	if (c->rep.results > 0)
		span_add(&s->span, c->span.min_ms, c->span.max_ms);
	else
		c->span = (struct store_span){ c->at_ms, c->at_ms };
	record_begin(c, p, TYPE_REPORT, c->rep.seq);
	code_report(c);
	c->writing = false;
	memmove(p + c->out.n, body.p, body.n);
	b->n += record_end(p, c->out.n + body.n).n;
	s->seq = c->rep.seq;
}

uint64_t
store_head_seq(const struct store *s)
{
	return s->seq;
}

static void
write_first(struct store *s)
{
	struct store_set *t = &s->h;
	struct store_rec r = { .version = VERSION };
	struct store_code c = { .writing = true };
	char p[REPORT_ROOM];

	if (t->files > 1) {
		r.before = t->file[t->files - 2].number;
		r.span = t->file[t->files - 2].span;
	}
	record_begin(&c, p, TYPE_FILE, s->durable + 1);
	buf_add(&c.out, STR(MAGIC));
	code_first(&c, &r);
	store_write(t, record_end(p, c.out.n));
}

int
store_head_commit(struct store *s, struct fail *why)
{
	struct store_set *t = &s->h;

	assert(!s->enc.writing);
	if (t->pend.n == 0)
		return 0;
	if (t->fd >= 0 &&
	    store_newest(t)->end >= store_cap(s, STORE_HEAD_BYTES))
		store_leave(t);
	if (store_begin(s, t, t->pend.n, why) != 0)
		return -1;
	span_add(&store_newest(t)->span, s->span.min_ms, s->span.max_ms);
	if (t->at == 0)
		write_first(s);
	store_write(t, str_from(&t->pend));
	if (store_end(t, s->durable + 1, why) != 0)
		return -1;
	s->span = STORE_NO_SPAN;
	s->durable = s->seq;
	return 0;
}

/* Finding. */

/* Up to limit results of one check with low <= at_ms <= high, newest first;
 * once they are that many, low rises with the last of them. */
struct query {
	uint64_t check;
	int64_t low, high;
	uint64_t below;			/* numbers of the files looked at */
	unsigned n, limit;
	struct store_pos *pos;
};

static void
query_add(struct query *q, struct store_pos p)
{
	unsigned i = q->n;

	if (i < q->limit)
		q->n++;
	else if (p.at_ms <= q->pos[--i].at_ms)
		return;
	for (; i > 0 && q->pos[i - 1].at_ms < p.at_ms; i--)
		q->pos[i] = q->pos[i - 1];
	q->pos[i] = p;
	if (q->n == q->limit)
		q->low = q->pos[q->n - 1].at_ms;
}

/* The results that d has still to read, of the record at p. */
static void
query_report(struct query *q, struct store_code *d, struct store_pos p)
{
	struct store_result r;

	if (d->span.min_ms > q->high || d->span.max_ms < q->low)
		return;
	while (report_result(d, &r)) {
		if (r.check != q->check || r.at_ms < q->low ||
		    r.at_ms > q->high)
			continue;
		p.index = d->done - 1;
		p.at_ms = r.at_ms;
		query_add(q, p);
	}
}

static void
query_file(struct store *s, struct query *q, unsigned i)
{
	struct store_file *f = &s->h.file[i];
	struct store_walk w;
	struct store_code d;
	struct store_rec rec;

	if (f->number >= q->below || f->span.min_ms > q->high ||
	    f->span.max_ms < q->low || (q->n == q->limit && q->low == q->high))
		return;
	store_walk_begin(&w, &s->h, i);
	w.tell = !f->told;
	f->told = true;
	while (store_step(s, &w, &rec))
		if (report_open(&d, &rec))
			query_report(q, &d,
			    (struct store_pos){ i, (uint32_t)rec.at, 0, 0 });
}

static unsigned
query_run(struct store *s, struct query *q)
{
	struct store_set *t = &s->h;
	const struct store_code *e = &s->enc;
	struct store_code c;
	unsigned i;

	t->file[t->files] = (struct store_file){ .number = STORE_PENDING,
	    .end = t->pend.n, .span = s->span };
	if (e->writing) {		/* no record yet */
		c = (struct store_code){ .in = str_from(&e->out),
		    .rep = e->rep, .span = e->span,
		    .at_ms = e->rep.received_ms };
		query_report(q, &c, (struct store_pos){ t->files, 0, 0, 0 });
	}
	for (i = t->files + 1; i > 0; i--)
		query_file(s, q, i - 1);
	return q->n;
}

unsigned
store_find(struct store *s, uint64_t check, int64_t before_ms, unsigned limit,
    struct store_pos *pos)
{
	struct query q = { check, INT64_MIN, 0, UINT64_MAX, 0, limit, pos };

	if (before_ms == INT64_MIN || limit == 0)
		return 0;
	q.high = before_ms - 1;
	if (limit > STORE_FIND_MAX)
		q.limit = STORE_FIND_MAX;
	return query_run(s, &q);
}

bool
store_has(struct store *s, uint64_t check, int64_t at_ms)
{
	struct store_pos pos;
	struct query q = { check, at_ms, at_ms, UINT64_MAX, 0, 1, &pos };

	if (at_ms > s->latest[check % STORE_LATEST])
		q.below = s->latest_from;
	return query_run(s, &q) > 0;
}

int
store_load(struct store *s, const struct store_pos *pos,
    struct store_report *rep, struct store_result *r)
{
	struct store_rec rec = { .at = pos->offset };
	const struct store_file *f;
	struct store_code d;
	unsigned i;

	if (pos->file > s->h.files)
		return -1;
	f = &s->h.file[pos->file];
	if (rec.at >= f->end || !record_at(&s->h, f, &rec) ||
	    !report_open(&d, &rec))
		return -1;
	for (i = 0; i <= pos->index; i++)
		if (!report_result(&d, r))
			return -1;
	*rep = d.rep;
	return r->at_ms == pos->at_ms ? 0 : -1;
}
