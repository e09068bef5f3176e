#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../channel.h"
#include "../json.h"
#include "test.h"

#define TOKEN	"azGDORePK8gMaC0QOYAMyEEuzJnyUi"
#define USER	"uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
#define NOW_S	INT64_C(1800000000)

/* What a job says; NULL or 0 is left out. */
struct job {
	const char *url, *token, *user, *title, *message, *link, *link_title;
	int64_t priority, timestamp;
};

static char job_text[65536];

static void
member(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	json_key(b, name);
	json_put(b, str_of(value));
}

static struct str
job_of(const struct job *j)
{
	struct buf b;

	buf_init(&b, job_text, sizeof job_text);
	json_obj(&b);
	member(&b, "channel", "pushover");
	member(&b, "url", j->url);
	member(&b, "token", j->token);
	member(&b, "user", j->user);
	member(&b, "title", j->title);
	member(&b, "message", j->message);
	json_key(&b, "priority");
	json_put_int(&b, j->priority);
	json_key(&b, "timestamp");
	json_put_int(&b, j->timestamp);
	member(&b, "link", j->link);
	member(&b, "link_title", j->link_title);
	json_obj_end(&b);
	CHECK(!b.full);
	return str_from(&b);
}

static char form_text[32768];

/* The form of a job; empty: none. */
static struct str
form_of(struct str job)
{
	struct fail why;
	struct buf b;

	buf_init(&b, form_text, sizeof form_text);
	if (channel_pushover_form(&b, job, &why) == -1)
		return (struct str){ NULL, 0 };
	return str_from(&b);
}

/* A field of a form into a static buffer; NULL: it has none. */
static const char *
field(struct str form, const char *want)
{
	static char text[16384];
	struct str name, value;

	while (http_query(&form, &name, &value) == 0)
		if (str_is(name, want))
			return http_unescape(value, true, text, sizeof text)
			    == 0 ? text : NULL;
	return NULL;
}

static size_t
characters(const char *z)
{
	size_t n = 0;

	for (; *z != '\0'; z++)
		n += ((unsigned char)*z & 0xc0) != 0x80;
	return n;
}

static const struct job plain = { .token = TOKEN, .user = USER,
	.title = "T", .message = "m", .priority = 1, .timestamp = 7,
	.link = "https://monitor.example.org/status?a=1&b",
	.link_title = "see" };

static void
test_form(void)
{
	struct job j = plain;
	struct str f = form_of(job_of(&j));

	CHECK(str_is(f, "token=" TOKEN "&user=" USER "&title=T&message=m"
	    "&priority=1&timestamp=7&url=https%3A%2F%2Fmonitor.example.org"
	    "%2Fstatus%3Fa%3D1%26b&url_title=see"));
	j.priority = 2;
	j.link = j.title = NULL;
	j.timestamp = 0;
	f = form_of(job_of(&j));
	CHECK(str_is(f, "token=" TOKEN "&user=" USER "&message=m&priority=2"
	    "&retry=60&expire=10800"));
	CHECK(str_is(form_of(STR("{\"token\":\"" TOKEN "\",\"user\":\"" USER
	    "\",\"message\":\"m\",\"priority\":2,\"expire\":300}")),
	    "token=" TOKEN "&user=" USER "&message=m&priority=2"
	    "&retry=60&expire=300"));
	j.priority = -2;
	CHECK(strcmp(field(form_of(job_of(&j)), "priority"), "-2") == 0);
	j.title = " \t";
	j.message = "";
	f = form_of(job_of(&j));
	CHECK(field(f, "title") == NULL);
	CHECK(strcmp(field(f, "message"), "(no text)") == 0);
	j.message = " \r\n\t\v\f";
	CHECK(strcmp(field(form_of(job_of(&j)), "message"), "(no text)") ==
	    0);
}

