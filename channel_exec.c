/*
 * channel_exec.c: the channel that is a program of this host; see channel.h.
 *
 * No shell: argv is the program and the title, the message is its standard
 * input, the environment is made here.  It leads a process group, which is
 * killed when its time is up.  EX_TEMPFAIL (75 of sysexits.h) asks for another
 * try.
 */
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "channel_impl.h"
#include "json.h"
#include "loop.h"

#define TEMPFAIL	75
#define NOT_RUN		127	/* as shells have it */
#define LOOK_MS		20	/* so often: has it ended? */
#define PATHS		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:" \
			"/usr/bin:/sbin:/bin"

/* A program that runs, and our ends of its 0 to 2. */
struct program {
	char path[512], title[1100], message[4200];
	char severity[64], id[64], title_is[1200], link[700];
	char *env[6];
	pid_t pid;
	int end[3], theirs[3];
	struct str in;			/* still to be written */
	char said[2][CHANNEL_REASON];	/* the first line of 1, and of 2 */
	size_t said_n[2];
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
	static char paths[] = PATHS;

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
	p->in = str_of(p->message);
	return 0;
}

/* In the new process: become the program. */
static void
become(struct program *p)
{
	static char cannot[] = "cannot be run: ";
	char *const argv[] = { p->path, p->title, NULL };
	const char *error;

	(void)setpgid(0, 0);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		(void)signal(sig, SIG_DFL);	/* SIGKILL cannot be set */
	for (int i = 0; i < 3; i++)
		if (dup2(p->theirs[i], i) == -1)
			_exit(NOT_RUN);
	execve(p->path, argv, p->env);
	error = strerror(errno);
	if (write(2, cannot, sizeof cannot - 1) == -1 ||
	    write(2, error, strlen(error)) == -1)
		_exit(NOT_RUN);
	_exit(NOT_RUN);
}

/* 0 or -1 with errno. */
static int
start(struct program *p)
{
	int fd[2], i;

	for (i = 0; i < 3; i++)
		p->end[i] = p->theirs[i] = -1;
	for (i = 0; i < 3; i++) {
		if (pipe(fd) == -1)
			return -1;
		p->end[i] = fd[i == 0];
		p->theirs[i] = fcntl(fd[i != 0], F_DUPFD_CLOEXEC, 3);
		close(fd[i != 0]);
		if (p->theirs[i] == -1 ||
		    fcntl(p->end[i], F_SETFL, O_NONBLOCK) == -1 ||
		    fcntl(p->end[i], F_SETFD, FD_CLOEXEC) == -1)
			return -1;
	}
	p->pid = fork();
	if (p->pid == 0)
		become(p);
	return p->pid == -1 ? -1 : 0;
}

static void
close_ends(int end[3])
{
	for (int i = 0; i < 3; i++) {
		if (end[i] != -1)
			close(end[i]);
		end[i] = -1;
	}
}

/* Read what is there of 1 or 2, of which the first line is kept. */
static void
listen_to(struct program *p, int i)
{
	char text[512];
	ssize_t n;
	size_t room;

	while ((n = read(p->end[i], text, sizeof text)) > 0) {
		room = sizeof p->said[0] - 1 - p->said_n[i - 1];
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(p->said[i - 1] + p->said_n[i - 1], text, room);
		p->said_n[i - 1] += room;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(p->end[i]);
		p->end[i] = -1;
	}
}

/* Give it what is left of the message, as far as it takes it. */
static void
speak(struct program *p)
{
	ssize_t n = p->in.n == 0 ? 0 : write(p->end[0], p->in.p, p->in.n);

	if (n > 0)
		p->in = str_after(p->in, (size_t)n);
	if (p->in.n > 0 && (n > 0 || errno == EAGAIN || errno == EINTR))
		return;
	close(p->end[0]);			/* or it wants no more */
	p->end[0] = -1;
}

/* Wait for its end, at most until its time is up: its status, or -1. */
static int
follow(struct program *p)
{
	int64_t until_ms = loop_mono_ms() + CHANNEL_EXEC_MS;
	struct pollfd fds[3];
	int status = -1, i;
	bool ended = false;

	while (!ended && loop_mono_ms() < until_ms) {
		for (i = 0; i < 3; i++)
			fds[i] = (struct pollfd){ p->end[i],
			    i == 0 ? POLLOUT : POLLIN, 0 };
		(void)poll(fds, 3, LOOK_MS);
		ended = waitpid(p->pid, &status, WNOHANG) == p->pid;
		if (p->end[0] != -1 && fds[0].revents != 0)
			speak(p);
		for (i = 1; i < 3; i++)
			if (p->end[i] != -1 && (ended || fds[i].revents != 0))
				listen_to(p, i);
	}
	if (ended)
		return status;
	(void)kill(-p->pid, SIGKILL);
	(void)waitpid(p->pid, NULL, 0);
	return -1;
}

/* The first line of what was said, into dst[CHANNEL_REASON]. */
static const char *
first_line(struct program *p, int i)
{
	char *text = p->said[i - 1];

	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

void
channel_exec(struct str job, struct channel_outcome *o)
{
	static struct program p;
	struct fail why;
	const char *error;
	int status, rc;

	memset(&p, 0, sizeof p);
	if (read_job(&p, job, &why) == -1) {
		channel_reason(o, "%s", why.msg);
		return;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	rc = start(&p);
	close_ends(p.theirs);
	if (rc == -1) {
		o->end = CHANNEL_RETRY;
		channel_reason(o, "no process: %s", strerror(errno));
		close_ends(p.end);
		return;
	}
	status = follow(&p);
	close_ends(p.end);
	error = first_line(&p, 2);
	if (status == -1 || !WIFEXITED(status)) {
		/* It may have done its work. */
		o->end = CHANNEL_UNKNOWN;
		if (status == -1)
			channel_reason(o, "killed after %d s",
			    CHANNEL_EXEC_MS / 1000);
		else
			channel_reason(o, "ended by signal %d",
			    WTERMSIG(status));
		return;
	}
	o->code = WEXITSTATUS(status);
	o->end = o->code == 0 ? CHANNEL_ACCEPTED : o->code == TEMPFAIL ?
	    CHANNEL_RETRY : CHANNEL_REFUSED;
	if (o->end == CHANNEL_ACCEPTED)
		channel_line(o->id, sizeof o->id, first_line(&p, 1));
	else
		channel_reason(o, "exit %d%s%s", o->code, error[0] != '\0' ?
		    ": " : "", error);
}
