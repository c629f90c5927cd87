/*
 * rule_form_sequence.c - reads the two forms made of steps: `sequence`, in order, and `all`, in
 * any order; both `within` a time.
 *
 * Such a rule has no `where` of its own, or one that holds for every step. What makes an event
 * one of the rule's is put together here: where && (step || step ...), so that matching,
 * routes and clears are those of any rule. A strict sequence needs its `where`, which then says
 * alone what may not come between.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/nearest.h"
#include "rules/composite.h"
#include "rules/impossible.h"
#include "rules/rule_reading.h"

enum { STEP_NAME_BYTES_MAX = 60 };

static const char *const sequence_step_keys[] = {"where", "not", "as"};
static const char *const all_step_keys[] = {"where", "as"};

/* ---- one step ---- */

static void name_step(struct reading *reading, const struct yaml_node *node, uint32_t number)
{
    const char *name = reading_line(reading, node, "as", STEP_NAME_BYTES_MAX);
    char made[16];

    if (name[0] == '\0') {
        snprintf(made, sizeof(made), "step %u", (unsigned)number + 1);
        name = arena_copy(reading->build->arena, made, strlen(made));
        if (name == NULL) {
            reading_out_of_memory(reading);
            return;
        }
    }
    for (uint32_t i = 0; i < number; i++) {
        if (reading->rule->open.step[i].name != NULL &&
            strcmp(reading->rule->open.step[i].name, name) == 0) {
            diagnose(reading_diag(reading), node->span, "two steps have the name \"%s\"", name);
            reading_spoil(reading);
        }
    }
    reading->rule->open.step[number].name = name;
}

/* The node of a step's condition: under `where`, or under `not`. */
static const struct yaml_node *condition_of(struct reading *reading, const struct yaml_node *node,
                                            bool may_negate, bool *is_negated)
{
    const struct yaml_node *where = yaml_node_find(node, "where");
    const struct yaml_node *not = may_negate ? yaml_node_find(node, "not") : NULL;

    *is_negated = not != NULL;
    if ((where != NULL) != (not != NULL))
        return where != NULL ? where : not ;
    diagnose(reading_diag(reading), node->span,
             may_negate ? "a step has either \"where\" or \"not\"" : "a condition needs \"where\"");
    reading_spoil(reading);
    return NULL;
}

/* What steps are written as elsewhere. False, diagnosed, for a key that there is not. */
static bool check_step_keys(struct reading *reading, const struct yaml_node *node, bool may_negate)
{
    static const struct {
        const char *key, *hint;
    } rows[] = {
        {"name", "; its name is \"as\""},
        {"id", "; its name is \"as\""},
        {"if", "; what meets it stands in \"where\""},
        {"when", "; what meets it stands in \"where\""},
        {"condition", "; what meets it stands in \"where\""},
        {"match", "; what meets it stands in \"where\""},
    };
    bool has_condition =
        yaml_node_find(node, "where") != NULL || yaml_node_find(node, "not") != NULL;

    for (const struct yaml_node *at = node->first; at != NULL; at = at->next) {
        size_t row = 0;
        while (row < sizeof(rows) / sizeof(rows[0]) && !text_equals(at->key->text, rows[row].key))
            row++;
        if (row == sizeof(rows) / sizeof(rows[0]))
            continue;
        diagnose(reading_diag(reading), at->key->span, "a step has no key \"%s\"%s", rows[row].key,
                 rows[row].hint);
        return false;
    }
    /* {a: check == "x"}: a name before a condition. */
    if (!has_condition && node->count == 1 && node->first->kind == YAML_SCALAR &&
        nearest_name(node->first->key->text, sequence_step_keys, 3) == NULL) {
        diagnose(reading_diag(reading), node->first->key->span,
                 "a step has no key \"%.60s\"; it is written {where: CONDITION, as: %.60s}",
                 node->first->key->text.at, node->first->key->text.at);
        return false;
    }
    return rule_check_keys(node, may_negate ? sequence_step_keys : all_step_keys,
                           may_negate ? 3 : 2, "a step", reading_diag(reading));
}

/* Reads a step and gives its condition once more, unchecked, for the rule's `where`; NULL when
 * something is wrong. `checked` is the condition itself. */
