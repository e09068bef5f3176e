/* zone.c: see zone.h. */
#include <stdio.h>

#include "file.h"
#include "zone.h"

#define ZONE_DIR	"/usr/share/zoneinfo/"
#define ZONE_FILE_MAX	16384	/* bytes; the largest have 4 KiB */

static bool
take_char(struct str *s, char c)
{
	bool there = s->n > 0 && s->p[0] == c;

	*s = str_after(*s, there);
	return there;
}

static int
take_number(struct str *s, uint64_t min, uint64_t max, int *out)
{
	struct str digits = { s->p, str_span(*s, "0123456789") };
	uint64_t v;

	if (str_u64(digits, min, max, &v) == -1)
		return -1;
	*out = (int)v;
	*s = str_after(*s, digits.n);
	return 0;
}

/* [+-]HOURS[:MM[:SS]] in seconds. */
static int
take_time(struct str *s, uint64_t hours_max, int *out)
{
	bool minus = take_char(s, '-');
	int part[3] = { 0 };
	unsigned i = 0;

	if (!minus)
		take_char(s, '+');
	do
		if (take_number(s, 0, i == 0 ? hours_max : 59, &part[i]) == -1)
			return -1;
	while (++i < COUNT(part) && take_char(s, ':'));
	*out = part[0] * 3600 + part[1] * 60 + part[2];
	*out = minus ? -*out : *out;
	return 0;
}

/* Three letters or more; with others of its characters, in <>. */
static int
take_name(struct str *s)
{
	bool quoted = take_char(s, '<');
	size_t n = str_span(*s, quoted ? STR_ALNUM "+-" :
	    &STR_ALNUM[sizeof "0123456789" - 1]);

	*s = str_after(*s, n);
	return n < 3 || (quoted && !take_char(s, '>')) ? -1 : 0;
}

/* ,Mm.w.d or ,Jn or ,n and [/TIME]. */
static int
take_rule(struct str *s, struct zone_rule *r)
{
	int n;

	r->time_s = 2 * 3600;
	if (!take_char(s, ','))
		return -1;
	if (take_char(s, 'M')) {
		if (take_number(s, 1, 12, &r->month) == -1 ||
		    !take_char(s, '.') ||
		    take_number(s, 1, 5, &r->week) == -1 ||
		    !take_char(s, '.') || take_number(s, 0, 6, &r->day) == -1)
			return -1;
	} else if (take_char(s, 'J')) {
		/* The 29th of February is never counted. */
		if (take_number(s, 1, 365, &n) == -1)
			return -1;
		r->month = n < 60 ? 1 : 3;
		r->day = n < 60 ? n : n - 59;
	} else {
		if (take_number(s, 0, 365, &n) == -1)
			return -1;
		r->month = 1;
		r->day = n + 1;
	}
	return take_char(s, '/') ? take_time(s, 167, &r->time_s) : 0;
}

int
zone_parse(struct str s, struct zone *z, struct fail *why)
{
	struct zone got = { 0 };
	int west_s;

	if (take_name(&s) == -1 || take_time(&s, 24, &west_s) == -1)
		return fail(why, "zone: neither a name known here nor a TZ "
		    "string, as CET-1CEST,M3.5.0,M10.5.0/3");
	got.std_s = -west_s;
	if (s.n > 0) {
		west_s -= 3600;
		if (take_name(&s) == -1 || (s.n > 0 && s.p[0] != ',' &&
		    take_time(&s, 24, &west_s) == -1))
			return fail(why, "zone: neither its end nor a name of "
			    "summer time after the hours");
		got.dst_s = -west_s;
		if (take_rule(&s, &got.begin) == -1 ||
		    take_rule(&s, &got.end) == -1 || s.n > 0)
			return fail(why, "zone: summer time without its begin "
			    "and end, as ,M3.5.0,M10.5.0/3");
	}
	*z = got;
	return 0;
}

int
zone_load(struct str s, struct zone *z, struct fail *why)
{
	char path[sizeof ZONE_DIR + ZONE_NAME_MAX], text[ZONE_FILE_MAX];
	struct buf b = BUF(text);
	struct str line;
	size_t at;

	if (s.n == 0 || str_is(s, "UTC")) {
		*z = (struct zone){ 0 };
		return 0;
	}
	if (zone_parse(s, z, why) == 0)
		return 0;
	/* No dot is among these: nothing above the directory. */
	if (s.n > ZONE_NAME_MAX || s.p[0] == '/' ||
	    !str_is_of(s, STR_ALNUM "_+/-"))
		return -1;
	snprintf(path, sizeof path, ZONE_DIR "%.*s", (int)s.n, s.p);
	if (file_read(path, &b, why) == -1)
		return fail_in(why, "zone");
	/* RFC 8536 3.3: the last line is between the last two newlines. */
	line = str_from(&b);
	for (at = line.n; at > 1 && text[at - 2] != '\n'; at--)
		;
	line.n -= line.n > 0 && text[line.n - 1] == '\n';
	if (!str_starts(line, STR("TZif")) || at < 2 ||
	    zone_parse(str_after(line, at - 1), z, why) == -1)
		return fail(why, "zone: %s: no zone's file, or its last line "
		    "is no TZ string", path);
	return 0;
}

/* The time in ms at which a rule is met in a year, by a clock that is so much
 * ahead of UTC. */
static int64_t
met_ms(const struct zone_rule *r, int year, int ahead_s)
{
	int day = str_days(year, r->month, r->week == 0 ? r->day : 1);

	if (r->week > 0) {
		/* 1600 began on a Saturday: no weekday is negative. */
		int weekday = (day - str_days(1600, 1, 1) + 6) % 7;

		day += (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
		if (day >= str_days(year + r->month / 12, r->month % 12 + 1, 1))
			day -= 7;
	}
	return day * STR_DAY_MS + INT64_C(1000) * (r->time_s - ahead_s);
}

int64_t
zone_local(const struct zone *z, int64_t utc_ms)
{
	int64_t begin = INT64_MIN, end = INT64_MIN, at_ms;
	int year;

	utc_ms = utc_ms < 0 ? 0 : utc_ms > TIME_MAX ? TIME_MAX : utc_ms;
	if (z->begin.month == 0)
		return utc_ms + INT64_C(1000) * z->std_s;
	/* Which of the two was met last?  Hours may move a rule past the end
	 * of its year.  A summer that begins as one ends has no winter. */
	year = str_date(utc_ms).year;
	for (int y = year - 2; y <= year + 1; y++) {
		at_ms = met_ms(&z->begin, y, z->std_s);
		begin = at_ms <= utc_ms ? at_ms : begin;
		at_ms = met_ms(&z->end, y, z->dst_s);
		end = at_ms <= utc_ms ? at_ms : end;
	}
	return utc_ms + INT64_C(1000) * (begin >= end ? z->dst_s : z->std_s);
}
