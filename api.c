/* api.c: who asks for what, and may they?  See api.h. */
#include <stdarg.h>
#include <stdio.h>

#include "api_impl.h"
#include "gzip.h"

struct store *api_the_store;
const char *api_sick;

/* ---- the routes ---- */

#define N 128u				/* no key is needed */
#define A (1u << ROLE_AGENT)
#define V (1u << ROLE_VIEWER)
#define O (1u << ROLE_OPERATOR)
#define M (1u << ROLE_ADMIN)
#define E (1u << ROLE_ENROL)
#define READ (V | O | M)

/* What is done, by the shape of a path and the method. */
struct acts {
	api_fn *fn[SHAPES][HTTP_OPTIONS];
};

static const struct acts objects = { {
	[LIST]	 = { [HTTP_GET] = api_list, [HTTP_POST] = api_put },
	[OBJECT] = { [HTTP_GET] = api_get, [HTTP_PUT] = api_put,
		     [HTTP_PATCH] = api_put, [HTTP_DELETE] = api_delete },
	[SCHEMA] = { [HTTP_GET] = api_schema },
} }, results = { {
	[LIST]	 = { [HTTP_GET] = api_history, [HTTP_POST] = api_history_post,
		     [HTTP_PATCH] = api_history_patch },
	[OBJECT] = { [HTTP_GET] = api_history_one },
} }, events = { {
	[LIST]	 = { [HTTP_GET] = api_events },
	[OBJECT] = { [HTTP_GET] = api_event },
} }, incidents = { {
	[LIST]	 = { [HTTP_GET] = api_list },
	[OBJECT] = { [HTTP_GET] = api_get, [HTTP_PATCH] = api_ack },
	[SCHEMA] = { [HTTP_GET] = api_schema },
} },
test	    = { { [OBJECT] = { [HTTP_POST] = api_test } } },
replay	    = { { [OBJECT] = { [HTTP_POST] = api_replay } } },
cause	    = { { [OBJECT] = { [HTTP_GET] = api_why } } },
series	    = { { [OBJECT] = { [HTTP_GET] = api_series } } },
root	    = { { [LIST] = { [HTTP_GET] = api_root } } },
home_page   = { { [LIST] = { [HTTP_GET] = page_home } } },
status_page = { { [LIST] = { [HTTP_GET] = page_status } } },
health_page = { { [LIST] = { [HTTP_GET] = page_health } } },
login_page  = { { [LIST] = { [HTTP_GET] = page_login,
		     [HTTP_POST] = page_login } } },
logout_page = { { [LIST] = { [HTTP_POST] = page_logout } } },
beat_page   = { { [LIST] = { [HTTP_GET] = page_beat,
		     [HTTP_POST] = page_beat } } },
seen_page   = { { [LIST] = { [HTTP_GET] = page_seen,
		     [HTTP_POST] = page_seen } } },
next_key    = { { [OBJECT] = { [HTTP_POST] = api_tls_key } } },
switch_key  = { { [OBJECT] = { [HTTP_POST] = api_tls_key } } },
sessions    = { {
	[LIST]	 = { [HTTP_GET] = api_sessions, [HTTP_POST] = api_enter },
	[OBJECT] = { [HTTP_DELETE] = api_leave },
} };

/* Who may GET (the schema: but for agents), POST, PUT and PATCH, DELETE; 0:
 * there is no such method.  "*" is one resource per check type:
 * process_check, cpu_check ... */
