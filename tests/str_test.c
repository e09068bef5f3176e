#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../str.h"
#include "test.h"

#define HOUR	INT64_C(3600000)
#define DAY	(24 * HOUR)

/* What a buffer holds, as a C string. */
static const char *
held(struct buf *b)
{
	static char z[512];

	if (b->n >= sizeof z)
		return "(too long)";
	memcpy(z, b->p, b->n);
	z[b->n] = '\0';
	return z;
}

static void
test_compare(void)
{
	struct str none = str_of(NULL);

	CHECK(none.p == NULL && none.n == 0);
	CHECK(str_eq(none, STR("")) && str_is(none, ""));
	CHECK(str_is(STR("abc"), "abc") && !str_is(STR("abc"), "ab"));
	CHECK(!str_is(STR("ab"), "abc") && !str_is(STR("abc"), "abd"));
	CHECK(!str_is(STR("a\0b"), "a"));
	CHECK(str_ieq(STR("aZ@[`{9"), STR("Az@[`{9")));
	CHECK(!str_ieq(STR("@"), STR("`")) && !str_ieq(STR("["), STR("{")));
	CHECK(!str_ieq(STR("a"), STR("ab")));
	CHECK(!str_ieq(STR("\xc4"), STR("\xe4")));	/* ASCII only */
	CHECK(str_starts(STR("abc"), STR("ab")));
	CHECK(str_starts(STR("abc"), STR("abc")));
	CHECK(!str_starts(STR("abc"), STR("abcd")));
	CHECK(!str_starts(STR("abc"), STR("b")));
	CHECK(str_starts(STR("abc"), none) && str_starts(none, none));
	CHECK(str_is(str_trim(STR(" \t a b\t ")), "a b"));
	CHECK(str_is(str_trim(STR(" \t ")), "") && str_trim(none).n == 0);
	CHECK(str_is(str_trim(STR("\na\r")), "\na\r"));
}

static void
test_cut(void)
{
	struct str rest = STR("key"), head;

	CHECK(str_cut(&rest, '=', &head) == 0 && str_eq(head, STR("key")));
	CHECK(str_cut(&rest, '=', &head) == -1);	/* never past the end */
	rest = STR("a,,b,");
	CHECK(str_cut(&rest, ',', &head) == 0 && str_is(head, "a"));
	CHECK(str_cut(&rest, ',', &head) == 0 && str_is(head, ""));
	CHECK(str_cut(&rest, ',', &head) == 0 && str_is(head, "b"));
	CHECK(str_cut(&rest, ',', &head) == 0 && str_is(head, ""));
	CHECK(str_cut(&rest, ',', &head) == -1);
	rest = STR("");
	CHECK(str_cut(&rest, ',', &head) == 0 && head.n == 0);
	CHECK(str_cut(&rest, ',', &head) == -1);
	rest = str_of(NULL);
	CHECK(str_cut(&rest, ',', &head) == -1);
}

static const struct {
	const char *in;
	uint64_t min, max, want;
	int ok;
} numbers[] = {
	{ "0",				0, 9,		0,	1 },
	{ "9",				0, 9,		9,	1 },
	{ "10",				0, 9,		0,	0 },
	{ "007",			0, 9,		7,	1 },
	{ "0",				1, 9,		0,	0 },
	{ "65535",			1, 65535,	65535,	1 },
	{ "65536",			1, 65535,	0,	0 },
	{ "",				0, 9,		0,	0 },
	{ "+1",				0, 9,		0,	0 },
	{ "-1",				0, 9,		0,	0 },
	{ "-0",				0, 9,		0,	0 },
	{ " 1",				0, 9,		0,	0 },
	{ "1 ",				0, 9,		0,	0 },
	{ "1x",				0, 9,		0,	0 },
	{ "/",				0, 9,		0,	0 },
	{ ":",				0, 9,		0,	0 },
	{ "0x1",			0, 9,		0,	0 },
	{ "\xb1",			0, 9,		0,	0 },
	{ "18446744073709551615",	0, UINT64_MAX,	UINT64_MAX, 1 },
	{ "18446744073709551616",	0, UINT64_MAX,	0,	0 },
	{ "18446744073709551625",	0, UINT64_MAX,	0,	0 },
	{ "99999999999999999999",	0, UINT64_MAX,	0,	0 },
};