static struct ast *read_step(struct reading *reading, const struct yaml_node *node, uint32_t number,
                             bool may_negate, const struct ast *where, const struct ast **checked)
{
    struct scope scope = reading_scope(reading, SCOPE_WHERE);
    struct compiled_rule *rule = reading->rule;
    const struct yaml_node *condition;

    if (node->kind != YAML_MAP) {
        diagnose(reading_diag(reading), node->span, "a step is a map with \"where\", not %s%s",
                 yaml_kind_name(node->kind),
                 node->kind == YAML_SCALAR ? ": write it behind \"where: \"" : "");
        reading_spoil(reading);
        return NULL;
    }
    if (!check_step_keys(reading, node, may_negate)) {
        reading_spoil(reading);
        return NULL;
    }
    name_step(reading, node, number);
    condition = condition_of(reading, node, may_negate, &rule->open.step[number].is_negated);
    if (condition == NULL)
        return NULL;
    struct ast *ast = reading_expression_at(reading, condition, &scope);
    if (ast == NULL)
        return NULL;
    if (where != NULL && !reading_is_possible(reading, ast, where)) {
        reading_spoil(reading);
        return NULL;
    }
    *checked = ast;
    reading_compile(reading, ast, &rule->steps[number]);
    rule->open.reads_message |= rule->steps[number].reads_unstable;
    reading_digest_number(&rule->open.form, rule->open.step[number].is_negated);
    reading_digest_ast(&rule->open.form, ast);
    return reading_parse(reading, condition);
}

/* What steps are called may change while chains carry on. */
static void keep_names(struct reading *reading)
{
    char names[RULE_STEPS_MAX * (STEP_NAME_BYTES_MAX + 2) + 1];
    size_t used = 0;
    const char *copy;

    for (uint32_t i = 0; i < reading->rule->open.step_count; i++) {
        const char *name = reading->rule->open.step[i].name;
        if (name != NULL)
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used > 0 ? ", " : "", name);
    }
    copy = arena_copy(reading->build->arena, names, used);
    if (copy == NULL)
        reading_out_of_memory(reading);
    else
        reading_setting(reading, SETTING_STEPS, copy);
}

/* ---- what makes an event one of the rule's ---- */

static struct ast *join(struct reading *reading, enum ast_kind kind, struct ast *first,
                        struct ast *last, uint32_t count)
{
    struct ast *ast = arena_alloc(reading->build->scratch, sizeof(*ast));

    if (ast == NULL) {
        reading_out_of_memory(reading);
        return NULL;
    }
    assert(first != NULL);
    *ast = (struct ast){
        .kind = kind, .span = first->span, .first = first, .last = last, .count = count};
    return ast;
}

/* `steps` are the conditions, chained by `next`. */
static void make_where(struct reading *reading, struct ast *steps, struct ast *last, uint32_t count)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "where");
    struct scope scope = reading_scope(reading, SCOPE_WHERE);
    struct ast *ast = join(reading, AST_OR, steps, last, count);

    if (ast != NULL && node != NULL) {
        struct ast *where = reading_parse(reading, node);
        if (where == NULL)
            return;
        where->next = ast;
        ast = join(reading, AST_AND, where, ast, 2);
    }
    if (ast == NULL)
        return;
    if (!types_check(ast, &scope)) { /* each part was good; together they may say nothing */
        reading_spoil(reading);
        return;
    }
    ast = composite_where(reading, ast);
    if (ast == NULL)
        return;
    reading->where_ast = ast;
    reading_compile(reading, ast, &reading->rule->where);
}

/* ---- the forms ---- */

/* The steps that come: of one key they are all of the rule's. */
static void check_steps_of_key(struct reading *reading, const struct ast *const *conditions,
                               const struct ast *where)
{
    const struct ground ground = {.kind = GROUND_EVENT, .where = where, .rule = reading->rule};
    const struct ast *coming[RULE_STEPS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < reading->rule->open.step_count; i++)
        if (!reading->rule->open.step[i].is_negated)
            coming[count++] = conditions[i];
    if (!impossible_check_key(coming, count, &ground, reading_diag(reading)))
        reading_spoil(reading);
}

