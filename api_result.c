/* api_result.c: results in, history and the journal out.  See api.h. */
#include <stdio.h>

#include "api_impl.h"

/* One result of a body, and what is wrong with it. */
struct entry {
	struct store_result r;
	struct check *check;		/* NULL: gone */
	const char *field, *error;	/* NULL: it can be taken */
};

/* A body on its way into results: one pass over its bytes.  Nothing is
 * applied before all of it was read, for what is wrong may stand at its
 * end. */
struct reader {
	struct call *k;
	struct json j;
	enum json_tok tok;		/* the value now read, or its begin */
	struct str text, check_text;
	struct buf room;		/* of texts with escapes */
	struct entry e[STORE_RESULTS_MAX + 1];	/* the last: all beyond */
	struct entry *at;		/* now read */
	unsigned n;
	bool refused;			/* one of them, and that is answered */
	int64_t dropped, clock_ms;	/* clock 0: not said */
	char second[20];		/* "2026-11-22T06:53:11.", or "" */
	int64_t second_ms;
	char bytes[API_RESULTS_MAX];	/* room's: more than a body's */
};
static struct reader reader;

/* A member that is known: set takes what was read, -1: it is not `what`. */
struct member {
	struct str name;
	bool need;
	unsigned of;			/* what it may be, or begin with; null
					 * is as good as not given */
	int (*set)(struct reader *in);
	const char *what;
};
#define STRING	(1u << JSON_STR)
#define NUMBER	(1u << JSON_NUM)
#define ARRAY	(1u << JSON_ARR)
#define MEMBERS	(1u << JSON_OBJ)
#define NIL	(1u << JSON_NULL)
#define NAME(lit)	{ (lit), sizeof(lit) - 1 }

int
api_check_ref(struct str s, uint64_t *id)
{
	struct str name;

	if (str_starts(s, STR(MODEL_API))) {
		s = str_after(s, sizeof MODEL_API - 1);
		if (str_cut(&s, '/', &name) == -1 ||
		    (!str_is(name, "check") && api_type(name) == NULL))
			return -1;
		s.n -= s.n > 0 && s.p[s.n - 1] == '/';
	}
	return str_u64(s, 1, INT64_MAX, id);
}

/* ---- a body ---- */

/* The next token, of what may be a text that text. */
static void
next(struct reader *in)
{
	in->tok = json_next(&in->j, &in->text);
	if (in->tok == JSON_STR &&
	    json_meant(&in->j, &in->text, &in->room) == -1)
		in->tok = JSON_BAD;	/* U+0000: for nobody to take */
}

/* The members of an object, after its bracket.  0; or -1: it is not JSON, or
 * why it is refused was answered. */
static int
read_members(struct reader *in, const struct member *m, unsigned n)
{
	unsigned i = n - 1, seen = 0, tries;
	const struct member *its;
	enum json_tok tok;
	struct str name;
	char field[64];

	while ((tok = json_next(&in->j, &name)) == JSON_KEY) {
		if (json_meant(&in->j, &name, &in->room) == -1)
			return api_wrong(in->k, "body", "too long a name");
		/* Most often it is the one after that of the last name. */
		tries = 0;
		do {
			i = i + 1 < n ? i + 1 : 0;
			its = &m[i];
		} while (!str_eq(its->name, name) && ++tries < n);
		next(in);
		if (tries == n)
			return str_copy(field, sizeof field, name) == -1 ?
			    api_wrong(in->k, "body", "too long a name") :
			    api_wrong(in->k, field, "no such field");
		if ((seen >> i & 1) || !(its->of >> in->tok & 1) ||
		    (in->tok != JSON_NULL && its->set(in) == -1))
			return api_wrong(in->k, its->name.p, its->what);
		seen |= 1u << i;
	}
	for (i = 0; i < n; i++)
		if (m[i].need && !(seen >> i & 1))
			return api_wrong(in->k, m[i].name.p, "is needed");
	return tok == JSON_OBJ_END ? 0 : -1;
}

/* ---- one result ---- */

static int
set_check(struct reader *in)
{
	in->check_text = in->text;
	return in->text.n >= API_REF_MAX ? -1 :
	    api_check_ref(in->text, &in->at->r.check);
}

/* Most are of the second of the one before: of these only what follows it is
 * read. */
