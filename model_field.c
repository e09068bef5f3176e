/* model_field.c: the tables of fields, and fields as JSON.  See model.h. */

#include "model_impl.h"

const char *const model_agent_states[] = { "never", "up", "silent",
    "stopped", NULL };
static const char *const severities[] = { "ok", "warning", "unknown",
    "critical", NULL };
static const char *const roles[] = { "agent", "viewer", "operator", "admin",
    "enrol", NULL };
static const char *const key_states[] = { "approved", "pending", "refused",
    NULL };
const char *const model_channels[] = { "pushover", "email", "webhook",
    "ntfy", "gotify", "slack", "discord", "telegram", "pagerduty",
    "alertmanager", "exec", NULL };
static const char *const delivery_states[] = { "queued", "sending",
    "accepted", "seen", "given up", NULL };

/* "/api/v1/agent/17/", quoted; it follows a key, so it sets no comma. */
static void
put_uri(struct buf *b, const char *resource, uint64_t id)
{
	buf_addz(b, "\"" MODEL_API);
	buf_addz(b, resource);
	buf_addc(b, '/');
	buf_addu(b, id);
	buf_addz(b, "/\"");
}

static void
show_agent_status(struct buf *b, const struct object *o)
{
	json_put(b, str_of(status_name(model_agent_status((const void *)o))));
}

static void
show_counts(struct buf *b, const struct object *o)
{
	unsigned n[STATUS_NONE + 1] = { 0 };
	const struct check *c;

	for (c = ((const struct agent *)o)->checks; c != NULL; c = c->next)
		if (c->enabled)
			n[c->alert.held]++;
	json_obj(b);
	for (unsigned i = 0; i <= STATUS_NONE; i++)
		json_add_int(b, status_name(i), n[i]);
	json_obj_end(b);
}

static void
show_status(struct buf *b, const struct object *o)
{
	json_put(b, str_of(status_name(((const struct check *)o)->alert.held)));
}

static void
show_value(struct buf *b, const struct object *o)
{
	const struct check *c = (const struct check *)o;

	if (c->has_value)
		json_put_milli(b, c->value);
	else
		json_put_null(b);
}

static void
show_unit(struct buf *b, const struct object *o)
{
	json_put(b, str_of(((const struct check *)o)->type->unit));
}

static void
show_text(struct buf *b, const struct object *o)
{
	char text[MODEL_SHOWN_MAX];
	struct buf t = BUF(text);

	model_check_text(&t, (const struct check *)o);
	json_put(b, str_from(&t));
}

static void
show_deliveries(struct buf *b, const struct object *o)
{
	const struct delivery *d;
	const struct field *f;

	json_arr(b);
	MODEL_ALL(d, KIND_DELIVERY) {
		if (model_delivery_says(d, o->id) == STATUS_NONE)
			continue;
		json_obj(b);
		put_uri(json_key(b, "delivery"), "delivery", d->o.id);
		MODEL_EACH(f, KIND_DELIVERY)
			if (f->flags & F_BRIEF)
				model_show_field(b, f, &d->o);
		json_obj_end(b);
	}
	json_arr_end(b);
}

static void
show_channel(struct buf *b, const struct object *o)
{
	const struct delivery *d = (const struct delivery *)o;
	const struct recipient *r = model_recipient(d->recipient);

	if (r == NULL)
		json_put_null(b);
	else
		json_put(b, str_of(model_channels[r->channel]));
}

static void
show_recipient_name(struct buf *b, const struct object *o)
{
	const struct delivery *d = (const struct delivery *)o;
	const struct recipient *r = model_recipient(d->recipient);

	json_put(b, str_of(r == NULL ? "(removed)" : r->name));
}

static void
show_pushover(struct buf *b, const struct object *o)
{
	json_put_bool(b, *((const struct setting *)o)->pushover_token != '\0');
}

