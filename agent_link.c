/*
 * agent_link.c: the connection, and one exchange at a time over it; see
 * agent.h.
 *
 *	       child            addresses       connected
 *	  DOWN -----> RESOLVE -----------> DIAL ---------> UP, and an exchange
 *	   ^                               |  ^            if one is asked for
 *	   |                          next +--+
 *	   +-- failed, closed, none left
 *
 * The host is resolved in a child, because getaddrinfo(3) blocks and
 * allocates.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"
#include "client.h"
#include "loop.h"
#include "stream.h"

#define ANSWER_MAX	512	/* bytes of a child's; PIPE_BUF or less */
#define ADDR_MAX	64	/* bytes of a numeric address and a NUL */
#define RESOLVE_S	8	/* a child's deadline */

enum state { DOWN, RESOLVE, DIAL, UP };

static struct {
	const struct agent_conf *conf;
	enum state state;
	bool asked;		/* there is an exchange to be done */
	bool kept;		/* one was done on this connection */
	struct str request;
	int64_t until, dial_until;
	int fd;			/* of the child's pipe, or the socket */
	int pid;		/* of the child */
	char text[ANSWER_MAX];	/* its answer: lines */
	struct str addrs;	/* those not tried yet */
	struct stream s;
	struct client c;
} link_ = { .fd = -1 };

/* Apart, so that its pages are nobody's until they are used. */
static char answer_room[HTTP_HEAD_MAX + 2 * AGENT_LIST_MAX];

/* In the child: numeric addresses, a line each, or "!" and why there are
 * none. */
static void
resolve(int fd, const void *arg)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *ai = NULL;
	char text[ANSWER_MAX], ip[ADDR_MAX];
	struct buf b = BUF(text);
	int rc = getaddrinfo((const char *)arg, NULL, &hint, &ai);

	if (rc != 0)
		buf_addf(&b, "!%s", gai_strerror(rc));
	for (; ai != NULL; ai = ai->ai_next)
		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, ip, sizeof ip,
		    NULL, 0, NI_NUMERICHOST) == 0)
			buf_addf(&b, "%s\n", ip);
	/* It goes in one piece or not at all. */
	if (write(fd, b.p, b.n) == -1)
		_exit(1);
}

static void
down(void)
{
	if (link_.state == RESOLVE) {
		kill(link_.pid, SIGKILL);
		while (waitpid(link_.pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (link_.fd != -1) {
		loop_del(link_.fd);
		close(link_.fd);
	}
	link_.fd = -1;
	link_.state = DOWN;
	link_.kept = false;
}

void
agent_link_close(void)
{
	down();
	link_.asked = false;
}

static enum http_rc
step_down(int64_t now, struct fail *why)
{
	(void)now;
	link_.fd = child_fork(resolve, link_.conf->host, RESOLVE_S,
	    &link_.pid, why);
	if (link_.fd == -1)
		return HTTP_BAD;
	link_.state = RESOLVE;
	return loop_set(link_.fd, LOOP_IN, AGENT_TAG_LINK, why);
}

/* Dial the first of addrs that can be.  *why is there already, in case that
 * there is none. */
static enum http_rc
dial(int64_t now, struct fail *why)
{
	char ip[ADDR_MAX];
	struct str line;

	down();
	while (str_cut(&link_.addrs, '\n', &line) == 0) {
		if (line.n == 0 || str_copy(ip, sizeof ip, line) == -1)
			continue;
		link_.fd = stream_dial(ip, link_.conf->port, why);
		if (link_.fd == -1)
			continue;
		link_.state = DIAL;
		link_.dial_until = now + AGENT_DIAL_MS;
		return loop_set(link_.fd, LOOP_OUT, AGENT_TAG_LINK, why);
	}
	return HTTP_BAD;
}

static enum http_rc
step_resolve(int64_t now, struct fail *why)
{
	ssize_t n = read(link_.fd, link_.text, sizeof link_.text);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return HTTP_MORE;
	if (n <= 0)
		return fail(why, "the name was not resolved in time");
	if (link_.text[0] == '!')
		return fail(why, "%.*s", (int)n - 1, link_.text + 1);
	link_.addrs = (struct str){ link_.text, (size_t)n };
	fail(why, "the name has no address");
	return dial(now, why);
}

static void
begin(void)
{
	client_begin(&link_.c, &link_.s, link_.request, false, answer_room,
	    sizeof answer_room);
}

static enum http_rc
step_dial(int64_t now, struct fail *why)
{
	struct pollfd p = { link_.fd, POLLOUT, 0 };
	int err = ETIMEDOUT;
	socklen_t len = sizeof err;

	if (poll(&p, 1, 0) == 1)
		(void)getsockopt(link_.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	else if (now < link_.dial_until)
		return HTTP_MORE;
	if (err != 0) {
		fail(why, "%s", strerror(err));
		return dial(now, why);
	}
	stream_plain(&link_.s, link_.fd);
	link_.state = UP;
	begin();
	return HTTP_MORE;
}

static enum http_rc
step_up(int64_t now, struct fail *why)
{
	enum http_rc rc = client_step(&link_.c);

	(void)now;
	if (rc == HTTP_MORE)
		return loop_set(link_.fd, link_.s.ops->want(&link_.s),
		    AGENT_TAG_LINK, why);
	if (rc == HTTP_BAD) {
		*why = link_.c.why;
		if (!link_.kept || link_.c.seen > 0)
			return HTTP_BAD;
		/* A kept connection that the server has closed meanwhile. */
		down();
		return HTTP_MORE;
	}
	link_.asked = false;
	link_.kept = true;
	if (!link_.c.reusable ||
	    loop_set(link_.fd, LOOP_IN, AGENT_TAG_LINK, why) == -1)
		down();
	return HTTP_DONE;
}

void
agent_link_ask(const struct agent_conf *conf, struct str request,
    int64_t now_mono)
{
	link_.conf = conf;
	link_.request = request;
	link_.asked = true;
	link_.until = now_mono + AGENT_ANSWER_MS;
	if (link_.state == UP)
		begin();
}

enum http_rc
agent_link_step(int64_t now_mono, struct fail *why)
{
	static enum http_rc (*const step[])(int64_t, struct fail *) = {
		step_down, step_resolve, step_dial, step_up
	};
	enum http_rc rc = HTTP_MORE;
	enum state was;

	if (!link_.asked)
		return HTTP_MORE;
	/* On, as long as one state leads to the next at once. */
	do {
		was = link_.state;
		rc = step[was](now_mono, why);
	} while (rc == HTTP_MORE && was != link_.state);
	if (rc == HTTP_MORE && now_mono >= link_.until)
		rc = fail(why, "no answer within %d s",
		    AGENT_ANSWER_MS / 1000);
	if (rc == HTTP_BAD)
		agent_link_close();
	return rc;
}

int64_t
agent_link_due(void)
{
	return !link_.asked ? INT64_MAX : link_.state == DIAL &&
	    link_.dial_until < link_.until ? link_.dial_until : link_.until;
}

const struct http_head *
agent_link_answer(struct str *body)
{
	*body = (struct str){ link_.c.body, link_.c.body_n };
	return &link_.c.head;
}
