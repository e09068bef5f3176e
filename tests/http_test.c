/* http_test.c: each rule of RFC 9110 and 9112 that we hold to, as a row. */
#include <stdlib.h>
#include <string.h>

#include "../http.h"
#include "test.h"

#define S(lit)	{ lit, sizeof(lit) - 1 }
#define R	"GET / HTTP/1.1\r\n"
#define H	"Host: a\r\n"
#define E	"\r\n"

/* A copy of exactly its size, so that a sanitizer sees a byte too far. */
static struct str
exact(struct str s)
{
	char *p = malloc(s.n ? s.n : 1);

	if (p == NULL)
		abort();
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

static void
drop(struct str s)
{
	char *p;

	memcpy(&p, &s.p, sizeof p);
	free(p);
}

static enum http_rc
request(struct str in, struct http_head *h, int *status)
{
	struct fail why = { "" };
	struct str s = exact(in);
	enum http_rc rc = http_request(s, h, status, &why);

	CHECK((rc == HTTP_BAD) == (why.msg[0] != '\0'));
	CHECK((rc == HTTP_BAD) == (*status != 0));
	drop(s);
	return rc;
}

static enum http_rc
answer(struct str in, bool to_head, struct http_head *h)
{
	struct fail why = { "" };
	struct str s = exact(in);
	enum http_rc rc = http_answer(s, to_head, h, &why);

	CHECK((rc == HTTP_BAD) == (why.msg[0] != '\0'));
	drop(s);
	return rc;
}

/* Each is cut where it is first known to be bad: one byte less is MORE. */
#define B(text)		{ 400, S(text) }
#define LINE(target)	B("GET " target " HTTP/1.1\r\n")
#define VERSION(v)	B("GET / " v "\r\n")
#define FIELD(f)	B(R H f "\r\n")
#define HOST(value)	B(R "Host:" value "\r\n" E)
#define LENGTH(value)	B(R H "Content-Length:" value "\r\n" E)
#define CODING(value)	B(R H "Transfer-Encoding:" value "\r\n" E)

static const struct {
	int status;
	struct str in;
} refused[] = {
	/* The request line. */
	B("\r\n\r\n"), B(" GET / HTTP/1.1\r\n"), B("GET\r\n"), B("GET /\r\n"),
	B("GET  / HTTP/1.1\r\n"), B("GET /  HTTP/1.1\r\n"),
	B("GET\t/ HTTP/1.1\r\n"), B("(GET) / HTTP/1.1\r\n"),
	B("G\xc3\x89T / HTTP/1.1\r\n"),
	VERSION(""), VERSION("HTTP/1.1 "), VERSION("HTTP/1.1x"),
	VERSION("HTTP/11"), VERSION("HTTP/1,1"), VERSION("HTTP/1."),
	VERSION("HTTP/x.1"), VERSION("HTTP/1.x"), VERSION("HTTP/1.10"),
	VERSION("HTTP/ 1.1"), VERSION("http/1.1"), VERSION("HTTPS/1.1"),
	{ 505, S("GET / HTTP/0.9\r\n") },
	{ 505, S("GET / HTTP/2.0\r\n") },
	{ 505, S("PRI * HTTP/2.0\r\n") },
	{ 501, S("get / HTTP/1.1\r\n") },
	{ 501, S("BREW / HTTP/1.1\r\n") },
	{ 501, S("GETS / HTTP/1.1\r\n") },
	{ 501, S("GE / HTTP/1.1\r\n") },
	LINE("*"), B("OPTIONS ** HTTP/1.1\r\n"), LINE("index"), LINE("a:80"),
	B("CONNECT a:80 HTTP/1.1\r\n"), LINE("/a#b"), LINE("/\xc3\xa9"),
	LINE("/a\tb"), LINE("ftp://a/"), LINE("http://"), LINE("http:/a"),
	LINE("http:///a"), LINE("http://u@a/"), LINE("http://a:b/"),
	LINE("http://a\\b/"),
	/* Bytes; the first is TLS on a plain port. */
	B("\x16"), B("\n"), B("G\0"), B("GET / HTTP/1.1\n"),
	B("GET / HTTP/1.1\r\r"), B("GET /\rx"), B("GET /\x7f"), B("\r\n\n"),
	B("\rG"), B(R "Host: a\n"), B(R "Host: a\rX"), B(R "Host: a\0"),
	B(R H "A: b\x01"), B(R H "A: b\x0b"), B(R H "\n"), B(R H "\r\r"),
	/* Fields. */
	B(R " Host: a\r\n"), FIELD("A: b\r\n c"), FIELD("A: b\r\n\tc"),
	FIELD("A : b"), FIELD("A\t: b"), FIELD(": b"), FIELD("A"),
	FIELD("A b: c"), FIELD("A(b): c"), FIELD("\xe9: c"),
	FIELD("GET / HTTP/1.1"),
	/* Host. */
	B(R E), B(R "Hosts: a\r\n" E), B(R H H E), B(R H "host: b\r\n" E),
	B("GET / HTTP/1.0\r\n" H H E), B("GET / HTTP/1.0\r\nHost: a b\r\n" E),
	B("GET http://a/ HTTP/1.1\r\n" E),
	B("GET http://a/ HTTP/1.1\r\nHost: b c\r\n" E),
	HOST(""), HOST(" \t"), HOST("a, b"), HOST("a,b"), HOST("a/b"),
	HOST("u@a"), HOST("a:65536"), HOST("a:8x"), HOST("a:-1"),
	HOST("a:1:2"), HOST(":80"), HOST("::1"), HOST("[::1"), HOST("[::1]x"),
	HOST("[::g]"), HOST("[]"), HOST("[abc]"), HOST("\xe9"),
	HOST("http://a"), HOST("%61"),
	/* Framing: what smuggling is made of. */
	LENGTH("5\r\nTransfer-Encoding: chunked"),
	CODING("chunked\r\nContent-Length: 5"),
	CODING("chunked\r\nTransfer-Encoding: chunked"),
	CODING("chunked\r\nTransfer-Encoding: identity"),
	CODING("chunked, chunked"), CODING("chunked,"), CODING(",chunked"),
	CODING("gzip, chunked"), CODING("gzip"), CODING("identity"),
	CODING("xchunked"), CODING("\"chunked\""), CODING("chunked;a=b"),
	CODING(""), CODING("\xa0" "chunked"),
	B("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" E),
	LENGTH("5\r\nContent-Length: 5"), LENGTH("5\r\nContent-Length: 6"),
	LENGTH("0\r\ncontent-length: 0"), LENGTH("5, 5"), LENGTH("5 5"),
	LENGTH("5,"), LENGTH("+5"), LENGTH("-5"), LENGTH("-0"), LENGTH("0x5"),
	LENGTH("5x"), LENGTH("1.0"), LENGTH(""),
	LENGTH("9223372036854775808"), LENGTH("18446744073709551616"),
	LENGTH("99999999999999999999"),
	{ 417, S(R H "Expect: 200-ok\r\n" E) },
	{ 417, S(R H "Expect: 100-continue, x\r\n" E) },
	{ 417, S(R H "Expect:\r\n" E) },
	{ 417, S(R H "Expect: 100-continue\r\nExpect: x\r\n" E) },
};

static void
test_refused(void)
{
	static struct http_head h;
	size_t i, n, last;
	int status;

	for (i = 0; i < COUNT(refused); i++) {
		struct str in = refused[i].in;

		CHECK_ROW(i, request(in, &h, &status) == HTTP_BAD);
		CHECK_ROW(i, status == refused[i].status);
		last = in.n;
		for (n = 0; n < last; n++) {
			in.n = n;
			if (!CHECK_ROW(i, request(in, &h, &status) ==
			    HTTP_MORE))
				break;
		}
	}
}

/* What has been refused stays so, whatever follows. */
static void
test_stays_refused(void)
{
	static struct http_head h;
	char more[2 * 4096 + 512];
	size_t i, n;
	int status;

	for (i = 0; i < COUNT(refused); i++) {
		n = refused[i].in.n;
		memcpy(more, refused[i].in.p, n);
		memset(more + n, 'x', sizeof more - n);
		CHECK_ROW(i, request((struct str){ more, sizeof more }, &h,
		    &status) == HTTP_BAD && status == refused[i].status);
	}
}

/* What is found out about a head: k keep-alive, c chunked, e 100-continue
 * expected, 0 HTTP/1.0. */
static void
bits(const struct http_head *h, char p[5])
{
	struct buf b;

	buf_init(&b, p, 4);
	buf_addz(&b, h->keep_alive ? "k" : "");
	buf_addz(&b, h->chunked ? "c" : "");
	buf_addz(&b, h->expect_100 ? "e" : "");
	buf_addz(&b, h->minor == 0 ? "0" : "");
	p[b.n] = '\0';
}

/* Method, path, query with its '?', host, fields, bits, length. */
static const struct {
	struct str in;
	const char *want;
} taken[] = {
	{ S(R H E), "GET|/||a|1|k|-1" },
	{ S("\r\n" R H E), "GET|/||a|1|k|-1" },
	{ S("HEAD /a/b?c HTTP/1.1\r\n" H E), "HEAD|/a/b|?c|a|1|k|-1" },
	{ S("POST /?a?b=/ HTTP/1.1\r\n" H E), "POST|/|?a?b=/|a|1|k|-1" },
	{ S("PUT /? HTTP/1.1\r\n" H E), "PUT|/|?|a|1|k|-1" },
	{ S("PATCH //x/../%zz HTTP/1.1\r\n" H E),
	    "PATCH|//x/../%zz||a|1|k|-1" },
	{ S("DELETE /'\"<>{} HTTP/1.1\r\n" H E),
	    "DELETE|/'\"<>{}||a|1|k|-1" },
	{ S("OPTIONS * HTTP/1.1\r\n" H E), "OPTIONS|*||a|1|k|-1" },
	{ S("OPTIONS / HTTP/1.1\r\n" H E), "OPTIONS|/||a|1|k|-1" },
	{ S("TRACE / HTTP/1.1\r\n" H E), "OTHER|/||a|1|k|-1" },
	{ S("CONNECT / HTTP/1.1\r\n" H E), "OTHER|/||a|1|k|-1" },
	{ S("GET / HTTP/1.2\r\n" H E), "GET|/||a|1|k|-1" },
	{ S("GET / HTTP/1.0\r\n" E), "GET|/|||0|0|-1" },
	{ S("GET / HTTP/1.0\r\n" H "Connection: keep-alive\r\n" E),
	    "GET|/||a|2|0|-1" },
	/* Absolute-form: its authority wins. */
	{ S("GET http://b/c?d HTTP/1.1\r\n" H E), "GET|/c|?d|b|1|k|-1" },
	{ S("GET HTTPS://b:8454 HTTP/1.1\r\n" H E), "GET|/||b:8454|1|k|-1" },
	{ S("GET http://[::1]?d HTTP/1.1\r\n" H E), "GET|/|?d|[::1]|1|k|-1" },
	{ S("GET http://b/ HTTP/1.0\r\n" E), "GET|/||b|0|0|-1" },
	{ S("GET /http://b/ HTTP/1.1\r\n" H E), "GET|/http://b/||a|1|k|-1" },
	/* Host. */
	{ S(R "HOST:a-b.c_d~1:65535\r\n" E), "GET|/||a-b.c_d~1:65535|1|k|-1" },
	{ S(R "host: \t a: \t\r\n" E), "GET|/||a:|1|k|-1" },
	{ S(R "Host: [fe80::1.2.3.4]:1\r\n" E),
	    "GET|/||[fe80::1.2.3.4]:1|1|k|-1" },
	/* Fields. */
	{ S(R H "!#$%&'*+-.^_`|~:\r\n" E), "GET|/||a|2|k|-1" },
	{ S(R H "A: \xff\x80 b\tc:d \r\n" E), "GET|/||a|2|k|-1" },
	/* Connection. */
	{ S(R H "Connection: close\r\n" E), "GET|/||a|2||-1" },
	{ S(R H "Connection: x ,\tCLOSE ,y\r\n" E), "GET|/||a|2||-1" },
	{ S(R H "Connection: keep-alive\r\nConnection: close\r\n" E),
	    "GET|/||a|3||-1" },
	{ S(R H "Connection: closed, not close\r\nConnection:\r\n" E),
	    "GET|/||a|3|k|-1" },
	/* Framing. */
	{ S(R H "Content-Length: 0\r\n" E), "GET|/||a|2|k|0" },
	{ S(R H "CONTENT-LENGTH:007\r\n" E), "GET|/||a|2|k|7" },
	{ S(R H "Content-Length: 9223372036854775807\r\n" E),
	    "GET|/||a|2|k|9223372036854775807" },
	{ S(R H "Transfer-Encoding: Chunked \r\n" E), "GET|/||a|2|kc|-1" },
	{ S(R H "Expect: 100-Continue\r\n" E), "GET|/||a|2|ke|-1" },
	{ S("GET / HTTP/1.0\r\nExpect: 100-continue\r\n" E),
	    "GET|/|||1|0|-1" },
};

static void
test_taken(void)
{
	static struct http_head h;
	struct fail why;
	char got[128], set[5];
	size_t i, n;
	int status = 1;

	for (i = 0; i < COUNT(taken); i++) {
		struct str in = exact(taken[i].in);

		CHECK_ROW(i, http_request(in, &h, &status, &why) == HTTP_DONE);
		CHECK_ROW(i, status == 0 && h.size == in.n);
		bits(&h, set);
		snprintf(got, sizeof got, "%s|%.*s|%s%.*s|%.*s|%u|%s|%lld",
		    http_method_name(h.method), (int)h.path.n, h.path.p,
		    h.query.p ? "?" : "", (int)h.query.n,
		    h.query.p ? h.query.p : "",
		    (int)h.host.n, h.host.n ? h.host.p : "", h.fields, set,
		    (long long)h.length);
		CHECK_ROW(i, strcmp(got, taken[i].want) == 0);
		drop(in);
		for (n = 0; n < taken[i].in.n; n++)
			CHECK_ROW(i, request((struct str){ taken[i].in.p, n },
			    &h, &status) == HTTP_MORE);
	}
}

/* A head of exactly n bytes in all, its request line n_line, its fields
 * beyond Host n_fields. */
static struct str
sized(char *p, size_t n, size_t n_line, unsigned n_fields)
{
	struct buf b;
	size_t pad;

	buf_init(&b, p, 9000);
	buf_addz(&b, "GET /");
	while (b.n < n_line - 9)
		buf_addc(&b, 'x');
	buf_addz(&b, " HTTP/1.1\r\n" H);
	for (; n_fields > 1; n_fields--)
		buf_addz(&b, "A:\r\n");
	if (n_fields > 0) {
		buf_addz(&b, "B: ");
		for (pad = b.n + 4; pad < n; pad++)
			buf_addc(&b, 'x');
		buf_addz(&b, "\r\n");
	}
	buf_addz(&b, "\r\nbody");
	return (struct str){ p, b.n };
}

static void
test_limits(void)
{
	static const struct {
		size_t n, line;
		unsigned fields;
		int status;
	} rows[] = {
		{ 0,	HTTP_LINE_MAX - 1,	0,	0 },
		{ 0,	HTTP_LINE_MAX,		0,	0 },
		{ 0,	HTTP_LINE_MAX + 1,	0,	414 },
		{ HTTP_HEAD_MAX - 1,	14,	1,	0 },
		{ HTTP_HEAD_MAX,	14,	1,	0 },
		{ HTTP_HEAD_MAX + 1,	14,	1,	431 },
		{ HTTP_HEAD_MAX + 2,	14,	1,	431 },
		{ HTTP_HEAD_MAX + 9,	14,	1,	431 },
		{ 0,	14,	HTTP_FIELDS_MAX - 2,	0 },
		{ 0,	14,	HTTP_FIELDS_MAX - 1,	0 },
		{ 0,	14,	HTTP_FIELDS_MAX,	431 },
	};
	static struct http_head h;
	static char p[9000];
	size_t i, n;
	int status;

	for (i = 0; i < COUNT(rows); i++) {
		struct str in = sized(p, rows[i].n, rows[i].line,
		    rows[i].fields);
		enum http_rc rc = request(in, &h, &status);

		CHECK_ROW(i, status == rows[i].status);
		CHECK_ROW(i, rc == (status ? HTTP_BAD : HTTP_DONE));
		if (rc == HTTP_DONE)
			CHECK_ROW(i, h.size == in.n - 4);
		if (rc == HTTP_DONE && rows[i].n > 0)
			CHECK_ROW(i, h.size == rows[i].n);
		for (n = 0; n < in.n - 4; n += 97)
			if (status == 0)
				CHECK_ROW(i, request((struct str){ p, n }, &h,
				    &status) == HTTP_MORE);
	}
	memset(p, 'x', sizeof p);
	memcpy(p, R, 16);
	CHECK(request((struct str){ p, HTTP_HEAD_MAX - 1 }, &h, &status) ==
	    HTTP_MORE);
	CHECK(request((struct str){ p, HTTP_HEAD_MAX }, &h, &status) ==
	    HTTP_BAD && status == 431);
}

/* A head with one byte changed: its verdict is the same when more follows,
 * and none has come before the byte. */
static void
mutated(size_t i, struct str in, size_t at, char byte)
{
	static struct http_head h;
	char p[300];
	int was, status;
	enum http_rc rc;

	memset(p, 'y', sizeof p);
	memcpy(p, in.p, in.n);
	p[at] = byte;
	rc = request((struct str){ p, in.n }, &h, &was);
	if (rc == HTTP_MORE)
		return;
	CHECK_ROW(i, rc == request((struct str){ p, sizeof p }, &h, &status));
	CHECK_ROW(i, was == status);
	CHECK_ROW(i, request((struct str){ p, at }, &h, &status) ==
	    HTTP_MORE);
}

static void
test_mutated(void)
{
	static const char bytes[] = "\0\r\n\t :;,x\x7f\xff";
	size_t i, k, at;

	for (i = 0; i < COUNT(taken); i++)
		for (at = 0; at < taken[i].in.n; at++)
			for (k = 0; k < sizeof bytes - 1; k++)
				mutated(i, taken[i].in, at, bytes[k]);
}

#define OK_LINE		"HTTP/1.1 200 OK\r\n"
#define NOT(text)	{ S(text), false, 0, 0, NULL }

static const struct {
	struct str in;
	bool to_head;
	int status;		/* 0: refused */
	int64_t length;
	const char *bits;
} answers[] = {
	{ S("HTTP/1.1 200 OK\r\n\r\n"), false, 200, -1, "k" },
	{ S("HTTP/1.1 200\r\n\r\n"), false, 200, -1, "k" },
	{ S("HTTP/1.1 200 \r\n\r\n"), false, 200, -1, "k" },
	{ S("HTTP/1.1 599 \xff  so\tit is\r\n\r\n"), false, 599, -1, "k" },
	{ S("HTTP/1.0 404 No\r\nContent-Length: 3\r\n\r\n"), false, 404, 3,
	    "0" },
	{ S("HTTP/1.1 500 No\r\nConnection: close\r\n\r\n"), false, 500, -1,
	    "" },
	{ S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false,
	    200, -1, "kc" },
	{ S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), true,
	    200, 0, "k" },
	{ S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), true, 200, 0,
	    "k" },
	{ S("HTTP/1.1 100 Continue\r\n\r\n"), false, 100, 0, "k" },
	{ S("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"), false,
	    204, 0, "k" },
	{ S("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), false,
	    304, 0, "k" },
	NOT("\r\n"), NOT("220 mail.example.org ESMTP\r\n"),
	NOT("SSH-2.0-x\r\n"), NOT("HTTP/1.1\r\n"), NOT("HTTP/1.1 \r\n"),
	NOT("HTTP/1.1  200 OK\r\n"), NOT("HTTP/1.1 099 OK\r\n"),
	NOT("HTTP/1.1 600 OK\r\n"), NOT("HTTP/1.1 20 OK\r\n"),
	NOT("HTTP/1.1 2000 OK\r\n"), NOT("HTTP/1.1 0200 OK\r\n"),
	NOT("HTTP/1.1 2x0 OK\r\n"), NOT("HTTP/1.1 -20 OK\r\n"),
	NOT("HTTP/2.0 200 OK\r\n"), NOT("ICY 200 OK\r\n"),
	NOT(OK_LINE " A: b\r\n"), NOT("HTTP/1.1 200 OK\n"),
	NOT("HTTP/1.1 200 O\0"), NOT(OK_LINE "A : b\r\n"),
	NOT(OK_LINE "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"),
	NOT(OK_LINE "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
	NOT(OK_LINE "Transfer-Encoding: gzip\r\n\r\n"),
	NOT(OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	NOT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
};

static void
test_answers(void)
{
	static struct http_head h;
	char set[5];
	size_t i, n;

	for (i = 0; i < COUNT(answers); i++) {
		struct str in = answers[i].in;
		bool to_head = answers[i].to_head;

		CHECK_ROW(i, answer(in, to_head, &h) ==
		    (answers[i].status ? HTTP_DONE : HTTP_BAD));
		if (answers[i].status != 0) {
			CHECK_ROW(i, h.status == answers[i].status);
			CHECK_ROW(i, h.length == answers[i].length);
			CHECK_ROW(i, h.size == in.n);
			bits(&h, set);
			CHECK_ROW(i, strcmp(set, answers[i].bits) == 0);
		}
		for (n = in.n; n-- > 0; ) {
			in.n = n;
			CHECK_ROW(i, answer(in, to_head, &h) == HTTP_MORE);
		}
	}
}

static void
test_field(void)
{
	static struct http_head h;
	struct fail why;
	int status;

	CHECK(http_request(STR(R H "A: 1\r\nB: 2\r\na: 3\r\nC:\r\n" E), &h,
	    &status, &why) == HTTP_DONE);
	CHECK(str_is(http_field(&h, "a"), "1"));
	CHECK(str_is(http_field(&h, "b"), "2"));
	CHECK(http_field(&h, "c").p != NULL && http_field(&h, "c").n == 0);
	CHECK(http_field(&h, "d").p == NULL);
}

/* Feed a body in pieces of `step` bytes into got. */
static enum http_rc
feed(struct http_body b, struct str in, size_t step, struct buf *got,
    size_t *used_all)
{
	enum http_rc rc = HTTP_MORE;
	struct fail why = { "" };
	struct str s;
	struct buf raw;
	size_t body, n;

	*used_all = 0;
	do {
		n = in.n - *used_all < step ? in.n - *used_all : step;
		s = exact((struct str){ in.p + *used_all, n });
		memcpy(&raw.p, &s.p, sizeof raw.p);
		raw.n = n;
		rc = http_body(&b, &raw, &body, &why);
		CHECK(body <= raw.n && raw.n <= n);
		CHECK(rc != HTTP_MORE || raw.n == body);
		CHECK((rc == HTTP_BAD) == (why.msg[0] != '\0'));
		/* What is behind the message is there as it was. */
		CHECK(rc != HTTP_DONE || raw.n == body || memcmp(s.p + body,
		    in.p + *used_all + n - (raw.n - body),
		    raw.n - body) == 0);
		if (rc != HTTP_BAD)
			buf_add(got, (struct str){ s.p, body });
		*used_all += n - (raw.n - body);
		drop(s);
	} while (rc == HTTP_MORE && *used_all < in.n);
	return rc;
}

#define C3	"3\r\nabc\r\n"
#define NO(text) { S(text), NULL }

static const struct {
	struct str in;
	const char *body;	/* NULL: refused, at the last byte */
} chunked[] = {
	{ S("0\r\n\r\n"), "" },
	{ S("000000000000000\r\n\r\n"), "" },
	{ S(C3 "0\r\n\r\n"), "abc" },
	{ S(C3 "A\r\n0123456789\r\n04\r\n\r\n0\r\r\n0\r\n\r\n"),
	    "abc0123456789\r\n0\r" },
	{ S("1\r\na\r\n1;x\r\nb\r\n1;x=\"y\t\xff\"\r\nc\r\n0;\r\n\r\n"),
	    "abc" },
	{ S("0\r\nA: b\r\nContent-Length: 9\r\nC:\r\n\r\n"), "" },
	{ S("0\r\nA:\xff\t\r\n\r\n"), "" },
	NO("\r"), NO(";"), NO("g"), NO(" "), NO("-"), NO("+"), NO("0x"),
	NO("3 "), NO("3\n"), NO("3\rx"), NO("3;\n"), NO("3;a\0"), NO("3;\rx"),
	NO("3\0"), NO("3\r\nabcd"), NO("3\r\nabc\n"), NO("3\r\nabc\rx"),
	NO(C3 "\r"), NO("0\r\n\n"), NO("0\r\n\rx"), NO("0\r\n "), NO("0\r\n:"),
	NO("0\r\nA\r"), NO("0\r\nA "), NO("0\r\nA: b\n"), NO("0\r\nA: b\rx"),
	NO("0\r\nA: \0"), NO("0\r\nA: b\r\n "),
};

static void
test_chunked(void)
{
	struct http_head h = { .chunked = true, .length = -1 };
	struct http_body b;
	char p[64];
	struct buf got;
	size_t i, n, step, used;

	http_body_init(&b, &h, false);
	CHECK(b.kind == HTTP_BODY_CHUNKED);
	for (i = 0; i < COUNT(chunked); i++) {
		struct str in = chunked[i].in;
		const char *want = chunked[i].body;

		for (step = 1; step <= in.n; step++) {
			buf_init(&got, p, sizeof p);
			CHECK_ROW(i, feed(b, in, step, &got, &used) ==
			    (want ? HTTP_DONE : HTTP_BAD));
			if (want == NULL)
				continue;
			CHECK_ROW(i, used == in.n);
			CHECK_ROW(i, str_is(str_from(&got), want));
		}
		for (n = 0; want != NULL && n < in.n; n++) {
			buf_init(&got, p, sizeof p);
			in.n = n;
			CHECK_ROW(i, feed(b, in, 7, &got, &used) ==
			    HTTP_MORE && used == n);
			in.n = chunked[i].in.n;
		}
		/* The refused are cut where that is first known. */
		if (want == NULL) {
			in.n--;
			buf_init(&got, p, sizeof p);
			CHECK_ROW(i, feed(b, in, 1, &got, &used) ==
			    HTTP_MORE);
		}
	}
}

/* Whether HEAD, then n of fill, then TAIL, is a whole chunked body. */
static enum http_rc
padded(const char *head, char fill, size_t n, const char *tail)
{
	static char p[2048];
	struct http_head h = { .chunked = true, .length = -1 };
	struct http_body b;
	struct buf in, got;
	char out[16];
	size_t used;

	http_body_init(&b, &h, true);
	buf_init(&in, p, sizeof p);
	buf_addz(&in, head);
	while (n-- > 0)
		buf_addc(&in, fill);
	buf_addz(&in, tail);
	buf_init(&got, out, sizeof out);
	return feed(b, str_from(&in), 100, &got, &used);
}

static void
test_chunk_limits(void)
{
	const size_t ext = HTTP_EXT_MAX - 1;	/* the ';' counts */
	const size_t trail = HTTP_TRAILER_MAX - 6;	/* "A:", two CRLF */

	CHECK(padded("1;", 'x', ext - 1, "\r\na\r\n0\r\n\r\n") == HTTP_DONE);
	CHECK(padded("1;", 'x', ext, "\r\na\r\n0\r\n\r\n") == HTTP_DONE);
	CHECK(padded("1;", 'x', ext + 1, "") == HTTP_BAD);
	CHECK(padded("0\r\nA:", 'x', trail - 1, "\r\n\r\n") == HTTP_DONE);
	CHECK(padded("0\r\nA:", 'x', trail, "\r\n\r\n") == HTTP_DONE);
	CHECK(padded("0\r\nA:", 'x', trail + 1, "\r\n\r\n") == HTTP_BAD);
	CHECK(padded("", 'f', 14, "\r\nx") == HTTP_MORE);
	CHECK(padded("", 'f', 15, "\r\nx") == HTTP_MORE);
	CHECK(padded("", 'f', 16, "") == HTTP_BAD);
	CHECK(padded("", '0', 14, "1\r\na\r\n0\r\n\r\n") == HTTP_DONE);
	CHECK(padded("", '0', 15, "1") == HTTP_BAD);
}

static void
test_bodies(void)
{
	static const struct {
		int64_t length;
		bool of_answer;
		int kind;
		size_t used;
		enum http_rc rc;
	} rows[] = {
		{ -1,	false,	HTTP_BODY_NONE,		0,	HTTP_DONE },
		{ 0,	false,	HTTP_BODY_NONE,		0,	HTTP_DONE },
		{ 0,	true,	HTTP_BODY_NONE,		0,	HTTP_DONE },
		{ 1,	false,	HTTP_BODY_LENGTH,	1,	HTTP_DONE },
		{ 4,	true,	HTTP_BODY_LENGTH,	4,	HTTP_DONE },
		{ 5,	true,	HTTP_BODY_LENGTH,	5,	HTTP_DONE },
		{ 6,	true,	HTTP_BODY_LENGTH,	5,	HTTP_MORE },
		{ -1,	true,	HTTP_BODY_EOF,		5,	HTTP_MORE },
	};
	struct http_body b;
	struct buf got;
	char p[16];
	size_t i, step, used;

	for (i = 0; i < COUNT(rows); i++) {
		struct http_head h = { .length = rows[i].length };

		http_body_init(&b, &h, rows[i].of_answer);
		CHECK_ROW(i, (int)b.kind == rows[i].kind);
		for (step = 1; step <= 6; step++) {
			buf_init(&got, p, sizeof p);
			CHECK_ROW(i, feed(b, STR("a\0\r\nb"), step, &got,
			    &used) == rows[i].rc);
			CHECK_ROW(i, used == rows[i].used && got.n == used);
			CHECK_ROW(i, memcmp(p, "a\0\r\nb", got.n) == 0);
		}
		buf_init(&got, p, sizeof p);
		CHECK_ROW(i, feed(b, STR(""), 1, &got, &used) ==
		    (rows[i].kind == HTTP_BODY_NONE ? HTTP_DONE : HTTP_MORE));
	}
}

static void
test_unescape(void)
{
	static const struct {
		struct str in;
		bool plus;
		int cap;
		const char *want;	/* NULL: refused */
	} rows[] = {
		{ S(""),		false, 1, "" },
		{ S("abc"),		false, 4, "abc" },
		{ S("abc"),		false, 3, NULL },
		{ S("a+b"),		false, 9, "a+b" },
		{ S("a+b"),		true, 9, "a b" },
		{ S("%2b"),		true, 9, "+" },
		{ S("%41%6a%6A%7E"),	false, 9, "Ajj~" },
		{ S("%41%42"),		false, 3, "AB" },
		{ S("%41%42"),		false, 2, NULL },
		{ S("%252f"),		false, 9, "%2f" },
		{ S("%2e%2e%2F"),	false, 9, "../" },
		{ S("%0d%0a"),		false, 9, "\r\n" },
		{ S("%C3%A9\xc3\xa9"),	false, 9, "\xc3\xa9\xc3\xa9" },
		{ S("%F0%9f%92%a9"),	false, 9, "\xf0\x9f\x92\xa9" },
		{ S("%"),		false, 9, NULL },
		{ S("a%"),		false, 9, NULL },
		{ S("a%4"),		false, 9, NULL },
		{ S("%4g"),		false, 9, NULL },
		{ S("%g4"),		false, 9, NULL },
		{ S("%%41"),		false, 9, NULL },
		{ S("% 1"),		false, 9, NULL },
		{ S("%00"),		false, 9, NULL },
		{ S("a\0b"),		false, 9, NULL },
		{ S("%ff"),		false, 9, NULL },
		{ S("%c3"),		false, 9, NULL },
		{ S("%c0%af"),		false, 9, NULL },
		{ S("%ed%a0%80"),	false, 9, NULL },
		{ S("\xe9"),		false, 9, NULL },
	};
	char p[16];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct str s = exact(rows[i].in);
		int rc = http_unescape(s, rows[i].plus, p,
		    (size_t)rows[i].cap);

		CHECK_ROW(i, rc == (rows[i].want ? 0 : -1));
		CHECK_ROW(i, strcmp(p, rows[i].want ? rows[i].want : "") == 0);
		drop(s);
	}
}

/* Every byte there and back, and none but the unreserved as it was. */
static void
test_escape(void)
{
	char in[128], out[512], back[512];
	struct buf b;
	int c;

	for (c = 1; c < 128; c++)
		in[c - 1] = (char)c;
	buf_init(&b, out, sizeof out);
	http_escape(&b, (struct str){ in, 127 });
	CHECK(http_unescape(str_from(&b), true, back, sizeof back) == 0);
	CHECK(memcmp(in, back, 127) == 0);
	buf_init(&b, out, sizeof out);
	http_escape(&b, STR("az-AZ.09_~ \xff\0/%&=+"));
	CHECK(str_is(str_from(&b), "az-AZ.09_~%20%FF%00%2F%25%26%3D%2B"));
}

static void
test_query(void)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "",			"" },
		{ "a",			"[a|]" },
		{ "a=",			"[a|]" },
		{ "a=b",		"[a|b]" },
		{ "=b",			"[|b]" },
		{ "=",			"[|]" },
		{ "a=b=c&d=e",		"[a|b=c][d|e]" },
		{ "&&a=1&&b&",		"[a|1][b|]" },
		{ "&",			"" },
		{ "a%3Db=%26",		"[a%3Db|%26]" },
	};
	struct str rest, name, value;
	struct buf b;
	char p[64];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		rest = str_of(rows[i].in);
		buf_init(&b, p, sizeof p);
		while (http_query(&rest, &name, &value) == 0) {
			buf_addc(&b, '[');
			buf_add(&b, name);
			buf_addc(&b, '|');
			buf_add(&b, value);
			buf_addc(&b, ']');
		}
		CHECK_ROW(i, str_is(str_from(&b), rows[i].out));
	}
	rest = (struct str){ NULL, 0 };
	CHECK(http_query(&rest, &name, &value) == -1);
}

