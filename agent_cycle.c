/*
 * agent_cycle.c: fetch, run, report; see agent.h.
 *
 * One exchange at a time, the first of these that is due:
 *
 *	BYE	when we are told to stop
 *	SELF	GET agent/: who we are; at the start and when the answered
 *		revision moved, and then
 *	LIST	GET check/
 *	OWN	PATCH agent/ID/: version, platform, guid; once
 *	REPORT	PATCH check_history/: when there are results, or none for
 *		an interval; the first one without any, for its now_ms
 *
 * Checks run by their own times meanwhile, whether the server answers or not.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "key.h"
#include "log.h"
#include "loop.h"

#define TOGETHER_MS	50	/* due within this: one request */
#define AGAIN_MS	1000	/* after "no result yet" */
#define BACKOFF_MIN_MS	2000	/* doubled to the greatest; then a */
#define BACKOFF_MAX_MS	30000	/* random half to whole of it is waited */
#define RETRY_AFTER_MAX_S 600	/* of a Retry-After, the most we honour */
#define NEVER		INT64_MAX

enum { EXIT_DONE = 0, EXIT_BAD = 1, EXIT_REFUSED = 3 };

enum ask { BYE, SELF, LIST, OWN, REPORT, ASKS };

static const struct {
	const char *method, *path;
	bool id;			/* ours follows */
	const char *what;
} asks[ASKS] = {
	[BYE] =	   { "PUT",   "/api/v1/agent/",		true,  "goodbye" },
	[SELF] =   { "GET",   "/api/v1/agent/?limit=0",	false, "our object" },
	[LIST] =   { "GET",   "/api/v1/check/?limit=0",	false, "the checks" },
	[OWN] =	   { "PATCH", "/api/v1/agent/",		true,  "our version" },
	[REPORT] = { "PATCH", "/api/v1/check_history/",	false, "a report" },
};

static struct {
	const struct agent_conf *conf;
	struct agent_self self;		/* id 0: not known yet */
	struct agent_set set[2], *now, *next;	/* the list, and room */
	char etag[AGENT_TEXT_MAX];	/* of the list; "" */
	bool have_clock;
	int64_t offset_ms;		/* server's wall clock - monotonic */
	enum ask asked;
	int64_t asked_mono[ASKS];	/* when each was, last */
	int64_t due[ASKS];		/* when each is to be */
	int64_t retry_mono;		/* but nothing before, except BYE */
	int64_t backoff_ms;		/* 0: all is well */
	int64_t stop_mono;		/* we end at the latest */
	bool done;
	int code;
	uint32_t phase;
	struct fail said;		/* last trouble: said once */
	char out[AGENT_HEAD_MAX + AGENT_BODY_MAX];
} a;

static void
finish(int code)
{
	a.done = true;
	a.code = code;
}

/* Say what is wrong, when it is news. */
static void
say(const struct fail *why)
{
	log_at(strcmp(why->msg, a.said.msg) == 0, "%s", why->msg);
	a.said = *why;
}

/* A random number, for spreading: where there is none, 0 does as well. */
static uint32_t
spread(void)
{
	uint32_t v = 0;
	struct fail why;

	(void)key_random((unsigned char *)&v, sizeof v, &why);
	return v;
}

/* -- running the checks -- */

static void
print_result(const struct agent_check *c, const struct probe_result *r)
{
	struct alert_result res = { .given = r->given,
	    .has_value = r->has_value, .value = r->value };
	char raw[1024], text[1024];
	struct buf b = BUF(raw), line = BUF(text);
	unsigned i;

	buf_addf(&b, "%-24s  ", c->name);
	check_text(&b, c->type, NULL, &res, NULL, str_of(r->text));
	for (i = 0; i < r->metrics; i++) {
		buf_addf(&b, "%s%s ", i == 0 ? "  (" : ", ",
		    r->metric[i].name);
		buf_milli(&b, r->metric[i].value);
	}
	buf_addz(&b, r->metrics > 0 ? ")" : "");
	buf_line(&line, str_from(&b));
	if (printf("%.*s\n", (int)line.n, line.p) < 0 || fflush(stdout) == EOF)
		finish(EXIT_BAD);
}

