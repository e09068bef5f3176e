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
#include <stdio.h>
#include <stdlib.h>

#include "store_impl.h"

/* The block that goes first: one that was replaced, else of the thinnest the
 * oldest.  NULL: there is none. */
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
	/* It is an estimate: what it was too little for gets more. */
	job->max_bytes = (max_bytes << s->job_fails) +
	    store_cap(s, 8 * STORE_JOB_SLACK) / 8;
	if (s->budget != 0 && job->max_bytes > s->budget / 4)
		job->max_bytes = s->budget / 4;
}

/* The reports of head files up to number last are on their way into a
 * block, or shall be.  False: it is not time. */
static bool
plan_seal(struct store *s, int64_t now_ms, struct store_job *job)
{
	uint64_t bytes = 0, last = 0;
	int64_t first_ms = 0;

	for (unsigned i = 0; i < s->h.files; i++) {
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
	if (first_ms == 0 || (bytes < store_cap(s, STORE_SEAL_BYTES) &&
	    now_ms - first_ms < STORE_HOUR_MS &&
	    now_ms >= first_ms - STORE_HOUR_MS))
		return false;
	if (last == 0) {
		s->snap_due = true;
		return false;
	}
	/* Of checks with one result each a block is larger than the head. */
	plan(s, job, STORE_SEAL, 2 * bytes > store_cap(s, 16 * bytes) ?
	    2 * bytes : store_cap(s, 16 * bytes));
	job->last = last;
	job->level = LEVEL_RAW;
	return true;
}

/* Of the n blocks from f on one is to be made. */
static void
plan_run(struct store *s, const struct store_file *f, unsigned n,
    unsigned level, struct store_job *job)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += f[i].end;
	job->first = f[0].block.first;
	job->last = f[n - 1].block.last;
	job->level = level;
	/* Means are three numbers each. */
	plan(s, job, level == LEVEL_RAW ? STORE_MERGE : STORE_THIN,
	    level == LEVEL_RAW ? bytes + bytes / 8 : 3 * bytes);
}

/* How many blocks from f on are alike, few and small enough: of one level,
 * and, if they are whole, of one day. */
static unsigned
alike(struct store *s, const struct store_file *f, unsigned max, uint64_t each)
{
	const struct store_file *end = s->b.file + s->b.files, *g;
	uint64_t bytes = 0;

	for (g = f; g < end && g < f + max && g->block.level ==
	    f->block.level && !g->foreign; g++) {
		bytes += g->end;
		if (g->end > each || (g > f &&
		    (bytes > store_cap(s, STORE_BLOCK_BYTES) ||
		    (f->block.level == LEVEL_RAW && max == STORE_MERGE_MAX &&
		    g->block.received_ms / STORE_DAY_MS !=
		    f->block.received_ms / STORE_DAY_MS))))
			break;
	}
	return (unsigned)(g - f);
}

static bool
plan_merge(struct store *s, struct store_job *job)
{
	uint64_t cap = store_cap(s, STORE_BLOCK_BYTES);
	const struct store_file *f;
	unsigned n;
	bool over;

	for (f = s->b.file; f < s->b.file + s->b.files; f++) {
		over = f->block.received_ms / STORE_DAY_MS !=
		    s->newest_ms / STORE_DAY_MS;
		n = alike(s, f, STORE_MERGE_MAX, over ? cap : cap / 8);
		if (f->block.level == LEVEL_RAW && !f->foreign &&
		    n >= (over ? 2 : STORE_MERGE_TODAY)) {
			plan_run(s, f, n, LEVEL_RAW, job);
			return true;
		}
	}
	return false;
}

/* The oldest blocks of a level, but of the newest day, one level up. */
static bool
plan_thin(struct store *s, unsigned level, struct store_job *job)
{
	const struct store_file *end = s->b.file + s->b.files, *f = s->b.file;
	unsigned n;

	while (f < end && (f->foreign || f->block.level != level))
		f++;
	n = f < end ? alike(s, f, STORE_THIN_MAX, UINT64_MAX) : 0;
	while (n > 0 &&
	    f[n - 1].block.received_ms > s->newest_ms - STORE_DAY_MS)
		n--;
	if (n > 0)
		plan_run(s, f, n, level + 1, job);
	return n > 0;
}

