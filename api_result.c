/* api_result.c: results in, history and the journal out.  See api.h. */
#include <stdio.h>
#include <string.h>

#include "api_impl.h"

#define AHEAD_MS	60000	/* a result may be this far ahead */

/* One result of a body, and what is wrong with it. */
struct entry {
	struct store_result r;
	struct check *check;		/* NULL: gone */
	char check_text[128], text[STORE_TEXT_MAX + 1];
	char names[STORE_METRICS_MAX][STORE_NAME_MAX + 1];
	const char *field, *error;	/* it cannot be taken; or NULL */
};

int
api_check_ref(struct str s, uint64_t *id)
{
	struct str rest = s, api = STR(MODEL_API), res;

	if (model_ref(s, KIND_CHECK, id) == 0)
		return 0;
	if (!str_starts(s, api))
		return -1;
	rest.p += api.n;
	rest.n -= api.n;
	if (str_cut(&rest, '/', &res) == -1 || res.n <= 6 ||
	    memcmp(res.p + res.n - 6, "_check", 6) != 0 ||
	    check_type((struct str){ res.p, res.n - 6 }) == NULL)
		return -1;
	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	return str_u64(rest, 1, INT64_MAX, id);
}

/* ---- one result ---- */

static int
set_check(struct call *k, struct entry *e, enum json_tok tok, struct str raw)
{
	if ((tok != JSON_STR && tok != JSON_NUM) || json_unescape(raw,
	    e->check_text, sizeof e->check_text) == -1 ||
	    api_check_ref(str_of(e->check_text), &e->r.check) == -1)
		return api_wrong(k, "check", "a resource URI like " MODEL_API
		    "check/1/");
	return 0;
}

static int
set_timestamp(struct call *k, struct entry *e, enum json_tok tok,
    struct str raw)
{
	char text[64];

	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1 ||
	    str_time(str_of(text), &e->r.at_ms) == -1 || e->r.at_ms == 0)
		return api_wrong(k, "timestamp", "a time as "
		    "2026-11-22T06:53:11.123Z");
	return 0;
}

static int
set_value(struct call *k, struct entry *e, enum json_tok tok, struct str raw)
{
	if (tok == JSON_NULL)
		return 0;
	if (tok != JSON_NUM || str_milli(raw, &e->r.value) == -1)
		return api_wrong(k, "value", "a number within +-9e15, or null");
	e->r.has_value = true;
	return 0;
}

static int
set_status(struct call *k, struct entry *e, enum json_tok tok, struct str raw)
{
	char text[16];
	enum status s;

	if (tok == JSON_NULL)
		return 0;
	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1 ||
	    status_parse(str_of(text), &s) == -1)
		return api_wrong(k, "status", "one of ok, warning, unknown, "
		    "critical");
	e->r.given = (uint8_t)s;
	return 0;
}

static int
set_message(struct call *k, struct entry *e, enum json_tok tok,
    struct str raw)
{
	if (tok == JSON_NULL)
		return 0;
	if (tok != JSON_STR || json_unescape(raw, e->text, sizeof e->text) ==
	    -1)
		return api_wrong(k, "message", "a string of at most 256 bytes");
	e->r.text = str_of(e->text);
	return 0;
}

static bool
name_ok(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		    (*s >= '0' && *s <= '9') || *s == '_' || *s == '.' ||
		    *s == '-'))
			return false;
	return true;
}

static int
set_metrics(struct call *k, struct entry *e, enum json_tok tok,
    struct str raw)
{
	struct json j;
	struct str key, v;

