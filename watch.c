/* watch.c: see watch.h. */
#include "change.h"
#include "log.h"
#include "watch.h"


/* One change of state of a check or agent, on its way to an incident. */
struct event {
	const struct agent *agent;	/* NULL: of the server: */
	const struct check *check;	/* NULL: of the agent itself */
	enum status to;
	int64_t at_ms;
	const char *from, *into;	/* "ok", "critical"; NULL: what it is
					   about is gone */
	struct str why;
	const char *own;		/* "disk" */
};

static void *
put(enum kind k, void *draft, const struct watch_now *now)
{
	struct change ch = { "rule", "server", now->now_ms, true };

	return change_keep(k, draft, &ch);
}

/* The oldest closed incident beyond what is kept goes, with its deliveries
 * that are done. */
static void
prune(const struct watch_now *now)
{
	struct change ch = { "rule", "server", now->now_ms, true };
	const struct incident *in;
	struct fail why;
	uint64_t oldest = 0;
	size_t closed = 0;

	MODEL_ALL(in, KIND_INCIDENT)
		if (in->closed != 0 && closed++ == 0)
			oldest = in->o.id;
	if (closed <= MODEL_CLOSED_MAX)
		return;
	if (change_remove(KIND_INCIDENT, oldest, &ch, &why) == 0)
		notify_forget(oldest, &ch);
	else
		log_line("incident %llu stays: %s",
		    (unsigned long long)oldest, why.msg);
}

/* "process nginx on web1 changed from ok to critical at ...: 0 running,
 * at least 1 expected". */
static void
put_text(struct buf *b, const struct event *e, const struct incident *in)
{
	if (e->from == NULL) {
		buf_addf(b, "%s is no longer watched: removed", in->what);
		return;
	}
	if (e->agent == NULL)
		buf_addz(b, in->what);
	else if (e->check == NULL)
		buf_addf(b, "agent %s", e->agent->hostname);
	else
		buf_addf(b, "%s on %s", e->check->name, e->agent->hostname);
	buf_addf(b, " changed from %s to %s at ", e->from, e->into);
	buf_time_human(b, e->at_ms);
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
	bool worse = was == NULL || e->to > was->status;

	if (was == NULL && e->to == STATUS_OK)
		return;
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
	if (worse || e->to == STATUS_OK)
		notify_event(in, now);
	if (e->to == STATUS_OK)
		prune(now);
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

static void
look_at_agent(struct agent *a, const struct watch_now *now)
{
	int64_t limit = a->state == AGENT_STOPPED ? WATCH_STOPPED_MS :
	    model_late_after_ms(a);
	struct event e = { a, NULL, STATUS_CRITICAL, now->now_ms,
	    model_agent_states[a->state], "silent", { NULL, 0 }, NULL };
	char why[128];
	struct buf b = BUF(why);

	if (a->heard_ms == 0)
		limit += WATCH_START_MS;
	if (!a->enabled || (a->state != AGENT_UP && a->state != AGENT_STOPPED)
	    || !alert_silent(now->watch_ms, a->heard_ms, limit))
		return;
	buf_addz(&b, "nothing heard for ");
	buf_duration(&b, limit);
	e.why = str_from(&b);
	agent_state(a, AGENT_SILENT, now);
	happened(a->incident, &e, now);
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

/* An open incident: is its acknowledgement over, or is it to be told again?
 * What is not seen now, as the agent that would is silent, is not. */
static void
look_at_incident(struct incident *in, const struct watch_now *now)
{
	const struct check *c = model_check_by_id(in->check);
	struct incident *d;

	if (in->acknowledged_until != 0 &&
	    now->now_ms >= in->acknowledged_until) {
		d = model_draft(KIND_INCIDENT, in);
		d->acknowledged = d->acknowledged_until = 0;
		model_text(&d->acknowledged_by, STR(""));
		in = put(KIND_INCIDENT, d, now);
	}
	in->looked_ms = now->watch_ms;
	if (in->acknowledged == 0 && (c == NULL || check_is_beat(c->type) ||
	    c->agent->state != AGENT_SILENT))
		notify_repeat(in, c == NULL ? 0 : c->renotify_s * 1000, now);
}

void
watch_tick(const struct watch_now *now)
{
	struct event e = { .to = STATUS_OK, .at_ms = now->now_ms };
	struct incident *in;
	struct agent *a;
	uint64_t gone = 0;

	MODEL_ALL(a, KIND_AGENT)
		look_at_agent(a, now);
	/* What an incident is about may be gone without its end being told:
	 * its record was damaged, or making it was undone.  One in a tick: the
	 * list does not stay as it is. */
	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->closed != 0)
			continue;
		if (in->agent != 0 && (in->check != 0 ?
		    model_check_by_id(in->check) == NULL :
		    model_agent(in->agent) == NULL))
			gone = in->o.id;
		if (now->watch_ms - in->looked_ms >= WATCH_LOOK_MS)
			look_at_incident(in, now);
	}
	if (gone != 0)
		happened(gone, &e, now);
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
	    ch.from == STATUS_NONE ? "no result" : status_name(ch.from),
	    status_name(ch.to), why, NULL };
}

void
watch_text(struct buf *b, const struct check *c, struct alert_change ch,
    struct str how)
{
	struct event e = event_of(c, ch, how);

	put_text(b, &e, NULL);
}

/* The state goes into the journal beside the decision it made. */
static void
check_event(struct check *c, struct alert_change ch, struct str why,
    const struct watch_now *now)
{
	struct event e = event_of(c, ch, why);

	put(KIND_CHECK, model_draft(KIND_CHECK, c), now);
	happened(c->incident, &e, now);
}

struct alert_change
watch_step(const struct check *c, struct alert_state *st,
    const struct store_result *r, struct buf *how)
{
	struct alert_result res = result_of(r);
	struct alert_change ch = alert_step(&c->rule, st, &res);
	const struct alert_bound *bound;

	if (ch.from == STATUS_NONE && ch.to == STATUS_OK)
		ch.from = STATUS_OK;
	if (ch.from != ch.to) {
		(void)alert_judge(&c->rule, &res, &bound);
		check_text(how, c->type, &c->rule, &res, bound, r->text);
	}
	return ch;
}

void
watch_result(struct check *c, const struct store_result *r, uint64_t seq,
    const struct watch_now *now)
{
	struct alert_change ch;
	char how[WATCH_HOW_MAX];
	struct buf b = BUF(how);

	/* The newest result is what the check shows. */
	if (r->at_ms > c->last_result) {
		c->last_result = r->at_ms;
		c->heard_ms = now->watch_ms;
		c->raw = (uint8_t)watch_judge(c, r);
		c->has_value = r->has_value;
		c->value = r->value;
		if (!str_is(r->text, c->message))
			model_text(&c->message, r->text);
	}
	if (r->late || !c->enabled || !c->agent->enabled ||
	    (now->replay && seq <= c->o.stepped_seq))
		return;
	ch = watch_step(c, &c->alert, r, &b);
	if (ch.from != ch.to)
		check_event(c, ch, str_from(&b), now);
}

void
watch_check_gone(struct check *c, const char *why, const struct watch_now *now)
{
	struct alert_change ch = { c->alert.held, STATUS_OK, now->now_ms };

	if (c->alert.held == STATUS_NONE)
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
