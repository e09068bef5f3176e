/*
 * told_test: the promises about what is told, held at random: results good
 * and bad, agents silent and stopped, attempts of every outcome, crashes at
 * every point.  A run is made of its seed alone.
 */
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../silence.h"
#include "told_seen.h"

#define HISTORIES	500	/* or as many as HISTORIES says */
#define COVERED		200	/* of so many each transition is asked */
#define WORKERS		2	/* processes */
#define STEPS		200
#define AGENTS		3

static uint32_t seed;
static uint64_t late;		/* told only of what is 20 s old */
static uint64_t hook;		/* by webhook, of type:cpu and web2/c */
static uint64_t hours;		/* in certain minutes only */
static bool was_held[OF_RUN];	/* incidents whose news something held */
static unsigned outage;		/* steps for which nobody can be reached */
static unsigned run;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* ---- what happens ---- */

static const struct {
	const char *name, *type, *params, *warn, *crit;
	int64_t for_s, hits, of, renotify_s;
} kinds[] = {
	{ "a", "process", "{\"process_name\":\"x\"}", "", "", 0, 1, 1, 60 },
	{ "b", "cpu", "", "above 50", "above 80", 0, 1, 1, 0 },
	{ "c", "cpu", "", "above 50", "above 80", 10, 1, 1, 0 },
	{ "d", "cpu", "", "", "above 60", 0, 2, 3, 90 },
};

static void
set_up(void)
{
	struct recipient *r;
	unsigned i, k;

	add_recipient("all", STATUS_WARNING);
	add_recipient("worst", STATUS_CRITICAL);
	r = model_draft(KIND_RECIPIENT, add_recipient("late",
	    STATUS_WARNING));
	r->after_s = 20;
	late = seen_late = r->o.id;
	change_put(KIND_RECIPIENT, r, &client, &why);
	r = model_draft(KIND_RECIPIENT, add_recipient("hook",
	    STATUS_WARNING));
	r->channel = TO_WEBHOOK;
	model_text(&r->address, STR("https://hook.example.org/"));
	model_text(&r->match, STR("type:cpu, web2/c"));
	hook = r->o.id;
	change_put(KIND_RECIPIENT, r, &client, &why);
	r = model_draft(KIND_RECIPIENT, add_recipient("hours",
	    STATUS_WARNING));
	model_text(&r->hours, STR("06:54-06:56,06:58-07:03,07:10-24:00"));
	hours = seen_hours = r->o.id;
	change_put(KIND_RECIPIENT, r, &client, &why);
	memset(was_held, 0, sizeof was_held);
	for (i = 0; i < AGENTS; i++) {
		static const struct {
			const char *name, *parent;
		} hosts[AGENTS] = {
			{ "gw", "" }, { "web1", "gw" }, { "web2", "gw/a" },
		};
		struct agent *a = (struct agent *)model_draft(KIND_AGENT,
		    NULL);

		model_text(&a->hostname, str_of(hosts[i].name));
		model_text(&a->parent, str_of(hosts[i].parent));
		a = change_put(KIND_AGENT, a, &client, &why);
		for (k = 0; k < COUNT(kinds); k++) {
			struct check *c = (struct check *)model_draft(
			    KIND_CHECK, NULL);

			c->agent_id = a->o.id;
			c->type = check_type(str_of(kinds[k].type));
			model_text(&c->name, str_of(kinds[k].name));
			model_text(&c->params, str_of(kinds[k].params));
			model_text(&c->warn, str_of(kinds[k].warn));
			model_text(&c->crit, str_of(kinds[k].crit));
			c->for_s = kinds[k].for_s;
			c->hits = kinds[k].hits;
			c->of = kinds[k].of;
			c->renotify_s = kinds[k].renotify_s;
			change_put(KIND_CHECK, &c->o, &client, &why);
		}
	}
	commit();
}

static struct agent *
any_agent(void)
{
	return (struct agent *)model_at(KIND_AGENT, rnd(AGENTS));
}

