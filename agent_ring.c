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

#include "agent.h"

static struct {
	unsigned char mem[AGENT_RING_MAX];
	size_t cap, first, used;	/* bytes */
	unsigned n;			/* results */
	unsigned sent;			/* of them, on their way */
	int64_t dropped, told;		/* told: if those sent are taken */
	const char *name[AGENT_NAMES_MAX];	/* of metrics; NULL */
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

/* What stands at *off; at the ring's end, where nothing stands yet, c. */
static unsigned
code_byte(size_t *off, unsigned c)
{
	unsigned char *p = &ring.mem[(ring.first + *off) % ring.cap];

	if ((*off)++ == ring.used) {
		ring.used++;
		*p = (unsigned char)c;
	}
	return *p;
}

static int64_t
code(size_t *off, int64_t n)
{
	uint64_t v = n < 0 ? ~(uint64_t)n << 1 | 1 : (uint64_t)n << 1, got = 0;
	unsigned shift, c = 0x80;

	for (shift = 0; c & 0x80; shift += 7) {
		c = code_byte(off, (v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		got |= (uint64_t)(c & 0x7f) << shift;
		v >>= 7;
	}
	return got & 1 ? -(int64_t)(got >> 1) - 1 : (int64_t)(got >> 1);
}

/* A record, both ways: past the last one *a is written, before that its
 * numbers do not matter, and *a becomes what stands there. */
static void
code_record(size_t *off, struct agent_result *a)
{
	struct probe_result *r = &a->r;
	struct probe_metric *m = r->metric;
	size_t n = strlen(r->text), i;
	int64_t v = code(off, (int64_t)r->given * 2 + r->has_value);

	r->given = (enum status)(v / 2);
	r->has_value = v % 2 != 0;
	a->check = code(off, a->check);
	a->mono_ms = code(off, a->mono_ms);
	r->value = r->has_value ? code(off, r->value) : 0;
	r->metrics = (unsigned)code(off, r->metrics);
	for (; m < r->metric + r->metrics; m++) {
		/* Names are static, so alike by address.  NULL, where one is
		 * read, takes no place. */
		i = 0;
		while (ring.name[i] != NULL && ring.name[i] != m->name)
			i++;
		assert(i < AGENT_NAMES_MAX - 1);
		ring.name[i] = m->name;
		m->name = ring.name[code(off, (int64_t)i)];
		m->value = code(off, m->value);
	}
	n = (size_t)code(off, (int64_t)n);
	for (i = 0; i < n; i++)
		r->text[i] = (char)code_byte(off, (unsigned char)r->text[i]);
	r->text[n] = '\0';
}

static void
drop_oldest(void)
{
	struct agent_result unused;
	size_t at = 0;

	agent_ring_next(&at, &unused);
	ring.first = (ring.first + at) % ring.cap;
	ring.used -= at;
	ring.n--;
	if (ring.used == 0)
		ring.first = 0;		/* touch as little memory as can be */
}

void
agent_ring_add(int64_t check, int64_t mono_ms, const struct probe_result *r)
{
	struct agent_result a = { check, mono_ms, *r };
	size_t end;

	while (ring.cap - ring.used < AGENT_RECORD_MAX) {
		drop_oldest();
		ring.dropped++;
		if (ring.sent > 0) {
			ring.sent--;
			ring.told++;
		}
	}
	end = ring.used;
	code_record(&end, &a);
	ring.n++;
}

bool
agent_ring_next(size_t *at, struct agent_result *out)
{
	if (*at == ring.used)
		return false;
	*out = (struct agent_result){ .check = 0 };
	code_record(at, out);
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
