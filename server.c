/*
 * server.c: options, start, the loop and its clock.
 *
 * Each turn of the loop: requests are read and handled, then one commit
 * makes durable what they changed, then their answers go out, and only then
 * messages are sent.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"
#include "beat.h"
#include "change.h"
#include "channel.h"
#include "child.h"
#include "config.h"
#include "conn.h"
#include "file.h"
#include "identity.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "server.h"
#include "store.h"
#include "watch.h"

#define VERSION		"0.1"
#define DATA_DIR	"/var/lib/vilicus"
#define LISTEN		"127.0.0.1:8454"

#define TAG_LISTEN	(UINT64_C(1) << 32)
#define TAG_CHILD	(UINT64_C(2) << 32)
#define TAG_JOB		(UINT64_C(3) << 32)
#define TAG_CONN	(UINT64_C(4) << 32)

static struct {
	const char *conf, *dir, *listen;
	bool test;
} options = { NULL, DATA_DIR, NULL, false };

static struct config config;
static struct store *store;
static int sockets[CONFIG_LISTEN];
static struct identity shown[CONFIG_LISTEN];	/* of "tls CERT KEY" */
static bool shaking;		/* with handshakes; none is accepted */
static int child_fd[NOTIFY_WAYS];	/* watched; 0: none */

/* The store's job that a child is at; fd -1: none. */
static struct {
	struct store_job job;
	int fd, pid;
	pid_t parent;
} work = { .fd = -1 };

static volatile sig_atomic_t asked_end, asked_reload;

/* The time of this turn of the loop; and of the last tick, the last lag. */
static struct watch_now now;
static int64_t mono_ms, tick_ms, lagged_ms;
static struct fail commit_why;
static bool commit_failed;

/* Connections that were answered in this turn. */
static unsigned answered[CONN_MAX];
static unsigned answered_n;

static char key_path[SERVER_PATH_MAX];	/* of the first admin's key */
static char answer_room[API_ANSWER_MAX];
static char head_room[4096];

static void
look_at_clock(void)
{
	int64_t mono = loop_mono_ms(), passed = mono - mono_ms;

	now.now_ms = log_clock_ms();
	mono_ms = mono;
	now.watch_ms += passed > SERVER_PAUSE_MS ? 0 : passed;
	if (passed > SERVER_LAG_MS)
		lagged_ms = mono;
}

/* ---- configuration ---- */

/* Tell people at the start, or those who reload.  1: so many faults. */
static unsigned
complain(const char *what, const struct fail *why)
{
	fprintf(stderr, "vilicus-server: %s%s\n", what, why->msg);
	return 1;
}

/* The first line of the file that a smtp line names.  How many faults. */
static unsigned
read_password(struct config *c)
{
	char room[4096];
	struct buf text = BUF(room);
	struct str rest, line;
	struct fail why;

	if (c->smtp_password_file[0] == '\0')
		return 0;
	if (file_read(c->smtp_password_file, &text, &why) == -1)
		return complain("password-file ", &why);
	rest = str_from(&text);
	(void)str_cut(&rest, '\n', &line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n > 0 && str_copy(c->smtp_password, CONFIG_TEXT, line) == 0)
		return 0;
	fail(&why, "%s: its first line is not of 1 to %d bytes",
	    c->smtp_password_file, CONFIG_TEXT - 1);
	return complain("password-file ", &why);
}

