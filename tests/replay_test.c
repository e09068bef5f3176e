/*
 * replay_test: history through other rules, at random and page by page, held
 * against the rules stepped over all there ever was.  The store, and the API
 * around it, are stand-ins.
 */
#include "../api_impl.h"
#undef API_REPLAY
#define API_REPLAY	80	/* so that there are pages */
#include "../api_replay.c"
#include "test.h"

#define ROWS		600
#define START_MS	INT64_C(1795330391000)

struct store *api_the_store;
static struct fail why;

/* ---- the API's place ---- */

struct object *
api_find(struct call *k)
{
	(void)k;
	return NULL;
}

struct object *
api_draft(struct call *k, const struct object *live)
{
	(void)k;
	(void)live;
	return NULL;
}

int
api_check(struct call *k, enum kind kind, void *draft)
{
	(void)k;
	(void)kind;
	(void)draft;
	return -1;
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
api_body(struct call *k)
{
	(void)k;
	return -1;
}

int
api_json(struct call *k, int status)
{
	(void)k;
	(void)status;
	return -1;
}

/* ---- the place of watch.c ---- */

struct alert_change
watch_step(const struct check *c, struct alert_state *st,
    const struct store_result *r, struct buf *how)
{
	struct alert_result res = { .at_ms = r->at_ms, .has_value = true,
	    .given = r->given == STORE_NO_CODE ? STATUS_NONE :
	    (enum status)r->given, .value = r->value };
	struct alert_change ch = alert_step(&c->rule, st, &res);

	if (ch.from == STATUS_NONE && ch.to == STATUS_OK)
		ch.from = STATUS_OK;
	if (ch.from != ch.to)
		buf_milli(how, r->value);
	return ch;
}

void
watch_text(struct buf *b, const struct check *c, struct alert_change ch,
    struct str how)
{
	(void)c;
	(void)ch;
	buf_addc(b, '<');		/* to be escaped */
	buf_add(b, how);
}

/* ---- the history's place ---- */

static struct store_row rows[ROWS];
static unsigned rows_n, at_row, looked;
static struct store_query asked;

int
store_rows(struct store *s, const struct store_query *ask,
    struct fail *because)
{
	(void)s;
	(void)because;
	asked = *ask;
	at_row = ask->down ? rows_n : 0;
	return 0;
}

int
store_row_next(struct store *s, struct store_row *row, struct fail *because)
{
	(void)s;
	(void)because;
	looked++;
	while (asked.down ? at_row > 0 : at_row < rows_n) {
		*row = rows[asked.down ? --at_row : at_row++];
		if (row->r.at_ms >= asked.from_ms &&
		    row->r.at_ms <= asked.to_ms)
			return 1;
	}
	return 0;
}

static uint64_t seed = UINT64_C(88172645463325252);

static unsigned
pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 33) % n);
}

/* So many rows; of these, from `first` on, so many `means`. */
static void
fill(unsigned n, unsigned first, unsigned means)
{
	int64_t ms = START_MS;
	unsigned level = 0, i;
	unsigned seldom = pick(2) ? 6 : 800;	/* it is calm for hours */

	rows_n = n;
	for (i = 0; i < n; i++) {
		struct store_row *row = &rows[i];

		level = pick(seldom) == 0 ? pick(4) : level;
		*row = (struct store_row){ .r = { .check = 1, .at_ms = ms,
		    .given = STORE_NO_CODE, .has_value = true,
		    .value = 1000 * (level == 0 ? 20 : 55 + 15 * level),
		    .text = STR("") }, .count = 1 };
		if (i >= first && i - first < means)
			row->span_ms = 300000;
		if (level == 3 && pick(3) > 0)
			row->r.given = STATUS_UNKNOWN;
		row->r.late = pick(15) == 0;
		if (row->r.late)
			row->r.value = 99000;
		/* After a mean there may be results of its own time. */
		ms += row->span_ms > 0 && pick(4) > 0 ? row->span_ms :
		    pick(20) == 0 ? 1200000 : 60000;
	}
}

/* ---- what is replayed, and what is to come of it ---- */

static struct alert_change got[ROWS], want[ROWS];
static unsigned got_n, want_n, pages;
static char out_room[1 << 20];

/* One call, and what it tells into got.  Is there a next, which a becomes? */
static bool
call(struct replay *a, bool *settled)
{
	struct buf out = BUF(out_room);
	struct replay next = { .c = a->c, .rule = a->rule, .from_ms = -1 };
	char text[256], name[64];
	struct str obj, key, raw;
	struct json j;

	json_obj(&out);
	json_arr(json_key(&out, "objects"));
	CHECK(step_all(&out, a, &why) == 0);
	json_arr_end(&out);
	put_next(&out, a);
	json_obj_end(&out);
	CHECK(!out.full && json_valid(str_from(&out), &why) == 0);
	json_list(&j, str_from(&out), "objects");
	for (; json_value(&j, &obj) == JSON_OBJ; got_n++) {
		got[got_n].from = STATUS_NONE;
		json_text(obj, "at", text, sizeof text);
		str_time(str_of(text), &got[got_n].at_ms);
		json_text(obj, "from", text, sizeof text);
		status_parse(str_of(text), &got[got_n].from);
		json_text(obj, "to", text, sizeof text);
		CHECK(status_parse(str_of(text), &got[got_n].to) == 0);
	}
	*settled = a->settled;
	pages++;
	if (json_member(str_from(&out), "next", &obj) != JSON_OBJ)
		return false;
	json_open(&j, obj);
	json_next(&j, &key);
	while (json_next(&j, &key) == JSON_KEY) {
		json_value(&j, &raw);
		CHECK(json_unescape(key, name, sizeof name) == 0 &&
		    take_member(NULL, &next, name, raw) == 0);
	}
	CHECK(next.goes_on && next.from_ms > a->from_ms &&
	    next.until_ms == a->until_ms);
	*a = next;
	return true;
}

