/*
 * types_parts.h - what the files of the type checker share (rules/types.h is its door).
 *
 *   types.c           trees, truth, and what there is in each scope
 *   types_names.c     names: fields, labels, constants, sets and tables
 *   types_call.c      calls: which function may stand where, and those of an event
 *   types_window.c    the functions of a window and of `close`
 *   types_operator.c  comparison, `in`, arithmetic, `?:`
 *
 * Each check answers false when it has diagnosed something, and else leaves type and meaning in
 * the node.
 */
#ifndef RULES_TYPES_PARTS_H
#define RULES_TYPES_PARTS_H

#include "rules/bare_text.h"
#include "rules/types.h"

/* Checks a tree and computes what is constant in it. */
bool types_check_tree(struct ast *ast, struct scope *scope);

/* The same, of a tree that has to be true or false. `role` begins the sentence: "where is". */
bool types_check_truth(struct ast *ast, struct scope *scope, const char *role);

static inline bool types_is_number(enum value_type type)
{
    return type == TYPE_INT || type == TYPE_DOUBLE;
}

static inline bool types_is_aggregate(const struct ast *ast)
{
    return ast->meaning == MEANS_AGGREGATE;
}

/* The length of a name, cut for a message. */
static inline int types_shown(struct text text)
{
    return text.len < 60 ? (int)text.len : 60;
}

/* ---- types_names.c ---- */

static inline bool types_is_labels(const struct ast *ast)
{
    return ast->kind == AST_NAME && text_equals(ast->text, "labels");
}

bool types_check_name(struct ast *ast, struct scope *scope);

/* What a lone name is in this scope, and how it can be missing (see bare_text.h). */
enum bare_name types_bare_name(struct text name, const void *scope_of);
enum bare_lack types_bare_lack(struct text name, const void *scope_of);

/* A field that what is looked at never has. */
bool types_check_has_field(const struct ast *ast, struct scope *scope);
bool types_check_label(struct ast *ast, struct diagnostics *diag);
bool types_check_cell(struct ast *ast, struct scope *scope);
bool types_check_index(struct ast *ast, struct scope *scope);

/* The word `labels` where the whole map may stand; false, without a word, when it is not that. */
bool types_resolve_labels(struct ast *ast);

/* ---- types_call.c ---- */

bool types_check_call(struct ast *ast, struct scope *scope);

/* How the function of this name is written, "count()", where it may stand here; NULL: there is
 * none. */
const char *types_call_usage(struct text name, const struct scope *scope);

/* The same of the function that a mistyped name is nearest to. */
const char *types_call_meant(struct text name, const struct scope *scope);

/* A call has `want` arguments: none or one. */
bool types_check_count(const struct ast *ast, struct scope *scope, uint32_t want);

/* ---- types_window.c ---- */

/* Something is computed of it: there is no count from which on more makes no difference. */
void types_loosen(const struct ast *ast, struct scope *scope);

bool types_check_count_call(struct ast *ast, struct scope *scope);
bool types_check_distinct(struct ast *ast, struct scope *scope);
bool types_check_number_aggregate(struct ast *ast, struct scope *scope);
bool types_check_deviation(struct ast *ast, struct scope *scope);
bool types_check_quiet(struct ast *ast, struct scope *scope);
bool types_check_fewer(struct ast *ast, struct scope *scope);
bool types_check_cleared(struct ast *ast, struct scope *scope);

/* ---- types_operator.c ---- */

bool types_check_list(struct ast *ast, struct scope *scope);
bool types_check_compare(struct ast *ast, struct scope *scope);
bool types_check_in(struct ast *ast, struct scope *scope);
bool types_check_arithmetic(struct ast *ast, struct scope *scope);
bool types_check_negate(struct ast *ast, struct scope *scope);
bool types_check_choose(struct ast *ast, struct scope *scope);

#endif