static const struct {
	const char *in;
	int64_t min, max, want;
	int ok;
} signed_numbers[] = {
	{ "0",				-9, 9,		0,	1 },
	{ "-0",				-9, 9,		0,	1 },
	{ "-9",				-9, 9,		-9,	1 },
	{ "-10",			-9, 9,		0,	0 },
	{ "10",				-9, 9,		0,	0 },
	{ "",				-9, 9,		0,	0 },
	{ "-",				-9, 9,		0,	0 },
	{ "--1",			-9, 9,		0,	0 },
	{ "+1",				-9, 9,		0,	0 },
	{ "- 1",			-9, 9,		0,	0 },
	{ "9223372036854775807",	INT64_MIN, INT64_MAX, INT64_MAX, 1 },
	{ "9223372036854775808",	INT64_MIN, INT64_MAX, 0, 0 },
	{ "-9223372036854775808",	INT64_MIN, INT64_MAX, INT64_MIN, 1 },
	{ "-9223372036854775809",	INT64_MIN, INT64_MAX, 0, 0 },
	{ "-18446744073709551616",	INT64_MIN, INT64_MAX, 0, 0 },
};

static void
test_numbers(void)
{
	size_t i;

	for (i = 0; i < COUNT(numbers); i++) {
		uint64_t v = 0;
		int rc = str_u64(str_of(numbers[i].in), numbers[i].min,
		    numbers[i].max, &v);

		CHECK_ROW(i, rc == (numbers[i].ok ? 0 : -1));
		CHECK_ROW(i, v == numbers[i].want);
	}
	for (i = 0; i < COUNT(signed_numbers); i++) {
		int64_t v = 0;
		int rc = str_i64(str_of(signed_numbers[i].in),
		    signed_numbers[i].min, signed_numbers[i].max, &v);

		CHECK_ROW(i, rc == (signed_numbers[i].ok ? 0 : -1));
		CHECK_ROW(i, v == signed_numbers[i].want);
	}
}

/* The grammar: how much of the text is a number. */
static const struct {
	const char *in;
	size_t n;
} grammar[] = {
	{ "0",		1 },	{ "-0",		2 },	{ "10",		2 },
	{ "01",		1 },	{ "-01",	2 },	{ "",		0 },
	{ "-",		0 },	{ "+1",		0 },	{ "--1",	0 },
	{ ".5",		0 },	{ "-.5",	0 },	{ "1.",		0 },
	{ "1.5",	3 },	{ "1.5.5",	3 },	{ "1.e1",	0 },
	{ "1e1",	3 },	{ "1E1",	3 },	{ "1e+1",	4 },
	{ "1e-1",	4 },	{ "1e",		0 },	{ "1e+",	0 },
	{ "1e1.5",	3 },	{ "1.0e-10",	7 },	{ "0e0",	3 },
	{ "0.00",	4 },	{ "1 ",		1 },	{ "1a",		1 },
	{ "0x1",	1 },	{ "NaN",	0 },	{ "Infinity",	0 },
	{ " 1",		0 },	{ "1e5,",	3 },	{ "1e--1",	0 },
};

static const struct {
	const char *in;
	int64_t want;
	int ok;
} millis[] = {
	{ "0",			0,			1 },
	{ "-0",			0,			1 },
	{ "1",			1000,			1 },
	{ "-1",			-1000,			1 },
	{ "80.5",		80500,			1 },
	{ "0.001",		1,			1 },
	{ "0.0004",		0,			1 },
	{ "0.00049999999999999999999999", 0,		1 },
	{ "0.0005",		1,			1 },
	{ "-0.0005",		-1,			1 },
	{ "-0.00049",		0,			1 },
	{ "0.0015",		2,			1 },
	{ "0.0025",		3,			1 },	/* not even */
	{ "0.9999",		1000,			1 },
	{ "0.9994",		999,			1 },
	{ "1e3",		1000000,		1 },
	{ "1E+3",		1000000,		1 },
	{ "1e-3",		1,			1 },
	{ "5e-4",		1,			1 },
	{ "4e-4",		0,			1 },
	{ "5e-5",		0,			1 },
	{ "99e-5",		1,			1 },
	{ "12.5e-1",		1250,			1 },
	{ "0.000001e6",		1000,			1 },
	{ "1000000e-6",		1000,			1 },
	{ "0e999999999999999999999999", 0,		1 },
	{ "1e-999999999999999999999999", 0,		1 },
	{ "1e999999999999999999999999", 7,		0 },
	{ "1e308",		7,			0 },
	{ "9000000000000000",	MILLI_MAX,		1 },
	{ "-9000000000000000",	-MILLI_MAX,		1 },
	{ "9e15",		MILLI_MAX,		1 },
	{ "9000000000000000.0004", MILLI_MAX,		1 },
	{ "9000000000000000.0005", 7,			0 },
	{ "9000000000000000.001", 7,			0 },
	{ "-9000000000000000.001", 7,			0 },
	{ "8999999999999999.999", MILLI_MAX - 1,	1 },
	{ "9223372036854775.807", 7,			0 },
	{ "18446744073709551.615", 7,			0 },
	{ "18446744073709551.6155", 7,			0 },
	{ "18446744073709551616", 7,			0 },
	{ "00",			7,			0 },
	{ "1 ",			7,			0 },
	{ "",			7,			0 },
	{ "+1",			7,			0 },
	{ "1,5",		7,			0 },
	{ "nan",		7,			0 },
};

