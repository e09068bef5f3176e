/* model_field.c: the tables of fields, and fields as JSON.  See model.h. */
#include <string.h>

#include "model.h"
#include "model_impl.h"


static const char *const agent_states[] = { "never", "up", "silent",
    "stopped", NULL };
static const char *const statuses[] = { "ok", "warning", "unknown",
    "critical", "none", NULL };
static const char *const severities[] = { "ok", "warning", "unknown",
    "critical", NULL };
static const char *const roles[] = { "agent", "viewer", "operator", "admin",
    "enrol", NULL };
static const char *const channels[] = { "pushover", NULL };
static const char *const delivery_states[] = { "queued", "sending",
    "accepted", "seen", "given up", NULL };

static const struct agent *
as_agent(const struct object *o)
{
	return (const struct agent *)(const void *)o;
}

static const struct check *
as_check(const struct object *o)
{
	return (const struct check *)(const void *)o;
}

static void
show_agent_status(struct buf *b, const struct object *o)
{
	json_put(b, str_of(status_name(model_agent_status(as_agent(o)))));
}

static void
show_counts(struct buf *b, const struct object *o)
{
	unsigned n[STATUS_NONE + 1] = { 0 };
	const struct check *c;
	unsigned i;

	for (c = as_agent(o)->checks; c != NULL; c = c->next)
		if (c->enabled)
			n[c->alert.held]++;
	json_obj(b);
	for (i = 0; i <= STATUS_NONE; i++) {
		json_key(b, statuses[i]);
		json_put_int(b, n[i]);
	}
	json_obj_end(b);
}

static void
show_status(struct buf *b, const struct object *o)
{
	json_put(b, str_of(status_name(as_check(o)->alert.held)));
}

static void
show_value(struct buf *b, const struct object *o)
{
	const struct check *c = as_check(o);

	if (c->has_value)
		json_put_milli(b, c->value);
	else
		json_put_null(b);
}

static void
show_unit(struct buf *b, const struct object *o)
{
	json_put(b, str_of(as_check(o)->type->unit));
}

static void
show_since(struct buf *b, const struct object *o)
{
	json_put_time(b, as_check(o)->alert.since_ms);
}

static void
show_text(struct buf *b, const struct object *o)
{
	char text[512];
	struct buf t;

	buf_init(&t, text, sizeof text);
	model_check_text(&t, as_check(o));
	json_put(b, str_from(&t));
}

static void
show_deliveries(struct buf *b, const struct object *o)
{
	static const char *const want[] = { "recipient", "name", "channel",
	    "title",
	    "state", "attempts", "last_error", "sent", "receipt", "seen",
	    "device" };
	const struct delivery *d;
	enum status told;
	size_t i, k;

	json_arr(b);
	for (i = 0; i < model_count(KIND_DELIVERY); i++) {
		d = (void *)model_at(KIND_DELIVERY, i);
		if (!model_delivery_has(d, o->id, &told))
			continue;
		json_obj(b);
		json_key(b, "delivery");
		model_put_uri(b, KIND_DELIVERY, d->o.id);
		for (k = 0; k < COUNT(want); k++)
			model_show_field(b, model_field(KIND_DELIVERY,
			    str_of(want[k])), &d->o);
		json_obj_end(b);
	}
	json_arr_end(b);
}

static void
show_channel(struct buf *b, const struct object *o)
{
	const struct delivery *d = (const void *)o;
	const struct recipient *r = model_recipient(d->recipient);

	if (r == NULL)
		json_put_null(b);
	else
		json_put(b, str_of(channels[r->channel]));
}

static void
show_recipient_name(struct buf *b, const struct object *o)
{
	const struct delivery *d = (const void *)o;
	const struct recipient *r = model_recipient(d->recipient);

	json_put(b, str_of(r == NULL ? "(removed)" : r->name));
}

static void
show_pushover(struct buf *b, const struct object *o)
{
	const struct setting *s = (const void *)o;

	json_put_bool(b, s->pushover_token[0] != '\0');
}

