/* memfs.c: see memfs.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "memfs.h"

#define FD_FIRST	100000		/* not to be taken for a real one */
#define NOWHERE		UINT32_MAX

const char *mem_refused;
static struct memfs *use;

static void *
grow(void *p, size_t n)
{
	p = realloc(p, n);
	assert(p != NULL);
	return p;
}

/* Nodes. */

static struct mem_node *
node_at(struct memfs *m, unsigned i, bool dir)
{
	unsigned cap = m->nodes_cap;

	if (i >= cap) {
		m->nodes_cap = i + 32;
		m->node = grow(m->node, m->nodes_cap * sizeof *m->node);
		memset(m->node + cap, 0,
		    (m->nodes_cap - cap) * sizeof *m->node);
	}
	if (i >= m->nodes)
		m->nodes = i + 1;
	if (!m->node[i].used) {
		m->node[i].used = true;
		m->node[i].dir = dir;
	}
	return &m->node[i];
}

/* Empty, keeping its memory. */
static void
node_clear(struct memfs *m, struct mem_node *d)
{
	size_t i;

	for (i = 0; i < d->cap / MEM_BLOCK; i++) {
		m->blocks -= d->block[i];
		d->block[i] = false;
	}
	d->used = d->dir = d->locked = false;
	d->size = 0;
	d->links = d->names = 0;
}

/* A file goes with the last of its names and descriptors. */
static void
node_drop(struct memfs *m, unsigned node)
{
	unsigned i;

	for (i = 0; i < MEM_FDS; i++)
		if (m->fd[i].used && m->fd[i].node == node)
			return;
	if (node != 0 && m->node[node].links == 0)
		node_clear(m, &m->node[node]);
}

static void
node_room(struct mem_node *d, size_t size)
{
	size_t cap = d->cap;

	if (size <= cap)
		return;
	d->cap = (size + size / 2 + MEM_BLOCK) / MEM_BLOCK * MEM_BLOCK;
	d->p = grow(d->p, d->cap);
	d->block = grow(d->block, d->cap / MEM_BLOCK * sizeof *d->block);
	memset(d->block + cap / MEM_BLOCK, 0,
	    (d->cap - cap) / MEM_BLOCK * sizeof *d->block);
}

/* What a size grows over is zeros. */
static void
node_size(struct memfs *m, struct mem_node *d, size_t size)
{
	size_t i = (size + MEM_BLOCK - 1) / MEM_BLOCK;

	node_room(d, size);
	if (size > d->size)
		memset(d->p + d->size, 0, size - d->size);
	for (; size < d->size && i < d->cap / MEM_BLOCK; i++) {
		m->blocks -= d->block[i];
		d->block[i] = false;
	}
	d->size = size;
}

/* Take the blocks for n bytes at at into use: how many of them there are. */
static size_t
node_blocks(struct memfs *m, struct mem_node *d, size_t at, size_t n)
{
	size_t i;

	node_room(d, at + n);
	for (i = at / MEM_BLOCK; n > 0 && i <= (at + n - 1) / MEM_BLOCK; i++) {
		if (d->block[i])
			continue;
		if (m->blocks_max != 0 && m->blocks >= m->blocks_max)
			return i * MEM_BLOCK > at ? i * MEM_BLOCK - at : 0;
		d->block[i] = true;
		if (++m->blocks > m->blocks_peak)
			m->blocks_peak = m->blocks;
	}
	return n;
}

/* Names of a directory. */

static unsigned
name_find(const struct memfs *m, unsigned dir, const char *name)
{
	const struct mem_node *d = &m->node[dir];
	unsigned i;

	for (i = 0; i < d->names; i++)
		if (strcmp(d->name[i].name, name) == 0)
			return i;
	return NOWHERE;
}

static void
name_remove(struct memfs *m, unsigned dir, const char *name)
{
	struct mem_node *d = node_at(m, dir, true);
	unsigned i = name_find(m, dir, name), node;

	if (i == NOWHERE)
		return;
	node = d->name[i].node;
	d->name[i] = d->name[--d->names];
	m->node[node].links--;
	node_drop(m, node);
}

