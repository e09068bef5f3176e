/* ctl_edit.c: the commands that change what is configured; see ctl.h. */
#include <stdio.h>
#include <time.h>

#include "check.h"
#include "ctl.h"

/* The words of a command that are still to be read, and what they made. */
struct words {
	char **word;
	int n, i;
	const struct check_type *type;	/* of check add */
	const struct check_param *first; /* needs no name, until it is given;
					 * then the next, if it is needed */
	char way[64];			/* "above ": of the first bound */
	struct buf body, params;
};

/* What the value of a word becomes.  NUMBER: a text, too, if it is none: the
 * server says what is wrong.  AGO: a time; a duration is one so long ago.
 * UNTIL: a duration from now on. */
enum value { TEXT, NUMBER, DURATION, UNTIL, AGO, AGENT, TYPE, BOUNDS, YES };

/* A word, and the field that the value after it becomes; of one of the first
 * words of a kind, which are values, the kind. */
struct word {
	const char *name, *field;
	enum value value;
};

static const char *
peek(const struct words *w)
{
	return w->i < w->n ? w->word[w->i] : "";
}

/* The next word, which must be there. */
static const char *
next(struct words *w)
{
	if (w->i == w->n)
		ctl_die(CTL_USAGE, "nothing follows \"%s\"", w->word[w->n - 1]);
	return w->word[w->i++];
}

static bool
is_direction(const char *word)
{
	return strcmp(word, "above") == 0 || strcmp(word, "below") == 0;
}

static bool
is_number(const char *word)
{
	return word[0] != '\0' && str_number(str_of(word)) == strlen(word);
}

/* Bounds, with "or" between them: [METRIC] above|below NUMBER; `clear` may be
 * a NUMBER alone, which goes the way of the first bound of crit, or else of
 * warn. */
static void
put_bounds(struct words *w, struct buf *to, const char *field)
{
	bool clear = strcmp(field, "clear") == 0;
	bool leads = !clear && (field[0] == 'c' || w->way[0] == '\0');
	char text[256];
	struct buf b = BUF(text);

	json_arr(json_key(to, field));
	for (;; w->i++) {
		b.n = 0;
		if (clear && w->way[0] != '\0' && is_number(peek(w))) {
			buf_addz(&b, w->way);
		} else {
			if (!is_direction(peek(w)))
				buf_addf(&b, "%s ", next(w));
			buf_addf(&b, "%s ", next(w));
		}
		if (leads)
			str_copy(w->way, sizeof w->way, str_from(&b));
		leads = false;
		buf_addz(&b, next(w));
		if (b.full)
			ctl_die(CTL_USAGE, "too long a bound");
		json_put(to, str_from(&b));
		if (strcmp(peek(w), "or") != 0)
			break;
	}
	json_arr_end(to);
}

/* The next value (or more, of bounds) as a field. */
static void
put(struct words *w, struct buf *to, const char *field, enum value value)
{
	int unit = strstr(field, "_ms") != NULL ? 1 : 1000;
	const char *s;
	int64_t ms;

	if (value == BOUNDS) {
		put_bounds(w, to, field);
		return;
	}
	if (value == YES) {
		json_put_bool(json_key(to, field), true);
		return;
	}
	s = next(w);
	if (value == DURATION || value == UNTIL) {
		if (str_duration(str_of(s), &ms) == -1 || ms % unit != 0)
			ctl_die(CTL_USAGE, "\"%s\" is not a duration like "
			    "30s, 5m", s);
		if (value == UNTIL)
			json_put_time(json_key(to, field), ctl.now_ms + ms);
		else
			json_add_int(to, field, ms / unit);
		return;
	}
	if (value == AGO && str_duration(str_of(s), &ms) == 0) {
		json_put_time(json_key(to, field), ctl.now_ms - ms);
		return;
	}
	if (value == NUMBER && is_number(s)) {
		json_put_raw(json_key(to, field), str_of(s));
		return;
	}
	if (value == AGENT)
		s = ctl_text(ctl_find("agent", s), "resource_uri");
	if (value == TYPE) {
		w->type = check_type(str_of(s));
		if (w->type == NULL)
			ctl_die(CTL_USAGE, "%s: no such type of check", s);
		w->first = w->type->params > 0 ? w->type->param : NULL;
	}
	json_add(to, field, str_of(s));
}