static struct check *
any_check(void)
{
	return (struct check *)model_at(KIND_CHECK,
	    rnd((uint32_t)model_count(KIND_CHECK)));
}

/* A report of up to four results: of now, of some time ago, or of a time that
 * had one. */
static void
do_report(void)
{
	struct agent *a = any_agent();
	struct report *rep = begin_report(a);
	struct check *c;
	unsigned n = 0;

	for (c = a->checks; c != NULL && n < 4; c = c->next, n++) {
		int64_t at = now.now_ms - (rnd(8) == 0 ? rnd(60000) : 0);
		int64_t value = rnd(4) == 0 ? 0 : rnd(100);
		bool unknown = rnd(12) == 0;

		if (rnd(3) == 0)
			continue;
		if (rnd(16) == 0 && c->last_result != 0)
			at = c->last_result;
		seen(R_LATE, alert_late(at, now.now_ms, model_interval(c)));
		seen(R_TWICE, at == c->last_result);
		seen(R_EARLIER, at < c->last_result);
		add_result(rep, c, at, value, unknown ? STATUS_UNKNOWN :
		    STORE_NO_CODE);
	}
	the_store.head++;
}

static void
do_stop(void)
{
	struct agent *a = any_agent();

	begin_report(a);
	the_store.head++;
	seen_look();
	watch_stopped(a, &now);
}

static void
do_toggle(void)
{
	struct check *c = any_check(), *d;

	d = (struct check *)model_draft(KIND_CHECK, &c->o);
	d->enabled = !d->enabled;
	c = (struct check *)change_put(KIND_CHECK, &d->o, &client, &why);
	if (!c->enabled)
		watch_check_gone(c, "disabled", &now);
	commit();
}

static void
do_toggle_agent(void)
{
	struct agent *a = any_agent(), *d;

	d = (struct agent *)model_draft(KIND_AGENT, &a->o);
	d->enabled = !d->enabled;
	a = (struct agent *)change_put(KIND_AGENT, &d->o, &client, &why);
	if (!a->enabled)
		watch_agent_gone(a, "disabled", &now);
	else {
		watch_agent_back(a, &now);
		heard_ms[a->o.id % 8] = now.watch_ms;
	}
	commit();
}

static void
do_remove(void)
{
	struct check *c = any_check();

	if (model_count(KIND_CHECK) < 4)
		return;
	watch_check_gone(c, "removed", &now);
	CHECK(change_remove(KIND_CHECK, c->o.id, &client, &why) == 0);
	commit();
}

/* Someone sees to an incident, or no longer. */
static void
do_acknowledge(void)
{
	struct change ch = { "key:1", "api", now.now_ms, true };
	const struct incident *in;
	struct incident *d;
	size_t i = rnd(1 + (uint32_t)model_count(KIND_INCIDENT));

	while ((in = (void *)model_at(KIND_INCIDENT, i)) != NULL &&
	    in->closed != 0)
		i++;
	if (in == NULL)
		return;
	d = model_draft(KIND_INCIDENT, in);
	d->acknowledged = in->acknowledged == 0 ? now.now_ms : 0;
	d->acknowledged_until = d->acknowledged == 0 || rnd(2) == 0 ? 0 :
	    now.now_ms + 1 + rnd(60000);
	change_keep(KIND_INCIDENT, d, &ch);
}

/* How often deliveries say something of checks' incidents that someone sees
 * to, and goes on seeing to. */
static unsigned
said_of_seen(void)
{
	const struct tally *all = all_say();
	const struct incident *in;
	unsigned n = 0;

	MODEL_ALL(in, KIND_INCIDENT)
		if (in->acknowledged != 0 && in->check != 0 &&
		    (in->acknowledged_until == 0 ||
		    in->acknowledged_until > now.now_ms))
			n += all->bad[in->o.id];
	return n;
}

/* ---- what holds news back, as this test sees it ---- */

static const char *const patterns[] = { "web1", "web2/*", "type:cpu",
    "*/a, gw" };

