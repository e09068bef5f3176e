/*
 * model.h: what is configured and what is known, as objects of a few kinds,
 * and one table of fields per kind from which JSON, journal, configuration
 * and forms are made.
 *
 * No file, socket or clock.  There is one model in a process.  An object
 * is changed by drafting a copy (model_draft), setting its fields, checking
 * it (model_check) and installing it (model_install): a draft that is given
 * up leaves nothing behind.  change.h joins this with the journal.
 *
 * Objects stay where they are until they are removed; an id is never used
 * twice.  Text fields are NUL-terminated, on the model's heap, never NULL.
 */
#ifndef MODEL_H
#define MODEL_H

#include "alert.h"
#include "check.h"
#include "fail.h"
#include "hours.h"
#include "json.h"
#include "key.h"
#include "str.h"

#define MODEL_API		"/api/v1/"
#define MODEL_BEAT		"/beat/"	/* and TOKEN, of a heartbeat */
#define MODEL_SEEN		"/seen/"	/* and ID-TOKEN: a delivery */
#define MODEL_OBJECT_TEXT	16384	/* bytes of one object as JSON */
#define MODEL_CLOSED_MAX	1000	/* closed incidents kept */
#define MODEL_CHECKS_MAX	256	/* checks of one agent */
#define MODEL_AGENTS_MAX	20000
#define MODEL_DROPPED_MAX	(INT64_C(1) << 53)
#define MODEL_MESSAGE_MAX	256	/* bytes of a result's message */
#define MODEL_ITEM_MAX		1000000	/* incidents of one item */
#define MODEL_PARENTS_MAX	16	/* parents above an agent */
#define MODEL_PRINTED_MAX	8192	/* bytes of a text printed, and a NUL */

enum kind {
	KIND_AGENT, KIND_CHECK, KIND_INCIDENT, KIND_DELIVERY,
	KIND_RECIPIENT, KIND_KEY, KIND_SILENCE, KIND_SETTING, KINDS
};

enum agent_state { AGENT_NEVER, AGENT_UP, AGENT_SILENT, AGENT_STOPPED };
extern const char *const model_agent_states[];	/* "never" ... */
enum key_state { KEY_APPROVED, KEY_PENDING, KEY_REFUSED };
enum role { ROLE_AGENT, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLE_ENROL,
    ROLE_NONE };
/* How a recipient is reached. */
enum channel_of { TO_PUSHOVER, TO_EMAIL, TO_WEBHOOK, TO_NTFY, TO_GOTIFY,
    TO_SLACK, TO_DISCORD, TO_TELEGRAM, TO_PAGERDUTY, TO_ALERTMANAGER,
    TO_EXEC };
extern const char *const model_channels[];	/* "pushover" ... */
enum delivery_state { DELIVERY_QUEUED, DELIVERY_SENDING, DELIVERY_ACCEPTED,
    DELIVERY_SEEN, DELIVERY_GIVEN_UP };

/* The first member of every object. */
struct object {
	uint64_t id;
	uint64_t stepped_seq;		/* head seq its journaled state is of */
};

struct agent {
	struct object o;
	char *hostname, *description, *tags;
	char *parent;			/* HOST or HOST/CHECK, or "" */
	char *version, *guid, *platform;
	char *address, *held_by;	/* see struct check */
	int64_t check_interval_ms, late_after_s;	/* 0: the default */
	int64_t clock_skew_ms, dropped;
	int64_t last_checkin;
	int64_t revision;
	uint8_t state;			/* enum agent_state */
	bool enabled;
	uint64_t incident;		/* open one, or 0 */
	int64_t heard_ms;		/* watch clock; see watch.h */
	int64_t held_ms;		/* likewise: when it or a parent was
					 * last not seen */
	uint64_t above[2];		/* agent and check that parent names: */
	uint64_t above_of;		/* as of so many changes of names */
	struct check *checks;		/* linked by next, by id */
};

struct check {
	struct object o;
	uint64_t agent_id;
	struct agent *agent;
	struct check *next;
	char *name;
	const struct check_type *type;
	char *params;			/* canonical JSON, or "" */
	char *warn, *crit, *clear;	/* bounds, one a line */
	char *message;			/* of the newest result */
	char *held_by;			/* what holds its news back; "" */
	char *beat;			/* "/beat/TOKEN" of a heartbeat; "" */
	struct check *beats;		/* the next of model_beats */
	int64_t heard_ms;		/* watch clock: newest result, but for
					 * what beat.h says is missing, */
	int64_t missed_ms;		/* which it said last at this time */
	int64_t interval_ms;		/* 0: the agent's */
	int64_t for_s, hits, of, renotify_s;
	bool enabled, has_value;
	uint8_t raw;			/* enum status of the newest result */
	int64_t value, last_result;
	struct alert_state alert;
	struct alert_rule rule;		/* once installed: as of model_rule */
	uint64_t incident;		/* open one, or 0 */
};

