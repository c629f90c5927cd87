/*
 * match_index.h - the plan of a set: which rules can match an event at all.
 *
 * Every rule is found by the terms of its guard (match_guard.h). The terms of all rules share one
 * hash table, one tree per number and one pattern database per field, so an event looks up each of
 * its guarded fields once, however many rules there are. Rules without a guard are candidates
 * always; but of all candidates only those stay that can be true at the event's severity.
 *
 *   where                                  found by                          severities
 *   check == "a" && severity >= MAJOR      check = "a"                       MAJOR, CRITICAL
 *   check == "a" || host in ["x", "y"]     check = "a", host = "x", "y"      all
 *   check.startsWith("disk.")              check begins "disk."              all
 *   message.contains("link down")          message holds "link down"         all
 *   value > 90 && value <= 95              value in (90, 95]                 all
 *   !(check == "a")                        nothing                           all
 *
 * A guard only narrows: candidates are still evaluated in full. Only where guard
 * and severities say all that `where` says, as in the first five lines above, a
 * candidate is a match as it stands.
 *
 * Thread: immutable after create.
 */
#ifndef RULES_MATCH_INDEX_H
#define RULES_MATCH_INDEX_H

#include "rules/program.h"

enum {
    RULES_MAX = 20000,
    RULE_WORDS_MAX = (RULES_MAX + 63) / 64,
    RULE_GROUPS_MAX = (RULE_WORDS_MAX + 63) / 64,
    /* Terms of all rules together; a rule beyond is looked at for every event. */
    MATCH_TERMS_MAX = 1 << 22,
};

struct match_index;

/* `programs` are the `where` of rules 0 ... count - 1; `patterns` (may be NULL) gains the literals
 * that have to be looked for. `scratch` holds what only the building needs.
 * Owner:  the arena. Errors: NULL when memory is short. */
struct match_index *match_index_create(const struct program *programs, uint32_t count,
                                       struct pattern_table *patterns, struct arena *arena,
                                       struct arena *scratch);

/* Rules as bits. A word counts only where its bit in `used` is set, so that an event touches the
 * words of its candidates and no others. */
struct candidates {
    uint64_t used[RULE_GROUPS_MAX];
    uint64_t bits[RULE_WORDS_MAX];
};

/* Finds the candidates. input->patterns is that of the set. */
void match_index_find(const struct match_index *index, struct program_input *input,
                      struct candidates *out);

/* The rules for which being a candidate is enough, a bit each. */
const uint64_t *match_index_exact(const struct match_index *index);

/* Is the rule a candidate for every event (of some severity)? */
bool match_index_is_unguarded(const struct match_index *index, uint32_t rule);

#endif
