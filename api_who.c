/* api_who.c: who asks: keys, sessions, and what they come over.  See
 * api.h. */

#include "api_impl.h"
#include "identity.h"
#include "log.h"
#include "login.h"

bool
api_is_key(const struct key *k)
{
	return k != NULL && (k->role != ROLE_AGENT ||
	    model_agent(k->agent) != NULL);
}

/* The session of a cookie, "vilicus=SECRET" among others (RFC 6265 4.2), or
 * NULL. */
static const struct login_session *
find_session(const struct http_head *h, int64_t now_ms)
{
	struct str rest = http_field(h, "Cookie"), one, name;

	while (str_cut(&rest, ';', &one) == 0) {
		one = str_trim(one);
		if (str_cut(&one, '=', &name) == 0 && str_is(name, "vilicus"))
			return login_find(one, now_ms);
	}
	return NULL;
}

/* The key that is shown; *shown: whether there is any, good or not. */
static struct key *
find_key(const struct http_head *h, int64_t now_ms, bool *shown)
{
	struct str s = http_field(h, "Authorization"), scheme;
	const struct login_session *session;
	char plain[256];
	int n;

	*shown = s.p != NULL;
	if (s.p == NULL) {
		session = find_session(h, now_ms);
		return session == NULL ? NULL :
		    model_get(KIND_KEY, session->key);
	}
	if (str_cut(&s, ' ', &scheme) == -1 || s.p == NULL)
		return NULL;
	s = str_trim(s);
	if (str_ieq(scheme, STR("Basic"))) {
		n = str_unbase64(s, STR_BASE64 "+/", plain, sizeof plain);
		if (n == -1)
			return NULL;
		s = (struct str){ plain, (size_t)n };
	} else if (!str_ieq(scheme, STR("Bearer")) &&
	    !str_ieq(scheme, STR("ApiKey")))
		return NULL;
	/* NAME:KEY */
	if (!str_ieq(scheme, STR("Bearer")) && s.n >= KEY_TEXT &&
	    s.p[s.n - KEY_TEXT] == ':')
		s = str_after(s, s.n - KEY_TEXT + 1);
	/* Longer ones cannot be ours, and are not worth hashing. */
	return s.n != KEY_TEXT - 1 ? NULL : model_key(s);
}

bool
api_foreign(const struct http_head *h)
{
	struct str s = http_field(h, "Origin");
	size_t scheme = str_starts(s, STR("https://")) ? 8 :
	    str_starts(s, STR("http://")) ? 7 : 0;

	return s.p != NULL && h->method != HTTP_GET && h->method != HTTP_HEAD &&
	    (scheme == 0 || !str_ieq(str_after(s, scheme), h->host));
}

/* Is this how one without a key gets in? */
static bool
enters(const struct http_head *h)
{
	return h->method == HTTP_POST && (str_is(h->path, "/login") ||
	    str_is(h->path, MODEL_API "session/"));
}

struct check *
api_beat(const struct http_head *h, bool *failed)
{
	struct str path = h->path;
	size_t n = path.n > 5 ? path.n - 5 : 0;

	*failed = str_is(str_after(path, n), "/fail");
	if (*failed)
		path.n = n;
	return model_beat(path);
}

int
api_refuse_early(struct api_call *c, struct fail *why)
{
	const struct http_head *h = c->head;
	bool body = h->chunked || h->length >= 0, shown, failed;
	const struct key *k = find_key(h, c->now_ms, &shown);
	bool beats = str_starts(h->path, STR(MODEL_BEAT));
	bool links = beats || str_starts(h->path, STR(MODEL_SEEN));
	/* A path that is good for what it is of, without a key. */
	bool good = links && (beats ? api_beat(h, &failed) != NULL :
	    notify_linked(h->path) != NULL);

	c->key = api_is_key(k) ? k->o.id : 0;
	if ((h->method == HTTP_POST || h->method == HTTP_PUT ||
	    h->method == HTTP_PATCH) && !body && !beats) {
		fail(why, "%s needs a Content-Length",
		    http_method_name(h->method));
		return 411;
	}
	/* What beats does not look where it is sent to: curl -f takes a
	 * redirection for a success. */
	if (!c->secure && (shown || c->key != 0 || beats)) {
		fail(why, "a key came over plain HTTP, where others can read "
		    "it: use https, and replace this key");
		return 403;
	}
	if (c->key != 0 && k->state != KEY_APPROVED) {
		fail(why, k->state == KEY_PENDING ? "this agent waits for "
		    "approval: vilicus key approve %s" : "this key was "
		    "refused", k->name);
		return 403;
	}
	if (c->key == 0 && !good && (shown || links || enters(h))) {
		if (login_blocked(c->peer, c->now_ms)) {
			fail(why, "too many wrong keys or codes from this "
			    "address; wait a minute");
			return 429;
		}
		if (shown || links)
			login_guessed(c->peer, c->now_ms);
	}
	if (links && !good) {
		fail(why, beats ? "nothing has this heartbeat's address" :
		    "this link leads nowhere: what it told of is long over, "
		    "or it was cut");
		return 404;
	}
	if (body && !good && h->length != 0 && c->key == 0 && !enters(h)) {
		fail(why, API_NEED_KEY);
		return 401;
	}
	return 0;
}

/* The same place over TLS. */
int
api_to_https(struct call *k)
{
	const struct http_head *h = k->c->head;
	struct str host = h->host;

	k->c->status = 308;
	k->c->type = NULL;
	buf_addf(&k->c->extra, "Location: https://%.*s%.*s%s%.*s\r\n",
	    (int)host.n, host.p, (int)h->path.n, h->path.p,
	    h->query.n > 0 ? "?" : "", (int)h->query.n, h->query.p);
	return 0;
}

/* ---- sessions ---- */

