/* rule_reader.c - the keys of a rule, one function each. See rule_reader.h. */
#include "rules/rule_reader.h"

#include <string.h>
#include "base/hash.h"
#include "rules/lexer.h"
#include "rules/nearest.h"
#include "rules/parser.h"
#include "rules/printer.h"

enum { NAME_BYTES_MAX = 200, RUNBOOK_BYTES_MAX = 1000, DESCRIPTION_BYTES_MAX = 10000 };

static const char *const rule_keys[] = {"id",    "description", "on",         "where",
                                        "by",    "window",      "when",       "incident",
                                        "close", "max_keys",    "max_members"};
static const char *const incident_keys[] = {"title", "priority", "tier", "runbook", "team"};

enum {
    RULE_KEY_COUNT = sizeof(rule_keys) / sizeof(rule_keys[0]),
    INCIDENT_KEY_COUNT = sizeof(incident_keys) / sizeof(incident_keys[0]),
};

/* What one rule needs while it is read. */
struct reading {
    struct rule_build *build;
    const struct yaml_node *node;
    struct compiled_rule *rule;
    struct scope when; /* its aggregates are needed by the title */
    struct ast *when_ast;
    bool is_good;
};

static struct diagnostics *diag_of(const struct reading *reading)
{
    return reading->build->diag;
}

static void spoil(struct reading *reading)
{
    reading->is_good = false;
}

static void out_of_memory(struct reading *reading)
{
    diagnose_memory(diag_of(reading));
    spoil(reading);
}

bool rule_check_keys(const struct yaml_node *map, const char *const *known, size_t count,
                     const char *what, struct diagnostics *diag)
{
    bool is_good = true;

    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct text key = node->key->text;
        size_t i = 0;
        while (i < count && !text_equals(key, known[i]))
            i++;
        if (i < count)
            continue;
        const char *nearest = nearest_name(key, known, count);
        is_good = false;
        if (nearest != NULL)
            diagnose(diag, node->key->span, "%s has no key \"%.60s\"; did you mean \"%s\"?", what,
                     key.at, nearest);
        else
            diagnose(diag, node->key->span, "%s has no key \"%.60s\"", what, key.at);
    }
    return is_good;
}

static const struct yaml_node *required(struct reading *reading, const struct yaml_node *map,
                                        const char *key, const char *what)
{
    const struct yaml_node *node = yaml_node_find(map, key);

    if (node == NULL) {
        diagnose(diag_of(reading), map->span, "%s needs the key \"%s\"", what, key);
        spoil(reading);
    }
    return node;
}

/* ---- values ---- */

static bool is_scalar(struct reading *reading, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR)
        return true;
    diagnose(diag_of(reading), node->span, "%s takes text, not %s", node->key->text.at,
             yaml_kind_name(node->kind));
    spoil(reading);
    return false;
}

