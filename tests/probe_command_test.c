/* Plugins: their words, their numbers, how they end, and those that do not. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#define probe_command test_command	/* beside the one of probe_command.o */
#include "../probe_command.c"
#include "test.h"

static char root[] = "/tmp/vilicus-command-XXXXXX";

static const char *
at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return path;
}

static void
script(const char *text)
{
	int fd = open(at("p"), O_WRONLY | O_CREAT | O_TRUNC, 0700);

	CHECK(fd != -1 && dprintf(fd, "#!/bin/sh\n%s\n", text) > 0);
	close(fd);
}

static struct probe_result
run(const char *params)
{
	struct probe_result r = { .given = STATUS_NONE };
	struct probe_state st = { .primed = false };

	test_command(str_of(params), &st, &r);
	return r;
}

#define NONE	INT64_MIN

static const struct {
	const char *data;
	int64_t v;
} numbers[] = {
	{ "time=0.012345s;1.0;5;0;10", 12 },
	{ "time=12.5ms", 12500 },
	{ "/=2643MB;5948;5958;0;5968 /boot=68MB", 2643000 },
	{ "'a label'=1", 1000 },
	{ "'it''s = here'=2;;", 2000 },
	{ "'a'=x b=3", 3000 },
	{ "'a=7", NONE },
	{ "a=U b=4", 4000 },
	{ "a=U", NONE },
	{ "a=-5%", -5000 },
	{ "a=+5%", 5000 },
	{ "a=.5", 500 },
	{ "a=-.5c", -500 },
	{ "a=007", 7000 },
	{ "a=0", 0 },
	{ "a=00.25", 250 },
	{ "a=1e3B", 1000000 },
	{ "a=1.5E-2", 15 },
	{ "a=2e", NONE },
	{ "a=1,5", NONE },
	{ "a=1.2.3", NONE },
	{ "a=9e18", NONE },
	{ "a=9000000000000000", MILLI_MAX },
	{ "a=123456789012345678901234567890123456789", NONE },
	{ "a=", NONE }, { "=", NONE }, { "a", NONE }, { "", NONE },
	{ "'", NONE }, { "''", NONE }, { "''''=", NONE }, { " ", NONE },
	{ "a=-", NONE }, { "a=.", NONE }, { "a=;5", NONE },
	{ "load1=0.660;15.000;30.000;0; load5=0.3", 660 },
	{ "  size=1B  ", 1000 },
};

static void
test_numbers(void)
{
	size_t i, n;
	int64_t v;

	for (i = 0; i < COUNT(numbers); i++) {
		v = NONE;
		(void)first_number(str_of(numbers[i].data), &v);
		if (!CHECK_ROW(i, v == numbers[i].v))
			printf("%lld\n", (long long)v);
		for (n = 0; n < strlen(numbers[i].data); n++) {
			char *copy = malloc(n + 1);

			if (copy == NULL)
				return;
			memcpy(copy, numbers[i].data, n);
			(void)first_number((struct str){ copy, n }, &v);
			free(copy);
		}
	}
}

static const struct {
	const char *args;
	int n;				/* -1: wrong */
	const char *want[4];
} cuts[] = {
	{ "", 0, { NULL } },
	{ "   ", 0, { NULL } },
	{ "-w 5", 2, { "-w", "5" } },
	{ "  a   b  ", 2, { "a", "b" } },
	{ "-m \"a b\" c", 3, { "-m", "a b", "c" } },
	{ "x\"a b\"y", 1, { "xa by" } },
	{ "\"\" \"\"", 2, { "", "" } },
	{ "'a b' $(x) ; |", 5, { "'a", "b'", "$(x)", ";" } },
	{ "\"", -1, { NULL } },
	{ "a \"b", -1, { NULL } },
};

static void
test_words(void)
{
	char *argv[WORDS_MAX], room[1024], many[2 * WORDS_MAX + 1];
	struct fail why;
	struct buf b;
	size_t i;
	int n, k;

	for (i = 0; i < COUNT(cuts); i++) {
		buf_init(&b, room, sizeof room);
		n = cut_words(cuts[i].args, argv, 0, &b, &why);
		CHECK_ROW(i, (n == -1) == (cuts[i].n == -1));
		for (k = 0; n == 0 && argv[k] != NULL; k++)
			CHECK_ROW(i, k >= 4 || strcmp(argv[k],
			    cuts[i].want[k]) == 0);
		CHECK_ROW(i, n == -1 || k == cuts[i].n);
	}
	for (k = WORDS_MAX - 2; k < WORDS_MAX; k++) {
		for (n = 0; n < k; n++)
			memcpy(many + 2 * n, "a ", 2);
		many[2 * k] = '\0';
		buf_init(&b, room, sizeof room);
		CHECK_ROW(k, cut_words(many, argv, 1, &b, &why) ==
		    (k == WORDS_MAX - 2 ? 0 : -1));
	}
}

