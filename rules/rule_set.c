/*
 * rule_set.c - what the hot path asks of a set. It is built in rule_load.c.
 */
#include "rules/rule_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/text.h"
#include "rules/fixed_value.h"
#include "rules/match_index.h"
#include "rules/rule_reader.h"
#include "rules/rule_set_parts.h"
#include "rules/severities.h"

void rule_set_destroy(struct rule_set *set)
{
    if (set == NULL)
        return;
    pattern_set_destroy(set->patterns);
    arena_destroy(set->arena);
    free(set);
}

/* ---- what the running set answers ---- */

uint32_t rule_set_mute_count(const struct rule_set *set)
{
    return set->mutes.count;
}

const struct mute *rule_set_mute(const struct rule_set *set, uint32_t index)
{
    return &set->mutes.mutes[index].open;
}

const struct enrich_set *rule_set_enrich(const struct rule_set *set)
{
    return set->enrich;
}

uint32_t rule_set_count(const struct rule_set *set)
{
    return set->count;
}

const struct rule *rule_set_rule(const struct rule_set *set, uint32_t index)
{
    return &set->rules[index].open;
}

struct id128 rule_set_hash(const struct rule_set *set)
{
    return set->hash;
}

bool rule_set_reads_message(const struct rule_set *set)
{
    return set->reads_message;
}

bool rule_set_takes(const struct rule_set *set, enum rule_input input)
{
    return (set->inputs >> input & 1) != 0;
}

size_t rule_set_match(const struct rule_set *set, const struct event_view *view, uint32_t *out,
                      size_t max)
{
    /* Neither is initialized as a whole: they are filled on demand. */
    struct candidates found;
    struct program_input input;
    const uint64_t *exact = match_index_exact(set->index);
    size_t count = 0;

    program_input_start(&input, view);
    pattern_scan_start(&input.patterns, set->patterns);
    match_index_find(set->index, &input, &found);
    for (uint32_t g = 0; g < RULE_GROUPS_MAX; g++)
        for (uint64_t words = found.used[g]; words != 0; words &= words - 1) {
            uint32_t w = g * 64 + (uint32_t)__builtin_ctzll(words);
            for (uint64_t left = found.bits[w]; left != 0; left &= left - 1) {
                uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(left);
                /* For rule_by_values(), while `where` is evaluated. */
                __builtin_prefetch(&set->rules[i].open.by_count);
                __builtin_prefetch(&set->rules[i].when);
                if (!(exact[w] & left & -left) && program_run(&set->where[i], &input) != TRUTH_TRUE)
                    continue;
                if (count == max)
                    return count;
                out[count++] = i;
            }
        }
    return count;
}

bool rule_set_is_unguarded(const struct rule_set *set, uint32_t index)
{
    return match_index_is_unguarded(set->index, index);
}

uint64_t rule_set_match_ns(const struct rule_set *set, uint32_t text_bytes)
{
    enum { INSTRUCTION_NS = 30 }; /* of those that make text, which take longest */
    uint64_t ns = set->patterns != NULL ? pattern_set_ns(set->patterns, text_bytes) : 0;

    for (uint32_t i = 0; i < set->count; i++)
        ns += (uint64_t)set->where[i].count * INSTRUCTION_NS;
    return ns;
}

uint8_t rule_set_severities(const struct rule_set *set, uint32_t index)
{
    const struct rule *rule = rule_set_rule(set, index);

    /* No event opens it; and a window of a baseline may be empty. */
    if (rule->form_kind == FORM_EXPECT)
        return (uint8_t)(1u << rule->silence_severity);
    if (rule->form_kind == FORM_BASELINE)
        return (1 << SEVERITY_COUNT) - 1;
    return severities_possible(&set->where[index]);
}

static const struct compiled_rule *compiled(const struct rule *rule)
{
    return (const struct compiled_rule *)(const void *)rule;
}

const char *rule_set_passed_over(const struct rule_set *set)
{
    return set->passed_over;
}

bool rule_set_fixes(const struct rule_set *set, uint32_t index, uint32_t by, struct text *value)
{
    const struct rule *rule = rule_set_rule(set, index);

    /* What is listed is missed also where `where` is never true for it. */
    return rule->listed_count == 0 &&
           fixed_value(&set->where[index], &compiled(rule)->by[by], value);
}

void rule_by_values(const struct rule *rule, const struct event_view *view,
                    struct text value[RULE_BY_MAX])
{
    struct program_input input;

    program_input_start(&input, view);
    for (uint32_t i = 0; i < rule->by_count; i++)
        if (!operand_text(&compiled(rule)->by[i], &input, &value[i]))
            value[i] = (struct text){"", 0};
}

bool rule_by_label(const struct rule *rule, uint32_t i, struct text *name)
{
    const struct operand *by = &compiled(rule)->by[i];

    if (by->kind != OPERAND_LABEL && by->field <= (enum rule_field)FIELD_CHECK)
        return false;
    *name = by->kind == OPERAND_LABEL ? by->text : text_of(rule->by_name[i]);
    return true;
}

