/* api.c: who asks for what, and may they?  See api.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api_impl.h"

struct store *api_the_store;
const char *api_sick;

void
api_health(const char *reason)
{
	api_sick = reason;
}

void
api_store(struct store *s)
{
	api_the_store = s;
}

/* ---- the routes ---- */

#define N 128u				/* no key is needed */
#define A (1u << ROLE_AGENT)
#define V (1u << ROLE_VIEWER)
#define O (1u << ROLE_OPERATOR)
#define M (1u << ROLE_ADMIN)
#define READ (V | O | M)

#define NEED_KEY "a valid key is needed: Authorization: Bearer KEY"

enum shape { PAGE, ROOT, LIST, SCHEMA, OBJECT, SUB };

/* A resource "*" is one per check type: process_check, cpu_check ... */
static const struct route {
	enum shape shape;
	const char *resource, *sub;
	enum http_method method;
	unsigned roles;
	api_fn *fn;
} routes[] = {
	{ PAGE,	  "/",		   "",	   HTTP_GET,	N,	  page_home },
	{ PAGE,	  "/status",	   "",	   HTTP_GET,	READ,	  page_status },
	{ PAGE,	  "/healthz",	   "",	   HTTP_GET,	N,	  page_health },
	{ ROOT,	  "",		   "",	   HTTP_GET,	READ | A, api_root },
	{ LIST,	  "agent",	   "",	   HTTP_GET,	READ | A, api_list },
	{ LIST,	  "agent",	   "",	   HTTP_POST,	M,	  api_post },
	{ SCHEMA, "agent",	   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "agent",	   "",	   HTTP_GET,	READ | A, api_get },
	{ OBJECT, "agent",	   "",	   HTTP_PUT,	M | A,	  api_put },
	{ OBJECT, "agent",	   "",	   HTTP_PATCH,	M | A,	  api_put },
	{ OBJECT, "agent",	   "",	   HTTP_DELETE,	M,	  api_delete },
	{ LIST,	  "check",	   "",	   HTTP_GET,	READ | A, api_list },
	{ LIST,	  "check",	   "",	   HTTP_POST,	M,	  api_post },
	{ SCHEMA, "check",	   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "check",	   "",	   HTTP_GET,	READ | A, api_get },
	{ OBJECT, "check",	   "",	   HTTP_PUT,	M,	  api_put },
	{ OBJECT, "check",	   "",	   HTTP_PATCH,	M,	  api_put },
	{ OBJECT, "check",	   "",	   HTTP_DELETE,	M,	  api_delete },
	{ LIST,	  "*",		   "",	   HTTP_GET,	READ | A, api_list },
	{ LIST,	  "*",		   "",	   HTTP_POST,	M,	  api_post },
	{ SCHEMA, "*",		   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "*",		   "",	   HTTP_GET,	READ | A, api_get },
	{ OBJECT, "*",		   "",	   HTTP_PUT,	M,	  api_put },
	{ OBJECT, "*",		   "",	   HTTP_PATCH,	M,	  api_put },
	{ OBJECT, "*",		   "",	   HTTP_DELETE,	M,	  api_delete },
	{ LIST,	  "check_history", "",	   HTTP_GET,	READ | A, api_history },
	{ LIST,	  "check_history", "",	   HTTP_POST,	M | A,
	    api_history_post },
	{ LIST,	  "check_history", "",	   HTTP_PATCH,	M | A,
	    api_history_patch },
	{ OBJECT, "check_history", "",	   HTTP_GET,	READ | A,
	    api_history_one },
	{ LIST,	  "incident",	   "",	   HTTP_GET,	READ,	  api_list },
	{ SCHEMA, "incident",	   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "incident",	   "",	   HTTP_GET,	READ,	  api_get },
	{ LIST,	  "delivery",	   "",	   HTTP_GET,	READ,	  api_list },
	{ SCHEMA, "delivery",	   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "delivery",	   "",	   HTTP_GET,	READ,	  api_get },
	{ LIST,	  "recipient",	   "",	   HTTP_GET,	O | M,	  api_list },
	{ LIST,	  "recipient",	   "",	   HTTP_POST,	M,	  api_post },
	{ SCHEMA, "recipient",	   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "recipient",	   "",	   HTTP_GET,	O | M,	  api_get },
	{ OBJECT, "recipient",	   "",	   HTTP_PUT,	M,	  api_put },
	{ OBJECT, "recipient",	   "",	   HTTP_PATCH,	M,	  api_put },
	{ OBJECT, "recipient",	   "",	   HTTP_DELETE,	M,	  api_delete },
	{ SUB,	  "recipient",	   "test", HTTP_POST,	M,	  api_test },
	{ LIST,	  "key",	   "",	   HTTP_GET,	M,	  api_list },
	{ LIST,	  "key",	   "",	   HTTP_POST,	M,	  api_post },
	{ SCHEMA, "key",	   "",	   HTTP_GET,	M,	  api_schema },
	{ OBJECT, "key",	   "",	   HTTP_GET,	M,	  api_get },
	{ OBJECT, "key",	   "",	   HTTP_DELETE,	M,	  api_delete },
	{ LIST,	  "setting",	   "",	   HTTP_GET,	READ,	  api_list },
	{ SCHEMA, "setting",	   "",	   HTTP_GET,	READ,	  api_schema },
	{ OBJECT, "setting",	   "",	   HTTP_GET,	READ,	  api_get },
	{ LIST,	  "event",	   "",	   HTTP_GET,	O | M,	  api_events },
	{ OBJECT, "event",	   "",	   HTTP_GET,	O | M,	  api_event },
};

