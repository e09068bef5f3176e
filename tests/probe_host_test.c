/* Memory, load, uptime, interfaces, file systems, sensors and numbers: what
 * stands in files, then a /proc and a /sys of our own, then this machine. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../loop.h"
#include "../probe.h"
#include "../proc.h"
#include "test.h"

#define KIB(n)	((uint64_t)(n) << 10)
#define NONE	UINT64_MAX

static int64_t mono_ms = 1000;
static char top[] = "/tmp/vilicus-host-XXXXXX";
static char root[64];

/* The clock stands where the test puts it. */
int64_t
loop_mono_ms(void)
{
	return mono_ms;
}

int
loop_set(int fd, unsigned want, uint64_t tag, struct fail *why)
{
	(void)fd, (void)want, (void)tag, (void)why;
	return 0;
}

void
loop_del(int fd)
{
	(void)fd;
}

static const struct {
	const char *in;
	int rc;
	uint64_t total, available, swap, swap_free;
	bool estimated;
} memories[] = {
	{ "MemTotal:       1000 kB\nMemFree: 100 kB\nMemAvailable:  400 kB\n"
	    "SwapTotal: 50 kB\nSwapFree: 20 kB\n", 0, KIB(1000), KIB(400),
	    KIB(50), KIB(20), false },
	{ "MemTotal: 1000 kB\nMemAvailable: 1001 kB\n", 0, KIB(1000),
	    KIB(1000), NONE, NONE, false },
	/* Before 3.14. */
	{ "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 80 kB\n"
	    "SwapCached: 7 kB\nSReclaimable: 5 kB\nShmem: 30 kB\n", 0,
	    KIB(1000), KIB(175), NONE, NONE, true },
	{ "MemTotal: 1000 kB\nMemFree: 10 kB\nShmem: 30 kB\n", 0, KIB(1000), 0,
	    NONE, NONE, true },
	{ "MemTotal: 1000 kB\nCached: 10 kB\n", -1, 0, 0, 0, 0, false },
	{ "MemTotal: 0 kB\nMemAvailable: 0 kB\n", -1, 0, 0, 0, 0, false },
	{ "MemTotal: x kB\nMemAvailable: 1 kB\n", -1, 0, 0, 0, 0, false },
	{ "MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n", -1, 0, 0,
	    0, 0, false },
	{ "MemTotal: 18014398509481983 kB\nMemAvailable: 1 kB\n", 0,
	    KIB(18014398509481983), KIB(1), NONE, NONE, false },
	{ "MemTotal: 10 kB\nMemAvailable: 5 kB", -1, 0, 0, 0, 0, false },
	{ "MemTotal\nMemAvailable:\n\n:\n: 5\n", -1, 0, 0, 0, 0, false },
	{ "", -1, 0, 0, 0, 0, false },
};

static void
test_memory_parse(void)
{
	struct proc_memory m;

	for (size_t i = 0; i < COUNT(memories); i++) {
		memset(&m, 0, sizeof m);
		CHECK_ROW(i, proc_memory_parse(str_of(memories[i].in), &m) ==
		    memories[i].rc);
		CHECK_ROW(i, memories[i].rc == -1 ||
		    (m.total == memories[i].total &&
		    m.available == memories[i].available &&
		    m.swap == memories[i].swap &&
		    m.swap_free == memories[i].swap_free &&
		    m.estimated == memories[i].estimated));
	}
}

static const struct {
	const char *in;
	int64_t v[3];		/* -1: it is none */
} loads[] = {
	{ "0.43 2.88 13.77 5/109 7129\n", { 430, 2880, 13770 } },
	{ "0.00 0.00 1024.00 1/2 3\n", { 0, 0, 1024000 } },
	{ "0.43 2.88 13.77", { -1, 0, 0 } },
	{ "0.43 -2.88 13.77 5/109\n", { -1, 0, 0 } },
	{ "a b c d\n", { -1, 0, 0 } },
	{ "", { -1, 0, 0 } },
};

static const struct {
	const char *in;
	int64_t n;		/* -1: it is none */
} online[] = {
	{ "0\n", 1 }, { "0-1\n", 2 }, { "0-3,8,10-11\n", 7 }, { "5-5\n", 1 },
	{ "0-1", -1 }, { "\n", -1 }, { "3-1\n", -1 }, { "0-\n", -1 },
	{ "0,,1\n", -1 }, { "0-65537\n", -1 }, { "-1\n", -1 }, { "", -1 },
};