static void
test_grammar(void)
{
	size_t i;

	for (i = 0; i < COUNT(grammar); i++)
		CHECK_ROW(i, str_number(str_of(grammar[i].in)) ==
		    grammar[i].n);
	for (i = 0; i < COUNT(millis); i++) {
		int64_t v = 7;

		CHECK_ROW(i, str_milli(str_of(millis[i].in), &v) ==
		    (millis[i].ok ? 0 : -1));
		CHECK_ROW(i, v == millis[i].want);
	}
}

static const struct {
	const char *in;
	int places;
	int64_t want;
	int exact;			/* -1: refused */
} scaled[] = {
	{ "5.0",			0, 5,		1 },
	{ "5.5",			0, 6,		0 },
	{ "-5.5",			0, -6,		0 },
	{ "5.49",			0, 5,		0 },
	{ "0.1e1",			0, 1,		1 },
	{ "100e-2",			0, 1,		1 },
	{ "1e-1",			0, 0,		0 },
	{ "0.0000e-9",			0, 0,		1 },
	{ "1",				-1, 0,		0 },
	{ "50",				-1, 5,		1 },
	{ "9223372036854775807",	0, INT64_MAX,	1 },
	{ "9223372036854775807.4",	0, INT64_MAX,	0 },
	{ "9223372036854775807.5",	0, 7,		-1 },
	{ "-9223372036854775808",	0, INT64_MIN,	1 },
	{ "-9223372036854775808.5",	0, 7,		-1 },
	{ "-9223372036854775807.5",	0, INT64_MIN,	0 },
	{ "18446744073709551615.5",	0, 7,		-1 },
};

/* A number whose digits are many and whose exponent takes them back. */
static void
test_scaled(void)
{
	static char z[4000];
	bool exact = false;
	int64_t v;
	size_t i;

	for (i = 0; i < COUNT(scaled); i++) {
		int rc;

		v = 7;
		rc = str_scaled(str_of(scaled[i].in), scaled[i].places, &v,
		    &exact);
		CHECK_ROW(i, rc == (scaled[i].exact < 0 ? -1 : 0));
		CHECK_ROW(i, v == scaled[i].want);
		CHECK_ROW(i, rc == -1 || exact == (scaled[i].exact == 1));
	}
	memset(z, '0', sizeof z);
	memcpy(z, "0.", 2);
	memcpy(z + 3002, "12e3002", 8);
	CHECK(str_scaled(str_of(z), 0, &v, &exact) == 0);
	CHECK(v == 12 && exact);
	memset(z, '0', sizeof z);
	memcpy(z, "42", 2);
	memcpy(z + 3002, "e-3001", 7);
	CHECK(str_scaled(str_of(z), 0, &v, &exact) == 0);
	CHECK(v == 4 && !exact);
}

static const struct {
	const char *in;
	int64_t want;			/* -1: refused */
} durations[] = {
	{ "0",		0 },		{ "0s",		0 },
	{ "000",	0 },		{ "350ms",	350 },
	{ "5s",		5000 },		{ "5m",		300000 },
	{ "2h",		2 * HOUR },	{ "1d",		DAY },
	{ "2w",		14 * DAY },	{ "1y",		365 * DAY },
	{ "100y",	36500 * DAY },	{ "101y",	-1 },
	{ "36500d",	36500 * DAY },	{ "36501d",	-1 },
	{ "3153600000000ms", 36500 * DAY },
	{ "3153600000001ms", -1 },	{ "3153600001s", -1 },
	{ "18446744073709551615y", -1 }, { "18446744073709551617ms", -1 },
	{ "",		-1 },		{ "5",		-1 },
	{ "0x",		-1 },		{ "s",		-1 },
	{ "5 s",	-1 },		{ "5S",		-1 },
	{ "5sec",	-1 },		{ "-5s",	-1 },
	{ "1.5h",	-1 },		{ "1h30m",	-1 },
	{ "5M",		-1 },		{ "5s ",	-1 },
};