/* A session for a code; the cookie is added to the answer.  NULL and why. */
const struct login_session *
api_session(struct call *k, struct str code, struct fail *why)
{
	char secret[KEY_TEXT];
	const struct login_session *s = login_enter(code, k->c->peer,
	    k->c->now_ms, secret, why);

	if (s == NULL) {
		login_guessed(k->c->peer, k->c->now_ms);
		log_line("login: a wrong code from %s", k->c->peer);
		return NULL;
	}
	log_line("login: key %llu from %s", (unsigned long long)s->key,
	    k->c->peer);
	buf_addf(&k->c->extra, "Set-Cookie: vilicus=%s; Path=/; HttpOnly; "
	    "SameSite=Strict; Max-Age=%lld%s\r\n", secret,
	    (long long)LOGIN_IDLE_MS / 1000, k->c->tls ? "; Secure" : "");
	return s;
}

static void
show_session(struct call *k, const struct login_session *s,
    const struct login_session *mine)
{
	const struct key *key = model_get(KIND_KEY, s->key);
	struct buf *b = k->c->out;

	json_obj(b);
	json_add_int(b, "id", (int64_t)s->id);
	api_uri(b, "resource_uri", "session/%llu", (unsigned long long)s->id);
	json_add(b, "name", str_of(key == NULL ? "(removed)" : key->name));
	api_uri(b, "key", "key/%llu", (unsigned long long)s->key);
	json_add(b, "address", str_of(s->peer));
	json_put_time(json_key(b, "created"), s->created_ms);
	json_put_time(json_key(b, "last_used"), s->used_ms);
	json_put_bool(json_key(b, "current"), s == mine);
	json_obj_end(b);
}

/* May this call see, and end, that session? */
static bool
sees_session(const struct call *k, const struct login_session *s)
{
	return k->role == ROLE_ADMIN || s->key == k->key->o.id;
}

static int
take_nothing(struct call *k, char *name, const char *value, void *to)
{
	(void)value;
	(void)to;
	return api_wrong(k, name, "cannot be filtered by");
}

int
api_sessions(struct call *k)
{
	const struct login_session *s, *mine = find_session(k->c->head,
	    k->c->now_ms);
	struct api_query q;
	int64_t n = 0, i;

	if (api_query(k, &q, take_nothing, NULL) == -1)
		return -1;
	for (i = 0; i < LOGIN_SESSIONS; i++)
		n += (s = login_at((unsigned)i)) != NULL && sees_session(k, s);
	api_meta(k, &q, n, NULL);
	for (i = n = 0; i < LOGIN_SESSIONS; i++)
		if ((s = login_at((unsigned)i)) != NULL &&
		    sees_session(k, s) && n++ >= q.offset &&
		    n <= q.offset + q.limit)
			show_session(k, s, mine);
	return api_meta_end(k);
}

/* With a code: a session; without, but with a key: a code for its owner's
 * browser. */
int
api_enter(struct call *k)
{
	char text[64], code[LOGIN_CODE + 1];
	const struct login_session *s;
	struct str raw;
	struct fail why;

	if (k->c->body.n > 0 && api_body(k) == -1)
		return -1;
	if (k->c->body.n > 0 && json_member(k->c->body, "code", &raw) ==
	    JSON_STR) {
		s = json_unescape(raw, text, sizeof text) == -1 ? NULL :
		    api_session(k, str_of(text), &why);
		if (s == NULL)
			return api_error(k->c, 403, "code", "code: %s",
			    why.msg);
		show_session(k, s, s);
		return api_json(k, 201);
	}
	if (k->key == NULL)
		return api_error(k->c, 401, NULL, API_NEED_KEY);
	if (k->role == ROLE_AGENT || k->role == ROLE_ENROL)
		return api_error(k->c, 403, NULL, "this key may not do that");
	if (login_code(k->key->o.id, k->c->now_ms, code, &why) == -1)
		return api_no_room(k, &why);
	json_obj(k->c->out);
	json_add(k->c->out, "code", str_of(code));
	json_put_time(json_key(k->c->out, "expires"), k->c->now_ms +
	    LOGIN_CODE_MS);
	json_obj_end(k->c->out);
	return api_json(k, 201);
}

int
api_leave(struct call *k)
{
	const struct login_session *s;

	for (unsigned i = 0; i < LOGIN_SESSIONS; i++)
		if ((s = login_at(i)) != NULL && s->id == k->id &&
		    sees_session(k, s)) {
			login_end(s->id);
			return api_empty(k, 204);
		}
	return api_error(k->c, 404, NULL, "no session %s", k->item);
}

void
api_logout(struct call *k)
{
	const struct login_session *s = find_session(k->c->head,
	    k->c->now_ms);

	if (s != NULL)
		login_end(s->id);
	buf_addz(&k->c->extra, "Set-Cookie: vilicus=; Path=/; Max-Age=0\r\n");
}

/* ---- the server's own key ---- */

/* key/tls/next/, key/tls/switch/ */
int
api_tls_key(struct call *k)
{
	bool next = strcmp(k->sub, "next") == 0;
	char pins[IDENTITY_PINS];
	struct fail why;

	if (strcmp(k->item, "tls") != 0)
		return api_error(k->c, 404, NULL, "only key/tls/ has a next");
	if ((next ? identity_next : identity_switch)(&why) == -1)
		return api_error(k->c, 409, NULL, "%s", why.msg);
	identity_pins(pins);
	log_line("TLS: by %s, the pins are now %s", k->by, pins);
	if (model_setting()->pins[0] != '\0')
		model_text(&model_setting()->pins, str_of(pins));
	json_obj(k->c->out);
	json_add(k->c->out, "pins", str_of(pins));
	json_obj_end(k->c->out);
	return api_json(k, 200);
}
