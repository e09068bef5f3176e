/* proc_linux.c: see proc.h; procfs by openat(2), pread(2), and its texts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "proc.h"

#define KTHREAD		0x00200000u	/* PF_KTHREAD, kernel's sched.h */
#define DIRENT_LEN	16	/* offset of d_reclen in linux_dirent64 */
#define DIRENT_NAME	19	/* and of d_name */

int proc_dir = AT_FDCWD;
bool proc_ours;
static int stat_fd = -1, load_fd = -1;

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
proc_open(const char *root, struct fail *why)
{
	static const char *last;
	struct str self;
	char text[PROC_PID];
	uint64_t pid = 0;
	ssize_t n;

	last = root = root != NULL ? root : last;
	proc_dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_dir == -1)
		return fail_errno(why, "%s", root);
	stat_fd = openat(proc_dir, "stat", O_RDONLY | O_CLOEXEC);
	if (stat_fd == -1)
		return fail_errno(why, "%s/stat", root);
	/* Does it tell of our ids, or is it that of another namespace? */
	n = readlinkat(proc_dir, "self", text, sizeof text);
	self = (struct str){ text, n > 0 ? (size_t)n : 0 };
	proc_ours = str_u64(self, 1, UINT32_MAX, &pid) == 0 &&
	    pid == (uint64_t)getpid();
	load_fd = !proc_ours ? -1 : openat(proc_dir, "loadavg",
	    O_RDONLY | O_CLOEXEC);
	return 0;
}

uint32_t
proc_newest(void)
{
	char text[PROC_LOAD];
	ssize_t n = load_fd == -1 ? -1 : pread(load_fd, text, sizeof text, 0);
	struct str line;
	uint64_t pid;

	line = (struct str){ text, n > 0 ? (size_t)n - 1 : 0 };
	return str_u64(tail(line, ' '), 1, UINT32_MAX, &pid) == -1 ? 0 :
	    (uint32_t)pid;
}

/* The first n words of a line, those of them that are wanted (a bit each) as
 * numbers in v.  How many there are; -1: a wanted one is no number. */
static int
numbers(struct str line, uint32_t wanted, uint64_t *v, int n)
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
	if (numbers(str_after(line, 4), UINT32_MAX, v, N) <= IDLE)
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
	if (numbers(rest, wanted, v, N) != N)
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
	char text[PROC_STAT];
	ssize_t n = pread(stat_fd, text, sizeof text, 0);

	if (n == -1)
		return fail_errno(why, "/proc/stat");
	if (proc_cpu_parse((struct str){ text, (size_t)n }, c) == -1)
		return fail(why, "/proc/stat: no line of CPU time");
	return 0;
}

int
proc_read(const char *path, char *dst, size_t cap, struct str *text)
{
	int fd = openat(proc_dir, path, O_RDONLY | O_CLOEXEC), saved;
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
