/* http.c: see http.h. */

#include "http.h"

/* Sets of bytes. */
#define DIGITS	"0123456789"
#define HEX	STR_HEX
#define PLAIN	STR_ALNUM "-._~"
#define TOKEN	PLAIN "!#$%&'*+^`|"	/* RFC 9110 5.6.2 */
#define VISIBLE	PLAIN "!$%&'*+^`|\"(),/:;<=>?@[]{}"	/* but for # and \ */
#define TEXT	""			/* all but control bytes */

static const char *const methods[] = {	/* in the order of http_method */
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
	"TRACE", "CONNECT"
};

/* A head on its way: what is read, how far, and what it is found to be. */
struct parse {
	struct str in, line;
	struct http_head *h;	/* its size: how far */
	int *status;		/* the answer to a refused request */
	struct fail *why;
};

static bool
is_in(char c, const char *set)
{
	unsigned char u = (unsigned char)c;

	if (*set == '\0')
		return (u >= ' ' || u == '\t') && u != 0x7f;
	return u != '\0' && strchr(set, c) != NULL;
}

static bool
is_token(struct str s)
{
	return s.n > 0 && str_is_of(s, TOKEN);
}

static enum http_rc
bad(struct parse *p, int status, const char *text)
{
	*p->status = status;
	return fail(p->why, "%s", text);
}

/* The next line, without its CRLF. */
static enum http_rc
next_line(struct parse *p, size_t max)
{
	size_t i;

	for (i = p->h->size; i < p->in.n && p->in.p[i] != '\r'; i++) {
		if (i - p->h->size >= max)
			return bad(p, 414, "request line too long");
		if (!is_in(p->in.p[i], TEXT))
			return bad(p, 400, "control byte in the head");
	}
	if (i + 1 >= p->in.n && p->in.n == HTTP_HEAD_MAX)
		return bad(p, 431, "head too long");
	if (i + 1 >= p->in.n)
		return HTTP_MORE;
	if (p->in.p[i + 1] != '\n')
		return bad(p, 400, "CR without LF in the head");
	p->line = (struct str){ p->in.p + p->h->size, i - p->h->size };
	p->h->size = i + 2;
	return HTTP_DONE;
}

/* "HTTP/1.x"; 1.2 and later are answered as 1.1 (RFC 9110 2.5). */
static enum http_rc
read_version(struct parse *p, struct str v)
{
	if (v.n != 8 || !str_starts(v, STR("HTTP/")) || v.p[6] != '.' ||
	    !is_in(v.p[5], DIGITS) || !is_in(v.p[7], DIGITS))
		return bad(p, 400, "no HTTP version where one is due");
	if (v.p[5] != '1')
		return bad(p, 505, "only HTTP/1 is spoken here");
	p->h->minor = v.p[7] != '0';
	p->h->keep_alive = p->h->minor == 1;
	return HTTP_DONE;
}