static bool
has_schema(const char *resource)
{
	size_t i;

	for (i = 0; i < COUNT(routes); i++)
		if (routes[i].shape == SCHEMA &&
		    strcmp(routes[i].resource, resource) == 0)
			return true;
	return false;
}

static void
show_resource(struct buf *b, const struct route *r, const char *type)
{
	char name[48];

	snprintf(name, sizeof name, "%s%s", type == NULL ? r->resource : type,
	    type == NULL ? "" : "_check");
	json_key(b, name);
	json_obj(b);
	json_key(b, "list_endpoint");
	buf_addf(b, "\"" MODEL_API "%s/\"", name);
	json_key(b, "schema");
	if (has_schema(r->resource))
		buf_addf(b, "\"" MODEL_API "%s/schema/\"", name);
	else
		json_put_null(b);
	json_obj_end(b);
}

/* Resources with a list, for GET /api/v1/. */
void
api_root(struct call *k)
{
	struct buf *b = k->c->out;
	size_t i;
	unsigned t;

	json_obj(b);
	for (i = 0; i < COUNT(routes); i++) {
		const struct route *r = &routes[i];

		if (r->shape != LIST || r->method != HTTP_GET)
			continue;
		if (r->resource[0] != '*') {
			show_resource(b, r, NULL);
			continue;
		}
		for (t = 0; t < check_types_n; t++)
			show_resource(b, r, check_types[t].name);
	}
	json_obj_end(b);
	api_json(k, 200);
}

void
api_schema(struct call *k)
{
	model_schema(k->c->out, k->kind);
	api_json(k, 200);
}

/* ---- answers ---- */

static void
clear(struct api_call *c)
{
	c->out->n = 0;
	c->out->full = false;
}

void
api_error(struct api_call *c, int status, const char *field,
    const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	clear(c);
	json_obj(c->out);
	json_add(c->out, "error", str_of(text));
	if (field != NULL) {
		json_add(c->out, "field", str_of(field));
	}
	json_obj_end(c->out);
	buf_addc(c->out, '\n');
	c->status = status;
	c->type = "application/json";
	if (status == 401)
		buf_addz(&c->extra, "WWW-Authenticate: Basic "
		    "realm=\"vilicus\", charset=\"UTF-8\"\r\n");
	if (status == 503)
		buf_addz(&c->extra, "Retry-After: 5\r\n");
}

int
api_bad(struct call *k, int status, const char *field, const struct fail *why)
{
	bool named = field == NULL || str_starts(str_of(why->msg),
	    str_of(field));

	api_error(k->c, status, field, "%s%s%s", named ? "" : field,
	    named ? "" : ": ", why->msg);
	return -1;
}

int
api_wrong(struct call *k, const char *field, const char *what)
{
	api_error(k->c, 400, field, "%s: %s", field, what);
	return -1;
}

void
api_no_room(struct call *k, const struct fail *why)
{
	api_error(k->c, 503, NULL, "nothing was stored: %s", why->msg);
}

void
api_json(struct call *k, int status)
{
	if (k->c->out->full) {
		api_error(k->c, 413, "limit",
		    "the answer would be too large; ask for less at a time");
		return;
	}
	buf_addc(k->c->out, '\n');
	k->c->status = status;
	k->c->type = "application/json";
}

struct watch_now
api_now(const struct call *k)
{
	return (struct watch_now){ k->c->now_ms, k->c->watch_ms, false };
}

struct change
api_change(const struct call *k, bool keep)
{
	return (struct change){ k->by, "api", k->c->now_ms, keep };
}

struct model_view
api_view(const struct call *k)
{
	return (struct model_view){ k->role == ROLE_AGENT &&
	    k->kind == KIND_CHECK, k->type != NULL, k->resource };
}