static const struct {
	const char *in, *offsets;
	int64_t ms;		/* -1: it is none */
} ups[] = {
	{ "57791.39 59718.75\n", "", 57791390 },
	{ "57791.39 5\n", "monotonic           0         0\n"
	    "boottime            0         0\n", 57791390 },
	{ "1057791.39 5\n", "monotonic 5 0\nboottime      1000000   0\n",
	    57791390 },
	{ "91.39 5\n", "boottime -1000 500000000\n", 1091390 },
	{ "5.00 5\n", "boottime 1000 0\n", 0 },
	{ "5.00 5\n", "boottime 1000 0", 5000 },	/* cut */
	{ "5.00 5\n", "boottime\n", -1 },
	{ "5.00 5\n", "boottime x 0\n", -1 },
	{ "5.00 5\n", "boottime 9223372036854775807 0\n", -1 },
	{ "5.00\n", "", -1 },
	{ "-5.00 5\n", "", -1 },
	{ "", "", -1 },
};

static void
test_small_parse(void)
{
	int64_t v[3], ms;
	uint64_t n;
	size_t i;

	for (i = 0; i < COUNT(loads); i++)
		CHECK_ROW(i, proc_load_parse(str_of(loads[i].in), v) == -1 ?
		    loads[i].v[0] == -1 :
		    memcmp(v, loads[i].v, sizeof v) == 0);
	for (i = 0; i < COUNT(online); i++)
		CHECK_ROW(i, (proc_online_parse(str_of(online[i].in), &n) == -1
		    ? -1 : (int64_t)n) == online[i].n);
	for (i = 0; i < COUNT(ups); i++)
		CHECK_ROW(i, (proc_uptime_parse(str_of(ups[i].in),
		    str_of(ups[i].offsets), &ms) == -1 ? -1 : ms) ==
		    ups[i].ms);
}

#define HEAD "Inter-|   Receive    |  Transmit\n face |bytes    packets\n"
#define NET(face, rx, rxp, err, tx, txp) face ":" #rx " " #rxp " " #err \
	" 0 0 0 0 0 " #tx " " #txp " 1 0 0 0 0 0\n"

static const struct {
	const char *in, *name;
	int rc;
	uint64_t rx, tx, rxp, txp, errors;
} nets[] = {
	{ HEAD NET("    lo", 5, 6, 7, 8, 9), "lo", 0, 5, 8, 6, 9, 8 },
	{ HEAD NET("  lo0", 1, 1, 1, 1, 1) NET("lo", 5, 6, 7, 8, 9), "lo", 0,
	    5, 8, 6, 9, 8 },
	{ HEAD "  eth0: 5    6 7 0 0 0 0 0 8 9 1 0 0 0 0 0\n", "eth0", 0, 5, 8,
	    6, 9, 8 },
	{ HEAD NET("eth0", 18446744073709551615, 0, 0, 0, 0), "eth0", 0,
	    UINT64_MAX, 0, 0, 0, 1 },
	{ HEAD NET("eth0", 18446744073709551616, 0, 0, 0, 0), "eth0", -1, 0,
	    0, 0, 0, 0 },
	{ HEAD NET("lo", 5, 6, 7, 8, 9), "l", -1, 0, 0, 0, 0, 0 },
	{ HEAD NET("lo", 5, 6, 7, 8, 9), "", -1, 0, 0, 0, 0, 0 },
	{ HEAD NET("lo", -5, 6, 7, 8, 9), "lo", -1, 0, 0, 0, 0, 0 },
	{ HEAD "lo: 1 2 3\n", "lo", -1, 0, 0, 0, 0, 0 },
	{ "lo", "lo", -1, 0, 0, 0, 0, 0 },
	{ "", "lo", -1, 0, 0, 0, 0, 0 },
};

static void
test_net_parse(void)
{
	static const char whole[] = HEAD NET("eth0", 5, 6, 7, 8, 9);
	struct proc_net n;
	char *copy;
	size_t i;

	for (i = 0; i < COUNT(nets); i++) {
		memset(&n, 0, sizeof n);
		CHECK_ROW(i, proc_net_parse(str_of(nets[i].in),
		    str_of(nets[i].name), &n) == nets[i].rc);
		CHECK_ROW(i, n.bytes[0] == nets[i].rx &&
		    n.bytes[1] == nets[i].tx && n.packets[0] == nets[i].rxp &&
		    n.packets[1] == nets[i].txp &&
		    n.errors == nets[i].errors);
	}
	for (i = 0; i < sizeof whole; i++) {
		copy = malloc(i + 1);
		if (copy == NULL)
			return;
		memcpy(copy, whole, i);
		CHECK_ROW(i, proc_net_parse((struct str){ copy, i },
		    STR("eth0"), &n) == (i == sizeof whole - 1 ? 0 : -1));
		free(copy);
	}
}

