/*
 * import_sigma.c - the documents of Sigma: which rule is what, where it comes from, and
 * those that stand alone. See import_sigma.h.
 *
 * A rule that a correlation refers to is a part of it and becomes no rule of its own, unless
 * the correlation says `generate: true`.
 */
#include "daemon/import_sigma.h"

#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "rules/fields.h"

enum { COMMENT_BYTES_MAX = 1000, DESCRIPTION_BYTES_MAX = 10000, TITLE_BYTES = 500 };

/* Rules that stand alone have no timespan; alike events within this time are one incident. */
#define ALONE_QUIET "15m"

const char *sigma_priority(uint8_t level)
{
    static const char *const priorities[] = {"P3", "P5", "P4", "P3", "P2", "P1"};

    return priorities[level];
}

/* ---- metadata ---- */

/* Keys that say something about a rule and nothing about events; the same order in comments. */
static const char *const told_keys[] = {"id",       "author", "license",  "date",
                                        "modified", "status", "tags",     "references",
                                        "related",  "fields", "taxonomy", "falsepositives"};
/* Keys that are read elsewhere. */
static const char *const read_keys[] = {"title",     "name",      "description", "level",
                                        "logsource", "detection", "correlation"};

static bool is_one_of(struct text key, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_equals(key, keys[i]))
            return true;
    return false;
}

/* A scalar, a list, or a map as one text: "a, b", "type derived, id 7". */
static void flatten(const struct yaml_node *node, struct import_text *text)
{
    if (node->kind == YAML_SCALAR) {
        import_text_add(text, node->text.at, node->text.len);
        return;
    }
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        if (child != node->first)
            import_text_put(text, ", ");
        if (child->key != NULL)
            import_text_format(text, "%s ", child->key->text.at);
        flatten(child, text);
        if (text->bytes > COMMENT_BYTES_MAX)
            return;
    }
}

static void told(struct sigma *sigma, const struct sigma_rule *rule, const char *key,
                 struct import_text *comment)
{
    const struct yaml_node *node = yaml_node_find(rule->document, key);
    struct import_text text = {NULL, 0, 0};

    if (node == NULL)
        return;
    flatten(node, &text);
    if (text.bytes > COMMENT_BYTES_MAX)
        import_ignore_key(sigma->work, node, "it is too long for a comment");
    else if (text.bytes > 0)
        import_comment(comment, key, (struct text){text.at, (uint32_t)text.bytes});
    import_text_release(&text);
}

void sigma_rule_comment(struct sigma *sigma, const struct sigma_rule *rule, const char *what,
                        struct import_text *comment)
{
    const struct script *script = rule->document->span.script;

    import_comment(comment, what, rule->title.len > 0 ? rule->title : rule->name);
    import_comment(comment, "from", import_word(script->name));
    if (rule->name.len > 0)
        import_comment(comment, "name", rule->name);
    for (size_t i = 0; i < sizeof(told_keys) / sizeof(told_keys[0]); i++)
        told(sigma, rule, told_keys[i], comment);
}

void sigma_base_comment(struct sigma *sigma, const struct sigma_rule *rule,
                        struct import_text *comment)
{
    sigma_rule_comment(sigma, rule, "made of the rule", comment);
    told(sigma, rule, "description", comment);
    sigma_source_comment(rule, comment);
}

void sigma_rule_description(struct sigma *sigma, const struct sigma_rule *rule,
                            struct import_text *entry)
{
    const struct yaml_node *node = yaml_node_find(rule->document, "description");
    struct import_text line = {NULL, 0, 0};

    if (node == NULL)
        return;
    if (node->kind == YAML_SCALAR)
        import_text_line(&line, node->text.at, node->text.len);
    if (node->kind != YAML_SCALAR || line.bytes > DESCRIPTION_BYTES_MAX) {
        import_ignore_key(sigma->work, node, "a description is text of at most 10,000 bytes");
    } else if (line.bytes > 0) {
        import_text_put(entry, "    description: ");
        import_text_quoted(entry, line.at, line.bytes);
        import_text_put(entry, "\n");
    }
    import_text_release(&line);
}

