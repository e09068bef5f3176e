#include <stdlib.h>
#include <string.h>

#include "../json.h"
#include "test.h"

#define D(lit)	{ (lit), sizeof(lit) - 1 }

static const struct str good[] = {
	/* words and space */
	D("null"), D("true"), D("false"), D(" null"), D("null "),
	D("\t\n\r null \r\n\t"), D("[]"), D("{}"), D("[ ]"), D("{ }"),
	D("[\n]"), D("[null]"), D("[true,false]"), D(" [ 1 , 2 ] "),
	D("[[]]"), D("[[],[]]"), D("[{}]"), D("{\"a\":[]}"), D("[[[[1]]]]"),
	/* numbers */
	D("0"), D("-0"), D("1"), D("-1"), D("10"), D("123456789012345678901"),
	D("0.0"), D("1.5"), D("-1.5"), D("0e1"), D("0e+1"), D("0E-1"),
	D("1e1"), D("1E22"), D("1e-2"), D("123.456e78"), D("-0.0e-0"),
	D("1.00000000000000000000000000000000001"), D("1e999999"),
	D("-1e-999999"), D("[1e1,1]"), D("0.000"), D("9e00001"), D(" 4 "),
	/* strings */
	D("\"\""), D("\"a\""), D("\" \""), D("\"\\\"\""), D("\"\\\\\""),
	D("\"\\/\\b\\f\\n\\r\\t\""), D("\"/\""), D("\"\\u0000\""),
	D("\"\\u0061\\u0041\\uFFFF\\uffff\\u12aB\""), D("\"\\\\u0000\""),
	D("\"\\\\\\\"\""), D("\"\\uD83D\\ude00\""), D("\"\\uD800\\uDC00\""),
	D("\"\\uDBFF\\uDFFF\""), D("\"\\ud7ff\\ue000\""), D("\"\x7f\""),
	D("\"\xc2\x80\""), D("\"\xdf\xbf\""), D("\"\xe0\xa0\x80\""),
	D("\"\xed\x9f\xbf\""), D("\"\xee\x80\x80\""), D("\"\xef\xbf\xbf\""),
	D("\"\xf0\x90\x80\x80\""), D("\"\xf4\x8f\xbf\xbf\""),
	D("\"\xef\xbb\xbf\""), D("\"\xe2\x80\xa8\xe2\x80\xa9\""),
	D("\"<script>&'\""), D("\"[,{:\""), D("\"\\u2028\""),
	D("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
	/* objects */
	D("{\"a\":1}"), D("{\"\":0}"), D("{\"a\":1,\"b\":2}"),
	D("{ \"a\" : 1 , \"b\" : [ ] }"), D("{\"a\":{\"a\":{\"a\":1}}}"),
	D("[{\"a\":1},{\"a\":1}]"), D("{\"a\":{\"b\":1},\"b\":1}"),
	D("{\"a\":1,\"A\":2}"), D("{\"a\":1,\"aa\":2}"), D("{\"\":1,\"a\":2}"),
	D("{\"\\u0000\":1,\"\":2}"), D("{\"a\\u0000b\":1,\"a\\u0000c\":2}"),
	D("{\"a\\\\\":1,\"a\":2}"), D("{\"\\n\":1,\"n\":2,\"\\\\n\":3}"),
	D("{\"\xc3\xa9\":1,\"e\":2,\"\\u00e8\":3}"),
	D("{\"min\":-1.0e+28,\"max\":1.0e+28}"),
	D("{\"__proto__\":{},\"constructor\":null}"),
	D("{\"liquid\":1,\"costarring\":2}"),	/* one FNV-1a hash */
	D("{\"a\":[{\"b\":1},{\"b\":2}],\"c\":{\"a\":1,\"b\":2,\"c\":3}}"),
};

static const struct str refused[] = {
	/* nothing, and what is no value */
	D(""), D(" "), D("\n"), D("\0"), D("null\0"), D("[\0]"), D("nul"),
	D("nulll"), D("null null"), D("NULL"), D("True"), D("FALSE"), D("tru"),
	D("truefalse"), D("nan"), D("NaN"), D("-NaN"), D("Infinity"),
	D("-Infinity"), D("inf"), D("undefined"), D("a"), D("'"), D("*"),
	D("\xff"), D("\x80"), D("\xe5"), D("\xc3\xa5"), D("<null>"), D("."),
	D("\xef\xbb\xbf"), D("\xef\xbb\xbfnull"), D("\xef\xbb\xbf{}"),
	D("\xfe\xff\0[\0]"), D("\xff\xfe[\0]\0"), D("[\0]\0"), D("\0[\0]"),
	D("\x0bnull"), D("\x0cnull"), D("null\x0c"), D("\xc2\xa0null"),
	D("\xe2\x81\xa0null"), D("\xe2\x80\xa8null"), D("\x1e{}\n"),
	D("// c\n1"), D("1 // c"), D("/**/1"), D("1/**/"), D("# c\n1"),
	D("[1,/**/2]"), D("[1]x"), D("[1] 2"), D("{}{}"), D("{},"), D("1,"),
	D("\"\"\"\""), D("[]]"), D("{}}"), D("1]"), D("1}"), D(","), D(":"),
	D("]"), D("}"), D("<.>"), D("\\u006eull"), D("(1)"), D("0;"),
	/* arrays */
	D("["), D("[ "), D("[1"), D("[1,"), D("[1,]"), D("[,]"), D("[,1]"),
	D("[1,,2]"), D("[1,,]"), D("[,"), D("[1 2]"), D("[1 true]"), D("[\"\""),
	D("[\"\",]"), D("[1}"), D("[}"), D("[{]"), D("[{}"), D("[1:2]"),
	D("[\"a\":1]"), D("[\"a\""), D("[*]"), D("[a]"), D("[1;2]"), D("[[]"),
	D("[-]"), D("[\n1,\n1\n,1"), D("[1,\n1\n,1"), D("[\"a\" \"b\"]"),
	D("[nul]"), D("[null,"), D("[\xff]"), D("[1\xe2\x80\x8b]"), D("[\x0c]"),
	D("[<null>]"), D("[1\0]"), D("[[[[1]]]"), D("[...]"), D("[1\x01]"),
	/* numbers */
	D("-"), D("+"), D("+1"), D("--1"), D("-+1"), D("00"), D("01"), D("-01"),
	D("-00"), D("007"), D("1."), D("-1."), D(".1"), D("-.1"), D("1.e1"),
	D("1e"), D("1E"), D("1e+"), D("1e-"), D("1e1.5"), D("1e 1"), D("1 e1"),
	D("1.5."), D("1..5"), D("1.2.3"), D("0e"), D("0e+"), D("0.e1"),
	D("1eE2"),
	D("1e++1"), D("0x1"), D("0x"), D("0b1"), D("0o7"), D("1_000"),
	D("1,000"),
	D("1a"), D("1f"), D("1n"), D("- 1"), D("-a"), D("0.1.2"), D("1.1e"),
	D("[-]"), D("[1.]"), D("[01]"), D("[-01]"), D("[1e]"), D("[1.5e+]"),
	D("[-2.]"), D("[+1]"), D("[.5]"), D("[0e+-1]"), D("[1+2]"),
	D("[1 000]"),
	D("\xef\xbc\x91"), D("[1\xef\xbc\x91]"), D("1e\xef\xbc\x91"),
	D("[-1x]"),
	D("[1.8011670033376514H-308]"), D("[1eA]"), D("[0.3e]"), D("[9.e+]"),
	/* strings */
	D("\""), D("\"a"), D("\"\\"), D("\"\\\""), D("\"\\\\\\\""), D("'a'"),
	D("`a`"), D("a\""), D("\"a\"b"), D("\"\n\""), D("\"\t\""), D("\"\r\""),
	D("\"\0\""), D("\"\x01\""), D("\"\x1f\""), D("\"a\nb\""), D("\"\\\n\""),
	D("\"\\a\""), D("\"\\v\""), D("\"\\0\""), D("\"\\x41\""), D("\"\\'\""),
	D("\"\\ \""), D("\"\\U0041\""), D("\"\\B\""), D("\"\\N\""),
	D("\"\\e\""),
	D("\"\\\0\""), D("\"\\\xf0\x9f\x98\x80\""), D("\"\\\xff\""),
	D("\"\\u\""), D("\"\\u0\""), D("\"\\u00\""), D("\"\\u000\""),
	D("\"\\u000G\""), D("\"\\u00g0\""), D("\"\\u+123\""), D("\"\\u 123\""),
	D("\"\\u-123\""), D("\"\\u0x12\""), D("\"\\u{61}\""), D("\"\\u123"),
	D("\"\\u1234"), D("\"\\uD800\""), D("\"\\uDBFF\""), D("\"\\uDC00\""),
	D("\"\\uDFFF\""), D("\"\\uD800a\""), D("\"\\uD800\\n\""),
	D("\"\\uD800\\u\""), D("\"\\uD800\\uDC0\""), D("\"\\uD800\\u0061\""),
	D("\"\\uD800\\uD800\""), D("\"\\uD800\\uD800\\uDC00\""),
	D("\"\\uDC00\\uD800\""), D("\"\\uD800\\uE000\""),
	D("\"\\uD800\\uDBFF\""),
	D("\"\\uD800/uDC00\""), D("\"\\uD800\\UDC00\""), D("\"\\uD800\\"),
	D("\"\\uD834\\uDd\""), D("\"\\uD83D\xf0\x9f\x98\x80\""),
	/* UTF-8 */
	D("\"\x80\""), D("\"\xbf\""), D("\"\xc0\x80\""), D("\"\xc0\xaf\""),
	D("\"\xc1\xbf\""), D("\"\xc2\""), D("\"\xc3(\""), D("\"\xe0\x80\xaf\""),
	D("\"\xe0\x9f\xbf\""), D("\"\xe2\x82\""), D("\"\xe2\x28\xa1\""),
	D("\"\xed\xa0\x80\""), D("\"\xed\xbf\xbf\""),
	D("\"\xed\xa0\xbd\xed\xb8\x80\""), D("\"\xf0\x80\x80\xaf\""),
	D("\"\xf0\x8f\xbf\xbf\""), D("\"\xf0\x9f\x98\""),
	D("\"\xf4\x90\x80\x80\""), D("\"\xf5\x80\x80\x80\""),
	D("\"\xf8\x88\x80\x80\x80\""), D("\"\xfc\x84\x80\x80\x80\x80\""),
	D("\"\xfe\""), D("\"\xff\""), D("\"\xe9\""), D("\"\xe5\xe4\xf6\""),
	D("\"\xc3\"\xa9"), D("\"\xc3"), D("{\"\xff\":1}"),
	D("{\"\xc0\x80\":1}"),
	D("{\"\\uD800\":1}"), D("[\"\xf0\x9f\x98\x80\x80\"]"),
	/* objects */
	D("{"), D("{ "), D("{\""), D("{\"a"), D("{\"a\""), D("{\"a\":"),
	D("{\"a\":1"), D("{\"a\":1,"), D("{\"a\":1,}"), D("{\"a\":1,\"b\""),
	D("{\"a\":1,\"b\":"), D("{,}"), D("{,\"a\":1}"),
	D("{\"a\":1,,\"b\":2}"),
	D("{\"a\"}"), D("{\"a\",\"b\"}"), D("{\"a\":}"), D("{:1}"), D("{:}"),
	D("{\"a\"::1}"), D("{\"a\":1:2}"), D("{\"a\" 1}"), D("{\"a\"=1}"),
	D("{a:1}"), D("{'a':1}"), D("{1:1}"), D("{null:1}"), D("{true:1}"),
	D("{[]:1}"), D("{{}:1}"), D("{\"a\":1 \"b\":2}"),
	D("{\"a\":1;\"b\":2}"),
	D("{]"), D("{\"a\":1]"), D("{\"a\":]"), D("{\"a\":[}"), D("{1}"),
	D("{\"a\":1}}"), D("{\"a\":1}#"), D("{\"a\":1}/**/"), D("{\"a\":1}//"),
	D("{\"a\":1,a}"), D("{\"a\":1 1}"), D("{\"a\":tru}"),
	D("{\"a\":1,\"b\"}"),
	D("{\"a\":{\"b\":1}"), D("{\"a\":/**/1}"), D("{[\"a\"]}"),
	D("{\"a\"\0:1}"),
	D("{\"a\":1\0}"), D("{\"a\":\"b\"\"c\"}"), D("{\"a\":1\x0c}"), D("{*}"),
	/* a key twice */
	D("{\"a\":1,\"a\":1}"), D("{\"a\":1,\"b\":2,\"a\":3}"),
	D("{\"a\":1,\"\\u0061\":2}"), D("{\"\\u0061\":1,\"a\":2}"),
	D("{\"\":1,\"\":2}"), D("{\"\\u0000\":1,\"\\u0000\":2}"),
	D("{\"\xc3\xa9\":1,\"\\u00e9\":2}"), D("{\"\\u00E9\":1,\"\\u00e9\":2}"),
	D("{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\uDE00\":2}"),
	D("{\"/\":1,\"\\/\":2}"), D("{\"\\n\":1,\"\\u000a\":2}"),
	D("{\"\\\\\":1,\"\\u005c\":2}"), D("{\"\\\"\":1,\"\\u0022\":2}"),
	D("[{\"a\":1,\"a\":2}]"), D("{\"a\":{\"b\":1,\"b\":2}}"),
	D("{\"a\":{\"a\":1},\"a\":2}"),
	D("{\"a\":[{\"b\":1},{\"b\":2}],\"a\":2}"),
	D("[{\"a\":1},{\"a\":{},\"b\":[],\"a\":2}]"),
};

/* json_valid of a copy that ends where its memory ends. */
static int
valid(struct str doc)
{
	char *p = malloc(doc.n + (doc.n == 0));
	struct fail why;
	int rc;

	if (p == NULL)
		return -2;
	memcpy(p, doc.p, doc.n);
	why.msg[0] = '\0';
	rc = json_valid((struct str){ p, doc.n }, &why);
	free(p);
	return rc == -1 && why.msg[0] == '\0' ? -2 : rc;
}

static void
test_documents(void)
{
	size_t i, k;

	for (i = 0; i < COUNT(good); i++) {
		struct str s = good[i];

		CHECK_ROW(i, valid(s) == 0);
		/* Cut anywhere before its last byte it is none, but for a
		 * number and for space at its end. */
		while (strchr(" \r\n\t", s.p[s.n - 1]) != NULL)
			s.n--;
		if (strchr("0123456789", s.p[s.n - 1]) != NULL)
			continue;
		for (k = 0; k < s.n; k++)
			CHECK_ROW(i, valid((struct str){ s.p, k }) == -1);
	}
	for (i = 0; i < COUNT(refused); i++)
		CHECK_ROW(i, valid(refused[i]) == -1);
	CHECK(json_valid(str_of(NULL), &(struct fail){ "" }) == -1);
}

/* Each single byte, as a document, in a string and after a backslash. */
static void
test_bytes(void)
{
	int c;

	for (c = 0; c < 256; c++) {
		char z[] = "\"\\?\"";
		bool raw = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

		z[2] = (char)c;
		CHECK_ROW(c, valid((struct str){ z + 2, 1 }) ==
		    (c >= '0' && c <= '9' ? 0 : -1));
		CHECK_ROW(c, valid((struct str){ z, 4 }) ==
		    (c != 0 && strchr("\"\\/bfnrt", c) != NULL ? 0 : -1));
		z[1] = '"';
		CHECK_ROW(c, valid((struct str){ z + 1, 3 }) ==
		    (raw ? 0 : -1));
	}
}

static void
repeat(struct buf *b, const char *z, int n)
{
	while (n-- > 0)
		buf_addz(b, z);
}

static void
test_depth(void)
{
	static char p[8192];
	struct buf b;
	int i, k;

	for (i = 31; i <= 33; i++) {
		buf_init(&b, p, sizeof p);
		repeat(&b, "[", i);
		repeat(&b, "]", i);
		CHECK_ROW(i, valid(str_from(&b)) == (i <= 32 ? 0 : -1));
		buf_init(&b, p, sizeof p);
		repeat(&b, "{\"a\":", i);
		buf_addz(&b, "1");
		repeat(&b, "}", i);
		CHECK_ROW(i, valid(str_from(&b)) == (i <= 32 ? 0 : -1));
		buf_init(&b, p, sizeof p);
		repeat(&b, "[", i);	/* and opened only */
		CHECK_ROW(i, valid(str_from(&b)) == -1);
	}
	for (i = 63; i <= 65; i++) {
		buf_init(&b, p, sizeof p);
		buf_addz(&b, "[0,{");
		for (k = 0; k < i; k++)
			buf_addf(&b, "%s\"k%d\":{}", k == 0 ? "" : ",", k);
		buf_addz(&b, "}]");
		CHECK_ROW(i, valid(str_from(&b)) == (i <= 64 ? 0 : -1));
	}
	buf_init(&b, p, sizeof p);	/* the bound is one object's */
	buf_addz(&b, "[0");
	repeat(&b, ",{\"a\":{\"b\":1},\"b\":2}", 300);
	buf_addz(&b, "]");
	CHECK(!b.full && valid(str_from(&b)) == 0);
}

/* As many keys as can be held: 64 members at each of 32 levels. */
static void
test_full(void)
{
	static char p[32768];
	struct buf b;
	int i, k;

	buf_init(&b, p, sizeof p);
	for (i = 0; i < JSON_DEPTH_MAX; i++)
		for (k = 0; k < JSON_KEYS_MAX; k++)
			buf_addf(&b, "%s\"%d\":%s", k == 0 ? "{" : ",", k,
			    k < JSON_KEYS_MAX - 1 ? "0" : "");
	buf_addz(&b, "0");
	repeat(&b, "}", JSON_DEPTH_MAX);
	CHECK(!b.full && valid(str_from(&b)) == 0);
}

static const struct {
	const char *in, *want;
} tokens[] = {
	{ "{\"a\":[1,\"x\\n\",true,false,null],\"b\":{}}",
	    "{ k(a) [ n(1) s(x\\n) t f 0 ] k(b) { } } ." },
	{ " -1.5e3 ",		"n(-1.5e3) ." },
	{ "[[],[{}]] ",		"[ [ ] [ { } ] ] ." },
	{ "\"\"",		"s() ." },
	{ "[1,]",		"[ n(1) !" },
	{ "[1 2]",		"[ n(1) !" },
	{ "{\"a\":1,}",		"{ k(a) n(1) !" },
	{ "{\"a\" \"b\"}",	"{ !" },
	{ "[1}",		"[ n(1) !" },
	{ "1 2",		"n(1) !" },
	{ "",			"!" },
};

static void
test_tokens(void)
{
	static const char name[] = "!.{}[]ksntf0";
	struct str text;
	struct json j;
	enum json_tok t;
	struct buf b;
	char p[128];
	size_t i;

	for (i = 0; i < COUNT(tokens); i++) {
		buf_init(&b, p, sizeof p);
		json_open(&j, str_of(tokens[i].in));
		do {
			t = json_next(&j, &text);
			if (b.n > 0)
				buf_addc(&b, ' ');
			buf_addc(&b, name[t]);
			if (strchr("ksn", name[t]) != NULL)
				buf_addf(&b, "(%.*s)", (int)text.n, text.p);
			else if (strchr("{}[]", name[t]) != NULL)
				CHECK_ROW(i, text.n == 1 &&
				    text.p[0] == name[t]);
		} while (t != JSON_BAD && t != JSON_END);
		CHECK_ROW(i, str_is(str_from(&b), tokens[i].want));
		/* What ended stays ended. */
		CHECK_ROW(i, json_next(&j, &text) == t);
		CHECK_ROW(i, json_next(&j, &text) == t && text.n == 0);
		CHECK_ROW(i, t != JSON_BAD || j.why != NULL);
	}
}

/* What is nested is read past, and only when it is whole. */
static void
test_nested(void)
{
	struct str in = STR("[{\"a\":[1,{\"b\":2}]},3]"), raw;
	struct json j;
	size_t i;

	json_open(&j, in);
	CHECK(json_next(&j, &raw) == JSON_ARR);
	CHECK(json_value(&j, &raw) == JSON_OBJ);
	CHECK(str_is(raw, "{\"a\":[1,{\"b\":2}]}"));
	CHECK(json_next(&j, &raw) == JSON_NUM && str_is(raw, "3"));
	CHECK(json_next(&j, &raw) == JSON_ARR_END);
	CHECK(json_value(&j, &raw) == JSON_END);
	for (i = 1; i < in.n; i++) {
		json_open(&j, (struct str){ in.p, i });
		CHECK_ROW(i, json_value(&j, &raw) == JSON_BAD);
	}
}

static void
test_value(void)
{
	static const struct {
		const char *raw;
		enum json_tok tok;
	} want[] = {
		{ "1e2", JSON_NUM }, { "\"a\\\"\"", JSON_STR },
		{ "[1, {} ]", JSON_ARR }, { "{\"k\":[2]}", JSON_OBJ },
		{ "{}", JSON_OBJ }, { "true", JSON_TRUE },
		{ "false", JSON_FALSE }, { "null", JSON_NULL },
		{ "]", JSON_ARR_END }, { "", JSON_END }, { "", JSON_END },
	};
	struct str in = STR("[1e2, \"a\\\"\" ,[1, {} ],{\"k\":[2]},{},true,"
	    "false,null ] "), raw;
	struct json j;
	size_t i;

	json_open(&j, in);
	CHECK(json_next(&j, &raw) == JSON_ARR);
	for (i = 0; i < COUNT(want); i++) {
		CHECK_ROW(i, json_value(&j, &raw) == want[i].tok);
		CHECK_ROW(i, str_is(raw, want[i].raw));
	}
	json_open(&j, STR("{\"a\":[1,{]}"));
	CHECK(json_next(&j, &raw) == JSON_OBJ);
	CHECK(json_value(&j, &raw) == JSON_KEY && str_is(raw, "a"));
	CHECK(json_value(&j, &raw) == JSON_BAD);
	CHECK(json_value(&j, &raw) == JSON_BAD);
}

static void
test_member(void)
{
	static const struct {
		const char *in, *name;
		enum json_tok tok;
		const char *raw;
	} row[] = {
		{ "{\"a\":1,\"b\":\"x\"}", "a", JSON_NUM, "1" },
		{ "{\"a\":1,\"b\":\"x\"}", "b", JSON_STR, "\"x\"" },
		{ "{\"a\":1,\"b\":\"x\"}", "c", JSON_END, NULL },
		{ "{\"a\":1}", "", JSON_END, NULL },
		{ "{\"\":1}", "", JSON_NUM, "1" },
		{ "{\"a\":1}", "aa", JSON_END, NULL },
		{ "{\"aa\":1}", "a", JSON_END, NULL },
		{ "{\"A\":1}", "a", JSON_END, NULL },
		{ "{\"\\u0061\":1}", "a", JSON_NUM, "1" },
		{ "{\"\\u00e9\":1}", "\xc3\xa9", JSON_NUM, "1" },
		{ "{\"\xc3\xa9\":1}", "\xc3\xa9", JSON_NUM, "1" },
		{ "{\"\\u0000\":1}", "", JSON_END, NULL },
		{ "{\"b\":{\"a\":2},\"a\":[3]}", "a", JSON_ARR, "[3]" },
		{ "{\"b\":[{\"a\":2}]}", "a", JSON_END, NULL },
		{ "{}", "a", JSON_END, NULL },
		{ " {\"a\" : null }", "a", JSON_NULL, "null" },
		{ "[\"a\",1]", "a", JSON_BAD, NULL },
		{ "\"a\"", "a", JSON_BAD, NULL },
		{ "", "a", JSON_BAD, NULL },
		{ "{\"a\":}", "a", JSON_BAD, NULL },
		{ "{\"b\":1", "a", JSON_BAD, NULL },
		{ "{\"b\":[}", "a", JSON_BAD, NULL },
	};
	struct str raw;
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		raw = STR("as it was");
		CHECK_ROW(i, json_member(str_of(row[i].in), row[i].name,
		    &raw) == row[i].tok);
		CHECK_ROW(i, str_is(raw, row[i].raw == NULL ? "as it was" :
		    row[i].raw));
	}
}

