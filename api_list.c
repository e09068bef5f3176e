/* api_list.c: lists: filters, order, pages.  See api.h. */
#include <stdlib.h>

#include "api_impl.h"

enum op { OP_IS, OP_GTE, OP_LT, OP_IN, OP_STARTS };

static const char *const ops[] = { "exact", "gte", "lt", "in",
    "startswith" };

/* What objects are filtered or put in order by: a field of theirs or of the
 * agent they refer to, or a parameter of their type, here a field, too. */
struct by {
	struct field field;
	const struct field *agent;	/* the reference; or NULL: theirs */
	bool param;
};

struct filter {
	struct by by;
	enum op op;
	char value[API_VALUE_MAX];
};

/* The list that is made. */
static struct {
	struct filter filter[API_FILTERS_MAX];
	unsigned filters;
	struct by order;
	bool sorted, down;
	struct object *found[API_SORT_MAX];
	size_t n;
} list;

/* ---- values ---- */

struct value {
	struct str text;		/* NULL: a number */
	int64_t number;
};

/* What a number is compared with: a time, a reference, a word, null. */
static int
wanted_number(const struct field *f, struct str s, int64_t *v)
{
	if (f->type == FIELD_WORD) {
		for (*v = 0; f->words[*v] != NULL; ++*v)
			if (str_is(s, f->words[*v]))
				return 0;
		return -1;
	}
	*v = str_is(s, "true");
	if (*v == 1 || str_is(s, "null") || str_is(s, "false"))
		return 0;
	return f->type == FIELD_TIME ? str_time(s, v) :
	    f->type == FIELD_REF ? model_ref(s, f->ref, (uint64_t *)v) :
	    str_i64(s, INT64_MIN, INT64_MAX, v);
}

/* An object's value: a text as it is kept, or computed in room.  0, or -1:
 * it has none (of a parameter, it is not given). */