static const struct {
	const char *in;
	uint64_t want;
	int ok;
} sizes[] = {
	{ "0",		0,			1 },
	{ "512",	512,			1 },
	{ "1K",		1024,			1 },
	{ "256K",	262144,			1 },
	{ "3M",		3u << 20,		1 },
	{ "1G",		1u << 30,		1 },
	{ "17179869183G", UINT64_C(17179869183) << 30, 1 },
	{ "17179869184G", 7,			0 },
	{ "18014398509481983K", UINT64_C(18014398509481983) << 10, 1 },
	{ "18014398509481984K", 7,		0 },
	{ "18446744073709551615", UINT64_MAX,	1 },
	{ "18446744073709551616", 7,		0 },
	{ "",		7,			0 },
	{ "K",		7,			0 },
	{ "1k",		7,			0 },
	{ "1T",		7,			0 },
	{ "1KB",	7,			0 },
	{ "1 K",	7,			0 },
	{ "-1K",	7,			0 },
	{ "1.5G",	7,			0 },
};

static void
test_duration(void)
{
	size_t i;

	for (i = 0; i < COUNT(durations); i++) {
		int64_t v = -1;

		CHECK_ROW(i, str_duration(str_of(durations[i].in), &v) ==
		    (durations[i].want < 0 ? -1 : 0));
		CHECK_ROW(i, v == durations[i].want);
	}
	for (i = 0; i < COUNT(sizes); i++) {
		uint64_t v = 7;

		CHECK_ROW(i, str_size(str_of(sizes[i].in), &v) ==
		    (sizes[i].ok ? 0 : -1));
		CHECK_ROW(i, v == sizes[i].want);
	}
}

#define NOV22	INT64_C(1795330391000)	/* 2026-11-22 06:53:11 UTC */

static const struct {
	const char *in;
	int64_t want;			/* -1: refused */
} times[] = {
	{ "2026-11-22T06:53:11Z",		NOV22 },
	{ "2026-11-22 06:53:11Z",		NOV22 },
	{ "2026-11-22t06:53:11z",		NOV22 },
	{ "2026-11-22T06:53:11",		NOV22 },
	{ "2026-11-22T06:53:11.1Z",		NOV22 + 100 },
	{ "2026-11-22T06:53:11.12",		NOV22 + 120 },
	{ "2026-11-22T06:53:11.123Z",		NOV22 + 123 },
	{ "2026-11-22T06:53:11.1239Z",		NOV22 + 123 },
	{ "2026-11-22T06:53:11.999999999Z",	NOV22 + 999 },
	{ "2026-11-22T06:53:11.0000000001Z",	-1 },
	{ "2026-11-22T06:53:11.Z",		-1 },
	{ "2026-11-22T06:53:11,5Z",		-1 },
	{ "2026-11-22T06:53:11+00:00",		NOV22 },
	{ "2026-11-22T06:53:11-00:00",		NOV22 },
	{ "2026-11-22T06:53:11+01:30",		NOV22 - HOUR * 3 / 2 },
	{ "2026-11-22T06:53:11-0130",		NOV22 + HOUR * 3 / 2 },
	{ "2026-11-22T06:53:11.5+0100",		NOV22 + 500 - HOUR },
	{ "2026-11-22T06:53:11+23:59",		NOV22 - DAY + 60000 },
	{ "2026-11-22T06:53:11+24:00",		-1 },
	{ "2026-11-22T06:53:11+01:60",		-1 },
	{ "2026-11-22T06:53:11+01",		-1 },
	{ "2026-11-22T06:53:11+1:00",		-1 },
	{ "2026-11-22T06:53:11+01:0",		-1 },
	{ "2026-11-22T06:53:11+01-00",		-1 },
	{ "2026-11-22T06:53:11+01:000",		-1 },
	{ "2026-11-22T06:53:11*01:00",		-1 },
	{ "2026-11-22T06:53:11 +01:00",		-1 },
	{ "2026-11-22T06:53:11ZZ",		-1 },
	{ "2026-11-22T06:53:11 ",		-1 },
	{ "2026-11-22T06:53Z",			-1 },
	{ "2026-11-22",				-1 },
	{ "2026-11-22_06:53:11Z",		-1 },
	{ "20261122T065311Z",			-1 },
	{ "2026/11/22T06:53:11Z",		-1 },
	{ "2026-1-22T06:53:11Z",		-1 },
	{ "2026-00-22T06:53:11Z",		-1 },
	{ "2026-13-22T06:53:11Z",		-1 },
	{ "2026-11-00T06:53:11Z",		-1 },
	{ "2026-11-31T06:53:11Z",		-1 },
	{ "2026-12-32T06:53:11Z",		-1 },
	{ "2026-11-22T24:00:00Z",		-1 },
	{ "2026-11-22T06:60:11Z",		-1 },
	{ "2026-11-22T06:53:60Z",		-1 },
	{ "2026-11-22T06:53:61Z",		-1 },
	{ "2016-12-31T23:59:60Z",		INT64_C(1483228800000) },
	{ "2017-01-01T00:59:60.5+01:00",	INT64_C(1483228800500) },
	{ "2017-01-01T00:59:60Z",		-1 },
	{ "-026-11-22T06:53:11Z",		-1 },
	{ "+2026-11-22T06:53:11Z",		-1 },
	{ "2026-11-22T+6:53:11Z",		-1 },
	{ "1970-01-01T00:00:00Z",		0 },
	{ "1970-01-01T00:00:00.001Z",		1 },
	{ "1970-01-01T00:59:59+01:00",		-1 },
	{ "1970-01-01T01:00:00+01:00",		0 },
	{ "1969-12-31T23:00:00-01:00",		0 },
	{ "1969-12-31T23:59:59.999Z",		-1 },
	{ "1969-12-31T23:59:60Z",		0 },
	{ "2262-12-31T23:59:59.999Z",		TIME_MAX },
	{ "2262-12-31T23:59:60Z",		-1 },
	{ "2263-01-01T00:00:00Z",		-1 },
	{ "2263-01-01T00:59:59.999+01:00",	TIME_MAX },
	{ "9999-12-31T23:59:59Z",		-1 },
	{ "0000-01-01T00:00:00Z",		-1 },
	{ "0001-01-01T00:00:00Z",		-1 },
	{ "2000-02-29T00:00:00Z",		INT64_C(951782400000) },
	{ "2024-02-29T00:00:00Z",		INT64_C(1709164800000) },
	{ "2024-02-30T00:00:00Z",		-1 },
	{ "2023-02-29T00:00:00Z",		-1 },
	{ "2100-02-29T00:00:00Z",		-1 },
	{ "2100-02-28T00:00:00Z",		INT64_C(4107456000000) },
	{ "2100-03-01T00:00:00Z",		INT64_C(4107542400000) },
	{ "2001-09-09T01:46:40Z",		INT64_C(1000000000000) },
	{ "2038-01-19T03:14:08Z",		INT64_C(2147483648000) },
};