/* ---- add ---- */

static const struct word firsts[] = {
	{ "agent",	"hostname",		TEXT },
	{ "check",	"agent",		AGENT },
	{ "check",	"type",			TYPE },
	{ "recipient",	"name",			TEXT },
	{ "recipient",	"channel",		TEXT },
	{ "recipient",	"address",		TEXT },
	{ "silence",	"match",		TEXT },
	{ "key",	"name",			TEXT },
	{ "key",	"role",			TEXT },
};

/* What may follow them; whether it may with this kind, the server says. */
static const struct word words[] = {
	{ "interval",	"check_interval_ms",	DURATION },
	{ "late",	"late_after_s",		DURATION },
	{ "warn",	"warn",			BOUNDS },
	{ "crit",	"crit",			BOUNDS },
	{ "clear",	"clear",		BOUNDS },
	{ "for",	"for_s",		DURATION },
	{ "every",	"interval_ms",		DURATION },
	{ "renotify",	"renotify_s",		DURATION },
	{ "name",	"name",			TEXT },
	{ "severity",	"severity",		TEXT },
	{ "secret",	"secret",		TEXT },
	{ "after",	"after_s",		DURATION },
	{ "parent",	"parent",		TEXT },
	{ "tags",	"tags",			TEXT },
	{ "match",	"match",		TEXT },
	{ "hours",	"hours",		TEXT },
	{ "emergency",	"emergency",		YES },
	{ "from",	"from",			AGO },
	{ "until",	"until",		AGO },
	{ "weekly",	"weekly",		TEXT },
	{ "comment",	"comment",		TEXT },
	{ "agent",	"agent",		AGENT },
	{ "hits",	"hits",			NUMBER },
	{ "of",		"of",			NUMBER },
}, lasts = { "for",	"until",		UNTIL };

/* A parameter of the type, or NULL: by its name, or by what of it stands
 * before the _s of a duration. */
static const struct check_param *
param(const struct words *w, const char *word)
{
	const struct check_param *p = check_param(w->type, str_of(word));

	return p != NULL ? p : check_param(w->type, str_of(ctl_fmt("%s_s",
	    word)));
}

static enum value
value_of(const struct check_param *p, const char *word)
{
	bool duration = strcmp(p->name + strlen(p->name) - 2, "_s") == 0;

	return p->type == PARAM_TEXT ? TEXT : duration && !is_number(word) ?
	    DURATION : NUMBER;
}

/* The parameter after this one, if it is needed, too. */
static const struct check_param *
next_needed(const struct check_type *t, const struct check_param *p)
{
	p++;
	return p < t->param + t->params && p->required ? p : NULL;
}

/* All that is left.  The next value, and the word before it if it has one: a
 * parameter of the type, one of words, a bound by itself (which is critical),
 * "3 of 5", or one of the first parameters. */
static void
put_rest(struct words *w)
{
	const struct check_param *p;
	const struct word *row = NULL;

	while (w->i < w->n) {
		/* "of" goes with "hits", also where it is a parameter. */
		p = row != NULL && strcmp(row->name, "hits") == 0 ? NULL :
		    param(w, peek(w));
		row = STR_ROW(words, str_of(peek(w)));
		if (row != NULL && w->word[0][0] == 's' &&
		    strcmp(row->name, lasts.name) == 0)
			row = &lasts;	/* of a silence it is no rule */
		if (p != NULL || row != NULL) {
			w->i++;
		} else if (w->type != NULL && is_direction(peek(w))) {
			row = STR_ROW(words, STR("crit"));
		} else if (w->n - w->i >= 3 && is_number(peek(w)) &&
		    strcmp(w->word[w->i + 1], "of") == 0) {
			row = STR_ROW(words, STR("hits"));
		} else if ((p = w->first) == NULL) {
			ctl_die(CTL_USAGE, "\"%s\" is not understood here",
			    peek(w));
		}
		if (p != NULL && p == w->first)
			w->first = next_needed(w->type, p);
		if (p == NULL)
			put(w, &w->body, row->field, row->value);
		else
			put(w, &w->params, p->name, value_of(p, peek(w)));
	}
}

