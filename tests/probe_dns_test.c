/* Messages of name servers, good and hostile, and what names a server. */
#define probe_dns test_dns		/* beside the one of probe_dns.o */
#include "../probe_dns.c"
#include "test.h"

#define ID	"\x12\x34"
#define OK	"\x81\x80"		/* an answer, recursion was there */
#define WWW	"\3www\7example\3org\0"
#define Q(t)	WWW "\0" t "\0\1"
#define RR(t)	"\xc0\x0c\0" t "\0\1\0\0\0\x3c\0"
#define A1	RR("\1") "\4\xc0\0\2\1"
#define A2	RR("\1") "\4\xc0\0\2\2"
#define HEAD(flags, qd, an) ID flags "\0" qd "\0" an "\0\0\0\0"
#define BYTES(s) s, sizeof(s) - 1

static struct dns_question q;
static char text[2 * PROBE_TEXT];

static enum dns_rc
answer(const char *p, size_t n, struct fail *why)
{
	struct buf b = { text, 0, PROBE_TEXT, false };
	/* In a place of its own, so that a look beyond it shows. */
	char *copy = malloc(n + 1);
	enum dns_rc rc = DNS_OTHER;

	memset(text, 0, sizeof text);
	if (CHECK(copy != NULL)) {
		memcpy(copy, p, n);
		rc = dns_answer((struct str){ copy, n }, &q, &b, why);
	}
	free(copy);
	/* Lines, as they are told. */
	for (n = 0; n + 1 < b.n; n++)
		if (text[n] == '\n') {
			memmove(text + n + 2, text + n + 1, b.n - n);
			memcpy(text + n, ", ", 2);
			b.n++;
		}
	text[b.n > 0 ? b.n - 1 : 0] = '\0';
	return rc;
}

static void
ask(const char *name, const char *record, const char *expect)
{
	struct fail why;

	memset(&q, 0, sizeof q);
	q.id = 0x1234;
	CHECK(dns_question(&q, str_of(name), str_of(record), str_of(expect),
	    &why) == 0);
}

