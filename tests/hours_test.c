#include <stdlib.h>
#include <time.h>

#include "../hours.h"
#include "../zone.h"
#include "test.h"

#define CET		"CET-1CEST,M3.5.0,M10.5.0/3"
#define EST		"EST5EDT,M3.2.0,M11.1.0"
#define SYDNEY		"AEST-10AEDT,M10.1.0,M4.1.0/3"
#define CHATHAM		"<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45"
#define HOWE		"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define DUBLIN		"IST-1GMT0,M10.5.0,M3.5.0/1"
#define LEFT3		"<-03>3<-02>,M3.5.0/-1,M10.5.0/0"
#define NUUK		"<-02>2<-01>,M3.5.0/-1,M10.5.0/0"
#define GAZA		"EET-2EEST,M3.4.4/50,M10.4.4/50"
#define ZION		"IST-2IDT,M3.4.4/26,M10.5.0"
#define JULIAN		"AAA0BBB,J59/0,J60/0"
#define COUNTED		"AAA0BBB,58/0,59/0"
#define TURN		"AAA0BBB,J365/0,J2/0"
#define LEAP		"AAA0BBB,M2.5.4,M12.5.6/24"

static struct fail why;

static int64_t
at(const char *text)
{
	int64_t ms = -1;

	CHECK(str_time(str_of(text), &ms) == 0);
	return ms;
}

