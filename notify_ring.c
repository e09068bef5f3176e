/* notify_ring.c: who saw what: emergencies, and links; see notify_impl.h. */
#include <stdio.h>

#include "key.h"
#include "log.h"
#include "notify_impl.h"

/* Is it still to be told of an incident: is that bad, and nobody's? */
static bool
is_owed(const struct incident *in)
{
	return in != NULL && in->closed == 0 && in->acknowledged == 0;
}

/* Is all that a delivery tells of over, or acknowledged? */
static bool
is_over(const struct delivery *d)
{
	struct str rest = str_of(d->items);
	struct model_item i = { .first = 0 };
	bool any = false;
	uint64_t id;

	while ((id = model_item_id(&rest, &i)) != 0) {
		if (is_owed(model_incident(id)))
			return false;
		any = true;
	}
	return any;		/* a test is of nothing, and ends by itself */
}

int64_t
notify_ring_ms(const struct delivery *d)
{
	return !d->ring_ends && is_over(d) ? 0 : d->ring_ms;
}

enum errand
notify_ring_errand(struct delivery *d)
{
	d->ring_ends = is_over(d);
	return d->ring_ends ? CANCEL : ASK;
}

/* ---- links ---- */

/* What only this server can have written behind a delivery's number. */
static void
put_token(struct buf *b, uint64_t id)
{
	char use[32], token[KEY_TEXT];

	snprintf(use, sizeof use, "seen %llu", (unsigned long long)id);
	key_derive("vl_", str_of(model_setting()->link_secret), str_of(use),
	    token);
	buf_addz(b, token);
}

void
notify_link(struct buf *b, const struct delivery *d)
{
	buf_addf(b, MODEL_SEEN "%llu-", (unsigned long long)d->o.id);
	put_token(b, d->o.id);
}

struct delivery *
notify_linked(struct str path)
{
	struct str rest = str_after(path, sizeof MODEL_SEEN - 1), number;
	char text[KEY_TEXT];
	struct buf token = BUF(text);
	uint64_t id;

	if (!str_starts(path, STR(MODEL_SEEN)) ||
	    str_cut(&rest, '-', &number) == -1 ||
	    str_u64(number, 1, INT64_MAX, &id) == -1 ||
	    rest.n != KEY_TEXT - 1 || model_setting()->link_secret[0] == '\0')
		return NULL;
	put_token(&token, id);
	return key_same((const unsigned char *)rest.p,
	    (const unsigned char *)text, KEY_TEXT - 1) ? model_delivery(id) :
	    NULL;
}

/* That it was seen proves that it arrived, whatever the other side said. */
static struct delivery *
seen_first(struct delivery *d, struct str where, int64_t at_ms,
    const struct watch_now *now)
{
	struct recipient *r = model_recipient(d->recipient);
	bool news = d->sent == 0 && d->state != DELIVERY_SENDING;

	d = model_draft(KIND_DELIVERY, d);
	d->seen = at_ms;
	model_text(&d->device, where);
	if (d->state != DELIVERY_SENDING)
		d->state = DELIVERY_SEEN;
	if (news)
		d->sent = at_ms;
	d = notify_put(d, now);
	if (r != NULL)
		r->fails_ms = 0;
	if (news)
		notify_proven(d, now);
	return d;
}

void
notify_seen(struct delivery *d, struct str where, struct str comment,
    int64_t at_ms, const struct watch_now *now)
{
	struct change ch = { "outbox", "server", now->now_ms, true };
	struct model_item i = { .first = 0 };
	const struct recipient *r;
	struct incident *in;
	struct str rest;
	uint64_t id;

	if (d->seen == 0)
		d = seen_first(d, where, at_ms, now);
	r = model_recipient(d->recipient);
	rest = str_of(d->items);
	while ((id = model_item_id(&rest, &i)) != 0) {
		if (i.status == STATUS_OK || !is_owed(model_incident(id)))
			continue;
		in = model_draft(KIND_INCIDENT, model_incident(id));
		in->acknowledged = now->now_ms;
		in->acknowledged_until = 0;
		model_textf(&in->acknowledged_by, "%s (%.*s)", r == NULL ? "?" :
		    r->name, (int)where.n, where.p);
		if (comment.n > 0)
			model_text(&in->comment, comment);
		notify_event(change_keep(KIND_INCIDENT, in, &ch));
	}
}

/* It rings no more; why nobody ended it, or "". */
static struct delivery *
stop(struct delivery *d, const char *why, const struct watch_now *now)
{
	d = model_draft(KIND_DELIVERY, d);
	d->rings = d->ring_ends = false;
	model_text(&d->last_error, str_of(why));
	if (why[0] != '\0')
		log_line("delivery %llu: %s", (unsigned long long)d->o.id, why);
	return notify_put(d, now);
}

/* When to ask again, or to try again to end it: in a 20th of the time that it
 * rings, within bounds, but not before what they asked for. */
static void
again_later(struct delivery *d, unsigned after_s, const struct watch_now *now)
{
	int64_t ms = (now->now_ms - d->sent) / 20, least = after_s *
	    (int64_t)1000;

	if (least < NOTIFY_RING_MS)
		least = NOTIFY_RING_MS;
	if (ms > NOTIFY_RING_MAX_MS)
		ms = NOTIFY_RING_MAX_MS;
	d->ring_ms = now->watch_ms + (ms > least ? ms : least);
}

void
notify_ring_ended(struct delivery *d, enum errand e,
    const struct channel_outcome *o, const struct watch_now *now)
{
	static const char unseen[] = "nobody saw it while it rang";
	bool yes = o->end == CHANNEL_ACCEPTED;

	if (!d->rings)
		return;
	if (yes && o->seen_s > 0)
		notify_seen(stop(d, "", now), str_of(o->device[0] == '\0' ?
		    "phone" : o->device), STR(""), o->seen_s * 1000, now);
	else if (yes && (e == CANCEL || o->over))
		stop(d, e == CANCEL ? "" : unseen, now);
	else if (o->end == CHANNEL_REFUSED ||
	    now->now_ms - d->sent > NOTIFY_RINGS_MS)
		stop(d, yes ? unseen : o->reason, now);
	else
		again_later(d, o->after_s, now);
}
