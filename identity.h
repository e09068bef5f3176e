/*
 * identity.h: who the server is over TLS: a key and certificate of its own in
 * DIR/tls.pem, made at the first start; the one to follow it, once it is
 * wanted, in DIR/tls-next.pem; and those that a configuration names.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "key.h"
#include "tls.h"

#define IDENTITY_FILE_MAX	65536	/* bytes of a PEM file */
#define IDENTITY_PINS		(2 * TLS_PIN_TEXT)	/* "PIN,PIN", NUL */

/* One, and the one before it, which handshakes may still show. */
struct identity {
	struct tls_identity of[2];
	unsigned now;
};
#define identity_of(i)	(&(i)->of[(i)->now])

/* Read one of two files in place of what there is; the one before it goes.  0
 * or -1: it is as it was. */
int identity_read(struct identity *id, const char *cert, const char *key,
    struct fail *why);

/* Our own. */
extern struct identity identity_own;

/* Read our own, or make it, for localhost, this host and more, names and
 * addresses, which are kept; a certificate that lacks one of them is made anew,
 * of the same key.  0 or -1. */
int identity_open(const char *dir, const char *const *more, size_t n,
    struct fail *why);

/* Its pin, and after a comma that of the next one, if there is one. */
void identity_pins(char text[IDENTITY_PINS]);

/* A secret that nobody knows who has not its key, of this use: one that goes
 * with it. */
void identity_secret(struct str use, char text[KEY_TEXT]);

/* Make the next one, if there is none; put it in the place of our own.  0 or
 * -1. */
int identity_next(struct fail *why);
int identity_switch(struct fail *why);

#endif
