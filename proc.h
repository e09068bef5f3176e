/*
 * proc.h: what only the kernel can tell: processes, CPU time, memory, load,
 * interfaces, mounts and sensors.
 *
 * Knows nothing of monitoring: it counts and adds up.  Allocates nothing and
 * keeps open /proc, what it often reads there, and a pidfd of each process that
 * is counted, by which the loop wakes when it dies.  The readers in the second
 * half are pure functions over bytes (proc(5)), which take whatever stands
 * there: cut short, with spaces and parentheses in names, numbers of any size.
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
#define PROC_TABLE	131072	/* of the interfaces, of the mounts */
#define PROC_NAME	64	/* bytes of a sensor's name and a NUL */

#define PROC_QUERIES_MAX 256
#define PROC_TAG	UINT64_C(256)	/* loop events from here on are ours */

/* For proc's own files: the directory that is procfs, and whether the ids in
 * it are ours. */
extern int proc_dir;
extern bool proc_ours;

/* /proc/N/stat. */
struct proc_stat {
	struct str comm;	/* borrowed */
	char state;		/* 'R', 'S', 'Z' ... */
	bool kernel;		/* a thread of the kernel's */
	bool thread;		/* not the first one of its process */
	uint64_t ticks, start, rss_pages;
};

/* Open what is mounted at root ("/proc"), once, before the rest; sysfs is
 * beside it.  root must live on.  0 or -1.  In a child, which was left no
 * descriptor, once more with NULL. */
int proc_open(const char *root, struct fail *why);

/* Read the start of a file at once, as procfs gives it: at most cap bytes
 * into dst, which *text then is.  path is absolute, or below root, or before
 * proc_open the working directory.  0, or -1 with errno.  proc_fd opens it:
 * the descriptor, or -1 with errno. */
int proc_fd(const char *path);
int proc_read(const char *path, char *dst, size_t cap, struct str *text);

/* Where a path leads, without symbolic links, "." and "..".  May block.  0,
 * or -1 with errno. */
int proc_real(const char *path, char dst[PATH_MAX]);

/* As proc_read, of a file that stays open from the first time on; one that was
 * not there then never is. */
enum proc_file { PROC_CPU, PROC_MEMORY, PROC_LOAD, PROC_UPTIME, PROC_OFFSETS,
    PROC_ONLINE, PROC_NET, PROC_MOUNTS, PROC_LIMIT, PROC_LIMIT_1 };
int proc_again(enum proc_file f, char *dst, size_t cap, struct str *text,
    struct fail *why);
bool proc_moved(enum proc_file f);	/* of the mounts: have they changed? */

/* What to look for among the processes, and what was found. */
struct proc_query {
	bool on, due;		/* this entry is one; to be counted now */
	bool by_pattern, one_user;
	uint32_t uid;		/* the effective user, if one_user */
	struct str name;	/* or by_pattern; borrowed; see proc_named */
	uint64_t least;		/* as long as there are fewer, look twice */
	/* Told, all 0 at first. */
	uint64_t count;		/* running: zombies are not */
	uint64_t rss_bytes;	/* UINT64_MAX: more than that */
	uint64_t ticks;		/* of CPU, user and system, modulo 2^64; a
				   second has sysconf(_SC_CLK_TCK) of them */
	uint64_t mark;		/* differs when other processes are counted */
	/* Since these were last 0 how many came, and how many went. */
	uint64_t came, gone;
	/* Our own. */
	unsigned held;		/* how many deaths will wake us */
	bool begun, few;	/* all were looked at; fewer than least were */
	bool over, moved;	/* more than are known; one was renamed */
};

/* Count for all n queries (at most PROC_QUERIES_MAX, an array that stays
 * where it is) that are due; each of them must be on.  A process that goes
 * away meanwhile was not there.
 *
 * What is known is looked at by its process id; all there are only for a
 * query that is new or has too few.  Otherwise those that are new since the
 * two looks before (they may have called exec(2) since), and a few of the
 * rest in turn.  0; 1: this user may not see all of them, so the counts may
 * be too low; -1. */
int proc_look(struct proc_query *q, size_t n, struct fail *why);

/* For queries by_pattern, which proc_look does not look for.  In a child:
 * look for the i-th one among all processes, or those after pid `from` (0:
 * all); match is given a command line, a space for each NUL in it, which it
 * may write to.  b: its processes, "PID START " each; their number, or -1.
 * *from is 0 if all were looked at.  Then here: what that was. */
