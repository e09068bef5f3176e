/* login.c: see login.h. */
#include <arpa/inet.h>

#include "login.h"

static struct code {
	uint64_t key;
	int64_t until_ms;
	char text[LOGIN_CODE + 1];
} codes[LOGIN_CODES];
static unsigned wrong;			/* tries since the last right one */

static struct login_session sessions[LOGIN_SESSIONS];
static uint64_t last_id;

static struct guesser {
	char peer[LOGIN_PEER];
	int64_t since_ms;
	unsigned n;
} guessers[LOGIN_PEERS];

int
login_code(uint64_t key, int64_t now_ms, char code[LOGIN_CODE + 1],
    struct fail *why)
{
	struct code *c = codes, *i;
	char secret[KEY_TEXT];

	if (key_make("vc_", secret, why) == -1)
		return -1;
	for (i = codes; i < codes + LOGIN_CODES; i++)
		if (i->until_ms < c->until_ms)
			c = i;
	memcpy(c->text, secret + 3, LOGIN_CODE);
	c->text[LOGIN_CODE] = '\0';
	c->key = key;
	c->until_ms = now_ms + LOGIN_CODE_MS;
	wrong = 0;
	memcpy(code, c->text, LOGIN_CODE + 1);
	return 0;
}

/* The code that was meant, as it was made.  0, or -1: it is none. */
static int
tidy(char to[LOGIN_CODE], struct str code)
{
	size_t n = 0, i;
	char c;

	for (i = 0; i < code.n; i++) {
		c = code.p[i];
		if (c == ' ' || c == '-')
			continue;
		if (n == LOGIN_CODE)
			return -1;
		to[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return n == LOGIN_CODE ? 0 : -1;
}

const struct login_session *
login_enter(struct str text, const char *peer, int64_t now_ms,
    char secret[KEY_TEXT], struct fail *why)
{
	struct login_session *s, *i;
	struct code *c, *right = NULL;
	char code[LOGIN_CODE];

	if (tidy(code, text) == 0)
		for (c = codes; c < codes + LOGIN_CODES; c++)
			if (c->until_ms > now_ms && key_same(
			    (unsigned char *)c->text, (unsigned char *)code,
			    LOGIN_CODE))
				right = c;
	if (right == NULL) {
		/* Nobody knows which was meant: all of them count it. */
		if (++wrong >= LOGIN_TRIES)
			memset(codes, 0, sizeof codes);
		fail(why, "this is no code, or not one any more");
		return NULL;
	}
	if (key_make("vs_", secret, why) == -1)
		return NULL;
	/* Into a free place, or that of the longest unused. */
	for (s = i = sessions; i < sessions + LOGIN_SESSIONS && s->id != 0; i++)
		if (i->id == 0 || i->used_ms < s->used_ms)
			s = i;
	*s = (struct login_session){ .id = ++last_id, .key = right->key,
	    .created_ms = now_ms, .used_ms = now_ms };
	(void)str_copy(s->peer, sizeof s->peer, str_of(peer));
	key_hash(str_of(secret), s->hash);
	right->until_ms = 0;
	wrong = 0;
	return s;
}

const struct login_session *
login_find(struct str secret, int64_t now_ms)
{
	unsigned char hash[KEY_HASH];
	struct login_session *s;

	if (secret.n != KEY_TEXT - 1)
		return NULL;
	key_hash(secret, hash);
	for (s = sessions; s < sessions + LOGIN_SESSIONS; s++)
		if (s->id != 0 && key_same(s->hash, hash, sizeof hash))
			break;
	if (s == sessions + LOGIN_SESSIONS)
		return NULL;
	if (now_ms - s->used_ms > LOGIN_IDLE_MS) {
		s->id = 0;
		return NULL;
	}
	s->used_ms = now_ms;
	return s;
}

const struct login_session *
login_at(unsigned i)
{
	return i < LOGIN_SESSIONS && sessions[i].id != 0 ? &sessions[i] :
	    NULL;
}

void
login_end(uint64_t id)
{
	struct login_session *s;

	for (s = sessions; s < sessions + LOGIN_SESSIONS; s++)
		if (s->id == id)
			*s = (struct login_session){ .id = 0 };
}

/* ---- who guesses ---- */

/* The row of an address, or the oldest, which is to become it. */
static struct guesser *
row_of(const char *peer, char name[LOGIN_PEER])
{
	struct guesser *g = guessers, *i;
	unsigned char v6[16];

	(void)str_copy(name, LOGIN_PEER, str_of(peer));
	if (inet_pton(AF_INET6, peer, v6) == 1) {
		memset(v6 + 8, 0, 8);
		inet_ntop(AF_INET6, v6, name, LOGIN_PEER);
	}
	for (i = guessers; i < guessers + LOGIN_PEERS; i++) {
		if (strcmp(i->peer, name) == 0)
			return i;
		if (i->since_ms < g->since_ms)
			g = i;
	}
	return g;
}

void
login_guessed(const char *peer, int64_t now_ms)
{
	char name[LOGIN_PEER];
	struct guesser *g = row_of(peer, name);

	if (strcmp(g->peer, name) != 0 ||
	    now_ms - g->since_ms > LOGIN_GUESS_MS || now_ms < g->since_ms) {
		memcpy(g->peer, name, sizeof name);
		g->since_ms = now_ms;
		g->n = 0;
	}
	g->n++;
}

bool
login_blocked(const char *peer, int64_t now_ms)
{
	char name[LOGIN_PEER];
	const struct guesser *g = row_of(peer, name);

	return strcmp(g->peer, name) == 0 && g->n >= LOGIN_GUESSES &&
	    now_ms >= g->since_ms && now_ms - g->since_ms <= LOGIN_GUESS_MS;
}