/* Read the configuration; faults go to standard error.  How many. */
static unsigned
read_config(struct config *c)
{
	static char text_room[CONFIG_BYTES + 1], fault_room[SERVER_FAULTS_MAX];
	struct buf text = BUF(text_room), faults = BUF(fault_room);
	const char *listen = options.listen;
	struct zone zone;
	struct fail why;
	unsigned bad, i;

	if (options.conf != NULL && file_read(options.conf, &text, &why) == -1)
		return complain("", &why);
	bad = config_parse(str_from(&text), options.conf, c, &faults);
	fwrite(faults.p, 1, faults.n, stderr);
	if (faults.full)
		fprintf(stderr, "vilicus-server: and more\n");
	bad += read_password(c);
	if (zone_load(str_of(c->zone), &zone, &why) == -1)
		bad += complain("zone ", &why);
	/* It may come yet (a mount, a package): no reason not to start. */
	if ((c->pushover_token[0] != '\0' || (c->smtp[0] != '\0' &&
	    strcmp(c->smtp_tls, "plain") != 0)) &&
	    access(c->ca_file, R_OK) == -1) {
		fail_errno(&why, "ca-file %s", c->ca_file);
		bad += complain("", &why) * options.test;
	}
	for (i = 0; i < c->listens && options.test; i++)
		if (c->listen[i].cert[0] != '\0' &&
		    identity_read(&shown[i], c->listen[i].cert,
		    c->listen[i].key, &why) == -1)
			bad += complain("", &why);
	if (listen == NULL && c->listens > 0)
		return bad;
	c->listens = 1;
	c->listen[0] = (struct config_listen){ .plain = false };
	if (config_listener(str_of(listen != NULL ? listen : LISTEN),
	    &c->listen[0], &why) == -1)
		bad += complain("-l ", &why);
	return bad;
}

static bool
is_loopback(const char *addr)
{
	return str_starts(str_of(addr), STR("127.")) ||
	    str_starts(str_of(addr), STR("[::1]"));
}

static void
take_settings(const struct config *c)
{
	struct setting *s = model_draft(KIND_SETTING, model_setting());
	char pins[IDENTITY_PINS], secret[KEY_TEXT];
	bool own = false;

	model_text(&s->public, str_of(c->public));
	model_text(&s->pushover_token, str_of(c->pushover_token));
	model_text(&s->pushover_url, str_of(c->pushover_url));
	model_text(&s->smtp, str_of(c->smtp));
	model_text(&s->smtp_user, str_of(c->smtp_user));
	model_text(&s->smtp_password, str_of(c->smtp_password));
	model_text(&s->smtp_from, str_of(c->smtp_from));
	model_text(&s->smtp_tls, str_of(c->smtp_tls));
	model_text(&s->ca_file, str_of(c->ca_file));
	model_text(&s->zone, str_of(c->zone));
	model_text(&s->heartbeat, str_of(c->heartbeat));
	s->heartbeat_ms = c->heartbeat_ms;
	model_text(&s->exec_dir, str_of(c->exec_dir));
	s->webhook_local = c->webhook_local;
	s->drill_s = c->drill_s;
	model_text(&s->sync, str_of(c->sync[0] != '\0' ? c->sync : "always"));
	/* What an agent meets is our own key, if a listener shows that; at a
	 * public address one that others reach, or it is something else. */
	for (unsigned i = 0; i < c->listens; i++)
		own = own || (c->listen[i].cert[0] == '\0' &&
		    (c->public[0] == '\0' ||
		    (strchr(c->listen[i].addr, ':') != NULL &&
		    !is_loopback(c->listen[i].addr))));
	identity_pins(pins);
	model_text(&s->pins, str_of(own ? pins : ""));
	model_text(&s->smtp_mark, (struct str){ pins, 8 });
	identity_secret(STR("links"), secret);
	model_text(&s->link_secret, str_of(secret));
	s->disk = (int64_t)c->disk;
	store_sync(store, c->sync_ms);
	model_install(KIND_SETTING, &s->o, NULL);
	model_zone();
}

/* ---- the start ---- */

/* Reports newer than the snapshot: what they mean is decided again, as it
 * was decided when they came. */
static int
replay_head(struct fail *why)
{
	static struct store_result r;
	struct watch_now then = { 0, 0, true };
	struct store_report rep;
	int rc;

	while ((rc = store_report_next(store, change_replay_from() + 1, &rep,
	    why)) == 1) {
		struct agent *a = model_agent(rep.source);

		then.now_ms = rep.received_ms;
		if (a != NULL) {
			if (a->dropped < MODEL_DROPPED_MAX)
				a->dropped += (int64_t)rep.dropped;
			a->last_checkin = rep.received_ms;
			if (rep.seq > a->o.stepped_seq)
				watch_heard(a, &then);
		}
		while (store_result_next(store, &r) == 1) {
			struct check *c = model_check_by_id(r.check);

			if (c != NULL)
				watch_result(c, &r, rep.seq, &then);
		}
	}
	return rc;
}

