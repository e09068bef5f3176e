/* model_set.c: a field of a draft from JSON, and a draft made sure of. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "model_impl.h"

#define TEXT_MAX	4096	/* bytes of any text field */

int
model_ref(struct str s, enum kind k, uint64_t *id)
{
	struct str name = str_of(model_kinds[k].name), head = STR(MODEL_API);

	if (str_u64(s, 1, INT64_MAX, id) == 0)
		return 0;
	if (!str_starts(s, head))
		return -1;
	s.p += head.n;
	s.n -= head.n;
	if (!str_starts(s, name) || s.n < name.n + 2 || s.p[name.n] != '/')
		return -1;
	s.p += name.n + 1;
	s.n -= name.n + 1;
	if (s.p[s.n - 1] == '/')
		s.n--;
	return str_u64(s, 1, INT64_MAX, id);
}

static int
set_text(const struct field *f, struct object *o, struct str raw,
    struct fail *why)
{
	char text[TEXT_MAX + 1];
	size_t i, n;

	if (json_unescape(raw, text, sizeof text) == -1)
		return fail(why, "longer than %d bytes, or with a NUL",
		    TEXT_MAX);
	n = strlen(text);
	if (f->type == FIELD_NAME && !check_name_ok(str_of(text)))
		return fail(why, "1 to 64 of A-Z a-z 0-9 . _ : - and inner "
		    "spaces");
	if (n < (size_t)f->min || n > (size_t)f->max)
		return fail(why, "%lld to %lld bytes, not %zu",
		    (long long)f->min, (long long)f->max, n);
	for (i = 0; i < n && (f->flags & (F_WRITE | F_AGENT)); i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return fail(why, "control characters are not taken");
	model_text(model_text_at(f, o), str_of(text));
	return 0;
}

static int
set_int(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	int64_t v;

	if (tok != JSON_NUM || json_int(raw, f->min, f->max, &v) == -1)
		return fail(why, "an integer from %lld to %lld",
		    (long long)f->min, (long long)f->max);
	model_put_number(f, o, v);
	return 0;
}

static int
set_time(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	char text[64];

	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1 ||
	    str_time(str_of(text), model_value_at(f, o)) == -1)
		return fail(why, "a time as 2026-11-22T06:53:11Z");
	return 0;
}

/* One of the words; what is offered instead is said. */
static int
set_word(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	char list[128], text[64];
	struct buf b;
	unsigned i;

	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1)
		text[0] = '\0';
	buf_init(&b, list, sizeof list);
	for (i = 0; f->words[i] != NULL; i++) {
		if (strcmp(text, f->words[i]) == 0) {
			model_put_number(f, o, i);
			return 0;
		}
		buf_addf(&b, "%s%s", i > 0 ? ", " : "", f->words[i]);
	}
	return fail(why, "one of %.*s", (int)b.n, b.p);
}

static int
set_ref(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	char text[128];
	uint64_t id;

	if ((tok != JSON_STR && tok != JSON_NUM) ||
	    json_unescape(raw, text, sizeof text) == -1 ||
	    model_ref(str_of(text), f->ref, &id) == -1)
		return fail(why, "a resource URI like " MODEL_API "%s/1/",
		    model_kinds[f->ref].name);
	model_put_number(f, o, (int64_t)id);
	return 0;
}

static int
set_type(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	const struct check_type *t;
	char list[128], text[64];
	struct buf b;
	unsigned i;

	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1)
		text[0] = '\0';
	t = check_type(str_of(text));
	if (t != NULL) {
		*(const struct check_type **)model_value_at(f, o) = t;
		return 0;
	}
	buf_init(&b, list, sizeof list);
	for (i = 0; i < check_types_n; i++)
		buf_addf(&b, "%s%s", i > 0 ? ", " : "", check_types[i].name);
	return fail(why, "one of %.*s", (int)b.n, b.p);
}

static int
add_bound(struct buf *out, unsigned *n, struct str raw, struct fail *why)
{
	struct alert_bound bound;
	char text[128];

	if (json_unescape(raw, text, sizeof text) == -1)
		return fail(why, "a bound is at most 127 bytes");
	if (alert_bound_parse(str_of(text), &bound, why) == -1)
		return -1;
	if (++*n > ALERT_BOUNDS_MAX)
		return fail(why, "at most %d bounds", ALERT_BOUNDS_MAX);
	if (*n > 1)
		buf_addc(out, '\n');
	alert_bound_put(out, &bound);
	return 0;
}

