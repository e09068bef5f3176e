/*
 * flap_test: what is told of a check that is now bad, now well: that it flaps,
 * once, and what it is when that is over.
 */
#include "../beat.h"
#include "watch_world.h"

#define HOUR	"101010101010101010101010101010101010101010101010101010101010"
#define CALM	"11111111111111"	/* 14 minutes and, with the next, 15 */
#define FLAPS	" is flapping: 5 changes in 30 min, held at "

static struct check *nginx, *cpu;

/* What was taken, a line each: "RECIPIENT TITLE: MESSAGE". */
static char said[1u << 16];
static struct buf says;
static enum channel_end fate;	/* of what is sent */

static void
begin(void)
{
	struct agent *a;
	struct check *d;

	fresh();
	buf_init(&says, said, sizeof said - 1);
	fate = CHANNEL_ACCEPTED;
	add_recipient("alice", STATUS_WARNING);
	a = add_agent("web1");
	nginx = add_check(a, "process nginx", "process",
	    "{\"process_name\":\"nginx\"}");
	d = (struct check *)model_draft(KIND_CHECK, &add_check(a, "cpu", "cpu",
	    "")->o);
	model_text(&d->warn, STR("above 5"));
	model_text(&d->crit, STR("above 8"));
	cpu = (struct check *)change_put(KIND_CHECK, &d->o, &client, &why);
	commit();
}

/* Send what is due; how many were. */
static unsigned
send_all(void)
{
	const struct delivery *d;
	size_t had = tries_n, was;
	unsigned i;

	for (i = 0; i < 4; i++) {
		was = tries_n;
		turn();
		answer(fate, 0);
		if (tries_n == was || fate != CHANNEL_ACCEPTED)
			continue;
		d = model_delivery(tries[was].delivery);
		buf_addf(&says, "%d %s: %s\n", (int)d->recipient, d->title,
		    d->message);
	}
	return (unsigned)(tries_n - had);
}

static void
one(struct check *c, char value)
{
	struct report *rep = begin_report(c->agent);

	add_result(rep, c, now.now_ms, value == '?' ? 0 : value - '0',
	    value == '?' ? STATUS_UNKNOWN : STORE_NO_CODE);
	the_store.head++;
}

/* A result a minute, each a digit, or ?, unknown; how many messages came of
 * it. */
static unsigned
play(struct check *c, const char *values)
{
	unsigned n = 0;

	for (; *values != '\0'; values++) {
		pass(60000);
		one(c, *values);
		watch_tick(&now);
		n += send_all();
	}
	return n;
}

/* Is this the newest line? */
static bool
newest_is(const char *want)
{
	const char *p = said;

	said[says.n] = '\0';
	while (strchr(p, '\n') != NULL && strchr(p, '\n')[1] != '\0')
		p = strchr(p, '\n') + 1;
	if (strncmp(p, want, strlen(want)) == 0 && p[strlen(want)] == '\n')
		return true;
	printf("got  %swant %s\n", p, want);
	return false;
}

