/*
 * stream.h: a byte stream, plain or TLS, so that what is above need not
 * know which; and the sockets under it.
 *
 * Streams never block.  read and write return a count above 0, STREAM_EOF,
 * STREAM_AGAIN (call again when `want` is met) or STREAM_BAD (s->why says
 * why, always).  No SIGPIPE, EINTR is met inside.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fail.h"
#include "str.h"

#define STREAM_EOF	0
#define STREAM_BAD	(-1)
#define STREAM_AGAIN	(-2)

#define ADDR_TEXT	56	/* "[v6]:port" and a NUL */

struct stream;
struct stream_ops {
	ssize_t (*read)(struct stream *s, void *p, size_t n);
	ssize_t (*write)(struct stream *s, const void *p, size_t n);
	/* What to wait for: LOOP_IN, LOOP_OUT while bytes cannot go out that
	 * a write got AGAIN for or the stream itself holds, or both. */
	unsigned (*want)(struct stream *s);
	int (*shut)(struct stream *s);		/* say goodbye; 0 or AGAIN */
};

struct stream {
	const struct stream_ops *ops;
	int fd;
	bool full;		/* the last write got AGAIN (plain) */
	bool more;		/* after a read: the stream itself holds more,
				 * of which no event tells */
	struct fail why;	/* after STREAM_BAD */
};

/* Over a connected, non-blocking socket.  The stream does not own fd. */
void stream_plain(struct stream *s, int fd);

/* Its read and write, for a stream over them. */
ssize_t stream_recv(struct stream *s, void *p, size_t n);
ssize_t stream_send(struct stream *s, const void *p, size_t n);

/* As stream_recv, but what was read stays to be read. */
ssize_t stream_peek(struct stream *s, void *p, size_t n);

/* A listening, non-blocking, close-on-exec TCP socket on "PORT" (of
 * 127.0.0.1), "ADDR:PORT" or "[V6]:PORT", numeric; "[::]" is v4 as well.  Port
 * 0 lets the system choose.  The fd, or -1. */
int stream_listen(struct str addr, struct fail *why);

/* Accept one: a non-blocking, close-on-exec, TCP_NODELAY socket, and its
 * peer as text without the port (a v4 peer of a v6 socket as v4).  The fd,
 * STREAM_AGAIN (none waits, or it is gone already), or -1 with errno. */
int stream_accept(int fd, char peer[ADDR_TEXT], bool *loopback);

/* Resolve and connect, blocking, at most until timeout_ms have passed; every
 * address is tried in turn, v6 and v4, each with an even share of the time
 * that is left.  Calls getaddrinfo, whose time nothing here bounds: for
 * children and the command line only.  A non-blocking fd, or -1 and why the
 * last one failed. */
int stream_connect(const char *host, const char *port, int timeout_ms,
    struct fail *why);

/* The same, of addresses that getaddrinfo gave. */
struct addrinfo;
int stream_connect_list(const struct addrinfo *list, int timeout_ms,
    struct fail *why);

/* The same, but passing over addresses of this host (127/8, ::1, 0/8, ::) and
 * of its link (169.254/16, fe80::/10), v4 ones within v6 too. */
int stream_connect_far(const char *host, const char *port, int timeout_ms,
    struct fail *why);
/* Wait, blocking, for what a stream wants, until loop_mono_ms() is until_ms.
 * 0, or -1: the time is up ("time-out"), or an error. */
int stream_wait(struct stream *s, int64_t until_ms, struct fail *why);

/* The local address of a socket as "ADDR:PORT" or "[V6]:PORT".  0 or -1. */
int stream_local(int fd, char text[ADDR_TEXT], struct fail *why);

#endif
