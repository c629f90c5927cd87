/*
 * match_index.h - which rules of a set can match an event at all.
 *
 * For every rule a guard is drawn from its `where`: a set of terms (a field
 * equals a text, or begins with one) of which at least one holds whenever `where`
 * is true. Terms of all rules share one hash table, so an event looks up each of
 * its guarded fields once, however many rules there are. Rules without a guard
 * are candidates always; but of all candidates only those stay that can be true
 * at the event's severity.
 *
 *   where                                  guard                             severities
 *   check == "a" && severity >= MAJOR      {check = "a"}                     MAJOR, CRITICAL
 *   check == "a" || host in ["x", "y"]     {check = "a", host = "x", "y"}    all
 *   check.startsWith("disk.")              {check begins "disk."}            all
 *   !(check == "a")                        none                              all
 *
 * A guard only narrows: candidates are still evaluated in full. Only where guard
 * and severities say all that `where` says, as in the first three lines above, a
 * candidate is a match as it stands.
 *
 * Thread: immutable after create.
 */
#ifndef RULES_MATCH_INDEX_H
#define RULES_MATCH_INDEX_H

#include "rules/program.h"

enum { RULES_MAX = 20000, RULE_WORDS_MAX = (RULES_MAX + 63) / 64 };

struct match_index;

/* `programs` are the `where` of rules 0 ... count - 1. `scratch` holds what only the building
 * needs. Owner:  the arena. Errors: NULL when memory is short. */
struct match_index *match_index_create(const struct program *programs, uint32_t count,
                                       struct arena *arena, struct arena *scratch);

/* The rules for which being a candidate is enough, a bit each. */
const uint64_t *match_index_exact(const struct match_index *index);

/* Sets the bit of every candidate; `bits` is written up to the word of the last rule. */
void match_index_candidates(const struct match_index *index, struct program_input *input,
                            uint64_t bits[RULE_WORDS_MAX]);

/* Rules that are candidates for every event: for `tocsin check` and tests. */
uint32_t match_index_unguarded(const struct match_index *index);

#endif