#define TEXT(s, f, flags, min, max) \
	{ #f, FIELD_TEXT, flags, offsetof(struct s, f), min, max, 0, \
	  NULL, KIND_AGENT, NULL }
#define NAME(s, f, flags) \
	{ #f, FIELD_NAME, flags, offsetof(struct s, f), 1, 64, 0, \
	  NULL, KIND_AGENT, NULL }
#define BOOL(s, f, flags, def) \
	{ #f, FIELD_BOOL, flags, offsetof(struct s, f), 0, 1, def, \
	  NULL, KIND_AGENT, NULL }
#define INT(s, f, flags, min, max, def) \
	{ #f, FIELD_INT, flags, offsetof(struct s, f), min, max, def, \
	  NULL, KIND_AGENT, NULL }
#define TIME(s, f, flags) \
	{ #f, FIELD_TIME, flags, offsetof(struct s, f), 0, TIME_MAX, 0, \
	  NULL, KIND_AGENT, NULL }
#define WORD(s, f, flags, words, def) \
	{ #f, FIELD_WORD, flags, offsetof(struct s, f), 0, 0, def, \
	  words, KIND_AGENT, NULL }
#define REF(s, name, f, flags, kind) \
	{ name, FIELD_REF, flags, offsetof(struct s, f), 0, 0, 0, \
	  NULL, kind, NULL }
#define OTHER(s, name, f, type, flags, max) \
	{ name, type, flags, offsetof(struct s, f), 0, max, 0, \
	  NULL, KIND_AGENT, NULL }
#define SHOW(name, flags, fn) \
	{ name, FIELD_SHOW, flags, 0, 0, 0, 0, NULL, KIND_AGENT, fn }

#define CONF	(F_WRITE | F_KEEP)
#define SEEN	(F_KEEP | F_STATE)
#define LIVE	(F_SNAP | F_STATE)

static const struct field agent_fields[] = {
	NAME(agent, hostname,		CONF | F_NEED),
	TEXT(agent, description,	CONF, 0, 256),
	INT(agent, check_interval_ms,	CONF, 1000, 86400000, 10000),
	INT(agent, late_after_s,	CONF | F_NULL, 5, 30 * 86400, 0),
	BOOL(agent, enabled,		CONF, true),
	TEXT(agent, version,		SEEN | F_AGENT, 0, 64),
	TEXT(agent, guid,		SEEN | F_AGENT, 0, 64),
	TEXT(agent, platform,		SEEN | F_AGENT, 0, 128),
	TEXT(agent, address,		LIVE, 0, 64),
	INT(agent, clock_skew_ms,	LIVE | F_AGENT, -TIME_MAX, TIME_MAX, 0),
	INT(agent, dropped,		LIVE | F_AGENT, 0, MODEL_DROPPED_MAX,
	    0),
	TIME(agent, last_checkin,	LIVE | F_NULL),
	WORD(agent, state,		SEEN | F_AGENT, agent_states, 0),
	SHOW("status",			F_STATE, show_agent_status),
	SHOW("counts",			F_STATE, show_counts),
	INT(agent, revision,		F_KEEP, 0, INT64_MAX, 0),
};

