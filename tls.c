/* tls.c: see tls.h. */

#include "loop.h"
#include "key.h"
#include "tls_impl.h"

static const uint16_t suites[] = {
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

#define MOVES_MAX	16	/* of a record's head or rest, in one call */
#define NO_TLS12	"the other side speaks no TLS 1.2"
#define ALERT(n)	(BR_ERR_RECV_FATAL_ALERT + (n))	/* of either side */

/* What errors mean; those of X.509 have "certificate " before them. */
static const struct {
	int err;
	const char *text;
} words[] = {
	{ BR_ERR_UNSUPPORTED_VERSION,	NO_TLS12 },
	{ BR_ERR_BAD_VERSION,		NO_TLS12 },
	{ BR_ERR_BAD_LENGTH,		"TLS record of an impossible length" },
	{ BR_ERR_TOO_LARGE,		"TLS record too large" },
	{ BR_ERR_BAD_MAC,		"TLS record was altered on the way" },
	{ BR_ERR_NO_RANDOM,		"no random numbers: /dev/urandom" },
	{ BR_ERR_UNKNOWN_TYPE,		NO_TLS12 },
	{ BR_ERR_BAD_SECRENEG,		"no secure renegotiation" },
	{ BR_ERR_BAD_SIGNATURE,		"bad signature in the handshake" },
	{ BR_ERR_X509_BAD_SIGNATURE,	"has a bad signature" },
	{ BR_ERR_X509_UNSUPPORTED,	"of a kind not supported (SHA-1, "
	    "RSA-PSS, Ed25519)" },
	{ BR_ERR_X509_LIMIT_EXCEEDED,	"key is too long" },
	{ BR_ERR_X509_DN_MISMATCH,	"chain is out of order" },
	{ BR_ERR_X509_BAD_SERVER_NAME,	"is for another name" },
	{ BR_ERR_X509_CRITICAL_EXTENSION, "has an unknown critical extension" },
	{ BR_ERR_X509_NOT_CA,		"was issued by none that may" },
	{ BR_ERR_X509_FORBIDDEN_KEY_USAGE, "is for another use" },
	{ BR_ERR_X509_WEAK_PUBLIC_KEY,	"key is too short (RSA below 2048)" },
	{ BR_ERR_X509_NOT_TRUSTED,	"is not signed by a known authority" },
	{ ALERT(40),			"no TLS 1.2 cipher in common" },
	{ ALERT(70),			NO_TLS12 },
	{ ALERT(112),			"the other side knows no such name" },
};

int
tls_broken(struct tls *t)
{
	int err = br_ssl_engine_last_error(t->eng);
	bool sent = err >= BR_ERR_SEND_FATAL_ALERT;
	bool x509 = err > BR_ERR_X509_OK && err < BR_ERR_RECV_FATAL_ALERT;
	const char *text = NULL;

	if (err == BR_ERR_OK)
		return fail(&t->s.why, "the other side has ended TLS");
	if (x509 && t->judged != NULL && t->judged->msg[0] != '\0')
		return fail(&t->s.why, "%s", t->judged->msg);
	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].err == (sent ? ALERT(err & 255) : err))
			text = words[i].text;
	if (text != NULL)
		return fail(&t->s.why, "%s%s", x509 ? "certificate " : "",
		    text);
	return fail(&t->s.why, "%s %d", sent ? "TLS failed with alert" :
	    err >= ALERT(0) ? "the other side ended TLS with alert" :
	    x509 ? "bad certificate, error" : "TLS error", err & 255);
}

static unsigned
state(struct tls *t)
{
	unsigned st = br_ssl_engine_current_state(t->eng);

	if (st & (BR_SSL_SENDAPP | BR_SSL_RECVAPP))
		t->up = true;
	return st;
}

/* A piece of the engine's records to the socket (out), or one from it: 1
 * moved, or a STREAM_ value. */
static ssize_t
move(struct tls *t, bool out)
{
	const char *when = t->up ? "" : " during the TLS handshake";
	size_t n;
	unsigned char *p = (out ? br_ssl_engine_sendrec_buf :
	    br_ssl_engine_recvrec_buf)(t->eng, &n);
	ssize_t k = p == NULL ? STREAM_AGAIN : out ?
	    stream_send(&t->s, p, n) : stream_recv(&t->s, p, n);

	if (k == STREAM_AGAIN)
		return k;
	if (k == STREAM_BAD)
		return fail_in(&t->s.why, "connection lost%s", when);
	if (k == STREAM_EOF)
		return fail(&t->s.why, "closed%s", t->up ?
		    " without a goodbye: cut short" : when);
	(out ? br_ssl_engine_sendrec_ack : br_ssl_engine_recvrec_ack)(t->eng,
	    (size_t)k);
	return 1;
}

