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
#include "daemon/import_sigma.h"
#include "rules/fields.h"
#include "rules/lexer.h"
#include "rules/types.h"

enum { COUNT_DIGITS_MAX = 9, STEP_NAME_BYTES_MAX = 60 };

enum correlation_type { EVENT_COUNT, VALUE_COUNT, TEMPORAL, TEMPORAL_ORDERED };

struct correlation {
    struct sigma *sigma;
    struct sigma_rule *rule;
    const struct yaml_node *map;
    enum correlation_type type;
    struct sigma_rule **base; /* what it correlates */
    uint32_t base_count;
    struct import_target by[SIGMA_BY_MAX];
    uint32_t by_count;
    const struct yaml_node *timespan;
    struct import_text when;      /* "count() > 5 && count() <= 9" */
    int64_t count_min, count_max; /* what the condition lets through; INT64_MAX: any more */
    struct import_target field;   /* of value_count */
    struct expr_build expr;
};

static struct import_work *work_of(struct correlation *c)
{
    return c->sigma->work;
}

__attribute__((format(printf, 3, 4))) static bool refuse(struct correlation *c, struct span span,
                                                         const char *format, ...)
{
    char why[400];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    import_find(work_of(c), span, IMPORT_LEFT_OUT, c->rule->construct, "%s", why);
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
        return refuse(c, node->span, "no rule in these files has the name or id %.100s",
                      node->kind == YAML_SCALAR ? node->text.at : "(not a text)");
    if (base->kind == SIGMA_CORRELATION)
        return refuse(c, node->span,
                      "%.100s is a correlation itself: a chain of correlations is written by hand, "
                      "as a rule over incidents",
                      node->text.at);
    if (base->kind != SIGMA_DETECTION)
        return refuse(c, node->span, "%.100s has no detection", node->text.at);
    c->base[c->base_count++] = base;
    return true;
}

static bool read_rules(struct correlation *c)
{
    const struct yaml_node *list = yaml_node_find(c->map, "rules");
    bool is_good = true;

    if (list == NULL || (list->kind == YAML_LIST && list->first == NULL) || list->kind == YAML_MAP)
        return refuse(c, list != NULL ? list->span : c->map->span,
                      "a correlation needs the key \"rules\" with a list");
    c->base = import_pool_alloc(&work_of(c)->scratch, (list->count + 1) * sizeof(c->base[0]));
    if (list->kind != YAML_LIST)
        return read_base(c, list);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        is_good = read_base(c, node) && is_good;
    return is_good;
}

/* ---- group-by and aliases ---- */

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
    struct import_work *work = work_of(c);

    if (alias->kind != YAML_MAP)
        return refuse(c, alias->span, "an alias is a map of rules and their fields");
    for (uint32_t i = 0; i < c->base_count; i++) {
        const struct yaml_node *field = alias_field(alias, c->base[i]);
        struct import_target other;
        if (field == NULL)
            return refuse(c, alias->span, "the alias %.80s names no field of %.120s",
                          alias->key->text.at, c->base[i]->construct);
        other = import_map_field(work->input->map, field->text, &work->scratch);
        if (i > 0 && strcmp(other.text, target->text) != 0)
            return refuse(c, field->span,
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

static bool read_by_field(struct correlation *c, const struct yaml_node *node)
{
    struct import_work *work = work_of(c);
    const struct yaml_node *alias;
    struct import_target target = {TARGET_TEXT, "", ""};

    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return refuse(c, node->span, "group-by takes names of fields");
    alias = alias_find(c, node->text);
    if (alias == NULL)
        target = import_map_field(work->input->map, node->text, &work->scratch);
    else if (!read_alias(c, alias, &target))
        return false;
    if (target.kind == TARGET_VALUE)
        return refuse(c, node->span, "%.80s is mapped to value: a number makes no key",
                      node->text.at);
    if (strcmp(target.text, "message") == 0)
        return refuse(c, node->span, "%.80s is mapped to message, which makes no key",
                      node->text.at);
    for (uint32_t i = 0; i < c->by_count; i++)
        if (strcmp(c->by[i].text, target.text) == 0)
            return true;
    if (c->by_count == SIGMA_BY_MAX)
        return refuse(c, node->span, "a key takes %d fields beside the tenant", SIGMA_BY_MAX);
    c->by[c->by_count++] = target;
    return true;
}

static bool read_by(struct correlation *c)
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
            import_ignore_key(work_of(c), node, "the correlation does not refer to this rule");
    }
}

/* Aliases that group-by does not use do nothing. */
static void find_unused_aliases(struct correlation *c)
{
    const struct yaml_node *aliases = yaml_node_find(c->map, "aliases");
    const struct yaml_node *by = yaml_node_find(c->map, "group-by");

    if (aliases == NULL)
        return;
    if (aliases->kind != YAML_MAP) {
        import_ignore_key(work_of(c), aliases, "aliases are a map");
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
            import_ignore_key(work_of(c), alias, "group-by does not name this alias");
    }
}

/* ---- timespan and condition ---- */

