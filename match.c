/* match.c: see match.h. */
#include "match.h"

/* Is the pattern one of TAG: or such?  Then that is cut off. */
static bool
is_of(struct str *pattern, struct str head)
{
	if (pattern->n < head.n ||
	    !str_ieq((struct str){ pattern->p, head.n }, head))
		return false;
	*pattern = str_after(*pattern, head.n);
	return true;
}

/* Names of hosts and checks may have spaces within (check_name_ok). */
static int
parse_one(struct str one, struct fail *why)
{
	struct str part;
	bool word = is_of(&one, STR("tag:")) || is_of(&one, STR("type:"));
	unsigned n = 0;

	while (str_cut(&one, '/', &part) == 0) {
		if (++n > (word ? 1 : 2))
			return fail(why, "a / too many");
		if (part.n == 0 || str_trim(part).n < part.n)
			return fail(why, "no name beside a / or :");
		if (!str_is_of(part, word ? STR_ALNUM "._:-*?" :
		    STR_ALNUM "._:-*? "))
			return fail(why, "not of A-Za-z0-9._:-, * and ?");
	}
	return 0;
}

int
match_parse(struct str text, struct fail *why)
{
	struct str one;
	unsigned n = 0;

	if (text.n > MATCH_TEXT_MAX)
		return fail(why, "longer than %d bytes", MATCH_TEXT_MAX);
	if (text.n == 0)
		return fail(why, "not HOST, HOST/CHECK, tag:TAG or type:TYPE");
	while (str_cut(&text, ',', &one) == 0) {
		if (++n > MATCH_MAX)
			return fail(why, "more than %d patterns", MATCH_MAX);
		if (parse_one(str_trim(one), why) == -1)
			return fail_in(why, "pattern %u", n);
	}
	return 0;
}

bool
match_glob(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

	/* A star takes nothing at first, and one more whenever what is behind
	 * it fails.  Those before the last one need not be tried again. */
	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' ||
		    str_ieq((struct str){ pattern.p + p, 1 },
		    (struct str){ text.p + t, 1 }))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	return str_span(str_after(pattern, p), "*") == pattern.n - p;
}

static bool
holds_one(struct str one, const struct match_on *on)
{
	struct str host, rest = str_of(on->tags), tag;

	if (is_of(&one, STR("type:")))
		return on->check != NULL && match_glob(one, str_of(on->type));
	if (is_of(&one, STR("tag:"))) {
		while (str_cut(&rest, ' ', &tag) == 0)
			if (tag.n > 0 && match_glob(one, tag))
				return true;
		return false;
	}
	str_cut(&one, '/', &host);
	return match_glob(host, str_of(on->host)) && (one.p == NULL ||
	    (on->check != NULL && match_glob(one, str_of(on->check))));
}

bool
match_holds(struct str text, const struct match_on *on)
{
	struct str one;

	while (str_cut(&text, ',', &one) == 0) {
		one = str_trim(one);
		if (one.n > 0 && holds_one(one, on))
			return true;
	}
	return false;
}
