/*
 * proc_watch_linux.c: which processes are counted; see proc.h.
 *
 * Those that are counted are known one by one, and each is looked at by its
 * id: a start time says whether it is still the same one.  A member's place
 * in the table is the tag of its pidfd, which is readable once it has died.
 * Looked for are new ones, in the range of the ids that the kernel gave out
 * since: it does so in order, and /proc/loadavg has the last one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "loop.h"
#include "proc.h"

#define PROC_CMDLINE	32768	/* bytes of one that a pattern is for */
#define PROC_KNOWN_MAX	2048	/* processes remembered, of all queries */
#define PROC_HELD	64	/* of one query, by a descriptor; or `least` */
#define PROC_HELD_MAX	1024	/* of all of them; and so many fewer ... */
#define PROC_FDS_OTHER	320	/* ... than RLIMIT_NOFILE */
#define PROC_NEW_MAX	512	/* new ids that are tried one by one */
#define PROCFS		0x9fa0	/* what statfs(2) says of it */
#define PIDFD_OPEN	434	/* of every architecture */
#define DIRENT_ROOM	64	/* for two entries or so */
#define PLACE		250	/* process N is at N + 257 or 258 in procfs */
#define AGAIN_MS	1000	/* a new process is looked at again ... */
#define YOUNG		64	/* ... and so many after the first look */

static struct member {
	uint32_t pid;		/* 0: none */
	uint16_t of;		/* its query's index */
	bool seen;		/* by the scan under way */
	int fd;			/* a pidfd, or -1 */
	uint64_t start;
	char comm[PROC_COMM + 1];
} member[PROC_KNOWN_MAX];
static size_t members;		/* all beyond are none */
static unsigned held;		/* pidfds */
static const char *polls;
static bool hidden;
static bool (*matcher)(char *cmdline);	/* in a child */

/* A process that is looked at; its names are read when first asked for. */
struct process {
	uint32_t pid;
	struct proc_stat st;
	bool named;
	struct str arg0, exe;
};

/* A search through processes. */
struct scan {
	struct proc_query *q;
	size_t n;
	bool whole;		/* it is through all of them, and adds up */
	bool first, barred;	/* saw process 1; may not see one */
	uint32_t after, to;	/* to > 0: look at those in between alone */
};

const char *
proc_polls(void)
{
	return polls;
}

/* -- members -- */

static void
unhold(struct proc_query *q, struct member *m)
{
	if (m->fd == -1)
		return;
	loop_del(m->fd);
	close(m->fd);
	m->fd = -1;
	held--;
	q[m->of].held--;
}

/* Should another process have taken over its id by now, this is that one's:
 * the start time will not be the same at the next look. */
static void
hold(struct proc_query *q, struct member *m)
{
	struct proc_query *of = &q[m->of];
	struct rlimit most = { 0 };
	struct fail why;

	if (!proc_ours)
		polls = "/proc is that of other processes";
	if (m->fd != -1 || polls != NULL || held >= PROC_HELD_MAX ||
	    of->held >= (of->least > PROC_HELD ? of->least : PROC_HELD) ||
	    getrlimit(RLIMIT_NOFILE, &most) == -1 ||
	    held + PROC_FDS_OTHER >= most.rlim_cur)
		return;
	m->fd = (int)syscall(PIDFD_OPEN, (int)m->pid, 0);
	if (m->fd == -1 && (errno == ENOSYS || errno == EPERM))
		polls = strerror(errno);
	if (m->fd == -1)
		return;
	held++;
	of->held++;
	if (loop_set(m->fd, LOOP_IN, PROC_TAG + (uint64_t)(m - member), &why)
	    == -1)
		unhold(q, m);
}

static void
drop(struct proc_query *q, struct member *m)
{
	unhold(q, m);
	q[m->of].gone++;
	m->pid = 0;
	while (members > 0 && member[members - 1].pid == 0)
		members--;
}

/* NULL: there is no place for it. */
static struct member *
add(struct proc_query *q, size_t i, uint32_t pid, uint64_t start)
{
	struct member *m = member;

	while (m < member + members && m->pid != 0)
		m++;
	q[i].over = q[i].over || m == member + PROC_KNOWN_MAX;
	if (m == member + PROC_KNOWN_MAX)
		return NULL;
	q[i].came++;
	if (m == member + members)
		members++;
	*m = (struct member){ .pid = pid, .of = (uint16_t)i, .fd = -1,
	    .start = start };
	hold(q, m);
	return m;
}

static struct member *
find(size_t i, uint32_t pid)
{
	struct member *m = member;

	while (m < member + members && (m->pid != pid || m->of != i))
		m++;
	return m < member + members ? m : NULL;
}

