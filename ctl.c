/* ctl.c: the `vilicus` command: options, commands, and the exchange with the
 * server; see ctl.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"
#include "log.h"
#include "tls.h"

#define URL_DEFAULT	"http://127.0.0.1:8454"
#define KEY_DEFAULT	CTL_DIR "/admin.key"
#define API		"/api/v1/"

struct ctl ctl;

/* For https. */
static struct tls_trust trust;
static struct tls_anchors anchors;
static struct tls_client tls;
static unsigned char tls_room[TLS_LARGE];

static char key[CTL_KEY];

static const struct command {
	const char *name;
	int min, max;			/* words after it */
	int (*run)(int argc, char **argv);
	const char *args;
} commands[] = {
	{ "status",	0, 1,  ctl_status,    "[HOST[/CHECK]]" },
	{ "agents",	0, 0,  ctl_show,      "" },
	{ "checks",	0, 1,  ctl_show,      "[HOST]" },
	{ "history",	1, 5,  ctl_show,      "[-o csv] HOST/CHECK [-n N]" },
	{ "incidents",	0, 1,  ctl_incidents, "[ID]" },
	{ "events",	0, 2,  ctl_show,      "[-n N]" },
	{ "recipients",	0, 0,  ctl_show,      "" },
	{ "silences",	0, 0,  ctl_show,      "" },
	{ "keys",	0, 0,  ctl_show,      "" },
	{ "agent add",	1, 9,  ctl_add,	      "HOST [interval 30s] [late 5m] "
	    "[parent HOST[/CHECK]] [tags \"T ...\"]" },
	{ "agent rm",	1, 1,  ctl_rm,	      "HOST" },
	{ "check add",	2, 99, ctl_add,	      "HOST TYPE [PARAMETER ...] "
	    "[RULE ...]" },
	{ "check rm",	1, 1,  ctl_rm,	      "HOST/CHECK" },
	{ "recipient add", 3, 14, ctl_add,    "NAME CHANNEL ADDRESS "
	    "[secret S] [severity critical] [match PLACES] [hours HOURS] "
	    "[after 15m] [emergency]" },
	{ "recipient rm", 1, 1, ctl_rm,	      "NAME" },
	{ "recipient test", 1, 1, ctl_test,   "NAME" },
	{ "drill",	1, 1,  ctl_test,      "RECIPIENT" },
	{ "key add",	2, 4,	ctl_add,	"NAME admin|operator|viewer|"
	    "agent [agent HOST]" },
	{ "key approve", 1, 1,	ctl_key_state,	"NAME|ID" },
	{ "key refuse",	1, 1,	ctl_key_state,	"NAME|ID" },
	{ "key tls",	0, 1,	ctl_key_tls,	"[next|switch]" },
	{ "enrol",	0, 9,	ctl_enrol,	"[tag:TAG ...] [approve]" },
	{ "login",	0, 0,	ctl_login,	"" },
	{ "key rm",	1, 1,  ctl_rm,	      "NAME|ID" },
	{ "silence add", 1, 9, ctl_add,	      "PLACES [for 2h] [from TIME] "
	    "[until TIME] [weekly HOURS] [comment TEXT]" },
	{ "silence rm",	1, 1,  ctl_rm,	      "ID" },
	{ "ack",	1, 99, ctl_ack,	      "INCIDENT [for DURATION] "
	    "[COMMENT ...]" },
	{ "replay",	1, 99, ctl_replay,    "HOST/CHECK [from TIME] "
	    "[until TIME] [RULE ...]" },
	{ "why",	1, 2,  ctl_why,	      "HOST/CHECK [TIME]" },
	{ "verify",	0, 2,  ctl_verify,    "[DIR] [N:HASH]" },
};

const char *
ctl_fmt(const char *fmt, ...)
{
	static char texts[CTL_TEXTS][CTL_TEXT];
	static unsigned turn;
	char *text = texts[turn++ % CTL_TEXTS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, CTL_TEXT, fmt, ap);
	va_end(ap);
	return text;
}

static void
print_line(FILE *f, const char *text)
{
	char line[CTL_TEXT];
	struct buf b = BUF(line);

	buf_line(&b, str_of(text));
	fprintf(f, "%.*s\n", (int)b.n, b.p);
}

