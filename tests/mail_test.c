/* mail_test: every text as an e-mail, and back. */
#include <string.h>

#include "../json.h"
#include "../mail.h"
#include "test.h"

#define NOW_MS	INT64_C(1795330391123)	/* 2026-11-22 06:53:11 */

/* What a job says; NULL is left out. */
struct job {
	const char *from, *to, *title, *message, *link, *journal, *severity;
	const char *mark;
	int64_t id, thread;
};

static const struct job plain = { "vilicus@example.org", "noc@example.net",
	"T", "m", NULL, NULL, "critical", "aZ-_09", 7, 3 };

static char job_room[65536], mail_room[MAIL_MAX], text_room[MAIL_MAX];
static struct fail why;

static void
member(struct buf *b, const char *name, const char *value)
{
	if (value != NULL)
		json_add(b, name, str_of(value));
}

static struct str
job_of(const struct job *j)
{
	struct buf b = BUF(job_room);

	json_obj(&b);
	member(&b, "smtp_from", j->from);
	member(&b, "address", j->to);
	member(&b, "title", j->title);
	member(&b, "message", j->message);
	member(&b, "link", j->link);
	member(&b, "journal", j->journal);
	member(&b, "severity", j->severity);
	member(&b, "smtp_mark", j->mark);
	json_add_int(&b, "id", j->id);
	json_add_int(&b, "thread", j->thread);
	json_obj_end(&b);
	CHECK(!b.full);
	return str_from(&b);
}

/* The e-mail of a job; NULL: none.  What holds of all of them is checked. */
static struct str
mail_of(const struct job *j)
{
	struct buf b = BUF(mail_room);
	struct str rest, line;
	bool head = true, legible = true;

	if (mail_write(&b, job_of(j), NOW_MS, &why) == -1)
		return (struct str){ NULL, 0 };
	for (size_t i = 0; i < b.n; i++)
		legible = legible && (b.p[i] == '\n') ==
		    (i > 0 && b.p[i - 1] == '\r') &&
		    (strchr("\r\n\t", b.p[i]) != NULL ||
		    (b.p[i] >= ' ' && b.p[i] <= '~'));
	CHECK(legible);
	CHECK(b.n > 2 && b.p[b.n - 1] == '\n');
	rest = (struct str){ b.p, b.n - 1 };
	while (str_cut(&rest, '\n', &line) == 0) {
		line.n -= line.n > 0;		/* CR */
		head = head && line.n > 0;
		/* An address is never folded. */
		legible = legible && (line.n == 0 || line.p[0] != '.') &&
		    (line.n <= 76 || (head && line.n < 400 &&
		    !str_starts(line, STR("Subject")) && line.p[0] != ' ')) &&
		    (!head || line.p[0] == ' ' ||
		    memchr(line.p, ':', line.n) != NULL);
	}
	CHECK(legible);
	return str_from(&b);
}

/* A field's text, unfolded; NULL: it has none. */
static const char *
field(struct str mail, const char *name)
{
	static char text[4096];
	struct buf b = BUF(text);
	struct str line;
	bool in = false;

	while (str_cut(&mail, '\n', &line) == 0 && line.n > 1) {
		line.n--;
		if (line.p[0] != ' ') {
			in = line.n > strlen(name) && line.p[strlen(name)] ==
			    ':' && str_starts(line, str_of(name));
			line = str_after(line, in ? strlen(name) + 1 : 0);
			if (in && b.n > 0)
				return "twice";
		}
		if (in)
			buf_add(&b, line);
	}
	buf_addc(&b, '\0');
	return b.n > 2 ? text + 1 : NULL;
}

static int
hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* "=XX" undone, and '_' in a word. */
static void
unquote(struct buf *b, struct str s, bool word)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '=' && s.n - i > 2 && s.p[i + 1] != '\r') {
			buf_addc(b, (char)(hex(s.p[i + 1]) * 16 +
			    hex(s.p[i + 2])));
			i += 2;
		} else if (s.p[i] == '=')
			i += 2;			/* a soft break */
		else if (s.p[i] != '\r')
			buf_addc(b, word && s.p[i] == '_' ? ' ' : s.p[i]);
	}
}

