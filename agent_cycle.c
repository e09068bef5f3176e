/*
 * agent_cycle.c: fetch, run, report; see agent.h.
 *
 * One exchange at a time, the first of these that is due:
 *
 *	BYE	when we are told to stop
 *	ENROL	POST agent/ with the enrolment key, when ours is not known
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

#include "agent.h"
#include "key.h"
#include "log.h"
#include "loop.h"

#define NEVER		INT64_MAX
#define REPORT_BYTES	260	/* as it is sent, about; and of ... */
#define RESULT_BYTES	140	/* ... each result in it */

enum ask { BYE, ENROL, SELF, LIST, OWN, REPORT, ASKS };

static const struct {
	const char *method, *path;
	bool id;			/* ours follows */
	const char *what;
} asks[ASKS] = {
	[BYE] =	   { "PUT",   "/api/v1/agent/",		true,  "goodbye" },
	[ENROL] =  { "POST",  "/api/v1/agent/",		false, "enrolment" },
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
	const struct probe_metric *m = r->metric;

	buf_addf(&b, "%-24s  ", c->name);
	check_text(&b, c->type, NULL, &res, NULL, str_of(r->text));
	for (; m < r->metric + r->metrics; m++) {
		buf_addf(&b, "%s%s ", m == r->metric ? "  (" : ", ", m->name);
		buf_milli(&b, m->value);
	}
	buf_addz(&b, r->metrics > 0 ? ")" : "");
	buf_line(&line, str_from(&b));
	if (printf("%.*s\n", (int)line.n, line.p) < 0 || fflush(stdout) == EOF)
		finish(AGENT_BAD);
}

static struct probe_job
job_of(struct agent_check *c)
{
	return (struct probe_job){ .type = c->type, .params = c->params,
	    .state = &c->state };
}

/* A result of a check that was begun at this time. */
static void
took_result(struct agent_check *c, const struct probe_result *r, int64_t mono)
{
	if (a.conf->once && c->ran)
		return;
	c->ran = true;
	if (a.conf->dry)
		print_result(c, r);
	else
		agent_ring_add(c->id, mono, r);
}

/* Start what may block in a child of its own, unless one is at work: that has
 * an end of its own. */
static void
start_run(struct agent_check *c, struct probe_job job, int64_t mono)
{
	struct fail why;

	if (c->run.fd > 0 || (a.conf->once && c->ran))
		return;
	if (probe_begin(&job, &c->run, mono, &why) == 0 &&
	    loop_set(c->run.fd, LOOP_IN, AGENT_TAG_RUN, &why) == 0)
		return;
	probe_drop(&c->run);
	if (!job.r.has_value) {		/* and nothing was measured before */
		job.r.given = STATUS_UNKNOWN;
		str_copy(job.r.text, sizeof job.r.text, str_of(why.msg));
	}
	took_result(c, &job.r, mono);
}

/* What is over in its child. */
static void
end_runs(int64_t mono)
{
	struct agent_check *c;
	struct probe_job job;
	int64_t begun;

	for (c = a.now->check; c < a.now->check + a.now->n; c++) {
		if (c->run.fd == 0) {
			(void)probe_reap(&c->run);
			continue;
		}
		job = job_of(c);
		begun = c->run.begun_ms;
		if (probe_end(&job, &c->run, mono))
			took_result(c, &job.r, begun);
	}
}

static void
drop_runs(struct agent_set *set)
{
	for (unsigned i = 0; i < set->n; i++) {
		probe_drop(&set->check[i].run);
		probe_forget(set->check[i].type, &set->check[i].state);
	}
}

/* A process has died: its check is due. */
static void
died(uint64_t tag, int64_t mono)
{
	size_t which = probe_died(tag);
	struct agent_check *c;
	int64_t at;

	for (c = a.now->check; c < a.now->check + a.now->n; c++) {
		at = probe_died_due(which, c->type, &c->state, mono);
		if (at != NEVER && (c->wake_mono == 0 || c->wake_mono > at))
			c->wake_mono = at;
	}
}

/* Its next time comes by its own interval, from a phase that all checks of
 * this agent share, so that those of like intervals coincide; but not twice
 * within half an interval: a share of so short a time says little.  false: it
 * is not due. */