static const struct field check_fields[] = {
	REF(check, "agent", agent_id,	CONF | F_NEED | F_ONCE, KIND_AGENT),
	NAME(check, name,		CONF),
	OTHER(check, "type", type, FIELD_TYPE, CONF | F_NEED | F_ONCE, 32),
	OTHER(check, "params", params, FIELD_JSON, CONF, CHECK_PARAMS_MAX),
	INT(check, interval_ms,		CONF | F_NULL, 1000, 86400000, 0),
	BOOL(check, enabled,		CONF, true),
	OTHER(check, "warn", warn, FIELD_BOUNDS, CONF, 256),
	OTHER(check, "crit", crit, FIELD_BOUNDS, CONF, 256),
	OTHER(check, "clear", clear, FIELD_BOUNDS, CONF, 256),
	INT(check, for_s,		CONF, 0, 30 * 86400, 0),
	INT(check, hits,		CONF, 1, ALERT_OF_MAX, 1),
	INT(check, of,			CONF, 1, ALERT_OF_MAX, 1),
	SHOW("status",			F_STATE, show_status),
	SHOW("value",			F_STATE, show_value),
	SHOW("unit",			F_STATE, show_unit),
	TEXT(check, message,		LIVE, 0, MODEL_MESSAGE_MAX),
	SHOW("text",			F_STATE, show_text),
	SHOW("since",			F_STATE, show_since),
	TIME(check, last_result,	LIVE | F_NULL),
	WORD(check, raw,		LIVE | F_HIDE, statuses, STATUS_NONE),
	BOOL(check, has_value,		LIVE | F_HIDE, false),
	{ "number", FIELD_INT,		LIVE | F_HIDE,
	    offsetof(struct check, value), INT64_MIN, INT64_MAX, 0, NULL,
	    KIND_AGENT, NULL },
	OTHER(check, "alert", alert, FIELD_STATE, F_KEEP | F_STATE | F_HIDE,
	    ALERT_STATE_TEXT),
};

static const struct field incident_fields[] = {
	REF(incident, "check", check,	F_KEEP | F_NULL, KIND_CHECK),
	REF(incident, "agent", agent,	F_KEEP | F_NULL, KIND_AGENT),
	TEXT(incident, what,		F_KEEP, 0, 256),
	TEXT(incident, text,		F_KEEP, 0, 1024),
	WORD(incident, severity,	F_KEEP, severities, 0),
	WORD(incident, status,		F_KEEP, severities, 0),
	TIME(incident, opened,		F_KEEP | F_NULL),
	TIME(incident, changed,		F_KEEP | F_NULL),
	TIME(incident, closed,		F_KEEP | F_NULL),
	TIME(incident, acknowledged,	F_KEEP | F_NULL),
	TEXT(incident, acknowledged_by,	F_KEEP | F_NULL, 0, 64),
	TEXT(incident, comment,		F_KEEP, 0, 256),
	SHOW("deliveries",		F_STATE, show_deliveries),
};

static const struct field delivery_fields[] = {
	REF(delivery, "recipient", recipient, F_KEEP | F_NULL,
	    KIND_RECIPIENT),
	SHOW("name",			F_STATE, show_recipient_name),
	SHOW("channel",			F_STATE, show_channel),
	WORD(delivery, state,		F_KEEP, delivery_states, 0),
	WORD(delivery, severity,	F_KEEP, severities, 0),
	BOOL(delivery, test,		F_KEEP, false),
	BOOL(delivery, unknown,		F_KEEP, false),
	OTHER(delivery, "items", items, FIELD_JSON, F_KEEP, 4096),
	TEXT(delivery, title,		F_KEEP, 0, 1024),
	OTHER(delivery, "message", message, FIELD_TEXT, F_KEEP, 4096),
	TEXT(delivery, last_error,	F_KEEP, 0, 256),
	INT(delivery, code,		F_KEEP, 0, 999, 0),
	TEXT(delivery, request,		F_KEEP | F_NULL, 0, 64),
	TEXT(delivery, receipt,		F_KEEP | F_NULL, 0, 64),
	TEXT(delivery, device,		F_KEEP | F_NULL, 0, 64),
	INT(delivery, attempts,		F_KEEP, 0, INT32_MAX, 0),
	TIME(delivery, event,		F_KEEP | F_NULL),
	TIME(delivery, queued,		F_KEEP | F_NULL),
	TIME(delivery, next,		F_KEEP | F_NULL),
	TIME(delivery, sent,		F_KEEP | F_NULL),
	TIME(delivery, seen,		F_KEEP | F_NULL),
};