static void
test_date(void)
{
	static const struct {
		int64_t ms;
		const char *want;
	} rows[] = {
		{ 0,			"Thu, 01 Jan 1970 00:00:00 GMT" },
		{ -1,			"Thu, 01 Jan 1970 00:00:00 GMT" },
		{ INT64_MIN,		"Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 86399999,		"Thu, 01 Jan 1970 23:59:59 GMT" },
		{ 86400000,		"Fri, 02 Jan 1970 00:00:00 GMT" },
		{ 784111777000,		"Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 951827696789,		"Tue, 29 Feb 2000 12:34:56 GMT" },
		{ 2147483648000,	"Tue, 19 Jan 2038 03:14:08 GMT" },
		{ 4107542400000,	"Mon, 01 Mar 2100 00:00:00 GMT" },
		{ 1798761599000,	"Thu, 31 Dec 2026 23:59:59 GMT" },
	};
	struct buf b;
	char p[64];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		buf_init(&b, p, sizeof p);
		http_date(&b, rows[i].ms);
		CHECK_ROW(i, str_is(str_from(&b), rows[i].want));
	}
	buf_init(&b, p, sizeof p);
	http_date(&b, INT64_MAX);
	CHECK(b.n == 29 && !b.full);
}

#define SAFE	"Cache-Control: no-store\r\n" \
	"Content-Security-Policy: default-src 'self'; " \
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'\r\n" \
	"X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n" \
	"Referrer-Policy: no-referrer\r\n"
#define DATE	"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"

static void
test_reply(void)
{
	static const struct {
		struct http_reply r;
		const char *want;
	} rows[] = {
		{ { 200, "text/html", 12, true, { "", 0 } },
		    "HTTP/1.1 200 OK\r\n" DATE
		    "Content-Type: text/html\r\n"
		    "Content-Length: 12\r\n" SAFE "\r\n" },
		{ { 201, "application/json", 0, false, S("A: b\r\nC: d\r\n") },
		    "HTTP/1.1 201 Created\r\n" DATE
		    "Content-Type: application/json\r\nContent-Length: 0\r\n"
		    "Connection: close\r\n" SAFE "A: b\r\nC: d\r\n\r\n" },
		{ { 200, "text/plain; version=0.0.4", 1, true, { "", 0 } },
		    "HTTP/1.1 200 OK\r\n" DATE
		    "Content-Type: text/plain; version=0.0.4\r\n"
		    "Content-Length: 1\r\n" SAFE "\r\n" },
		{ { 303, NULL, 0, true, { "", 0 } },
		    "HTTP/1.1 303 See Other\r\n" DATE
		    "Content-Length: 0\r\n" SAFE "\r\n" },
		{ { 204, NULL, 0, true, { "", 0 } },
		    "HTTP/1.1 204 No Content\r\n" DATE SAFE "\r\n" },
		{ { 304, NULL, -1, true, { "", 0 } },
		    "HTTP/1.1 304 Not Modified\r\n" DATE SAFE "\r\n" },
		{ { 200, "text/plain", -1, true, { "", 0 } },
		    "HTTP/1.1 200 OK\r\n" DATE
		    "Content-Type: text/plain\r\n"
		    "Connection: close\r\n" SAFE "\r\n" },
		{ { 299, NULL, INT64_MAX, true, { "", 0 } },
		    "HTTP/1.1 299 Unknown\r\n" DATE
		    "Content-Length: 9223372036854775807\r\n" SAFE "\r\n" },
	};
	static struct http_head h;
	struct buf b;
	char p[1024];
	size_t i, n;

	for (i = 0; i < COUNT(rows); i++) {
		buf_init(&b, p, sizeof p);
		http_put_reply(&b, &rows[i].r, 0);
		CHECK_ROW(i, str_is(str_from(&b), rows[i].want));
		CHECK_ROW(i, answer(str_from(&b), false, &h) == HTTP_DONE);
		n = rows[i].r.extra.n + (rows[i].r.type == NULL ? 0 :
		    strlen(rows[i].r.type));
		CHECK_ROW(i, b.n - n <= 512);
		buf_init(&b, p, strlen(rows[i].want) - 1);
		http_put_reply(&b, &rows[i].r, 0);
		CHECK_ROW(i, b.full);
	}
}

static void
test_names(void)
{
	CHECK(strcmp(http_reason(404), "Not Found") == 0);
	CHECK(strcmp(http_reason(0), "Unknown") == 0);
	CHECK(strcmp(http_method_name(HTTP_GET), "GET") == 0);
	CHECK(strcmp(http_method_name(HTTP_OPTIONS), "OPTIONS") == 0);
	CHECK(strcmp(http_method_name(HTTP_OTHER), "OTHER") == 0);
}

static void
test_url(void)
{
	static const struct {
		const char *in, *want;	/* NULL: refused */
	} rows[] = {
		{ "http://a",		"0||a|80|/|" },
		{ "HTTPS://a",		"1||a|443|/|" },
		{ "https://KEY@monitor.example.org:8454/#P,Q",
		    "1|KEY|monitor.example.org|8454|/|P,Q" },
		{ "https://u:p@a/b?c#d?e#f",	"1|u:p|a|443|/b?c|d?e#f" },
		{ "http://@a/",		"0||a|80|/|" },
		{ "http://a:1/b@c",	"0||a|1|/b@c|" },
		{ "http://a:65535#x",	"0||a|65535|/|x" },
		{ "http://a/#",		"0||a|80|/|" },
		{ "http://[::1]",	"0||::1|80|/|" },
		{ "http://K@[2001:db8::1]:8454/x",
		    "0|K|2001:db8::1|8454|/x|" },
		{ "http://192.0.2.1:80",	"0||192.0.2.1|80|/|" },
		{ "",			NULL },
		{ "http",		NULL },
		{ "http:",		NULL },
		{ "http:/",		NULL },
		{ "http://",		NULL },
		{ "https://",		NULL },
		{ "https:///x",		NULL },
		{ "http://:80",		NULL },
		{ "http://k@",		NULL },
		{ "http://k@:80/",	NULL },
		{ "ftp://a",		NULL },
		{ "httpsx://a",		NULL },
		{ "file:///etc/passwd",	NULL },
		{ "http://a:0",		NULL },
		{ "http://a:65536",	NULL },
		{ "http://a:",		NULL },
		{ "http://a:x",		NULL },
		{ "http://a:8 0",	NULL },
		{ "http://a?b",		NULL },
		{ "http://a b/",	NULL },
		{ "http://a/b c",	NULL },
		{ "http://a/\r\nX: y",	NULL },
		{ "http://a/\x7f",	NULL },
		{ "http://a/\xc3\xa9",	NULL },
		{ "http://k@b@a/",	NULL },
		{ "http://a\\@b/",	NULL },
		{ "http://[::1",	NULL },
		{ "http://[::1]x",	NULL },
		{ "http://[a]",		NULL },
		{ "http://::1/",	NULL },
		{ "http://%61/",	NULL },
	};
	struct http_url u;
	struct fail why;
	char got[128];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct str s = exact(str_of(rows[i].in));
		int rc = http_url(s, &u, &why);

		CHECK_ROW(i, rc == (rows[i].want ? 0 : -1));
		if (rc == 0 && rows[i].want != NULL) {
			snprintf(got, sizeof got, "%d|%.*s|%.*s|%.*s|%.*s|%.*s",
			    u.tls, (int)u.user.n, u.user.p, (int)u.host.n,
			    u.host.p, (int)u.port.n, u.port.p, (int)u.path.n,
			    u.path.p, (int)u.fragment.n, u.fragment.p);
			CHECK_ROW(i, strcmp(got, rows[i].want) == 0);
		}
		drop(s);
	}
	CHECK(http_url(STR("http://a\0b/"), &u, &why) == -1);
	CHECK(http_url(STR("http://va_secret@a:0/"), &u, &why) == -1 &&
	    strstr(why.msg, "secret") == NULL);
}

