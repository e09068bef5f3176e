#include <string.h>

#include "../alert.h"
#include "test.h"

#define T0	INT64_C(1790000000000)

static struct fail why;

/* "A or B" into a list; NULL: empty. */
static void
list(struct alert_list *l, const char *text)
{
	struct str rest = str_of(text == NULL ? "" : text), s;

	memset(l, 0, sizeof *l);
	while (rest.n > 0 && str_cut(&rest, '|', &s) == 0)
		CHECK(alert_bound_parse(s, &l->bound[l->n++], &why) == 0);
}

/*
 * Rows: the rule; the results, 10 s apart; the status held after each.
 * A result is a value, m=VALUE (a metric alone), ? (unknown), K W C (given
 * ok, warning, critical, no value), ~ (nothing at all); K95: given and value.
 * @S: the next one is stamped S seconds after the first.  Held while it flaps
 * is in capitals.
 */
static const struct row {
	const char *warn, *crit, *clear;
	int for_s;
	unsigned hits, of;
	const char *in, *want;
} rows[] = {
	/* thresholds: the limit itself is neither above nor below */
	{ 0, "above 90", 0, 0, 1, 1, "90 90.001 90 89", "ocoo" },
	{ 0, "below 1", 0, 0, 1, 1, "1 0.999 0 1", "occo" },
	{ "above 80", "above 90", 0, 0, 1, 1, "80 81 91 81 80", "owcwo" },
	{ 0, "above 90|below 10", 0, 0, 1, 1, "50 9 91 50", "occo" },
	{ 0, 0, 0, 0, 1, 1, "5 999 -999", "ooo" },
	{ "above -1", 0, 0, 0, 1, 1, "-2 -1 0 -2", "oowo" },
	/* 0 hits, too few of: as 1 of 1, as hits of hits */
	{ 0, "above 90", 0, 0, 0, 0, "95 5", "co" },
	{ 0, "above 90", 0, 0, 2, 0, "95 95 5 5", "occo" },
	/* metrics: one that is missing does not hold */
	{ 0, "m above 5", 0, 0, 1, 1, "m=6 m=5 6 m=7 ~", "cooco" },
	{ 0, "above 5", 0, 0, 1, 1, "6 m=6 ~ 6", "cooc" },
	{ "m below 3", "above 9", 0, 0, 1, 1, "m=2 10 m=3", "wco" },
	/* given and judged: the worse counts */
	{ "above 80", "above 90", 0, 0, 1, 1, "K95 W50 C50 K50 W95", "cwcoc" },
	{ 0, 0, 0, 0, 1, 1, "W C W K", "wcwo" },
	/* for_s: to the second, from the first bad one */
	{ 0, "above 90", 0, 20, 1, 1, "95 95 95 95 5 5 5", "oocccco" },
	{ 0, "above 90", 0, 21, 1, 1, "95 95 95 95 5 5 5 5", "ooocccco" },
	{ 0, "above 90", 0, 19, 1, 1, "95 95 95 5 5 5", "ooccco" },
	{ 0, "above 90", 0, 20, 1, 1, "95 95 5 95 95 95", "oooooc" },
	{ 0, "above 90", 0, 20, 1, 1, "95 95 95 5 5 95 5 5 5", "oocccccco" },
	{ 0, "above 90", 0, 300, 1, 1, "95 @299.999 95 @300 95", "ooc" },
	{ "above 80", "above 90", 0, 20, 1, 1,
	    "85 85 85 95 95 95 85 85 85 5 5 5", "oowwwcccwwwo" },
	/* a critical run is a run of warnings too */
	{ "above 80", "above 90", 0, 20, 1, 1, "85 95 85 95 85", "oowww" },
	/* hits in a row */
	{ 0, "above 90", 0, 0, 3, 3, "95 95 5 95 95 95 5 5 95 5 5 5",
	    "ooooocccccco" },
	{ 0, "above 90", 0, 0, 1, 1, "95 5 95 5", "coco" },
	/* hits of the last `of` */
	{ 0, "above 90", 0, 0, 3, 5, "95 5 95 5 95 5 5 5", "ooooccco" },
	{ 0, "above 90", 0, 0, 3, 5, "95 5 5 95 5 95 95", "ooooooc" },
	{ 0, "above 90", 0, 0, 3, 5, "95 95 95 5 5 95 5 5 5",
	    "oocccccco" },
	{ 0, "above 90", 0, 0, 2, 4, "95 5 5 95 5 5 5", "oooccoo" },
	{ 0, "above 90", 0, 0, 2, 4, "95 5 5 5 95", "ooooo" },
	/* ... and fewer than hits must be left */
	{ 0, "above 90", 0, 0, 2, 10, "95 95 5 5 5 5 5 5 5 5 5 95",
	    "occcccccccoo" },
	{ 0, "above 90", 0, 0, 1, 3, "95 5 5 5 5", "cccoo" },
	/* both */
	{ 0, "above 90", 0, 20, 4, 4, "95 95 95 95 5 5 5 5", "ooocccco" },
	{ 0, "above 90", 0, 30, 2, 2, "95 95 95 95 5 5 5 5", "ooocccco" },
	{ 0, "above 90", 0, 20, 2, 2, "95 @20 95 @30 5 @50 5", "occo" },
	/* clear: between it and the threshold nothing changes */
	{ 0, "above 90", "above 75", 0, 1, 1, "80 91 90 76 75 80 90 91",
	    "occcoooc" },
	{ "above 80", 0, "above 75", 0, 1, 1, "81 76 75 80", "wwoo" },
	{ "above 80", "above 90", "above 75", 0, 1, 1, "91 85 76 75", "ccco" },
	{ "above 80", "above 90", "above 75", 0, 1, 1, "85 91 85 70", "wcco" },
	{ 0, "above 90", "above 75", 20, 1, 1,
	    "95 95 95 74 80 74 74 74 80", "oocccccoo" },
	{ 0, "above 90", "above 75", 0, 2, 2, "95 95 74 80 74 74",
	    "occcco" },
	{ 0, "below 10", "below 20|m above 3", 0, 1, 1,
	    "9 15 m=4 20 15 9", "cccooc" },
	{ 0, 0, "above 50", 0, 1, 1, "C K60 K50 K60", "ccoo" },
	/* unknown: 300 s of its own, and the others keep still */
	{ 0, "above 90", 0, 0, 1, 1, "5 ? @309.999 ? @310 ? 5",
	    "ooouo" },
	{ 0, 0, 0, 600, 9, 9, "? @299.999 ? @300 ? 5", "nnuo" },
	{ 0, 0, 0, 0, 1, 1, "? @299 ? @299.5 5 @300 ? @599 ? @600 ?",
	    "nnooou" },
	{ 0, "above 90", 0, 0, 1, 1, "95 ? @400 ? 5", "ccco" },
	{ "above 90", 0, 0, 0, 1, 1, "95 ? @310 ? 95 5", "wwuwo" },
	{ 0, "above 90", 0, 20, 1, 1, "95 ? 95 5 ? ? 5", "oocccco" },
	{ 0, "above 90", 0, 0, 2, 2, "95 ? ? 95 5 ? 5", "oooccco" },
	{ 0, "above 90", 0, 0, 1, 1, "?95 ?5 @320 ?5", "ccc" },
	{ "above 80", "above 90", 0, 0, 1, 1, "?85 @300 ?85 ?95", "nuc" },
	/* not newer: nothing happens */
	{ 0, "above 90", 0, 0, 1, 1, "5 @0 95 @-10 95 @0.001 95", "oooc" },
	{ 0, "above 90", 0, 0, 2, 2, "95 @0 95 @0 95 @10 95", "oooc" },
	{ 0, "above 90", 0, 20, 1, 1, "95 @20 95 @10 5 @30 95 @29 5",
	    "occcc" },
	{ 0, 0, 0, 0, 1, 1, "5 @300 ? @200 ? @599 ? @400 5 @600 ?",
	    "ooooou" },
	/* flapping: the fifth change within 30 minutes of the first */
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 5 95", "ococoCCC" },
	{ 0, "above 90", 0, 0, 1, 1,
	    "5 95 @600 5 @1200 95 @1790 5 @1809.999 95 5", "ococoCC" },
	{ 0, "above 90", 0, 0, 1, 1,
	    "5 95 @600 5 @1200 95 @1790 5 @1810 95 5", "ococoCC" },
	{ 0, "above 90", 0, 0, 1, 1,
	    "5 95 @600 5 @1200 95 @1790 5 @1810.001 95 5 95", "ocococCC" },
	{ 0, "above 90", 0, 0, 1, 1,
	    "5 95 @600 5 @1200 95 @1790 5 @1810.001 95 @2400.001 5 @3001 95 5",
	    "ococococC" },
	/* ... what the first result says is none */
	{ 0, "above 90", 0, 0, 1, 1, "95 5 95 5 95 5 5", "cococCC" },
	{ 0, "above 90", 0, 0, 1, 1, "95 5 95 5 95 @1811 5", "cococo" },
	/* ... the worst of them and of before, not of long ago, and a worse */
	{ "above 80", "above 90", 0, 0, 1, 1, "5 95 5 85 5 85", "ocowoC" },
	{ "above 80", "above 90", 0, 0, 1, 1, "95 85 5 85 5 85", "cwowoC" },
	{ "above 80", "above 90", 0, 0, 1, 1,
	    "95 85 @1830 5 85 5 85 5", "cwowowW" },
	{ "above 80", 0, 0, 0, 1, 1, "85 5 85 5 85 5", "wowowW" },
	{ "above 80", "above 90", 0, 0, 1, 1, "5 85 5 85 5 85 95 5 85",
	    "owowoWCCC" },
	/* ... until no change for 15 minutes, whatever it is then */
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 5 @959.999 5 @960 5",
	    "ococoCCCo" },
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 @949 95 @950 95 5",
	    "ococoCCco" },
	{ "above 80", "above 90", 0, 0, 1, 1,
	    "5 95 5 95 5 95 85 @959 85 @960 85", "ococoCCCw" },
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 @949 5 @1848 5 @1849 5",
	    "ococoCCCo" },
	/* ... and a change then is the first of five others */
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 @949.999 5", "ococoCC" },
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 @950 5 95 5 95 5 95",
	    "ococoCococCC" },
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 @86400 5", "ococoCo" },
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 5 @960 5 95 5 95 5 95",
	    "ococoCCococoC" },
	/* ... of what lasts alone: clear, for_s, hits */
	{ 0, "above 90", "above 75", 0, 1, 1,
	    "80 91 80 91 80 91 76 75 91 75 91 75 91", "occccccocoCCC" },
	{ 0, "above 90", "above 75", 0, 1, 1,
	    "91 75 91 75 91 80 80 91 75 75 @1000 75", "cococcccCCo" },
	{ 0, "above 90", 0, 20, 1, 1,
	    "95 95 95 5 5 5 95 95 95 5 5 5 95 95 95 5 5 5",
	    "oocccooocccoooCCCC" },
	{ 0, "above 90", 0, 0, 2, 2, "95 95 5 5 95 95 5 5 95 95 5",
	    "occooccooCC" },
	{ 0, "above 90", 0, 0, 2, 2, "95 5 95 5 95 5 95 5 95", "ooooooooo" },
	/* ... unknown is a state as others, and no change while it waits */
	{ 0, 0, 0, 0, 1, 1, "5 ? @310 ? 5 ? @630 ? 5 ? @950 ? 5 @1860 5",
	    "oouoouooUUo" },
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 95 ? ? @949 ? @950 ?",
	    "ococoCCCCc" },
	/* ... and what is not newer is nothing */
	{ 0, "above 90", 0, 0, 1, 1, "5 95 5 95 5 @40 95 @45 95 @0 5",
	    "ococooCC" },
};

