/* tls_impl.h: what the files of tls share.  See tls.h. */
#ifndef TLS_IMPL_H
#define TLS_IMPL_H

#include "tls.h"

/* Tags of DER (ITU-T X.690 8), and two of a certificate (RFC 5280 4.1). */
#define DER_INTEGER	0x02
#define DER_BIT_STRING	0x03
#define DER_OCTETS	0x04
#define DER_OID		0x06
#define DER_UTF8	0x0c
#define DER_UTC_TIME	0x17
#define DER_TIME	0x18
#define DER_SEQUENCE	0x30
#define DER_SET		0x31
#define DER_VERSION	0xa0
#define DER_EXTENSIONS	0xa3

/* Set a stream over fd, and what we speak, which both sides agree in. */
void tls_begin(struct tls *t, int fd, br_ssl_engine_context *e);

/* Why the engine stopped, in words, into t->s.why.  -1. */
int tls_broken(struct tls *t);

#endif
