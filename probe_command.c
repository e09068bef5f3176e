/*
 * probe_command.c: command checks: Nagios plugins, run by their argv.
 *
 *	DISK OK - 3 GiB free | /=2643MB;5948;5958;0;5968 /boot=68MB;...
 *	`--------------------'   `-- label=value[unit];warn;crit;min;max
 *	  the message
 *
 * What it leaves running stays in the child's process group, and ends with
 * that.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <stdio.h>

#include "probe_impl.h"
#include "run.h"

#define WORDS_MAX	64
#define NUMBER_MAX	64	/* bytes of a number that are looked at */

/* Cut args into words, after n of them: in room, with NULs.  0 or -1. */
static int
cut_words(const char *args, char *argv[WORDS_MAX], size_t n, struct buf *room,
    struct fail *why)
{
	bool quoted = false, within = false;

	for (const char *c = args; *c != '\0'; c++) {
		if (*c == ' ' && !quoted) {
			buf_addc(room, '\0');
			within = false;
			continue;
		}
		if (!within && n == WORDS_MAX - 1)
			return fail(why, "args: more than %d words",
			    WORDS_MAX - 2);
		if (!within)
			argv[n++] = room->p + room->n;
		within = true;
		if (*c == '"')
			quoted = !quoted;
		else
			buf_addc(room, *c);
	}
	buf_addc(room, '\0');
	argv[n] = NULL;
	return quoted ? fail(why, "args: a \" is not closed") :
	    room->full ? fail(why, "args: too long") : 0;
}

/* The number that s begins with, as plugins write them: "-007", ".5", "1e3";
 * U is none.  0 or -1. */
static int
number(struct str s, int64_t *v)
{
	char text[NUMBER_MAX];
	struct buf b = BUF(text);
	size_t sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'), digits, n;

	if (sign && s.p[0] == '-')
		buf_addc(&b, '-');
	s = str_after(s, sign);
	digits = str_span(s, "0123456789");
	if (digits == 0 && !(s.n > 1 && s.p[0] == '.'))
		return -1;
	n = str_span(s, "0");
	s = str_after(s, n == digits && n > 0 ? n - 1 : n);
	if (digits == 0)
		buf_addc(&b, '0');
	buf_add(&b, (struct str){ s.p, s.n < 32 ? s.n : 32 });
	n = str_number(str_from(&b));
	/* What follows is a unit: no comma, no second point. */
	if (n < b.n && strchr("0123456789.,", b.p[n]) != NULL)
		return -1;
	return str_milli((struct str){ b.p, n }, v);
}

/* The first number among performance data.  0 or -1. */
static int
first_number(struct str s, int64_t *v)
{
	struct str label;
	size_t end;

	while (s.n > 0) {
		s = str_trim(s);
		if (str_starts(s, STR("'"))) {	/* '' in it is a ' */
			s = str_after(s, 1);
			while (str_cut(&s, '\'', &label) == 0 &&
			    str_starts(s, STR("'")))
				s = str_after(s, 1);
		}
		for (end = 0; end < s.n && s.p[end] != '='; end++)
			if (s.p[end] == ' ')
				break;
		if (end < s.n && s.p[end] == '=' &&
		    number(str_after(s, end + 1), v) == 0)
			return 0;
		str_cut(&s, ' ', &label);
	}
	return -1;
}

/* What a plugin's output and end say. */
static void
judge(struct run *p, struct probe_result *r)
{
	static const enum status codes[] = { STATUS_OK, STATUS_WARNING,
	    STATUS_CRITICAL, STATUS_UNKNOWN };
	struct buf b = { r->text, 0, sizeof r->text - 1, false };
	struct str data = str_of(run_line(p, 1)), text;
	int code = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : -1;
	int64_t v;

	str_cut(&data, '|', &text);
	text = str_trim(text);
	if (text.n == 0)
		text = str_of(run_line(p, 2));
	r->given = code >= 0 && code < (int)COUNT(codes) ? codes[code] :
	    STATUS_UNKNOWN;
	if (code == -1)
		buf_addf(&b, "ended by signal %d: ", WTERMSIG(p->status));
	else if (code >= (int)COUNT(codes))
		buf_addf(&b, "exit %d: ", code);
	b.n -= b.n > 0 && text.n == 0 ? 2 : 0;
	buf_line(&b, text);
	r->text[b.n] = '\0';
	if (first_number(data, &v) == 0)
		probe_value(r, v);
}

/* The argv of params.  0 or -1. */
static int
prepare(struct str params, char *argv[WORDS_MAX], struct buf *room,
    struct fail *why)
{
	char name[CHECK_TEXT_MAX + 1], args[CHECK_TEXT_MAX + 1];
	struct stat s;

	if (probe_programs == NULL)
		return fail(why, "the agent has no directory of programs: -P");
	(void)check_param_text(params, "program", name, sizeof name);
	(void)check_param_text(params, "args", args, sizeof args);
	if (name[0] == '.' || strchr(name, '/') != NULL)
		return fail(why, "program: not the name of a file");
	buf_addf(room, "%s/%s", probe_programs, name);
	buf_addc(room, '\0');
	argv[0] = room->p;
	if (room->full)
		return fail(why, "program: too long");
	if (stat(argv[0], &s) == -1)
		return fail_errno(why, "%s", argv[0]);
	if (!S_ISREG(s.st_mode))
		return fail(why, "%s: not a program", argv[0]);
	return cut_words(args, argv, 1, room, why);
}

void
probe_command(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	static char paths[] = RUN_PATHS, locale[] = "LC_ALL=C";
	char *argv[WORDS_MAX], *env[] = { paths, locale, NULL }, text[2048];
	struct run p = { .argv = argv, .env = env,
	    .timeout_ms = probe_timeout_ms(params) };
	struct buf room = BUF(text);
	struct fail why;
	int rc;

	(void)st;
	rc = prepare(params, argv, &room, &why);
	if (rc == 0)
		rc = run_program(&p, &why);
	if (rc == -1)
		probe_unknown(r, "%s", why.msg);
	else if (rc == 1)
		probe_unknown(r, "killed after %lld ms",
		    (long long)p.timeout_ms);
	else
		judge(&p, r);
}
