/* store_verify.c: see store.h; everything that a directory holds, read. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "store_impl.h"

struct check {
	struct store *s;
	void (*tell)(struct str damage);
	struct store_tally *tally;
};

/* Pass on what was noted. */
static void
flush(struct check *v)
{
	struct str text;

	while (store_damage(v->s, &text) == 1) {
		v->tally->damages++;
		v->tell(text);
	}
}

/*
 * Every byte of a file is of some record.  Append files may end in what a
 * crash tore, or a server is about to write: that was never acknowledged.
 * false: nothing in it can be read.
 */
static int
walk(struct check *v, struct store_set *t, unsigned i,
    struct store_chain *chain, struct fail *why)
{
	struct store_file *f = &t->file[i];
	bool journal = t == &v->s->j, tail = i + 1 == t->files &&
	    (journal || t == &v->s->h);
	struct store_chain empty = { 0 };
	struct store_walk w;
	struct store_code d;
	struct store_rec r;

	store_walk_begin(&w, t, i);
	if (t == &v->s->n || t == &v->s->b)
		w.limit = STORE_NUMBER_MAX;
	w.tell = true;
	chain = journal ? chain : &empty;
	while (store_step(v->s, &w, &r)) {
		v->tally->records++;
		if (t == &v->s->h && store_report_open(&d, &r)) {
			v->tally->reports++;
			v->s->seq = r.n;
		}
		if (t == &v->s->h)
			continue;
		if (chain->n != 0 && r.n == chain->n + 1 &&
		    !str_eq(r.prev, str_of(chain->hash)))
			store_note(v->s, &w, r.at, "the chain is broken here");
		chain->n = r.n;
		store_hash(r.text, chain->hash);
		if (r.first == 0)
			chain->head = store_member(r.text, "head");
		w.good = r.end ? f->end : w.good;
	}
	if (store_unread(&w, why) != 0)
		return -1;
	if (w.bad != STORE_NOWHERE && !tail)
		store_note(v->s, &w, w.bad, "damaged from here on");
	if (t == &v->s->n && w.good < f->end && w.bad == STORE_NOWHERE)
		store_note(v->s, &w, f->end, "the snapshot has no end");
	v->tally->files++;
	v->tally->bytes += f->end;
	flush(v);
	return 0;
}

static int
walk_all(struct check *v, struct fail *why)
{
	struct store_set *const of[] = { &v->s->j, &v->s->n, &v->s->h,
	    &v->s->b };
	struct store_chain chain = { 0 };
	struct store_walk w;
	unsigned k, i;

	for (k = 0; k < COUNT(of); k++)
		for (i = 0; i < of[k]->files; i++)
			if (walk(v, of[k], i, &chain, why) != 0)
				return -1;
	/* The journal says which reports were on disk when it was written. */
	for (i = 0; i < v->s->b.files; i++)
		if (v->s->b.file[i].block.last > v->s->seq)
			v->s->seq = v->s->b.file[i].block.last;
	if (chain.head > v->s->seq && v->s->h.files > 0) {
		store_walk_begin(&w, &v->s->h, v->s->h.files - 1);
		store_note(v->s, &w, store_newest(&v->s->h)->end,
		    "ends before report %llu", (unsigned long long)chain.head);
	}
	flush(v);
	return 0;
}

/* Each result of each check that a block has; what of it cannot be read is
 * noted by the way. */
static int
read_block(struct check *v, unsigned i, struct fail *why)
{
	struct store_reader q = { .parts = 0 };
	uint64_t at, rows = 0, check = 0;
	struct store_walk w;
	int rc = 0;

	while (rc == 0 && store_block_find(v->s, i, check + 1, &check, &at) ==
	    1) {
		store_reader_close(&q);
		q.ask = (struct store_query){ .check = check,
		    .from_ms = INT64_MIN, .to_ms = INT64_MAX };
		rc = store_read_block(v->s, &q, i, at, NULL, why);
		rows += q.rows;
	}
	store_reader_close(&q);
	store_walk_begin(&w, &v->s->b, i);
	if (rc == 0 && rows < v->s->b.file[i].block.rows &&
	    !v->s->b.file[i].told)
		store_note(v->s, &w, 0, "%llu results are missing",
		    (unsigned long long)(v->s->b.file[i].block.rows - rows));
	v->tally->results += rows;
	flush(v);
	return rc;
}

int
store_verify(const char *dir, const struct store_io *io,
    void (*tell)(struct str damage), struct store_tally *tally,
    struct fail *why)
{
	struct check v = { store_look(dir, io, why), tell, tally };
	unsigned i;
	int rc;

	*tally = (struct store_tally){ .files = 0 };
	if (v.s == NULL)
		return -1;
	flush(&v);
	rc = walk_all(&v, why);
	for (i = 0; rc == 0 && i < v.s->b.files; i++)
		if (!v.s->b.file[i].foreign)
			rc = read_block(&v, i, why);
	store_close(v.s);
	return rc;
}
