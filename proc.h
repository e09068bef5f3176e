/*
 * proc.h: what only the kernel can tell: processes and CPU time.
 *
 * Knows nothing of monitoring: it counts and adds up.  Allocates nothing
 * and keeps /proc and /proc/stat open.  The readers in the second half are
 * pure functions over bytes (proc(5)), which take whatever stands there:
 * cut short, with spaces and parentheses in names, numbers of any size.
 */
#ifndef PROC_H
#define PROC_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "str.h"

#define PROC_COMM	15	/* bytes of a name that the kernel keeps */
#define PROC_STAT	1024	/* enough of a stat file, of either kind */
#define PROC_ARGS	512	/* of a command line */
#define PROC_PASSWD	262144	/* and all that is looked at of passwd */
#define PROC_DENTS	8192	/* of a directory, at once */
#define PROC_PID	12	/* bytes of a process id and a NUL */
#define PROC_PATH	(PROC_PID + 16)	/* and of a path below it */

/* Open what is mounted at root ("/proc"), once, before the rest.  0 or -1. */
int proc_open(const char *root, struct fail *why);

/* Read the start of a file at once, as procfs gives it: at most cap bytes
 * into dst, which *text then is.  path is absolute, or below root, or before
 * proc_open the working directory.  0, or -1 with errno. */
int proc_read(const char *path, char *dst, size_t cap, struct str *text);

/* Where a path leads, without symbolic links, "." and "..".  May block.  0,
 * or -1 with errno. */
int proc_real(const char *path, char dst[PATH_MAX]);

/* What to look for among the processes, and what was found. */
struct proc_query {
	struct str name;	/* as proc_named takes it */
	bool one_user;
	uint32_t uid;		/* the effective user, if one_user */
	uint64_t count;		/* running: zombies are not */
	uint64_t rss_bytes;	/* UINT64_MAX: more than that */
	uint64_t ticks;		/* of CPU, user and system, modulo 2^64; a
				   second has sysconf(_SC_CLK_TCK) of them */
	uint64_t mark;		/* differs when other processes are counted */
};

/* Look at each process once for all n queries; a process that goes
 * away meanwhile was not there.  0; 1: this user may not see all of them, so
 * the counts may be too low; -1. */
int proc_count(struct proc_query *q, size_t n, struct fail *why);

/* Ticks since boot, of all CPUs. */
struct proc_cpu {
	uint64_t user, system, idle, iowait, steal;
};
int proc_cpu(struct proc_cpu *c, struct fail *why);	/* 0 or -1 */

/* The id of a user: a number, or a name in the first 256 KiB of /etc/passwd.
 * 0 or -1. */
int proc_uid(struct str user, uint32_t *uid, struct fail *why);

/* The "cpu" line of /proc/stat; nice counts as user, interrupts as system,
 * columns that an old kernel lacks as 0.  0, or -1: none, or cut. */
int proc_cpu_parse(struct str text, struct proc_cpu *c);

/* /proc/N/stat. */
struct proc_stat {
	struct str comm;	/* borrowed */
	char state;		/* 'R', 'S', 'Z' ... */
	bool kernel;		/* a thread of the kernel's */
	uint64_t ticks, start, rss_pages;
};
int proc_stat_parse(struct str text, struct proc_stat *p);  /* 0 or -1 */

/* The file name of a command line's first word ("/usr/sbin/nginx\0-g\0"),
 * and of what /proc/N/exe points to.  May be empty. */
struct str proc_arg0(struct str cmdline);
struct str proc_exe(struct str link);

/* Is a process with these names called want?  One of the three is; or comm
 * is want as the kernel cut it, and the other two do not say otherwise. */
bool proc_named(struct str comm, struct str arg0, struct str exe,
    struct str want);

/* Is a line of /etc/passwd this user's?  0 with *uid, or -1. */
int proc_passwd(struct str line, struct str user, uint32_t *uid);

/* Take the next name from what getdents64(2) returned.  0, or -1: at its
 * end, or what is left is no entry. */
int proc_dirent(struct str *rest, struct str *name);

#endif
