/*
 * hours.h: the hours of the week that somebody is told in, or a silence
 * holds for, by the wall clock of a place.
 *
 * One to eight windows, set apart by commas, and a zone, if any, behind the
 * last one:
 *
 *	mon-fri 08:00-18:00, sat 10:00-14:00 Europe/Berlin
 *	22:00-06:00
 *	sun
 *
 * A window is [DAY[-DAY]] [HH:MM-HH:MM], one of them at least: every day,
 * and all day, where it says nothing.  It stands for itself: the Saturday of
 * "sat, sun 10:00-14:00" is whole.  Days are mon to sun in any case, and
 * fri-mon goes by way of sunday.  A window whose end is not after its begin
 * ends the day after, and its day is that of its begin.
 *
 * The wall clock decides: what it leaves out when summer time begins is no
 * time, and what it shows twice is twice.  No clock is read here.
 */
#ifndef HOURS_H
#define HOURS_H

#include "fail.h"
#include "str.h"
#include "zone.h"

#define HOURS_MAX	8	/* windows */
#define HOURS_AHEAD_MS	(15 * STR_DAY_MS)

struct hours_window {
	unsigned days;		/* bit 0: it begins on Mondays */
	unsigned begin, end;	/* minutes from midnight: to 1439, to 2879 */
};

struct hours {
	struct zone zone;
	unsigned n;		/* 0: they never hold */
	struct hours_window window[HOURS_MAX];
};

/* All of text.  default_zone, as zone_load takes it, is for one that names
 * none.  0, or -1 with *h untouched. */
int hours_parse(struct str text, const char *default_zone, struct hours *h,
    struct fail *why);

/* Do they hold at this time?  Outside of 0 to TIME_MAX the nearest counts. */
bool hours_hold(const struct hours *h, int64_t at_ms);

/* The first time from at_ms on at which they hold: to the ms, but where the
 * clock changes within a minute, up to the end of that.  INT64_MAX: not within
 * HOURS_AHEAD_MS.  Times count as for hours_hold. */
int64_t hours_next(const struct hours *h, int64_t at_ms);

#endif
