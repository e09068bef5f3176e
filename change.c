/* change.c: see change.h. */
#include <assert.h>

#include "change.h"
#include "json.h"
#include "log.h"

static struct store *store;
static uint64_t replay_from;
static bool unwritten;

static struct undo {
	enum kind kind;
	uint64_t id;
	struct object *was;	/* NULL: it was made */
} undos[CHANGE_UNDO_MAX];
static size_t undo_n;

static char body_room[STORE_LINE_MAX];

void
change_store(struct store *s)
{
	store = s;
	unwritten = unwritten && s != NULL;	/* a start begins */
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

void
change_mark(struct buf *b)
{
	char hash[65];
	uint64_t n = store == NULL ? 0 : store_journal_n(store, hash);

	if (n > 0)
		buf_addf(b, "%llu:%s", (unsigned long long)n, hash);
}

/* What clients set of a check moves what its agent must fetch. */
static void
revise(enum kind k, const struct object *o, const struct object *was, int by)
{
	if (k == KIND_CHECK && (was == NULL || model_differs(k, o, was)))
		((const struct check *)o)->agent->revision += by;
}

/* Begin a record; id 0: it is of no object. */
static void
begin(struct buf *b, const struct change *ch, const char *what,
    enum kind k, uint64_t id)
{
	buf_init(b, body_room, sizeof body_room);
	json_put_time(json_key(b, "at"), ch->at_ms);
	json_add(b, "by", str_of(ch->by));
	json_add(b, "what", str_of(what));
	if (id != 0) {
		buf_addz(json_key(b, "object"), "\"");
		buf_addz(b, model_kinds[k].name);
		buf_addc(b, '/');
		buf_addu(b, id);
		buf_addc(b, '"');
	}
	json_add(b, "origin", str_of(ch->origin));
	json_add_int(b, "head", (int64_t)store_head_seq(store));
}

/* Journal the step from live (NULL: it is made) to draft (it is removed). */
static int
journal(enum kind k, const struct object *live, const struct object *draft,
    const struct change *ch, struct fail *why)
{
	struct buf b;

	if (store == NULL) {
		unwritten = true;
		return 0;
	}
	if (!ch->keep && undo_n == CHANGE_UNDO_MAX)
		return fail(why, "too many changes at once");
	begin(&b, ch, draft != NULL ? "put" : "delete", k, live != NULL ?
	    live->id : draft->id != 0 ? draft->id : model_next_id(k));
	if (live != NULL)
		model_kept(json_key(&b, "old"), k, live, draft);
	if (draft != NULL)
		model_kept(json_key(&b, "new"), k, draft, live);
	if (b.full)
		return fail(why, "a journal record would pass %d bytes",
		    STORE_LINE_MAX);
	return store_journal(store, str_from(&b), ch->keep, why);
}

static void
remember(enum kind k, uint64_t id, struct object *was, const struct change *ch)
{
	if (store == NULL || ch->keep)
		model_drop(k, was);
	else
		undos[undo_n++] = (struct undo){ k, id, was };
}

static void *
install(enum kind k, void *draft, const struct change *ch)
{
	struct object *was, *live = model_install(k, draft, &was);

	revise(k, live, was, 1);
	remember(k, live->id, was, ch);
	return live;
}

void *
change_put(enum kind k, void *draft, const struct change *ch, struct fail *why)
{
	const struct object *o = draft, *live = model_get(k, o->id);

	if (k == KIND_AGENT && live != NULL && model_differs(k, o, live))
		((struct agent *)draft)->revision++;
	if (journal(k, live, draft, ch, why) == 0)
		return install(k, draft, ch);
	model_drop(k, draft);
	return NULL;
}

void *
change_keep(enum kind k, void *draft, const struct change *ch)
{
	const struct object *o = draft;
	struct fail why;

	if (journal(k, model_get(k, o->id), o, ch, &why) == -1)
		log_line("%s %llu not journaled: %s", model_kinds[k].name,
		    (unsigned long long)o->id, why.msg);
	return install(k, draft, ch);
}

int
change_remove(enum kind k, uint64_t id, const struct change *ch,
    struct fail *why)
{
	struct object *o = model_get(k, id);

	assert(o != NULL);
	if (journal(k, o, NULL, ch, why) == -1)
		return -1;
	revise(k, o, NULL, 1);
	remember(k, id, model_remove(k, id), ch);
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
	for (; undo_n > 0; undo_n--)
		model_drop(undos[undo_n - 1].kind, undos[undo_n - 1].was);
}

void
change_failed(void)
{
	while (undo_n > 0) {
		struct undo *u = &undos[--undo_n];
		struct object *live = model_get(u->kind, u->id);

		if (live == NULL) {	/* it was removed */
			live = model_install(u->kind, u->was, NULL);
			revise(u->kind, live, NULL, -1);
			continue;
		}
		revise(u->kind, live, u->was, -1);
		if (u->was != NULL)
			model_revert(u->kind, live, u->was);
		else
			u->was = model_remove(u->kind, u->id);
		model_drop(u->kind, u->was);
	}
}

/* ---- reading back ---- */

/* Members of a record, and where they stand; NULL and 0: it has none. */
static const char *const members[] = { "what", "object", "head", "new" };
enum { WHAT, OBJECT, HEAD, NEW };

/* All in one pass, for a start may read many records; "new", the most of
 * each, is behind the others, and read by those who want it. */
static void
get_members(struct str line, struct str raw[COUNT(members)])
{
	struct json j = JSON(line);
	const char *const *member;
	struct str key, value;

	memset(raw, 0, COUNT(members) * sizeof *raw);
	json_next(&j, &key);
	while (json_next(&j, &key) == JSON_KEY) {
		member = STR_ROW(members, key);
		if (member == &members[NEW] && raw[HEAD].p != NULL) {
			raw[NEW] = str_after(line, j.pos);
			return;
		}
		if (json_value(&j, &value) == JSON_BAD)
			return;
		if (member != NULL)
			raw[member - members] = value;
	}
}

static int
replay_put(enum kind k, uint64_t id, const struct str *raw_of, bool snapshot,
    struct fail *why)
{
	const struct field *f;
	struct object *o, *was;
	const struct check *c;
	int64_t head = 0;
	enum json_tok tok;
	struct str key, raw;
	struct json j = JSON(raw_of[NEW]);
	struct fail bad;
	int rc = 0;

	if (!str_starts(raw_of[NEW], STR("{")))
		return fail(why, "no new object");
	o = model_draft(k, model_get(k, id));
	c = (const struct check *)o;
	o->id = id;
	json_next(&j, &key);
	while ((tok = json_next(&j, &key)) == JSON_KEY) {
		f = model_field(k, key);
		tok = json_value(&j, &raw);
		/* One that later versions dropped is passed over; one that
		 * cannot be taken any more costs that field. */
		if (f != NULL && f->type != FIELD_SHOW &&
		    model_set(k, o, f, tok, raw, &bad) == -1 && rc == 0)
			rc = fail(why, "%s: %s", f->name, bad.msg);
	}
	if (tok == JSON_BAD) {
		model_drop(k, o);
		return fail(why, "its new object is cut");
	}
	if (k == KIND_CHECK &&
	    (model_agent(c->agent_id) == NULL || c->type == NULL)) {
		model_drop(k, o);
		return fail(why, "a check without its agent");
	}
	o = model_install(k, o, &was);
	if (!snapshot)
		revise(k, o, was, 1);
	model_drop(k, was);
	(void)json_int(raw_of[HEAD], 0, INT64_MAX, &head);
	o->stepped_seq = (uint64_t)head;
	return rc;
}

int
change_replay(struct str line, struct fail *why)
{
	char what[32], object[64];
	struct str id, name, raw[COUNT(members)];
	int64_t head, next;
	struct object *o;
	enum kind k;
	uint64_t n;
	bool kept;

	get_members(line, raw);
	if (json_unescape(raw[WHAT], what, sizeof what) == -1)
		return 0;
	/* The first of a snapshot: counters, and where the head stood. */
	if (strcmp(what, "counters") == 0) {
		if (json_int(raw[HEAD], 0, INT64_MAX, &head) == -1 ||
		    !str_starts(raw[NEW], STR("{")))
			return fail(why, "no counters");
		replay_from = (uint64_t)head;
		for (k = 0; k < KINDS; k++)
			if (check_param_int(raw[NEW], model_kinds[k].name, 1,
			    INT64_MAX, &next) == 0)
				model_used_id(k, (uint64_t)next - 1);
		return 0;
	}
	kept = strcmp(what, "kept") == 0;
	/* Others are told for people only; the first line says nothing. */
	if (!kept && strcmp(what, "put") != 0 && strcmp(what, "delete") != 0)
		return 0;
	(void)json_unescape(raw[OBJECT], object, sizeof object);
	id = str_of(object);		/* "check/17" */
	if (str_cut(&id, '/', &name) == -1 || model_kind(name, &k) == -1 ||
	    str_u64(id, 1, INT64_MAX, &n) == -1)
		return fail(why, "no object that is known");
	if (what[0] != 'd')
		return replay_put(k, n, raw, kept, why);
	o = model_get(k, n);
	if (o == NULL)
		return fail(why, "removes what is not there");
	/* The records that removed its checks may have been damaged. */
	while (k == KIND_AGENT && ((struct agent *)o)->checks != NULL)
		model_drop(KIND_CHECK, model_remove(KIND_CHECK,
		    ((struct agent *)o)->checks->o.id));
	revise(k, o, NULL, 1);
	model_drop(k, model_remove(k, n));
	return 0;
}

void
change_replayed(uint64_t head)
{
	struct object *o;
	enum kind k;

	for (k = 0; k < KINDS; k++)
		MODEL_ALL(o, k)
			if (o->stepped_seq > head)
				o->stepped_seq = head;
}

/* ---- the snapshot ---- */

int
change_snapshot(const struct store_job *job, int64_t at_ms, struct fail *why)
{
	struct change ch = { "server", "server", at_ms, true };
	const struct object *o;
	struct buf b;
	enum kind k;

	if (store_snapshot_begin(store, job, at_ms, why) == -1)
		return -1;
	begin(&b, &ch, "counters", KINDS, 0);
	json_obj(json_key(&b, "new"));
	for (k = 0; k < KINDS; k++)
		json_add_int(&b, model_kinds[k].name,
		    (int64_t)model_next_id(k));
	json_obj_end(&b);
	store_snapshot_put(store, str_from(&b));
	/* Settings are of the file, until they have their own. */
	for (k = 0; k < KIND_SETTING; k++)
		MODEL_ALL(o, k) {
			begin(&b, &ch, "kept", k, o->id);
			model_kept(json_key(&b, "new"), k, o, NULL);
			store_snapshot_put(store, str_from(&b));
		}
	return store_snapshot_end(store, why);
}
