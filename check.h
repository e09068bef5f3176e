/*
 * check.h: the table of check types: what a check of each is given, in what
 * unit it measures, and how its result reads.  How the agent measures it is
 * probe.h.
 *
 * Parameters are a JSON object.  check_params takes what a client sent and
 * makes the canonical text that is kept: known names only, in the table's
 * order, each within its range, defaults left out.
 */
#ifndef CHECK_H
#define CHECK_H

#include "alert.h"
#include "fail.h"
#include "json.h"
#include "str.h"

#define CHECK_PARAMS_MAX	1024	/* bytes of canonical parameters */
#define CHECK_PARAM_MAX		32	/* bytes of a parameter's name */
#define CHECK_NAME_MAX		64	/* bytes of a check's name */
#define CHECK_TEXT_MAX		256	/* bytes of a text parameter */

enum check_param_type { PARAM_TEXT, PARAM_INT };

struct check_param {
	const char *name;
	enum check_param_type type;
	int64_t min, max;	/* of an integer; of a text: its bytes */
	const char *what;	/* for forms and schema: what it is */
	bool required;
};

struct check_type {
	const char *name;
	const char *unit;	/* "percent"; "" for a count */
	const struct check_param *param;
	unsigned params;
	const char *shown;	/* what follows the number in a text */
};

extern const struct check_type check_types[];	/* a NULL name is last */
extern const unsigned check_types_n;		/* without that one */

const struct check_type *check_type(struct str name);	/* or NULL */
/* A parameter of the type (NULL: of none), or NULL. */
const struct check_param *check_param(const struct check_type *t,
    struct str name);

/* Canonical parameters of json (a JSON object, or empty) into out.  A null
 * is as good as absent.  0, or -1 with *field the parameter that is wrong
 * (static; "params" if it is none of the type's) and *why. */
int check_params(const struct check_type *t, struct str json,
    struct buf *out, const char **field, struct fail *why);

/* One parameter, as json_text and json_number, but 0 or -1. */
#define check_param_text(params, name, dst, cap) \
	(json_text(params, name, dst, cap) == 1 ? 0 : -1)
#define check_param_int(params, name, min, max, v) \
	(json_number(params, name, min, max, v) == 1 ? 0 : -1)

/* The default name: the type and its first text parameter, '/' written as ':'
 * and what a name may not hold as '_': "process nginx", "cpu".  At most
 * CHECK_NAME_MAX bytes, and always a name that check_name_ok takes. */
void check_name(const struct check_type *t, struct str params,
    struct buf *out);

/* Is s a host or check name: 1-64 of [A-Za-z0-9._:-] and inner spaces? */
bool check_name_ok(struct str s);

/* Is it of heartbeats?  Then no agent measures it: its results are the beats
 * that come, and what the server says of those that do not. */
bool check_is_beat(const struct check_type *t);

/* Of a heartbeat's parameters: how often it beats, and how much later than
 * that a beat may come. */
void check_beat(struct str params, int64_t *period_ms, int64_t *grace_ms);

/* Add what the type's parameters demand to a rule: a process check's min
 * and max become `crit` bounds.  min is 1 unless given, or 0 where max is 0.
 * 0, or -1 when the list has no room for them (r is as it was). */
int check_rule(const struct check_type *t, struct str params,
    struct alert_rule *r);

/* How a result reads: "0 running, at least 1 expected"; "99.8 percent, above
 * 90 for 5 s".  r: NULL, or the rule; bound: what decided it, or NULL;
 * message: the result's own, appended if any. */
void check_text(struct buf *b, const struct check_type *t,
    const struct alert_rule *r, const struct alert_result *res,
    const struct alert_bound *bound, struct str message);

#endif
