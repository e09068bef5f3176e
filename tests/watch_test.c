/*
 * watch_test: what is told of what happens, case by case.  told_test holds
 * the same to its promises at random.
 */
#include "../beat.h"
#include "watch_world.h"

/* ---- one by one ---- */

static struct check *
add_nginx(void)
{
	return add_check(add_agent("web1"), "process nginx", "process",
	    "{\"process_name\":\"nginx\"}");
}

/* DESIGN's own example, and its end. */
static void
test_texts(void)
{
	struct check *c;

	fresh();
	add_recipient("alice", STATUS_CRITICAL);
	c = add_nginx();
	result(c, 1);
	turn();
	CHECK(model_count(KIND_INCIDENT) == 0 && tries_n == 0 &&
	    c->alert.held == STATUS_OK && c->agent->state == AGENT_UP);
	now.now_ms = START_MS;
	c->alert.at_ms = START_MS - 1;
	result(c, 0);
	CHECK(model_count(KIND_INCIDENT) == 1 && c->incident == 1);
	CHECK(tries_n == 0 && last_delivery() != NULL);
	turn();
	CHECK(tries_n == 1 && last_delivery()->state == DELIVERY_SENDING);
	CHECK(text_is(last_delivery()->title,
	    "Vilicus alert: web1 process nginx is now critical"));
	CHECK(text_is(last_delivery()->message, "process nginx on web1 "
	    "changed from ok to critical at 2026-11-22 06:53:11 UTC: 0 "
	    "running, at least 1 expected"));
	CHECK(strstr(job, "\"timestamp\":1795330391") != NULL &&
	    strstr(job, "\"priority\":1") != NULL);
	CHECK(strstr(job, "\"token\":\"token\"") != NULL &&
	    strstr(job, "\"user\":\"aliceabcdefghijklmnopqrstuvwxy\"") != NULL);
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(last_delivery()->state == DELIVERY_ACCEPTED &&
	    strcmp(last_delivery()->request, "id-1") == 0 &&
	    last_delivery()->sent == now.now_ms &&
	    last_delivery()->attempts == 1);
	pass(6000);
	result(c, 1);
	turn();
	CHECK(tries_n == 2 && model_incident(1)->closed == now.now_ms &&
	    c->incident == 0);
	CHECK(text_is(last_delivery()->title,
	    "Vilicus alert: web1 process nginx is now ok"));
	CHECK(strstr(job, "\"priority\":0") != NULL);
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(notify_next() == INT64_MAX);
}

/* At once; then what comes within 5 s as one message at their end. */
static void
test_group(void)
{
	struct agent *a;
	struct check *c[3];
	int i;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	a = add_agent("web1");
	for (i = 0; i < 3; i++)
		c[i] = add_check(a, i == 0 ? "a" : i == 1 ? "b" : "c",
		    "process", "{\"process_name\":\"x\"}");
	result(c[0], 0);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(tries_n == 1);
	pass(1000);
	result(c[1], 0);
	turn();
	pass(3999);
	result(c[2], 0);
	turn();
	CHECK(tries_n == 1 && model_count(KIND_DELIVERY) == 2 &&
	    notify_next() == now.watch_ms + 1);
	pass(1);
	turn();
	CHECK(tries_n == 2);
	CHECK(text_is(last_delivery()->title,
	    "Vilicus alert: 2 changes, worst critical"));
	CHECK(text_is(last_delivery()->items,
	    "[[2,3,\"critical\"]]"));
	answer(CHANNEL_ACCEPTED, 0);
	/* One message: an alarm nobody tried to tell, and its end. */
	pass(1000);
	result(c[0], 1);
	turn();
	pass(500);
	result(c[0], 0);
	pass(500);
	result(c[0], 1);
	pass(4000);
	turn();
	CHECK(tries_n == 3 && model_count(KIND_DELIVERY) == 3);
	CHECK(text_is(last_delivery()->items,
	    "[[1,\"ok\"],[4,\"critical\"],[4,\"ok\"]]"));
	answer(CHANNEL_ACCEPTED, 0);
}

