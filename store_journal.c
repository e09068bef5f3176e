/*
 * store_journal.c: see store.h; the lines of the journal.
 *
 *	{"n":N,[FLAG]BODY,"prev":"HASH64","crc":"CRC8"}\n
 *
 * doc/format says what each is.  The tail has a fixed length, so a line is
 * taken apart from both ends and the body is never looked into.
 */
#include <assert.h>
#include <bearssl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "store_impl.h"

#define CRC_TAIL	18		/* ,"crc":"12345678"} */
#define TAIL		(CRC_TAIL + 74)	/* ,"prev":"...", 64 digits */
#define LINE_ROOM	136		/* all but the body, at most */
#define OLDER_MAX	100		/* files named in a first line */
#define SNAP_PATIENCE	256		/* records before another attempt */

#define CRC	",\"crc\":\"%08lx\"}"
#define PREV	",\"prev\":\""
#define MORE	"\"more\":true,"
#define SNAP	"\"snap\":true,"
#define END	"\"end\":true"
#define FORMAT	"\"format\":\"vilicus-journal\",\"version\":"

static void
hash_line(struct str line, char hex[65])
{
	unsigned char sum[br_sha256_SIZE];
	br_sha256_context c;

	br_sha256_init(&c);
	br_sha256_update(&c, line.p, line.n);
	br_sha256_out(&c, sum);
	str_hex(hex, sum, sizeof sum);
}

static unsigned long
crc_of(const char *p, size_t n)
{
	return crc32(0, (const unsigned char *)p, (unsigned)n);
}

/* Take word from the start of *s, if it is there. */
static bool
take(struct str *s, struct str word)
{
	if (!str_starts(*s, word))
		return false;
	*s = str_after(*s, word.n);
	return true;
}

static bool
line_parse(struct str s, struct store_rec *r)
{
	struct str tail, word;
	char crc[CRC_TAIL + 1];

	if (s.n < TAIL)
		return false;
	snprintf(crc, sizeof crc, CRC, crc_of(s.p, s.n - CRC_TAIL));
	tail = str_after(s, s.n - TAIL);
	s.n -= TAIL;
	if (!take(&s, STR("{\"n\":")) || !take(&tail, STR(PREV)) ||
	    !str_is(str_after(tail, 65), crc) || str_cut(&s, ',', &word) ||
	    str_u64(word, 1, STORE_NUMBER_MAX - 1, &r->n))
		return false;
	r->prev = (struct str){ tail.p, 64 };
	r->more = take(&s, STR(MORE));
	r->snap = take(&s, STR(SNAP));
	r->end = r->snap && str_is(s, END);
	if (take(&s, STR(FORMAT))) {
		r->first = r->n;
		(void)str_cut(&s, ',', &word);
		(void)str_u64(word, 1, UINT32_MAX, &r->version);
	}
	return true;
}

int
store_line(struct store_set *t, const struct store_file *f,
    struct store_rec *r)
{
	uint64_t left = f->end - r->at;
	size_t n = left < STORE_LINE_MAX ? (size_t)left : STORE_LINE_MAX;
	const char *p = store_win(t, f, r->at, n), *nl;

	if (p == NULL)
		return STORE_BAD;
	nl = memchr(p, '\n', n);
	r->next = r->at + (nl == NULL ? n : (size_t)(nl - p) + 1);
	if (nl == NULL)
		return STORE_BAD;
	r->text = (struct str){ p, (size_t)(nl - p) };
	return line_parse(r->text, r) ? STORE_GOOD : STORE_BAD;
}

/* Opening. */

/* Read all of a file that a start reads.  *bad: what it says is not the
 * whole.  1: it begins with a snapshot; 0: not; or -1. */
static int
scan(struct store *s, unsigned i, bool *bad, struct fail *why)
{
	struct store_chain c = { 0 };
	struct store_walk w;
	struct store_rec r;
	bool newest, snap = false, ended = false;

	store_walk_begin(&w, &s->j, i);
	w.tell = true;
	newest = w.limit == STORE_NUMBER_MAX;
	while (store_step(s, &w, &r)) {
		if (c.n != 0 && r.n == c.n + 1 &&
		    !str_eq(r.prev, str_of(c.hash)))
			store_note(s, &w, r.at, "the chain is broken here");
		c.n = r.n;
		hash_line(r.text, c.hash);
		if (newest && !r.more)
			s->chain = c;
		if (newest && r.end)
			s->snap_end = w.off;
		snap = snap || (r.first != 0 && r.snap);
		ended = ended || r.end;
	}
	if (store_unread(&w, why) != 0)
		return -1;
	if (i + 1 == s->j.files && store_cut(s, &w, why) != 0)
		return -1;
	*bad = *bad || w.damaged || (snap && !ended);
	return snap;
}

