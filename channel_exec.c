/*
 * channel_exec.c: the channel that is a program of this host; see channel.h.
 *
 * No shell: argv is the program and the title, the message is its standard
 * input, the environment is made here.  It leads a process group, which is
 * killed when its time is up.  EX_TEMPFAIL (75 of sysexits.h) asks for another
 * try.
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>

#include "channel_impl.h"
#include "json.h"
#include "run.h"

#define TEMPFAIL	75

/* What a program is given. */
struct program {
	char path[512], title[1100], message[4200];
	char severity[64], id[64], title_is[1200], link[700];
	char *env[6];
};

/* "NAME=value" of a member of the job, "" without it. */
static int
put_env(struct program *p, struct buf b, struct str job, const char *member)
{
	char *at;
	int64_t id = 0;
	size_t n = 0;

	while (p->env[n] != NULL)
		n++;
	p->env[n] = b.p;
	buf_addz(&b, "VILICUS_");
	for (const char *c = member; *c != '\0'; c++)
		buf_addc(&b, (char)(*c - 'a' + 'A'));
	buf_addc(&b, '=');
	at = b.p + b.n;
	if (strcmp(member, "id") != 0)
		return json_text(job, member, at, b.cap - b.n);
	snprintf(at, b.cap - b.n, "%lld", json_number(job, member, 0,
	    INT64_MAX, &id) == 1 ? (long long)id : 0);
	return 0;
}

static int
read_job(struct program *p, struct str job, struct fail *why)
{
	static char paths[] = RUN_PATHS;

	if (json_valid(job, why) == -1)
		return fail_in(why, "job");
	p->env[0] = paths;
	if (json_text(job, "program", p->path, sizeof p->path) != 1 ||
	    p->path[0] != '/' ||
	    json_text(job, "title", p->title, sizeof p->title) == -1 ||
	    json_text(job, "message", p->message, sizeof p->message) == -1 ||
	    put_env(p, BUF(p->severity), job, "severity") == -1 ||
	    put_env(p, BUF(p->id), job, "id") == -1 ||
	    put_env(p, BUF(p->title_is), job, "title") == -1 ||
	    put_env(p, BUF(p->link), job, "link") == -1)
		return fail(why, "job with a member that cannot be read");
	return 0;
}

void
channel_exec(struct str job, struct channel_outcome *o)
{
	static struct program p;
	static struct run r;
	char *const argv[] = { p.path, p.title, NULL };
	struct fail why;
	const char *error;
	int rc;

	memset(&p, 0, sizeof p);
	if (read_job(&p, job, &why) == -1) {
		channel_reason(o, "%s", why.msg);
		return;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = (struct run){ .argv = argv, .env = p.env, .group = true,
	    .in = str_of(p.message), .timeout_ms = CHANNEL_EXEC_MS };
	rc = run_program(&r, &why);
	if (rc == -1) {
		o->end = CHANNEL_RETRY;
		channel_reason(o, "%s", why.msg);
		return;
	}
	if (rc == 1 || !WIFEXITED(r.status)) {
		/* It may have done its work. */
		o->end = CHANNEL_UNKNOWN;
		if (rc == 1)
			channel_reason(o, "killed after %d s",
			    CHANNEL_EXEC_MS / 1000);
		else
			channel_reason(o, "ended by signal %d",
			    WTERMSIG(r.status));
		return;
	}
	o->code = WEXITSTATUS(r.status);
	o->end = o->code == 0 ? CHANNEL_ACCEPTED : o->code == TEMPFAIL ?
	    CHANNEL_RETRY : CHANNEL_REFUSED;
	error = run_line(&r, 2);
	if (o->end == CHANNEL_ACCEPTED)
		channel_line(o->id, sizeof o->id, run_line(&r, 1));
	else
		channel_reason(o, "exit %d%s%s", o->code, error[0] != '\0' ?
		    ": " : "", error);
}
