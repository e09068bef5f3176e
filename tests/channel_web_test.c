/* The channels of channel_web.c, but for the network: what they ask, and what
 * they make of answers.  tests/e2e/hooks.py and answers.py have the real
 * thing. */
#include "test.h"
#include "channel_help.h"

#define log_clock_ms test_clock_ms
#include "../channel_web.c"

static int64_t clock_ms = NOW_MS, step_ms;

int64_t
test_clock_ms(void)
{
	clock_ms += step_ms;
	return clock_ms;
}

static struct channel_outcome
run(const char *job)
{
	struct channel_outcome o = { .end = CHANNEL_REFUSED };

	asked.n = 0;
	asked.url[0] = asked.head[0] = asked.body[0] = '\0';
	channel_web(str_of(job), &o);
	return o;
}

#define OK_HEAD	"HTTP/1.1 200 OK\r\n\r\n"
#define JOB(channel, address, more) \
	"{\"channel\":\"" channel "\",\"address\":\"" address "\"," \
	"\"title\":\"T <1>\",\"message\":\"m & \xc3\xa4\\nn\"," \
	"\"timestamp\":1800000000,\"link\":\"https://v.example/status\"," \
	"\"id\":7" more "}"
#define SEVERITY(s)	",\"severity\":\"" s "\""
#define SECRET(s)	",\"secret\":\"" s "\""
#define ITEM(n, status, told) "{\"incident\":" n ",\"status\":\"" status \
	"\",\"what\":\"web1 p\",\"text\":\"it is " status "\"," \
	"\"opened\":1799999000,\"told\":[" told "]}"
#define ITEMS(...)	",\"items\":[" __VA_ARGS__ "]"
#define DRILL		",\"drill\":true,\"journal\":\"12:ab\""
#define JSON_HEAD	"Content-Type: application/json\r\n"
#define LINK		"https://v.example/status"
#define WHEN		"\"2027-01-15T08:00:00.000Z\""

