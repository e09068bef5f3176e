/* The channel that is a program: real ones, by /bin/sh scripts. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "channel_help.h"
#include "../loop.h"
#undef CHANNEL_EXEC_MS
#define CHANNEL_EXEC_MS	1500
#include "../channel_exec.c"

static char dir[] = "/tmp/channel_exec_test.XXXXXX";

static struct channel_outcome
run(const char *program, const char *message)
{
	struct channel_outcome o = { .end = CHANNEL_REFUSED };
	static char job[16384];

	snprintf(job, sizeof job, "{\"channel\":\"exec\",\"program\":"
	    "\"%s/%s\",\"title\":\"T $(id) 'x'\",\"message\":\"%s\",\"id\":7,"
	    "\"severity\":\"critical\",\"link\":\"https://v/\"}", dir, program,
	    message);
	channel_exec(str_of(job), &o);
	return o;
}

static void
script(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/p", dir);
	f = fopen(path, "w");
	if (!CHECK(f != NULL))
		return;
	fprintf(f, "#!/bin/sh\n%s\n", text);
	CHECK(fclose(f) == 0 && chmod(path, 0700) == 0);
}

static const struct {
	const char *text;
	int end, code;
	const char *id, *reason;
} scripts[] = {
	{ "cat >/dev/null; echo id-1; echo more", CHANNEL_ACCEPTED, 0, "id-1",
	    "" },
	{ "exit 0", CHANNEL_ACCEPTED, 0, "", "" },
	{ "echo why >&2; echo more >&2; exit 75", CHANNEL_RETRY, 75, "",
	    "exit 75: why" },
	{ "echo 'b\033[ad' >&2; exit 1", CHANNEL_REFUSED, 1, "",
	    "exit 1: b?[ad" },
	{ "exit 3", CHANNEL_REFUSED, 3, "", "exit 3" },
	{ "exit 255", CHANNEL_REFUSED, 255, "", "exit 255" },
	{ "kill -9 $$", CHANNEL_UNKNOWN, 0, "", "ended by signal 9" },
	/* Argument, environment, input. */
	{ "[ $# = 1 ] && echo \"$1\"", CHANNEL_ACCEPTED, 0, "T $(id) 'x'", "" },
	{ "echo \"$VILICUS_SEVERITY $VILICUS_ID $VILICUS_LINK\"",
	    CHANNEL_ACCEPTED, 0, "critical 7 https://v/", "" },
	{ "echo \"$VILICUS_TITLE\"", CHANNEL_ACCEPTED, 0, "T $(id) 'x'", "" },
	{ "echo $HOME$LEAK$(env | grep -c VILICUS_)", CHANNEL_ACCEPTED, 0,
	    "4", "" },
	{ "cat", CHANNEL_ACCEPTED, 0, "the message", "" },
	{ "ls /proc/self/fd | grep -v '^[0-3]$'; exit 0", CHANNEL_ACCEPTED, 0,
	    "", "" },
	{ "[ \"$(ps -o pgid= -p $$ | tr -d ' ')\" = $$ ] || exit 9",
	    CHANNEL_ACCEPTED, 0, "", "" },
	/* One that closes its output and goes on, and one that leaves a
	 * child behind. */
	{ "exec <&- >&- 2>&-; sleep 0.2; exit 5", CHANNEL_REFUSED, 5, "",
	    "exit 5" },
	{ "sleep 30 & echo left; exit 0", CHANNEL_ACCEPTED, 0, "left", "" },
	/* More than a pipe holds. */
	{ "head -c 300000 /dev/zero | tr '\\0' x >&2; echo a", CHANNEL_ACCEPTED,
	    0, "a", "" },
	{ "sleep 30", CHANNEL_UNKNOWN, 0, "", "killed after 1 s" },
	/* One that never stops to speak. */
	{ "exec yes", CHANNEL_UNKNOWN, 0, "", "killed after 1 s" },
	{ "exec yes >&2", CHANNEL_UNKNOWN, 0, "", "killed after 1 s" },
	{ "trap '' TERM; (sleep 30; echo x >/dev/null) ; sleep 30",
	    CHANNEL_UNKNOWN, 0, "", "killed after 1 s" },
};