/* Jobs there are not: each is `plain` but for one thing. */
static const struct {
	const char *was, *now;
} faulty[] = {
	{ TOKEN,		TOKEN "x" },
	{ TOKEN,		"azGDORePK8gMaC0QOYAMyEEuzJnyU" },
	{ TOKEN,		"azGDORePK8gMaC0QOYAMyEEuzJny&i" },
	{ TOKEN,		"" },
	{ "\"" TOKEN "\"",	"null" },
	{ USER,			USER "x" },
	{ USER,			"uQiRzpo4DXghDmr9QzzfQu27cmVRs-" },
	{ "\"user\"",		"\"used\"" },
	{ "\"T\"",		"1" },
	{ "\"m\"",		"[]" },
	{ "\"m\"",		"\"\\u0000\"" },
	{ "\"m\"",		"\"\xff\"" },
	{ "\"priority\":1",	"\"priority\":3" },
	{ "\"priority\":1",	"\"priority\":-3" },
	{ "\"priority\":1",	"\"priority\":\"1\"" },
	{ "\"timestamp\":7",	"\"timestamp\":-1" },
	{ "\"timestamp\":7",	"\"timestamp\":9246182400" },
	{ "\"timestamp\":7",	"\"expire\":59" },
	{ "\"timestamp\":7",	"\"expire\":10801" },
	{ "\"see\"",		"false" },
	{ "{",			"[" },
	{ "}",			"}}" },
};

static void
test_faulty(void)
{
	char text[2048], was[2048];
	struct str job = job_of(&plain);
	size_t i;

	CHECK(str_copy(was, sizeof was, job) == 0);
	for (i = 0; i < job.n; i++)
		CHECK_ROW(i, form_of((struct str){ job.p, i }).p == NULL);
	for (i = 0; i < COUNT(faulty); i++) {
		char *p = strstr(was, faulty[i].was);

		if (!CHECK_ROW(i, p != NULL))
			continue;
		snprintf(text, sizeof text, "%.*s%s%s", (int)(p - was), was,
		    faulty[i].now, p + strlen(faulty[i].was));
		CHECK_ROW(i, form_of(str_of(text)).p == NULL);
	}
}

/* What has a limit in characters, and how it is met. */
static const struct {
	const char *name;
	size_t max;
	bool cut;		/* else left out */
} limits[] = {
	{ "message",	1024,	true },
	{ "title",	250,	true },
	{ "url_title",	100,	true },
	{ "url",	512,	false },
};

static const char *const letters[] = { "x", "\xc3\xa4", "\xe2\x82\xac",
	"\xf0\x9f\x94\xa5" };

static void
check_limit(size_t i, size_t n, const char *letter)
{
	static char text[8192];
	size_t size = strlen(letter), k;
	struct job j = plain;
	const char *got;

	for (k = 0; k < n; k++)
		memcpy(text + k * size, letter, size);
	text[n * size] = '\0';
	*(i == 0 ? &j.message : i == 1 ? &j.title : i == 2 ? &j.link_title :
	    &j.link) = text;
	got = field(form_of(job_of(&j)), limits[i].name);
	if (n <= limits[i].max) {
		CHECK_ROW(n, got != NULL && strcmp(got, text) == 0);
		return;
	}
	if (!limits[i].cut) {
		CHECK_ROW(n, got == NULL);
		CHECK_ROW(n, field(form_of(job_of(&j)), "url_title") == NULL);
		return;
	}
	if (!CHECK_ROW(n, got != NULL))
		return;
	CHECK_ROW(n, characters(got) == limits[i].max);
	k = (limits[i].max - 1) * size;
	CHECK_ROW(n, strncmp(got, text, k) == 0);
	CHECK_ROW(n, strcmp(got + k, "\xe2\x80\xa6") == 0);
}

static void
test_limits(void)
{
	size_t i, k, n;

	for (i = 0; i < COUNT(limits); i++)
		for (k = 0; k < COUNT(letters); k++)
			for (n = limits[i].max - 1; n <= limits[i].max + 1;
			    n++)
				check_limit(i, n, letters[k]);
}

/* Each byte arrives as it was, or as U+FFFD; the form has but safe ones. */
static void
test_bytes(void)
{
	struct job j = plain;
	char text[4] = "a?b", want[8];
	const char *got;
	struct str f;
	size_t i;
	int c;

	for (c = 1; c < 256; c++) {
		text[1] = (char)(unsigned char)c;
		snprintf(want, sizeof want, c < 128 ? "%s" :
		    "a\xef\xbf\xbd" "b", text);
		j.message = j.title = text;
		f = form_of(job_of(&j));
		for (i = 0; i < f.n; i++)
			CHECK_ROW(c, f.p[i] > ' ' && f.p[i] <= '~' &&
			    strchr("+\"'<>#?/:;", f.p[i]) == NULL);
		got = field(f, "message");
		CHECK_ROW(c, got != NULL && strcmp(got, want) == 0);
	}
}

#define R	"HTTP/1.1 "
#define E	"\r\n\r\n"
#define RESET	"\r\nX-Limit-App-Reset: "
#define ID	"\"request\":\"647d2300-702c-4b38-8b2f-d56326ae460b\""

