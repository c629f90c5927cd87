/*
 * lease_watch.h - how a unit is taken by who stands by for it: only where its owner would have
 * renewed the lease if it lived (S2, F4).
 *
 *   asked without a change to anything          the lease is another's ----> SHARED_TAKEN
 *       |                                       no answer -----------------> SHARED_AWAY
 *       v the lease is free
 *   let go in good order, never owned, or our own -----------------------+
 *   a store that has answered without a gap for a whole lease time ------+--> it is taken
 *       | else                                                           |
 *       +------> SHARED_UNSURE: to be asked again                <-------+ not if the number of the
 *                                                                          ownership has moved
 *
 * A lease that ended while the store stood still says nothing of its owner: that one goes on, and
 * renews it as soon as there is an answer, several times in the time that is waited for here. What
 * is asked of a store that stands still is carried out when it wakes, so the question is one that
 * takes the unit from nobody; and what takes it carries the number that was seen.
 *
 * No gap: each answer was prompt, and came soon after the one before; by our own clock that no one
 * sets. What the store has forgotten since, an ownership with a greater number, is a gap too.
 *
 * Thread: one at a time, as its store.
 */
#ifndef STORE_LEASE_WATCH_H
#define STORE_LEASE_WATCH_H

#include "store/shared_store.h"

struct lease_watch {
    unsigned lease_ms; /* the caller sets it */

    /* Its own, zero at the start. */
    uint64_t since_ns, last_ns; /* prompt answers without a gap; 0: none yet */
    uint64_t fence;             /* number of the ownership that was seen last */
    bool has_forgotten; /* that was a smaller one than before, and nobody has taken it since */
};

/* Asks. SHARED_FINE: it may be taken, behind the ownership of number watch->fence. Else as the next
 * says. */
enum shared_verdict lease_watch_ask(struct lease_watch *watch, struct shared_store *store,
                                    int64_t *left_ms, struct error *err);

/* Asks, and takes the unit if it may be taken. SHARED_FINE: it is ours since `*taken_ns`
 * (monotonic, read before). Else a sentence; with SHARED_TAKEN and SHARED_UNSURE `*left_ms` is when
 * the lease, or what is waited for, is over. */
enum shared_verdict lease_watch_take(struct lease_watch *watch, struct shared_store *store,
                                     uint64_t *taken_ns, int64_t *left_ms, struct error *err);

/* To be asked so often, in ms, or an answer comes too late. */
unsigned lease_watch_ask_ms(const struct lease_watch *watch);

#endif
