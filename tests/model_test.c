/* model_test: the objects, their fields, and what holds between them. */
#include <string.h>

#include "../json.h"
#include "../model.h"
#include "test.h"

/* ---- tools ---- */

static struct fail why;

/* Set a field from JSON text, as the API does. */
static int
set(enum kind k, struct object *o, const char *name, const char *json)
{
	const struct field *f = model_field(k, str_of(name));
	struct json j;
	struct str raw;
	enum json_tok tok;

	if (f == NULL) {
		printf("no field %s\n", name);
		return -1;
	}
	json_open(&j, str_of(json));
	tok = json_value(&j, &raw);
	return model_set(k, o, f, tok, raw, &why);
}

/* One object as the journal keeps it. */
static const char *
kept(enum kind k, const struct object *o)
{
	static char room[4][MODEL_OBJECT_TEXT];
	static unsigned at;
	struct buf b;

	at = (at + 1) % 4;
	buf_init(&b, room[at], sizeof room[at] - 1);
	model_kept(&b, k, o, NULL);
	room[at][b.n] = '\0';
	return b.full ? "(full)" : room[at];
}

static struct agent *
add_agent(const char *name)
{
	struct object *d = model_draft(KIND_AGENT, NULL);

	model_text(&((struct agent *)d)->hostname, str_of(name));
	return (struct agent *)model_install(KIND_AGENT, d, NULL);
}

static struct check *
add_check(const struct agent *a, const char *name)
{
	struct check *c = (struct check *)model_draft(KIND_CHECK, NULL);

	c->agent_id = a->o.id;
	c->type = check_type(STR("cpu"));
	model_text(&c->name, str_of(name));
	return (struct check *)model_install(KIND_CHECK, &c->o, NULL);
}

/* ---- fields ---- */

/* Does setting name to json succeed as wanted, and change nothing if not? */
static bool
takes(enum kind k, struct object *d, const char *name, const char *json,
    bool want)
{
	const char *was = kept(k, d);
	bool ok;

	why.msg[0] = '\0';
	ok = set(k, d, name, json) == 0;
	if (ok == want && (ok || (why.msg[0] != '\0' &&
	    strcmp(was, kept(k, d)) == 0)))
		return true;
	printf("%s.%s = %.60s: %s%s\n", model_kinds[k].name, name, json,
	    ok ? "taken" : "refused: ", ok ? "" : why.msg);
	return false;
}

static const char *
quoted(size_t n)
{
	static char text[8192 + 4];

	memset(text, 'x', n + 2);
	text[0] = text[n + 1] = '"';
	text[n + 2] = '\0';
	return text;
}

static void
text_limits(enum kind k, struct object *d, const struct field *f)
{
	size_t min = (size_t)f->min, max = (size_t)f->max;
	bool typed = (f->flags & (F_WRITE | F_AGENT)) != 0;

	CHECK(takes(k, d, f->name, quoted(max), true));
	CHECK(takes(k, d, f->name, quoted(max + 1), false));
	CHECK(takes(k, d, f->name, quoted(min), true));
	CHECK(takes(k, d, f->name, quoted(max - 1), max - 1 >= min));
	if (min > 0)
		CHECK(takes(k, d, f->name, quoted(min - 1), false));
	CHECK(takes(k, d, f->name, "7", false));
	CHECK(takes(k, d, f->name, "true", false));
	CHECK(takes(k, d, f->name, "[\"x\"]", false));
	CHECK(takes(k, d, f->name, "{}", false));
	CHECK(takes(k, d, f->name, "\"a\\u0000b\"", false));
	if (typed && f->type == FIELD_TEXT) {
		CHECK(takes(k, d, f->name, "\"a\\nb\"", false));
		CHECK(takes(k, d, f->name, "\"a\\u001bb\"", false));
		CHECK(takes(k, d, f->name, "\"a\\u007fb\"", false));
	}
}

static void
int_limits(enum kind k, struct object *d, const struct field *f)
{
	char text[64];

	snprintf(text, sizeof text, "%lld", (long long)f->max);
	CHECK(takes(k, d, f->name, text, true));
	snprintf(text, sizeof text, "%lld", (long long)f->min);
	CHECK(takes(k, d, f->name, text, true));
	if (f->min == INT64_MIN)
		snprintf(text, sizeof text, "-9223372036854775809");
	else
		snprintf(text, sizeof text, "%lld", (long long)f->min - 1);
	CHECK(takes(k, d, f->name, text, false));
	snprintf(text, sizeof text, "%llu", (unsigned long long)f->max + 1);
	CHECK(takes(k, d, f->name, text, false));
	snprintf(text, sizeof text, "%lld.5", (long long)f->min);
	CHECK(takes(k, d, f->name, text, false));
	snprintf(text, sizeof text, "\"%lld\"", (long long)f->min);
	CHECK(takes(k, d, f->name, text, false));
	CHECK(takes(k, d, f->name, "1e99", false));
	CHECK(takes(k, d, f->name, "false", false));
	CHECK(takes(k, d, f->name, "[1]", false));
}