/* Scan from the newest file back to one with a snapshot; and, where that is
 * not the whole, to the one before it, since it stands there too. */
int
store_journal_open(struct store *s, struct fail *why)
{
	struct store_set *t = &s->j;
	unsigned i = t->files;
	bool bad = false;
	int rc = 0;

	memset(s->chain.hash, '0', 64);
	while (i > 0 && t->file[i - 1].first == 0)
		i--;
	while (i > 0 && (rc == 0 || bad)) {
		if (rc == 1)
			bad = false;
		rc = scan(s, --i, &bad, why);
		if (rc < 0)
			return -1;
		s->live = t->file[i].number;
		s->live_bad = s->live_bad || bad;
	}
	store_walk_begin(&s->replay, t, i);
	return 0;
}

int
store_journal_next(struct store *s, struct str *line, struct fail *why)
{
	struct store_rec r;
	int rc = store_next(s, &s->replay, &r, why);

	*line = r.text;
	return rc;
}

/* Writing: s->out is the chain up to the line written last. */

static void
out_flush(struct store *s)
{
	store_write(&s->j, (struct str){ s->line, s->line_n });
	s->line_n = 0;
}

/* The next line; flag is "", MORE or SNAP. */
static void
out_line(struct store *s, const char *flag, struct str body)
{
	struct buf b;

	if (sizeof s->line - s->line_n < STORE_LINE_MAX)
		out_flush(s);
	buf_init(&b, s->line + s->line_n, STORE_LINE_MAX);
	buf_addf(&b, "{\"n\":%llu,%s", (unsigned long long)++s->out.n, flag);
	buf_add(&b, body);
	buf_addf(&b, PREV "%s\"", s->out.hash);
	buf_addf(&b, CRC, crc_of(b.p, b.n));
	hash_line(str_from(&b), s->out.hash);
	buf_addc(&b, '\n');
	assert(!b.full);
	s->line_n += b.n;
}

/* Line 1 of the newest file; at_ms 0: no snapshot, so no time is known. */
static void
out_first(struct store *s, int64_t at_ms)
{
	const struct store_set *t = &s->j;
	unsigned i = t->files > OLDER_MAX ? t->files - OLDER_MAX - 1 : 0;
	const char *comma = "";
	char p[OLDER_MAX * 36 + 256];
	struct buf b;

	buf_init(&b, p, sizeof p);
	buf_addz(&b, FORMAT "1,");
	if (at_ms != 0) {
		buf_addz(&b, "\"at\":\"");
		buf_time(&b, at_ms);
		buf_addz(&b, "\",");
	}
	buf_addf(&b, "\"head\":%llu,\"files\":[",
	    (unsigned long long)s->durable);
	for (; i + 1 < t->files; i++) {
		if (t->file[i].first == 0)
			continue;
		buf_addf(&b, "%s[%lu,%llu]", comma,
		    (unsigned long)t->file[i].number,
		    (unsigned long long)t->file[i].first);
		comma = ",";
	}
	buf_addz(&b, "]");
	out_line(s, at_ms == 0 ? "" : SNAP, str_from(&b));
}

static bool
body_fits(struct str body)
{
	return body.n > 0 && body.n <= STORE_LINE_MAX - LINE_ROOM &&
	    memchr(body.p, '\n', body.n) == NULL;
}

/* What awaits a commit: lines of KEPT or another byte, and a body. */
#define KEPT	'+'

int
store_journal(struct store *s, struct str body, bool keep, struct fail *why)
{
	struct buf *b = &s->j.pend;

	if (!body_fits(body))
		return fail(why, "a record of %zu bytes: not a line of 1 to %d",
		    body.n, STORE_LINE_MAX - LINE_ROOM);
	if (s->snapping)
		return fail(why, "a snapshot is being made");
	if (body.n + 2 > b->cap - b->n)
		return fail(why, "the journal is full until the disk works");
	buf_addc(b, keep ? KEPT : '-');
	buf_add(b, body);
	buf_addc(b, '\n');
	return 0;
}

/* After a failed commit: forget what its caller undoes. */
void
store_journal_drop(struct store *s)
{
	struct buf *b = &s->j.pend;
	struct str rest = str_from(b), line;

	b->n = 0;
	while (rest.n > 0 && str_cut(&rest, '\n', &line) == 0) {
		if (line.p[0] != KEPT)
			continue;
		memmove(b->p + b->n, line.p, line.n + 1);
		b->n += line.n + 1;
	}
}