static void
test_back_off(void)
{
	struct delivery *d;
	struct check *c;
	int64_t expect = NOTIFY_BACKOFF_MS, queued, wait;
	unsigned i;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	c = add_check(add_agent("web1"), "a", "process",
	    "{\"process_name\":\"x\"}");
	queued = now.now_ms;
	result(c, 0);
	for (i = 1; i < 200; i++) {
		turn();
		d = last_delivery();
		if (!CHECK_ROW(i, tries_n == i && d->attempts == i))
			return;
		answer(CHANNEL_RETRY, 0);
		if (d->state == DELIVERY_GIVEN_UP)
			break;
		CHECK_ROW(i, strcmp(d->last_error, "because") == 0 &&
		    d->code == 500 && d->state == DELIVERY_QUEUED);
		wait = notify_next() - now.watch_ms;
		CHECK_ROW(i, wait >= expect && wait <= expect + expect / 10);
		CHECK_ROW(i, d->next == now.now_ms + wait);
		expect = expect * 2 > NOTIFY_BACKOFF_MAX_MS ?
		    NOTIFY_BACKOFF_MAX_MS : expect * 2;
		pass(wait - 1);
		turn();
		CHECK_ROW(i, tries_n == i);	/* not before */
		pass(1);
	}
	/* After a day it is given up, in plain sight. */
	CHECK(now.now_ms - queued > NOTIFY_GIVE_UP_MS &&
	    now.now_ms - queued < NOTIFY_GIVE_UP_MS + 1100000);
	CHECK(last_delivery()->state == DELIVERY_GIVEN_UP &&
	    last_delivery()->last_error[0] != '\0' &&
	    notify_next() == INT64_MAX);
	/* Who never was told of it, is not told of its end. */
	result(c, 1);
	turn();
	CHECK(model_count(KIND_DELIVERY) == 1 && model_incident(1)->closed);
}

/* Given up, but the last attempt may have arrived: then the end is told. */
static void
test_unknown_at_last(void)
{
	struct check *c;
	unsigned i;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	c = add_check(add_agent("web1"), "a", "process",
	    "{\"process_name\":\"x\"}");
	result(c, 0);
	turn();
	for (i = 1; i < NOTIFY_GIVE_UP_TRIES; i++) {
		answer(CHANNEL_RETRY, 0);
		pass(notify_next() - now.watch_ms);
		turn();
	}
	pass(NOTIFY_GIVE_UP_MS);
	answer(CHANNEL_UNKNOWN, 0);
	CHECK(last_delivery()->state == DELIVERY_GIVEN_UP &&
	    last_delivery()->unknown);
	result(c, 1);
	turn();
	CHECK(model_count(KIND_DELIVERY) == 2 &&
	    text_is(last_delivery()->items, "[[1,\"ok\"]]"));
}

/* Retry-After is held, whatever comes meanwhile. */
static void
test_asked_to_wait(void)
{
	struct agent *a;
	struct check *c, *other;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	a = add_agent("web1");
	c = add_check(a, "a", "process", "{\"process_name\":\"x\"}");
	other = add_check(a, "b", "process", "{\"process_name\":\"x\"}");
	result(c, 0);
	turn();
	answer(CHANNEL_RETRY, 600);
	CHECK(notify_next() == now.watch_ms + 600000);
	pass(10000);
	result(other, 0);
	CHECK(notify_next() == now.watch_ms + 590000);
	CHECK(model_count(KIND_DELIVERY) == 1);
	pass(589999);
	turn();
	CHECK(tries_n == 1);
	pass(1);
	turn();
	CHECK(tries_n == 2);
	answer(CHANNEL_RETRY, 86400);	/* of a 500: not for so long */
	CHECK(notify_next() == now.watch_ms + NOTIFY_BACKOFF_MAX_MS);
	pass(NOTIFY_BACKOFF_MAX_MS);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
}

/* The clock was a year ahead, and goes back: nothing waits for a year. */
static void
test_back(void)
{
	struct check *c;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	now.now_ms += 365 * STR_DAY_MS;
	c = add_check(add_agent("web1"), "a", "process",
	    "{\"process_name\":\"x\"}");
	c->for_s = 10;
	result(c, 1);
	pass(1000);
	result(c, 0);
	now.now_ms = START_MS;
	pass(1000);
	result(c, 0);
	CHECK(c->last_result == now.now_ms && c->incident == 0);
	pass(9000);
	result(c, 0);
	CHECK(c->incident == 0);
	pass(2000);
	result(c, 0);
	CHECK(c->incident == 1 && c->alert.held == STATUS_CRITICAL);
	now.now_ms -= 3600000;
	pass(1000);
	result(c, 1);			/* on stays on, and ends as ever */
	CHECK(c->incident == 1);
	pass(10000);
	result(c, 1);
	CHECK(c->incident == 0 && c->alert.held == STATUS_OK);
}

/* News behind one of unknown outcome hurry that one too: nobody waits for a
 * back-off of many minutes that was another message's. */
