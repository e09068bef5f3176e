/* watch.c: see watch.h. */
#include <stdio.h>

#include "change.h"
#include "log.h"
#include "silence.h"
#include "watch.h"

static const char flapping[] = "flapping";

/* One change of state of a check or agent, on its way to an incident. */
struct event {
	const struct agent *agent;	/* NULL: of the server: */
	const struct check *check;	/* NULL: of the agent itself */
	enum status to;
	int64_t at_ms;
	const char *from, *into;	/* "ok", "critical", or flapping; NULL:
					   what it is about is gone */
	struct str why;
	const char *own;		/* "disk" */
};

static void *
put(enum kind k, void *draft, const struct watch_now *now)
{
	struct change ch = { "rule", "server", now->now_ms, true };

	return change_keep(k, draft, &ch);
}

/* The oldest closed incidents beyond what is kept go, with their deliveries
 * that are done; but not what somebody is still to be told of. */
static void
prune(const struct watch_now *now)
{
	struct change ch = { "rule", "server", now->now_ms, true };
	const struct incident *in;
	struct fail why;
	uint64_t id;
	size_t closed = 0, i = 0;

	MODEL_ALL(in, KIND_INCIDENT)
		closed += in->closed != 0;
	while (closed > MODEL_CLOSED_MAX &&
	    (in = (void *)model_at(KIND_INCIDENT, i++)) != NULL) {
		if (in->closed == 0 || notify_owes(in))
			continue;
		id = in->o.id;
		if (change_remove(KIND_INCIDENT, id, &ch, &why) == -1) {
			log_line("incident %llu stays: %s",
			    (unsigned long long)id, why.msg);
			return;
		}
		notify_forget(id, &ch);
		closed--;
		i--;			/* the next stands there now */
	}
}

/* Silences that ended long ago go. */
static void
prune_silences(const struct watch_now *now)
{
	struct change ch = { "rule", "server", now->now_ms, true };
	const struct silence *s;
	struct fail why;

	for (size_t i = 0;
	    (s = (void *)model_at(KIND_SILENCE, i)) != NULL; i++)
		if (s->until != 0 && now->now_ms - s->until > WATCH_SILENCE_MS
		    && change_remove(KIND_SILENCE, s->o.id, &ch, &why) == 0)
			i--;
}

/* "process nginx on web1 changed from ok to critical at ...: 0 running,
 * at least 1 expected"; "process nginx on web1 is flapping: ...". */
static void
put_text(struct buf *b, const struct event *e, const struct incident *in)
{
	if (e->from == NULL) {
		buf_addf(b, "%s is no longer watched: %.*s", in->what,
		    (int)e->why.n, e->why.p);
		return;
	}
	if (e->agent == NULL)
		buf_addz(b, in->what);
	else if (e->check == NULL)
		buf_addf(b, "agent %s", e->agent->hostname);
	else
		buf_addf(b, "%s on %s", e->check->name, e->agent->hostname);
	if (e->into == flapping) {
		buf_addf(b, " is flapping: %d changes in %d min, held at %s "
		    "until it is calm", ALERT_FLAP_CHANGES,
		    ALERT_FLAP_MS / 60000, status_name(e->to));
	} else {
		buf_addf(b, " changed from %s to %s at ", e->from, e->into);
		buf_time_human(b, e->at_ms);
	}
	if (e->why.n > 0) {
		buf_addz(b, ": ");
		buf_line(b, e->why);	/* one line stays one */
	}
}

