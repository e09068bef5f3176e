/*
 * change.h: every change of the model is journaled as it is made, undone if
 * its commit fails, and read back at the next start.
 *
 * One batch lasts from one commit to the next.  What clients asked for
 * (settings) is undone when the commit fails, for they are answered 503;
 * what vilicus decided (keep) stays and is written with the next batch.
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "fail.h"
#include "model.h"
#include "store.h"

#define CHANGE_UNDO_MAX	4096	/* changes of clients in one batch */

struct change {
	const char *by;		/* "key:3", "agent:1", "rule", "outbox" */
	const char *origin;	/* "api", "file", "server" */
	int64_t at_ms;
	bool keep;
};

/* The store all changes go to; NULL: none are journaled (replay, tests). */
void change_store(struct store *s);

/* Journal a draft against what it replaces, and install it.  The live
 * object, or NULL with *why (no room to journal it; the draft is dropped). */
void *change_put(enum kind k, void *draft, const struct change *ch,
    struct fail *why);

/* The same for what vilicus decided: where there is no room for it (the disk
 * has failed for long) it holds in memory, and the log says so. */
void *change_keep(enum kind k, void *draft, const struct change *ch);

/* Journal and remove.  0 or -1. */
int change_remove(enum kind k, uint64_t id, const struct change *ch,
    struct fail *why);

/* Is there anything that a failed commit would undo?  Then no answer may tell
 * of it yet. */
bool change_pending(void);

/* The batch was committed, or failed: then what is not kept is undone. */
void change_committed(void);
void change_failed(void);

/* Apply one line of the journal.  0, or -1: it says nothing usable. */
int change_replay(struct str line, struct fail *why);

/* The mark of the newest committed line: "N:HASH".  Whoever keeps it can have
 * it shown later that nothing up to there was changed since.  Nothing, while
 * there is none. */
void change_mark(struct buf *b);

/* The head seq of the newest snapshot replayed: reports from there on are
 * to be stepped again. */
uint64_t change_replay_from(void);

/* All lines were applied; head: the newest report that is on disk.  States
 * may have been journaled beside later ones that a failing disk never took,
 * whose numbers others will get. */
void change_replayed(uint64_t head);

/* Was anything changed when no store was set last?  Then a snapshot is due. */
bool change_unwritten(void);

/* Write everything live as the snapshot of that job.  0 or -1. */
int change_snapshot(const struct store_job *job, int64_t at_ms,
    struct fail *why);

#endif
