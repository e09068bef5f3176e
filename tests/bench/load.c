/*
 * load: requests over kept connections, as many as are asked for, and how
 * long their answers took.  A closed loop: a connection sends its next
 * request when its answer has come.
 *
 *	cc -O2 -std=c11 -D_POSIX_C_SOURCE=200809L -o load load.c
 *	load report|post|get PORT REQUESTS CONNECTIONS SECONDS [AGENTS]
 *
 * report	PATCH /api/v1/check_history/ with a result of each check
 * post		POST /api/v1/check_history/ with one result, check after check
 * get		GET /
 *
 * AGENTS is a file, a line a connection: its key and the numbers of its
 * checks, the first of type cpu, the others of type process.  The bodies are
 * as vilicus-agent writes them, with the time of sending, and digits that
 * change.  After SECONDS nothing more is sent.
 *
 * Prints "ready" when all are connected, and begins when a line comes, or the
 * end, on standard input: who started it can then look at the server's CPU
 * time.  At last it prints one line of JSON.  Exits 1 if any answer was not 202 (of a report,
 * with all its results stored), 201 or 204, or did not come in 10 s.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX	1024
#define CHECKS_MAX	64		/* of a connection */
#define REQUESTS_MAX	10000000
#define ANSWER_MAX	16384
#define BODY_MAX	32768
#define LATE_NS		INT64_C(10000000000)
#define STAMP		"@@@@@@@@@@@@@@@@@@@@@@@@"	/* of 24 bytes */
#define DIGITS_MAX	1024		/* that change, of a request */

/* A request's bytes, and where in them its times and changing digits are. */
struct request {
	char *p;
	size_t n;
	unsigned stamp[CHECKS_MAX], digit[DIGITS_MAX];
	unsigned stamps, digits;
};

struct conn {
	int fd;
	struct request *req;
	unsigned reqs, next;
	int64_t at_ms, sent_ns;		/* of the last request */
	size_t n;
	char in[ANSWER_MAX + 1];
};

static const struct mode {
	const char *name;
	int status;
	const char *holds;		/* a good answer */
} modes[] = {
	{ "report",	202,	"\"refused\":[]" },
	{ "post",	201,	"\"id\":" },
	{ "get",	204,	"" },
};

static const struct mode *mode;
static struct conn *conns[CONNS_MAX];
static unsigned conns_n, port, statuses[1000];
static uint32_t *took_us;
static unsigned long sent, done, wanted, errors;
static int64_t stop_ns;
static int ep;

static void
die(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(1);
}

static void *
room(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		die("no memory");
	return p;
}

static int64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static uint64_t
some_bits(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

/* ---- requests ---- */

static size_t
put_result(char *p, size_t cap, unsigned check, unsigned nth)
{
	const char *what = nth == 0 ? "#7.#83,\"metrics\":{\"user\":#1.##8,"
	    "\"system\":6.#4#,\"steal\":0,\"iowait\":0.#13}" :
	    "3,\"metrics\":{\"rss_bytes\":11####48,\"cpu_percent\":#.##7}";

	return (size_t)snprintf(p, cap, "{\"check\":\"/api/v1/check/%u/\","
	    "\"timestamp\":\"" STAMP "\",\"value\":%s}", check, what);
}

static void
find_places(struct request *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->p[i] == '#' && r->digits < DIGITS_MAX) {
			r->digit[r->digits++] = (unsigned)i;
		} else if (r->p[i] == '@') {
			r->stamp[r->stamps++] = (unsigned)i;
			i += sizeof STAMP - 2;
		}
}

static void
make_request(struct request *r, const char *key, const char *body)
{
	size_t cap = 1024 + strlen(body);

	r->p = room(cap);
	if (mode->status == 204)
		r->n = (size_t)snprintf(r->p, cap, "GET / HTTP/1.1\r\n"
		    "Host: 127.0.0.1:%u\r\n\r\n", port);
	else
		r->n = (size_t)snprintf(r->p, cap, "%s /api/v1/check_history/ "
		    "HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %zu\r\n"
		    "Authorization: Bearer %s\r\nContent-Type: "
		    "application/json\r\n\r\n%s", mode->status == 202 ?
		    "PATCH" : "POST", port, strlen(body), key, body);
	find_places(r);
}

