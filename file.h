/*
 * file.h: small files, whole: a configuration, a key, a certificate.
 */
#ifndef FILE_H
#define FILE_H

#include "fail.h"
#include "str.h"

#define FILE_PATH_MAX	4096	/* bytes of a path, NUL included */

/* All of a file behind what is in *b.  0 or -1: unreadable, or it does not
 * fit with a byte to spare. */
int file_read(const char *path, struct buf *b, struct fail *why);

/* A file that only its owner may read: whole and durable, or not at all (man
 * fsync(2): its directory, too).  path has a '/'.  0 or -1. */
int file_write(const char *path, struct str text, struct fail *why);

#endif
