/*
 * store_impl.h: what the files of the store share, and nobody else includes.
 *
 * store.c holds what all kinds of files have in common: the directory, a
 * window to read through, the walk over records, durable appending, the
 * budget.  store_journal.c knows lines, store_head.c reports, store_block.c
 * sealed results; store_code.c turns numbers into bytes and store_part.c
 * rows into columns; store_rows.c reads history back over all of them, and
 * store_job.c seals, merges and thins it.
 *
 * - Bytes before a file's end never change, so a window is never stale.
 * - What a file holds from its successor's first number on was never
 *   acknowledged: a commit failed there, and was made again in the successor.
 * - A file that cannot be opened ends a walk and sets read_error; bytes that
 *   cannot be read are zeros, which are no record.
 */
#ifndef STORE_IMPL_H
#define STORE_IMPL_H

#include "store.h"

#define STORE_NUMBER_MAX	UINT64_C(1000000000000000000)
#define STORE_BODY_MAX		(STORE_LINE_MAX - 136) /* bytes of a line's */
#define STORE_OLDER_MAX		100	/* files named in a first line */
#define STORE_RECORD_MAX	STORE_PENDING_MAX
#define STORE_WIN_BYTES		131072u	/* a window's usual size */
#define STORE_WIN_BLOCK		16384	/* and in blocks */
#define STORE_WIN_MAX		(STORE_RECORD_MAX + 8)
#define STORE_DAMAGE_MAX	32	/* texts kept; the rest is counted */
#define STORE_DICT_MAX		64	/* names a head record remembers */
#define STORE_FRAME		8	/* of a record: length and crc32 */
#define STORE_FRONT	64	/* for a record before what is pending */
#define STORE_VARINT		10	/* bytes of a number, at most */
#define STORE_REPORT_ROOM	(STORE_FRAME + 1 + 7 * STORE_VARINT)
#define STORE_METRIC_ROOM	(2 + STORE_NAME_MAX + STORE_VARINT)
#define STORE_RESULT_ROOM	(2 + 3 * STORE_VARINT + 1 + \
		STORE_METRICS_MAX * STORE_METRIC_ROOM + 2 + STORE_TEXT_MAX)
#define STORE_ROWS		1024	/* of a part of a block */
#define STORE_TICKS_MIN		1000	/* in 10 s of one CPU, */
#define STORE_TICKS_MAX		32000	/* and of 32: looked for in percents */
#define STORE_SECTOR		4096u	/* bytes read at once of bad ones */
#define STORE_SLACK		16384	/* a new file's first block, and more */
#define STORE_RESERVE		(256u << 10) /* bytes kept for a full disk */
#define STORE_HOUR_MS		3600000
#define STORE_DAY_MS		86400000
#define STORE_SEAL_BYTES	(4u << 20) /* of the head: seal early */
#define STORE_BLOCK_BYTES	(64u << 20) /* of one merged, at most */
#define STORE_MERGE_MAX		64	/* blocks at once */
#define STORE_MERGE_TODAY	32	/* small ones of a day not over */
#define STORE_THIN_MAX		8	/* blocks at once */
#define STORE_JOB_SLACK		65536	/* bytes, beyond what a job estimates */
#define STORE_NEW		(O_RDWR | O_CREAT | O_EXCL) /* a file */
#define STORE_NOWHERE		UINT64_MAX
#define STORE_PENDING		UINT32_MAX /* number of what is no file yet */

struct store_span {
	int64_t min_ms, max_ms;		/* none: min > max */
};
#define STORE_NO_SPAN	((struct store_span){ INT64_MAX, INT64_MIN })

enum { LEVEL_RAW, LEVEL_MINUTES, LEVEL_HOUR, LEVELS };

/* The first record of a block, and again its last; all have one length. */
struct store_header {
	uint64_t first, last;		/* seq of the reports it is made of */
	uint64_t level;
	int64_t received_ms;		/* of one of the newest reports */
	struct store_span span;
	uint64_t rows;
	uint64_t top;			/* where its directory is */
};