static void
test_unescape(void)
{
	static const struct {
		const char *in, *want;	/* NULL: refused */
	} row[] = {
		{ "", "" }, { "\"\"", "" }, { "abc", "abc" },
		{ "\"abc\"", "abc" }, { "\\\"", "\"" }, { "\"\\\"\"", "\"" },
		{ "\\\"a\\\"", "\"a\"" }, { "\\\\", "\\" },
		{ "\\/\\b\\f\\n\\r\\t", "/\b\f\n\r\t" },
		{ "\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac" },
		{ "\\u007f\\u0080\\u07ff\\u0800", "\x7f\xc2\x80\xdf\xbf"
		    "\xe0\xa0\x80" },
		{ "\\uFFFF\\ud800\\udc00", "\xef\xbf\xbf\xf0\x90\x80\x80" },
		{ "\\udbff\\udfff", "\xf4\x8f\xbf\xbf" },
		{ "\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80" },
		{ "12345678901234567890123", "12345678901234567890123" },
		{ "123456789012345678901234", NULL },
		{ "1234567890123456789012\\u00e9", NULL },
		{ "123456789012345678901\\u00e9",
		    "123456789012345678901\xc3\xa9" },
		{ "a\\u0000", NULL }, { "\\u0000", NULL },
		{ "a\\ud800", NULL }, { "\\udc00", NULL }, { "\\", NULL },
		{ "\\x", NULL }, { "\\u12", NULL }, { "\xff", NULL },
		{ "a\nb", NULL }, { "a\"b", NULL }, { "\"", NULL },
	};
	char z[24];
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		int rc = json_unescape(str_of(row[i].in), z, sizeof z);

		CHECK_ROW(i, rc == (row[i].want == NULL ? -1 : 0));
		CHECK_ROW(i, strcmp(z, row[i].want == NULL ? "" :
		    row[i].want) == 0);
	}
	CHECK(json_unescape(STR("a\0b"), z, sizeof z) == -1);
	CHECK(json_unescape(str_of(NULL), z, 1) == 0 && z[0] == '\0');
	CHECK(json_unescape(STR("a"), z, 1) == -1);
}

