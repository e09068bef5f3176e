/* Fixtures in a directory of our own, and then this machine. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../loop.h"
#include "../probe.h"
#include "../proc.h"
#include "test.h"

static int64_t mono_ms = 1000;
static char root[] = "/tmp/vilicus-probe-XXXXXX";

/* The clock stands where the test puts it. */
int64_t
loop_mono_ms(void)
{
	return mono_ms;
}

static int watched;		/* descriptors that the loop has */
static uint64_t watched_tag;	/* of the last one */

int
loop_set(int fd, unsigned want, uint64_t tag, struct fail *why)
{
	(void)fd, (void)want, (void)why;
	watched++;
	watched_tag = tag;
	return 0;
}

void
loop_del(int fd)
{
	(void)fd;
	watched--;
}

/* ok: with these five. */
static const struct {
	const char *in;
	int ok;
	uint64_t user, system, idle, iowait, steal;
} cpus[] = {
	{ "cpu  1 2 3 4 5 6 7 8 9 10\n", 1, 3, 16, 4, 5, 8 },
	{ "cpu  1 2 3 4 5 6 7 8\n", 1, 3, 16, 4, 5, 8 },
	{ "cpu 1 2 3 4\n", 1, 3, 3, 4, 0, 0 },
	{ "cpu 1 2 3 4 \n", 1, 3, 3, 4, 0, 0 },
	{ "x\ncpu0 1 1 1 1\ncpu 1 2 3 4\ncpu 9 9 9 9\n", 1, 3, 3, 4, 0, 0 },
	{ "cpu 18446744073709551615 0 3 4\n", 1, UINT64_MAX, 3, 4, 0, 0 },
	{ "cpu 18446744073709551616 0 3 4\n", 0, 0, 0, 0, 0, 0 },
	{ "cpu 1 2 3 4 5x\n", 0, 0, 0, 0, 0, 0 },
	{ "cpu 1 2 3 4 -5 6\n", 0, 0, 0, 0, 0, 0 },
	{ "cpu 1 2 3\n", 0, 0, 0, 0, 0, 0 },
	{ "cpu 1 2 3 4", 0, 0, 0, 0, 0, 0 },
	{ "cpu\n", 0, 0, 0, 0, 0, 0 },
	{ "cpu0 1 2 3 4\n", 0, 0, 0, 0, 0, 0 },
	{ "\xff\xff\n", 0, 0, 0, 0, 0, 0 },
	{ "", 0, 0, 0, 0, 0, 0 },
};

static void
test_cpu_parse(void)
{
	static const char whole[] = "cpu  123 45 6 789 1 2 3 4 5 6\n";
	struct proc_cpu c;
	char *copy;
	size_t i;

	for (i = 0; i < COUNT(cpus); i++) {
		memset(&c, 0, sizeof c);
		CHECK_ROW(i, proc_cpu_parse(str_of(cpus[i].in), &c) ==
		    (cpus[i].ok ? 0 : -1));
		CHECK_ROW(i, c.user == cpus[i].user &&
		    c.system == cpus[i].system && c.idle == cpus[i].idle &&
		    c.iowait == cpus[i].iowait && c.steal == cpus[i].steal);
	}
	/* In a block of just its size, for the sanitizer. */
	for (i = 0; i < sizeof whole; i++) {
		copy = malloc(i + 1);
		if (copy == NULL)
			return;
		memcpy(copy, whole, i);
		CHECK_ROW(i, proc_cpu_parse((struct str){ copy, i }, &c) ==
		    (i == sizeof whole - 1 ? 0 : -1));
		free(copy);
	}
}

#define REST " 1 1 1 0 -1 4194304 9 9 9 9 17 25 0 0 20 0 1 0 168386 3133440 " \
	"379 18446744073709551615 1 1\n"

