/*
 * change_test: the journal that objects come back from, and what a failed
 * commit undoes.  The store is a stand-in that keeps the lines in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "../change.h"
#include "../json.h"
#include "../model.h"
#include "../store.h"
#include "test.h"

#define LINES_MAX	60000
#define DUMP_MAX	(4u << 20)

/* ---- the store's place ---- */

struct store {
	uint64_t head;
};

static struct store the_store;
static char *lines[LINES_MAX];
static bool kept_line[LINES_MAX];
static size_t lines_n, committed_n;
static bool no_room;

static void
add_line(struct str body, bool keep)
{
	char *p = malloc(body.n + 32);
	int n = p == NULL ? -1 : snprintf(p, body.n + 32, "{\"n\":%zu,%.*s}",
	    lines_n + 1, (int)body.n, body.p);

	if (n < 0 || lines_n == LINES_MAX)
		abort();
	lines[lines_n] = p;
	kept_line[lines_n++] = keep;
}

static void
drop_lines(size_t from)
{
	while (lines_n > from)
		free(lines[--lines_n]);
	if (committed_n > lines_n)
		committed_n = lines_n;
}

uint64_t
store_head_seq(const struct store *s)
{
	return s->head;
}

uint64_t
store_journal_n(const struct store *s, char hash[65])
{
	(void)s;
	memset(hash, 'a', 64);
	hash[64] = '\0';
	return committed_n;
}

int
store_journal(struct store *s, struct str body, bool keep, struct fail *why)
{
	(void)s;
	if (no_room)
		return fail(why, "no room");
	add_line(body, keep);
	return 0;
}

int
store_snapshot_begin(struct store *s, const struct store_job *job,
    int64_t at_ms, struct fail *why)
{
	(void)s;
	(void)job;
	(void)at_ms;
	(void)why;
	drop_lines(0);
	return 0;
}

void
store_snapshot_put(struct store *s, struct str body)
{
	(void)s;
	add_line(body, true);
}

int
store_snapshot_end(struct store *s, struct fail *why)
{
	(void)s;
	(void)why;
	committed_n = lines_n;
	return 0;
}

static void
commit(void)
{
	committed_n = lines_n;
	change_committed();
}

/* What is not kept is gone from the store, and is undone. */
static void
commit_fails(void)
{
	size_t i, n = committed_n;

	for (i = committed_n; i < lines_n; i++) {
		if (kept_line[i]) {
			lines[n] = lines[i];
			kept_line[n++] = true;
		} else {
			free(lines[i]);
		}
	}
	lines_n = n;
	change_failed();
}

/* ---- tools ---- */

static uint32_t seed = 1;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static const struct change client = { "key:1", "api", 1000, false };
static const struct change rule = { "rule", "server", 1000, true };
static struct fail why;

/* Set a field from JSON text, as the API does. */
static int
set(enum kind k, struct object *o, const char *name, const char *json)
{
	const struct field *f = model_field(k, str_of(name));
	struct json j;
	struct str raw;
	enum json_tok tok;

	if (f == NULL)
		return -1;
	json_open(&j, str_of(json));
	tok = json_value(&j, &raw);
	return model_set(k, o, f, tok, raw, &why);
}

/* One object as the journal keeps it. */
static const char *
kept(enum kind k, const struct object *o)
{
	static char room[4][MODEL_OBJECT_TEXT];
	static unsigned at;
	struct buf b;

	at = (at + 1) % 4;
	buf_init(&b, room[at], sizeof room[at] - 1);
	model_kept(&b, k, o, NULL);
	room[at][b.n] = '\0';
	return b.full ? "(full)" : room[at];
}

/* All there is, into dst. */
static void
dump(char *dst)
{
	struct buf b;
	unsigned k;
	size_t i;

	buf_init(&b, dst, DUMP_MAX - 1);
	for (k = 0; k < KINDS; k++) {
		buf_addf(&b, "%s\n", model_kinds[k].name);
		for (i = 0; i < model_count((enum kind)k); i++) {
			struct object *o = model_at((enum kind)k, i);

			buf_addf(&b, "%llu %s\n", (unsigned long long)o->id,
			    kept((enum kind)k, o));
		}
	}
	dst[b.n] = '\0';
	if (b.full)
		abort();
}

