/* drill_test: drills by hand and by the clock, and what is known of the alarm
 * path, over restarts and hours. */
#include "watch_world.h"

#define HOUR	INT64_C(3600000)
#define WEEK	(168 * HOUR)

static const struct change by_hand = { "key:1", "api", START_MS, true };

static void
every(int64_t ms)
{
	model_setting()->drill_s = ms / 1000;
}

/* The server's next second: what became due in it is sent. */
static void
second(void)
{
	notify_drills(&now);
	turn();
}

/* So many hours, looked at each quarter; how many drills went out, which are
 * answered. */
static size_t
hours(int64_t n, enum channel_end end)
{
	size_t before = tries_n;

	for (int64_t i = 0; i < 4 * n; i++) {
		pass(HOUR / 4);
		second();
		answer(end, 0);
		second();
	}
	return tries_n - before;
}

/* As a critical alert, or an emergency, now, whatever the hours are. */
static void
test_by_hand(void)
{
	struct recipient *r;
	struct delivery *d;

	fresh();
	r = add_recipient("alice", STATUS_WARNING);
	commit();
	r->when = (struct hours){ .n = 1 };	/* none that ever is */
	CHECK(notify_test(r, true, &by_hand, &why) == 1);
	d = last_delivery();
	CHECK(d->test && d->drill && d->severity == STATUS_CRITICAL &&
	    text_is(d->title, "Vilicus drill: nothing is wrong"));
	CHECK(text_is(d->message, "A drill of the alarm path, which comes as "
	    "an alert would. Nothing is wrong.\nJournal: 1:aaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	turn();
	CHECK(tries_n == 1 && strstr(job, "\"priority\":1,") != NULL &&
	    strstr(job, "\"expire\":300") != NULL &&
	    strstr(job, "\"journal\":\"2:aaaa") == NULL &&
	    strstr(job, "\"journal\":\"3:aaaa") != NULL);
	pass(840);
	answer(CHANNEL_ACCEPTED, 0);
	r = model_recipient(1);
	CHECK(r->proven == START_MS + 840 && r->drilled == r->proven &&
	    r->drill_error[0] == '\0');
	r->emergency = true;
	CHECK(notify_test(r, true, &by_hand, &why) == 2);
	turn();
	CHECK(strstr(job, "\"priority\":2,") != NULL);
	pass(1000);
	answer(CHANNEL_REFUSED, 0);
	r = model_recipient(1);
	CHECK(r->proven == START_MS + 840 && r->drilled == START_MS + 1840 &&
	    text_is(r->drill_error, "because"));
	/* A test says nothing of drills. */
	CHECK(notify_test(r, false, &by_hand, &why) == 3);
	turn();
	CHECK(strstr(job, "\"expire\"") == NULL);
	answer(CHANNEL_REFUSED, 0);
	CHECK(model_recipient(1)->drilled == START_MS + 1840);
	CHECK(notify_test(model_recipient(1), false, &by_hand, &why) == 4);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(model_recipient(1)->proven == START_MS + 1840 &&
	    text_is(model_recipient(1)->drill_error, "because"));
}

/* Other channels know that it is one; an e-mail has the mark by itself. */
static void
test_channels(void)
{
	struct recipient *r;

	fresh();
	r = add_recipient("hook", STATUS_WARNING);
	r->channel = TO_WEBHOOK;
	CHECK(notify_test(r, true, &by_hand, &why) == 1);
	turn();
	CHECK(strstr(job, "\"severity\":\"critical\"") != NULL &&
	    strstr(job, "\"drill\":true") != NULL &&
	    strstr(job, "\"items\":[]") != NULL);
	answer(CHANNEL_ACCEPTED, 0);
	model_recipient(1)->channel = TO_EMAIL;
	CHECK(notify_test(model_recipient(1), true, &by_hand, &why) == 2);
	CHECK(strstr(last_delivery()->message, "Journal") == NULL);
}

/* Each week, over restarts; one that fails again after a day. */
static void
test_weekly(void)
{
	fresh();
	add_recipient("alice", STATUS_WARNING);
	add_recipient("bob", STATUS_WARNING);
	CHECK(hours(200, CHANNEL_ACCEPTED) == 0);
	every(WEEK);
	second();
	CHECK(tries_n == 1);		/* not both at once */
	second();
	answer(CHANNEL_ACCEPTED, 0);
	CHECK(hours(1, CHANNEL_ACCEPTED) == 1 &&
	    tries[0].recipient + tries[1].recipient == 3);
	CHECK(hours(100, CHANNEL_ACCEPTED) == 0);
	commit();
	restart(the_store.head);
	every(WEEK);
	CHECK(model_recipient(1)->proven == model_recipient(1)->drilled &&
	    model_recipient(1)->proven > START_MS);
	CHECK(hours(66, CHANNEL_ACCEPTED) == 0);
	model_recipient(2)->enabled = false;
	CHECK(hours(3, CHANNEL_REFUSED) == 1);
	CHECK(model_recipient(1)->drill_error[0] != '\0');
	commit();
	restart(the_store.head);
	every(WEEK);
	model_recipient(2)->enabled = false;
	CHECK(model_recipient(1)->drill_error[0] != '\0');
	CHECK(hours(20, CHANNEL_ACCEPTED) == 0);
	CHECK(hours(5, CHANNEL_ACCEPTED) == 1 &&
	    model_recipient(1)->drill_error[0] == '\0');
	CHECK(hours(160, CHANNEL_ACCEPTED) == 0);
	model_recipient(2)->enabled = true;
	CHECK(hours(1, CHANNEL_ACCEPTED) == 1);
	/* While one is on its way there is no other. */
	CHECK(hours(12, CHANNEL_RETRY) > 1);
	CHECK(model_count(KIND_DELIVERY) == 6);
	every(0);
	CHECK(hours(200, CHANNEL_ACCEPTED) == 1);
}

/* It comes when alerts would. */
static void
test_hours(void)
{
	struct recipient *r;

	fresh();		/* a Sunday, 06:53 */
	r = add_recipient("alice", STATUS_WARNING);
	CHECK(hours_parse(STR("mon-fri 09:00-17:00"), "", &r->when, &why) ==
	    0);
	every(WEEK);
	CHECK(hours(26, CHANNEL_ACCEPTED) == 0);
	CHECK(hours(1, CHANNEL_ACCEPTED) == 1);
	CHECK(model_recipient(1)->drilled % (24 * HOUR) / HOUR == 9);
}

/* A clock set back holds up none for long. */
static void
test_clock(void)
{
	fresh();
	now.now_ms += 20 * WEEK;
	add_recipient("alice", STATUS_WARNING);
	every(WEEK);
	CHECK(hours(1, CHANNEL_ACCEPTED) == 1);
	now.now_ms -= HOUR;
	CHECK(hours(24, CHANNEL_ACCEPTED) == 0);
	now.now_ms = START_MS;
	CHECK(hours(1, CHANNEL_ACCEPTED) == 1);
}

/* What was proven goes with the address. */
static void
test_address(void)
{
	struct recipient *r, *d;
	const char *field;
	bool conflict;

	fresh();
	r = add_recipient("alice", STATUS_WARNING);
	notify_test(r, true, &by_hand, &why);
	turn();
	answer(CHANNEL_ACCEPTED, 0);
	for (int i = 0; i < 2; i++) {
		d = model_draft(KIND_RECIPIENT, model_recipient(1));
		d->severity = STATUS_CRITICAL;
		if (i == 1)
			d->address[0] = 'x';
		CHECK(model_check(KIND_RECIPIENT, &d->o, &field, &conflict,
		    &why) == 0);
		CHECK_ROW(i, (d->proven != 0) == (i == 0) &&
		    (d->drilled != 0) == (i == 0));
		model_drop(KIND_RECIPIENT, &d->o);
	}
}

int
main(void)
{
	test_by_hand();
	test_channels();
	test_weekly();
	test_hours();
	test_clock();
	test_address();
	fresh();
	return test_end();
}