/* What every field has; what follows it in a row are min, max, def. */
#define F(s, f, t, fl)	AS(s, #f, f, t, fl)
#define AS(s, n, f, t, fl) \
	.name = (n), .type = FIELD_##t, .flags = (fl), \
	.off = offsetof(struct s, f), .width = sizeof(((struct s *)0)->f)
#define SHOW(n, fl, fn) \
	{ .name = (n), .type = FIELD_SHOW, .flags = (fl), .show = (fn) }

#define CONF	(F_WRITE | F_KEEP)
#define SEEN	(F_KEEP | F_STATE)
#define LIVE	(F_SNAP | F_STATE)
#define TOLD	(F_KEEP | F_BRIEF)

static const struct field agent_fields[] = {
	{ F(agent, hostname, NAME, CONF | F_NEED), 1, 64 },
	{ F(agent, description, TEXT, CONF), .max = 256 },
	{ F(agent, tags, TEXT, CONF), .max = 256 },
	{ F(agent, parent, TEXT, CONF | F_NULL), .max = 129 },
	{ F(agent, check_interval_ms, INT, CONF), 1000, 86400000, 10000 },
	{ F(agent, late_after_s, INT, CONF | F_NULL), 5, 30 * 86400 },
	{ F(agent, enabled, BOOL, CONF), .def = true },
	{ F(agent, version, TEXT, SEEN | F_AGENT), .max = 64 },
	{ F(agent, guid, TEXT, SEEN | F_AGENT), .max = 64 },
	{ F(agent, platform, TEXT, SEEN | F_AGENT), .max = 128 },
	{ F(agent, address, TEXT, LIVE), .max = 64 },
	{ F(agent, clock_skew_ms, INT, LIVE | F_AGENT), -TIME_MAX, TIME_MAX },
	{ F(agent, dropped, INT, LIVE | F_AGENT), .max = MODEL_DROPPED_MAX },
	{ F(agent, last_checkin, TIME, LIVE | F_NULL) },
	{ F(agent, state, WORD, SEEN | F_AGENT), .words = model_agent_states },
	{ F(agent, held_by, TEXT, SEEN | F_NULL), .max = 256 },
	SHOW("status", F_STATE, show_agent_status),
	SHOW("counts", F_STATE, show_counts),
	{ F(agent, revision, INT, F_KEEP), .max = INT64_MAX },
};

static const struct field check_fields[] = {
	{ AS(check, "agent", agent_id, REF, CONF | F_NEED | F_ONCE),
	    .ref = KIND_AGENT },
	{ F(check, name, NAME, CONF), 1, 64 },
	{ F(check, type, TYPE, CONF | F_NEED | F_ONCE) },
	{ F(check, params, JSON, CONF), .max = CHECK_PARAMS_MAX },
	{ F(check, interval_ms, INT, CONF | F_NULL), 1000, 86400000 },
	{ F(check, enabled, BOOL, CONF), .def = true },
	{ F(check, warn, BOUNDS, CONF) },
	{ F(check, crit, BOUNDS, CONF) },
	{ F(check, clear, BOUNDS, CONF) },
	{ F(check, for_s, INT, CONF), .max = 30 * 86400 },
	{ F(check, hits, INT, CONF), 1, ALERT_OF_MAX, 1 },
	{ F(check, of, INT, CONF), 1, ALERT_OF_MAX, 1 },
	{ F(check, renotify_s, INT, CONF | F_NULL), 60, 30 * 86400 },
	SHOW("status", F_STATE, show_status),
	{ AS(check, "flapping", alert.flaps, BOOL, F_STATE) },
	SHOW("value", F_STATE, show_value),
	SHOW("unit", F_STATE, show_unit),
	{ F(check, message, TEXT, LIVE), .max = MODEL_MESSAGE_MAX },
	SHOW("text", F_STATE, show_text),
	{ AS(check, "since", alert.since_ms, TIME, F_STATE | F_NULL) },
	{ F(check, held_by, TEXT, SEEN | F_NULL), .max = 256 },
	{ F(check, last_result, TIME, LIVE | F_NULL) },
	{ F(check, beat, TEXT, F_KEEP | F_NULL | F_SECRET), .max = 64 },
	{ F(check, raw, WORD, LIVE | F_HIDE), .words = status_names,
	    .def = STATUS_NONE },
	{ F(check, has_value, BOOL, LIVE | F_HIDE) },
	{ AS(check, "number", value, INT, LIVE | F_HIDE), INT64_MIN,
	    INT64_MAX },
	{ F(check, alert, STATE, SEEN | F_HIDE) },
};

