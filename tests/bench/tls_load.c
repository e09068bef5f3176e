/*
 * tls_load PORT PIN|- KEY N [REPORT]: N clients of our own over TLS (PIN "-":
 * whatever certificate there is, in TLS_LARGE records, for a peer).  Each
 * letter on standard input is done by all of them at once, and then told as
 * "OK MILLISECONDS SENT RECEIVED", the bytes of one on the wire:
 *
 *	c  connect, and ask once		r  ask on the kept connection
 *	d  close				a  connect again, resuming; ask
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../client.h"
#include "../../loop.h"
#include "../../log.h"
#include "../../tls.h"

static struct one {
	struct tls_client tls;
	struct client c;
	unsigned char *buf;
	char in[8192];
	int fd;
	bool done;
} *all;
static struct tls_trust trust;
static char request[4096];
static unsigned n;
static int port;
static size_t buf_n = TLS_SMALL;

static int
dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	a.sin_addr.s_addr = htonl(0x7f000001);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)connect(fd, (struct sockaddr *)&a, sizeof a);
	return fd;
}

static void
begin(struct one *o, int letter)
{
	struct fail why;
	int rc = 0;

	if (letter == 'c' || letter == 'a') {
		o->fd = dial();
		rc = letter == 'a' ? tls_client_again(&o->tls, o->fd,
		    log_clock_ms(), &why) : tls_client(&o->tls, o->fd, "x",
		    &trust, log_clock_ms(), o->buf, buf_n, &why);
	}
	if (rc == -1) {
		fprintf(stderr, "%s\n", why.msg);
		exit(1);
	}
	o->done = false;
	client_begin(&o->c, &o->tls.t.s, str_of(request), false, o->in,
	    sizeof o->in);
}

static unsigned
step_all(struct pollfd *p)
{
	unsigned left = 0, i;

	for (i = 0; i < n; i++) {
		struct one *o = &all[i];
		enum http_rc rc;
		unsigned want;

		p[i].fd = -1;
		if (o->done)
			continue;
		rc = client_step(&o->c);
		if (rc == HTTP_BAD) {
			fprintf(stderr, "%s\n", o->c.why.msg);
			exit(1);
		}
		o->done = rc == HTTP_DONE;
		if (o->done)
			continue;
		left++;
		want = o->tls.t.s.ops->want(&o->tls.t.s);
		p[i] = (struct pollfd){ o->fd, (short)((want & LOOP_IN ?
		    POLLIN : 0) | (want & LOOP_OUT ? POLLOUT : 0)), 0 };
	}
	return left;
}

static void
wire(unsigned long long *sent, unsigned long long *got)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	memset(&info, 0, sizeof info);
	getsockopt(all[0].fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	*sent = info.tcpi_bytes_acked;
	*got = info.tcpi_bytes_received;
}

static void
run(int letter, struct pollfd *p)
{
	unsigned long long sent = 0, got = 0, sent2, got2;
	int64_t at = loop_mono_ms();
	unsigned ok = 0, i;

	if (letter == 'r')
		wire(&sent, &got);
	for (i = 0; i < n; i++)
		if (letter == 'd')
			close(all[i].fd);
		else
			begin(&all[i], letter);
	while (letter != 'd' && step_all(p) > 0)
		poll(p, n, 1000);
	if (letter == 'd')
		return;
	for (i = 0; i < n; i++)
		ok += all[i].c.head.status / 100 == 2;
	usleep(50000);
	wire(&sent2, &got2);
	printf("%u %lld %llu %llu\n", ok, (long long)(loop_mono_ms() - at - 50),
	    sent2 - sent, got2 - got);
}

int
main(int argc, char **argv)
{
	struct rlimit rl;
	struct pollfd *p;
	struct fail why;
	int letter;
	unsigned i;

	if (argc < 5)
		return 2;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	port = atoi(argv[1]);
	n = (unsigned)atoi(argv[4]);
	if (tls_trust(&trust, str_of(argv[2]), NULL, NULL, &why) == -1) {
		fprintf(stderr, "%s\n", why.msg);
		return 1;
	}
	if (argc > 5)
		snprintf(request, sizeof request, "PATCH "
		    "/api/v1/check_history/ HTTP/1.1\r\nHost: x\r\n"
		    "Authorization: Bearer %s\r\nContent-Type: "
		    "application/json\r\nContent-Length: %zu\r\n\r\n%s",
		    argv[3], strlen(argv[5]), argv[5]);
	else
		snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\n"
		    "Host: x\r\nAuthorization: Bearer %s\r\n\r\n", argv[3]);
	all = calloc(n, sizeof *all);
	p = calloc(n, sizeof *p);
	for (i = 0; i < n; i++)
		all[i].buf = malloc(buf_n);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((letter = getchar()) != EOF)
		if (letter != '\n')
			run(letter, p);
	return 0;
}