static bool has_control_character(struct text text)
{
    for (uint32_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

/* One line of text; "" where the key is absent. */
static const char *read_line(struct reading *reading, const struct yaml_node *map, const char *key,
                             uint32_t bytes_max)
{
    const struct yaml_node *node = yaml_node_find(map, key);
    const char *copy;

    if (node == NULL)
        return "";
    if (!is_scalar(reading, node))
        return "";
    if (node->text.len > bytes_max || has_control_character(node->text)) {
        diagnose(diag_of(reading), node->span, "%s is one line of at most %u bytes", key,
                 (unsigned)bytes_max);
        spoil(reading);
        return "";
    }
    copy = arena_copy(reading->build->arena, node->text.at, node->text.len);
    if (copy == NULL) {
        out_of_memory(reading);
        return "";
    }
    return copy;
}

static uint32_t read_count(struct reading *reading, const char *key, uint32_t otherwise,
                           uint32_t max)
{
    const struct yaml_node *node = yaml_node_find(reading->node, key);
    uint64_t number = 0;
    bool is_number;

    if (node == NULL)
        return otherwise;
    if (!is_scalar(reading, node))
        return otherwise;
    is_number = node->text.len > 0 && node->text.len <= 9;
    for (uint32_t i = 0; is_number && i < node->text.len; i++) {
        is_number = node->text.at[i] >= '0' && node->text.at[i] <= '9';
        number = number * 10 + (uint64_t)(node->text.at[i] - '0');
    }
    if (!is_number || number < 1 || number > max) {
        diagnose(diag_of(reading), node->span, "%s is a whole number from 1 to %u", key,
                 (unsigned)max);
        spoil(reading);
        return otherwise;
    }
    return (uint32_t)number;
}

/* ---- keys ---- */

static void read_id(struct reading *reading)
{
    const struct yaml_node *node = required(reading, reading->node, "id", "a rule");
    const char *copy;
    struct text id;

    reading->rule->id_span = reading->node->span;
    reading->rule->open.id = "";
    if (node == NULL || !is_scalar(reading, node))
        return;
    id = node->text;
    reading->rule->id_span = node->span;
    for (uint32_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')
            continue;
        diagnose(diag_of(reading), yaml_node_span(node, i, i + 1),
                 "an id is made of a-z, 0-9, \".\", \"_\" and \"-\"");
        spoil(reading);
        return;
    }
    if (id.len == 0 || id.len > RULE_ID_BYTES_MAX) {
        diagnose(diag_of(reading), node->span, "an id has 1 to %d characters", RULE_ID_BYTES_MAX);
        spoil(reading);
        return;
    }
    copy = arena_copy(reading->build->arena, id.at, id.len);
    if (copy != NULL)
        reading->rule->open.id = copy;
    else
        out_of_memory(reading);
}

static void read_on(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "on");

    if (node == NULL || !is_scalar(reading, node) || text_equals(node->text, "alerts"))
        return;
    if (text_equals(node->text, "events")) {
        reading->rule->open.input = RULE_INPUT_EVENTS;
        return;
    }
    diagnose(diag_of(reading), node->span,
             "on is \"alerts\" (what deduplication lets through) or \"events\" (repeats too)");
    spoil(reading);
}

/* Parses and checks an expression; NULL when something is wrong, also when it is absent. */
static struct ast *read_expression(struct reading *reading, const char *key, struct scope *scope)
{
    const struct yaml_node *node = required(reading, reading->node, key, "a rule");
    struct ast *ast;

    if (node == NULL)
        return NULL;
    ast = parse_node(node, reading->build->scratch, diag_of(reading));
    if (ast == NULL || !types_check(ast, scope)) {
        spoil(reading);
        return NULL;
    }
    return ast;
}

static void compile(struct reading *reading, const struct ast *ast, struct program *out)
{
    if (!program_compile(ast, reading->build->arena, reading->build->slots, out))
        out_of_memory(reading);
}

static struct scope scope_for(struct reading *reading, enum scope_kind kind)
{
    return (struct scope){.kind = kind, .arena = reading->build->scratch, .diag = diag_of(reading)};
}

/* Digests chain: each step hashes the digest so far and the hash of one text. */
static void digest_add(struct id128 *digest, const char *text)
{
    struct id128 pair[2] = {*digest, hash128(text, strlen(text), 0)};

    *digest = hash128(pair, sizeof(pair), 0);
}

static void digest_add_number(struct id128 *digest, int64_t number)
{
    struct id128 pair[2] = {*digest, {0, (uint64_t)number}};

    *digest = hash128(pair, sizeof(pair), 1);
}

static void digest_add_ast(struct reading *reading, struct id128 *digest, const struct ast *ast)
{
    const char *text = ast_print(ast, reading->build->scratch);

    if (text == NULL)
        out_of_memory(reading);
    else
        digest_add(digest, text);
}

static void read_where(struct reading *reading)
{
    struct scope scope = scope_for(reading, SCOPE_WHERE);
    struct ast *ast = read_expression(reading, "where", &scope);

    if (ast == NULL)
        return;
    compile(reading, ast, &reading->rule->where);
    reading->rule->open.reads_message = reading->rule->where.reads_unstable;
    digest_add_ast(reading, &reading->rule->open.form, ast);
}

static const char *field_text(struct reading *reading, const struct ast *ast)
{
    const char *text = ast->field == RULE_FIELD_LABEL
                           ? label_print(ast->text, reading->build->arena)
                           : field_row(ast->field)->name;

    if (text == NULL)
        out_of_memory(reading);
    return text != NULL ? text : "";
}

static void add_by(struct reading *reading, const struct yaml_node *node)
{
    struct rule *rule = &reading->rule->open;
    struct ast *ast = parse_node(node, reading->build->scratch, diag_of(reading));
    const char *name;

    if (ast == NULL || !types_check_field(ast, FIELD_IN_BY, "by", diag_of(reading))) {
        spoil(reading);
        return;
    }
    if (ast->field == RULE_FIELD_TENANT)
        return; /* there already, always first */
    name = field_text(reading, ast);
    for (uint32_t i = 0; i < rule->by_count; i++) {
        if (strcmp(rule->by_name[i], name) == 0) {
            diagnose(diag_of(reading), node->span, "by names %.80s twice", name);
            spoil(reading);
            return;
        }
    }
    if (rule->by_count == RULE_BY_MAX) {
        diagnose(diag_of(reading), node->span, "by takes at most %d fields, the tenant included",
                 RULE_BY_MAX);
        spoil(reading);
        return;
    }
    if (!operand_compile(ast, reading->build->arena, NULL, &reading->rule->by[rule->by_count])) {
        out_of_memory(reading);
        return;
    }
    rule->by_name[rule->by_count++] = name;
}

static void read_by(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "by");
    struct rule *rule = &reading->rule->open;

    rule->by_name[0] = field_row(RULE_FIELD_TENANT)->name;
    rule->by_count = 1;
    reading->rule->by[0] = (struct operand){.kind = OPERAND_FIELD, .field = RULE_FIELD_TENANT};
    if (node != NULL && node->kind != YAML_LIST) {
        diagnose(diag_of(reading), node->span, "by takes a list of fields: [tenant, host]");
        spoil(reading);
        return;
    }
    for (node = node != NULL ? node->first : NULL; node != NULL; node = node->next)
        add_by(reading, node);
    for (uint32_t i = 0; i < rule->by_count; i++)
        digest_add(&rule->form, rule->by_name[i]);
}