/* The subject, decoded; each word has whole characters. */
static const char *
subject(struct str mail)
{
	struct buf b = BUF(text_room);
	const char *p = field(mail, "Subject"), *end;

	if (p == NULL || strncmp(p, "=?", 2) != 0)
		return p;
	for (; strncmp(p, "=?utf-8?q?", 10) == 0; p = end + 2 +
	    (end[2] == ' ')) {
		size_t was = b.n;
		struct str one;

		end = strstr(p + 10, "?=");
		if (!CHECK(end != NULL && end > p + 10))
			return NULL;
		CHECK(end + 2 - p <= 75);
		unquote(&b, (struct str){ p + 10, (size_t)(end - p) - 10 },
		    true);
		for (one = (struct str){ b.p + was, b.n - was }; one.n > 0;)
			CHECK(str_take(&one) != -1);
	}
	CHECK(*p == '\0');
	buf_addc(&b, '\0');
	return text_room;
}

static const char *
body(struct str mail)
{
	struct buf b = BUF(text_room);
	size_t i = 0;

	while (strncmp(mail.p + i, "\r\n\r\n", 4) != 0)
		i++;
	unquote(&b, str_after(mail, i + 4), false);
	buf_addc(&b, '\0');
	return b.p;
}

static void
test_plain(void)
{
	struct job j = plain;

	j.message = "one\ntwo";
	j.link = "https://m.example.org/s";
	j.journal = "12:ab";
	CHECK(str_is(mail_of(&j), "Date: Sun, 22 Nov 2026 06:53:11 +0000\r\n"
	    "From: vilicus <vilicus@example.org>\r\n"
	    "To: <noc@example.net>\r\nSubject: T\r\n"
	    "Message-ID: <vilicus-7.aZ-_09@example.org>\r\n"
	    "In-Reply-To: <vilicus-3.aZ-_09@example.org>\r\n"
	    "References: <vilicus-3.aZ-_09@example.org>\r\n"
	    "Importance: high\r\nX-Priority: 1\r\n"
	    "X-Vilicus-Journal:\r\n 12:ab\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "one\r\ntwo\r\n\r\nSeen: https://m.example.org/s\r\n"
	    "Journal: 12:ab\r\n"));
	j = plain;
	j.severity = "ok";
	j.thread = 7;
	j.mark = NULL;
	j.journal = "1:c";
	CHECK(field(mail_of(&j), "Importance") == NULL);
	CHECK(field(mail_of(&j), "References") == NULL);
	CHECK(strcmp(field(mail_of(&j), "Message-ID"),
	    "<vilicus-7.0@example.org>") == 0);
	CHECK(strcmp(body(mail_of(&j)), "m\n\nJournal: 1:c\n") == 0);
	j.id = j.thread = 0;
	CHECK(field(mail_of(&j), "Message-ID") == NULL);
	j.title = "";
	CHECK(field(mail_of(&j), "Subject") == NULL);
}

/* A form with this for each '%'. */
static const char *
filled(char *dst, size_t cap, const char *form, const char *with)
{
	struct buf b;

	buf_init(&b, dst, cap);
	for (; *form != '\0'; form++)
		if (*form == '%')
			buf_addz(&b, with);
		else
			buf_addc(&b, *form);
	buf_addc(&b, '\0');
	return dst;
}

/* Each byte in each text: alone, among others, beside a space, often. */
static void
test_bytes(void)
{
	static const char *const forms[] = { "%", "a%", "%b", "a % b",
	    "a%b%%" };
	char text[64], want[64];
	struct job j = plain;
	struct str m;
	size_t f;
	int c;

	for (c = 1; c < 256; c++)
		for (f = 0; f < COUNT(forms); f++) {
			char one[2] = { (char)(unsigned char)c, '\0' };
			/* The job's JSON has U+FFFD for it. */
			const char *is = c < 128 ? one : "\xef\xbf\xbd";

			j.title = j.message = filled(text, sizeof text,
			    forms[f], one);
			m = mail_of(&j);
			if (!CHECK_ROW(c, m.p != NULL))
				continue;
			filled(want, sizeof want, forms[f],
			    c < ' ' || c == 127 ? "?" : is);
			CHECK_ROW(c, strcmp(subject(m), want) == 0);
			filled(want, sizeof want - 1, forms[f], is);
			memcpy(want + strlen(want), "\n", 2);
			CHECK_ROW(c, strcmp(body(m), want) == 0);
		}
}

