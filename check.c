/* check.c: see check.h. */

#include "check.h"

static const struct check_param process_param[] = {
	{ "process_name", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "the program's name, without its path", false },
	{ "pattern", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "an extended regular expression on its command line", false },
	{ "user", PARAM_TEXT, 1, 64, "whose processes count", false },
	{ "min",  PARAM_INT,  0, 1000000, "at least this many (1)", false },
	{ "max",  PARAM_INT,  0, 1000000, "at most this many", false },
};

#define TIMEOUT	{ "timeout_ms", PARAM_INT, 100, 60000, \
	"how long it may take (10000)", false }

static const struct check_param load_param[] = {
	{ "minutes", PARAM_INT, 1, 15, "the mean of 1, 5 or 15 (5)", false },
};

static const struct check_param disk_param[] = {
	{ "path", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "what is on it; \"*\": the fullest of all (*)", false },
};

static const struct check_param network_param[] = {
	{ "interface", PARAM_TEXT, 1, 15, "its name: eth0", true },
};

static const struct check_param temperature_param[] = {
	{ "zone", PARAM_TEXT, 1, 64, "one sensor of it (the hottest)", false },
};

static const struct check_param number_param[] = {
	{ "path", PARAM_TEXT, 1, CHECK_TEXT_MAX, "a file that has it", true },
	{ "of", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "a file, or a number, that is 100 percent", false },
};

static const struct check_param service_param[] = {
	{ "service_name", PARAM_TEXT, 1, CHECK_TEXT_MAX, "its name", true },
	{ "expected_status", PARAM_TEXT, 1, 32,
	    "running or stopped (running)", false },
};

static const struct check_param tcp_param[] = {
	{ "host", PARAM_TEXT, 1, CHECK_TEXT_MAX, "a name or address", true },
	{ "port", PARAM_INT, 1, 65535, "where it listens", true },
	{ "expect", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "what it says first begins so", false },
	TIMEOUT,
};

static const struct check_param http_param[] = {
	{ "url", PARAM_TEXT, 1, CHECK_TEXT_MAX, "http:// or https://", true },
	{ "expect_status", PARAM_INT, 100, 599, "the status (any of 2xx)",
	    false },
	{ "expect_body", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "what stands in its body", false },
	{ "redirects", PARAM_INT, 0, 10, "how many are followed (0)", false },
	TIMEOUT,
};

static const struct check_param ping_param[] = {
	{ "host", PARAM_TEXT, 1, CHECK_TEXT_MAX, "a name or address", true },
	{ "count", PARAM_INT, 1, 20, "how many (3)", false },
	TIMEOUT,
};

static const struct check_param dns_param[] = {
	{ "name", PARAM_TEXT, 1, CHECK_TEXT_MAX, "what is asked for", true },
	{ "server", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "who is asked: ADDRESS or ADDRESS:PORT (resolv.conf's)", false },
	{ "record", PARAM_TEXT, 1, 8,
	    "A, AAAA, CNAME, MX, NS, PTR, SOA or TXT (A)", false },
	{ "expect", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "one of the answers", false },
	TIMEOUT,
};

static const struct check_param file_param[] = {
	{ "path", PARAM_TEXT, 1, CHECK_TEXT_MAX, "a path from / on", true },
	{ "exists", PARAM_INT, 0, 1, "0: it must not be there (1)", false },
	{ "max_age_s", PARAM_INT, 0, INT32_MAX,
	    "changed no longer ago than this", false },
	{ "min_bytes", PARAM_INT, 0, INT64_MAX / 2000, "at least so large",
	    false },
	{ "max_bytes", PARAM_INT, 0, INT64_MAX / 2000, "at most so large",
	    false },
};

static const struct check_param log_param[] = {
	{ "path", PARAM_TEXT, 1, CHECK_TEXT_MAX, "a path from / on", true },
	{ "pattern", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "an extended regular expression on a line", true },
};

static const struct check_param command_param[] = {
	{ "program", PARAM_TEXT, 1, 64,
	    "its name in the agent's directory -P", true },
	{ "args", PARAM_TEXT, 1, CHECK_TEXT_MAX,
	    "words; \"...\" makes one of several", false },
	TIMEOUT,
};

static const struct check_param heartbeat_param[] = {
	{ "period_s", PARAM_INT, 1, 30 * 86400, "how often it beats", true },
	{ "grace_s", PARAM_INT, 0, 30 * 86400,
	    "how late a beat may come (a fifth of it, at least 30)", false },
};

