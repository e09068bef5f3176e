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
	struct str rest, api = STR(MODEL_API), res;

	if (model_ref(s, KIND_CHECK, id) == 0)
		return 0;
	if (!str_starts(s, api))
		return -1;
	rest = str_after(s, api.n);
	if (str_cut(&rest, '/', &res) == -1 || res.n <= 6 ||
	    !str_is(str_after(res, res.n - 6), "_check") ||
	    check_type((struct str){ res.p, res.n - 6 }) == NULL)
		return -1;
	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	return str_u64(rest, 1, INT64_MAX, id);
}

/* ---- one result ---- */

static int
set_check(struct entry *e, const struct api_member *m)
{
	return (m->tok == JSON_STR || m->tok == JSON_NUM) && json_unescape(
	    m->raw, e->check_text, sizeof e->check_text) == 0 ?
	    api_check_ref(str_of(e->check_text), &e->r.check) : -1;
}

/* A string.  0 or -1. */
static int
string(const struct api_member *m, char *dst, size_t cap)
{
	return m->tok == JSON_STR ? json_unescape(m->raw, dst, cap) : -1;
}

static int
set_timestamp(struct entry *e, const struct api_member *m)
{
	char t[64];

	return string(m, t, sizeof t) == -1 || str_time(str_of(t),
	    &e->r.at_ms) == -1 || e->r.at_ms == 0 ? -1 : 0;
}

static int
set_value(struct entry *e, const struct api_member *m)
{
	e->r.has_value = true;
	return m->tok != JSON_NUM ? -1 : str_milli(m->raw, &e->r.value);
}

static int
set_status(struct entry *e, const struct api_member *m)
{
	enum status st;
	char t[16];

	if (string(m, t, sizeof t) == -1 || status_parse(str_of(t), &st) == -1)
		return -1;
	e->r.given = (uint8_t)st;
	return 0;
}

static int
set_message(struct entry *e, const struct api_member *m)
{
	if (string(m, e->text, sizeof e->text) == -1)
		return -1;
	e->r.text = str_of(e->text);
	return 0;
}

