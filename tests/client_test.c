/*
 * client_test.c: streams over real sockets, and the client against a peer
 * that says what a row tells it to, whole, in pieces and cut at each byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* stream.c with some system calls replaced: each fails once with `inject`,
 * and names resolve to `resolved`. */
static int inject;
static const struct addrinfo *resolved;

static bool
injected(void)
{
	if (inject == 0)
		return false;
	errno = inject;
	inject = 0;
	return true;
}

static ssize_t
test_recv(int fd, void *p, size_t n, int flags)
{
	return injected() ? -1 : recv(fd, p, n, flags);
}

static ssize_t
test_send(int fd, const void *p, size_t n, int flags)
{
	return injected() ? -1 : send(fd, p, n, flags);
}

static int
test_accept(int fd, struct sockaddr *sa, socklen_t *n)
{
	return injected() ? -1 : accept(fd, sa, n);
}

static int
test_getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **list)
{
	if (resolved == NULL)
		return getaddrinfo(host, port, hints, list);
	memcpy(list, &resolved, sizeof resolved);
	return 0;
}

static void
test_freeaddrinfo(struct addrinfo *list)
{
	if (list != resolved)
		freeaddrinfo(list);
}

/* The longest that was waited. */
static int longest_ms;

static int
test_poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	if (timeout_ms > longest_ms)
		longest_ms = timeout_ms;
	return poll(p, n, timeout_ms);
}

#define poll test_poll
#define recv test_recv
#define send test_send
#define accept test_accept
#define getaddrinfo test_getaddrinfo
#define freeaddrinfo test_freeaddrinfo
/* The names of the copy, apart from those of stream.o. */
#define stream_plain copy_plain
#define stream_listen copy_listen
#define stream_accept copy_accept
#define stream_connect copy_connect
#define stream_connect_far copy_connect_far
#define stream_connect_list copy_connect_list
#define stream_local copy_local
#define stream_recv copy_recv
#define stream_send copy_send
#define stream_peek copy_peek
#define stream_wait copy_wait
#include "../stream.c"
#undef poll
#undef recv
#undef send

#include "../client.h"
#include "test.h"

static struct fail why;

static const char *
port_of(const char *text)
{
	return strrchr(text, ':') + 1;
}