/* The requests of a connection, from its line of AGENTS. */
static void
make_requests(struct conn *c, char *line)
{
	static char body[BODY_MAX];
	char *key = line, *p = line + strcspn(line, " ");
	unsigned check[CHECKS_MAX], checks = 0, i;
	size_t n;

	for (; *p == ' ' && checks < CHECKS_MAX; checks++) {
		*p = '\0';
		check[checks] = (unsigned)strtoul(p + 1, &p, 10);
	}
	if (mode->status != 201) {
		n = (size_t)sprintf(body, "{\"objects\":[");
		for (i = 0; i < checks; i++) {
			n += put_result(body + n, sizeof body - n - 64,
			    check[i], i);
			body[n++] = ',';
		}
		n -= checks > 0;
		sprintf(body + n, "],\"dropped\":0,\"now_ms\":%lld}",
		    (long long)clock_ns(CLOCK_REALTIME) / 1000000);
		c->reqs = 1;
		c->req = room(sizeof *c->req);
		make_request(c->req, key, body);
		return;
	}
	c->req = room(checks * sizeof *c->req);
	for (c->reqs = 0; c->reqs < checks; c->reqs++) {
		put_result(body, sizeof body, check[c->reqs], c->reqs);
		make_request(&c->req[c->reqs], key, body);
	}
}

/* As vilicus writes it: 2026-11-22T06:53:11.123Z */
static void
put_stamp(char *p, int64_t at_ms)
{
	static char text[64];
	static int64_t second;
	time_t t = (time_t)(at_ms / 1000);
	struct tm tm;
	unsigned ms = (unsigned)(at_ms % 1000);

	if (at_ms / 1000 != second) {
		gmtime_r(&t, &tm);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		second = at_ms / 1000;
	}
	memcpy(p, text, sizeof STAMP - 1);
	p[20] = (char)('0' + ms / 100);
	p[21] = (char)('0' + ms / 10 % 10);
	p[22] = (char)('0' + ms % 10);
}

static void
send_next(struct conn *c)
{
	struct request *r = &c->req[c->next];
	int64_t now_ms = clock_ns(CLOCK_REALTIME) / 1000000;
	uint64_t bits = 0;
	unsigned i;

	/* Two results of a check never have the same time. */
	if (c->next == 0)
		c->at_ms = now_ms > c->at_ms ? now_ms : c->at_ms + 1;
	for (i = 0; i < r->stamps; i++)
		put_stamp(r->p + r->stamp[i], c->at_ms);
	for (i = 0; i < r->digits; i++, bits >>= 4) {
		if (i % 16 == 0)
			bits = some_bits();
		r->p[r->digit[i]] = (char)('1' + (bits & 7));
	}
	c->next = (c->next + 1) % c->reqs;
	c->n = 0;
	c->sent_ns = clock_ns(CLOCK_MONOTONIC);
	if (send(c->fd, r->p, r->n, MSG_NOSIGNAL) != (ssize_t)r->n)
		die("a request could not be sent");
	sent++;
}

/* ---- answers ---- */

static void
judge(struct conn *c, unsigned status)
{
	unsigned long stored = 0;
	const char *p;

	if (mode->status == 202 && (p = strstr(c->in, "\"stored\":")) != NULL)
		stored = strtoul(p + 9, NULL, 10);
	statuses[status]++;
	if ((int)status == mode->status && strstr(c->in, mode->holds) != NULL
	    && (mode->status != 202 || stored == c->req->stamps))
		return;
	if (errors++ == 0)
		fprintf(stderr, "load: a wrong answer: %.600s\n", c->in);
}

