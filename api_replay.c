/* api_replay.c: stored history through other rules: POST check/ID/replay/.
 * See api.h.
 *
 *	results before from_ms		from_ms ... until_ms
 *	|---- no word of these ----|---- their changes are told ----|
 *
 * The results before are stepped twice, from each end of what the state can
 * have been; once both ends are alike, it is known.  In one call so much is
 * done as the loop has time for; next is how to go on.
 */
#include "api_impl.h"

struct replay {
	struct check *c;		/* a draft, with the rule asked for */
	struct buf rule;		/* the members that make it so */
	int64_t from_ms, until_ms;
	int64_t next_ms;		/* 0: all was stepped */
	int64_t thinned_ms;		/* before it there are means; or 0 */
	struct alert_state st, worst;
	int64_t apart_ms;		/* when these two were last apart */
	bool goes_on;			/* st is of the call before */
	bool settled;			/* st does not hang on what was before
					 * all that was stepped */
};

/* One member of the body.  0, or -1: answered. */
static int
take_member(struct call *k, struct replay *a, const char *name,
    struct str raw)
{
	static const char *const rules[] = { API_RULE };
	bool from = strcmp(name, "from") == 0;
	char text[ALERT_STATE_TEXT];

	if (STR_ROW(rules, str_of(name)) != NULL) {
		json_put_raw(json_key(&a->rule, name), raw);
		return 0;
	}
	(void)json_unescape(raw, text, sizeof text);
	if (from || strcmp(name, "until") == 0)
		return str_time(str_of(text), from ? &a->from_ms :
		    &a->until_ms) == 0 ? 0 :
		    api_wrong(k, name, "a time as 2026-11-22T06:53:11Z");
	if (strcmp(name, "state") != 0)
		return api_wrong(k, name, "no such field");
	a->goes_on = true;
	return alert_state_get(str_of(text), &a->st) == 0 ? 0 :
	    api_wrong(k, name, "not what an answer has in next");
}

/* The body: the times, and what the rule is to be.  0, or -1: answered. */
static int
take_body(struct call *k, struct replay *a)
{
	struct json j = JSON(k->c->body);
	char name[64];
	struct str key, raw;

	if (api_body(k) == -1)
		return -1;
	json_obj(&a->rule);
	(void)json_next(&j, &key);
	while (json_next(&j, &key) == JSON_KEY) {
		(void)json_value(&j, &raw);
		if (json_unescape(key, name, sizeof name) == -1)
			return api_wrong(k, "body", "too long a name");
		if (take_member(k, a, name, raw) == -1)
			return -1;
	}
	json_obj_end(&a->rule);
	/* The last day, unless it says otherwise. */
	if (a->from_ms == -1)
		a->from_ms = a->until_ms < STR_DAY_MS ? 0 : a->until_ms -
		    STR_DAY_MS;
	return a->from_ms < a->until_ms ? 0 :
	    api_wrong(k, "from", "is not before until");
}

static bool
is_calm(const struct alert_state *st)
{
	return st->changes == 0 && !st->flaps;
}

/* One result through the rules; a change that it makes is told. */
static void
step(struct buf *out, struct replay *a, const struct store_row *row)
{
	char text[WATCH_TEXT_MAX], how[WATCH_HOW_MAX];
	struct buf b = BUF(text), h = BUF(how);
	struct alert_change ch;

	if (row->span_ms > 0) {		/* a mean: each of its results counts */
		a->thinned_ms = row->r.at_ms + row->span_ms;
		alert_reset(&a->st);
		a->worst = ALERT_WORST;
		a->settled = false;
		return;			/* their signals are apart, so that
					 * apart_ms will be the next one */
	}
	if (row->r.late)
		return;
	ch = watch_step(a->c, &a->st, &row->r, &h);
	if (row->r.at_ms < a->from_ms || row->r.at_ms < a->thinned_ms) {
		h.n = 0;
		(void)watch_step(a->c, &a->worst, &row->r, &h);
		if (!alert_alike(&a->st, &a->worst))
			a->apart_ms = row->r.at_ms;
		a->settled = a->settled || (a->apart_ms > 0 &&
		    row->r.at_ms - a->apart_ms >= ALERT_FLAP_MS &&
		    is_calm(&a->st) && is_calm(&a->worst));
		return;
	}
	if (ch.from == ch.to && !ch.flaps)
		return;
	watch_text(&b, a->c, ch, str_from(&h));
	json_obj(out);
	json_put_time(json_key(out, "at"), ch.at_ms);
	json_add(out, "from", str_of(status_name(ch.from)));
	json_add(out, "to", str_of(status_name(ch.to)));
	json_add(out, "text", str_from(&b));
	json_obj_end(out);
}