	if (tok == JSON_NULL)
		return 0;
	if (tok != JSON_OBJ)
		return api_wrong(k, "metrics", "an object of numbers");
	json_open(&j, raw);
	json_next(&j, &v);
	while (json_next(&j, &key) == JSON_KEY) {
		struct store_metric *m = &e->r.metric[e->r.metrics];
		char *name = e->names[e->r.metrics];

		if (e->r.metrics == STORE_METRICS_MAX)
			return api_wrong(k, "metrics", "at most 32");
		if (json_unescape(key, name, STORE_NAME_MAX + 1) == -1 ||
		    !name_ok(name))
			return api_wrong(k, "metrics", "a name is 1 to 32 of "
			    "A-Z a-z 0-9 _ . -");
		if (json_next(&j, &v) != JSON_NUM ||
		    str_milli(v, &m->value) == -1)
			return api_wrong(k, "metrics", "a number within "
			    "+-9e15");
		m->name = str_of(name);
		e->r.metrics++;
	}
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct call *k, struct entry *e, enum json_tok tok,
	    struct str raw);
} fields[] = {
	{ "check",	set_check },
	{ "timestamp",	set_timestamp },
	{ "value",	set_value },
	{ "status",	set_status },
	{ "message",	set_message },
	{ "metrics",	set_metrics },
};

static int
set_field(struct call *k, struct entry *e, struct str key, enum json_tok tok,
    struct str raw)
{
	char name[64];
	size_t i;

	if (json_unescape(key, name, sizeof name) == -1)
		return api_wrong(k, "objects", "a field's name is too long");
	for (i = 0; i < COUNT(fields); i++)
		if (strcmp(name, fields[i].name) == 0)
			return fields[i].set(k, e, tok, raw);
	return api_wrong(k, name, "no such field");
}

/* What a well-formed result is refused for by itself. */
static void
judge(struct call *k, struct entry *e)
{
	if (e->check == NULL) {
		e->field = "check";
		e->error = "check: there is no such check";
	} else if (e->r.at_ms > k->c->now_ms + AHEAD_MS) {
		e->field = "timestamp";
		e->error = "timestamp: more than 60 s ahead";
	}
}

/* Read one result, an object.  0, or -1 answered: malformed, or of another
 * agent's check. */
static int
read_entry(struct call *k, struct str obj, struct entry *e)
{
	struct json j;
	struct str key, raw;

	e->r = (struct store_result){ .given = STORE_NO_CODE };
	e->field = e->error = NULL;
	e->text[0] = '\0';
	json_open(&j, obj);
	if (json_next(&j, &raw) != JSON_OBJ)
		return api_wrong(k, "objects", "each is an object");
	while (json_next(&j, &key) == JSON_KEY) {
		enum json_tok tok = json_value(&j, &raw);

		if (set_field(k, e, key, tok, raw) == -1)
			return -1;
	}
	if (e->r.check == 0)
		return api_wrong(k, "check", "is needed");
	if (e->r.at_ms == 0)
		e->r.at_ms = k->c->now_ms;
	e->check = model_check_by_id(e->r.check);
	if (e->check != NULL && !api_sees(k, KIND_CHECK, &e->check->o)) {
		api_error(k->c, 403, "check", "check: %s is not this "
		    "agent's", e->check_text);
		return -1;
	}
	judge(k, e);
	return 0;
}

/* Store one that can be taken, and step it.  A second one with the same
 * time counts as stored. */
static void
take(struct call *k, struct entry *e, uint64_t seq)
{
	struct watch_now now = api_now(k);

	if (e->r.at_ms <= e->check->last_result &&
	    store_has(api_the_store, e->r.check, e->r.at_ms))
		return;
	e->r.late = alert_late(e->r.at_ms, k->c->now_ms,
	    model_interval(e->check));
	e->r.code = (uint8_t)watch_judge(e->check, &e->r);
	store_report_add(api_the_store, &e->r);
	watch_result(e->check, &e->r, seq, &now);
}

/* ---- a report ---- */

static struct agent *
reporter(const struct call *k)
{
	return k->role == ROLE_AGENT ? model_agent(k->key->agent) : NULL;
}

/* Begin the report of this call.  0, or -1 answered 503. */
static int
begin(struct call *k, uint64_t dropped, unsigned most, uint64_t *seq)
{
	const struct agent *a = reporter(k);
	struct store_report rep = { .source = a == NULL ? 0 : a->o.id,
	    .received_ms = k->c->now_ms, .dropped = dropped };
	struct fail why;

	if (store_report_begin(api_the_store, &rep, most, seq, &why) == 0)
		return 0;
	api_no_room(k, &why);
	return -1;
}

/* That it spoke, and from where: not for the journal, which a host with two
 * addresses would fill. */
