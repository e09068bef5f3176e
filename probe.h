/*
 * probe.h: how the agent measures: one row a check type.
 *
 * Allocates nothing, and writes nothing to the host.  What cannot block runs
 * in the agent's own process; what can, in a child of its own (probe_blocks).
 * proc.h has what the first reads; proc_open comes first.
 */
#ifndef PROBE_H
#define PROBE_H

#include "alert.h"
#include "check.h"
#include "fail.h"
#include "proc.h"
#include "str.h"

#define PROBE_METRICS_MAX	8
#define PROBE_TEXT		256	/* bytes of a message and a NUL */
#define PROBE_JOBS_MAX		256	/* checks run together */
#define PROBE_TIMEOUT_MS	10000	/* of a child, unless timeout_ms says */
#define PROBE_GRACE_MS		2000	/* then it is killed; then given up */
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
 * run it again in a second or at the next interval; 2: it goes on in a child,
 * by probe_begin with this very job. */
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

/* Does a check run in a child, this time?  Then not by probe_all. */
bool probe_blocks(const struct check_type *t, struct str params);

/* A child at work; all zero: there is none. */
struct probe_run {
	int fd;			/* readable when it is over; 0: it is */
	int pid;		/* to be reaped yet */
	int64_t begun_ms, until_ms;	/* monotonic */
};
/* Start one; there must be none at work.  0 or -1. */
int probe_begin(struct probe_job *job, struct probe_run *run, int64_t mono,
    struct fail *why);
/* Is it over?  Then r and state of the job, given again, are what came of it.
 * To be asked when fd is readable, and at until_ms. */
bool probe_end(struct probe_job *job, struct probe_run *run, int64_t mono);
/* End it without a result. */
void probe_drop(struct probe_run *run);
/* Is nothing left of it?  One that hangs in the kernel stays until that lets
 * it go. */
bool probe_reap(struct probe_run *run);

/* A check is no more: what is kept for its state is not. */
void probe_forget(const struct check_type *t, struct probe_state *st);

/* A loop event with a tag from PROC_TAG on: a process has died.  For each
 * state: when the check is to be run for that, on the monotonic clock;
 * INT64_MAX: it is not its. */
size_t probe_died(uint64_t tag);
int64_t probe_died_due(size_t which, const struct check_type *t,
    const struct probe_state *st, int64_t mono);

/* Where the programs of command checks are; NULL: there are none.  And the
 * authorities of TLS; NULL: as tls_trust has it.  Set once, at the start. */
extern const char *probe_programs;
extern const char *probe_ca_file;

/* Allow what is behind "allow" in agent.conf: a type of checks and, if there
 * is one, a target, borrowed for good.  0 or -1. */
int probe_allow(struct str line, struct fail *why);
/* May it be run here?  With no line that allows something, most may. */
bool probe_allows(const struct check_type *t, struct str params,
    struct fail *why);

#endif
