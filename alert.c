/* alert.c: see alert.h. */
#include "alert.h"

enum { WARN, UNKNOWN, CRIT };		/* of struct alert_state's signals */

const char *const status_names[] = {
	"ok", "warning", "unknown", "critical", "none", NULL
};

int
status_parse(struct str s, enum status *out)
{
	const char *const *name = str_row(status_names, STATUS_NONE,
	    sizeof *name, s);

	if (name != NULL)
		*out = (enum status)(name - status_names);
	return name != NULL ? 0 : -1;
}

int
alert_bound_parse(struct str s, struct alert_bound *b, struct fail *why)
{
	struct str word[4], rest = s;
	struct alert_bound got = { .metric = "" };
	unsigned n = 0;

	while (n < COUNT(word) && str_cut(&rest, ' ', &word[n]) == 0)
		n += word[n].n > 0;
	if (n < 2 || n == COUNT(word) || (!str_is(word[n - 2], "above") &&
	    !str_is(word[n - 2], "below")))
		return fail(why, "not [METRIC] above|below NUMBER");
	got.above = str_is(word[n - 2], "above");
	if (str_milli(word[n - 1], &got.limit) == -1)
		return fail(why, "not a number after above or below");
	if (n == 3 && (word[0].n >= ALERT_METRIC_MAX ||
	    !str_is_of(word[0], ALERT_NAME_CHARS)))
		return fail(why, "metric: not 1 to %d of A-Za-z0-9_.:-",
		    ALERT_METRIC_MAX - 1);
	if (n == 3 && !str_is(word[0], "value"))
		str_copy(got.metric, sizeof got.metric, word[0]);
	*b = got;
	return 0;
}

void
alert_bound_put(struct buf *b, const struct alert_bound *bound)
{
	if (bound->metric[0] != '\0')
		buf_addf(b, "%s ", bound->metric);
	buf_addz(b, bound->above ? "above " : "below ");
	buf_milli(b, bound->limit);
}

int
alert_value(const struct alert_bound *b, const struct alert_result *res,
    int64_t *v)
{
	*v = res->value;
	if (b->metric[0] == '\0')
		return res->has_value ? 0 : -1;
	for (unsigned i = 0; i < res->metrics; i++) {
		*v = res->metric[i].value;
		if (str_is(res->metric[i].name, b->metric))
			return 0;
	}
	return -1;
}

/* The first bound of the list that holds, or NULL. */
static const struct alert_bound *
first_held(const struct alert_list *l, const struct alert_result *res)
{
	const struct alert_bound *b;
	int64_t v;

	for (b = l->bound; b < l->bound + l->n; b++)
		if (alert_value(b, res, &v) == 0 &&
		    (b->above ? v > b->limit : v < b->limit))
			return b;
	return NULL;
}

enum status
alert_judge(const struct alert_rule *r, const struct alert_result *res,
    const struct alert_bound **why_bound)
{
	enum status s = res->given == STATUS_NONE ? STATUS_OK : res->given;
	const struct alert_bound *b = NULL;

	if (s < STATUS_CRITICAL && (b = first_held(&r->crit, res)) != NULL)
		s = STATUS_CRITICAL;
	else if (s < STATUS_WARNING && (b = first_held(&r->warn, res)) != NULL)
		s = STATUS_WARNING;
	if (why_bound != NULL)
		*why_bound = b;
	return s;
}

/* How many of the newest n results of a signal are bad. */
static unsigned
bad_among(uint64_t bits, unsigned n)
{
	unsigned bad = 0;

	for (; n > 0; n--, bits >>= 1)
		bad += bits & 1;
	return bad;
}

/* One known result for the warning or the critical signal. */
static void
signal_step(const struct alert_rule *r, struct alert_signal *g, bool bad,
    int64_t at_ms)
{
	unsigned hits = r->hits == 0 ? 1 : r->hits;
	unsigned of = r->of < hits ? hits : r->of;
	bool enough;

	g->bits = g->bits << 1 | bad;
	if (bad == g->on) {		/* no run against it */
		g->since_ms = 0;
		return;
	}
	if (g->since_ms == 0)
		g->since_ms = at_ms;
	if (at_ms - g->since_ms < r->for_ms)
		return;
	enough = bad_among(g->bits, of) >= hits;
	if (g->on ? enough || bad_among(g->bits, hits) > 0 : !enough)
		return;
	g->on = bad;
	g->since_ms = 0;
}

/* The worst signal that is on; they stand in the order of their statuses. */
static enum status
worst(const struct alert_state *st)
{
	unsigned i = COUNT(st->signal);

	while (i > 0 && !st->signal[i - 1].on)
		i--;
	return (enum status)(STATUS_OK + i);
}

