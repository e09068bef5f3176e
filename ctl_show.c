/* ctl_show.c: the commands that look; see ctl.h. */
#include <stdio.h>

#include "ctl.h"
#include "store.h"

/* What a check can be, the worst first: that is the rank of its row, too. */
static const struct {
	const char *word, *plugin;
	int code;
} words[CTL_RANKS] = {
	{ "critical",	"CRITICAL",	2 },
	{ "unknown",	"UNKNOWN",	3 },
	{ "warning",	"WARNING",	1 },
	{ "ok",		"OK",		0 },
	{ "none",	"UNKNOWN",	3 },
	{ "off",	"UNKNOWN",	3 },
};
enum { CRITICAL, UNKNOWN, WARNING, GOOD, NONE, OFF };

#define STATUS		"HOST=@agent CHECK=name STATUS=!status FOR=~since " \
			"LAST=~last_result HELD_BY=held_by TEXT=text"
#define STATUS_AGENT	"HOST=hostname CHECK=- STATUS=state FOR=- " \
			"LAST=~last_checkin HELD_BY=held_by TEXT=-"
#define INCIDENT	"ID=id WHAT=what SEVERITY=severity OPENED=~opened " \
			"SEEN_BY=acknowledged_by COMMENT=comment " \
			"CLOSED=~closed TEXT=text"
#define DELIVERY	"RECIPIENT=name CHANNEL=channel STATE=state " \
			"ATTEMPTS=attempts SENT=sent RECEIPT=receipt " \
			"SEEN=seen BY=device ERROR=last_error"

static const struct list {
	const char *command, *path, *columns;
	const char *of;		/* the kind of its argument, filtered by */
	unsigned lines;		/* unless -n says otherwise */
	const char *none;	/* said of none, which is good news; or NULL */
} lists[] = {
	{ "agents", "agent/", "HOST=hostname STATE=state STATUS=!status "
	    "LAST=~last_checkin VERSION=version ADDRESS=address "
	    "DESCRIPTION=description", NULL, CTL_ALL, NULL },
	{ "checks", "check/?order_by=agent&", "HOST=@agent CHECK=name "
	    "TYPE=type STATUS=!status VALUE=value UNIT=unit "
	    "INTERVAL_MS=interval_ms WARN=warn CRIT=crit CLEAR=clear "
	    "FOR_S=for_s HITS=hits OF=of", "agent", CTL_ALL, NULL },
	{ "history", "check_history/?", "TIME=timestamp "
	    "STATUS=!status VALUE=value MESSAGE=message METRICS=metrics",
	    "check", CTL_LINES, NULL },
	{ "incidents", "incident/?closed=null", INCIDENT, NULL, CTL_ALL,
	    "no incident is open" },
	{ "events", "event/?order_by=-n", "N=n TIME=at BY=by WHAT=what "
	    "OBJECT=object NEW=new", NULL, CTL_LINES, NULL },
	{ "recipients", "recipient/", "NAME=name CHANNEL=channel "
	    "SEVERITY=severity MATCH=match HOURS=hours AFTER_S=after_s "
	    "ENABLED=enabled PROVEN=~proven DRILLED=~drilled "
	    "DRILL_ERROR=drill_error ADDRESS=address", NULL, CTL_ALL, NULL },
	{ "silences", "silence/", "ID=id MATCH=match FROM=from UNTIL=until "
	    "WEEKLY=weekly BY=created_by COMMENT=comment", NULL, CTL_ALL,
	    NULL },
	{ "keys", "key/", "ID=id NAME=name ROLE=role STATE=state HOST=@agent "
	    "CREATED=created USED=last_used", NULL, CTL_ALL, NULL },
};

/* The agents, for what names them by URI. */
static struct host {
	char uri[48], name[65];
} hosts[CTL_HOSTS];
static unsigned hosts_n;

/* ---- cells ---- */

static unsigned
status(struct str check)
{
	const char *text = ctl_text(check, "status");
	unsigned w = 0;

	if (strcmp(ctl_text(check, "enabled"), "false") == 0)
		return OFF;
	while (w < NONE && strcmp(text, words[w].word) != 0)
		w++;
	return w;
}

