/*
 * why_test: objects as they were, from random journals, whole and page by
 * page, held against what was kept of them at that time.  The journal is the
 * one change.c makes; the store, and the API around it, are stand-ins.
 */
#include <stdlib.h>

#include "../api_impl.h"
static unsigned page;		/* records in one call */
#undef API_WHY
#define API_WHY page
#include "../api_why.c"
#include "test.h"

#define STEPS		150
#define LINES_MAX	(2 * STEPS + 100)
#define START_MS	INT64_C(1795330391000)
#define EVENTS_MAX	(1u << 20)

struct store *api_the_store;
static struct fail why;

/* ---- the API's place ---- */

struct object *
api_find(struct call *k)
{
	(void)k;
	return NULL;
}

int
api_error(struct api_call *c, int status, const char *field,
    const char *fmt, ...)
{
	(void)c;
	(void)status;
	(void)field;
	(void)fmt;
	return -1;
}

int
api_json(struct call *k, int status)
{
	(void)k;
	(void)status;
	return -1;
}

int
api_query(struct call *k, struct api_query *q, api_take *take_one, void *to)
{
	(void)k;
	(void)q;
	(void)take_one;
	(void)to;
	return -1;
}

int
api_stand(struct check *c, int64_t at_ms, struct api_stand *s,
    struct fail *because)
{
	(void)c;
	(void)at_ms;
	(void)because;
	*s = (struct api_stand){ ALERT_RESET, true, 0 };
	return 0;
}

void
api_show_result(struct buf *b, const struct store_result *r,
    const struct store_row *row)
{
	(void)b;
	(void)r;
	(void)row;
}

/* ---- the place of watch.c and notify.c ---- */

void
watch_how(struct buf *b, const struct check *c, const struct store_result *r)
{
	(void)b;
	(void)c;
	(void)r;
}

const char *
notify_unwanted(const struct recipient *r, const struct incident *in,
    const struct agent *a, const struct check *c)
{
	(void)r;
	(void)in;
	(void)a;
	(void)c;
	return NULL;
}

/* ---- the store's place ---- */

static char *lines[LINES_MAX];		/* record n is at n; NULL: none */
static uint64_t lines_n, reads;

uint64_t
store_head_seq(const struct store *s)
{
	(void)s;
	return 0;
}

/* Some numbers are of no record, as those of a file's first line. */
int
store_journal(struct store *s, struct str body, bool keep,
    struct fail *because)
{
	char *p = malloc(body.n + 3);

	(void)s;
	(void)keep;
	(void)because;
	lines_n += lines_n % 17 == 3 ? 2 : 1;
	if (p == NULL || lines_n >= LINES_MAX)
		abort();
	snprintf(p, body.n + 3, "{%.*s}", (int)body.n, body.p);
	lines[lines_n] = p;
	return 0;
}

uint64_t
store_journal_n(const struct store *s, char hash[65])
{
	(void)s;
	(void)hash;
	return lines_n;
}

uint64_t
store_journal_first(const struct store *s)
{
	(void)s;
	return lines_n > 0;
}

int
store_journal_read(struct store *s, uint64_t n, struct str *line,
    struct fail *because)
{
	(void)s;
	(void)because;
	reads++;
	if (n > lines_n || lines[n] == NULL)
		return 0;
	*line = str_of(lines[n]);
	return 1;
}

int
store_rows(struct store *s, const struct store_query *ask,
    struct fail *because)
{
	(void)s;
	(void)ask;
	(void)because;
	return 0;
}

int
store_row_next(struct store *s, struct store_row *row, struct fail *because)
{
	(void)s;
	(void)row;
	(void)because;
	return 0;
}

int
store_snapshot_begin(struct store *s, const struct store_job *job,
    int64_t at_ms, struct fail *because)
{
	(void)s;
	(void)job;
	(void)at_ms;
	(void)because;
	return -1;
}

void
store_snapshot_put(struct store *s, struct str body)
{
	(void)s;
	(void)body;
}

int
store_snapshot_end(struct store *s, struct fail *because)
{
	(void)s;
	(void)because;
	return -1;
}

/* ---- a history ---- */

static uint64_t seed = UINT64_C(88172645463325252);
static int64_t now_ms, kept_ms;

static unsigned
pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 33) % n);
}

static void *
put(enum kind k, void *draft)
{
	struct change ch = { "key:3", "api", now_ms, true };

	return change_keep(k, draft, &ch);
}

