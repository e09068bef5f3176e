/* channel_push.c: Pushover, as its API's own text has it; see channel.h. */

#include "channel_impl.h"
#include "json.h"

#define EMERGENCY	2
#define RETRY_S		60
#define EXPIRE_S	10800

/* A text of a job as a field of the form, cut to max characters. */
struct text {
	const char *member, *field;
	size_t max;
	const char *blank;	/* what stands for a blank one; NULL: none */
	bool whole;		/* or not at all: a link cut leads nowhere */
};

static const struct text title = { "title", "title", 250, NULL, false },
    message = { "message", "message", CHANNEL_TEXT_CHARS, "(no text)", false },
    link_to = { "link", "url", 512, NULL, true },
    link_title = { "link_title", "url_title", 100, NULL, false };

/* "&field=value".  0, or -1: no such text. */
static int
put_text(struct buf *form, struct str job, const struct text *t)
{
	static char text[CHILD_JOB_MAX];
	char cut[CHANNEL_TEXT_CHARS * 4];
	const char *value = text;
	struct buf b = BUF(cut);

	if (json_text(job, t->member, text, sizeof text) == -1)
		return -1;
	if (text[strspn(text, " \t\n\v\f\r")] == '\0')	/* blank */
		value = t->blank;
	if (value == NULL)
		return 0;
	buf_utf8(&b, str_of(value), t->max);
	if (t->whole && !str_eq(str_from(&b), str_of(value)))
		return 0;
	buf_addf(form, "&%s=", t->field);
	http_escape(form, str_from(&b));
	return 0;
}

int
channel_pushover_form(struct buf *b, struct str job, struct fail *why)
{
	static const char *const keys[] = { "token", "user" };
	int64_t priority = 0, timestamp = 0, expire = EXPIRE_S;
	char key[CHANNEL_KEY_CHARS + 1];
	size_t i, was;

	if (json_valid(job, why) == -1)
		return fail_in(why, "job");
	for (i = 0; i < COUNT(keys); i++) {
		if (json_text(job, keys[i], key, sizeof key) == -1 ||
		    strlen(key) != CHANNEL_KEY_CHARS ||
		    !str_is_of(str_of(key), STR_ALNUM))
			return fail(why, "the %s key is not 30 letters and "
			    "digits", i == 0 ? "application's" : "user's");
		buf_addf(b, "%s%s=%s", i == 0 ? "" : "&", keys[i], key);
	}
	if (put_text(b, job, &title) == -1 || put_text(b, job, &message) == -1)
		return fail(why, "job with a text that cannot be read");
	if (json_number(job, "priority", -2, EMERGENCY, &priority) == -1)
		return fail(why, "priority: not -2 to 2");
	buf_addf(b, "&priority=%d", (int)priority);
	if (json_number(job, "expire", RETRY_S, EXPIRE_S, &expire) == -1)
		return fail(why, "expire: not %d to %d", RETRY_S, EXPIRE_S);
	if (priority == EMERGENCY)
		buf_addf(b, "&retry=%d&expire=%d", RETRY_S, (int)expire);
	if (json_number(job, "timestamp", 0, TIME_MAX / 1000, &timestamp) == -1)
		return fail(why, "timestamp: not seconds since 1970");
	if (timestamp > 0)
		buf_addf(b, "&timestamp=%lld", (long long)timestamp);
	was = b->n;
	if (put_text(b, job, &link_to) == -1 ||
	    (b->n > was && put_text(b, job, &link_title) == -1))
		return fail(why, "job with a link that cannot be read");
	return b->full ? fail(why, "the message is too long") : 0;
}

/* A status and, if it tells, what was wrong: the texts of "errors". */
static void
refused(struct channel_outcome *o, const char *what, struct str body)
{
	char text[CHANNEL_REASON], one[CHANNEL_REASON];
	struct str raw;
	struct json j;
	struct buf b;

	buf_init(&b, text, sizeof text - 1);
	(void)json_list(&j, body, "errors");	/* or none */
	while (json_next(&j, &raw) == JSON_STR)
		if (json_unescape(raw, one, sizeof one) == 0) {
			buf_addz(&b, b.n == 0 ? ": " : "; ");
			buf_line(&b, str_of(one));
		}
	text[b.n] = '\0';
	channel_reason(o, "HTTP %d%s%s", o->code, what, text);
}

static void
name_of(struct str body, const char *member, char dst[CHANNEL_ID])
{
	char text[CHANNEL_ID];

	(void)json_text(body, member, text, sizeof text);	/* or "" */
	channel_line(dst, CHANNEL_ID, text);
}