static int
set_metrics(struct entry *e, const struct api_member *m)
{
	static const char of[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	struct str key, v;
	struct json j;

	if (m->tok != JSON_OBJ)
		return -1;
	json_open(&j, m->raw);
	json_next(&j, &v);
	while (json_next(&j, &key) == JSON_KEY) {
		struct store_metric *to = &e->r.metric[e->r.metrics];
		char *name = e->names[e->r.metrics];

		if (e->r.metrics++ == STORE_METRICS_MAX ||
		    json_unescape(key, name, sizeof e->names[0]) == -1 ||
		    name[0] == '\0' || name[strspn(name, of)] != '\0' ||
		    json_next(&j, &v) != JSON_NUM ||
		    str_milli(v, &to->value) == -1)
			return -1;
		to->name = str_of(name);
	}
	return 0;
}

static const struct {
	const char *name;
	bool null;			/* is as good as not given */
	int (*set)(struct entry *e, const struct api_member *m);
	const char *what;
} fields[] = {
	{ "check", false, set_check, "a resource URI like " MODEL_API
	    "check/1/" },
	{ "timestamp", false, set_timestamp, "a time as "
	    "2026-11-22T06:53:11.123Z" },
	{ "value", true, set_value, "a number within +-9e15, or null" },
	{ "status", true, set_status, "one of ok, warning, unknown, "
	    "critical" },
	{ "message", true, set_message, "a string of at most 256 bytes" },
	{ "metrics", true, set_metrics, "an object of at most 32 numbers "
	    "within +-9e15; a name is 1 to 32 of A-Z a-z 0-9 _ . -" },
};

static int
set_field(struct call *k, struct entry *e, const struct api_member *m)
{
	size_t i = 0;

	while (i < COUNT(fields) && strcmp(m->name, fields[i].name) != 0)
		i++;
	if (i == COUNT(fields))
		return api_wrong(k, m->name, "no such field");
	return (fields[i].null && m->tok == JSON_NULL) ||
	    fields[i].set(e, m) == 0 ? 0 :
	    api_wrong(k, m->name, fields[i].what);
}

/* Read one result, an object.  0, or -1 answered: malformed, or of another
 * agent's check.  A well-formed one may have an error of its own. */
static int
read_entry(struct call *k, struct str obj, struct entry *e)
{
	struct api_member m;
	int rc;

	e->r = (struct store_result){ .given = STORE_NO_CODE,
	    .at_ms = k->c->now_ms };
	e->field = e->error = NULL;
	api_members(&m, obj);
	while ((rc = api_member(k, &m)) == 1)
		if (set_field(k, e, &m) == -1)
			return -1;
	if (rc == -1)
		return -1;
	if (e->r.check == 0)
		return api_wrong(k, "check", "is needed");
	e->check = model_check_by_id(e->r.check);
	if (e->check != NULL && !api_sees(k, KIND_CHECK, &e->check->o))
		return api_error(k->c, 403, "check", "check: %s is not this "
		    "agent's", e->check_text);
	if (e->check == NULL) {
		e->field = "check";
		e->error = "check: there is no such check";
	} else if (e->r.at_ms > k->c->now_ms + AHEAD_MS) {
		e->field = "timestamp";
		e->error = "timestamp: more than 60 s ahead";
	}
	return 0;
}

/* Store one that can be taken, and step it.  Of a second one with the same
 * time neither the rules nor the history take note. */
static void
take(struct call *k, struct entry *e, uint64_t seq)
{
	e->r.late = alert_late(e->r.at_ms, k->c->now_ms,
	    model_interval(e->check));
	e->r.code = (uint8_t)watch_judge(e->check, &e->r);
	store_report_add(api_the_store, &e->r);
	watch_result(e->check, &e->r, seq, &k->now);
}

/* ---- a report ---- */

static struct agent *
reporter(const struct call *k)
{
	return k->role == ROLE_AGENT ? model_agent(k->key->agent) : NULL;
}

/* Begin the report of this call.  Its seq, or 0 and answered 503.  That the
 * agent spoke, and from where, is not for the journal, which a host with two
 * addresses would fill. */
static uint64_t
begin(struct call *k, uint64_t dropped, unsigned most)
{
	struct agent *a = reporter(k);
	struct store_report rep = { .source = a == NULL ? 0 : a->o.id,
	    .received_ms = k->c->now_ms, .dropped = dropped };
	struct fail why;
	uint64_t seq;

	if (store_report_begin(api_the_store, &rep, most, &seq, &why) == -1) {
		api_no_room(k, &why);
		return 0;
	}
	if (a != NULL) {
		if (strcmp(a->address, k->c->peer) != 0)
			model_text(&a->address, str_of(k->c->peer));
		watch_heard(a, &k->now);
	}
	return seq;
}

int
api_heard(struct call *k)
{
	if (begin(k, 0, 0) == 0)
		return -1;
	store_report_end(api_the_store);
	return 0;
}

/* row NULL: of a result, not of what is kept. */
static void
show_result(struct buf *b, const struct store_result *r,
    const struct store_row *row)
{
	char text[64];
	unsigned i;

	snprintf(text, sizeof text, "%llu-%lld", (unsigned long long)r->check,
	    (long long)r->at_ms);
	json_obj(b);
	json_add(b, "id", str_of(text));
	api_uri(b, "resource_uri", "check_history/%s", text);
	api_uri(b, "check", "check/%llu", (unsigned long long)r->check);
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
		str_copy(text, sizeof text, r->metric[i].name);
		json_key(b, text);
		json_put_milli(b, r->metric[i].value);
	}
	json_obj_end(b);
	if (row != NULL && row->span_ms > 0) {	/* a mean of many */
		json_add_int(b, "span_ms", row->span_ms);
		json_add_int(b, "count", (int64_t)row->count);
	}
	json_obj_end(b);
}

