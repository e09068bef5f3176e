/*
 * json_fuzz.c: json.c under libFuzzer.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -D_POSIX_C_SOURCE=200809L \
 *	    tests/fuzz/json_fuzz.c json.c str.c fail.c
 *
 * Any bytes may be refused; what is taken must hold together.
 */
#include <assert.h>
#include <string.h>

#include "../../json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A string, once read, is written and read again as itself. */
static void
check_string(struct str text)
{
	char a[512], b[512], p[4096];
	struct buf out;

	if (json_unescape(text, a, sizeof a) == -1)
		return;
	buf_init(&out, p, sizeof p);
	json_put(&out, str_of(a));
	assert(!out.full);
	assert(json_unescape(str_from(&out), b, sizeof b) == 0);
	assert(strcmp(a, b) == 0);
}

/* So is a number, in thousandths and as an integer. */
static void
check_number(struct str text)
{
	int64_t v, again;
	struct buf out;
	char p[32];

	assert(str_number(text) == text.n);
	if (str_milli(text, &v) == 0) {
		buf_init(&out, p, sizeof p);
		buf_milli(&out, v);
		assert(str_milli(str_from(&out), &again) == 0 && again == v);
	}
	if (json_int(text, INT64_MIN, INT64_MAX, &v) == 0) {
		buf_init(&out, p, sizeof p);
		buf_addi(&out, v);
		assert(json_int(str_from(&out), v, v, &again) == 0);
	}
}

/* Write a token; the end of the whole or what is bad is no token. */
static void
write_token(struct buf *b, enum json_tok t, struct str text)
{
	static char key[1 << 16];

	if (t == JSON_KEY && json_unescape(text, key, sizeof key) == 0)
		json_key(b, key);
	else if (t == JSON_KEY)
		b->full = true;
	else if (t == JSON_STR)
		json_put_raw(b, (struct str){ text.p - 1, text.n + 2 });
	else if (t == JSON_OBJ_END)
		json_obj_end(b);
	else if (t == JSON_ARR_END)
		json_arr_end(b);
	else if (t == JSON_OBJ)
		json_obj(b);
	else if (t == JSON_ARR)
		json_arr(b);
	else
		json_put_raw(b, text);
}

/* Every token of a valid document; and what they write is valid too. */
static void
check_tokens(struct str in)
{
	static char p[1 << 16];
	enum json_tok t;
	struct str text, raw;
	struct fail why;
	struct buf out;
	struct json j;

	buf_init(&out, p, sizeof p);
	json_open(&j, in);
	while ((t = json_next(&j, &text)) != JSON_END) {
		assert(t != JSON_BAD);
		if (t == JSON_KEY || t == JSON_STR)
			check_string(text);
		if (t == JSON_NUM)
			check_number(text);
		write_token(&out, t, text);
	}
	assert(out.full || json_valid(str_from(&out), &why) == 0);
	json_open(&j, in);
	t = json_value(&j, &raw);
	assert(t != JSON_BAD && json_valid(raw, &why) == 0);
	assert((json_member(in, "a", &raw) == JSON_BAD) == (t != JSON_OBJ));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = { (const char *)data, n }, text;
	struct fail why;
	struct json j;
	size_t i;

	why.msg[0] = '\0';
	if (json_valid(in, &why) == -1) {
		assert(why.msg[0] != '\0');
		json_open(&j, in);
		while (json_next(&j, &text) > JSON_END)
			continue;
		json_unescape(in, (char[64]){ "" }, 64);
		json_member(in, "a", &text);
		return 0;
	}
	check_tokens(in);
	while (in.n > 0 && strchr(" \t\r\n", in.p[in.n - 1]) != NULL)
		in.n--;
	if (strchr("0123456789", in.p[in.n - 1]) != NULL)
		return 0;
	for (i = 0; i < in.n && in.n <= 256; i++)
		assert(json_valid((struct str){ in.p, i }, &why) == -1);
	return 0;
}