const struct check_type check_types[] = {
	{ "process", "", process_param, COUNT(process_param), "running" },
	{ "cpu", "percent", NULL, 0, "percent" },
	{ "memory", "percent", NULL, 0, "percent used" },
	{ "swap", "percent", NULL, 0, "percent used" },
	{ "load", "", load_param, COUNT(load_param), "per CPU" },
	{ "disk", "percent", disk_param, COUNT(disk_param), "percent used" },
	{ "network", "bits_per_s", network_param, COUNT(network_param),
	    "bit/s" },
	{ "temperature", "celsius", temperature_param,
	    COUNT(temperature_param), "degrees Celsius" },
	{ "uptime", "seconds", NULL, 0, "since the boot" },
	{ "number", "", number_param, COUNT(number_param), "" },
	{ "service", "", service_param, COUNT(service_param), "running" },
	{ "tcp", "ms", tcp_param, COUNT(tcp_param), "ms" },
	{ "http", "ms", http_param, COUNT(http_param), "ms" },
	{ "ping", "ms", ping_param, COUNT(ping_param), "ms" },
	{ "dns", "ms", dns_param, COUNT(dns_param), "ms" },
	{ "file", "seconds", file_param, COUNT(file_param), "old" },
	{ "log", "", log_param, COUNT(log_param), "new lines" },
	{ "command", "", command_param, COUNT(command_param), "" },
	{ "heartbeat", "seconds", heartbeat_param, COUNT(heartbeat_param),
	    "s since the last beat" },
	{ NULL, NULL, NULL, 0, NULL }
};
const unsigned check_types_n = COUNT(check_types) - 1;

static bool
is_process(const struct check_type *t)
{
	return t->param == process_param;
}

const struct check_type *
check_type(struct str name)
{
	return str_row(check_types, check_types_n, sizeof *check_types, name);
}

const struct check_param *
check_param(const struct check_type *t, struct str name)
{
	return t == NULL ? NULL :
	    str_row(t->param, t->params, sizeof *t->param, name);
}

/* How many must run, and may: max -1 is any number.  What min is when it is
 * not given. */
static int64_t
process_limits(struct str params, int64_t *min, int64_t *max)
{
	*max = -1;
	check_param_int(params, "max", 0, INT32_MAX, max);
	*min = *max != 0;
	check_param_int(params, "min", 0, INT32_MAX, min);
	return *max != 0;
}

bool
check_is_beat(const struct check_type *t)
{
	return t->param == heartbeat_param;
}

/* What grace is when it is not given. */
static int64_t
beat_grace_s(struct str params)
{
	int64_t s = 0;

	check_param_int(params, "period_s", 0, INT32_MAX, &s);
	return s / 5 < 30 ? 30 : s / 5;
}

void
check_beat(struct str params, int64_t *period_ms, int64_t *grace_ms)
{
	int64_t s = 86400;	/* should damage have taken it away */

	check_param_int(params, "period_s", 1, INT32_MAX, &s);
	*period_ms = s * 1000;
	s = beat_grace_s(params);
	check_param_int(params, "grace_s", 0, INT32_MAX, &s);
	*grace_ms = s * 1000;
}

/* What an integer is when it is not given; -1: nothing. */
static int64_t
default_of(const struct check_type *t, const struct check_param *p,
    struct str json)
{
	int64_t min, max;

	if (is_process(t) && strcmp(p->name, "min") == 0)
		return process_limits(json, &min, &max);
	return check_is_beat(t) && !p->required ? beat_grace_s(json) : -1;
}

/* A parameter to the canonical ones: it may be absent, or what it is anyway. */
static int
put_param(struct buf *b, const struct check_type *t,
    const struct check_param *p, struct str json, struct fail *why)
{
	char text[CHECK_TEXT_MAX + 1];
	struct str raw;
	enum json_tok tok = json_member(json, p->name, &raw);
	int64_t n;

	if (tok == JSON_END || tok == JSON_NULL)
		return !p->required ? 0 : fail(why, "%s: a %s check needs it",
		    p->name, t->name);
	if (p->type == PARAM_INT) {
		if (tok != JSON_NUM || json_int(raw, p->min, p->max, &n) == -1)
			return fail(why, "%s: not a whole number from %lld "
			    "to %lld", p->name, (long long)p->min,
			    (long long)p->max);
		if (p == load_param && n != 1 && n != 5 && n != 15)
			return fail(why, "minutes: not 1, 5 or 15");
		if (n != default_of(t, p, json))
			json_add_int(b, p->name, n);
		return 0;
	}
	if (tok != JSON_STR || json_unescape(raw, text, sizeof text) == -1 ||
	    strlen(text) < (size_t)p->min || strlen(text) > (size_t)p->max ||
	    !str_is_plain(str_of(text)))
		return fail(why, "%s: not a text of %d to %d bytes without "
		    "control characters", p->name, (int)p->min, (int)p->max);
	if (p != disk_param || strcmp(text, "*") != 0)	/* as if not given */
		json_add(b, p->name, str_of(text));
	return 0;
}

static bool
is_given(struct str json, const char *name)
{
	struct str raw;
	enum json_tok tok = json_member(json, name, &raw);

	return tok != JSON_END && tok != JSON_NULL;
}