static const struct field recipient_fields[] = {
	NAME(recipient, name,		CONF | F_NEED),
	WORD(recipient, channel,	CONF | F_NEED, channels, 0),
	TEXT(recipient, address,	CONF | F_NEED, 1, 256),
	WORD(recipient, severity,	CONF, severities, STATUS_WARNING),
	BOOL(recipient, enabled,	CONF, true),
};

static const struct field key_fields[] = {
	NAME(key, name,			CONF | F_NEED),
	WORD(key, role,			CONF | F_NEED | F_ONCE, roles, 0),
	REF(key, "agent", agent,	CONF | F_NULL | F_ONCE, KIND_AGENT),
	TIME(key, created,		F_KEEP | F_NULL),
	TIME(key, last_used,		F_SNAP | F_NULL),
	TEXT(key, hash,			F_KEEP | F_HIDE | F_SECRET, 64, 64),
};

static const struct field setting_fields[] = {
	TEXT(setting, public,		F_KEEP | F_NULL, 0, 256),
	INT(setting, disk,		F_KEEP | F_NULL, 0, INT64_MAX, 0),
	TEXT(setting, pushover_token,	F_HIDE | F_SECRET, 0, 256),
	TEXT(setting, pushover_url,	F_HIDE, 0, 256),
	SHOW("pushover",		0, show_pushover),
	TEXT(setting, ca_file,		F_KEEP, 0, 256),
};

#define KIND(s) { #s, s##_fields, COUNT(s##_fields), sizeof(struct s) }
const struct kind_table model_kinds[KINDS] = {
	[KIND_AGENT]	 = KIND(agent),
	[KIND_CHECK]	 = KIND(check),
	[KIND_INCIDENT]	 = KIND(incident),
	[KIND_DELIVERY]	 = KIND(delivery),
	[KIND_RECIPIENT] = KIND(recipient),
	[KIND_KEY]	 = KIND(key),
	[KIND_SETTING]	 = KIND(setting),
};

int
model_kind(struct str name, enum kind *k)
{
	unsigned i;

	for (i = 0; i < KINDS; i++)
		if (str_is(name, model_kinds[i].name)) {
			*k = (enum kind)i;
			return 0;
		}
	return -1;
}

const struct field *
model_field(enum kind k, struct str name)
{
	unsigned i;

	for (i = 0; i < model_kinds[k].fields; i++)
		if (str_is(name, model_kinds[k].field[i].name))
			return &model_kinds[k].field[i];
	return NULL;
}

size_t
model_width(const struct field *f)
{
	static const size_t width[] = {
		[FIELD_TEXT] = sizeof(char *), [FIELD_NAME] = sizeof(char *),
		[FIELD_BOUNDS] = sizeof(char *), [FIELD_JSON] = sizeof(char *),
		[FIELD_BOOL] = 1, [FIELD_WORD] = 1, [FIELD_INT] = 8,
		[FIELD_TIME] = 8, [FIELD_REF] = 8,
		[FIELD_TYPE] = sizeof(void *), [FIELD_SHOW] = 0
	};

	return width[f->type];
}

bool
model_is_text(const struct field *f)
{
	return f->type == FIELD_TEXT || f->type == FIELD_NAME ||
	    f->type == FIELD_BOUNDS || f->type == FIELD_JSON;
}

bool
model_is_number(const struct field *f)
{
	return f->type == FIELD_BOOL || f->type == FIELD_WORD ||
	    f->type == FIELD_INT || f->type == FIELD_TIME ||
	    f->type == FIELD_REF;
}

void *
model_value_at(const struct field *f, const struct object *o)
{
	/* A draft is written through this; a live object is only read. */
	return (void *)((uintptr_t)o + f->off);
}

char **
model_text_at(const struct field *f, const struct object *o)
{
	return model_value_at(f, o);
}

int64_t
model_number(const struct field *f, const struct object *o)
{
	const void *p = model_value_at(f, o);

	return model_width(f) == 1 ? *(const uint8_t *)p :
	    *(const int64_t *)p;
}

