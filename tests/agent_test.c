/* The agent's ring and what it reads and writes on the wire. */
#include <stdlib.h>
#include <string.h>

#include "../agent.h"
#include "../json.h"
#include "test.h"

#define X16	"xxxxxxxxxxxxxxxx"
#define X64	X16 X16 X16 X16

static struct agent_set set;
static char big[AGENT_BODY_MAX + AGENT_LIST_MAX];

static struct probe_result
result(int64_t value, const char *text)
{
	struct probe_result r = { .given = STATUS_NONE, .has_value = true,
	    .value = value };

	snprintf(r.text, sizeof r.text, "%s", text);
	return r;
}

/* Every kind of number goes in and comes out. */
static void
test_ring_pack(void)
{
	static const int64_t v[] = { 0, 1, -1, 63, 64, -64, -65, 8191, 8192,
	    INT64_MAX, INT64_MIN, MILLI_MAX, -MILLI_MAX };
	size_t at = 0;
	struct agent_result out;
	struct probe_result r;
	char text[PROBE_TEXT];
	size_t i;

	memset(text, 't', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	agent_ring_init(AGENT_RING_MIN);
	for (i = 0; i < COUNT(v); i++) {
		r = result(v[i], i % 2 ? "" : "x");
		r.metrics = 2;
		r.metric[0].name = "rss_bytes";
		r.metric[0].value = v[i];
		r.metric[1].name = i % 2 ? "user" : "system";
		r.metric[1].value = -1;
		agent_ring_add(v[i] < 0 ? 1 : v[i], 7, &r);
	}
	r = (struct probe_result){ .given = STATUS_UNKNOWN };
	memcpy(r.text, text, sizeof text);
	agent_ring_add(INT64_MAX, 8, &r);
	for (i = 0; i < COUNT(v); i++) {
		CHECK_ROW(i, agent_ring_next(&at, &out));
		CHECK_ROW(i, out.check == (v[i] < 0 ? 1 : v[i]));
		CHECK_ROW(i, out.mono_ms == 7 && out.r.has_value &&
		    out.r.value == v[i] && out.r.given == STATUS_NONE);
		CHECK_ROW(i, strcmp(out.r.text, i % 2 ? "" : "x") == 0);
		CHECK_ROW(i, out.r.metrics == 2 && out.r.metric[0].value ==
		    v[i] && out.r.metric[1].value == -1);
		CHECK_ROW(i, strcmp(out.r.metric[0].name, "rss_bytes") == 0 &&
		    strcmp(out.r.metric[1].name, i % 2 ? "user" : "system")
		    == 0);
	}
	CHECK(agent_ring_next(&at, &out) && !out.r.has_value &&
	    out.r.given == STATUS_UNKNOWN && out.check == INT64_MAX &&
	    strcmp(out.r.text, text) == 0 && out.r.metrics == 0);
	CHECK(!agent_ring_next(&at, &out));
}

/* Many more than fit: the newest stay, in order, and the rest is counted. */
static void
test_ring_full(void)
{
	size_t at;
	struct probe_result r;
	struct agent_result out;
	int64_t i, last;

	agent_ring_init(AGENT_RING_MIN);
	for (i = 1; i <= 1000; i++) {
		r = result(i, i % 3 ? "" : "some text of it");
		agent_ring_add(i, i, &r);
		last = agent_ring_dropped();
		CHECK_ROW(i, last + agent_ring_count() == i);
		at = 0;
		while (agent_ring_next(&at, &out))
			CHECK_ROW(i, out.check == ++last);
		CHECK_ROW(i, last == i);
	}
}

/* Some under way while others come, and every fate: what is not taken, and
 * not there any more, is dropped; what was told is told once. */
static void
test_ring_fates(void)
{
	size_t at;
	struct probe_result r = result(1, "");
	struct agent_result out;
	int64_t i, taken = 0, told = 0, now_told = 0;
	unsigned n;

	agent_ring_init(AGENT_RING_MIN);
	for (i = 1; i <= 3000; i++) {
		agent_ring_add(i, i, &r);
		if (i % 300 == 0) {
			now_told = agent_ring_dropped();
			agent_ring_sent(agent_ring_count() / 2);
		}
		if (i % 300 != 60 || i == 60)
			continue;
		n = agent_ring_count();
		if (i / 300 % 3 == 0) {
			agent_ring_answered(true);
			/* With those that gave way under way. */
			told += now_told;
			taken = i - agent_ring_count() - told -
			    agent_ring_dropped();
			CHECK_ROW(i, taken > 0 && n > agent_ring_count());
		} else if (i / 300 % 3 == 1) {
			agent_ring_answered(false);
			CHECK_ROW(i, n > agent_ring_count());
		} else {
			agent_ring_sent(n / 3);		/* again */
			CHECK_ROW(i, n == agent_ring_count());
		}
		CHECK_ROW(i, taken + told + agent_ring_dropped() +
		    agent_ring_count() == i);
	}
	agent_ring_sent(agent_ring_count());
	agent_ring_answered(true);
	CHECK(agent_ring_count() == 0 && agent_ring_dropped() == 0);
	at = 0;
	CHECK(!agent_ring_next(&at, &out));
}

static const struct {
	const char *body;
	int rc;
} selves[] = {
	{ "{\"objects\":[{\"id\":3,\"revision\":7,\"check_interval_ms\":10000"
	    "}]}", 0 },
	{ "{\"objects\":[{\"id\":0,\"revision\":7,\"check_interval_ms\":1}]}",
	    -1 },
	{ "{\"objects\":[{\"id\":9223372036854775808,\"revision\":7,"
	    "\"check_interval_ms\":1}]}", -1 },
	{ "{\"objects\":[{\"id\":3,\"revision\":-1,\"check_interval_ms\":1}]}",
	    -1 },
	{ "{\"objects\":[{\"id\":3,\"revision\":7}]}", -1 },
	{ "{\"objects\":[]}", -1 },
	{ "{\"objects\":[{\"id\":1},{\"id\":2}]}", -1 },
	{ "{\"objects\":[3]}", -1 },
	{ "{\"objects\":{}}", -1 },
	{ "[]", -1 }, { "{}", -1 }, { "", -1 }, { "null", -1 },
	{ "{\"objects\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", -1 },
	{ "\xff\xfe", -1 },
};

static void
test_self(void)
{
	struct agent_self s;
	struct fail why;
	size_t i;

	for (i = 0; i < COUNT(selves); i++)
		CHECK_ROW(i, agent_wire_self(str_of(selves[i].body), &s,
		    &why) == selves[i].rc);
	CHECK(agent_wire_self(STR("{\"objects\":[{\"id\":3,\"revision\":7,"
	    "\"check_interval_ms\":10,\"hostname\":\"" X64 "\"}]}"), &s,
	    &why) == 0);
	CHECK(s.id == 3 && s.revision == 7 && s.interval_ms ==
	    AGENT_EVERY_MIN_MS && strcmp(s.hostname, X64) == 0);
	CHECK(agent_wire_self(STR("{\"objects\":[{\"id\":3,\"revision\":7,"
	    "\"check_interval_ms\":10000,\"hostname\":\"" X64 "x\"}]}"), &s,
	    &why) == 0 && s.hostname[0] == '\0' && s.interval_ms == 10000);
}

static const char list[] = "{\"meta\":{},\"objects\":["
    "{\"id\":1,\"name\":\"cpu\",\"type\":\"cpu\",\"params\":{},"
    "\"interval_ms\":null,\"enabled\":true},"
    "{\"id\":2,\"name\":\"off\",\"type\":\"cpu\",\"enabled\":false},"
    "{\"id\":3,\"name\":\"p\",\"type\":\"process\",\"params\":"
    "{\"process_name\":\"a\",\"max\":2},\"interval_ms\":30000},"
    "{\"id\":4,\"name\":\"new\",\"type\":\"\\u001b[2J\",\"params\":{}},"
    "{\"id\":5,\"name\":\"bad\",\"type\":\"process\",\"params\":{},"
    "\"interval_ms\":0},"
    "{\"id\":6,\"name\":\"far\",\"type\":\"cpu\","
    "\"interval_ms\":9223372036854775807}]}";

static void
test_list(void)
{
	struct agent_check *c = set.check;
	struct fail why;
	char *copy;
	size_t i;

	CHECK(agent_wire_checks(str_of(list), 7000, &set, &why) == 0);
	CHECK(set.n == 5);
	CHECK(c[0].id == 1 && c[0].interval_ms == 7000 &&
	    strcmp(c[0].name, "cpu") == 0 && str_is(c[0].params, "{}"));
	CHECK(c[1].id == 3 && c[1].interval_ms == 30000 && str_is(c[1].params,
	    "{\"process_name\":\"a\",\"max\":2}"));
	/* What cannot be run is not passed over: it says so. */
	CHECK(c[2].type == NULL && c[2].params.n > 0);
	CHECK(memchr(c[2].params.p, 0x1b, c[2].params.n) == NULL);
	CHECK(c[3].type == NULL && str_starts(c[3].params,
	    STR("process_name")) && c[3].interval_ms == AGENT_EVERY_MIN_MS);
	CHECK(c[4].interval_ms == AGENT_EVERY_MAX_MS);
	for (i = 0; i < sizeof list; i++) {
		copy = malloc(i + 1);
		if (copy == NULL)
			return;
		memcpy(copy, list, i);
		CHECK_ROW(i, agent_wire_checks((struct str){ copy, i }, 7000,
		    &set, &why) == (i == sizeof list - 1 ? 0 : -1));
		free(copy);
	}
}

/* n checks, padded to a body of at least size bytes. */
static struct str
many(unsigned n, size_t size)
{
	struct buf b;
	unsigned i;

	buf_init(&b, big, sizeof big);
	buf_addz(&b, "{\"objects\":[");
	for (i = 0; i < n; i++)
		buf_addf(&b, "%s{\"id\":%u,\"name\":\"c%u\",\"type\":\"cpu\"}",
		    i > 0 ? "," : "", i + 1, i);
	buf_addz(&b, "]");
	while (b.n + 1 < size)
		buf_addc(&b, ' ');
	buf_addz(&b, "}");
	return str_from(&b);
}

static void
test_list_limits(void)
{
	struct fail why;

	CHECK(agent_wire_checks(many(255, 0), 1000, &set, &why) == 0 &&
	    set.n == 255);
	CHECK(agent_wire_checks(many(256, 0), 1000, &set, &why) == 0 &&
	    set.n == 256);
	CHECK(agent_wire_checks(many(257, 0), 1000, &set, &why) == -1);
	CHECK(agent_wire_checks(many(1, AGENT_LIST_MAX - 1), 1000, &set,
	    &why) == 0);
	CHECK(agent_wire_checks(many(1, AGENT_LIST_MAX), 1000, &set,
	    &why) == 0);
	CHECK(agent_wire_checks(many(1, AGENT_LIST_MAX + 1), 1000, &set,
	    &why) == -1);
	CHECK(agent_wire_checks(STR("{\"objects\":[{\"name\":\"a\"}]}"), 1000,
	    &set, &why) == -1);
	CHECK(agent_wire_checks(STR("{\"objects\":[{\"id\":1}]}"), 1000, &set,
	    &why) == -1);
	CHECK(agent_wire_checks(STR("{\"objects\":[{\"id\":1,\"name\":"
	    "\"\\u001b[2J\"}]}"), 1000, &set, &why) == -1);
	CHECK(agent_wire_checks(STR("{\"objects\":[7]}"), 1000, &set,
	    &why) == -1);
	CHECK(agent_wire_checks(STR("{\"objects\":[]}"), 1000, &set,
	    &why) == 0 && set.n == 0);
}

static const struct {
	const char *body;
	int rc;
	int64_t refused;
	const char *error;
} answers[] = {
	{ "{\"stored\":1,\"refused\":[],\"revision\":7,\"now_ms\":5}", 0, 0,
	    "" },
	{ "{\"revision\":7,\"now_ms\":5}", 0, 0, "" },
	{ "{\"refused\":[{\"index\":0,\"error\":\"gone\"},{\"error\":\"x\"}],"
	    "\"revision\":7,\"now_ms\":5}", 0, 2, "gone" },
	{ "{\"refused\":[1,2],\"revision\":7,\"now_ms\":5}", 0, 0, "" },
	{ "{\"refused\":{},\"revision\":7,\"now_ms\":5}", 0, 0, "" },
	{ "{\"revision\":7,\"now_ms\":0}", -1, 0, "" },
	{ "{\"revision\":7,\"now_ms\":9246182399999}", 0, 0, "" },
	{ "{\"revision\":7,\"now_ms\":9246182400000}", -1, 0, "" },
	{ "{\"revision\":7,\"now_ms\":1e99}", -1, 0, "" },
	{ "{\"revision\":\"7\",\"now_ms\":5}", -1, 0, "" },
	{ "{\"revision\":7}", -1, 0, "" },
	{ "{\"revision\":7,\"now_ms\":5} x", -1, 0, "" },
	{ "", -1, 0, "" },
};

static void
test_answers(void)
{
	struct agent_answer a;
	char text[FAIL_MAX];
	struct fail why;
	size_t i;

	for (i = 0; i < COUNT(answers); i++) {
		CHECK_ROW(i, agent_wire_answer(str_of(answers[i].body), &a,
		    &why) == answers[i].rc);
		CHECK_ROW(i, a.refused == answers[i].refused &&
		    strcmp(a.error, answers[i].error) == 0);
	}
	agent_wire_error(STR("{\"error\":\"no such key\"}"), text);
	CHECK(strcmp(text, "no such key") == 0);
	agent_wire_error(STR("{\"error\":7}"), text);
	CHECK(text[0] == '\0');
	agent_wire_error(STR("<html>"), text);
	CHECK(text[0] == '\0');
}

static void
test_report(void)
{
	const int64_t offset = 1795330391123 - 1000;
	struct probe_result r = result(3000, "");
	struct fail why;
	struct buf b;
	unsigned i, n;

	agent_ring_init(AGENT_RING_MAX);
	buf_init(&b, big, AGENT_BODY_MAX);
	CHECK(agent_wire_report(&b, 1000, offset, 77) == 0 &&
	    str_is(str_from(&b), "{\"objects\":[],\"dropped\":0,"
	    "\"now_ms\":77}"));
	r.metrics = 1;
	r.metric[0].name = "rss_bytes";
	r.metric[0].value = 123500;
	agent_ring_add(17, 1000, &r);
	r = (struct probe_result){ .given = STATUS_UNKNOWN, .text = "a\"b" };
	agent_ring_add(18, 1001, &r);
	buf_init(&b, big, AGENT_BODY_MAX);
	CHECK(agent_wire_report(&b, 0, offset, 77) == 0);
	buf_init(&b, big, AGENT_BODY_MAX);
	CHECK(agent_wire_report(&b, 1, offset, 77) == 1);
	buf_init(&b, big, AGENT_BODY_MAX);
	CHECK(agent_wire_report(&b, 1000, offset, 77) == 2 &&
	    str_is(str_from(&b), "{\"objects\":[{\"check\":"
	    "\"/api/v1/check/17/\",\"timestamp\":"
	    "\"2026-11-22T06:53:11.123Z\",\"value\":3,\"metrics\":"
	    "{\"rss_bytes\":123.5}},{\"check\":\"/api/v1/check/18/\","
	    "\"timestamp\":\"2026-11-22T06:53:11.124Z\",\"message\":"
	    "\"a\\\"b\",\"status\":\"unknown\"}],\"dropped\":0,"
	    "\"now_ms\":77}"));
	/* No more than 1000, and none cut. */
	r = result(1, "");
	for (i = 0; i < 1500; i++)
		agent_ring_add(1, i, &r);
	buf_init(&b, big, AGENT_BODY_MAX);
	CHECK(agent_wire_report(&b, 1000, offset, 77) == 1000 && !b.full &&
	    json_valid(str_from(&b), &why) == 0);
	agent_ring_init(AGENT_RING_MAX);
	memset(r.text, '<', sizeof r.text - 1);	/* six bytes each */
	for (i = 0; i < 500; i++)
		agent_ring_add(1, i, &r);
	buf_init(&b, big, AGENT_BODY_MAX);
	n = agent_wire_report(&b, 1000, offset, 77);
	CHECK(n > 100 && n < 500 && !b.full && b.n <= AGENT_BODY_MAX &&
	    b.n > AGENT_BODY_MAX - 2000);
	CHECK(json_valid(str_from(&b), &why) == 0);
}

static void
test_head(void)
{
	static struct agent_conf conf = { .host = "::1", .port = "8454",
	    .key = "va_x", .base = "/v" };
	struct agent_request q = { "GET", "/api/", 0, "\"7\"", -1,
	    false };
	char text[AGENT_HEAD_MAX];
	struct buf b;

	buf_init(&b, text, sizeof text);
	CHECK(agent_wire_head(&b, &conf, &q) == 0 && str_is(str_from(&b),
	    "GET /v/api/ HTTP/1.1\r\nHost: [::1]:8454\r\nAuthorization: "
	    "Bearer va_x\r\nIf-None-Match: \"7\"\r\n\r\n"));
	memset(conf.host, 'h', sizeof conf.host - 1);
	memset(conf.base, '/', sizeof conf.base - 1);
	memset(conf.key, 'k', sizeof conf.key - 1);
	q = (struct agent_request){ "PATCH", "/api/v1/check_history/",
	    INT64_MAX, "", AGENT_BODY_MAX, false };
	buf_init(&b, text, sizeof text);
	CHECK(agent_wire_head(&b, &conf, &q) == 0);	/* the longest */
	buf_init(&b, text, 16);
	CHECK(agent_wire_head(&b, &conf, &q) == -1);
}

int
main(void)
{
	test_ring_pack();
	test_ring_full();
	test_ring_fates();
	test_self();
	test_list();
	test_list_limits();
	test_answers();
	test_report();
	test_head();
	return test_end();
}