void
api_history_post(struct call *k)
{
	static struct entry e;
	uint64_t seq;

	if (api_body(k) == -1 || read_entry(k, k->c->body, &e) == -1)
		return;
	if (e.error != NULL) {
		api_error(k->c, e.check == NULL ? 404 : 400, e.field, "%s",
		    e.error);
		return;
	}
	seq = begin(k, 0, 1);
	if (seq == 0)
		return;
	take(k, &e, seq);
	store_report_end(api_the_store);
	k->c->wrote |= STORE_REPORTS;
	show_result(k->c->out, &e.r, NULL);
	buf_addf(&k->c->extra, "Location: " MODEL_API
	    "check_history/%llu-%lld/\r\n", (unsigned long long)e.r.check,
	    (long long)e.r.at_ms);
	api_json(k, 201);
}

/* What a bulk request holds beside its results. */
struct bulk {
	struct str objects;		/* the array, raw */
	int64_t dropped, clock_ms;	/* clock 0: not said */
	unsigned n, stored;
};

static int
read_bulk(struct call *k, struct bulk *b)
{
	struct api_member m;
	int rc;

	*b = (struct bulk){ .n = 0 };
	api_members(&m, k->c->body);
	while ((rc = api_member(k, &m)) == 1) {
		int64_t *to = strcmp(m.name, "dropped") == 0 ? &b->dropped :
		    strcmp(m.name, "now_ms") == 0 ? &b->clock_ms : NULL;
		int64_t max = to == &b->dropped ? INT32_MAX : TIME_MAX;

		if (to != NULL) {
			if (m.tok != JSON_NUM ||
			    json_int(m.raw, 0, max, to) == -1)
				return api_wrong(k, m.name, "a number from 0");
		} else if (strcmp(m.name, "objects") != 0) {
			return api_wrong(k, m.name, "no such field");
		} else if (m.tok != JSON_ARR) {
			return api_wrong(k, m.name, "a list of results");
		} else {
			b->objects = m.raw;
		}
	}
	return rc == 0 && b->objects.p == NULL ?
	    api_wrong(k, "objects", "is needed") : rc;
}

/* Every result of a bulk, first only read (seq 0), then taken.  0, or -1
 * answered. */
static int
walk(struct call *k, struct bulk *b, uint64_t seq)
{
	static struct entry e;
	struct buf *out = k->c->out;
	enum json_tok tok;
	struct json j;
	struct str raw;

	json_open(&j, b->objects);
	json_next(&j, &raw);
	for (b->n = 0; (tok = json_value(&j, &raw)) != JSON_ARR_END; b->n++) {
		if (tok != JSON_OBJ)
			return api_wrong(k, "objects", "each is an object");
		if (read_entry(k, raw, &e) == -1)
			return -1;
		if (seq != 0 && e.error == NULL) {
			take(k, &e, seq);
			b->stored++;
		} else if (seq != 0) {
			json_obj(out);
			json_add_int(out, "index", b->n);
			json_add(out, "error", str_of(e.error));
			json_add(out, "field", str_of(e.field));
			json_obj_end(out);
		}
	}
	return 0;
}

/* The agent's clock, and what it lost. */
static void
note(struct call *k, struct agent *a, const struct bulk *b)
{
	a->dropped += b->dropped;
	if (a->dropped > MODEL_DROPPED_MAX)
		a->dropped = MODEL_DROPPED_MAX;
	if (b->clock_ms != 0)
		a->clock_skew_ms = b->clock_ms - k->c->now_ms;
}

void
api_history_patch(struct call *k)
{
	struct agent *a = reporter(k);
	struct buf *out = k->c->out;
	struct bulk b;
	uint64_t seq;

	if (api_body(k) == -1 || read_bulk(k, &b) == -1 ||
	    walk(k, &b, 0) == -1)
		return;
	if (b.n > STORE_RESULTS_MAX) {
		api_error(k->c, 413, "objects", "objects: at most %d results "
		    "at once", STORE_RESULTS_MAX);
		return;
	}
	seq = begin(k, (uint64_t)b.dropped, b.n);
	if (seq == 0)
		return;
	if (a != NULL)
		note(k, a, &b);
	json_obj(out);
	json_key(out, "refused");
	json_arr(out);
	walk(k, &b, seq);
	store_report_end(api_the_store);
	json_arr_end(out);
	json_add_int(out, "stored", b.stored);
	if (a != NULL)
		json_add_int(out, "revision", a->revision);
	json_add_int(out, "now_ms", k->c->now_ms);
	json_obj_end(out);
	k->c->wrote |= STORE_REPORTS;
	api_json(k, 202);
}