static const struct field incident_fields[] = {
	{ F(incident, check, REF, F_KEEP | F_NULL), .ref = KIND_CHECK },
	{ F(incident, agent, REF, F_KEEP | F_NULL), .ref = KIND_AGENT },
	{ F(incident, what, TEXT, F_KEEP), .max = 256 },
	{ F(incident, text, TEXT, F_KEEP), .max = 1024 },
	{ F(incident, severity, WORD, F_KEEP), .words = severities },
	{ F(incident, status, WORD, F_KEEP), .words = severities },
	{ F(incident, opened, TIME, F_KEEP | F_NULL) },
	{ F(incident, changed, TIME, F_KEEP | F_NULL) },
	{ F(incident, closed, TIME, F_KEEP | F_NULL) },
	{ F(incident, acknowledged, TIME, CONF | F_NULL) },
	{ F(incident, acknowledged_until, TIME, CONF | F_NULL) },
	{ F(incident, acknowledged_by, TEXT, F_KEEP | F_NULL), .max = 160 },
	{ F(incident, comment, TEXT, CONF), .max = 256 },
	SHOW("deliveries", F_STATE, show_deliveries),
};

static const struct field delivery_fields[] = {
	{ F(delivery, recipient, REF, TOLD | F_NULL), .ref = KIND_RECIPIENT },
	SHOW("name", F_STATE | F_BRIEF, show_recipient_name),
	SHOW("channel", F_STATE | F_BRIEF, show_channel),
	{ F(delivery, title, TEXT, TOLD), .max = 1024 },
	{ F(delivery, state, WORD, TOLD), .words = delivery_states },
	{ F(delivery, attempts, INT, TOLD), .max = INT32_MAX },
	{ F(delivery, last_error, TEXT, TOLD), .max = 256 },
	{ F(delivery, sent, TIME, TOLD | F_NULL) },
	{ F(delivery, receipt, TEXT, TOLD | F_NULL), .max = 64 },
	{ F(delivery, rings, BOOL, TOLD) },
	{ F(delivery, seen, TIME, TOLD | F_NULL) },
	{ F(delivery, device, TEXT, TOLD | F_NULL), .max = 64 },
	{ F(delivery, severity, WORD, F_KEEP), .words = severities },
	{ F(delivery, test, BOOL, F_KEEP) },
	{ F(delivery, drill, BOOL, F_KEEP) },
	{ F(delivery, unknown, BOOL, F_KEEP) },
	{ F(delivery, items, JSON, F_KEEP), .max = 8192 },
	{ F(delivery, message, TEXT, F_KEEP), .max = 4096 },
	{ F(delivery, code, INT, F_KEEP), .max = 999 },
	{ F(delivery, request, TEXT, F_KEEP | F_NULL), .max = 64 },
	{ F(delivery, event, TIME, F_KEEP | F_NULL) },
	{ F(delivery, queued, TIME, F_KEEP | F_NULL) },
	{ F(delivery, next, TIME, F_KEEP | F_NULL) },
};

