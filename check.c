/* check.c: see check.h. */
#include <string.h>

#include "check.h"
#include "json.h"

static const struct check_param process_param[] = {
	{ "process_name", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "the program's name, without its path", true },
	{ "user", PARAM_TEXT, 1, 64, "whose processes count", false },
	{ "min",  PARAM_INT,  0, 1000000, "at least this many (1)", false },
	{ "max",  PARAM_INT,  0, 1000000, "at most this many", false },
};

const struct check_type check_types[] = {
	{ "process", "", false, process_param, COUNT(process_param),
	    "running" },
	{ "cpu", "percent", false, NULL, 0, "percent" },
};
const unsigned check_types_n = COUNT(check_types);

static bool
is_process(const struct check_type *t)
{
	return t->param == process_param;
}

const struct check_type *
check_type(struct str name)
{
	return STR_ROW(check_types, name);
}

const struct check_param *
check_param(const struct check_type *t, struct str name)
{
	return t == NULL ? NULL :
	    str_row(t->param, t->params, sizeof *t->param, name);
}

/* One parameter as it was sent, to the canonical ones. */
static int
put_param(struct buf *b, const struct check_param *p, enum json_tok tok,
    struct str raw, struct fail *why)
{
	char text[CHECK_TEXT_MAX + 1];
	int64_t n;

	json_key(b, p->name);
	switch (p->type) {
	case PARAM_TEXT:
		if (tok != JSON_STR ||
		    json_unescape(raw, text, sizeof text) == -1 ||
		    strlen(text) < (size_t)p->min ||
		    strlen(text) > (size_t)p->max ||
		    !str_is_plain(str_of(text)))
			return fail(why, "%s: not a text of %d to %d bytes "
			    "without control characters", p->name,
			    (int)p->min, (int)p->max);
		json_put(b, str_of(text));
		break;
	case PARAM_INT:
		if (tok != JSON_NUM || json_int(raw, p->min, p->max, &n) == -1)
			return fail(why, "%s: not a whole number from %d "
			    "to %d", p->name, (int)p->min, (int)p->max);
		json_put_int(b, n);
		break;
	case PARAM_BOOL:
		if (tok != JSON_TRUE && tok != JSON_FALSE)
			return fail(why, "%s: neither true nor false",
			    p->name);
		json_put_bool(b, tok == JSON_TRUE);
	}
	return 0;
}

/* Is json an object of the type's parameters?  0 or -1. */
static int
keys(const struct check_type *t, struct str json, struct fail *why)
{
	struct json j = JSON(json);
	struct str key, raw;
	char name[32];

	if (json_valid(json, why) == -1)
		return fail_in(why, "params");
	if (json_next(&j, &key) != JSON_OBJ)
		return fail(why, "params: not an object");
	while (json_next(&j, &key) == JSON_KEY) {
		if (json_unescape(key, name, sizeof name) == -1 ||
		    check_param(t, str_of(name)) == NULL)
			return fail(why, "params: %s has no parameter "
			    "\"%.*s\"", t->name, key.n > 32 ? 32 : (int)key.n,
			    key.p);
		json_value(&j, &raw);
	}
	return 0;
}

/* How many may run, max -1 being any number; returns what min is unless it
 * is given. */
static int64_t
process_limits(struct str params, int64_t *min, int64_t *max)
{
	int64_t least;

	*max = -1;
	check_param_int(params, "max", 0, INT32_MAX, max);
	*min = least = *max == 0 ? 0 : 1;
	check_param_int(params, "min", 0, INT32_MAX, min);
	return least;
}

/* The canonical text of json, which has no other keys. */
static int
put_params(struct buf *b, const struct check_type *t, struct str json,
    const char **field, struct fail *why)
{
	const struct check_param *p;
	int64_t min, max, least = process_limits(json, &min, &max);
	enum json_tok tok;
	struct str raw;
	struct buf was;
	unsigned i;

	json_obj(b);
	for (i = 0; i < t->params; i++) {
		p = &t->param[i];
		*field = p->name;
		tok = json_member(json, p->name, &raw);
		if (tok == JSON_END || tok == JSON_NULL) {
			if (p->required)
				return fail(why, "%s: a %s check needs it",
				    p->name, t->name);
			continue;
		}
		was = *b;
		if (put_param(b, p, tok, raw, why) == -1)
			return -1;
		if (is_process(t) && strcmp(p->name, "min") == 0 &&
		    min == least)
			*b = was;
	}
	json_obj_end(b);
	if (is_process(t) && max >= 0 && max < min)
		return fail(why, "max: less than min, which is %d", (int)min);
	return 0;
}

