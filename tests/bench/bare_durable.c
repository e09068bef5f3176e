/*
 * bare_durable: the least that a durable HTTP server does, to measure
 * vilicus-server against.  It reads all that is ready, appends every body to
 * one file with one pwrite, waits for one fdatasync, and then answers.  Of
 * HTTP it knows the method, Content-Length and where a request ends, and it
 * believes everything; of JSON nothing.
 *
 *	cc -O2 -std=c11 -D_POSIX_C_SOURCE=200809L -o bare_durable bare_durable.c
 *	bare_durable FILE	prints its port on 127.0.0.1, serves until ended
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_MAX		65536		/* bytes of a request */
#define BATCH_MAX	(8 << 20)	/* bytes of one write */
#define EVENTS		1024
/* As long as what vilicus-server answers to a report and to a result. */
#define REPORT	"{\"refused\":[],\"stored\":20,\"revision\":20," \
		"\"now_ms\":1795347596514}\n"
#define RESULT	"{\"id\":\"417-1795347597597\",\"resource_uri\":\"/api/v1/" \
		"check_history/417-1795347597597/\",\"check\":\"/api/v1/" \
		"check/417/\",\"timestamp\":\"2026-11-22T11:39:57.597Z\"," \
		"\"status\":\"ok\",\"value\":2,\"message\":\"\",\"metrics\":" \
		"{\"rss_bytes\":11537612,\"cpu_percent\":0.137}}\n"

struct conn {
	int fd, status;		/* of the answer that waits */
	size_t n;
	char in[IN_MAX + 1];
};

static char batch[BATCH_MAX], answers[2][1024];
static struct conn *waiting[EVENTS];
static size_t batch_n, answer_n[2];
static unsigned waiting_n;
static off_t file_end;
static int file, ep;

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void
commit(void)
{
	unsigned i;

	if (batch_n > 0) {
		must(pwrite(file, batch, batch_n, file_end) ==
		    (ssize_t)batch_n && fdatasync(file) == 0, "file");
		file_end += (off_t)batch_n;
		batch_n = 0;
	}
	for (i = 0; i < waiting_n; i++) {
		int k = waiting[i]->status == 201;

		must(send(waiting[i]->fd, answers[k], answer_n[k],
		    MSG_NOSIGNAL) == (ssize_t)answer_n[k], "send");
	}
	waiting_n = 0;
}

/* What is ready of a connection; if that is a request, into the batch. */
static void
take(struct conn *c)
{
	ssize_t r = recv(c->fd, c->in + c->n, IN_MAX - c->n, MSG_DONTWAIT);
	char *end, *length;
	size_t body, head;

	if (r <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->n += (size_t)r;
	c->in[c->n] = '\0';
	if ((end = strstr(c->in, "\r\n\r\n")) == NULL)
		return;
	head = (size_t)(end - c->in) + 4;
	length = strstr(c->in, "Content-Length: ");
	body = length == NULL || length > end ? 0 :
	    strtoul(length + 16, NULL, 10);
	if (c->n < head + body)
		return;
	if (batch_n + body > BATCH_MAX)
		commit();
	memcpy(batch + batch_n, c->in + head, body);
	batch_n += body;
	c->status = memcmp(c->in, "POST", 4) == 0 ? 201 : 202;
	c->n = 0;
	waiting[waiting_n++] = c;
}

static void
watch(int fd, void *tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = tag };

	must(fd != -1 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0, "epoll");
}

int
main(int argc, char **argv)
{
	static struct epoll_event ev[EVENTS];
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;
	int i, n, fd = socket(AF_INET, SOCK_STREAM, 0);

	must(argc == 2, "usage: bare_durable FILE");
	file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ep = epoll_create1(0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(file != -1 && bind(fd, (void *)&a, len) == 0 && listen(fd, 128) ==
	    0 && getsockname(fd, (void *)&a, &len) == 0, argv[1]);
	answer_n[0] = (size_t)sprintf(answers[0], "HTTP/1.1 202 Accepted\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof REPORT - 1, REPORT);
	answer_n[1] = (size_t)sprintf(answers[1], "HTTP/1.1 201 Created\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof RESULT - 1, RESULT);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (watch(fd, NULL); (n = epoll_wait(ep, ev, EVENTS, -1)) >= 0;
	    commit())
		for (i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c != NULL) {
				take(c);
			} else if ((c = calloc(1, sizeof *c)) != NULL) {
				c->fd = accept(fd, NULL, NULL);
				watch(c->fd, c);
			}
		}
	return 1;
}
