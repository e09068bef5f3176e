/* model.c: the objects and their heap.  See model.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "model_impl.h"

/* One kind's objects, in the order of their ids. */
static struct table {
	struct object **all;
	size_t n, cap;
	uint64_t next;
} tables[KINDS];

/* Keys by the first bits of their hash, made anew when one was changed. */
static struct key *by_hash[4096];
static bool hashed;

static struct check *beats;	/* the first */

/* How often what agents and checks are called, and so what a parent names,
 * may have changed. */
static uint64_t names_n = 1;

static void *
need(void *p)
{
	assert(p != NULL);	/* out of memory: nothing sane is left to do */
	return p;
}

void
model_text(char **field, struct str s)
{
	char *was = *field, *p = need(malloc(s.n + 1));

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	*field = p;
	free(was);
}

void
model_textf(char **field, const char *fmt, ...)
{
	char text[MODEL_PRINTED_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	model_text(field, str_of(text));
}

/* ---- looking up ---- */

/* Where id is, or would be. */
static size_t
place(const struct table *t, uint64_t id)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->all[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void *
model_get(enum kind k, uint64_t id)
{
	const struct table *t = &tables[k];
	uint64_t first = t->n == 0 ? 0 : t->all[0]->id;
	size_t i = id - first < t->n ? (size_t)(id - first) : 0;

	/* There it is where none was removed before it. */
	if (t->n == 0 || t->all[i]->id != id)
		i = place(t, id);
	return i < t->n && t->all[i]->id == id ? t->all[i] : NULL;
}

size_t
model_count(enum kind k)
{
	return tables[k].n;
}

struct object *
model_at(enum kind k, size_t i)
{
	return i < tables[k].n ? tables[k].all[i] : NULL;
}

uint64_t
model_next_id(enum kind k)
{
	return tables[k].next == 0 ? 1 : tables[k].next;
}

void
model_used_id(enum kind k, uint64_t id)
{
	if (id >= tables[k].next)
		tables[k].next = id + 1;
}

struct setting *
model_setting(void)
{
	if (tables[KIND_SETTING].n == 0)
		model_install(KIND_SETTING, model_draft(KIND_SETTING, NULL),
		    NULL);
	return (struct setting *)tables[KIND_SETTING].all[0];
}

struct object *
model_named(enum kind k, struct str name)
{
	struct object *o;

	MODEL_ALL(o, k)
		if (str_ieq(str_of(*model_text_at(model_kinds[k].field, o)),
		    name))
			break;
	return o;
}

struct check *
model_check_named(const struct agent *a, struct str name)
{
	struct check *c;

	for (c = a->checks; c != NULL; c = c->next)
		if (str_ieq(str_of(c->name), name))
			return c;
	return NULL;
}

int
model_place(struct str name, struct agent **a, struct check **c)
{
	struct str host;

	*c = NULL;
	(void)str_cut(&name, '/', &host);
	*a = model_agent_named(host);
	if (*a == NULL || name.p == NULL)
		return *a == NULL ? -1 : 0;
	*c = model_check_named(*a, name);
	return *c == NULL ? -1 : 0;
}

int
model_parent(struct agent *of, struct agent **a, struct check **c)
{
	if (of->parent[0] == '\0')
		return -1;
	if (of->above_of != names_n) {
		of->above_of = names_n;
		memset(of->above, 0, sizeof of->above);
		if (model_place(str_of(of->parent), a, c) == 0) {
			of->above[0] = (*a)->o.id;
			of->above[1] = *c == NULL ? 0 : (*c)->o.id;
		}
	}
	*a = model_agent(of->above[0]);
	*c = model_check_by_id(of->above[1]);
	return *a == NULL ? -1 : 0;
}

static struct key **
keys_like(const unsigned char hash[KEY_HASH])
{
	return &by_hash[(hash[0] | (unsigned)hash[1] << 8) % COUNT(by_hash)];
}

struct key *
model_key(struct str secret)
{
	unsigned char hash[KEY_HASH];
	char hex[2 * KEY_HASH + 1];
	struct key *k;

	if (!hashed) {
		memset(by_hash, 0, sizeof by_hash);
		MODEL_ALL(k, KIND_KEY)
			if (str_unhex(str_of(k->hash), hash, KEY_HASH) == 0) {
				k->next = *keys_like(hash);
				*keys_like(hash) = k;
			}
		hashed = true;
	}
	key_hash(secret, hash);
	str_hex(hex, hash, sizeof hash);
	/* All that are there have as many digits. */
	for (k = *keys_like(hash); k != NULL; k = k->next)
		if (key_same((const unsigned char *)hex,
		    (const unsigned char *)k->hash, sizeof hex - 1))
			break;
	return k;
}

struct check *
model_beats(void)
{
	return beats;
}

struct check *
model_beat(struct str path)
{
	struct check *c;

	for (c = beats; c != NULL; c = c->beats)
		if (strlen(c->beat) == path.n && path.n > 0 &&
		    key_same((const unsigned char *)c->beat,
		    (const unsigned char *)path.p, path.n))
			break;
	return c;
}

/* ---- what follows from an object ---- */

int64_t
model_interval(const struct check *c)
{
	return c->interval_ms != 0 ? c->interval_ms :
	    c->agent->check_interval_ms;
}

int64_t
model_late_after_ms(const struct agent *a)
{
	int64_t ms = 3 * a->check_interval_ms;

	return a->late_after_s != 0 ? a->late_after_s * 1000 :
	    ms < 30000 ? 30000 : ms;
}

enum status
model_agent_status(const struct agent *a)
{
	enum status worst = a->state == AGENT_NEVER ? STATUS_NONE : STATUS_OK;
	const struct check *c;

	if (a->state == AGENT_SILENT)
		return STATUS_CRITICAL;
	for (c = a->checks; c != NULL; c = c->next)
		if (c->enabled && c->alert.held != STATUS_NONE &&
		    (c->alert.held > worst || worst == STATUS_NONE))
			worst = c->alert.held;
	return worst;
}

static void
read_bounds(struct alert_list *l, const char *text)
{
	struct str rest = str_of(text), line;
	struct fail why;

	while (rest.n > 0 && l->n < ALERT_BOUNDS_MAX &&
	    str_cut(&rest, '\n', &line) == 0)
		if (alert_bound_parse(line, &l->bound[l->n], &why) == 0)
			l->n++;
}

int
model_rule(const struct check *c, struct alert_rule *r)
{
	*r = (struct alert_rule){ .for_ms = c->for_s * 1000,
	    .hits = (unsigned)c->hits, .of = (unsigned)c->of };
	read_bounds(&r->warn, c->warn);
	read_bounds(&r->crit, c->crit);
	read_bounds(&r->clear, c->clear);
	return check_rule(c->type, str_of(c->params), r);
}

void
model_check_text(struct buf *b, const struct check *c)
{
	const struct alert_bound *bound;
	struct alert_rule rule;
	struct alert_result res = { .at_ms = c->last_result,
	    .given = STATUS_NONE, .has_value = c->has_value,
	    .value = c->value };

	if (c->last_result == 0)
		return;
	model_rule(c, &rule);
	alert_judge(&rule, &res, &bound);
	if (c->alert.held == STATUS_OK)
		bound = NULL;		/* it has not lasted yet */
	check_text(b, c->type, &rule, &res, bound, str_of(c->message));
	if (c->alert.flaps)
		buf_addz(b, " (flapping)");
}

bool
model_item(struct str *rest, struct model_item *i)
{
	struct str one, number, status;
	bool two;

	do {
		if (str_cut(rest, ']', &one) == -1)
			return false;
		one = str_after(one, str_span(one, "[,"));
		(void)str_cut(&one, ',', &number);
		(void)str_cut(&one, ',', &status);
		two = one.p != NULL;
		if (str_u64(number, 1, UINT64_MAX, &i->first) == -1)
			continue;
		i->last = i->first;
		if (two && str_u64(status, i->first, i->first +
		    MODEL_ITEM_MAX, &i->last) == -1)
			continue;
		status = two ? one : status;
		if (status.n > 2 && status_parse((struct str){ status.p + 1,
		    status.n - 2 }, &i->status) == 0)
			return true;
	} while (rest->p != NULL);
	return false;
}

uint64_t
model_item_id(struct str *rest, struct model_item *i)
{
	if (i->first != i->last)
		return ++i->first;
	return model_item(rest, i) ? i->first : 0;
}

void
model_item_put(struct buf *b, const struct model_item *i)
{
	buf_addz(b, b->n == 0 ? "[[" : ",[");
	buf_addu(b, i->first);
	if (i->last > i->first) {
		buf_addc(b, ',');
		buf_addu(b, i->last);
	}
	buf_addz(b, ",\"");
	buf_addz(b, status_name(i->status));
	buf_addz(b, "\"]");
}

enum status
model_delivery_says(const struct delivery *d, uint64_t incident)
{
	enum status last = STATUS_NONE;
	struct str rest = str_of(d->items);
	struct model_item i;

	while (model_item(&rest, &i))
		if (i.first <= incident && incident <= i.last)
			last = i.status;
	return last;
}

/* An incident remembers which deliveries it is in. */
static void
say(struct incident *in, const struct delivery *d)
{
	unsigned i = in->said_n;

	while (i > 0 && in->said[i - 1].delivery != d->o.id)
		i--;
	if (i > 0)
		return;
	in->said = need(realloc(in->said, (in->said_n + 1) *
	    sizeof *in->said));
	in->said[in->said_n++] = (struct said){ d->o.id, d->recipient };
}

static void
link_delivery(const struct delivery *d)
{
	struct str rest = str_of(d->items);
	struct model_item i = { .first = 0 };
	struct incident *in;
	uint64_t id;

	while ((id = model_item_id(&rest, &i)) != 0)
		if ((in = model_incident(id)) != NULL)
			say(in, d);
}

/* ---- drafts ---- */

void *
model_draft(enum kind k, const void *of)
{
	struct object *o = need(calloc(1, model_kinds[k].size));
	const struct field *f;
	struct str text;

	if (of != NULL)
		memcpy(o, of, model_kinds[k].size);
	if (k == KIND_INCIDENT)
		((struct incident *)o)->said = NULL;
	else if (of == NULL && k == KIND_CHECK)
		alert_reset(&((struct check *)o)->alert);
	MODEL_EACH(f, k)
		if (model_is_text(f)) {
			text = str_of(*model_text_at(f, o));
			*model_text_at(f, o) = NULL;
			model_text(model_text_at(f, o), text);
		} else if (of == NULL && model_is_number(f)) {
			model_put_number(f, o, f->def);
		}
	return o;
}

void
model_drop(enum kind k, void *draft)
{
	const struct field *f;

	if (draft == NULL)
		return;
	MODEL_EACH(f, k)
		if (model_is_text(f))
			free(*model_text_at(f, draft));
	if (k == KIND_INCIDENT)
		free(((struct incident *)draft)->said);
	free(draft);
}

/* ---- installing ---- */

static struct check **
link_of_beat(const struct check *c)
{
	struct check **at = &beats;

	while (*at != NULL && *at != c)
		at = &(*at)->beats;
	return at;
}

/* Where a check is in its agent's list, or would be. */
static struct check **
link_of(const struct check *c)
{
	struct check **at = &c->agent->checks;

	while (*at != NULL && (*at)->o.id < c->o.id)
		at = &(*at)->next;
	return at;
}

/* The open incident is remembered where it belongs. */
static void
link_incident(const struct incident *in)
{
	struct check *c = model_check_by_id(in->check);
	struct agent *a = model_agent(in->agent);
	uint64_t *at = in->check == 0 && a != NULL ? &a->incident :
	    c != NULL ? &c->incident : NULL;

	if (at != NULL && in->closed == 0)
		*at = in->o.id;
	else if (at != NULL && *at == in->o.id)
		*at = 0;
}

/* That is with the live one alone. */
static void
keep_said(struct incident *live, struct incident *old)
{
	live->said = old->said;
	live->said_n = old->said_n;
	old->said = NULL;
}

/* Read the hours of an object that has some; which its check has taken, but
 * the file of a zone may be gone since. */
static void
read_hours(enum kind k, struct object *o)
{
	struct recipient *r = (struct recipient *)o;
	struct silence *s = (struct silence *)o;
	struct hours *h = k == KIND_RECIPIENT ? &r->when : &s->when;
	const struct setting *set = model_get(KIND_SETTING, 1);
	struct fail why;

	h->n = 0;
	(void)hours_parse(str_of(k == KIND_RECIPIENT ? r->hours : s->weekly),
	    set == NULL ? "" : set->zone, h, &why);
}

void
model_zone(void)
{
	struct object *o;

	MODEL_ALL(o, KIND_RECIPIENT)
		read_hours(KIND_RECIPIENT, o);
	MODEL_ALL(o, KIND_SILENCE)
		read_hours(KIND_SILENCE, o);
}

void *
model_install(enum kind k, void *draft, struct object **was)
{
	struct object *o = draft, *live = model_get(k, o->id), *old = NULL;
	struct table *t = &tables[k];
	struct check *c;
	size_t i;

	if (live != NULL) {
		/* Others point at it: its contents change, not its place. */
		old = need(malloc(model_kinds[k].size));
		memcpy(old, live, model_kinds[k].size);
		memcpy(live, o, model_kinds[k].size);
		if (k == KIND_INCIDENT)
			keep_said((struct incident *)live,
			    (struct incident *)old);
		free(o);
	} else {
		live = o;
		if (o->id == 0)
			o->id = model_next_id(k);
		model_used_id(k, o->id);
		i = place(t, o->id);
		if (t->n == t->cap) {
			t->cap = t->cap == 0 ? 16 : t->cap * 2;
			t->all = need(realloc(t->all,
			    t->cap * sizeof *t->all));
		}
		memmove(t->all + i + 1, t->all + i,
		    (t->n - i) * sizeof *t->all);
		t->all[i] = o;
		t->n++;
	}
	c = (struct check *)live;
	if (k == KIND_CHECK && old == NULL) {
		c->agent = model_agent(c->agent_id);
		assert(c->agent != NULL);
		c->next = *link_of(c);
		*link_of(c) = c;
		if (check_is_beat(c->type)) {
			c->beats = beats;
			beats = c;
		}
	}
	if (k == KIND_CHECK)	/* each of its results asks for its rule */
		(void)model_rule(c, &c->rule);
	if (k == KIND_INCIDENT)
		link_incident((struct incident *)live);
	if (k == KIND_DELIVERY)
		link_delivery((struct delivery *)live);
	if (k == KIND_RECIPIENT || k == KIND_SILENCE)
		read_hours(k, live);
	/* Who may be meant by a name, or have changed it? */
	if (k == KIND_AGENT || k == KIND_CHECK)
		names_n += old == NULL || !model_same_all(k, F_WRITE, old,
		    live);
	hashed = hashed && k != KIND_KEY;
	if (was != NULL)
		*was = old;
	else
		model_drop(k, old);
	return live;
}

void *
model_remove(enum kind k, uint64_t id)
{
	struct table *t = &tables[k];
	size_t i = place(t, id);
	struct object *o = t->all[i];

	assert(i < t->n && o->id == id);
	memmove(t->all + i, t->all + i + 1, (t->n - i - 1) * sizeof *t->all);
	t->n--;
	if (k == KIND_CHECK)
		*link_of((struct check *)o) = ((struct check *)o)->next;
	if (k == KIND_CHECK && check_is_beat(((struct check *)o)->type))
		*link_of_beat((struct check *)o) = ((struct check *)o)->beats;
	hashed = hashed && k != KIND_KEY;
	names_n++;
	return o;
}

void
model_revert(enum kind k, struct object *live, struct object *was)
{
	struct check *c = (struct check *)live;
	const struct field *f;
	unsigned char value[sizeof(int64_t)];

	MODEL_EACH(f, k) {
		if (f->flags & F_STATE)
			continue;
		assert(f->width <= sizeof value);
		memcpy(value, model_value_at(f, live), f->width);
		memcpy(model_value_at(f, live), model_value_at(f, was),
		    f->width);
		memcpy(model_value_at(f, was), value, f->width);
	}
	if (k == KIND_CHECK)
		(void)model_rule(c, &c->rule);
}

void
model_reset(void)
{
	enum kind k;

	for (k = 0; k < KINDS; k++) {
		while (tables[k].n > 0)
			model_drop(k, tables[k].all[--tables[k].n]);
		free(tables[k].all);
	}
	memset(tables, 0, sizeof tables);
	hashed = false;
	beats = NULL;
}
