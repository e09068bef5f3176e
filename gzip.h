/*
 * gzip.h: bodies of HTTP packed and unpacked (RFC 1952), whole ones.
 *
 * Nothing is allocated: the state lies in one static room, so neither
 * function may be called from within the other.  What comes out is bounded
 * by the caller's buffer, and unpacking stops there, whatever is left.
 */
#ifndef GZIP_H
#define GZIP_H

#include "fail.h"
#include "str.h"

#define GZIP_WINDOW	12	/* bits of the window we pack with: 4 KiB */
#define GZIP_ROOM	49152	/* bytes of zlib's state, either way */

/* Unpack all of `in`, one member or more, behind what is in *out.  0; or -1:
 * damaged or cut short, or, out->full, larger than the room. */
int gzip_unpack(struct buf *out, struct str in, struct fail *why);

/* Pack `in` behind what is in *out.  0, or -1: it does not fit. */
int gzip_pack(struct buf *out, struct str in);

#endif
