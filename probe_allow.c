/*
 * probe_allow.c: what the server may ask of this host.  See probe.h.
 *
 * Hosts are compared as they stand in the check, before they are resolved.
 */
#include "http.h"
#include "match.h"
#include "probe_impl.h"

#define ALLOWS_MAX	64	/* lines */

enum kind { NAME, HOST, URL, PATH };

/* What a type's target is, if not the name that is its first parameter. */
static const struct target {
	const char *type, *param;
	enum kind kind;
	const char *unless;		/* what is allowed without a line */
} targets[] = {
	{ "tcp",	"host",		HOST,	NULL },
	{ "ping",	"host",		HOST,	NULL },
	{ "dns",	"server",	HOST,	NULL },
	{ "http",	"url",		URL,	NULL },
	{ "file",	"path",		PATH,	"/var/log" },
	{ "log",	"path",		PATH,	"/var/log" },
	{ "number",	"path",		PATH,	NULL },
};

static struct allow {
	const struct check_type *type;
	struct str target;		/* empty: any */
} allows[ALLOWS_MAX + 1];
static unsigned allows_n;

/* HOST, HOST:PORT, V6, [V6] or [V6]:PORT; without a port that is empty. */
static void
split(struct str s, struct str *host, struct str *port)
{
	*port = s;
	if (str_starts(s, STR("["))) {
		*port = str_after(s, 1);
		str_cut(port, ']', host);
		*port = str_after(*port, port->n > 0);
		return;
	}
	str_cut(port, ':', host);
	if (port->n == 0 || memchr(port->p, ':', port->n) != NULL) {
		*host = s;
		port->n = 0;
	}
}

static bool
is_host(struct str target, struct str host, struct str port)
{
	struct str may, at;

	split(target, &may, &at);
	return match_glob(may, host) && (at.n == 0 || str_eq(at, port));
}

/* Is it that path, or below, and does not leave it? */
static bool
is_below(struct str target, struct str path)
{
	struct str part, rest = path;

	while (str_cut(&rest, '/', &part) == 0)
		if (str_is(part, ".."))
			return false;
	while (target.n > 0 && target.p[target.n - 1] == '/')
		target.n--;
	return str_starts(path, target) && path.n > 0 &&
	    (path.n == target.n || path.p[target.n] == '/');
}

/* Of that host, or does it begin so?  A path without its query, as the other
 * side may read it, must lead down only. */
static bool
is_url(struct str target, struct str url)
{
	char plain[PROBE_URL_MAX];
	struct http_url t, u;
	struct str path, rest;
	struct fail why;

	if (http_url(url, &u, &why) == -1)
		return false;
	if (http_url(target, &t, &why) == -1)
		return is_host(target, u.host, u.port);
	rest = u.path;
	str_cut(&rest, '?', &path);
	return t.tls == u.tls && str_ieq(t.host, u.host) &&
	    str_eq(t.port, u.port) && str_starts(u.path, t.path) &&
	    http_unescape(path, false, plain, sizeof plain) == 0 &&
	    is_below(STR("/"), str_of(plain));
}

static bool
covers(const struct allow *a, enum kind kind, struct str target)
{
	struct str host, port;

	if (a->target.n == 0)
		return true;
	if (kind == URL)
		return is_url(a->target, target);
	if (kind == PATH)
		return is_below(a->target, target);
	if (kind == NAME)
		return match_glob(a->target, target);
	split(target, &host, &port);
	return is_host(a->target, host, port);
}

bool
probe_allows_target(const struct check_type *t, struct str target,
    struct fail *why)
{
	const struct target *row = STR_ROW(targets, str_of(t->name));
	enum kind kind = row != NULL ? row->kind : NAME;
	struct http_url u;
	bool ok = allows_n == 0 && (row == NULL || row->unless == NULL ||
	    is_below(str_of(row->unless), target));

	for (unsigned i = 0; i < allows_n; i++)
		ok |= allows[i].type == t && covers(&allows[i], kind, target);
	if (kind == URL && http_url(target, &u, why) == 0)
		target = u.host;	/* no password that stands in it */
	return ok || fail(why, "agent.conf does not allow %s%s%.*s", t->name,
	    target.n > 0 ? " " : "", (int)target.n, target.p) == 0;
}

bool
probe_allows(const struct check_type *t, struct str params, struct fail *why)
{
	const struct target *row = STR_ROW(targets, str_of(t->name));
	char text[CHECK_TEXT_MAX + 1], target[CHECK_TEXT_MAX + 9];
	struct buf b = BUF(target);
	int64_t port;

	if ((row == NULL && t->params == 0) || check_param_text(params,
	    row != NULL ? row->param : t->param[0].name, text, sizeof text) ==
	    -1)
		text[0] = '\0';
	buf_addz(&b, text);
	if (check_param_int(params, "port", 1, 65535, &port) == 0) {
		b.n = 0;
		buf_addf(&b, strchr(text, ':') != NULL ? "[%s]:%d" : "%s:%d",
		    text, (int)port);
	}
	return probe_allows_target(t, str_from(&b), why);
}

int
probe_allow(struct str line, struct fail *why)
{
	struct str name, url;
	struct allow *a = &allows[allows_n];
	struct http_url u;

	str_cut(&line, ' ', &name);
	*a = (struct allow){ check_type(name), str_trim(line) };
	if (allows_n == ALLOWS_MAX)
		return fail(why, "more than %d \"allow\" lines", ALLOWS_MAX);
	if (a->type == NULL)
		return fail(why, "allow %.*s: no such type of checks",
		    name.n < 32 ? (int)name.n : 32, name.p);
	url = a->target;
	if (strcmp(a->type->name, "http") == 0 && url.n > 0 &&
	    memchr(url.p, '/', url.n) != NULL && http_url(url, &u, why) == -1)
		return fail_in(why, "allow http");
	allows_n++;
	return 0;
}