static void
test_put_request(void)
{
	static const struct {
		const char *url, *method;
		int64_t length;
		const char *want;
	} rows[] = {
		{ "http://k@a/b?c#d", "GET", -1,
		    "GET /b?c HTTP/1.1\r\nHost: a\r\n" },
		{ "https://a:443", "PATCH", 0, "PATCH / HTTP/1.1\r\n"
		    "Host: a\r\nContent-Length: 0\r\n" },
		{ "https://a:80", "PUT", 7, "PUT / HTTP/1.1\r\n"
		    "Host: a:80\r\nContent-Length: 7\r\n" },
		{ "http://[::1]:8454/x", "HEAD", -1,
		    "HEAD /x HTTP/1.1\r\nHost: [::1]:8454\r\n" },
	};
	static struct http_head h;
	struct http_url u;
	struct fail why;
	struct buf b;
	char p[256];
	size_t i;
	int status;

	for (i = 0; i < COUNT(rows); i++) {
		CHECK_ROW(i, http_url(str_of(rows[i].url), &u, &why) == 0);
		buf_init(&b, p, sizeof p);
		http_put_request(&b, rows[i].method, &u, rows[i].length);
		CHECK_ROW(i, str_is(str_from(&b), rows[i].want));
		buf_addz(&b, "\r\n");
		CHECK_ROW(i, request(str_from(&b), &h, &status) == HTTP_DONE);
		CHECK_ROW(i, h.length == rows[i].length);
	}
}

int
main(void)
{
	test_refused();
	test_stays_refused();
	test_taken();
	test_limits();
	test_mutated();
	test_answers();
	test_field();
	test_chunked();
	test_chunk_limits();
	test_bodies();
	test_unescape();
	test_escape();
	test_query();
	test_date();
	test_reply();
	test_names();
	test_url();
	test_put_request();
	return test_end();
}
