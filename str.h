/*
 * str.h: borrowed bytes, bounded output, and the values text stands for.
 *
 * A struct str points into somebody else's buffer: it is not
 * NUL-terminated, is never written through, and dies with that buffer.
 * A struct buf appends into storage the caller gave it; what does not
 * fit is dropped and remembered, so a run of appends needs one check, of
 * b->full, at its end.
 *
 * Numbers are fixed point: int64 thousandths of their unit ("milli").
 * Times are int64 milliseconds since the epoch, UTC, without leap seconds.
 * Nothing here depends on a locale, allocates, or reads a clock.
 */
#ifndef STR_H
#define STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MILLI_MAX	INT64_C(9000000000000000000)	/* ±9·10^15 units */
#define TIME_TEXT	25	/* "2026-11-22T06:53:11.123Z" and a NUL */

struct str {
	const char *p;
	size_t n;
};

struct buf {
	char *p;
	size_t n, cap;
	bool full;	/* true once an append did not fit; never cleared */
};

#define STR(lit)	((struct str){ (lit), sizeof(lit) - 1 })
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

struct str str_of(const char *z);		/* z NULL: empty */
struct str str_from(const struct buf *b);	/* what is in b so far */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *z);
bool str_ieq(struct str a, struct str b);	/* ASCII case alike */
bool str_starts(struct str s, struct str head);
struct str str_trim(struct str s);		/* spaces and tabs, both ends */

/* Take *rest up to sep (sep itself is dropped).  0, or -1 when *rest is
 * used up: never reads past its end. */
int str_cut(struct str *rest, char sep, struct str *head);

/* All of s as a decimal in [min, max]: no sign, no space, no leading '+'.
 * 0, or -1 with *out untouched. */
int str_u64(struct str s, uint64_t min, uint64_t max, uint64_t *out);

/* As str_u64, with an optional '-'. */
int str_i64(struct str s, int64_t min, int64_t max, int64_t *out);

/* All of s as a number of RFC 8259's grammar (fraction and exponent
 * allowed) in thousandths, rounded half away from zero.  0, or -1 when it
 * is none or lies beyond ±MILLI_MAX, with *out untouched. */
int str_milli(struct str s, int64_t *out);

/* All of s as a duration in ms: an integer and ms, s, m, h, d, w or y (365
 * days); a bare 0 needs no unit.  0 or -1 (no such unit, over 100 years). */
int str_duration(struct str s, int64_t *ms);

/* All of s as bytes: an integer, and K, M or G (1024-based) if any. */
int str_size(struct str s, uint64_t *bytes);

/* All of s as ISO 8601 (RFC 3339, and without offset: UTC): "T" or a space,
 * 0-9 fraction digits (cut to ms), Z or ±hh:mm or ±hhmm.  Years 1970-2262.
 * 0, or -1 with *ms untouched. */
int str_time(struct str s, int64_t *ms);

/* Copy s into dst, NUL-terminated.  0, or -1 (dst is "") if it does not
 * fit or holds a NUL. */
int str_copy(char *dst, size_t cap, struct str s);

/* Lower-case hex of n bytes into dst (2n + 1 bytes, NUL-terminated), and
 * back: exactly 2n hex digits into n bytes, 0 or -1. */
void str_hex(char *dst, const unsigned char *p, size_t n);
int str_unhex(struct str s, unsigned char *dst, size_t n);

/* The length of the UTF-8 character at the start of s (1-4), or 0 when s is
 * empty, cut short, overlong, a surrogate or past U+10FFFF.  RFC 3629. */
size_t str_utf8(struct str s);

void buf_init(struct buf *b, char *p, size_t cap);
void buf_add(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Thousandths as the shortest decimal: 80, -0.5, 12.345. */
void buf_milli(struct buf *b, int64_t v);

/* A time as "2026-11-22T06:53:11.123Z", and for people as
 * "2026-11-22 06:53:11 UTC".  Negative times and those past 2262 print as
 * the nearest in range. */
void buf_time(struct buf *b, int64_t ms);
void buf_time_human(struct buf *b, int64_t ms);

/* A duration as people say it, two parts at most: 350 ms, 5 s, 2 h 5 m. */
void buf_duration(struct buf *b, int64_t ms);

/* Append s as valid UTF-8 of at most max characters (code points): what is
 * not UTF-8 becomes U+FFFD, what is too long ends in "…". */
void buf_utf8(struct buf *b, struct str s, size_t max);

#endif
