/* hours.c: see hours.h. */
#include "hours.h"

#define MINUTE_MS	60000
#define HOUR_MS		3600000
#define DAY_MINUTES	1440

/* Past blanks. */
static struct str
unblank(struct str s)
{
	return str_after(s, str_span(s, " \t"));
}

/* What s begins with, up to a blank or a comma. */
static struct str
take_word(struct str *s)
{
	struct str word = { s->p, 0 };

	while (word.n < s->n && memchr(" \t,", s->p[word.n], 3) == NULL)
		word.n++;
	*s = unblank(str_after(*s, word.n));
	return word;
}

/* DAY[-DAY] as bits. */
static int
read_days(struct str word, unsigned *days)
{
	static const char *const names[] = { "mon", "tue", "wed", "thu", "fri",
	    "sat", "sun" };
	unsigned day[2] = { COUNT(names), COUNT(names) }, n = 0;
	struct str one;

	for (; str_cut(&word, '-', &one) == 0; n++)
		for (unsigned i = 0; i < COUNT(names) && n < 2; i++)
			if (str_ieq(one, str_of(names[i])))
				day[n] = i;
	if (n == 1)
		day[1] = day[0];
	if (n > 2 || day[0] == COUNT(names) || day[1] == COUNT(names))
		return -1;
	for (*days = 1u << day[1]; day[0] != day[1]; day[0] = (day[0] + 1) % 7)
		*days |= 1u << day[0];
	return 0;
}

/* H:MM or HH:MM up to 24:00, in minutes. */
static int
read_minutes(struct str s, unsigned *minutes)
{
	struct str hour;
	uint64_t h, m;

	str_cut(&s, ':', &hour);
	if (hour.n > 2 || s.n != 2 || str_u64(hour, 0, 24, &h) == -1 ||
	    str_u64(s, 0, h == 24 ? 0 : 59, &m) == -1)
		return -1;
	*minutes = (unsigned)(h * 60 + m);
	return 0;
}

/* A window, and the blanks behind it. */
static int
take_window(struct str *s, struct hours_window *w)
{
	struct str word = take_word(s), begin;

	*w = (struct hours_window){ 0x7f, 0, DAY_MINUTES };
	if (read_days(word, &w->days) == 0) {
		if (str_span(*s, "0123456789") == 0)
			return 0;
		word = take_word(s);
	}
	str_cut(&word, '-', &begin);
	if (read_minutes(begin, &w->begin) == -1 ||
	    read_minutes(word, &w->end) == -1 || w->begin == DAY_MINUTES)
		return -1;
	w->end += w->end <= w->begin ? DAY_MINUTES : 0;
	return 0;
}

int
hours_parse(struct str text, const char *default_zone, struct hours *h,
    struct fail *why)
{
	struct hours got = { .n = 0 };

	for (;; text = str_after(text, 1)) {
		text = unblank(text);
		if (got.n == HOURS_MAX)
			return fail(why, "more than %d windows", HOURS_MAX);
		if (take_window(&text, &got.window[got.n++]) == -1)
			return fail(why, "window %u: not [DAY[-DAY]] "
			    "[HH:MM-HH:MM], as mon-fri 08:00-18:00", got.n);
		if (!str_starts(text, STR(",")))
			break;
	}
	text = str_trim(text);
	if (zone_load(text.n > 0 ? text : str_of(default_zone), &got.zone,
	    why) == -1)
		return -1;
	*h = got;
	return 0;
}

/* What the wall clock has shown since a Monday began, in ms; not negative. */
static int64_t
week_ms(int64_t local_ms)
{
	/* 1970 began on a Thursday, and a day later by some clocks. */
	return (local_ms + (7 + 3) * STR_DAY_MS) % (7 * STR_DAY_MS);
}

bool
hours_hold(const struct hours *h, int64_t at_ms)
{
	unsigned at = (unsigned)(week_ms(zone_local(&h->zone, at_ms)) /
	    MINUTE_MS), day = at / DAY_MINUTES;
	const struct hours_window *w;

	at %= DAY_MINUTES;
	for (w = h->window; w < h->window + h->n; w++)
		if ((w->days >> day & 1 && at >= w->begin && at < w->end) ||
		    (w->days >> (day + 6) % 7 & 1 && at + DAY_MINUTES < w->end))
			return true;
	return false;
}

/* How long from there on until the wall clock comes to a begin: an hour at
 * most. */
static int64_t
until_begin(const struct hours *h, int64_t week)
{
	int64_t least = HOUR_MS, wait;

	for (unsigned i = 0; i < 7 * h->n; i++) {
		const struct hours_window *w = &h->window[i / 7];

		wait = (i % 7) * STR_DAY_MS + w->begin * MINUTE_MS - week;
		wait += wait <= 0 ? 7 * STR_DAY_MS : 0;
		if (w->days >> i % 7 & 1 && wait < least)
			least = wait;
	}
	return least;
}

int64_t
hours_next(const struct hours *h, int64_t at_ms)
{
	int64_t end_ms, local, step;

	at_ms = at_ms < 0 ? 0 : at_ms > TIME_MAX ? TIME_MAX : at_ms;
	end_ms = at_ms + HOURS_AHEAD_MS;
	for (; at_ms < end_ms && at_ms <= TIME_MAX; at_ms += step) {
		if (hours_hold(h, at_ms))
			return at_ms;
		local = zone_local(&h->zone, at_ms);
		step = until_begin(h, week_ms(local));
		/* Minute by minute past a change of the clock. */
		if (zone_local(&h->zone, at_ms + step) != local + step)
			step = MINUTE_MS - week_ms(local) % MINUTE_MS;
	}
	return INT64_MAX;
}