/* What came on a connection: an answer, or a part of one. */
static void
answer(struct conn *c)
{
	ssize_t r = recv(c->fd, c->in + c->n, ANSWER_MAX - c->n, MSG_DONTWAIT);
	char *end, *length;
	size_t size = 0;
	int64_t now_ns;

	if (r <= 0)
		die("a connection was closed");
	c->n += (size_t)r;
	c->in[c->n] = '\0';
	if ((end = strstr(c->in, "\r\n\r\n")) == NULL)
		return;
	length = strstr(c->in, "Content-Length: ");
	if (length != NULL && length < end)
		size = strtoul(length + 16, NULL, 10);
	if (c->n < (size_t)(end - c->in) + 4 + size)
		return;
	now_ns = clock_ns(CLOCK_MONOTONIC);
	took_us[done++] = (uint32_t)((now_ns - c->sent_ns) / 1000);
	judge(c, (unsigned)strtoul(c->in + 9, NULL, 10) % 1000);
	if (sent < wanted && now_ns < stop_ns)
		send_next(c);
}

static void
connect_all(const char *agents)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	static char line[4096], none[] = "-";
	FILE *f = agents == NULL ? NULL : fopen(agents, "r");
	unsigned i;
	int on = 1;

	if (agents != NULL && f == NULL)
		die("AGENTS cannot be read");
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	for (i = 0; i < conns_n; i++) {
		struct epoll_event ev = { .events = EPOLLIN };
		struct conn *c = conns[i] = room(sizeof *c);

		if (f != NULL && fgets(line, sizeof line, f) == NULL)
			die("AGENTS has fewer lines than CONNECTIONS");
		make_requests(c, f == NULL ? none : line);
		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd == -1 || connect(c->fd, (void *)&a, sizeof a) == -1)
			die("no connection");
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof on);
		ev.data.ptr = c;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
			die("epoll_ctl");
	}
	if (f != NULL)
		fclose(f);
}

static int
less(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
tell(int64_t ns)
{
	unsigned i;

	qsort(took_us, done, sizeof *took_us, less);
	printf("{\"done\":%lu,\"us\":%lld,\"rate\":%lld,\"p50_us\":%u,"
	    "\"p99_us\":%u,\"errors\":%lu", done, (long long)ns / 1000,
	    (long long)done * 1000000000 / (ns > 0 ? ns : 1),
	    done > 0 ? took_us[done / 2] : 0,
	    done > 0 ? took_us[done - 1 - done / 100] : 0, errors);
	for (i = 0; i < 1000; i++)
		if (statuses[i] > 0)
			printf(",\"%u\":%u", i, statuses[i]);
	printf("}\n");
}

static void
run(void)
{
	static struct epoll_event ev[CONNS_MAX];
	unsigned i;
	int n, k;

	for (i = 0; i < conns_n && sent < wanted; i++)
		send_next(conns[i]);
	while (done < sent) {
		n = epoll_wait(ep, ev, CONNS_MAX, LATE_NS / 1000000);
		if (n <= 0)
			die("no answer within 10 s");
		for (k = 0; k < n; k++)
			answer(ev[k].data.ptr);
	}
}

int
main(int argc, char **argv)
{
	int64_t from;
	size_t i = 0;

	while (argc >= 6 && i < 3 && strcmp(argv[1], modes[i].name) != 0)
		i++;
	if (argc < 6 || argc > 7 || i == 3)
		die("usage: load report|post|get PORT REQUESTS CONNECTIONS "
		    "SECONDS [AGENTS]");
	mode = &modes[i];
	port = (unsigned)strtoul(argv[2], NULL, 10);
	wanted = strtoul(argv[3], NULL, 10);
	conns_n = (unsigned)strtoul(argv[4], NULL, 10);
	if (wanted < 1 || wanted > REQUESTS_MAX || conns_n < 1 ||
	    conns_n > CONNS_MAX || (mode->status != 204 && argc != 7))
		die("a number is out of range, or no AGENTS");
	took_us = room(wanted * sizeof *took_us);
	ep = epoll_create1(0);
	connect_all(argc == 7 ? argv[6] : NULL);
	printf("ready\n");
	fflush(stdout);
	(void)getchar();
	from = clock_ns(CLOCK_MONOTONIC);
	stop_ns = from + (int64_t)strtoul(argv[5], NULL, 10) * 1000000000;
	run();
	tell(clock_ns(CLOCK_MONOTONIC) - from);
	return errors > 0;
}
