/*
 * tls.h: TLS 1.2 by BearSSL, as a struct stream.
 *
 * Own profile: ECDHE with AES-GCM or ChaCha20-Poly1305, SHA-256/384/512, RSA
 * of 2048 bits or more, no renegotiation.  The peer's name is always
 * checked against a dNSName of its certificate (and, without any, its CN);
 * there is no way to skip it.  IP addresses are no names yet.
 */
#ifndef TLS_H
#define TLS_H

#include <bearssl.h>

#include "stream.h"

struct tls_anchors {
	br_x509_trust_anchor *ta;
	size_t n;
};

/* Read the PEM certificates of a file; those BearSSL cannot use (Ed25519)
 * are passed over.  0, or -1: unreadable, or not one usable. */
int tls_anchors_load(struct tls_anchors *a, const char *path,
    struct fail *why);

struct tls_client {
	struct stream s;	/* first: a tls_client is a stream */
	br_ssl_client_context sc;
	br_x509_minimal_context xc;
	unsigned char iobuf[BR_SSL_BUFSIZE_BIDI];
	bool wrote;
};

/* Start over a connected, non-blocking socket.  now_ms judges the dates of
 * certificates.  0 or -1; the handshake goes on in read and write, and its
 * failure is said in s.why in words ("certificate has expired"). */
int tls_client(struct tls_client *t, int fd, const char *host,
    const struct tls_anchors *a, int64_t now_ms, struct fail *why);

#endif