static bool read_timespan(struct correlation *c)
{
    const struct yaml_node *node = yaml_node_find(c->map, "timespan");
    int64_t ms = 0;
    uint32_t digits = 0;

    if (node == NULL || node->kind != YAML_SCALAR)
        return refuse(c, node != NULL ? node->span : c->map->span,
                      "a correlation needs a timespan, for example 10m");
    while (digits < node->text.len && node->text.at[digits] >= '0' && node->text.at[digits] <= '9')
        digits++;
    if (digits == 0 || digits + 1 != node->text.len || node->text.at[digits] == '\0' ||
        strchr("smhd", node->text.at[digits]) == NULL || duration_parse(node->text, &ms) != NULL ||
        ms == 0)
        return refuse(c, node->span, "a timespan is a number and s, m, h or d");
    if (ms > RULE_DURATION_MS_MAX)
        return refuse(c, node->span, "a window of tocsin has at most 30 days");
    c->timespan = node;
    return true;
}

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
            return refuse(c, node->span, "%s takes a whole number of at most %d digits",
                          signs[i].word, COUNT_DIGITS_MAX);
        import_text_format(&c->when, "%s%s %s %" PRId64, c->when.bytes > 0 ? " && " : "", aggregate,
                           signs[i].sign, number);
        narrow(c, signs[i].sign, number);
        return true;
    }
    return refuse(c, node->key->span, "a condition takes gt, gte, lt, lte, eq (and field)");
}

static bool read_field(struct correlation *c, const struct yaml_node *node)
{
    struct import_work *work = work_of(c);

    if (node != NULL && node->kind == YAML_LIST && node->count == 1)
        node = node->first;
    if (node == NULL)
        return refuse(c, c->map->span, "value_count needs a field in its condition");
    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return refuse(c, node->span,
                      "values of several fields together cannot be counted: distinct() takes one");
    c->field = import_map_field(work->input->map, node->text, &work->scratch);
    return true;
}

static bool read_condition(struct correlation *c)
{
    const struct yaml_node *map = yaml_node_find(c->map, "condition");
    const struct yaml_node *field =
        map != NULL && map->kind == YAML_MAP ? yaml_node_find(map, "field") : NULL;
    const char *aggregate = "count()";

    if (c->type != VALUE_COUNT && yaml_node_find(c->map, "field") != NULL)
        return refuse(c, yaml_node_find(c->map, "field")->key->span,
                      "a field is counted by value_count alone");
    if (map == NULL && c->type >= TEMPORAL)
        return true;
    if (map == NULL || map->kind != YAML_MAP)
        return refuse(c, map != NULL ? map->span : c->map->span,
                      "the condition of a correlation is a map like {gte: 10}");
    if (c->type == VALUE_COUNT) {
        if (!read_field(c, field != NULL ? field : yaml_node_find(c->map, "field")))
            return false;
        aggregate = import_pool_format(&work_of(c)->scratch, "distinct(%s)", c->field.text);
    } else if (field != NULL) {
        return refuse(c, field->key->span, "a field is counted by value_count alone");
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next)
        if (node != field && !read_criterion(c, node, aggregate))
            return false;
    if (c->when.bytes == 0 && c->type < TEMPORAL)
        return refuse(c, map->span, "the condition has no gt, gte, lt, lte or eq");
    if (c->count_min > c->count_max)
        return refuse(c, map->span, "the condition can never be true");
    return true;
}

/* `lt: 1` asks for what does not come. */
static bool check_count(struct correlation *c)
{
    const struct yaml_node *node = yaml_node_find(c->map, "condition");

    if (c->count_max < 1)
        return refuse(c, node->span,
                      "it asks for nothing to happen, which no window can see: write a rule with "
                      "`expect`");
    if ((c->count_max < INT64_MAX ? c->count_max + 1 : c->count_min) > SIGMA_MEMBERS_MAX)
        return refuse(c, node->span, "a window of tocsin holds at most %d events of a key",
                      SIGMA_MEMBERS_MAX);
    return true;
}

/* What an upper bound comes to mean. */
static void note_difference(struct correlation *c, struct import_made *made)
{
    if (c->type >= TEMPORAL || c->count_max == INT64_MAX)
        return;
    made->differs_span = yaml_node_find(c->map, "condition")->span;
    made->differs = import_name(work_of(c),
                                "that a count stays below a bound is known when the time is over: "
                                "it is looked at at the ends of windows of %s that follow each "
                                "other",
                                c->timespan->text.at);
}

/* The rules of a temporal correlation must all be seen; some of them is no form of tocsin. */
static bool check_steps(struct correlation *c)
{
    const struct yaml_node *node = yaml_node_find(c->map, "condition");

    if (c->base_count > SIGMA_STEPS_MAX)
        return refuse(c, yaml_node_find(c->map, "rules")->span, "at most %d rules can be joined",
                      SIGMA_STEPS_MAX);
    if (c->base_count < 2)
        return refuse(c, yaml_node_find(c->map, "rules")->span, "two rules at least are joined");
    if (node == NULL)
        return true;
    if (c->count_min != (int64_t)c->base_count || c->count_max < (int64_t)c->base_count)
        return refuse(c, node->span, "only that all %u rules are seen can be carried over",
                      (unsigned)c->base_count);
    return true;
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
        refuse(c, c->rule->document->span, "it is made of the %.140s, which cannot be carried over",
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
        return refuse(c, c->rule->document->span,
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
    return refuse(c, node != NULL ? node->span : c->map->span,
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
            is_good = refuse(c, node->key->span, "the key %.80s of a correlation is not known",
                             node->key->text.at);
    }
    return is_good;
}

static bool read_all(struct correlation *c)
{
    if (c->map->kind != YAML_MAP)
        return refuse(c, c->map->span, "a correlation is a map");
    if (!check_keys(c) || !read_type(c) || !read_rules(c) || !read_timespan(c) || !read_by(c) ||
        !read_condition(c))
        return false;
    find_unused_aliases(c);
    return c->type < TEMPORAL ? check_count(c) : check_steps(c);
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
        if (put_rule(&c, id, &entry))
            note_difference(&c, import_add(work, IMPORT_RULES, id, &comment, &entry,
                                           rule->document->span, rule->construct));
    }
    import_text_release(&comment);
    import_text_release(&entry);
    import_text_release(&c.when);
    import_scratch_reset(work);
}