static void
look_at_health(void)
{
	static char text[256];
	const struct recipient *r;
	const char *sick = NULL, *because;
	int64_t oldest;

	notify_waiting(now.now_ms, &oldest);
	if (commit_failed) {
		snprintf(text, sizeof text, "the last commit failed: %s",
		    commit_why.msg);
		sick = text;
	} else if (lagged_ms != 0 && mono_ms - lagged_ms < SERVER_LAGGED_MS)
		sick = "the loop lagged 5 s or more within the last minute";
	else if (oldest > SERVER_OVERDUE_MS)
		sick = "a delivery is overdue since 10 minutes or more";
	else MODEL_ALL(r, KIND_RECIPIENT)
		if (notify_fails(r, &now, &because)) {
			snprintf(text, sizeof text, "nothing reaches recipient "
			    "%s since 10 minutes or more", r->name);
			sick = text;
		}
	api_health(sick);
	if (sick == NULL)
		notify_well(&now);
}

/* What failed: of it nothing may be acknowledged.  That the disk fails is
 * an incident, which is told whether it can be written or not. */
static unsigned
commit(void)
{
	static bool began;
	bool dirty = store_dirty(store);
	unsigned failed = dirty ? store_commit(store, mono_ms, &commit_why) : 0;

	if (failed & STORE_RECORDS)
		change_failed();
	else
		change_committed();
	if (dirty && (failed != 0) != commit_failed) {
		commit_failed = failed != 0;
		log_line("%s%s", commit_failed ? "a commit failed, nothing of "
		    "it is acknowledged: " : "the disk takes writes again",
		    commit_failed ? commit_why.msg : "");
		watch_own("disk", commit_failed ? STATUS_CRITICAL :
		    STATUS_OK, commit_failed ? commit_why.msg :
		    "it takes writes again", &now);
		look_at_health();
	} else if (dirty && !began && !commit_failed) {
		/* It may have failed when we ended. */
		watch_own("disk", STATUS_OK, "it takes writes again", &now);
	}
	began = began || dirty;
	return failed;
}

static void
tell_damage(void)
{
	struct str text;

	while (store_damage(store, &text) == 1)
		log_line("damage: %.*s", (int)text.n, text.p);
}

/* Open the store, and be as we were. */
static int
recover(struct fail *why)
{
	uint64_t disk = SERVER_DISK_MAX;
	struct statvfs v;
	struct str line;
	int rc;

	/* Where nothing is set: a quarter of what is free, but not more. */
	if (config.disk != 0)
		disk = config.disk;
	else if (statvfs(options.dir, &v) == 0 &&
	    (uint64_t)v.f_bavail * v.f_frsize / 4 < disk)
		disk = (uint64_t)v.f_bavail * v.f_frsize / 4;
	store = store_open(options.dir, &store_posix, disk, why);
	if (store == NULL)
		return -1;
	model_reset();
	while ((rc = store_journal_next(store, &line, why)) == 1)
		if (change_replay(line, why) == -1)
			log_line("journal: a record is passed over: %s",
			    why->msg);
	if (rc == -1)
		return -1;
	change_replayed(store_head_seq(store));
	if (replay_head(why) == -1)
		return -1;
	tell_damage();
	change_store(store);
	api_store(store);
	if (change_unwritten())
		store_want_snapshot(store);
	notify_resume(&now);
	return 0;
}

/* An admin's key, where there is none, into a file: first, for one that nobody
 * knows would lock everyone out. */
static int
first_key(struct fail *why)
{
	struct change ch = { "server", "server", now.now_ms, false };
	char secret[KEY_TEXT];
	struct key *k;

	if (snprintf(key_path, sizeof key_path, "%s/admin.key", options.dir)
	    >= (int)sizeof key_path)
		return fail(why, "%s: too long a name", options.dir);
	MODEL_ALL(k, KIND_KEY)
		if (k->role == ROLE_ADMIN)
			break;
	if (k == NULL) {
		k = model_draft(KIND_KEY, NULL);
		model_text(&k->name, STR("admin"));
		k->role = ROLE_ADMIN;
		if (model_secret(k, ch.at_ms, secret, why) == -1)
			return -1;
		secret[KEY_TEXT - 1] = '\n';	/* where its NUL was */
		if (file_write(key_path, (struct str){ secret, KEY_TEXT },
		    why) == -1 ||
		    change_put(KIND_KEY, k, &ch, why) == NULL)
			return -1;
	}
	return commit() == 0 ? 0 : fail(why, "%s", commit_why.msg);
}