/* Its name as the kernel keeps it: has it another one than it had? */
static bool
renamed(struct member *m, struct str comm)
{
	bool had = m->comm[0] != '\0';

	if (comm.n > PROC_COMM)
		comm.n = PROC_COMM;
	if (str_is(comm, m->comm))
		return false;
	(void)str_copy(m->comm, sizeof m->comm, comm);
	return had;
}

size_t
proc_died(struct proc_query *q, uint64_t tag)
{
	struct member *m = &member[tag - PROC_TAG];

	if (tag - PROC_TAG >= members || m->fd == -1)
		return SIZE_MAX;	/* of an earlier one */
	unhold(q, m);
	if (q[m->of].count > 0)
		q[m->of].count--;
	return m->of;
}

void
proc_forget(struct proc_query *q, size_t i)
{
	for (size_t k = members; k-- > 0;)
		if (member[k].pid != 0 && member[k].of == i)
			drop(q, &member[k]);
	q[i] = (struct proc_query){ .on = false };
}

/* -- one process -- */

static void
tally(struct proc_query *q, uint32_t pid, const struct proc_stat *st)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE),
	    room = (UINT64_MAX - q->rss_bytes) / page;

	q->count++;
	q->ticks += st->ticks;
	q->rss_bytes = st->rss_pages > room ? UINT64_MAX :
	    q->rss_bytes + st->rss_pages * page;
	q->mark += ((uint64_t)pid << 40 ^ st->start) * 0x9e3779b97f4a7c15u;
}

static void
tally_begin(struct proc_query *q)
{
	q->count = q->rss_bytes = q->ticks = q->mark = 0;
}

int
proc_stat(uint32_t pid, char text[PROC_STAT], struct proc_stat *p)
{
	char path[PROC_PATH];
	struct str s;

	snprintf(path, sizeof path, "%u/stat", (unsigned)pid);
	if (proc_read(path, text, PROC_STAT, &s) == -1)
		return -1;
	errno = 0;
	return proc_stat_parse(s, p) == -1 || p->state == 'Z' ||
	    p->state == 'X' || p->thread ? -1 : 0;
}

static void
read_names(struct process *p)
{
	static char args[PROC_ARGS], link[PATH_MAX];
	char path[PROC_PATH];
	struct str text;
	ssize_t k;

	p->named = true;
	snprintf(path, sizeof path, "%u/cmdline", (unsigned)p->pid);
	if (proc_read(path, args, sizeof args, &text) == 0)
		p->arg0 = proc_arg0(text);
	snprintf(path, sizeof path, "%u/exe", (unsigned)p->pid);
	k = readlinkat(proc_dir, path, link, sizeof link);
	if (k > 0)
		p->exe = proc_exe((struct str){ link, (size_t)k });
}

/* Does a child's pattern want it?  A process without a command line is the
 * kernel's own, or about to end. */
