/* probe_dns.c: dns checks: one question to one server; see dns.h. */
#include <sys/socket.h>

#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#include "dns.h"
#include "key.h"
#include "loop.h"
#include "probe_impl.h"
#include "proc.h"
#include "stream.h"

#define AGAIN_MS	2000	/* until it is asked again, or half its time */
#define STRAYS_MAX	1000	/* datagrams that are no answers */
#define CONF_MAX	4096	/* bytes of resolv.conf */

struct talk {
	struct dns_question q;
	char server[CHECK_TEXT_MAX + 1], host[CHECK_TEXT_MAX + 1];
	const char *port;		/* within host */
	int64_t begun_ms, until_ms;
	char query[DNS_QUERY_MAX], text[PROBE_TEXT];	/* the answers */
	struct buf out, answers;
	struct fail why;
};

/* The first name server of a resolv.conf(5) into dst.  0 or -1. */
static int
first_server(struct str conf, char *dst, size_t cap)
{
	struct str line, rest;

	while (str_cut(&conf, '\n', &line) == 0) {
		line = str_trim(line);
		if (!str_starts(line, STR("nameserver")))
			continue;
		rest = str_trim(str_after(line, 10));
		if (rest.n > 0 && rest.p > line.p + 10) {
			rest.n = str_span(rest, STR_ALNUM ".:%_-");
			return str_copy(dst, cap, rest);
		}
	}
	return -1;
}

/* ADDRESS, ADDRESS:PORT, [V6] or [V6]:PORT, cut in two where it stands. */
static const char *
cut_port(char *host)
{
	char *end = host[0] == '[' ? strchr(host, ']') : NULL, *port;

	if (end != NULL) {
		memmove(host, host + 1, (size_t)(end - host));
		end[-1] = '\0';
		return end[1] == '\0' ? "53" : end[1] == ':' ? end + 2 : "";
	}
	port = strchr(host, ':');
	if (port == NULL || strchr(port + 1, ':') != NULL)
		return "53";
	*port = '\0';
	return port + 1;
}

/* What is to be asked, and who.  0 or -1. */
static int
prepare(struct talk *t, struct str params)
{
	char name[CHECK_TEXT_MAX + 1], record[16] = "A",
	    expect[CHECK_TEXT_MAX + 1], conf[CONF_MAX];
	struct str text;

	(void)check_param_text(params, "name", name, sizeof name);
	(void)check_param_text(params, "expect", expect, sizeof expect);
	if (check_param_text(params, "record", record, sizeof record) == -1)
		memcpy(record, "A", 2);
	if (check_param_text(params, "server", t->server, sizeof t->server) ==
	    -1 && (proc_read("/etc/resolv.conf", conf, sizeof conf, &text) ==
	    -1 || first_server(text, t->server, sizeof t->server) == -1))
		return fail(&t->why, "no nameserver in /etc/resolv.conf");
	memcpy(t->host, t->server, sizeof t->host);
	t->port = cut_port(t->host);
	if (dns_question(&t->q, str_of(name), str_of(record), str_of(expect),
	    &t->why) == -1 || key_random((unsigned char *)&t->q.id,
	    sizeof t->q.id, &t->why) == -1)
		return -1;
	buf_init(&t->out, t->query, sizeof t->query);
	dns_query(&t->out, &t->q);
	buf_init(&t->answers, t->text, sizeof t->text);
	return 0;
}

/* A datagram socket that takes only what comes from the server; the system
 * gives it a port at random.  Or -1; *rc is then 1 if there is no such
 * address. */
static int
connect_udp(struct talk *t, int *rc)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *a;
	uint64_t port;
	int fd;

	*rc = str_u64(str_of(t->port), 1, 65535, &port) == -1 ||
	    getaddrinfo(t->host, t->port, &hints, &a) != 0;
	if (*rc != 0)
		return fail(&t->why, "server %s: not ADDRESS, ADDRESS:PORT or "
		    "[V6]:PORT", t->server);
	fd = socket(a->ai_family, SOCK_DGRAM, 0);
	if (fd == -1 || fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    connect(fd, a->ai_addr, a->ai_addrlen) == -1) {
		fail_errno(&t->why, "cannot be asked");
		if (fd != -1)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(a);
	return fd;
}

static int
silent(struct talk *t)
{
	return fail(&t->why, "does not answer within %lld ms",
	    (long long)(t->until_ms - t->begun_ms));
}

