/* notify.c: see notify.h. */
#include <stdio.h>
#include <unistd.h>

#include "channel.h"
#include "json.h"
#include "log.h"
#include "notify.h"

/* The one endpoint so far, its child, and what is on its way. */
static struct {
	int fd;			/* -1: no child */
	bool old;		/* made for settings that were changed since */
	uint64_t delivery;	/* on its way, or 0 */
	bool sent;		/* handed to the child */
	char answer[CHILD_ANSWER + 1];
} way = { .fd = -1 };

/* What is due first, kept until a delivery changes: the loop asks often. */
static struct {
	bool known;
	int64_t due_ms;		/* INT64_MAX: nothing is queued */
	uint64_t id;
} first;

static struct delivery *
put(struct delivery *d, const struct watch_now *now)
{
	struct change ch = { "outbox", "server", now->now_ms, true };

	first.known = false;
	return change_keep(KIND_DELIVERY, d, &ch);
}

/* ---- what is told to whom ---- */

/* An incident, and what is said of it: still, or, NULL, its newest change. */
struct news {
	const struct incident *in;
	const char *still;
};

/* What it is now, as people say it. */
static const char *
state_of(const struct incident *in)
{
	const struct agent *a = model_agent(in->agent);

	if (in->check == 0 && in->agent != 0 && in->status != STATUS_OK)
		return "silent";
	return in->check == 0 && a != NULL && a->enabled ? "up" :
	    status_name(in->status);
}

/* Can this one still take a line?  Nobody can have read it, and its items
 * have room for one more. */
static bool
is_open(const struct delivery *d)
{
	return d->state == DELIVERY_QUEUED && !d->unknown && !d->test &&
	    strlen(d->items) < NOTIFY_ITEMS_MAX - NOTIFY_ITEM_MAX;
}

/* Add an item and its line; past what a message holds, they are counted.  A
 * message that says of one incident that it came and went is titled by its
 * end. */
static void
add_item(struct delivery *d, const struct news *news)
{
	const struct incident *in = news->in;
	const char *text = news->still != NULL ? news->still : in->text;
	const char *p;
	unsigned n = 0;

	for (p = d->items; *p != '\0'; p++)
		n += *p == '[';
	n -= n > 0;			/* the list's own bracket */
	if (in->status > d->severity)
		d->severity = in->status;
	if (n == 0 || (n == 1 &&
	    model_delivery_says(d, in->o.id) != STATUS_NONE))
		model_textf(&d->title, "Vilicus alert: %s is %s %s",
		    in->what, news->still != NULL ? "still" : "now",
		    state_of(in));
	else
		model_textf(&d->title, "Vilicus alert: %u changes, worst %s",
		    n + 1, status_name(d->severity));
	if (n == 0 || strlen(d->message) + 1 + strlen(text) <
	    NOTIFY_MESSAGE_MAX)
		model_textf(&d->message, "%s%s%s", d->message, n == 0 ? "" :
		    "\n", text);
	/* The list goes on without its closing bracket. */
	model_textf(&d->items, "%.*s%c[%llu,\"%s\"]]", n == 0 ? 0 :
	    (int)strlen(d->items) - 1, d->items, n == 0 ? '[' : ',',
	    (unsigned long long)in->o.id, status_name(in->status));
}

/* Queue a line: to the open one that takes it, or NULL.  News do not wait for
 * a back-off, neither their own nor that of what must go before them; but for
 * what the other side asked they do. */
static void
queue(const struct recipient *r, struct delivery *open,
    const struct news *news, const struct watch_now *now)
{
	int64_t due = r->quiet_ms > now->watch_ms ? r->quiet_ms : now->watch_ms;
	struct delivery *d;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->state == DELIVERY_QUEUED && !d->test &&
		    d->recipient == r->o.id && due < d->due_ms)
			d->due_ms = due > d->floor_ms ? due : d->floor_ms;
	d = model_draft(KIND_DELIVERY, open);
	if (open == NULL) {
		d->recipient = r->o.id;
		d->queued = now->now_ms;
		d->due_ms = due;
	}
	d->event = news->still != NULL ? now->now_ms : news->in->changed;
	d->next = now->now_ms + (d->due_ms - now->watch_ms);
	add_item(d, news);
	put(d, now);
}