void
ctl_words(int argc, char **argv, struct buf *body)
{
	struct words w = { .word = argv, .n = argc, .i = 2, .body = *body };

	json_obj(&w.body);
	put_rest(&w);
	json_obj_end(&w.body);
	if (w.body.full)
		ctl_die(CTL_USAGE, "too many words");
	*body = w.body;
}

/* Make an object of the words: the server's answer. */
static struct str
add(int argc, char **argv)
{
	char body[CTL_BODY], params[CTL_BODY / 2];
	struct words w = { .word = argv, .n = argc, .i = 2,
	    .body = BUF(body), .params = BUF(params) };
	const struct word *row;
	struct str json;

	json_obj(&w.body);
	json_obj(&w.params);
	for (row = firsts; row < firsts + COUNT(firsts); row++)
		if (strcmp(row->name, argv[0]) == 0)
			put(&w, &w.body, row->field, row->value);
	put_rest(&w);
	json_obj_end(&w.params);
	if (w.type != NULL)
		json_put_raw(json_key(&w.body, "params"), str_from(&w.params));
	json_obj_end(&w.body);
	if (w.body.full || w.params.full)
		ctl_die(CTL_USAGE, "too many words");
	json = ctl_call(HTTP_POST, ctl_fmt("%s/", argv[0]), str_from(&w.body));
	ctl_json(json);
	return json;
}

/* The server's address as others reach it: its public one, or the one in
 * use, over TLS.  *pins: what goes with it. */
static const char *
base_url(const char **pins)
{
	const char *base = "";
	struct ctl_list l;
	struct str obj;

	*pins = "";
	ctl_list(&l, "setting/", CTL_ALL, false);
	if (ctl_next(&l, &obj)) {
		base = ctl_text(obj, "public");
		*pins = ctl_text(obj, "pins");
	}
	if (strstr(base, "://") == NULL) {
		base = strstr(ctl.server, "://") + 3;
		if (strchr(base, '@') != NULL)
			base = strchr(base, '@') + 1;
		base = ctl_fmt("https://%.*s", (int)strcspn(base, "/#"), base);
	}
	/* It goes between quotes into somebody's shell. */
	if (strpbrk(base, "' \\") != NULL || strpbrk(*pins, "' \\") != NULL)
		ctl_die(CTL_REFUSED, "the server's public address is no URL");
	return base;
}

/* How to start the agent with a key. */
static void
say_start(const char *secret, const char *where)
{
	const char *pins, *base = base_url(&pins), *host;
	const char *url;

	host = strstr(base, "://") + 3;
	if (strncmp(base, "https", 5) != 0)
		pins = "";
	url = ctl_fmt("%.*s%s@%s/%s%s", (int)(host - base), base, secret,
	    host, pins[0] != '\0' ? "#" : "", pins);
	ctl_say("%s", url);
	ctl_say("Start the agent on %s with", where);
	ctl_say("    vilicus-agent '%s'", url);
	ctl_say("or, to keep the key out of ps, make this URL line 1 of "
	    "/etc/vilicus/agent.conf (mode 0600).");
	if (strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
	    strncmp(host, "localhost", 9) == 0)
		ctl_say("This address reaches the server from its own host "
		    "alone; `public` sets another.");
}

/* What calls a heartbeat, with curl's way to know the server's own key. */
static void
say_beat(const char *path)
{
	const char *pins, *base = base_url(&pins), *pin = "";
	struct str rest = str_of(pins), one;
	char text[256];
	struct buf b = BUF(text);

	while (pins[0] != '\0' && strncmp(base, "https", 5) == 0 &&
	    str_cut(&rest, ',', &one) == 0) {
		buf_addf(&b, "%ssha256//", b.n > 0 ? ";" : "");
		for (; one.n > 0; one = str_after(one, 1))
			buf_addc(&b, one.p[0] == '-' ? '+' :
			    one.p[0] == '_' ? '/' : one.p[0]);
		buf_addc(&b, '=');
	}
	if (b.n > 0)
		pin = ctl_fmt("k --pinnedpubkey '%.*s'", (int)b.n, b.p);
	ctl_say("It waits for a first call, with /fail behind it to tell of a "
	    "failure:");
	ctl_say("    curl -fsS%s '%s%s'", pin, base, path);
}