/* Read one result off *in.  false at its end. */
static bool
next_result(struct str *in, struct alert_result *r, struct alert_metric *m,
    int64_t *at)
{
	static const char *const given = "KW?C";
	struct str w;
	int64_t v;

	do {
		if (str_cut(in, ' ', &w) == -1)
			return false;
		if (w.n > 0 && w.p[0] == '@') {
			w.p++, w.n--;
			CHECK(str_milli(w, &v) == 0);
			*at = T0 + v;
			w.n = 0;
		}
	} while (w.n == 0);
	*r = (struct alert_result){ .at_ms = *at, .given = STATUS_NONE };
	*at += 10000;
	if (strchr(given, w.p[0]) != NULL) {
		r->given = (enum status)(strchr(given, w.p[0]) - given);
		w.p++, w.n--;
	}
	if (w.n > 2 && w.p[0] == 'm') {
		w.p += 2, w.n -= 2;
		m->name = STR("m");
		CHECK(str_milli(w, &m->value) == 0);
		r->metrics = 1, r->metric = m;
	} else if (w.n > 0 && w.p[0] != '~') {
		CHECK(str_milli(w, &r->value) == 0);
		r->has_value = true;
	}
	return true;
}

static void
row_rule(const struct row *row, struct alert_rule *rule)
{
	list(&rule->warn, row->warn);
	list(&rule->crit, row->crit);
	list(&rule->clear, row->clear);
	rule->for_ms = (int64_t)row->for_s * 1000;
	rule->hits = row->hits;
	rule->of = row->of;
}

