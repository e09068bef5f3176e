/*
 * store_help.h: what store_test.c stands on: a disk that fails, directories
 * as a whole, and a life in which some of it fails.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "store_data.h"

static char root[64], dir[80];

/* A disk that fails: call number fault_at, and all from it on if sticky. */
enum { CLEAN, FAIL, SHORT };
static struct {
	unsigned long calls, fault_at, syncs;
	int error, kind;
	bool sticky, hit;
	int only;			/* call of that letter, or 0: any */
	size_t bytes;			/* written */
	char trace[64];			/* the letters of the calls */
	unsigned traced;
} disk;

static bool
faulty(int letter)
{
	if (disk.traced < sizeof disk.trace - 1)
		disk.trace[disk.traced++] = (char)letter;
	if (disk.kind == CLEAN || (disk.only != 0 && disk.only != letter))
		return false;
	disk.calls++;
	if (disk.calls != disk.fault_at &&
	    !(disk.sticky && disk.calls > disk.fault_at))
		return false;
	disk.hit = true;
	errno = disk.error;
	return true;
}

static int
t_openat(int at, const char *path, int flags, mode_t mode)
{
	return faulty('o') ? -1 : store_posix.openat(at, path, flags, mode);
}

static ssize_t
t_pread(int fd, void *p, size_t n, off_t at)
{
	return faulty('r') ? -1 : store_posix.pread(fd, p, n, at);
}

static ssize_t
t_pwrite(int fd, const void *p, size_t n, off_t at)
{
	bool bad = faulty('w');

	if (bad && (disk.kind == FAIL || n < 2))
		return -1;
	disk.bytes += n;
	return store_posix.pwrite(fd, p, bad ? n / 2 : n, at);
}

static int
t_fdatasync(int fd)
{
	(void)fd;
	disk.syncs++;
	return faulty('s') ? -1 : 0;
}

static int
t_fsync(int fd)
{
	(void)fd;
	disk.syncs++;
	return faulty('S') ? -1 : 0;
}

static int
t_ftruncate(int fd, off_t n)
{
	return faulty('t') ? -1 : store_posix.ftruncate(fd, n);
}

static int
t_unlinkat(int at, const char *path, int flags)
{
	return faulty('u') ? -1 : store_posix.unlinkat(at, path, flags);
}

static int
t_renameat(int from_at, const char *from, int at, const char *to)
{
	return faulty('n') ? -1 : store_posix.renameat(from_at, from, at, to);
}

static int
t_mkdirat(int at, const char *path, mode_t mode)
{
	return faulty('d') ? -1 : store_posix.mkdirat(at, path, mode);
}

static int
t_fstat(int fd, struct stat *st)
{
	return faulty('f') ? -1 : store_posix.fstat(fd, st);
}

static int
t_close(int fd)
{
	return store_posix.close(fd);
}

static int
t_list(int at, int (*name)(void *, const char *), void *arg)
{
	return faulty('l') ? -1 : store_posix.list(at, name, arg);
}

static int
t_lock(int fd)
{
	return faulty('k') ? -1 : store_posix.lock(fd);
}

static const struct store_io test_io = {
	t_openat, t_pread, t_pwrite, t_fdatasync, t_fsync, t_ftruncate,
	t_unlinkat, t_renameat, t_mkdirat, t_fstat, t_close, t_list, t_lock
};

/* Directories as a whole. */

struct image {
	char name[64];
	size_t n;
	char *p;
};
static struct image image[64];
static unsigned images;

static void
path_of(char *path, size_t cap, const char *sub, const char *name)
{
	snprintf(path, cap, "%s/%s%s%s", dir, sub, *sub ? "/" : "", name);
}

static void
each(const char *sub, void (*fn)(const char *path, const char *name))
{
	char path[256], rel[96];
	struct dirent *e;
	DIR *d;

	path_of(path, sizeof path, sub, "");
	if ((d = opendir(path)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || strlen(e->d_name) > 40)
			continue;
		path_of(path, sizeof path, sub, e->d_name);
		snprintf(rel, sizeof rel, "%s/%.40s", sub, e->d_name);
		fn(path, rel);
	}
	closedir(d);
}

