/*
 * watch_world.h: what watch_test and told_test share: the store, the
 * delivery's child, the log and the server around watch.c, notify.c,
 * change.c and alert.c are stand-ins.  What became of each attempt to tell
 * is kept, so that the promises can be held against it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../channel.h"
#include "../log.h"
#include "../notify_impl.h"
#include "../watch.h"
#include "test.h"

#define MAY_GO		__attribute__((unused))

#define LINES_MAX	8192
#define REPORTS_MAX	8192
#define TRIES_MAX	4096

/* ---- the store's place ---- */

struct store {
	uint64_t head;
};

struct report {
	uint64_t source;
	int64_t received_ms;
	unsigned results;
	struct store_result result[4];
};

static struct store the_store;
static char *lines[LINES_MAX];
static bool line_kept[LINES_MAX];		/* vilicus decided it itself */
static size_t lines_n, lines_safe;
static struct report reports[REPORTS_MAX];	/* seq is the index and 1 */
static uint64_t reports_safe;
static bool no_room;

static void
add_line(struct str body)
{
	char *p = malloc(body.n + 3);

	if (p == NULL || lines_n == LINES_MAX)
		abort();
	p[0] = '{';
	memcpy(p + 1, body.p, body.n);
	memcpy(p + 1 + body.n, "}", 2);
	lines[lines_n++] = p;
}

static void
cut_lines(size_t n)
{
	while (lines_n > n)
		free(lines[--lines_n]);
}

uint64_t
store_head_seq(const struct store *s)
{
	return s->head;
}

uint64_t
store_journal_n(const struct store *s, char hash[65])
{
	(void)s;
	memset(hash, 'a', 64);
	hash[64] = '\0';
	return lines_n;
}

int
store_report_begin(struct store *s, const struct store_report *r,
    unsigned max_results, uint64_t *seq, struct fail *because)
{
	(void)max_results;
	if (no_room)
		return fail(because, "no room");
	if (s->head + 1 == REPORTS_MAX)
		abort();
	reports[s->head] = (struct report){ .source = r->source,
	    .received_ms = r->received_ms };
	*seq = s->head + 1;
	return 0;
}

/* Texts are not kept. */
void
store_report_add(struct store *s, const struct store_result *r)
{
	struct report *rep = &reports[s->head];

	rep->result[rep->results] = *r;
	rep->result[rep->results++].text = STR("");
}

void
store_report_end(struct store *s)
{
	s->head++;
}

int
store_journal(struct store *s, struct str body, bool keep, struct fail *why)
{
	(void)s;
	if (no_room)
		return fail(why, "no room");
	add_line(body);
	line_kept[lines_n - 1] = keep;
	return 0;
}

int
store_snapshot_begin(struct store *s, const struct store_job *job,
    int64_t at_ms, struct fail *why)
{
	(void)s;
	(void)job;
	(void)at_ms;
	(void)why;
	cut_lines(0);
	return 0;
}

void
store_snapshot_put(struct store *s, struct str body)
{
	(void)s;
	add_line(body);
}

int
store_snapshot_end(struct store *s, struct fail *why)
{
	(void)s;
	(void)why;
	lines_safe = lines_n;
	return 0;
}

/* ---- the log's place ---- */

int log_verbose;

void
log_at(int verbose, const char *fmt, ...)
{
	(void)verbose;
	(void)fmt;
}

/* ---- the place of the child and of whom it talks to ---- */

enum end { OPEN, YES, NO, MAYBE };	/* as the server can know it */

static struct try {
	uint64_t delivery, recipient;
	char *items;
	bool unknown;		/* some try before may have arrived */
	enum end end;
	bool safe;		/* its outcome is in the journal */
	int fd;			/* of its child */
	bool refused;
} tries[TRIES_MAX];
static size_t tries_n, starts;
static size_t errands;
static int errand_fd;			/* of the newest one's child */
static bool child_broken;
static int answering = -1;	/* the child that has an answer */
static struct channel_outcome outcome;
static char job[CHILD_JOB_MAX + 1];