static bool
take_turn(struct agent_check *c, int64_t mono)
{
	int64_t after = mono + c->interval_ms / 2;
	bool woken = c->wake_mono != 0 && c->wake_mono <= mono;

	if (woken)
		c->wake_mono = 0;
	if (c->next_mono > mono + AGENT_TOGETHER_MS)
		return woken;
	c->next_mono = after + c->interval_ms -
	    (after + a.phase) % c->interval_ms;
	return true;
}

/* Run what is due, and what will be in a moment. */
static void
run_due(int64_t mono)
{
	static struct probe_job job[AGENT_CHECKS_MAX];
	static struct agent_check *of[AGENT_CHECKS_MAX];
	struct agent_check *c;
	unsigned i, n = 0;

	for (c = a.now->check; c < a.now->check + a.now->n; c++) {
		if (!take_turn(c, mono))
			continue;
		if (c->run.fd > 0 || probe_blocks(c->type, c->params)) {
			start_run(c, job_of(c), mono);
			continue;
		}
		job[n] = job_of(c);
		of[n++] = c;
	}
	probe_all(job, n);
	for (i = 0; i < n; i++) {
		c = of[i];
		if (job[i].rc == 0)
			took_result(c, &job[i].r, mono);
		else if (job[i].rc == 2)
			start_run(c, job[i], mono);
		else if (c->next_mono > mono + AGENT_AGAIN_MS)
			c->next_mono = mono + AGENT_AGAIN_MS;
	}
}

/* -- asking -- */