static unsigned
count(const char *p, const char *what)
{
	unsigned n = 0;

	for (; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* Alarm, end, alarm, end, and the fifth: an alarm that says so. */
static void
test_alarm(void)
{
	begin();
	CHECK(play(nginx, "1") == 0 && play(nginx, "0101") == 4);
	CHECK(newest_is("1 Vilicus alert: web1 process nginx is now ok: "
	    "process nginx on web1 changed from critical to ok at 2026-11-22 "
	    "06:58:11 UTC: 1 running"));
	CHECK(play(nginx, "0") == 1 && newest_is("1 Vilicus alert: web1 "
	    "process nginx is now critical: process nginx on web1" FLAPS
	    "critical until it is calm: 0 running, at least 1 expected"));
	CHECK(nginx->alert.flaps && model_count(KIND_INCIDENT) == 3);
	CHECK(play(nginx, HOUR) == 0 && play(nginx, CALM) == 0);
	CHECK(play(nginx, "1") == 0 && play(nginx, "1") == 1);
	CHECK(newest_is("1 Vilicus alert: web1 process nginx is now ok: "
	    "process nginx on web1 changed from critical to ok at 2026-11-22 "
	    "08:15:11 UTC: calm for 15 min: 1 running"));
	CHECK(!nginx->alert.flaps && nginx->incident == 0);
	CHECK(play(nginx, "111") == 0 && play(nginx, "01") == 2);
}

/* As it is bad at first, the fifth change is to ok: instead of that end. */
static void
test_still(void)
{
	char text[512];
	struct buf b = BUF(text);

	begin();
	CHECK(play(nginx, "01010") == 5 && nginx->incident == 3);
	CHECK(play(nginx, "1") == 1 && newest_is("1 Vilicus alert: web1 "
	    "process nginx is still critical: process nginx on web1" FLAPS
	    "critical until it is calm: 1 running"));
	model_check_text(&b, nginx);
	CHECK(str_is(str_from(&b), "1 running (flapping)"));
	CHECK(nginx->incident == 3 && play(nginx, HOUR) == 0);
	/* It may come to rest bad: nothing new, and its end is told at once. */
	CHECK(play(nginx, "000000000000000") == 0 && !nginx->alert.flaps);
	CHECK(text_is(model_incident(3)->text, "process nginx on web1 changed "
	    "from flapping to critical at 2026-11-22 08:14:11 UTC: calm for "
	    "15 min: 0 running, at least 1 expected"));
	CHECK(play(nginx, "1") == 1 && nginx->incident == 0);
	CHECK(count(said, "flapping") == 1);
}

/* A worse one is told as ever; what is better when it is over is not. */
static void
test_raised(void)
{
	begin();
	add_recipient("boss", STATUS_CRITICAL);
	CHECK(play(cpu, "1616") == 3 && play(cpu, "1") == 1);
	CHECK(play(cpu, "6") == 1 && newest_is("1 Vilicus alert: web1 cpu is "
	    "now warning: cpu on web1" FLAPS "warning until it is calm: 6 "
	    "percent, above 5"));
	CHECK(play(cpu, "1616") == 0 && play(cpu, "9") == 2);
	CHECK(count(said, "2 Vilicus alert: web1 cpu is now critical: cpu on "
	    "web1 changed from warning to critical at ") == 1);
	CHECK(play(cpu, "19696") == 0 && play(cpu, CALM "1") == 0);
	CHECK(play(cpu, "6") == 0 && play(cpu, "66666666666666") == 0);
	CHECK(play(cpu, "6") == 0 && cpu->alert.held == STATUS_WARNING);
	CHECK(play(cpu, "1") == 2 && cpu->incident == 0);
	/* What it was held at may be worse than what was told. */
	begin();
	CHECK(play(cpu, "91616") == 5 && play(cpu, "1") == 1);
	CHECK(newest_is("1 Vilicus alert: web1 cpu is now critical: cpu on "
	    "web1" FLAPS "critical until it is calm: 1 percent"));
}

/* Whoever was told of it is told so once, by another message or the alarm
 * that has not been read yet; whoever was not, by the alarm. */
static void
test_whom(void)
{
	static const struct {
		enum channel_end end;	/* of the alarm before */
		const char *title;	/* of what says that it flaps */
	} row[] = {
		{ CHANNEL_ACCEPTED, "web1 cpu is still critical: cpu on" },
		{ CHANNEL_UNKNOWN, "web1 cpu is still critical: cpu on" },
		{ CHANNEL_REFUSED, "web1 cpu is now critical: cpu on" },
		{ CHANNEL_RETRY, "web1 cpu is now critical: cpu on" },
	};
	char line[128];
	struct recipient *r;
	unsigned i;

	for (i = 0; i < COUNT(row); i++) {
		begin();
		fate = row[i].end;
		CHECK_ROW(i, play(cpu, "96969") > 0 && !cpu->alert.flaps);
		fate = CHANNEL_ACCEPTED;
		add_recipient("new", STATUS_CRITICAL);
		add_recipient("off", STATUS_WARNING)->enabled = false;
		r = add_recipient("later", STATUS_WARNING);
		r->after_s = 900;
		play(cpu, "6");
		pass(60000);
		send_all();
		said[says.n] = '\0';
		CHECK_ROW(i, cpu->alert.flaps && model_count(KIND_INCIDENT)
		    == 1 && count(said, FLAPS "critical") == 2);
		CHECK_ROW(i, count(said, "2 Vilicus alert: web1 cpu is now "
		    "critical: cpu on web1" FLAPS) == 1);
		snprintf(line, sizeof line, "1 Vilicus alert: %s",
		    row[i].title);
		CHECK_ROW(i, count(said, line) == 1);
		/* ... and who comes later, later. */
		CHECK_ROW(i, play(cpu, "96969696") == 0);
		CHECK_ROW(i, play(cpu, "9") == 1 && newest_is("4 Vilicus "
		    "alert: web1 cpu is still critical: web1 cpu is still "
		    "critical after 15 m: cpu on web1" FLAPS "critical until "
		    "it is calm: 6 percent, above 5"));
	}
}

/* The same, whenever the server is killed: with all on the disk, or a result
 * alone and nothing of what it meant. */
static void
test_restart(void)
{
	static const char values[] = "0101010010110111" CALM "1110";
	static char want[sizeof said];
	unsigned k, lost;

	begin();
	play(nginx, values);
	said[says.n] = '\0';
	str_copy(want, sizeof want, str_from(&says));
	CHECK(count(want, FLAPS) == 1 && count(want, "\n") == 8);
	for (k = 0; k < sizeof values - 1; k++)
		for (lost = 0; lost < 2; lost++) {
			char head[sizeof values], next[2] = { values[k] };

			begin();
			memcpy(head, values, k);
			head[k] = '\0';
			play(nginx, head);
			if (lost) {
				pass(60000);
				one(nginx, next[0]);
			}
			restart(the_store.head);
			nginx = model_check_by_id(1);
			if (lost)
				send_all();
			else
				play(nginx, next);
			play(nginx, values + k + 1);
			said[says.n] = '\0';
			CHECK_ROW(k * 2 + lost, text_is(said, want));
		}
}

/* Calls of what beats, and those that stay away. */
static void
test_beat(void)
{
	struct check *c;
	unsigned i;

	begin();
	c = add_check(model_agent(1), "backup", "heartbeat",
	    "{\"period_s\":300,\"grace_s\":30}");
	for (i = 0; i < 6; i++) {
		pass(60000);
		CHECK_ROW(i, beat_take(&the_store, c, i % 2 == 0 ? STATUS_OK :
		    STATUS_CRITICAL, STR("said"), &now, &why) == 0);
		CHECK_ROW(i, send_all() == (i > 0));
	}
	CHECK(newest_is("1 Vilicus alert: web1 backup is now critical: backup "
	    "on web1" FLAPS "critical until it is calm: said"));
	pass(60000);
	CHECK(beat_take(&the_store, c, STATUS_OK, STR(""), &now, &why) == 0 &&
	    send_all() == 0);
	/* One that is missing is a change, and then one that comes. */
	for (i = 1; i <= 331; i++) {
		pass(1000);
		beat_tick(&the_store, &now);
	}
	pass(1000);
	CHECK(c->raw == STATUS_CRITICAL && c->alert.flaps);
	for (i = 0; i < 5; i++) {
		CHECK_ROW(i, beat_take(&the_store, c, STATUS_OK, STR(""), &now,
		    &why) == 0 && send_all() == (i == 3));
		pass(300000);
	}
	CHECK(c->incident == 0 && newest_is("1 Vilicus alert: web1 backup is "
	    "now ok: backup on web1 changed from critical to ok at 2026-11-22 "
	    "07:20:43 UTC: calm for 15 min: 0 s since the last beat"));
}

/* Unknown, which has its patience, is a state as others. */
static void
test_unknown(void)
{
	begin();
	CHECK(play(cpu, "1??????1??????1") == 4 && play(cpu, "?????") == 0);
	CHECK(play(cpu, "?") == 1 && newest_is("1 Vilicus alert: web1 cpu is "
	    "now unknown: cpu on web1" FLAPS "unknown until it is calm: no "
	    "value"));
	CHECK(play(cpu, "1??????") == 0 && play(cpu, "1" CALM) == 0);
	CHECK(play(cpu, "1") == 1 && cpu->incident == 0);
}

int
main(void)
{
	test_alarm();
	test_still();
	test_raised();
	test_whom();
	test_restart();
	test_beat();
	test_unknown();
	fresh();
	return test_end();
}
