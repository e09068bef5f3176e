/*
 * store_bench: drive the store as vilicus-server does, and measure it.
 *
 *	store_bench size DIR DATA		a day of ten agents
 *	store_bench wear DIR DATA SYNC_MS	the same, a commit for each report
 *	store_bench fill DIR DATA DAYS [IDS]	so many days of few agents
 *	store_bench ask DIR DATA DAYS [IDS]	open that, and query it
 *	store_bench memory DIR SERIES		what the store takes in memory
 *
 * tests/bench/store calls it.  It prints lines "NAME NUMBER"; times are ns of
 * CPU, unless the name says wall.  DATA is a file of tests/bench/dataset.  An
 * agent has 7 checks that tell 20 numbers, all of one round at one time; its
 * reports come one after the other, at moments of their own.  What is synced
 * is not: fdatasync and fsync return at once and are counted.
 *
 * IDS has a line for each agent: its id and its checks'.  DIR may hold what a
 * server wrote to its journal: a snapshot repeats that.  What is read back is
 * compared with what was written; a difference ends it with status 1.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../store.h"

#define START_MS	INT64_C(1767225600000)	/* 2026-01-01 */
#define STEP_MS		10000
#define DAY_MS		86400000
#define DAY_ROWS	(DAY_MS / STEP_MS)
#define AGENTS_MAX	10
#define CHECKS		7
#define NUMBERS		20			/* of an agent */
#define BODIES_MAX	512
#define TIMES		51			/* a query is made */
#define POINTS_MAX	8640

/* What the checks of an agent tell: a value and metrics, and from which tens
 * of the data set's series they are. */
static const struct kind {
	unsigned metrics;
	const char *name[4];
	unsigned ten[5];
} kinds[CHECKS] = {
	{ 4, { "user", "system", "steal", "iowait" }, { 7, 8, 9, 10, 12 } },
	{ 0, { NULL }, { 16 } },
	{ 0, { NULL }, { 0 } },
	{ 0, { NULL }, { 11 } },
	{ 2, { "used_bytes", "free_bytes" }, { 17, 18, 1 } },
	{ 4, { "in_bytes", "out_bytes", "in_errors", "dropped" },
	    { 4, 5, 6, 2, 13 } },
	{ 3, { "rss_bytes", "cpu_percent", "threads" }, { 3, 15, 14, 19 } },
};
enum { CPU = 0, MEMORY = 1 };

static struct {
	unsigned series, rows;
	int64_t *at, *v;
} data;

static struct site {
	struct store *s;
	unsigned agents, days;
	uint64_t source[AGENTS_MAX], check[AGENTS_MAX][CHECKS];
	uint8_t code[AGENTS_MAX][CHECKS];	/* told last */
	int64_t now_ms;
	uint64_t head;			/* what the newest snapshot covers */
	char *body[BODIES_MAX];
	unsigned bodies;
	uint64_t samples, results;
	int64_t put_ns, job_ns, snapshot_ns;
} site;

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "store_bench: %s: %s\n", what, why);
	exit(1);
}

static int64_t
clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t
cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void
say(const char *name, uint64_t v)
{
	printf("%s %llu\n", name, (unsigned long long)v);
}

/* ---- the disk: nothing waits for it, and what is written is counted ---- */

#define PAGE	4096
#define FDS	256

enum file { OTHER, JOURNAL, SNAPSHOT, HEAD, BLOCKS, KINDS };
static const char *const kind_name[KINDS] = { "other", "journal", "snapshot",
    "head", "blocks" };
static struct {
	uint64_t bytes, rounded, pages, writes, syncs, dir_syncs;
} disk[KINDS];
static struct {
	enum file kind;
	bool dir;
	int64_t dirty;			/* the last page counted; -1: none */
} fds[FDS];
static struct store_io io;

