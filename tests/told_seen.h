/*
 * told_seen.h: which transitions told_test has seen happen.  They are counted
 * from what is there: seen_look compares it with what was there when it looked
 * last, so told_test has it look after whatever may move something.  What is
 * never seen in all histories was not tested, and fails the run.
 */
#ifndef TOLD_SEEN_H
#define TOLD_SEEN_H

#include "watch_world.h"

#define OF_RUN		512	/* incidents of one history, and one */
#define DELIVERIES	1024	/* likewise */
#define CHECKS		16
#define NAMES(x)	x(D_AT_ONCE, "delivery: queued, due at once") \
	x(D_GROUPED, "delivery: queued behind a message, for its group") \
	x(D_LINES, "delivery: queued with several lines") \
	x(D_LINE, "delivery: one that is queued takes a line") \
	x(D_LINE_LATER, "delivery: one that was not taken takes a line") \
	x(D_BOTH, "delivery: an alarm and its end become one message") \
	x(D_BEGINS, "delivery: queued -> sending") \
	x(D_AGAIN, "delivery: queued -> sending, another attempt") \
	x(D_ACCEPTED, "delivery: sending -> accepted") \
	x(D_NOT_TAKEN, "delivery: sending -> queued, not taken") \
	x(D_ASKED, "delivery: sending -> queued, asked to wait") \
	x(D_NO_ANSWER, "delivery: sending -> queued, no answer") \
	x(D_CHILD_DIED, "delivery: sending -> queued, its child died") \
	x(D_REFUSED, "delivery: sending -> given up, refused") \
	x(D_AGED, "delivery: sending -> given up, after a day") \
	x(D_RESUMED, "delivery: sending -> queued, by a crash") \
	x(D_HOURS, "delivery: waits for hours") \
	x(D_HOURS_CAME, "delivery: waited for hours -> sending") \
	x(D_LATE, "delivery: after_s has passed unseen") \
	x(D_STILL, "delivery: told again, still bad") \
	x(D_FLAPS, "delivery: told once more, it flaps") \
	x(I_OPENS, "incident: a check's opens") \
	x(I_AGENT, "incident: an agent's opens") \
	x(I_OWN, "incident: the server's own opens") \
	x(I_AGAIN, "incident: opens, and it is not the check's first") \
	x(I_WORSENS, "incident: worsens") \
	x(I_EASES, "incident: eases") \
	x(I_CLOSES, "incident: a check's closes") \
	x(I_AGENT_CLOSES, "incident: an agent's closes") \
	x(I_OWN_CLOSES, "incident: the server's own closes") \
	x(I_GONE, "incident: closes, what it is about is gone") \
	x(I_ACK, "incident: acknowledged") \
	x(I_ACK_BACK, "incident: acknowledged -> not, by hand") \
	x(I_ACK_ENDS, "incident: acknowledged -> not, in time") \
	x(I_ACK_CLOSES, "incident: closes, being acknowledged") \
	x(I_HELD, "incident: open, its news held back") \
	x(I_LIFTED, "incident: open, its news held back no longer") \
	x(I_HELD_CLOSES, "incident: closes, its news being held back") \
	x(A_UP, "agent: never -> up") \
	x(A_SILENT, "agent: up -> silent") \
	x(A_HEARD, "agent: silent -> up") \
	x(A_STOPPED, "agent: up -> stopped") \
	x(A_OVERDUE, "agent: stopped -> silent") \
	x(A_STARTED, "agent: stopped -> up") \
	x(A_DISABLED, "agent: disabled") \
	x(A_BACK, "agent: disabled -> enabled") \
	x(A_BY_SILENCE, "agent: held back by a silence") \
	x(A_BY_PARENT, "agent: held back by its parent") \
	x(A_LIFTED, "agent: held back no longer, still silent") \
	x(A_LIFTED_UP, "agent: held back no longer, up") \
	x(C_DISABLED, "check: disabled") \
	x(C_BACK, "check: disabled -> enabled") \
	x(C_REMOVED, "check: removed") \
	x(C_FLAPS, "check: flapping begins") \
	x(C_CALM, "check: flapping -> calm") \
	x(C_BY_SILENCE, "check: held back by a silence") \
	x(C_BY_PARENT, "check: held back by its parent") \
	x(C_BY_AGENT, "check: held back, its agent is silent") \
	x(C_LIFTED_SILENCE, "check: a silence lifts, it is bad") \
	x(C_LIFTED_PARENT, "check: its parent is well, it is bad") \
	x(C_LIFTED_AGENT, "check: its agent is heard, it is bad") \
	x(C_WELL_SILENCE, "check: well before a silence lifts") \
	x(C_WELL_PARENT, "check: well before its parent is") \
	x(C_WELL_AGENT, "check: well as its agent is heard") \
	x(R_LATE, "result: late") \
	x(R_TWICE, "result: a time that had one") \
	x(R_EARLIER, "result: older than the newest") \
	x(T_FORWARD, "clock: forward") \
	x(T_BACK, "clock: back") \
	x(K_WHOLE, "crash: nothing is lost") \
	x(K_LOST, "crash: records not committed, or cut, are lost") \
	x(K_REPORTS, "crash: reports are there, their records not") \
	x(K_SOME, "crash: some of those reports are there") \
	x(K_SNAPSHOT, "crash: a snapshot is due after it") \
	x(S_FAILS, "disk: a commit fails") \
	x(S_UNDONE, "disk: what an operator asked for is undone") \
	x(S_LATER, "disk: what was decided is written later") \
	x(S_NO_ROOM, "disk: no room for what an operator asks for")