void
ctl_put(struct buf *b, struct str obj, const char *member)
{
	const char *text = ctl_text(obj, member + strspn(member, "@!~"));
	struct str raw;
	enum json_tok tok = json_member(obj, member, &raw);
	bool whole = tok == JSON_OBJ || tok == JSON_ARR;
	static unsigned host;
	unsigned i;
	int64_t ms;

	if (member[0] == '@') {
		/* Lists are in the order of their agents: the next one is not
		 * far. */
		for (i = 0; i < hosts_n && strcmp(hosts[host].uri, text) != 0;
		    i++)
			host = (host + 1) % hosts_n;
		buf_addz(b, i < hosts_n ? hosts[host].name : text);
	} else if (member[0] == '!') {
		buf_addz(b, words[status(obj)].word);
	} else if (member[0] == '~') {
		if (str_time(str_of(text), &ms) == -1)
			return;
		ms = ctl.now_ms > ms ? ctl.now_ms - ms : 0;
		buf_duration(b, ms < 1000 ? ms : ms - ms % 1000);
	} else {
		/* Of JSON what people read: user:1.5,system:2 */
		for (; *text != '\0'; text++)
			if (!whole || strchr("{}[]\"", *text) == NULL)
				buf_addc(b, *text);
	}
}

/* ---- commands ---- */

/* Learn an agent's name; one that is not up is a row of status.  Is it
 * silent? */
static bool
take_agent(struct str agent, bool row)
{
	struct host *h = &hosts[hosts_n];
	const char *state = ctl_text(agent, "state");
	bool silent = strcmp(state, "silent") == 0;

	if (hosts_n < CTL_HOSTS) {
		hosts_n++;
		json_text(agent, "resource_uri", h->uri, sizeof h->uri);
		json_text(agent, "hostname", h->name, sizeof h->name);
	}
	if (row && strcmp(state, "up") != 0)
		ctl_row(STATUS_AGENT, agent, silent ? CRITICAL : GOOD);
	return silent;
}

/* All agents.  How many are silent. */
static unsigned
take_agents(bool rows)
{
	unsigned silent = 0;
	struct ctl_list l;
	struct str obj;

	for (ctl_list(&l, "agent/", CTL_ALL, false); ctl_next(&l, &obj);)
		silent += take_agent(obj, rows);
	return silent;
}

/* A result as lines of CSV (RFC 4180), one for each of its numbers. */
static void
put_csv(struct str obj)
{
	const char *at = ctl_text(obj, "timestamp"), *p;
	const char *status = ctl_text(obj, "status");
	char text[CTL_TEXT];
	struct buf b = BUF(text);
	struct str raw, key;
	struct json j;

	for (p = ctl_text(obj, "message"); *p != '\0'; p++)
		buf_addf(&b, *p == '"' ? "\"\"" : "%c", *p);
	ctl_say("%s,%s,value,%s,%s%.*s%s", at, status, ctl_text(obj, "value"),
	    b.n > 0 ? "\"" : "", (int)b.n, b.p, b.n > 0 ? "\"" : "");
	if (json_member(obj, "metrics", &raw) != JSON_OBJ)
		return;
	json_open(&j, raw);
	(void)json_next(&j, &key);
	while (json_next(&j, &key) == JSON_KEY && json_next(&j, &raw) ==
	    JSON_NUM)
		ctl_say("%s,%s,%.*s,%.*s,", at, status, (int)key.n, key.p,
		    (int)raw.n, raw.p);
}

static void
tell_damage(struct str text)
{
	ctl_line(ctl_fmt("%.*s", (int)text.n, text.p));
}

/* N:HASH, a line of the journal as it was: its hash in lower case. */
static bool
take_mark(const char *word, uint64_t *n, char hash[65])
{
	struct str rest = str_of(word), number;
	unsigned char sum[32];

	if (str_cut(&rest, ':', &number) == -1 ||
	    str_u64(number, 1, INT64_MAX, n) == -1 ||
	    str_unhex(rest, sum, sizeof sum) == -1)
		return false;
	str_hex(hash, sum, sizeof sum);
	return true;
}