/* Move records until the engine is in the state wanted.  1, or a STREAM_
 * value; STREAM_EOF: the other side said goodbye.  Out before in; but a full
 * way out must not stop what comes in.  Records that lead nowhere (warnings,
 * empty ones) may come without an end: after some it is another's turn. */
static ssize_t
move_until(struct tls *t, unsigned wanted)
{
	unsigned moves = 0;
	ssize_t rc = 1;

	while (rc == 1) {
		unsigned st = state(t);

		if (st == BR_SSL_CLOSED)
			return br_ssl_engine_last_error(t->eng) ==
			    BR_ERR_OK ? STREAM_EOF : tls_broken(t);
		if (st & wanted)
			return 1;
		if (moves++ == MOVES_MAX)
			return STREAM_AGAIN;
		rc = move(t, true);
		if (rc == STREAM_AGAIN)
			rc = move(t, false);
	}
	return rc;
}

static ssize_t
tls_read(struct stream *s, void *to, size_t n)
{
	struct tls *t = (struct tls *)s;
	ssize_t rc = move_until(t, BR_SSL_RECVAPP);
	unsigned char *p;
	size_t k;

	if (rc != 1)
		return rc;
	p = br_ssl_engine_recvapp_buf(t->eng, &k);
	k = k < n ? k : n;
	memcpy(to, p, k);
	br_ssl_engine_recvapp_ack(t->eng, k);
	s->more = br_ssl_engine_recvapp_buf(t->eng, &n) != NULL;
	return (ssize_t)k;
}

static ssize_t
tls_write(struct stream *s, const void *from, size_t n)
{
	struct tls *t = (struct tls *)s;
	ssize_t rc = move_until(t, BR_SSL_SENDAPP);
	unsigned char *p;
	size_t k;

	if (rc != 1)
		return rc == STREAM_EOF ? tls_broken(t) : rc;
	p = br_ssl_engine_sendapp_buf(t->eng, &k);
	k = k < n ? k : n;
	memcpy(p, from, k);
	br_ssl_engine_sendapp_ack(t->eng, k);
	br_ssl_engine_flush(t->eng, 0);
	while ((rc = move(t, true)) == 1)
		;
	/* A record that did not go out whole cannot be read there. */
	return rc == STREAM_AGAIN ? (ssize_t)k : rc;
}

static unsigned
tls_want(struct stream *s)
{
	unsigned st = state((struct tls *)s);
	bool out = (st & BR_SSL_SENDREC) != 0;

	return (out ? LOOP_OUT : 0) |
	    (!out || st & BR_SSL_RECVREC ? LOOP_IN : 0);
}

static int
tls_shut(struct stream *s)
{
	struct tls *t = (struct tls *)s;
	ssize_t rc;
	size_t k;

	/* What was not read would keep the engine from closing. */
	while (br_ssl_engine_recvapp_buf(t->eng, &k) != NULL)
		br_ssl_engine_recvapp_ack(t->eng, k);
	br_ssl_engine_close(t->eng);
	while ((rc = move(t, true)) == 1)
		;
	return rc == STREAM_AGAIN && state(t) & BR_SSL_SENDREC ?
	    STREAM_AGAIN : 0;
}

static const struct stream_ops ops = {
	tls_read, tls_write, tls_want, tls_shut
};

void
tls_begin(struct tls *t, int fd, br_ssl_engine_context *e)
{
	unsigned char seed[32];
	struct fail why;

	t->s = (struct stream){ .ops = &ops, .fd = fd };
	t->eng = e;
	t->up = false;
	br_ssl_engine_set_versions(e, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(e, suites, COUNT(suites));
	br_ssl_engine_set_default_rsavrfy(e);
	br_ssl_engine_set_default_ecdsa(e);	/* and the curves */
	br_ssl_engine_set_default_aes_gcm(e);
	br_ssl_engine_set_default_chapol(e);
	br_ssl_engine_set_hash(e, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(e, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_hash(e, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_prf_sha256(e, br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(e, br_tls12_sha384_prf);
	br_ssl_engine_add_flags(e, BR_OPT_NO_RENEGOTIATION);
	/* Of itself it knows /dev/urandom, or the CPU's word alone. */
	if (key_random(seed, sizeof seed, &why) == 0)
		br_ssl_engine_inject_entropy(e, seed, sizeof seed);
}
