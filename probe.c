/* probe.c: see probe.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "probe_impl.h"
#include "proc.h"

static void judge(struct probe_result *r, enum status given, const char *fmt,
    va_list ap) __attribute__((format(printf, 3, 0)));

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

static const char *const memory_names[] = { "total_bytes",
	"available_bytes", NULL };
static const char *const cpu_names[] = { "user", "system", "steal", "iowait",
	NULL };

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
	for (unsigned i = 0; cpu_names[i] != NULL; i++)
		probe_metric(&job->r, cpu_names[i], probe_percent(d[i], all));
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

static const struct probe_row rows[] = {
	{ "process",	.run = probe_process, .more = probe_process_seek,
	    .took = probe_process_took },
	{ "cpu",	.run = run_cpu, .metrics = cpu_names,
	    .more = probe_who_cpu },
	{ "memory",	.block = probe_memory, .metrics = memory_names,
	    .blocks = probe_never, .more = probe_who_memory },
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
	for (i = 0; i < n; i++) {
		row = probe_row(job[i].type);
		if (row != NULL && row->more != NULL && row->took == NULL)
			probe_who(&job[i]);
	}
}