/* Is the line that the tally was asked for as it was? */
static bool
say_mark(const struct store_tally *t, const char *hash)
{
	unsigned long long n = t->n;
	bool same = strcmp(t->hash, hash) == 0;

	if (same)
		ctl_say("the journal holds line %llu as it was", n);
	else if (n < t->first)
		ctl_say("line %llu is not kept any more, so nothing can be "
		    "said of it: the oldest is %llu", n,
		    (unsigned long long)t->first);
	else if (n > t->last)
		ctl_say("the journal was cut: it had a line %llu, and ends "
		    "with %llu", n, (unsigned long long)t->last);
	else
		ctl_say("line %llu of the journal %s", n, t->hash[0] == '\0' ?
		    "is damaged or missing" : "is not as it was: it, or one "
		    "before it, was changed");
	return same;
}

int
ctl_verify(int argc, char **argv)
{
	const char *dir = CTL_DIR;
	struct store_tally t = { .n = 0 };
	char hash[65];
	struct fail why;
	bool same;

	for (int i = 1; i < argc; i++)
		if (!take_mark(argv[i], &t.n, hash))
			dir = argv[i];
	if (store_verify(dir, &store_posix, tell_damage, &t, &why) == -1)
		ctl_die(CTL_REFUSED, "%s: %s", dir, why.msg);
	ctl_say("%s: %u files, %llu bytes, %llu rows in blocks: %u damaged",
	    dir, t.files, (unsigned long long)t.bytes,
	    (unsigned long long)t.results, t.damages);
	same = t.n == 0 || say_mark(&t, hash);
	return t.damages > 0 || !same ? CTL_BAD_NEWS : CTL_FINE;
}

int
ctl_show(int argc, char **argv)
{
	const struct list *s = STR_ROW(lists, str_of(argv[0]));
	const char *path = s->path;
	struct ctl_list l;
	struct str obj;
	unsigned n = 0;
	bool csv = argc > 3 && strcmp(argv[0], "history") == 0 &&
	    strcmp(argv[1], "-o") == 0 && strcmp(argv[2], "csv") == 0;
	uint64_t lines = csv ? CTL_ALL : s->lines;
	int i = csv ? 3 : 1;

	if (strstr(s->columns, "HOST=@agent") != NULL)
		take_agents(false);
	if (argc > i && s->of != NULL)
		path = ctl_fmt("%s%s=%s", path, s->of,
		    ctl_text(ctl_find(s->of, argv[i++]), "id"));
	if (argc > i && (argc - i != 2 || strcmp(argv[i], "-n") != 0 ||
	    str_u64(str_of(argv[i + 1]), 1, CTL_N_MAX, &lines) == -1))
		ctl_die(CTL_USAGE, "%s: not -n 1 to %d", argv[i], CTL_N_MAX);
	ctl_table(s->columns);
	if (csv)
		ctl_say("timestamp,status,metric,value,message");
	for (ctl_list(&l, path, (unsigned)lines, true); ctl_next(&l, &obj); n++)
		if (csv)
			put_csv(obj);
		else
			ctl_row(s->columns, obj, 0);
	ctl_table_end();
	if (s->none != NULL && n == 0)
		ctl_say("%s", s->none);
	return s->none != NULL && n > 0 ? CTL_BAD_NEWS : CTL_FINE;
}

/* One check, as a Nagios plugin says it. */
static int
status_plugin(const char *host_check)
{
	struct str obj = ctl_find("check", host_check);
	const char *text = ctl_text(obj, "text"), *state;
	unsigned w = status(obj);
	const char *note = w >= NONE ? " (no result yet)" : "";
	bool beat = strcmp(ctl_text(obj, "type"), "heartbeat") == 0;

	ctl_json(obj);
	obj = ctl_call(HTTP_GET, ctl_text(obj, "agent"), STR(""));
	state = ctl_text(obj, "state");
	/* What was well when its agent was last heard may not be so now; of
	 * heartbeats no agent tells. */
	if (strcmp(state, "up") != 0 && !beat) {
		note = strcmp(state, "silent") == 0 ?
		    " (the agent is silent)" : " (the agent is not running)";
		w = w > UNKNOWN ? UNKNOWN : w;
	}
	ctl_say("%s - %s: %s%s", words[w].plugin, host_check, text, note);
	return words[w].code;
}

