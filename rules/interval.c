/* interval.c - see interval.h. */
#include "rules/interval.h"

#include <float.h>
#include <math.h>

_Static_assert(LDBL_MANT_DIG >= 64, "a long double holds whole numbers of 64 bits");

#define WHOLE_MIN (-0x1p63L)
#define WHOLE_MAX (0x1p63L - 1.0L)

/* ---- making ---- */

static struct interval make(long double lo, long double hi, bool is_whole)
{
    return (struct interval){.lo = lo, .hi = hi, .is_whole = is_whole};
}

/* Whole numbers have no open ends, and none between two of them. */
static struct interval tidy(struct interval a)
{
    if (!a.is_whole)
        return a;
    a.lo = a.lo_open ? floorl(a.lo) + 1 : ceill(a.lo);
    a.hi = a.hi_open ? ceill(a.hi) - 1 : floorl(a.hi);
    a.lo_open = a.hi_open = false;
    return a;
}

struct interval interval_all(enum value_type type)
{
    if (type == TYPE_DOUBLE)
        return make(-(long double)DBL_MAX, (long double)DBL_MAX, false);
    if (type == TYPE_SEVERITY)
        return make(0, SEVERITY_COUNT - 1, true);
    return make(WHOLE_MIN, WHOLE_MAX, true);
}

struct interval interval_whole(int64_t lo, int64_t hi)
{
    return make((long double)lo, (long double)hi, true);
}

struct interval interval_of(const struct value *value)
{
    long double number =
        value->type == TYPE_DOUBLE ? (long double)value->real : (long double)value->number;

    return make(number, number, value->type != TYPE_DOUBLE);
}

/* ---- asking ---- */

bool interval_is_empty(const struct interval *a)
{
    return a->lo > a->hi || (a->lo == a->hi && (a->lo_open || a->hi_open));
}

bool interval_is_point(const struct interval *a)
{
    return a->lo == a->hi && !a->lo_open && !a->hi_open;
}

bool interval_holds(const struct interval *a, long double number)
{
    return (a->lo_open ? number > a->lo : number >= a->lo) &&
           (a->hi_open ? number < a->hi : number <= a->hi);
}

/* ---- sets ---- */

static void cut_below(struct interval *a, long double hi, bool is_open)
{
    if (hi < a->hi) {
        a->hi = hi;
        a->hi_open = is_open;
    } else if (hi == a->hi) {
        a->hi_open = a->hi_open || is_open;
    }
}

static void cut_above(struct interval *a, long double lo, bool is_open)
{
    if (lo > a->lo) {
        a->lo = lo;
        a->lo_open = is_open;
    } else if (lo == a->lo) {
        a->lo_open = a->lo_open || is_open;
    }
}

struct interval interval_meet(struct interval a, struct interval b)
{
    cut_below(&a, b.hi, b.hi_open);
    cut_above(&a, b.lo, b.lo_open);
    return tidy(a);
}

struct interval interval_join(struct interval a, struct interval b)
{
    a.lo_open = a.lo == b.lo ? a.lo_open && b.lo_open : a.lo < b.lo ? a.lo_open : b.lo_open;
    a.hi_open = a.hi == b.hi ? a.hi_open && b.hi_open : a.hi > b.hi ? a.hi_open : b.hi_open;
    a.lo = a.lo < b.lo ? a.lo : b.lo;
    a.hi = a.hi > b.hi ? a.hi : b.hi;
    a.is_whole = a.is_whole && b.is_whole;
    return a;
}

struct interval interval_below(struct interval a, struct interval b, bool or_equal)
{
    cut_below(&a, b.hi, b.hi_open || !or_equal);
    return tidy(a);
}

struct interval interval_above(struct interval a, struct interval b, bool or_equal)
{
    cut_above(&a, b.lo, b.lo_open || !or_equal);
    return tidy(a);
}

/* ---- computing ---- */

static long double clamp(long double number, long double lo, long double hi)
{
    return number < lo ? lo : number > hi ? hi : number;
}

static long double least(const long double number[4])
{
    return fminl(fminl(number[0], number[1]), fminl(number[2], number[3]));
}

static long double greatest(const long double number[4])
{
    return fmaxl(fmaxl(number[0], number[1]), fmaxl(number[2], number[3]));
}

