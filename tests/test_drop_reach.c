/*
 * Aim: of a step that drops it is known which rules lose nothing by it. Method: a step and a rule
 * whose conditions go together or against each other, a row each; once with the step as the first
 * that drops, and once behind so many that it is compared by what both ask of one field alone.
 */
#include "rules_support.h"
#include "rules/drop_reach.h"
#include "rules/enrich.h"
#include "rules/rule_reader.h"

enum { TEXT_BYTES = 64 << 10 };

#define PLAIN(where)                                                                               \
    "  - {id: r, where: '" where "', window: 1m, when: count() >= 1, incident: {title: t}, "       \
    "close: cleared()}\n"

static const struct drop_row {
    const char *step, *rules; /* the rule that is asked for comes first by its id */
    bool first, late;         /* whether it may lose events */
} rows[] = {
    {"check == \"a\"", PLAIN("check == \"a\""), true, true},
    {"check == \"a\"", PLAIN("check == \"a\" && host == \"h\""), true, true},
    {"check == \"a\"", PLAIN("severity >= MAJOR"), true, true},
    {"severity >= MAJOR", PLAIN("check == \"a\""), true, true},
    /* What an event is known by. */
    {"check == \"a\"", PLAIN("check == \"b\""), false, false},
    {"tenant == \"a\"", PLAIN("tenant == \"b\""), false, false},
    {"source == \"a\"", PLAIN("source == \"b\""), false, false},
    {"resource == \"a\"", PLAIN("resource == \"b\""), false, false},
    {"dedup_key == \"a\"", PLAIN("dedup_key == \"b\""), false, false},
    /* Conditions are compared with the first steps alone. */
    {"check.startsWith(\"a\")", PLAIN("check == \"b\""), false, true},
    /* A step may change it. */
    {"labels.x == \"a\"", PLAIN("labels.x == \"a\""), true, true},
    /* What tocsin says, and what becomes of incidents, passes no step. */
    {"check == \"a\"", PLAIN("tenant == \"@tocsin\" && check == \"a\""), false, false},
    {"check == \"a\"",
     "  - {id: a, on: incidents, of: [b, c], by: [tenant], window: 1h, when: count() >= 2, "
     "incident: {title: t}, close: cleared()}\n"
     "  - {id: b, where: check == \"a\", window: 1m, when: count() >= 1, incident: {title: t}, "
     "close: cleared()}\n"
     "  - {id: c, where: check == \"a\", window: 1m, when: count() >= 1, incident: {title: t}, "
     "close: cleared()}\n",
     false, false},
};

/* Behind `before` others. */
static bool is_reached(const struct drop_row *row, uint32_t before)
{
    static char text[TEXT_BYTES];
    struct rule_set *set;
    size_t used = 0;
    bool is;

    used += (size_t)snprintf(text, sizeof(text), "enrich:\n  - {id: s, set: {message: '\"m\"'}}\n");
    for (uint32_t i = 0; i < before; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "  - {id: d%u, where: 'check == \"n%u\"', drop: true}\n",
                                 (unsigned)i, (unsigned)i);
    snprintf(text + used, sizeof(text) - used,
             "  - {id: last, where: '%s', drop: true}\nrules:\n%s", row->step, row->rules);
    set = parse_good(text);
    assert_int_equal(drop_place(set, before + 1), before);
    is = drop_reaches(set, before + 1, before, 0);
    rule_set_destroy(set);
    return is;
}

static void rules_that_lose_nothing_by_a_drop_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (is_reached(&rows[i], 0) != rows[i].first)
            fail_msg("drop %s, row %zu: not %d", rows[i].step, i, rows[i].first);
        if (is_reached(&rows[i], RULE_DROPS_MAX) != rows[i].late)
            fail_msg("drop %s behind many, row %zu: not %d", rows[i].step, i, rows[i].late);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_that_lose_nothing_by_a_drop_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
