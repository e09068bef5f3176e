/* notify.c: what is told to whom; see notify.h.  notify_way.c: the attempts.
 *
 * Each look at an incident asks, for each recipient, what should be told of it
 * now, given what deliveries already say of it: an answer that holds however
 * often it is asked, after a crash or what was held back as well.  All that
 * one turn of the loop makes due for a recipient becomes one delivery.
 */
#include <stdio.h>

#include "json.h"
#include "match.h"
#include "notify_impl.h"
#include "silence.h"

static bool asked;		/* something happened since the last look */
static int64_t next_look_ms;	/* watch clock: else not before this */

void
notify_event(struct incident *in)
{
	in->look_ms = 0;
	asked = true;
	notify_changed();	/* a phone that rings may be for it alone */
}

void
notify_again(const struct delivery *d)
{
	struct str rest = str_of(d->items);
	struct model_item i = { .first = 0 };
	struct incident *in;
	uint64_t id;

	while ((id = model_item_id(&rest, &i)) != 0)
		if ((in = model_incident(id)) != NULL)
			notify_event(in);
}

/* ---- what one recipient has of one incident ---- */

struct had {
	bool any;		/* some delivery says something of it, */
	bool ended;		/* its end, taken or not, */
	bool waits;		/* and is not done */
	enum status said;	/* the worst that any says */
	enum status told;	/* the worst that was taken, or may be */
	struct delivery *open;	/* takes more lines, and has it */
	int64_t ended_ms;	/* when the newest was done; 0: before the
				   start */
};

/* Can this one still take a line?  Nobody can have read it, and its items
 * have room for one more. */
static bool
is_open(const struct delivery *d)
{
	return d->state == DELIVERY_QUEUED && !d->unknown && !d->test &&
	    strlen(d->items) < NOTIFY_ITEMS_MAX - NOTIFY_ITEM_MAX;
}

static struct had
look_back(const struct recipient *r, const struct incident *in)
{
	struct had h = { .said = STATUS_OK, .told = STATUS_OK };
	struct delivery *d;
	enum status last;

	for (unsigned i = 0; i < in->said_n; i++) {
		d = in->said[i].recipient != r->o.id ? NULL :
		    model_delivery(in->said[i].delivery);
		if (d == NULL)
			continue;
		last = model_delivery_says(d, in->o.id);
		h.any = true;
		if (last > h.said)
			h.said = last;
		if (d->state < DELIVERY_ACCEPTED)
			h.waits = true;
		else if (d->ended_ms > h.ended_ms)
			h.ended_ms = d->ended_ms;
		h.ended = h.ended || last == STATUS_OK;	/* given up, too */
		if (d->state == DELIVERY_GIVEN_UP && !d->unknown)
			continue;
		if (is_open(d))
			h.open = d;
		else if ((d->state >= DELIVERY_ACCEPTED || d->unknown) &&
		    last > h.told)
			h.told = last;
	}
	return h;
}

/* Is it that this one cannot be reached; or does it, while it cannot, hear of
 * others who are not? */
static bool
is_own(const struct recipient *r, const struct incident *in)
{
	struct str what = str_of(in->what), of = STR("vilicus-server "
	    NOTIFY_OWN);

	return in->agent == 0 && str_starts(what, of) && (r->fails_ms != 0 ||
	    str_eq(str_after(what, of.n), str_of(r->name)));
}

bool
notify_fails(const struct recipient *r, const struct watch_now *now,
    const char **why)
{
	const struct delivery *d;

	*why = "";
	if (!r->enabled || r->fails_ms == 0 ||
	    now->watch_ms - r->fails_ms < NOTIFY_FAILS_MS)
		return false;
	MODEL_ALL(d, KIND_DELIVERY)
		if (d->recipient == r->o.id && d->last_error[0] != '\0')
			*why = d->last_error;
	return true;
}

const char *
notify_unwanted(const struct recipient *r, const struct incident *in,
    const struct agent *a, const struct check *c)
{
	if (!r->enabled)
		return "is disabled";
	if (in->status < r->severity)
		return "is told of worse alone";
	if (is_own(r, in))
		return "is the one";
	if (r->match[0] == '\0' || in->agent == 0)
		return NULL;		/* the server's own are for all */
	return a != NULL && (in->check == 0 || c != NULL) &&
	    match_holds(str_of(r->match), &(struct match_on){ a->hostname,
	    a->tags, c == NULL ? NULL : c->name,
	    c == NULL ? NULL : c->type->name }) ? NULL :
	    "is told of other places alone";
}