static void
test_time(void)
{
	struct str whole = STR("2026-11-22T06:53:11.123+01:00");
	size_t i;

	for (i = 0; i < COUNT(times); i++) {
		int64_t v = -1;

		CHECK_ROW(i, str_time(str_of(times[i].in), &v) ==
		    (times[i].want < 0 ? -1 : 0));
		CHECK_ROW(i, v == times[i].want);
	}
	for (i = 0; i <= whole.n; i++) {	/* cut at each byte */
		bool ends = i == 19 || (i >= 21 && i <= 23) || i == whole.n;
		char *p = malloc(i + 1);	/* so that ASan sees its end */
		int64_t v;

		if (p == NULL)
			continue;
		memcpy(p, whole.p, i);
		CHECK_ROW(i, str_time((struct str){ p, i }, &v) ==
		    (ends ? 0 : -1));
		free(p);
	}
}

/* Every day of the range, counted by hand. */
static void
test_calendar(void)
{
	static const int month[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31 };
	int y = 1970, m = 1, day = 1, weekday = 4, wrong = 0;
	int64_t at, back;
	struct str_date d;
	struct buf b;
	char p[64];

	for (at = 0; at <= TIME_MAX; at += DAY) {
		int leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

		d = str_date(at + DAY - 1);
		wrong += d.year != y || d.month != m || d.day != day ||
		    d.weekday != weekday || d.hour != 23 || d.minute != 59 ||
		    d.second != 59 || d.ms != 999;
		buf_init(&b, p, sizeof p);
		buf_time(&b, at);
		wrong += str_time(str_from(&b), &back) == -1 || back != at;
		weekday = (weekday + 1) % 7;
		if (++day > month[m - 1] + (m == 2 && leap)) {
			day = 1;
			m = m % 12 + 1;
			y += m == 1;
		}
	}
	CHECK(wrong == 0);
	CHECK(y == 2263 && m == 1 && day == 1);
}

static const struct {
	int64_t in;
	const char *time, *human;
} written[] = {
	{ NOV22 + 123,	"2026-11-22T06:53:11.123Z", "2026-11-22 06:53:11 UTC" },
	{ 0,		"1970-01-01T00:00:00.000Z", "1970-01-01 00:00:00 UTC" },
	{ 7,		"1970-01-01T00:00:00.007Z", "1970-01-01 00:00:00 UTC" },
	{ -1,		"1970-01-01T00:00:00.000Z", "1970-01-01 00:00:00 UTC" },
	{ INT64_MIN,	"1970-01-01T00:00:00.000Z", "1970-01-01 00:00:00 UTC" },
	{ TIME_MAX,	"2262-12-31T23:59:59.999Z", "2262-12-31 23:59:59 UTC" },
	{ TIME_MAX + 1,	"2262-12-31T23:59:59.999Z", "2262-12-31 23:59:59 UTC" },
	{ INT64_MAX,	"2262-12-31T23:59:59.999Z", "2262-12-31 23:59:59 UTC" },
};

