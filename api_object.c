/* api_object.c: one object made, read, changed, removed.  See api.h. */
#include <stdio.h>

#include "api_impl.h"
#include "log.h"

struct object *
api_find(struct call *k)
{
	struct object *o = k->id == 0 ? NULL : model_get(k->kind, k->id);

	if (o == NULL || (k->type != NULL &&
	    ((struct check *)o)->type != k->type))
		api_error(k->c, 404, NULL, "no %s %s", k->resource, k->item);
	else if (api_sees(k, k->kind, o))
		return o;
	else
		api_error(k->c, 403, NULL, "%s %s is not this agent's",
		    k->resource, k->item);
	return NULL;
}

bool
api_etag(struct call *k, int64_t revision)
{
	char tag[32];

	snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);
	buf_addf(&k->c->extra, "ETag: %s\r\n", tag);
	return str_is(http_field(k->c->head, "If-None-Match"), tag);
}

void
api_show(struct call *k, const struct object *o)
{
	struct model_view v = { k->agent != NULL && k->kind == KIND_CHECK,
	    k->type != NULL, k->resource, api_trusts(k) };

	model_show(k->c->out, k->kind, o, &v);
}

static int
answer(struct call *k, const struct object *o)
{
	if (k->kind == KIND_AGENT)
		api_etag(k, ((const struct agent *)(const void *)o)->revision);
	api_show(k, o);
	return api_json(k, 200);
}

int
api_get(struct call *k)
{
	struct object *o = api_find(k);

	return o == NULL ? -1 : answer(k, o);
}

int
api_schema(struct call *k)
{
	model_schema(k->c->out, k->kind, k->type);
	return api_json(k, 200);
}

/* ---- fields of a body ---- */

struct fields {
	struct object *draft;
	const struct object *live;	/* NULL: a new one */
	char name[64];			/* of the member now read, */
	enum json_tok tok;		/* and its value */
	struct str raw;
};

/* A field that is wrong, of which why tells, with its name or without. */
static int
bad(struct call *k, int status, const char *field, const struct fail *why)
{
	bool named = field == NULL || str_starts(str_of(why->msg),
	    str_of(field));

	return api_error(k->c, status, field, "%s%s%s", named ? "" : field,
	    named ? "" : ": ", why->msg);
}

/* May this field be given at all?  1: yes; 0: it is passed over, as a PUT
 * gives back what a GET gave; -1: no, and it would change something. */
static int
may_write(struct call *k, struct fields *f, const struct field *fd)
{
	bool agent = k->agent != NULL, same;
	struct object *probe;
	struct fail why;

	if (fd->flags & (agent ? F_AGENT : F_WRITE))
		return 1;
	if (k->c->head->method == HTTP_PUT && (fd->type == FIELD_SHOW ||
	    (fd->flags & F_STATE)))
		return 0;
	probe = model_draft(k->kind, f->draft);
	same = f->live != NULL && model_set(k->kind, probe, fd, f->tok,
	    f->raw, &why) == 0 && model_same(fd, probe, f->live);
	model_drop(k->kind, probe);
	if (same)
		return 0;
	return agent ?
	    api_refuse(k, 403, f->name, "an agent may not write this") :
	    api_wrong(k, f->name, "is read-only");
}

static int
set_field(struct call *k, struct fields *f)
{
	const char *name = f->name;
	const struct field *fd = api_field(k, name);
	bool number = strcmp(name, "id") == 0;
	struct fail why;
	char text[128];
	uint64_t id;
	int rc;

	/* What an object is may be said again. */
	if (number || strcmp(name, "resource_uri") == 0)
		return f->live != NULL && number == (f->tok == JSON_NUM) &&
		    json_unescape(f->raw, text, sizeof text) == 0 &&
		    (model_ref(str_of(text), k->kind, &id) == 0 ||
		    (k->kind == KIND_CHECK &&
		    api_check_ref(str_of(text), &id) == 0)) &&
		    id == f->live->id ? 0 :
		    api_wrong(k, name, "is not yours to choose");
	if (fd == NULL)
		return api_wrong(k, name, "no such field");
	rc = may_write(k, f, fd);
	if (rc != 1)
		return rc;
	if (model_set(k->kind, f->draft, fd, f->tok, f->raw, &why) == -1)
		return bad(k, 400, name, &why);
	if (fd->type == FIELD_TYPE && k->type != NULL &&
	    ((struct check *)f->draft)->type != k->type)
		return api_wrong(k, name, "is what the resource says");
	if ((fd->flags & F_ONCE) && f->live != NULL &&
	    !model_same(fd, f->draft, f->live))
		return api_wrong(k, name, "is set once, when it is made");
	return 0;
}

