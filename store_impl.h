/*
 * store_impl.h: what the files of the store share, and nobody else includes.
 *
 * store.c holds what both kinds of files have in common: the directory, a
 * window to read through, the walk over records, durable appending, the
 * budget.  store_journal.c knows lines, store_head.c binary records.
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
#define STORE_RECORD_MAX	STORE_PENDING_MAX
#define STORE_WIN_BYTES		131072u	/* a window's usual size */
#define STORE_WIN_MAX		(STORE_RECORD_MAX + 8)
#define STORE_DAMAGE_MAX	32	/* texts kept; the rest is counted */
#define STORE_DICT_MAX		64	/* names a head record remembers */
#define STORE_LATEST		131072u	/* a power of two */
#define STORE_NOWHERE		UINT64_MAX
#define STORE_PENDING		UINT32_MAX /* number of what is no file yet */

struct store_span {
	int64_t min_ms, max_ms;		/* none: min > max */
};
#define STORE_NO_SPAN	((struct store_span){ INT64_MAX, INT64_MIN })

struct store_file {
	uint32_t number;
	char name[16];			/* N.log */
	uint64_t first;			/* first n or seq; 0: nothing good */
	uint64_t end;			/* bytes up to the end of the last */
	uint64_t alloc;			/* bytes it takes on the disk */
	struct store_span span;		/* head: of its results, if ... */
	bool known;			/* ... it need not be read for it */
	bool foreign;			/* not by this version: left as it is */
	bool told;			/* head: its damage is known */
};

/* A record as it lies in a file. */
struct store_rec {
	uint64_t at, next;		/* its bytes; where to go on after it */
	uint64_t n;			/* what is counted up to and with it */
	uint64_t first;			/* of a file's first: what that begins
					 * with; of others 0 */
	uint64_t version;		/* of a file's first */
	unsigned type;			/* head, as those up to text */
	uint64_t before;		/* of a file's first: the file before */
	struct store_span span;		/* it, and its results' times */
	struct str text;		/* the line; what follows SEQ */
	struct str prev;		/* journal, as all below */
	bool more, snap;
	bool end;			/* the last of a snapshot */
};

enum { STORE_BAD, STORE_PASS, STORE_GOOD };

/* All files of one kind. */
struct store_set {
	const struct store_io *io;
	const char *name;		/* "journal" or "head" */
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

	int write_error;		/* errno of the first failure */
	uint64_t at;			/* where the next write goes */
	struct buf pend;		/* what awaits a commit */

	int win_fd;			/* -1: none */
	int read_error;			/* errno */
	size_t ahead;			/* bytes read at once */
	uint32_t win_number;
	uint64_t win_off;
	size_t win_n;
	bool holes;			/* some of it could not be read */
	char *win;			/* STORE_WIN_MAX */
};

/* A walk over the records of file i. */
struct store_walk {
	struct store_set *set;
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

/* A report being written, or read: what its results refer to. */
struct store_code {
	bool writing;
	bool bad;			/* it was cut short, or past a limit */
	struct buf out;
	struct str in;
	struct store_report rep;
	struct store_span span;
	unsigned done;			/* results read */
	int64_t check, at_ms;		/* of the result before */
	struct str name[STORE_DICT_MAX];
	unsigned names;
};

struct store {
	const struct store_io *io;
	int dir, lock;
	uint64_t budget, other_bytes;
	struct store_set j, h;
	int64_t retry_ms;		/* 0: the disk works */
	struct fail last;

	struct fail damage[STORE_DAMAGE_MAX];
	unsigned damages, damage_read;

	struct store_chain chain;	/* committed */
	struct store_chain out;		/* of the line written last */
	char line[STORE_WIN_BYTES];	/* lines on their way into a file */
	size_t line_n;
	bool snapping;			/* a snapshot is being made */
	uint64_t snap_end;		/* where the snapshot in use ends */
	uint64_t snap_after;		/* after a failure: not before this n */
	uint32_t live;			/* the file a start reads first */
	bool live_bad;			/* damage in what a start reads */
	struct store_walk replay, read;

	uint64_t seq, durable;		/* newest: pending included, or not */
	struct store_span span;		/* of what is pending */
	struct store_code enc, dec;	/* enc is in use while it writes */
	struct store_walk reports;
	/* No result is later than this in the files from latest_from on, of
	 * the checks whose number has this remainder. */
	int64_t latest[STORE_LATEST];
	uint32_t latest_from;
};

/* store.c: each is explained there; 0, or -1 with *why. */
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
int store_cut(struct store *s, const struct store_walk *w, struct fail *why);
void store_leave(struct store_set *t);
void store_abandon(struct store_set *t);
int store_begin(struct store *s, struct store_set *t, uint64_t bytes,
    struct fail *why);
void store_write(struct store_set *t, struct str bytes);
int store_end(struct store_set *t, uint64_t first, struct fail *why);
uint64_t store_cap(const struct store *s, uint64_t bytes);

/* store_journal.c */
int store_line(struct store_set *t, const struct store_file *f,
    struct store_rec *r);
int store_journal_open(struct store *s, struct fail *why);
int store_journal_commit(struct store *s, struct fail *why);
void store_journal_drop(struct store *s);	/* what is not kept */

/* store_head.c */
int store_record(struct store_set *t, const struct store_file *f,
    struct store_rec *r);
int store_head_open(struct store *s, struct fail *why);
int store_head_commit(struct store *s, struct fail *why);

#endif
