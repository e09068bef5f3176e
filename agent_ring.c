/*
 * agent_ring.c: results until they are delivered; see agent.h.
 *
 * A ring of records, the oldest first, which give way when it is full.  All
 * numbers are zigzag varints:
 *
 *	status given * 2 + has_value, check, time, value if there is one,
 *	count of metrics, each: index of its name, value;
 *	length of the text, and the text
 *
 * A record holds no length of its own: to pass it is to read it.
 */
#include <assert.h>
#include <string.h>

#include "agent.h"

#define VARINT_MAX	10u
#define RECORD_MAX	(6 * VARINT_MAX + \
	PROBE_METRICS_MAX * 2 * VARINT_MAX + PROBE_TEXT)
#define NAMES_MAX	64

static struct {
	unsigned char mem[AGENT_RING_MAX];
	size_t cap, first, used;	/* bytes */
	unsigned n;			/* results */
	unsigned sent;			/* of them, on their way */
	int64_t dropped, told;		/* told: if those sent are taken */
	const char *name[NAMES_MAX];	/* of metrics, as first met */
	unsigned names;
} ring;

void
agent_ring_init(size_t bytes)
{
	assert(bytes >= AGENT_RING_MIN && bytes <= AGENT_RING_MAX);
	ring.cap = bytes;
	ring.first = ring.used = 0;
	ring.n = ring.sent = 0;
	ring.dropped = ring.told = 0;
}

static void
put_byte(uint64_t c)
{
	ring.mem[(ring.first + ring.used++) % ring.cap] = (unsigned char)c;
}

static unsigned char
get_byte(size_t *off)
{
	return ring.mem[(ring.first + (*off)++) % ring.cap];
}

static void
put(int64_t n)
{
	uint64_t v = n < 0 ? ~(uint64_t)n << 1 | 1 : (uint64_t)n << 1;

	for (; v >= 0x80; v >>= 7)
		put_byte(v | 0x80);
	put_byte(v);
}

static int64_t
get(size_t *off)
{
	uint64_t v = 0;
	unsigned shift = 0;
	unsigned char c;

	do {
		c = get_byte(off);
		v |= (uint64_t)(c & 0x7f) << shift;
		shift += 7;
	} while (c & 0x80);
	return v & 1 ? -(int64_t)(v >> 1) - 1 : (int64_t)(v >> 1);
}

static unsigned
name_index(const char *name)
{
	unsigned i = 0;

	while (i < ring.names && strcmp(ring.name[i], name) != 0)
		i++;
	assert(i < NAMES_MAX);
	if (i == ring.names)
		ring.name[ring.names++] = name;
	return i;
}

static void
drop_oldest(void)
{
	static struct agent_result unused;
	struct agent_ring_at at = { 0, 0 };

	agent_ring_next(&at, &unused);
	ring.first = (ring.first + at.off) % ring.cap;
	ring.used -= at.off;
	ring.n--;
	if (ring.used == 0)
		ring.first = 0;		/* touch as little memory as can be */
}

void
agent_ring_add(int64_t check, int64_t mono_ms, const struct probe_result *r)
{
	size_t text = strlen(r->text), i;

	while (ring.cap - ring.used < RECORD_MAX) {
		drop_oldest();
		ring.dropped++;
		if (ring.sent > 0) {
			ring.sent--;
			ring.told++;
		}
	}
	put((int64_t)r->given * 2 + r->has_value);
	put(check);
	put(mono_ms);
	if (r->has_value)
		put(r->value);
	put(r->metrics);
	for (i = 0; i < r->metrics; i++) {
		put(name_index(r->metric[i].name));
		put(r->metric[i].value);
	}
	put((int64_t)text);
	for (i = 0; i < text; i++)
		put_byte((unsigned char)r->text[i]);
	ring.n++;
}

bool
agent_ring_next(struct agent_ring_at *at, struct agent_result *out)
{
	struct probe_result *r = &out->r;
	int64_t v;
	size_t n, i;

	if (at->n == ring.n)
		return false;
	v = get(&at->off);
	r->given = (enum status)(v / 2);
	r->has_value = v % 2 != 0;
	out->check = get(&at->off);
	out->mono_ms = get(&at->off);
	r->value = r->has_value ? get(&at->off) : 0;
	r->metrics = (unsigned)get(&at->off);
	for (i = 0; i < r->metrics; i++) {
		r->metric[i].name = ring.name[get(&at->off)];
		r->metric[i].value = get(&at->off);
	}
	n = (size_t)get(&at->off);
	for (i = 0; i < n; i++)
		r->text[i] = (char)get_byte(&at->off);
	r->text[n] = '\0';
	at->n++;
	return true;
}

void
agent_ring_sent(unsigned n)
{
	assert(n <= ring.n);
	ring.sent = n;
	ring.told = ring.dropped;
}

void
agent_ring_answered(bool taken)
{
	if (taken)
		ring.dropped -= ring.told;
	else
		ring.dropped += ring.sent;
	for (; ring.sent > 0; ring.sent--)
		drop_oldest();
	ring.told = 0;
}

unsigned
agent_ring_count(void)
{
	return ring.n;
}

int64_t
agent_ring_dropped(void)
{
	return ring.dropped;
}