int
child_start(size_t kind, struct str arg, struct fail *why)
{
	(void)kind;
	(void)arg;
	starts++;
	return child_broken ? fail(why, "no child") :
	    open("/dev/null", O_RDONLY);
}

static struct delivery *
delivery_at(size_t i)
{
	return (struct delivery *)model_at(KIND_DELIVERY, i);
}

static void
add_try(const struct delivery *d, enum end end)
{
	size_t n = strlen(d->items) + 1;
	struct try *t = &tries[tries_n++];

	if (tries_n == TRIES_MAX)
		abort();
	*t = (struct try){ d->o.id, d->recipient, malloc(n), d->unknown, end,
	    false, -1, false };
	if (t->items == NULL)
		abort();
	memcpy(t->items, d->items, n);
}

static bool
is_pushed(const struct delivery *d)
{
	const struct recipient *r = model_recipient(d->recipient);

	return r != NULL && r->channel == TO_PUSHOVER;
}

/* The first that is on its way; of those to Pushover and those to each other
 * recipient there is at most one. */
MAY_GO static struct delivery *
sending(void)
{
	struct delivery *d, *first = NULL;
	size_t i, k;

	for (i = 0; i < model_count(KIND_DELIVERY); i++) {
		d = delivery_at(i);
		if (d->state != DELIVERY_SENDING)
			continue;
		for (k = 0; k < i; k++)
			CHECK(delivery_at(k)->state != DELIVERY_SENDING ||
			    (delivery_at(k)->recipient != d->recipient &&
			    !(is_pushed(delivery_at(k)) && is_pushed(d))));
		if (first == NULL)
			first = d;
	}
	return first;
}

/* The one on its way that this job is of: each recipient has an address of
 * its own. */
static const struct delivery *
job_of(const char *text)
{
	const struct recipient *r;
	const struct delivery *d;

	MODEL_ALL(d, KIND_DELIVERY) {
		r = d->state != DELIVERY_SENDING ? NULL :
		    model_recipient(d->recipient);
		if (r != NULL && strstr(text, r->address) != NULL)
			return d;
	}
	return NULL;
}

int
child_job(int fd, struct str text, struct fail *why)
{
	const struct delivery *d;

	if (child_broken)
		return fail(why, "no child");
	if (!CHECK(text.n < sizeof job))
		abort();
	memcpy(job, text.p, text.n);
	job[text.n] = '\0';
	if (strstr(job, "\"what\":\"receipt\"") != NULL ||
	    strstr(job, "\"what\":\"cancel\"") != NULL ||
	    strstr(job, "\"channel\":\"get\"") != NULL) {
		errands++;		/* it tells nobody */
		errand_fd = fd;
		return 0;
	}
	d = job_of(job);
	if (CHECK(d != NULL)) {
		add_try(d, OPEN);
		tries[tries_n - 1].fd = fd;
	}
	return 0;
}

int
child_answer(int fd, char dst[CHILD_ANSWER + 1])
{
	dst[0] = '\0';
	return child_broken ? -1 : fd == answering;
}

int
channel_outcome_get(const char *answer, struct channel_outcome *o)
{
	(void)answer;
	*o = outcome;
	return outcome.code == 666 ? -1 : 0;
}

/* ---- the server's place ---- */

#define START_MS	INT64_C(1795330391000)	/* 2026-11-22 06:53:11 */

static struct watch_now now;
static struct fail why;
static const struct change client = { "key:1", "api", START_MS, false };
static int64_t heard_ms[8];		/* by agent id, on the watch clock */

static void
pass(int64_t ms)
{
	now.now_ms += ms;
	now.watch_ms += ms;
}

static void
settings(const char *token)
{
	model_text(&model_setting()->pushover_token, str_of(token));
}

static void
commit(void)
{
	size_t i;

	change_committed();
	lines_safe = lines_n;
	reports_safe = the_store.head;
	for (i = 0; i < tries_n; i++)
		tries[i].safe = tries[i].end != OPEN;
}

/* It failed.  What clients asked for is undone; the rest waits, and so do the
 * reports, which may be there after a crash. */