static const struct {
	const char *in;
	int ok;
	const char *comm;
	char state;
	bool kernel;
	uint64_t ticks, start, rss;
} stats[] = {
	{ "12 (nginx) S" REST, 1, "nginx", 'S', false, 42, 168386, 379 },
	{ "12 (a b) (c) R) Z" REST, 1, "a b) (c) R", 'Z', false, 42, 168386,
	    379 },
	{ "12 ()) R" REST, 1, ")", 'R', false, 42, 168386, 379 },
	{ "12 (() R" REST, 1, "(", 'R', false, 42, 168386, 379 },
	{ "12 () R" REST, 1, "", 'R', false, 42, 168386, 379 },
	{ "12 (a\nb) R" REST, 1, "a\nb", 'R', false, 42, 168386, 379 },
	{ "2 (k) S 0 0 0 0 -1 2129984 0 0 0 0 1 2 0 0 20 0 1 0 3 0 0 1 \n", 1,
	    "k", 'S', true, 3, 3, 0 },
	{ "1 (x) S 1 1 1 0 -1 0 0 0 0 0 18446744073709551615 1 0 0 0 0 0 0 0 "
	    "0 18446744073709551615 1\n", 1, "x", 'S', false, 0, 0,
	    UINT64_MAX },
	{ "1 (x) S 1 1 1 0 -1 0 0 0 0 0 18446744073709551616 1 0 0 0 0 0 0 0 "
	    "0 1 1\n", 0, "", 0, false, 0, 0, 0 },
	{ "1 (x) S 1 1 1 0 -1 0 0 0 0 0 -1 1 0 0 0 0 0 0 0 0 1 1\n", 0, "",
	    0, false, 0, 0, 0 },
	{ "(x) S" REST, 0, "", 0, false, 0, 0, 0 },
	{ "1 x S" REST, 0, "", 0, false, 0, 0, 0 },
	{ "1 )x( S" REST, 0, "", 0, false, 0, 0, 0 },
	{ "", 0, "", 0, false, 0, 0, 0 },
	{ "1 (", 0, "", 0, false, 0, 0, 0 },
	{ "1 (x)", 0, "", 0, false, 0, 0, 0 },
};

static void
test_stat_parse(void)
{
	static const char whole[] = "12 (a) b) S" REST;
	size_t enough = (size_t)(strstr(whole, "379") + 4 - whole), i;
	struct proc_stat p;
	char *copy;

	for (i = 0; i < COUNT(stats); i++) {
		int rc = proc_stat_parse(str_of(stats[i].in), &p);

		CHECK_ROW(i, rc == (stats[i].ok ? 0 : -1));
		CHECK_ROW(i, rc == -1 || (str_is(p.comm, stats[i].comm) &&
		    p.state == stats[i].state && p.kernel == stats[i].kernel));
		CHECK_ROW(i, rc == -1 || (p.ticks == stats[i].ticks &&
		    p.start == stats[i].start && p.rss_pages == stats[i].rss));
	}
	for (i = 0; i < sizeof whole; i++) {
		copy = malloc(i + 1);
		if (copy == NULL)
			return;
		memcpy(copy, whole, i);
		CHECK_ROW(i, proc_stat_parse((struct str){ copy, i }, &p) ==
		    (i >= enough ? 0 : -1));
		free(copy);
	}
}

static const struct {
	const char *comm, *arg0, *exe, *want;
	bool named;
} named[] = {
	{ "nginx", "", "", "nginx", true },
	{ "nginx", "", "", "ngin", false },
	{ "nginx", "", "", "nginxx", false },
	{ "nginx", "", "", "", false },
	{ "", "", "", "", false },
	{ "MainThread", "node", "", "node", true },
	{ "x", "y", "node", "node", true },
	/* 15 bytes are all that the kernel keeps. */
	{ "vilicus-server-", "", "", "vilicus-server-long",
	    true },
	{ "vilicus-server-", "", "", "vilicus-server-", true },
	{ "vilicus-server", "", "", "vilicus-server-long",
	    false },
	{ "vilicus-server-", "vilicus-server-long", "",
	    "vilicus-server-long", true },
	{ "vilicus-server-", "vilicus-server-other", "",
	    "vilicus-server-long", false },
	{ "vilicus-server-", "python3", "python3",
	    "vilicus-server-long", true },
	{ "vilicus-server-", "", "vilicus-server-other",
	    "vilicus-server-long", false },
	{ "vilicus-server-", "vilicus-server-x",
	    "vilicus-server-long", "vilicus-server-long", true },
};

