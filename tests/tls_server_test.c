/* TLS's two sides of our own against each other: identities made here,
 * pins, fragments, sessions; and what a hello and a certificate say. */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tls_impl.h"
#include "test.h"

#define NOW_MS	INT64_C(1795000000000)	/* in 2026 */

static struct tls_identity first, other;
static struct tls_trust trust;
static struct tls_client client;
static struct tls_server *server;
static _Alignas(struct tls_server) unsigned char server_room[65536];
static unsigned char client_room[TLS_LARGE];
static int ends[2];

static const char *const names[] = { "monitor.example.org", "localhost",
    "127.0.0.1", "fe80::1" };

static struct str
make(char *room, size_t cap, const char *const *name, size_t n,
    const struct tls_identity *old)
{
	struct buf b;
	struct fail why;

	buf_init(&b, room, cap);
	if (!CHECK(tls_cert_make(&b, name, n, old, &why) == 0))
		printf("%s\n", why.msg);
	return str_from(&b);
}

static void
make_both(void)
{
	static char room[TLS_PEM_MAX];
	char text[TLS_PIN_TEXT], again[TLS_PIN_TEXT];
	unsigned char pin[TLS_PIN];
	struct fail why;
	struct str pem = make(room, sizeof room, names, COUNT(names), NULL);

	CHECK(tls_identity_read(&first, pem, pem, &why) == 0);
	CHECK(first.n == 1 && first.cert.from_ms == 0 &&
	    first.cert.to_ms == TIME_MAX);
	tls_pin_text(text, first.pin);
	CHECK(strlen(text) == 43 && tls_pin_read(str_of(text), pin) == 0 &&
	    memcmp(pin, first.pin, TLS_PIN) == 0);
	/* Another certificate of the same key: the pin stays. */
	pem = make(room, sizeof room, names, 1, &first);
	CHECK(tls_identity_read(&other, pem, pem, &why) == 0);
	tls_pin_text(again, other.pin);
	CHECK(strcmp(text, again) == 0);
	pem = make(room, sizeof room, names, COUNT(names), NULL);
	CHECK(tls_identity_read(&other, pem, pem, &why) == 0);
	CHECK(memcmp(first.pin, other.pin, TLS_PIN) != 0);
}

static void
test_names(void)
{
	static const unsigned char v4[] = { 127, 0, 0, 1 };
	struct str rest = first.cert.names, name;

	CHECK(tls_cert_name(&rest, &name) == TLS_DNS &&
	    str_is(name, names[0]));
	CHECK(tls_cert_name(&rest, &name) == TLS_DNS &&
	    str_is(name, names[1]));
	CHECK(tls_cert_name(&rest, &name) == TLS_IP && name.n == 4 &&
	    memcmp(name.p, v4, 4) == 0);
	CHECK(tls_cert_name(&rest, &name) == TLS_IP && name.n == 16);
	CHECK(tls_cert_name(&rest, &name) == -1);
}

/* Other kinds of names, and addresses of odd lengths, are passed over; under
 * the sanitizers none reads past its end. */
static void
test_odd_names(void)
{
	static const char names_of[] = "\x81\003a@b\x87\003\001\002\003"
	    "\x82\001x\x87\004\300\000\002\001\x86\001u\x87\001\001";
	char *copy = malloc(sizeof names_of - 1), text[64];
	struct tls_cert c = { .names = { copy, sizeof names_of - 1 } };
	struct buf b = BUF(text);

	memcpy(copy, names_of, sizeof names_of - 1);
	tls_cert_show(&b, &c);
	CHECK(str_is(str_from(&b), "x, 192.0.2.1"));
	CHECK(tls_cert_for(&c, "192.0.2.1") && tls_cert_for(&c, "X") &&
	    !tls_cert_for(&c, "1.2.3.0") && !tls_cert_for(&c, "a@b"));
	free(copy);
}

/* A certificate cut at each byte is none, but behind its extensions, where
 * nothing is read any more; and each byte changed is met without harm. */
