/*
 * probe_host.c: memory, swap, load, uptime, network, disk, temperature and a
 * number; see probe.h.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "loop.h"
#include "probe_impl.h"
#include "proc.h"

#define MOUNTS_MAX	1024
#define BOOTED_MS	600000	/* an uptime below it, seen first, is news */
#define NUMBER		64	/* bytes of a number and what is around it */

bool
probe_never(struct str params)
{
	(void)params;
	return false;
}

/* The message; what is put in it may not be fit for a line. */
__attribute__((format(printf, 2, 3)))
static void
note(struct probe_result *r, const char *fmt, ...)
{
	char text[PROBE_TEXT];
	struct buf line = { r->text, 0, PROBE_TEXT - 1, false };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_line(&line, str_of(text));
	r->text[line.n] = '\0';
}

void
probe_memory(struct str params, struct probe_state *st, struct probe_result *r)
{
	struct proc_memory m;
	struct fail why;
	bool contained;

	(void)params;
	(void)st;
	if (proc_memory(&m, &why) == -1) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	contained = proc_contain(&m);
	probe_value(r, probe_percent(m.total - m.available, m.total));
	probe_metric(r, "total_bytes", probe_milli(m.total));
	probe_metric(r, "available_bytes", probe_milli(m.available));
	if (contained)
		note(r, "of the container's limit");
	else if (m.estimated)
		note(r, "estimated, for this kernel has no MemAvailable");
}

void
probe_swap(struct str params, struct probe_state *st, struct probe_result *r)
{
	struct proc_memory m;
	struct fail why;

	(void)params;
	(void)st;
	if (proc_memory(&m, &why) == -1)
		probe_unknown(r, "%s", why.msg);
	else if (m.swap == UINT64_MAX || m.swap_free > m.swap)
		probe_unknown(r, "/proc/meminfo: nothing of swap");
	else {
		probe_value(r, m.swap == 0 ? 0 :
		    probe_percent(m.swap - m.swap_free, m.swap));
		probe_metric(r, "total_bytes", probe_milli(m.swap));
		note(r, "%s", m.swap == 0 ? "no swap" : "");
	}
}

void
probe_load(struct str params, struct probe_state *st, struct probe_result *r)
{
	int64_t milli[3], minutes = 5;
	struct fail why;

	(void)st;
	(void)check_param_int(params, "minutes", 1, 15, &minutes);
	if (proc_load(milli, &why) == -1)
		probe_unknown(r, "%s", why.msg);
	else
		probe_value(r, milli[minutes < 5 ? 0 : minutes < 15 ? 1 : 2]);
}

void
probe_uptime(struct str params, struct probe_state *st, struct probe_result *r)
{
	struct fail why;
	int64_t ms;

	(void)params;
	if (proc_uptime(&ms, &why) == -1) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	probe_value(r, ms);
	/* The agent starts with its host; one in a guest may see that go back
	 * to an earlier time. */
	if ((uint64_t)ms < (st->primed ? st->v[0] : BOOTED_MS))
		note(r, "just booted");
	st->v[0] = (uint64_t)ms;
	st->primed = true;
}

/* How far a counter went on.  false: it began anew.  One that went back may
 * have 32 bits, and have passed their end. */
static bool
moved(uint64_t was, uint64_t now, uint64_t *by)
{
	*by = now - was;
	if (now < was)
		*by = (uint32_t)*by;
	if (*by > PROBE_TICKS)
		*by = PROBE_TICKS;
	return now >= was || was <= UINT32_MAX;
}

/* What went over an interface since the last look: value and metrics.  false:
 * nothing can be said, for it is the first look, or its counters began anew:
 * then those of packets went back, too, which do not pass the end of 32 bits
 * together with those of bytes. */
static bool
traffic(struct probe_state *st, const struct proc_net *n,
    struct probe_result *r)
{
	static const char *const name[2] = { "rx", "tx" };
	uint64_t now = (uint64_t)loop_mono_ms(), ms = now - st->v[5], by, bad;
	bool known = st->primed && n->packets[0] >= st->v[2] &&
	    n->packets[1] >= st->v[3], good = known;
	int64_t rate[2] = { 0, 0 };

	if (known && ms == 0)
		return false;		/* too soon: keep the first look */
	for (int i = 0; i < 2 && known; i++) {
		good = moved(st->v[i], n->bytes[i], &by) && good;
		rate[i] = (int64_t)(by * 8000000 / ms);
	}
	bad = n->errors < st->v[4] ? 0 : n->errors - st->v[4];
	*st = (struct probe_state){ { n->bytes[0], n->bytes[1], n->packets[0],
	    n->packets[1], n->errors, now }, true };
	if (!good)
		return false;
	probe_value(r, rate[rate[1] > rate[0]]);
	probe_metric(r, name[0], rate[0]);
	probe_metric(r, name[1], rate[1]);
	probe_metric(r, "errors", probe_milli(bad));
	return true;
}

