/*
 * memfs.h: a file system in memory, under struct store_io, that records what
 * is done to it: so that what a crash may leave of it can be computed.
 *
 * mem_io acts on the one in use (mem_use).  Files are sparse, in blocks of
 * MEM_BLOCK; there are no links, no modes and no times.  A call that fails
 * changes nothing but for what of a short write is told.  Nothing is ever
 * lost by itself: mem_apply builds, from what was recorded, another file
 * system with some of it lost.
 */
#ifndef MEMFS_H
#define MEMFS_H

#include "../store.h"

#define MEM_NAME	24		/* bytes of a name, its end included */
#define MEM_BLOCK	4096u
#define MEM_FDS		64		/* open at once */

struct mem_op {
	enum {
		MEM_WRITE, MEM_SIZE,	/* bytes of a file; its size */
		MEM_LINK, MEM_UNLINK, MEM_RENAME, /* names of a directory */
		MEM_SYNC, MEM_SYNC_FAILED,	/* of a file or directory */
		MEM_NOTE		/* the caller's */
	} kind;
	unsigned node;			/* the file; by its number */
	unsigned dir, to_dir;		/* of the names below */
	char name[MEM_NAME], to[MEM_NAME];
	uint64_t at;			/* of a write; the size; the note */
	size_t n;
	unsigned char *p;		/* what is written */
};

/* How much of an operation is there after a crash. */
struct mem_part {
	enum {
		MEM_LOST, MEM_DONE,
		MEM_CUT,		/* the first n bytes are there */
		MEM_ZEROS, MEM_JUNK,	/* and the size, but other bytes */
		MEM_BOTH		/* a rename: the old name too */
	} how;
	size_t n;
};

struct mem_name {
	char name[MEM_NAME];
	unsigned node;
};

struct mem_node {
	bool used, dir, locked;
	unsigned up;			/* a directory's parent */
	unsigned links;			/* names it has */
	size_t size, cap;
	unsigned char *p;
	bool *block;			/* those of cap / MEM_BLOCK in use */
	struct mem_name *name;
	unsigned names, names_cap;
};

struct mem_fd {
	bool used;
	unsigned node;
	int flags;
};

struct memfs {
	struct mem_node *node;		/* 0 is the root */
	unsigned nodes, nodes_cap;
	struct mem_fd fd[MEM_FDS];
	struct mem_op *op;		/* recorded */
	unsigned ops, ops_cap;
	unsigned blocks, blocks_max;	/* in use; 0: without a limit */
	unsigned blocks_peak;		/* the most that were */

	/* Of the calls by this letter (0: of all) number fault_at fails. */
	int fault, error;
	unsigned long calls, fault_at;
	bool fault_short;		/* or, if a write, is a short one */
	bool fault_on;			/* and so do all after it */
	bool dead;			/* the process is killed: all fail */
};

struct memfs *mem_new(void);
void mem_free(struct memfs *m);

/* What it holds as from does: with nothing open and nothing recorded. */
void mem_copy(struct memfs *m, const struct memfs *from);

/* The process has ended: close everything, forget what was recorded. */
void mem_kill(struct memfs *m);
void mem_forget(struct memfs *m);

/* Do again what was recorded, or part of it. */
void mem_apply(struct memfs *m, const struct mem_op *op,
    struct mem_part part);
void mem_note(struct memfs *m, uint64_t number);

/* The node of a path from the root, or -1. */
int mem_find(const struct memfs *m, const char *path);

/* Each call of this letter's (o openat, r pread, w pwrite, s fdatasync,
 * S fsync, t ftruncate, u unlinkat, n renameat, d mkdirat; 0: any), counted
 * from now, number at: fails with error; at 0: none does.  Error 0: there the
 * process is killed, and nothing is done any more until mem_kill. */
void mem_fault(struct memfs *m, int letter, unsigned long at, int error);

void mem_use(struct memfs *m);

/* A name that cannot be made, or NULL. */
extern const char *mem_refused;

extern const struct store_io mem_io;

#endif