static int
b_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd = store_posix.openat(dir, path, flags, mode);
	enum file kind = dir >= 0 && dir < FDS ? fds[dir].kind : OTHER;

	if (fd < 0 || fd >= FDS)
		return fd;
	if (strcmp(path, "journal") == 0)
		kind = JOURNAL;
	else if (strcmp(path, "head") == 0)
		kind = HEAD;
	else if (strcmp(path, "blocks") == 0)
		kind = BLOCKS;
	else if (kind == JOURNAL && strstr(path, ".log") == NULL)
		kind = SNAPSHOT;
	fds[fd].kind = kind;
	fds[fd].dir = (flags & O_DIRECTORY) != 0;
	fds[fd].dirty = -1;
	return fd;
}

static ssize_t
b_pwrite(int fd, const void *p, size_t n, off_t at)
{
	int64_t from = at / PAGE, to = (at + (off_t)n + PAGE - 1) / PAGE;
	ssize_t k = store_posix.pwrite(fd, p, n, at);

	if (k != (ssize_t)n || fd >= FDS)
		return k;
	disk[fds[fd].kind].writes++;
	disk[fds[fd].kind].bytes += n;
	disk[fds[fd].kind].rounded += (uint64_t)(to - from) * PAGE;
	disk[fds[fd].kind].pages += (uint64_t)(to - from -
	    (from == fds[fd].dirty));
	fds[fd].dirty = to - 1;
	return k;
}

static int
b_sync(int fd)
{
	if (fd >= 0 && fd < FDS) {
		disk[fds[fd].kind].syncs += !fds[fd].dir;
		disk[fds[fd].kind].dir_syncs += fds[fd].dir;
		fds[fd].dirty = -1;
	}
	return 0;
}

/* ---- what is written ---- */

static void
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n, i;
	unsigned char *p;
	unsigned k;
	uint64_t u;

	if (f == NULL || fscanf(f, "%u %u", &data.series, &data.rows) != 2 ||
	    fgetc(f) != '\n' || data.series < AGENTS_MAX * NUMBERS)
		die(path, "not a data set");
	n = (size_t)(data.series + 1) * data.rows;
	p = malloc(8 * n);
	data.at = malloc(8 * n);
	if (p == NULL || data.at == NULL || fread(p, 8, n, f) != n)
		die(path, "cannot be read");
	for (i = 0; i < n; i++) {
		for (u = 0, k = 8; k-- > 0;)
			u = u << 8 | p[8 * i + k];
		data.at[i] = (int64_t)u;
	}
	data.v = data.at + data.rows;
	free(p);
	fclose(f);
}

/* Number j of an agent's check: on other days another one's. */
static int64_t
number(unsigned agent, unsigned c, unsigned j, uint64_t row)
{
	uint64_t day = row / data.rows;
	size_t series = kinds[c].ten[j] * 10 + (agent + 3 * day) % 10;

	return data.v[series * data.rows + row % data.rows];
}

/* When an agent measured: at its own moment of the 10 s, as late as the data
 * set's reading was in another row. */
static int64_t
time_of(unsigned agent, uint64_t row)
{
	size_t other = (row + 811u * agent) % data.rows;

	return START_MS + (int64_t)row * STEP_MS + agent * 997 +
	    (data.at[other] - START_MS) % STEP_MS % 900;
}

/* Now and then a warning, that becomes critical; and a text. */
static void
judge(struct store_result *r, uint64_t check, uint64_t row)
{
	uint64_t at = (row + 97 * check) % DAY_ROWS;

	r->code = at < 6 ? 1 : at < 18 ? 2 : 0;
	r->given = STORE_NO_CODE;
	if (r->code == 1)
		r->text = STR("above the limit since a minute");
	else if (at % 2880 == 2000)
		r->text = STR("restarted by the system: status 1");
}

static void
make_result(unsigned agent, unsigned c, uint64_t row, struct store_result *r)
{
	const struct kind *k = &kinds[c];
	unsigned i;

	r->check = site.check[agent][c];
	r->at_ms = time_of(agent, row);
	r->late = false;
	r->text = STR("");
	judge(r, r->check, row);
	r->has_value = true;
	r->value = number(agent, c, 0, row);
	r->metrics = k->metrics;
	for (i = 0; i < k->metrics; i++) {
		r->metric[i].name = str_of(k->name[i]);
		r->metric[i].value = number(agent, c, i + 1, row);
	}
}

