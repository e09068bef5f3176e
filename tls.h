/*
 * tls.h: TLS 1.2 by BearSSL, as a struct stream; both sides.
 *
 * Own profile: ECDHE with AES-GCM or ChaCha20-Poly1305, SHA-256/384/512, RSA
 * of 2048 bits or more, no renegotiation.  A client checks its peer always,
 * there is no way to skip it: by pins, which are then all that counts, or by
 * a chain to an authority and its name (subjectAltName only: dNSName,
 * iPAddress).
 *
 * The end: STREAM_EOF is a peer that said goodbye (close_notify).  One that
 * just closes, at whatever byte, is STREAM_BAD: anyone on the way can do
 * that, so what lasts until the end (RFC 9112 6.3) would be taken for
 * whole when it was cut (RFC 9112 9.8, RFC 5246 7.2.1).  A body with a
 * length or chunks is complete before that and never sees it.
 */
#ifndef TLS_H
#define TLS_H

#include <bearssl.h>
#include <sys/stat.h>

#include "stream.h"

#define TLS_ANCHORS_MAX		512	/* authorities */
#define TLS_ANCHORS_BYTES	262144	/* of their names and keys */
#define TLS_FILE_MAX		4194304	/* bytes of a file of certificates */
#define TLS_HOST_MAX		253	/* bytes of a host's name */
#define TLS_LEAF_MAX		16384	/* bytes of a peer's certificate */
#define TLS_PINS_MAX		4
#define TLS_PIN			32	/* bytes: a SHA-256 */
#define TLS_PIN_TEXT		44	/* of it as base64url, and a NUL */
#define TLS_CHAIN_MAX		8	/* certificates a server shows */
#define TLS_CHAIN_BYTES		32768	/* of them */
#define TLS_PEM_MAX		4096	/* bytes of an identity made here */
#define TLS_NAMES_MAX		16	/* names in it */
#define TLS_FRAGMENT		512	/* what our own agents ask for */

/* Enough for fragments of n bytes, and BearSSL's part of them. */
#define TLS_IN(n)		((n) + 325)
#define TLS_OUT(n)		((n) + 85)
#define TLS_SMALL		(TLS_IN(TLS_FRAGMENT) + TLS_OUT(TLS_FRAGMENT))
#define TLS_LARGE		BR_SSL_BUFSIZE_BIDI

/* What both sides are. */
struct tls {
	struct stream s;	/* first: a tls is a stream */
	br_ssl_engine_context *eng;
	struct fail *judged;	/* why a certificate is refused; or NULL */
	bool up;		/* the handshake is done */
};

/* ---- certificates ---- */

/* What is read of a certificate (RFC 5280); borrows from its bytes. */
struct tls_cert {
	struct str key;			/* its SubjectPublicKeyInfo, DER */
	struct str names;		/* what subjectAltName holds, or NULL */
	int64_t from_ms, to_ms;		/* good from, until */
};

/* Read DER.  0, or -1: no certificate. */
int tls_cert_read(struct str der, struct tls_cert *c);

/* The next of its names (rest begins as c->names): TLS_DNS and the text,
 * TLS_IP and 4 or 16 bytes, another number for others; -1: no more. */
#define TLS_DNS		0x82
#define TLS_IP		0x87
int tls_cert_name(struct str *rest, struct str *name);

/* Its names and addresses, with commas. */
void tls_cert_show(struct buf *b, const struct tls_cert *c);

/* Does it have this name (as it is written), or this address? */
bool tls_cert_for(const struct tls_cert *c, const char *name);

/* The pin of a certificate: base64url of the SHA-256 of its key, as curl's
 * --pinnedpubkey has it but for - and _ (RFC 7469 2.4, RFC 4648 5). */
void tls_cert_pin(const struct tls_cert *c, unsigned char pin[TLS_PIN]);
void tls_pin_text(char text[TLS_PIN_TEXT], const unsigned char pin[TLS_PIN]);
int tls_pin_read(struct str s, unsigned char pin[TLS_PIN]);	/* 0 or -1 */

/* A new P-256 key (old NULL), or the P-256 key of old, and a certificate
 * signed with it for these names and addresses, good for always, as PEM into b
 * (room for TLS_PEM_MAX).  0 or -1. */
struct tls_identity;
int tls_cert_make(struct buf *b, const char *const *names, size_t n,
    const struct tls_identity *old, struct fail *why);

