/*
 * import_sigma_correlation.c - Sigma's correlation rules as rules of tocsin. See
 * import_sigma.h.
 *
 *   event_count       where: a || b,  window: timespan,  when: count() >= n
 *   value_count       the same with  when: distinct(field) >= n
 *   temporal          all: [a, b],       within: timespan
 *   temporal_ordered  sequence: [a, b],  within: timespan
 *
 * A window slides and tells at the event that makes the count; what must not be passed
 * (lt, lte, eq) is known when a window ends, so such a rule gets windows that follow each
 * other and is looked at at their ends.
 *
 * Fields of group-by and the counted field must be there: an event without them would
 * otherwise fall under one key with all that lack them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "daemon/import_sigma_correlation.h"
#include "rules/fields.h"
#include "rules/lexer.h"
#include "rules/types.h"

enum { STEP_NAME_BYTES_MAX = 60 };

bool correlation_refuse(struct correlation *c, struct span span, const char *format, ...)
{
    char why[400];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    import_find(c->sigma->work, span, IMPORT_LEFT_OUT, c->rule->construct, "%s", why);
    return false;
}

/* ---- the rules that it refers to ---- */

static struct sigma_rule *rule_find(struct sigma *sigma, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return NULL;
    return *import_index_at(&sigma->names, node->text);
}

static bool is_true(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *node = yaml_node_find(map, key);

    return node != NULL && node->kind == YAML_SCALAR && text_equals(node->text, "true");
}

void sigma_correlation_refer(struct sigma *sigma, struct sigma_rule *rule)
{
    const struct yaml_node *map = yaml_node_find(rule->document, "correlation");
    const struct yaml_node *rules = map->kind == YAML_MAP ? yaml_node_find(map, "rules") : NULL;
    bool is_generated;

    if (rules == NULL)
        return;
    is_generated = is_true(map, "generate") || is_true(rule->document, "generate");
    for (const struct yaml_node *node = rules->kind == YAML_LIST ? rules->first : rules;
         node != NULL; node = rules->kind == YAML_LIST ? node->next : NULL) {
        struct sigma_rule *base = rule_find(sigma, node);
        if (base != NULL && base != rule) {
            base->is_referenced = true;
            base->is_generated = base->is_generated || is_generated;
        }
    }
}

static bool read_base(struct correlation *c, const struct yaml_node *node)
{
    struct sigma_rule *base = rule_find(c->sigma, node);

    if (base == NULL)
        return correlation_refuse(c, node->span, "no rule in these files has the name or id %.100s",
                                  node->kind == YAML_SCALAR ? node->text.at : "(not a text)");
    if (base->kind == SIGMA_CORRELATION)
        return correlation_refuse(
            c, node->span,
            "%.100s is a correlation itself: a chain of correlations is written by hand, "
            "as a rule with `on: incidents`",
            node->text.at);
    if (base->kind != SIGMA_DETECTION)
        return correlation_refuse(c, node->span, "%.100s has no detection", node->text.at);
    c->base[c->base_count++] = base;
    return true;
}

static bool read_rules(struct correlation *c)
{
    const struct yaml_node *list = yaml_node_find(c->map, "rules");
    bool is_good = true;

    if (list == NULL || (list->kind == YAML_LIST && list->first == NULL) || list->kind == YAML_MAP)
        return correlation_refuse(c, list != NULL ? list->span : c->map->span,
                                  "a correlation needs the key \"rules\" with a list");
    c->base = import_pool_alloc(&c->sigma->work->scratch, (list->count + 1) * sizeof(c->base[0]));
    if (list->kind != YAML_LIST)
        return read_base(c, list);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        is_good = read_base(c, node) && is_good;
    return is_good;
}

/* ---- the rule ---- */

/* The fields that must be there. */
static struct expr *presence_expr(struct correlation *c)
{
    struct expr *expr = NULL;

    for (uint32_t i = 0; i < c->by_count; i++)
        expr =
            expr_join(&c->expr, EXPR_AND, expr, expr_term(&c->expr, c->by[i].presence, NULL, true));
    if (c->type == VALUE_COUNT)
        expr =
            expr_join(&c->expr, EXPR_AND, expr, expr_term(&c->expr, c->field.presence, NULL, true));
    return expr;
}

