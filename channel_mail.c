/*
 * channel_mail.c: one message to one recipient, by SMTP (RFC 5321).
 *
 *	greeting, EHLO [STARTTLS (RFC 3207), EHLO] [AUTH (RFC 4954)]
 *	MAIL RCPT DATA: until the last byte is sent, surely not taken
 *	its answer: 2xx taken, 4xx, 5xx not; none: who knows
 *	QUIT
 *
 * "tls" begins with TLS, "plain" never does.  Else STARTTLS is demanded, and
 * what was heard before it is forgotten: anyone on the way may have said it.
 * So a 5xx there is no last word, and a server that does not offer it is no
 * reason to go on without.
 */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "channel_impl.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "mail.h"

#define SEND_MS		30000	/* from the name to the message's last byte */
#define DONE_MS		55000	/* and to the answer to it */
#define SAID_LINE	1000	/* bytes of a line of a reply, CRLF too */
#define SAID_LINES	64	/* of a reply */
#define SAID_MAX	4096	/* bytes that are kept of a reply */
#define LOGIN_MAX	256	/* bytes of a user, of a password, and NUL */

enum { STARTTLS, TLS, PLAIN };
static const char *const modes[] = { "starttls", "tls", "plain" };

struct talk {
	struct channel_outcome *o;
	unsigned mode;
	char host[256], port[8], user[LOGIN_MAX], password[LOGIN_MAX];
	char from[MAIL_ADDRESS_MAX + 1], to[MAIL_ADDRESS_MAX + 1];
	int fd;
	bool sure;		/* it is the one we mean */
	struct stream *s, plain;
	int64_t until_ms;
	char me[ADDR_TEXT + 16];	/* as EHLO has it */
	char in[SAID_LINE];	/* as received, of which `used` are done */
	size_t in_n, used;
	char step[16];		/* what the reply is to */
	int code;		/* of the last reply; its text, line by line */
	char room[SAID_MAX];
	struct buf said;
	struct fail why;
};

static struct tls_client secure;
static unsigned char secure_room[TLS_LARGE];

/* ---- lines ---- */

static int
get_line(struct talk *t, struct str *line)
{
	char *end;
	ssize_t k;

	t->in_n -= t->used;
	memmove(t->in, t->in + t->used, t->in_n);
	t->used = 0;
	while ((end = memchr(t->in, '\n', t->in_n)) == NULL) {
		if (t->in_n == sizeof t->in)
			return fail(&t->why, "a line of over %zu bytes",
			    sizeof t->in);
		k = t->s->ops->read(t->s, t->in + t->in_n,
		    sizeof t->in - t->in_n);
		if (k == STREAM_AGAIN &&
		    stream_wait(t->s, t->until_ms, &t->why) == 0)
			continue;
		if (k <= 0)
			return k == STREAM_AGAIN ? -1 : fail(&t->why, "%s",
			    k == STREAM_EOF ? "connection closed" :
			    t->s->why.msg);
		t->in_n += (size_t)k;
	}
	t->used = (size_t)(end - t->in) + 1;
	*line = (struct str){ t->in, t->used - 1 };
	line->n -= line->n > 0 && line->p[line->n - 1] == '\r';
	return 0;
}

/* Read a reply (RFC 5321 4.2).  0, or -1: none that can be read. */
static int
reply(struct talk *t)
{
	struct str line = STR("");
	uint64_t code;

	buf_init(&t->said, t->room, sizeof t->room - 1);
	for (unsigned n = 0; n < SAID_LINES; n++) {
		if (get_line(t, &line) == -1)
			return fail_in(&t->why, "at %s", t->step);
		if (line.n < 3 || (line.n > 3 && line.p[3] != ' ' &&
		    line.p[3] != '-') || str_u64((struct str){ line.p, 3 },
		    200, 599, &code) == -1)
			return fail(&t->why, "no SMTP at %s: %.*s",
			    t->step, line.n < 40 ? (int)line.n : 40, line.p);
		t->code = (int)code;
		if (n > 0)
			buf_addc(&t->said, '\n');
		buf_line(&t->said, str_after(line, line.n > 3 ? 4 : 3));
		if (line.n == 3 || line.p[3] == ' ')
			return 0;
	}
	return fail(&t->why, "over %d lines at %s", SAID_LINES,
	    t->step);
}