/* ---- the server ---- */

/* A body without what the store adds around it. */
static void
keep_body(struct str line)
{
	const char *p = line.p + 5, *end = line.p + line.n;
	static const char *const marks[] = { ",", "\"more\":true,",
	    "\"snap\":true," };
	unsigned i;
	char *copy;

	while (p < end && *p != ',')
		p++;
	for (i = 0; i < 3; i++)
		if ((size_t)(end - p) > strlen(marks[i]) &&
		    memcmp(p, marks[i], strlen(marks[i])) == 0)
			p += strlen(marks[i]);
	while (end > p && memcmp(end, ",\"prev\":", 8) != 0)
		end--;
	copy = malloc((size_t)(end - p) + 1);
	if (copy == NULL || site.bodies == BODIES_MAX)
		die("journal", "too much");
	memcpy(copy, p, (size_t)(end - p));
	copy[end - p] = '\0';
	if (strstr(copy, "\"what\":\"counters\"") == NULL &&
	    strstr(copy, "\"what\":\"incident\"") == NULL)
		site.body[site.bodies++] = copy;
	else
		free(copy);
}

/* As the server's start does. */
static void
start(const char *dir, uint64_t *reports)
{
	static struct store_result r;
	struct store_report rep;
	struct str line;
	struct fail why;
	const char *p;
	int rc;

	site.s = store_open(dir, &io, 0, &why);
	if (site.s == NULL)
		die(dir, why.msg);
	site.bodies = 0;
	while ((rc = store_journal_next(site.s, &line, &why)) == 1) {
		p = memchr(line.p, 'h', line.n < 80 ? line.n : 80);
		if (p != NULL && strncmp(p, "head\":", 6) == 0)
			site.head = strtoull(p + 6, NULL, 10);
		else if (reports == NULL)
			keep_body(line);
	}
	while (rc == 0 && (rc = store_report_next(site.s, site.head + 1, &rep,
	    &why)) == 1) {
		while (store_result_next(site.s, &r) == 1)
			;
		rc = 0;
		*(reports != NULL ? reports : &site.results) += 1;
	}
	if (rc != 0)
		die(dir, why.msg);
	if (store_damage(site.s, &line) == 1)
		die("damage", line.p);
}

static int
snapshot(const struct store_job *job, struct fail *why)
{
	char p[1024];
	unsigned i;

	if (store_snapshot_begin(site.s, job, site.now_ms, why) != 0)
		return -1;
	snprintf(p, sizeof p, "\"head\":%llu,\"what\":\"counters\",\"new\":{}",
	    (unsigned long long)job->last);
	store_snapshot_put(site.s, str_of(p));
	for (i = 0; i < site.bodies; i++)
		store_snapshot_put(site.s, str_of(site.body[i]));
	site.head = job->last;
	return store_snapshot_end(site.s, why);
}

static enum store_what
one_job(void)
{
	struct store_job job;
	struct fail why;
	int64_t ns = cpu_ns();
	int rc;

	if (!store_job_next(site.s, site.now_ms, site.now_ms, &job))
		return STORE_IDLE;
	rc = job.what == STORE_SNAPSHOT ? snapshot(&job, &why) :
	    store_job_run(site.s, &job, &why);
	if (rc != 0)
		die("job", why.msg);
	store_job_end(site.s, &job, true, site.now_ms);
	ns = cpu_ns() - ns;
	*(job.what == STORE_SNAPSHOT ? &site.snapshot_ns : &site.job_ns) += ns;
	return job.what;
}

static void
commit(void)
{
	struct fail why;

	if (store_commit(site.s, site.now_ms, &why) != 0)
		die("commit", why.msg);
}