static char before[DUMP_MAX], after[DUMP_MAX];

/* Say where two dumps part. */
static bool
alike(const char *a, const char *b)
{
	size_t i;

	for (i = 0; a[i] == b[i] && a[i] != '\0'; i++)
		;
	if (a[i] == b[i])
		return true;
	for (; i > 0 && a[i - 1] != '\n'; i--)
		;
	printf("- %.400s\n+ %.400s\n", a + i, b + i);
	return false;
}

static struct agent *
add_agent(const char *name)
{
	struct object *d = model_draft(KIND_AGENT, NULL);

	model_text(&((struct agent *)d)->hostname, str_of(name));
	return (struct agent *)change_put(KIND_AGENT, d, &client, &why);
}

static struct check *
add_check(const struct agent *a, const char *name)
{
	struct check *c = (struct check *)model_draft(KIND_CHECK, NULL);

	c->agent_id = a->o.id;
	c->type = check_type(STR("cpu"));
	model_text(&c->name, str_of(name));
	return (struct check *)change_put(KIND_CHECK, &c->o, &client, &why);
}

static void
fresh(void)
{
	change_store(NULL);
	change_committed();
	model_reset();
	drop_lines(0);
	committed_n = 0;
	the_store.head = 0;
	no_room = false;
	change_store(&the_store);
}

static void
replay(void)
{
	size_t i;

	change_store(NULL);
	model_reset();
	for (i = 0; i < lines_n; i++)
		CHECK_ROW(i, change_replay(str_of(lines[i]), &why) == 0);
	change_store(&the_store);
}

static void
test_ids(void)
{
	struct agent *a, *b;
	struct object *d;
	uint64_t id;

	fresh();
	a = add_agent("a");
	b = add_agent("b");
	CHECK(a->o.id == 1 && b->o.id == 2 && model_next_id(KIND_AGENT) == 3);
	id = b->o.id;
	CHECK(change_remove(KIND_AGENT, id, &client, &why) == 0);
	commit();
	CHECK(model_agent(id) == NULL && add_agent("c")->o.id == 3);
	commit();
	CHECK(change_remove(KIND_AGENT, 3, &client, &why) == 0);
	commit();
	replay();
	CHECK(model_next_id(KIND_AGENT) == 4);
	/* The removal is all that the new file has: the counter has it. */
	CHECK(change_snapshot(NULL, 1, &why) == 0);
	replay();
	CHECK(model_next_id(KIND_AGENT) == 4 && model_count(KIND_AGENT) == 1);
	/* A gap is filled in the order of ids. */
	d = model_draft(KIND_AGENT, NULL);
	d->id = 9;
	model_install(KIND_AGENT, d, NULL);
	d = model_draft(KIND_AGENT, NULL);
	d->id = 5;
	model_install(KIND_AGENT, d, NULL);
	CHECK(model_count(KIND_AGENT) == 3 &&
	    model_at(KIND_AGENT, 1)->id == 5 &&
	    model_at(KIND_AGENT, 2)->id == 9);
	CHECK(model_next_id(KIND_AGENT) == 10);
	CHECK(model_get(KIND_AGENT, 0) == NULL &&
	    model_get(KIND_AGENT, 6) == NULL &&
	    model_get(KIND_AGENT, UINT64_MAX) == NULL);
}

/* ---- the journal and back ---- */

/* Random values for a few of the fields that the journal keeps; a client
 * sets no others than its own. */
static void
scramble(enum kind k, struct object *d, const struct change *ch)
{
	static const char *const values[] = { "null", "true", "false", "1",
	    "30", "1234", "\"a\"", "\"Text \\\\ \\\" \\u00e9 \\u2028 <&>\"",
	    "\"2026-11-22T06:53:11.123Z\"", "\"critical\"", "\"warning\"",
	    "\"accepted\"", "\"given up\"", "\"up\"", "\"silent\"",
	    "[\"above 1\",\"x below -2.5\"]", "[[1,\"critical\"]]",
	    "{\"process_name\":\"x\"}", "\"5 4 1,2,3 0,0,0 1,2,1\"",
	    "9007199254740993", "-5" };
	unsigned i, n = 1 + rnd(3);

	for (i = 0; i < n; i++) {
		const struct field *f = &model_kinds[k].field[
		    rnd(model_kinds[k].fields)];

		if (!(f->flags & F_KEEP) || (f->flags & F_ONCE) ||
		    (!ch->keep && !(f->flags & F_WRITE)) ||
		    strcmp(f->name, "revision") == 0 ||
		    (f->type == FIELD_REF && k != KIND_DELIVERY))
			continue;
		set(k, d, f->name, values[rnd(COUNT(values))]);
	}
}

