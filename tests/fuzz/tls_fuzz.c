/*
 * tls_fuzz.c: any bytes as a certificate, a hello, a pin, a PEM identity and
 * gzip.  What must hold: no access beyond the bytes, and what is taken borrows
 * from what was given.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -o tls_fuzz \
 *	    tests/fuzz/tls_fuzz.c tls.c tls_cert.c tls_server.c gzip.c key.c \
 *	    stream.c str.c fail.c loop_linux.c -lbearssl -lz
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../gzip.h"
#include "../../tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
within(struct str in, struct str s)
{
	assert(s.n == 0 || (s.p >= in.p && s.p + s.n <= in.p + in.n));
}

static void
certificate(struct str in)
{
	unsigned char pin[TLS_PIN];
	char text[64];
	struct tls_cert c;
	struct str rest, name;
	struct buf b = BUF(text);

	if (tls_cert_read(in, &c) == -1)
		return;
	within(in, c.key);
	within(in, c.names);
	assert(c.from_ms >= 0 && c.to_ms <= TIME_MAX);
	rest = c.names;
	while (tls_cert_name(&rest, &name) != -1)
		within(in, name);
	tls_cert_show(&b, &c);
	(void)tls_cert_for(&c, "127.0.0.1");
	(void)tls_cert_for(&c, "localhost");
	tls_cert_pin(&c, pin);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct tls_identity id;
	static char out[4096];
	unsigned char pin[TLS_PIN];
	struct buf b = BUF(out);
	unsigned fragment;
	struct fail why;
	struct str in;
	char *copy;

	if (n == 0)
		return 0;
	copy = malloc(n);	/* of its very size: its end is guarded */
	memcpy(copy, p + 1, n - 1);
	in = (struct str){ copy, n - 1 };
	switch (p[0] % 5) {
	case 0: certificate(in); break;
	case 1:
		(void)tls_hello(in, &fragment);
		assert(fragment == 0 || (fragment >= 512 && fragment <= 4096));
		break;
	case 2: (void)tls_pin_read(in, pin); break;
	case 3: (void)tls_identity_read(&id, in, in, &why); break;
	default:
		if (gzip_unpack(&b, in, &why) == 0)
			assert(!b.full);
		assert(b.n <= sizeof out);
	}
	free(copy);
	return 0;
}