/* A list of bounds, or one; kept one a line. */
static int
set_bounds(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	char text[512];
	struct buf b;
	struct json j;
	struct str item;
	unsigned n = 0;

	buf_init(&b, text, sizeof text);
	if (tok == JSON_STR) {
		if (add_bound(&b, &n, raw, why) == -1)
			return -1;
	} else if (tok != JSON_ARR) {
		return fail(why, "a list of bounds like [\"above 90\"]");
	} else {
		json_open(&j, raw);
		json_next(&j, &item);
		while ((tok = json_next(&j, &item)) == JSON_STR)
			if (add_bound(&b, &n, item, why) == -1)
				return -1;
		if (tok != JSON_ARR_END)
			return fail(why, "a bound is a string like "
			    "\"above 90\"");
	}
	model_text(model_text_at(f, o), str_from(&b));
	return 0;
}

static int
set_json(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	if (tok != JSON_OBJ && tok != JSON_ARR)
		return fail(why, "an object");
	if (raw.n > (size_t)f->max)
		return fail(why, "at most %lld bytes", (long long)f->max);
	model_text(model_text_at(f, o), raw);
	return 0;
}

static int
set_state(const struct field *f, struct object *o, enum json_tok tok,
    struct str raw, struct fail *why)
{
	char text[ALERT_STATE_TEXT];

	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1 ||
	    alert_state_get(str_of(text), model_value_at(f, o)) == -1)
		return fail(why, "not a state");
	return 0;
}

/* null is what a new object has, where that is nothing. */
static int
set_null(const struct field *f, struct object *o, struct fail *why)
{
	if (!(f->flags & F_NULL))
		return fail(why, "may not be null");
	if (model_is_text(f))
		model_text(model_text_at(f, o), STR(""));
	else
		model_put_number(f, o, 0);
	return 0;
}

int
model_set(enum kind k, struct object *draft, const struct field *f,
    enum json_tok tok, struct str raw, struct fail *why)
{
	(void)k;
	if (tok == JSON_NULL)
		return set_null(f, draft, why);
	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_NAME:
		if (tok != JSON_STR)
			return fail(why, "a string");
		return set_text(f, draft, raw, why);
	case FIELD_BOOL:
		if (tok != JSON_TRUE && tok != JSON_FALSE)
			return fail(why, "true or false");
		model_put_number(f, draft, tok == JSON_TRUE);
		return 0;
	case FIELD_INT:
		return set_int(f, draft, tok, raw, why);
	case FIELD_TIME:
		return set_time(f, draft, tok, raw, why);
	case FIELD_WORD:
		return set_word(f, draft, tok, raw, why);
	case FIELD_REF:
		return set_ref(f, draft, tok, raw, why);
	case FIELD_TYPE:
		return set_type(f, draft, tok, raw, why);
	case FIELD_BOUNDS:
		return set_bounds(f, draft, tok, raw, why);
	case FIELD_JSON:
		return set_json(f, draft, tok, raw, why);
	case FIELD_STATE:
		return set_state(f, draft, tok, raw, why);
	case FIELD_SHOW:
		break;
	}
	return fail(why, "is read-only");
}

/* ---- a draft as a whole ---- */

static int
wrong(const char **field, const char *name)
{
	*field = name;
	return -1;
}

static int
check_agent(struct agent *a, const char **field, bool *conflict,
    struct fail *why)
{
	const struct agent *other = model_agent_named(str_of(a->hostname));

	if (other != NULL && other->o.id != a->o.id) {
		*conflict = true;
		fail(why, "agent %llu has this name already",
		    (unsigned long long)other->o.id);
		return wrong(field, "hostname");
	}
	if (a->o.id == 0 && model_count(KIND_AGENT) >= MODEL_AGENTS_MAX) {
		fail(why, "at most %d agents", MODEL_AGENTS_MAX);
		return wrong(field, "hostname");
	}
	return 0;
}