void
ctl_exit(int code, const char *text)
{
	print_line(stderr, ctl_fmt("vilicus: %s%s", ctl.doing, text));
	exit(code);
}

void
ctl_line(const char *text)
{
	if (!ctl.json)
		print_line(stdout, text);
}

_Noreturn static void
usage(void)
{
	const struct command *k;

	fputs("usage: vilicus [-s URL] [-i FILE] [-j] COMMAND [ARG ...]\n",
	    stderr);
	for (k = commands; k < commands + COUNT(commands); k++)
		fprintf(stderr, "\t%s %s\n", k->name, k->args);
	exit(CTL_USAGE);
}

struct str
ctl_call(enum http_method m, const char *path, struct str body)
{
	static char answer[CTL_ANSWER], request[CTL_REQUEST];
	static struct client c;
	struct http_url u = ctl.url;
	char host[256], port[16];
	const char *text;
	struct str json;
	struct stream plain;
	struct fail why;
	struct buf b = BUF(request);
	int fd;

	u.path = str_of(ctl_fmt("%s%s", path[0] == '/' ? "" : API, path));
	http_put_request(&b, http_method_name(m), &u,
	    body.n > 0 || m == HTTP_POST ? (int64_t)body.n : -1);
	buf_addf(&b, "Authorization: Bearer %s\r\n%sConnection: close\r\n\r\n",
	    key, body.n > 0 ? "Content-Type: application/json\r\n" : "");
	buf_add(&b, body);
	if (b.full || str_copy(host, sizeof host, u.host) == -1 ||
	    str_copy(port, sizeof port, u.port) == -1)
		ctl_die(CTL_USAGE, "the request is too long");
	fd = stream_connect(host, port, CTL_CONNECT_MS, &why);
	if (fd == -1)
		ctl_die(CTL_REFUSED, "%s port %s: %s", host, port, why.msg);
	stream_plain(&plain, fd);
	if (u.tls && tls_client(&tls, fd, host, &trust, ctl.now_ms, tls_room,
	    sizeof tls_room, &why) == -1)
		ctl_die(CTL_REFUSED, "%s: %s", host, why.msg);
	client_begin(&c, u.tls ? &tls.t.s : &plain, str_from(&b), false,
	    answer, sizeof answer);
	if (client_run(&c, CTL_ANSWER_MS) != HTTP_DONE)
		ctl_die(CTL_REFUSED, "%s port %s: %s", host, port, c.why.msg);
	close(fd);
	json = (struct str){ c.body, c.body_n };
	text = ctl_text(json, "error");
	if (c.head.status == 403 && ctl.may)
		return STR("{\"objects\":[]}");
	if (c.head.status < 200 || c.head.status > 299)
		ctl_die(CTL_REFUSED, "%s", text[0] != '\0' ? text :
		    http_reason(c.head.status));
	if (json.n > 0 && json_valid(json, &why) == -1)
		ctl_die(CTL_REFUSED, "the server's answer: %s", why.msg);
	return json;
}

void
ctl_list(struct ctl_list *l, const char *path, unsigned n, bool show)
{
	*l = (struct ctl_list){ .left = n, .show = show };
	snprintf(l->next, sizeof l->next, "%s%climit=%u", path,
	    strchr(path, '?') == NULL ? '?' : '&', n < CTL_PAGE ? n : CTL_PAGE);
}

bool
ctl_next(struct ctl_list *l, struct str *obj)
{
	struct str page, meta;

	if (l->left == 0)
		return false;
	while (json_value(&l->j, obj) != JSON_OBJ) {
		if (l->next[0] == '\0')
			return false;
		page = meta = ctl_call(HTTP_GET, l->next, STR(""));
		if (l->show)
			ctl_json(page);
		json_member(page, "meta", &meta);
		json_text(meta, "next", l->next, sizeof l->next);
		if (json_list(&l->j, page, "objects") == -1)
			ctl_die(CTL_REFUSED, "the server's answer is not a "
			    "list");
	}
	l->left--;
	return true;
}

