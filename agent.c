/* agent.c: options, the URL and signals of vilicus-agent(8); see agent.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent.h"
#include "key.h"
#include "log.h"
#include "proc.h"

#define CONF_FILE	"/etc/vilicus/agent.conf"

volatile sig_atomic_t agent_stop;

static struct agent_conf conf;
static struct tls_anchors anchors;	/* without pins */
static const char *file;		/* -f, or NULL */
static const char *word;		/* -i, or NULL */
static char *url_arg;			/* the argument, or NULL */
static uint64_t ring = AGENT_RING_DEFAULT;	/* -b, bytes */

static int
options(int argc, char **argv, struct fail *why)
{
	int c;

	while ((c = getopt(argc, argv, ":1nvVf:i:b:P:")) != -1) {
		switch (c) {
		case '1': conf.once = true; break;
		case 'n': conf.once = conf.dry = true; break;
		case 'v': log_verbose++; break;
		case 'V': puts("vilicus-agent " AGENT_VERSION); exit(0);
		case 'f': file = optarg; break;
		case 'i': word = optarg; break;
		case 'P':
			probe_programs = optarg;
			if (optarg[0] == '/')
				break;
			return fail(why, "-P %s: not a path from / on", optarg);
		case 'b':
			if (str_size(str_of(optarg), &ring) == 0 &&
			    ring >= AGENT_RING_MIN && ring <= AGENT_RING_MAX)
				break;
			return fail(why, "-b %s: not a size from 4K to 4M",
			    optarg);
		default: return fail(why, "usage: vilicus-agent [-1nvV] "
			    "[-f FILE] [-i WORD] [-b BYTES] [-P DIR] [URL]");
		}
	}
	url_arg = argv[optind];
	if (argc - optind > 1)
		return fail(why, "more than one URL");
	return 0;
}

/* Split the URL into conf. */
static int
conf_url(struct str url, struct fail *why)
{
	struct http_url u;

	if (http_url(url, &u, why) == -1)
		return -1;
	if (!u.tls && u.fragment.p != NULL)
		return fail(why, "URL: a pin ('#') is for https");
	conf.tls = u.tls;
	if (u.tls && tls_trust(&conf.trust, u.fragment, &anchors,
	    probe_ca_file, why) == -1)
		return fail_in(why, "URL");
	while (u.path.n > 0 && u.path.p[u.path.n - 1] == '/')
		u.path.n--;
	if (u.path.n > 0 && memchr(u.path.p, '?', u.path.n) != NULL)
		return fail(why, "URL: no query may stand in it");
	if (u.user.n == 0)
		return fail(why, "URL: no key in it: "
		    "https://KEY@HOST:PORT/#PIN");
	if (str_copy(conf.host, sizeof conf.host, u.host) == -1 ||
	    str_copy(conf.port, sizeof conf.port, u.port) == -1 ||
	    str_copy(conf.base, sizeof conf.base, u.path) == -1 ||
	    str_copy(conf.key, sizeof conf.key, u.user) == -1)
		return fail(why, "URL: too long");
	return 0;
}

/* A line behind the URL. */
static int
conf_line(struct str line, struct fail *why)
{
	static char ca[256];
	struct str key;

	if (line.n == 0 || line.p[0] == '#')
		return 0;
	str_cut(&line, ' ', &key);
	line = str_trim(line);
	if (str_is(key, "allow"))
		return probe_allow(line, why);
	if (!str_is(key, "ca-file") || str_copy(ca, sizeof ca, line) == -1 ||
	    ca[0] != '/')
		return fail(why, "not allow TYPE [TARGET] or ca-file /PATH");
	probe_ca_file = ca;
	return 0;
}

/* Read what path says: the URL, and what else. */
static int
conf_file(const char *path, struct str *url, struct fail *why)
{
	static char text[AGENT_CONF_MAX];
	struct str rest, line;
	struct stat st;
	unsigned n = 0;

	if (proc_read(path, text, sizeof text, &rest) == -1)
		return fail_errno(why, "%s", path);
	if (rest.n == sizeof text)
		return fail(why, "%s: %d bytes or more", path, AGENT_CONF_MAX);
	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH))
		log_line("%s: everyone may read it, and it holds a key", path);
	while (str_cut(&rest, '\n', &line) == 0)
		if (n++ == 0)
			*url = str_trim(line);
		else if (conf_line(str_trim(line), why) == -1)
			return fail_in(why, "%s:%u", path, n);
	return 0;
}