/* Half of the budget is for what is whole, an eighth for five minutes, an
 * eighth for hours; a quarter stays free for what is to come. */
static bool
plan_room(struct store *s, struct store_job *job)
{
	uint64_t of[LEVELS] = { 0 };
	const struct store_file *f;

	if (s->budget == 0 || store_bytes(s) + s->budget / 4 < s->budget)
		return false;
	for (f = s->b.file; f < s->b.file + s->b.files; f++)
		of[f->block.level] += f->alloc;
	if ((of[LEVEL_RAW] > s->budget / 2 && plan_thin(s, LEVEL_RAW, job)) ||
	    (of[LEVEL_MINUTES] > s->budget / 8 &&
	    plan_thin(s, LEVEL_MINUTES, job)))
		return true;
	/* Else the oldest of the hours goes; or, there being too few, more
	 * is thinned. */
	return of[LEVEL_HOUR] <= s->budget / 8 &&
	    (plan_thin(s, LEVEL_RAW, job) || plan_thin(s, LEVEL_MINUTES, job));
}

void
store_cramp(struct store *s, struct store_set *t)
{
	s->cramped = true;
	t->write_error = ENOSPC;
}

bool
store_job_cramped(const struct store *s)
{
	return s->cramped;
}

bool
store_job_next(struct store *s, int64_t now_ms, int64_t mono_ms,
    struct store_job *job)
{
	uint64_t since = 0, journal = store_cap(s, STORE_JOURNAL_BYTES);
	uint64_t spare = s->budget / 16;
	bool due;