static void
put_report(unsigned agent, const struct store_result *r, unsigned n)
{
	struct store_report rep = { .source = site.source[agent],
	    .received_ms = site.now_ms };
	struct fail why;
	uint64_t seq;
	unsigned i;

	if (store_report_begin(site.s, &rep, n, &seq, &why) != 0)
		die("report", why.msg);
	for (i = 0; i < n; i++)
		store_report_add(site.s, &r[i]);
	store_report_end(site.s);
}

/* What people are told is in the journal. */
static void
put_incident(unsigned agent, const struct store_result *r)
{
	struct fail why;
	char p[512];

	snprintf(p, sizeof p, "\"at\":\"2026-01-01T00:00:00.000Z\",\"by\":"
	    "\"rule\",\"what\":\"incident\",\"object\":\"check/%llu\","
	    "\"new\":{\"status\":%u,\"since\":\"2026-01-01T00:00:00.000Z\","
	    "\"message\":\"above the limit since a minute\",\"agent\":%u}",
	    (unsigned long long)r->check, r->code, agent);
	if (store_journal(site.s, str_of(p), true, &why) != 0)
		die("journal", why.msg);
}

/* One round of all agents; each: a commit for each of them, and, since about
 * a second passed, a look for what is to be done. */
static void
put_round(uint64_t row, bool each)
{
	static struct store_result r[AGENTS_MAX][CHECKS];
	unsigned a, c;
	int64_t ns;

	for (a = 0; a < site.agents; a++)
		for (c = 0; c < CHECKS; c++)
			make_result(a, c, row, &r[a][c]);
	ns = cpu_ns();
	for (a = 0; a < site.agents; a++) {
		site.now_ms = r[a][0].at_ms + 3;
		put_report(a, r[a], CHECKS);
		for (c = 0; c < CHECKS; c++) {
			if (r[a][c].code != site.code[a][c])
				put_incident(a, &r[a][c]);
			site.code[a][c] = r[a][c].code;
		}
		if (!each)
			continue;
		commit();
		(void)one_job();
	}
	if (!each)
		commit();
	site.put_ns += cpu_ns() - ns;
	site.samples += site.agents * NUMBERS;
	site.results += site.agents * CHECKS;
	while (!each && one_job() != STORE_IDLE)
		;
}

/* Objects as long as they are with a server. */
static void
make_bodies(unsigned n)
{
	char p[480];

	while (site.bodies < n) {
		snprintf(p, sizeof p, "\"at\":\"2026-01-01T00:00:00.000Z\","
		    "\"by\":\"server\",\"what\":\"kept\",\"object\":"
		    "\"check/%u\",\"new\":{\"agent\":%u,\"name\":\"a check\","
		    "\"type\":\"process\",\"params\":{\"process_name\":"
		    "\"daemon%u\"},\"crit\":[\"above 99\"],\"for_s\":60,"
		    "\"enabled\":true,\"status\":\"ok\",\"since\":"
		    "\"2026-01-01T00:00:00.000Z\",\"last\":"
		    "\"2026-01-01T00:00:00.000Z\"}", site.bodies + 1,
		    site.bodies / CHECKS, site.bodies);
		site.body[site.bodies] = malloc(sizeof p);
		memcpy(site.body[site.bodies++], p, sizeof p);
	}
}

static void
read_ids(const char *path)
{
	unsigned long long id;
	unsigned a, c;
	FILE *f = path != NULL ? fopen(path, "r") : NULL;

	for (a = 0; a < site.agents; a++)
		for (c = 0; c <= CHECKS; c++) {
			if (f == NULL)
				id = c == 0 ? a + 1 : a * CHECKS + c;
			else if (fscanf(f, "%llu", &id) != 1)
				die(path, "too few ids");
			*(c == 0 ? &site.source[a] : &site.check[a][c - 1]) =
			    id;
		}
	if (f != NULL)
		fclose(f);
}

/* ---- what there is ---- */

static uint64_t record_bytes[10];

