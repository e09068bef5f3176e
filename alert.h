/*
 * alert.h: the rules: when a check is bad, and when it is well again.
 *
 * A pure state machine: a rule, the state so far and one result give the
 * new state and what changed.  No clock, no I/O, no memory of its own; the
 * same input gives the same output to the bit.
 *
 *	        bad for for_s / hits of `of`
 *	   off ------------------------------> on       one such signal for
 *	       <------------------------------          each of warning,
 *	        behind clear for as long                unknown, critical
 *
 *	what they say = the worst signal that is on, else ok
 *
 *	           the 5th change of it within 30 min
 *	   steady --------------------------------------> flapping
 *	          <--------------------------------------
 *	               a result, and no change for 15 min
 *
 *	held = what they say; while flapping, the worst that was since before
 *	       the first of those changes
 */
#ifndef ALERT_H
#define ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "str.h"

#define ALERT_BOUNDS_MAX	4	/* of one list */
#define ALERT_METRIC_MAX	32	/* bytes of a metric name and a NUL */
#define ALERT_OF_MAX		64	/* largest `of` */
#define ALERT_STATE_TEXT	256	/* bytes of a state as text */
#define ALERT_UNKNOWN_MS	300000	/* patience with unknown */
#define ALERT_LATE_MS		10000	/* late: after 2 intervals and this */
#define ALERT_FLAP_CHANGES	5	/* as many changes */
#define ALERT_FLAP_MS		1800000	/* within this are flapping, */
#define ALERT_CALM_MS		900000	/* until there is none for this */

enum status {
	STATUS_OK, STATUS_WARNING, STATUS_UNKNOWN, STATUS_CRITICAL,
	STATUS_NONE			/* no result yet, or none was given */
};

extern const char *const status_names[];	/* NULL is last */
#define status_name(s)	status_names[s]	/* "ok" ...; NONE: "none" */
/* 0 or -1; "none" is not read. */
int status_parse(struct str s, enum status *out);

/* `[METRIC] above|below NUMBER`, words set apart by spaces; metric "" is the
 * value, and is what the name "value" is read as.  A metric's name is 1 to 31
 * bytes of [A-Za-z0-9_.:-].  A bound's limit itself is neither above nor
 * below. */
struct alert_bound {
	char metric[ALERT_METRIC_MAX];
	bool above;
	int64_t limit;			/* thousandths */
};
#define ALERT_NAME_CHARS	STR_ALNUM "._:-" /* also of hosts and checks */
int alert_bound_parse(struct str s, struct alert_bound *b, struct fail *why);
void alert_bound_put(struct buf *b, const struct alert_bound *bound);

struct alert_list {
	unsigned n;
	struct alert_bound bound[ALERT_BOUNDS_MAX];
};

struct alert_rule {
	struct alert_list warn, crit, clear;
	int64_t for_ms;			/* 0: at once */
	unsigned hits, of;		/* 1 of 1: at once; hits <= of <= 64;
					 * 0 hits are 1, too few of are hits */
};

struct alert_metric {
	struct str name;
	int64_t value;
};

struct alert_result {
	int64_t at_ms;
	enum status given;		/* NONE: judged by the rule alone */
	bool has_value;
	int64_t value;
	unsigned metrics;
	const struct alert_metric *metric;
};

/* One debounced signal. */
struct alert_signal {
	bool on;
	int64_t since_ms;	/* first result of the run against `on`; 0 */
	uint64_t bits;		/* newest results, lowest bit last: 1 is bad;
				 * unused by unknown */
};

/* How many of the newest n results of a signal are bad. */
unsigned alert_bad(uint64_t bits, unsigned n);

struct alert_state {
	int64_t at_ms;		/* newest result stepped; 0: none yet */
	int64_t since_ms;	/* when the held status began (result's at) */
	enum status held;	/* NONE before the first known result */
	struct alert_signal signal[3];	/* warning, unknown, critical */
	bool flaps;
	/* The last changes of what the signals say, newest first: how long
	 * before at_ms, at most ALERT_FLAP_MS, and what they said before. */
	uint8_t changes, was[ALERT_FLAP_CHANGES - 1];
	uint32_t ago_ms[ALERT_FLAP_CHANGES - 1];
};

struct alert_change {
	enum status from, to;	/* held before and after; equal: nothing, */
	int64_t at_ms;
	bool flaps, calm;	/* but that flapping began with it, or ended */
};