const char *
ctl_text(struct str obj, const char *name)
{
	char text[CTL_TEXT];
	struct str raw;
	enum json_tok tok = json_member(obj, name, &raw);

	if (tok == JSON_BAD || tok == JSON_END || tok == JSON_NULL)
		return "";
	if (tok != JSON_STR)
		return ctl_fmt("%.*s", (int)raw.n, raw.p);
	return json_unescape(raw, text, sizeof text) == -1 ? "(unreadable)" :
	    ctl_fmt("%s", text);
}

struct str
ctl_find(const char *kind, const char *name)
{
	struct str rest = str_of(name), host, found, more;
	char path[1024];
	struct ctl_list l;
	struct buf b = { path, 0, sizeof path - 1, false };

	buf_addf(&b, "%s/?", kind);
	if (strcmp(kind, "check") == 0) {
		str_cut(&rest, '/', &host);
		if (rest.p == NULL)
			ctl_die(CTL_USAGE, "%s: not HOST/CHECK", name);
		buf_addz(&b, "agent__hostname=");
		http_escape(&b, host);
		buf_addc(&b, '&');
	}
	buf_addz(&b, strcmp(kind, "agent") == 0 ? "hostname=" : "name=");
	http_escape(&b, rest);
	if (b.full)
		ctl_die(CTL_USAGE, "%s: too long a name", name);
	path[b.n] = '\0';
	ctl_list(&l, path, CTL_ALL, false);
	if (!ctl_next(&l, &found))
		ctl_die(CTL_REFUSED, "no %s is \"%s\"", kind, name);
	if (ctl_next(&l, &more))
		ctl_die(CTL_REFUSED, "more than one %s is \"%s\": give its "
		    "id", kind, name);
	return found;
}

/* The URL, and the key: of the URL, or line 1 of a file. */
static void
use_server(const char *path)
{
	char line[CTL_KEY] = "";
	struct fail why;
	struct str s;
	FILE *f;

	if (http_url(str_of(ctl.server), &ctl.url, &why) == -1)
		ctl_die(CTL_USAGE, "-s: %s", why.msg);
	if (!str_is(ctl.url.path, "/"))
		ctl_die(CTL_USAGE, "-s: a server's URL has no path");
	if (!ctl.url.tls && ctl.url.fragment.p != NULL)
		ctl_die(CTL_USAGE, "-s: a pin ('#') is for https");
	if (ctl.url.tls && tls_trust(&trust, ctl.url.fragment, &anchors, NULL,
	    &why) == -1)
		ctl_die(CTL_REFUSED, "%s", why.msg);
	s = ctl.url.user;
	if (s.n == 0) {
		f = fopen(path, "r");
		if (f == NULL)
			ctl_die(CTL_REFUSED, "the key (-i FILE): %s: %s", path,
			    strerror(errno));
		if (fgets(line, sizeof line, f) != NULL)
			line[strcspn(line, "\r\n")] = '\0';
		fclose(f);
		s = str_trim(str_of(line));
	}
	if (s.n == 0 || str_copy(key, sizeof key, s) == -1)
		ctl_die(CTL_REFUSED, "%s: line 1 is not a key", path);
}

static const char *
or_env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : otherwise;
}

int
main(int argc, char **argv)
{
	const char *file = or_env("VILICUS_KEY_FILE", KEY_DEFAULT), *two;
	const struct command *k;
	int opt, n, code;

	ctl.server = or_env("VILICUS_URL", URL_DEFAULT);
	while ((opt = getopt(argc, argv, "s:i:j")) != -1)
		if (opt == 's')
			ctl.server = optarg;
		else if (opt == 'i')
			file = optarg;
		else if (opt == 'j')
			ctl.json = true;
		else
			usage();
	argc -= optind;
	argv += optind;
	/* The command is two words, or one; n are left. */
	two = ctl_fmt("%s %s", argc > 0 ? argv[0] : "",
	    argc > 1 ? argv[1] : "");
	k = STR_ROW(commands, str_of(two));
	n = k != NULL ? argc - 2 : argc - 1;
	if (k == NULL)
		k = STR_ROW(commands, str_of(argv[0]));
	if (k == NULL || n < k->min || n > k->max)
		usage();
	ctl.now_ms = log_clock_ms();
	if (k->run != ctl_verify)
		use_server(file);
	code = k->run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		ctl_die(CTL_REFUSED, "standard output cannot be written");
	return code;
}
