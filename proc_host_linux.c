/* proc_host_linux.c: memory, load, uptime, interfaces, mounts and sensors; see
 * proc.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "proc.h"

#define NONE		UINT64_MAX
#define CPUS_MAX	65536
#define TEXT		4096	/* enough of meminfo and memory.stat */
#define SENSOR		256	/* bytes of a path, and of what stands there */
#define HEAT_MIN	(-273150)	/* thousandths of a degree */
#define HEAT_MAX	1000000

/* The numbers at the lines that begin with these names and sep; NONE. */
static void
named(struct str text, char sep, const char *const *name, size_t n,
    uint64_t *v)
{
	struct str line, word;
	size_t i, left = n;

	for (i = 0; i < n; i++)
		v[i] = NONE;
	/* A line without an end may be cut. */
	while (left > 0 && str_cut(&text, '\n', &line) == 0 &&
	    text.p != NULL) {
		str_cut(&line, sep, &word);
		for (i = 0; i < n && !str_is(word, name[i]); i++)
			;
		line = str_trim(line);
		if (i < n && str_cut(&line, ' ', &word) == 0 &&
		    str_u64(word, 0, NONE >> 10, &v[i]) == 0)
			left--;
	}
}

int
proc_memory_parse(struct str text, struct proc_memory *m)
{
	enum { TOTAL, AVAILABLE, SWAP, SWAP_FREE, N };
	enum { FREE, SHARED, OLD_N = 5 };
	static const char *const name[N] = { "MemTotal", "MemAvailable",
	    "SwapTotal", "SwapFree" }, *const old[OLD_N] = { "MemFree",
	    "Shmem", "Buffers", "Cached", "SReclaimable" };
	uint64_t v[N], o[OLD_N], sum;
	int i;

	named(text, ':', name, N, v);
	if (v[TOTAL] == NONE || v[TOTAL] == 0)
		return -1;
	*m = (struct proc_memory){ .estimated = v[AVAILABLE] == NONE };
	if (m->estimated) {
		/* What is cached can be had, but for what programs share. */
		named(text, ':', old, OLD_N, o);
		if (o[FREE] == NONE)
			return -1;
		for (sum = o[FREE], i = SHARED + 1; i < OLD_N; i++)
			sum += o[i] == NONE ? 0 : o[i];
		v[AVAILABLE] = o[SHARED] == NONE ? sum :
		    o[SHARED] > sum ? 0 : sum - o[SHARED];
	}
	if (v[AVAILABLE] > v[TOTAL])
		v[AVAILABLE] = v[TOTAL];
	for (i = 0; i < N; i++)		/* from KiB */
		v[i] = v[i] == NONE ? NONE : v[i] << 10;
	m->total = v[TOTAL];
	m->available = v[AVAILABLE];
	m->swap = v[SWAP];
	m->swap_free = v[SWAP_FREE];
	return 0;
}

/* The text of a file that is one number.  0 or -1. */
static int
number(struct str text, uint64_t *v)
{
	struct str line;

	return str_cut(&text, '\n', &line) == -1 ? -1 :
	    str_u64(line, 0, UINT64_MAX, v);
}

#define CGROUP	"../sys/fs/cgroup/"

bool
proc_contain(struct proc_memory *m)
{
	static const struct {
		enum proc_file limit;
		const char *used, *stat, *cache;
	} kind[] = {
		{ PROC_LIMIT, CGROUP "memory.current", CGROUP "memory.stat",
		    "inactive_file" },
		{ PROC_LIMIT_1, CGROUP "memory/memory.usage_in_bytes",
		    CGROUP "memory/memory.stat", "total_inactive_file" },
	};
	uint64_t limit, used, cache;
	char buf[TEXT];
	struct str text;
	struct fail why;

	for (size_t i = 0; i < COUNT(kind); i++) {
		if (proc_again(kind[i].limit, buf, sizeof buf, &text, &why) ==
		    -1 || number(text, &limit) == -1 || limit == 0 ||
		    limit >= m->total ||
		    proc_read(kind[i].used, buf, sizeof buf, &text) == -1 ||
		    number(text, &used) == -1 ||
		    proc_read(kind[i].stat, buf, sizeof buf, &text) == -1)
			continue;
		/* Files that nobody has used lately make room at once. */
		named(text, ' ', &kind[i].cache, 1, &cache);
		used -= cache == NONE ? 0 : cache > used ? used : cache;
		m->total = limit;
		m->available = used > limit ? 0 : limit - used;
		return true;
	}
	return false;
}

