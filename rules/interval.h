/*
 * interval.h - what is known of a number before there is one: it lies between two others.
 *
 *   value > 5              (5, 1.8e308]
 *   ts.getHours()          [0, 23]
 *   count() * 2            [2, 2000]
 *
 * Computing with intervals follows rules/value.h: a real result is rounded as there, so that an
 * interval holds whatever the program would compute; what would not fit is an error there and is
 * left out here. All that is said errs to the wide side.
 *
 * A long double holds each whole number of 64 bits and each real one exactly, so that both kinds
 * compare as they do in a program.
 */
#ifndef RULES_INTERVAL_H
#define RULES_INTERVAL_H

#include "rules/value.h"

struct interval {
    long double lo, hi;
    bool lo_open, hi_open; /* the end itself is outside; never of whole numbers */
    bool is_whole;
};

/* Every value of a type that is a number: whole, real, a duration, time or severity. */
struct interval interval_all(enum value_type type);

/* [lo, hi] of whole numbers. */
struct interval interval_whole(int64_t lo, int64_t hi);

struct interval interval_of(const struct value *value);

bool interval_is_empty(const struct interval *a);
bool interval_is_point(const struct interval *a);
bool interval_holds(const struct interval *a, long double number);

/* What is in both; whole if `a` is. */
struct interval interval_meet(struct interval a, struct interval b);

/* All that is in one of them, and what lies between. */
struct interval interval_join(struct interval a, struct interval b);

/* The part of `a` of which some number of `b` is greater, or greater or equal; and less. */
struct interval interval_below(struct interval a, struct interval b, bool or_equal);
struct interval interval_above(struct interval a, struct interval b, bool or_equal);

/* Of `left sign right`, of the type that it has. */
struct interval interval_compute(enum arithmetic sign, struct interval left, struct interval right,
                                 enum value_type type);
struct interval interval_negate(struct interval a);

/* Of int(), double(), timestamp() and duration() of a number of type `from`. */
struct interval interval_convert(struct interval a, enum value_type from, enum value_type to);

#endif
