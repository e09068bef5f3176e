/* proc_linux.c: see proc.h; procfs by openat(2), pread(2), and its texts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc.h"

#define KTHREAD		0x00200000u	/* PF_KTHREAD, kernel's sched.h */
#define DIRENT_LEN	16	/* offset of d_reclen in linux_dirent64 */
#define DIRENT_NAME	19	/* and of d_name */

static const char *proc_root;
int proc_dir = AT_FDCWD;
bool proc_ours;

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
	char text[PROC_PID];
	uint64_t pid = 0;
	ssize_t n;

	proc_root = root != NULL ? root : proc_root;
	for (size_t i = 0; i < COUNT(kept); i++)
		kept[i].fd = -1;
	if (proc_root == NULL)
		return fail(why, "/proc was never opened");
	proc_dir = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_dir == -1)
		return fail_errno(why, "%s", proc_root);
	/* Does it tell of our ids, or is it that of another namespace? */
	n = readlinkat(proc_dir, "self", text, sizeof text);
	proc_ours = n > 0 && str_u64((struct str){ text, (size_t)n }, 1,
	    UINT32_MAX, &pid) == 0 && pid == (uint64_t)getpid();
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

uint32_t
proc_newest(void)
{
	char text[PROC_ARGS];
	struct str line = { NULL, 0 };
	struct fail why;
	uint64_t pid;

	if (!proc_ours || proc_again(PROC_LOAD, text, sizeof text, &line,
	    &why) == -1 || line.n == 0)
		return 0;
	line.n--;
	return str_u64(tail(line, ' '), 1, UINT32_MAX, &pid) == -1 ? 0 :
	    (uint32_t)pid;
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
	enum { FLAGS = 6, UTIME = 11, STIME, START = 19, RSS = 21, N,
		EXIT_SIGNAL = 35 };
	const uint32_t wanted = 1 << FLAGS | 1 << UTIME | 1 << STIME |
	    1 << START | 1 << RSS;
	uint64_t v[N] = { 0 };
	struct str pid, rest, word;

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
	/* The kernel's own way to tell them apart. */
	for (int i = 0; i <= EXIT_SIGNAL; i++)
		if (str_cut(&rest, ' ', &word) == -1)
			word = STR("");
	p->thread = str_is(word, "-1");
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
	return openat(proc_dir, path, O_RDONLY | O_CLOEXEC);
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
