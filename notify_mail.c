/* notify_mail.c: see notify_impl.h. */

#include "json.h"
#include "notify_impl.h"

static uint64_t
thread_of(const struct delivery *d)
{
	struct json j = JSON(str_of(d->items));		/* [[INCIDENT, ... */
	const struct delivery *first;
	int64_t incident = 0;
	struct str text;

	if (json_next(&j, &text) != JSON_ARR ||
	    json_next(&j, &text) != JSON_ARR ||
	    json_next(&j, &text) != JSON_NUM ||
	    json_int(text, 1, INT64_MAX, &incident) == -1)
		return d->o.id;
	MODEL_ALL(first, KIND_DELIVERY)
		if (first->recipient == d->recipient &&
		    model_delivery_says(first, (uint64_t)incident) !=
		    STATUS_NONE)
			break;
	return first == NULL ? d->o.id : first->o.id;
}

int
notify_mail_job(const struct setting *s, const struct recipient *r,
    const struct delivery *d, struct buf *b, struct fail *why)
{
	struct str host = str_of(s->smtp);
	const char *port = strrchr(s->smtp, ':');

	if (port == NULL)
		return fail(why, "no smtp is set: add \"smtp HOST ...\" to "
		    "vilicus.conf");
	host.n = (size_t)(port - host.p);
	if (host.p[0] == '[')
		host = (struct str){ host.p + 1, host.n - 2 };
	json_add(b, "channel", STR("email"));
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