static int
set_timestamp(struct reader *in)
{
	size_t z = TIME_TEXT - 2;	/* of the Z at its end */
	struct str s = in->text;
	int64_t *at = &in->at->r.at_ms;
	bool usual = s.n == z + 1 && s.p[z] == 'Z';
	uint64_t ms;

	if (usual && memcmp(s.p, in->second, sizeof in->second) == 0 &&
	    str_u64((struct str){ s.p + 20, 3 }, 0, 999, &ms) == 0) {
		*at = in->second_ms + (int64_t)ms;
		return *at != 0 ? 0 : -1;
	}
	if (str_time(s, at) == -1 || *at == 0)
		return -1;
	if (usual && s.p[19] == '.') {
		memcpy(in->second, s.p, sizeof in->second);
		in->second_ms = *at - *at % 1000;
	}
	return 0;
}

static int
set_value(struct reader *in)
{
	in->at->r.has_value = true;
	return json_milli(in->text, &in->at->r.value);
}

static int
set_status(struct reader *in)
{
	enum status st;

	if (status_parse(in->text, &st) == -1)
		return -1;
	in->at->r.given = (uint8_t)st;
	return 0;
}

static int
set_message(struct reader *in)
{
	in->at->r.text = in->text;
	return in->text.n <= STORE_TEXT_MAX ? 0 : -1;
}

static bool
is_metric(struct str s)
{
	static const char of[256] = "................................"
	    ".............-..0123456789......"
	    ".ABCDEFGHIJKLMNOPQRSTUVWXYZ...._"
	    ".abcdefghijklmnopqrstuvwxyz";
	size_t i = 0;

	while (i < s.n && of[(unsigned char)s.p[i]] == s.p[i])
		i++;
	return i == s.n && s.n > 0 && s.n <= STORE_NAME_MAX;
}

static int
set_metrics(struct reader *in)
{
	struct store_result *r = &in->at->r;
	struct store_metric *m;
	enum json_tok tok;
	struct str name;

	while ((tok = json_next(&in->j, &name)) == JSON_KEY) {
		if (r->metrics == STORE_METRICS_MAX ||
		    json_meant(&in->j, &name, &in->room) == -1 ||
		    !is_metric(name))
			return -1;
		for (m = r->metric; m < r->metric + r->metrics; m++)
			if (str_eq(m->name, name))
				return -1;
		next(in);
		if (in->tok != JSON_NUM ||
		    json_milli(in->text, &m->value) == -1)
			return -1;
		m->name = name;
		r->metrics++;
	}
	return tok == JSON_OBJ_END ? 0 : -1;
}

static const struct member result_members[] = {
	{ NAME("check"), true, STRING | NUMBER, set_check,
	    "a resource URI like " MODEL_API "check/1/" },
	{ NAME("timestamp"), false, STRING, set_timestamp,
	    "a time as 2026-11-22T06:53:11.123Z" },
	{ NAME("value"), false, NUMBER | NIL, set_value,
	    "a number within +-9e15, or null" },
	{ NAME("status"), false, STRING | NIL, set_status,
	    "one of ok, warning, unknown, critical" },
	{ NAME("message"), false, STRING | NIL, set_message,
	    "a string of at most 256 bytes" },
	{ NAME("metrics"), false, MEMBERS | NIL, set_metrics,
	    "an object of at most 32 numbers within +-9e15; a name is 1 to 32 "
	    "of A-Z a-z 0-9 _ . -" },
};

/* One result, an object, into the next entry.  0, or -1 as read_members:
 * malformed, or of another agent's check.  A well-formed one may have an
 * error of its own. */
static int
read_result(struct reader *in)
{
	struct entry *e = &in->e[in->n < STORE_RESULTS_MAX ? in->n :
	    STORE_RESULTS_MAX];
	bool ahead;

	in->at = e;
	in->n++;
	e->r.check = 0;
	e->r.at_ms = in->k->c->now_ms;
	e->r.given = STORE_NO_CODE;
	e->r.has_value = false;
	e->r.value = 0;
	e->r.metrics = 0;
	e->r.text = STR("");
	if (read_members(in, result_members, COUNT(result_members)) == -1)
		return -1;
	/* A report goes through an agent's checks in their order, most often:
	 * it may be the one after that of the result before. */
	e->check = e == in->e || e[-1].check == NULL ? NULL :
	    e[-1].check->next;
	if (e->check == NULL || e->check->o.id != e->r.check)
		e->check = model_check_by_id(e->r.check);
	if (e->check != NULL && !api_sees(in->k, KIND_CHECK, &e->check->o))
		return api_error(in->k->c, 403, "check", "check: %.*s is not "
		    "this agent's", (int)in->check_text.n, in->check_text.p);
	ahead = e->r.at_ms > in->k->c->now_ms + API_AHEAD_MS;
	e->field = e->check == NULL ? "check" : ahead ? "timestamp" : NULL;
	e->error = e->check == NULL ? "check: there is no such check" :
	    ahead ? "timestamp: more than 60 s ahead" : NULL;
	return 0;
}