struct store_file {
	uint32_t number;
	char name[16];			/* N.log */
	uint64_t first;			/* first n or seq; 0: nothing good */
	uint64_t end;			/* bytes up to the end of the last */
	uint64_t alloc;			/* bytes it takes on the disk */
	struct store_span span;		/* of its results */
	struct store_header block;	/* head: received_ms of its first; of
					 * a snapshot n in first, seq in last */
	bool foreign;			/* not by this version: left as it is */
	bool whole;			/* read once, and nothing was amiss */
	bool told;			/* its damage is known */
	unsigned mark;			/* of store_rows.c's */
	bool dead;			/* goes once what replaces it is safe */
	bool unsure;			/* its name is not durable yet */
	char *all;			/* all its bytes, while it is sealed */
};

/* A record as it lies in a file. */
struct store_rec {
	uint64_t at, next;		/* its bytes; where to go on after it */
	bool trusted;			/* was found whole before */
	uint64_t n;			/* what is counted up to and with it */
	uint64_t first;			/* of a file's first: what that begins
					 * with; of others 0 */
	uint64_t version;		/* of a file's first */
	unsigned type;			/* of a binary one */
	struct str text;		/* the line; what follows SEQ */
	struct str prev;		/* journal, as all below */
	bool more, snap;
	bool end;			/* the last of a snapshot */
};

enum { STORE_BAD, STORE_PASS, STORE_GOOD };

/* All files of one kind. */
struct store_set {
	const struct store_io *io;
	const char *name, *ext;		/* "journal", "log" */
	/* Take the record at r->at apart.  Bad: not whole; pass: not counted.
	 * r->next is set in any case. */
	int (*parse)(struct store_set *t, const struct store_file *f,
	    struct store_rec *r);
	struct store_file *file;	/* oldest first, and, at file[files] */
	unsigned files;			/* what is pending, seen as one */
	int dir;
	int fd;				/* the newest; -1: begin another */
	uint32_t next;			/* number of the next file */
	bool fresh;			/* the directory needs an fsync */
	char aside[16];			/* N.tmp, made without a name yet */

	int64_t retry_ms;		/* 0: the disk works */
	struct fail last;		/* else why not */
	int write_error;		/* errno of the first failure */
	uint64_t at;			/* where the next write goes */
	char *front;			/* STORE_FRONT bytes, and after them */
	struct buf pend;		/* what awaits a commit, */
	size_t written;			/* of it not synced, but written */

	int win_fd;			/* -1: none */
	int read_error;			/* errno */
	size_t ahead;			/* bytes read at once */
	uint32_t win_number;
	uint64_t win_off;
	size_t win_n;
	bool holes;			/* some of it could not be read */
	bool unread;			/* the same, ever, or a file */
	char *win;			/* STORE_WIN_MAX */
};

/* A walk over the records of file i. */
struct store_walk {
	struct store_set *set;
	bool trusted;			/* its records were found whole */
	unsigned i;
	uint64_t off;			/* next to be looked at */
	uint64_t last, limit;		/* numbers accepted: last < n < limit */
	uint64_t bad;			/* where a bad stretch began */
	uint64_t good;			/* end of the last whole batch */
	bool tell;			/* report what is not whole */
	bool damaged;			/* it was not */
};

/* A number and the line it ends: what the next line continues. */
struct store_chain {
	uint64_t n;
	char hash[65];
};

/* Bytes being written, or read; and of a report what its results refer to. */
struct store_code {
	bool writing;
	bool bad;			/* it was cut short, or past a limit */
	struct buf out;
	struct str in;
	struct store_report rep;
	struct store_span span;
	unsigned done;			/* results read */
	int64_t check, at_ms;		/* of the result before */
	unsigned names;
	struct str name[STORE_DICT_MAX];	/* no more than these are set */
};

/* ---- blocks ---- */