static void
change_check(struct check *live)
{
	static const char *const bounds[] = { "", "above 90", "below 3",
	    "above 1\nbelow 0" };
	struct check *c = model_draft(KIND_CHECK, live);

	if (pick(2))
		model_text(pick(2) ? &c->warn : &c->clear,
		    str_of(bounds[pick(4)]));
	if (pick(2))
		model_text(&c->held_by, pick(2) ? STR("") :
		    STR("silence 3: \"<new>\""));
	c->for_s = pick(3) * 60;
	c->of = 1 + pick(3);
	c->interval_ms = pick(2) * 5000;
	c->enabled = pick(4) > 0;
	put(KIND_CHECK, c);
}

static void
change_agent(struct agent *live)
{
	struct agent *a = model_draft(KIND_AGENT, live);

	a->state = (uint8_t)pick(4);
	a->enabled = pick(4) > 0;
	model_textf(&a->hostname, "web%u", pick(3));
	put(KIND_AGENT, a);
}

/* One is added, changed, removed. */
static void
change_recipient(void)
{
	struct change ch = { "key:3", "api", now_ms, true };
	struct recipient *live = (void *)model_at(KIND_RECIPIENT, pick(4)), *r;

	if (live != NULL && pick(4) == 0) {
		(void)change_remove(KIND_RECIPIENT, live->o.id, &ch, &why);
		return;
	}
	r = model_draft(KIND_RECIPIENT, live);
	if (live == NULL)
		model_textf(&r->name, "r%u", pick(1000000));
	r->severity = (uint8_t)(1 + pick(3));
	r->after_s = pick(3) * 60;
	r->enabled = pick(3) > 0;
	model_text(&r->match, pick(2) ? STR("") : STR("tag:db, web1/\"x"));
	put(KIND_RECIPIENT, r);
}

/* One is opened, some time after it was wrong; it changes, and closes. */
static void
change_incident(const struct check *c)
{
	const struct incident *live = model_incident(c->incident);
	struct incident *in = model_draft(KIND_INCIDENT, live);

	if (live == NULL) {
		in->opened = now_ms - pick(3) * 1000;
		in->agent = c->agent_id;
		in->check = pick(4) > 0 ? c->o.id : 0;
	}
	in->status = (uint8_t)(live == NULL ? 1 + pick(3) : pick(4));
	if (in->status > in->severity)
		in->severity = in->status;
	in->acknowledged = pick(2) ? now_ms : 0;
	in->changed = now_ms;
	in->closed = in->status == STATUS_OK ? now_ms : 0;
	model_textf(&in->text, "%u", pick(1000));
	put(KIND_INCIDENT, in);
}

/* What there was at kept_ms. */
static char *kept[PASTS_MAX];
static struct past kept_as[PASTS_MAX];	/* was: not to be looked into */
static unsigned kept_n;

static char *
text_of_object(enum kind k, const struct object *o)
{
	static char room[MODEL_OBJECT_TEXT];
	struct buf b = { room, 0, sizeof room - 1, false };
	char *end;

	model_kept(&b, k, o, NULL);
	room[b.n] = '\0';
	end = strstr(room, "\"revision\"");
	if (end != NULL)		/* moves without a record */
		*end = '\0';
	return room;
}

static void
keep(enum kind k, struct object *o)
{
	struct past *p = &kept_as[kept_n];

	p->kind = k;
	p->set = o->id;
	kept[kept_n] = malloc(MODEL_OBJECT_TEXT);
	strcpy(kept[kept_n++], text_of_object(k, o));
}

static void
keep_all(void)
{
	static const enum kind kinds[] = { KIND_CHECK, KIND_AGENT,
	    KIND_INCIDENT, KIND_RECIPIENT };
	struct object *o;

	kept_ms = now_ms;
	for (unsigned i = 0; i < COUNT(kinds); i++)
		MODEL_ALL(o, kinds[i])
			keep(kinds[i], o);
}

