/* api_list.c: lists: filters, order, pages.  See api.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"

#define FILTERS_MAX	8
#define SORT_MAX	65536	/* objects that can be put in order */

enum op { OP_IS, OP_GTE, OP_LT, OP_IN, OP_STARTS };

static const char *const ops[] = { "exact", "gte", "lt", "in",
    "startswith" };

struct filter {
	const struct field *field;	/* NULL: the id */
	bool hostname;			/* of the agent it refers to */
	enum op op;
	char value[256];
};

struct query {
	struct api_query q;
	struct filter filter[FILTERS_MAX];
	unsigned filters;
	const struct field *order;	/* NULL: by id */
	bool down;
};

static struct sort {
	int64_t number;
	const char *text;
	struct object *o;
} sorted[SORT_MAX];
static bool sort_down;

/* ---- values ---- */

static bool
is_number(const struct filter *f)
{
	return !f->hostname && (f->field == NULL ||
	    model_is_number(f->field));
}

/* What a number is compared with: a time, a reference, a word, null. */
static int
wanted_number(const struct field *f, struct str s, int64_t *v)
{
	uint64_t id;

	if (f != NULL && f->type == FIELD_WORD) {
		for (*v = 0; f->words[*v] != NULL; ++*v)
			if (str_is(s, f->words[*v]))
				return 0;
		return -1;
	}
	*v = str_is(s, "true");
	if (*v == 1 || str_is(s, "null") || str_is(s, "false"))
		return 0;
	if (f != NULL && f->type == FIELD_TIME)
		return str_time(s, v);
	if (f == NULL || f->type != FIELD_REF)
		return str_i64(s, INT64_MIN, INT64_MAX, v);
	if (model_ref(s, f->ref, &id) == -1)
		return -1;
	*v = (int64_t)id;
	return 0;
}

/* A text as it is kept; what is computed as clients see it. */
static struct str
text_of(const struct filter *f, const struct object *o, char *room, size_t cap)
{
	const struct agent *a;
	struct buf b;
	struct str s;

	if (f->hostname) {
		a = model_agent((uint64_t)model_number(f->field, o));
		return str_of(a == NULL ? "" : a->hostname);
	}
	if (model_is_text(f->field))
		return str_of(*model_text_at(f->field, o));
	buf_init(&b, room, cap);
	model_show_field(&b, f->field, o);
	s = str_from(&b);
	s.p += strlen(f->field->name) + 3;
	s.n -= strlen(f->field->name) + 3;
	if (s.n >= 2 && s.p[0] == '"')
		s = (struct str){ s.p + 1, s.n - 2 };
	return s;
}

static int
text_sign(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int sign = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return sign != 0 ? sign : a.n < b.n ? -1 : a.n > b.n;
}

/* ---- the query ---- */

void
api_query(const struct call *k, struct api_query *q)
{
	q->rest = k->c->head->query;
	q->limit = API_LIMIT;
	q->offset = 0;
	buf_init(&q->again, q->text, sizeof q->text);
}

static int
take_number(struct call *k, struct api_query *q, int64_t *at)
{
	if (str_i64(str_of(q->value), 0, INT32_MAX, at) == -1)
		return api_wrong(k, q->name, "a number from 0");
	if (q->limit == 0 || q->limit > API_LIMIT_MAX)
		q->limit = API_LIMIT_MAX;
	return 0;
}

int
api_param(struct call *k, struct api_query *q)
{
	struct str name, value;

	while (http_query(&q->rest, &name, &value) == 0) {
		if (http_unescape(name, true, q->name, sizeof q->name) == -1 ||
		    http_unescape(value, true, q->value, sizeof q->value) ==
		    -1)
			return api_wrong(k, "query", "not well formed, or too "
			    "long");
		if (strcmp(q->name, "limit") == 0 ||
		    strcmp(q->name, "offset") == 0) {
			if (take_number(k, q, q->name[0] == 'l' ? &q->limit :
			    &q->offset) == -1)
				return -1;
		} else if (strcmp(q->name, "format") != 0 && name.n > 0) {
			buf_addc(&q->again, '&');
			buf_add(&q->again, name);
			buf_addc(&q->again, '=');
			buf_add(&q->again, value);
			return q->again.full ? api_wrong(k, "query",
			    "too long") : 1;
		}
	}
	return 0;
}

/* What follows a field's name: "hostname" or "id" of what it refers to, and
 * how to compare. */