/* The URL of the command line, the environment or the file.  A file that was
 * named counts for the rest in any case. */
static int
find_url(struct fail *why)
{
	const char *path = file != NULL ? file : CONF_FILE;
	char *env = getenv("VILICUS_URL"), *at, *p;
	struct str url = { NULL, 0 };
	int rc;

	if ((file != NULL || (url_arg == NULL && env == NULL)) &&
	    conf_file(path, &url, why) == -1)
		return -1;
	if (url_arg != NULL) {
		rc = conf_url(str_of(url_arg), why);
		/* What others may see of us in ps: it without its key. */
		at = strchr(url_arg, '@');
		p = strstr(url_arg, "//");
		if (at != NULL)
			for (p = p == NULL || p > at ? url_arg : p + 2; p < at;)
				*p++ = 'x';
		return rc;
	}
	if (file == NULL && env != NULL)
		return conf_url(str_of(env), why);
	return conf_url(url, why) == 0 ? 0 : fail_in(why, "%s:1", path);
}

/* What the linker put at the end of what is set, and of what is 0, at first:
 * there is no other memory than this and the stack. */
extern char edata[], end[];

static void
say_bound(void)
{
	log_info("%lld bytes of memory at most, %llu of them for results",
	    (long long)(end - edata) - AGENT_RING_MAX + (long long)ring,
	    (unsigned long long)ring);
}

/* It ends the loop's wait.  The alarm ends one that begins right now, after
 * the look at agent_stop. */
static void
on_signal(int sig)
{
	(void)sig;
	agent_stop = 1;
	alarm(1);
}

int
main(int argc, char **argv)
{
	char id[14 + AGENT_MACHINE_ID] = "vilicus agent ";
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned char hash[KEY_HASH];
	int code = AGENT_USAGE;
	struct utsname u;
	struct fail why;
	struct str got;

	log_program = "vilicus-agent";
	if (options(argc, argv, &why) == -1 || find_url(&why) == -1)
		goto out;
	code = AGENT_BAD;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGTERM, &sa, NULL) == -1 ||
	    sigaction(SIGINT, &sa, NULL) == -1 ||
	    sigaction(SIGALRM, &sa, NULL) == -1 ||
	    signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		fail_errno(&why, "signals");
		goto out;
	}
	if (proc_open("/proc", &why) == -1)
		goto out;
	/* What this host is, and a name for it that stays: a hash of its
	 * machine-id, which is to be kept from the network (machine-id(5)). */
	if (uname(&u) == 0) {
		snprintf(conf.platform, sizeof conf.platform, "%.20s %.24s "
		    "%.16s", u.sysname, u.release, u.machine);
		snprintf(conf.hostname, sizeof conf.hostname, "%.64s",
		    u.nodename);
	}
	if (proc_read("/etc/machine-id", id + 14, sizeof id - 14, &got) == 0 &&
	    got.n == AGENT_MACHINE_ID) {
		key_hash((struct str){ id, sizeof id }, hash);
		str_hex(conf.guid, hash, 16);
	}
	/* The key of one of many: derived from the one they share. */
	if (strncmp(conf.key, "ve_", 3) == 0) {
		if (word == NULL && conf.guid[0] == '\0') {
			fail(&why, "an enrolment key needs /etc/machine-id, "
			    "or -i WORD, which no other host has");
			goto out;
		}
		memcpy(conf.enrol, conf.key, sizeof conf.enrol);
		key_derive("va_", str_of(conf.enrol), word != NULL ?
		    str_of(word) : (struct str){ id + 14, AGENT_MACHINE_ID },
		    conf.key);
	}
	agent_ring_init((size_t)ring);
	say_bound();
	return agent_cycle_run(&conf);
out:
	log_line("%s", why.msg);
	return code;
}
