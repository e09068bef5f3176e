/* model_set.c: a field of a draft from JSON, and a draft made sure of. */
#include "mail.h"
#include "model_impl.h"

int
model_ref(struct str s, enum kind k, uint64_t *id)
{
	char head[64];
	struct buf b = BUF(head);

	buf_addf(&b, MODEL_API "%s/", model_kinds[k].name);
	if (str_starts(s, str_from(&b))) {
		s = str_after(s, b.n);
		s.n -= s.n > 0 && s.p[s.n - 1] == '/';
	}
	return str_u64(s, 1, INT64_MAX, id);
}

static int
set_text(const struct field *f, struct object *o, struct str s,
    struct fail *why)
{
	if (f->type == FIELD_NAME && !check_name_ok(s))
		return fail(why, "1 to 64 of A-Z a-z 0-9 . _ : - and inner "
		    "spaces");
	if (s.n < (size_t)f->min || s.n > (size_t)f->max)
		return fail(why, "%lld to %lld bytes, not %zu",
		    (long long)f->min, (long long)f->max, s.n);
	if ((f->flags & (F_WRITE | F_AGENT)) && !str_is_plain(s))
		return fail(why, "control characters are not taken");
	model_text(model_text_at(f, o), s);
	return 0;
}

/* A field's word, or type of checks, number i; NULL: there are no more. */
static const char *
choice(const struct field *f, unsigned i)
{
	return f->type == FIELD_WORD ? f->words[i] : check_types[i].name;
}

/* One of them; what is offered instead is said. */
static int
set_choice(const struct field *f, struct object *o, struct str s,
    struct fail *why)
{
	char list[128];
	struct buf b = BUF(list);
	unsigned i = 0, k;

	while (choice(f, i) != NULL && !str_is(s, choice(f, i)))
		i++;
	for (k = 0; k < i && choice(f, i) == NULL; k++)
		buf_addf(&b, "%s%s", k > 0 ? ", " : "", choice(f, k));
	if (choice(f, i) == NULL)
		return fail(why, "one of %.*s", (int)b.n, b.p);
	if (f->type == FIELD_WORD)
		model_put_number(f, o, i);
	else
		((struct check *)o)->type = &check_types[i];
	return 0;
}

/* A list of bounds, or one; kept one a line. */
static int
set_bounds(const struct field *f, struct object *o, struct str raw,
    struct fail *why)
{
	char text[MODEL_BOUNDS_MAX], one[128];
	struct alert_bound bound;
	enum json_tok tok;
	struct str item;
	struct json j;
	struct buf b = BUF(text);
	unsigned n = 0;

	json_open(&j, raw);
	tok = json_next(&j, &item);
	if (tok == JSON_ARR)
		tok = json_next(&j, &item);
	for (; tok == JSON_STR; tok = json_next(&j, &item)) {
		if (json_unescape(item, one, sizeof one) == -1)
			return fail(why, "a bound is at most 127 bytes");
		if (alert_bound_parse(str_of(one), &bound, why) == -1)
			return -1;
		if (n++ == ALERT_BOUNDS_MAX)
			return fail(why, "at most %d bounds", ALERT_BOUNDS_MAX);
		if (b.n > 0)
			buf_addc(&b, '\n');
		alert_bound_put(&b, &bound);
	}
	if (tok != JSON_ARR_END && tok != JSON_END)
		return fail(why, "a list of bounds like [\"above 90\"]");
	model_text(model_text_at(f, o), str_from(&b));
	return 0;
}

int
model_set(enum kind k, struct object *draft, const struct field *f,
    enum json_tok tok, struct str raw, struct fail *why)
{
	void *at = model_value_at(f, draft);
	char text[MODEL_TEXT_MAX + 1];
	struct str s;