int64_t proc_seek(struct proc_query *q, size_t i, uint32_t *from,
    bool (*match)(char *cmdline), struct buf *b, struct fail *why);
void proc_found(struct proc_query *q, size_t i, struct str text);
/* The newest process, of those whose ids we know; 0: nobody can tell. */
uint32_t proc_newest(void);

/* The i-th is no query any more. */
void proc_forget(struct proc_query *q, size_t i);

/* A loop event with a tag from PROC_TAG on: a process has died.  The index
 * of its query, whose count is one less.  It does not come again. */
size_t proc_died(struct proc_query *q, uint64_t tag);

/* Why no death wakes us, or NULL. */
const char *proc_polls(void);

/* Call fn for each process there is, in a child as well.  0, or -1; fn's own
 * -1 ends it, and its 1 does as if there were no more. */
typedef int (*proc_fn)(uint32_t pid, void *arg, struct fail *why);
int proc_each(proc_fn fn, void *arg, struct fail *why);

/* Its stat; text is room for it.  0, or -1 with errno: 0 if it is none (a
 * zombie, a thread). */
int proc_stat(uint32_t pid, char text[PROC_STAT], struct proc_stat *p);

/* Ticks since boot, of all CPUs. */
struct proc_cpu {
	uint64_t user, system, idle, iowait, steal;
};
int proc_cpu(struct proc_cpu *c, struct fail *why);	/* 0 or -1 */

/* Bytes; UINT64_MAX: not told. */
struct proc_memory {
	uint64_t total, available, swap, swap_free;
	bool estimated;		/* available: by a kernel before 3.14 */
};
int proc_memory(struct proc_memory *m, struct fail *why);	/* 0 or -1 */
/* Where all that can be seen of the host is a container with a limit (its
 * cgroup is what is mounted as the root): make total and available its.  Is it
 * so? */
bool proc_contain(struct proc_memory *m);

/* The means of 1, 5 and 15 minutes in thousandths, per CPU.  0 or -1. */
int proc_load(int64_t milli[3], struct fail *why);

/* Since the boot of the kernel, whatever the time namespace.  0 or -1. */
int proc_uptime(int64_t *ms, struct fail *why);

/* The counters of an interface.  0; 1: there is none; -1.  And what it is:
 * "up", "down" ... (/sys/class/net/NAME/operstate); "": not told. */
struct proc_net {
	uint64_t bytes[2], packets[2], errors;	/* received, sent; both */
	char state[16];
};
int proc_net(struct str name, struct proc_net *n, struct fail *why);

/* The hottest sensor; with want.n > 0 of those that bear this name, as a zone
 * (directory or type), chip or label.  Reads where drivers may take long.
 * 0 or -1. */
int proc_heat(struct str want, int64_t *milli, char name[PROC_NAME],
    struct fail *why);

/* The id of a user: a number, or a name in the first 256 KiB of /etc/passwd.
 * 0 or -1. */
int proc_uid(struct str user, uint32_t *uid, struct fail *why);

/* The "cpu" line of /proc/stat; nice counts as user, interrupts as system,
 * columns that an old kernel lacks as 0.  0, or -1: none, or cut. */
int proc_cpu_parse(struct str text, struct proc_cpu *c);

/* The rest of what is read above; 0, or -1: it is not there, or cut. */
int proc_memory_parse(struct str text, struct proc_memory *m);
int proc_load_parse(struct str text, int64_t milli[3]);
int proc_online_parse(struct str text, uint64_t *cpus);	/* "0-3,8" */
int proc_uptime_parse(struct str text, struct str offsets, int64_t *ms);
int proc_net_parse(struct str text, struct str name, struct proc_net *n);

/* A line of /proc/self/mountinfo. */
struct proc_mount {
	struct str point, type, device;	/* borrowed; point as it is escaped */
	bool broken;		/* the kernel made it read-only: an error */
};
int proc_mount_parse(struct str line, struct proc_mount *m);	/* 0 or -1 */
/* A path with \040 and the like as it is: 0, or -1: longer than cap - 1. */
int proc_unescape(struct str s, char *dst, size_t cap);

/* The first n words of a line, those of them that are wanted (a bit each) as
 * numbers in v.  How many there are; -1: a wanted one is no number. */
int proc_numbers(struct str line, uint32_t wanted, uint64_t *v, int n);

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