/* Answers and what they mean. */
static const struct {
	const char *head, *body;
	int end, code;
	unsigned after_s;
	const char *reason;	/* how it begins */
} answers[] = {
	{ R "200 OK" E, "{\"status\":1," ID "}", CHANNEL_ACCEPTED, 200, 0,
	    "" },
	{ R "200 OK" E, " {\"status\":1.0} ", CHANNEL_ACCEPTED, 200, 0, "" },
	{ R "200 OK" E, "{\"status\":0}", CHANNEL_REFUSED, 200, 0,
	    "HTTP 200, but not taken" },
	{ R "200 OK" E, "{\"status\":0,\"errors\":[\"a\",\"b\"]}",
	    CHANNEL_REFUSED, 200, 0, "HTTP 200, but not taken: a; b" },
	{ R "200 OK" E, "{\"status\":2}", CHANNEL_REFUSED, 200, 0, "" },
	{ R "200 OK" E, "{\"status\":\"1\"}", CHANNEL_UNKNOWN, 200, 0, "" },
	{ R "200 OK" E, "{\"ok\":true}", CHANNEL_UNKNOWN, 200, 0, "" },
	{ R "200 OK" E, "{\"status\":1,\"status\":0}", CHANNEL_UNKNOWN, 200,
	    0, "" },
	{ R "200 OK" E, "[1]", CHANNEL_UNKNOWN, 200, 0, "" },
	{ R "200 OK" E, "<html>hello</html>", CHANNEL_UNKNOWN, 200, 0,
	    "HTTP 200, but no answer that can be read" },
	{ R "200 OK" E, "", CHANNEL_UNKNOWN, 200, 0, "HTTP 200, but" },
	{ R "202 Accepted" E, "{\"status\":1}", CHANNEL_UNKNOWN, 202, 0,
	    "HTTP 202" },
	{ R "204 No Content" E, "", CHANNEL_UNKNOWN, 204, 0, "HTTP 204" },
	{ R "301 Moved\r\nLocation: https://x/" E, "", CHANNEL_REFUSED, 301,
	    0, "HTTP 301, a redirect, which is not followed" },
	{ R "302 Found" E, "", CHANNEL_REFUSED, 302, 0, "HTTP 302" },
	{ R "307 Temporary" E, "", CHANNEL_REFUSED, 307, 0, "HTTP 307" },
	{ R "400 Bad" E, "{\"user\":\"invalid\",\"errors\":[\"user identifier "
	    "is invalid\"],\"status\":0}", CHANNEL_REFUSED, 400, 0,
	    "HTTP 400: user identifier is invalid" },
	{ R "400 Bad" E, "{\"errors\":[\"a\\u001b[1m\\nb\"]}",
	    CHANNEL_REFUSED, 400, 0, "HTTP 400: a?[1m?b" },
	{ R "400 Bad" E, "{\"errors\":[1,\"a\"]}", CHANNEL_REFUSED, 400, 0,
	    "HTTP 400" },
	{ R "400 Bad" E, "{\"errors\":\"a\"}", CHANNEL_REFUSED, 400, 0,
	    "HTTP 400" },
	{ R "400 Bad" E, "{\"errors\":[\"a\"", CHANNEL_REFUSED, 400, 0,
	    "HTTP 400" },
	{ R "400 Bad" E, "", CHANNEL_REFUSED, 400, 0, "HTTP 400" },
	{ R "401 No" E, "", CHANNEL_REFUSED, 401, 0, "HTTP 401" },
	{ R "404 No" E, "<html>", CHANNEL_REFUSED, 404, 0, "HTTP 404" },
	{ R "408 Slow" E, "", CHANNEL_REFUSED, 408, 0, "HTTP 408" },
	{ R "413 Big" E, "", CHANNEL_REFUSED, 413, 0, "HTTP 413" },
	{ R "428 No" E, "", CHANNEL_REFUSED, 428, 0, "HTTP 428" },
	{ R "430 No\r\nRetry-After: 9" E, "", CHANNEL_REFUSED, 430, 0, "" },
	{ R "499 No" E, "", CHANNEL_REFUSED, 499, 0, "HTTP 499" },
	{ R "429 Many" E, "", CHANNEL_RETRY, 429, 5, "HTTP 429" },
	{ R "429 Many" RESET "1800000030" E, "", CHANNEL_RETRY, 429, 30, "" },
	{ R "429 Many" RESET "1799999999" E, "", CHANNEL_RETRY, 429, 5, "" },
	{ R "429 Many" RESET "1800000004" E, "", CHANNEL_RETRY, 429, 5, "" },
	{ R "429 Many" RESET "1800000006" E, "", CHANNEL_RETRY, 429, 6, "" },
	{ R "429 Many" RESET "1800086400" E, "", CHANNEL_RETRY, 429, 86400,
	    "" },
	{ R "429 Many" RESET "1800086401" E, "", CHANNEL_RETRY, 429, 86400,
	    "" },
	{ R "429 Many" RESET "1800086399" E, "", CHANNEL_RETRY, 429, 86399,
	    "" },
	{ R "429 Many" RESET "99999999999999999999" E, "", CHANNEL_RETRY,
	    429, 5, "" },
	{ R "429 Many" RESET "-1" E, "", CHANNEL_RETRY, 429, 5, "" },
	{ R "429 Many\r\nX-Limit-App-Remaining: 0" RESET "1800000030" E, "",
	    CHANNEL_RETRY, 429, 30, "" },
	{ R "429 Many\r\nX-Limit-App-Remaining: 7" RESET "1800000030" E, "",
	    CHANNEL_RETRY, 429, 5, "" },
	{ R "429 Many\r\nRetry-After: 9" RESET "1800000030" E, "",
	    CHANNEL_RETRY, 429, 9, "" },
	{ R "500 Oops" E, "", CHANNEL_RETRY, 500, 5, "HTTP 500" },
	{ R "500 Oops" RESET "1800000030" E, "", CHANNEL_RETRY, 500, 5, "" },
	{ R "502 Bad" E, "<html>Bad Gateway</html>", CHANNEL_RETRY, 502, 5,
	    "HTTP 502" },
	{ R "503 Busy\r\nRetry-After: 7" E, "", CHANNEL_RETRY, 503, 7, "" },
	{ R "503 Busy\r\nRetry-After: 4" E, "", CHANNEL_RETRY, 503, 5, "" },
	{ R "503 Busy\r\nRetry-After: 6" E, "", CHANNEL_RETRY, 503, 6, "" },
	{ R "503 Busy\r\nRetry-After: 86399" E, "", CHANNEL_RETRY, 503, 86399,
	    "" },
	{ R "503 Busy\r\nRetry-After: 86401" E, "", CHANNEL_RETRY, 503, 86400,
	    "" },
	{ R "503 Busy\r\nRetry-After: Fri, 31 Dec 2027 23:59:59 GMT" E, "",
	    CHANNEL_RETRY, 503, 5, "" },
	{ R "599 No" E, "", CHANNEL_RETRY, 599, 5, "HTTP 599" },
};

