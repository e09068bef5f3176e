/* dns.c: see dns.h. */
#include <arpa/inet.h>

#include "dns.h"

#define HEAD	12u		/* bytes */
#define IN	1		/* the class */
#define CNAME	5
/* Bits of the second word. */
#define ANSWER	0x8000u
#define OPCODE	0x7800u
#define TRUNC	0x0200u
#define WANTED	0x0100u		/* recursion */

/* What stands in a record: n a name, 2 and 4 numbers of so many bytes, t
 * strings to its end, a and b an address of 4 and of 16 bytes. */
static const struct dns_type {
	const char *name;
	uint16_t number;
	const char *form;
} types[] = {
	{ "A",		1,	"a" },
	{ "NS",		2,	"n" },
	{ "CNAME",	CNAME,	"n" },
	{ "SOA",	6,	"nn44444" },
	{ "PTR",	12,	"n" },
	{ "MX",		15,	"2n" },
	{ "TXT",	16,	"t" },
	{ "AAAA",	28,	"b" },
};

/* -- numbers and names -- */

/* Take a number of so many bytes at *at <= msg.n.  0 or -1. */
static int
take(struct str msg, size_t *at, unsigned bytes, uint32_t *v)
{
	if (msg.n - *at < bytes)
		return -1;
	for (*v = 0; bytes > 0; bytes--)
		*v = *v << 8 | (unsigned char)msg.p[(*at)++];
	return 0;
}

static void
put(struct buf *b, unsigned v)
{
	buf_addc(b, (char)(v >> 8));
	buf_addc(b, (char)v);
}

/* Add a label to a name.  0 or -1: too long. */
static int
add_label(struct dns_name *name, struct str label)
{
	if (label.n > 63 || name->n + label.n + 1 > sizeof name->wire)
		return -1;
	name->wire[name->n++] = (char)label.n;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		name->wire[name->n++] = c >= 'A' && c <= 'Z' ?
		    (char)(c - 'A' + 'a') : c;
	}
	return 0;
}

/* Take the name at *at <= msg.n.  0 or -1. */
static int
take_name(struct str msg, size_t *at, struct dns_name *name)
{
	size_t from = *at, before = from;
	bool led = false;
	uint32_t n = 1, low;

	name->n = 0;
	while (n > 0) {
		if (take(msg, &from, 1, &n) == -1)
			return -1;
		if (n >= 0xc0) {
			if (take(msg, &from, 1, &low) == -1)
				return -1;
			*at = led ? *at : from;
			led = true;
			from = (n & 0x3f) << 8 | low;
			if (from >= before)
				return -1;
			before = from;
			continue;
		}
		if (msg.n - from < n ||
		    add_label(name, (struct str){ msg.p + from, n }) == -1)
			return -1;
		from += n;
	}
	*at = led ? *at : from;
	return 0;
}

static void
put_name(struct buf *b, const struct dns_name *name)
{
	size_t at = 0, n;

	while ((n = (unsigned char)name->wire[at++]) > 0) {
		buf_addz(b, at > 1 ? "." : "");
		buf_add(b, (struct str){ name->wire + at, n });
		at += n;
	}
	buf_addz(b, at == 1 ? "." : "");
}

static int
name_of(struct dns_name *name, struct str text)
{
	struct str label;

	name->n = 0;
	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	while (text.n > 0 && str_cut(&text, '.', &label) == 0)
		if (label.n == 0 || add_label(name, label) == -1)
			return -1;
	return add_label(name, STR(""));
}

/* The name by which an address is asked for: 1.2.0.192.in-addr.arpa. */
static void
reverse(struct buf *b, const char *address)
{
	unsigned char a[16];
	int i;

	if (inet_pton(AF_INET, address, a) == 1) {
		buf_addf(b, "%d.%d.%d.%d.in-addr.arpa", a[3], a[2], a[1], a[0]);
	} else if (inet_pton(AF_INET6, address, a) == 1) {
		for (i = 15; i >= 0; i--)
			buf_addf(b, "%x.%x.", a[i] & 15, a[i] >> 4);
		buf_addz(b, "ip6.arpa");
	} else {
		buf_addz(b, address);
	}
}