/* Everything of a document that nobody reads. */
static void find_unknown(struct sigma *sigma, const struct sigma_rule *rule)
{
    const struct yaml_node *taxonomy = yaml_node_find(rule->document, "taxonomy");

    for (const struct yaml_node *node = rule->document->first; node != NULL; node = node->next) {
        struct text key = node->key->text;
        if (text_equals(key, "scope"))
            import_ignore_key(sigma->work, node, "which machines are meant is for `where`");
        else if (rule->kind == SIGMA_CORRELATION && text_equals(key, "generate"))
            continue;
        else if (!is_one_of(key, told_keys, sizeof(told_keys) / sizeof(told_keys[0])) &&
                 !is_one_of(key, read_keys, sizeof(read_keys) / sizeof(read_keys[0])))
            import_ignore_key(sigma->work, node, "it is not of the specification");
    }
    if (rule->kind == SIGMA_CORRELATION && yaml_node_find(rule->document, "detection") != NULL)
        import_ignore_key(sigma->work, yaml_node_find(rule->document, "detection"),
                          "a correlation has none: the rules it refers to have");
    if (rule->kind == SIGMA_CORRELATION && yaml_node_find(rule->document, "logsource") != NULL)
        import_ignore_key(sigma->work, yaml_node_find(rule->document, "logsource"),
                          "a correlation has none: the rules it refers to have");
    if (taxonomy != NULL && taxonomy->kind == YAML_SCALAR && !text_equals(taxonomy->text, "sigma"))
        import_find(sigma->work, taxonomy->span, IMPORT_DIFFERS, rule->construct,
                    "its taxonomy gives fields other names: see that the mapping file knows them");
}

/* ---- where ---- */

static struct text scalar_of(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *node = yaml_node_find(map, key);

    return node != NULL && node->kind == YAML_SCALAR ? node->text : (struct text){"", 0};
}

/* One key of a logsource: its values are lower case and are compared as they are. */
static struct expr *source_term(struct sigma_build *build, const struct yaml_node *node)
{
    struct import_work *work = build->work;
    struct import_text text = {NULL, 0, 0};
    struct import_target target;

    if (node->kind != YAML_SCALAR) {
        import_ignore_key(work, node, "a key of a logsource has one text");
        return NULL;
    }
    if (!import_map_logsource(work->input->map, node->key->text, &target, &work->scratch))
        return NULL;
    import_text_format(&text, "%s == ", target.text);
    import_text_literal(&text, node->text.at, node->text.len);
    return expr_term(&build->expr, import_text_take(&text, &work->scratch),
                     target.kind == TARGET_LABEL ? target.presence : NULL, false);
}

static struct expr *source_expr(struct sigma_build *build, const struct yaml_node *map)
{
    static const char *const keys[] = {"category", "product", "service"};
    struct import_work *work = build->work;
    const char *where;
    struct expr *expr = NULL;

    where = import_map_source(work->input->map, scalar_of(map, "category"),
                              scalar_of(map, "product"), scalar_of(map, "service"));
    if (where != NULL)
        expr =
            expr_term(&build->expr, import_pool_format(&work->scratch, "(%s)", where), NULL, true);
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct text key = node->key->text;
        if (text_equals(key, "definition"))
            continue; /* a sentence for people: a comment */
        if (!is_one_of(key, keys, 3))
            import_ignore_key(work, node, "of a logsource, category, product and service count");
        else if (where == NULL)
            expr = expr_join(&build->expr, EXPR_AND, expr, source_term(build, node));
    }
    return expr;
}

static struct expr *detection_expr(struct sigma_build *build, const struct yaml_node *condition)
{
    struct expr *any = NULL;

    if (condition->kind != YAML_LIST)
        return sigma_condition(build, condition);
    for (const struct yaml_node *node = condition->first; node != NULL; node = node->next) {
        struct expr *expr = sigma_condition(build, node);
        if (expr == NULL)
            return NULL;
        any = expr_join(&build->expr, EXPR_OR, any, expr);
    }
    return any;
}

static void find_unused(struct sigma_build *build)
{
    size_t index = 0;

    for (const struct yaml_node *node = build->detection->first; node != NULL;
         node = node->next, index++)
        if (!build->used[index] && !text_equals(node->key->text, "condition"))
            import_ignore_key(build->work, node, "no condition names it");
}

static struct expr *refuse(struct sigma *sigma, const struct sigma_rule *rule, struct span span,
                           const char *why)
{
    import_find(sigma->work, span, IMPORT_LEFT_OUT, rule->construct, "%s", why);
    return NULL;
}

struct expr *sigma_rule_where(struct sigma *sigma, const struct sigma_rule *rule,
                              struct expr_build *expr)
{
    const struct yaml_node *detection = yaml_node_find(rule->document, "detection");
    const struct yaml_node *source = yaml_node_find(rule->document, "logsource");
    struct sigma_build build = {.work = sigma->work, .expr = *expr, .detection = detection};
    const struct yaml_node *node;
    struct expr *where = NULL;