void
channel_pushover_outcome(const struct http_head *h, struct str body,
    int64_t now_s, struct channel_outcome *o)
{
	struct str left = http_field(h, "X-Limit-App-Remaining");
	uint64_t after = 0, reset;
	int64_t said;
	struct fail why;

	*o = (struct channel_outcome){ CHANNEL_UNKNOWN, .code = h->status };
	if (h->status == 429 || h->status >= 500) {
		/* The quota being used up: until it begins anew. */
		if (h->status == 429 && (left.p == NULL ||
		    str_is(left, "0")) &&
		    str_u64(http_field(h, "X-Limit-App-Reset"), 0, INT64_MAX,
		    &reset) == 0 && (int64_t)reset > now_s)
			after = reset - (uint64_t)now_s;
		o->after_s = channel_after(h, after);
		o->end = CHANNEL_RETRY;
		refused(o, "", body);
	} else if (h->status >= 300) {
		o->end = CHANNEL_REFUSED;
		refused(o, h->status < 400 ? ", a redirect, which is not "
		    "followed" : "", body);
	} else if (h->status != 200)
		channel_reason(o, "HTTP %d", o->code);
	else if (json_valid(body, &why) == -1)	/* 200: the body decides */
		channel_reason(o, "HTTP 200, but no answer that can be read: "
		    "%s", why.msg);
	else if (json_number(body, "status", INT32_MIN, INT32_MAX, &said) != 1)
		channel_reason(o, "HTTP 200, but an answer without a status");
	else if (said != 1) {
		o->end = CHANNEL_REFUSED;
		refused(o, ", but not taken", body);
	} else {
		o->end = CHANNEL_ACCEPTED;
		name_of(body, "request", o->id);
		name_of(body, "receipt", o->receipt);
	}
}

/* What a receipt says: the members of an answer that is one. */
static void
judge_receipt(const struct http_head *h, struct str body, int64_t now_s,
    struct channel_outcome *o)
{
	int64_t seen = 0, over = 0;

	channel_pushover_outcome(h, body, now_s, o);
	if (o->end != CHANNEL_ACCEPTED)
		return;
	(void)json_number(body, "acknowledged", 0, 1, &seen);
	if (seen == 1)
		(void)json_number(body, "acknowledged_at", 0, TIME_MAX / 1000,
		    &o->seen_s);
	(void)json_number(body, "expired", 0, 1, &over);
	o->over = over == 1;
	name_of(body, "acknowledged_by_device", o->device);
}

/* What is asked beside messages.  The URL's last part gives way to path, in
 * which %s is the receipt; a GET has the token behind it, which is how they
 * want it. */
static const struct question {
	const char *what, *method, *path;
	channel_judge_fn *judge;
	bool user;			/* it names the user */
} questions[] = {
	{ "receipt", "GET", "receipts/%s.json?token=", judge_receipt, false },
	{ "cancel", "POST", "receipts/%s/cancel.json",
	    channel_pushover_outcome, false },
	{ "validate", "POST", "users/validate.json",
	    channel_pushover_outcome, true },
};

/* Make the URL and the form of one.  0 or -1. */
static int
put_question(struct buf *url, struct buf *form, struct str job,
    const struct question *q, struct fail *why)
{
	char token[CHANNEL_KEY_CHARS + 1], user[CHANNEL_KEY_CHARS + 1];
	char receipt[CHANNEL_ID];
	const char *p = strstr(q->path, "%s");

	(void)json_text(job, "receipt", receipt, sizeof receipt);
	if (json_text(job, "token", token, sizeof token) != 1 ||
	    !str_is_of(str_of(token), STR_ALNUM) ||
	    (p != NULL && (receipt[0] == '\0' ||
	    !str_is_of(str_of(receipt), STR_ALNUM))) || (q->user &&
	    (json_text(job, "user", user, sizeof user) != 1 ||
	    !str_is_of(str_of(user), STR_ALNUM))))
		return fail(why, "a key or a receipt that is none");
	while (url->n > 0 && url->p[url->n - 1] != '/')
		url->n--;
	if (p == NULL)
		buf_addz(url, q->path);
	else
		buf_addf(url, "%.*s%s%s%s", (int)(p - q->path), q->path,
		    receipt, p + 2, form == NULL ? token : "");
	if (form != NULL)
		buf_addf(form, "token=%s%s%s", token, q->user ? "&user=" : "",
		    q->user ? user : "");
	return url->full ? fail(why, "the URL is too long") : 0;
}

void
channel_push(struct str job, struct channel_outcome *o)
{
	static char form[CHANNEL_FORM_MAX], url[CHANNEL_URL_MAX];
	struct buf f = BUF(form), u = BUF(url);
	struct channel_ask ask = { .method = "POST", .head =
	    STR("Content-Type: application/x-www-form-urlencoded\r\n") };
	channel_judge_fn *judge = channel_pushover_outcome;
	const struct question *q;
	struct fail why;
	char what[16];
	bool get;

	(void)json_text(job, "what", what, sizeof what);	/* or "" */
	q = STR_ROW(questions, str_of(what));
	get = q != NULL && q->method[0] == 'G';
	if (get)
		ask = (struct channel_ask){ .method = "GET" };
	if (json_text(job, "url", url, sizeof url) == -1) {
		channel_reason(o, "a URL that cannot be read");
		return;
	}
	u.n = strlen(url);
	if ((q == NULL ? channel_pushover_form(&f, job, &why) :
	    put_question(&u, get ? NULL : &f, job, q, &why)) == -1 ||
	    http_url(str_from(&u), &ask.url, &why) == -1) {
		channel_reason(o, "%s", why.msg);
		return;
	}
	if (q != NULL)
		judge = q->judge;
	ask.body = str_from(&f);
	channel_ask(&ask, judge, o);
}
