#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "test.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* want: the canonical text, or NULL and the field that is wrong. */
static const struct {
	const char *type, *in, *want, *field;
} params[] = {
	{ "cpu", "", "{}", NULL },
	{ "cpu", "{}", "{}", NULL },
	{ "cpu", " { } ", "{}", NULL },
	{ "cpu", "{\"x\":1}", NULL, "params" },
	{ "cpu", "[]", NULL, "params" },
	{ "cpu", "{} {}", NULL, "params" },
	{ "cpu", "{", NULL, "params" },
	{ "cpu", "null", NULL, "params" },
	{ "process", "", NULL, "process_name" },
	{ "process", "{}", NULL, "process_name" },
	{ "process", "{\"process_name\":null}", NULL, "process_name" },
	{ "process", "{\"process_name\":7}", NULL, "process_name" },
	{ "process", "{\"process_name\":\"\"}", NULL, "process_name" },
	{ "process", "{\"process_name\":\"a\\nb\"}", NULL, "process_name" },
	{ "process", "{\"process_name\":\"a\\u007fb\"}", NULL,
	    "process_name" },
	{ "process", "{\"process_name\":\"a\\u0000\"}", NULL,
	    "process_name" },
	{ "process", "{\"process_name\":\"\xc3\xa9\"}",
	    "{\"process_name\":\"\xc3\xa9\"}", NULL },
	{ "process", "{\"process_name\":\"" X64 X64 X64 X64 "\"}",
	    "{\"process_name\":\"" X64 X64 X64 X64 "\"}", NULL },
	{ "process", "{\"process_name\":\"" X64 X64 X64 X64 "x\"}", NULL,
	    "process_name" },
	{ "process", "{\"proc\\u0065ss_name\":\"a\"}",
	    "{\"process_name\":\"a\"}", NULL },
	{ "process", "{\"process_name\":\"a\",\"process_name\":\"b\"}", NULL,
	    "params" },
	{ "process", "{\"max\":3,\"min\":2,\"user\":\"u\","
	    "\"process_name\":\"a\"}", "{\"process_name\":\"a\","
	    "\"user\":\"u\",\"min\":2,\"max\":3}", NULL },
	{ "process", "{\"process_name\":\"a\",\"min\":1}",
	    "{\"process_name\":\"a\"}", NULL },
	{ "process", "{\"process_name\":\"a\",\"min\":1e0,\"max\":null}",
	    "{\"process_name\":\"a\"}", NULL },
	{ "process", "{\"process_name\":\"a\",\"min\":0}",
	    "{\"process_name\":\"a\",\"min\":0}", NULL },
	{ "process", "{\"process_name\":\"a\",\"max\":0}",
	    "{\"process_name\":\"a\",\"max\":0}", NULL },
	{ "process", "{\"process_name\":\"a\",\"min\":0,\"max\":0}",
	    "{\"process_name\":\"a\",\"max\":0}", NULL },
	{ "process", "{\"process_name\":\"a\",\"min\":1,\"max\":0}", NULL,
	    "max" },
	{ "process", "{\"process_name\":\"a\",\"min\":3,\"max\":2}", NULL,
	    "max" },
	{ "process", "{\"process_name\":\"a\",\"min\":3,\"max\":3}",
	    "{\"process_name\":\"a\",\"min\":3,\"max\":3}", NULL },
	{ "process", "{\"process_name\":\"a\",\"min\":-1}", NULL, "min" },
	{ "process", "{\"process_name\":\"a\",\"min\":1.5}", NULL, "min" },
	{ "process", "{\"process_name\":\"a\",\"min\":\"2\"}", NULL, "min" },
	{ "process", "{\"process_name\":\"a\",\"max\":999999}",
	    "{\"process_name\":\"a\",\"max\":999999}", NULL },
	{ "process", "{\"process_name\":\"a\",\"max\":1000000}",
	    "{\"process_name\":\"a\",\"max\":1000000}", NULL },
	{ "process", "{\"process_name\":\"a\",\"max\":1000001}", NULL,
	    "max" },
	{ "process", "{\"process_name\":\"a\",\"paths\":\"b\"}", NULL,
	    "params" },
	{ "process", "{\"pattern\":\"^a -b\",\"process_name\":\"a\"}",
	    "{\"process_name\":\"a\",\"pattern\":\"^a -b\"}", NULL },
	{ "process", "{\"pattern\":\"b\"}", "{\"pattern\":\"b\"}", NULL },
	{ "process", "{\"process_name\":null,\"min\":1}", NULL,
	    "process_name" },
	{ "disk", "", "{}", NULL },
	{ "disk", "{\"path\":\"*\"}", "{}", NULL },
	{ "disk", "{\"path\":\"/*\"}", "{\"path\":\"/*\"}", NULL },
	{ "load", "{\"minutes\":1}", "{\"minutes\":1}", NULL },
	{ "load", "{\"minutes\":15}", "{\"minutes\":15}", NULL },
	{ "load", "{\"minutes\":14}", NULL, "minutes" },
	{ "load", "{\"minutes\":0}", NULL, "minutes" },
	{ "tcp", "{\"host\":\"h\"}", NULL, "port" },
	{ "tcp", "{\"host\":\"h\",\"port\":65536}", NULL, "port" },
	{ "http", "{\"url\":\"http://h/\",\"redirects\":11}", NULL,
	    "redirects" },
	{ "heartbeat", "{}", NULL, "period_s" },
	{ "heartbeat", "{\"period_s\":0}", NULL, "period_s" },
	{ "heartbeat", "{\"period_s\":1}", "{\"period_s\":1}", NULL },
	{ "heartbeat", "{\"period_s\":2592000}", "{\"period_s\":2592000}",
	    NULL },
	{ "heartbeat", "{\"period_s\":2592001}", NULL, "period_s" },
	{ "heartbeat", "{\"period_s\":\"1d\"}", NULL, "period_s" },
	{ "heartbeat", "{\"grace_s\":0,\"period_s\":60}",
	    "{\"period_s\":60,\"grace_s\":0}", NULL },
	{ "heartbeat", "{\"period_s\":60,\"grace_s\":30}",
	    "{\"period_s\":60}", NULL },
	{ "heartbeat", "{\"period_s\":155,\"grace_s\":30}",
	    "{\"period_s\":155,\"grace_s\":30}", NULL },
	{ "heartbeat", "{\"period_s\":155,\"grace_s\":31}",
	    "{\"period_s\":155}", NULL },
	{ "heartbeat", "{\"period_s\":60,\"grace_s\":2592001}", NULL,
	    "grace_s" },
	{ "heartbeat", "{\"period_s\":60,\"grace_s\":-1}", NULL, "grace_s" },
};