static struct expr *base_expr(struct correlation *c, uint32_t i)
{
    struct expr *expr = sigma_rule_where(c->sigma, c->base[i], &c->expr);

    if (expr == NULL)
        correlation_refuse(c, c->rule->document->span,
                           "it is made of the %.140s, which cannot be carried over",
                           c->base[i]->construct);
    return expr;
}

static void put_where(struct import_text *entry, const struct expr *where, unsigned indent)
{
    import_text_format(entry, "where: |\n%*s", (int)indent, "");
    expr_print(where, entry, indent);
    import_text_put(entry, "\n");
}

static bool put_counted(struct correlation *c, struct import_text *entry)
{
    struct expr *any = NULL, *where;

    for (uint32_t i = 0; i < c->base_count; i++) {
        struct expr *expr = base_expr(c, i);
        if (expr == NULL)
            return false;
        any = expr_join(&c->expr, EXPR_OR, any, expr);
    }
    where = expr_join(&c->expr, EXPR_AND, presence_expr(c), any);
    import_text_put(entry, "    ");
    put_where(entry, where, 6);
    return true;
}

static bool put_steps(struct correlation *c, struct import_text *entry)
{
    struct expr *presence = presence_expr(c);

    if (presence != NULL) {
        import_text_put(entry, "    ");
        put_where(entry, presence, 6);
    }
    import_text_format(entry, "    %s:\n", c->type == TEMPORAL ? "all" : "sequence");
    for (uint32_t i = 0; i < c->base_count; i++) {
        struct text name = c->base[i]->name;
        struct expr *expr = base_expr(c, i);
        if (expr == NULL)
            return false;
        import_text_put(entry, "      - ");
        if (name.len > 0 && name.len <= STEP_NAME_BYTES_MAX) {
            import_text_put(entry, "as: ");
            import_text_quoted(entry, name.at, name.len);
            import_text_put(entry, "\n        ");
        }
        put_where(entry, expr, 10);
    }
    return true;
}

static void put_by(struct correlation *c, struct import_text *entry)
{
    import_text_put(entry, "    by: [tenant");
    for (uint32_t i = 0; i < c->by_count; i++) {
        if (strcmp(c->by[i].text, "tenant") == 0)
            continue;
        import_text_put(entry, ", ");
        /* labels["a.b"] is text to YAML only in quotes. */
        if (strchr(c->by[i].text, '[') != NULL)
            import_text_quoted(entry, c->by[i].text, strlen(c->by[i].text));
        else
            import_text_put(entry, c->by[i].text);
    }
    import_text_put(entry, "]\n");
}

static void put_time(struct correlation *c, struct import_text *entry)
{
    const char *timespan = c->timespan->text.at;
    /* A value that comes again and again takes entries, too. */
    int64_t members = c->count_max < INT64_MAX ? c->count_max + 1 : c->count_min;

    if (c->type >= TEMPORAL) {
        import_text_format(entry, "    within: %s\n", timespan);
        return;
    }
    if (c->count_max < INT64_MAX)
        import_text_format(entry, "    window: {tumbling: %s}\n    look: end\n", timespan);
    else
        import_text_format(entry, "    window: %s\n", timespan);
    import_text_format(entry, "    when: %s\n", c->when.at);
    if (c->type == VALUE_COUNT)
        members = members * 10 < SIGMA_MEMBERS_MAX ? members * 10 : SIGMA_MEMBERS_MAX;
    if (members > SIGMA_MEMBERS_DEFAULT)
        import_text_format(entry, "    max_members: %" PRId64 "\n", members);
}

/* A correlation without a level has the highest one of its rules. */
static uint8_t level_of(const struct correlation *c)
{
    uint8_t level = c->rule->level;

    for (uint32_t i = 0; c->rule->level == 0 && i < c->base_count; i++)
        level = c->base[i]->level > level ? c->base[i]->level : level;
    return level;
}

static void put_incident(struct correlation *c, struct import_text *entry)
{
    struct import_text title = {NULL, 0, 0};

    sigma_title(c->rule, &title);
    for (uint32_t i = 0; i < c->by_count; i++)
        import_text_format(&title, "%s{%s}%s", i == 0 ? " (" : ", ", c->by[i].text,
                           i + 1 == c->by_count ? ")" : "");
    import_text_put(entry, "    incident:\n      title: ");
    import_text_quoted(entry, title.at, title.bytes);
    import_text_format(entry, "\n      priority: %s\n    close: quiet(%s)\n",
                       sigma_priority(level_of(c)), c->timespan->text.at);
    import_text_release(&title);
}