static void
heard(struct call *k, struct agent *a)
{
	struct watch_now now = api_now(k);

	if (strcmp(a->address, k->c->peer) != 0)
		model_text(&a->address, str_of(k->c->peer));
	watch_heard(a, &now);
}

int
api_heard(struct call *k, struct agent *a)
{
	uint64_t seq;

	if (begin(k, 0, 0, &seq) == -1)
		return -1;
	store_report_end(api_the_store);
	heard(k, a);
	return 0;
}

static void
show_result(struct buf *b, const struct store_result *r)
{
	char id[64];
	unsigned i;

	snprintf(id, sizeof id, "%llu-%lld", (unsigned long long)r->check,
	    (long long)r->at_ms);
	json_obj(b);
	json_add(b, "id", str_of(id));
	json_key(b, "resource_uri");
	buf_addf(b, "\"" MODEL_API "check_history/%s/\"", id);
	json_key(b, "check");
	model_put_uri(b, KIND_CHECK, r->check);
	json_key(b, "timestamp");
	json_put_time(b, r->at_ms);
	json_add(b, "status", str_of(status_name((enum status)r->code)));
	json_key(b, "value");
	if (r->has_value)
		json_put_milli(b, r->value);
	else
		json_put_null(b);
	json_add(b, "message", r->text);
	json_key(b, "metrics");
	json_obj(b);
	for (i = 0; i < r->metrics; i++) {
		char name[STORE_NAME_MAX + 1];

		str_copy(name, sizeof name, r->metric[i].name);
		json_key(b, name);
		json_put_milli(b, r->metric[i].value);
	}
	json_obj_end(b);
	json_obj_end(b);
}

void
api_history_post(struct call *k)
{
	static struct entry e;
	struct agent *a = reporter(k);
	uint64_t seq;

	if (api_body(k) == -1 || read_entry(k, k->c->body, &e) == -1)
		return;
	if (e.error != NULL) {
		api_error(k->c, e.check == NULL ? 404 : 400, e.field, "%s",
		    e.error);
		return;
	}
	if (begin(k, 0, 1, &seq) == -1)
		return;
	if (a != NULL)
		heard(k, a);
	take(k, &e, seq);
	store_report_end(api_the_store);
	k->c->wrote = true;
	show_result(k->c->out, &e.r);
	buf_addf(&k->c->extra, "Location: " MODEL_API
	    "check_history/%llu-%lld/\r\n", (unsigned long long)e.r.check,
	    (long long)e.r.at_ms);
	api_json(k, 201);
}

/* What a bulk request holds beside its results. */
struct bulk {
	struct str objects;		/* the array, raw */
	int64_t dropped, clock_ms;	/* clock 0: not said */
	unsigned n;
};

static int
read_bulk(struct call *k, struct bulk *b)
{
	struct json j;
	struct str key, raw;
	char name[64];

	*b = (struct bulk){ .n = 0 };
	json_open(&j, k->c->body);
	json_next(&j, &raw);
	while (json_next(&j, &key) == JSON_KEY) {
		enum json_tok tok = json_value(&j, &raw);

		if (json_unescape(key, name, sizeof name) == -1)
			return api_wrong(k, "objects", "is needed");
		if (strcmp(name, "objects") == 0 && tok == JSON_ARR)
			b->objects = raw;
		else if (strcmp(name, "objects") == 0)
			return api_wrong(k, name, "a list of results");
		else if (strcmp(name, "dropped") == 0) {
			if (tok != JSON_NUM || json_int(raw, 0, INT32_MAX,
			    &b->dropped) == -1)
				return api_wrong(k, name, "a number from 0");
		} else if (strcmp(name, "now_ms") == 0) {
			if (tok != JSON_NUM || json_int(raw, 0, TIME_MAX,
			    &b->clock_ms) == -1)
				return api_wrong(k, name, "a time in ms");
		} else
			return api_wrong(k, name, "no such field");
	}
	return b->objects.p == NULL ? api_wrong(k, "objects", "is needed") : 0;
}

