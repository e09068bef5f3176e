/* change.c: see change.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "json.h"
#include "log.h"

#define UNDO_MAX	4096	/* changes of clients in one batch */

static struct store *store;
static uint64_t replay_from;
static bool unwritten;

static struct undo {
	enum kind kind;
	uint64_t id;
	struct object *was;	/* NULL: it was made */
	bool removed;
} undos[UNDO_MAX];
static size_t undo_n;

static char body_room[STORE_LINE_MAX];

void
change_store(struct store *s)
{
	store = s;
}

uint64_t
change_replay_from(void)
{
	return replay_from;
}

bool
change_unwritten(void)
{
	return unwritten;
}

/* What clients set of a check moves what its agent must fetch. */
static void
revise(enum kind k, const struct object *o, const struct object *was, int by)
{
	const struct check *c = (const void *)o;

	if (k == KIND_CHECK && c->agent != NULL &&
	    (was == NULL || model_differs(k, o, was)))
		c->agent->revision += by;
}

static void
head_of(struct buf *b, const struct change *ch, const char *what,
    enum kind k, uint64_t id)
{
	buf_addf(b, "\"at\":");
	json_put_time(b, ch->at_ms);
	json_add(b, "by", str_of(ch->by));
	buf_addf(b, ",\"what\":\"%s\",\"object\":\"%s/%llu\"", what,
	    model_kinds[k].name, (unsigned long long)id);
	json_add(b, "origin", str_of(ch->origin));
	buf_addf(b, ",\"head\":%llu", (unsigned long long)
	    (store == NULL ? 0 : store_head_seq(store)));
}

static int
journal(const struct buf *b, const struct change *ch, struct fail *why)
{
	if (b->full)
		return fail(why, "a journal record would pass %d bytes",
		    STORE_LINE_MAX);
	return store_journal(store, str_from(b), ch->keep, why);
}

static int
journal_put(enum kind k, const struct object *draft, const struct object *live,
    const struct change *ch, struct fail *why)
{
	struct buf b;

	if (store == NULL) {
		unwritten = true;
		return 0;
	}
	if (!ch->keep && undo_n == UNDO_MAX)
		return fail(why, "too many changes at once");
	buf_init(&b, body_room, sizeof body_room);
	head_of(&b, ch, "put", k, draft->id != 0 ? draft->id :
	    model_next_id(k));
	if (live != NULL) {
		json_key(&b, "old");
		model_kept(&b, k, live, draft);
	}
	json_key(&b, "new");
	model_kept(&b, k, draft, live);
	return journal(&b, ch, why);
}

static void
remember(enum kind k, uint64_t id, struct object *was, bool removed,
    const struct change *ch)
{
	if (store == NULL || ch->keep) {
		model_drop(k, was);
		return;
	}
	undos[undo_n++] = (struct undo){ k, id, was, removed };
}

static struct object *
install(enum kind k, struct object *draft, const struct change *ch)
{
	struct object *was, *live = model_install(k, draft, &was);

	revise(k, live, was, 1);
	remember(k, live->id, was, false, ch);
	return live;
}

struct object *
change_put(enum kind k, struct object *draft, const struct change *ch,
    struct fail *why)
{
	struct object *live = draft->id == 0 ? NULL : model_get(k, draft->id);

	if (k == KIND_AGENT && live != NULL && model_differs(k, draft, live))
		((struct agent *)draft)->revision++;
	if (journal_put(k, draft, live, ch, why) == 0)
		return install(k, draft, ch);
	model_drop(k, draft);
	return NULL;
}

struct object *
change_keep(enum kind k, struct object *draft, const struct change *ch)
{
	struct object *live = draft->id == 0 ? NULL : model_get(k, draft->id);
	struct fail why;

	if (journal_put(k, draft, live, ch, &why) == -1)
		log_line("%s %llu not journaled: %s", model_kinds[k].name,
		    (unsigned long long)draft->id, why.msg);
	return install(k, draft, ch);
}

