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
#include <stdio.h>
#include <zlib.h>

#include "json.h"
#include "store_impl.h"

#define CRC_TAIL	18		/* ,"crc":"12345678"} */
#define TAIL		(CRC_TAIL + 74)	/* ,"prev":"...", 64 digits */

#define CRC	",\"crc\":\"%08lx\"}"
#define PREV	",\"prev\":\""
#define MORE	"\"more\":true,"
#define SNAP	"\"snap\":true,"
#define END	"\"end\":true"
#define FORMAT	"\"format\":\"vilicus-%s\",\"version\":1,"

void
store_hash(struct str line, char hex[65])
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

int
store_line(struct store_set *t, const struct store_file *f, struct store_rec *r)
{
	uint64_t left = f->end - r->at;
	size_t n = left < STORE_LINE_MAX ? (size_t)left : STORE_LINE_MAX;
	const char *p = store_win(t, f, r->at, n), *nl;
	struct str s, tail, word;
	char crc[CRC_TAIL + 1];

	if (p == NULL)
		return STORE_BAD;
	nl = memchr(p, '\n', n);
	s = (struct str){ p, nl == NULL ? n : (size_t)(nl - p) };
	r->next = r->at + s.n + (nl != NULL);
	r->text = s;
	if (nl == NULL || s.n < TAIL)
		return STORE_BAD;
	snprintf(crc, sizeof crc, CRC, crc_of(s.p, s.n - CRC_TAIL));
	tail = str_after(s, s.n - TAIL);
	s.n -= TAIL;
	if (!take(&s, STR("{\"n\":")) || !take(&tail, STR(PREV)) ||
	    !str_is(str_after(tail, 65), crc) || str_cut(&s, ',', &word) ||
	    str_u64(word, 1, STORE_NUMBER_MAX - 1, &r->n))
		return STORE_BAD;
	r->prev = (struct str){ tail.p, 64 };
	r->more = take(&s, STR(MORE));
	r->snap = take(&s, STR(SNAP));
	r->end = r->snap && str_is(s, END);
	if (take(&s, STR("\"format\":\"vilicus-"))) {
		r->first = r->n;
		(void)str_cut(&s, ',', &word);
		(void)str_cut(&s, ',', &word);
		if (take(&word, STR("\"version\":")))
			(void)str_u64(word, 1, UINT32_MAX, &r->version);
	}
	return STORE_GOOD;
}

/* Opening. */

/* The number that a member of a line is, or 0. */
uint64_t
store_member(struct str line, const char *name)
{
	struct str raw;
	uint64_t v = 0;

	if (json_member(line, name, &raw) == JSON_NUM)
		(void)str_u64(raw, 0, STORE_NUMBER_MAX, &v);
	return v;
}

/* Read all of a snapshot.  1: it is whole; 0: it is not; or -1. */
int
store_snapshot_scan(struct store *s, unsigned i, struct fail *why)
{
	struct store_file *f = &s->n.file[i];
	struct store_walk w;
	struct store_rec r;
	bool end = false;

	store_walk_begin(&w, &s->n, i);
	w.limit = STORE_NUMBER_MAX;
	w.tell = true;
	if (f->foreign || f->first == 0)
		store_note(s, &w, 0, "no snapshot that can be read");
	if (f->foreign || f->first == 0)
		return 0;
	while (store_step(s, &w, &r)) {
		if (r.first != 0) {
			f->block.first = store_member(r.text, "journal");
			f->block.last = store_member(r.text, "head");
		}
		end = r.end;
	}
	if (store_unread(&w, why) != 0)
		return -1;
	if (!w.damaged && !end)
		store_note(s, &w, f->end, "the snapshot has no end");
	return !w.damaged && end;
}

/* Read all of a file: its chain, that goes on from the file before, and in the
 * newest where it ends. */
