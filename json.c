/* json.c: see json.h. */
#include <assert.h>

#include "json.h"

/* What may come next: j->expect. */
enum {
	VALUE,		/* 0: a value: at the start and after ':' */
	FIRST,		/* a first member or element, or the end */
	AFTER,		/* ',' and another, or the end; at depth 0 no more */
	FAILED
};

/* The letters of the short escapes, and what they stand for. */
static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";

static enum json_tok
bad(struct json *j, const char *why)
{
	j->expect = FAILED;
	j->why = why;
	return JSON_BAD;
}

/* Past the space: the byte there, or -1 at the end. */
static int
skip_space(struct json *j)
{
	for (; j->pos < j->in.n; j->pos++)
		if (j->in.p[j->pos] > ' ' ||
		    memchr(" \n\r\t", j->in.p[j->pos], 4) == NULL)
			return (unsigned char)j->in.p[j->pos];
	return -1;
}

/* The UTF-16 unit of the escape \uXXXX that s begins with, or -1. */
static int32_t
utf16(struct str s)
{
	unsigned char b[2];

	if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u' ||
	    str_unhex((struct str){ s.p + 2, 4 }, b, 2) == -1)
		return -1;
	return b[0] << 8 | b[1];
}

/* Take a character of *s, the text of a string: its code point, or -1 when
 * none such may stand there. */
static int32_t
take(struct str *s)
{
	const char *at;
	int32_t c, low;

	if (s->n == 0 || (unsigned char)s->p[0] < ' ' || s->p[0] == '"')
		return -1;
	if (s->p[0] != '\\')
		return str_take(s);
	at = s->n < 2 ? NULL : memchr(letters, s->p[1], sizeof letters - 1);
	if (at != NULL) {
		*s = str_after(*s, 2);
		return bytes[at - letters];
	}
	c = utf16(*s);
	if (c == -1 || (c >= 0xdc00 && c <= 0xdfff))
		return -1;
	if (c >= 0xd800 && c <= 0xdbff) {	/* the first of a pair */
		low = utf16(str_after(*s, 6));
		if (low < 0xdc00 || low > 0xdfff)
			return -1;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		*s = str_after(*s, 6);
	}
	*s = str_after(*s, 6);
	return c;
}

/* How many bytes s begins with that stand for themselves, read or written.
 * Most do, and need not go through take or put_char. */
static size_t
plain(struct str s)
{
	static const char self[256] = "                                "
	    " !.#$%.'()*+,-./0123456789:;.=.?"
	    "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[.]^_"
	    "`abcdefghijklmnopqrstuvwxyz{|}~";
	size_t n = 0;

	while (n < s.n && self[(unsigned char)s.p[n]] == s.p[n])
		n++;
	return n;
}

/* The token of n bytes at j->pos. */
static enum json_tok
token(struct json *j, enum json_tok tok, size_t n, struct str *text)
{
	*text = (struct str){ j->in.p + j->pos, n };
	j->pos += n;
	j->expect = tok == JSON_OBJ || tok == JSON_ARR ? FIRST : AFTER;
	return tok;
}

/* The string at j->pos, which is its first quote. */
static enum json_tok
string(struct json *j, enum json_tok tok, struct str *text)
{
	size_t from = j->pos + 1;
	struct str s = { j->in.p + from, j->in.n - from };

	s = str_after(s, plain(s));
	j->plain = s.n > 0 && s.p[0] == '"';
	for (; s.n == 0 || s.p[0] != '"'; s = str_after(s, plain(s)))
		if (take(&s) == -1) {
			j->pos = j->in.n - s.n;
			return bad(j, "a string holds what it may not, or is "
			    "cut");
		}
	j->pos = from;
	token(j, tok, j->in.n - s.n - from, text);
	j->pos++;
	return tok;
}

static enum json_tok
value(struct json *j, struct str *text)
{
	static const char *const words[] = { "true", "false", "null" };
	struct str s = { j->in.p + j->pos, j->in.n - j->pos };
	bool obj = s.p[0] == '{';
	size_t i, n;

	if (s.p[0] == '"')
		return string(j, JSON_STR, text);
	if (obj || s.p[0] == '[') {
		if (j->depth == JSON_DEPTH_MAX)
			return bad(j, "nested too deep");
		j->obj[j->depth++] = obj;
		return token(j, obj ? JSON_OBJ : JSON_ARR, 1, text);
	}
	n = str_number(s);
	if (n > 0)
		return token(j, JSON_NUM, n, text);
	for (i = 0; i < COUNT(words); i++)
		if (str_starts(s, str_of(words[i])))
			return token(j, (enum json_tok)(JSON_TRUE + i),
			    strlen(words[i]), text);
	return bad(j, "a value is due");
}