static void
take_result(struct agent_check *c, const struct probe_result *r, int64_t mono)
{
	if (a.conf->once && c->ran)
		return;
	c->ran = true;
	if (a.conf->dry)
		print_result(c, r);
	else
		agent_ring_add(c->id, mono, r);
}

/* Run what is due, and what will be in a moment. */
static void
run_due(int64_t mono)
{
	static struct probe_job job[AGENT_CHECKS_MAX];
	static struct agent_check *of[AGENT_CHECKS_MAX];
	struct agent_check *c;
	int64_t after;
	unsigned i, n = 0;

	for (i = 0; i < a.now->n; i++) {
		c = &a.now->check[i];
		if (c->next_mono > mono + TOGETHER_MS)
			continue;
		/* Its next time comes by its own interval, from a phase that
		 * all checks of this agent share, so that those of like
		 * intervals coincide; but not twice within half an interval:
		 * a share of so short a time says little. */
		after = mono + c->interval_ms / 2;
		c->next_mono = after + c->interval_ms -
		    (after + a.phase) % c->interval_ms;
		job[n].type = c->type;
		job[n].params = c->params;
		job[n].state = &c->state;
		of[n++] = c;
	}
	probe_all(job, n);
	for (i = 0; i < n; i++) {
		if (job[i].rc == 0)
			take_result(of[i], &job[i].r, mono);
		else if (of[i]->next_mono > mono + AGAIN_MS)
			of[i]->next_mono = mono + AGAIN_MS;
	}
}

/* -- asking -- */

/* What is to be asked next, and when; NEVER: nothing as yet. */
static int64_t
next_ask(int64_t mono, enum ask *ask)
{
	int64_t t, at = NEVER;
	unsigned k;

	a.due[REPORT] = a.self.id == 0 || a.conf->dry ? NEVER :
	    agent_ring_count() > 0 || !a.have_clock ? 0 :
	    a.asked_mono[REPORT] + a.self.interval_ms;
	for (k = BYE; k < ASKS; k++) {
		t = a.due[k];
		if (t < a.retry_mono && k != BYE)
			t = a.retry_mono;
		if (t < mono)
			t = mono;
		if (t < at) {
			at = t;
			*ask = (enum ask)k;
		}
	}
	return at;
}

/* We may not be who we were. */
static void
want_self(void)
{
	a.due[SELF] = a.asked_mono[SELF] + AGAIN_MS;
}

static void
begin(enum ask ask, int64_t mono)
{
	char head[AGENT_HEAD_MAX];
	struct buf body, h = BUF(head);
	struct agent_request q = { asks[ask].method, asks[ask].path,
	    asks[ask].id ? a.self.id : 0, ask == LIST ? a.etag : "", -1 };
	int rc;

	buf_init(&body, a.out + AGENT_HEAD_MAX, AGENT_BODY_MAX);
	if (ask == BYE)
		buf_addz(&body, "{\"state\":\"stopped\"}");
	else if (ask == OWN)
		agent_wire_own(&body, a.conf);
	else if (ask == REPORT)
		agent_ring_sent(agent_wire_report(&body, a.have_clock ?
		    AGENT_BATCH_MAX : 0, a.offset_ms, log_clock_ms()));
	if (body.n > 0)
		q.length = (int64_t)body.n;
	rc = agent_wire_head(&h, a.conf, &q);
	assert(rc == 0);	/* the configuration's parts fit */
	/* The head goes right before the body, so that both are one piece. */
	memcpy(a.out + AGENT_HEAD_MAX - h.n, head, h.n);
	a.asked = ask;
	a.asked_mono[ask] = mono;
	log_info("asking %s: %s", a.conf->host, asks[ask].what);
	agent_link_ask(a.conf, (struct str){ a.out + AGENT_HEAD_MAX - h.n,
	    h.n + body.n }, mono);
}

/* -- answers -- */

