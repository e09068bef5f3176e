/*
 * notify_impl.h: what the files of notify share, and nobody else.
 */
#ifndef NOTIFY_IMPL_H
#define NOTIFY_IMPL_H

#include "notify.h"

/* Journal and install a draft. */
struct delivery *notify_put(struct delivery *d, const struct watch_now *now);

/* Deliveries changed: what is due first may be another one. */
void notify_changed(void);

/* What became of a delivery is known: look at its incidents again. */
void notify_again(const struct delivery *d);

/* A delivery was accepted or given up: what that says of its recipient. */
void notify_proven(const struct delivery *d, const struct watch_now *now);

/* Write the whole job of a delivery, as its recipient's channel wants it
 * (channel.h); of its incidents as many as there is room for.  0, or -1: it
 * cannot be made now. */
int notify_job(const struct delivery *d, struct buf *b, struct fail *why);

#endif
