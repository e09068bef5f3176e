/*
 * notify_impl.h: what the files of notify share, and nobody else.
 */
#ifndef NOTIFY_IMPL_H
#define NOTIFY_IMPL_H

#include "channel.h"
#include "notify.h"

/* What a way's child is at. */
enum errand { IDLE, TELL, ASK, CANCEL, BEAT };

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
/* The job that asks of an emergency whether somebody saw it, or ends it. */
int notify_job_ring(const struct delivery *d, enum errand e, struct buf *b,
    struct fail *why);

/* The job that says that all is well. */
int notify_job_well(struct buf *b, struct fail *why);

/* ---- notify_ring.c: a phone rings until it is said there that it was seen,
 * until all that is told of is over or acknowledged, or for its time ---- */

/* Of a delivery that rings: when to do something about it (watch clock). */
int64_t notify_ring_ms(const struct delivery *d);
/* It is done now: what. */
enum errand notify_ring_errand(struct delivery *d);
/* What came of it. */
void notify_ring_ended(struct delivery *d, enum errand e,
    const struct channel_outcome *o, const struct watch_now *now);

#endif
