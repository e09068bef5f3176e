#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../child.h"
#include "test.h"

#define INHERITED	57	/* open before the helper is forked */

/* What a child says, as text. */
#define SAY(...) snprintf(answer, CHILD_ANSWER, __VA_ARGS__)

static void
run_echo(struct str job, const struct fail *unprepared,
    char answer[CHILD_ANSWER])
{
	unsigned sum = 0;
	size_t i;

	(void)unprepared;
	for (i = 0; i < job.n; i++)
		sum = sum * 31 + (unsigned char)job.p[i];
	SAY("%u %u", (unsigned)job.n, sum);
}

static void
run_fds(struct str job, const struct fail *unprepared,
    char answer[CHILD_ANSWER])
{
	struct stat st[3];
	char c;
	int fd, n = 0;

	(void)job;
	(void)unprepared;
	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	fstat(0, &st[0]);
	fstat(1, &st[1]);
	stat("/dev/null", &st[2]);
	SAY("%d %d %d %d %d", n, fcntl(INHERITED, F_GETFD) != -1,
	    (int)read(0, &c, 1), st[0].st_rdev == st[2].st_rdev,
	    st[1].st_rdev == st[2].st_rdev);
}

static int
action(int sig)
{
	struct sigaction sa;

	sigaction(sig, NULL, &sa);
	return sa.sa_handler == SIG_DFL ? 'd' :
	    sa.sa_handler == SIG_IGN ? 'i' : 'h';
}

static void
run_signals(struct str job, const struct fail *unprepared,
    char answer[CHILD_ANSWER])
{
	struct sigaction sa;
	sigset_t set;

	(void)job;
	(void)unprepared;
	sigprocmask(SIG_SETMASK, NULL, &set);
	sigaction(SIGCHLD, NULL, &sa);
	SAY("%c%c%c%c%c%c%c%d%d %ld", action(SIGINT), action(SIGTERM),
	    action(SIGHUP), action(SIGPIPE), action(SIGCHLD), action(SIGALRM),
	    action(SIGUSR1), (sa.sa_flags & SA_NOCLDWAIT) != 0,
	    sigismember(&set, SIGALRM), (long)getppid());
}

static void
run_hang(struct str job, const struct fail *unprepared,
    char answer[CHILD_ANSWER])
{
	(void)unprepared;
	SAY("slept");
	if (job.n == 0)
		for (;;)
			pause();
	nanosleep(&(struct timespec){ 0, 600000000 }, NULL);
}

static int prepare_calls;

/* Runs in the helper: counts, fails for "bad" while a file is missing, and
 * tells whether ended children were left unreaped. */
static int
prepare(struct str arg, struct fail *why)
{
	int rc = waitpid(-1, NULL, WNOHANG);

	prepare_calls++;
	if (str_eq(arg, STR("zombie")))
		return fail(why, "%s", rc > 0 ? "zombie" : "none");
	if (arg.n > 0 && arg.p[0] == '/') {
		char path[64];

		if (str_copy(path, sizeof path, arg) == -1 ||
		    access(path, F_OK) == -1)
			return fail(why, "%s is missing", path);
	}
	return 0;
}

static void
run_prepared(struct str job, const struct fail *unprepared,
    char answer[CHILD_ANSWER])
{
	(void)job;
	SAY("%d %s", prepare_calls, unprepared ? unprepared->msg : "fine");
}

enum { ECHO, FDS, SIGNALS, HANG, PREPARED };
static const struct child_kind kinds[] = {
	{ "echo",	5,	NULL,		run_echo },
	{ "fds",	5,	NULL,		run_fds },
	{ "signals",	5,	NULL,		run_signals },
	{ "hang",	1,	NULL,		run_hang },
	{ "prepared",	5,	prepare,	run_prepared },
};

static int
start(size_t kind, const char *arg)
{
	struct fail why;
	int fd = child_start(kind, (struct str){ arg, strlen(arg) }, &why);

	if (!CHECK(fd >= 0))
		printf("%s\n", why.msg);
	return fd;
}

