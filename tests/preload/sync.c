/*
 * sync.c: a preloaded library that watches a server keep its promise: what
 * is answered is on disk.  For tests only.
 *
 *	cc -shared -fPIC -o sync.so sync.c -ldl
 *	SYNC_DIR=DIR SYNC_LOG=FILE LD_PRELOAD=./sync.so vilicus-server -d DIR
 *
 * Whenever bytes go out that begin with "HTTP/1.1 2", every file under
 * SYNC_DIR that was written must have been synced since, and every directory
 * in which a file was made or renamed.  If not, a line goes to SYNC_LOG:
 *
 *	BAD PATH: answered before the sync
 *
 * and at exit one that counts: "answers N syncs M bad K".  A write that was
 * cut away again (ftruncate) or whose file is gone needs no sync; a failed
 * sync is none.  Answers inside TLS are not seen: use a plain listener.
 */
#define _GNU_SOURCE			/* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX	4096
#define LOG_FD		300		/* out of the server's way */

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at);

/* A file or directory, and the size it had when it was last on the disk. */
static struct file {
	dev_t dev;
	ino_t ino;
	bool dirty;
	off_t synced;
	char path[256];
} file[FILES_MAX];
static unsigned files;
static unsigned long answers, syncs, bad;
static const char *dir;
static int log_fd = -1;
static pid_t owner;

#define NEXT(fn)	static __typeof__(fn) *next; \
			if (next == NULL) \
				*(void **)&next = dlsym(RTLD_NEXT, #fn)

static void
say(const char *text)
{
	size_t n = strlen(text);

	NEXT(write);
	if (log_fd >= 0 && next(log_fd, text, n) != (ssize_t)n)
		abort();
}

__attribute__((constructor)) static void
start(void)
{
	const char *name = getenv("SYNC_LOG");
	int fd = -1;

	dir = getenv("SYNC_DIR");
	owner = getpid();
	if (name != NULL)
		fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD);
		close(fd);
	}
}

__attribute__((destructor)) static void
finish(void)
{
	char text[128];

	if (getpid() != owner || dir == NULL)
		return;
	snprintf(text, sizeof text, "answers %lu syncs %lu bad %lu\n",
	    answers, syncs, bad);
	say(text);
}

/* The entry of what fd is, if that lies under SYNC_DIR; else NULL. */
static struct file *
file_of(int fd)
{
	char link[64], path[256];
	struct stat st;
	ssize_t n;
	unsigned i;

	if (dir == NULL || fstat(fd, &st) != 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return NULL;
	for (i = 0; i < files; i++)
		if (file[i].dev == st.st_dev && file[i].ino == st.st_ino)
			return &file[i];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	if (strncmp(path, dir, strlen(dir)) != 0 || files == FILES_MAX)
		return NULL;
	file[files].dev = st.st_dev;
	file[files].ino = st.st_ino;
	file[files].dirty = false;
	file[files].synced = st.st_size;
	memcpy(file[files].path, path, sizeof path);
	return &file[files++];
}

static void
wrote(int fd)
{
	int saved = errno;
	struct file *f = file_of(fd);

	if (f != NULL)
		f->dirty = true;
	errno = saved;
}

static void
synced(int fd)
{
	struct file *f = file_of(fd);
	struct stat st;

	syncs++;
	if (f == NULL || fstat(fd, &st) != 0)
		return;
	f->dirty = false;
	f->synced = st.st_size;
}

/* Are these the first bytes of an answer of success?  Then all must be on
 * the disk before they leave. */
static void
leaves(const void *p, size_t n)
{
	static const char mark[] = "HTTP/1.1 2";
	char text[320];
	unsigned i;

	if (n < sizeof mark - 1 || memcmp(p, mark, sizeof mark - 1) != 0)
		return;
	answers++;
	for (i = 0; i < files; i++) {
		if (!file[i].dirty)
			continue;
		bad++;
		snprintf(text, sizeof text, "BAD %s: answered before the "
		    "sync\n", file[i].path);
		say(text);
	}
}

ssize_t
write(int fd, const void *p, size_t n)
{
	ssize_t rc;

	NEXT(write);
	leaves(p, n);
	if ((rc = next(fd, p, n)) > 0)
		wrote(fd);
	return rc;
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	ssize_t rc;

	NEXT(writev);
	if (n > 0)
		leaves(v[0].iov_base, v[0].iov_len);
	if ((rc = next(fd, v, n)) > 0)
		wrote(fd);
	return rc;
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t rc;

	NEXT(pwrite);
	if ((rc = next(fd, p, n, at)) > 0)
		wrote(fd);
	return rc;
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	ssize_t rc;

	NEXT(pwrite64);
	if ((rc = next(fd, p, n, at)) > 0)
		wrote(fd);
	return rc;
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	NEXT(send);
	leaves(p, n);
	return next(fd, p, n, flags);
}

ssize_t
sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to,
    socklen_t to_n)
{
	NEXT(sendto);
	leaves(p, n);
	return next(fd, p, n, flags, to, to_n);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	NEXT(sendmsg);
	if (m->msg_iovlen > 0)
		leaves(m->msg_iov[0].iov_base, m->msg_iov[0].iov_len);
	return next(fd, m, flags);
}

int
fdatasync(int fd)
{
	int rc;

	NEXT(fdatasync);
	if ((rc = next(fd)) == 0)
		synced(fd);
	return rc;
}

int
fsync(int fd)
{
	int rc;

	NEXT(fsync);
	if ((rc = next(fd)) == 0)
		synced(fd);
	return rc;
}

int
ftruncate(int fd, off_t n)
{
	struct file *f;
	int rc;

	NEXT(ftruncate);
	rc = next(fd, n);
	if (rc == 0 && (f = file_of(fd)) != NULL)
		f->dirty = n > f->synced;
	return rc;
}

/* What is made or renamed is there for sure once its directory is synced. */
int
openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	int fd;

	NEXT(openat);
	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	fd = next(at, path, flags, mode);
	if (fd >= 0 && flags & O_CREAT && flags & O_EXCL)
		wrote(at);
	if (fd >= 0)
		(void)file_of(fd);	/* its size before any write */
	return fd;
}

int
renameat(int at, const char *from, int to_at, const char *to)
{
	int rc;

	NEXT(renameat);
	if ((rc = next(at, from, to_at, to)) == 0)
		wrote(to_at);
	return rc;
}

int
unlinkat(int at, const char *path, int flags)
{
	struct stat st;
	bool last = fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_nlink == 1;
	unsigned i;
	int rc;

	NEXT(unlinkat);
	rc = next(at, path, flags);
	for (i = 0; rc == 0 && last && i < files; i++)
		if (file[i].dev == st.st_dev && file[i].ino == st.st_ino)
			file[i--] = file[--files];
	return rc;
}
