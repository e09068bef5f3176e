/* proc_linux.c: see proc.h; procfs by openat(2), pread(2), getdents64(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc.h"

#define KTHREAD		0x00200000u	/* PF_KTHREAD, kernel's sched.h */
#define DIRENT_LEN	16	/* offset of d_reclen in linux_dirent64 */
#define DIRENT_NAME	19	/* and of d_name */

static const char *proc_root;
static int dir_fd = AT_FDCWD;

#define ABSENT	(-2)	/* looked for, once */

/* What stays open.  What the kernel makes of many records comes in pages. */
static struct {
	const char *path;
	bool pages;
	int fd;
} kept[] = {
	[PROC_CPU] =	 { "stat", false, -1 },
	[PROC_MEMORY] =	 { "meminfo", false, -1 },
	[PROC_LOAD] =	 { "loadavg", false, -1 },
	[PROC_UPTIME] =	 { "uptime", false, -1 },
	[PROC_OFFSETS] = { "self/timens_offsets", false, -1 },
	[PROC_ONLINE] =	 { "../sys/devices/system/cpu/online", false, -1 },
	[PROC_NET] =	 { "self/net/dev", true, -1 },
	[PROC_MOUNTS] =	 { "self/mountinfo", true, -1 },
	[PROC_LIMIT] =	 { "../sys/fs/cgroup/memory.max", false, -1 },
	[PROC_LIMIT_1] = { "../sys/fs/cgroup/memory/memory.limit_in_bytes",
	    false, -1 },
};

static int
keep(enum proc_file f, struct fail *why)
{
	const char *path = kept[f].path;
	bool above = path[0] == '.';

	if (kept[f].fd == -1)
		kept[f].fd = proc_fd(path);
	if (kept[f].fd >= 0)
		return 0;
	if (kept[f].fd == -1 && errno == ENOENT)
		kept[f].fd = ABSENT;
	errno = kept[f].fd == ABSENT ? ENOENT : errno;
	return fail_errno(why, "%s%s", above ? "" : "/proc/", path +
	    (above ? 2 : 0));
}

int
proc_open(const char *root, struct fail *why)
{
	proc_root = root != NULL ? root : proc_root;
	for (size_t i = 0; i < COUNT(kept); i++)
		kept[i].fd = -1;
	if (proc_root == NULL)
		return fail(why, "/proc was never opened");
	dir_fd = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd == -1)
		return fail_errno(why, "%s", proc_root);
	return keep(PROC_CPU, why);
}

int
proc_again(enum proc_file f, char *dst, size_t cap, struct str *text,
    struct fail *why)
{
	ssize_t n;

	*text = (struct str){ dst, 0 };
	if (keep(f, why) == -1)
		return -1;
	do {
		n = pread(kept[f].fd, dst + text->n, cap - text->n,
		    (off_t)text->n);
		if (n == -1)
			return fail_errno(why, "%s", kept[f].path);
		text->n += (size_t)n;
	} while (kept[f].pages && n > 0 && text->n < cap);
	return 0;
}

bool
proc_moved(enum proc_file f)
{
	struct pollfd p = { .fd = kept[f].fd, .events = POLLPRI };

	return p.fd < 0 || poll(&p, 1, 0) != 0;
}

/* What stands after the last c; all of s when it has none. */
static struct str
tail(struct str s, char c)
{
	size_t i = s.n;

	while (i > 0 && s.p[i - 1] != c)
		i--;
	return str_after(s, i);
}

int
proc_numbers(struct str line, uint32_t wanted, uint64_t *v, int n)
{
	struct str word;
	int i = 0;

	while (i < n && str_cut(&line, ' ', &word) == 0) {
		if (word.n == 0)
			continue;
		if ((wanted >> i & 1) != 0 &&
		    str_u64(word, 0, UINT64_MAX, &v[i]) == -1)
			return -1;
		i++;
	}
	return i;
}

int
proc_cpu_parse(struct str text, struct proc_cpu *c)
{
	enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, N };
	uint64_t v[N] = { 0 };
	struct str line;

	do {
		if (str_cut(&text, '\n', &line) == -1 || text.p == NULL)
			return -1;
	} while (!str_starts(line, STR("cpu ")));
	if (proc_numbers(str_after(line, 4), UINT32_MAX, v, N) <= IDLE)
		return -1;
	*c = (struct proc_cpu){ .user = v[USER] + v[NICE],
	    .system = v[SYSTEM] + v[IRQ] + v[SOFTIRQ], .idle = v[IDLE],
	    .iowait = v[IOWAIT], .steal = v[STEAL] };
	return 0;
}

