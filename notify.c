/* notify.c: see notify.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "json.h"
#include "log.h"
#include "notify.h"

#define PUSHOVER_URL	"https://api.pushover.net/1/messages.json"
#define ITEMS_MAX	4096	/* bytes of a delivery's items */

/* The one endpoint so far, its child, and what is on its way. */
static struct {
	int fd;			/* -1: no child */
	char url[256];		/* the endpoint it was made for */
	uint64_t delivery;	/* on its way, or 0 */
	bool sent;		/* handed to the child */
	size_t have;
	char answer[CHILD_ANSWER + 1];
} way = { .fd = -1 };

/* What is due first, kept until a delivery changes: the loop asks often. */
static struct {
	bool known;
	int64_t due_ms;		/* INT64_MAX: nothing is queued */
	uint64_t id;
} first;

static struct delivery *
draft(const struct delivery *d)
{
	return (struct delivery *)model_draft(KIND_DELIVERY,
	    d == NULL ? NULL : &d->o);
}

static struct delivery *
put(struct delivery *d, const struct watch_now *now)
{
	struct change ch = { "outbox", "server", now->now_ms, true };

	first.known = false;
	return (struct delivery *)change_keep(KIND_DELIVERY, &d->o, &ch);
}

/* ---- what is told to whom ---- */

/* Can this one still take a line?  Nobody can have read it, and its items
 * have room for one more. */
static bool
is_open(const struct delivery *d)
{
	return d->state == DELIVERY_QUEUED && !d->unknown && !d->test &&
	    strlen(d->items) < ITEMS_MAX - 64;
}

/* What a recipient knows of an incident. */
struct known {
	enum status worst;	/* told, or it may have been; ok: nothing */
	bool ended;		/* its recovery is told or queued */
	struct delivery *open;	/* that has it, and takes lines */
	struct delivery *other;	/* that takes lines, whatever it has */
};

static struct known
known_of(const struct recipient *r, uint64_t incident)
{
	struct known k = { STATUS_OK, false, NULL, NULL };
	struct delivery *d;
	enum status last;

	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->recipient != r->o.id ||
		    (d->state == DELIVERY_GIVEN_UP && !d->unknown))
			continue;
		if (k.other == NULL && is_open(d))
			k.other = d;
		if (!model_delivery_has(d, incident, &last))
			continue;
		k.ended = k.ended || last == STATUS_OK;
		if (is_open(d))
			k.open = d;
		else if (d->state >= DELIVERY_ACCEPTED || d->unknown)
			k.worst = last > k.worst ? last : k.worst;
	}
	return k;
}

static unsigned
count_items(const char *items)
{
	unsigned n = 0;

	for (; *items != '\0'; items++)
		n += *items == '[';
	return n == 0 ? 0 : n - 1;	/* the list's own bracket */
}

/* "Vilicus alert: web1 process nginx is now critical". */
static void
put_title(struct buf *b, const struct incident *in)
{
	const struct agent *a = model_agent(in->agent);
	const char *state = status_name((enum status)in->status);

	if (in->check == 0 && in->agent != 0 && in->status != STATUS_OK)
		state = "silent";
	else if (in->check == 0 && a != NULL && a->enabled)
		state = "up";
	buf_addf(b, "Vilicus alert: %s is now %s", in->what, state);
}

/* Add an item and its line; past what a message holds, they are counted.  A
 * message that says of one incident that it came and went is titled by its
 * end. */