/* Every result of a bulk, first only read (seq 0), then taken. */
static int
walk(struct call *k, struct bulk *b, uint64_t seq, unsigned *stored)
{
	static struct entry e;
	struct json j;
	struct str raw;
	unsigned i = 0;

	json_open(&j, b->objects);
	json_next(&j, &raw);
	for (;;) {
		enum json_tok tok = json_value(&j, &raw);

		if (tok == JSON_ARR_END)
			break;
		if (read_entry(k, raw, &e) == -1)
			return -1;
		if (seq != 0 && e.error == NULL) {
			take(k, &e, seq);
			++*stored;
		} else if (seq != 0) {
			json_obj(k->c->out);
			json_add_int(k->c->out, "index", i);
			json_add(k->c->out, "error", str_of(e.error));
			json_add(k->c->out, "field", str_of(e.field));
			json_obj_end(k->c->out);
		}
		i++;
	}
	b->n = i;
	return 0;
}

static void
answer_bulk(struct call *k, unsigned stored, const struct agent *a)
{
	struct buf *b = k->c->out;

	json_arr_end(b);
	json_add_int(b, "stored", stored);
	if (a != NULL) {
		json_add_int(b, "revision", a->revision);
	}
	json_add_int(b, "now_ms", k->c->now_ms);
	json_obj_end(b);
	k->c->wrote = true;
	api_json(k, 202);
}

void
api_history_patch(struct call *k)
{
	struct agent *a = reporter(k);
	unsigned stored = 0;
	struct bulk b;
	uint64_t seq;

	if (api_body(k) == -1 || read_bulk(k, &b) == -1 ||
	    walk(k, &b, 0, &stored) == -1)
		return;
	if (b.n > STORE_RESULTS_MAX) {
		api_error(k->c, 413, "objects", "objects: at most %d results "
		    "at once", STORE_RESULTS_MAX);
		return;
	}
	if (begin(k, (uint64_t)b.dropped, b.n, &seq) == -1)
		return;
	if (a != NULL) {
		heard(k, a);
		a->dropped += b.dropped;
		if (a->dropped > MODEL_DROPPED_MAX)
			a->dropped = MODEL_DROPPED_MAX;
		if (b.clock_ms != 0)
			a->clock_skew_ms = b.clock_ms - k->c->now_ms;
	}
	json_obj(k->c->out);
	json_key(k->c->out, "refused");
	json_arr(k->c->out);
	walk(k, &b, seq, &stored);
	store_report_end(api_the_store);
	answer_bulk(k, stored, a);
}

/* ---- history ---- */

static struct check *
history_check(struct call *k, uint64_t id)
{
	struct check *c = model_check_by_id(id);

	if (c == NULL) {
		api_error(k->c, 404, "check", "check: there is no such "
		    "check");
		return NULL;
	}
	if (api_sees(k, KIND_CHECK, &c->o))
		return c;
	api_error(k->c, 403, "check", "check: it is not this agent's");
	return NULL;
}

struct history {
	struct api_query q;
	uint64_t check;
	int64_t before;
};

static int
take_history(struct call *k, struct history *h)
{
	int rc;

	h->check = 0;
	h->before = INT64_MAX;
	api_query(k, &h->q);
	while ((rc = api_param(k, &h->q)) == 1) {
		struct str v = str_of(h->q.value);

		if (strcmp(h->q.name, "check") == 0 ||
		    strcmp(h->q.name, "check__id") == 0)
			rc = api_check_ref(v, &h->check);
		else if (strcmp(h->q.name, "before") == 0)
			rc = str_time(v, &h->before);
		else
			return api_wrong(k, h->q.name, "cannot be filtered "
			    "by");
		if (rc == -1)
			return api_wrong(k, h->q.name, "cannot be read");
	}
	if (rc == 0 && h->q.offset != 0)
		return api_wrong(k, "offset", "history goes on by "
		    "before=TIME");
	if (rc == 0 && h->check == 0)
		return api_wrong(k, "check", "is needed: ?check=1");
	return rc;
}