/* The zone, a time in UTC, the wall clock's; by TZ=... date -d @... */
static const struct {
	const char *zone, *utc, *local;
} clocks[] = {
	{ CET, "2026-01-01T00:00:00", "2026-01-01T01:00:00" },
	{ CET, "2026-03-29T00:59:59", "2026-03-29T01:59:59" },
	{ CET, "2026-03-29T01:00:00", "2026-03-29T03:00:00" },
	{ CET, "2026-10-25T00:59:59", "2026-10-25T02:59:59" },
	{ CET, "2026-10-25T01:00:00", "2026-10-25T02:00:00" },
	{ CET, "2026-12-31T22:59:59", "2026-12-31T23:59:59" },
	{ CET, "2026-12-31T23:00:00", "2027-01-01T00:00:00" },
	{ CET, "2024-02-29T12:00:00", "2024-02-29T13:00:00" },
	{ EST, "2026-03-08T06:59:59", "2026-03-08T01:59:59" },
	{ EST, "2026-03-08T07:00:00", "2026-03-08T03:00:00" },
	{ EST, "2026-11-01T05:59:59", "2026-11-01T01:59:59" },
	{ EST, "2026-11-01T06:00:00", "2026-11-01T01:00:00" },
	{ EST, "2027-01-01T04:59:59", "2026-12-31T23:59:59" },
	{ EST, "2027-01-01T05:00:00", "2027-01-01T00:00:00" },
	{ SYDNEY, "2026-04-04T15:59:59", "2026-04-05T02:59:59" },
	{ SYDNEY, "2026-04-04T16:00:00", "2026-04-05T02:00:00" },
	{ SYDNEY, "2026-10-03T15:59:59", "2026-10-04T01:59:59" },
	{ SYDNEY, "2026-10-03T16:00:00", "2026-10-04T03:00:00" },
	{ SYDNEY, "2026-12-31T12:59:59", "2026-12-31T23:59:59" },
	{ SYDNEY, "2026-12-31T13:00:00", "2027-01-01T00:00:00" },
	{ CHATHAM, "2026-09-26T13:59:59", "2026-09-27T02:44:59" },
	{ CHATHAM, "2026-09-26T14:00:00", "2026-09-27T03:45:00" },
	{ CHATHAM, "2026-04-04T13:59:59", "2026-04-05T03:44:59" },
	{ CHATHAM, "2026-04-04T14:00:00", "2026-04-05T02:45:00" },
	{ HOWE, "2026-04-04T14:59:59", "2026-04-05T01:59:59" },
	{ HOWE, "2026-04-04T15:00:00", "2026-04-05T01:30:00" },
	{ HOWE, "2026-10-03T15:29:59", "2026-10-04T01:59:59" },
	{ HOWE, "2026-10-03T15:30:00", "2026-10-04T02:30:00" },
	{ DUBLIN, "2026-03-29T00:59:59", "2026-03-29T00:59:59" },
	{ DUBLIN, "2026-03-29T01:00:00", "2026-03-29T02:00:00" },
	{ DUBLIN, "2026-10-25T00:59:59", "2026-10-25T01:59:59" },
	{ DUBLIN, "2026-10-25T01:00:00", "2026-10-25T01:00:00" },
	{ LEFT3, "2026-03-29T00:59:59", "2026-03-28T21:59:59" },
	{ LEFT3, "2026-03-29T01:00:00", "2026-03-28T22:00:00" },
	{ LEFT3, "2026-10-25T00:59:59", "2026-10-24T22:59:59" },
	{ LEFT3, "2026-10-25T01:00:00", "2026-10-24T23:00:00" },
	{ LEFT3, "2026-03-28T23:59:59", "2026-03-28T20:59:59" },
	{ LEFT3, "2026-03-29T02:00:00", "2026-03-29T00:00:00" },
	{ LEFT3, "2026-10-25T01:59:59", "2026-10-24T23:59:59" },
	{ LEFT3, "2026-10-25T02:00:00", "2026-10-24T23:00:00" },
	{ NUUK, "2026-03-29T00:59:59", "2026-03-28T22:59:59" },
	{ NUUK, "2026-03-29T01:00:00", "2026-03-29T00:00:00" },
	{ NUUK, "2026-10-25T00:59:59", "2026-10-24T23:59:59" },
	{ NUUK, "2026-10-25T01:00:00", "2026-10-24T23:00:00" },
	{ GAZA, "2026-03-27T23:59:59", "2026-03-28T01:59:59" },
	{ GAZA, "2026-03-28T00:00:00", "2026-03-28T03:00:00" },
	{ GAZA, "2026-10-23T22:59:59", "2026-10-24T01:59:59" },
	{ GAZA, "2026-10-23T23:00:00", "2026-10-24T01:00:00" },
	{ GAZA, "2026-10-24T22:59:59", "2026-10-25T00:59:59" },
	{ GAZA, "2026-10-24T23:00:00", "2026-10-25T01:00:00" },
	{ ZION, "2026-03-26T23:59:59", "2026-03-27T01:59:59" },
	{ ZION, "2026-03-27T00:00:00", "2026-03-27T03:00:00" },
	{ ZION, "2026-10-24T22:59:59", "2026-10-25T01:59:59" },
	{ ZION, "2026-10-24T23:00:00", "2026-10-25T01:00:00" },
	{ JULIAN, "2024-02-27T23:59:59", "2024-02-27T23:59:59" },
	{ JULIAN, "2024-02-28T00:00:00", "2024-02-28T01:00:00" },
	{ JULIAN, "2024-02-28T23:59:59", "2024-02-29T00:59:59" },
	{ JULIAN, "2024-02-29T22:59:59", "2024-02-29T23:59:59" },
	{ JULIAN, "2024-02-29T23:00:00", "2024-02-29T23:00:00" },
	{ JULIAN, "2026-02-28T22:59:59", "2026-02-28T23:59:59" },
	{ JULIAN, "2026-02-28T23:00:00", "2026-02-28T23:00:00" },
	{ COUNTED, "2024-02-27T23:59:59", "2024-02-27T23:59:59" },
	{ COUNTED, "2024-02-28T00:00:00", "2024-02-28T01:00:00" },
	{ COUNTED, "2024-02-28T22:59:59", "2024-02-28T23:59:59" },
	{ COUNTED, "2024-02-28T23:00:00", "2024-02-28T23:00:00" },
	{ COUNTED, "2026-02-28T22:59:59", "2026-02-28T23:59:59" },
	{ COUNTED, "2026-02-28T23:00:00", "2026-02-28T23:00:00" },
	{ TURN, "2024-12-30T23:59:59", "2024-12-30T23:59:59" },
	{ TURN, "2024-12-31T00:00:00", "2024-12-31T01:00:00" },
	{ TURN, "2025-01-01T22:59:59", "2025-01-01T23:59:59" },
	{ TURN, "2025-01-01T23:00:00", "2025-01-01T23:00:00" },
	{ LEAP, "2024-02-29T01:59:59", "2024-02-29T01:59:59" },
	{ LEAP, "2024-02-29T02:00:00", "2024-02-29T03:00:00" },
	{ LEAP, "2026-02-26T01:59:59", "2026-02-26T01:59:59" },
	{ LEAP, "2026-02-26T02:00:00", "2026-02-26T03:00:00" },
	{ LEAP, "2024-12-28T22:59:59", "2024-12-28T23:59:59" },
	{ LEAP, "2024-12-28T23:00:00", "2024-12-28T23:00:00" },
	{ "<+0330>-3:30", "2026-07-01T00:00:00", "2026-07-01T03:30:00" },
	{ "LMT-0:53:28", "2026-07-01T00:00:00", "2026-07-01T00:53:28" },
	{ "<-12>+12", "2026-07-01T00:00:00", "2026-06-30T12:00:00" },
	{ "XXX-24:59:59", "2026-07-01T00:00:00", "2026-07-02T00:59:59" },
	{ CET, "1970-01-01T00:00:00", "1970-01-01T01:00:00" },
	{ CET, "2100-03-28T01:00:00", "2100-03-28T03:00:00" },
	{ CET, "2100-02-28T23:00:00", "2100-03-01T00:00:00" },
	{ CET, "2000-02-28T23:00:00", "2000-02-29T00:00:00" },
	/* summer all year, RFC 8536 3.3.1: it begins as it ends */
	{ "EST5EDT,0/0,J365/25", "2026-01-01T04:59:59", "2026-01-01T00:59:59" },
	{ "EST5EDT,0/0,J365/25", "2026-01-01T05:00:00", "2026-01-01T01:00:00" },
	{ "XXX3EDT4,0/0,J365/23", "2026-01-01T03:00:00",
	    "2025-12-31T23:00:00" },
	/* hours beyond the ends of a year: 28 December, 7 January */
	{ "AAA0BBB,J180/0,J365/167", "2026-01-06T21:59:59",
	    "2026-01-06T22:59:59" },
	{ "AAA0BBB,J180/0,J365/167", "2026-01-06T22:00:00",
	    "2026-01-06T22:00:00" },
	{ "AAA0BBB,0/-96,J90/0", "2026-12-27T23:59:59",
	    "2026-12-27T23:59:59" },
	{ "AAA0BBB,0/-96,J90/0", "2026-12-28T00:00:00",
	    "2026-12-28T01:00:00" },
};