#define SEEN_ID(id, name)	id,
#define SEEN_NAME(id, name)	name,
enum seen { NAMES(SEEN_ID) SEEN };
static const char *const seen_names[] = { NAMES(SEEN_NAME) };
static uint64_t seen_n[SEEN];

/* What was there when seen_look looked last, by id. */
static struct seen_delivery {
	bool is, waits;
	enum delivery_state state;
	uint32_t items;
} seen_deliveries[DELIVERIES];
static struct seen_incident {
	bool is, held;
	enum status status;
	int64_t closed, acknowledged, until;
} seen_incidents[OF_RUN];
static struct seen_agent {
	bool enabled;
	enum agent_state state;
	char held_by;
} seen_agents[8];
static struct seen_check {
	bool is, enabled, flaps, opened;
	char held_by;
} seen_checks[CHECKS];

static bool seen_counts;	/* else it only looks */
static uint64_t seen_late, seen_hours;	/* these recipients are told apart */

static void
seen(enum seen what, bool is)
{
	seen_n[what] += is && seen_counts;
}

/* ---- what a list of items says ---- */

/* How often of each incident that it is bad, and its end. */
struct tally {
	unsigned short bad[OF_RUN], ok[OF_RUN];
};

static uint64_t
number(const char **p)
{
	uint64_t v = 0;

	for (; **p >= '0' && **p <= '9'; ++*p)
		v = v * 10 + (uint64_t)(**p - '0');
	return v;
}

/* Add what a list of items says to a tally, or take it off. */
static void
tally(struct tally *t, const char *p, int by)
{
	unsigned short *of;
	uint64_t i, last;

	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			continue;
		i = last = number(&p);
		if (p[0] == ',' && p[1] != '"') {
			p++;
			last = number(&p);
		}
		if (last >= OF_RUN)
			abort();
		of = strncmp(p, ",\"ok\"]", 6) == 0 ? t->ok : t->bad;
		for (; i <= last; i++)
			of[i] = (unsigned short)(of[i] + by);
		p += strcspn(p, "]");
	}
}

static bool
says(const char *items, uint64_t incident, bool ok)
{
	struct tally t = { .bad = { 0 } };

	tally(&t, items, 1);
	return (ok ? t.ok : t.bad)[incident] > 0;
}

/* What all deliveries say.  It is kept from one time to the next, and of those
 * that are as they were nothing is read. */
static const struct tally *
all_say(void)
{
	static struct tally all;
	static char *read[DELIVERIES];
	static uint64_t top;
	const struct delivery *d;
	const char *is;
	uint64_t id;

	if (top < model_next_id(KIND_DELIVERY))
		top = model_next_id(KIND_DELIVERY);
	if (top > DELIVERIES)
		abort();
	for (id = 1; id < top; id++) {
		d = model_delivery(id);
		is = d == NULL ? "" : d->items;
		if (read[id] == NULL)
			model_text(&read[id], STR(""));
		if (strcmp(read[id], is) == 0)
			continue;
		tally(&all, read[id], -1);
		tally(&all, is, 1);
		model_text(&read[id], str_of(is));
	}
	return &all;
}

static bool
says_both(const char *items)
{
	struct tally t = { .bad = { 0 } };
	unsigned i = 0;

	tally(&t, items, 1);
	while (i < OF_RUN && (t.bad[i] == 0 || t.ok[i] == 0))
		i++;
	return i < OF_RUN;
}

/* ---- deliveries ---- */

static uint32_t
hash(const char *p)
{
	uint32_t h = 2166136261u;

	while (*p != '\0')
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h;
}

/* How the last attempt of a delivery ended. */
static enum end
last_end(uint64_t delivery)
{
	size_t n = tries_n;

	while (n > 0 && tries[n - 1].delivery != delivery)
		n--;
	return n == 0 ? OPEN : tries[n - 1].end;
}

