/*
 * child.h: what may block runs in a short-lived process.
 *
 * The server forks one helper before it opens anything; the helper holds no
 * model, key or descriptor of the server's.  Asked for a child it forks
 * one of the kinds it was started with.  A child has one descriptor, its
 * end of a socket pair, besides 0-2 (which are /dev/null, or without a /dev
 * something as empty, and standard error); it reads jobs from it, writes
 * answers of CHILD_ANSWER bytes, and ends when the pair does.  Each job has a
 * deadline after which the child is killed (alarm(2)); its owner then sees
 * the end of the pair.  Helper and children ignore SIGINT, SIGTERM and
 * SIGHUP, which a terminal or a service manager sends to all alike: what is
 * under way is finished, and the helper ends when its server does, however
 * that ended.
 *
 * A pair keeps messages apart, each of which begins with a byte of its own:
 * for the helper the kind, before a job nothing.  An answer is text, padded
 * with NUL to its size, and nothing else.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "fail.h"
#include "str.h"

#define CHILD_JOB_MAX	16384
#define CHILD_ANSWER	512
#define CHILD_ARG_MAX	4096
#define CHILD_KINDS_MAX	8
#define CHILD_FDS_MAX	65536	/* descriptors closed where /proc is not */

/* What a child of one kind does until its pair ends: run() is called in the
 * child, job after job, and must fill answer. */
struct child_kind {
	const char *name;
	unsigned deadline_s;		/* for one job */
	/* In the helper, before the fork, once and when arg changes: load
	 * what every child shares (trust anchors).  May be NULL.  After a
	 * failure it is tried again, in the child before each job and in
	 * the helper before the next child; run gets the last reason. */
	int (*prepare)(struct str arg, struct fail *why);
	void (*run)(struct str job, const struct fail *unprepared,
	    char answer[CHILD_ANSWER]);
};

/* Fork the helper; first thing in main.  It keeps the rights of that
 * moment.  kinds must live on.  0 or -1. */
int child_helper(const struct child_kind *kinds, size_t n, struct fail *why);

/* Ask for a child of kind number `kind`, prepared with arg (at most
 * CHILD_ARG_MAX bytes).  Never blocks.  Our end of its pair: non-blocking,
 * close-on-exec; or -1.  A child that could not be forked shows as a pair
 * that has ended. */
int child_start(size_t kind, struct str arg, struct fail *why);

/* Send a job: all of it at once, or -1: then it surely is not run, and the
 * pair is good for nothing but close(2). */
int child_job(int fd, struct str job, struct fail *why);

/* Receive an answer: 1 (NUL-terminated in dst), 0 not yet, -1 the child is
 * gone. */
int child_answer(int fd, char dst[CHILD_ANSWER + 1]);

/* A message over a pair: the first byte, at most CHILD_JOB_MAX more, and a
 * descriptor, or -1, which stays the sender's.  0 or -1 with errno.  And its
 * receipt: the bytes of it and *fd, the receiver's own copy; -1 with errno; or
 * 0: the end, or more than cap. */
int child_send(int to, unsigned char first, struct str text, int fd);
ssize_t child_receive(int from, void *msg, size_t cap, int *fd);

/* Fork one child of this process directly (the agent, which is small): runs
 * run(fd, arg) in it with its end of a pair, killed after deadline_s.  0-2
 * are as above, all other descriptors closed, all signals at their default;
 * fd closes on exec(2), the deadline lasts beyond it.  Our end,
 * non-blocking and close-on-exec, or -1; *pid is the child to reap. */
int child_fork(void (*run)(int fd, const void *arg), const void *arg,
    unsigned deadline_s, int *pid, struct fail *why);

#endif
