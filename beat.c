/* beat.c: see beat.h. */
#include "beat.h"
#include "log.h"

/* A result of now.  Its stamp comes after all before it, whatever the clock
 * did: the rules pass over what is not newer. */
static struct store_result
result_of(const struct check *c, enum status given, struct str text,
    const struct watch_now *now)
{
	struct store_result r = { .check = c->o.id, .at_ms = now->now_ms,
	    .given = (uint8_t)given, .has_value = true, .text = text };

	if (r.at_ms <= c->last_result)
		r.at_ms = c->last_result + 1;
	if (r.at_ms <= c->alert.at_ms)
		r.at_ms = c->alert.at_ms + 1;
	return r;
}

static int
take(struct store *s, struct check *c, struct store_result *r,
    const struct watch_now *now, struct fail *why)
{
	struct store_report rep = { .received_ms = now->now_ms };
	uint64_t seq;

	if (store_report_begin(s, &rep, 1, &seq, why) == -1)
		return -1;
	r->code = (uint8_t)watch_judge(c, r);
	store_report_add(s, r);
	watch_result(c, r, seq, now);
	store_report_end(s);
	return 0;
}

int
beat_take(struct store *s, struct check *c, enum status given,
    struct str text, const struct watch_now *now, struct fail *why)
{
	struct store_result r = result_of(c, given, text, now);

	return take(s, c, &r, now, why);
}

/* That a beat is missing is told whether it can be stored or not. */
static void
miss(struct store *s, struct check *c, const struct watch_now *now)
{
	char text[64];
	struct buf b = BUF(text);
	struct store_result r = result_of(c, STATUS_CRITICAL, STR(""), now);
	int64_t heard_ms = c->heard_ms, quiet = now->watch_ms - heard_ms;
	struct fail why;

	r.value = r.at_ms - c->last_result + (c->has_value ? c->value : 0);
	if (r.value < quiet)		/* the wall clock went back */
		r.value = quiet;
	if (r.value > MILLI_MAX)
		r.value = MILLI_MAX;
	buf_addz(&b, "no beat for ");
	buf_duration(&b, r.value - r.value % 1000);
	r.text = str_from(&b);
	if (take(s, c, &r, now, &why) == -1) {
		log_line("%s on %s: %.*s: not stored: %s", c->name,
		    c->agent->hostname, (int)b.n, text, why.msg);
		watch_result(c, &r, 0, now);
	}
	c->heard_ms = heard_ms;
	c->missed_ms = now->watch_ms;
}

void
beat_tick(struct store *s, const struct watch_now *now)
{
	int64_t period_ms, grace_ms;
	struct check *c;

	for (c = model_beats(); c != NULL; c = c->beats) {
		/* What is not watched is awaited anew when it is again. */
		if (!c->enabled || !c->agent->enabled)
			c->heard_ms = now->watch_ms;
		check_beat(str_of(c->params), &period_ms, &grace_ms);
		if (c->last_result != 0 &&
		    now->watch_ms - c->heard_ms > period_ms + grace_ms &&
		    (c->missed_ms <= c->heard_ms ||
		    now->watch_ms - c->missed_ms >= period_ms))
			miss(s, c, now);
	}
}