/* Open, worsen, ease or close the incident with this id, and tell. */
static void
happened(uint64_t id, const struct event *e, const struct watch_now *now)
{
	const struct incident *was = model_incident(id);
	struct incident *in;
	char text[WATCH_TEXT_MAX];
	struct buf b = BUF(text);

	if (was == NULL && e->to == STATUS_OK)
		return;
	/* What nobody was told yet is decided before it is over. */
	if (was != NULL && e->to < was->status && was->look_ms == 0) {
		notify_look(now);
		was = model_incident(id);
	}
	in = model_draft(KIND_INCIDENT, was);
	if (was == NULL) {
		in->opened = e->at_ms;
		in->open_ms = now->watch_ms;
		in->agent = e->agent == NULL ? 0 : e->agent->o.id;
		in->check = e->check == NULL ? 0 : e->check->o.id;
		if (e->agent == NULL)
			model_textf(&in->what, "vilicus-server %s", e->own);
		else
			model_textf(&in->what, "%s%s%s", e->agent->hostname,
			    e->check == NULL ? "" : " ",
			    e->check == NULL ? "" : e->check->name);
	}
	in->status = (uint8_t)e->to;
	if (in->status > in->severity)
		in->severity = in->status;
	in->changed = e->at_ms;
	if (e->to == STATUS_OK)
		in->closed = e->at_ms;
	put_text(&b, e, in);
	model_text(&in->text, str_from(&b));
	in = put(KIND_INCIDENT, in, now);
	log_info("%s", in->text);
	in->again = in->again || e->into == flapping;
	notify_event(in);
}

/* ---- agents ---- */

static void
agent_state(struct agent *a, enum agent_state to, const struct watch_now *now)
{
	struct agent *d;

	if (a->state == to)
		return;
	d = model_draft(KIND_AGENT, a);
	d->state = (uint8_t)to;
	put(KIND_AGENT, d, now);
}

void
watch_heard(struct agent *a, const struct watch_now *now)
{
	struct event e = { a, NULL, STATUS_OK, now->now_ms,
	    model_agent_states[a->state], "up", { NULL, 0 }, NULL };

	a->last_checkin = now->now_ms;
	a->heard_ms = now->watch_ms;
	if (a->state == AGENT_UP)
		return;
	if (a->state == AGENT_SILENT)	/* and its checks were not seen */
		a->held_ms = now->watch_ms - 1;
	happened(a->incident, &e, now);
	agent_state(a, AGENT_UP, now);
}

void
watch_stopped(struct agent *a, const struct watch_now *now)
{
	a->last_checkin = now->now_ms;
	a->heard_ms = now->watch_ms;
	agent_state(a, AGENT_STOPPED, now);
}

/* What holds its news back is for all to see. */
static void
agent_held(struct agent *a, const char *by, const struct watch_now *now)
{
	struct agent *d;

	if (strcmp(a->held_by, by) == 0)
		return;
	d = model_draft(KIND_AGENT, a);
	model_text(&d->held_by, str_of(by));
	put(KIND_AGENT, d, now);
}

/* A silent agent's incident opens once nothing holds it back.  What is behind
 * a parent is waited for anew when that is back, and for as long as a parent
 * may yet turn out to be the reason. */
static void
silent(struct agent *a, const char *from, int64_t limit,
    const struct watch_now *now)
{
	struct event e = { a, NULL, STATUS_CRITICAL, now->now_ms, from,
	    "silent", { NULL, 0 }, NULL };
	char held[SILENCE_WHY_MAX], why[128];
	int64_t since = a->heard_ms > a->held_ms ? a->heard_ms : a->held_ms;
	int64_t unheard = now->now_ms - a->last_checkin;
	struct buf b = BUF(why);

	if (silence_holds(a, NULL, now->now_ms, held)) {
		agent_held(a, held, now);
		return;
	}
	if (!alert_silent(now->watch_ms, since, limit) ||
	    silence_waits(a, since + limit, now->watch_ms))
		return;
	buf_addz(&b, "nothing heard for ");
	buf_duration(&b, a->held_by[0] != '\0' && unheard > limit ?
	    unheard / 1000 * 1000 : limit);
	e.why = str_from(&b);
	agent_held(a, "", now);
	happened(0, &e, now);
}

