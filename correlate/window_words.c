/* window_words.c - see window_words.h. */
#include "correlate/window_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "correlate/aggregates.h"
#include "correlate/baseline.h"
#include "rules/needs.h"
#include "rules/value.h"

enum { WHY_VALUES = 5 };

/* The different values of one distinct, in the order of their first appearance. `index`: of the
 * aggregate among an entry's values. */
static void put_values(struct text_buffer *to, const struct window *window, uint32_t index)
{
    uint64_t shown[WHY_VALUES];
    unsigned count = 0;

    for (uint32_t e = 0; e < window->span; e++) {
        if (window_is_gone(window, e))
            continue;
        const struct window_values *values = window_values(window, e);
        uint64_t hash = values->value[index].hash;
        unsigned i = 0;
        while (i < count && shown[i] != hash)
            i++;
        if (i < count)
            continue;
        if (count == WHY_VALUES) {
            text_put_string(to, ", ...");
            return;
        }
        struct text text = window_value_text(values, index);
        text_put_string(to, count > 0 ? ", " : ": ");
        if (text.len > 0)
            text_put(to, text.at, text.len);
        else
            text_put_string(to, "(none)");
        shown[count++] = hash;
    }
}

/* "in 10m" */
static void put_frame(struct text_buffer *to, const struct rule *rule)
{
    text_put_string(to, rule->window_kind == WINDOW_OPEN      ? "open now"
                        : rule->window_kind == WINDOW_SESSION ? "in a session with gaps below "
                                                              : "in ");
    if (rule->window_kind != WINDOW_OPEN)
        text_put_duration(to, rule->window_ms);
}

static void put_number(struct text_buffer *to, double real)
{
    char number[NUMBER_TEXT_BYTES];

    if (real == real)
        text_put(to, number, number_print(real, number));
    else
        text_put_string(to, "nothing");
}

/* "avg(value) is 93.5" */
static void put_real(struct text_buffer *to, const struct rule_aggregate *aggregate, int64_t value)
{
    text_put_string(to, aggregate->text);
    text_put_string(to, " is ");
    put_number(to, aggregate_to_real(value));
}

/* Four digits that count: enough for people. */
static void put_rounded(struct text_buffer *to, double real)
{
    char number[NUMBER_TEXT_BYTES];

    snprintf(number, sizeof(number), "%.4g", real);
    put_number(to, strtod(number, NULL));
}

static const struct baseline_slot *usual_of(const struct rule *rule,
                                            const struct rule_aggregate *deviation,
                                            const struct baseline_slot *usual)
{
    return &usual[deviation->argument * (rule->season_ms / rule->window_ms)];
}

/* "1 of 3 seasons known", "5 seasons known" */
static void put_seasons(struct text_buffer *to, const struct rule *rule,
                        const struct baseline_slot *usual)
{
    text_put_number(to, usual->count);
    if (usual->count <= rule->learn_count) {
        text_put_string(to, " of ");
        text_put_number(to, rule->learn_count);
    }
    text_put_string(to, " seasons known");
}

/* " (needs 5, fewer than 20)"; nothing where nothing is asked of the aggregate alone. */
static void put_needs(struct text_buffer *to, const struct rule_needs *needs, uint32_t aggregate)
{
    static const char *const words[] = {[RELATION_GE] = "",
                                        [RELATION_LT] = "fewer than ",
                                        [RELATION_EQ] = "exactly ",
                                        [RELATION_NE] = "other than "};
    const char *before = " (needs ";
    uint32_t said = 0;

    for (uint32_t i = 0; i < needs->count; i++) {
        if (needs->need[i].aggregate != aggregate)
            continue;
        text_put_string(to, said++ > 0 ? ", " : before);
        text_put_string(to, words[needs->need[i].relation]);
        text_put_number(to, needs->need[i].bound);
    }
    text_put_string(to, said > 0 ? ")" : "");
}

/* "more than 100, less than 200" behind `before`. False, with nothing said, where nothing is asked
 * of the number alone. */
