/*
 * probe_ping.c: echo requests (RFC 792, RFC 4443 4) and their answers.
 *
 * By a socket of the kind for just this, which the kernel lets the groups of
 * net.ipv4.ping_group_range have, and which sets the identifier and looks at
 * no answer but its own; else by a raw one, which sees all that come from
 * there.  The payload, random, tells ours.
 */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "key.h"
#include "loop.h"
#include "probe_impl.h"

#define COUNT_MAX	20
#define HEAD		8		/* type code sum id sequence */
#define PAYLOAD		16
#define ECHO		(HEAD + PAYLOAD)
#define GAP_MS		100		/* from one to the next */
#define LINGER_MS	1000		/* for the last, when others came */

const char *const probe_ping_metrics[] = { "loss_percent", NULL };

struct ping {
	int fd;
	bool v6, raw;
	unsigned char payload[PAYLOAD];
	unsigned char id[2];		/* raw: ours to choose */
	unsigned sent, answered;
	int64_t sent_us[COUNT_MAX], took_us[COUNT_MAX];	/* -1: none yet */
	struct fail why;		/* the last that went wrong, or "" */
};

/* RFC 1071; 0 over what holds its own. */
static unsigned
sum(const unsigned char *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (s > 0xffff)
		s = (s >> 16) + (s & 0xffff);
	return ~s & 0xffff;
}

/* A message that came: is it an answer to one of ours, the first? */
static void
take(struct ping *p, const unsigned char *m, size_t n, int64_t now_us)
{
	size_t skip = 0, seq;

	if (p->raw && !p->v6) {		/* behind its IP header */
		skip = n < 20 ? n : (m[0] & 15u) * 4u;
		skip = skip < 20 || skip > n ? n : skip;
	}
	m += skip;
	if (n - skip != ECHO || m[0] != (p->v6 ? 129 : 0) || m[1] != 0 ||
	    (!p->v6 && sum(m, ECHO) != 0) ||
	    (p->raw && memcmp(m + 4, p->id, sizeof p->id) != 0) ||
	    memcmp(m + HEAD, p->payload, PAYLOAD) != 0)
		return;
	seq = (size_t)m[6] << 8 | m[7];
	if (seq >= p->sent || p->took_us[seq] != -1)
		return;
	p->took_us[seq] = now_us - p->sent_us[seq];
	p->answered++;
}

static void
send_one(struct ping *p)
{
	unsigned char m[ECHO] = { p->v6 ? 128 : 8, [4] = p->id[0], p->id[1],
	    0, (unsigned char)p->sent };
	unsigned s;

	memcpy(m + HEAD, p->payload, PAYLOAD);
	s = p->v6 ? 0 : sum(m, ECHO);	/* of v6 the kernel makes it */
	m[2] = (unsigned char)(s >> 8);
	m[3] = (unsigned char)s;
	p->took_us[p->sent] = -1;
	p->sent_us[p->sent++] = probe_us();
	if (send(p->fd, m, ECHO, 0) == -1)
		fail_errno(&p->why, "send");
}

static void
receive(struct ping *p)
{
	unsigned char m[ECHO + 60];	/* with the longest IP header */
	ssize_t n = recv(p->fd, m, sizeof m, 0);

	if (n >= 0)
		take(p, m, (size_t)n, probe_us());
	else if (errno != EAGAIN && errno != EINTR)
		fail(&p->why, "%s", strerror(errno));
}

/* Send count, and wait for the answers. */
static void
exchange(struct ping *p, unsigned count, int64_t until_ms)
{
	int64_t now = loop_mono_ms(), next = now, end = until_ms,
	    gap = (until_ms - now) / (2 * count), longest = 0;
	struct pollfd wait = { p->fd, POLLIN, 0 };

	gap = gap < GAP_MS ? gap : GAP_MS;
	while (p->answered < count && (now = loop_mono_ms()) < end) {
		if (p->sent < count && now >= next) {
			send_one(p);
			next = now + gap;
		}
		for (unsigned i = 0; i < p->sent; i++)
			if (p->took_us[i] > longest)
				longest = p->took_us[i];
		if (p->sent == count && p->answered > 0)
			end = next + LINGER_MS + 2 * longest / 1000;
		end = end < until_ms ? end : until_ms;
		if (poll(&wait, 1, (int)((p->sent < count && next < end ?
		    next : end) - now)) > 0)
			receive(p);
	}
}

