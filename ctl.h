/*
 * ctl.h: what the parts of the `vilicus` command share.
 *
 * ctl.c has the options, the commands and the exchange with the server;
 * ctl_table.c what goes to the terminal; ctl_show.c and ctl_edit.c the
 * commands that look and those that change; ctl_replay.c what other rules
 * would have told; ctl_why.c why it was told, or was not.  Everything goes
 * through the HTTP API; nothing here but verify reads the server's files, but
 * for its key, and what the server can judge is left to it.  What cannot go on
 * says why and exits: a command has nothing to clean up.
 */
#ifndef CTL_H
#define CTL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "json.h"
#include "str.h"

#define CTL_TEXT	8192	/* bytes of a text, NUL included */
#define CTL_TEXTS	16
#define CTL_ALL		UINT_MAX
#define CTL_DIR		"/var/lib/vilicus"

#define CTL_KEY		256	/* bytes of a key and a NUL */
#define CTL_CONNECT_MS	10000
#define CTL_ANSWER_MS	30000
#define CTL_REQUEST	16384	/* bytes of head and body */
#define CTL_BODY	8192	/* bytes of a body */
#define CTL_ANSWER	(8u << 20)	/* bytes of an answer */
#define CTL_PAGE	1000u	/* objects the API gives at once */
#define CTL_HOSTS	20000	/* agents whose names are known */
#define CTL_LINES	20	/* of history and events, unless -n */
#define CTL_N_MAX	1000000	/* -n at most */
#define CTL_TEST_MS	60000	/* how long a test is watched, */
#define CTL_SEEN_MS	300000	/* a drill until it is seen, */
#define CTL_POLL_MS	250	/* and how often looked at */
#define CTL_COLUMNS	16	/* of a table; bytes of a cell, and of a row: */
#define CTL_CELL	512
#define CTL_ROW_MAX	(1 + CTL_COLUMNS * (CTL_CELL + 1))
#define CTL_ROOM	(8u << 20)	/* bytes of the rows that wait */

/* How the program exits. */
enum { CTL_FINE, CTL_BAD_NEWS, CTL_USAGE, CTL_REFUSED };

extern struct ctl {
	const char *server;	/* -s */
	struct http_url url;	/* it, split */
	bool may;		/* a list that is refused (403) is empty */
	bool json;		/* -j: the API's JSON instead of tables */
	int64_t now_ms;		/* wall clock, at the start */
	char doing[CTL_TEXT];	/* what a failure is told after */
} ctl;

/* A text made as by printf, cut to fit; it lasts until CTL_TEXTS more were
 * made, by this or by what below returns one. */
const char *ctl_fmt(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* Say why and exit; print one line, but nothing under -j.  What is not fit
 * for a terminal becomes '?'.  Arguments as for printf. */
#define ctl_die(code, ...)	ctl_exit(code, ctl_fmt(__VA_ARGS__))
#define ctl_say(...)		ctl_line(ctl_fmt(__VA_ARGS__))
_Noreturn void ctl_exit(int code, const char *text);
void ctl_line(const char *text);

/* One request: path is whole, or what follows "/api/v1/"; body empty or JSON.
 * The body of a 2xx answer, borrowed until the next request, or exit. */
struct str ctl_call(enum http_method m, const char *path, struct str body);

/*
 * A list of at most n objects, page by page as they are asked for, with no
 * other request in between:
 * for (ctl_list(&l, path, CTL_ALL, show); ctl_next(&l, &obj);).
 * path ends in '/', or has a query.  show: print the pages under -j.
 */
struct ctl_list {
	struct json j;
	char next[CTL_TEXT];	/* path of the next page, or "" */
	unsigned left;
	bool show;
};
void ctl_list(struct ctl_list *l, const char *path, unsigned n, bool show);
bool ctl_next(struct ctl_list *l, struct str *obj);

/* A member as text: "" for null or none, the JSON of an object or array. */
const char *ctl_text(struct str obj, const char *name);

/* The one agent (HOST), check (HOST/CHECK) or other object of that name, or
 * exit.  Borrowed until the next request. */
struct str ctl_find(const char *kind, const char *name);

/*
 * A table of aligned columns, each a TITLE=member of columns, which spaces
 * set apart.  A row may have members of its own.  Rows of a lower rank come
 * first.  Without a row, or under -j, nothing is printed.  What does not fit
 * the memory there is goes out earlier.
 */
#define CTL_RANKS	6
void ctl_table(const char *columns);
void ctl_row(const char *columns, struct str obj, unsigned rank);
void ctl_table_end(void);

/* A member as the text of its cell (ctl_show.c): @member is an agent, by its
 * name; ~member a time, as its age; !status what a check is. */
void ctl_put(struct buf *b, struct str obj, const char *member);

/* Under -j, the API's JSON as it came, on a line; to a terminal, what could
 * steer it as '?'. */
void ctl_json(struct str json);

/* The words from argv[2] on as one object into body: of a rule as check add
 * has them, from and until. */
void ctl_words(int argc, char **argv, struct buf *body);

/* The commands: argv[0] is the first word of the command.  The exit code. */
int ctl_status(int argc, char **argv);
int ctl_show(int argc, char **argv);
int ctl_incidents(int argc, char **argv);
int ctl_verify(int argc, char **argv);	/* needs no server */
int ctl_add(int argc, char **argv);
int ctl_rm(int argc, char **argv);
int ctl_key_state(int argc, char **argv);
int ctl_key_tls(int argc, char **argv);
int ctl_ack(int argc, char **argv);
int ctl_enrol(int argc, char **argv);
int ctl_login(int argc, char **argv);
int ctl_replay(int argc, char **argv);
int ctl_test(int argc, char **argv);
int ctl_why(int argc, char **argv);

#endif
