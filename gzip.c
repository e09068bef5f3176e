/* gzip.c: see gzip.h. */
#include <assert.h>

#include <zlib.h>

#include "gzip.h"

#define WRAP	16	/* added to the bits of a window: gzip, not zlib */
#define LEVEL	3	/* what is gained by more is little for JSON */
#define MEMORY	5	/* of 1 to 9 */

static struct {
	_Alignas(16) unsigned char p[GZIP_ROOM];
	size_t used;
} room;

static void *
take(void *opaque, unsigned n, unsigned size)
{
	size_t bytes = ((size_t)n * size + 15) / 16 * 16;

	(void)opaque;
	if (bytes > sizeof room.p - room.used)
		return NULL;
	room.used += bytes;
	return room.p + room.used - bytes;
}

static void
give(void *opaque, void *p)
{
	(void)opaque;		/* all of it goes at once */
	(void)p;
}

/* A stream from `in` to what is free in *out. */
static z_stream
begin(const struct buf *out, struct str in)
{
	union {
		const char *from;
		unsigned char *to;	/* zlib does not write to it */
	} p = { in.p };

	assert(in.n <= UINT32_MAX && out->cap - out->n <= UINT32_MAX);
	room.used = 0;
	return (z_stream){ .zalloc = take, .zfree = give, .next_in = p.to,
	    .avail_in = (unsigned)in.n,
	    .next_out = (unsigned char *)out->p + out->n,
	    .avail_out = (unsigned)(out->cap - out->n) };
}

int
gzip_unpack(struct buf *out, struct str in, struct fail *why)
{
	z_stream z = begin(out, in);
	int rc = inflateInit2(&z, MAX_WBITS + WRAP);

	assert(rc == Z_OK);
	do {
		rc = inflate(&z, Z_FINISH);
		if (rc != Z_STREAM_END)
			break;
		inflateReset(&z);	/* the next member, if one follows */
	} while (z.avail_in > 0);
	out->n = (size_t)((char *)z.next_out - out->p);
	if (rc == Z_STREAM_END)
		return 0;
	out->full = rc != Z_DATA_ERROR && z.avail_out == 0;
	return fail(why, "%s", out->full ? "too large when unpacked" :
	    rc == Z_BUF_ERROR ? "gzip that is cut short" :
	    z.msg != NULL ? z.msg : "no gzip");
}

int
gzip_pack(struct buf *out, struct str in)
{
	z_stream z = begin(out, in);
	int rc = deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW + WRAP,
	    MEMORY, Z_DEFAULT_STRATEGY);

	assert(rc == Z_OK);
	rc = deflate(&z, Z_FINISH);
	if (rc != Z_STREAM_END)
		return -1;
	out->n = (size_t)((char *)z.next_out - out->p);
	return 0;
}