static void
test_int(void)
{
	static const struct {
		const char *in;
		int64_t want;
		int ok;
	} row[] = {
		{ "0", 0, 1 }, { "-0", 0, 1 }, { "9", 9, 1 }, { "10", 7, 0 },
		{ "-9", -9, 1 }, { "-10", 7, 0 }, { "5.0", 5, 1 },
		{ "5.5", 7, 0 }, { "0.5e1", 5, 1 }, { "1e3", 7, 0 },
		{ "50e-1", 5, 1 }, { "55e-1", 7, 0 }, { "1e-400", 7, 0 },
		{ "0e400", 0, 1 }, { "1e400", 7, 0 }, { "", 7, 0 },
		{ "9.0000000000000000000000000000000001", 7, 0 },
		{ "01", 7, 0 }, { "true", 7, 0 }, { "\"5\"", 7, 0 },
	};
	int64_t v;
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		v = 7;
		CHECK_ROW(i, json_int(str_of(row[i].in), -9, 9, &v) ==
		    (row[i].ok ? 0 : -1));
		CHECK_ROW(i, v == row[i].want);
	}
	CHECK(json_int(STR("1e3"), 0, 1000, &v) == 0 && v == 1000);
	CHECK(json_int(STR("9223372036854775807"), INT64_MIN, INT64_MAX,
	    &v) == 0 && v == INT64_MAX);
	CHECK(json_int(STR("9223372036854775808"), INT64_MIN, INT64_MAX,
	    &v) == -1);
	CHECK(json_int(STR("-9223372036854775808"), INT64_MIN, INT64_MAX,
	    &v) == 0 && v == INT64_MIN);
}

