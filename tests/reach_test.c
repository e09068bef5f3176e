/*
 * reach_test: whom nothing reaches, and who is told of that; phones that ring,
 * what was seen, and that all is well.
 */
#include <stdio.h>

#include "watch_world.h"

#define HOUR	3600000

/* Minutes in which nothing reaches bob, but all does alice; what came of the
 * server's own incident. */
static const struct incident *
unreached(int minutes, enum channel_end end)
{
	const struct incident *in, *own = NULL;

	for (; minutes > 0; minutes--) {
		pass(30000);
		model_agent(1)->heard_ms = now.watch_ms;
		tick();
		turn();
		pass(30000);
		tick();
		turn();
		while (open_try(0) != NULL)
			answer_one(0, open_try(0)->recipient == 2 ? end :
			    CHANNEL_ACCEPTED, 0);
	}
	MODEL_ALL(in, KIND_INCIDENT)
		if (in->agent == 0)
			own = in;
	return own;
}

/* Whom nothing reaches: the others are told, and of its end; never it itself,
 * nor another who is not reached. */
static void
test_reach(void)
{
	const struct incident *own;
	struct recipient *bob;
	size_t n;

	fresh();
	add_recipient("alice", STATUS_WARNING);
	bob = add_recipient("bob", STATUS_WARNING);
	bob->channel = TO_WEBHOOK;
	result(add_check(add_agent("web1"), "process nginx", "process",
	    "{\"process_name\":\"nginx\"}"), 0);
	turn();
	CHECK(unreached(1, CHANNEL_RETRY) == NULL && bob->fails_ms > 0);
	CHECK(unreached(8, CHANNEL_UNKNOWN) == NULL);
	own = unreached(3, CHANNEL_RETRY);
	if (!CHECK(own != NULL))
		return;
	CHECK(text_is(own->what, "vilicus-server recipient bob"));
	CHECK(strstr(own->text, "nothing sent by webhook arrived for 10 min: "
	    "because") != NULL && own->said_n == 1 &&
	    own->said[0].recipient == 1);
	n = model_count(KIND_INCIDENT);
	restart(the_store.head);
	CHECK(model_recipient(2)->fails_ms > 0);
	own = unreached(12, CHANNEL_RETRY);
	CHECK(own != NULL && own->closed == 0 &&
	    model_count(KIND_INCIDENT) == n);
	/* The next that arrives ends it. */
	own = unreached(60, CHANNEL_ACCEPTED);
	CHECK(own != NULL && own->closed != 0 && own->said_n == 2);
	CHECK(model_recipient(2)->fails_ms == 0);
	/* What is refused counts, though it is given up; so does its end. */
	n = model_count(KIND_DELIVERY) + 1;
	result(model_check_by_id(1), 1);
	turn();
	own = unreached(14, CHANNEL_REFUSED);
	CHECK(model_count(KIND_DELIVERY) == n + 2);	/* not once more */
	CHECK(delivery_at(n)->state == DELIVERY_GIVEN_UP);
	CHECK(own != NULL && own->closed == 0);
	restart(the_store.head);
	CHECK(model_recipient(2)->fails_ms > 0);
	model_recipient(2)->enabled = false;
	own = unreached(1, CHANNEL_REFUSED);
	CHECK(own != NULL && own->closed != 0 && strstr(own->text,
	    "removed or disabled") != NULL);
	/* One who is not reached hears of others once he is. */
	model_recipient(2)->enabled = true;
	model_recipient(1)->fails_ms = 1;
	n = model_count(KIND_DELIVERY);
	watch_own("recipient bob", STATUS_CRITICAL, "because", &now);
	turn();
	CHECK(model_count(KIND_DELIVERY) == n);
	model_recipient(1)->fails_ms = 0;
	pass(NOTIFY_LOOK_MS);
	turn();
	CHECK(model_count(KIND_DELIVERY) == n + 1 &&
	    last_delivery()->recipient == 1);
}

/* ---- emergencies ---- */

/* One that rings, of incident 1. */
static struct delivery *
ring(void)
{
	struct recipient *r;
	struct delivery *d;

	fresh();
	r = add_recipient("alice", STATUS_WARNING);
	r->emergency = true;
	result(add_check(add_agent("web1"), "a", "process",
	    "{\"process_name\":\"x\"}"), 0);
	turn();
	answer_one(0, CHANNEL_ACCEPTED, 0);
	/* a receipt came with it */
	d = (struct delivery *)model_draft(KIND_DELIVERY, last_delivery());
	d->rings = true;
	d->ring_ms = now.watch_ms + NOTIFY_RING_MS;
	model_text(&d->receipt, STR("r1"));
	notify_put(d, &now);
	turn();
	return last_delivery();
}

/* The receipt is asked for, at its time; until its own is over. */
static void
test_ring(void)
{
	struct delivery *d = ring();
	size_t before = errands;
	int64_t wait, longest = 0, from = now.watch_ms;
	unsigned i;

	CHECK(notify_next() == now.watch_ms + NOTIFY_RING_MS);
	for (i = 0; d->rings && i < 1000; i++) {
		wait = notify_next() - now.watch_ms;
		CHECK_ROW(i, wait >= NOTIFY_RING_MS &&
		    wait <= NOTIFY_RING_MAX_MS);
		longest = wait > longest ? wait : longest;
		pass(wait);
		model_agent(1)->heard_ms = now.watch_ms;
		turn();
		CHECK_ROW(i, errands == ++before &&
		    strstr(job, "\"what\":\"receipt\"") != NULL);
		/* nobody yet; and they say no more than that */
		answer_errand((struct channel_outcome){ .end =
		    CHANNEL_ACCEPTED, .code = 200 });
		d = last_delivery();
	}
	CHECK(longest == NOTIFY_RING_MAX_MS && i < 1000 &&
	    now.watch_ms - from >= NOTIFY_RINGS_MS &&
	    now.watch_ms - from <= NOTIFY_RINGS_MS + 2 * NOTIFY_RING_MAX_MS);
	CHECK(text_is(d->last_error, "nobody saw it while it rang") &&
	    d->state == DELIVERY_ACCEPTED && notify_next() == INT64_MAX);
}

