/*
 * channel_impl.h: what the files of the channels share, and nobody else.
 */
#ifndef CHANNEL_IMPL_H
#define CHANNEL_IMPL_H

#include "channel.h"
#include "tls.h"

/* The channels: each runs a job.  When it is called *o is REFUSED, and else
 * empty. */
void channel_push(struct str job, struct channel_outcome *o);
void channel_web(struct str job, struct channel_outcome *o);
void channel_exec(struct str job, struct channel_outcome *o);
void channel_mail(struct str job, struct channel_outcome *o);

/* Whom to believe; or NULL, *o being RETRY and why. */
const struct tls_trust *channel_trust(struct channel_outcome *o);

/* One HTTP request. */
struct channel_ask {
	const char *method;
	struct http_url url;
	struct str head;		/* more fields, whole lines */
	struct str body;
	bool lan;			/* plain http to others, too */
	bool far;			/* not to this host or its link */
};

/* What an answer means, *o being made anew. */
typedef void channel_judge_fn(const struct http_head *h, struct str body,
    int64_t now_s, struct channel_outcome *o);

/* Ask, over the connection that is kept if it goes there, and judge the
 * answer; without one *o is what is known. */
void channel_ask(const struct channel_ask *a, channel_judge_fn *judge,
    struct channel_outcome *o);

/* A wait that Retry-After (seconds) asks for, or else_s, within bounds. */
unsigned channel_after(const struct http_head *h, uint64_t else_s);

/* Stars for a secret in a text, whole, or its beginning where that is cut:
 * an answer may say anything, and viewers read it. */
void channel_hide(char *text, struct str secret);

/* text, fit for one line, into dst[cap]; a reason likewise. */
void channel_line(char *dst, size_t cap, const char *text);
void channel_reason(struct channel_outcome *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
