/* Managers of services as they answer, by small programs in a directory that
 * stands for /: they say what the real ones were seen to say. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run.h"

int test_access(const char *path, int mode);
int test_run(struct run *r, struct fail *why);

#define probe_service test_service	/* beside the one of probe_service.o */
#define access test_access
#define run_program test_run
#include "../probe_service.c"
#undef run_program
#undef access
#include "test.h"

static char root[] = "/tmp/vilicus-service-XXXXXX";

static const char *
below(const char *path)
{
	static char text[512];

	snprintf(text, sizeof text, "%s%s", root, path);
	return text;
}

int
test_access(const char *path, int mode)
{
	return access(below(path), mode);
}

int
test_run(struct run *r, struct fail *why)
{
	char path[512], *argv[10] = { path };

	snprintf(path, sizeof path, "%s", below(r->argv[0]));
	for (int i = 1; i < 9 && r->argv[i] != NULL; i++)
		argv[i] = r->argv[i];
	r->argv = argv;
	return run_program(r, why);
}

static void
put(const char *path, const char *script)
{
	int fd = open(below(path), O_WRONLY | O_CREAT | O_TRUNC, 0700);

	CHECK(fd != -1 && dprintf(fd, "#!/bin/sh\n%s\n", script) > 0);
	close(fd);
}

static struct probe_result
ask_for(const char *params)
{
	struct probe_result r = { .given = STATUS_NONE };
	struct probe_state st = { .primed = false };

	test_service(str_of(params), &st, &r);
	return r;
}

#define NAME(s)	"{\"service_name\":\"" s "\"}"
#define STOPPED(s) "{\"service_name\":\"" s "\",\"expected_status\":" \
			"\"stopped\"}"
#define SYSTEMCTL "[ \"$LC_ALL:$HOME$*\" = \"C:show -pLoadState " \
	"-pActiveState -pSubState -- web\" ] || exit 9\n"
#define SHOW(load, active, sub) SYSTEMCTL "echo LoadState=" load \
	"; echo ActiveState=" active "; echo SubState=" sub
/* As rc-service(8): words to 1 or 2 by what they mean. */
#define OPENRC	"[ \"$*\" = 'web status' ] || exit 9\n"
#define UBUS(json) "[ \"$*\" = '-S call service list {\"name\":\"web\"}' ] " \
	"|| exit 9\necho '" json "'"
#define INSTANCE(n, v) "\"" n "\":{\"running\":" v ",\"pid\":1838," \
	"\"command\":[\"/usr/sbin/web\",\"-c\",\"\\\"running\\\":false\"]}"

