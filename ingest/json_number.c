/*
 * json_number.c - see json_number.h.
 *
 * Up to 2^53 and powers of ten up to 22 the digits and the power are both exact
 * doubles, and one multiplication or division rounds once: the result is the
 * nearest double (W. D. Clinger, "How to read floating point numbers accurately",
 * 1990). Everything else goes to strtod on a copy, in the "C" locale.
 */
#include "ingest/json_number.h"

#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Larger than any count of digits in a record, so that clamping changes no result. */
enum { EXPONENT_MAX = 100000000, MANTISSA_DIGITS = 19 };

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Digits of a number that has too many for the mantissa: the first 19 that count
 * are kept, the others move the exponent. */
static void cut_mantissa(const char *at, const char *end, struct json_number *number)
{
    int digits = 0;
    bool is_fraction = false;

    number->mantissa = 0;
    number->exponent = 0;
    for (; at < end; at++) {
        if (*at == '.') {
            is_fraction = true;
            continue;
        }
        unsigned digit = (unsigned)(*at - '0');
        if (digits < MANTISSA_DIGITS) {
            number->mantissa = number->mantissa * 10 + digit;
            digits += number->mantissa != 0;
            number->exponent -= is_fraction;
        } else {
            number->is_cut |= digit != 0;
            number->exponent += !is_fraction;
        }
    }
}

static const char *scan_exponent(const char *at, const char *end, struct json_number *number)
{
    bool is_negative = false;
    int32_t exponent = 0;

    if (at < end && (*at == '+' || *at == '-'))
        is_negative = *at++ == '-';
    if (at == end || !is_digit(*at))
        return NULL;
    for (; at < end && is_digit(*at); at++)
        exponent = exponent < EXPONENT_MAX ? exponent * 10 + (*at - '0') : EXPONENT_MAX;
    if (exponent > EXPONENT_MAX)
        exponent = EXPONENT_MAX;
    number->exponent += is_negative ? -exponent : exponent;
    return at;
}

const char *json_number_scan(const char *at, const char *end, struct json_number *number)
{
    const char *begin = at, *first, *point;
    uint64_t mantissa = 0;

    number->is_negative = at < end && *at == '-';
    at += number->is_negative;
    first = at;
    for (; at < end && is_digit(*at); at++)
        mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    if (at == first || (*first == '0' && at - first > 1))
        return NULL;
    number->exponent = 0;
    if (at < end && *at == '.') {
        point = at++;
        for (; at < end && is_digit(*at); at++)
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
        number->exponent = (int32_t)(point + 1 - at);
        if (number->exponent == 0)
            return NULL;
    }
    number->mantissa = mantissa;
    number->is_cut = false;
    if (__builtin_expect(at - first > MANTISSA_DIGITS, 0))
        cut_mantissa(first, at, number);
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = scan_exponent(at + 1, end, number);
        if (at == NULL)
            return NULL;
    }
    number->text = (struct text){begin, (uint32_t)(at - begin)};
    return at;
}

/* The "C" locale, whatever the process has set. Made once, never freed. */
static locale_t plain_locale(void)
{
    static _Atomic(locale_t) made;
    /* L, acquire end: a locale is complete before its handle shows. unseen by tsan: the locale is
     * written and read inside of libc, which is not instrumented. */
    locale_t locale = atomic_load_explicit(&made, memory_order_acquire);

    if (locale == (locale_t)0) {
        locale_t mine = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        /* L, release end; the loser of a race takes the winner's (L, acquire end). unseen by tsan:
         * libc is not instrumented. */
        if (atomic_compare_exchange_strong_explicit(&made, &locale, mine, memory_order_acq_rel,
                                                    memory_order_acquire))
            locale = mine;
        else
            freelocale(mine);
    }
    return locale;
}

bool json_number_to_double(const struct json_number *number, char *scratch, double *value)
{
    double result;

    if (number->mantissa == 0) {
        result = 0;
    } else if (!number->is_cut && number->mantissa <= 1ULL << 53 && number->exponent >= -22 &&
               number->exponent <= 22) {
        result = (double)number->mantissa;
        if (number->exponent < 0)
            result /= powers_of_ten[-number->exponent];
        else
            result *= powers_of_ten[number->exponent];
    } else {
        memcpy(scratch, number->text.at, number->text.len);
        scratch[number->text.len] = '\0';
        *value = strtod_l(scratch, NULL, plain_locale());
        return isfinite(*value);
    }
    *value = number->is_negative ? -result : result;
    return true;
}