static void
test_clocks(void)
{
	struct zone z;

	for (size_t i = 0; i < COUNT(clocks); i++) {
		CHECK_ROW(i, zone_parse(str_of(clocks[i].zone), &z, &why) == 0);
		CHECK_ROW(i, zone_local(&z, at(clocks[i].utc)) ==
		    at(clocks[i].local));
		CHECK_ROW(i, zone_local(&z, at(clocks[i].utc) + 999) ==
		    at(clocks[i].local) + 999);
	}
	CHECK(zone_parse(STR(CET), &z, &why) == 0);
	CHECK(zone_local(&z, INT64_MIN) == 3600000);
	CHECK(zone_local(&z, INT64_MAX) == TIME_MAX + 3600000);
	CHECK(zone_parse(STR(EST), &z, &why) == 0);
	CHECK(zone_local(&z, -1) == -5 * 3600000);
}

static const struct {
	const char *text;
	bool ok;
} zones[] = {
	{ "UTC0", true }, { "AAA24", true }, { "AAA+24:59:59", true },
	{ "<A-1>0", true }, { "aaa-0", true }, { "AAA0BBB-1,0,0", true },
	{ "AAA0BBB,J1/-167,365/+167:59:59", true }, { "AAA1:5", true },
	{ "AAA0BBB,M1.1.0,M12.5.6", true }, { "AAAA005", true },
	{ "", false }, { "A", false }, { "AA0", false }, { "AAA", false },
	{ "AAA-", false }, { "AAA25", false }, { "AAA-25", false },
	{ "AAA0:60", false }, { "AAA0:0:60", false }, { "AAA0:0:0:0", false },
	{ "AAA0:", false }, { "AAA--1", false }, { "<AA>0", false },
	{ "<AAA0", false }, { "<AAA>", false }, { "<A.A>0", false },
	{ "<>0", false }, { "AAA0 ", false }, { " AAA0", false },
	{ ":AAA0", false }, { "A1A0", false }, { "AAA0BBB", false },
	{ "AAA0BB,0,1", false }, { "AAA0BBB,", false }, { "AAA0,0,1", false },
	{ "AAA0BBB,0", false }, { "AAA0BBB,0,", false },
	{ "AAA0BBB,0,1,", false }, { "AAA0BBB,0,1,2", false },
	{ "AAA0BBB,J0,J1", false }, { "AAA0BBB,J1,J366", false },
	{ "AAA0BBB,366,0", false }, { "AAA0BBB,-1,0", false },
	{ "AAA0BBB,M0.1.0,0", false }, { "AAA0BBB,M13.1.0,0", false },
	{ "AAA0BBB,M1.0.0,0", false }, { "AAA0BBB,M1.6.0,0", false },
	{ "AAA0BBB,M1.1.7,0", false }, { "AAA0BBB,M1.1,0", false },
	{ "AAA0BBB,M1.1.0.0,0", false }, { "AAA0BBB,0/168,1", false },
	{ "AAA0BBB,0,1/-168", false }, { "AAA0BBB,0/,1", false },
	{ "AAA0BBB25,0,1", false }, { "AAA0BBB,m1.1.0,1", false },
	{ "AAA99999999999999999999", false }, { "AAA0BBB,0/1/1,1", false },
};

