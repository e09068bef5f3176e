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

/* One call on its way: what was asked, and by whom. */
struct call {
	struct api_call *c;
	struct key *key;		/* NULL: without */
	enum role role;
	char by[32];			/* "key:3" */
	enum kind kind;
	const struct check_type *type;	/* of process_check ..., or NULL */
	char resource[48];		/* "agent" */
	char item[64], sub[32];		/* after it, "" when not there */
	uint64_t id;			/* item as a number, or 0 */
};

/* A field of a body that is wrong, or the whole body: always -1. */
int api_bad(struct call *k, int status, const char *field,
    const struct fail *why);

struct watch_now api_now(const struct call *k);
struct change api_change(const struct call *k, bool keep);

/* Answer with what is in c->out as JSON. */
void api_json(struct call *k, int status);

/* The store could not take it: 503. */
void api_no_room(struct call *k, const struct fail *why);

/* The body as one valid JSON object; 0, or -1 with the error answered. */
int api_body(struct call *k);

/* How objects of this call look. */
struct model_view api_view(const struct call *k);

/* May this key see the object? */
bool api_sees(const struct call *k, enum kind kind, const struct object *o);

/* "/api/v1/check/17/", ".../process_check/17/" or 17: the check's id. */
int api_check_ref(struct str s, uint64_t *id);

/* An agent was heard with this call, and that is stored.  0, or -1
 * (answered). */
int api_heard(struct call *k, struct agent *a);

typedef void api_fn(struct call *k);
api_fn api_list, api_get, api_post, api_put, api_delete, api_test;
api_fn api_history, api_history_one, api_history_post, api_history_patch;
api_fn api_events, api_event, api_root, api_schema;
api_fn page_status, page_home, page_health;

/* 400 "FIELD: what": always -1. */
int api_wrong(struct call *k, const char *field, const char *what);

/* The query, one parameter a call, unescaped; limit, offset and format are
 * taken by the way.  1, 0 at its end, -1 (answered).  Begin with rest. */
struct api_query {
	struct str rest;
	char name[64], value[256];
	int64_t limit, offset;		/* 0 before the first call */
	char text[1024];		/* what else there was, for next */
	struct buf again;
};
void api_query(const struct call *k, struct api_query *q);
int api_param(struct call *k, struct api_query *q);

/* The meta of a list; total -1: not known.  next (may be NULL): the address
 * of the next page, else by offset. */
void api_meta(struct call *k, const struct api_query *q, int64_t total,
    const char *next);

extern struct store *api_the_store;
extern const char *api_sick;	/* why /healthz is 503, or NULL */

#endif