int
check_params(const struct check_type *t, struct str json, struct buf *out,
    const char **field, struct fail *why)
{
	char text[CHECK_PARAMS_MAX];
	/* Apart from what out holds, which the writer would put a comma
	 * after. */
	struct buf b = BUF(text);

	*field = "params";
	if (json.n == 0)
		json = STR("{}");
	if (keys(t, json, why) == -1 ||
	    put_params(&b, t, json, field, why) == -1)
		return -1;
	*field = "params";
	buf_add(out, str_from(&b));
	if (b.full || out->full)
		return fail(why, "params: longer than %d bytes",
		    CHECK_PARAMS_MAX);
	*field = NULL;
	return 0;
}

bool
check_name_ok(struct str s)
{
	return s.n > 0 && s.n <= CHECK_NAME_MAX && s.p[0] != ' ' &&
	    s.p[s.n - 1] != ' ' && str_is_of(s, ALERT_NAME_CHARS " ");
}

void
check_name(const struct check_type *t, struct str params, struct buf *out)
{
	char text[CHECK_TEXT_MAX + 1], name[CHECK_TEXT_MAX + 64];
	size_t i;
	struct buf b = BUF(name);

	buf_addz(&b, t->name);
	if (t->params > 0 && check_param_text(params, t->param[0].name, text,
	    sizeof text) == 0)
		buf_addf(&b, " %s", text);
	if (b.n > CHECK_NAME_MAX)
		b.n = CHECK_NAME_MAX;
	for (i = 0; i < b.n; i++)
		if (name[i] == '/')
			name[i] = ':';
		else if (strchr(ALERT_NAME_CHARS, name[i]) == NULL &&
		    (name[i] != ' ' || i + 1 == b.n))
			name[i] = '_';
	buf_add(out, str_from(&b));
}

static int
add_bound(struct alert_list *l, bool above, int64_t limit)
{
	if (l->n == ALERT_BOUNDS_MAX)
		return -1;
	l->bound[l->n++] = (struct alert_bound){ .above = above,
	    .limit = limit * 1000 };
	return 0;
}

int
check_rule(const struct check_type *t, struct str params,
    struct alert_rule *r)
{
	struct alert_list crit = r->crit;
	int64_t min, max;

	if (!is_process(t))
		return 0;
	process_limits(params, &min, &max);
	if ((min > 0 && add_bound(&crit, false, min) == -1) ||
	    (max >= 0 && add_bound(&crit, true, max) == -1))
		return -1;
	r->crit = crit;
	return 0;
}

/* A number for people: at most one decimal. */
static void
put_short(struct buf *b, int64_t v)
{
	int64_t half = v < 0 ? -50 : 50;

	buf_milli(b, (v / 100 + (v % 100 + half) / 100) * 100);
}

/* "above 90", "iowait 63 above 50", "at least 1 expected". */
static void
put_bound(struct buf *b, const struct check_type *t,
    const struct alert_result *res, const struct alert_bound *bound)
{
	int64_t v;

	if (is_process(t) && bound->metric[0] == '\0') {
		buf_addz(b, bound->above ? "at most " : "at least ");
		buf_milli(b, bound->limit);
		buf_addz(b, " expected");
		return;
	}
	if (bound->metric[0] != '\0' && alert_value(bound, res, &v) == 0) {
		buf_addf(b, "%s ", bound->metric);
		put_short(b, v);
		buf_addc(b, ' ');
	}
	buf_addz(b, bound->above ? "above " : "below ");
	buf_milli(b, bound->limit);
}

void
check_text(struct buf *b, const struct check_type *t, struct str params,
    const struct alert_rule *r, const struct alert_result *res,
    const struct alert_bound *bound, struct str message)
{
	size_t from = b->n;

	(void)params;
	if (res->has_value) {
		put_short(b, res->value);
		buf_addf(b, " %s", t->shown);
	}
	if (bound != NULL) {
		buf_addz(b, b->n > from ? ", " : "");
		put_bound(b, t, res, bound);
		if (r != NULL && r->for_ms > 0) {
			buf_addz(b, is_process(t) ? ", for " : " for ");
			buf_duration(b, r->for_ms);
		}
		if (r != NULL && r->of > 1)
			buf_addf(b, ", %u of %u results", r->hits, r->of);
	}
	if (message.n > 0) {
		buf_addz(b, b->n > from ? ": " : "");
		buf_add(b, message);
	}
	if (b->n == from)
		buf_addz(b, "no value");
}
