/*
 * notify.h: the outbox: what is told to whom, until it is delivered or given
 * up in plain sight.
 *
 *	queued --attempt--> sending --yes--> accepted --------> seen (also
 *	  ^  ^                 |---surely not taken--+      from others)
 *	  |  +--- back-off ----+                     |
 *	  +------ no answer: may have arrived -------+ refused, a day: given up
 *
 * Each arrow is journaled: the attempt before it starts, its outcome when
 * it is known.  There is at most one delivery at a time on its way to an
 * endpoint; those to one recipient go in their order, and the queued one
 * that nobody can have read takes more lines.  Outside of its recipient's
 * hours a delivery waits.
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
#define NOTIFY_WAYS		8	/* children that deliver, at most */
#define NOTIFY_IDLE_MS		120000	/* one not used so long ends */
#define NOTIFY_RING_MS		5000	/* between questions after a receipt: */
#define NOTIFY_RING_MAX_MS	60000	/* a 20th of how long it rings, within
					   these two */
#define NOTIFY_RINGS_MS		10800000 /* it rings no longer */
#define NOTIFY_FAILS_MS		600000	/* then the others are told of it */
#define NOTIFY_LOOK_MS		10000	/* between looks at an open incident */
#define NOTIFY_AGENTS_MS	15000	/* more, for a group of agents */
#define NOTIFY_HOURS_MS		3600000	/* between looks at the clock */
#define NOTIFY_ITEMS_MAX	8192	/* bytes of a delivery's items */
#define NOTIFY_ITEM_MAX		64	/* bytes of one of them */
#define NOTIFY_LINK_MAX		512	/* bytes of the page's address */
#define NOTIFY_REDRILL_MS	86400000 /* after a drill that failed */
#define NOTIFY_DRILL_RING_S	300	/* a drill rings for so long */
#define NOTIFY_MARK_MAX		96	/* bytes of the journal's mark */
#define NOTIFY_JOB_ITEMS	8192	/* bytes of a job's items */

/* The time, as it is when something happens. */
struct watch_now {
	int64_t now_ms;		/* wall clock */
	int64_t watch_ms;	/* watch clock: see watch.h */
	bool replay;		/* results already stored are stepped again */
};

/* Something about an incident changed: it is to be looked at anew, as it is
 * every NOTIFY_LOOK_MS while it is open. */
void notify_event(struct incident *in);

/* Look at those: queue what is to be told of them to each recipient.
 * notify_due does it, too. */
void notify_look(const struct watch_now *now);

/* Why a recipient gets no news of an incident of this agent and check (each
 * may be NULL): "is disabled", "is told of worse alone", "is told of other
 * places alone", "is the one" (not reached itself).  NULL: it gets them. */
const char *notify_unwanted(const struct recipient *r,
    const struct incident *in, const struct agent *a, const struct check *c);

/* Is there something still to be told of it, or under way? */
bool notify_owes(const struct incident *in);

/* Did all attempts to reach it fail for so long?  Then why is what the newest
 * said; or was there none since?  Its own incident is not told to it. */
#define NOTIFY_OWN	"recipient "	/* and its name: see watch_own */
bool notify_fails(const struct recipient *r, const struct watch_now *now,
    const char **why);

/* Queue a test to one recipient, or a drill: a test that comes as the worst
 * alert would.  The delivery's id, or 0 with *why. */
uint64_t notify_test(const struct recipient *r, bool drill,
    const struct change *ch, struct fail *why);

/* Queue the drill that is due by the setting, if one is; at most one. */
void notify_drills(const struct watch_now *now);

/* The path of a delivery's page, which tells and does what follows to whoever
 * has it: "/seen/12-TOKEN"; and the delivery of such a path, or NULL. */
void notify_link(struct buf *b, const struct delivery *d);
struct delivery *notify_linked(struct str path);

/* Somebody saw a delivery, there, at that time: what it tells of that is still
 * bad is acknowledged in the recipient's name, if nobody did so before. */
void notify_seen(struct delivery *d, struct str where, struct str comment,
    int64_t at_ms, const struct watch_now *now);

/* An incident was removed: its deliveries that are done, and have no other
 * incident left, go too. */
void notify_forget(uint64_t incident, const struct change *ch);

/* After a start: what was being sent has no known outcome.  Also makes
 * notify look afresh at the deliveries there are. */
void notify_resume(const struct watch_now *now);

/* Before a commit: journal what is to be told, and the attempts that are
 * due. */
void notify_due(const struct watch_now *now);
/* After it: send them. */
void notify_send(const struct watch_now *now);

/* All is well, checking and telling: that is told, too, if it is due, to what
 * watches us (the setting heartbeat), by a GET. */
void notify_well(const struct watch_now *now);

/* The settings changed, or were read first. */
void notify_reload(void);

/* The descriptor of child i of NOTIFY_WAYS, or -1: there is none now; and
 * what to do when it is readable. */
int notify_fd(unsigned i);
void notify_ready(unsigned i, const struct watch_now *now);

/* When something is due next on the watch clock; INT64_MAX: nothing. */
int64_t notify_next(void);

/* Deliveries not done, and for how long the one that is late most is, in ms
 * (wall clock). */
size_t notify_waiting(int64_t now_ms, int64_t *oldest_ms);

#endif
