/*
 * probe_process.c: the check type process; see probe_impl.h.
 *
 * A check's query is in a table, as long as there is the check, for what is
 * known of its processes.  Of its state's v it uses: the CPU ticks and the
 * time of the last look, the mark of the processes then, and the query's index
 * and 1; with a pattern, what process was the newest when it last and last but
 * one was looked for in a child, and how often it was looked at since all were.
 */
#include <regex.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "probe_impl.h"

#define SEEK_LOOKS	64	/* then a child goes through all again */
#define DIED_MS		1000	/* between two looks for that */

enum { TICKS, MONO, MARK, QUERY, NEWEST, BEFORE, LOOKS };

static struct proc_query query[PROC_QUERIES_MAX];
static size_t queries;		/* of which none beyond is on */
static char names[PROC_QUERIES_MAX][CHECK_TEXT_MAX + 1];
static regex_t regex;	/* in a child */

/* The query of a check, from the parameters.  NULL, or why there is none. */
static struct proc_query *
query_of(struct str params, struct probe_state *st, struct fail *why)
{
	char user[CHECK_TEXT_MAX + 1];
	struct proc_query *q = query;
	int64_t n = -1;

	if (st->v[QUERY] != 0)
		return &query[st->v[QUERY] - 1];
	while (q < query + COUNT(query) && q->on)
		q++;
	if (q == query + COUNT(query)) {
		(void)fail(why, "more than %d checks", PROC_QUERIES_MAX);
		return NULL;
	}
	*q = (struct proc_query){ .on = false };
	(void)check_param_text(params, "process_name", names[q - query],
	    sizeof names[0]);
	q->name = str_of(names[q - query]);
	q->by_pattern = check_param_text(params, "pattern", user, sizeof user)
	    == 0;
	q->one_user = check_param_text(params, "user", user, sizeof user) == 0;
	if (q->one_user && proc_uid(str_of(user), &q->uid, why) == -1)
		return NULL;
	(void)check_param_int(params, "max", 0, INT32_MAX, &n);
	n = n != 0;
	(void)check_param_int(params, "min", 0, INT32_MAX, &n);
	q->least = (uint64_t)n;
	q->on = true;
	if (queries < (size_t)(q - query) + 1)
		queries = (size_t)(q - query) + 1;
	st->v[QUERY] = (uint64_t)(q - query) + 1;
	return q;
}

void
probe_forget(const struct check_type *t, struct probe_state *st)
{
	const struct probe_row *row = probe_row(t);

	if (row != NULL && row->run == probe_process && st->v[QUERY] != 0)
		proc_forget(query, st->v[QUERY] - 1);
	*st = (struct probe_state){ .primed = false };
}

/* Say once what deaths will be noticed at the next look only. */
static void
say_polled(const struct proc_query *q, struct probe_result *r)
{
	static uint64_t said[COUNT(query)];
	static bool said_none;
	const char *polls = proc_polls();

	if (polls != NULL) {
		str_copy(r->text, sizeof r->text, STR("polled: no pidfds"));
		if (!said_none)
			log_line("no pidfds here, so a death is noticed at "
			    "the next look: %s", polls);
		said_none = true;
	} else if (q->held < q->count && said[q - query] != q->count) {
		log_info("%.*s: %u of %llu processes are watched, the others "
		    "are looked at each time", (int)q->name.n, q->name.p,
		    q->held, (unsigned long long)q->count);
		said[q - query] = q->count;
	}
}

static void
result(struct probe_job *job, struct proc_query *q, bool hidden)
{
	struct probe_state *st = job->state;
	uint64_t now = (uint64_t)loop_mono_ms(),
	    spent = q->ticks - st->v[TICKS], past = now - st->v[MONO], again;

	if (hidden && !(q->one_user && q->uid == geteuid())) {
		probe_unknown(&job->r, "the agent may not see all processes: "
		    "/proc is mounted with hidepid");
		return;
	}
	probe_value(&job->r, probe_milli(q->count));
	say_polled(q, &job->r);
	/* Who came where another one had gone. */
	again = !st->primed ? 0 : q->came < q->gone ? q->came : q->gone;
	q->gone = st->primed ? q->gone - again : 0;
	q->came = 0;
	probe_metric(&job->r, "restarts", probe_milli(again));
	if (q->count > 0)
		probe_metric(&job->r, "rss_bytes", probe_milli(q->rss_bytes));
	/* The group's share of one CPU since the last look, if it is the
	 * same processes as then. */
	if (st->primed && q->count > 0 && st->v[MARK] == q->mark &&
	    q->ticks >= st->v[TICKS] && now > st->v[MONO] &&
	    spent <= PROBE_TICKS && past <= PROBE_TICKS)
		probe_metric(&job->r, "cpu_percent", probe_percent(spent *
		    1000 / (uint64_t)sysconf(_SC_CLK_TCK), past));
	st->v[TICKS] = q->ticks;
	st->v[MONO] = now;
	st->v[MARK] = q->mark;
	st->primed = true;
}