static void
name_set(struct memfs *m, unsigned dir, const char *name, unsigned node)
{
	struct mem_node *d;

	node_at(m, node, false)->links++;
	name_remove(m, dir, name);
	d = node_at(m, dir, true);
	if (d->names == d->names_cap) {
		d->names_cap += 16;
		d->name = grow(d->name, d->names_cap * sizeof *d->name);
	}
	memcpy(d->name[d->names].name, name, strlen(name) + 1);
	d->name[d->names++].node = node;
}

/* The directory that the last name of path stands in, and that name ("" for
 * the root).  -1: there is no such directory. */
static int
walk(const struct memfs *m, int dir, const char *path, char name[MEM_NAME])
{
	unsigned d = *path == '/' ? 0 : (unsigned)dir, i;
	size_t n;

	for (;;) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n >= MEM_NAME || !m->node[d].dir)
			break;
		memcpy(name, path, n);
		name[n] = '\0';
		path += n;
		if (strspn(path, "/") == strlen(path))
			return (int)d;
		i = name_find(m, d, name);
		if (strcmp(name, "..") == 0)
			d = m->node[d].up;
		else if (i != NOWHERE)
			d = m->node[d].name[i].node;
		else if (strcmp(name, ".") != 0)
			break;
	}
	errno = n >= MEM_NAME ? ENAMETOOLONG :
	    m->node[d].dir ? ENOENT : ENOTDIR;
	return -1;
}

static int
lookup(const struct memfs *m, int dir, const char *name)
{
	unsigned i;

	if (*name == '\0' || strcmp(name, ".") == 0)
		return dir;
	if (strcmp(name, "..") == 0)
		return (int)m->node[dir].up;
	i = name_find(m, (unsigned)dir, name);
	if (i != NOWHERE)
		return (int)m->node[dir].name[i].node;
	errno = ENOENT;
	return -1;
}

int
mem_find(const struct memfs *m, const char *path)
{
	char name[MEM_NAME];
	int dir = walk(m, 0, path, name);

	return dir < 0 ? -1 : lookup(m, dir, name);
}

/* As a whole. */

struct memfs *
mem_new(void)
{
	struct memfs *m = calloc(1, sizeof *m);

	assert(m != NULL);
	(void)node_at(m, 0, true);
	return m;
}

void
mem_forget(struct memfs *m)
{
	while (m->ops > 0)
		free(m->op[--m->ops].p);
}

void
mem_kill(struct memfs *m)
{
	unsigned i;

	memset(m->fd, 0, sizeof m->fd);
	for (i = 0; i < m->nodes; i++)
		m->node[i].locked = false;
	m->dead = false;
}

void
mem_free(struct memfs *m)
{
	unsigned i;

	mem_forget(m);
	for (i = 0; i < m->nodes_cap; i++) {
		free(m->node[i].p);
		free(m->node[i].block);
		free(m->node[i].name);
	}
	free(m->node);
	free(m->op);
	free(m);
}

void
mem_copy(struct memfs *m, const struct memfs *from)
{
	const struct mem_node *s;
	struct mem_node *d;
	unsigned i, k;

	mem_kill(m);
	mem_forget(m);
	mem_fault(m, 0, 0, 0);
	for (i = 0; i < m->nodes; i++)
		node_clear(m, &m->node[i]);
	m->nodes = 0;
	m->blocks_max = from->blocks_max;
	for (i = 0; i < from->nodes; i++) {
		s = &from->node[i];
		d = node_at(m, i, s->dir);
		d->up = s->up;
		node_size(m, d, s->size);
		if (s->size > 0) {
			memcpy(d->p, s->p, s->size);
			memcpy(d->block, s->block, (s->size + MEM_BLOCK - 1) /
			    MEM_BLOCK * sizeof *s->block);
		}
	}
	for (i = 0; i < from->nodes; i++) {
		s = &from->node[i];
		for (k = 0; k < s->names; k++)
			name_set(m, i, s->name[k].name, s->name[k].node);
	}
	m->blocks = from->blocks;
}

