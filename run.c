/* run.c: see run.h. */
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "loop.h"
#include "run.h"

#define LOOK_MS		20	/* so often: has it ended? */
#define PIPE		65536	/* bytes that a pipe holds */

/* In the new process: become the program. */
static void
become(const struct run *r)
{
	static char cannot[] = "cannot be run: ";
	const char *error;

	if (r->group)
		(void)setpgid(0, 0);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		(void)signal(sig, SIG_DFL);	/* SIGKILL cannot be set */
	for (int i = 0; i < 3; i++)
		if (r->theirs[i] != -1 && dup2(r->theirs[i], i) == -1)
			_exit(RUN_NOT);
	execve(r->argv[0], r->argv, r->env);
	error = strerror(errno);
	if (write(2, cannot, sizeof cannot - 1) == -1 ||
	    write(2, error, strlen(error)) == -1)
		_exit(RUN_NOT);
	_exit(RUN_NOT);
}

/* 0 or -1 with errno. */
static int
start(struct run *r)
{
	int fd[2], i;

	for (i = 0; i < 3; i++)
		r->end[i] = r->theirs[i] = -1;
	for (i = r->in.n == 0; i < 3; i++) {
		if (pipe(fd) == -1)
			return -1;
		r->end[i] = fd[i == 0];
		r->theirs[i] = fcntl(fd[i != 0], F_DUPFD_CLOEXEC, 3);
		close(fd[i != 0]);
		if (r->theirs[i] == -1 ||
		    fcntl(r->end[i], F_SETFL, O_NONBLOCK) == -1 ||
		    fcntl(r->end[i], F_SETFD, FD_CLOEXEC) == -1)
			return -1;
	}
	r->pid = fork();
	if (r->pid == 0)
		become(r);
	return r->pid == -1 ? -1 : 0;
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

/* Read what a pipe can hold of 1 or 2; no more, for it may flow without end. */
static void
listen_to(struct run *r, int i)
{
	char text[PIPE];
	size_t room = RUN_SAID - 1 - r->said_n[i - 1];
	ssize_t n = read(r->end[i], text, sizeof text);

	if (n > 0) {
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(r->said[i - 1] + r->said_n[i - 1], text, room);
		r->said_n[i - 1] += room;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(r->end[i]);
		r->end[i] = -1;
	}
}

/* Give it what is left of its input, as far as it takes it. */
static void
speak(struct run *r)
{
	ssize_t n = write(r->end[0], r->in.p, r->in.n);

	if (n > 0)
		r->in = str_after(r->in, (size_t)n);
	if (r->in.n > 0 && (n > 0 || errno == EAGAIN || errno == EINTR))
		return;
	close(r->end[0]);			/* or it wants no more */
	r->end[0] = -1;
}

/* Wait for its end, at most until its time is up.  0 or 1. */
static int
follow(struct run *r)
{
	int64_t until_ms = loop_mono_ms() + r->timeout_ms;
	struct pollfd fds[3];
	bool ended = false;
	int i;

	while (!ended && loop_mono_ms() < until_ms) {
		for (i = 0; i < 3; i++)
			fds[i] = (struct pollfd){ r->end[i],
			    i == 0 ? POLLOUT : POLLIN, 0 };
		(void)poll(fds, 3, LOOK_MS);
		ended = waitpid(r->pid, &r->status, WNOHANG) == r->pid;
		if (r->end[0] != -1 && fds[0].revents != 0)
			speak(r);
		for (i = 1; i < 3; i++)
			if (r->end[i] != -1 && (ended || fds[i].revents != 0))
				listen_to(r, i);
	}
	if (ended)
		return 0;
	(void)kill(r->group ? -r->pid : r->pid, SIGKILL);
	(void)waitpid(r->pid, NULL, 0);
	return 1;
}

int
run_program(struct run *r, struct fail *why)
{
	int rc;

	memset(r->said, 0, sizeof r->said);
	memset(r->said_n, 0, sizeof r->said_n);
	rc = start(r);
	if (rc == -1)
		fail_errno(why, "no process");
	close_ends(r->theirs);
	if (rc == 0)
		rc = follow(r);
	close_ends(r->end);
	return rc;
}

const char *
run_line(struct run *r, int i)
{
	char *text = r->said[i - 1];

	text[strcspn(text, "\r\n")] = '\0';
	return text;
}
