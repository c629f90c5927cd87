/*
 * pattern_table.h - the text patterns of a rule set, collected while it is read.
 *
 *   pattern_table_add(table, "message", "link .* down")     -> id, the same for the same two
 *   pattern_table_part(table, id)                           -> "link " or " down"
 *   pattern_table_add_literal(table, "message", " down")    -> id
 *   pattern_table_want(table, id)                           rules are found by it
 *
 * A column is a text that an event has once: a field or a label. The readers of rules add the
 * patterns; the plan (match_guard.h) asks what it can find rules by, adds those texts and says what
 * it wants. What comes of it all is the pattern set (pattern_set.h).
 *
 * Thread:  a table belongs to one load.
 */
#ifndef RULES_PATTERN_TABLE_H
#define RULES_PATTERN_TABLE_H

#include "base/arena.h"
#include "rules/diagnostics.h"
#include "rules/load_work.h"
#include "rules/pattern.h"

enum {
    PATTERNS_MAX = 16384, /* different ones in a set */
    /* With the texts that the plan adds, one for each: without room for its text a rule would be
     * asked of every event. */
    PATTERN_IDS_MAX = 2 * PATTERNS_MAX,
};

struct pattern_table;

/* Owner:  the arena, which has to outlive pattern_set_build() only. NULL when memory is short. */
struct pattern_table *pattern_table_create(struct arena *arena);

/* What the rest of the set takes, where patterns belong to one: they get what is left of it. */
void pattern_table_know_work(struct pattern_table *table, const struct load_work *work);

bool pattern_table_is_empty(const struct pattern_table *table);

/* Adds a pattern that pattern_check() accepted, or finds it. `column` names the text that it will
 * be asked of ("message", "labels.rack"); without one ({NULL, 0}) the text is computed. Errors:
 * false when memory is short or, with a diagnosis at `span`, when the set holds too many. */
bool pattern_table_add(struct pattern_table *table, struct text column, struct text pattern,
                       struct span span, struct diagnostics *diag, uint32_t *id);

/* Adds `literal` as something to be found in the column's text, or (is_at_end) at its end. False
 * when memory is short or there are PATTERN_IDS_MAX in the table. */
bool pattern_table_add_literal(struct pattern_table *table, struct text column, struct text literal,
                               bool is_at_end, uint32_t *id);

/* Asks for the pattern to be in the database of its column, because rules are found by it. Others
 * have one of their own, scanned when a rule that was found otherwise asks. */
void pattern_table_want(struct pattern_table *table, uint32_t id);

/* A text that everything holds that the pattern matches, and that the fewest other patterns share.
 * To be asked when all patterns are in the table. False when there is none. */
bool pattern_table_part(struct pattern_table *table, uint32_t id, struct text *part);

/* The text with which everything that the pattern matches begins; empty when there is none. */
struct text pattern_table_prefix(const struct pattern_table *table, uint32_t id);

/* How the pattern can be told without scanning. */
enum pattern_shape {
    PATTERN_SEARCHES,
    PATTERN_CONTAINS,
    PATTERN_BEGINS,
    PATTERN_ENDS,
    PATTERN_EQUALS
};
enum pattern_shape pattern_table_shape(const struct pattern_table *table, uint32_t id,
                                       struct text *literal);

#endif
