/* mail.c: see mail.h. */

#include "http.h"
#include "json.h"
#include "mail.h"

#define COLUMNS	76
#define WORD	"=?utf-8?q?"		/* begins an encoded word */
#define SUBJECT	"Subject: "

/* Is it one or more of these, dots between? */
static bool
is_dotted(struct str s, const char *set)
{
	struct str atom;

	while (str_cut(&s, '.', &atom) == 0)
		if (atom.n == 0 || !str_is_of(atom, set))
			return false;
	return true;
}

bool
mail_address(struct str s)
{
	struct str local;

	return s.n <= MAIL_ADDRESS_MAX && str_cut(&s, '@', &local) == 0 &&
	    s.p != NULL && local.n <= 64 &&
	    is_dotted(local, STR_ALNUM "!#$%&'*+-/=?^_`{|}~") &&
	    is_dotted(s, STR_ALNUM "-");
}

/* A byte as it stands, or as "=XX". */
static void
put_byte(struct buf *b, char c, bool plain)
{
	if (plain)
		buf_addc(b, c);
	else
		buf_addf(b, "=%02X", (unsigned char)c);
}

/* Words that a line may end between, and none that could be taken for an
 * encoded one? */
static bool
is_simple(struct str s)
{
	struct str word;

	while (str_cut(&s, ' ', &word) == 0) {
		if (word.n == 0 || word.n > COLUMNS - strlen(SUBJECT))
			return false;
		for (size_t i = 0; i < word.n; i++)
			if (word.p[i] <= ' ' || word.p[i] > '~' ||
			    word.p[i] == '=')
				return false;
	}
	return true;
}

static void
put_simple(struct buf *b, struct str s)
{
	size_t at = strlen(SUBJECT) - 1;
	struct str word;

	while (str_cut(&s, ' ', &word) == 0) {
		if (at + 1 + word.n > COLUMNS) {
			buf_addz(b, "\r\n");
			at = 0;
		}
		buf_addc(b, ' ');
		buf_add(b, word);
		at += 1 + word.n;
	}
}

/* RFC 2047 4.2: whole characters in each word, a word on each line. */
static void
put_encoded(struct buf *b, struct str s)
{
	size_t at = strlen(SUBJECT WORD), i, k;
	struct str was;

	buf_addz(b, " " WORD);
	for (; s.n > 0; at += k) {
		was = s;
		(void)str_take(&s);
		was.n -= s.n;
		k = str_is_of(was, STR_ALNUM " :.,/+-") ? 1 : 3 * was.n;
		if (at + k + strlen("?=") > COLUMNS) {
			buf_addz(b, "?=\r\n " WORD);
			at = strlen(" " WORD);
		}
		for (i = 0; i < was.n; i++)
			put_byte(b, was.p[i] == ' ' ? '_' : was.p[i], k == 1);
	}
	buf_addz(b, "?=");
}

static void
put_subject(struct buf *b, struct str title)
{
	char room[2][MAIL_TITLE_CHARS * 4];
	struct buf cut = BUF(room[0]), text = BUF(room[1]);

	buf_utf8(&cut, title, MAIL_TITLE_CHARS);
	buf_line(&text, str_from(&cut));
	if (text.n == 0)
		return;
	buf_addz(b, "Subject:");
	(is_simple(str_from(&text)) ? put_simple : put_encoded)(b,
	    str_from(&text));
	buf_addz(b, "\r\n");
}

/* RFC 2045 6.7: quoted-printable.  A dot that begins a line would be another
 * one's business on the way. */
static void
put_quoted(struct buf *b, struct str s)
{
	size_t at = 0, k;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool last = i + 1 == s.n || s.p[i + 1] == '\n';
		bool plain = c == ' ' || c == '\t' ? !last :
		    c > ' ' && c <= '~' && c != '=' && (c != '.' || at > 0);

		if (c == '\n') {
			buf_addz(b, "\r\n");
			at = 0;
			continue;
		}
		k = plain ? 1 : 3;
		if (at + k + !last > COLUMNS) {
			buf_addz(b, "=\r\n");
			at = 0;
			plain = plain && c != '.';
			k = plain ? 1 : 3;
		}
		put_byte(b, c, plain);
		at += k;
	}
}

