/*
 * tls_cert.c: what stands in a certificate.  See tls.h.
 *
 * DER is a tag, a length and the contents (ITU-T X.690); a certificate is
 *
 *	{ { [0]{version} serial algorithm issuer {from to} subject KEY
 *	    [1] [2] [3]{ { {oid critical? contents} ... } } }
 *	  algorithm signature }
 */
#include <arpa/inet.h>

#include "key.h"
#include "tls_impl.h"

static const char alphabet[] = STR_BASE64 "-_";

/* Take the element at the beginning of *s: its tag, what it holds into *in.
 * -1: there is none. */
static int
take(struct str *s, struct str *in)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n, at = 2, k;

	if (s->n < 2)
		return -1;
	n = p[1];
	if (n >= 128) {
		k = n & 127;
		if (k == 0 || k > 3 || s->n < 2 + k)
			return -1;
		for (n = 0; at < 2 + k; at++)
			n = n << 8 | p[at];
	}
	if (n > s->n - at)
		return -1;
	*in = (struct str){ s->p + at, n };
	*s = str_after(*s, at + n);
	return p[0];
}

/* UTCTime YYMMDDhhmmssZ or GeneralizedTime YYYYMMDDhhmmssZ (RFC 5280
 * 4.1.2.5); what lies outside of what we count in becomes its end. */
static int
take_time(struct str *s, int64_t *ms)
{
	struct str t;
	int tag = take(s, &t);
	char text[TIME_TEXT];
	struct buf b = BUF(text);

	if (tag == DER_UTC_TIME && t.n == 13)
		buf_addz(&b, t.p[0] >= '5' ? "19" : "20");
	else if (tag != DER_TIME || t.n != 15)
		return -1;
	buf_add(&b, (struct str){ t.p, t.n - 11 });
	t = str_after(t, t.n - 11);
	buf_addf(&b, "-%.2s-%.2sT%.2s:%.2s:%.3s", t.p, t.p + 2, t.p + 4,
	    t.p + 6, t.p + 8);
	if (memcmp(b.p, "1970", 4) < 0)
		*ms = 0;
	else if (memcmp(b.p, "2262", 4) > 0)
		*ms = TIME_MAX;
	else
		return str_time(str_from(&b), ms);
	return 0;
}

/* What stands in the extension of subjectAltName. */
static void
find_names(struct str list, struct tls_cert *c)
{
	static const char oid[] = "\125\035\021";	/* 2.5.29.17 */
	struct str one, in;
	int tag;

	while (take(&list, &one) == DER_SEQUENCE) {
		if (take(&one, &in) != DER_OID || !str_is(in, oid))
			continue;
		while ((tag = take(&one, &in)) != -1)
			if (tag == DER_OCTETS &&
			    take(&in, &c->names) != DER_SEQUENCE)
				c->names = (struct str){ NULL, 0 };
	}
}

int
tls_cert_read(struct str der, struct tls_cert *c)
{
	struct str rest, in, dates;
	int i, tag;

	c->names = (struct str){ NULL, 0 };
	if (take(&der, &in) != DER_SEQUENCE || take(&in, &rest) != DER_SEQUENCE)
		return -1;
	der = rest;
	if (take(&der, &in) == DER_VERSION)
		rest = der;
	for (i = 0; i < 3; i++)			/* serial, algorithm, issuer */
		if (take(&rest, &in) == -1)
			return -1;
	if (take(&rest, &dates) != DER_SEQUENCE ||
	    take_time(&dates, &c->from_ms) == -1 ||
	    take_time(&dates, &c->to_ms) == -1 || take(&rest, &in) == -1)
		return -1;
	c->key.p = rest.p;
	if (take(&rest, &in) != DER_SEQUENCE)
		return -1;
	c->key.n = (size_t)(rest.p - c->key.p);
	while ((tag = take(&rest, &in)) != -1)
		if (tag == DER_EXTENSIONS && take(&in, &dates) == DER_SEQUENCE)
			find_names(dates, c);
	return 0;
}

int
tls_cert_name(struct str *rest, struct str *name)
{
	return take(rest, name);
}

bool
tls_cert_for(const struct tls_cert *c, const char *want)
{
	struct str rest = c->names, name, ip;
	unsigned char bytes[16];
	int tag;

	ip = (struct str){ (char *)bytes, inet_pton(AF_INET, want, bytes) == 1
	    ? 4 : inet_pton(AF_INET6, want, bytes) == 1 ? 16 : 0 };
	while ((tag = tls_cert_name(&rest, &name)) != -1)
		if (ip.n > 0 ? tag == TLS_IP && str_eq(name, ip) :
		    tag == TLS_DNS && str_ieq(name, str_of(want)))
			return true;
	return false;
}

void
tls_cert_show(struct buf *b, const struct tls_cert *c)
{
	struct str rest = c->names, name;
	char text[INET6_ADDRSTRLEN];
	bool first = true, ip;
	int tag;

	while ((tag = tls_cert_name(&rest, &name)) != -1) {
		ip = tag == TLS_IP && (name.n == 4 || name.n == 16);
		if (!ip && tag != TLS_DNS)
			continue;
		buf_addz(b, first ? "" : ", ");
		first = false;
		if (ip)
			inet_ntop(name.n == 4 ? AF_INET : AF_INET6, name.p,
			    text, sizeof text);
		buf_line(b, ip ? str_of(text) : name);
	}
}

void
tls_cert_pin(const struct tls_cert *c, unsigned char pin[TLS_PIN])
{
	key_hash(c->key, pin);
}

void
tls_pin_text(char text[TLS_PIN_TEXT], const unsigned char pin[TLS_PIN])
{
	unsigned bits = 0;
	size_t i, n = 0;
	int have = 0;

	for (i = 0; i <= TLS_PIN; i++) {	/* and two bits of 0 */
		bits = bits << 8 | (i < TLS_PIN ? pin[i] : 0u);
		for (have += 8; have >= 6 && n < TLS_PIN_TEXT - 1; have -= 6)
			text[n++] = alphabet[bits >> (have - 6) & 63];
	}
	text[n] = '\0';
}

int
tls_pin_read(struct str s, unsigned char pin[TLS_PIN])
{
	return s.n == TLS_PIN_TEXT - 1 && str_unbase64(s, alphabet, pin,
	    TLS_PIN) == TLS_PIN ? 0 : -1;
}
