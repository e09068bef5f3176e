/*
 * store_job.c: see store.h; what is done beside the commits: results are
 * sealed by check, blocks merged, thinned and removed.
 *
 *	reports --hour--> block --day--> block --room--> 5 min --room--> 1 h
 *
 * A job reads files that change no more and writes one new one, aside; so a
 * child can run it.  Then it takes its name, the directory is synced with
 * the next commit, and only then what it replaces goes.  A block says which
 * reports it is made of: a start finds by that what a crash left to remove.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

#define HOUR_MS		3600000
#define DAY_MS		86400000
#define SEAL_BYTES	(4u << 20)	/* of the head: seal before the hour */
#define BLOCK_BYTES	(64u << 20)	/* what merging makes is no larger */
#define MERGE_MAX	64		/* blocks at once */
#define MERGE_TODAY	32		/* small ones of a day not over */
#define THIN_MAX	8
#define SLACK		65536

/* Blocks in the order of their reports, those that count. */
struct order {
	unsigned n;
	unsigned *i;
};

static const struct store_set *sorting;

static int
by_first(const void *a, const void *b)
{
	uint64_t x = sorting->file[*(const unsigned *)a].block.first;
	uint64_t y = sorting->file[*(const unsigned *)b].block.first;

	return x < y ? -1 : x > y;
}

static bool
take_order(struct store *s, struct order *o)
{
	unsigned i;

	o->n = 0;
	o->i = malloc((s->b.files + 1) * sizeof *o->i);
	for (i = 0; o->i != NULL && i < s->b.files; i++)
		if (!s->b.file[i].dead && !s->b.file[i].foreign)
			o->i[o->n++] = i;
	sorting = &s->b;
	if (o->i != NULL)
		qsort(o->i, o->n, sizeof *o->i, by_first);
	return o->i != NULL;
}

/* What goes first: of blocks the oldest of the thinnest; then the oldest
 * report files that a start does not need.  NULL: none is left. */
struct store_file *
store_oldest(struct store *s)
{
	struct store_file *f, *best = NULL;

	for (f = s->b.file; f < s->b.file + s->b.files; f++)
		if (best == NULL || f->dead > best->dead ||
		    (f->dead == best->dead && (f->block.level >
		    best->block.level || (f->block.level == best->block.level
		    && f->block.first < best->block.first))))
			best = f;
	return best;
}

/* ---- which ---- */

static void
plan(struct store *s, struct store_job *job, enum store_what what,
    uint64_t max_bytes)
{
	struct store_set *t = what == STORE_SNAPSHOT ? &s->n : &s->b;

	job->what = what;
	job->number = t->next++;
	/* It is an estimate: what failed gets more. */
	job->max_bytes = (max_bytes << s->job_fails) + SLACK;
}

/* The reports of head files up to number last are on their way into a
 * block, or shall be.  False: it is not time. */
static bool
plan_seal(struct store *s, int64_t now_ms, struct store_job *job)
{
	uint64_t bytes = 0, last = 0;
	int64_t first_ms = 0;
	unsigned i;

	for (i = 0; i < s->h.files; i++) {
		const struct store_file *f = &s->h.file[i];

		if (f->dead || f->first == 0)
			continue;
		if (first_ms == 0)
			first_ms = f->block.received_ms;
		bytes += f->end;
		/* Of the file after it: what a start need not step again. */
		if (i + 1 < s->h.files && store_first(&s->h, i + 1) - 1 <=
		    s->snap_head)
			last = store_first(&s->h, i + 1) - 1;
		else if (s->h.fd < 0 && s->durable <= s->snap_head)
			last = s->durable;
	}
	if (first_ms == 0 || (bytes < store_cap(s, SEAL_BYTES) &&
	    now_ms - first_ms < HOUR_MS && now_ms >= first_ms - HOUR_MS))
		return false;
	if (last == 0) {
		s->snap_due = true;
		return false;
	}
	plan(s, job, STORE_SEAL, 2 * bytes);
	job->last = last;
	job->level = LEVEL_RAW;
	return true;
}

/* A run of blocks of one level, from o->i[k] on: while `more` would take
 * them.  Their bytes; the job is set. */