static const struct {
	int64_t in;
	const char *milli, *duration;
} printed[] = {
	{ 0,		"0",		"0 ms" },
	{ 1,		"0.001",	"1 ms" },
	{ 10,		"0.01",		"10 ms" },
	{ 350,		"0.35",		"350 ms" },
	{ 999,		"0.999",	"999 ms" },
	{ 1000,		"1",		"1 s" },
	{ 1001,		"1.001",	"1 s 1 ms" },
	{ 1500,		"1.5",		"1 s 500 ms" },
	{ 5000,		"5",		"5 s" },
	{ 12345,	"12.345",	"12 s 345 ms" },
	{ 60000,	"60",		"1 m" },
	{ 60999,	"60.999",	"1 m" },
	{ 61000,	"61",		"1 m 1 s" },
	{ 80000,	"80",		"1 m 20 s" },
	{ 7500000,	"7500",		"2 h 5 m" },
	{ 7259999,	"7259.999",	"2 h" },
	{ 400 * DAY + 3 * HOUR, "34570800", "400 d 3 h" },
	{ -500,		"-0.5",		"-500 ms" },
	{ -1,		"-0.001",	"-1 ms" },
	{ INT64_MAX,	"9223372036854775.807", "106751991167 d 7 h" },
	{ INT64_MIN,	"-9223372036854775.808", "-106751991167 d 7 h" },
	{ MILLI_MAX,	"9000000000000000", "104166666666 d 16 h" },
};

static void
test_written(void)
{
	struct buf b;
	char p[64];
	size_t i;

	for (i = 0; i < COUNT(written); i++) {
		buf_init(&b, p, TIME_TEXT - 1);
		buf_time(&b, written[i].in);
		CHECK_ROW(i, !b.full && str_is(str_from(&b), written[i].time));
		buf_init(&b, p, sizeof p);
		buf_time_human(&b, written[i].in);
		CHECK_ROW(i, str_is(str_from(&b), written[i].human));
	}
	for (i = 0; i < COUNT(printed); i++) {
		int64_t back;

		buf_init(&b, p, sizeof p);
		buf_milli(&b, printed[i].in);
		CHECK_ROW(i, str_is(str_from(&b), printed[i].milli));
		if (printed[i].in <= MILLI_MAX && printed[i].in >= -MILLI_MAX)
			CHECK_ROW(i, str_milli(str_from(&b), &back) == 0 &&
			    back == printed[i].in);
		buf_init(&b, p, sizeof p);
		buf_duration(&b, printed[i].in);
		CHECK_ROW(i, str_is(str_from(&b), printed[i].duration));
	}
	buf_init(&b, p, sizeof p);
	buf_addi(&b, INT64_MIN);
	buf_addc(&b, ' ');
	buf_addi(&b, 0);
	buf_addc(&b, ' ');
	buf_addi(&b, INT64_MAX);
	CHECK(str_is(str_from(&b),
	    "-9223372036854775808 0 9223372036854775807"));
	buf_init(&b, p, sizeof p);
	buf_addu(&b, 0);
	buf_addc(&b, ' ');
	buf_addu(&b, UINT64_MAX);
	CHECK(str_is(str_from(&b), "0 18446744073709551615"));
}

static void
test_copy(void)
{
	unsigned char bytes[3] = { 0, 0, 0 };
	char z[8];

	CHECK(str_copy(z, sizeof z, STR("1234567")) == 0);
	CHECK(strcmp(z, "1234567") == 0);
	CHECK(str_copy(z, sizeof z, STR("12345678")) == -1 && z[0] == '\0');
	CHECK(str_copy(z, sizeof z, STR("a\0b")) == -1 && z[0] == '\0');
	CHECK(str_copy(z, 1, str_of(NULL)) == 0 && z[0] == '\0');

	str_hex(z, (const unsigned char *)"\x00\x9f\xff", 3);
	CHECK(strcmp(z, "009fff") == 0);
	str_hex(z, bytes, 0);
	CHECK(z[0] == '\0');
	CHECK(str_unhex(STR("009fFF"), bytes, 3) == 0);
	CHECK(memcmp(bytes, "\x00\x9f\xff", 3) == 0);
	CHECK(str_unhex(STR("009fF"), bytes, 3) == -1);
	CHECK(str_unhex(STR("009fF"), bytes, 2) == -1);
	CHECK(str_unhex(STR("009fFF0"), bytes, 3) == -1);
	CHECK(str_unhex(STR("009fFg"), bytes, 3) == -1);
	CHECK(str_unhex(STR("0/"), bytes, 1) == -1);
	CHECK(str_unhex(STR("0:"), bytes, 1) == -1);
	CHECK(str_unhex(STR("@0"), bytes, 1) == -1);
	CHECK(str_unhex(STR("0`"), bytes, 1) == -1);
	CHECK(str_unhex(STR("0G"), bytes, 1) == -1);
	CHECK(str_unhex(STR("\x10\x19"), bytes, 1) == -1);
	CHECK(str_unhex(STR("\xff\xff"), bytes, 1) == -1);
	CHECK(str_unhex(STR(""), bytes, 0) == 0);
}

