/*
 * notify.h: the outbox: what is told to whom, until it is delivered or given
 * up in plain sight.
 *
 *	queued --attempt--> sending --yes--------------> accepted
 *	  ^  ^                 |---surely not taken--+
 *	  |  +--- back-off ----+                     |
 *	  +------ no answer: may have arrived -------+ refused, a day: given up
 *
 * Each arrow is journaled: the attempt before it starts, its outcome when
 * it is known.  There is at most one delivery at a time on its way to an
 * endpoint; those to one recipient go in their order, and the queued one
 * that nobody can have read takes more lines.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "change.h"
#include "model.h"

#define NOTIFY_GROUP_MS		5000	/* after a message, the next waits */
#define NOTIFY_BACKOFF_MS	5000	/* first back-off; doubles */
#define NOTIFY_BACKOFF_MAX_MS	900000
#define NOTIFY_GIVE_UP_MS	86400000
#define NOTIFY_GIVE_UP_TRIES	20	/* and at least so many attempts */
#define NOTIFY_TESTS_MAX	100	/* tests kept */
#define NOTIFY_MESSAGE_MAX	2000	/* bytes of a message before "more" */
#define NOTIFY_ITEMS_MAX	4096	/* bytes of a delivery's items */
#define NOTIFY_ITEM_MAX		64	/* bytes of one of them */
#define NOTIFY_LINK_MAX		512	/* bytes of the page's address */
#define NOTIFY_JOB_ITEMS	8192	/* bytes of a job's items */

/* The time, as it is when something happens. */
struct watch_now {
	int64_t now_ms;		/* wall clock */
	int64_t watch_ms;	/* watch clock: see watch.h */
	bool replay;		/* results already stored are stepped again */
};

/* An incident opened, worsened or closed: queue what that means for each
 * recipient. */
void notify_event(const struct incident *in, const struct watch_now *now);

/* It flaps from now on: those who were told of it, and of nothing less, are
 * told of that once more; the others notify_event tells. */
void notify_again(const struct incident *in, const struct watch_now *now);

/* It is open, and nobody acknowledged it: those whose newest message of it
 * ended every_ms ago or longer (0: nobody) are told again that it is still
 * so, and those who are told of what is so for after_s. */
void notify_repeat(const struct incident *in, int64_t every_ms,
    const struct watch_now *now);

/* Queue a test to one recipient.  The delivery's id, or 0 with *why. */
uint64_t notify_test(const struct recipient *r, const struct change *ch,
    struct fail *why);

/* An incident was removed: its deliveries that are done, and have no other
 * incident left, go too. */
void notify_forget(uint64_t incident, const struct change *ch);

/* After a start: what was being sent has no known outcome.  Also makes
 * notify look afresh at the deliveries there are. */
void notify_resume(const struct watch_now *now);

/* Before a commit: journal the attempts that are due. */
void notify_due(const struct watch_now *now);
/* After it: send them. */
void notify_send(const struct watch_now *now);

/* Write the whole job of a delivery, as its recipient's channel wants it
 * (channel.h); of its incidents as many as there is room for.  0, or -1: it
 * cannot be made now. */
int notify_job(const struct delivery *d, struct buf *b, struct fail *why);

/* The settings changed. */
void notify_reload(void);

/* The descriptor of the delivery child, or -1; and what to do when it is
 * readable. */
int notify_fd(void);
void notify_ready(const struct watch_now *now);

/* When something is due next on the watch clock; INT64_MAX: nothing. */
int64_t notify_next(void);

/* Deliveries not done, and the age of the oldest in ms (wall clock). */
size_t notify_waiting(int64_t now_ms, int64_t *oldest_ms);

#endif