/* ---- history ---- */

/* May the history of this check be told?  0, or -1 answered. */
static int
may_tell(struct call *k, uint64_t id)
{
	const struct check *c = model_check_by_id(id);

	if (c == NULL)
		return api_error(k->c, 404, "check", "check: there is no such "
		    "check");
	return api_sees(k, KIND_CHECK, &c->o) ? 0 : api_error(k->c, 403,
	    "check", "check: it is not this agent's");
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

/* The results of a page: how many, and when the last is, or, all of them
 * being shown, the same.  -1: answered. */
static int
page(struct call *k, const struct history *h, bool show, int64_t *last_ms)
{
	static struct store_row row;
	struct store_query ask = { .check = h->check,
	    .source = model_check_by_id(h->check)->agent_id,
	    .from_ms = INT64_MIN, .to_ms = h->before - 1, .down = true,
	    .limit = (unsigned)h->q.limit };
	struct fail why;
	int n = 0, rc = store_rows(api_the_store, &ask, &why);

	while (rc == 0 && n < h->q.limit) {
		rc = store_row_next(api_the_store, &row, &why);
		if (rc != 1)
			break;
		rc = 0;
		n++;
		*last_ms = row.r.at_ms;
		if (show)
			show_result(k->c->out, &row.r, &row);
	}
	return rc == 0 ? n : api_error(k->c, 503, NULL, "history cannot be "
	    "read: %s", why.msg);
}

/* Pages go on by time, for results come in while one reads. */
void
api_history(struct call *k)
{
	static struct history h;
	char next[256];
	struct buf u;
	int64_t last_ms = 0;
	int n;

	if (take_history(k, &h) == -1 || may_tell(k, h.check) == -1 ||
	    (n = page(k, &h, false, &last_ms)) == -1)
		return;
	buf_init(&u, next, sizeof next);
	buf_addf(&u, MODEL_API "check_history/?check=%llu&limit=%lld&before=",
	    (unsigned long long)h.check, (long long)h.q.limit);
	buf_time(&u, last_ms);
	buf_addc(&u, '\0');
	api_meta(k, &h.q, -1, n < h.q.limit ? NULL : next);
	if (page(k, &h, true, &last_ms) != -1)
		api_meta_end(k);
}

void
api_history_one(struct call *k)
{
	static struct store_row row;
	struct str rest = str_of(k->item), id;
	struct store_query ask = { .check = 0 };
	struct fail why;
	int rc;

	if (str_cut(&rest, '-', &id) == -1 || str_u64(id, 1, INT64_MAX,
	    &ask.check) == -1 || str_i64(rest, 1, TIME_MAX, &ask.from_ms) ==
	    -1) {
		api_error(k->c, 404, NULL, "an id is CHECK-TIME_MS");
		return;
	}
	if (may_tell(k, ask.check) == -1)
		return;
	ask.to_ms = ask.from_ms;
	rc = store_rows(api_the_store, &ask, &why);
	if (rc == 0)
		rc = store_row_next(api_the_store, &row, &why);
	if (rc == -1)
		api_error(k->c, 503, NULL, "history cannot be read: %s",
		    why.msg);
	else if (rc == 0)
		api_error(k->c, 404, NULL, "no result %s", k->item);
	else {
		show_result(k->c->out, &row.r, &row);
		api_json(k, 200);
	}
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
	api_uri(b, "resource_uri", "event/%llu", (unsigned long long)n);
	buf_addc(b, ',');
	buf_add(b, str_after(line, 1));
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
	uint64_t first = store_journal_first(api_the_store);
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
		    strcmp(q.value + down, "n") != 0)) {
			api_wrong(k, "query", "only limit, offset and "
			    "order_by=n or -n");
			return;
		}
	}
	if (rc == -1)
		return;
	api_meta(k, &q, total, NULL);
	for (i = q.offset; i < total && i < q.offset + q.limit; i++)
		show_event(k->c->out, down ? last - (uint64_t)i :
		    first + (uint64_t)i);
	api_meta_end(k);
}
