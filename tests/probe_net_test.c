/* What the checks of others make of bytes; tests/e2e/net.py has the rest. */
#include <netdb.h>
#include <stdlib.h>

#include "../stream.h"

/* What resolving comes to: an error, or 127.0.0.1. */
static int resolved;

static int
test_getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **list)
{
	if (resolved != 0) {
		errno = EMFILE;
		return resolved;
	}
	(void)host;
	return getaddrinfo("127.0.0.1", port, hints, list);
}

#define getaddrinfo test_getaddrinfo
#include "../probe_net.c"
#undef getaddrinfo
#define judge judge_ping
#include "../probe_ping.c"
#include "../probe_allow.c"
#include "test.h"

/* A stream of these bytes, in pieces of so many. */
static struct str coming;
static size_t piece;

static ssize_t
test_read(struct stream *s, void *to, size_t n)
{
	(void)s;
	n = n < piece ? n : piece;
	n = n < coming.n ? n : coming.n;
	if (n > 0)
		memcpy(to, coming.p, n);
	coming = str_after(coming, n);
	return (ssize_t)n;
}

static const struct stream_ops test_ops = { test_read, NULL, NULL, NULL };

/* Head and body of an answer: 0; -1: of the head, -2: of the body. */
static int
read_answer(const char *raw, size_t n, size_t size, const char *need)
{
	static struct stream s = { .ops = &test_ops };
	struct fail why;

	coming = (struct str){ raw, n };
	piece = size;
	web.s = &s;
	web.until_ms = INT64_MAX;
	web.bytes = 0;
	web.found = false;
	web.need = str_of(need);
	return read_head(&web, &why) == -1 ? -1 :
	    read_body(&web, &why) == -1 ? -2 : 0;
}

#define CHUNKED	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *raw, *need;
	int rc;
	int64_t bytes;
	bool found;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcabd", "abd", 0, 6,
	    true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcabdx", "dx", 0, 6,
	    false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcabd", "abd", -2, 6,
	    true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "", 0, 2, true },
	{ "HTTP/1.1 204 No\r\n\r\n", "", 0, 0, true },
	{ "HTTP/1.1 204 No\r\n\r\nx", "x", 0, 0, false },
	{ "HTTP/1.0 200 OK\r\n\r\nuntil the end", "the end", 0, 13, true },
	{ CHUNKED "2\r\naa\r\n3;x=\"y\"\r\nabb\r\n0\r\nX: y\r\n\r\n",
	    "aaabb", 0, 5, true },
	{ CHUNKED "2\r\naa\r\n3\r\nabb\r\n0\r\n\r\n", "a\r\n3", 0, 5, false },
	{ CHUNKED "2\r\naaa\r\n0\r\n\r\n", "aa", -2, 2, true },
	{ CHUNKED "8000000000000000\r\naa", "aa", -2, 0, false },
	{ CHUNKED "fffffffffffffff\r\naa", "aa", -2, 2, true },
	{ "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
	    "\r\nx", "x", 0, 1, true },
	{ "HTTP/1.1 101 Go\r\n\r\n", "", -1, 0, false },
	{ "HTTP/2 200\r\n\r\n", "", -1, 0, false },
	{ "", "", -1, 0, false },
};

static void
test_answers(void)
{
	size_t i, k, n;

	for (i = 0; i < COUNT(answers); i++)
		for (k = 1; k < 80; k++) {
			n = strlen(answers[i].raw);
			CHECK_ROW(i, read_answer(answers[i].raw, n, k,
			    answers[i].need) == answers[i].rc);
			CHECK_ROW(i, answers[i].rc == -1 ||
			    (web.bytes == answers[i].bytes &&
			    web.found == answers[i].found));
		}
	/* Cut at each byte, and with one that is another. */
	for (i = 0; i < COUNT(answers); i++)
		for (k = 0; k < strlen(answers[i].raw); k++) {
			char copy[256];

			n = strlen(answers[i].raw);
			memcpy(copy, answers[i].raw, n);
			(void)read_answer(copy, k, 7, answers[i].need);
			copy[k] = (char)(copy[k] ^ (1 << k % 8));
			(void)read_answer(copy, n, 7, answers[i].need);
			CHECK_ROW(i, web.bytes <= (int64_t)n);
		}
}