static void
test_rows(void)
{
	size_t i, n;

	for (i = 0; i < COUNT(rows); i++) {
		struct str in = str_of(rows[i].in);
		int64_t at = T0, newest = 0, since = 0;
		struct alert_state st;
		struct alert_rule rule;
		struct alert_result r;
		struct alert_metric m;

		row_rule(&rows[i], &rule);
		alert_reset(&st);
		for (n = 0; next_result(&in, &r, &m, &at); n++) {
			enum status was = st.held;
			bool flapped = st.flaps;
			struct alert_change c = alert_step(&rule, &st, &r);
			char want = n < strlen(rows[i].want) ?
			    rows[i].want[n] : '\0';

			if (r.at_ms > newest)
				newest = r.at_ms;
			if (st.held != was)
				since = r.at_ms;
			if (!CHECK_ROW(i, want != '\0') ||
			    !CHECK_ROW(i, status_name(st.held)[0] -
			    (st.flaps ? 'a' - 'A' : 0) == want))
				printf("\tresult %d: %s\n", (int)n,
				    status_name(st.held));
			CHECK_ROW(i, c.from == was && c.to == st.held);
			CHECK_ROW(i, c.at_ms == r.at_ms);
			CHECK_ROW(i, c.flaps == (st.flaps && !flapped) &&
			    c.calm == (flapped && !st.flaps));
			CHECK_ROW(i, st.at_ms == newest);
			CHECK_ROW(i, st.since_ms == since);
		}
		CHECK_ROW(i, n == strlen(rows[i].want));
	}
}

/* Windows up to the largest: n of n, and 1 of n. */
static void
window_row(int n)
{
	struct alert_rule rule = { .hits = (unsigned)n, .of = (unsigned)n };
	struct alert_result r = { .given = STATUS_CRITICAL };
	struct alert_state st;
	int i;

	alert_reset(&st);
	for (i = 1; i <= n; i++) {
		r.at_ms = i;
		alert_step(&rule, &st, &r);
		CHECK_ROW(n, (st.held == STATUS_CRITICAL) == (i == n));
	}
	r.given = STATUS_OK;
	for (i = n + 1; i <= 2 * n; i++) {
		r.at_ms = i;
		alert_step(&rule, &st, &r);
		CHECK_ROW(n, (st.held == STATUS_OK) == (i == 2 * n));
	}
	rule.hits = 1;
	alert_reset(&st);
	for (i = 1; i <= n + 1; i++) {
		r.given = i == 1 ? STATUS_CRITICAL : STATUS_OK;
		r.at_ms = i;
		alert_step(&rule, &st, &r);
		CHECK_ROW(n, (st.held == STATUS_OK) == (i == n + 1));
	}
}

