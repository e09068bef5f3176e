/* api_why.c: why somebody was told at a time, or nobody: GET check/ID/why/.
 * See api.h.
 *
 *	begin                      at_ms                              now
 *	|-- the journal: told of --|-- undone; of the incident: told --|
 *
 * A record of the journal has what was before it.  So an object as it was at
 * a time is the live one with, of each field, the first old value since then.
 * How the rules stood is not in the journal, but follows from history.  In one
 * call so many records are read as the loop has time for; next is how to go
 * on, the numbers of the records that undid something included.
 */
#include <stdio.h>

#include "api_impl.h"

#define PASTS_MAX	64	/* objects looked at */
#define UNDID_MAX	64	/* records that go on to the next call */
#define PROBES_MAX	64	/* numbers in a row that may be no records */
#define TEXT_MAX	1024	/* bytes of one text */

enum { CHECK, AGENT, INCIDENT, FIXED };

/* An object as it was. */
struct past {
	enum kind kind;
	struct object *was;		/* a draft; NULL: there is none */
	uint64_t set;			/* its fields that were undone */
	int64_t lifted_ms;		/* when held_by was another; or 0 */
	bool absent;			/* it was made later */
};

struct why {
	int64_t at_ms;
	int64_t begin_ms, end_ms;	/* of what is told of the journal */
	uint64_t n, next;		/* the first record; where it goes on */
	uint64_t undid[UNDID_MAX];
	unsigned undid_n, pasts;
	bool lost;			/* more undid something */
	int64_t kept_ms;		/* the journal's oldest, or 0 */
	struct past past[PASTS_MAX];	/* those of the enum, recipients */
	struct check *c;		/* as it was */
	struct agent *a;
	struct incident *in;		/* of either, or NULL */
	struct api_stand stand;
	struct store_row row;		/* the newest result, */
	bool any;			/* if there is one */
};

/* One of the journal. */
struct record {
	uint64_t n;
	int64_t at_ms;
	struct str new;			/* {}: it removes */
	bool made;			/* the object, which was not there */
	enum kind kind;
	const struct delivery *d;	/* that it is of, or NULL */
	char by[TEXT_MAX];
};

static void
put_time(struct buf *b, const char *before, int64_t ms)
{
	buf_addz(b, before);
	buf_time_human(b, ms);
}

static const char *
text_of(struct str obj, const char *name, char text[TEXT_MAX])
{
	(void)json_text(obj, name, text, TEXT_MAX);
	return text;
}

/* ---- what it was ---- */

static void
add_past(struct why *w, enum kind kind, const void *live)
{
	struct past *p = &w->past[w->pasts++];

	p->kind = kind;
	p->was = live == NULL ? NULL : model_draft(kind, live);
}

/* The one that a record is about, or NULL.  A recipient may be gone since
 * (later: so that there was one). */
static struct past *
find_past(struct why *w, enum kind kind, uint64_t id, bool later)
{
	struct past *p;

	for (p = w->past; p < w->past + w->pasts; p++)
		if (p->was != NULL && p->kind == kind && p->was->id == id)
			return p;
	if (!later || kind != KIND_RECIPIENT || w->pasts == PASTS_MAX ||
	    model_recipient(id) != NULL)
		return NULL;
	p->kind = kind;
	p->was = model_draft(kind, NULL);
	p->was->id = id;
	w->pasts++;
	return p;
}

/* Take back a record that came later.  Did anything of it count? */
static bool
undo(struct past *p, struct str line)
{
	struct str raw, key;
	struct json j;
	const struct field *f;
	enum json_tok tok;
	struct fail why;
	uint64_t bit;
	bool did = false;

	if (json_member(line, "old", &raw) != JSON_OBJ) {
		p->absent = true;
		return true;
	}
	json_open(&j, raw);
	(void)json_next(&j, &key);
	while (json_next(&j, &key) == JSON_KEY) {
		f = model_field(p->kind, key);
		tok = json_value(&j, &raw);
		bit = f == NULL ? 0 : UINT64_C(1) <<
		    (f - model_kinds[p->kind].field);
		if (bit == 0 || (p->set & bit) || f->type >= FIELD_STATE ||
		    model_set(p->kind, p->was, f, tok, raw, &why) == -1)
			continue;
		p->set |= bit;
		did = true;
	}
	return did;
}

