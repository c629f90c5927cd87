/*
 * match_index.h - which rules of a set can match an event at all.
 *
 * For every rule a guard is drawn from its `where`: a set of terms (a field
 * equals a text, or begins with one, or the severity is one of some) of which at
 * least one holds whenever `where` is true. Terms of all rules share one hash
 * table, so an event looks up each of its guarded fields once, however many rules
 * there are. Rules without a guard are candidates always.
 *
 *   where                                  guard
 *   check == "a" && severity >= MAJOR      {check = "a"}
 *   check == "a" || host in ["x", "y"]     {check = "a", host = "x", host = "y"}
 *   check.startsWith("disk.")              {check begins "disk."}
 *   !(check == "a")                        none
 *
 * A guard only narrows: candidates are still evaluated in full.
 *
 * Thread: immutable after create.
 */
#ifndef RULES_MATCH_INDEX_H
#define RULES_MATCH_INDEX_H

#include "rules/program.h"

enum { RULES_MAX = 20000, RULE_WORDS_MAX = (RULES_MAX + 63) / 64 };

struct match_index;

/* `programs` are the `where` of rules 0 ... count - 1. `scratch` holds what only the building needs.
 * Owner:  the arena. Errors: NULL when memory is short. */
struct match_index *match_index_create(const struct program *programs, uint32_t count,
                                       struct arena *arena, struct arena *scratch);

/* Sets the bit of every candidate; `bits` is written up to the word of the last rule. */
void match_index_candidates(const struct match_index *index, struct program_input *input,
                            uint64_t bits[RULE_WORDS_MAX]);

/* Rules that are candidates for every event: for `tocsin check` and tests. */
uint32_t match_index_unguarded(const struct match_index *index);

#endif
