#include <stdlib.h>

#include "../match.h"
#include "test.h"

static struct fail why;

/* The text, and whether it is well formed. */
static const struct {
	const char *text;
	bool ok;
} texts[] = {
	{ "web1", true }, { "*", true }, { "?", true }, { "*/*", true },
	{ "web1/process nginx", true }, { " web1 , web2\t", true },
	{ "tag:web", true }, { "Tag:w?b*", true }, { "TYPE:disk", true },
	{ "type:*", true }, { "web1/cpu,tag:a,type:b,*", true },
	{ "a.b:c_d-e/F.9:", true }, { "tags:x", true }, { "tag:type:x", true },
	{ "office pc 3", true }, { "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", true },
	{ "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", false },
	{ "", false }, { " ", false }, { ",", false }, { "a,", false },
	{ ",a", false }, { "a,,b", false }, { "a, ,b", false },
	{ "/", false }, { "a/", false }, { "/a", false }, { "a/b/c", false },
	{ "a//b", false }, { "tag:", false }, { "type:", false },
	{ "tag: web", false }, { "tag:a b", false }, { "type:a b", false },
	{ "tag:a/b", false }, { "type:a/b", false }, { "a /b", false },
	{ "a/ b", false }, { "a\nb", false }, { "a\tb", false },
	{ "a\x7f", false }, { "w\xc3\xa4", false }, { "\xff", false },
	{ "a[bc]", false }, { "a;b", false }, { "a\\*", false },
	{ "!a", false },
};

static void
test_texts(void)
{
	char text[MATCH_TEXT_MAX + 1];

	for (size_t i = 0; i < COUNT(texts); i++) {
		why.msg[0] = '\0';
		CHECK_ROW(i, (match_parse(str_of(texts[i].text), &why) == 0) ==
		    texts[i].ok);
		CHECK_ROW(i, (why.msg[0] == '\0') == texts[i].ok);
	}
	memset(text, 'a', sizeof text);
	CHECK(match_parse((struct str){ text, MATCH_TEXT_MAX }, &why) == 0);
	CHECK(match_parse((struct str){ text, MATCH_TEXT_MAX - 1 }, &why) == 0);
	CHECK(match_parse((struct str){ text, sizeof text }, &why) == -1);
	CHECK(match_parse((struct str){ NULL, 0 }, &why) == -1);
	CHECK(match_parse(STR("a\0b"), &why) == -1);
}

static const struct {
	const char *pattern, *text;
	bool holds;
} globs[] = {
	{ "", "", true }, { "", "a", false }, { "*", "", true },
	{ "***", "", true }, { "?", "", false }, { "?", "a", true },
	{ "?", "ab", false }, { "a", "a", true }, { "a", "A", true },
	{ "A", "a", true }, { "a", "b", false }, { "a", "", false },
	{ "ab", "a", false }, { "a", "ab", false }, { "*", "abc", true },
	{ "a*", "abc", true }, { "a*", "bac", false }, { "*c", "abc", true },
	{ "*c", "abcd", false }, { "*b*", "abc", true }, { "a*c", "ac", true },
	{ "a*c", "abcbc", true }, { "a*c", "abcb", false },
	{ "*ab", "aab", true }, { "*aab", "aaab", true },
	{ "*a?b", "aaxab", false }, { "*a?b", "aaxacb", true },
	{ "?*", "", false }, { "?*", "a", true }, { "*?", "ab", true },
	{ "*??", "a", false }, { "a**b", "ab", true }, { "**a", "ba", true },
	{ "a*b*c", "a1b2b3c", true }, { "a*b*c", "a1c2b3", false },
	{ "*a*a*a", "aa", false }, { "*a*a*a", "aaa", true },
	{ "web?.*.org", "WEB1.example.ORG", true }, { "@", "`", false },
	{ "[", "{", false }, { "?", "\xff", true }, { "a*", "*", false },
};

/* What a glob is, told by recursion. */
static bool
plain(const char *p, const char *t)
{
	if (*p == '*')
		return plain(p + 1, t) || (*t != '\0' && plain(p, t + 1));
	if (*p == '\0' || *t == '\0')
		return *p == *t;
	return (*p == '?' || *p == *t) && plain(p + 1, t + 1);
}

