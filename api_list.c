/* api_list.c: lists: filters, order, pages.  See api.h. */
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"

#define FILTERS_MAX	8
#define SORT_MAX	65536	/* objects that can be put in order */
#define VALUE_MAX	1024	/* bytes of a computed value */

enum op { OP_IS, OP_GTE, OP_LT, OP_IN, OP_STARTS };

static const char *const ops[] = { "exact", "gte", "lt", "in",
    "startswith" };

/* What objects are filtered or put in order by: a field, a parameter of
 * their type, or neither: the id. */
struct by {
	const struct field *field;
	const struct check_param *param;
	bool hostname;			/* of the agent it refers to */
	bool number;			/* not a text */
};

struct filter {
	struct by by;
	enum op op;
	char value[API_VALUE_MAX];
};

struct query {
	struct filter filter[FILTERS_MAX];
	unsigned filters;
	struct by order;
	bool down;
};

static struct object *found[SORT_MAX];
static size_t found_n;
static const struct query *sorted_by;

/* ---- values ---- */

struct value {
	struct str text;		/* NULL: a number */
	int64_t number;
};

/* What a number is compared with: a time, a reference, a word, null. */
static int
wanted_number(const struct by *by, struct str s, int64_t *v)
{
	enum field_type type = by->field == NULL ? FIELD_INT : by->field->type;

	if (type == FIELD_WORD) {
		for (*v = 0; by->field->words[*v] != NULL; ++*v)
			if (str_is(s, by->field->words[*v]))
				return 0;
		return -1;
	}
	*v = str_is(s, "true");
	if (*v == 1 || str_is(s, "null") || str_is(s, "false"))
		return 0;
	if (type == FIELD_TIME)
		return str_time(s, v);
	if (type == FIELD_REF)
		return model_ref(s, by->field->ref, (uint64_t *)v);
	return str_i64(s, INT64_MIN, INT64_MAX, v);
}

/* An object's value: a text as it is kept, or computed in room.  0, or -1:
 * it has none (of a parameter, it is not given). */
static int
value_of(const struct by *by, const struct object *o, char room[VALUE_MAX],
    struct value *v)
{
	const struct field *f = by->field;
	const struct agent *a;
	struct str raw;
	struct buf b;

	*v = (struct value){ .number = (int64_t)o->id };
	if (f != NULL && model_is_number(f))
		v->number = model_number(f, o);
	if (by->param != NULL) {
		if (json_member(str_of(((const struct check *)o)->params),
		    by->param->name, &raw) < JSON_STR)
			return -1;
		if (by->number)
			return str_i64(raw, INT64_MIN, INT64_MAX, &v->number);
		json_unescape(raw, room, VALUE_MAX);
		v->text = str_of(room);
	} else if (by->hostname) {
		a = model_agent((uint64_t)v->number);
		v->text = str_of(a == NULL ? "" : a->hostname);
	} else if (f != NULL && model_is_text(f)) {
		v->text = str_of(*model_text_at(f, o));
	} else if (!by->number) {
		buf_init(&b, room, VALUE_MAX);
		model_show_field(&b, f, o);
		v->text = str_after(str_from(&b), strlen(f->name) + 3);
		if (v->text.n >= 2 && v->text.p[0] == '"')
			v->text = (struct str){ v->text.p + 1, v->text.n - 2 };
	}
	return 0;
}

/* Where one stands against the other: below 0, 0 or above. */
static int
sign_of(struct value a, struct value b)
{
	size_t n = a.text.n < b.text.n ? a.text.n : b.text.n;
	int sign;

	if (a.text.p == NULL)
		return (a.number > b.number) - (a.number < b.number);
	sign = n == 0 ? 0 : memcmp(a.text.p, b.text.p, n);
	return sign != 0 ? sign : (a.text.n > n) - (b.text.n > n);
}

/* ---- the query ---- */

int
api_query(struct call *k, struct api_query *q, api_take *take, void *to)
{
	struct str rest = k->c->head->query, part, name;
	char text[64], value[API_VALUE_MAX];
	int64_t *at;

	*q = (struct api_query){ .limit = API_LIMIT };
	buf_init(&q->again, q->text, sizeof q->text);
	while (http_query(&rest, &name, &part) == 0) {
		if (http_unescape(name, true, text, sizeof text) == -1 ||
		    http_unescape(part, true, value, sizeof value) == -1)
			return api_wrong(k, "query", "not well formed, or too "
			    "long");
		at = strcmp(text, "limit") == 0 ? &q->limit :
		    strcmp(text, "offset") == 0 ? &q->offset : NULL;
		if (at != NULL && str_i64(str_of(value), 0, INT32_MAX, at) ==
		    -1)
			return api_wrong(k, text, "a number from 0");
		if (at != NULL || strcmp(text, "format") == 0 || name.n == 0)
			continue;
		buf_addc(&q->again, '&');
		buf_add(&q->again, name);
		buf_addc(&q->again, '=');
		buf_add(&q->again, part);
		if (q->again.full)
			return api_wrong(k, "query", "too long");
		if (take(k, text, value, to) == -1)
			return -1;
	}
	if (q->limit == 0 || q->limit > API_LIMIT_MAX)
		q->limit = API_LIMIT_MAX;
	return 0;
}

