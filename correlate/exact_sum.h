/*
 * exact_sum.h - sums of numbers in which the order of addition cannot show (semantics X3).
 *
 * A number is kept as a whole multiple of 2^-40 (rounded to the nearest, ties to even) in 128
 * bits, its square as one of 2^-80 in 256.
 *
 * Numbers of 2^68 (2.95e20) and above, either way, do not fit: 131,072 of them and their squares
 * must.
 *
 * Thread: plain functions over their arguments.
 */
#ifndef CORRELATE_EXACT_SUM_H
#define CORRELATE_EXACT_SUM_H

#include <stdbool.h>
#include <stdint.h>

typedef __int128 exact_number;

#define EXACT_LIMIT 0x1p68

/* False for NaN, infinity and what is too large. */
static inline bool exact_fits(double number)
{
    return number > -EXACT_LIMIT && number < EXACT_LIMIT;
}

/* Of a number that fits. */
exact_number exact_of(double number);

/* The nearest real number, ties to even. */
double exact_to_real(exact_number number);

/* Numbers, how many they are, and their squares. */
struct exact_moments {
    exact_number sum;
    uint64_t square[4]; /* sum of squares, low word first */
    uint32_t count;
};

void exact_add(struct exact_moments *moments, exact_number number);

/* Takes away one that was added: nothing of it is left. */
void exact_take(struct exact_moments *moments, exact_number number);

/* Both of at least one number. The deviation is that of the whole (divided by the count, not by
 * one less), as Prometheus has it. */
double exact_average(const struct exact_moments *moments);
double exact_deviation(const struct exact_moments *moments);

#endif