/* A match across each place where one read ends and the next begins, and what
 * lies past the bound is not read. */
static void
test_bounds(void)
{
	static char raw[BODY_MAX + IN_MAX + 64];
	const size_t head = 19;
	char need[CHECK_TEXT_MAX + 1];
	size_t at;

	memset(need, 'n', CHECK_TEXT_MAX);
	need[CHECK_TEXT_MAX] = '\0';
	memset(raw, '.', sizeof raw);
	memcpy(raw, "HTTP/1.1 200 OK\r\n\r\n", head);
	for (at = head; at < 3 * IN_MAX; at += 97) {
		memcpy(raw + at, need, CHECK_TEXT_MAX);
		CHECK(read_answer(raw, 4 * IN_MAX, IN_MAX, need) == 0 &&
		    web.found);
		memset(raw + at, '.', CHECK_TEXT_MAX);
	}
	CHECK(read_answer(raw, sizeof raw, IN_MAX, "x") == 0 && !web.found &&
	    web.bytes >= BODY_MAX && web.bytes < BODY_MAX + IN_MAX);
	/* More of a head than may be. */
	memset(raw + 15, 'x', HTTP_HEAD_MAX);
	CHECK(read_answer(raw, HTTP_HEAD_MAX - 1, 100, "") == -1);
	CHECK(read_answer(raw, sizeof raw, 100, "") == -1);
}

/* Where a Location leads; want NULL: nowhere. */
static const struct {
	const char *at, *location, *want;
} leads[] = {
	{ "http://a/b/c?d/e", "/x", "http://a:80/x" },
	{ "http://a/b/c?d/e", "x", "http://a:80/b/x" },
	{ "http://a/b/c?d/e", "xx/y?z:1", "http://a:80/b/xx/y?z:1" },
	{ "http://a", "x", "http://a:80/x" },
	{ "http://a:81/", "/x://y", "http://a:81/x://y" },
	{ "https://[::1]:444/b", "/x#y", "https://[::1]:444/x" },
	{ "https://a/b", "//c/d", "https://c:443/d" },
	{ "https://a/b", "//c:8/d", "https://c:8/d" },
	{ "https://a/b", "HTTPS://c", "https://c:443/" },
	{ "http://a/b", "https://c/#d", "https://c:443/" },
	{ "https://a/b", "http://a/b", NULL },
	{ "http://a/b", "ftp://a/b", NULL },
	{ "http://a/b", "http://a:0/", NULL },
	{ "http://a/b", "http://\\c/", NULL },
	{ "http://a/b", "///", NULL },
	{ "http://a/b", "x y", NULL },
	{ "http://a/b", "", NULL },
};

static void
test_leads(void)
{
	char text[PROBE_URL_MAX];
	struct fail why;
	struct buf b;
	size_t i;
	int rc;

	for (i = 0; i < COUNT(leads); i++) {
		CHECK_ROW(i, http_url(str_of(leads[i].at), &web.url, &why) ==
		    0);
		web.url.user = STR("key");
		web.head.fields = 1;
		web.head.field[0] = (struct http_field){ STR("location"),
		    str_of(leads[i].location) };
		rc = follow(&web, &why);
		CHECK_ROW(i, (rc == 0) == (leads[i].want != NULL));
		if (rc != 0)
			continue;
		b = BUF(text);
		buf_addf(&b, strchr(leads[i].at, '[') ? "http%s://[%.*s]:" :
		    "http%s://%.*s:", web.url.tls ? "s" : "",
		    (int)web.url.host.n, web.url.host.p);
		buf_add(&b, web.url.port);
		buf_add(&b, web.url.path);
		CHECK_ROW(i, str_is(str_from(&b), leads[i].want));
		/* Only to the same. */
		CHECK_ROW(i, (web.url.user.n == 3) ==
		    (leads[i].location[0] != 'h' && leads[i].location[0] !=
		    'H' && leads[i].location[1] != '/'));
	}
	/* On and on, in two places by turns. */
	CHECK(http_url(STR("http://a/"), &web.url, &why) == 0);
	web.head.field[0].value = STR("x/");
	for (i = 0; i < 10; i++)
		CHECK_ROW(i, follow(&web, &why) == 0);
	CHECK(str_is(web.url.path, "/x/x/x/x/x/x/x/x/x/x/"));
	memset(text, 'x', sizeof text);
	web.head.field[0].value = (struct str){ text, PROBE_URL_MAX - 25 };
	CHECK(follow(&web, &why) == -1);
}