static const struct {
	const char *script, *params;
	enum status given;
	int value;			/* -1: none */
	const char *says;
} rows[4][16] = { {
	{ SHOW("loaded", "active", "running"), NAME("web"), STATUS_OK, 1,
	    "active (running)" },
	{ SHOW("loaded", "active", "exited"), NAME("web"), STATUS_OK, 1,
	    "active (exited)" },
	{ SHOW("loaded", "reloading", "reload"), NAME("web"), STATUS_OK, 1,
	    "reloading (reload)" },
	{ SHOW("loaded", "failed", "failed"), NAME("web"), STATUS_CRITICAL, 0,
	    "failed" },
	{ SHOW("loaded", "inactive", "dead"), NAME("web"), STATUS_CRITICAL, 0,
	    "inactive (dead)" },
	{ SHOW("loaded", "activating", "auto-restart"), NAME("web"),
	    STATUS_CRITICAL, 0, "activating (auto-restart)" },
	{ SHOW("masked", "inactive", "dead"), NAME("web"), STATUS_CRITICAL, 0,
	    "inactive (dead), masked" },
	{ SHOW("not-found", "inactive", "dead"), NAME("web"), STATUS_CRITICAL,
	    0, "no such service" },
	{ SHOW("not-found", "inactive", "dead"), STOPPED("web"), STATUS_OK, 0,
	    "no such service" },
	{ SHOW("loaded", "inactive", "dead"), STOPPED("web"), STATUS_OK, 0,
	    "inactive (dead)" },
	{ SHOW("loaded", "active", "running"), STOPPED("web"),
	    STATUS_CRITICAL, 1, "active (running)" },
	{ "echo 'System has not been booted with systemd as init system "
	    "(PID 1). Can'\\''t operate.' >&2; exit 1", NAME("web"),
	    STATUS_UNKNOWN, -1, "systemctl: System has not been booted with "
	    "systemd as init system (PID 1). Can't operate." },
	{ "exit 0", NAME("web"), STATUS_UNKNOWN, -1, "systemctl: " },
	{ "exec sleep 30", "{\"service_name\":\"web\",\"timeout_ms\":200}",
	    STATUS_UNKNOWN, -1, "/bin/systemctl does not end" },
	{ SYSTEMCTL "printf 'ActiveState=\\033[31m\\nSubState='", NAME("web"),
	    STATUS_CRITICAL, 0, "?[31m (), " },
}, {
	{ OPENRC "echo ' * status: started'", NAME("web"), STATUS_OK, 1,
	    "started" },
	{ OPENRC "echo ' * status: stopped'; exit 3", NAME("web"),
	    STATUS_CRITICAL, 0, "stopped" },
	{ OPENRC "echo ' * status: crashed' >&2; exit 32", NAME("web"),
	    STATUS_CRITICAL, 0, "crashed" },
	{ OPENRC "echo ' * status: starting' >&2; exit 8", STOPPED("web"),
	    STATUS_OK, 0, "starting" },
	{ OPENRC "echo 'web is running'", NAME("web"), STATUS_OK, 1, "" },
	{ OPENRC "echo ' * You are attempting to run an openrc service on a' "
	    ">&2; exit 1", NAME("web"), STATUS_UNKNOWN, -1, "rc-service:  * "
	    "You are attempting to run an openrc service on a" },
	{ "exit 9", NAME("absent"), STATUS_CRITICAL, 0, "no such service" },
}, {
	{ UBUS("{\"web\":{\"instances\":{" INSTANCE("a", "true") "}}}"),
	    NAME("web"), STATUS_OK, 1, "" },
	{ UBUS("{\"web\":{\"instances\":{" INSTANCE("a", "true") ","
	    INSTANCE("b", "true") "}}}"), NAME("web"), STATUS_OK, 1, "" },
	{ UBUS("{\"web\":{\"instances\":{" INSTANCE("a", "true") ","
	    INSTANCE("b", "false") "}}}"), NAME("web"), STATUS_CRITICAL, 0,
	    "not all of it runs" },
	{ UBUS("{\"web\":{\"instances\":{" INSTANCE("a", "false") "}}}"),
	    NAME("web"), STATUS_CRITICAL, 0, "no process of it runs" },
	{ UBUS("{\"web\":{}}"), NAME("web"), STATUS_CRITICAL, 0,
	    "no process of it runs" },
	{ UBUS("{}"), STOPPED("web"), STATUS_OK, 0, "no process of it runs" },
	{ "echo 'Failed to connect to ubus' >&2; exit 255", NAME("web"),
	    STATUS_UNKNOWN, -1, "ubus: Failed to connect to ubus" },
	{ "exit 9", NAME("absent"), STATUS_CRITICAL, 0, "no such service" },
}, {
	{ "[ \"$*\" = status ]", NAME("web"), STATUS_OK, 1, "" },
	{ "exit 1", NAME("web"), STATUS_CRITICAL, 0,
	    "dead, its pid file is left" },
	{ "exit 2", NAME("web"), STATUS_CRITICAL, 0,
	    "dead, its lock file is left" },
	{ "exit 3", NAME("web"), STATUS_CRITICAL, 0, "stopped" },
	{ "exit 3", STOPPED("web"), STATUS_OK, 0, "stopped" },
	{ "exit 4", NAME("web"), STATUS_UNKNOWN, -1,
	    "its script cannot tell its status: exit 4" },
	{ "kill -9 $$", NAME("web"), STATUS_UNKNOWN, -1,
	    "its script cannot tell its status: exit 255" },
	{ "exit 0", NAME("absent"), STATUS_CRITICAL, 0, "no such service" },
	{ "exit 0", NAME("../init.d/web"), STATUS_UNKNOWN, -1,
	    "service_name: no name of a service" },
	{ "exit 0", NAME("-web"), STATUS_UNKNOWN, -1,
	    "service_name: no name of a service" },
	{ "exit 0", NAME(".."), STATUS_UNKNOWN, -1,
	    "service_name: no name of a service" },
	{ "exit 0", NAME("web*"), STATUS_UNKNOWN, -1,
	    "service_name: no name of a service" },
	{ "exit 0", NAME("a b"), STATUS_UNKNOWN, -1,
	    "service_name: no name of a service" },
	{ "exit 0", "{\"service_name\":\"web\",\"expected_status\":\"up\"}",
	    STATUS_UNKNOWN, -1, "expected_status: not running or stopped" },
} };

/* Of each manager: its sign, and its program. */
static const char *const signs[4] = { "/run/systemd/system", "/run/openrc",
    "/sbin/procd", "/etc/init.d" };
static const char *const programs[4] = { "/bin/systemctl", "/sbin/rc-service",
    "/bin/ubus", "/etc/init.d/web" };
static const char *const dirs[] = { "/run", "/run/systemd", "/etc", "/sbin",
    "/bin" };

int
main(void)
{
	struct probe_result r;
	size_t m, i;

	if (!CHECK(mkdtemp(root) != NULL))
		return test_end();
	for (i = 0; i < COUNT(dirs); i++)
		CHECK(mkdir(below(dirs[i]), 0700) == 0);
	r = ask_for(NAME("web"));
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
	/* From the last on, for the first that is there is asked. */
	for (m = 4; m-- > 0;) {
		CHECK(mkdir(below(signs[m]), 0700) == 0);
		if (m == 3)
			put("/etc/init.d/web", "exit 4");
		for (i = 0; rows[m][i].script != NULL; i++) {
			put(programs[m], rows[m][i].script);
			r = ask_for(rows[m][i].params);
			if (!CHECK_ROW(m * 100 + i, r.given == rows[m][i].given
			    && strcmp(r.text, rows[m][i].says) == 0))
				printf("%d: %s\n", (int)r.given, r.text);
			CHECK_ROW(m * 100 + i, r.has_value ==
			    (rows[m][i].value != -1) && (!r.has_value ||
			    r.value == rows[m][i].value * 1000));
		}
	}
	CHECK(unlink(below(programs[0])) == 0);
	r = ask_for(NAME("web"));
	CHECK(r.given == STATUS_UNKNOWN && strcmp(r.text, "/bin/systemctl: "
	    "cannot be run: No such file or directory") == 0);
	for (m = 1; m < 4; m++)
		CHECK(unlink(below(programs[m])) == 0);
	for (m = 0; m < 4; m++)
		CHECK(rmdir(below(signs[m])) == 0);
	for (i = COUNT(dirs); i-- > 0;)
		CHECK(rmdir(below(dirs[i])) == 0);
	CHECK(rmdir(root) == 0);
	return test_end();
}