/* What is to be asked next, and when; NEVER: nothing as yet. */
static int64_t
next_ask(int64_t mono, enum ask *ask)
{
	int64_t t, at = NEVER;

	a.due[REPORT] = a.self.id == 0 || a.conf->dry ? NEVER :
	    agent_ring_count() > 0 || !a.have_clock ? 0 :
	    a.asked_mono[REPORT] + a.self.interval_ms;
	for (unsigned k = BYE; k < ASKS; k++) {
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

static void
begin(enum ask ask, int64_t mono)
{
	char head[AGENT_HEAD_MAX];
	struct buf h = BUF(head), body = { a.out + AGENT_HEAD_MAX, 0,
	    AGENT_BODY_MAX, false };
	struct agent_request q = { asks[ask].method, asks[ask].path,
	    asks[ask].id ? a.self.id : 0, ask == LIST ? a.etag : "", -1,
	    ask == ENROL };
	int rc;

	if (ask == BYE)
		buf_addz(&body, "{\"state\":\"stopped\"}");
	else if (ask == ENROL)
		agent_wire_enrol(&body, a.conf);
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
	int64_t ms = a.backoff_ms > 0 ? 2 * a.backoff_ms : AGENT_BACKOFF_MIN_MS;

	fail_in(why, "%s port %s", a.conf->host, a.conf->port);
	say(why);
	if (a.due[BYE] != NEVER)
		finish(AGENT_FINE);
	else if (a.conf->once)
		finish(code);
	a.backoff_ms = ms < AGENT_BACKOFF_MAX_MS ? ms : AGENT_BACKOFF_MAX_MS;
	ms = a.backoff_ms / 2;
	ms += (int64_t)spread() % (ms + 1);
	a.retry_mono = mono + (ms > at_least_ms ? ms : at_least_ms);
}

/* What these checks send: all that are due together go in one report. */
static void
say_bytes(void)
{
	int64_t every = a.self.interval_ms, results = 0, reports;

	for (unsigned i = 0; i < a.now->n; i++) {
		results += STR_DAY_MS / a.now->check[i].interval_ms;
		if (every > a.now->check[i].interval_ms)
			every = a.now->check[i].interval_ms;
	}
	reports = STR_DAY_MS / every;
	log_info("checks: %u, %lld results in %lld reports a day: about %lld "
	    "KiB", a.now->n, (long long)results, (long long)reports,
	    (long long)((results * RESULT_BYTES + reports *
	    REPORT_BYTES) / 1024));
}

static int
took_list(struct str body, const struct http_head *h, struct fail *why)
{
	struct agent_set *was = a.now;
	struct agent_check *c, *w;

	if (h->status == 304)
		return 0;
	if (agent_wire_checks(body, a.self.interval_ms, a.next, why) == -1)
		return -1;
	/* A check that is as it was goes on as it was. */
	for (c = a.next->check; c < a.next->check + a.next->n; c++)
		for (w = was->check; w < was->check + was->n; w++)
			if (w->id == c->id && w->type == c->type &&
			    str_eq(w->params, c->params) &&
			    w->interval_ms == c->interval_ms) {
				c->state = w->state;
				c->next_mono = w->next_mono;
				c->wake_mono = w->wake_mono;
				c->ran = w->ran;
				c->run = w->run;
				w->run = (struct probe_run){ 0 };
				w->state = (struct probe_state){ .v = { 0 } };
			}
	drop_runs(was);
	a.now = a.next;
	a.next = was;
	/* One too long is as good as none. */
	(void)str_copy(a.etag, sizeof a.etag, http_field(h, "ETag"));
	log_at(a.now->n == was->n, "%s at %s port %s: checks: %u",
	    a.self.hostname, a.conf->host, a.conf->port, a.now->n);
	say_bytes();
	return 0;
}

static int
took_report(struct str body, int64_t mono, struct fail *why)
{
	struct agent_answer ans;
	int64_t least, most;

	agent_ring_answered(true);
	if (agent_wire_answer(body, &ans, why) == -1)
		return -1;
	/* The server's clock stood at now_ms at some moment between request
	 * and answer: the offset lies within those bounds.  The first is taken
	 * in their middle; later ones move only as far as they must, so that
	 * stamps keep their distances.  No result keeps a stamp by an older
	 * offset: whatever was sent before is in each later report, until one
	 * is answered. */
	least = ans.now_ms - mono;
	most = ans.now_ms - a.asked_mono[REPORT];
	if (!a.have_clock)
		a.offset_ms = least + (most - least) / 2;
	else if (a.offset_ms < least)
		a.offset_ms = least;
	else if (a.offset_ms > most)
		a.offset_ms = most;
	a.have_clock = true;
	if (ans.revision != a.self.revision && !a.conf->once)
		a.due[SELF] = a.asked_mono[SELF] + AGENT_AGAIN_MS;
	if (ans.refused > 0) {
		fail(why, "%lld results were refused: %s",
		    (long long)ans.refused, ans.error);
		say(why);
		a.code = AGENT_BAD;
	} else {
		if (a.backoff_ms > 0)
			log_line("%s answers again", a.conf->host);
		a.said.msg[0] = '\0';
	}
	a.backoff_ms = 0;
	return 0;
}

/* One that is what was asked for.  0 or -1. */
static int
took(struct str body, const struct http_head *h, int64_t mono, struct fail *why)
{
	struct agent_self self;

	if (a.asked == LIST)
		return took_list(body, h, why);
	if (a.asked == REPORT)
		return took_report(body, mono, why);
	if (a.asked == OWN)
		return 0;
	if (a.asked == ENROL) {
		a.due[SELF] = 0;
		return 0;
	}
	if (agent_wire_self(body, &self, why) == -1)
		return -1;
	a.due[LIST] = 0;
	if (a.self.id == 0 && !a.conf->dry)
		a.due[OWN] = 0;
	a.self = self;
	return 0;
}

static void
answered(int64_t mono)
{
	struct str body;
	const struct http_head *h = agent_link_answer(&body);
	int status = h->status, code = AGENT_BAD;
	char error[FAIL_MAX];
	uint64_t after_s = 0;
	struct fail why;

	if (a.asked == BYE) {
		finish(AGENT_FINE);
		return;
	}
	if (status / 100 == 2 || (status == 304 && a.asked == LIST)) {
		a.due[a.asked] = NEVER;
		if (took(body, h, mono, &why) == 0)
			return;
		a.due[a.asked] = 0;
		fail_in(&why, "%s", asks[a.asked].what);
	} else {
		/* Reports of these would be answered alike again (DESIGN 5). */
		if (a.asked == REPORT && (status == 400 || status == 403 ||
		    status == 404 || status == 413))
			agent_ring_answered(false);
		/* We may not be who we were. */
		if (status == 403 || status == 404 || status == 410)
			a.due[SELF] = a.asked_mono[SELF] + AGENT_AGAIN_MS;
		if (a.asked == OWN && status < 500 && status != 429)
			a.due[OWN] = NEVER;	/* so be it */
		if (status == 401 || status == 403)
			code = AGENT_REFUSED;
		/* Our key is not known yet, or no more. */
		if (status == 401 && a.asked == SELF &&
		    a.conf->enrol[0] != '\0') {
			a.due[ENROL] = 0;
			a.due[SELF] = NEVER;
			return;
		}
		agent_wire_error(body, error);
		fail(&why, "answered %d to %s%s%s", status, asks[a.asked].what,
		    error[0] != '\0' ? ": " : "", error);
		str_u64(http_field(h, "Retry-After"), 0, UINT64_MAX, &after_s);
		if (after_s > AGENT_RETRY_MAX_S)
			after_s = AGENT_RETRY_MAX_S;
	}
	failed(mono, (int64_t)after_s * 1000, code, &why);
}

/* -- the loop -- */

/* Go on with what there is to do at this moment. */
static void
step(void)
{
	int64_t mono = loop_mono_ms();
	struct agent_check *c;
	enum http_rc rc;
	enum ask ask;
	struct fail why;
	bool over;

	if (mono >= a.stop_mono)
		finish(AGENT_FINE);
	if (agent_stop && a.due[BYE] == NEVER) {
		a.due[BYE] = mono;
		a.stop_mono = mono + AGENT_STOP_MS;
		if (a.conf->once || a.self.id == 0)
			finish(a.conf->once ? AGENT_BAD : AGENT_FINE);
	}
	end_runs(mono);
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
		failed(mono, 0, AGENT_REFUSED, &why);
	/* Is the one cycle of -1 or -n over? */
	over = a.conf->once && a.due[SELF] == NEVER && a.due[LIST] == NEVER &&
	    a.due[OWN] == NEVER && agent_link_due() == NEVER && (a.conf->dry ||
	    (a.have_clock && agent_ring_count() == 0));
	for (c = a.now->check; c < a.now->check + a.now->n; c++)
		over = over && c->ran;
	if (over)
		finish(a.code);
}

int
agent_cycle_run(const struct agent_conf *conf)
{
	static struct loop_event ev[LOOP_EVENTS_MAX];
	struct agent_check *c;
	int64_t mono, at;
	struct fail why;
	enum ask ask;
	int i, n = loop_open(&why);

	a.conf = conf;
	a.now = &a.set[0];
	a.next = &a.set[1];
	a.phase = spread();
	a.due[BYE] = a.due[ENROL] = a.due[LIST] = a.due[OWN] = NEVER;
	a.stop_mono = NEVER;
	while (n != -1) {
		step();
		if (a.done)
			break;
		/* Until when there is nothing to do. */
		mono = loop_mono_ms();
		at = agent_link_due();
		if (at == NEVER)
			at = next_ask(mono, &ask);
		if (at > a.stop_mono)
			at = a.stop_mono;
		if (at > mono + AGENT_PAUSE_MS)
			at = mono + AGENT_PAUSE_MS;
		for (c = a.now->check; c < a.now->check + a.now->n; c++) {
			if (at > c->next_mono)
				at = c->next_mono;
			if (c->wake_mono != 0 && at > c->wake_mono)
				at = c->wake_mono;
			if (c->run.fd > 0 && at > c->run.until_ms)
				at = c->run.until_ms;
		}
		n = loop_wait(at < mono ? 0 : (int)(at - mono), ev, &why);
		for (i = 0; i < n; i++)
			if (ev[i].tag >= PROC_TAG)
				died(ev[i].tag, loop_mono_ms());
			else if (ev[i].tag == AGENT_TAG_LINK &&
			    agent_link_due() == NEVER)
				agent_link_close();	/* nothing was asked */
	}
	drop_runs(a.now);
	agent_link_close();
	if (n != -1)
		return a.code;
	log_line("%s", why.msg);
	return AGENT_BAD;
}
