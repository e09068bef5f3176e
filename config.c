/* config.c: see config.h. */

#include "config.h"
#include "http.h"
#include "mail.h"

#define CA_FILE		"/etc/ssl/certs/ca-certificates.crt"

struct line {
	struct str word[CONFIG_WORDS];
	unsigned n;
};

static int
split(struct str s, struct line *l, struct fail *why)
{
	struct str rest = s, part;
	bool quoted;
	size_t i;

	l->n = 0;
	while (str_cut(&rest, '\t', &part) == 0)
		if (!str_is_plain(part))
			return fail(why, "a control character; a line is "
			    "plain text");
	for (s = str_trim(s); s.n > 0 && s.p[0] != '#'; s = str_trim(s)) {
		if (l->n == CONFIG_WORDS)
			return fail(why, "too many words; at most %d",
			    CONFIG_WORDS);
		quoted = s.p[0] == '"';
		i = quoted;
		while (i < s.n && strchr(quoted ? "\"" : " \t", s.p[i]) == NULL)
			i++;
		if (quoted && i == s.n)
			return fail(why, "a quote is not closed; end it "
			    "with \"");
		l->word[l->n++] = (struct str){ s.p + quoted, i - quoted };
		s = str_after(s, i + quoted);
		if (s.n > 0 && str_span(s, " \t") == 0)
			return fail(why, "text follows a quoted word; put a "
			    "space between them");
	}
	return 0;
}

int
config_listener(struct str addr, struct config_listen *l, struct fail *why)
{
	const char *bad = NULL;
	size_t i = addr.n;
	uint64_t port;

	while (i > 0 && addr.p[i - 1] != ':')
		i--;
	if (str_u64(str_after(addr, i), 0, 65535, &port) == -1)
		bad = "no port of 0 to 65535; ADDR:PORT or PORT";
	else if (i == 1 || !str_is_of((struct str){ addr.p, i },
	    STR_HEX ".:[]"))
		bad = "the address must be numeric";
	else if (str_copy(l->addr, sizeof l->addr, addr) == -1)
		bad = "too long";
	return bad == NULL ? 0 : fail(why, "%.*s: %s", addr.n > 64 ? 64 :
	    (int)addr.n, addr.p, bad);
}

static int
word_listen(struct config *c, const struct line *l, struct fail *why)
{
	struct config_listen *to = &c->listen[c->listens];
	bool plain = l->n == 3 && str_is(l->word[2], "plain");
	bool tls = l->n == 5 && str_is(l->word[2], "tls");

	if (l->n > 2 && !plain && !tls)
		return fail(why, "only \"plain\" or \"tls CERT KEY\" may "
		    "follow an address");
	if (c->listens == CONFIG_LISTEN)
		return fail(why, "at most %d listeners", CONFIG_LISTEN);
	*to = (struct config_listen){ .plain = plain };
	if (tls && (!str_starts(l->word[3], STR("/")) ||
	    !str_starts(l->word[4], STR("/")) ||
	    str_copy(to->cert, sizeof to->cert, l->word[3]) == -1 ||
	    str_copy(to->key, sizeof to->key, l->word[4]) == -1))
		return fail(why, "CERT and KEY are paths from / on, of at "
		    "most %d bytes", CONFIG_TEXT - 1);
	c->listens++;
	return config_listener(l->word[1], to, why);
}

/* A value once, that fits. */
static int
set_text(char to[CONFIG_TEXT], struct str s, const char *what, struct fail *why)
{
	if (to[0] != '\0')
		return fail(why, "%s is set twice; leave one", what);
	if (s.n == 0 || str_copy(to, CONFIG_TEXT, s) == -1)
		return fail(why, "%s is 1 to %d bytes", what, CONFIG_TEXT - 1);
	return 0;
}

static int
word_public(struct config *c, const struct line *l, struct fail *why)
{
	struct http_url u;
	struct str s = l->word[1];

	if (http_url(s, &u, why) == -1 || !str_is(u.path, "/") ||
	    u.user.n > 0 || u.fragment.n > 0)
		return fail(why, "public is an address without path, key or "
		    "'#': \"https://HOST[:PORT]\"");
	if (s.p[s.n - 1] == '/')
		s.n--;
	return set_text(c->public, s, "public", why);
}

static int
word_disk(struct config *c, const struct line *l, struct fail *why)
{
	uint64_t bytes;

	if (str_size(l->word[1], &bytes) == -1 || bytes < 4u << 20 ||
	    bytes > INT64_MAX)
		return fail(why, "disk is at least 4M: 500M, 1G");
	if (c->disk != 0)
		return fail(why, "disk is set twice; leave one");
	c->disk = bytes;
	return 0;
}

