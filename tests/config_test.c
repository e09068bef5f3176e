/* config_test: vilicus.conf, word by word and fault by fault. */
#include <string.h>

#include "../config.h"
#include "test.h"

static struct config c;
static char room[16384];

static unsigned
parse(struct str text)
{
	struct buf b;
	unsigned n;

	buf_init(&b, room, sizeof room - 1);
	n = config_parse(text, "F", &c, &b);
	room[b.n] = '\0';
	return n;
}

static unsigned
parse_z(const char *z)
{
	return parse(str_of(z));
}

#define T30	"abcdefghijklmnopqrstuvwxyz0123"

/* What is right, and what it sets. */
static const struct {
	const char *text;
	const char *listen, *public, *token, *url, *ca;
	uint64_t disk;
	bool plain;
} good[] = {
	{ "listen 8454", "8454", "", "", "", NULL, 0, false },
	{ "listen 0", "0", "", "", "", NULL, 0, false },
	{ "listen 65535", "65535", "", "", "", NULL, 0, false },
	{ "listen 127.0.0.1:1", "127.0.0.1:1", "", "", "", NULL, 0, false },
	{ "listen 127.9.9.9:1", "127.9.9.9:1", "", "", "", NULL, 0, false },
	{ "listen [::1]:1", "[::1]:1", "", "", "", NULL, 0, false },
	{ "listen 0.0.0.0:1", "0.0.0.0:1", "", "", "", NULL, 0, false },
	{ "listen [::]:1", "[::]:1", "", "", "", NULL, 0, false },
	{ "listen 443 tls /a.crt \"/b key\"", "443", "", "", "", NULL, 0,
	    false },
	{ "listen 0.0.0.0:8454 plain", "0.0.0.0:8454", "", "", "", NULL, 0,
	    true },
	{ "listen [::]:8454 plain", "[::]:8454", "", "", "", NULL, 0, true },
	{ "public https://m.example.org:8454", NULL,
	    "https://m.example.org:8454", "", "", NULL, 0, false },
	{ "public http://m.example.org/", NULL, "http://m.example.org", "",
	    "", NULL, 0, false },
	{ "disk 4M", NULL, "", "", "", NULL, 4u << 20, false },
	{ "disk 1G", NULL, "", "", "", NULL, 1u << 30, false },
	{ "disk 4096K", NULL, "", "", "", NULL, 4u << 20, false },
	{ "disk 4194304", NULL, "", "", "", NULL, 4u << 20, false },
	{ "pushover token " T30, NULL, "", T30, "", NULL, 0, false },
	{ "pushover url http://127.0.0.1:1/x token " T30, NULL, "", T30,
	    "http://127.0.0.1:1/x", NULL, 0, false },
	{ "ca-file /etc/ca.crt", NULL, "", "", "", "/etc/ca.crt", 0, false },
	{ "zone <+0330>-3:30", NULL, "", "", "", NULL, 0, false },
	{ "exec-dir /usr/lib/vilicus\nwebhook-local", NULL, "", "", "", NULL,
	    0, false },
	{ "ca-file \"/etc/a b # c.crt\"", NULL, "", "", "",
	    "/etc/a b # c.crt", 0, false },
	{ "", NULL, "", "", "", NULL, 0, false },
	{ "\n\n", NULL, "", "", "", NULL, 0, false },
	{ "# a comment\n   # another\n\t#\n", NULL, "", "", "", NULL, 0,
	    false },
	{ " \t disk \t 4M \t # a comment", NULL, "", "", "", NULL, 4u << 20,
	    false },
	{ "disk 4M\r\nlisten 1\r\n", "1", "", "", "", NULL,
	    4u << 20, false },
	{ "\"disk\" \"4M\"", NULL, "", "", "", NULL, 4u << 20, false },
};

