/*
 * http.h: HTTP/1.1 as pure functions over bytes (RFC 9110, 9112): heads,
 * bodies and queries are parsed, answers and requests written.  No socket,
 * clock or heap.  Strict: what two parsers could read in two ways is
 * refused, and after a refusal the connection is closed.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "str.h"

#define HTTP_LINE_MAX	4096	/* request line, bytes (414) */
#define HTTP_HEAD_MAX	8192	/* whole head, bytes (431) */
#define HTTP_FIELDS_MAX	64	/* fields in a head (431) */
#define HTTP_EXT_MAX	256	/* bytes of a chunk's extension */
#define HTTP_TRAILER_MAX 1024	/* bytes of the trailers, CRLFs included */

enum http_rc { HTTP_BAD = -1 /* as fail() */, HTTP_MORE = 0, HTTP_DONE = 1 };

enum http_method {
	HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE,
	HTTP_OPTIONS, HTTP_OTHER	/* TRACE, CONNECT: nowhere allowed */
};

struct http_field {
	struct str name, value;
};

struct http_head {
	enum http_method method;	/* of a request */
	struct str path, query;		/* of a request, still escaped; path
					   is "/..." or, for OPTIONS, "*";
					   query NULL without a '?' */
	struct str host;		/* authority, of the target or Host;
					   empty: HTTP/1.0 without either */
	int status;			/* of an answer, 100-599 */
	int minor;			/* 0 or 1 */
	struct http_field field[HTTP_FIELDS_MAX];
	unsigned fields;
	bool chunked, keep_alive, expect_100;
	int64_t length;			/* Content-Length; -1: none given; 0
					   in an answer that has no body */
	size_t size;			/* bytes of the head */
};

/*
 * Parse a head from the first byte of a message.  HTTP_DONE: *h is filled
 * and borrows from in.  HTTP_MORE: it is cut short so far.  HTTP_BAD: *status
 * is the answer due (400, 414, 417, 431, 501, 505) and *why its text, which
 * holds nothing of the input.  Refused at once: a byte no head may hold, a
 * line or head too long, a field too many.  A faulty line is refused when it
 * is whole; what takes all fields to see, at the head's end.
 *
 * Host is HOST or HOST:PORT (letters, digits and "-._~", or [V6]).  An empty
 * line before the request is passed over and counts in size.  keep_alive is
 * false for HTTP/1.0 whatever it asks for.
 */
enum http_rc http_request(struct str in, struct http_head *h, int *status,
    struct fail *why);

/* An answer's head; to_head: the request was a HEAD.  1xx are returned as
 * they are, for the caller to skip.  One that has no body by its status or
 * by to_head comes out with length 0 and not chunked. */
enum http_rc http_answer(struct str in, bool to_head, struct http_head *h,
    struct fail *why);

/* The value of the first field of that name (any case), or NULL bytes. */
struct str http_field(const struct http_head *h, const char *name);

/* The body that follows a head. */
struct http_body {
	enum { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED,
	    HTTP_BODY_EOF } kind;
	uint64_t left;		/* bytes still due, of a length or chunk */
	unsigned state, count;	/* private */
};

/* of_answer: a body without framing lasts until the stream ends. */
void http_body_init(struct http_body *b, const struct http_head *h,
    bool of_answer);

/*
 * Take in all of in->p[in->n], moving what is body to its front: *got bytes.
 * in->n becomes what is left: these and, after HTTP_DONE, the bytes behind
 * the message.  HTTP_MORE: call again with the bytes that follow.  HTTP_BAD:
 * *why says.  HTTP_BODY_EOF never is done: the stream's end ends it.
 */
enum http_rc http_body(struct http_body *b, struct buf *in, size_t *got,
    struct fail *why);

/* Undo %XX of a path or query part ('+' is a space if plus) into dst,
 * NUL-terminated.  0, or -1 (dst is "") when it does not fit, holds a NUL, a
 * lone '%' or is not UTF-8.  Other control bytes pass. */
int http_unescape(struct str s, bool plus, char *dst, size_t cap);

/* Escape everything but RFC 3986's unreserved (for queries and forms). */
void http_escape(struct buf *b, struct str s);

/* The next "name=value" of a query or form, still escaped; a name alone has
 * an empty value.  0, or -1 at its end. */
int http_query(struct str *rest, struct str *name, struct str *value);

const char *http_reason(int status);		/* "Not Found" */
const char *http_method_name(enum http_method m);

/* An IMF-fixdate (RFC 9110 5.6.7) of a time: 29 bytes. */
void http_date(struct buf *b, int64_t ms);

/* What an answer needs beyond its body. */
struct http_reply {
	int status;
	const char *type;	/* Content-Type, or NULL when no body */
	int64_t length;		/* of the body; -1: it lasts until we close */
	bool keep_alive;
	struct str extra;	/* more fields, whole lines with CRLF */
};

/* Write status line and fields, with Date, the security fields of every
 * answer (CSP, nosniff, no framing, no-referrer, no-store) and the empty
 * line.  1xx, 204 and 304 carry no Content-Length.  At most 512 bytes beyond
 * type and extra. */
void http_put_reply(struct buf *b, const struct http_reply *r, int64_t now_ms);

/* An http or https URL, split.  Borrowed.  0, or -1 and *why, which tells
 * nothing of the URL: it may hold a key. */
struct http_url {
	bool tls;
	struct str user;	/* before '@', whole ("KEY" or "u:p") */
	struct str host;	/* without brackets; in them only V6 is */
	struct str port;	/* "80"/"443" when none is given */
	struct str path;	/* with query, from '/'; "/" when none */
	struct str fragment;	/* after '#', or NULL */
};
int http_url(struct str s, struct http_url *u, struct fail *why);

/* Begin a request of u's path: the request line, Host (with brackets and
 * port as due), and Content-Length if length >= 0.  The caller adds its other
 * fields, each with CRLF, and the empty line. */
void http_put_request(struct buf *b, const char *method,
    const struct http_url *u, int64_t length);

#endif
