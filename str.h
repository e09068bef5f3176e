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
#include <string.h>

#define MILLI_MAX	INT64_C(9000000000000000000)	/* ±9·10^15 units */
#define STR_EXPONENT_MAX INT64_C(1000000000000000)	/* of a number's e */
#define STR_DAY_MS	INT64_C(86400000)
#define STR_DURATION_MAX (36500 * STR_DAY_MS)
#define TIME_TEXT	25	/* "2026-11-22T06:53:11.123Z" and a NUL */
#define TIME_MAX	INT64_C(9246182399999)	/* the last ms of 2262 */

struct str {
	const char *p;
	size_t n;
};

struct buf {
	char *p;
	size_t n, cap;	/* n <= cap; no NUL is kept */
	bool full;	/* true once an append did not fit; never cleared */
};

#define STR(lit)	((struct str){ (lit), sizeof(lit) - 1 })
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

#define STR_HEX		"0123456789abcdefABCDEF"
#define STR_ALNUM	STR_HEX "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ"

/* z NULL: NULL and 0. */
static inline struct str
str_of(const char *z)
{
	return (struct str){ z, z == NULL ? 0 : strlen(z) };
}

/* What is in b so far. */
#define str_from(b)	((struct str){ (b)->p, (b)->n })

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
str_is(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

static inline bool
str_starts(struct str s, struct str head)
{
	return s.n >= head.n && str_eq((struct str){ s.p, head.n }, head);
}

bool str_ieq(struct str a, struct str b);	/* ASCII case alike */
bool str_is_plain(struct str s);	/* no control character is in it */
size_t str_span(struct str s, const char *set);	/* it begins so many of set */

/* Each byte is one of set. */
static inline bool
str_is_of(struct str s, const char *set)
{
	return str_span(s, set) == s.n;
}

/* Past n bytes, n <= s.n. */
static inline struct str
str_after(struct str s, size_t n)
{
	return n == 0 ? s : (struct str){ s.p + n, s.n - n };
}

struct str str_trim(struct str s);		/* spaces and tabs, both ends */

/* The row of a table of n rows, each `size` bytes and beginning with its name
 * (a const char *), that has this name; or NULL. */
const void *str_row(const void *table, size_t n, size_t size,
    struct str name);
#define STR_ROW(table, name) \
	str_row((table), COUNT(table), sizeof (table)[0], (name))

/* Take *rest up to sep (sep itself is dropped).  0, or -1 when *rest is
 * used up (NULL): never reads past its end.  "a," is "a" and "". */
int str_cut(struct str *rest, char sep, struct str *head);

/* All of s as a decimal in [min, max]: no sign, no space, no leading '+'.
 * 0, or -1 with *out untouched. */
int str_u64(struct str s, uint64_t min, uint64_t max, uint64_t *out);

/* As str_u64, with an optional '-'. */
int str_i64(struct str s, int64_t min, int64_t max, int64_t *out);

/* The length of the number of RFC 8259's grammar at the start of s, or 0. */
size_t str_number(struct str s);

/* All of s, such a number, times 10^places, rounded half away from zero;
 * *exact says that nothing was rounded.  0, or -1 (out of int64, or none)
 * with both untouched. */
int str_scaled(struct str s, int places, int64_t *out, bool *exact);

/* All of s, such a number, in thousandths, rounded half away from zero.
 * 0, or -1 when it is none or lies beyond ±MILLI_MAX, with *out untouched. */
int str_milli(struct str s, int64_t *out);

/* All of s as a duration in ms: an integer and ms, s, m, h, d, w or y (365
 * days); a bare 0 needs no unit.  0, or -1 (no such unit, over 100 years)
 * with *ms untouched. */
int str_duration(struct str s, int64_t *ms);

/* All of s as bytes: an integer, and K, M or G (1024-based) if any.  0 or
 * -1 with *bytes untouched. */
int str_size(struct str s, uint64_t *bytes);

/* All of s as ISO 8601 (RFC 3339, and without offset: UTC): "T" or a space,
 * 0-9 fraction digits (cut to ms), Z or ±hh:mm or ±hhmm.  A leap second is
 * the second after it.  0, or -1 (also when not in 0 to TIME_MAX) with *ms
 * untouched. */
int str_time(struct str s, int64_t *ms);

/* A time in UTC, cut to 0 to TIME_MAX, as people count. */
struct str_date {
	int year, month, day;		/* 1970-2262, 1-12, 1-31 */
	int hour, minute, second, ms;
	int weekday;			/* 0 is Sunday */
};
struct str_date str_date(int64_t ms);

/* Days from 1970-01-01 to a day of a year from 1600 to 9999, by the calendar
 * without its gap.  month 1-12; any day, counted from the 1st as 1. */
int str_days(int year, int month, int day);

/* Copy s into dst, NUL-terminated.  0, or -1 (dst is "") if it does not
 * fit or holds a NUL. */
int str_copy(char *dst, size_t cap, struct str s);

/* Lower-case hex of n bytes into dst (2n + 1 bytes, NUL-terminated), and
 * back: exactly 2n hex digits of either case into n bytes, 0 or -1. */
void str_hex(char *dst, const unsigned char *p, size_t n);
int str_unhex(struct str s, unsigned char *dst, size_t n);

/* All of s in base64 (RFC 4648 4 and 5) of these 64 digits, with or without
 * padding, into dst: how many bytes; -1: it is none, or more than cap. */
#define STR_BASE64	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
			"abcdefghijklmnopqrstuvwxyz0123456789"
int str_unbase64(struct str s, const char *digits, void *dst, size_t cap);
/* n bytes in base64 (RFC 4648 4), 4 characters for 3, and a NUL; dst. */
const char *str_base64(char *dst, const char *p, size_t n);

/* Take the UTF-8 character that *s, not empty, begins with: its code point;
 * or -1, one byte being taken, where there is none: cut short, overlong, a
 * surrogate or past U+10FFFF.  RFC 3629. */
int32_t str_take(struct str *s);

/* An empty one over an array: struct buf b = BUF(text); */
#define BUF(array)	((struct buf){ (array), 0, sizeof(array), false })
#define buf_init(b, p, cap)	(*(b) = (struct buf){ (p), 0, (cap), false })
void buf_add(struct buf *b, struct str s);
#define buf_addz(b, z)	buf_add(b, str_of(z))

static inline void
buf_addc(struct buf *b, char c)
{
	b->full = b->full || b->n == b->cap;
	if (!b->full)
		b->p[b->n++] = c;
}

void buf_addi(struct buf *b, int64_t v);
void buf_addu(struct buf *b, uint64_t v);
/* As printf; wants one byte more than it leaves, for printf's NUL. */
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Thousandths as the shortest decimal: 80, -0.5, 12.345. */
void buf_milli(struct buf *b, int64_t v);

/* A time as "2026-11-22T06:53:11.123Z", and for people as
 * "2026-11-22 06:53:11 UTC".  Negative times and those past 2262 print as
 * the nearest in range. */
void buf_time(struct buf *b, int64_t ms);
void buf_time_human(struct buf *b, int64_t ms);

/* A duration as people say it, cut to two parts: 350 ms, 5 s, 2 h 5 m.  As
 * buf_time_human it wants the byte that buf_addf does. */
void buf_duration(struct buf *b, int64_t ms);

/* Append s as valid UTF-8 of at most max characters (code points): what is
 * not UTF-8 becomes U+FFFD, what is too long ends in "…". */
void buf_utf8(struct buf *b, struct str s, size_t max);

/* Append s fit for one line of a log or a terminal: control characters, what
 * changes the direction of text, line separators and each byte that is not
 * UTF-8 become '?'.  What does not fit is cut between characters. */
void buf_line(struct buf *b, struct str s);

#endif