int
ctl_add(int argc, char **argv)
{
	static char noun[] = "key", verb[] = "add", role[] = "agent";
	char *host = argv[2], *key[] = { noun, verb, host, role, role, host };
	struct str json = add(argc, argv);
	char beat[CTL_KEY];

	if (strcmp(argv[0], "key") == 0)
		ctl_say("%s", ctl_text(json, "secret"));
	else if (strcmp(argv[0], "check") == 0)
		ctl_say("%s/%s was added", host, ctl_text(json, "name"));
	else if (strcmp(argv[0], "recipient") == 0)
		ctl_say("%s was added; try: vilicus recipient test %s",
		    host, host);
	else if (strcmp(argv[0], "silence") == 0)
		ctl_say("silence %s holds%s%s", ctl_text(json, "id"),
		    ctl_text(json, "until")[0] != '\0' ? " until " :
		    " until it is removed", ctl_text(json, "until"));
	str_copy(beat, sizeof beat, str_of(ctl_text(json, "beat")));
	if (beat[0] != '\0')
		say_beat(beat);
	if (strcmp(argv[0], "agent") != 0)
		return CTL_FINE;
	snprintf(ctl.doing, sizeof ctl.doing, "%s was added, but has no key "
	    "(try vilicus key add %s agent agent %s): ", host, host, host);
	say_start(ctl_text(add(COUNT(key), key), "secret"), host);
	return CTL_FINE;
}

/* A key for many hosts, of which each makes its own. */
int
ctl_enrol(int argc, char **argv)
{
	char body[CTL_BODY], tags[CTL_TEXT];
	struct buf b = BUF(body), t = BUF(tags);
	struct str json;

	json_obj(&b);
	buf_addz(&b, "\"role\":\"enrol\",\"name\":\"enrol ");
	buf_time(&b, ctl.now_ms);
	buf_addc(&b, '"');
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "approve") == 0)
			buf_addz(&b, ",\"approve\":true");
		else if (strncmp(argv[i], "tag:", 4) == 0)
			buf_addf(&t, "%s%s", t.n > 0 ? " " : "", argv[i] + 4);
		else
			ctl_die(CTL_USAGE, "\"%s\" is neither tag:TAG nor "
			    "approve", argv[i]);
	if (t.n > 0)
		json_add(&b, "tags", str_from(&t));
	json_obj_end(&b);
	if (b.full || t.full)
		ctl_die(CTL_USAGE, "too many words");
	json = ctl_call(HTTP_POST, "key/", str_from(&b));
	ctl_json(json);
	say_start(ctl_text(json, "secret"), "each host");
	return CTL_FINE;
}

/* An address for a browser, and the code that lets it in. */
int
ctl_login(int argc, char **argv)
{
	struct str json = ctl_call(HTTP_POST, "session/", STR(""));
	const char *code = ctl_text(json, "code"), *pins;

	(void)argc;
	(void)argv;
	ctl_json(json);
	ctl_say("%s/login?code=%s", base_url(&pins), code);
	ctl_say("The code %.4s-%s is good once, for 10 minutes.", code,
	    strlen(code) > 4 ? code + 4 : "");
	return CTL_FINE;
}

/* ---- the others ---- */

/* Where one of a kind is; a key may be named by its id. */
static const char *
path_of(const char *kind, const char *name)
{
	uint64_t id;

	bool silence = strcmp(kind, "silence") == 0;
	bool number = str_u64(str_of(name), 1, UINT64_MAX, &id) == 0;

	if (silence && !number)
		ctl_die(CTL_USAGE, "%s: not a silence's number", name);
	return silence || (strcmp(kind, "key") == 0 && number) ?
	    ctl_fmt("%s/%s/", kind, name) :
	    ctl_text(ctl_find(kind, name), "resource_uri");
}