/* Recording, and doing it again. */

static struct mem_op *
record(struct memfs *m, struct mem_op op)
{
	if (m->ops == m->ops_cap) {
		m->ops_cap += 256;
		m->op = grow(m->op, m->ops_cap * sizeof *m->op);
	}
	m->op[m->ops] = op;
	return &m->op[m->ops++];
}

void
mem_note(struct memfs *m, uint64_t number)
{
	(void)record(m, (struct mem_op){ .kind = MEM_NOTE, .at = number });
}

/* The bytes that a file system may show where none were written. */
static void
junk(unsigned char *p, size_t n, uint64_t seed)
{
	uint64_t x = seed * 2862933555777941757u + 3037000493u;

	for (; n > 0; n--) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		*p++ = (unsigned char)(x >> 56);
	}
}

static void
apply_write(struct memfs *m, const struct mem_op *op, struct mem_part part)
{
	struct mem_node *d = node_at(m, op->node, false);
	size_t n = part.how == MEM_DONE ? op->n : part.n, was = d->size;
	size_t at = (size_t)op->at, end = at + op->n, from;

	assert(n <= op->n);
	(void)node_blocks(m, d, at, n);
	if (at + n > d->size)
		node_size(m, d, at + n);
	if (n > 0)
		memcpy(d->p + at, op->p, n);
	if (part.how < MEM_ZEROS || end <= was)
		return;
	from = at + n > was ? at + n : was;
	(void)node_blocks(m, d, from, end - from);
	node_size(m, d, end);
	if (part.how == MEM_JUNK)
		junk(d->p + from, end - from, op->at + part.n);
}

void
mem_apply(struct memfs *m, const struct mem_op *op, struct mem_part part)
{
	if (part.how == MEM_LOST)
		return;
	switch (op->kind) {
	case MEM_WRITE:
		apply_write(m, op, part);
		break;
	case MEM_SIZE:
		node_size(m, node_at(m, op->node, false), (size_t)op->at);
		break;
	case MEM_LINK:			/* op->n: it is a directory */
		node_at(m, op->node, op->n != 0)->up = op->dir;
		name_set(m, op->dir, op->name, op->node);
		break;
	case MEM_UNLINK:
		name_remove(m, op->dir, op->name);
		break;
	case MEM_RENAME:
		/* In this order, so that the file is never without a name. */
		name_set(m, op->to_dir, op->to, op->node);
		if (part.how != MEM_BOTH)
			name_remove(m, op->dir, op->name);
		break;
	case MEM_SYNC:
	case MEM_SYNC_FAILED:
	case MEM_NOTE:
		break;
	}
}

/* Do it, and record it. */
static void
act(const struct mem_op *op)
{
	struct mem_op *r = record(use, *op);

	if (op->kind == MEM_WRITE) {
		r->p = grow(NULL, op->n);
		memcpy(r->p, op->p, op->n);
	}
	mem_apply(use, r, (struct mem_part){ MEM_DONE, 0 });
}

static void
op_name(char to[MEM_NAME], const char *name)
{
	assert(strlen(name) < MEM_NAME);
	memcpy(to, name, strlen(name) + 1);
}

/* The calls. */

void
mem_use(struct memfs *m)
{
	use = m;
}

void
mem_fault(struct memfs *m, int letter, unsigned long at, int error)
{
	m->fault = letter;
	m->fault_at = at;
	m->error = error;
	m->calls = 0;
	m->fault_short = m->fault_on = false;
}

static bool
faulty(int letter)
{
	if (use->dead) {
		errno = EIO;
		return true;
	}
	if (use->fault_at == 0 || (use->fault != 0 && use->fault != letter))
		return false;
	if (++use->calls != use->fault_at &&
	    !(use->fault_on && use->calls > use->fault_at))
		return false;
	use->dead = use->error == 0;
	errno = use->dead ? EIO : use->error;
	return true;
}

