/* ctl_replay.c: what other rules would have told, against what was; see ctl.h.
 *
 * Both are in the order of their times, and merged: what the server's replay
 * says of the rules, page by page, and the check's incidents, each with its
 * begin and its end.  How bad an incident was at first is not kept, only how
 * bad it was at its worst: one that begins no worse than that is the same.
 */
#include <stdio.h>

#include "alert.h"
#include "ctl.h"

#define WAS_MAX	2000		/* of a check; a server keeps 1,000 closed */

/* An incident of the check. */
static struct was {
	int64_t at_ms[2];		/* begin, end */
	int64_t changed_ms;
	enum status severity;
	char id[24];
} was[WAS_MAX];
static unsigned was_n, at;		/* at: 2 * i and 2 * i + 1 are the
					 * begin and the end of was[i] */
static const char *what;		/* HOST/CHECK */
static int64_t from_ms, until_ms;
static enum status told;		/* by the rules of the incident we are
					 * in, if it began alike; or OK */
enum { SAME, MORE, FEWER };
static unsigned count[3];

static const char *
human(int64_t ms)
{
	char text[64];
	struct buf b = BUF(text);

	buf_time_human(&b, ms);
	return ctl_fmt("%.*s", (int)b.n, text);
}

static int64_t
time_of(struct str obj, const char *name, int64_t otherwise)
{
	int64_t ms = otherwise;

	(void)str_time(str_of(ctl_text(obj, name)), &ms);
	return ms;
}

static enum status
status_of(struct str obj, const char *name)
{
	enum status s = STATUS_OK;	/* of "none", too */

	(void)status_parse(str_of(ctl_text(obj, name)), &s);
	return s;
}

static void
take_was(const char *check_id)
{
	struct ctl_list l;
	struct str obj;
	struct was *w;

	for (ctl_list(&l, ctl_fmt("incident/?check=%s", check_id), WAS_MAX,
	    false); ctl_next(&l, &obj);) {
		w = &was[was_n++];
		w->at_ms[0] = time_of(obj, "opened", 0);
		w->at_ms[1] = time_of(obj, "closed", INT64_MAX);
		w->changed_ms = time_of(obj, "changed", 0);
		w->severity = status_of(obj, "severity");
		str_copy(w->id, sizeof w->id, str_of(ctl_text(obj, "id")));
	}
}

static void
line(int kind, const char *text)
{
	count[kind]++;
	ctl_say("%c %s", "=+-"[kind], text);
}

/* At the end of an incident: was it worse than the rules would have it? */
static void
leave(const struct was *w)
{
	if (told != STATUS_OK && told < w->severity)
		line(FEWER, ctl_fmt("incident %s (%s) had become %s", w->id,
		    what, status_name(w->severity)));
	told = STATUS_OK;
}

/* Past a begin or an end, of which the rules tell or do not. */
static void
pass(bool same)
{
	const struct was *w = &was[at / 2];
	int64_t ms = w->at_ms[at % 2];

	if (at % 2 == 1)
		leave(w);
	if (!same && ms >= from_ms)
		line(FEWER, ctl_fmt("incident %s (%s, %s) was %s at %s", w->id,
		    what, status_name(w->severity), at % 2 == 0 ? "opened" :
		    "closed", human(ms)));
	at++;
}

static void
pass_until(int64_t ms)
{
	while (at < 2 * was_n && was[at / 2].at_ms[at % 2] < ms)
		pass(false);
}

/* A change that the rules make. */
static void
tell(struct str obj)
{
	int64_t ms = time_of(obj, "at", 0);
	enum status from = status_of(obj, "from"), to = status_of(obj, "to");
	const struct was *w;
	bool same, in, edge;

	if (to < from && to != STATUS_OK)
		return;			/* better, but not well: not told */
	pass_until(ms);
	w = at < 2 * was_n ? &was[at / 2] : NULL;
	in = at % 2 == 1;
	edge = from == STATUS_OK || to == STATUS_OK;
	/* From what it is to what it is: it begins to flap. */
	same = w != NULL && in == (from != STATUS_OK) && to <= w->severity &&
	    (!edge || w->at_ms[in] == ms);
	if (same && edge)
		pass(true);
	if (same)
		told = to;
	line(same ? SAME : MORE, ctl_text(obj, "text"));
}

/* One answer.  Until when there are means; 0: there are none. */
static int64_t
tell_all(struct str answer)
{
	int64_t thinned_ms = time_of(answer, "thinned_until", 0);
	struct str obj;
	struct json j;

	if (until_ms == 0) {		/* the first */
		from_ms = time_of(answer, "from", 0);
		until_ms = time_of(answer, "until", 0);
	}
	/* Of what was before them the rules can say nothing. */
	if (thinned_ms > from_ms)
		from_ms = thinned_ms;
	ctl_json(answer);
	json_list(&j, answer, "objects");
	while (json_value(&j, &obj) == JSON_OBJ)
		tell(obj);
	return thinned_ms;
}

int
ctl_replay(int argc, char **argv)
{
	char body[CTL_BODY], path[64];
	struct buf b = BUF(body);
	struct str answer = ctl_find("check", argv[1]), next;
	int64_t thinned_ms = 0, ms;
	bool settled = true, more;

	what = argv[1];
	snprintf(path, sizeof path, "check/%s/replay/", ctl_text(answer,
	    "id"));
	take_was(ctl_text(answer, "id"));
	ctl_words(argc, argv, &b);
	do {
		answer = ctl_call(HTTP_POST, path, str_from(&b));
		ms = tell_all(answer);
		thinned_ms = ms > 0 ? ms : thinned_ms;
		settled = settled && strcmp(ctl_text(answer, "settled"),
		    "true") == 0;
		more = json_member(answer, "next", &next) == JSON_OBJ;
		b.n = 0;
		buf_add(&b, next);
		if (b.full)
			ctl_die(CTL_REFUSED, "the server's answer is too long");
	} while (more);
	pass_until(until_ms);
	if (at < 2 * was_n && at % 2 == 1 && was[at / 2].changed_ms < until_ms)
		leave(&was[at / 2]);
	if (thinned_ms > 0)
		ctl_say("Until %s there are only means, which cannot be "
		    "replayed.", human(thinned_ms));
	else if (!settled)
		ctl_say("How it stood at %s may hang on results before those "
		    "that were looked at.", human(from_ms));
	ctl_say("as it was (=): %u, only with these rules (+): %u, only as it "
	    "was (-): %u", count[SAME], count[MORE], count[FEWER]);
	return CTL_FINE;
}
