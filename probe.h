/*
 * probe.h: how the agent measures: one row a check type.
 *
 * Runs in the agent's own process: allocates nothing, blocks on nothing,
 * writes nothing to the host.  proc.h has what it reads; proc_open comes
 * first.
 */
#ifndef PROBE_H
#define PROBE_H

#include "alert.h"
#include "check.h"
#include "fail.h"
#include "str.h"

#define PROBE_METRICS_MAX	8
#define PROBE_TEXT		256	/* bytes of a message and a NUL */
#define PROBE_JOBS_MAX		256	/* checks run together */
/* Of one field of CPU time; so that five of them and a factor fit 64 bits. */
#define PROBE_TICKS		(UINT64_C(1) << 40)

struct probe_result {
	enum status given;	/* NONE, or UNKNOWN with text */
	bool has_value;
	int64_t value;		/* thousandths */
	unsigned metrics;
	struct probe_metric {
		const char *name;	/* static */
		int64_t value;
	} metric[PROBE_METRICS_MAX];
	char text[PROBE_TEXT];
};

/* What is remembered of one check from one run to the next; zero at first. */
struct probe_state {
	uint64_t v[7];
	bool primed;
};

/* One check to run; with type NULL one that cannot be, and params says why.
 * rc is 0: r is a result; 1: no result yet (a share of CPU needs two looks);
 * run it again in a second or at the next interval. */
struct probe_job {
	const struct check_type *type;
	struct str params;
	struct probe_state *state;
	struct probe_result r;
	int rc;
};

/* Run n checks (at most PROBE_JOBS_MAX) together: what several of them look
 * at is looked at once. */
void probe_all(struct probe_job *job, unsigned n);

#endif
