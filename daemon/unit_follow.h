/*
 * unit_follow.h - who stands by follows the unit: what the shared store gets is fetched now, so
 * that little is left when the unit becomes this daemon's own (S3).
 *
 * Its price is a walk over the own journal, so it takes a small part of the time; but what came in
 * a lease is not left for later, however long the first fetch took.
 *
 * One that cannot follow - a full disk, most often - is no standby, and only its own words say so:
 * the log (follow_failed, following_again), /readyz and the counters.
 *
 * Thread: the unit's, but for the counters.
 */
#ifndef DAEMON_UNIT_FOLLOW_H
#define DAEMON_UNIT_FOLLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/config.h"
#include "store/unit_join.h"

struct unit_follow {
    /* What the caller sets; all outlives it. */
    const struct config *config;
    const struct segment_config *log[SHARED_LOGS]; /* of the directory */
    const char *blobs;                             /* folder of kept files */
    bool (*must_stop)(void *self);
    void *self;

    /* Its own, zero at the start. */
    uint64_t next_ns;
    bool has_followed;
    unsigned failed; /* in a row */
    struct error why;
    uint64_t copied[SHARED_LOGS]; /* our frames up to this one came from the store; 0: not known */

    /* Of any thread; relaxed, each by itself. */
    _Atomic int64_t followed_ms; /* wall clock: it had all there was; 0: not yet */
    _Atomic uint64_t failures;
};

/* Follows if it is time to. How long it took, in ms. */
int64_t unit_follow_step(struct unit_follow *follow, struct shared_store *store);

/* Why it does not follow; NULL: it does, or has not failed for long enough to be told. */
const char *unit_follow_why(const struct unit_follow *follow);

#endif