int
proc_memory(struct proc_memory *m, struct fail *why)
{
	char buf[TEXT];
	struct str text;

	if (proc_again(PROC_MEMORY, buf, sizeof buf, &text, why) == -1)
		return -1;
	return proc_memory_parse(text, m) == 0 ? 0 : fail(why,
	    "/proc/meminfo: no MemTotal, or nothing of what is available");
}

int
proc_load_parse(struct str text, int64_t milli[3])
{
	struct str word;

	for (int i = 0; i < 3; i++)
		if (str_cut(&text, ' ', &word) == -1 || text.p == NULL ||
		    str_milli(word, &milli[i]) == -1 || milli[i] < 0)
			return -1;
	return 0;
}

int
proc_online_parse(struct str text, uint64_t *cpus)
{
	uint64_t from, to, n = 0;
	struct str list, range, word;

	if (str_cut(&text, '\n', &list) == -1 || text.p == NULL)
		return -1;
	while (str_cut(&list, ',', &range) == 0) {
		str_cut(&range, '-', &word);
		if (str_u64(word, 0, CPUS_MAX, &from) == -1)
			return -1;
		to = from;
		if (range.p != NULL && str_u64(range, from, CPUS_MAX, &to) ==
		    -1)
			return -1;
		n += to - from + 1;
	}
	*cpus = n;
	return 0;
}

int
proc_load(int64_t milli[3], struct fail *why)
{
	char buf[SENSOR];
	struct str text;
	uint64_t cpus;

	if (proc_again(PROC_ONLINE, buf, sizeof buf, &text, why) == -1 ||
	    proc_online_parse(text, &cpus) == -1)
		cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (proc_again(PROC_LOAD, buf, sizeof buf, &text, why) == -1)
		return -1;
	if (proc_load_parse(text, milli) == -1 || cpus == 0 || cpus > CPUS_MAX)
		return fail(why, "/proc/loadavg: no load");
	for (int i = 0; i < 3; i++)
		milli[i] = (milli[i] + (int64_t)cpus / 2) / (int64_t)cpus;
	return 0;
}

int
proc_uptime_parse(struct str text, struct str offsets, int64_t *ms)
{
	struct str line, word = { NULL, 0 };
	int64_t by = 0;

	if (str_cut(&text, ' ', &word) == -1 || text.p == NULL ||
	    str_milli(word, ms) == -1 || *ms < 0)
		return -1;
	/* "boottime  SECONDS NANOSECONDS": what was added for this namespace */
	while (str_cut(&offsets, '\n', &line) == 0 && offsets.p != NULL) {
		if (str_cut(&line, ' ', &word) == -1 ||
		    !str_is(word, "boottime"))
			continue;
		line = str_trim(line);
		if (str_cut(&line, ' ', &word) == -1 ||
		    str_i64(word, -MILLI_MAX / 1000, MILLI_MAX / 1000, &by) ==
		    -1)
			return -1;
	}
	by = *ms - by * 1000;
	*ms = by < 0 ? 0 : by;
	return 0;
}

int
proc_uptime(int64_t *ms, struct fail *why)
{
	char buf[SENSOR], more[SENSOR];
	struct str text, offsets;

	/* A kernel before 5.6 has no time namespaces. */
	if (proc_again(PROC_OFFSETS, more, sizeof more, &offsets, why) == -1)
		offsets.n = 0;
	if (proc_again(PROC_UPTIME, buf, sizeof buf, &text, why) == -1)
		return -1;
	return proc_uptime_parse(text, offsets, ms) == 0 ? 0 :
	    fail(why, "/proc/uptime: no time");
}

