/*
 * agent.h: the parts of vilicus-agent.
 *
 *	agent.c		options, the URL, signals
 *	agent_cycle.c	fetch, run, report: what is done when
 *	agent_link.c	the connection, and one exchange at a time over it
 *	agent_wire.c	JSON in, JSON and heads out: pure functions over bytes
 *	agent_ring.c	results until they are delivered
 *
 * The agent writes nothing to its host, and all its storage is static.  It
 * trusts no byte that the server sends: every list, text and time has a bound.
 */
#ifndef AGENT_H
#define AGENT_H

#include <signal.h>

#include "check.h"
#include "fail.h"
#include "http.h"
#include "probe.h"
#include "str.h"
#include "tls.h"

#define AGENT_VERSION		"0.1"

#define AGENT_CHECKS_MAX	PROBE_JOBS_MAX	/* checks of one agent */
#define AGENT_LIST_MAX		65536	/* bytes of an answer's body */
#define AGENT_BODY_MAX		262144	/* bytes of a report */
#define AGENT_BATCH_MAX		1000	/* results of a report */
#define AGENT_REPORT_END	128	/* bytes of one after its results */
#define AGENT_HEAD_MAX		2048	/* bytes of a request's head */
#define AGENT_TEXT_MAX		65	/* a name, version ... and a NUL */
#define AGENT_RING_MIN		4096	/* -b, bytes */
#define AGENT_RING_DEFAULT	262144
#define AGENT_RING_MAX		4194304
#define AGENT_VARINT_MAX	10u	/* bytes of a number in the ring */
#define AGENT_RECORD_MAX	(AGENT_VARINT_MAX * \
	(6 + PROBE_METRICS_MAX * 2) + PROBE_TEXT)	/* bytes, a result's */
#define AGENT_NAMES_MAX		64	/* metric names in it, and a NULL */
#define AGENT_CONF_MAX		4096	/* bytes of agent.conf */
#define AGENT_MACHINE_ID	32	/* bytes of a machine-id(5) */
#define AGENT_EVERY_MIN_MS	1000	/* shortest and longest interval */
#define AGENT_EVERY_MAX_MS	INT64_C(31536000000)
#define AGENT_TOGETHER_MS	50	/* due within this: one request */
#define AGENT_AGAIN_MS		1000	/* after "no result yet" */
#define AGENT_BACKOFF_MIN_MS	2000	/* doubled to the greatest; then a */
#define AGENT_BACKOFF_MAX_MS	30000	/* random half to whole is waited */
#define AGENT_RETRY_MAX_S	600	/* longest Retry-After we honour */
#define AGENT_CHILD_S		9	/* a child's deadline; within it: */
#define AGENT_CONNECT_MS	8000	/* all addresses, once resolved */
#define AGENT_ANSWER_MS		10000	/* a round waits this long */
#define AGENT_STOP_MS		2000	/* a goodbye, in all */
#define AGENT_PAUSE_MS		60000	/* the loop's longest wait */

/* How the program exits. */
enum { AGENT_FINE, AGENT_BAD, AGENT_USAGE, AGENT_REFUSED };

/* Where the server is, and who we are to it. */
struct agent_conf {
	char host[256], port[6];
	bool tls;
	struct tls_trust trust;	/* for it */
	char base[257];		/* path before /api, without a last '/' */
	char key[129];		/* with enrol: derived from that */
	char enrol[129];	/* an enrolment key, or "" */
	bool once;		/* one cycle: -1, -n */
	bool dry;		/* print, send nothing: -n */
	char platform[AGENT_TEXT_MAX], guid[AGENT_TEXT_MAX];
	char hostname[AGENT_TEXT_MAX];
};

extern volatile sig_atomic_t agent_stop;	/* a signal asks us to end */

/* Do all of it, until agent_stop is set or one cycle is done, if it is to be
 * one.  The exit code. */
int agent_cycle_run(const struct agent_conf *conf);

/* -- agent_wire.c -- */

