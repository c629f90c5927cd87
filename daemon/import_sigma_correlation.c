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
 *
 * A correlation of correlations is a rule on the incidents of others: import_sigma_chain.c.
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

/* `generate` of a correlation, or of its document. One that is neither true nor false is found. */
static bool asks_for_bases(struct sigma *sigma, const struct yaml_node *map)
{
    const struct yaml_node *node = yaml_node_find(map, "generate");
    bool asks = false;

    if (node != NULL && !import_read_bool(node, &asks))
        import_ignore_key(sigma->work, node, "it is true or false");
    return asks;
}

void sigma_correlation_refer(struct sigma *sigma, struct sigma_rule *rule)
{
    const struct yaml_node *map = yaml_node_find(rule->document, "correlation");
    const struct yaml_node *rules = map->kind == YAML_MAP ? yaml_node_find(map, "rules") : NULL;
    bool is_generated, by_document;

    if (rules == NULL)
        return;
    is_generated = asks_for_bases(sigma, map);
    by_document = asks_for_bases(sigma, rule->document);
    is_generated = is_generated || by_document;
    for (const struct yaml_node *node = rules->kind == YAML_LIST ? rules->first : rules;
         node != NULL; node = rules->kind == YAML_LIST ? node->next : NULL) {
        struct sigma_rule *base = rule_find(sigma, node);
        if (base != NULL && base != rule) {
            base->is_referenced = true;
            base->is_generated = base->is_generated || is_generated;
        }
    }
}

static bool refuse_base(struct correlation *c, const struct yaml_node *node)
{
    struct sigma *sigma = c->sigma;

    if (node->kind != YAML_SCALAR)
        return correlation_refuse(c, node->span, "the name or id of a rule is wanted here, not %s",
                                  yaml_kind_name(node->kind));
    return correlation_refuse(
        c, node->span, "no rule in these files has the name or id \"%.100s\"%s", node->text.at,
        import_near_index(sigma->work, node->text, &sigma->names));
}

static bool read_base(struct correlation *c, const struct yaml_node *node)
{
    struct sigma_rule *base = rule_find(c->sigma, node);

    if (base == NULL)
        return refuse_base(c, node);
    if (base->kind == SIGMA_OTHER)
        return correlation_refuse(c, node->span, "%.100s has no detection", node->text.at);
    c->base[c->base_count++] = base;
    c->is_chain = c->is_chain || base->kind == SIGMA_CORRELATION;
    return true;
}

