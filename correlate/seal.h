/*
 * seal.h - seals by the clock (semantics T4): what lets quiet partitions pass, so
 * that those with records need not wait for them.
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_SEAL_H
#define CORRELATE_SEAL_H

#include "correlate/core.h"

/* One seal round: finds R and asks each partition with a new proof, or one that cannot be
 * read while others can, to raise V to R - G. */
void seal_round(struct engine *engine, uint64_t now_ns);

/*
 * A record waits until its epoch is closed, and where no others come that is done by seals: by the
 * first proof of after the moment at which R has gone far enough. It would be too much to ask
 * brokers for all the time, so the moment is reckoned beforehand, and the proof asked for then.
 * Without it what is asked, looked at, sealed and applied every 10 ms, by turns of their own each,
 * takes 20 ms more (docs/performance.md).
 *
 * seal_aim() finds that moment for the next epoch, as long as there may be anything in one, and
 * tells the source; `passed` is the least of all partitions. seal_is_due() says whether a round is
 * to be made: once in config.seal_ms, or when all proofs of after that moment are there.
 */
void seal_aim(struct engine *engine, int64_t passed, uint64_t now_ns);
bool seal_is_due(const struct engine *engine, uint64_t now_ns);

/* Whether such proofs may have come by now, so that who reads has to look for them. Thread: any. */
static inline bool seal_is_wanted(const struct engine *engine, uint64_t now_ns)
{
    /* Who does not answer by then is looked at as always. The next moment may be 20 ms on, and has
     * to be told before it. */
    enum { LOOK_NS = 8000000 };
    /* relaxed: a hint. */
    uint64_t at_ns = atomic_load_explicit(&engine->wanted_ns, memory_order_relaxed);

    return at_ns != 0 && now_ns >= at_ns && now_ns - at_ns < LOOK_NS;
}

#endif
