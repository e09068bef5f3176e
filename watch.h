/*
 * watch.h: what happened to a check or an agent, and what follows: results
 * are stepped through the rules, agents fall silent and come back,
 * incidents open, worsen and close, and notify.h is told.
 *
 * The watch clock (watch_ms) counts milliseconds in which the server looked:
 * it begins at 0 with each start, and stands while the process or the
 * machine did.  Silence and patience are measured by it alone, so that no
 * restart, pause or clock jump makes an alarm.
 */
#ifndef WATCH_H
#define WATCH_H

#include "model.h"
#include "notify.h"
#include "store.h"

#define WATCH_START_MS	30000	/* more, until first heard after a start:
				   agents that backed off come back */
#define WATCH_STOPPED_MS	900000	/* a stopped agent may stay away */
#define WATCH_SILENCE_MS 604800000	/* a silence that ended is kept */
#define WATCH_AHEAD_MS	60000	/* a result may be this far ahead */
#define WATCH_TEXT_MAX	1024	/* bytes of what is told of an incident */
#define WATCH_HOW_MAX	512	/* and, in it, of how it came to be */

/* An agent was heard: it checked in. */
void watch_heard(struct agent *a, const struct watch_now *now);

/* It said goodbye. */
void watch_stopped(struct agent *a, const struct watch_now *now);

/* A result of a check, stored as part of report seq. */
void watch_result(struct check *c, const struct store_result *r, uint64_t seq,
    const struct watch_now *now);

/* What of it is judged: a state of the check's goes on by one result under its
 * rule.  Where something changed (else from and to are alike, as they are when
 * the first result is ok) `how` is how it came to be.  And how such a change
 * is told: "cpu on web1 changed from ok to critical at ...: HOW". */
struct alert_change watch_step(const struct check *c, struct alert_state *st,
    const struct store_result *r, struct buf *how);
void watch_text(struct buf *b, const struct check *c, struct alert_change ch,
    struct str how);

/* How a result reads under the check's rule: "95 percent, above 90". */
void watch_how(struct buf *b, const struct check *c,
    const struct store_result *r);

/* What this result is by itself: the status kept with it. */
enum status watch_judge(const struct check *c, const struct store_result *r);

/* A check or agent is no longer watched (why: "removed", "disabled"): its
 * open incident closes, and who was told of it is told so. */
void watch_check_gone(struct check *c, const char *why,
    const struct watch_now *now);
void watch_agent_gone(struct agent *a, const char *why,
    const struct watch_now *now);

/* An agent that was disabled is watched again, from now on. */
void watch_agent_back(struct agent *a, const struct watch_now *now);

/* What is the server's own, "disk" or "certificate", and how it stands;
 * it is told when that changes. */
void watch_own(const char *what, enum status to, const char *why,
    const struct watch_now *now);

/* Once a second: who is silent? */
void watch_tick(const struct watch_now *now);

#endif
