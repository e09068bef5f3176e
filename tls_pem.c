/* tls_pem.c: anchors of a PEM file (RFC 7468).  See tls.h. */
#include <fcntl.h>
#include <unistd.h>

#include "tls_impl.h"

/* One certificate of a file on its way to be an anchor. */
struct loader {
	struct tls_anchors *a;
	br_pem_decoder_context pem;
	br_x509_decoder_context x509;
	size_t name;		/* where its name begins in a->bytes */
	bool full;
};

/* Keep n bytes; where, or NULL: no room. */
static unsigned char *
keep(struct loader *l, const void *p, size_t n)
{
	unsigned char *to = l->a->bytes + l->a->used;

	l->full = l->full || n > sizeof l->a->bytes - l->a->used;
	if (l->full)
		return NULL;
	memcpy(to, p, n);
	l->a->used += n;
	return to;
}

static void
on_name(void *ctx, const void *p, size_t n)
{
	keep(ctx, p, n);
}

static void
on_der(void *ctx, const void *p, size_t n)
{
	struct loader *l = ctx;

	br_x509_decoder_push(&l->x509, p, n);
}

/* The anchor is made of the name that was kept already, and the key. */
static void
add_anchor(struct loader *l, const br_x509_pkey *key)
{
	br_x509_trust_anchor *ta = &l->a->ta[l->a->n];

	l->full = l->full || l->a->n == TLS_ANCHORS_MAX;
	if (l->full)
		return;
	ta->dn.data = l->a->bytes + l->name;
	ta->dn.len = l->a->used - l->name;
	ta->flags = br_x509_decoder_isCA(&l->x509) ? BR_X509_TA_CA : 0;
	ta->pkey = *key;
	if (key->key_type == BR_KEYTYPE_RSA) {
		ta->pkey.key.rsa.n = keep(l, key->key.rsa.n,
		    key->key.rsa.nlen);
		ta->pkey.key.rsa.e = keep(l, key->key.rsa.e,
		    key->key.rsa.elen);
	} else
		ta->pkey.key.ec.q = keep(l, key->key.ec.q, key->key.ec.qlen);
	l->a->n++;
	l->name = l->a->used;
}

static void
load_piece(struct loader *l, const char *p, size_t n)
{
	const br_x509_pkey *key;

	while (n > 0) {
		size_t k = br_pem_decoder_push(&l->pem, p, n);
		int event = br_pem_decoder_event(&l->pem);

		p += k;
		n -= k;
		if (event == 0)
			continue;
		key = event != BR_PEM_END_OBJ ? NULL :
		    br_x509_decoder_get_pkey(&l->x509);
		if (key != NULL)
			add_anchor(l, key);
		/* What was kept of one that gave no anchor goes. */
		l->a->used = l->name;
		br_x509_decoder_init(&l->x509, on_name, l);
		br_pem_decoder_setdest(&l->pem, strcmp(br_pem_decoder_name(
		    &l->pem), "CERTIFICATE") == 0 ? on_der : NULL, l);
	}
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size && a->st_mtim.tv_sec ==
	    b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int
tls_anchors_load(struct tls_anchors *a, const char *path, struct fail *why)
{
	struct loader l = { .a = a };
	char piece[4096];
	size_t total = 0;
	int fd, rc = -1;
	ssize_t k = 0;
	struct stat st;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) == -1) {
		fail_errno(why, "%s", path);
		goto out;
	}
	if (a->n > 0 && is_same(&a->of, &st)) {
		close(fd);
		return 0;
	}
	a->n = a->used = 0;
	br_pem_decoder_init(&l.pem);
	/* What is no file (a pipe, a device) fails or ends at once, too. */
	while (total <= TLS_FILE_MAX &&
	    (k = read(fd, piece, sizeof piece)) > 0) {
		total += (size_t)k;
		load_piece(&l, piece, (size_t)k);
	}
	load_piece(&l, "\n", 1);	/* the last line may lack it */
	if (k == -1)
		fail_errno(why, "%s", path);
	else if (total > TLS_FILE_MAX)
		fail(why, "%s: over %d bytes", path, TLS_FILE_MAX);
	else if (l.full)
		fail(why, "%s: over %d certificates, or %d bytes of them",
		    path, TLS_ANCHORS_MAX, TLS_ANCHORS_BYTES);
	else if (a->n == 0)
		fail(why, "%s: no certificate that can be used", path);
	else
		rc = 0;
	a->of = st;
out:
	if (fd != -1)
		close(fd);
	if (rc == -1)
		a->n = a->used = 0;
	return rc;
}