static const struct {
	const char *text, *args;
	enum status given;
	int64_t v;
	const char *says;
} scripts[] = {
	{ "echo 'OK - fine | a=1'", "", STATUS_OK, 1000, "OK - fine" },
	{ "echo 'W|a=2;b'; echo 'more|b=3'; exit 1", "", STATUS_WARNING, 2000,
	    "W" },
	{ "echo C; exit 2", "", STATUS_CRITICAL, NONE, "C" },
	{ "echo U; exit 3", "", STATUS_UNKNOWN, NONE, "U" },
	{ "echo X; exit 4", "", STATUS_UNKNOWN, NONE, "exit 4: X" },
	{ "exit 255", "", STATUS_UNKNOWN, NONE, "exit 255" },
	{ "exit 0", "", STATUS_OK, NONE, "" },
	{ "kill -9 $$", "", STATUS_UNKNOWN, NONE, "ended by signal 9" },
	{ "echo why >&2; exit 3", "", STATUS_UNKNOWN, NONE, "why" },
	{ "echo '| a=5'", "", STATUS_OK, 5000, "" },
	{ "printf 'a\\033[31mb\\377\\r\\n'", "", STATUS_OK, NONE,
	    "a?[31mb?" },
	{ "printf 'a\\0b'", "", STATUS_OK, NONE, "a" },
	{ "for a; do printf '<%s>' \"$a\"; done", "-m \\\"a b\\\" $(x) '*'",
	    STATUS_OK, NONE, "<-m><a b><$(x)><'*'>" },
	{ "env | grep -v ^PWD= | grep -v ^_= | grep -v ^SHLVL= | sort | "
	    "tr '\\n' ' '", "", STATUS_OK, NONE, "LC_ALL=C PATH=/usr/local/"
	    "sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
	/* What leaves others behind is over when it is. */
	{ "sleep 30 & echo left", "", STATUS_OK, NONE, "left" },
	{ "setsid sleep 2 & echo left", "", STATUS_OK, NONE, "left" },
	{ "exec >&- 2>&-; sleep 0.1; exit 2", "", STATUS_CRITICAL, NONE, "" },
	{ "head -c 300000 /dev/zero | tr '\\0' x", "", STATUS_OK, NONE, NULL },
	{ "exec yes", "", STATUS_UNKNOWN, NONE, "killed after 500 ms" },
	{ "exec >&- 2>&-; exec sleep 30", "", STATUS_UNKNOWN, NONE,
	    "killed after 500 ms" },
	{ "trap '' TERM INT HUP; while :; do sleep 30; done", "",
	    STATUS_UNKNOWN, NONE, "killed after 500 ms" },
};

static void
test_scripts(void)
{
	char params[512];
	struct probe_result r;
	size_t i;

	for (i = 0; i < COUNT(scripts); i++) {
		script(scripts[i].text);
		snprintf(params, sizeof params, "{\"program\":\"p\"%s%s%s,"
		    "\"timeout_ms\":%d}", scripts[i].args[0] != '\0' ?
		    ",\"args\":\"" : "", scripts[i].args,
		    scripts[i].args[0] != '\0' ? "\"" : "",
		    scripts[i].says != NULL && strncmp(scripts[i].says,
		    "killed", 6) == 0 ? 500 : 5000);
		r = run(params);
		if (!CHECK_ROW(i, r.given == scripts[i].given &&
		    (scripts[i].says == NULL ? strlen(r.text) == 255 :
		    strcmp(r.text, scripts[i].says) == 0)))
			printf("%d: %s\n", (int)r.given, r.text);
		CHECK_ROW(i, (r.has_value ? r.value : NONE) == scripts[i].v);
	}
}

static void
test_none(void)
{
	static const char *const params[] = { "{\"program\":\"absent\"}",
	    "{\"program\":\"../p\"}", "{\"program\":\"..\"}",
	    "{\"program\":\".\"}", "{\"program\":\"x/../p\"}",
	    "{\"program\":\"/bin/true\"}", "{}",
	    "{\"program\":\"p\",\"args\":\"\\\"\"}" };
	struct probe_result r;
	size_t i;

	CHECK(mkdir(at("x"), 0700) == 0);
	for (i = 0; i < COUNT(params); i++) {
		r = run(params[i]);
		CHECK_ROW(i, r.given == STATUS_UNKNOWN && !r.has_value &&
		    r.text[0] != '\0');
		CHECK_ROW(i, strchr(params[i], '/') == NULL || strcmp(r.text,
		    "program: not the name of a file") == 0);
	}
	CHECK(rmdir(at("x")) == 0 && chmod(at("p"), 0600) == 0);
	r = run("{\"program\":\"p\"}");
	CHECK(r.given == STATUS_UNKNOWN && strcmp(r.text, "exit 127: cannot be "
	    "run: Permission denied") == 0);
	CHECK(chmod(at("p"), 0700) == 0);
	probe_programs = NULL;
	r = run("{\"program\":\"p\"}");
	CHECK(r.given == STATUS_UNKNOWN && strstr(r.text, "-P") != NULL);
	probe_programs = root;
}

/* -- in a child, as the agent does -- */

static int
pid_in(const char *name)
{
	char text[16] = "";
	int fd = open(at(name), O_RDONLY);

	if (fd != -1) {
		if (read(fd, text, sizeof text - 1) == -1)
			text[0] = '\0';
		close(fd);
	}
	return (int)strtol(text, NULL, 10);
}

/* Is it running?  What is dead and nobody reaps here is not. */
static bool
alive(int pid)
{
	char path[64], text[256] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd == -1 || read(fd, text, sizeof text - 1) <= 0)
		text[0] = '\0';
	if (fd != -1)
		close(fd);
	return text[0] != '\0' && strstr(text, ") Z ") == NULL;
}