/* It did not work: say so, and wait, longer each time. */
static void
failed(int64_t mono, int64_t at_least_ms, int code, struct fail *why)
{
	int64_t ms = a.backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * a.backoff_ms;

	fail_in(why, "%s port %s", a.conf->host, a.conf->port);
	say(why);
	if (a.due[BYE] != NEVER)
		finish(EXIT_DONE);
	else if (a.conf->once)
		finish(code);
	a.backoff_ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	ms = a.backoff_ms / 2;
	ms += (int64_t)spread() % (ms + 1);
	a.retry_mono = mono + (ms > at_least_ms ? ms : at_least_ms);
}

/*
 * The server's clock stood at now_ms at some moment between request and
 * answer: the offset lies within those bounds.  The first is taken in their
 * middle; later ones move only as far as they must, so that stamps keep
 * their distances.  No result keeps a stamp by an older offset: whatever was
 * sent before is in each later report, until one is answered.
 */
static void
learn_clock(int64_t now_ms, int64_t mono)
{
	int64_t least = now_ms - mono, most = now_ms - a.asked_mono[REPORT];

	if (!a.have_clock)
		a.offset_ms = least + (most - least) / 2;
	else if (a.offset_ms < least)
		a.offset_ms = least;
	else if (a.offset_ms > most)
		a.offset_ms = most;
	a.have_clock = true;
}

static int
took_self(struct str body, struct fail *why)
{
	bool first = a.self.id == 0;
	struct agent_self s;

	if (agent_wire_self(body, &s, why) == -1)
		return -1;
	a.self = s;
	a.due[LIST] = 0;
	if (first && !a.conf->dry)
		a.due[OWN] = 0;
	return 0;
}

/* A check that is as it was goes on as it was. */
static void
carry_over(struct agent_check *c, const struct agent_set *was)
{
	const struct agent_check *w = was->check;

	while (w < was->check + was->n && w->id != c->id)
		w++;
	if (w == was->check + was->n || w->type != c->type ||
	    !str_eq(w->params, c->params) || w->interval_ms != c->interval_ms)
		return;
	c->state = w->state;
	c->next_mono = w->next_mono;
	c->ran = w->ran;
}

static int
took_list(struct str body, const struct http_head *h, struct fail *why)
{
	struct agent_set *was = a.now;
	unsigned i;

	if (h->status == 304)
		return 0;
	if (agent_wire_checks(body, a.self.interval_ms, a.next, why) == -1)
		return -1;
	for (i = 0; i < a.next->n; i++)
		carry_over(&a.next->check[i], was);
	a.now = a.next;
	a.next = was;
	/* One too long is as good as none. */
	(void)str_copy(a.etag, sizeof a.etag, http_field(h, "ETag"));
	log_at(a.now->n == was->n, "%s at %s port %s: checks: %u",
	    a.self.hostname, a.conf->host, a.conf->port, a.now->n);
	return 0;
}

static int
took_report(struct str body, int64_t mono, struct fail *why)
{
	struct agent_answer ans;

	agent_ring_answered(true);
	if (agent_wire_answer(body, &ans, why) == -1)
		return -1;
	learn_clock(ans.now_ms, mono);
	if (ans.revision != a.self.revision && !a.conf->once)
		want_self();
	if (ans.refused > 0) {
		fail(why, "%lld results were refused: %s",
		    (long long)ans.refused, ans.error);
		say(why);
		a.code = EXIT_BAD;
	} else {
		if (a.backoff_ms > 0)
			log_line("%s answers again", a.conf->host);
		a.said.msg[0] = '\0';
	}
	a.backoff_ms = 0;
	return 0;
}

/* An answer that is none of 2xx and 304. */
static void
refused(const struct http_head *h, struct str body, int64_t mono)
{
	int status = h->status;
	char error[FAIL_MAX];
	uint64_t after_s = 0;
	struct fail why;

	/* Reports of these would be answered alike again (DESIGN 5). */
	if (a.asked == REPORT && (status == 400 || status == 403 ||
	    status == 404 || status == 413))
		agent_ring_answered(false);
	if (status == 403 || status == 404 || status == 410)
		want_self();
	if (a.asked == OWN && status < 500 && status != 429)
		a.due[OWN] = NEVER;	/* so be it */
	agent_wire_error(body, error);
	fail(&why, "answered %d to %s%s%s", status, asks[a.asked].what,
	    error[0] != '\0' ? ": " : "", error);
	str_u64(http_field(h, "Retry-After"), 0, UINT64_MAX, &after_s);
	if (after_s > RETRY_AFTER_MAX_S)
		after_s = RETRY_AFTER_MAX_S;
	failed(mono, (int64_t)after_s * 1000, status == 401 || status == 403 ?
	    EXIT_REFUSED : EXIT_BAD, &why);
}