static int
put(struct talk *t, struct str s)
{
	ssize_t k;

	while (s.n > 0) {
		k = t->s->ops->write(t->s, s.p, s.n);
		if (k == STREAM_AGAIN &&
		    stream_wait(t->s, t->until_ms, &t->why) == 0)
			continue;
		if (k <= 0)
			return k == STREAM_AGAIN ? -1 : fail(&t->why, "%s",
			    t->s->why.msg);
		s = str_after(s, (size_t)k);
	}
	return 0;
}

/* ---- commands ---- */

/* The text of the last reply, as one line. */
static const char *
said(struct talk *t)
{
	t->room[t->said.n] = '\0';
	for (char *p = t->room; (p = strchr(p, '\n')) != NULL;)
		*p = ' ';
	return t->room;
}

/* Is the last reply of this class?  0, or -1: and what it means. */
static int
expect(struct talk *t, int class)
{
	int got = t->code / 100;

	if (got == class)
		return 0;
	t->o->code = t->code;
	if (got >= 4)
		t->o->end = got == 5 && t->sure ? CHANNEL_REFUSED :
		    CHANNEL_RETRY;
	channel_reason(t->o, "%s: %d at %s: %s", t->host, t->code, t->step,
	    said(t));
	return -1;
}

/* Send a command and have its reply, of any class.  0 or -1. */
static int say(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
say(struct talk *t, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof line - 2)
		return fail(&t->why, "a command of %d bytes", n);
	memcpy(line + n, "\r\n", 2);
	if (fmt[0] != '%')		/* else more of the one before */
		(void)snprintf(t->step, sizeof t->step, "%.*s",
		    (int)strcspn(fmt, " :"), fmt);
	return put(t, (struct str){ line, (size_t)n + 2 }) == -1 ? -1 :
	    reply(t);
}

/* The same, and of this class. */
#define ask(t, class, ...) \
	(say((t), __VA_ARGS__) == -1 ? -1 : expect((t), (class)))

static int
hello(struct talk *t)
{
	if (say(t, "EHLO %s", t->me) == -1)
		return -1;
	return t->code / 100 == 5 ? ask(t, 2, "HELO %s", t->me) :
	    expect(t, 2);
}

/* Did its hello offer this: a keyword, and with it a word (unless "")? */
static bool
offers(const struct talk *t, const char *keyword, const char *with)
{
	struct str rest = str_from(&t->said), line, word;
	bool found = false;

	(void)str_cut(&rest, '\n', &line);	/* says who it is */
	while (!found && str_cut(&rest, '\n', &line) == 0) {
		if (str_cut(&line, ' ', &word) == -1 ||
		    !str_ieq(word, str_of(keyword)))
			continue;
		found = with[0] == '\0';
		while (!found && str_cut(&line, ' ', &word) == 0)
			found = str_ieq(word, str_of(with));
	}
	return found;
}

static int
login(struct talk *t)
{
	char both[2 * LOGIN_MAX], text[sizeof both / 3 * 4 + 8];
	size_t user_n = strlen(t->user), password_n = strlen(t->password);

	if (user_n == 0)
		return 0;
	if (offers(t, "AUTH", "PLAIN")) {	/* RFC 4616 */
		both[0] = '\0';
		memcpy(both + 1, t->user, user_n + 1);
		memcpy(both + user_n + 2, t->password, password_n);
		return ask(t, 2, "AUTH PLAIN %s", str_base64(text, both,
		    user_n + password_n + 2));
	}
	if (!offers(t, "AUTH", "LOGIN"))
		return fail(&t->why, "neither AUTH PLAIN nor LOGIN is "
		    "offered");
	return ask(t, 3, "AUTH LOGIN") == -1 ||
	    ask(t, 3, "%s", str_base64(text, t->user, user_n)) == -1 ? -1 :
	    ask(t, 2, "%s", str_base64(text, t->password, password_n));
}

/* ---- the connection ---- */

static int
begin_tls(struct talk *t)
{
	if (tls_client(&secure, t->fd, t->host, channel_trust(t->o),
	    log_clock_ms(), secure_room, sizeof secure_room, &t->why) == -1)
		return -1;
	t->s = &secure.t.s;
	t->sure = true;
	return 0;
}

