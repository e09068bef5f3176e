/*
 * mail.h: a message as the text of an e-mail: RFC 5322, MIME (RFC 2045,
 * 2047).  Pure; channel_mail.c carries it.
 *
 * Whatever the texts of a job hold, no line of it is over 998 bytes, none
 * begins with '.', all end in CRLF, and no text makes a header field.
 */
#ifndef MAIL_H
#define MAIL_H

#include "fail.h"
#include "str.h"

#define MAIL_ADDRESS_MAX	254	/* bytes (RFC 5321 4.5.3.1) */
#define MAIL_TITLE_CHARS	250
#define MAIL_TEXT_MAX		16384	/* bytes of any text of a job */
#define MAIL_MARK		96	/* bytes of "N:HASH" and a NUL */
#define MAIL_MAX		65536	/* enough for what comes of them */

/* LOCAL@DOMAIN, both of dot-separated atoms, the domain of letters, digits
 * and '-': no quotes, literals or UTF-8, nor what could end a command. */
bool mail_address(struct str s);

/* Write the e-mail of a job, sent now.  Of its members
 *
 *	smtp_from, address	are From and To
 *	title			the subject, a character that does not fit one
 *				line as '?'
 *	message, link, journal	the body, the last two if they are there, the
 *				last a field, too
 *	severity		"critical" is of high importance
 *	id, thread		numbers of deliveries, this and the first of
 *				its thread (or none), and
 *	smtp_mark		letters and digits of this server's own, make
 *				the Message-ID, on each retry the same
 *
 * 0, or -1: no such job. */
int mail_write(struct buf *b, struct str job, int64_t now_ms,
    struct fail *why);

#endif