static bool
is_meant(const char *pattern, const struct agent *a, const struct check *c)
{
	switch (pattern[3] == '1' ? 0 : pattern[0] == 'w' ? 1 :
	    pattern[0] == 't' ? 2 : 3) {
	case 0:
		return strcmp(a->hostname, "web1") == 0;
	case 1:
		return c != NULL && strcmp(a->hostname, "web2") == 0;
	case 2:
		return c != NULL && strcmp(c->type->name, "cpu") == 0;
	default:
		return strcmp(a->hostname, "gw") == 0 ||
		    (c != NULL && strcmp(c->name, "a") == 0);
	}
}

static bool
is_held(const struct incident *in)
{
	const struct agent *a = model_agent(in->agent), *gw = (void *)
	    model_at(KIND_AGENT, 0);
	const struct check *c = model_check_by_id(in->check), *ping;
	const struct silence *s;

	if (a == NULL || (c == NULL && in->check != 0))
		return false;
	MODEL_ALL(s, KIND_SILENCE)
		if (now.now_ms >= s->from && now.now_ms < s->until &&
		    is_meant(s->match, a, c))
			return true;
	if (c != NULL && a->state == AGENT_SILENT)
		return true;
	if (a == gw)
		return false;
	ping = model_check_named(gw, STR("a"));
	if (a->parent[2] == '/' && ping == NULL)
		return false;		/* what is not there holds nothing */
	return gw->state == AGENT_SILENT || (a->parent[2] == '/' &&
	    ping->enabled && gw->enabled && (ping->raw % STATUS_NONE != 0 ||
	    ping->alert.held % STATUS_NONE != 0));
}

/* An operator says that something is to be quiet, or no longer. */
static void
do_silence(void)
{
	struct silence *s;

	if (rnd(3) == 0 && (s = (void *)model_at(KIND_SILENCE,
	    rnd(1 + (uint32_t)model_count(KIND_SILENCE)))) != NULL) {
		CHECK(change_remove(KIND_SILENCE, s->o.id, &client, &why) ==
		    0);
		commit();
		return;
	}
	s = model_draft(KIND_SILENCE, NULL);
	model_text(&s->match, str_of(patterns[rnd(COUNT(patterns))]));
	s->from = now.now_ms + (rnd(3) == 0 ? rnd(30000) : 0);
	s->until = s->from + 1 + rnd(90000);
	change_put(KIND_SILENCE, s, &client, &why);
	commit();
}

/* ---- */

/* Who was not heard in time is silent, and nobody else; and what someone sees
 * to is not told again. */
static void
do_tick(void)
{
	bool due[8];
	size_t i, n = model_count(KIND_AGENT);
	unsigned said;

	for (i = 0; i < n; i++) {
		struct agent *a = (struct agent *)model_at(KIND_AGENT, i);
		int64_t limit = a->state == AGENT_STOPPED ?
		    WATCH_STOPPED_MS : model_late_after_ms(a);

		if (heard_ms[a->o.id % 8] == 0)
			limit += WATCH_START_MS;
		due[i] = a->enabled && (a->state == AGENT_UP ||
		    a->state == AGENT_STOPPED) &&
		    now.watch_ms - heard_ms[a->o.id % 8] > limit;
		due[i] = due[i] || a->state == AGENT_SILENT;
	}
	said = said_of_seen();
	watch_tick(&now);
	CHECK_ROW(run, said_of_seen() == said);
	for (i = 0; i < n; i++)
		CHECK_ROW(run, due[i] == (((struct agent *)
		    model_at(KIND_AGENT, i))->state == AGENT_SILENT));
}

static void
do_answer(void)
{
	static const enum channel_end ends[] = { CHANNEL_ACCEPTED,
	    CHANNEL_ACCEPTED, CHANNEL_RETRY, CHANNEL_UNKNOWN,
	    CHANNEL_REFUSED };

	unsigned after_s = rnd(6) == 0 ? rnd(300) : 0;

	if (rnd(8) == 0)
		child_dies();
	else
		answer(ends[rnd(COUNT(ends))], after_s);
}