static void
test_window(void)
{
	int n;

	for (n = 1; n <= ALERT_OF_MAX; n++)
		window_row(n);
}

/* Times at the ends of what a stamp can be. */
static void
test_times(void)
{
	static const int64_t at[] = { INT64_MIN, -1, 0, 1, 1, INT64_MAX - 1,
	    INT64_MAX, INT64_MAX };
	struct alert_rule rule = { .hits = 1, .of = 1,
	    .for_ms = INT64_MAX - 1 };
	struct alert_state st;
	size_t i;

	alert_reset(&st);
	for (i = 0; i < COUNT(at); i++) {
		struct alert_result r = { .at_ms = at[i],
		    .given = STATUS_CRITICAL };

		alert_step(&rule, &st, &r);
		CHECK_ROW(i, st.held == (i < 3 ? STATUS_NONE :
		    i < 6 ? STATUS_OK : STATUS_CRITICAL));
	}
}

static const struct {
	const char *in, *out;		/* out NULL: refused */
} bounds[] = {
	{ "above 90",			"above 90" },
	{ "below -0.5",			"below -0.5" },
	{ "  cert_days   below 14 ",	"cert_days below 14" },
	{ "value above 1",		"above 1" },
	{ "above above 1",		"above above 1" },
	{ "above 1e3",			"above 1000" },
	{ "above 9000000000000000",	"above 9000000000000000" },
	{ "above 9000000000000001",	NULL },
	{ "a234567890123456789012345678901 below 1",
	    "a234567890123456789012345678901 below 1" },
	{ "a2345678901234567890123456789012 below 1", NULL },
	{ "a.b:c-d_E above 1",		"a.b:c-d_E above 1" },
	{ "a/b above 1",		NULL },
	{ "a\"b above 1",		NULL },
	{ "a\xff" "b above 1",		NULL },
	{ "",				NULL },
	{ " ",				NULL },
	{ "above",			NULL },
	{ "90",				NULL },
	{ "m 90",			NULL },
	{ "above 90 91",		NULL },
	{ "a m above 90",		NULL },
	{ "Above 90",			NULL },
	{ "above 90%",			NULL },
	{ "above +1",			NULL },
	{ "above nan",			NULL },
	{ "above\t90",			NULL },
};

static void
test_bounds(void)
{
	size_t i, n;

	for (i = 0; i < COUNT(bounds); i++) {
		struct alert_bound b = { "kept", true, 7 }, cut;
		char text[128];
		struct buf out;
		int rc;

		rc = alert_bound_parse(str_of(bounds[i].in), &b, &why);
		CHECK_ROW(i, rc == (bounds[i].out == NULL ? -1 : 0));
		if (rc == -1) {
			CHECK_ROW(i, strcmp(b.metric, "kept") == 0);
			continue;
		}
		buf_init(&out, text, sizeof text);
		alert_bound_put(&out, &b);
		CHECK_ROW(i, str_is(str_from(&out), bounds[i].out));
		for (n = 0; n < 6; n++)		/* cut before a digit */
			CHECK_ROW(i, alert_bound_parse((struct str){
			    bounds[i].out, n }, &cut, &why) == -1);
	}
}

static const struct {
	const char *in;
	enum status s;
	const char *by;		/* the bound that decided, or NULL */
} judged[] = {
	{ "50",		STATUS_OK,	 NULL },
	{ "85",		STATUS_WARNING,	 "above 80" },
	{ "95",		STATUS_CRITICAL, "above 90" },
	{ "m=1",	STATUS_CRITICAL, "m below 2" },
	{ "W85",	STATUS_WARNING,	 NULL },
	{ "W95",	STATUS_CRITICAL, "above 90" },
	{ "C95",	STATUS_CRITICAL, NULL },
	{ "?85",	STATUS_UNKNOWN,	 NULL },
	{ "?95",	STATUS_CRITICAL, "above 90" },
	{ "K5",		STATUS_OK,	 NULL },
	{ "~",		STATUS_OK,	 NULL },
};

static void
test_judge(void)
{
	struct alert_rule rule = { .hits = 1, .of = 1 };
	struct alert_result r;
	struct alert_metric m;
	size_t i;

	list(&rule.warn, "above 80");
	list(&rule.crit, "above 90|m below 2");
	for (i = 0; i < COUNT(judged); i++) {
		struct str in = str_of(judged[i].in);
		const struct alert_bound *by = &rule.warn.bound[3];
		int64_t at = T0;
		char text[64];
		struct buf b;

		CHECK_ROW(i, next_result(&in, &r, &m, &at));
		CHECK_ROW(i, alert_judge(&rule, &r, &by) == judged[i].s);
		CHECK_ROW(i, alert_judge(&rule, &r, NULL) == judged[i].s);
		CHECK_ROW(i, (by == NULL) == (judged[i].by == NULL));
		if (by == NULL || judged[i].by == NULL)
			continue;
		buf_init(&b, text, sizeof text);
		alert_bound_put(&b, by);
		CHECK_ROW(i, str_is(str_from(&b), judged[i].by));
	}
}

