/*
 * import_sigma_detection.c - search identifiers: what stands below `detection`. See
 * import_sigma.h.
 */
#include "daemon/import_sigma.h"

static struct expr *search_map(struct sigma_build *build, const struct yaml_node *map)
{
    struct expr *all = NULL;
    bool is_good = true;

    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct expr *expr;
        if (node->kind == YAML_MAP) {
            import_find(build->work, node->span, IMPORT_LEFT_OUT,
                        import_name(build->work, "field %.80s", node->key->text.at),
                        "a map in the place of values is not of the specification");
            is_good = false;
            continue;
        }
        expr = sigma_field(build, node->key, node);
        is_good = is_good && expr != NULL;
        if (is_good)
            all = expr_join(&build->expr, EXPR_AND, all, expr);
    }
    if (map->first == NULL) {
        import_find(build->work, map->span, IMPORT_LEFT_OUT, "search",
                    "an empty map says nothing about events");
        return NULL;
    }
    return is_good ? all : NULL;
}

/* Maps are alternatives, and so are words without a field. */
static struct expr *search_list(struct sigma_build *build, const struct yaml_node *list)
{
    struct expr *any = NULL;
    bool is_good = true;

    if (list->first == NULL) {
        import_find(build->work, list->span, IMPORT_LEFT_OUT, "search",
                    "an empty list says nothing about events");
        return NULL;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct expr *expr = sigma_search(build, node);
        is_good = is_good && expr != NULL;
        if (is_good)
            any = expr_join(&build->expr, EXPR_OR, any, expr);
    }
    return is_good ? any : NULL;
}

static bool is_list_of_words(const struct yaml_node *node)
{
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next)
        if (child->kind != YAML_SCALAR)
            return false;
    return node->kind == YAML_LIST && node->first != NULL;
}

/* The reader of YAML bounds how deep lists in lists can go. */
struct expr *sigma_search(struct sigma_build *build, const struct yaml_node *node)
{
    if (node->kind == YAML_MAP)
        return search_map(build, node);
    if (node->kind == YAML_SCALAR || is_list_of_words(node))
        return sigma_field(build, NULL, node);
    return search_list(build, node);
}

struct expr *sigma_search_named(struct sigma_build *build, const struct yaml_node *node)
{
    size_t index = 0;

    for (const struct yaml_node *before = build->detection->first; before != node;
         before = before->next)
        index++;
    build->used[index] = true;
    return sigma_search(build, node);
}
