/* store_verify.c: see store.h; everything that a directory holds, read. */

#include "store_impl.h"

/* Each result of each check that a block has, and each byte: what cannot be
 * read is noted by the way. */
static int
read_block(struct store *s, unsigned i, struct fail *why)
{
	struct store_reader q = { .parts = 0 };
	uint64_t at, rows = 0, check = 0;
	struct store_walk w;
	struct store_rec r;
	int rc = 0;

	store_walk_begin(&w, &s->b, i);
	while (store_step(s, &w, &r))
		;
	if (w.bad != STORE_NOWHERE)
		store_note(s, &w, w.bad, "a record is damaged");
	while (rc == 0 && store_block_find(s, i, check + 1, &check, &at) == 1) {
		store_reader_close(&q);
		q.ask = (struct store_query){ .check = check,
		    .from_ms = INT64_MIN, .to_ms = INT64_MAX };
		rc = store_read_block(s, &q, i, at, why);
		rows += q.rows;
	}
	store_reader_close(&q);
	if (rc == 0 && w.bad == STORE_NOWHERE &&
	    rows != s->b.file[i].block.rows)
		store_note(s, &w, 0, "%llu results are missing",
		    (unsigned long long)(s->b.file[i].block.rows - rows));
	return rc == 0 ? (int)rows : -1;
}

int
store_verify(const char *dir, const struct store_io *io,
    void (*tell)(struct str damage), struct store_tally *tally,
    struct fail *why)
{
	struct store *s = store_look(dir, io, why);
	struct store_set *t;
	struct str text;
	unsigned k, i;
	int rc = s == NULL ? -1 : 0;

	*tally = (struct store_tally){ .n = tally->n };
	if (s != NULL)
		s->sought.n = tally->n;
	/* The journal first: it says which reports were on disk by then. */
	for (k = 0; rc >= 0 && k < s->sets; k++)
		for (t = s->set[k], i = 0; i < t->files && rc >= 0; i++) {
			tally->files++;
			tally->bytes += t->file[i].end;
			rc = t == &s->n ? store_snapshot_scan(s, i, why) :
			    t == &s->j ? store_journal_scan(s, i, why) :
			    t == &s->h ? store_head_scan(s, i, why) :
			    read_block(s, i, why);
			if (t == &s->b && rc > 0)
				tally->results += (unsigned)rc;
			if (t == &s->b && t->file[i].block.last > s->seq)
				s->seq = t->file[i].block.last;
			/* The server that runs has done with it. */
			if (rc < 0 && t->read_error == ENOENT)
				rc = 0;
			for (; store_damage(s, &text) == 1; tally->damages++)
				tell(text);
		}
	if (rc >= 0 && s->told_head > s->seq) {
		tally->damages++;
		tell(STR("head: reports that the journal knows are missing"));
	}
	if (rc >= 0) {
		tally->first = store_journal_first(s);
		tally->last = s->scanned.n;
		memcpy(tally->hash, s->sought.hash, sizeof tally->hash);
	}
	store_close(s);
	return rc < 0 ? -1 : 0;
}
