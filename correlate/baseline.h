/*
 * baseline.h - what is usual at one time of a season, and how far a number is from it.
 *
 * Of all earlier numbers of the same slot of the season (Monday 9 to 10 o'clock, say) three things
 * are kept: how many, their mean, and the sum of their squared distances from it. Each number moves
 * them by Welford's steps, which lose nothing when numbers are large and close together. The steps
 * are taken in the order of time, one rounding each, so the same input gives the same bits.
 *
 * Source: B. P. Welford, Note on a method for calculating corrected sums of squares and products,
 *         Technometrics 4 (1962).
 * Thread: plain functions over their arguments.
 */
#ifndef CORRELATE_BASELINE_H
#define CORRELATE_BASELINE_H

#include <stdint.h>

struct baseline_slot {
    double mean;
    double square; /* sum of squared distances from the mean */
    uint32_t count;
};
_Static_assert(sizeof(struct baseline_slot) == 24, "a key has one for each window of its season");

/* What is further off than this is not told apart: also what differs from what never varied. */
#define BASELINE_DEVIATION_MAX 1e6

/* How many standard deviations `number` lies above the mean, below it where negative; NaN when
 * fewer than `learn` numbers are known, at least one. NaN of NaN. */
double baseline_deviation(const struct baseline_slot *slot, uint32_t learn, double number);

/* The standard deviation of the numbers; there is one. */
double baseline_spread(const struct baseline_slot *slot);

/* `number` is one of the earlier ones from now on. */
void baseline_teach(struct baseline_slot *slot, double number);

#endif