static void
put_random(enum kind k, const struct change *ch)
{
	size_t n = model_count(k);
	struct object *d = model_draft(k, n > 0 && rnd(3) > 0 ?
	    model_at(k, rnd((uint32_t)n)) : NULL);

	if (k == KIND_CHECK && d->id == 0) {
		struct check *c = (struct check *)d;

		if (model_count(KIND_AGENT) == 0) {
			model_drop(k, d);
			return;
		}
		c->agent_id = model_at(KIND_AGENT, rnd((uint32_t)
		    model_count(KIND_AGENT)))->id;
		c->type = &check_types[rnd(check_types_n)];
	}
	if (d->id == 0) {		/* what every object has */
		set(k, d, k == KIND_AGENT ? "hostname" : "name", "\"n\"");
		set(k, d, "address", "\"x\"");
		set(k, d, "match", "\"x\"");
		set(k, d, "hash", "\"0123456789012345678901234567890123456789"
		    "012345678901234567890123\"");
	}
	scramble(k, d, ch);
	the_store.head += rnd(2);
	change_put(k, d, ch, &why);
}

static void
remove_random(enum kind k, const struct change *ch)
{
	struct agent *a;
	uint64_t id;

	if (model_count(k) == 0)
		return;
	id = model_at(k, rnd((uint32_t)model_count(k)))->id;
	a = k == KIND_AGENT ? model_agent(id) : NULL;
	while (a != NULL && a->checks != NULL)
		change_remove(KIND_CHECK, a->checks->o.id, ch, &why);
	CHECK(change_remove(k, id, ch, &why) == 0);
}

static void
batch(const struct change *ch)
{
	unsigned i;

	for (i = 1 + rnd(6); i > 0; i--)
		if (rnd(6) == 0)
			remove_random((enum kind)rnd(KIND_SETTING), ch);
		else
			put_random((enum kind)rnd(KIND_SETTING), ch);
}

/* A check that was removed in vain is in its place again. */
static void
test_undone_removal(void)
{
	struct agent *a;
	struct check *c;

	fresh();
	a = add_agent("a");
	add_check(a, "one");
	c = add_check(a, "two");
	commit();
	CHECK(change_remove(KIND_CHECK, 1, &client, &why) == 0);
	CHECK(a->checks == c);
	commit_fails();
	CHECK(a->checks == model_check_by_id(1) && a->checks->next == c &&
	    a->checks->agent == a);
}

/* The ids that were ever committed, at the highest, are taken. */
static bool
ids_taken(uint64_t top[KINDS])
{
	unsigned k;

	for (k = 0; k < KINDS; k++) {
		size_t n = model_count((enum kind)k);

		if (n > 0 && model_at((enum kind)k, n - 1)->id > top[k])
			top[k] = model_at((enum kind)k, n - 1)->id;
		if (model_next_id((enum kind)k) <= top[k])
			return false;
	}
	return true;
}

/*
 * Random batches.  What a failed commit undoes is gone, whatever the order;
 * what is committed comes back from the journal.  Ids of what was once
 * committed are never given again.
 */
static void
test_round_trip(bool snapshots)
{
	uint64_t top[KINDS] = { 0 };
	unsigned run;

	fresh();
	for (run = 0; run < 200; run++) {
		bool fails = rnd(3) == 0;

		dump(before);
		batch(fails || rnd(2) == 0 ? &client : &rule);
		if (fails)
			commit_fails();
		else
			commit();
		if (!fails)
			dump(before);
		if (snapshots && !fails && rnd(8) == 0)
			CHECK(change_snapshot(NULL, 1, &why) == 0);
		if (!fails)
			replay();
		dump(after);
		if (!CHECK_ROW(run, alike(before, after)))
			return;
		CHECK_ROW(run, ids_taken(top));
	}
}

