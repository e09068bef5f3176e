/*
 * crash.h: what a crash may leave of a file system, as a weak one may.
 *
 * What was done to a file (its bytes, its size) is certain once that file
 * was synced; what was done to a directory (a name made, removed, renamed)
 * once that directory was.  Until then each operation by itself is there or
 * not, whatever came after it, or a write is there in part, or its size is
 * without its bytes.  After a failed sync what it should have made certain
 * never is: the next sync of the same file says nothing of it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memfs.h"

#define OPS_MAX		4096

struct crash {
	struct memfs *base;		/* certain, and before all of op */
	unsigned from, ops;		/* of op, as yet not in base */
	struct mem_op op[OPS_MAX];
	enum { MAYBE, NEVER, SURE } state[OPS_MAX];
	struct mem_part part[OPS_MAX];	/* of this state */
	unsigned open[OPS_MAX], opens;	/* those not sure */
};

static uint64_t seed = 1;

/* A number below n. */
static unsigned
any(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed * 0x2545f4914f6cdd1d >> 33) % n);
}

static void
crash_begin(struct crash *c, struct memfs *base)
{
	c->base = base;
	c->from = c->ops = c->opens = 0;
}

/* The same point of time, with the same base. */
static void
crash_copy(struct crash *c, const struct crash *from)
{
	crash_begin(c, from->base);
	for (c->ops = 0; c->ops < from->ops - from->from; c->ops++) {
		c->op[c->ops] = from->op[from->from + c->ops];
		c->state[c->ops] = from->state[from->from + c->ops];
	}
}

static bool
covers(const struct mem_op *sync, const struct mem_op *op)
{
	if (op->kind == MEM_WRITE || op->kind == MEM_SIZE)
		return op->node == sync->node;
	return (op->kind == MEM_RENAME ? op->to_dir : op->dir) == sync->node;
}

/* One more operation.  Its bytes stay the recorder's. */
static void
crash_feed(struct crash *c, const struct mem_op *op)
{
	bool sync = op->kind == MEM_SYNC || op->kind == MEM_SYNC_FAILED;
	unsigned i;

	for (i = c->from; sync && i < c->ops; i++)
		if (c->state[i] == MAYBE && covers(op, &c->op[i]))
			c->state[i] = op->kind == MEM_SYNC ? SURE : NEVER;
	if (sync || op->kind == MEM_NOTE)
		return;
	assert(c->ops < OPS_MAX);
	c->op[c->ops] = *op;
	/* The reserve's name, made after all others, would keep what follows
	 * from ever being certain; it matters little. */
	c->state[c->ops++] = op->kind == MEM_LINK &&
	    strcmp(op->name, "reserve") == 0 ? SURE : MAYBE;
}

/* Move what nothing uncertain precedes into the base. */
static void
crash_fold(struct crash *c)
{
	static const struct mem_part done = { MEM_DONE, 0 };

	for (; c->from < c->ops && c->state[c->from] == SURE; c->from++)
		mem_apply(c->base, &c->op[c->from], done);
	if (c->from == c->ops)
		c->from = c->ops = 0;
}

/* Find what is not sure, and choose for all of it the same. */
static void
crash_all(struct crash *c, struct mem_part part)
{
	unsigned i;

	c->opens = 0;
	for (i = c->from; i < c->ops; i++) {
		c->part[i] = (struct mem_part){ MEM_DONE, 0 };
		if (c->state[i] == SURE)
			continue;
		c->part[i] = part;
		c->open[c->opens++] = i;
	}
}

/* Choose of one at random. */
static void
crash_any(struct crash *c, unsigned i)
{
	const struct mem_op *op = &c->op[i];
	unsigned how = any(8);

	c->part[i] = (struct mem_part){ how < 4 ? MEM_LOST : MEM_DONE, 0 };
	if (how == 7 && op->kind == MEM_RENAME)
		c->part[i].how = MEM_BOTH;
	if (how != 7 || op->kind != MEM_WRITE)
		return;
	c->part[i].how = MEM_CUT + any(3);
	c->part[i].n = any((unsigned)op->n);
	if (any(2) == 0)		/* at a sector's end */
		c->part[i].n -= (c->part[i].n + (size_t)op->at) % 512 <
		    c->part[i].n ? (c->part[i].n + (size_t)op->at) % 512 : 0;
}

/* The state that was chosen. */
static void
crash_build(const struct crash *c, struct memfs *disk)
{
	unsigned i;

	mem_copy(disk, c->base);
	for (i = c->from; i < c->ops; i++)
		mem_apply(disk, &c->op[i], c->part[i]);
}

static void
crash_print(const struct crash *c)
{
	static const char *const kind[] = { "write", "size", "link",
	    "unlink", "rename" };
	static const char *const how[] = { "lost", "done", "cut", "zeros",
	    "junk", "both" };
	unsigned i;

	for (i = c->from; i < c->ops; i++) {
		const struct mem_op *op = &c->op[i];

		printf("    %-6s node %u dir %u %s %s at %llu, %zu bytes: %s "
		    "%zu%s\n", kind[op->kind], op->node, op->dir, op->name,
		    op->to, (unsigned long long)op->at, op->n,
		    how[c->part[i].how], c->part[i].n,
		    c->state[i] == SURE ? " (synced)" :
		    c->state[i] == NEVER ? " (sync failed)" : "");
	}
}
