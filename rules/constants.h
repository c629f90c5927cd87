/*
 * constants.h - lists of constants that something is looked for in: those written behind `in`, and
 * the named sets of a file.
 *
 * Thread: immutable after the sort.
 */
#ifndef RULES_CONSTANTS_H
#define RULES_CONSTANTS_H

#include "rules/value.h"

struct constant_list {
    uint32_t count;
    uint8_t type; /* of the items: TYPE_TEXT, TYPE_DOUBLE, or any that is a whole number */
    /* Ascending; texts by length, then bytewise. */
    union {
        const struct text *texts;
        const int64_t *numbers;
        const double *reals;
    };
};

/* Bytes of one item. */
size_t constant_bytes(enum value_type type);

/* Puts `count` items of the type in order. */
void constants_sort(void *items, uint32_t count, enum value_type type);

/* Whether the value, of the items' type or a number among numbers, is one of them. */
bool constants_hold(const struct constant_list *list, const struct value *value);

#endif