struct alert_change
alert_step(const struct alert_rule *r, struct alert_state *st,
    const struct alert_result *res)
{
	struct alert_change c = { st->held, st->held, res->at_ms };
	struct alert_signal *w = &st->signal[WARN], *k = &st->signal[CRIT];
	struct alert_signal *u = &st->signal[UNKNOWN];
	enum status s;
	bool kept;

	if (res->at_ms <= st->at_ms)
		return c;
	st->at_ms = res->at_ms;
	s = alert_judge(r, res, NULL);
	/* Unknown has a patience of its own. */
	if (u->since_ms == 0)
		u->since_ms = res->at_ms;
	u->on = s == STATUS_UNKNOWN &&
	    (u->on || res->at_ms - u->since_ms >= ALERT_UNKNOWN_MS);
	if (u->on || s != STATUS_UNKNOWN)
		u->since_ms = 0;
	if (s != STATUS_UNKNOWN) {
		kept = first_held(&r->clear, res) != NULL;
		signal_step(r, w, s >= STATUS_WARNING || (w->on && kept),
		    res->at_ms);
		signal_step(r, k, s == STATUS_CRITICAL || (k->on && kept),
		    res->at_ms);
	}
	c.to = worst(st);
	if (c.to != c.from) {
		st->held = c.to;
		st->since_ms = res->at_ms;
	}
	return c;
}

bool
alert_alike(const struct alert_state *a, const struct alert_state *b)
{
	const struct alert_signal *x = a->signal, *y = b->signal;
	unsigned n = COUNT(a->signal);

	while (n > 0 && x->on == y->on && x->since_ms == y->since_ms &&
	    x->bits == y->bits) {
		x++;
		y++;
		n--;
	}
	return n == 0;
}

bool
alert_silent(int64_t now_ms, int64_t heard_ms, int64_t late_after_ms)
{
	/* No pair of times overflows. */
	return now_ms > heard_ms && (uint64_t)now_ms - (uint64_t)heard_ms >
	    (late_after_ms > 0 ? (uint64_t)late_after_ms : 0);
}

bool
alert_late(int64_t at_ms, int64_t received_ms, int64_t interval_ms)
{
	int64_t limit = INT64_MAX;

	if (interval_ms < INT64_MAX / 4)
		limit = (interval_ms > 0 ? 2 * interval_ms : 0) + ALERT_LATE_MS;
	return alert_silent(received_ms, at_ms, limit);
}

void
alert_state_put(struct buf *b, const struct alert_state *st)
{
	buf_addf(b, "%lld %lld", (long long)st->at_ms, (long long)st->since_ms);
	for (unsigned i = 0; i < COUNT(st->signal); i++)
		buf_addf(b, " %d,%lld,%llu", st->signal[i].on,
		    (long long)st->signal[i].since_ms,
		    (unsigned long long)st->signal[i].bits);
}

int
alert_state_get(struct str s, struct alert_state *st)
{
	struct alert_state got = { .held = STATUS_NONE };
	struct str word;
	uint64_t v[11], *on = v + 2;

	for (unsigned i = 0; i < COUNT(v); i++)
		if (str_cut(&s, i < 2 || i % 3 == 1 ? ' ' : ',', &word) == -1 ||
		    str_u64(word, 0, UINT64_MAX, &v[i]) == -1)
			return -1;
	if (s.p != NULL || v[0] > INT64_MAX || v[1] > v[0])
		return -1;
	got.at_ms = (int64_t)v[0];
	got.since_ms = (int64_t)v[1];
	for (unsigned i = 0; i < COUNT(got.signal); i++, on += 3) {
		if (on[0] > 1 || on[1] > v[0])
			return -1;
		/* No result before the first result. */
		if (v[0] == 0 && (on[0] == 1 || (on[2] != 0 && i != UNKNOWN)))
			return -1;
		got.signal[i] = (struct alert_signal){ on[0] == 1,
		    (int64_t)on[1], on[2] };
	}
	if (got.at_ms > 0)
		got.held = worst(&got);
	*st = got;
	return 0;
}

enum alert_tell
alert_tell(enum status wants, enum status told, enum status now)
{
	if (told == STATUS_NONE)
		told = STATUS_OK;
	if (now == STATUS_OK && told != STATUS_OK)
		return ALERT_TELL_RECOVERY;
	return now == STATUS_OK || now == STATUS_NONE || now < wants ||
	    now <= told ? ALERT_TELL_NOTHING : ALERT_TELL_ALARM;
}