static bool
plan_run(struct store *s, const struct order *o, unsigned k, unsigned n,
    unsigned level, enum store_what what, struct store_job *job)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = k; i < k + n; i++)
		bytes += s->b.file[o->i[i]].end;
	job->first = s->b.file[o->i[k]].block.first;
	job->last = s->b.file[o->i[k + n - 1]].block.last;
	job->level = level;
	plan(s, job, what, bytes + bytes / 8);
	return true;
}

static bool
plan_merge(struct store *s, const struct order *o, struct store_job *job)
{
	uint64_t cap = store_cap(s, BLOCK_BYTES), bytes;
	const struct store_file *f, *g;
	unsigned k, n;
	bool over;
	int64_t today = s->newest_ms / DAY_MS;

	for (k = 0; k < o->n; k++) {
		f = &s->b.file[o->i[k]];
		bytes = f->end;
		over = f->block.received_ms / DAY_MS != today;
		for (n = 1; k + n < o->n && n < MERGE_MAX; n++) {
			g = &s->b.file[o->i[k + n]];
			bytes += g->end;
			if (f->block.level != LEVEL_RAW ||
			    g->block.level != LEVEL_RAW || bytes > cap ||
			    g->block.received_ms / DAY_MS !=
			    f->block.received_ms / DAY_MS)
				break;
			if (!over && (f->end > cap / 8 || g->end > cap / 8))
				break;
		}
		if (n >= (over ? 2 : MERGE_TODAY))
			return plan_run(s, o, k, n, LEVEL_RAW, STORE_MERGE,
			    job);
	}
	return false;
}

/* The oldest blocks of a level, but of the newest day, one level up. */
static bool
plan_thin(struct store *s, const struct order *o, unsigned level,
    struct store_job *job)
{
	uint64_t cap = store_cap(s, BLOCK_BYTES), bytes = 0;
	unsigned k = 0, n = 0;
	const struct store_file *f;

	while (k < o->n && s->b.file[o->i[k]].block.level != level)
		k++;
	for (; k + n < o->n && n < THIN_MAX; n++) {
		f = &s->b.file[o->i[k + n]];
		bytes += f->end;
		if (f->block.level != level || (n > 0 && bytes > cap) ||
		    f->block.received_ms > s->newest_ms - DAY_MS)
			break;
	}
	return n > 0 && plan_run(s, o, k, n, level + 1, STORE_THIN, job);
}

/* Half of the budget is for what is whole, an eighth for five minutes. */
static bool
plan_room(struct store *s, const struct order *o, struct store_job *job)
{
	uint64_t of[LEVELS] = { 0 };
	unsigned i;

	if (s->budget == 0 || store_bytes(s) + 2 * (s->budget / 8) <
	    s->budget)
		return false;
	for (i = 0; i < o->n; i++)
		of[s->b.file[o->i[i]].block.level] += s->b.file[o->i[i]].alloc;
	if (of[LEVEL_RAW] > s->budget / 2 &&
	    plan_thin(s, o, LEVEL_RAW, job))
		return true;
	if (of[LEVEL_MINUTES] > s->budget / 8 &&
	    plan_thin(s, o, LEVEL_MINUTES, job))
		return true;
	if (of[LEVEL_HOUR] > s->budget / 8)
		return false;		/* the oldest of it goes */
	return plan_thin(s, o, LEVEL_RAW, job) ||
	    plan_thin(s, o, LEVEL_MINUTES, job);
}

/* What the journal has beyond the newest snapshot, about. */
static uint64_t
since_snapshot(const struct store *s)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < s->j.files; i++)
		if (store_first(&s->j, i + 1) > s->snap_n + 1)
			bytes += s->j.file[i].end;
	return bytes;
}

/* Is it time for a snapshot, whatever the head holds? */
static bool
snapshot_due(const struct store *s)
{
	return s->snap_due || since_snapshot(s) >=
	    store_cap(s, STORE_JOURNAL_BYTES) + s->snap_bytes;
}

