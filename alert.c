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

unsigned
alert_bad(uint64_t bits, unsigned n)
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
	enough = alert_bad(g->bits, of) >= hits;
	if (g->on ? enough || alert_bad(g->bits, hits) > 0 : !enough)
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

/* What the signals say was `was`, passed_ms ago. */
static void
flap_step(struct alert_state *st, enum status was, int64_t passed_ms,
    struct alert_change *c)
{
	const unsigned most = COUNT(st->ago_ms);
	bool flapped = st->flaps, changed;
	unsigned n = 0, i;

	while (n < st->changes && passed_ms <= ALERT_FLAP_MS - st->ago_ms[n])
		st->ago_ms[n++] += (uint32_t)passed_ms;
	c->calm = flapped && (n == 0 || st->ago_ms[0] >= ALERT_CALM_MS);
	if (c->calm)
		n = 0;
	c->to = worst(st);
	changed = c->from != STATUS_NONE && c->to != was;
	c->flaps = !flapped && changed && n == most;
	st->flaps = c->flaps || (flapped && !c->calm);
	if (st->flaps && c->from > c->to)
		c->to = c->from;
	for (i = 0; i < n && c->flaps; i++)
		if (st->was[i] > c->to)
			c->to = (enum status)st->was[i];
	if (changed) {
		n += n < most;
		for (i = n - 1; i > 0; i--) {
			st->ago_ms[i] = st->ago_ms[i - 1];
			st->was[i] = st->was[i - 1];
		}
		st->ago_ms[0] = 0;
		st->was[0] = (uint8_t)was;
	}
	st->changes = (uint8_t)n;
}

void
alert_back(struct alert_state *st, int64_t at_ms)
{
	int64_t *since[] = { &st->at_ms, &st->since_ms,
	    &st->signal[WARN].since_ms, &st->signal[UNKNOWN].since_ms,
	    &st->signal[CRIT].since_ms };

	for (unsigned i = 0; i < COUNT(since); i++)
		if (*since[i] > at_ms)
			*since[i] = at_ms;
}

struct alert_change
alert_step(const struct alert_rule *r, struct alert_state *st,
    const struct alert_result *res)
{
	struct alert_change c = { .from = st->held, .to = st->held,
	    .at_ms = res->at_ms };
	enum status s, was = worst(st);
	struct alert_signal *w = &st->signal[WARN], *k = &st->signal[CRIT];
	struct alert_signal *u = &st->signal[UNKNOWN];
	int64_t passed_ms;
	bool kept;

	if (res->at_ms <= st->at_ms)
		return c;
	passed_ms = res->at_ms - st->at_ms;
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
	flap_step(st, was, passed_ms, &c);
	/* Nothing was known so far, and nothing is. */
	if (c.from == STATUS_NONE && s == STATUS_UNKNOWN && !u->on)
		c.to = STATUS_NONE;
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

static void
put_after(struct buf *b, char sep, int64_t v)
{
	buf_addc(b, sep);
	buf_addi(b, v);
}

void
alert_state_put(struct buf *b, const struct alert_state *st)
{
	buf_addi(b, st->at_ms);
	put_after(b, ' ', st->since_ms);
	for (unsigned i = 0; i < COUNT(st->signal); i++) {
		put_after(b, ' ', st->signal[i].on);
		put_after(b, ',', st->signal[i].since_ms);
		buf_addc(b, ',');
		buf_addu(b, st->signal[i].bits);
	}
	if (st->changes > 0)
		put_after(b, ' ', st->flaps ? (int)st->held : 0);
	for (unsigned i = 0; i < st->changes; i++) {
		put_after(b, ',', st->ago_ms[i]);
		put_after(b, ',', st->was[i]);
	}
}

/* "HELD,AGO,WAS" and so on, of a state whose signals are known. */
static int
changes_get(struct str s, struct alert_state *st)
{
	uint64_t v[1 + 2 * COUNT(st->ago_ms)], *ago = v + 1;
	unsigned n = 0, i;
	struct str word;

	for (; n < COUNT(v) && str_cut(&s, ',', &word) == 0; n++)
		if (str_u64(word, 0, n % 2 == 1 ? ALERT_FLAP_MS :
		    STATUS_CRITICAL, &v[n]) == -1)
			return -1;
	if (s.p != NULL || n < 3 || n % 2 == 0 ||
	    (v[0] != STATUS_OK && v[0] < st->held))
		return -1;
	for (i = 0; i < n / 2; i++, ago += 2) {
		if ((int64_t)ago[0] >= st->at_ms ||
		    (i > 0 && ago[0] <= ago[-2]))
			return -1;
		st->ago_ms[i] = (uint32_t)ago[0];
		st->was[i] = (uint8_t)ago[1];
	}
	st->changes = (uint8_t)i;
	st->flaps = v[0] != STATUS_OK;
	if (st->flaps)
		st->held = (enum status)v[0];
	return 0;
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
	if (v[0] > INT64_MAX || v[1] > v[0])
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
	if (got.since_ms > 0)
		got.held = worst(&got);
	if (s.p != NULL && changes_get(s, &got) == -1)
		return -1;
	*st = got;
	return 0;
}