static void
test_names(void)
{
	uint32_t uid = 7;
	size_t i;

	for (i = 0; i < COUNT(named); i++)
		CHECK_ROW(i, proc_named(str_of(named[i].comm),
		    str_of(named[i].arg0), str_of(named[i].exe),
		    str_of(named[i].want)) == named[i].named);
	CHECK(str_is(proc_arg0(STR("/usr/sbin/nginx\0-g\0/x\0")), "nginx"));
	CHECK(str_is(proc_arg0(STR("nginx: worker")), "nginx: worker"));
	CHECK(str_is(proc_arg0(STR("")), "") && proc_arg0(STR("/")).n == 0);
	CHECK(str_is(proc_arg0(STR("\0a")), ""));
	CHECK(str_is(proc_exe(STR("/bin/a (deleted)")), "a"));
	CHECK(str_is(proc_exe(STR("/bin/a")), "a"));
	CHECK(str_is(proc_exe(STR(" (deleted)")), " (deleted)"));
	CHECK(proc_passwd(STR("bob:x:42:1:::"), STR("bob"), &uid) == 0 &&
	    uid == 42);
	CHECK(proc_passwd(STR("bob:x:4294967295:1"), STR("bob"), &uid) == 0 &&
	    uid == UINT32_MAX);
	CHECK(proc_passwd(STR("bob:x:4294967296:1"), STR("bob"), &uid) == -1);
	CHECK(proc_passwd(STR("bob:x:42"), STR("bob"), &uid) == -1);
	CHECK(proc_passwd(STR("bob:x"), STR("bob"), &uid) == -1);
	CHECK(proc_passwd(STR("bob"), STR("bob"), &uid) == -1);
	CHECK(proc_passwd(STR(""), STR("bob"), &uid) == -1);
	CHECK(proc_passwd(STR("bobby:x:42:1"), STR("bob"), &uid) == -1);
}

/* Entries as the kernel lays them out, cut at each byte. */
static void
test_dirents(void)
{
	char raw[56] = { 0 };
	uint16_t len = 24;
	struct str rest, name;
	char *copy;
	size_t i;
	int n;

	memcpy(raw + 16, &len, 2);
	memcpy(raw + 19, "1234", 5);
	len = 32;
	memcpy(raw + 24 + 16, &len, 2);
	memcpy(raw + 24 + 19, "self", 5);
	for (i = 0; i <= sizeof raw; i++) {
		copy = malloc(i + 1);
		if (copy == NULL)
			return;
		memcpy(copy, raw, i);
		rest = (struct str){ copy, i };
		for (n = 0; proc_dirent(&rest, &name) == 0; n++)
			CHECK_ROW(i, str_is(name, n == 0 ? "1234" : "self"));
		CHECK_ROW(i, n == (i < 24 ? 0 : i < 56 ? 1 : 2));
		free(copy);
	}
	for (len = 0; len < 20; len++) {	/* must not stand still */
		memcpy(raw + 16, &len, 2);
		rest = (struct str){ raw, sizeof raw };
		CHECK_ROW(len, proc_dirent(&rest, &name) == -1);
	}
	memset(raw + 19, 'x', 37);		/* a name without end */
	len = 56;
	memcpy(raw + 16, &len, 2);
	rest = (struct str){ raw, sizeof raw };
	CHECK(proc_dirent(&rest, &name) == -1);
}

/* -- a /proc of our own -- */

static void
put(const char *name, struct str text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd != -1 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
}

/* A process: its stat from these, no stat at all if state is 0. */
static void
put_process(int pid, const char *comm, char state, unsigned ticks)
{
	char name[64], text[256];
	struct buf b;

	snprintf(name, sizeof name, "%s/%d", root, pid);
	mkdir(name, 0700);
	if (state == 0)
		return;
	buf_init(&b, text, sizeof text);
	buf_addf(&b, "%d (%s) %c 1 1 1 0 -1 0 0 0 0 0 %u 0 0 0 20 0 1 0 "
	    "%d 0 2 0\n", pid, comm, state, ticks, pid);
	snprintf(name, sizeof name, "%d/stat", pid);
	put(name, str_from(&b));
}