/* Word k of all the words of n letters. */
static void
spell(char *to, const char *letters, unsigned k, unsigned n)
{
	unsigned of = (unsigned)strlen(letters);

	for (to[n] = '\0'; n > 0; k /= of)
		to[--n] = letters[k % of];
}

static void
test_globs(void)
{
	char p[600], t[20000], a[8], b[8];
	unsigned wrong = 0, i, k;

	for (i = 0; i < COUNT(globs); i++)
		CHECK_ROW(i, match_glob(str_of(globs[i].pattern),
		    str_of(globs[i].text)) == globs[i].holds);
	/* Every pattern of five of "ab?*" on every text of six of "ab". */
	for (i = 0; i < 6 * 1024; i++)
		for (k = 0; k < 7 * 64; k++) {
			spell(a, "ab?*", i / 6, i % 6);
			spell(b, "ab", k / 7, k % 7);
			wrong += match_glob(str_of(a), str_of(b)) !=
			    plain(a, b);
		}
	CHECK(wrong == 0);
	/* What takes a careless reader longer than there is time. */
	for (i = 0; i < sizeof p; i++)
		p[i] = i % 2 == 0 ? '*' : 'a';
	memset(t, 'a', sizeof t);
	p[sizeof p - 1] = 'b';
	CHECK(!match_glob((struct str){ p, sizeof p },
	    (struct str){ t, sizeof t }));
	t[sizeof t - 1] = 'b';
	CHECK(match_glob((struct str){ p, sizeof p },
	    (struct str){ t, sizeof t }));
}

/* What there is, by its number in the rows. */
static const struct match_on on[] = {
	{ "web1", "web eu-1", NULL, NULL },
	{ "web1", "web eu-1", "process nginx", "process" },
	{ "web1", "web eu-1", "cpu", "cpu" },
	{ "db1", "", NULL, NULL },
	{ "db1", "", "disk :var", "disk" },
};

/* The text, and for which of them it holds. */
static const struct {
	const char *text, *holds;
} rows[] = {
	{ "web1", "012" }, { "WEB1", "012" }, { "web", "" }, { "web*", "012" },
	{ "*1", "01234" }, { "?b1", "34" }, { "*", "01234" },
	{ "web1/*", "12" }, { "*/*", "124" }, { "web1/cpu", "2" },
	{ "web1/process nginx", "1" }, { "web1/Process N*", "1" },
	{ "web1/process", "" }, { "*/disk*", "4" }, { "db1/disk :var", "4" },
	{ "web1/cp", "" }, { "web2/cpu", "" }, { "web1/cpu*/", "" },
	{ "tag:web", "012" }, { "TAG:Web", "012" }, { "tag:eu-1", "012" },
	{ "tag:eu", "" }, { "tag:eu*", "012" }, { "tag:*", "012" },
	{ "tag:web eu-1", "" }, { "tag:?", "" }, { "tag:b eu", "" },
	{ "type:cpu", "2" }, { "Type:CPU", "2" }, { "type:*", "124" },
	{ "type:d*", "4" }, { "type:web", "" }, { "type:disk :var", "" },
	{ "web1/cpu, db1", "234" }, { " db1 ,\ttag:web ", "01234" },
	{ "nope,type:process", "1" }, { "nope,,no", "" }, { "", "" },
	{ ",", "" }, { " , ", "" }, { "tag:", "" }, { "type:", "" },
	{ "/", "" }, { "/cpu", "" }, { "web1/", "" },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned k = 0; k < COUNT(on); k++)
			CHECK_ROW(i * 10 + k, match_holds(str_of(rows[i].text),
			    &on[k]) == (strchr(rows[i].holds, (int)('0' + k)) !=
			    NULL));
	CHECK(!match_holds((struct str){ NULL, 0 }, &on[0]));
	CHECK(!match_holds(STR("tag:*"), &(struct match_on){ .host = "a" }));
}

/* Each prefix lies in memory of just its size. */
static void
test_cut(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t n = 0; n < strlen(rows[i].text); n++) {
			char *p = malloc(n + 1);
			struct str s = { p + 1, n };

			memcpy(p + 1, rows[i].text, n);
			match_parse(s, &why);
			match_holds(s, &on[1]);
			free(p);
		}
}

int
main(void)
{
	test_texts();
	test_globs();
	test_rows();
	test_cut();
	return test_end();
}
