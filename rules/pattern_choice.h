/*
 * pattern_choice.h - who answers for a regular expression.
 *
 *   what only confirms            -> its table (automaton.h)
 *   ... too large for a table     -> its positions, followed through the text (positions.h)
 *   ... and those, too            -> its program, one way after the other (capture.h)
 *   what rules are found by       -> vectorscan with all others of the column at once, as many as
 *                                    it can build in time; the others as above
 *   what has neither              -> vectorscan, at any cost
 *
 * Making a table takes some ten microseconds, asking vectorscan for a database a millisecond and
 * more for each pattern: a set of rules has to be read within a second, whatever it holds.
 *
 * Time:    both bounds are estimates that are the same on each machine, so a set that one machine
 *          takes is taken by all.
 */
#ifndef RULES_PATTERN_CHOICE_H
#define RULES_PATTERN_CHOICE_H

#include "rules/pattern_entry.h"

enum {
    /* Microseconds that building the regular expressions of a set takes at most: tables are
     * made while it lasts, and what only vectorscan knows is refused beyond. Of those that others
     * know, too, how many vectorscan is given: the rest are searched for one by one. */
    PATTERN_SET_COST_MAX = 500000,
    PATTERN_COLUMN_COST_MAX = 250000,
    /* As long positions are made; the programs of what comes later are followed. */
    PATTERN_POSITIONS_COST_MAX = 100000,
};

/* What one set has cost so far, in microseconds. Zeroed but for the first three. */
struct pattern_choosing {
    struct arena *arena, *scratch; /* what answers lies in `arena` */
    struct diagnostics *diag;
    uint64_t cost, column_cost; /* PATTERN_SET_COST_MAX, PATTERN_COLUMN_COST_MAX */
    uint64_t positions_cost;    /* PATTERN_POSITIONS_COST_MAX */
    uint64_t failed_cost;       /* of tables that came to nothing */
};

/* Decides for `entry`, which searches: sets what answers for it, or nothing: then a database has
 * to be built. Errors: false, with a diagnosis. */
bool pattern_choose(struct pattern_choosing *choosing, struct pattern_entry *entry);

/* Diagnoses every pattern of the table that would be refused, each as if those that are were not
 * there; less work than to choose for all, where none is for vectorscan alone. Errors: false. */
bool pattern_choices_check(const struct pattern_table *table, struct arena *arena,
                           struct diagnostics *diag);

#endif
