/* tls_client.c: the side that connects, and how it judges.  See tls.h. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "tls_impl.h"

#define RSA_MIN_BYTES	256		/* 2048 bits */
#define DAY_OF_1970	719528		/* days since the year 0 */
#define DAY_S		86400
#define NAMES_SHOWN	60		/* bytes of the names it is for */

/* ---- for BearSSL: bearssl_x509.h, struct br_x509_class_ ---- */

static struct tls_judge *
judge(const br_x509_class **ctx)
{
	return (struct tls_judge *)(void *)ctx;
}

static void
start_chain(const br_x509_class **ctx, const char *name)
{
	struct tls_judge *j = judge(ctx);

	j->certs = 0;
	j->leaf_n = 0;
	j->why.msg[0] = '\0';
	if (j->trust->pins == 0)
		j->x.chain.vtable->start_chain(&j->x.chain.vtable, name);
}

static void
start_cert(const br_x509_class **ctx, uint32_t n)
{
	struct tls_judge *j = judge(ctx);

	j->certs++;
	if (j->certs == 1 && n > sizeof j->leaf)
		fail(&j->why, "certificate of over %zu bytes", sizeof j->leaf);
	if (j->trust->pins == 0)
		j->x.chain.vtable->start_cert(&j->x.chain.vtable, n);
}

static void
append(const br_x509_class **ctx, const unsigned char *p, size_t n)
{
	struct tls_judge *j = judge(ctx);

	if (j->certs == 1 && n <= sizeof j->leaf - j->leaf_n) {
		memcpy(j->leaf + j->leaf_n, p, n);
		j->leaf_n += n;
	}
	if (j->trust->pins == 0)
		j->x.chain.vtable->append(&j->x.chain.vtable, p, n);
}

static void
end_cert(const br_x509_class **ctx)
{
	struct tls_judge *j = judge(ctx);

	if (j->trust->pins == 0)
		j->x.chain.vtable->end_cert(&j->x.chain.vtable);
}

/* Is its key one of those that are pinned? */
static unsigned
judge_pin(struct tls_judge *j, const struct tls_cert *c)
{
	unsigned char pin[TLS_PIN];
	char text[TLS_PIN_TEXT];
	size_t i;

	tls_cert_pin(c, pin);
	tls_pin_text(text, pin);
	for (i = 0; i < j->trust->pins; i++)
		if (memcmp(j->trust->pin[i], pin, TLS_PIN) == 0)
			break;
	if (i == j->trust->pins) {
		fail(&j->why, "its key is not the one that is pinned, but %s",
		    text);
		return BR_ERR_X509_NOT_TRUSTED;
	}
	br_x509_decoder_init(&j->x.key, NULL, NULL);
	br_x509_decoder_push(&j->x.key, j->leaf, j->leaf_n);
	j->key = br_x509_decoder_get_pkey(&j->x.key);
	return j->key != NULL ? 0 :
	    (unsigned)br_x509_decoder_last_error(&j->x.key);
}

/* Which of the two dates it is, and by which clock. */
static void
tell_dates(struct tls_judge *j, const struct tls_cert *c)
{
	bool early = j->now_ms < c->from_ms;
	char text[64], clock[64];
	struct buf b = BUF(text), now = BUF(clock);

	buf_time_human(&b, early ? c->from_ms : c->to_ms);
	buf_time_human(&now, j->now_ms);
	buf_addc(&b, '\0');
	buf_addc(&now, '\0');
	if (early || j->now_ms > c->to_ms)
		fail(&j->why, "certificate %s %s; the clock here says %s",
		    early ? "is not valid before" : "has expired on", text,
		    clock);
	else
		fail(&j->why, "certificate of an authority has expired; the "
		    "clock here says %s", clock);
}

/* BearSSL looks at dNSName, and without one takes the common name, which
 * browsers do no more (RFC 9525 2); addresses it does not know. */
static unsigned
judge_name(struct tls_judge *j, const struct tls_cert *c, unsigned err)
{
	struct str rest = c->names, name;
	char text[NAMES_SHOWN + 1];
	struct buf b;
	bool named = false;
	int tag;

	if (err != 0 && err != BR_ERR_X509_BAD_SERVER_NAME)
		return err;
	while ((tag = tls_cert_name(&rest, &name)) != -1)
		named |= tag == TLS_DNS;
	if (err == 0 && (j->address ? tls_cert_for(c, j->host) : named))
		return 0;
	buf_init(&b, text, sizeof text - 1);
	tls_cert_show(&b, c);
	text[b.n] = '\0';
	if (c->names.p == NULL)
		fail(&j->why, "certificate has no subjectAltName");
	else
		fail(&j->why, "certificate is for another name: %s%s", text,
		    b.full ? " ..." : "");
	return BR_ERR_X509_BAD_SERVER_NAME;
}