/* Tell one recipient of an incident as it now stands, if that is due.  A
 * recovery while its alarm is on its way waits for what becomes of that. */
static void
tell(const struct recipient *r, const struct incident *in,
    const struct watch_now *now)
{
	struct delivery *d, *has = NULL;	/* takes lines, and has it */
	struct delivery *open = NULL;		/* takes lines */
	enum status st = (enum status)in->status, last;
	enum status told = STATUS_OK;		/* or it may have been */
	bool ended = false;			/* that is told, or queued */
	bool any = false;			/* something was, or is */
	enum alert_tell t;

	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->recipient != r->o.id)
			continue;
		if (open == NULL && is_open(d))
			open = d;
		last = model_delivery_says(d, in->o.id);
		any = any || last != STATUS_NONE;
		if (last == STATUS_NONE ||
		    (d->state == DELIVERY_GIVEN_UP && !d->unknown))
			continue;
		ended = ended || last == STATUS_OK;
		if (is_open(d))
			has = d;
		else if (d->state >= DELIVERY_ACCEPTED || d->unknown)
			told = last > told ? last : told;
	}
	t = alert_tell((enum status)r->severity, told, st);
	if (st == STATUS_OK && has != NULL)
		t = ALERT_TELL_RECOVERY;
	if (t == ALERT_TELL_NOTHING || (st == STATUS_OK && ended) ||
	    (t == ALERT_TELL_ALARM && (!r->enabled ||
	    (r->after_s > 0 && !any))))
		return;
	queue(r, has != NULL ? has : open, &(struct news){ in, NULL }, now);
}

void
notify_event(const struct incident *in, const struct watch_now *now)
{
	const struct recipient *r;

	MODEL_ALL(r, KIND_RECIPIENT)
		tell(r, in, now);
}

/* When the newest message of it ended, on the watch clock; of one before the
 * start that is 0.  -1: there is none; INT64_MAX: one waits.  *open: one that
 * takes lines, or NULL. */
static int64_t
told_ms(const struct recipient *r, const struct incident *in,
    struct delivery **open)
{
	int64_t newest_ms = -1;
	struct delivery *d;

	*open = NULL;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->recipient != r->o.id)
			continue;
		if (*open == NULL && is_open(d))
			*open = d;
		if (model_delivery_says(d, in->o.id) == STATUS_NONE)
			continue;
		if (d->state < DELIVERY_ACCEPTED)
			return INT64_MAX;
		if (d->ended_ms > newest_ms)
			newest_ms = d->ended_ms;
	}
	return newest_ms;
}

void
notify_repeat(const struct incident *in, int64_t every_ms,
    const struct watch_now *now)
{
	char text[NOTIFY_MESSAGE_MAX];
	struct buf b;
	const struct recipient *r;
	struct delivery *open;
	int64_t from, passed, wait;

	buf_init(&b, text, sizeof text - 1);
	buf_addf(&b, "%s is still %s after ", in->what, state_of(in));
	buf_duration(&b, (now->now_ms - in->opened) / 60000 * 60000);
	buf_addf(&b, ": %s", in->text);
	text[b.n] = '\0';
	MODEL_ALL(r, KIND_RECIPIENT) {
		if (!r->enabled || in->status < r->severity ||
		    (every_ms == 0 && r->after_s == 0))
			continue;
		from = told_ms(r, in, &open);
		passed = from == INT64_MAX ? 0 : now->watch_ms -
		    (from == -1 ? in->open_ms : from);
		wait = from == -1 ? r->after_s * 1000 : every_ms;
		if (wait > 0 && passed >= wait)
			queue(r, open, &(struct news){ in, text }, now);
	}
}

/* Was it, as bad as it is now, or may it have been told? */
static bool
is_told(const struct recipient *r, const struct incident *in)
{
	const struct delivery *d;
	enum status said;

	MODEL_ALL(d, KIND_DELIVERY) {
		said = d->recipient != r->o.id ? STATUS_NONE :
		    model_delivery_says(d, in->o.id);
		if (said != STATUS_NONE && said >= in->status && (d->unknown ||
		    d->state == DELIVERY_ACCEPTED || d->state == DELIVERY_SEEN))
			return true;
	}
	return false;
}

