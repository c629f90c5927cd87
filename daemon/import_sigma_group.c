/*
 * import_sigma_group.c - by what a correlation of Sigma groups, as the key of a rule. See
 * import_sigma_correlation.h.
 */
#include <string.h>
#include "daemon/import_sigma_correlation.h"
#include "rules/fields.h"

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

static const char *alias_id(struct correlation *c, struct text name)
{
    struct import_work *work = c->sigma->work;

    return import_id(
        work, "sigma-",
        import_word(import_name(work, "alias %.*s", name.len < 60 ? (int)name.len : 60, name.at)));
}

/* Different fields become one label, made by an enrich step for each rule. */
static bool alias_make(struct correlation *c, struct text name, struct span span,
                       struct import_target *field, struct import_target *target)
{
    struct import_work *work = c->sigma->work;
    struct correlation_alias *alias = &c->alias[c->alias_count];

    for (uint32_t i = 0; i < c->base_count; i++)
        if (field[i].kind == TARGET_VALUE || strcmp(field[i].text, "message") == 0)
            return correlation_refuse(c, span,
                                      "the alias %.80s is mapped to %s, which makes no key",
                                      name.at, field[i].text);
    if (c->alias_count == SIGMA_BY_MAX)
        return correlation_refuse(c, span, "a key takes %d fields beside the tenant", SIGMA_BY_MAX);
    for (uint32_t i = 0; i < c->alias_count; i++)
        if (text_equals(name, c->alias[i].name.at))
            alias = &c->alias[i]; /* named twice by group-by */
    if (alias->label == NULL) {
        alias->name = name;
        alias->span = span;
        alias->field = field;
        /* An id is unique over all files of a set, or they do not load together: so is the label.
         */
        alias->id = alias_id(c, name);
        alias->label = import_name(work, "labels[\"%s\"]", alias->id);
        c->alias_count++;
    }
    *target = (struct import_target){TARGET_LABEL, alias->label,
                                     import_pool_format(&work->scratch, "has(%s)", alias->label)};
    for (uint32_t i = 0; c->is_chain && i < c->base_count; i++)
        if (c->part[i] != NULL && !chain_add_key(c->part[i], *target, span))
            return false;
    return true;
}

bool correlation_field(struct correlation *c, uint32_t i, struct text name, struct span span,
                       struct import_target *out)
{
    const struct correlation *part = c->is_chain ? c->part[i] : NULL;
    struct import_work *work = c->sigma->work;

    if (part == NULL) {
        *out = import_map_field(work->input->map, name, &work->scratch);
        return true;
    }
    for (uint32_t k = 0; k < part->by_count; k++) {
        if (part->by_name[k].len == name.len &&
            memcmp(part->by_name[k].at, name.at, name.len) == 0) {
            *out = part->by[k];
            return true;
        }
    }
    return correlation_refuse(c, span,
                              "%.80s is no group-by of the %.120s: what it correlates is told "
                              "apart by nothing else",
                              name.at, part->rule->construct);
}

/* An alias stands for one field of each rule, and in a chain each rule may have made something
 * else of the name. Keys of tocsin are made of the same field for all events of a rule. `alias` is
 * NULL where `name` is a field. */
static bool read_each(struct correlation *c, struct text name, struct span span,
                      const struct yaml_node *alias, struct import_target *target)
{
    struct import_target *other =
        import_pool_alloc(&c->sigma->work->scratch, (c->base_count + 1) * sizeof(*other));
    bool is_one = true;

    if (alias != NULL && alias->kind != YAML_MAP)
        return correlation_refuse(c, span, "an alias is a map of rules and their fields");
    for (uint32_t i = 0; i < c->base_count; i++) {
        const struct yaml_node *field = alias != NULL ? alias_field(alias, c->base[i]) : NULL;
        if (alias != NULL && field == NULL)
            return correlation_refuse(c, span, "the alias %.80s names no field of %.120s", name.at,
                                      c->base[i]->construct);
        if (c->is_chain && chain_first(c, i) < i)
            other[i] = other[chain_first(c, i)];
        else if (!correlation_field(c, i, field != NULL ? field->text : name, span, &other[i]))
            return false;
        is_one = is_one && strcmp(other[i].text, other[0].text) == 0;
    }
    *target = other[0];
    return is_one ? chain_is_shown(c, target, span) : alias_make(c, name, span, other, target);
}

