/*
 * conn.h: the server's connections: bytes in, whole requests out; answers
 * in, bytes out, in order.  It knows HTTP's framing and its limits of time
 * and size, and nothing of what is asked.
 *
 *	(first byte) --TLS--> handshake --> idle
 *	idle --byte--> head --> body --> (answered) --flushed--> idle
 *	                                     |--not kept--> linger --> closed
 *
 * An idle connection holds no buffer but TLS's.  A request that is answered
 * stays parsed until conn_answer; the answer leaves with conn_flush, which
 * its owner calls after the commit.
 */
#ifndef CONN_H
#define CONN_H

#include "http.h"
#include "stream.h"
#include "tls.h"

#define CONN_MAX		16384	/* connections */
#define CONN_PER_ADDRESS	1024	/* of one address but loopback */
#define CONN_BYTES		(96u << 20) /* all buffers together: 10,000
					 * agents over TLS take 64 */
#define CONN_READ		16384	/* bytes of one read */
#define CONN_IN_MIN		4096	/* bytes of a buffer at first */
#define CONN_HEAD_MS		10000	/* first byte to end of head */
#define CONN_BODY_MS		40000	/* first byte to end of body */
#define CONN_ANSWER_MS		30000	/* without progress */
#define CONN_IDLE_MS		60000
#define CONN_KEPT_MS		900000	/* idle, of a peer with a key */
#define CONN_LINGER_MS		2000
#define CONN_HELLO		512	/* bytes looked at to know TLS */
#define CONN_HANDSHAKES		256	/* at once; more are not accepted yet */
#define CONN_HANDSHAKE_MS	10000	/* half of it, if half of them are */

enum conn_phase { CONN_IDLE, CONN_IN_HEAD, CONN_IN_BODY, CONN_IN_ANSWER,
    CONN_LINGER, CONN_HANDSHAKE };

struct conn {
	struct stream *s;	/* plain, or that of tls */
	struct stream plain;
	struct tls_server *tls;
	size_t tls_n;		/* its bytes */
	const struct tls_identity *identity;
	bool known;		/* which of the two it is */
	char peer[ADDR_TEXT];
	unsigned slot;
	bool loopback, trusted;	/* trusted: it showed a key */
	bool keep;		/* after this answer */
	bool queued;		/* for its owner's use */
	bool secure;		/* likewise: a key may come without TLS */
	unsigned wrote;		/* likewise: what its answer awaits */
	unsigned watched;	/* likewise: what for */
	uint64_t key;		/* likewise: who asks */
	enum conn_phase phase;
	int64_t since_ms;	/* monotonic: of the phase, or last progress */
	char *in;
	size_t in_n, in_cap;
	size_t head_n, body_n;	/* in goes on with what is not the body's */
	size_t body_max;	/* set by the owner at CONN_HEAD */
	bool parsed;		/* the owner's *h is still good */
	struct http_body framing;
	char *out;
	size_t out_n, out_off;
};

enum conn_rc {
	CONN_MORE,	/* nothing whole yet */
	CONN_HEAD,	/* a head: set body_max, then call again */
	CONN_REQUEST,	/* a request: answer it */
	CONN_BAD	/* answer *status, *why, then it closes */
};

/* At most max connections, at most bytes in buffers. */
void conn_limits(unsigned max, size_t bytes);

/* Accept one from listening fd, which is this over TLS (NULL: no TLS is
 * spoken); it is to outlive the handshakes.  NULL: none is waiting, or it was
 * turned away; *again: more may wait; *full: no descriptor is left, pause. */
struct conn *conn_accept(int fd, const struct tls_identity *id,
    int64_t mono_ms, bool *again, bool *full);

/* As many handshakes are under way as may be: accept no more for now. */
bool conn_shaking(void);

/* Connection of a slot, or NULL. */
struct conn *conn_at(unsigned slot);
unsigned conn_slots(void);	/* slots that may be in use */

/* Take in what is there.  0, or -1: it is over, close it. */
int conn_read(struct conn *c, int64_t mono_ms);

/* What has come so far.  *h and *body borrow until conn_answer.  After
 * CONN_HEAD *h is left as it is for the next call. */
enum conn_rc conn_next(struct conn *c, struct http_head *h,
    struct str *body, int *status, struct fail *why);

/* Say "100 Continue". */
void conn_continue(struct conn *c);

/* Queue the answer, copied, in place of one not yet flushed; keep: as the
 * answer's head says.  0, or -1: no room, close it. */
int conn_answer(struct conn *c, struct str head, struct str body, bool keep,
    int64_t mono_ms);

/* Send what can be sent.  0, or -1: close it. */
int conn_flush(struct conn *c, int64_t mono_ms);

/* Has it passed its time?  *answer: a 408 is due first. */
bool conn_late(const struct conn *c, int64_t mono_ms, bool *answer);

/* What to wait for: LOOP_IN, LOOP_OUT. */
unsigned conn_want(struct conn *c);

/* The caller has taken its fd from the loop. */
void conn_close(struct conn *c);

#endif
