/* page.c: see page.h. */
#include <stdarg.h>

#include "api_impl.h"
#include "beat.h"
#include "page.h"

void
page_text(struct buf *b, struct str s)
{
	size_t n;

	for (; s.n > 0; s = str_after(s, n)) {
		for (n = 0; n < s.n && (s.p[n] == '\0' ||
		    strchr("<>&\"'", s.p[n]) == NULL); n++)
			;
		buf_line(b, (struct str){ s.p, n });
		if (n < s.n)
			buf_addf(b, "&#%d;", s.p[n++]);
	}
}

/* The clock of the page that is made. */
static int64_t now_ms;

/* HTML as it stands, but for %s: a text, %t: a time, %a: and how long ago.
 * The end tags of cells and rows may be left out, and are. */
static void
put(struct buf *b, const char *html, ...)
{
	int64_t at_ms, passed;
	va_list ap;

	va_start(ap, html);
	for (; *html != '\0'; html++) {
		if (*html != '%') {
			buf_addc(b, *html);
			continue;
		}
		if (*++html == 's') {
			page_text(b, str_of(va_arg(ap, const char *)));
			continue;
		}
		at_ms = va_arg(ap, int64_t);
		passed = now_ms - at_ms;
		if (at_ms == 0)
			buf_addz(b, "never");
		else
			buf_time_human(b, at_ms);
		if (at_ms == 0 || *html != 'a')
			continue;
		buf_addz(b, " (");
		buf_duration(b, passed < 1000 ? 0 : passed / 1000 * 1000);
		buf_addz(b, " ago)");
	}
	va_end(ap);
}

/* Whether those who are told can be reached. */
static void
alarm_path(struct buf *b)
{
	const struct recipient *r;
	unsigned n = 0;

	MODEL_ALL(r, KIND_RECIPIENT) {
		if (!r->enabled)
			continue;
		put(b, n++ == 0 ? "<p>Alarm path: " : "; ");
		put(b, "%s proven %a", r->name, r->proven);
		if (r->drill_error[0] != '\0')
			put(b, ", <strong>drill failed</strong> %a: %s",
			    r->drilled, r->drill_error);
	}
	put(b, n == 0 ? "" : ".</p>\n");
}

/* What is wrong, and the agents. */
static void
overview(struct buf *b)
{
	const struct incident *in;
	const struct agent *a;
	unsigned n = 0;

	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->closed != 0)
			continue;
		if (n++ == 0)
			put(b, "<h2>What is wrong</h2>\n<table border>\n<tr>"
			    "<th>What<th>Severity<th>Since<th>Seen by"
			    "<th>Last told\n");
		put(b, "<tr><td>%s<td>%s<td>%a<td>%s %s<td>%s\n", in->what,
		    status_name(in->status), in->opened,
		    in->acknowledged_by, in->comment, in->text);
	}
	put(b, n == 0 ? "<p>Nothing is wrong.</p>\n" : "</table>\n");
	alarm_path(b);
	put(b, "<h2>Agents</h2>\n<table border>\n<tr><th>Agent<th>State"
	    "<th>Status<th>Last check-in<th>Version\n");
	MODEL_ALL(a, KIND_AGENT) {
		put(b, "<tr><td><a href=\"/status?agent=");
		http_escape(b, str_of(a->hostname));
		put(b, "\">%s</a><td>%s<td>%s<td>%a<td>%s\n", a->hostname,
		    a->enabled ? model_agent_states[a->state] : "disabled",
		    status_name(model_agent_status(a)), a->last_checkin,
		    a->version);
	}
	put(b, "</table>\n");
}

static void
results(struct buf *b, const struct check *c)
{
	static struct store_row row;
	const struct store_result *r = &row.r;
	struct store_query ask = { .check = c->o.id, .source = c->agent_id,
	    .from_ms = INT64_MIN, .to_ms = INT64_MAX, .down = true,
	    .limit = PAGE_RESULTS };
	struct fail why;
	int i, rc = store_rows(api_the_store, &ask, &why) == -1 ? -1 : 1;

	put(b, "<h3>%s %s</h3>\n<table border>\n<tr><th>Time<th>Status"
	    "<th>Value<th>Message\n", c->agent->hostname, c->name);
	for (i = 0; rc == 1 && i < PAGE_RESULTS; i++) {
		rc = store_row_next(api_the_store, &row, &why);
		if (rc != 1)
			break;
		put(b, "<tr><td>%t<td>%s<td>", r->at_ms, status_name(r->code));
		if (r->has_value)
			buf_milli(b, r->value);
		put(b, " %s<td>", c->type->unit);
		page_text(b, r->text);
		put(b, "\n");
	}
	put(b, "</table>\n");
	if (rc == -1)
		put(b, "<p>The rest cannot be read: %s</p>\n", why.msg);
}