int
change_remove(enum kind k, uint64_t id, const struct change *ch,
    struct fail *why)
{
	struct object *o = model_get(k, id);
	struct buf b;

	assert(o != NULL);
	if (store != NULL) {
		if (!ch->keep && undo_n == UNDO_MAX)
			return fail(why, "too many changes at once");
		buf_init(&b, body_room, sizeof body_room);
		head_of(&b, ch, "delete", k, id);
		json_key(&b, "old");
		model_kept(&b, k, o, NULL);
		if (journal(&b, ch, why) == -1)
			return -1;
	}
	revise(k, o, NULL, 1);
	remember(k, id, model_remove(k, id), true, ch);
	return 0;
}

bool
change_pending(void)
{
	return undo_n > 0;
}

void
change_committed(void)
{
	while (undo_n > 0) {
		undo_n--;
		model_drop(undos[undo_n].kind, undos[undo_n].was);
	}
}

void
change_failed(void)
{
	while (undo_n > 0) {
		struct undo *u = &undos[--undo_n];
		struct object *live = model_get(u->kind, u->id);

		if (u->removed) {
			live = model_install(u->kind, u->was, NULL);
			revise(u->kind, live, NULL, -1);
		} else if (u->was == NULL) {
			revise(u->kind, live, NULL, -1);
			model_drop(u->kind, model_remove(u->kind, u->id));
		} else {
			revise(u->kind, live, u->was, -1);
			model_revert(u->kind, live, u->was);
			model_drop(u->kind, u->was);
		}
	}
}

/* ---- reading back ---- */

static int
member_int(struct str line, const char *name, uint64_t *v)
{
	struct str raw;

	return json_member(line, name, &raw) == JSON_NUM &&
	    str_u64(raw, 0, INT64_MAX, v) == 0 ? 0 : -1;
}

/* "check/17". */
static int
member_object(struct str line, enum kind *k, uint64_t *id, struct fail *why)
{
	char text[64];
	struct str raw, name;

	if (json_member(line, "object", &raw) != JSON_STR ||
	    json_unescape(raw, text, sizeof text) == -1)
		return fail(why, "no object");
	raw = str_of(text);
	if (str_cut(&raw, '/', &name) == -1 || model_kind(name, k) == -1 ||
	    str_u64(raw, 1, INT64_MAX, id) == -1)
		return fail(why, "no object that is known");
	return 0;
}

/* Set what the record has; a field that later versions dropped is passed
 * over.  *configured: some of it is what agents fetch. */
static int
set_kept(enum kind k, struct object *draft, struct str members,
    bool *configured, struct fail *why)
{
	struct json j;
	struct str key, raw;
	enum json_tok tok;
	struct fail bad;
	int rc = 0;

	json_open(&j, members);
	json_next(&j, &key);
	while (json_next(&j, &key) == JSON_KEY) {
		const struct field *f = model_field(k, key);

		tok = json_value(&j, &raw);
		if (f == NULL || f->type == FIELD_SHOW)
			continue;
		if (f->flags & F_WRITE)
			*configured = true;
		/* One that cannot be taken any more costs that field. */
		if (model_set(k, draft, f, tok, raw, &bad) == -1 && rc == 0) {
			*why = bad;
			rc = fail_in(why, "%s", f->name);
		}
	}
	return rc;
}

static int
replay_put(enum kind k, uint64_t id, struct str line, bool snapshot,
    struct fail *why)
{
	struct object *live = model_get(k, id);
	struct object *draft = model_draft(k, live), *was;
	struct str raw;
	uint64_t head = 0;
	bool configured = false;
	int rc;

	draft->id = id;
	if (json_member(line, "new", &raw) != JSON_OBJ) {
		model_drop(k, draft);
		return fail(why, "no new object");
	}
	rc = set_kept(k, draft, raw, &configured, why);
	member_int(line, "head", &head);
	if (k == KIND_CHECK) {
		struct check *c = (struct check *)draft;

		c->stepped_seq = head;
		if (model_agent(c->agent_id) == NULL || c->type == NULL) {
			model_drop(k, draft);
			return fail(why, "a check without its agent");
		}
	}
	if (k == KIND_AGENT)
		((struct agent *)draft)->stepped_seq = head;
	live = model_install(k, draft, &was);
	if (k == KIND_CHECK && configured && !snapshot)
		((struct check *)live)->agent->revision++;
	model_drop(k, was);
	return rc;
}

