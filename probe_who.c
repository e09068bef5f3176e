/* probe_who.c: which processes use the most; see probe_impl.h. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "probe_impl.h"

#define ABOVE		80000	/* a percentage, in thousandths */
#define EVERY_MS	60000	/* it is asked at most once in this time */
#define LOOK_MS		500	/* CPU time is that of so long */
#define MOST		3
#define PIDS	4194304		/* the greatest id that Linux has */

enum { ASKED = 5 };		/* of v; and PROBE_KEPT */

struct who {
	uint32_t *ticks;	/* by id, at the first look; or NULL: of RSS */
	bool second;
	struct {
		char comm[PROC_COMM + 1];
		uint64_t n;
	} top[MOST + 1];
};

void
probe_who(struct probe_job *job)
{
	uint64_t *v = job->state->v, now = (uint64_t)loop_mono_ms();

	if (job->rc != 0 || job->r.value <= ABOVE ||
	    (v[ASKED] != 0 && now - v[ASKED] < EVERY_MS))
		return;
	v[ASKED] = now;
	v[PROBE_KEPT] = (uint64_t)job->r.value;
	job->rc = 2;
}

/* A process among the largest, which are in order. */
static int
rank(uint32_t pid, void *arg, struct fail *why)
{
	static char text[PROC_STAT];
	struct who *w = arg;
	struct proc_stat st;
	size_t i = MOST;
	uint64_t n;

	(void)why;
	if (pid >= PIDS || proc_stat(pid, text, &st) == -1)
		return 0;
	n = st.rss_pages;
	if (w->ticks != NULL) {
		/* One that is new has used what it has. */
		n = st.ticks - (w->second ? w->ticks[pid] : 0);
		w->ticks[pid] = (uint32_t)st.ticks;
		if (!w->second || st.ticks > UINT32_MAX || n > st.ticks)
			return 0;
	}
	for (; i > 0 && w->top[i - 1].n < n; i--)
		w->top[i] = w->top[i - 1];
	if (i == MOST || n == 0)
		return 0;
	w->top[i].n = n;
	if (st.comm.n > PROC_COMM)
		st.comm.n = PROC_COMM;
	(void)str_copy(w->top[i].comm, sizeof w->top[i].comm, st.comm);
	return 0;
}

/* "firefox 63 %, cc1 21 %" of this much. */
static void
name(const struct who *w, uint64_t whole, struct probe_result *r)
{
	char text[PROBE_TEXT];
	struct buf b = BUF(text), line = { r->text, 0, PROBE_TEXT - 1, false };

	for (size_t i = 0; i < MOST && w->top[i].n > 0; i++)
		buf_addf(&b, "%s%s %llu %%", i > 0 ? ", " : "", w->top[i].comm,
		    (unsigned long long)((w->top[i].n * 100 + whole / 2) /
		    whole));
	buf_line(&line, str_from(&b));
	r->text[line.n] = '\0';
}

/* All that there was; 0: nobody knows. */
static uint64_t
cpu_time(void)
{
	struct proc_cpu c;
	struct fail why;

	return proc_cpu(&c, &why) == -1 ? 0 :
	    c.user + c.system + c.idle + c.iowait + c.steal;
}

void
probe_who_cpu(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	const struct timespec wait = { 0, LOOK_MS * 1000000 };
	struct who w = { .second = false };
	struct fail why;
	uint64_t from;
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	void *p = mmap(NULL, PIDS * sizeof *w.ticks, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE, zero, 0);	/* pages that nobody has yet */

	(void)params, (void)st;
	if (p == MAP_FAILED)
		return;
	w.ticks = p;
	from = cpu_time();
	(void)proc_each(rank, &w, &why);
	(void)nanosleep(&wait, NULL);
	w.second = true;
	(void)proc_each(rank, &w, &why);
	from = cpu_time() - from;
	if (from > 0)
		name(&w, from, r);
}

void
probe_who_memory(struct str params, struct probe_state *st,
    struct probe_result *r)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	struct who w = { .ticks = NULL };
	struct fail why;

	(void)params, (void)st;
	if (pages <= 0)
		return;
	(void)proc_each(rank, &w, &why);
	name(&w, (uint64_t)pages, r);
}