    if (detection->kind != YAML_MAP)
        return refuse(sigma, rule, detection->span, "detection takes a map");
    node = yaml_node_find(detection, "timeframe");
    if (node != NULL)
        return refuse(sigma, rule, node->key->span,
                      "timeframe is the correlation of Sigma before 2.0: write it as a correlation "
                      "rule");
    node = yaml_node_find(detection, "condition");
    if (node == NULL)
        return refuse(sigma, rule, detection->span, "detection needs a condition");
    if (source != NULL && source->kind == YAML_MAP)
        where = source_expr(&build, source);
    else if (source != NULL)
        import_ignore_key(sigma->work, source, "a logsource is a map");
    struct expr *condition = detection_expr(&build, node);
    *expr = build.expr;
    if (condition == NULL)
        return NULL;
    find_unused(&build);
    return expr_join(expr, EXPR_AND, where, condition);
}

/* ---- rules that stand alone ---- */

static void alone_write(struct sigma *sigma, const struct sigma_rule *rule, const char *id,
                        const struct expr *where, struct import_text *entry)
{
    struct import_text title = {NULL, 0, 0};

    import_text_format(entry, "  - id: %s\n", id);
    sigma_rule_description(sigma, rule, entry);
    import_text_put(entry, "    on: events\n    where: |\n      ");
    expr_print(where, entry, 6);
    import_text_format(entry, "\n    by: %s\n    window: " ALONE_QUIET "\n    when: count() >= 1\n",
                       import_map_by(sigma->work->input->map));
    sigma_title(rule, &title);
    import_text_put(entry, "    incident:\n      title: ");
    import_text_quoted(entry, title.at, title.bytes);
    import_text_format(entry, "\n      priority: %s\n    close: quiet(" ALONE_QUIET ")\n",
                       sigma_priority(rule->level));
    import_text_release(&title);
}

/* Braces are placeholders in titles of tocsin. */
void sigma_title(const struct sigma_rule *rule, struct import_text *to)
{
    struct text title = rule->title.len > 0 ? rule->title : rule->name;
    struct import_text line = {NULL, 0, 0};

    import_text_line(&line, title.at, title.len);
    for (size_t i = 0; i < line.bytes; i++) {
        bool is_start = ((unsigned char)line.at[i] & 0xc0) != 0x80;
        if (to->bytes >= TITLE_BYTES && is_start)
            break;
        if (line.at[i] == '{' || line.at[i] == '}')
            import_text_add(to, &line.at[i], 1);
        import_text_add(to, &line.at[i], 1);
    }
    if (to->bytes == 0)
        import_text_put(to, "unnamed Sigma rule");
    import_text_release(&line);
}

static void alone_convert(struct sigma *sigma, const struct sigma_rule *rule)
{
    struct import_work *work = sigma->work;
    struct expr_build build = {.pool = &work->scratch};
    struct import_text comment = {NULL, 0, 0}, entry = {NULL, 0, 0};
    struct expr *where;
    const char *id;

    if (rule->level == 1) {
        refuse(sigma, rule, rule->document->span,
               "of level informational: by the specification nobody is to be told");
        return;
    }
    where = sigma_rule_where(sigma, rule, &build);
    if (where != NULL && build.is_full) {
        refuse(sigma, rule, rule->document->span,
               "its condition passes the 16 KiB of an expression");
    } else if (where != NULL) {
        id = import_id(work, "sigma-", rule->title.len > 0 ? rule->title : rule->name);
        sigma_rule_comment(sigma, rule, "rule", &comment);
        sigma_source_comment(rule, &comment);
        alone_write(sigma, rule, id, where, &entry);
        import_add(work, IMPORT_RULES, id, &comment, &entry, rule->document->span, rule->construct);
    } else {
        refuse(sigma, rule, rule->document->span, "a part of its detection cannot be carried over");
    }
    import_scratch_reset(work);
}

void sigma_source_comment(const struct sigma_rule *rule, struct import_text *comment)
{
    const struct yaml_node *source = yaml_node_find(rule->document, "logsource");
    struct text text;

    if (source == NULL || source->kind != YAML_MAP)
        return;
    text = scalar_of(source, "definition");
    if (text.len > 0)
        import_comment(comment, "logsource definition", text);
}

/* ---- documents ---- */