/* Put what was written on the platter; the chain then goes on from there. */
static int
out_end(struct store *s, struct fail *why)
{
	out_flush(s);
	if (store_end(&s->j, s->chain.n + 1, why) != 0)
		return -1;
	s->chain = s->out;
	return 0;
}

int
store_journal_commit(struct store *s, struct fail *why)
{
	struct store_set *t = &s->j;
	struct str rest = str_from(&t->pend), line;

	if (rest.n == 0)
		return 0;
	if (store_begin(s, t, rest.n, why) != 0)
		return -1;
	s->out = s->chain;
	if (t->at == 0)
		out_first(s, 0);
	while (rest.n > 0 && str_cut(&rest, '\n', &line) == 0)
		out_line(s, rest.n > 0 ? MORE : "", str_after(line, 1));
	if (out_end(s, why) != 0)
		return -1;
	if (s->live == 0)
		s->live = store_newest(t)->number;
	return 0;
}

/* Snapshots: written into the next file, which is the whole once its last
 * line is there, and until then adds to what stands before it. */

bool
store_wants_snapshot(const struct store *s)
{
	const struct store_file *f = store_newest(&s->j);

	return f != NULL && !s->snapping && s->chain.n >= s->snap_after &&
	    (s->live_bad || s->live != f->number ||
	    f->end >= s->snap_end + store_cap(s, STORE_JOURNAL_BYTES));
}

int
store_snapshot_begin(struct store *s, int64_t at_ms, struct fail *why)
{
	struct store_set *t = &s->j;
	uint64_t live = 0;
	unsigned i;

	if (t->pend.n > 0 || s->snapping)
		return fail(why, "snapshot: records are pending");
	for (i = 0; i < t->files; i++)
		if (t->file[i].number >= s->live)
			live += t->file[i].end;
	s->snap_after = s->chain.n + SNAP_PATIENCE;
	store_leave(t);
	if (store_begin(s, t, live, why) != 0)
		return -1;
	s->snapping = true;
	s->out = s->chain;
	out_first(s, at_ms == 0 ? 1 : at_ms);
	return 0;
}

void
store_snapshot_put(struct store *s, struct str body)
{
	assert(s->snapping);
	if (body_fits(body))
		out_line(s, SNAP, body);
	else
		s->j.write_error = EINVAL;
}

int
store_snapshot_end(struct store *s, struct fail *why)
{
	assert(s->snapping);
	s->snapping = false;
	out_line(s, SNAP, STR(END));
	if (out_end(s, why) != 0)
		return -1;
	s->live = store_newest(&s->j)->number;
	s->snap_end = store_newest(&s->j)->end;
	s->live_bad = false;
	s->snap_after = 0;
	return 0;
}

/* Numbers and reading. */

uint64_t
store_journal_n(const struct store *s, char hash[65])
{
	if (hash != NULL)
		memcpy(hash, s->chain.hash, 65);
	return s->chain.n;
}

uint64_t
store_journal_first(const struct store *s)
{
	uint64_t n = store_first(&s->j, 0);

	return n == STORE_NUMBER_MAX ? 0 : n;
}

/* The index of the file that holds record n, or of the oldest. */
static unsigned
file_of(const struct store_set *t, uint64_t n)
{
	unsigned i = t->files;

	while (i > 0 && (t->file[i - 1].first == 0 || t->file[i - 1].first > n))
		i--;
	return i > 0 ? i - 1 : 0;
}

/* Begin a walk over file i less than a line before record n. */
static void
seek(struct store *s, struct store_walk *w, unsigned i, uint64_t n)
{
	uint64_t low = 0, high = s->j.file[i].end, mid;
	struct store_rec r;

	store_walk_begin(w, &s->j, i);
	while (high - low > STORE_LINE_MAX) {
		mid = low + (high - low) / 2;
		w->off = mid;
		w->last = 0;
		if (store_step(s, w, &r) && r.n < n)
			low = mid;
		else
			high = mid;
	}
	w->off = low;
	w->last = 0;
}

int
store_journal_read(struct store *s, uint64_t n, struct str *line,
    struct fail *why)
{
	struct store_walk *w = &s->read;
	unsigned i = file_of(&s->j, n);
	struct store_rec r;

	if (n > s->chain.n || s->j.files == 0)
		return 0;
	if (w->i != i || w->limit == 0 || w->last >= n)
		seek(s, w, i, n);
	s->j.read_error = 0;
	while (store_step(s, w, &r)) {
		if (r.n < n)
			continue;
		*line = r.text;
		return r.n == n && r.first == 0 && !r.snap;
	}
	return store_unread(w, why);
}
