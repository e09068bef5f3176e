/* channel.c's place in the tests of single channels: what they ask is kept,
 * and what is to be answered is. */
#include <stdarg.h>
#include <stdio.h>

#include "../channel_impl.h"
#include "../json.h"

#define NOW_MS	INT64_C(1800000000000)	/* 2027-01-15 08:00:00 */

/* What was asked last, how often, and what is answered. */
static struct {
	unsigned n;
	char method[8], url[512], head[1024], body[65536];
	bool lan, far;
} asked;
static struct {
	const char *head, *body;
	unsigned good;			/* so many are 202 before it */
} answer;

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
	char text[1000];
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

	(void)str_u64(http_field(h, "Retry-After"), 0, 86400, &s);
	return (unsigned)s;
}

void
channel_ask(const struct channel_ask *a, channel_judge_fn *fn,
    struct channel_outcome *o)
{
	bool good = asked.n++ < answer.good;
	struct http_head h;
	struct fail why;

	snprintf(asked.method, sizeof asked.method, "%s", a->method);
	snprintf(asked.url, sizeof asked.url, "%s://%.*s:%.*s%.*s",
	    a->url.tls ? "https" : "http", (int)a->url.host.n, a->url.host.p,
	    (int)a->url.port.n, a->url.port.p, (int)a->url.path.n,
	    a->url.path.p);
	CHECK(str_copy(asked.head, sizeof asked.head, a->head) == 0);
	CHECK(str_copy(asked.body, sizeof asked.body, a->body) == 0);
	CHECK(strstr(asked.head, "json") == NULL ||
	    json_valid(a->body, &why) == 0);
	asked.lan = a->lan;
	asked.far = a->far;
	CHECK(http_answer(good ? STR("HTTP/1.1 202 OK\r\n\r\n") :
	    str_of(answer.head), false, &h, &why) == HTTP_DONE);
	fn(&h, str_of(good ? "" : answer.body), NOW_MS / 1000, o);
}
