/*
 * part.h - partitions come and go (semantics T8).
 *
 * A partition is told by the source, gets a place in the engine's table and an owner
 * among the workers, and is ranked among the others by (topic, partition). It goes in
 * three moves: the source takes it back, its owner lets it go (enum membership, core.h),
 * and its place is dropped; the place is used again when the same partition comes back. What had
 * counted of it counts no more then (rejoin.h), so one that comes back at once waits until its
 * owner has let go.
 *
 *      join            leave            owner           role
 *   ---------> member -------> leaving -------> gone -------> dropped
 *                ^                                               |
 *                +----------------- join again ------------------+
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_PART_H
#define CORRELATE_PART_H

#include "correlate/core.h"

/* Takes what the source says of partitions, now and then, and tells it how far they
 * are worked off. True when any came or went. */
bool parts_poll(struct engine *engine, uint64_t now_ns);

/* A new place at the end of the table and of its owner's list; NULL when both are full. */
struct part *part_add(struct engine *engine, const char *topic, int32_t number);

/* Ranks of all places by (topic, partition), after there are new ones. */
void part_ranks(struct engine *engine);

/* Places in the table, with those that were left and with @derived. */
static inline unsigned part_total(const struct engine *engine)
{
    /* relaxed: this role is its only writer. */
    return atomic_load_explicit(&engine->part_count, memory_order_relaxed);
}

static inline bool part_is_member(const struct part *part)
{
    /* relaxed: this role alone makes a member, and ends it. */
    return atomic_load_explicit(&part->membership, memory_order_relaxed) == PART_MEMBER;
}

/* From its next record on the partition is read by the settings of this name. Thread: its owner. */
void part_turn(const struct engine *engine, struct part *part, int64_t value);

#endif
