/* conn.c: see conn.h. */
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "loop.h"
#include "pool.h"

static struct pool pool = { 0, CONN_BYTES };
static struct conn *conns[CONN_MAX];
static unsigned conn_max = CONN_MAX, open_n, top;

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

/* ---- open and close ---- */

static unsigned
count_peer(const char *peer)
{
	unsigned i, n = 0;

	for (i = 0; i < top; i++)
		n += conns[i] != NULL && strcmp(conns[i]->peer, peer) == 0;
	return n;
}

/* The one that has been idle longest, or NULL. */
static struct conn *
idlest(void)
{
	struct conn *c = NULL;
	unsigned i;

	for (i = 0; i < top; i++)
		if (conns[i] != NULL && conns[i]->phase == CONN_IDLE &&
		    (c == NULL || conns[i]->since_ms < c->since_ms))
			c = conns[i];
	return c;
}

/* Give a connection its place.  NULL: there is none for it. */
static struct conn *
place(const struct conn *fresh)
{
	struct conn *c;
	unsigned slot = 0;

	if (open_n >= conn_max || (!fresh->loopback &&
	    count_peer(fresh->peer) >= CONN_PER_ADDRESS))
		return NULL;
	c = pool_get(&pool, sizeof *c);
	if (c == NULL)
		return NULL;
	while (slot < top && conns[slot] != NULL)
		slot++;
	*c = *fresh;
	c->slot = slot;
	conns[slot] = c;
	open_n++;
	if (slot == top)
		top++;
	return c;
}

struct conn *
conn_accept(int lfd, int64_t mono_ms, bool *again, bool *full)
{
	struct conn fresh = { .since_ms = mono_ms }, *c;
	int fd = stream_accept(lfd, fresh.peer, &fresh.loopback);

	*full = fd == -1;
	*again = fd >= 0;
	if (fd < 0)
		return NULL;
	stream_plain(&fresh.s, fd);
	if (open_n >= conn_max && (c = idlest()) != NULL) {
		loop_del(c->s.fd);
		conn_close(c);
	}
	c = place(&fresh);
	if (c == NULL)
		close(fd);
	return c;
}

void
conn_close(struct conn *c)
{
	pool_put(&pool, c->in, c->in_cap);
	pool_put(&pool, c->out, c->out_n);
	conns[c->slot] = NULL;
	open_n--;
	while (top > 0 && conns[top - 1] == NULL)
		top--;
	close(c->s.fd);
	pool_put(&pool, c, sizeof *c);
}

/* ---- in ---- */

static int
make_room(struct conn *c)
{
	size_t cap = c->in_cap == 0 ? 4096 : c->in_cap * 2;
	char *p;

	if (c->in_cap - c->in_n >= 2048)
		return 0;
	p = pool_grow(&pool, c->in, c->in_cap, cap);
	if (p == NULL)
		return -1;
	c->in = p;
	c->in_cap = cap;
	return 0;
}

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
	int i;

	/* A few at a time: who sends without end holds up nobody. */
	for (i = 0; i < 8 && r > 0; i++)
		r = c->s.ops->read(&c->s, junk, sizeof junk);
	return r > 0 || r == STREAM_AGAIN ? 0 : -1;
}

int
conn_read(struct conn *c, int64_t mono_ms)
{
	size_t most;
	ssize_t r;

	if (c->phase == CONN_LINGER)
		return discard(c);
	if (!wants_more(c))
		return 0;
	if (make_room(c) == -1)
		return -1;
	most = c->in_cap - c->in_n;
	r = c->s.ops->read(&c->s, c->in + c->in_n, most > CONN_READ ?
	    CONN_READ : most);
	if (r == STREAM_AGAIN) {
		if (c->in_n == 0)
			give_back(c);
		return 0;
	}
	if (r <= 0)
		return -1;
	c->in_n += (size_t)r;
	if (c->phase == CONN_IDLE) {
		c->phase = CONN_IN_HEAD;
		c->since_ms = mono_ms;
	}
	return 0;
}

static enum conn_rc
next_body(struct conn *c, struct http_head *h, struct str *body, int *status,
    struct fail *why)
{
	struct buf in = { .p = c->in + c->head_n + c->body_n,
	    .n = c->in_n - c->head_n - c->body_n };
	size_t got;
	enum http_rc rc = http_body(&c->framing, &in, &got, why);
	bool parsed;

