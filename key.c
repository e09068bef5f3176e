/* key.c: see key.h. */
#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

#include <bearssl.h>

#include "key.h"

/* A UUID, read from its start, is a new one each time: 122 random bits. */
static int
random_uuids(unsigned char *p, size_t n, struct fail *why)
{
	int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);
	unsigned char hash[KEY_HASH];
	bool ok = fd != -1;
	char text[3][36];
	size_t i, k;

	for (; n > 0 && ok; p += k, n -= k) {
		for (i = 0; i < COUNT(text) && ok; i++)
			ok = pread(fd, text[i], sizeof *text, 0) ==
			    sizeof *text;
		key_hash((struct str){ text[0], sizeof text }, hash);
		k = n < sizeof hash ? n : sizeof hash;
		memcpy(p, hash, k);
	}
	if (fd != -1)
		close(fd);
	return ok ? 0 : fail(why, "no random numbers: neither /dev/urandom "
	    "nor /proc");
}

int
key_random(unsigned char *p, size_t n, struct fail *why)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd == -1)
		return random_uuids(p, n, why);
	while (n > 0 && rc == 0) {
		ssize_t k = read(fd, p, n);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (k == 0)
			rc = fail(why, "/dev/urandom ends");
		else if (errno != EINTR)
			rc = fail_errno(why, "/dev/urandom");
	}
	if (close(fd) == -1 && rc == 0)
		rc = fail_errno(why, "/dev/urandom");
	return rc;
}

/* A prefix and 160 bits in base32. */
static void
put_key(char text[KEY_TEXT], const char *prefix, const unsigned char *bits)
{
	static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

	assert(strlen(prefix) == 3);
	memcpy(text, prefix, 3);
	for (unsigned i = 0; i < 32; i++) {
		/* The two bytes that hold bits 5i to 5i + 4. */
		unsigned at = i * 5 / 8, skip = i * 5 % 8;
		unsigned two = (unsigned)bits[at] << 8 |
		    (at + 1 < KEY_BYTES ? bits[at + 1] : 0u);

		text[3 + i] = base32[two >> (11 - skip) & 31];
	}
	text[KEY_TEXT - 1] = '\0';
}

int
key_make(const char *prefix, char text[KEY_TEXT], struct fail *why)
{
	unsigned char bits[KEY_BYTES];

	if (key_random(bits, sizeof bits, why) == -1)
		return -1;
	put_key(text, prefix, bits);
	return 0;
}

void
key_derive(const char *prefix, struct str secret, struct str word,
    char text[KEY_TEXT])
{
	unsigned char mac[KEY_HASH];
	br_hmac_key_context key;
	br_hmac_context ctx;

	br_hmac_key_init(&key, &br_sha256_vtable, secret.p, secret.n);
	br_hmac_init(&ctx, &key, 0);
	br_hmac_update(&ctx, word.p, word.n);
	br_hmac_out(&ctx, mac);
	put_key(text, prefix, mac);
}

void
key_hash(struct str s, unsigned char hash[KEY_HASH])
{
	br_sha256_context ctx;

	br_sha256_init(&ctx);
	br_sha256_update(&ctx, s.p, s.n);
	br_sha256_out(&ctx, hash);
}

bool
key_same(const unsigned char *a, const unsigned char *b, size_t n)
{
	volatile unsigned char differ = 0;	/* no early end, whatever -O */

	for (size_t i = 0; i < n; i++)
		differ = (unsigned char)(differ | (a[i] ^ b[i]));
	return differ == 0;
}
