#include <sys/wait.h>

#include <fcntl.h>

#include "store_help.h"

static void
test_round_trip(void)
{
	struct store *s = fresh();
	char hash[65], hash2[65];
	struct str line;
	struct fail why;
	uint64_t n;

	CHECK(store_journal_next(s, &line, &why) == 0);
	CHECK(!store_dirty(s) && store_commit(s, 0, &why) == 0);
	CHECK(store_journal_first(s) == 0 && store_journal_n(s, hash) == 0);
	CHECK(strspn(hash, "0") == 64);
	write_sample(s, 20);
	CHECK(store_journal_n(s, hash) == 41);
	store_close(s);
	s = must_open();
	read_all(s);
	CHECK(!found.wrong && found.reports == 20 && found.records == 40);
	CHECK(found.damages == 0);
	CHECK(store_journal_n(s, hash2) == 41 && strcmp(hash, hash2) == 0);
	CHECK(store_journal_first(s) == 1 && store_head_seq(s) == 20);
	CHECK(store_journal_read(s, 1, &line, &why) == 0);	/* line 1 */
	for (n = 2; n <= 41; n++) {
		CHECK(store_journal_read(s, n, &line, &why) == 1);
		CHECK(record_i(line) == (long)n - 2);
	}
	CHECK(store_journal_read(s, 42, &line, &why) == 0);
	CHECK(store_journal_read(s, 7, &line, &why) == 1);
	CHECK(str_starts(line, STR("{\"n\":7,\"i\":5,")));
	CHECK(str_starts(line, STR("{\"n\":7,")) && line.p[line.n - 1] == '}');
	store_close(s);
	s = must_open();
	memset(&found, 0, sizeof found);
	read_reports(s, 15);
	CHECK(!found.wrong && found.reports == 6 && found.seq == 20);
	store_close(s);
}

/* Values at their ends, and every bit of the result's first byte. */
static void
test_values(void)
{
	static const int64_t v[] = { 0, 1, -1, 63, 64, -64, -65, 80000,
	    INT64_MAX, INT64_MIN, MILLI_MAX, -MILLI_MAX };
	static const uint64_t checks[] = { 1, 2, UINT64_MAX, 7 };
	struct store_report rep = { .source = UINT64_MAX,
	    .dropped = UINT64_MAX, .received_ms = INT64_MIN };
	struct store_result r[48] = { 0 }, got;
	char name[STORE_NAME_MAX + 1], text[STORE_TEXT_MAX + 1];
	struct store *s = fresh();
	struct fail why;
	uint64_t seq;
	unsigned i, k;

	memset(name, 'n', sizeof name);
	memset(text, 't', sizeof text);
	CHECK(store_report_begin(s, &rep, COUNT(r), &seq, &why) == 0);
	for (i = 0; i < COUNT(r); i++) {
		r[i].check = checks[i % COUNT(checks)];
		r[i].at_ms = v[i % COUNT(v)];
		r[i].code = (uint8_t)(i % 4);
		r[i].given = (uint8_t)(i % 5 == 4 ? STORE_NO_CODE : i % 5);
		r[i].late = i & 1;
		r[i].has_value = i % 3;
		r[i].value = r[i].has_value ? v[(i + 5) % COUNT(v)] : 0;
		r[i].metrics = i % (STORE_METRICS_MAX + 1);
		for (k = 0; k < r[i].metrics; k++)
			r[i].metric[k] = (struct store_metric){
			    { name, (i + k) % (STORE_NAME_MAX + 1) },
			    v[k % COUNT(v)] };
		r[i].text = (struct str){ text, i == 7 ? STORE_TEXT_MAX : i };
		store_report_add(s, &r[i]);
	}
	store_report_end(s);
	CHECK(store_commit(s, 0, &why) == 0);
	store_close(s);
	s = must_open();
	CHECK(store_report_next(s, 0, &rep, &why) == 1);
	CHECK(rep.source == UINT64_MAX && rep.dropped == UINT64_MAX);
	CHECK(rep.received_ms == INT64_MIN && rep.results == COUNT(r));
	for (i = 0; i < COUNT(r); i++)
		CHECK_ROW(i, store_result_next(s, &got) == 1 &&
		    same_result(&got, &r[i]));
	CHECK(store_result_next(s, &got) == 0);
	CHECK(store_report_next(s, 0, &rep, &why) == 0);
	store_close(s);
}