static void read_window(struct reading *reading)
{
    const struct yaml_node *node = required(reading, reading->node, "window", "a rule");
    int64_t ms = 0;

    if (node == NULL || !is_scalar(reading, node))
        return;
    if (!lexer_read_duration(node, diag_of(reading), &ms)) {
        spoil(reading);
        return;
    }
    if (ms <= 0 || ms > RULE_DURATION_MS_MAX) {
        diagnose(diag_of(reading), node->span, "a window lies between 1ms and 30d");
        spoil(reading);
    }
    reading->rule->open.window_ms = ms;
    digest_add_number(&reading->rule->open.form, ms);
}

/* ---- when: what can never be true is refused ---- */

enum { POINTS_MAX = 64, TRIALS_MAX = 2048 };

/* The counts at which some comparison of `when` changes. */
struct points {
    int64_t value[POINTS_MAX];
    uint32_t count;
    int64_t max; /* max_members: no aggregate passes it */
};

static void add_point(struct points *points, int64_t value)
{
    value = value < 1 ? 1 : value > points->max ? points->max : value;
    for (uint32_t i = 0; i < points->count; i++)
        if (points->value[i] == value)
            return;
    if (points->count < POINTS_MAX)
        points->value[points->count++] = value;
}

static void collect_points(const struct ast *ast, struct points *points)
{
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        collect_points(child, points);
    if (ast->kind == AST_LITERAL && ast->type == TYPE_INT) {
        add_point(points, ast->number < INT64_MAX ? ast->number + 1 : ast->number);
        add_point(points, ast->number);
        add_point(points, ast->number - 1);
    }
}

/* True when the aggregates can stand together: nothing is more often different than it is there. */
static bool is_possible(const struct scope *when, const int64_t *value)
{
    for (uint32_t i = 0; i < when->aggregate_count; i++)
        if (when->aggregate[i].kind == AGGREGATE_COUNT)
            for (uint32_t j = 0; j < when->aggregate_count; j++)
                if (value[j] > value[i])
                    return false;
    return true;
}