MAY_GO static void
commit_fails(void)
{
	size_t i, n = lines_safe;

	change_failed();
	for (i = n; i < lines_n; i++)
		if (line_kept[i]) {
			line_kept[n] = true;
			lines[n++] = lines[i];
		} else {
			free(lines[i]);
		}
	lines_n = n;
}

/* The end of a turn of the loop. */
MAY_GO static void
turn(void)
{
	notify_due(&now);
	commit();
	notify_send(&now);
}

static void
all_ready(void)
{
	for (unsigned i = 0; i < NOTIFY_WAYS; i++)
		if (notify_fd(i) != -1)
			notify_ready(i, &now);
}

/* The n'th of those that are on their way; NULL: they are fewer. */
static struct try *
open_try(unsigned n)
{
	for (size_t i = 0; i < tries_n; i++)
		if (tries[i].end == OPEN && n-- == 0)
			return &tries[i];
	return NULL;
}

/* The child of the n'th answers. */
static void
answer_one(unsigned n, enum channel_end end, unsigned after_s)
{
	struct try *t = open_try(n);

	if (t == NULL)
		return;
	outcome = (struct channel_outcome){ .end = end, .after_s = after_s,
	    .code = end == CHANNEL_ACCEPTED ? 200 : 500, .id = "id-1",
	    .reason = "because" };
	t->end = end == CHANNEL_ACCEPTED ? YES : end == CHANNEL_UNKNOWN ?
	    MAYBE : NO;
	t->refused = end == CHANNEL_REFUSED;
	answering = t->fd;
	all_ready();
	answering = -1;
}

/* The newest errand that tells nobody is answered. */
MAY_GO static void
answer_errand(struct channel_outcome o)
{
	outcome = o;
	answering = errand_fd;
	all_ready();
	answering = -1;
}

/* What is on its way is answered, if anything is. */
MAY_GO static void
answer(enum channel_end end, unsigned after_s)
{
	for (size_t n = tries_n; n > 0 && open_try(0) != NULL; n--)
		answer_one(0, end, after_s);
}

MAY_GO static void
child_dies(void)
{
	struct try *t;

	while ((t = open_try(0)) != NULL)
		t->end = MAYBE;
	child_broken = true;
	all_ready();
	child_broken = false;
}

/* What notify.c has of its own goes with the process: leave it idle, and to
 * look whenever it is asked to. */
static void
forget_way(void)
{
	struct incident none;

	child_broken = true;
	notify_send(&now);
	all_ready();
	child_broken = false;
	notify_event(&none);
}

/* What was on its way or is not known to the journal may have arrived. */
static void
lose_outcomes(void)
{
	const struct delivery *d;
	bool known[TRIES_MAX] = { false };
	size_t i, n = tries_n;

	for (i = 0; i < n; i++) {
		if (tries[i].end == OPEN || !tries[i].safe) {
			tries[i].end = MAYBE;
			tries[i].refused = false;
			known[i] = true;
		}
		tries[i].safe = true;
	}
	/* The journal cannot tell it was not sent. */
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->state != DELIVERY_SENDING)
			continue;
		for (i = 0; i < n; i++)
			if (known[i] && tries[i].delivery == d->o.id)
				break;
		if (i == n)
			add_try(d, MAYBE);
	}
}

/* kill -9 and a start, as server.c does it.  heads: how many reports made it
 * to the disk, no fewer than the journal knows of. */
static void
restart(uint64_t heads)
{
	size_t i;
	unsigned k;

	forget_way();
	cut_lines(lines_safe);
	change_committed();
	change_store(NULL);
	model_reset();
	for (i = 0; i < lines_n; i++)
		CHECK_ROW(i, change_replay(str_of(lines[i]), &why) == 0);
	change_replayed(heads);
	lose_outcomes();
	now.watch_ms = 0;
	memset(heard_ms, 0, sizeof heard_ms);
	for (i = (size_t)change_replay_from(); i < heads; i++) {
		const struct report *r = &reports[i];
		struct watch_now then = { r->received_ms, 0, true };
		struct agent *a = model_agent(r->source);

		if (a == NULL && r->source != 0)
			continue;
		if (a != NULL)
			a->last_checkin = r->received_ms;
		if (a != NULL && i + 1 > a->o.stepped_seq)
			watch_heard(a, &then);
		for (k = 0; k < r->results; k++) {
			struct check *c = model_check_by_id(
			    r->result[k].check);

			if (c != NULL)
				watch_result(c, &r->result[k], i + 1, &then);
		}
	}
	the_store.head = heads;
	change_store(&the_store);
	if (change_unwritten())
		CHECK(change_snapshot(NULL, now.now_ms, &why) == 0);
	commit();
	notify_resume(&now);
	settings("token");
	notify_reload();
}