static void
answered(int64_t mono)
{
	struct str body;
	const struct http_head *h = agent_link_answer(&body);
	struct fail why;
	int rc = 0;

	if (a.asked == BYE) {
		finish(EXIT_DONE);
		return;
	}
	if (h->status / 100 != 2 && !(h->status == 304 && a.asked == LIST)) {
		refused(h, body, mono);
		return;
	}
	a.due[a.asked] = NEVER;
	if (a.asked == SELF)
		rc = took_self(body, &why);
	else if (a.asked == LIST)
		rc = took_list(body, h, &why);
	else if (a.asked == REPORT)
		rc = took_report(body, mono, &why);
	if (rc == 0)
		return;
	a.due[a.asked] = 0;
	fail_in(&why, "%s", asks[a.asked].what);
	failed(mono, 0, EXIT_BAD, &why);
}

/* -- the loop -- */

static void
stop(int64_t mono)
{
	a.due[BYE] = mono;
	a.stop_mono = mono + AGENT_STOP_MS;
	if (a.conf->once)
		finish(EXIT_BAD);
	else if (a.self.id == 0)
		finish(EXIT_DONE);
}

/* Is the one cycle of -1 or -n over? */
static bool
cycle_over(void)
{
	unsigned i;

	for (i = 0; i < a.now->n; i++)
		if (!a.now->check[i].ran)
			return false;
	return a.due[SELF] == NEVER && a.due[LIST] == NEVER &&
	    a.due[OWN] == NEVER && agent_link_due() == NEVER && (a.conf->dry ||
	    (a.have_clock && agent_ring_count() == 0));
}

/* How long there is nothing to do, in ms. */
static int
pause_ms(int64_t mono)
{
	enum ask ask;
	int64_t t = agent_link_due();
	unsigned i;

	if (t == NEVER)
		t = next_ask(mono, &ask);
	if (t > a.stop_mono)
		t = a.stop_mono;
	if (t > mono + 60000)
		t = mono + 60000;
	for (i = 0; i < a.now->n; i++)
		if (t > a.now->check[i].next_mono)
			t = a.now->check[i].next_mono;
	return t < mono ? 0 : (int)(t - mono);
}

/* Go on with what there is to do at this moment. */
static void
step(void)
{
	int64_t mono = loop_mono_ms();
	enum http_rc rc;
	enum ask ask;
	struct fail why;

	if (mono >= a.stop_mono)
		finish(EXIT_DONE);
	if (agent_stop && a.due[BYE] == NEVER)
		stop(mono);
	if (a.due[BYE] == NEVER)
		run_due(mono);
	if (a.done)
		return;
	if (agent_link_due() == NEVER && next_ask(mono, &ask) <= mono)
		begin(ask, mono);
	rc = agent_link_step(mono, &why);
	mono = loop_mono_ms();
	if (rc == HTTP_DONE)
		answered(mono);
	else if (rc == HTTP_BAD)
		failed(mono, 0, EXIT_REFUSED, &why);
	if (a.conf->once && cycle_over())
		finish(a.code);
}

int
agent_cycle_run(const struct agent_conf *conf)
{
	static struct loop_event ev[LOOP_EVENTS_MAX];
	struct fail why;
	int n = loop_open(&why);

	a.conf = conf;
	a.now = &a.set[0];
	a.next = &a.set[1];
	a.phase = spread();
	a.due[BYE] = a.due[LIST] = a.due[OWN] = a.stop_mono = NEVER;
	while (n != -1) {
		step();
		if (a.done)
			break;
		n = loop_wait(pause_ms(loop_mono_ms()), ev, &why);
		if (n > 0 && agent_link_due() == NEVER)
			agent_link_close();	/* nothing was asked */
	}
	agent_link_close();
	if (n != -1)
		return a.code;
	log_line("%s", why.msg);
	return EXIT_BAD;
}