/* The revision moves exactly when what the agent fetches does. */
static void
test_revision(void)
{
	static const struct {
		enum kind kind;
		const char *field, *json;
		bool moves;
	} moves[] = {
		{ KIND_CHECK, "name", "\"x\"", true },
		{ KIND_CHECK, "enabled", "false", true },
		{ KIND_CHECK, "interval_ms", "5000", true },
		{ KIND_CHECK, "for_s", "0", false },
		{ KIND_CHECK, "for_s", "5", true },
		{ KIND_CHECK, "message", "\"x\"", false },
		{ KIND_CHECK, "alert", "\"5 4 1,2,3 0,0,0 0,0,0\"", false },
		{ KIND_AGENT, "check_interval_ms", "10000", false },
		{ KIND_AGENT, "check_interval_ms", "5000", true },
		{ KIND_AGENT, "state", "\"up\"", false },
		{ KIND_AGENT, "version", "\"0.1\"", false },
		{ KIND_AGENT, "last_checkin", "\"2026-11-22\"", false },
	};
	struct agent *a, *b;
	struct check *c;
	int64_t was, other;
	size_t i;

	fresh();
	a = add_agent("a");
	b = add_agent("b");
	c = add_check(a, "one");
	add_check(b, "two");
	commit();
	other = b->revision;
	for (i = 0; i < 2 * COUNT(moves); i++) {
		enum kind k = moves[i / 2].kind;
		struct object *d = model_draft(k, k == KIND_AGENT ? &a->o :
		    &c->o);

		was = a->revision;
		set(k, d, moves[i / 2].field, moves[i / 2].json);
		change_put(k, d, &client, &why);
		/* a first time in vain, then for good */
		CHECK_ROW(i, (a->revision != was) == moves[i / 2].moves);
		if (i % 2 == 0) {
			commit_fails();
			CHECK_ROW(i, a->revision == was);
		} else {
			commit();
		}
	}
	was = a->revision;
	c = add_check(a, "three");
	CHECK(a->revision != was);
	commit_fails();
	CHECK(a->revision == was);
	change_remove(KIND_CHECK, 1, &client, &why);
	CHECK(a->revision != was);
	commit_fails();
	CHECK(a->revision == was && b->revision == other);
	replay();
	CHECK(model_agent(1)->revision == was);
	CHECK(change_snapshot(NULL, 1, &why) == 0);
	replay();
	CHECK(model_agent(1)->revision == was);
}

/* No room in the journal: nothing is changed, and it is said. */
static void
test_no_room(void)
{
	struct agent *a;
	struct object *d;

	fresh();
	a = add_agent("a");
	commit();
	dump(before);
	no_room = true;
	CHECK(add_agent("b") == NULL && strcmp(why.msg, "no room") == 0);
	d = model_draft(KIND_AGENT, &a->o);
	set(KIND_AGENT, d, "hostname", "\"c\"");
	CHECK(change_put(KIND_AGENT, d, &client, &why) == NULL);
	CHECK(change_remove(KIND_AGENT, 1, &client, &why) == -1);
	commit_fails();
	dump(after);
	CHECK(alike(before, after));
	/* What vilicus decided holds all the same. */
	d = model_draft(KIND_AGENT, &a->o);
	set(KIND_AGENT, d, "state", "\"silent\"");
	CHECK((void *)change_keep(KIND_AGENT, d, &rule) == a &&
	    a->state == AGENT_SILENT);
	commit_fails();
	CHECK(a->state == AGENT_SILENT);
}

/* ---- lines that are not what was written ---- */