bool
api_sees(const struct call *k, enum kind kind, const struct object *o)
{
	if (k->role != ROLE_AGENT)
		return true;
	if (kind == KIND_AGENT)
		return o->id == k->key->agent;
	return kind == KIND_CHECK &&
	    ((const struct check *)(const void *)o)->agent_id ==
	    k->key->agent;
}

int
api_body(struct call *k)
{
	struct str type = http_field(k->c->head, "Content-Type"), media;
	struct fail why;

	if (http_field(k->c->head, "Content-Encoding").n > 0) {
		api_error(k->c, 415, NULL, "a Content-Encoding is not taken");
		return -1;
	}
	if (str_cut(&type, ';', &media) == -1 ||
	    !str_ieq(str_trim(media), STR("application/json"))) {
		api_error(k->c, 415, NULL, "the body must be application/json, "
		    "and its Content-Type say so");
		return -1;
	}
	if (json_valid(k->c->body, &why) == -1) {
		api_error(k->c, 400, NULL, "the body is not JSON: %s",
		    why.msg);
		return -1;
	}
	if (json_member(k->c->body, "", &media) == JSON_BAD) {
		api_error(k->c, 400, NULL, "the body must be a JSON object");
		return -1;
	}
	return 0;
}

/* ---- who asks ---- */

/* RFC 4648 base64, as Basic has it, into dst.  0 or -1. */
static int
unbase64(struct str s, char *dst, size_t cap)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t i, n = 0;
	int have = 0;

	while (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	for (i = 0; i < s.n; i++) {
		const char *at = memchr(digits, s.p[i], 64);

		if (at == NULL || n + 1 >= cap)
			return -1;
		bits = bits << 6 | (uint32_t)(at - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			dst[n++] = (char)(bits >> have & 0xff);
		}
	}
	dst[n] = '\0';
	return strlen(dst) == n ? 0 : -1;
}

/* What follows the last ':' of a NAME:KEY. */
static struct str
after_colon(struct str s)
{
	struct str key = s, head;

	while (str_cut(&s, ':', &head) == 0)
		key = head;
	return key;
}

static struct key *
find_key(const struct http_head *h)
{
	struct str s = http_field(h, "Authorization"), scheme;
	char plain[256];
	struct key *k;

	if (str_cut(&s, ' ', &scheme) == -1 || s.p == NULL)
		return NULL;
	s = str_trim(s);
	if (str_ieq(scheme, STR("ApiKey"))) {
		s = after_colon(s);
	} else if (str_ieq(scheme, STR("Basic"))) {
		if (unbase64(s, plain, sizeof plain) == -1)
			return NULL;
		s = after_colon(str_of(plain));
	} else if (!str_ieq(scheme, STR("Bearer"))) {
		return NULL;
	}
	/* Longer ones cannot be ours, and are not worth hashing; and an agent's
	 * key is none without its agent. */
	k = s.n != KEY_TEXT - 1 ? NULL : model_key(s);
	return k != NULL && k->role == ROLE_AGENT &&
	    model_agent(k->agent) == NULL ? NULL : k;
}

/* A browser says where a request that changes something comes from: only
 * our own pages may send one with the key it remembers. */
static bool
foreign(const struct http_head *h)
{
	struct str origin = http_field(h, "Origin"), rest;
	struct fail why;
	struct http_url u;

	if (origin.p == NULL || h->method == HTTP_GET ||
	    h->method == HTTP_HEAD)
		return false;
	if (http_url(origin, &u, &why) == -1)
		return true;
	rest = origin;
	rest.p += u.tls ? 8 : 7;
	rest.n -= u.tls ? 8 : 7;
	return !str_ieq(rest, h->host);
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
	return http_unescape(s, false, dst, cap);
}

static enum shape
shape_of(const struct call *k)
{
	if (k->resource[0] == '\0')
		return ROOT;
	if (k->item[0] == '\0')
		return LIST;
	if (strcmp(k->item, "schema") == 0)
		return SCHEMA;
	return k->sub[0] == '\0' ? OBJECT : SUB;
}

/* Take the path apart.  0, or -1: nothing can be there. */
static int
take_path(struct call *k, struct str path, enum shape *shape)
{
	size_t n;

	for (n = 1; n < path.n; n++)
		if (path.p[n] == '/' && path.p[n - 1] == '/')
			return -1;
	if (!str_starts(path, STR(MODEL_API))) {
		*shape = PAGE;
		return str_copy(k->resource, sizeof k->resource, path);
	}
	path.p += sizeof MODEL_API - 1;
	path.n -= sizeof MODEL_API - 1;
	if (part(&path, k->resource, sizeof k->resource) == -1 ||
	    part(&path, k->item, sizeof k->item) == -1 ||
	    part(&path, k->sub, sizeof k->sub) == -1 || path.n > 0)
		return -1;
	*shape = shape_of(k);
	if (*shape == SCHEMA && k->sub[0] != '\0')
		return -1;
	if (k->item[0] == '0' ||
	    str_u64(str_of(k->item), 1, INT64_MAX, &k->id) == -1)
		k->id = 0;
	if (model_kind(str_of(k->resource), &k->kind) == 0)
		return 0;
	n = strlen(k->resource);
	if (n > 6 && strcmp(k->resource + n - 6, "_check") == 0)
		k->type = check_type((struct str){ k->resource, n - 6 });
	if (k->type != NULL)
		k->kind = KIND_CHECK;
	return 0;
}