struct agent_self {
	int64_t id, revision, interval_ms;
	char hostname[AGENT_TEXT_MAX];
};

struct agent_check {
	int64_t id;
	char name[CHECK_NAME_MAX + 1];
	const struct check_type *type;	/* or NULL: it cannot be run */
	struct str params;		/* canonical; or why not */
	int64_t interval_ms;
	int64_t next_mono;		/* due; 0: never ran */
	int64_t wake_mono;		/* or for a death; 0: there is none */
	bool ran;			/* has had a result */
	struct probe_state state;
	struct probe_run run;		/* where it runs in a child */
};

struct agent_set {
	unsigned n;
	struct agent_check check[AGENT_CHECKS_MAX];
	struct buf text;
	char room[AGENT_LIST_MAX];
};

struct agent_answer {
	int64_t revision, now_ms;
	int64_t refused;		/* how many results */
	char error[FAIL_MAX];		/* of the first of them */
};

/* A request's head.  0, or -1: too long. */
struct agent_request {
	const char *method, *path;	/* after conf->base */
	int64_t id;			/* "ID/" follows path; 0: none */
	const char *etag;		/* for If-None-Match, or "" */
	int64_t length;			/* of the body; -1: none */
	bool enrol;			/* with the enrolment key */
};
int agent_wire_head(struct buf *b, const struct agent_conf *conf,
    const struct agent_request *q);

/* Bodies of answers.  0, or -1: not what it should be. */
int agent_wire_self(struct str body, struct agent_self *s, struct fail *why);
int agent_wire_checks(struct str body, int64_t default_ms,
    struct agent_set *set, struct fail *why);
int agent_wire_answer(struct str body, struct agent_answer *a,
    struct fail *why);
/* "error" of an answer that is one, or "". */
void agent_wire_error(struct str body, char text[FAIL_MAX]);

/* Body of our own fields, and of a report: the oldest results of the ring, as
 * many as fit and at most max, stamped mono + shift_ms; now_ms is our own
 * wall clock.  The number of results. */
void agent_wire_own(struct buf *b, const struct agent_conf *conf);
void agent_wire_enrol(struct buf *b, const struct agent_conf *conf);
unsigned agent_wire_report(struct buf *b, unsigned max, int64_t shift_ms,
    int64_t now_ms);

/* -- agent_ring.c -- */

struct agent_result {
	int64_t check;
	int64_t mono_ms;
	struct probe_result r;
};

void agent_ring_init(size_t bytes);	/* AGENT_RING_MIN to _MAX */
void agent_ring_add(int64_t check, int64_t mono_ms,
    const struct probe_result *r);
/* The result at *at, of which 0 is the oldest's, and on to the next.  false:
 * no more. */
bool agent_ring_next(size_t *at, struct agent_result *out);
/* The n oldest are on their way, and with them agent_ring_dropped.  Then they
 * were taken; or will not be, ever, and count as dropped; or are sent again. */
void agent_ring_sent(unsigned n);
void agent_ring_answered(bool taken);
unsigned agent_ring_count(void);
int64_t agent_ring_dropped(void);	/* and not yet told */

/* -- agent_link.c -- */

#define AGENT_TAG_LINK	1u		/* of loop events; from PROC_TAG on
					   they are probe's */
#define AGENT_TAG_RUN	2u

/* Begin an exchange; conf and request are borrowed until it is over. */
void agent_link_ask(const struct agent_conf *conf, struct str request,
    int64_t mono);
/* Go on with it: HTTP_DONE, the answer is agent_link_answer's until the next
 * one; HTTP_BAD, *why; HTTP_MORE, after a LOOP event or at the time of
 * agent_link_due, again. */
enum http_rc agent_link_step(int64_t mono, struct fail *why);
int64_t agent_link_due(void);		/* INT64_MAX: there is no exchange */
const struct http_head *agent_link_answer(struct str *body);
/* Drop the connection, and the exchange if there is one. */
void agent_link_close(void);

#endif