static void
test_good(void)
{
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		bool has = good[i].listen != NULL;

		if (!CHECK_ROW(i, parse_z(good[i].text) == 0))
			printf("%s", room);
		CHECK_ROW(i, room[0] == '\0' && c.listens == has);
		if (has)
			CHECK_ROW(i, strcmp(c.listen[0].addr,
			    good[i].listen) == 0 &&
			    c.listen[0].plain == good[i].plain);
		CHECK_ROW(i, strcmp(c.public, good[i].public) == 0);
		CHECK_ROW(i, strcmp(c.pushover_token, good[i].token) == 0);
		CHECK_ROW(i, strcmp(c.pushover_url, good[i].url) == 0);
		CHECK_ROW(i, strcmp(c.ca_file, good[i].ca != NULL ?
		    good[i].ca : "/etc/ssl/certs/ca-certificates.crt") == 0);
		CHECK_ROW(i, c.disk == good[i].disk);
		CHECK_ROW(i, c.webhook_local == (strstr(good[i].text,
		    "webhook-local") != NULL));
		CHECK_ROW(i, strcmp(c.zone, strstr(good[i].text, "zone") ?
		    "<+0330>-3:30" : "") == 0);
		CHECK_ROW(i, strcmp(c.exec_dir, c.webhook_local ?
		    "/usr/lib/vilicus" : "") == 0);
	}
}

static void
test_drill(void)
{
	CHECK(parse_z("") == 0 && c.drill_s == 0);
	CHECK(parse_z("drill every 0") == 0 && c.drill_s == 0);
	CHECK(parse_z("drill every 1h") == 0 && c.drill_s == 3600);
	CHECK(parse_z("drill every 1w") == 0 && c.drill_s == 7 * 86400);
	CHECK(parse_z("drill every 366d") == 0 && c.drill_s == 366 * 86400);
}

#define FROM	" from a@b"
#define LOGIN	" user u password-file /p"

static const struct {
	const char *text, *smtp, *tls, *user, *file, *from;
} smtps[] = {
	{ "smtp m.example.org" FROM, "m.example.org:587", "starttls", "", "",
	    "a@b" },
	{ "smtp m.example.org:25" FROM, "m.example.org:25", "starttls", "",
	    "", "a@b" },
	{ "smtp m tls" FROM, "m:465", "tls", "", "", "a@b" },
	{ "smtp m" FROM LOGIN " tls", "m:465", "tls", "u", "/p", "a@b" },
	{ "smtp m:587 tls" FROM, "m:587", "tls", "", "", "a@b" },
	{ "smtp localhost plain" FROM, "localhost:25", "plain", "", "",
	    "a@b" },
	{ "smtp LOCALHOST:26" FROM " plain", "LOCALHOST:26", "plain", "", "",
	    "a@b" },
	{ "smtp 127.0.0.2 plain" FROM, "127.0.0.2:25", "plain", "", "",
	    "a@b" },
	{ "smtp [::1] plain" FROM, "[::1]:25", "plain", "", "", "a@b" },
	{ "smtp [fe80::443]" FROM, "[fe80::443]:587", "starttls", "", "",
	    "a@b" },
	{ "smtp [fe80::1]:2525" FROM, "[fe80::1]:2525", "starttls", "", "",
	    "a@b" },
	{ "smtp m user u@c password-file \"/a b\"", "m:587", "starttls",
	    "u@c", "/a b", "u@c" },
	{ "smtp m user \"a b\" password-file /p" FROM, "m:587", "starttls",
	    "a b", "/p", "a@b" },
};

static void
test_smtp(void)
{
	for (size_t i = 0; i < COUNT(smtps); i++) {
		if (!CHECK_ROW(i, parse_z(smtps[i].text) == 0))
			printf("%s", room);
		CHECK_ROW(i, strcmp(c.smtp, smtps[i].smtp) == 0);
		CHECK_ROW(i, strcmp(c.smtp_tls, smtps[i].tls) == 0);
		CHECK_ROW(i, strcmp(c.smtp_user, smtps[i].user) == 0);
		CHECK_ROW(i, strcmp(c.smtp_password_file, smtps[i].file) ==
		    0);
		CHECK_ROW(i, strcmp(c.smtp_from, smtps[i].from) == 0);
		CHECK_ROW(i, c.smtp_password[0] == '\0');
	}
}

/* What is wrong: on which line, and a part of what is said, which names
 * what would be right. */