static struct mem_node *
node_of(int fd)
{
	struct mem_fd *f = &use->fd[fd - FD_FIRST];

	assert(fd >= FD_FIRST && fd < FD_FIRST + MEM_FDS && f->used);
	return &use->node[f->node];
}

static unsigned
number_of(int fd)
{
	return (unsigned)(node_of(fd) - use->node);
}

static int
dir_of(int fd)
{
	return fd == AT_FDCWD ? 0 : (int)number_of(fd);
}

static int
no(int error)
{
	errno = error;
	return -1;
}

static int
fd_new(int node, int flags)
{
	int i;

	for (i = 0; i < MEM_FDS; i++) {
		if (use->fd[i].used)
			continue;
		use->fd[i] = (struct mem_fd){ true, (unsigned)node, flags };
		return i + FD_FIRST;
	}
	return no(EMFILE);
}

static int
make(int dir, const char *name, bool is_dir)
{
	struct mem_op op = { .kind = MEM_LINK, .dir = (unsigned)dir,
	    .node = use->nodes, .n = is_dir };

	op_name(op.name, name);
	act(&op);
	return (int)op.node;
}

static int
m_openat(int at, const char *path, int flags, mode_t mode)
{
	int access = flags & O_ACCMODE, dir, node;
	char name[MEM_NAME];

	(void)mode;
	if (faulty('o') || (dir = walk(use, dir_of(at), path, name)) < 0)
		return -1;
	node = lookup(use, dir, name);
	if (node >= 0 && (flags & O_CREAT) && (flags & O_EXCL))
		return no(EEXIST);
	if (node < 0 && !(flags & O_CREAT))
		return no(ENOENT);
	if (node < 0 && mem_refused != NULL && strcmp(name, mem_refused) == 0)
		return no(EACCES);
	if (node < 0)
		node = make(dir, name, false);
	if (use->node[node].dir && access != O_RDONLY)
		return no(EISDIR);
	if (!use->node[node].dir && (flags & O_DIRECTORY))
		return no(ENOTDIR);
	if (flags & O_TRUNC)
		act(&(struct mem_op){ .kind = MEM_SIZE,
		    .node = (unsigned)node });
	return fd_new(node, flags);
}

static ssize_t
m_pread(int fd, void *p, size_t n, off_t at)
{
	const struct mem_node *d = node_of(fd);

	if (faulty('r'))
		return -1;
	if ((size_t)at >= d->size)
		return 0;
	if (n > d->size - (size_t)at)
		n = d->size - (size_t)at;
	memcpy(p, d->p + at, n);
	return (ssize_t)n;
}

static ssize_t
m_pwrite(int fd, const void *p, size_t n, off_t at)
{
	bool bad = faulty('w');
	struct mem_op op = { .kind = MEM_WRITE, .node = number_of(fd),
	    .at = (uint64_t)at };

	if (bad && (use->dead || !use->fault_short || n < 2))
		return -1;
	if ((use->fd[fd - FD_FIRST].flags & O_ACCMODE) == O_RDONLY)
		return no(EBADF);
	op.n = node_blocks(use, node_of(fd), (size_t)at, bad ? n / 2 : n);
	if (op.n == 0)
		return no(ENOSPC);
	/* Not changed by what it is copied to. */
	memcpy(&op.p, &p, sizeof op.p);
	act(&op);
	return (ssize_t)op.n;
}

static int
sync_fd(int fd, int letter)
{
	bool bad = faulty(letter);

	if (!use->dead)
		act(&(struct mem_op){ .node = number_of(fd),
		    .kind = bad ? MEM_SYNC_FAILED : MEM_SYNC });
	return bad ? -1 : 0;
}

static int
m_fdatasync(int fd)
{
	return sync_fd(fd, 's');
}

static int
m_fsync(int fd)
{
	return sync_fd(fd, 'S');
}