static void
test_zones(void)
{
	struct zone z, was;
	size_t n;

	for (size_t i = 0; i < COUNT(zones); i++) {
		memset(&z, 7, sizeof z);
		was = z;
		why.msg[0] = '\0';
		CHECK_ROW(i, (zone_parse(str_of(zones[i].text), &z, &why) ==
		    0) == zones[i].ok);
		CHECK_ROW(i, zones[i].ok || (why.msg[0] != '\0' &&
		    memcmp(&z, &was, sizeof z) == 0));
	}
	/* Each prefix lies in memory of just its size. */
	for (size_t i = 0; i < COUNT(clocks); i++)
		for (n = 0; n < strlen(clocks[i].zone); n++) {
			char *p = malloc(n + 1);
			struct str s = { p + 1, n };

			memcpy(p + 1, clocks[i].zone, n);
			if (zone_parse(s, &z, &why) == 0)
				zone_local(&z, at("2026-07-01T00:00:00"));
			free(p);
		}
}

/* What libc's clock shows. */
static int64_t
libc_local(int64_t utc_s)
{
	time_t t = (time_t)utc_s;
	struct tm tm = { 0 };

	CHECK(localtime_r(&t, &tm) != NULL);
	return str_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) *
	    STR_DAY_MS + (tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec) *
	    INT64_C(1000);
}

/* The second from which on libc's clock differs as it does at `high`, if it
 * changes after `low`; else high. */
static int64_t
change_between(int64_t low, int64_t high)
{
	int64_t ahead = libc_local(low) - low * 1000, mid;

	if (libc_local(high) - high * 1000 == ahead)
		return high;
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (libc_local(mid) - mid * 1000 == ahead)
			low = mid;
		else
			high = mid;
	}
	return high;
}

/* Against libc: random times of 1970 to 2100, two days apart at most, and to
 * the second about each change between them. */
static void
test_libc(void)
{
	static const char *const tz[] = { CET, EST, SYDNEY, CHATHAM, HOWE,
	    DUBLIN, LEFT3, NUUK, GAZA, ZION, JULIAN, COUNTED, TURN, LEAP,
	    "PST8PDT,M3.2.0,M11.1.0", "<+0330>-3:30", "LMT-0:53:28",
	    "<-04>4<-03>,M9.1.6/24,M4.1.6/24", "UTC0",
	    "CST5CDT,M3.2.0/0,M11.1.0/1", "AAA-12BBB-13:37:11,J100/1:2:3,300" };
	const int64_t end_s = INT64_C(4133980800);
	uint64_t seed = 1;
	struct zone z;

	for (size_t i = 0; i < COUNT(tz) && sizeof(time_t) > 4; i++) {
		unsigned wrong = 0, changes = 0;
		int64_t s = 1, was = 1, change;

		setenv("TZ", tz[i], 1);
		tzset();
		CHECK_ROW(i, zone_parse(str_of(tz[i]), &z, &why) == 0);
		for (; s < end_s; s += (int64_t)(seed >> 40) % 172800) {
			seed = seed * 6364136223846793005u + 1;
			wrong += zone_local(&z, s * 1000) != libc_local(s);
			change = change_between(was, s);
			wrong += zone_local(&z, change * 1000 - 1) !=
			    libc_local(change - 1) + 999;
			wrong += zone_local(&z, change * 1000) !=
			    libc_local(change);
			changes += change < s;
			was = s;
		}
		CHECK_ROW(i, wrong == 0);
		CHECK_ROW(i, changes >= (z.begin.month == 0 ? 0 : 130));
	}
	unsetenv("TZ");
	tzset();
}