/* Jobs, and what becomes of them on the wire. */
static const struct {
	const char *job, *url, *head, *body;
	bool lan;
} requests[] = {
	{ JOB("webhook", "http://hook.example:81/a?b=c", SEVERITY("critical")
	    SECRET("key") ITEMS(ITEM("3", "critical", ""))),
	    "http://hook.example:81/a?b=c", "Idempotency-Key: 7\r\n"
	    "X-Vilicus-Signature: sha256=SIGNATURE\r\n" JSON_HEAD,
	    "{\"id\":7,\"title\":\"T \\u003c1\\u003e\",\"message\":"
	    "\"m \\u0026 \xc3\xa4\\nn\",\"severity\":\"critical\","
	    "\"timestamp\":" WHEN ",\"link\":\"" LINK "\",\"items\":["
	    ITEM("3", "critical", "") "]}", true },
	{ JOB("webhook", "https://hook.example", SEVERITY("ok")),
	    "https://hook.example:443/", "Idempotency-Key: 7\r\n" JSON_HEAD,
	    "{\"id\":7,\"title\":\"T \\u003c1\\u003e\",\"message\":"
	    "\"m \\u0026 \xc3\xa4\\nn\",\"severity\":\"ok\","
	    "\"timestamp\":" WHEN ",\"link\":\"" LINK "\"}", true },
	{ JOB("ntfy", "https://ntfy.sh/Topic_1", SEVERITY("critical")
	    SECRET("tk_1")), "https://ntfy.sh:443/",
	    "Authorization: Bearer tk_1\r\n" JSON_HEAD,
	    "{\"topic\":\"Topic_1\",\"title\":\"T \\u003c1\\u003e\","
	    "\"message\":\"m \\u0026 \xc3\xa4\\nn\",\"priority\":5,"
	    "\"tags\":[\"rotating_light\"],\"click\":\"" LINK "\"}", true },
	{ JOB("ntfy", "http://10.0.0.1:81/base/t", SEVERITY("warning")),
	    "http://10.0.0.1:81/base/", JSON_HEAD,
	    "{\"topic\":\"t\",\"title\":\"T \\u003c1\\u003e\","
	    "\"message\":\"m \\u0026 \xc3\xa4\\nn\",\"priority\":4,"
	    "\"tags\":[\"warning\"],\"click\":\"" LINK "\"}", true },
	{ JOB("gotify", "http://10.0.0.1:81/g/", SEVERITY("unknown")
	    SECRET("A.b")), "http://10.0.0.1:81/g/message",
	    "X-Gotify-Key: A.b\r\n" JSON_HEAD,
	    "{\"title\":\"T \\u003c1\\u003e\",\"message\":"
	    "\"m \\u0026 \xc3\xa4\\nn\",\"priority\":5,\"extras\":"
	    "{\"client::notification\":{\"click\":{\"url\":\"" LINK
	    "\"}}}}", true },
	{ JOB("slack", "https://hooks.slack.com/services/T/B/x",
	    SEVERITY("critical")), "https://hooks.slack.com:443/services/T/B/x",
	    JSON_HEAD, "{\"text\":\"*T \\u0026lt;1\\u0026gt;*\\n"
	    "m \\u0026amp; \xc3\xa4\\nn\\n\\u003c" LINK "\\u003e\"}", false },
	{ JOB("discord", "https://discord.com/api/webhooks/1/x",
	    SEVERITY("critical")), "https://discord.com:443/api/webhooks/1/x",
	    JSON_HEAD, "{\"content\":\"**T \\u003c1\\u003e**\\n"
	    "m \\u0026 \xc3\xa4\\nn\\n" LINK "\",\"allowed_mentions\":"
	    "{\"parse\":[]}}", false },
	{ JOB("telegram", "-100123", SEVERITY("ok") SECRET("12:a-B_c")),
	    "https://api.telegram.org:443/bot12:a-B_c/sendMessage", JSON_HEAD,
	    "{\"chat_id\":\"-100123\",\"text\":\"T \\u003c1\\u003e\\n"
	    "m \\u0026 \xc3\xa4\\nn\\n" LINK "\"}", false },
	{ JOB("telegram", "@c https://t.example/x/", SEVERITY("ok")
	    SECRET("1:a")), "https://t.example:443/x/bot1:a/sendMessage",
	    JSON_HEAD, "{\"chat_id\":\"@c\",\"text\":\"T \\u003c1\\u003e\\n"
	    "m \\u0026 \xc3\xa4\\nn\\n" LINK "\"}", false },
	{ JOB("pagerduty", "KEY", SEVERITY("unknown")
	    ITEMS(ITEM("3", "unknown", ""))),
	    "https://events.pagerduty.com:443/v2/enqueue", JSON_HEAD,
	    "{\"routing_key\":\"KEY\",\"event_action\":\"trigger\","
	    "\"dedup_key\":\"vilicus-3\",\"payload\":{\"summary\":"
	    "\"it is unknown\",\"source\":\"web1 p\",\"severity\":\"error\","
	    "\"timestamp\":" WHEN "},\"client\":\"vilicus\",\"client_url\":\""
	    LINK "\"}", false },
	{ JOB("pagerduty", "KEY https://p.example/e", SEVERITY("ok")
	    ITEMS(ITEM("3", "ok", ""))), "https://p.example:443/e", JSON_HEAD,
	    "{\"routing_key\":\"KEY\",\"event_action\":\"resolve\","
	    "\"dedup_key\":\"vilicus-3\",\"payload\":{\"summary\":"
	    "\"it is ok\",\"source\":\"web1 p\",\"severity\":\"info\","
	    "\"timestamp\":" WHEN "},\"client\":\"vilicus\",\"client_url\":\""
	    LINK "\"}", false },
	{ JOB("webhook", "https://hook.example", SEVERITY("critical")
	    DRILL ITEMS("")),
	    "https://hook.example:443/", "Idempotency-Key: 7\r\n" JSON_HEAD,
	    "{\"id\":7,\"title\":\"T \\u003c1\\u003e\",\"message\":"
	    "\"m \\u0026 \xc3\xa4\\nn\",\"severity\":\"critical\","
	    "\"timestamp\":" WHEN ",\"link\":\"" LINK "\","
	    "\"journal\":\"12:ab\",\"drill\":true,\"items\":[]}", true },
	{ JOB("alertmanager", "http://am.example:9093", SEVERITY("critical")
	    DRILL ITEMS("")),
	    "http://am.example:9093/api/v2/alerts", JSON_HEAD,
	    "[{\"labels\":{\"alertname\":\"vilicus\",\"incident\":\"0\","
	    "\"what\":\"drill\",\"severity\":\"critical\"},\"annotations\":"
	    "{\"summary\":\"drill\",\"description\":"
	    "\"m \\u0026 \xc3\xa4\\nn\"},\"startsAt\":" WHEN ",\"endsAt\":"
	    "\"2027-01-15T08:05:00.000Z\",\"generatorURL\":\"" LINK "\"}]",
	    true },
	{ JOB("alertmanager", "http://am.example:9093", SEVERITY("critical")
	    SECRET("t") ITEMS(ITEM("3", "critical", "\"warning\""))),
	    "http://am.example:9093/api/v2/alerts",
	    "Authorization: Bearer t\r\n" JSON_HEAD,
	    "[{\"labels\":{\"alertname\":\"vilicus\",\"incident\":\"3\","
	    "\"what\":\"web1 p\",\"severity\":\"critical\"},\"annotations\":"
	    "{\"summary\":\"web1 p\",\"description\":\"it is critical\"},"
	    "\"startsAt\":\"2027-01-15T07:43:20.000Z\",\"endsAt\":"
	    "\"2028-01-15T08:00:00.000Z\",\"generatorURL\":\"" LINK "\"},"
	    "{\"labels\":{\"alertname\":\"vilicus\",\"incident\":\"3\","
	    "\"what\":\"web1 p\",\"severity\":\"warning\"},\"annotations\":"
	    "{\"summary\":\"web1 p\",\"description\":\"it is critical\"},"
	    "\"startsAt\":\"2027-01-15T07:43:20.000Z\",\"endsAt\":" WHEN
	    ",\"generatorURL\":\"" LINK "\"}]", true },
	{ JOB("alertmanager", "http://am.example:9093/", SEVERITY("ok")
	    ITEMS(ITEM("3", "ok", "\"ok\",\"critical\""))),
	    "http://am.example:9093/api/v2/alerts", JSON_HEAD,
	    "[{\"labels\":{\"alertname\":\"vilicus\",\"incident\":\"3\","
	    "\"what\":\"web1 p\",\"severity\":\"critical\"},\"annotations\":"
	    "{\"summary\":\"web1 p\",\"description\":\"it is ok\"},"
	    "\"startsAt\":\"2027-01-15T07:43:20.000Z\",\"endsAt\":" WHEN
	    ",\"generatorURL\":\"" LINK "\"}]", true },
	{ JOB("get", "http://beat.example/x", SEVERITY("ok")),
	    "http://beat.example:80/x", "", "", true },
};