/* An outcome goes to the child's owner and comes out the same. */
static void
check_trip(size_t row, const struct channel_outcome *o)
{
	struct channel_outcome back;
	char text[CHILD_ANSWER];

	channel_outcome_put(text, o);
	CHECK_ROW(row, channel_outcome_get(text, &back) == 0);
	CHECK_ROW(row, back.end == o->end && back.code == o->code &&
	    back.after_s == o->after_s && strcmp(back.id, o->id) == 0 &&
	    strcmp(back.receipt, o->receipt) == 0 &&
	    strcmp(back.device, o->device) == 0 &&
	    back.seen_s == o->seen_s && back.over == o->over &&
	    strcmp(back.reason, o->reason) == 0);
}

static void
test_answers(void)
{
	size_t i;

	for (i = 0; i < COUNT(answers); i++) {
		struct channel_outcome o;
		struct http_head h;
		struct fail why;

		memset(&o, 'x', sizeof o);
		CHECK_ROW(i, http_answer(str_of(answers[i].head), false, &h,
		    &why) == HTTP_DONE);
		channel_pushover_outcome(&h, str_of(answers[i].body), NOW_S,
		    &o);
		CHECK_ROW(i, (int)o.end == answers[i].end);
		CHECK_ROW(i, o.code == answers[i].code);
		CHECK_ROW(i, o.after_s == answers[i].after_s);
		if (!CHECK_ROW(i, strncmp(o.reason, answers[i].reason,
		    strlen(answers[i].reason)) == 0))
			printf("got: %s\n", o.reason);
		CHECK_ROW(i, o.end == CHANNEL_ACCEPTED || *o.reason != '\0');
		check_trip(i, &o);
	}
}

/* A good answer cut at each byte is never taken for good; long and odd
 * names and reasons. */