void
notify_again(const struct incident *in, const struct watch_now *now)
{
	const struct recipient *r;
	struct delivery *open;

	MODEL_ALL(r, KIND_RECIPIENT) {
		(void)told_ms(r, in, &open);
		if (r->enabled && in->status >= r->severity && is_told(r, in))
			queue(r, open, &(struct news){ in, in->text }, now);
	}
}

/* The outcome of a delivery is known: its incidents that ended meanwhile. */
static void
tell_ended(const struct delivery *d, const struct watch_now *now)
{
	const struct recipient *r = model_recipient(d->recipient);
	const struct incident *in;
	enum status last;

	if (r == NULL)
		return;
	MODEL_ALL(in, KIND_INCIDENT) {
		last = in->closed == 0 ? STATUS_OK :
		    model_delivery_says(d, in->o.id);
		if (last != STATUS_OK && last != STATUS_NONE)
			tell(r, in, now);
	}
}

uint64_t
notify_test(const struct recipient *r, const struct change *ch,
    struct fail *why)
{
	struct delivery *d;
	uint64_t oldest = 0;
	unsigned n = 0;

	/* Of tests, which belong to no incident, the newest are kept. */
	MODEL_ALL(d, KIND_DELIVERY)
		if (d->test && d->state >= DELIVERY_ACCEPTED && n++ == 0)
			oldest = d->o.id;
	if (n >= NOTIFY_TESTS_MAX)
		change_remove(KIND_DELIVERY, oldest, ch, why);
	d = model_draft(KIND_DELIVERY, NULL);
	d->recipient = r->o.id;
	d->test = true;
	d->queued = d->event = d->next = ch->at_ms;
	model_text(&d->items, STR("[]"));
	model_text(&d->title, STR("Vilicus test"));
	model_text(&d->message, STR("A test of the alarm path, asked for by "
	    "hand. Nothing is wrong."));
	first.known = false;
	d = change_put(KIND_DELIVERY, d, ch, why);
	return d == NULL ? 0 : d->o.id;
}

void
notify_forget(uint64_t incident, const struct change *ch)
{
	const struct incident *in;
	const struct delivery *d;
	struct fail why;
	size_t i = 0;

	first.known = false;
	while ((d = (void *)model_at(KIND_DELIVERY, i++)) != NULL) {
		if (d->state < DELIVERY_ACCEPTED ||
		    model_delivery_says(d, incident) == STATUS_NONE)
			continue;
		MODEL_ALL(in, KIND_INCIDENT)
			if (model_delivery_says(d, in->o.id) != STATUS_NONE)
				break;
		if (in == NULL && change_remove(KIND_DELIVERY, d->o.id, ch,
		    &why) == 0)
			i--;		/* the next stands there now */
	}
}

void
notify_resume(const struct watch_now *now)
{
	struct delivery *d;

	first.known = false;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->state != DELIVERY_SENDING)
			continue;
		d = model_draft(KIND_DELIVERY, d);
		d->state = DELIVERY_QUEUED;
		d->unknown = true;
		model_text(&d->last_error, STR("the server ended before the "
		    "answer came"));
		tell_ended(put(d, now), now);
	}
}

/* ---- the attempts ---- */

static void
hang_up(void)
{
	if (way.fd != -1)
		close(way.fd);
	way.fd = -1;
	way.old = false;
}

/* Does an older one to the same recipient wait?  Then this one does, or an
 * end might be read before its beginning. */
static bool
is_behind(const struct delivery *d)
{
	const struct delivery *older;

	MODEL_ALL(older, KIND_DELIVERY) {
		if (older == d || d->test)
			break;
		if (older->state == DELIVERY_QUEUED && !older->test &&
		    older->recipient == d->recipient)
			return true;
	}
	return false;
}

int64_t
notify_next(void)
{
	const struct delivery *d;

	if (way.delivery != 0)
		return INT64_MAX;
	if (first.known)
		return first.due_ms;
	first.known = true;
	first.due_ms = INT64_MAX;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->state != DELIVERY_QUEUED ||
		    d->due_ms >= first.due_ms || is_behind(d))
			continue;
		first.due_ms = d->due_ms;
		first.id = d->o.id;
	}
	return first.due_ms;
}

/* What is due longest, if the way is free. */
void
notify_due(const struct watch_now *now)
{
	struct delivery *d;

	if (notify_next() > now->watch_ms)
		return;
	d = model_draft(KIND_DELIVERY, model_get(KIND_DELIVERY, first.id));
	d->state = DELIVERY_SENDING;
	d->attempts++;
	d->next = 0;
	way.delivery = put(d, now)->o.id;
	way.sent = false;
}

