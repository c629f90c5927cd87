/* where_check.c - see where_check.h. */
#include "rules/where_check.h"

#include "rules/impossible.h"
#include "rules/parser.h"

enum { WHERE_MIB_MAX = 64 };

static bool check(struct text where, struct arena *arena)
{
    static const struct ground ground = {.kind = GROUND_EVENT};
    const struct pattern_set *no_set = NULL;
    const struct script script = {"where", where.at, where.len};
    const struct yaml_node node = {
        .kind = YAML_SCALAR, .span = {&script, 0, where.len}, .text = where};
    struct patterns patterns = {pattern_table_create(arena), &no_set};
    struct diagnostics diag;
    struct scope scope = {.kind = SCOPE_WHERE, .arena = arena, .diag = &diag};
    struct ast *ast;

    diagnostics_init(&diag, NULL);
    if (patterns.table == NULL)
        return true;
    scope.patterns = &patterns;
    ast = parse_node(&node, arena, &diag);
    return ast == NULL || !types_check(ast, &scope) || impossible_can_be_true(ast, &ground);
}

bool where_can_be_true(struct text where)
{
    struct arena *arena = arena_create((size_t)WHERE_MIB_MAX << 20);
    bool can_be_true = arena == NULL || check(where, arena);

    arena_destroy(arena);
    return can_be_true;
}