static const struct {
	const char *record, *expect;
	const char *p;
	size_t n;
	enum dns_rc rc;
	const char *says;	/* the answers; of a bad one why, or NULL */
} rows[] = {
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") A1), DNS_GOOD,
	    "192.0.2.1" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\2") Q("\1") A1 A2), DNS_GOOD,
	    "192.0.2.1, 192.0.2.2" },
	{ "A", "192.0.2.2", BYTES(HEAD(OK, "\1", "\2") Q("\1") A1 A2),
	    DNS_GOOD, "192.0.2.1, 192.0.2.2" },
	{ "A", "192.0.2.3", BYTES(HEAD(OK, "\1", "\2") Q("\1") A1 A2),
	    DNS_UNLIKE, "192.0.2.1, 192.0.2.2" },
	{ "A", "192.0.2.22", BYTES(HEAD(OK, "\1", "\2") Q("\1") A1 A2),
	    DNS_UNLIKE, "192.0.2.1, 192.0.2.2" },
	/* Turned round; one of them twice. */
	{ "A", "", BYTES(HEAD(OK, "\1", "\3") Q("\1") A2 A1 A2), DNS_GOOD,
	    "192.0.2.1, 192.0.2.2, 192.0.2.2" },
	{ "TXT", "", BYTES(HEAD(OK, "\1", "\5") Q("\x10") RR("\x10") "\3\2bb"
	    RR("\x10") "\2\1b" RR("\x10") "\1\0" RR("\x10") "\4\3b\na"
	    RR("\x10") "\3\2ba"), DNS_GOOD, ", b, b a, ba, bb" },
	/* More behind it than it says, and the case of names. */
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") A1 A2 "x"), DNS_GOOD,
	    "192.0.2.1" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") "\3wWw\7EXAMPLE\3org\0\0\1\0\1"
	    "\3WWW\7example\3ORG\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_GOOD,
	    "1.2.3.4" },
	{ "AAAA", "2001:DB8:0::1", BYTES(HEAD(OK, "\1", "\1") Q("\x1c")
	    RR("\x1c") "\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), DNS_GOOD,
	    "2001:db8::1" },
	{ "NS", "Ns1.example.org.", BYTES(HEAD(OK, "\1", "\1") Q("\2")
	    RR("\2") "\6\3ns1\xc0\x10"), DNS_GOOD, "ns1.example.org" },
	{ "CNAME", "", BYTES(HEAD(OK, "\1", "\1") Q("\5") RR("\5") "\1\0"),
	    DNS_GOOD, "." },
	{ "PTR", "", BYTES(HEAD(OK, "\1", "\1") Q("\x0c") RR("\x0c")
	    "\2\xc0\x10"), DNS_GOOD, "example.org" },
	{ "MX", "10 mail.example.org", BYTES(HEAD(OK, "\1", "\1") Q("\x0f")
	    RR("\x0f") "\x09\0\x0a\4mail\xc0\x10"), DNS_GOOD,
	    "10 mail.example.org" },
	{ "SOA", "", BYTES(HEAD(OK, "\1", "\1") Q("\6") RR("\6") "\x1b"
	    "\2ns\xc0\x10\1h\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff"
	    "\xff"), DNS_BAD, "answers what cannot be read" },
	{ "SOA", "", BYTES(HEAD(OK, "\1", "\1") Q("\6") RR("\6") "\x1c"
	    "\2ns\xc0\x10\1h\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff"
	    "\xff"), DNS_GOOD, "ns.example.org h 1 2 3 4 4294967295" },
	{ "TXT", "v=spf1 -all", BYTES(HEAD(OK, "\1", "\1") Q("\x10")
	    RR("\x10") "\x0e\6v=spf1\0\5 -all"), DNS_GOOD, "v=spf1 -all" },
	{ "TXT", "V=spf1 -all", BYTES(HEAD(OK, "\1", "\1") Q("\x10")
	    RR("\x10") "\x0e\6v=spf1\0\5 -all"), DNS_UNLIKE, "v=spf1 -all" },
	{ "TXT", "", BYTES(HEAD(OK, "\1", "\1") Q("\x10") RR("\x10")
	    "\2\2a"), DNS_BAD, NULL },
	{ "TXT", "", BYTES(HEAD(OK, "\1", "\1") Q("\x10") RR("\x10")
	    "\3\3ab" "c"), DNS_BAD, NULL },
	/* Another name for it, before and behind what that has. */
	{ "A", "", BYTES(HEAD(OK, "\1", "\2") Q("\1") RR("\5") "\6\3cdn\xc0"
	    "\x10" "\xc0\x2d\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_GOOD,
	    "1.2.3.4" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\2") Q("\1") "\3cdn\xc0\x10\0\1\0\1"
	    "\0\0\0\1\0\4\1\2\3\4" RR("\5") "\2\xc0\x21"), DNS_GOOD,
	    "1.2.3.4" },
	/* That is its own, and one that is nobody's. */
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") RR("\5") "\2\xc0\x0c"),
	    DNS_BAD, "has no A record" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") "\1x\0\0\1\0\1\0\0\0\1"
	    "\0\4\1\2\3\4"), DNS_BAD, "has no A record" },
	/* Another class. */
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") "\xc0\x0c\0\1\0\3\0\0\0"
	    "\1\0\4\1\2\3\4"), DNS_BAD, "has no A record" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\0") Q("\1")), DNS_BAD,
	    "has no A record" },
	{ "A", "", BYTES(HEAD("\x81\x83", "\1", "\0") Q("\1")), DNS_BAD,
	    "answers NXDOMAIN, no such name" },
	{ "A", "", BYTES(HEAD("\x81\x82", "\1", "\0") Q("\1")), DNS_BAD,
	    "answers SERVFAIL" },
	{ "A", "", BYTES(HEAD("\x81\x85", "\1", "\0") Q("\1")), DNS_BAD,
	    "answers REFUSED" },
	{ "A", "", BYTES(HEAD("\x81\x81", "\0", "\0")), DNS_BAD,
	    "answers FORMERR" },
	{ "A", "", BYTES(HEAD("\x81\x8f", "\1", "\0") Q("\1")), DNS_BAD,
	    "answers code 15" },
	{ "A", "", BYTES(HEAD("\x83\x80", "\1", "\0") Q("\1")), DNS_CUT, "" },
	{ "A", "", BYTES(HEAD("\x83\x80", "\1", "\1") Q("\1") "\xc0"), DNS_CUT,
	    "" },
	/* Not to us: no question, a question, another type, class, name, id. */
	{ "A", "", BYTES(HEAD(OK, "\0", "\1") A1), DNS_OTHER, "" },
	{ "A", "", BYTES(HEAD(OK, "\2", "\1") Q("\1") Q("\1") A1), DNS_OTHER,
	    "" },
	{ "A", "", BYTES(HEAD("\x01\0", "\1", "\0") Q("\1")), DNS_OTHER, "" },
	{ "A", "", BYTES(HEAD("\x89\x80", "\1", "\1") Q("\1") A1), DNS_OTHER,
	    "" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\2") A1), DNS_OTHER, "" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") WWW "\0\1\0\3" A1), DNS_OTHER,
	    "" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") "\3wwx\7example\3org\0\0\1\0\1"
	    A1), DNS_OTHER, "" },
	{ "A", "", BYTES("\x12\x35" OK "\0\1\0\1\0\0\0\0" Q("\1") A1),
	    DNS_OTHER, "" },
	/* Counts that lie, lengths that do, pointers on, at and round. */
	{ "A", "", BYTES(HEAD(OK, "\1", "\2") Q("\1") A1), DNS_BAD, NULL },
	{ "A", "", BYTES(ID OK "\0\1\xff\xff\0\0\0\0" Q("\1") A1), DNS_BAD,
	    NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") RR("\1") "\5\1\2\3\4"),
	    DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") RR("\1") "\3\1\2\3"),
	    DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") RR("\1") "\5\1\2\3\4"
	    "\5"), DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") "\xc0\x21\0\1\0\1\0\0\0"
	    "\1\0\4\1\2\3\4"), DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") "\xc0\x23\xc0\x21\0\1\0"
	    "\1\0\0\0\1\0\4\1\2\3\4"), DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") "\xff\xff\0\1\0\1\0\0\0"
	    "\1\0\4\1\2\3\4"), DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") Q("\1") "\x40" "a\0\0\1\0\1\0\0\0"
	    "\1\0\4\1\2\3\4"), DNS_BAD, NULL },
	{ "A", "", BYTES(HEAD(OK, "\1", "\2") Q("\1") RR("\x63") "\4\xc0\x2f"
	    "\xc0\x2d\xc0\x2f\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), DNS_BAD,
	    "answers what cannot be read" },
	{ "A", "", BYTES(HEAD(OK, "\1", "\1") "\xc0\x0c\0\1\0\1" A1),
	    DNS_OTHER, "" },
	{ "NS", "", BYTES(HEAD(OK, "\1", "\1") Q("\2") RR("\2") "\5\3ns1\xc0"
	    "\x10"), DNS_BAD, NULL },
};

