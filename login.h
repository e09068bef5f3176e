/*
 * login.h: how a browser gets in: a code that is good once, and the session
 * it is exchanged for; and who guesses.
 *
 * A code is made for a key, whose role the session has for as long as there
 * is that key.  All of it is in memory: a restart ends every session.  It
 * knows no HTTP; times are the wall clock's.
 *
 *	login_code --10 min or 5 wrong tries--> gone
 *	    |
 *	login_enter --> session --30 days unused, login_end--> gone
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "key.h"

#define LOGIN_CODE	8		/* characters of a code */
#define LOGIN_CODES	8		/* at once; the oldest gives way */
#define LOGIN_CODE_MS	600000		/* a code is good for */
#define LOGIN_TRIES	5		/* wrong ones, and all codes go */
#define LOGIN_SESSIONS	64		/* the longest unused gives way */
#define LOGIN_IDLE_MS	INT64_C(2592000000)	/* 30 days unused: gone */
#define LOGIN_PEERS	256		/* addresses that are counted */
#define LOGIN_GUESSES	10		/* of an address in LOGIN_GUESS_MS */
#define LOGIN_GUESS_MS	60000
#define LOGIN_PEER	56		/* bytes of an address and a NUL */

struct login_session {
	uint64_t id;			/* 0: none */
	uint64_t key;
	char peer[LOGIN_PEER];		/* who entered */
	int64_t created_ms, used_ms;
	unsigned char hash[KEY_HASH];	/* of the secret */
};

/* A new code for a session of this key.  0 or -1. */
int login_code(uint64_t key, int64_t now_ms, char code[LOGIN_CODE + 1],
    struct fail *why);

/* Exchange a code (case, spaces and '-' are nothing) for a session.  Its
 * secret is known to nobody afterwards.  NULL and why: no such code, too many
 * tries. */
const struct login_session *login_enter(struct str code, const char *peer,
    int64_t now_ms, char secret[KEY_TEXT], struct fail *why);

/* The session of a secret, which is used now; or NULL. */
const struct login_session *login_find(struct str secret, int64_t now_ms);

/* Session i of LOGIN_SESSIONS, or NULL. */
const struct login_session *login_at(unsigned i);

void login_end(uint64_t id);

/* This address has shown no valid key, or no right code; may it go on?  An
 * IPv6 network of 64 bits is one address. */
void login_guessed(const char *peer, int64_t now_ms);
bool login_blocked(const char *peer, int64_t now_ms);

#endif