static const struct {
	const char *in, *point, *type, *device;	/* type NULL: it is none */
	bool broken;
} mounts[] = {
	{ "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard", "/", "ext4",
	    "254:0", false },
	{ "27 1 8:1 / /a rw shared:1 master:2 - xfs /dev/sda1 rw", "/a", "xfs",
	    "8:1", false },
	{ "27 1 8:1 /sub /a\\040b ro - btrfs /dev/sda ro,x=-", "/a b", "btrfs",
	    "8:1", false },
	{ "27 1 8:1 / /a rw - ext4 /dev/sda1 ro", "/a", "ext4", "8:1", true },
	{ "27 1 8:1 / /a rw,noatime x:1 - ext4 /dev/sda1 ro,data=ordered",
	    "/a", "ext4", "8:1", true },
	{ "27 1 8:1 / /a rw - ext4 /dev/sda1 rw,emergency_ro,errors=x", "/a",
	    "ext4", "8:1", true },
	{ "27 1 8:1 / /a rw - ext4 /dev/sda1 rw,shutdown", "/a", "ext4",
	    "8:1", true },
	{ "27 1 8:1 / /a ro - ext4 /dev/sda1 rw", "/a", "ext4", "8:1", false },
	{ "27 1 8:1 / /a rw - ext4 /dev/sda1 rw,rox,ro_x", "/a", "ext4",
	    "8:1", false },
	{ "27 1 0:5 / /a rw - fuse.sshfs  rw", "/a", "fuse.sshfs", "0:5",
	    false },
	{ "27 1 8:1 / /a rw ext4 /dev/sda1 rw", NULL, NULL, NULL, false },
	{ "27 1 8:1 / /a rw - ext4 /dev/sda1", NULL, NULL, NULL, false },
	{ "27 1 8:1 /", NULL, NULL, NULL, false },
	{ "", NULL, NULL, NULL, false },
};

static const struct {
	const char *in, *out;
	size_t cap;
} escapes[] = {
	{ "/a\\040b", "/a b", 5 }, { "/a\\134040", "/a\\040", 7 },
	{ "\\012\\011", "\n\t", 3 }, { "\\377", "\377", 2 },
	{ "\\400", "\\400", 5 }, { "\\04", "\\04", 4 }, { "\\", "\\", 2 },
	{ "\\089", "\\089", 5 }, { "", "", 1 }, { "abc", NULL, 3 },
	{ "\\040\\040", NULL, 2 },
};

static void
test_mount_parse(void)
{
	struct proc_mount m;
	char text[64], *copy;
	size_t i, n;
	int rc;

	for (i = 0; i < COUNT(mounts); i++) {
		rc = proc_mount_parse(str_of(mounts[i].in), &m);
		CHECK_ROW(i, rc == (mounts[i].type == NULL ? -1 : 0));
		CHECK_ROW(i, rc == -1 || (str_is(m.type, mounts[i].type) &&
		    str_is(m.device, mounts[i].device) &&
		    m.broken == mounts[i].broken));
		CHECK_ROW(i, rc == -1 || (proc_unescape(m.point, text,
		    sizeof text) == 0 && strcmp(text, mounts[i].point) == 0));
		n = strlen(mounts[i].in);	/* cut anywhere: no fault */
		for (copy = malloc(n + 1); copy != NULL && n > 0; n--) {
			memcpy(copy, mounts[i].in, n);
			copy = realloc(copy, n);
			(void)proc_mount_parse((struct str){ copy, n }, &m);
		}
		free(copy);
	}
	for (i = 0; i < COUNT(escapes); i++) {
		rc = proc_unescape(str_of(escapes[i].in), text,
		    escapes[i].cap);
		CHECK_ROW(i, rc == (escapes[i].out == NULL ? -1 : 0));
		CHECK_ROW(i, rc == -1 || strcmp(text, escapes[i].out) == 0);
	}
}

/* -- a host of our own -- */