static bool
plan_snapshot(struct store *s, struct store_job *job)
{
	/* There is one each hour: not for each a file of a few lines. */
	if (s->j.files > 0 && store_newest(&s->j)->end >=
	    store_cap(s, STORE_JOURNAL_BYTES) / 16)
		store_leave(&s->j);
	store_leave(&s->h);
	/* What moves with each result is in snapshots only. */
	plan(s, job, STORE_SNAPSHOT, 2 * s->snap_bytes + 4 * since_snapshot(s));
	job->last = s->durable;
	job->n = s->chain.n;
	return true;
}

bool
store_job_next(struct store *s, int64_t now_ms, int64_t mono_ms,
    struct store_job *job)
{
	struct order o;
	bool found;

	*job = (struct store_job){ .what = STORE_IDLE };
	if (s->busy || mono_ms < s->job_ms || !take_order(s, &o))
		return false;
	if (store_dirty(s)) {		/* the next commit leaves nothing */
		s->sync_now = true;
		free(o.i);
		return false;
	}
	found = plan_room(s, &o, job) || plan_seal(s, now_ms, job) ||
	    (snapshot_due(s) && plan_snapshot(s, job)) ||
	    plan_merge(s, &o, job);
	free(o.i);
	s->sync_now = false;
	if (!found)
		return false;
	s->busy = true;
	s->job_bytes = job->max_bytes;
	if (store_make_room(s, 0) && store_aside_make(job->what ==
	    STORE_SNAPSHOT ? &s->n : &s->b, job->number) == 0)
		return true;
	store_job_end(s, job, false, mono_ms);
	return false;
}

/* ---- the work ---- */

/* What many rows come to. */
struct thin {
	int64_t at_ms;
	unsigned level, metrics;
	uint64_t count;
	uint8_t code;
	struct store_sum value, metric[STORE_METRICS_MAX];
	char name[STORE_METRICS_MAX][STORE_NAME_MAX];
	size_t name_n[STORE_METRICS_MAX];
};

static void
sum_cells(const struct store_sum *a, int64_t v[3])
{
	v[0] = store_sum_mean(a);
	v[1] = a->min;
	v[2] = a->max;
}

/* Give what was summed up as a row, if anything was. */
static int
thin_end(struct thin *t, struct store_maker *m)
{
	static struct store_row row;
	unsigned i;
	int rc;

	if (t->count == 0)
		return 0;
	row.r = (struct store_result){ .at_ms = t->at_ms, .code = t->code,
	    .given = STORE_NO_CODE, .has_value = t->value.n > 0,
	    .metrics = t->metrics };
	row.count = t->count;
	if (row.r.has_value)
		sum_cells(&t->value, row.value);
	for (i = 0; i < t->metrics; i++) {
		row.r.metric[i].name = (struct str){ t->name[i],
		    t->name_n[i] };
		sum_cells(&t->metric[i], row.metric[i]);
	}
	rc = store_maker_row(m, &row);
	*t = (struct thin){ .level = t->level };
	return rc;
}

static void
thin_metric(struct thin *t, struct str name, const int64_t v[3],
    uint64_t count)
{
	unsigned i = 0;

	while (i < t->metrics && !str_eq(name, (struct str){ t->name[i],
	    t->name_n[i] }))
		i++;
	if (i == STORE_METRICS_MAX)
		return;
	if (i == t->metrics) {
		memcpy(t->name[i], name.p, name.n);
		t->name_n[i] = name.n;
		t->metrics++;
	}
	store_sum_add(&t->metric[i], v, count);
}

static int
thin_add(struct thin *t, struct store_maker *m, const struct store_row *row)
{
	int64_t ms = store_level_ms[t->level], at = row->r.at_ms;
	unsigned i;

	at -= at % ms < 0 ? at % ms + ms : at % ms;
	if (t->count > 0 && at != t->at_ms && thin_end(t, m) != 0)
		return -1;
	t->at_ms = at;
	t->count += row->count;
	if (row->r.code > t->code)
		t->code = row->r.code;
	if (row->r.has_value)
		store_sum_add(&t->value, row->value, row->count);
	for (i = 0; i < row->r.metrics; i++)
		thin_metric(t, row->r.metric[i].name, row->metric[i],
		    row->count);
	return 0;
}

