/* api_object.c: one object made, read, changed, removed.  See api.h. */
#include <stdio.h>
#include <string.h>

#include "api_impl.h"

static struct object *
find(struct call *k)
{
	struct object *o = k->id == 0 ? NULL : model_get(k->kind, k->id);

	if (o != NULL && k->type != NULL &&
	    ((struct check *)o)->type != k->type)
		o = NULL;
	if (o == NULL)
		api_error(k->c, 404, NULL, "no %s %s", k->resource, k->item);
	else if (!api_sees(k, k->kind, o)) {
		api_error(k->c, 403, NULL, "%s %s is not this agent's",
		    k->resource, k->item);
		o = NULL;
	}
	return o;
}

static void
etag(struct call *k, int64_t revision)
{
	buf_addf(&k->c->extra, "ETag: \"%lld\"\r\n", (long long)revision);
}

void
api_get(struct call *k)
{
	struct object *o = find(k);
	struct model_view v = api_view(k);

	if (o == NULL)
		return;
	if (k->kind == KIND_AGENT)
		etag(k, ((struct agent *)o)->revision);
	model_show(k->c->out, k->kind, o, &v);
	api_json(k, 200);
}

/* ---- fields of a body ---- */

struct fields {
	struct object *draft;
	const struct object *live;	/* NULL: a new one */
	char name[64];			/* of the member now read */
};

static bool
is_param(const struct check_type *t, const char *name)
{
	unsigned i;

	for (i = 0; t != NULL && i < t->params; i++)
		if (strcmp(t->param[i].name, name) == 0)
			return true;
	return false;
}

/* What the type of a resource or an object fixes may be said again. */
static int
fixed(struct call *k, struct fields *f, struct str raw, enum json_tok tok)
{
	char text[128];
	uint64_t id = 0;

	if (json_unescape(raw, text, sizeof text) == -1)
		text[0] = '\0';
	if (strcmp(f->name, "resource_uri") == 0)
		id = api_check_ref(str_of(text), &id) == 0 ||
		    model_ref(str_of(text), k->kind, &id) == 0 ? id : 0;
	else if (tok == JSON_NUM)
		str_u64(raw, 1, INT64_MAX, &id);
	if (f->live != NULL && id == f->live->id)
		return 0;
	return api_wrong(k, f->name, "is not yours to choose");
}

/* May this field be given at all?  1: yes; 0: it is passed over, as a PUT
 * gives back what a GET gave; -1: no, and it would change something. */
static int
may_write(struct call *k, struct fields *f, const struct field *fd,
    enum json_tok tok, struct str raw)
{
	bool agent = k->role == ROLE_AGENT;
	struct object *probe;
	struct fail why;
	bool same;

	if (fd->flags & (agent ? F_AGENT : F_WRITE))
		return 1;
	if (k->c->head->method == HTTP_PUT && (fd->type == FIELD_SHOW ||
	    (fd->flags & F_STATE)))
		return 0;
	probe = model_draft(k->kind, f->draft);
	same = f->live != NULL && model_set(k->kind, probe, fd, tok, raw,
	    &why) == 0 && model_same(fd, probe, f->live);
	model_drop(k->kind, probe);
	if (same)
		return 0;
	if (!agent)
		return api_wrong(k, f->name, "is read-only");
	api_error(k->c, 403, f->name, "%s: an agent may not write this",
	    f->name);
	return -1;
}

static int
set_field(struct call *k, struct fields *f, enum json_tok tok, struct str raw)
{
	const struct field *fd = model_field(k->kind, str_of(f->name));
	struct fail why;
	int rc;

	if (strcmp(f->name, "id") == 0 ||
	    strcmp(f->name, "resource_uri") == 0)
		return fixed(k, f, raw, tok);
	if (fd == NULL || (fd->flags & F_HIDE) ||
	    (k->type != NULL && fd->type == FIELD_JSON))
		return api_wrong(k, f->name, "no such field");
	rc = may_write(k, f, fd, tok, raw);
	if (rc != 1)
		return rc;
	if (model_set(k->kind, f->draft, fd, tok, raw, &why) == -1)
		return api_bad(k, 400, f->name, &why);
	if (fd->type == FIELD_TYPE && k->type != NULL &&
	    ((struct check *)f->draft)->type != k->type)
		return api_wrong(k, f->name, "is what the resource says");
	if ((fd->flags & F_ONCE) && f->live != NULL &&
	    !model_same(fd, f->draft, f->live))
		return api_wrong(k, f->name, "is set once, when it is made");
	return 0;
}