/* For each type of field: what it takes and what not. */
static const struct {
	enum field_type type;
	const char *json;
	bool ok;
} typed[] = {
	{ FIELD_BOOL,	"true",				true },
	{ FIELD_BOOL,	"false",			true },
	{ FIELD_BOOL,	"1",				false },
	{ FIELD_BOOL,	"\"true\"",			false },
	{ FIELD_BOOL,	"[]",				false },
	{ FIELD_TIME,	"\"1970-01-01T00:00:00Z\"",	true },
	{ FIELD_TIME,	"\"2262-12-31T23:59:59.999Z\"",	true },
	{ FIELD_TIME,	"\"2263-01-01T00:00:00Z\"",	false },
	{ FIELD_TIME,	"\"1969-12-31T23:59:59Z\"",	false },
	{ FIELD_TIME,	"\"2026-02-29T00:00:00Z\"",	false },
	{ FIELD_TIME,	"\"\"",				false },
	{ FIELD_TIME,	"1790000000000",		false },
	{ FIELD_WORD,	"\"\"",				false },
	{ FIELD_WORD,	"\"OK\"",			false },
	{ FIELD_WORD,	"\"fine\"",			false },
	{ FIELD_WORD,	"0",				false },
	{ FIELD_WORD,	"{}",				false },
	{ FIELD_REF,	"0",				false },
	{ FIELD_REF,	"-1",				false },
	{ FIELD_REF,	"1",				true },
	{ FIELD_REF,	"\"1\"",			true },
	{ FIELD_REF,	"9223372036854775807",		true },
	{ FIELD_REF,	"9223372036854775808",		false },
	{ FIELD_REF,	"\"/api/v1/nothing/1/\"",	false },
	{ FIELD_REF,	"1.5",				false },
	{ FIELD_REF,	"true",				false },
	{ FIELD_REF,	"[1]",				false },
	{ FIELD_TYPE,	"\"cpu\"",			true },
	{ FIELD_TYPE,	"\"process\"",			true },
	{ FIELD_TYPE,	"\"CPU\"",			false },
	{ FIELD_TYPE,	"\"\"",				false },
	{ FIELD_TYPE,	"3",				false },
	{ FIELD_BOUNDS,	"[]",				true },
	{ FIELD_BOUNDS,	"\"above 90\"",			true },
	{ FIELD_BOUNDS,	"[\"above 1\",\"below 2\",\"x above 3\","
	    "\"y below 4\"]",				true },
	{ FIELD_BOUNDS,	"[\"above 1\",\"below 2\",\"x above 3\","
	    "\"y below 4\",\"above 5\"]",		false },
	{ FIELD_BOUNDS,	"[\"about 3\"]",		false },
	{ FIELD_BOUNDS,	"[\"above 1\", 2]",		false },
	{ FIELD_BOUNDS,	"[[\"above 1\"]]",		false },
	{ FIELD_BOUNDS,	"[\"above 9000000000000001\"]",	false },
	{ FIELD_BOUNDS,	"[\"above 9000000000000000\"]",	true },
	{ FIELD_BOUNDS,	"[\"m\\nx above 1\"]",		false },
	{ FIELD_BOUNDS,	"90",				false },
	{ FIELD_BOUNDS,	"{}",				false },
	{ FIELD_JSON,	"\"x\"",			false },
	{ FIELD_JSON,	"1",				false },
	{ FIELD_JSON,	"{}",				true },
	{ FIELD_STATE,	"\"x\"",			false },
	{ FIELD_STATE,	"\"0 0 0,0,0 0,0,0 0,0,0\"",	true },
	{ FIELD_STATE,	"1",				false },
	{ FIELD_SHOW,	"1",				false },
	{ FIELD_SHOW,	"\"ok\"",			false },
};

static void
word_rows(enum kind k, struct object *d, const struct field *f)
{
	char text[64];
	unsigned i;

	for (i = 0; f->words[i] != NULL; i++) {
		snprintf(text, sizeof text, "\"%s\"", f->words[i]);
		CHECK(takes(k, d, f->name, text, true));
	}
}

static void
json_limits(enum kind k, struct object *d, const struct field *f)
{
	static char text[8192 + 2];
	size_t n = (size_t)f->max;

	memset(text, 'x', sizeof text);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + n - 2, "\"}", 3);
	CHECK(strlen(text) == n && takes(k, d, f->name, text, true));
	memset(text, 'x', n);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + n - 1, "\"}", 3);
	CHECK(strlen(text) == n + 1 && takes(k, d, f->name, text, false));
}

