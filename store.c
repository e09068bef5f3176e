/* store.c: see store.h; what all kinds of files share: reading, writing. */
#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_impl.h"

void *
store_grow(void *p, unsigned n, unsigned *room, size_t size)
{
	unsigned want = n < *room ? *room : 2 * n + 64;

	p = n < *room ? p : realloc(p, want * size);
	if (p != NULL)
		*room = want;
	return p;
}

void
store_sort(void *p, unsigned n, size_t size,
    int (*order)(const void *a, const void *b))
{
	const char *at = p;
	unsigned i = 1;

	for (; i < n && order(at, at + size) <= 0; i++)
		at += size;
	if (i < n)
		qsort(p, n, size, order);
}

void
store_span_add(struct store_span *s, int64_t min_ms, int64_t max_ms)
{
	s->min_ms = min_ms < s->min_ms ? min_ms : s->min_ms;
	s->max_ms = max_ms > s->max_ms ? max_ms : s->max_ms;
}

/* Damage. */

void
store_note(struct store *s, const struct store_walk *w, uint64_t off,
    const char *fmt, ...)
{
	unsigned i = s->damages++, last = STORE_DAMAGE_MAX - 1;
	char what[80];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (i > last)
		(void)fail(&s->damage[last], "and %u more", i + 1 - last);
	else
		(void)fail(&s->damage[i], "%s/%s: byte %llu: %s", w->set->name,
		    w->set->file[w->i].name, (unsigned long long)off, what);
}

int
store_damage(struct store *s, struct str *text)
{
	if (s->damage_read < s->damages && s->damage_read < STORE_DAMAGE_MAX) {
		*text = str_of(s->damage[s->damage_read++].msg);
		return 1;
	}
	s->damages = s->damage_read = 0;
	return 0;
}

/* Names: never through a link, never kept by a child, not held by a FIFO. */

