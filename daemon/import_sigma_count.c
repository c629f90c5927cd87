/*
 * import_sigma_count.c - how much, and in what time: timespan and condition of a correlation of
 * Sigma. See import_sigma_correlation.h.
 */
#include <inttypes.h>
#include <string.h>
#include "daemon/import_sigma_correlation.h"
#include "rules/fields.h"
#include "rules/lexer.h"
#include "rules/types.h"

enum { COUNT_DIGITS_MAX = 9 };

/* ---- timespan ---- */

bool correlation_read_timespan(struct correlation *c)
{
    const struct yaml_node *node = yaml_node_find(c->map, "timespan");
    int64_t ms = 0;
    uint32_t digits = 0;

    if (node == NULL || node->kind != YAML_SCALAR)
        return correlation_refuse(c, node != NULL ? node->span : c->map->span,
                                  "a correlation needs a timespan, for example 10m");
    while (digits < node->text.len && node->text.at[digits] >= '0' && node->text.at[digits] <= '9')
        digits++;
    if (digits == 0 || digits + 1 != node->text.len || node->text.at[digits] == '\0' ||
        strchr("smhd", node->text.at[digits]) == NULL || duration_parse(node->text, &ms) != NULL ||
        ms == 0)
        return correlation_refuse(c, node->span, "a timespan is a number and s, m, h or d");
    if (ms > RULE_DURATION_MS_MAX)
        return correlation_refuse(c, node->span, "a window of tocsin has at most 30 days");
    c->timespan = node;
    return true;
}

/* ---- condition ---- */

static bool read_number(const struct yaml_node *node, int64_t *out)
{
    *out = 0;
    if (node->kind != YAML_SCALAR || node->text.len == 0 || node->text.len > COUNT_DIGITS_MAX)
        return false;
    for (uint32_t i = 0; i < node->text.len; i++) {
        if (node->text.at[i] < '0' || node->text.at[i] > '9')
            return false;
        *out = *out * 10 + (node->text.at[i] - '0');
    }
    return true;
}

/* One criterion narrows what is let through. */
static void narrow(struct correlation *c, const char *sign, int64_t number)
{
    int64_t min = 0, max = INT64_MAX;

    if (sign[0] == '>' || sign[0] == '=')
        min = strcmp(sign, ">") == 0 ? number + 1 : number;
    if (sign[0] == '<' || sign[0] == '=')
        max = strcmp(sign, "<") == 0 ? number - 1 : number;
    c->count_min = min > c->count_min ? min : c->count_min;
    c->count_max = max < c->count_max ? max : c->count_max;
}

static bool read_criterion(struct correlation *c, const struct yaml_node *node,
                           const char *aggregate)
{
    static const struct {
        const char *word, *sign;
    } signs[] = {{"gt", ">"}, {"gte", ">="}, {"lt", "<"}, {"lte", "<="}, {"eq", "=="}};
    int64_t number;

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!text_equals(node->key->text, signs[i].word))
            continue;
        if (!read_number(node, &number))
            return correlation_refuse(c, node->span, "%s takes a whole number of at most %d digits",
                                      signs[i].word, COUNT_DIGITS_MAX);
        c->when = import_pool_format(&c->sigma->work->scratch, "%s%s%s %s %" PRId64,
                                     c->when != NULL ? c->when : "", c->when != NULL ? " && " : "",
                                     aggregate, signs[i].sign, number);
        narrow(c, signs[i].sign, number);
        return true;
    }
    return correlation_refuse(c, node->key->span,
                              "a condition takes gt, gte, lt, lte, eq (and field)");
}

static bool read_field(struct correlation *c, const struct yaml_node *node)
{
    struct import_work *work = c->sigma->work;

    if (node != NULL && node->kind == YAML_LIST && node->count == 1)
        node = node->first;
    if (node == NULL)
        return correlation_refuse(c, c->map->span, "value_count needs a field in its condition");
    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return correlation_refuse(
            c, node->span,
            "values of several fields together cannot be counted: distinct() takes one");
    if (!c->is_chain) {
        c->field = import_map_field(work->input->map, node->text, &work->scratch);
        return true;
    }
    for (uint32_t i = 0; i < c->base_count; i++) {
        struct import_target field;
        if (chain_first(c, i) < i)
            continue;
        if (!correlation_field(c, i, node->text, node->span, &field))
            return false;
        if (i > 0 && strcmp(field.text, c->field.text) != 0)
            return correlation_refuse(c, node->span,
                                      "the rules of the chain have %.80s in different fields, %s "
                                      "and %s",
                                      node->text.at, c->field.text, field.text);
        c->field = field;
    }
    return chain_is_shown(c, &c->field, node->span);
}

bool correlation_read_condition(struct correlation *c)
{
    const struct yaml_node *map = yaml_node_find(c->map, "condition");
    const struct yaml_node *field =
        map != NULL && map->kind == YAML_MAP ? yaml_node_find(map, "field") : NULL;
    const char *aggregate = "count()";

    if (c->type != VALUE_COUNT && yaml_node_find(c->map, "field") != NULL)
        return correlation_refuse(c, yaml_node_find(c->map, "field")->key->span,
                                  "a field is counted by value_count alone");
    if (map == NULL && c->type >= TEMPORAL)
        return true;
    if (map == NULL || map->kind != YAML_MAP)
        return correlation_refuse(c, map != NULL ? map->span : c->map->span,
                                  "the condition of a correlation is a map like {gte: 10}");
    if (c->type == VALUE_COUNT) {
        if (!read_field(c, field != NULL ? field : yaml_node_find(c->map, "field")))
            return false;
        aggregate = import_pool_format(&c->sigma->work->scratch, "distinct(%s)", c->field.text);
    } else if (field != NULL) {
        return correlation_refuse(c, field->key->span, "a field is counted by value_count alone");
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next)
        if (node != field && !read_criterion(c, node, aggregate))
            return false;
    if (c->when == NULL && c->type < TEMPORAL)
        return correlation_refuse(c, map->span, "the condition has no gt, gte, lt, lte or eq");
    if (c->count_min > c->count_max)
        return correlation_refuse(c, map->span, "the condition can never be true");
    return true;
}

/* `lt: 1` asks for what does not come. */
bool correlation_check_count(struct correlation *c)
{
    const struct yaml_node *node = yaml_node_find(c->map, "condition");

    if (c->count_max < 1)
        return correlation_refuse(
            c, node->span,
            "it asks for nothing to happen, which no window can see: write a rule with "
            "`expect`");
    if ((c->count_max < INT64_MAX ? c->count_max + 1 : c->count_min) > SIGMA_MEMBERS_MAX)
        return correlation_refuse(c, node->span,
                                  "a window of tocsin holds at most %d events of a key",
                                  SIGMA_MEMBERS_MAX);
    return true;
}

/* The rules of a temporal correlation must all be seen; some of them is no form of tocsin. */
bool correlation_check_steps(struct correlation *c)
{
    const struct yaml_node *node = yaml_node_find(c->map, "condition");

    if (c->base_count > SIGMA_STEPS_MAX)
        return correlation_refuse(c, yaml_node_find(c->map, "rules")->span,
                                  "at most %d rules can be joined", SIGMA_STEPS_MAX);
    if (c->base_count < 2)
        return correlation_refuse(c, yaml_node_find(c->map, "rules")->span,
                                  "two rules at least are joined");
    if (node == NULL)
        return true;
    if (c->count_min != (int64_t)c->base_count || c->count_max < (int64_t)c->base_count)
        return correlation_refuse(c, node->span,
                                  "only that all %u rules are seen can be carried over",
                                  (unsigned)c->base_count);
    return true;
}
