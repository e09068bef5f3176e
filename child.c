/*
 * child.c: see child.h.
 *
 *	server ---control: kind, arg, one end of a new pair---> helper
 *	                                                          | fork
 *	server <--pair: jobs one way, answers the other-------> child
 *
 * All pairs are SOCK_SEQPACKET: what is read is one message as it was sent,
 * or the end.
 *
 * The helper keeps nothing of a child: not its end of the pair, not its
 * process id (the system reaps).  So what a child holds ends with it.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

/* What prepare() made of which arg, for one kind. */
struct prepared {
	bool ready;
	size_t n;
	char arg[CHILD_ARG_MAX];
	struct fail why;
};

static const struct child_kind *kind_table;
static size_t kind_count;
static struct prepared prepared[CHILD_KINDS_MAX];
static int control = -1;	/* server: to the helper; helper: to us */

int
child_send(int to, unsigned char first, struct str text, int fd)
{
	_Alignas(struct cmsghdr) char beside[CMSG_SPACE(sizeof fd)] = { 0 };
	unsigned char msg[1 + CHILD_JOB_MAX];
	struct iovec piece = { msg, 1 + text.n };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1,
	    .msg_control = beside, .msg_controllen = sizeof beside };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t k;

	assert(text.n <= CHILD_JOB_MAX);
	msg[0] = first;
	memcpy(msg + 1, text.n > 0 ? text.p : "", text.n);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	if (fd == -1)
		m.msg_controllen = 0;
	do
		k = sendmsg(to, &m, MSG_NOSIGNAL);
	while (k == -1 && errno == EINTR);
	return k == -1 ? -1 : 0;
}

ssize_t
child_receive(int from, void *msg, size_t cap, int *fd)
{
	_Alignas(struct cmsghdr) char beside[CMSG_SPACE(sizeof *fd)];
	struct iovec piece = { msg, cap };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1,
	    .msg_control = beside, .msg_controllen = sizeof beside };
	ssize_t k = recvmsg(from, &m, 0);
	struct cmsghdr *c = k > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*fd = -1;
	if (c != NULL && c->cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return m.msg_flags & MSG_TRUNC ? 0 : k;
}

static void
prepare(const struct child_kind *k, struct prepared *p)
{
	p->ready = k->prepare == NULL ||
	    k->prepare((struct str){ p->arg, p->n }, &p->why) == 0;
}

/* The life of a child. */
static void
serve(const struct child_kind *k, struct prepared *p, int fd)
{
	static char msg[1 + CHILD_JOB_MAX];
	char answer[CHILD_ANSWER];
	ssize_t n;
	int none;

	close(control);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);	/* not for what it runs */
	(void)signal(SIGCHLD, SIG_DFL);
	while ((n = child_receive(fd, msg, sizeof msg, &none)) > 0) {
		alarm(k->deadline_s);
		if (!p->ready)
			prepare(k, p);
		memset(answer, 0, sizeof answer);
		k->run((struct str){ msg + 1, (size_t)n - 1 },
		    p->ready ? NULL : &p->why, answer);
		alarm(0);
		if (send(fd, answer, sizeof answer, MSG_NOSIGNAL) == -1)
			break;
	}
	_exit(0);
}

/* The life of the helper. */
static void
help(void)
{
	unsigned char msg[1 + CHILD_ARG_MAX];
	const struct child_kind *k;
	struct prepared *p;
	ssize_t got;
	size_t n;
	pid_t pid;
	int fd;

	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);		/* the system reaps */
	while ((got = child_receive(control, msg, sizeof msg, &fd)) > 0) {
		if (fd == -1)
			continue;
		assert(msg[0] < kind_count);
		k = &kind_table[msg[0]];
		p = &prepared[msg[0]];
		n = (size_t)got - 1;
		if (!p->ready || p->n != n || memcmp(p->arg, msg + 1, n) != 0) {
			p->n = n;
			memcpy(p->arg, msg + 1, n);
			prepare(k, p);
		}
		pid = fork();
		if (pid == 0)
			serve(k, p, fd);
		if (pid == -1)
			log_line("no child for %s: %s", k->name,
			    strerror(errno));
		close(fd);
	}
	_exit(0);
}