int
proc_net_parse(struct str text, struct str name, struct proc_net *n)
{
	enum { RX_BYTES, RX_PACKETS, RX_ERRORS, TX_BYTES = 8, TX_PACKETS,
	    TX_ERRORS, N };
	uint64_t v[N];
	struct str line, word;

	while (str_cut(&text, '\n', &line) == 0 && text.p != NULL) {
		if (str_cut(&line, ':', &word) == -1 || line.p == NULL ||
		    !str_eq(str_trim(word), name))
			continue;
		if (proc_numbers(line, UINT32_MAX, v, N) != N)
			return -1;
		*n = (struct proc_net){ { v[RX_BYTES], v[TX_BYTES] },
		    { v[RX_PACKETS], v[TX_PACKETS] },
		    v[RX_ERRORS] + v[TX_ERRORS], "" };
		return 0;
	}
	return -1;
}

int
proc_net(struct str name, struct proc_net *n, struct fail *why)
{
	static char buf[PROC_TABLE];
	char path[SENSOR];
	struct str text, word;

	if (proc_again(PROC_NET, buf, sizeof buf, &text, why) == -1)
		return -1;
	if (proc_net_parse(text, name, n) == -1)
		return text.n < sizeof buf ? 1 : fail(why, "too many "
		    "interfaces in /proc/net/dev");
	/* It is one: so no '/' is in its name. */
	snprintf(path, sizeof path, "../sys/class/net/%.*s/operstate",
	    (int)name.n, name.p);
	if (proc_read(path, buf, sizeof buf, &text) == 0 &&
	    str_cut(&text, '\n', &word) == 0)
		(void)str_copy(n->state, sizeof n->state, word);
	return 0;
}

/* ID PARENT DEVICE ROOT POINT OPTIONS [TAG ...] - TYPE SOURCE OPTIONS */
int
proc_mount_parse(struct str line, struct proc_mount *m)
{
	struct str word, options, own;

	if (str_cut(&line, ' ', &word) == -1 ||
	    str_cut(&line, ' ', &word) == -1 ||
	    str_cut(&line, ' ', &m->device) == -1 ||
	    str_cut(&line, ' ', &word) == -1 ||
	    str_cut(&line, ' ', &m->point) == -1 ||
	    str_cut(&line, ' ', &own) == -1)
		return -1;
	do {
		if (str_cut(&line, ' ', &word) == -1)
			return -1;
	} while (!str_is(word, "-"));
	if (str_cut(&line, ' ', &m->type) == -1 ||
	    str_cut(&line, ' ', &word) == -1 ||
	    str_cut(&line, ' ', &options) == -1)
		return -1;
	/* Who mounts or remounts read-only does so to the mount; the kernel,
	 * after an error, to the file system, or (ext4, from 6.12 on) it
	 * leaves that as it is and adds a word. */
	str_cut(&own, ',', &word);
	m->broken = str_is(word, "rw") && (str_is(options, "ro") ||
	    str_starts(options, STR("ro,")));
	while (str_cut(&options, ',', &word) == 0)
		m->broken = m->broken || str_is(word, "emergency_ro") ||
		    str_is(word, "shutdown");
	return 0;
}

int
proc_unescape(struct str s, char *dst, size_t cap)
{
	size_t n = 0;

	for (; s.n > 0 && n + 1 < cap; n++) {
		struct str digits = { s.p + 1, s.n < 4 ? s.n - 1 : 3 };
		bool coded = s.p[0] == '\\' && digits.n == 3 &&
		    str_is_of(digits, "01234567") && digits.p[0] < '4';

		dst[n] = !coded ? s.p[0] : (char)((digits.p[0] - '0') * 64 +
		    (digits.p[1] - '0') * 8 + digits.p[2] - '0');
		s = str_after(s, coded ? 4 : 1);
	}
	if (cap > 0)
		dst[n] = '\0';
	return s.n == 0 && cap > 0 ? 0 : -1;
}

