/*
 * store_part.c: see store_impl.h; up to 1,024 results of one check, turned
 * from rows into columns and back.
 *
 * A part is what a block is made of: one record, that stands by itself but
 * for the names of its columns, which its strip has too, and its times,
 * which parts of other checks may share.
 */
#include <assert.h>
#include <stdlib.h>

#include "store_impl.h"

#define LENGTH_BYTES	2		/* of a column, before it */
#define NO_GIVEN	4		/* in a row's flags */

void
store_part_clear(struct store_part *p, unsigned level)
{
	p->level = level;
	p->rows = p->columns = 0;
	buf_init(&p->text, p->text_room, sizeof p->text_room);
}

/* The column of this name; hint: where it most often is.  NULL: none. */
static struct store_column *
column_of(struct store_part *p, struct str name, unsigned hint)
{
	if (hint < p->columns && str_is(name, p->column[hint].name))
		return &p->column[hint];
	for (unsigned i = 0; i < p->columns; i++)
		if (str_is(name, p->column[i].name))
			return &p->column[i];
	return NULL;
}

/* A cell of the row to come; its column is made if need be. */
static void
put(struct store_part *p, struct str name, unsigned hint, const int64_t v[3])
{
	struct store_column *c = column_of(p, name, hint);

	if (c == NULL && p->columns < STORE_COLUMNS) {
		c = &p->column[p->columns++];
		(void)str_copy(c->name, sizeof c->name, name);
		c->n = 0;
		memset(c->has, 0, sizeof c->has);
	}
	if (c == NULL || c->has[p->rows])
		return;
	c->has[p->rows] = 1;
	c->n++;
	for (unsigned i = 0; i < 3; i++)
		c->v[i][p->rows] = v[i];
}

bool
store_part_add(struct store_part *p, const struct store_row *row)
{
	const struct store_result *r = &row->r;
	unsigned i, k = p->rows, columns = p->columns + 1;
	bool same;

	/* The value's, and those that the row would add. */
	for (i = 0; i < r->metrics; i++)
		columns += column_of(p, r->metric[i].name, i + 1) == NULL;
	if (k == STORE_ROWS || (k > 0 && columns > STORE_COLUMNS))
		return false;
	p->at[k] = r->at_ms;
	p->count[k] = (int64_t)row->count;
	p->flags[k] = r->code | (r->given == STORE_NO_CODE ? NO_GIVEN :
	    r->given) << 2 | (r->late ? 32 : 0);
	if (r->has_value)
		put(p, STR(""), 0, row->value);
	for (i = 0; i < r->metrics; i++)
		put(p, r->metric[i].name, i + 1, row->metric[i]);
	same = k > 0 && str_eq(r->text, (struct str){ p->text_room +
	    p->text_at[k - 1], p->text_n[k - 1] });
	p->text_at[k] = same ? p->text_at[k - 1] : (unsigned)p->text.n;
	p->text_n[k] = (uint16_t)r->text.n;
	if (!same)
		buf_add(&p->text, r->text);
	p->rows++;
	return true;
}

void
store_part_row(const struct store_part *p, unsigned i, struct store_row *row)
{
	struct store_result *r = &row->r;
	int64_t flags = p->flags[i], *to;
	const struct store_column *c;
	unsigned given = flags >> 2 & 7, k;

	row->span_ms = store_level_ms[p->level];
	row->count = (uint64_t)p->count[i];
	r->at_ms = p->at[i];
	r->code = flags & 3;
	r->given = given < NO_GIVEN ? (uint8_t)given : STORE_NO_CODE;
	r->late = (flags & 32) != 0;
	r->has_value = false;
	r->value = 0;
	r->metrics = 0;
	r->text = (struct str){ p->text_room + p->text_at[i], p->text_n[i] };
	for (c = p->column; c < p->column + p->columns; c++) {
		if (!c->has[i])
			continue;
		to = row->value;
		if (c->name[0] == '\0') {
			r->has_value = true;
			r->value = c->v[0][i];
		} else if (r->metrics == STORE_METRICS_MAX) {
			continue;
		} else {
			to = row->metric[r->metrics];
			r->metric[r->metrics].name = str_of(c->name);
			r->metric[r->metrics++].value = c->v[0][i];
		}
		for (k = 0; k < 3; k++)
			to[k] = c->v[k][i];
	}
}