/* The name in a query.  0, or -1: there is no such field. */
static int
take_by(const struct call *k, const char *name, struct by *by)
{
	by->field = model_field(k->kind, str_of(name));
	if (by->field != NULL) {
		by->number = model_is_number(by->field) && !by->hostname;
		return (by->field->flags & F_HIDE) || (k->type != NULL &&
		    by->field->type == FIELD_JSON) ? -1 : 0;
	}
	by->param = check_param(k->type, str_of(name));
	by->number = by->param == NULL || by->param->type == PARAM_INT;
	return by->param != NULL || strcmp(name, "id") == 0 ? 0 : -1;
}

/* What follows a field's name: "hostname" or "id" of what it refers to, and
 * how to compare. */
static int
take_suffix(struct filter *f, const char *word)
{
	const char *const *op = STR_ROW(ops, str_of(word));

	if (op != NULL) {
		f->op = (enum op)(op - ops);
		return 0;
	}
	f->by.hostname = strcmp(word, "hostname") == 0;
	return f->by.hostname || strcmp(word, "id") == 0 ? 0 : -1;
}

/* The next of a filter's values; only `in` has several. */
static bool
next_value(const struct filter *f, struct str *rest, struct str *one)
{
	if (f->op == OP_IN)
		return str_cut(rest, ',', one) == 0;
	*one = *rest;
	*rest = (struct str){ NULL, 0 };
	return one->p != NULL;
}

/* "agent__hostname", "severity__in" ... */
static int
take_filter(struct call *k, struct query *q, char *name, const char *value)
{
	struct filter *f = &q->filter[q->filters];
	char *word = strstr(name, "__"), *next;
	const struct field *fd;
	struct str rest, one;
	bool bad = false;
	int64_t v;

	if (q->filters++ == FILTERS_MAX)
		return api_wrong(k, "query", "too many filters");
	for (; word != NULL; word = next) {
		*word = '\0';
		next = strstr(word + 2, "__");
		if (next != NULL)
			*next = '\0';
		bad = take_suffix(f, word + 2) == -1 || bad;
	}
	bad = take_by(k, name, &f->by) == -1 || bad;
	fd = f->by.field;
	if (bad || (f->by.hostname && (fd == NULL || fd->type != FIELD_REF ||
	    fd->ref != KIND_AGENT)))
		return api_wrong(k, name, "cannot be filtered by so");
	str_copy(f->value, sizeof f->value, str_of(value));
	rest = str_of(f->value);
	while (f->by.number && next_value(f, &rest, &one))
		if (wanted_number(&f->by, one, &v) == -1)
			return api_wrong(k, name, "no such value");
	return 0;
}

static int
take_param(struct call *k, char *name, const char *value, void *to)
{
	struct query *q = to;
	const struct field *f;

	if (strcmp(name, "order_by") != 0)
		return take_filter(k, q, name, value);
	q->order = (struct by){ NULL, NULL, false, false };
	q->down = value[0] == '-';
	if (take_by(k, value + q->down, &q->order) == 0) {
		f = q->order.field;
		if (f == NULL || model_is_number(f) || f->type == FIELD_TEXT ||
		    f->type == FIELD_NAME || f->type == FIELD_TYPE)
			return 0;
	}
	return api_wrong(k, "order_by", "not by this");
}

/* ---- which objects, in which order ---- */

static bool
passes_one(const struct filter *f, struct value have, struct str text)
{
	struct value want = { .text = text };
	bool name = f->by.hostname || (f->by.field != NULL &&
	    f->by.field->type == FIELD_NAME);
	enum status a, b;
	int sign;

	if (f->op == OP_STARTS)
		return have.text.p != NULL && str_starts(have.text, text);
	if (have.text.p == NULL)
		wanted_number(&f->by, text, &want.number);
	/* Names are alike whatever the case. */
	sign = name && str_ieq(have.text, text) ? 0 : sign_of(have, want);
	if (status_parse(have.text, &a) == 0 && status_parse(text, &b) == 0)
		sign = (int)a - (int)b;
	return f->op == OP_GTE ? sign >= 0 : f->op == OP_LT ? sign < 0 :
	    sign == 0;
}