int
store_journal_scan(struct store *s, unsigned i, struct fail *why)
{
	struct store_chain c = s->scanned;
	struct store_walk w;
	struct store_rec r;
	bool newest;

	store_walk_begin(&w, &s->j, i);
	w.tell = true;
	newest = w.limit == STORE_NUMBER_MAX;
	while (store_step(s, &w, &r)) {
		if (c.n != 0 && r.n == c.n + 1 &&
		    !str_eq(r.prev, str_of(c.hash)))
			store_note(s, &w, r.at, "the chain is broken here");
		c.n = r.n;
		store_hash(r.text, c.hash);
		if (c.n == s->sought.n)
			s->sought = c;
		if (newest && !r.more)
			s->chain = c;
		if (s->look)
			s->told_head = store_member(r.text, "head");
	}
	s->scanned = c;
	if (store_unread(&w, why) != 0)
		return -1;
	s->snap_due = s->snap_due || w.damaged;
	return i + 1 == s->j.files && !s->look ? store_cut(s, &w, why) : 0;
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

/* A start may need the files from the one on that the older of the two
 * snapshots kept goes on in. */
static void
set_live(struct store *s)
{
	const struct store_set *t = &s->n;
	uint64_t n = t->files > 1 ? t->file[t->files - 2].block.first :
	    t->files > 0 ? t->file[0].block.first : 0;

	s->live = s->j.files == 0 ? 0 : s->j.file[file_of(&s->j, n + 1)].number;
}

int
store_journal_open(struct store *s, struct fail *why)
{
	const struct store_set *t = &s->j;
	unsigned i = s->n.files;
	const struct store_file *f;
	int rc = 0;

	memset(s->chain.hash, '0', 64);
	/* The newest snapshot that is whole. */
	while (i > 0 && rc == 0)
		rc = store_snapshot_scan(s, --i, why);
	if (rc == 1) {
		f = &s->n.file[i];
		s->snap_n = f->block.first;
		s->snap_head = f->block.last;
		s->snap_bytes = f->end;
		s->snap_due = i + 1 < s->n.files;
		store_walk_begin(&s->replay, &s->n, i);
		s->replay.limit = STORE_NUMBER_MAX;
	}
	for (i = file_of(t, s->snap_n + 1); rc >= 0 && i < t->files; i++)
		if (t->file[i].first != 0)
			rc = store_journal_scan(s, i, why);
	set_live(s);
	return rc < 0 ? -1 : 0;
}

/* The snapshot's lines, then what came after it. */
int
store_journal_next(struct store *s, struct str *line, struct fail *why)
{
	struct store_walk *w = &s->replay;
	struct store_rec r;
	int rc;

	while (w->set == &s->n && store_step(s, w, &r))
		if (r.first == 0 && !r.end) {
			*line = r.text;
			return 1;
		}
	if (w->set == &s->n && store_unread(w, why) != 0)
		return -1;
	if (w->set != &s->j)
		store_walk_begin(w, &s->j, file_of(&s->j, s->snap_n + 1));
	do
		rc = store_next(s, w, &r, why);
	while (rc == 1 && r.n <= s->snap_n);
	*line = r.text;
	return rc;
}

/* Writing: s->out is the chain up to the line written last. */

static void
out_flush(struct store *s)
{
	store_write(s->out_to, (struct str){ s->line, s->line_n });
	s->line_n = 0;
}

/* The next line; flag is "", MORE or SNAP. */
static void
out_line(struct store *s, const char *flag, struct str body)
{
	struct store_set *t = s->out_to;
	struct buf b;

	if (sizeof s->line - s->line_n < STORE_LINE_MAX) {
		out_flush(s);
		/* What follows must not be there without it. */
		if (t == &s->j && t->write_error == 0 &&
		    t->io->fdatasync(t->fd) != 0)
			t->write_error = errno;
	}
	buf_init(&b, s->line + s->line_n, STORE_LINE_MAX);
	buf_addf(&b, "{\"n\":%llu,%s", (unsigned long long)++s->out.n, flag);
	buf_add(&b, body);
	buf_addf(&b, PREV "%s\"", s->out.hash);
	buf_addf(&b, CRC, crc_of(b.p, b.n));
	store_hash(str_from(&b), s->out.hash);
	buf_addc(&b, '\n');
	assert(!b.full);
	s->line_n += b.n;
}

static bool
body_fits(struct str body)
{
	return body.n > 0 && body.n <= STORE_BODY_MAX &&
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
		    body.n, STORE_BODY_MAX);
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

int
store_journal_commit(struct store *s, struct fail *why)
{
	struct store_set *t = &s->j;
	struct str rest = str_from(&t->pend), line;
	const struct store_file *f, *end;
	char p[STORE_OLDER_MAX * 36 + 256];
	struct buf b = BUF(p);

	if (store_begin(s, t, rest.n, why) != 0)
		return -1;
	s->out = s->chain;
	s->out_to = t;
	if (t->at == 0) {
		/* Line 1 of the newest file: which there are before it. */
		buf_addf(&b, FORMAT "\"head\":%llu,\"files\":[", t->name,
		    (unsigned long long)s->durable);
		end = store_newest(t);
		f = end - t->file > STORE_OLDER_MAX ? end - STORE_OLDER_MAX :
		    t->file;
		for (; f < end; f++)
			if (f->first != 0)
				buf_addf(&b, "%s[%lu,%llu]", b.p[b.n - 1] ==
				    '[' ? "" : ",", (unsigned long)f->number,
				    (unsigned long long)f->first);
		buf_addz(&b, "]");
		out_line(s, "", str_from(&b));
	}
	while (rest.n > 0 && str_cut(&rest, '\n', &line) == 0)
		out_line(s, rest.n > 0 ? MORE : "", str_after(line, 1));
	out_flush(s);
	if (store_end(t, s->chain.n + 1, why) != 0)
		return -1;
	s->chain = s->out;		/* it goes on from there */
	if (s->live == 0)
		set_live(s);
	return 0;
}

/* Snapshots: files of their own, whose lines are numbered from 1. */

int
store_snapshot_begin(struct store *s, const struct store_job *job,
    int64_t at_ms, struct fail *why)
{
	char p[256];
	struct buf b = BUF(p);

	if (store_aside(&s->n, why) != 0)
		return -1;
	s->out_to = &s->n;
	s->out.n = 0;
	memset(s->out.hash, '0', 64);
	buf_addf(&b, FORMAT "\"at\":\"", "snapshot");
	buf_time(&b, at_ms);
	buf_addf(&b, "\",\"journal\":%llu,\"hash\":\"%s\",\"head\":%llu",
	    (unsigned long long)job->n, s->chain.hash,
	    (unsigned long long)job->last);
	out_line(s, SNAP, str_from(&b));
	s->snap_max = job->max_bytes;
	return 0;
}

void
store_snapshot_put(struct store *s, struct str body)
{
	if (!body_fits(body))
		s->n.write_error = EINVAL;
	else if (s->n.at + s->line_n + body.n > s->snap_max)
		store_cramp(s, &s->n);
	else
		out_line(s, SNAP, body);
}

int
store_snapshot_end(struct store *s, struct fail *why)
{
	out_line(s, SNAP, STR(END));
	out_flush(s);
	errno = s->n.write_error;
	return store_aside_end(&s->n, errno == 0 ? 0 :
	    fail_errno(why, "snapshot: write"), why);
}

/* It is there: the one before the last may go, and what only that needs. */
bool
store_snapshot_take(struct store *s, const struct store_job *job)
{
	struct store_set *t = &s->n;
	struct store_file *f;
	struct fail why;

	if (store_name(t, job->number, &why) != 0)
		return false;
	f = store_newest(t);
	f->first = 1;
	f->block.first = s->snap_n = job->n;
	f->block.last = s->snap_head = job->last;
	s->snap_bytes = f->end;
	s->snap_due = false;
	for (unsigned i = 0; i + 2 < t->files; i++)
		t->file[i].dead = true;
	set_live(s);
	return true;
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

int
store_journal_read(struct store *s, uint64_t n, struct str *line,
    struct fail *why)
{
	struct store_walk *w = &s->read;
	unsigned i = file_of(&s->j, n);
	uint64_t low = 0, high, mid;
	struct store_rec r;

	if (n > s->chain.n || s->j.files == 0)
		return 0;
	if (w->i != i || w->limit == 0 || w->last >= n) {
		/* Begin less than a line before it. */
		store_walk_begin(w, &s->j, i);
		for (high = s->j.file[i].end; high - low > STORE_LINE_MAX;) {
			w->off = mid = low + (high - low) / 2;
			w->last = 0;
			if (store_step(s, w, &r) && r.n < n)
				low = mid;
			else
				high = mid;
		}
		w->off = low;
		w->last = 0;
	}
	s->j.read_error = 0;
	while (store_step(s, w, &r)) {
		if (r.n < n)
			continue;
		*line = r.text;
		return r.n == n && r.first == 0 && !r.snap;
	}
	return store_unread(w, why);
}