/* The incident that there was of a check, or of its agent. */
static const struct incident *
find_incident(const struct check *c, int64_t at_ms)
{
	const struct incident *in, *best = NULL;

	MODEL_ALL(in, KIND_INCIDENT)
		if (in->opened <= at_ms &&
		    (in->closed == 0 || in->closed > at_ms) &&
		    in->agent == c->agent_id && (in->check == c->o.id ||
		    (in->check == 0 && best == NULL &&
		    !check_is_beat(c->type))))
			best = in;
	return best;
}

/* ---- the journal ---- */

/* Record n, or the first after it that there is, below end; its time.  -1:
 * there is none. */
static int64_t
time_at(uint64_t *n, uint64_t end)
{
	char text[TEXT_MAX];
	unsigned probes = 0;
	struct fail why;
	struct str line;
	int64_t ms;

	for (; *n < end && probes < PROBES_MAX; ++*n, probes++)
		if (store_journal_read(api_the_store, *n, &line, &why) == 1 &&
		    str_time(str_of(text_of(line, "at", text)), &ms) == 0)
			return ms;
	return -1;
}

/* The first record that is not before a time.  A clock that was set back is
 * no reason to search for long. */
static uint64_t
search(int64_t ms, uint64_t low, uint64_t high)
{
	uint64_t mid, n;
	int64_t got;

	while (low < high) {
		n = mid = low + (high - low) / 2;
		got = time_at(&n, high);
		if (got == -1 || got >= ms)
			high = mid;
		else
			low = n + 1;
	}
	return low;
}

/* What a record says of a check or of its agent. */
static void
tell_place(struct buf *b, const struct why *w, const struct record *r)
{
	static const char *const rule[] = { API_RULE };
	bool agent = r->kind == KIND_AGENT, changed = false;
	const char *what = agent ? "the agent" : w->c->name;
	char text[TEXT_MAX];
	struct str raw;
	enum json_tok tok;

	if (r->made) {
		buf_addf(b, "%s was added by %s", what, r->by);
		return;
	}
	if (json_text(r->new, "state", text, sizeof text) == 1)
		buf_addf(b, "%s is %s", what, text);
	tok = json_member(r->new, "held_by", &raw);
	if (tok == JSON_STR || tok == JSON_NULL)
		buf_addf(b, "%s%s is held back%s%s", b->n > 0 ? "; " : "", what,
		    tok == JSON_STR ? ": " : " no longer",
		    text_of(r->new, "held_by", text));
	tok = json_member(r->new, "enabled", &raw);
	if (tok == JSON_TRUE || tok == JSON_FALSE)
		buf_addf(b, "%s%s was %sabled by %s", b->n > 0 ? "; " : "",
		    what, tok == JSON_TRUE ? "en" : "dis", r->by);
	for (unsigned i = 0; i < COUNT(rule) && !agent; i++)
		changed = changed || json_member(r->new, rule[i], &raw) !=
		    JSON_END;
	if (changed)
		buf_addf(b, "%sthe rule was changed by %s", b->n > 0 ? "; " :
		    "", r->by);
}

static void
tell_incident(struct buf *b, const struct why *w, const struct record *r)
{
	char text[TEXT_MAX];
	struct str raw;

	if (json_text(r->new, "text", text, sizeof text) == 1)
		buf_addf(b, "incident %llu%s: %s",
		    (unsigned long long)w->in->o.id, r->made ? " opens" : "",
		    text);
	if (r->made)
		return;
	if (json_text(r->new, "acknowledged_by", text, sizeof text) == 1)
		buf_addf(b, "%sacknowledged by %s", b->n > 0 ? "; " : "", text);
	else if (json_member(r->new, "acknowledged", &raw) == JSON_NULL)
		buf_addz(b, "acknowledged no longer");
	if (text_of(r->new, "comment", text)[0] != '\0')
		buf_addf(b, ": %s", text);
}

/* How an attempt ended. */
static void
tell_outcome(struct buf *b, const struct record *r)
{
	char text[TEXT_MAX];
	int64_t ms;

	buf_addf(b, ": %s", json_text(r->new, "last_error", text,
	    sizeof text) == 1 ? text : "as before");
	if (str_time(str_of(text_of(r->new, "next", text)), &ms) == 0)
		put_time(b, "; again at ", ms);
}

