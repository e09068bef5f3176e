/*
 * zone.h: what the wall clock of a place shows.
 *
 * A zone is two offsets and the yearly rule that changes between them, as
 * a TZ string of POSIX says it (XBD 8.3, with the hours of RFC 8536 3.3.1).
 * A name stands for the last line of its file under /usr/share/zoneinfo: the
 * rule as it is today.  What a country did before is not known here, nor what
 * it does by another calendar: in Ramadan Morocco and Gaza are off by an hour.
 * No clock is read; the environment and libc's time zone are not used.
 */
#ifndef ZONE_H
#define ZONE_H

#include "fail.h"
#include "str.h"

#define ZONE_NAME_MAX	64	/* bytes of a name */

/* When the clock changes: on a day of each year, at time_s after the
 * midnight that begins it by the clock until then. */
struct zone_rule {
	int month;		/* 1-12; 0: it never does */
	int week;		/* 1-5 (5: the last) of its weekdays; 0: none */
	int day;		/* week: 0 is Sunday; else from the 1st as 1 */
	int time_s;		/* ±167:59:59 */
};

/* All zero: UTC. */
struct zone {
	int std_s, dst_s;	/* ahead of UTC (east): ±24:59:59 */
	struct zone_rule begin, end;	/* of dst_s */
};

/* All of s, a TZ string: CET-1CEST,M3.5.0,M10.5.0/3 or <+0330>-3:30.  The
 * rule may not be left out where summer time has a name.  0, or -1 with *z
 * untouched. */
int zone_parse(struct str s, struct zone *z, struct fail *why);

/* "" and UTC, a TZ string, or a name as Europe/Berlin, for which a file is
 * read.  0, or -1 with *z untouched. */
int zone_load(struct str s, struct zone *z, struct fail *why);

/* The wall clock at a time: what it shows, as if that were UTC.  A time
 * outside of 0 to TIME_MAX counts as the nearest in it. */
int64_t zone_local(const struct zone *z, int64_t utc_ms);

#endif