/* More names than a record remembers. */
static void
test_names(void)
{
	struct store_report rep = { .received_ms = T0 };
	struct store_result r = { .check = 1, .at_ms = T0, .metrics = 1 };
	struct store *s = fresh();
	struct fail why;
	uint64_t seq;
	char name[16];
	unsigned i;

	CHECK(store_report_begin(s, &rep, 200, &seq, &why) == 0);
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "name%u", i % 100);
		r.metric[0].name = str_of(name);
		store_report_add(s, &r);
	}
	store_report_end(s);
	disk.bytes = 0;
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(disk.bytes > 1500 && disk.bytes < 2200);
	store_close(s);
	s = must_open();
	CHECK(store_report_next(s, 0, &rep, &why) == 1);
	for (i = 0; store_result_next(s, &r) == 1; i++) {
		snprintf(name, sizeof name, "name%u", i % 100);
		CHECK_ROW(i, str_is(r.metric[0].name, name));
	}
	CHECK(i == 200);
	store_close(s);
}

static void
test_limits(void)
{
	static char body[STORE_LINE_MAX];
	static const struct {
		size_t n;
		int rc;
	} rows[] = {
		{ 0, -1 }, { 5, 0 }, { STORE_LINE_MAX - 137, 0 },
		{ STORE_LINE_MAX - 136, 0 }, { STORE_LINE_MAX - 135, -1 },
	};
	struct store_report rep = { .received_ms = T0 };
	struct store *s = fresh();
	struct str line;
	struct fail why;
	uint64_t seq;
	size_t i;

	memset(body, 'x', sizeof body);
	memcpy(body, "\"i\":1,\"", 7);
	for (i = 0; i < COUNT(rows); i++)
		CHECK_ROW(i, store_journal(s, (struct str){ body, rows[i].n },
		    true, &why) == rows[i].rc);
	CHECK(store_journal(s, STR("\"a\":\n1"), true, &why) == -1);
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(store_journal_n(s, NULL) == 4);
	CHECK(store_journal_read(s, 3, &line, &why) == 1);
	CHECK(line.n > STORE_LINE_MAX - 137 && line.n < STORE_LINE_MAX);
	while (store_journal(s, (struct str){ body, 60000 }, true, &why) == 0)
		;
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(store_journal_n(s, NULL) == 4 + STORE_PENDING_MAX / 60008);
	CHECK(store_report_begin(s, &rep, STORE_RESULTS_MAX + 1, &seq,
	    &why) == -1);
	CHECK(store_report_begin(s, &rep, STORE_RESULTS_MAX, &seq, &why) == 0);
	store_report_end(s);
	CHECK(store_report_begin(s, &rep, STORE_RESULTS_MAX, &seq, &why) == 0);
	store_report_end(s);
	CHECK(seq == 2 && store_commit(s, 0, &why) == 0);
	store_close(s);
	s = must_open();
	CHECK(store_damage(s, &line) == 0);
	CHECK(store_journal_n(s, NULL) == 4 + STORE_PENDING_MAX / 60008);
	store_close(s);
}

/* A report as large as one may be, written and read back; and what is
 * pending bounds what may be begun. */
static void
test_largest(void)
{
	static char text[STORE_TEXT_MAX], names[STORE_METRICS_MAX * 4096][8];
	struct store_report rep = { .received_ms = T0 };
	struct store_result r = { .check = 1, .at_ms = T0 };
	struct store *s = fresh();
	struct fail why;
	uint64_t seq;
	unsigned i, k, n = 0;

	memset(text, 't', sizeof text);
	r.text = (struct str){ text, sizeof text };
	CHECK(store_report_begin(s, &rep, STORE_RESULTS_MAX, &seq, &why) == 0);
	for (i = 0; i < STORE_RESULTS_MAX; i++) {
		r.metrics = STORE_METRICS_MAX;
		for (k = 0; k < r.metrics; k++) {
			snprintf(names[n], sizeof names[n], "%u", n);
			r.metric[k] = (struct store_metric){
			    str_of(names[n++]), INT64_MIN };
		}
		store_report_add(s, &r);
	}
	store_report_end(s);
	CHECK(store_report_begin(s, &rep, STORE_RESULTS_MAX, &seq, &why) == -1);
	CHECK(store_commit(s, 0, &why) == 0);
	store_close(s);
	s = must_open();
	CHECK(store_report_next(s, 0, &rep, &why) == 1);
	for (n = 0; store_result_next(s, &r) == 1; n++)
		if (!str_is(r.metric[31].name, names[n * 32 + 31]))
			break;
	CHECK(n == STORE_RESULTS_MAX && rep.results == n);
	store_close(s);
}