/* Parameters given flat, and those it had that are not given again. */
static int
set_params(struct call *k, struct check *c)
{
	char room[CHECK_PARAMS_MAX];
	struct buf b;
	struct str raw;
	unsigned i;

	buf_init(&b, room, sizeof room);
	json_obj(&b);
	for (i = 0; i < k->type->params; i++) {
		const char *name = k->type->param[i].name;

		if (json_member(k->c->body, name, &raw) == JSON_END &&
		    json_member(str_of(c->params), name, &raw) < JSON_STR)
			continue;
		json_key(&b, name);
		json_put_raw(&b, raw);
	}
	json_obj_end(&b);
	if (b.full)
		return api_wrong(k, "params", "too long");
	model_text(&c->params, str_from(&b));
	return 0;
}

/* Every member of the body into the draft.  0, or -1 answered. */
static int
set_fields(struct call *k, struct fields *f)
{
	struct json j;
	struct str key, raw;
	enum json_tok tok;

	json_open(&j, k->c->body);
	json_next(&j, &raw);
	while (json_next(&j, &key) == JSON_KEY) {
		if (json_unescape(key, f->name, sizeof f->name) == -1)
			return api_wrong(k, "body", "too long a name");
		tok = json_value(&j, &raw);
		if (!is_param(k->type, f->name) &&
		    set_field(k, f, tok, raw) == -1)
			return -1;
	}
	/* Hits alone are hits in a row. */
	if (k->kind == KIND_CHECK && json_member(k->c->body, "of", &raw) ==
	    JSON_END && json_member(k->c->body, "hits", &raw) != JSON_END)
		((struct check *)f->draft)->of =
		    ((struct check *)f->draft)->hits;
	return k->type == NULL ? 0 :
	    set_params(k, (struct check *)f->draft);
}

static int
missing(struct call *k)
{
	unsigned i;
	struct str raw;

	for (i = 0; i < model_kinds[k->kind].fields; i++) {
		const struct field *f = &model_kinds[k->kind].field[i];

		if (!(f->flags & F_NEED) ||
		    (k->type != NULL && f->type == FIELD_TYPE) ||
		    json_member(k->c->body, f->name, &raw) != JSON_END)
			continue;
		return api_wrong(k, f->name, "is needed");
	}
	return 0;
}

/* A new key's secret, of which only the hash is kept. */
static int
new_secret(struct call *k, struct key *key, char secret[KEY_TEXT])
{
	static const char *const prefix[] = {
		[ROLE_AGENT] = "va_", [ROLE_VIEWER] = "vv_",
		[ROLE_OPERATOR] = "vo_", [ROLE_ADMIN] = "vk_",
		[ROLE_ENROL] = "ve_"
	};
	unsigned char hash[KEY_HASH];
	char hex[2 * KEY_HASH + 1];
	struct fail why;

	if (key_make(prefix[key->role], secret, &why) == -1) {
		api_no_room(k, &why);
		return -1;
	}
	key_hash(str_of(secret), hash);
	str_hex(hex, hash, sizeof hash);
	model_text(&key->hash, str_of(hex));
	key->created = k->c->now_ms;
	return 0;
}

/* The draft as a whole, then into the journal and in place. */
static struct object *
install(struct call *k, struct object *draft)
{
	struct change ch = api_change(k, false);
	const char *field = NULL;
	struct object *live;
	struct fail why;
	bool conflict;

	if (model_check(k->kind, draft, &field, &conflict, &why) == -1) {
		api_bad(k, conflict ? 409 : 400, field, &why);
		model_drop(k->kind, draft);
		return NULL;
	}
	live = change_put(k->kind, draft, &ch, &why);
	if (live == NULL)
		api_no_room(k, &why);
	k->c->wrote = true;
	return live;
}

static void
answer_new(struct call *k, const struct object *o, const char *secret)
{
	struct model_view v = api_view(k);

	model_show(k->c->out, k->kind, o, &v);
	if (secret[0] != '\0') {
		k->c->out->n--;		/* one member more */
		json_add(k->c->out, "secret", str_of(secret));
		json_obj_end(k->c->out);
	}
	buf_addf(&k->c->extra, "Location: " MODEL_API "%s/%llu/\r\n",
	    k->resource, (unsigned long long)o->id);
	api_json(k, 201);
}

void
api_post(struct call *k)
{
	struct fields f = { .draft = NULL, .live = NULL };
	char secret[KEY_TEXT] = "";
	struct object *o;

	if (api_body(k) == -1)
		return;
	f.draft = model_draft(k->kind, NULL);
	if (k->type != NULL)
		((struct check *)f.draft)->type = k->type;
	if (set_fields(k, &f) == -1 || missing(k) == -1 ||
	    (k->kind == KIND_KEY &&
	    new_secret(k, (struct key *)f.draft, secret) == -1)) {
		model_drop(k->kind, f.draft);
		return;
	}
	o = install(k, f.draft);
	if (o != NULL)
		answer_new(k, o, secret);
}

