/*
 * probe_impl.h: what the files of probe share, and nobody else.
 */
#ifndef PROBE_IMPL_H
#define PROBE_IMPL_H

#include "probe.h"

#define PROBE_URL_MAX	2048	/* bytes of where a URL leads */

/*
 * One check type.  What many jobs look at together, run does, in the agent:
 * it may reorder what job points to, and sets rc.  What looks at one, block
 * does: in a child of its own, which is killed at its deadline; or, where
 * blocks says that with these parameters nothing can, in the agent.  A result
 * without a status or a value is none yet.  st is given back from a child, too;
 * of its metrics' names it gives back numbers, for what it read may have been
 * hostile.
 *
 * Where rc is 2 then, more goes on in a child, with r as it is.  took, if there
 * is one, makes the result of what that left in probe_long.  Without it more
 * names who did it, when a percentage is high; should there be no answer, the
 * result is the value that PROBE_KEPT of st is.
 */
typedef void probe_block_fn(struct str params, struct probe_state *st,
    struct probe_result *r);
struct probe_row {
	const char *type;
	void (*run)(struct probe_job **job, unsigned n);
	probe_block_fn *block;
	const char *const *metrics;	/* that block makes; NULL is last */
	/* In the agent, before the fork: read what each child needs; or
	 * NULL. */
	void (*prepare)(struct str params);
	bool (*blocks)(struct str params);	/* NULL: always */
	/* With rc 2: in a child, and then here. */
	probe_block_fn *more;
	void (*took)(struct probe_job *job, struct str text);
};
const struct probe_row *probe_row(const struct check_type *t);	/* or NULL */

/* -- probe_net.c, probe_ping.c -- */

probe_block_fn probe_tcp, probe_http, probe_ping;
void probe_http_prepare(struct str params);
extern const char *const probe_http_metrics[], *const probe_ping_metrics[];

/* The addresses of a host (and port, or NULL), for freeaddrinfo; or NULL,
 * and r says why. */
struct addrinfo *probe_resolve(const char *host, const char *port,
    int64_t until_ms, struct probe_result *r);

/* A clock in us that is never set; a difference of it is thousandths of ms. */
int64_t probe_us(void);

/* -- probe_dns.c, probe_file.c, probe_service.c, probe_command.c -- */

probe_block_fn probe_dns, probe_file, probe_log, probe_service, probe_command;
extern const char *const probe_file_metrics[];

/* -- for all -- */

#define PROBE_KEPT	6	/* index of v in a probe_state */
#define PROBE_LONG	12000	/* bytes of a child's text for took */
extern char probe_long[PROBE_LONG + 1];

void probe_unknown(struct probe_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void probe_critical(struct probe_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void probe_metric(struct probe_result *r, const char *name, int64_t value);
void probe_value(struct probe_result *r, int64_t value);

/* A count as thousandths; what is past the range is its end. */
int64_t probe_milli(uint64_t v);
/* Thousandths of a percent that part is of whole; of nothing, MILLI_MAX. */
int64_t probe_percent(uint64_t part, uint64_t whole);

/* As probe_allows, of a target found on the way. */
bool probe_allows_target(const struct check_type *t, struct str target,
    struct fail *why);

/* -- probe_process.c -- */
void probe_process(struct probe_job **job, unsigned n);
probe_block_fn probe_process_seek;
void probe_process_took(struct probe_job *job, struct str text);

/* -- probe_who.c: who did it -- */
/* Set rc to 2, if job's value is high enough, for one of the next two, which
 * is more of its row; v[5] and v[6] of its state are for this. */
void probe_who(struct probe_job *job);
probe_block_fn probe_who_cpu, probe_who_memory;

/* The time that a job may take: its timeout_ms, or 10 s. */
int64_t probe_timeout_ms(struct str params);

/* -- probe_host.c -- */

probe_block_fn probe_memory, probe_swap, probe_load, probe_uptime,
    probe_network, probe_disk, probe_temperature, probe_number;
bool probe_never(struct str params);
bool probe_disk_blocks(struct str params);
bool probe_number_blocks(struct str params);
extern const char *const probe_disk_metrics[];

#endif