/* The newest file of either kind cut at every byte: what is whole before the
 * cut is found, the rest is kept as .torn, and it goes on. */
static void
test_cut(const char *name)
{
	struct store *s = fresh();
	struct image *m;
	uint64_t reports, records, last_reports = 0, last_records = 0;
	char torn[64];
	size_t n;

	write_sample(s, 5);
	store_close(s);
	image_take();
	m = image_of(name);
	snprintf(torn, sizeof torn, "%s.torn", name);
	for (n = 0; n <= m->n; n++) {
		image_put(m, m->p, n);
		s = must_open();
		read_all(s);
		reports = found.reports;
		records = found.records;
		CHECK_ROW(n, !found.wrong);
		CHECK_ROW(n, exists(torn) == (found.damages > 0));
		CHECK_ROW(n, records % 2 == 0);		/* batches are whole */
		CHECK_ROW(n, reports >= last_reports &&
		    reports <= last_reports + 5);
		CHECK_ROW(n, records >= last_records);
		last_reports = reports;
		last_records = records;
		store_close(s);
		check_goes_on((int)n, 1000);
	}
	CHECK(reports == 5 && records == 10 && found.damages == 0);
}

/* One bit of every byte: at most one report, or the record and the one its
 * newline parts from it, or the last batch, is lost; and it is told.  Of a
 * snapshot nothing is: what stands before it is there yet. */
static void
test_flip(const char *name, bool snapshot)
{
	bool head = strncmp(name, "head", 4) == 0;
	struct store *s = fresh();
	struct image *m;
	struct fail why;
	uint64_t lost;
	unsigned want = 8;
	size_t n;

	write_sample(s, 4);
	if (snapshot) {
		CHECK(do_snapshot(s, NULL, 8));
		CHECK(put_record(s, 8, true) == 0);
		CHECK(store_commit(s, 0, &why) == 0);
		want = 9;
	}
	store_close(s);
	image_take();
	m = image_of(name);
	for (n = 0; n < m->n; n++) {
		m->p[n] ^= (char)(1 << n % 8);
		image_put(m, m->p, m->n);
		m->p[n] ^= (char)(1 << n % 8);
		s = must_open();
		read_all(s);
		CHECK_ROW(n, !found.wrong && found.damages > 0);
		lost = head ? 4 - found.reports : want - found.records;
		CHECK_ROW(n, lost <= (snapshot ? 0 : head ? 1 : 2));
		CHECK_ROW(n, head ? found.records == 8 : found.reports == 4);
		store_close(s);
		check_goes_on((int)n, 1000);
	}
}

/* The power goes while a snapshot is written, at every byte: either it is
 * the whole, or what stands before it is read as well. */
static void
test_cut_snapshot(void)
{
	struct store *s = fresh();
	struct image *m;
	size_t n;

	write_sample(s, 4);
	CHECK(do_snapshot(s, NULL, 8));
	store_close(s);
	image_take();
	m = image_of("journal/1.snap");
	for (n = 0; n <= m->n; n++) {
		image_put(m, m->p, n);
		s = must_open();
		read_all(s);
		CHECK_ROW(n, !found.wrong && found.reports == 4);
		CHECK_ROW(n, found.records == 8);
		CHECK_ROW(n, (found.damages == 0) == (n == m->n));
		store_close(s);
		check_goes_on((int)n, 1000);
		CHECK_ROW(n, found.records == 9);
	}
}

/* A snapshot is what a start reads, and what came after it; the one before
 * it is there until the next. */
static void
test_snapshots(void)
{
	struct store *s = fresh();
	struct fail why;
	unsigned i;

	write_sample(s, 4);
	CHECK(do_snapshot(s, NULL, 3));
	CHECK(put_record(s, 8, true) == 0);
	CHECK(store_commit(s, 0, &why) == 0);
	store_close(s);
	s = must_open();
	read_all(s);
	CHECK(found.records == 4 && found.has[2] && found.has[8]);
	CHECK(!found.has[3] && !found.wrong && found.damages == 0);
	for (i = 0; i < 3; i++) {
		CHECK(do_snapshot(s, NULL, 5 + i));
		CHECK(put_record(s, 10 + i, true) == 0);
		CHECK(store_commit(s, 0, &why) == 0);
	}
	CHECK(!exists("journal/2.snap") && exists("journal/3.snap"));
	CHECK(exists("journal/4.snap") && !exists("journal/5.tmp"));
	store_close(s);
	spit("journal/5.tmp", "x", 1);		/* of one that was killed */
	s = must_open();
	read_all(s);
	CHECK(found.records == 8 && found.has[6] && found.has[12]);
	CHECK(!exists("journal/5.tmp"));
	store_close(s);
}

