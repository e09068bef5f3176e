/* Files and logs, in a directory of our own: as writers, logrotate and those
 * who set traps make them. */
#include <stdlib.h>
#include <sys/resource.h>
#define setrlimit test_setrlimit
int test_setrlimit(int what, const struct rlimit *l);
#include "../probe_file.c"
#undef setrlimit
#include "test.h"

/* A sanitizer's shadow memory is more than any bound. */
#ifdef __SANITIZE_ADDRESS__
#define BOUNDED	false
#else
#define BOUNDED	true
#endif

static char root[] = "/tmp/vilicus-file-XXXXXX";
static char text[LINE_BYTES * 2 + 4096];

static const char *
at(const char *name)
{
	static char path[2][PATH_MAX];
	static int which;

	which = !which;
	snprintf(path[which], sizeof path[which], "%s/%s", root, name);
	return path[which];
}

int
test_setrlimit(int what, const struct rlimit *l)
{
	return what == RLIMIT_AS && !BOUNDED ? 0 : setrlimit(what, l);
}

static void
put_bytes(const char *name, int flags, const char *p, size_t n)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | flags, 0600);

	CHECK(fd != -1 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

#define ADD(name, s)	put_bytes(name, O_APPEND, s, sizeof(s) - 1)
#define SET(name, s)	put_bytes(name, O_TRUNC, s, sizeof(s) - 1)

/* -- file -- */

static const struct {
	const char *params;
	int64_t age_ms, bytes;		/* age: the file's; bytes -1: none */
	enum status given;
	int64_t value;			/* -1: none */
	const char *says;
} judged[] = {
	{ "{}", 0, -1, STATUS_CRITICAL, -1, "it does not exist" },
	{ "{\"exists\":1}", 0, -1, STATUS_CRITICAL, -1, "it does not exist" },
	{ "{\"exists\":0}", 0, -1, STATUS_OK, -1, "" },
	{ "{\"exists\":0,\"max_age_s\":1,\"min_bytes\":1}", 0, -1, STATUS_OK,
	    -1, "" },
	{ "{\"exists\":0}", 1500, 7, STATUS_CRITICAL, 1500, "it exists" },
	{ "{}", 1500, 7, STATUS_OK, 1500, "" },
	{ "{\"max_age_s\":60}", 60999, 7, STATUS_OK, 60999, "" },
	{ "{\"max_age_s\":60}", 61000, 7, STATUS_CRITICAL, 61000,
	    "at most 60 expected" },
	{ "{\"max_age_s\":0}", 999, 7, STATUS_OK, 999, "" },
	{ "{\"min_bytes\":7,\"max_bytes\":7}", 0, 7, STATUS_OK, 0, "" },
	{ "{\"min_bytes\":8}", 0, 7, STATUS_CRITICAL, 0,
	    "7 bytes, at least 8 expected" },
	{ "{\"max_bytes\":6}", 0, 7, STATUS_CRITICAL, 0,
	    "7 bytes, at most 6 expected" },
	{ "{\"max_age_s\":1,\"max_bytes\":6}", 2000, 7, STATUS_CRITICAL, 2000,
	    "at most 1 expected, 7 bytes, at most 6 expected" },
	{ "{\"min_bytes\":1}", 0, 0, STATUS_CRITICAL, 0,
	    "0 bytes, at least 1 expected" },
	/* Written by a clock that is ahead: a little, and more. */
	{ "{\"max_age_s\":0}", -60000, 7, STATUS_OK, 0, "" },
	{ "{\"max_age_s\":0}", -60001, 7, STATUS_OK, 0,
	    "changed in the future" },
	{ "{}", 0, INT64_MAX, STATUS_OK, 0, "" },
};

static void
test_judge(void)
{
	const int64_t now_ms = INT64_C(1800000000123);
	struct probe_result r;
	struct stat s;
	size_t i;

	for (i = 0; i < COUNT(judged); i++) {
		int64_t t = now_ms - judged[i].age_ms;

		memset(&s, 0, sizeof s);
		memset(&r, 0, sizeof r);
		s.st_mtim.tv_sec = (time_t)(t / 1000);
		s.st_mtim.tv_nsec = (long)(t % 1000 * 1000000);
		s.st_size = judged[i].bytes;
		judge(str_of(judged[i].params), judged[i].bytes == -1 ? NULL :
		    &s, now_ms, &r);
		if (!CHECK_ROW(i, r.given == judged[i].given &&
		    strcmp(r.text, judged[i].says) == 0))
			printf("%d: %s\n", (int)r.given, r.text);
		CHECK_ROW(i, r.has_value == (judged[i].value != -1) &&
		    (!r.has_value || r.value == judged[i].value));
		CHECK_ROW(i, r.metrics == (judged[i].bytes != -1));
	}
}

static void
one_file(const char *name, struct probe_result *r)
{
	char params[PATH_MAX];
	struct probe_state st = { .primed = false };

	snprintf(params, sizeof params, "{\"path\":\"%s\"}",
	    name[0] == '/' ? name : at(name));
	memset(r, 0, sizeof *r);
	probe_file(str_of(params), &st, r);
}

/* Links within the first two directories of a path, and out of them. */
static void
test_links(void)
{
	struct probe_result r;
	char beside[64];

	SET("a", "12345");
	CHECK(mkdir(at("d"), 0700) == 0);
	SET("d/b", "1");
	CHECK(symlink("a", at("near")) == 0);
	CHECK(symlink("d/../near", at("twice")) == 0);
	CHECK(symlink("/etc/passwd", at("far")) == 0);
	CHECK(symlink("/etc", at("out")) == 0);
	CHECK(symlink("nothing", at("dangling")) == 0);
	CHECK(symlink("round", at("round")) == 0);
	one_file("a", &r);
	CHECK(r.given == STATUS_OK && r.has_value && r.value < 60000 &&
	    r.metrics == 1 && r.metric[0].value == 5000);
	one_file("twice", &r);
	CHECK(r.given == STATUS_OK && r.metric[0].value == 5000);
	one_file("d", &r);
	CHECK(r.given == STATUS_OK);
	one_file("far", &r);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value &&
	    strstr(r.text, "leads out of /tmp/") != NULL);
	one_file("out/passwd", &r);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
	one_file("d/../../../etc/passwd", &r);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
	snprintf(beside, sizeof beside, "%s-beside", root);
	CHECK(mkdir(beside, 0700) == 0 && symlink(beside, at("sibling")) == 0);
	one_file("sibling", &r);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
	CHECK(rmdir(beside) == 0 && unlink(at("sibling")) == 0);
	one_file("dangling", &r);
	CHECK(r.given == STATUS_CRITICAL && !r.has_value);
	one_file("a/b", &r);
	CHECK(r.given == STATUS_CRITICAL && !r.has_value);
	one_file("round", &r);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
	one_file("/tmp", &r);
	CHECK(r.given == STATUS_OK);
	one_file("/", &r);
	CHECK(r.given == STATUS_OK);
}

