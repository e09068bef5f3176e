/* identity.c: see identity.h. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "identity.h"

struct identity identity_own;

static char own_path[IDENTITY_PATH_MAX], next_path[IDENTITY_PATH_MAX];
static char next_pin[TLS_PIN_TEXT];	/* "": there is none */

/* Whom our certificates are for. */
static char hostname[256];
static const char *names[TLS_NAMES_MAX] = { "localhost", "127.0.0.1", "::1" };
static size_t names_n;

static int
read_file(const char *path, char text[IDENTITY_FILE_MAX], struct str *got,
    struct fail *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t k = 1;

	if (fd == -1)
		return fail_errno(why, "%s", path);
	while (k > 0 && n < IDENTITY_FILE_MAX) {
		k = read(fd, text + n, IDENTITY_FILE_MAX - n);
		n += k > 0 ? (size_t)k : 0;
	}
	*got = (struct str){ text, n };
	if (k == -1)
		fail_errno(why, "%s", path);
	else if (n == IDENTITY_FILE_MAX)
		k = fail(why, "%s: %d bytes or more", path,
		    IDENTITY_FILE_MAX);
	close(fd);
	return k == -1 ? -1 : 0;
}

int
identity_read(struct identity *id, const char *cert, const char *key,
    struct fail *why)
{
	static char cert_text[IDENTITY_FILE_MAX], key_text[IDENTITY_FILE_MAX];
	struct str c, k;

	if (read_file(cert, cert_text, &c, why) == -1 ||
	    read_file(key, key_text, &k, why) == -1)
		return -1;
	if (tls_identity_read(&id->of[!id->now], c, k, why) == -1)
		return fail_in(why, "%s", cert);
	id->now = !id->now;
	return 0;
}

int
identity_write(const char *path, struct str text, struct fail *why)
{
	char name[IDENTITY_PATH_MAX + 4];
	int fd, at, rc = 0;

	snprintf(name, sizeof name, "%s.tmp", path);
	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return fail_errno(why, "%s", name);
	if (write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) == -1 ||
	    rename(name, path) == -1)
		rc = fail_errno(why, "%s", path);
	close(fd);
	/* The name is durable with its directory. */
	name[strrchr(path, '/') - path + 1] = '\0';
	at = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == 0 && fsync(at) == -1)
		rc = fail_errno(why, "%s", path);
	close(at);
	return rc;
}

/* Make an identity into a file: a new key (old NULL), or a new certificate of
 * an old one. */
static int
make(const char *path, const struct tls_identity *old, struct fail *why)
{
	char room[TLS_PEM_MAX];
	struct buf b = BUF(room);

	return tls_cert_make(&b, names, names_n, old, why) == -1 ? -1 :
	    identity_write(path, str_from(&b), why);
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