/* Parameters given flat, and those it had that are not given again. */
static int
set_params(struct call *k, struct check *c)
{
	char room[CHECK_PARAMS_MAX];
	struct buf b = BUF(room);
	struct str raw;

	json_obj(&b);
	for (unsigned i = 0; i < k->type->params; i++) {
		const char *name = k->type->param[i].name;

		if (json_member(k->c->body, name, &raw) == JSON_END &&
		    json_member(str_of(c->params), name, &raw) < JSON_STR)
			continue;
		json_put_raw(json_key(&b, name), raw);
	}
	json_obj_end(&b);
	if (b.full)
		return api_wrong(k, "params", "too long");
	model_text(&c->params, str_from(&b));
	return 0;
}

struct object *
api_draft(struct call *k, const struct object *live)
{
	const struct kind_table *t = &model_kinds[k->kind];
	struct json j = JSON(k->c->body);
	struct fields f = { .live = live };
	const struct field *fd;
	struct str key, raw;
	struct check *c;
	int rc = 0;

	if (api_body(k) == -1)
		return NULL;
	f.draft = model_draft(k->kind, live);
	c = k->kind == KIND_CHECK ? (struct check *)f.draft : NULL;
	if (k->type != NULL)
		c->type = k->type;
	json_next(&j, &key);
	while (rc == 0 && json_next(&j, &key) == JSON_KEY) {
		f.tok = json_value(&j, &f.raw);
		if (json_unescape(key, f.name, sizeof f.name) == -1)
			rc = api_wrong(k, "body", "too long a name");
		else if (check_param(k->type, str_of(f.name)) == NULL)
			rc = set_field(k, &f);
	}
	/* Hits alone are hits in a row. */
	if (c != NULL && (check_param(k->type, STR("of")) != NULL ||
	    json_member(k->c->body, "of", &raw) == JSON_END) &&
	    json_member(k->c->body, "hits", &raw) != JSON_END)
		c->of = c->hits;
	if (rc == 0 && k->type != NULL)
		rc = set_params(k, c);
	for (fd = t->field; rc == 0 && live == NULL &&
	    fd < t->field + t->fields; fd++)
		if ((fd->flags & F_NEED) &&
		    (k->type == NULL || fd->type != FIELD_TYPE) &&
		    json_member(k->c->body, fd->name, &raw) == JSON_END)
			rc = api_wrong(k, fd->name, "is needed");
	if (rc == 0)
		return f.draft;
	model_drop(k->kind, f.draft);
	return NULL;
}

int
api_check(struct call *k, enum kind kind, void *draft)
{
	const char *field = NULL;
	bool conflict;
	struct fail why;

	if (model_check(kind, draft, &field, &conflict, &why) == 0)
		return 0;
	model_drop(kind, draft);
	return bad(k, conflict ? 409 : 400, field, &why);
}

/* What an agent says of itself: with the journal only when it is new. */
static int
put_own(struct call *k, struct agent *live, struct object *draft)
{
	struct agent *d = (struct agent *)draft;
	bool stops = d->state == AGENT_STOPPED;
	struct fail why;

	if (d->state != live->state && !stops) {
		model_drop(KIND_AGENT, draft);
		return api_refuse(k, 403, "state",
		    "an agent may only write \"stopped\"");
	}
	d->state = live->state;
	live->clock_skew_ms = d->clock_skew_ms;
	live->dropped = d->dropped;
	if (model_keeps_same(KIND_AGENT, draft, &live->o))
		model_drop(KIND_AGENT, draft);
	else if (change_put(KIND_AGENT, draft, &k->decided, &why) == NULL)
		return api_no_room(k, &why);
	if (api_heard(k) == -1)
		return -1;
	if (stops)
		watch_stopped(live, &k->now);
	k->c->wrote |= STORE_REPORTS | STORE_RECORDS;
	return answer(k, &live->o);
}

/* Put a draft whose name may be taken: then the first of `more` goes behind
 * it.  NULL: answered. */
static void *
put_named(struct call *k, enum kind kind, void *draft, char **name,
    const char *more)
{
	struct fail why;
	void *o;

	if (model_named(kind, str_of(*name)) != NULL)
		model_textf(name, "%.57s-%.6s", *name, more);
	if (api_check(k, kind, draft) == -1)
		return NULL;
	o = change_put(kind, draft, &k->asked, &why);
	if (o == NULL)
		api_no_room(k, &why);
	return o;
}

/* A host with an enrolment key: an agent for it, and the key that it made of
 * that one, of which it tells the hash. */
