/*
 * channel.c: see channel.h.
 *
 * An outcome travels as five lines: "END CODE AFTER SEEN OVER", id, receipt,
 * device, reason; none of them can hold a line break.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "channel_impl.h"
#include "client.h"
#include "json.h"
#include "log.h"
#include "stream.h"

/* The connection that is kept, in the child. */
static struct {
	bool up, kept;		/* kept: it has served a request before */
	bool far;		/* it was sure not to go to what is near */
	int fd;
	char host[256], port[8];
	int64_t used_ms;
	struct stream *s, plain;
	struct tls_client secure;
	unsigned char room[TLS_LARGE];
} way;

static struct tls_anchors anchors;	/* the helper's, from prepare on */
static struct tls_trust trust = { .anchors = &anchors };
static const struct fail *untrusted;	/* why there are none; or NULL */

void
channel_line(char *dst, size_t cap, const char *text)
{
	struct buf b;

	memset(dst, 0, cap);
	buf_init(&b, dst, cap - 1);
	buf_line(&b, str_of(text));
}

void
channel_reason(struct channel_outcome *o, const char *fmt, ...)
{
	char text[CHANNEL_REASON + 100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	channel_line(o->reason, sizeof o->reason, text);
}

unsigned
channel_after(const struct http_head *h, uint64_t else_s)
{
	uint64_t s = else_s;

	(void)str_u64(http_field(h, "Retry-After"), 0, UINT64_MAX, &s);
	return s < CHANNEL_AFTER_MIN_S ? CHANNEL_AFTER_MIN_S :
	    s > CHANNEL_AFTER_MAX_S ? CHANNEL_AFTER_MAX_S : (unsigned)s;
}

void
channel_outcome_put(char answer[CHILD_ANSWER], const struct channel_outcome *o)
{
	memset(answer, 0, CHILD_ANSWER);
	snprintf(answer, CHILD_ANSWER, "%d %d %u %lld %d\n%s\n%s\n%s\n%s",
	    (int)o->end, o->code, o->after_s, (long long)o->seen_s, o->over,
	    o->id, o->receipt, o->device, o->reason);
}

int
channel_outcome_get(const char *answer, struct channel_outcome *o)
{
	static const uint64_t max[] = { CHANNEL_REFUSED, 999,
	    CHANNEL_AFTER_MAX_S, TIME_MAX / 1000, 1 };
	struct str rest = str_of(answer), part;
	uint64_t n[COUNT(max)];

	for (size_t i = 0; i < COUNT(max); i++)
		if (str_cut(&rest, i < 4 ? ' ' : '\n', &part) == -1 ||
		    str_u64(part, 0, max[i], &n[i]) == -1)
			return -1;
	o->end = (enum channel_end)n[0];
	o->code = (int)n[1];
	o->after_s = (unsigned)n[2];
	o->seen_s = (int64_t)n[3];
	o->over = n[4] == 1;
	return str_cut(&rest, '\n', &part) == 0 &&
	    str_copy(o->id, sizeof o->id, part) == 0 &&
	    str_cut(&rest, '\n', &part) == 0 &&
	    str_copy(o->receipt, sizeof o->receipt, part) == 0 &&
	    str_cut(&rest, '\n', &part) == 0 && rest.p != NULL &&
	    str_copy(o->device, sizeof o->device, part) == 0 ?
	    str_copy(o->reason, sizeof o->reason, rest) : -1;
}

static void
hang_up(void)
{
	if (!way.up)
		return;
	way.s->ops->shut(way.s);	/* a goodbye, if it goes at once */
	close(way.fd);
	way.up = way.kept = false;
}

static int
connect_to(const struct channel_ask *a, int64_t now, struct fail *why)
{
	const struct http_url *u = &a->url;
	struct stream *s = u->tls ? &way.secure.t.s : &way.plain;
	char c;

	/* Is it there, to the same, used of late (a path by NAT is soon
	 * forgotten), and silent, so that nobody has closed it? */
	if (way.up && way.s == s && way.far == a->far &&
	    str_is(u->host, way.host) && str_is(u->port, way.port) &&
	    now >= way.used_ms &&
	    now - way.used_ms <= CHANNEL_IDLE_S * 1000 &&
	    s->ops->read(s, &c, 1) == STREAM_AGAIN)
		return 0;
	hang_up();
	if (str_copy(way.host, sizeof way.host, u->host) == -1 ||
	    str_copy(way.port, sizeof way.port, u->port) == -1)
		return fail(why, "host name of over %zu bytes",
		    sizeof way.host - 1);
	way.fd = (a->far ? stream_connect_far : stream_connect)(way.host,
	    way.port, CHANNEL_CONNECT_MS, why);
	if (way.fd == -1)
		return fail_in(why, "%s port %s", way.host, way.port);
	way.s = s;
	way.far = a->far;
	if (!u->tls)
		stream_plain(&way.plain, way.fd);
	else if (tls_client(&way.secure, way.fd, way.host, &trust, now,
	    way.room, sizeof way.room, why) == -1) {
		close(way.fd);
		return fail_in(why, "%s", way.host);
	}
	way.up = true;
	return 0;
}

/* Have a request's bytes answered.  After a failure: what is known. */
static void
exchange(const struct channel_ask *a, struct str bytes,
    channel_judge_fn *judge, struct channel_outcome *o)
{
	static char in[CHANNEL_ANSWER_MAX];
	struct client c;
	struct fail why;
	bool done, stale;

	do {
		if (connect_to(a, log_clock_ms(), &why) == -1) {
			o->end = CHANNEL_RETRY;
			channel_reason(o, "%s", why.msg);
			return;
		}
		client_begin(&c, way.s, bytes, false, in, sizeof in);
		done = client_run(&c, CHANNEL_ANSWER_MS) == HTTP_DONE;
		stale = !done && way.kept && !c.sent_all && c.seen == 0;
		way.used_ms = log_clock_ms();
		way.kept = true;
		if (!done || !c.reusable)
			hang_up();
	} while (stale);
	if (!c.have_head)
		o->end = c.sent_all ? CHANNEL_UNKNOWN : CHANNEL_RETRY;
	else
		judge(&c.head, done ? (struct str){ c.body, c.body_n } :
		    STR(""), log_clock_ms() / 1000, o);
	if (!done && (o->end == CHANNEL_UNKNOWN || !c.have_head))
		channel_reason(o, "%s: %s", way.host, c.why.msg);
}

const struct tls_trust *
channel_trust(struct channel_outcome *o)
{
	if (untrusted == NULL)
		return &trust;
	o->end = CHANNEL_RETRY;
	channel_reason(o, "ca-file: %s", untrusted->msg);
	return NULL;
}

void
channel_ask(const struct channel_ask *a, channel_judge_fn *judge,
    struct channel_outcome *o)
{
	static char request[CHANNEL_REQUEST_MAX];
	struct buf b = BUF(request);
	char host[64];
	unsigned char ip[4];

	(void)str_copy(host, sizeof host, a->url.host);	/* or "" */
	http_put_request(&b, a->method, &a->url,
	    strcmp(a->method, "GET") == 0 ? -1 : (int64_t)a->body.n);
	buf_addz(&b, "User-Agent: vilicus\r\n");
	buf_add(&b, a->head);
	buf_addz(&b, "\r\n");
	buf_add(&b, a->body);
	if (!a->url.tls && !a->lan &&
	    !str_ieq(a->url.host, STR("localhost")) &&
	    !str_is(a->url.host, "::1") &&
	    (inet_pton(AF_INET, host, ip) != 1 || ip[0] != 127))
		channel_reason(o, "https is required, but to this host "
		    "itself");
	else if (b.full)
		channel_reason(o, "the request is too long");
	else if (!a->url.tls || channel_trust(o) != NULL)
		exchange(a, str_from(&b), judge, o);
}

static const struct channel {
	const char *name;
	void (*run)(struct str job, struct channel_outcome *o);
} channels[] = {
	{ "pushover",	channel_push },
	{ "email",	channel_mail },
	{ "webhook",	channel_web },
	{ "ntfy",	channel_web },
	{ "gotify",	channel_web },
	{ "slack",	channel_web },
	{ "discord",	channel_web },
	{ "telegram",	channel_web },
	{ "pagerduty",	channel_web },
	{ "alertmanager", channel_web },
	{ "get",	channel_web },
	{ "exec",	channel_exec },
};

static void
run(struct str job, const struct fail *unprepared, char answer[CHILD_ANSWER])
{
	static const char *const secrets[] = { "token", "smtp_password" };
	struct channel_outcome o = { .end = CHANNEL_REFUSED };
	const struct channel *c;
	char name[32], text[256];

	untrusted = unprepared;
	(void)json_text(job, "channel", name, sizeof name);	/* or "" */
	c = STR_ROW(channels, str_of(name));
	if (c == NULL)
		channel_reason(&o, "no such channel");
	else
		c->run(job, &o);
	for (size_t i = 0; i < COUNT(secrets); i++) {
		(void)json_text(job, secrets[i], text, sizeof text); /* or "" */
		channel_hide(o.reason, str_of(text));
		channel_hide(o.id, str_of(text));
	}
	channel_outcome_put(answer, &o);
}

static int
prepare(struct str arg, struct fail *why)
{
	char path[CHILD_ARG_MAX + 1];

	if (arg.n == 0)
		return fail(why, "none is set");
	if (str_copy(path, sizeof path, arg) == -1)
		return fail(why, "not a path");
	return tls_anchors_load(&anchors, path, why);
}

const struct child_kind channel_child = {
	"channel", CHANNEL_DEADLINE_S, prepare, run
};
