/*
 * json.h: RFC 8259, read as tokens from one buffer and written to another.
 *
 * The reader allocates nothing, copies nothing and recurses nowhere.  It
 * takes exactly the grammar, bounded: JSON_DEPTH_MAX levels; no BOM, strict
 * UTF-8, no lone surrogate, no number that overflows what it is read as.
 * json_valid also refuses a duplicate key within an object of up to
 * JSON_KEYS_MAX members; an object with more members is refused.
 *
 * The writer sets the commas itself: it looks at the last byte written.
 * It escapes control bytes, '"', '\', '<', '>', '&', U+2028 and U+2029, and
 * puts U+FFFD for what is not UTF-8, so that its output may stand in HTML.
 */
#ifndef JSON_H
#define JSON_H

#include "fail.h"
#include "str.h"

#define JSON_DEPTH_MAX	32
#define JSON_KEYS_MAX	64	/* members of one object */

enum json_tok {
	JSON_BAD,	/* not JSON; j->why and j->pos say where */
	JSON_END,	/* one whole value was read, and only space follows */
	JSON_OBJ, JSON_OBJ_END, JSON_ARR, JSON_ARR_END,
	JSON_KEY, JSON_STR, JSON_NUM, JSON_TRUE, JSON_FALSE, JSON_NULL
};

struct json {
	struct str in;		/* private from here */
	size_t pos;
	const char *why;
	unsigned depth;
	bool plain;			/* the last string: no escape in it */
	bool obj[JSON_DEPTH_MAX];	/* or an array */
	uint8_t expect;
};

/* A reader at the start of a text. */
#define JSON(...)		((struct json){ .in = (__VA_ARGS__) })
#define json_open(j, ...)	(*(j) = JSON(__VA_ARGS__))

/* The next token.  *text is its bytes in the input: for a key or string
 * what is between the quotes, still escaped; for a number its digits; for
 * what opens an object or array that one byte. */
enum json_tok json_next(struct json *j, struct str *text);

/* The next value whole, object and array included: *raw is its bytes, a
 * string's with its quotes, fit for json_open and json_put_raw.  Its first
 * token, or JSON_BAD, JSON_END, JSON_OBJ_END, JSON_ARR_END; and where a key
 * is due JSON_KEY, as json_next. */
enum json_tok json_value(struct json *j, struct str *raw);

/* Is in one whole JSON value, without duplicate keys ("a" and "\u0061" are
 * one key)?  0, or -1 with the reason and the byte's offset.  Time grows
 * with in.n; 40 KiB of stack. */
int json_valid(struct str in, struct fail *why);

/* Find a member of the object obj (its raw bytes) by its name, which holds
 * no '"' and no '\'.  Its first token with *raw the whole value as json_value
 * gives it, or JSON_END when it has none, or JSON_BAD when obj is no object. */
enum json_tok json_member(struct str obj, const char *name, struct str *raw);

/* Undo the escapes of a string, with its quotes (json_value, json_member)
 * or without (json_next), into dst, NUL-terminated UTF-8.  0, or -1 (dst is
 * "") if it does not fit, holds U+0000 or is no JSON string. */
int json_unescape(struct str text, char *dst, size_t cap);

/* The key or string that json_next gave last, with its escapes undone: as it
 * stands where there are none, else in room, which needs the string's bytes
 * and one.  0, or -1 as json_unescape. */
int json_meant(const struct json *j, struct str *text, struct buf *room);

/* A member that is a string, unescaped into dst; an integer in [min, max].
 * 1; 0 when there is none; -1 when it is something else.  Without it dst is
 * "", *v untouched: set the default before. */
int json_text(struct str obj, const char *name, char *dst, size_t cap);
int json_number(struct str obj, const char *name, int64_t min, int64_t max,
    int64_t *v);

/* Open a member that is a list, for json_value to give what is in it.  0, or
 * -1: there is none, and json_value gives JSON_BAD. */
int json_list(struct json *j, struct str obj, const char *name);

/* A number's text as an integer in [min, max]: 1e3 and 5.0 are integers.
 * 0, or -1 with *out untouched. */
int json_int(struct str text, int64_t min, int64_t max, int64_t *out);

/* A number's text as json_next gave it, as str_milli. */
int json_milli(struct str text, int64_t *out);

/* The writer.  Each puts a comma first where one is due: after a byte that
 * ends a value, so not at b's start, nor after a space or a newline. */
void json_put(struct buf *b, struct str s);	/* a string */
void json_put_int(struct buf *b, int64_t v);
void json_put_milli(struct buf *b, int64_t v);
void json_put_time(struct buf *b, int64_t ms);	/* ISO 8601; 0: null */
void json_put_raw(struct buf *b, struct str json); /* a whole value */
#define json_put_bool(b, v)	json_put_raw(b, str_of((v) ? "true" : "false"))
#define json_put_null(b)	json_put_raw(b, STR("null"))
#define json_obj(b)		json_put_raw(b, STR("{"))
#define json_obj_end(b)		buf_addc(b, '}')
#define json_arr(b)		json_put_raw(b, STR("["))
#define json_arr_end(b)		buf_addc(b, ']')

/* The name of a member, and b, for its value to follow:
 * json_put_int(json_key(b, "limit"), 20). */
struct buf *json_key(struct buf *b, const char *name);
#define json_add(b, name, ...)	json_put(json_key(b, name), __VA_ARGS__)
#define json_add_int(b, name, v)	json_put_int(json_key(b, name), v)

#endif