/* A column's numbers, those of its rows that have it; what was thinned as
 * the mean, how far the least is below it and the greatest above. */
static void
code_cells(struct store_code *c, struct store_part *p, struct store_column *col)
{
	static const int64_t zero[STORE_ROWS];
	static int64_t t[STORE_ROWS];
	bool all = store_code_byte(c, col->n == p->rows) == 1;
	const int64_t *base = zero;
	unsigned i, k, n;

	for (i = 0; i < p->rows; i++)
		t[i] = all || col->has[i];
	if (!all)
		store_code_column(c, t, p->rows);
	for (col->n = i = 0; i < p->rows; i++)
		col->n += col->has[i] = t[i] != 0;
	for (k = 0; k < (p->level == LEVEL_RAW ? 1 : 3); k++) {
		for (n = i = 0; i < p->rows; i++)
			if (col->has[i])
				t[n++] = (uint64_t)col->v[k][i] - base[i];
		store_code_column(c, t, n);
		for (n = i = 0; i < p->rows; i++)
			if (col->has[i])
				col->v[k][i] = (uint64_t)t[n++] + base[i];
		base = col->v[0];
	}
	for (; k < 3; k++)
		memcpy(col->v[k], col->v[0], p->rows * sizeof *col->v[0]);
}

/* One column: its name, its length, and it.  only (may be NULL): pass over
 * one of another name. */
static void
code_column(struct store_code *c, struct store_part *p,
    struct store_column *col, const struct str *only)
{
	struct str name = store_code_name(c, str_of(col->name));
	unsigned n = store_code_byte(c, 0);
	size_t at;

	(void)str_copy(col->name, sizeof col->name, name);
	n |= store_code_byte(c, 0) << 8;
	if (!c->writing && only != NULL && !str_eq(*only, name)) {
		c->bad |= n > c->in.n;
		c->in = str_after(c->in, c->bad ? 0 : n);
		col->n = 0;
		memset(col->has, 0, p->rows);
		return;
	}
	at = c->out.n;
	code_cells(c, p, col);
	n = (unsigned)(c->out.n - at);
	assert(n <= UINT16_MAX);
	if (c->writing) {
		c->out.p[at - LENGTH_BYTES] = (char)(n & 255);
		c->out.p[at - LENGTH_BYTES + 1] = (char)(n >> 8);
	}
}

/* Which texts differ from the one before, and these. */
static void
code_texts(struct store_code *c, struct store_part *p)
{
	static int64_t news[STORE_ROWS];
	struct str s;

	for (unsigned i = 0; i < p->rows && c->writing; i++)
		news[i] = i == 0 ? p->text_n[0] > 0 :
		    p->text_at[i] != p->text_at[i - 1] ||
		    p->text_n[i] != p->text_n[i - 1];
	store_code_column(c, news, p->rows);
	for (unsigned i = 0; i < p->rows && !c->bad; i++) {
		if (!c->writing) {	/* as before, or to be read */
			p->text_at[i] = i > 0 ? p->text_at[i - 1] : 0;
			p->text_n[i] = i > 0 ? p->text_n[i - 1] : 0;
		}
		if (news[i] == 0)
			continue;
		s = store_code_bytes(c, (struct str){ p->text_room +
		    p->text_at[i], p->text_n[i] }, STORE_TEXT_MAX);
		if (c->writing)
			continue;
		p->text_at[i] = (unsigned)p->text.n;
		p->text_n[i] = (uint16_t)s.n;
		buf_add(&p->text, s);
	}
}

void
store_part_code(struct store_code *c, struct store_part *p,
    const struct str *only)
{
	uint64_t rows = store_code(c, p->rows), columns;

	if (rows == 0 || rows > STORE_ROWS) {
		c->bad = true;
		return;
	}
	p->rows = (unsigned)rows;
	store_code_column(c, p->flags, p->rows);
	for (unsigned i = 0; i < p->rows && p->level == LEVEL_RAW; i++)
		p->count[i] = 1;
	if (p->level != LEVEL_RAW)
		store_code_column(c, p->count, p->rows);
	columns = store_code(c, p->columns);
	c->bad |= columns > STORE_COLUMNS;
	p->columns = c->bad ? 0 : (unsigned)columns;
	for (unsigned i = 0; i < p->columns && !c->bad; i++)
		code_column(c, p, &p->column[i], only);
	if (only == NULL && !c->bad)
		code_texts(c, p);
}