static const struct field recipient_fields[] = {
	{ F(recipient, name, NAME, CONF | F_NEED), 1, 64 },
	{ F(recipient, channel, WORD, CONF | F_NEED),
	    .words = model_channels },
	{ F(recipient, address, TEXT, CONF | F_NEED), 1, 256 },
	{ F(recipient, secret, TEXT, CONF | F_BLIND), .max = 256 },
	{ F(recipient, severity, WORD, CONF), .words = severities,
	    .def = STATUS_WARNING },
	{ F(recipient, match, TEXT, CONF), .max = MATCH_TEXT_MAX },
	{ F(recipient, hours, TEXT, CONF), .max = 256 },
	{ F(recipient, emergency, BOOL, CONF) },
	{ F(recipient, after_s, INT, CONF), .max = 7 * 86400 },
	{ F(recipient, enabled, BOOL, CONF), .def = true },
	{ F(recipient, proven, TIME, SEEN | F_NULL) },
	{ F(recipient, drilled, TIME, SEEN | F_NULL) },
	{ F(recipient, drill_error, TEXT, SEEN | F_NULL), .max = 256 },
};

static const struct field key_fields[] = {
	{ F(key, name, NAME, CONF | F_NEED), 1, 64 },
	{ F(key, role, WORD, CONF | F_NEED | F_ONCE), .words = roles },
	{ F(key, agent, REF, CONF | F_NULL | F_ONCE), .ref = KIND_AGENT },
	{ F(key, state, WORD, CONF), .words = key_states },
	{ F(key, approve, BOOL, CONF | F_ONCE) },
	{ F(key, tags, TEXT, CONF | F_ONCE), .max = 256 },
	{ F(key, created, TIME, F_KEEP | F_NULL) },
	{ F(key, last_used, TIME, F_SNAP | F_NULL) },
	{ F(key, hash, TEXT, F_KEEP | F_HIDE), 64, 64 },
};

static const struct field silence_fields[] = {
	{ F(silence, match, TEXT, CONF | F_NEED), 1, MATCH_TEXT_MAX },
	{ F(silence, from, TIME, CONF | F_NULL) },
	{ F(silence, until, TIME, CONF | F_NULL) },
	{ F(silence, weekly, TEXT, CONF), .max = 256 },
	{ F(silence, comment, TEXT, CONF), .max = 256 },
	{ F(silence, created_by, TEXT, F_KEEP), .max = 64 },
};

static const struct field setting_fields[] = {
	{ F(setting, public, TEXT, F_KEEP | F_NULL), .max = 256 },
	{ F(setting, pins, TEXT, F_KEEP | F_NULL), .max = 256 },
	{ F(setting, disk, INT, F_KEEP | F_NULL), .max = INT64_MAX },
	{ F(setting, sync, TEXT, F_KEEP), .max = 256 },
	{ F(setting, pushover_token, TEXT, F_HIDE), .max = 256 },
	{ F(setting, pushover_url, TEXT, F_HIDE), .max = 256 },
	SHOW("pushover", 0, show_pushover),
	{ F(setting, smtp, TEXT, F_NULL), .max = 256 },
	{ F(setting, smtp_user, TEXT, F_HIDE), .max = 256 },
	{ F(setting, smtp_password, TEXT, F_HIDE), .max = 256 },
	{ F(setting, smtp_from, TEXT, F_HIDE), .max = 256 },
	{ F(setting, smtp_tls, TEXT, F_HIDE), .max = 256 },
	{ F(setting, smtp_mark, TEXT, F_HIDE), .max = 256 },
	{ F(setting, link_secret, TEXT, F_HIDE), .max = 256 },
	{ F(setting, ca_file, TEXT, F_KEEP), .max = 256 },
	{ F(setting, zone, TEXT, F_KEEP), .max = 256 },
	{ F(setting, heartbeat, TEXT, F_HIDE), .max = 256 },
	{ F(setting, heartbeat_ms, INT, F_HIDE), .max = INT64_MAX },
	{ F(setting, exec_dir, TEXT, F_KEEP | F_NULL), .max = 256 },
	{ F(setting, webhook_local, BOOL, F_KEEP) },
	{ F(setting, drill_s, INT, F_KEEP | F_NULL), .max = INT32_MAX },
};