static int
enrol(struct call *k)
{
	unsigned char bytes[KEY_HASH];
	char hash[65];
	enum json_tok tok;
	struct agent *a;
	struct key *key;
	struct fail why;
	struct str raw;

	if (api_body(k) == -1)
		return -1;
	if (json_text(k->c->body, "key_sha256", hash, sizeof hash) != 1 ||
	    str_unhex(str_of(hash), bytes, sizeof bytes) == -1)
		return api_wrong(k, "key_sha256", "is needed, 64 hex digits");
	str_hex(hash, bytes, sizeof bytes);	/* lower case */
	MODEL_ALL(key, KIND_KEY)
		if (strcmp(key->hash, hash) == 0)
			return api_refuse(k, 409, "key_sha256",
			    "is known already");
	k->c->wrote |= STORE_RECORDS;
	a = model_draft(KIND_AGENT, NULL);
	tok = json_member(k->c->body, "hostname", &raw);
	if (tok == JSON_END || model_set(KIND_AGENT, &a->o, model_field(
	    KIND_AGENT, STR("hostname")), tok, raw, &why) == -1) {
		model_drop(KIND_AGENT, a);
		return tok == JSON_END ? api_wrong(k, "hostname", "is needed") :
		    bad(k, 400, "hostname", &why);
	}
	model_text(&a->tags, str_of(k->key->tags));
	a = put_named(k, KIND_AGENT, a, &a->hostname, hash);
	if (a == NULL)
		return -1;
	key = model_draft(KIND_KEY, NULL);
	model_text(&key->name, str_of(a->hostname));
	model_text(&key->hash, str_of(hash));
	key->role = ROLE_AGENT;
	key->agent = a->o.id;
	key->created = k->c->now_ms;
	key->state = k->key->approve ? KEY_PENDING : KEY_APPROVED;
	key = put_named(k, KIND_KEY, key, &key->name, hash);
	if (key == NULL)
		return -1;
	log_line("%s was enrolled from %s%s", a->hostname, k->c->peer,
	    key->state == KEY_PENDING ? ", and waits for approval" : "");
	api_show(k, &a->o);
	return api_json(k, 201);
}

/* A silence says who made it, and begins now unless it says when. */
static void
sign(struct silence *s, const struct call *k)
{
	if (s->from == 0)
		s->from = k->c->now_ms;
	model_text(&s->created_by, str_of(k->key->name));
}

/* POST makes an object, PUT and PATCH change one: the draft as a whole, then
 * into the journal and in place. */
int
api_put(struct call *k)
{
	bool make = k->c->head->method == HTTP_POST, was_on;
	const struct key *new;
	struct object *o = make ? NULL : api_find(k), *draft;
	struct agent *a;
	char secret[KEY_TEXT] = "";
	struct fail why;

	if (k->role == ROLE_ENROL)
		return enrol(k);
	if ((o == NULL && !make) || (draft = api_draft(k, o)) == NULL)
		return -1;
	if (k->agent != NULL)
		return put_own(k, k->agent, draft);
	if (make && k->kind == KIND_KEY && model_secret((struct key *)draft,
	    k->c->now_ms, secret, &why) == -1) {
		model_drop(k->kind, draft);
		return api_no_room(k, &why);
	}
	if (make && k->kind == KIND_SILENCE)
		sign((struct silence *)draft, k);
	if (api_check(k, k->kind, draft) == -1)
		return -1;
	new = (const struct key *)draft;
	if (o == &k->key->o && new->state != KEY_APPROVED) {
		model_drop(k->kind, draft);
		return api_refuse(k, 409, "state",
		    "a key cannot refuse itself");
	}
	was_on = make || k->kind != KIND_AGENT || ((struct agent *)o)->enabled;
	o = change_put(k->kind, draft, &k->asked, &why);
	k->c->wrote |= STORE_RECORDS;
	if (o == NULL)
		return api_no_room(k, &why);
	/* What is switched off is no longer watched. */
	a = k->kind == KIND_AGENT && !make ? (struct agent *)o : NULL;
	if (a != NULL && !a->enabled)
		watch_agent_gone(a, "disabled", &k->now);
	else if (a != NULL && !was_on)
		watch_agent_back(a, &k->now);
	if (k->kind == KIND_CHECK && !make && !((struct check *)o)->enabled)
		watch_check_gone((struct check *)o, "disabled", &k->now);
	if (!make)
		return answer(k, o);
	api_show(k, o);
	if (secret[0] != '\0') {
		k->c->out->n--;		/* one member more */
		json_add(k->c->out, "secret", str_of(secret));
		json_obj_end(k->c->out);
	}
	buf_addf(&k->c->extra, "Location: " MODEL_API "%s/%llu/\r\n",
	    k->resource, (unsigned long long)o->id);
	return api_json(k, 201);
}

/* ---- removing ---- */