/* The bytes of a block by type of record. */
static void
count_records(const char *path)
{
	FILE *f = fopen(path, "rb");
	unsigned char h[9];
	uint32_t n;

	while (f != NULL && fread(h, 1, 9, f) == 9) {
		n = h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16 |
		    (uint32_t)h[3] << 24;
		record_bytes[h[8] < 9 ? h[8] : 9] += n + 8;
		if (fseek(f, (long)n - 1, SEEK_CUR) != 0)
			break;
	}
	if (f != NULL)
		fclose(f);
}

static uint64_t
bytes_of(const char *dir, const char *sub, bool snapshots, unsigned *files)
{
	char path[512];
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(path, sizeof path, "%s/%s", dir, sub);
	d = opendir(path);
	if (d == NULL)
		die(path, strerror(errno));
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || snapshots !=
		    (*sub == 'j' && strstr(e->d_name, ".log") == NULL))
			continue;
		snprintf(path, sizeof path, "%s/%s/%.60s", dir, sub,
		    e->d_name);
		if (stat(path, &st) != 0)
			die(path, strerror(errno));
		sum += (uint64_t)st.st_size;
		*files += 1;
		if (*sub == 'b')
			count_records(path);
	}
	closedir(d);
	return sum;
}

static void
say_bytes(const char *dir)
{
	static const char *const type[] = { NULL, NULL, NULL, "header",
	    "times", "parts", "strips", "pages", "top", "unknown" };
	unsigned files = 0, i;

	memset(record_bytes, 0, sizeof record_bytes);
	say("bytes_blocks", bytes_of(dir, "blocks", false, &files));
	say("files_blocks", files);
	for (i = 3; i < 10; i++) {
		printf("record_%s %llu\n", type[i],
		    (unsigned long long)record_bytes[i]);
	}
	say("bytes_head", bytes_of(dir, "head", false, &files));
	say("bytes_journal", bytes_of(dir, "journal", false, &files));
	say("bytes_snapshots", bytes_of(dir, "journal", true, &files));
}

/* ---- size and wear ---- */

static bool
same(const struct store_row *row, const struct store_result *want)
{
	const struct store_result *r = &row->r;
	unsigned i;

	if (r->check != want->check || r->at_ms != want->at_ms ||
	    r->code != want->code || r->given != want->given ||
	    r->late != want->late || r->has_value != want->has_value ||
	    r->value != want->value || r->metrics != want->metrics ||
	    !str_eq(r->text, want->text) || row->count != 1)
		return false;
	for (i = 0; i < r->metrics; i++)
		if (!str_eq(r->metric[i].name, want->metric[i].name) ||
		    r->metric[i].value != want->metric[i].value)
			return false;
	return true;
}

/* Rows of one check from `from` up to `to`, compared with what was written;
 * ns of CPU, without the comparing if not to be. */
static int64_t
rows(unsigned agent, unsigned c, uint64_t from, uint64_t to, bool compare)
{
	static struct store_row row;
	static struct store_result want;
	struct store_query ask = { .check = site.check[agent][c],
	    .source = site.source[agent], .from_ms = time_of(agent, from),
	    .to_ms = time_of(agent, to - 1) };
	int64_t ns = cpu_ns();
	struct fail why;
	uint64_t n = from;
	int rc;

	if (store_rows(site.s, &ask, &why) != 0)
		die("rows", why.msg);
	while ((rc = store_row_next(site.s, &row, &why)) == 1) {
		if (compare) {
			make_result(agent, c, n, &want);
			if (n >= to || !same(&row, &want))
				die("rows", "other than were written");
		}
		n++;
	}
	if (rc < 0)
		die("rows", why.msg);
	if (n != to)
		die("rows", "not as many as were written");
	return cpu_ns() - ns;
}

/* The worst, the least and the greatest of a bucket must be those of all that
 * was written in it, or, drawn from summaries, of more. */