static bool
passes(const struct filter *f, const struct object *o)
{
	struct str rest = str_of(f->value), text;
	char room[VALUE_MAX];
	struct value have;

	if (value_of(&f->by, o, room, &have) == -1)
		return false;
	while (next_value(f, &rest, &text))
		if (passes_one(f, have, text))
			return true;
	return false;
}

static void
consider(const struct call *k, const struct query *q, struct object *o)
{
	unsigned i;

	if (found_n == SORT_MAX || !api_sees(k, k->kind, o) ||
	    (k->type != NULL && ((struct check *)o)->type != k->type))
		return;
	for (i = 0; i < q->filters; i++)
		if (!passes(&q->filter[i], o))
			return;
	found[found_n++] = o;
}

static int
by_order(const void *x, const void *y)
{
	const struct object *a = *(struct object *const *)x;
	const struct object *b = *(struct object *const *)y;
	char room_a[VALUE_MAX], room_b[VALUE_MAX];
	struct value va, vb;
	int has = value_of(&sorted_by->order, a, room_a, &va) -
	    value_of(&sorted_by->order, b, room_b, &vb);
	int sign = has != 0 ? has : sign_of(va, vb);

	if (sign == 0)
		sign = a->id < b->id ? -1 : 1;
	return sorted_by->down ? -sign : sign;
}

/* An agent's own checks are linked: no search through all there are. */
static void
collect(const struct call *k, const struct query *q)
{
	struct object *o;
	struct check *c;

	found_n = 0;
	if (k->role == ROLE_AGENT && k->kind == KIND_CHECK) {
		c = model_agent(k->key->agent)->checks;
		for (; c != NULL; c = c->next)
			consider(k, q, &c->o);
	} else {
		MODEL_ALL(o, k->kind)
			consider(k, q, o);
	}
	sorted_by = q;
	if (q->order.field != NULL || q->order.param != NULL || q->down)
		qsort(found, found_n, sizeof found[0], by_order);
}

/* ---- the list ---- */

/* The page from an offset; below 0: there is none. */
static void
put_page(struct call *k, const char *name, const struct api_query *q,
    int64_t offset)
{
	char uri[1200];
	struct buf u = BUF(uri);

	buf_addf(&u, MODEL_API "%s/?limit=%lld&offset=%lld", k->resource,
	    (long long)q->limit, (long long)offset);
	buf_add(&u, str_from(&q->again));
	if (offset >= 0)
		json_add(k->c->out, name, str_from(&u));
	else
		api_null(k->c->out, name);
}

void
api_meta(struct call *k, const struct api_query *q, int64_t total,
    const char *next)
{
	int64_t after = q->offset + q->limit, before = q->offset - q->limit;
	struct buf *b = k->c->out;

	json_obj(b);
	json_obj(json_key(b, "meta"));
	json_add_int(b, "limit", q->limit);
	json_add_int(b, "offset", q->offset);
	if (next != NULL)
		json_add(b, "next", str_of(next));
	else
		put_page(k, "next", q, after < total ? after : -1);
	put_page(k, "previous", q, q->offset == 0 ? -1 : before < 0 ? 0 :
	    before);
	if (total >= 0)
		json_add_int(b, "total_count", total);
	else
		api_null(b, "total_count");
	json_obj_end(b);
	json_arr(json_key(b, "objects"));
}

int
api_meta_end(struct call *k)
{
	json_arr_end(k->c->out);
	json_obj_end(k->c->out);
	return api_json(k, 200);
}

int
api_list(struct call *k)
{
	struct query q = { .filters = 0 };
	struct api_query page;
	size_t i;

	/* An agent asks for its checks again and again: unchanged is 304. */
	if (k->role == ROLE_AGENT && k->kind == KIND_CHECK &&
	    api_etag(k, model_agent(k->key->agent)->revision))
		return api_empty(k, 304);
	if (api_query(k, &page, take_param, &q) == -1)
		return -1;
	if (k->kind == KIND_SETTING)
		model_setting();
	if (k->role == ROLE_AGENT)
		page.limit = API_LIMIT_MAX;
	collect(k, &q);
	api_meta(k, &page, (int64_t)found_n, NULL);
	for (i = (size_t)page.offset; i < found_n &&
	    i < (size_t)(page.offset + page.limit); i++)
		api_show(k, found[i]);
	return api_meta_end(k);
}
