/*
 * store.h: the append-only files: journal, head and blocks.
 *
 * The store keeps two sequences of records in one directory with one
 * writer, and knows nothing of monitoring.  The journal holds JSON lines,
 * numbered and chained; the head holds reports: results of checks, as
 * received.  Whatever store_commit has acknowledged survives kill -9, a
 * pulled plug, a torn write.  After any crash store_open succeeds by
 * itself: a torn tail is cut (a copy is kept), a damaged middle skipped to
 * the next good record, counted and named.  doc/format draws the bytes.
 *
 * Beside the commits there are jobs (store_job_next): a snapshot of what the
 * journal came to; results sealed by check into blocks, these merged, and,
 * where the budget wants room, thinned to means of 5 minutes, then of hours.
 *
 * Every call to the file system goes through struct store_io, so that tests
 * put a faulty disk underneath.  Time is an argument.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "fail.h"
#include "str.h"

#define STORE_LINE_MAX		65536	/* bytes of one journal line */
#define STORE_METRICS_MAX	32	/* metrics of a result */
#define STORE_NAME_MAX		32	/* bytes of a metric's name */
#define STORE_TEXT_MAX		256	/* bytes of a result's message */
#define STORE_RESULTS_MAX	2048	/* results of a report */
#define STORE_PENDING_MAX	(4u << 20) /* that await a commit, per kind */
#define STORE_JOURNAL_BYTES	(4u << 20) /* a journal file rotates after */
#define STORE_HEAD_BYTES	(256u << 10) /* a head file rotates after */
#define STORE_RETRY_MS		60000	/* between tries of a failing disk */

/* The file calls, as POSIX has them (openat(2), pread(2) ...). */
struct store_io {
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*ftruncate)(int fd, off_t n);
	int (*unlinkat)(int dir, const char *path, int flags);
	int (*renameat)(int from_dir, const char *from, int dir,
	    const char *to);
	int (*mkdirat)(int dir, const char *path, mode_t mode);
	int (*fstat)(int fd, struct stat *st);
	int (*close)(int fd);
	/* Each name in a directory, until name returns non-zero. */
	int (*list)(int dir, int (*name)(void *arg, const char *name),
	    void *arg);
	int (*lock)(int fd);		/* fcntl(2): F_SETLK, F_WRLCK */
};
extern const struct store_io store_posix;

struct store_metric {
	struct str name;
	int64_t value;			/* thousandths */
};

#define STORE_NO_CODE	255

struct store_result {
	uint64_t check;			/* series group: 1 to 10^18 - 1 */
	int64_t at_ms;
	uint8_t code;			/* 0-3: status as judged on arrival */
	uint8_t given;			/* 0-3: status as sent; or NO_CODE */
	bool late, has_value;
	int64_t value;			/* thousandths */
	unsigned metrics;
	struct store_metric metric[STORE_METRICS_MAX];
	struct str text;
};

struct store_report {
	uint64_t seq;			/* consecutive over all head files */
	uint64_t source;		/* agent; 0: none */
	int64_t received_ms;
	uint64_t dropped;		/* told lost by the source */
	unsigned results;
};

struct store;				/* on the store's heap */

/*
 * Open DIR, made 0700 if it is not there, take its lock, and recover it.
 * budget_bytes bounds what its files take, at every moment (0: nothing
 * does): history is thinned, the oldest first, then goes; the journal's old
 * files, which no start reads, go last.  NULL with *why: it is in use, the
 * system
 * refuses, or something in it is a link; never because of what files hold.
 * The lock is fcntl(2)'s: one store a process, and nothing else in the
 * process may open and close DIR/lock.  store_close commits nothing.
 */
struct store *store_open(const char *dir, const struct store_io *io,
    uint64_t budget_bytes, struct fail *why);
void store_close(struct store *s);