static uint8_t read_level(struct sigma *sigma, const struct yaml_node *document)
{
    static const char *const levels[] = {"informational", "low", "medium", "high", "critical"};
    const struct yaml_node *node = yaml_node_find(document, "level");

    if (node == NULL)
        return 0;
    for (uint8_t i = 0; i < 5; i++)
        if (node->kind == YAML_SCALAR && text_equals(node->text, levels[i]))
            return (uint8_t)(i + 1);
    import_find(sigma->work, node->key->span, IMPORT_IGNORED, "key level",
                "a level is informational, low, medium, high or critical%s",
                node->kind == YAML_SCALAR ? import_near(sigma->work, node->text, levels, 5) : "");
    return 0;
}

static void register_name(struct sigma *sigma, struct sigma_rule *rule, const char *key)
{
    const struct yaml_node *node = yaml_node_find(rule->document, key);
    void **place;

    if (node == NULL || node->kind != YAML_SCALAR || node->text.len == 0)
        return;
    place = import_index_at(&sigma->names, node->text);
    if (*place == NULL)
        *place = rule;
    else if (*place != rule)
        import_find(sigma->work, node->span, IMPORT_DIFFERS, rule->construct,
                    "%s %.80s is that of an earlier rule, which references mean", key,
                    node->text.at);
}

static void rule_read_document(struct sigma *sigma, struct sigma_rule *rule,
                               const struct yaml_node *document)
{
    rule->document = document;
    rule->title = scalar_of(document, "title");
    rule->name = scalar_of(document, "name");
    rule->id = scalar_of(document, "id");
    struct text said = rule->title.len > 0  ? rule->title
                       : rule->name.len > 0 ? rule->name
                       : rule->id.len > 0   ? rule->id
                                            : (struct text){"without a title", 15};
    rule->construct =
        import_name(sigma->work, "rule \"%.*s\"", said.len < 120 ? (int)said.len : 120, said.at);
    if (yaml_node_find(document, "correlation") != NULL)
        rule->kind = SIGMA_CORRELATION;
    else if (yaml_node_find(document, "detection") != NULL)
        rule->kind = SIGMA_DETECTION;
    else
        rule->kind = SIGMA_OTHER;
    if (yaml_node_find(document, "action") != NULL)
        rule->kind = SIGMA_OTHER;
    rule->level = read_level(sigma, document);
    register_name(sigma, rule, "name");
    register_name(sigma, rule, "id");
}

static void find_other(struct sigma *sigma, const struct sigma_rule *rule)
{
    const struct yaml_node *node = yaml_node_find(rule->document, "action");

    if (node != NULL)
        refuse(sigma, rule, node->key->span,
               "action (global, repeat, reset) is of Sigma before 2.0: write each rule out");
    else if ((node = yaml_node_find(rule->document, "filter")) != NULL)
        refuse(sigma, rule, node->key->span,
               "a filter changes other rules: add it to their conditions, or to `where`");
    else
        refuse(sigma, rule, rule->document->span, "neither a detection nor a correlation");
}

/* Rules that are no rules of their own: in the result they are what correlations make of them. */
static void add_parts(struct sigma *sigma)
{
    for (size_t i = 0; i < sigma->count; i++) {
        struct sigma_rule *rule = &sigma->rules[i];
        if (rule->kind != SIGMA_OTHER && rule->is_referenced && !rule->is_generated)
            rule->part =
                import_part_add(sigma->work, rule->document->span, rule->construct,
                                "it is only a part of correlations, and those are left out");
    }
}

static void convert_all(struct sigma *sigma)
{
    for (size_t i = 0; i < sigma->count; i++)
        if (sigma->rules[i].kind == SIGMA_CORRELATION)
            sigma_correlation_refer(sigma, &sigma->rules[i]);
    add_parts(sigma);
    for (size_t i = 0; i < sigma->count && !import_is_over(sigma->work); i++) {
        struct sigma_rule *rule = &sigma->rules[i];
        import_tell(sigma->work, i, sigma->count);
        if (rule->kind == SIGMA_OTHER) {
            find_other(sigma, rule);
            continue;
        }
        find_unknown(sigma, rule);
        if (rule->part != NULL)
            continue;
        if (rule->kind == SIGMA_CORRELATION)
            sigma_correlation_convert(sigma, rule);
        else
            alone_convert(sigma, rule);
    }
    sigma_chains_finish(sigma);
}

void import_sigma(struct import_work *work)
{
    struct sigma sigma = {.work = work, .count = work->document_count};

    sigma.rules = import_pool_alloc(&work->pool, (sigma.count + 1) * sizeof(sigma.rules[0]));
    for (size_t i = 0; i < sigma.count; i++)
        rule_read_document(&sigma, &sigma.rules[i], work->documents[i]);
    convert_all(&sigma);
    import_index_release(&sigma.names);
}