static void
test_listen_refused(void)
{
	static const char *const rows[] = {
		"", ":", "x", "-1", "+1", "65536", "8454 ", "localhost:80",
		"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
		"127.0.0:80", ":80", "::1", "::1:80", "[::1]", "[::1]:",
		"[::1]80", "[::1:80", "::1]:80", "[127.0.0.1]:80", "[]:80",
		"[:80", "]:80", "1.2.3.4.5:80", "http://127.0.0.1:80",
		"00000000000000000000000000000000000000000000000000000000:80",
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		CHECK_ROW(i, stream_listen(str_of(rows[i]), &why) == -1);
	CHECK(stream_listen(STR("127.0.0.1\0:80"), &why) == -1);
}

static bool
is_prepared(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 &&
	    (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

/* Listen, dial, accept, and talk. */
static void
test_talk(size_t i, const char *addr, const char *ip, const char *shown)
{
	struct stream a, b;
	char text[ADDR_TEXT], peer[ADDR_TEXT] = "", p[8];
	bool loopback = false;
	int l = stream_listen(str_of(addr), &why), c, d, on = 0;
	socklen_t n = sizeof on;

	if (l == -1 && addr[0] == '[') {
		printf("row %d: no IPv6 here: %s\n", (int)i, why.msg);
		return;
	}
	if (!CHECK_ROW(i, l != -1 && is_prepared(l)))
		return;
	CHECK_ROW(i, stream_local(l, text, &why) == 0);
	CHECK_ROW(i, strncmp(text, shown, strlen(shown)) == 0);
	CHECK_ROW(i, stream_accept(l, peer, &loopback) == STREAM_AGAIN);
	d = stream_connect(ip, port_of(text), 5000, &why);
	CHECK_ROW(i, d != -1 && is_prepared(d));
	c = stream_accept(l, peer, &loopback);
	CHECK_ROW(i, c >= 0 && is_prepared(c));
	CHECK_ROW(i, loopback && strcmp(peer, strchr(ip, '.') ?
	    "127.0.0.1" : "::1") == 0);
	CHECK_ROW(i, getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, &n) == 0 &&
	    on != 0);

	stream_plain(&a, c);
	stream_plain(&b, d);
	CHECK_ROW(i, a.ops->want(&a) == LOOP_IN);
	CHECK_ROW(i, a.ops->read(&a, p, sizeof p) == STREAM_AGAIN);
	inject = EINTR;
	CHECK_ROW(i, b.ops->write(&b, "hello", 5) == 5);
	inject = EINTR;
	CHECK_ROW(i, a.ops->read(&a, p, sizeof p) == 5);
	CHECK_ROW(i, memcmp(p, "hello", 5) == 0);
	CHECK_ROW(i, b.ops->shut(&b) == 0);
	CHECK_ROW(i, a.ops->read(&a, p, sizeof p) == STREAM_EOF);
	CHECK_ROW(i, a.ops->write(&a, "x", 1) == 1);	/* half closed */
	CHECK_ROW(i, close(c) == 0 && close(d) == 0 && close(l) == 0);
}

/* A peer that resets is STREAM_BAD with words, and no signal. */
static void
test_reset(void)
{
	struct linger at_once = { 1, 0 };
	struct stream s;
	char text[ADDR_TEXT], p[8];
	bool loopback;
	int l = stream_listen(STR("0"), &why), c, d;

	CHECK(l != -1 && stream_local(l, text, &why) == 0);
	d = stream_connect("127.0.0.1", port_of(text), 5000, &why);
	c = stream_accept(l, text, &loopback);
	CHECK(c >= 0 && d >= 0 && is_prepared(d));
	CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof at_once) == 0 && close(c) == 0);
	stream_plain(&s, d);
	CHECK(s.ops->read(&s, p, sizeof p) == STREAM_BAD);
	CHECK(strcmp(s.why.msg, strerror(ECONNRESET)) == 0);
	CHECK(s.ops->write(&s, "x", 1) == STREAM_BAD);
	CHECK(strcmp(s.why.msg, strerror(EPIPE)) == 0);
	CHECK(s.ops->shut(&s) == 0);
	CHECK(close(d) == 0 && close(l) == 0);
}

/* accept(2) hands on faults of one connection, which are no faults of ours. */
static void
test_accept_errors(void)
{
	static const struct {
		int error, want;
	} rows[] = {
		{ ECONNABORTED, STREAM_AGAIN }, { EINTR, STREAM_AGAIN },
		{ EPROTO, STREAM_AGAIN }, { EHOSTUNREACH, STREAM_AGAIN },
		{ EAGAIN, STREAM_AGAIN }, { EMFILE, -1 }, { ENFILE, -1 },
		{ ENOBUFS, -1 }, { ENOMEM, -1 }, { EBADF, -1 },
	};
	char peer[ADDR_TEXT];
	bool loopback;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		inject = rows[i].error;
		CHECK_ROW(i, stream_accept(-1, peer, &loopback) ==
		    rows[i].want && errno == rows[i].error);
	}
}