/* ---- many ---- */

/* What is wrong in one of them is told only if nothing is beside them. */
static int
set_objects(struct reader *in)
{
	for (next(in); in->tok == JSON_OBJ && !in->refused; next(in))
		in->refused = read_result(in) == -1;
	if (!in->refused && in->tok != JSON_ARR_END) {
		in->refused = true;
		api_wrong(in->k, "objects", "each is an object");
	}
	while (in->j.depth > 1 && in->tok != JSON_BAD)
		in->tok = json_next(&in->j, &in->text);
	return 0;
}

static int
set_dropped(struct reader *in)
{
	return json_int(in->text, 0, INT32_MAX, &in->dropped);
}

static int
set_now_ms(struct reader *in)
{
	return json_int(in->text, 0, TIME_MAX, &in->clock_ms);
}

static const struct member bulk_members[] = {
	{ NAME("objects"), true, ARRAY, set_objects, "a list of results" },
	{ NAME("dropped"), false, NUMBER, set_dropped, "a number from 0" },
	{ NAME("now_ms"), false, NUMBER, set_now_ms, "a number from 0" },
};

/* All of a body, one result or many, into the reader.  0, or -1 answered. */
static int
read_body(struct call *k, bool bulk)
{
	struct reader *in = &reader;

	if (api_is_json(k) == -1)
		return -1;
	in->k = k;
	in->j = JSON(k->c->body);
	buf_init(&in->room, in->bytes, sizeof in->bytes);
	in->n = 0;
	in->refused = false;
	in->dropped = in->clock_ms = 0;
	in->second[0] = '\0';
	next(in);
	if (in->tok == JSON_OBJ && (bulk ? read_members(in, bulk_members,
	    COUNT(bulk_members)) : read_result(in)) == 0 && !in->refused &&
	    json_next(&in->j, &in->text) == JSON_END)
		return 0;
	/* Before all else it is said that it is not JSON, and where. */
	(void)api_body(k);
	return -1;
}

/* ---- a report ---- */

/* Begin the report of this call.  Its seq, or 0 and answered 503.  That the
 * agent spoke, and from where, is not for the journal, which a host with two
 * addresses would fill. */