static void
test_answers(void)
{
	struct fail why;
	enum dns_rc rc;
	size_t i, n;

	for (i = 0; i < COUNT(rows); i++) {
		ask("www.example.org.", rows[i].record, rows[i].expect);
		rc = answer(rows[i].p, rows[i].n, &why);
		if (!CHECK_ROW(i, rc == rows[i].rc) ||
		    (rows[i].says != NULL && !CHECK_ROW(i,
		    strcmp(rc == DNS_BAD ? why.msg : text, rows[i].says) ==
		    0)))
			printf("%d: %s, %s\n", (int)rc, text, why.msg);
		for (n = 0; n < rows[i].n; n++)
			(void)answer(rows[i].p, n, &why);
		CHECK_ROW(i, rows[i].rc != DNS_GOOD || rows[i].p[rows[i].n -
		    1] == 'x' || answer(rows[i].p, n - 1, &why) == DNS_BAD);
	}
}

/* Names as long as may be, and one more; hops likewise. */
static void
test_limits(void)
{
	char long_name[300], msg[4096];
	struct buf b = BUF(msg);
	struct fail why;
	int i, k;

	memset(long_name, 'a', sizeof long_name);
	for (i = 63; i < 255; i += 64)
		long_name[i] = '.';
	long_name[253] = '\0';
	ask(long_name, "A", "");
	CHECK(q.name.n == 255);
	long_name[253] = 'a';
	long_name[254] = '\0';
	CHECK(dns_question(&q, str_of(long_name), STR("A"), STR(""), &why) ==
	    -1);
	memset(long_name, 'a', 64);
	long_name[64] = '\0';
	CHECK(dns_question(&q, str_of(long_name), STR("A"), STR(""), &why) ==
	    -1);
	CHECK(dns_question(&q, STR("a..b"), STR("A"), STR(""), &why) == -1);
	CHECK(dns_question(&q, STR(".a"), STR("A"), STR(""), &why) == -1);
	CHECK(dns_question(&q, STR("a"), STR("ANY"), STR(""), &why) == -1);
	ask(".", "NS", "");
	CHECK(q.name.n == 1);
	/* a is b, b is c ...: 16 of them, and 17. */
	for (k = DNS_HOPS_MAX; k <= DNS_HOPS_MAX + 1; k++) {
		ask("a", "A", "");
		b.n = 0;
		buf_add(&b, (struct str){ ID OK "\0\1\0", 7 });
		buf_addc(&b, (char)(k + 1));
		buf_add(&b, (struct str){ "\0\0\0\0\1a\0\0\1\0\1", 11 });
		for (i = 0; i <= k; i++) {
			buf_addc(&b, 1);
			buf_addc(&b, (char)('a' + i));
			buf_add(&b, i < k ? (struct str){ "\0\0\5\0\1\0\0\0\0"
			    "\0\3\1", 12 } : (struct str){ "\0\0\1\0\1\0\0\0"
			    "\0\0\4\1\2\3\4", 15 });
			if (i < k) {
				buf_addc(&b, (char)('b' + i));
				buf_addc(&b, '\0');
			}
		}
		CHECK_ROW(k, answer(b.p, b.n, &why) == (k == DNS_HOPS_MAX ?
		    DNS_GOOD : DNS_BAD));
	}
	/* More answers than the text holds: it is what fits. */
	ask("a", "TXT", "");
	b.n = 0;
	buf_add(&b, (struct str){ ID OK "\0\1\0\5\0\0\0\0\1a\0\0\x10\0\1",
	    19 });
	for (i = 0; i < 5; i++) {
		buf_add(&b, (struct str){ "\xc0\x0c\0\x10\0\1\0\0\0\0\0\x65"
		    "\x64", 13 });
		for (k = 0; k < 100; k++)
			buf_addc(&b, (char)('a' + i));
	}
	CHECK(answer(b.p, b.n, &why) == DNS_GOOD && strlen(text) > 200);
	memcpy(q.expect, b.p + b.n - 100, 100);
	CHECK(answer(b.p, b.n, &why) == DNS_GOOD);
}

