/* conn_test: connections over real sockets of the loopback. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../conn.h"
#include "../loop.h"
#include "test.h"

#define MAX	64		/* bytes of a body here */

static int lfd = -1;
static int64_t mono = 1000000;
static bool again, full;
static struct fail why;
static struct http_head h;
static struct str body;
static int status;

static int
dial(void)
{
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fd == -1 || getsockname(lfd, (struct sockaddr *)&a, &n) == -1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof a) == -1)
		return -1;
	return fd;
}

static bool
ready(int fd, short what)
{
	struct pollfd p = { fd, what, 0 };

	return poll(&p, 1, 2000) == 1;
}

static struct conn *
take(void)
{
	ready(lfd, POLLIN);
	return conn_accept(lfd, NULL, mono, &again, &full);
}

/* A client and its connection. */
static struct conn *
meet(int *fd)
{
	*fd = dial();
	return take();
}

static bool
send_all(int fd, struct str s)
{
	return write(fd, s.p, s.n) == (ssize_t)s.n;
}

/* What the server does with what has come, up to a request or a fault. */
static enum conn_rc
process(struct conn *c)
{
	enum conn_rc rc = conn_next(c, &h, &body, &status, &why);

	if (rc == CONN_HEAD) {
		c->body_max = MAX;
		rc = conn_next(c, &h, &body, &status, &why);
	}
	return rc;
}

/* Send bytes and take them in. */
static enum conn_rc
feed(struct conn *c, int fd, struct str s)
{
	if (!send_all(fd, s) || !ready(c->s->fd, POLLIN) ||
	    conn_read(c, mono) == -1)
		return CONN_BAD;
	return process(c);
}

static bool
reply(struct conn *c, const char *text, bool keep)
{
	return conn_answer(c, str_of(text), STR(""), keep, mono) == 0 &&
	    conn_flush(c, mono) == 0;
}