/* A number's thousandths are those of str_milli, however it is written. */
static void
test_milli(void)
{
	static const char *const row[] = { "0", "-0", "7", "-7", "0.5", "-0.5",
	    "1.25", "1.125", "-1.125", "1.0005", "1.00049", "0.001", "0.0",
	    "123456789012", "12345678901234", "123456789012345",
	    "1234567890123456", "1234567890.123", "12345678901.234",
	    "123456789012.345", "8999999999999999.999", "9e15", "9.1e15",
	    "-9e15", "1e3", "1E-3", "1.5e0", "1e400", "9000000000000000",
	    "9000000000000001" };
	int64_t want, got;
	size_t i;
	int rc;

	for (i = 0; i < COUNT(row); i++) {
		want = got = 7;
		rc = str_milli(str_of(row[i]), &want);
		CHECK_ROW(i, json_milli(str_of(row[i]), &got) == rc);
		CHECK_ROW(i, got == want);
	}
}

/* A string stays where it is, or is undone in as much room as it needs. */
static void
test_meant(void)
{
	static const struct {
		const char *in, *want;	/* NULL: none */
		bool stays;
	} row[] = {
		{ "\"\"", "", true }, { "\"a b\"", "a b", true },
		{ "\"<&>\"", "<&>", false }, { "\"\\n\"", "\n", false },
		{ "\"a\\u00e9b\"", "a\xc3\xa9" "b", false },
		{ "\"\xc3\xa9\"", "\xc3\xa9", false },
		{ "\"\\\"\\\"\"", "\"\"", false },
		{ "\"a\\u0000\"", NULL, false },
	};
	char p[8];
	struct str text;
	struct json j;
	struct buf b;
	size_t i, k, need;

	for (i = 0; i < COUNT(row); i++)
		for (k = 0; k <= sizeof p; k++) {
			buf_init(&b, p, k);
			json_open(&j, str_of(row[i].in));
			CHECK_ROW(i, json_next(&j, &text) == JSON_STR);
			need = row[i].want == NULL ? sizeof p + 1 :
			    row[i].stays ? 0 : strlen(row[i].want) + 1;
			CHECK_ROW(i, json_meant(&j, &text, &b) ==
			    (k < need ? -1 : 0));
			CHECK_ROW(i, k < need || (b.n == need &&
			    str_is(text, row[i].want)));
			CHECK_ROW(i, json_next(&j, &text) == JSON_END);
		}
}