static void
test_params(void)
{
	char text[2 * CHECK_PARAMS_MAX];
	const struct check_type *t;
	const char *field;
	struct fail why;
	struct buf b;
	size_t i;
	int rc;

	for (i = 0; i < COUNT(params); i++) {
		t = check_type(str_of(params[i].type));
		buf_init(&b, text, sizeof text);
		buf_addz(&b, "{}");	/* what is there already stays */
		why.msg[0] = '\0';
		rc = check_params(t, str_of(params[i].in), &b, &field, &why);
		if (params[i].want == NULL) {
			CHECK_ROW(i, rc == -1 && why.msg[0] != '\0');
			CHECK_ROW(i, field != NULL &&
			    strcmp(field, params[i].field) == 0);
			continue;
		}
		CHECK_ROW(i, rc == 0 && b.n > 2);
		CHECK_ROW(i, str_is((struct str){ text + 2, b.n - 2 },
		    params[i].want));
	}
}

/* Cut anywhere it is refused. */
static void
test_params_cut(void)
{
	static const char whole[] = "{\"process_name\":\"a\\u00e9b\","
	    "\"user\":\"u\",\"min\":2,\"max\":3}";
	char text[CHECK_PARAMS_MAX], *copy;
	const struct check_type *t = check_type(STR("process"));
	const char *field;
	struct fail why;
	struct buf b;
	size_t i;

	for (i = 1; i < sizeof whole; i++) {
		copy = malloc(i);	/* just that, for the sanitizer */
		if (copy == NULL)
			return;
		memcpy(copy, whole, i);
		buf_init(&b, text, sizeof text);
		CHECK_ROW(i, check_params(t, (struct str){ copy, i }, &b,
		    &field, &why) == (i == sizeof whole - 1 ? 0 : -1));
		free(copy);
	}
	for (i = 19; i <= 21; i++) {	/* it takes 20 bytes */
		buf_init(&b, text, i);
		CHECK_ROW(i, check_params(t, STR("{\"process_name\":\"a\"}"),
		    &b, &field, &why) == (i < 20 ? -1 : 0));
	}
}

