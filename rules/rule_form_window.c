/* rule_form_window.c - reads the form with a window: `window`, `look`, `for` and `when`. */
#include <string.h>
#include "rules/impossible.h"
#include "rules/lexer.h"
#include "rules/meaning.h"
#include "base/nearest.h"
#include "rules/printer.h"
#include "rules/rule_reading.h"

/* {sliding: d}, {tumbling: d} or {session: gap, max: d} */
static void read_window_map(struct reading *reading, const struct yaml_node *map)
{
    static const char *const kinds[] = {"sliding", "tumbling", "session"};
    static const char *const keys[] = {"sliding", "tumbling", "session", "max"};
    struct rule *rule = &reading->rule->open;
    const struct yaml_node *chosen = NULL, *max = yaml_node_find(map, "max");

    if (!rule_check_keys(map, keys, 4, "window", reading_diag(reading)))
        reading_spoil(reading);
    for (int kind = WINDOW_SLIDING; kind <= WINDOW_SESSION; kind++) {
        const struct yaml_node *node = yaml_node_find(map, kinds[kind]);
        if (node == NULL)
            continue;
        if (chosen != NULL) {
            diagnose(reading_diag(reading), node->key->span,
                     "a window is sliding, tumbling or a session, one of them");
            reading_spoil(reading);
        }
        chosen = node;
        rule->window_kind = (enum window_kind)kind;
    }
    if (chosen == NULL) {
        diagnose(reading_diag(reading), map->span,
                 "window needs the key \"sliding\", \"tumbling\" or \"session\"");
        reading_spoil(reading);
        return;
    }
    rule->window_ms = reading_window(reading, chosen, "a window");
    if ((max != NULL) != (rule->window_kind == WINDOW_SESSION)) {
        diagnose(reading_diag(reading), max != NULL ? max->key->span : map->span,
                 max != NULL ? "only a session has a max"
                             : "a session needs a max, so that it ends: {session: 5m, max: 2h}");
        reading_spoil(reading);
    } else if (max != NULL) {
        rule->session_max_ms = reading_window(reading, max, "the max of a session");
        if (rule->session_max_ms < rule->window_ms) {
            diagnose(reading_diag(reading), max->span, "the max of a session is at least its gap");
            reading_spoil(reading);
        }
    }
}

static void read_window(struct reading *reading)
{
    static const char *const open_word = "open";
    const struct yaml_node *node = reading_required(reading, reading->node, "window", "a rule");
    struct rule *rule = &reading->rule->open;

    if (node == NULL)
        return;
    if (node->kind == YAML_MAP)
        read_window_map(reading, node);
    else if (node->kind == YAML_SCALAR && text_equals(node->text, "open"))
        rule->window_kind = WINDOW_OPEN;
    else if (node->kind == YAML_SCALAR && nearest_name(node->text, &open_word, 1) != NULL) {
        diagnose(reading_diag(reading), node->span,
                 "there is no window \"%.40s\"; did you mean \"open\"?", node->text.at);
        reading_spoil(reading);
    } else
        rule->window_ms = reading_window(reading, node, "a window");
    reading_digest_number(&rule->form, rule->window_kind);
    reading_digest_number(&rule->form, rule->window_ms);
    reading_digest_number(&rule->form, rule->session_max_ms);
}

static void read_look(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "look");
    struct rule *rule = &reading->rule->open;

    rule->looks_at_end = rule->form_kind == FORM_BASELINE;
    if (node != NULL && reading_is_scalar(reading, node)) {
        rule->looks_at_end = text_equals(node->text, "end");
        if (!rule->looks_at_end && !text_equals(node->text, "gain")) {
            diagnose(reading_diag(reading), node->span,
                     "look is \"gain\" (when the window gains an entry) or \"end\" (when it ends)");
            reading_spoil(reading);
        } else if (rule->looks_at_end && rule->window_kind != WINDOW_TUMBLING &&
                   rule->window_kind != WINDOW_SESSION) {
            diagnose(reading_diag(reading), node->span,
                     "only a tumbling window and a session have an end to look at");
            reading_spoil(reading);
        }
    }
    reading_digest_number(&rule->form, rule->looks_at_end);
}

static void read_hold(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "for");
    struct rule *rule = &reading->rule->open;

    if (node != NULL) {
        rule->hold_ms = reading_window(reading, node, "for");
        if (rule->window_kind != WINDOW_OPEN) {
            diagnose(reading_diag(reading), node->key->span,
                     "for goes with \"window: open\": what is open now can hold for a while");
            reading_spoil(reading);
        }
    }
    reading_digest_number(&rule->form, rule->hold_ms);
}

/* ---- when ---- */

/* The rule's number for an aggregate: the same one written twice is one. */
static uint8_t keep_argument(struct reading *reading, const struct ast *argument,
                             const char *texts[RULE_AGGREGATES_MAX])
{
    struct rule *rule = &reading->rule->open;
    const char *text = ast_print(argument, reading->build->scratch);

    if (text == NULL) {
        reading_out_of_memory(reading);
        return 0;
    }
    for (uint8_t i = 0; i < rule->argument_count; i++)
        if (strcmp(texts[i], text) == 0)
            return i;
    reading_compile(reading, argument, &reading->rule->argument[rule->argument_count]);
    texts[rule->argument_count] = text;
    return rule->argument_count++;
}

