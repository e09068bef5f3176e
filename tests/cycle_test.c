/* When checks run: the agent's cycle under a clock of our own. */
#include <stdlib.h>

#include "../agent_cycle.c"
#include "test.h"

#define TIMES	100000

static int64_t mono_ms, end_ms;	/* the clock; and when it all ends */
static int64_t jump_ms;		/* at this time the host sleeps an hour */
static int64_t death_ms;	/* at this time one dies; 0: not yet */
static int late_ms;		/* a wait is longer by up to so much */
static uint64_t seed_;
static unsigned waits;
static struct {
	int64_t at[TIMES];
	unsigned n;
} ran[4];			/* by id */
static const char *list;	/* of checks */
static char body[2048];
static struct http_head head;
static bool asked;
volatile sig_atomic_t agent_stop;

int64_t
loop_mono_ms(void)
{
	return mono_ms;
}

int
loop_open(struct fail *why)
{
	(void)why;
	return 0;
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

int
loop_wait(int timeout_ms, struct loop_event *ev, struct fail *why)
{
	int64_t was = mono_ms;

	(void)why;
	waits++;
	if (death_ms != 0 && death_ms <= was + timeout_ms) {
		mono_ms = death_ms > was ? death_ms : was;
		death_ms = 0;
		ev->tag = PROC_TAG;
		return 1;
	}
	mono_ms += timeout_ms;
	if (late_ms > 0)
		mono_ms += (int64_t)((seed_ = seed_ * 48271 % 2147483647) %
		    (uint64_t)late_ms);
	if (was < jump_ms && mono_ms >= jump_ms)
		mono_ms += 3600000;
	agent_stop = mono_ms >= end_ms;
	return 0;
}

/* A server that answers at once. */
void
agent_link_ask(const struct agent_conf *conf, struct str request, int64_t mono)
{
	struct buf b = BUF(body);

	(void)conf, (void)mono;
	asked = true;
	buf_addz(&b, str_starts(request, STR("GET /api/v1/agent/")) ?
	    "{\"objects\":[{\"id\":1,\"revision\":1,\"hostname\":\"h\","
	    "\"check_interval_ms\":60000}]}" :
	    str_starts(request, STR("GET")) ? list :
	    "{\"revision\":1,\"now_ms\":1000000000000}");
	body[b.n] = '\0';
	head.status = 200;
}

enum http_rc
agent_link_step(int64_t mono, struct fail *why)
{
	(void)mono, (void)why;
	if (!asked)
		return HTTP_MORE;
	asked = false;
	return HTTP_DONE;
}

int64_t
agent_link_due(void)
{
	return asked ? mono_ms : INT64_MAX;
}

const struct http_head *
agent_link_answer(struct str *text)
{
	*text = str_of(body);
	return &head;
}

void
agent_link_close(void)
{
}

/* Which check it is stands in its parameters. */
static void
note(struct str params)
{
	int64_t id = 1;

	(void)check_param_int(params, "max", 1, 3, &id);
	if (ran[id].n < TIMES)
		ran[id].at[ran[id].n++] = mono_ms;
}

void
probe_all(struct probe_job *job, unsigned n)
{
	for (; n > 0; n--, job++) {
		note(job->params);
		job->rc = 0;
		job->r = (struct probe_result){ .given = STATUS_NONE };
	}
}

/* A tcp check does, and it never ends before it must. */
bool
probe_blocks(const struct check_type *t, struct str params)
{
	(void)params;
	return t == check_type(STR("tcp"));
}

int
probe_begin(struct probe_job *job, struct probe_run *run, int64_t mono,
    struct fail *why)
{
	(void)job, (void)why;
	run->fd = 100;
	run->begun_ms = mono;
	run->until_ms = mono + 14000;
	if (ran[3].n < TIMES)
		ran[3].at[ran[3].n++] = mono;
	return 0;
}

bool
probe_end(struct probe_job *job, struct probe_run *run, int64_t mono)
{
	if (mono < run->until_ms)
		return false;
	run->fd = 0;
	job->r.given = STATUS_UNKNOWN;
	return true;
}

void
probe_drop(struct probe_run *run)
{
	run->fd = 0;
}

bool
probe_reap(struct probe_run *run)
{
	(void)run;
	return true;
}

void
probe_forget(const struct check_type *t, struct probe_state *st)
{
	(void)t, (void)st;
}

size_t
probe_died(uint64_t tag)
{
	return (size_t)(tag - PROC_TAG);
}

int64_t
probe_died_due(size_t which, const struct check_type *t,
    const struct probe_state *st, int64_t mono)
{
	(void)which, (void)st;
	return t == check_type(STR("process")) ? mono : INT64_MAX;
}

/* Run these for so long. */
static void
run(const char *checks, int64_t ms, uint32_t seed)
{
	static struct agent_conf conf = { .host = "h", .port = "1",
	    .key = "va_x" };

	list = checks;
	memset(ran, 0, sizeof ran);
	memset(&a, 0, sizeof a);
	mono_ms = 5000000 + seed % 1000;
	end_ms = mono_ms + ms;
	waits = 0;
	agent_stop = 0;
	seed_ = seed;
	agent_ring_init(AGENT_RING_DEFAULT);
	CHECK(agent_cycle_run(&conf) == AGENT_FINE);
}

#define CHECKS(one, two, three)	"{\"objects\":[" \
	"{\"id\":1,\"name\":\"one\",\"type\":\"cpu\"," \
	"\"interval_ms\":" one "}," \
	"{\"id\":2,\"name\":\"two\",\"type\":\"process\",\"interval_ms\":" two \
	",\"params\":{\"process_name\":\"x\",\"max\":2}}" three "]}"
#define HANGS	",{\"id\":3,\"name\":\"three\",\"type\":\"tcp\"," \
	"\"interval_ms\":5000,\"params\":{\"host\":\"x\",\"port\":1}}"

/* Do all times of a check but the first lie on the grid of its interval, at
 * most late_ms and what counts as together beside it, and none missing? */
static bool
on_grid(unsigned id, int64_t every, unsigned least)
{
	bool ok = ran[id].n >= least;
	unsigned i;
	int64_t off;

	for (i = 1; i < ran[id].n; i++) {
		off = (ran[id].at[i] + a.phase + AGENT_TOGETHER_MS) % every;
		ok = ok && off <= AGENT_TOGETHER_MS + late_ms;
	}
	for (i = 2; i < ran[id].n; i++)
		ok = ok && ran[id].at[i] - ran[id].at[i - 1] < every +
		    AGENT_TOGETHER_MS + late_ms + 1;
	return ok;
}

static void
test_grid(void)
{
	uint32_t phase = 0;
	unsigned i, differ = 0;

	for (i = 1; i <= 20; i++) {
		run(CHECKS("1000", "7000", HANGS), 3600000, i);
		CHECK_ROW(i, ran[1].at[0] == ran[2].at[0] &&
		    ran[1].at[0] < 5002000);
		CHECK_ROW(i, on_grid(1, 1000, 3599));
		CHECK_ROW(i, on_grid(2, 7000, 514));
		CHECK_ROW(i, ran[3].n >= 180 && ran[3].n <= 257);
		differ += a.phase % 1000 != phase;
		phase = a.phase % 1000;
		late_ms = (int)i * 20;	/* and still it does not drift */
	}
	CHECK(differ > 15);
	late_ms = 0;
}

/* After an hour's sleep: at once, each once, and on as before. */
static void
test_sleep(void)
{
	unsigned i, after = 0;

	jump_ms = 5600000;
	run(CHECKS("1000", "7000", ""), 4800000, 1);
	for (i = 1; i < ran[1].n && ran[1].at[i] < jump_ms + 3600000; i++)
		;
	CHECK(ran[1].at[i] - jump_ms - 3600000 < 1100);
	CHECK(ran[1].at[i - 1] <= jump_ms);
	for (; i < ran[1].n; i++)
		after++;
	CHECK(after >= 598 && after <= 602);
	jump_ms = INT64_MAX;
}

/* Nothing ticks in between. */
static void
test_rest(void)
{
	run(CHECKS("60000", "60000", ""), 3600000, 1);
	CHECK(ran[1].n >= 60 && waits < 4 * 61 + 20);
}

/* A death is looked at when it happens, and the grid stays. */
static void
test_death(void)
{
	unsigned i, extra = 0;
	int64_t at;

	death_ms = at = 5000000 + 1234567;
	run(CHECKS("60000", "60000", ""), 3600000, 1);
	for (i = 1; i < ran[2].n; i++)
		extra += ran[2].at[i] == at;
	CHECK(extra == 1 && death_ms == 0);
	CHECK(ran[2].n == ran[1].n + 1 && on_grid(1, 60000, 60));
	for (i = 0; i < ran[1].n; i++)
		CHECK_ROW(i, ran[1].at[i] == ran[2].at[i +
		    (ran[2].at[i] >= at && ran[1].at[i] > at)]);
}

int
main(void)
{
	log_verbose = -1;
	jump_ms = INT64_MAX;
	test_grid();
	test_sleep();
	test_rest();
	test_death();
	return test_end();
}