/* ---- what must hold ---- */

/* One open incident for what is bad, none for what is not. */
static void
incidents_hold(void)
{
	size_t i, k, open = 0, bad = 0;

	for (i = 0; i < model_count(KIND_INCIDENT); i++) {
		const struct incident *in = (void *)model_at(KIND_INCIDENT, i);

		open += in->closed == 0;
		bad += in->closed == 0 && in->agent == 0;
		for (k = 0; k < i && in->closed == 0; k++) {
			const struct incident *o = (void *)
			    model_at(KIND_INCIDENT, k);

			CHECK_ROW(run, o->closed != 0 ||
			    o->agent != in->agent || o->check != in->check ||
			    strcmp(o->what, in->what) != 0);
		}
	}
	for (i = 0; i < model_count(KIND_CHECK); i++) {
		const struct check *c = (void *)model_at(KIND_CHECK, i);
		bool is = c->alert.held != STATUS_OK &&
		    c->alert.held != STATUS_NONE;

		/* or it is there for all to see why not */
		CHECK_ROW(run, is == (c->incident != 0) ||
		    (is && c->held_by[0] != '\0'));
		CHECK_ROW(run, is || !c->alert.flaps);
		bad += c->incident != 0;
	}
	for (i = 0; i < model_count(KIND_AGENT); i++) {
		const struct agent *a = (void *)model_at(KIND_AGENT, i);

		CHECK_ROW(run, a->state == AGENT_SILENT || a->incident == 0);
		bad += a->incident != 0;
	}
	CHECK_ROW(run, open == bad);
}

static bool
is_for(uint64_t recipient, const struct incident *in)
{
	const struct recipient *r = model_recipient(recipient);

	/* Whom others do not reach is told to whoever is reached himself:
	 * reach_test. */
	if (in->agent == 0 && strstr(in->what, NOTIFY_OWN) != NULL)
		return false;
	/* what web2/c is called is known as long as it is there */
	return in->severity >= r->severity && recipient != late &&
	    (recipient != hook || (in->check != 0 &&
	    strcmp(in->what + strlen(in->what) - 2, " a") != 0));
}

/* Each incident, or each that is open, is in a delivery to that recipient, if
 * it wants it. */
static void
told_holds(uint64_t recipient, bool open)
{
	struct tally t = { .bad = { 0 } };
	const struct delivery *d;
	const struct incident *in;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->recipient == recipient)
			tally(&t, d->items, 1);
	MODEL_ALL(in, KIND_INCIDENT)
		CHECK_ROW(run, !is_own_of(recipient, in) || (t.bad[in->o.id] ==
		    0 && t.ok[in->o.id] == 0));
	MODEL_ALL(in, KIND_INCIDENT)
		CHECK_ROW(run, t.bad[in->o.id] > 0 ||
		    !is_for(recipient, in) || (open ?
		    in->closed != 0 : was_held[in->o.id]));
}

/* All of it is told, or visibly not: none is given up but for an answer. */
static void
all_told_of(void)
{
	const struct delivery *d;
	const struct object *r;

	MODEL_ALL(r, KIND_RECIPIENT)
		told_holds(r->id, false);
	MODEL_ALL(d, KIND_DELIVERY) {
		CHECK_ROW(run, d->state == DELIVERY_ACCEPTED ||
		    d->state == DELIVERY_SENDING || d->attempts == 0 ||
		    d->last_error[0] != '\0');
		CHECK_ROW(run, d->state != DELIVERY_GIVEN_UP ||
		    last_end(d->o.id) == NO ||
		    d->attempts >= NOTIFY_GIVE_UP_TRIES);
	}
}

/* Is there a delivery to that recipient in this state that says the end of an
 * incident? */
static bool
end_is(enum delivery_state state, uint64_t recipient, uint64_t incident)
{
	const struct delivery *d;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->state == state && d->recipient == recipient &&
		    says(d->items, incident, true))
			return true;
	return false;
}