/* Every result there is, whatever is asked for. */
static void
step_past(const struct check *c, int64_t from_ms, int64_t until_ms)
{
	struct alert_state st = ALERT_RESET;
	struct alert_change ch;
	char how[WATCH_HOW_MAX];

	want_n = 0;
	for (unsigned i = 0; i < rows_n; i++) {
		struct buf b = BUF(how);

		if (rows[i].span_ms > 0) {
			alert_reset(&st);
			from_ms = rows[i].r.at_ms + rows[i].span_ms > from_ms ?
			    rows[i].r.at_ms + rows[i].span_ms : from_ms;
		} else if (!rows[i].r.late) {
			ch = watch_step(c, &st, &rows[i].r, &b);
			if ((ch.from != ch.to || ch.flaps) &&
			    ch.at_ms >= from_ms &&
			    ch.at_ms < until_ms)
				want[want_n++] = ch;
		}
	}
}

static bool
same_changes(void)
{
	unsigned i = 0;

	while (i < got_n && i < want_n && got[i].from == want[i].from &&
	    got[i].to == want[i].to && got[i].at_ms == want[i].at_ms)
		i++;
	return i == got_n && i == want_n;
}

static void
random_rule(struct check *c)
{
	struct alert_rule *r = &c->rule;

	*r = (struct alert_rule){ .warn.n = 1, .crit.n = 1,
	    .clear.n = pick(3) == 0 };
	alert_bound_parse(STR("above 60"), &r->warn.bound[0], &why);
	alert_bound_parse(STR("above 80"), &r->crit.bound[0], &why);
	alert_bound_parse(STR("above 10"), &r->clear.bound[0], &why);
	if (pick(4) > 0)	/* else it stays bad for ever */
		r->clear.bound[0].limit = 50000;
	r->for_ms = pick(2) * pick(8) * 60000;
	r->hits = 1 + pick(2) * pick(4);
	r->of = r->hits + pick(4);
}

/* Any part of history is what the whole has there; and where that hangs on
 * more than what was looked at, it is not said to be so. */
static void
test_random(struct check *c)
{
	unsigned run, alike = 0, told = 0;

	for (run = 0; run < 3000; run++) {
		char room[64];
		struct replay a = { .c = c, .rule = BUF(room) };
		unsigned first = pick(ROWS);
		bool settled, any, more;

		random_rule(c);
		fill(ROWS, 0, 0);
		json_obj(&a.rule);
		json_obj_end(&a.rule);
		a.from_ms = rows[first].r.at_ms + (int64_t)pick(2);
		a.until_ms = rows[first + pick(ROWS - first)].r.at_ms + 1;
		step_past(c, a.from_ms, a.until_ms);
		got_n = pages = looked = 0;
		more = call(&a, &settled);
		while (more)
			more = call(&a, &any);
		CHECK_ROW(run, !settled || same_changes());
		CHECK_ROW(run, settled || first + 1 >= API_REPLAY);
		CHECK_ROW(run, looked <= pages * (3 * API_REPLAY + 3));
		alike += settled && first > API_REPLAY;
		told += settled ? want_n : 0;
	}
	CHECK(alike > 500 && alike < 3000 && told > 3000);
}

/* Of a time of which there are means nothing is told, and what was before it
 * counts for nothing after it. */
static void
test_means(struct check *c)
{
	unsigned run, n = 2 * API_REPLAY, first, means, told = 0;

	for (run = 0; run < 2000; run++) {
		char room[64];
		struct replay a = { .c = c, .rule = BUF(room) };
		int64_t end;
		bool settled;

		first = pick(n);
		means = 1 + pick(n - first);
		random_rule(c);
		fill(n, first, means);
		json_obj(&a.rule);
		json_obj_end(&a.rule);
		end = rows[first + means - 1].r.at_ms + 300000;
		a.from_ms = pick(2) ? START_MS :
		    rows[first + pick(means)].r.at_ms;
		a.until_ms = rows[n - 1].r.at_ms + 1;
		step_past(c, a.from_ms, a.until_ms);
		got_n = 0;
		CHECK_ROW(run, !call(&a, &settled));
		CHECK_ROW(run, a.thinned_ms == end);
		CHECK_ROW(run, same_changes());
		told += got_n;
	}
	CHECK(told > 3000);
}

int
main(void)
{
	struct check *c = model_draft(KIND_CHECK, NULL);

	test_random(c);
	test_means(c);
	model_drop(KIND_CHECK, c);
	return test_end();
}