struct incident {
	struct object o;
	uint64_t agent, check;		/* check 0: the agent itself */
	uint8_t severity;		/* worst so far */
	uint8_t status;			/* now */
	int64_t opened, changed, closed;
	int64_t acknowledged, acknowledged_until;	/* until 0: closed */
	char *what;			/* "web1 process nginx" */
	char *text;			/* the newest change, as told */
	char *acknowledged_by, *comment;
	int64_t open_ms, look_ms;	/* watch clock: since when it is open,
					 * or the start; when to look whom to
					 * tell of it (0: now) */
	bool held;			/* something holds its news back */
	bool again;			/* it is told once more: it flaps */
	struct said *said;		/* the deliveries it is in */
	unsigned said_n;
};

struct said {
	uint64_t delivery, recipient;
};

struct delivery {
	struct object o;
	uint64_t recipient;
	uint8_t state;			/* enum delivery_state */
	uint8_t severity;		/* worst told in it; ok: recoveries */
	bool test, drill;		/* a drill is a test, too */
	bool unknown;			/* some attempt may have arrived */
	bool rings;			/* an emergency that nobody ended */
	bool ring_ends;			/* not kept: that was tried */
	char *items;			/* [[incident, "critical"], ...] */
	char *title, *message;
	char *last_error, *request, *receipt, *device;
	int64_t queued, next, event;	/* times */
	int64_t attempts, code;
	int64_t sent, seen;
	int64_t due_ms;			/* watch clock; not kept: 0 is now */
	int64_t floor_ms;		/* likewise: never before, as asked */
	int64_t ended_ms;		/* likewise: when an attempt ended */
	int64_t ring_ms;		/* likewise: when to ask who saw it */
};

struct recipient {
	struct object o;
	char *name, *address, *secret, *match, *hours;
	uint8_t channel, severity;	/* enum channel_of */
	bool enabled, emergency;
	struct hours when;		/* of hours; n 0: they cannot be read */
	int64_t after_s;		/* told of what is unseen so long */
	int64_t proven, drilled;	/* when something was accepted last, a
					 * drill was over */
	char *drill_error;		/* why it was given up, or "" */
	int64_t quiet_ms;		/* watch clock: group until then */
	int64_t fails_ms;		/* likewise: since when no attempt to
					 * tell it succeeded; 0: it did */
};

struct key {
	struct object o;
	char *name, *hash;		/* SHA-256 in hex */
	char *tags;			/* enrolment: what its agents get */
	uint8_t role, state;
	bool approve;			/* enrolment: each is to be approved */
	uint64_t agent;
	int64_t created, last_used;
	struct key *next;		/* whose hash begins alike */
};

struct silence {
	struct object o;
	char *match, *weekly, *comment, *created_by;
	int64_t from, until;		/* until 0: for ever */
	struct hours when;		/* of weekly, likewise */
};

struct setting {
	struct object o;
	char *public, *sync, *pushover_token, *pushover_url, *ca_file;
	char *pins;			/* of agents' URLs */
	char *zone;			/* of hours that name none; "": UTC */
	char *heartbeat;		/* what is called while all is well */
	int64_t heartbeat_ms;		/* so often */
	char *exec_dir;			/* of the programs of exec; "": none */
	bool webhook_local;		/* they may reach this host */
	char *smtp;			/* "HOST:PORT", "[V6]:PORT", or "" */
	char *smtp_user, *smtp_password, *smtp_from, *smtp_tls;
	char *smtp_mark;		/* of this server's Message-IDs */
	char *link_secret;		/* of links without a key; "": none */
	int64_t disk;			/* bytes; 0: the default */
	int64_t drill_s;		/* between drills; 0: none by itself */
};

enum field_type {		/* texts, numbers, what is neither */
	FIELD_TEXT, FIELD_NAME, FIELD_BOUNDS, FIELD_JSON,
	FIELD_BOOL, FIELD_WORD, FIELD_INT, FIELD_TIME, FIELD_REF,
	FIELD_TYPE, FIELD_STATE,
	FIELD_SHOW			/* computed: field.show writes it */
};

