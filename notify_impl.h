/* notify_impl.h: what the files of notify share.  See notify.h. */
#ifndef NOTIFY_IMPL_H
#define NOTIFY_IMPL_H

#include "model.h"

/* Add to a job what an e-mail wants beyond its texts: server, sender,
 * recipient, its number and that of the first of its thread, which is the
 * first delivery of this recipient's that tells of the same incident.  0, or
 * -1: no server is set. */
int notify_mail_job(const struct setting *s, const struct recipient *r,
    const struct delivery *d, struct buf *b, struct fail *why);

#endif