static const struct route {
	const char *name, *sub;
	const struct acts *acts;
	unsigned read, make, change, remove;
} routes[] = {
	{ "/",             "",     &home_page,   N,        0,     0,     0 },
	{ "/status",       "",     &status_page, READ,     0,     0,     0 },
	{ "/healthz",      "",     &health_page, N,        0,     0,     0 },
	{ "/login",        "",     &login_page,  N,        N,     0,     0 },
	{ MODEL_BEAT,      "",     &beat_page,   N,        N,     0,     0 },
	{ MODEL_SEEN,      "",     &seen_page,   N,        N,     0,     0 },
	{ "/logout",       "",     &logout_page, 0,        READ,  0,     0 },
	{ "",              "",     &root,        READ | A, 0,     0,     0 },
	{ "agent",         "",     &objects,     READ | A, M | E, M | A, M },
	{ "check",         "",     &objects,     READ | A, M,     M,     M },
	{ "*",             "",     &objects,     READ | A, M,     M,     M },
	{ "check",         "series", &series,    READ | A, 0,     0,     0 },
	{ "*",             "series", &series,    READ | A, 0,     0,     0 },
	{ "check",         "replay", &replay,    0,        READ,  0,     0 },
	{ "*",             "replay", &replay,    0,        READ,  0,     0 },
	{ "check",         "why",  &cause,       READ,     0,     0,     0 },
	{ "*",             "why",  &cause,       READ,     0,     0,     0 },
	{ "check_history", "",     &results,     READ | A, M | A, M | A, 0 },
	{ "incident",      "",     &incidents,   READ,     0,     O | M, 0 },
	{ "delivery",      "",     &objects,     READ,     0,     0,     0 },
	{ "recipient",     "",     &objects,     O | M,    M,     M,     M },
	{ "recipient",     "test", &test,        0,        M,     0,     0 },
	{ "recipient",     "drill", &test,       0,        M,     0,     0 },
	{ "silence",       "",     &objects,     READ,   O | M, O | M, O | M },
	{ "key",           "",     &objects,     M,        M,     M,     M },
	{ "key",           "next", &next_key,    0,        M,     0,     0 },
	{ "key",           "switch", &switch_key, 0,       M,     0,     0 },
	{ "session",       "",     &sessions,    READ,     N | READ, 0,  READ },
	{ "setting",       "",     &objects,     READ,     0,     0,     0 },
	{ "event",         "",     &events,      O | M,    0,     0,     0 },
};

/* What a method does to what the path names, and who may; or NULL: it is not
 * for that. */
static api_fn *
act(const struct call *k, enum http_method m, unsigned *roles)
{
	const struct route *r = routes, *end = routes + COUNT(routes);

	while (r < end && (strcmp(r->sub, k->sub) != 0 || (r->name[0] == '*' ?
	    k->type == NULL : strcmp(r->name, k->resource) != 0)))
		r++;
	*roles = 0;
	if (r == end || m >= HTTP_OPTIONS)
		return NULL;
	if (m == HTTP_HEAD)
		m = HTTP_GET;
	*roles = m == HTTP_GET ? r->read : m == HTTP_POST ? r->make :
	    m == HTTP_DELETE ? r->remove : r->change;
	if (k->shape == SCHEMA)
		*roles &= READ;
	return *roles == 0 ? NULL : r->acts->fn[k->shape][m];
}

/* Answer what no function is for: OPTIONS, another method, or what is not
 * there, for no method. */
static int
answer_none(struct call *k, bool there)
{
	enum http_method method = k->c->head->method;
	unsigned m, roles;
	bool any = false;
	struct buf allow = k->c->extra;

	buf_addz(&allow, "Allow: ");
	for (m = 0; there && m < HTTP_OPTIONS; m++) {
		if (act(k, m, &roles) == NULL)
			continue;
		buf_addf(&allow, "%s, ", http_method_name(m));
		any = true;
	}
	if (!any)
		return api_error(k->c, 404, NULL, "there is nothing here; "
		    MODEL_API " lists the resources");
	buf_addz(&allow, "OPTIONS\r\n");
	k->c->extra = allow;
	return method == HTTP_OPTIONS ? api_empty(k, 204) :
	    api_error(k->c, 405, NULL, "%s is not for this resource",
	    http_method_name(method));
}

/* Resources with a list, for GET /api/v1/. */
int
api_root(struct call *k)
{
	struct buf *b = k->c->out;
	const struct route *r;
	char name[48];

	json_obj(b);
	for (r = routes; r < routes + COUNT(routes); r++) {
		bool types = r->name[0] == '*';

		if (r->sub[0] != '\0' || (!types && r->name[0] < 'a'))
			continue;
		for (unsigned t = 0; t < (types ? check_types_n : 1); t++) {
			snprintf(name, sizeof name, "%s%s", types ?
			    check_types[t].name : r->name,
			    types ? "_check" : "");
			json_obj(json_key(b, name));
			api_uri(b, "list_endpoint", "%s", name);
			if (r->acts->fn[SCHEMA][HTTP_GET] != NULL)
				api_uri(b, "schema", "%s/schema", name);
			else
				api_null(b, "schema");
			json_obj_end(b);
		}
	}
	json_obj_end(b);
	return api_json(k, 200);
}

/* ---- answers ---- */

