/* types.c - see types.h. */
#include "rules/types_parts.h"

#include "rules/fold.h"

/* ---- truth ---- */

bool types_check_truth(struct ast *ast, struct scope *scope, const char *role)
{
    if (!types_check_tree(ast, scope))
        return false;
    if (ast->type == TYPE_BOOL)
        return true;
    diagnose(scope->diag, ast->span, "%s true or false, and this is %s", role,
             value_type_name(ast->type));
    return false;
}

static bool check_connective(struct ast *ast, struct scope *scope)
{
    const char *role = ast->kind == AST_NOT   ? "! needs"
                       : ast->kind == AST_AND ? "&& needs"
                                              : "|| needs";

    ast->type = TYPE_BOOL;
    if (ast->kind == AST_NOT && scope->kind == SCOPE_CLOSE) {
        diagnose(scope->diag, ast->span, "close joins its parts with && and || only");
        return false;
    }
    for (struct ast *child = ast->first; child != NULL; child = child->next)
        if (!types_check_truth(child, scope, role))
            return false;
    return true;
}

/* ---- scopes ---- */

static const char close_is[] =
    "close is made of quiet(duration), cleared(), fewer(count, duration) "
    "and comparisons of last(x)";

static bool check_literal(struct ast *ast, struct scope *scope)
{
    ast->meaning = MEANS_CONSTANT;
    if (scope->kind != SCOPE_CLOSE || ast->type != TYPE_BOOL)
        return true;
    diagnose(scope->diag, ast->span, "%s", close_is);
    return false;
}

/* A bare word where only functions have names. */
static bool refuse_word(const struct ast *ast, struct scope *scope)
{
    bool is_other = field_find(ast->text) != RULE_FIELD_COUNT || types_is_labels(ast);
    const char *usage = is_other ? NULL : types_call_usage(ast->text, scope);
    const char *meant = is_other ? NULL : types_call_meant(ast->text, scope);

    if (usage != NULL)
        diagnose(scope->diag, ast->span, "%.*s is a function: write %s", types_shown(ast->text),
                 ast->text.at, usage);
    else if (meant != NULL)
        diagnose(scope->diag, ast->span, "there is no \"%.*s\" in %s; did you mean %s?",
                 types_shown(ast->text), ast->text.at, scope->kind == SCOPE_WHEN ? "when" : "close",
                 meant);
    return usage != NULL || meant != NULL;
}

/* What there is to name and to compute differs between scopes. */
static bool check_kind(const struct ast *ast, struct scope *scope)
{
    bool names_event = ast->kind == AST_NAME || ast->kind == AST_MEMBER || ast->kind == AST_INDEX;
    bool computes = ast->kind == AST_IN || ast->kind == AST_LIST || ast->kind == AST_ARITHMETIC ||
                    ast->kind == AST_CHOOSE;

    if (!(scope->kind == SCOPE_WHEN && names_event) &&
        !(scope->kind == SCOPE_CLOSE && (names_event || computes)))
        return true;
    if (ast->kind == AST_NAME && refuse_word(ast, scope))
        return false;
    if (scope->kind == SCOPE_WHEN)
        diagnose(scope->diag, ast->span,
                 "when looks at a window, not at one event: compare count(), distinct(field), or "
                 "sum, avg, min, max, first, last and the like of a number, as max(value)");
    else
        diagnose(scope->diag, ast->span, "%s", close_is);
    return false;
}

/* Where fields can be named; in `when` and `close` they cannot, which is told first. */
static bool check_bare_text(const struct ast *ast, struct scope *scope)
{
    const struct bare_names names = {types_bare_name, types_bare_lack, scope};

    return scope->kind == SCOPE_WHEN || scope->kind == SCOPE_CLOSE ||
           bare_text_check(ast, &names, scope->diag);
}

static bool check_node(struct ast *ast, struct scope *scope)
{
    if (!check_bare_text(ast, scope))
        return false;
    switch (ast->kind) {
    case AST_LITERAL:
        return check_literal(ast, scope);
    case AST_NAME:
        return types_check_name(ast, scope);
    case AST_MEMBER:
        return types_is_labels(ast->first) ? types_check_label(ast, scope->diag)
                                           : types_check_cell(ast, scope);
    case AST_INDEX:
        return types_check_index(ast, scope);
    case AST_CALL:
        return types_check_call(ast, scope);
    case AST_LIST:
        return types_check_list(ast, scope);
    case AST_COMPARE:
        return types_check_compare(ast, scope);
    case AST_IN:
        return types_check_in(ast, scope);
    case AST_NEGATE:
        return types_check_negate(ast, scope);
    case AST_ARITHMETIC:
        return types_check_arithmetic(ast, scope);
    case AST_CHOOSE:
        return types_check_choose(ast, scope);
    default:
        return check_connective(ast, scope);
    }
}

bool types_check_tree(struct ast *ast, struct scope *scope)
{
    return check_kind(ast, scope) && check_node(ast, scope) && fold(ast, scope->arena, scope->diag);
}

bool types_check(struct ast *ast, struct scope *scope)
{
    static const char *const roles[] = {"where is", "when is", "close is", "this is"};

    return types_check_truth(ast, scope, roles[scope->kind]);
}

bool types_check_value(struct ast *ast, struct scope *scope)
{
    if (!types_check_tree(ast, scope))
        return false;
    if (ast->type <= TYPE_SEVERITY)
        return true;
    diagnose(scope->diag, ast->span, "this is %s and no single value", value_type_name(ast->type));
    return false;
}