static void
checks(struct buf *b, const struct agent *only)
{
	const struct check *c;
	char text[512];
	struct buf t;

	put(b, "<h2>Checks</h2>\n<table border>\n<tr><th>Agent<th>Check"
	    "<th>Status<th>Reads<th>Since<th>Last result\n");
	MODEL_ALL(c, KIND_CHECK) {
		if (only != NULL && c->agent != only)
			continue;
		buf_init(&t, text, sizeof text - 1);
		model_check_text(&t, c);
		text[t.n] = '\0';
		put(b, "<tr><td>%s<td>%s<td>%s<td>%s<td>%t<td>%a\n",
		    c->agent->hostname, c->name, c->enabled ?
		    status_name(c->alert.held) : "disabled", text,
		    c->alert.since_ms, c->last_result);
	}
	put(b, "</table>\n<h2>Last results</h2>\n");
	if (only == NULL && model_count(KIND_CHECK) > PAGE_CHECKS_MAX) {
		put(b, "<p>Choose an agent above.</p>\n");
		return;
	}
	MODEL_ALL(c, KIND_CHECK)
		if (only == NULL || c->agent == only)
			results(b, c);
}

static void
begin(struct buf *b, const char *title)
{
	put(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width\">\n<title>%s</title>\n"
	    "</head>\n<body>\n<h1>%s</h1>\n", title, title);
}

static int
end(struct call *k, int status)
{
	put(k->c->out, "</body>\n</html>\n");
	k->c->status = status;
	k->c->type = "text/html; charset=utf-8";
	return 0;
}

int
page_status(struct call *k)
{
	struct buf *b = k->c->out;
	struct str rest = k->c->head->query, name, value;
	const struct agent *only = NULL;
	char host[128];

	while (only == NULL && http_query(&rest, &name, &value) == 0)
		if (str_is(name, "agent") && (http_unescape(value, true, host,
		    sizeof host) == -1 ||
		    (only = model_agent_named(str_of(host))) == NULL))
			return api_error(k->c, 404, "agent", "there is no "
			    "such agent");
	now_ms = k->c->now_ms;
	begin(b, "vilicus status");
	put(b, "<p>As of %t</p>\n", now_ms);
	overview(b);
	checks(b, only);
	if (b->full)
		return api_error(k->c, 413, "agent", "too much for a page: "
		    "choose an agent with ?agent=HOST");
	return end(k, 200);
}

static int
go(struct call *k, const char *path)
{
	buf_addf(&k->c->extra, "Location: %s\r\n", path);
	return api_empty(k, 303);
}

/* A code, from the form or in the query, which only fills the form: what
 * looks at links in advance must not use it up. */
int
page_login(struct call *k)
{
	bool post = k->c->head->method == HTTP_POST;
	struct str rest = post ? k->c->body : k->c->head->query, name, value;
	char code[64] = "";
	struct fail why = { "" };

	while (http_query(&rest, &name, &value) == 0)
		if (str_is(name, "code"))
			(void)http_unescape(value, true, code, sizeof code);
	if (post && api_session(k, str_of(code), &why) != NULL)
		return go(k, "/status");
	begin(k->c->out, "vilicus login");
	put(k->c->out, "<p>On the server, <code>vilicus login</code> prints a "
	    "code that is good once, for ten minutes.</p>\n");
	if (why.msg[0] != '\0')
		put(k->c->out, "<p><strong>%s</strong></p>\n", why.msg);
	put(k->c->out, "<form method=\"post\" action=\"/login\">\n"
	    "<label>Code <input name=\"code\" value=\"%s\" size=\"10\" "
	    "autocomplete=\"off\" autocapitalize=\"none\" required "
	    "autofocus></label>\n<button>Enter</button>\n</form>\n",
	    post ? "" : code);
	return end(k, post ? 403 : 200);
}

int
page_logout(struct call *k)
{
	api_logout(k);
	return go(k, "/login");
}