int
check_params(const struct check_type *t, struct str json, struct buf *out,
    const char **field, struct fail *why)
{
	char text[CHECK_PARAMS_MAX], name[CHECK_PARAM_MAX];
	/* Apart from what out holds, which the writer would put a comma
	 * after. */
	struct buf b = BUF(text);
	struct json j;
	struct str key, raw;
	int64_t min, max;

	*field = "params";
	if (json.n == 0)
		json = STR("{}");
	/* Is it an object, of the type's parameters? */
	if (json_valid(json, why) == -1)
		return fail_in(why, "params");
	json_open(&j, json);
	if (json_next(&j, &key) != JSON_OBJ)
		return fail(why, "params: not an object");
	while (json_next(&j, &key) == JSON_KEY) {
		if (json_unescape(key, name, sizeof name) == -1 ||
		    check_param(t, str_of(name)) == NULL)
			return fail(why, "params: %s has no parameter "
			    "\"%.*s\"", t->name, key.n > CHECK_PARAM_MAX ?
			    CHECK_PARAM_MAX : (int)key.n, key.p);
		json_value(&j, &raw);
	}
	json_obj(&b);
	for (unsigned i = 0; i < t->params; i++) {
		*field = t->param[i].name;
		if (put_param(&b, t, &t->param[i], json, why) == -1)
			return -1;
	}
	json_obj_end(&b);
	process_limits(json, &min, &max);
	*field = is_process(t) ? "process_name" : *field;
	if (is_process(t) && !is_given(json, "process_name") &&
	    !is_given(json, "pattern"))
		return fail(why, "process_name: a process check needs it, or "
		    "a pattern");
	*field = is_process(t) ? "max" : *field;
	if (is_process(t) && max >= 0 && max < min)
		return fail(why, "max: less than min, which is %d", (int)min);
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
	struct buf b = BUF(name);

	buf_addz(&b, t->name);
	for (unsigned i = 0; i < t->params; i++)
		if (check_param_text(params, t->param[i].name, text,
		    sizeof text) == 0) {
			buf_addf(&b, " %s", text);
			break;
		}
	if (b.n > CHECK_NAME_MAX)
		b.n = CHECK_NAME_MAX;
	for (size_t i = 0; i < b.n; i++)
		if (name[i] == '/')
			name[i] = ':';
		else if (strchr(ALERT_NAME_CHARS, name[i]) == NULL &&
		    (name[i] != ' ' || i + 1 == b.n))
			name[i] = '_';
	buf_add(out, str_from(&b));
}

int
check_rule(const struct check_type *t, struct str params, struct alert_rule *r)
{
	struct alert_list *l = &r->crit;
	int64_t min, max;

	if (!is_process(t))
		return 0;
	process_limits(params, &min, &max);
	if (l->n + (min > 0) + (max >= 0) > ALERT_BOUNDS_MAX)
		return -1;
	if (min > 0)
		l->bound[l->n++] = (struct alert_bound){ .limit = min * 1000 };
	if (max >= 0)
		l->bound[l->n++] = (struct alert_bound){ .above = true,
		    .limit = max * 1000 };
	return 0;
}

/* A number for people: at most one decimal. */
static void
put_short(struct buf *b, int64_t v)
{
	int64_t half = v < 0 ? -50 : 50;

	buf_milli(b, (v / 100 + (v % 100 + half) / 100) * 100);
}

/* A value for people: a time in its own units, many bits in their thousands.
 */
static void
put_value(struct buf *b, const struct check_type *t, int64_t v)
{
	static const char *const times[] = { "", "k", "M", "G", "T" };
	unsigned i = 0;

	if (strcmp(t->unit, "seconds") == 0 && !check_is_beat(t)) {
		buf_duration(b, v < 1000 ? v : v - v % 1000);
		buf_addf(b, " %s", t->shown);
		return;
	}
	if (strcmp(t->unit, "bits_per_s") == 0)
		for (; i + 1 < COUNT(times) && v >= 1000000; i++)
			v /= 1000;
	put_short(b, v);
	buf_addf(b, "%s%s%s", t->shown[0] != '\0' ? " " : "", times[i],
	    t->shown);
}

void
check_text(struct buf *b, const struct check_type *t,
    const struct alert_rule *r, const struct alert_result *res,
    const struct alert_bound *bound, struct str message)
{
	static const char *const words[2][2] = { { "below ", "above " },
	    { "at least ", "at most " } };
	size_t from = b->n;
	bool wanted;
	int64_t v;

	/* Of a beat that came or did not, its message says it all. */
	if (res->has_value && !(check_is_beat(t) && message.n > 0))
		put_value(b, t, res->value);
	if (bound != NULL) {
		buf_addz(b, b->n > from ? ", " : "");
		/* "above 90", "iowait 63 above 50", "at least 1 expected". */
		wanted = is_process(t) && bound->metric[0] == '\0';
		if (bound->metric[0] != '\0' &&
		    alert_value(bound, res, &v) == 0) {
			buf_addf(b, "%s ", bound->metric);
			put_short(b, v);
			buf_addc(b, ' ');
		}
		buf_addz(b, words[wanted][bound->above]);
		buf_milli(b, bound->limit);
		buf_addz(b, wanted ? " expected" : "");
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
