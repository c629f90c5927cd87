/*
 * impossible.h - conditions that nothing can meet are slips of the pen, and told as such.
 *
 *   value > 5 && value < 3           check == "a" && !(check in ["a", "b"])
 *   ts.getHours() >= 24              (value > 5 || value > 7) && value < 3
 *   has(labels.x) || count() < 0     distinct(host) >= 2, of a rule by host
 *
 * One way of looking at all of them: a condition is taken apart into conjunctions, at most some
 * dozens, and each conjunction into what it says of each number, text and label that stands in it:
 * an interval, a list of constants, a beginning, whether it is there (rules/facts.h). Where nothing
 * is left for one of them the conjunction is impossible. What is too much or not understood is
 * taken on trust: a condition that can be true is never refused.
 *
 * Looked at are the whole, each side of || and what stands behind a !. Also refused is a constant
 * that makes the rest of a condition idle: x || true. A condition that is nothing but true or
 * false is somebody's intention.
 *
 * Cost: at most proportional to the size of the condition, and a fixed amount for each mistake.
 *
 * Thread: as rule_read().
 */
#ifndef RULES_IMPOSSIBLE_H
#define RULES_IMPOSSIBLE_H

#include "rules/ast.h"
#include "rules/types.h"

/* What a condition is asked of. */
struct ground {
    enum { GROUND_EVENT, GROUND_WINDOW, GROUND_CLOSE, GROUND_INCIDENT } kind;
    bool sees_clears;        /* state may be "clear" */
    const struct ast *where; /* holds of every event that the condition is about; NULL: none */
    /* Of a window and of close: its aggregates, and the rule as far as it is read. */
    const struct aggregate *aggregate;
    uint32_t aggregate_count;
    const struct compiled_rule *rule;
};

/* Of a checked tree.
 * Errors: false, diagnosed. */
bool impossible_check(const struct ast *ast, const struct ground *ground, struct diagnostics *diag);

/* Of conditions that are met by events of one key, each by another (all of a rule with steps;
 * ground->rule is read as far as `by`): refused where what one asks of the fields of `by` goes
 * against another.
 * Errors: false, diagnosed. */
bool impossible_check_key(const struct ast *const *conditions, uint32_t count,
                          const struct ground *ground, struct diagnostics *diag);

/* Whether nothing makes `where` true and `other` false, taking what that costs from `looks`; false
 * too when that is not known. */
bool impossible_is_within(const struct ast *where, const struct ast *other,
                          const struct ground *ground, uint64_t *looks);

/* Whether nothing makes both true, likewise. */
bool impossible_is_apart(const struct ast *where, const struct ast *other,
                         const struct ground *ground, uint64_t *looks);

/* Whether an expression of an event is the same for all events of a key. */
bool impossible_is_fixed(const struct ast *ast, const struct compiled_rule *rule);

/* The same of the condition as a whole, whatever its parts are. */
bool impossible_can_be_true(const struct ast *ast, const struct ground *ground);

/* The part of the tree that can never be true, NULL when none is known: what impossible_check()
 * refuses. */
const struct ast *impossible_find(const struct ast *ast, const struct ground *ground);

#endif