/* One address refuses, one never answers, one is good. */
static void
test_connect(void)
{
	union addr at[3];
	struct addrinfo list[3];
	char text[3][ADDR_TEXT];
	int l[3], fd, i, filler;
	int64_t then;
	socklen_t n;

	memset(list, 0, sizeof list);
	for (i = 0; i < 3; i++) {
		l[i] = stream_listen(STR("127.0.0.1:0"), &why);
		CHECK(l[i] != -1 && stream_local(l[i], text[i], &why) == 0);
		n = sizeof at[i];
		CHECK(getsockname(l[i], &at[i].sa, &n) == 0);
		list[i].ai_addr = &at[i].sa;
		list[i].ai_addrlen = n;
		list[i].ai_next = i < 2 ? &list[i + 1] : NULL;
	}
	CHECK(stream_listen(str_of(text[0]), &why) == -1);	/* in use */
	CHECK(close(l[0]) == 0);
	/* A full queue does not answer. */
	CHECK(listen(l[1], 0) == 0);
	filler = stream_connect("127.0.0.1", port_of(text[1]), 5000, &why);
	CHECK(filler != -1);

	resolved = list;
	then = loop_mono_ms();
	longest_ms = 0;
	fd = stream_connect("name", "80", 200, &why);
	CHECK(fd != -1 && is_prepared(fd));
	/* Half of the 200 were for l[1], and no more. */
	CHECK(loop_mono_ms() - then >= 95 && longest_ms <= 110);
	CHECK(close(fd) == 0);
	list[1].ai_next = NULL;
	CHECK(stream_connect("name", "80", 30, &why) == -1);
	CHECK(strcmp(why.msg, strerror(ETIMEDOUT)) == 0);
	list[0].ai_next = NULL;
	CHECK(stream_connect("name", "80", 5000, &why) == -1);
	CHECK(strstr(why.msg, strerror(ECONNREFUSED)) != NULL);
	resolved = NULL;
	CHECK(stream_connect("127.0.0.1", "no port", 5000, &why) == -1);
	CHECK(close(filler) == 0 && close(l[1]) == 0 && close(l[2]) == 0);
}

/* What a webhook may not reach, in each of its spellings. */
static void
test_near(void)
{
	static const struct {
		const char *ip;
		bool near;
	} rows[] = {
		{ "127.0.0.1", true }, { "127.255.255.255", true },
		{ "128.0.0.1", false }, { "126.255.255.255", false },
		{ "0.0.0.0", true }, { "0.1.2.3", true }, { "1.0.0.0", false },
		{ "169.254.0.0", true }, { "169.254.169.254", true },
		{ "169.253.255.255", false }, { "169.255.0.0", false },
		{ "168.254.0.1", false }, { "10.0.0.1", false },
		{ "192.168.1.1", false }, { "::", true }, { "::1", true },
		{ "::2", true }, { "::1:0:0", false }, { "fe80::1", true },
		{ "febf::1", true }, { "fe7f::1", false },
		{ "fec0::1", false }, { "fd00::1", false },
		{ "::ffff:127.0.0.1", true }, { "::ffff:0.0.0.0", true },
		{ "::ffff:169.254.1.1", true }, { "::ffff:10.0.0.1", false },
		{ "::127.0.0.1", true }, { "2001:db8::1", false },
	};
	union addr a;
	char text[64];
	size_t i;
	int l, fd;

	for (i = 0; i < COUNT(rows); i++) {
		memset(&a, 0, sizeof a);
		a.sa.sa_family = strchr(rows[i].ip, ':') ? AF_INET6 : AF_INET;
		CHECK_ROW(i, inet_pton(a.sa.sa_family, rows[i].ip,
		    a.sa.sa_family == AF_INET6 ? (void *)&a.v6.sin6_addr :
		    (void *)&a.v4.sin_addr) == 1);
		CHECK_ROW(i, is_near(&a.sa) == rows[i].near);
	}
	l = stream_listen(STR("127.0.0.1:0"), &why);
	CHECK(l != -1 && stream_local(l, text, &why) == 0);
	CHECK(stream_connect_far("127.0.0.1", port_of(text), 500, &why) == -1);
	CHECK(strstr(why.msg, "not allowed") != NULL);
	fd = stream_connect("127.0.0.1", port_of(text), 500, &why);
	CHECK(fd != -1 && close(fd) == 0 && close(l) == 0);
}

/* The client, and the other end in our own hand. */
struct wire {
	struct stream s;
	int peer;
	struct client c;
	char in[1024];
};

static struct wire w;

#define REQUEST	STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")