/* ---- changing ---- */

/* What an agent says of itself: with the journal only when it is new. */
static void
put_own(struct call *k, struct agent *live, struct object *draft)
{
	struct agent *d = (struct agent *)draft;
	struct watch_now now = api_now(k);
	struct change ch = api_change(k, true);
	bool stops = d->state == AGENT_STOPPED;
	struct fail why;

	if (d->state != live->state && !stops) {
		api_error(k->c, 403, "state", "state: an agent may only "
		    "write \"stopped\"");
		model_drop(KIND_AGENT, draft);
		return;
	}
	d->state = live->state;
	live->clock_skew_ms = d->clock_skew_ms;
	live->dropped = d->dropped;
	if (!model_keeps_same(KIND_AGENT, draft, &live->o)) {
		if (change_put(KIND_AGENT, draft, &ch, &why) == NULL) {
			api_no_room(k, &why);
			return;
		}
	} else {
		model_drop(KIND_AGENT, draft);
	}
	if (api_heard(k, live) == -1)
		return;
	if (stops)
		watch_stopped(live, &now);
	k->c->wrote = true;
	k->item[0] = '\0';
	api_get(k);
}

/* What is switched off is no longer watched. */
static void
after_put(struct call *k, struct object *o, bool was_enabled)
{
	struct watch_now now = api_now(k);

	struct agent *a = (struct agent *)o;

	if (k->kind == KIND_AGENT && !a->enabled)
		watch_agent_gone(a, "disabled", &now);
	else if (k->kind == KIND_AGENT && !was_enabled)
		watch_agent_back(a, &now);
	if (k->kind == KIND_CHECK && !((struct check *)o)->enabled)
		watch_check_gone((struct check *)o, "disabled", &now);
}

void
api_put(struct call *k)
{
	struct object *live = find(k);
	struct fields f = { .live = live };
	struct object *o;
	bool enabled;

	if (live == NULL || api_body(k) == -1)
		return;
	enabled = k->kind != KIND_AGENT || ((struct agent *)live)->enabled;
	f.draft = model_draft(k->kind, live);
	if (set_fields(k, &f) == -1) {
		model_drop(k->kind, f.draft);
		return;
	}
	if (k->role == ROLE_AGENT) {
		put_own(k, (struct agent *)live, f.draft);
		return;
	}
	o = install(k, f.draft);
	if (o == NULL)
		return;
	after_put(k, o, enabled);
	api_get(k);
}

/* ---- removing ---- */

static int
remove_one(struct call *k, enum kind kind, uint64_t id)
{
	struct change ch = api_change(k, false);
	struct fail why;

	if (change_remove(kind, id, &ch, &why) == 0)
		return 0;
	api_no_room(k, &why);
	return -1;
}

static int
remove_agent(struct call *k, struct agent *a)
{
	struct watch_now now = api_now(k);
	size_t i = 0;

	watch_agent_gone(a, "removed", &now);
	while (a->checks != NULL)
		if (remove_one(k, KIND_CHECK, a->checks->o.id) == -1)
			return -1;
	while (i < model_count(KIND_KEY)) {
		struct key *key = (struct key *)model_at(KIND_KEY, i);

		if (key->agent != a->o.id)
			i++;
		else if (remove_one(k, KIND_KEY, key->o.id) == -1)
			return -1;
	}
	return remove_one(k, KIND_AGENT, a->o.id);
}

void
api_delete(struct call *k)
{
	struct watch_now now = api_now(k);
	struct object *o = find(k);
	int rc;

	if (o == NULL)
		return;
	if (k->kind == KIND_KEY && o->id == k->key->o.id) {
		api_error(k->c, 409, NULL, "a key cannot remove itself");
		return;
	}
	k->c->wrote = true;
	if (k->kind == KIND_CHECK)
		watch_check_gone((struct check *)o, "removed", &now);
	rc = k->kind == KIND_AGENT ? remove_agent(k, (struct agent *)o) :
	    remove_one(k, k->kind, o->id);
	if (rc == -1)
		return;
	k->c->status = 204;
	k->c->type = NULL;
}

void
api_test(struct call *k)
{
	struct change ch = api_change(k, true);
	struct object *o = find(k);
	struct fail why;
	uint64_t id;

	if (o == NULL)
		return;
	id = notify_test((struct recipient *)o, &ch, &why);
	if (id == 0) {
		api_no_room(k, &why);
		return;
	}
	k->c->wrote = true;
	json_obj(k->c->out);
	json_add_int(k->c->out, "delivery", (int64_t)id);
	json_key(k->c->out, "resource_uri");
	model_put_uri(k->c->out, KIND_DELIVERY, id);
	json_obj_end(k->c->out);
	api_json(k, 202);
}