static void keep_aggregates(struct reading *reading)
{
    struct rule *rule = &reading->rule->open;
    const char *texts[RULE_AGGREGATES_MAX] = {NULL};
    uint32_t distinct_count = 0, counts = 0;
    struct span *span = NULL;

    if (rule->input == RULE_INPUT_INCIDENTS) {
        span = arena_alloc_many(reading->build->arena, RULE_AGGREGATES_MAX, sizeof(*span));
        reading->rule->aggregate_span = span;
        if (span == NULL) {
            reading_out_of_memory(reading);
            return;
        }
    }
    for (uint32_t i = 0; i < reading->when.aggregate_count; i++) {
        const struct aggregate *from = &reading->when.aggregate[i];
        struct rule_aggregate *to = &rule->aggregate[rule->aggregate_count++];
        if (span != NULL)
            span[i] = from->span;
        to->kind = from->kind;
        to->is_named = from->is_named;
        to->limit = from->limit < rule->max_members ? from->limit : rule->max_members;
        to->share = from->share;
        to->text = from->shown.at != NULL
                       ? arena_copy(reading->build->arena, from->shown.at, from->shown.len)
                       : arena_copy(reading->build->arena, from->text, strlen(from->text));
        if (to->text == NULL)
            reading_out_of_memory(reading);
        if (to->kind == AGGREGATE_DEVIATION) {
            to->of = (uint8_t)from->of;
            to->argument = rule->deviation_count++;
        } else if (aggregate_is_real(to->kind))
            to->argument = keep_argument(reading, from->argument, texts);
        else if (from->argument != NULL && !operand_compile(from->argument, reading->build->arena,
                                                            NULL, &reading->rule->distinct[i]))
            reading_out_of_memory(reading);
        distinct_count += to->kind == AGGREGATE_DISTINCT;
        counts += to->kind == AGGREGATE_COUNT;
    }
    rule->has_distinct = distinct_count > 0;
    rule->keeps_values = distinct_count == 1 && distinct_count + counts == rule->aggregate_count;
    rule->entry_words = (uint8_t)(rule->has_distinct + rule->argument_count);
}

/* Entries of a key hold the numbers of its aggregates in their order, so that order counts, other
 * than that of the sides of && in which they stand. */
static void digest_aggregates(struct reading *reading)
{
    struct id128 *form = &reading->rule->open.form;

    for (uint32_t i = 0; i < reading->when.aggregate_count; i++) {
        const struct aggregate *aggregate = &reading->when.aggregate[i];
        reading_digest_number(form, (int64_t)aggregate->kind);
        reading_digest_number(form, aggregate_of_real(aggregate->share));
        reading_digest_number(form, aggregate->of);
        if (aggregate->argument != NULL)
            reading_digest_ast(form, aggregate->argument);
    }
}

/* What decides whether keys carry on. What a key has learned took weeks: of a baseline it is what
 * `when` computes, and not what that is compared with. */
static void digest_when(struct reading *reading)
{
    if (reading->when.has_baseline) {
        reading_setting_of_node(reading, SETTING_WHEN, yaml_node_find(reading->node, "when"));
        reading->rule->open.setting[SETTING_WHEN].digest = ast_digest(reading->when_ast);
    } else {
        reading_digest_ast(&reading->rule->open.form, reading->when_ast);
    }
    digest_aggregates(reading);
}

/* By what `where`, `by` and max_members say, too; where these are wrong, that is told first. */
static void check_possible(struct reading *reading)
{
    const struct ground ground = {.kind = GROUND_WINDOW,
                                  .where = reading->where_ast,
                                  .aggregate = reading->when.aggregate,
                                  .aggregate_count = reading->when.aggregate_count,
                                  .rule = reading->rule};

    if (reading->is_good && !impossible_check(reading->when_ast, &ground, reading_diag(reading)))
        reading_spoil(reading);
}

static void read_when(struct reading *reading)
{
    reading->when = reading_scope(reading, SCOPE_WHEN);
    reading->when.has_baseline = reading->rule->open.form_kind == FORM_BASELINE;
    reading->when_ast = reading_expression(reading, "when", &reading->when);
    reading->has_title = reading->when_ast != NULL;
    if (reading->when_ast == NULL)
        return;
    if (reading->when.aggregate_count == 0) {
        diagnose(reading_diag(reading), reading->when_ast->span,
                 "when needs count(), distinct(field) or another aggregate");
        reading_spoil(reading);
        return;
    }
    reading_compile(reading, reading->when_ast, &reading->rule->when);
    keep_aggregates(reading);
    digest_when(reading);
    check_possible(reading);
}

void rule_form_window_read(struct reading *reading)
{
    read_window(reading);
    read_look(reading);
    read_hold(reading);
    read_when(reading);
}

const struct rule_form_reader rule_form_window = {
    .kind = FORM_WINDOW,
    .what = "a rule",
    .keys = {"window", "look", "for", "when"},
    .read = rule_form_window_read,
};
