/* notify_job.c: a delivery as the job of its recipient's channel. */
#include <stdio.h>

#include "child.h"
#include "json.h"
#include "notify_impl.h"

#define PUSHOVER_URL	"https://api.pushover.net/1/messages.json"

/* What the recipient was told of an incident by others. */
static void
put_told(struct buf *b, const struct delivery *than, const struct incident *in)
{
	bool told[STATUS_NONE + 1] = { false };
	const struct delivery *d;

	for (unsigned i = 0; i < in->said_n; i++) {
		d = model_delivery(in->said[i].delivery);
		if (d != NULL && d != than && d->recipient == than->recipient &&
		    ((d->state >= DELIVERY_ACCEPTED &&
		    d->state != DELIVERY_GIVEN_UP) || d->unknown))
			told[model_delivery_says(d, in->o.id)] = true;
	}
	json_arr(json_key(b, "told"));
	for (unsigned i = 0; i < STATUS_NONE; i++)
		if (told[i])
			json_put(b, str_of(status_name(i)));
	json_arr_end(b);
}

/* Its incidents, as far as they fit. */
static void
put_items(struct buf *b, const struct delivery *d)
{
	char text[NOTIFY_JOB_ITEMS];
	const struct incident *in;
	size_t begin = b->n;
	enum status says;
	struct buf one;

	json_arr(json_key(b, "items"));
	MODEL_ALL(in, KIND_INCIDENT) {
		says = model_delivery_says(d, in->o.id);
		if (says == STATUS_NONE)
			continue;
		one = BUF(text);
		json_obj(&one);
		json_add_int(&one, "incident", (int64_t)in->o.id);
		json_add(&one, "status", str_of(status_name(says)));
		json_add(&one, "what", str_of(in->what));
		json_add(&one, "text", str_of(in->text));
		json_add_int(&one, "opened", in->opened / 1000);
		put_told(&one, d, in);
		json_obj_end(&one);
		/* A comma, and the two brackets behind it. */
		if (one.full || b->n - begin + one.n > NOTIFY_JOB_ITEMS ||
		    b->n + one.n + 3 > b->cap)
			break;
		json_put_raw(b, str_from(&one));
	}
	json_arr_end(b);
}

/* What Pushover always wants. */
static int
put_keys(struct buf *b, const struct recipient *r, struct fail *why)
{
	const struct setting *s = model_setting();

	if (s->pushover_token[0] == '\0')
		return fail(why, "no pushover token is set: add \"pushover "
		    "token ...\" to vilicus.conf");
	json_add(b, "url", str_of(s->pushover_url[0] != '\0' ?
	    s->pushover_url : PUSHOVER_URL));
	json_add(b, "token", str_of(s->pushover_token));
	json_add(b, "user", str_of(r->address));
	return 0;
}

/* And with a message. */
static int
put_pushover(struct buf *b, const struct delivery *d,
    const struct recipient *r, struct fail *why)
{
	if (put_keys(b, r, why) == -1)
		return -1;
	json_add_int(b, "priority", d->severity == STATUS_CRITICAL &&
	    r->emergency ? 2 : d->severity > STATUS_OK);
	if (d->drill)
		json_add_int(b, "expire", NOTIFY_DRILL_RING_S);
	if (model_setting()->public[0] != '\0')
		json_add(b, "link_title", STR("details, and a button: seen"));
	return 0;
}

/* The first delivery that told this recipient of the same incident. */
static uint64_t
thread_of(const struct delivery *d)
{
	struct str rest = str_of(d->items);
	struct model_item i = { .first = 0 };
	const struct incident *in = model_incident(model_item_id(&rest, &i));

	for (unsigned k = 0; in != NULL && k < in->said_n; k++)
		if (in->said[k].recipient == d->recipient &&
		    model_delivery(in->said[k].delivery) != NULL)
			return in->said[k].delivery;
	return d->o.id;
}

/* What an e-mail wants. */
static int
put_mail(struct buf *b, const struct delivery *d, const struct recipient *r,
    struct fail *why)
{
	const struct setting *s = model_setting();
	struct str host = str_of(s->smtp);
	const char *port = strrchr(s->smtp, ':');