static void
tell_delivery(struct buf *b, const struct record *r)
{
	const struct recipient *to = model_recipient(r->d->recipient);
	char state[TEXT_MAX], text[TEXT_MAX];
	int64_t attempt = 0, code = 0, ms;
	size_t begin;

	buf_addf(b, "%s: ", to == NULL ? "(removed)" : to->name);
	begin = b->n;
	(void)text_of(r->new, "state", state);
	(void)json_number(r->new, "attempts", 0, INT32_MAX, &attempt);
	(void)json_number(r->new, "code", 0, 999, &code);
	if (r->made)
		buf_addf(b, "queued: %s", text_of(r->new, "title", text));
	else if (attempt > 0)
		buf_addf(b, "attempt %lld", (long long)attempt);
	else if (strcmp(state, "queued") == 0)
		buf_addz(b, "not delivered");
	else if (state[0] != '\0')
		buf_addz(b, state);
	else if (str_time(str_of(text_of(r->new, "seen", text)), &ms) == 0)
		buf_addf(b, "seen by %s", text_of(r->new, "device", text));
	else if (json_text(r->new, "title", text, sizeof text) == 1)
		buf_addf(b, "now says: %s", text);
	else if (str_time(str_of(text_of(r->new, "next", text)), &ms) == 0)
		put_time(b, "waits until ", ms);
	if (code != 0)
		buf_addf(b, " (code %d)", (int)code);
	if (json_text(r->new, "request", text, sizeof text) == 1)
		buf_addf(b, ", id %s", text);
	if (!r->made && (strcmp(state, "queued") == 0 ||
	    strcmp(state, "given up") == 0))
		tell_outcome(b, r);
	if (b->n == begin)
		b->n = 0;
}

/* Tell of a record, if it says anything of this. */
static void
tell(struct buf *out, const struct why *w, const struct record *r)
{
	char text[3 * TEXT_MAX];
	struct buf b = BUF(text);

	if (r->d != NULL)
		tell_delivery(&b, r);
	else if (r->kind == KIND_INCIDENT)
		tell_incident(&b, w, r);
	else if (r->kind != KIND_RECIPIENT && r->at_ms <= w->end_ms)
		tell_place(&b, w, r);
	if (b.n == 0)
		return;
	json_obj(out);
	json_put_time(json_key(out, "at"), r->at_ms);
	json_add_int(out, "event", (int64_t)r->n);
	json_add(out, "text", str_from(&b));
	json_obj_end(out);
}

/* Who made it, by name. */
static void
set_by(struct record *r, struct str line)
{
	static const struct str key = { "key:", 4 };
	struct str by = str_of(text_of(line, "by", r->by));
	const struct key *k;
	uint64_t id;

	if (!str_starts(by, key) ||
	    str_u64(str_after(by, key.n), 1, INT64_MAX, &id) == -1)
		return;
	k = model_get(KIND_KEY, id);
	if (k != NULL)
		(void)str_copy(r->by, sizeof r->by, str_of(k->name));
}

/* It came later: it is undone. */
static void
take_back(struct why *w, struct past *p, const struct record *r,
    struct str line)
{
	struct str raw;

	if (!undo(p, line))
		return;
	if (p->lifted_ms == 0 &&
	    json_member(r->new, "held_by", &raw) != JSON_END)
		p->lifted_ms = r->at_ms;
	w->lost = w->lost || w->undid_n == UNDID_MAX;
	if (w->undid_n < UNDID_MAX)
		w->undid[w->undid_n++] = r->n;
}

/* Record n: undone, if it came later, and told of (out NULL: it was). */
static void
take(struct buf *out, struct why *w, uint64_t n, struct str line)
{
	struct record r = { .n = n };
	char text[TEXT_MAX];
	struct str id = str_of(text_of(line, "object", text)), name, raw;
	struct past *p;
	uint64_t number;
	bool later;

	if (str_cut(&id, '/', &name) == -1 ||
	    model_kind(name, &r.kind) == -1 ||
	    str_u64(id, 1, INT64_MAX, &number) == -1)
		return;
	if (r.kind == KIND_DELIVERY && w->in != NULL)
		r.d = model_delivery(number);
	if (r.d != NULL && model_delivery_says(r.d, w->in->o.id) == STATUS_NONE)
		r.d = NULL;
	if (str_time(str_of(text_of(line, "at", text)), &r.at_ms) == -1)
		return;
	later = r.at_ms > w->at_ms;
	p = find_past(w, r.kind, number, later);
	if (p == NULL && r.d == NULL)
		return;
	r.made = json_member(line, "old", &raw) != JSON_OBJ;
	if (json_member(line, "new", &r.new) != JSON_OBJ)
		r.new = STR("{}");
	set_by(&r, line);
	if (p != NULL && later)
		take_back(w, p, &r, line);
	if (out != NULL && r.at_ms >= w->begin_ms)
		tell(out, w, &r);
}