/* A history of one check; what it came to on the way is kept. */
static struct check *
live_on(void)
{
	unsigned at = pick(STEPS), i;
	struct agent *a = model_draft(KIND_AGENT, NULL);
	struct check *c;

	model_reset();
	while (lines_n > 0)
		free(lines[lines_n--]);
	memset(lines, 0, sizeof lines);
	while (kept_n > 0)
		free(kept[--kept_n]);
	now_ms = START_MS;
	model_text(&a->hostname, STR("web1"));
	a = put(KIND_AGENT, a);
	c = model_draft(KIND_CHECK, NULL);
	c->agent_id = a->o.id;
	c->agent = a;
	c->type = check_type(STR("cpu"));
	model_text(&c->name, STR("cpu"));
	c = put(KIND_CHECK, c);
	for (i = 0; i < STEPS; i++) {
		now_ms += 1 + pick(3) * 600000;
		if (pick(3) == 0)
			change_check(c);
		if (pick(9) == 0)
			change_agent(a);
		if (pick(3) == 0)
			change_recipient();
		if (pick(4) == 0)
			change_incident(c);
		if (i == at)
			keep_all();
	}
	return c;
}

/* ---- asking ---- */

static struct why asked;
static char events[2][EVENTS_MAX];

/* One page.  Is there another? */
static bool
call(struct buf *out, const struct check *c, unsigned n)
{
	static struct why w;
	uint64_t before;

	memset(&w, 0, sizeof w);
	w.at_ms = kept_ms;
	w.n = asked.next;
	memcpy(w.undid, asked.undid, sizeof w.undid);
	w.undid_n = asked.undid_n;
	for (unsigned i = 0; i < asked.pasts; i++)
		if (asked.past[i].was != NULL)
			model_drop(asked.past[i].kind, asked.past[i].was);
	page = n;
	CHECK(begin(&w, c, &why) == 0);
	before = reads;
	CHECK(read_journal(out, &w, &why) == 0);
	CHECK(reads - before <= (uint64_t)n + UNDID_MAX);
	asked = w;
	return w.next != 0;
}

static unsigned
ask(struct buf *out, const struct check *c, unsigned n)
{
	unsigned pages = 1;

	asked.next = asked.undid_n = 0;
	while (call(out, c, n))
		pages++;
	return pages;
}

/* Is an object as it was kept?  One that was not kept was not there. */
static bool
is_as_kept(const struct past *p)
{
	const struct past *as = kept_as;

	while (as < kept_as + kept_n && (as->kind != p->kind ||
	    as->set != p->was->id))
		as++;
	if (as == kept_as + kept_n)
		return p->absent;
	return !p->absent && strcmp(kept[as - kept_as],
	    text_of_object(p->kind, p->was)) == 0;
}

static void
test_random(void)
{
	unsigned run, i, pages = 0, absent = 0, gone = 0, in = 0;
	struct buf whole, parts;
	const struct check *c;
	const struct past *p;

	for (run = 0; run < 1000; run++) {
		c = live_on();
		whole = BUF(events[0]);
		parts = BUF(events[1]);
		CHECK_ROW(run, ask(&whole, c, LINES_MAX) == 1);
		pages += ask(&parts, c, 1 + pick(20));
		CHECK_ROW(run, str_eq(str_from(&whole), str_from(&parts)));
		CHECK_ROW(run, !whole.full && !asked.lost);
		for (p = asked.past; p < asked.past + asked.pasts; p++) {
			if (p->was == NULL)
				continue;
			CHECK_ROW(run, is_as_kept(p));
			absent += p->absent;
			gone += model_get(p->kind, p->was->id) == NULL;
		}
		in += asked.in != NULL;
		/* None that there was is left out. */
		for (i = 0; i < kept_n; i++)
			CHECK_ROW(run, find_past(&asked, kept_as[i].kind,
			    kept_as[i].set, false) != NULL ||
			    kept_as[i].kind == KIND_INCIDENT);
	}
	CHECK(pages > 5000 && absent > 500 && gone > 300 && in > 300);
}

/* The first record that is not before a time, whatever gaps there are. */
static void
test_search(void)
{
	uint64_t n, want;
	int64_t ms;

	(void)live_on();
	for (unsigned run = 0; run < 2000; run++) {
		ms = START_MS + (int64_t)pick(2000) * 100000 - 100000;
		for (want = 1; want <= lines_n; want++) {
			n = want;
			if (time_at(&n, want + 1) >= ms)
				break;
		}
		n = search(ms, 1, lines_n + 1);
		/* One of a gap before it is as good. */
		while (n < want && lines[n] == NULL)
			n++;
		CHECK_ROW(run, n == want);
	}
}

int
main(void)
{
	change_store((struct store *)&asked);	/* is never looked into */
	test_random();
	test_search();
	return test_end();
}