static const char *const letters[] = { "x", " ", ".", "=", "x y", "\xc3\xa4",
	"\xe2\x82\xac", "\xf0\x9f\x94\xa5", "a\xf0\x9f\x94\xa5", ".\n", "\n",
	" \n", "\t" };

/* Of every length, from no line to several, each kind of character. */
static void
test_lengths(void)
{
	static char text[4096], title[4096];
	struct job j = plain;
	struct str m;
	size_t i, n, k;

	for (i = 0; i < COUNT(letters); i++)
		for (n = 0; n <= 260; n++) {
			struct buf b = BUF(text), t = BUF(title);
			struct buf u = BUF(text_room);

			for (k = 0; k < n; k++)
				buf_addz(&b, letters[i]);
			buf_addc(&b, '\0');
			j.title = j.message = text;
			buf_utf8(&t, str_of(text), MAIL_TITLE_CHARS);
			buf_line(&u, str_from(&t));
			memcpy(title, text_room, u.n);
			title[u.n] = '\0';
			m = mail_of(&j);
			CHECK_ROW(n, m.p != NULL);
			CHECK_ROW(n, n == 0 ? subject(m) == NULL :
			    strcmp(subject(m), title) == 0);
			k = strlen(text);
			CHECK_ROW(n, strncmp(body(m), text, k) == 0 &&
			    strcmp(body(m) + k, "\n") == 0);
		}
	/* ASCII stays legible. */
	j.title = "Vilicus alert: web1.example.org process nginx on it is now "
	    "critical, and then some";
	CHECK(strstr(mail_of(&j).p, "\r\nSubject: Vilicus alert: "
	    "web1.example.org process nginx on it is now\r\n critical, ") !=
	    NULL);
}

/* The largest texts there are. */
static void
test_large(void)
{
	static char text[16001];
	struct job j = plain;
	size_t i, k, n;

	for (i = 0; i < COUNT(letters); i++) {
		n = strlen(letters[i]);
		for (k = 0; k + n < sizeof text; k += n)
			memcpy(text + k, letters[i], n);
		text[k] = '\0';
		j.message = text;
		CHECK_ROW(i, mail_of(&j).p != NULL);
		CHECK_ROW(i, strncmp(body(mail_of(&j)), text, k) == 0);
	}
}

static const struct {
	const char *text;
	bool good;
} addresses[] = {
	{ "a@b", true },
	{ "noc@example.org", true },
	{ "a.b+c_d-e@x-y.example.org", true },
	{ "!#$%&'*+-/=?^_`{|}~@a", true },
	{ "root@localhost", true },
	{ "", false },
	{ "a", false },
	{ "@", false },
	{ "@b", false },
	{ "a@", false },
	{ "a@b@c", false },
	{ ".a@b", false },
	{ "a.@b", false },
	{ "a..b@c", false },
	{ "a@b.", false },
	{ "a@.b", false },
	{ "a@b..c", false },
	{ "a b@c", false },
	{ " a@b", false },
	{ "a@b ", false },
	{ "a@b\n", false },
	{ "a@b\r\nBcc: c@d", false },
	{ "<a@b>", false },
	{ "a@b>", false },
	{ "a@b> SIZE=1", false },
	{ "\"a b\"@c", false },
	{ "a,b@c", false },
	{ "a:b@c", false },
	{ "a;b@c", false },
	{ "a(b)@c", false },
	{ "a\\b@c", false },
	{ "a@[127.0.0.1]", false },
	{ "a@b_c", false },
	{ "\xc3\xa4@b", false },
	{ "a@\xc3\xa4", false },
};

