/*
 * pattern_set.h - all text patterns of a rule set, as vectorscan databases.
 *
 *   while loading:  pattern_table_add(table, "message", "link .* down") -> id
 *                   pattern_set_build(table) -> databases
 *   for an event:   pattern_scan_start(scan, set)
 *                   pattern_scan_test(scan, id, text)   scans `text` for all patterns of its column
 *                                                       at once, the first time; then reads a bit
 *
 * A column is a text that an event has once: a field or a label. All that rules are found by in it
 * (match_guard.h) is looked for in one database, scanned once for an event: the texts of contains()
 * and endsWith(), of each regular expression the text in it that is rarest, and the whole of those
 * that hold none, as many of these as vectorscan can build in time. A regular expression that only
 * confirms what was found otherwise is asked apart: among a thousand that share " answered code="
 * each such message would start them all. It has a table of its own (automaton.h); where that
 * would be too large ("user .{1,100}failed") its program is followed (capture.h), and a database of
 * its own only where it has neither, or where that is soon built. What is computed (lowerAscii(x))
 * has no column; its patterns are asked at each call. A pattern that is a literal, "^disk", needs
 * neither.
 *
 * Time:    a scan is linear in the text, whatever the pattern.
 * Memory:  scanning allocates nothing, save that the first scan of a thread in a database makes its
 *          scratch; where that fails the threads take turns with the first one.
 * Sharing: databases are kept by what they hold: a reload that changes no pattern of a field uses
 *          the one that is there.
 * Thread:  a table belongs to one load; a set is immutable, and any number of threads scan.
 */
#ifndef RULES_PATTERN_SET_H
#define RULES_PATTERN_SET_H

#include "base/arena.h"
#include "rules/diagnostics.h"
#include "rules/pattern.h"

enum {
    PATTERNS_MAX = 16384, /* different ones in a set */
    /* Microseconds that building the regular expressions of a set takes at most, by an estimate
     * that is the same on each machine (choose() in pattern_set.c): tables are made while it lasts,
     * and what only vectorscan knows is refused beyond. Of those that others know, too, how many
     * vectorscan is given: the rest are searched for one by one. */
    PATTERN_SET_COST_MAX = 500000,
    PATTERN_COLUMN_COST_MAX = 250000,
    PATTERN_COLUMNS_MAX = 128, /* those beyond are scanned at each call */
    PATTERN_WORDS_MAX = PATTERNS_MAX / 64 + PATTERN_COLUMNS_MAX,
};

struct pattern_table;
struct pattern_set;

/* Owner:  the arena, which has to outlive pattern_set_build() only. NULL when memory is short. */
struct pattern_table *pattern_table_create(struct arena *arena);

/* Adds a pattern that pattern_check() accepted, or finds it. `column` names the text that it will
 * be asked of ("message", "labels.rack"); without one ({NULL, 0}) the text is computed. Errors:
 * false when memory is short or, with a diagnosis at `span`, when the set holds too many. */
bool pattern_table_add(struct pattern_table *table, struct text column, struct text pattern,
                       struct span span, struct diagnostics *diag, uint32_t *id);

/* Adds `literal` as something to be found in the column's text, or (is_at_end) at its end. */
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

/* Builds the databases. *out is NULL when the table is empty.
 * Owner:  the caller, until pattern_set_destroy(); its memory lies in `arena`, which goes later.
 * Errors: false, with a diagnosis at the pattern that vectorscan cannot build, or memory noted. */
bool pattern_set_build(const struct pattern_table *table, struct arena *arena,
                       struct diagnostics *diag, struct pattern_set **out);

/* Gives the databases back. NULL is allowed. */
void pattern_set_destroy(struct pattern_set *set);

/* Bytes of all databases and of the scratch of one thread, for tests and figures. */
size_t pattern_set_bytes(const struct pattern_set *set);

/* The answers for one event. Not initialized but by pattern_scan_start(). */
struct pattern_scan {
    const struct pattern_set *set;
    uint64_t known[PATTERN_COLUMNS_MAX / 64]; /* bit per column: its words of `bits` are filled */
    uint64_t bits[PATTERN_WORDS_MAX];
    /* Of patterns that have a database of their own, by id: the words in use, then what is known
     * and what was found. */
    uint64_t alone_used[PATTERNS_MAX / 64 / 64];
    uint64_t alone_known[PATTERNS_MAX / 64], alone_found[PATTERNS_MAX / 64];
};

/* Forgets the last event. A set that is NULL has no patterns. */
static inline void pattern_scan_start(struct pattern_scan *scan, const struct pattern_set *set)
{
    scan->set = set;
    for (int i = 0; i < PATTERN_COLUMNS_MAX / 64; i++)
        scan->known[i] = 0;
    for (int i = 0; i < PATTERNS_MAX / 64 / 64; i++)
        scan->alone_used[i] = 0;
}

/* Is pattern `id` found in `text`, the text of its column in this event? */
bool pattern_scan_test(struct pattern_scan *scan, uint32_t id, struct text text);

/* For the plan: the column of a pattern that a database holds, UINT32_MAX when there is none; and
 * all patterns of a column that are found in `text`, visited once each. */
uint32_t pattern_set_column(const struct pattern_set *set, uint32_t id);
void pattern_scan_visit(struct pattern_scan *scan, uint32_t column, struct text text,
                        void (*visit)(void *self, uint32_t id), void *self);

#endif