#define F_WRITE		1u	/* clients set it */
#define F_NEED		2u	/* at creation it must be given */
#define F_KEEP		4u	/* in every journal record that changes it */
#define F_SNAP		8u	/* only in snapshots: moves with each report */
#define F_HIDE		16u	/* not in the API */
#define F_AGENT		32u	/* an agent's key may write it */
#define F_NULL		64u	/* 0 or "" is null in JSON */
#define F_ONCE		128u	/* at creation only */
#define F_STATE		256u	/* state, not configuration: not in what an
				   agent is given */
#define F_BRIEF		512u	/* of a delivery, shown with its incident */
#define F_SECRET	1024u	/* a text for admins and operators alone, and
				   only where there is one */

#define F_BLIND		2048u	/* clients write it, and none reads it */

struct field {
	const char *name;
	enum field_type type;
	unsigned flags;
	size_t off, width;		/* of its value in the object */
	int64_t min, max;		/* of the number, or of the bytes */
	int64_t def;
	const char *const *words;	/* FIELD_WORD: its values, NULL last */
	enum kind ref;			/* FIELD_REF */
	void (*show)(struct buf *b, const struct object *o);
};

struct kind_table {
	const char *name;		/* "agent": the resource */
	const struct field *field;
	unsigned fields;
	size_t size;
};
extern const struct kind_table model_kinds[KINDS];

/* Forget everything. */
void model_reset(void);

/* 0 or -1. */
int model_kind(struct str name, enum kind *k);
#define model_field(k, name) \
	((const struct field *)str_row(model_kinds[k].field, \
	    model_kinds[k].fields, sizeof(struct field), (name)))

/* An object by id, or NULL; and all of a kind in the order of their ids.
 * Here and in what follows void * is an object of the kind, or a draft. */
void *model_get(enum kind k, uint64_t id);
size_t model_count(enum kind k);
struct object *model_at(enum kind k, size_t i);	/* NULL: no more */
/* for: o, a pointer to its own type, each of a kind; none may be removed
 * meanwhile. */
#define MODEL_ALL(o, k) \
	for (size_t all_ = 0; ((o) = (void *)model_at(k, all_)) != NULL; all_++)
uint64_t model_next_id(enum kind k);
void model_used_id(enum kind k, uint64_t id);	/* ids up to it are taken */

/* The object of this name, any case, of a kind whose first field is one. */
struct object *model_named(enum kind k, struct str name);

/* The typed ones that are asked for most. */
#define model_agent(id)		((struct agent *)model_get(KIND_AGENT, id))
#define model_check_by_id(id)	((struct check *)model_get(KIND_CHECK, id))
#define model_incident(id) \
	((struct incident *)model_get(KIND_INCIDENT, id))
#define model_delivery(id) \
	((struct delivery *)model_get(KIND_DELIVERY, id))
#define model_recipient(id) \
	((struct recipient *)model_get(KIND_RECIPIENT, id))
#define model_agent_named(hostname) \
	((struct agent *)model_named(KIND_AGENT, hostname))
struct setting *model_setting(void);
/* Its zone is another: read all hours again. */
void model_zone(void);
/* The check `name` of an agent, any case; or NULL. */
struct check *model_check_named(const struct agent *a, struct str name);
/* The key whose secret this is, or NULL. */
struct key *model_key(struct str secret);

/* All checks of heartbeats, linked by beats; the one with this path ("/beat/
 * TOKEN"), or NULL. */
struct check *model_beats(void);
struct check *model_beat(struct str path);

int64_t model_interval(const struct check *c);
int64_t model_late_after_ms(const struct agent *a);
/* The worst status of an agent: silent is critical, never heard none. */
enum status model_agent_status(const struct agent *a);
/* The rule of a check, its type's own demands included.  0, or -1: there
 * was no room for those. */
int model_rule(const struct check *c, struct alert_rule *r);

/* What the parent of an agent names: *a, and *c or NULL.  0, or -1: it has
 * none, or there is nothing of that name. */
int model_parent(struct agent *of, struct agent **a, struct check **c);
/* The check that HOST/CHECK names and its agent, or the agent of HOST (*c is
 * NULL).  0 or -1. */
int model_place(struct str name, struct agent **a, struct check **c);