static bool
wants(const struct recipient *r, const struct incident *in)
{
	return notify_unwanted(r, in, model_agent(in->agent),
	    model_check_by_id(in->check)) == NULL;
}

enum news { NOTHING, CHANGE, STILL, AGAIN };

/* What is to be told now.  The end is told to those who were told of the
 * beginning, and to those who may have been; where that is on its way, what
 * becomes of it is waited for. */
static enum news
decide(const struct recipient *r, const struct incident *in,
    const struct had *h, int64_t watch_ms)
{
	const struct check *c = model_check_by_id(in->check);
	int64_t every_ms = c == NULL ? 0 : c->renotify_s * 1000;

	if (in->closed != 0)
		return !h->ended && (h->open != NULL || h->told > STATUS_OK) ?
		    CHANGE : NOTHING;
	if (in->held || !wants(r, in))
		return NOTHING;
	if (r->after_s > 0 && !h->any)
		return in->acknowledged == 0 && watch_ms - in->open_ms >=
		    r->after_s * 1000 ? STILL : NOTHING;
	if (in->status > h->said)
		return CHANGE;
	if (in->again && h->any)
		return h->told >= in->status || (h->waits && h->open == NULL) ?
		    AGAIN : CHANGE;
	return h->any && !h->waits && every_ms > 0 && in->acknowledged == 0 &&
	    watch_ms - (h->ended_ms > in->open_ms ? h->ended_ms :
	    in->open_ms) >= every_ms ? STILL : NOTHING;
}

/* ---- a delivery and its lines ---- */

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

/* How many things it says. */
static unsigned
count(const struct delivery *d)
{
	struct str rest = str_of(d->items);
	struct model_item i;
	unsigned n = 0;

	while (model_item(&rest, &i))
		n += (unsigned)(i.last - i.first) + 1;
	return n;
}

/* Add an item: behind the others, or to a run of its like beside which it
 * stands, if nothing after that says more of the same incident. */
static void
put_item(struct delivery *d, uint64_t id, enum status st)
{
	char text[NOTIFY_ITEMS_MAX];
	struct buf b;
	struct str rest = str_of(d->items);
	struct model_item i, to = { .status = STATUS_NONE };

	while (model_item(&rest, &i))
		if (i.status == st && (i.last + 1 == id || id + 1 == i.first))
			to = i;
		else if (i.first <= id && id <= i.last)
			to.status = STATUS_NONE;
	buf_init(&b, text, sizeof text - 1);
	rest = str_of(d->items);
	while (model_item(&rest, &i)) {
		if (to.status == st && i.first == to.first && i.status == st) {
			i.first -= id + 1 == i.first;
			i.last += i.last + 1 == id;
		}
		model_item_put(&b, &i);
	}
	if (to.status == STATUS_NONE)
		model_item_put(&b, &(struct model_item){ id, id, st });
	buf_addc(&b, ']');
	model_text(&d->items, str_from(&b));
}

/* Add a line to the message; past what it holds, they are counted. */
static void
put_line(struct delivery *d, const char *text)
{
	char *end = strrchr(d->message, '\n');
	struct str tail = end == NULL ? STR("") : str_of(end + 1), word;
	uint64_t more = 0;

	if (str_starts(tail, STR("and "))) {
		tail = str_after(tail, sizeof "and " - 1);
		(void)str_cut(&tail, ' ', &word);
		if (str_is(tail, "more") &&
		    str_u64(word, 1, UINT32_MAX, &more) == 0)
			*end = '\0';
	}
	if (more == 0 && strlen(d->message) + 1 + strlen(text) <
	    NOTIFY_MESSAGE_MAX)
		model_textf(&d->message, "%s%s%s", d->message,
		    d->message[0] == '\0' ? "" : "\n", text);
	else
		model_textf(&d->message, "%s\nand %llu more", d->message,
		    (unsigned long long)more + 1);
}

/* Add what is told of an incident: `still` that, or (NULL) its newest change.
 * A message that says of one incident that it came and went is titled by its
 * end. */
static void
add_news(struct delivery *d, const struct incident *in, const char *still)
{
	enum status before = model_delivery_says(d, in->o.id);
	unsigned n;

	put_item(d, in->o.id, (enum status)in->status);
	put_line(d, still != NULL ? still : in->text);
	if (in->status > d->severity)
		d->severity = in->status;
	n = count(d);
	if (n == 1 || (n == 2 && before != STATUS_NONE))
		model_textf(&d->title, "Vilicus alert: %s is %s %s", in->what,
		    still != NULL ? "still" : "now", state_of(in));
	else if (d->severity == STATUS_OK)
		model_textf(&d->title, "Vilicus alert: %u are well again", n);
	else
		model_textf(&d->title, "Vilicus alert: %u changes, worst %s",
		    n, status_name(d->severity));
}

