/* store_open.c: see store.h; the directory: opened, recovered, and closed. */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_impl.h"

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
	t->fd = store_file_open(s->io, t->dir, name, STORE_NEW);
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
	const char *p;
	uint64_t n;

	if (torn) {
		store_note(s, w, w->good, "torn: the last %llu bytes",
		    (unsigned long long)(f->end - w->good));
		keep = keep || copy_torn(s, t, w->good) != 0;
		f->end = w->good;
		store_win_close(t);
	}
	t->fd = store_file_open(s->io, t->dir, f->name, O_RDWR);
	if (t->fd < 0)
		return store_file_fail(t, f, "open", why);
	if (torn && !keep)
		keep = s->io->ftruncate(t->fd, (off_t)f->end) != 0;
	if (f->end == 0 && !keep) {
		store_abandon(t);
		return 0;
	}
	/* What a killed predecessor wrote may not be on the platter yet, and
	 * is about to be answered from.  Write its bytes over themselves, so
	 * that a sync means something: one that failed at an earlier start
	 * may have marked them clean.  Where that cannot be done nothing is
	 * worse. */
	for (t->at = 0; t->at < f->end && t->write_error == 0;) {
		n = f->end - t->at;
		n = n < STORE_WIN_BYTES ? n : STORE_WIN_BYTES;
		p = store_win(t, f, t->at, (size_t)n);
		if (p == NULL || t->holes)
			break;
		store_write(t, (struct str){ p, (size_t)n });
	}
	t->read_error = t->write_error = 0;
	if (store_file_sync(t, why) != 0)
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
	    str_u64(head, 1, 999999999, &number) != 0)
		return 0;
	if (str_is(stem, "tmp") && !l->s->look) {
		(void)t->io->unlinkat(t->dir, name, 0);
		return 0;
	}
	if (!str_is(stem, t->ext) && (!str_is(stem, "log.torn") ||
	    strcmp(t->ext, "log") != 0))
		return 0;
	fd = store_file_open(t->io, t->dir, name, O_RDONLY);
	if (fd < 0 && errno == ENOENT && l->s->look)
		return 0;
	if (fd < 0 || t->io->fstat(fd, &st) != 0)
		(void)fail_errno(l->why, "%s/%s", t->name, name);
	else if (!S_ISREG(st.st_mode))
		(void)fail(l->why, "%s/%s: no plain file", t->name, name);
	if (fd >= 0)
		(void)t->io->close(fd);
	if (!S_ISREG(st.st_mode))
		return -1;
	if (str_is(stem, t->ext))
		return store_file_add(t, (uint32_t)number, &st, l->why);
	l->s->other_bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