/* ---- the server's side ---- */

/* A key and what shows whose it is.  Must outlive its handshakes. */
struct tls_identity {
	br_x509_certificate chain[TLS_CHAIN_MAX];
	size_t n;
	br_skey_decoder_context key;
	struct tls_cert cert;		/* the first of the chain */
	unsigned char pin[TLS_PIN];
	unsigned char bytes[TLS_CHAIN_BYTES];
};

/* Read a chain, its leaf first, and the key of it, both PEM, from two texts
 * or one given twice.  0, or -1: what is wrong, *id is of no use. */
int tls_identity_read(struct tls_identity *id, struct str cert,
    struct str key, struct fail *why);

/* Is it the beginning of a TLS client's hello?  *fragment: the length it
 * asks for at most (RFC 6066 4), or 0. */
bool tls_hello(struct str bytes, unsigned *fragment);

struct tls_server {
	struct tls t;			/* first */
	br_ssl_server_context sc;
	unsigned char buf[];
};

/* Bytes of a server for these fragments; 0: for any. */
size_t tls_server_size(unsigned fragment);

/* Start in t, of that size, over an accepted socket, which stays the
 * caller's.  0 or -1. */
int tls_server(struct tls_server *t, unsigned fragment, int fd,
    const struct tls_identity *id, struct fail *why);

/* ---- the client's side ---- */

/* Large: give it static storage; pages that are not needed cost nothing. */
struct tls_anchors {
	br_x509_trust_anchor ta[TLS_ANCHORS_MAX];
	size_t n;
	unsigned char bytes[TLS_ANCHORS_BYTES];
	size_t used;
	struct stat of;			/* the file as it was */
};

/* Read the PEM certificates of a file, in place of what is in *a, unless that
 * is of this very file and it has not changed (to read takes long); those that
 * BearSSL cannot use (Ed25519) or that are damaged are passed over.  0, or
 * -1: unreadable, more than the limits, or not one usable; then *a is
 * empty. */
int tls_anchors_load(struct tls_anchors *a, const char *path,
    struct fail *why);

/* Whom to believe: with pins, who has one of these keys, and nobody else. */
struct tls_trust {
	const struct tls_anchors *anchors;
	unsigned char pin[TLS_PINS_MAX][TLS_PIN];
	size_t pins;
};

/* Trust these pins, "PIN[,PIN]" of a URL's fragment; or, pins NULL, the
 * authorities of a file, loaded into *a.  path NULL: $SSL_CERT_FILE, or where
 * Debian and most others have them.  0 or -1. */
#define TLS_CA_FILE	"/etc/ssl/certs/ca-certificates.crt"
int tls_trust(struct tls_trust *t, struct str pins, struct tls_anchors *a,
    const char *path, struct fail *why);

/* Judges a certificate; for BearSSL. */
struct tls_judge {
	const br_x509_class *vtable;	/* first */
	const struct tls_trust *trust;
	const char *host;
	int64_t now_ms;			/* by which the dates are judged */
	struct fail why;
	unsigned certs;			/* begun */
	bool address;			/* the host has no name */
	const br_x509_pkey *key;	/* with pins: that of the leaf */
	union {
		br_x509_minimal_context chain;
		br_x509_decoder_context key;	/* with pins */
	} x;
	size_t leaf_n;
	unsigned char leaf[TLS_LEAF_MAX];
};

struct tls_client {
	struct tls t;		/* first */
	br_ssl_client_context sc;
	struct tls_judge judge;
};

/* Start over a connected, non-blocking socket, which stays the caller's.
 * host (no [ ] around an address), *trust and buf must outlive t; buf is of
 * TLS_LARGE bytes, or of TLS_SMALL, which one of us at the other end heeds.
 * now_ms judges the dates of certificates.  0 or -1; the handshake goes on in
 * read and write, and its failure is said in t.s.why in words ("certificate
 * has expired").  Until t.up nothing that was written has left this host. */
int tls_client(struct tls_client *t, int fd, const char *host,
    const struct tls_trust *trust, int64_t now_ms, unsigned char *buf,
    size_t n, struct fail *why);

/* The same over another socket: to the same, who may remember the session
 * (RFC 5246 7.3). */
int tls_client_again(struct tls_client *t, int fd, int64_t now_ms,
    struct fail *why);

#endif