static const struct {
	const char *text;
	unsigned line;
	const char *said;
} bad[] = {
	{ "lisen 1",			1, "\"lisen\" is no word" },
	{ "\n\nfrob",			3, "listen, public, disk" },
	{ "\"\"",			1, "\"\" is no word" },
	{ "disk 4M\n\"",		2, "end it with \"" },
	{ "disk \"4M",			1, "end it with \"" },
	{ "disk \"4M\"x",		1, "put a space" },
	{ "disk \"4M\"# x",		1, "put a space" },
	{ "disk\x01 4M",		1, "a control character" },
	{ "disk 4M\x7f",		1, "a control character" },
	{ "disk 4M\rx",			1, "a control character" },
	{ "listen",			1, "listen ADDR:PORT" },
	{ "listen 1 secure",		1, "plain" },
	{ "listen 1 plain x",		1, "tls CERT KEY" },
	{ "listen 65536",		1, "0 to 65535" },
	{ "listen -1",			1, "0 to 65535" },
	{ "listen +1",			1, "0 to 65535" },
	{ "listen 127.0.0.1:",		1, "0 to 65535" },
	{ "listen 127.0.0.1:x",		1, "0 to 65535" },
	{ "listen \"\"",		1, "0 to 65535" },
	{ "listen [::1]",		1, "0 to 65535" },
	{ "listen 1 tls",		1, "tls CERT KEY" },
	{ "listen 1 tls /a",		1, "tls CERT KEY" },
	{ "listen 1 tls /a b",		1, "paths from /" },
	{ "listen 1 tls a /b",		1, "paths from /" },
	{ "listen 1 plain /a /b",	1, "tls CERT KEY" },
	{ "listen 1 tls /a /b /c",	1, "listen ADDR:PORT" },
	{ "public",			1, "public https://HOST" },
	{ "public a b",			1, "public https://HOST" },
	{ "public ftp://a",		1, "" },
	{ "public monitor.example.org",	1, "" },
	{ "public https://k@a",		1, "without path, key" },
	{ "public https://a/x",		1, "without path, key" },
	{ "public https://a/#x",	1, "without path, key" },
	{ "public https://a\npublic https://b", 2, "public is set twice" },
	{ "disk",			1, "disk SIZE" },
	{ "disk 4194303",		1, "at least 4M" },
	{ "disk 4095K",			1, "at least 4M" },
	{ "disk 4 M",			1, "disk SIZE" },
	{ "disk -1G",			1, "at least 4M" },
	{ "disk 18446744073709551616",	1, "at least 4M" },
	{ "disk 4M\ndisk 4M",		2, "disk is set twice" },
	{ "pushover",			1, "pushover token TOKEN" },
	{ "zone",			1, "zone NAME|TZ" },
	{ "zone UTC\nzone UTC",		2, "set twice" },
	{ "heartbeat",			1, "heartbeat https://HOST/PATH [" },
	{ "heartbeat ftp://x/",		1, "heartbeat is like https://" },
	{ "heartbeat https://x/ every",	1, "\"every DURATION\", 10s to 1d" },
	{ "heartbeat https://x/ every 9s", 1, "10s to 1d" },
	{ "heartbeat https://x/ every 2d", 1, "10s to 1d" },
	{ "heartbeat https://x/\nheartbeat https://x/", 2, "set twice" },
	{ "exec-dir",			1, "exec-dir /PATH" },
	{ "exec-dir bin",		1, "a path from / on" },
	{ "exec-dir /a\nexec-dir /b",	2, "set twice" },
	{ "drill",			1, "drill every DURATION" },
	{ "drill every",		1, "drill every DURATION" },
	{ "drill each 1w",		1, "drill every 1w" },
	{ "drill every week",		1, "1h to 1y" },
	{ "drill every 59m",		1, "1h to 1y" },
	{ "drill every 367d",		1, "1h to 1y" },
	{ "drill every 1w\ndrill every 1w", 2, "set twice" },
	{ "webhook-local yes",		1, "write it" },
	{ "webhook-local\nwebhook-local", 2, "set twice" },
	{ "pushover token",		1, "pushover token TOKEN" },
	{ "pushover token " T30 " url",	1, "token TOKEN" },
	{ "pushover key " T30,		1, "token TOKEN" },
	{ "pushover token " T30 "4",	1, "30 letters and digits" },
	{ "pushover token abc",		1, "30 letters and digits" },
	{ "pushover token abcdefghijklmnopqrstuvwxyz012-", 1,
	    "30 letters and digits" },
	{ "pushover url x",		1, "" },
	{ "pushover token " T30 "\npushover token " T30, 2, "set twice" },
	{ "smtp",			1, "smtp HOST[:PORT]" },
	{ "smtp m",			1, "from NAME@" },
	{ "smtp m from a",		1, "from NAME@" },
	{ "smtp m from \"a@b>\"",	1, "from NAME@" },
	{ "smtp m" LOGIN,		1, "from NAME@" },
	{ "smtp m from",		1, "behind the server" },
	{ "smtp m starttls" FROM,	1, "behind the server" },
	{ "smtp m" FROM " password x",	1, "behind the server" },
	{ "smtp m" FROM FROM,		1, "from is set twice" },
	{ "smtp localhost tls plain" FROM, 1, "tls or plain is set twice" },
	{ "smtp m" FROM " user u",	1, "go together" },
	{ "smtp m" FROM " password-file /p", 1, "go together" },
	{ "smtp m" FROM " user u password-file p", 1, "go together" },
	{ "smtp m" FROM " user \"\" password-file /p", 1, "1 to 255" },
	{ "smtp m:0" FROM,		1, "HOST:PORT" },
	{ "smtp m:65536" FROM,		1, "HOST:PORT" },
	{ "smtp m:x" FROM,		1, "HOST:PORT" },
	{ "smtp m:25:25" FROM,		1, "HOST:PORT" },
	{ "smtp fe80::1" FROM,		1, "HOST:PORT" },
	{ "smtp m/x" FROM,		1, "HOST:PORT" },
	{ "smtp u@m" FROM,		1, "HOST:PORT" },
	{ "smtp m#" FROM,		1, "HOST:PORT" },
	{ "smtp m?x" FROM,		1, "HOST:PORT" },
	{ "smtp \"\"" FROM,		1, "HOST:PORT" },
	{ "smtp \"a b\"" FROM,		1, "HOST:PORT" },
	{ "smtp m plain" FROM,		1, "for a relay on this host" },
	{ "smtp 192.0.2.1 plain" FROM,	1, "for a relay on this host" },
	{ "smtp 127.a plain" FROM,	1, "for a relay on this host" },
	{ "smtp [::2] plain" FROM,	1, "for a relay on this host" },
	{ "smtp m" FROM "\nsmtp m" FROM,	2, "smtp is set twice" },
	{ "ca-file",			1, "ca-file /PATH" },
	{ "ca-file x",			1, "from / on" },
	{ "ca-file \"\"",		1, "from / on" },
	{ "ca-file /a\nca-file /b",	2, "set twice" },
	{ "disk 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", 1, "at most 16" },
};