enum json_tok
json_next(struct json *j, struct str *text)
{
	bool obj = j->depth > 0 && j->obj[j->depth - 1];
	int c;

	*text = (struct str){ NULL, 0 };
	if (j->expect == FAILED)
		return JSON_BAD;
	c = skip_space(j);
	if (j->expect == AFTER && c == ',' && j->depth > 0) {
		j->pos++;
		c = skip_space(j);
	} else if (j->expect != VALUE) {
		if (j->depth == 0)
			return c == -1 ? JSON_END :
			    bad(j, "text after the value");
		if (c == (obj ? '}' : ']')) {
			j->depth--;
			return token(j, obj ? JSON_OBJ_END : JSON_ARR_END, 1,
			    text);
		}
		if (j->expect == AFTER && c != -1)
			return bad(j, "a comma or the end is due");
	}
	if (c == -1)
		return bad(j, "cut short");
	if (!obj || j->expect == VALUE)
		return value(j, text);
	if (c != '"')
		return bad(j, "a key in quotes is due");
	if (string(j, JSON_KEY, text) == JSON_BAD)
		return JSON_BAD;
	if (skip_space(j) != ':')
		return bad(j, "a colon is due");
	j->pos++;
	j->expect = VALUE;
	return JSON_KEY;
}

enum json_tok
json_value(struct json *j, struct str *raw)
{
	enum json_tok t = json_next(j, raw);
	unsigned depth = j->depth;
	struct str text;

	if (t == JSON_STR)
		*raw = (struct str){ raw->p - 1, raw->n + 2 };
	if (t != JSON_OBJ && t != JSON_ARR)
		return t;
	while (j->depth >= depth)
		if (json_next(j, &text) == JSON_BAD)
			return JSON_BAD;
	raw->n = (size_t)(j->in.p + j->pos - raw->p);
	return t;
}

/* Do two keys' texts, well-formed, say the same? */
static bool
same_key(struct str a, struct str b)
{
	while (a.n > 0 && b.n > 0)
		if (take(&a) != take(&b))
			return false;
	return a.n == b.n;
}

int
json_valid(struct str in, struct fail *why)
{
	/* The keys of all open objects, the innermost's last. */
	struct str text, rest, keys[JSON_DEPTH_MAX * JSON_KEYS_MAX];
	uint32_t hashes[JSON_DEPTH_MAX * JSON_KEYS_MAX];
	size_t first[JSON_DEPTH_MAX];	/* of each open object's */
	size_t i, n = 0;
	enum json_tok t;
	struct json j = JSON(in);

	while ((t = json_next(&j, &text)) != JSON_END) {
		if (t == JSON_BAD)
			return fail(why, "not JSON at byte %zu: %s", j.pos,
			    j.why);
		if (t == JSON_OBJ)
			first[j.depth - 1] = n;
		if (t == JSON_OBJ_END)
			n = first[j.depth];
		if (t != JSON_KEY)
			continue;
		i = first[j.depth - 1];
		if (n - i == JSON_KEYS_MAX)
			return fail(why, "an object of over %d members before "
			    "byte %zu", JSON_KEYS_MAX, j.pos);
		/* FNV-1a by characters: the same for all that say the same. */
		hashes[n] = 2166136261;
		for (rest = text; rest.n > 0;)
			hashes[n] = (hashes[n] ^ (uint32_t)take(&rest)) *
			    16777619;
		for (; i < n; i++)
			if (hashes[i] == hashes[n] && same_key(keys[i], text))
				return fail(why, "the same key again before "
				    "byte %zu", j.pos);
		keys[n++] = text;
	}
	return 0;
}

enum json_tok
json_member(struct str obj, const char *name, struct str *raw)
{
	struct str text, value;
	enum json_tok t;
	struct json j = JSON(obj);

	if (json_next(&j, &text) != JSON_OBJ)
		return JSON_BAD;
	while ((t = json_next(&j, &text)) == JSON_KEY) {
		t = json_value(&j, &value);
		if (t == JSON_BAD)
			return t;
		if (same_key(text, str_of(name))) {
			*raw = value;
			return t;
		}
	}
	return t == JSON_OBJ_END ? JSON_END : JSON_BAD;
}