#define KIND(s) { #s, s##_fields, COUNT(s##_fields), sizeof(struct s) }
const struct kind_table model_kinds[KINDS] = {
	[KIND_AGENT]	 = KIND(agent),
	[KIND_CHECK]	 = KIND(check),
	[KIND_INCIDENT]	 = KIND(incident),
	[KIND_DELIVERY]	 = KIND(delivery),
	[KIND_RECIPIENT] = KIND(recipient),
	[KIND_KEY]	 = KIND(key),
	[KIND_SILENCE]	 = KIND(silence),
	[KIND_SETTING]	 = KIND(setting),
};

int
model_kind(struct str name, enum kind *k)
{
	const struct kind_table *t = STR_ROW(model_kinds, name);

	if (t != NULL)
		*k = (enum kind)(t - model_kinds);
	return t != NULL ? 0 : -1;
}

void *
model_value_at(const struct field *f, const struct object *o)
{
	/* A draft is written through this; a live object is only read. */
	return (void *)((uintptr_t)o + f->off);
}

int64_t
model_number(const struct field *f, const struct object *o)
{
	const void *p = model_value_at(f, o);

	return f->width == 1 ? *(const uint8_t *)p : *(const int64_t *)p;
}

void
model_put_number(const struct field *f, struct object *o, int64_t v)
{
	void *p = model_value_at(f, o);

	if (f->width == 1)
		*(uint8_t *)p = (uint8_t)v;
	else
		*(int64_t *)p = v;
}

/* ---- to JSON ---- */

void
model_show_field(struct buf *b, const struct field *f, const struct object *o)
{
	const char *text = model_is_text(f) ? *model_text_at(f, o) : NULL;
	int64_t v = model_is_number(f) ? model_number(f, o) : 0;
	struct str rest = str_of(text), line;

	json_key(b, f->name);
	if ((f->flags & F_NULL) && (text != NULL ? text[0] == '\0' : v == 0))
		json_put_null(b);
	else if (f->type == FIELD_BOUNDS) {
		json_arr(b);
		while (rest.n > 0 && str_cut(&rest, '\n', &line) == 0)
			json_put(b, line);
		json_arr_end(b);
	} else if (f->type == FIELD_JSON)
		json_put_raw(b, str_of(text[0] == '\0' ? "{}" : text));
	else if (text != NULL)
		json_put(b, rest);
	else if (f->type == FIELD_BOOL)
		json_put_bool(b, v != 0);
	else if (f->type == FIELD_WORD)
		json_put(b, str_of(f->words[v]));
	else if (f->type == FIELD_TIME)
		json_put_time(b, v);
	else if (f->type == FIELD_REF)
		put_uri(b, model_kinds[f->ref].name, (uint64_t)v);
	else if (f->type == FIELD_INT)
		json_put_int(b, v);
	else if (f->type == FIELD_TYPE)
		json_put(b, str_of(((const struct check *)o)->type->name));
	else if (f->type == FIELD_SHOW)
		f->show(b, o);
	else {				/* nothing in it needs an escape */
		buf_addc(b, '"');
		alert_state_put(b, &((const struct check *)o)->alert);
		buf_addc(b, '"');
	}
}