/* -- sensors -- */

struct heat {
	struct str want;
	bool any;
	int64_t milli;
	char name[PROC_NAME];
};

/* The first line of DIR/FILE, or "". */
static void
line_of(const char *dir, const char *file, char dst[PROC_NAME])
{
	char path[2 * SENSOR], buf[SENSOR];
	struct str text, line = { NULL, 0 };

	snprintf(path, sizeof path, "%s/%s", dir, file);
	if (proc_read(path, buf, sizeof buf, &text) == 0)
		str_cut(&text, '\n', &line);
	(void)str_copy(dst, PROC_NAME, str_trim(line));
}

static DIR *
list(const char *path)
{
	int fd = proc_fd(path);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	if (d == NULL && fd != -1)
		close(fd);
	return d;
}

/* One sensor: DIR/FILE, below what is called so. */
static void
sensor(struct heat *h, const char *dir, const char *entry, const char *chip,
    const char *file)
{
	char label[PROC_NAME] = "", value[PROC_NAME], name[SENSOR];
	int64_t milli;

	if (strcmp(file, "temp") != 0) {	/* "_input" */
		snprintf(name, sizeof name, "%.*s_label",
		    (int)strlen(file) - 6, file);
		line_of(dir, name, label);
	}
	if (h->want.n > 0 && !str_is(h->want, entry) &&
	    !str_is(h->want, chip) && !str_is(h->want, label))
		return;
	line_of(dir, file, value);
	if (str_i64(str_of(value), HEAT_MIN, HEAT_MAX, &milli) == -1 ||
	    (h->any && milli <= h->milli))
		return;
	h->any = true;
	h->milli = milli;
	snprintf(name, sizeof name, "%s%s%s", chip[0] != '\0' ? chip : entry,
	    label[0] != '\0' ? " " : "", label);
	(void)str_copy(h->name, sizeof h->name, (struct str){ name,
	    strnlen(name, PROC_NAME - 1) });
}

/* The sensors of DIR/ENTRY: a zone has temp, a chip temp1_input ... */
static void
sensors(struct heat *h, const char *above, const char *entry)
{
	char dir[SENSOR], chip[PROC_NAME];
	struct dirent *e;
	struct str name;
	DIR *d;

	snprintf(dir, sizeof dir, "%s/%s", above, entry);
	d = list(dir);
	if (d == NULL)
		return;
	line_of(dir, "type", chip);
	if (chip[0] == '\0')
		line_of(dir, "name", chip);
	while ((e = readdir(d)) != NULL) {
		name = str_of(e->d_name);
		if (str_is(name, "temp") || (name.n > 10 &&
		    str_starts(name, STR("temp")) &&
		    str_is(str_after(name, name.n - 6), "_input")))
			sensor(h, dir, entry, chip, e->d_name);
	}
	closedir(d);
}

int
proc_heat(struct str want, int64_t *milli, char name[PROC_NAME],
    struct fail *why)
{
	static const struct {
		const char *dir, *entry;
	} class[] = {
		{ "../sys/class/thermal", "thermal_zone" },
		{ "../sys/class/hwmon", "hwmon" },
	};
	struct heat h = { .want = want };
	struct dirent *e;
	DIR *d;

	for (size_t i = 0; i < COUNT(class); i++) {
		d = list(class[i].dir);
		while (d != NULL && (e = readdir(d)) != NULL)
			if (str_starts(str_of(e->d_name),
			    str_of(class[i].entry)))
				sensors(&h, class[i].dir, e->d_name);
		if (d != NULL)
			closedir(d);
	}
	*milli = h.milli;
	memcpy(name, h.name, PROC_NAME);
	if (h.any)
		return 0;
	return want.n == 0 ? fail(why, "this host has no sensor of "
	    "temperature") : fail(why, "no sensor %.*s that can be read",
	    (int)want.n, want.p);
}