static void
fresh(void)
{
	forget_way();
	while (tries_n > 0)
		free(tries[--tries_n].items);
	cut_lines(0);
	lines_safe = 0;
	change_store(NULL);
	change_committed();
	model_reset();
	change_replay(STR("{\"what\":\"counters\",\"head\":0,\"new\":{}}"),
	    &why);
	the_store.head = 0;
	no_room = false;
	now = (struct watch_now){ START_MS, 1000, false };
	memset(heard_ms, 0, sizeof heard_ms);
	change_store(&the_store);
	settings("token");
	notify_resume(&now);
}

static struct recipient *
add_recipient(const char *name, enum status severity)
{
	struct recipient *r = (struct recipient *)
	    model_draft(KIND_RECIPIENT, NULL);

	model_text(&r->name, str_of(name));
	model_textf(&r->address, "%.30s%.*s", name, 30 - (int)strlen(name),
	    "abcdefghijklmnopqrstuvwxyz0123");
	r->severity = (uint8_t)severity;
	return (struct recipient *)change_put(KIND_RECIPIENT, &r->o, &client,
	    &why);
}

MAY_GO static struct agent *
add_agent(const char *name)
{
	struct agent *a = (struct agent *)model_draft(KIND_AGENT, NULL);

	model_text(&a->hostname, str_of(name));
	return (struct agent *)change_put(KIND_AGENT, &a->o, &client, &why);
}

MAY_GO static struct check *
add_check(const struct agent *a, const char *name, const char *type,
    const char *params)
{
	struct check *c = (struct check *)model_draft(KIND_CHECK, NULL);

	c->agent_id = a->o.id;
	c->type = check_type(str_of(type));
	model_text(&c->name, str_of(name));
	model_text(&c->params, str_of(params));
	return (struct check *)change_put(KIND_CHECK, &c->o, &client, &why);
}

/* One report of an agent, as PATCH check_history does it. */
static struct report *
begin_report(struct agent *a)
{
	struct report *r = &reports[the_store.head];

	if (the_store.head + 1 == REPORTS_MAX)
		abort();
	*r = (struct report){ .source = a->o.id, .received_ms = now.now_ms };
	watch_heard(a, &now);
	heard_ms[a->o.id % 8] = now.watch_ms;
	return r;
}

static void
add_result(struct report *rep, struct check *c, int64_t at_ms, int64_t value,
    uint8_t given)
{
	struct store_result r = { .check = c->o.id, .at_ms = at_ms,
	    .given = given, .has_value = given != STATUS_UNKNOWN,
	    .value = value * 1000 };

	r.late = alert_late(at_ms, now.now_ms, model_interval(c));
	rep->result[rep->results++] = r;
	(void)model_rule(c, &c->rule);	/* what a test changed in place */
	watch_result(c, &r, the_store.head + 1, &now);
}

/* A report with one value. */
MAY_GO static void
result(struct check *c, int64_t value)
{
	struct report *rep = begin_report(c->agent);

	add_result(rep, c, now.now_ms, value, STORE_NO_CODE);
	the_store.head++;
	notify_look(&now);
}

/* As the server does it each second. */
MAY_GO static void
tick(void)
{
	watch_tick(&now);
	notify_look(&now);
}

MAY_GO static struct delivery *
last_delivery(void)
{
	size_t n = model_count(KIND_DELIVERY);

	return n == 0 ? NULL : delivery_at(n - 1);
}

MAY_GO static bool
text_is(const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return true;
	printf("got  %s\nwant %s\n", got, want);
	return false;
}
