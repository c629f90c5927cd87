/*
 * types.h - checks what a tree means, before anything runs.
 *
 * A tree is checked in one of four scopes, which differ in what can be named:
 *
 *   where: fields and labels of an event, constants, all that computes over them
 *   when:  count(), distinct(field), constants, all that computes over them
 *   close: quiet(duration), cleared()
 *   title: what stands in where, and the aggregates that `when` names
 *
 * Afterwards every node carries its type and meaning, what is constant has been computed
 * (rules/fold.h), and a program can be made
 * of it without a further look at names.
 */
#ifndef RULES_TYPES_H
#define RULES_TYPES_H

#include "base/arena.h"
#include "rules/ast.h"
#include "rules/lookups.h"
#include "rules/pattern_table.h"
#include "rules/timestamp.h"
#include "rules/rule_set.h"
#include "rules/vars.h"

enum scope_kind { SCOPE_WHERE, SCOPE_WHEN, SCOPE_CLOSE, SCOPE_TITLE };

/* One aggregate that `when` names; the same one written twice is one. */
struct aggregate {
    enum aggregate_kind kind;
    const struct ast *argument; /* the field of a distinct; the number of others, a double */
    double share;               /* of a quantile */
    struct span span;
    const char *text;  /* canonical: "distinct(labels.rack)" */
    struct text shown; /* as written, where that is one line without escapes; else empty */
    int64_t limit;     /* see struct rule_aggregate; INT64_MAX: compared with another aggregate */
    uint32_t of;       /* of a deviation: the aggregate that deviates */
    bool is_named;     /* stands outside of any deviation() */
};

/* Where patterns are collected, and where the databases made of them will be found. */
struct patterns {
    struct pattern_table *table;
    const struct pattern_set *const *set;
};

struct scope {
    enum scope_kind kind;
    const char *name; /* of what is computed, where that is not the kind's: "an enrich step" */
    struct arena *arena;
    struct diagnostics *diag;
    struct vars *vars;             /* of the rule; NULL: none */
    const struct lookups *lookups; /* sets and tables; NULL: none */
    struct patterns *patterns;     /* NULL: matches() cannot stand here */
    bool has_baseline;             /* when: deviation() has something to go by */
    bool in_deviation;             /* when: what is checked now stands inside of one */
    bool is_behind_in;             /* what is checked now should be a set or table */
    bool is_of_incidents;          /* what is looked at are incidents, which have no value */
    uint32_t aggregate_count;      /* when, title */
    struct aggregate aggregate[RULE_AGGREGATES_MAX];
    uint32_t quiet_count; /* close; ascending */
    int64_t quiet_ms[RULE_QUIET_MAX];
    uint32_t fewer_count; /* close, in their order */
    struct rule_fewer fewer[RULE_FEWER_MAX];
    uint32_t last_count; /* close */
    struct aggregate last[RULE_LAST_MAX];
};

/* Longest window and quiet time: 30 days. */
#define RULE_DURATION_MS_MAX ((int64_t)30 * 86400000)

/* Checks a whole expression, which must be true or false.
 * Errors: false, diagnosed. */
bool types_check(struct ast *ast, struct scope *scope);

/* The same for an expression that gives a value of any type: ast->type says which. */
bool types_check_value(struct ast *ast, struct scope *scope);

/* "getHours": how rules write it. */
const char *time_part_name(enum time_part part);

/* Checks that the tree names a field with all of `flags`; `role` is for the
 * message: "by", "distinct()", "a title". */
bool types_check_field(struct ast *ast, unsigned flags, const char *role, struct diagnostics *diag);

#endif
