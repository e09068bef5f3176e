/* tls_server.c: the side that is connected to.  See tls.h. */

#include "tls_impl.h"

#define SESSIONS_BYTES	(1u << 20)	/* some 100 bytes each: 10,000 */
#define OUT_LARGE	4096		/* bytes of our own fragments */
#define HANDSHAKE	22		/* types: RFC 5246 6.2.1, 7.4 */
#define CLIENT_HELLO	1
#define MAX_FRAGMENT	1		/* RFC 6066 4 */
#define RSA_MAX_BYTES	1024		/* of a modulus */

static unsigned
two(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Past a vector whose length stands in `head` bytes: 0 or -1. */
static int
skip(struct str *s, size_t head)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n;

	if (s->n < head)
		return -1;
	n = head + (head == 1 ? p[0] : two(p));
	if (s->n < n)
		return -1;
	*s = str_after(*s, n);
	return 0;
}

/*
 *	22 3 x LENGTH(2)  1 LENGTH(3) VERSION(2) RANDOM(32) session<1>
 *	suites<2> compressions<1> extensions<2>{ TYPE(2) data<2> ... }
 */
bool
tls_hello(struct str s, unsigned *fragment)
{
	const unsigned char *p = (const unsigned char *)s.p;

	*fragment = 0;
	if (s.n == 0 || p[0] != HANDSHAKE)
		return false;
	if (s.n < 43 || p[5] != CLIENT_HELLO)
		return true;
	s = str_after(s, 43);
	if (skip(&s, 1) == -1 || skip(&s, 2) == -1 || skip(&s, 1) == -1 ||
	    s.n < 2)
		return true;
	for (s = str_after(s, 2); s.n >= 4; ) {
		p = (const unsigned char *)s.p;
		s = str_after(s, 2);
		if (two(p) == MAX_FRAGMENT && two(p + 2) == 1 && s.n >= 3 &&
		    p[4] >= 1 && p[4] <= 4)
			*fragment = 256u << p[4];
		if (skip(&s, 2) == -1)
			break;
	}
	return true;
}

static size_t
in_size(unsigned fragment)
{
	return fragment == 0 ? BR_SSL_BUFSIZE_INPUT : TLS_IN(fragment);
}

static size_t
out_size(unsigned fragment)
{
	return TLS_OUT(fragment == 0 ? OUT_LARGE : fragment);
}

size_t
tls_server_size(unsigned fragment)
{
	return sizeof(struct tls_server) + in_size(fragment) +
	    out_size(fragment);
}