/* The attempt that begins: never again what was taken or refused, and
 * never only the beginning of what is over, unless it may have been told before
 * or its end follows. */
static void
attempt_holds(size_t at)
{
	const struct try *t = &tries[at];
	const struct incident *in;
	struct tally it = { .bad = { 0 } };
	size_t i;

	for (i = 0; i < at; i++)
		CHECK_ROW(run, tries[i].delivery != t->delivery ||
		    (tries[i].end != YES && !tries[i].refused));
	tally(&it, t->items, 1);
	MODEL_ALL(in, KIND_INCIDENT) {
		CHECK_ROW(run, it.ok[in->o.id] <= 1);
		CHECK_ROW(run, t->unknown || in->closed == 0 ||
		    it.bad[in->o.id] == 0 || it.ok[in->o.id] > 0 ||
		    end_is(DELIVERY_QUEUED, t->recipient, in->o.id));
	}
	CHECK_ROW(run, t->recipient != hours || strcmp(t->items, "[]") == 0 ||
	    hours_hold(&model_recipient(hours)->when, now.now_ms));
	sending();
}

/* When all is over: what one recipient heard of each incident. */
static void
story_holds(uint64_t recipient)
{
	struct heard {
		bool alarm, end, last_ok;
		unsigned ends;
	} all[OF_RUN] = { { .ends = 0 } }, *h;
	const struct incident *in;
	size_t i;

	for (i = 0; i < tries_n; i++) {
		const struct try *t = &tries[i];
		struct tally it = { .bad = { 0 } };

		if (t->recipient != recipient || t->end == NO)
			continue;
		tally(&it, t->items, 1);
		MODEL_ALL(in, KIND_INCIDENT) {
			bool bad = it.bad[in->o.id] > 0;
			bool ok = it.ok[in->o.id] > 0;

			if (!bad && !ok)
				continue;
			h = &all[in->o.id];
			/* no end without a beginning, before it or with it */
			CHECK_ROW(run, h->alarm || bad);
			h->alarm = h->alarm || bad;
			h->end = h->end || ok;
			h->ends += ok && t->end == YES;
			h->last_ok = ok;
		}
	}
	MODEL_ALL(in, KIND_INCIDENT) {
		h = &all[in->o.id];
		CHECK_ROW(run, h->ends <= 1);
		CHECK_ROW(run, h->alarm == h->end ||
		    end_is(DELIVERY_GIVEN_UP, recipient, in->o.id));
		CHECK_ROW(run, !h->end || h->last_ok);
	}
}

/* ---- a run ---- */

/* The end of a turn of the loop, at which a commit may fail. */
static void
do_turn(bool fails)
{
	size_t n = tries_n;

	notify_due(&now);
	if (fails)
		commit_fails();
	else
		commit();
	notify_send(&now);
	for (; n < tries_n; n++)
		if (tries[n].end == OPEN)
			attempt_holds(n);
	seen_look();
}

/*
 * The disk takes nothing: what an operator asked for is undone, what was
 * decided holds, and is told all the same, and written once the disk works.
 */
static void
do_fail(void)
{
	struct check *c = any_check(), *d;
	bool enabled = c->enabled;

	if (c->o.id == 1)	/* else what it holds back is told meanwhile */
		return;
	do_report();
	d = model_draft(KIND_CHECK, c);
	d->enabled = !enabled;
	no_room = rnd(2) == 0;
	CHECK_ROW(run, (change_put(KIND_CHECK, &d->o, &client, &why) ==
	    NULL) == no_room);
	seen(S_NO_ROOM, no_room);
	seen(S_UNDONE, !no_room);
	no_room = false;
	do_turn(true);
	CHECK_ROW(run, c->enabled == enabled);
	seen(S_FAILS, true);
	seen(S_LATER, lines_n > lines_safe);
	if (rnd(4) == 0)
		watch_own("disk", STATUS_CRITICAL, "no room", &now);
	if (rnd(2) == 0)
		do_answer();
	do_turn(false);
	watch_own("disk", STATUS_OK, "it takes writes again", &now);
}