static bool
matches(uint32_t pid)
{
	char path[PROC_PATH], line[PROC_CMDLINE];
	struct str s;

	snprintf(path, sizeof path, "%u/cmdline", (unsigned)pid);
	if (proc_read(path, line, sizeof line - 1, &s) == -1)
		return false;
	while (s.n > 0 && line[s.n - 1] == '\0')
		s.n--;
	line[s.n] = '\0';
	for (size_t i = 0; i < s.n; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	return s.n > 0 && matcher(line);
}

static bool
wanted(const struct proc_query *q, struct process *p)
{
	char dir[PROC_PID];
	struct stat s;

	if (!q->by_pattern && !p->named && !str_eq(p->st.comm, q->name))
		read_names(p);
	if (q->by_pattern ? !matches(p->pid) :
	    !proc_named(p->st.comm, p->arg0, p->exe, q->name))
		return false;
	/* /proc/N itself belongs to the process's effective user, always;
	 * what is in it may be root's (proc(5), "dumpable"). */
	snprintf(dir, sizeof dir, "%u", (unsigned)p->pid);
	return !q->one_user || (fstatat(proc_dir, dir, &s, 0) == 0 &&
	    s.st_uid == q->uid);
}

/* What a look at a process could not read is a fault (-1), or it is gone, or
 * not ours to see. */
static int
unread(uint32_t pid, bool *barred, struct fail *why)
{
	if (errno == EACCES || errno == EPERM)
		*barred = true;
	else if (errno != 0 && errno != ENOENT && errno != ESRCH)
		return fail_errno(why, "/proc/%u/stat", (unsigned)pid);
	return 0;
}

/* Whose is it?  Queries by pattern are a child's. */
static int
look(uint32_t pid, void *arg, struct fail *why)
{
	static char text[PROC_STAT];
	struct process p = { .pid = pid };
	struct scan *s = arg;
	struct proc_query *q;
	struct member *m;
	bool hit;

	if (s->to > 0 && (pid <= s->after || pid > s->to))
		return pid > s->to;
	s->first = s->first || pid == 1;
	if (proc_stat(pid, text, &p.st) == -1)
		return unread(pid, &s->barred, why);
	p.named = p.st.kernel;
	for (size_t i = 0; i < s->n; i++) {
		q = &s->q[i];
		if (!q->on || q->by_pattern != (matcher != NULL))
			continue;
		hit = wanted(q, &p);
		m = find(i, pid);
		if (m != NULL && (!hit || m->start != p.st.start)) {
			drop(s->q, m);
			m = NULL;
		}
		if (!hit)
			continue;
		if (m == NULL)
			m = add(s->q, i, pid, p.st.start);
		if (m != NULL) {
			m->seen = true;
			(void)renamed(m, p.st.comm);
		}
		if (s->whole)
			tally(q, pid, &p.st);
	}
	return 0;
}

/* -- many -- */

/* Call fn for the processes of the next entries; how many bytes of those
 * there were. */
static long
each_of(size_t room, proc_fn fn, void *arg, struct fail *why)
{
	static alignas(8) char dents[PROC_DENTS];
	long got = syscall(SYS_getdents64, proc_dir, dents, room);
	struct str rest = { dents, got > 0 ? (size_t)got : 0 }, name;
	uint64_t pid;
	int rc = 0;

	if (got == -1)
		return fail_errno(why, "/proc");
	while (rc == 0 && proc_dirent(&rest, &name) == 0)
		if (str_u64(name, 1, INT_MAX, &pid) == 0)
			rc = fn((uint32_t)pid, arg, why);
	return rc == 0 ? got : rc == 1 ? 0 : -1;
}

/* And those of all entries from a place on. */
static int
each_from(off_t place, proc_fn fn, void *arg, struct fail *why)
{
	long got;

	if (lseek(proc_dir, place, SEEK_SET) == -1)
		return fail_errno(why, "/proc");
	while ((got = each_of(PROC_DENTS, fn, arg, why)) > 0)
		;
	return got == 0 ? 0 : -1;
}

int
proc_each(proc_fn fn, void *arg, struct fail *why)
{
	return each_from(0, fn, arg, why);
}

/* All of them.  Each query that is looked for is then as it is. */
static int
scan_all(struct scan *s, struct fail *why)
{
	struct proc_query *q = s->q;
	size_t i;

	s->whole = true;
	for (i = 0; i < s->n; i++)
		if (q[i].on && q[i].by_pattern == (matcher != NULL)) {
			tally_begin(&q[i]);
			q[i].over = false;
		}
	for (i = 0; i < members; i++)
		member[i].seen = q[member[i].of].by_pattern !=
		    (matcher != NULL);
	if (proc_each(look, s, why) == -1)
		return -1;
	for (i = members; i-- > 0;)
		if (member[i].pid != 0 && !member[i].seen)
			drop(q, &member[i]);
	for (i = 0; i < s->n; i++)
		if (q[i].on)
			q[i].begun = true;
	/* Mounted with hidepid, /proc lacks what is not ours, process 1 too. */
	hidden = !s->first || s->barred;
	return 0;
}

/* Those after this one, up to another, and a few more, in turn.  Most of the
 * new ones have ended: to list those that have not takes no time, where that
 * can begin with them. */
static int
scan_some(struct scan *s, uint32_t after, uint32_t to, struct fail *why)
{
	static off_t place;
	struct fail unused;
	struct statfs fs;
	uint32_t pid;
	int rc = 0;

	if (after < to && fstatfs(proc_dir, &fs) == 0 &&
	    fs.f_type == PROCFS) {
		s->after = after;
		s->to = to;
		rc = each_from((off_t)after + 1 + PLACE, look, s, why);
		s->to = 0;
	} else {
		for (pid = after + 1; pid <= to && rc == 0; pid++)
			rc = look(pid, s, why);
	}
	if (rc == -1)
		return -1;
	if (lseek(proc_dir, place, SEEK_SET) == -1)
		return fail_errno(why, "/proc");
	place = each_of(DIRENT_ROOM, look, s, &unused) <= 0 ? 0 :
	    lseek(proc_dir, 0, SEEK_CUR);
	return 0;
}

/* Add up what is known, of queries that are due; the others' is. */
static int
sum(struct scan *s, struct fail *why)
{
	static char text[PROC_STAT];
	struct proc_query *q = s->q, *of;
	struct proc_stat st;
	struct member *m;
	bool moved;

	for (size_t i = 0; i < s->n; i++)
		if (q[i].due && (q[i].by_pattern || !s->whole))
			tally_begin(&q[i]);
	for (m = member; m < member + members; m++) {
		of = &q[m->of];
		if (m->pid == 0 || !of->due || (s->whole && !of->by_pattern))
			continue;
		if (proc_stat(m->pid, text, &st) == -1) {
			if (unread(m->pid, &hidden, why) == -1)
				return -1;
			drop(q, m);
			continue;
		}
		if (st.start != m->start) {
			drop(q, m);
			continue;
		}
		moved = renamed(m, st.comm);
		of->moved = of->moved || moved;
		if (moved && !of->by_pattern && look(m->pid, s, why) == -1)
			return -1;
		if (m->pid == 0)
			continue;
		hold(q, m);
		tally(of, m->pid, &st);
	}
	return 0;
}

int
proc_look(struct proc_query *q, size_t n, struct fail *why)
{
	static uint32_t last[2];	/* newest ones; the second seen twice */
	static int64_t since;		/* last[0] is it since then */
	uint32_t now = proc_newest();
	int64_t mono = loop_mono_ms();
	struct scan s = { .q = q, .n = n };
	bool names = false, whole = now == 0 || now < last[1] ||
	    now - last[1] > PROC_NEW_MAX;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (!q[i].on || q[i].by_pattern)
			continue;
		names = true;
		whole = whole || !q[i].begun || (q[i].due && (q[i].over ||
		    q[i].few));
	}
	if (names)
		rc = whole ? scan_all(&s, why) :
		    scan_some(&s, last[1], now, why);
	if (rc == 0)
		rc = sum(&s, why);
	for (size_t i = 0; i < n; i++)
		if (q[i].due)
			q[i].few = q[i].count < q[i].least;
	if (mono - since >= AGAIN_MS || last[0] == 0) {
		last[1] = last[0] != 0 ? last[0] : now > YOUNG ? now - YOUNG :
		    0;
		last[0] = now;
		since = mono;
	}
	return rc == -1 ? -1 : hidden;
}