static void
test_status(void)
{
	static const char *const bad[] = { "", "none", "OK", "ok ", "o",
	    "criticals" };
	enum status s;
	size_t i;

	for (i = 0; i < STATUS_NONE; i++)
		CHECK_ROW(i, status_parse(str_of(status_name((enum status)i)),
		    &s) == 0 && s == (enum status)i);
	s = STATUS_WARNING;
	for (i = 0; i < COUNT(bad); i++)
		CHECK_ROW(i, status_parse(str_of(bad[i]), &s) == -1 &&
		    s == STATUS_WARNING);
	CHECK(strcmp(status_name(STATUS_NONE), "none") == 0);
}

static const struct {
	int64_t at, received, interval;
	bool late;
} late[] = {
	{ T0, T0, 10000, false },
	{ T0, T0 + 29999, 10000, false },
	{ T0, T0 + 30000, 10000, false },
	{ T0, T0 + 30001, 10000, true },
	{ T0, T0 + 10000, 0, false },
	{ T0, T0 + 10001, 0, true },
	{ T0, T0 + 10001, -5, true },
	{ T0 + 60000, T0, 10000, false },	/* ahead of us */
	{ INT64_MIN, INT64_MAX, 10000, true },
	{ INT64_MAX, INT64_MIN, 10000, false },
	{ 0, INT64_MAX, INT64_MAX, false },
};

static const struct {
	int64_t now, heard, after;
	bool silent;
} silent[] = {
	{ 30000, 0, 30000, false },
	{ 30001, 0, 30000, true },
	{ 29999, 0, 30000, false },
	{ 0, 30001, 30000, false },
	{ INT64_MAX, INT64_MIN, INT64_MAX, true },
	{ INT64_MIN, INT64_MAX, 0, false },
	{ 5, 5, 0, false },
	{ 6, 5, 0, true },
};

static void
test_late(void)
{
	size_t i;

	for (i = 0; i < COUNT(late); i++)
		CHECK_ROW(i, alert_late(late[i].at, late[i].received,
		    late[i].interval) == late[i].late);
	for (i = 0; i < COUNT(silent); i++)
		CHECK_ROW(i, alert_silent(silent[i].now, silent[i].heard,
		    silent[i].after) == silent[i].silent);
}

static bool
same(const struct alert_state *a, const struct alert_state *b)
{
	int i;

	for (i = 0; i < 3; i++)
		if (a->signal[i].on != b->signal[i].on ||
		    a->signal[i].since_ms != b->signal[i].since_ms ||
		    a->signal[i].bits != b->signal[i].bits)
			return false;
	for (i = 0; i < a->changes && i < b->changes; i++)
		if (a->ago_ms[i] != b->ago_ms[i] || a->was[i] != b->was[i])
			return false;
	return a->at_ms == b->at_ms && a->since_ms == b->since_ms &&
	    a->held == b->held && a->flaps == b->flaps &&
	    a->changes == b->changes;
}

#define M	INT64_MAX

static const struct {
	struct alert_state st;
	const char *text;
} states[] = {
	{ { .held = STATUS_NONE },
	    "0 0 0,0,0 0,0,0 0,0,0" },
	{ { .at_ms = 5, .since_ms = 5, .signal = { { false, 5, 1 } } },
	    "5 5 0,5,1 0,0,0 0,0,0" },
	{ { .at_ms = 1, .since_ms = 1, .held = STATUS_WARNING,
	    .signal = { { true, 0, 1 } } },
	    "1 1 1,0,1 0,0,0 0,0,0" },
	{ { .at_ms = 2, .since_ms = 1, .held = STATUS_UNKNOWN,
	    .signal = { { true, 2, 2 }, { true, 0, 0 } } },
	    "2 1 1,2,2 1,0,0 0,0,0" },
	{ { .at_ms = M, .since_ms = M, .held = STATUS_CRITICAL,
	    .signal = { { true, M, UINT64_MAX }, { true, M, UINT64_MAX },
	    { true, M, UINT64_MAX } } },
	    "9223372036854775807 9223372036854775807"
	    " 1,9223372036854775807,18446744073709551615"
	    " 1,9223372036854775807,18446744073709551615"
	    " 1,9223372036854775807,18446744073709551615" },
	{ { .at_ms = 5, .since_ms = 5, .signal = { { false, 0, 2 } },
	    .changes = 1, .was = { STATUS_WARNING }, .ago_ms = { 0 } },
	    "5 5 0,0,2 0,0,0 0,0,0 0,0,1" },
	{ { .at_ms = 2000000, .since_ms = 1500000, .held = STATUS_CRITICAL,
	    .signal = { { true, 0, 5 } }, .flaps = true, .changes = 3,
	    .was = { STATUS_OK, STATUS_UNKNOWN, STATUS_CRITICAL },
	    .ago_ms = { 1, 2000, 1800000 } },
	    "2000000 1500000 1,0,5 0,0,0 0,0,0 3,1,0,2000,2,1800000,3" },
	{ { .at_ms = M, .since_ms = M, .held = STATUS_CRITICAL,
	    .signal = { { true, M, UINT64_MAX }, { true, M, UINT64_MAX },
	    { true, M, UINT64_MAX } }, .flaps = true, .changes = 4,
	    .was = { STATUS_CRITICAL, STATUS_CRITICAL, STATUS_CRITICAL,
	    STATUS_CRITICAL },
	    .ago_ms = { 1799997, 1799998, 1799999, 1800000 } },
	    "9223372036854775807 9223372036854775807"
	    " 1,9223372036854775807,18446744073709551615"
	    " 1,9223372036854775807,18446744073709551615"
	    " 1,9223372036854775807,18446744073709551615"
	    " 3,1799997,3,1799998,3,1799999,3,1800000,3" },
};

