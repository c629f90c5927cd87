/*
 * key_queue.h - the keys of a rule in the order in which its bound takes them (X4): those that
 * watch before those with an open incident, each by (last touch, words).
 *
 * A touch must not cost more because its rule is over its bound, so a key that is touched stays
 * where it is: its place says no more than "not touched before". Each worker has, per rule and for
 * each of the two kinds of key, a line:
 *
 *     next, sorted            stretches of time, not sorted              last touches
 *   [ a b c d ] cut_ms [ ......... | .............. | ........ ]         ----------->
 *     ^ goes first       ^ the oldest is looked through when `next` is used up: what was touched
 *                          meanwhile goes to its own stretch, the rest is sorted
 *
 * Every key of the line whose last touch lies before cut_ms is in `next`, so what `next` has is
 * smaller than all behind it. A stretch with many keys is first parted by time, so that no more is
 * sorted at once than comes next (but what was touched in one millisecond is). A key that closed
 * its incident may be older than cut_ms; such keys are `loose` until they are merged into `next`.
 *
 * Cost: a key's place is looked at when it comes next, and once more for each touch since it was
 * last looked at, and each parting (16 parts, so seldom more than two): two looks for a key that
 * nobody touched again, amortised O(1) for others, and a sort's O(log n) comparisons. Only loose
 * keys cost a pass over `next`, once a round. A rule that was never over its bound has no queue and
 * costs nothing; for its first time all keys of the worker are gone through once, for all rules
 * that are past half their bound.
 *
 * Memory: 5 bytes per key, 16 in `next`. Places of keys that went by themselves stay until they are
 * looked at; once places are twice what they were after the last look through all of them, there is
 * another.
 *
 * Owner:  the worker; freed with it, or when the rule's slot is.
 * Thread: the worker, in its rules phases; key_queue_forget() the sequencer role, between steps.
 */
#ifndef CORRELATE_KEY_QUEUE_H
#define CORRELATE_KEY_QUEUE_H

#include "correlate/core.h"

struct key_queue;

/* Makes queues for the rules that are marked, by slot, of whom none has one: a pass over all keys
 * of the worker. */
void key_queues_begin(struct worker *worker, const bool *is_wanted, uint32_t slot_count);

/* Adds to worker->key_candidates the `wanted` keys of the rule that go first, in order; fewer if it
 * has no more. It has a queue. `now_ms`: the round's end, at which no key was touched later. */
void key_queue_offer(struct worker *worker, uint32_t slot, uint64_t wanted, int64_t now_ms);

/* One of those, which are taken in their order, goes. */
void key_queue_gone(struct worker *worker, const struct key_candidate *candidate);

/* Places that it has, for the two kinds of key together. */
uint64_t key_queue_places(const struct key_queue *queue);

/* What the worker's queues take, but for air. */
uint64_t key_queues_bytes(const struct worker *worker);

void key_queue_put(struct worker *worker, struct key_state *key, uint32_t number, int64_t at_ms);
void key_queue_forget(struct engine *engine, uint32_t slot);
void key_queues_release(struct worker *worker);

/* NULL: the rule was never over its bound. */
static inline struct key_queue *key_queue_of(const struct worker *worker, uint32_t slot)
{
    return slot < worker->key_queues.count ? worker->key_queues.at[slot] : NULL;
}

/* A key was made, or watches again behind an incident; its last touch is, or will be, at `at_ms` or
 * later. */
static inline void key_queue_note(struct worker *worker, struct key_state *key, uint32_t number,
                                  int64_t at_ms)
{
    if (key_queue_of(worker, key->slot) != NULL)
        key_queue_put(worker, key, number, at_ms);
}

#endif
