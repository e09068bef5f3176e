/* store.c: see store.h; the directory, and what both kinds of files share. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_impl.h"

#define SECTOR		4096u
#define SLACK		16384		/* a new file's first block, and more */
#define DIRECTORY	(O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static int
posix_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags, mode);
}

static int
posix_lock(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &l);
}

static int
posix_list(int dir, int (*name)(void *arg, const char *name), void *arg)
{
	int error, fd = openat(dir, ".", DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	do
		errno = 0;
	while ((e = readdir(d)) != NULL && name(arg, e->d_name) == 0);
	error = e != NULL ? ENOMEM : errno;
	closedir(d);
	errno = error;
	return error == 0 ? 0 : -1;
}

const struct store_io store_posix = {
	.openat = posix_openat, .pread = pread, .pwrite = pwrite,
	.fdatasync = fdatasync, .fsync = fsync, .ftruncate = ftruncate,
	.unlinkat = unlinkat, .renameat = renameat, .mkdirat = mkdirat,
	.fstat = fstat, .close = close, .list = posix_list, .lock = posix_lock,
};

/* Damage. */

void
store_note(struct store *s, const struct store_walk *w, uint64_t off,
    const char *fmt, ...)
{
	unsigned i = s->damages++;
	char what[80];
	va_list ap;

	if (i >= STORE_DAMAGE_MAX) {
		(void)fail(&s->damage[STORE_DAMAGE_MAX - 1], "and %u more",
		    i + 2 - STORE_DAMAGE_MAX);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	(void)fail(&s->damage[i], "%s/%s: byte %llu: %s", w->set->name,
	    w->set->file[w->i].name, (unsigned long long)off, what);
}

int
store_damage(struct store *s, struct str *text)
{
	if (s->damage_read == s->damages ||
	    s->damage_read == STORE_DAMAGE_MAX) {
		s->damages = s->damage_read = 0;
		return 0;
	}
	*text = str_of(s->damage[s->damage_read++].msg);
	return 1;
}

/* Names: never through a link, never kept by a child, not held by a FIFO. */

static int
open_name(const struct store_io *io, int dir, const char *name, int flags)
{
	int fd;

	flags |= O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	do
		fd = io->openat(dir, name, flags, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int
file_fail(const struct store_set *t, const struct store_file *f,
    const char *what, struct fail *why)
{
	return fail_errno(why, "%s/%s: %s", t->name, f->name, what);
}

/* Reading: a window on one file. */

static void
win_close(struct store_set *t)
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
			piece = SECTOR;
		} else {
			memset(t->win + done, 0, k);
			t->holes = true;
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
	if (t->win_fd < 0 || t->win_number != f->number) {
		win_close(t);
		t->win_number = f->number;
		t->win_fd = open_name(t->io, t->dir, f->name, O_RDONLY);
		if (t->win_fd < 0) {
			t->read_error = errno;
			return NULL;
		}
	}
	if (off < t->win_off || off + n > t->win_off + t->win_n)
		win_load(t, off, want < left ? want : (size_t)left);
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
}

/* Record n was found at byte at: what lay between it and the last? */
static void
walk_good(struct store *s, struct store_walk *w, uint64_t at, uint64_t n)
{
	uint64_t bad = w->bad, last = w->last;

	w->bad = STORE_NOWHERE;
	w->last = n;
	if (bad == STORE_NOWHERE && (last == 0 || n == last + 1))
		return;
	w->damaged = true;
	if (!w->tell)
		return;
	if (bad != STORE_NOWHERE)
		store_note(s, w, bad, "%llu damaged bytes skipped",
		    (unsigned long long)(at - bad));
	else
		store_note(s, w, at, "records %llu to %llu are missing",
		    (unsigned long long)last + 1, (unsigned long long)n - 1);
}

/* The next good record.  False: there is none, or see store_unread. */
bool
store_step(struct store *s, struct store_walk *w, struct store_rec *r)
{
	struct store_set *t = w->set;
	const struct store_file *f = &t->file[w->i];
	int kind;

	while (w->off < f->end) {
		*r = (struct store_rec){ .at = w->off };
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
	    file_fail(w->set, &w->set->file[w->i], "read", why);
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
static int
file_add(struct store_set *t, uint32_t number, const struct stat *st,
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
	snprintf(p[i].name, sizeof p->name, "%lu.log", (unsigned long)number);
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
	if (t->io->unlinkat(t->dir, t->file[i].name, 0) != 0 &&
	    errno != ENOENT)
		return false;
	win_close(t);
	t->files--;
	memmove(&t->file[i], &t->file[i + 1],
	    (t->files - i) * sizeof t->file[0]);
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
static int
file_sync(struct store_set *t, struct fail *why)
{
	if (t->io->fdatasync(t->fd) != 0)
		return file_fail(t, store_newest(t), "sync", why);
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
	unsigned i;

	for (i = 0; i < t->files; i++)
		n += t->file[i].alloc;
	return n;
}

/* The next file to give way: of the head; of the journal, what no start
 * reads, once it has half of it all or nothing else is left. */
static struct store_set *
oldest(struct store *s)
{
	bool spare = s->j.files > 1 && s->j.file[0].number < s->live;

	if (spare && set_bytes(&s->j) > s->budget / 2)
		return &s->j;
	if (s->h.files > 1)
		return &s->h;
	return spare ? &s->j : NULL;
}

static void
make_room(struct store *s, uint64_t bytes)
{
	struct store_set *t;

	s->read.limit = 0;		/* its file may be gone */
	while (s->budget != 0 && store_bytes(s) + bytes > s->budget &&
	    (t = oldest(s)) != NULL && file_remove(t, 0))
		;
}

/* Ready for about so many bytes more, in the newest file or the next. */
int
store_begin(struct store *s, struct store_set *t, uint64_t bytes,
    struct fail *why)
{
	static const struct stat empty;
	struct store_file *f;

	make_room(s, bytes + SLACK);
	if (t->fd < 0) {
		if (file_add(t, t->next, &empty, why) != 0)
			return -1;
		f = store_newest(t);
		t->fd = open_name(t->io, t->dir, f->name,
		    O_RDWR | O_CREAT | O_EXCL);
		if (t->fd < 0) {
			(void)file_fail(t, f, "create", why);
			t->files--;
			return -1;
		}
		t->fresh = true;
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
	}
}

/* Make it durable; first: of a new file, its first number. */
int
store_end(struct store_set *t, uint64_t first, struct fail *why)
{
	struct store_file *f = store_newest(t);
	int rc;

	errno = t->write_error;
	rc = errno != 0 ? file_fail(t, f, "write", why) : file_sync(t, why);
	if (rc != 0) {
		store_abandon(t);
		return -1;
	}
	if (f->end == 0)
		f->first = first;
	f->end = t->at;
	t->pend.n = 0;
	file_size(t);
	return 0;
}

/* Opening. */

/* Copy what follows the good end into N.log.torn: its first 4 MiB. */
static int
copy_torn(struct store *s, struct store_set *t, uint64_t from)
{
	const struct store_file *f = store_newest(t);
	uint64_t left = f->end - from;
	size_t n = left < STORE_RECORD_MAX ? (size_t)left : STORE_RECORD_MAX;
	const char *p = store_win(t, f, from, n);
	char name[32];
	int rc;

	if (p == NULL || t->holes)
		return -1;
	snprintf(name, sizeof name, "%s.torn", f->name);
	(void)s->io->unlinkat(t->dir, name, 0);
	t->fd = open_name(s->io, t->dir, name, O_WRONLY | O_CREAT | O_EXCL);
	if (t->fd < 0)
		return -1;
	t->at = 0;
	store_write(t, (struct str){ p, n });
	rc = t->write_error != 0 ? -1 : s->io->fdatasync(t->fd);
	t->write_error = 0;
	store_leave(t);
	s->other_bytes += n;
	return rc;
}

/*
 * The newest file was walked, and has nothing good after w->good: keep a
 * copy of that, cut it, and take the file into use.  If any of it cannot be
 * done, or the disk gave no bytes to judge by, the file is left as it is.
 */
int
store_cut(struct store *s, const struct store_walk *w, struct fail *why)
{
	struct store_set *t = w->set;
	struct store_file *f = store_newest(t);
	bool keep = f->foreign, torn = w->good < f->end;

	if (torn) {
		store_note(s, w, w->good, "torn: the last %llu bytes",
		    (unsigned long long)(f->end - w->good));
		keep = keep || copy_torn(s, t, w->good) != 0;
		f->end = w->good;
		win_close(t);
	}
	t->fd = open_name(s->io, t->dir, f->name, O_RDWR);
	if (t->fd < 0)
		return file_fail(t, f, "open", why);
	if (torn && !keep)
		keep = s->io->ftruncate(t->fd, (off_t)f->end) != 0;
	if (f->end == 0 && !keep) {
		store_abandon(t);
		return 0;
	}
	/* What a killed predecessor wrote may not be on the platter yet, and
	 * is about to be answered from. */
	if (file_sync(t, why) != 0)
		return -1;
	if (keep)
		store_leave(t);
	return 0;
}

struct listing {
	struct store *s;
	struct store_set *t;
	struct fail *why;
};

/* Take one name of a set's directory, and its size.  What is no plain file
 * is refused, not followed. */
static int
list_name(void *arg, const char *name)
{
	struct listing *l = arg;
	struct store_set *t = l->t;
	struct str stem = str_of(name), head;
	struct stat st = { 0 };
	uint64_t number;
	int fd;

	if (str_cut(&stem, '.', &head) != 0 || str_starts(head, STR("0")) ||
	    str_u64(head, 1, 999999999, &number) != 0 ||
	    (!str_is(stem, "log") && !str_is(stem, "log.torn")))
		return 0;
	fd = open_name(t->io, t->dir, name, O_RDONLY);
	if (fd < 0 || t->io->fstat(fd, &st) != 0)
		(void)fail_errno(l->why, "%s/%s", t->name, name);
	else if (!S_ISREG(st.st_mode))
		(void)fail(l->why, "%s/%s: no plain file", t->name, name);
	if (fd >= 0)
		(void)t->io->close(fd);
	if (!S_ISREG(st.st_mode))
		return -1;
	if (str_is(stem, "log"))
		return file_add(t, (uint32_t)number, &st, l->why);
	l->s->other_bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

/* Make it if it is not there; the data directory alone may be a link. */
static int
open_dir(struct store *s, int at, const char *name, struct fail *why)
{
	int follow = at == AT_FDCWD ? 0 : O_NOFOLLOW, fd;

	if (s->io->mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return fail_errno(why, "%s: make directory", name);
	fd = s->io->openat(at, name, DIRECTORY | follow, 0);
	return fd < 0 ? fail_errno(why, "%s", name) : fd;
}

static int
open_set(struct store *s, struct store_set *t, struct fail *why)
{
	struct listing l = { s, t, why };
	struct store_walk w = { 0 };
	struct store_file *f;
	struct store_rec r;

	t->dir = open_dir(s, s->dir, t->name, why);
	if (t->dir < 0)
		return -1;
	(void)fail(why, "%s: cannot be listed", t->name);
	if (s->io->list(t->dir, list_name, &l) != 0)
		return -1;
	for (f = t->file; f < t->file + t->files; f++) {
		store_walk_begin(&w, t, (unsigned)(f - t->file));
		if (!store_step(s, &w, &r)) {
			if (store_unread(&w, why) != 0)
				return -1;
			continue;
		}
		f->first = r.first != 0 ? r.first : r.n;
		f->foreign = r.first == 0 || r.version != 1;
		if (r.first != 0 && f->foreign)
			store_note(s, &w, 0, "of another version of vilicus");
		if (w.i > 0 && r.before == f[-1].number) {
			f[-1].span = r.span;
			f[-1].known = true;
		}
	}
	t->ahead = STORE_WIN_BYTES;
	/* Begun, and never come to hold anything. */
	w.good = 0;
	return t->files > 0 && store_newest(t)->first == 0 ?
	    store_cut(s, &w, why) : 0;
}

/* Nothing is looked at before the lock is held, nor changed. */
static int
open_all(struct store *s, const char *dir, struct fail *why)
{
	int up;

	s->dir = open_dir(s, AT_FDCWD, dir, why);
	if (s->dir < 0)
		return -1;
	s->lock = open_name(s->io, s->dir, "lock", O_RDWR | O_CREAT);
	if (s->lock < 0)
		return fail_errno(why, "%s/lock", dir);
	if (s->io->lock(s->lock) != 0)
		return fail_errno(why, "%s: in use by another server", dir);
	if (open_set(s, &s->j, why) != 0 || open_set(s, &s->h, why) != 0)
		return -1;
	if (s->io->fsync(s->dir) != 0)
		return fail_errno(why, "%s: sync", dir);
	/* The directory's own name; a parent we may not read is not ours. */
	up = s->io->openat(s->dir, "..", DIRECTORY, 0);
	if (up >= 0) {
		(void)s->io->fsync(up);
		(void)s->io->close(up);
	}
	if (store_journal_open(s, why) != 0)
		return -1;
	return store_head_open(s, why);
}

/* Most of its memory is never touched. */
static bool
set_init(struct store *s, struct store_set *t, const char *name)
{
	*t = (struct store_set){ .io = s->io, .name = name, .dir = -1,
	    .fd = -1, .win_fd = -1, .fresh = true, .next = 1,
	    .ahead = SECTOR, .parse = t == &s->j ? store_line : store_record };
	t->file = calloc(1, sizeof *t->file);
	t->win = malloc(STORE_WIN_MAX);
	buf_init(&t->pend, malloc(STORE_PENDING_MAX), STORE_PENDING_MAX);
	return t->file != NULL && t->win != NULL && t->pend.p != NULL;
}

struct store *
store_open(const char *dir, const struct store_io *io, uint64_t budget_bytes,
    struct fail *why)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL) {
		(void)fail(why, "no memory");
		return NULL;
	}
	s->io = io;
	s->budget = budget_bytes;
	s->dir = s->lock = -1;
	if (!set_init(s, &s->j, "journal") || !set_init(s, &s->h, "head"))
		(void)fail(why, "no memory");
	else if (open_all(s, dir, why) == 0)
		return s;
	store_close(s);
	return NULL;
}

static void
set_close(struct store_set *t)
{
	win_close(t);
	store_leave(t);
	if (t->dir >= 0)
		(void)t->io->close(t->dir);
	free(t->file);
	free(t->pend.p);
	free(t->win);
}

void
store_close(struct store *s)
{
	if (s->snapping)
		store_abandon(&s->j);
	set_close(&s->j);
	set_close(&s->h);
	/* The lock goes last. */
	if (s->lock >= 0)
		(void)s->io->close(s->lock);
	if (s->dir >= 0)
		(void)s->io->close(s->dir);
	free(s);
}

/* Committing. */

bool
store_dirty(const struct store *s)
{
	return s->j.pend.n > 0 || s->h.pend.n > 0;
}

int
store_commit(struct store *s, int64_t mono_ms, struct fail *why)
{
	if (!store_dirty(s))
		return 0;
	if (s->retry_ms != 0 && mono_ms < s->retry_ms) {
		*why = s->last;
	} else if (store_head_commit(s, why) == 0 &&
	    store_journal_commit(s, why) == 0) {
		s->retry_ms = 0;
		return 0;
	} else {
		s->retry_ms = mono_ms + STORE_RETRY_MS;
		s->last = *why;
	}
	store_journal_drop(s);
	return -1;
}

uint64_t
store_bytes(const struct store *s)
{
	return s->other_bytes + set_bytes(&s->j) + set_bytes(&s->h);
}

/* A small budget has small files, so that what goes is a small part. */
uint64_t
store_cap(const struct store *s, uint64_t bytes)
{
	return s->budget == 0 || s->budget / 8 > bytes ? bytes : s->budget / 8;
}
