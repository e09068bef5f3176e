/* notify_way.c: the attempts of notify.h.
 *
 * A way is a child that does errands at one endpoint, one after the other over
 * a connection it keeps.  Pushover and the mail server have one each; all
 * other recipients share the rest, each with one to itself while it is used.
 * So whoever does not answer holds up nobody else.
 */
#include <unistd.h>

#include "channel.h"
#include "log.h"
#include "notify_impl.h"

static struct way {
	int fd;			/* 0: no child */
	bool old;		/* made for settings that were changed since */
	bool sent;		/* handed to the child */
	enum errand errand;	/* what it is at, */
	uint64_t delivery;	/* and of which delivery */
	uint64_t recipient;	/* whose it was last, where it is shared */
	int64_t used_ms;	/* watch clock */
	char answer[CHILD_ANSWER + 1];
} ways[NOTIFY_WAYS];

#define ALL_WAYS(w)	((w) = ways; (w) < ways + NOTIFY_WAYS; (w)++)

/* What is due first, kept until a delivery changes: the loop asks often. */
static struct {
	bool known;
	int64_t due_ms;		/* INT64_MAX: nothing is queued */
	uint64_t id;
	int64_t ring_ms;	/* likewise, of what rings */
	uint64_t ring;
} first;

void
notify_changed(void)
{
	first.known = false;
}

struct delivery *
notify_put(struct delivery *d, const struct watch_now *now)
{
	struct change ch = { "outbox", "server", now->now_ms, true };

	notify_changed();
	return change_keep(KIND_DELIVERY, d, &ch);
}

static void
hang_up(struct way *w)
{
	if (w->fd > 0)
		close(w->fd);
	w->fd = 0;
	w->old = false;
}

/* Have a child, unless there is one.  0 or -1. */
static int
start(struct way *w, struct fail *why)
{
	int fd = w->fd;

	if (fd == 0)
		fd = child_start(0, str_of(model_setting()->ca_file), why);
	w->fd = fd == -1 ? 0 : fd;
	return fd == -1 ? -1 : 0;
}

/* An attempt was made to reach someone. */
static void
tried(struct recipient *r, bool yes, const struct watch_now *now)
{
	if (r != NULL && (yes || r->fails_ms == 0))
		r->fails_ms = yes ? 0 : now->watch_ms + 1;
}

void
notify_resume(const struct watch_now *now)
{
	struct incident *in;
	struct delivery *d;

	first.known = false;
	MODEL_ALL(d, KIND_DELIVERY) {
		d->ring_ms = now->watch_ms + NOTIFY_RING_MS;
		if (d->attempts > 0)
			tried(model_recipient(d->recipient), d->state ==
			    DELIVERY_ACCEPTED || d->state == DELIVERY_SEEN,
			    now);
		if (d->state != DELIVERY_SENDING)
			continue;
		d = model_draft(KIND_DELIVERY, d);
		d->state = d->seen != 0 ? DELIVERY_SEEN : DELIVERY_QUEUED;
		d->unknown = true;
		model_text(&d->last_error, STR("the server ended before the "
		    "answer came"));
		notify_put(d, now);
	}
	MODEL_ALL(in, KIND_INCIDENT)
		notify_event(in);
}

/* The way to a recipient, if it is free; or NULL. */
static struct way *
way_to(uint64_t id)
{
	const struct recipient *r = model_recipient(id);
	struct way *w, *best = NULL;

	if (r != NULL && (r->channel == TO_PUSHOVER || r->channel == TO_EMAIL))
		best = &ways[r->channel == TO_EMAIL];
	else for (w = ways + 2; w < ways + NOTIFY_WAYS; w++) {
		if (w->recipient == id) {
			best = w;
			break;
		}
		if (w->errand == IDLE &&
		    (best == NULL || w->used_ms < best->used_ms))
			best = w;
	}
	return best == NULL || best->errand != IDLE ? NULL : best;
}

/* Is an older one to the same recipient not done?  Then this one waits, or
 * an end might be read before its beginning. */
static bool
is_behind(const struct delivery *d)
{
	const struct delivery *older;

	MODEL_ALL(older, KIND_DELIVERY) {
		if (older == d || d->test)
			break;
		if (older->state < DELIVERY_ACCEPTED && !older->test &&
		    older->recipient == d->recipient)
			return true;
	}
	return false;
}

int64_t
notify_next(void)
{
	const struct delivery *d;

	if (first.known)
		return first.due_ms < first.ring_ms ? first.due_ms :
		    first.ring_ms;
	first.known = true;
	first.due_ms = first.ring_ms = INT64_MAX;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->rings && notify_ring_ms(d) < first.ring_ms &&
		    ways[0].errand == IDLE) {
			first.ring_ms = notify_ring_ms(d);
			first.ring = d->o.id;
		}
		if (d->state != DELIVERY_QUEUED || d->due_ms >= first.due_ms ||
		    is_behind(d) || way_to(d->recipient) == NULL)
			continue;
		first.due_ms = d->due_ms;
		first.id = d->o.id;
	}
	return notify_next();
}

