/*
 * probe_file.c: file and log checks.
 *
 * A log is read from where the last look ended.  state.v is the device, then
 * a place in the file of this name, then one in the file before it, which was
 * renamed (rotated) and is looked for by its inode in the same directory: at
 * once, and again at the next look, since its writer may have kept it open.
 * A place has a mark of the bytes before it.  Where the mark is another, it is
 * another file: it was truncated, or the inode is a new one's; so it is read
 * from its start.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "probe_impl.h"
#include "proc.h"

#define LOOK_MAX	4194304		/* bytes of a log at a look */
#define LINE_BYTES	65536		/* of a line; a longer one is several */
#define MARK		64		/* bytes that are marked */
#define NAMES_MAX	4096		/* looked at, in a directory */
#define CLOCKS_MS	60000		/* that two clocks may differ */
#define CPU_S		3		/* for the child */
#define CPU_LOOK	CLOCKS_PER_SEC	/* and then the rest can wait */
#define MEMORY_MAX	67108864	/* bytes, for an expression */

const char *const probe_file_metrics[] = { "bytes", NULL };

/*
 * Where path really is, into real.  A symbolic link must not lead out of the
 * first two directories of the path (/var/log), wherever those may be.  0;
 * 1: there is no such file; or -1.
 */
static int
resolve(const char *path, char real[PATH_MAX], struct fail *why)
{
	char dir[PATH_MAX], top[PATH_MAX], *end;
	size_t n;

	if (path[0] != '/' || str_copy(dir, sizeof dir, str_of(path)) == -1)
		return fail(why, "path: not one from / on");
	if (proc_real(path, real) == -1)
		return errno == ENOENT || errno == ENOTDIR ? 1 :
		    fail_errno(why, "%s", path);
	end = strchr(dir + 1, '/');
	if (end == NULL)
		return 0;
	if (strchr(end + 1, '/') != NULL)
		end = strchr(end + 1, '/');
	*end = '\0';
	if (proc_real(dir, top) == -1)
		return fail_errno(why, "%s", dir);
	n = strlen(top);
	return strncmp(real, top, n) == 0 &&
	    (real[n] == '/' || real[n] == '\0') ? 0 :
	    fail(why, "%s: a symbolic link leads out of %s", path, dir);
}

/* -- file -- */

/* A limit, where it is given and passed: say so. */
static void
limit(struct str params, const char *name, bool most, int64_t v,
    const char *unit, struct buf *b)
{
	int64_t max;

	if (check_param_int(params, name, 0, INT64_MAX, &max) == -1 ||
	    (most ? v <= max : v >= max))
		return;
	buf_addz(b, b->n > 0 ? ", " : "");
	if (unit[0] != '\0')
		buf_addf(b, "%lld %s, ", (long long)v, unit);
	buf_addf(b, "at %s %lld expected", most ? "most" : "least",
	    (long long)max);
}

/* What there is to say of a file; NULL: there is none. */
static void
judge(struct str params, const struct stat *s, int64_t now_ms,
    struct probe_result *r)
{
	struct buf b = { r->text, 0, sizeof r->text - 1, false };
	int64_t exists = 1, age_ms;

	(void)check_param_int(params, "exists", 0, 1, &exists);
	if (s == NULL) {
		buf_addz(&b, exists ? "it does not exist" : "");
	} else {
		age_ms = now_ms - ((int64_t)s->st_mtim.tv_sec * 1000 +
		    s->st_mtim.tv_nsec / 1000000);
		probe_value(r, age_ms < 0 ? 0 : age_ms);
		probe_metric(r, "bytes", probe_milli((uint64_t)s->st_size));
		buf_addz(&b, exists ? "" : "it exists");
		limit(params, "max_age_s", true, age_ms / 1000, "", &b);
		limit(params, "min_bytes", false, s->st_size, "bytes", &b);
		limit(params, "max_bytes", true, s->st_size, "bytes", &b);
	}
	r->given = b.n > 0 ? STATUS_CRITICAL : STATUS_OK;
	/* Its clock, or that of who wrote it, is wrong. */
	if (s != NULL && b.n == 0 && age_ms < -CLOCKS_MS)
		buf_addz(&b, "changed in the future");
	r->text[b.n] = '\0';
}