static void
test_answer_texts(void)
{
	static const char good[] = "{\"status\":1," ID ",\"receipt\":"
	    "\"rLqVuqTRh62UzxtmqiaLzQmVcPgiCy\"}";
	struct channel_outcome o;
	struct http_head h;
	struct fail why;
	char body[512], x[300];
	size_t i;

	CHECK(http_answer(STR(R "200 OK" E), false, &h, &why) == HTTP_DONE);
	for (i = 0; i < sizeof good - 1; i++) {
		channel_pushover_outcome(&h, (struct str){ good, i }, NOW_S,
		    &o);
		CHECK_ROW(i, o.end == CHANNEL_UNKNOWN && o.id[0] == '\0');
	}
	channel_pushover_outcome(&h, STR(good), NOW_S, &o);
	CHECK(o.end == CHANNEL_ACCEPTED);
	CHECK(strcmp(o.id, "647d2300-702c-4b38-8b2f-d56326ae460b") == 0);
	CHECK(strcmp(o.receipt, "rLqVuqTRh62UzxtmqiaLzQmVcPgiCy") == 0);
	memset(x, 'x', sizeof x);
	for (i = CHANNEL_ID - 2; i <= CHANNEL_ID; i++) {
		snprintf(body, sizeof body, "{\"status\":1,\"request\":"
		    "\"%.*s\"}", (int)i, x);
		channel_pushover_outcome(&h, str_of(body), NOW_S, &o);
		CHECK_ROW(i, o.end == CHANNEL_ACCEPTED);
		CHECK_ROW(i, strlen(o.id) == (i < CHANNEL_ID ? i : 0));
		check_trip(i, &o);
	}
	channel_pushover_outcome(&h, STR("{\"status\":1,\"request\":"
	    "\"a\\n1\\u202e\"}"), NOW_S, &o);
	CHECK(strcmp(o.id, "a?1?") == 0);
	for (i = 150; i < 210; i++) {
		snprintf(body, sizeof body, "{\"status\":0,\"errors\":"
		    "[\"%.*s\",\"%s\"]}", (int)i, x, letters[3]);
		channel_pushover_outcome(&h, str_of(body), NOW_S, &o);
		CHECK_ROW(i, strlen(o.reason) < CHANNEL_REASON);
		check_trip(i, &o);
	}
}

static const char *const no_outcomes[] = {
	"", "0", "0 200 0", "0 200 0 0 0", "0 200 0 0 0\n",
	"0 200 0 0 0\n\n\n", "4 200 0 0 0\n\n\n\n",
	"-1 200 0 0 0\n\n\n\n", "0 1000 0 0 0\n\n\n\n",
	"0 200 86401 0 0\n\n\n\n", "0 200 0 0 0 0\n\n\n\n",
	"0 200 0 0\n\n\n\n", "0 200 0 0 2\n\n\n\n",
	"0 200 0 -1 0\n\n\n\n", "0 200 0 9246182400 0\n\n\n\n",
	" 0 200 0 0 0\n\n\n\n",
};

static void
test_no_outcomes(void)
{
	static const struct {
		const char *before, *after;
		size_t cap;
	} rows[] = {
		{ "\n", "\n\n\n", CHANNEL_ID },
		{ "\n\n", "\n\n", CHANNEL_ID },
		{ "\n\n\n", "\n", CHANNEL_ID },
		{ "\n\n\n\n", "", CHANNEL_REASON },
	};
	struct channel_outcome o;
	char text[512];
	size_t i, n;

	for (i = 0; i < COUNT(no_outcomes); i++)
		CHECK_ROW(i, channel_outcome_get(no_outcomes[i], &o) == -1);
	CHECK(channel_outcome_get("3 999 86400 9246182399 1\n\n\n\n", &o) ==
	    0);
	for (i = 0; i < COUNT(rows); i++)
		for (n = rows[i].cap - 1; n <= rows[i].cap; n++) {
			snprintf(text, sizeof text, "0 200 0 0 0%s%0*d%s",
			    rows[i].before, (int)n, 0, rows[i].after);
			CHECK_ROW(i, channel_outcome_get(text, &o) ==
			    (n < rows[i].cap ? 0 : -1));
		}
}

/* The real thing: a child, a connection, and tests/double/pushover.py. */
static char dir[] = "/tmp/channel_test.XXXXXX";
static int tls_port, plain_port, no_port;
static pid_t doubles[2];

enum { CHANNEL, QUICK };
static struct child_kind kinds[2];

