/* probe.c: see probe.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "loop.h"
#include "probe_impl.h"
#include "proc.h"

static void
judge(struct probe_result *r, enum status given, const char *fmt, va_list ap)
{
	r->given = given;
	vsnprintf(r->text, sizeof r->text, fmt, ap);
}

void
probe_unknown(struct probe_result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	judge(r, STATUS_UNKNOWN, fmt, ap);
	va_end(ap);
}

void
probe_critical(struct probe_result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	judge(r, STATUS_CRITICAL, fmt, ap);
	va_end(ap);
}

void
probe_metric(struct probe_result *r, const char *name, int64_t value)
{
	assert(r->metrics < PROBE_METRICS_MAX);
	r->metric[r->metrics].name = name;
	r->metric[r->metrics++].value = value;
}

void
probe_value(struct probe_result *r, int64_t value)
{
	r->has_value = true;
	r->value = value;
}

int64_t
probe_milli(uint64_t v)
{
	return v > MILLI_MAX / 1000 ? MILLI_MAX : (int64_t)v * 1000;
}

int64_t
probe_percent(uint64_t part, uint64_t whole)
{
	for (; (part | whole) >> 43 != 0; part >>= 1)
		whole >>= 1;
	return whole == 0 ? MILLI_MAX :
	    (int64_t)((part * 100000 + whole / 2) / whole);
}

/*
 * Busy is all but idle and iowait: time that was stolen was wanted.  When
 * user, system or stolen time goes back (a CPU was unplugged), the two looks
 * do not compare, and the later one is the new first.
 */
static void
cpu_share(struct probe_job *job, const struct proc_cpu *now)
{
	const uint64_t look[5] = { now->user, now->system, now->steal,
	    now->iowait, now->idle };
	static const char *const name[] = { "user", "system", "steal",
	    "iowait" };
	uint64_t d[5], all = 0;
	struct probe_state *st = job->state;
	bool first = !st->primed;

	for (unsigned i = 0; i < 5; i++) {
		/* What went back (idle and iowait do, a little) stood still. */
		d[i] = look[i] < st->v[i] ? 0 : look[i] - st->v[i];
		if (d[i] > PROBE_TICKS)
			d[i] = PROBE_TICKS;
		all += d[i];
		first = first || (i < 3 && look[i] < st->v[i]);
	}
	job->rc = first || all == 0;
	if (!first && all == 0)
		return;		/* too soon: keep the first look */
	memcpy(st->v, look, sizeof look);
	st->primed = true;
	if (first)
		return;
	job->r.has_value = true;
	job->r.value = probe_percent(d[0] + d[1] + d[2], all);
	for (unsigned i = 0; i < COUNT(name); i++)
		probe_metric(&job->r, name[i], probe_percent(d[i], all));
}

static void
run_cpu(struct probe_job **job, unsigned n)
{
	struct proc_cpu now;
	struct fail why;
	int rc = proc_cpu(&now, &why);

	for (unsigned i = 0; i < n; i++)
		if (rc == -1)
			probe_unknown(&job[i]->r, "%s", why.msg);
		else
			cpu_share(job[i], &now);
}

static void
process_result(struct probe_job *job, const struct proc_query *q, bool hidden)
{
	struct probe_state *st = job->state;
	uint64_t now = (uint64_t)loop_mono_ms(), spent = q->ticks - st->v[0],
	    past = now - st->v[1];

	if (hidden && !(q->one_user && q->uid == geteuid())) {
		probe_unknown(&job->r, "the agent may not see all processes: "
		    "/proc is mounted with hidepid");
		return;
	}
	job->r.has_value = true;
	job->r.value = probe_milli(q->count);
	if (q->count == 0)
		return;
	probe_metric(&job->r, "rss_bytes", probe_milli(q->rss_bytes));
	/* The group's share of one CPU since the last look, if it is the
	 * same processes as then. */
	if (st->primed && st->v[2] == q->mark && q->ticks >= st->v[0] &&
	    now > st->v[1] && spent <= PROBE_TICKS && past <= PROBE_TICKS)
		probe_metric(&job->r, "cpu_percent", probe_percent(spent *
		    1000 / (uint64_t)sysconf(_SC_CLK_TCK), past));
	*st = (struct probe_state){ { q->ticks, now, q->mark }, true };
}