static void
test_requests(void)
{
	char want[512];
	struct channel_outcome o;
	unsigned char mac[32];
	char hex[65], *p;
	br_hmac_key_context key;
	br_hmac_context ctx;
	size_t i;

	answer.head = OK_HEAD;
	answer.body = "{\"ok\":true}";
	for (i = 0; i < COUNT(requests); i++) {
		o = run(requests[i].job);
		if (!CHECK_ROW(i, o.end == CHANNEL_ACCEPTED && asked.n == 1))
			printf("%s\n", o.reason);
		if (!CHECK_ROW(i, strcmp(asked.url, requests[i].url) == 0))
			printf("%s\n", asked.url);
		if (!CHECK_ROW(i, strcmp(asked.body, requests[i].body) == 0))
			printf("%s\n", asked.body);
		br_hmac_key_init(&key, &br_sha256_vtable, "key", 3);
		br_hmac_init(&ctx, &key, 0);
		br_hmac_update(&ctx, asked.body, strlen(asked.body));
		br_hmac_out(&ctx, mac);
		str_hex(hex, mac, sizeof mac);
		p = strstr(requests[i].head, "SIGNATURE");
		if (p != NULL)
			snprintf(want, sizeof want, "%.*s%s%s",
			    (int)(p - requests[i].head), requests[i].head,
			    hex, p + 9);
		if (!CHECK_ROW(i, strcmp(asked.head, p != NULL ? want :
		    requests[i].head) == 0))
			printf("%s\n", asked.head);
		CHECK_ROW(i, asked.lan == requests[i].lan && asked.far);
		CHECK_ROW(i, strcmp(asked.method, requests[i].body[0] == '\0' ?
		    "GET" : "POST") == 0);
	}
	run(JOB("webhook", "http://127.0.0.1/", SEVERITY("ok")
	    ",\"local\":true"));
	CHECK(asked.n == 1 && !asked.far);
	run(JOB("webhook", "http://127.0.0.1/", SEVERITY("ok")
	    ",\"local\":false"));
	CHECK(asked.n == 1 && asked.far);
}