static int
remove_one(struct call *k, enum kind kind, uint64_t id)
{
	struct fail why;

	return change_remove(kind, id, &k->asked, &why) == 0 ? 0 :
	    api_no_room(k, &why);
}

int
api_delete(struct call *k)
{
	struct object *o = api_find(k);
	struct agent *a = k->kind == KIND_AGENT ? (struct agent *)o : NULL;
	struct key *key;
	size_t i = 0;

	if (o == NULL)
		return -1;
	if (k->kind == KIND_KEY && o->id == k->key->o.id)
		return api_error(k->c, 409, NULL, "a key cannot remove itself");
	k->c->wrote |= STORE_RECORDS;
	if (k->kind == KIND_CHECK)
		watch_check_gone((struct check *)o, "removed", &k->now);
	/* With an agent go its checks and its keys. */
	if (a != NULL)
		watch_agent_gone(a, "removed", &k->now);
	while (a != NULL && a->checks != NULL)
		if (remove_one(k, KIND_CHECK, a->checks->o.id) == -1)
			return -1;
	while (a != NULL && (key = (void *)model_at(KIND_KEY, i)) != NULL)
		if (key->agent != a->o.id)
			i++;
		else if (remove_one(k, KIND_KEY, key->o.id) == -1)
			return -1;
	return remove_one(k, k->kind, o->id) == 0 ? api_empty(k, 204) : -1;
}

/* A test, or a drill. */
int
api_test(struct call *k)
{
	struct object *o = api_find(k);
	struct fail why;
	uint64_t id;

	if (o == NULL)
		return -1;
	id = notify_test((struct recipient *)o, strcmp(k->sub, "drill") == 0,
	    &k->decided, &why);
	if (id == 0)
		return api_no_room(k, &why);
	k->c->wrote |= STORE_RECORDS;
	json_obj(k->c->out);
	json_add_int(k->c->out, "delivery", (int64_t)id);
	api_uri(k->c->out, "resource_uri", "delivery/%llu",
	    (unsigned long long)id);
	json_obj_end(k->c->out);
	return api_json(k, 202);
}

/* ---- acknowledging ---- */

/* One member of what acknowledges.  0, or -1: answered. */
static int
take_ack(struct call *k, struct incident *d, const char *name,
    enum json_tok tok, struct str raw)
{
	const struct field *f = api_field(k, name);
	struct fail why;

	if (f == NULL || !(f->flags & F_WRITE))
		return api_wrong(k, name, f == NULL ? "no such field" :
		    "is read-only");
	if (strcmp(name, "acknowledged") == 0) {
		if (tok != JSON_TRUE && tok != JSON_FALSE && tok != JSON_NULL)
			return api_wrong(k, name, "true or false");
		d->acknowledged = tok == JSON_TRUE ? k->c->now_ms : 0;
		model_text(&d->acknowledged_by, str_of(tok == JSON_TRUE ?
		    k->key->name : ""));
		return 0;
	}
	return model_set(KIND_INCIDENT, &d->o, f, tok, raw, &why) == 0 ? 0 :
	    bad(k, 400, name, &why);
}

/* PATCH of an incident: someone has seen it.  It is not told again then,
 * until it is over, or until acknowledged_until. */
int
api_ack(struct call *k)
{
	struct object *o = api_find(k);
	struct incident *in = (struct incident *)o, *d;
	struct json j = JSON(k->c->body);
	enum json_tok tok;
	char name[64];
	struct str key, raw;
	int rc = 0;

	if (o == NULL || api_body(k) == -1)
		return -1;
	if (in->closed != 0)
		return api_error(k->c, 409, NULL, "incident %s is over",
		    k->item);
	d = model_draft(KIND_INCIDENT, in);
	/* Anew: the end that the one before had is not its own. */
	if (json_member(k->c->body, "acknowledged", &raw) != JSON_END)
		d->acknowledged_until = 0;
	json_next(&j, &key);
	while (rc == 0 && json_next(&j, &key) == JSON_KEY) {
		tok = json_value(&j, &raw);
		rc = json_unescape(key, name, sizeof name) == -1 ?
		    api_wrong(k, "body", "too long a name") :
		    take_ack(k, d, name, tok, raw);
	}
	if (rc == 0 && d->acknowledged_until != 0 && (d->acknowledged == 0 ||
	    d->acknowledged_until <= k->c->now_ms))
		rc = api_wrong(k, "acknowledged_until",
		    d->acknowledged == 0 ? "nothing is acknowledged" :
		    "is over already");
	if (rc == -1) {
		model_drop(KIND_INCIDENT, d);
		return -1;
	}
	in = change_keep(KIND_INCIDENT, d, &k->decided);
	k->c->wrote |= STORE_RECORDS;
	return answer(k, &in->o);
}