/* ---- requests ---- */

static void
drop(struct conn *c)
{
	loop_del(c->s->fd);
	conn_close(c);
}

static void
begin_call(struct api_call *a, const struct conn *c)
{
	static struct buf out;

	buf_init(&out, answer_room, sizeof answer_room);
	*a = (struct api_call){ .out = &out, .peer = c->peer, .key = c->key,
	    .tls = c->tls != NULL, .secure = c->tls != NULL || c->secure,
	    .now_ms = now.now_ms, .watch_ms = now.watch_ms };
	buf_init(&a->extra, a->extra_room, sizeof a->extra_room);
}

/* Without a head it is a refusal, and the end of the connection. */
static void
put_answer(struct conn *c, const struct api_call *a)
{
	const struct http_head *h = a->head;
	struct http_reply r = { .status = a->status, .type = a->type,
	    .length = a->type == NULL ? 0 : (int64_t)a->out->n,
	    .keep_alive = h != NULL && h->keep_alive,
	    .extra = str_from(&a->extra) };
	struct str body = { a->out->p, h != NULL && h->method == HTTP_HEAD ?
	    0 : (size_t)r.length };
	struct buf head = BUF(head_room);

	http_put_reply(&head, &r, a->now_ms);
	if (conn_answer(c, str_from(&head), body, r.keep_alive, mono_ms) ==
	    -1) {
		drop(c);
		return;
	}
	if (!c->queued)
		answered[answered_n++] = c->slot;
	c->queued = true;
	c->wrote = a->wrote;
}

static void
refuse(struct conn *c, int status, const char *text)
{
	struct api_call a;

	begin_call(&a, c);
	api_error(&a, status, NULL, "%s", text);
	put_answer(c, &a);
}

/* What has come on a connection, one request a turn; or wait for more. */
static void
process(struct conn *c)
{
	static struct http_head h;
	struct api_call a;
	enum conn_rc rc;
	struct fail why;
	struct str body;
	unsigned want;
	int status = 400;

	/* A head is there, its body is not yet: refuse it, or let it come. */
	while ((rc = conn_next(c, &h, &body, &status, &why)) == CONN_HEAD) {
		begin_call(&a, c);
		a.head = &h;
		status = api_refuse_early(&a, &why);
		c->key = a.key;
		if (status != 0) {
			rc = CONN_BAD;
			break;
		}
		c->body_max = api_body_max(&h);
		if (h.expect_100 && h.length <= (int64_t)c->body_max)
			conn_continue(c);
	}
	if (rc == CONN_REQUEST) {
		begin_call(&a, c);
		a.head = &h;
		a.body = body;
		api_handle(&a);
		c->trusted = c->trusted || a.trusted;
		put_answer(c, &a);
	} else if (rc == CONN_BAD)
		refuse(c, status, why.msg);
	if (rc != CONN_MORE || (want = conn_want(c)) == c->watched)
		return;
	c->watched = want;
	if (loop_set(c->s->fd, want, TAG_CONN | c->slot, &why) == -1)
		drop(c);
}

/* An answer that awaits its commit is left alone. */
static void
conn_event(struct conn *c, unsigned what)
{
	int rc = 0;

	/* A step of a handshake may take milliseconds: a few in one turn. */
	if (c == NULL || c->queued || (c->phase == CONN_HANDSHAKE &&
	    loop_mono_ms() - mono_ms > SERVER_SHAKE_MS))
		return;
	if (c->phase == CONN_IN_ANSWER)
		rc = conn_flush(c, mono_ms);
	if (rc == 0 && c->phase != CONN_IN_ANSWER && (what != 0 || c->s->more))
		rc = conn_read(c, mono_ms);
	if (rc == -1)
		drop(c);
	else
		process(c);
}

static void
watch_listeners(unsigned want)
{
	struct fail why;

	for (unsigned i = 0; i < config.listens; i++)
		loop_set(sockets[i], want, TAG_LISTEN | i, &why);
}