/* A pair, our end p[0] close-on-exec and non-blocking. */
static int
pair(int p[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == -1 ||
	    fcntl(p[0], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(p[0], F_SETFD, FD_CLOEXEC) == -1 ? -1 : 0;
}

/* What could not be had: close both ends of p and say why.  -1. */
static int
give_up(const int p[2], const char *what, struct fail *why)
{
	fail_errno(why, "%s", what);
	close(p[0]);
	close(p[1]);
	return -1;
}

/* A descriptor of nothing: /dev/null, or where there is no /dev one that ends
 * when read and cannot be written to.  Or -1. */
static int
nothing(void)
{
	int p[2], fd = open("/dev/null", O_RDWR);

	if (fd == -1 && pipe(p) == 0) {
		close(p[1]);
		fd = p[0];
	}
	return fd;
}

/* Fork a process that has one end of a new pair, and of our descriptors only
 * standard error.  The end that is ours, here (*pid > 0) and there (0), or
 * -1. */
static int
split(const char *what, int *pid, struct fail *why)
{
	int p[2] = { -1, -1 }, end, null, sig;
	struct dirent *e;
	sigset_t none;
	uint64_t fd;
	DIR *dir;

	if (pair(p) == -1 || (*pid = (int)fork()) == -1)
		return give_up(p, what, why);
	if (*pid > 0) {
		close(p[1]);
		return p[0];
	}
	/* Leave behind what it has of its parent's: signals ... */
	for (sig = 1; sig < SIGRTMIN; sig++)
		(void)signal(sig, SIG_DFL);	/* SIGKILL cannot be set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* 0 and 1, which become /dev/null ... */
	end = fcntl(p[1], F_DUPFD_CLOEXEC, 3);
	null = nothing();
	if (end == -1 || null == -1 || dup2(null, 0) == -1 ||
	    dup2(null, 1) == -1)
		_exit(1);
	/* and all descriptors from 3 up but its end.  The limit on those may
	 * be a thousand million, so ask which there are before trying them
	 * all. */
	dir = opendir("/proc/self/fd");
	for (fd = 3; dir == NULL && fd < CHILD_FDS_MAX; fd++)
		if ((int)fd != end)
			close((int)fd);
	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (str_u64(str_of(e->d_name), 3, INT32_MAX, &fd) == 0 &&
		    (int)fd != end && (int)fd != dirfd(dir))
			close((int)fd);
	if (dir != NULL && closedir(dir) == -1)
		_exit(1);
	return end;
}

int
child_helper(const struct child_kind *kinds, size_t n, struct fail *why)
{
	int fd, pid;

	assert(n <= CHILD_KINDS_MAX);
	/* Started without 0-2, a socket would take their place. */
	do
		fd = nothing();
	while (fd >= 0 && fd <= 2);
	if (fd == -1)
		return fail_errno(why, "/dev/null");
	close(fd);
	kind_table = kinds;
	kind_count = n;
	control = split("no helper process", &pid, why);
	if (control != -1 && pid == 0)
		help();
	return control == -1 ? -1 : 0;
}

int
child_start(size_t kind, struct str arg, struct fail *why)
{
	int p[2] = { -1, -1 };

	assert(kind < kind_count);
	if (arg.n > CHILD_ARG_MAX)
		return fail(why, "over %d bytes for a child", CHILD_ARG_MAX);
	if (pair(p) == -1 ||
	    child_send(control, (unsigned char)kind, arg, p[1]) == -1)
		return give_up(p, "no child from the helper process", why);
	close(p[1]);
	return p[0];
}

int
child_job(int fd, struct str job, struct fail *why)
{
	if (job.n > CHILD_JOB_MAX)
		return fail(why, "a job of over %d bytes", CHILD_JOB_MAX);
	return child_send(fd, 0, job, -1) == 0 ? 0 :
	    fail_errno(why, "the child takes no job");
}

int
child_answer(int fd, char dst[CHILD_ANSWER + 1])
{
	ssize_t k = recv(fd, dst, CHILD_ANSWER, 0);

	dst[CHILD_ANSWER] = '\0';
	if (k == -1 && (errno == EAGAIN || errno == EWOULDBLOCK ||
	    errno == EINTR))
		return 0;
	return k == CHILD_ANSWER ? 1 : -1;
}

int
child_fork(void (*run)(int fd, const void *arg), const void *arg,
    unsigned deadline_s, int *pid, struct fail *why)
{
	int fd = split("no process for a child", pid, why);

	if (fd == -1 || *pid > 0)
		return fd;
	alarm(deadline_s);
	run(fd, arg);
	_exit(0);
}