/* -- log -- */

static struct probe_state st;
static struct probe_result res;

/* A look at "log" for lines with an 'x': how many, or -1. */
static int64_t
look(size_t left)
{
	static struct look l;
	struct fail why = { "" };
	int fd = open(at("log"), O_RDONLY), rc;

	CHECK(fd != -1);
	memset(&res, 0, sizeof res);
	memset(&l, 0, sizeof l);
	l.left = left;
	l.until = clock() + 60 * CLOCKS_PER_SEC;
	CHECK(regcomp(&l.pattern, "x", REG_EXTENDED | REG_NOSUB) == 0);
	rc = look_on(&l, fd, at("log"), &st, &res, &why);
	regfree(&l.pattern);
	close(fd);
	return rc == 0 ? (int64_t)l.count : -1;
}

static void
start_over(void)
{
	memset(&st, 0, sizeof st);
	SET("log", "x before\n");
	CHECK(look(LOOK_MAX) == 0);		/* begins at its end */
}

static void
test_lines(void)
{
	size_t i;

	start_over();
	CHECK(look(LOOK_MAX) == 0);
	ADD("log", "x 1\nnone\nx 2\n\n");
	CHECK(look(LOOK_MAX) == 2 && look(LOOK_MAX) == 0);
	ADD("log", "begun");			/* waits for its end */
	CHECK(look(LOOK_MAX) == 0);
	ADD("log", " x");
	CHECK(look(LOOK_MAX) == 0);
	ADD("log", " and ended\n");
	CHECK(look(LOOK_MAX) == 1);
	ADD("log", "\0\0\0x\n\377\376\0 x\r\n\0\n");
	CHECK(look(LOOK_MAX) == 2);
	/* A line as long as may be, and two that are not. */
	memset(text, '-', sizeof text);
	text[LINE_BYTES - 2] = 'x';
	text[LINE_BYTES - 1] = '\n';
	put_bytes("log", O_APPEND, text, LINE_BYTES);
	CHECK(look(LOOK_MAX) == 1);
	text[LINE_BYTES - 1] = 'x';
	text[LINE_BYTES] = '\n';
	put_bytes("log", O_APPEND, text, LINE_BYTES + 1);
	CHECK(look(LOOK_MAX) == 1);
	text[LINE_BYTES] = 'x';
	text[LINE_BYTES + 1] = '\n';
	put_bytes("log", O_APPEND, text, LINE_BYTES + 2);
	CHECK(look(LOOK_MAX) == 2);		/* it counts as two */
	/* One without end is read in pieces, too. */
	put_bytes("log", O_APPEND, text, LINE_BYTES);
	CHECK(look(LOOK_MAX) == 1 && look(LOOK_MAX) == 0);
	ADD("log", "\n");
	CHECK(look(LOOK_MAX) == 0);
	/* Byte by byte. */
	for (i = 0; i < 8; i++) {
		put_bytes("log", O_APPEND, &"x\nx\n\nax\n"[i], 1);
		CHECK_ROW(i, look(LOOK_MAX) == (i == 1 || i == 3 || i == 7));
	}
}

