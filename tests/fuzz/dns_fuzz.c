/*
 * dns_fuzz.c: any bytes as a name server's answer.  The first byte chooses
 * the type that is asked for; without its last bit, what follows is put
 * behind a good head and question.  What must hold: no access beyond the
 * bytes, an end, and a verdict that does not depend on what is behind them.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -o dns_fuzz \
 *	    tests/fuzz/dns_fuzz.c dns.c str.c fail.c
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char *const records[] = { "A", "AAAA", "CNAME", "MX", "NS",
    "PTR", "SOA", "TXT" };

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct dns_question q;
	char query[DNS_QUERY_MAX], text[256], *msg;
	struct buf b = BUF(query), out = BUF(text);
	struct fail why = { "" };
	enum dns_rc rc;
	size_t head;

	if (n == 0 || dns_question(&q, STR("www.example.org"),
	    str_of(records[p[0] & 7]), STR(p[0] & 64 ? "192.0.2.1" : ""),
	    &why) == -1)
		return 0;
	q.id = 0x1234;
	dns_query(&b, &q);
	head = p[0] & 128 ? 0 : b.n;
	msg = malloc(head + n);
	if (msg == NULL)
		return 0;
	memcpy(msg, query, head);
	if (head > 0)
		msg[2] = (char)0x81;		/* an answer, with records */
	if (head > 0)
		msg[7] = (char)(p[0] >> 3 & 7);
	memcpy(msg + head, p + 1, n - 1);
	rc = dns_answer((struct str){ msg, head + n - 1 }, &q, &out, &why);
	assert(rc >= DNS_BAD && rc <= DNS_GOOD);
	assert(rc != DNS_BAD || why.msg[0] != '\0');
	assert(rc != DNS_GOOD || out.n > 0 || q.type == NULL ||
	    strcmp(records[p[0] & 7], "TXT") == 0);
	assert(head == 0 || rc != DNS_OTHER);
	free(msg);
	return 0;
}
