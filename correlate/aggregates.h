/*
 * aggregates.h - what `when` compares: counts, and sums, averages, ... of an entry's numbers, over
 * a window.
 *
 * A large window keeps what they need up to date (window_sums.h); another is looked through.
 *
 * Nothing shows the order in which entries were added: sums are exact (exact_sum.h), the rest are
 * values of entries.
 *
 * Thread: plain functions over their arguments.
 */
#ifndef CORRELATE_AGGREGATES_H
#define CORRELATE_AGGREGATES_H

#include "correlate/window.h"
#include "rules/rule_set.h"

/* The rule's aggregates over the window, which holds an entry. Counting of different values stops
 * above what decides `when`, unless `exact`. `index`: of a distinct among an entry's values. */
void aggregates_compute(const struct rule *rule, const struct window *window, bool exact,
                        int64_t value[RULE_AGGREGATES_MAX], uint32_t index[RULE_AGGREGATES_MAX]);

#endif
