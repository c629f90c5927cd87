/*
 * conjunctions.h - a condition taken apart into conjunctions, one after the other.
 *
 *   (value > 5 || value > 7) && value < 3
 *
 *     value < 3 && value > 5
 *     value < 3 && value > 7
 *
 * A condition is true when one of them is. What stands behind a ! is wanted false, which turns &&
 * and || round; `p == q` of truths and `c ? p : q` are two ways each. An error is neither true nor
 * false, and && and || do not care for one that does not decide, so nothing is lost by this.
 */
#ifndef RULES_CONJUNCTIONS_H
#define RULES_CONJUNCTIONS_H

#include "rules/facts.h"

/* A part of a condition that has to be true, or false. */
struct goal {
    const struct ast *ast;
    bool want;
    bool is_list; /* and all that follow it under the same parent */
    const struct goal *rest;
};

struct search {
    const struct ground *ground;
    const struct aggregate_bound *bound;
    struct work *work;
    /* Of which rule the goals are met by events of one key, each by another: what is not the same
     * for all of them says nothing. NULL: one event meets all. */
    const struct compiled_rule *key;
    /* Called for each conjunction that is possible; NULL: the first ends the search. */
    void (*each)(void *self, const struct facts *facts);
    void *self;
    struct conjunction now;
    uint32_t seen;
    bool gave_up;
};

/* Whether all goals can be met at once, as far as can be told: true also when it gave up. With
 * `each` all ways are gone through, and the answer says whether it gave up. */
bool search_goals(struct search *search, const struct goal *goals);

/* True for what is met in one way only: neither || nor the like. */
bool goal_is_plain(const struct ast *ast, bool want);

#endif
