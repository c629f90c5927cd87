/*
 * explain.h - why an expression is true, false or an error: its tests, one by one, as written
 * and with the values that they saw.
 *
 *   severity >= WARNING && value > 90.0
 *
 *   | written             | valued            | truth |
 *   | severity >= WARNING | MINOR >= WARNING  | true  |
 *   | value > 90          | 71.5 > 90         | false | decides
 *
 * Of alternatives, as the steps of a sequence are, none of which holds, the nearest is looked at:
 * one that `check` does not rule out, then the one of which most tests hold.
 *
 * A test is a part of the expression without && || !: what a person would look up. The text comes
 * from the instructions, so that what is explained is what runs. It is for people: long texts
 * and lists are cut.
 *
 * Thread: any; nothing is allocated.
 */
#ifndef RULES_EXPLAIN_H
#define RULES_EXPLAIN_H

#include "rules/program.h"

enum { EXPLAIN_TESTS_MAX = 48, EXPLAIN_TEXT_BYTES = 16 << 10 };

struct explained_test {
    uint8_t truth;        /* enum truth */
    bool is_negated;      /* behind an odd number of !: it helps the whole by being false */
    bool says_truth;      /* `valued` says by itself whether it holds */
    bool decides;         /* the truth of the whole follows from this one and those like it */
    bool is_near;         /* it is in no alternative, or in the nearest of them */
    uint32_t choice;      /* the || that it stands in, of those that do not hold; 0: in none */
    uint32_t alternative; /* the side of it, numbered through the whole expression */
    const char *written;  /* "value > 90" */
    const char *valued; /* "71.5 > 90", "labels.rack is absent"; "" where there is nothing to add */
};

struct explanation {
    enum truth truth; /* of the whole */
    uint32_t count;
    uint32_t left_out; /* tests beyond the bounds */
    struct explained_test test[EXPLAIN_TESTS_MAX];
    uint32_t used;
    char text[EXPLAIN_TEXT_BYTES]; /* `written` and `valued` point into it */
};

/* Why a rule's `where` holds for an event or does not: all tests, in the order in which they are
 * written. */
void rule_explain_where(const struct rule *rule, const struct event_view *view,
                        struct explanation *out);

/* The first near test that decides; NULL only when it was left out. */
const struct explained_test *explanation_cause(const struct explanation *explanation);

/* How many of the near tests hold, 0 to 1. */
double explanation_share(const struct explanation *explanation);

/* The event's check alone keeps the rule from matching, whatever else does. */
bool explanation_fails_at_check(const struct explanation *explanation);

/* "value > 90: 71.5 > 90 is false", "labels.rack == \"r7\": labels.rack is absent", "has(value):
 * value is there, behind a !". Always terminated. */
void explained_test_print(const struct explained_test *test, char *to, size_t bytes);

#endif
