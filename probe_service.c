/*
 * probe_service.c: service checks, by whatever manages the services here.
 *
 * The managers' own programs are asked, each by its argv.  What they know is
 * told in their words.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <unistd.h>

#include "probe_impl.h"
#include "run.h"

#define SCRIPTS		"/etc/init.d/"
#define PATH		(sizeof SCRIPTS + CHECK_TEXT_MAX)
#define NAME_CHARS	STR_ALNUM "_.:@\\-"

/* What a manager says of a service: does it run, and in what state it is.
 * 0, or -1 with the reason why that cannot be told. */
typedef int read_fn(struct run *r, bool *runs, struct buf *state,
    struct fail *why);

/* The value of a line NAME=value, or "". */
static struct str
value_of(const struct run *r, const char *name)
{
	struct str rest = str_of(r->said[0]), line, key;

	while (str_cut(&rest, '\n', &line) == 0)
		if (str_cut(&line, '=', &key) == 0 && str_is(key, name))
			return line;
	return STR("");
}

/* systemctl(1) show. */
static int
read_systemd(struct run *r, bool *runs, struct buf *state, struct fail *why)
{
	struct str load = value_of(r, "LoadState"),
	    active = value_of(r, "ActiveState"), sub = value_of(r, "SubState");

	if (r->status != 0 || active.n == 0)
		return fail(why, "systemctl: %.100s", run_line(r, 2));
	*runs = str_is(active, "active") || str_is(active, "reloading");
	if (str_is(load, "not-found")) {
		buf_addz(state, "no such service");
		return 0;
	}
	buf_add(state, active);
	if (!str_eq(active, sub))
		buf_addf(state, " (%.*s)", (int)sub.n, sub.p);
	if (!str_is(load, "loaded"))
		buf_addf(state, ", %.*s", (int)load.n, load.p);
	return 0;
}

/* What follows the words in what was said to 1 or 2, to its line's end. */
static struct str
behind(const struct run *r, const char *words)
{
	struct str line = { NULL, 0 };
	const char *at;

	for (int i = 0; i < 2 && line.p == NULL; i++) {
		at = strstr(r->said[i], words);
		if (at != NULL)
			line = (struct str){ at + strlen(words),
			    strcspn(at + strlen(words), "\r\n") };
	}
	return line;
}

/* rc-service(8) NAME status: the exit code says the same as its words. */
static int
read_openrc(struct run *r, bool *runs, struct buf *state, struct fail *why)
{
	struct str word = behind(r, "status: ");

	*runs = r->status == 0;
	if (word.n == 0 && !*runs)
		return fail(why, "rc-service: %.100s", run_line(r, 2));
	buf_add(state, word);
	return 0;
}

/* ubus -S call service list: all instances of it must run. */
static int
read_procd(struct run *r, bool *runs, struct buf *state, struct fail *why)
{
	if (r->status != 0)
		return fail(why, "ubus: %.100s", run_line(r, 2));
	*runs = strstr(r->said[0], "\"running\":true") != NULL &&
	    strstr(r->said[0], "\"running\":false") == NULL;
	buf_addz(state, *runs ? "" : strstr(r->said[0], "\"running\":true") !=
	    NULL ? "not all of it runs" : "no process of it runs");
	return 0;
}

/* SCRIPT status: the exit codes of LSB. */
static int
read_script(struct run *r, bool *runs, struct buf *state, struct fail *why)
{
	static const char *const words[] = { "", "dead, its pid file is left",
	    "dead, its lock file is left", "stopped" };
	int code = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 255;

	if (code >= (int)COUNT(words))
		return fail(why, "its script cannot tell its status: exit %d",
		    code);
	*runs = code == 0;
	buf_addz(state, words[code]);
	return 0;
}