/* Where to begin: so many results earlier, or with the first there is.  0, or
 * -1: it cannot be read. */
static int
look_back(struct replay *a, struct store_query ask, struct store_row *row,
    int64_t *begin_ms, struct fail *why)
{
	unsigned n = 0;
	int rc;

	ask.from_ms = 0;
	ask.to_ms = a->from_ms - 1;
	ask.down = true;
	ask.limit = API_REPLAY;
	rc = store_rows(api_the_store, &ask, why);
	while (rc != -1 && n < ask.limit &&
	    (rc = store_row_next(api_the_store, row, why)) == 1) {
		*begin_ms = row->r.at_ms;
		n++;
	}
	a->settled = n < ask.limit;
	return rc == -1 ? -1 : 0;
}

static int
step_all(struct buf *out, struct replay *a, struct fail *why)
{
	static struct store_row row;
	struct store_query ask = { .check = a->c->o.id,
	    .source = a->c->agent_id, .from_ms = a->from_ms,
	    .to_ms = a->until_ms - 1, .limit = 2 * API_REPLAY + 1 };
	unsigned n = 0;
	int rc = 0;

	a->settled = a->goes_on;
	a->worst = ALERT_WORST;
	if (!a->goes_on) {
		alert_reset(&a->st);
		rc = look_back(a, ask, &row, &ask.from_ms, why);
	}
	if (rc == 0)
		rc = store_rows(api_the_store, &ask, why);
	while (rc != -1 &&
	    (rc = store_row_next(api_the_store, &row, why)) == 1) {
		if (++n == ask.limit || out->n > API_REPLAY_BYTES) {
			a->next_ms = row.r.at_ms;
			break;
		}
		step(out, a, &row);
	}
	return rc == -1 ? -1 : 0;
}

int
api_stand(struct check *c, int64_t at_ms, struct api_stand *s,
    struct fail *why)
{
	struct replay a = { .c = c, .from_ms = at_ms + 1,
	    .until_ms = at_ms + 1 };
	struct buf none = { .full = false };

	if (step_all(&none, &a, why) == -1)
		return -1;
	*s = (struct api_stand){ a.st, a.settled, a.thinned_ms };
	return 0;
}

static void
put_next(struct buf *b, const struct replay *a)
{
	char text[ALERT_STATE_TEXT];
	struct buf state = BUF(text);

	if (a->next_ms == 0) {
		api_null(b, "next");
		return;
	}
	alert_state_put(&state, &a->st);
	json_obj(json_key(b, "next"));
	json_put_time(json_key(b, "from"), a->next_ms);
	json_put_time(json_key(b, "until"), a->until_ms);
	json_add(b, "state", str_from(&state));
	if (a->rule.n > 2)		/* with its own brackets */
		buf_addf(b, ",%.*s", (int)a->rule.n - 2, a->rule.p + 1);
	json_obj_end(b);
}

int
api_replay(struct call *k)
{
	static char room[API_BODY_MAX];
	struct replay a = { .rule = BUF(room), .from_ms = -1,
	    .until_ms = k->c->now_ms + 1 };
	struct object *live = api_find(k);
	struct buf *out = k->c->out;
	struct fail why;
	int rc;

	if (live == NULL || take_body(k, &a) == -1)
		return -1;
	/* From here on as if it were a PATCH of the check. */
	k->type = NULL;
	k->c->body = str_from(&a.rule);
	a.c = (struct check *)api_draft(k, live);
	if (a.c == NULL || api_check(k, KIND_CHECK, a.c) == -1)
		return -1;
	(void)model_rule(a.c, &a.c->rule);
	json_obj(out);
	json_arr(json_key(out, "objects"));
	rc = step_all(out, &a, &why);
	model_drop(KIND_CHECK, a.c);
	if (rc == -1)
		return api_error(k->c, 503, NULL, "history cannot be read: %s",
		    why.msg);
	json_arr_end(out);
	json_put_time(json_key(out, "from"), a.from_ms);
	json_put_time(json_key(out, "until"), a.until_ms);
	json_put_time(json_key(out, "thinned_until"), a.thinned_ms <=
	    a.from_ms ? 0 : a.thinned_ms);
	json_put_bool(json_key(out, "settled"), a.settled);
	put_next(out, &a);
	json_obj_end(out);
	return api_json(k, 200);
}