/* A beat, or the word that what beats has failed; a POST may say more. */
int
page_beat(struct call *k)
{
	bool failed;
	struct check *c = api_beat(k->c->head, &failed);
	struct str body = k->c->body;
	char text[STORE_TEXT_MAX];
	struct buf b = BUF(text);
	struct fail why;

	if (c == NULL)		/* removed while the body came */
		return api_error(k->c, 404, NULL, "it was removed");
	while (body.n > 0 && strchr("\r\n", body.p[body.n - 1]) != NULL)
		body.n--;
	if (k->c->head->method == HTTP_POST)
		buf_line(&b, str_trim(body));
	if (failed && b.n == 0)
		buf_addz(&b, "it says that it failed");
	if (beat_take(api_the_store, c, failed ? STATUS_CRITICAL : STATUS_OK,
	    str_from(&b), &k->now, &why) == -1)
		return api_no_room(k, &why);
	buf_addz(k->c->out, "ok\n");
	k->c->wrote |= STORE_REPORTS;
	k->c->status = 200;
	k->c->type = "text/plain; charset=utf-8";
	return 0;
}

/* What a delivery tells of, as it is now.  Is there something that nobody has
 * taken on yet? */
static bool
told_of(struct buf *b, const struct delivery *d)
{
	struct str items = str_of(d->items);
	struct model_item i = { .first = 0 };
	const struct incident *in;
	bool open = false;
	unsigned n = 0;
	uint64_t id;

	while ((id = model_item_id(&items, &i)) != 0) {
		in = model_incident(id);
		if (in == NULL)
			continue;
		open = open || (in->closed == 0 && in->acknowledged == 0);
		if (n++ == 0)
			put(b, "<table border>\n<tr><th>What<th>Now<th>Since"
			    "<th>Seen by<th>Last told\n");
		if (n <= PAGE_TOLD_MAX)
			put(b, "<tr><td>%s<td>%s<td>%a<td>%s %s<td>%s\n",
			    in->what, status_name(in->status), in->closed != 0 ?
			    in->closed : in->opened, in->acknowledged_by,
			    in->comment, in->text);
	}
	put(b, n == 0 ? "<p>%s</p>\n" : "</table>\n", d->message);
	if (n > PAGE_TOLD_MAX)
		buf_addf(b, "<p>and %u more</p>\n", n - PAGE_TOLD_MAX);
	return open;
}

/* What a delivery's link leads to, without a key: what looks at links in
 * advance only reads it. */
int
page_seen(struct call *k)
{
	struct delivery *d = notify_linked(k->c->head->path);
	struct str rest = k->c->body, name, value;
	char comment[PAGE_COMMENT_MAX + 1] = "", link[64 + KEY_TEXT];
	struct buf *b = k->c->out, l = BUF(link);
	int rc = 0;

	if (d == NULL)		/* removed while the body came */
		return api_error(k->c, 404, NULL, "it was removed");
	notify_link(&l, d);
	buf_addc(&l, '\0');
	if (k->c->head->method == HTTP_POST) {
		while (rc == 0 && http_query(&rest, &name, &value) == 0)
			if (str_is(name, "comment"))
				rc = http_unescape(value, true, comment,
				    sizeof comment);
		if (rc == -1)
			return api_error(k->c, 400, "comment", "comment: at "
			    "most %d bytes of text", PAGE_COMMENT_MAX);
		notify_seen(d, STR("link"), str_of(comment), k->c->now_ms,
		    &k->now);
		k->c->wrote |= STORE_RECORDS;
		return go(k, link);
	}
	now_ms = k->c->now_ms;
	begin(b, d->title);
	if (told_of(b, d) || d->seen == 0)
		put(b, "<form method=\"post\" action=\"%s\">\n<label>Comment "
		    "<input name=\"comment\" maxlength=\"60\"></label>\n"
		    "<button>Seen</button>\n</form>\n", link);
	if (d->seen != 0)
		put(b, "<p>Seen at %a: %s.</p>\n", d->seen, d->device);
	put(b, "<p><a href=\"/status\">vilicus status</a></p>\n");
	return end(k, 200);
}

int
page_home(struct call *k)
{
	return go(k, k->key == NULL ? "/login" : "/status");
}

int
page_health(struct call *k)
{
	buf_addf(k->c->out, "%s\n", api_sick == NULL ? "ok" : api_sick);
	k->c->status = api_sick == NULL ? 200 : 503;
	k->c->type = "text/plain; charset=utf-8";
	return 0;
}
