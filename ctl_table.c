/* ctl_table.c: what goes to the terminal; see ctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl.h"

/* Rows as they wait: a byte of rank, then the cells, each with a NUL.  The
 * titles are the first row, of rank 0. */
static char room[CTL_ROOM];
static struct buf rows;
static unsigned columns, waiting;
static size_t width[CTL_COLUMNS];

/* How many characters a text takes. */
static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Past a row, which is printed if wanted. */
static const char *
one_row(const char *p, bool wanted, bool colours)
{
	static const struct colour {
		const char *word;
		int sgr;
	} table[] = {
		{ "ok", 32 }, { "up", 32 }, { "warning", 33 },
		{ "unknown", 35 }, { "critical", 31 }, { "silent", 31 },
	};
	const struct colour *colour;
	unsigned i;

	for (p++, i = 0; i < columns; p += strlen(p) + 1, i++) {
		if (!wanted)
			continue;
		colour = colours ? STR_ROW(table, str_of(p)) : NULL;
		if (colour != NULL)
			printf("\033[%dm%s\033[0m", colour->sgr, p);
		else
			fputs(p, stdout);
		if (i + 1 == columns)
			putchar('\n');
		else
			printf("%*s", (int)(width[i] - characters(p)) + 2, "");
	}
	return p;
}

void
ctl_table_end(void)
{
	const char *no = getenv("NO_COLOR"), *p, *end = rows.p + rows.n;
	bool colours = isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0');
	char rank;

	for (rank = 0; rank < CTL_RANKS && waiting > 0; rank++)
		for (p = rows.p; p < end;)
			p = one_row(p, *p == rank, colours);
	rows.n = waiting = 0;
}

/* obj empty: the titles. */
void
ctl_row(const char *spec, struct str obj, unsigned rank)
{
	struct str rest = str_of(spec), name, title;
	char text[CTL_TEXT], line[CTL_CELL + 1];

	if (ctl.json)
		return;
	if (rows.cap - rows.n < CTL_ROW_MAX)
		ctl_table_end();
	buf_addc(&rows, (char)rank);
	for (columns = 0; str_cut(&rest, ' ', &name) == 0; columns++) {
		struct buf b = BUF(text), cell = { line, 0, CTL_CELL, false };

		str_cut(&name, '=', &title);
		if (obj.n == 0)
			buf_add(&b, title);
		else
			ctl_put(&b, obj, ctl_fmt("%.*s", (int)name.n, name.p));
		buf_line(&cell, b.n == 0 ? STR("-") : str_from(&b));
		line[cell.n] = '\0';
		if (characters(line) > width[columns])
			width[columns] = characters(line);
		buf_add(&rows, (struct str){ line, cell.n + 1 });
	}
	waiting++;
}

void
ctl_table(const char *spec)
{
	buf_init(&rows, room, sizeof room);
	memset(width, 0, sizeof width);
	ctl_row(spec, STR(""), 0);
	waiting = 0;
}

void
ctl_json(struct str json)
{
	struct buf b = BUF(room);

	if (!ctl.json)
		return;
	if (json.n > 0 && json.p[json.n - 1] == '\n')
		json.n--;
	if (isatty(STDOUT_FILENO))
		buf_line(&b, json);
	else
		buf_add(&b, json);
	printf("%.*s\n", (int)b.n, b.p);
}