/* Outside of its recipient's hours a delivery waits. */
static bool
waits_for_hours(struct delivery *d, const struct watch_now *now)
{
	const struct recipient *r = model_recipient(d->recipient);
	int64_t next, wait;

	if (r == NULL || d->test || r->when.n == 0 ||
	    hours_hold(&r->when, now->now_ms))
		return false;
	next = hours_next(&r->when, now->now_ms);
	if (next == INT64_MAX)
		next = now->now_ms + HOURS_AHEAD_MS;
	if (d->next != next) {
		d = model_draft(KIND_DELIVERY, d);
		d->next = next;
		d = notify_put(d, now);
	}
	wait = next - now->now_ms;
	d->due_ms = now->watch_ms + (wait < NOTIFY_HOURS_MS ? wait :
	    NOTIFY_HOURS_MS);		/* the clock may be set meanwhile */
	first.known = false;
	return true;
}

/* What follows a message waits for the end of its group. */
static void
group(struct recipient *r, const struct watch_now *now)
{
	if (r != NULL)
		r->quiet_ms = now->watch_ms + NOTIFY_GROUP_MS;
}

/* What is due longest first, as long as there are free ways. */
static void
begin(const struct watch_now *now)
{
	struct delivery *d;
	struct way *w;

	while (notify_next() <= now->watch_ms &&
	    first.due_ms <= now->watch_ms) {
		d = model_delivery(first.id);
		if (waits_for_hours(d, now))
			continue;
		w = way_to(d->recipient);
		if (w == NULL) {	/* taken since it was looked for */
			first.known = false;
			continue;
		}
		if (w - ways >= 2 && w->recipient != d->recipient)
			hang_up(w);
		d = model_draft(KIND_DELIVERY, d);
		d->state = DELIVERY_SENDING;
		d->attempts++;
		d->next = 0;
		group(model_recipient(d->recipient), now);
		w->recipient = d->recipient;
		w->sent = false;
		w->errand = TELL;
		w->delivery = notify_put(d, now)->o.id;
	}
	/* News come first. */
	if (first.ring_ms > now->watch_ms)
		return;
	d = model_delivery(first.ring);
	ways[0].recipient = d->recipient;
	ways[0].sent = false;
	ways[0].errand = notify_ring_errand(d);
	ways[0].delivery = first.ring;
	first.known = false;
}

void
notify_due(const struct watch_now *now)
{
	struct way *w;

	notify_look(now);
	begin(now);
	for ALL_WAYS(w)
		if (w->errand == IDLE && now->watch_ms - w->used_ms >
		    NOTIFY_IDLE_MS)
			hang_up(w);
}

static int
hand_over(struct way *w, const struct delivery *d, struct fail *why)
{
	static char job[CHILD_JOB_MAX];
	struct buf b = BUF(job);

	if ((w->errand == TELL ? notify_job(d, &b, why) :
	    w->errand == BEAT ? notify_job_well(&b, why) :
	    notify_job_ring(d, w->errand, &b, why)) == -1)
		return -1;
	if (w->old)
		hang_up(w);
	return start(w, why) == -1 ? -1 : child_job(w->fd, str_from(&b), why);
}

/* 5 s, 10 s, 20 s ... and a little apart, so that not all come at once. */
static int64_t
back_off(const struct delivery *d, int64_t asked_ms)
{
	int64_t ms = (int64_t)NOTIFY_BACKOFF_MS << (d->attempts < 10 ?
	    d->attempts - 1 : 9);

	if (ms > NOTIFY_BACKOFF_MAX_MS)
		ms = NOTIFY_BACKOFF_MAX_MS;
	ms += ms / 10 * (int64_t)((d->o.id * 7 + (uint64_t)d->attempts * 3)
	    % 8) / 8;
	return ms > asked_ms ? ms : asked_ms;
}

/* The end of an attempt to tell. */
static void
told(struct delivery *d, const struct channel_outcome *o,
    const struct watch_now *now)
{
	int64_t asked_ms = (int64_t)o->after_s * 1000;
	bool yes = o->end == CHANNEL_ACCEPTED;
	struct recipient *r = model_recipient(d->recipient);

	tried(r, yes || d->seen != 0, now);
	group(r, now);
	d = model_draft(KIND_DELIVERY, d);
	d->code = o->code;
	d->ended_ms = now->watch_ms;
	d->unknown = d->unknown || o->end == CHANNEL_UNKNOWN;
	model_text(&d->last_error, str_of(yes ? "" : o->reason));
	if (yes || d->seen != 0) {
		d->state = d->seen != 0 ? DELIVERY_SEEN : DELIVERY_ACCEPTED;
		d->sent = now->now_ms;
		model_text(&d->request, str_of(o->id));
		model_text(&d->receipt, str_of(o->receipt));
		d->rings = o->receipt[0] != '\0';
		d->ring_ms = now->watch_ms + NOTIFY_RING_MS;
	} else if (o->end == CHANNEL_REFUSED || (now->now_ms - d->queued >
	    NOTIFY_GIVE_UP_MS && d->attempts >= NOTIFY_GIVE_UP_TRIES)) {
		d->state = DELIVERY_GIVEN_UP;
	} else {
		d->state = DELIVERY_QUEUED;
		d->due_ms = now->watch_ms + back_off(d, asked_ms);
		d->floor_ms = now->watch_ms + asked_ms;
		d->next = now->now_ms + (d->due_ms - now->watch_ms);
	}
	if (!yes)
		log_line("delivery %llu to %s, attempt %lld: %s%s",
		    (unsigned long long)d->o.id, r == NULL ? "?" : r->name,
		    (long long)d->attempts, o->reason,
		    d->state == DELIVERY_GIVEN_UP ? "; given up" : "");
	d = notify_put(d, now);
	notify_again(d);
	notify_proven(d, now);
}