static void
test_put(void)
{
	static const struct {
		struct str in;
		const char *want;
	} row[] = {
		{ D(""),		"\"\"" },
		{ D("abc ~"),		"\"abc ~\"" },
		{ D("\"\\/"),		"\"\\\"\\\\/\"" },
		{ D("\b\f\n\r\t"),	"\"\\b\\f\\n\\r\\t\"" },
		{ D("\0\x01\x1f\x7f"),	"\"\\u0000\\u0001\\u001f\\u007f\"" },
		{ D("<a>&'"),		"\"\\u003ca\\u003e\\u0026'\"" },
		{ D("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
		    "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"" },
		{ D("\xc3\xa9\xf0\x9f\x98\x80"),
		    "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ D("a\xff" "b\xc3"),	"\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"" },
		{ D("\xed\xa0\x80"),
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ D("\xc2\x85"),	"\"\xc2\x85\"" },
	};
	char p[64], z[64];
	struct buf b;
	size_t i;
	int c;

	for (i = 0; i < COUNT(row); i++) {
		buf_init(&b, p, sizeof p);
		json_put(&b, row[i].in);
		CHECK_ROW(i, str_is(str_from(&b), row[i].want));
		CHECK_ROW(i, valid(str_from(&b)) == 0);
	}
	for (c = 1; c < 128; c++) {		/* there and back */
		char one = (char)c;

		buf_init(&b, p, sizeof p);
		json_put(&b, (struct str){ &one, 1 });
		CHECK_ROW(c, json_unescape(str_from(&b), z, sizeof z) == 0);
		CHECK_ROW(c, z[0] == one && z[1] == '\0');
	}
	for (i = 0; i < 8; i++) {		/* what does not fit */
		buf_init(&b, p, i);
		json_put(&b, STR("ab<"));
		CHECK_ROW(i, b.full && b.n <= i);
	}
}

static void
test_writer(void)
{
	static const char want[] = "{\"a\":1,\"b\":[-0.5,\"x\",true,false,"
	    "null,{},[],\"2026-11-22T06:53:11.123Z\",null,[1 ,2],3],"
	    "\"c\\n\":{\"d\":\"\"},\"e\":9}";
	char p[256];
	struct buf b;

	buf_init(&b, p, sizeof p);
	json_obj(&b);
	json_key(&b, "a");
	json_put_int(&b, 1);
	json_key(&b, "b");
	json_arr(&b);
	json_put_milli(&b, -500);
	json_put(&b, STR("x"));
	json_put_bool(&b, true);
	json_put_bool(&b, false);
	json_put_null(&b);
	json_obj(&b);
	json_obj_end(&b);
	json_arr(&b);
	json_arr_end(&b);
	json_put_time(&b, INT64_C(1795330391123));
	json_put_time(&b, 0);
	json_put_raw(&b, STR("[1 ,2] \r\n\t"));
	json_put_raw(&b, STR("3"));
	json_arr_end(&b);
	json_key(&b, "c\n");
	json_obj(&b);
	json_key(&b, "d");
	json_put(&b, str_of(NULL));
	json_obj_end(&b);
	json_key(&b, "e");
	json_put_int(&b, 9);
	json_obj_end(&b);
	CHECK(str_is(str_from(&b), want));
	CHECK(valid(str_from(&b)) == 0);

	buf_init(&b, p, sizeof p);	/* after other text */
	buf_addz(&b, "data: ");
	json_arr(&b);
	json_arr_end(&b);
	buf_addc(&b, '\n');
	json_obj(&b);
	CHECK(str_is(str_from(&b), "data: []\n{"));
}

int
main(void)
{
	test_documents();
	test_bytes();
	test_depth();
	test_full();
	test_tokens();
	test_nested();
	test_value();
	test_member();
	test_unescape();
	test_int();
	test_milli();
	test_meant();
	test_put();
	test_writer();
	return test_end();
}
