/* ctl_why.c: why somebody was told of a check at a time, or nobody; see
 * ctl.h.  The answer stands at the top, though it comes with the last page:
 * what happened waits for it. */
#include <stdio.h>

#include "ctl.h"

static char room[CTL_ROOM / 8];
static struct buf events = { room, 0, sizeof room, false };

/* A time as people read it, without its zone. */
static const char *
human(const char *time)
{
	char text[64];
	struct buf b = BUF(text);
	int64_t ms;

	if (str_time(str_of(time), &ms) == -1)
		return "";
	buf_time_human(&b, ms);
	return ctl_fmt("%.*s", (int)b.n - 4, text);
}

/* A line of what is so, if there is anything to say. */
static void
say(const char *what, const char *text)
{
	if (text[0] != '\0')
		ctl_say("%-10s %s", what, text);
}

static const char *
member(struct str obj, const char *of, const char *name)
{
	struct str raw;

	return json_member(obj, of, &raw) != JSON_OBJ ? "" :
	    ctl_text(raw, name);
}

/* The rule in the words of check add. */
static const char *
rule(struct str counted)
{
	static const char *const lists[] = { "warn", "crit", "clear" };
	char text[CTL_TEXT];
	struct buf b = BUF(text);
	const char *for_s = ctl_text(counted, "for_s");

	for (unsigned i = 0; i < COUNT(lists); i++) {
		if (strcmp(ctl_text(counted, lists[i]), "[]") == 0)
			continue;
		buf_addf(&b, "%s ", lists[i]);
		ctl_put(&b, counted, lists[i]);
		buf_addc(&b, ' ');
	}
	if (strcmp(for_s, "0") != 0)
		buf_addf(&b, "for %ss ", for_s);
	if (strcmp(ctl_text(counted, "of"), "1") != 0)
		buf_addf(&b, "%s of %s ", ctl_text(counted, "hits"),
		    ctl_text(counted, "of"));
	return ctl_fmt("%.*s", b.n > 0 ? (int)b.n - 1 : 0, text);
}

static void
say_incident(struct str in)
{
	const char *by = ctl_text(in, "acknowledged_by");

	if (ctl_text(in, "id")[0] == '\0')
		return;
	say("incident", ctl_fmt("%s, %s, open since %s%s%s", ctl_text(in,
	    "id"), ctl_text(in, "status"), human(ctl_text(in, "opened")),
	    by[0] != '\0' ? ", acknowledged by " : "", by));
	say("", ctl_text(in, "comment"));
}

static void
say_all(const char *name, struct str answer)
{
	struct str counted = STR("{}"), in = STR("{}"), one, rest, text;
	char line[CTL_TEXT], *clause = line, *end, state[16];
	struct json j;

	(void)json_text(answer, "answer", line, sizeof line);
	(void)str_copy(state, sizeof state, str_of(member(answer, "agent",
	    "state")));
	(void)json_member(answer, "counted", &counted);
	(void)json_member(answer, "incident", &in);
	ctl_say("%s at %s UTC:", name, human(ctl_text(answer, "at")));
	for (; (end = strstr(clause, "; ")) != NULL; clause = end + 2)
		ctl_say("%.*s", (int)(end - clause), clause);
	ctl_say("%s", clause);
	ctl_say("%s", "");
	say("measured", member(answer, "measured", "text"));
	say("rule", rule(counted));
	say("counted", ctl_text(counted, "text"));
	say("held back", ctl_text(counted, "held_by"));
	if (strcmp(state, "up") != 0)
		say("agent", state);
	say_incident(in);
	json_list(&j, answer, "recipients");
	while (json_value(&j, &one) == JSON_OBJ)
		say(ctl_text(one, "name"), ctl_text(one, "text"));
	if (strcmp(ctl_text(answer, "settled"), "true") != 0)
		ctl_say("How it stood may hang on results before those that "
		    "were looked at.");
	if (events.n > 0)
		ctl_say("%s", "");
	rest = str_from(&events);
	while (rest.n > 0 && str_cut(&rest, '\n', &text) == 0)
		ctl_say("%.*s", (int)text.n, text.p);
}

int
ctl_why(int argc, char **argv)
{
	struct str obj = ctl_find("check", argv[1]), answer;
	const char *at = argc > 2 ? argv[2] : "";
	char next[CTL_TEXT];
	struct buf b = BUF(next);
	struct json j;
	int64_t ms;

	buf_addf(&b, "check/%s/why/", ctl_text(obj, "id"));
	if (at[0] != '\0')
		buf_addz(&b, "?at=");
	if (str_duration(str_of(at), &ms) == 0)
		buf_time(&b, ctl.now_ms - ms);
	else
		http_escape(&b, str_of(at));
	buf_addc(&b, '\0');
	if (b.full)
		ctl_die(CTL_USAGE, "too long a time");
	do {
		answer = ctl_call(HTTP_GET, next, STR(""));
		ctl_json(answer);
		json_list(&j, answer, "events");
		while (json_value(&j, &obj) == JSON_OBJ)
			buf_addf(&events, "%s  %s\n", human(ctl_text(obj,
			    "at")), ctl_text(obj, "text"));
		str_copy(next, sizeof next, str_of(ctl_text(answer, "next")));
	} while (next[0] != '\0');
	say_all(argv[1], answer);
	return CTL_FINE;
}