static const char *const odd[] = {
	"", "{", "{}", "[]", "null", "{\"what\":7}", "{\"what\":\"put\"}",
	"{\"what\":\"put\",\"object\":7,\"new\":{}}",
	"{\"what\":\"put\",\"object\":\"agent\",\"new\":{}}",
	"{\"what\":\"put\",\"object\":\"agent/0\",\"new\":{}}",
	"{\"what\":\"put\",\"object\":\"agent/x\",\"new\":{}}",
	"{\"what\":\"put\",\"object\":\"nothing/1\",\"new\":{}}",
	"{\"what\":\"put\",\"object\":\"agent/8\"}",
	"{\"what\":\"put\",\"object\":\"agent/8\",\"new\":[]}",
	"{\"what\":\"put\",\"object\":\"check/8\",\"new\":"
	    "{\"agent\":\"/api/v1/agent/1/\"}}",
	"{\"what\":\"put\",\"object\":\"check/8\",\"new\":"
	    "{\"agent\":\"/api/v1/agent/99/\",\"type\":\"cpu\"}}",
	"{\"what\":\"delete\",\"object\":\"check/8\"}",
	"{\"what\":\"delete\"}",
	"{\"what\":\"told for people\",\"object\":\"agent/1\"}",
	"{\"what\":\"counters\"}",
	"{\"what\":\"counters\",\"head\":-1,\"new\":{}}",
};

static void
test_odd_lines(void)
{
	static const char unset[] = "{\"what\":\"put\",\"object\":"
	    "\"agent/1\",\"new\":{\"description\":\"d\","
	    "\"of_old\":[1,{}],\"hostname\":\"h\"}}";
	static const char bad[] = "{\"what\":\"put\",\"object\":"
	    "\"agent/1\",\"new\":{\"hostname\":7,\"description\":\"e\"}}";
	static const char turned[] = "{\"new\":{\"description\":\"f\"},"
	    "\"head\":77,\"object\":\"agent/1\",\"what\":\"put\"}";
	struct agent *a;
	size_t i, n;
	char *line;

	fresh();
	a = add_agent("a");
	add_check(a, "one");
	commit();
	change_store(NULL);
	dump(before);
	for (i = 0; i < COUNT(odd); i++) {
		change_replay(str_of(odd[i]), &why);
		dump(after);
		CHECK_ROW(i, alike(before, after));
	}
	/* Cut before its object is whole, a line applies nothing. */
	line = lines[1];
	n = strlen(line);
	for (i = 0; i + 1 < n; i++)
		change_replay((struct str){ line, i }, &why);
	dump(after);
	CHECK(alike(before, after));
	/* What a later version dropped is passed over; a field that cannot
	 * be taken costs that field, and is told. */
	CHECK(change_replay(STR(unset), &why) == 0);
	CHECK(strcmp(model_agent(1)->hostname, "h") == 0 &&
	    strcmp(model_agent(1)->description, "d") == 0);
	CHECK(change_replay(STR(bad), &why) == -1 &&
	    strncmp(why.msg, "hostname: ", 10) == 0);
	CHECK(strcmp(model_agent(1)->hostname, "h") == 0 &&
	    strcmp(model_agent(1)->description, "e") == 0);
	/* The order of its members is nothing. */
	CHECK(change_replay(STR(turned), &why) == 0);
	CHECK(strcmp(model_agent(1)->description, "f") == 0 &&
	    model_agent(1)->o.stepped_seq == 77);
}

/* Damage took the record that removed the check: its agent goes all the
 * same, and nothing points at it then. */
static void
test_agent_with_checks(void)
{
	struct agent *a;

	fresh();
	a = add_agent("a");
	add_check(a, "one");
	commit();
	change_store(NULL);
	change_replay(STR("{\"what\":\"delete\",\"object\":\"agent/1\"}"),
	    &why);
	if (model_agent(1) == NULL)
		CHECK(model_count(KIND_CHECK) == 0);
	else
		CHECK(model_agent(1)->checks == model_check_by_id(1));
}

/* The mark is of what is committed. */
static void
test_mark(void)
{
	char text[96];
	struct buf b = BUF(text);

	fresh();
	change_mark(&b);
	CHECK(b.n == 0);
	add_agent("a");
	commit();
	add_agent("b");
	change_mark(&b);
	CHECK(str_is(str_from(&b), "1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaa"));
	b.n = 0;
	change_store(NULL);
	change_mark(&b);
	CHECK(b.n == 0);
}

int
main(void)
{
	test_mark();
	test_ids();
	test_undone_removal();
	test_round_trip(false);
	test_revision();
	test_round_trip(true);
	test_no_room();
	test_odd_lines();
	test_agent_with_checks();
	fresh();
	return test_end();
}
