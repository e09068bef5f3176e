/*
 * probe.h: how the agent measures: one row a check type.
 *
 * Runs in the agent's own process: allocates nothing, blocks on nothing,
 * writes nothing to the host.  proc.h has what it reads.
 */
#ifndef PROBE_H
#define PROBE_H

#include "alert.h"
#include "check.h"
#include "fail.h"
#include "str.h"

#define PROBE_METRICS_MAX	8

struct probe_result {
	enum status given;	/* NONE, or UNKNOWN with text */
	bool has_value;
	int64_t value;		/* thousandths */
	unsigned metrics;
	struct { const char *name; int64_t value; } metric[PROBE_METRICS_MAX];
	char text[256];
};

/* What is remembered of one check from one run to the next. */
struct probe_state {
	uint64_t a, b, c, d, e, f, g;
	bool primed;
};

/*
 * Run one check.  0: *r is a result.  1: no result yet (a share of CPU needs
 * two looks); run it again in a second or at the next interval.
 */
int probe_run(const struct check_type *t, struct str params,
    struct probe_state *st, struct probe_result *r);

#endif