/* Take scheme and authority off a URL. */
static int
cut_origin(struct str *s, bool *tls, struct str *authority)
{
	size_t n = 0;

	if (str_cut(s, ':', authority) == -1 || !str_starts(*s, STR("//")))
		return -1;
	*tls = str_ieq(*authority, STR("https"));
	if (!*tls && !str_ieq(*authority, STR("http")))
		return -1;
	*s = str_after(*s, 2);
	while (n < s->n && !is_in(s->p[n], "/?#"))
		n++;
	*authority = (struct str){ s->p, n };
	*s = str_after(*s, n);
	return 0;
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT; port is NULL without a colon. */
static int
split_authority(struct str a, struct str *host, struct str *port)
{
	bool v6 = str_starts(a, STR("["));
	uint64_t n;

	a = str_after(a, v6);
	*host = (struct str){ a.p, str_span(a, v6 ? HEX ":." : PLAIN) };
	a = str_after(a, host->n);
	if (host->n == 0 || (v6 && (!str_starts(a, STR("]")) ||
	    memchr(host->p, ':', host->n) == NULL)))
		return -1;
	a = str_after(a, v6);
	str_cut(&a, ':', port);
	if (port->n > 0)	/* something between host and colon */
		return -1;
	*port = a;
	return port->n == 0 ? 0 : str_u64(*port, 0, 65535, &n);
}

/* Whether a list of tokens holds one; any case. */
static bool
has_token(struct str list, struct str token)
{
	struct str one;

	while (str_cut(&list, ',', &one) == 0)
		if (str_ieq(str_trim(one), token))
			return true;
	return false;
}

/* What the fields say of the host, the body's end (RFC 9112 6) and the
 * connection's. */
static enum http_rc
read_meaning(struct parse *p)
{
	struct http_head *h = p->h;
	bool request = h->status == 0;
	struct str host = { NULL, 0 }, part, port;
	uint64_t n;

	for (unsigned i = 0; i < h->fields; i++) {
		struct str name = h->field[i].name, value = h->field[i].value;

		if (str_ieq(name, STR("content-length"))) {
			if (h->length >= 0 ||
			    str_u64(value, 0, INT64_MAX, &n) == -1)
				return bad(p, 400,
				    "Content-Length: not one number");
			h->length = (int64_t)n;
		} else if (str_ieq(name, STR("transfer-encoding"))) {
			if (h->chunked || !str_ieq(value, STR("chunked")))
				return bad(p, 400,
				    "Transfer-Encoding: only chunked, once");
			h->chunked = true;
		} else if (str_ieq(name, STR("connection")) &&
		    has_token(value, STR("close"))) {
			h->keep_alive = false;
		} else if (request && str_ieq(name, STR("host"))) {
			if (host.p != NULL ||
			    split_authority(value, &part, &port) == -1)
				return bad(p, 400, "Host: not one HOST[:PORT]");
			host = value;
		} else if (request && str_ieq(name, STR("expect"))) {
			if (!str_ieq(value, STR("100-continue")))
				return bad(p, 417, "Expect: only 100-continue");
			h->expect_100 = h->minor == 1;
		}
	}
	if (h->chunked && h->length >= 0)
		return bad(p, 400, "Transfer-Encoding with Content-Length");
	if (h->chunked && h->minor == 0)
		return bad(p, 400, "Transfer-Encoding in HTTP/1.0");
	if (request && host.p == NULL && h->minor == 1)
		return bad(p, 400, "no Host");
	if (h->host.n == 0)		/* the target's wins */
		h->host = host;
	return HTTP_DONE;
}

/* All fields to the empty line, and what they say. */
static enum http_rc
read_fields(struct parse *p)
{
	struct http_head *h = p->h;
	struct str name;
	enum http_rc rc;

	while ((rc = next_line(p, HTTP_HEAD_MAX)) == HTTP_DONE) {
		if (p->line.n == 0)
			return read_meaning(p);
		if (h->fields == HTTP_FIELDS_MAX)
			return bad(p, 431, "too many fields in the head");
		/* No token has white space: obs-fold ends here too. */
		if (str_cut(&p->line, ':', &name) == -1 ||
		    p->line.p == NULL || !is_token(name))
			return bad(p, 400, "a field must be NAME: VALUE");
		h->field[h->fields++] = (struct http_field){ name,
		    str_trim(p->line) };
	}
	return rc;
}

static struct parse
begin(struct str in, struct http_head *h, int *status, struct fail *why)
{
	*h = (struct http_head){ .method = HTTP_OTHER, .length = -1 };
	*status = 0;
	in.n = in.n > HTTP_HEAD_MAX ? HTTP_HEAD_MAX : in.n;
	return (struct parse){ in, { NULL, 0 }, h, status, why };
}

enum http_rc
http_request(struct str in, struct http_head *h, int *status, struct fail *why)
{
	struct parse p = begin(in, h, status, why);
	struct str method, t, host, port;
	const char *const *known;
	bool tls, star;
	enum http_rc rc;

	if (str_starts(in, STR("\r\n")))
		h->size = 2;	/* RFC 9112 2.2: left over from a body */
	rc = next_line(&p, HTTP_LINE_MAX);
	if (rc != HTTP_DONE)
		return rc;
	if (str_cut(&p.line, ' ', &method) == -1 || !is_token(method) ||
	    str_cut(&p.line, ' ', &t) == -1)
		return bad(&p, 400, "no request line");
	if (read_version(&p, p.line) == HTTP_BAD)
		return HTTP_BAD;
	known = STR_ROW(methods, method);
	if (known == NULL)
		return bad(&p, 501, "no such method");
	if (known < methods + HTTP_OTHER)
		h->method = (enum http_method)(known - methods);
	/* RFC 9112 3.2: origin-form, absolute-form, and "*" for OPTIONS. */
	star = h->method == HTTP_OPTIONS && str_is(t, "*");
	if (!str_is_of(t, VISIBLE "\\") || (!star &&
	    !str_starts(t, STR("/")) && (cut_origin(&t, &tls, &h->host) ==
	    -1 || split_authority(h->host, &host, &port) == -1)))
		return bad(&p, 400, "not a request target");
	str_cut(&t, '?', &h->path);
	if (h->path.n == 0)
		h->path = STR("/");
	h->query = t;
	return read_fields(&p);
}

enum http_rc
http_answer(struct str in, bool to_head, struct http_head *h, struct fail *why)
{
	int ignored;
	struct parse p = begin(in, h, &ignored, why);
	struct str part;
	uint64_t n;
	enum http_rc rc = next_line(&p, HTTP_HEAD_MAX);

	if (rc != HTTP_DONE)
		return rc;
	/* "HTTP/1.x NNN" and, if it likes, " REASON". */
	str_cut(&p.line, ' ', &part);
	if (read_version(&p, part) == HTTP_BAD)
		return HTTP_BAD;
	if (str_cut(&p.line, ' ', &part) == -1 || part.n != 3 ||
	    str_u64(part, 100, 599, &n) == -1)
		return fail(why, "the answer's status is not 100 to 599");
	h->status = (int)n;
	rc = read_fields(&p);
	if (to_head || n < 200 || n == 204 || n == 304) {
		h->length = 0;
		h->chunked = false;
	}
	return rc;
}

struct str
http_field(const struct http_head *h, const char *name)
{
	for (unsigned i = 0; i < h->fields; i++)
		if (str_ieq(h->field[i].name, str_of(name)))
			return h->field[i].value;
	return (struct str){ NULL, 0 };
}

/*
 * A chunked body, RFC 9112 7.1, byte by byte.  A row is a state: the sets of
 * bytes it takes and the state after each; how many bytes may come in a row
 * into states of that limit; what is wrong with any other byte.  A size has
 * at most 15 digits (2^60 - 1); the size 0 leads from LF not to DATA but
 * to LINE, where trailers begin, which are checked and dropped.
 */
enum { START, SIZE, EXT, LF, DATA, DATA_CR, DATA_LF, LINE, NAME, VALUE,
    VALUE_LF, END_LF, END };

#define TAIL	(HTTP_TRAILER_MAX + 1)	/* the LF before them, too */

static const struct {
	const char *set[4];		/* NULL: no more */
	unsigned char next[3];
	unsigned max;			/* 0: no limit */
	const char *fault;
} chunk[] = {
	[START] = { { HEX }, { SIZE }, 0, "not a size" },
	[SIZE] = { { HEX, ";", "\r" }, { SIZE, EXT, LF }, 15, "not a size" },
	[EXT] = { { TEXT, "\r" }, { EXT, LF }, HTTP_EXT_MAX, "control byte" },
	[LF] = { { "\n" }, { DATA }, 0, "CR without LF" },
	[DATA_CR] = { { "\r" }, { DATA_LF }, 0, "no CRLF after a chunk" },
	[DATA_LF] = { { "\n" }, { START }, 0, "no CRLF after a chunk" },
	[LINE] = { { "\r", TOKEN }, { END_LF, NAME }, TAIL, "not a trailer" },
	[NAME] = { { ":", TOKEN }, { VALUE, NAME }, TAIL, "not a trailer" },
	[VALUE] = { { "\r", TEXT }, { VALUE_LF, VALUE }, TAIL, "control byte" },
	[VALUE_LF] = { { "\n" }, { LINE }, TAIL, "CR without LF" },
	[END_LF] = { { "\n" }, { END }, TAIL, "CR without LF" },
	[END] = { { NULL }, { END }, TAIL, "bytes beyond its end" },
};

void
http_body_init(struct http_body *b, const struct http_head *h, bool of_answer)
{
	*b = (struct http_body){ .kind = HTTP_BODY_LENGTH, .state = DATA,
	    .left = h->length > 0 ? (uint64_t)h->length : 0 };
	if (h->chunked) {
		b->kind = HTTP_BODY_CHUNKED;
		b->state = START;
	} else if (h->length < 0 && of_answer) {
		b->kind = HTTP_BODY_EOF;
		b->left = UINT64_MAX;
	} else if (b->left == 0) {
		b->kind = HTTP_BODY_NONE;
		b->state = END;
	}
}

static int
chunk_byte(struct http_body *b, char c, struct fail *why)
{
	unsigned was = b->state, i = 0, max;
	const char pair[] = { '0', c }, *set;
	unsigned char digit;

	while ((set = chunk[was].set[i]) != NULL && !is_in(c, set))
		i++;
	if (set == NULL)
		return fail(why, "chunked body: %s", chunk[was].fault);
	b->state = chunk[was].next[i];
	if (b->state == SIZE &&
	    str_unhex((struct str){ pair, 2 }, &digit, 1) == 0)
		b->left = b->left << 4 | digit;
	if (b->state == DATA && b->left == 0)
		b->state = LINE;
	max = chunk[b->state].max;
	if (max != chunk[was].max)
		b->count = 0;
	return max == 0 || b->count++ < max ? 0 :
	    fail(why, "chunked body: a line is too long");
}

enum http_rc
http_body(struct http_body *b, struct buf *in, size_t *got, struct fail *why)
{
	struct str rest = str_from(in);
	int rc = 0;
	size_t n;

	*got = 0;
	while (rc == 0 && b->state != END && rest.n > 0) {
		if (b->state != DATA) {
			rc = chunk_byte(b, *rest.p, why);
			rest = str_after(rest, 1);
			continue;
		}
		n = rest.n < b->left ? rest.n : (size_t)b->left;
		memmove(in->p + *got, rest.p, n);
		rest = str_after(rest, n);
		*got += n;
		b->left -= n;
		if (b->left == 0)
			b->state = b->kind == HTTP_BODY_CHUNKED ? DATA_CR : END;
	}
	memmove(in->p + *got, rest.p, rest.n);
	in->n = *got + rest.n;
	return rc == -1 ? HTTP_BAD : b->state == END ? HTTP_DONE : HTTP_MORE;
}

int
http_unescape(struct str s, bool plus, char *dst, size_t cap)
{
	struct str got = { dst, 0 };
	bool good = true;
	size_t size;

	for (; s.n > 0 && got.n + 1 < cap; s = str_after(s, size)) {
		unsigned char c = (unsigned char)s.p[0];

		size = c == '%' ? 3 : 1;
		if (s.n < size || (size == 3 && str_unhex((struct str){ s.p +
		    1, 2 }, &c, 1) == -1) || c == '\0')
			break;
		dst[got.n++] = size == 1 && plus && c == '+' ? ' ' : (char)c;
	}
	dst[got.n] = '\0';
	while (good && got.n > 0)
		good = str_take(&got) != -1;
	if (good && s.n == 0)
		return 0;
	dst[0] = '\0';
	return -1;
}

void
http_escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_in(s.p[i], PLAIN))
			buf_addc(b, s.p[i]);
		else
			buf_addf(b, "%%%02X", (unsigned char)s.p[i]);
}