/* The value or metric that a bound is about.  0, or -1: the result has none,
 * with *v undefined. */
int alert_value(const struct alert_bound *b, const struct alert_result *res,
    int64_t *v);

#define ALERT_RESET	((struct alert_state){ .held = STATUS_NONE })
#define alert_reset(st)	(*(st) = ALERT_RESET)

/*
 * What this result is by itself: the worst of the given status and of the
 * bounds that hold.  *why_bound (may be NULL) is the bound that decided (the
 * first of its list that holds), or NULL when none made it worse than the
 * given status.  A bound over a metric or value that the result lacks does
 * not hold.
 */
enum status alert_judge(const struct alert_rule *r,
    const struct alert_result *res, const struct alert_bound **why_bound);

/*
 * One result.  One that is not newer than the newest stepped changes
 * nothing (it fills history); so does one stamped 0 or before.
 *
 * A result judged unknown moves the unknown signal only, which comes on
 * after ALERT_UNKNOWN_MS of nothing but unknown and goes off with the first
 * result that is known; the other two keep still, as if it had not been.
 * Until a result is known, or that signal is on, NONE is held.
 *
 * For the critical signal a result is bad when judged critical, for the
 * warning signal when judged warning or critical.  While a signal is on, a
 * result that is not behind `clear` (all of its bounds not holding; default
 * the list itself) counts as bad for it, too.
 *
 *	on	with a bad result, when at least `hits` of the newest `of`
 *		are bad, and for_ms lie between the first of the bad ones in
 *		a row and this one
 *	off	with a good result, when fewer than `hits` of the newest `of`
 *		are bad, the newest `hits` are good, and for_ms lie between
 *		the first of the good ones in a row and this one
 *
 * So for_ms and hits/of both must be met where both are given.  With the
 * first known result NONE becomes ok, or what is on at once.  What went off
 * keeps counting: under 2 of 10 an old bad result and a new one are two.
 *
 * What the signals say after the first result is no change.  Flapping begins
 * with the last of ALERT_FLAP_CHANGES changes that lie within ALERT_FLAP_MS,
 * both ends counted.  A still worse signal is held as ever.  It ends with the
 * first result ALERT_CALM_MS or more after the newest change before it; those
 * changes count no more, one that this result makes is the first of others.
 */
struct alert_change alert_step(const struct alert_rule *r,
    struct alert_state *st, const struct alert_result *res);

/* The clock by which results are stamped went back to at_ms: what is of later
 * counts as of then, and what is on stays so. */
void alert_back(struct alert_state *st, int64_t at_ms);

/*
 * The signals of all states lie between those of ALERT_RESET and ALERT_WORST,
 * and stay between what these become with the same results.  Once those two
 * are alike (from then on the same follows for both), and ALERT_FLAP_MS have
 * passed in which neither changed and at whose end neither flaps, what came
 * before the results is of no account.
 */
#define ALERT_WORST	((struct alert_state){ .held = STATUS_CRITICAL, \
	.flaps = true, .changes = 1, .signal = { \
	{ true, 0, UINT64_MAX }, { .on = true }, { true, 0, UINT64_MAX } } })
bool alert_alike(const struct alert_state *a, const struct alert_state *b);

/* Is a result received at received_ms, stamped at_ms, late?  More than two
 * intervals and ALERT_LATE_MS; any int64 may be given. */
bool alert_late(int64_t at_ms, int64_t received_ms, int64_t interval_ms);

/*
 * The state as text for the journal, and back: "AT SINCE W U C", each signal
 * "ON,SINCE,BITS", all decimal, and if there were changes lately " HELD" and
 * for each ",AGO,WAS"; HELD is 0 unless it flaps: else held follows from the
 * signals.  No byte of it needs an escape in JSON.  get: 0, or -1 with *st
 * untouched (not this form, a time after AT, signals or changes without a
 * result, changes out of order, less held than the signals say).
 */
void alert_state_put(struct buf *b, const struct alert_state *st);
int alert_state_get(struct str s, struct alert_state *st);

/* Is an agent silent: unheard for longer than its limit?  All three on a
 * clock that stands while the server does not look. */
bool alert_silent(int64_t now_ms, int64_t heard_ms, int64_t late_after_ms);

#endif
