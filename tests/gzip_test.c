/* gzip.c: round trips, bombs, cuts, and each byte changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gzip.h"
#include "test.h"

#define LARGE	300000

static char in[LARGE], out[LARGE], packed[LARGE];

static uint32_t seed = 1;

static char
noise(void)
{
	seed = seed * 1664525 + 1013904223;
	return (char)(seed >> 24);
}

static size_t
pack(size_t n)
{
	struct buf b = BUF(packed);

	CHECK_ROW(n, gzip_pack(&b, (struct str){ in, n }) == 0);
	return b.n;
}

static void
test_round_trips(void)
{
	static const size_t sizes[] = { 0, 1, 2, 100, 4095, 4096, 4097, 65536,
	    LARGE / 2 };
	struct fail why;
	size_t i, k, n;

	for (i = 0; i < COUNT(sizes); i++)
		for (k = 0; k < 3; k++) {
			struct buf b;

			for (n = 0; n < sizes[i]; n++)
				in[n] = k == 0 ? 'a' : k == 1 ?
				    (char)(n * n / 100) : noise();
			n = pack(sizes[i]);
			buf_init(&b, out, sizes[i]);
			CHECK_ROW(i, gzip_unpack(&b, (struct str){ packed,
			    n }, &why) == 0 && b.n == sizes[i] &&
			    memcmp(in, out, b.n) == 0);
			if (sizes[i] == 0)
				continue;
			/* One byte less of room. */
			buf_init(&b, out, sizes[i] - 1);
			CHECK_ROW(i, gzip_unpack(&b, (struct str){ packed,
			    n }, &why) == -1 && b.full);
		}
}

/* What others packed: a window of 32 KiB, a name in the head, two members. */
static const unsigned char members[] = {
	0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3, 'a', 0,
	0x4b, 0x4c, 4, 0, 0xd7, 0x19, 0x8a, 0x07, 2, 0, 0, 0,
	0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3,
	0x4b, 0x4c, 4, 0, 0xd7, 0x19, 0x8a, 0x07, 2, 0, 0, 0,
};

static void
test_damage(void)
{
	struct fail why;
	size_t i, n;
	struct buf b = BUF(out);

	memset(in, 'x', 1000);
	n = pack(1000);
	CHECK(n < 60);
	for (i = 0; i < n; i++) {
		b = BUF(out);
		CHECK_ROW(i, gzip_unpack(&b, (struct str){ packed, i },
		    &why) == -1 && !b.full && strcmp(why.msg,
		    "gzip that is cut short") == 0);
	}
	for (i = 0; i < n * 8; i++) {
		packed[i / 8] ^= (char)(1 << i % 8);
		b = BUF(out);
		/* Head and padding may change, and how far back a run of one
		 * byte is copied from: never what comes out. */
		if (gzip_unpack(&b, (struct str){ packed, n }, &why) == 0)
			CHECK_ROW(i, b.n == 1000 && memcmp(out, in, 1000) ==
			    0);
		packed[i / 8] ^= (char)(1 << i % 8);
	}
	memcpy(packed + n, "junk", 4);
	b = BUF(out);
	CHECK(gzip_unpack(&b, (struct str){ packed, n + 4 }, &why) == -1);
	b = BUF(out);
	CHECK(gzip_unpack(&b, STR("{\"a\": 1}"), &why) == -1 && !b.full);
	/* A hundred bytes and more for each one. */
	memset(in, 0, sizeof in);
	n = pack(sizeof in);
	buf_init(&b, out, 65536);
	CHECK(n < 3000 && gzip_unpack(&b, (struct str){ packed, n }, &why) ==
	    -1 && b.full && b.n == 65536);
	buf_init(&b, out, 20);
	CHECK(gzip_pack(&b, (struct str){ in, 100000 }) == -1);
}

int
main(void)
{
	struct buf b = BUF(out);
	struct fail why;

	test_round_trips();
	test_damage();
	if (CHECK(gzip_unpack(&b, (struct str){ (const char *)members,
	    sizeof members }, &why) == 0))
		CHECK(str_is(str_from(&b), "aaaa"));
	return test_end();
}