void
model_put_number(const struct field *f, struct object *o, int64_t v)
{
	void *p = model_value_at(f, o);

	if (model_width(f) == 1)
		*(uint8_t *)p = (uint8_t)v;
	else
		*(int64_t *)p = v;
}

/* ---- to JSON ---- */

void
model_uri(struct buf *b, enum kind k, uint64_t id)
{
	buf_addf(b, MODEL_API "%s/%llu/", model_kinds[k].name,
	    (unsigned long long)id);
}

void
model_put_uri(struct buf *b, enum kind k, uint64_t id)
{
	char text[64];
	struct buf t;

	buf_init(&t, text, sizeof text);
	model_uri(&t, k, id);
	json_put(b, str_from(&t));
}

static void
show_bounds(struct buf *b, const char *text)
{
	struct str rest = str_of(text), line;

	json_arr(b);
	while (rest.n > 0 && str_cut(&rest, '\n', &line) == 0)
		json_put(b, line);
	json_arr_end(b);
}

static void
show_number(struct buf *b, const struct field *f, int64_t v)
{
	if (f->type == FIELD_BOOL)
		json_put_bool(b, v != 0);
	else if (f->type == FIELD_WORD)
		json_put(b, str_of(f->words[v]));
	else if (v == 0 && (f->flags & F_NULL))
		json_put_null(b);
	else if (f->type == FIELD_TIME)
		json_put_time(b, v);
	else if (f->type == FIELD_REF)
		model_put_uri(b, f->ref, (uint64_t)v);
	else
		json_put_int(b, v);
}

static void
show_text_field(struct buf *b, const struct field *f, const char *text)
{
	if (f->type == FIELD_BOUNDS)
		show_bounds(b, text);
	else if (f->type == FIELD_JSON)
		json_put_raw(b, str_of(text[0] == '\0' ? "{}" : text));
	else if (text[0] == '\0' && (f->flags & F_NULL))
		json_put_null(b);
	else
		json_put(b, str_of(text));
}

static void
show_state(struct buf *b, const struct alert_state *st)
{
	char text[ALERT_STATE_TEXT];
	struct buf t;

	buf_init(&t, text, sizeof text);
	alert_state_put(&t, st);
	json_put(b, str_from(&t));
}

void
model_show_field(struct buf *b, const struct field *f, const struct object *o)
{
	const void *p = model_value_at(f, o);

	json_key(b, f->name);
	if (model_is_number(f))
		show_number(b, f, model_number(f, o));
	else if (model_is_text(f))
		show_text_field(b, f, *model_text_at(f, o));
	else if (f->type == FIELD_TYPE)
		json_put(b, str_of((*(const struct check_type *const *)p)
		    ->name));
	else if (f->type == FIELD_STATE)
		show_state(b, p);
	else
		f->show(b, o);
}

/* The parameters of a check as members of their own. */
static void
show_flat(struct buf *b, const char *params)
{
	struct json j;
	struct str key, raw;

	json_open(&j, str_of(params));
	if (json_next(&j, &raw) != JSON_OBJ)
		return;
	while (json_next(&j, &key) == JSON_KEY) {
		char name[64];

		if (json_unescape(key, name, sizeof name) == -1 ||
		    json_value(&j, &raw) == JSON_BAD)
			return;
		json_key(b, name);
		json_put_raw(b, raw);
	}
}

void
model_show(struct buf *b, enum kind k, const struct object *o,
    const struct model_view *v)
{
	unsigned i;

	json_obj(b);
	json_add_int(b, "id", (int64_t)o->id);
	json_key(b, "resource_uri");
	buf_addf(b, "\"" MODEL_API "%s/%llu/\"", v->resource != NULL ?
	    v->resource : model_kinds[k].name, (unsigned long long)o->id);
	for (i = 0; i < model_kinds[k].fields; i++) {
		const struct field *f = &model_kinds[k].field[i];

		if (f->flags & (F_HIDE | F_SECRET))
			continue;
		if (v->bare && (f->flags & F_STATE))
			continue;
		if (v->flat && f->type == FIELD_JSON)
			show_flat(b, *model_text_at(f, o));
		else
			model_show_field(b, f, o);
	}
	json_obj_end(b);
}

