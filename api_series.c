/* api_series.c: history as buckets: GET check/ID/series/.  See api.h. */

#include "api_impl.h"

struct ask {
	struct store_query q;
	int64_t points;
	char metric[STORE_NAME_MAX + 1];
};

static int
take_param(struct call *k, char *name, const char *value, void *to)
{
	struct ask *a = to;
	struct str v = str_of(value);

	if (strcmp(name, "from") == 0 || strcmp(name, "to") == 0)
		return str_time(v, name[0] == 'f' ? &a->q.from_ms :
		    &a->q.to_ms) == 0 ? 0 :
		    api_wrong(k, name, "a time as 2026-11-22T06:53:11Z");
	if (strcmp(name, "points") == 0)
		return str_i64(v, 1, API_POINTS_MAX, &a->points) == 0 ? 0 :
		    api_wrong(k, name, "a number of 1 to 10000");
	if (strcmp(name, "metric") == 0)
		return str_copy(a->metric, sizeof a->metric, v) == 0 ? 0 :
		    api_wrong(k, name, "at most 32 bytes");
	return api_wrong(k, name, "only from, to, points and metric");
}

/* One list: of each bucket what `which` says, or null. */
enum { T, MIN, AVG, MAX, STATUS };

static void
put_list(struct buf *b, const struct ask *a, const struct store_bucket *p,
    int which)
{
	int64_t width = a->q.to_ms + 1 - a->q.from_ms, i;

	json_arr(b);
	for (i = 0; i < a->points; i++, p++) {
		if (which == T)
			json_put_time(b, a->q.from_ms + width * i / a->points);
		else if (which == STATUS ? p->rows == 0 : p->sum.n == 0)
			json_put_null(b);
		else if (which == STATUS)
			json_put(b, str_of(status_name((enum status)
			    p->worst)));
		else
			json_put_milli(b, which == MIN ? p->sum.min :
			    which == MAX ? p->sum.max :
			    store_sum_mean(&p->sum));
	}
	json_arr_end(b);
}

int
api_series(struct call *k)
{
	static const char *const names[] = { "t", "min", "avg", "max",
	    "status" };
	static struct store_bucket bucket[API_POINTS_MAX];
	struct check *c = model_check_by_id(k->id);
	struct ask a = { .q = { .from_ms = -1, .to_ms = k->c->now_ms + 1 },
	    .points = API_POINTS };
	struct api_query q;
	struct fail why;

	if (c == NULL || !api_sees(k, KIND_CHECK, &c->o) ||
	    (k->type != NULL && k->type != c->type))
		return api_error(k->c, 404, NULL, "no check %s", k->item);
	if (api_query(k, &q, take_param, &a) == -1)
		return -1;
	/* The last day, unless it says otherwise. */
	if (a.q.from_ms == -1)
		a.q.from_ms = a.q.to_ms < STR_DAY_MS ? 0 : a.q.to_ms -
		    STR_DAY_MS;
	if (a.q.from_ms >= a.q.to_ms)
		return api_wrong(k, "from", "is not before to");
	if (a.points > a.q.to_ms - a.q.from_ms)
		return api_wrong(k, "points", "more than milliseconds");
	if (strcmp(a.metric, "value") == 0)
		a.metric[0] = '\0';
	a.q.to_ms--;			/* up to, not with */
	a.q.check = c->o.id;
	a.q.source = c->agent_id;
	if (store_series(api_the_store, &a.q, str_of(a.metric),
	    (unsigned)a.points, bucket, &why) == -1)
		return api_error(k->c, 503, NULL, "history cannot be read: %s",
		    why.msg);
	json_obj(k->c->out);
	for (int i = 0; i < (int)COUNT(names); i++) {
		json_key(k->c->out, names[i]);
		put_list(k->c->out, &a, bucket, i);
	}
	json_obj_end(k->c->out);
	return api_json(k, 200);
}
