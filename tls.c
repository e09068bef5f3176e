/* tls.c: see tls.h. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include "loop.h"
#include "tls.h"

#define RSA_MIN_BYTES	256		/* 2048 bits */
#define DAY_OF_1970	719528		/* days since the year 0 */
#define DAY_S		86400

static const uint16_t suites[] = {
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

#define NO_TLS12	"the other side speaks no TLS 1.2"
#define ALERT(n)	(BR_ERR_RECV_FATAL_ALERT + (n))	/* of either side */

/* What errors mean; those of X.509 have "certificate " before them. */
static const struct {
	int err;
	const char *text;
} words[] = {
	{ BR_ERR_UNSUPPORTED_VERSION,	NO_TLS12 },
	{ BR_ERR_BAD_VERSION,		NO_TLS12 },
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
	{ ALERT(40),			"no TLS cipher in common" },
	{ ALERT(70),			NO_TLS12 },
	{ ALERT(112),			"the other side knows no such name" },
};

/* Why the engine stopped, in words. */
static ssize_t
broken(struct tls_client *t)
{
	int err = br_ssl_engine_last_error(&t->sc.eng);
	bool sent = err >= BR_ERR_SEND_FATAL_ALERT;
	bool x509 = err > BR_ERR_X509_OK && err < BR_ERR_RECV_FATAL_ALERT;
	char clock[64];
	struct buf b;

	if (err == BR_ERR_OK)
		return fail(&t->s.why, "the other side has ended TLS");
	/* The library does not say which of the two; the clock does. */
	if (err == BR_ERR_X509_EXPIRED) {
		buf_init(&b, clock, sizeof clock - 1);
		buf_time_human(&b, t->now_ms);
		clock[b.n] = '\0';
		return fail(&t->s.why, "certificate has expired or is not "
		    "yet valid; the clock here says %s", clock);
	}
	for (size_t i = 0; i < COUNT(words); i++)
		if (words[i].err == (sent ? ALERT(err & 255) : err))
			return fail(&t->s.why, "%s%s",
			    x509 ? "certificate " : "", words[i].text);
	return fail(&t->s.why, "%s %d", sent ? "TLS failed with alert" :
	    err >= ALERT(0) ? "the other side ended TLS with alert" :
	    x509 ? "bad certificate, error" : "TLS error", err & 255);
}

static unsigned
state(struct tls_client *t)
{
	unsigned st = br_ssl_engine_current_state(&t->sc.eng);

	if (st & (BR_SSL_SENDAPP | BR_SSL_RECVAPP))
		t->up = true;
	return st;
}

/* A piece of the engine's records to the socket (out), or one from it: 1
 * moved, or a STREAM_ value. */
static ssize_t
move(struct tls_client *t, bool out)
{
	const char *when = t->up ? "" : " during the TLS handshake";
	size_t n;
	unsigned char *p = (out ? br_ssl_engine_sendrec_buf :
	    br_ssl_engine_recvrec_buf)(&t->sc.eng, &n);
	ssize_t k = p == NULL ? STREAM_AGAIN : out ?
	    t->raw.ops->write(&t->raw, p, n) : t->raw.ops->read(&t->raw, p, n);

	if (k == STREAM_AGAIN)
		return k;
	if (k == STREAM_BAD)
		return fail(&t->s.why, "connection lost%s: %s", when,
		    t->raw.why.msg);
	if (k == STREAM_EOF)
		return fail(&t->s.why, "closed%s", t->up ?
		    " without a goodbye: cut short" : when);
	(out ? br_ssl_engine_sendrec_ack : br_ssl_engine_recvrec_ack)(
	    &t->sc.eng, (size_t)k);
	return 1;
}

/* Move records until the engine is in the state wanted.  1, or a STREAM_
 * value; STREAM_EOF: the other side said goodbye.  Out before in; but a full
 * way out must not stop what comes in. */
static ssize_t
move_until(struct tls_client *t, unsigned wanted)
{
	ssize_t rc = 1;

	while (rc == 1) {
		unsigned st = state(t);

		if (st == BR_SSL_CLOSED)
			return br_ssl_engine_last_error(&t->sc.eng) ==
			    BR_ERR_OK ? STREAM_EOF : broken(t);
		if (st & wanted)
			return 1;
		rc = move(t, true);
		if (rc == STREAM_AGAIN)
			rc = move(t, false);
	}
	return rc;
}

static ssize_t
client_read(struct stream *s, void *to, size_t n)
{
	struct tls_client *t = (struct tls_client *)s;
	ssize_t rc = move_until(t, BR_SSL_RECVAPP);
	unsigned char *p;
	size_t k;

	if (rc != 1)
		return rc;
	p = br_ssl_engine_recvapp_buf(&t->sc.eng, &k);
	k = k < n ? k : n;
	memcpy(to, p, k);
	br_ssl_engine_recvapp_ack(&t->sc.eng, k);
	return (ssize_t)k;
}

static ssize_t
client_write(struct stream *s, const void *from, size_t n)
{
	struct tls_client *t = (struct tls_client *)s;
	ssize_t rc = move_until(t, BR_SSL_SENDAPP);
	unsigned char *p;
	size_t k;

	if (rc != 1)
		return rc == STREAM_EOF ? broken(t) : rc;
	p = br_ssl_engine_sendapp_buf(&t->sc.eng, &k);
	k = k < n ? k : n;
	memcpy(p, from, k);
	br_ssl_engine_sendapp_ack(&t->sc.eng, k);
	br_ssl_engine_flush(&t->sc.eng, 0);
	while ((rc = move(t, true)) == 1)
		;
	/* A record that did not go out whole cannot be read there. */
	return rc == STREAM_AGAIN ? (ssize_t)k : rc;
}

static unsigned
client_want(struct stream *s)
{
	unsigned st = state((struct tls_client *)s);
	bool out = (st & BR_SSL_SENDREC) != 0;

	return (out ? LOOP_OUT : 0) |
	    (!out || st & BR_SSL_RECVREC ? LOOP_IN : 0);
}

static int
client_shut(struct stream *s)
{
	struct tls_client *t = (struct tls_client *)s;
	ssize_t rc;
	size_t k;

	/* What was not read would keep the engine from closing. */
	while (br_ssl_engine_recvapp_buf(&t->sc.eng, &k) != NULL)
		br_ssl_engine_recvapp_ack(&t->sc.eng, k);
	br_ssl_engine_close(&t->sc.eng);
	while ((rc = move(t, true)) == 1)
		;
	return rc == STREAM_AGAIN && state(t) & BR_SSL_SENDREC ?
	    STREAM_AGAIN : 0;
}

static const struct stream_ops client_ops = {
	client_read, client_write, client_want, client_shut
};

/* What we speak, and how a certificate is judged. */
static void
profile(struct tls_client *t, const struct tls_anchors *a)
{
	br_ssl_engine_context *e = &t->sc.eng;
	int64_t now_s = t->now_ms > 0 ? t->now_ms / 1000 : 0;

	br_ssl_client_zero(&t->sc);
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

	br_x509_minimal_init(&t->xc, &br_sha256_vtable, a->ta, a->n);
	br_x509_minimal_set_rsa(&t->xc, br_ssl_engine_get_rsavrfy(e));
	br_x509_minimal_set_ecdsa(&t->xc, br_ssl_engine_get_ec(e),
	    br_ssl_engine_get_ecdsa(e));
	br_x509_minimal_set_minrsa(&t->xc, RSA_MIN_BYTES);
	br_x509_minimal_set_time(&t->xc,
	    (uint32_t)(now_s / DAY_S + DAY_OF_1970), (uint32_t)(now_s % DAY_S));
	br_x509_minimal_set_hash(&t->xc, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_hash(&t->xc, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_hash(&t->xc, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_x509(e, &t->xc.vtable);
	br_ssl_engine_set_buffer(e, t->iobuf, sizeof t->iobuf, 1);
}

int
tls_client(struct tls_client *t, int fd, const char *host,
    const struct tls_anchors *a, int64_t now_ms, struct fail *why)
{
	size_t n = strlen(host);
	unsigned char ip[4];

	if (n == 0 || n > TLS_HOST_MAX)
		return fail(why, "host name of %zu bytes", n);
	if (strchr(host, ':') != NULL || inet_pton(AF_INET, host, ip) == 1)
		return fail(why, "IP addresses are not supported as names "
		    "yet");
	t->s = (struct stream){ .ops = &client_ops, .fd = fd };
	stream_plain(&t->raw, fd);
	t->now_ms = now_ms;
	t->up = false;
	profile(t, a);
	if (br_ssl_client_reset(&t->sc, host, 0) == 1)
		return 0;
	broken(t);
	return fail(why, "%s", t->s.why.msg);
}

/* One certificate of a file on its way to be an anchor. */
struct loader {
	struct tls_anchors *a;
	br_pem_decoder_context pem;
	br_x509_decoder_context x509;
	size_t name;		/* where its name begins in a->bytes */
	bool full;
};

/* Keep n bytes; where, or NULL: no room. */
static unsigned char *
keep(struct loader *l, const void *p, size_t n)
{
	unsigned char *to = l->a->bytes + l->a->used;

	l->full = l->full || n > sizeof l->a->bytes - l->a->used;
	if (l->full)
		return NULL;
	memcpy(to, p, n);
	l->a->used += n;
	return to;
}

static void
on_name(void *ctx, const void *p, size_t n)
{
	keep(ctx, p, n);
}

static void
on_der(void *ctx, const void *p, size_t n)
{
	struct loader *l = ctx;

	br_x509_decoder_push(&l->x509, p, n);
}

/* The anchor is made of the name that was kept already, and the key. */
static void
add_anchor(struct loader *l, const br_x509_pkey *key)
{
	br_x509_trust_anchor *ta = &l->a->ta[l->a->n];

	l->full = l->full || l->a->n == TLS_ANCHORS_MAX;
	if (l->full)
		return;
	ta->dn.data = l->a->bytes + l->name;
	ta->dn.len = l->a->used - l->name;
	ta->flags = br_x509_decoder_isCA(&l->x509) ? BR_X509_TA_CA : 0;
	ta->pkey = *key;
	if (key->key_type == BR_KEYTYPE_RSA) {
		ta->pkey.key.rsa.n = keep(l, key->key.rsa.n,
		    key->key.rsa.nlen);
		ta->pkey.key.rsa.e = keep(l, key->key.rsa.e,
		    key->key.rsa.elen);
	} else
		ta->pkey.key.ec.q = keep(l, key->key.ec.q, key->key.ec.qlen);
	l->a->n++;
	l->name = l->a->used;
}

static void
load_piece(struct loader *l, const char *p, size_t n)
{
	const br_x509_pkey *key;

	while (n > 0) {
		size_t k = br_pem_decoder_push(&l->pem, p, n);
		int event = br_pem_decoder_event(&l->pem);

		p += k;
		n -= k;
		if (event == 0)
			continue;
		key = event != BR_PEM_END_OBJ ? NULL :
		    br_x509_decoder_get_pkey(&l->x509);
		if (key != NULL)
			add_anchor(l, key);
		/* What was kept of one that gave no anchor goes. */
		l->a->used = l->name;
		br_x509_decoder_init(&l->x509, on_name, l);
		br_pem_decoder_setdest(&l->pem, strcmp(br_pem_decoder_name(
		    &l->pem), "CERTIFICATE") == 0 ? on_der : NULL, l);
	}
}

int
tls_anchors_load(struct tls_anchors *a, const char *path, struct fail *why)
{
	struct loader l = { .a = a };
	char piece[4096];
	size_t total = 0;
	int fd, rc = -1;
	ssize_t k = 0;

	a->n = a->used = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return fail_errno(why, "%s", path);
	br_pem_decoder_init(&l.pem);
	/* What is no file (a pipe, a device) fails or ends at once, too. */
	while (total <= TLS_FILE_MAX &&
	    (k = read(fd, piece, sizeof piece)) > 0) {
		total += (size_t)k;
		load_piece(&l, piece, (size_t)k);
	}
	load_piece(&l, "\n", 1);	/* the last line may lack it */
	if (k == -1)
		fail_errno(why, "%s", path);
	else if (total > TLS_FILE_MAX)
		fail(why, "%s: over %d bytes", path, TLS_FILE_MAX);
	else if (l.full)
		fail(why, "%s: over %d certificates, or %d bytes of them",
		    path, TLS_ANCHORS_MAX, TLS_ANCHORS_BYTES);
	else if (a->n == 0)
		fail(why, "%s: no certificate that can be used", path);
	else
		rc = 0;
	close(fd);
	if (rc == -1)
		a->n = a->used = 0;
	return rc;
}
