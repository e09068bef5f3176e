/*
 * channel.c: see channel.h.
 *
 * An outcome travels as four lines: "END CODE AFTER", id, receipt, reason;
 * none of them can hold a line break.
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

#define EMERGENCY	2
#define EMERGENCY_FORM	"&retry=60&expire=10800"

/* The connection that is kept, in the child. */
static struct {
	bool up, kept;		/* kept: it has served a request before */
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

void
channel_outcome_put(char answer[CHILD_ANSWER], const struct channel_outcome *o)
{
	memset(answer, 0, CHILD_ANSWER);
	snprintf(answer, CHILD_ANSWER, "%d %d %u\n%s\n%s\n%s", (int)o->end,
	    o->code, o->after_s, o->id, o->receipt, o->reason);
}

int
channel_outcome_get(const char *answer, struct channel_outcome *o)
{
	static const uint64_t max[] = { CHANNEL_REFUSED, 999,
	    CHANNEL_AFTER_MAX_S };
	struct str rest = str_of(answer), part;
	uint64_t n[COUNT(max)];

	for (size_t i = 0; i < COUNT(max); i++)
		if (str_cut(&rest, i < 2 ? ' ' : '\n', &part) == -1 ||
		    str_u64(part, 0, max[i], &n[i]) == -1)
			return -1;
	o->end = (enum channel_end)n[0];
	o->code = (int)n[1];
	o->after_s = (unsigned)n[2];
	return str_cut(&rest, '\n', &part) == 0 &&
	    str_copy(o->id, sizeof o->id, part) == 0 &&
	    str_cut(&rest, '\n', &part) == 0 && rest.p != NULL &&
	    str_copy(o->receipt, sizeof o->receipt, part) == 0 ?
	    str_copy(o->reason, sizeof o->reason, rest) : -1;
}

/* A text of a job as a field of the form, cut to max characters. */
struct text {
	const char *member, *field;
	size_t max;
	const char *blank;	/* what stands for a blank one; NULL: none */
	bool whole;		/* or not at all: a link cut leads nowhere */
};

static const struct text title = { "title", "title", 250, NULL, false },
    message = { "message", "message", CHANNEL_TEXT_CHARS, "(no text)", false },
    link_to = { "link", "url", 512, NULL, true },
    link_title = { "link_title", "url_title", 100, NULL, false };

/* "&field=value".  0, or -1: no such text. */
static int
put_text(struct buf *form, struct str job, const struct text *t)
{
	static char text[CHILD_JOB_MAX];
	char cut[CHANNEL_TEXT_CHARS * 4];
	const char *value = text;
	struct buf b = BUF(cut);

	if (json_text(job, t->member, text, sizeof text) == -1)
		return -1;
	if (text[strspn(text, " \t\n\v\f\r")] == '\0')	/* blank */
		value = t->blank;
	if (value == NULL)
		return 0;
	buf_utf8(&b, str_of(value), t->max);
	if (t->whole && !str_eq(str_from(&b), str_of(value)))
		return 0;
	buf_addf(form, "&%s=", t->field);
	http_escape(form, str_from(&b));
	return 0;
}

int
channel_pushover_form(struct buf *b, struct str job, struct fail *why)
{
	static const char *const keys[] = { "token", "user" };
	int64_t priority = 0, timestamp = 0;
	char key[CHANNEL_KEY_CHARS + 1];
	size_t i, was;

	if (json_valid(job, why) == -1)
		return fail_in(why, "job");
	for (i = 0; i < COUNT(keys); i++) {
		if (json_text(job, keys[i], key, sizeof key) == -1 ||
		    strlen(key) != CHANNEL_KEY_CHARS ||
		    !str_is_of(str_of(key), STR_ALNUM))
			return fail(why, "the %s key is not 30 letters and "
			    "digits", i == 0 ? "application's" : "user's");
		buf_addf(b, "%s%s=%s", i == 0 ? "" : "&", keys[i], key);
	}
	if (put_text(b, job, &title) == -1 || put_text(b, job, &message) == -1)
		return fail(why, "job with a text that cannot be read");
	if (json_number(job, "priority", -2, EMERGENCY, &priority) == -1)
		return fail(why, "priority: not -2 to 2");
	buf_addf(b, "&priority=%d", (int)priority);
	if (priority == EMERGENCY)
		buf_addz(b, EMERGENCY_FORM);
	if (json_number(job, "timestamp", 0, TIME_MAX / 1000, &timestamp) == -1)
		return fail(why, "timestamp: not seconds since 1970");
	if (timestamp > 0)
		buf_addf(b, "&timestamp=%lld", (long long)timestamp);
	was = b->n;
	if (put_text(b, job, &link_to) == -1 ||
	    (b->n > was && put_text(b, job, &link_title) == -1))
		return fail(why, "job with a link that cannot be read");
	return b->full ? fail(why, "the message is too long") : 0;
}

/* A status and, if it tells, what was wrong: the texts of "errors". */
static void
refused(struct channel_outcome *o, const char *what, struct str body)
{
	char text[CHANNEL_REASON], one[CHANNEL_REASON];
	struct str raw;
	struct json j;
	struct buf b;

	buf_init(&b, text, sizeof text - 1);
	(void)json_list(&j, body, "errors");	/* or none */
	while (json_next(&j, &raw) == JSON_STR)
		if (json_unescape(raw, one, sizeof one) == 0) {
			buf_addz(&b, b.n == 0 ? ": " : "; ");
			buf_line(&b, str_of(one));
		}
	text[b.n] = '\0';
	channel_reason(o, "HTTP %d%s%s", o->code, what, text);
}

static void
name_of(struct str body, const char *member, char dst[CHANNEL_ID])
{
	char text[CHANNEL_ID];

	(void)json_text(body, member, text, sizeof text);	/* or "" */
	channel_line(dst, CHANNEL_ID, text);
}

void
channel_pushover_outcome(const struct http_head *h, struct str body,
    int64_t now_s, struct channel_outcome *o)
{
	struct str left = http_field(h, "X-Limit-App-Remaining");
	uint64_t after = 0, reset;
	int64_t said;
	struct fail why;

	*o = (struct channel_outcome){ CHANNEL_UNKNOWN, .code = h->status };
	if (h->status == 429 || h->status >= 500) {
		/* When to try again: what Retry-After says, or, the quota
		 * being used up, when it begins anew. */
		if (str_u64(http_field(h, "Retry-After"), 0, UINT64_MAX,
		    &after) == -1 && h->status == 429 &&
		    (left.p == NULL || str_is(left, "0")) &&
		    str_u64(http_field(h, "X-Limit-App-Reset"), 0, INT64_MAX,
		    &reset) == 0 && (int64_t)reset > now_s)
			after = reset - (uint64_t)now_s;
		o->after_s = after < CHANNEL_AFTER_MIN_S ?
		    CHANNEL_AFTER_MIN_S : after > CHANNEL_AFTER_MAX_S ?
		    CHANNEL_AFTER_MAX_S : (unsigned)after;
		o->end = CHANNEL_RETRY;
		refused(o, "", body);
	} else if (h->status >= 300) {
		o->end = CHANNEL_REFUSED;
		refused(o, h->status < 400 ? ", a redirect, which is not "
		    "followed" : "", body);
	} else if (h->status != 200)
		channel_reason(o, "HTTP %d", o->code);
	else if (json_valid(body, &why) == -1)	/* 200: the body decides */
		channel_reason(o, "HTTP 200, but no answer that can be read: "
		    "%s", why.msg);
	else if (json_number(body, "status", INT32_MIN, INT32_MAX, &said) != 1)
		channel_reason(o, "HTTP 200, but an answer without a status");
	else if (said != 1) {
		o->end = CHANNEL_REFUSED;
		refused(o, ", but not taken", body);
	} else {
		o->end = CHANNEL_ACCEPTED;
		name_of(body, "request", o->id);
		name_of(body, "receipt", o->receipt);
	}
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
connect_to(const struct http_url *u, int64_t now, struct fail *why)
{
	struct stream *s = u->tls ? &way.secure.t.s : &way.plain;
	char c;

	/* Is it there, to the same, used of late (a path by NAT is soon
	 * forgotten), and silent, so that nobody has closed it? */
	if (way.up && way.s == s && str_is(u->host, way.host) &&
	    str_is(u->port, way.port) && now >= way.used_ms &&
	    now - way.used_ms <= CHANNEL_IDLE_S * 1000 &&
	    s->ops->read(s, &c, 1) == STREAM_AGAIN)
		return 0;
	hang_up();
	if (str_copy(way.host, sizeof way.host, u->host) == -1 ||
	    str_copy(way.port, sizeof way.port, u->port) == -1)
		return fail(why, "host name of over %zu bytes",
		    sizeof way.host - 1);
	way.fd = stream_connect(way.host, way.port, CHANNEL_CONNECT_MS, why);
	if (way.fd == -1)
		return fail_in(why, "%s port %s", way.host, way.port);
	way.s = s;
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
exchange(const struct http_url *u, struct str bytes, struct channel_outcome *o)
{
	static char in[CHANNEL_ANSWER_MAX];
	struct client c;
	struct fail why;
	bool done, stale;

	do {
		if (connect_to(u, log_clock_ms(), &why) == -1) {
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
		channel_pushover_outcome(&c.head, done ?
		    (struct str){ c.body, c.body_n } : STR(""),
		    log_clock_ms() / 1000, o);
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

/* Write the request of a job and split its URL.  0, or -1: none can be made. */
static int
put_request(struct buf *b, struct str job, struct http_url *u, struct fail *why)
{
	/* The URL's parts, in *u, borrow from it. */
	static char form[CHANNEL_FORM_MAX], url[CHANNEL_URL_MAX];
	struct buf f = BUF(form);
	char channel[32], host[64];
	unsigned char ip[4];

	if (json_text(job, "channel", channel, sizeof channel) == -1 ||
	    strcmp(channel, "pushover") != 0)
		return fail(why, "no such channel");
	if (json_text(job, "url", url, sizeof url) == -1)
		return fail(why, "a URL that cannot be read");
	if (http_url(str_of(url), u, why) == -1)
		return -1;
	(void)str_copy(host, sizeof host, u->host);	/* or "" */
	if (!u->tls && !str_ieq(u->host, STR("localhost")) &&
	    !str_is(u->host, "::1") && (inet_pton(AF_INET, host, ip) != 1 ||
	    ip[0] != 127))
		return fail(why, "https is required, but to this host itself");
	if (channel_pushover_form(&f, job, why) == -1)
		return -1;
	http_put_request(b, "POST", u, (int64_t)f.n);
	buf_addz(b, "User-Agent: vilicus\r\nContent-Type: "
	    "application/x-www-form-urlencoded\r\n\r\n");
	buf_add(b, str_from(&f));
	return b->full ? fail(why, "the request is too long") : 0;
}

static void
run(struct str job, const struct fail *unprepared, char answer[CHILD_ANSWER])
{
	static char request[CHANNEL_REQUEST_MAX];
	struct channel_outcome o = { .end = CHANNEL_REFUSED };
	struct http_url u;
	struct fail why;
	struct buf b = BUF(request);
	char name[32];

	untrusted = unprepared;
	(void)json_text(job, "channel", name, sizeof name);	/* or "" */
	if (strcmp(name, "email") == 0)
		channel_mail(job, &o);
	else if (put_request(&b, job, &u, &why) == -1)
		channel_reason(&o, "%s", why.msg);
	else if (!u.tls || channel_trust(&o) != NULL)
		exchange(&u, str_from(&b), &o);
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