static void
test_hurry(void)
{
	struct agent *a;
	struct check *c, *other;
	unsigned i;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	a = add_agent("web1");
	c = add_check(a, "a", "process", "{\"process_name\":\"x\"}");
	other = add_check(a, "b", "process", "{\"process_name\":\"x\"}");
	result(c, 0);
	for (i = 0; i < 6; i++) {
		turn();
		answer(CHANNEL_UNKNOWN, 0);
		if (i < 5)
			pass(notify_next() - now.watch_ms);
	}
	CHECK(tries_n == 6 && notify_next() >= now.watch_ms + 160000);
	pass(NOTIFY_GROUP_MS);
	result(other, 0);
	CHECK(notify_next() == now.watch_ms);
	turn();
	CHECK(tries_n == 7 && strstr(tries[6].items, "[1,") != NULL);
	answer(CHANNEL_ACCEPTED, 0);
	pass(NOTIFY_GROUP_MS);
	turn();
	CHECK(tries_n == 8 && strstr(tries[7].items, "[2,") != NULL);
	answer(CHANNEL_ACCEPTED, 0);
}

/* The end is not read before its beginning, nor without it. */
static void
test_order(void)
{
	static const struct {
		enum channel_end end;	/* of the alarm, its incident over */
		bool dies;		/* the child, instead */
		unsigned tries;		/* until all is told */
	} row[] = {
		{ CHANNEL_ACCEPTED, false, 2 },
		{ CHANNEL_RETRY, false, 2 },
		{ CHANNEL_UNKNOWN, false, 3 },
		{ CHANNEL_UNKNOWN, true, 3 },
		{ CHANNEL_REFUSED, false, 1 },
	};
	struct check *c;
	unsigned i, k;

	for (i = 0; i < COUNT(row); i++) {
		fresh();
		add_recipient("alice", STATUS_WARNING);
		c = add_check(add_agent("web1"), "a", "process",
		    "{\"process_name\":\"x\"}");
		result(c, 0);
		turn();
		pass(1000);
		result(c, 1);
		turn();
		CHECK_ROW(i, tries_n == 1);
		if (row[i].dies)
			child_dies();
		else
			answer(row[i].end, 900);
		for (k = 0; k < 10; k++) {
			pass(1000000);
			turn();
			answer(CHANNEL_ACCEPTED, 0);
		}
		CHECK_ROW(i, tries_n == row[i].tries);
		CHECK_ROW(i, row[i].end == CHANNEL_REFUSED ||
		    strstr(tries[tries_n - 1].items, "[1,\"ok\"]") != NULL);
	}
}

/* However many at once: each is in a message. */
static void
test_many(void)
{
	struct agent *a;
	char name[32];
	uint64_t i;
	size_t k;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "web%d", (int)i);
		a = add_agent(name);
		watch_heard(a, &now);
	}
	pass(30000);
	tick();
	CHECK(model_count(KIND_INCIDENT) == 0);
	pass(1);
	tick();
	commit();
	CHECK(model_count(KIND_INCIDENT) == 1000);
	for (i = 1; i <= 1000; i++) {
		bool in = false;

		for (k = 0; k < model_count(KIND_DELIVERY); k++)
			in = in || model_delivery_says(delivery_at(k), i) !=
			    STATUS_NONE;
		CHECK_ROW(i, in);
	}
	CHECK(text_is(model_incident(1)->text, "agent web0 changed from up "
	    "to silent at 2026-11-22 06:53:41 UTC: nothing heard for 30 s"));
}

/* What is forgotten takes nothing with it that is still open. */
static void
test_forget(void)
{
	struct recipient *r;
	struct agent *a;
	struct check *kept, *c;
	size_t i;

	fresh();
	r = add_recipient("alice", STATUS_WARNING);
	a = add_agent("web1");
	kept = add_check(a, "kept", "process", "{\"process_name\":\"x\"}");
	c = add_check(a, "c", "process", "{\"process_name\":\"x\"}");
	result(kept, 0);
	result(c, 0);			/* both in one message */
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	for (i = 0; i <= 2 * MODEL_CLOSED_MAX; i++) {
		pass(ALERT_FLAP_MS);
		result(c, i % 2 == 0 ? 1 : 0);
		turn();
		answer(CHANNEL_ACCEPTED, 0);
		r->enabled = false;	/* the others are told to nobody */
		tick();
		if (i == 2 * MODEL_CLOSED_MAX - 1)
			CHECK(model_incident(2) != NULL);
		if (lines_n > LINES_MAX / 2)
			CHECK(change_snapshot(NULL, 1, &why) == 0);
	}
	CHECK(model_incident(2) == NULL && model_incident(1) != NULL &&
	    model_count(KIND_INCIDENT) == MODEL_CLOSED_MAX + 1);
	CHECK(model_count(KIND_DELIVERY) == 1 && tries_n == 2);
	result(kept, 1);
	pass(6000);
	turn();
	CHECK(tries_n == 3 &&
	    strstr(tries[2].items, "[1,\"ok\"]") != NULL);
	answer(CHANNEL_ACCEPTED, 0);
}

