/*
 * loop.h: which descriptors are ready.
 *
 * No callbacks: loop_wait returns events, and its caller dispatches them by
 * the tag it gave.  loop_linux.c is epoll(7), loop_posix.c poll(2); make
 * chooses one.  Level-triggered.  One loop a process, its storage inside the
 * module.  The monotonic clock is read here.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

#include "fail.h"

#define LOOP_IN		1u
#define LOOP_OUT	2u
#define LOOP_HUP	4u	/* reported, never asked for */
#define LOOP_EVENTS_MAX	256	/* events of one loop_wait */
#define LOOP_FDS_MAX	4096	/* descriptors that loop_posix.c can watch */

struct loop_event {
	uint64_t tag;
	unsigned what;		/* LOOP_IN | LOOP_OUT | LOOP_HUP */
};

/* 0 or -1. */
int loop_open(struct fail *why);

/* Watch fd for `want`, or change what it is watched for (0: only HUP).
 * 0, or -1 (too many descriptors). */
int loop_set(int fd, unsigned want, uint64_t tag, struct fail *why);

/* Stop watching fd; before it is closed. */
void loop_del(int fd);

/* Wait at most timeout_ms (-1: for ever).  The number of events written to
 * ev (at most LOOP_EVENTS_MAX), 0 on time-out or a signal, -1 on error. */
int loop_wait(int timeout_ms, struct loop_event *ev, struct fail *why);

/* Milliseconds of the monotonic clock; counts through suspend where the
 * system can tell. */
int64_t loop_mono_ms(void);

#endif