/* Its attempt is over. */
static void
seen_end(const struct delivery *d)
{
	enum end end = last_end(d->o.id);
	bool queued = d->state == DELIVERY_QUEUED;
	bool died = strstr(d->last_error, "child ended") != NULL;

	seen(D_ACCEPTED, d->state == DELIVERY_ACCEPTED);
	seen(D_NOT_TAKEN, queued && end == NO);
	seen(D_ASKED, queued && d->floor_ms > now.watch_ms);
	seen(D_NO_ANSWER, queued && end == MAYBE && !died);
	seen(D_CHILD_DIED, queued && died);
	seen(D_REFUSED, d->state == DELIVERY_GIVEN_UP && end == NO &&
	    outcome.end == CHANNEL_REFUSED);
	seen(D_AGED, d->state == DELIVERY_GIVEN_UP &&
	    outcome.end == CHANNEL_RETRY);
}

static void
seen_delivery(const struct delivery *d, struct seen_delivery *was)
{
	const struct recipient *r = model_recipient(d->recipient);
	struct seen_delivery is = { true, false,
	    (enum delivery_state)d->state, hash(d->items) };
	bool line = was->is && is.items != was->items;

	is.waits = d->state == DELIVERY_QUEUED && d->recipient == seen_hours &&
	    !hours_hold(&r->when, now.now_ms) &&
	    d->next == hours_next(&r->when, now.now_ms);
	seen(D_AT_ONCE, !was->is && d->due_ms <= now.watch_ms);
	seen(D_GROUPED, !was->is && d->due_ms > now.watch_ms);
	seen(D_LINES, !was->is && strchr(d->message, '\n') != NULL);
	seen(D_LINE, line && d->attempts == 0);
	seen(D_LINE_LATER, line && d->attempts > 0);
	if (line || !was->is) {
		seen(D_BOTH, d->attempts == 0 && says_both(d->items));
		seen(D_STILL, d->recipient != seen_late &&
		    strstr(d->message, " is still ") != NULL);
		seen(D_FLAPS, strstr(d->message, " is flapping") != NULL);
	}
	seen(D_LATE, !was->is && d->recipient == seen_late);
	seen(D_HOURS, is.waits && !was->waits);
	if (was->state == DELIVERY_QUEUED && d->state > DELIVERY_QUEUED) {
		seen(D_BEGINS, d->attempts == 1);
		seen(D_AGAIN, d->attempts > 1);
		seen(D_HOURS_CAME, was->waits);
	} else if (was->state == DELIVERY_SENDING && d->state != was->state)
		seen_end(d);
	*was = is;
}

/* ---- incidents ---- */

static void
seen_incident(const struct incident *in, struct seen_incident *was)
{
	struct seen_incident is = { true, in->held, (enum status)in->status,
	    in->closed, in->acknowledged, in->acknowledged_until };
	bool closes = was->is && was->closed == 0 && in->closed != 0;
	bool open = was->is && in->closed == 0;
	bool back = open && was->acknowledged != 0 && in->acknowledged == 0;
	bool ends = was->until != 0 && was->until <= now.now_ms;
	struct seen_check *c = &seen_checks[in->check];

	if (!was->is) {
		seen(I_OPENS, in->check != 0);
		seen(I_AGENT, in->check == 0 && in->agent != 0);
		seen(I_OWN, in->agent == 0);
		seen(I_AGAIN, in->check != 0 && c->opened);
		c->opened = true;
	}
	seen(I_WORSENS, open && is.status > was->status);
	seen(I_EASES, open && is.status < was->status);
	seen(I_CLOSES, closes && in->check != 0);
	seen(I_AGENT_CLOSES, closes && in->check == 0 && in->agent != 0);
	seen(I_OWN_CLOSES, closes && in->agent == 0);
	seen(I_GONE, closes && (strstr(in->text, ": removed") != NULL ||
	    strstr(in->text, ": disabled") != NULL));
	seen(I_ACK, open && was->acknowledged == 0 && is.acknowledged != 0);
	seen(I_ACK_BACK, back && !ends);
	seen(I_ACK_ENDS, back && ends);
	seen(I_ACK_CLOSES, closes && was->acknowledged != 0);
	seen(I_HELD, in->closed == 0 && in->held && !was->held);
	seen(I_LIFTED, open && was->held && !in->held);
	seen(I_HELD_CLOSES, closes && was->held);
	*was = is;
}

/* ---- agents and checks ---- */