static const char *
still_text(char *dst, size_t cap, const struct incident *in, int64_t now_ms)
{
	int64_t ms = now_ms - in->opened, unit = ms < 60000 ? 1000 : 60000;
	struct buf b;

	buf_init(&b, dst, cap - 1);
	buf_addf(&b, "%s is still %s after ", in->what, state_of(in));
	buf_duration(&b, ms / unit * unit);
	buf_addf(&b, ": %s", in->text);
	dst[b.n] = '\0';
	return dst;
}

/* ---- the look ---- */

/* Does a delivery say of agents alone that they are silent, or are well
 * again? */
static bool
is_of_agents(const struct delivery *d, bool well)
{
	struct str rest = str_of(d->items);
	struct model_item i = { .first = 0 };
	const struct incident *in;
	uint64_t id;

	while ((id = model_item_id(&rest, &i)) != 0) {
		in = model_incident(id);
		if (in == NULL || in->check != 0 || in->agent == 0 ||
		    (i.status == STATUS_OK) != well)
			return false;
	}
	return true;
}

/* Are there agents who have missed a report, and may be silent soon? */
static bool
more_come(int64_t watch_ms)
{
	const struct agent *a;

	MODEL_ALL(a, KIND_AGENT)
		if (a->enabled && a->state == AGENT_UP && a->heard_ms > 0 &&
		    watch_ms - a->heard_ms > model_late_after_ms(a) / 2)
			return true;
	return false;
}

/* When it is to go: at once; behind a message sent just now at the end of the
 * group.  Of agents who fall silent together, or come back together, each
 * after its own interval, those are waited for. */
static int64_t
due_ms(const struct delivery *d, const struct recipient *r, int64_t watch_ms)
{
	if (r->quiet_ms <= watch_ms)
		return watch_ms;
	return r->quiet_ms + (is_of_agents(d, true) ||
	    (is_of_agents(d, false) && more_come(watch_ms)) ?
	    NOTIFY_AGENTS_MS : 0);
}

/* Queue a draft.  News do not wait for a back-off, neither their own nor that
 * of what must go before them; but for what the other side asked they do. */
static void
queue(struct delivery *d, const struct recipient *r,
    const struct watch_now *now)
{
	struct delivery *other;
	int64_t due = due_ms(d, r, now->watch_ms);

	MODEL_ALL(other, KIND_DELIVERY)
		if (other->state == DELIVERY_QUEUED && !other->test &&
		    other->recipient == r->o.id && other->o.id != d->o.id &&
		    due < other->due_ms)
			other->due_ms = due > other->floor_ms ? due :
			    other->floor_ms;
	if (d->o.id == 0) {
		d->recipient = r->o.id;
		d->queued = now->now_ms;
		d->due_ms = due;
	} else if (due < d->due_ms)
		d->due_ms = due > d->floor_ms ? due : d->floor_ms;
	d->next = now->now_ms + (d->due_ms - now->watch_ms);
	notify_put(d, now);
}

/* The open delivery of a recipient, or NULL. */
static struct delivery *
open_of(const struct recipient *r)
{
	struct delivery *d;

	MODEL_ALL(d, KIND_DELIVERY)
		if (d->recipient == r->o.id && is_open(d))
			return d;
	return NULL;
}

/* Where a line goes: the draft at hand, unless it is full or another one has
 * this incident. */
static struct delivery *
draft_for(struct delivery *draft, const struct had *h,
    const struct recipient *r, const struct watch_now *now)
{
	const struct delivery *to = h->open;

	if (draft != NULL && is_open(draft) &&
	    (to == NULL || to->o.id == draft->o.id))
		return draft;
	if (draft != NULL)
		queue(draft, r, now);
	return model_draft(KIND_DELIVERY, to != NULL ? to : open_of(r));
}

/* All that is due to one recipient. */
static void
look_for(const struct recipient *r, const struct watch_now *now)
{
	struct delivery *draft = NULL;
	char text[NOTIFY_MESSAGE_MAX];
	const char *still;
	struct incident *in;
	struct had h;
	enum news news;

	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->look_ms > now->watch_ms)
			continue;
		h = look_back(r, in);
		news = decide(r, in, &h, now->watch_ms);
		if (news == NOTHING)
			continue;
		draft = draft_for(draft, &h, r, now);
		draft->event = news == STILL ? now->now_ms : in->changed;
		still = news == AGAIN ? in->text : NULL;
		if (news == STILL)
			still = still_text(text, sizeof text, in, now->now_ms);
		add_news(draft, in, still);
	}
	if (draft != NULL)
		queue(draft, r, now);
}