static void
wire_open(void)
{
	int p[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	CHECK(prepare(p[0]) == p[0] && prepare(p[1]) == p[1]);
	stream_plain(&w.s, p[0]);
	w.peer = p[1];
}

static void
wire_close(void)
{
	CHECK(close(w.s.fd) == 0);
	if (w.peer != -1)
		CHECK(close(w.peer) == 0);
}

static void
peer_says(struct str s)
{
	CHECK(s.n == 0 || write(w.peer, s.p, s.n) == (ssize_t)s.n);
}

static void
peer_closes(void)
{
	char p[4096];

	while (read(w.peer, p, sizeof p) > 0)
		;	/* what is unread would make a reset of it */
	CHECK(close(w.peer) == 0);
	w.peer = -1;
}

/* One exchange with an answer in pieces, then the end if nothing before. */
static enum http_rc
exchange(struct str answer, bool to_head, size_t step, size_t cap)
{
	enum http_rc rc;
	size_t n;

	wire_open();
	client_begin(&w.c, &w.s, REQUEST, to_head, w.in, cap);
	rc = client_step(&w.c);
	CHECK(rc == HTTP_MORE && w.c.sent_all && w.c.sent == REQUEST.n);
	while (rc == HTTP_MORE && answer.n > 0) {
		n = answer.n < step ? answer.n : step;
		peer_says((struct str){ answer.p, n });
		answer.p += n;
		answer.n -= n;
		rc = client_step(&w.c);
	}
	if (rc == HTTP_MORE) {
		peer_closes();
		rc = client_step(&w.c);
	}
	wire_close();
	return rc;
}

#define S(lit)	{ lit, sizeof(lit) - 1 }
#define OK	"HTTP/1.1 200 OK\r\n"
#define CHUNKED	OK "Transfer-Encoding: chunked\r\n\r\n"
#define GO_ON	"HTTP/1.1 100 Continue\r\n\r\n"
#define GO_ON_8	GO_ON GO_ON GO_ON GO_ON GO_ON GO_ON GO_ON GO_ON
#define LEN3	OK "Content-Length: 3\r\n\r\n"

static const struct {
	struct str answer;
	bool to_head;
	int status;		/* 0: BAD */
	const char *text;	/* body, or why */
	bool reusable;
} answers[] = {
	{ S(LEN3 "abc"), false, 200, "abc", true },
	{ S(OK "Content-Length: 0\r\n\r\n"), false, 200, "", true },
	{ S(OK "Connection: close\r\nContent-Length: 3\r\n\r\nabc"), false,
	    200, "abc", false },
	{ S("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"), false, 200,
	    "abc", false },
	{ S(OK "\r\nuntil the end"), false, 200, "until the end", false },
	{ S(OK "\r\n"), false, 200, "", false },
	{ S(CHUNKED "3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nT: 1\r\n\r\n"), false,
	    200, "abcdefgh", true },
	{ S(CHUNKED "0\r\n\r\n"), false, 200, "", true },
	{ S(LEN3), true, 200, "", true },
	{ S(CHUNKED), true, 200, "", true },
	{ S("HTTP/1.1 204 No Content\r\n\r\n"), false, 204, "", true },
	{ S("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), false,
	    304, "", true },
	{ S("HTTP/1.1 503 No\r\nRetry-After: 5\r\nContent-Length: 1\r\n\r\nx"),
	    false, 503, "x", true },
	{ S(GO_ON LEN3 "abc"), false, 200, "abc", true },
	{ S(GO_ON_8 LEN3 "abc"), false, 200, "abc", true },
	{ S(GO_ON "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
	    CHUNKED "1\r\na\r\n0\r\n\r\n"), false, 200, "a", true },
	{ S(GO_ON_8 GO_ON), false, 0, "too many 1xx answers", false },
	{ S("HTTP/1.1 101 Switching\r\n\r\n"), false, 0,
	    "switched protocols unasked", false },
	{ S("220 ready\r\n"), false, 0, "no HTTP version where one is due",
	    false },
	{ S(CHUNKED "x"), false, 0, "chunked body: not a size", false },
	{ S(CHUNKED "3\r\nabcd"), false, 0,
	    "chunked body: no CRLF after a chunk", false },
	{ S(OK "Content-Length: 99999\r\n\r\n"), false, 0,
	    "the answer takes 1024 bytes or more", false },
};

static bool
is_body(const char *z)
{
	return str_is((struct str){ w.c.body, w.c.body_n }, z);
}

static void
test_answers(void)
{
	size_t i, step;
	bool done;

	for (i = 0; i < COUNT(answers); i++) {
		for (step = 1; step <= answers[i].answer.n; step++) {
			done = exchange(answers[i].answer, answers[i].to_head,
			    step, sizeof w.in) == HTTP_DONE;
			CHECK_ROW(i, done == (answers[i].status != 0));
			CHECK_ROW(i, w.c.reusable == answers[i].reusable);
			CHECK_ROW(i, w.c.seen > 0);
			if (!done) {
				CHECK_ROW(i, strcmp(w.c.why.msg,
				    answers[i].text) == 0);
				continue;
			}
			CHECK_ROW(i, w.c.head.status == answers[i].status);
			CHECK_ROW(i, w.c.seen == answers[i].answer.n);
			CHECK_ROW(i, is_body(answers[i].text));
		}
	}
}

/* The fields of the head are whole once the body over them is decoded. */
static void
test_head_stays(void)
{
	CHECK(exchange(STR(GO_ON OK "Retry-After: 7\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), false,
	    10, sizeof w.in) == HTTP_DONE);
	CHECK(str_is(http_field(&w.c.head, "retry-after"), "7"));
}

/* Cut at each byte: an error that says how far it was. */
static void
test_cut(void)
{
	size_t i, n, head;

	for (i = 0; i < COUNT(answers); i++) {
		struct str s = answers[i].answer;

		if (!answers[i].reusable)
			continue;
		for (n = 0; n < answers[i].answer.n; n++) {
			s.n = n;
			CHECK_ROW(i, exchange(s, answers[i].to_head, 1000,
			    sizeof w.in) == HTTP_BAD);
			CHECK_ROW(i, w.c.seen == n && w.c.sent_all);
			CHECK_ROW(i, strstr(w.c.why.msg, n == 0 ?
			    "connection closed before any answer" :
			    !w.c.have_head ?
			    "connection closed in the answer's head after " :
			    "connection closed in the body after ") ==
			    w.c.why.msg);
		}
	}
	head = sizeof LEN3 - 1;
	CHECK(exchange((struct str){ LEN3 "ab", head + 2 }, false, 1000,
	    sizeof w.in) == HTTP_BAD);
	CHECK(strcmp(w.c.why.msg,
	    "connection closed in the body after 2 of 3 bytes") == 0);
	CHECK(exchange(STR(CHUNKED "3\r\nab"), false, 1000, sizeof w.in) ==
	    HTTP_BAD);
	CHECK(strcmp(w.c.why.msg,
	    "connection closed in the body after 2 bytes") == 0);
	CHECK(exchange(STR("HTTP"), false, 1, sizeof w.in) == HTTP_BAD);
	CHECK(strcmp(w.c.why.msg,
	    "connection closed in the answer's head after 4 bytes") == 0);
}

/* Head and decoded body must leave one byte of the buffer, framing none. */
static void
test_limit(void)
{
	static const struct {
		struct str answer;
		size_t head, body;
	} rows[] = {
		{ S(LEN3 "abc"), sizeof LEN3 - 1, 3 },
		{ S(CHUNKED "3\r\nabc\r\n2;xxxxxxxxxxxxxxx\r\nde\r\n0\r\n\r\n"),
		    sizeof CHUNKED - 1, 5 },
		{ S(OK "\r\nabcd"), sizeof OK + 1, 4 },
		{ S(OK "Content-Length: 0\r\n\r\n"), sizeof OK + 20, 0 },
	};
	size_t i, step, all;

	for (i = 0; i < COUNT(rows); i++) {
		all = rows[i].head + rows[i].body;
		for (step = 1; step <= rows[i].answer.n; step++) {
			CHECK_ROW(i, exchange(rows[i].answer, false, step,
			    all + 2) == HTTP_DONE);
			CHECK_ROW(i, exchange(rows[i].answer, false, step,
			    all + 1) == HTTP_DONE);
			CHECK_ROW(i, exchange(rows[i].answer, false, step,
			    all) == HTTP_BAD);
			CHECK_ROW(i, exchange(rows[i].answer, false, step,
			    10) == HTTP_BAD);
			CHECK_ROW(i, strcmp(w.c.why.msg,
			    "the answer takes 10 bytes or more") == 0);
		}
	}
}

/* What comes after the answer is nobody's: the connection is not kept. */
static void
test_surplus(void)
{
	static const struct str rows[] = {
		S(LEN3 "abcd"), S(CHUNKED "0\r\n\r\nHTTP/1.1 200"),
		S("HTTP/1.1 204 No Content\r\n\r\nx"),
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		CHECK_ROW(i, exchange(rows[i], false, 1000, sizeof w.in) ==
		    HTTP_DONE);
		CHECK_ROW(i, !w.c.reusable);
	}
}

/* Two exchanges on one connection. */
static void
test_kept(void)
{
	int i;

	wire_open();
	for (i = 0; i < 2; i++) {
		peer_says(STR(LEN3 "abc"));
		client_begin(&w.c, &w.s, REQUEST, false, w.in, sizeof w.in);
		CHECK(client_step(&w.c) == HTTP_DONE && w.c.reusable);
		CHECK(is_body("abc"));
	}
	peer_closes();
	client_begin(&w.c, &w.s, REQUEST, false, w.in, sizeof w.in);
	CHECK(client_step(&w.c) == HTTP_BAD);
	CHECK(w.c.sent == 0 && !w.c.sent_all && w.c.seen == 0);
	CHECK(strcmp(w.c.why.msg,
	    "connection closed before the request was sent") == 0);
	wire_close();
}

/* A request larger than the socket takes, with a peer that reads it, and
 * with one that answers and closes without. */
static void
test_large_request(void)
{
	static char request[1 << 20], p[1 << 16];
	size_t all = 0;
	ssize_t k;

	memset(request, 'x', sizeof request);
	wire_open();
	client_begin(&w.c, &w.s, (struct str){ request, sizeof request },
	    false, w.in, sizeof w.in);
	while (client_step(&w.c) == HTTP_MORE && all < sizeof request) {
		CHECK(w.c.sent_all == (w.c.sent == sizeof request));
		CHECK(w.s.ops->want(&w.s) == (w.c.sent_all ? LOOP_IN :
		    LOOP_IN | LOOP_OUT));
		while ((k = read(w.peer, p, sizeof p)) > 0)
			all += (size_t)k;
	}
	CHECK(all == sizeof request && w.c.sent_all);
	peer_says(STR(LEN3 "abc"));
	CHECK(client_step(&w.c) == HTTP_DONE && w.c.reusable);
	wire_close();

	wire_open();
	client_begin(&w.c, &w.s, (struct str){ request, sizeof request },
	    false, w.in, sizeof w.in);
	CHECK(client_step(&w.c) == HTTP_MORE && !w.c.sent_all);
	peer_says(STR("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"));
	CHECK(shutdown(w.peer, SHUT_RD) == 0);	/* EPIPE for us */
	CHECK(client_step(&w.c) == HTTP_DONE && w.c.head.status == 413);
	CHECK(!w.c.reusable && !w.c.sent_all && w.c.sent > 0);
	wire_close();

	wire_open();
	client_begin(&w.c, &w.s, (struct str){ request, sizeof request },
	    false, w.in, sizeof w.in);
	CHECK(client_step(&w.c) == HTTP_MORE);
	CHECK(shutdown(w.peer, SHUT_RDWR) == 0);
	CHECK(client_step(&w.c) == HTTP_BAD && !w.c.sent_all);
	CHECK(strstr(w.c.why.msg, " bytes of the request") != NULL);
	wire_close();
}

static void
test_run(void)
{
	int64_t then = loop_mono_ms();

	wire_open();
	client_begin(&w.c, &w.s, REQUEST, false, w.in, sizeof w.in);
	CHECK(client_run(&w.c, 30) == HTTP_BAD);
	CHECK(loop_mono_ms() - then >= 30);
	CHECK(strcmp(w.c.why.msg, "time-out before any answer") == 0);
	CHECK(w.c.sent_all && w.c.seen == 0);
	wire_close();

	wire_open();
	peer_says(STR(LEN3 "a"));
	client_begin(&w.c, &w.s, REQUEST, false, w.in, sizeof w.in);
	CHECK(client_run(&w.c, 30) == HTTP_BAD);
	CHECK(strcmp(w.c.why.msg,
	    "time-out in the body after 1 of 3 bytes") == 0);
	wire_close();

	wire_open();
	peer_says(STR(LEN3 "abc"));
	client_begin(&w.c, &w.s, REQUEST, false, w.in, sizeof w.in);
	CHECK(client_run(&w.c, 5000) == HTTP_DONE && is_body("abc"));
	wire_close();
}

/* A peer that answers after a while, while we wait in poll. */
static void
test_run_waits(void)
{
	pid_t pid;
	int status = -1;

	wire_open();
	client_begin(&w.c, &w.s, REQUEST, false, w.in, sizeof w.in);
	pid = fork();
	if (pid == 0) {
		poll(NULL, 0, 10);
		if (write(w.peer, LEN3 "a", sizeof LEN3) == -1)
			_exit(1);
		poll(NULL, 0, 10);
		_exit(write(w.peer, "bc", 2) != 2);
	}
	CHECK(pid > 0);
	CHECK(client_run(&w.c, 5000) == HTTP_DONE && is_body("abc"));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	wire_close();
}

/* Streams as TLS makes them: writing waits for a read, or it fails in its
 * own words. */
static bool up;

static ssize_t
shy_read(struct stream *s, void *p, size_t n)
{
	(void)s, (void)p, (void)n;
	up = true;
	return STREAM_AGAIN;
}

static ssize_t
shy_write(struct stream *s, const void *p, size_t n)
{
	(void)s, (void)p;
	return up ? (ssize_t)n : STREAM_AGAIN;
}

static ssize_t
bad_read(struct stream *s, void *p, size_t n)
{
	(void)p, (void)n;
	fail(&s->why, "certificate has expired");
	return STREAM_BAD;
}

static void
test_other_streams(void)
{
	static const struct stream_ops shy = {
		shy_read, shy_write, NULL, NULL
	};
	static const struct stream_ops bad = {
		bad_read, shy_write, NULL, NULL
	};
	struct stream s = { .ops = &shy };

	client_begin(&w.c, &s, REQUEST, false, w.in, sizeof w.in);
	CHECK(client_step(&w.c) == HTTP_MORE && w.c.sent_all);
	up = false;
	s.ops = &bad;
	client_begin(&w.c, &s, REQUEST, false, w.in, sizeof w.in);
	CHECK(client_step(&w.c) == HTTP_BAD && w.c.sent == 0);
	CHECK(strcmp(w.c.why.msg, "certificate has expired, before the "
	    "request was sent") == 0);
}

int
main(void)
{
	test_near();
	test_listen_refused();
	test_talk(0, "0", "127.0.0.1", "127.0.0.1:");
	test_talk(1, "127.0.0.1:0", "127.0.0.1", "127.0.0.1:");
	test_talk(2, "[::1]:0", "::1", "[::1]:");
	test_talk(3, "[::ffff:127.0.0.1]:0", "127.0.0.1", "127.0.0.1:");
	test_reset();
	test_accept_errors();
	test_connect();
	test_answers();
	test_head_stays();
	test_cut();
	test_limit();
	test_surplus();
	test_kept();
	test_large_request();
	test_run();
	test_run_waits();
	test_other_streams();
	return test_end();
}
