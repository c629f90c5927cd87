/* drops.c - see drops.h. */
#include "rules/drops.h"

#include "rules/fields.h"
#include "rules/impossible.h"
#include "rules/parser.h"

/* Patterns are known by their numbers in a table, and here is none of the rules'. */
static bool is_usable(const struct ast *ast, bool has_changes)
{
    if (ast->meaning == MEANS_MATCHES ||
        (has_changes && (ast->meaning == MEANS_LABELS || ast->meaning == MEANS_LABEL_OF)) ||
        (has_changes && ast->meaning == MEANS_FIELD && !field_is_of_identity(ast->field)) ||
        (ast->receiver != NULL && !is_usable(ast->receiver, has_changes)))
        return false;
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        if (!is_usable(child, has_changes))
            return false;
    return true;
}

static const struct ast *read_condition(struct drops *drops, const struct yaml_node *step,
                                        const struct rule_build *build, struct vars *vars)
{
    const struct yaml_node *node = yaml_node_find(step, "where");
    const struct pattern_set *no_set = NULL;
    struct patterns patterns = {drops->patterns, &no_set};
    struct diagnostics unheard;
    struct scope scope = {.kind = SCOPE_WHERE,
                          .arena = build->arena,
                          .diag = &unheard,
                          .vars = vars,
                          .lookups = build->lookups,
                          .patterns = &patterns};
    uint32_t parts = 0;
    struct ast *ast;

    diagnostics_init(&unheard, NULL);
    if (node == NULL || patterns.table == NULL ||
        !vars_read(yaml_node_find(step, "vars"), &parts, build->arena, &unheard, vars))
        return NULL;
    ast = parse_node(node, build->arena, &unheard);
    return ast != NULL && vars_place(ast, vars) && types_check(ast, &scope) ? ast : NULL;
}

void drops_add(struct drops *drops, const struct yaml_node *list, const struct rule_build *build)
{
    drops->looks = drops->apart_looks = DROPS_WORK;
    if (list == NULL || list->kind != YAML_LIST)
        return;
    for (const struct yaml_node *step = list->first; step != NULL; step = step->next) {
        const struct yaml_node *id, *drop;
        struct vars vars = {.count = 0};
        if (step->kind != YAML_MAP)
            continue;
        id = yaml_node_find(step, "id");
        drop = yaml_node_find(step, "drop");
        if (drop == NULL) {
            drops->has_changes = true;
            continue;
        }
        if (drops->patterns == NULL)
            drops->patterns = pattern_table_create(build->arena);
        if (id != NULL && id->kind == YAML_SCALAR && drops->count < DROPS_MAX) {
            struct drop *to = &drops->drop[drops->count];
            to->id = id->text.at;
            to->where = read_condition(drops, step, build, &vars);
            drops->count++;
        }
    }
}

const char *drops_find(struct drops *drops, const struct ast *where, bool sees_clears)
{
    const struct ground ground = {.kind = GROUND_EVENT, .sees_clears = sees_clears};

    for (uint32_t i = 0; i < drops->count && drops->looks > 0; i++)
        if (drops->drop[i].where != NULL && is_usable(drops->drop[i].where, drops->has_changes) &&
            impossible_is_within(where, drops->drop[i].where, &ground, &drops->looks))
            return drops->drop[i].id;
    return NULL;
}

void drops_find_apart(struct drops *drops, const struct ast *where, bool sees_clears,
                      uint64_t apart[RULE_DROPS_WORDS])
{
    const struct ground ground = {.kind = GROUND_EVENT, .sees_clears = sees_clears};

    for (uint32_t i = 0; i < drops->count && drops->apart_looks > 0; i++)
        if (drops->drop[i].where != NULL && is_usable(drops->drop[i].where, drops->has_changes) &&
            impossible_is_apart(where, drops->drop[i].where, &ground, &drops->apart_looks))
            apart[i / 64] |= UINT64_C(1) << (i % 64);
}