/* As much of the journal as there is time for.  0 or -1. */
static int
read_journal(struct buf *out, struct why *w, struct fail *why)
{
	uint64_t last = store_journal_n(api_the_store, NULL), n;
	unsigned did = w->undid_n, i;
	struct str line;
	int rc = 0;

	w->lost = did == UNDID_MAX;	/* there may have been more */
	w->undid_n = 0;			/* they are found again */
	for (i = 0; i < did && rc != -1; i++)
		if ((rc = store_journal_read(api_the_store, w->undid[i], &line,
		    why)) == 1)
			take(NULL, w, w->undid[i], line);
	for (n = w->n; n <= last && n - w->n < API_WHY && rc != -1 &&
	    out->n < API_REPLAY_BYTES; n++)
		if ((rc = store_journal_read(api_the_store, n, &line, why)) ==
		    1)
			take(out, w, n, line);
	w->next = n <= last ? n : 0;
	return rc == -1 ? -1 : 0;
}

/* ---- what the rule made of it ---- */

/* The newest result at that time, and how the rules stood.  0 or -1. */
static int
look_at_history(struct why *w, struct fail *why)
{
	struct store_query ask = { .check = w->c->o.id,
	    .source = w->c->agent_id, .to_ms = w->at_ms, .down = true,
	    .limit = 1 };
	int rc;

	(void)model_rule(w->c, &w->c->rule);
	if (api_stand(w->c, w->at_ms, &w->stand, why) == -1 ||
	    store_rows(api_the_store, &ask, why) == -1)
		return -1;
	rc = store_row_next(api_the_store, &w->row, why);
	w->any = rc == 1;
	return rc == -1 ? -1 : 0;
}

static void
put_measured(struct buf *b, const struct why *w)
{
	const struct store_result *r = &w->row.r;
	char text[TEXT_MAX];
	struct buf t = BUF(text);

	json_key(b, "measured");
	if (!w->any) {
		json_put_null(b);
		return;
	}
	watch_how(&t, w->c, r);
	buf_addf(&t, " (%s), ", status_name((enum status)r->code));
	buf_duration(&t, w->at_ms - r->at_ms);
	buf_addz(&t, " before");
	if (r->late)
		buf_addz(&t, "; it came late, and did not count");
	if (w->row.span_ms > 0)
		buf_addf(&t, "; the mean of %llu results",
		    (unsigned long long)w->row.count);
	json_obj(b);
	json_add(b, "text", str_from(&t));
	json_put_bool(json_key(b, "late"), r->late);
	json_key(b, "result");
	api_show_result(b, r, &w->row);
	json_obj_end(b);
}

/* Of a signal that may be about to change: since when, and what it takes. */
static bool
put_signal(struct buf *b, const struct why *w, enum status of_status)
{
	const struct alert_signal *g = w->stand.st.signal + of_status - 1;
	const struct alert_rule *r = &w->c->rule;
	bool unknown = of_status == STATUS_UNKNOWN;
	int64_t for_ms = unknown ? ALERT_UNKNOWN_MS : r->for_ms;
	unsigned bad = unknown || r->of < 2 ? 0 : alert_bad(g->bits, r->of);

	if (g->since_ms == 0 && (bad == 0 || g->on))
		return false;
	buf_addf(b, "%s%s", b->n > 0 ? "; " : "", g->on ? "better" :
	    status_name(of_status));
	if (g->since_ms != 0)
		put_time(b, " since ", g->since_ms);
	if (for_ms > 0 && g->since_ms != 0) {
		buf_addz(b, ", which must last ");
		buf_duration(b, for_ms);
	}
	if (bad > 0)
		buf_addf(b, ", %u of the last %u, and %u are enough", bad,
		    r->of, r->hits);
	return true;
}

static void
put_fields(struct buf *b, const struct past *p, const char *const *name,
    size_t n)
{
	for (; n > 0; n--)
		model_show_field(b, model_field(p->kind, str_of(*name++)),
		    p->was);
}