/* Make it if it is not there; the data directory alone may be a link. */
static int
open_dir(struct store *s, int at, const char *name, struct fail *why)
{
	int follow = at == AT_FDCWD ? 0 : O_NOFOLLOW, fd;

	if (!s->look && s->io->mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return fail_errno(why, "%s: make directory", name);
	fd = s->io->openat(at, name, DIRECTORY | follow, 0);
	return fd < 0 ? fail_errno(why, "%s", name) : fd;
}

static int
open_set(struct store *s, struct store_set *t, struct fail *why)
{
	bool drop = !s->look && (t == &s->j || t == &s->h);
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
	for (f = t->file; f < t->file + t->files && t != &s->b; f++) {
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
	}
	t->ahead = t == &s->b ? STORE_WIN_BLOCK : STORE_WIN_BYTES;
	/* The newest files that were begun, and never came to hold anything. */
	for (unsigned n = t->files + 1; drop && t->files > 0 && t->files < n &&
	    store_newest(t)->first == 0;) {
		n = t->files;
		store_leave(t);
		store_walk_begin(&w, t, n - 1);
		if (store_cut(s, &w, why) != 0)
			return -1;
	}
	return 0;
}

static int
open_sets(struct store *s, struct fail *why)
{
	for (unsigned i = 0; i < s->sets; i++)
		if (open_set(s, s->set[i], why) != 0)
			return -1;
	for (unsigned i = 0; i < s->b.files; i++)
		if (store_block_open(s, i, why) != 0)
			return -1;
	store_block_order(s);
	return 0;
}

/* Nothing is looked at before the lock is held, nor changed. */
static int
open_all(struct store *s, const char *dir, struct fail *why)
{
	int up;

	s->dir = open_dir(s, AT_FDCWD, dir, why);
	if (s->dir < 0)
		return -1;
	s->lock = store_file_open(s->io, s->dir, "lock", O_RDWR | O_CREAT);
	if (s->lock < 0)
		return fail_errno(why, "%s/lock", dir);
	if (s->io->lock(s->lock) != 0)
		return fail_errno(why, "%s: in use by another server", dir);
	if (open_sets(s, why) != 0)
		return -1;
	if (s->io->fsync(s->dir) != 0)
		return fail_errno(why, "%s: sync", dir);
	/* The directory's own name; a parent we may not read is not ours. */
	up = s->io->openat(s->dir, "..", DIRECTORY, 0);
	if (up >= 0) {
		(void)s->io->fsync(up);
		(void)s->io->close(up);
	}
	if (store_journal_open(s, why) != 0 || store_head_open(s, why) != 0)
		return -1;
	store_job_clean(s);
	store_reserve(s);
	return 0;
}

/* Most of its memory is never touched.  False: there is none. */
static bool
set_up(struct store *s, struct store_set *t, const char *name, const char *ext)
{
	bool pends = t == &s->j || t == &s->h;

	*t = (struct store_set){ .io = s->io, .name = name, .ext = ext,
	    .dir = -1, .fd = -1, .win_fd = -1, .fresh = true, .next = 1,
	    .ahead = STORE_SECTOR, .parse = name[0] == 'j' ? store_line :
	    store_record };
	s->set[s->sets++] = t;
	t->file = calloc(1, sizeof *t->file);
	t->win = malloc(STORE_WIN_MAX);
	if (pends)
		t->front = malloc(STORE_FRONT + STORE_PENDING_MAX);
	if (t->front != NULL)
		buf_init(&t->pend, t->front + STORE_FRONT, STORE_PENDING_MAX);
	return t->file != NULL && t->win != NULL && (t->front || !pends);
}

static struct store *
make(const char *dir, const struct store_io *io, struct fail *why)
{
	struct store *s = calloc(1, sizeof *s);

	if (s != NULL) {
		s->io = io;
		s->path = dir;
		s->dir = s->lock = -1;
	}
	if (s != NULL && set_up(s, &s->j, "journal", "log") &&
	    set_up(s, &s->n, "journal", "snap") &&
	    set_up(s, &s->h, "head", "log") &&
	    set_up(s, &s->b, "blocks", "blk"))
		return s;
	(void)fail(why, "no memory");
	store_close(s);
	return NULL;
}

struct store *
store_open(const char *dir, const struct store_io *io, uint64_t budget_bytes,
    struct fail *why)
{
	struct store *s = make(dir, io, why);

	if (s == NULL)
		return NULL;
	s->budget = budget_bytes;
	if (open_all(s, dir, why) == 0)
		return s;
	store_close(s);
	return NULL;
}

/* The same without a lock, and changing nothing. */
struct store *
store_look(const char *dir, const struct store_io *io, struct fail *why)
{
	struct store *s = make(dir, io, why);

	if (s == NULL)
		return NULL;
	s->look = true;
	s->dir = open_dir(s, AT_FDCWD, dir, why);
	if (s->dir >= 0 && open_sets(s, why) == 0)
		return s;
	store_close(s);
	return NULL;
}

/* In a child, which has no descriptor left. */
int
store_job_child(struct store *s, struct fail *why)
{
	struct store_set *t;

	s->lock = -1;
	s->dir = s->io->openat(AT_FDCWD, s->path, DIRECTORY, 0);
	if (s->dir < 0)
		return fail_errno(why, "%s", s->path);
	for (unsigned i = 0; i < s->sets; i++) {
		t = s->set[i];
		t->fd = t->win_fd = -1;
		t->dir = open_dir(s, s->dir, t->name, why);
		if (t->dir < 0)
			return -1;
	}
	return 0;
}

void
store_close(struct store *s)
{
	struct store_set *t;

	if (s == NULL)
		return;
	store_reader_close(&s->q);
	for (unsigned i = 0; i < s->sets; i++) {
		t = s->set[i];
		store_win_close(t);
		store_leave(t);
		if (t->dir >= 0)
			(void)t->io->close(t->dir);
		free(t->file);
		free(t->front);
		free(t->win);
	}
	/* The lock goes last. */
	if (s->lock >= 0)
		(void)s->io->close(s->lock);
	if (s->dir >= 0)
		(void)s->io->close(s->dir);
	free(s);
}