/* The correlations among them. */
static bool read_parts(struct correlation *c)
{
    struct import_pool *pool = &c->sigma->work->scratch;
    struct span span = yaml_node_find(c->map, "rules")->span;
    bool is_good = true;

    if (!c->is_chain)
        return true;
    c->part = import_pool_alloc(pool, c->base_count * sizeof(struct correlation *));
    c->part_id = import_pool_alloc(pool, c->base_count * sizeof(const char *));
    for (uint32_t i = 0; i < c->base_count && is_good; i++)
        is_good = chain_read_part(c, i, span);
    return is_good;
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
        return read_base(c, list) && read_parts(c);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        is_good = read_base(c, node) && is_good;
    return is_good && read_parts(c);
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

struct expr *correlation_base_expr(struct correlation *c, uint32_t i, struct expr_build *build)
{
    struct correlation *part = c->is_chain ? c->part[i] : NULL;
    struct expr *expr = NULL;

    if (part == NULL)
        expr = sigma_rule_where(c->sigma, c->base[i], build);
    for (uint32_t j = 0; part != NULL && j < part->base_count && !build->is_full; j++) {
        struct expr *one = correlation_base_expr(part, j, build);
        if (one == NULL)
            return NULL;
        expr = expr_join(build, EXPR_OR, expr, one);
    }
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

    if (c->is_chain)
        return true; /* `of` says it */
    for (uint32_t i = 0; i < c->base_count; i++) {
        struct expr *expr = correlation_base_expr(c, i, &c->expr);
        if (expr == NULL)
            return false;
        any = expr_join(&c->expr, EXPR_OR, any, expr);
    }
    where = expr_join(&c->expr, EXPR_AND, presence_expr(c), any);
    import_text_put(entry, "    ");
    put_where(entry, where, 6);
    return true;
}

static bool is_same(struct text a, struct text b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* Steps are called as their rules are, the second of one rule "b 2". A name that is too long, or
 * that a rule has, is left out: the reader numbers such a step. */
static void put_step_name(struct correlation *c, uint32_t step, struct import_text *entry)
{
    struct text name = c->base[step]->name;
    unsigned number = 1;

    for (uint32_t i = 0; i < step; i++)
        number += is_same(c->base[i]->name, name);
    if (number > 1) {
        const char *made = import_pool_format(&c->sigma->work->scratch, "%s %u", name.at, number);
        name = import_word(made);
    }
    for (uint32_t i = 0; i < c->base_count && number > 1; i++)
        if (is_same(c->base[i]->name, name))
            return;
    if (c->base[step]->name.len == 0 || name.len > STEP_NAME_BYTES_MAX)
        return;
    import_text_put(entry, "as: ");
    import_text_quoted(entry, name.at, name.len);
    import_text_put(entry, "\n        ");
}

static bool put_steps(struct correlation *c, struct import_text *entry)
{
    struct expr *presence = c->is_chain ? NULL : presence_expr(c);

    if (presence != NULL) {
        import_text_put(entry, "    ");
        put_where(entry, presence, 6);
    }
    import_text_format(entry, "    %s:\n", c->type == TEMPORAL ? "all" : "sequence");
    for (uint32_t i = 0; i < c->base_count; i++) {
        struct expr *expr = c->is_chain ? NULL : correlation_base_expr(c, i, &c->expr);
        if (expr == NULL && !c->is_chain)
            return false;
        import_text_put(entry, "      - ");
        put_step_name(c, i, entry);
        if (c->is_chain)
            import_text_format(entry, "where: check == \"%s\"\n", c->part_id[i]);
        else
            put_where(entry, expr, 10);
    }
    return true;
}

static void put_key(const char *text, struct import_text *entry)
{
    if (strcmp(text, "tenant") == 0)
        return;
    import_text_put(entry, ", ");
    /* labels["a.b"] is text to YAML only in quotes. */
    if (strchr(text, '[') != NULL)
        import_text_quoted(entry, text, strlen(text));
    else
        import_text_put(entry, text);
}

void correlation_put_by(struct correlation *c, const struct import_target *more,
                        struct import_text *entry)
{
    bool is_new = more != NULL;

    import_text_put(entry, "    by: [tenant");
    for (uint32_t i = 0; i < c->by_count; i++) {
        put_key(c->by[i].text, entry);
        is_new = is_new && strcmp(more->text, c->by[i].text) != 0;
    }
    if (is_new)
        put_key(more->text, entry);
    import_text_put(entry, "]\n");
}

/* Entries that a window needs. A value that comes again and again takes entries, too. */
static int64_t members_of(const struct correlation *c)
{
    int64_t members = c->count_max < INT64_MAX ? c->count_max + 1 : c->count_min;

    if (c->type == VALUE_COUNT)
        members = members * 10 < SIGMA_MEMBERS_MAX ? members * 10 : SIGMA_MEMBERS_MAX;
    return members;
}

static void put_time(struct correlation *c, struct import_text *entry)
{
    const char *timespan = c->timespan->text.at;

    if (c->type >= TEMPORAL) {
        import_text_format(entry, "    within: %s\n", timespan);
        return;
    }
    if (c->count_max < INT64_MAX)
        import_text_format(entry, "    window: {tumbling: %s}\n    look: end\n", timespan);
    else
        import_text_format(entry, "    window: %s\n", timespan);
    import_text_format(entry, "    when: %s\n", c->when);
    if (members_of(c) > SIGMA_MEMBERS_DEFAULT)
        import_text_format(entry, "    max_members: %" PRId64 "\n", members_of(c));
}

/* A correlation without a level has the highest one of its rules. */
static uint8_t level_of(const struct correlation *c)
{
    uint8_t level = c->rule->level;

    for (uint32_t i = 0; c->rule->level == 0 && i < c->base_count; i++) {
        const struct correlation *part = c->is_chain ? c->part[i] : NULL;
        uint8_t of_base = part != NULL ? level_of(part) : c->base[i]->level;
        level = of_base > level ? of_base : level;
    }
    return level;
}

void correlation_put_title(struct correlation *c, const struct sigma_rule *rule,
                           struct import_text *entry)
{
    struct import_text title = {NULL, 0, 0};

    sigma_title(rule, &title);
    for (uint32_t i = 0; i < c->by_count; i++)
        import_text_format(&title, "%s{%s}%s", i == 0 ? " (" : ", ", c->by[i].text,
                           i + 1 == c->by_count ? ")" : "");
    import_text_put(entry, "    incident:\n      title: ");
    import_text_quoted(entry, title.at, title.bytes);
    import_text_release(&title);
}

static void put_incident(struct correlation *c, struct import_text *entry)
{
    correlation_put_title(c, c->rule, entry);
    import_text_format(entry, "\n      priority: %s\n", sigma_priority(level_of(c)));
    if (c->parent != NULL)
        import_text_put(entry, "    close: " CHAIN_PART_CLOSE "\n");
    else
        import_text_format(entry, "    close: quiet(%s)\n", c->timespan->text.at);
}

/* What an upper bound comes to mean. */
static void note_difference(struct correlation *c, struct import_made *made)
{
    int64_t bound = c->count_max < INT64_MAX ? c->count_max + 1 : c->count_min;
    const char *below = "", *many = "";

    if (c->type >= TEMPORAL)
        return;
    if (c->count_max < INT64_MAX)
        below = import_name(c->sigma->work,
                            "that a count stays below a bound is known when the time is over: it "
                            "is looked at at the ends of windows of %s that follow each other",
                            c->timespan->text.at);
    if (c->type == VALUE_COUNT && bound > SIGMA_VALUES_EXACT)
        many = import_name(c->sigma->work,
                           "more than %d values are counted as long as no key has more than "
                           "%" PRId64 " events in %s: beyond that the oldest go, whatever their "
                           "values",
                           SIGMA_VALUES_EXACT, members_of(c), c->timespan->text.at);
    if (below[0] == '\0' && many[0] == '\0')
        return;
    made->differs_span = yaml_node_find(c->map, "condition")->span;
    made->differs = import_name(c->sigma->work, "%s%s%s", below,
                                below[0] != '\0' && many[0] != '\0' ? "; " : "", many);
}

/* How often it, and all that it is made of, refers to a rule. */
static uint32_t count_bases(const struct correlation *c)
{
    uint32_t count = c->base_count;

    for (uint32_t i = 0; c->is_chain && i < c->base_count; i++)
        count += c->part[i] != NULL ? count_bases(c->part[i]) : 0;
    return count;
}

static void gather_bases(const struct correlation *c, struct import_made *made)
{
    for (uint32_t i = 0; i < c->base_count; i++) {
        if (c->base[i]->part != NULL)
            made->parts[made->part_count++] = c->base[i]->part;
        if (c->is_chain && c->part[i] != NULL)
            gather_bases(c->part[i], made);
    }
}

/* The rules that are in the result if this correlation is. */
static void note_parts(struct correlation *c, struct import_made *made)
{
    made->parts = import_pool_alloc(&c->sigma->work->pool, count_bases(c) * sizeof(made->parts[0]));
    gather_bases(c, made);
}

bool correlation_put_rule(struct correlation *c, const char *id, struct import_text *entry)
{
    bool is_good;

    if (c->is_chain && !chain_put_parts(c, entry))
        return false;
    import_text_format(entry, "  - id: %s\n", id);
    sigma_rule_description(c->sigma, c->rule, entry);
    import_text_format(entry, "    on: %s\n", c->is_chain ? "incidents\n    of:" : "events");
    for (uint32_t i = 0; c->is_chain && i < c->base_count; i++)
        if (chain_first(c, i) == i)
            import_text_format(entry, "      - %s\n", c->part_id[i]);
    is_good = c->type < TEMPORAL ? put_counted(c, entry) : put_steps(c, entry);
    if (!is_good)
        return false;
    if (c->expr.is_full)
        return correlation_refuse(c, c->rule->document->span,
                                  "its conditions pass the 16 KiB of an expression");
    correlation_put_by(c, NULL, entry);
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
        "a correlation is event_count, value_count, temporal or temporal_ordered%s",
        node != NULL && node->kind == YAML_SCALAR
            ? import_near(c->sigma->work, node->text, types, 4)
            : "");
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
            is_good = correlation_refuse(
                c, node->key->span, "the key %.80s of a correlation is not known%s",
                node->key->text.at,
                import_near(c->sigma->work, node->key->text, keys, sizeof(keys) / sizeof(keys[0])));
    }
    return is_good;
}

bool correlation_read_all(struct correlation *c)
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

    if (correlation_read_all(&c)) {
        const char *id = import_id(work, "sigma-", rule->title.len > 0 ? rule->title : rule->name);
        sigma_rule_comment(sigma, rule, "rule", &comment);
        for (uint32_t i = 0; i < c.base_count && !c.is_chain; i++)
            sigma_base_comment(sigma, c.base[i], &comment);
        if (correlation_put_rule(&c, id, &entry) && correlation_add_steps(&c)) {
            struct import_made *made = import_add(work, IMPORT_RULES, id, &comment, &entry,
                                                  rule->document->span, rule->construct);
            note_difference(&c, made);
            note_parts(&c, made);
            if (c.is_chain)
                chain_note(&c, made);
        }
    }
    import_text_release(&comment);
    import_text_release(&entry);
    import_scratch_reset(work);
}
