/*
 * pattern_columns.h - how a pattern set lies in memory: what pattern_set.c builds and
 * pattern_scan.c reads; nobody else includes it.
 *
 *   asked[id]       -> column, position in it
 *   columns[column] -> ids by position: [ those in its database | those that answer alone ]
 */
#ifndef RULES_PATTERN_COLUMNS_H
#define RULES_PATTERN_COLUMNS_H

#include "rules/pattern_set.h"

struct automaton;
struct positions;
struct pattern_database;
struct pattern_lane;

/* A pattern as it is asked. */
struct pattern_asked {
    uint8_t shape; /* enum pattern_shape */
    /* One of them answers, or none: then a database tells. */
    const struct automaton *automaton;
    const struct positions *positions;
    bool is_literal;   /* made by the plan: what is found may be a part of it */
    bool is_computed;  /* its text is another one at each call */
    uint32_t column;   /* of the databases; UINT32_MAX: none */
    uint32_t position; /* in its column */
    struct text literal;
};

/* Does it answer without a database? */
static inline bool pattern_asked_alone(const struct pattern_asked *asked)
{
    return asked->automaton != NULL || asked->positions != NULL;
}

/* What is looked for in one text. */
struct pattern_column {
    struct pattern_database *database; /* NULL: all of it is asked one by one */
    uint32_t count, built;             /* the first `built` are in the database */
    uint32_t kept;       /* its bit in `known` of a scan; UINT32_MAX: answers are not kept */
    uint32_t first_word; /* of its bits in a scan */
    uint32_t *ids;       /* by position */
};

struct pattern_set {
    struct pattern_lane *lanes;
    uint32_t count;
    struct pattern_asked *asked; /* by id */
    uint32_t column_count, kept_count;
    struct pattern_column *columns;
};

#endif