static void
accept_all(unsigned i)
{
	const struct config_listen *l = &config.listen[i];
	bool again = true, full = false;
	struct conn *c;

	for (int n = 0; again && n < SERVER_ACCEPTS; n++) {
		c = conn_accept(sockets[i], identity_of(l->cert[0] == '\0' ?
		    &identity_own : &shown[i]), mono_ms, &again, &full);
		if (c == NULL)
			continue;
		c->secure = c->loopback || l->plain;
		process(c);
	}
	if (!full)
		return;
	/* No descriptor is left: look again at the next tick. */
	log_line("no descriptor is left for a new connection");
	watch_listeners(0);
}

/* The commit is done, but for what failed: the answers of this turn may
 * go. */
static void
release(unsigned failed)
{
	unsigned n = answered_n, i;
	struct conn *c;

	answered_n = 0;
	for (i = 0; i < n; i++) {
		c = conn_at(answered[i]);
		if (c != NULL && c->queued && (c->wrote & failed) != 0) {
			refuse(c, 503, "nothing was stored: the disk does "
			    "not take it");
			c = conn_at(answered[i]);
		}
		if (c == NULL || !c->queued)
			continue;
		c->queued = false;
		conn_event(c, 0);	/* it may have sent more than one */
	}
}

/* ---- the loop ---- */

/* A certificate of a file ends: that is told while there is time. */
static void
look_at_certificates(void)
{
	enum status to = STATUS_OK;
	int64_t end_ms = INT64_MAX, left;
	const char *path = "";
	char text[SERVER_PATH_MAX + 64];
	struct buf b = BUF(text);

	for (unsigned i = 0; i < config.listens; i++)
		if (config.listen[i].cert[0] != '\0' &&
		    identity_of(&shown[i])->cert.to_ms < end_ms) {
			end_ms = identity_of(&shown[i])->cert.to_ms;
			path = config.listen[i].cert;
		}
	left = end_ms - now.now_ms;
	if (left < 0)
		to = STATUS_CRITICAL;
	else if (left < SERVER_CERT_MS)
		to = STATUS_WARNING;
	buf_addf(&b, "%s is good until ", path);
	buf_time_human(&b, end_ms == INT64_MAX ? 0 : end_ms);
	buf_addc(&b, '\0');
	watch_own("certificate", to, to == STATUS_OK ? "it is good" : text,
	    &now);
}

static void
tick(void)
{
	struct conn *c;
	bool answer;

	tick_ms = mono_ms;
	watch_tick(&now);
	beat_tick(store, &now);
	notify_drills(&now);
	tell_damage();
	for (unsigned i = 0; i < conn_slots(); i++) {
		c = conn_at(i);
		if (c == NULL || !conn_late(c, mono_ms, &answer))
			continue;
		if (answer)
			refuse(c, 408, "the request did not come in time");
		else
			drop(c);
	}
	look_at_health();
	look_at_certificates();
	if (!shaking)
		watch_listeners(LOOP_IN);
}

static void
reload(void)
{
	static struct config fresh;
	const struct config_listen *l = fresh.listen;
	struct fail why;

	asked_reload = 0;
	if (read_config(&fresh) > 0) {
		log_line("%s has a fault; what was in force stays so",
		    options.conf == NULL ? "-l" : options.conf);
		return;
	}
	for (unsigned i = 0; i < fresh.listens; i++)
		if (fresh.listens != config.listens ||
		    strcmp(l[i].addr, config.listen[i].addr) != 0)
			log_line("listen %s: takes force with the next start",
			    l[i].addr);
		else if (l[i].cert[0] != '\0' && identity_read(&shown[i],
		    l[i].cert, l[i].key, &why) == -1)
			log_line("%s; the one before it stays", why.msg);
		else
			config.listen[i] = l[i];
	if (fresh.disk != config.disk)
		log_line("disk: takes force with the next start");
	take_settings(&fresh);
	notify_reload();
	log_line("configuration reloaded");
}

/* The children that deliver come and go, and a new one may have the number
 * of the one before: watch those there are. */
static void
follow_children(void)
{
	struct fail why;

	for (unsigned i = 0; i < NOTIFY_WAYS; i++) {
		int fd = notify_fd(i);

		if (child_fd[i] > 0 && child_fd[i] != fd)
			loop_del(child_fd[i]);
	}
	for (unsigned i = 0; i < NOTIFY_WAYS; i++) {
		int fd = notify_fd(i);

		if (fd != -1)
			loop_set(fd, LOOP_IN, TAG_CHILD | i, &why);
		child_fd[i] = fd;
	}
}