/* Every call of the table in turn fails in every way. */

static void
test_faults(int error, int kind, bool sticky, bool crash)
{
	static struct life l;
	unsigned long k;
	struct store *s;

	for (k = 1; k < 2000; k++) {
		memset(&l, 0, sizeof l);
		s = fresh();
		write_sample(s, 1);
		store_close(s);
		l.acked[0] = l.acked[1] = true;
		l.next = 2;
		l.acked_seq = 1;
		disk.calls = 0;
		disk.hit = false;
		disk.kind = kind;
		disk.error = error;
		disk.sticky = sticky;
		disk.fault_at = k;
		run_life(&l, crash);
		disk.kind = CLEAN;
		check_life((int)k, &l);
		if (!disk.hit)
			break;
	}
	CHECK(k > 40 && k < 2000);
}

/* The order of the calls is the promise: write, sync, sync the directory of
 * a new name, head before journal; a failed file is cut and left. */
static void
test_order(void)
{
	struct store *s = fresh();
	struct fail why;
	uint64_t seq;

	put_report(s, &seq);
	put_record(s, 0, true);
	trace();
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(strcmp(trace(), "owsSf" "owsSf") == 0);
	put_report(s, &seq);
	put_record(s, 1, true);
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(strcmp(trace(), "wsf" "wsf") == 0);
	put_report(s, &seq);
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(strcmp(trace(), "wsf") == 0);
	/* Made aside, synced, named; then the name is synced, and what it
	 * replaces goes. */
	CHECK(do_snapshot(s, NULL, 1) && do_snapshot(s, NULL, 1));
	CHECK(strcmp(trace(), "uo" "ows" "ofn" "uo" "ows" "ofn") == 0);
	CHECK(do_snapshot(s, NULL, 1));
	CHECK(store_dirty(s) && exists("journal/1.snap"));
	trace();
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(strcmp(trace(), "SSu") == 0 && !exists("journal/1.snap"));
	put_record(s, 2, true);
	CHECK(store_commit(s, 0, &why) == 0);
	trace();
	put_record(s, 2, true);
	disk.kind = FAIL;
	disk.error = EIO;
	disk.fault_at = 2;
	CHECK(store_commit(s, 0, &why) != 0);
	CHECK(strcmp(trace(), "wstf") == 0);
	CHECK(store_commit(s, LATER, &why) == 0);
	CHECK(strcmp(trace(), "owsSf") == 0);
	put_record(s, 3, true);
	disk.error = EINTR;		/* is no failure of a write */
	disk.only = 'w';
	disk.fault_at = disk.calls + 1;
	CHECK(store_commit(s, 0, &why) == 0 && strcmp(trace(), "wwsf") == 0);
	store_close(s);
	s = must_open();		/* what it answers from is synced */
	CHECK(strchr(strchr(trace(), 's') + 1, 's') != NULL);
	store_close(s);
}

/* What a failed commit leaves: kept records and reports stay, the others do
 * not; the next tries fail at once until it is time; then a new file. */
