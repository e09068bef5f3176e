/*
 * silence.h: what holds news back: silences, agents that are silent, and
 * parents that are.
 *
 * Held back is the opening and the telling of what is bad, never the
 * checking, and never the end of what was told.  It is a question that is
 * asked of the model as it is now: nothing is kept, so that what is held
 * back no longer is as soon as its reason ends.
 */
#ifndef SILENCE_H
#define SILENCE_H

#include "model.h"

#define SILENCE_WHY_MAX	256		/* bytes of a reason, and a NUL */

/* Does anything hold back news of an agent (c NULL) or of its check?  Then why
 * says what: "silence 3 until ...", "agent web1 is silent", "parent gw is
 * silent", "parent gw/ping is critical". */
bool silence_holds(struct agent *a, const struct check *c, int64_t now_ms,
    char why[SILENCE_WHY_MAX]);

/* Is it not to be seen how an agent or a check does: is it, or a parent
 * of it, silent or bad?  why may be NULL. */
bool silence_unseen(struct agent *a, const struct check *c,
    char why[SILENCE_WHY_MAX]);

/* Has an agent parents who may yet turn out to be silent or bad, not having
 * been heard since since_ms (watch clock, as now_ms)?  They are waited for
 * no longer than their own deadlines. */
bool silence_waits(struct agent *a, int64_t since_ms, int64_t now_ms);

/* Does a silence hold at this time, its match apart? */
bool silence_now(const struct silence *s, int64_t now_ms);

#endif
