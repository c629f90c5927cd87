/*
 * pattern_choice.h - who answers for a regular expression.
 *
 *   what only confirms            -> its table (automaton.h)
 *   ... too large for a table     -> its positions, followed through the text (positions.h)
 *   what rules are found by       -> vectorscan with all others of the column at once, as many of
 *                                    those that have a table as it can build in time; the others
 *                                    as above
 *   what has neither              -> is refused
 *
 * What positions may take too long for, PATTERN_NS_MAX, is refused, with the time it may take; so
 * no text of 64 KiB takes more than 5 ms. What asks for tables of Unicode (unicode.h) is not
 * given to vectorscan: it takes a second to build some of it.
 * Making a table takes some ten microseconds, asking vectorscan for a database a millisecond and
 * more for each pattern: a set of rules has to be read within a second, whatever it holds.
 *
 * Time:    all bounds are estimates that are the same on each machine, so a set that one machine
 *          takes is taken by all.
 */
#ifndef RULES_PATTERN_CHOICE_H
#define RULES_PATTERN_CHOICE_H

#include "rules/pattern_entry.h"
#include "rules/pattern_memory.h"

enum {
    PATTERN_NS_MAX = 76, /* of a character: 5 ms for 64 KiB */
    /* Microseconds that reading the regular expressions of a set and making their tables takes at
     * most: those beyond are refused. */
    PATTERN_SET_COST_MAX = 500000,
    /* As long tables are made; of what may never match, which a table tells, as long as there is
     * time. */
    PATTERN_TABLES_COST_MAX = 250000,
    /* As long positions are made, of what has no table; from then on that is refused. */
    PATTERN_POSITIONS_COST_MAX = 400000,
    /* Of those that others know, too, how many vectorscan is given: the rest are searched for one
     * by one. */
    PATTERN_COLUMN_COST_MAX = 250000,
    /* Where the rest of a set leaves less than PATTERN_SET_COST_MAX (load_work.h), each of these
     * bounds is less by as much of itself, and all together stay within what is left. */
};

/* What one set has cost so far, in microseconds. */
struct pattern_choosing {
    struct arena *arena, *scratch; /* what answers lies in `arena` */
    struct diagnostics *diag;
    struct load_work work;      /* of the rest of the set */
    uint64_t most;              /* PATTERN_SET_COST_MAX, or what the rest left at first */
    uint64_t cost, column_cost; /* PATTERN_SET_COST_MAX, PATTERN_COLUMN_COST_MAX */
    uint64_t positions_cost;    /* PATTERN_POSITIONS_COST_MAX */
    uint64_t failed_cost;       /* of tables that came to nothing */
};

/* For the patterns of a table. False when memory is short. Released in either case. */
bool pattern_choosing_init(struct pattern_choosing *choosing, const struct pattern_table *table,
                           struct arena *arena, struct diagnostics *diag);
void pattern_choosing_release(struct pattern_choosing *choosing);

/* Decides for `entry`, which searches: sets what answers for it, or nothing: then it stands in the
 * database of its column. Errors: false, with a diagnosis. */
bool pattern_choose(struct pattern_choosing *choosing, struct pattern_entry *entry);

/* Diagnoses every pattern of the table that would be refused, each as if those that are were not
 * there; less work than to choose for all. With a memory that was filled before, of patterns that
 * were all there then; NULL: none. Errors: false. */
bool pattern_choices_check(const struct pattern_table *table, struct pattern_memory *memory,
                           struct arena *arena, struct diagnostics *diag);

#endif