/* Whom it is for: by severity, and only while enabled. */
static void
test_recipients(void)
{
	struct recipient *off;
	struct check *c;

	fresh();
	add_recipient("warning", STATUS_WARNING);
	add_recipient("critical", STATUS_CRITICAL);
	off = add_recipient("off", STATUS_WARNING);
	off->enabled = false;
	c = add_check(add_agent("web1"), "cpu", "cpu", "");
	c = (struct check *)model_draft(KIND_CHECK, &c->o);
	model_text(&c->warn, STR("above 80"));
	model_text(&c->crit, STR("above 90"));
	c = (struct check *)change_put(KIND_CHECK, &c->o, &client, &why);
	result(c, 85);
	CHECK(model_count(KIND_DELIVERY) == 1 &&
	    last_delivery()->recipient == 1);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	pass(1000);
	result(c, 95);			/* worse: both */
	CHECK(model_count(KIND_DELIVERY) == 3);
	pass(10000);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(tries_n == 3 && notify_next() == INT64_MAX);
	pass(1000);
	result(c, 85);			/* better: nobody */
	pass(1000);
	result(c, 95);			/* told already */
	CHECK(model_count(KIND_DELIVERY) == 3);
	CHECK(model_incident(1)->severity == STATUS_CRITICAL);
	/* One who is gone is visible as given up. */
	pass(1000);
	result(c, 1);
	CHECK(model_count(KIND_DELIVERY) == 5);
	CHECK(change_remove(KIND_RECIPIENT, 2, &client, &why) == 0);
	pass(10000);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	turn();
	turn();
	CHECK(tries_n == 4 && last_delivery()->state == DELIVERY_GIVEN_UP &&
	    last_delivery()->last_error[0] != '\0');
}

/* Who may have to tell somebody has a child that is ready; one that is not
 * used ends. */
static void
test_warm(void)
{
	fresh();
	CHECK(notify_fd(0) == -1);
	add_recipient("alice", STATUS_WARNING);
	commit();
	restart(0);
	CHECK(notify_fd(0) != -1);
	starts = 0;
	result(add_nginx(), 0);
	turn();
	CHECK(tries_n == 1 && starts == 0);
	answer(CHANNEL_ACCEPTED, 0);
	pass(NOTIFY_IDLE_MS);
	turn();
	CHECK(notify_fd(0) != -1);
	pass(1);
	turn();
	CHECK(notify_fd(0) == -1);
}

/* What waits for its recipient's hours is late once they begin, not before. */
static void
test_waits(void)
{
	struct recipient *r;
	int64_t oldest = -1;

	fresh();			/* a sunday, 06:53:11 UTC */
	r = model_draft(KIND_RECIPIENT, add_recipient("alice",
	    STATUS_WARNING));
	model_text(&r->hours, STR("sun 09:00-10:00"));
	change_put(KIND_RECIPIENT, r, &client, &why);
	result(add_nginx(), 0);
	turn();
	CHECK(tries_n == 0 && last_delivery()->next == START_MS + 7609000);
	pass(3600000);
	turn();
	CHECK(notify_waiting(now.now_ms, &oldest) == 1 && oldest == 0);
	pass(4009000);
	turn();
	CHECK(tries_n == 1 && notify_waiting(now.now_ms, &oldest) == 1 &&
	    oldest == 0);
	answer(CHANNEL_RETRY, 0);
	pass(600000);
	CHECK(notify_waiting(now.now_ms, &oldest) == 1 && oldest > 600000);
}

