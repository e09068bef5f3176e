/*
 * channel.h: how one message reaches one recipient: the part that talks to
 * the other side, in a child.  notify.h decides what is sent and when.
 *
 * A job is a JSON object.  Pushover's: {"channel": "pushover", "url": ...,
 * "token": ..., "user": ..., "title": ..., "message": ..., "priority": 1,
 * "timestamp": seconds, "expire": seconds it rings, "link": ...,
 * "link_title": ...}; the last three may be missing.  With "what":
 * "validate" it only asks whether the user is one; with "receipt" and
 * "receipt": ID, whether somebody has seen an emergency (not more often than
 * every 5 s); with "cancel" it ends that.  Of the others:
 * "channel", "address" (the recipient's), "secret", "title", "message",
 * "severity" ("ok": nothing but recoveries), "timestamp", "link", "journal"
 * (change_mark), "id" (the delivery's number), "items": [{"incident": 12,
 * "status": "critical", "what": "web1 process nginx", "text": ..., "opened":
 * seconds, "told": ["warning"]}] (none: a test; told: what the recipient
 * was told of it before), "drill": true when it is one, and "local": true
 * when loopback and link-local addresses are allowed.  "exec"
 * has "program", the path of what is run; "get" is a GET of its address.
 * The child keeps the connection to an endpoint between jobs.
 *
 * A POST is not idempotent: what was not handed over whole was surely not
 * taken (RETRY; on a kept connection that went stale at once, on a new one);
 * what was, and has no answer that can be read, may have been (UNKNOWN).
 * Redirects are not followed; plain http only to a loopback address, but for
 * what people run in their own network (webhook, ntfy, gotify, alertmanager).
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "child.h"
#include "fail.h"
#include "http.h"
#include "str.h"

#define CHANNEL_DEADLINE_S	60	/* of a job; within it: */
#define CHANNEL_CONNECT_MS	10000	/* name and connection */
#define CHANNEL_ANSWER_MS	20000	/* TLS handshake, request and answer */
#define CHANNEL_IDLE_S		60	/* a connection kept longer is closed */
#define CHANNEL_AFTER_MIN_S	5	/* between one request and the next */
#define CHANNEL_AFTER_MAX_S	86400
#define CHANNEL_ID		64	/* bytes of an id, NUL included */
#define CHANNEL_REASON		200	/* bytes of a reason, NUL included */
#define CHANNEL_TEXT_CHARS	1024	/* the longest text, in characters */
#define CHANNEL_KEY_CHARS	30	/* of a token, of a user */
#define CHANNEL_FORM_MAX	24576	/* 3 bytes a byte, 4 a character */
#define CHANNEL_BODY_MAX	65536	/* of JSON */
#define CHANNEL_REQUEST_MAX	(CHANNEL_BODY_MAX + 8192)
#define CHANNEL_MANY_MS		30000	/* no more requests after that */
#define CHANNEL_EXEC_MS		50000	/* then a program is killed */
#define CHANNEL_ANSWER_MAX	16384	/* bytes of the other side's answer */
#define CHANNEL_URL_MAX		2048	/* bytes, NUL included */

/* What became of an attempt. */
enum channel_end {
	CHANNEL_ACCEPTED,	/* the other side said yes; id is its name */
	CHANNEL_RETRY,		/* surely not taken: again later */
	CHANNEL_UNKNOWN,	/* sent, and no answer: may have been taken */
	CHANNEL_REFUSED		/* never again: it says why */
};

struct channel_outcome {
	enum channel_end end;
	int code;		/* HTTP status, or 0 */
	unsigned after_s;	/* RETRY: not before; 0: as you like */
	char id[CHANNEL_ID];		/* its name there, or "" */
	char receipt[CHANNEL_ID];	/* emergency only, else "" */
	int64_t seen_s;			/* of a receipt: when, or 0 */
	bool over;			/* of a receipt: nobody will now */
	char device[CHANNEL_ID];	/* of a receipt: where, or "" */
	char reason[CHANNEL_REASON];	/* for people: fit for one line */
};

/* The kind of child for child_helper(): run a job, answer an outcome.  Its
 * prepare loads the trust anchors of the file named by arg. */
extern const struct child_kind channel_child;

/* An outcome as the text of a child's answer, and back.  0 or -1. */
void channel_outcome_put(char answer[CHILD_ANSWER],
    const struct channel_outcome *o);
int channel_outcome_get(const char *answer, struct channel_outcome *o);

/* Pure parts.  The form body of a job for Pushover, texts cut to its limits
 * in characters (message 1024, title 250, url_title 100), a blank message
 * replaced, a link over 512 left out; priority 2 asks to be repeated every
 * minute for 3 hours.  0, or -1: no such job. */
int channel_pushover_form(struct buf *b, struct str job, struct fail *why);

/* What an answer of Pushover's means, *o being made anew; now_s for
 * X-Limit-App-Reset.
 *
 *	200, "status": 1		ACCEPTED, with its request id
 *	200, another status		REFUSED, its `errors` the reason
 *	other 2xx, 200 and no JSON	UNKNOWN
 *	429, 5xx			RETRY, Retry-After or the quota's reset
 *	3xx, other 4xx			REFUSED
 */
void channel_pushover_outcome(const struct http_head *h, struct str body,
    int64_t now_s, struct channel_outcome *o);

#endif