static int
hand_over(const struct delivery *d, struct fail *why)
{
	static char job[CHILD_JOB_MAX];
	struct buf b = BUF(job);

	if (notify_job(d, &b, why) == -1)
		return -1;
	if (way.old)
		hang_up();
	if (way.fd == -1)
		way.fd = child_start(0, str_of(model_setting()->ca_file),
		    why);
	return way.fd == -1 ? -1 : child_job(way.fd, str_from(&b), why);
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

/* The end of an attempt. */
static void
ended(const struct channel_outcome *o, const struct watch_now *now)
{
	struct delivery *d = model_delivery(way.delivery);
	int64_t asked_ms = (int64_t)o->after_s * 1000;
	bool yes = o->end == CHANNEL_ACCEPTED;
	struct recipient *r;

	way.delivery = 0;
	if (d == NULL)
		return;
	r = model_recipient(d->recipient);
	if (r != NULL)
		r->quiet_ms = now->watch_ms + NOTIFY_GROUP_MS;
	d = model_draft(KIND_DELIVERY, d);
	d->code = o->code;
	d->ended_ms = now->watch_ms;
	model_text(&d->last_error, str_of(yes ? "" : o->reason));
	if (yes) {
		d->state = DELIVERY_ACCEPTED;
		d->sent = now->now_ms;
		model_text(&d->request, str_of(o->id));
		model_text(&d->receipt, str_of(o->receipt));
	} else if (o->end == CHANNEL_REFUSED || (now->now_ms - d->queued >
	    NOTIFY_GIVE_UP_MS && d->attempts >= NOTIFY_GIVE_UP_TRIES)) {
		d->state = DELIVERY_GIVEN_UP;
	} else {
		d->state = DELIVERY_QUEUED;
		d->due_ms = now->watch_ms + back_off(d, asked_ms);
		d->floor_ms = now->watch_ms + asked_ms;
		d->next = now->now_ms + (d->due_ms - now->watch_ms);
		d->unknown = d->unknown || o->end == CHANNEL_UNKNOWN;
	}
	if (!yes)
		log_line("delivery %llu to %s, attempt %lld: %s%s",
		    (unsigned long long)d->o.id, r == NULL ? "?" : r->name,
		    (long long)d->attempts, o->reason,
		    d->state == DELIVERY_GIVEN_UP ? "; given up" : "");
	tell_ended(put(d, now), now);
}

/* It ended by our side's failure, and the child with it. */
static void
lost(const char *reason, enum channel_end end, const struct watch_now *now)
{
	struct channel_outcome o = { .end = end };

	str_copy(o.reason, sizeof o.reason, str_of(reason));
	hang_up();
	ended(&o, now);
}

void
notify_send(const struct watch_now *now)
{
	struct delivery *d = model_delivery(way.delivery);
	struct fail why;

	if (way.sent)
		return;
	way.sent = true;
	if (d == NULL)
		way.delivery = 0;	/* nothing was due, or it is removed */
	else if (hand_over(d, &why) == -1)
		lost(why.msg, model_recipient(d->recipient) == NULL ?
		    CHANNEL_REFUSED : CHANNEL_RETRY, now);
}

void
notify_reload(void)
{
	way.old = true;			/* the next delivery has a new child */
}

int
notify_fd(void)
{
	return way.fd;
}

void
notify_ready(const struct watch_now *now)
{
	struct channel_outcome o;
	int rc = child_answer(way.fd, way.answer);

	if (rc == -1)
		lost("the delivery's child ended without an answer",
		    CHANNEL_UNKNOWN, now);
	else if (rc == 1 && channel_outcome_get(way.answer, &o) == -1)
		lost("an answer that cannot be read", CHANNEL_UNKNOWN, now);
	else if (rc == 1)
		ended(&o, now);
}

size_t
notify_waiting(int64_t now_ms, int64_t *oldest_ms)
{
	const struct delivery *d;
	size_t n = 0;

	*oldest_ms = 0;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->state >= DELIVERY_ACCEPTED)
			continue;
		n++;
		if (now_ms - d->queued > *oldest_ms)
			*oldest_ms = now_ms - d->queued;
	}
	return n;
}