void
probe_network(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	char name[CHECK_TEXT_MAX + 1];
	struct proc_net n;
	struct fail why;
	bool up;
	int rc;

	(void)check_param_text(params, "interface", name, sizeof name);
	rc = proc_net(str_of(name), &n, &why);
	if (rc == -1) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	if (rc == 1) {
		*st = (struct probe_state){ .primed = false };
		probe_critical(r, "there is no interface of that name");
		probe_metric(r, "up", 0);
		return;
	}
	/* "unknown" is that of those that cannot tell: lo, ppp0, tun0. */
	up = n.state[0] == '\0' || strcmp(n.state, "up") == 0 ||
	    strcmp(n.state, "unknown") == 0;
	if (!traffic(st, &n, r) && up)
		return;
	r->given = up ? STATUS_OK : STATUS_CRITICAL;
	if (n.state[0] != '\0')
		probe_metric(r, "up", up ? 1000 : 0);
	if (!up)
		note(r, "it is %s", n.state);
}

/* -- disk -- */

/* The types of file systems that ask no other host and no program when they
 * are asked how full they are: those of disks, of which "*" is the fullest,
 * and others.  None but them is touched in the agent's own process. */
enum kind { DISK, QUIET, OTHER };
static const char *const types[OTHER] = {
	"ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs reiserfs nilfs2 jffs2 "
	    "ubifs yaffs2 vfat msdos exfat ntfs3 hfsplus ufs minix",
	"tmpfs ramfs devtmpfs overlay squashfs erofs cramfs romfs iso9660 udf",
};

const char *const probe_disk_metrics[] = { "inodes_percent", "free_bytes",
	NULL };

#define TABLE_MS	60000

/* What is mounted. */
static struct {
	unsigned n;
	bool whole;
	int64_t at_ms;		/* read when; 0: never */
	struct mount {
		const char *point;
		struct str device;
		enum kind kind;
		bool broken;
	} mount[MOUNTS_MAX];
	char text[PROC_TABLE + 1];
} table;

static enum kind
kind_of(struct str type)
{
	struct str list, word;

	for (unsigned k = 0; k < OTHER; k++)
		for (list = str_of(types[k]);
		    str_cut(&list, ' ', &word) == 0;)
			if (str_eq(word, type))
				return (enum kind)k;
	return OTHER;
}

/* Read the table when it has changed; and once a minute, for it does not count
 * as a change that an error made a file system read-only.  0 or -1. */
static int
look(struct fail *why)
{
	int64_t now = loop_mono_ms();
	struct str text, line;
	struct proc_mount p;
	struct mount *m;
	char *point;

	if (!proc_moved(PROC_MOUNTS) && table.at_ms != 0 &&
	    now - table.at_ms < TABLE_MS)
		return 0;
	table.n = 0;
	table.at_ms = 0;
	if (proc_again(PROC_MOUNTS, table.text, PROC_TABLE, &text, why) == -1)
		return -1;
	table.whole = text.n < PROC_TABLE;
	while (str_cut(&text, '\n', &line) == 0 && text.p != NULL) {
		if (proc_mount_parse(line, &p) == -1)
			continue;
		/* In its place it takes no more room than it did. */
		point = table.text + (p.point.p - table.text);
		(void)proc_unescape(p.point, point, p.point.n + 1);
		/* No path leads to what was there before: autofs, often. */
		for (m = table.mount; m < table.mount + table.n &&
		    strcmp(m->point, point) != 0;)
			m++;
		if (m == table.mount + MOUNTS_MAX) {
			table.whole = false;
			break;
		}
		table.n += m == table.mount + table.n;
		*m = (struct mount){ point, p.device, kind_of(p.type),
		    p.broken };
	}
	table.at_ms = now;
	return 0;
}

/* Is path at or below the point? */
static bool
covers(const char *point, const char *path)
{
	size_t n = strlen(point);

	return strcmp(point, "/") == 0 || (strncmp(point, path, n) == 0 &&
	    (path[n] == '\0' || path[n] == '/'));
}

/* What path, as it is without links, lies on; NULL: nothing is known. */
static const struct mount *
mount_of(const char *path)
{
	const struct mount *m, *best = NULL;

	for (m = table.mount; m < table.mount + table.n; m++)
		if (covers(m->point, path) && (best == NULL ||
		    strlen(m->point) > strlen(best->point)))
			best = m;
	return best;
}

