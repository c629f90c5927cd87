/*
 * facts.h - what a conjunction says of the numbers, texts and labels that stand in it.
 *
 *   value > 5 && check in ["a", "b"] && !has(labels.x)
 *
 *   value     in (5, 1.8e308], there
 *   check     "a" or "b"
 *   labels.x  not there
 *
 * A subject is any part of a condition that computes something, told from others by what it means:
 * it has one value for an event. A part that is true or false (a literal here) is wanted true or
 * wanted false; an error is neither, so whatever such a part needs is there.
 *
 * Everything errs to the wide side: what is not understood says nothing, and when the work that is
 * allowed is used up nothing more is said.
 */
#ifndef RULES_FACTS_H
#define RULES_FACTS_H

#include "rules/impossible.h"
#include "rules/interval.h"

enum { LITERALS_MAX = 64, SUBJECTS_MAX = 96, FACT_VALUES_MAX = 64 };

/* Looks at parts of a tree that are still allowed. */
struct work {
    uint64_t left;
};

/* False, for good, when no more is allowed. */
bool work_take(struct work *work, uint64_t looks);

/* The number of parts of a tree. */
uint64_t tree_weight(const struct ast *ast);

struct literal {
    const struct ast *ast;
    bool want;
};

struct conjunction {
    uint32_t count;
    struct literal literal[LITERALS_MAX];
};

/* A part that tests one subject against constants. */
struct test {
    enum { TEST_COMPARE, TEST_IN, TEST_PREFIX, TEST_SUFFIX, TEST_PART } how;
    const struct ast *subject;
    const struct ast *constant; /* or the first of a list */
    enum relation relation;     /* subject relation constant */
    bool is_list, want;
    struct id128 key; /* of the subject */
};

struct subject {
    struct id128 key;
    const struct ast *ast; /* one of its places; NULL: a label that is only asked for */
    struct interval range; /* of a number */
    bool is_there, is_absent;
};

/* What is known of an aggregate beforehand. */
struct aggregate_bound {
    struct interval range;
    const char *why; /* NULL: it lies in its nature */
};

struct facts {
    const struct ground *ground;
    const struct aggregate_bound *bound; /* of ground->aggregate; NULL: none */
    const struct conjunction *all;
    struct work *work;
    uint32_t count, test_count;
    bool is_narrower; /* some range is, since the round began */
    struct subject subject[SUBJECTS_MAX];
    struct test test[LITERALS_MAX];
};

/* False when the conjunction can never be true. */
bool facts_gather(struct facts *facts, const struct ground *ground,
                  const struct aggregate_bound *bound, const struct conjunction *all,
                  struct work *work);

/* The texts that a subject has by its nature, behind the last a NULL; NULL: it may have any. */
const char *const *facts_domain(const struct ground *ground, const struct ast *ast);

/* What a number can be under these facts. */
struct interval facts_range(const struct facts *facts, const struct ast *ast);

/* The values that a subject can have, where they are few; FACT_VALUES_MAX + 1 where they are not
 * known to be. */
uint32_t facts_values(const struct facts *facts, const struct ast *ast,
                      struct value out[FACT_VALUES_MAX]);

#endif