static char was[1u << 20], is[1u << 20];

/* What is known of checks, agents and incidents. */
static void
dump(char *dst, size_t cap)
{
	static const enum kind k[] = { KIND_AGENT, KIND_CHECK, KIND_INCIDENT,
	    KIND_DELIVERY };
	struct buf b;
	unsigned i;
	size_t n;

	buf_init(&b, dst, cap - 1);
	for (i = 0; i < COUNT(k); i++)
		for (n = 0; n < model_count(k[i]); n++) {
			buf_addf(&b, "%llu ", (unsigned long long)
			    model_at(k[i], n)->id);
			model_kept(&b, k[i], model_at(k[i], n), NULL);
			buf_addc(&b, '\n');
		}
	dst[b.n] = '\0';
}

/* With so many reports on the disk.  Of a batch of records that was cut the
 * store gives none. */
static void
crash(uint64_t heads)
{
	bool lost = lines_n > lines_safe;
	const struct delivery *d;

	seen_look();
	seen(K_WHOLE, !lost && heads == the_store.head);
	seen(K_LOST, lost);
	seen(K_REPORTS, lost && heads > reports_safe);
	seen(K_SOME, heads > reports_safe && heads < the_store.head);
	restart(heads);
	watch_own("disk", STATUS_OK, "it takes writes again", &now);
	seen(K_SNAPSHOT, change_unwritten());
	MODEL_ALL(d, KIND_DELIVERY)
		seen(D_RESUMED, d->state == DELIVERY_QUEUED &&
		    seen_deliveries[d->o.id].state == DELIVERY_SENDING &&
		    str_starts(str_of(d->last_error), STR("the server ended")));
	seen_anew();
	incidents_hold();
}

/*
 * kill -9.  Of what was not committed, the reports may be there and the
 * journal not (the head goes first).  With all committed and nothing on its
 * way, what comes back is what was there, to the byte.
 */
static void
do_restart(void)
{
	uint64_t heads = reports_safe, n = the_store.head - heads;
	bool whole = rnd(2) == 0;

	if (rnd(4) == 0) {		/* at a busy time */
		do_report();
		do_report();
		n += 2;
	}
	if (rnd(4) > 0)
		heads += rnd(2) == 0 ? n : rnd((uint32_t)n + 1);
	if (whole) {
		answer(CHANNEL_ACCEPTED, 0);
		commit();
		heads = the_store.head;
		dump(was, sizeof was);
	}
	crash(heads);
	if (!whole)
		return;
	dump(is, sizeof is);
	if (!CHECK_ROW(run, strcmp(was, is) == 0)) {
		size_t i;

		for (i = 0; was[i] == is[i]; i++)
			;
		for (; i > 0 && was[i - 1] != '\n'; i--)
			;
		printf("- %.700s\n+ %.700s\n", was + i, is + i);
	}
}

/* Nobody can be reached for more than a day, nor is anybody heard. */
static void
do_outage(void)
{
	unsigned i;

	outage--;
	do_tick();
	for (i = 0; i < 4; i++) {	/* one way, for four recipients */
		answer(CHANNEL_RETRY, 0);
		pass(1200000 + rnd(60000));
		do_turn(false);
	}
}

static void
do_jump(void)
{
	int64_t ms = rnd(4) == 0 ? rnd(7200000) : rnd(60000);
	bool back = rnd(2) == 0;

	now.now_ms += back ? -ms : ms;
	seen(T_BACK, back);
	seen(T_FORWARD, !back);
}