/* What cannot be sent waits in plain sight. */
static void
test_cannot_send(void)
{
	struct change keep = { "key:1", "api", START_MS, true };
	int64_t oldest;
	uint64_t id;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	CHECK(notify_waiting(now.now_ms, &oldest) == 0 && oldest == 0);
	settings("");
	id = notify_test(model_recipient(1), false, &keep, &why);
	CHECK(id == 1);
	turn();
	CHECK(tries_n == 0 && last_delivery()->state == DELIVERY_QUEUED &&
	    strstr(last_delivery()->last_error, "token") != NULL &&
	    !last_delivery()->unknown);
	settings("token");
	child_broken = true;
	pass(600000);
	turn();
	CHECK(last_delivery()->attempts == 2 &&
	    strcmp(last_delivery()->last_error, "no child") == 0);
	child_broken = false;
	CHECK(notify_waiting(now.now_ms, &oldest) == 1 && oldest == 600000);
	pass(600000);
	turn();
	CHECK(tries_n == 1 && strstr(job, "\"title\":\"Vilicus test\""));
	tries[0].end = MAYBE;		/* an answer that cannot be read */
	outcome = (struct channel_outcome){ .code = 666 };
	answering = notify_fd(0);
	all_ready();
	answering = -1;
	CHECK(last_delivery()->state == DELIVERY_QUEUED &&
	    last_delivery()->unknown && notify_fd(0) == -1);
	pass(600000);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(last_delivery()->state == DELIVERY_ACCEPTED);
	no_room = true;			/* the disk is full: it is told */
	CHECK(notify_test(model_recipient(1), false, &keep, &why) == 0);
	no_room = false;
}

/* What comes late fills history, and shows if it is the newest. */
static void
test_late(void)
{
	struct agent *a;
	struct check *c;
	struct report *rep;

	fresh();
	a = add_agent("web1");
	c = add_check(a, "a", "process", "{\"process_name\":\"x\"}");
	rep = begin_report(a);
	add_result(rep, c, now.now_ms - 30001, 0, STORE_NO_CODE);
	CHECK(rep->result[0].late && c->alert.held == STATUS_NONE &&
	    c->raw == STATUS_CRITICAL && c->last_result == now.now_ms - 30001);
	add_result(rep, c, now.now_ms - 30000, 0, STORE_NO_CODE);
	CHECK(!rep->result[1].late && c->alert.held == STATUS_CRITICAL);
	add_result(rep, c, now.now_ms - 30000, 1, STORE_NO_CODE);
	CHECK(c->alert.held == STATUS_CRITICAL && c->incident == 1);
	the_store.head++;
	CHECK(watch_judge(c, &rep->result[0]) == STATUS_CRITICAL &&
	    watch_judge(c, &rep->result[2]) == STATUS_OK);
	c->enabled = false;
	result(c, 1);
	CHECK(c->incident == 1 && c->raw == STATUS_OK);
}

/* Silent, stopped, back, disabled; on the clock of looking. */
static void
test_agents(void)
{
	struct agent *a;
	struct check *c;

	fresh();
	a = add_agent("web1");
	c = add_check(a, "a", "process", "{\"process_name\":\"x\"}");
	now.watch_ms += 1000000;
	tick();
	CHECK(a->state == AGENT_NEVER);		/* never heard, never missed */
	result(c, 0);
	pass(30000);
	tick();
	CHECK(a->state == AGENT_UP);
	now.now_ms += 86400000;			/* the wall clock jumps */
	tick();
	CHECK(a->state == AGENT_UP);
	pass(1);
	tick();
	CHECK(a->state == AGENT_SILENT && a->incident == 2 &&
	    model_incident(2)->severity == STATUS_CRITICAL);
	CHECK(c->incident == 1 && model_incident(1)->closed == 0);
	tick();
	CHECK(model_count(KIND_INCIDENT) == 2);
	watch_heard(a, &now);
	CHECK(a->state == AGENT_UP && a->incident == 0 &&
	    model_incident(2)->closed != 0);
	watch_stopped(a, &now);
	pass(WATCH_STOPPED_MS);
	tick();
	CHECK(a->state == AGENT_STOPPED && a->incident == 0);
	pass(1);
	tick();
	CHECK(a->state == AGENT_SILENT && a->incident == 3);
	watch_agent_gone(a, "disabled", &now);
	CHECK(a->incident == 0 && c->incident == 0 &&
	    model_incident(3)->closed != 0 && model_incident(1)->closed != 0);
	a->enabled = false;
	pass(1000000);
	tick();
	CHECK(a->incident == 0);
	result(c, 0);
	CHECK(c->incident == 0);		/* nor are its results judged */
	/* A limit of its own, and the time of a start counts anew. */
	a->enabled = true;
	a->late_after_s = 5;
	watch_heard(a, &now);
	commit();
	restart(reports_safe);
	a = model_agent(1);
	a->late_after_s = 5;
	now.watch_ms = 5000 + WATCH_START_MS;
	tick();
	CHECK(a->state == AGENT_UP);
	now.watch_ms++;
	tick();
	CHECK(a->state == AGENT_SILENT);
}

