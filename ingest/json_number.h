/*
 * json_number.h - numbers of RFC 8259, read strictly and exactly.
 *
 * A number is taken apart once into decimal digits and a power of ten; times use
 * these directly, so that no rounding of binary fractions shows in a time stamp.
 *
 * Thread: any.
 */
#ifndef INGEST_JSON_NUMBER_H
#define INGEST_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

struct json_number {
    struct text text;  /* as written, borrowed */
    uint64_t mantissa; /* first 19 significant digits */
    int32_t exponent;  /* value = mantissa * 10^exponent, beyond 19 digits cut off */
    bool is_negative;
    bool is_cut; /* non-zero digits were cut off */
};

/* Reads the longest number at `at`, not beyond `end`. Returns its end, or NULL
 * when there is none: no digit, a leading zero, an unfinished fraction or exponent. */
const char *json_number_scan(const char *at, const char *end, struct json_number *number);

/* The nearest double. False when it is too large for one; a number that is too
 * small becomes 0. `scratch` has room for text.len + 1 bytes. */
bool json_number_to_double(const struct json_number *number, char *scratch, double *value);

#endif