/* The longest valid beginning is one character of n bytes; n 0: none. */
static const struct {
	const char *in;
	size_t n;
} utf8[] = {
	{ "",			0 },	{ "a",			1 },
	{ "\x7f",		1 },	{ "\x80",		0 },
	{ "\xbf",		0 },	{ "\xc0\x80",		0 },
	{ "\xc1\xbf",		0 },	{ "\xc2\x80",		2 },
	{ "\xc2\x7f",		0 },	{ "\xc2\xc0",		0 },
	{ "\xdf\xbf",		2 },	{ "\xe0\x9f\xbf",	0 },
	{ "\xe0\xa0\x80",	3 },	{ "\xe1\x80\x80",	3 },
	{ "\xec\xbf\xbf",	3 },	{ "\xed\x9f\xbf",	3 },
	{ "\xed\xa0\x80",	0 },	{ "\xed\xbf\xbf",	0 },
	{ "\xee\x80\x80",	3 },	{ "\xef\xbf\xbf",	3 },
	{ "\xef\xbf\x7f",	0 },	{ "\xef\xbf\xc0",	0 },
	{ "\xf0\x8f\xbf\xbf",	0 },	{ "\xf0\x90\x80\x80",	4 },
	{ "\xf1\x80\x80\x80",	4 },	{ "\xf3\xbf\xbf\xbf",	4 },
	{ "\xf4\x8f\xbf\xbf",	4 },	{ "\xf4\x90\x80\x80",	0 },
	{ "\xf5\x80\x80\x80",	0 },	{ "\xff",		0 },
	{ "\xf0\x9f\x98\x80",	4 },	{ "\xf0\x9f\x98\x41",	0 },
};

/* The bytes of the character that s begins with, or 0. */
static size_t
taken(struct str s)
{
	struct str rest = s;

	return s.n > 0 && str_take(&rest) != -1 ? s.n - rest.n : 0;
}

static void
test_utf8(void)
{
	struct str s = STR("\xc3\xa9\xff\xf0\x9f\x98\x80z");
	size_t i, k;

	CHECK(str_take(&s) == 0xe9 && str_take(&s) == -1 && s.n == 5);
	CHECK(str_take(&s) == 0x1f600 && str_take(&s) == 'z' && s.n == 0);
	CHECK(str_is(str_after(STR("abc"), 2), "c") &&
	    str_after(str_of(NULL), 0).p == NULL);
	CHECK(taken(STR("\0")) == 1);
	for (i = 0; i < COUNT(utf8); i++) {
		CHECK_ROW(i, taken(str_of(utf8[i].in)) == utf8[i].n);
		for (k = 1; k < utf8[i].n; k++)	/* cut short */
			CHECK_ROW(i, taken((struct str){ utf8[i].in,
			    k }) == 0);
	}
}

static const struct {
	const char *in;
	size_t max;
	const char *want;
} cuts[] = {
	{ "abc",		3,	"abc" },
	{ "abc",		4,	"abc" },
	{ "abcd",		3,	"ab\xe2\x80\xa6" },
	{ "ab",			1,	"\xe2\x80\xa6" },
	{ "a",			1,	"a" },
	{ "a",			0,	"" },
	{ "",			0,	"" },
	{ "",			5,	"" },
	{ "\xc3\xa9\xc3\xa9",	2,	"\xc3\xa9\xc3\xa9" },
	{ "\xc3\xa9\xc3\xa9",	1,	"\xe2\x80\xa6" },
	{ "\xf0\x9f\x98\x80xy",	2,	"\xf0\x9f\x98\x80\xe2\x80\xa6" },
	{ "a\xff",		2,	"a\xef\xbf\xbd" },
	{ "\xff\xfe",		2,	"\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xe2\x82",		9,	"\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\xed\xa0\x80",	2,	"\xef\xbf\xbd\xe2\x80\xa6" },
	{ "\xc3",		1,	"\xef\xbf\xbd" },
};

