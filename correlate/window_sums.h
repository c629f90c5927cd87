/*
 * window_sums.h - what a large window keeps so that its aggregates need not look at all of its
 * entries: they are brought up to date as entries come, go and change.
 *
 *   aggregate           what is kept                                  an entry comes or goes
 *   sum, avg, stddev    exact sums (exact_sum.h), taken off again     O(1)
 *   min, max            a monotone queue (window_extremes.h)          amortised O(1)
 *   first, last         which entries they are                        amortised O(1)
 *   rate                the rise between neighbours, taken off again  amortised O(1)
 *   distinct            a table of counts (value_counts.h)            amortised O(1)
 *   quantile            a tree in order (order_tree.h)                O(log n)
 *
 * Subtract-on-evict is open to sums because they are whole numbers: nothing is left behind by one
 * that goes, as there would be among doubles. Two stacks and DABA, which need no inverse, would do
 * for min and max too, at O(1) in the worst case for DABA; but entries also change, and leave from
 * the middle, and a monotone queue can be mended there.
 * Source: K. Tangwongsan, M. Hirzel, S. Schneider, "Sliding-Window Aggregation Algorithms",
 * Encyclopedia of Big Data Technologies, 2019 (subtract-on-evict, two stacks, DABA); the same, "In-
 * Order Sliding-Window Aggregation in Worst-Case Constant Time", VLDB Journal 30, 2021.
 *
 * "Amortised" is over entries that come at the young end and leave at the old one. An event that
 * changes an entry in the middle looks for neighbours that have numbers.
 *
 * A window that has never had room for WINDOW_SUMS_ROOM entries is looked through instead, and so
 * is one whose rule looks at its end alone: that is amortised O(1) as it is, unless the rule keeps
 * values (window_full.h). What is kept costs up
 * to 64 bytes per entry and aggregate, so max_members bounds it; it goes with the window's last
 * entry, and counts in state_bytes.
 *
 * Owner:  lies in the worker's slab; the ring points at it.
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_WINDOW_SUMS_H
#define CORRELATE_WINDOW_SUMS_H

#include "correlate/window.h"

/* A ring of so much room is made for the 17th entry. With 15 entries a look at all of them costs
 * what keeping does, with 7 less, with 31 two to four times as much (bench_windows). */
enum { WINDOW_SUMS_ROOM = 32 };

/* The rule has aggregates that would look at all entries, and looks whenever one comes; or it has
 * to know, when a window is full, which values others have, too. */
bool window_sums_wanted(const struct rule *rule);

/* Entry `i` is filled: it counts from now on. Nothing if the window is not kept with sums. */
void window_sums_put(struct window *window, uint32_t i, struct slab *slab);

/* What the entry holds is about to be replaced: it does not count until it is put again. */
void window_sums_take(struct window *window, uint32_t i, struct slab *slab);

/* For window.c: the oldest, or entry `i`, is about to leave. */
void window_sums_pop(struct window *window, struct slab *slab);
void window_sums_remove(struct window *window, uint32_t i, struct slab *slab);

/* For a window with an index: entry `i` is about to leave, its place stays; the oldest `places` and
 * those behind the window's span, of which no entry is left, are none any more; the entries stand
 * at other places. */
void window_sums_gone(struct window *window, uint32_t i, struct slab *slab);
void window_sums_trimmed(struct window *window, uint32_t places);
void window_sums_again(struct window *window, struct slab *slab);

/* The value of aggregate `i`, which is not count(), of a window whose sums are not NULL. */
int64_t window_sums_value(const struct window *window, uint32_t i);

/* Of a rule that keeps_values: the oldest of the first `looks` entries whose value a newer one has,
 * too (window_repeats.h); window->span if there is none. The sums are not NULL. */
uint32_t window_sums_oldest_repeated(const struct window *window, uint32_t looks);

void window_sums_free(struct window *window, struct slab *slab);

#endif