static void
test_resolve(void)
{
	static const struct {
		int rc;
		enum status given;
	} rows[] = { { EAI_NONAME, STATUS_CRITICAL },
	    { EAI_FAIL, STATUS_UNKNOWN }, { EAI_AGAIN, STATUS_UNKNOWN },
	    { EAI_SYSTEM, STATUS_UNKNOWN }, { EAI_MEMORY, STATUS_UNKNOWN } };
	struct probe_result r;
	struct addrinfo *list;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		r = (struct probe_result){ .given = STATUS_NONE };
		resolved = rows[i].rc;
		CHECK_ROW(i, probe_resolve("x", "1", INT64_MAX, &r) == NULL);
		CHECK_ROW(i, r.given == rows[i].given && r.text[0] != '\0');
	}
	resolved = 0;
	CHECK(probe_resolve("x", "1", 0, &r) == NULL &&
	    r.given == STATUS_UNKNOWN);		/* too late */
	list = probe_resolve("x", "1", INT64_MAX, &r);
	if (CHECK(list != NULL))
		freeaddrinfo(list);
}

/* An answer to number seq of p; behind an IP header, if due. */
static size_t
make_echo(const struct ping *p, unsigned seq, unsigned char m[ECHO + 60],
    size_t header)
{
	unsigned char *e = m + header;
	unsigned s;

	memset(m, 0, ECHO + 60);
	if (header > 0)
		m[0] = (unsigned char)(0x40 | header / 4);
	e[0] = p->v6 ? 129 : 0;
	memcpy(e + 4, p->id, 2);
	e[7] = (unsigned char)seq;
	memcpy(e + HEAD, p->payload, PAYLOAD);
	s = sum(e, ECHO);
	e[2] = (unsigned char)(s >> 8);
	e[3] = (unsigned char)s;
	return header + ECHO;
}

static void
test_echo(void)
{
	struct ping p = { .id = { 0xab, 0xff }, .sent = 3 };
	unsigned char m[ECHO + 60], *copy;
	size_t header, n, i;

	for (header = 0; header <= 60; header += 20) {
		p.raw = header > 0;
		memset(p.payload, 0xee, PAYLOAD);
		n = make_echo(&p, 1, m, header);
		for (i = 0; i < COUNT_MAX; i++)
			p.took_us[i] = -1;
		p.sent_us[1] = 1000;
		p.answered = 0;
		/* Each other byte, and each length, is none; in a block of its
		 * size. */
		for (i = 0; i < n; i++) {
			copy = malloc(i + 1);
			if (copy == NULL)
				return;
			memcpy(copy, m, i);
			take(&p, copy, i, 1234);
			free(copy);
			if (i >= header || i == 0)
				m[i] ^= 0x18;
			take(&p, m, n, 1234);
			if (i >= header || i == 0)
				m[i] ^= 0x18;
			CHECK_ROW(i, p.answered == (i > 0 && i < header));
			p.answered = 0;
			p.took_us[1] = -1;
		}
		/* Of another sequence, not sent, and it itself twice. */
		take(&p, m, make_echo(&p, 3, m, header), 1234);
		take(&p, m, make_echo(&p, 255, m, header), 1234);
		CHECK(p.answered == 0);
		n = make_echo(&p, 1, m, header);
		take(&p, m, n, 1234);
		take(&p, m, n, 2345);
		CHECK(p.answered == 1 && p.took_us[1] == 234);
		take(&p, m, make_echo(&p, 0, m, header), 2000);
		CHECK(p.answered == 2 && p.took_us[0] == 2000);
	}
	/* Of v6 the kernel looks at the sum; raw ones have no header. */
	p = (struct ping){ .v6 = true, .raw = true, .sent = 1, .took_us =
	    { -1 } };
	n = make_echo(&p, 0, m, 0);
	m[2] ^= 1;
	take(&p, m, n, 1);
	CHECK(p.answered == 1);
}