static bool
ends(int pid)
{
	for (int i = 0; i < 200 && alive(pid); i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	return pid > 0 && !alive(pid);
}

/* All of it ends: with its result, when its time is up, when it is dropped,
 * when its child dies. */
static void
test_group(void)
{
	static const char *const texts[] = {
		"sleep 60 & echo $! >pid; echo left",
		"sleep 60 & echo $! >pid; wait",
		"trap '' TERM; (sleep 60; :) & echo $! >pid; sleep 60",
		"trap '' TERM; (sleep 60; :) & echo $! >pid; sleep 60",
	};
	static struct probe_state st;
	struct probe_job job = { .type = check_type(STR("command")),
	    .params = STR("{\"program\":\"p\",\"timeout_ms\":600}"),
	    .state = &st };
	struct probe_run r = { 0 };
	char text[512];
	struct fail why;
	int i, k, pid;

	for (i = 0; i < (int)COUNT(texts); i++) {
		(void)unlink(at("pid"));
		snprintf(text, sizeof text, "cd %s\n%s", root, texts[i]);
		script(text);
		if (!CHECK_ROW(i, probe_begin(&job, &r, 0, &why) == 0))
			return;
		for (k = 0; k < 300 && pid_in("pid") == 0; k++)
			nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		pid = pid_in("pid");
		CHECK_ROW(i, pid > 0);
		if (i == 2)
			probe_drop(&r);
		if (i == 3)
			kill(r.pid, SIGKILL);
		for (k = 0; i != 2 && k < 1000 && !probe_end(&job, &r, 0); k++)
			nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		CHECK_ROW(i, ends(pid));
		CHECK_ROW(i, i != 0 || (job.r.given == STATUS_OK &&
		    strcmp(job.r.text, "left") == 0));
		CHECK_ROW(i, i != 1 || (job.r.given == STATUS_UNKNOWN &&
		    strcmp(job.r.text, "killed after 600 ms") == 0));
		for (k = 0; k < 500 && !probe_reap(&r); k++)
			nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		CHECK_ROW(i, r.pid == 0);
	}
}

int
main(void)
{
	if (!CHECK(mkdtemp(root) != NULL))
		return test_end();
	probe_programs = root;
	test_numbers();
	test_words();
	test_scripts();
	test_none();
	test_group();
	(void)unlink(at("p"));
	(void)unlink(at("pid"));
	CHECK(rmdir(root) == 0);
	return test_end();
}