static void
add_item(struct delivery *d, const struct incident *in)
{
	char text[ITEMS_MAX];
	enum status was;
	unsigned n = count_items(d->items);
	bool alone = n == 0 || (n == 1 &&
	    model_delivery_has(d, in->o.id, &was));
	struct buf b = BUF(text);

	/* The list goes on without its closing bracket. */
	buf_add(&b, (struct str){ d->items, n == 0 ? 0 :
	    strlen(d->items) - 1 });
	buf_addf(&b, "%c[%llu,\"%s\"]]", n == 0 ? '[' : ',',
	    (unsigned long long)in->o.id,
	    status_name((enum status)in->status));
	model_text(&d->items, str_from(&b));
	if (in->status > d->severity)
		d->severity = in->status;
	b.n = 0;
	buf_addf(&b, "%s%s%s", d->message, n == 0 ? "" : "\n", in->text);
	if (b.n < NOTIFY_MESSAGE_MAX || n == 0)
		model_text(&d->message, str_from(&b));
	b.n = 0;
	if (alone)
		put_title(&b, in);
	else
		buf_addf(&b, "Vilicus alert: %u changes, worst %s", n + 1,
		    status_name((enum status)d->severity));
	model_text(&d->title, str_from(&b));
}

/* News do not wait for a back-off, neither their own nor that of what must go
 * before them; but for what the other side asked they do. */
static void
hurry(const struct recipient *r, int64_t due_ms)
{
	struct delivery *d;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->state == DELIVERY_QUEUED && !d->test &&
		    d->recipient == r->o.id && due_ms < d->due_ms)
			d->due_ms = due_ms > d->floor_ms ? due_ms :
			    d->floor_ms;
}

static void
queue(const struct recipient *r, struct delivery *open,
    const struct incident *in, const struct watch_now *now)
{
	struct delivery *d;
	int64_t due = r->quiet_ms > now->watch_ms ? r->quiet_ms :
	    now->watch_ms;

	hurry(r, due);
	d = draft(open);
	if (open == NULL) {
		d->recipient = r->o.id;
		d->queued = now->now_ms;
		d->due_ms = due;
	}
	d->event = in->changed;
	d->next = now->now_ms + (d->due_ms - now->watch_ms);
	add_item(d, in);
	put(d, now);
}

/* Tell one recipient of an incident as it now stands, if that is due.  A
 * recovery while its alarm is on its way waits for what becomes of that. */
static void
tell(const struct recipient *r, const struct incident *in,
    const struct watch_now *now)
{
	enum status st = (enum status)in->status;
	struct known k = known_of(r, in->o.id);
	enum alert_tell t = alert_tell((enum status)r->severity, k.worst, st);

	if (st == STATUS_OK && k.open != NULL)
		t = ALERT_TELL_RECOVERY;
	if (t == ALERT_TELL_NOTHING || (st == STATUS_OK && k.ended) ||
	    (t == ALERT_TELL_ALARM && !r->enabled))
		return;
	queue(r, k.open != NULL ? k.open : k.other, in, now);
}

void
notify_event(const struct incident *in, const struct watch_now *now)
{
	const struct recipient *r;

	MODEL_ALL(r, KIND_RECIPIENT)
		tell(r, in, now);
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
	MODEL_ALL(in, KIND_INCIDENT)
		if (in->closed != 0 && model_delivery_has(d, in->o.id, &last)
		    && last != STATUS_OK)
			tell(r, in, now);
}

/* Of tests, which belong to no incident, the newest are kept. */
static void
forget_tests(const struct change *ch)
{
	const struct delivery *d;
	uint64_t oldest = 0;
	unsigned n = 0;
	struct fail why;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->test && d->state >= DELIVERY_ACCEPTED && n++ == 0)
			oldest = d->o.id;
	if (n >= NOTIFY_TESTS_MAX)
		change_remove(KIND_DELIVERY, oldest, ch, &why);
}

uint64_t
notify_test(const struct recipient *r, const struct change *ch,
    struct fail *why)
{
	struct delivery *d = draft(NULL);

	forget_tests(ch);
	d->recipient = r->o.id;
	d->test = true;
	d->queued = d->event = d->next = ch->at_ms;
	model_text(&d->items, STR("[]"));
	model_text(&d->title, STR("Vilicus test"));
	model_text(&d->message, STR("A test of the alarm path, asked for by "
	    "hand. Nothing is wrong."));
	first.known = false;
	d = (struct delivery *)change_put(KIND_DELIVERY, &d->o, ch, why);
	return d == NULL ? 0 : d->o.id;
}