static void
clean(void)
{
	static const int pid[] = { 1, 20, 21, 22, 23, 24, 25 };
	static const char *const file[] = { "stat", "cmdline", "exe" };
	char path[128];
	size_t i, k;

	for (i = 0; i < COUNT(pid); i++) {
		for (k = 0; k < COUNT(file); k++) {
			snprintf(path, sizeof path, "%s/%d/%s", root, pid[i],
			    file[k]);
			unlink(path);
		}
		snprintf(path, sizeof path, "%s/%d", root, pid[i]);
		rmdir(path);
	}
	snprintf(path, sizeof path, "%s/stat", root);
	unlink(path);
	CHECK(rmdir(root) == 0);
}

static int
run(const char *type, const char *params, struct probe_state *st,
    struct probe_result *r)
{
	static struct probe_job job;

	job.type = check_type(str_of(type));
	job.params = str_of(params);
	job.state = st;
	probe_all(&job, 1);
	*r = job.r;
	return job.rc;
}

/* The value of a metric, or -1. */
static int64_t
metric(const struct probe_result *r, const char *name)
{
	unsigned i;

	for (i = 0; i < r->metrics; i++)
		if (strcmp(r->metric[i].name, name) == 0)
			return r->metric[i].value;
	return -1;
}

/* After the first look: busy -1 is "no result yet". */
static const struct {
	const char *stat;
	int64_t busy, user, system, iowait, steal;
} shares[] = {
	{ "cpu 100 0 100 800 0 0 0 0\n", -1, 0, 0, 0, 0 },
	{ "cpu 100 0 100 800 0 0 0 0\n", -1, 0, 0, 0, 0 },
	{ "cpu 110 10 110 860 5 0 0 5\n", 35000, 20000, 10000, 5000, 5000 },
	{ "cpu 110 10 110 861 5 0 0 5\n", 0, 0, 0, 0, 0 },
	{ "cpu 111 10 110 861 5 0 0 5\n", 100000, 100000, 0, 0, 0 },
	{ "cpu 112 10 110 863 5 0 0 5\n", 33333, 33333, 0, 0, 0 },
	/* idle and iowait may go back a little; the rest may not. */
	{ "cpu 113 10 110 862 6 0 0 5\n", 50000, 50000, 0, 50000, 0 },
	{ "cpu 114 10 110 863 4 0 0 5\n", 50000, 50000, 0, 0, 0 },
	{ "cpu 50 10 110 900 4 0 0 5\n", -1, 0, 0, 0, 0 },
	{ "cpu 51 10 110 901 4 0 0 5\n", 50000, 50000, 0, 0, 0 },
	{ "cpu 52 10 110 902 4 0 0 4\n", -1, 0, 0, 0, 0 },
	{ "cpu 53 10 110 903 4 0 0 4\n", 50000, 50000, 0, 0, 0 },
	{ "cpu 53 18446744073709551000 110 903 4 0 0 4\n", 100000, 100000, 0,
	    0, 0 },
	{ "cpu 5 5 5 5 5 5 5 5\n", -1, 0, 0, 0, 0 },
};

static void
test_cpu(void)
{
	struct probe_state st = { .primed = false };
	struct probe_result r;
	size_t i;
	int rc;

	for (i = 0; i < COUNT(shares); i++) {
		put("stat", str_of(shares[i].stat));
		rc = run("cpu", "{}", &st, &r);
		if (shares[i].busy == -1) {
			CHECK_ROW(i, rc == 1);
			continue;
		}
		CHECK_ROW(i, rc != 1 && r.has_value && r.given == STATUS_NONE);
		CHECK_ROW(i, r.value == shares[i].busy);
		CHECK_ROW(i, metric(&r, "user") == shares[i].user);
		CHECK_ROW(i, metric(&r, "system") == shares[i].system);
		CHECK_ROW(i, metric(&r, "iowait") == shares[i].iowait);
		CHECK_ROW(i, metric(&r, "steal") == shares[i].steal);
	}
	put("stat", STR("nothing\n"));
	CHECK(run("cpu", "{}", &st, &r) == 0 && r.given == STATUS_UNKNOWN &&
	    !r.has_value && r.text[0] != '\0');
}

