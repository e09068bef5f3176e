/* agent_wire.c: what goes over the wire, as bytes; see agent.h. */
#include "agent.h"
#include "key.h"

int
agent_wire_head(struct buf *b, const struct agent_conf *conf,
    const struct agent_request *q)
{
	char path[512];
	struct http_url u = { .host = str_of(conf->host),
	    .port = str_of(conf->port) };
	struct buf p = BUF(path);

	buf_addf(&p, "%s%s", conf->base, q->path);
	if (q->id > 0)
		buf_addf(&p, "%lld/", (long long)q->id);
	u.path = str_from(&p);
	http_put_request(b, q->method, &u, q->length);
	buf_addf(b, "Authorization: Bearer %s\r\n", q->enrol ? conf->enrol :
	    conf->key);
	if (q->etag[0] != '\0')
		buf_addf(b, "If-None-Match: %s\r\n", q->etag);
	if (q->length >= 0)
		buf_addz(b, "Content-Type: application/json\r\n");
	buf_addz(b, "\r\n");
	return b->full || p.full ? -1 : 0;
}

/* An answer's body: of bounded size, and JSON throughout. */
static int
valid(struct str body, struct fail *why)
{
	if (body.n > AGENT_LIST_MAX)
		return fail(why, "an answer of more than %d bytes",
		    AGENT_LIST_MAX);
	if (json_valid(body, why) == -1)
		return fail_in(why, "an answer that is no JSON");
	return 0;
}

/* Brought into its bounds. */
static int64_t
interval(int64_t ms)
{
	return ms < AGENT_EVERY_MIN_MS ? AGENT_EVERY_MIN_MS :
	    ms > AGENT_EVERY_MAX_MS ? AGENT_EVERY_MAX_MS : ms;
}

int
agent_wire_self(struct str body, struct agent_self *s, struct fail *why)
{
	struct json j;
	struct str obj, more;

	if (valid(body, why) == -1)
		return -1;
	if (json_list(&j, body, "objects") == -1 ||
	    json_value(&j, &obj) != JSON_OBJ ||
	    json_value(&j, &more) != JSON_ARR_END)
		return fail(why, "the key is not that of one agent");
	if (json_number(obj, "id", 1, INT64_MAX, &s->id) != 1 ||
	    json_number(obj, "revision", 0, INT64_MAX, &s->revision) != 1 ||
	    json_number(obj, "check_interval_ms", 0, INT64_MAX,
	    &s->interval_ms) != 1)
		return fail(why, "an agent without id, revision or "
		    "check_interval_ms");
	s->interval_ms = interval(s->interval_ms);
	json_text(obj, "hostname", s->hostname, sizeof s->hostname);
	return 0;
}

/* One check into the set, if it is enabled.  0 or -1. */
static int
take_check(struct str obj, int64_t ms, struct agent_set *set, struct fail *why)
{
	struct agent_check *c = &set->check[set->n];
	struct buf *text = &set->text;
	size_t from = text->n;
	char type[AGENT_TEXT_MAX];
	const char *field;
	enum json_tok tok;
	struct fail wrong;
	struct str raw;

	if (json_member(obj, "enabled", &raw) == JSON_FALSE)
		return 0;
	if (set->n++ == AGENT_CHECKS_MAX)
		return fail(why, "more than %d checks", AGENT_CHECKS_MAX);
	*c = (struct agent_check){ .interval_ms = ms };
	json_text(obj, "name", c->name, sizeof c->name);
	if (json_number(obj, "id", 1, INT64_MAX, &c->id) != 1 ||
	    !check_name_ok(str_of(c->name)))
		return fail(why, "a check without id or name");
	json_number(obj, "interval_ms", 0, INT64_MAX, &c->interval_ms);
	c->interval_ms = interval(c->interval_ms);
	/* Type and parameters, or why it has no type. */
	json_text(obj, "type", type, sizeof type);
	c->type = check_type(str_of(type));
	tok = json_member(obj, "params", &raw);
	if (tok == JSON_NULL || tok == JSON_END)
		raw = STR("");
	if (c->type == NULL)
		fail(&wrong, "this agent has no %s check",
		    check_name_ok(str_of(type)) ? type : "such");
	else if (check_params(c->type, raw, text, &field, &wrong) == -1 ||
	    !probe_allows(c->type, (struct str){ text->p + from,
	    text->n - from }, &wrong))
		c->type = NULL;
	if (c->type == NULL) {
		text->n = from;
		buf_addz(text, wrong.msg);
	}
	c->params = (struct str){ text->p + from, text->n - from };
	return 0;
}

