/*
 * api.h: the REST resources of DESIGN §5, and the pages beside them: one
 * table of routes (path, method, roles), JSON in and out.
 *
 * A call goes all the way: route, key, validation, model, rules, journal.
 * Nothing is applied by a call that is answered 4xx.  What it changed is
 * acknowledged only once the caller has committed it.
 */
#ifndef API_H
#define API_H

#include "http.h"
#include "model.h"

#define API_BODY_MAX	65536		/* bytes of a request's body */
#define API_RESULTS_MAX	(1u << 20)	/* and of one with results */
#define API_ANSWER_MAX	(8u << 20)	/* bytes of an answer */
#define API_LIMIT	20		/* objects of a list by default */
#define API_LIMIT_MAX	1000

struct api_call {
	const struct http_head *head;	/* in */
	struct str body;
	bool secure;			/* a key may be shown */
	bool tls;
	const char *peer;
	int64_t now_ms, watch_ms;

	uint64_t key;			/* set by api_refuse_early */
	int status;			/* out */
	const char *type;		/* of the body; NULL: none */
	struct buf *out;		/* the body: the caller's buffer */
	char extra_room[512];
	struct buf extra;		/* more fields of the head */
	unsigned wrote;			/* what must be committed before the
					 * answer: STORE_REPORTS ... */
	bool trusted;			/* it showed a valid key */
};

/* Where results go: set before the first call. */
struct store;
extern struct store *api_the_store;
#define api_store(s)		(api_the_store = (s))

/* How large a body this request may have. */
#define api_body_max(h) \
	(str_starts((h)->path, STR(MODEL_API "check_history")) ? \
	    API_RESULTS_MAX : API_BODY_MAX)

/* Why this request is refused before its body is read, or 0: go on.  c->key
 * becomes the key it shows, for api_handle; 0: none that is valid. */
int api_refuse_early(struct api_call *c, struct fail *why);

void api_handle(struct api_call *c);

/* An answer that is an error, in place of what there was: always -1. */
int api_error(struct api_call *c, int status, const char *field,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Why /healthz says 503: set by the server.  NULL: all is well. */
extern const char *api_sick;
#define api_health(reason)	(api_sick = (reason))

#endif