/* ---- heartbeats ---- */

static struct check *
add_beat(const char *name)
{
	struct agent *a = add_agent(name);

	return add_check(a, "backup", "heartbeat",
	    "{\"period_s\":300,\"grace_s\":30}");
}

/* Time in which the server looks; how many results came of it. */
static uint64_t
look(int64_t ms)
{
	uint64_t had = the_store.head;

	pass(ms);
	tick();
	beat_tick(&the_store, &now);
	turn();
	return the_store.head - had;
}

static int
beat(struct check *c, enum status given, const char *text)
{
	int rc = beat_take(&the_store, c, given, str_of(text), &now, &why);

	turn();
	answer(CHANNEL_ACCEPTED, 0);
	return rc;
}

static const struct store_result *
newest(void)
{
	return &reports[the_store.head - 1].result[0];
}

static void
test_beat(void)
{
	struct check *c;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	c = add_beat("db1");
	CHECK(look(1000000000) == 0);		/* none yet: none is missing */
	CHECK(beat(c, STATUS_OK, "") == 0 && c->alert.held == STATUS_OK);
	CHECK(reports[0].source == 0 && c->last_result == now.now_ms &&
	    newest()->has_value && newest()->value == 0 &&
	    newest()->code == STATUS_OK);
	CHECK(c->agent->state == AGENT_NEVER && c->agent->last_checkin == 0 &&
	    model_agent_status(c->agent) == STATUS_OK);
	now.now_ms = START_MS;
	c->last_result = c->alert.at_ms = START_MS - 330000;
	CHECK(look(330000) == 0);
	now.now_ms = START_MS;
	CHECK(look(1) == 1 && c->incident == 1 && tries_n == 1);
	CHECK(text_is(last_delivery()->message, "backup on db1 changed from "
	    "ok to critical at 2026-11-22 06:53:11 UTC: no beat for 5 m "
	    "30 s"));
	CHECK(newest()->value == 330001 && newest()->given == STATUS_CRITICAL);
	answer(CHANNEL_ACCEPTED, 0);
	/* While it is missing history shows it with each period. */
	CHECK(look(1000) == 0 && look(298999) == 0 && look(1) == 1);
	CHECK(newest()->value == 630001 && strcmp(c->message,
	    "no beat for 10 m 30 s") == 0);
	CHECK(look(299999) == 0 && look(1) == 1 && tries_n == 1);
	CHECK(beat(c, STATUS_OK, "3 GB") == 0 && c->incident == 0 &&
	    tries_n == 2 && strcmp(c->message, "3 GB") == 0);
	/* One that tells of a failure is one that came. */
	pass(10000);
	CHECK(beat(c, STATUS_CRITICAL, "disk full") == 0 && c->incident == 2 &&
	    tries_n == 3 && strstr(last_delivery()->message, "disk full"));
	CHECK(look(330000) == 0 && look(1) == 1 && tries_n == 3);
	/* Two in the same millisecond are two. */
	CHECK(beat(c, STATUS_OK, "") == 0 && beat(c, STATUS_CRITICAL, "") == 0
	    && c->alert.held == STATUS_CRITICAL);
	CHECK(reports[the_store.head - 2].result[0].at_ms ==
	    newest()->at_ms - 1);
}