static void
look_at_agent(struct agent *a, const struct watch_now *now)
{
	int64_t limit = a->state == AGENT_STOPPED ? WATCH_STOPPED_MS :
	    model_late_after_ms(a);
	const char *from = model_agent_states[a->state];
	char held[SILENCE_WHY_MAX];

	if (a->heard_ms == 0)
		limit += WATCH_START_MS;
	if (a->enabled && (a->state == AGENT_UP || a->state == AGENT_STOPPED)
	    && alert_silent(now->watch_ms, a->heard_ms, limit))
		agent_state(a, AGENT_SILENT, now);
	if (a->state != AGENT_SILENT)
		agent_held(a, "", now);
	else if (a->incident == 0)
		silent(a, from, limit, now);
	else
		agent_held(a, silence_holds(a, NULL, now->now_ms, held) ?
		    held : "", now);
	if (silence_unseen(a, NULL, NULL))
		a->held_ms = now->watch_ms;
}

void
watch_own(const char *what, enum status to, const char *why,
    const struct watch_now *now)
{
	const struct incident *in, *open = NULL;
	struct event e = { .to = to, .at_ms = now->now_ms, .from = "ok",
	    .into = status_name(to), .why = str_of(why), .own = what };

	MODEL_ALL(in, KIND_INCIDENT)
		if (in->closed == 0 && in->agent == 0 && str_is(str_after(
		    str_of(in->what), sizeof "vilicus-server " - 1), what))
			open = in;
	if (open != NULL)
		e.from = status_name(open->status);
	if (open == NULL ? to != STATUS_OK : to != open->status)
		happened(open == NULL ? 0 : open->o.id, &e, now);
}

/* The end of an acknowledgement. */
static void
forget_ack(struct incident *in, const struct watch_now *now)
{
	struct incident *d = model_draft(KIND_INCIDENT, in);

	d->acknowledged = d->acknowledged_until = 0;
	model_text(&d->acknowledged_by, STR(""));
	notify_event(put(KIND_INCIDENT, d, now));
}

/* ---- checks ---- */

static struct alert_metric metrics[STORE_METRICS_MAX];

static struct alert_result
result_of(const struct store_result *r)
{
	struct alert_result res = { .at_ms = r->at_ms,
	    .given = r->given == STORE_NO_CODE ? STATUS_NONE :
	    (enum status)r->given, .has_value = r->has_value,
	    .value = r->value, .metrics = r->metrics, .metric = metrics };

	for (unsigned i = 0; i < r->metrics; i++)
		metrics[i] = (struct alert_metric){ r->metric[i].name,
		    r->metric[i].value };
	return res;
}

enum status
watch_judge(const struct check *c, const struct store_result *r)
{
	struct alert_result res = result_of(r);

	return alert_judge(&c->rule, &res, NULL);
}

static struct event
event_of(const struct check *c, struct alert_change ch, struct str why)
{
	return (struct event){ c->agent, c, ch.to, ch.at_ms,
	    ch.from == STATUS_NONE ? "no result" : ch.from == ch.to ?
	    flapping : status_name(ch.from), ch.flaps ? flapping :
	    status_name(ch.to), why, NULL };
}

void
watch_text(struct buf *b, const struct check *c, struct alert_change ch,
    struct str how)
{
	struct event e = event_of(c, ch, how);

	put_text(b, &e, NULL);
}

/* The state goes into the journal beside the decision it made.  What is held
 * back opens nothing. */
static void
check_event(struct check *c, struct alert_change ch, struct str why,
    const struct watch_now *now)
{
	struct event e = event_of(c, ch, why);
	char held[SILENCE_WHY_MAX];
	struct check *d = model_draft(KIND_CHECK, c);

	if (ch.to == STATUS_OK ||
	    !silence_holds(c->agent, c, now->now_ms, held))
		held[0] = '\0';
	model_text(&d->held_by, str_of(held));
	c = put(KIND_CHECK, d, now);
	if (c->incident != 0 || held[0] == '\0')
		happened(c->incident, &e, now);
}

