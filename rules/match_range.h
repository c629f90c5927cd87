/*
 * match_range.h - which of many intervals hold a number.
 *
 *   boundaries, sorted   | 10 | 80 | 90 |           a tree over the stretches between them: each
 *   stretches          0   1    2    3    4         interval hangs at O(log n) nodes that make it
 * up, a number reads the nodes from its stretch to the root
 *
 * Finding costs a binary search and the answer; memory O(n log n).
 * Source: segment tree, in the bottom-up form without padding.
 *
 * Thread: immutable after create.
 */
#ifndef RULES_MATCH_RANGE_H
#define RULES_MATCH_RANGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

/* Numbers low ... high, both included, belong to `owner`. */
struct interval {
    int64_t low, high;
    uint32_t owner;
};

struct match_range;

/* Borrows `intervals`. Owner: `arena`. NULL when memory is short. */
struct match_range *match_range_create(const struct interval *intervals, uint32_t count,
                                       struct arena *arena, struct arena *scratch);

/* Visits the owner of each interval that holds `number`; one with several may be visited again. */
void match_range_find(const struct match_range *range, int64_t number,
                      void (*visit)(void *self, uint32_t owner), void *self);

/* Real numbers as whole ones in the same order: neighbours stay neighbours, -0 is 0. */
int64_t match_range_key(double real);

#endif