static void
something(void)
{
	switch (rnd(29)) {
	case 0:
		do_stop();
		break;
	case 1:
		do_toggle();
		break;
	case 2:
		do_remove();
		break;
	case 3:
		do_toggle_agent();
		break;
	case 4:
	case 5:
		do_restart();
		break;
	case 6:
		do_jump();
		break;
	case 7:
		commit();
		CHECK(change_snapshot(NULL, now.now_ms, &why) == 0);
		break;
	case 24:
		do_acknowledge();
		break;
	case 25:
	case 26:
		do_silence();
		break;
	case 27:
		do_fail();
		break;
	case 28:
		if (rnd(40) == 0)
			outage = 24;
		do_stop();
		break;
	case 8:
	case 9:
	case 10:
		do_tick();
		break;
	case 11:
	case 12:
	case 13:
	case 14:
		do_answer();
		break;
	default:
		do_report();
		break;
	}
}

/* Of what is held back before and after, nobody hears anything bad. */
static void
step(void)
{
	unsigned said[OF_RUN] = { 0 };
	bool held[OF_RUN] = { false };
	const struct incident *in;
	const struct tally *all;
	bool long_one = outage > 0;

	pass(rnd(3) == 0 ? rnd(200) : rnd(12000));
	all = all_say();
	MODEL_ALL(in, KIND_INCIDENT) {
		held[in->o.id] = is_held(in);
		said[in->o.id] = all->bad[in->o.id];
	}
	if (outage > 0)
		do_outage();
	else
		something();
	seen_look();
	notify_look(&now);
	seen_look();
	all = all_say();
	MODEL_ALL(in, KIND_INCIDENT) {
		bool still = in->closed == 0 && is_held(in);

		/* a restart goes through what was not held back then; within
		 * an hour it may have been free, and be held by another */
		if (still && held[in->o.id] && now.watch_ms > 0 && !long_one)
			CHECK_ROW(run, all->bad[in->o.id] == said[in->o.id]);
		was_held[in->o.id] |= still;
	}
	if (outage > 0 || rnd(3) > 0)
		do_turn(false);
	incidents_hold();
}

/* Whatever is bad when nothing holds it back any longer, is told. */
static void
lift(void)
{
	const struct object *r;
	struct silence *s;
	struct agent *a;
	struct check *c;
	unsigned i;

	/* What is older than the newest result counts for nothing, unless
	 * that is of a clock that went back. */
	MODEL_ALL(c, KIND_CHECK)
		if (now.now_ms < c->last_result &&
		    c->last_result <= now.now_ms + WATCH_AHEAD_MS)
			now.now_ms = c->last_result;

	while ((s = (void *)model_at(KIND_SILENCE, 0)) != NULL)
		CHECK(change_remove(KIND_SILENCE, s->o.id, &client, &why) ==
		    0);
	for (i = 0; i < 6; i++) {
		/* a parent that flaps holds it back until it is calm */
		pass(i == 3 ? ALERT_CALM_MS : 6000);
		MODEL_ALL(a, KIND_AGENT) {
			struct report *rep = begin_report(a);

			for (c = a->checks; c != NULL; c = c->next)
				add_result(rep, c, now.now_ms,
				    strcmp(c->name, "a") != 0 ? 99 :
				    strcmp(a->hostname, "gw") == 0,
				    STORE_NO_CODE);
			the_store.head++;
		}
		watch_tick(&now);
		notify_look(&now);
	}
	MODEL_ALL(c, KIND_CHECK)
		CHECK_ROW(run, !c->enabled || !c->agent->enabled ||
		    c->alert.held == STATUS_OK || c->incident != 0);
	MODEL_ALL(r, KIND_RECIPIENT)
		told_holds(r->id, true);
	incidents_hold();
}

/* All is well again, all are reached, and everything is told. */
static void
settle(void)
{
	const struct recipient *r;
	struct agent *a;
	struct check *c;
	unsigned i;
	size_t k;

	MODEL_ALL(r, KIND_RECIPIENT)
		CHECK_ROW(run, notify_test(r, false, &client, &why) != 0);
	for (i = 0; i < 8; i++)
		for (k = 0; k < AGENTS; k++) {
			struct report *rep;

			/* what flaps is held until it is calm */
			pass(i == 7 && k == 0 ? ALERT_CALM_MS : 6000);
			a = (struct agent *)model_at(KIND_AGENT, k);
			rep = begin_report(a);
			for (c = a->checks; c != NULL; c = c->next)
				add_result(rep, c, now.now_ms, 1,
				    STORE_NO_CODE);
			the_store.head++;
			answer(CHANNEL_ACCEPTED, 0);
			if (i < 7)
				watch_tick(&now);
			do_turn(false);
		}
	incidents_hold();
	all_told_of();
	for (i = 0; i < 200 && (notify_next() != INT64_MAX ||
	    sending() != NULL); i++) {
		pass(1000000);
		do_turn(false);
		answer(CHANNEL_ACCEPTED, 0);
	}
	CHECK_ROW(run, i < 200);
}