/* As value_compute() rounds. Rounding keeps order, so ends become ends. */
static long double real_end(enum arithmetic sign, long double left, long double right)
{
    double a = (double)left, b = (double)right, result;

    result = sign == ARITHMETIC_ADD        ? a + b
             : sign == ARITHMETIC_SUBTRACT ? a - b
             : sign == ARITHMETIC_MULTIPLY ? a * b
                                           : a / b;
    return clamp((long double)result, -(long double)DBL_MAX, (long double)DBL_MAX);
}

/* Beyond 64 bits this rounds, and is an error there. */
static long double whole_end(enum arithmetic sign, long double a, long double b)
{
    long double result = sign == ARITHMETIC_ADD        ? a + b
                         : sign == ARITHMETIC_SUBTRACT ? a - b
                         : sign == ARITHMETIC_MULTIPLY ? a * b
                                                       : truncl(a / b);

    return clamp(result, WHOLE_MIN, WHOLE_MAX);
}

static struct interval corners(enum arithmetic sign, struct interval a, struct interval b,
                               bool is_whole)
{
    long double (*end)(enum arithmetic, long double, long double) = is_whole ? whole_end : real_end;
    long double of[4] = {end(sign, a.lo, b.lo), end(sign, a.lo, b.hi), end(sign, a.hi, b.lo),
                         end(sign, a.hi, b.hi)};

    return make(least(of), greatest(of), is_whole);
}

static struct interval sum_or_difference(enum arithmetic sign, struct interval a, struct interval b,
                                         bool is_whole)
{
    long double (*end)(enum arithmetic, long double, long double) = is_whole ? whole_end : real_end;

    return sign == ARITHMETIC_ADD ? make(end(sign, a.lo, b.lo), end(sign, a.hi, b.hi), is_whole)
                                  : make(end(sign, a.lo, b.hi), end(sign, a.hi, b.lo), is_whole);
}

static long double magnitude(struct interval a)
{
    return fmaxl(fabsl(a.lo), fabsl(a.hi));
}

/* No further from zero than the left side, nor as far as the right one; the sign of the left. */
static struct interval remainder_of(struct interval a, struct interval b)
{
    long double most = fminl(magnitude(b) - 1, magnitude(a));

    return make(a.lo < 0 ? -most : 0, a.hi > 0 ? most : 0, true);
}

struct interval interval_compute(enum arithmetic sign, struct interval left, struct interval right,
                                 enum value_type type)
{
    bool is_whole = type != TYPE_DOUBLE;

    if (interval_is_empty(&left) || interval_is_empty(&right))
        return interval_all(type);
    if (sign == ARITHMETIC_REMAINDER)
        return remainder_of(left, right);
    if (sign != ARITHMETIC_DIVIDE && sign != ARITHMETIC_MULTIPLY)
        return sum_or_difference(sign, left, right, is_whole);
    if (sign == ARITHMETIC_MULTIPLY || !interval_holds(&right, 0)) {
        /* An open end of the divisor may be the zero that is not in it. */
        if (sign == ARITHMETIC_MULTIPLY || (right.lo != 0 && right.hi != 0))
            return corners(sign, left, right, is_whole);
    }
    /* What is divided by a whole number grows no larger. */
    return is_whole ? make(-magnitude(left), magnitude(left), true) : interval_all(type);
}

struct interval interval_negate(struct interval a)
{
    return (struct interval){.lo = -a.hi,
                             .hi = a.is_whole ? fminl(-a.lo, WHOLE_MAX) : -a.lo,
                             .lo_open = a.hi_open,
                             .hi_open = a.lo_open,
                             .is_whole = a.is_whole};
}

struct interval interval_convert(struct interval a, enum value_type from, enum value_type to)
{
    if (interval_is_empty(&a))
        return interval_all(to);
    if (to == TYPE_DOUBLE && from == TYPE_INT)
        return make((long double)(double)a.lo, (long double)(double)a.hi, false);
    if (to == TYPE_INT && from == TYPE_DOUBLE)
        return make(clamp(truncl(a.lo), WHOLE_MIN, WHOLE_MAX),
                    clamp(truncl(a.hi), WHOLE_MIN, WHOLE_MAX), true);
    if (to == TYPE_INT && from == TYPE_TIME)
        return make(floorl(a.lo / 1000), floorl(a.hi / 1000), true);
    if (to == TYPE_TIME && from == TYPE_INT)
        return make(clamp(a.lo * 1000, WHOLE_MIN, WHOLE_MAX),
                    clamp(a.hi * 1000, WHOLE_MIN, WHOLE_MAX), true);
    return from == to ? a : interval_all(to);
}