static const char *
path_of(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

/* Run argv; its output's end of a pipe, or wait for its success (0). */
static int
spawn(const char *const argv[], pid_t *pid)
{
	int p[2] = { -1, -1 }, status;
	pid_t child;

	if (pid != NULL && pipe(p) == -1)
		return -1;
	child = fork();
	if (child == 0) {
		if (pid != NULL) {
			dup2(p[1], 1);
			close(p[0]);
			close(p[1]);
		}
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid == NULL)
		return waitpid(child, &status, 0) == child && status == 0 ?
		    0 : -1;
	close(p[1]);
	*pid = child;
	return p[0];
}

/* Start a double; its port, or 0. */
static int
start_double(bool tls, pid_t *pid)
{
	const char *const argv[] = { "python3", "tests/double/pushover.py",
	    "--log", path_of("log"), "--script", path_of("script"),
	    tls ? "--cert" : "--plain", tls ? path_of("ca/leaf.crt") : NULL,
	    "--key", path_of("ca/leaf.key"), NULL };
	char text[16] = "";
	int fd = spawn(argv, pid);

	if (fd == -1)
		return 0;
	if (read(fd, text, sizeof text - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return (int)strtol(text, NULL, 10);
}

/* A port that nobody listens on. */
static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void
script(const char *words)
{
	FILE *f = fopen(path_of("new"), "w");

	if (!CHECK(f != NULL))
		return;
	fputs(words, f);
	fclose(f);
	CHECK(rename(path_of("new"), path_of("script")) == 0);
}

/* What stands in the log: lines, and a member of the last. */
static size_t
logged(const char *name, char *dst, size_t cap)
{
	static char text[65536];
	struct str raw = { "", 0 };
	char *p, *last = text;
	size_t n = 0, k;
	FILE *f = fopen(path_of("log"), "r");

	dst[0] = '\0';
	if (f == NULL)
		return 0;
	k = fread(text, 1, sizeof text - 1, f);
	text[k] = '\0';
	fclose(f);
	for (p = text; (p = strchr(p, '\n')) != NULL; n++, p++)
		if (p[1] != '\0')
			last = p + 1;
	json_member(str_of(last), name, &raw);
	str_copy(dst, cap, raw);
	return n;
}

static int
start(size_t kind, const char *ca)
{
	struct fail why;
	int fd = child_start(kind, str_of(path_of(ca)), &why);

	CHECK(fd >= 0);
	return fd;
}

/* One delivery.  0, or -1: the child ended. */
static int
deliver(int fd, const char *url, const char *message,
    struct channel_outcome *o)
{
	struct job j = plain;
	struct pollfd p = { fd, POLLIN, 0 };
	char text[CHILD_ANSWER + 1];
	struct fail why;
	int rc;

	j.url = url;
	j.message = message;
	memset(o, 0, sizeof *o);
	if (child_job(fd, job_of(&j), &why) == -1)
		return -1;
	while ((rc = child_answer(fd, text)) == 0)
		if (poll(&p, 1, 10000) != 1)
			return -1;
	return rc == 1 ? channel_outcome_get(text, o) : -1;
}

static const char *
url_of(const char *scheme_host, int port)
{
	static char url[128];

	snprintf(url, sizeof url, "%s:%d/1/messages.json", scheme_host, port);
	return url;
}

/* Words for the double, one a delivery over one child: what becomes of each,
 * and over which connection of the double's it goes. */
static const struct {
	const char *word;
	int end, code;
	unsigned after_s;
	int connection;
} talks[] = {
	{ "ok",			CHANNEL_ACCEPTED, 200,	0,	1 },
	{ "ok",			CHANNEL_ACCEPTED, 200,	0,	1 },
	{ "chunked",		CHANNEL_ACCEPTED, 200,	0,	1 },
	{ "slow:1",		CHANNEL_ACCEPTED, 200,	0,	1 },
	{ "status0",		CHANNEL_REFUSED, 200,	0,	1 },
	{ "badjson",		CHANNEL_UNKNOWN, 200,	0,	1 },
	{ "empty",		CHANNEL_UNKNOWN, 200,	0,	1 },
	{ "204",		CHANNEL_UNKNOWN, 204,	0,	1 },
	{ "302",		CHANNEL_REFUSED, 302,	0,	1 },
	{ "400",		CHANNEL_REFUSED, 400,	0,	1 },
	{ "401",		CHANNEL_REFUSED, 401,	0,	1 },
	{ "404",		CHANNEL_REFUSED, 404,	0,	1 },
	{ "413",		CHANNEL_REFUSED, 413,	0,	1 },
	{ "429",		CHANNEL_RETRY, 429,	5,	1 },
	{ "429:90000",		CHANNEL_RETRY, 429,	86400,	1 },
	{ "429:-30",		CHANNEL_RETRY, 429,	5,	1 },
	{ "500",		CHANNEL_RETRY, 500,	5,	1 },
	{ "502",		CHANNEL_RETRY, 502,	5,	1 },
	{ "503:7",		CHANNEL_RETRY, 503,	7,	1 },
	{ "cut",		CHANNEL_UNKNOWN, 200,	0,	1 },
	{ "close-before",	CHANNEL_UNKNOWN, 0,	0,	2 },
	{ "close-in",		CHANNEL_UNKNOWN, 0,	0,	3 },
	{ "big",		CHANNEL_UNKNOWN, 200,	0,	4 },
	{ "close-after",	CHANNEL_ACCEPTED, 200,	0,	5 },
	{ "close-after",	CHANNEL_ACCEPTED, 200,	0,	6 },
	{ "ok",			CHANNEL_ACCEPTED, 200,	0,	7 },
};

static void
test_talks(const char *url)
{
	char words[512] = "", before[64], got[4096], want[64];
	struct channel_outcome o;
	size_t i, n, requests;
	int fd = start(CHANNEL, "ca/ca.crt");

	for (i = n = 0; i < COUNT(talks); i++)
		n += (size_t)snprintf(words + n, sizeof words - n, "%s ",
		    talks[i].word);
	script(words);
	requests = logged("connection", before, sizeof before);
	for (i = 0; i < COUNT(talks); i++) {
		CHECK_ROW(i, deliver(fd, url, talks[i].word, &o) == 0);
		if (!CHECK_ROW(i, (int)o.end == talks[i].end &&
		    o.code == talks[i].code && o.after_s == talks[i].after_s))
			printf("end %d code %d after %u: %s\n", (int)o.end,
			    o.code, o.after_s, o.reason);
		CHECK_ROW(i, (o.id[0] != '\0') ==
		    (o.end == CHANNEL_ACCEPTED));
		/* Sent once, whatever the answer. */
		snprintf(want, sizeof want, "%d", talks[i].connection);
		CHECK_ROW(i, logged("connection", got, sizeof got) ==
		    requests + i + 1);
		if (!CHECK_ROW(i, strcmp(got, want) == 0))
			printf("connection %s\n", got);
		logged("faults", got, sizeof got);
		CHECK_ROW(i, strcmp(got, "[]") == 0);
		/* What it does after its answer takes a moment. */
		if (strcmp(talks[i].word, "close-after") == 0)
			nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	}
	close(fd);
}

static const struct {
	const char *host;
	int *port;
	const char *ca, *reason;	/* the reason begins so */
	int end;
} ways[] = {
	{ "https://localhost",	&tls_port,	"ca/ca.crt",	"",
	    CHANNEL_ACCEPTED },
	{ "http://127.0.0.1",	&plain_port,	"none",		"",
	    CHANNEL_ACCEPTED },
	{ "http://localhost",	&plain_port,	"none",		"",
	    CHANNEL_ACCEPTED },
	{ "https://localhost",	&tls_port,	"none",		"ca-file: ",
	    CHANNEL_RETRY },
	{ "https://localhost",	&tls_port,	"other/ca.crt",	"localhost: "
	    "certificate is not signed by a known authority",
	    CHANNEL_RETRY },
	{ "https://127.0.0.1",	&tls_port,	"ca/ca.crt",	"",
	    CHANNEL_ACCEPTED },
	{ "https://localhost",	&plain_port,	"ca/ca.crt",	"localhost: "
	    "the other side speaks no TLS 1.2", CHANNEL_RETRY },
	{ "https://localhost",	&no_port,	"ca/ca.crt",	"",
	    CHANNEL_RETRY },
	{ "https://a..b",	&tls_port,	"ca/ca.crt",	"",
	    CHANNEL_RETRY },
	{ "http://192.0.2.1",	&plain_port,	"none", "https is required",
	    CHANNEL_REFUSED },
	{ "http://monitor.example.org", &plain_port, "none",
	    "https is required", CHANNEL_REFUSED },
	{ "http://127.0.0.1.example.org", &plain_port, "none",
	    "https is required", CHANNEL_REFUSED },
	{ "http://[::2]",	&plain_port,	"none",
	    "https is required", CHANNEL_REFUSED },
	{ "http://128.0.0.1",	&plain_port,	"none",
	    "https is required", CHANNEL_REFUSED },
	{ "ftp://localhost",	&plain_port,	"none",		"URL: ",
	    CHANNEL_REFUSED },
};

static void
test_ways(void)
{
	size_t i;

	script("");
	for (i = 0; i < COUNT(ways); i++) {
		struct channel_outcome o;
		int fd = start(CHANNEL, ways[i].ca);

		CHECK_ROW(i, deliver(fd, url_of(ways[i].host, *ways[i].port),
		    "m", &o) == 0);
		if (!CHECK_ROW(i, (int)o.end == ways[i].end && strncmp(
		    o.reason, ways[i].reason, strlen(ways[i].reason)) == 0))
			printf("end %d: %s\n", (int)o.end, o.reason);
		CHECK_ROW(i, strstr(o.reason, TOKEN) == NULL);
		close(fd);
	}
}

/* The largest message there is, and what the double saw of a plain one. */
static void
test_fields(const char *url)
{
	static char big[4 * 3000 + 1];
	char got[8192];
	struct channel_outcome o;
	int fd = start(CHANNEL, "ca/ca.crt");
	size_t i;

	for (i = 0; i < 3000; i++)
		memcpy(big + 4 * i, letters[3], 4);
	CHECK(deliver(fd, url, big, &o) == 0 && o.end == CHANNEL_ACCEPTED);
	CHECK(deliver(fd, url, "100 % & more", &o) == 0);
	CHECK(o.end == CHANNEL_ACCEPTED);
	logged("fields", got, sizeof got);
	CHECK(strcmp(got, "{\"token\": \"" TOKEN "\", \"user\": \"" USER
	    "\", \"title\": \"T\", \"message\": \"100 % & more\", "
	    "\"priority\": \"1\", \"timestamp\": \"7\", \"url\": "
	    "\"https://monitor.example.org/status?a=1&b\", "
	    "\"url_title\": \"see\"}") == 0);
	/* The double is strict: a path that is not the API's. */
	CHECK(deliver(fd, url_of("http://localhost", plain_port), "m", &o) ==
	    0 && o.end == CHANNEL_ACCEPTED);
	close(fd);
}

/* No answer: the child ends by its deadline, and the next one is well. */
static void
test_hang(const char *url)
{
	struct channel_outcome o;
	int fd = start(QUICK, "ca/ca.crt");

	script("hang");
	CHECK(deliver(fd, url, "m", &o) == -1);
	close(fd);
	fd = start(QUICK, "ca/ca.crt");
	CHECK(deliver(fd, url, "m", &o) == 0 && o.end == CHANNEL_ACCEPTED);
	close(fd);
}

static bool
prepare_doubles(void)
{
	const char *const ca[] = { "sh", "tests/double/ca.sh", path_of("ca"),
	    NULL };
	const char *const other[] = { "sh", "tests/double/ca.sh",
	    path_of("other"), NULL };

	if (spawn(ca, NULL) == -1 || spawn(other, NULL) == -1)
		return false;
	script("");
	tls_port = start_double(true, &doubles[0]);
	plain_port = start_double(false, &doubles[1]);
	no_port = free_port();
	return tls_port != 0 && plain_port != 0;
}

static void
clean_up(void)
{
	const char *const rm[] = { "rm", "-rf", dir, NULL };
	size_t i;

	for (i = 0; i < COUNT(doubles); i++)
		if (doubles[i] > 0) {
			kill(doubles[i], SIGKILL);
			waitpid(doubles[i], NULL, 0);
		}
	spawn(rm, NULL);
}

int
main(void)
{
	struct fail why;
	char url[128];

	kinds[CHANNEL] = kinds[QUICK] = channel_child;
	kinds[QUICK].deadline_s = 1;
	CHECK(child_helper(kinds, COUNT(kinds), &why) == 0);
	test_form();
	test_faulty();
	test_limits();
	test_bytes();
	test_answers();
	test_answer_texts();
	test_no_outcomes();
	CHECK(mkdtemp(dir) != NULL);
	if (prepare_doubles()) {
		snprintf(url, sizeof url, "%s",
		    url_of("https://localhost", tls_port));
		test_talks(url);
		test_ways();
		test_fields(url);
		test_hang(url);
	} else
		printf("no python3 or openssl: not tried over the network\n");
	clean_up();
	return test_end();
}
