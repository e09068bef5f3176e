/* conn.c: see conn.h. */
#include <unistd.h>

#include "conn.h"
#include "loop.h"
#include "pool.h"

static struct pool pool = { 0, CONN_BYTES };
static struct conn *conns[CONN_MAX];
static unsigned conn_max = CONN_MAX, open_n, top, handshakes;

void
conn_limits(unsigned max, size_t bytes)
{
	conn_max = max < CONN_MAX ? max : CONN_MAX;
	pool.cap = bytes;
}

struct conn *
conn_at(unsigned slot)
{
	return slot < top ? conns[slot] : NULL;
}

unsigned
conn_slots(void)
{
	return top;
}

bool
conn_shaking(void)
{
	return handshakes >= CONN_HANDSHAKES;
}

/* ---- open and close ---- */

struct conn *
conn_accept(int lfd, const struct tls_identity *id, int64_t mono_ms,
    bool *again, bool *full)
{
	struct conn new = { .since_ms = mono_ms, .identity = id }, *c = NULL;
	unsigned i, n = 0;
	int fd = conn_shaking() ? STREAM_AGAIN :
	    stream_accept(lfd, new.peer, &new.loopback);

	*full = fd == -1;
	*again = fd >= 0;
	if (fd < 0)
		return NULL;
	stream_plain(&new.plain, fd);
	/* The one that has been idle longest makes room. */
	for (i = 0; i < top && open_n >= conn_max; i++)
		if (conns[i] != NULL && conns[i]->phase == CONN_IDLE &&
		    (c == NULL || conns[i]->since_ms < c->since_ms))
			c = conns[i];
	if (c != NULL) {
		loop_del(c->s->fd);
		conn_close(c);
	}
	for (i = 0; i < top && !new.loopback; i++)
		n += conns[i] != NULL && strcmp(conns[i]->peer, new.peer) == 0;
	c = open_n >= conn_max || n >= CONN_PER_ADDRESS ? NULL :
	    pool_get(&pool, sizeof *c);
	if (c == NULL) {
		close(fd);
		return NULL;
	}
	*c = new;
	c->s = &c->plain;
	while (c->slot < top && conns[c->slot] != NULL)
		c->slot++;
	conns[c->slot] = c;
	top += c->slot == top;
	open_n++;
	return c;
}

void
conn_close(struct conn *c)
{
	int fd = c->s->fd;

	handshakes -= c->phase == CONN_HANDSHAKE;
	pool_put(&pool, c->tls, c->tls_n);
	pool_put(&pool, c->in, c->in_cap);
	pool_put(&pool, c->out, c->out_n);
	conns[c->slot] = NULL;
	open_n--;
	while (top > 0 && conns[top - 1] == NULL)
		top--;
	close(fd);
	pool_put(&pool, c, sizeof *c);
}

/* ---- in ---- */

/* The buffer of what comes in goes, whatever is in it. */
static void
give_back(struct conn *c)
{
	pool_put(&pool, c->in, c->in_cap);
	c->in = NULL;
	c->in_cap = c->in_n = 0;
}

/* May more be taken in before what is there was answered? */
static bool
wants_more(const struct conn *c)
{
	size_t most = HTTP_HEAD_MAX + CONN_READ;

	if (c->phase == CONN_IN_BODY)
		most += c->body_max + c->body_max / 4;
	return c->phase != CONN_IN_ANSWER && c->in_n < most;
}

static int
discard(struct conn *c)
{
	char junk[4096];
	ssize_t r = 1;

	/* A few at a time: who sends without end holds up nobody. */
	for (int i = 0; i < 8 && r > 0; i++)
		r = c->s->ops->read(c->s, junk, sizeof junk);
	return r > 0 || r == STREAM_AGAIN ? 0 : -1;
}

/* The first bytes tell TLS from HTTP.  A hello of which not all is there yet
 * gets the room that any may need; waiting for the rest would be a loop.  1:
 * it is known, 0: nothing came yet, -1: it is over. */
static int
sniff(struct conn *c, int64_t mono_ms)
{
	char hello[CONN_HELLO];
	ssize_t n = stream_peek(&c->plain, hello, sizeof hello);
	unsigned fragment;
	struct fail why;

	if (n <= 0)
		return n == STREAM_AGAIN ? 0 : -1;
	c->known = true;
	if (c->identity == NULL ||
	    !tls_hello((struct str){ hello, (size_t)n }, &fragment))
		return 1;
	c->tls_n = tls_server_size(fragment);
	c->tls = pool_get(&pool, c->tls_n);
	if (c->tls == NULL || tls_server(c->tls, fragment, c->plain.fd,
	    c->identity, &why) == -1)
		return -1;
	c->s = &c->tls->t.s;
	c->phase = CONN_HANDSHAKE;
	c->since_ms = mono_ms;
	handshakes++;
	return 1;
}

int
conn_read(struct conn *c, int64_t mono_ms)
{
	size_t most, cap;
	ssize_t r = c->known ? 1 : sniff(c, mono_ms);
	char *p;

	if (r <= 0)
		return (int)r;
	if (c->phase == CONN_LINGER)
		return discard(c);
	/* Of what the stream itself holds no event will tell. */
	for (c->s->more = true; c->s->more && wants_more(c); ) {
		cap = c->in_cap == 0 ? CONN_IN_MIN : c->in_cap * 2;
		if (c->in_cap - c->in_n < CONN_IN_MIN / 2) {
			p = pool_grow(&pool, c->in, c->in_cap, cap);
			if (p == NULL)
				return -1;
			c->in = p;
			c->in_cap = cap;
		}
		most = c->in_cap - c->in_n;
		c->s->more = false;
		r = c->s->ops->read(c->s, c->in + c->in_n, most > CONN_READ ?
		    CONN_READ : most);
		if (c->phase == CONN_HANDSHAKE && c->tls->t.up) {
			handshakes--;
			c->phase = CONN_IDLE;
			c->since_ms = mono_ms;
		}
		if (r <= 0)
			break;
		c->in_n += (size_t)r;
		if (c->phase == CONN_IDLE) {
			c->phase = CONN_IN_HEAD;
			c->since_ms = mono_ms;
		}
	}
	if (c->in_n == 0)
		give_back(c);
	return r > 0 || r == STREAM_AGAIN ? 0 : -1;
}

