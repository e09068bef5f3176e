#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A second key.c, over calls that fail when told to. */
static int test_open(const char *path, int flags);
static ssize_t test_read(int fd, void *p, size_t n);
static ssize_t test_pread(int fd, void *p, size_t n, off_t at);
static int test_close(int fd);
#define open	test_open
#define read	test_read
#define pread	test_pread
#define close	test_close
#define key_random	faulty_random
#define key_make	faulty_make
#define key_hash	faulty_hash
#define key_derive	faulty_derive
#define key_same	faulty_same
#include "../key.c"
#undef open
#undef read
#undef pread
#undef close
#undef key_random
#undef key_make
#undef key_hash
#undef key_derive
#undef key_same
#undef KEY_H
#include "../key.h"

#include "test.h"

static enum { WELL, NO_FILE, INTERRUPTED, ENDS, BROKEN, CLOSE_FAILS, NO_DEV,
    UUID_ENDS } fault;
static int calls, opened;

static int
test_open(const char *path, int flags)
{
	bool dev = strcmp(path, "/dev/urandom") == 0;

	CHECK(dev || strcmp(path, "/proc/sys/kernel/random/uuid") == 0);
	CHECK(flags == (O_RDONLY | O_CLOEXEC));
	if (fault == NO_FILE || (dev && fault >= NO_DEV)) {
		errno = ENOENT;
		return -1;
	}
	opened++;
	return 1000;
}

/* One byte a call, 0, 1, 2 ...: every third call meets the fault. */
static ssize_t
test_read(int fd, void *p, size_t n)
{
	CHECK(fd == 1000 && n > 0);
	if (++calls % 3 == 0 && fault != WELL && fault != CLOSE_FAILS) {
		errno = fault == INTERRUPTED ? EINTR : EIO;
		return fault == ENDS ? 0 : -1;
	}
	if (n > 3 && fault == WELL)
		n = 3;
	else
		n = 1;
	memset(p, 0xa5, n);
	return (ssize_t)n;
}

/* Each call's text is another; the third may be short. */
static ssize_t
test_pread(int fd, void *p, size_t n, off_t at)
{
	CHECK(fd == 1000 && n == 36 && at == 0 && fault >= NO_DEV);
	memset(p, ++calls, n);
	return (ssize_t)n - (calls % 3 == 0 && fault == UUID_ENDS);
}

static int
test_close(int fd)
{
	CHECK(fd == 1000);
	opened--;
	errno = EIO;
	return fault == CLOSE_FAILS ? -1 : 0;
}

static void
test_faults(void)
{
	static const struct {
		int fault, rc;
		const char *why;
	} row[] = {
		{ WELL,		0,	"" },
		{ INTERRUPTED,	0,	"" },
		{ NO_FILE,	-1,	"no random numbers: neither /dev/ura" },
		{ ENDS,		-1,	"/dev/urandom ends" },
		{ BROKEN,	-1,	"/dev/urandom: " },
		{ CLOSE_FAILS,	-1,	"/dev/urandom: " },
		{ NO_DEV,	0,	"" },
		{ UUID_ENDS,	-1,	"no random numbers: neither /dev/ura" },
	};
	unsigned char p[11];
	char text[KEY_TEXT];
	size_t i, k;

	for (i = 0; i < COUNT(row); i++) {
		struct fail why = { "" };

		fault = row[i].fault;
		calls = opened = 0;
		memset(p, 0, sizeof p);
		CHECK_ROW(i, faulty_random(p, 10, &why) == row[i].rc);
		CHECK_ROW(i, strncmp(why.msg, row[i].why,
		    strlen(row[i].why)) == 0);
		CHECK_ROW(i, opened == 0);
		for (k = 0; k < 10 && row[i].rc == 0 && fault != NO_DEV; k++)
			CHECK_ROW(i, p[k] == 0xa5);
		CHECK_ROW(i, p[10] == 0);	/* and none too many */
		CHECK_ROW(i, faulty_make("vk_", text, &why) == row[i].rc);
	}
	/* a5a5a5a5a5 a5... in base32 (RFC 4648, 10100 10110 10010 ...) */
	fault = WELL;
	CHECK(faulty_make("va_", text, &(struct fail){ "" }) == 0);
	CHECK(strcmp(text, "va_uws2ljnfuws2ljnfuws2ljnfuws2ljnf") == 0);
}