/* c as UTF-8. */
static void
put_char(struct buf *b, int32_t c)
{
	static const unsigned char head[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t i, n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	char p[4];

	for (i = n - 1; i > 0; i--, c >>= 6)
		p[i] = (char)(0x80 | (c & 0x3f));
	p[0] = (char)(head[n] | c);
	buf_add(b, (struct str){ p, n });
}

int
json_unescape(struct str text, char *dst, size_t cap)
{
	int32_t c = 1;
	struct buf b;
	bool good;

	assert(cap > 0);
	buf_init(&b, dst, cap - 1);
	if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
		text = (struct str){ text.p + 1, text.n - 2 };
	while (text.n > 0 && c > 0) {
		size_t n = plain(text);

		buf_add(&b, (struct str){ text.p, n });
		text = str_after(text, n);
		if (text.n > 0 && (c = take(&text)) > 0)
			put_char(&b, c);
	}
	good = c > 0 && !b.full;
	dst[good ? b.n : 0] = '\0';
	return good ? 0 : -1;
}

int
json_meant(const struct json *j, struct str *text, struct buf *room)
{
	char *at = room->p + room->n;

	if (j->plain)
		return 0;
	if (room->n == room->cap ||
	    json_unescape(*text, at, room->cap - room->n) == -1)
		return -1;
	*text = str_of(at);
	room->n += text->n + 1;
	return 0;
}

int
json_int(struct str text, int64_t min, int64_t max, int64_t *out)
{
	bool exact;
	int64_t v;

	if (str_scaled(text, 0, &v, &exact) == -1 || !exact ||
	    v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

int
json_milli(struct str text, int64_t *out)
{
	bool minus = text.p[0] == '-', point = false;
	size_t i, places = 0;
	int64_t v = 0;

	for (i = minus; i < text.n; i++) {
		char c = text.p[i];

		if (c == '.') {
			point = true;
			continue;
		}
		/* The rest, long ones and exponents, are rare. */
		if (c < '0' || c > '9' || places == 3 || i == 15)
			return str_milli(text, out);
		v = v * 10 + (c - '0');
		places += point;
	}
	for (; places < 3; places++)
		v *= 10;
	*out = minus ? -v : v;
	return 0;
}

int
json_text(struct str obj, const char *name, char *dst, size_t cap)
{
	struct str raw;
	enum json_tok tok = json_member(obj, name, &raw);

	dst[0] = '\0';
	if (tok == JSON_END)
		return 0;
	return tok == JSON_STR && json_unescape(raw, dst, cap) == 0 ? 1 : -1;
}

int
json_number(struct str obj, const char *name, int64_t min, int64_t max,
    int64_t *v)
{
	struct str raw;
	enum json_tok tok = json_member(obj, name, &raw);

	if (tok == JSON_END)
		return 0;
	return tok == JSON_NUM && json_int(raw, min, max, v) == 0 ? 1 : -1;
}

int
json_list(struct json *j, struct str obj, const char *name)
{
	struct str raw;
	bool is = json_member(obj, name, &raw) == JSON_ARR;

	*j = JSON(is ? raw : STR(""));
	json_next(j, &raw);
	return is ? 0 : -1;
}

/* A comma is due where the last byte ends a value: a bracket, a quote, a
 * digit, or the last letter of true, false or null. */
static void
comma(struct buf *b)
{
	char c = b->n > 0 ? b->p[b->n - 1] : '{';

	if (c == '"' || (c >= '0' && c <= '9') || c == '}' || c == ']' ||
	    c == 'e' || c == 'l')
		buf_addc(b, ',');
}

struct buf *
json_key(struct buf *b, const char *name)
{
	json_put(b, str_of(name));
	buf_addc(b, ':');
	return b;
}

void
json_put(struct buf *b, struct str s)
{
	comma(b);
	buf_addc(b, '"');
	while (s.n > 0) {
		size_t n = plain(s);
		const char *at;
		int32_t c;

		buf_add(b, (struct str){ s.p, n });
		s = str_after(s, n);
		if (s.n == 0)
			break;
		c = str_take(&s);	/* what may not stand for itself */
		at = c < 0 || c > 0x7f ? NULL :
		    memchr(bytes, c, sizeof bytes - 1);
		if (c == -1)
			put_char(b, 0xfffd);
		else if (at != NULL)
			buf_addf(b, "\\%c", letters[at - bytes]);
		else if (c > 0x7f && c != 0x2028 && c != 0x2029)
			put_char(b, c);
		else
			buf_addf(b, "\\u%04x", (unsigned)c);
	}
	buf_addc(b, '"');
}

void
json_put_int(struct buf *b, int64_t v)
{
	comma(b);
	buf_addi(b, v);
}

void
json_put_milli(struct buf *b, int64_t v)
{
	comma(b);
	buf_milli(b, v);
}

void
json_put_time(struct buf *b, int64_t ms)
{
	if (ms == 0) {
		json_put_null(b);
		return;
	}
	comma(b);
	buf_addc(b, '"');
	buf_time(b, ms);
	buf_addc(b, '"');
}

void
json_put_raw(struct buf *b, struct str json)
{
	while (json.n > 0 && memchr(" \t\r\n", json.p[json.n - 1], 4) != NULL)
		json.n--;	/* or the next comma would be missed */
	comma(b);
	buf_add(b, json);
}