static bool put_bounds(struct text_buffer *to, const struct rule_needs *needs, uint32_t aggregate,
                       const char *before)
{
    static const char *const words[] = {
        [RELATION_EQ] = "exactly ", [RELATION_NE] = "other than ", [RELATION_LT] = "less than ",
        [RELATION_LE] = "at most ", [RELATION_GT] = "more than ",  [RELATION_GE] = "at least "};
    uint32_t said = 0;

    for (uint32_t i = 0; i < needs->real_count; i++) {
        if (needs->real[i].aggregate != aggregate)
            continue;
        text_put_string(to, said++ > 0 ? ", " : before);
        text_put_string(to, words[needs->real[i].relation]);
        put_number(to, needs->real[i].bound);
    }
    return said > 0;
}

/* " (needs more than 100)" */
static void put_real_needs(struct text_buffer *to, const struct rule_needs *needs,
                           uint32_t aggregate)
{
    if (put_bounds(to, needs, aggregate, " (needs "))
        text_put_string(to, ")");
}

/* "count() is 120 in 1h, 4.2 standard deviations (needs more than 4) from its mean 80 of 3
 * seasons" */
static void put_deviation(struct text_buffer *to, const struct opening *o,
                          const struct rule_needs *needs, uint32_t i)
{
    const struct rule *rule = o->rule;
    const struct rule_aggregate *deviation = &rule->aggregate[i];
    double real = aggregate_to_real(o->value[i]);
    const struct rule_aggregate *of = &rule->aggregate[deviation->of];
    const struct baseline_slot *usual = usual_of(rule, deviation, o->usual);

    text_put_string(to, of->text);
    text_put_string(to, " is ");
    put_number(to, aggregate_is_real(of->kind) ? aggregate_to_real(o->value[deviation->of])
                                               : (double)o->value[deviation->of]);
    text_put(to, " ", 1);
    put_frame(to, rule);
    text_put_string(to, ", ");
    if (real == real) {
        put_rounded(to, real);
        text_put_string(to, " standard deviations");
        put_real_needs(to, needs, i);
        text_put_string(to, " from its mean ");
        put_rounded(to, usual->mean);
        text_put_string(to, " of ");
        text_put_number(to, usual->count);
        text_put_string(to, " seasons");
    } else {
        put_seasons(to, rule, usual);
    }
}

/* What one aggregate was. `index` as for put_values(). */
static void put_one(struct text_buffer *to, const struct opening *o, const struct rule_needs *needs,
                    uint32_t i, uint32_t index)
{
    const struct rule *rule = o->rule;
    const struct rule_aggregate *aggregate = &rule->aggregate[i];

    if (aggregate->kind == AGGREGATE_DEVIATION) {
        put_deviation(to, o, needs, i);
        return;
    }
    if (aggregate_is_real(aggregate->kind)) {
        put_real(to, aggregate, o->value[i]);
        text_put(to, " ", 1);
        put_frame(to, rule);
        put_real_needs(to, needs, i);
        return;
    }
    text_put_number(to, o->value[i]);
    if (aggregate->kind == AGGREGATE_COUNT) {
        text_put_string(to, rule->input == RULE_INPUT_EVENTS      ? " event"
                            : rule->input == RULE_INPUT_INCIDENTS ? " incident"
                            : rule->input == RULE_INPUT_FLAPPING  ? " flapping alert"
                                                                  : " alert");
        text_put_string(to, plural((uint64_t)o->value[i]));
        text_put(to, " ", 1);
    } else {
        /* aggregate->text is "distinct(field)" */
        size_t len = strlen(aggregate->text);
        text_put_string(to, " different value");
        text_put_string(to, plural((uint64_t)o->value[i]));
        text_put_string(to, " of ");
        text_put(to, aggregate->text + 9, len - 10);
        text_put(to, " ", 1);
    }
    put_frame(to, rule);
    put_needs(to, needs, i);
    if (aggregate->kind == AGGREGATE_DISTINCT)
        put_values(to, o->found, index);
}