/* A test or a drill leaves nothing open: it is resolved at once, and if that
 * fails, triggered again as the same. */
static void
test_pagerduty(void)
{
	static const char *const jobs[][2] = {
		{ JOB("pagerduty", "KEY", SEVERITY("ok") ITEMS("")), "test" },
		{ JOB("pagerduty", "KEY", SEVERITY("critical") DRILL
		    ITEMS("")), "drill" },
	};
	char want[512];
	struct channel_outcome o;

	answer.head = "HTTP/1.1 500 No\r\n\r\n";
	answer.body = "";
	for (unsigned i = 0; i < 6; i++) {
		answer.good = i / 2;
		o = run(jobs[i % 2][0]);
		snprintf(want, sizeof want, "{\"routing_key\":\"KEY\","
		    "\"event_action\":\"%s\",\"dedup_key\":\"vilicus-%s-7\","
		    "\"payload\":{\"summary\":\"m \\u0026 \xc3\xa4\\nn\","
		    "\"source\":\"vilicus\",\"severity\":\"%s\","
		    "\"timestamp\":" WHEN "},\"client\":\"vilicus\","
		    "\"client_url\":\"" LINK "\"}", i < 2 ? "trigger" :
		    "resolve", jobs[i % 2][1], i % 2 == 0 ? "info" :
		    "critical");
		if (!CHECK_ROW(i, strcmp(asked.body, want) == 0))
			printf("%s\n%s\n", asked.body, want);
		CHECK_ROW(i, asked.n == (i < 2 ? 1 : 2) && o.end == (i < 4 ?
		    CHANNEL_RETRY : CHANNEL_ACCEPTED));
	}
	answer.good = 0;
}

/* Jobs there are not: refused, nothing being asked, and why. */
static const struct {
	const char *job, *reason;
} faulty[] = {
	{ JOB("webhook", "ftp://x/", SEVERITY("ok")), "" },
	{ JOB("webhook", "https://u:p@x/", SEVERITY("ok")), "a URL with a us" },
	{ JOB("webhook", "https://x/#y", SEVERITY("ok")), "a URL with a user" },
	{ JOB("webhook", "", SEVERITY("ok")), "" },
	{ JOB("webhook", "https://x/", SEVERITY("bad")), "job with a member" },
	{ JOB("webhook", "https://x/", ""), "job with a member" },
	{ JOB("webhook", "https://x/", SEVERITY("ok") SECRET("a\\r\\nB: c")),
	    "the secret has a control character" },
	{ "{\"channel\":\"webhook\"}", "job with a member" },
	{ "{\"channel\":\"webhook\"", "job: " },
	{ JOB("ntfy", "https://ntfy.sh", SEVERITY("ok")), "the address is no" },
	{ JOB("ntfy", "https://ntfy.sh/", SEVERITY("ok")), "the address is " },
	{ JOB("ntfy", "https://ntfy.sh/a?b", SEVERITY("ok")), "the address" },
	{ JOB("ntfy", "topic", SEVERITY("ok")), "the address is not" },
	{ JOB("gotify", "https://g/", SEVERITY("ok")), "no secret" },
	{ JOB("telegram", "1", SEVERITY("ok")), "the secret is not" },
	{ JOB("telegram", "1", SEVERITY("ok") SECRET("a/b")), "the secret is" },
	{ JOB("pagerduty", "KEY x", SEVERITY("ok")), "" },
	{ JOB("pagerduty", "KEY", SEVERITY("ok") ITEMS("{}")), "an item that" },
	{ JOB("pagerduty", "KEY", SEVERITY("ok") ITEMS(ITEM("0", "ok", ""))),
	    "an item that" },
};

static void
test_faulty(void)
{
	struct channel_outcome o;
	size_t i;

	for (i = 0; i < COUNT(faulty); i++) {
		o = run(faulty[i].job);
		if (!CHECK_ROW(i, o.end == CHANNEL_REFUSED && asked.n == 0 &&
		    strncmp(o.reason, faulty[i].reason,
		    strlen(faulty[i].reason)) == 0 && o.reason[0] != '\0'))
			printf("%s\n", o.reason);
	}
}

#define R	"HTTP/1.1 "
#define E	"\r\n\r\n"
#define HOOK	JOB("webhook", "https://x/0123456789012345678901234567890", \
		SEVERITY("ok"))