void
model_show(struct buf *b, enum kind k, const struct object *o,
    const struct model_view *v)
{
	unsigned hide = F_HIDE | F_BLIND | (v->bare ? F_STATE : 0) |
	    (v->secrets ? 0 : F_SECRET);
	const struct check_type *type = !v->flat || k != KIND_CHECK ? NULL :
	    ((const struct check *)o)->type;
	const struct field *f;
	struct str flat;

	json_obj(b);
	json_add_int(b, "id", (int64_t)o->id);
	put_uri(json_key(b, "resource_uri"), v->resource != NULL ?
	    v->resource : model_kinds[k].name, o->id);
	MODEL_EACH(f, k) {
		if ((f->flags & hide) || ((f->flags & F_SECRET) &&
		    **model_text_at(f, o) == '\0'))
			continue;
		if (!v->flat || f->type != FIELD_JSON) {
			/* A parameter of its name takes its place. */
			if (check_param(type, str_of(f->name)) == NULL)
				model_show_field(b, f, o);
			continue;
		}
		/* Canonical: between the brackets they are members already. */
		flat = str_of(*model_text_at(f, o));
		if (flat.n > 2)
			buf_addf(b, ",%.*s", (int)flat.n - 2, flat.p + 1);
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
	return f->type < FIELD_STATE && memcmp(model_value_at(f, a),
	    model_value_at(f, b), f->width) == 0;
}

bool
model_same_all(enum kind k, unsigned flag, const struct object *a,
    const struct object *b)
{
	const struct field *f;

	MODEL_EACH(f, k)
		if ((f->flags & flag) && f->type < FIELD_STATE &&
		    !model_same(f, a, b))
			return false;
	return true;
}

void
model_kept(struct buf *b, enum kind k, const struct object *o,
    const struct object *was)
{
	unsigned keep = F_KEEP | (was == NULL ? F_SNAP : 0);
	const struct field *f;

	json_obj(b);
	MODEL_EACH(f, k)
		if ((f->flags & keep) && (was == NULL ||
		    !model_same(f, o, was)))
			model_show_field(b, f, o);
	json_obj_end(b);
}

/* ---- the schema ---- */

static const char *const type_names[] = {	/* others: "string" */
	[FIELD_BOUNDS] = "list", [FIELD_JSON] = "object",
	[FIELD_BOOL] = "boolean", [FIELD_INT] = "integer",
	[FIELD_TIME] = "datetime", [FIELD_REF] = "related",
	[FIELD_SHOW] = "computed"
};

/* what: NULL, or what a parameter is, whose limits are told of texts too. */
static void
schema_field(struct buf *b, const struct field *f, const char *what)
{
	const char *type = type_names[f->type];

	json_obj(json_key(b, f->name));
	json_add(b, "type", str_of(type != NULL ? type : "string"));
	json_put_bool(json_key(b, "readonly"), !(f->flags & F_WRITE));
	json_put_bool(json_key(b, "required"), f->flags & F_NEED);
	json_put_bool(json_key(b, "nullable"), f->flags & F_NULL);
	if (what != NULL || f->type == FIELD_INT) {
		json_add_int(b, "min", f->min);
		json_add_int(b, "max", f->max);
	}
	if (what != NULL)
		json_add(b, "what", str_of(what));
	else if (f->type == FIELD_INT && f->def == 0 && (f->flags & F_NULL))
		json_put_null(json_key(b, "default"));
	else if (f->type == FIELD_INT)
		json_add_int(b, "default", f->def);
	if (f->type == FIELD_WORD) {
		json_arr(json_key(b, "choices"));
		for (unsigned i = 0; f->words[i] != NULL; i++)
			json_put(b, str_of(f->words[i]));
		json_arr_end(b);
	}
	json_obj_end(b);
}

void
model_schema(struct buf *b, enum kind k, const struct check_type *flat)
{
	const struct check_param *p;
	const struct field *f;
	struct field of;

	json_obj(b);
	json_obj(json_key(b, "fields"));
	MODEL_EACH(f, k) {
		if (flat == NULL || f->type != FIELD_JSON) {
			if (!(f->flags & F_HIDE) &&
			    check_param(flat, str_of(f->name)) == NULL)
				schema_field(b, f, NULL);
			continue;
		}
		for (p = flat->param; p < flat->param + flat->params; p++) {
			of = (struct field){ .name = p->name, .min = p->min,
			    .max = p->max, .flags = F_WRITE |
			    (p->required ? F_NEED : F_NULL), .type =
			    p->type == PARAM_INT ? FIELD_INT : FIELD_TEXT };
			schema_field(b, &of, p->what);
		}
	}
	json_obj_end(b);
	json_obj_end(b);
}