static uint64_t
story(uint32_t from)
{
	uint64_t sum = 14695981039346656037u;
	const struct incident *in;
	const struct object *r;
	const char *p;
	size_t i;

	seed = from;
	outage = 0;
	fresh();
	set_up();
	seen_anew();
	for (i = 0; i < STEPS; i++)
		step();
	lift();
	settle();
	MODEL_ALL(in, KIND_INCIDENT)
		CHECK_ROW(run, in->closed != 0);
	MODEL_ALL(r, KIND_RECIPIENT)
		story_holds(r->id);
	all_told_of();
	for (i = 0; i < lines_n; i++)
		for (p = lines[i]; *p != '\0'; p++)
			sum = (sum ^ (unsigned char)*p) * 1099511628211u;
	return sum;
}

/* A worker's histories. */
static void
tell(uint64_t from, uint64_t to, uint64_t by)
{
	uint64_t sum;

	for (; from <= to && test_bad == 0; from += by) {
		run = (unsigned)from;
		sum = story(run);
		if (run % 31 == 0)	/* the same again: to the byte */
			CHECK_ROW(run, story(run) == sum);
		if (test_bad > 0)
			printf("this is told_test %u\n", run);
	}
	fresh();
}

/* What it tells the others when it is done. */
struct told {
	int ran, bad;
	uint64_t seen_n[SEEN];
};

static pid_t
work(uint64_t from, uint64_t to, int pipe_fd)
{
	struct told t = { .ran = 0 };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid != 0)
		return pid;
	tell(from, to, WORKERS);
	t.ran = test_ran;
	t.bad = test_bad;
	memcpy(t.seen_n, seen_n, sizeof seen_n);
	if (write(pipe_fd, &t, sizeof t) != (ssize_t)sizeof t)
		exit(1);
	exit(test_bad != 0);
}

/* All histories, by some workers; the first that fails ends the others. */
static void
tell_all(uint64_t n)
{
	pid_t pid, pids[WORKERS];
	int fd[2], status;
	struct told t;

	if (!CHECK(pipe(fd) == 0))
		return;
	for (unsigned i = 0; i < WORKERS; i++)
		pids[i] = work(i + 1, n, fd[1]);
	close(fd[1]);
	while ((pid = wait(&status)) > 0)
		for (unsigned i = 0; i < WORKERS; i++)
			if (pids[i] == pid) {
				pids[i] = -1;
				CHECK(status == 0);
			} else if (status != 0 && pids[i] > 0) {
				kill(pids[i], SIGTERM);
			}
	while (read(fd[0], &t, sizeof t) == (ssize_t)sizeof t) {
		test_ran += t.ran;
		test_bad += t.bad;
		for (unsigned i = 0; i < SEEN; i++)
			seen_n[i] += t.seen_n[i];
	}
	close(fd[0]);
}

/* told_test: all histories.  told_test NUMBER: that one. */
int
main(int argc, char **argv)
{
	const char *many = getenv("HISTORIES");
	uint64_t n = HISTORIES;

	if (argc > 1)
		many = argv[1];
	if (many != NULL && !CHECK(str_u64(str_of(many), 1, 1000000,
	    &n) == 0))
		return test_end();
	if (argc > 1) {
		tell(n, n, 1);
		return test_end();
	}
	tell_all(n);
	if (n >= COVERED && test_bad == 0)
		seen_all();
	return test_end();
}