static void
test_types(void)
{
	unsigned i;

	CHECK(check_type(STR("")) == NULL && check_type(STR("CPU")) == NULL);
	CHECK(check_type(STR("cpuu")) == NULL && check_type(STR("cp")) == NULL);
	for (i = 0; i < check_types_n; i++)
		CHECK_ROW(i, check_type(str_of(check_types[i].name)) ==
		    &check_types[i] && check_types[i].shown != NULL &&
		    check_types[i].params <= 8);
}

static const struct {
	const char *type, *params, *want;
} names[] = {
	{ "cpu", "{}", "cpu" },
	{ "heartbeat", "{\"period_s\":60}", "heartbeat" },
	{ "process", "{\"process_name\":\"nginx\"}", "process nginx" },
	{ "process", "{\"process_name\":\"kworker/0:1\"}",
	    "process kworker:0:1" },
	{ "process", "{\"process_name\":\"a (b)\"}", "process a _b_" },
	{ "process", "{\"pattern\":\"^a -b\",\"min\":2}", "process _a -b" },
	{ "load", "{\"minutes\":1}", "load" },
	{ "process", "{\"process_name\":\"a \"}", "process a_" },
	{ "process", "{\"process_name\":\" \"}", "process _" },
	{ "process", "{\"process_name\":\"\xc3\xa9\"}", "process __" },
	{ "process", "{\"process_name\":\"" X64 X64 X64 X64 "\"}",
	    "process xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxx" },
	{ "process", "{\"process_name\":\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyyyyyyyyyyyyyyyyy z\"}", "process yyyyyyyyyyyyyyyyyyyyyyyyyyy"
	    "yyyyyyyyyyyyyyyyyyyyyyyyyyyy_" },
};

static void
test_names(void)
{
	char text[128];
	struct buf b;
	size_t i;

	for (i = 0; i < COUNT(names); i++) {
		buf_init(&b, text, sizeof text);
		check_name(check_type(str_of(names[i].type)),
		    str_of(names[i].params), &b);
		CHECK_ROW(i, str_is(str_from(&b), names[i].want));
		CHECK_ROW(i, check_name_ok(str_from(&b)));
	}
	CHECK(!check_name_ok(STR("")) && !check_name_ok(STR(" ")));
	CHECK(!check_name_ok(STR(" a")) && !check_name_ok(STR("a ")));
	CHECK(check_name_ok(STR("a  b")) && check_name_ok(STR("A-z.0:9_")));
	CHECK(!check_name_ok(STR("a/b")) && !check_name_ok(STR("a\tb")));
	CHECK(!check_name_ok(STR("\xe9")) && !check_name_ok(STR("a\0b")));
	CHECK(check_name_ok(STR(X64)) && !check_name_ok(STR(X64 "x")));
}