static enum dns_rc
by_udp(struct talk *t, int fd)
{
	int64_t half = (t->until_ms - t->begun_ms) / 2, now,
	    again_ms = t->begun_ms + (half < AGAIN_MS ? half : AGAIN_MS);
	char msg[DNS_MESSAGE_MAX];
	unsigned strays = 0;
	struct stream s;
	enum dns_rc rc;
	ssize_t n;

	stream_plain(&s, fd);
	if (s.ops->write(&s, t->query, t->out.n) == STREAM_BAD)
		return fail(&t->why, "cannot be asked: %s", s.why.msg);
	while ((now = loop_mono_ms()) < t->until_ms && strays < STRAYS_MAX) {
		n = s.ops->read(&s, msg, sizeof msg);
		if (n == STREAM_BAD)
			return fail(&t->why, "does not answer: %s", s.why.msg);
		if (n >= 0) {
			t->answers.n = 0;
			rc = dns_answer((struct str){ msg, (size_t)n }, &t->q,
			    &t->answers, &t->why);
			if (rc != DNS_OTHER)
				return rc;
			strays++;
		} else if (now >= again_ms) {
			(void)s.ops->write(&s, t->query, t->out.n);
			again_ms = t->until_ms;
		} else {
			(void)stream_wait(&s, again_ms, &t->why);
		}
	}
	return strays == 0 ? silent(t) :
	    fail(&t->why, "answers other questions only");
}

/* The same by TCP, where a message has its length before it. */
static enum dns_rc
by_tcp(struct talk *t)
{
	char msg[2 + DNS_MESSAGE_MAX] = { (char)(t->out.n >> 8),
	    (char)t->out.n };
	size_t n = 0, size = 2;
	struct stream s;
	enum dns_rc rc;
	ssize_t k = 1;
	int fd = stream_connect(t->host, t->port, (int)(t->until_ms -
	    loop_mono_ms()), &t->why);

	if (fd == -1)
		return fail_in(&t->why, "does not answer by TCP");
	stream_plain(&s, fd);
	memcpy(msg + 2, t->query, t->out.n);
	if (s.ops->write(&s, msg, 2 + t->out.n) != (ssize_t)(2 + t->out.n))
		k = STREAM_BAD;
	while (k > 0 && n < size) {
		while ((k = s.ops->read(&s, msg + n, size - n)) == STREAM_AGAIN)
			if (stream_wait(&s, t->until_ms, &t->why) == -1)
				break;
		n += k > 0 ? (size_t)k : 0;
		if (n == 2 && size == 2)
			size += (size_t)((unsigned char)msg[0] << 8 |
			    (unsigned char)msg[1]);
	}
	close(fd);
	if (loop_mono_ms() >= t->until_ms)
		return silent(t);
	if (n < size || size == 2)
		return fail(&t->why, "ends without an answer by TCP");
	t->answers.n = 0;
	rc = dns_answer((struct str){ msg + 2, n - 2 }, &t->q, &t->answers,
	    &t->why);
	return rc == DNS_CUT || rc == DNS_OTHER ? fail(&t->why, "answers "
	    "something else by TCP") : rc;
}

void
probe_dns(struct str params, struct probe_state *st, struct probe_result *r)
{
	struct talk t = { .begun_ms = loop_mono_ms() };
	struct buf line = { r->text, 0, sizeof r->text - 1, false };
	int64_t begun_us = probe_us();
	struct str rest, one;
	enum dns_rc rc;
	unsigned n;
	int fd, no = 1;

	(void)st;
	t.until_ms = t.begun_ms + probe_timeout_ms(params);
	fd = prepare(&t, params) == 0 ? connect_udp(&t, &no) : -1;
	if (fd == -1 && no != 0) {
		probe_unknown(r, "%s", t.why.msg);
		return;
	}
	rc = fd == -1 ? DNS_BAD : by_udp(&t, fd);
	if (rc == DNS_CUT)
		rc = by_tcp(&t);
	if (rc == DNS_BAD) {
		probe_critical(r, "%s %s", t.server, t.why.msg);
		return;
	}
	probe_value(r, probe_us() - begun_us);
	if (rc == DNS_UNLIKE)
		buf_addf(&line, "%.200s expected, not ", t.q.expect);
	t.answers.n -= t.answers.n > 0 && t.text[t.answers.n - 1] == '\n';
	for (n = 0, rest = str_from(&t.answers); str_cut(&rest, '\n', &one) ==
	    0; n++) {
		buf_addz(&line, n > 0 ? ", " : "");
		buf_line(&line, one);
	}
	r->text[line.n] = '\0';
	r->given = rc == DNS_GOOD ? STATUS_OK : STATUS_CRITICAL;
}
