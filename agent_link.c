/*
 * agent_link.c: the connection, and one exchange at a time over it; see
 * agent.h.
 *
 *	       child           its socket
 *	  DOWN -----> CONNECT -----------> UP, and an exchange if one is
 *	   ^                               |   asked for
 *	   +-------- failed, closed -------+
 *
 * A child resolves the host and connects, because getaddrinfo(3) blocks and
 * allocates; the socket comes back as a descriptor.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "child.h"
#include "client.h"
#include "log.h"
#include "loop.h"

enum state { DOWN, CONNECT, UP };

static struct {
	const struct agent_conf *conf;
	enum state state;
	bool asked;		/* there is an exchange to be done */
	bool kept;		/* one was done on this connection */
	struct str request;
	int64_t until;
	int fd;			/* but if DOWN: of the child, or the socket */
	int pid;		/* of the child */
	struct stream *s, plain;
	bool met;		/* secure is begun: there may be a session */
	struct tls_client secure;
	struct client c;
} link_;	/* all zero: 26 KB less in the file */

/* Apart, so that its pages are nobody's until they are used. */
static char answer_room[HTTP_HEAD_MAX + 2 * AGENT_LIST_MAX];
static unsigned char tls_room[TLS_LARGE];

/* In the child: a socket, or why there is none. */
static void
dial(int fd, const void *arg)
{
	const struct agent_conf *conf = arg;
	struct fail why = { "" };
	int s = stream_connect(conf->host, conf->port, AGENT_CONNECT_MS, &why);

	if (child_send(fd, 0, str_of(why.msg), s) == -1)
		_exit(1);
}

static void
down(void)
{
	if (link_.state == CONNECT) {
		kill(link_.pid, SIGKILL);
		while (waitpid(link_.pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (link_.state != DOWN) {
		loop_del(link_.fd);
		close(link_.fd);
	}
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
step_connect(struct fail *why)
{
	char msg[1 + FAIL_MAX];
	int fd, rc = 0;
	ssize_t n = child_receive(link_.fd, msg, sizeof msg, &fd);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return HTTP_MORE;
	down();
	if (n <= 0)
		return fail(why, "the name was not resolved in time");
	if (fd == -1)
		return fail(why, "%.*s", (int)n - 1, msg + 1);
	link_.fd = fd;
	link_.state = UP;
	if (!link_.conf->tls)
		stream_plain(&link_.plain, fd);
	else if (link_.met)
		rc = tls_client_again(&link_.secure, fd, log_clock_ms(), why);
	else	/* who has our pin is one of us, and heeds small records */
		rc = tls_client(&link_.secure, fd, link_.conf->host,
		    &link_.conf->trust, log_clock_ms(), tls_room,
		    link_.conf->trust.pins > 0 ? TLS_SMALL : TLS_LARGE, why);
	link_.met = link_.conf->tls && rc == 0;
	return rc == -1 ? HTTP_BAD : HTTP_MORE;
}

static enum http_rc
step_up(struct fail *why)
{
	enum http_rc rc = client_step(&link_.c);

	if (rc == HTTP_MORE)
		return loop_set(link_.fd, link_.s->ops->want(link_.s),
		    AGENT_TAG_LINK, why);
	if (rc == HTTP_BAD) {
		*why = link_.c.why;
		if (!link_.kept || link_.c.seen > 0)
			return HTTP_BAD;
		/* A kept connection that the server has closed meanwhile. */
		down();
		client_begin(&link_.c, link_.s, link_.request, false,
		    answer_room, sizeof answer_room);
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
agent_link_ask(const struct agent_conf *conf, struct str request, int64_t mono)
{
	link_.conf = conf;
	link_.s = conf->tls ? &link_.secure.t.s : &link_.plain;
	link_.request = request;
	link_.asked = true;
	link_.until = mono + AGENT_ANSWER_MS;
	client_begin(&link_.c, link_.s, request, false, answer_room,
	    sizeof answer_room);
}

enum http_rc
agent_link_step(int64_t mono, struct fail *why)
{
	enum http_rc rc = HTTP_MORE;
	enum state was;

	if (!link_.asked)
		return HTTP_MORE;
	/* On, as long as one state leads to the next at once. */
	do {
		was = link_.state;
		if (was == DOWN) {
			link_.fd = child_fork(dial, link_.conf, AGENT_CHILD_S,
			    &link_.pid, why);
			link_.state = link_.fd == -1 ? DOWN : CONNECT;
			rc = link_.fd == -1 ? HTTP_BAD :
			    loop_set(link_.fd, LOOP_IN, AGENT_TAG_LINK, why);
		} else {
			rc = was == CONNECT ? step_connect(why) : step_up(why);
		}
	} while (rc == HTTP_MORE && was != link_.state);
	if (rc == HTTP_MORE && mono >= link_.until)
		rc = fail(why, "no answer within %d s", AGENT_ANSWER_MS / 1000);
	if (rc == HTTP_BAD)
		agent_link_close();
	return rc;
}

int64_t
agent_link_due(void)
{
	return link_.asked ? link_.until : INT64_MAX;
}

const struct http_head *
agent_link_answer(struct str *body)
{
	*body = (struct str){ link_.c.body, link_.c.body_n };
	return &link_.c.head;
}