enum conn_rc
conn_next(struct conn *c, struct http_head *h, struct str *body, int *status,
    struct fail *why)
{
	bool parsed = c->parsed;
	enum http_rc rc;
	struct buf in;
	size_t got;

	if (c->phase == CONN_IN_HEAD) {
		rc = http_request((struct str){ c->in, c->in_n }, h, status,
		    why);
		if (rc != HTTP_DONE)
			return rc == HTTP_BAD ? CONN_BAD : CONN_MORE;
		http_body_init(&c->framing, h, false);
		c->head_n = h->size;
		c->body_n = 0;
		c->phase = CONN_IN_BODY;
		c->parsed = true;
		return CONN_HEAD;
	}
	if (c->phase != CONN_IN_BODY)
		return CONN_MORE;
	got = c->head_n + c->body_n;
	in = (struct buf){ .p = c->in + got, .n = c->in_n - got };
	rc = http_body(&c->framing, &in, &got, why);
	c->body_n += got;
	c->in_n = (size_t)(in.p - c->in) + in.n;
	c->parsed = false;	/* what it borrows from may move */
	*status = 400;
	if (rc != HTTP_BAD && c->body_n + c->framing.left > c->body_max) {
		*status = 413;
		rc = HTTP_BAD;
		fail(why, "the body is larger than %zu bytes", c->body_max);
	}
	if (rc != HTTP_DONE)
		return rc == HTTP_BAD ? CONN_BAD : CONN_MORE;
	if (!parsed && http_request((struct str){ c->in, c->in_n }, h, status,
	    why) != HTTP_DONE)
		return CONN_BAD;
	*body = (struct str){ c->in + c->head_n, c->body_n };
	return CONN_REQUEST;
}

/* ---- out ---- */

void
conn_continue(struct conn *c)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	/* Should it not fit into the socket, the peer sends on anyway. */
	(void)c->s->ops->write(c->s, line, sizeof line - 1);
}

int
conn_answer(struct conn *c, struct str head, struct str body, bool keep,
    int64_t mono_ms)
{
	char *p = pool_get(&pool, head.n + body.n);

	if (p == NULL)
		return -1;
	memcpy(p, head.p, head.n);
	if (body.n > 0)
		memcpy(p + head.n, body.p, body.n);
	pool_put(&pool, c->out, c->out_n);
	c->out = p;
	c->out_n = head.n + body.n;
	c->out_off = 0;
	c->keep = keep;
	c->phase = CONN_IN_ANSWER;
	c->since_ms = mono_ms;
	return 0;
}

int
conn_flush(struct conn *c, int64_t mono_ms)
{
	ssize_t r;

	if (c->phase != CONN_IN_ANSWER)
		return 0;
	while (c->out_off < c->out_n) {
		r = c->s->ops->write(c->s, c->out + c->out_off,
		    c->out_n - c->out_off);
		if (r == STREAM_AGAIN)
			return 0;
		if (r < 0)
			return -1;
		c->out_off += (size_t)r;
		c->since_ms = mono_ms;
	}
	pool_put(&pool, c->out, c->out_n);
	c->out = NULL;
	c->out_n = c->out_off = 0;
	c->since_ms = mono_ms;
	if (!c->keep) {
		c->phase = CONN_LINGER;
		give_back(c);
		c->s->ops->shut(c->s);
		return discard(c);
	}
	/* What follows its request is the next one's. */
	c->in_n -= c->head_n + c->body_n;
	memmove(c->in, c->in + c->head_n + c->body_n, c->in_n);
	c->phase = c->in_n > 0 ? CONN_IN_HEAD : CONN_IDLE;
	if (c->in_n == 0)
		give_back(c);
	return 0;
}

bool
conn_late(const struct conn *c, int64_t mono_ms, bool *answer)
{
	static const int64_t limit[] = {
		[CONN_IDLE] = CONN_IDLE_MS, [CONN_IN_HEAD] = CONN_HEAD_MS,
		[CONN_IN_BODY] = CONN_BODY_MS,
		[CONN_IN_ANSWER] = CONN_ANSWER_MS,
		[CONN_LINGER] = CONN_LINGER_MS,
		[CONN_HANDSHAKE] = CONN_HANDSHAKE_MS,
	};
	int64_t most = c->phase == CONN_IDLE && c->trusted ? CONN_KEPT_MS :
	    limit[c->phase];

	if (c->phase == CONN_HANDSHAKE && handshakes > CONN_HANDSHAKES / 2)
		most /= 2;

	*answer = c->phase == CONN_IN_HEAD || c->phase == CONN_IN_BODY;
	return mono_ms - c->since_ms > most;
}

unsigned
conn_want(struct conn *c)
{
	unsigned want = c->s->ops->want(c->s) & LOOP_OUT;

	if (c->phase == CONN_IN_ANSWER && c->out_off < c->out_n)
		want |= LOOP_OUT;
	if (c->phase == CONN_LINGER || wants_more(c))
		want |= LOOP_IN;
	return want;
}