	if (port == NULL)
		return fail(why, "no smtp is set: add \"smtp HOST ...\" to "
		    "vilicus.conf");
	host.n = (size_t)(port - host.p);
	if (host.p[0] == '[')
		host = (struct str){ host.p + 1, host.n - 2 };
	json_add(b, "smtp_host", host);
	json_add(b, "smtp_port", str_of(port + 1));
	json_add(b, "smtp_tls", str_of(s->smtp_tls));
	json_add(b, "smtp_user", str_of(s->smtp_user));
	json_add(b, "smtp_password", str_of(s->smtp_password));
	json_add(b, "smtp_from", str_of(s->smtp_from));
	json_add(b, "smtp_mark", str_of(s->smtp_mark));
	json_add(b, "address", str_of(r->address));
	json_add(b, "severity", str_of(status_name(d->severity)));
	json_add_int(b, "id", (int64_t)d->o.id);
	json_add_int(b, "thread", (int64_t)thread_of(d));
	return 0;
}

/* What the others want. */
static int
put_others(struct buf *b, const struct delivery *d,
    const struct recipient *r, struct fail *why)
{
	const struct setting *s = model_setting();
	char path[2 * 256 + 2];

	if (r->channel == TO_EXEC) {
		if (s->exec_dir[0] == '\0')
			return fail(why, "no programs are allowed: add "
			    "\"exec-dir /PATH\" to vilicus.conf");
		snprintf(path, sizeof path, "%s/%s", s->exec_dir, r->address);
		json_add(b, "program", str_of(path));
	}
	json_add(b, "address", str_of(r->address));
	json_add(b, "secret", str_of(r->secret));
	json_add(b, "severity", str_of(status_name(d->severity)));
	json_add_int(b, "id", (int64_t)d->o.id);
	json_put_bool(json_key(b, "local"), s->webhook_local);
	if (d->drill)
		json_put_bool(json_key(b, "drill"), true);
	put_items(b, d);
	return 0;
}

int
notify_job(const struct delivery *d, struct buf *b, struct fail *why)
{
	const struct setting *s = model_setting();
	const struct recipient *r = model_recipient(d->recipient);
	char link[NOTIFY_LINK_MAX], mark[NOTIFY_MARK_MAX];
	struct buf l = BUF(link), m = BUF(mark);

	if (r == NULL)
		return fail(why, "the recipient was removed");
	json_obj(b);
	json_add(b, "channel", str_of(model_channels[r->channel]));
	json_add(b, "title", str_of(d->title));
	json_add(b, "message", str_of(d->message));
	json_add_int(b, "timestamp", d->event / 1000);
	change_mark(&m);
	if (m.n > 0)
		json_add(b, "journal", str_from(&m));
	if (s->public[0] != '\0') {
		buf_addz(&l, s->public);
		notify_link(&l, d);
		json_add(b, "link", str_from(&l));
	}
	if ((r->channel == TO_PUSHOVER ? put_pushover : r->channel ==
	    TO_EMAIL ? put_mail : put_others)(b, d, r, why) == -1)
		return -1;
	json_obj_end(b);
	return b->full ? fail(why, "the message is too long") : 0;
}

int
notify_job_well(struct buf *b, struct fail *why)
{
	json_obj(b);
	json_add(b, "channel", STR("get"));
	json_add(b, "severity", STR("ok"));
	json_add(b, "address", str_of(model_setting()->heartbeat));
	json_put_bool(json_key(b, "local"), true);	/* the file's word */
	json_obj_end(b);
	return b->full ? fail(why, "the address is too long") : 0;
}

int
notify_job_ring(const struct delivery *d, enum errand e, struct buf *b,
    struct fail *why)
{
	const struct recipient *r = model_recipient(d->recipient);

	if (r == NULL)
		return fail(why, "the recipient was removed");
	json_obj(b);
	json_add(b, "channel", str_of(model_channels[TO_PUSHOVER]));
	json_add(b, "what", str_of(e == ASK ? "receipt" : "cancel"));
	json_add(b, "receipt", str_of(d->receipt));
	if (put_keys(b, r, why) == -1)
		return -1;
	json_obj_end(b);
	return b->full ? fail(why, "the address is too long") : 0;
}