/* More than is read at once: nothing is lost, and it says so. */
static void
test_much(void)
{
	int i, n, k = 0;

	start_over();
	for (i = 0; i < (int)sizeof text; i += 64)
		memcpy(text + i, "x--------------------------------------------"
		    "-----------------x\n", 64);
	for (i = 0; i < 4; i++)
		put_bytes("log", O_APPEND, text, LINE_BYTES * 2);
	n = (int)look(LINE_BYTES);
	CHECK(n == LINE_BYTES / 64 && strstr(res.text, "next time") != NULL);
	for (; k < 20 && res.text[0] != '\0'; k++)
		n += (int)look(LINE_BYTES);
	CHECK(n == LINE_BYTES / 8 && k < 20 && look(1) == 0);
}

/* It is renamed and made anew, as logrotate does it: what was written before,
 * and what its writer still writes to it. */
static void
test_rename(void)
{
	int n, i;

	start_over();
	ADD("log", "x 1\n");
	CHECK(rename(at("log"), at("log.1")) == 0);
	ADD("log.1", "x 2\nx no end");
	SET("log", "x 3\n");
	CHECK(look(LOOK_MAX) == 3 && res.text[0] == '\0');
	ADD("log.1", ": x\nx its last line");
	CHECK(look(LOOK_MAX) == 2);
	ADD("log.1", "\nx never\n");		/* twice, then no more */
	CHECK(look(LOOK_MAX) == 0);
	/* By another name; and a look while there is no log. */
	ADD("log", "x 4\n");
	CHECK(rename(at("log"), at("old-2026")) == 0);
	SET("log", "x 5\n");
	CHECK(look(LOOK_MAX) == 2);
	/* Gone for good: that is said. */
	CHECK(look(LOOK_MAX) == 0);
	CHECK(rename(at("log"), at("d/elsewhere")) == 0);
	SET("log", "x 6\n");
	CHECK(look(LOOK_MAX) == 1 && strstr(res.text, "not there") != NULL);
	CHECK(look(LOOK_MAX) == 0 && res.text[0] == '\0');
	/* Much was left in the one before. */
	CHECK(rename(at("log"), at("log.2")) == 0);
	for (i = 0; i < 2; i++) {
		ADD("log.2", "y\n");	/* each piece ends within a line */
		put_bytes("log.2", O_APPEND, text, LINE_BYTES);
	}
	SET("log", "x 7\n");
	n = (int)look(1);
	CHECK(n == LINE_BYTES / 64 - 1 && res.text[0] != '\0');
	for (i = 0; i < 8; i++)
		n += (int)look(LINE_BYTES - 128);
	CHECK(n == LINE_BYTES / 32 + 1 && res.text[0] == '\0');
}