void window_words_why(struct text_buffer *to, const struct opening *o)
{
    const struct rule *rule = o->rule;
    struct rule_needs needs;
    uint32_t index = 0;
    bool has_said = false;

    rule_when_bears(rule, o->value, &needs);
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        if ((needs.aggregates >> i & 1) != 0) {
            text_put_string(to, has_said ? "; " : "");
            put_one(to, o, &needs, i, index);
            has_said = true;
        }
        index += rule->aggregate[i].kind == AGGREGATE_DISTINCT;
    }
    if (rule->hold_ms > 0) {
        text_put_string(to, "; held for ");
        text_put_duration(to, rule->hold_ms);
    }
}

/* "count() is usually 80, give or take 9.5, in 1h (3 of 3 seasons known; needs a deviation of more
 * than 4)" */
static void put_usual(struct text_buffer *to, const struct rule *rule,
                      const struct rule_needs *needs, uint32_t i, const struct baseline_slot *usual)
{
    const struct rule_aggregate *deviation = &rule->aggregate[i];
    const struct baseline_slot *slot = usual_of(rule, deviation, usual);

    text_put_string(to, rule->aggregate[deviation->of].text);
    if (slot->count > 0) {
        text_put_string(to, " is usually ");
        put_rounded(to, slot->mean);
        text_put_string(to, ", give or take ");
        put_rounded(to, baseline_spread(slot));
        text_put(to, ", ", 2);
    } else {
        text_put(to, " ", 1);
    }
    put_frame(to, rule);
    text_put_string(to, " (");
    put_seasons(to, rule, slot);
    put_bounds(to, needs, i, "; needs a deviation of ");
    text_put_string(to, ")");
}

/* "count() 4 of 5", "count() 7 (needs fewer than 5)" or "sum(value) is 100 (needs more than 100)".
 */
static void put_state(struct text_buffer *to, const struct rule *rule,
                      const struct rule_needs *needs, uint32_t i, int64_t value)
{
    const struct rule_need *only = NULL;
    uint32_t count = 0;

    if (aggregate_is_real(rule->aggregate[i].kind)) {
        put_real(to, &rule->aggregate[i], value);
        put_real_needs(to, needs, i);
        return;
    }
    for (uint32_t n = 0; n < needs->count; n++)
        if (needs->need[n].aggregate == i && count++ == 0)
            only = &needs->need[n];
    text_put_string(to, rule->aggregate[i].text);
    text_put(to, " ", 1);
    text_put_number(to, value);
    if (count == 1 && only->relation == RELATION_GE) {
        text_put_string(to, " of ");
        text_put_number(to, only->bound);
    } else {
        put_needs(to, needs, i);
    }
}

void window_words_state(const struct rule *rule, const struct window *window,
                        const struct baseline_slot *usual, struct text_buffer *to)
{
    int64_t value[RULE_AGGREGATES_MAX];
    uint32_t index[RULE_AGGREGATES_MAX];
    struct rule_needs needs;

    aggregates_compute(rule, window, true, value, index);
    rule_when_needs(rule, &needs);
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        text_put_string(to, i > 0 ? ", " : "");
        if (rule->aggregate[i].kind == AGGREGATE_DEVIATION)
            put_usual(to, rule, &needs, i, usual);
        else
            put_state(to, rule, &needs, i, value[i]);
    }
    if (rule->hold_ms > 0 && window->count > 0)
        text_put_string(to, window->since_ms < INT64_MAX ? ": when holds, and has to for "
                                                         : ": when does not hold, and has to for ");
    if (rule->hold_ms > 0 && window->count > 0)
        text_put_duration(to, rule->hold_ms);
}

const char *window_words_end(const struct rule *rule)
{
    switch (rule->window_kind) {
    case WINDOW_SLIDING:
        return "the oldest left";
    case WINDOW_TUMBLING:
        return rule->looks_at_end ? "its window ended, and when did not hold" : "its window ended";
    case WINDOW_SESSION:
        return rule->looks_at_end ? "its session ended, and when did not hold"
                                  : "its session ended";
    default:
        return "it would have held for long enough";
    }
}