static void
test_faults(void)
{
	char head[16];
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		if (!CHECK_ROW(i, parse_z(bad[i].text) == 1))
			printf("%s: %s", bad[i].text, room);
		snprintf(head, sizeof head, "F:%u: ", bad[i].line);
		CHECK_ROW(i, strncmp(room, head, strlen(head)) == 0);
		CHECK_ROW(i, strstr(room, bad[i].said) != NULL);
		CHECK_ROW(i, strlen(room) > strlen(head) + 1 &&
		    strchr(room, '\n') == room + strlen(room) - 1);
	}
	/* All of them are told, each once. */
	CHECK(parse_z("x\ndisk 1\n# y\ndisk 4M\nlisten z\r\n") == 3);
	CHECK(strstr(room, "F:1: ") == room &&
	    strstr(room, "\nF:2: ") != NULL &&
	    strstr(room, "\nF:5: ") != NULL && strstr(room, "F:4") == NULL);
	CHECK(c.disk == 4u << 20);
}

static void
test_limits(void)
{
	static char text[CONFIG_BYTES];
	struct buf b;
	size_t i, n;

	for (n = CONFIG_LISTEN - 1; n <= CONFIG_LISTEN + 1; n++) {
		buf_init(&b, text, sizeof text);
		for (i = 0; i < n; i++)
			buf_addz(&b, "listen 1\n");
		CHECK_ROW(n, parse(str_from(&b)) == (n > CONFIG_LISTEN));
		CHECK_ROW(n, c.listens == (n > CONFIG_LISTEN ?
		    CONFIG_LISTEN : n));
	}
	CHECK(strstr(room, "at most 8 listeners") != NULL);
	/* Words of a line; sixteen are too many for this one, not for all. */
	CHECK(parse_z("disk 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15") == 1 &&
	    strstr(room, "disk SIZE") != NULL);
	/* Values of 255 and 256 bytes. */
	for (n = CONFIG_TEXT - 2; n <= CONFIG_TEXT; n++) {
		buf_init(&b, text, sizeof text);
		buf_addz(&b, "ca-file /");
		for (i = 1; i < n; i++)
			buf_addc(&b, 'x');
		CHECK_ROW(n, parse(str_from(&b)) == (n >= CONFIG_TEXT));
		CHECK_ROW(n, n >= CONFIG_TEXT || strlen(c.ca_file) == n);
	}
	CHECK(strstr(room, "1 to 255 bytes") != NULL);
	/* More faults than there is room for: counted all the same. */
	memset(text, 'x', sizeof text);
	for (i = 1; i < sizeof text; i += 2)
		text[i] = '\n';
	CHECK(parse((struct str){ text, sizeof text }) == CONFIG_BYTES / 2);
	memset(text, '"', sizeof text);
	CHECK(parse((struct str){ text, sizeof text }) == 1);
	memset(text, ' ', sizeof text);
	CHECK(parse((struct str){ text, sizeof text }) == 0);
}