/* Nothing was known yet. */
static const struct alert_state no_known = { .at_ms = 5,
    .held = STATUS_NONE, .signal = { [1] = { false, 3, 0 } } };

static const char *const bad_states[] = {
	"", " ", "0", "0 0", "0 0 0,0,0 0,0,0",
	"0 0 0,0,0 0,0,0 0,0",
	"0 0 0,0,0 0,0,0 0,0,",
	"0 0 0,0,0 0,0,0 0,0,0 ",
	"0 0 0,0,0 0,0,0 0,0,0 0",
	"0 0 0,0,0 0,0,0 0,0,0,0",
	" 0 0 0,0,0 0,0,0 0,0,0",
	"0  0 0,0,0 0,0,0 0,0,0",
	"-1 0 0,0,0 0,0,0 0,0,0",
	"5 6 0,0,0 0,0,0 0,0,0",		/* since after at */
	"5 5 0,6,0 0,0,0 0,0,0",
	"5 -1 0,0,0 0,0,0 0,0,0",
	"5 5 2,0,0 0,0,0 0,0,0",
	"5 5 0,0,-1 0,0,0 0,0,0",
	"5 5 0,0,0 0,0,0 0,0,18446744073709551616",
	"9223372036854775808 0 0,0,0 0,0,0 0,0,0",
	"0 0 1,0,0 0,0,0 0,0,0",		/* on before a result */
	"0 0 0,0,1 0,0,0 0,0,0",
	"x 0 0,0,0 0,0,0 0,0,0",
	"5 5 0,0,0\t0,0,0 0,0,0",
	"5 5 a,0,0 0,0,0 0,0,0",
	"5 5 0,0,1f 0,0,0 0,0,0",
	"{\"at\":5}",
	"5 5 0,0,0 0,0,0 0,0,0 0,",
	"5 5 0,0,0 0,0,0 0,0,0 0,1",
	"5 5 0,0,0 0,0,0 0,0,0 0,1,",
	"5 5 0,0,0 0,0,0 0,0,0 0,1,0 ",
	"5 5 0,0,0 0,0,0 0,0,0 0,1,0,",
	"5 5 0,0,0 0,0,0 0,0,0 0,1,0,2",
	"5 5 0,0,0 0,0,0 0,0,0 0,1,0 0,2,0",
	"5 5 0,0,0 0,0,0 0,0,0  0,1,0",
	"5 5 0,0,0 0,0,0 0,0,0 ,1,0",
	"5 5 0,0,0 0,0,0 0,0,0 -1,1,0",
	"5 5 0,0,0 0,0,0 0,0,0 4,1,0",
	"5 5 0,0,0 0,0,0 0,0,0 0,1,4",
	"5 5 0,0,0 0,0,0 0,0,0 0,2,0,2,0",	/* out of order */
	"5 5 0,0,0 0,0,0 0,0,0 0,2,0,1,0",
	"5 5 0,0,0 0,0,0 0,0,0 0,5,0",		/* before a result */
	"0 0 0,0,0 0,0,0 0,0,0 0,0,0",
	"0 0 0,0,0 0,0,0 0,0,0 3,0,0",
	"2000000 5 0,0,0 0,0,0 0,0,0 0,1800001,0",
	"2000000 5 0,0,0 0,0,0 0,0,0 0,1,0,2,1,3,0,4,1,5,0",
	"5 5 0,0,0 0,0,0 1,0,0 2,1,0",		/* held is less */
	"5 5 0,0,0 1,0,0 0,0,0 1,1,0",
};

/* Cut short it is refused, or else itself a state: one without its changes,
 * or some of them, or the last digits. */
static void
cut_row(size_t i, struct str s)
{
	struct alert_state st = states[3].st;
	char text[ALERT_STATE_TEXT];
	struct buf b = BUF(text);
	unsigned commas = 0;
	size_t n;

	for (n = 0; n < s.n; n++)
		commas += s.p[n] == ',';
	if (alert_state_get(s, &st) == -1) {
		CHECK_ROW(i, same(&st, &states[3].st));
		return;
	}
	alert_state_put(&b, &st);
	CHECK_ROW(i, str_eq(str_from(&b), s));
	CHECK_ROW(i, commas >= 6 && commas % 2 == 0);
}

