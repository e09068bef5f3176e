/*
 * config.h: vilicus.conf: lines of words.
 *
 * '#' begins a comment, "..." groups, indentation is for people.  Pure: text
 * in, a struct config out.  Every fault of a file is reported, each with
 * its line; a file with a fault is used for nothing.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "fail.h"
#include "str.h"

#define CONFIG_BYTES	65536	/* of a file */
#define CONFIG_WORDS	16	/* of a line */
#define CONFIG_LISTEN	8	/* listeners */
#define CONFIG_TEXT	256	/* bytes of a value, NUL included */

struct config_listen {
	char addr[CONFIG_TEXT];	/* "ADDR:PORT", "PORT" */
	bool plain;		/* keys over bare HTTP from anywhere */
	char cert[CONFIG_TEXT];	/* PEM files; "" for our own identity */
	char key[CONFIG_TEXT];
};

struct config {
	struct config_listen listen[CONFIG_LISTEN];
	unsigned listens;
	uint64_t disk;		/* bytes; 0: not said */
	char sync[CONFIG_TEXT];	/* "always", "10s"; "" not said */
	int64_t sync_ms;	/* results may wait so long; 0: always */
	char public[CONFIG_TEXT];
	char pushover_token[CONFIG_TEXT], pushover_url[CONFIG_TEXT];
	char ca_file[CONFIG_TEXT];
	int64_t drill_s;	/* between drills; 0: none by themselves */
	char zone[CONFIG_TEXT];		/* of hours that name none; "": UTC */
	char exec_dir[CONFIG_TEXT];	/* "": no programs */
	bool webhook_local;	/* webhooks may go to this host and its link */
	char heartbeat[CONFIG_TEXT];	/* what is called while all is well */
	int64_t heartbeat_ms;	/* so often */
	char smtp[CONFIG_TEXT];		/* "HOST:PORT", "[V6]:PORT", or "" */
	char smtp_user[CONFIG_TEXT], smtp_password_file[CONFIG_TEXT];
	char smtp_password[CONFIG_TEXT]; /* for the reader of that file */
	char smtp_from[CONFIG_TEXT];
	char smtp_tls[CONFIG_TEXT];	/* "starttls", "tls", "plain" */
};

/* Read text; file is its name in the faults.  The number of faults, each a
 * line "FILE:LINE: what, and what would be right\n" in faults. */
unsigned config_parse(struct str text, const char *file, struct config *c,
    struct buf *faults);

/* The address of one listener as given to -l or listen.  0 or -1. */
int config_listener(struct str addr, struct config_listen *l,
    struct fail *why);

#endif