static void
one_field(enum kind k, struct object *d, const struct field *f)
{
	size_t i;

	if (f->type == FIELD_TEXT || f->type == FIELD_NAME)
		text_limits(k, d, f);
	else if (f->type == FIELD_INT)
		int_limits(k, d, f);
	else if (f->type == FIELD_WORD)
		word_rows(k, d, f);
	else if (f->type == FIELD_JSON)
		json_limits(k, d, f);
	for (i = 0; i < COUNT(typed); i++)
		if (typed[i].type == f->type)
			CHECK_ROW(i, takes(k, d, f->name, typed[i].json,
			    typed[i].ok));
	/* null is nothing, where there may be nothing; else refused. */
	CHECK(takes(k, d, f->name, "null", (f->flags & F_NULL) != 0));
}

static void
test_fields(void)
{
	unsigned k, i;

	model_reset();
	for (k = 0; k < KINDS; k++) {
		struct object *d = model_draft((enum kind)k, NULL);

		if (k == KIND_CHECK)	/* a check is never shown without */
			((struct check *)d)->type = check_type(STR("cpu"));
		for (i = 0; i < model_kinds[k].fields; i++)
			one_field((enum kind)k, d, &model_kinds[k].field[i]);
		model_drop((enum kind)k, d);
		CHECK_ROW(k, model_count((enum kind)k) == 0);
	}
	CHECK(model_field(KIND_AGENT, STR("host")) == NULL);
	CHECK(model_field(KIND_AGENT, STR("hostname\0")) == NULL);
	CHECK(model_field(KIND_AGENT, STR("")) == NULL);
}

/* What DESIGN says of single fields. */
static const struct {
	enum kind kind;
	const char *field, *json;
	bool ok;
} rows[] = {
	{ KIND_AGENT, "hostname", "\"web1.example:8 a_b-c\"", true },
	{ KIND_AGENT, "hostname", "\" a\"", false },
	{ KIND_AGENT, "hostname", "\"a \"", false },
	{ KIND_AGENT, "hostname", "\" \"", false },
	{ KIND_AGENT, "hostname", "\"a/b\"", false },
	{ KIND_AGENT, "hostname", "\"a\\u202eb\"", false },
	{ KIND_AGENT, "hostname", "\"<b>\"", false },
	{ KIND_AGENT, "check_interval_ms", "1000", true },
	{ KIND_AGENT, "check_interval_ms", "999", false },
	{ KIND_AGENT, "check_interval_ms", "1e4", true },
	{ KIND_AGENT, "check_interval_ms", "86400001", false },
	{ KIND_AGENT, "check_interval_ms", "null", false },
	{ KIND_AGENT, "late_after_s", "null", true },
	{ KIND_AGENT, "late_after_s", "4", false },
	{ KIND_AGENT, "state", "\"silent\"", true },
	{ KIND_AGENT, "status", "\"ok\"", false },
	{ KIND_CHECK, "agent", "\"/api/v1/agent/7/\"", true },
	{ KIND_CHECK, "agent", "\"/api/v1/agent/7\"", true },
	{ KIND_CHECK, "agent", "\"/api/v1/check/7/\"", false },
	{ KIND_CHECK, "agent", "\"/api/v1/agent/7/x\"", false },
	{ KIND_CHECK, "agent", "\"/api/v1/agent/\"", false },
	{ KIND_CHECK, "agent", "\"/api/v1/agent//\"", false },
	{ KIND_CHECK, "agent", "\"/api/v1/agents/7/\"", false },
	{ KIND_CHECK, "agent", "\"\"", false },
	{ KIND_CHECK, "hits", "64", true },
	{ KIND_CHECK, "hits", "65", false },
	{ KIND_CHECK, "of", "0", false },
	{ KIND_CHECK, "warn", "[\"value above 90\"]", true },
	{ KIND_CHECK, "clear", "[\"iowait below 1e1\"]", true },
	{ KIND_RECIPIENT, "severity", "\"none\"", false },
	{ KIND_RECIPIENT, "severity", "\"critical\"", true },
	{ KIND_RECIPIENT, "channel", "\"pigeon\"", false },
	{ KIND_KEY, "role", "\"root\"", false },
};

static void
test_rows(void)
{
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct object *d = model_draft(rows[i].kind, NULL);

		if (rows[i].kind == KIND_CHECK)
			((struct check *)d)->type = check_type(STR("cpu"));
		CHECK_ROW(i, takes(rows[i].kind, d, rows[i].field,
		    rows[i].json, rows[i].ok));
		model_drop(rows[i].kind, d);
	}
}

/* ---- drafts ---- */