/* A member that is an address.  0 or -1. */
static int
put_address(struct buf *b, struct str job, const char *member,
    const char *field, struct fail *why)
{
	char text[MAIL_ADDRESS_MAX + 1];

	if (json_text(job, member, text, sizeof text) != 1 ||
	    !mail_address(str_of(text)))
		return fail(why, "%s is no address like name@example.org",
		    member);
	buf_addf(b, "%s%s>\r\n", field, text);
	return 0;
}

/* The fields that name it, and the first of its thread.  0 or -1. */
static int
put_ids(struct buf *b, struct str job, struct fail *why)
{
	static const struct {
		const char *member, *field;
	} ids[] = {
		{ "id",		"Message-ID" },
		{ "thread",	"In-Reply-To" },
		{ "thread",	"References" },
	};
	char mark[32], from[MAIL_ADDRESS_MAX + 1];
	int64_t id = 0, n;

	(void)json_text(job, "smtp_from", from, sizeof from);	/* it has '@' */
	if (json_text(job, "smtp_mark", mark, sizeof mark) == -1 ||
	    !str_is_of(str_of(mark), STR_ALNUM "-_"))
		return fail(why, "smtp_mark is not letters and digits");
	for (size_t i = 0; i < COUNT(ids); i++) {
		n = 0;
		if (json_number(job, ids[i].member, 0, INT64_MAX, &n) == -1)
			return fail(why, "%s is no number", ids[i].member);
		if (n == 0 || (i > 0 && n == id))
			continue;
		buf_addf(b, "%s: <vilicus-%lld.%s%s>\r\n", ids[i].field,
		    (long long)n, mark[0] != '\0' ? mark : "0",
		    strchr(from, '@'));
		id = i == 0 ? n : id;
	}
	return 0;
}

/* A text of the job, quoted, after what introduces it, if there is one.  1, 0
 * or -1, as json_text. */
static int
put_text(struct buf *b, struct str job, const char *member, const char *before)
{
	static char text[MAIL_TEXT_MAX];
	size_t k = strlen(before);
	int rc = json_text(job, member, text + k, sizeof text - k);

	memcpy(text, before, k);
	if (rc == 1) {
		put_quoted(b, str_of(text));
		buf_addz(b, "\r\n");
	}
	return rc;
}

int
mail_write(struct buf *b, struct str job, int64_t now_ms, struct fail *why)
{
	static char title[MAIL_TEXT_MAX];
	char date[30], severity[16], mark[MAIL_MARK];
	struct buf d = BUF(date);
	int link;

	if (json_valid(job, why) == -1)
		return fail_in(why, "job");
	http_date(&d, now_ms);
	buf_addf(b, "Date: %.*s+0000\r\n", (int)d.n - 3, date);	/* no GMT */
	if (put_address(b, job, "smtp_from", "From: vilicus <", why) == -1 ||
	    put_address(b, job, "address", "To: <", why) == -1)
		return -1;
	if (json_text(job, "title", title, sizeof title) == -1)
		return fail(why, "job with a title that cannot be read");
	put_subject(b, str_of(title));
	if (put_ids(b, job, why) == -1)
		return -1;
	if (json_text(job, "severity", severity, sizeof severity) == 1 &&
	    strcmp(severity, "critical") == 0)
		buf_addz(b, "Importance: high\r\nX-Priority: 1\r\n");
	if (json_text(job, "journal", mark, sizeof mark) == 1 &&
	    str_is_of(str_of(mark), STR_HEX ":"))
		buf_addf(b, "X-Vilicus-Journal:\r\n %s\r\n", mark);
	buf_addz(b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	if (put_text(b, job, "message", "") != 1 ||
	    (link = put_text(b, job, "link", "\nSeen: ")) == -1 ||
	    put_text(b, job, "journal", link == 1 ? "Journal: " :
	    "\nJournal: ") == -1)
		return fail(why, "job with a text that cannot be read");
	return b->full ? fail(why, "the message is too long") : 0;
}