/* Tries every combination of points, as long as they are few; when they are many,
 * the rule gets the benefit of the doubt. */
static bool can_be_true(const struct reading *reading, const struct points *points)
{
    uint32_t count = reading->when.aggregate_count, digit[RULE_AGGREGATES_MAX] = {0};
    int64_t value[RULE_AGGREGATES_MAX] = {0};
    uint64_t trials = 1;
    struct program_input input;

    for (uint32_t i = 0; i < count; i++) {
        trials *= points->count;
        if (trials > TRIALS_MAX)
            return true;
    }
    input.aggregate = value;
    for (uint64_t trial = 0; trial < trials; trial++) {
        for (uint32_t i = 0; i < count; i++)
            value[i] = points->value[digit[i]];
        if (is_possible(&reading->when, value) &&
            program_run(&reading->rule->when, &input) == TRUTH_TRUE)
            return true;
        for (uint32_t i = 0; i < count && ++digit[i] == points->count; i++)
            digit[i] = 0;
    }
    return false;
}

static void check_reachable(struct reading *reading)
{
    struct points points = {.max = reading->rule->open.max_members};
    struct span span = reading->when_ast->span;

    add_point(&points, 1);
    add_point(&points, points.max);
    collect_points(reading->when_ast, &points);
    if (can_be_true(reading, &points))
        return;
    spoil(reading);
    for (uint32_t i = 0; i < reading->when.aggregate_count; i++) {
        if (reading->when.aggregate[i].limit > points.max &&
            reading->when.aggregate[i].limit < INT64_MAX) {
            diagnose(diag_of(reading), span,
                     "when can never be true: a key holds at most %lld entries (max_members)",
                     (long long)points.max);
            return;
        }
    }
    diagnose(diag_of(reading), span,
             "when can never be true: it is looked at when the window holds an entry");
}

static void keep_aggregates(struct reading *reading)
{
    struct rule *rule = &reading->rule->open;

    for (uint32_t i = 0; i < reading->when.aggregate_count; i++) {
        const struct aggregate *from = &reading->when.aggregate[i];
        struct rule_aggregate *to = &rule->aggregate[rule->aggregate_count++];
        to->kind = from->kind;
        to->limit = from->limit < rule->max_members ? from->limit : rule->max_members;
        to->text = arena_copy(reading->build->arena, from->text, strlen(from->text));
        if (to->text == NULL ||
            (from->argument != NULL && !operand_compile(from->argument, reading->build->arena, NULL,
                                                        &reading->rule->distinct[i])))
            out_of_memory(reading);
    }
}

static void read_when(struct reading *reading)
{
    reading->when = scope_for(reading, SCOPE_WHEN);
    reading->when_ast = read_expression(reading, "when", &reading->when);
    if (reading->when_ast == NULL)
        return;
    if (reading->when.aggregate_count == 0) {
        diagnose(diag_of(reading), reading->when_ast->span,
                 "when needs count() or distinct(field)");
        spoil(reading);
        return;
    }
    compile(reading, reading->when_ast, &reading->rule->when);
    keep_aggregates(reading);
    digest_add_ast(reading, &reading->rule->open.form, reading->when_ast);
    if (reading->is_good)
        check_reachable(reading);
}

static void read_close(struct reading *reading)
{
    struct scope scope = scope_for(reading, SCOPE_CLOSE);
    struct ast *ast = read_expression(reading, "close", &scope);

    if (ast == NULL)
        return;
    compile(reading, ast, &reading->rule->close);
    reading->rule->open.quiet_count = scope.quiet_count;
    memcpy(reading->rule->open.quiet_ms, scope.quiet_ms, sizeof(scope.quiet_ms));
    digest_add_ast(reading, &reading->rule->digest, ast);
}

/* ---- incident ---- */