static int
word_sync(struct config *c, const struct line *l, struct fail *why)
{
	struct str s = l->word[1];

	if (!str_is(s, "always") && (str_duration(s, &c->sync_ms) == -1 ||
	    c->sync_ms < 1000 || c->sync_ms > 60000))
		return fail(why, "sync is \"always\", or how long results "
		    "may wait for the disk: 1s to 60s");
	return set_text(c->sync, s, "sync", why);
}

static int
word_pushover(struct config *c, const struct line *l, struct fail *why)
{
	struct http_url u;
	unsigned i;

	for (i = 1; i + 1 < l->n; i += 2) {
		struct str name = l->word[i], v = l->word[i + 1];
		bool token = str_is(name, "token");

		if (!token && !str_is(name, "url"))
			break;
		if (token && (v.n != 30 || !str_is_of(v, STR_ALNUM)))
			return fail(why, "a token is 30 letters and digits");
		if (!token && http_url(v, &u, why) == -1)
			return fail(why, "url is like https://HOST/PATH");
		if (set_text(token ? c->pushover_token : c->pushover_url, v,
		    token ? "token" : "url", why) == -1)
			return -1;
	}
	if (c->pushover_token[0] == '\0')
		return fail(why, "a token is needed: \"token TOKEN\"");
	return i == l->n ? 0 : fail(why, "no \"token TOKEN\" or "
	    "\"url URL\": %.*s", (int)l->word[i].n, l->word[i].p);
}

/* The server of a smtp line, its port being the mode's unless said.  0 or
 * -1. */
static int
set_smtp(struct config *c, struct str s, struct fail *why)
{
	bool tls = strcmp(c->smtp_tls, "tls") == 0;
	bool plain = strcmp(c->smtp_tls, "plain") == 0;
	char url[CONFIG_TEXT + 16], text[CONFIG_TEXT + 16];
	struct buf b = BUF(url), t = BUF(text);
	struct http_url u;
	size_t n;

	buf_addf(&b, "https://%.*s", (int)s.n, s.p);
	n = b.n;
	buf_addz(&b, tls ? ":465" : plain ? ":25" : ":587");
	if (http_url(str_from(&b), &u, why) == -1) {
		b.n = n;
		if (http_url(str_from(&b), &u, why) == -1)
			u.path = STR("");
	}
	if (b.full || !str_is(u.path, "/") || u.user.n > 0 || u.fragment.p !=
	    NULL)
		return fail(why, "the server is HOST, HOST:PORT or [V6]:PORT");
	if (plain && !str_ieq(u.host, STR("localhost")) &&
	    !str_is(u.host, "::1") && !(str_starts(u.host, STR("127.")) &&
	    str_is_of(u.host, "0123456789.")))
		return fail(why, "\"plain\" is for a relay on this host: "
		    "localhost");
	buf_addf(&t, memchr(u.host.p, ':', u.host.n) != NULL ? "[%.*s]:%.*s" :
	    "%.*s:%.*s", (int)u.host.n, u.host.p, (int)u.port.n, u.port.p);
	return set_text(c->smtp, str_from(&t), "smtp", why);
}

static int
word_smtp(struct config *c, const struct line *l, struct fail *why)
{
	const struct {
		const char *name;
		char *to;
	} parts[] = {
		{ "user",		c->smtp_user },
		{ "password-file",	c->smtp_password_file },
		{ "from",		c->smtp_from },
	}, *p;
	bool mode;

	if (c->smtp[0] != '\0')
		return fail(why, "smtp is set twice; leave one");
	for (unsigned i = 2; i < l->n; i++) {
		mode = str_is(l->word[i], "tls") || str_is(l->word[i], "plain");
		p = STR_ROW(parts, l->word[i]);
		if (!mode && (p == NULL || i + 1 == l->n))
			return fail(why, "behind the server stand user USER, "
			    "password-file /PATH, from ADDRESS, tls or plain");
		if (set_text(mode ? c->smtp_tls : p->to,
		    l->word[mode ? i : i + 1], mode ? "tls or plain" : p->name,
		    why) == -1)
			return -1;
		i += !mode;
	}
	if (c->smtp_tls[0] == '\0')
		str_copy(c->smtp_tls, CONFIG_TEXT, STR("starttls"));
	if ((c->smtp_user[0] != '\0') != (c->smtp_password_file[0] == '/'))
		return fail(why, "user and password-file, a path from / on, "
		    "go together");
	if (c->smtp_from[0] == '\0')
		str_copy(c->smtp_from, CONFIG_TEXT, str_of(c->smtp_user));
	if (!mail_address(str_of(c->smtp_from)))
		return fail(why, "a sender is needed: \"from "
		    "NAME@example.org\"");
	return set_smtp(c, l->word[1], why);
}

static int
word_ca_file(struct config *c, const struct line *l, struct fail *why)
{
	if (!str_starts(l->word[1], STR("/")))
		return fail(why, "ca-file is a path from / on");
	return set_text(c->ca_file, l->word[1], "ca-file", why);
}