static void
test_retry(void)
{
	struct store *s = fresh();
	struct fail why;
	unsigned long syncs;
	uint64_t seq;

	write_sample(s, 1);
	put_report(s, &seq);
	put_record(s, 10, true);
	put_record(s, 11, false);
	disk.kind = FAIL;
	disk.error = EIO;
	disk.only = 's';
	disk.calls = 0;
	disk.fault_at = 2;		/* head succeeds, the journal fails */
	CHECK(store_commit(s, 5, &why) != 0);
	CHECK(store_head_seq(s) == 2 && store_journal_n(s, NULL) == 3);
	syncs = disk.syncs;
	CHECK(store_commit(s, 4 + STORE_RETRY_MS, &why) != 0);
	CHECK(disk.syncs == syncs && store_dirty(s));
	put_record(s, 12, false);
	CHECK(store_commit(s, 4 + STORE_RETRY_MS, &why) != 0);
	put_record(s, 13, false);
	CHECK(store_commit(s, 5 + STORE_RETRY_MS, &why) == 0);
	CHECK(exists("journal/2.log") && !exists("head/2.log"));
	store_close(s);
	s = must_open();
	read_all(s);
	CHECK(found.reports == 2 && found.records == 4 && !found.damages);
	CHECK(found.has[10] && !found.has[11] && !found.has[12]);
	CHECK(found.has[13]);
	/* Neither can it be cut: the next file says that it does not count. */
	put_record(s, 14, false);
	disk.only = 0;
	disk.sticky = true;
	disk.calls = 0;			/* written, but then ... */
	CHECK(store_commit(s, 5, &why) != 0);
	disk.kind = CLEAN;
	put_record(s, 15, true);
	CHECK(store_commit(s, 6 + STORE_RETRY_MS, &why) == 0);
	store_close(s);
	s = must_open();
	read_all(s);
	CHECK(!found.has[14] && found.has[15] && found.damages == 0);
	store_close(s);
}

/* A batch whose end is missing is dropped whole. */
static void
test_torn_batch(void)
{
	struct store *s = fresh();
	struct image *m;
	struct fail why;
	unsigned i;
	size_t n, nl = 0;

	for (i = 0; i < 6; i++)
		put_record(s, i, true);
	CHECK(store_commit(s, 0, &why) == 0);
	store_close(s);
	image_take();
	m = image_of("journal/1.log");
	for (n = 0; n < m->n; n++) {
		if (m->p[n] != '\n')
			continue;
		image_put(m, m->p, n + 1);
		s = must_open();
		read_all(s);
		CHECK_ROW(n, found.records == (++nl == 7 ? 6 : 0));
		CHECK_ROW(n, store_journal_n(s, NULL) == (nl == 7 ? 7 : 1));
		store_close(s);
	}
	CHECK(nl == 7);
}

/* Lines and records that are whole and yet wrong: repeated, or missing. */
static void
test_sequence(void)
{
	static char p[1 << 16];
	struct store *s = fresh();
	struct image *m;
	struct fail why;
	size_t a, b, n;
	unsigned i;

	for (i = 0; i < 4; i++) {
		put_record(s, i, true);
		CHECK(store_commit(s, 0, &why) == 0);
	}
	store_close(s);
	image_take();
	m = image_of("journal/1.log");
	a = (size_t)((char *)memchr(m->p, '\n', m->n) + 1 - m->p);
	b = (size_t)((char *)memchr(m->p + a, '\n', m->n - a) + 1 - m->p);
	/* The second line twice. */
	memcpy(p, m->p, b);
	memcpy(p + b, m->p + a, b - a);
	memcpy(p + b + b - a, m->p + b, m->n - b);
	image_put(m, p, m->n + b - a);
	s = must_open();
	read_all(s);
	CHECK(found.records == 4 && found.damages == 1 && !found.wrong);
	store_close(s);
	/* The second line missing. */
	memcpy(p + a, m->p + b, m->n - b);
	image_put(m, p, m->n - (b - a));
	s = must_open();
	read_all(s);
	CHECK(found.records == 3 && found.damages == 1 && !found.has[0]);
	CHECK(strstr(found.text, "records 2 to 2 are missing") != NULL);
	CHECK(do_job(s, T0, NULL, 0) == STORE_SNAPSHOT);
	store_close(s);
	/* Zeros after the end, as a file system may leave them. */
	n = m->n;
	memcpy(p, m->p, n);
	memset(p + n, 0, 5000);
	image_put(m, p, n + 5000);
	s = must_open();
	read_all(s);
	CHECK(found.records == 4 && exists("journal/1.log.torn"));
	CHECK(do_job(s, T0, NULL, 0) == STORE_IDLE);
	store_close(s);
	s = must_open();
	read_all(s);
	CHECK(found.records == 4 && found.damages == 0);
	store_close(s);
}

