/*
 * page.h: what is not JSON: HTML for lynx and phones, without script.
 * The pages are routes of api.h; here is what they are made with.
 */
#ifndef PAGE_H
#define PAGE_H

#include "str.h"

#define PAGE_RESULTS	10	/* the last of each check */
#define PAGE_CHECKS_MAX	32	/* more: only those of ?agent=HOST */

#define PAGE_TOLD_MAX	100	/* lines of what one delivery tells of */
#define PAGE_COMMENT_MAX 240	/* bytes */

/* s as text of an HTML element or attribute: escaped, control bytes and
 * what is not UTF-8 replaced. */
void page_text(struct buf *b, struct str s);

#endif
