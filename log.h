/*
 * log.h: one line per event to standard error, where the service manager
 * keeps it.  Levels by -v.  A line holds no secret and no raw byte of the
 * network: control bytes and what is not UTF-8 are shown as '?' (buf_line).
 * A line that cannot be written is lost: there is nowhere to say so.
 */
#ifndef LOG_H
#define LOG_H

#include <stdint.h>

#define LOG_LINE_MAX	1024	/* bytes, newline included; longer is cut */

extern int log_verbose;	/* 0: what an operator must know; 1: -v; 2: -vv */

/* Write "2026-11-22T06:53:11.123Z PROGRAM: text\n" in one write, if
 * log_verbose is at least so much.  Keeps errno. */
void log_at(int verbose, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
#define log_line(...)	log_at(0, __VA_ARGS__)
#define log_info(...)	log_at(1, __VA_ARGS__)

/* The wall clock, by which lines are stamped; 0: there is none. */
int64_t log_clock_ms(void);

/* Whose lines these are; "vilicus" until it is set. */
extern const char *log_program;

#endif
