/* stream.c: see stream.h. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "stream.h"

#define BACKLOG		1024	/* connections waiting to be accepted */

/* Any address, as the socket calls and as their families see it. */
union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static ssize_t
no_bytes(struct stream *s)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return STREAM_AGAIN;
	return fail(&s->why, "%s", strerror(errno));	/* STREAM_BAD */
}

ssize_t
stream_recv(struct stream *s, void *p, size_t n)
{
	ssize_t k;

	do {
		k = recv(s->fd, p, n, 0);
	} while (k < 0 && errno == EINTR);
	return k >= 0 ? k : no_bytes(s);	/* 0 is STREAM_EOF */
}

ssize_t
stream_send(struct stream *s, const void *p, size_t n)
{
	ssize_t k;

	do {
		k = send(s->fd, p, n, MSG_NOSIGNAL);
	} while (k < 0 && errno == EINTR);
	if (k <= 0)
		k = k == 0 ? STREAM_AGAIN : no_bytes(s);
	s->full = k == STREAM_AGAIN;
	return k;
}

ssize_t
stream_peek(struct stream *s, void *p, size_t n)
{
	ssize_t k;

	do {
		k = recv(s->fd, p, n, MSG_PEEK);
	} while (k < 0 && errno == EINTR);
	return k >= 0 ? k : no_bytes(s);
}

static unsigned
plain_want(struct stream *s)
{
	return s->full ? LOOP_IN | LOOP_OUT : LOOP_IN;
}

static int
plain_shut(struct stream *s)
{
	/* A peer that is gone already needs no goodbye. */
	(void)shutdown(s->fd, SHUT_WR);
	return 0;
}

static const struct stream_ops plain = {
	stream_recv, stream_send, plain_want, plain_shut
};

void
stream_plain(struct stream *s, int fd)
{
	*s = (struct stream){ .ops = &plain, .fd = fd };
}

/* Make a socket, if it is one, what every socket here is.  fd or -1. */
static int
prepare(int fd)
{
	int on = 1;

	if (fd == -1)
		return -1;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
		close(fd);
		return -1;
	}
	/* Whole messages are written: nothing is gained by waiting. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* An address as text without the port; loopback: whether it is. */
static void
to_text(const union addr *a, char text[ADDR_TEXT], bool *loopback)
{
	const struct in6_addr *v6 = &a->v6.sin6_addr;
	const void *v4 = a->sa.sa_family == AF_INET ? &a->v4.sin_addr :
	    IN6_IS_ADDR_V4MAPPED(v6) ? (const void *)(v6->s6_addr + 12) : NULL;

	*loopback = v4 != NULL ? *(const unsigned char *)v4 == 127 :
	    IN6_IS_ADDR_LOOPBACK(v6);
	inet_ntop(v4 != NULL ? AF_INET : AF_INET6, v4 != NULL ? v4 : v6, text,
	    ADDR_TEXT);
}

/* "PORT", "ADDR:PORT" or "[V6]:PORT".  Its length, or 0. */
static socklen_t
listen_addr(union addr *a, struct str s)
{
	char text[ADDR_TEXT];
	const char *ip = "127.0.0.1";
	char *colon;
	uint64_t port;
	bool v6;

	memset(a, 0, sizeof *a);
	if (str_copy(text, sizeof text, s) == -1)
		return 0;
	colon = strrchr(text, ':');
	if (colon != NULL) {
		v6 = text[0] == '[' && colon[-1] == ']';
		colon[-v6] = '\0';
		ip = text + v6;
		s = str_of(colon + 1);
		if ((strchr(ip, ':') != NULL) != v6)
			return 0;
	}
	if (str_u64(s, 0, 65535, &port) == -1)
		return 0;
	if (inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)port);
		return sizeof a->v4;
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, ip, &a->v6.sin6_addr) == 1 ?
	    sizeof a->v6 : 0;
}

int
stream_listen(struct str addr, struct fail *why)
{
	union addr a;
	socklen_t n = listen_addr(&a, addr);
	int fd, on = 1, off = 0, show = addr.n < 80 ? (int)addr.n : 80;

	if (n == 0)
		return fail(why, "%.*s: not PORT, ADDR:PORT or [V6]:PORT with "
		    "a numeric address", show, addr.p);
	fd = prepare(socket(a.sa.sa_family, SOCK_STREAM, 0));
	if (fd == -1)
		return fail_errno(why, "listen on %.*s", show, addr.p);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, &a.sa, n) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	fail_errno(why, "listen on %.*s", show, addr.p);
	close(fd);
	return -1;
}

int
stream_accept(int fd, char peer[ADDR_TEXT], bool *loopback)
{
	union addr a;
	socklen_t n = sizeof a;
	int c = prepare(accept(fd, &a.sa, &n));

	if (c != -1) {
		to_text(&a, peer, loopback);
		return c;
	}
	/* Only what lasts is an error; the rest are faults of one connection
	 * (accept(2), "Error handling"). */
	return errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	    errno == ENOMEM || errno == EBADF || errno == EINVAL ||
	    errno == ENOTSOCK ? -1 : STREAM_AGAIN;
}