	(void)k;
	text[0] = '\0';
	if (tok == JSON_NULL) {		/* nothing, where that may be */
		if (!(f->flags & F_NULL))
			return fail(why, "may not be null");
		if (model_is_text(f))
			model_text(at, STR(""));
		else
			model_put_number(f, draft, 0);
		return 0;
	}
	if ((tok == JSON_STR || tok == JSON_NUM) &&
	    json_unescape(raw, text, sizeof text) == -1)
		return fail(why, "longer than %d bytes, or with a NUL",
		    MODEL_TEXT_MAX);
	s = str_of(text);		/* empty, if it is neither */
	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_NAME:
		return tok != JSON_STR ? fail(why, "a string") :
		    set_text(f, draft, s, why);
	case FIELD_BOUNDS:
		return set_bounds(f, draft, raw, why);
	case FIELD_JSON:
		if ((tok != JSON_OBJ && tok != JSON_ARR) ||
		    raw.n > (size_t)f->max)
			return fail(why, "an object of at most %lld bytes",
			    (long long)f->max);
		model_text(at, raw);
		return 0;
	case FIELD_BOOL:
		if (tok != JSON_TRUE && tok != JSON_FALSE)
			return fail(why, "true or false");
		model_put_number(f, draft, tok == JSON_TRUE);
		return 0;
	case FIELD_INT:
		return tok == JSON_NUM && json_int(raw, f->min, f->max,
		    at) == 0 ? 0 : fail(why, "an integer from %lld to %lld",
		    (long long)f->min, (long long)f->max);
	case FIELD_TIME:
		return str_time(s, at) == 0 ? 0 :
		    fail(why, "a time as 2026-11-22T06:53:11Z");
	case FIELD_REF:
		return model_ref(s, f->ref, at) == 0 ? 0 :
		    fail(why, "a resource URI like " MODEL_API "%s/1/",
		    model_kinds[f->ref].name);
	case FIELD_WORD:
	case FIELD_TYPE:
		return set_choice(f, draft, s, why);
	case FIELD_STATE:
		return alert_state_get(s, at) == 0 ? 0 :
		    fail(why, "not a state");
	case FIELD_SHOW:
		break;
	}
	return fail(why, "is read-only");
}

int
model_secret(struct key *draft, int64_t now_ms, char secret[KEY_TEXT],
    struct fail *why)
{
	static const char *const prefix[] = { "va_", "vv_", "vo_", "vk_",
	    "ve_" };
	unsigned char hash[KEY_HASH];
	char hex[2 * KEY_HASH + 1];

	if (key_make(prefix[draft->role], secret, why) == -1)
		return -1;
	key_hash(str_of(secret), hash);
	str_hex(hex, hash, sizeof hash);
	model_text(&draft->hash, str_of(hex));
	draft->created = now_ms;
	return 0;
}

/* ---- a draft as a whole: *field is where it was looked at last ---- */

/* Words of letters, digits and . _ - with single spaces between them. */
static int
are_tags(const char *tags, struct fail *why)
{
	struct str rest = str_of(tags), one;

	while (rest.n > 0 && str_cut(&rest, ' ', &one) == 0)
		if (one.n == 0 || !str_is_of(one, STR_ALNUM "._-") ||
		    (rest.p != NULL && rest.n == 0))
			return fail(why, "words of letters, digits and ._- "
			    "with single spaces between them");
	return 0;
}

/* Is what its parent names there, and no agent above itself?  What was there
 * and is gone since is no reason to refuse other changes. */
static int
is_parent(const struct agent *of, struct fail *why)
{
	struct str name = str_of(of->parent);
	const struct agent *live = model_agent(of->o.id);
	struct agent *a;
	struct check *c;

	for (int i = 0; name.n > 0; i++) {
		if (model_place(name, &a, &c) == -1)
			return i > 0 || (live != NULL &&
			    strcmp(live->parent, of->parent) == 0) ? 0 :
			    fail(why, "no agent or HOST/CHECK of that name");
		if (i == MODEL_PARENTS_MAX || a->o.id == of->o.id)
			return fail(why, "its parents would be a circle, or "
			    "more than %d", MODEL_PARENTS_MAX);
		name = str_of(a->parent);
	}
	return 0;
}

