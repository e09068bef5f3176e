/* identity.c: see identity.h. */
#include <stdio.h>
#include <unistd.h>

#include "file.h"
#include "identity.h"

struct identity identity_own;

static char own_path[FILE_PATH_MAX], next_path[FILE_PATH_MAX];
static char next_pin[TLS_PIN_TEXT];	/* "": there is none */

/* Whom our certificates are for. */
static char hostname[256];
static const char *names[TLS_NAMES_MAX] = { "localhost", "127.0.0.1", "::1" };
static size_t names_n;

int
identity_read(struct identity *id, const char *cert, const char *key,
    struct fail *why)
{
	static char cert_text[IDENTITY_FILE_MAX], key_text[IDENTITY_FILE_MAX];
	struct buf c = BUF(cert_text), k = BUF(key_text);

	if (file_read(cert, &c, why) == -1 || file_read(key, &k, why) == -1)
		return -1;
	if (tls_identity_read(&id->of[!id->now], str_from(&c), str_from(&k),
	    why) == -1)
		return fail_in(why, "%s", cert);
	id->now = !id->now;
	return 0;
}

/* Make an identity into a file: a new key (old NULL), or a new certificate of
 * an old one. */
static int
make(const char *path, const struct tls_identity *old, struct fail *why)
{
	char room[TLS_PEM_MAX];
	struct buf b = BUF(room);

	return tls_cert_make(&b, names, names_n, old, why) == -1 ? -1 :
	    file_write(path, str_from(&b), why);
}

/* Is this certificate for all that we are called? */
static bool
named(const struct tls_identity *id)
{
	for (size_t i = 0; i < names_n; i++)
		if (!tls_cert_for(&id->cert, names[i]))
			return false;
	return true;
}

/* The next one, to know its pin.  0, or -1: there is none. */
static int
read_next(struct fail *why)
{
	static struct identity next;

	next_pin[0] = '\0';
	if (identity_read(&next, next_path, next_path, why) == -1)
		return -1;
	tls_pin_text(next_pin, identity_of(&next)->pin);
	return 0;
}

int
identity_open(const char *dir, const char *const *more, size_t n,
    struct fail *why)
{
	if (snprintf(own_path, sizeof own_path, "%s/tls.pem", dir) >=
	    (int)sizeof own_path || snprintf(next_path, sizeof next_path,
	    "%s/tls-next.pem", dir) >= (int)sizeof next_path)
		return fail(why, "%s: too long a name", dir);
	names_n = 3;
	if (gethostname(hostname, sizeof hostname - 1) == 0 &&
	    hostname[0] != '\0')
		names[names_n++] = hostname;
	while (n-- > 0 && names_n < TLS_NAMES_MAX)
		names[names_n++] = more[n];
	if (access(own_path, F_OK) == -1 && errno == ENOENT &&
	    make(own_path, NULL, why) == -1)
		return -1;
	if (identity_read(&identity_own, own_path, own_path, why) == -1)
		return fail_in(why, "the key of TLS, without which no agent "
		    "knows this server (remove it for a new one)");
	if (!named(identity_of(&identity_own)) &&
	    (make(own_path, identity_of(&identity_own), why) == -1 ||
	    identity_read(&identity_own, own_path, own_path, why) == -1))
		return -1;
	(void)read_next(why);		/* most often there is none */
	return 0;
}

void
identity_pins(char text[IDENTITY_PINS])
{
	tls_pin_text(text, identity_of(&identity_own)->pin);
	if (next_pin[0] != '\0')
		snprintf(text + TLS_PIN_TEXT - 1, IDENTITY_PINS -
		    (TLS_PIN_TEXT - 1), ",%s", next_pin);
}

void
identity_secret(struct str use, char text[KEY_TEXT])
{
	const br_skey_decoder_context *key = &identity_of(&identity_own)->key;
	struct str secret = STR("");

	if (key->key_type == BR_KEYTYPE_EC)
		secret = (struct str){ (const char *)key->key.ec.x,
		    key->key.ec.xlen };
	else
		secret = (struct str){ (const char *)key->key.rsa.p,
		    key->key.rsa.plen };
	key_derive("vl_", secret, use, text);
}

int
identity_next(struct fail *why)
{
	if (next_pin[0] != '\0')
		return 0;
	return make(next_path, NULL, why) == -1 ? -1 : read_next(why);
}

int
identity_switch(struct fail *why)
{
	if (next_pin[0] == '\0')
		return fail(why, "there is no next key yet");
	if (rename(next_path, own_path) == -1)
		return fail_errno(why, "%s", own_path);
	next_pin[0] = '\0';
	return identity_read(&identity_own, own_path, own_path, why);
}