static void
test_cut_certificate(void)
{
	const br_x509_certificate *x = &first.chain[0];
	unsigned char bytes[1024];
	struct tls_cert c;
	size_t i, good = 0;

	if (!CHECK(x->data_len < sizeof bytes))
		return;
	for (i = 0; i < x->data_len; i++) {
		struct str s = { (char *)x->data, i };

		CHECK_ROW(i, tls_cert_read(s, &c) == -1);
	}
	memcpy(bytes, x->data, x->data_len);
	for (i = 0; i < x->data_len * 255; i++) {
		struct str s = { (char *)bytes, x->data_len }, rest, name;
		size_t at = i / 255;

		bytes[at] = (unsigned char)(bytes[at] + 1);
		if (tls_cert_read(s, &c) == 0) {
			rest = c.names;
			while (tls_cert_name(&rest, &name) != -1)
				CHECK(name.p + name.n <= s.p + s.n);
			CHECK(c.key.p + c.key.n <= s.p + s.n);
			good++;
		}
		if (i % 255 == 254)
			bytes[at] = x->data[at];
	}
	CHECK(good > 0);
}

static const char rsa_key[] = "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n"
    "-----END RSA PRIVATE KEY-----\n";

static void
test_identities(void)
{
	static char a[TLS_PEM_MAX], b[TLS_PEM_MAX], c[TLS_PEM_MAX];
	static struct tls_identity id;
	struct str one = make(a, sizeof a, names, 2, NULL);
	struct str two = make(b, sizeof b, names, 2, NULL);
	struct fail why;
	struct buf small;
	size_t i;

	CHECK(tls_identity_read(&id, one, one, &why) == 0);
	CHECK(tls_identity_read(&id, one, two, &why) == -1 &&
	    strstr(why.msg, "not that of the certificate") != NULL);
	CHECK(tls_identity_read(&id, one, STR(rsa_key), &why) == -1 &&
	    strstr(why.msg, "not RSA or ECDSA") != NULL);
	CHECK(tls_identity_read(&id, one, STR("x"), &why) == -1 &&
	    strcmp(why.msg, "no private key in it") == 0);
	CHECK(tls_identity_read(&id, STR(rsa_key), one, &why) == -1 &&
	    strcmp(why.msg, "no certificate in it") == 0);
	for (i = 0; i + 2 < one.n; i++)
		CHECK_ROW(i, tls_identity_read(&id, (struct str){ one.p, i },
		    (struct str){ one.p, i }, &why) == -1);
	/* Room for all but the last byte. */
	buf_init(&small, c, one.n - 40);
	CHECK(tls_cert_make(&small, names, 2, NULL, &why) == -1);
}

/* ---- the two sides ---- */

static void
open_both(unsigned fragment, const struct tls_identity *id)
{
	struct fail why;
	int small = 4096;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	CHECK(tls_server_size(fragment) <= sizeof server_room);
	server = (struct tls_server *)(void *)server_room;
	CHECK(tls_server(server, fragment, ends[1], id, &why) == 0);
}

static void
close_both(void)
{
	close(ends[0]);
	close(ends[1]);
}

/* The handshake, and a byte each way.  What the client's write said. */
static ssize_t
meet(void)
{
	struct stream *c = &client.t.s, *s = &server->t.s;
	ssize_t rc = STREAM_AGAIN, got = STREAM_AGAIN;
	char byte;
	int i;

	for (i = 0; i < 100 && rc == STREAM_AGAIN; i++) {
		rc = c->ops->write(c, "x", 1);
		got = s->ops->read(s, &byte, 1);
	}
	for (i = 0; i < 100 && rc == 1 && got == STREAM_AGAIN; i++)
		got = s->ops->read(s, &byte, 1);
	CHECK(rc != 1 || (got == 1 && byte == 'x'));
	if (rc == 1) {
		CHECK(s->ops->write(s, "y", 1) == 1);
		CHECK(c->ops->read(c, &byte, 1) == 1 && byte == 'y');
	}
	return rc;
}

static ssize_t
try_pins(const struct tls_identity *id, const unsigned char *one,
    const unsigned char *two)
{
	struct fail why;

	trust.pins = two == NULL ? 1 : 2;
	memcpy(trust.pin[0], one, TLS_PIN);
	if (two != NULL)
		memcpy(trust.pin[1], two, TLS_PIN);
	open_both(TLS_FRAGMENT, id);
	CHECK(tls_client(&client, ends[0], "any.name", &trust, 0, client_room,
	    TLS_SMALL, &why) == 0);
	return meet();
}