static void
put_counted(struct buf *b, const struct why *w)
{
	static const char *const fields[] = { API_RULE, "enabled",
	    "held_by" };
	const struct alert_state *st = &w->stand.st;
	char text[TEXT_MAX];
	struct buf t = BUF(text);

	if (st->flaps)
		buf_addf(&t, "flapping, held at %s", status_name(st->held));
	if (!put_signal(&t, w, STATUS_CRITICAL))
		(void)put_signal(&t, w, STATUS_WARNING);
	(void)put_signal(&t, w, STATUS_UNKNOWN);
	json_obj(json_key(b, "counted"));
	json_add(b, "text", str_from(&t));
	json_add(b, "status", str_of(status_name(st->held)));
	json_put_time(json_key(b, "since"), st->since_ms);
	json_put_bool(json_key(b, "flapping"), st->flaps);
	put_fields(b, &w->past[CHECK], fields, COUNT(fields));
	json_obj_end(b);
}

/* ---- who was told, and why not ---- */

/* What became of a delivery. */
static void
put_fate(struct buf *b, const struct delivery *d, int64_t at_ms)
{
	if (d->sent != 0) {
		put_time(b, d->sent > at_ms ? "was told only later, at " :
		    "was told at ", d->sent);
		buf_addz(b, " (accepted");
		if (d->request[0] != '\0')
			buf_addf(b, ", id %s", d->request);
		if (d->seen != 0)
			put_time(b, ", seen at ", d->seen);
		buf_addc(b, ')');
	} else if (d->attempts > 0) {
		buf_addf(b, "was not told%s: attempt %lld: %s",
		    d->state == DELIVERY_GIVEN_UP ? ", given up" : " yet",
		    (long long)d->attempts, d->last_error[0] != '\0' ?
		    d->last_error : "on its way");
	} else {
		put_time(b, "is to be told at ", d->next);
	}
}

/* The delivery that told a recipient first, or the newest that did not. */
static const struct delivery *
told_by(const struct why *w, uint64_t recipient)
{
	const struct delivery *d, *best = NULL;

	if (w->in == NULL)
		return NULL;
	MODEL_ALL(d, KIND_DELIVERY)
		if (d->recipient == recipient && d->severity > STATUS_OK &&
		    model_delivery_says(d, w->in->o.id) != STATUS_NONE &&
		    (best == NULL || best->sent == 0))
			best = d;
	return best;
}

/* What a recipient was told, or (false) why it was not; b stays empty: it was
 * not there, or nobody was to be.  *when: of the delivery. */
static bool
put_told(struct buf *b, const struct why *w, const struct past *p,
    int64_t *when)
{
	const struct recipient *r = (const void *)p->was;
	const struct delivery *d = told_by(w, r->o.id);
	const char *not;

	if (d != NULL) {
		*when = d->queued;
		put_fate(b, d, w->at_ms);
		return true;
	}
	if (p->absent || w->in == NULL || w->past[INCIDENT].absent)
		return false;
	not = notify_unwanted(r, w->in, w->a, w->in->check == 0 ? NULL : w->c);
	if (not == NULL && r->after_s > 0) {
		buf_addz(b, "is told of what nobody saw to for ");
		buf_duration(b, r->after_s * 1000);
	} else {
		buf_addz(b, not != NULL ? not : "was not told");
	}
	return false;
}

/* Then its checks were not to be seen; of heartbeats it does not tell. */
static bool
is_silent(const struct why *w)
{
	return w->a->state == AGENT_SILENT && !check_is_beat(w->c->type);
}

/* Why nobody was told. */
static void
put_reason(struct buf *b, const struct why *w)
{
	const struct past *p = &w->past[w->c->held_by[0] != '\0' ? CHECK :
	    AGENT];
	const char *held = p == w->past ? w->c->held_by : w->a->held_by;
	const struct incident *oldest = (void *)model_at(KIND_INCIDENT, 0);
	enum status st = w->stand.st.held;
	bool any = false;

	for (unsigned i = FIXED; i < w->pasts; i++)
		any = any || !w->past[i].absent;
	buf_addf(b, "%snobody was told: ", b->n > 0 ? "; " : "");
	if (!w->c->enabled || !w->a->enabled) {
		buf_addf(b, "the %s was disabled", w->c->enabled ? "agent" :
		    "check");
	} else if (held[0] != '\0') {
		buf_addz(b, "held back");
		if (p->lifted_ms != 0)
			put_time(b, " until ", p->lifted_ms);
		buf_addf(b, ": %s", held);
	} else if (w->in != NULL && !w->past[INCIDENT].absent) {
		buf_addz(b, any ? "each recipient has its reason" :
		    "there was no recipient");
	} else if (st == STATUS_NONE && !is_silent(w)) {
		buf_addz(b, !w->any ? "no result had come" : w->row.r.late ?
		    "no result had come in time" : "nothing was known yet");
	} else if (st == STATUS_OK && !is_silent(w)) {
		buf_addz(b, w->row.r.code == STATUS_OK ? "nothing was wrong" :
		    "it had not lasted");
	} else {
		buf_addz(b, oldest != NULL && oldest->o.id > 1 &&
		    oldest->opened > w->at_ms ? "incidents of that time are "
		    "not kept any more" : "no incident was open yet");
	}
}

