/*
 * log.h: one line per event to standard error, where the service manager
 * keeps it.  Levels by -v.  A line holds no secret and no raw byte of the
 * network: control bytes and what is not UTF-8 are shown as '?' (buf_line).
 * A line that cannot be written is lost: there is nowhere to say so.
 */
#ifndef LOG_H
#define LOG_H

#define LOG_LINE_MAX	1024	/* bytes, newline included; longer is cut */

extern int log_verbose;	/* 0: what an operator must know; 1: -v; 2: -vv */

/* Write "2026-11-22T06:53:11.123Z PROGRAM: text\n" in one write.
 * Keeps errno. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As log_line, only under -v. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whose lines these are; kept, not copied.  "vilicus" until it is called. */
void log_name(const char *program);

#endif
