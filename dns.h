/*
 * dns.h: one question to a name server, and what a message says to it, as
 * pure functions over bytes (RFC 1035, 3596 AAAA).
 *
 * Messages are hostile: pointers lead back only, so that each name ends; a
 * name has DNS_NAME_MAX bytes; a count is believed as far as there are bytes.
 */
#ifndef DNS_H
#define DNS_H

#include "fail.h"
#include "str.h"

#define DNS_NAME_MAX	255	/* bytes of a name in a message */
#define DNS_QUERY_MAX	(12 + DNS_NAME_MAX + 4)
#define DNS_MESSAGE_MAX	65535
#define DNS_HOPS_MAX	16	/* names that are another's, in a row */
#define DNS_ONE_MAX	1024	/* bytes of one answer as text, at most */

struct dns_name {
	size_t n;
	char wire[DNS_NAME_MAX];	/* lower case */
};

struct dns_question {
	uint16_t id;			/* to be set: random */
	struct dns_name name;
	const struct dns_type *type;
	char expect[DNS_ONE_MAX];	/* an answer as text, or "" */
};

/* Make it of texts: A, AAAA, CNAME, MX, NS, PTR, SOA or TXT; the name to a PTR
 * may be an address.  0 or -1. */
int dns_question(struct dns_question *q, struct str name, struct str record,
    struct str expect, struct fail *why);

/* Its message, of at most DNS_QUERY_MAX bytes. */
void dns_query(struct buf *b, const struct dns_question *q);

enum dns_rc {
	DNS_BAD = -1,	/* an answer that is no good: why */
	DNS_OTHER,	/* no answer, or to another question: wait on */
	DNS_CUT,	/* ask again by TCP */
	DNS_UNLIKE,	/* answers, but not the one expected */
	DNS_GOOD
};
/* What a message of the server's says; the answers go into text, which is
 * empty: sorted lines of bytes as they came, as many as there is room for. */
enum dns_rc dns_answer(struct str msg, const struct dns_question *q,
    struct buf *text, struct fail *why);

#endif