/* In this order; the last is where none of them is.  %s is the name. */
static const struct manager {
	const char *sign;		/* there: it is in charge */
	const char *argv[8];
	read_fn *read;
	bool scripts;			/* each has one in /etc/init.d */
} managers[] = {
	{ "/run/systemd/system", { "/bin/systemctl", "show", "-pLoadState",
	    "-pActiveState", "-pSubState", "--", "%s", NULL }, read_systemd,
	    false },
	{ "/run/openrc", { "/sbin/rc-service", "%s", "status", NULL },
	    read_openrc, true },
	{ "/sbin/procd", { "/bin/ubus", "-S", "call", "service", "list",
	    "{\"name\":\"%s\"}", NULL }, read_procd, true },
	{ "/etc/init.d", { SCRIPTS "%s", "status", NULL }, read_script, true },
};

static const struct manager *
manager(void)
{
	const struct manager *m = managers;

	while (m < managers + COUNT(managers) && access(m->sign, F_OK) == -1)
		m++;
	return m < managers + COUNT(managers) ? m : NULL;
}

/* Ask m for the service.  0 or -1. */
static int
ask(const struct manager *m, const char *name, int64_t timeout_ms, bool *runs,
    struct buf *state, struct fail *why)
{
	static char paths[] = RUN_PATHS, locale[] = "LC_ALL=C";
	char *argv[COUNT(m->argv)] = { NULL }, *env[] = { paths, locale, NULL };
	char text[2048], script[PATH];
	struct run r = { .argv = argv, .env = env, .timeout_ms = timeout_ms };
	struct buf b = BUF(text);
	int rc;

	snprintf(script, sizeof script, SCRIPTS "%s", name);
	if (m->scripts && access(script, F_OK) == -1) {
		buf_addz(state, "no such service");
		return 0;
	}
	for (size_t i = 0; m->argv[i] != NULL; i++) {
		const char *at = strstr(m->argv[i], "%s");

		argv[i] = b.p + b.n;
		buf_add(&b, (struct str){ m->argv[i], at == NULL ?
		    strlen(m->argv[i]) : (size_t)(at - m->argv[i]) });
		if (at != NULL) {
			buf_addz(&b, name);
			buf_addz(&b, at + 2);
		}
		buf_addc(&b, '\0');
	}
	rc = run_program(&r, why);
	if (rc == 1)
		return fail(why, "%s does not end", argv[0]);
	if (rc == 0 && WIFEXITED(r.status) && WEXITSTATUS(r.status) == RUN_NOT)
		return fail(why, "%s: %.100s", argv[0], run_line(&r, 2));
	return rc == -1 ? -1 : m->read(&r, runs, state, why);
}

void
probe_service(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	char name[CHECK_TEXT_MAX + 1], want[32 + 1], text[PROBE_TEXT];
	struct buf state = BUF(text), line = { r->text, 0, sizeof r->text - 1,
	    false };
	const struct manager *m = manager();
	bool runs = false, wanted;
	struct fail why;

	(void)st;
	(void)check_param_text(params, "service_name", name, sizeof name);
	if (check_param_text(params, "expected_status", want, sizeof want) ==
	    -1)
		memcpy(want, "running", 8);
	wanted = strcmp(want, "running") == 0;
	if (!wanted && strcmp(want, "stopped") != 0)
		fail(&why, "expected_status: not running or stopped");
	else if (name[0] == '\0' || strchr("-.", name[0]) != NULL ||
	    !str_is_of(str_of(name), NAME_CHARS))
		fail(&why, "service_name: no name of a service");
	else if (m == NULL)
		fail(&why, "no manager of services that is known");
	else if (ask(m, name, probe_timeout_ms(params), &runs, &state, &why)
	    == 0) {
		probe_value(r, runs ? 1000 : 0);
		r->given = runs == wanted ? STATUS_OK : STATUS_CRITICAL;
		buf_line(&line, str_from(&state));
		r->text[line.n] = '\0';
		return;
	}
	probe_unknown(r, "%s", why.msg);
}