static int64_t
series(unsigned agent, unsigned c, unsigned metric, uint64_t from,
    uint64_t to, unsigned points, bool compare)
{
	static struct store_bucket b[POINTS_MAX];
	struct store_query ask = { .check = site.check[agent][c],
	    .source = site.source[agent], .from_ms = START_MS +
	    (int64_t)from * STEP_MS, .to_ms = START_MS + (int64_t)to *
	    STEP_MS - 1 };
	int64_t ns = cpu_ns(), v, i;
	struct fail why;
	uint64_t k;

	if (store_series(site.s, &ask, str_of(metric == 0 ? "" :
	    kinds[c].name[metric - 1]), points, b, &why) != 0)
		die("series", why.msg);
	ns = cpu_ns() - ns;
	for (k = from; compare && k < to; k++) {
		v = number(agent, c, metric, k);
		i = (time_of(agent, k) - ask.from_ms) * points /
		    (ask.to_ms + 1 - ask.from_ms);
		if (b[i].sum.n == 0 || v < b[i].sum.min || v > b[i].sum.max)
			die("series", "a bucket hides a value");
		if (to - from == points && (b[i].sum.n != 1 ||
		    store_sum_mean(&b[i].sum) != v))
			die("series", "other than was written");
	}
	return ns;
}

/* The next day: all is sealed, and the day's blocks are one.  What a job
 * replaced goes with a commit, and only then there is another. */
static void
day_over(void)
{
	unsigned i;

	site.now_ms = START_MS + (int64_t)data.rows * STEP_MS + DAY_MS;
	for (i = 0; i < 5; i++) {
		put_report(0, NULL, 0);
		commit();
		while (one_job() != STORE_IDLE)
			;
	}
}

static void
size(const char *dir)
{
	int64_t rows_ns = 0, series_ns = 0;
	unsigned a, c, i;
	uint64_t row;

	for (row = 0; row < data.rows; row++)
		put_round(row, false);
	day_over();
	say("samples", site.samples);
	say("results", site.results);
	say("put_ns", (uint64_t)site.put_ns);
	say("job_ns", (uint64_t)site.job_ns);
	say("snapshot_ns", (uint64_t)site.snapshot_ns);
	for (a = 0; a < site.agents; a++)
		for (c = 0; c < CHECKS; c++) {
			(void)rows(a, c, 0, data.rows, true);
			rows_ns += rows(a, c, 0, data.rows, false);
			for (i = 0; i <= kinds[c].metrics; i++)
				series_ns += series(a, c, i, 0, data.rows,
				    data.rows < POINTS_MAX ? data.rows :
				    POINTS_MAX, true);
		}
	say("rows_ns", (uint64_t)rows_ns);
	say("series_ns", (uint64_t)series_ns);
	store_close(site.s);
	say_bytes(dir);
}

static void
wear(const char *dir, const char *sync_ms)
{
	unsigned i;
	uint64_t row;

	store_sync(site.s, (int64_t)strtoull(sync_ms, NULL, 10));
	memset(disk, 0, sizeof disk);
	for (row = 0; row < data.rows; row++)
		put_round(row, true);
	day_over();
	store_close(site.s);
	say("ms", (uint64_t)data.rows * STEP_MS);
	say("samples", site.samples);
	for (i = JOURNAL; i < KINDS; i++) {
		printf("written_%s %llu\nrounded_%s %llu\npages_%s %llu\n"
		    "writes_%s %llu\nsyncs_%s %llu\ndirsyncs_%s %llu\n",
		    kind_name[i], (unsigned long long)disk[i].bytes,
		    kind_name[i], (unsigned long long)disk[i].rounded,
		    kind_name[i], (unsigned long long)disk[i].pages * PAGE,
		    kind_name[i], (unsigned long long)disk[i].writes,
		    kind_name[i], (unsigned long long)disk[i].syncs,
		    kind_name[i], (unsigned long long)disk[i].dir_syncs);
	}
	say_bytes(dir);
}

/* ---- fill and ask ---- */

/* Half of the last day is there. */
static uint64_t
last_row(const char *days)
{
	return (uint64_t)data.rows * strtoull(days, NULL, 10) - data.rows / 2;
}

