/* vars.c - see vars.h. */
#include "rules/vars.h"

#include <string.h>
#include "rules/parser.h"

const char *name_check(struct text name)
{
    static const char *const words[] = {"labels", "true", "false", "in", "not", "and", "or"};
    bool is_name = name.len > 0 && name.len <= VAR_NAME_BYTES_MAX;

    for (uint32_t i = 0; is_name && i < name.len; i++) {
        char c = name.at[i];
        is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                  (i > 0 && c >= '0' && c <= '9');
    }
    if (!is_name)
        return "a name is made of at most 60 letters, digits and _, and does not begin with a "
               "digit";
    if (field_find(name) != RULE_FIELD_COUNT)
        return "this is the name of a field";
    if (severity_constant_find(name) != SEVERITY_COUNT)
        return "this is the name of a severity";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_equals(name, words[i]))
            return "this word has a meaning of its own";
    return NULL;
}

bool vars_read(const struct yaml_node *map, uint32_t *parts, struct arena *arena,
               struct diagnostics *diag, struct vars *out)
{
    bool is_good = true;

    *out = (struct vars){.parts = parts, .arena = arena, .diag = diag};
    if (map == NULL)
        return true;
    if (map->kind != YAML_MAP) {
        diagnose(diag, map->span, "vars takes a map of names and expressions, not %s",
                 yaml_kind_name(map->kind));
        return false;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        const char *why = name_check(node->key->text);
        struct ast *ast;
        if (why != NULL) {
            diagnose(diag, node->key->span, "%s", why);
            is_good = false;
            continue;
        }
        if (out->count == VARS_MAX) {
            diagnose(diag, node->key->span, "a rule has at most %d variables", VARS_MAX);
            return false;
        }
        ast = parse_node(node, arena, diag);
        is_good = is_good && ast != NULL;
        out->var[out->count++] =
            (struct var){.name = node->key->text, .span = node->key->span, .ast = ast};
    }
    return is_good;
}

/* ---- putting in place ---- */

static uint32_t find(const struct vars *vars, struct text name)
{
    uint32_t i = 0;

    while (i < vars->count && (vars->var[i].name.len != name.len ||
                               memcmp(vars->var[i].name.at, name.at, name.len) != 0))
        i++;
    return i;
}

/* A tree of its own: checking a tree changes it. */
static struct ast *copy(const struct ast *from, struct vars *vars)
{
    struct ast *to = arena_alloc(vars->arena, sizeof(*to)), *part;

    if (to == NULL)
        return diagnose_memory(vars->diag);
    if (++*vars->parts > VAR_PARTS_MAX) {
        diagnose(vars->diag, from->span, "variables of this set stand for more than %d parts",
                 VAR_PARTS_MAX);
        return NULL;
    }
    *to = *from;
    to->first = to->last = to->next = NULL;
    to->count = 0;
    if (from->receiver != NULL && (to->receiver = copy(from->receiver, vars)) == NULL)
        return NULL;
    for (const struct ast *child = from->first; child != NULL; child = child->next) {
        part = copy(child, vars);
        if (part == NULL)
            return NULL;
        ast_add_child(to, part);
    }
    return to;
}

/* `limit`: the variables that may be used, from the top. */
static bool place(struct ast *ast, struct vars *vars, uint32_t limit, unsigned depth)
{
    struct ast *next = ast->next, *body;
    struct span span = ast->span;
    uint32_t index;

    if (depth > TREE_DEPTH_MAX) {
        diagnose(vars->diag, span,
                 "with its variables the expression is nested deeper than %d levels",
                 TREE_DEPTH_MAX);
        return false;
    }
    if (ast->receiver != NULL && !place(ast->receiver, vars, limit, depth + 1))
        return false;
    for (struct ast *child = ast->first; child != NULL; child = child->next)
        if (!place(child, vars, limit, depth + 1))
            return false;
    if (ast->kind != AST_NAME || (index = find(vars, ast->text)) == vars->count)
        return true;
    if (index >= limit) {
        diagnose(vars->diag, span, "a variable may use those above it: \"%.*s\" is not one of them",
                 (int)ast->text.len, ast->text.at);
        return false;
    }
    vars->var[index].is_used = true;
    body = vars->var[index].ast != NULL ? copy(vars->var[index].ast, vars) : NULL;
    if (body == NULL)
        return false;
    *ast = *body;
    ast->next = next;
    /* What is wrong with the use is told where it is used, a wrong name where it stands. */
    if (ast->kind != AST_NAME)
        ast->span = span;
    return place(ast, vars, index, depth);
}

bool vars_place(struct ast *ast, struct vars *vars)
{
    return vars == NULL || vars->count == 0 || place(ast, vars, vars->count, 0);
}

bool vars_check_used(const struct vars *vars)
{
    bool is_good = true;

    for (uint32_t i = 0; i < vars->count; i++) {
        if (vars->var[i].is_used || vars->var[i].ast == NULL)
            continue;
        is_good = diagnose_sense(vars->diag, vars->var[i].span,
                                 "nothing in the rule uses this variable") &&
                  is_good;
    }
    return is_good;
}