/* ---- steps ---- */

static bool put_step(struct correlation *c, const struct correlation_alias *alias, uint32_t base,
                     const char *id, struct import_text *entry)
{
    struct expr_build build = {.pool = &c->sigma->work->scratch};
    struct expr *where = correlation_base_expr(c, base, &build);

    if (where == NULL)
        return false;
    where = expr_join(&build, EXPR_AND, expr_term(&build, alias->field[base].presence, NULL, true),
                      where);
    if (build.is_full)
        return correlation_refuse(c, alias->span,
                                  "its conditions pass the 16 KiB of an expression");
    import_text_format(entry, "  - id: %s\n    where: |\n      ", id);
    expr_print(where, entry, 6);
    import_text_put(entry, "\n    set:\n      ");
    import_text_quoted(entry, alias->label, strlen(alias->label));
    import_text_put(entry, ": ");
    import_text_quoted(entry, alias->field[base].text, strlen(alias->field[base].text));
    import_text_put(entry, "\n");
    return true;
}

static bool add_step(struct correlation *c, const struct correlation_alias *alias, uint32_t base)
{
    struct import_work *work = c->sigma->work;
    struct import_text entry = {NULL, 0, 0}, comment = {NULL, 0, 0};
    const char *id = base == 0 ? alias->id : alias_id(c, alias->name);
    bool is_good = put_step(c, alias, base, id, &entry);

    if (is_good) {
        import_comment(&comment, "alias", alias->name);
        import_comment(&comment, "of", import_word(c->base[base]->construct));
        import_add(work, IMPORT_ENRICH, id, &comment, &entry, alias->span, c->rule->construct);
        c->sigma->step_count++;
    }
    import_text_release(&entry);
    return is_good;
}

bool correlation_add_steps(struct correlation *c)
{
    for (uint32_t i = 0; c->is_chain && i < c->base_count; i++)
        if (c->part[i] != NULL && chain_first(c, i) == i && !correlation_add_steps(c->part[i]))
            return false;
    if (c->sigma->step_count + c->alias_count * c->base_count > SIGMA_ENRICH_MAX)
        return correlation_refuse(
            c, c->rule->document->span,
            "aliases of different fields take more than %d enrich steps in all", SIGMA_ENRICH_MAX);
    for (uint32_t a = 0; a < c->alias_count; a++) {
        for (uint32_t i = 0; i < c->base_count; i++)
            if (!add_step(c, &c->alias[a], i))
                return false;
        import_find(
            c->sigma->work, c->alias[a].span, IMPORT_DIFFERS, c->rule->construct,
            "the alias %.80s is a label that enrich steps make of different fields: an event "
            "of several of its rules has the field of the last of them",
            c->alias[a].name.at);
    }
    return true;
}

/* ---- group-by ---- */

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

static bool read_by_field(struct correlation *c, const struct yaml_node *node)
{
    struct import_work *work = c->sigma->work;
    const struct yaml_node *alias;
    struct import_target target = {TARGET_TEXT, "", ""};

    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return correlation_refuse(c, node->span, "group-by takes names of fields");
    alias = alias_find(c, node->text);
    if (alias == NULL && !c->is_chain)
        target = import_map_field(work->input->map, node->text, &work->scratch);
    else if (!read_each(c, node->text, alias != NULL ? alias->span : node->span, alias, &target))
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
    c->by_name[c->by_count] = node->text;
    c->by[c->by_count++] = target;
    return true;
}

bool correlation_read_by(struct correlation *c)
{
    const struct yaml_node *list = yaml_node_find(c->map, "group-by");
    const struct yaml_node *aliases = yaml_node_find(c->map, "aliases");

    if (aliases != NULL && aliases->kind != YAML_MAP)
        return correlation_refuse(c, aliases->span, "aliases are a map of names");
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
