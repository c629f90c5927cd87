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

static inline bool is_digit(char c) { return (unsigned char)(c - '0') <= 9; }

static inline void take_digit(struct json_number *number, char c)
{
    uint64_t digit = (uint64_t)(c - '0');

    if (number->digits < MANTISSA_DIGITS) {
        number->mantissa = number->mantissa * 10 + digit;
        number->digits = (uint8_t)(number->digits + (number->mantissa != 0));
    } else {
        number->is_cut |= digit != 0;
        number->exponent++;
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
    struct json_number n = {.text = {at, 0}};

    if (at < end && *at == '-') {
        n.is_negative = true;
        at++;
    }
    if (at == end || !is_digit(*at))
        return NULL;
    if (*at == '0') {
        at++;
        if (at < end && is_digit(*at))
            return NULL;
    } else {
        for (; at < end && is_digit(*at); at++)
            take_digit(&n, *at);
    }
    if (at < end && *at == '.') {
        at++;
        if (at == end || !is_digit(*at))
            return NULL;
        for (; at < end && is_digit(*at); at++) {
            take_digit(&n, *at);
            n.exponent--;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = scan_exponent(at + 1, end, &n);
        if (at == NULL)
            return NULL;
    }
    n.text.len = (uint32_t)(at - n.text.at);
    *number = n;
    return at;
}

/* The "C" locale, whatever the process has set. Made once, never freed. */
static locale_t plain_locale(void)
{
    static _Atomic(locale_t) made;
    /* Edge L: a locale is complete before its handle shows. */
    locale_t locale = atomic_load_explicit(&made, memory_order_acquire);

    if (locale == (locale_t)0) {
        locale_t mine = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        /* L, release end; the loser of a race takes the winner's. */
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
