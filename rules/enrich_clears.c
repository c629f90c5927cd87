/* enrich_clears.c - see enrich_clears.h. */
#include "rules/enrich_clears.h"

static bool is_field(const struct ast *ast, enum rule_field field)
{
    return ast->meaning == MEANS_FIELD && ast->field == field;
}

static bool reads_state(const struct ast *ast)
{
    if (is_field(ast, RULE_FIELD_STATE) || (ast->receiver != NULL && reads_state(ast->receiver)))
        return true;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (reads_state(child))
            return true;
    return false;
}

static bool holds(int64_t left, enum relation relation, int64_t right)
{
    switch (relation) {
    case RELATION_EQ:
        return left == right;
    case RELATION_NE:
        return left != right;
    case RELATION_LT:
        return left < right;
    case RELATION_LE:
        return left <= right;
    case RELATION_GT:
        return left > right;
    default:
        return left >= right;
    }
}

/* A condition that holds for every severity asks for none. */
static bool asks_for_ok(const struct ast *ast)
{
    const struct ast *left = ast->first, *right = ast->last;
    bool is_left = is_field(left, RULE_FIELD_SEVERITY);
    bool at_ok, is_everywhere = true;

    if (!(is_left && right->meaning == MEANS_CONSTANT) &&
        !(is_field(right, RULE_FIELD_SEVERITY) && left->meaning == MEANS_CONSTANT))
        return false;
    at_ok = holds(is_left ? SEVERITY_OK : left->number, ast->relation,
                  is_left ? right->number : SEVERITY_OK);
    for (int64_t severity = 0; severity < SEVERITY_COUNT; severity++)
        is_everywhere &= holds(is_left ? severity : left->number, ast->relation,
                               is_left ? right->number : severity);
    return at_ok && !is_everywhere;
}

static bool is_among(const struct ast *ast)
{
    if (!is_field(ast->first, RULE_FIELD_SEVERITY) || ast->last->kind != AST_LIST)
        return false;
    for (const struct ast *item = ast->last->first; item != NULL; item = item->next)
        if (item->meaning == MEANS_CONSTANT && item->number == SEVERITY_OK)
            return true;
    return false;
}

/* Behind a ! or inside a choice nothing is said of it: a note that is wrong is worse than none. */
static bool lets_ok_through(const struct ast *ast)
{
    if (ast->kind == AST_COMPARE)
        return asks_for_ok(ast);
    if (ast->kind == AST_IN)
        return is_among(ast);
    if (ast->kind != AST_AND && ast->kind != AST_OR)
        return false;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (lets_ok_through(child))
            return true;
    return false;
}

bool enrich_takes_clears(const struct ast *where)
{
    return !reads_state(where) && lets_ok_through(where);
}