/* Each recipient as a list; those that were told in words, too.  Was one told
 * by then? */
static bool
put_recipients(struct buf *b, const struct why *w, struct buf *told)
{
	const struct past *p;
	char text[TEXT_MAX];
	bool by_then = false, is;
	int64_t when;
	const char *name;
	struct buf t;

	json_arr(json_key(b, "recipients"));
	for (p = w->past + FIXED; p < w->past + w->pasts; p++) {
		t = BUF(text);
		is = put_told(&t, w, p, &when);
		if (t.n == 0)
			continue;
		by_then = by_then || (is && when <= w->at_ms);
		name = ((const struct recipient *)(const void *)p->was)->name;
		if (is)
			buf_addf(told, "; %s %.*s", name, (int)t.n, t.p);
		json_obj(b);
		api_uri(b, "recipient", "recipient/%llu",
		    (unsigned long long)p->was->id);
		json_add(b, "name", str_of(name));
		json_add(b, "text", str_from(&t));
		json_obj_end(b);
	}
	json_arr_end(b);
	return by_then;
}

/* How it was. */
static void
put_state(struct buf *b, const struct why *w)
{
	const struct alert_state *st = &w->stand.st;

	if (is_silent(w)) {
		buf_addf(b, "agent %s was silent", w->a->hostname);
		if (w->in != NULL && w->in->check == 0)
			put_time(b, " since ", w->in->opened);
	}
	if (w->any && (!is_silent(w) || st->held != STATUS_OK)) {
		buf_addf(b, "%s%s%s", b->n > 0 ? "; " : "", st->flaps ?
		    "flapping, held at " : "", status_name(st->held));
		if (st->since_ms != 0)
			put_time(b, " since ", st->since_ms);
	}
}

/* The whole in a line, and each recipient. */
static void
put_answer(struct buf *b, const struct why *w)
{
	char text[4 * TEXT_MAX], room[3 * TEXT_MAX];
	struct buf t = BUF(text), told = BUF(room);
	bool by_then = put_recipients(b, w, &told);

	if (w->past[CHECK].absent) {
		buf_addz(&t, "the check did not exist yet");
	} else {
		put_state(&t, w);
		if (!by_then)
			put_reason(&t, w);
		buf_add(&t, str_from(&told));
		if (told.full)
			buf_addz(&t, "; and others");
	}
	if (w->kept_ms > w->at_ms)
		put_time(&t, "; the journal does not reach before ",
		    w->kept_ms);
	json_add(b, "answer", str_from(&t));
}

/* All that was found out. */
static void
put_all(struct buf *b, const struct why *w)
{
	static const struct model_view view = { .bare = false };
	static const char *const fields[] = { "hostname", "state", "enabled",
	    "held_by" };

	put_answer(b, w);
	put_measured(b, w);
	put_counted(b, w);
	json_obj(json_key(b, "agent"));
	put_fields(b, &w->past[AGENT], fields, COUNT(fields));
	json_obj_end(b);
	json_key(b, "incident");
	if (w->in == NULL || w->past[INCIDENT].absent)
		json_put_null(b);
	else
		model_show(b, KIND_INCIDENT, &w->in->o, &view);
	json_put_time(json_key(b, "thinned_until"), w->stand.thinned_ms);
	json_put_bool(json_key(b, "settled"), w->stand.settled && !w->lost);
	json_put_time(json_key(b, "journal_from"), w->kept_ms > w->at_ms ?
	    w->kept_ms : 0);
}

/* ---- the call ---- */