int
dns_question(struct dns_question *q, struct str name, struct str record,
    struct str expect, struct fail *why)
{
	char text[DNS_NAME_MAX + 2], full[DNS_NAME_MAX + 2];
	struct buf b = BUF(full);
	unsigned char a[16];

	q->type = STR_ROW(types, record);
	if (q->type == NULL)
		return fail(why, "record %.*s: not A, AAAA, CNAME, MX, NS, "
		    "PTR, SOA or TXT", (int)record.n, record.p);
	if (str_copy(text, sizeof text, name) == -1 ||
	    str_copy(q->expect, sizeof q->expect, expect) == -1)
		return fail(why, "too long");
	if (strcmp(q->type->name, "PTR") == 0) {
		reverse(&b, text);
		name = str_from(&b);
	}
	if (name_of(&q->name, name) == -1)
		return fail(why, "%s is no name", text);
	if (q->type->form[0] == 'b' && inet_pton(AF_INET6, q->expect, a) == 1)
		(void)inet_ntop(AF_INET6, a, q->expect, sizeof q->expect);
	return 0;
}

void
dns_query(struct buf *b, const struct dns_question *q)
{
	const unsigned head[] = { q->id, WANTED, 1, 0, 0, 0 };

	for (size_t i = 0; i < COUNT(head); i++)
		put(b, head[i]);
	buf_add(b, (struct str){ q->name.wire, q->name.n });
	put(b, q->type->number);
	put(b, IN);
}

/* -- answers -- */

/* Strings to the end of msg, each behind its length.  0 or -1. */
static int
put_strings(struct buf *b, struct str msg, size_t *at)
{
	uint32_t n;

	while (*at < msg.n) {
		if (take(msg, at, 1, &n) == -1 || msg.n - *at < n)
			return -1;
		buf_add(b, (struct str){ msg.p + *at, n });
		*at += n;
	}
	return 0;
}

/* What a record in msg[at, msg.n) holds, as text.  0 or -1. */
static int
put_data(struct buf *b, struct str msg, size_t at, const char *form)
{
	char text[INET6_ADDRSTRLEN];
	struct dns_name name;
	size_t bytes;
	uint32_t n;

	for (const char *f = form; *f != '\0'; f++) {
		buf_addz(b, f > form ? " " : "");
		if (*f == 'n') {
			if (take_name(msg, &at, &name) == -1)
				return -1;
			put_name(b, &name);
		} else if (*f == 't') {
			if (put_strings(b, msg, &at) == -1)
				return -1;
		} else if (*f == 'a' || *f == 'b') {
			bytes = *f == 'a' ? 4 : 16;
			if (msg.n - at < bytes)
				return -1;
			buf_addz(b, inet_ntop(*f == 'a' ? AF_INET : AF_INET6,
			    msg.p + at, text, sizeof text));
			at += bytes;
		} else {
			if (take(msg, &at, (unsigned)(*f - '0'), &n) == -1)
				return -1;
			buf_addu(b, n);
		}
	}
	return at == msg.n ? 0 : -1;
}

/* Looking through the answers for what is of one name. */
struct search {
	const struct dns_question *q;
	struct dns_name name, other;	/* which that one is, if other.n > 0 */
	unsigned found;
	bool expected;
	struct buf *text;
};

/* Put a line where it belongs among sorted ones, of which the last go where
 * there is no room: a server may turn its answers round each time. */
static void
insert(struct buf *b, struct str line)
{
	struct str rest = str_from(b), one;
	size_t at = 0, tail, n = line.n + 1;
	int c;

	while (str_cut(&rest, '\n', &one) == 0 && one.n < b->n - at) {
		c = memcmp(one.p, line.p, one.n < line.n ? one.n : line.n);
		if (c > 0 || (c == 0 && one.n > line.n))
			break;
		at += one.n + 1;
	}
	n = n < b->cap - at ? n : b->cap - at;
	tail = b->n - at < b->cap - at - n ? b->n - at : b->cap - at - n;
	memmove(b->p + at + n, b->p + at, tail);
	for (size_t i = 0; i < n; i++)
		b->p[at + i] = i == line.n ? '\n' : line.p[i] == '\n' ? ' ' :
		    line.p[i];
	b->n = at + n + tail;
}