static void
test_median(void)
{
	int64_t one[] = { 5 }, two[] = { 9, 4 }, three[] = { 9, -1, 1, 5, -1 },
	    many[COUNT_MAX];

	CHECK(median(one, 1) == 5);
	CHECK(median(two, 2) == 6);
	CHECK(median(three, 5) == 5);
	for (int i = 0; i < COUNT_MAX; i++)
		many[i] = (i * 7) % COUNT_MAX;
	CHECK(median(many, COUNT_MAX) == 9);
}

/* With the lines of a file: may this be run? */
static const struct {
	const char *lines, *type, *params;
	bool ok;
} allow[] = {
	{ "", "cpu", "{}", true },
	{ "", "tcp", "{\"host\":\"a\",\"port\":1}", true },
	{ "", "http", "{\"url\":\"http://a/../b\"}", true },
	{ "", "file", "{\"path\":\"/var/log\"}", true },
	{ "", "file", "{\"path\":\"/var/log/a/..b\"}", true },
	{ "", "file", "{\"path\":\"/var/logs\"}", false },
	{ "", "file", "{\"path\":\"/var/log/../lib\"}", false },
	{ "", "log", "{\"path\":\"/var/log/..\"}", false },
	{ "", "log", "{\"path\":\"var/log/x\"}", false },
	{ "", "log", "{\"path\":\"/etc/passwd\"}", false },
	{ "", "number", "{\"path\":\"/proc/loadavg\"}", true },
	{ "cpu", "cpu", "{}", true },
	{ "cpu", "memory", "{}", false },
	{ "cpu", "file", "{\"path\":\"/var/log/x\"}", false },
	{ "file", "file", "{\"path\":\"/etc/../x\"}", true },
	{ "file /srv/", "file", "{\"path\":\"/srv/x\"}", true },
	{ "file /srv/", "file", "{\"path\":\"/srv\"}", true },
	{ "file /srv", "file", "{\"path\":\"/srv/x/../../etc\"}", false },
	{ "file /srv", "file", "{\"path\":\"/srvx\"}", false },
	{ "file /srv", "log", "{\"path\":\"/srv/x\"}", false },
	{ "file /srv", "file", "{\"path\":\"/SRV/x\"}", false },
	{ "file /", "file", "{\"path\":\"/etc/x\"}", true },
	{ "file /", "file", "{\"path\":\"etc/x\"}", false },
	{ "number /sys", "number", "{\"path\":\"/proc/1\"}", false },
	{ "tcp a", "tcp", "{\"host\":\"A\",\"port\":1}", true },
	{ "tcp a:1", "tcp", "{\"host\":\"a\",\"port\":1}", true },
	{ "tcp a:1", "tcp", "{\"host\":\"a\",\"port\":11}", false },
	{ "tcp a:11", "tcp", "{\"host\":\"a\",\"port\":1}", false },
	{ "tcp a", "ping", "{\"host\":\"a\"}", false },
	{ "tcp *.a:1", "tcp", "{\"host\":\"x.a\",\"port\":1}", true },
	{ "tcp *.a:1", "tcp", "{\"host\":\"x.a.b\",\"port\":1}", false },
	{ "tcp [::1]:1", "tcp", "{\"host\":\"::1\",\"port\":1}", true },
	{ "tcp ::1", "tcp", "{\"host\":\"::1\",\"port\":1}", true },
	{ "tcp [::1]:1", "tcp", "{\"host\":\"::1\",\"port\":2}", false },
	{ "ping ::1", "ping", "{\"host\":\"::1\"}", true },
	{ "ping 10.0.0.*\ncpu", "ping", "{\"host\":\"10.0.0.7\"}", true },
	{ "ping 10.0.0.*\ncpu", "cpu", "{}", true },
	{ "dns 10.0.0.1", "dns", "{\"name\":\"a\",\"server\":\"10.0.0.1:53\"}",
	    true },
	{ "dns 10.0.0.1", "dns", "{\"name\":\"a\"}", false },
	{ "dns", "dns", "{\"name\":\"a\"}", true },
	{ "http a", "http", "{\"url\":\"https://a/x\"}", true },
	{ "http a:80", "http", "{\"url\":\"https://a/x\"}", false },
	{ "http a", "http", "{\"url\":\"http://a@b/\"}", false },
	{ "http a", "http", "{\"url\":\"http://a.b/\"}", false },
	{ "http a", "http", "{\"url\":\"gopher://a/\"}", false },
	{ "http http://a", "http", "{\"url\":\"http://k@A:80/x?../\"}", true },
	{ "http http://a", "http", "{\"url\":\"https://a/\"}", false },
	{ "http http://a", "http", "{\"url\":\"http://a:81/\"}", false },
	{ "http http://a/b/", "http", "{\"url\":\"http://a/b/c\"}", true },
	{ "http http://a/b/", "http", "{\"url\":\"http://a/b/../c\"}", false },
	{ "http http://a/b/", "http", "{\"url\":\"http://a/b/%2E./c\"}",
	    false },
	{ "http http://a/b/", "http", "{\"url\":\"http://a/b/.%2e%2fc\"}",
	    false },
	{ "http http://a/b/", "http", "{\"url\":\"http://a/c\"}", false },
	{ "command check_*", "command", "{\"program\":\"check_x\"}", true },
	{ "command check_*", "command", "{\"program\":\"x\"}", false },
	{ "process sshd", "process", "{\"process_name\":\"sshd\"}", true },
	{ "process sshd", "process", "{\"pattern\":\".\"}", false },
};