static bool
matches(const struct route *r, const struct call *k, enum shape shape)
{
	if (r->shape != shape || strcmp(r->sub, shape == SUB ? k->sub : "")
	    != 0)
		return false;
	if (r->resource[0] == '*')
		return k->type != NULL;
	return strcmp(r->resource, k->resource) == 0;
}

/* The route, or NULL; *allow lists the methods that there are. */
static const struct route *
find_route(const struct call *k, enum shape shape, enum http_method method,
    struct buf *allow)
{
	const struct route *found = NULL;
	size_t i;

	if (method == HTTP_HEAD)
		method = HTTP_GET;
	for (i = 0; i < COUNT(routes); i++) {
		if (!matches(&routes[i], k, shape))
			continue;
		buf_addf(allow, "%s%s", allow->n > 0 ? ", " : "",
		    http_method_name(routes[i].method));
		if (routes[i].method == HTTP_GET)
			buf_addz(allow, ", HEAD");
		if (routes[i].method == method)
			found = &routes[i];
	}
	if (allow->n > 0)
		buf_addz(allow, ", OPTIONS");
	return found;
}

size_t
api_body_max(const struct http_head *h)
{
	struct str head = STR(MODEL_API "check_history");

	return str_starts(h->path, head) ? API_RESULTS_MAX : API_BODY_MAX;
}

int
api_refuse_early(const struct http_head *h, struct fail *why)
{
	bool body = h->chunked || h->length >= 0;

	if ((h->method == HTTP_POST || h->method == HTTP_PUT ||
	    h->method == HTTP_PATCH) && !body) {
		fail(why, "%s needs a Content-Length",
		    http_method_name(h->method));
		return 411;
	}
	if (body && h->length != 0 && find_key(h) == NULL) {
		fail(why, NEED_KEY);
		return 401;
	}
	return 0;
}

static void
identify(struct call *k)
{
	k->key = find_key(k->c->head);
	k->role = k->key == NULL ? ROLE_NONE : (enum role)k->key->role;
	if (k->key == NULL)
		return;
	k->c->trusted = true;
	k->key->last_used = k->c->now_ms - k->c->now_ms % 3600000;
	snprintf(k->by, sizeof k->by, "key:%llu",
	    (unsigned long long)k->key->o.id);
}

static void
options(struct call *k, const struct buf *allow)
{
	buf_addf(&k->c->extra, "Allow: %.*s\r\n", (int)allow->n, allow->p);
	k->c->status = 204;
	k->c->type = NULL;
}

/* Route and key together decide; without a key nothing is told about what
 * there is. */
static void
dispatch(struct call *k)
{
	const struct http_head *h = k->c->head;
	char list[96];
	struct buf allow;
	enum shape shape = PAGE;
	const struct route *r = NULL;
	bool path_ok = take_path(k, h->path, &shape) == 0;

	buf_init(&allow, list, sizeof list);
	if (path_ok)
		r = find_route(k, shape, h->method, &allow);
	identify(k);
	if (k->key == NULL && !(r != NULL && (r->roles & N)))
		api_error(k->c, 401, NULL, NEED_KEY);
	else if (allow.n == 0)
		api_error(k->c, 404, NULL, "there is nothing here; "
		    MODEL_API " lists the resources");
	else if (h->method == HTTP_OPTIONS)
		options(k, &allow);
	else if (r == NULL) {
		api_error(k->c, 405, NULL, "%s is not for this resource",
		    http_method_name(h->method));
		buf_addf(&k->c->extra, "Allow: %.*s\r\n", (int)allow.n,
		    allow.p);
	} else if (!(r->roles & (N | 1u << k->role)))
		api_error(k->c, 403, NULL, "this key may not do that");
	else if (foreign(h))
		api_error(k->c, 403, NULL, "another site's page sent this");
	else
		r->fn(k);
}

void
api_handle(struct api_call *c)
{
	struct call k = { .c = c, .role = ROLE_NONE };

	clear(c);
	buf_init(&c->extra, c->extra_room, sizeof c->extra_room);
	c->wrote = c->trusted = false;
	c->status = 500;
	c->type = NULL;
	dispatch(&k);
	c->wrote = c->wrote || change_pending();
	if (c->extra.full)
		c->extra.n = 0;
}