static int
m_ftruncate(int fd, off_t n)
{
	if (faulty('t'))
		return -1;
	act(&(struct mem_op){ .kind = MEM_SIZE, .node = number_of(fd),
	    .at = (uint64_t)n });
	return 0;
}

static int
m_unlinkat(int at, const char *path, int flags)
{
	struct mem_op op = { .kind = MEM_UNLINK };
	int dir, node;

	if (faulty('u') || (dir = walk(use, dir_of(at), path, op.name)) < 0 ||
	    (node = lookup(use, dir, op.name)) < 0)
		return -1;
	if (use->node[node].dir != (flags == AT_REMOVEDIR))
		return no(flags == AT_REMOVEDIR ? ENOTDIR : EISDIR);
	if (use->node[node].names > 0)
		return no(ENOTEMPTY);
	op.dir = (unsigned)dir;
	op.node = (unsigned)node;
	act(&op);
	return 0;
}

static int
m_renameat(int from_at, const char *from, int at, const char *to)
{
	struct mem_op op = { .kind = MEM_RENAME };
	int dir, to_dir, node;

	if (faulty('n') ||
	    (dir = walk(use, dir_of(from_at), from, op.name)) < 0 ||
	    (to_dir = walk(use, dir_of(at), to, op.to)) < 0 ||
	    (node = lookup(use, dir, op.name)) < 0)
		return -1;
	op.dir = (unsigned)dir;
	op.to_dir = (unsigned)to_dir;
	op.node = (unsigned)node;
	act(&op);
	return 0;
}

static int
m_mkdirat(int at, const char *path, mode_t mode)
{
	char name[MEM_NAME];
	int dir;

	(void)mode;
	if (faulty('d') || (dir = walk(use, dir_of(at), path, name)) < 0)
		return -1;
	if (lookup(use, dir, name) >= 0)
		return no(EEXIST);
	(void)make(dir, name, true);
	return 0;
}

static int
m_fstat(int fd, struct stat *st)
{
	const struct mem_node *d = node_of(fd);
	size_t i, blocks = 0;

	if (faulty('f'))
		return -1;
	for (i = 0; i < d->cap / MEM_BLOCK; i++)
		blocks += d->block[i];
	*st = (struct stat){ .st_size = (off_t)d->size };
	st->st_mode = d->dir ? S_IFDIR | 0700 : S_IFREG | 0600;
	st->st_blocks = (blkcnt_t)(blocks * (MEM_BLOCK / 512));
	return 0;
}

static int
m_close(int fd)
{
	struct mem_node *d = node_of(fd);

	if (d->locked && (use->fd[fd - FD_FIRST].flags & O_ACCMODE) == O_RDWR)
		d->locked = false;
	use->fd[fd - FD_FIRST].used = false;
	node_drop(use, (unsigned)(d - use->node));
	return 0;
}

/* In the order that they came: whoever lists may change the directory. */
static int
m_list(int fd, int (*name)(void *, const char *), void *arg)
{
	char all[512][MEM_NAME];
	const struct mem_node *d = node_of(fd);
	unsigned i, n = d->names;

	if (faulty('l'))
		return -1;
	assert(n <= 512);
	for (i = 0; i < n; i++)
		memcpy(all[i], d->name[i].name, MEM_NAME);
	for (i = 0; i < n; i++)
		if (name(arg, all[i]) != 0)
			return no(ENOMEM);
	return 0;
}

static int
m_lock(int fd)
{
	struct mem_node *d = node_of(fd);

	if (faulty('k'))
		return -1;
	if (d->locked)
		return no(EAGAIN);
	d->locked = true;
	return 0;
}

const struct store_io mem_io = {
	.openat = m_openat, .pread = m_pread, .pwrite = m_pwrite,
	.fdatasync = m_fdatasync, .fsync = m_fsync, .ftruncate = m_ftruncate,
	.unlinkat = m_unlinkat, .renameat = m_renameat, .mkdirat = m_mkdirat,
	.fstat = m_fstat, .close = m_close, .list = m_list, .lock = m_lock,
};