#define STORE_COLUMNS	(1 + STORE_METRICS_MAX) /* of a part */
#define STORE_THIRD	342		/* rows that a summary is of */
#define STORE_PAGE	256		/* strips that a page names */
#define STORE_SHARED	32		/* columns of times remembered */

/* One number of the rows of a part, at [row]; of what was thinned the mean,
 * then the least and the greatest. */
struct store_column {
	char name[STORE_NAME_MAX + 1];	/* "": the value */
	unsigned n;			/* rows that have it */
	uint8_t has[STORE_ROWS];
	int64_t v[3][STORE_ROWS];
};

/* Rows of one check, in the order of their times. */
struct store_part {
	unsigned level, rows, columns;
	int64_t at[STORE_ROWS];
	int64_t flags[STORE_ROWS];	/* doc/format */
	int64_t count[STORE_ROWS];	/* results each is made of */
	unsigned text_at[STORE_ROWS];	/* where the row's text begins */
	uint16_t text_n[STORE_ROWS];
	struct buf text;
	char text_room[STORE_ROWS * STORE_TEXT_MAX];
	struct store_column column[STORE_COLUMNS];
};

/* Where a part of a strip is. */
struct store_ref {
	uint64_t at, times;		/* its record, and that of its times */
	int64_t first_ms, last_ms;
	unsigned rows;
};

/* What block `file` has of one check. */
struct store_strip {
	unsigned file;
	char *bytes;			/* of its record */
	struct store_code c;		/* the names of its columns */
	struct store_ref *ref;
	unsigned refs;
};

/* Of each 342 rows of a strip: when they begin, how many results they are,
 * the worst code; mean, least and greatest of one column. */
struct store_summary {
	unsigned n;
	int64_t at[STORE_ROWS], count[STORE_ROWS], worst[STORE_ROWS];
	int64_t v[3][STORE_ROWS];
};

/* Where a result is. */
struct store_pos {
	uint32_t file, offset, index;
	int64_t at_ms;
	uint64_t seq, check;
};

/* A row of a part; age: of two with one time the less is the first. */
struct store_at {
	int64_t at_ms;
	uint64_t age;
	const struct store_part *p;
	unsigned i;
};

/* What was read of one check. */
struct store_reader {
	struct store_query ask;
	struct store_part **part;
	unsigned parts, made;		/* in use, and there */
	struct store_at *row;
	unsigned rows, rows_room, next;
	unsigned mark;			/* of the blocks looked at */
	struct store_series *to;	/* what is drawn; or NULL */
};

/* What is drawn. */
struct store_series {
	const struct store_query *ask;
	struct str name;
	unsigned points;
	struct store_bucket *b;
};

struct store {
	const struct store_io *io;
	const char *path;
	bool look;			/* nothing is changed or locked */
	int dir, lock;
	uint64_t budget, other_bytes, reserve_bytes;
	struct store_set j, n, h, b;	/* journal, snapshots, head, blocks */
	struct store_set *set[4];	/* all of them */
	unsigned sets;
	int64_t sync_ms;		/* results may wait so long */
	int64_t synced_ms;		/* monotonic, as all below */
	bool sync_now;
	int64_t reserve_ms;		/* when to try to have one again */
	bool given;			/* it was, and is not back */

	struct fail damage[STORE_DAMAGE_MAX];
	unsigned damages, damage_read;

	struct store_chain chain;	/* committed */
	struct store_chain scanned;	/* of the line read last, and which */
	uint64_t told_head;		/* report it says was on disk */
	struct store_chain sought;	/* a line wanted, and once it was read
					 * its hash */
	struct store_chain out;		/* of the line written last */
	struct store_set *out_to;
	char line[STORE_WIN_BYTES];	/* lines on their way into a file */
	size_t line_n;
	uint64_t snap_n, snap_head;	/* what the newest snapshot covers */
	uint64_t snap_bytes, snap_max;
	bool snap_due;
	uint32_t live;			/* the oldest file a start may read */
	struct store_walk replay, read;

