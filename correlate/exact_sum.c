/* exact_sum.c - see exact_sum.h. */
#include "correlate/exact_sum.h"

#include <math.h>
#include <string.h>

typedef unsigned __int128 wide;

exact_number exact_of(double number)
{
    double scaled = number * 0x1p40; /* exact: a power of two, and far from the largest */

    /* From 2^53 on it is whole; rint() rounds ties to even, the default that nobody changes. */
    return (exact_number)rint(scaled);
}

double exact_to_real(exact_number number)
{
    return (double)number * 0x1p-40;
}

/* number * number, which is below 2^250. */
static void square_of(exact_number number, uint64_t out[4])
{
    wide magnitude = number < 0 ? -(wide)number : (wide)number;
    uint64_t low = (uint64_t)magnitude, high = (uint64_t)(magnitude >> 64);
    wide ll = (wide)low * low, lh = (wide)low * high, hh = (wide)high * high;

    out[0] = (uint64_t)ll;
    wide at = (ll >> 64) + (uint64_t)lh + (uint64_t)lh;
    out[1] = (uint64_t)at;
    at = (at >> 64) + (lh >> 64) + (lh >> 64) + (uint64_t)hh;
    out[2] = (uint64_t)at;
    out[3] = (uint64_t)((at >> 64) + (hh >> 64));
}

static void words_add(uint64_t to[4], const uint64_t what[4])
{
    wide carry = 0;

    for (int i = 0; i < 4; i++) {
        carry += (wide)to[i] + what[i];
        to[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void words_take(uint64_t from[4], const uint64_t what[4])
{
    uint64_t borrow = 0;

    for (int i = 0; i < 4; i++) {
        wide left = (wide)from[i] - what[i] - borrow;
        from[i] = (uint64_t)left;
        borrow = (uint64_t)(left >> 64) & 1;
    }
}

static void words_times(uint64_t words[4], uint32_t factor)
{
    wide carry = 0;

    for (int i = 0; i < 4; i++) {
        carry += (wide)words[i] * factor;
        words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* The nearest real number, ties to even: the highest 64 bits, the rest as one bit below. */
static double words_to_real(const uint64_t words[4])
{
    int top = 3, shift;

    while (top > 0 && words[top] == 0)
        top--;
    if (top == 0)
        return (double)words[0];
    shift = __builtin_clzll(words[top]);
    uint64_t high = words[top] << shift;
    uint64_t rest = words[top - 1] << shift;
    if (shift > 0)
        high |= words[top - 1] >> (64 - shift);
    for (int i = 0; i < top - 1; i++)
        rest |= words[i];
    return ldexp((double)(high | (rest != 0)), 64 * top - shift);
}

void exact_add(struct exact_moments *moments, exact_number number)
{
    uint64_t square[4];

    square_of(number, square);
    words_add(moments->square, square);
    moments->sum += number;
    moments->count++;
}

void exact_take(struct exact_moments *moments, exact_number number)
{
    uint64_t square[4];

    square_of(number, square);
    words_take(moments->square, square);
    moments->sum -= number;
    moments->count--;
}

double exact_average(const struct exact_moments *moments)
{
    return exact_to_real(moments->sum) / moments->count;
}

/* sqrt(n * sum of squares - square of the sum) / n */
double exact_deviation(const struct exact_moments *moments)
{
    uint64_t words[4], square[4];

    memcpy(words, moments->square, sizeof(words));
    words_times(words, moments->count);
    square_of(moments->sum, square);
    words_take(words, square);
    return sqrt(words_to_real(words)) / moments->count * 0x1p-40;
}