static void
test_pins(void)
{
	unsigned char near[TLS_PIN];
	char want[160], text[TLS_PIN_TEXT];
	int bit;

	CHECK(try_pins(&first, first.pin, NULL) == 1);
	close_both();
	CHECK(try_pins(&first, other.pin, first.pin) == 1);
	close_both();
	CHECK(try_pins(&other, other.pin, first.pin) == 1);
	close_both();
	CHECK(try_pins(&first, other.pin, NULL) == STREAM_BAD);
	tls_pin_text(text, first.pin);
	snprintf(want, sizeof want, "its key is not the one that is pinned, "
	    "but %s", text);
	CHECK(strcmp(client.t.s.why.msg, want) == 0);
	CHECK(!client.t.up);
	close_both();
	for (bit = 0; bit < TLS_PIN * 8; bit += 37) {
		memcpy(near, first.pin, TLS_PIN);
		near[bit / 8] ^= (unsigned char)(1 << bit % 8);
		CHECK_ROW(bit, try_pins(&first, near, NULL) == STREAM_BAD);
		close_both();
	}
}

static void
test_pin_texts(void)
{
	static const char *const bad[] = { "", "A",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
	unsigned char pin[TLS_PIN];
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		CHECK_ROW(i, tls_pin_read(str_of(bad[i]), pin) == -1);
	CHECK(tls_pin_read(STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
	    pin) == 0);
}

static char
at(size_t i)
{
	return (char)(i * 7 / 3);
}

/* Read all that is there, which goes on at `got`.  How much. */
static size_t
take_all(struct stream *s, size_t got)
{
	size_t wrong = 0, begin = got, i;
	char in[777];
	ssize_t rc;

	while ((rc = s->ops->read(s, in, sizeof in)) > 0)
		for (i = 0; i < (size_t)rc; i++)
			wrong += in[i] != at(got++);
	CHECK(wrong == 0 && rc == STREAM_AGAIN && !s->more);
	return got - begin;
}

/* n bytes one way, more than the buffers hold. */
static void
carry(struct stream *from, struct stream *to, size_t n)
{
	size_t sent = 0, got = 0, i, k;
	char out[3000], byte;
	ssize_t rc;

	while (got < n) {
		k = n - sent < sizeof out ? n - sent : sizeof out;
		for (i = 0; i < k; i++)
			out[i] = at(sent + i);
		rc = k == 0 ? 0 : from->ops->write(from, out, k);
		sent += rc > 0 ? (size_t)rc : 0;
		if (rc <= 0)		/* what waits goes on in a read */
			(void)from->ops->read(from, &byte, 1);
		got += take_all(to, got);
	}
}

static void
test_fragments(void)
{
	static const struct {
		unsigned fragment;
		size_t buf;
	} sizes[] = {
		{ TLS_FRAGMENT, TLS_SMALL }, { 0, TLS_LARGE },
		{ 0, TLS_SMALL },
		{ 4096, TLS_IN(4096) + TLS_OUT(4096) },
	};
	struct fail why;
	size_t i;

	trust.pins = 1;
	memcpy(trust.pin[0], first.pin, TLS_PIN);
	for (i = 0; i < COUNT(sizes); i++) {
		open_both(sizes[i].fragment, &first);
		CHECK(tls_client(&client, ends[0], "a", &trust, NOW_MS,
		    client_room, sizes[i].buf, &why) == 0);
		if (CHECK_ROW(i, meet() == 1)) {
			carry(&client.t.s, &server->t.s, 50000);
			carry(&server->t.s, &client.t.s, 50000);
		}
		close_both();
	}
	printf("a server's connection: %zu bytes of fragments of %d, %zu of "
	    "any\n", tls_server_size(TLS_FRAGMENT), TLS_FRAGMENT,
	    tls_server_size(0));
}

/* The second time no certificate is shown, even by one whose identity is
 * another by now: who speaks is known from the first. */
static void
test_sessions(void)
{
	const struct tls_identity *const ids[] = { &first, &other };
	br_ssl_session_parameters session;
	struct fail why;
	size_t i;

	CHECK(try_pins(&first, first.pin, NULL) == 1);
	br_ssl_engine_get_session_parameters(&client.sc.eng, &session);
	CHECK(session.session_id_len == 32);
	close_both();
	for (i = 0; i < COUNT(ids); i++) {
		client.judge.certs = 0;
		open_both(TLS_FRAGMENT, ids[i]);
		CHECK(tls_client_again(&client, ends[0], NOW_MS, &why) == 0);
		CHECK_ROW(i, meet() == 1 && client.judge.certs == 0);
		close_both();
	}
}

static void
test_hellos(void)
{
	unsigned char hello[512];
	unsigned fragment;
	struct fail why;
	ssize_t n;
	size_t i;

	open_both(0, &first);
	CHECK(tls_client(&client, ends[0], "a", &trust, NOW_MS, client_room,
	    TLS_SMALL, &why) == 0);
	client.t.s.ops->write(&client.t.s, "x", 1);
	n = recv(ends[1], hello, sizeof hello, 0);
	CHECK(n > 60);
	for (i = 0; i <= (size_t)n; i++) {
		struct str s = { (char *)hello, i };

		CHECK_ROW(i, tls_hello(s, &fragment) == (i > 0));
		CHECK_ROW(i, fragment == 0 || fragment == TLS_FRAGMENT);
	}
	CHECK(fragment == TLS_FRAGMENT);
	for (i = 0; i < (size_t)n * 256; i++) {	/* whatever is in it */
		unsigned char was = hello[i / 256];
		struct str s = { (char *)hello, (size_t)n };

		hello[i / 256] = (unsigned char)i;
		(void)tls_hello(s, &fragment);
		CHECK(fragment == 0 || (fragment >= 512 && fragment <= 4096));
		hello[i / 256] = was;
	}
	CHECK(!tls_hello(STR("GET / HTTP/1.1\r\n"), &fragment));
	CHECK(!tls_hello(STR("\200\56\1\3\1"), &fragment));	/* SSL 2 */
	CHECK(!tls_hello(STR(""), &fragment));
	close_both();
}

/* What is no TLS, or another, and when it ends: said, and no more. */
static void
test_strangers(void)
{
	static const struct {
		const char *bytes;
		size_t n;
	} says[] = {
		{ "\26\3\1\0\4\1\0\0\0", 9 },
		{ "\26\3\1\377\377", 5 },
		{ "\26\3\1\0\0", 5 },
		{ "\27\3\3\0\1x", 6 },
		{ "\25\3\3\0\2\2\50", 7 },
		{ "\26", 1 },
	};
	char c;
	size_t i;

	for (i = 0; i < COUNT(says); i++) {
		open_both(0, &first);
		CHECK(write(ends[0], says[i].bytes, says[i].n) ==
		    (ssize_t)says[i].n);
		shutdown(ends[0], SHUT_WR);
		CHECK_ROW(i, server->t.s.ops->read(&server->t.s, &c, 1) ==
		    STREAM_BAD);
		CHECK_ROW(i, server->t.s.why.msg[0] != '\0' &&
		    !server->t.up);
		close_both();
	}
}

/* Our client's flights, cut after each so many bytes: the server ends in
 * time, says so, and has served nobody. */
static void
test_cut_flights(void)
{
	struct stream *c = &client.t.s, *at;
	unsigned char flight[2048];
	size_t sent, cut, k;
	struct fail why;
	int relay[2], i;
	ssize_t n;
	char byte;

	trust.pins = 1;
	memcpy(trust.pin[0], first.pin, TLS_PIN);
	for (cut = 0; cut < 2000; cut += 13) {
		open_both(TLS_FRAGMENT, &first);
		at = &server->t.s;
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, relay) == 0);
		fcntl(relay[0], F_SETFL, O_NONBLOCK);
		fcntl(relay[1], F_SETFL, O_NONBLOCK);
		/* client - relay - what is let through - server */
		CHECK(tls_client(&client, relay[0], "a", &trust, NOW_MS,
		    client_room, TLS_SMALL, &why) == 0);
		for (sent = 0, i = 0; i < 50 && sent < cut; i++) {
			(void)c->ops->write(c, "x", 1);
			n = recv(relay[1], flight, sizeof flight, 0);
			k = n < 0 ? 0 : (size_t)n < cut - sent ? (size_t)n :
			    cut - sent;
			CHECK(send(ends[0], flight, k, 0) == (ssize_t)k);
			sent += k;
			(void)at->ops->read(at, &byte, 1);
			n = recv(ends[0], flight, sizeof flight, 0);
			if (n > 0)
				CHECK(send(relay[1], flight, (size_t)n, 0) ==
				    n);
		}
		shutdown(ends[0], SHUT_WR);
		n = at->ops->read(at, &byte, 1);
		CHECK_ROW(cut, server->t.up || (n == STREAM_BAD &&
		    strcmp(at->why.msg, "closed during the TLS handshake") ==
		    0));
		close(relay[0]);
		close(relay[1]);
		close_both();
		if (server->t.up)
			break;
	}
	CHECK(cut > 200 && cut < 2000);
}

int
main(void)
{
	make_both();
	test_names();
	test_odd_names();
	test_cut_certificate();
	test_identities();
	test_pin_texts();
	test_pins();
	test_fragments();
	test_sessions();
	test_hellos();
	test_strangers();
	test_cut_flights();
	return test_end();
}