/* Names: the files may be missing on a small host. */
static void
test_names(void)
{
	static const struct {
		const char *name;
		bool never;	/* be there a file or not */
	} names[] = {
		{ "Europe/Berlin", false }, { "Asia/Kolkata", false },
		{ "", false }, { "UTC", false }, { "AAA-1", false },
		{ "../zoneinfo/UTC", true }, { "Europe/../UTC", true },
		{ "/etc/passwd", true }, { "/usr/share/zoneinfo/UTC", true },
		{ "Europe", true }, { "No/Such_Place", true }, { ".", true },
		{ "tzdata.zi", true }, { "leapseconds", true },
		{ "Europe/Berlin\n", true },
		{ "Europe Berlin", true }, { "zone1970%s", true },
		{ "AAA0BBB", true }, { "a-", true }, { "+", true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaa", true },
	};
	struct zone z = { .std_s = 77 };
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");

	for (size_t i = 0; i < COUNT(names); i++) {
		why.msg[0] = '\0';
		if (names[i].never)
			CHECK_ROW(i, zone_load(str_of(names[i].name), &z,
			    &why) == -1 && why.msg[0] != '\0' && z.std_s == 77);
	}
	CHECK(zone_load(STR("Europe/Berlin\0"), &z, &why) == -1);
	CHECK(zone_load((struct str){ NULL, 0 }, &z, &why) == 0 &&
	    z.std_s == 0);
	CHECK(zone_load(STR("AAA-1"), &z, &why) == 0 && z.std_s == 3600);
	CHECK(zone_load(STR("UTC"), &z, &why) == 0 && z.std_s == 0);
	if (f == NULL) {
		printf("no zoneinfo here: names were not looked up\n");
		return;
	}
	fclose(f);
	CHECK(zone_load(STR("Europe/Berlin"), &z, &why) == 0);
	CHECK(zone_local(&z, at("2026-07-01T00:00:00")) ==
	    at("2026-07-01T02:00:00"));
	CHECK(zone_load(STR("Asia/Kolkata"), &z, &why) == 0);
	CHECK(z.std_s == 19800 && z.begin.month == 0);
}

/* The text, a time in UTC, whether it holds then, when it does next ("":
 * never).  2026-07-06 is a Monday. */
static const struct {
	const char *text, *utc;
	bool holds;
	const char *next;
} rows[] = {
#define D	"2026-07-"
	{ "mon", D "06T00:00:00", true, D "06T00:00:00" },
	{ "mon", D "05T23:59:59.999", false, D "06T00:00:00" },
	{ "mon", D "06T23:59:59.999", true, D "06T23:59:59.999" },
	{ "mon", D "07T00:00:00", false, D "13T00:00:00" },
	{ "SUN", D "12T12:00:00", true, D "12T12:00:00" },
	{ "Fri-Mon", D "05T12:00:00", true, D "05T12:00:00" },
	{ "fri-mon", D "07T12:34:56.789", false, D "10T00:00:00" },
	{ "mon-sun", D "09T12:00:00", true, D "09T12:00:00" },
	{ "tue-mon", D "06T12:00:00", true, D "06T12:00:00" },
	{ "sun-sat", D "11T12:00:00", true, D "11T12:00:00" },
	{ "08:00-18:00", D "06T07:59:59.999", false, D "06T08:00:00" },
	{ "08:00-18:00", D "06T08:00:00", true, D "06T08:00:00" },
	{ "8:00-18:00", D "06T17:59:59.999", true, D "06T17:59:59.999" },
	{ "08:00-18:00", D "06T18:00:00", false, D "07T08:00:00" },
	{ "00:00-24:00", D "06T18:00:00", true, D "06T18:00:00" },
	{ "0:00-0:00", D "06T18:00:00", true, D "06T18:00:00" },
	{ "mon 12:00-12:00", D "07T11:59:59", true, D "07T11:59:59" },
	{ "mon 12:00-12:00", D "07T12:00:00", false, D "13T12:00:00" },
	{ "mon 12:00-12:00", D "06T11:59:59", false, D "06T12:00:00" },
	{ "18:00-24:00", D "06T23:59:59", true, D "06T23:59:59" },
	{ "18:00-24:00", D "07T00:00:00", false, D "07T18:00:00" },
	{ "23:59-24:00", D "06T00:00:00", false, D "06T23:59:00" },
	/* past midnight; past the week's end */
	{ "22:00-06:00", D "06T05:59:59", true, D "06T05:59:59" },
	{ "22:00-06:00", D "06T06:00:00", false, D "06T22:00:00" },
	{ "22:00-06:00", D "06T22:00:00", true, D "06T22:00:00" },
	{ "sun 22:00-06:00", D "06T05:59:59", true, D "06T05:59:59" },
	{ "sun 22:00-06:00", D "06T06:00:00", false, D "12T22:00:00" },
	{ "sun 22:00-06:00", D "12T05:00:00", false, D "12T22:00:00" },
	{ "23:59-23:58", D "06T23:58:00", false, D "06T23:59:00" },
	{ "22:00-00:00", D "06T23:59:59", true, D "06T23:59:59" },
	{ "22:00-00:00", D "07T00:00:00", false, D "07T22:00:00" },
	/* several; blanks */
	{ "mon-fri 08:00-18:00, sat 10:00-14:00", D "10T18:00:00", false,
	    D "11T10:00:00" },
	{ "\tmon-fri\t 08:00-18:00 ,sat 10:00-14:00 ", D "11T14:00:00", false,
	    D "13T08:00:00" },
	{ "sat,sun 10:00-14:00", D "11T03:00:00", true, D "11T03:00:00" },
	{ "mon,tue,wed,thu,fri,sat,sun 12:00-13:00,1:00-2:00", D "12T02:00:00",
	    false, D "12T12:00:00" },
	/* zones */
	{ "mon-fri 08:00-18:00 CET-1", D "06T06:59:59", false,
	    D "06T07:00:00" },
	{ "mon-fri 08:00-18:00, sat 10:00-14:00 " CET, D "06T05:59:59", false,
	    D "06T06:00:00" },
	{ "mon " CET, D "05T21:59:59", false, D "05T22:00:00" },
	{ "mon UTC", D "06T00:00:00", true, D "06T00:00:00" },
	{ "mon SAT-12", D "05T12:00:00", true, D "05T12:00:00" },
	{ "mon-fri 08:00-18:00 <+0330>-3:30", D "06T04:29:59", false,
	    D "06T04:30:00" },
	{ "12:00-13:00 LMT-0:53:28", D "06T00:00:01.5", false,
	    D "06T11:06:32" },
	/* the clock goes forward into a window, and over one */
	{ "02:30-04:00 " CET, "2026-03-29T00:59:59", false,
	    "2026-03-29T01:00:00" },
	{ "02:30-04:00 " CET, "2026-03-29T00:30:00", false,
	    "2026-03-29T01:00:00" },
	{ "02:30-04:00 " CET, "2026-03-29T02:00:00", false,
	    "2026-03-30T00:30:00" },
	{ "sun 02:15-02:45 " CET, "2026-03-29T00:00:00", false,
	    "2026-04-05T00:15:00" },
	/* and back: shown twice, held twice */
	{ "02:15-02:45 " CET, "2026-10-25T00:15:00", true,
	    "2026-10-25T00:15:00" },
	{ "02:15-02:45 " CET, "2026-10-25T00:45:00", false,
	    "2026-10-25T01:15:00" },
	{ "02:15-02:45 " CET, "2026-10-25T01:45:00", false,
	    "2026-10-26T01:15:00" },
	{ "sun 01:00-01:10 AAA0BBB,M3.2.0/1,M3.3.0/1",
	    "2026-03-08T00:59:00", false, "2026-03-15T01:00:00" },
	{ "thu", "1970-01-01T00:00:00", true, "1970-01-01T00:00:00" },
	{ "wed 23:00-24:00 AAA1", "1970-01-01T00:30:00", true,
	    "1970-01-01T00:30:00" },
#undef D
};

static void
test_rows(void)
{
	struct hours h;
	int64_t t;

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_ROW(i, hours_parse(str_of(rows[i].text), "", &h,
		    &why) == 0);
		t = at(rows[i].utc);
		CHECK_ROW(i, hours_hold(&h, t) == rows[i].holds);
		CHECK_ROW(i, hours_next(&h, t) == at(rows[i].next));
	}
	h.n = 0;
	CHECK(!hours_hold(&h, 0) && hours_next(&h, 0) == INT64_MAX);
	CHECK(hours_next(&h, INT64_MAX) == INT64_MAX);
	CHECK(hours_next(&h, INT64_MIN) == INT64_MAX);
	CHECK(hours_parse(STR("mon"), CET, &h, &why) == 0);
	CHECK(hours_next(&h, TIME_MAX - 3600000) == INT64_MAX);
	CHECK(hours_hold(&h, at("2026-07-05T22:00:00")));
	CHECK(hours_parse(STR("mon UTC0"), CET, &h, &why) == 0);
	CHECK(!hours_hold(&h, at("2026-07-05T22:00:00")));
	CHECK(hours_parse(STR("mon"), NULL, &h, &why) == 0);
	CHECK(hours_parse(STR("mon"), "bad", &h, &why) == -1);
}