/* Time in which the server did not look, and a clock that jumps. */
static void
test_beat_clocks(void)
{
	struct check *c;
	struct agent *a;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	c = add_beat("db1");
	a = c->agent;
	beat(c, STATUS_OK, "");
	look(330000);
	now.now_ms += 7200000;		/* it was stopped for two hours */
	CHECK(look(0) == 0 && look(1) == 1 &&
	    strcmp(c->message, "no beat for 2 h 5 m") == 0);
	beat(c, STATUS_OK, "");
	now.now_ms -= 86400000;		/* the clock was wrong by a day */
	CHECK(look(330000) == 0 && look(1) == 1 && c->incident != 0 &&
	    newest()->value == 330001);
	CHECK(look(300000) == 1 && newest()->value == 630001);
	CHECK(beat(c, STATUS_OK, "") == 0 && c->incident == 0);
	now.now_ms += 2 * 86400000;
	CHECK(look(330000) == 0);
	/* A silent agent's beats are none the less beats, and missing. */
	watch_heard(a, &now);
	look(30001);
	CHECK(a->state == AGENT_SILENT && c->incident != 0);
	beat(c, STATUS_OK, "");
	CHECK(a->state == AGENT_SILENT && c->incident == 0);
	/* What is off is not missing, and has its time when it is on again. */
	c->enabled = false;
	CHECK(look(1000000) == 0 && beat(c, STATUS_OK, "") == 0);
	look(1000000);
	c->enabled = true;
	CHECK(look(330000) == 0 && look(1) == 1 && c->incident != 0);
	watch_agent_gone(a, "disabled", &now);
	a->enabled = false;
	CHECK(c->incident == 0 && look(1000000) == 0);
	a->enabled = true;
	CHECK(look(330000) == 0 && look(1) == 1 && c->incident != 0);
	/* A disk that is full takes no beat, and does not silence us. */
	beat(c, STATUS_OK, "");
	no_room = true;
	CHECK(beat(c, STATUS_OK, "") == -1 && look(330001) == 0 &&
	    c->incident != 0 && look(299999) == 0);
	no_room = false;
	CHECK(look(1) == 1 && beat(c, STATUS_OK, "") == 0 && c->incident == 0);
}

static void
test_beat_restart(void)
{
	struct check *c, *other;
	char path[64];
	size_t told;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	c = add_beat("db1");
	other = add_beat("db2");
	model_text(&c->beat, STR(MODEL_BEAT "vb_x"));
	CHECK(change_snapshot(NULL, 1, &why) == 0);
	CHECK(model_beat(STR(MODEL_BEAT "vb_x")) == c &&
	    model_beat(STR(MODEL_BEAT "vb_y")) == NULL &&
	    model_beat(STR(MODEL_BEAT)) == NULL && model_beat(STR("")) == NULL);
	beat(c, STATUS_OK, "");
	look(330000);
	restart(reports_safe);
	c = model_beat(STR(MODEL_BEAT "vb_x"));
	if (!CHECK(c != NULL && model_beats() != NULL))
		return;
	CHECK(c->last_result != 0 && c->alert.held == STATUS_OK);
	now.now_ms += 3600000;
	/* All of it anew, and then by the wall clock. */
	CHECK(look(330000) == 0 && look(1) == 1 && c->incident == 1);
	CHECK(newest()->value == 3600000 + 660001);
	answer(CHANNEL_ACCEPTED, 0);
	told = tries_n;
	turn();
	restart(reports_safe);
	c = model_beat(STR(MODEL_BEAT "vb_x"));
	CHECK(c->incident == 1 && c->alert.held == STATUS_CRITICAL);
	CHECK(look(330000) == 0 && look(1) == 1 && tries_n == told &&
	    newest()->value == 3600000 + 990002);
	/* The result reached the disk, what was decided of it did not. */
	beat(c, STATUS_OK, "");
	look(330001);
	commit();
	now.watch_ms++;
	beat_take(&the_store, c, STATUS_OK, STR(""), &now, &why);
	CHECK(c->incident == 0);
	restart(the_store.head);
	c = model_beat(STR(MODEL_BEAT "vb_x"));
	CHECK(c->incident == 0 && c->alert.held == STATUS_OK);
	/* Its path stays, whatever becomes of it; without it there is none. */
	str_copy(path, sizeof path, str_of(c->beat));
	c->enabled = false;
	beat(c, STATUS_CRITICAL, "");
	CHECK(strcmp(c->beat, path) == 0);
	CHECK(change_remove(KIND_CHECK, c->o.id, &client, &why) == 0);
	commit();
	other = model_check_by_id(2);
	CHECK(model_beat(str_of(path)) == NULL && model_beats() == other &&
	    other->beats == NULL && look(1000000) == 0);
}

/* Minutes of what is bad, a result and a turn each, or, NULL, of nothing; the
 * attempts made. */
static size_t
minutes(struct check *c, unsigned n)
{
	size_t was = tries_n;

	while (n-- > 0) {
		pass(60000);
		if (c != NULL)
			result(c, 0);
		tick();
		turn();
		answer(CHANNEL_ACCEPTED, 0);
	}
	return tries_n - was;
}

static void
acknowledge_one(uint64_t id, int64_t until)
{
	struct change ch = { "key:1", "api", now.now_ms, true };
	struct incident *d = (struct incident *)model_draft(KIND_INCIDENT,
	    model_incident(id));

	d->acknowledged = now.now_ms;
	d->acknowledged_until = until;
	change_keep(KIND_INCIDENT, d, &ch);
}