int
store_file_open(const struct store_io *io, int dir, const char *name, int flags)
{
	int fd;

	flags |= O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	do
		fd = io->openat(dir, name, flags, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int
store_file_fail(const struct store_set *t, const struct store_file *f,
    const char *what, struct fail *why)
{
	return fail_errno(why, "%s/%s: %s", t->name, f->name, what);
}

/* Reading: a window on one file. */

void
store_win_close(struct store_set *t)
{
	if (t->win_fd >= 0)
		(void)t->io->close(t->win_fd);
	t->win_fd = -1;
	t->win_n = 0;
	t->holes = false;
}

/* Fill the window from off.  What cannot be read after a second try, a
 * sector at a time, is zeros, so that its records fail their checks. */
static void
win_load(struct store_set *t, uint64_t off, size_t n)
{
	size_t k, piece = n, done = 0;
	bool again = false;
	ssize_t got;

	while (done < n) {
		k = piece < n - done ? piece : n - done;
		got = t->io->pread(t->win_fd, t->win + done, k,
		    (off_t)(off + done));
		if (got > 0) {
			done += (size_t)got;
		} else if (got < 0 && errno == EINTR) {
			continue;
		} else if (got < 0 && !again) {
			again = true;
			piece = STORE_SECTOR;
		} else {
			memset(t->win + done, 0, k);
			t->holes = t->unread = true;
			done += k;
		}
	}
	t->win_off = off;
	t->win_n = n;
}

/* n bytes of f at off, all before its end, good until the next call for
 * this set.  NULL: it cannot be opened, and read_error says why. */
const char *
store_win(struct store_set *t, const struct store_file *f, uint64_t off,
    size_t n)
{
	uint64_t left = f->end - off;
	size_t want = n > t->ahead ? n : t->ahead;

	assert(off <= f->end && n <= left && n <= STORE_WIN_MAX);
	if (f->number == STORE_PENDING)
		return t->pend.p + off;
	if (f->all != NULL)
		return f->all + off;
	if (t->win_fd < 0 || t->win_number != f->number) {
		store_win_close(t);
		t->win_number = f->number;
		t->win_fd = store_file_open(t->io, t->dir, f->name, O_RDONLY);
		if (t->win_fd < 0) {
			t->read_error = errno;
			t->unread = true;
			return NULL;
		}
	}
	/* What is read near an end is mostly read backwards. */
	if (off < t->win_off || off + n > t->win_off + t->win_n)
		win_load(t, want < left ? off : f->end < want ? 0 :
		    f->end - want, want < f->end ? want : (size_t)f->end);
	return t->win + (size_t)(off - t->win_off);
}

/* Walks. */

/* The number that file i begins with, or the next that has one. */
uint64_t
store_first(const struct store_set *t, unsigned i)
{
	for (; i < t->files; i++)
		if (t->file[i].first != 0)
			return t->file[i].first;
	return STORE_NUMBER_MAX;
}

/* Walk file i of t from its start, telling nothing. */
void
store_walk_begin(struct store_walk *w, struct store_set *t, unsigned i)
{
	*w = (struct store_walk){ .set = t, .i = i, .bad = STORE_NOWHERE,
	    .limit = store_first(t, i + 1) };
	t->read_error = 0;
	if (t->holes)			/* it may be readable by now */
		t->win_n = 0;
	t->holes = false;
}

/* Record n was found at byte at: what lay between it and the last? */
static void
walk_good(struct store *s, struct store_walk *w, uint64_t at, uint64_t n)
{
	bool bad = w->bad != STORE_NOWHERE;
	bool gap = w->last != 0 && n != w->last + 1;

	if (w->tell && bad)
		store_note(s, w, w->bad, "%llu damaged bytes skipped",
		    (unsigned long long)(at - w->bad));
	else if (w->tell && gap)
		store_note(s, w, at, "records %llu to %llu are missing",
		    (unsigned long long)w->last + 1,
		    (unsigned long long)n - 1);
	w->damaged = w->damaged || bad || gap;
	w->bad = STORE_NOWHERE;
	w->last = n;
}

/* The next good record.  False: there is none, or see store_unread. */
bool
store_step(struct store *s, struct store_walk *w, struct store_rec *r)
{
	struct store_set *t = w->set;
	const struct store_file *f = &t->file[w->i];
	int kind;

	while (w->off < f->end) {
		*r = (struct store_rec){ .at = w->off, .trusted = w->trusted };
		kind = t->parse(t, f, r);
		if (t->read_error != 0)
			return false;
		if (kind == STORE_GOOD && r->n >= w->limit)
			break;			/* the next file has it */
		w->off = r->next;
		if (kind == STORE_GOOD &&
		    (r->first != 0 ? r->at != 0 : r->n <= w->last))
			kind = STORE_BAD;
		if (kind == STORE_BAD && w->bad == STORE_NOWHERE)
			w->bad = r->at;
		if (kind != STORE_BAD && !r->more)
			w->good = w->off;
		if (kind == STORE_GOOD) {
			walk_good(s, w, r->at, r->n);
			return true;
		}
	}
	w->off = f->end;
	if (w->limit != STORE_NUMBER_MAX && w->last + 1 < w->limit)
		walk_good(s, w, f->end, w->limit);
	return false;
}

/* 0, or -1: what the walk is over cannot be read. */
int
store_unread(const struct store_walk *w, struct fail *why)
{
	errno = w->set->read_error;
	return errno == 0 ? 0 :
	    store_file_fail(w->set, &w->set->file[w->i], "read", why);
}

/* The next record from the walk's file on that is not the store's own.
 * 1; 0: no more; or -1. */
int
store_next(struct store *s, struct store_walk *w, struct store_rec *r,
    struct fail *why)
{
	for (; w->i < w->set->files; store_walk_begin(w, w->set, w->i + 1)) {
		while (store_step(s, w, r))
			if (r->first == 0 && !r->end)
				return 1;
		if (store_unread(w, why) != 0)
			return -1;
	}
	return 0;
}

/* The files of a set. */

struct store_file *
store_newest(const struct store_set *t)
{
	return t->files == 0 ? NULL : &t->file[t->files - 1];
}

/* Insert by number; there is always one more at the end of the array. */
int
store_file_add(struct store_set *t, uint32_t number, const struct stat *st,
    struct fail *why)
{
	unsigned i = t->files;
	struct store_file *p = realloc(t->file, (i + 2) * sizeof *p);

	if (p == NULL)
		return fail(why, "%s: no memory", t->name);
	for (p[i + 1] = p[i]; i > 0 && p[i - 1].number > number; i--)
		p[i] = p[i - 1];
	p[i] = (struct store_file){ .number = number, .span = STORE_NO_SPAN,
	    .end = (uint64_t)st->st_size,
	    .alloc = (uint64_t)st->st_blocks * 512 };
	snprintf(p[i].name, sizeof p->name, "%lu.%s", (unsigned long)number,
	    t->ext);
	t->file = p;
	t->files++;
	if (number >= t->next)
		t->next = number + 1;
	return 0;
}

/* Remove file i.  False: it cannot be done. */
static bool
file_remove(struct store_set *t, unsigned i)
{
	if (t->io->unlinkat(t->dir, t->file[i].name, 0) != 0 && errno != ENOENT)
		return false;
	store_win_close(t);
	t->files--;
	memmove(&t->file[i], &t->file[i + 1], (t->files - i) * sizeof *t->file);
	return true;
}

static void
file_size(struct store_set *t)
{
	struct stat st;

	if (t->io->fstat(t->fd, &st) == 0)
		store_newest(t)->alloc = (uint64_t)st.st_blocks * 512;
}

/* Put the newest file, and its name, on the platter. */
int
store_file_sync(struct store_set *t, struct fail *why)
{
	if (t->io->fdatasync(t->fd) != 0)
		return store_file_fail(t, store_newest(t), "sync", why);
	if (t->fresh && t->io->fsync(t->dir) != 0)
		return fail_errno(why, "%s: sync", t->name);
	t->fresh = false;
	return 0;
}

/* Write no more to the newest file. */
void
store_leave(struct store_set *t)
{
	if (t->fd >= 0)
		(void)t->io->close(t->fd);
	t->fd = -1;
}

/*
 * A write or sync of the newest file failed: cut what was not acknowledged,
 * and leave the file for good, since a later sync of it would prove nothing.
 * Neither step has to succeed: the next file's first number says the same.
 */
void
store_abandon(struct store_set *t)
{
	t->written = 0;
	(void)t->io->ftruncate(t->fd, (off_t)store_newest(t)->end);
	file_size(t);
	store_leave(t);
	if (store_newest(t)->end == 0)
		(void)file_remove(t, t->files - 1);
}

/* Writing: begin, what there is to write, end. */

static uint64_t
set_bytes(const struct store_set *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->files; i++)
		n += t->file[i].alloc;
	return n;
}

uint64_t
store_bytes(const struct store *s)
{
	return s->other_bytes + s->reserve_bytes + s->job_bytes +
	    set_bytes(&s->j) + set_bytes(&s->n) + set_bytes(&s->h) +
	    set_bytes(&s->b);
}

/* Make the names of finished jobs durable; then what they replace goes, its
 * names with or without a sync.  False: they are not, and may never be: they
 * go, and what they replace stays, so that the job is done again under
 * another. */
static bool
settle(struct store *s)
{
	bool safe = (!s->n.fresh || s->io->fsync(s->n.dir) == 0) &&
	    (!s->b.fresh || s->io->fsync(s->b.dir) == 0), any = false;
	struct store_file *f;
	unsigned k, i;

	for (k = 0; k < s->sets; k++)
		for (i = 0; i < s->set[k]->files; i++)
			any = any || s->set[k]->file[i].unsure;
	for (k = 0; k < s->sets && (safe || any); k++)
		for (i = s->set[k]->files; i-- > 0;) {
			f = &s->set[k]->file[i];
			f->dead = safe ? f->dead : f->unsure;
			f->unsure = f->unsure && !safe;
			if (safe && f->dead)
				(void)file_remove(s->set[k], i);
		}
	if (safe)
		s->n.fresh = s->b.fresh = false;
	else if (any)
		s->snap_head = 0;	/* nothing is sealed before another */
	return safe;
}

/* Give back the reserve.  False: there was none. */
static bool
give_reserve(struct store *s)
{
	if (s->reserve_bytes == 0)
		return false;
	(void)s->io->unlinkat(s->dir, "reserve", 0);
	s->reserve_bytes = 0;
	return true;
}

/* Room for so many bytes more, by removing what is oldest.  False: there is
 * none. */
bool
store_make_room(struct store *s, uint64_t bytes)
{
	struct store_file *f;
	struct store_set *t;
	bool spare;

	s->read.limit = 0;		/* its file may be gone */
	if (s->budget != 0 && store_bytes(s) + bytes > s->budget && !settle(s))
		return false;		/* what goes is not needed, or is it? */
	while (s->budget != 0 && store_bytes(s) + bytes > s->budget) {
		/* Of the journal goes what no start reads, once it has half
		 * of the budget or nothing else is left; else the oldest of
		 * the blocks, and of the head where nothing seals it. */
		spare = s->j.files > 1 && s->j.file[0].number < s->live;
		f = store_oldest(s);
		t = spare && set_bytes(&s->j) > s->budget / 2 ? &s->j :
		    f != NULL ? &s->b : s->h.files > 1 ? &s->h : &s->j;
		if ((t == &s->j && !spare) || !file_remove(t, t == &s->b ?
		    (unsigned)(f - s->b.file) : 0))
			return false;
	}
	return true;
}

/* Ready for about so many bytes more, in the newest file or the next. */
int
store_begin(struct store *s, struct store_set *t, uint64_t n, struct fail *why)
{
	static const struct stat empty;
	struct store_file *f;

	if (!store_make_room(s, n + STORE_SLACK)) {
		t->write_error = ENOSPC;
		return fail(why, "%s: the budget of %llu bytes is used up",
		    t->name, (unsigned long long)s->budget);
	}
	if (t->fd < 0) {
		if (store_file_add(t, t->next, &empty, why) != 0)
			return -1;
		f = store_newest(t);
		t->fd = store_file_open(t->io, t->dir, f->name, STORE_NEW);
		if (t->fd < 0) {
			t->write_error = errno;
			(void)store_file_fail(t, f, "create", why);
			t->files--;
			return -1;
		}
		t->fresh = f->whole = true;
	}
	t->at = store_newest(t)->end;
	t->write_error = 0;
	return 0;
}

/* Write after what was written.  The first failure counts for all. */
void
store_write(struct store_set *t, struct str bytes)
{
	ssize_t k;

	while (bytes.n > 0 && t->write_error == 0) {
		k = t->io->pwrite(t->fd, bytes.p, bytes.n, (off_t)t->at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {
			t->write_error = k < 0 ? errno : ENOSPC;
			return;
		}
		bytes = str_after(bytes, (size_t)k);
		t->at += (uint64_t)k;
		/* What follows must not be there without it. */
		if (bytes.n > 0 && t->io->fdatasync(t->fd) != 0)
			t->write_error = errno;
	}
}

/* Make it durable; first: of a new file, its first number. */
int
store_end(struct store_set *t, uint64_t first, struct fail *why)
{
	struct store_file *f = store_newest(t);

	errno = t->write_error;
	if (errno != 0 ? store_file_fail(t, f, "write", why) :
	    store_file_sync(t, why)) {
		t->write_error = errno;
		store_abandon(t);
		return -1;
	}
	if (f->end == 0)
		f->first = first;
	f->end = t->at;
	t->pend.n = t->written = 0;
	file_size(t);
	return 0;
}

/* A file of its own, made aside and named when it is whole. */

int
store_aside_make(struct store_set *t, uint32_t number)
{
	int fd;

	snprintf(t->aside, sizeof t->aside, "%lu.tmp", (unsigned long)number);
	(void)t->io->unlinkat(t->dir, t->aside, 0);
	fd = store_file_open(t->io, t->dir, t->aside, STORE_NEW);
	if (fd >= 0)
		(void)t->io->close(fd);
	return fd < 0 ? -1 : 0;
}

int
store_aside(struct store_set *t, struct fail *why)
{
	t->fd = store_file_open(t->io, t->dir, t->aside, O_RDWR);
	t->at = 0;
	t->write_error = 0;
	return t->fd < 0 ? fail_errno(why, "%s/%s", t->name, t->aside) : 0;
}

int
store_aside_end(struct store_set *t, int rc, struct fail *why)
{
	if (rc == 0 && t->io->fdatasync(t->fd) != 0)
		rc = fail_errno(why, "%s: sync", t->name);
	store_leave(t);
	return rc;
}

int
store_name(struct store_set *t, uint32_t number, struct fail *why)
{
	int fd = store_file_open(t->io, t->dir, t->aside, O_RDONLY), rc = -1;
	struct stat st = { 0 };

	if (fd < 0 || t->io->fstat(fd, &st) != 0)
		(void)fail_errno(why, "%s/%s", t->name, t->aside);
	else
		rc = store_file_add(t, number, &st, why);
	if (fd >= 0)
		(void)t->io->close(fd);
	if (rc == 0 && t->io->renameat(t->dir, t->aside, t->dir,
	    store_newest(t)->name) != 0) {
		t->files--;
		rc = fail_errno(why, "%s/%s: rename", t->name, t->aside);
	}
	if (rc == 0)
		t->fresh = store_newest(t)->unsure = true;
	return rc;
}

void
store_block_damaged(struct store *s, unsigned i, uint64_t at)
{
	struct store_walk w;

	store_walk_begin(&w, &s->b, i);
	if (!s->b.file[i].told || s->look)
		store_note(s, &w, at, "damaged: what it had is lost");
	s->b.file[i].told = true;
}

/* Committing. */

static bool
any_dead(const struct store *s)
{
	bool any = false;
	unsigned k, i;

	for (k = 0; k < s->sets; k++)
		for (i = 0; i < s->set[k]->files; i++)
			any = any || s->set[k]->file[i].dead;
	return any;
}

bool
store_dirty(const struct store *s)
{
	return s->j.pend.n > 0 || s->h.pend.n > 0 || any_dead(s);
}

/* A file of zeros that gives its room to decisions when the disk is full. */
void
store_reserve(struct store *s)
{
	static const char zeros[STORE_RESERVE / 4];
	uint64_t n = store_cap(s, STORE_RESERVE), at = 0;
	struct stat st = { 0 };
	size_t k = sizeof zeros;
	int fd = store_file_open(s->io, s->dir, "reserve", O_RDWR);

	if (fd >= 0 && s->io->fstat(fd, &st) == 0 && (uint64_t)st.st_size == n)
		at = n;
	else if (fd < 0 && (s->budget == 0 || store_bytes(s) + n <= s->budget))
		fd = store_file_open(s->io, s->dir, "reserve", STORE_NEW);
	if (fd < 0)
		return;
	s->reserve_bytes = n;
	for (; at < n; at += k) {
		k = n - at < k ? (size_t)(n - at) : k;
		if (s->io->pwrite(fd, zeros, k, (off_t)at) != (ssize_t)k)
			break;
	}
	if (at < n || s->io->fdatasync(fd) != 0)
		(void)give_reserve(s);
	else
		s->given = false;
	(void)s->io->close(fd);
}

/* One kind.  A failing disk is tried again only after a while. */
static int
commit(struct store *s, struct store_set *t, int64_t mono_ms, struct fail *why)
{
	bool head = t == &s->h;
	int rc;

	if (t->pend.n == 0)
		return 0;
	if (t->retry_ms != 0 && mono_ms < t->retry_ms) {
		*why = t->last;
		return -1;
	}
	/* What was given to records is not for reports. */
	if (head && s->given && store_make_room(s, store_cap(s, STORE_RESERVE)))
		store_reserve(s);
	rc = !head ? store_journal_commit(s, why) : s->given ?
	    fail(why, "no room but what is kept for decisions") :
	    store_head_commit(s, mono_ms, why);
	if (rc != 0 && !head && (t->write_error == ENOSPC ||
	    t->write_error == EDQUOT) && give_reserve(s)) {
		s->given = true;
		rc = store_journal_commit(s, why);
	}
	t->retry_ms = rc == 0 ? 0 : mono_ms + STORE_RETRY_MS;
	t->last = *why;
	return rc;
}

unsigned
store_commit(struct store *s, int64_t mono_ms, struct fail *why)
{
	unsigned failed = 0;

	if (commit(s, &s->h, mono_ms, why) != 0)
		failed |= STORE_REPORTS;
	if (commit(s, &s->j, mono_ms, why) != 0) {
		failed |= STORE_RECORDS;
		store_journal_drop(s);
	}
	if (failed != 0)
		return failed;
	if (any_dead(s))
		(void)settle(s);
	if (s->reserve_bytes == 0 && mono_ms >= s->reserve_ms) {
		s->reserve_ms = mono_ms + STORE_RETRY_MS;
		store_reserve(s);
	}
	return 0;
}

void
store_sync(struct store *s, int64_t wait_ms)
{
	s->sync_ms = wait_ms;
}

/* A small budget has small files, so that what goes is a small part. */
uint64_t
store_cap(const struct store *s, uint64_t bytes)
{
	return s->budget == 0 || s->budget / 8 > bytes ? bytes : s->budget / 8;
}
