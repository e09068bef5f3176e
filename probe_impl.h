/*
 * probe_impl.h: what the files of probe share, and nobody else.
 */
#ifndef PROBE_IMPL_H
#define PROBE_IMPL_H

#include "probe.h"

/*
 * One check type.  What cannot block is run in the agent, all jobs of it
 * together: run may reorder what job points to, and sets rc.  What can, block
 * does in a child of its own, which is killed at its deadline; st is given
 * back from there, too.  Of its metrics' names the child gives back numbers,
 * for what it read may have been hostile.
 *
 * Where rc is 2 then, more goes on in a child, with r as it is.  took, if there
 * is one, makes the result of what that left in probe_long.  Without it more
 * names who did it, when a percentage is high; should there be no answer, the
 * result is the value that PROBE_KEPT of st is.
 */
struct probe_row {
	const char *type;
	void (*run)(struct probe_job **job, unsigned n);
	void (*block)(struct str params, struct probe_state *st,
	    struct probe_result *r);
	const char *const *metrics;	/* that block makes; NULL is last */
	void (*more)(struct str params, struct probe_state *st,
	    struct probe_result *r);
	void (*took)(struct probe_job *job, struct str text);
};
const struct probe_row *probe_row(const struct check_type *t);	/* or NULL */

#define PROBE_KEPT	6	/* index of v in a probe_state */
#define PROBE_LONG	12000	/* bytes of a child's text for took */
extern char probe_long[PROBE_LONG + 1];

void probe_unknown(struct probe_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void probe_metric(struct probe_result *r, const char *name, int64_t value);
void probe_value(struct probe_result *r, int64_t value);

/* A count as thousandths; what is past the range is its end. */
int64_t probe_milli(uint64_t v);
/* Thousandths of a percent that part is of whole, both < 2^43; whole > 0. */
int64_t probe_percent(uint64_t part, uint64_t whole);

/* -- probe_process.c -- */
void probe_process(struct probe_job **job, unsigned n);
void probe_process_seek(struct str params, struct probe_state *st,
    struct probe_result *r);
void probe_process_took(struct probe_job *job, struct str text);

/* -- probe_who.c: who did it -- */
#define PROBE_WHO_ABOVE	80000	/* a percentage, in thousandths */
#define PROBE_WHO_MS	60000	/* it is asked at most once in this time */
#define PROBE_WHO_LOOK_MS 500	/* CPU time is that of so long */
#define PROBE_WHO_N	3
/* Set rc to 2, if job's value is high enough, for one of the next two, which
 * is more of its row; v[5] and v[6] of its state are for this. */
void probe_who(struct probe_job *job);
void probe_who_cpu(struct str params, struct probe_state *st,
    struct probe_result *r);
void probe_who_memory(struct str params, struct probe_state *st,
    struct probe_result *r);

/* The time that a job may take: its timeout_ms, or 10 s. */
int64_t probe_timeout_ms(struct str params);

#endif