/* "proven 2 d 3 h ago", "never proven". */
static const char *
ago(const char *what, struct str obj, const char *member)
{
	char text[CTL_CELL];
	struct buf b = BUF(text);

	ctl_put(&b, obj, member);
	return b.n == 0 ? ctl_fmt("never %s", what) :
	    ctl_fmt("%s %.*s ago", what, (int)b.n, b.p);
}

/* Whether those who are told can be reached, for whom may know. */
static void
say_path(void)
{
	const char *text = "", *error;
	struct ctl_list l;
	struct str obj;

	ctl.may = true;
	for (ctl_list(&l, "recipient/?enabled=true", CTL_ALL, false);
	    ctl_next(&l, &obj);) {
		error = ctl_text(obj, "drill_error");
		text = ctl_fmt("%s%s %s %s%s%s%s", text, text[0] == '\0' ?
		    "alarm path:" : ";", ctl_text(obj, "name"), ago("proven",
		    obj, "~proven"), error[0] == '\0' ? "" : ", ",
		    error[0] == '\0' ? "" : ago("drill failed", obj,
		    "~drilled"), error[0] == '\0' ? "" : ctl_fmt(": %s",
		    error));
	}
	if (text[0] != '\0')
		ctl_say("%s", text);
}

int
ctl_status(int argc, char **argv)
{
	unsigned n[CTL_RANKS] = { 0 }, silent, bad, w;
	const char *path = "check/?order_by=agent", *sum;
	struct ctl_list l;
	struct str obj;

	if (argc > 1 && strchr(argv[1], '/') != NULL)
		return status_plugin(argv[1]);
	ctl_table(STATUS);
	if (argc > 1) {
		obj = ctl_find("agent", argv[1]);
		silent = take_agent(obj, true);
		path = ctl_fmt("check/?agent=%s", ctl_text(obj, "id"));
	} else {
		silent = take_agents(true);
	}
	for (ctl_list(&l, path, CTL_ALL, true); ctl_next(&l, &obj); n[w]++) {
		w = status(obj);
		ctl_row(STATUS, obj, w);
	}
	ctl_table_end();
	sum = ctl_fmt("agents: %u, silent: %u; checks:", hosts_n, silent);
	for (w = 0; w < CTL_RANKS; w++)
		if (n[w] > 0 || w == GOOD)
			sum = ctl_fmt("%s %u %s", sum, n[w], words[w].word);
	ctl_say("%s", sum);
	if (argc == 1)
		say_path();
	bad = silent + n[CRITICAL] + n[UNKNOWN] + n[WARNING];
	return bad > 0 ? CTL_BAD_NEWS : CTL_FINE;
}

/* One incident and whom it was told, or those that are open. */
int
ctl_incidents(int argc, char **argv)
{
	struct str obj, raw;
	struct json j;
	uint64_t id;

	if (argc == 1)
		return ctl_show(argc, argv);
	if (str_u64(str_of(argv[1]), 1, UINT64_MAX, &id) == -1)
		ctl_die(CTL_USAGE, "%s: not an incident's number", argv[1]);
	obj = ctl_call(HTTP_GET, ctl_fmt("incident/%s/", argv[1]), STR(""));
	ctl_json(obj);
	ctl_table(INCIDENT);
	ctl_row(INCIDENT, obj, 0);
	ctl_table_end();
	ctl_table(DELIVERY);
	json_list(&j, obj, "deliveries");
	while (json_value(&j, &raw) == JSON_OBJ)
		ctl_row(DELIVERY, raw, 0);
	ctl_table_end();
	return ctl_text(obj, "closed")[0] == '\0' ? CTL_BAD_NEWS : CTL_FINE;
}
