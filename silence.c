/* silence.c: see silence.h. */
#include <stdio.h>

#include "match.h"
#include "silence.h"

bool
silence_now(const struct silence *s, int64_t now_ms)
{
	return now_ms >= s->from && (s->until == 0 || now_ms < s->until) &&
	    (s->weekly[0] == '\0' || (s->when.n > 0 &&
	    hours_hold(&s->when, now_ms)));
}

static bool
is_bad(const struct agent *a, const struct check *c)
{
	if (a->state == AGENT_SILENT || c == NULL)
		return a->state == AGENT_SILENT;
	/* One bad result may be the first of those it takes. */
	return c->enabled && a->enabled &&
	    ((c->raw != STATUS_OK && c->raw != STATUS_NONE) ||
	    (c->alert.held != STATUS_OK && c->alert.held != STATUS_NONE));
}

bool
silence_unseen(struct agent *a, const struct check *c,
    char why[SILENCE_WHY_MAX])
{
	char text[SILENCE_WHY_MAX];
	struct agent *up;
	struct check *by;

	if (why == NULL)
		why = text;
	if (c != NULL && check_is_beat(c->type))
		return false;		/* it comes from elsewhere */
	if (c != NULL && a->state == AGENT_SILENT) {
		snprintf(why, SILENCE_WHY_MAX, "agent %s is silent",
		    a->hostname);
		return true;
	}
	for (int i = 0; i < MODEL_PARENTS_MAX && model_parent(a, &up, &by) == 0;
	    i++, a = up) {
		if (!is_bad(up, by))
			continue;
		snprintf(why, SILENCE_WHY_MAX, "parent %s is %s", a->parent,
		    up->state == AGENT_SILENT ? "silent" :
		    by->alert.held != STATUS_OK && by->alert.held !=
		    STATUS_NONE ? status_name(by->alert.held) :
		    status_name(by->raw));
		return true;
	}
	return false;
}

bool
silence_holds(struct agent *a, const struct check *c, int64_t now_ms,
    char why[SILENCE_WHY_MAX])
{
	struct match_on on = { a->hostname, a->tags,
	    c == NULL ? NULL : c->name, c == NULL ? NULL : c->type->name };
	const struct silence *s;
	struct buf b;

	MODEL_ALL(s, KIND_SILENCE) {
		if (!silence_now(s, now_ms) ||
		    !match_holds(str_of(s->match), &on))
			continue;
		buf_init(&b, why, SILENCE_WHY_MAX - 1);
		buf_addf(&b, "silence %llu", (unsigned long long)s->o.id);
		if (s->until != 0) {
			buf_addz(&b, " until ");
			buf_time_human(&b, s->until);
		}
		if (s->comment[0] != '\0') {
			buf_addz(&b, ": ");
			buf_utf8(&b, str_of(s->comment), 48);
		}
		why[b.n] = '\0';
		return true;
	}
	return silence_unseen(a, c, why);
}

bool
silence_waits(struct agent *a, int64_t since_ms, int64_t now_ms)
{
	int64_t heard_ms, limit_ms;
	struct agent *up;
	struct check *by;

	for (int i = 0; i < MODEL_PARENTS_MAX && model_parent(a, &up, &by) == 0;
	    i++, a = up) {
		heard_ms = by == NULL ? up->heard_ms : by->heard_ms;
		limit_ms = model_late_after_ms(up);
		if (by != NULL && 2 * model_interval(by) > limit_ms)
			limit_ms = 2 * model_interval(by);
		if (up->enabled && up->state == AGENT_UP &&
		    (by == NULL || by->enabled) && heard_ms < since_ms &&
		    now_ms - heard_ms <= limit_ms)
			return true;
	}
	return false;
}