/* ---- the store's jobs ---- */

/* The life of the child: what it says is "+"; or, after "!" where it lacked
 * room, else after "-", why not. */
static void
run_job(int fd, const void *arg)
{
	const struct store_job *job = arg;
	struct fail why = { "" };
	char said[FAIL_MAX + 1];
	int rc;

	if (getppid() != work.parent)
		return;
	rc = store_job_child(store, &why) == -1 ? -1 :
	    job->what == STORE_SNAPSHOT ?
	    change_snapshot(job, now.now_ms, &why) :
	    store_job_run(store, job, &why);
	tell_damage();
	snprintf(said, sizeof said, "%s%s", rc == 0 ? "+" :
	    store_job_cramped(store) ? "!" : "-", rc == 0 ? "" : why.msg);
	if (write(fd, said, strlen(said)) == -1)
		log_line("a job's parent is gone");
}

static void
end_job(void)
{
	char said[FAIL_MAX + 1] = "";
	ssize_t n = read(work.fd, said, sizeof said - 1);

	loop_del(work.fd);
	close(work.fd);
	work.fd = -1;
	waitpid(work.pid, NULL, 0);
	if (strcmp(said, "+") != 0)
		log_line("a job of the store failed: %s", n > 0 ? said + 1 :
		    "its process ended");
	work.job.cramped = said[0] == '!';
	store_job_end(store, &work.job, strcmp(said, "+") == 0, mono_ms);
}

/* One at a time, each tick. */
static void
begin_job(void)
{
	struct fail why;

	if (work.fd != -1 || !store_job_next(store, now.now_ms, mono_ms,
	    &work.job))
		return;
	fflush(stdout);
	work.parent = getpid();
	work.fd = child_fork(run_job, &work.job, SERVER_JOB_S, &work.pid, &why);
	if (work.fd != -1 && loop_set(work.fd, LOOP_IN, TAG_JOB, &why) == 0)
		return;
	log_line("%s", why.msg);
	if (work.fd == -1) {
		store_job_end(store, &work.job, false, mono_ms);
		return;
	}
	kill(work.pid, SIGKILL);	/* nothing would tell of its end */
	end_job();
}

static void
event(const struct loop_event *ev)
{
	unsigned low = (unsigned)(ev->tag & 0xffffffff);

	if (ev->tag >= TAG_CONN) {
		conn_event(conn_at(low), ev->what);
	} else if (ev->tag >= TAG_JOB) {
		end_job();
	} else if (ev->tag < TAG_CHILD) {
		accept_all(low);
	} else {
		/* The child may be another by now: the one there is, is
		 * asked, and has nothing to say if it was not this one. */
		notify_ready(low, &now);
		follow_children();
	}
}

static int
turn(struct fail *why)
{
	static struct loop_event ev[LOOP_EVENTS_MAX];
	int64_t wait = SERVER_TICK_MS - (mono_ms - tick_ms);
	int64_t due = notify_next() - now.watch_ms;
	bool ticks;
	int i, n;

	if (due < wait)
		wait = due;
	n = loop_wait(wait < 0 || answered_n > 0 ? 0 : (int)wait, ev, why);
	if (n == -1)
		return -1;
	look_at_clock();
	for (i = 0; i < n; i++)
		event(&ev[i]);
	if (conn_shaking() != shaking) {
		shaking = !shaking;
		watch_listeners(shaking ? 0 : LOOP_IN);
	}
	ticks = mono_ms - tick_ms >= SERVER_TICK_MS;
	if (ticks)
		tick();
	if (asked_reload)
		reload();
	notify_due(&now);
	follow_children();
	release(commit());
	if (ticks)
		begin_job();
	notify_send(&now);
	follow_children();
	return 0;
}

static void
on_signal(int sig)
{
	if (sig == SIGHUP)
		asked_reload = 1;
	else
		asked_end = 1;
}