/* A fault of the other side's mutes none of that for a day; one of ours does
 * not end it, also after a start. */
static void
test_ring_faults(void)
{
	struct delivery *d = ring();

	pass(NOTIFY_RING_MS);
	turn();
	answer_errand((struct channel_outcome){ .end = CHANNEL_RETRY,
	    .code = 503, .after_s = 86400, .reason = "because" });
	CHECK(notify_next() == now.watch_ms + NOTIFY_BACKOFF_MAX_MS);
	/* The one before on this way was another's, who is gone. */
	CHECK(notify_test(add_recipient("bob", STATUS_WARNING), false, &client,
	    &why) == 2);
	turn();
	answer_one(0, CHANNEL_ACCEPTED, 0);
	turn();
	CHECK(change_remove(KIND_RECIPIENT, 2, &client, &why) == 0 &&
	    change_remove(KIND_DELIVERY, 2, &client, &why) == 0);
	commit();
	restart(the_store.head);
	CHECK(last_delivery()->rings);
	child_broken = true;
	pass(NOTIFY_RING_MS);
	turn();
	child_broken = false;
	d = last_delivery();
	CHECK(d->rings && d->state == DELIVERY_ACCEPTED);
	/* What rings and is forgotten is not asked for. */
	(void)notify_next();
	CHECK(change_remove(KIND_INCIDENT, 1, &client, &why) == 0);
	notify_forget(1, &client);
	CHECK(model_count(KIND_DELIVERY) == 0);
	pass(NOTIFY_RINGS_MS);
	turn();
}

/* ---- that all is well ---- */

/* It takes a way that a delivery is about to go, when all others hang. */
static void
test_well(void)
{
	struct recipient *r;
	struct check *c;
	char name[8];
	unsigned i;

	fresh();
	model_text(&model_setting()->heartbeat, STR("https://h/"));
	model_setting()->heartbeat_ms = 60000;
	for (i = 0; i < NOTIFY_WAYS - 2; i++) {
		snprintf(name, sizeof name, "hook%u", i);
		r = add_recipient(name, STATUS_WARNING);
		r->channel = TO_WEBHOOK;
	}
	c = add_check(add_agent("web1"), "a", "process",
	    "{\"process_name\":\"x\"}");
	result(c, 0);
	turn();
	answer_one(NOTIFY_WAYS - 3, CHANNEL_RETRY, 0);
	CHECK(open_try(NOTIFY_WAYS - 4) != NULL &&
	    open_try(NOTIFY_WAYS - 3) == NULL);
	CHECK(notify_next() < INT64_MAX);
	errands = 0;
	notify_well(&now);
	pass(60000);
	model_agent(1)->heard_ms = now.watch_ms;
	turn();
	CHECK(errands == 1 && notify_next() == INT64_MAX);
	answer_errand((struct channel_outcome){ .end = CHANNEL_ACCEPTED });
	turn();				/* and then it goes */
	CHECK(open_try(NOTIFY_WAYS - 3) != NULL);
	notify_well(&now);		/* no way is free */
	turn();
	CHECK(errands == 1);
}

/* ---- what was seen ---- */

/* Whatever the other side said: it arrived. */
static void
test_seen(void)
{
	struct recipient *r;
	struct delivery *d;

	fresh();
	r = add_recipient("alice", STATUS_WARNING);
	commit();
	CHECK(notify_test(r, true, &client, &why) == 1);
	turn();
	answer(CHANNEL_UNKNOWN, 0);
	CHECK(model_recipient(1)->fails_ms > 0);
	notify_seen(last_delivery(), STR("link"), STR(""), now.now_ms, &now);
	d = last_delivery();
	r = model_recipient(1);
	CHECK(d->state == DELIVERY_SEEN && d->sent == now.now_ms);
	CHECK(r->fails_ms == 0 && r->proven == now.now_ms &&
	    r->drilled == now.now_ms);
	pass(NOTIFY_BACKOFF_MAX_MS);
	turn();
	CHECK(tries_n == 1 && notify_next() == INT64_MAX);
	/* Seen while its answer is on its way, which then is lost. */
	CHECK(notify_test(r, false, &client, &why) == 2);
	turn();
	notify_seen(last_delivery(), STR("link"), STR(""), now.now_ms, &now);
	CHECK(last_delivery()->state == DELIVERY_SENDING);
	answer(CHANNEL_UNKNOWN, 0);
	CHECK(last_delivery()->state == DELIVERY_SEEN &&
	    model_recipient(1)->fails_ms == 0);
}

/* One tried before its hours were over is not late in the night. */
static void
test_hours(void)
{
	struct recipient *r;
	int64_t oldest;

	fresh();
	r = add_recipient("alice", STATUS_WARNING);
	result(add_check(add_agent("web1"), "a", "process",
	    "{\"process_name\":\"x\"}"), 0);
	turn();
	answer(CHANNEL_RETRY, 0);
	CHECK(hours_parse(STR("mon 08:00-08:01"), "UTC0",
	    &r->when, &why) == 0);
	pass(HOUR);
	turn();
	CHECK(tries_n == 1 && notify_waiting(now.now_ms, &oldest) == 1 &&
	    oldest == 0);
}

int
main(void)
{
	test_reach();
	test_ring();
	test_ring_faults();
	test_well();
	test_seen();
	test_hours();
	fresh();
	return test_end();
}
