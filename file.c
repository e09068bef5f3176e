/* file.c: see file.h. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"

int
file_read(const char *path, struct buf *b, struct fail *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t k = 1;

	if (fd == -1)
		return fail_errno(why, "%s", path);
	while ((k > 0 || (k == -1 && errno == EINTR)) && b->n < b->cap) {
		k = read(fd, b->p + b->n, b->cap - b->n);
		b->n += k > 0 ? (size_t)k : 0;
	}
	if (k == -1)
		fail_errno(why, "%s", path);
	else if (b->n == b->cap)
		k = fail(why, "%s: over %zu bytes", path, b->cap - 1);
	close(fd);
	return k == -1 ? -1 : 0;
}

int
file_write(const char *path, struct str text, struct fail *why)
{
	char name[FILE_PATH_MAX + 4];
	int fd, at, rc = 0;

	snprintf(name, sizeof name, "%s.tmp", path);
	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return fail_errno(why, "%s", name);
	if (write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) == -1 ||
	    rename(name, path) == -1)
		rc = fail_errno(why, "%s", path);
	close(fd);
	/* The name is durable with its directory. */
	name[strrchr(path, '/') - path + 1] = '\0';
	at = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == 0 && fsync(at) == -1)
		rc = fail_errno(why, "%s", path);
	close(at);
	return rc;
}
