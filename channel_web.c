/*
 * channel_web.c: the channels that are one POST of JSON; see channel.h.
 *
 * A row makes URL, fields and body of what a job says; all answers are judged
 * alike, but for Telegram's.
 */
#include <bearssl.h>
#include <stdio.h>

#include "channel_impl.h"
#include "json.h"
#include "log.h"

#define PAGERDUTY_URL	"https://events.pagerduty.com/v2/enqueue"
#define TELEGRAM_URL	"https://api.telegram.org"

/* Severities, as each names them. */
static const struct level {
	const char *name;
	int ntfy, gotify;
	const char *tag, *pagerduty;
} levels[] = {
	{ "ok",		3, 2, "white_check_mark",	"info" },
	{ "warning",	4, 5, "warning",		"warning" },
	{ "unknown",	4, 5, "question",		"error" },
	{ "critical",	5, 8, "rotating_light",		"critical" },
};

/* One of the incidents a job is about. */
struct item {
	int64_t incident, opened_s;
	const struct level *level;
	char what[300], text[1100];
	struct str told;		/* the list of it, or NULL */
};

/* A job, and the request it becomes. */
struct note {
	struct str job;
	char address[512], secret[300], title[1100], message[4200], link[600];
	char journal[96];
	const struct level *level;
	int64_t id, timestamp_s;
	bool local, drill;
	bool over;			/* a test of PagerDuty's: resolve it */
	struct item item;		/* of PagerDuty: the one it is about */
	struct buf url, head, body;
};

/* ---- what a job says ---- */

static const struct level *
level_of(struct str obj, const char *member)
{
	char name[16];

	(void)json_text(obj, member, name, sizeof name);	/* or "" */
	return STR_ROW(levels, str_of(name));
}

static int
read_item(struct str raw, struct item *it)
{
	*it = (struct item){ .level = level_of(raw, "status") };
	if (json_member(raw, "told", &it->told) != JSON_ARR)
		it->told = STR("[]");
	return it->level != NULL && json_number(raw, "incident", 1, INT64_MAX,
	    &it->incident) == 1 && json_number(raw, "opened", 0,
	    TIME_MAX / 1000, &it->opened_s) == 1 &&
	    json_text(raw, "what", it->what, sizeof it->what) == 1 &&
	    json_text(raw, "text", it->text, sizeof it->text) == 1 ? 0 : -1;
}

static int
read_note(struct note *n, struct fail *why)
{
	struct str job = n->job, raw;

	n->level = level_of(job, "severity");
	n->local = json_member(job, "local", &raw) == JSON_TRUE;
	n->drill = json_member(job, "drill", &raw) == JSON_TRUE;
	n->over = false;
	n->id = n->timestamp_s = 0;
	if (json_valid(job, why) == -1)
		return fail_in(why, "job");
	if (n->level == NULL ||
	    json_text(job, "address", n->address, sizeof n->address) != 1 ||
	    json_text(job, "secret", n->secret, sizeof n->secret) == -1 ||
	    json_text(job, "title", n->title, sizeof n->title) == -1 ||
	    json_text(job, "message", n->message, sizeof n->message) == -1 ||
	    json_text(job, "link", n->link, sizeof n->link) == -1 ||
	    json_text(job, "journal", n->journal, sizeof n->journal) == -1 ||
	    json_number(job, "id", 0, INT64_MAX, &n->id) == -1 ||
	    json_number(job, "timestamp", 0, TIME_MAX / 1000,
	    &n->timestamp_s) == -1)
		return fail(why, "job with a member that cannot be read");
	/* It may become a header. */
	return str_is_plain(str_of(n->secret)) ? 0 :
	    fail(why, "the secret has a control character");
}

/* ---- parts of requests ---- */