static bool
heard(int fd, const char *text)
{
	char got[256];
	size_t n = 0, want = strlen(text);

	while (n < want && n < sizeof got && ready(fd, POLLIN)) {
		ssize_t r = read(fd, got + n, sizeof got - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	return n == want && memcmp(got, text, n) == 0;
}

static bool
ended(int fd)
{
	char b;

	return ready(fd, POLLIN) && read(fd, &b, 1) <= 0;
}

static void
leave(struct conn *c, int fd)
{
	conn_close(c);
	close(fd);
}

#define HEAD	"Host: a\r\n"

/* ---- requests ---- */

static const struct {
	const char *text, *body;
} requests[] = {
	{ "GET / HTTP/1.1\r\n" HEAD "\r\n", "" },
	{ "POST /x HTTP/1.1\r\n" HEAD "Content-Length: 3\r\n\r\nabc",
	    "abc" },
	{ "POST /x HTTP/1.1\r\n" HEAD "Content-Length: 0\r\n\r\n", "" },
	{ "PUT /y HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "1\r\na\r\n4;x=y\r\nbcde\r\n0\r\nT: v\r\n\r\n", "abcde" },
	{ "PUT /y HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "0\r\n\r\n", "" },
	{ "\r\nGET /z HTTP/1.1\r\n" HEAD "\r\n", "" },
};

static bool
is_request(size_t i, enum conn_rc rc)
{
	return rc == CONN_REQUEST && str_is(body, requests[i].body) &&
	    h.fields >= 1 && str_is(h.host, "a");
}

static void
test_whole(void)
{
	struct conn *c;
	size_t i;
	int fd;

	c = meet(&fd);
	if (!CHECK(c != NULL))
		return;
	CHECK(c->loopback && strcmp(c->peer, "127.0.0.1") == 0 &&
	    c->phase == CONN_IDLE && c->in == NULL && !c->trusted);
	for (i = 0; i < COUNT(requests); i++) {
		CHECK_ROW(i, is_request(i, feed(c, fd,
		    str_of(requests[i].text))));
		CHECK_ROW(i, c->phase != CONN_IDLE);
		CHECK_ROW(i, conn_answer(c, STR("answer"), STR(" and body"),
		    true, mono) == 0);
		CHECK_ROW(i, c->phase == CONN_IN_ANSWER);
		CHECK_ROW(i, (conn_want(c) & LOOP_OUT) != 0);
		CHECK_ROW(i, conn_flush(c, mono) == 0);
		CHECK_ROW(i, heard(fd, "answer and body"));
		/* idle again, and without a buffer */
		CHECK_ROW(i, c->phase == CONN_IDLE && c->in == NULL &&
		    c->out == NULL && conn_want(c) == LOOP_IN);
	}
	leave(c, fd);
}

/* Byte by byte, and cut in two at each byte. */
static void
test_cut(void)
{
	struct conn *c;
	size_t i, k, n;
	int fd;

	c = meet(&fd);
	if (!CHECK(c != NULL))
		return;
	for (i = 0; i < COUNT(requests); i++) {
		const char *text = requests[i].text;

		n = strlen(text);
		for (k = 0; k + 1 < n; k++)
			CHECK_ROW(i, feed(c, fd, (struct str){ text + k, 1 })
			    == CONN_MORE);
		CHECK_ROW(i, is_request(i, feed(c, fd,
		    (struct str){ text + k, 1 })));
		CHECK_ROW(i, reply(c, "x", true) && heard(fd, "x"));
		for (k = 1; k < n; k++) {
			CHECK_ROW(k, feed(c, fd, (struct str){ text, k }) ==
			    CONN_MORE);
			CHECK_ROW(k, is_request(i, feed(c, fd,
			    (struct str){ text + k, n - k })));
			CHECK_ROW(k, reply(c, "x", true) && heard(fd, "x"));
		}
	}
	leave(c, fd);
}

/* All at once: one at a time, in their order. */
static void
test_pipelined(void)
{
	char all[2048];
	struct conn *c;
	struct buf b;
	size_t i;
	int fd;

	buf_init(&b, all, sizeof all);
	for (i = 0; i < 2 * COUNT(requests); i++)
		buf_addz(&b, requests[i % COUNT(requests)].text);
	c = meet(&fd);
	if (!CHECK(c != NULL && !b.full))
		return;
	CHECK(send_all(fd, str_from(&b)) && ready(c->s->fd, POLLIN));
	for (i = 0; i < 2 * COUNT(requests); i++) {
		CHECK_ROW(i, conn_read(c, mono) == 0);
		CHECK_ROW(i, is_request(i % COUNT(requests), process(c)));
		CHECK_ROW(i, conn_answer(c, STR("y"), STR(""), true, mono)
		    == 0);
		/* nothing runs before the answer is out */
		CHECK_ROW(i, process(c) == CONN_MORE);
		CHECK_ROW(i, conn_flush(c, mono) == 0 && heard(fd, "y"));
	}
	CHECK(c->phase == CONN_IDLE && c->in == NULL);
	/* After "close" what follows is not looked at. */
	CHECK(is_request(0, feed(c, fd, str_of(requests[0].text))));
	CHECK(send_all(fd, str_of(requests[1].text)));
	CHECK(reply(c, "bye", false) && c->phase == CONN_LINGER);
	CHECK(process(c) == CONN_MORE && heard(fd, "bye") && ended(fd));
	leave(c, fd);
}

static void
test_replaced(void)
{
	struct conn *c;
	int fd;

	c = meet(&fd);
	if (!CHECK(c != NULL))
		return;
	CHECK(is_request(0, feed(c, fd, str_of(requests[0].text))));
	CHECK(conn_answer(c, STR("first"), STR("body"), true, mono) == 0);
	CHECK(conn_answer(c, STR("second"), STR(""), false, mono) == 0);
	CHECK(conn_flush(c, mono) == 0 && heard(fd, "second") && ended(fd));
	leave(c, fd);
	c = meet(&fd);
	conn_continue(c);
	CHECK(heard(fd, "HTTP/1.1 100 Continue\r\n\r\n"));
	leave(c, fd);
}

/* ---- limits ---- */

/* A chunked request of n bytes in chunks of size each. */
static void
put_chunked(struct buf *b, size_t n, size_t size)
{
	size_t i, k;

	buf_addz(b, "PUT / HTTP/1.1\r\n" HEAD
	    "Transfer-Encoding: chunked\r\n\r\n");
	for (i = 0; i < n; i += size) {
		size_t m = n - i < size ? n - i : size;

		buf_addf(b, "%zx\r\n", m);
		for (k = 0; k < m; k++)
			buf_addc(b, 'b');
		buf_addz(b, "\r\n");
	}
	buf_addz(b, "0\r\n\r\n");
}

static void
test_body_max(void)
{
	static const size_t sizes[] = { 1, 7, MAX, MAX + 1 };
	char text[2048];
	struct conn *c;
	struct buf b;
	size_t n, i;
	int fd;

	for (n = MAX - 1; n <= MAX + 1; n++) {
		c = meet(&fd);
		buf_init(&b, text, sizeof text);
		buf_addf(&b, "PUT / HTTP/1.1\r\n" HEAD
		    "Content-Length: %zu\r\n\r\n", n);
		/* what is too long is refused before it comes */
		CHECK_ROW(n, feed(c, fd, str_from(&b)) == (n > MAX ?
		    CONN_BAD : CONN_MORE));
		CHECK_ROW(n, n <= MAX || (status == 413 && why.msg[0]));
		leave(c, fd);
		for (i = 0; i < COUNT(sizes); i++) {
			c = meet(&fd);
			buf_init(&b, text, sizeof text);
			put_chunked(&b, n, sizes[i]);
			CHECK_ROW(i, feed(c, fd, str_from(&b)) == (n > MAX ?
			    CONN_BAD : CONN_REQUEST));
			CHECK_ROW(i, n > MAX ? status == 413 : body.n == n);
			leave(c, fd);
		}
	}
}

static const struct {
	const char *text;
	int status;
} faults[] = {
	{ "GET / HTTP/1.1\r\n\r\n",				400 },
	{ "GET / HTTP/2.0\r\n" HEAD "\r\n",			505 },
	{ "BREW / HTTP/1.1\r\n" HEAD "\r\n",			501 },
	{ "GET / HTTP/1.1\r\n" HEAD "Expect: x\r\n\r\n",	417 },
	{ "\x16\x03\x01\x02",					400 },
	{ "GET / HTTP/1.1\r\n" HEAD "Content-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n",		400 },
	{ "PUT / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "x\r\n",						400 },
	{ "PUT / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "1\r\nabc\r\n",					400 },
	{ "PUT / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "fffffffffffffffff\r\n",				400 },
	{ "PUT / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	    "41\r\n",						413 },
	{ "PUT / HTTP/1.1\r\n" HEAD "Content-Length: 9223372036854775807"
	    "\r\n\r\n",						413 },
};

static void
test_faults(void)
{
	static char longer[3 * HTTP_HEAD_MAX];
	struct conn *c;
	size_t i;
	int fd;

	for (i = 0; i < COUNT(faults); i++) {
		c = meet(&fd);
		CHECK_ROW(i, feed(c, fd, str_of(faults[i].text)) ==
		    CONN_BAD && status == faults[i].status);
		CHECK_ROW(i, why.msg[0] != '\0');
		CHECK_ROW(i, reply(c, "no", false) && heard(fd, "no") &&
		    ended(fd));
		leave(c, fd);
	}
	/* The largest chunk there can be overflows nothing. */
	c = meet(&fd);
	CHECK(feed(c, fd, STR("PUT / HTTP/1.1\r\n" HEAD
	    "Transfer-Encoding: chunked\r\n\r\nfffffffffffffff0\r\n")) ==
	    CONN_BAD && (status == 413 || status == 400));
	leave(c, fd);
	/* A head without end, and what is held of it. */
	memset(longer, 'a', sizeof longer);
	memcpy(longer, "GET / HTTP/1.1\r\nA: ", 19);
	c = meet(&fd);
	CHECK(send_all(fd, (struct str){ longer, sizeof longer }));
	for (i = 0; i < 100 && ready(c->s->fd, POLLIN) &&
	    conn_read(c, mono) == 0 && process(c) == CONN_MORE; i++)
		;
	CHECK(status == 431 && c->in_cap <= 2 * (HTTP_HEAD_MAX + CONN_READ));
	leave(c, fd);
}

static void
test_end_of_stream(void)
{
	struct conn *c;
	int fd;

	c = meet(&fd);		/* a half close: the request is answered */
	CHECK(send_all(fd, str_of(requests[1].text)) &&
	    shutdown(fd, SHUT_WR) == 0);
	CHECK(ready(c->s->fd, POLLIN) && conn_read(c, mono) == 0);
	CHECK(is_request(1, process(c)));
	CHECK(reply(c, "yes", true) && heard(fd, "yes"));
	CHECK(conn_read(c, mono) == -1);
	leave(c, fd);
	c = meet(&fd);		/* cut short: nothing runs */
	CHECK(feed(c, fd, STR("GET / HT")) == CONN_MORE);
	CHECK(shutdown(fd, SHUT_WR) == 0 && ready(c->s->fd, POLLIN));
	CHECK(conn_read(c, mono) == -1);
	leave(c, fd);
	c = meet(&fd);
	CHECK(conn_read(c, mono) == 0);		/* nothing there: go on */
	CHECK(c->phase == CONN_IDLE && c->in == NULL);
	leave(c, fd);
}

/* ---- time ---- */

static void
test_late(void)
{
	static const struct {
		const char *text;
		enum conn_phase phase;
		bool trusted, answer;
		int64_t limit;
	} rows[] = {
		{ "", CONN_IDLE, false, false, CONN_IDLE_MS },
		{ "", CONN_IDLE, true, false, CONN_KEPT_MS },
		{ "G", CONN_IN_HEAD, false, true, CONN_HEAD_MS },
		{ "G", CONN_IN_HEAD, true, true, CONN_HEAD_MS },
		{ "PUT / HTTP/1.1\r\n" HEAD "Content-Length: 9\r\n\r\n",
		    CONN_IN_BODY, true, true, CONN_BODY_MS },
	};
	struct conn *c;
	bool answer;
	size_t i;
	int fd;

	for (i = 0; i < COUNT(rows); i++) {
		c = meet(&fd);
		if (rows[i].text[0] != '\0')
			CHECK_ROW(i, feed(c, fd, str_of(rows[i].text)) ==
			    CONN_MORE);
		CHECK_ROW(i, c->phase == rows[i].phase);
		c->trusted = rows[i].trusted;
		CHECK_ROW(i, !conn_late(c, mono, &answer));
		CHECK_ROW(i, !conn_late(c, mono + rows[i].limit, &answer));
		CHECK_ROW(i, conn_late(c, mono + rows[i].limit + 1, &answer));
		CHECK_ROW(i, answer == rows[i].answer);
		/* what trickles in does not put it off */
		mono += 5;
		if (rows[i].text[0] != '\0')
			feed(c, fd, STR("x"));
		CHECK_ROW(i, rows[i].phase != CONN_IN_HEAD ||
		    conn_late(c, mono + rows[i].limit - 4, &answer));
		leave(c, fd);
	}
	c = meet(&fd);
	CHECK(is_request(0, feed(c, fd, str_of(requests[0].text))));
	CHECK(reply(c, "z", false) && c->phase == CONN_LINGER);
	CHECK(!conn_late(c, mono + CONN_LINGER_MS, &answer));
	mono += 5;
	send_all(fd, STR("junk"));
	CHECK(ready(c->s->fd, POLLIN) && conn_read(c, mono) == 0);
	CHECK(conn_late(c, mono - 4 + CONN_LINGER_MS, &answer) && !answer);
	leave(c, fd);
}

/* A peer that does not read: its answer waits, and its time with it. */
static void
test_slow_reader(void)
{
	static char big[8u << 20], got[65536];
	struct conn *c;
	size_t n = 0;
	bool answer;
	int fd, turns;

	c = meet(&fd);
	CHECK(is_request(0, feed(c, fd, str_of(requests[0].text))));
	CHECK(conn_answer(c, STR("head"), (struct str){ big, sizeof big },
	    true, mono) == 0);
	CHECK(conn_flush(c, mono) == 0 && c->phase == CONN_IN_ANSWER);
	CHECK(c->out_off > 0 && c->out_off < c->out_n);
	CHECK(conn_want(c) == LOOP_OUT);	/* and takes nothing more in */
	CHECK(conn_flush(c, mono + 7) == 0 && c->since_ms == mono);
	CHECK(!conn_late(c, mono + CONN_ANSWER_MS, &answer));
	CHECK(conn_late(c, mono + CONN_ANSWER_MS + 1, &answer) && !answer);
	for (turns = 0; turns < 100000 && n < 4 + sizeof big; turns++) {
		ssize_t r = ready(fd, POLLIN) ? read(fd, got, sizeof got) : 0;

		if (r <= 0 || conn_flush(c, mono + 9) == -1)
			break;
		n += (size_t)r;
	}
	CHECK(n == 4 + sizeof big && c->phase == CONN_IDLE &&
	    c->since_ms == mono + 9);
	leave(c, fd);
}

/* Lingering with one who sends without end holds nobody up. */
static unsigned endless_reads;

static ssize_t
endless(struct stream *s, void *p, size_t n)
{
	(void)s;
	memset(p, 'x', n);
	return ++endless_reads < 100000 ? (ssize_t)n : STREAM_AGAIN;
}

static void
test_linger(void)
{
	struct stream_ops ops;
	struct conn *c;
	int fd;

	c = meet(&fd);
	CHECK(is_request(0, feed(c, fd, str_of(requests[0].text))));
	ops = *c->s->ops;
	ops.read = endless;
	c->s->ops = &ops;
	CHECK(reply(c, "end", false) && c->phase == CONN_LINGER);
	CHECK(heard(fd, "end") && endless_reads <= 64);
	endless_reads = 0;
	CHECK(conn_read(c, mono) == 0 && endless_reads <= 64);
	leave(c, fd);
}

/* ---- how many ---- */

static void
test_most(void)
{
	struct conn *c[4];
	int fd[5], i;

	conn_limits(3, CONN_BYTES);
	for (i = 0; i < 3; i++) {
		mono += 10;
		c[i] = meet(&fd[i]);
		CHECK_ROW(i, c[i] != NULL && conn_at(c[i]->slot) == c[i]);
	}
	CHECK(conn_slots() == 3 && conn_at(3) == NULL &&
	    conn_at(CONN_MAX) == NULL);
	mono += 10;			/* c[0] is in use, c[1] idlest */
	CHECK(feed(c[0], fd[0], STR("G")) == CONN_MORE);
	c[3] = meet(&fd[3]);
	CHECK(c[3] != NULL && ended(fd[1]));
	close(fd[1]);
	/* All busy: the new one is turned away, the others stay. */
	CHECK(feed(c[2], fd[2], STR("G")) == CONN_MORE);
	CHECK(feed(c[3], fd[3], STR("G")) == CONN_MORE);
	CHECK(meet(&fd[4]) == NULL && again && !full && ended(fd[4]));
	close(fd[4]);
	CHECK(conn_accept(lfd, NULL, mono, &again, &full) == NULL && !again &&
	    !full);
	leave(c[0], fd[0]);
	leave(c[2], fd[2]);
	leave(c[3], fd[3]);
	CHECK(conn_slots() == 0);
	conn_limits(CONN_MAX + 1, CONN_BYTES);
}

/* Buffers together: who finds no room is closed, others go on. */
static void
test_bytes(void)
{
	struct conn *c, *d;
	int fd, fd2;

	conn_limits(CONN_MAX, sizeof *c * 2 + 4096);
	c = meet(&fd);
	d = meet(&fd2);
	CHECK(c != NULL && d != NULL);
	CHECK(feed(c, fd, STR("G")) == CONN_MORE);
	CHECK(send_all(fd2, STR("G")) && ready(d->s->fd, POLLIN) &&
	    conn_read(d, mono) == -1);
	leave(d, fd2);
	CHECK(conn_answer(c, (struct str){ requests[0].text, 1 },
	    (struct str){ (char[65536]){ 0 }, 65536 }, true, mono) == -1);
	leave(c, fd);
	conn_limits(CONN_MAX, sizeof *c - 1);
	CHECK(meet(&fd) == NULL && ended(fd));
	close(fd);
	conn_limits(CONN_MAX, CONN_BYTES);
	c = meet(&fd);			/* all of it was given back */
	CHECK(c != NULL);
	if (c != NULL)
		leave(c, fd);
}

static void
test_no_descriptor(void)
{
	struct rlimit was, rl;
	struct conn *c;
	int fd = dial();

	ready(lfd, POLLIN);
	if (!CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0))
		return;
	rl = was;
	rl.rlim_cur = (rlim_t)fd + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK(conn_accept(lfd, NULL, mono, &again, &full) == NULL && full &&
	    !again);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	c = take();
	CHECK(c != NULL && !full);
	if (c != NULL)
		leave(c, fd);
}

int
main(void)
{
	struct conn *c;
	int fd;

	lfd = stream_listen(STR("0"), &why);
	if (!CHECK(lfd != -1 && loop_open(&why) == 0))
		return 1;
	CHECK(conn_accept(lfd, NULL, mono, &again, &full) == NULL && !again &&
	    !full);
	test_whole();
	test_cut();
	test_pipelined();
	test_replaced();
	test_body_max();
	test_faults();
	test_end_of_stream();
	test_late();
	test_slow_reader();
	test_linger();
	test_most();
	test_bytes();
	test_no_descriptor();
	c = meet(&fd);
	CHECK(c != NULL && conn_slots() == 1);
	if (c != NULL)
		leave(c, fd);
	close(lfd);
	return test_end();
}