int
api_error(struct api_call *c, int status, const char *field,
    const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_init(c->out, c->out->p, c->out->cap);
	json_obj(c->out);
	json_add(c->out, "error", str_of(text));
	if (field != NULL)
		json_add(c->out, "field", str_of(field));
	json_obj_end(c->out);
	buf_addc(c->out, '\n');
	c->status = status;
	c->type = "application/json";
	if (status == 401)
		buf_addz(&c->extra, "WWW-Authenticate: Basic "
		    "realm=\"vilicus\", charset=\"UTF-8\"\r\n");
	if (status == 503 || status == 429)
		buf_addf(&c->extra, "Retry-After: %d\r\n", status == 503 ? 5 :
		    60);
	return -1;
}

int
api_empty(struct call *k, int status)
{
	k->c->status = status;
	k->c->type = NULL;
	return 0;
}

int
api_json(struct call *k, int status)
{
	if (k->c->out->full)
		return api_error(k->c, 413, "limit", "the answer would be too "
		    "large; ask for less at a time");
	buf_addc(k->c->out, '\n');
	k->c->status = status;
	k->c->type = "application/json";
	return 0;
}

bool
api_sees(const struct call *k, enum kind kind, const struct object *o)
{
	uint64_t agent = kind == KIND_AGENT ? o->id : kind != KIND_CHECK ? 0 :
	    ((const struct check *)(const void *)o)->agent_id;

	/* Of its heartbeats an agent has nothing to do. */
	return k->agent == NULL || (agent == k->agent->o.id &&
	    (kind != KIND_CHECK ||
	    !check_is_beat(((const struct check *)(const void *)o)->type)));
}

const struct field *
api_field(const struct call *k, const char *name)
{
	const struct field *f = model_field(k->kind, str_of(name));

	return f == NULL || (f->flags & F_HIDE) ||
	    ((f->flags & F_SECRET) && !api_trusts(k)) ||
	    (k->type != NULL && f->type == FIELD_JSON) ? NULL : f;
}

/* ---- bodies ---- */

int
api_is_json(struct call *k)
{
	struct str type = http_field(k->c->head, "Content-Type"), media;

	if (str_cut(&type, ';', &media) == -1 ||
	    !str_ieq(str_trim(media), STR("application/json")))
		return api_error(k->c, 415, NULL, "the body must be "
		    "application/json, and its Content-Type say so");
	return 0;
}

int
api_body(struct call *k)
{
	struct fail why;
	struct str raw;

	if (api_is_json(k) == -1)
		return -1;
	if (json_valid(k->c->body, &why) == -1)
		return api_error(k->c, 400, NULL, "the body is not JSON: %s",
		    why.msg);
	if (json_member(k->c->body, "", &raw) == JSON_BAD)
		return api_error(k->c, 400, NULL, "the body must be a JSON "
		    "object");
	return 0;
}

/* ---- what is asked ---- */

/* The next part of a path, unescaped; "" at its end.  0 or -1. */
static int
part(struct str *path, char *dst, size_t cap)
{
	struct str s;

	dst[0] = '\0';
	if (str_cut(path, '/', &s) == -1)
		return 0;
	if (http_unescape(s, false, dst, cap) == -1 ||
	    strchr(dst, '/') != NULL)
		return -1;
	return s.n == 0 && path->p != NULL ? -1 : 0;	/* "//" */
}

const struct check_type *
api_type(struct str resource)
{
	size_t n = resource.n < 6 ? 0 : resource.n - 6;

	return str_is(str_after(resource, n), "_check") ?
	    check_type((struct str){ resource.p, n }) : NULL;
}

/* Take the path apart.  0, or -1: nothing can be there. */
static int
take_path(struct call *k, struct str path)
{
	if (!str_starts(path, STR(MODEL_API)))
		return str_copy(k->resource, sizeof k->resource,
		    str_starts(path, STR(MODEL_BEAT)) ? STR(MODEL_BEAT) :
		    str_starts(path, STR(MODEL_SEEN)) ? STR(MODEL_SEEN) :
		    path);
	path = str_after(path, sizeof MODEL_API - 1);
	if (part(&path, k->resource, sizeof k->resource) == -1 ||
	    part(&path, k->item, sizeof k->item) == -1 ||
	    part(&path, k->sub, sizeof k->sub) == -1 || path.n > 0)
		return -1;
	if (k->item[0] != '\0')
		k->shape = strcmp(k->item, "schema") == 0 ? SCHEMA : OBJECT;
	if (k->item[0] != '0')
		(void)str_u64(str_of(k->item), 1, INT64_MAX, &k->id);
	k->type = api_type(str_of(k->resource));
	if (model_kind(str_of(k->resource), &k->kind) == -1 && k->type != NULL)
		k->kind = KIND_CHECK;
	return 0;
}