/* It is emptied, or removed and its inode given to the next. */
static void
test_truncate(void)
{
	struct stat a, b;

	start_over();
	ADD("log", "x a long line\n");
	CHECK(look(LOOK_MAX) == 1);
	SET("log", "");
	CHECK(look(LOOK_MAX) == 0);
	ADD("log", "x 1\n");
	CHECK(look(LOOK_MAX) == 1);
	SET("log", "x 2\nx 3\nx 4, and longer than it was before that\n");
	CHECK(look(LOOK_MAX) == 3);
	SET("log", "x");
	CHECK(look(LOOK_MAX) == 0);
	ADD("log", "\n");
	CHECK(look(LOOK_MAX) == 1);
	CHECK(stat(at("log"), &a) == 0 && unlink(at("log")) == 0);
	SET("log", "y 1\nx 2\nx 3\n");
	CHECK(stat(at("log"), &b) == 0);
	CHECK(look(LOOK_MAX) == 2);
	if (a.st_ino != b.st_ino)
		printf("no inode was used again here\n");
	/* Another's file has the inode of the one before. */
	CHECK(look(LOOK_MAX) == 0);
	CHECK(unlink(at("log")) == 0);
	SET("other", "x 1\nx 2\nx 3\nx 4\nx 5\n");
	SET("log", "x new\n");
	CHECK(look(LOOK_MAX) == 1);
}

/* -- through the whole, which bounds its process: in children -- */

static struct probe_state whole;

static int
child(const char *pattern, const char *name, struct probe_result *r)
{
	static struct probe_job job;
	static struct probe_run run;
	static char params[PATH_MAX];
	struct fail why;
	int64_t i;

	snprintf(params, sizeof params, "{\"path\":\"%s\",\"pattern\":\"%s\"}",
	    at(name), pattern);
	job = (struct probe_job){ .type = check_type(STR("log")), .params =
	    str_of(params), .state = &whole };
	if (!CHECK(probe_begin(&job, &run, 0, &why) == 0))
		return -1;
	for (i = 0; i < 1500 && !probe_end(&job, &run, 0); i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	for (i = 0; i < 500 && !probe_reap(&run); i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	*r = job.r;
	return r->has_value ? (int)(r->value / 1000) : -1;
}

static void
test_whole(void)
{
	struct probe_result r;
	int n;

	/* One that is not there yet will be new, all of it. */
	CHECK(unlink(at("log")) == 0);
	CHECK(child("x", "log", &r) == -1 && whole.primed);
	SET("log", "x 1\nx 22\ny 3\n");
	CHECK(child("x [0-9]{2}$|^y", "log", &r) == 2 &&
	    r.given == STATUS_NONE);
	CHECK(child("x", "log", &r) == 0);
	CHECK(child("(", "log", &r) == -1 && r.given == STATUS_UNKNOWN &&
	    strncmp(r.text, "pattern: ", 9) == 0);
	CHECK(child("x", "absent", &r) == -1 && r.given == STATUS_UNKNOWN &&
	    strstr(r.text, "/absent does not exist") != NULL);
	CHECK(child("x", "far", &r) == -1 && r.given == STATUS_UNKNOWN);
	CHECK(child("x", "d", &r) == -1 && strstr(r.text, "regular") != NULL);
	CHECK(mkfifo(at("fifo"), 0600) == 0);
	CHECK(child("x", "fifo", &r) == -1 && r.given == STATUS_UNKNOWN);
	/* One that takes all memory, and one that takes time without end:
	 * they take their own child's. */
	if (BOUNDED)
		CHECK(child("((((((((a{1,255}){1,255}){1,255}){1,255}){1,255})"
		    "{1,255}){1,255}){1,255})", "log", &r) == -1 &&
		    r.given == STATUS_UNKNOWN &&
		    strncmp(r.text, "pattern: ", 9) == 0);
	memset(text, 'a', 30000);
	put_bytes("log", O_TRUNC, text, 30000);
	ADD("log", "\n");
	n = child("(a*)*(a*)*(a|b)*\\\\1\\\\2c", "log", &r);
	CHECK(n == 0 || (n == -1 && r.given == STATUS_UNKNOWN));
}

static void
clean(void)
{
	static const char *const names[] = { "log", "log.1", "log.2",
	    "old-2026", "other", "fifo", "a", "near", "twice", "far", "out",
	    "dangling", "round", "d/b", "d/elsewhere" };

	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(at(names[i]));
	(void)rmdir(at("d"));
	CHECK(rmdir(root) == 0);
}

int
main(void)
{
	if (!CHECK(mkdtemp(root) != NULL))
		return test_end();
	test_judge();
	test_links();
	test_lines();
	test_much();
	test_rename();
	test_truncate();
	test_whole();
	clean();
	return test_end();
}