/* Is any incident of a delivery still known? */
static bool
has_any(const struct delivery *d)
{
	const struct incident *in;
	enum status last;

	MODEL_ALL(in, KIND_INCIDENT)
		if (model_delivery_has(d, in->o.id, &last))
			return true;
	return d->test;
}

void
notify_forget(uint64_t incident, const struct change *ch)
{
	enum status last;
	struct fail why;
	const struct delivery *d;
	size_t i = 0;

	first.known = false;
	while ((d = (void *)model_at(KIND_DELIVERY, i)) != NULL)
		if (d->state < DELIVERY_ACCEPTED ||
		    !model_delivery_has(d, incident, &last) || has_any(d) ||
		    change_remove(KIND_DELIVERY, d->o.id, ch, &why) == -1)
			i++;
}

void
notify_resume(const struct watch_now *now)
{
	struct delivery *d;

	first.known = false;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->state != DELIVERY_SENDING)
			continue;
		d = draft(d);
		d->state = DELIVERY_QUEUED;
		d->unknown = true;
		model_text(&d->last_error, STR("the server ended before the "
		    "answer came"));
		tell_ended(put(d, now), now);
	}
}

/* ---- the attempts ---- */

static const char *
endpoint(void)
{
	const struct setting *s = model_setting();

	return s->pushover_url[0] != '\0' ? s->pushover_url : PUSHOVER_URL;
}

static void
hang_up(void)
{
	if (way.fd != -1)
		close(way.fd);
	way.fd = -1;
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
	d = draft(model_delivery(first.id));
	d->state = DELIVERY_SENDING;
	d->attempts++;
	d->next = 0;
	way.delivery = put(d, now)->o.id;
	way.sent = false;
}

static int
write_job(struct buf *b, const struct delivery *d, const struct recipient *r)
{
	const struct setting *s = model_setting();
	char link[512];

	json_obj(b);
	json_add(b, "channel", STR("pushover"));
	json_add(b, "url", str_of(endpoint()));
	json_add(b, "token", str_of(s->pushover_token));
	json_add(b, "user", str_of(r->address));
	json_add(b, "title", str_of(d->title));
	json_add(b, "message", str_of(d->message));
	json_add_int(b, "priority", d->severity > STATUS_OK ? 1 : 0);
	json_add_int(b, "timestamp", d->event / 1000);
	if (s->public[0] != '\0') {
		snprintf(link, sizeof link, "%s/status", s->public);
		json_add(b, "link", str_of(link));
		json_add(b, "link_title", STR("vilicus status"));
	}
	json_obj_end(b);
	return b->full ? -1 : 0;
}

static int
hand_over(const struct delivery *d, struct fail *why)
{
	static char job[CHILD_JOB_MAX];
	const struct setting *s = model_setting();
	const struct recipient *r = model_recipient(d->recipient);
	struct buf b = BUF(job);

	if (r == NULL)
		return fail(why, "the recipient was removed");
	if (s->pushover_token[0] == '\0')
		return fail(why, "no pushover token is set: add \"pushover "
		    "token ...\" to vilicus.conf");
	if (write_job(&b, d, r) == -1)
		return fail(why, "the message is too long");
	if (way.fd != -1 && strcmp(way.url, endpoint()) != 0)
		hang_up();
	if (way.fd == -1) {
		way.fd = child_start(0, str_of(s->ca_file), why);
		way.have = 0;
		str_copy(way.url, sizeof way.url, str_of(endpoint()));
	}
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
	d = draft(d);
	d->code = o->code;
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
	way.url[0] = '\0';		/* the next delivery has a new child */
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
	int rc = child_answer(way.fd, way.answer, &way.have);

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