/* As -l and listen give it. */
static void
test_listener(void)
{
	static const struct {
		const char *addr;
		bool ok;
	} rows[] = {
		{ "127.0.0.1:80", true },
		{ "[::1]:80", true },
		{ "80", true },
		{ "10.0.0.1:80", true },
		{ "[fe80::1]:80", true },
		{ "monitor.example.org:80", false },
		{ "127.0.0.1", false },
		{ "", false },
		{ ":", false },
	};
	struct config_listen l;
	struct fail why;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		why.msg[0] = '\0';
		CHECK_ROW(i, (config_listener(str_of(rows[i].addr), &l,
		    &why) == 0) == rows[i].ok);
		CHECK_ROW(i, rows[i].ok || why.msg[0] != '\0');
	}
}

/* Cut anywhere and with any byte anywhere: an answer, and a short one. */
static void
test_hostile(void)
{
	static const char whole[] = "# vilicus\r\n"
	    "listen 127.0.0.1:8454 plain\n\tpublic \"https://a.b:1\"\n"
	    "disk 1G # much\npushover token " T30
	    " url https://localhost:1/x\nca-file \"/a b\"\n";
	char text[sizeof whole], *copy = text;
	size_t i, n = sizeof whole - 1;
	int byte;

	CHECK(parse((struct str){ whole, n }) == 0 && c.listens == 1 &&
	    c.disk == 1u << 30 && strcmp(c.ca_file, "/a b") == 0);
	for (i = 0; i <= n; i++) {
		memcpy(copy, whole, i);
		CHECK_ROW(i, parse((struct str){ copy, i }) <= 1);
	}
	for (i = 0; i < n; i++)
		for (byte = 0; byte < 256; byte++) {
			memcpy(copy, whole, n);
			copy[i] = (char)byte;
			CHECK_ROW(i, parse((struct str){ copy, n }) <= 2);
		}
	CHECK(parse((struct str){ "\0", 1 }) == 1);
	CHECK(parse((struct str){ "\xff\xfe", 2 }) == 1);
	CHECK(parse((struct str){ "\xef\xbb\xbf" "disk 4M", 10 }) == 1);
}

int
main(void)
{
	test_good();
	test_drill();
	test_smtp();
	test_faults();
	test_limits();
	test_listener();
	test_hostile();
	return test_end();
}