int
http_query(struct str *rest, struct str *name, struct str *value)
{
	do {
		if (str_cut(rest, '&', value) == -1)
			return -1;
	} while (value->n == 0);
	return str_cut(value, '=', name);
}

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

const char *
http_reason(int status)
{
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

const char *
http_method_name(enum http_method m)
{
	return m < HTTP_OTHER ? methods[m] : "OTHER";
}

void
http_date(struct buf *b, int64_t ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct str_date d = str_date(ms);

	buf_addf(b, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT",
	    days + 3 * d.weekday, d.day, months + 3 * (d.month - 1), d.year,
	    d.hour, d.minute, d.second);
}

void
http_put_reply(struct buf *b, const struct http_reply *r, int64_t now_ms)
{
	bool empty = r->status < 200 || r->status == 204 || r->status == 304;
	static char date[30];		/* of the second now_s, and a NUL */
	static int64_t now_s;
	struct buf d = BUF(date);

	if (date[0] == '\0' || now_s != now_ms / 1000)
		http_date(&d, now_ms);
	now_s = now_ms / 1000;
	buf_addz(b, "HTTP/1.1 ");
	buf_addi(b, r->status);
	buf_addc(b, ' ');
	buf_addz(b, http_reason(r->status));
	buf_addz(b, "\r\nDate: ");
	buf_addz(b, date);
	if (r->type != NULL) {
		buf_addz(b, "\r\nContent-Type: ");
		buf_addz(b, r->type);
	}
	if (!empty && r->length >= 0) {
		buf_addz(b, "\r\nContent-Length: ");
		buf_addi(b, r->length);
	}
	buf_addz(b, "\r\n");
	if (!r->keep_alive || (!empty && r->length < 0))
		buf_addz(b, "Connection: close\r\n");
	buf_addz(b, "Cache-Control: no-store\r\n"
	    "Content-Security-Policy: default-src 'self'; "
	    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "X-Frame-Options: DENY\r\n"
	    "Referrer-Policy: no-referrer\r\n");
	buf_add(b, r->extra);
	buf_addz(b, "\r\n");
}

int
http_url(struct str s, struct http_url *u, struct fail *why)
{
	struct str authority;
	uint64_t n;

	/* Some take a backslash for a slash, and see another host. */
	if (!str_is_of(s, VISIBLE "#"))
		return fail(why, "URL: a byte that must be escaped");
	if (cut_origin(&s, &u->tls, &authority) == -1)
		return fail(why, "URL: not http:// or https://");
	u->user = STR("");
	if (authority.n > 0 && memchr(authority.p, '@', authority.n) != NULL)
		str_cut(&authority, '@', &u->user);
	if (split_authority(authority, &u->host, &u->port) == -1)
		return fail(why, "URL: no HOST[:PORT] or [V6][:PORT] in it");
	if (u->port.p == NULL)
		u->port = u->tls ? STR("443") : STR("80");
	if (str_u64(u->port, 1, 65535, &n) == -1)
		return fail(why, "URL: port not 1 to 65535");
	if (str_starts(s, STR("?")))
		return fail(why, "URL: '?' without '/' before it");
	str_cut(&s, '#', &u->path);
	if (u->path.n == 0)
		u->path = STR("/");
	u->fragment = s;
	return 0;
}

void
http_put_request(struct buf *b, const char *method, const struct http_url *u,
    int64_t length)
{
	bool v6 = memchr(u->host.p, ':', u->host.n) != NULL;

	buf_addf(b, "%s %.*s HTTP/1.1\r\nHost: ", method, (int)u->path.n,
	    u->path.p);
	buf_addf(b, v6 ? "[%.*s]" : "%.*s", (int)u->host.n, u->host.p);
	if (!str_is(u->port, u->tls ? "443" : "80"))
		buf_addf(b, ":%.*s", (int)u->port.n, u->port.p);
	buf_addz(b, "\r\n");
	if (length >= 0)
		buf_addf(b, "Content-Length: %lld\r\n", (long long)length);
}