/* A file below top, and the directories above it. */
static const char *
put(const char *name, const char *text)
{
	static char path[256];
	char *p;
	int fd;

	snprintf(path, sizeof path, "%s/%s", top, name);
	for (p = path + sizeof top; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		(void)mkdir(path, 0755);
		*p = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(fd != -1 && write(fd, text, strlen(text)) ==
	    (ssize_t)strlen(text));
	close(fd);
	return path;
}

static void
drop(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", top, name);
	CHECK(unlink(path) == 0);
}

/* Look for everything anew. */
static void
again(void)
{
	struct fail why;

	CHECK(proc_open(root, &why) == 0);
}

static struct probe_result r;

/* Run one check, where it is to run. */
static int
run(const char *type, const char *params, struct probe_state *st)
{
	struct probe_state none = { .primed = false };
	struct probe_job job = { .type = check_type(str_of(type)),
	    .params = str_of(params), .state = st != NULL ? st : &none };
	struct probe_run child = { 0 };
	struct fail why;

	if (!probe_blocks(job.type, job.params))
		probe_all(&job, 1);
	else if (CHECK(probe_begin(&job, &child, mono_ms, &why) == 0))
		while (!probe_end(&job, &child, mono_ms))
			(void)poll(NULL, 0, 1);
	while (!probe_reap(&child))
		(void)poll(NULL, 0, 1);
	r = job.r;
	return job.rc;
}

/* The value of a metric, or -1. */
static int64_t
metric(const char *name)
{
	for (unsigned i = 0; i < r.metrics; i++)
		if (strcmp(r.metric[i].name, name) == 0)
			return r.metric[i].value;
	return -1;
}

static bool
is(enum status given, int64_t value, const char *text)
{
	bool good = r.given == given && strcmp(r.text, text) == 0 &&
	    (value == -1 ? !r.has_value : r.has_value && r.value == value);

	if (!good)
		printf("got %s, %s %lld: %s\n", status_name(r.given),
		    r.has_value ? "value" : "none", (long long)r.value,
		    r.text);
	return good;
}

#define MEMINFO "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n"

static void
test_memory(void)
{
	run("memory", "{}", NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "/proc/meminfo: No such file or "
	    "directory"));
	put("proc/meminfo", MEMINFO);
	run("memory", "{}", NULL);	/* it is not looked for again */
	CHECK(is(STATUS_UNKNOWN, -1, "/proc/meminfo: No such file or "
	    "directory"));
	again();
	CHECK(run("memory", "{}", NULL) == 0 && is(STATUS_NONE, 75000, ""));
	CHECK(metric("total_bytes") == 1024000000 &&
	    metric("available_bytes") == 256000000);
	run("swap", "{}", NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "/proc/meminfo: nothing of swap"));
	put("proc/meminfo", MEMINFO "SwapTotal: 0 kB\nSwapFree: 0 kB\n");
	CHECK(run("swap", "{}", NULL) == 0 && is(STATUS_NONE, 0, "no swap"));
	put("proc/meminfo", MEMINFO "SwapTotal: 8 kB\nSwapFree: 6 kB\n");
	CHECK(run("swap", "{}", NULL) == 0 && is(STATUS_NONE, 25000, ""));
	put("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\n");
	run("memory", "{}", NULL);
	CHECK(is(STATUS_NONE, 90000, "estimated, for this kernel has no "
	    "MemAvailable"));
	put("proc/meminfo", "");
	run("memory", "{}", NULL);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
}

/* The root that is seen is a cgroup with a limit. */
static void
test_container(void)
{
	put("proc/meminfo", MEMINFO);
	put("sys/fs/cgroup/memory.max", "max\n");
	again();
	run("memory", "{}", NULL);
	CHECK(is(STATUS_NONE, 75000, ""));
	put("sys/fs/cgroup/memory.max", "102400\n");
	run("memory", "{}", NULL);		/* the rest is not there */
	CHECK(is(STATUS_NONE, 75000, ""));
	put("sys/fs/cgroup/memory.current", "61440\n");
	put("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 10240\n");
	run("memory", "{}", NULL);
	CHECK(is(STATUS_NONE, 50000, "of the container's limit"));
	CHECK(metric("total_bytes") == 102400000 &&
	    metric("available_bytes") == 51200000);
	put("sys/fs/cgroup/memory.max", "1024000\n");	/* all that there is */
	run("memory", "{}", NULL);
	CHECK(is(STATUS_NONE, 75000, ""));
	drop("sys/fs/cgroup/memory.max");
	again();
	put("sys/fs/cgroup/memory/memory.limit_in_bytes",
	    "9223372036854771712\n");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "204800\n");
	put("sys/fs/cgroup/memory/memory.stat", "inactive_file 5\n"
	    "total_inactive_file 999999\n");
	run("memory", "{}", NULL);
	CHECK(is(STATUS_NONE, 75000, ""));
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "409600\n");
	run("memory", "{}", NULL);
	CHECK(is(STATUS_NONE, 0, "of the container's limit"));
}

static void
test_load(void)
{
	again();
	put("proc/loadavg", "0.50 1.00 15.01 1/2 3\n");
	put("sys/devices/system/cpu/online", "0-3\n");
	CHECK(run("load", "{}", NULL) == 0 && is(STATUS_NONE, 250, ""));
	run("load", "{\"minutes\":1}", NULL);
	CHECK(is(STATUS_NONE, 125, ""));
	run("load", "{\"minutes\":15}", NULL);
	CHECK(is(STATUS_NONE, 3753, ""));
	put("proc/loadavg", "0.50\n");
	run("load", "{}", NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "/proc/loadavg: no load"));
}

