/* client.c: see client.h. */
#include <assert.h>

#include "client.h"
#include "loop.h"

void
client_begin(struct client *c, struct stream *s, struct str request,
    bool to_head, char *in, size_t cap)
{
	*c = (struct client){ .s = s, .out = request, .in = in,
	    .in_cap = cap, .to_head = to_head };
}

/* Give up: what happened, and how far the exchange had come. */
static enum http_rc
cut(struct client *c, const char *what)
{
	if (c->have_head && c->framing.kind == HTTP_BODY_LENGTH)
		return fail(&c->why, "%s in the body after %zu of %lld bytes",
		    what, c->body_n, (long long)c->head.length);
	if (c->seen > 0)
		return fail(&c->why, "%s in the %s after %zu bytes", what,
		    c->have_head ? "body" : "answer's head",
		    c->have_head ? c->body_n : c->seen);
	if (c->sent > 0 && !c->sent_all)
		return fail(&c->why, "%s after %zu bytes of the request", what,
		    c->sent);
	return fail(&c->why, "%s before %s", what, c->sent_all ?
	    "any answer" : "the request was sent");
}

/* Send what the stream takes now.  Whether anything went. */
static bool
send_some(struct client *c)
{
	size_t was = c->sent;
	ssize_t k;

	while (c->out.n > 0 && !c->broken) {
		k = c->s->ops->write(c->s, c->out.p, c->out.n);
		/* It may have answered before it closed: read on. */
		c->broken = k == STREAM_BAD;
		if (k < 0)
			break;
		c->out.p += k;
		c->out.n -= (size_t)k;
		c->sent += (size_t)k;
	}
	c->sent_all = c->out.n == 0;
	return c->sent > was;
}

/* Make of what was read what can be made: the head, past any 1xx; the body,
 * decoded over its framing. */
static enum http_rc
take(struct client *c)
{
	enum http_rc rc = HTTP_DONE;
	size_t got, at;
	struct buf in;
	uint64_t n;

	while (!c->have_head && rc == HTTP_DONE) {
		rc = http_answer((struct str){ c->in, c->in_n }, c->to_head,
		    &c->head, &c->why);
		if (rc == HTTP_DONE && c->head.status >= 200) {
			c->have_head = true;
			c->body = c->in + c->head.size;
			http_body_init(&c->framing, &c->head, true);
		} else if (rc == HTTP_DONE) {
			if (c->head.status == 101)
				return fail(&c->why, "switched protocols "
				    "unasked");
			if (c->interim++ == CLIENT_INTERIM_MAX)
				return fail(&c->why, "too many 1xx answers");
			c->in_n -= c->head.size;
			memmove(c->in, c->in + c->head.size, c->in_n);
		}
	}
	if (rc == HTTP_DONE) {
		at = c->head.size + c->body_n;
		in = (struct buf){ .p = c->in + at, .n = c->in_n - at };
		rc = http_body(&c->framing, &in, &got, &c->why);
		c->body_n += got;
		c->in_n = at + got;
		c->reusable = rc == HTTP_DONE && c->head.keep_alive &&
		    in.n == got && c->sent_all;
	}
	n = c->in_n;
	if (c->framing.kind != HTTP_BODY_EOF)
		n += c->framing.left;
	if (rc != HTTP_BAD && n >= c->in_cap)
		return fail(&c->why, "the answer takes %zu bytes or more",
		    c->in_cap);
	return rc;
}

enum http_rc
client_step(struct client *c)
{
	enum http_rc rc = HTTP_MORE;
	struct stream *s = c->s;
	struct fail why;
	ssize_t k;

	assert(c->in_n < c->in_cap);
	send_some(c);
	while (rc == HTTP_MORE) {
		k = s->ops->read(s, c->in + c->in_n, c->in_cap - c->in_n);
		/* The handshake of a TLS stream may end in a read, and let us
		 * send. */
		if (k == STREAM_AGAIN && c->out.n > 0 && send_some(c))
			continue;
		if (k == STREAM_AGAIN)
			return HTTP_MORE;
		if (k == STREAM_EOF && c->framing.kind == HTTP_BODY_EOF)
			return HTTP_DONE;
		if (k == STREAM_EOF)
			return cut(c, "connection closed");
		if (k == STREAM_BAD) {
			fail(&why, "%s,", s->why.msg);
			return cut(c, why.msg);
		}
		c->in_n += (size_t)k;
		c->seen += (size_t)k;
		rc = take(c);
	}
	return rc;
}

enum http_rc
client_run(struct client *c, int timeout_ms)
{
	int64_t until_ms = loop_mono_ms() + timeout_ms;
	enum http_rc rc;
	struct fail why;

	while ((rc = client_step(c)) == HTTP_MORE)
		if (stream_wait(c->s, until_ms, &why) == -1)
			return cut(c, why.msg);
	return rc;
}