static const struct {
	const char *in, *want;
} lines[] = {
	{ "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	    "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "a\nb\rc\td\x1b[31m\x7f",		"a?b?c?d?[31m?" },
	{ "\xc2\x80\xc2\x9f\xc2\xa0",		"??\xc2\xa0" },
	{ "\xd8\x9b\xd8\x9c\xd8\x9d",		"\xd8\x9b?\xd8\x9d" },
	{ "\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90",
	    "\xe2\x80\x8d??\xe2\x80\x90" },
	{ "\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf",
	    "\xe2\x80\xa7??\xe2\x80\xaf" },
	{ "\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
	    "\xe2\x81\xa5??\xe2\x81\xaa" },
	{ "\xff\xc3*\xe2\x82",			"??*??" },
};

static void
test_text(void)
{
	struct buf b;
	char p[64];
	size_t i;

	for (i = 0; i < COUNT(cuts); i++) {
		buf_init(&b, p, sizeof p);
		buf_utf8(&b, str_of(cuts[i].in), cuts[i].max);
		CHECK_ROW(i, strcmp(held(&b), cuts[i].want) == 0);
	}
	for (i = 0; i < COUNT(lines); i++) {
		buf_init(&b, p, sizeof p);
		buf_line(&b, str_of(lines[i].in));
		CHECK_ROW(i, strcmp(held(&b), lines[i].want) == 0);
	}
	buf_init(&b, p, 4);		/* no half character at the end */
	buf_line(&b, STR("abc\xc3\xa9z"));
	CHECK(b.full && strcmp(held(&b), "abc") == 0);
	buf_init(&b, p, sizeof p);
	buf_line(&b, STR("a\0b"));
	CHECK(strcmp(held(&b), "a?b") == 0);
}

static void
test_buf(void)
{
	char p[8];
	struct buf b;

	buf_init(&b, p, sizeof p);
	buf_addf(&b, "%d", 1234567);
	CHECK(!b.full && b.n == 7);
	buf_add(&b, STR("8"));
	CHECK(!b.full && memcmp(p, "12345678", 8) == 0);
	buf_add(&b, STR(""));
	CHECK(!b.full);
	buf_add(&b, STR("9"));
	CHECK(b.full && b.n == 8);

	buf_init(&b, p, sizeof p);
	buf_addf(&b, "%d", 12345678);	/* its NUL has no room */
	CHECK(b.full && b.n == 0);
	buf_addc(&b, 'x');		/* once full, nothing more */
	CHECK(b.full && b.n == 0);

	buf_init(&b, p, sizeof p);
	buf_addz(&b, "1234567");
	buf_addz(&b, "89");
	CHECK(b.full && b.n == 7);
	buf_init(&b, p, 2);
	buf_addi(&b, -12);		/* not a part of a number */
	CHECK(b.full && b.n == 0);
	buf_init(&b, NULL, 0);
	buf_add(&b, str_of(NULL));
	CHECK(!b.full);
	buf_addf(&b, "x");
	CHECK(b.full && b.n == 0);
}

static void
test_base64(void)
{
	static const struct {
		const char *in, *want;	/* NULL: none */
	} row[] = {
		{ "", "" }, { "Zg==", "f" }, { "Zg", "f" }, { "Zm8=", "fo" },
		{ "Zm9v", "foo" }, { "Zm9vYg==", "foob" },
		{ "Zm9vYmFy", "foobar" }, { "+/+/", "\373\377\277" },
		{ "Z", NULL }, { "Zh", NULL }, { "Zm9", NULL },
		{ "Z m8", NULL },
		{ "Zm8-", NULL }, { "Zm=8", NULL }, { "Zm9vYmFyYg", NULL },
	};
	char got[6], back[9];
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		int n = str_unbase64(str_of(row[i].in), STR_BASE64 "+/", got,
		    sizeof got);

		CHECK_ROW(i, row[i].want == NULL ? n == -1 :
		    n == (int)strlen(row[i].want) && memcmp(got, row[i].want,
		    (size_t)n) == 0);
		CHECK_ROW(i, n == -1 || strlen(row[i].in) % 4 != 0 ||
		    strcmp(str_base64(back, got, (size_t)n), row[i].in) == 0);
	}
}

int
main(void)
{
	test_compare();
	test_cut();
	test_numbers();
	test_grammar();
	test_scaled();
	test_duration();
	test_time();
	test_calendar();
	test_written();
	test_copy();
	test_utf8();
	test_text();
	test_buf();
	test_base64();
	return test_end();
}