static void
test_drafts(void)
{
	static char was_text[MODEL_OBJECT_TEXT];
	struct agent *a, *d;
	struct object *was;

	model_reset();
	a = add_agent("web1");
	snprintf(was_text, sizeof was_text, "%s", kept(KIND_AGENT, &a->o));
	d = (struct agent *)model_draft(KIND_AGENT, &a->o);
	CHECK(set(KIND_AGENT, &d->o, "hostname", "\"other\"") == 0);
	CHECK(set(KIND_AGENT, &d->o, "description", "\"text\"") == 0);
	CHECK(set(KIND_AGENT, &d->o, "enabled", "false") == 0);
	CHECK(d->hostname != a->hostname);
	model_drop(KIND_AGENT, &d->o);
	model_drop(KIND_AGENT, model_draft(KIND_AGENT, NULL));
	model_drop(KIND_AGENT, NULL);
	CHECK(strcmp(was_text, kept(KIND_AGENT, &a->o)) == 0 &&
	    model_count(KIND_AGENT) == 1 && model_next_id(KIND_AGENT) == 2);

	/* Installed, and installed back: the place stays, so do pointers. */
	d = (struct agent *)model_draft(KIND_AGENT, &a->o);
	model_text(&d->description, STR("text"));
	CHECK((void *)model_install(KIND_AGENT, &d->o, &was) == a);
	CHECK(strcmp(a->description, "text") == 0 && was != NULL);
	CHECK((void *)model_install(KIND_AGENT, was, NULL) == a);
	CHECK(strcmp(was_text, kept(KIND_AGENT, &a->o)) == 0 &&
	    model_count(KIND_AGENT) == 1 && model_next_id(KIND_AGENT) == 2);

	/* Configuration back, state stays. */
	d = (struct agent *)model_draft(KIND_AGENT, &a->o);
	model_text(&d->description, STR("text"));
	model_install(KIND_AGENT, &d->o, &was);
	a->state = AGENT_UP;
	a->last_checkin = 77;
	model_text(&a->version, STR("0.1"));
	model_revert(KIND_AGENT, &a->o, was);
	model_drop(KIND_AGENT, was);
	CHECK(a->description[0] == '\0' && a->state == AGENT_UP &&
	    a->last_checkin == 77 && strcmp(a->version, "0.1") == 0);
}

/* ---- objects as wholes ---- */

static const char *field;
static bool conflict;

static int
whole(enum kind k, struct object *d)
{
	field = NULL;
	why.msg[0] = '\0';
	return model_check(k, d, &field, &conflict, &why);
}

static bool
refused(enum kind k, struct object *d, const char *name, bool is_conflict)
{
	bool ok = whole(k, d) == -1 && field != NULL &&
	    strcmp(field, name) == 0 && conflict == is_conflict &&
	    why.msg[0] != '\0';

	model_drop(k, d);
	return ok;
}

static struct object *
check_draft(uint64_t agent, const char *type, const char *params,
    const char *name)
{
	struct check *c = (struct check *)model_draft(KIND_CHECK, NULL);

	c->agent_id = agent;
	c->type = check_type(str_of(type));
	model_text(&c->params, str_of(params));
	model_text(&c->name, str_of(name));
	return &c->o;
}

static void
test_names(void)
{
	struct agent *a, *b;
	struct object *d;
	struct recipient *r;

	model_reset();
	a = add_agent("Web1");
	b = add_agent("web2");
	CHECK(model_agent_named(STR("wEB1")) == a);
	CHECK(model_agent_named(STR("web")) == NULL);
	CHECK(model_agent_named(STR("web11")) == NULL);
	d = model_draft(KIND_AGENT, NULL);
	set(KIND_AGENT, d, "hostname", "\"WEB1\"");
	CHECK(refused(KIND_AGENT, d, "hostname", true));
	d = model_draft(KIND_AGENT, &b->o);
	set(KIND_AGENT, d, "hostname", "\"wEb1\"");
	CHECK(refused(KIND_AGENT, d, "hostname", true));
	d = model_draft(KIND_AGENT, &a->o);	/* its own, another case */
	set(KIND_AGENT, d, "hostname", "\"WEB1\"");
	CHECK(whole(KIND_AGENT, d) == 0);
	model_drop(KIND_AGENT, d);

	add_check(a, "Disk");
	CHECK(refused(KIND_CHECK, check_draft(a->o.id, "cpu", "", "dISK"),
	    "name", true));
	d = check_draft(b->o.id, "cpu", "", "disk");
	CHECK(whole(KIND_CHECK, d) == 0);
	model_drop(KIND_CHECK, d);
	CHECK(model_check_named(a, STR("DISK")) != NULL);
	CHECK(model_check_named(b, STR("DISK")) == NULL);

	r = (struct recipient *)model_draft(KIND_RECIPIENT, NULL);
	model_text(&r->name, STR("Alice"));
	model_text(&r->address, STR("abcdefghijklmnopqrstuvwxyz0123"));
	CHECK(whole(KIND_RECIPIENT, &r->o) == 0);
	model_install(KIND_RECIPIENT, &r->o, NULL);
	r = (struct recipient *)model_draft(KIND_RECIPIENT, NULL);
	model_text(&r->name, STR("aLICE"));
	model_text(&r->address, STR("abcdefghijklmnopqrstuvwxyz0123"));
	CHECK(refused(KIND_RECIPIENT, &r->o, "name", true));
}