/* What is bad, and was held back, is told of once nothing holds it; but of
 * what was not to be seen, not before its next result. */
static void
look_at_check(struct check *c, const struct watch_now *now)
{
	enum status st = c->alert.held;
	bool bad = c->enabled && c->agent->enabled && st != STATUS_OK &&
	    st != STATUS_NONE;
	struct event e = { c->agent, c, st, c->alert.since_ms, "ok",
	    status_name(st), { NULL, 0 }, NULL };
	char text[WATCH_HOW_MAX], held[SILENCE_WHY_MAX] = "";
	struct buf b = BUF(text);
	struct check *d;
	bool holds;

	if (!bad && c->held_by[0] == '\0')
		return;
	holds = bad && silence_holds(c->agent, c, now->now_ms, held);
	if (!holds && bad && c->incident == 0 && !check_is_beat(c->type) &&
	    c->heard_ms <= c->agent->held_ms)
		return;
	if (strcmp(c->held_by, holds ? held : "") != 0) {
		d = model_draft(KIND_CHECK, c);
		model_text(&d->held_by, str_of(holds ? held : ""));
		c = put(KIND_CHECK, d, now);
		if (c->incident != 0)
			notify_event(model_incident(c->incident));
	}
	if (!bad || holds || c->incident != 0)
		return;
	model_check_text(&b, c);
	e.why = str_from(&b);
	happened(0, &e, now);
}

void
watch_how(struct buf *b, const struct check *c, const struct store_result *r)
{
	struct alert_result res = result_of(r);
	const struct alert_bound *bound;

	(void)alert_judge(&c->rule, &res, &bound);
	check_text(b, c->type, &c->rule, &res, bound, r->text);
}

struct alert_change
watch_step(const struct check *c, struct alert_state *st,
    const struct store_result *r, struct buf *how)
{
	struct alert_result res = result_of(r);
	struct alert_change ch = alert_step(&c->rule, st, &res);

	if (ch.from == STATUS_NONE && ch.to == STATUS_OK)
		ch.from = STATUS_OK;
	if (ch.calm && ch.to <= ch.from)
		buf_addf(how, "calm for %d min: ", ALERT_CALM_MS / 60000);
	if (ch.from != ch.to || ch.flaps || ch.calm)
		watch_how(how, c, r);
	return ch;
}

void
watch_result(struct check *c, const struct store_result *r, uint64_t seq,
    const struct watch_now *now)
{
	int64_t most = now->now_ms + WATCH_AHEAD_MS;
	struct alert_change ch;
	char how[WATCH_HOW_MAX];
	struct buf b = BUF(how);

	/* Where the newest is later than any may be, the clock went back: it
	 * is not waited for that to come again. */
	if (c->last_result > most && r->at_ms <= most && !r->late)
		c->last_result = r->at_ms - 1;
	/* The newest result is what the check shows. */
	if (r->at_ms > c->last_result) {
		c->last_result = r->at_ms;
		c->heard_ms = now->watch_ms;
		c->raw = (uint8_t)watch_judge(c, r);
		c->has_value = r->has_value;
		c->value = r->value;
		if (!str_is(r->text, c->message))
			model_text(&c->message, r->text);
		if (silence_unseen(c->agent, c, NULL))
			c->agent->held_ms = now->watch_ms;
	}
	if (r->late || !c->enabled || !c->agent->enabled ||
	    (now->replay && seq <= c->o.stepped_seq))
		return;
	if (c->alert.at_ms > most && r->at_ms <= most)
		alert_back(&c->alert, r->at_ms - 1);
	ch = watch_step(c, &c->alert, r, &b);
	if (ch.from != ch.to || ch.flaps || ch.calm)
		check_event(c, ch, str_from(&b), now);
}

void
watch_check_gone(struct check *c, const char *why, const struct watch_now *now)
{
	struct alert_change ch = { .from = c->alert.held, .to = STATUS_OK,
	    .at_ms = now->now_ms };

	if (c->alert.at_ms == 0)
		return;
	alert_reset(&c->alert);
	check_event(c, ch, str_of(why), now);
}

