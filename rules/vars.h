/*
 * vars.h - the variables of a rule: names for expressions, put in their place before types are
 * checked.
 *
 *   vars:
 *     free: 100.0 - value
 *     low: free < (severity >= MAJOR ? 5 : 10)
 *   where: check == "disk" && low
 *
 * A variable may use those above it and nothing below, so there is no recursion. It means what the
 * expression would mean where it is used: one that names count() can be used in `when`.
 *
 * Limits: those below; names that mean something already are refused.
 * Thread: one load, one thread.
 */
#ifndef RULES_VARS_H
#define RULES_VARS_H

#include "base/arena.h"
#include "rules/ast.h"
#include "rules/yaml_reader.h"

enum {
    VARS_MAX = 64,           /* of a rule */
    VAR_NAME_BYTES_MAX = 60, /* of a variable, a set or a table */
    TREE_DEPTH_MAX = 128,    /* of an expression with its variables in place */
    VAR_PARTS_MAX = 1000000  /* that variables put in place, over a whole set */
};

struct var {
    struct text name;
    struct span span; /* of the name */
    struct ast *ast;
    bool is_used;
};

struct vars {
    uint32_t count;
    struct var var[VARS_MAX];
    uint32_t *parts; /* put in place so far, over the whole set */
    struct arena *arena;
    struct diagnostics *diag;
};

/* Reads the map under `vars:`; NULL is an empty one. `parts` counts over all rules of a set.
 * Errors: false, diagnosed. */
bool vars_read(const struct yaml_node *map, uint32_t *parts, struct arena *arena,
               struct diagnostics *diag, struct vars *out);

/* Puts variables in their place. `ast` stays the root.
 * Errors: false, diagnosed. */
bool vars_place(struct ast *ast, struct vars *vars);

/* A variable that nothing uses is a slip of the pen.
 * Errors: false, diagnosed. */
bool vars_check_used(const struct vars *vars);

/* Whether a name can be given to a variable, a set or a table: NULL, or why not. */
const char *name_check(struct text name);

#endif