static int
check_agent(struct object *o, const char **field, struct fail *why)
{
	*field = "tags";
	if (are_tags(((const struct agent *)o)->tags, why) == -1)
		return -1;
	*field = "parent";
	if (is_parent((const struct agent *)o, why) == -1)
		return -1;
	*field = "hostname";
	if (o->id == 0 && model_count(KIND_AGENT) >= MODEL_AGENTS_MAX)
		return fail(why, "at most %d agents", MODEL_AGENTS_MAX);
	return 0;
}

static int
check_check(struct object *o, const char **field, struct fail *why)
{
	struct check *c = (struct check *)o;
	const struct agent *a = model_agent(c->agent_id);
	const struct check *other;
	char params[CHECK_PARAMS_MAX], name[CHECK_NAME_MAX + 1];
	char beat[KEY_TEXT];
	struct buf p = BUF(params), b = BUF(name);
	struct alert_rule rule;
	unsigned n = 0;

	*field = "agent";
	if (a == NULL)
		return fail(why, "no such agent");
	for (other = a->checks; other != NULL; other = other->next)
		n++;
	if (o->id == 0 && n >= MODEL_CHECKS_MAX)
		return fail(why, "at most %d checks an agent",
		    MODEL_CHECKS_MAX);
	/* Parameters as the type wants them, and a name made of them. */
	if (check_params(c->type, str_of(c->params), &p, field, why) == -1)
		return -1;
	model_text(&c->params, str_from(&p));
	if (c->name[0] == '\0') {
		check_name(c->type, str_of(c->params), &b);
		model_text(&c->name, str_from(&b));
	}
	*field = "beat";
	if (check_is_beat(c->type) && c->beat[0] == '\0') {
		if (key_make("vb_", beat, why) == -1)
			return -1;
		model_textf(&c->beat, MODEL_BEAT "%s", beat);
	}
	*field = "hits";
	if (c->hits > c->of)
		return fail(why, "hits are at most of");
	*field = "crit";
	if (model_rule(c, &rule) == -1)
		return fail(why, "with the type's own there are more than %d "
		    "bounds", ALERT_BOUNDS_MAX);
	return 0;
}

/* ---- addresses of recipients ---- */

static bool
is_push_key(struct str s)
{
	return s.n == 30 && str_is_of(s, STR_ALNUM);
}