static void
test_addresses(void)
{
	char text[512];
	struct job j;
	size_t i, n;

	for (i = 0; i < COUNT(addresses); i++) {
		bool good = addresses[i].good;

		CHECK_ROW(i, mail_address(str_of(addresses[i].text)) == good);
		j = plain;
		j.to = addresses[i].text;
		CHECK_ROW(i, (mail_of(&j).p != NULL) == good);
		j = plain;
		j.from = addresses[i].text;
		CHECK_ROW(i, (mail_of(&j).p != NULL) == good);
	}
	memset(text, 'x', sizeof text);
	for (n = 63; n <= 65; n++) {
		memcpy(text + n, "@b", 3);
		CHECK_ROW(n, mail_address(str_of(text)) == (n <= 64));
		memset(text, 'x', sizeof text);
	}
	for (n = 253; n <= 255; n++) {
		text[1] = '@';
		CHECK_ROW(n, mail_address((struct str){ text, n }) ==
		    (n <= 254));
	}
	text[254] = '\0';
	j = plain;
	j.from = j.to = text;
	CHECK(mail_of(&j).p != NULL);
	CHECK(!mail_address((struct str){ NULL, 0 }));
}

/* Texts that would be header fields, or end the message. */
static const char *const attacks[] = {
	"a\r\nBcc: x@y", "a\nBcc: x@y", "a\rBcc: x@y", "\r\n\r\nhello",
	"\r\n.\r\nMAIL FROM:<x@y>\r\n", "=?utf-8?q?=0D=0ABcc:_x@y?=",
	"a =?utf-8?b?QQ==?= b", "a\xe2\x80\xa8" "Bcc: x@y", "a\x0b" "Bcc: x",
	"a\xc2\x85" "Bcc: x@y",
};

static void
test_attacks(void)
{
	struct job j;

	for (size_t i = 0; i < COUNT(attacks); i++) {
		struct str m;

		j = plain;
		j.title = j.message = j.link = j.journal = attacks[i];
		m = mail_of(&j);
		if (!CHECK_ROW(i, m.p != NULL))
			continue;
		CHECK_ROW(i, field(m, "Bcc") == NULL);
		CHECK_ROW(i, field(m, "X-Vilicus-Journal") == NULL);
		CHECK_ROW(i, strcmp(field(m, "MIME-Version"), "1.0") == 0);
		CHECK_ROW(i, strchr(subject(m), '\r') == NULL &&
		    strchr(subject(m), '\n') == NULL);
		j.mark = attacks[i];
		CHECK_ROW(i, mail_of(&j).p == NULL);
	}
}

/* Jobs there are not, and buffers too small. */
static void
test_faulty(void)
{
	static const char *const was[] = { "\"m\"", "\"m\"", "\"T\"",
	    "\"id\":7", "\"thread\":3", "\"aZ-_09\"", "\"message\"", "{", "}" },
	    *const now[] = { "1", "null", "[]", "\"id\":-1", "\"thread\":\"3\"",
	    "5", "\"massage\"", "[", "}}" };
	struct str job = job_of(&plain);
	struct buf b = BUF(mail_room);
	char text[1024];
	size_t i, n;

	CHECK(mail_write(&b, job, NOW_MS, &why) == 0);
	n = b.n;
	for (i = 0; i < job.n; i++) {
		buf_init(&b, mail_room, sizeof mail_room);
		CHECK_ROW(i, mail_write(&b, (struct str){ job.p, i }, NOW_MS,
		    &why) == -1);
	}
	for (i = 0; i < n; i++) {
		buf_init(&b, mail_room, i);
		CHECK_ROW(i, mail_write(&b, job, NOW_MS, &why) == -1);
	}
	for (i = 0; i < COUNT(was); i++) {
		const char *p = strstr(job_room, was[i]);

		if (!CHECK_ROW(i, p != NULL))
			continue;
		snprintf(text, sizeof text, "%.*s%s%.*s",
		    (int)(p - job.p), job.p, now[i],
		    (int)(job.p + job.n - p - (long)strlen(was[i])),
		    p + strlen(was[i]));
		buf_init(&b, mail_room, sizeof mail_room);
		CHECK_ROW(i, mail_write(&b, str_of(text), NOW_MS, &why) == -1);
	}
}

int
main(void)
{
	test_plain();
	test_bytes();
	test_lengths();
	test_large();
	test_addresses();
	test_attacks();
	test_faulty();
	return test_end();
}
