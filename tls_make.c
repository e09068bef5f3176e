/*
 * tls_make.c: a certificate of our own, written from its end to its
 * beginning, for lengths stand before what they tell.  See tls.h.
 */
#include <arpa/inet.h>
#include <assert.h>

#include "key.h"
#include "tls_impl.h"

#define CERT_MAX	2048	/* bytes of a certificate made here */
#define SERIAL		16	/* bytes of its number */
#define PEM_KEY		"PRIVATE KEY"
#define PEM_CERT	"CERTIFICATE"

struct back {
	unsigned char room[CERT_MAX];
	size_t n;		/* bytes at the end of room */
};

static void
push(struct back *d, const void *p, size_t n)
{
	assert(n <= sizeof d->room - d->n);
	d->n += n;
	memcpy(d->room + sizeof d->room - d->n, p, n);
}

/* Put a head before all that was pushed since it held `since` bytes. */
static void
wrap(struct back *d, int tag, size_t since)
{
	size_t n = d->n - since;
	unsigned char head[4] = { (unsigned char)tag, (unsigned char)n };

	if (n >= 256) {
		head[1] = 0x82;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
	} else if (n >= 128) {
		head[1] = 0x81;
		head[2] = (unsigned char)n;
	}
	push(d, head, n >= 256 ? 4 : n >= 128 ? 3 : 2);
}

static void
element(struct back *d, int tag, const void *p, size_t n)
{
	size_t since = d->n;

	push(d, p, n);
	wrap(d, tag, since);
}

#define OIDS(bytes)	(bytes), sizeof(bytes) - 1

/* CN=vilicus, who it is for and who says so. */
static void
push_name(struct back *d)
{
	size_t since = d->n;

	element(d, DER_UTF8, "vilicus", 7);
	element(d, DER_OID, OIDS("\125\004\003"));
	wrap(d, DER_SEQUENCE, since);
	wrap(d, DER_SET, since);
	wrap(d, DER_SEQUENCE, since);
}

/* ecdsa-with-SHA256 (RFC 5758 3.2). */
static void
push_algorithm(struct back *d)
{
	size_t since = d->n;

	element(d, DER_OID, OIDS("\052\206\110\316\075\004\003\002"));
	wrap(d, DER_SEQUENCE, since);
}

/* subjectAltName, and nothing else: it is no authority. */
static void
push_extensions(struct back *d, const char *const *names, size_t n)
{
	size_t since = d->n;
	unsigned char ip[16];

	while (n-- > 0) {
		size_t len = inet_pton(AF_INET, names[n], ip) == 1 ? 4 :
		    inet_pton(AF_INET6, names[n], ip) == 1 ? 16 : 0;

		if (len > 0)
			element(d, TLS_IP, ip, len);
		else
			element(d, TLS_DNS, names[n], strlen(names[n]));
	}
	wrap(d, DER_SEQUENCE, since);
	wrap(d, DER_OCTETS, since);
	element(d, DER_OID, OIDS("\125\035\021"));
	wrap(d, DER_SEQUENCE, since);
	wrap(d, DER_SEQUENCE, since);
	wrap(d, DER_EXTENSIONS, since);
}

/* id-ecPublicKey, prime256v1 (RFC 5480). */
static void
push_key(struct back *d, const br_ec_public_key *k)
{
	size_t since = d->n, oids;

	push(d, k->q, k->qlen);
	push(d, "", 1);				/* no bits unused */
	wrap(d, DER_BIT_STRING, since);
	oids = d->n;
	element(d, DER_OID, OIDS("\052\206\110\316\075\003\001\007"));
	element(d, DER_OID, OIDS("\052\206\110\316\075\002\001"));
	wrap(d, DER_SEQUENCE, oids);
	wrap(d, DER_SEQUENCE, since);
}

/* What is signed. */
static void
push_tbs(struct back *d, const char *const *names, size_t n,
    const br_ec_public_key *key, const unsigned char serial[SERIAL])
{
	size_t dates;

	push_extensions(d, names, n);
	push_key(d, key);
	push_name(d);
	dates = d->n;
	element(d, DER_TIME, "99991231235959Z", 15);	/* RFC 5280 4.1.2.5 */
	element(d, DER_UTC_TIME, "700101000000Z", 13);
	wrap(d, DER_SEQUENCE, dates);
	push_name(d);
	push_algorithm(d);
	element(d, DER_INTEGER, serial, SERIAL);
	element(d, DER_VERSION, "\002\001\002", 3);		/* version 3 */
	wrap(d, DER_SEQUENCE, 0);
}

static void
put_pem(struct buf *b, const unsigned char *der, size_t n, const char *what)
{
	size_t len = br_pem_encode(NULL, der, n, what, 0);

	b->full = b->full || len >= b->cap - b->n;
	if (!b->full)
		b->n += br_pem_encode(b->p + b->n, der, n, what, 0);
}

int
tls_cert_make(struct buf *b, const char *const *names, size_t n,
    const struct tls_identity *old, struct fail *why)
{
	static struct back tbs, all;	/* large for a stack */
	const br_ec_impl *ec = br_ec_get_default();
	unsigned char key_room[BR_EC_KBUF_PRIV_MAX_SIZE], serial[SERIAL];
	unsigned char pub_room[BR_EC_KBUF_PUB_MAX_SIZE], hash[KEY_HASH];
	unsigned char sig[144], seed[32], pkcs8[256];
	br_hmac_drbg_context rng;
	br_ec_private_key key;
	br_ec_public_key pub;
	size_t sig_n;

	if (key_random(seed, sizeof seed, why) == -1 ||
	    key_random(serial, sizeof serial, why) == -1)
		return -1;
	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);
	br_hmac_drbg_init(&rng, &br_sha256_vtable, seed, sizeof seed);
	if (old != NULL)
		key = old->key.key.ec;
	else
		br_ec_keygen(&rng.vtable, ec, &key, key_room,
		    BR_EC_secp256r1);
	br_ec_compute_pub(ec, &pub, pub_room, &key);

	tbs.n = all.n = 0;
	push_tbs(&tbs, names, n < TLS_NAMES_MAX ? n : TLS_NAMES_MAX, &pub,
	    serial);
	key_hash((struct str){ (char *)tbs.room + sizeof tbs.room - tbs.n,
	    tbs.n }, hash);
	sig_n = br_ecdsa_sign_asn1_get_default()(ec, &br_sha256_vtable, hash,
	    &key, sig);
	if (sig_n == 0)
		return fail(why, "a certificate could not be signed");
	push(&all, sig, sig_n);
	push(&all, "", 1);
	wrap(&all, DER_BIT_STRING, 0);
	push_algorithm(&all);
	push(&all, tbs.room + sizeof tbs.room - tbs.n, tbs.n);
	wrap(&all, DER_SEQUENCE, 0);

	put_pem(b, pkcs8, br_encode_ec_pkcs8_der(pkcs8, &key, &pub), PEM_KEY);
	put_pem(b, all.room + sizeof all.room - all.n, all.n, PEM_CERT);
	return b->full ? fail(why, "too many names for a certificate") : 0;
}