static void
test_state(void)
{
	struct alert_state st;
	struct str s;
	char text[ALERT_STATE_TEXT];
	struct buf b;
	size_t i, n;

	for (i = 0; i < COUNT(states); i++) {
		buf_init(&b, text, sizeof text);
		alert_state_put(&b, &states[i].st);
		s = str_from(&b);
		CHECK_ROW(i, !b.full && str_is(s, states[i].text));
		CHECK_ROW(i, alert_state_get(s, &st) == 0 &&
		    same(&st, &states[i].st));
		for (n = 0; n < s.n; n++)
			cut_row(i, (struct str){ s.p, n });
	}
	for (i = 0; i < COUNT(bad_states); i++) {
		st = states[3].st;
		CHECK_ROW(i, alert_state_get(str_of(bad_states[i]), &st) ==
		    -1);
		CHECK_ROW(i, same(&st, &states[3].st));
	}
	CHECK(alert_state_get(STR("5 0 0,0,0 0,3,0 0,0,0"), &st) == 0 &&
	    same(&st, &no_known));
	alert_reset(&st);
	CHECK(same(&st, &states[0].st));
}

/* The properties, over random rules and results (xorshift64). */

static uint64_t seed = UINT64_C(88172645463325252);

static unsigned
pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 33) % n);
}

#define RUN	60

/*
 * The rules once more, the slow way: everything seen, and for each result
 * the whole past looked at.  [0] is the warning, [1] the critical signal.
 */
struct slow {
	unsigned n;			/* known results */
	int64_t at[RUN];
	bool bad[2][RUN];
	bool on[2];
	unsigned flip[2];		/* results before the last change */
	int64_t unknown_since;
	bool unknown;
	int64_t newest;
	unsigned changes;		/* of what the signals say */
	int64_t change_at[RUN];
	enum status from[RUN];
	bool flaps;
	enum status held;
};

static void
slow_signal(const struct alert_rule *r, struct slow *s, int k)
{
	bool now = s->bad[k][s->n - 1], last = true;
	unsigned i, n = 0, first = s->n - 1;

	for (i = 0; i < r->of && i < s->n; i++)
		n += s->bad[k][s->n - 1 - i];
	for (i = 0; i < r->hits; i++)
		last = last && i < s->n && s->bad[k][s->n - 1 - i] == now;
	while (first > s->flip[k] && s->bad[k][first - 1] == now)
		first--;
	if (now == s->on[k] || s->at[s->n - 1] - s->at[first] < r->for_ms)
		return;
	if (now ? n < r->hits : n >= r->hits || !last)
		return;
	s->on[k] = now;
	s->flip[k] = s->n;
}

static enum status
slow_status(const struct slow *s)
{
	return s->n == 0 && !s->unknown ? STATUS_NONE :
	    s->on[1] ? STATUS_CRITICAL : s->unknown ? STATUS_UNKNOWN :
	    s->on[0] ? STATUS_WARNING : STATUS_OK;
}

/* They said `was` before the newest result. */
static void
slow_flap(struct slow *s, enum status was)
{
	enum status now = slow_status(s);
	unsigned n = s->changes, i;
	bool flapped = s->flaps;

	if (flapped && s->newest - s->change_at[n - 1] >= 15 * 60000) {
		s->flaps = false;
		s->changes = n = 0;
	}
	if (was != STATUS_NONE && was != now) {
		s->change_at[n] = s->newest;
		s->from[n] = was;
		s->changes++;
	}
	if (s->changes > n && n >= 4 && s->newest - s->change_at[n - 4] <=
	    30 * 60000)
		s->flaps = true;
	if (!flapped || !s->flaps || now > s->held)
		s->held = now;
	for (i = n - 4; s->flaps && !flapped && i <= n; i++)
		if (s->from[i] > s->held)
			s->held = s->from[i];
}

static enum status
slow_step(const struct alert_rule *r, struct slow *s,
    const struct alert_result *res)
{
	enum status j = alert_judge(r, res, NULL), was = slow_status(s);
	struct alert_rule clear = { .warn = r->clear };
	struct alert_result plain = *res;
	bool kept;
	int k;

	plain.given = STATUS_NONE;
	kept = alert_judge(&clear, &plain, NULL) == STATUS_WARNING;
	if (res->at_ms > s->newest && j == STATUS_UNKNOWN) {
		if (s->unknown_since == 0)
			s->unknown_since = res->at_ms;
		s->unknown |= res->at_ms - s->unknown_since >= 300000;
	} else if (res->at_ms > s->newest) {
		s->unknown = false;
		s->unknown_since = 0;
		s->at[s->n++] = res->at_ms;
		for (k = 0; k < 2; k++) {
			s->bad[k][s->n - 1] = j >= (k == 0 ? STATUS_WARNING :
			    STATUS_CRITICAL) || (s->on[k] && kept);
			slow_signal(r, s, k);
		}
	}
	if (res->at_ms > s->newest) {
		s->newest = res->at_ms;
		slow_flap(s, was);
	}
	return s->held;
}

static void
random_rule(struct alert_rule *r)
{
	memset(r, 0, sizeof *r);
	if (pick(3) > 0)
		list(&r->warn, "above 80");
	if (pick(4) > 0)
		list(&r->crit, pick(2) ? "above 90" : "above 90|m below 2");
	if (pick(3) == 0)
		list(&r->clear, pick(2) ? "above 60" : "above 60|m below 4");
	if (pick(2))
		r->for_ms = pick(8) * 5000;
	r->hits = pick(2) ? 1 : 1 + pick(5);
	r->of = pick(2) ? r->hits : r->hits + pick(7);
}