void
watch_agent_gone(struct agent *a, const char *why, const struct watch_now *now)
{
	struct event e = { a, NULL, STATUS_OK, now->now_ms,
	    model_agent_states[a->state], "ok", str_of(why), NULL };
	struct check *c;

	for (c = a->checks; c != NULL; c = c->next)
		watch_check_gone(c, why, now);
	/* Should it come back, it has as long as one that was stopped. */
	if (a->state != AGENT_NEVER)
		agent_state(a, AGENT_STOPPED, now);
	happened(a->incident, &e, now);
}

void
watch_agent_back(struct agent *a, const struct watch_now *now)
{
	struct check *c;

	a->heard_ms = now->watch_ms;
	/* What came meanwhile was not stepped, and never shall be. */
	for (c = a->checks; c != NULL; c = c->next)
		put(KIND_CHECK, model_draft(KIND_CHECK, c), now);
}

/* ---- all of it ---- */

/* Whom nothing reaches the others are told of. */
static void
look_at_recipients(const struct watch_now *now)
{
	char own[sizeof NOTIFY_OWN + 64], text[WATCH_HOW_MAX];
	const struct recipient *r;
	const char *why;

	MODEL_ALL(r, KIND_RECIPIENT) {
		if (!notify_fails(r, now, &why))
			continue;
		snprintf(own, sizeof own, NOTIFY_OWN "%s", r->name);
		snprintf(text, sizeof text, "nothing sent by %s arrived for "
		    "%d min: %s", model_channels[r->channel],
		    NOTIFY_FAILS_MS / 60000, why);
		watch_own(own, STATUS_CRITICAL, text, now);
	}
}

/* Is an open incident of a recipient's that is gone, or is not watched? */
static bool
is_unwatched(const struct incident *in, const struct recipient **reached)
{
	struct str of = STR("vilicus-server " NOTIFY_OWN);
	const struct recipient *r;

	if (in->agent != 0 || !str_starts(str_of(in->what), of))
		return false;
	r = (const void *)model_named(KIND_RECIPIENT, str_after(
	    str_of(in->what), of.n));
	if (r != NULL && r->fails_ms == 0)
		*reached = r;
	return r == NULL || !r->enabled;
}

void
watch_tick(const struct watch_now *now)
{
	struct event e = { .to = STATUS_OK, .at_ms = now->now_ms,
	    .why = STR("removed") };
	struct incident *in;
	struct agent *a;
	struct check *c;
	const struct recipient *reached = NULL;
	char own[sizeof NOTIFY_OWN + 64];
	uint64_t gone = 0;

	look_at_recipients(now);
	MODEL_ALL(a, KIND_AGENT)
		look_at_agent(a, now);
	MODEL_ALL(c, KIND_CHECK)
		look_at_check(c, now);
	/* What an incident is about may be gone without its end being told:
	 * its record was damaged, or making it was undone.  One in a tick: the
	 * list does not stay as it is. */
	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->closed != 0)
			continue;
		if (in->agent != 0 && (in->check != 0 ?
		    model_check_by_id(in->check) == NULL :
		    model_agent(in->agent) == NULL)) {
			e.why = STR("removed");
			gone = in->o.id;
		}
		if (is_unwatched(in, &reached)) {
			e.why = STR("removed or disabled");
			gone = in->o.id;
		}
		if (in->acknowledged_until != 0 &&
		    now->now_ms >= in->acknowledged_until)
			forget_ack(in, now);
	}
	if (gone != 0)
		happened(gone, &e, now);
	if (reached != NULL) {
		snprintf(own, sizeof own, NOTIFY_OWN "%s", reached->name);
		watch_own(own, STATUS_OK, "a message arrived", now);
	}
	prune(now);
	prune_silences(now);
}
