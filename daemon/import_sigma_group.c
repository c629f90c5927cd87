/*
 * import_sigma_group.c - by what a correlation of Sigma groups, as the key of a rule. See
 * import_sigma_correlation.h.
 */
#include <string.h>
#include "daemon/import_sigma_correlation.h"

/* ---- aliases ---- */

static bool is_called(const struct sigma_rule *rule, struct text name)
{
    return (rule->name.len == name.len && memcmp(rule->name.at, name.at, name.len) == 0) ||
           (rule->id.len == name.len && memcmp(rule->id.at, name.at, name.len) == 0);
}

static const struct yaml_node *alias_field(const struct yaml_node *alias,
                                           const struct sigma_rule *base)
{
    for (const struct yaml_node *node = alias->first; node != NULL; node = node->next) {
        if (node->key->text.len > 0 && is_called(base, node->key->text))
            return node->kind == YAML_SCALAR ? node : NULL;
    }
    return NULL;
}

/* An alias stands for one field of each rule. Keys of tocsin are made of the same field for all
 * events of a rule, so it has to be one in the end. */
static bool read_alias(struct correlation *c, const struct yaml_node *alias,
                       struct import_target *target)
{
    struct import_work *work = c->sigma->work;

    if (alias->kind != YAML_MAP)
        return correlation_refuse(c, alias->span, "an alias is a map of rules and their fields");
    for (uint32_t i = 0; i < c->base_count; i++) {
        const struct yaml_node *field = alias_field(alias, c->base[i]);
        struct import_target other;
        if (field == NULL)
            return correlation_refuse(c, alias->span, "the alias %.80s names no field of %.120s",
                                      alias->key->text.at, c->base[i]->construct);
        other = import_map_field(work->input->map, field->text, &work->scratch);
        if (i > 0 && strcmp(other.text, target->text) != 0)
            return correlation_refuse(
                c, field->span,
                "the alias %.60s is %.80s for one rule and %.80s for another, and a key "
                "is made of one field: give both the same one in the mapping file",
                alias->key->text.at, target->text, other.text);
        *target = other;
    }
    return true;
}

static const struct yaml_node *alias_find(const struct correlation *c, struct text name)
{
    const struct yaml_node *aliases = yaml_node_find(c->map, "aliases");

    if (aliases == NULL || aliases->kind != YAML_MAP)
        return NULL;
    for (const struct yaml_node *node = aliases->first; node != NULL; node = node->next)
        if (node->key->text.len == name.len && memcmp(node->key->text.at, name.at, name.len) == 0)
            return node;
    return NULL;
}

/* ---- group-by ---- */

static bool read_by_field(struct correlation *c, const struct yaml_node *node)
{
    struct import_work *work = c->sigma->work;
    const struct yaml_node *alias;
    struct import_target target = {TARGET_TEXT, "", ""};

    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return correlation_refuse(c, node->span, "group-by takes names of fields");
    alias = alias_find(c, node->text);
    if (alias == NULL)
        target = import_map_field(work->input->map, node->text, &work->scratch);
    else if (!read_alias(c, alias, &target))
        return false;
    if (target.kind == TARGET_VALUE)
        return correlation_refuse(c, node->span, "%.80s is mapped to value: a number makes no key",
                                  node->text.at);
    if (strcmp(target.text, "message") == 0)
        return correlation_refuse(c, node->span, "%.80s is mapped to message, which makes no key",
                                  node->text.at);
    for (uint32_t i = 0; i < c->by_count; i++)
        if (strcmp(c->by[i].text, target.text) == 0)
            return true;
    if (c->by_count == SIGMA_BY_MAX)
        return correlation_refuse(c, node->span, "a key takes %d fields beside the tenant",
                                  SIGMA_BY_MAX);
    c->by[c->by_count++] = target;
    return true;
}

bool correlation_read_by(struct correlation *c)
{
    const struct yaml_node *list = yaml_node_find(c->map, "group-by");

    if (list == NULL)
        return true;
    if (list->kind != YAML_LIST)
        return read_by_field(c, list);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        if (!read_by_field(c, node))
            return false;
    return true;
}

/* Fields for rules that are not correlated. */
static void find_unused_fields(struct correlation *c, const struct yaml_node *alias)
{
    for (const struct yaml_node *node = alias->kind == YAML_MAP ? alias->first : NULL; node != NULL;
         node = node->next) {
        uint32_t i = 0;
        while (i < c->base_count && !is_called(c->base[i], node->key->text))
            i++;
        if (i == c->base_count)
            import_ignore_key(c->sigma->work, node, "the correlation does not refer to this rule");
    }
}

/* Aliases that group-by does not use do nothing. */
void correlation_find_unused_aliases(struct correlation *c)
{
    const struct yaml_node *aliases = yaml_node_find(c->map, "aliases");
    const struct yaml_node *by = yaml_node_find(c->map, "group-by");

    if (aliases == NULL)
        return;
    if (aliases->kind != YAML_MAP) {
        import_ignore_key(c->sigma->work, aliases, "aliases are a map");
        return;
    }
    for (const struct yaml_node *alias = aliases->first; alias != NULL; alias = alias->next) {
        bool is_used = false;
        const struct yaml_node *node = by == NULL || by->kind == YAML_SCALAR ? by : by->first;
        for (; node != NULL; node = node->next)
            is_used =
                is_used || (node->kind == YAML_SCALAR && node->text.len == alias->key->text.len &&
                            memcmp(node->text.at, alias->key->text.at, node->text.len) == 0);
        if (is_used)
            find_unused_fields(c, alias);
        else
            import_ignore_key(c->sigma->work, alias, "group-by does not name this alias");
    }
}