static unsigned
end_chain(const br_x509_class **ctx)
{
	struct tls_judge *j = judge(ctx);
	struct str leaf = { (const char *)j->leaf, j->leaf_n };
	struct tls_cert c;
	unsigned err;

	if (j->why.msg[0] != '\0')
		return BR_ERR_X509_LIMIT_EXCEEDED;
	if (tls_cert_read(leaf, &c) == -1) {
		fail(&j->why, "certificate that cannot be read");
		return BR_ERR_X509_UNSUPPORTED;
	}
	if (j->trust->pins > 0)
		return judge_pin(j, &c);
	err = j->x.chain.vtable->end_chain(&j->x.chain.vtable);
	if (err == BR_ERR_X509_EXPIRED)
		tell_dates(j, &c);
	return judge_name(j, &c, err);
}

static const br_x509_pkey *
get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
	const struct tls_judge *j = (const struct tls_judge *)
	    (const void *)ctx;

	if (j->trust->pins == 0)
		return j->x.chain.vtable->get_pkey(&j->x.chain.vtable, usages);
	if (usages != NULL)
		*usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
	return j->key;
}

static const br_x509_class judge_class = {
	sizeof(struct tls_judge), start_chain, start_cert, append, end_cert,
	end_chain, get_pkey
};

/* ---- the client ---- */

int
tls_trust(struct tls_trust *t, struct str pins, struct tls_anchors *a,
    const char *path, struct fail *why)
{
	struct str pin;

	*t = (struct tls_trust){ .anchors = a };
	if (pins.p == NULL) {
		if (path == NULL)
			path = getenv("SSL_CERT_FILE");
		return tls_anchors_load(a, path == NULL || path[0] == '\0' ?
		    TLS_CA_FILE : path, why);
	}
	while (str_cut(&pins, ',', &pin) == 0) {
		if (t->pins == TLS_PINS_MAX)
			return fail(why, "more than %d pins", TLS_PINS_MAX);
		if (tls_pin_read(pin, t->pin[t->pins++]) == -1)
			return fail(why, "a pin is 43 characters of base64url");
	}
	return 0;
}

/* By a chain: to these authorities, at this time. */
static void
set_chain(struct tls_judge *j)
{
	br_x509_minimal_context *x = &j->x.chain;
	int64_t now_s = j->now_ms > 0 ? j->now_ms / 1000 : 0;

	br_x509_minimal_init(x, &br_sha256_vtable, j->trust->anchors->ta,
	    j->trust->anchors->n);
	br_x509_minimal_set_rsa(x, br_rsa_pkcs1_vrfy_get_default());
	br_x509_minimal_set_ecdsa(x, br_ec_get_default(),
	    br_ecdsa_vrfy_asn1_get_default());
	br_x509_minimal_set_minrsa(x, RSA_MIN_BYTES);
	br_x509_minimal_set_time(x,
	    (uint32_t)(now_s / DAY_S + DAY_OF_1970), (uint32_t)(now_s % DAY_S));
	br_x509_minimal_set_hash(x, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_hash(x, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_hash(x, br_sha512_ID, &br_sha512_vtable);
}

static int
reset(struct tls_client *t, bool again, struct fail *why)
{
	/* An address is no name that a server can be told (RFC 6066 3). */
	if (br_ssl_client_reset(&t->sc, t->judge.address ? NULL :
	    t->judge.host, again) == 1)
		return 0;
	tls_broken(&t->t);
	return fail(why, "%s", t->t.s.why.msg);
}

int
tls_client(struct tls_client *t, int fd, const char *host,
    const struct tls_trust *trust, int64_t now_ms, unsigned char *buf,
    size_t n, struct fail *why)
{
	struct tls_judge *j = &t->judge;
	unsigned char ip[16];
	size_t len = strlen(host);

	if (len == 0 || len > TLS_HOST_MAX)
		return fail(why, "host name of %zu bytes", len);
	j->vtable = &judge_class;
	j->trust = trust;
	j->host = host;
	j->now_ms = now_ms;
	j->why.msg[0] = '\0';
	j->address = inet_pton(AF_INET, host, ip) == 1 ||
	    inet_pton(AF_INET6, host, ip) == 1;
	br_ssl_client_zero(&t->sc);
	tls_begin(&t->t, fd, &t->sc.eng);
	t->t.judged = &j->why;
	if (trust->pins == 0)
		set_chain(j);
	br_ssl_engine_set_x509(&t->sc.eng, &j->vtable);
	br_ssl_engine_set_buffer(&t->sc.eng, buf, n, 1);
	return reset(t, false, why);
}

int
tls_client_again(struct tls_client *t, int fd, int64_t now_ms,
    struct fail *why)
{
	struct tls_judge *j = &t->judge;

	t->t.s = (struct stream){ .ops = t->t.s.ops, .fd = fd };
	t->t.up = false;
	j->now_ms = now_ms;
	if (j->trust->pins == 0)
		set_chain(j);
	return reset(t, true, why);
}