static void
test_uptime(void)
{
	struct probe_state st = { .primed = false };

	put("proc/uptime", "700.00 1.0\n");
	CHECK(run("uptime", "{}", &st) == 0 && is(STATUS_NONE, 700000, ""));
	put("proc/uptime", "700.50 1.0\n");
	run("uptime", "{}", &st);
	CHECK(is(STATUS_NONE, 700500, ""));
	put("proc/uptime", "699.00 1.0\n");	/* a guest, put back */
	run("uptime", "{}", &st);
	CHECK(is(STATUS_NONE, 699000, "just booted"));
	run("uptime", "{}", &st);
	CHECK(is(STATUS_NONE, 699000, ""));
	put("proc/uptime", "599.99 1.0\n");
	run("uptime", "{}", NULL);		/* an agent's first look */
	CHECK(is(STATUS_NONE, 599990, "just booted"));
	put("proc/self/timens_offsets", "boottime -100 0\n");
	again();
	run("uptime", "{}", NULL);
	CHECK(is(STATUS_NONE, 699990, ""));
	put("proc/uptime", "x\n");
	run("uptime", "{}", &st);
	CHECK(is(STATUS_UNKNOWN, -1, "/proc/uptime: no time"));
}

/* Looks at eth0, 10 s apart; value -1: no result yet. */
static const struct {
	uint64_t rx, tx, rxp, txp, errors;
	int64_t value, rx_bits, tx_bits, more;
} looks[] = {
	{ 1000, 1000, 10, 10, 5, -1, 0, 0, 0 },
	{ 3500, 2000, 12, 12, 7, 2000000, 2000000, 800000, 2000 },
	{ 3500, 4500, 12, 13, 7, 2000000, 0, 2000000, 0 },
	/* 32 bits are passed; errors went back: none are known. */
	{ 4294967000, 4500, 99, 13, 7, INT64_C(3435970800000),
	    INT64_C(3435970800000), 0, 0 },
	{ 204, 4500, 100, 13, 6, 400000, 400000, 0, 0 },
	/* A new interface of that name: packets begin anew, too. */
	{ 4294967000, 4500, 200, 20, 6, INT64_C(3435973436800),
	    INT64_C(3435973436800), 0, 0 },
	{ 204, 100, 3, 3, 0, -1, 0, 0, 0 },
	{ 204, 100, 3, 3, 0, 0, 0, 0, 0 },
	/* 64 bits do not pass their end; but may be put back. */
	{ 5000000000, 100, 4, 3, 0, INT64_C(3999999836800),
	    INT64_C(3999999836800), 0, 0 },
	{ 1000, 100, 5, 3, 0, -1, 0, 0, 0 },
	/* More than there can be is the most. */
	{ UINT64_MAX, 100, 6, 3, 0, INT64_C(879609302220800),
	    INT64_C(879609302220800), 0, 0 },
};

static void
put_net(unsigned i)
{
	char text[512];

	snprintf(text, sizeof text, HEAD "  eth0: %llu %llu %llu 0 0 0 0 0 "
	    "%llu %llu 0 0 0 0 0 0\n", (unsigned long long)looks[i].rx,
	    (unsigned long long)looks[i].rxp,
	    (unsigned long long)looks[i].errors,
	    (unsigned long long)looks[i].tx,
	    (unsigned long long)looks[i].txp);
	put("proc/self/net/dev", text);
}

#define ETH0	"{\"interface\":\"eth0\"}"

static void
test_network(void)
{
	struct probe_state st = { .primed = false };
	int rc;

	put("sys/class/net/eth0/operstate", "up\n");
	for (unsigned i = 0; i < COUNT(looks); i++) {
		mono_ms += 10000;
		put_net(i);
		rc = run("network", ETH0, &st);
		CHECK_ROW(i, rc == (looks[i].value == -1));
		if (rc == 1)
			continue;
		CHECK_ROW(i, is(STATUS_OK, looks[i].value, ""));
		CHECK_ROW(i, metric("rx") == looks[i].rx_bits &&
		    metric("tx") == looks[i].tx_bits &&
		    metric("errors") == looks[i].more &&
		    metric("up") == 1000);
		CHECK_ROW(i, run("network", ETH0, &st) == 1);	/* too soon */
	}
	mono_ms += 10000;
	put("sys/class/net/eth0/operstate", "lowerlayerdown\n");
	CHECK(run("network", ETH0, &st) == 0);
	CHECK(is(STATUS_CRITICAL, 0, "it is lowerlayerdown") &&
	    metric("up") == 0);
	CHECK(run("network", ETH0, NULL) == 0);	/* at once, too */
	CHECK(is(STATUS_CRITICAL, -1, "it is lowerlayerdown"));
	put("sys/class/net/eth0/operstate", "unknown\n");
	mono_ms += 10000;
	CHECK(run("network", ETH0, &st) == 0 && is(STATUS_OK, 0, ""));
	drop("sys/class/net/eth0/operstate");
	mono_ms += 10000;
	CHECK(run("network", ETH0, &st) == 0 && is(STATUS_OK, 0, "") &&
	    metric("up") == -1);
	CHECK(run("network", "{\"interface\":\"ppp0\"}", &st) == 0);
	CHECK(is(STATUS_CRITICAL, -1, "there is no interface of that name") &&
	    metric("up") == 0 && !st.primed);
	CHECK(run("network", ETH0, &st) == 1);
}