static void
take_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:d:l:nvV")) != -1 && c != '?')
		if (c == 'f') {
			options.conf = optarg;
		} else if (c == 'd') {
			options.dir = optarg;
		} else if (c == 'l') {
			options.listen = optarg;
		} else if (c == 'n') {
			options.test = true;
		} else if (c == 'v') {
			log_verbose++;
		} else {	/* 'V' */
			puts("vilicus-server " VERSION);
			fflush(stdout);
			_exit(0);
		}
	if (c == '?' || optind != argc) {
		fprintf(stderr, "usage: vilicus-server [-f FILE] [-d DIR] "
		    "[-l [ADDR:]PORT] [-nvV]\n");
		_exit(2);
	}
}

/* Our own identity, for what we are reached by: the public name, and the
 * addresses of listeners, but for those that mean all there are. */
static int
open_identity(struct fail *why)
{
	static char room[CONFIG_LISTEN + 1][CONFIG_TEXT];
	const char *names[CONFIG_LISTEN + 1];
	struct str s;
	struct http_url u;
	size_t n = 0;

	if (http_url(str_of(config.public), &u, why) == 0 &&
	    str_copy(room[n], sizeof room[n], u.host) == 0)
		n++;
	for (unsigned i = 0; i < config.listens; i++) {
		s = str_of(config.listen[i].addr);
		while (s.n > 0 && s.p[s.n - 1] != ':')
			s.n--;
		s.n -= s.n > 0;
		if (s.n > 2 && s.p[0] == '[')
			s = (struct str){ s.p + 1, s.n - 2 };
		if (s.n > 0 && !str_is(s, "0.0.0.0") && !str_is(s, "::") &&
		    str_copy(room[n], sizeof room[n], s) == 0)
			n++;
	}
	for (size_t i = 0; i < n; i++)
		names[i] = room[i];
	return identity_open(options.dir, names, n, why);
}

static int
serve(struct fail *why)
{
	char text[ADDR_TEXT], pins[IDENTITY_PINS];

	mono_ms = loop_mono_ms();
	look_at_clock();
	if (loop_open(why) == -1 || recover(why) == -1 || first_key(why) == -1)
		return -1;
	if (open_identity(why) == -1)
		return -1;
	take_settings(&config);
	notify_reload();
	for (unsigned i = 0; i < config.listens; i++) {
		if (config.listen[i].cert[0] != '\0' &&
		    identity_read(&shown[i], config.listen[i].cert,
		    config.listen[i].key, why) == -1)
			return -1;
		sockets[i] = stream_listen(str_of(config.listen[i].addr), why);
		if (sockets[i] == -1 ||
		    loop_set(sockets[i], LOOP_IN, TAG_LISTEN | i, why) == -1 ||
		    stream_local(sockets[i], text, why) == -1)
			return -1;
		printf("vilicus-server: listening on http%s://%s/\n",
		    config.listen[i].plain || is_loopback(text) ? "" : "s",
		    text);
	}
	identity_pins(pins);
	printf("vilicus-server: the pin of its key is %s\n", pins);
	if (access(key_path, R_OK) == 0)
		printf("vilicus-server: admin key in %s\n", key_path);
	fflush(stdout);
	mono_ms = tick_ms = loop_mono_ms();	/* the start does not count */
	while (!asked_end)
		if (turn(why) == -1)
			return -1;
	log_info("ends");
	if (work.fd != -1) {
		kill(work.pid, SIGKILL);
		waitpid(work.pid, NULL, 0);
	}
	store_sync(store, 0);
	commit();
	store_close(store);
	return 0;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct rlimit rl;
	struct fail why;
	unsigned bad;

	log_program = "vilicus-server";
	take_options(argc, argv);
	bad = read_config(&config);
	if (options.test || bad > 0) {
		if (bad == 0)
			puts("the configuration is fine");
		return bad > 0;
	}
	umask(077);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
	/* As many descriptors as we may have; a few stay for files. */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
		getrlimit(RLIMIT_NOFILE, &rl);
		conn_limits(rl.rlim_cur > CONN_MAX + SERVER_FILES ? CONN_MAX :
		    (unsigned)rl.rlim_cur - SERVER_FILES, CONN_BYTES);
	}
	if (child_helper(&channel_child, 1, &why) == -1 || serve(&why) == -1)
		return (int)complain("", &why);
	return 0;
}