static unsigned
count_checks(const struct agent *a)
{
	const struct check *c;
	unsigned n = 0;

	for (c = a->checks; c != NULL; c = c->next)
		n++;
	return n;
}

/* Parameters as the type wants them, and a name made of them. */
static int
complete_check(struct check *c, const char **field, struct fail *why)
{
	char text[CHECK_PARAMS_MAX];
	struct buf b;

	buf_init(&b, text, sizeof text);
	if (check_params(c->type, str_of(c->params), &b, field, why) == -1)
		return -1;
	model_text(&c->params, str_from(&b));
	if (c->name[0] != '\0')
		return 0;
	buf_init(&b, text, CHECK_NAME_MAX + 1);
	check_name(c->type, str_of(c->params), &b);
	model_text(&c->name, str_from(&b));
	return 0;
}

static int
check_check(struct check *c, const char **field, bool *conflict,
    struct fail *why)
{
	const struct agent *a = model_agent(c->agent_id);
	const struct check *other;
	struct alert_rule rule;

	if (a == NULL) {
		fail(why, "no such agent");
		return wrong(field, "agent");
	}
	if (complete_check(c, field, why) == -1)
		return -1;
	if (c->hits > c->of) {
		fail(why, "hits are at most of");
		return wrong(field, "hits");
	}
	if (model_rule(c, &rule) == -1) {
		fail(why, "with the type's own there are more than %d bounds",
		    ALERT_BOUNDS_MAX);
		return wrong(field, "crit");
	}
	other = model_check_named(a, str_of(c->name));
	if (other != NULL && other->o.id != c->o.id) {
		*conflict = true;
		fail(why, "%s has a check of this name already",
		    a->hostname);
		return wrong(field, "name");
	}
	if (c->o.id == 0 && count_checks(a) >= MODEL_CHECKS_MAX) {
		fail(why, "at most %d checks an agent", MODEL_CHECKS_MAX);
		return wrong(field, "agent");
	}
	return 0;
}

static int
check_recipient(struct recipient *r, const char **field, bool *conflict,
    struct fail *why)
{
	size_t i, n = strlen(r->address);

	for (i = 0; i < model_count(KIND_RECIPIENT); i++) {
		const struct recipient *o =
		    (void *)model_at(KIND_RECIPIENT, i);

		if (o->o.id == r->o.id ||
		    !str_ieq(str_of(o->name), str_of(r->name)))
			continue;
		*conflict = true;
		fail(why, "there is a recipient of this name already");
		return wrong(field, "name");
	}
	for (i = 0; i < n; i++)
		if (!((r->address[i] >= '0' && r->address[i] <= '9') ||
		    (r->address[i] >= 'a' && r->address[i] <= 'z') ||
		    (r->address[i] >= 'A' && r->address[i] <= 'Z')))
			break;
	if (n != 30 || i < n) {
		fail(why, "a Pushover user or group key is 30 letters and "
		    "digits");
		return wrong(field, "address");
	}
	return 0;
}

static int
check_key(struct key *k, const char **field, struct fail *why)
{
	if (k->role != ROLE_AGENT && k->role != ROLE_ADMIN) {
		fail(why, "only agent and admin keys are built yet");
		return wrong(field, "role");
	}
	if ((k->role == ROLE_AGENT) != (k->agent != 0)) {
		fail(why, k->agent == 0 ? "an agent's key names its agent" :
		    "only an agent's key has an agent");
		return wrong(field, "agent");
	}
	if (k->agent != 0 && model_agent(k->agent) == NULL) {
		fail(why, "no such agent");
		return wrong(field, "agent");
	}
	return 0;
}

int
model_check(enum kind k, struct object *draft, const char **field,
    bool *conflict, struct fail *why)
{
	*conflict = false;
	*field = NULL;
	switch (k) {
	case KIND_AGENT:
		return check_agent((struct agent *)draft, field, conflict,
		    why);
	case KIND_CHECK:
		return check_check((struct check *)draft, field, conflict,
		    why);
	case KIND_RECIPIENT:
		return check_recipient((struct recipient *)draft, field,
		    conflict, why);
	case KIND_KEY:
		return check_key((struct key *)draft, field, why);
	default:
		return 0;
	}
}