static const struct {
	const char *params;
	int64_t count;
} counts[] = {
	{ "{\"process_name\":\"init\"}", 1 },
	{ "{\"process_name\":\"a b) (c\"}", 2 },
	{ "{\"process_name\":\"zombie\"}", 0 },
	{ "{\"process_name\":\"prog\"}", 2 },
	{ "{\"process_name\":\"vilicus-server-long\"}", 1 },
	{ "{\"process_name\":\"vilicus-server-\"}", 1 },
	{ "{\"process_name\":\"none\"}", 0 },
};

static void
put_processes(void)
{
	char path[128];

	put_process(1, "init", 'S', 1);
	put_process(20, "a b) (c", 'S', 100);
	put_process(21, "a b) (c", 'R', 200);
	put_process(22, "zombie", 'Z', 0);
	put_process(23, "vilicus-server-", 'S', 0);
	put_process(24, "MainThread", 'S', 0);
	put("24/cmdline", STR("/opt/prog\0x\0"));
	put_process(25, "other", 'S', 0);
	snprintf(path, sizeof path, "%s/25/exe", root);
	CHECK(symlink("/opt/prog (deleted)", path) == 0);
}

static void
test_process(void)
{
	static struct probe_job job[COUNT(counts)];
	static struct probe_state st[COUNT(counts)], other[3];
	char user[96];
	struct probe_result r;
	size_t i;

	put_processes();
	for (i = 0; i < COUNT(counts); i++)
		job[i] = (struct probe_job){ .type =
		    check_type(STR("process")), .state = &st[i],
		    .params = str_of(counts[i].params) };
	probe_all(job, COUNT(counts));
	CHECK(watched == 0);	/* their ids are not those of ours */
	for (i = 0; i < COUNT(counts); i++) {
		CHECK_ROW(i, job[i].rc == 0 && job[i].r.has_value);
		CHECK_ROW(i, job[i].r.value == counts[i].count * 1000);
		CHECK_ROW(i, metric(&job[i].r, "rss_bytes") ==
		    (counts[i].count == 0 ? -1 : counts[i].count * 2000 *
		    sysconf(_SC_PAGESIZE)));
		CHECK_ROW(i, metric(&job[i].r, "cpu_percent") == -1);
	}
	snprintf(user, sizeof user, "{\"process_name\":\"init\","
	    "\"user\":\"%u\"}", (unsigned)geteuid());
	CHECK(run("process", user, &other[0], &r) == 0 && r.value == 1000);
	snprintf(user, sizeof user, "{\"process_name\":\"init\","
	    "\"user\":\"%u\"}", (unsigned)geteuid() + 1);
	CHECK(run("process", user, &other[1], &r) == 0 && r.value == 0);
	CHECK(run("process", "{\"process_name\":\"init\",\"user\":\"no one "
	    "here\"}", &other[2], &r) == 0 && r.given == STATUS_UNKNOWN &&
	    strcmp(r.text, "no user no one here") == 0 && !r.has_value);
}

/* Its CPU time: of the same processes, between two looks. */
static void
test_process_cpu(void)
{
	static const char params[] = "{\"process_name\":\"a b) (c\"}";
	struct probe_state st = { .primed = false };
	struct probe_result r;
	unsigned hz = (unsigned)(uint64_t)sysconf(_SC_CLK_TCK);

	run("process", params, &st, &r);
	CHECK(metric(&r, "cpu_percent") == -1);
	mono_ms += 2000;
	put_process(20, "a b) (c", 'S', 100 + hz / 2);
	run("process", params, &st, &r);
	CHECK(metric(&r, "cpu_percent") == 25000);
	run("process", params, &st, &r);	/* no time has passed */
	CHECK(metric(&r, "cpu_percent") == -1);
	mono_ms += 2000;
	put_process(21, "a b) (c", 'Z', 200);	/* another group now */
	run("process", params, &st, &r);
	CHECK(r.value == 1000 && metric(&r, "cpu_percent") == -1);
	mono_ms += 2000;
	put_process(20, "a b) (c", 'S', 50);	/* its time went back */
	run("process", params, &st, &r);
	CHECK(metric(&r, "cpu_percent") == -1);
}

