/*
 * store_data.h: what the store's tests write, records and reports that are
 * functions of their number, and what a start finds of them.
 */
#include <stdlib.h>
#include <string.h>

#include "../store.h"
#include "test.h"

#define MAY_GO	__attribute__((unused))
#define T0	INT64_C(1700000000000)
#define LATER	(STORE_RETRY_MS + 1)

/* What is written: a function of a number, so that it can be recognized. */

static void
make_result(uint64_t seq, unsigned j, struct store_result *r)
{
	static const char *const names[] = { "user", "rss_bytes", "x" };
	static char text[32];
	unsigned i;

	*r = (struct store_result){ .check = 1 + (seq + j) % 4 };
	r->at_ms = T0 + (int64_t)seq * 1000 - (int64_t)j * 10;
	r->code = (uint8_t)((seq + j) % 4);
	r->given = (uint8_t)(j == 0 ? STORE_NO_CODE : j == 1 ? r->code :
	    (r->code + 1) % 4);
	r->late = seq % 7 == 0;
	r->has_value = j != 1;
	if (r->has_value)
		r->value = ((int64_t)seq - 5) * 1234 * (int64_t)(j + 1);
	r->metrics = j;
	for (i = 0; i < j; i++) {
		r->metric[i].name = str_of(names[(seq + i) % 3]);
		r->metric[i].value = (int64_t)(seq * 7 + i);
	}
	snprintf(text, sizeof text, "text %u", (unsigned)seq);
	r->text = str_of(seq % 2 ? "" : text);
}

MAY_GO static void
make_report(uint64_t seq, struct store_report *r)
{
	*r = (struct store_report){ .seq = seq, .source = seq % 5,
	    .received_ms = T0 + (int64_t)seq * 1000, .dropped = seq % 3,
	    .results = (unsigned)(1 + seq % 3) };
}

MAY_GO static bool
same_report(const struct store_report *a, const struct store_report *b)
{
	return a->seq == b->seq && a->source == b->source &&
	    a->received_ms == b->received_ms && a->dropped == b->dropped &&
	    a->results == b->results;
}

MAY_GO static bool
same_result(const struct store_result *a, const struct store_result *b)
{
	unsigned i;

	if (a->check != b->check || a->at_ms != b->at_ms ||
	    a->code != b->code || a->given != b->given ||
	    a->late != b->late || a->has_value != b->has_value ||
	    a->value != b->value || a->metrics != b->metrics ||
	    !str_eq(a->text, b->text))
		return false;
	for (i = 0; i < a->metrics; i++)
		if (!str_eq(a->metric[i].name, b->metric[i].name) ||
		    a->metric[i].value != b->metric[i].value)
			return false;
	return true;
}

MAY_GO static int
put_report(struct store *s, uint64_t *seq)
{
	struct store_report r;
	struct store_result res;
	struct fail why;
	unsigned j;

	make_report(store_head_seq(s) + 1, &r);
	if (store_report_begin(s, &r, r.results, seq, &why) != 0)
		return -1;
	for (j = 0; j < r.results; j++) {
		make_result(*seq, j, &res);
		store_report_add(s, &res);
	}
	store_report_end(s);
	return 0;
}

/* Record i of the journal; mark makes two lives of one number differ. */
MAY_GO static int
put_record(struct store *s, unsigned i, bool keep)
{
	struct fail why;
	char p[64];

	snprintf(p, sizeof p, "\"i\":%u,\"what\":\"put\"", i);
	return store_journal(s, str_of(p), keep, &why);
}

/* Do a job that is due, as a child would: a snapshot has the records below n
 * that are in `has`.  What it was; IDLE: nothing is due. */
MAY_GO static enum store_what
do_job(struct store *s, int64_t now_ms, const bool *has, unsigned n)
{
	struct store_job job;
	struct fail why;
	char p[32];
	unsigned i;
	int rc;

	if (!store_job_next(s, now_ms, now_ms, &job))
		return STORE_IDLE;
	if (job.what == STORE_SNAPSHOT) {
		rc = store_snapshot_begin(s, &job, T0, &why);
		for (i = 0; i < n && rc == 0; i++) {
			snprintf(p, sizeof p, "\"i\":%u", i);
			if (has == NULL || has[i])
				store_snapshot_put(s, str_of(p));
		}
		if (rc == 0)
			rc = store_snapshot_end(s, &why);
	} else {
		rc = store_job_run(s, &job, &why);
	}
	store_job_end(s, &job, rc == 0, now_ms);
	return job.what;
}

/* Make a snapshot; has NULL: of the records below n. */
MAY_GO static bool
do_snapshot(struct store *s, const bool *has, unsigned n)
{
	enum store_what what;

	store_want_snapshot(s);
	do
		what = do_job(s, T0, has, n);
	while (what != STORE_SNAPSHOT && what != STORE_IDLE);
	return what == STORE_SNAPSHOT;
}

MAY_GO static long
record_i(struct str line)
{
	const char *p = memchr(line.p, 'i', line.n);
	long i = -1;

	while (p != NULL && (p[-1] != '"' || p[1] != '"' || p[2] != ':'))
		p = memchr(p + 1, 'i', (size_t)(line.p + line.n - p - 1));
	if (p == NULL)
		return -1;
	for (i = 0, p += 3; *p >= '0' && *p <= '9'; p++)
		i = i * 10 + *p - '0';
	return i;
}

/* What a start finds. */
#define RECORDS_MAX	4096
static struct found {
	uint64_t reports, seq;		/* how many; the last */
	unsigned records;
	bool has[RECORDS_MAX];		/* record i */
	bool seen[RECORDS_MAX];		/* report seq */
	unsigned damages;
	bool wrong;			/* something was invented */
	char text[FAIL_MAX];		/* of the first damage */
} found;

static void
read_reports(struct store *s, uint64_t from)
{
	struct store_report r, want;
	struct store_result got, res;
	struct fail why;
	unsigned j;

	while (store_report_next(s, from, &r, &why) == 1) {
		make_report(r.seq, &want);
		found.wrong |= !same_report(&r, &want) || r.seq <= found.seq;
		for (j = 0; store_result_next(s, &got) == 1; j++) {
			make_result(r.seq, j, &res);
			found.wrong |= !same_result(&got, &res);
		}
		found.wrong |= j != r.results;
		found.reports++;
		found.seq = r.seq;
		if (r.seq < RECORDS_MAX)
			found.seen[r.seq] = true;
	}
}

MAY_GO static void
read_all(struct store *s)
{
	struct str line, text;
	struct fail why;
	long i;

	memset(&found, 0, sizeof found);
	while (store_damage(s, &text) == 1) {
		if (found.damages++ == 0)
			str_copy(found.text, sizeof found.text, text);
	}
	while (store_journal_next(s, &line, &why) == 1) {
		i = record_i(line);
		found.records++;
		found.wrong |= i < 0 || i >= RECORDS_MAX;
		if (i >= 0 && i < RECORDS_MAX)
			found.has[i] = true;
	}
	read_reports(s, 0);
}