/* How the newest result of a check reads: "0 running, at least 1 expected". */
void model_check_text(struct buf *b, const struct check *c);
/*
 * What a delivery says: items is a list of [ID,"STATUS"], or, of incidents
 * that follow each other, [FIRST,LAST,"STATUS"].  With *rest the items at
 * first: each in turn; false: there is none left.
 */
struct model_item {
	uint64_t first, last;
	enum status status;
};
bool model_item(struct str *rest, struct model_item *i);
/* Each incident of such a list in turn, *i being all zero at first: its id,
 * what is said of it in i->status; 0: there is none left. */
uint64_t model_item_id(struct str *rest, struct model_item *i);
/* Add an item to such a list, whose end, a bracket, is yet to come. */
void model_item_put(struct buf *b, const struct model_item *i);
/* What it last says of an incident; NONE: it is not of it. */
enum status model_delivery_says(const struct delivery *d, uint64_t incident);

/* Where a field's value is. */
void *model_value_at(const struct field *f, const struct object *o);
/* Is a field a text?  Its value; only a draft's may be replaced. */
#define model_is_text(f)	((f)->type <= FIELD_JSON)
#define model_text_at(f, o)	((char **)model_value_at(f, o))
/* Is a field a number (bool, integer, time, word, reference)?  Its value. */
#define model_is_number(f) \
	((f)->type >= FIELD_BOOL && (f)->type <= FIELD_REF)
int64_t model_number(const struct field *f, const struct object *o);

/* A copy of an object to be changed, or a new one with all defaults (of
 * NULL; id 0).  Never NULL.  Given back by install or drop. */
void *model_draft(enum kind k, const void *of);
void model_drop(enum kind k, void *draft);

/* Set one field of a draft from its JSON.  0 or -1 with *why (without the
 * field's name). */
int model_set(enum kind k, struct object *draft, const struct field *f,
    enum json_tok tok, struct str raw, struct fail *why);
/* Replace a text of a draft; by one printed, which may hold what it was, cut
 * to MODEL_PRINTED_MAX. */
void model_text(char **field, struct str s);
void model_textf(char **field, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Make the secret of a draft of a key, by its role; only its hash is kept in
 * the draft.  0 or -1. */
int model_secret(struct key *draft, int64_t now_ms, char secret[KEY_TEXT],
    struct fail *why);

/* Is the draft whole and in harmony with the rest?  0, or -1 with the
 * field (static) and the reason; *conflict: it is a 409. */
int model_check(enum kind k, struct object *draft, const char **field,
    bool *conflict, struct fail *why);

/* Put a draft in place: the object with its id, or a new one (id 0: the next
 * one).  Returns the live object; *was gets a draft with the contents
 * before, or NULL (give it to model_drop, or install it to undo). */
void *model_install(enum kind k, void *draft, struct object **was);
/* Take an object away; returns it as a draft. */
void *model_remove(enum kind k, uint64_t id);
/* Give a live object's configuration back what it was; its state stays. */
void model_revert(enum kind k, struct object *live, struct object *was);

/* Is this field, are all with this flag, alike? */
bool model_same(const struct field *f, const struct object *a,
    const struct object *b);
bool model_same_all(enum kind k, unsigned flag, const struct object *a,
    const struct object *b);
/* Would anything that is F_WRITE differ?  Then agents must fetch again. */
#define model_differs(k, a, b)		(!model_same_all(k, F_WRITE, a, b))
/* All that the journal keeps? */
#define model_keeps_same(k, a, b)	model_same_all(k, F_KEEP, a, b)

/* JSON.  show: what a client may see; bare: without F_STATE and with params
 * flat, as wanted by flat.  kept: what the journal keeps of `o`, of its
 * changes against `was` only if that is not NULL. */
struct model_view {
	bool bare;		/* without state: for agents */
	bool flat;		/* params as fields of their own */
	const char *resource;	/* in resource_uri; NULL: the kind's name */
	bool secrets;		/* what is F_SECRET, too */
};
void model_show(struct buf *b, enum kind k, const struct object *o,
    const struct model_view *v);
void model_show_field(struct buf *b, const struct field *f,
    const struct object *o);
void model_kept(struct buf *b, enum kind k, const struct object *o,
    const struct object *was);
/* flat: with the parameters of a type in the place of params, or NULL. */
void model_schema(struct buf *b, enum kind k, const struct check_type *flat);
/* A resource URI, or a bare number, as an id.  0 or -1. */
int model_ref(struct str s, enum kind k, uint64_t *id);

#endif
