/*
 * pattern_set.h - all text patterns of a rule set, as what answers for them.
 *
 *   pattern_table.h  what the rules ask, collected while loading
 *        |
 *   pattern_choice.h   who answers for a regular expression: a table, positions, vectorscan
 *   pattern_database.h databases of vectorscan, shared between sets
 *        |
 *   pattern_set.h    the set: columns with a database each, and what stands alone
 *        |
 *   pattern_scan.h   asks it about one event (pattern_lane.h: with the scratch of its thread)
 *
 * All that rules are found by in a column (match_guard.h) is looked for in one database, scanned
 * once for an event: the texts of contains() and endsWith(), of each regular expression the text in
 * it that is rarest, and the whole of those that hold none, as many of these as vectorscan can
 * build in time. A regular expression that only confirms what was found otherwise is asked apart:
 * among a thousand that share " answered code=" each such message would start them all. What is
 * computed (lowerAscii(x)) has no column; its patterns are asked at each call. A pattern that is a
 * literal,
 * "^disk", needs none of all that.
 *
 * Thread:  a set is immutable, and any number of threads scan.
 */
#ifndef RULES_PATTERN_SET_H
#define RULES_PATTERN_SET_H

#include "rules/pattern_table.h"

enum {
    PATTERN_COLUMNS_MAX = 128, /* those beyond are scanned at each call */
    /* Of answers about one event, a bit each: every column begins a word. */
    PATTERN_WORDS_MAX = PATTERN_IDS_MAX / 64 + PATTERN_COLUMNS_MAX,
};

struct pattern_set;

/* Builds the set. *out is NULL when the table is empty.
 * Owner:  the caller, until pattern_set_destroy(); its memory lies in `arena`, which goes later.
 * Errors: false, with a diagnosis at the pattern that cannot be built, or memory noted. */
bool pattern_set_build(const struct pattern_table *table, struct arena *arena,
                       struct diagnostics *diag, struct pattern_set **out);

/* Gives the databases back. NULL is allowed. */
void pattern_set_destroy(struct pattern_set *set);

/* What asking all patterns of a text takes at most, in ns: an estimate. */
uint64_t pattern_set_ns(const struct pattern_set *set, uint32_t text_bytes);

/* For the plan: the column of a pattern that a database holds, UINT32_MAX when there is none. */
uint32_t pattern_set_column(const struct pattern_set *set, uint32_t id);

#endif