/* Whether there is such a zone, its reader sees (zone.h). */
static int
word_zone(struct config *c, const struct line *l, struct fail *why)
{
	return set_text(c->zone, l->word[1], "zone", why);
}

static int
word_exec_dir(struct config *c, const struct line *l, struct fail *why)
{
	if (!str_starts(l->word[1], STR("/")))
		return fail(why, "exec-dir is a path from / on");
	return set_text(c->exec_dir, l->word[1], "exec-dir", why);
}

static int
word_webhook_local(struct config *c, const struct line *l, struct fail *why)
{
	(void)l;
	if (c->webhook_local)
		return fail(why, "webhook-local is set twice; leave one");
	c->webhook_local = true;
	return 0;
}

static int
word_heartbeat(struct config *c, const struct line *l, struct fail *why)
{
	struct http_url u;

	if (http_url(l->word[1], &u, why) == -1)
		return fail(why, "heartbeat is like https://HOST/PATH");
	if (c->heartbeat[0] != '\0')
		return fail(why, "heartbeat is set twice; leave one");
	c->heartbeat_ms = 60000;
	if (l->n > 2 && (l->n != 4 || !str_is(l->word[2], "every") ||
	    str_duration(l->word[3], &c->heartbeat_ms) == -1 ||
	    c->heartbeat_ms < 10000 || c->heartbeat_ms > STR_DAY_MS))
		return fail(why, "behind it stands \"every DURATION\", 10s to "
		    "1d");
	return set_text(c->heartbeat, l->word[1], "heartbeat", why);
}

static int
word_drill(struct config *c, const struct line *l, struct fail *why)
{
	int64_t ms = 0;

	if (!str_is(l->word[1], "every") || (!str_is(l->word[2], "0") &&
	    (str_duration(l->word[2], &ms) == -1 || ms < 3600000 ||
	    ms > INT64_C(366) * 86400000)))
		return fail(why, "write it \"drill every 1w\": 1h to 1y, or 0 "
		    "for never");
	if (c->drill_s != 0)
		return fail(why, "drill is set twice; leave one");
	c->drill_s = ms / 1000;
	return 0;
}

static const struct word {
	const char *name, *usage;
	unsigned min, max;	/* words after it */
	int (*read)(struct config *c, const struct line *l, struct fail *why);
} words[] = {
	{ "listen",	"ADDR:PORT [plain|tls CERT KEY]", 1, 4, word_listen },
	{ "public",	"https://HOST[:PORT]",		1, 1, word_public },
	{ "disk",	"SIZE",				1, 1, word_disk },
	{ "sync",	"always|DURATION",		1, 1, word_sync },
	{ "pushover",	"token TOKEN [url URL]",	2, 4, word_pushover },
	{ "smtp",	"HOST[:PORT] [user USER password-file /PATH] "
	    "[from ADDRESS] [tls|plain]",	1, 8, word_smtp },
	{ "ca-file",	"/PATH",			1, 1, word_ca_file },
	{ "drill",	"every DURATION",		2, 2, word_drill },
	{ "zone",	"NAME|TZ",			1, 1, word_zone },
	{ "heartbeat",	"https://HOST/PATH [every DURATION]", 1, 3,
	    word_heartbeat },
	{ "exec-dir",	"/PATH",			1, 1, word_exec_dir },
	{ "webhook-local", "",				0, 0,
	    word_webhook_local },
};

static int
read_line(struct config *c, struct str text, struct fail *why)
{
	const struct word *w;
	struct line l;

	if (split(text, &l, why) == -1)
		return -1;
	if (l.n == 0)
		return 0;
	w = STR_ROW(words, l.word[0]);
	if (w == NULL)
		return fail(why, "\"%.*s\" is no word of vilicus.conf; listen, "
		    "public, disk, sync, pushover, smtp, ca-file, drill, "
		    "zone, heartbeat, exec-dir and webhook-local are",
		    (int)(l.word[0].n > 32 ? 32 : l.word[0].n), l.word[0].p);
	if (l.n - 1 < w->min || l.n - 1 > w->max)
		return fail(why, "write it \"%s %s\"", w->name, w->usage);
	return w->read(c, &l, why);
}

unsigned
config_parse(struct str text, const char *file, struct config *c,
    struct buf *faults)
{
	struct str rest = text, line;
	struct fail why;
	unsigned n = 0, bad = 0;

	memset(c, 0, sizeof *c);
	while (str_cut(&rest, '\n', &line) == 0) {
		n++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (read_line(c, line, &why) == -1) {
			bad++;
			buf_addf(faults, "%s:%u: %s\n", file, n, why.msg);
		}
	}
	if (c->ca_file[0] == '\0')
		str_copy(c->ca_file, CONFIG_TEXT, STR(CA_FILE));
	return bad;
}
