/*
 * client.h: one HTTP exchange over a kept connection, by steps, for the
 * agent, the command line and the delivery children.
 *
 * The caller owns the stream and every buffer.  Nothing is followed or
 * retried here, and no Content-Encoding undone; a body cut short is an error.
 * After an error, `sent`, `sent_all` and `seen` tell what became of the
 * exchange: with sent 0 the request never left, with sent_all and seen 0 its
 * outcome is unknown.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "http.h"
#include "stream.h"

#define CLIENT_INTERIM_MAX 8	/* 1xx answers before the one */

struct client {
	struct stream *s;
	struct str out;			/* what is still to be sent */
	char *in;			/* head and body, as received */
	size_t in_cap, in_n;
	struct http_head head;		/* valid once done */
	struct http_body framing;
	char *body;			/* decoded; within in */
	size_t body_n;
	size_t sent;			/* bytes of the request given to s */
	size_t seen;			/* bytes got, 1xx and framing too */
	bool sent_all;			/* the whole request was given to s */
	bool to_head, have_head, broken;
	bool reusable;			/* the connection may be kept */
	unsigned interim;		/* 1xx answers skipped */
	struct fail why;		/* after HTTP_BAD; how far it went */
};

/* Begin: send request (whole, borrowed until done) and receive the answer
 * into in[cap].  An answer whose head and decoded body together take cap
 * bytes or more is HTTP_BAD, as are more than CLIENT_INTERIM_MAX 1xx answers
 * and 101.  A final answer that comes before the request was all sent is
 * taken; the connection is then not reusable. */
void client_begin(struct client *c, struct stream *s, struct str request,
    bool to_head, char *in, size_t cap);

/* Go on as far as the stream lets.  HTTP_DONE: c->head, c->body, c->body_n.
 * HTTP_MORE: wait until s->ops->want is met.  HTTP_BAD: c->why; the
 * connection is of no further use. */
enum http_rc client_step(struct client *c);

/* The same, blocking, at most timeout_ms.  HTTP_DONE or HTTP_BAD. */
enum http_rc client_run(struct client *c, int timeout_ms);

#endif