/* A socket to one of the addresses, whose text is name.  0, or -1: denied,
 * neither kind may be had; or p->why. */
static int
connect_one(struct ping *p, const struct addrinfo *a, char name[64],
    bool *denied)
{
	int proto;

	for (; a != NULL; a = a->ai_next) {
		p->v6 = a->ai_family == AF_INET6;
		proto = p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		p->fd = socket(a->ai_family, SOCK_DGRAM, proto);
		p->raw = p->fd == -1;
		if (p->raw)
			p->fd = socket(a->ai_family, SOCK_RAW, proto);
		*denied = p->fd == -1 && (errno == EPERM || errno == EACCES);
		(void)getnameinfo(a->ai_addr, a->ai_addrlen, name, 64, NULL,
		    0, NI_NUMERICHOST);
		if (p->fd != -1 && connect(p->fd, a->ai_addr, a->ai_addrlen) ==
		    0 && fcntl(p->fd, F_SETFL, O_NONBLOCK) == 0)
			return 0;
		fail_errno(&p->why, "%s", name);
		if (p->fd != -1)
			close(p->fd);
	}
	return -1;
}

/* Sorted, the one in the middle; of an even number the mean of two. */
static int64_t
median(int64_t *v, unsigned n)
{
	unsigned i, k, m = 0;
	int64_t one;

	for (i = 0; i < n; i++) {
		one = v[i];
		if (one == -1)
			continue;
		for (k = m++; k > 0 && v[k - 1] > one; k--)
			v[k] = v[k - 1];
		v[k] = one;
	}
	return (v[m / 2] + v[(m - 1) / 2]) / 2;
}

static void
judge(struct ping *p, unsigned count, const char *name, struct probe_result *r)
{
	probe_metric(r, "loss_percent", probe_percent(count - p->answered,
	    count));
	if (p->answered == 0) {
		probe_critical(r, "no answer from %s%s%s", name,
		    p->why.msg[0] != '\0' ? ": " : "", p->why.msg);
		return;
	}
	r->given = STATUS_OK;
	probe_value(r, median(p->took_us, p->sent));
	if (p->answered < count)
		snprintf(r->text, sizeof r->text, "%u of %u answered",
		    p->answered, count);
}

void
probe_ping(struct str params, struct probe_state *st, struct probe_result *r)
{
	int64_t until_ms = loop_mono_ms() + probe_timeout_ms(params), count = 3;
	char host[CHECK_TEXT_MAX + 1], name[64] = "";
	struct ping p = { .fd = -1 };
	struct addrinfo *list;
	bool denied = false;

	(void)st;
	(void)check_param_text(params, "host", host, sizeof host);
	(void)check_param_int(params, "count", 1, COUNT_MAX, &count);
	list = probe_resolve(host, NULL, until_ms, r);
	if (list == NULL)
		return;
	if (key_random(p.payload, PAYLOAD, &p.why) == -1 ||
	    key_random(p.id, sizeof p.id, &p.why) == -1)
		probe_unknown(r, "%s", p.why.msg);
	else if (connect_one(&p, list, name, &denied) == 0) {
		p.why.msg[0] = '\0';
		exchange(&p, (unsigned)count, until_ms);
		close(p.fd);
		judge(&p, (unsigned)count, name, r);
	} else if (denied)
		probe_unknown(r, "no ICMP socket is allowed here: that takes "
		    "a group in the sysctl net.ipv4.ping_group_range, or "
		    "CAP_NET_RAW");
	else
		probe_critical(r, "%s", p.why.msg);
	freeaddrinfo(list);
}