static void
test_allow(void)
{
	struct str lines, line;
	struct fail why;
	size_t i;

	for (i = 0; i < COUNT(allow); i++) {
		allows_n = 0;
		lines = str_of(allow[i].lines);
		while (lines.n > 0 && str_cut(&lines, '\n', &line) == 0)
			CHECK_ROW(i, probe_allow(line, &why) == 0);
		why.msg[0] = '\0';
		CHECK_ROW(i, probe_allows(check_type(str_of(allow[i].type)),
		    str_of(allow[i].params), &why) == allow[i].ok);
		CHECK_ROW(i, allow[i].ok || strstr(why.msg,
		    "agent.conf does not allow ") != NULL);
	}
	/* No password is told. */
	allows_n = 0;
	CHECK(probe_allow(STR("cpu"), &why) == 0);
	CHECK(!probe_allows(check_type(STR("http")),
	    STR("{\"url\":\"http://me:word@a/\"}"), &why) &&
	    strcmp(why.msg, "agent.conf does not allow http a") == 0);
	for (i = allows_n; i < ALLOWS_MAX; i++)
		CHECK_ROW(i, probe_allow(STR("tcp a"), &why) == 0);
	CHECK(probe_allow(STR("tcp a"), &why) == -1);
	allows_n = 0;
	CHECK(probe_allow(STR(""), &why) == -1);
	CHECK(probe_allow(STR("tpc a"), &why) == -1);
	CHECK(probe_allow(STR("http ftp://a"), &why) == -1);
	CHECK(probe_allow(STR("http http://a:0/"), &why) == -1);
}

int
main(void)
{
	test_answers();
	test_bounds();
	test_leads();
	test_resolve();
	test_echo();
	test_median();
	test_allow();
	return test_end();
}