/* A whole record inside of a damaged one is somebody's text. */
static void
test_inside(void)
{
	struct store_report rep = { .received_ms = T0 };
	struct store_result r = { .check = 9, .at_ms = T0 };
	struct store *s = fresh();
	struct image *m;
	struct fail why;
	char text[STORE_TEXT_MAX];
	size_t at, n = 0;
	uint64_t seq;

	write_sample(s, 9);
	store_close(s);
	image_take();
	m = image_of("head/1.log");
	for (at = 0; at < m->n; at += n)
		n = (unsigned char)m->p[at] + 8u;
	CHECK(at == m->n && n <= sizeof text);
	memcpy(text, m->p + at - n, n);
	s = fresh();
	r.text = (struct str){ text, n };
	CHECK(store_report_begin(s, &rep, 1, &seq, &why) == 0);
	store_report_add(s, &r);
	store_report_end(s);
	put_report(s, &seq);
	CHECK(seq == 2 && store_commit(s, 0, &why) == 0);
	store_close(s);
	image_take();
	m = image_of("head/1.log");
	m->p[(unsigned char)m->p[0] + 8 + 4] ^= 1;
	image_put(m, m->p, m->n);
	s = must_open();
	read_all(s);
	CHECK(found.reports == 1 && found.seq == 2 && found.damages == 1);
	store_close(s);
}

static void
test_lock(void)
{
	struct store *s = fresh();
	struct fail why;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(store_open(dir, &store_posix, 0, &why) == NULL ? 7 : 8);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	store_close(s);
	pid = fork();
	if (pid == 0)
		_exit(store_open(dir, &store_posix, 0, &why) == NULL ? 7 : 8);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 8);
}