static void
random_result(struct alert_result *r, struct alert_metric *m, int64_t *at)
{
	static const int64_t value[] = { 10, 60, 61, 70, 80, 81, 85, 90, 91,
	    99 };

	*r = (struct alert_result){ .given = STATUS_NONE, .metric = m };
	*at += pick(12) == 0 ? 200000 : pick(10) * 2000 + 1000;
	if (pick(40) == 0)
		*at += pick(2) * 880000 + pick(2) * 20000 + pick(2) * 900000;
	r->at_ms = *at;
	if (pick(8) == 0)			/* doubled, or out of order */
		r->at_ms -= pick(40) * 1000 + 1000;
	if (pick(10) > 0) {
		r->has_value = true;
		r->value = value[pick(COUNT(value))] * 1000;
	}
	if (pick(4) == 0) {
		*m = (struct alert_metric){ STR("m"), pick(6) * 1000 };
		r->metrics = 1;
	}
	if (pick(5) == 0)
		r->given = (enum status)pick(4);
}

static void
test_random(void)
{
	unsigned began = 0, calm = 0, other = 0, raised = 0;
	int run, i;

	for (run = 0; run < 2500; run++) {
		struct alert_state st, twin, saved;
		struct alert_rule rule;
		struct slow slow = { .held = STATUS_NONE };
		int64_t at = T0;

		random_rule(&rule);
		alert_reset(&st);
		alert_reset(&twin);
		for (i = 0; i < RUN; i++) {
			char text[ALERT_STATE_TEXT];
			struct alert_change c, d;
			struct alert_result r;
			struct alert_metric m;
			struct buf b;

			random_result(&r, &m, &at);
			saved = st;
			c = alert_step(&rule, &st, &r);
			CHECK_ROW(run, c.from == saved.held &&
			    c.to == st.held && c.at_ms == r.at_ms);
			CHECK_ROW(run, c.flaps == (st.flaps && !saved.flaps) &&
			    c.calm == (!st.flaps && saved.flaps));
			began += c.flaps;
			calm += c.calm;
			raised += saved.flaps && c.to > c.from;
			other += c.calm && st.changes > 0;
			CHECK_ROW(run, r.at_ms > saved.at_ms ||
			    same(&saved, &st));
			/* the twin lives from text to text */
			d = alert_step(&rule, &twin, &r);
			CHECK_ROW(run, d.from == c.from && d.to == c.to &&
			    d.flaps == c.flaps && d.calm == c.calm);
			buf_init(&b, text, sizeof text);
			alert_state_put(&b, &twin);
			alert_reset(&twin);
			CHECK_ROW(run, alert_state_get(str_from(&b), &twin) ==
			    0 && same(&twin, &st));
			if (!CHECK_ROW(run, slow_step(&rule, &slow, &r) ==
			    st.held && slow.flaps == st.flaps))
				break;
		}
	}
	CHECK(began > 500 && calm > 100 && other > 10 && raised > 10);
}

/* A rule that is never bad never goes on, whatever its patience. */
static void
test_never(void)
{
	int run, i;

	for (run = 0; run < 1000; run++) {
		struct alert_state st;
		struct alert_rule rule;
		int64_t at = T0;

		random_rule(&rule);
		alert_reset(&st);
		for (i = 0; i < RUN; i++) {
			struct alert_result r;
			struct alert_metric m;

			random_result(&r, &m, &at);
			if (alert_judge(&rule, &r, NULL) != STATUS_OK)
				continue;
			alert_step(&rule, &st, &r);
			CHECK_ROW(run, st.held <= STATUS_OK);
			CHECK_ROW(run, !st.signal[0].on && !st.signal[2].on);
		}
	}
}

/* What comes between the two ends of all states: once they are alike, every
 * state is like them. */
static void
test_alike(void)
{
	unsigned run, i, k, alike = 0;

	for (run = 0; run < 2000; run++) {
		struct alert_state st[3] = { ALERT_RESET, ALERT_WORST };
		struct alert_rule rule;
		struct alert_result r;
		struct alert_metric m;
		bool were = false;
		int64_t at = T0;

		random_rule(&rule);
		/* A third with a past of its own. */
		alert_reset(&st[2]);
		for (i = pick(40); i > 0; i--) {
			random_result(&r, &m, &at);
			alert_step(&rule, &st[2], &r);
		}
		for (i = 0; i < 4 * RUN; i++) {
			random_result(&r, &m, &at);
			if (r.at_ms <= st[2].at_ms)
				continue;
			for (k = 0; k < 3; k++)
				alert_step(&rule, &st[k], &r);
			for (k = 0; k < 3; k++)
				CHECK_ROW(run, st[0].signal[k].on <=
				    st[2].signal[k].on && st[2].signal[k].on <=
				    st[1].signal[k].on);
			were = were || alert_alike(&st[0], &st[1]);
			CHECK_ROW(run, !were || (alert_alike(&st[0], &st[1]) &&
			    alert_alike(&st[0], &st[2])));
		}
		alike += were;
	}
	CHECK(alike > 1000);
}

int
main(void)
{
	test_rows();
	test_window();
	test_times();
	test_bounds();
	test_judge();
	test_status();
	test_late();
	test_state();
	test_random();
	test_never();
	test_alike();
	return test_end();
}