/* ---- encodings (RFC 9110 8.4, 12.5.3) ---- */

/* The body as it was before it was packed.  0, or -1 answered. */
static int
unpack(struct call *k)
{
	static char plain[API_RESULTS_MAX];
	struct str coding = http_field(k->c->head, "Content-Encoding");
	struct fail why;
	struct buf b;

	if (coding.n == 0 || str_ieq(coding, STR("identity")))
		return 0;
	if (!str_ieq(coding, STR("gzip")) && !str_ieq(coding, STR("x-gzip"))) {
		buf_addz(&k->c->extra, "Accept-Encoding: gzip\r\n");
		return api_error(k->c, 415, NULL, "only gzip is taken as a "
		    "Content-Encoding");
	}
	buf_init(&b, plain, api_body_max(k->c->head));
	if (gzip_unpack(&b, k->c->body, &why) == -1)
		return api_error(k->c, b.full ? 413 : 400, NULL, "the body: "
		    "%s", why.msg);
	k->c->body = str_from(&b);
	return 0;
}

/* Does the client take gzip? */
static bool
takes_gzip(const struct http_head *h)
{
	struct str list = http_field(h, "Accept-Encoding"), one, name;

	while (str_cut(&list, ',', &one) == 0) {
		str_cut(&one, ';', &name);
		if (str_ieq(str_trim(name), STR("gzip")))
			/* "q=0", "q=0.000": but not so */
			return one.p == NULL || str_span(str_trim(one),
			    "q=0.") != str_trim(one).n;
	}
	return false;
}

/* What is worth it goes out packed. */
static void
pack(struct api_call *c)
{
	static char packed[API_PACK_MAX];
	struct buf b = BUF(packed);

	if (c->type == NULL || c->out->n < API_PACK_MIN ||
	    c->out->n > API_PACK_MAX || !takes_gzip(c->head) ||
	    gzip_pack(&b, str_from(c->out)) == -1 || b.n >= c->out->n)
		return;
	memcpy(c->out->p, b.p, b.n);
	c->out->n = b.n;
	buf_addz(&c->extra, "Content-Encoding: gzip\r\n"
	    "Vary: Accept-Encoding\r\n");
}

/* Route and key together decide; without a key nothing is told about what
 * there is. */
static void
dispatch(struct call *k)
{
	const struct http_head *h = k->c->head;
	bool there = take_path(k, h->path) == 0;
	unsigned roles = 0;
	api_fn *fn = there ? act(k, h->method, &roles) : NULL;

	if (!k->c->secure)
		api_to_https(k);
	else if (k->key == NULL && !(roles & N))
		api_error(k->c, 401, NULL, API_NEED_KEY);
	else if (fn == NULL)
		answer_none(k, there);
	else if (!(roles & (N | 1u << k->role)))
		api_error(k->c, 403, NULL, "this key may not do that");
	else if (api_foreign(h))
		api_error(k->c, 403, NULL, "another site's page sent this");
	else
		fn(k);
}

void
api_handle(struct api_call *c)
{
	struct call k = { .c = c, .role = ROLE_NONE,
	    .now = { c->now_ms, c->watch_ms, false },
	    .asked = { k.by, "api", c->now_ms, false },
	    .decided = { k.by, "api", c->now_ms, true } };
	struct key *key = model_get(KIND_KEY, c->key);
	struct buf by = BUF(k.by);

	buf_init(c->out, c->out->p, c->out->cap);
	buf_init(&c->extra, c->extra_room, sizeof c->extra_room);
	c->wrote = 0;
	c->trusted = api_is_key(key);
	c->status = 500;
	c->type = NULL;
	if (c->trusted) {
		k.key = key;
		k.role = (enum role)key->role;
		k.agent = k.role == ROLE_AGENT ? model_agent(key->agent) : NULL;
		key->last_used = c->now_ms - c->now_ms % 3600000;
		buf_addz(&by, "key:");
		buf_addi(&by, (int64_t)key->o.id);
		buf_addc(&by, '\0');
	}
	if (unpack(&k) == 0)
		dispatch(&k);
	pack(c);
	c->wrote |= change_pending() ? STORE_RECORDS : 0;
	if (c->extra.full)
		c->extra.n = 0;
}