/* Look at what is known of n jobs, and set their results. */
static void
look(struct probe_job **job, unsigned n)
{
	struct fail why;
	int rc;

	for (unsigned i = 0; i < n; i++)
		query[job[i]->state->v[QUERY] - 1].due = true;
	rc = proc_look(query, queries, &why);
	for (unsigned i = 0; i < n; i++) {
		struct proc_query *q = &query[job[i]->state->v[QUERY] - 1];

		q->due = false;
		if (rc == -1)
			probe_unknown(&job[i]->r, "%s", why.msg);
		else
			result(job[i], q, rc == 1);
	}
}

/* May there be processes that its pattern was not tried on? */
static bool
has_new(const struct proc_query *q, struct probe_state *st)
{
	uint32_t now = proc_newest();

	if (!q->begun || q->over || q->moved || q->few ||
	    ++st->v[LOOKS] >= SEEK_LOOKS || now == 0)
		st->v[NEWEST] = st->v[BEFORE] = 0;	/* or more than new */
	return now == 0 || st->v[BEFORE] != now;
}

void
probe_process(struct probe_job **job, unsigned n)
{
	struct proc_query *q;
	struct fail why;
	unsigned i, k = 0;

	for (i = 0; i < n; i++) {
		q = query_of(job[i]->params, job[i]->state, &why);
		if (q == NULL)
			probe_unknown(&job[i]->r, "%s", why.msg);
		else if (q->by_pattern && has_new(q, job[i]->state))
			job[i]->rc = 2;
		else
			job[k++] = job[i];
	}
	if (k > 0)
		look(job, k);
}

static bool
match(char *cmdline)
{
	return regexec(&regex, cmdline, 0, NULL, 0) == 0;
}

void
probe_process_seek(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	struct buf b = { probe_long, 0, PROBE_LONG, false };
	char pattern[CHECK_TEXT_MAX + 1], text[CHECK_TEXT_MAX];
	size_t i = st->v[QUERY] - 1;
	uint32_t from = (uint32_t)st->v[BEFORE], newest;
	struct fail why;
	int64_t n;
	int rc = REG_BADPAT;

	if (check_param_text(params, "pattern", pattern, sizeof pattern) == 0)
		rc = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (rc != 0) {
		regerror(rc, &regex, text, sizeof text);
		probe_unknown(r, "pattern: %.200s", text);
		return;
	}
	newest = proc_newest();
	n = proc_seek(query, i, &from, match, &b, &why);
	/* What is new is looked at twice: it may call exec(2) yet. */
	st->v[BEFORE] = st->v[NEWEST];
	st->v[NEWEST] = newest;
	st->v[LOOKS] = from == 0 ? 0 : st->v[LOOKS];
	if (n == -1)
		probe_unknown(r, "%s", why.msg);
	else
		probe_value(r, n);
	probe_long[b.n] = '\0';
}

void
probe_process_took(struct probe_job *job, struct str text)
{
	size_t i = job->state->v[QUERY] - 1;
	uint64_t n = (uint64_t)job->r.value;

	job->r = (struct probe_result){ .given = STATUS_NONE };
	if (i >= COUNT(query) || !query[i].by_pattern) {
		probe_unknown(&job->r, "its child's answer makes no sense");
		return;
	}
	proc_found(query, i, text);
	look(&job, 1);
	/* More than fitted, or are remembered: then how many is all we know. */
	query[i].over = n > query[i].count;
	if (!query[i].over || !job->r.has_value)
		return;
	query[i].count = n;
	job->r.metrics = 0;
	probe_value(&job->r, probe_milli(n));
}

size_t
probe_died(uint64_t tag)
{
	return proc_died(query, tag);
}

int64_t
probe_died_due(size_t which, const struct check_type *t,
    const struct probe_state *st, int64_t mono)
{
	const struct probe_row *row = probe_row(t);
	int64_t next;

	if (row == NULL || row->run != probe_process ||
	    st->v[QUERY] != which + 1)
		return INT64_MAX;
	next = (int64_t)st->v[MONO] + DIED_MS;
	return query[which].count < query[which].least || next < mono ? mono :
	    next;
}