	uint64_t seq, durable;		/* newest: pending included, or not */
	int64_t newest_ms;		/* received_ms of the newest */
	struct store_span span;		/* of what is pending */
	struct store_code enc, dec;	/* enc is in use while it writes */
	struct store_walk reports;

	struct store_reader q;
	bool busy;			/* a job is under way, and may write */
	uint64_t job_bytes;
	int64_t job_ms;			/* when there may be another */
	unsigned job_fails;		/* so many lacked room, at most 2 */
	bool cramped;			/* what this process is at does */
};

/* store.c: each is explained there; 0, or -1 with *why. */
/* Room for one more in an array that grows: *p has n of *room.  NULL: there
 * is no memory; else *p. */
void *store_grow(void *p, unsigned n, unsigned *room, size_t size);
/* qsort(3) of what mostly is in order. */
void store_sort(void *p, unsigned n, size_t size,
    int (*order)(const void *a, const void *b));
void store_span_add(struct store_span *s, int64_t min_ms, int64_t max_ms);
void store_note(struct store *s, const struct store_walk *w, uint64_t off,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void store_walk_begin(struct store_walk *w, struct store_set *t, unsigned i);
bool store_step(struct store *s, struct store_walk *w, struct store_rec *r);
int store_next(struct store *s, struct store_walk *w, struct store_rec *r,
    struct fail *why);
int store_unread(const struct store_walk *w, struct fail *why);
const char *store_win(struct store_set *t, const struct store_file *f,
    uint64_t off, size_t n);
struct store_file *store_newest(const struct store_set *t);
uint64_t store_first(const struct store_set *t, unsigned i);
int store_file_open(const struct store_io *io, int dir, const char *name,
    int flags);
int store_file_add(struct store_set *t, uint32_t number, const struct stat *st,
    struct fail *why);
int store_file_fail(const struct store_set *t, const struct store_file *f,
    const char *what, struct fail *why);
int store_file_sync(struct store_set *t, struct fail *why);
void store_win_close(struct store_set *t);
/* Have a file of zeros, that gives its room to decisions on a full disk. */
void store_reserve(struct store *s);
/* store_open.c */
struct store *store_look(const char *dir, const struct store_io *io,
    struct fail *why);
int store_cut(struct store *s, const struct store_walk *w, struct fail *why);
void store_leave(struct store_set *t);
void store_abandon(struct store_set *t);
int store_begin(struct store *s, struct store_set *t, uint64_t bytes,
    struct fail *why);
void store_write(struct store_set *t, struct str bytes);
int store_end(struct store_set *t, uint64_t first, struct fail *why);
uint64_t store_cap(const struct store *s, uint64_t bytes);
bool store_make_room(struct store *s, uint64_t bytes);
/* A job's file would become larger than it may: its write has failed. */
void store_cramp(struct store *s, struct store_set *t);
/* A file made aside: made (by the holder of the lock, who alone makes names),
 * begun, ended (rc is passed on), given its name, which the next commit makes
 * durable. */
int store_aside_make(struct store_set *t, uint32_t number);
int store_aside(struct store_set *t, struct fail *why);
int store_aside_end(struct store_set *t, int rc, struct fail *why);
int store_name(struct store_set *t, uint32_t number, struct fail *why);
/* Record damage in a block, the first of each. */
void store_block_damaged(struct store *s, unsigned i, uint64_t at);

/* store_code.c: numbers, texts, columns and records, both ways. */
void store_code_from(struct store_code *c, struct str in); /* read it */
uint64_t store_code_fixed(struct store_code *c, uint64_t v); /* 64 bits */
unsigned store_code_byte(struct store_code *c, unsigned byte);
uint64_t store_code(struct store_code *c, uint64_t v);
/* As the difference to base, which is small when they are close. */
int64_t store_code_signed(struct store_code *c, int64_t v, int64_t base);
struct str store_code_bytes(struct store_code *c, struct str s, size_t max);
struct str store_code_name(struct store_code *c, struct str name);
void store_code_column(struct store_code *c, int64_t *v, unsigned n);
/* Begin a record into p; then frame the n bytes it came to. */
void store_record_begin(struct store_code *c, char *p, size_t cap,
    unsigned type, uint64_t n);
struct str store_record_end(char *p, size_t n);
/* Is there a whole record at r->at?  What may follow it is at r->next. */
bool store_record_at(struct store_set *t, const struct store_file *f,
    struct store_rec *r);

/* store_journal.c */
int store_line(struct store_set *t, const struct store_file *f,
    struct store_rec *r);
void store_hash(struct str line, char hex[65]);
uint64_t store_member(struct str line, const char *name);
int store_journal_scan(struct store *s, unsigned i, struct fail *why);
int store_snapshot_scan(struct store *s, unsigned i, struct fail *why);
int store_journal_open(struct store *s, struct fail *why);
int store_journal_commit(struct store *s, struct fail *why);
void store_journal_drop(struct store *s);	/* what is not kept */
bool store_snapshot_take(struct store *s, const struct store_job *job);

/* store_head.c */
int store_record(struct store_set *t, const struct store_file *f,
    struct store_rec *r);
int store_head_scan(struct store *s, unsigned i, struct fail *why);
int store_head_open(struct store *s, struct fail *why);
int store_head_commit(struct store *s, int64_t mono_ms, struct fail *why);
bool store_report_open(struct store_code *c, const struct store_rec *r);
int store_head_rows(struct store *s, const struct store_query *ask,
    uint64_t last, struct store_pos **pos, unsigned *n, struct fail *why);
unsigned store_head_part(struct store *s, const struct store_pos *pos,
    unsigned n, struct store_part *part);

/* store_part.c */
void store_part_clear(struct store_part *p, unsigned level);
/* False: there is no room, for the row or for its names. */
bool store_part_add(struct store_part *p, const struct store_row *row);
void store_part_row(const struct store_part *p, unsigned i,
    struct store_row *row);
void store_part_code(struct store_code *c, struct store_part *p,
    const struct str *only);

/* store_block.c */
extern const int64_t store_level_ms[LEVELS];
void store_sum_add(struct store_sum *a, const int64_t v[3], uint64_t count);
int store_block_open(struct store *s, unsigned i, struct fail *why);
void store_block_order(struct store *s);
int store_block_find(struct store *s, unsigned i, uint64_t least,
    uint64_t *check, uint64_t *at);
int store_strip_open(struct store *s, unsigned i, uint64_t at,
    struct store_strip *p, struct fail *why);
bool store_strip_summary(struct store_strip *p, struct str name,
    struct store_summary *sum);
bool store_part_read(struct store *s, struct store_strip *p, unsigned k,
    struct store_part *part, const struct str *only);
/* A block being made: strips in the order of their checks, each with its
 * rows in the order of their times.  max_bytes 0: no bound. */
struct store_maker *store_maker_open(struct store *s,
    const struct store_header *h, uint64_t max_bytes);
void store_maker_strip(struct store_maker *m, uint64_t check);
int store_maker_row(struct store_maker *m, const struct store_row *row);
int store_maker_strip_end(struct store_maker *m);
int store_maker_end(struct store_maker *m, struct fail *why);
void store_maker_close(struct store_maker *m);

/* store_rows.c */
void store_reader_close(struct store_reader *q);
int store_read_head(struct store *s, struct store_reader *q,
    const struct store_pos *pos, unsigned n, struct fail *why);
int store_read_block(struct store *s, struct store_reader *q, unsigned i,
    uint64_t at, struct fail *why);
void store_reader_order(struct store_reader *q);
int store_reader_next(struct store_reader *q, struct store_row *row);

/* store_job.c */
bool store_job_takes(const struct store_job *job, const struct store_file *f);
struct store_file *store_oldest(struct store *s);
void store_job_clean(struct store *s);

#endif
