/*
 * window_extremes.h - the smallest or largest number of a window, by a monotone queue.
 *
 * In the queue stand, oldest first, the entries whose number no later one beats: the first is the
 * extreme. A new number pushes those that it beats out of the end, and each entry comes in once:
 * amortised O(1) for what comes at the young end and leaves at the old one.
 *
 * An entry that goes from the middle, or whose number is another, costs the search for its place,
 * O(log n); if it stood in the queue, also a look at the entries between it and the one before it
 * in the queue, which it may have kept out, and a move of what stands behind.
 *
 *   numbers   3 1 4 1 5 9 2 6 5      largest: queue 9 6 5
 *
 * Source: the ascending minima of R. Harter (the monotone queue of a sliding minimum); K.
 * Tangwongsan, M. Hirzel, S. Schneider, "In-Order Sliding-Window Aggregation in Worst-Case Constant
 * Time", VLDB Journal 30, 2021, compare it with others.
 *
 * Owner:  the queue is one block of the worker's slab.
 * Thread: the owner of the slab.
 */
#ifndef CORRELATE_WINDOW_EXTREMES_H
#define CORRELATE_WINDOW_EXTREMES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/slab.h"
#include "correlate/window.h"

/* The place of an entry is its number among all that ever came, modulo 2^32: `base` is that of
 * the window's oldest. */
struct extreme {
    double number;
    uint32_t place;
};

/* All zero, but for is_max: empty. */
struct extremes {
    struct extreme *at;
    uint32_t first, count, room;
    bool is_max;
};

/* Entry `i` of the column, which has a number, comes to be counted; all others that are counted
 * have theirs still. */
void extremes_put(struct extremes *extremes, const struct window_column *column, uint32_t base,
                  uint32_t i, struct slab *slab);

/* It is no more counted, its number still there. */
void extremes_take(struct extremes *extremes, const struct window_column *column, uint32_t base,
                   uint32_t i, struct slab *slab);

/* Entry `i`, which is not counted, is about to leave from the middle. */
void extremes_close_up(struct extremes *extremes, uint32_t base, uint32_t i);

/* NaN: there is none. */
static inline double extremes_get(const struct extremes *extremes)
{
    return extremes->count > 0 ? extremes->at[extremes->first].number : __builtin_nan("");
}

void extremes_free(struct extremes *extremes, struct slab *slab);

#endif
