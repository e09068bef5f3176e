/* probe_child.c: checks that may block, each in a child of its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "loop.h"
#include "probe_impl.h"
#include "proc.h"

#define ANSWER	(1024 + PROBE_LONG)	/* bytes of a result as text */

char probe_long[PROBE_LONG + 1];

const char *probe_programs;
const char *probe_ca_file;

int64_t
probe_timeout_ms(struct str params)
{
	int64_t ms = PROBE_TIMEOUT_MS;

	(void)check_param_int(params, "timeout_ms", 1, INT32_MAX, &ms);
	return ms;
}

bool
probe_blocks(const struct check_type *t, struct str params)
{
	const struct probe_row *row = probe_row(t);

	return row != NULL && row->block != NULL &&
	    (row->blocks == NULL || row->blocks(params));
}

/* "GIVEN HAS VALUE PRIMED V0 ... V6 METRICS INDEX VALUE ... TEXT" */
static void
encode(struct buf *b, const struct probe_job *job, const char *const *names)
{
	const struct probe_result *r = &job->r;
	unsigned i, k;

	buf_addf(b, "%d %d %lld %d", (int)r->given, r->has_value,
	    (long long)r->value, job->state->primed);
	for (i = 0; i < COUNT(job->state->v); i++)
		buf_addf(b, " %llu", (unsigned long long)job->state->v[i]);
	buf_addf(b, " %u", r->metrics);
	for (i = 0; i < r->metrics; i++) {
		for (k = 0; strcmp(names[k], r->metric[i].name) != 0; k++)
			;
		buf_addf(b, " %u %lld", k, (long long)r->metric[i].value);
	}
	buf_addc(b, ' ');
	buf_addz(b, r->given == STATUS_NONE && probe_long[0] != '\0' ?
	    probe_long : r->text);
}

/* The next number of an answer.  0 or -1. */
static int
number(struct str *rest, int64_t min, int64_t max, int64_t *v)
{
	struct str word;

	return str_cut(rest, ' ', &word) == -1 ? -1 :
	    json_int(word, min, max, v);
}

static int
decode(struct str s, struct probe_job *job, const struct probe_row *row)
{
	const char *const *names = row->metrics;
	struct probe_state *st = job->state;
	int64_t given, has, primed, n, k, v;
	struct probe_result *r = &job->r;
	struct str word;
	unsigned known = 0;

	while (names != NULL && names[known] != NULL)
		known++;
	if (number(&s, 0, STATUS_NONE, &given) == -1 ||
	    number(&s, 0, 1, &has) == -1 ||
	    number(&s, -MILLI_MAX, MILLI_MAX, &r->value) == -1 ||
	    number(&s, 0, 1, &primed) == -1)
		return -1;
	r->given = (enum status)given;
	r->has_value = has != 0;
	st->primed = primed != 0;
	for (unsigned i = 0; i < COUNT(st->v); i++)
		if (str_cut(&s, ' ', &word) == -1 ||
		    str_u64(word, 0, UINT64_MAX, &st->v[i]) == -1)
			return -1;
	if (number(&s, 0, PROBE_METRICS_MAX, &n) == -1)
		return -1;
	for (; n > 0; n--) {
		if (number(&s, 0, (int64_t)known - 1, &k) == -1 ||
		    number(&s, -MILLI_MAX, MILLI_MAX, &v) == -1)
			return -1;
		probe_metric(r, names[k], v);
	}
	if (row->took == NULL || r->given != STATUS_NONE)
		return str_copy(r->text, sizeof r->text, s);
	row->took(job, s);
	return 0;
}

/* The life of the child.  It leads a process group, so that what it ran ends
 * with it. */
static void
live(int fd, const void *arg)
{
	struct probe_job job = *(const struct probe_job *)arg;
	struct probe_state st = *job.state;
	const struct probe_row *row = probe_row(job.type);
	char text[ANSWER];
	struct buf b = BUF(text);
	struct fail why;

	(void)proc_open(NULL, &why);	/* or who reads there will say so */
	if (setpgid(0, 0) == -1)
		_exit(1);
	job.state = &st;
	if (job.rc != 2)
		job.r = (struct probe_result){ .given = STATUS_NONE };
	(job.rc == 2 ? row->more : row->block)(job.params, &st, &job.r);
	encode(&b, &job, row->metrics);
	(void)child_send(fd, '=', str_from(&b), -1);
	(void)kill(0, SIGKILL);
}

int
probe_begin(struct probe_job *job, struct probe_run *run, int64_t mono,
    struct fail *why)
{
	int64_t ms = probe_timeout_ms(job->params) + PROBE_GRACE_MS;

	if (!probe_reap(run))
		return fail(why, "its child of %lld s ago hangs in the kernel",
		    (long long)(mono - run->begun_ms) / 1000);
	if (probe_row(job->type)->prepare != NULL)
		probe_row(job->type)->prepare(job->params);
	run->fd = child_fork(live, job, (unsigned)(ms / 1000), &run->pid, why);
	run->begun_ms = mono;
	run->until_ms = mono + ms + PROBE_GRACE_MS;
	if (run->fd == -1)
		*run = (struct probe_run){ 0 };
	return run->pid == 0 ? -1 : 0;
}

bool
probe_reap(struct probe_run *run)
{
	if (run->pid > 0 && waitpid(run->pid, NULL, WNOHANG) != 0)
		run->pid = 0;
	return run->pid == 0;
}

void
probe_drop(struct probe_run *run)
{
	if (run->fd > 0) {
		loop_del(run->fd);
		close(run->fd);
		kill(run->pid, SIGKILL);
		kill(-run->pid, SIGKILL);
	}
	run->fd = 0;
	(void)probe_reap(run);
}

bool
probe_end(struct probe_job *job, struct probe_run *run, int64_t mono)
{
	const struct probe_row *row = probe_row(job->type);
	const struct probe_state was = *job->state;
	char text[ANSWER + 2];
	int beside = -1;
	ssize_t n = child_receive(run->fd, text, sizeof text, &beside);

	if (beside != -1)
		close(beside);
	if (n == -1 && (errno == EAGAIN || errno == EINTR) &&
	    mono < run->until_ms)
		return false;
	probe_drop(run);
	job->r = (struct probe_result){ .given = STATUS_NONE };
	if (n > 1 && decode((struct str){ text + 1, (size_t)n - 1 }, job,
	    row) == 0)
		return true;
	*job->state = was;
	job->r = (struct probe_result){ .given = STATUS_NONE };
	if (row->more != NULL && row->took == NULL)
		probe_value(&job->r, (int64_t)was.v[PROBE_KEPT]);
	else if (n > 0)
		probe_unknown(&job->r, "its child's answer cannot be read");
	else
		probe_unknown(&job->r, "its child ended without an answer, "
		    "after %lld s", (long long)(mono - run->begun_ms) / 1000);
	return true;
}