static void
fill(const char *dir, const char *days)
{
	uint64_t row, end = last_row(days);

	for (row = 0; row < end; row++)
		put_round(row, false);
	say("samples", site.samples);
	say("put_ns", (uint64_t)site.put_ns);
	say("job_ns", (uint64_t)site.job_ns);
	store_close(site.s);
	say_bytes(dir);
}

static int
by_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
say_median(const char *name, int64_t *ns)
{
	qsort(ns, TIMES, sizeof *ns, by_ns);
	say(name, (uint64_t)ns[TIMES / 2]);
}

static void
ask_rows(const char *name, unsigned c, uint64_t from, uint64_t to)
{
	int64_t ns[TIMES];
	unsigned i;

	for (i = 0; i < TIMES; i++)
		ns[i] = rows(0, c, from, to, i == 0);
	say_median(name, ns);
}

static void
ask_series(const char *name, unsigned c, uint64_t from, uint64_t to,
    unsigned points)
{
	int64_t ns[TIMES];
	unsigned i;

	for (i = 0; i < TIMES; i++)
		ns[i] = series(0, c, 0, from, to, points, i == 0);
	say_median(name, ns);
}

static void
ask(const char *dir, const char *days)
{
	uint64_t day = data.rows, end = last_row(days), reports = 0;
	int64_t ns[TIMES], wall[TIMES];
	unsigned i, points;

	for (i = 0; i < TIMES; i++) {
		ns[i] = cpu_ns();
		wall[i] = clock_ns(CLOCK_MONOTONIC);
		reports = 0;
		start(dir, &reports);
		wall[i] = clock_ns(CLOCK_MONOTONIC) - wall[i];
		ns[i] = cpu_ns() - ns[i];
		if (i + 1 < TIMES)
			store_close(site.s);
	}
	say_median("open_ns", ns);
	say_median("open_wall", wall);
	say("open_reports", reports);
	ask_rows("rows_past_one", MEMORY, end - 3 * day / 2, end - day / 2);
	ask_rows("rows_past_five", CPU, end - 3 * day / 2, end - day / 2);
	ask_rows("rows_last_one", MEMORY, end - day, end);
	ask_rows("rows_last_five", CPU, end - day, end);
	ask_series("series_past_one", MEMORY, end - 3 * day / 2,
	    end - day / 2, (unsigned)day);
	ask_series("series_past_five", CPU, end - 3 * day / 2, end - day / 2,
	    (unsigned)day);
	ask_series("series_last_one", MEMORY, end - day, end, (unsigned)day);
	ask_series("series_last_five", CPU, end - day, end, (unsigned)day);
	ask_series("series_300_past", MEMORY, end - 3 * day / 2,
	    end - day / 2, 300);
	ask_series("series_300_last", MEMORY, end - day, end, 300);
	points = (unsigned)(end / day) * 10;
	ask_series("month_one", MEMORY, end % day, end, points);
	ask_series("month_five", CPU, end % day, end, points);
	store_close(site.s);
}

/* ---- memory ---- */

static uint64_t
of_proc(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	char line[256];
	uint64_t kib = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoull(line + strlen(name), NULL, 10);
	if (f != NULL)
		fclose(f);
	return kib * 1024;
}

#define SMAPS	"/proc/self/smaps_rollup"

static void
job_in_child(const struct store_job *job)
{
	pid_t pid;
	int status, fd;
	struct fail why;
	uint64_t was;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fd = open("/proc/self/clear_refs", O_WRONLY);
		if (fd >= 0 && write(fd, "5", 1) == 1)
			close(fd);
		was = of_proc("/proc/self/status", "VmHWM:");
		if (store_job_child(site.s, &why) != 0 || (job->what ==
		    STORE_SNAPSHOT ? snapshot(job, &why) :
		    store_job_run(site.s, job, &why)) != 0)
			die("job", why.msg);
		say(job->what == STORE_SEAL ? "seal_peak" : "job_peak",
		    of_proc("/proc/self/status", "VmHWM:") - was);
		say(job->what == STORE_SEAL ? "seal_dirty" : "job_dirty",
		    of_proc(SMAPS, "Private_Dirty:"));
		say(job->what == STORE_SEAL ? "seal_ns" : "job_ns",
		    (uint64_t)cpu_ns());
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("job", "its child failed");
	if (job->what == STORE_SNAPSHOT)
		site.head = job->last;
	store_job_end(site.s, job, true, site.now_ms);
}