static void
test_scripts(void)
{
	struct channel_outcome o;
	size_t i;
	int64_t then;

	CHECK(setenv("LEAK", "leak", 1) == 0);
	for (i = 0; i < COUNT(scripts); i++) {
		script(scripts[i].text);
		then = loop_mono_ms();
		o = run("p", "the message");
		if (!CHECK_ROW(i, (int)o.end == scripts[i].end &&
		    o.code == scripts[i].code &&
		    strcmp(o.id, scripts[i].id) == 0 &&
		    strcmp(o.reason, scripts[i].reason) == 0))
			printf("end %d code %d id %s: %s\n", (int)o.end,
			    o.code, o.id, o.reason);
		CHECK_ROW(i, loop_mono_ms() - then < 4000);
	}
}

/* The whole group goes when its time is up. */
static void
test_group(void)
{
	char path[128], text[256];
	struct channel_outcome o;
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof path, "%s/pid", dir);
	snprintf(text, sizeof text, "sleep 30 & echo $! >%s; wait", path);
	script(text);
	o = run("p", "");
	CHECK(o.end == CHANNEL_UNKNOWN);
	f = fopen(path, "r");
	if (CHECK(f != NULL && fgets(text, sizeof text, f) != NULL))
		pid = (int)strtol(text, NULL, 10);
	if (f != NULL)
		fclose(f);
	/* Gone, or a zombie that nobody reaps here. */
	snprintf(text, sizeof text, "[ ! -d /proc/%d ] || "
	    "grep -q '^State:.Z' /proc/%d/status", pid, pid);
	script(text);
	CHECK(pid > 0 && run("p", "").end == CHANNEL_ACCEPTED);
}

/* A message that does not fit into a pipe at once, read late or never. */
static void
test_input(void)
{
	char message[4097];
	struct channel_outcome o;

	memset(message, 'x', sizeof message - 1);
	message[sizeof message - 1] = '\0';
	script("sleep 0.1; wc -c | tr -d ' '");
	o = run("p", message);
	CHECK(o.end == CHANNEL_ACCEPTED && strcmp(o.id, "4096") == 0);
	script("exec <&-; sleep 0.1");
	CHECK(run("p", message).end == CHANNEL_ACCEPTED);
	script("cat");
	o = run("p", message);
	CHECK(o.end == CHANNEL_ACCEPTED && strlen(o.id) == CHANNEL_ID - 1);
}

static void
test_none(void)
{
	static const char *const jobs[] = { "", "{}", "{\"program\":\"ls\"}",
	    "{\"program\":7}", "{\"program\":\"/bin/true\",\"title\":7}" };
	struct channel_outcome o;
	size_t i;

	o = run("absent", "");
	CHECK(o.end == CHANNEL_REFUSED && o.code == 127);
	CHECK(strncmp(o.reason, "exit 127: cannot be run: ", 25) == 0);
	o = run(".", "");
	CHECK(o.end == CHANNEL_REFUSED && o.code == 127);
	for (i = 0; i < COUNT(jobs); i++) {
		o = (struct channel_outcome){ .end = CHANNEL_REFUSED };
		channel_exec(str_of(jobs[i]), &o);
		CHECK_ROW(i, o.end == CHANNEL_REFUSED && o.reason[0] != '\0');
	}
}

int
main(void)
{
	char path[128];

	for (int fd = 3; fd < 256; fd++)	/* as a child has none */
		close(fd);
	CHECK(mkdtemp(dir) != NULL);
	test_scripts();
	test_group();
	test_input();
	test_none();
	snprintf(path, sizeof path, "%s/p", dir);
	(void)remove(path);
	snprintf(path, sizeof path, "%s/pid", dir);
	(void)remove(path);
	CHECK(rmdir(dir) == 0);
	return test_end();
}
