/*
 * needs.h - what `when` asks of its counts: for who tells why a rule opened, or how far it is.
 *
 *   when: count() >= 5 && (distinct(host) >= 3 || count() < 20)
 *   needs: count() 5, distinct(host) 3, count() fewer than 20
 *
 * A `when` that is true is so because of some of its tests: those that *bear* it. Both sides of
 * && do, of || those that are true. What does not bear is not why.
 *
 * Thread: any.
 */
#ifndef RULES_NEEDS_H
#define RULES_NEEDS_H

#include <stdbool.h>
#include "rules/ast.h"
#include "rules/rule_set.h"

enum { RULE_NEEDS_MAX = 32 };

/* A comparison of a count with a constant, as one of whole numbers. */
struct rule_need {
    uint8_t aggregate;      /* its index in the rule */
    enum relation relation; /* >=, <, == or != */
    int64_t bound;
};

/* A comparison of a number that is none of whole ones, sum(value), with a constant: any relation.
 */
struct rule_real_need {
    uint8_t aggregate;
    enum relation relation;
    double bound;
};

struct rule_needs {
    uint32_t aggregates; /* bits: those that bear, or all */
    uint32_t real_count;
    struct rule_real_need real[RULE_NEEDS_MAX]; /* as `need` */
    uint32_t count;
    struct rule_need need[RULE_NEEDS_MAX]; /* in the order in which they are written, each once */
};

/* What bears a `when` that is true of these values. */
void rule_when_bears(const struct rule *rule, const int64_t value[RULE_AGGREGATES_MAX],
                     struct rule_needs *out);

/* Everything that `when` asks. */
void rule_when_needs(const struct rule *rule, struct rule_needs *out);

/* How near `when` is to being true, from 0 to 1: of && the side that lacks most, of || the one
 * that lacks least. */
double rule_when_near(const struct rule *rule, const int64_t value[RULE_AGGREGATES_MAX]);

#endif
