/* login.c: codes, sessions, guesses, each limit at itself and beside it. */
#include <stdio.h>
#include <string.h>

#include "../login.c"
#include "test.h"

#define NOW	INT64_C(1795000000000)

static char secret[KEY_TEXT];
static struct fail why;

static const struct login_session *
enter(const char *code, int64_t now_ms)
{
	return login_enter(str_of(code), "192.0.2.7", now_ms, secret, &why);
}

static void
fresh(char code[LOGIN_CODE + 1], uint64_t key, int64_t now_ms)
{
	CHECK(login_code(key, now_ms, code, &why) == 0 &&
	    strlen(code) == LOGIN_CODE);
}

static void
test_codes(void)
{
	char code[LOGIN_CODE + 1], other[LOGIN_CODE + 1], typed[32];
	const struct login_session *s;
	int i;

	CHECK(enter("", NOW) == NULL && enter("aaaaaaaa", NOW) == NULL);
	fresh(code, 7, NOW);
	s = enter(code, NOW + LOGIN_CODE_MS - 1);
	CHECK(s != NULL && s->key == 7 && strcmp(s->peer, "192.0.2.7") == 0);
	CHECK(login_find(str_of(secret), NOW) == s);
	CHECK(enter(code, NOW) == NULL);		/* once */
	fresh(code, 7, NOW);
	CHECK(enter(code, NOW + LOGIN_CODE_MS) == NULL);
	CHECK(enter(code, NOW + LOGIN_CODE_MS + 1) == NULL);

	/* As people type it. */
	fresh(code, 8, NOW);
	snprintf(typed, sizeof typed, " %.4s - %.4s", code, code + 4);
	for (i = 0; typed[i] != '\0'; i++)
		if (typed[i] >= 'a' && typed[i] <= 'z')
			typed[i] = (char)(typed[i] - 32);
	CHECK((s = enter(typed, NOW)) != NULL && s->key == 8);

	/* One more than the tries, and one less. */
	fresh(code, 9, NOW);
	snprintf(typed, sizeof typed, "%sx", code);
	for (i = 1; i < LOGIN_TRIES; i++)
		CHECK(enter(i % 2 ? "aaaaaaaa" : typed, NOW) == NULL);
	CHECK(enter(code, NOW) != NULL);
	fresh(code, 9, NOW);
	fresh(other, 9, NOW);
	for (i = 0; i < LOGIN_TRIES; i++)
		CHECK(enter("aaaaaaaa", NOW) == NULL);
	CHECK(enter(code, NOW) == NULL && enter(other, NOW) == NULL);

	/* The oldest code gives way. */
	fresh(other, 1, NOW);
	for (i = 0; i < LOGIN_CODES; i++)
		fresh(code, 2, NOW + 1 + i);
	CHECK(enter(other, NOW + 10) == NULL);
	CHECK(enter(code, NOW + 10) != NULL);
}

static void
test_sessions(void)
{
	char code[LOGIN_CODE + 1], first[KEY_TEXT];
	const struct login_session *s;
	unsigned i, n = 0;

	fresh(code, 3, NOW);
	s = enter(code, NOW);
	memcpy(first, secret, sizeof first);
	CHECK(login_find(str_of(secret), NOW + LOGIN_IDLE_MS) == s);
	CHECK(login_find(str_of(secret), NOW + 2 * LOGIN_IDLE_MS + 1) ==
	    NULL);
	CHECK(login_find(str_of(secret), NOW) == NULL);
	CHECK(login_find(STR(""), NOW) == NULL);
	CHECK(login_find(STR("vs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), NOW) ==
	    NULL);

	fresh(code, 3, NOW);
	s = enter(code, NOW);
	memcpy(first, secret, sizeof first);
	login_end(s->id + 1);
	CHECK(login_find(str_of(first), NOW) == s);
	login_end(s->id);
	CHECK(login_find(str_of(first), NOW) == NULL);

	/* The longest unused gives way, not the oldest. */
	fresh(code, 4, NOW);
	CHECK(enter(code, NOW) != NULL);
	memcpy(first, secret, sizeof first);
	for (i = 0; i < LOGIN_SESSIONS + 5; i++) {
		fresh(code, 5, NOW + i);
		CHECK(enter(code, NOW + i) != NULL);
		CHECK(login_find(str_of(first), NOW + i + 1) != NULL);
	}
	for (i = 0; i <= LOGIN_SESSIONS; i++)
		n += login_at(i) != NULL;
	CHECK(n == LOGIN_SESSIONS);
}

static void
test_guesses(void)
{
	char peer[LOGIN_PEER];
	int i;

	for (i = 0; i < LOGIN_GUESSES; i++) {
		CHECK_ROW(i, !login_blocked("192.0.2.1", NOW));
		login_guessed("192.0.2.1", NOW + i);
	}
	CHECK(login_blocked("192.0.2.1", NOW + LOGIN_GUESS_MS));
	CHECK(!login_blocked("192.0.2.1", NOW + LOGIN_GUESS_MS + 1));
	CHECK(!login_blocked("192.0.2.1", NOW - 1));	/* it went back */
	CHECK(!login_blocked("192.0.2.2", NOW));
	/* A network of IPv6 is one. */
	for (i = 0; i < LOGIN_GUESSES; i++) {
		snprintf(peer, sizeof peer, "2001:db8:1:2::%x", i);
		login_guessed(peer, NOW);
	}
	CHECK(login_blocked("2001:db8:1:2:ffff::1", NOW));
	CHECK(!login_blocked("2001:db8:1:3::1", NOW));
	/* Many addresses push out the oldest, and no more. */
	for (i = 0; i < LOGIN_PEERS + 10; i++) {
		snprintf(peer, sizeof peer, "10.0.%d.%d", i / 256, i % 256);
		login_guessed(peer, NOW + 10 + i);
	}
	CHECK(!login_blocked("192.0.2.1", NOW + 20));
}

int
main(void)
{
	test_codes();
	test_sessions();
	test_guesses();
	return test_end();
}