static int
take_param(struct call *k, char *name, const char *value, void *to)
{
	struct why *w = to;
	struct str v = str_of(value);

	if (strcmp(name, "at") == 0)
		return str_time(v, &w->at_ms) == 0 ? 0 :
		    api_wrong(k, name, "a time as 2026-11-22T06:53:11Z");
	if (strcmp(name, "n") == 0)
		return str_u64(v, 1, INT64_MAX, &w->n) == 0 ? 0 :
		    api_wrong(k, name, "not what an answer has in next");
	if (strcmp(name, "undo") != 0)
		return api_wrong(k, name, "only at");
	return w->undid_n < UNDID_MAX && str_u64(v, 1, INT64_MAX,
	    &w->undid[w->undid_n++]) == 0 ? 0 :
	    api_wrong(k, name, "not what an answer has in next");
}

/* When it began: from where on the journal is of interest. */
static void
set_times(struct why *w)
{
	const struct alert_state *st = &w->stand.st;
	int64_t ms = w->at_ms - API_WHY_MS;

	if (st->held != STATUS_OK && st->since_ms != 0 && st->since_ms < ms)
		ms = st->since_ms;
	if (w->in != NULL && w->in->opened < ms)
		ms = w->in->opened;
	w->begin_ms = ms - API_AHEAD_MS;
	w->end_ms = w->in == NULL ? w->at_ms : w->in->closed == 0 ? INT64_MAX :
	    w->in->closed;
}

static void
put_next(struct buf *b, const struct call *k, const struct why *w)
{
	json_key(b, "next");
	if (w->next == 0) {
		json_put_null(b);
		return;
	}
	buf_addf(b, "\"" MODEL_API "%s/%s/why/?at=", k->resource, k->item);
	buf_time(b, w->at_ms);
	buf_addf(b, "\\u0026n=%llu", (unsigned long long)w->next);
	for (unsigned i = 0; i < w->undid_n; i++)
		buf_addf(b, "\\u0026undo=%llu",
		    (unsigned long long)w->undid[i]);
	buf_addc(b, '"');
}

/* What is asked about, as it is now.  0 or -1. */
static int
begin(struct why *w, const struct check *live, struct fail *why)
{
	uint64_t first = store_journal_first(api_the_store);
	uint64_t last = store_journal_n(api_the_store, NULL);
	const struct recipient *r;

	add_past(w, KIND_CHECK, live);
	add_past(w, KIND_AGENT, live->agent);
	add_past(w, KIND_INCIDENT, find_incident(live, w->at_ms));
	MODEL_ALL(r, KIND_RECIPIENT)
		if (w->pasts < PASTS_MAX)
			add_past(w, KIND_RECIPIENT, r);
	w->c = (struct check *)w->past[CHECK].was;
	w->a = (struct agent *)w->past[AGENT].was;
	w->in = (struct incident *)w->past[INCIDENT].was;
	w->c->agent = w->a;
	if (look_at_history(w, why) == -1)
		return -1;
	set_times(w);
	w->kept_ms = first == 0 ? 0 : time_at(&first, last + 1);
	if (w->n == 0)
		w->n = search(w->begin_ms, first, last + 1);
	return 0;
}

int
api_why(struct call *k)
{
	static struct why w;
	struct object *live = api_find(k);
	struct buf *out = k->c->out;
	struct api_query q;
	struct fail why;
	int rc;

	w = (struct why){ .at_ms = k->c->now_ms };
	if (live == NULL || api_query(k, &q, take_param, &w) == -1)
		return -1;
	json_obj(out);
	json_put_time(json_key(out, "at"), w.at_ms);
	json_arr(json_key(out, "events"));
	rc = begin(&w, (const struct check *)live, &why);
	if (rc == 0)
		rc = read_journal(out, &w, &why);
	json_arr_end(out);
	put_next(out, k, &w);
	/* Then by the rule as it was, if that was another. */
	if (rc == 0 && w.next == 0 && w.past[CHECK].set != 0)
		rc = look_at_history(&w, &why);
	if (rc == 0 && w.next == 0)
		put_all(out, &w);
	for (unsigned i = 0; i < w.pasts; i++)
		if (w.past[i].was != NULL)
			model_drop(w.past[i].kind, w.past[i].was);
	if (rc == -1)
		return api_error(k->c, 503, NULL, "history cannot be read: %s",
		    why.msg);
	json_obj_end(out);
	return api_json(k, 200);
}