/* What an upper bound comes to mean. */
static void note_difference(struct correlation *c, struct import_made *made)
{
    if (c->type >= TEMPORAL || c->count_max == INT64_MAX)
        return;
    made->differs_span = yaml_node_find(c->map, "condition")->span;
    made->differs = import_name(c->sigma->work,
                                "that a count stays below a bound is known when the time is over: "
                                "it is looked at at the ends of windows of %s that follow each "
                                "other",
                                c->timespan->text.at);
}

static bool put_rule(struct correlation *c, const char *id, struct import_text *entry)
{
    bool is_good;

    import_text_format(entry, "  - id: %s\n", id);
    sigma_rule_description(c->sigma, c->rule, entry);
    import_text_put(entry, "    on: events\n");
    is_good = c->type < TEMPORAL ? put_counted(c, entry) : put_steps(c, entry);
    if (!is_good)
        return false;
    if (c->expr.is_full)
        return correlation_refuse(c, c->rule->document->span,
                                  "its conditions pass the 16 KiB of an expression");
    put_by(c, entry);
    put_time(c, entry);
    put_incident(c, entry);
    return true;
}

static bool read_type(struct correlation *c)
{
    static const char *const types[] = {"event_count", "value_count", "temporal",
                                        "temporal_ordered"};
    const struct yaml_node *node = yaml_node_find(c->map, "type");

    for (int i = 0; node != NULL && node->kind == YAML_SCALAR && i < 4; i++) {
        if (text_equals(node->text, types[i])) {
            c->type = (enum correlation_type)i;
            return true;
        }
    }
    return correlation_refuse(
        c, node != NULL ? node->span : c->map->span,
        "a correlation is event_count, value_count, temporal or temporal_ordered");
}

/* A key that nobody knows may say what the rule means. */
static bool check_keys(struct correlation *c)
{
    static const char *const keys[] = {"type",      "rules",   "group-by", "timespan",
                                       "condition", "aliases", "generate", "field"};
    bool is_good = true;

    for (const struct yaml_node *node = c->map->first; node != NULL; node = node->next) {
        size_t i = 0;
        while (i < sizeof(keys) / sizeof(keys[0]) && !text_equals(node->key->text, keys[i]))
            i++;
        if (i == sizeof(keys) / sizeof(keys[0]))
            is_good = correlation_refuse(c, node->key->span,
                                         "the key %.80s of a correlation is not known",
                                         node->key->text.at);
    }
    return is_good;
}

static bool read_all(struct correlation *c)
{
    if (c->map->kind != YAML_MAP)
        return correlation_refuse(c, c->map->span, "a correlation is a map");
    if (!check_keys(c) || !read_type(c) || !read_rules(c) || !correlation_read_timespan(c) ||
        !correlation_read_by(c) || !correlation_read_condition(c))
        return false;
    correlation_find_unused_aliases(c);
    return c->type < TEMPORAL ? correlation_check_count(c) : correlation_check_steps(c);
}

void sigma_correlation_convert(struct sigma *sigma, struct sigma_rule *rule)
{
    struct import_work *work = sigma->work;
    struct correlation c = {
        .sigma = sigma,
        .rule = rule,
        .map = yaml_node_find(rule->document, "correlation"),
        .count_max = INT64_MAX,
        .expr = {.pool = &work->scratch},
    };
    struct import_text comment = {NULL, 0, 0}, entry = {NULL, 0, 0};

    if (read_all(&c)) {
        const char *id = import_id(work, "sigma-", rule->title.len > 0 ? rule->title : rule->name);
        sigma_rule_comment(sigma, rule, "rule", &comment);
        for (uint32_t i = 0; i < c.base_count; i++)
            sigma_base_comment(sigma, c.base[i], &comment);
        if (put_rule(&c, id, &entry) && correlation_add_steps(&c))
            note_difference(&c, import_add(work, IMPORT_RULES, id, &comment, &entry,
                                           rule->document->span, rule->construct));
    }
    import_text_release(&comment);
    import_text_release(&entry);
    import_text_release(&c.when);
    import_scratch_reset(work);
}