/* From the greeting to a session that may be trusted. */
static int
greet(struct talk *t)
{
	if (t->mode == TLS && begin_tls(t) == -1)
		return -1;
	t->sure = t->mode != STARTTLS;
	str_copy(t->step, sizeof t->step, STR("greeting"));
	if (reply(t) == -1 || expect(t, 2) == -1 || hello(t) == -1)
		return -1;
	if (t->mode != STARTTLS)
		return 0;
	if (!offers(t, "STARTTLS", ""))
		return fail(&t->why, "STARTTLS is demanded and not offered");
	if (ask(t, 2, "STARTTLS") == -1)
		return -1;
	/* CVE-2011-0411: it would count as said within TLS. */
	if (t->in_n > t->used)
		return fail(&t->why, "more than an answer to STARTTLS");
	t->in_n = t->used = 0;
	return begin_tls(t) == -1 ? -1 : hello(t);
}

static int
transfer(struct talk *t, struct str text)
{
	if (ask(t, 2, "MAIL FROM:<%s>", t->from) == -1 ||
	    ask(t, 2, "RCPT TO:<%s>", t->to) == -1 || ask(t, 3, "DATA") == -1)
		return -1;
	str_copy(t->step, sizeof t->step, STR("message"));
	if (put(t, text) == -1)
		return fail_in(&t->why, "in the message");
	t->o->end = CHANNEL_UNKNOWN;
	t->until_ms += DONE_MS - SEND_MS;
	if (reply(t) == -1 || expect(t, 2) == -1)
		return -1;
	t->o->end = CHANNEL_ACCEPTED;
	t->o->code = t->code;
	channel_line(t->o->id, sizeof t->o->id, said(t));
	return 0;
}

static int
deliver(struct talk *t, struct str text)
{
	char addr[ADDR_TEXT];
	int rc = -1;

	t->until_ms = loop_mono_ms() + SEND_MS;
	t->fd = stream_connect(t->host, t->port, CHANNEL_CONNECT_MS, &t->why);
	if (t->fd == -1)
		return -1;
	stream_plain(&t->plain, t->fd);
	t->s = &t->plain;
	/* Our name is our address (RFC 5321 4.1.3), which has a port here. */
	if (stream_local(t->fd, addr, &t->why) == 0) {
		*strrchr(addr, ':') = '\0';
		snprintf(t->me, sizeof t->me, addr[0] == '[' ? "[IPv6:%s" :
		    "[%s]", addr + (addr[0] == '['));
		rc = greet(t) == -1 || login(t) == -1 ? -1 :
		    transfer(t, text);
	}
	/* A goodbye, if it goes at once; nobody waits for the answer. */
	if (rc == 0 || t->o->code != 0)
		(void)t->s->ops->write(t->s, "QUIT\r\n", 6);
	t->s->ops->shut(t->s);
	close(t->fd);
	return rc;
}

/* Read a job.  0, or -1: there is none. */
static int
read_job(struct talk *t, struct str job, struct buf *text)
{
	const struct {
		const char *member;
		char *to;
		size_t cap;
		bool need;
	} texts[] = {
		{ "smtp_host",	   t->host,	sizeof t->host,	    true },
		{ "smtp_port",	   t->port,	sizeof t->port,	    true },
		{ "smtp_from",	   t->from,	sizeof t->from,	    true },
		{ "address",	   t->to,	sizeof t->to,	    true },
		{ "smtp_user",	   t->user,	sizeof t->user,	    false },
		{ "smtp_password", t->password,	sizeof t->password, false },
	};
	char mode[16];
	int rc;

	if (mail_write(text, job, log_clock_ms(), &t->why) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(texts); i++)
		if (json_text(job, texts[i].member, texts[i].to,
		    texts[i].cap) < texts[i].need)
			return fail(&t->why, "%s that cannot be read",
			    texts[i].member);
	rc = json_text(job, "smtp_tls", mode, sizeof mode);
	while (rc == 1 && t->mode < COUNT(modes) &&
	    strcmp(mode, modes[t->mode]) != 0)
		t->mode++;
	return rc == -1 || t->mode == COUNT(modes) ?
	    fail(&t->why, "smtp_tls is starttls, tls or plain") : 0;
}

void
channel_mail(struct str job, struct channel_outcome *o)
{
	static struct talk t;
	static char room[MAIL_MAX];
	struct buf text = BUF(room);

	t = (struct talk){ .o = o };
	if (read_job(&t, job, &text) == -1) {
		channel_reason(o, "%s", t.why.msg);
		return;
	}
	if (t.mode != PLAIN && channel_trust(o) == NULL)
		return;
	buf_addz(&text, ".\r\n");
	o->end = CHANNEL_RETRY;
	if (deliver(&t, str_from(&text)) == -1 && o->reason[0] == '\0')
		channel_reason(o, "%s: %s", t.host, t.why.msg);
}