/*
 * Then read what there is, before the first append: the newest snapshot that
 * is whole and what the journal has since, one record a call, whole lines
 * without the newline and without the files' own first lines; and the
 * reports from from_seq on.  1: one; 0: the end; -1: cannot be read (*why).
 * Borrowed until the next call that reads the same kind: no store_rows
 * between results.
 * store_damage says what was met that was not whole: 1 a text (file, offset,
 * what), 0 no more.  Damage in a finished head file is met when it is read,
 * which may be long after the start: ask from time to time.
 */
int store_journal_next(struct store *s, struct str *line, struct fail *why);
int store_report_next(struct store *s, uint64_t from_seq,
    struct store_report *r, struct fail *why);
/* The next result of the report just returned.  1 or 0. */
int store_result_next(struct store *s, struct store_result *r);
int store_damage(struct store *s, struct str *text);

/*
 * Append, to memory until the commit.  body: the members of a JSON object
 * without its braces ("\"at\":…,\"by\":…"), and no newline; the store adds
 * n, more, prev and crc.  The records of one commit are one batch: after a
 * crash all of them are there, or none.  keep: on a failed commit the record
 * stays pending and is tried again (decisions); otherwise it is dropped
 * (settings, which were answered 503 and are undone by the caller).  0, or
 * -1: no room, or body is empty or leaves less than 136 bytes of
 * STORE_LINE_MAX.
 */
int store_journal(struct store *s, struct str body, bool keep,
    struct fail *why);

/* A report: begin, its results, end.  begin fails (-1) when there may be no
 * room for max_results more; then the others cannot.  One of up to
 * STORE_RESULTS_MAX results has room when nothing is pending; for more it
 * fails always.  r->seq and r->results are not read.  A result past its
 * limits is a fault of the caller's.  Reports are always kept.
 * store_report_begin returns the report's seq in *seq. */
int store_report_begin(struct store *s, const struct store_report *r,
    unsigned max_results, uint64_t *seq, struct fail *why);
void store_report_add(struct store *s, const struct store_result *r);
void store_report_end(struct store *s);

/* Is anything pending? */
bool store_dirty(const struct store *s);

/*
 * Make what is pending durable: the head, then the journal, one fdatasync
 * each.  0: all of it is on the platter.  Else what is not, of which nothing
 * may be acknowledged: STORE_REPORTS and STORE_RECORDS are apart, so that a
 * full disk still takes decisions and settings from its reserve.  A new file
 * is begun for the next try, which is made at the first commit
 * STORE_RETRY_MS later (calls before then fail at once).
 */
#define STORE_REPORTS	1u
#define STORE_RECORDS	2u
unsigned store_commit(struct store *s, int64_t mono_ms, struct fail *why);

/* Reports may wait so long for the platter (0: not at all) once they are
 * written, where no record is committed with them. */
void store_sync(struct store *s, int64_t wait_ms);

/* The newest head record's seq, pending ones included; n of the newest
 * committed journal record and its SHA-256 in hex (NULL: not wanted). */
uint64_t store_head_seq(const struct store *s);
uint64_t store_journal_n(const struct store *s, char hash[65]);

/*
 * Jobs.  store_job_next says what is to be done now, if anything: true, and
 * *job.  It is done by a child: a fork of this process that has closed all
 * descriptors (store_job_child), or, for tests, by this one.  For
 * STORE_SNAPSHOT it begins, puts every live object's body, and ends; the
 * others are store_job_run.  Then the parent says how it went.  One at a
 * time; while records are pending there is none.  A job that failed is tried
 * again a minute later.  store_want_snapshot asks for one.
 */
enum store_what { STORE_IDLE, STORE_SNAPSHOT, STORE_SEAL, STORE_MERGE,
    STORE_THIN };