static void read_title(struct reading *reading, const struct yaml_node *incident)
{
    const struct yaml_node *node = required(reading, incident, "title", "incident");

    if (node == NULL || !is_scalar(reading, node))
        return;
    if (node->text.len == 0 || node->text.len > TITLE_BYTES_MAX ||
        has_control_character(node->text)) {
        diagnose(diag_of(reading), node->span, "a title is one line of 1 to %d bytes",
                 TITLE_BYTES_MAX);
        spoil(reading);
        return;
    }
    digest_add(&reading->rule->digest, node->text.at);
    /* Without a good `when` it is not known what {count()} may mean. */
    if (reading->when_ast != NULL &&
        !title_compile(node, &reading->when, reading->build->arena, &reading->rule->title))
        spoil(reading);
}

static void read_priority(struct reading *reading, const struct yaml_node *incident)
{
    const struct yaml_node *node = yaml_node_find(incident, "priority");

    reading->rule->open.priority = PRIORITY_P3;
    if (node == NULL || !is_scalar(reading, node))
        return;
    for (int priority = PRIORITY_P1; priority <= PRIORITY_P5; priority++) {
        if (text_equals(node->text, priority_name((enum priority)priority))) {
            reading->rule->open.priority = (uint8_t)priority;
            return;
        }
    }
    diagnose(diag_of(reading), node->span, "a priority is P1, P2, P3, P4 or P5");
    spoil(reading);
}

static void read_incident(struct reading *reading)
{
    const struct yaml_node *node = required(reading, reading->node, "incident", "a rule");
    struct rule *rule = &reading->rule->open;

    rule->tier = rule->runbook = rule->team = "";
    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        diagnose(diag_of(reading), node->span, "incident takes a map with a title, not %s",
                 yaml_kind_name(node->kind));
        spoil(reading);
        return;
    }
    if (!rule_check_keys(node, incident_keys, INCIDENT_KEY_COUNT, "incident", diag_of(reading)))
        spoil(reading);
    read_title(reading, node);
    read_priority(reading, node);
    rule->tier = read_line(reading, node, "tier", NAME_BYTES_MAX);
    rule->team = read_line(reading, node, "team", NAME_BYTES_MAX);
    rule->runbook = read_line(reading, node, "runbook", RUNBOOK_BYTES_MAX);
}

static void read_description(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "description");

    if (node == NULL || !is_scalar(reading, node) || node->text.len <= DESCRIPTION_BYTES_MAX)
        return;
    diagnose(diag_of(reading), node->span, "a description has at most %d bytes",
             DESCRIPTION_BYTES_MAX);
    spoil(reading);
}

static void digest_finish(struct reading *reading)
{
    const struct rule *rule = &reading->rule->open;
    struct id128 *digest = &reading->rule->digest;

    digest_add(digest, rule->id);
    digest_add_number(digest, (int64_t)rule->form.hi);
    digest_add_number(digest, (int64_t)rule->form.lo);
    digest_add_number(digest, rule->priority);
    digest_add(digest, rule->tier);
    digest_add(digest, rule->team);
    digest_add(digest, rule->runbook);
    digest_add_number(digest, rule->max_keys);
    digest_add_number(digest, rule->max_members);
}

bool rule_read(const struct yaml_node *node, struct rule_build *build, struct compiled_rule *out)
{
    struct reading reading = {.build = build, .node = node, .rule = out, .is_good = true};

    if (node->kind != YAML_MAP) {
        diagnose(build->diag, node->span, "a rule is a map of keys, not %s",
                 yaml_kind_name(node->kind));
        return false;
    }
    if (!rule_check_keys(node, rule_keys, RULE_KEY_COUNT, "a rule", build->diag))
        spoil(&reading);
    read_id(&reading);
    read_description(&reading);
    read_on(&reading);
    digest_add_number(&out->open.form, out->open.input);
    read_where(&reading);
    read_by(&reading);
    read_window(&reading);
    out->open.max_keys = read_count(&reading, "max_keys", RULE_KEYS_DEFAULT, RULE_KEYS_MAX);
    out->open.max_members =
        read_count(&reading, "max_members", RULE_MEMBERS_DEFAULT, RULE_MEMBERS_MAX);
    read_when(&reading);
    read_incident(&reading);
    read_close(&reading);
    digest_finish(&reading);
    return reading.is_good;
}