/* Rounds of so many reports that numbers come to series. */
static void
many_rounds(unsigned n, unsigned reports)
{
	static struct store_result r[CHECKS];
	unsigned i, a, c, k;

	for (i = 0; i < n; i++) {
		site.now_ms = START_MS + i * STEP_MS + 9999;
		for (a = 0; a < reports; a++) {
			site.source[0] = a + 1;
			for (c = 0; c < CHECKS; c++) {
				make_result(0, c, i + a % 1000, &r[c]);
				r[c].at_ms = site.now_ms - 9999 + a;
				r[c].check = 1 + a * CHECKS + c;
				for (k = 0; k < r[c].metrics; k++)
					r[c].metric[k].value += a;
			}
			put_report(0, r, CHECKS);
			if (a % 256 == 255)
				commit();
		}
		commit();
	}
}

static void
memory(const char *dir, const char *count)
{
	unsigned reports = (unsigned)strtoul(count, NULL, 10) / NUMBERS;
	struct store_job job;
	uint64_t dirty = of_proc(SMAPS, "Private_Dirty:");
	uint64_t rss = of_proc(SMAPS, "Rss:");

	start(dir, NULL);
	say("open_dirty", of_proc(SMAPS, "Private_Dirty:") - dirty);
	many_rounds(3, reports);
	say("rounds_dirty", of_proc(SMAPS, "Private_Dirty:") - dirty);
	do {
		store_want_snapshot(site.s);
		site.now_ms += 3700000;
		if (!store_job_next(site.s, site.now_ms, site.now_ms, &job))
			die("memory", "nothing to seal");
		job_in_child(&job);
	} while (job.what != STORE_SEAL);
	put_report(0, NULL, 0);
	commit();
	say("series", reports * NUMBERS);
	say("sealed_dirty", of_proc(SMAPS, "Private_Dirty:") - dirty);
	say("sealed_rss", of_proc(SMAPS, "Rss:") - rss);
	store_close(site.s);
	say_bytes(dir);
}

/* ---- all ---- */

static const struct command {
	const char *name;
	int words;			/* at least, without the name */
	unsigned agents;
} commands[] = {
	{ "size",   2, 10 },
	{ "wear",   3, 10 },
	{ "fill",   3, 2 },
	{ "ask",    3, 2 },
	{ "memory", 2, 1 },
};

int
main(int argc, char **argv)
{
	const struct command *c = commands, *end = c + COUNT(commands);

	while (argc > 1 && c < end && strcmp(argv[1], c->name) != 0)
		c++;
	if (argc < 2 || c == end || argc < c->words + 2)
		die("usage", "see its beginning");
	io = store_posix;
	io.openat = b_openat;
	io.pwrite = b_pwrite;
	io.fdatasync = io.fsync = b_sync;
	site.agents = c->agents;
	site.now_ms = START_MS;
	read_ids(argc > 5 ? argv[5] : NULL);
	load(argv[c == end - 1 ? 4 : 3]);
	if (c < commands + 3) {
		start(argv[2], NULL);
		make_bodies(site.agents * (CHECKS + 1));
	}
	switch (c - commands) {
	case 0:
		size(argv[2]);
		break;
	case 1:
		wear(argv[2], argv[4]);
		break;
	case 2:
		fill(argv[2], argv[4]);
		break;
	case 3:
		ask(argv[2], argv[4]);
		break;
	default:
		memory(argv[2], argv[3]);
	}
	return 0;
}