/* Links and whatever is no file are refused; modes are ours. */
static void
test_directory(void)
{
	char path[128], path2[128];
	struct stat st;
	struct store *s;
	struct fail why;
	mode_t was = umask(0);

	s = fresh();
	write_sample(s, 1);
	CHECK(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
	path_of(path, sizeof path, "head", "1.log");
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	path_of(path, sizeof path, "journal", "1.log");
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	store_close(s);
	umask(was);
	path_of(path2, sizeof path2, "journal", "2.log");
	CHECK(symlink(path, path2) == 0);
	CHECK(store_open(dir, &test_io, 0, &why) == NULL);
	CHECK(unlink(path2) == 0 && mkfifo(path2, 0600) == 0);
	CHECK(store_open(dir, &test_io, 0, &why) == NULL);
	CHECK(unlink(path2) == 0);
	path_of(path, sizeof path, "", "head");
	path_of(path2, sizeof path2, "", "head2");
	CHECK(rename(path, path2) == 0 && symlink("head2", path) == 0);
	CHECK(store_open(dir, &test_io, 0, &why) == NULL);
	CHECK(unlink(path) == 0 && rename(path2, path) == 0);
	/* Names that are not ours are left alone. */
	spit("head/01.log", "x", 1);
	spit("head/notes", "x", 1);
	s = must_open();
	read_all(s);
	CHECK(found.reports == 1 && found.damages == 0);
	CHECK(exists("head/01.log") && exists("head/notes"));
	store_close(s);
}

/* Over many small files, committed and pending, before and after a start,
 * and when some of it was sealed. */
static void
test_find(void)
{
	struct store *s;
	struct fail why;
	uint64_t seq;
	unsigned i;

	s = fresh();
	store_close(s);
	s = store_open(dir, &test_io, 1 << 20, &why);
	for (i = 0; i < 400; i++) {
		put_report(s, &seq);
		if (i % 10 != 0)
			continue;
		CHECK(store_commit(s, 0, &why) == 0);
		if (i == 150 || i == 300) {
			CHECK(do_snapshot(s, NULL, 0));
			CHECK(do_job(s, T0 + 3600000 * (i + 1), NULL, 0) ==
			    STORE_SEAL);
		}
	}
	CHECK(store_dirty(s) && exists("blocks/2.blk"));
	check_find(s, 400);
	CHECK(store_commit(s, 0, &why) == 0);
	check_find(s, 400);
	store_close(s);
	s = must_open();
	check_find(s, 400);
	read_all(s);
	CHECK(found.reports == 99 && found.damages == 0 && !found.wrong);
	store_close(s);
}

/* Late data: files overlap in time, and the order is that of at_ms; what
 * came twice is there once, as it first came. */
static unsigned
find_late(struct store *s, int64_t before, unsigned limit, int64_t *at)
{
	struct store_query ask = { .check = 9, .from_ms = INT64_MIN,
	    .to_ms = before - 1, .down = true };
	struct store_row row;
	struct fail why;
	unsigned n = 0;

	CHECK(store_rows(s, &ask, &why) == 0);
	for (; n < limit && store_row_next(s, &row, &why) == 1; n++) {
		at[n] = row.r.at_ms;
		CHECK(row.r.has_value && row.r.value == row.r.at_ms);
	}
	return n;
}

static void
check_late(struct store *s)
{
	static const int64_t want[] = { 60, 55, 50, 40, 30, 20, 10, 5 };
	int64_t at[9] = { 0 };
	unsigned i, n;

	for (n = 1; n <= 8; n++) {
		CHECK(find_late(s, 61, n, at) == n);
		for (i = 0; i < n; i++)
			CHECK_ROW(n, at[i] == want[i]);
	}
	CHECK(find_late(s, 61, 9, at) == 8);
	CHECK(find_late(s, 60, 8, at) == 7 && at[0] == 55);
	CHECK(find_late(s, 5, 8, at) == 0);
	CHECK(find_late(s, 6, 8, at) == 1);
}

static void
test_late(void)
{
	static const int64_t at[] = { 50, 10, 40, 20, 50, 60, 30, 60, 5, 55,
	    10 };
	struct store_report rep = { .received_ms = T0 };
	struct store_result r = { .check = 9, .given = STORE_NO_CODE,
	    .has_value = true };
	struct store *s = fresh();
	struct fail why;
	uint64_t seq;
	unsigned i;

	for (i = 0; i < COUNT(at); i++) {
		CHECK(store_report_begin(s, &rep, 1, &seq, &why) == 0);
		r.at_ms = at[i];
		r.value = has_result(s, 9, at[i]) ? 7 : at[i];
		store_report_add(s, &r);
		store_report_end(s);
		CHECK(has_result(s, 9, at[i]) && !has_result(s, 9, 1));
		if (i % 2 == 0)
			CHECK(store_commit(s, 0, &why) == 0);
		if (i == 2 || i == 6) {
			CHECK(do_snapshot(s, NULL, 0));
			CHECK(do_job(s, INT64_MAX / 2, NULL, 0) == STORE_SEAL);
		}
	}
	check_late(s);
	CHECK(do_snapshot(s, NULL, 0));
	CHECK(store_dirty(s) && store_commit(s, 0, &why) == 0);
	CHECK(do_job(s, INT64_MAX / 2, NULL, 0) == STORE_SEAL);
	CHECK(store_commit(s, 0, &why) == 0);
	check_late(s);
	store_close(s);
}

/* Every number kept, read up, down and across: an event or none, and the
 * same each time. */
static void
check_read(struct store *s)
{
	static bool is[RECORDS_MAX];
	uint64_t first = store_journal_first(s), n, k;
	uint64_t last = store_journal_n(s, NULL);
	struct str line, word;
	struct fail why;
	unsigned events = 0;

	CHECK(first > 1 && last < RECORDS_MAX);
	CHECK(store_journal_read(s, first - 1, &line, &why) == 0);
	for (n = first; n <= last; n++) {
		is[n] = store_journal_read(s, n, &line, &why) == 1;
		events += is[n];
	}
	CHECK(events > 100 && events < last + 1 - first);
	for (n = last; n >= first; n--)
		CHECK_ROW(n, store_journal_read(s, n, &line, &why) == is[n]);
	for (k = 0; k < 200; k++) {
		n = first + k * 7919 % (last + 1 - first);
		CHECK_ROW(n, store_journal_read(s, n, &line, &why) == is[n]);
		if (!is[n])
			continue;
		(void)str_cut(&line, ':', &word);
		(void)str_cut(&line, ',', &word);
		CHECK_ROW(n, str_u64(word, n, n, &n) == 0);
	}
}

/* Files rotate; the oldest of history goes, and of the journal what no start
 * reads; what is left is whole, and the budget is never passed. */
static void
test_budget(void)
{
	enum { BUDGET = 1 << 20 };
	struct store *s;
	struct fail why;
	uint64_t seq = 0;
	unsigned i, k, did[5] = { 0 };
	enum store_what what;
	char big[2000];

	s = fresh();
	store_close(s);
	s = store_open(dir, &test_io, BUDGET, &why);
	memset(big, 'x', sizeof big);
	memcpy(big, "\"i\":1,\"x\":\"", 11);
	big[sizeof big - 1] = '"';
	for (i = 0; i < 3000; i++) {
		for (k = 0; k < 20; k++)
			put_report(s, &seq);
		CHECK(store_journal(s, (struct str){ big, i % 4 ? 6u : 2000u },
		    true, &why) == 0);
		CHECK(store_commit(s, 0, &why) == 0);
		CHECK(store_bytes(s) <= BUDGET);
		what = do_job(s, T0 + (int64_t)seq * 1000, NULL, 4);
		did[what]++;
		CHECK(store_bytes(s) <= BUDGET);
	}
	CHECK(did[STORE_SNAPSHOT] > 3 && did[STORE_SEAL] > 3);
	CHECK(!exists("head/1.log") && !exists("blocks/1.blk"));
	check_read(s);
	store_close(s);
	s = store_open(dir, &test_io, BUDGET, &why);
	read_all(s);
	CHECK(found.damages == 0 && !found.wrong && found.seq == seq);
	CHECK(store_bytes(s) <= BUDGET && store_head_seq(s) == seq);
	store_close(s);
}

/* A file of a later version is read as far as it can be, and neither cut nor
 * written to. */
static void
test_foreign(void)
{
	static const char *const names[] = { "journal/1.log", "head/1.log" };
	static const char *const next[] = { "journal/2.log", "head/2.log" };
	struct store *s;
	struct image *m;
	char path[128], *p;
	size_t i, n;

	for (i = 0; i < COUNT(names); i++) {
		s = fresh();
		write_sample(s, 2);
		store_close(s);
		image_take();
		m = image_of(names[i]);
		make_foreign(m, i == 1);
		image_put(m, m->p, m->n);
		check_goes_on((int)i, 50);
		CHECK_ROW(i, found.reports == 3 && found.records == 5);
		CHECK_ROW(i, exists(next[i]));
		path_of(path, sizeof path, "", names[i]);
		n = slurp(path, &p);
		CHECK_ROW(i, n == m->n && memcmp(p, m->p, n) == 0);
		free(p);
	}
}

/* About 10 bytes a result. */
static void
test_size(void)
{
	struct store_report rep = { .source = 300, .received_ms = T0 };
	struct store_result r = { .has_value = true, .given = STORE_NO_CODE };
	struct store *s = fresh();
	struct fail why;
	uint64_t seq;
	unsigned i;

	CHECK(store_report_begin(s, &rep, 20, &seq, &why) == 0);
	for (i = 0; i < 20; i++) {
		r.check = 5000 + i;
		r.at_ms = T0 - 40 + i;
		r.value = 12345 + (int64_t)i * 99999;
		store_report_add(s, &r);
	}
	store_report_end(s);
	disk.bytes = 0;
	CHECK(store_commit(s, 0, &why) == 0);
	CHECK(disk.bytes > 100 && disk.bytes < 200);
	store_close(s);
}

static void
test_disk(void)
{
	test_faults(ENOSPC, FAIL, false, false);
	test_faults(ENOSPC, FAIL, true, false);
	test_faults(EIO, FAIL, false, false);
	test_faults(EIO, FAIL, true, true);
	test_faults(EINTR, FAIL, false, false);
	test_faults(ENOSPC, SHORT, false, false);
	test_faults(ENOSPC, SHORT, true, false);
	test_faults(EIO, SHORT, true, true);
}

int
main(int argc, char **argv)
{
	if (argc > 3)
		return sample_long(argv[1], (unsigned)strtoul(argv[2], NULL,
		    10), strtoull(argv[3], NULL, 10));
	if (argc > 1)
		return sample(argv[1]);
	/* In memory if that is to be had: there are thousands of files. */
	snprintf(root, sizeof root, "%s/store_test.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/dev/shm");
	if (mkdtemp(root) == NULL) {
		snprintf(root, sizeof root, "/tmp/store_test.XXXXXX");
		if (mkdtemp(root) == NULL)
			return 1;
	}
	snprintf(dir, sizeof dir, "%s/d", root);
	test_round_trip();
	test_values();
	test_names();
	test_limits();
	test_largest();
	test_cut("journal/1.log");
	test_cut("head/1.log");
	test_flip("journal/1.log", false);
	test_flip("journal/1.snap", true);
	test_flip("head/1.log", false);
	test_cut_snapshot();
	test_snapshots();
	test_torn_batch();
	test_sequence();
	test_order();
	test_retry();
	test_inside();
	test_lock();
	test_directory();
	test_find();
	test_late();
	test_budget();
	test_foreign();
	test_size();
	test_disk();
	wipe();
	(void)remove(root);
	return test_end();
}