void
probe_file(struct str params, struct probe_state *st, struct probe_result *r)
{
	char path[CHECK_TEXT_MAX + 1], real[PATH_MAX];
	struct timespec now;
	struct fail why;
	struct stat s;
	int rc;

	(void)st;
	(void)check_param_text(params, "path", path, sizeof path);
	rc = resolve(path, real, &why);
	if (rc == 0 && stat(real, &s) == -1)
		rc = errno == ENOENT ? 1 : fail_errno(&why, "%s", path);
	if (rc == 0 && clock_gettime(CLOCK_REALTIME, &now) == -1)
		rc = fail_errno(&why, "clock");
	if (rc == -1)
		probe_unknown(r, "%s", why.msg);
	else
		judge(params, rc == 0 ? &s : NULL, rc == 0 ? (int64_t)
		    now.tv_sec * 1000 + now.tv_nsec / 1000000 : 0, r);
}

/* -- log -- */

struct place {
	uint64_t inode, at, mark;
};

struct look {
	regex_t pattern;
	size_t left;		/* bytes that may yet be read */
	clock_t until;		/* CPU time */
	uint64_t count;		/* lines that match */
	bool failed;		/* the pattern did, on a line */
	char text[LINE_BYTES + 1];
};

/* A hash (FNV-1a) of what is right before a place: of less, if the file ends
 * before it. */
static uint64_t
mark_of(int fd, uint64_t at)
{
	unsigned char p[MARK];
	size_t want = at < sizeof p ? (size_t)at : sizeof p;
	ssize_t n = pread(fd, p, want, (off_t)(at - want));
	uint64_t h = UINT64_C(14695981039346656037);

	for (ssize_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

/* Count among the first n bytes of l->text, the lines that end there; all:
 * what is behind them is one, too.  The bytes that they have. */
static size_t
count_lines(struct look *l, size_t n, bool all)
{
	size_t at = 0, len;
	char *end;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (l->text[i] == '\0')
			l->text[i] = ' ';	/* no end for regexec */
	while (at < n && !l->failed) {
		end = memchr(l->text + at, '\n', n - at);
		if (end == NULL && !all && !(at == 0 && n == LINE_BYTES))
			break;
		len = end == NULL ? n - at : (size_t)(end - l->text) - at;
		l->text[at + len] = '\0';
		rc = regexec(&l->pattern, l->text + at, 0, NULL, 0);
		l->count += rc == 0;
		l->failed = rc != 0 && rc != REG_NOMATCH;
		at += len + (end != NULL);
	}
	return at;
}

/* Count in fd from p on, which moves.  final: its last line will not go on.
 * 0; 1: there may be more; or -1. */
static int
read_on(struct look *l, int fd, struct place *p, bool final)
{
	size_t used = 1;
	ssize_t n = 0;

	while (used > 0 && l->left > 0 && clock() < l->until && !l->failed) {
		n = pread(fd, l->text, LINE_BYTES, (off_t)p->at);
		if (n <= 0)
			break;
		used = count_lines(l, (size_t)n, final && n < LINE_BYTES);
		p->at += used;
		l->left -= used < l->left ? used : l->left;
	}
	p->mark = mark_of(fd, p->at);
	return n <= 0 ? (int)n : used > 0;
}

/* Open the file that p is in, in the same directory as path.  -1: it is not
 * there any more. */
static int
open_old(const char *path, uint64_t device, const struct place *p)
{
	char dir[PATH_MAX];
	struct dirent *e;
	struct stat s;
	unsigned n = 0;
	int fd = -1;
	DIR *d;

	(void)str_copy(dir, sizeof dir, (struct str){ path,
	    (size_t)(strrchr(path, '/') - path) + 1 });
	d = opendir(dir);
	while (d != NULL && fd == -1 && n++ < NAMES_MAX &&
	    (e = readdir(d)) != NULL)
		if (fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) ==
		    0 && S_ISREG(s.st_mode) && s.st_ino == p->inode &&
		    s.st_dev == device)
			fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC |
			    O_NOFOLLOW | O_NONBLOCK);
	if (d != NULL)
		(void)closedir(d);
	if (fd != -1 && mark_of(fd, p->at) != p->mark) {
		close(fd);		/* another's inode by now */
		fd = -1;
	}
	return fd;
}

