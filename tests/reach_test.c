/*
 * reach_test: whom nothing reaches, and who is told of that.
 */
#include "watch_world.h"

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

int
main(void)
{
	test_reach();
	fresh();
	return test_end();
}