static void add_label(struct event_draft *draft, struct event_label *label, struct text name,
                      struct text value)
{
    for (uint32_t i = 0; i < draft->label_count; i++)
        if (text_order(label[i].name, name) == 0)
            return;
    label[draft->label_count++] = (struct event_label){name, value};
}

void rule_by_draft(const struct rule *rule, const struct text *value,
                   struct event_label label[RULE_BY_MAX], struct event_draft *out)
{
    memset(out, 0, sizeof(*out));
    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        out->field[f] = (struct text){"", 0};
    out->labels = label;
    for (uint32_t i = 0; i < rule->by_count; i++) {
        const struct operand *by = &compiled(rule)->by[i];
        if (by->kind == OPERAND_LABEL)
            add_label(out, label, by->text, value[i]);
        else if (by->field < EVENT_FIELD_COUNT)
            out->field[by->field] = value[i];
        else if (by->field == RULE_FIELD_HOST)
            add_label(out, label, (struct text){"host", 4}, value[i]);
        else
            for (unsigned s = 0; s < SEVERITY_COUNT; s++)
                out->severity =
                    text_equals(value[i], severity_name(s)) ? (uint8_t)s : out->severity;
    }
    /* Not that of the resource: its events may name another. The tenant leaves room for one. */
    add_label(out, label, (struct text){"host", 4}, (struct text){"", 0});
}

struct text rule_aggregate_value(const struct rule *rule, uint32_t i, const struct event_view *view,
                                 char scratch[32])
{
    const struct operand *operand = &compiled(rule)->distinct[i];
    struct program_input input;
    struct text text;

    if (operand->kind == OPERAND_FIELD && operand->field == RULE_FIELD_VALUE) {
        uint32_t len = view->text->has_value ? number_print(view->text->value, scratch) : 0;
        return (struct text){scratch, len};
    }
    program_input_start(&input, view);
    return operand_text(operand, &input, &text) ? text : (struct text){"", 0};
}

uint32_t rule_steps(const struct rule *rule, const struct event_view *view)
{
    struct program_input input;
    uint32_t bits = 0;

    program_input_start(&input, view);
    for (uint32_t i = 0; i < rule->step_count; i++)
        if (program_run(&compiled(rule)->steps[i], &input) == TRUTH_TRUE)
            bits |= 1u << i;
    return bits;
}

/* Apart: its room on the stack is large. */
static __attribute__((noinline)) const char *
compute_with_room(const struct program *program, struct program_input *input, struct value *out)
{
    char bytes[TEXT_ROOM_BYTES];
    struct text_room room = {bytes, sizeof(bytes), 0};

    return program_value(program, input, &room, out);
}

static double number_of(const struct program *program, const struct event_view *view)
{
    struct program_input input;
    struct value value;
    const char *why;

    program_input_start(&input, view);
    why = program->makes_text ? compute_with_room(program, &input, &value)
                              : program_value(program, &input, NULL, &value);
    return why == NULL ? value.real : __builtin_nan("");
}

double rule_argument(const struct rule *rule, uint32_t i, const struct event_view *view)
{
    return number_of(&compiled(rule)->argument[i], view);
}

double rule_last(const struct rule *rule, uint32_t i, const struct event_view *view)
{
    return number_of(&compiled(rule)->last[i], view);
}

static void set_aggregates(struct program_input *input, const int64_t *value)
{
    input->aggregate = value;
    input->aggregate_real = (const double *)(const void *)value; /* the bits of those */
}

void rule_prefetch(const struct rule *rule)
{
    __builtin_prefetch(rule);
    __builtin_prefetch(&rule->by_count);
    __builtin_prefetch(&compiled(rule)->when);
}

void rule_prefetch_when(const struct rule *rule)
{
    __builtin_prefetch(compiled(rule)->when.code);
}

bool rule_when(const struct rule *rule, const int64_t value[RULE_AGGREGATES_MAX])
{
    struct program_input input;

    set_aggregates(&input, value);
    return program_run(&compiled(rule)->when, &input) == TRUTH_TRUE;
}

bool rule_close_holds(const struct rule *rule, const struct rule_closing *closing)
{
    struct program_input input;

    input.quiet_ms = closing->quiet_ms;
    input.cleared = closing->cleared;
    input.fewer = closing->fewer;
    input.aggregate_real = closing->last;
    return program_run(&compiled(rule)->close, &input) == TRUTH_TRUE;
}

bool rule_close(const struct rule *rule, int64_t quiet_ms, bool cleared)
{
    double none[RULE_LAST_MAX];

    for (int i = 0; i < RULE_LAST_MAX; i++)
        none[i] = __builtin_nan("");
    return rule_close_holds(
        rule, &(struct rule_closing){.quiet_ms = quiet_ms, .cleared = cleared, .last = none});
}

void rule_title(const struct rule *rule, const struct event_view *view,
                const int64_t value[RULE_AGGREGATES_MAX], char *to, size_t bytes)
{
    struct program_input input;

    program_input_start(&input, view);
    set_aggregates(&input, value);
    title_render(&compiled(rule)->title, &input, to, bytes);
}

const char *rule_title_empty(const struct rule *rule)
{
    return compiled(rule)->title.empty;
}