int
proc_stat_parse(struct str text, struct proc_stat *p)
{
	/* Of what follows the name: proc(5) counts from 3. */
	enum { FLAGS = 6, UTIME = 11, STIME, START = 19, RSS = 21, N };
	const uint32_t wanted = 1 << FLAGS | 1 << UTIME | 1 << STIME |
	    1 << START | 1 << RSS;
	uint64_t v[N] = { 0 };
	struct str pid, rest;

	if (str_cut(&text, '(', &pid) == -1 || pid.n == 0)
		return -1;
	rest = tail(text, ')');
	if (rest.n == text.n)
		return -1;
	p->comm = (struct str){ text.p, text.n - rest.n - 1 };
	rest.n -= tail(rest, ' ').n;	/* its last word may be cut short */
	rest = str_trim(rest);
	if (proc_numbers(rest, wanted, v, N) != N)
		return -1;
	p->state = rest.p[0];
	p->kernel = (v[FLAGS] & KTHREAD) != 0;
	p->ticks = v[UTIME] + v[STIME];
	p->start = v[START];
	p->rss_pages = v[RSS];
	return 0;
}

struct str
proc_arg0(struct str cmdline)
{
	struct str first = { NULL, 0 };

	str_cut(&cmdline, '\0', &first);
	return tail(first, '/');
}

struct str
proc_exe(struct str link)
{
	static const struct str gone = { " (deleted)", 10 };

	if (link.n > gone.n && str_eq(str_after(link, link.n - gone.n), gone))
		link.n -= gone.n;
	return tail(link, '/');
}

bool
proc_named(struct str comm, struct str arg0, struct str exe, struct str want)
{
	if (str_eq(comm, want) || str_eq(arg0, want) || str_eq(exe, want))
		return want.n > 0;
	/* Cut by the kernel.  Whoever knows the whole name decides. */
	return comm.n == PROC_COMM && str_starts(want, comm) &&
	    !str_starts(arg0, comm) && !str_starts(exe, comm);
}

int
proc_passwd(struct str line, struct str user, uint32_t *uid)
{
	struct str name, word;
	uint64_t v;

	if (str_cut(&line, ':', &name) == -1 || !str_eq(name, user) ||
	    str_cut(&line, ':', &word) == -1 ||
	    str_cut(&line, ':', &word) == -1 || line.p == NULL ||
	    str_u64(word, 0, UINT32_MAX, &v) == -1)
		return -1;
	*uid = (uint32_t)v;
	return 0;
}

int
proc_dirent(struct str *rest, struct str *name)
{
	uint16_t len;
	const char *end;

	if (rest->n <= DIRENT_NAME)
		return -1;
	memcpy(&len, rest->p + DIRENT_LEN, sizeof len);
	if (len <= DIRENT_NAME || len > rest->n)
		return -1;
	end = memchr(rest->p + DIRENT_NAME, '\0', (size_t)len - DIRENT_NAME);
	if (end == NULL)
		return -1;
	*name = (struct str){ rest->p + DIRENT_NAME,
	    (size_t)(end - rest->p) - DIRENT_NAME };
	*rest = (struct str){ rest->p + len, rest->n - len };
	return 0;
}

int
proc_cpu(struct proc_cpu *c, struct fail *why)
{
	char buf[PROC_STAT];
	struct str text;

	if (proc_again(PROC_CPU, buf, sizeof buf, &text, why) == -1)
		return -1;
	if (proc_cpu_parse(text, c) == -1)
		return fail(why, "/proc/stat: no line of CPU time");
	return 0;
}

int
proc_fd(const char *path)
{
	return openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
}

int
proc_read(const char *path, char *dst, size_t cap, struct str *text)
{
	int fd = proc_fd(path), saved;
	ssize_t n;

	if (fd == -1)
		return -1;
	n = read(fd, dst, cap);
	saved = errno;
	close(fd);
	errno = saved;
	*text = (struct str){ dst, n > 0 ? (size_t)n : 0 };
	return n == -1 ? -1 : 0;
}

