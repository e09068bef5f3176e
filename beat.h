/*
 * beat.h: heartbeats: one that came is a result of its check, and so is, by
 * the server's own word, one that did not.
 *
 * Whether one is missing the watch clock says (watch.h): it is missing once
 * nothing came for period and grace in which the server looked, and again
 * with each period after that.  A check without any beat so far misses none.
 * Results are of no agent's report: a beat checks no agent in.
 *
 *	value	ms since the last beat, as thousandths of a second: 0 of a
 *		beat; so a result and its value say when that was
 */
#ifndef BEAT_H
#define BEAT_H

#include "model.h"
#include "store.h"
#include "watch.h"

/* A beat came: STATUS_OK, or STATUS_CRITICAL where it tells of a failure.
 * text: of at most STORE_TEXT_MAX bytes.  0, or -1: it cannot be stored, and
 * nothing has happened. */
int beat_take(struct store *s, struct check *c, enum status given,
    struct str text, const struct watch_now *now, struct fail *why);

/* Once a second: which are missing? */
void beat_tick(struct store *s, const struct watch_now *now);

#endif
