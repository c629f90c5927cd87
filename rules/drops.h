/*
 * drops.h - rules that never see an event, because an enrich step drops all that they ask for.
 *
 *   enrich: [{id: no-pings, where: check == "ping", drop: true}]
 *   rules:  where: check == "ping" && severity >= MAJOR
 *
 * That is so where nothing can make `where` of the rule true and that of the step false
 * (rules/impossible.h). Steps between the two may change what an event says, so where some step
 * changes anything a step that drops counts only if it asks for nothing that can be changed.
 * Somebody may mean it, for a while: it is no mistake of either.
 *
 * And rules that a step cannot reach: nothing makes `where` of both true. That is for who tells
 * what a new step does to a rule (rules/drop_reach.h).
 *
 * What is too much is taken on trust: steps beyond DROPS_MAX, and rules once DROPS_WORK is used up.
 *
 * Thread: as rule_read().
 */
#ifndef RULES_DROPS_H
#define RULES_DROPS_H

#include "rules/ast.h"
#include "rules/pattern_table.h"
#include "rules/rule_reader.h"

/* Looks at parts of conditions, over a whole set and for each of the two questions: some tens of
 * milliseconds. */
enum { DROPS_MAX = RULE_DROPS_MAX, DROPS_WORK = 100000 };

struct drop {
    const char *id;
    const struct ast *where; /* NULL: not known */
};

struct drops {
    uint32_t count;
    bool has_changes;               /* some step changes something */
    struct drop drop[DROPS_MAX];    /* the first that drop, in the order of all steps */
    struct pattern_table *patterns; /* of steps alone: it is never asked; NULL: none was needed */
    uint64_t looks, apart_looks;    /* that are left */
};

/* Adds what the list under `enrich:`, NULL where there is none, drops. What is wrong with it is
 * told by its own reader. `build` has arena and lookups; trees and ids lie in its arena. */
void drops_add(struct drops *drops, const struct yaml_node *list, const struct rule_build *build);

/* The id of a step that drops all that makes `where` true; NULL: none is known. `sees_clears`: so
 * does the rule. */
const char *drops_find(struct drops *drops, const struct ast *where, bool sees_clears);

/* Marks the steps, by their places, that can drop nothing that makes `where` true, as far as is
 * known. */
void drops_find_apart(struct drops *drops, const struct ast *where, bool sees_clears,
                      uint64_t apart[RULE_DROPS_WORDS]);

#endif