/* All rows that the reader has, of one check, into the new block. */
static int
strip(struct store *s, struct store_maker *m, struct store_reader *q,
    unsigned level, struct fail *why)
{
	static struct store_row row;
	static struct thin t;
	int rc;

	t = (struct thin){ .level = level };
	store_maker_strip(m, q->ask.check);
	while ((rc = store_reader_next(s, q, &row, why)) == 1)
		if ((level == LEVEL_RAW ? store_maker_row(m, &row) :
		    thin_add(&t, m, &row)) != 0)
			return fail(why, "no memory");
	if (rc < 0)
		return -1;
	return thin_end(&t, m) != 0 || store_maker_strip_end(m) != 0 ?
	    fail(why, "no memory") : 0;
}

/* One check after the other, as they stand in pos. */
static int
seal(struct store *s, struct store_maker *m, struct store_reader *q,
    const struct store_job *job, struct fail *why)
{
	struct store_pos *pos, *mine;
	struct store_cursor *c;
	unsigned n, i, k;
	int rc = store_head_all(s, job->last, &pos, &n, why);

	if (rc != 0)
		return -1;
	for (i = 0; i < n && rc == 0; i += k) {
		for (k = 1; i + k < n && pos[i + k].check == pos[i].check;)
			k++;
		store_reader_begin(q, &(struct store_query){
		    .check = pos[i].check, .from_ms = INT64_MIN,
		    .to_ms = INT64_MAX });
		mine = malloc(k * sizeof *mine);
		c = store_cursor_add(q);
		if (mine == NULL || c == NULL) {
			free(mine);
			rc = fail(why, "no memory");
			break;
		}
		memcpy(mine, pos + i, k * sizeof *mine);
		c->head = true;
		c->pos = mine;
		c->rows = k;
		rc = strip(s, m, q, LEVEL_RAW, why);
	}
	free(pos);
	return rc;
}

/* The blocks a job reads, and the next check of each. */
struct input {
	unsigned file;
	uint64_t check, at;
	bool done;
};

static int
merge(struct store *s, struct store_maker *m, struct store_reader *q,
    const struct store_job *job, struct fail *why)
{
	static struct input in[MERGE_MAX];
	struct store_cursor *c;
	unsigned n = 0, i;
	uint64_t check = 0;
	int rc = 0;

	for (i = 0; i < s->b.files && n < MERGE_MAX; i++)
		if (store_job_takes(job, &s->b.file[i]))
			in[n++] = (struct input){ .file = i };
	while (rc == 0 && check != UINT64_MAX) {
		uint64_t next = UINT64_MAX;

		for (i = 0; i < n; i++) {
			if (!in[i].done && in[i].check <= check)
				in[i].done = store_block_find(s, in[i].file,
				    check + 1, &in[i].check, &in[i].at) == 0;
			if (!in[i].done && in[i].check < next)
				next = in[i].check;
		}
		check = next;
		if (check == UINT64_MAX)
			break;
		store_reader_begin(q, &(struct store_query){ .check = check,
		    .from_ms = INT64_MIN, .to_ms = INT64_MAX });
		for (i = 0; i < n && rc == 0; i++) {
			if (in[i].done || in[i].check != check)
				continue;
			c = store_cursor_add(q);
			if (c == NULL)
				rc = fail(why, "no memory");
			else {
				c->file = in[i].file;
				c->at = in[i].at;
				c->age = s->b.file[c->file].block.first;
			}
		}
		if (rc == 0)
			rc = strip(s, m, q, job->level, why);
	}
	return rc;
}

/* What the header of the new block says. */
static struct store_header
header_of(const struct store *s, const struct store_job *job)
{
	struct store_header h = { .first = job->last, .last = job->last,
	    .level = job->level, .received_ms = job->what == STORE_SEAL ?
	    s->newest_ms : INT64_MIN };
	const struct store_set *t = job->what == STORE_SEAL ? &s->h : &s->b;
	const struct store_file *f;

	for (f = t->file; f < t->file + t->files; f++) {
		if (!store_job_takes(job, f))
			continue;
		if (f->first < h.first)
			h.first = f->first;
		if (f->block.received_ms > h.received_ms)
			h.received_ms = f->block.received_ms;
	}
	return h;
}

