/*
 * store.h: the append-only files: journal and head (blocks come later).
 *
 * The store keeps two sequences of records in one directory with one
 * writer, and knows nothing of monitoring.  The journal holds JSON lines,
 * numbered and chained; the head holds reports: results of checks, as
 * received.  Whatever store_commit has returned 0 for survives kill -9, a
 * pulled plug, a torn write.  After any crash store_open succeeds by
 * itself: a torn tail is cut (a copy is kept), a damaged middle skipped to
 * the next good record, counted and named.  doc/format draws the bytes.
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
#define STORE_RESULTS_MAX	65536	/* results of a report */
#define STORE_PENDING_MAX	(4u << 20) /* bytes that await a commit */
#define STORE_JOURNAL_BYTES	(4u << 20) /* a journal file rotates after */
#define STORE_HEAD_BYTES	(1u << 20) /* a head file rotates after */
#define STORE_RETRY_MS		60000	/* between tries of a failing disk */

/* The file calls, as POSIX has them (openat(2), pread(2) ...). */
struct store_io {
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*ftruncate)(int fd, off_t n);
	int (*renameat)(int da, const char *a, int db, const char *b);
	int (*unlinkat)(int dir, const char *path, int flags);
	int (*mkdirat)(int dir, const char *path, mode_t mode);
	int (*fstat)(int fd, struct stat *st);
	int (*close)(int fd);
};
extern const struct store_io store_posix;

struct store_metric {
	struct str name;
	int64_t value;			/* thousandths */
};

#define STORE_NO_CODE	255

struct store_result {
	uint64_t check;			/* series group; never 0 */
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
 * Open DIR, made 0700 if it is not there, recover it, and take its lock.
 * budget_bytes bounds it (oldest head files go first).  NULL with *why: it
 * is in use, or the system refuses; never because of what the files hold.
 */
struct store *store_open(const char *dir, const struct store_io *io,
    uint64_t budget_bytes, struct fail *why);
void store_close(struct store *s);

/*
 * Then read what there is, before the first append: all of the live
 * journal (its newest file, which begins with a snapshot), one record a
 * call, whole lines without the newline; and the reports from *from_seq on.
 * 1: one; 0: the end; -1: cannot be read (*why).  Borrowed until the next
 * call.  store_damage says what was met that was not whole: 1 a text (file,
 * offset, what), 0 no more.
 */
int store_journal_next(struct store *s, struct str *line, struct fail *why);
int store_report_next(struct store *s, uint64_t from_seq,
    struct store_report *r, struct fail *why);
/* The next result of the report just returned.  1 or 0. */
int store_result_next(struct store *s, struct store_result *r);
int store_damage(struct store *s, struct str *text);

/*
 * Append, to memory until the commit.  body: the members of a JSON object
 * without its braces ("\"at\":…,\"by\":…"); the store adds n, more, prev and
 * crc.  The records of one commit are one batch: after a crash all of them
 * are there, or none.  keep: on a failed commit the record stays pending and
 * is tried again (decisions); otherwise it is dropped (settings, which were
 * answered 503 and are undone by the caller).  0, or -1: no room.
 */
int store_journal(struct store *s, struct str body, bool keep,
    struct fail *why);

/* A report: begin, its results, end.  begin fails (-1) when there may be no
 * room for max_results more; then the others cannot.  Reports are always
 * kept.  store_report_begin returns the report's seq in *seq. */
int store_report_begin(struct store *s, const struct store_report *r,
    unsigned max_results, uint64_t *seq, struct fail *why);
void store_report_add(struct store *s, const struct store_result *r);
void store_report_end(struct store *s);

/* Is anything pending? */
bool store_dirty(const struct store *s);

/*
 * Make what is pending durable: head first, then the journal, one fdatasync
 * each.  0: all of it is on the platter.  -1: nothing of it may be
 * acknowledged; a new file is begun for the next try, which is made at the
 * first commit STORE_RETRY_MS later (calls before then fail at once).
 */
int store_commit(struct store *s, int64_t mono_ms, struct fail *why);

/* The newest head record's seq, pending ones included; n of the newest
 * committed journal record and its SHA-256 in hex (NULL: not wanted). */
uint64_t store_head_seq(const struct store *s);
uint64_t store_journal_n(const struct store *s, char hash[65]);

/*
 * Rotate the journal.  When store_wants_snapshot says so, the caller begins,
 * puts every live object's body, and ends: a new file, synced, renamed into
 * place.  0, or -1 (the old file goes on).  Not while records are pending.
 */
bool store_wants_snapshot(const struct store *s);
int store_snapshot_begin(struct store *s, int64_t at_ms, struct fail *why);
void store_snapshot_put(struct store *s, struct str body);
int store_snapshot_end(struct store *s, struct fail *why);

/*
 * History of one check: up to limit results with at_ms < before_ms, newest
 * first by at_ms, committed or pending.  store_find returns how many and
 * fills pos; store_load gives one (borrowed until the next call), 0 or -1.
 */
struct store_pos {
	uint32_t file, offset, index;
	int64_t at_ms;
};
#define STORE_FIND_MAX	1000
unsigned store_find(struct store *s, uint64_t check, int64_t before_ms,
    unsigned limit, struct store_pos *pos);
int store_load(struct store *s, const struct store_pos *pos,
    struct store_report *rep, struct store_result *r);

/* Is there a result of check at exactly at_ms?  Committed or pending. */
bool store_has(struct store *s, uint64_t check, int64_t at_ms);

/*
 * Records of the journal for people: from number n on, over all files kept.
 * 1: *line; 0: none such; -1.  Committed ones only.  Sequential reading (n,
 * n + 1, ...) is fast.  store_journal_first: the oldest number kept.
 */
int store_journal_read(struct store *s, uint64_t n, struct str *line,
    struct fail *why);
uint64_t store_journal_first(const struct store *s);

/* Bytes allocated in the directory, and series kept. */
uint64_t store_bytes(const struct store *s);

#endif