/* child_answer, waiting. */
static int
answer(int fd, char dst[CHILD_ANSWER + 1])
{
	struct pollfd p = { fd, POLLIN, 0 };
	int rc;

	while ((rc = child_answer(fd, dst)) == 0)
		if (poll(&p, 1, 8000) != 1)
			return 0;
	return rc;
}

static int
ask(int fd, struct str job, char dst[CHILD_ANSWER + 1])
{
	struct fail why;

	dst[0] = '\0';
	return child_job(fd, job, &why) == -1 ? -1 : answer(fd, dst);
}

static bool
says(size_t kind, const char *arg, const char *want)
{
	char got[CHILD_ANSWER + 1];
	int fd = start(kind, arg);
	bool same = ask(fd, STR("x"), got) == 1 && strcmp(got, want) == 0;

	if (!same)
		printf("got \"%s\", want \"%s\"\n", got, want);
	close(fd);
	return same;
}

static void
test_jobs(void)
{
	static char big[CHILD_JOB_MAX + 1];
	char got[CHILD_ANSWER + 1], want[64];
	struct fail why;
	int fd = start(ECHO, "");
	size_t n;

	CHECK(ask(fd, STR(""), got) == 1 && strcmp(got, "0 0") == 0);
	CHECK(ask(fd, STR("a"), got) == 1 && strcmp(got, "1 97") == 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	for (n = CHILD_JOB_MAX - 1; n <= CHILD_JOB_MAX; n++) {
		snprintf(want, sizeof want, "%u 0", (unsigned)n);
		CHECK(ask(fd, (struct str){ big, n }, got) == 1);
		CHECK(strcmp(got, want) == 0);
	}
	CHECK(child_job(fd, (struct str){ big, n }, &why) == -1);
	/* Two at once are done one after the other. */
	CHECK(child_job(fd, STR("a"), &why) == 0);
	CHECK(child_job(fd, STR("b"), &why) == 0);
	CHECK(answer(fd, got) == 1 && strcmp(got, "1 97") == 0);
	CHECK(answer(fd, got) == 1 && strcmp(got, "1 98") == 0);
	close(fd);
}

/* A message that is none, for the child and for us. */
static void
test_sizes(void)
{
	static char big[CHILD_JOB_MAX + 2], got[CHILD_ANSWER + 1];
	static const size_t wrong[] = { 1, CHILD_ANSWER - 1, CHILD_ANSWER };
	int fd = start(ECHO, ""), p[2], none;
	size_t i;

	CHECK(send(fd, big, sizeof big, 0) == (ssize_t)sizeof big);
	CHECK(answer(fd, got) == -1);
	close(fd);
	fd = start(ECHO, "");
	shutdown(fd, SHUT_WR);
	CHECK(answer(fd, got) == -1);
	close(fd);
	memset(big, 'x', sizeof big);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	CHECK(child_answer(p[0], got) == 0);
	for (i = 0; i < COUNT(wrong); i++) {
		CHECK_ROW(i, write(p[1], big, wrong[i]) == (ssize_t)wrong[i]);
		CHECK_ROW(i, child_answer(p[0], got) ==
		    (wrong[i] == CHILD_ANSWER ? 1 : -1));
	}
	CHECK(strlen(got) == CHILD_ANSWER);
	CHECK(child_receive(p[0], got, sizeof got, &none) == -1 &&
	    errno == EAGAIN && none == -1);
	close(p[1]);
	CHECK(child_answer(p[0], got) == -1);
	CHECK(child_receive(p[0], got, sizeof got, &none) == 0);
	close(p[0]);
}

/* A descriptor goes along, and only when one does. */
static void
test_letters(void)
{
	char got[8], c;
	int p[2], q[2], fd, i;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0 && pipe(q) == 0);
	for (i = 0; i < 2; i++) {
		CHECK(child_send(p[0], 7, STR("abc"), i == 0 ? -1 : q[1]) ==
		    0);
		CHECK(child_receive(p[1], got, sizeof got, &fd) == 4);
		CHECK(memcmp(got, "\7abc", 4) == 0 && (fd == -1) == (i == 0));
	}
	CHECK(fd != q[1] && close(q[1]) == 0);
	CHECK(write(fd, "d", 1) == 1 && read(q[0], &c, 1) == 1 && c == 'd');
	CHECK(close(fd) == 0 && close(q[0]) == 0);
	CHECK(close(p[0]) == 0);
	CHECK(child_send(p[1], 7, STR(""), -1) == -1 && errno == EPIPE);
	CHECK(close(p[1]) == 0);
}

