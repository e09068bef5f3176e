/* probe_net.c: checks of others, over TCP: tcp and http. */
#include <netdb.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "http.h"
#include "log.h"
#include "loop.h"
#include "probe_impl.h"
#include "tls.h"

#define SHOWN		128	/* bytes of what others say, and a NUL */
#define SAID_MAX	512	/* bytes of a greeting */
#define BODY_MAX	1048576	/* bytes of a body that are looked at */
#define INTERIM_MAX	8	/* 1xx answers before the one */
#define IN_MAX		(2 * HTTP_HEAD_MAX)
#define ALERT(n)	(BR_ERR_RECV_FATAL_ALERT + (n))

int64_t
probe_us(void)
{
	struct timespec t = { 0, 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct addrinfo *
probe_resolve(const char *host, const char *port, int64_t until_ms,
    struct probe_result *r)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int rc = getaddrinfo(host, port, &hints, &list);

	/* A name server that could not say says nothing of the host. */
	if (rc == EAI_AGAIN || rc == EAI_FAIL || rc == EAI_SYSTEM ||
	    rc == EAI_MEMORY)
		probe_unknown(r, "the name was not resolved: %s", rc ==
		    EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	else if (rc != 0)
		probe_critical(r, "%s", gai_strerror(rc));
	else if (loop_mono_ms() < until_ms)
		return list;
	else {
		freeaddrinfo(list);
		probe_unknown(r, "the name was not resolved in time");
	}
	return NULL;
}

/* Connect, and when that began.  The socket; -1: r says why not. */
static int
reach(const char *host, const char *port, int64_t until_ms, int64_t *began_us,
    struct probe_result *r)
{
	struct addrinfo *list = probe_resolve(host, port, until_ms, r);
	struct fail why;
	int fd;

	if (list == NULL)
		return -1;
	*began_us = probe_us();
	fd = stream_connect_list(list, (int)(until_ms - loop_mono_ms()), &why);
	freeaddrinfo(list);
	if (fd == -1)
		probe_critical(r, "%s", why.msg);
	return fd;
}

/* Read on, behind what is in b: 1; 0: the end, or b is full; -1. */
static int
more(struct stream *s, struct buf *b, int64_t until_ms, struct fail *why)
{
	ssize_t k = STREAM_EOF;

	if (loop_mono_ms() >= until_ms)
		return fail(why, "time-out");	/* however fast it comes */
	while (b->n < b->cap && (k = s->ops->read(s, b->p + b->n,
	    b->cap - b->n)) == STREAM_AGAIN)
		if (stream_wait(s, until_ms, why) == -1)
			return -1;
	if (k == STREAM_BAD)
		return fail(why, "%s", s->why.msg);
	b->n += (size_t)k;
	return k > 0;
}

/* The first line of what others say, cut and cleaned. */
static const char *
first_line(char text[SHOWN], struct str s)
{
	struct buf b = { text, 0, SHOWN - 1, false };
	struct str line;

	str_cut(&s, '\n', &line);
	line.n -= line.n > 0 && line.p[line.n - 1] == '\r';
	buf_line(&b, line);
	text[b.n] = '\0';
	return text;
}

/* Does it begin by saying this? */
static void
listen_for(struct str expect, int fd, int64_t until_ms, struct probe_result *r)
{
	char said[SAID_MAX], text[SHOWN];
	struct buf b = BUF(said);
	struct stream s;
	struct fail why;
	int rc;

	stream_plain(&s, fd);
	do {
		rc = more(&s, &b, until_ms, &why);
		if (str_starts(str_from(&b), expect))
			return;
	} while (rc == 1 && memchr(b.p, '\n', b.n) == NULL);
	if (b.n > 0)
		probe_critical(r, "it says \"%s\"", first_line(text,
		    str_from(&b)));
	else
		probe_critical(r, "it says nothing: %s", rc == 0 ?
		    "connection closed" : why.msg);
}

void
probe_tcp(struct str params, struct probe_state *st, struct probe_result *r)
{
	int64_t until_ms = loop_mono_ms() + probe_timeout_ms(params), port = 0,
	    began_us;
	char host[CHECK_TEXT_MAX + 1], expect[CHECK_TEXT_MAX + 1], number[8];
	int fd;

	(void)st;
	(void)check_param_text(params, "host", host, sizeof host);
	(void)check_param_int(params, "port", 1, 65535, &port);
	snprintf(number, sizeof number, "%d", (int)port);
	fd = reach(host, number, until_ms, &began_us, r);
	if (fd == -1)
		return;
	probe_value(r, probe_us() - began_us);
	r->given = STATUS_OK;
	if (check_param_text(params, "expect", expect, sizeof expect) == 0)
		listen_for(str_of(expect), fd, until_ms, r);
	close(fd);
}

/* ---- http ---- */

const char *const probe_http_metrics[] = { "cert_days", "status", "bytes",
    NULL };

/* A visit to a URL, and to where that leads. */
static struct web {
	struct http_url url;		/* in given, or one of text */
	char given[CHECK_TEXT_MAX + 1], text[2][PROBE_URL_MAX];
	char host[TLS_HOST_MAX + 1];
	struct str pins;
	int64_t hops, redirects;	/* followed; and to be, at most */
	int64_t expected;		/* status; 0: 2xx */
	int64_t until_ms, began_us;
	bool ours;			/* a failure says nothing of it */
	struct tls_anchors anchors;
	struct tls_trust trust;
	struct tls_client tls;
	unsigned char tls_buf[TLS_LARGE];
	struct stream plain, *s;
	char in[IN_MAX];
	size_t n;			/* bytes in it */
	struct http_head head;
	struct str need;		/* of the body, or empty */
	bool found;
	int64_t bytes;			/* of the body */
	int64_t cert_ms;		/* until when the first certificate to
					   expire is good; INT64_MAX: none */
} web;

static int
ask(struct web *w, struct fail *why)
{
	char text[PROBE_URL_MAX + 1024], user[CHECK_TEXT_MAX + 1],
	    plain[sizeof user + 1], code[2 * sizeof user];
	struct buf b = BUF(text);
	struct str rest;
	ssize_t k;

	http_put_request(&b, "GET", &w->url, -1);
	buf_addz(&b, "User-Agent: vilicus-agent\r\nAccept: */*\r\n"
	    "Accept-Encoding: identity\r\nConnection: close\r\n");
	w->ours = http_unescape(w->url.user, false, user, sizeof user) == -1;
	if (w->ours)
		return fail(why, "URL: a user that cannot be unescaped");
	snprintf(plain, sizeof plain, "%s%s", user, strchr(user, ':') != NULL ?
	    "" : ":");
	if (user[0] != '\0')
		buf_addf(&b, "Authorization: Basic %s\r\n",
		    str_base64(code, plain, strlen(plain)));
	buf_addz(&b, "\r\n");
	for (rest = str_from(&b); rest.n > 0;) {
		k = w->s->ops->write(w->s, rest.p, rest.n);
		if (k == STREAM_BAD)
			return fail(why, "%s", w->s->why.msg);
		if (k > 0)
			rest = str_after(rest, (size_t)k);
		else if (stream_wait(w->s, w->until_ms, why) == -1)
			return fail_in(why, w->url.tls ? "TLS handshake" :
			    "request");
	}
	return 0;
}

/* The answer's head, past any interim ones. */
static int
read_head(struct web *w, struct fail *why)
{
	struct buf b = BUF(w->in);
	unsigned interim = 0;
	enum http_rc rc;
	int k = 1;

	w->n = 0;
	while (k == 1) {
		rc = http_answer(str_from(&b), false, &w->head, why);
		w->n = b.n;
		if (rc == HTTP_BAD || (rc == HTTP_DONE &&
		    w->head.status >= 200))
			return rc == HTTP_BAD ? -1 : 0;
		if (rc == HTTP_MORE) {
			k = more(w->s, &b, w->until_ms, why);
			continue;
		}
		if (interim++ == INTERIM_MAX || w->head.status == 101)
			return fail(why, "answered %d unasked",
			    w->head.status);
		b.n -= w->head.size;
		memmove(b.p, b.p + w->head.size, b.n);
	}
	if (k == 0)
		fail(why, "connection closed");
	return fail_in(why, b.n > 0 ? "in the answer's head" : "no answer");
}

static bool
is_in(struct str part, struct str s)
{
	while (s.n >= part.n && !str_starts(s, part))
		s = str_after(s, 1);
	return s.n >= part.n;
}

/* The body, to its end or BODY_MAX; of what came before, so much is kept as
 * may be the beginning of what it needs. */
static int
read_body(struct web *w, struct fail *why)
{
	char *at = w->in + w->head.size;
	size_t cap = sizeof w->in - w->head.size, kept = 0, got, all;
	struct buf raw = { at, w->n - w->head.size, cap, false };
	struct http_body body;
	enum http_rc rc;
	int k = 1;

	http_body_init(&body, &w->head, true);
	while (k == 1) {
		rc = http_body(&body, &raw, &got, why);
		w->bytes += (int64_t)got;
		all = kept + got;
		w->found = w->found || is_in(w->need, (struct str){ at, all });
		if (rc != HTTP_MORE || w->bytes >= BODY_MAX)
			return rc == HTTP_BAD ? -1 : 0;
		kept = all < w->need.n ? all : w->need.n;
		memmove(at, at + all - kept, kept);
		raw = (struct buf){ at + kept, 0, cap - kept, false };
		k = more(w->s, &raw, w->until_ms, why);
	}
	if (k == 0 && body.kind == HTTP_BODY_EOF)
		return 0;
	if (k == 0)
		fail(why, "connection closed");
	return fail_in(why, "after %lld bytes of the body",
	    (long long)w->bytes);
}

/* Does it send us on, by a way that we take? */
static bool
is_redirect(const struct web *w)
{
	int n = w->head.status;

	return w->hops < w->redirects && n != w->expected && (n == 301 ||
	    n == 302 || n == 303 || n == 307 || n == 308);
}

/* Make w->url what Location says (RFC 9110 10.2.2, RFC 3986 5.2). */
static int
follow(struct web *w, struct fail *why)
{
	struct str to = http_field(&w->head, "Location"), part, rest;
	const struct http_url was = w->url;
	struct buf b = BUF(w->text[w->hops % 2]);
	bool v6 = memchr(was.host.p, ':', was.host.n) != NULL;
	struct http_url *u = &w->url;

	if (to.n == 0)
		return fail(why, "status %d without a Location",
		    w->head.status);
	str_cut(&to, '#', &part);
	rest = to = part;
	str_cut(&rest, ':', &part);
	if (!str_is_of(part, STR_ALNUM "+-.") || !str_starts(rest, STR("//"))) {
		buf_addz(&b, was.tls ? "https:" : "http:");
		if (!str_starts(to, STR("//")))
			buf_addf(&b, v6 ? "//[%.*s]:%.*s" : "//%.*s:%.*s",
			    (int)was.host.n, was.host.p, (int)was.port.n,
			    was.port.p);
		rest = was.path;
		str_cut(&rest, '?', &part);
		while (part.n > 0 && part.p[part.n - 1] != '/')
			part.n--;
		if (!str_starts(to, STR("/")))
			buf_add(&b, part);
	}
	buf_add(&b, to);
	w->hops++;
	if (b.full)
		return fail(why, "URL: too long");
	if (http_url(str_from(&b), u, why) == -1)
		return -1;
	if (was.tls && !u->tls)
		return fail(why, "from https to http, which is not followed");
	w->ours = !probe_allows_target(check_type(STR("http")), str_from(&b),
	    why);
	if (w->ours)
		return -1;
	/* Who else it may be is not told the password. */
	u->user = u->tls == was.tls && str_ieq(u->host, was.host) &&
	    str_eq(u->port, was.port) ? was.user : STR("");
	return 0;
}

/* Begin to speak, over TLS or not. */
static int
begin(struct web *w, int fd, struct fail *why)
{
	int64_t at_us = probe_us();
	int rc = 0;

	w->s = &w->plain;
	stream_plain(w->s, fd);
	if (!w->url.tls)
		return 0;
	if (w->trust.anchors == NULL)
		rc = tls_trust(&w->trust, w->pins, &w->anchors, probe_ca_file,
		    why);
	w->ours = rc == -1;
	w->began_us += probe_us() - at_us;	/* reading may take long */
	w->s = &w->tls.t.s;
	if (rc == 0)
		rc = tls_client(&w->tls, fd, w->host, &w->trust,
		    log_clock_ms(), w->tls_buf, sizeof w->tls_buf, why);
	w->tls.judge.leaf_n = 0;
	return rc;
}

/* Note what a handshake has shown, whatever became of it. */
static void
note_tls(struct web *w)
{
	const struct tls_judge *j = &w->tls.judge;
	struct tls_cert cert;
	int err;

	if (w->s != &w->tls.t.s || w->ours)
		return;
	if (tls_cert_read((struct str){ (const char *)j->leaf, j->leaf_n },
	    &cert) == 0 && cert.to_ms < w->cert_ms)
		w->cert_ms = cert.to_ms;
	/* Others may speak what we do not: TLS 1.3 only, other ciphers, keys
	 * of a kind or length that we do not know. */
	err = br_ssl_engine_last_error(w->tls.t.eng);
	w->ours = err == ALERT(70) || err == ALERT(40) ||
	    err == BR_ERR_X509_UNSUPPORTED ||
	    err == BR_ERR_X509_LIMIT_EXCEEDED;
}

static void
judge(struct web *w, struct probe_result *r)
{
	struct str to = http_field(&w->head, "Location");
	char text[SHOWN], number[8];
	struct fail why;
	int rc = read_body(w, &why), status = w->head.status;

	probe_metric(r, "status", status * 1000);
	probe_metric(r, "bytes", probe_milli((uint64_t)w->bytes));
	if (rc == 0)
		probe_value(r, probe_us() - w->began_us);
	r->given = STATUS_OK;
	if (w->expected > 0 ? status != w->expected : status / 100 != 2) {
		snprintf(number, sizeof number, "%d", (int)w->expected);
		probe_critical(r, "answered %d%s%s, %s expected", status,
		    to.n > 0 ? " to " : "", first_line(text, to),
		    w->expected > 0 ? number : "2xx");
	} else if (rc == -1)
		probe_critical(r, "%s", why.msg);
	else if (!w->found)
		probe_critical(r, "its %lld bytes hold no \"%s\"",
		    (long long)w->bytes, first_line(text, w->need));
}

/* One exchange.  Whether it leads on; otherwise r has what came of it. */
static bool
visit(struct web *w, struct probe_result *r)
{
	char port[6];
	int64_t began_us;
	struct fail why = { "" };
	bool on = false;
	int fd, rc;

	w->ours = str_copy(w->host, sizeof w->host, w->url.host) == -1 ||
	    str_copy(port, sizeof port, w->url.port) == -1;
	if (w->ours) {
		probe_unknown(r, "URL: host or port too long");
		return false;
	}
	fd = reach(w->host, port, w->until_ms, &began_us, r);
	if (fd == -1)
		return false;
	rc = begin(w, fd, &why) == -1 || ask(w, &why) == -1 ? -1 :
	    read_head(w, &why);
	note_tls(w);
	if (rc == 0 && is_redirect(w)) {
		on = follow(w, &why) == 0;
		rc = on ? 0 : fail_in(&why, "redirect");
	} else if (rc == 0)
		judge(w, r);
	if (rc == -1)
		(w->ours ? probe_unknown : probe_critical)(r, "%s", why.msg);
	close(fd);
	return on;
}

/* The authorities, of which the next child has a copy. */
void
probe_http_prepare(struct str params)
{
	char url[CHECK_TEXT_MAX + 1];
	int64_t redirects = 0;
	struct fail why;

	(void)check_param_int(params, "redirects", 0, 10, &redirects);
	if (check_param_text(params, "url", url, sizeof url) == 0 &&
	    strchr(url, '#') == NULL && (redirects > 0 ||
	    str_starts(str_of(url), STR("https:"))))
		(void)tls_trust(&web.trust, (struct str){ NULL, 0 },
		    &web.anchors, probe_ca_file, &why);
}

void
probe_http(struct str params, struct probe_state *st, struct probe_result *r)
{
	char need[CHECK_TEXT_MAX + 1] = "";
	struct web *w = &web;
	struct fail why;

	(void)st;
	w->until_ms = loop_mono_ms() + probe_timeout_ms(params);
	w->began_us = probe_us();
	w->hops = w->redirects = w->expected = w->bytes = 0;
	w->cert_ms = INT64_MAX;
	w->found = false;
	w->trust.anchors = NULL;
	(void)check_param_text(params, "url", w->given, sizeof w->given);
	(void)check_param_text(params, "expect_body", need, sizeof need);
	(void)check_param_int(params, "expect_status", 100, 599, &w->expected);
	(void)check_param_int(params, "redirects", 0, 10, &w->redirects);
	w->need = str_of(need);
	if (http_url(str_of(w->given), &w->url, &why) == -1) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	w->pins = w->url.fragment;
	while (visit(w, r))
		;
	if (w->cert_ms != INT64_MAX)
		probe_metric(r, "cert_days",
		    (w->cert_ms - log_clock_ms()) / 86400);
}