	c->body_n += got;
	c->in_n = (size_t)(in.p - c->in) + in.n;
	*status = 400;
	parsed = c->parsed;
	c->parsed = false;	/* what it borrows from may move */
	if (rc == HTTP_BAD)
		return CONN_BAD;
	if (c->body_n + c->framing.left > c->body_max) {
		*status = 413;
		fail(why, "the body is larger than %zu bytes", c->body_max);
		return CONN_BAD;
	}
	if (rc == HTTP_MORE)
		return CONN_MORE;
	if (!parsed && http_request((struct str){ c->in, c->in_n }, h, status,
	    why) != HTTP_DONE)
		return CONN_BAD;
	*body = (struct str){ c->in + c->head_n, c->body_n };
	return CONN_REQUEST;
}

enum conn_rc
conn_next(struct conn *c, struct http_head *h, struct str *body, int *status,
    struct fail *why)
{
	enum http_rc rc;

	if (c->phase == CONN_IN_BODY)
		return next_body(c, h, body, status, why);
	if (c->phase != CONN_IN_HEAD)
		return CONN_MORE;
	rc = http_request((struct str){ c->in, c->in_n }, h, status, why);
	if (rc != HTTP_DONE)
		return rc == HTTP_BAD ? CONN_BAD : CONN_MORE;
	http_body_init(&c->framing, h, false);
	c->head_n = h->size;
	c->body_n = 0;
	c->phase = CONN_IN_BODY;
	c->parsed = true;
	return CONN_HEAD;
}

/* ---- out ---- */

void
conn_continue(struct conn *c)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	/* Should it not fit into the socket, the peer sends on anyway. */
	(void)c->s.ops->write(&c->s, line, sizeof line - 1);
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

/* The answer is out: what follows its request is the next one's. */
static int
answered(struct conn *c, int64_t mono_ms)
{
	pool_put(&pool, c->out, c->out_n);
	c->out = NULL;
	c->out_n = c->out_off = 0;
	c->since_ms = mono_ms;
	if (!c->keep) {
		c->phase = CONN_LINGER;
		give_back(c);
		c->s.ops->shut(&c->s);
		return discard(c);
	}
	c->in_n -= c->head_n + c->body_n;
	memmove(c->in, c->in + c->head_n + c->body_n, c->in_n);
	c->phase = c->in_n > 0 ? CONN_IN_HEAD : CONN_IDLE;
	if (c->in_n == 0)
		give_back(c);
	return 0;
}

int
conn_flush(struct conn *c, int64_t mono_ms)
{
	ssize_t r;

	if (c->phase != CONN_IN_ANSWER)
		return 0;
	while (c->out_off < c->out_n) {
		r = c->s.ops->write(&c->s, c->out + c->out_off,
		    c->out_n - c->out_off);
		if (r == STREAM_AGAIN)
			return 0;
		if (r < 0)
			return -1;
		c->out_off += (size_t)r;
		c->since_ms = mono_ms;
	}
	return answered(c, mono_ms);
}

bool
conn_late(const struct conn *c, int64_t mono_ms, bool *answer)
{
	static const int64_t limit[] = {
		[CONN_IDLE] = CONN_IDLE_MS, [CONN_IN_HEAD] = CONN_HEAD_MS,
		[CONN_IN_BODY] = CONN_BODY_MS,
		[CONN_IN_ANSWER] = CONN_ANSWER_MS,
		[CONN_LINGER] = CONN_LINGER_MS,
	};
	int64_t most = c->phase == CONN_IDLE && c->trusted ? CONN_KEPT_MS :
	    limit[c->phase];

	*answer = c->phase == CONN_IN_HEAD || c->phase == CONN_IN_BODY;
	return mono_ms - c->since_ms > most;
}

unsigned
conn_want(struct conn *c)
{
	unsigned want = c->s.ops->want(&c->s) & LOOP_OUT;

	if (c->phase == CONN_IN_ANSWER && c->out_off < c->out_n)
		want |= LOOP_OUT;
	if (c->phase == CONN_LINGER || wants_more(c))
		want |= LOOP_IN;
	return want;
}