struct store_job {
	enum store_what what;
	uint32_t number;		/* of the file it makes */
	unsigned level;
	uint64_t first, last;		/* seq of the reports it is about */
	uint64_t n;			/* snapshot: of the journal */
	uint64_t max_bytes;		/* of the new file */
	bool cramped;			/* set before store_job_end: the child
					 * said so */
};
bool store_job_next(struct store *s, int64_t now_ms, int64_t mono_ms,
    struct store_job *job);
int store_job_child(struct store *s, struct fail *why);
int store_job_run(struct store *s, const struct store_job *job,
    struct fail *why);
/* Did what was run here fail because max_bytes were too few? */
bool store_job_cramped(const struct store *s);
void store_job_end(struct store *s, const struct store_job *job, bool done,
    int64_t mono_ms);
void store_want_snapshot(struct store *s);
int store_snapshot_begin(struct store *s, const struct store_job *job,
    int64_t at_ms, struct fail *why);
void store_snapshot_put(struct store *s, struct str body);
int store_snapshot_end(struct store *s, struct fail *why);

/*
 * History: the results of one check with from_ms <= at_ms <= to_ms in the
 * order of at_ms (down: newest first), committed or pending, each once.
 * source (0: any): reports of another source need not be looked at.
 * store_rows begins (0, -1), store_row_next gives one: 1, 0: no more, -1.
 * What it points to lasts until the next call of either; nothing may be
 * appended or committed in between.
 */
struct store_query {
	uint64_t check, source;
	int64_t from_ms, to_ms;
	bool down;
	unsigned limit;			/* rows wanted; 0: all */
};
struct store_row {
	struct store_result r;		/* of many: worst code, means */
	uint64_t count;			/* results it is made of, */
	int64_t span_ms;		/* from r.at_ms on; 0: it is one */
	int64_t value[3];		/* mean, least, greatest */
	int64_t metric[STORE_METRICS_MAX][3];
};
int store_rows(struct store *s, const struct store_query *ask,
    struct fail *why);
int store_row_next(struct store *s, struct store_row *row, struct fail *why);

/*
 * The same as `points` buckets of equal width over [from_ms, to_ms], from_ms
 * not negative; name "" is the value, else a metric.  No least or greatest
 * value is left out; where a bucket is at least twice as wide as what 342
 * results span, one of theirs may be in the next bucket, too.  0 or -1.
 */
struct store_sum {
	uint64_t n, high, low;		/* values; sums of their halves */
	int64_t min, max;
};
struct store_bucket {
	uint64_t rows;			/* results; 0: none */
	uint8_t worst;			/* code */
	struct store_sum sum;		/* n 0: none has the number */
};
int64_t store_sum_mean(const struct store_sum *a);	/* n > 0 */
int store_series(struct store *s, const struct store_query *ask,
    struct str name, unsigned points, struct store_bucket *bucket,
    struct fail *why);

/*
 * Record n of the journal, for people, over all files kept.  1: *line, good
 * until the next call; 0: none such, or one of a snapshot, or a file's first
 * line, which tell nothing new; -1.  Committed ones only.  Reading one after
 * the other, up or down, is fast.  store_journal_first: the oldest number
 * kept, or 0.
 */
int store_journal_read(struct store *s, uint64_t n, struct str *line,
    struct fail *why);
uint64_t store_journal_first(const struct store *s);

/* Bytes that the directory's files take on the disk, what a job under way
 * may write included. */
uint64_t store_bytes(const struct store *s);

/*
 * Read everything in a directory, beside a running server or without one,
 * changing nothing: each damage is told (file, offset, what).  0, or -1: it
 * cannot be read.
 */
struct store_tally {
	unsigned files, damages;
	uint64_t bytes, results;	/* results in blocks */
	uint64_t first, last;		/* numbers of the journal's lines */
	uint64_t n;			/* set before: one of them, or 0 */
	char hash[65];			/* its SHA-256; "": it is not whole */
};
int store_verify(const char *dir, const struct store_io *io,
    void (*tell)(struct str damage), struct store_tally *tally,
    struct fail *why);

#endif
