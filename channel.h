/*
 * channel.h: how one message reaches one recipient: the part that talks to
 * the other side, in a child.  notify.h decides what is sent and when.
 *
 * A job is a JSON object: {"channel": "pushover", "url": ..., "token": ...,
 * "user": ..., "title": ..., "message": ..., "priority": 1, "timestamp":
 * seconds, "link": ..., "link_title": ...}; the last two may be missing.
 * The child keeps the connection to an endpoint between jobs.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "child.h"
#include "fail.h"
#include "http.h"
#include "str.h"

#define CHANNEL_DEADLINE_S	60

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
	unsigned after_s;	/* not before; 0: as you like */
	char id[64];		/* Pushover's "request" */
	char receipt[64];	/* emergency only, else "" */
	char reason[200];	/* for people; UTF-8, no control bytes */
};

/* The kind of child for child_helper(): run a job, answer an outcome.  Its
 * prepare loads the trust anchors of the file named by arg. */
extern const struct child_kind channel_child;

/* An outcome as the text of a child's answer, and back.  0 or -1. */
void channel_outcome_put(char answer[CHILD_ANSWER],
    const struct channel_outcome *o);
int channel_outcome_get(const char *answer, struct channel_outcome *o);

/* Pure parts.  The form body of a job for Pushover, texts cut to its limits
 * in characters (message 1024, title 250, url 512, url_title 100), an empty
 * message replaced.  0, or -1: no such job. */
int channel_pushover_form(struct buf *b, struct str job, struct fail *why);

/* What an answer of Pushover's means; now_s for X-Limit-App-Reset. */
void channel_pushover_outcome(const struct http_head *h, struct str body,
    int64_t now_s, struct channel_outcome *o);

#endif