static int
take_suffix(struct filter *f, char *word)
{
	unsigned i;

	for (i = 0; i < COUNT(ops); i++)
		if (strcmp(word, ops[i]) == 0) {
			f->op = (enum op)i;
			return 0;
		}
	f->hostname = strcmp(word, "hostname") == 0;
	return f->hostname || strcmp(word, "id") == 0 ? 0 : -1;
}

static bool
may_filter(const struct filter *f, const char *name)
{
	bool ref = f->field != NULL && f->field->type == FIELD_REF;

	if (f->hostname && !(ref && f->field->ref == KIND_AGENT))
		return false;
	return f->field == NULL ? strcmp(name, "id") == 0 :
	    !(f->field->flags & F_HIDE);
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
take_filter(struct call *k, struct query *q)
{
	struct filter *f = &q->filter[q->filters];
	char *word = strstr(q->q.name, "__"), *next;
	struct str rest, one;
	bool bad = q->filters++ == FILTERS_MAX;
	int64_t v;

	if (bad)
		return api_wrong(k, "query", "too many filters");
	*f = (struct filter){ .op = OP_IS };
	for (; word != NULL; word = next) {
		*word = '\0';
		next = strstr(word + 2, "__");
		if (next != NULL)
			*next = '\0';
		bad = take_suffix(f, word + 2) == -1 || bad;
	}
	f->field = model_field(k->kind, str_of(q->q.name));
	if (bad || !may_filter(f, q->q.name))
		return api_wrong(k, q->q.name, "cannot be filtered by so");
	memcpy(f->value, q->q.value, sizeof f->value);
	rest = str_of(f->value);
	while (is_number(f) && next_value(f, &rest, &one))
		if (wanted_number(f->field, one, &v) == -1)
			return api_wrong(k, q->q.name, "no such value");
	return 0;
}

static int
take_order(struct call *k, struct query *q)
{
	const char *name = q->q.value + (q->q.value[0] == '-');

	q->down = name != q->q.value;
	q->order = model_field(k->kind, str_of(name));
	if (strcmp(name, "id") == 0 || (q->order != NULL &&
	    !(q->order->flags & F_HIDE) && (model_is_number(q->order) ||
	    q->order->type == FIELD_TEXT || q->order->type == FIELD_NAME ||
	    q->order->type == FIELD_TYPE)))
		return 0;
	return api_wrong(k, "order_by", "not by this");
}

static int
take_query(struct call *k, struct query *q)
{
	int rc;

	memset(q, 0, sizeof *q);
	api_query(k, &q->q);
	while ((rc = api_param(k, &q->q)) == 1)
		if ((strcmp(q->q.name, "order_by") == 0 ? take_order(k, q) :
		    take_filter(k, q)) == -1)
			return -1;
	return rc;
}

/* ---- does an object pass? ---- */

/* Where it stands against value: -1, 0 or 1. */
static int
sign_of(const struct filter *f, const struct object *o, struct str value)
{
	char room[1024];
	int64_t have, want = 0;
	enum status sa, sb;
	struct str text;

	if (is_number(f)) {
		have = f->field == NULL ? (int64_t)o->id :
		    model_number(f->field, o);
		wanted_number(f->field, value, &want);
		return have < want ? -1 : have > want;
	}
	text = text_of(f, o, room, sizeof room);
	if (status_parse(text, &sa) == 0 && status_parse(value, &sb) == 0)
		return sa < sb ? -1 : sa > sb;
	if (str_ieq(text, value) && (f->hostname ||
	    f->field->type == FIELD_NAME))
		return 0;		/* names are alike whatever the case */
	return text_sign(text, value);
}

static bool
passes_one(const struct filter *f, const struct object *o, struct str value)
{
	char room[1024];
	int sign;

	if (f->op == OP_STARTS)
		return !is_number(f) && str_starts(text_of(f, o, room,
		    sizeof room), value);
	sign = sign_of(f, o, value);
	return f->op == OP_GTE ? sign >= 0 : f->op == OP_LT ? sign < 0 :
	    sign == 0;
}

static bool
passes(const struct filter *f, const struct object *o)
{
	struct str rest = str_of(f->value), value;

	while (next_value(f, &rest, &value))
		if (passes_one(f, o, value))
			return true;
	return false;
}

static bool
wanted(const struct call *k, const struct query *q, const struct object *o)
{
	unsigned i;

	if (!api_sees(k, k->kind, o) || (k->type != NULL &&
	    ((const struct check *)(const void *)o)->type != k->type))
		return false;
	for (i = 0; i < q->filters; i++)
		if (!passes(&q->filter[i], o))
			return false;
	return true;
}

/* ---- order ---- */

static int
by_key(const void *x, const void *y)
{
	const struct sort *a = x, *b = y;
	int sign = a->text != NULL ? strcmp(a->text, b->text) :
	    a->number < b->number ? -1 : a->number > b->number;

	if (sign == 0)
		sign = a->o->id < b->o->id ? -1 : 1;
	return sort_down ? -sign : sign;
}

static void
sort_key(struct sort *s, const struct field *f)
{
	const void *p = f == NULL ? NULL : (const char *)s->o + f->off;

	s->text = NULL;
	if (f == NULL)
		s->number = (int64_t)s->o->id;
	else if (model_is_number(f))
		s->number = model_number(f, s->o);
	else if (f->type == FIELD_TYPE)
		s->text = (*(const struct check_type *const *)p)->name;
	else
		s->text = *model_text_at(f, s->o);
}

/* ---- the list ---- */

static void
put_page(struct call *k, const char *name, bool there,
    const struct api_query *q, int64_t offset)
{
	char uri[1200];
	struct buf u;

	json_key(k->c->out, name);
	buf_init(&u, uri, sizeof uri);
	buf_addf(&u, MODEL_API "%s/?limit=%lld&offset=%lld", k->resource,
	    (long long)q->limit, (long long)offset);
	buf_add(&u, str_from(&q->again));
	if (there)
		json_put(k->c->out, str_from(&u));
	else
		json_put_null(k->c->out);
}

void
api_meta(struct call *k, const struct api_query *q, int64_t total,
    const char *next)
{
	struct buf *b = k->c->out;

	json_key(b, "meta");
	json_obj(b);
	json_add_int(b, "limit", q->limit);
	json_add_int(b, "offset", q->offset);
	if (next != NULL) {
		json_add(b, "next", str_of(next));
	} else {
		put_page(k, "next", q->offset + q->limit < total, q,
		    q->offset + q->limit);
	}
	put_page(k, "previous", q->offset > 0, q, q->offset > q->limit ?
	    q->offset - q->limit : 0);
	json_key(b, "total_count");
	if (total >= 0)
		json_put_int(b, total);
	else
		json_put_null(b);
	json_obj_end(b);
}

/* An agent asks for its checks again and again: unchanged is 304. */
static bool
unchanged(struct call *k)
{
	const struct agent *a;
	char tag[32];

	if (k->role != ROLE_AGENT || k->kind != KIND_CHECK)
		return false;
	a = model_agent(k->key->agent);
	snprintf(tag, sizeof tag, "\"%lld\"", (long long)a->revision);
	buf_addf(&k->c->extra, "ETag: %s\r\n", tag);
	if (!str_is(http_field(k->c->head, "If-None-Match"), tag))
		return false;
	k->c->status = 304;
	k->c->type = NULL;
	return true;
}

/* An agent's own checks are linked: no search through all there are. */
static size_t
collect(const struct call *k, const struct query *q)
{
	bool own = k->role == ROLE_AGENT && k->kind == KIND_CHECK;
	struct check *c = own ? model_agent(k->key->agent)->checks : NULL;
	size_t i, n = 0, all = own ? MODEL_CHECKS_MAX : model_count(k->kind);

	for (i = 0; i < all && n < SORT_MAX; i++) {
		struct object *o = own ? (struct object *)c :
		    model_at(k->kind, i);

		if (o == NULL)
			break;
		if (own)
			c = c->next;
		if (!wanted(k, q, o))
			continue;
		sorted[n].o = o;
		sort_key(&sorted[n++], q->order);
	}
	return n;
}

void
api_list(struct call *k)
{
	struct model_view v = api_view(k);
	struct query q;
	size_t n, i;

	if (unchanged(k) || take_query(k, &q) == -1)
		return;
	if (k->kind == KIND_SETTING)
		model_setting();
	if (k->role == ROLE_AGENT)
		q.q.limit = API_LIMIT_MAX;
	n = collect(k, &q);
	if (q.order != NULL || q.down) {
		sort_down = q.down;
		qsort(sorted, n, sizeof *sorted, by_key);
	}
	json_obj(k->c->out);
	api_meta(k, &q.q, (int64_t)n, NULL);
	json_key(k->c->out, "objects");
	json_arr(k->c->out);
	for (i = (size_t)q.q.offset; i < n &&
	    i - (size_t)q.q.offset < (size_t)q.q.limit; i++)
		model_show(k->c->out, k->kind, sorted[i].o, &v);
	json_arr_end(k->c->out);
	json_obj_end(k->c->out);
	api_json(k, 200);
}