/* Does the way to path lead over what may keep us waiting? */
static bool
is_behind(const char *path)
{
	const struct mount *m = table.mount;

	while (m < table.mount + table.n && (m->kind != OTHER ||
	    !covers(m->point, path)))
		m++;
	return m < table.mount + table.n;
}

/* The next file system of a disk, each once; or NULL. */
static const struct mount *
next_disk(const struct mount *m)
{
	const struct mount *was;

	for (m = m == NULL ? table.mount : m + 1; m < table.mount + table.n;
	    m++) {
		if (m->kind != DISK || is_behind(m->point))
			continue;
		for (was = table.mount; was < m; was++)
			if (was->kind == DISK && str_eq(was->device,
			    m->device) && !is_behind(was->point))
				break;
		if (was == m)
			return m;
	}
	return NULL;
}

static void
disk_path(struct str params, char path[CHECK_TEXT_MAX + 1])
{
	if (check_param_text(params, "path", path, CHECK_TEXT_MAX + 1) == -1)
		memcpy(path, "*", 2);
}

/* One that is mounted at its path, which as the kernel writes it has no links,
 * and not behind another host, does not block. */
bool
probe_disk_blocks(struct str params)
{
	char path[CHECK_TEXT_MAX + 1];
	const struct mount *m;
	struct fail why;

	disk_path(params, path);
	if (look(&why) == -1 || !table.whole)
		return true;
	if (strcmp(path, "*") == 0)
		return next_disk(NULL) == NULL;
	m = mount_of(path);
	return m == NULL || strcmp(m->point, path) != 0 || is_behind(path);
}

/* How full it is, as df counts; -1: it cannot be told, with errno, of which 0
 * is that it has no size. */
static int64_t
percent(const char *path, struct statvfs *s)
{
	uint64_t used;

	if (statvfs(path, s) == -1)
		return -1;
	errno = 0;
	used = s->f_blocks > s->f_bfree ? s->f_blocks - s->f_bfree : 0;
	return used + s->f_bavail == 0 ? -1 :
	    probe_percent(used, used + s->f_bavail);
}

static void
disk_value(struct probe_result *r, const struct statvfs *s, int64_t value)
{
	uint64_t used = s->f_files > s->f_ffree ? s->f_files - s->f_ffree : 0,
	    size = s->f_frsize > 0 ? s->f_frsize : s->f_bsize;

	probe_value(r, value);
	if (s->f_files > 0 && used + s->f_favail > 0)
		probe_metric(r, probe_disk_metrics[0],
		    probe_percent(used, used + s->f_favail));
	probe_metric(r, probe_disk_metrics[1], s->f_bavail > UINT64_MAX / size ?
	    MILLI_MAX : probe_milli(s->f_bavail * size));
}

/* A disk that failed is bad by itself. */
static void
disk_fault(struct probe_result *r, const char *point, const char *what)
{
	if (r->given == STATUS_CRITICAL)
		return;
	r->given = STATUS_CRITICAL;
	note(r, "%s%s", point, what);
}

#define READ_ONLY	" is read-only after an error"
#define NO_ANSWER	": input/output error"

static void
disk_fullest(struct probe_result *r)
{
	const struct mount *m, *full = NULL;
	struct statvfs s, best;
	int64_t v, most = -1;

	for (m = next_disk(NULL); m != NULL; m = next_disk(m)) {
		v = percent(m->point, &s);
		if (m->broken)
			disk_fault(r, m->point, READ_ONLY);
		else if (v == -1 && errno == EIO)
			disk_fault(r, m->point, NO_ANSWER);
		if (v <= most)
			continue;
		most = v;
		best = s;
		full = m;
	}
	if (full != NULL)
		disk_value(r, &best, most);
	if (full != NULL && r->given != STATUS_CRITICAL)
		note(r, "%s", full->point);
}

static void
disk_at(const char *path, struct probe_result *r)
{
	static char real[PATH_MAX];
	const struct mount *m = mount_of(path);
	struct statvfs s;
	int64_t v;

	if (m == NULL || strcmp(m->point, path) != 0) {	/* in a child */
		if (proc_real(path, real) == -1) {
			probe_unknown(r, "%s", strerror(errno));
			return;
		}
		m = mount_of(real);
	}
	v = percent(path, &s);
	if (v != -1)
		disk_value(r, &s, v);
	if (m != NULL && m->broken)
		disk_fault(r, m->point, READ_ONLY);
	else if (v == -1 && errno == EIO)
		disk_fault(r, path, NO_ANSWER);
	else if (v == -1)
		probe_unknown(r, "%s", errno != 0 ? strerror(errno) :
		    "nothing can be stored there");
	else if (m != NULL && strcmp(m->point, path) != 0)
		note(r, "on %s", m->point);
}