static bool read_steps(struct reading *reading, const char *key, bool may_negate)
{
    const struct yaml_node *list = yaml_node_find(reading->node, key);
    struct rule *rule = &reading->rule->open;
    const struct ast *conditions[RULE_STEPS_MAX] = {NULL};
    struct ast *first = NULL, *last = NULL;
    const struct ast *where = reading->where_ast; /* holds of every step */
    bool all_good = true;

    if (where == NULL && yaml_node_find(reading->node, "where") == NULL)
        where = composite_where(reading, NULL);
    if (list->kind != YAML_LIST) {
        diagnose(reading_diag(reading), list->span, "%s takes a list of steps", key);
        reading_spoil(reading);
        return false;
    }
    reading->rule->steps =
        arena_alloc_many(reading->build->arena, RULE_STEPS_MAX, sizeof(struct program));
    if (reading->rule->steps == NULL) {
        reading_out_of_memory(reading);
        return false;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        if (rule->step_count == RULE_STEPS_MAX) {
            diagnose(reading_diag(reading), node->span, "%s takes at most %d steps", key,
                     RULE_STEPS_MAX);
            reading_spoil(reading);
            return false;
        }
        const struct ast **checked = &conditions[rule->step_count];
        struct ast *ast = read_step(reading, node, rule->step_count++, may_negate, where, checked);
        all_good = all_good && ast != NULL;
        if (ast == NULL)
            continue;
        if (last != NULL)
            last->next = ast;
        else
            first = ast;
        last = ast;
    }
    if (rule->step_count < 2) {
        diagnose(reading_diag(reading), list->span, "%s needs at least two steps", key);
        reading_spoil(reading);
        return false;
    }
    keep_names(reading);
    if (all_good)
        check_steps_of_key(reading, conditions, where);
    if (all_good && !rule->is_strict)
        make_where(reading, first, last, rule->step_count);
    return all_good;
}

static void read_within(struct reading *reading, const char *what)
{
    const struct yaml_node *node = reading_required(reading, reading->node, "within", what);

    if (node != NULL)
        reading->rule->open.window_ms = reading_window(reading, node, "within");
    reading_digest_number(&reading->rule->open.form, reading->rule->open.window_ms);
}

/* A word that is one of two; false for the first. */
static bool read_choice(struct reading *reading, const char *key, const char *first,
                        const char *second)
{
    const struct yaml_node *node = yaml_node_find(reading->node, key);
    bool is_second;

    if (node == NULL || !reading_is_scalar(reading, node))
        return false;
    is_second = text_equals(node->text, second);
    if (!is_second && !text_equals(node->text, first)) {
        diagnose(reading_diag(reading), node->span, "%s is %s or %s", key, first, second);
        reading_spoil(reading);
    }
    return is_second;
}

static void check_order(struct reading *reading)
{
    const struct rule *rule = &reading->rule->open;
    const struct yaml_node *list = yaml_node_find(reading->node, "sequence");

    if (rule->step[0].is_negated) {
        diagnose(reading_diag(reading), list->first->span,
                 "a sequence begins with a step that comes: \"where\"");
        reading_spoil(reading);
    }
    if (rule->is_strict && yaml_node_find(reading->node, "where") == NULL) {
        diagnose(reading_diag(reading), list->span,
                 "a strict sequence needs \"where\": the events of which none may come between");
        reading_spoil(reading);
    }
}

static void read_sequence(struct reading *reading)
{
    struct rule *rule = &reading->rule->open;

    reading->when = reading_scope(reading, SCOPE_WHEN);
    reading->has_title = true;
    read_within(reading, "a sequence");
    rule->is_strict = read_choice(reading, "contiguity", "any", "strict");
    rule->keeps_later = read_choice(reading, "skip", "past_last", "to_next");
    reading_digest_number(&rule->form, rule->is_strict * 2 + rule->keeps_later);
    if (!read_steps(reading, "sequence", true))
        return;
    rule->ends_by_absence = rule->step[rule->step_count - 1].is_negated;
    check_order(reading);
}

static void read_all(struct reading *reading)
{
    reading->when = reading_scope(reading, SCOPE_WHEN);
    reading->has_title = true;
    read_within(reading, "a rule with \"all\"");
    read_steps(reading, "all", false);
}

const struct rule_form_reader rule_form_sequence = {
    .kind = FORM_SEQUENCE,
    .chosen_by = "sequence",
    .what = "a rule with a sequence",
    .makes_where = true,
    .keys = {"sequence", "within", "contiguity", "skip"},
    .read = read_sequence,
};

const struct rule_form_reader rule_form_all = {
    .kind = FORM_ALL,
    .chosen_by = "all",
    .what = "a rule with \"all\"",
    .makes_where = true,
    .keys = {"all", "within"},
    .read = read_all,
};
