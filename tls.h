/*
 * tls.h: TLS 1.2 by BearSSL, as a struct stream.
 *
 * Own profile: ECDHE with AES-GCM or ChaCha20-Poly1305, SHA-256/384/512, RSA
 * of 2048 bits or more, no renegotiation.  The peer's name is always
 * checked against a dNSName of its certificate (and, without any, its CN);
 * there is no way to skip it.  IP addresses are no names yet.
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

#include "stream.h"

#define TLS_ANCHORS_MAX		512	/* authorities */
#define TLS_ANCHORS_BYTES	262144	/* of their names and keys */
#define TLS_FILE_MAX		4194304	/* bytes of a file of certificates */
#define TLS_HOST_MAX		253	/* bytes of a host's name */

/* Large: give it static storage; pages that are not needed cost nothing. */
struct tls_anchors {
	br_x509_trust_anchor ta[TLS_ANCHORS_MAX];
	size_t n;
	unsigned char bytes[TLS_ANCHORS_BYTES];
	size_t used;
};

/* Read the PEM certificates of a file, in place of what is in *a; those that
 * BearSSL cannot use (Ed25519) or that are damaged are passed over.  0, or
 * -1: unreadable, more than the limits, or not one usable; then *a is
 * empty. */
int tls_anchors_load(struct tls_anchors *a, const char *path,
    struct fail *why);

struct tls_client {
	struct stream s;	/* first: a tls_client is a stream */
	struct stream raw;	/* the socket, and what its faults were */
	br_ssl_client_context sc;
	br_x509_minimal_context xc;
	unsigned char iobuf[BR_SSL_BUFSIZE_BIDI];
	int64_t now_ms;		/* what the dates were judged by */
	bool up;		/* the handshake is done */
};

/* Start over a connected, non-blocking socket, which stays the caller's.
 * now_ms judges the dates of certificates; *a must outlive t.  0 or -1;
 * the handshake goes on in read and write, and its failure is said in s.why
 * in words ("certificate has expired").  Until t->up nothing that was
 * written has left this host. */
int tls_client(struct tls_client *t, int fd, const char *host,
    const struct tls_anchors *a, int64_t now_ms, struct fail *why);

#endif