/* Look on in the log fd, whose path is. */
static int
look_on(struct look *l, int fd, const char *path, struct probe_state *st,
    struct probe_result *r, struct fail *why)
{
	struct place now = { st->v[1], st->v[2], st->v[3] },
	    was = { st->v[4], st->v[5], st->v[6] };
	bool first = !st->primed, renamed = false;
	int rc = 0, more = 0, old;
	struct stat s;

	if (fstat(fd, &s) == -1)
		return fail_errno(why, "%s", path);
	if (!S_ISREG(s.st_mode))
		return fail(why, "%s: not a regular file", path);
	if (first) {
		now.at = (uint64_t)s.st_size;
		now.mark = mark_of(fd, now.at);
	} else if (s.st_ino != now.inode || s.st_dev != st->v[0]) {
		renamed = true;
		was = now;
		now.at = 0;
	} else if (mark_of(fd, now.at) != now.mark) {
		now.at = 0;
	}
	now.inode = s.st_ino;
	if (was.inode != 0) {
		old = open_old(path, st->v[0], &was);
		if (old == -1 && renamed)
			str_copy(r->text, sizeof r->text, STR("the end of "
			    "the file before it was not there to be read"));
		if (old != -1) {
			more = read_on(l, old, &was, !renamed);
			close(old);
		}
		if (old == -1 || (!renamed && more == 0))
			was.inode = 0;
	}
	if (more != -1)
		rc = read_on(l, fd, &now, false);
	if (more == -1 || rc == -1)
		return fail_errno(why, "%s", path);
	if (l->failed)
		return fail(why, "pattern: too much memory for a line");
	if (more + rc > 0)
		str_copy(r->text, sizeof r->text, STR("more is new than is "
		    "read at once; the rest comes the next time"));
	*st = (struct probe_state){ { s.st_dev, now.inode, now.at, now.mark,
	    was.inode, was.at, was.mark }, true };
	return 0;
}

/* In the child, whose memory and CPU time a pattern can use up. */
static void
bound(void)
{
	struct rlimit cpu = { CPU_S, CPU_S }, memory = { MEMORY_MAX,
	    MEMORY_MAX };

	(void)setrlimit(RLIMIT_CPU, &cpu);
	(void)setrlimit(RLIMIT_AS, &memory);
}

void
probe_log(struct str params, struct probe_state *st, struct probe_result *r)
{
	struct look l = { .left = LOOK_MAX, .until = clock() + CPU_LOOK };
	char path[CHECK_TEXT_MAX + 1], pattern[CHECK_TEXT_MAX + 1],
	    real[PATH_MAX], text[128];
	struct fail why;
	int rc, fd;

	bound();
	(void)check_param_text(params, "path", path, sizeof path);
	(void)check_param_text(params, "pattern", pattern, sizeof pattern);
	rc = regcomp(&l.pattern, pattern, REG_EXTENDED | REG_NOSUB);
	if (rc != 0) {
		(void)regerror(rc, &l.pattern, text, sizeof text);
		probe_unknown(r, "pattern: %s", text);
		return;
	}
	rc = resolve(path, real, &why);
	if (rc == 0) {
		fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		    O_NONBLOCK | O_NOCTTY);
		rc = fd == -1 ? fail_errno(&why, "%s", path) :
		    look_on(&l, fd, real, st, r, &why);
		if (fd != -1)
			close(fd);
	} else if (rc == 1) {
		/* When it comes, all of it will be new. */
		st->primed = true;
		rc = fail(&why, "%s does not exist", path);
	}
	regfree(&l.pattern);
	if (rc == 0)
		probe_value(r, probe_milli(l.count));
	else
		probe_unknown(r, "%s", why.msg);
}