int
agent_wire_checks(struct str body, int64_t default_ms, struct agent_set *set,
    struct fail *why)
{
	struct json j;
	struct str obj;
	enum json_tok tok;

	set->n = 0;
	buf_init(&set->text, set->room, sizeof set->room);
	if (valid(body, why) == -1)
		return -1;
	if (json_list(&j, body, "objects") == -1)
		return fail(why, "an answer without a list of objects");
	while ((tok = json_value(&j, &obj)) == JSON_OBJ)
		if (take_check(obj, default_ms, set, why) == -1)
			return -1;
	if (tok != JSON_ARR_END)
		return fail(why, "a list of checks that are no objects");
	if (set->text.full)
		return fail(why, "parameters of more than %d bytes",
		    AGENT_LIST_MAX);
	return 0;
}

int
agent_wire_answer(struct str body, struct agent_answer *a, struct fail *why)
{
	struct json j;
	struct str obj;

	*a = (struct agent_answer){ .refused = 0 };
	if (valid(body, why) == -1)
		return -1;
	if (json_number(body, "revision", 0, INT64_MAX, &a->revision) != 1 ||
	    json_number(body, "now_ms", 1, TIME_MAX, &a->now_ms) != 1)
		return fail(why, "an answer without revision or now_ms");
	if (json_list(&j, body, "refused") == 0)
		while (json_value(&j, &obj) == JSON_OBJ)
			if (a->refused++ == 0)
				agent_wire_error(obj, a->error);
	return 0;
}

void
agent_wire_error(struct str body, char text[FAIL_MAX])
{
	text[0] = '\0';
	if (body.n <= AGENT_LIST_MAX)
		json_text(body, "error", text, FAIL_MAX);
}

void
agent_wire_own(struct buf *b, const struct agent_conf *conf)
{
	json_obj(b);
	json_add(b, "version", STR(AGENT_VERSION));
	json_add(b, "platform", str_of(conf->platform));
	json_add(b, "guid", str_of(conf->guid));
	json_obj_end(b);
}

void
agent_wire_enrol(struct buf *b, const struct agent_conf *conf)
{
	unsigned char hash[KEY_HASH];
	char hex[2 * KEY_HASH + 1];

	key_hash(str_of(conf->key), hash);
	str_hex(hex, hash, sizeof hash);
	json_obj(b);
	json_add(b, "hostname", str_of(conf->hostname));
	json_add(b, "key_sha256", str_of(hex));
	json_obj_end(b);
}

unsigned
agent_wire_report(struct buf *b, unsigned max, int64_t shift_ms, int64_t now_ms)
{
	static struct agent_result res;
	const struct probe_result *r = &res.r;
	const struct probe_metric *m;
	size_t at = 0;
	struct buf was;
	unsigned n = 0;

	json_obj(b);
	json_arr(json_key(b, "objects"));
	b->cap -= AGENT_REPORT_END;
	while (n < max && agent_ring_next(&at, &res)) {
		was = *b;
		json_obj(b);
		buf_addf(b, "\"check\":\"/api/v1/check/%lld/\"",
		    (long long)res.check);
		json_put_time(json_key(b, "timestamp"), res.mono_ms + shift_ms);
		if (r->has_value)
			json_put_milli(json_key(b, "value"), r->value);
		if (r->metrics > 0) {
			json_obj(json_key(b, "metrics"));
			for (m = r->metric; m < r->metric + r->metrics; m++)
				json_put_milli(json_key(b, m->name), m->value);
			json_obj_end(b);
		}
		if (r->text[0] != '\0')
			json_add(b, "message", str_of(r->text));
		if (r->given != STATUS_NONE)
			json_add(b, "status", str_of(status_name(r->given)));
		json_obj_end(b);
		if (b->full) {
			*b = was;
			break;
		}
		n++;
	}
	b->cap += AGENT_REPORT_END;
	json_arr_end(b);
	json_add_int(b, "dropped", agent_ring_dropped());
	json_add_int(b, "now_ms", now_ms);
	json_obj_end(b);
	return n;
}