	*job = (struct store_job){ .what = STORE_IDLE };
	s->cramped = false;
	if (s->busy || mono_ms < s->job_ms)
		return false;
	/* What the journal has beyond the newest snapshot, about. */
	for (unsigned i = 0; i < s->j.files && s->chain.n > s->snap_n; i++)
		if (store_first(&s->j, i + 1) > s->snap_n + 1)
			since += s->j.file[i].end;
	due = plan_room(s, job) || plan_seal(s, now_ms, job) || s->snap_due ||
	    since >= journal + s->snap_bytes || plan_merge(s, job);
	s->sync_now = due && store_dirty(s);	/* for the next commit */
	if (!due || s->sync_now)
		return false;
	if (job->what == STORE_IDLE) {
		/* There is one each hour: not for each a file of few lines. */
		if (s->j.files > 0 && store_newest(&s->j)->end >= journal / 16)
			store_leave(&s->j);
		store_leave(&s->h);
		/* What moves with each result is in snapshots only. */
		plan(s, job, STORE_SNAPSHOT, 2 * s->snap_bytes + 4 * since);
		job->last = s->durable;
		job->n = s->chain.n;
	}
	/* Thinning makes do with the room there is, if that may suffice; else
	 * what gives way may be what the job is about: then plan anew. */
	if (job->what == STORE_THIN && s->job_fails == 0 && s->budget >
	    store_bytes(s) + spare + job->max_bytes / 4)
		job->max_bytes = s->budget - spare - store_bytes(s);
	/* What comes meanwhile has room, or it takes the oldest block's. */
	if (s->budget != 0 &&
	    store_bytes(s) + job->max_bytes + spare > s->budget) {
		/* For a merge nothing goes: it can wait. */
		if (job->what != STORE_MERGE)
			(void)store_make_room(s, job->max_bytes + spare);
		return false;
	}
	s->busy = true;
	s->job_bytes = job->max_bytes;
	if (store_aside_make(job->what ==
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
	char name[STORE_METRICS_MAX][STORE_NAME_MAX + 1];
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
	int rc;

	if (t->count == 0)
		return 0;
	row.r = (struct store_result){ .at_ms = t->at_ms, .code = t->code,
	    .given = STORE_NO_CODE, .has_value = t->value.n > 0,
	    .metrics = t->metrics };
	row.count = t->count;
	if (row.r.has_value)
		sum_cells(&t->value, row.value);
	for (unsigned i = 0; i < t->metrics; i++) {
		row.r.metric[i].name = str_of(t->name[i]);
		sum_cells(&t->metric[i], row.metric[i]);
	}
	rc = store_maker_row(m, &row);
	*t = (struct thin){ .level = t->level };
	return rc;
}

static int
thin_add(struct thin *t, struct store_maker *m, const struct store_row *row)
{
	int64_t ms = store_level_ms[t->level], at = row->r.at_ms;
	int64_t past = at % ms < 0 ? at % ms + ms : at % ms;
	const struct store_metric *metric = row->r.metric;
	unsigned i, k;

	at = (int64_t)((uint64_t)at - (uint64_t)past);
	if (t->count > 0 && at != t->at_ms && thin_end(t, m) != 0)
		return -1;
	t->at_ms = at;
	t->count += row->count;
	if (row->r.code > t->code)
		t->code = row->r.code;
	if (row->r.has_value)
		store_sum_add(&t->value, row->value, row->count);
	for (i = 0; i < row->r.metrics; i++) {
		for (k = 0; k < t->metrics &&
		    !str_is(metric[i].name, t->name[k]);)
			k++;
		if (k == STORE_METRICS_MAX)
			continue;
		if (k == t->metrics)
			(void)str_copy(t->name[t->metrics++],
			    sizeof t->name[0], metric[i].name);
		store_sum_add(&t->metric[k], row->metric[i], row->count);
	}
	return 0;
}

/* The rows that the reader has, of one check, into the new block. */
static int
strip(struct store_maker *m, struct store_reader *q, unsigned level,
    struct fail *why)
{
	static struct store_row row;
	static struct thin t;
	int rc = 0;

	t = (struct thin){ .level = level };
	store_maker_strip(m, q->ask.check);
	store_reader_order(q);
	while (rc == 0 && store_reader_next(q, &row) == 1)
		rc = level == LEVEL_RAW ? store_maker_row(m, &row) :
		    thin_add(&t, m, &row);
	if (rc != 0 || thin_end(&t, m) != 0 || store_maker_strip_end(m) != 0)
		return fail(why, "no memory");
	return 0;
}

static void
begin(struct store_reader *q, uint64_t check)
{
	q->parts = q->rows = 0;
	q->ask = (struct store_query){ .check = check, .from_ms = INT64_MIN,
	    .to_ms = INT64_MAX };
}

/* One check after the other, as they stand in pos. */
/* Have the head's files in memory, as far as there is some: each check has
 * results all over them, and would have them read again. */
static void
hold(struct store_set *t)
{
	struct store_file *f;
	const char *p;
	uint64_t at;
	size_t n;
	char *all;

	for (f = t->file; f < t->file + t->files; f++) {
		if (f->dead)
			continue;
		all = malloc((size_t)f->end + 1);
		for (at = 0; all != NULL && at < f->end; at += n) {
			n = f->end - at < STORE_WIN_BYTES ?
			    (size_t)(f->end - at) : STORE_WIN_BYTES;
			p = store_win(t, f, at, n);
			if (p == NULL)
				break;
			memcpy(all + at, p, n);
		}
		if (at < f->end) {
			free(all);
			return;
		}
		f->all = all;
	}
}

static int
seal(struct store *s, struct store_maker *m, struct store_reader *q,
    const struct store_job *job, struct fail *why)
{
	struct store_pos *pos;
	unsigned n, i, k;
	int rc;

	begin(q, 0);
	if (store_head_rows(s, &q->ask, job->last, &pos, &n, why) != 0)
		return -1;
	hold(&s->h);
	for (i = 0, rc = 0; i < n && rc == 0; i += k) {
		for (k = 1; i + k < n && pos[i + k].check == pos[i].check;)
			k++;
		begin(q, pos[i].check);
		rc = store_read_head(s, q, pos + i, k, why);
		if (rc == 0)
			rc = strip(m, q, LEVEL_RAW, why);
	}
	free(pos);
	for (i = 0; i < s->h.files; i++) {
		free(s->h.file[i].all);
		s->h.file[i].all = NULL;
	}
	return rc;
}

/* The blocks a job reads, and the next check of each. */
struct input {
	unsigned file;
	uint64_t check, at;
};

/* From the least check that any of them has on. */
static int
merge(struct store *s, struct store_maker *m, struct store_reader *q,
    const struct store_job *job, struct fail *why)
{
	static struct input in[STORE_MERGE_MAX];
	unsigned n = 0, i;
	uint64_t from, check;
	int rc = 0;

	for (i = 0; i < s->b.files && n < STORE_MERGE_MAX; i++)
		if (store_job_takes(job, &s->b.file[i]))
			in[n++] = (struct input){ .file = i };
	for (from = 1; rc == 0; from = check + 1) {
		for (i = 0, check = UINT64_MAX; i < n; i++) {
			if (in[i].check < from && store_block_find(s,
			    in[i].file, from, &in[i].check, &in[i].at) == 0)
				in[i].check = UINT64_MAX;
			check = in[i].check < check ? in[i].check : check;
		}
		if (check == UINT64_MAX)
			break;
		begin(q, check);
		for (i = 0; i < n && rc == 0; i++)
			if (in[i].check == check)
				rc = store_read_block(s, q, in[i].file,
				    in[i].at, why);
		if (rc == 0)
			rc = strip(m, q, job->level, why);
	}
	return rc;
}

int
store_job_run(struct store *s, const struct store_job *job, struct fail *why)
{
	bool sealing = job->what == STORE_SEAL;
	struct store_header h = { .first = job->last, .last = job->last,
	    .level = job->level, .received_ms = sealing ? s->newest_ms :
	    INT64_MIN };
	const struct store_set *t = sealing ? &s->h : &s->b;
	const struct store_file *f;
	struct store_reader q = { .parts = 0 };
	struct store_maker *m;
	int rc;

	s->h.unread = s->b.unread = false;
	s->h.win_n = s->b.win_n = 0;	/* it may be what could not be read */
	assert(job->what != STORE_IDLE && job->what != STORE_SNAPSHOT);
	if (store_aside(&s->b, why) != 0)
		return -1;
	for (f = t->file; f < t->file + t->files; f++) {
		if (!store_job_takes(job, f))
			continue;
		if (f->first < h.first)
			h.first = f->first;
		if (f->block.received_ms > h.received_ms)
			h.received_ms = f->block.received_ms;
	}
	m = store_maker_open(s, &h, job->max_bytes);
	rc = m == NULL ? fail(why, "no memory") : sealing ?
	    seal(s, m, &q, job, why) : merge(s, m, &q, job, why);
	if (rc == 0)
		rc = store_maker_end(m, why);
	/* What cannot be read today may be there tomorrow: it stays. */
	if (rc == 0 && (s->h.unread || s->b.unread))
		rc = fail(why, "a file cannot be read");
	if (m != NULL)
		store_maker_close(m);
	store_reader_close(&q);
	return store_aside_end(&s->b, rc, why);
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

/* The new block is there: what it stands for may go. */
static bool
install(struct store *s, const struct store_job *job)
{
	struct store_set *t = job->what == STORE_SEAL ? &s->h : &s->b;
	struct fail why;

	if (store_name(&s->b, job->number, &why) != 0 ||
	    store_block_open(s, s->b.files - 1, &why) != 0 ||
	    store_newest(&s->b)->foreign)
		return false;
	for (unsigned i = 0; i < t->files; i++)
		if (store_job_takes(job, &t->file[i]) && (t == &s->h ||
		    t->file[i].number != job->number))
			t->file[i].dead = true;
	store_block_order(s);
	return true;
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

	assert(s->busy);
	s->busy = false;
	s->job_bytes = 0;
	done = done && (t == &s->n ? store_snapshot_take(s, job) :
	    install(s, job));
	/* One that was killed, or met a fault, needs no more room for that. */
	if (done)
		s->job_fails = 0;
	else if ((s->cramped || job->cramped) && s->job_fails < 2)
		s->job_fails++;
	if (!done) {
		(void)t->io->unlinkat(t->dir, t->aside, 0);
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
		for (k = 0; k < t->files; k++)
			if (t->file[k].number < f->number &&
			    store_job_takes(&job, &t->file[k]))
				t->file[k].dead = true;
	}
	for (i = 0; i < s->h.files; i++)
		if (s->h.file[i].first != 0 && (s->durable <= sealed ||
		    store_first(&s->h, i + 1) - 1 <= sealed))
			s->h.file[i].dead = true;
	if (s->durable <= sealed)
		store_leave(&s->h);
}