/* With no /dev: the hash of three UUIDs for every 32 bytes. */
static void
test_uuids(void)
{
	unsigned char p[2 * KEY_HASH], want[KEY_HASH];
	struct fail why = { "" };
	char text[3 * 36];
	int i, k;

	fault = NO_DEV;
	calls = 0;
	CHECK(faulty_random(p, sizeof p, &why) == 0 && calls == 6);
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 3; k++)
			memset(text + 36 * k, 3 * i + k + 1, 36);
		key_hash((struct str){ text, sizeof text }, want);
		CHECK_ROW(i, memcmp(p + i * KEY_HASH, want, KEY_HASH) == 0);
	}
}

static void
test_random(void)
{
	unsigned char a[64], b[64], all = 0;
	struct fail why;
	size_t i, k;

	memset(a, 0, sizeof a);
	CHECK(key_random(a, 0, &why) == 0 && a[0] == 0);
	for (i = 0; i < 64; i++) {
		CHECK(key_random(b, sizeof b, &why) == 0);
		CHECK(memcmp(a, b, sizeof a) != 0);
		memcpy(a, b, sizeof a);
		for (k = 0; k < sizeof b; k++)
			all |= b[k];
	}
	CHECK(all == 0xff);
}

static void
test_make(void)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	char text[KEY_TEXT], last[KEY_TEXT] = "";
	bool seen[32] = { false };
	struct fail why;
	int i, k, missing = 0;

	for (i = 0; i < 100; i++) {
		CHECK(key_make("vo_", text, &why) == 0);
		CHECK(strlen(text) == KEY_TEXT - 1);
		CHECK(strncmp(text, "vo_", 3) == 0);
		for (k = 3; k < KEY_TEXT - 1; k++) {
			const char *at = strchr(digits, text[k]);

			if (CHECK(at != NULL))
				seen[at - digits] = true;
		}
		CHECK(strcmp(text, last) != 0);
		memcpy(last, text, sizeof last);
	}
	for (i = 0; i < 32; i++)
		missing += !seen[i];
	CHECK(missing == 0);
}

/* FIPS 180-4's examples, and the edges of a block. */
static const struct {
	const char *in, *hash;
} hashes[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1" },
};

static void
test_hash(void)
{
	unsigned char h[KEY_HASH];
	char hex[2 * KEY_HASH + 1];
	size_t i;

	for (i = 0; i < COUNT(hashes); i++) {
		key_hash(str_of(hashes[i].in), h);
		str_hex(hex, h, sizeof h);
		CHECK_ROW(i, strcmp(hex, hashes[i].hash) == 0);
	}
	key_hash(str_of(NULL), h);
	str_hex(hex, h, sizeof h);
	CHECK(strcmp(hex, hashes[0].hash) == 0);
}

static void
test_same(void)
{
	unsigned char a[KEY_HASH], b[KEY_HASH];
	size_t i;
	int bit;

	key_hash(STR("abc"), a);
	memcpy(b, a, sizeof b);
	CHECK(key_same(a, b, sizeof a));
	for (i = 0; i < sizeof a; i++)
		for (bit = 0; bit < 8; bit++) {
			b[i] ^= (unsigned char)(1 << bit);
			CHECK_ROW(i, !key_same(a, b, sizeof a));
			CHECK_ROW(i, key_same(a, b, i));
			b[i] ^= (unsigned char)(1 << bit);
		}
	CHECK(key_same(a, b, 0));
}

/* By python's hmac and base64. */
static void
test_derive(void)
{
	char text[KEY_TEXT], other[KEY_TEXT];

	key_derive("va_", STR("ve_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    STR("router-7"), text);
	CHECK(strcmp(text, "va_ix2by6ngnq2zoi3j5jggpoepcggjuq27") == 0);
	key_derive("va_", STR("ve_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    STR("router-8"), other);
	CHECK(strcmp(text, other) != 0);
}

int
main(void)
{
	test_faults();
	test_uuids();
	test_random();
	test_make();
	test_hash();
	test_same();
	test_derive();
	return test_end();
}