/* Pages go on by time, for results come in while one reads. */
static void
history_meta(struct call *k, const struct history *h, int64_t last)
{
	char uri[256];
	struct buf u;

	buf_init(&u, uri, sizeof uri);
	buf_addf(&u, MODEL_API "check_history/?check=%llu&limit=%lld&before=",
	    (unsigned long long)h->check, (long long)h->q.limit);
	buf_time(&u, last);
	buf_addc(&u, '\0');
	api_meta(k, &h->q, -1, last == 0 ? NULL : uri);
}

void
api_history(struct call *k)
{
	static struct store_pos pos[STORE_FIND_MAX];
	static struct store_result r;
	struct store_report rep;
	static struct history h;
	unsigned n, i;

	if (take_history(k, &h) == -1 || history_check(k, h.check) == NULL)
		return;
	n = store_find(api_the_store, h.check, h.before,
	    (unsigned)h.q.limit, pos);
	json_obj(k->c->out);
	history_meta(k, &h, n < h.q.limit ? 0 : pos[n - 1].at_ms);
	json_key(k->c->out, "objects");
	json_arr(k->c->out);
	for (i = 0; i < n; i++)
		if (store_load(api_the_store, &pos[i], &rep, &r) == 0)
			show_result(k->c->out, &r);
	json_arr_end(k->c->out);
	json_obj_end(k->c->out);
	api_json(k, 200);
}

void
api_history_one(struct call *k)
{
	struct store_pos pos;
	static struct store_result r;
	struct store_report rep;
	struct str rest = str_of(k->item), id;
	uint64_t check;
	int64_t at;

	if (str_cut(&rest, '-', &id) == -1 || str_u64(id, 1, INT64_MAX,
	    &check) == -1 || str_i64(rest, 1, TIME_MAX, &at) == -1) {
		api_error(k->c, 404, NULL, "an id is CHECK-TIME_MS");
		return;
	}
	if (history_check(k, check) == NULL)
		return;
	if (store_find(api_the_store, check, at + 1, 1, &pos) == 0 ||
	    pos.at_ms != at || store_load(api_the_store, &pos, &rep, &r) ==
	    -1) {
		api_error(k->c, 404, NULL, "no result %s", k->item);
		return;
	}
	show_result(k->c->out, &r);
	api_json(k, 200);
}

/* ---- the journal ---- */

/* Record n, if it is an event.  0 or -1. */
static int
show_event(struct buf *b, uint64_t n)
{
	struct fail why;
	struct str line;

	if (n == 0 || store_journal_read(api_the_store, n, &line, &why) != 1)
		return -1;
	/* The line as it stands, so that the chain can be followed; of keys
	 * it has only the hash. */
	json_obj(b);
	json_add_int(b, "id", (int64_t)n);
	json_key(b, "resource_uri");
	buf_addf(b, "\"" MODEL_API "event/%llu/\",", (unsigned long long)n);
	buf_add(b, (struct str){ line.p + 1, line.n - 1 });
	return 0;
}

void
api_event(struct call *k)
{
	if (show_event(k->c->out, k->id) == -1)
		api_error(k->c, 404, NULL, "no event %s", k->item);
	else
		api_json(k, 200);
}

void
api_events(struct call *k)
{
	uint64_t first = store_journal_first(api_the_store), n;
	uint64_t last = store_journal_n(api_the_store, NULL);
	int64_t total = (int64_t)(last + 1 - first), i;
	static struct api_query q;
	bool down = false;
	int rc;

	api_query(k, &q);
	while ((rc = api_param(k, &q)) == 1) {
		down = q.value[0] == '-';
		if (strcmp(q.name, "order_by") != 0 ||
		    (strcmp(q.value + down, "id") != 0 &&
		    strcmp(q.value + down, "n") != 0))
			rc = api_wrong(k, "query", "only limit, offset and "
			    "order_by=n or -n");
		if (rc == -1)
			return;
	}
	if (rc == -1)
		return;
	json_obj(k->c->out);
	api_meta(k, &q, total, NULL);
	json_key(k->c->out, "objects");
	json_arr(k->c->out);
	for (i = q.offset; i < total && i < q.offset + q.limit; i++) {
		n = down ? last - (uint64_t)i : first + (uint64_t)i;
		show_event(k->c->out, n);
	}
	json_arr_end(k->c->out);
	json_obj_end(k->c->out);
	api_json(k, 200);
}
