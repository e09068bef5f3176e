/* page.c: see page.h. */
#include <string.h>

#include "api_impl.h"
#include "page.h"

#define RESULTS		10	/* of each check */
#define CHECKS_MAX	32	/* more: only those of ?agent=HOST */

void
page_text(struct buf *b, struct str s)
{
	size_t n;

	for (; s.n > 0; s = (struct str){ s.p + n, s.n - n }) {
		for (n = 0; n < s.n && (s.p[n] == '\0' ||
		    strchr("<>&\"'", s.p[n]) == NULL); n++)
			;
		buf_line(b, (struct str){ s.p, n });
		if (n < s.n)
			buf_addf(b, "&#%d;", s.p[n++]);
	}
}

/* The end tags of cells and rows may be left out, and are. */
static void
cell(struct buf *b, struct str text)
{
	buf_addz(b, "<td>");
	page_text(b, text);
}

/* A time and, with now_ms, how long ago that was. */
static void
cell_time(struct buf *b, int64_t at_ms, int64_t now_ms)
{
	buf_addz(b, at_ms == 0 ? "<td>never" : "<td>");
	if (at_ms == 0)
		return;
	buf_time_human(b, at_ms);
	if (now_ms == 0)
		return;
	buf_addz(b, " (");
	buf_duration(b, now_ms - at_ms < 1000 ? 0 :
	    (now_ms - at_ms) / 1000 * 1000);
	buf_addz(b, " ago)");
}

static void
incidents(struct buf *b, int64_t now_ms)
{
	const struct incident *in;
	unsigned n = 0;

	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->closed != 0)
			continue;
		if (n++ == 0)
			buf_addz(b, "<h2>What is wrong</h2>\n<table border>\n"
			    "<tr><th>What<th>Severity<th>Since"
			    "<th>Last told\n");
		buf_addz(b, "<tr>");
		cell(b, str_of(in->what));
		cell(b, str_of(status_name((enum status)in->status)));
		cell_time(b, in->opened, now_ms);
		cell(b, str_of(in->text));
		buf_addc(b, '\n');
	}
	buf_addz(b, n == 0 ? "<p>Nothing is wrong.</p>\n" : "</table>\n");
}

static void
agents(struct buf *b, int64_t now_ms)
{
	static const char *const states[] = { "never", "up", "silent",
	    "stopped" };
	const struct agent *a;

	buf_addz(b, "<h2>Agents</h2>\n<table border>\n<tr><th>Agent"
	    "<th>State<th>Status<th>Last check-in<th>Version\n");
	MODEL_ALL(a, KIND_AGENT) {
		buf_addz(b, "<tr><td><a href=\"/status?agent=");
		http_escape(b, str_of(a->hostname));
		buf_addz(b, "\">");
		page_text(b, str_of(a->hostname));
		buf_addz(b, "</a>");
		cell(b, str_of(a->enabled ? states[a->state] : "disabled"));
		cell(b, str_of(status_name(model_agent_status(a))));
		cell_time(b, a->last_checkin, now_ms);
		cell(b, str_of(a->version));
		buf_addc(b, '\n');
	}
	buf_addz(b, "</table>\n");
}

static void
check_line(struct buf *b, const struct check *c, int64_t now_ms)
{
	char text[512];
	struct buf t;

	buf_init(&t, text, sizeof text);
	model_check_text(&t, c);
	buf_addz(b, "<tr>");
	cell(b, str_of(c->agent->hostname));
	cell(b, str_of(c->name));
	cell(b, str_of(c->enabled ? status_name(c->alert.held) : "disabled"));
	cell(b, str_from(&t));
	cell_time(b, c->alert.since_ms, 0);
	cell_time(b, c->last_result, now_ms);
	buf_addc(b, '\n');
}

static void
results(struct buf *b, const struct check *c)
{
	static struct store_row row;
	const struct store_result *r = &row.r;
	struct store_query ask = { .check = c->o.id, .source = c->agent_id,
	    .from_ms = INT64_MIN, .to_ms = INT64_MAX, .down = true,
	    .limit = RESULTS };
	struct fail why;
	unsigned i;

	buf_addz(b, "<h3>");
	page_text(b, str_of(c->agent->hostname));
	buf_addc(b, ' ');
	page_text(b, str_of(c->name));
	buf_addz(b, "</h3>\n<table border>\n"
	    "<tr><th>Time<th>Status<th>Value<th>Message\n");
	if (store_rows(api_the_store, &ask, &why) == -1)
		return;
	for (i = 0; i < RESULTS && store_row_next(api_the_store, &row,
	    &why) == 1; i++) {
		buf_addz(b, "<tr>");
		cell_time(b, r->at_ms, 0);
		cell(b, str_of(status_name((enum status)r->code)));
		buf_addz(b, "<td>");
		if (r->has_value)
			buf_milli(b, r->value);
		buf_addf(b, " %s", c->type->unit);
		cell(b, r->text);
		buf_addc(b, '\n');
	}
	buf_addz(b, "</table>\n");
}

/* The agent asked for by ?agent=HOST, or NULL.  0 or -1: no such. */
static int
chosen(struct call *k, const struct agent **a)
{
	struct str rest = k->c->head->query, name, value;
	char host[128];

	*a = NULL;
	while (http_query(&rest, &name, &value) == 0) {
		if (!str_is(name, "agent"))
			continue;
		if (http_unescape(value, true, host, sizeof host) == -1)
			return -1;
		*a = model_agent_named(str_of(host));
		return *a == NULL ? -1 : 0;
	}
	return 0;
}

static void
checks(struct call *k, const struct agent *only)
{
	struct buf *b = k->c->out;
	const struct check *c;

	buf_addz(b, "<h2>Checks</h2>\n<table border>\n<tr><th>Agent<th>Check"
	    "<th>Status<th>Reads<th>Since<th>Last result\n");
	MODEL_ALL(c, KIND_CHECK)
		if (only == NULL || c->agent == only)
			check_line(b, c, k->c->now_ms);
	buf_addz(b, "</table>\n<h2>Last results</h2>\n");
	if (only == NULL && model_count(KIND_CHECK) > CHECKS_MAX) {
		buf_addz(b, "<p>Choose an agent above.</p>\n");
		return;
	}
	MODEL_ALL(c, KIND_CHECK)
		if (only == NULL || c->agent == only)
			results(b, c);
}

int
page_status(struct call *k)
{
	struct buf *b = k->c->out;
	const struct agent *only;

	if (chosen(k, &only) == -1)
		return api_error(k->c, 404, "agent", "there is no such agent");
	buf_addz(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width\">\n<title>vilicus status</title>\n"
	    "</head>\n<body>\n<h1>vilicus status</h1>\n<p>As of ");
	buf_time_human(b, k->c->now_ms);
	buf_addz(b, "</p>\n");
	incidents(b, k->c->now_ms);
	agents(b, k->c->now_ms);
	checks(k, only);
	buf_addz(b, "</body>\n</html>\n");
	if (b->full)
		return api_error(k->c, 413, "agent", "too much for a page: choose "
		    "an agent with ?agent=HOST");
	k->c->status = 200;
	k->c->type = "text/html; charset=utf-8";
	return 0;
}

int
page_home(struct call *k)
{
	k->c->status = 302;
	k->c->type = NULL;
	buf_addz(&k->c->extra, "Location: /status\r\n");
	return 0;
}

int
page_health(struct call *k)
{
	buf_addf(k->c->out, "%s\n", api_sick == NULL ? "ok" : api_sick);
	k->c->status = api_sick == NULL ? 200 : 503;
	k->c->type = "text/plain; charset=utf-8";
	return 0;
}
