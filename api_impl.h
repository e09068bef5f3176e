/*
 * api_impl.h: what the files of the API share, and nobody else.
 */
#ifndef API_IMPL_H
#define API_IMPL_H

#include "api.h"
#include "change.h"
#include "json.h"
#include "notify.h"
#include "store.h"
#include "watch.h"

#define API_VALUE_MAX	256	/* bytes of a query's parameter and a NUL */
#define API_FILTERS_MAX	8	/* filters of a list */
#define API_SORT_MAX	65536	/* objects that a list is made of */
#define API_SHOWN_MAX	1024	/* bytes of a computed value to filter by */
#define API_REF_MAX	128	/* bytes of the URI of a result's check */
#define API_AHEAD_MS	WATCH_AHEAD_MS	/* a result may be this far ahead */
#define API_POINTS	300	/* of a series by default */
#define API_POINTS_MAX	10000
#define API_REPLAY	8192	/* results before what is replayed, and as
				 * many in one call */
#define API_REPLAY_BYTES (256u << 10) /* of what they came to, and one more */
#define API_WHY		4096	/* records of the journal in one call */
#define API_WHY_MS	3600000	/* told of before, where nothing is wrong */
#define API_PACK_MIN	1024	/* bytes of an answer worth packing */
#define API_PACK_MAX	(1u << 20) /* and that do not take too long */

/* A path: RESOURCE/ (or a page's), RESOURCE/ID/ (and SUB/ after it),
 * RESOURCE/schema/. */
enum shape { LIST, OBJECT, SCHEMA, SHAPES };

/* One call on its way: what was asked, and by whom. */
struct call {
	struct api_call *c;
	struct key *key;		/* NULL: without */
	enum role role;
	struct agent *agent;		/* whose key it is, or NULL */
	char by[32];			/* "key:3" */
	struct watch_now now;
	struct change asked, decided;	/* decided: kept, whatever the disk */
	enum kind kind;
	const struct check_type *type;	/* of process_check ..., or NULL */
	enum shape shape;
	char resource[48];		/* "agent" */
	char item[64], sub[32];		/* after it, "" when not there */
	uint64_t id;			/* item as a number, or 0 */
};

/* ---- api_who.c ---- */

#define API_NEED_KEY "a valid key is needed: Authorization: Bearer KEY"

/* An agent's key is none without its agent. */
bool api_is_key(const struct key *k);

/* A browser says where a request that changes something comes from: only our
 * own pages may send one with the key it remembers.  Is it another's? */
bool api_foreign(const struct http_head *h);

/* The same address, over TLS: 0. */
int api_to_https(struct call *k);

/* A session for a code, its cookie added to the answer; NULL and why.  The end
 * of this call's. */
struct login_session;
const struct login_session *api_session(struct call *k, struct str code,
    struct fail *why);
void api_logout(struct call *k);

/* "FIELD: what" with this status, or with 400: always -1. */
#define api_refuse(k, status, field, what) \
	api_error((k)->c, status, field, "%s: %s", field, what)
#define api_wrong(k, field, what)	api_refuse(k, 400, field, what)

/* The store could not take it, 503: always -1. */
#define api_no_room(k, why) \
	api_error((k)->c, 503, NULL, "nothing was stored: %s", (why)->msg)

/* Answer with what is in c->out as JSON; or without a body.  0; -1: it is
 * too much, and that was answered. */
int api_json(struct call *k, int status);
int api_empty(struct call *k, int status);

/* A member that is the URI of "check/%llu" (a literal); one that is null. */
#define api_uri(b, name, fmt, ...) \
	buf_addf(json_key(b, name), "\"" MODEL_API fmt "/\"", __VA_ARGS__)
#define api_null(b, name)	json_put_null(json_key(b, name))

/* Is the body said to be JSON, and nothing else?  Is it one valid JSON
 * object, too?  0, or -1 with the error answered. */
int api_is_json(struct call *k);
int api_body(struct call *k);

/* An object as this call shows it. */
void api_show(struct call *k, const struct object *o);

/* The object that the path names, or NULL (answered).  A draft of it, or of a
 * new one (live NULL), with every member of the body; NULL: answered.  Is it
 * whole?  0, or -1: it was dropped, and that was answered. */
struct object *api_find(struct call *k);
struct object *api_draft(struct call *k, const struct object *live);
int api_check(struct call *k, enum kind kind, void *draft);

/* A result, and what is kept of it (row NULL: it was not read back). */
void api_show_result(struct buf *b, const struct store_result *r,
    const struct store_row *row);

/* How a check with this rule stood at a time, by its history; settled and
 * thinned_ms as in doc/api, "replay".  0, or -1: it cannot be read. */
struct api_stand {
	struct alert_state st;
	bool settled;
	int64_t thinned_ms;
};
int api_stand(struct check *c, int64_t at_ms, struct api_stand *s,
    struct fail *why);

/* ETag: the revision.  Is it the one that the client has? */
bool api_etag(struct call *k, int64_t revision);

/* May this call be told what is F_SECRET? */
#define api_trusts(k) \
	((k)->role == ROLE_OPERATOR || (k)->role == ROLE_ADMIN)

/* A field that this resource has, or NULL. */
const struct field *api_field(const struct call *k, const char *name);

/* The check of a request for /beat/TOKEN or, failed, /beat/TOKEN/fail; NULL:
 * there is none. */
struct check *api_beat(const struct http_head *h, bool *failed);

/* May this key see the object? */
bool api_sees(const struct call *k, enum kind kind, const struct object *o);

/* The type of a resource like process_check, or NULL. */
const struct check_type *api_type(struct str resource);

/* "/api/v1/check/17/", ".../process_check/17/" or 17: the check's id.  0 or
 * -1. */
int api_check_ref(struct str s, uint64_t *id);

/* The agent was heard with this call, and that is stored.  0, or -1
 * (answered). */
int api_heard(struct call *k);

/* The fields of a check that make its rule. */
#define API_RULE	"warn", "crit", "clear", "for_s", "hits", "of"

/* 0, or -1: it was answered with an error. */
typedef int api_fn(struct call *k);
api_fn api_list, api_get, api_put, api_delete, api_test, api_ack;
api_fn api_history, api_history_one, api_history_post, api_history_patch;
api_fn api_series, api_replay, api_why;
api_fn api_events, api_event, api_root, api_schema;
api_fn api_sessions, api_enter, api_leave, api_tls_key;
api_fn page_status, page_home, page_health, page_login, page_logout,
    page_beat, page_seen;

/* Read the query: limit, offset and format are taken by the way, each other
 * parameter is given to take, unescaped; it may write into name.  0, or -1
 * (answered), both. */
struct api_query {
	int64_t limit, offset;
	char text[1024];		/* what else there was, for next */
	struct buf again;
};
typedef int api_take(struct call *k, char *name, const char *value, void *to);
int api_query(struct call *k, struct api_query *q, api_take *take, void *to);

/* Begin a list, and end it.  total -1: not known; next (may be NULL): the
 * address of the next page, else by offset. */
void api_meta(struct call *k, const struct api_query *q, int64_t total,
    const char *next);
int api_meta_end(struct call *k);

#endif