static void
test_check_whole(void)
{
	const struct agent *a;
	struct check *c;

	model_reset();
	a = add_agent("web1");
	CHECK(refused(KIND_CHECK, check_draft(9, "cpu", "", ""), "agent",
	    false));
	CHECK(refused(KIND_CHECK, check_draft(0, "cpu", "", ""), "agent",
	    false));
	CHECK(refused(KIND_CHECK, check_draft(1, "process", "", ""),
	    "process_name", false));
	CHECK(refused(KIND_CHECK, check_draft(1, "process",
	    "{\"process_name\":7}", ""), "process_name", false));
	CHECK(refused(KIND_CHECK, check_draft(1, "cpu", "{\"x\":7}", ""),
	    "params", false));
	c = (struct check *)check_draft(a->o.id, "process",
	    "{\"min\":1,\"process_name\":\"a/b\"}", "");
	CHECK(whole(KIND_CHECK, &c->o) == 0 &&
	    strcmp(c->name, "process a:b") == 0 &&
	    strcmp(c->params, "{\"process_name\":\"a/b\"}") == 0);
	c->hits = 3;
	c->of = 3;
	CHECK(whole(KIND_CHECK, &c->o) == 0 && c->hits == 3 && c->of == 3);
	c->of = 2;
	CHECK(refused(KIND_CHECK, &c->o, "hits", false));
}

/* What is accepted is judged whole: a process check's own demand has its
 * place beside as many bounds as are taken. */
static void
test_process_bounds(void)
{
	static const char *const crit[] = { "", "above 5", "above 5\nbelow 2",
	    "above 5\nbelow 2\na above 1",
	    "above 5\nbelow 2\na above 1\nb above 1" };
	static const char *const params[] = {
	    "{\"process_name\":\"x\"}",
	    "{\"process_name\":\"x\",\"max\":9}" };
	struct alert_result dead = { .at_ms = 1, .given = STATUS_NONE,
	    .has_value = true, .value = 0 };
	unsigned i, p;

	model_reset();
	add_agent("web1");
	for (i = 0; i < 2 * COUNT(crit); i++) {
		struct alert_rule r;
		struct check *c;

		p = i / COUNT(crit);
		c = (struct check *)check_draft(1, "process", params[p], "");
		model_text(&c->crit, str_of(crit[i % COUNT(crit)]));
		if (whole(KIND_CHECK, &c->o) == 0) {
			model_text(&c->crit, str_of(crit[i % COUNT(crit)]));
			model_rule(c, &r);
			/* of the bounds only its own is sure to hold */
			CHECK_ROW(i, r.crit.n == i % COUNT(crit) + 1 + p);
			CHECK_ROW(i, alert_judge(&r, &dead, NULL) ==
			    STATUS_CRITICAL);
		} else {
			CHECK_ROW(i, i % COUNT(crit) + 1 + p >
			    ALERT_BOUNDS_MAX);
			CHECK_ROW(i, field != NULL &&
			    strcmp(field, "crit") == 0);
		}
		model_drop(KIND_CHECK, &c->o);
	}
}