void
notify_look(const struct watch_now *now)
{
	char why[SILENCE_WHY_MAX];
	const struct recipient *r;
	struct incident *in;
	struct agent *a;
	const struct check *c;

	if (!asked && now->watch_ms < next_look_ms)
		return;
	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->look_ms > now->watch_ms || in->closed != 0)
			continue;
		a = model_agent(in->agent);
		c = model_check_by_id(in->check);
		in->held = a != NULL && (in->check == 0 || c != NULL) &&
		    silence_holds(a, c, now->now_ms, why);
	}
	MODEL_ALL(r, KIND_RECIPIENT)
		look_for(r, now);
	asked = false;
	next_look_ms = now->watch_ms + NOTIFY_LOOK_MS;
	MODEL_ALL(in, KIND_INCIDENT) {
		if (in->look_ms <= now->watch_ms && !in->held)
			in->again = false;
		if (in->look_ms <= now->watch_ms)
			in->look_ms = in->closed != 0 ? INT64_MAX :
			    now->watch_ms + NOTIFY_LOOK_MS;
		if (in->look_ms < next_look_ms)
			next_look_ms = in->look_ms;
	}
}

bool
notify_owes(const struct incident *in)
{
	const struct delivery *d;

	for (unsigned i = 0; i < in->said_n; i++) {
		d = model_delivery(in->said[i].delivery);
		if (d != NULL && d->state < DELIVERY_ACCEPTED)
			return true;
	}
	return in->look_ms != INT64_MAX;
}

/* ---- what is not news ---- */

uint64_t
notify_test(const struct recipient *r, bool drill, const struct change *ch,
    struct fail *why)
{
	char mark[NOTIFY_MARK_MAX];
	struct buf m = BUF(mark);
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
	if (drill) {
		d->drill = true;
		d->severity = STATUS_CRITICAL;
		model_text(&d->title, STR("Vilicus drill: nothing is wrong"));
		model_text(&d->message, STR("A drill of the alarm path, "
		    "which comes as an alert would. Nothing is wrong."));
		change_mark(&m);
	}
	if (m.n > 0 && r->channel != TO_EMAIL)	/* which has it anyway */
		model_textf(&d->message, "%s\nJournal: %.*s", d->message,
		    (int)m.n, m.p);
	notify_changed();
	d = change_put(KIND_DELIVERY, d, ch, why);
	return d == NULL ? 0 : d->o.id;
}

/* Is there one yet that it tells of? */
static bool
has_incident(const struct delivery *d)
{
	struct str rest = str_of(d->items);
	struct model_item i = { .first = 0 };
	uint64_t id;

	do
		id = model_item_id(&rest, &i);
	while (id != 0 && model_incident(id) == NULL);
	return id != 0;
}

void
notify_forget(uint64_t incident, const struct change *ch)
{
	const struct delivery *d;
	struct fail why;
	size_t at = 0;

	while ((d = (void *)model_at(KIND_DELIVERY, at++)) != NULL) {
		if (d->state < DELIVERY_ACCEPTED ||
		    model_delivery_says(d, incident) == STATUS_NONE)
			continue;
		if (!has_incident(d) &&
		    change_remove(KIND_DELIVERY, d->o.id, ch, &why) == 0) {
			at--;		/* the next stands there now */
			notify_changed();
		}
	}
}

size_t
notify_waiting(int64_t now_ms, int64_t *oldest_ms)
{
	const struct recipient *r;
	const struct delivery *d;
	int64_t since;
	size_t n = 0;

	*oldest_ms = 0;
	MODEL_ALL(d, KIND_DELIVERY) {
		if (d->state >= DELIVERY_ACCEPTED)
			continue;
		n++;
		/* One that waits for its hours is not late. */
		r = model_recipient(d->recipient);
		if (r != NULL && !d->test && r->when.n > 0 &&
		    d->state == DELIVERY_QUEUED &&
		    !hours_hold(&r->when, now_ms))
			continue;
		since = d->queued;
		if (d->attempts == 0)
			since = d->next;
		else if (d->attempts == 1 && d->state == DELIVERY_SENDING)
			since = now_ms;
		if (now_ms - since > *oldest_ms)
			*oldest_ms = now_ms - since;
	}
	return n;
}