int
tls_server(struct tls_server *t, unsigned fragment, int fd,
    const struct tls_identity *id, struct fail *why)
{
	static unsigned char room[SESSIONS_BYTES];
	static br_ssl_session_cache_lru cache;
	br_ssl_engine_context *e = &t->sc.eng;
	const br_skey_decoder_context *k = &id->key;

	if (cache.vtable == NULL)
		br_ssl_session_cache_lru_init(&cache, room, sizeof room);
	br_ssl_server_zero(&t->sc);
	tls_begin(&t->t, fd, e);
	t->t.judged = NULL;
	if (k->key_type == BR_KEYTYPE_EC)
		br_ssl_server_set_single_ec(&t->sc, id->chain, id->n,
		    &k->key.ec, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
		    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
	else
		br_ssl_server_set_single_rsa(&t->sc, id->chain, id->n,
		    &k->key.rsa, BR_KEYTYPE_SIGN,
		    br_rsa_private_get_default(),
		    br_rsa_pkcs1_sign_get_default());
	br_ssl_server_set_cache(&t->sc, &cache.vtable);
	br_ssl_engine_set_buffers_bidi(e, t->buf, in_size(fragment),
	    t->buf + in_size(fragment), out_size(fragment));
	if (br_ssl_server_reset(&t->sc) == 1)
		return 0;
	tls_broken(&t->t);
	return fail(why, "%s", t->t.s.why.msg);
}

/* ---- identities ---- */

/* One PEM text on its way into an identity. */
struct reader {
	struct tls_identity *id;
	br_pem_decoder_context pem;
	size_t used, begin;	/* of id->bytes */
	unsigned keys;
	bool full;
};

static void
on_chain(void *ctx, const void *p, size_t n)
{
	struct reader *r = ctx;

	r->full = r->full || n > sizeof r->id->bytes - r->used;
	if (!r->full) {
		memcpy(r->id->bytes + r->used, p, n);
		r->used += n;
	}
}

static void
on_key(void *ctx, const void *p, size_t n)
{
	struct reader *r = ctx;

	br_skey_decoder_push(&r->id->key, p, n);
}

/* An object begins, or ends: a certificate or a key, of which each text
 * gives what it was asked for. */
static void
identity_event(struct reader *r, int event, bool certs, bool keys)
{
	const char *name = br_pem_decoder_name(&r->pem);
	size_t len = strlen(name);
	bool cert = strcmp(name, "CERTIFICATE") == 0;
	bool key = len >= 11 && strcmp(name + len - 11, "PRIVATE KEY") == 0;

	if (event == BR_PEM_BEGIN_OBJ) {
		r->begin = r->used;
		if (key && keys)
			br_skey_decoder_init(&r->id->key);
		br_pem_decoder_setdest(&r->pem, cert && certs ? on_chain :
		    key && keys ? on_key : NULL, r);
	} else if (event == BR_PEM_END_OBJ && key) {
		r->keys += keys;
	} else if (event == BR_PEM_END_OBJ && cert && certs) {
		r->full = r->full || r->id->n == TLS_CHAIN_MAX;
		if (!r->full)
			r->id->chain[r->id->n++] = (br_x509_certificate){
			    r->id->bytes + r->begin, r->used - r->begin };
	}
}

static void
read_pem(struct reader *r, struct str text, bool certs, bool keys)
{
	br_pem_decoder_init(&r->pem);
	while (text.n > 0) {
		size_t k = br_pem_decoder_push(&r->pem, text.p, text.n);
		int event = br_pem_decoder_event(&r->pem);

		text = str_after(text, k);
		if (event != 0)
			identity_event(r, event, certs, keys);
	}
}

/* Is the key that of the certificate? */
static bool
belongs(const struct tls_identity *id)
{
	static br_x509_decoder_context x;
	static unsigned char room[RSA_MAX_BYTES];
	const br_x509_pkey *cert;
	br_ec_public_key pub;
	size_t n;

	br_x509_decoder_init(&x, NULL, NULL);
	br_x509_decoder_push(&x, id->chain[0].data, id->chain[0].data_len);
	cert = br_x509_decoder_get_pkey(&x);
	if (cert == NULL || cert->key_type != id->key.key_type)
		return false;
	if (cert->key_type == BR_KEYTYPE_RSA) {
		n = br_rsa_compute_modulus_get_default()(NULL,
		    &id->key.key.rsa);
		return n == cert->key.rsa.nlen && n <= sizeof room &&
		    br_rsa_compute_modulus_get_default()(room,
		    &id->key.key.rsa) == n &&
		    memcmp(room, cert->key.rsa.n, n) == 0;
	}
	n = br_ec_compute_pub(br_ec_get_default(), &pub, room,
	    &id->key.key.ec);
	return n == cert->key.ec.qlen && memcmp(room, cert->key.ec.q, n) == 0;
}

int
tls_identity_read(struct tls_identity *id, struct str cert, struct str key,
    struct fail *why)
{
	static struct reader r;

	id->n = 0;
	memset(&r, 0, sizeof r);
	r.id = id;
	br_skey_decoder_init(&id->key);
	read_pem(&r, cert, true, false);
	read_pem(&r, key, false, true);
	if (r.full)
		return fail(why, "over %d certificates, or %d bytes of them",
		    TLS_CHAIN_MAX, TLS_CHAIN_BYTES);
	if (id->n == 0)
		return fail(why, "no certificate in it");
	if (tls_cert_read((struct str){ (char *)id->chain[0].data,
	    id->chain[0].data_len }, &id->cert) == -1)
		return fail(why, "a certificate that cannot be read");
	if (r.keys == 0)
		return fail(why, "no private key in it");
	if (br_skey_decoder_last_error(&id->key) != 0)
		return fail(why, "the private key is not RSA or ECDSA, or has "
		    "a pass phrase");
	if (!belongs(id))
		return fail(why, "the private key is not that of the "
		    "certificate, or of no kind that TLS 1.2 can use here");
	tls_cert_pin(&id->cert, id->pin);
	return 0;
}
