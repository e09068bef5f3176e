#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../loop.h"
#include "../tls.h"
#include "test.h"

/*
 * Made with openssl for these tests alone, good from November 2026 until
 * 2126: two authorities and one with an Ed25519 key; below the first, for
 * localhost and *.example.org, a P-256 leaf and its key, the same signed
 * with SHA-1, and RSA leaves of 2048 and 2040 bits.
 */
static const char pem_ca[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcjCCARegAwIBAgIUZHeyCdS1K5vBh3VGCpDjvwQzODQwCgYIKoZIzj0EAwIw\n"
    "DTELMAkGA1UEAwwCQ0EwIBcNMjYxMTIyMTA1NzIyWhgPMjEyNjEwMjkxMDU3MjJa\n"
    "MA0xCzAJBgNVBAMMAkNBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsioLYvV4\n"
    "FlnapqXN4nnKNgicAUCcUKUXlnJ23O+iiLzFXZl0a6nTkA7sCX68erMK57dlNjFV\n"
    "4zk2HXV/dnNPXaNTMFEwHQYDVR0OBBYEFLZOSUXEQ7tE+2sMjjA39L6a6kSUMB8G\n"
    "A1UdIwQYMBaAFLZOSUXEQ7tE+2sMjjA39L6a6kSUMA8GA1UdEwEB/wQFMAMBAf8w\n"
    "CgYIKoZIzj0EAwIDSQAwRgIhAN7Fvw5H6RNeg+pUt6OTsZODXWY5mEYh3KVDd4/E\n"
    "asdbAiEAmv9JI1jDltO7cWqXQ3GD2JFLUCFDpxbfE0UhHbt7BvM=\n"
    "-----END CERTIFICATE-----\n";

static const char pem_other[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCAR2gAwIBAgIUcpMk0U0DxaJ0Sk2jJbotqeu+zvUwCgYIKoZIzj0EAwIw\n"
    "EDEOMAwGA1UEAwwFT3RoZXIwIBcNMjYxMTIyMTA1NzIyWhgPMjEyNjEwMjkxMDU3\n"
    "MjJaMBAxDjAMBgNVBAMMBU90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
    "cfuYqLnCpcxM5OXPuJtYFFqkHTDm/QpwtErVsaXjlerUI2bXpD5/nhuw2quCx/uP\n"
    "9Q5exmq/FdNrzNwKqhiALaNTMFEwHQYDVR0OBBYEFKew++rBEqkBb7l6PAZl78o7\n"
    "Uv3oMB8GA1UdIwQYMBaAFKew++rBEqkBb7l6PAZl78o7Uv3oMA8GA1UdEwEB/wQF\n"
    "MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAPGpJwGh4aUMNFhTnVNhAjZI3LxgDlj9\n"
    "Gr4QKuQLY8mZAiA9aeieMkFAvTaXfbSgK6lsc9DmxrLe9mnHsjjJrz09dw==\n"
    "-----END CERTIFICATE-----\n";

static const char pem_ed25519[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBMDCB46ADAgECAhRPYt7Lk+FCEh5iPP5Z2pjXQNL6UjAFBgMrZXAwDTELMAkG\n"
    "A1UEAwwCRWQwIBcNMjYxMTIyMTA1NzIyWhgPMjEyNjEwMjkxMDU3MjJaMA0xCzAJ\n"
    "BgNVBAMMAkVkMCowBQYDK2VwAyEA1fgU3VYtJFZ6aTXH0UXAYllpIRQyk84SW6c2\n"
    "IEMQq2CjUzBRMB0GA1UdDgQWBBRNklFo3TQZmEbhO47ovBRFtxRZcDAfBgNVHSME\n"
    "GDAWgBRNklFo3TQZmEbhO47ovBRFtxRZcDAPBgNVHRMBAf8EBTADAQH/MAUGAytl\n"
    "cANBAHUVu9LXC1l36eXSfU3ZnwYNV44nDUscnwwUC15Gznzn4anSBSkdu7kSo/mS\n"
    "QgO4zew4vCt8KQqmZio9UOcMyQg=\n"
    "-----END CERTIFICATE-----\n";

static const char pem_leaf[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdzCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJDQTAgFw0y\n"
    "NjExMjIxMDU3MjJaGA8yMTI2MTAyODEwNTcyMlowDDEKMAgGA1UEAwwBeDBZMBMG\n"
    "ByqGSM49AgEGCCqGSM49AwEHA0IABFQgqjubHyzGXp5x/n0HE02uSdm9JR394WiQ\n"
    "+LDLX289uW42820x7Bu+3PPJsQBPkHEF/FBx0rg3vvBjuibzayajbTBrMCkGA1Ud\n"
    "EQQiMCCCCWxvY2FsaG9zdIINKi5leGFtcGxlLm9yZ4cEfwAAATAdBgNVHQ4EFgQU\n"
    "zij5D3Lfsp/pqoalzREe6Zx7IZowHwYDVR0jBBgwFoAUtk5JRcRDu0T7awyOMDf0\n"
    "vprqRJQwCgYIKoZIzj0EAwIDSAAwRQIgfjHLV86BQyZhPZHW1Suw6vdg2iPk98QQ\n"
    "o7cEFbdm7VMCIQDt5Qi5dYtybQl3V7AdQf8SARKNhH7frMlL2nG4Po6Bpg==\n"
    "-----END CERTIFICATE-----\n";

static const char pem_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4xIWO/PSwm7tRr4u\n"
    "a0YkoGUQnFDQCuQMP0nGj75fQdShRANCAARUIKo7mx8sxl6ecf59BxNNrknZvSUd\n"
    "/eFokPiwy19vPbluNvNtMewbvtzzybEAT5BxBfxQcdK4N77wY7om82sm\n"
    "-----END PRIVATE KEY-----\n";

static const char pem_sha1[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdjCCARygAwIBAgIBAjAJBgcqhkjOPQQBMA0xCzAJBgNVBAMMAkNBMCAXDTI2\n"
    "MTEyMjEwNTcyMloYDzIxMjYxMDI4MTA1NzIyWjAMMQowCAYDVQQDDAF4MFkwEwYH\n"
    "KoZIzj0CAQYIKoZIzj0DAQcDQgAEVCCqO5sfLMZennH+fQcTTa5J2b0lHf3haJD4\n"
    "sMtfbz25bjbzbTHsG77c88mxAE+QcQX8UHHSuDe+8GO6JvNrJqNtMGswKQYDVR0R\n"
    "BCIwIIIJbG9jYWxob3N0gg0qLmV4YW1wbGUub3JnhwR/AAABMB0GA1UdDgQWBBTO\n"
    "KPkPct+yn+mqhqXNER7pnHshmjAfBgNVHSMEGDAWgBS2TklFxEO7RPtrDI4wN/S+\n"
    "mupElDAJBgcqhkjOPQQBA0kAMEYCIQCN9f5NOD4+Yj5dQs89UPIIqOpSGV314chk\n"
    "m07dM4W1fwIhAIjUfRT/XHlV2A5ACaH7Eo7x03Lwqm/I+cHFmKoe6z3a\n"
    "-----END CERTIFICATE-----\n";

static const char pem_rsa2048[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICQjCCAeigAwIBAgIBAzAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJDQTAgFw0y\n"
    "NjExMjIxMDU3MjNaGA8yMTI2MTAyODEwNTcyM1owDDEKMAgGA1UEAwwBeDCCASIw\n"
    "DQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBALgKPv+Lkadz2OmmAO9cqhCSLzmQ\n"
    "wTxRlSYASNNzdrmIu3mEis7jZbSmN9/Q/7gV5neCh84Ha5Ku/11EgFRD5+BuuVNA\n"
    "9X2hf3N2J4BRdSeX8Al8uzEFQxfGjFNKxAzFLXtZx6mjHeC9dTYUIW84eY2jVcTA\n"
    "VJvI+VuWYv2dH6BM/CmMtwttwTwF2BHoGklfJbTCfvU2gU+1bZpBBT77pinTsmTD\n"
    "kHdSC9WjI9NDErVTehae9msElM2E62/k1wv+kzrvgoJPY6GZjuU7+8rtc85h6QOj\n"
    "sPKeYXqNbS/WNF6iSvuUpjU55kVkMyJQdlFGHCnNGH9lmyTC4EPfjBx17QECAwEA\n"
    "AaNtMGswKQYDVR0RBCIwIIIJbG9jYWxob3N0gg0qLmV4YW1wbGUub3JnhwR/AAAB\n"
    "MB0GA1UdDgQWBBT3gsZelJmzTqPXSGEHPHOI+H1FMjAfBgNVHSMEGDAWgBS2TklF\n"
    "xEO7RPtrDI4wN/S+mupElDAKBggqhkjOPQQDAgNIADBFAiEAwgrSDhF/S2JvFrx6\n"
    "BXCz3z9CZGGsukmXxz27HU3FxbUCIG85gQa61SBd2XhI5aIX43fGoDPMtH+q8X98\n"
    "AIFiRv3G\n"
    "-----END CERTIFICATE-----\n";

static const char pem_rsa2040[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICQjCCAeegAwIBAgIBBDAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJDQTAgFw0y\n"
    "NjExMjIxMDU3MjNaGA8yMTI2MTAyODEwNTcyM1owDDEKMAgGA1UEAwwBeDCCASEw\n"
    "DQYJKoZIhvcNAQEBBQADggEOADCCAQkCggEAALYDvviHUp/B9mYUSTwtL6chF5Wh\n"
    "FiyC8hYNqwI/dJUrl7BMGlm6Rit3X3RfvfmEDW0j56jKzlMtWCWbHK3PIw+MY2jO\n"
    "iJgWVcoBsfO+3ruaBbak06dcx3B3nh8i4r7UoHjcPlUPJgIsyp1UJmc7q0DPxfFH\n"
    "rrrsIfi+7xE9cdAWLlksyg2X6jQviuV0nUJCh+n9hezdbCcGyZnC+W8uCbs1D+5u\n"
    "HW4kQRCBAVz32HEyhMLuXl33irOPTqht9btrnvKNlGZP900jOlIzscR1vYaxNTYr\n"
    "DFoywo5oA3y1SNpesyKwGz315+nly4w7t40NH25tKcNQw7YgLBVp0+nXSwIDAQAB\n"
    "o20wazApBgNVHREEIjAggglsb2NhbGhvc3SCDSouZXhhbXBsZS5vcmeHBH8AAAEw\n"
    "HQYDVR0OBBYEFPXb3aj9EK6eV8J6jO2/06voAWSlMB8GA1UdIwQYMBaAFLZOSUXE\n"
    "Q7tE+2sMjjA39L6a6kSUMAoGCCqGSM49BAMCA0kAMEYCIQDvdUDsTbnVyDPWQVbs\n"
    "/xoDEvABKr0r2gqqkfVgI/Ho8QIhAN7vhbK9JlJgCXeRxmcNmUAkYdDwc5MkBb1c\n"
    "ZfnpB1ko\n"
    "-----END CERTIFICATE-----\n";

#define YEAR_MS		(INT64_C(365) * 86400000)
#define NOW_MS		(INT64_C(60) * YEAR_MS)		/* in 2029 */
#define MANY		40000

static struct tls_anchors anchors, others;
static char dir[] = "/tmp/tls_test.XXXXXX";

/* A PEM object of each kind as the server wants it. */
struct der {
	unsigned char p[2048];
	size_t n;
	bool full;
};

static void
to_der(void *ctx, const void *p, size_t n)
{
	struct der *d = ctx;

	if (n > sizeof d->p - d->n) {
		d->full = true;
		return;
	}
	memcpy(d->p + d->n, p, n);
	d->n += n;
}

static struct der
der(const char *pem)
{
	br_pem_decoder_context pc;
	struct der d = { .n = 0 };
	size_t n = strlen(pem), k;

	br_pem_decoder_init(&pc);
	while (n > 0) {
		k = br_pem_decoder_push(&pc, pem, n);
		if (br_pem_decoder_event(&pc) == BR_PEM_BEGIN_OBJ)
			br_pem_decoder_setdest(&pc, to_der, &d);
		pem += k;
		n -= k;
	}
	CHECK(d.n > 0 && !d.full);
	return d;
}

/* The other side: BearSSL's server over one end of a socket pair. */
struct server {
	br_ssl_server_context sc;
	br_skey_decoder_context key;
	br_x509_certificate chain;
	struct der cert;
	unsigned char iobuf[BR_SSL_BUFSIZE_BIDI];
	int fd;
	size_t piece;		/* bytes sent at once */
	size_t sent;
};

static struct server server;
static struct tls_client client;
static struct tls_trust trust;
static unsigned char room[TLS_LARGE];	/* the client's */

static void
serve(int fd, const char *cert, size_t piece)
{
	struct server *s = &server;
	struct der key = der(pem_key);

	s->fd = fd;
	s->piece = piece;
	s->sent = 0;
	s->cert = der(cert);
	s->chain.data = s->cert.p;
	s->chain.data_len = s->cert.n;
	br_skey_decoder_init(&s->key);
	br_skey_decoder_push(&s->key, key.p, key.n);
	br_ssl_server_init_full_ec(&s->sc, &s->chain, 1, BR_KEYTYPE_EC,
	    br_skey_decoder_get_ec(&s->key));
	br_ssl_engine_set_buffer(&s->sc.eng, s->iobuf, sizeof s->iobuf, 1);
	CHECK(br_ssl_server_reset(&s->sc) == 1);
}

/* Move what can be moved on the server's side. */
static void
turn(void)
{
	br_ssl_engine_context *e = &server.sc.eng;
	unsigned char *p;
	ssize_t k = 1;
	size_t n;

	while (k > 0) {
		k = 0;
		if ((p = br_ssl_engine_sendrec_buf(e, &n)) != NULL) {
			n = n < server.piece ? n : server.piece;
			k = send(server.fd, p, n, MSG_NOSIGNAL);
			if (k > 0)
				br_ssl_engine_sendrec_ack(e, (size_t)k);
			server.sent += k > 0 ? (size_t)k : 0;
			if (server.piece == 1)
				return;
		} else if ((p = br_ssl_engine_recvrec_buf(e, &n)) != NULL) {
			k = recv(server.fd, p, n, 0);
			if (k > 0)
				br_ssl_engine_recvrec_ack(e, (size_t)k);
		}
	}
}

static void
pair(int p[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
}

static void
unpair(int p[2])
{
	close(p[0]);
	close(p[1]);
}

static void
begin(int fd, const char *host, const struct tls_anchors *a, int64_t now_ms)
{
	struct fail why;

	trust = (struct tls_trust){ .anchors = a };
	if (!CHECK(tls_client(&client, fd, host, &trust, now_ms, room,
	    sizeof room, &why) == 0))
		printf("%s\n", why.msg);
}

/* Write one byte, the handshake before it.  What write said at last. */
static ssize_t
handshake(void)
{
	struct stream *s = &client.t.s;
	ssize_t rc = STREAM_AGAIN;
	int i;

	for (i = 0; i < 9000 && rc == STREAM_AGAIN; i++) {
		rc = s->ops->write(s, "x", 1);
		turn();
	}
	return rc;
}

#define NAME	"certificate is for another name: localhost, " \
		"*.example.org, 127.0.0.1"
#define UNKNOWN	"certificate is not signed by a known authority"
#define EARLY	"certificate is not valid before 2026-11-22 10:57:22 UTC; " \
		"the clock here says "
#define LATE	"certificate has expired on 2126-10-28 10:57:22 UTC; " \
		"the clock here says "

static const struct {
	const char *host, *cert, *why;	/* NULL: all well */
	const struct tls_anchors *a;
	int64_t now_ms;
} shakes[] = {
	{ "localhost",		pem_leaf, NULL,	&anchors, NOW_MS },
	{ "LOCALHOST",		pem_leaf, NULL,	&anchors, NOW_MS },
	{ "a.example.org",	pem_leaf, NULL,	&anchors, NOW_MS },
	{ "a.b.example.org",	pem_leaf, NAME,	&anchors, NOW_MS },
	{ "example.org",	pem_leaf, NAME,	&anchors, NOW_MS },
	{ "localhost.",		pem_leaf, NAME,	&anchors, NOW_MS },
	{ "localhos",		pem_leaf, NAME,	&anchors, NOW_MS },
	{ "x",			pem_leaf, NAME,	&anchors, NOW_MS },
	{ "127.0.0.1",		pem_leaf, NULL,	&anchors, NOW_MS },
	{ "127.0.0.2",		pem_leaf, NAME,	&anchors, NOW_MS },
	{ "::1",		pem_leaf, NAME,	&anchors, NOW_MS },
	{ "::ffff:127.0.0.1",	pem_leaf, NAME,	&anchors, NOW_MS },
	{ "127.0.0.1",		pem_leaf, UNKNOWN, &others, NOW_MS },
	{ "localhost",		pem_leaf, UNKNOWN, &others, NOW_MS },
	{ "localhost",		pem_leaf, EARLY "1970-01-01 00:00:00 UTC",
	    &anchors, 0 },
	{ "localhost",		pem_leaf, EARLY "1970-01-01 00:00:00 UTC",
	    &anchors, -YEAR_MS },
	{ "localhost",		pem_leaf, LATE "2149-11-18 00:00:00 UTC",
	    &anchors, 180 * YEAR_MS },
	{ "localhost",		pem_sha1, "certificate of a kind not "
	    "supported (SHA-1, RSA-PSS, Ed25519)", &anchors, NOW_MS },
};

static void
test_handshakes(void)
{
	size_t i;

	for (i = 0; i < COUNT(shakes); i++) {
		int p[2];
		ssize_t rc;

		pair(p);
		serve(p[1], shakes[i].cert, 4096);
		begin(p[0], shakes[i].host, shakes[i].a, shakes[i].now_ms);
		rc = handshake();
		CHECK_ROW(i, rc == (shakes[i].why ? STREAM_BAD : 1));
		CHECK_ROW(i, client.t.up == (shakes[i].why == NULL));
		if (shakes[i].why != NULL && !CHECK_ROW(i,
		    strcmp(client.t.s.why.msg, shakes[i].why) == 0))
			printf("got: %s\n", client.t.s.why.msg);
		unpair(p);
	}
}

static void
test_bad_signature(void)
{
	int p[2];

	pair(p);
	serve(p[1], pem_leaf, 4096);
	server.cert.p[server.cert.n - 1] ^= 1;
	begin(p[0], "localhost", &anchors, NOW_MS);
	CHECK(handshake() == STREAM_BAD);
	CHECK(strcmp(client.t.s.why.msg, UNKNOWN) == 0);
	unpair(p);
}

static int
start(const char *host)
{
	struct fail why;

	return tls_client(&client, -1, host, &trust, NOW_MS, room,
	    sizeof room, &why);
}

static void
test_hosts(void)
{
	char host[TLS_HOST_MAX + 2];
	size_t i;

	trust = (struct tls_trust){ .anchors = &anchors };
	CHECK(start("") == -1);
	for (i = TLS_HOST_MAX - 1; i <= TLS_HOST_MAX + 1; i++) {
		memset(host, 'a', i);
		host[i] = '\0';
		CHECK_ROW(i, start(host) == (i <= TLS_HOST_MAX ? 0 : -1));
	}
}

/* A chain of one certificate, judged as a client would. */
static unsigned
judge(const char *cert)
{
	const br_x509_class **x;
	struct der d = der(cert);

	begin(-1, "localhost", &anchors, NOW_MS);
	x = &client.judge.vtable;
	(*x)->start_chain(x, "localhost");
	(*x)->start_cert(x, (uint32_t)d.n);
	(*x)->append(x, d.p, d.n);
	(*x)->end_cert(x);
	return (*x)->end_chain(x);
}

static void
test_key_lengths(void)
{
	CHECK(judge(pem_leaf) == 0);
	CHECK(judge(pem_rsa2048) == 0);
	CHECK(judge(pem_rsa2040) == BR_ERR_X509_WEAK_PUBLIC_KEY);
	CHECK(judge(pem_sha1) == BR_ERR_X509_UNSUPPORTED);
	CHECK(judge(pem_other) == BR_ERR_X509_BAD_SERVER_NAME);
}

static unsigned
two(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* What we offer, byte by byte: TLS 1.2, six suites, no SHA-1, our name. */
static void
test_hello(void)
{
	static const unsigned want[] = { 0xCCA9, 0xCCA8, 0xC02B, 0xC02F,
	    0xC02C, 0xC030 };
	unsigned char h[1024];
	size_t i, n, end;
	bool named = false, signs = false;
	int p[2];

	pair(p);
	begin(p[0], "localhost", &anchors, NOW_MS);
	CHECK(client.t.s.ops->write(&client.t.s, "x", 1) == STREAM_AGAIN);
	CHECK(client.t.s.ops->want(&client.t.s) == LOOP_IN);
	n = (size_t)recv(p[1], h, sizeof h, 0);
	CHECK(n > 80 && n < sizeof h && h[0] == 22 && h[5] == 1);
	CHECK(two(h + 9) == 0x0303 && h[43] == 0);
	CHECK(two(h + 44) == 2 * COUNT(want));
	for (i = 0; i < COUNT(want); i++)
		CHECK_ROW(i, two(h + 46 + 2 * i) == want[i]);
	i = 46 + 2 * COUNT(want) + 2;			/* no compression */
	CHECK(two(h + i) + i + 2 == n);
	for (i += 2; i + 4 <= n; i = end) {
		end = i + 4 + two(h + i + 2);
		if (two(h + i) == 0)
			named = memcmp(h + i + 9, "localhost", 9) == 0;
		if (two(h + i) != 13)
			continue;
		for (signs = true, i += 6; i < end; i += 2)
			CHECK_ROW(h[i], h[i] >= 4 && h[i] <= 6);
	}
	CHECK(named && signs);
	/* Given up in the middle: nothing more to wait for. */
	CHECK(client.t.s.ops->shut(&client.t.s) == 0 && !client.t.up);
	CHECK(client.t.s.ops->write(&client.t.s, "x", 1) != 1);
	unpair(p);
}

/* What a server may say to our hello, and then close. */
static const struct {
	const char *bytes;
	size_t n;
	const char *why;
} replies[] = {
	{ "\25\3\3\0\2\2\106", 7, "the other side speaks no TLS 1.2" },
	{ "\25\3\1\0\2\2\106", 7, "the other side speaks no TLS 1.2" },
	{ "\25\3\3\0\2\2\50", 7, "no TLS 1.2 cipher in common" },
	{ "\25\3\3\0\2\2\160", 7, "the other side knows no such name" },
	{ "\25\3\3\0\2\2\120", 7, "the other side ended TLS with alert 80" },
	{ "HTTP/1.0 400 Bad Request\r\n", 26,
	    "the other side speaks no TLS 1.2" },
	{ "220 mail.example.org ESMTP\r\n", 28,
	    "the other side speaks no TLS 1.2" },
	{ "\25\3\3\0\2\2", 6, "closed during the TLS handshake" },
	{ "", 0, "closed during the TLS handshake" },
};

static void
test_replies(void)
{
	size_t i;

	for (i = 0; i < COUNT(replies); i++) {
		int p[2];
		ssize_t rc;

		pair(p);
		begin(p[0], "localhost", &anchors, NOW_MS);
		rc = client.t.s.ops->write(&client.t.s, "x", 1);
		CHECK_ROW(i, rc == STREAM_AGAIN);
		CHECK_ROW(i, write(p[1], replies[i].bytes, replies[i].n) ==
		    (ssize_t)replies[i].n);
		shutdown(p[1], SHUT_WR);
		rc = client.t.s.ops->write(&client.t.s, "x", 1);
		CHECK_ROW(i, rc == STREAM_BAD && !client.t.up);
		if (!CHECK_ROW(i, strcmp(client.t.s.why.msg, replies[i].why) ==
		    0))
			printf("got: %s\n", client.t.s.why.msg);
		unpair(p);
	}
}

/* Warnings, which lead nowhere: a call takes but some of them, and what is
 * left is taken by later ones. */
static void
test_warnings(void)
{
	struct stream *s = &client.t.s;
	ssize_t left = 700, was;
	char there[1024];
	int p[2], i, calls = 0;

	pair(p);
	begin(p[0], "localhost", &anchors, NOW_MS);
	CHECK(s->ops->write(s, "x", 1) == STREAM_AGAIN);
	for (i = 0; i < 100; i++)
		CHECK(write(p[1], "\25\3\3\0\2\1\132", 7) == 7);
	do {
		was = left;
		CHECK_ROW(calls, (calls % 2 == 0 ? s->ops->write(s, "x", 1) :
		    s->ops->read(s, room, 0)) == STREAM_AGAIN);
		CHECK_ROW(calls, s->ops->want(s) == LOOP_IN);
		left = recv(p[0], there, sizeof there, MSG_PEEK);
		CHECK_ROW(calls, left < was);
	} while (left > 0 && calls++ < 100);
	CHECK(left == -1 && calls > 5);
	unpair(p);
}

/* The server's flights cut after each so many bytes. */
static void
test_cut(void)
{
	size_t cut, whole = 0;

	for (cut = 0; whole == 0; cut += 9) {
		ssize_t rc = STREAM_AGAIN;
		int p[2];

		pair(p);
		serve(p[1], pem_leaf, 1);
		begin(p[0], "localhost", &anchors, NOW_MS);
		while (rc == STREAM_AGAIN && server.sent < cut) {
			rc = client.t.s.ops->write(&client.t.s, "x", 1);
			turn();
		}
		shutdown(p[1], SHUT_WR);
		if (rc == STREAM_AGAIN)
			rc = client.t.s.ops->write(&client.t.s, "x", 1);
		if (rc == 1)
			whole = cut;
		else
			CHECK_ROW(cut, rc == STREAM_BAD &&
			    strcmp(client.t.s.why.msg,
			    "closed during the TLS handshake") == 0);
		unpair(p);
	}
	CHECK(whole > 500 && whole < 1500);
}

static char
at(size_t i)
{
	return (char)(i * 7 + i / 256);
}

/* MANY bytes up, with a server that reads only when we are stopped. */
static void
send_many(void)
{
	br_ssl_engine_context *e = &server.sc.eng;
	struct stream *s = &client.t.s;
	size_t up = 0, got = 0, n;
	bool stopped = false;
	unsigned char *p;

	while (got < MANY) {
		char piece[5000];
		ssize_t k = STREAM_AGAIN;

		for (n = 0; n < sizeof piece && up + n < MANY; n++)
			piece[n] = at(up + n);
		if (n > 0)
			k = s->ops->write(s, piece, n);
		if (k > 0) {
			up += (size_t)k;
			continue;
		}
		if (!CHECK(k == STREAM_AGAIN))
			return;
		stopped |= (s->ops->want(s) & LOOP_OUT) != 0;
		turn();
		p = br_ssl_engine_recvapp_buf(e, &n);
		if (p == NULL) {	/* all was written, not all sent */
			s->ops->read(s, piece, 1);
			continue;
		}
		CHECK(p[0] == (unsigned char)at(got));
		CHECK(p[n - 1] == (unsigned char)at(got + n - 1));
		got += n;
		br_ssl_engine_recvapp_ack(e, n);
	}
	CHECK(stopped);
}

/* MANY bytes down in small reads. */
static void
receive_many(void)
{
	br_ssl_engine_context *e = &server.sc.eng;
	struct stream *s = &client.t.s;
	size_t down = 0, got = 0, wrong = 0, n, i;
	unsigned char *p;
	char piece[777];

	while (got < MANY) {
		ssize_t k = s->ops->read(s, piece, sizeof piece);

		for (i = 0; k > 0 && i < (size_t)k; i++)
			wrong += piece[i] != at(got + i);
		got += k > 0 ? (size_t)k : 0;
		if (k > 0)
			continue;
		CHECK(k == STREAM_AGAIN);
		CHECK((s->ops->want(s) & LOOP_IN) != 0);
		p = br_ssl_engine_sendapp_buf(e, &n);
		if (p != NULL && down < MANY) {
			n = n < MANY - down ? n : MANY - down;
			for (i = 0; i < n; i++)
				p[i] = (unsigned char)at(down + i);
			br_ssl_engine_sendapp_ack(e, n);
			br_ssl_engine_flush(e, 0);
			down += n;
		}
		turn();
	}
	CHECK(got == MANY && wrong == 0);
}

static void
connect_both(int p[2])
{
	br_ssl_engine_context *e = &server.sc.eng;
	int small = 4096;
	size_t n;

	pair(p);
	setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	serve(p[1], pem_leaf, 4096);
	begin(p[0], "localhost", &anchors, NOW_MS);
	CHECK(handshake() == 1);
	CHECK(br_ssl_engine_recvapp_buf(e, &n) != NULL && n == 1);
	br_ssl_engine_recvapp_ack(e, 1);
}

static void
say(const char *text)
{
	br_ssl_engine_context *e = &server.sc.eng;
	unsigned char *p;
	size_t n;

	p = br_ssl_engine_sendapp_buf(e, &n);
	if (!CHECK(p != NULL && n >= strlen(text)))
		return;
	memcpy(p, text, strlen(text));
	br_ssl_engine_sendapp_ack(e, strlen(text));
	br_ssl_engine_flush(e, 0);
}

static void
test_data_and_goodbyes(void)
{
	struct stream *s = &client.t.s;
	char c[8];
	int p[2];

	connect_both(p);
	send_many();
	receive_many();
	say("abc");			/* a goodbye after data is the end */
	br_ssl_engine_close(&server.sc.eng);
	turn();
	CHECK(s->ops->read(s, c, 1) == 1 && c[0] == 'a');
	CHECK(s->ops->read(s, c, 8) == 2);
	CHECK(s->ops->read(s, c, 8) == STREAM_EOF);
	CHECK(s->ops->read(s, c, 8) == STREAM_EOF);
	CHECK(s->ops->write(s, c, 1) == STREAM_BAD);
	CHECK(strcmp(s->why.msg, "the other side has ended TLS") == 0);
	unpair(p);

	connect_both(p);		/* our goodbye, with data unread */
	say("abc");
	turn();
	CHECK(s->ops->read(s, c, 1) == 1);
	CHECK(s->ops->shut(s) == 0);
	turn();
	CHECK(br_ssl_engine_current_state(&server.sc.eng) == BR_SSL_CLOSED);
	CHECK(br_ssl_engine_last_error(&server.sc.eng) == BR_ERR_OK);
	unpair(p);
}

/* Ends without a goodbye: between records, within one, by a reset; and a
 * record that was altered. */
static void
test_cut_data(void)
{
	struct stream *s = &client.t.s;
	char c[8];
	int p[2];

	connect_both(p);
	say("abc");
	turn();
	close(p[1]);
	CHECK(s->ops->read(s, c, 8) == 3);
	CHECK(s->ops->read(s, c, 8) == STREAM_BAD);
	CHECK(strcmp(s->why.msg, "closed without a goodbye: cut short") == 0);
	CHECK(s->ops->write(s, c, 1) == STREAM_BAD);
	close(p[0]);

	connect_both(p);
	say("abc");
	server.piece = 1;
	turn();
	turn();
	close(p[1]);
	CHECK(s->ops->read(s, c, 8) == STREAM_BAD);
	CHECK(strcmp(s->why.msg, "closed without a goodbye: cut short") == 0);
	close(p[0]);

	connect_both(p);
	CHECK(write(p[1], "\27\3\3\0\40abcdefghijklmnopabcdefghijklmnop",
	    37) == 37);
	CHECK(s->ops->read(s, c, 8) == STREAM_BAD);
	CHECK(strcmp(s->why.msg, "TLS record was altered on the way") == 0);
	unpair(p);
}

static const char *
file_of(const char *a, const char *b, const char *c)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof path, "%s/anchors", dir);
	f = fopen(path, "w");
	if (f == NULL)
		exit(1);
	fprintf(f, "%s%s%s", a, b, c);
	fclose(f);
	return path;
}

/* Anchors of three pieces of text: how many, and the reason if none. */
static const struct {
	const char *a, *b, *c;
	size_t n;
} files[] = {
	{ pem_ca, pem_other, pem_rsa2048, 3 },
	{ "# a comment\n\n", pem_ca, "text between\n", 1 },
	{ pem_ed25519, pem_ca, pem_ed25519, 1 },
	{ pem_key, pem_ca, "", 1 },
	{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	    pem_ca, "", 1 },
	{ "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
	    pem_ca, "", 1 },
	{ pem_ca, "-----BEGIN CERTIFICATE-----\nMIIB", "", 1 },
	{ pem_ed25519, "", "", 0 },
	{ pem_key, "", "", 0 },
	{ "", "", "", 0 },
	{ "-----BEGIN CERTIFICATE-----", "", "", 0 },
};

static void
test_files(void)
{
	static struct tls_anchors a;
	struct fail why;
	size_t i, n;
	char *cut;

	for (i = 0; i < COUNT(files); i++) {
		int rc = tls_anchors_load(&a, file_of(files[i].a, files[i].b,
		    files[i].c), &why);

		CHECK_ROW(i, rc == (files[i].n > 0 ? 0 : -1));
		CHECK_ROW(i, a.n == files[i].n);
		CHECK_ROW(i, rc == 0 ||
		    strstr(why.msg, ": no certificate that can be used"));
	}
	CHECK(tls_anchors_load(&a, dir, &why) == -1 &&
	    strstr(why.msg, ": Is a directory"));
	CHECK(tls_anchors_load(&a, "/dev/zero", &why) == -1);
	CHECK(tls_anchors_load(&a, "/nowhere", &why) == -1 &&
	    strstr(why.msg, "/nowhere: No such file"));

	/* Cut at each byte: nothing, unless the last line has begun. */
	cut = strdup(pem_ca);
	for (n = strlen(cut) - 1; n > 0; n--) {
		cut[n] = '\0';
		if (tls_anchors_load(&a, file_of(cut, "", ""), &why) == 0)
			CHECK_ROW(n, strstr(cut, "\n-----END") && a.n == 1);
		else
			CHECK_ROW(n, n < strlen(pem_ca) - 1 && a.n == 0);
	}
	free(cut);
}

/* A file is read once, and again when it is another. */
static void
test_file_again(void)
{
	static struct tls_anchors a;
	const struct timespec at[2] = { { 1, 1 }, { 1, 1 } };
	const char *path = file_of(pem_ca, "", "");
	struct fail why;

	CHECK(tls_anchors_load(&a, path, &why) == 0 && a.n == 1);
	a.bytes[0] = 0;
	CHECK(tls_anchors_load(&a, path, &why) == 0 && a.n == 1);
	CHECK(a.bytes[0] == 0);
	CHECK(utimensat(AT_FDCWD, path, at, 0) == 0);
	CHECK(tls_anchors_load(&a, path, &why) == 0 && a.n == 1);
	CHECK(a.bytes[0] == 0x30);
	CHECK(tls_anchors_load(&a, file_of(pem_ca, pem_other, ""), &why) == 0 &&
	    a.n == 2);
	CHECK(unlink(path) == 0);
	CHECK(tls_anchors_load(&a, path, &why) == -1 && a.n == 0);
}

/* One certificate so often, and a file so long. */
static void
test_file_limits(void)
{
	static struct tls_anchors a;
	char path[64];
	struct fail why;
	FILE *f;
	size_t i;

	snprintf(path, sizeof path, "%s/many", dir);
	f = fopen(path, "w");
	for (i = 1; f != NULL && i <= TLS_ANCHORS_MAX + 1; i++) {
		fputs(pem_ca, f);
		fflush(f);
		if (i < TLS_ANCHORS_MAX - 1)
			continue;
		CHECK_ROW(i, tls_anchors_load(&a, path, &why) ==
		    (i <= TLS_ANCHORS_MAX ? 0 : -1));
		CHECK_ROW(i, a.n == (i <= TLS_ANCHORS_MAX ? i : 0));
	}
	fclose(f);
	CHECK(strstr(why.msg, "over 512 certificates") != NULL);
	unlink(path);

	file_of(pem_ca, "", "");
	snprintf(path, sizeof path, "%s/anchors", dir);
	CHECK(truncate(path, TLS_FILE_MAX + 1) == 0);
	CHECK(tls_anchors_load(&a, path, &why) == -1 && a.n == 0);
	CHECK(strstr(why.msg, "over 4194304 bytes") != NULL);
}

int
main(void)
{
	struct fail why;
	char path[64];

	CHECK(mkdtemp(dir) != NULL);
	CHECK(tls_anchors_load(&others, file_of(pem_other, "", ""), &why) ==
	    0);
	CHECK(tls_anchors_load(&anchors, file_of(pem_ed25519, pem_other,
	    pem_ca), &why) == 0);
	test_handshakes();
	test_bad_signature();
	test_hosts();
	test_key_lengths();
	test_hello();
	test_replies();
	test_warnings();
	test_cut();
	test_data_and_goodbyes();
	test_cut_data();
	test_files();
	test_file_again();
	test_file_limits();
	snprintf(path, sizeof path, "%s/anchors", dir);
	unlink(path);
	rmdir(dir);
	return test_end();
}