/* The bounds a process check adds, as text. */
static const struct {
	const char *params;
	unsigned before;
	int rc;
	const char *want;
} rules[] = {
	{ "{\"process_name\":\"a\"}",			0, 0, "below 1;" },
	{ "{\"process_name\":\"a\",\"min\":0}",		0, 0, "" },
	{ "{\"process_name\":\"a\",\"min\":2}",		0, 0, "below 2;" },
	{ "{\"process_name\":\"a\",\"max\":3}",		0, 0,
	    "below 1;above 3;" },
	{ "{\"process_name\":\"a\",\"max\":0}",		0, 0, "above 0;" },
	{ "{\"process_name\":\"a\",\"min\":0,\"max\":2}", 0, 0, "above 2;" },
	{ "{\"process_name\":\"a\",\"max\":3}",		2, 0,
	    "below 1;above 3;" },
	{ "{\"process_name\":\"a\",\"max\":3}",		3, -1, "" },
	{ "{\"process_name\":\"a\"}",			3, 0, "below 1;" },
	{ "{\"process_name\":\"a\"}",			4, -1, "" },
	{ "{\"process_name\":\"a\",\"min\":0}",		4, 0, "" },
};

static void
test_rules(void)
{
	const struct check_type *t = check_type(STR("process"));
	struct alert_rule r;
	char text[256];
	struct buf b;
	unsigned k;
	size_t i;

	for (i = 0; i < COUNT(rules); i++) {
		memset(&r, 0, sizeof r);
		r.crit.n = rules[i].before;
		CHECK_ROW(i, check_rule(t, str_of(rules[i].params), &r) ==
		    rules[i].rc);
		buf_init(&b, text, sizeof text);
		for (k = rules[i].before; k < r.crit.n; k++) {
			alert_bound_put(&b, &r.crit.bound[k]);
			buf_addc(&b, ';');
		}
		CHECK_ROW(i, str_is(str_from(&b), rules[i].want));
	}
	memset(&r, 0, sizeof r);
	CHECK(check_rule(check_type(STR("cpu")), STR("{}"), &r) == 0 &&
	    r.crit.n == 0);
}

static const struct {
	const char *params;
	int64_t period_ms, grace_ms;
} beats[] = {
	{ "{\"period_s\":1}",				1000, 30000 },
	{ "{\"period_s\":154}",				154000, 30000 },
	{ "{\"period_s\":155}",				155000, 31000 },
	{ "{\"period_s\":86400}",			86400000, 17280000 },
	{ "{\"period_s\":86400,\"grace_s\":3600}",	86400000, 3600000 },
	{ "{\"period_s\":60,\"grace_s\":0}",		60000, 0 },
	{ "",						86400000, 30000 },
};

static void
test_beats(void)
{
	int64_t period_ms, grace_ms;
	size_t i;

	for (i = 0; i < COUNT(beats); i++) {
		check_beat(str_of(beats[i].params), &period_ms, &grace_ms);
		CHECK_ROW(i, period_ms == beats[i].period_ms &&
		    grace_ms == beats[i].grace_ms);
	}
	CHECK(check_is_beat(check_type(STR("heartbeat"))) &&
	    !check_is_beat(check_type(STR("cpu"))));
}