static void
test_temperature(void)
{
	run("temperature", "{}", NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "this host has no sensor of "
	    "temperature"));
	put("sys/class/thermal/cooling_device0/temp", "99000\n");
	put("sys/class/thermal/thermal_zone0/temp", "41000\n");
	put("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
	put("sys/class/thermal/thermal_zone1/temp", "-274000\n");
	run("temperature", "{}", NULL);
	CHECK(is(STATUS_NONE, 41000, "x86_pkg_temp"));
	put("sys/class/hwmon/hwmon3/name", "nvme\n");
	put("sys/class/hwmon/hwmon3/temp1_input", "62850\n");
	put("sys/class/hwmon/hwmon3/temp1_label", "Com\x1bposite\n");
	put("sys/class/hwmon/hwmon3/temp1_max", "85000\n");
	put("sys/class/hwmon/hwmon3/fan1_input", "99999\n");
	put("sys/class/hwmon/hwmon3/temp2_input", "\n");
	put("sys/class/hwmon/hwmon4/temp1_input", "-5500\n");
	run("temperature", "{}", NULL);
	CHECK(is(STATUS_NONE, 62850, "nvme Com?posite"));
	run("temperature", "{\"zone\":\"x86_pkg_temp\"}", NULL);
	CHECK(is(STATUS_NONE, 41000, ""));
	run("temperature", "{\"zone\":\"thermal_zone0\"}", NULL);
	CHECK(is(STATUS_NONE, 41000, ""));
	run("temperature", "{\"zone\":\"nvme\"}", NULL);
	CHECK(is(STATUS_NONE, 62850, ""));
	run("temperature", "{\"zone\":\"hwmon4\"}", NULL);
	CHECK(r.has_value && r.value == -5500);
	run("temperature", "{\"zone\":\"nvm\"}", NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "no sensor nvm that can be read"));
	run("temperature", "{\"zone\":\"thermal_zone1\"}", NULL);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
}

/* -- file systems -- */

/* The percentage that the disk check is to give for a path. */
static int64_t
full(const char *path)
{
	struct statvfs s;
	uint64_t used;

	if (!CHECK(statvfs(path, &s) == 0))
		return -1;
	used = s.f_blocks - s.f_bfree;
	return (int64_t)((used * 100000 + (used + s.f_bavail) / 2) /
	    (used + s.f_bavail));
}

/* /proc/self/mountinfo: %s is top. */
static void
put_mounts(const char *text)
{
	char all[2048];

	snprintf(all, sizeof all, "20 1 0:1 / /proc rw - proc proc rw\n"
	    "21 1 0:2 / /run rw - tmpfs tmpfs rw\n%s", text);
	put("proc/self/mountinfo", all);
	mono_ms += 60000;
}

static const char *
params_of(const char *name)
{
	static char text[256];

	snprintf(text, sizeof text, "{\"path\":\"%s%s\"}", top, name);
	return text;
}

/* Does it run in a child? */
static bool
blocks(const char *params)
{
	return probe_blocks(check_type(STR("disk")), str_of(params));
}

static void
test_disk(void)
{
	char text[1024], want[256];
	int64_t v = full(top);

	/* Nothing there is a disk's: as in a container. */
	put_mounts("22 1 0:3 / / rw - overlay overlay rw\n");
	CHECK(blocks("{}"));
	run("disk", "{}", NULL);
	CHECK(is(STATUS_OK, full("/"), ""));
	/* The fullest is named; a path with a blank. */
	put("a b/x", "");
	snprintf(text, sizeof text, "22 1 8:1 / %s/a\\040b rw - ext4 /dev/x "
	    "rw\n23 1 8:2 / %s/gone rw - ext4 /dev/y rw\n", top, top);
	put_mounts(text);
	CHECK(!blocks("{}") && run("disk", "{}", NULL) == 0);
	snprintf(want, sizeof want, "%s/a b", top);
	CHECK(is(STATUS_OK, v, want) && metric("free_bytes") > 0);
	CHECK(!blocks(params_of("/a b")));
	CHECK(run("disk", params_of("/a b"), NULL) == 0 &&
	    is(STATUS_OK, v, ""));
	/* What is no mount point is looked at in a child, and says whose. */
	CHECK(blocks(params_of("/a b/x")));
	run("disk", params_of("/a b/x"), NULL);
	snprintf(want, sizeof want, "on %s/a b", top);
	CHECK(is(STATUS_OK, v, want));
	run("disk", params_of("/a b/none"), NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "No such file or directory"));
	/* Not twice: what changed is seen at once, or within a minute. */
	snprintf(text, sizeof text, "22 1 8:1 / %s/a\\040b rw - ext4 /dev/x "
	    "rw,emergency_ro\n23 1 8:1 / %s/proc rw - ext4 /dev/x ro\n", top,
	    top);
	put_mounts(text);
	mono_ms -= 1;
	run("disk", "{}", NULL);
	CHECK(r.given == STATUS_OK);
	mono_ms += 1;
	run("disk", "{}", NULL);
	snprintf(want, sizeof want, "%s/a b is read-only after an error", top);
	CHECK(is(STATUS_CRITICAL, v, want));
	run("disk", params_of("/proc"), NULL);
	snprintf(want, sizeof want, "%s/proc is read-only after an error",
	    top);
	CHECK(is(STATUS_CRITICAL, v, want));
}

