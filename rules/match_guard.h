/*
 * match_guard.h - by what a rule is found: a few terms of its `where` of which at least one holds
 * whenever `where` is true.
 *
 *   term                            drawn from
 *   field or label equals a text    x == "a", x in ["a", "b"], x.matches("^a$")
 *   ... begins with one             x.startsWith("a"), x.matches("^a...")
 *   two of them equal two texts     x == "a" && y == "b", where many rules share either
 *   ... a text or pattern is found  x.contains("a"), x.endsWith("a"), x.matches("a..."); of a
 *                                   pattern a text in it that few other patterns hold
 *   a number lies in an interval    value > 90, value > 80 && value <= 90, age < 5m, has(value)
 *   a label is there                has(labels.x), labels.x != "a"
 *
 * Of a conjunction the side is taken that is likely to hold for the fewest events, of a disjunction
 * the terms of all sides. How likely is estimated from the rules themselves: a text that a large
 * part of the rules asks for in a field is taken to be as common in events.
 *
 * Thread: one load, one thread.
 */
#ifndef RULES_MATCH_GUARD_H
#define RULES_MATCH_GUARD_H

#include "rules/pattern_table.h"
#include "rules/program.h"

enum {
    GUARD_COLUMNS_MAX = 256, /* fields and labels by which rules are found */
    GUARD_PAIRS_MAX = 32,    /* of columns: an event looks up each pair that it has */
    /* A guard of more terms than this costs more than it saves. */
    GUARD_TERMS_MAX = 1 << 16,
    /* Prefixes are looked up by at most their first 64 bytes: one bit per length. */
    GUARD_PREFIX_BYTES_MAX = 64,
};

enum guard_number { NUMBER_VALUE, NUMBER_AGE, NUMBER_TS, NUMBER_COUNT };

enum term_kind {
    TERM_EQUALS,
    TERM_PREFIX,
    TERM_PAIR,
    TERM_PRESENT,
    TERM_LITERAL,
    TERM_PATTERN,
    TERM_RANGE
};

struct term {
    enum term_kind kind;
    const struct operand *operand, *other; /* the field or label, and that of a pair's second */
    struct text text, other_text;
    bool is_at_end;   /* of a literal */
    uint32_t pattern; /* its id */
    enum guard_number number;
    int64_t low, high; /* keys, both included */
};

/* Returns false to stop. */
typedef bool (*term_visit)(void *self, const struct term *term);

/* What all rules of a set ask for. */
struct guard_survey;

/* `patterns` are those that the programs' matches() point into; may be NULL where there are none.
 * Owner: `scratch`. NULL when memory is short. */
struct guard_survey *guard_survey_create(const struct program *programs, uint32_t count,
                                         struct pattern_table *patterns, struct arena *scratch);

struct guard_choice;

struct guard {
    const struct guard_survey *survey;
    const struct program *program;
    struct guard_choice *choices; /* per instruction */
};

/* Chooses for one program. False when memory is short. */
bool guard_choose(struct guard_survey *survey, const struct program *program, struct arena *scratch,
                  struct guard *out);

bool guard_exists(const struct guard *guard);

/* Visits the terms, which are the same each time. */
bool guard_visit(const struct guard *guard, term_visit visit, void *self);

/* True when guard (if there is one) and severities say all that the program says. */
bool guard_is_all(const struct guard *guard);

/* The column of a field or label, GUARD_COLUMNS_MAX when it has none. */
uint32_t guard_column(const struct guard_survey *survey, const struct operand *operand);
uint32_t guard_column_count(const struct guard_survey *survey);
const struct operand *guard_column_operand(const struct guard_survey *survey, uint32_t column);

/* By what name a field or label is known to the patterns: "message", "labels.rack". The text is
 * {NULL, 0} when memory is short. */
struct text guard_pattern_column(const struct operand *operand, struct arena *arena);

#endif