bool
model_same(const struct field *f, const struct object *a,
    const struct object *b)
{
	if (model_is_text(f))
		return strcmp(*model_text_at(f, a), *model_text_at(f, b)) == 0;
	/* A state goes with every record, so it never is the same. */
	return model_width(f) > 0 && memcmp(model_value_at(f, a),
	    model_value_at(f, b), model_width(f)) == 0;
}

bool
model_differs(enum kind k, const struct object *a, const struct object *b)
{
	unsigned i;

	for (i = 0; i < model_kinds[k].fields; i++)
		if ((model_kinds[k].field[i].flags & F_WRITE) &&
		    !model_same(&model_kinds[k].field[i], a, b))
			return true;
	return false;
}

bool
model_keeps_same(enum kind k, const struct object *a, const struct object *b)
{
	unsigned i;

	for (i = 0; i < model_kinds[k].fields; i++)
		if ((model_kinds[k].field[i].flags & F_KEEP) &&
		    model_kinds[k].field[i].type != FIELD_STATE &&
		    !model_same(&model_kinds[k].field[i], a, b))
			return false;
	return true;
}

void
model_kept(struct buf *b, enum kind k, const struct object *o,
    const struct object *was)
{
	unsigned i;

	json_obj(b);
	for (i = 0; i < model_kinds[k].fields; i++) {
		const struct field *f = &model_kinds[k].field[i];

		if (was == NULL ? !(f->flags & (F_KEEP | F_SNAP)) :
		    !(f->flags & F_KEEP) || model_same(f, o, was))
			continue;
		model_show_field(b, f, o);
	}
	json_obj_end(b);
}

/* ---- the schema ---- */

static const char *const type_names[] = {
	[FIELD_TEXT] = "string", [FIELD_NAME] = "string",
	[FIELD_BOOL] = "boolean", [FIELD_INT] = "integer",
	[FIELD_TIME] = "datetime", [FIELD_WORD] = "string",
	[FIELD_REF] = "related", [FIELD_TYPE] = "string",
	[FIELD_BOUNDS] = "list", [FIELD_JSON] = "object",
	[FIELD_STATE] = "string", [FIELD_SHOW] = "computed"
};

static void
schema_field(struct buf *b, const struct field *f)
{
	unsigned i;

	json_key(b, f->name);
	json_obj(b);
	json_add(b, "type", str_of(type_names[f->type]));
	json_key(b, "readonly");
	json_put_bool(b, !(f->flags & F_WRITE));
	json_key(b, "required");
	json_put_bool(b, (f->flags & F_NEED) != 0);
	json_key(b, "nullable");
	json_put_bool(b, (f->flags & F_NULL) != 0);
	if (f->type == FIELD_INT) {
		json_add_int(b, "min", f->min);
		json_add_int(b, "max", f->max);
		json_key(b, "default");
		show_number(b, f, f->def);
	}
	if (f->type == FIELD_WORD) {
		json_key(b, "choices");
		json_arr(b);
		for (i = 0; f->words[i] != NULL; i++)
			json_put(b, str_of(f->words[i]));
		json_arr_end(b);
	}
	json_obj_end(b);
}

void
model_schema(struct buf *b, enum kind k)
{
	unsigned i;

	json_obj(b);
	json_key(b, "fields");
	json_obj(b);
	for (i = 0; i < model_kinds[k].fields; i++)
		if (!(model_kinds[k].field[i].flags & F_HIDE))
			schema_field(b, &model_kinds[k].field[i]);
	json_obj_end(b);
	json_obj_end(b);
}
