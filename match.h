/*
 * match.h: which agents and checks a text means.
 *
 *	HOST		an agent and all of its checks
 *	HOST/CHECK	checks by their names; never an agent itself
 *	tag:TAG		agents that have the tag, and all of their checks
 *	type:TYPE	checks of a type; never an agent itself
 *
 * In each, * is any run of characters and ? is one.  Several are set apart
 * by commas, and any of them suffices; blanks around one do not count.  Case
 * does not matter.  What begins with tag: or type: names no host.  Pure, in
 * linear space; time is at most the lengths of the two texts multiplied.
 */
#ifndef MATCH_H
#define MATCH_H

#include "fail.h"
#include "str.h"

#define MATCH_MAX	16	/* patterns of one text */
#define MATCH_TEXT_MAX	256	/* bytes of one text */

/* Is it well formed?  0 or -1. */
int match_parse(struct str text, struct fail *why);

/* An agent, or a check of it. */
struct match_on {
	const char *host, *tags;	/* words set apart by a space */
	const char *check, *type;	/* NULL: the agent itself */
};

/* Is it one of those that text, which match_parse took, means? */
bool match_holds(struct str text, const struct match_on *on);

/* Is all of text as the pattern says? */
bool match_glob(struct str pattern, struct str text);

#endif