static void
test_query(void)
{
	static const char want[] = ID "\1\0\0\1\0\0\0\0\0\0"
	    "\3www\7example\3org\0\0\x1c\0\1";
	char msg[DNS_QUERY_MAX];
	struct buf b = BUF(msg);
	struct fail why;

	ask("WWW.example.org", "AAAA", "");
	dns_query(&b, &q);
	CHECK(str_eq(str_from(&b), (struct str){ want, sizeof want - 1 }));
	CHECK(answer(want, sizeof want - 1, &why) == DNS_OTHER);
	ask("192.0.2.17", "PTR", "");
	CHECK(q.name.n == 25 && memcmp(q.name.wire, "\00217\0012\0010\003192"
	    "\7in-addr\4arpa", 25) == 0);
	ask("2001:db8::1", "PTR", "");
	CHECK(q.name.n == 74 && memcmp(q.name.wire, "\0011\0010", 4) == 0 &&
	    memcmp(q.name.wire + 56, "\0011\0010\0010\0012\3ip6\4arpa",
	    18) == 0);
}

static const struct {
	const char *in, *host, *port;
} servers[] = {
	{ "192.0.2.1", "192.0.2.1", "53" },
	{ "192.0.2.1:5353", "192.0.2.1", "5353" },
	{ "::1", "::1", "53" },
	{ "2001:db8::1:53", "2001:db8::1:53", "53" },
	{ "[::1]", "::1", "53" },
	{ "[::1]:5353", "::1", "5353" },
	{ "[::1]x", "::1", "" },
	{ "[::1", "[::1", "53" },
	{ "[]:1", "", "1" },
	{ "a:", "a", "" },
	{ "", "", "53" },
};

static const struct {
	const char *in, *want;
} confs[] = {
	{ "nameserver 192.0.2.1\nnameserver 192.0.2.2\n", "192.0.2.1" },
	{ "# nameserver 192.0.2.9\nsearch x\n\tnameserver\t ::1 # y", "::1" },
	{ "nameserver fe80::1%eth0\r\n", "fe80::1%eth0" },
	{ "nameserver\nnameservers 1\nnameserver 2", "2" },
	{ "nameserver", NULL },
	{ "", NULL },
};

static void
test_servers(void)
{
	char host[64];
	const char *port;
	size_t i;

	for (i = 0; i < COUNT(servers); i++) {
		CHECK(str_copy(host, sizeof host, str_of(servers[i].in)) == 0);
		port = cut_port(host);
		CHECK_ROW(i, strcmp(host, servers[i].host) == 0 &&
		    strcmp(port, servers[i].port) == 0);
	}
	for (i = 0; i < COUNT(confs); i++)
		CHECK_ROW(i, confs[i].want == NULL ?
		    first_server(str_of(confs[i].in), host, sizeof host) == -1 :
		    first_server(str_of(confs[i].in), host, sizeof host) == 0 &&
		    strcmp(host, confs[i].want) == 0);
}

int
main(void)
{
	test_answers();
	test_limits();
	test_query();
	test_servers();
	return test_end();
}