void
probe_disk(struct str params, struct probe_state *st, struct probe_result *r)
{
	char path[CHECK_TEXT_MAX + 1];
	struct fail why;

	(void)st;
	disk_path(params, path);
	if (look(&why) == -1) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	r->given = STATUS_OK;
	if (strcmp(path, "*") != 0)
		disk_at(path, r);
	else if (next_disk(NULL) != NULL)
		disk_fullest(r);
	else			/* as in a container */
		disk_at("/", r);
	if (!r->has_value && r->given == STATUS_OK)
		probe_unknown(r, "no file system could be asked");
}

/* -- temperature, number -- */

void
probe_temperature(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	char zone[CHECK_TEXT_MAX + 1], name[PROC_NAME];
	struct fail why;
	int64_t milli;

	(void)st;
	(void)check_param_text(params, "zone", zone, sizeof zone);
	if (proc_heat(str_of(zone), &milli, name, &why) == -1) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	probe_value(r, milli);
	note(r, "%s", zone[0] == '\0' ? name : "");
}

/* What the number type may read: status of the kernel and of programs.  No
 * link is looked at: one can lead elsewhere, but only to a number. */
static bool
may_read(const char *path)
{
	static const char *const below[] = { "/proc/", "/sys/", "/run/",
	    "/var/" };
	unsigned i = 0;

	while (i < COUNT(below) && strncmp(path, below[i],
	    strlen(below[i])) != 0)
		i++;
	return i < COUNT(below) && strstr(path, "/../") == NULL;
}

/* The number in a file, which must be a plain one that all may read: the
 * server must not learn what only we may know, and a device must not even be
 * opened.  0 or -1. */
static int
number_in(const char *path, int64_t *milli, struct fail *why)
{
	char buf[NUMBER];
	struct stat s;
	struct str text = { buf, 0 };
	ssize_t n;
	int fd;

	if (!may_read(path))
		return fail(why, "%s is not below /proc, /sys, /run or /var",
		    path);
	if (!probe_allows_target(check_type(STR("number")), str_of(path), why))
		return -1;
	if (stat(path, &s) == -1)
		return fail_errno(why, "%s", path);
	if (!S_ISREG(s.st_mode) || (s.st_mode & S_IROTH) == 0)
		return fail(why, "%s: not a file that everyone may read",
		    path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return fail_errno(why, "%s", path);
	n = fstat(fd, &s) == 0 && S_ISREG(s.st_mode) ?
	    read(fd, buf, sizeof buf) : -1;
	close(fd);
	if (n == -1)
		return fail(why, "%s: cannot be read", path);
	text.n = (size_t)n;
	text = str_after(text, str_span(text, " \t\r\n"));
	while (text.n > 0 && memchr(" \t\r\n", text.p[text.n - 1], 5) != NULL)
		text.n--;
	return (size_t)n < sizeof buf && str_milli(text, milli) == 0 ? 0 :
	    fail(why, "%s: not a number", path);
}

/* Of the kernel's own settings and counts nothing makes us wait. */
bool
probe_number_blocks(struct str params)
{
	static const char *const name[] = { "path", "of" };
	char text[CHECK_TEXT_MAX + 1];

	for (unsigned i = 0; i < COUNT(name); i++)
		if (check_param_text(params, name[i], text, sizeof text) == 0 &&
		    text[0] == '/' && strncmp(text, "/proc/sys/", 10) != 0)
			return true;
	return false;
}

void
probe_number(struct str params, struct probe_state *st, struct probe_result *r)
{
	char path[CHECK_TEXT_MAX + 1], of[CHECK_TEXT_MAX + 1];
	struct fail why;
	int64_t v, whole;

	(void)st;
	(void)check_param_text(params, "path", path, sizeof path);
	(void)check_param_text(params, "of", of, sizeof of);
	if (number_in(path, &v, &why) == -1 || (of[0] == '/' &&
	    number_in(of, &whole, &why) == -1)) {
		probe_unknown(r, "%s", why.msg);
		return;
	}
	if (of[0] == '\0') {
		probe_value(r, v);
		return;
	}
	if (of[0] != '/' && str_milli(str_of(of), &whole) == -1)
		whole = 0;
	if (whole <= 0) {
		probe_unknown(r, "%s: not a number above 0", of);
		return;
	}
	probe_value(r, v < 0 ? -probe_percent((uint64_t)-v, (uint64_t)whole) :
	    probe_percent((uint64_t)v, (uint64_t)whole));
	note(r, "percent of %s", of);
}
