/*
 * composite.h - rules on incidents of other rules: `on: incidents`, `of: [rule ids]`.
 *
 * A change of an incident becomes an event whose check is the rule's id (docs/correlation.md,
 * section 3). So `of` is a condition like any other, check in [ids], which is joined to `where` and
 * found by the plan.
 *
 * Whom `of` names must be in the set, and no rule may be made of itself, not over others either.
 *
 * Thread: as rule_read().
 */
#ifndef RULES_COMPOSITE_H
#define RULES_COMPOSITE_H

#include "rules/rule_reading.h"

/* The ids that rules of a set have, good or not, in the order of texts. They are what the files
 * say, and borrowed. */
struct composite_ids {
    const char **id;
    uint32_t count;
};

/* Adds those of a list of rules; there is room for them. */
void composite_ids_add(struct composite_ids *ids, const struct yaml_node *rules);
void composite_ids_sort(struct composite_ids *ids);

/* Reads `of`, where the rule says `on: incidents`; else there may be none.
 * Errors: diagnosed, for a name that is none of the set's, too. */
void composite_read(struct reading *reading);

/* `ast` joined to what `of` asks for; `ast` itself for other rules. NULL stands for a condition
 * that always holds. NULL, spoilt, when memory is short. */
struct ast *composite_where(struct reading *reading, struct ast *ast);

/* Notes in each rule of the set, sorted by id, whether a composite names it.
 * Errors: false, diagnosed, for a label that no incident has, and for a rule that is made of
 * itself. */
bool composite_check(struct compiled_rule *rules, uint32_t count, struct arena *scratch,
                     struct diagnostics *diag);

#endif
