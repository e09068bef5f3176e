/*
 * client.h: one HTTP exchange over a kept connection, by steps, for the
 * agent, the command line and the delivery children.
 *
 * The caller owns the stream and every buffer.  Nothing is followed,
 * retried or decoded here; a body cut short is an error.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "http.h"
#include "stream.h"

struct client {
	struct stream *s;
	struct str out;			/* what is still to be sent */
	char *in;			/* head and body, as received */
	size_t in_cap, in_n;
	struct http_head head;		/* valid once done */
	struct http_body framing;
	char *body;			/* decoded; within in */
	size_t body_n, seen;
	bool to_head, have_head;
	bool reusable;			/* the connection may be kept */
	struct fail why;
};

/* Begin: send request (whole, borrowed until done) and receive the answer
 * into in[cap].  An answer that does not fit is HTTP_BAD. */
void client_begin(struct client *c, struct stream *s, struct str request,
    bool to_head, char *in, size_t cap);

/* Go on as far as the stream lets.  HTTP_DONE: c->head, c->body, c->body_n.
 * HTTP_MORE: wait until s->ops->want is met.  HTTP_BAD: c->why. */
enum http_rc client_step(struct client *c);

/* The same, blocking, at most timeout_ms.  HTTP_DONE or HTTP_BAD. */
enum http_rc client_run(struct client *c, int timeout_ms);

#endif