/* What takes a second is begun first and looked at last. */
struct slow {
	int jobs, hang, fork, pid;	/* deadlines: of a child, of a fork */
	int all;			/* of a server that was killed */
};

static void
end_deadline(const struct slow *s)
{
	char got[CHILD_ANSWER + 1];
	struct pollfd pfd = { s->fork, POLLIN, 0 };
	struct fail why;
	int status;

	/* The deadline is a job's, not the child's. */
	CHECK(answer(s->jobs, got) == 1);
	CHECK(answer(s->jobs, got) == 1 && strcmp(got, "slept") == 0);
	close(s->jobs);
	CHECK(answer(s->hang, got) == -1);
	CHECK(child_job(s->hang, STR(""), &why) == -1);
	close(s->hang);
	CHECK(poll(&pfd, 1, 5000) == 1);
	CHECK(read(s->fork, got, sizeof got) == 0);
	CHECK(waitpid(s->pid, &status, 0) == s->pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	close(s->fork);
}

static void
test_prepare(const char *path)
{
	char got[CHILD_ANSWER + 1], want[CHILD_ANSWER];
	int fd, file;

	CHECK(says(PREPARED, "", "1 fine"));
	CHECK(says(PREPARED, "", "1 fine"));		/* once */
	CHECK(says(PREPARED, "a", "2 fine"));		/* when it changes */
	CHECK(says(PREPARED, "a", "2 fine"));
	/* A failure is tried again: in the child (not counted here), and
	 * in the helper before the next one. */
	snprintf(want, sizeof want, "4 %s is missing", path);
	CHECK(says(PREPARED, path, want));
	fd = start(PREPARED, path);
	snprintf(want, sizeof want, "5 %s is missing", path);
	CHECK(ask(fd, STR(""), got) == 1 && strcmp(got, want) == 0);
	file = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(ask(fd, STR(""), got) == 1 && strcmp(got, "6 fine") == 0);
	CHECK(ask(fd, STR(""), got) == 1 && strcmp(got, "6 fine") == 0);
	close(fd);
	close(file);
	CHECK(says(PREPARED, path, "5 fine"));
	unlink(path);
}

static void
test_arg_limit(void)
{
	static char arg[CHILD_ARG_MAX + 2];
	struct fail why;

	memset(arg, 'x', CHILD_ARG_MAX + 1);
	CHECK(child_start(ECHO, str_of(arg), &why) == -1);
	arg[CHILD_ARG_MAX] = '\0';
	CHECK(says(ECHO, arg, "1 120"));
	arg[CHILD_ARG_MAX - 1] = '\0';
	CHECK(says(ECHO, arg, "1 120"));
}

/* Signals to all processes alike end neither helper nor children. */
static void
test_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	char got[CHILD_ANSWER + 1], *rest;
	int fd = start(SIGNALS, "");
	long helper;
	size_t i;

	CHECK(ask(fd, STR(""), got) == 1);
	CHECK(strncmp(got, "iiidddd00 ", 10) == 0);
	helper = strtol(got + 10, &rest, 10);
	CHECK(helper > 1 && *rest == '\0');
	for (i = 0; i < COUNT(sigs); i++)
		CHECK_ROW(i, kill((pid_t)helper, sigs[i]) == 0);
	close(fd);
	CHECK(says(ECHO, "", "1 120"));
	CHECK(says(PREPARED, "zombie", "7 none"));
}

/*
 * A server that holds a lock, has started a child that hangs and one that
 * waits, and is killed: the lock is free at once, and no process is left.
 * They all have one pipe as standard error; its end is theirs.
 */
