/* notify_drill.c: whether the alarm path works, and the drills that prove it
 * by themselves.  See notify.h. */
#include "log.h"
#include "notify_impl.h"

void
notify_proven(const struct delivery *d, const struct watch_now *now)
{
	struct change ch = { "outbox", "server", now->now_ms, true };
	struct recipient *r = model_recipient(d->recipient);
	bool yes = d->state == DELIVERY_ACCEPTED || d->state == DELIVERY_SEEN;

	if (r == NULL || (!yes && (!d->drill ||
	    d->state != DELIVERY_GIVEN_UP)))
		return;
	r = model_draft(KIND_RECIPIENT, r);
	if (yes)
		r->proven = now->now_ms;
	if (d->drill) {
		r->drilled = now->now_ms;
		model_text(&r->drill_error, str_of(yes ? "" : d->last_error));
	}
	change_keep(KIND_RECIPIENT, r, &ch);
}

/* Is one on its way? */
static bool
is_drilling(const struct recipient *r)
{
	const struct delivery *d;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->drill && d->recipient == r->o.id &&
		    d->state < DELIVERY_ACCEPTED)
			return true;
	return false;
}

/* A clock that was set back has passed, too. */
static bool
is_due(const struct recipient *r, int64_t every_ms, int64_t now_ms)
{
	int64_t passed = now_ms - r->drilled;

	if (r->drill_error[0] != '\0' && every_ms > NOTIFY_REDRILL_MS)
		every_ms = NOTIFY_REDRILL_MS;
	return r->enabled && (passed >= every_ms || passed <= -every_ms) &&
	    (r->when.n == 0 || hours_hold(&r->when, now_ms)) &&
	    !is_drilling(r);
}

void
notify_drills(const struct watch_now *now)
{
	struct change ch = { "server", "server", now->now_ms, true };
	int64_t every_ms = model_setting()->drill_s * 1000;
	const struct recipient *r;
	struct fail why;

	MODEL_ALL(r, KIND_RECIPIENT) {
		if (every_ms == 0 || !is_due(r, every_ms, now->now_ms))
			continue;
		if (notify_test(r, true, &ch, &why) == 0)
			log_line("drill of %s: %s", r->name, why.msg);
		return;
	}
}