/* A base with a path behind it. */
static void
put_url(struct note *n, struct str base, const char *path)
{
	while (path[0] == '/' && base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	buf_add(&n->url, base);
	buf_addz(&n->url, path);
}

/* An address "KEY" or "KEY URL": the key; base: what is the URL then. */
static struct str
split(const struct note *n, struct str *base)
{
	struct str rest = str_of(n->address), key;

	(void)str_cut(&rest, ' ', &key);
	if (rest.n > 0)
		*base = rest;
	return key;
}

static void
put_bearer(struct note *n)
{
	if (n->secret[0] != '\0')
		buf_addf(&n->head, "Authorization: Bearer %s\r\n", n->secret);
}

static void
add_link(struct note *n, const char *member)
{
	if (n->link[0] != '\0')
		json_add(&n->body, member, str_of(n->link));
}

/* As one text, the title between marks: a member, of at most max
 * characters. */
static void
add_text(struct note *n, const char *member, const char *mark, size_t max)
{
	static char whole[8192], room[4 * 4096];
	struct buf all = BUF(whole), b = BUF(room);

	buf_addf(&all, "%s%s%s\n%s%s%s", mark, n->title, mark, n->message,
	    n->link[0] != '\0' ? "\n" : "", n->link);
	buf_utf8(&b, str_from(&all), max);
	json_add(&n->body, member, str_from(&b));
}

/* ---- one function a channel: its body, and what of URL and fields is its
 * own ---- */

static int
make_webhook(struct note *n, struct fail *why)
{
	unsigned char mac[br_sha256_SIZE];
	char hex[2 * sizeof mac + 1];
	br_hmac_key_context key;
	br_hmac_context ctx;
	struct str items;

	(void)why;
	put_url(n, str_of(n->address), "");
	json_add_int(&n->body, "id", n->id);
	json_add(&n->body, "title", str_of(n->title));
	json_add(&n->body, "message", str_of(n->message));
	json_add(&n->body, "severity", str_of(n->level->name));
	json_put_time(json_key(&n->body, "timestamp"), n->timestamp_s * 1000);
	add_link(n, "link");
	if (n->journal[0] != '\0')
		json_add(&n->body, "journal", str_of(n->journal));
	if (n->drill)
		json_put_bool(json_key(&n->body, "drill"), true);
	if (json_member(n->job, "items", &items) == JSON_ARR)
		json_put_raw(json_key(&n->body, "items"), items);
	json_obj_end(&n->body);
	buf_addf(&n->head, "Idempotency-Key: %lld\r\n", (long long)n->id);
	if (n->secret[0] == '\0')
		return 0;
	br_hmac_key_init(&key, &br_sha256_vtable, n->secret,
	    strlen(n->secret));
	br_hmac_init(&ctx, &key, 0);
	br_hmac_update(&ctx, n->body.p, n->body.n);
	br_hmac_out(&ctx, mac);
	str_hex(hex, mac, sizeof mac);
	buf_addf(&n->head, "X-Vilicus-Signature: sha256=%s\r\n", hex);
	return 0;
}

/* As JSON to the root, for a header takes no UTF-8. */
static int
make_ntfy(struct note *n, struct fail *why)
{
	struct str root = str_of(n->address), topic;

	while (root.n > 0 && root.p[root.n - 1] != '/')
		root.n--;
	topic = str_after(str_of(n->address), root.n);
	if (topic.n == 0 || root.n < sizeof "http://x" ||
	    !str_is_of(topic, STR_ALNUM "_-"))
		return fail(why, "the address is not like "
		    "https://ntfy.sh/TOPIC");
	put_url(n, root, "");
	put_bearer(n);
	json_add(&n->body, "topic", topic);
	json_add(&n->body, "title", str_of(n->title));
	json_add(&n->body, "message", str_of(n->message));
	json_add_int(&n->body, "priority", n->level->ntfy);
	json_arr(json_key(&n->body, "tags"));
	json_put(&n->body, str_of(n->level->tag));
	json_arr_end(&n->body);
	add_link(n, "click");
	json_obj_end(&n->body);
	return 0;
}

static int
make_gotify(struct note *n, struct fail *why)
{
	if (n->secret[0] == '\0')
		return fail(why, "no secret: gotify wants the token of an "
		    "application");
	put_url(n, str_of(n->address), "/message");
	buf_addf(&n->head, "X-Gotify-Key: %s\r\n", n->secret);
	json_add(&n->body, "title", str_of(n->title));
	json_add(&n->body, "message", str_of(n->message));
	json_add_int(&n->body, "priority", n->level->gotify);
	json_obj(json_key(&n->body, "extras"));
	if (n->link[0] != '\0') {
		json_obj(json_key(&n->body, "client::notification"));
		json_obj(json_key(&n->body, "click"));
		add_link(n, "url");
		buf_addz(&n->body, "}}");
	}
	buf_addz(&n->body, "}}");
	return 0;
}

/* Three characters are Slack's own. */
static int
make_slack(struct note *n, struct fail *why)
{
	static char room[8192 * 5];
	struct buf b = BUF(room);
	const char *const part[] = { n->title, n->message };

	(void)why;
	put_url(n, str_of(n->address), "");
	for (size_t i = 0; i < COUNT(part); i++) {
		buf_addz(&b, i == 0 ? "*" : "*\n");
		for (const char *p = part[i]; *p != '\0'; p++)
			if (*p == '&' || *p == '<' || *p == '>')
				buf_addz(&b, *p == '&' ? "&amp;" :
				    *p == '<' ? "&lt;" : "&gt;");
			else
				buf_addc(&b, *p);
	}
	if (n->link[0] != '\0')
		buf_addf(&b, "\n<%s>", n->link);
	json_add(&n->body, "text", str_from(&b));
	json_obj_end(&n->body);
	return 0;
}

static int
make_discord(struct note *n, struct fail *why)
{
	(void)why;
	put_url(n, str_of(n->address), "");
	add_text(n, "content", "**", 2000);
	buf_addz(&n->body, ",\"allowed_mentions\":{\"parse\":[]}}");
	return 0;
}

static int
make_telegram(struct note *n, struct fail *why)
{
	struct str base = STR(TELEGRAM_URL), chat = split(n, &base);

	if (!str_is_of(str_of(n->secret), STR_ALNUM ":_-") ||
	    n->secret[0] == '\0')
		return fail(why, "the secret is not a bot's token");
	put_url(n, base, "/bot");
	buf_addf(&n->url, "%s/sendMessage", n->secret);
	json_add(&n->body, "chat_id", chat);
	add_text(n, "text", "", 4096);
	json_obj_end(&n->body);
	return 0;
}

/* One event an incident; a job that has none is a test, or a drill, which is
 * triggered and at once resolved. */
static int
make_pagerduty(struct note *n, struct fail *why)
{
	struct str url = STR(PAGERDUTY_URL), key = split(n, &url);
	const struct item *it = &n->item;
	bool test = it->level == NULL;
	bool trigger = test ? !n->over : it->level != &levels[0];
	char summary[4 * 1024];
	struct buf s = BUF(summary);

	(void)why;
	put_url(n, url, "");
	json_add(&n->body, "routing_key", key);
	json_add(&n->body, "event_action", trigger ? STR("trigger") :
	    STR("resolve"));
	buf_addf(&n->body, ",\"dedup_key\":\"vilicus-%s%lld\"", !test ? "" :
	    n->drill ? "drill-" : "test-", (long long)(test ? n->id :
	    it->incident));
	buf_utf8(&s, str_of(test ? n->message : it->text), 1024);
	json_obj(json_key(&n->body, "payload"));
	json_add(&n->body, "summary", str_from(&s));
	json_add(&n->body, "source", str_of(test ? "vilicus" : it->what));
	json_add(&n->body, "severity", str_of((test ? n->level :
	    it->level)->pagerduty));
	json_put_time(json_key(&n->body, "timestamp"), n->timestamp_s * 1000);
	json_obj_end(&n->body);
	json_add(&n->body, "client", STR("vilicus"));
	add_link(n, "client_url");
	json_obj_end(&n->body);
	return 0;
}

/* An alert, its labels being what it is: one of another severity is another
 * one. */
static void
put_alert(struct note *n, const struct item *it, const struct level *as,
    int64_t ends_s)
{
	json_obj(&n->body);
	json_obj(json_key(&n->body, "labels"));
	json_add(&n->body, "alertname", STR("vilicus"));
	buf_addf(&n->body, ",\"incident\":\"%lld\"", (long long)it->incident);
	json_add(&n->body, "what", str_of(it->what));
	json_add(&n->body, "severity", str_of(as->name));
	json_obj_end(&n->body);
	json_obj(json_key(&n->body, "annotations"));
	json_add(&n->body, "summary", str_of(it->what));
	json_add(&n->body, "description", str_of(it->text));
	json_obj_end(&n->body);
	json_put_time(json_key(&n->body, "startsAt"), it->opened_s * 1000);
	json_put_time(json_key(&n->body, "endsAt"), ends_s * 1000);
	add_link(n, "generatorURL");
	json_obj_end(&n->body);
}

/* An alert that is told once would end by itself in minutes, so that it says
 * a year; what was told of an incident before and is not so now ends now. */
static int
make_alertmanager(struct note *n, struct fail *why)
{
	int64_t now_s = log_clock_ms() / 1000;
	struct json j, told;
	struct item it;
	struct str raw, word;

	(void)why;
	put_url(n, str_of(n->address), "/api/v2/alerts");
	put_bearer(n);
	n->body.n = 0;			/* a list is its body */
	json_arr(&n->body);
	(void)json_list(&j, n->job, "items");	/* or none */
	while (json_value(&j, &raw) == JSON_OBJ && read_item(raw, &it) == 0) {
		if (it.level != &levels[0])
			put_alert(n, &it, it.level, now_s + 365 * 86400);
		json_open(&told, it.told);
		(void)json_next(&told, &word);	/* the bracket */
		while (json_next(&told, &word) == JSON_STR) {
			const struct level *was = STR_ROW(levels, word);

			if (was != NULL && was != &levels[0] &&
			    was != it.level)
				put_alert(n, &it, was, now_s);
		}
	}
	if (n->body.n == 1) {		/* a test: it ends by itself */
		it = (struct item){ .opened_s = n->timestamp_s };
		(void)str_copy(it.what, sizeof it.what, n->drill ?
		    STR("drill") : STR("test"));
		(void)str_copy(it.text, sizeof it.text, str_of(n->message));
		put_alert(n, &it, n->level, now_s + 300);
	}
	json_arr_end(&n->body);
	return 0;
}

/* A GET: the server's own sign of life. */
static int
make_get(struct note *n, struct fail *why)
{
	(void)why;
	put_url(n, str_of(n->address), "");
	n->body.n = 0;
	return 0;
}

/* ---- answers ---- */

/* What a body says is wrong: a member, or its first line. */
static void
put_said(struct buf *b, struct str body)
{
	static const char *const members[] = { "error", "message",
	    "description" };
	char text[CHANNEL_REASON];
	struct str line;

	for (size_t i = 0; i < COUNT(members); i++)
		if (json_text(body, members[i], text, sizeof text) == 1) {
			buf_addf(b, ": %s", text);
			return;
		}
	while (str_cut(&body, '\n', &line) == 0) {
		line.n -= line.n > 0 && line.p[line.n - 1] == '\r';
		line = str_trim(line);
		if (line.n == 0)
			continue;
		buf_addz(b, ": ");
		buf_line(b, line);
		return;
	}
}

static void
judge(const struct http_head *h, struct str body, int64_t now_s,
    struct channel_outcome *o)
{
	char text[CHANNEL_REASON];
	struct buf b;
	struct str raw;
	int64_t after = 0, id;

	(void)now_s;
	*o = (struct channel_outcome){ CHANNEL_ACCEPTED, .code = h->status };
	if (h->status < 300) {
		if (json_number(body, "id", 0, INT64_MAX, &id) == 1)
			snprintf(o->id, sizeof o->id, "%lld", (long long)id);
		else if (json_text(body, "id", text, sizeof text) == 1)
			channel_line(o->id, sizeof o->id, text);
		return;
	}
	o->end = CHANNEL_REFUSED;
	if (h->status == 429 || h->status >= 500) {
		/* Telegram says it in its body. */
		if (json_member(body, "parameters", &raw) == JSON_OBJ)
			(void)json_number(raw, "retry_after", 0,
			    CHANNEL_AFTER_MAX_S, &after);
		o->after_s = channel_after(h, (uint64_t)after);
		o->end = CHANNEL_RETRY;
	}
	buf_init(&b, text, sizeof text - 1);
	put_said(&b, body);
	text[b.n] = '\0';
	channel_reason(o, "HTTP %d%s%s", o->code, h->status < 400 ?
	    ", a redirect, which is not followed" : "", text);
}

static void
judge_telegram(const struct http_head *h, struct str body, int64_t now_s,
    struct channel_outcome *o)
{
	enum json_tok ok;
	struct str raw;
	int64_t id;

	judge(h, body, now_s, o);
	if (o->end != CHANNEL_ACCEPTED)
		return;
	ok = json_member(body, "ok", &raw);
	if (ok == JSON_FALSE) {
		char text[CHANNEL_REASON];

		(void)json_text(body, "description", text, sizeof text);
		o->end = CHANNEL_REFUSED;
		channel_reason(o, "HTTP %d, but not taken: %s", o->code, text);
	} else if (ok != JSON_TRUE) {
		o->end = CHANNEL_UNKNOWN;
		channel_reason(o, "HTTP %d, but no answer that can be read",
		    o->code);
	} else if (json_member(body, "result", &raw) == JSON_OBJ &&
	    json_number(raw, "message_id", 0, INT64_MAX, &id) == 1)
		snprintf(o->id, sizeof o->id, "%lld", (long long)id);
}

/* ---- the channels ---- */

static const struct web {
	const char *name;
	const char *method;
	int (*make)(struct note *n, struct fail *why);
	channel_judge_fn *judge;
	bool lan;			/* plain http will do */
	bool each;			/* a request an item */
} webs[] = {
	{ "webhook",	"POST",	make_webhook,	judge,	true,	false },
	{ "ntfy",	"POST",	make_ntfy,	judge,	true,	false },
	{ "gotify",	"POST",	make_gotify,	judge,	true,	false },
	{ "slack",	"POST",	make_slack,	judge,	false,	false },
	{ "discord",	"POST",	make_discord,	judge,	false,	false },
	{ "telegram",	"POST",	make_telegram,	judge_telegram,	false, false },
	{ "pagerduty",	"POST",	make_pagerduty,	judge,	false,	true },
	{ "alertmanager", "POST", make_alertmanager, judge, true, false },
	{ "get",	"GET",	make_get,	judge,	true,	false },
};

void
channel_hide(char *text, struct str secret)
{
	size_t k;

	for (; *text != '\0' && secret.n > 0; text++) {
		for (k = 0; k < secret.n && text[k] == secret.p[k]; k++)
			;
		if (k == secret.n || (k >= 4 && text[k] == '\0'))
			memset(text, '*', k);
	}
}

/* Make a request and have it answered. */
static void
send_note(struct note *n, const struct web *w, struct channel_outcome *o)
{
	static char url[CHANNEL_URL_MAX], head[1024], body[CHANNEL_BODY_MAX];
	struct channel_ask ask = { .method = w->method, .lan = w->lan,
	    .far = !n->local };
	struct fail why;

	*o = (struct channel_outcome){ .end = CHANNEL_REFUSED };
	n->url = BUF(url);
	n->head = BUF(head);
	n->body = BUF(body);
	json_obj(&n->body);
	if (w->make(n, &why) == -1 ||
	    http_url(str_from(&n->url), &ask.url, &why) == -1) {
		channel_reason(o, "%s", why.msg);
		return;
	}
	if (n->url.full || n->head.full || n->body.full ||
	    ask.url.user.n > 0 || ask.url.fragment.n > 0) {
		channel_reason(o, "%s", ask.url.user.n > 0 ||
		    ask.url.fragment.n > 0 ? "a URL with a user or a '#' is "
		    "not taken" : "the message is too long");
		return;
	}
	if (n->body.n > 0)
		buf_addz(&n->head, "Content-Type: application/json\r\n");
	ask.head = str_from(&n->head);
	ask.body = str_from(&n->body);
	channel_ask(&ask, w->judge, o);
	/* An answer may say anything, and viewers read it. */
	channel_hide(o->reason, str_of(n->secret));
	channel_hide(o->id, str_of(n->secret));
	if (ask.url.path.n > 24)
		channel_hide(o->reason, ask.url.path);
}

void
channel_web(struct str job, struct channel_outcome *o)
{
	static struct note n;
	const int64_t until_ms = log_clock_ms() + CHANNEL_MANY_MS;
	const struct web *w;
	struct fail why;
	struct json j;
	struct str raw;
	char name[32];
	bool more;

	(void)json_text(job, "channel", name, sizeof name);	/* or "" */
	w = STR_ROW(webs, str_of(name));
	n.job = job;
	if (read_note(&n, &why) == -1) {
		channel_reason(o, "%s", why.msg);
		return;
	}
	n.item.level = NULL;
	(void)json_list(&j, job, "items");	/* or none */
	more = w->each && json_value(&j, &raw) == JSON_OBJ;
	do {
		if (more && read_item(raw, &n.item) == -1) {
			channel_reason(o, "an item that cannot be read");
			return;
		}
		send_note(&n, w, o);
		more = more && o->end == CHANNEL_ACCEPTED &&
		    json_value(&j, &raw) == JSON_OBJ;
	} while (more && log_clock_ms() < until_ms);
	n.over = w->each && n.item.level == NULL;
	if (n.over && o->end == CHANNEL_ACCEPTED)
		send_note(&n, w, o);
	if (more) {
		*o = (struct channel_outcome){ .end = CHANNEL_RETRY };
		channel_reason(o, "it takes them too slowly");
	}
}