/* The first record of a snapshot: counters, and where the head stood. */
static int
replay_counters(struct str line, struct fail *why)
{
	struct str raw;
	uint64_t v;
	unsigned k;

	if (member_int(line, "head", &replay_from) == -1 ||
	    json_member(line, "new", &raw) != JSON_OBJ)
		return fail(why, "no counters");
	for (k = 0; k < KINDS; k++)
		if (member_int(raw, model_kinds[k].name, &v) == 0 && v > 0)
			model_used_id((enum kind)k, v - 1);
	return 0;
}

static int
replay_delete(enum kind k, uint64_t id, struct fail *why)
{
	struct object *o = model_get(k, id);

	if (o == NULL)
		return fail(why, "removes what is not there");
	/* The records that removed its checks may have been damaged. */
	while (k == KIND_AGENT && ((struct agent *)o)->checks != NULL)
		model_drop(KIND_CHECK, model_remove(KIND_CHECK,
		    ((struct agent *)o)->checks->o.id));
	revise(k, o, NULL, 1);
	model_drop(k, model_remove(k, id));
	return 0;
}

int
change_replay(struct str line, struct fail *why)
{
	char what[32];
	struct str raw;
	enum kind k;
	uint64_t id;
	bool kept;

	if (json_member(line, "what", &raw) != JSON_STR ||
	    json_unescape(raw, what, sizeof what) == -1)
		return 0;		/* the file's own first line */
	if (strcmp(what, "counters") == 0)
		return replay_counters(line, why);
	kept = strcmp(what, "kept") == 0;
	if (!kept && strcmp(what, "put") != 0 && strcmp(what, "delete") != 0)
		return 0;		/* told for people only */
	if (member_object(line, &k, &id, why) == -1)
		return -1;
	return what[0] == 'd' ? replay_delete(k, id, why) :
	    replay_put(k, id, line, kept, why);
}

/* ---- the snapshot ---- */

static void
put_counters(const struct change *ch)
{
	struct buf b;
	unsigned k;

	buf_init(&b, body_room, sizeof body_room);
	buf_addf(&b, "\"at\":");
	json_put_time(&b, ch->at_ms);
	buf_addf(&b, ",\"by\":\"server\",\"what\":\"counters\",\"head\":%llu",
	    (unsigned long long)store_head_seq(store));
	json_key(&b, "new");
	json_obj(&b);
	for (k = 0; k < KINDS; k++) {
		json_key(&b, model_kinds[k].name);
		json_put_int(&b, (int64_t)model_next_id((enum kind)k));
	}
	json_obj_end(&b);
	store_snapshot_put(store, str_from(&b));
}

int
change_snapshot(int64_t at_ms, struct fail *why)
{
	struct change ch = { "server", "server", at_ms, true };
	struct buf b;
	unsigned k;
	size_t i;

	if (store_snapshot_begin(store, at_ms, why) == -1)
		return -1;
	put_counters(&ch);
	for (k = 0; k < KINDS; k++) {
		if (k == KIND_SETTING)
			continue;	/* of the file, until it has its own */
		for (i = 0; i < model_count((enum kind)k); i++) {
			const struct object *o = model_at((enum kind)k, i);

			buf_init(&b, body_room, sizeof body_room);
			head_of(&b, &ch, "kept", (enum kind)k, o->id);
			json_key(&b, "new");
			model_kept(&b, (enum kind)k, o, NULL);
			store_snapshot_put(store, str_from(&b));
		}
	}
	if (store_snapshot_end(store, why) == -1)
		return -1;
	unwritten = false;
	return 0;
}