/* Recipients, and what is wrong with them. */
static const struct {
	enum channel_of channel;
	const char *address, *secret;
	const char *field;	/* NULL: it is fine */
} to[] = {
	{ TO_PUSHOVER, "abcdefghijklmnopqrstuvwxyz0123", "", NULL },
	{ TO_PUSHOVER, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123", "", NULL },
	{ TO_PUSHOVER, "abcdefghijklmnopqrstuvwxyz012", "", "address" },
	{ TO_PUSHOVER, "abcdefghijklmnopqrstuvwxyz01234", "",
	    "address" },
	{ TO_PUSHOVER, "abcdefghijklmnopqrstuvwxyz012-", "",
	    "address" },
	{ TO_PUSHOVER, "", "", "address" },
	{ TO_EMAIL, "noc@example.org", "", NULL },
	{ TO_EMAIL, "a+b@[127.0.0.1]", "", "address" },
	{ TO_EMAIL, "a+b@example.org", "", NULL },
	{ TO_EMAIL, "noc", "", "address" },
	{ TO_EMAIL, "@example.org", "", "address" },
	{ TO_EMAIL, "noc@", "", "address" },
	{ TO_EMAIL, "a@b@c", "", "address" },
	{ TO_EMAIL, "a b@c", "", "address" },
	{ TO_EMAIL, "a@b,c", "", "address" },
	{ TO_EMAIL, "N <a@b>", "", "address" },
	{ TO_WEBHOOK, "https://example.org/x?y", "s", NULL },
	{ TO_WEBHOOK, "http://10.0.0.1", "", NULL },
	{ TO_WEBHOOK, "https://", "", "address" },
	{ TO_WEBHOOK, "http://", "", "address" },
	{ TO_WEBHOOK, "HTTPS://x/", "", "address" },
	{ TO_WEBHOOK, "ftp://x/", "", "address" },
	{ TO_WEBHOOK, "https://x/ y", "", "address" },
	{ TO_WEBHOOK, "https://x/\xc3\xa4", "", "address" },
	{ TO_NTFY, "https://ntfy.sh/t", "", NULL },
	{ TO_NTFY, "t", "", "address" },
	{ TO_GOTIFY, "https://g/", "t", NULL },
	{ TO_GOTIFY, "https://g/", "", "secret" },
	{ TO_SLACK, "x", "", "address" },
	{ TO_DISCORD, "x", "", "address" },
	{ TO_TELEGRAM, "-1", "t", NULL },
	{ TO_TELEGRAM, "-1 https://t/", "t", NULL },
	{ TO_TELEGRAM, "-1", "", "secret" },
	{ TO_TELEGRAM, "-1 t", "t", "address" },
	{ TO_TELEGRAM, "-1 ", "t", "address" },
	{ TO_TELEGRAM, " https://t/", "t", "address" },
	{ TO_TELEGRAM, "https://t/", "t", "address" },
	{ TO_PAGERDUTY, "KEY", "", NULL },
	{ TO_PAGERDUTY, "KEY https://p/e", "", NULL },
	{ TO_PAGERDUTY, "", "", "address" },
	{ TO_ALERTMANAGER, "http://a:9093", "", NULL },
	{ TO_ALERTMANAGER, "a:9093", "", "address" },
	{ TO_EXEC, "ring", "", NULL },
	{ TO_EXEC, "ring.sh", "", NULL },
	{ TO_EXEC, "", "", "address" },
	{ TO_EXEC, "a/b", "", "address" },
	{ TO_EXEC, "/bin/sh", "", "address" },
	{ TO_EXEC, "..", "", "address" },
	{ TO_EXEC, ".a", "", "address" },
};

static void
test_recipient_and_key(void)
{
	static const struct {
		enum role role;
		uint64_t agent;
		const char *field;	/* NULL: it is fine */
	} keys[] = {
		{ ROLE_ADMIN, 0, NULL },
		{ ROLE_ADMIN, 1, "agent" },
		{ ROLE_AGENT, 1, NULL },
		{ ROLE_AGENT, 0, "agent" },
		{ ROLE_AGENT, 2, "agent" },
	};
	size_t i;

	model_reset();
	add_agent("web1");
	for (i = 0; i < COUNT(to); i++) {
		struct recipient *r = (struct recipient *)
		    model_draft(KIND_RECIPIENT, NULL);

		model_text(&r->name, STR("alice"));
		r->channel = (uint8_t)to[i].channel;
		model_text(&r->address, str_of(to[i].address));
		model_text(&r->secret, str_of(to[i].secret));
		if (to[i].field != NULL) {
			CHECK_ROW(i, refused(KIND_RECIPIENT, &r->o,
			    to[i].field, false));
			continue;
		}
		CHECK_ROW(i, whole(KIND_RECIPIENT, &r->o) == 0);
		model_drop(KIND_RECIPIENT, &r->o);
	}
	for (i = 0; i < COUNT(keys); i++) {
		struct key *k = (struct key *)model_draft(KIND_KEY, NULL);

		k->role = (uint8_t)keys[i].role;
		k->agent = keys[i].agent;
		if (keys[i].field != NULL) {
			CHECK_ROW(i, refused(KIND_KEY, &k->o, keys[i].field,
			    false));
			continue;
		}
		CHECK_ROW(i, whole(KIND_KEY, &k->o) == 0);
		model_drop(KIND_KEY, &k->o);
	}
}

static void
test_maxima(void)
{
	struct agent *a;
	struct object *d;
	char name[32];
	int i;

	model_reset();
	a = add_agent("web1");
	for (i = 0; i < MODEL_CHECKS_MAX; i++) {
		snprintf(name, sizeof name, "check %d", i);
		d = check_draft(a->o.id, "cpu", "", name);
		CHECK_ROW(i, whole(KIND_CHECK, d) == 0);
		model_install(KIND_CHECK, d, NULL);
	}
	CHECK(refused(KIND_CHECK, check_draft(a->o.id, "cpu", "", "more"),
	    "agent", false));
	d = model_draft(KIND_CHECK, model_at(KIND_CHECK, 0));
	CHECK(whole(KIND_CHECK, d) == 0);	/* one that is there may */
	model_drop(KIND_CHECK, d);
	model_drop(KIND_CHECK, model_remove(KIND_CHECK, 7));
	d = check_draft(a->o.id, "cpu", "", "more");
	CHECK(whole(KIND_CHECK, d) == 0);
	model_drop(KIND_CHECK, d);

	while (model_count(KIND_AGENT) < MODEL_AGENTS_MAX)
		model_install(KIND_AGENT, model_draft(KIND_AGENT, NULL),
		    NULL);
	d = model_draft(KIND_AGENT, NULL);
	model_text(&((struct agent *)d)->hostname, STR("more"));
	CHECK(refused(KIND_AGENT, d, "hostname", false));
	model_drop(KIND_AGENT, model_remove(KIND_AGENT, 5));
	d = model_draft(KIND_AGENT, NULL);
	model_text(&((struct agent *)d)->hostname, STR("more"));
	CHECK(whole(KIND_AGENT, d) == 0);
	model_drop(KIND_AGENT, d);
	model_reset();
}

/* A heartbeat's path is made with it, stays, and is a secret. */
static void
test_beat(void)
{
	static const struct model_view told = { .secrets = true }, not = {
	    .secrets = false };
	static char room[MODEL_OBJECT_TEXT];
	struct object *d;
	struct check *c;
	char path[64];
	struct buf b;

	model_reset();
	d = check_draft(add_agent("a")->o.id, "heartbeat",
	    "{\"period_s\":60}", "");
	CHECK(whole(KIND_CHECK, d) == 0);
	c = (struct check *)d;
	CHECK(strlen(c->beat) == sizeof MODEL_BEAT - 1 + KEY_TEXT - 1 &&
	    str_starts(str_of(c->beat), STR(MODEL_BEAT "vb_")) &&
	    strcmp(c->name, "heartbeat") == 0 && model_beats() == NULL);
	str_copy(path, sizeof path, str_of(c->beat));
	CHECK(whole(KIND_CHECK, d) == 0 && strcmp(c->beat, path) == 0);
	c = model_install(KIND_CHECK, d, NULL);
	CHECK(model_beats() == c && model_beat(str_of(path)) == c);
	buf_init(&b, room, sizeof room);
	model_show(&b, KIND_CHECK, &c->o, &not);
	buf_addc(&b, '\0');
	CHECK(strstr(room, MODEL_BEAT) == NULL &&
	    strstr(room, "\"beat\"") == NULL);
	buf_init(&b, room, sizeof room);
	model_show(&b, KIND_CHECK, &c->o, &told);
	buf_addc(&b, '\0');
	CHECK(strstr(room, path) != NULL);
	CHECK(strstr(kept(KIND_CHECK, &c->o), path) != NULL);
	model_drop(KIND_CHECK, model_remove(KIND_CHECK, c->o.id));
	CHECK(model_beats() == NULL && model_beat(str_of(path)) == NULL);
}

/* ---- what hangs together ---- */

static struct incident *
add_incident(uint64_t agent, uint64_t check)
{
	struct incident *in = (struct incident *)
	    model_draft(KIND_INCIDENT, NULL);

	in->agent = agent;
	in->check = check;
	in->opened = 5;
	return (struct incident *)model_install(KIND_INCIDENT, &in->o, NULL);
}

static void
test_links(void)
{
	struct agent *a, *b;
	struct check *c1, *c2, *c3;
	struct incident *in;

	model_reset();
	a = add_agent("a");
	b = add_agent("b");
	c1 = add_check(a, "one");
	c2 = add_check(b, "two");
	c3 = add_check(a, "three");
	CHECK(a->checks == c1 && c1->next == c3 && c3->next == NULL &&
	    b->checks == c2 && c2->agent == b);
	CHECK(model_remove(KIND_CHECK, c1->o.id) == &c1->o);
	CHECK(a->checks == c3);
	model_install(KIND_CHECK, &c1->o, NULL);	/* back in its place */
	CHECK(a->checks == c1 && c1->next == c3 && c1->agent == a);
	in = add_incident(a->o.id, c3->o.id);
	CHECK(c3->incident == in->o.id && a->incident == 0);
	in = (struct incident *)model_draft(KIND_INCIDENT, &in->o);
	in->closed = 6;
	model_install(KIND_INCIDENT, &in->o, NULL);
	CHECK(c3->incident == 0);
	in = add_incident(b->o.id, 0);
	CHECK(b->incident == in->o.id && c2->incident == 0);

	CHECK(model_interval(c2) == 10000);
	c2->interval_ms = 1500;
	CHECK(model_interval(c2) == 1500);
	CHECK(model_late_after_ms(a) == 30000);
	a->check_interval_ms = 10001;
	CHECK(model_late_after_ms(a) == 30003);
	a->late_after_s = 7;
	CHECK(model_late_after_ms(a) == 7000);
	CHECK(model_agent_status(a) == STATUS_NONE);
	a->state = AGENT_UP;
	CHECK(model_agent_status(a) == STATUS_OK);
	c3->alert.held = STATUS_WARNING;
	CHECK(model_agent_status(a) == STATUS_WARNING);
	c3->enabled = false;
	CHECK(model_agent_status(a) == STATUS_OK);
	a->state = AGENT_SILENT;
	CHECK(model_agent_status(a) == STATUS_CRITICAL);
}

static void
test_keys(void)
{
	unsigned char hash[KEY_HASH];
	char hex[2 * KEY_HASH + 1], secret[32];
	struct key *k;
	int i;

	model_reset();
	CHECK(model_key(STR("")) == NULL && model_key(STR("x")) == NULL);
	for (i = 0; i < 300; i++) {
		snprintf(secret, sizeof secret, "secret %d", i);
		key_hash(str_of(secret), hash);
		str_hex(hex, hash, sizeof hash);
		k = (struct key *)model_draft(KIND_KEY, NULL);
		model_text(&k->hash, str_of(hex));
		k->role = ROLE_ADMIN;
		model_install(KIND_KEY, &k->o, NULL);
	}
	for (i = 0; i < 300; i += 7)
		model_drop(KIND_KEY, model_remove(KIND_KEY,
		    (uint64_t)i + 1));
	for (i = 0; i < 301; i++) {
		snprintf(secret, sizeof secret, "secret %d", i);
		k = model_key(str_of(secret));
		CHECK_ROW(i, i % 7 == 0 || i == 300 ? k == NULL :
		    k != NULL && k->o.id == (uint64_t)i + 1);
	}
	model_reset();
	CHECK(model_key(STR("secret 1")) == NULL);
}

static void
test_delivery_has(void)
{
	static const struct {
		const char *items;
		uint64_t id;
		bool has;
		enum status told;
	} has[] = {
		{ "[]", 1, false, STATUS_OK },
		{ "", 1, false, STATUS_OK },
		{ "[[1,\"critical\"]]", 1, true, STATUS_CRITICAL },
		{ "[[1,\"critical\"]]", 2, false, STATUS_OK },
		{ "[[1,\"warning\"],[2,\"critical\"],[1,\"ok\"]]", 1, true,
		    STATUS_OK },
		{ "[[12,\"warning\"]]", 1, false, STATUS_OK },
		{ "[[1,\"warning\"],[1,7]]", 1, true, STATUS_WARNING },
		{ "{\"1\":\"warning\"}", 1, false, STATUS_OK },
		{ "[[1,\"fine\"]]", 1, false, STATUS_OK },
	};
	struct delivery *d = (struct delivery *)
	    model_draft(KIND_DELIVERY, NULL);
	size_t i;

	for (i = 0; i < COUNT(has); i++) {
		enum status says;

		model_text(&d->items, str_of(has[i].items));
		says = model_delivery_says(d, has[i].id);
		CHECK_ROW(i, (says != STATUS_NONE) == has[i].has);
		if (has[i].has)
			CHECK_ROW(i, says == has[i].told);
	}
	model_drop(KIND_DELIVERY, &d->o);
}

/* Everything that is shown is JSON, and no secret is. */
static void
test_show(void)
{
	static char room[MODEL_OBJECT_TEXT];
	struct model_view views[] = {
	    { .bare = false }, { .bare = true },
	    { .flat = true, .resource = "process_check" } };
	struct buf b;
	unsigned k, i;

	for (k = 0; k < KINDS; k++) {
		struct object *d = model_draft((enum kind)k, NULL);

		if (k == KIND_CHECK) {
			((struct check *)d)->type = check_type(STR("process"));
			set(KIND_CHECK, d, "params",
			    "{\"process_name\":\"\\u202e\\\"\"}");
			set(KIND_CHECK, d, "message", "\"\\u001b[2J<b>\"");
		}
		if (k == KIND_KEY)
			set(KIND_KEY, d, "hash", quoted(64));
		for (i = 0; i < COUNT(views); i++) {
			buf_init(&b, room, sizeof room);
			model_show(&b, (enum kind)k, d, &views[i]);
			CHECK_ROW(k, json_valid(str_from(&b), &why) == 0);
			room[b.n] = '\0';
			CHECK_ROW(k, strstr(room, "xxxx") == NULL &&
			    strchr(room, '<') == NULL);
		}
		CHECK_ROW(k, json_valid(str_of(kept((enum kind)k, d)), &why)
		    == 0);
		buf_init(&b, room, sizeof room);
		model_schema(&b, (enum kind)k, NULL);
		CHECK_ROW(k, json_valid(str_from(&b), &why) == 0);
		model_drop((enum kind)k, d);
	}
}

int
main(void)
{
	test_fields();
	test_rows();
	test_drafts();
	test_names();
	test_check_whole();
	test_process_bounds();
	test_recipient_and_key();
	test_maxima();
	test_beat();
	test_links();
	test_keys();
	test_delivery_has();
	test_show();
	model_reset();
	return test_end();
}