int
proc_real(const char *path, char dst[PATH_MAX])
{
	return realpath(path, dst) == NULL ? -1 : 0;
}

/* One process, which is counted where it is what is looked for; its names are
 * read when they are first asked for.  0, 1 (we may not look) or -1. */
static int
look(uint64_t pid, struct proc_query *q, size_t n, struct fail *why)
{
	static char stat[PROC_STAT], args[PROC_ARGS], link[PATH_MAX];
	struct str text, arg0 = { NULL, 0 }, exe = { NULL, 0 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), room;
	char dir[PROC_PID], path[PROC_PATH];
	struct proc_query *end = q + n;
	struct proc_stat st;
	struct stat s;
	bool named;
	ssize_t k;

	snprintf(dir, sizeof dir, "%d", (int)pid);
	snprintf(path, sizeof path, "%s/stat", dir);
	if (proc_read(path, stat, sizeof stat, &text) == -1)
		return errno == ENOENT || errno == ESRCH ? 0 :
		    errno == EACCES || errno == EPERM ? 1 :
		    fail_errno(why, "/proc/%s", path);
	if (proc_stat_parse(text, &st) == -1 || st.state == 'Z' ||
	    st.state == 'X')
		return 0;
	for (named = st.kernel; q < end; q++) {
		if (!named && !str_eq(st.comm, q->name)) {
			named = true;
			snprintf(path, sizeof path, "%s/cmdline", dir);
			if (proc_read(path, args, sizeof args, &text) == 0)
				arg0 = proc_arg0(text);
			snprintf(path, sizeof path, "%s/exe", dir);
			k = readlinkat(dir_fd, path, link, sizeof link);
			if (k > 0)
				exe = proc_exe((struct str){ link, (size_t)k });
		}
		if (!proc_named(st.comm, arg0, exe, q->name))
			continue;
		/* /proc/N itself belongs to the process's effective user,
		 * always; what is in it may be root's (proc(5), "dumpable"). */
		if (q->one_user && (fstatat(dir_fd, dir, &s, 0) == -1 ||
		    s.st_uid != q->uid))
			continue;
		room = (UINT64_MAX - q->rss_bytes) / page;
		q->count++;
		q->ticks += st.ticks;
		q->rss_bytes = st.rss_pages > room ? UINT64_MAX :
		    q->rss_bytes + st.rss_pages * page;
		q->mark += (pid << 40 ^ st.start) * 0x9e3779b97f4a7c15u;
	}
	return 0;
}

int
proc_count(struct proc_query *q, size_t n, struct fail *why)
{
	static alignas(8) char dents[PROC_DENTS];
	struct str rest, name;
	uint64_t pid;
	bool whole = false, barred = false;
	long got;
	int rc;

	for (size_t i = 0; i < n; i++)
		q[i].count = q[i].rss_bytes = q[i].ticks = q[i].mark = 0;
	if (lseek(dir_fd, 0, SEEK_SET) == -1)
		return fail_errno(why, "/proc");
	while ((got = syscall(SYS_getdents64, dir_fd, dents, PROC_DENTS)) > 0) {
		rest = (struct str){ dents, (size_t)got };
		while (proc_dirent(&rest, &name) == 0) {
			if (str_u64(name, 1, INT_MAX, &pid) == -1)
				continue;
			rc = look(pid, q, n, why);
			if (rc == -1)
				return -1;
			whole = whole || pid == 1;
			barred = barred || rc == 1;
		}
	}
	if (got == -1)
		return fail_errno(why, "/proc");
	/* Mounted with hidepid, /proc lacks what is not ours, process 1 too. */
	return !whole || barred;
}

int
proc_uid(struct str user, uint32_t *uid, struct fail *why)
{
	static char text[PROC_PASSWD];
	struct str rest, line;
	uint64_t v;

	if (str_u64(user, 0, UINT32_MAX, &v) == 0) {
		*uid = (uint32_t)v;
		return 0;
	}
	if (proc_read("/etc/passwd", text, sizeof text, &rest) == -1)
		return fail_errno(why, "/etc/passwd");
	/* A line without an end may be cut. */
	while (str_cut(&rest, '\n', &line) == 0 && rest.p != NULL)
		if (proc_passwd(line, user, uid) == 0)
			return 0;
	return fail(why, "no user %.*s", (int)user.n, user.p);
}