#define GRAM	JOB("telegram", "1", SEVERITY("ok") SECRET("12:SeCrEt"))
#define PAGE	JOB("pagerduty", "K", SEVERITY("ok"))

/* Answers, and what they mean. */
static const struct {
	const char *job, *head, *body;
	int end;
	unsigned after_s;
	const char *id, *reason;	/* the reason whole */
} answers[] = {
	{ HOOK, R "200 OK" E, "", CHANNEL_ACCEPTED, 0, "", "" },
	{ HOOK, R "200 OK" E, "<html>", CHANNEL_ACCEPTED, 0, "", "" },
	{ HOOK, R "200 OK" E, "{\"id\":\"a\\nb\"}", CHANNEL_ACCEPTED, 0,
	    "a?b", "" },
	{ HOOK, R "201 OK" E, "{\"id\":25}", CHANNEL_ACCEPTED, 0, "25", "" },
	{ HOOK, R "204 No" E, "", CHANNEL_ACCEPTED, 0, "", "" },
	{ HOOK, R "301 M" E, "", CHANNEL_REFUSED, 0, "", "HTTP 301, a "
	    "redirect, which is not followed" },
	{ HOOK, R "302 M" E, "x", CHANNEL_REFUSED, 0, "", "HTTP 302, a "
	    "redirect, which is not followed: x" },
	{ HOOK, R "307 M" E, "", CHANNEL_REFUSED, 0, "", "HTTP 307, a "
	    "redirect, which is not followed" },
	{ HOOK, R "400 No" E, "\n \r\n  bad\x1b[1m thing\r\nmore",
	    CHANNEL_REFUSED, 0, "", "HTTP 400: bad?[1m thing" },
	{ HOOK, R "400 No" E, "{\"error\":\"no \\n good\",\"message\":\"x\"}",
	    CHANNEL_REFUSED, 0, "", "HTTP 400: no ? good" },
	{ HOOK, R "401 No" E, "{\"message\":\"who?\"}", CHANNEL_REFUSED, 0, "",
	    "HTTP 401: who?" },
	{ HOOK, R "404 No" E, "{\"description\":\"d\"}", CHANNEL_REFUSED, 0,
	    "", "HTTP 404: d" },
	{ HOOK, R "404 No" E, "no /0123456789012345678901234567890 here",
	    CHANNEL_REFUSED, 0, "",
	    "HTTP 404: no ******************************** here" },
	{ HOOK, R "408 No" E, "", CHANNEL_REFUSED, 0, "", "HTTP 408" },
	{ HOOK, R "413 No" E, "{\"error\":1}", CHANNEL_REFUSED, 0, "",
	    "HTTP 413: {\"error\":1}" },
	{ HOOK, R "428 No" E, "", CHANNEL_REFUSED, 0, "", "HTTP 428" },
	{ HOOK, R "429 No\r\nRetry-After: 9" E, "", CHANNEL_RETRY, 9, "",
	    "HTTP 429" },
	{ HOOK, R "430 No" E, "", CHANNEL_REFUSED, 0, "", "HTTP 430" },
	{ HOOK, R "499 No" E, "", CHANNEL_REFUSED, 0, "", "HTTP 499" },
	{ HOOK, R "500 No" E, "<html>Bad</html>", CHANNEL_RETRY, 0, "",
	    "HTTP 500: <html>Bad</html>" },
	{ HOOK, R "503 No\r\nRetry-After: 7" E, "", CHANNEL_RETRY, 7, "",
	    "HTTP 503" },
	{ GRAM, R "200 OK" E, "{\"ok\":true,\"result\":{\"message_id\":5}}",
	    CHANNEL_ACCEPTED, 0, "5", "" },
	{ GRAM, R "200 OK" E, "{\"ok\":false,\"description\":\"d\"}",
	    CHANNEL_REFUSED, 0, "", "HTTP 200, but not taken: d" },
	{ GRAM, R "200 OK" E, "{\"ok\":tru", CHANNEL_UNKNOWN, 0, "",
	    "HTTP 200, but no answer that can be read" },
	{ GRAM, R "200 OK" E, "", CHANNEL_UNKNOWN, 0, "",
	    "HTTP 200, but no answer that can be read" },
	{ GRAM, R "204 OK" E, "", CHANNEL_UNKNOWN, 0, "",
	    "HTTP 204, but no answer that can be read" },
	{ GRAM, R "404 No" E, "no /bot12:SeCrEt/sendMessage, 12:SeCrE",
	    CHANNEL_REFUSED, 0, "",
	    "HTTP 404: no /bot*********/sendMessage, ********" },
	{ GRAM, R "429 No" E, "{\"ok\":false,\"description\":\"Too Many "
	    "Requests: retry after 35\",\"parameters\":{\"retry_after\":35}}",
	    CHANNEL_RETRY, 35, "", "HTTP 429: Too Many Requests: retry after "
	    "35" },
	{ PAGE, R "202 OK" E, "{\"status\":\"success\"}", CHANNEL_ACCEPTED,
	    0, "", "" },
};

