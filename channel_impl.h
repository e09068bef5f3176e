/* channel_impl.h: what the files of channel share.  See channel.h. */
#ifndef CHANNEL_IMPL_H
#define CHANNEL_IMPL_H

#include "channel.h"
#include "tls.h"

/* text, fit for one line, into dst; NUL after it. */
void channel_line(char *dst, size_t cap, const char *text);
void channel_reason(struct channel_outcome *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Whom to believe; NULL: there is nobody, *o says why. */
const struct tls_trust *channel_trust(struct channel_outcome *o);

/* The channels, each with a job that is its own. */
void channel_mail(struct str job, struct channel_outcome *o);

#endif
