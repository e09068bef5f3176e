/*
 * key.h: secrets: made, shown once, kept as their SHA-256.
 *
 * A key is a prefix that names its role ("vk_") and 160 random bits in
 * base32 (RFC 4648, lower case): 35 bytes.
 */
#ifndef KEY_H
#define KEY_H

#include "fail.h"
#include "str.h"

#define KEY_TEXT	36	/* bytes of a key and a NUL */
#define KEY_BYTES	20	/* of randomness in it */
#define KEY_HASH	32	/* bytes of its SHA-256 */

/* n random bytes of /dev/urandom (random(4)), or, with no /dev, of what the
 * kernel makes its UUIDs of.  0 or -1. */
int key_random(unsigned char *p, size_t n, struct fail *why);

/* A new key with that prefix of 3 characters, NUL-terminated.  0 or -1. */
int key_make(const char *prefix, char text[KEY_TEXT], struct fail *why);

/* The key that one with this secret has by this word: the first 160 bits of
 * HMAC-SHA256 (RFC 2104). */
void key_derive(const char *prefix, struct str secret, struct str word,
    char text[KEY_TEXT]);

/* The SHA-256 of s, whatever its length. */
void key_hash(struct str s, unsigned char hash[KEY_HASH]);

/* In a time that depends on nothing but n. */
bool key_same(const unsigned char *a, const unsigned char *b, size_t n);

#endif