static void
test_answers(void)
{
	struct channel_outcome o;
	size_t i;

	for (i = 0; i < COUNT(answers); i++) {
		answer.head = answers[i].head;
		answer.body = answers[i].body;
		o = run(answers[i].job);
		if (!CHECK_ROW(i, (int)o.end == answers[i].end &&
		    o.after_s == answers[i].after_s &&
		    strcmp(o.id, answers[i].id) == 0 &&
		    strcmp(o.reason, answers[i].reason) == 0))
			printf("end %d after %u id %s: %s\n", (int)o.end,
			    o.after_s, o.id, o.reason);
	}
}

/* A secret at each place of a reason that is cut. */
static void
test_hidden(void)
{
	char body[400];
	struct channel_outcome o;
	size_t i;

	answer.head = R "400 No" E;
	answer.body = body;
	for (i = 0; i < 220; i++) {
		snprintf(body, sizeof body, "%0*d12:SeCrEt!", (int)i, 0);
		o = run(GRAM);
		CHECK_ROW(i, strstr(o.reason, "12:S") == NULL);
	}
}

/* One request an incident: until one is not taken, or it takes too long. */
static void
test_each(void)
{
	static const char job[] = JOB("pagerduty", "KEY", SEVERITY("critical")
	    ITEMS(ITEM("3", "critical", "") "," ITEM("4", "ok", "") ","
	    ITEM("5", "warning", "")));
	struct channel_outcome o;

	answer.head = R "500 No" E;
	answer.body = "";
	answer.good = 3;
	o = run(job);
	CHECK(o.end == CHANNEL_ACCEPTED && asked.n == 3);
	CHECK(strstr(asked.body, "\"vilicus-5\"") != NULL);
	answer.good = 1;
	o = run(job);
	CHECK(o.end == CHANNEL_RETRY && asked.n == 2);
	CHECK(strstr(asked.body, "\"vilicus-4\"") != NULL);
	answer.good = 3;
	step_ms = CHANNEL_MANY_MS / 2;
	o = run(job);
	CHECK(o.end == CHANNEL_RETRY && asked.n == 2);
	step_ms = 0;
	answer.good = 0;
}

/* Texts are cut where their channel wants it. */
static void
test_cut(void)
{
	static char job[16384], message[4200];
	struct channel_outcome o;
	struct str s;
	char text[16384];
	size_t i, k, n;
	static const struct {
		const char *channel, *address, *member;
		size_t max;
	} rows[] = {
		{ "discord", "https://d/", "content", 2000 },
		{ "telegram", "1", "text", 4096 },
	};

	answer.head = OK_HEAD;
	answer.body = "{\"ok\":true}";
	for (i = 0; i < COUNT(rows); i++)
		for (n = rows[i].max - 8; n < rows[i].max + 4; n++) {
			memset(message, 'x', n);
			message[n] = '\0';
			snprintf(job, sizeof job, "{\"channel\":\"%s\","
			    "\"address\":\"%s\",\"secret\":\"1:a\","
			    "\"severity\":\"ok\",\"title\":\"\","
			    "\"message\":\"%s\"}", rows[i].channel,
			    rows[i].address, message);
			o = run(job);
			CHECK_ROW(n, o.end == CHANNEL_ACCEPTED);
			CHECK_ROW(n, json_text(str_of(asked.body),
			    rows[i].member, text, sizeof text) == 1);
			s = str_of(text);
			for (k = 0; s.n > 0; k++)
				(void)str_take(&s);
			CHECK_ROW(n, k <= rows[i].max && (k == rows[i].max ||
			    strstr(text, message) != NULL));
		}
}

int
main(void)
{
	test_requests();
	test_faulty();
	test_answers();
	test_hidden();
	test_pagerduty();
	test_each();
	test_cut();
	return test_end();
}