int
ctl_rm(int argc, char **argv)
{
	(void)argc;
	ctl_call(HTTP_DELETE, path_of(argv[0], argv[2]), STR(""));
	ctl_say("%s %s was removed", argv[0], argv[2]);
	return CTL_FINE;
}

/* key approve or refuse: of a host that was enrolled. */
int
ctl_key_state(int argc, char **argv)
{
	bool ok = strcmp(argv[1], "approve") == 0;

	(void)argc;
	ctl_json(ctl_call(HTTP_PATCH, path_of("key", argv[2]),
	    ok ? STR("{\"state\":\"approved\"}") :
	    STR("{\"state\":\"refused\"}")));
	ctl_say("%s is %s", argv[2], ok ? "approved" : "refused");
	return CTL_FINE;
}

/* The pins of the server's own key; or make the next one, or switch to it. */
int
ctl_key_tls(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "", *pins;
	struct str json;

	if (argc == 2) {
		(void)base_url(&pins);
		ctl_say("%s", pins[0] != '\0' ? pins : "none: agents check the "
		    "server's certificate by its name");
		return CTL_FINE;
	}
	if (strcmp(what, "next") != 0 && strcmp(what, "switch") != 0)
		ctl_die(CTL_USAGE, "key tls next, or key tls switch");
	json = ctl_call(HTTP_POST, ctl_fmt("key/tls/%s/", what), STR(""));
	ctl_json(json);
	ctl_say("%s", ctl_text(json, "pins"));
	if (what[0] == 'n')
		ctl_say("Put both pins behind the # of each agent's URL, and "
		    "restart it; then: vilicus key tls switch");
	return CTL_FINE;
}

/* Say that somebody sees to an incident. */
int
ctl_ack(int argc, char **argv)
{
	bool ends = argc > 2 && strcmp(argv[2], "for") == 0;
	char body[CTL_BODY], text[CTL_TEXT];
	struct buf b = BUF(body), comment = BUF(text);
	struct str json;
	int64_t ms = 0;
	uint64_t id;

	if (str_u64(str_of(argv[1]), 1, UINT64_MAX, &id) == -1)
		ctl_die(CTL_USAGE, "%s: not an incident's number", argv[1]);
	if (ends && (argc == 3 || str_duration(str_of(argv[3]), &ms) == -1))
		ctl_die(CTL_USAGE, "no duration like 30m, 2h follows \"for\"");
	for (int i = ends ? 4 : 2; i < argc; i++)
		buf_addf(&comment, "%s%s", comment.n > 0 ? " " : "", argv[i]);
	json_obj(&b);
	json_put_bool(json_key(&b, "acknowledged"), true);
	if (ends)
		json_put_time(json_key(&b, "acknowledged_until"),
		    ctl.now_ms + ms);
	if (comment.n > 0)
		json_add(&b, "comment", str_from(&comment));
	json_obj_end(&b);
	if (b.full || comment.full)
		ctl_die(CTL_USAGE, "too long a comment");
	json = ctl_call(HTTP_PATCH, ctl_fmt("incident/%s/", argv[1]),
	    str_from(&b));
	ctl_json(json);
	ctl_say("incident %s (%s) is acknowledged by %s%s%s", argv[1],
	    ctl_text(json, "what"), ctl_text(json, "acknowledged_by"),
	    ends ? " until " : "", ctl_text(json, "acknowledged_until"));
	return CTL_FINE;
}

/* ---- trying the alarm path ---- */

/* Is a delivery still to come? */
static bool
is_open(struct str delivery)
{
	const char *state = ctl_text(delivery, "state");

	return strcmp(state, "queued") == 0 || strcmp(state, "sending") == 0;
}

/* May somebody still say that it was seen? */
static bool
is_unseen(struct str delivery)
{
	return strcmp(ctl_text(delivery, "state"), "accepted") == 0 &&
	    ctl_text(delivery, "receipt")[0] != '\0' &&
	    ctl_text(delivery, "seen")[0] == '\0';
}

