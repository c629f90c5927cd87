/*
 * value.h - what an expression computes, and the arithmetic over it.
 *
 * Every operation either gives a value or the reason why there is none, in a few words:
 * "division by zero". Whole numbers never wrap, real ones are never infinite or NaN: what
 * does not fit is an error, so that every value has an order and every machine the same one.
 *
 * Texts that are made (joined, put in lower case, numbers as text) go into a room that the caller
 * has on its stack; nothing is allocated.
 *
 * Thread: plain functions over their arguments.
 */
#ifndef RULES_VALUE_H
#define RULES_VALUE_H

#include "rules/fields.h"

struct value {
    uint8_t type; /* enum value_type */
    union {
        int64_t number; /* a bool, too: 0 or 1 */
        double real;
        struct text text;
    };
};

/* How much text one evaluation may make: the longest field (64 KiB) twice. */
enum { TEXT_ROOM_BYTES = 128 << 10 };

struct text_room {
    char *at;
    uint32_t bytes, used;
};

enum arithmetic {
    ARITHMETIC_ADD,
    ARITHMETIC_SUBTRACT,
    ARITHMETIC_MULTIPLY,
    ARITHMETIC_DIVIDE,
    ARITHMETIC_REMAINDER,
};

/* The type of `left sign right`; false where the two do not go together. */
bool arithmetic_type(enum arithmetic sign, enum value_type left, enum value_type right,
                     enum value_type *out);

/* All of these give NULL, or the reason why there is no value. `out` may be an argument. */
const char *value_compute(enum arithmetic sign, const struct value *left, const struct value *right,
                          struct text_room *room, struct value *out);
const char *value_negate(const struct value *value, struct value *out);

/* int(), double(), string(), duration(), timestamp() of a value whose type has that conversion. */
const char *value_convert(enum value_type to, const struct value *value, struct text_room *room,
                          struct value *out);
bool value_converts(enum value_type to, enum value_type from);

/* Letters A to Z or a to z into the other case; all else stays. */
const char *text_change_case(struct text text, bool to_upper, struct text_room *room,
                             struct value *out);

/* Below, at or above zero. Both of one type, or both numbers, which compare exactly. */
int value_order(const struct value *a, const struct value *b);

/* Bytewise, a prefix first. */
int text_order(struct text a, struct text b);

/* How many characters (code points) a UTF-8 text has. */
int64_t text_size(struct text text);

/* A number as short text that reads back as the same number, whatever the locale;
 * whole ones without a point. Returns its length. */
enum { NUMBER_TEXT_BYTES = 32 };
uint32_t number_print(double number, char to[NUMBER_TEXT_BYTES]);

/* 1h30m, 250ms, -5m, 0ms: as a rule writes it. Returns its length. */
enum { DURATION_TEXT_BYTES = 48 };
uint32_t duration_print(int64_t ms, char to[DURATION_TEXT_BYTES]);

#endif