/* -- by pattern -- */

int64_t
proc_seek(struct proc_query *q, size_t i, uint32_t *from,
    bool (*match)(char *cmdline), struct buf *b, struct fail *why)
{
	struct scan s = { .q = q, .n = i + 1 };
	uint32_t now = proc_newest();
	struct member *m;
	int64_t n = 0;
	int rc;

	/* We are a child: the descriptors are not ours any more. */
	polls = "";
	for (m = member; m < member + members; m++)
		m->fd = -1;
	for (size_t k = 0; k < i; k++)
		q[k].on = false;
	matcher = match;
	if (*from == 0 || now < *from || now - *from > PROC_NEW_MAX)
		*from = 0;
	rc = *from == 0 ? scan_all(&s, why) : scan_some(&s, *from, now, why);
	if (rc == -1)
		return -1;
	if (hidden && !(q[i].one_user && q[i].uid == geteuid()))
		return fail(why, "the agent may not see all processes: /proc "
		    "is mounted with hidepid");
	for (m = member; m < member + members; m++)
		if (m->pid != 0 && m->of == i) {
			buf_addf(b, "%u %llu ", (unsigned)m->pid,
			    (unsigned long long)m->start);
			n++;
		}
	return s.whole ? (int64_t)q[i].count : n;
}

void
proc_found(struct proc_query *q, size_t i, struct str text)
{
	struct str pid, start;
	uint64_t id, at;
	struct member *m;
	size_t k;

	q[i].over = q[i].moved = false;
	for (k = 0; k < members; k++)
		member[k].seen = member[k].of != i;
	while (str_cut(&text, ' ', &pid) == 0 &&
	    str_cut(&text, ' ', &start) == 0 && text.p != NULL &&
	    str_u64(pid, 1, INT_MAX, &id) == 0 &&
	    str_u64(start, 0, UINT64_MAX, &at) == 0) {
		m = find(i, (uint32_t)id);
		if (m != NULL && m->start != at)
			drop(q, m);
		if (m == NULL || m->pid == 0)
			m = add(q, i, (uint32_t)id, at);
		if (m != NULL)
			m->seen = true;
	}
	for (k = members; k-- > 0;)
		if (member[k].pid != 0 && !member[k].seen)
			drop(q, &member[k]);
	q[i].begun = true;
}
