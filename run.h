/*
 * run.h: run a program by its argv, for a time at most.
 *
 * No shell; the environment is all given; what is written to 1 and 2 is read
 * to its end, however much it is, and its start kept.  For children: it
 * blocks, and SIGPIPE must be ignored where there is an input.
 */
#ifndef RUN_H
#define RUN_H

#include "fail.h"
#include "str.h"

#define RUN_SAID	4096	/* bytes kept of 1, and of 2, with a NUL */
#define RUN_NOT		127	/* exit: it could not be run, 2 says why */
#define RUN_PATHS	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:" \
			"/usr/bin:/sbin:/bin"

struct run {
	char *const *argv, *const *env;	/* a NULL is last; argv[0] a path */
	struct str in;			/* its 0; none: ours is its 0 */
	int64_t timeout_ms;
	bool group;		/* it leads a process group, killed with it;
				   else it stays in ours */
	int status;		/* how it ended, as wait(2) has it */
	char said[2][RUN_SAID];	/* what it wrote to 1, and to 2 */
	size_t said_n[2];
	int pid, end[3], theirs[3];	/* private */
};

/* 0: r->status; 1: its time was up, and it was killed; -1: no process.  What
 * it left running is not waited for. */
int run_program(struct run *r, struct fail *why);

/* The first line of 1 or 2 (i): what follows it is cut off. */
const char *run_line(struct run *r, int i);

#endif