/* What goes away between the listing and the look was not there; without
 * process 1 the view is not whole. */
static void
test_vanishing(void)
{
	struct probe_state st = { .primed = false };
	struct probe_result r;
	static const char init[] = "{\"process_name\":\"init\"}";
	char path[128];

	snprintf(path, sizeof path, "%s/22/stat", root);
	CHECK(unlink(path) == 0);
	CHECK(run("process", init, &st, &r) == 0 && r.value == 1000);
	put("22/stat", STR(""));
	CHECK(run("process", init, &st, &r) == 0 && r.value == 1000);
	put("22/stat", STR("22 (ini"));
	CHECK(run("process", init, &st, &r) == 0 && r.value == 1000);
	snprintf(path, sizeof path, "%s/1/stat", root);
	unlink(path);
	snprintf(path, sizeof path, "%s/1", root);
	rmdir(path);
	CHECK(run("process", init, &st, &r) == 0);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
}

/* -- this machine -- */

static void
test_here(void)
{
	struct probe_state st = { .primed = false };
	struct probe_result r;
	char params[128];
	struct fail why;
	struct proc_cpu c;
	uint32_t uid = 1;
	char comm[32];
	ssize_t n;
	int fd = open("/proc/self/comm", O_RDONLY);
	/* The kernel counts by some dozen pages: a small static program may
	 * have none. */
	static char pages[4 << 20];

	memset(pages, 1, sizeof pages);
	CHECK(proc_open("/proc", &why) == 0);
	n = read(fd, comm, sizeof comm);
	close(fd);
	CHECK(n > 1);
	snprintf(params, sizeof params, "{\"process_name\":\"%.*s\","
	    "\"user\":\"%u\"}", (int)n - 1, comm, (unsigned)geteuid());
	CHECK(run("process", params, &st, &r) == 0 && r.value >= 1000 &&
	    metric(&r, "rss_bytes") > 0);
	st = (struct probe_state){ .primed = false };
	CHECK(proc_cpu(&c, &why) == 0 && c.user + c.system + c.idle > 0);
	CHECK(run("cpu", "{}", &st, &r) == 1);
	CHECK(proc_uid(STR("root"), &uid, &why) == 0 && uid == 0);
	CHECK(proc_uid(STR("4294967295"), &uid, &why) == 0);
	CHECK(proc_uid(STR("4294967296"), &uid, &why) == -1);
}

/* Every type that an agent is given can be run. */
static void
test_all_types(void)
{
	struct probe_state st;
	struct probe_result r;
	unsigned i;
	int rc;

	for (i = 0; i < check_types_n; i++) {
		if (check_is_beat(&check_types[i]) ||
		    probe_blocks(&check_types[i], STR("{}")))
			continue;	/* the server's own; a child's */
		memset(&st, 0, sizeof st);
		rc = run(check_types[i].name, "{}", &st, &r);
		CHECK_ROW(i, rc == 1 || r.has_value ||
		    r.given == STATUS_UNKNOWN || r.given == STATUS_CRITICAL);
	}
	CHECK(run("such", "no such check", &st, &r) == 0 && !r.has_value &&
	    r.given == STATUS_UNKNOWN && strcmp(r.text, "no such check") == 0);
	probe_all(NULL, 0);
}

int
main(void)
{
	struct fail why;

	test_cpu_parse();
	test_stat_parse();
	test_names();
	test_dirents();
	if (!CHECK(mkdtemp(root) != NULL))
		return test_end();
	CHECK(proc_open("/nowhere", &why) == -1);
	CHECK(proc_open(root, &why) == -1);	/* no stat in it */
	put("stat", STR("cpu 1 1 1 1\n"));
	CHECK(proc_open(root, &why) == 0);
	test_cpu();
	test_process();
	test_process_cpu();
	test_vanishing();
	clean();
	test_here();
	test_all_types();
	return test_end();
}