/* Fill q from the parameters.  0 or -1. */
static int
process_query(struct str params, char name[CHECK_TEXT_MAX + 1],
    struct proc_query *q, struct fail *why)
{
	char user[CHECK_TEXT_MAX + 1];

	*q = (struct proc_query){ .count = 0 };
	if (check_param_text(params, "process_name", name,
	    CHECK_TEXT_MAX + 1) == -1)
		return fail(why, "no process_name");
	q->name = str_of(name);
	q->one_user = check_param_text(params, "user", user, sizeof user) == 0;
	return q->one_user ? proc_uid(str_of(user), &q->uid, why) : 0;
}

static void
run_process(struct probe_job **job, unsigned n)
{
	static struct proc_query q[PROBE_JOBS_MAX];
	static char name[PROBE_JOBS_MAX][CHECK_TEXT_MAX + 1];
	struct fail why;
	unsigned i, k = 0;
	int rc;

	for (i = 0; i < n; i++)
		if (process_query(job[i]->params, name[k], &q[k], &why) == -1)
			probe_unknown(&job[i]->r, "%s", why.msg);
		else
			job[k++] = job[i];
	rc = proc_count(q, k, &why);
	for (i = 0; i < k; i++)
		if (rc == -1)
			probe_unknown(&job[i]->r, "%s", why.msg);
		else
			process_result(job[i], &q[i], rc == 1);
}

static const struct probe_row rows[] = {
	{ "process",	.run = run_process },
	{ "cpu",	.run = run_cpu },
	{ "memory",	.block = probe_memory, .blocks = probe_never },
	{ "swap",	.block = probe_swap, .blocks = probe_never },
	{ "load",	.block = probe_load, .blocks = probe_never },
	{ "uptime",	.block = probe_uptime, .blocks = probe_never },
	{ "network",	.block = probe_network, .blocks = probe_never },
	{ "disk",	.block = probe_disk, .metrics = probe_disk_metrics,
	    .blocks = probe_disk_blocks },
	{ "number",	.block = probe_number, .blocks = probe_number_blocks },
	{ "temperature", .block = probe_temperature },
	{ "tcp",	.block = probe_tcp },
	{ "http",	.block = probe_http, .metrics = probe_http_metrics,
	    .prepare = probe_http_prepare },
	{ "ping",	.block = probe_ping, .metrics = probe_ping_metrics },
	{ "dns",	.block = probe_dns },
	{ "file",	.block = probe_file, .metrics = probe_file_metrics },
	{ "log",	.block = probe_log },
	{ "service",	.block = probe_service },
	{ "command",	.block = probe_command },
};

const struct probe_row *
probe_row(const struct check_type *t)
{
	return t == NULL ? NULL : STR_ROW(rows, str_of(t->name));
}

void
probe_all(struct probe_job *job, unsigned n)
{
	static struct probe_job *of_type[PROBE_JOBS_MAX];
	const struct probe_row *row;
	struct probe_job *j;
	unsigned i, k;

	assert(n <= PROBE_JOBS_MAX);
	for (j = job; j < job + n; j++) {
		j->r = (struct probe_result){ .given = STATUS_NONE };
		j->rc = 0;
		row = probe_row(j->type);
		if (j->type == NULL)
			probe_unknown(&j->r, "%.*s", (int)j->params.n,
			    j->params.p);
		else if (row == NULL)
			probe_unknown(&j->r, "this agent cannot measure %s",
			    j->type->name);
		else if (row->block != NULL) {
			row->block(j->params, j->state, &j->r);
			j->rc = j->r.given == STATUS_NONE && !j->r.has_value;
		}
	}
	for (row = rows; row < rows + COUNT(rows); row++) {
		for (i = k = 0; i < n; i++)
			if (row->run != NULL && probe_row(job[i].type) == row)
				of_type[k++] = &job[i];
		if (k > 0)
			row->run(of_type, k);
	}
}