static const char *const bad[] = {
	"", " ", ",", "mon,", ",mon", "mon,,tue", "mo", "monday", "mon-",
	"-mon", "mon-tue-wed", "mon--tue", "mon - tue", "08:00", "08:00-",
	"-08:00", "08:00-18:60", "08:00-25:00", "08:00-24:01", "24:00-08:00",
	"008:00-09:00", "08:0-09:00", "08-09", "08:00-09:00:00", "8.00-9.00",
	"08:00-09:00-10:00", "08:00 -09:00", "mon 8", "mon 08:00", "x",
	"mon 08:00-18:00 tue", "08:00-18:00 mon", "08:00-18:00mon",
	"mon,tue,wed,thu,fri,sat,sun,mon,tue", "Europe/Berlin",
	"mon, Europe/Berlin", "mon No/Such_Place", "mon UTC0 UTC0",
	"mon UTC0, tue", "mon ../UTC", "mon CET-1CEST", "mon\n", "mon;tue",
	"+8:00-9:00", "08:00-09:00 UTC0,", "\xff", "m\xc3\xb6n",
	"99999999999999999999:00-1:00",
};

static void
test_refused(void)
{
	struct hours h, was;
	size_t n;

	memset(&h, 7, sizeof h);
	was = h;
	for (size_t i = 0; i < COUNT(bad); i++) {
		why.msg[0] = '\0';
		CHECK_ROW(i, hours_parse(str_of(bad[i]), "", &h, &why) == -1);
		CHECK_ROW(i, why.msg[0] != '\0' &&
		    memcmp(&h, &was, sizeof h) == 0);
	}
	CHECK(hours_parse(STR("mon\0"), "", &h, &why) == -1);
	CHECK(hours_parse((struct str){ NULL, 0 }, "", &h, &why) == -1);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (n = 0; n < strlen(rows[i].text); n++) {
			char *p = malloc(n + 1);
			struct str s = { p + 1, n };

			memcpy(p + 1, rows[i].text, n);
			if (hours_parse(s, "", &h, &why) == 0)
				hours_hold(&h, at(rows[i].utc));
			free(p);
		}
}