static void
server_to_kill(int err, const char *lock)
{
	struct fail why;
	int a, b, fd;

	dup2(err, 2);
	close(err);
	if (child_helper(kinds, COUNT(kinds), &why) == -1)
		_exit(1);
	fd = open(lock, O_CREAT | O_RDWR, 0600);
	a = child_start(HANG, STR(""), &why);
	b = child_start(ECHO, STR(""), &why);
	if (fd == -1 || flock(fd, LOCK_EX) == -1 || a == -1 || b == -1 ||
	    child_job(a, STR(""), &why) == -1 || write(2, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int
begin_killed(const char *lock)
{
	char c;
	int p[2], fd;
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		server_to_kill(p[1], lock);
	}
	close(p[1]);
	CHECK(read(p[0], &c, 1) == 1 && c == 'r');
	fd = open(lock, O_RDWR);
	CHECK(flock(fd, LOCK_EX | LOCK_NB) == -1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
	close(fd);
	unlink(lock);
	return p[0];
}

static void
end_killed(int fd)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	char c;

	CHECK(poll(&pfd, 1, 5000) == 1 && read(fd, &c, 1) == 0);
	close(fd);
}

static void
fork_say(int fd, const void *arg)
{
	char said[CHILD_ANSWER], text[2 * CHILD_ANSWER];
	int n;

	run_fds(STR(""), NULL, said);
	n = snprintf(text, sizeof text, "%s %s %c%c%c %d",
	    (const char *)arg, said, action(SIGINT), action(SIGTERM),
	    action(SIGPIPE), fcntl(fd, F_GETFD) & FD_CLOEXEC);
	if (write(fd, text, (size_t)n) != n)
		_exit(2);
}

static void
fork_hang(int fd, const void *arg)
{
	(void)arg;
	(void)fd;
	for (;;)
		pause();
}

static void
test_fork(void)
{
	struct pollfd pfd = { -1, POLLIN, 0 };
	struct fail why;
	char got[64] = "";
	int pid, status, i;

	signal(SIGINT, SIG_IGN);
	pfd.fd = child_fork(fork_say, "arg", 5, &pid, &why);
	CHECK(pfd.fd > 2 && pid > 0);
	CHECK(fcntl(pfd.fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(pfd.fd, F_GETFD) & FD_CLOEXEC);
	CHECK(poll(&pfd, 1, 5000) == 1);
	CHECK(read(pfd.fd, got, sizeof got - 1) > 0);
	/* 0, 1, 2 and its pipe */
	CHECK(strcmp(got, "arg 4 0 0 1 1 ddd 1") == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(pfd.fd, got, sizeof got) == 0);
	close(pfd.fd);
	signal(SIGINT, SIG_DFL);

	/* A descriptor lost each time would show. */
	for (i = 0; i < 3; i++) {
		int fd = child_fork(fork_say, "arg", 5, &pid, &why);

		CHECK_ROW(i, fd == pfd.fd);
		waitpid(pid, NULL, 0);
		close(fd);
	}
}

static struct slow
begin_slow(const char *path)
{
	struct slow s;
	struct fail why;

	s.jobs = start(HANG, "");
	CHECK(child_job(s.jobs, STR("x"), &why) == 0);
	CHECK(child_job(s.jobs, STR("x"), &why) == 0);
	s.hang = start(HANG, "");
	CHECK(child_job(s.hang, STR(""), &why) == 0);
	s.fork = child_fork(fork_hang, NULL, 1, &s.pid, &why);
	s.all = begin_killed(path);
	return s;
}

int
main(void)
{
	static const char wanted[] = "4 0 0 1 1";
	char dir[] = "/tmp/child_test.XXXXXX", path[64];
	struct slow slow;
	struct fail why;
	int p[2];

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/file", dir);
	dup2(1, INHERITED);
	CHECK(child_helper(kinds, COUNT(kinds), &why) == 0);
	CHECK(pipe(p) == 0);		/* the server's own */
	CHECK(says(FDS, "", wanted));
	CHECK(says(FDS, "", wanted));
	slow = begin_slow(path);
	test_jobs();
	test_sizes();
	test_letters();
	test_prepare(path);
	test_arg_limit();
	test_signals();
	test_fork();
	end_deadline(&slow);
	end_killed(slow.all);
	rmdir(dir);
	return test_end();
}
