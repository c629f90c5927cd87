/*
 * Aim: what a changed step is said to do counts the keys and incidents of all forms of a rule,
 * those that drain too. Method: two sets that differ in one step, and a daemon's figures written by
 * hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "daemon/enrich_steps.h"
#include "daemon/rules_running.h"
#include "tests/rules_parsed.h"

#define SET(value)                                                                                 \
    "enrich:\n  - {id: rack, set: {labels.rack: '\"" value "\" + host'}}\nrules:\n"                \
    "  - {id: by-rack, where: check == \"a\", by: [labels.rack], window: 1m, when: count() >= 2, " \
    "incident: {title: t}, close: cleared()}\n"                                                    \
    "  - {id: beats, where: check == \"b\", by: [labels.rack], expect: {every: 5m}, "              \
    "incident: {title: t}, close: cleared()}\n"

enum { FORMS = 4 };

static struct running_rule form_of(const char *id, bool current, uint64_t keys, uint64_t open)
{
    struct running_rule form = {.held = {.current = current, .keys = keys, .open = open}};

    snprintf(form.held.rule_id, sizeof(form.held.rule_id), "%s", id);
    return form;
}

static const struct step_effect *effect_of(const struct step_effects *effects,
                                           enum step_effect_kind kind)
{
    for (size_t i = 0; i < effects->count; i++)
        if (effects->at[i].kind == kind)
            return &effects->at[i];
    fail_msg("there is no effect of kind %d", (int)kind);
    return NULL;
}

static void all_forms_of_a_rule_are_counted(void **state)
{
    struct rule_set *before = parse_good(SET("a")), *after = parse_good(SET("b"));
    struct arena *arena = arena_create(1 << 20);
    struct rules_running was, next, running;
    struct running_rule forms[FORMS] = {form_of("beats", true, 7, 1), form_of("beats", false, 2, 2),
                                        form_of("by-rack", true, 5, 3),
                                        form_of("by-rack", false, 4, 4)};
    const struct step_effect *effect;
    struct preview_steps steps;
    struct error err = {""};

    (void)state;
    assert_non_null(arena);
    assert_int_equal(rules_running_of_set(before, &was, &err), 0);
    assert_int_equal(rules_running_of_set(after, &next, &err), 0);
    running = was;
    running.rules = forms;
    running.count = FORMS;
    running.is_counted = true;
    assert_true(enrich_steps_compare(&running.steps, &next.steps, arena, &steps));
    assert_true(step_effects_find(&running, &next, after, arena, &steps));
    assert_int_equal(steps.changed, 1);
    assert_int_equal(steps.at[0].effects.count, 2);
    effect = effect_of(&steps.at[0].effects, EFFECT_BY);
    assert_string_equal(effect->name, "labels.rack");
    assert_int_equal(effect->rule_count, 1);
    assert_int_equal(effect->keys, 5 + 4);
    assert_int_equal(effect->open, 3 + 4);
    effect = effect_of(&steps.at[0].effects, EFFECT_EXPECT);
    assert_int_equal(effect->keys, 7 + 2);
    assert_int_equal(effect->open, 1 + 2);
    rules_running_release(&was);
    rules_running_release(&next);
    arena_destroy(arena);
    rule_set_destroy(before);
    rule_set_destroy(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_of_a_rule_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