static void
seen_agent(const struct agent *a, struct seen_agent *was)
{
	struct seen_agent is = { a->enabled, (enum agent_state)a->state,
	    a->held_by[0] };
	bool lifted = was->held_by != '\0' && is.held_by == '\0';

	seen(A_UP, was->state == AGENT_NEVER && is.state == AGENT_UP);
	seen(A_SILENT, was->state == AGENT_UP && is.state == AGENT_SILENT);
	seen(A_HEARD, was->state == AGENT_SILENT && is.state == AGENT_UP);
	seen(A_STOPPED, was->state == AGENT_UP && is.state == AGENT_STOPPED);
	seen(A_OVERDUE, was->state == AGENT_STOPPED &&
	    is.state == AGENT_SILENT);
	seen(A_STARTED, was->state == AGENT_STOPPED && is.state == AGENT_UP);
	seen(A_DISABLED, was->enabled && !is.enabled);
	seen(A_BACK, !was->enabled && is.enabled);
	seen(A_BY_SILENCE, is.held_by == 's' && was->held_by != 's');
	seen(A_BY_PARENT, is.held_by == 'p' && was->held_by != 'p');
	seen(A_LIFTED, lifted && is.state == AGENT_SILENT);
	seen(A_LIFTED_UP, lifted && is.state == AGENT_UP);
	*was = is;
}

/* What holds it back begins with what that is: silence, parent, agent. */
static void
seen_check(const struct check *c, struct seen_check *was)
{
	bool bad = c != NULL && c->alert.held % STATUS_NONE != 0;
	struct seen_check is = { .opened = was->opened };
	bool lifted;

	if (c != NULL)
		is = (struct seen_check){ true, c->enabled, c->alert.flaps,
		    was->opened, c->held_by[0] };
	lifted = was->held_by != '\0' && is.is && is.held_by == '\0';
	seen(C_DISABLED, was->enabled && is.is && !is.enabled);
	seen(C_BACK, was->is && !was->enabled && is.enabled);
	seen(C_REMOVED, was->is && !is.is);
	seen(C_FLAPS, is.flaps && !was->flaps);
	seen(C_CALM, is.enabled && !is.flaps && was->flaps);
	seen(C_BY_SILENCE, is.held_by == 's' && was->held_by != 's');
	seen(C_BY_PARENT, is.held_by == 'p' && was->held_by != 'p');
	seen(C_BY_AGENT, is.held_by == 'a' && was->held_by != 'a');
	seen(C_LIFTED_SILENCE, lifted && was->held_by == 's' && bad);
	seen(C_LIFTED_PARENT, lifted && was->held_by == 'p' && bad);
	seen(C_LIFTED_AGENT, lifted && was->held_by == 'a' && bad);
	seen(C_WELL_SILENCE, lifted && was->held_by == 's' && !bad);
	seen(C_WELL_PARENT, lifted && was->held_by == 'p' && !bad);
	seen(C_WELL_AGENT, lifted && was->held_by == 'a' && !bad);
	*was = is;
}

/* ---- all of it ---- */

static void
seen_look(void)
{
	const struct delivery *d;
	const struct incident *in;
	const struct agent *a;
	uint64_t id;

	if (model_next_id(KIND_DELIVERY) > DELIVERIES ||
	    model_next_id(KIND_INCIDENT) > OF_RUN ||
	    model_next_id(KIND_CHECK) > CHECKS)
		abort();
	MODEL_ALL(d, KIND_DELIVERY)	/* what is done stays as it is */
		if (seen_deliveries[d->o.id].state < DELIVERY_ACCEPTED)
			seen_delivery(d, &seen_deliveries[d->o.id]);
	MODEL_ALL(in, KIND_INCIDENT)
		seen_incident(in, &seen_incidents[in->o.id]);
	MODEL_ALL(a, KIND_AGENT)
		seen_agent(a, &seen_agents[a->o.id]);
	for (id = 1; id < CHECKS; id++)
		seen_check(model_check_by_id(id), &seen_checks[id]);
}

/* It begins anew, or went on from what a crash left. */
static void
seen_anew(void)
{
	memset(seen_deliveries, 0, sizeof seen_deliveries);
	memset(seen_incidents, 0, sizeof seen_incidents);
	memset(seen_agents, 0, sizeof seen_agents);
	seen_counts = false;
	seen_look();
	seen_counts = true;
}

/* Each that was never taken fails. */
static void
seen_all(void)
{
	for (unsigned i = 0; i < SEEN; i++)
		if (!CHECK_ROW(i, seen_n[i] > 0))
			printf("never: %s\n", seen_names[i]);
}

/* Is it that this one is not reached? */
static bool
is_own_of(uint64_t recipient, const struct incident *in)
{
	const char *name = strstr(in->what, NOTIFY_OWN);

	return in->agent == 0 && name != NULL && strcmp(name +
	    sizeof NOTIFY_OWN - 1, model_recipient(recipient)->name) == 0;
}

#endif