/* One, local part and domain. */
static bool
is_url(struct str s)
{
	size_t n = str_starts(s, STR("https://")) ? 8 :
	    str_starts(s, STR("http://")) ? 7 : s.n;

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' ||
		    (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.n > n;
}

/* "KEY" or "KEY URL". */
static bool
is_key(struct str s)
{
	struct str key;

	return str_cut(&s, ' ', &key) == 0 && key.n > 0 &&
	    !is_url(key) && (s.p == NULL || is_url(s));
}

static bool
is_program(struct str s)
{
	return s.n > 0 && s.p[0] != '.' && memchr(s.p, '/', s.n) == NULL;
}

#define A_URL	is_url, "a URL, https://... or http://...", false
static const struct {
	bool (*is)(struct str address);
	const char *what;
	bool secret;			/* it must have one */
} addresses[] = {
	[TO_PUSHOVER]	= { is_push_key, "a Pushover user or group key is 30 "
	    "letters and digits", false },
	[TO_EMAIL]	= { mail_address, "one address, like noc@example.org",
	    false },
	[TO_WEBHOOK]	= { A_URL }, [TO_NTFY] = { A_URL },
	[TO_GOTIFY]	= { is_url, "a URL, https://... or http://...", true },
	[TO_SLACK]	= { A_URL }, [TO_DISCORD] = { A_URL },
	[TO_TELEGRAM]	= { is_key, "a chat's id, and another server's URL "
	    "if it is not theirs", true },
	[TO_PAGERDUTY]	= { is_key, "an integration key, and another "
	    "server's URL if it is not theirs", false },
	[TO_ALERTMANAGER] = { A_URL },
	[TO_EXEC]	= { is_program, "the name of a program in exec-dir",
	    false },
};

/* A text that says which agents and checks, and one that says when; "" is no
 * word of it. */
static int
are_places(const char *match, const char **field, struct fail *why)
{
	*field = "match";
	return match[0] == '\0' ? 0 : match_parse(str_of(match), why);
}

static int
are_hours(const char *text, const char *name, const char **field,
    struct fail *why)
{
	struct hours h;

	*field = name;
	return text[0] == '\0' ? 0 : hours_parse(str_of(text),
	    model_setting()->zone, &h, why);
}

static int
check_recipient(struct object *o, const char **field, struct fail *why)
{
	const struct recipient *was = model_recipient(o->id);
	struct recipient *r = (struct recipient *)o;

	/* What was proven of another address says nothing of this one. */
	if (was != NULL && (was->channel != r->channel ||
	    strcmp(was->address, r->address) != 0 ||
	    strcmp(was->secret, r->secret) != 0)) {
		r->proven = r->drilled = 0;
		model_text(&r->drill_error, STR(""));
	}
	*field = "address";
	if (!addresses[r->channel].is(str_of(r->address)))
		return fail(why, "%s", addresses[r->channel].what);
	*field = "secret";
	if (addresses[r->channel].secret && r->secret[0] == '\0')
		return fail(why, "%s wants its token as the secret",
		    model_channels[r->channel]);
	*field = "emergency";
	if (r->emergency && r->channel != TO_PUSHOVER)
		return fail(why, "only Pushover has emergencies");
	return are_places(r->match, field, why) == -1 ||
	    are_hours(r->hours, "hours", field, why) == -1 ? -1 : 0;
}

static int
check_silence(struct object *o, const char **field, struct fail *why)
{
	const struct silence *s = (const struct silence *)o;

	*field = "until";
	if (s->until != 0 && s->until <= s->from)
		return fail(why, "it ends before it begins");
	return are_places(s->match, field, why) == -1 ||
	    are_hours(s->weekly, "weekly", field, why) == -1 ? -1 : 0;
}

static int
check_key(struct object *o, const char **field, struct fail *why)
{
	const struct key *k = (const struct key *)o;

	*field = k->approve ? "approve" : "tags";
	if (k->role != ROLE_ENROL && (k->approve || k->tags[0] != '\0'))
		return fail(why, "only an enrolment key has it");
	if (are_tags(k->tags, why) == -1)
		return -1;
	*field = "agent";
	if ((k->role == ROLE_AGENT) != (k->agent != 0))
		return fail(why, k->agent == 0 ?
		    "an agent's key names its agent" :
		    "only an agent's key has an agent");
	if (k->agent != 0 && model_agent(k->agent) == NULL)
		return fail(why, "no such agent");
	return 0;
}

int
model_check(enum kind k, struct object *draft, const char **field,
    bool *conflict, struct fail *why)
{
	static int (*const checks[KINDS])(struct object *, const char **,
	    struct fail *) = {
		[KIND_AGENT] = check_agent, [KIND_CHECK] = check_check,
		[KIND_RECIPIENT] = check_recipient, [KIND_KEY] = check_key,
		[KIND_SILENCE] = check_silence
	};
	const struct check *c = (const struct check *)draft;
	const struct object *other = NULL;

	*conflict = false;
	*field = NULL;
	if (checks[k] != NULL && checks[k](draft, field, why) == -1)
		return -1;
	/* Who has its name, where it is the only one to have it? */
	if (k == KIND_CHECK)
		other = (const void *)model_check_named(
		    model_agent(c->agent_id), str_of(c->name));
	else if (k == KIND_AGENT || k == KIND_RECIPIENT)
		other = model_named(k, str_of(*model_text_at(
		    model_kinds[k].field, draft)));
	if (other == NULL || other->id == draft->id)
		return 0;
	*conflict = true;
	*field = k == KIND_AGENT ? "hostname" : "name";
	return fail(why, "%s %llu has this name already", model_kinds[k].name,
	    (unsigned long long)other->id);
}