/* What lies behind another host is not touched here. */
static void
test_remote(void)
{
	char text[1024];

	snprintf(text, sizeof text, "22 1 8:1 / %s rw - xfs /dev/x rw\n"
	    "23 1 0:9 / %s/a\\040b rw - nfs4 host:/ rw\n"
	    "24 1 8:3 / %s/a\\040b/c rw - ext4 /dev/z rw\n", top, top, top);
	put_mounts(text);
	CHECK(!blocks("{}") && !blocks(params_of("")));
	CHECK(blocks(params_of("/a b")) && blocks(params_of("/a b/c")) &&
	    blocks(params_of("/a bc")));
	run("disk", "{}", NULL);
	CHECK(is(STATUS_OK, full(top), top));
	/* Mounted over the disk. */
	snprintf(text, sizeof text, "22 1 8:1 / %s rw - xfs /dev/x rw\n"
	    "23 1 0:9 / %s rw - fuse.sshfs host: rw\n", top, top);
	put_mounts(text);
	CHECK(blocks("{}") && blocks(params_of("")));
	/* What waits for the first who comes, and who came. */
	snprintf(text, sizeof text, "22 1 0:9 / %s rw - autofs systemd-1 rw\n"
	    "23 1 8:1 / %s rw - xfs /dev/x rw\n", top, top);
	put_mounts(text);
	CHECK(!blocks("{}") && !blocks(params_of("")));
}

/* More than there is room for: all is a child's. */
static void
test_many(void)
{
	static char text[2 * PROC_TABLE];
	struct buf b = BUF(text);
	char words[128];
	unsigned i;

	snprintf(words, sizeof words, "22 1 8:1 / %s rw - xfs /dev/x rw\n",
	    top);
	buf_addz(&b, words);
	for (i = 1; i < 1024; i++)
		buf_addf(&b, "23 1 8:%u / /mnt/%u rw - tmpfs x rw\n", i, i);
	text[b.n] = '\0';
	put("proc/self/mountinfo", text);
	mono_ms += 60000;
	CHECK(!blocks("{}"));
	buf_addz(&b, "23 1 8:1 / /mnt/1 rw - tmpfs x rw\n");	/* again */
	text[b.n] = '\0';
	put("proc/self/mountinfo", text);
	mono_ms += 60000;
	CHECK(!blocks("{}"));
	buf_addz(&b, "23 1 8:1 / /mnt/x rw - tmpfs x rw\n");
	text[b.n] = '\0';
	put("proc/self/mountinfo", text);
	mono_ms += 60000;
	CHECK(blocks("{}") && run("disk", "{}", NULL) == 0 &&
	    is(STATUS_OK, full(top), top));
	b.n = strlen(words);
	while (b.n < PROC_TABLE)
		buf_addz(&b, "# no mount, but long\n");
	text[b.n] = '\0';
	put("proc/self/mountinfo", text);
	mono_ms += 60000;
	CHECK(blocks("{}") && blocks(params_of("")));
	drop("proc/self/mountinfo");
}

/* -- numbers -- */

static const char *
number_params(const char *path, const char *of)
{
	static char text[512];

	snprintf(text, sizeof text, "{\"path\":\"%s\"%s%s%s}", path,
	    of[0] != '\0' ? ",\"of\":\"" : "", of, of[0] != '\0' ? "\"" : "");
	return text;
}

static const struct {
	const char *in, *of;
	int64_t value;			/* -1: there is none */
	const char *text;
} numbers[] = {
	{ "42\n", "", 42000, "" },
	{ " \t-12.5 \n\n", "", -12500, "" },
	{ "0", "", 0, "" },
	{ "42", "168", 25000, "percent of 168" },
	{ "3", "0.5", 600000, "percent of 0.5" },
	{ "-1", "4", -25000, "percent of 4" },
	{ "9000000000000000", "0.001", MILLI_MAX, NULL },
	{ "42", "0", -1, "0: not a number above 0" },
	{ "42", "-5", -1, "-5: not a number above 0" },
	{ "42", "x", -1, "x: not a number above 0" },
	{ "", "", -1, NULL },
	{ "42 kB", "", -1, NULL },
	{ "0x1a", "", -1, NULL },
	{ "1e400", "", -1, NULL },
	{ "                                                               1",
	    "", -1, NULL },
};