/* value in thousandths; bound "" is none. */
static const struct {
	const char *type;
	bool has_value;
	int64_t value, for_ms;
	unsigned hits, of;
	const char *bound, *message, *want;
} texts[] = {
	{ "process", true, 1000, 0, 1, 1, "", "", "1 running" },
	{ "process", true, 0, 0, 1, 1, "below 1", "",
	    "0 running, at least 1 expected" },
	{ "process", true, 5000, 0, 1, 1, "above 3", "",
	    "5 running, at most 3 expected" },
	{ "process", true, 5000, 60000, 1, 1, "above 3", "",
	    "5 running, at most 3 expected, for 1 m" },
	{ "process", true, 1000, 0, 1, 1, "rss_bytes above 2", "",
	    "1 running, rss_bytes 7.3 above 2" },
	{ "cpu", true, 12100, 0, 1, 1, "", "", "12.1 percent" },
	{ "cpu", true, 12149, 0, 1, 1, "", "", "12.1 percent" },
	{ "cpu", true, 12150, 0, 1, 1, "", "", "12.2 percent" },
	{ "cpu", true, 99950, 0, 1, 1, "", "", "100 percent" },
	{ "cpu", true, -150, 0, 1, 1, "", "", "-0.2 percent" },
	{ "cpu", true, MILLI_MAX, 0, 1, 1, "", "",
	    "9000000000000000 percent" },
	{ "cpu", true, 99800, 5000, 1, 1, "above 90", "",
	    "99.8 percent, above 90 for 5 s" },
	{ "cpu", true, 99800, 0, 3, 5, "above 90", "",
	    "99.8 percent, above 90, 3 of 5 results" },
	{ "cpu", true, 99800, 5000, 1, 1, "", "", "99.8 percent" },
	{ "cpu", true, 12100, 0, 1, 1, "iowait above 50.25", "",
	    "12.1 percent, above 50.25" },
	{ "cpu", true, 12100, 0, 1, 1, "", "odd", "12.1 percent: odd" },
	{ "process", false, 0, 0, 1, 1, "", "no user x", "no user x" },
	{ "uptime", true, 280381500, 0, 1, 1, "", "",
	    "3 d 5 h since the boot" },
	{ "uptime", true, 12345, 0, 1, 1, "below 300", "just booted",
	    "12 s since the boot, below 300: just booted" },
	{ "file", true, 59999, 0, 1, 1, "", "", "59 s old" },
	{ "network", true, 999999, 0, 1, 1, "", "", "1000 bit/s" },
	{ "network", true, 1000000, 0, 1, 1, "", "", "1 kbit/s" },
	{ "network", true, 940123456789, 0, 1, 1, "above 900000000", "",
	    "940.1 Mbit/s, above 900000000" },
	{ "network", true, MILLI_MAX, 0, 1, 1, "", "", "9000 Tbit/s" },
	{ "heartbeat", true, 0, 0, 1, 1, "", "", "0 s since the last beat" },
	{ "heartbeat", true, 0, 0, 1, 1, "", "3 GB", "3 GB" },
	{ "heartbeat", true, 330412, 0, 1, 1, "above 60",
	    "no beat for 5 m 30 s", "above 60: no beat for 5 m 30 s" },
	{ "process", false, 0, 0, 1, 1, "", "", "no value" },
};

static void
test_texts(void)
{
	static const struct alert_metric rss = { { "rss_bytes", 9 }, 7321 };
	struct alert_rule r;
	struct alert_bound bound;
	struct alert_result res;
	char text[256];
	struct fail why;
	struct buf b;
	bool has;
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		memset(&r, 0, sizeof r);
		r.for_ms = texts[i].for_ms;
		r.hits = texts[i].hits;
		r.of = texts[i].of;
		res = (struct alert_result){ .given = STATUS_NONE,
		    .has_value = texts[i].has_value, .value = texts[i].value,
		    .metrics = 1, .metric = &rss };
		has = texts[i].bound[0] != '\0';
		if (has)
			CHECK_ROW(i, alert_bound_parse(
			    str_of(texts[i].bound), &bound, &why) == 0);
		buf_init(&b, text, sizeof text);
		check_text(&b, check_type(str_of(texts[i].type)), &r, &res,
		    has ? &bound : NULL, str_of(texts[i].message));
		CHECK_ROW(i, str_is(str_from(&b), texts[i].want));
	}
	buf_init(&b, text, sizeof text);
	check_text(&b, check_type(STR("cpu")), NULL, &res, &bound, STR(""));
	CHECK(b.n > 0);		/* a rule need not be given */
}

int
main(void)
{
	test_types();
	test_params();
	test_params_cut();
	test_names();
	test_rules();
	test_beats();
	test_texts();
	return test_end();
}