/* ---- that all is well ---- */

static int64_t well_ms;		/* watch clock: when to say so next */

void
notify_well(const struct watch_now *now)
{
	const struct setting *s = model_setting();
	struct way *w = way_to(0);

	if (s->heartbeat[0] == '\0' || now->watch_ms < well_ms || w == NULL)
		return;
	if (w->recipient != 0)
		hang_up(w);
	w->recipient = 0;
	w->sent = false;
	w->errand = BEAT;
	first.known = false;
	well_ms = now->watch_ms + s->heartbeat_ms;
}

/* What watches us says itself when it hears nothing; the log says why. */
static void
well_told(const struct channel_outcome *o)
{
	static bool failed;
	bool yes = o->end == CHANNEL_ACCEPTED;

	if (yes == failed)
		log_line("heartbeat: %s", yes ? "it is taken again" :
		    o->reason);
	failed = !yes;
}

static void
ended(struct way *w, const struct channel_outcome *o,
    const struct watch_now *now)
{
	struct delivery *d = model_delivery(w->delivery);
	enum errand errand = w->errand;
	struct channel_outcome out = *o;

	/* A quota may last for a day; a fault is not to mute us for one. */
	if (out.code != 429 && out.after_s > NOTIFY_BACKOFF_MAX_MS / 1000)
		out.after_s = NOTIFY_BACKOFF_MAX_MS / 1000;
	w->errand = IDLE;
	w->used_ms = now->watch_ms;
	first.known = false;
	if (errand == BEAT)
		well_told(&out);
	else if (d != NULL && errand == TELL)
		told(d, &out, now);
	else if (d != NULL)
		notify_ring_ended(d, errand, &out, now);
}

/* It ended by our side's failure, and the child with it. */
static void
lost(struct way *w, const char *reason, enum channel_end end,
    const struct watch_now *now)
{
	struct channel_outcome o = { .end = end };

	str_copy(o.reason, sizeof o.reason, str_of(reason));
	hang_up(w);
	ended(w, &o, now);
}

static void
send_on(struct way *w, const struct watch_now *now)
{
	struct delivery *d = model_delivery(w->delivery);
	struct fail why;

	if (w->sent || w->errand == IDLE)
		return;
	w->sent = true;
	if (d == NULL && w->errand != BEAT)
		w->errand = IDLE;	/* it is removed */
	else if (hand_over(w, d, &why) == -1)
		lost(w, why.msg, model_recipient(w->recipient) == NULL ?
		    CHANNEL_REFUSED : CHANNEL_RETRY, now);
}

void
notify_send(const struct watch_now *now)
{
	struct way *w;

	for ALL_WAYS(w)
		send_on(w, now);
}

/* Where there is somebody to tell, a child reads the trust anchors before it
 * is in a hurry: of a whole system's that takes longer than all else. */
void
notify_reload(void)
{
	struct fail why;
	struct way *w;

	for ALL_WAYS(w) {
		if (w->errand == IDLE)
			hang_up(w);
		else
			w->old = true;	/* the next has a new child */
	}
	well_ms = 0;
	if (model_count(KIND_RECIPIENT) > 0)
		(void)start(&ways[0], &why);	/* or later, then */
}

int
notify_fd(unsigned i)
{
	return ways[i].fd > 0 ? ways[i].fd : -1;
}

void
notify_ready(unsigned i, const struct watch_now *now)
{
	struct channel_outcome o;
	struct way *w = &ways[i];
	int rc = w->fd > 0 ? child_answer(w->fd, w->answer) : 0;

	if (rc == -1 && w->errand == IDLE)
		hang_up(w);
	else if (rc == -1)
		lost(w, "the delivery's child ended without an answer",
		    CHANNEL_UNKNOWN, now);
	else if (rc == 1 && channel_outcome_get(w->answer, &o) == -1)
		lost(w, "an answer that cannot be read", CHANNEL_UNKNOWN,
		    now);
	else if (rc == 1)
		ended(w, &o, now);
}