int
store_job_run(struct store *s, const struct store_job *job, struct fail *why)
{
	struct store_header h = header_of(s, job);
	struct store_reader q = { .cursors = 0 };
	struct store_maker *m;
	int rc;

	s->h.unread = s->b.unread = false;
	s->h.win_n = s->b.win_n = 0;	/* it may be what could not be read */
	assert(job->what != STORE_IDLE && job->what != STORE_SNAPSHOT);
	if (store_aside(&s->b, job->number, why) != 0)
		return -1;
	m = store_maker_open(s, &h, job->max_bytes);
	rc = m == NULL ? fail(why, "no memory") :
	    job->what == STORE_SEAL ? seal(s, m, &q, job, why) :
	    merge(s, m, &q, job, why);
	if (rc == 0)
		rc = store_maker_end(m, why);
	/* What cannot be read today may be there tomorrow: it stays. */
	if (rc == 0 && (s->h.unread || s->b.unread))
		rc = fail(why, "a file cannot be read");
	if (m != NULL)
		store_maker_close(m);
	store_reader_close(&q);
	return store_aside_end(s, &s->b, rc, why);
}

/* ---- afterwards ---- */

/* Does the new file of this job stand for that one? */
bool
store_job_takes(const struct store_job *job, const struct store_file *f)
{
	if (f->first == 0 || f->foreign || f->dead)
		return false;
	if (job->what == STORE_SEAL)
		return f->first <= job->last;
	return f->block.first >= job->first && f->block.last <= job->last;
}

static int
install(struct store *s, const struct store_job *job, struct fail *why)
{
	struct store_set *t = &s->b;
	unsigned i;

	if (store_name(s, t, job->number, why) != 0)
		return -1;
	if (store_block_open(s, t->files - 1, why) != 0 ||
	    store_newest(t)->foreign)
		return -1;
	for (i = 0; i < s->h.files && job->what == STORE_SEAL; i++)
		if (store_job_takes(job, &s->h.file[i]))
			s->h.file[i].dead = true;
	for (i = 0; i + 1 < t->files && job->what != STORE_SEAL; i++)
		if (store_job_takes(job, &t->file[i]))
			t->file[i].dead = true;
	return 0;
}

void
store_want_snapshot(struct store *s)
{
	s->snap_due = true;
}

void
store_job_end(struct store *s, const struct store_job *job, bool done,
    int64_t mono_ms)
{
	struct store_set *t = job->what == STORE_SNAPSHOT ? &s->n : &s->b;
	struct fail why;

	assert(s->busy);
	s->busy = false;
	s->job_bytes = 0;
	if (done)
		done = job->what == STORE_SNAPSHOT ?
		    store_snapshot_take(s, job, &why) == 0 :
		    install(s, job, &why) == 0;
	s->job_fails = done ? 0 : s->job_fails < 2 ? s->job_fails + 1 : 2;
	if (!done) {
		store_aside_drop(t, job->number);
		s->job_ms = mono_ms + STORE_RETRY_MS;
	}
}

/* What a crash left: blocks and reports that a newer block stands for. */
void
store_job_clean(struct store *s)
{
	struct store_set *t = &s->b;
	uint64_t sealed = 0;
	unsigned i, k;

	for (i = 0; i < t->files; i++) {
		const struct store_file *f = &t->file[i];
		struct store_job job = { .what = STORE_MERGE,
		    .first = f->block.first, .last = f->block.last };

		if (f->foreign)
			continue;
		if (f->block.last > sealed)
			sealed = f->block.last;
		for (k = 0; k < i; k++)
			if (store_job_takes(&job, &t->file[k]))
				t->file[k].dead = true;
	}
	for (i = 0; i < s->h.files; i++)
		if (s->h.file[i].first != 0 && (s->durable <= sealed ||
		    store_first(&s->h, i + 1) - 1 <= sealed))
			s->h.file[i].dead = true;
	if (s->durable <= sealed)
		store_leave(&s->h);
}