/* Is it this host itself, or on its link alone? */
static bool
is_near(const struct sockaddr *sa)
{
	const union addr *a = (const void *)sa;
	const struct in6_addr *v6 = &a->v6.sin6_addr;
	/* "::", "::1" and all of ::/96: to musl's IN6_IS_ADDR_V4COMPAT
	 * ::127.0.0.1 is none. */
	static const unsigned char zero[12];
	const unsigned char *v4 = sa->sa_family == AF_INET ?
	    (const void *)&a->v4.sin_addr : IN6_IS_ADDR_V4MAPPED(v6) ||
	    memcmp(v6->s6_addr, zero, sizeof zero) == 0 ? v6->s6_addr + 12 :
	    NULL;

	return v4 != NULL ? v4[0] == 0 || v4[0] == 127 ||
	    (v4[0] == 169 && v4[1] == 254) : IN6_IS_ADDR_LINKLOCAL(v6);
}

/* Connect to one address.  A fd, or -1. */
static int
dial(const struct addrinfo *a, int64_t until_ms, struct fail *why)
{
	int fd = prepare(socket(a->ai_addr->sa_family, SOCK_STREAM, 0));
	struct pollfd p = { fd, POLLOUT, 0 };
	int64_t left;
	int error, k;
	socklen_t n = sizeof error;

	if (fd == -1)
		return fail_errno(why, "socket");
	error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (error == EINPROGRESS || error == EINTR) {
		do {
			left = until_ms - loop_mono_ms();
			k = poll(&p, 1, left > 0 ? (int)left : 0);
		} while (k == -1 && errno == EINTR);
		error = k == 0 ? ETIMEDOUT : errno;
		if (k == 1 &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1)
			error = errno;
	}
	if (error == 0)
		return fd;
	close(fd);
	return fail(why, "%s", strerror(error));
}

/* far: not to what is near. */
static int
dial_list(const struct addrinfo *a, int64_t until_ms, bool far,
    struct fail *why)
{
	const struct addrinfo *one;
	int fd = -1, left = 0;
	int64_t now;

	for (one = a; one != NULL; one = one->ai_next)
		left++;
	/* The time left is shared by those left. */
	for (; a != NULL && fd == -1; a = a->ai_next) {
		now = loop_mono_ms();
		if (far && is_near(a->ai_addr))
			fail(why, "an address of this host or its link, which "
			    "is not allowed");
		else
			fd = dial(a, now + (until_ms - now) / left, why);
		left--;
	}
	return fd;
}

static int
connect_to(const char *host, const char *port, int timeout_ms, bool far,
    struct fail *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int64_t until_ms = loop_mono_ms() + timeout_ms;
	int rc = getaddrinfo(host, port, &hints, &list), fd;

	if (rc != 0)
		return fail(why, "%s", rc == EAI_SYSTEM ? strerror(errno) :
		    gai_strerror(rc));
	fd = dial_list(list, until_ms, far, why);
	freeaddrinfo(list);
	return fd;
}

int
stream_wait(struct stream *s, int64_t until_ms, struct fail *why)
{
	unsigned want = s->ops->want(s);
	int64_t left = until_ms - loop_mono_ms();
	struct pollfd p = { s->fd, (short)((want & LOOP_IN ? POLLIN : 0) |
	    (want & LOOP_OUT ? POLLOUT : 0)), 0 };

	if (left <= 0)
		return fail(why, "time-out");
	return poll(&p, 1, (int)left) == -1 && errno != EINTR ?
	    fail(why, "%s", strerror(errno)) : 0;
}

int
stream_connect(const char *host, const char *port, int timeout_ms,
    struct fail *why)
{
	return connect_to(host, port, timeout_ms, false, why);
}

int
stream_connect_list(const struct addrinfo *list, int timeout_ms,
    struct fail *why)
{
	return dial_list(list, loop_mono_ms() + timeout_ms, false, why);
}

int
stream_connect_far(const char *host, const char *port, int timeout_ms,
    struct fail *why)
{
	return connect_to(host, port, timeout_ms, true, why);
}

int
stream_local(int fd, char text[ADDR_TEXT], struct fail *why)
{
	union addr a;
	socklen_t n = sizeof a;
	char ip[ADDR_TEXT];
	struct buf b;
	bool loopback;

	if (getsockname(fd, &a.sa, &n) == -1)
		return fail_errno(why, "getsockname");
	to_text(&a, ip, &loopback);
	buf_init(&b, text, ADDR_TEXT);
	buf_addf(&b, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip,
	    ntohs(a.sa.sa_family == AF_INET ? a.v4.sin_port :
	    a.v6.sin6_port));
	return 0;
}