static void
remove_one(const char *path, const char *name)
{
	(void)name;
	(void)remove(path);
}

static void
wipe(void)
{
	each("journal", remove_one);
	each("head", remove_one);
	each("blocks", remove_one);
	each("", remove_one);
	(void)remove(dir);
}

static size_t
slurp(const char *path, char **p)
{
	FILE *f = fopen(path, "rb");
	size_t n = 0;

	*p = malloc(1 << 20);
	if (f == NULL)
		return 0;
	n = fread(*p, 1, 1 << 20, f);
	fclose(f);
	return n;
}

static void
spit(const char *name, const char *p, size_t n)
{
	char path[256];
	FILE *f;

	path_of(path, sizeof path, "", name);
	f = fopen(path, "wb");
	CHECK(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void
take(const char *path, const char *name)
{
	struct image *m = &image[images++];

	snprintf(m->name, sizeof m->name, "%s", name);
	m->n = slurp(path, &m->p);
}

static void
image_take(void)
{
	while (images > 0)
		free(image[--images].p);
	each("journal", take);
	each("head", take);
	each("blocks", take);
}

static struct image *
image_of(const char *name)
{
	unsigned i;

	for (i = 0; i < images; i++)
		if (strcmp(image[i].name, name) == 0)
			return &image[i];
	return NULL;
}

/* Everything as it was, but that file with these bytes. */
static void
image_put(const struct image *but, const char *p, size_t n)
{
	char path[256];
	unsigned i;

	wipe();
	mkdir(dir, 0700);
	path_of(path, sizeof path, "", "journal");
	mkdir(path, 0700);
	path_of(path, sizeof path, "", "head");
	mkdir(path, 0700);
	path_of(path, sizeof path, "", "blocks");
	mkdir(path, 0700);
	for (i = 0; i < images; i++) {
		if (&image[i] == but)
			spit(image[i].name, p, n);
		else
			spit(image[i].name, image[i].p, image[i].n);
	}
}

static bool
exists(const char *name)
{
	char path[256];
	struct stat st;

	path_of(path, sizeof path, "", name);
	return lstat(path, &st) == 0;
}

/* Results of check from `before` back, as they were made; how many. */
static unsigned
find_made(struct store *s, uint64_t check, int64_t before, unsigned limit,
    bool *wrong)
{
	struct store_query ask = { .check = check, .from_ms = INT64_MIN,
	    .down = true };
	static struct store_row row;
	struct store_result want;
	struct fail why;
	int64_t last = INT64_MAX, since;
	uint64_t seq;
	unsigned n = 0;
	int rc = 0;

	if (before == INT64_MIN)
		return 0;
	ask.to_ms = before - 1;
	*wrong |= store_rows(s, &ask, &why) != 0;
	while (n < limit && (rc = store_row_next(s, &row, &why)) == 1) {
		since = row.r.at_ms - T0;
		seq = (uint64_t)(since + 999) / 1000;
		make_result(seq, (unsigned)((int64_t)seq * 1000 - since) / 10,
		    &want);
		*wrong |= row.r.at_ms >= last || row.span_ms != 0 ||
		    !same_result(&row.r, &want) || row.count != 1;
		last = row.r.at_ms;
		n++;
	}
	*wrong |= rc < 0;
	return n;
}

/* Is there a result of check at that time? */
static bool
has_result(struct store *s, uint64_t check, int64_t at_ms)
{
	struct store_query ask = { .check = check, .from_ms = at_ms,
	    .to_ms = at_ms };
	static struct store_row row;
	struct fail why;

	return store_rows(s, &ask, &why) == 0 &&
	    store_row_next(s, &row, &why) == 1;
}

static struct store *
must_open(void)
{
	struct fail why;
	struct store *s = store_open(dir, &test_io, 0, &why);

	if (s == NULL) {
		printf("open: %s\n", why.msg);
		exit(1);
	}
	return s;
}

static struct store *
fresh(void)
{
	wipe();
	memset(&disk, 0, sizeof disk);
	return must_open();
}

/* Open, read, and go on: one more report and record, there after that. */
static void
check_goes_on(int row, unsigned fresh_i)
{
	uint64_t seq = 0, reports;
	struct store_result r;
	struct fail why;
	struct store *s = must_open();

	read_all(s);
	CHECK_ROW(row, !found.wrong);
	reports = found.reports;
	CHECK_ROW(row, put_report(s, &seq) == 0 && seq == found.seq + 1);
	CHECK_ROW(row, put_record(s, fresh_i, true) == 0);
	CHECK_ROW(row, store_commit(s, 0, &why) == 0);
	make_result(seq, 0, &r);
	CHECK_ROW(row, has_result(s, r.check, r.at_ms));
	store_close(s);
	s = must_open();
	read_all(s);
	CHECK_ROW(row, !found.wrong && found.reports == reports + 1);
	CHECK_ROW(row, found.has[fresh_i] && found.seq == seq);
	store_close(s);
}

static void
write_sample(struct store *s, unsigned commits)
{
	struct fail why;
	uint64_t seq;
	unsigned i, base = (unsigned)store_head_seq(s);

	for (i = 0; i < commits; i++) {
		CHECK(put_report(s, &seq) == 0 && seq == base + i + 1);
		CHECK(put_record(s, 2 * i, true) == 0);
		CHECK(put_record(s, 2 * i + 1, false) == 0);
		CHECK(store_dirty(s));
		CHECK(store_commit(s, 0, &why) == 0 && !store_dirty(s));
	}
}

static const char *
trace(void)
{
	static char was[sizeof disk.trace];

	memcpy(was, disk.trace, sizeof was);
	memset(disk.trace, 0, sizeof disk.trace);
	disk.traced = 0;
	return was;
}

static void
print_numbers(const char *name, int n, const int64_t v[3], uint64_t count)
{
	printf(" %.*s%s%lld", n, name, n > 0 ? "=" : "", (long long)v[0]);
	if (count > 0)
		printf(",%lld,%lld", (long long)v[1], (long long)v[2]);
}

static void
print_row(const struct store_row *row)
{
	const struct store_result *r = &row->r;
	uint64_t count = row->span_ms != 0 ? row->count : 0;
	unsigned i;

	printf("%lld %d ", (long long)r->at_ms, r->code);
	printf(r->given == STORE_NO_CODE ? "-" : "%d", r->given);
	printf(" %d", r->late);
	if (count > 0)
		printf(" *%llu", (unsigned long long)count);
	if (r->has_value)
		print_numbers("", 0, row->value, count);
	else
		printf(" -");
	for (i = 0; i < r->metrics; i++)
		print_numbers(r->metric[i].name.p, (int)r->metric[i].name.n,
		    row->metric[i], count);
	printf(" \"%.*s\"\n", (int)r->text.n, r->text.p);
}

static void
print_result(const struct store_result *r)
{
	static struct store_row row;
	unsigned i;

	row.r = *r;
	row.value[0] = r->value;
	for (i = 0; i < r->metrics; i++)
		row.metric[i][0] = r->metric[i].value;
	printf("%d ", (int)r->check);
	print_row(&row);
}

/* For the reader in python: write a store, and print what it should say. */
static int
sample(const char *where)
{
	struct store *s;
	struct fail why;
	struct str line;
	uint64_t n;

	snprintf(dir, sizeof dir, "%s", where);
	s = store_open(dir, &test_io, 0, &why);
	if (s == NULL) {
		printf("%s\n", why.msg);
		return 1;
	}
	write_sample(s, 7);
	CHECK(do_snapshot(s, NULL, 2));
	write_sample(s, 3);
	for (n = 1; n <= store_journal_n(s, NULL); n++)
		if (store_journal_read(s, n, &line, &why) == 1)
			printf("%.*s\n", (int)line.n, line.p);
	store_close(s);
	s = must_open();
	for (n = 1; n <= 10; n++) {
		struct store_report rep;
		struct store_result r;

		if (store_report_next(s, 0, &rep, &why) != 1)
			break;
		printf("report %d source %d results %u\n", (int)rep.seq,
		    (int)rep.source, rep.results);
		while (store_result_next(s, &r) == 1)
			print_result(&r);
	}
	store_close(s);
	return test_bad != 0;
}

/* The result of a check at some time: each check has a nature of its own. */
static void
make_long(unsigned check, int64_t at_ms, struct store_result *r)
{
	static const char *const names[] = { "user", "system", "rss", "x" };
	static char text[48];
	unsigned i, k = (unsigned)((at_ms - T0) / 60000 + 10000);
	uint64_t rnd = ((uint64_t)at_ms + check) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t whole = 5999 + rnd % 3;	/* ticks in a minute */

	rnd = (rnd ^ rnd >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 33;
	*r = (struct store_result){ .check = check, .at_ms = at_ms,
	    .code = (uint8_t)(k / 50 % 9 < 4 ? k / 50 % 9 : 0),
	    .given = check == 3 ? (uint8_t)(rnd >> 8 & 3) : STORE_NO_CODE,
	    .late = k % 97 == 0, .has_value = check != 3 || k % 5 == 0 };
	if (r->has_value)
		r->value = check == 1 ? (k / 300) * 1000 : check == 2 ?
		    k * INT64_C(1000) + (int64_t)(rnd >> 20) :
		    (rnd >> 12 & 1 ? INT64_MAX : INT64_MIN) + (int64_t)rnd / 2;
	r->metrics = check < 3 ? check : (unsigned)(rnd >> 10) % 4;
	for (i = 0; i < r->metrics; i++) {
		r->metric[i].name = str_of(names[(i + check) % 4]);
		r->metric[i].value = (int64_t)(rnd % 100000) * (check > 1);
		if (check == 2 && i == 1)
			r->metric[i].value = (int64_t)((rnd % 500 * 100000 +
			    whole / 2) / whole);
	}
	snprintf(text, sizeof text, "%llx of %u", (unsigned long long)rnd, k);
	r->text = str_of(check > 2 && k % 3 == 0 ? text : "");
}

/* Likewise: days of three checks, a result a minute, many late or twice, with
 * room for less; what the store says of each check. */
static int
sample_long(const char *where, unsigned days, uint64_t budget)
{
	struct store_report rep = { 0 };
	struct store_query ask = { .from_ms = INT64_MIN, .to_ms = INT64_MAX };
	static struct store_row row;
	struct store_result r;
	struct store *s;
	struct fail why;
	unsigned k, job[5] = { 0 };
	int i, back;
	uint64_t seq;

	s = store_open(where, &test_io, budget, &why);
	for (k = 0; s != NULL && k < days * 1440; k += 10) {
		rep.received_ms = T0 + k * INT64_C(60000);
		CHECK(store_report_begin(s, &rep, 36, &seq, &why) == 0);
		for (i = 0; i < 36; i++) {
			back = k % 700 == 0 ? 400 : k % 350 == 0 ? 4000 : 12;
			make_long(1 + i / 12, rep.received_ms + (i % 12 -
			    back) * INT64_C(60000) + (i / 12 == back % 3) *
			    INT64_C(7000), &r);
			store_report_add(s, &r);
		}
		store_report_end(s);
		CHECK(store_commit(s, rep.received_ms, &why) == 0);
		do
			i = do_job(s, rep.received_ms, NULL, 0);
		while (job[i]++, i != STORE_IDLE);
	}
	printf("%u seals, %u merges, %u thinned\n", job[STORE_SEAL],
	    job[STORE_MERGE], job[STORE_THIN]);
	for (ask.check = 1; s != NULL && ask.check <= 3; ask.check++) {
		printf("check %d\n", (int)ask.check);
		CHECK(store_rows(s, &ask, &why) == 0);
		while (store_row_next(s, &row, &why) == 1)
			print_row(&row);
	}
	if (s != NULL)
		store_close(s);
	return test_bad != 0;
}

/* Make line 1, or record 1, say version 2, and add a torn tail. */
static void
make_foreign(struct image *m, bool head)
{
	unsigned char *p = (unsigned char *)m->p;
	size_t n = p[0], nl;
	unsigned long crc;
	char text[9];

	if (head) {
		p[22] = 2;
		crc = crc32(crc32(0, p, 4), p + 8, (unsigned)n);
		for (n = 0; n < 4; n++)
			p[4 + n] = (unsigned char)(crc >> 8 * n);
	} else {
		nl = (size_t)((char *)memchr(p, '\n', m->n) - m->p);
		*(strstr(m->p, "\"version\":1") + 10) = '2';
		crc = crc32(0, p, (unsigned)(nl - 18));
		snprintf(text, sizeof text, "%08lx", crc);
		memcpy(p + nl - 10, text, 8);
	}
	memcpy(p + m->n, "torn", 4);
	m->n += 4;
}

/* Finding what make_result made. */
static unsigned
find_text(struct store *s, uint64_t check, int64_t before, unsigned limit)
{
	bool wrong = false;
	unsigned n = find_made(s, check, before, limit, &wrong);

	CHECK(!wrong);
	return n;
}

static void
check_find(struct store *s, unsigned reports)
{
	struct store_result r;
	unsigned seq, j, of[5] = { 0 }, c;

	for (seq = 1; seq <= reports; seq++) {
		for (j = 0; j < 1 + seq % 3; j++) {
			make_result(seq, j, &r);
			of[r.check]++;
			CHECK_ROW(seq, has_result(s, r.check, r.at_ms));
			CHECK_ROW(seq, !has_result(s, r.check, r.at_ms + 1));
			CHECK_ROW(seq, !has_result(s, 77, r.at_ms));
		}
	}
	for (c = 1; c <= 4; c++) {
		CHECK(find_text(s, c, INT64_MAX, 1000) == of[c]);
		CHECK(find_text(s, c, INT64_MAX, 7) == 7);
		CHECK(find_text(s, c, T0 + 1, 9) == 0);
		CHECK(find_text(s, c, INT64_MIN, 9) == 0);
		CHECK(find_text(s, c, INT64_MAX, 0) == 0);
		CHECK(find_text(s, c, T0 + 30000, 5) == 5);
	}
}

/* A life of the store: what was acknowledged in it, and is it there? */

struct life {
	uint64_t acked_seq;
	bool acked[RECORDS_MAX];	/* record i */
	unsigned next;			/* i of the next */
};

static void
live(struct life *l, struct store *s, int64_t *mono)
{
	struct fail why;
	uint64_t seq = 0;
	unsigned i;
	bool put = put_report(s, &seq) == 0;

	put = put_record(s, l->next++, true) == 0 && put;
	put = put_record(s, l->next++, true) == 0 && put;
	if (store_commit(s, *mono, &why) == 0 && put) {
		/* All that was kept before is there, too. */
		for (i = 0; i < l->next; i++)
			l->acked[i] = true;
		l->acked_seq = store_head_seq(s);
	}
	*mono += LATER;
}

/* One life with a fault in it.  crash: it ends there as by kill -9. */
static void
run_life(struct life *l, bool crash)
{
	struct store *s;
	struct fail why;
	int64_t mono = 0;
	unsigned i;

	s = store_open(dir, &test_io, 0, &why);
	if (s == NULL && !crash) {
		disk.sticky = false;
		s = store_open(dir, &test_io, 0, &why);
		CHECK(s != NULL);
	}
	if (s == NULL)
		return;
	for (i = 0; i < 5; i++) {
		live(l, s, &mono);
		if (i == 2)
			(void)do_snapshot(s, l->acked, l->next);
		if (i == 3 && !crash)
			disk.sticky = false;
	}
	if (!crash && store_dirty(s)) {
		CHECK(store_commit(s, mono, &why) == 0);
		for (i = 0; i < l->next; i++)
			l->acked[i] = true;
		l->acked_seq = store_head_seq(s);
	}
	store_close(s);
}

static void
check_life(int row, const struct life *l)
{
	struct store *s = must_open();
	uint64_t q;
	unsigned i;

	read_all(s);
	store_close(s);
	CHECK_ROW(row, !found.wrong);
	for (i = 0; i < l->next; i++)
		CHECK_ROW(row, found.has[i] || !l->acked[i]);
	for (; i < RECORDS_MAX; i++)
		CHECK_ROW(row, !found.has[i]);
	for (q = 1; q <= l->acked_seq; q++)
		CHECK_ROW(row, found.seen[q]);
	check_goes_on(row, 3000);
}