static uint64_t
begin(struct call *k, uint64_t dropped, unsigned most)
{
	struct agent *a = k->agent;
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

static void
put_id(struct buf *b, const struct store_result *r)
{
	buf_addi(b, (int64_t)r->check);
	buf_addc(b, '-');
	buf_addi(b, r->at_ms);
}

void
api_show_result(struct buf *b, const struct store_result *r,
    const struct store_row *row)
{
	json_obj(b);
	buf_addz(b, "\"id\":\"");
	put_id(b, r);
	buf_addz(b, "\",\"resource_uri\":\"" MODEL_API "check_history/");
	put_id(b, r);
	buf_addz(b, "/\",\"check\":\"" MODEL_API "check/");
	buf_addi(b, (int64_t)r->check);
	buf_addz(b, "/\",\"timestamp\":");
	json_put_time(b, r->at_ms);
	buf_addz(b, ",\"status\":\"");
	buf_addz(b, status_name((enum status)r->code));
	buf_addz(b, "\",\"value\":");
	if (r->has_value)
		json_put_milli(b, r->value);
	else
		json_put_null(b);
	buf_addz(b, ",\"message\":");
	json_put(b, r->text);
	buf_addz(b, ",\"metrics\":{");
	for (unsigned i = 0; i < r->metrics; i++) {
		json_put(b, r->metric[i].name);
		buf_addc(b, ':');
		json_put_milli(b, r->metric[i].value);
	}
	json_obj_end(b);
	if (row != NULL && row->span_ms > 0) {	/* a mean of many */
		json_add_int(b, "span_ms", row->span_ms);
		json_add_int(b, "count", (int64_t)row->count);
	}
	json_obj_end(b);
}

/* Store all that was read and can be taken; of the others it is told why not.
 * How many were taken; -1: answered. */
static int
take_all(struct call *k)
{
	uint64_t seq = begin(k, (uint64_t)reader.dropped, reader.n);
	struct agent *a = k->agent;
	struct buf *out = k->c->out;
	struct entry *e;
	int taken = 0;

	if (seq == 0)
		return -1;
	/* The agent's clock, and what it lost. */
	if (a != NULL) {
		a->dropped += reader.dropped;
		if (a->dropped > MODEL_DROPPED_MAX)
			a->dropped = MODEL_DROPPED_MAX;
		if (reader.clock_ms != 0)
			a->clock_skew_ms = reader.clock_ms - k->c->now_ms;
	}
	for (e = reader.e; e < reader.e + reader.n; e++) {
		if (e->error != NULL) {
			json_obj(out);
			json_add_int(out, "index", e - reader.e);
			json_add(out, "error", str_of(e->error));
			json_add(out, "field", str_of(e->field));
			json_obj_end(out);
			continue;
		}
		/* Of a second one with the same time neither the rules nor
		 * the history take note.  One out of turn is kept as late: the
		 * rules pass over it, now and whenever history is replayed. */
		e->r.late = alert_late(e->r.at_ms, k->c->now_ms,
		    model_interval(e->check)) ||
		    e->r.at_ms <= e->check->alert.at_ms;
		e->r.code = (uint8_t)watch_judge(e->check, &e->r);
		store_report_add(api_the_store, &e->r);
		watch_result(e->check, &e->r, seq, &k->now);
		taken++;
	}
	store_report_end(api_the_store);
	k->c->wrote |= STORE_REPORTS;
	return taken;
}

int
api_history_post(struct call *k)
{
	struct entry *e = reader.e;

	if (read_body(k, false) == -1)
		return -1;
	if (e->error != NULL)
		return api_error(k->c, e->check == NULL ? 404 : 400, e->field,
		    "%s", e->error);
	if (take_all(k) == -1)
		return -1;
	api_show_result(k->c->out, &e->r, NULL);
	buf_addz(&k->c->extra, "Location: " MODEL_API "check_history/");
	put_id(&k->c->extra, &e->r);
	buf_addz(&k->c->extra, "/\r\n");
	return api_json(k, 201);
}

int
api_history_patch(struct call *k)
{
	struct buf *out = k->c->out;
	int taken;

	if (read_body(k, true) == -1)
		return -1;
	if (reader.n > STORE_RESULTS_MAX)
		return api_error(k->c, 413, "objects", "objects: at most %d "
		    "results at once", STORE_RESULTS_MAX);
	json_obj(out);
	json_arr(json_key(out, "refused"));
	taken = take_all(k);
	if (taken == -1)
		return -1;
	json_arr_end(out);
	json_add_int(out, "stored", taken);
	if (k->agent != NULL)
		json_add_int(out, "revision", k->agent->revision);
	json_add_int(out, "now_ms", k->c->now_ms);
	json_obj_end(out);
	return api_json(k, 202);
}

/* ---- history ---- */

static int
take_history(struct call *k, char *name, const char *value, void *to)
{
	struct store_query *ask = to;
	struct str v = str_of(value);
	int rc;

	if (strcmp(name, "check") == 0 || strcmp(name, "check__id") == 0)
		rc = api_check_ref(v, &ask->check);
	else if (strcmp(name, "before") == 0)
		rc = str_time(v, &ask->to_ms);
	else
		return api_wrong(k, name, "cannot be filtered by");
	return rc == 0 ? 0 : api_wrong(k, name, "cannot be read");
}

/* The results asked for of a check: how many, and when the last is; or, all
 * of them being shown, the same.  -1: answered. */
static int
rows(struct call *k, struct store_query *ask, bool show, int64_t *last_ms)
{
	const struct check *c = model_check_by_id(ask->check);
	static struct store_row row;
	struct fail why;
	unsigned n = 0;
	int rc;

	if (c == NULL)
		return api_refuse(k, 404, "check", "there is no such check");
	if (!api_sees(k, KIND_CHECK, &c->o))
		return api_refuse(k, 403, "check", "it is not this agent's");
	ask->source = c->agent_id;
	rc = store_rows(api_the_store, ask, &why);
	while (rc != -1 && n < ask->limit &&
	    (rc = store_row_next(api_the_store, &row, &why)) == 1) {
		n++;
		*last_ms = row.r.at_ms;
		if (show)
			api_show_result(k->c->out, &row.r, &row);
	}
	return rc != -1 ? (int)n : api_error(k->c, 503, NULL, "history cannot "
	    "be read: %s", why.msg);
}

/* Pages go on by time, for results come in while one reads. */
int
api_history(struct call *k)
{
	struct store_query ask = { .from_ms = INT64_MIN, .to_ms = INT64_MAX,
	    .down = true };
	struct api_query q;
	char next[256];
	struct buf u = BUF(next);
	int64_t last_ms = 0;
	int n;

	if (api_query(k, &q, take_history, &ask) == -1)
		return -1;
	if (q.offset != 0)
		return api_wrong(k, "offset", "history goes on by "
		    "before=TIME");
	if (ask.check == 0)
		return api_wrong(k, "check", "is needed: ?check=1");
	ask.to_ms--;			/* before it */
	ask.limit = (unsigned)q.limit;
	n = rows(k, &ask, false, &last_ms);
	if (n == -1)
		return -1;
	buf_addf(&u, MODEL_API "check_history/?check=%llu&limit=%lld&before=",
	    (unsigned long long)ask.check, (long long)q.limit);
	buf_time(&u, last_ms);
	buf_addc(&u, '\0');
	api_meta(k, &q, -1, n < q.limit ? NULL : next);
	return rows(k, &ask, true, &last_ms) == -1 ? -1 :
	    api_meta_end(k);
}

int
api_history_one(struct call *k)
{
	struct str ms = str_of(k->item), id;
	struct store_query ask = { .limit = 1 };
	int64_t last_ms;
	int n;

	if (str_cut(&ms, '-', &id) == -1 ||
	    str_u64(id, 1, INT64_MAX, &ask.check) == -1 ||
	    str_i64(ms, 1, TIME_MAX, &ask.from_ms) == -1)
		return api_error(k->c, 404, NULL, "an id is CHECK-TIME_MS");
	ask.to_ms = ask.from_ms;
	n = rows(k, &ask, true, &last_ms);
	if (n == 0)
		return api_error(k->c, 404, NULL, "no result %s", k->item);
	return n == -1 ? -1 : api_json(k, 200);
}

/* ---- the journal ---- */

/* Record n, if it is an event.  0 or -1. */
static int
show_event(struct buf *b, uint64_t n)
{
	static const struct str mark = { "\"secret\":\"", 10 };
	struct fail why;
	struct str line;
	size_t i, k;

	if (n == 0 || store_journal_read(api_the_store, n, &line, &why) != 1)
		return -1;
	/* The line as it stands, so that the chain can be followed; of keys
	 * it has only the hash, and of recipients' secrets nothing is shown:
	 * in a text no quote stands without a backslash. */
	json_obj(b);
	json_add_int(b, "id", (int64_t)n);
	api_uri(b, "resource_uri", "event/%llu", (unsigned long long)n);
	buf_addc(b, ',');
	line = str_after(line, 1);
	for (i = 0; i < line.n; i++) {
		if (!str_starts(str_after(line, i), mark))
			continue;
		for (k = i += mark.n; line.p[k] != '"'; k++)
			k += line.p[k] == '\\';
		buf_add(b, (struct str){ line.p, i });
		buf_addz(b, k > i ? "(hidden)" : "");
		line = str_after(line, k);
		i = 0;
	}
	buf_add(b, line);
	return 0;
}

int
api_event(struct call *k)
{
	return show_event(k->c->out, k->id) == -1 ?
	    api_error(k->c, 404, NULL, "no event %s", k->item) :
	    api_json(k, 200);
}

static int
take_event(struct call *k, char *name, const char *value, void *to)
{
	bool *down = to;

	*down = value[0] == '-';
	value += *down;
	return strcmp(name, "order_by") == 0 && (strcmp(value, "id") == 0 ||
	    strcmp(value, "n") == 0) ? 0 : api_wrong(k, "query", "only limit, "
	    "offset and order_by=n or -n");
}

int
api_events(struct call *k)
{
	uint64_t first = store_journal_first(api_the_store);
	uint64_t last = store_journal_n(api_the_store, NULL);
	int64_t total = (int64_t)(last + 1 - first), i;
	struct api_query q;
	bool down = false;

	if (api_query(k, &q, take_event, &down) == -1)
		return -1;
	api_meta(k, &q, total, NULL);
	for (i = q.offset; i < total && i < q.offset + q.limit; i++)
		show_event(k->c->out, down ? last - (uint64_t)i :
		    first + (uint64_t)i);
	return api_meta_end(k);
}