/* hours_next against a look at each minute. */
static void
test_next(void)
{
	static const char *const text[] = {
		"mon-fri 08:00-18:00, sat 10:00-14:00 " CET,
		"02:30-02:31, sun 23:59-00:01 " SYDNEY,
		"01:45-02:15 " HOWE, "02:59-03:01, wed " CHATHAM,
		"thu 00:00-00:01, sat 23:30-00:30 " NUUK, "fri 01:30-01:31 "
		GAZA, "01:00-01:02,sun 02:00-03:00 " DUBLIN,
	};
	struct hours h;
	uint64_t seed = 7;
	int64_t t, next, end;

	for (size_t i = 0; i < COUNT(text); i++) {
		unsigned wrong = 0;

		CHECK(hours_parse(str_of(text[i]), "", &h, &why) == 0);
		for (unsigned k = 0; k < 60; k++) {
			seed = seed * 6364136223846793005u + 1;
			/* A third each about the spring and the autumn. */
			t = at(k % 3 == 0 ? "2026-01-01T00:00:00" : k % 3 == 1 ?
			    "2026-03-24T00:00:00" : "2026-10-20T00:00:00");
			t += (int64_t)(seed >> 30) % ((k % 3 == 0 ? 365 : 6) *
			    STR_DAY_MS);
			next = hours_next(&h, t);
			end = next;
			wrong += !hours_hold(&h, next) || next < t;
			for (; t < end - 60000; t += 60000)
				wrong += hours_hold(&h, t);
		}
		CHECK_ROW(i, wrong == 0);
	}
}

int
main(void)
{
	test_clocks();
	test_zones();
	test_libc();
	test_names();
	test_rows();
	test_refused();
	test_next();
	return test_end();
}