static const char *
how(struct str delivery)
{
	const char *error = ctl_text(delivery, "last_error");

	return ctl_fmt("%s, attempts: %s %s", ctl_text(delivery, "state"),
	    ctl_text(delivery, "attempts"), error[0] != '\0' ? error :
	    ctl_text(delivery, "request"));
}

/* Look at a delivery while it waits so, say how it fares until it is done. */
static struct str
follow(const char *path, bool (*waits)(struct str delivery), int limit_ms)
{
	const struct timespec pause = { 0, CTL_POLL_MS * 1000000L };
	char was[CTL_TEXT] = "";
	struct str json = ctl_call(HTTP_GET, path, STR(""));

	for (int ms = 0; waits(json) && ms < limit_ms; ms += CTL_POLL_MS) {
		if (is_open(json) && strcmp(how(json), was) != 0) {
			str_copy(was, sizeof was, str_of(how(json)));
			ctl_say("%s", was);
		}
		fflush(stdout);
		nanosleep(&pause, NULL);
		json = ctl_call(HTTP_GET, path, STR(""));
	}
	return json;
}

/* How long after it was queued, in ms. */
static int64_t
after_ms(struct str delivery, const char *member)
{
	int64_t from, to;

	return str_time(str_of(ctl_text(delivery, "queued")), &from) == 0 &&
	    str_time(str_of(ctl_text(delivery, member)), &to) == 0 &&
	    to > from ? to - from : 0;
}

static void
say_accepted(struct str delivery)
{
	const char *code = ctl_text(delivery, "code");
	const char *id = ctl_text(delivery, "request"), *more = "";
	int64_t ms = after_ms(delivery, "sent");

	if (strcmp(code, "0") != 0)
		more = ctl_fmt("%s %s", strcmp(ctl_text(delivery, "channel"),
		    "email") == 0 ? "SMTP" : "HTTP", code);
	if (id[0] != '\0')
		more = ctl_fmt("%s%sid %s", more, more[0] != '\0' ? ", " : "",
		    id);
	ctl_say("accepted after %lld.%02d s%s", (long long)ms / 1000,
	    (int)(ms % 1000 / 10), more[0] != '\0' ? ctl_fmt(" (%s)", more) :
	    "");
}

/* Of a delivery with a receipt. */
static void
say_seen(struct str delivery)
{
	const char *device = ctl_text(delivery, "device");

	if (ctl_text(delivery, "seen")[0] == '\0')
		ctl_say("not seen by anybody within %d s", CTL_SEEN_MS / 1000);
	else
		ctl_say("seen by %s after %lld s", device[0] != '\0' ? device :
		    "somebody", (long long)after_ms(delivery, "seen") / 1000);
}

/* Send a test or a drill, and say how its delivery fares until it ends. */
int
ctl_test(int argc, char **argv)
{
	bool drill = strcmp(argv[0], "drill") == 0, seen;
	struct str json = ctl_find("recipient", argv[argc - 1]);
	char path[CTL_TEXT];

	json = ctl_call(HTTP_POST, ctl_fmt("%s%s/", ctl_text(json,
	    "resource_uri"), drill ? "drill" : "test"), STR(""));
	str_copy(path, sizeof path, str_of(ctl_text(json, "resource_uri")));
	if (drill)
		ctl_say("queued as delivery %s", ctl_text(json, "delivery"));
	json = follow(path, is_open, CTL_TEST_MS);
	if (is_open(json)) {
		ctl_json(json);
		ctl_die(CTL_BAD_NEWS, "not accepted within %d s; the server "
		    "goes on trying", CTL_TEST_MS / 1000);
	}
	if (!drill || strcmp(ctl_text(json, "state"), "given up") == 0) {
		ctl_say("%s", how(json));
	} else {
		say_accepted(json);
		seen = ctl_text(json, "receipt")[0] != '\0';
		json = follow(path, is_unseen, CTL_SEEN_MS);
		if (seen)
			say_seen(json);
	}
	ctl_json(json);
	return strcmp(ctl_text(json, "state"), "given up") == 0 ?
	    CTL_BAD_NEWS : CTL_FINE;
}