static int
value_of(const struct by *by, const struct object *o,
    char room[API_SHOWN_MAX], struct value *v)
{
	const struct field *f = &by->field;
	struct str raw;
	struct buf b;

	*v = (struct value){ .text = STR("") };
	if (by->agent != NULL)
		o = model_get(KIND_AGENT, (uint64_t)model_number(by->agent, o));
	if (o == NULL)
		return 0;
	if (by->param && json_member(str_of(((const struct check *)o)->params),
	    f->name, &raw) < JSON_STR)
		return -1;
	if (model_is_number(f)) {
		v->text.p = NULL;
		if (by->param)
			return str_i64(raw, INT64_MIN, INT64_MAX, &v->number);
		v->number = model_number(f, o);
	} else if (by->param) {
		json_unescape(raw, room, API_SHOWN_MAX);
		v->text = str_of(room);
	} else if (model_is_text(f)) {
		v->text = str_of(*model_text_at(f, o));
	} else {
		buf_init(&b, room, API_SHOWN_MAX);
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

/* The name in a query; hostname: of the agent it refers to.  0, or -1: there
 * is no such field. */
static int
take_by(const struct call *k, const char *name, bool hostname, struct by *by)
{
	static const struct field id = { .name = "id", .type = FIELD_INT,
	    .off = offsetof(struct object, id), .width = sizeof(uint64_t) };
	const struct field *f = strcmp(name, "id") == 0 ? &id :
	    api_field(k, name);
	const struct check_param *p = check_param(k->type, str_of(name));

	if (f != NULL && (f->flags & F_BLIND))
		return -1;		/* or it could be guessed at */
	*by = (struct by){ .param = f == NULL };
	if (hostname) {
		if (f == NULL || f->type != FIELD_REF || f->ref != KIND_AGENT)
			return -1;
		by->agent = f;
		f = model_field(KIND_AGENT, STR("hostname"));
	}
	if (f != NULL)
		by->field = *f;
	else if (p != NULL)
		by->field = (struct field){ .name = p->name, .type =
		    p->type == PARAM_INT ? FIELD_INT : FIELD_TEXT };
	return f == NULL && p == NULL ? -1 : 0;
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

/* "order_by", or a filter: "agent__hostname", "severity__in" ... */
static int
take_param(struct call *k, char *name, const char *value, void *to)
{
	const struct field *order = &list.order.field;
	struct filter *f = &list.filter[list.filters];
	char *word = strstr(name, "__"), *next;
	bool bad = false, hostname = false, id = false;
	struct str rest = str_of(value), one;
	const char *const *op;
	int64_t v;

	(void)to;
	if (strcmp(name, "order_by") == 0) {
		list.sorted = true;
		list.down = value[0] == '-';
		return take_by(k, value + list.down, false, &list.order) == 0 &&
		    order->type != FIELD_BOUNDS && order->type != FIELD_JSON &&
		    order->type < FIELD_STATE ? 0 :
		    api_wrong(k, "order_by", "not by this");
	}
	if (list.filters++ == API_FILTERS_MAX)
		return api_wrong(k, "query", "too many filters");
	f->op = OP_IS;
	/* "hostname" or "id" of what it refers to, and how to compare. */
	for (; word != NULL; word = next) {
		*word = '\0';
		next = strstr(word + 2, "__");
		if (next != NULL)
			*next = '\0';
		op = STR_ROW(ops, str_of(word + 2));
		hostname = hostname || strcmp(word + 2, "hostname") == 0;
		id = id || strcmp(word + 2, "id") == 0;
		if (op != NULL)
			f->op = (enum op)(op - ops);
		/* How to compare comes last. */
		bad = bad || (op != NULL ? next != NULL : hostname == id);
	}
	if (bad || take_by(k, name, hostname, &f->by) == -1 ||
	    (id && f->by.field.type != FIELD_REF))
		return api_wrong(k, name, "cannot be filtered by so");
	str_copy(f->value, sizeof f->value, rest);
	while (model_is_number(&f->by.field) && next_value(f, &rest, &one))
		if (wanted_number(&f->by.field, one, &v) == -1)
			return api_wrong(k, name, "no such value");
	return 0;
}

/* ---- which objects, in which order ---- */

static bool
passes(const struct filter *f, const struct object *o)
{
	bool name = f->by.field.type == FIELD_NAME;
	struct value have, want = { .number = 0 };
	struct str rest = str_of(f->value);
	char room[API_SHOWN_MAX];
	enum status a, b;
	int64_t x, y;
	int sign;

	if (value_of(&f->by, o, room, &have) == -1)
		return false;
	while (next_value(f, &rest, &want.text)) {
		if (have.text.p == NULL)
			wanted_number(&f->by.field, want.text, &want.number);
		/* Names are alike whatever the case. */
		sign = name && str_ieq(have.text, want.text) ? 0 :
		    sign_of(have, want);
		if (status_parse(have.text, &a) == 0 &&
		    status_parse(want.text, &b) == 0)
			sign = (int)a - (int)b;
		/* What is shown as a number is one. */
		if (f->by.field.type == FIELD_SHOW &&
		    str_milli(have.text, &x) == 0 &&
		    str_milli(want.text, &y) == 0)
			sign = (x > y) - (x < y);
		if (f->op == OP_STARTS ? have.text.p != NULL &&
		    str_starts(have.text, want.text) :
		    f->op == OP_GTE ? sign >= 0 :
		    f->op == OP_LT ? sign < 0 : sign == 0)
			return true;
	}
	return false;
}

static void
consider(const struct call *k, struct object *o)
{
	if (list.n == API_SORT_MAX || !api_sees(k, k->kind, o) ||
	    (k->type != NULL && ((struct check *)o)->type != k->type))
		return;
	for (unsigned i = 0; i < list.filters; i++)
		if (!passes(&list.filter[i], o))
			return;
	list.found[list.n++] = o;
}

static int
by_order(const void *x, const void *y)
{
	const struct object *a = *(struct object *const *)x;
	const struct object *b = *(struct object *const *)y;
	char room_a[API_SHOWN_MAX], room_b[API_SHOWN_MAX];
	struct value va, vb;
	int has = value_of(&list.order, a, room_a, &va) -
	    value_of(&list.order, b, room_b, &vb);
	int sign = has != 0 ? has : sign_of(va, vb);

	if (sign == 0)
		sign = a->id < b->id ? -1 : 1;
	return list.down ? -sign : sign;
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
	bool own = k->agent != NULL && k->kind == KIND_CHECK;
	struct api_query page;
	struct object *o;
	struct check *c;

	/* An agent asks for its checks again and again: unchanged is 304. */
	if (own && api_etag(k, k->agent->revision))
		return api_empty(k, 304);
	list.filters = 0;
	list.n = 0;
	list.sorted = list.down = false;
	if (api_query(k, &page, take_param, NULL) == -1)
		return -1;
	if (k->kind == KIND_SETTING)
		model_setting();
	if (k->agent != NULL)
		page.limit = API_LIMIT_MAX;
	/* Its checks are linked: no search through all there are. */
	for (c = own ? k->agent->checks : NULL; c != NULL; c = c->next)
		consider(k, &c->o);
	if (!own)
		MODEL_ALL(o, k->kind)
			consider(k, o);
	if (list.sorted)
		qsort(list.found, list.n, sizeof list.found[0], by_order);
	api_meta(k, &page, (int64_t)list.n, NULL);
	for (size_t i = (size_t)page.offset; i < list.n &&
	    i < (size_t)(page.offset + page.limit); i++)
		api_show(k, list.found[i]);
	return api_meta_end(k);
}