static void
test_number(void)
{
	char dir[] = "/var/tmp/vilicus-host-XXXXXX", path[64], want[128];
	int fd;

	if (!CHECK(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0))
		return;
	snprintf(path, sizeof path, "%s/n", dir);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		CHECK_ROW(i, fd != -1 && write(fd, numbers[i].in,
		    strlen(numbers[i].in)) == (ssize_t)strlen(numbers[i].in));
		close(fd);
		CHECK_ROW(i, run("number", number_params(path, numbers[i].of),
		    NULL) == 0);
		snprintf(want, sizeof want, "%s: not a number", path);
		CHECK_ROW(i, numbers[i].value == -1 ? is(STATUS_UNKNOWN, -1,
		    numbers[i].text != NULL ? numbers[i].text : want) :
		    r.has_value && r.value == numbers[i].value &&
		    (numbers[i].text == NULL ||
		    strcmp(r.text, numbers[i].text) == 0));
	}
	chmod(path, 0640);
	run("number", number_params(path, ""), NULL);
	snprintf(want, sizeof want, "%s: not a file that everyone may read",
	    path);
	CHECK(is(STATUS_UNKNOWN, -1, want));
	unlink(path);
	CHECK(mkfifo(path, 0644) == 0);
	run("number", number_params(path, ""), NULL);
	CHECK(is(STATUS_UNKNOWN, -1, want));
	unlink(path);
	CHECK(symlink("/dev/zero", path) == 0);
	run("number", number_params(path, ""), NULL);
	CHECK(is(STATUS_UNKNOWN, -1, want));
	unlink(path);
	rmdir(dir);
	run("number", number_params("/var/../etc/hostname", ""), NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "/var/../etc/hostname is not below "
	    "/proc, /sys, /run or /var"));
	run("number", number_params("sys/x", ""), NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "sys/x is not below /proc, /sys, /run or "
	    "/var"));
	CHECK(!probe_blocks(check_type(STR("number")), STR("{\"path\":"
	    "\"/proc/sys/kernel/pid_max\",\"of\":\"9\"}")));
	CHECK(probe_blocks(check_type(STR("number")), STR("{\"path\":"
	    "\"/proc/sys/kernel/pid_max\",\"of\":\"/sys/x\"}")));
	run("number", "{\"path\":\"/proc/sys/kernel/pid_max\"}", NULL);
	CHECK(r.given == STATUS_NONE && r.has_value && r.value >= 301000);
}

/* Of the two files, too, none is read that agent.conf does not allow. */
static void
test_allowed(void)
{
	struct fail why;

	CHECK(probe_allow(STR("number /proc/sys/kernel"), &why) == 0);
	run("number", number_params("/proc/sys/kernel/pid_max",
	    "/proc/sys/fs/file-max"), NULL);
	CHECK(is(STATUS_UNKNOWN, -1, "agent.conf does not allow number "
	    "/proc/sys/fs/file-max"));
	run("number", number_params("/proc/sys/kernel/pid_max",
	    "/proc/sys/kernel/pid_max"), NULL);
	CHECK(is(STATUS_NONE, 100000, "percent of /proc/sys/kernel/pid_max"));
}

/* -- this machine -- */

static void
test_here(void)
{
	static const char *const types[] = { "memory", "swap", "load",
	    "uptime", "disk" };
	struct probe_state st = { .primed = false };
	struct fail why;

	CHECK(proc_open("/proc", &why) == 0);
	mono_ms += 60000;
	for (size_t i = 0; i < COUNT(types); i++)
		CHECK_ROW(i, run(types[i], "{}", NULL) == 0 && r.has_value &&
		    r.given != STATUS_UNKNOWN);
	CHECK(run("disk", "{\"path\":\"/\"}", NULL) == 0 && r.has_value);
	run("disk", "{\"path\":\"/proc\"}", NULL);
	CHECK(r.given == STATUS_UNKNOWN && !r.has_value);
	run("network", "{\"interface\":\"lo\"}", &st);
	mono_ms += 1000;
	CHECK(run("network", "{\"interface\":\"lo\"}", &st) == 0);
}

int
main(void)
{
	char rm[128];

	test_memory_parse();
	test_small_parse();
	test_net_parse();
	test_mount_parse();
	if (!CHECK(mkdtemp(top) != NULL))
		return test_end();
	snprintf(root, sizeof root, "%s/proc", top);
	put("proc/stat", "cpu 1 1 1 1\n");
	again();
	test_memory();
	test_container();
	test_load();
	test_uptime();
	test_network();
	test_temperature();
	test_disk();
	test_remote();
	test_many();
	test_number();
	test_here();
	test_allowed();
	snprintf(rm, sizeof rm, "rm -r %s", top);
	CHECK(system(rm) == 0);
	return test_end();
}