/* An answer that is what is asked for. */
static void
found(struct search *s, struct str one)
{
	struct str want = str_of(s->q->expect);
	bool names = strchr(s->q->type->form, 'n') != NULL;

	if (names && want.n > 1 && want.p[want.n - 1] == '.')
		want.n--;
	s->found++;
	insert(s->text, one);
	s->expected |= s->q->type->form[0] == 't' ? str_eq(one, want) :
	    str_ieq(one, want);
}

/* Take the record at *at.  0 or -1. */
static int
take_record(struct search *s, struct str msg, size_t *at)
{
	uint32_t type, class, ttl, n;
	char one[DNS_ONE_MAX];
	struct buf b = BUF(one);
	struct dns_name name;
	bool ours;

	if (take_name(msg, at, &name) == -1 || take(msg, at, 2, &type) == -1 ||
	    take(msg, at, 2, &class) == -1 || take(msg, at, 4, &ttl) == -1 ||
	    take(msg, at, 2, &n) == -1 || msg.n - *at < n)
		return -1;
	msg.n = *at + n;		/* of names, what is before counts */
	ours = class == IN && name.n == s->name.n &&
	    memcmp(name.wire, s->name.wire, name.n) == 0;
	if (ours && type == s->q->type->number) {
		if (put_data(&b, msg, *at, s->q->type->form) == -1)
			return -1;
		found(s, str_from(&b));
	} else if (ours && type == CNAME) {
		if (take_name(msg, at, &s->other) == -1 || *at != msg.n)
			return -1;
	}
	*at = msg.n;
	return 0;
}

/* The records behind the question. */
static enum dns_rc
search(struct search *s, struct str msg, size_t at, unsigned count,
    struct fail *why)
{
	size_t from;
	unsigned i, hops;

	/* The order is the server's: once through for each name. */
	for (hops = 0; hops <= DNS_HOPS_MAX && s->found == 0; hops++) {
		s->other.n = 0;
		for (i = 0, from = at; i < count; i++)
			if (take_record(s, msg, &from) == -1)
				return fail(why, "answers what cannot be "
				    "read");
		if (s->other.n == 0)
			break;
		s->name = s->other;
	}
	if (s->found == 0)
		return fail(why, "has no %s record", s->q->type->name);
	return s->q->expect[0] == '\0' || s->expected ? DNS_GOOD : DNS_UNLIKE;
}

enum dns_rc
dns_answer(struct str msg, const struct dns_question *q, struct buf *text,
    struct fail *why)
{
	static const char *const code[] = { "", "FORMERR", "SERVFAIL",
	    "NXDOMAIN, no such name", "NOTIMP", "REFUSED" };
	struct search s = { .q = q, .name = q->name, .text = text };
	uint32_t word[6], type, class;
	struct dns_name name;
	size_t at = 0;
	unsigned rcode;

	for (unsigned i = 0; i < COUNT(word); i++)
		if (take(msg, &at, 2, &word[i]) == -1)
			return DNS_OTHER;
	rcode = word[1] & 15;
	if (word[0] != q->id || (word[1] & (ANSWER | OPCODE)) != ANSWER)
		return DNS_OTHER;
	/* Some repeat no question of which they make nothing. */
	if ((word[2] != 0 || rcode == 0) && (word[2] != 1 ||
	    take_name(msg, &at, &name) == -1 ||
	    take(msg, &at, 2, &type) == -1 || type != q->type->number ||
	    take(msg, &at, 2, &class) == -1 || class != IN ||
	    name.n != q->name.n ||
	    memcmp(name.wire, q->name.wire, name.n) != 0))
		return DNS_OTHER;
	if (rcode >= COUNT(code))
		return fail(why, "answers code %u", rcode);
	if (rcode != 0)
		return fail(why, "answers %s", code[rcode]);
	if (word[1] & TRUNC)
		return DNS_CUT;
	return search(&s, msg, at, word[3], why);
}