/* What stays bad is told again, until someone sees to it. */
static void
test_repeat(void)
{
	struct check *c;

	fresh();
	add_recipient("alice", STATUS_CRITICAL);
	c = add_nginx();
	c->renotify_s = 600;
	result(c, 0);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(tries_n == 1 && minutes(c, 9) == 0 && minutes(c, 1) == 1);
	CHECK(text_is(last_delivery()->title,
	    "Vilicus alert: web1 process nginx is still critical"));
	CHECK(text_is(last_delivery()->message, "web1 process nginx is still "
	    "critical after 10 m: process nginx on web1 changed from no result "
	    "to critical at 2026-11-22 06:53:11 UTC: 0 running, at least 1 "
	    "expected"));
	CHECK(minutes(c, 9) == 0 && minutes(c, 1) == 1);
	/* A restart: the time counts anew. */
	commit();
	restart(the_store.head);
	c = model_check_by_id(1);
	c->renotify_s = 600;
	CHECK(minutes(c, 9) == 0 && minutes(c, 1) == 1);
	/* Acknowledged for half an hour; then it is told at once. */
	acknowledge_one(1, now.now_ms + 1800000);
	CHECK(minutes(c, 29) == 0 && minutes(c, 1) == 1);
	CHECK(model_incident(1)->acknowledged == 0);
	acknowledge_one(1, 0);
	CHECK(minutes(c, 60) == 0);
	/* Its end is told all the same, and the next one is another. */
	pass(60000);
	result(c, 1);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(text_is(last_delivery()->title,
	    "Vilicus alert: web1 process nginx is now ok"));
	pass(60000);
	CHECK(minutes(c, 9) == 1 && minutes(c, 1) == 0 && minutes(c, 1) == 1);
	/* Nothing is known of it while its agent is silent. */
	CHECK(minutes(NULL, 30) == 1);
	CHECK(model_agent(1)->state == AGENT_SILENT &&
	    text_is(last_delivery()->title,
	    "Vilicus alert: web1 is now silent"));
}

/* Who is told only of what nobody saw to for ten minutes. */
static void
test_escalation(void)
{
	struct check *c;

	fresh();
	add_recipient("alice", STATUS_CRITICAL);
	add_recipient("boss", STATUS_WARNING)->after_s = 600;
	c = add_nginx();
	result(c, 0);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(tries_n == 1 && minutes(c, 9) == 0 && minutes(c, 1) == 1);
	CHECK(tries[1].recipient == 2 && text_is(last_delivery()->title,
	    "Vilicus alert: web1 process nginx is still critical"));
	CHECK(minutes(c, 60) == 0);
	/* Its end is for both; an incident that is seen to, or over, is not
	 * told to the second. */
	pass(60000);
	result(c, 1);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	pass(10000);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(tries_n == 4 && tries[2].recipient + tries[3].recipient == 3);
	pass(60000);
	CHECK(minutes(c, 5) == 1);
	acknowledge_one(2, 0);
	CHECK(minutes(c, 60) == 0);
	pass(60000);
	result(c, 1);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(tries_n == 6 && tries[5].recipient == 1);
	/* So is an agent that is silent; a restart lets it count anew. */
	CHECK(minutes(NULL, 9) == 1);
	commit();
	restart(the_store.head);
	model_recipient(2)->after_s = 600;
	CHECK(minutes(NULL, 9) == 0 && minutes(NULL, 1) == 1);
	CHECK(tries[7].recipient == 2 && text_is(last_delivery()->title,
	    "Vilicus alert: web1 is still silent") &&
	    str_starts(str_of(last_delivery()->message),
	    STR("web1 is still silent after ")));
	/* What beats is told of though the agent of its host is silent. */
	c = add_check(model_agent(1), "backup", "heartbeat",
	    "{\"period_s\":300}");
	c->renotify_s = 600;
	beat(c, STATUS_CRITICAL, "");
	CHECK(model_agent(1)->state == AGENT_SILENT && c->incident != 0);
	CHECK(minutes(NULL, 9) == 0 && minutes(NULL, 1) == 1);
}

int
main(void)
{
	test_escalation();
	test_repeat();
	test_beat();
	test_beat_clocks();
	test_beat_restart();
	test_texts();
	test_group();
	test_back_off();
	test_unknown_at_last();
	test_asked_to_wait();
	test_back();
	test_hurry();
	test_order();
	test_many();
	test_forget();
	test_recipients();
	test_warm();
	test_waits();
	test_cannot_send();
	test_late();
	test_agents();
	fresh();
	return test_end();
}
