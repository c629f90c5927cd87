/*
 * Aim: what is taken, and tells less or other than was meant, is noted, and what is nearly the same
 * is not. Method: a table of files, each with the beginning of the one note that it has, or none;
 * what is told of a rule follows from docs/rules.md and docs/muting.md.
 */
#include "rules_parsed.h"
#include <stdio.h>
#include "daemon/check_notes.h"

#define NOW_MS INT64_C(1767571200000) /* 2026-01-05T00:00:00Z */

struct notes {
    unsigned count;
    char first[600];
};

static void keep(void *self, const char *sentence)
{
    struct notes *notes = self;

    if (notes->count++ == 0)
        snprintf(notes->first, sizeof(notes->first), "%s", sentence);
}

struct row {
    const char *rules, *note; /* its beginning; NULL: none */
};

static void assert_notes(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct notes notes = {.count = 0};
        struct rule_set *set = parse_good(rows[i].rules);
        check_notes(set, NOW_MS, true, keep, &notes);
        rule_set_destroy(set);
        if (notes.count != (rows[i].note != NULL) ||
            (rows[i].note != NULL && strncmp(notes.first, rows[i].note, strlen(rows[i].note)) != 0))
            fail_msg("row %zu: %u notes, the first: %s\nof\n%s", i, notes.count, notes.first,
                     rows[i].rules);
    }
}

#define ASSERT_NOTES(rows) assert_notes((rows), sizeof(rows) / sizeof((rows)[0]))

/* ---- events that a step drops ---- */

#define RULE(where)                                                                                \
    "rules:\n  - {id: r, where: '" where "', by: [host], window: 1m, when: count() >= 1, "         \
    "incident: {title: t}, close: cleared()}\n"
#define DROP(where) "  - {id: d, where: '" where "', drop: true}\n"
#define DROPPED "rule r never opens: enrich step d drops all events that its `where` asks for"

static void a_rule_whose_events_are_dropped_is_noted(void **state)
{
    static const struct row rows[] = {
        {RULE("check == \"ping\"") "enrich:\n" DROP("check == \"ping\""), DROPPED},
        {RULE("check == \"ping\" && value > 5") "enrich:\n" DROP("check == \"ping\""), DROPPED},
        {RULE("check in [\"a\", \"b\"]") "enrich:\n" DROP("check in [\"a\", \"b\", \"c\"]"),
         DROPPED},
        {RULE("severity >= MAJOR") "enrich:\n" DROP("severity >= WARNING"), DROPPED},
        {RULE("check == \"ping\"") "enrich:\n" DROP("check == \"ping\" && state == \"problem\""),
         DROPPED},
        {RULE("check == \"disk.full\"") "enrich:\n  - {id: d, vars: {p: '\"disk.\"'}, where: "
                                        "check.startsWith(p), drop: true}\n",
         DROPPED},
        /* some are left */
        {RULE("check == \"ping\"") "enrich:\n" DROP("check == \"ping\" && severity <= INFO"), NULL},
        {RULE("check in [\"a\", \"b\"]") "enrich:\n" DROP("check == \"a\""), NULL},
        {RULE("check == \"a\"") "enrich:\n" DROP("state == \"clear\""), NULL},
        /* of an absent label the step knows nothing */
        {RULE("check == \"a\"") "enrich:\n" DROP("check == \"a\" && labels.x != \"b\""), NULL},
        /* steps that change something: only what an event is known by stays */
        {RULE("severity >= MAJOR") "enrich:\n" DROP(
             "severity >= WARNING") "  - {id: s, set: {severity: MAJOR}}\n",
         NULL},
        {RULE("check == \"ping\"") "enrich:\n  - {id: s, set: {severity: MAJOR}}\n" DROP(
             "check == \"ping\""),
         DROPPED},
        {RULE("host == \"a\"") "enrich:\n" DROP(
             "host == \"a\"") "  - {id: s, set: {labels.host: check}}\n",
         NULL},
        /* who sees clears */
        {"rules:\n  - {id: r, where: check == \"alive\", by: [host], expect: {every: 1m}, "
         "incident: "
         "{title: t}, close: cleared()}\n"
         "enrich:\n" DROP("check == \"alive\" && state == \"problem\""),
         NULL},
        {"rules:\n  - {id: r, where: check == \"alive\", by: [host], expect: {every: 1m}, "
         "incident: "
         "{title: t}, close: cleared()}\n"
         "enrich:\n" DROP("check == \"alive\""),
         "rule r learns no key, and misses all that it waits for already: enrich step d drops all "
         "signs of life that its `where` asks for"},
        {"rules:\n  - {id: r, where: check == \"alive\", by: [host], expect: {every: 1m, keys: "
         "[{host: a}]}, incident: {title: t}, close: cleared()}\n"
         "enrich:\n" DROP("check == \"alive\""),
         "rule r misses every key that it lists, whether it is silent or not: enrich step d drops "
         "all signs of life that its `where` asks for"},
        /* what passes no step */
        {RULE("tenant == \"@tocsin\" && check == \"keys-evicted\"") "enrich:\n" DROP(
             "check == \"keys-evicted\""),
         NULL},
        /* all steps of a sequence */
        {"rules:\n  - {id: r, by: [host], sequence: [{where: check == \"a\"}, {where: check == "
         "\"b\"}], within: 1m, incident: {title: t}, close: cleared()}\n"
         "enrich:\n" DROP("check in [\"a\", \"b\"]"),
         DROPPED},
    };

    (void)state;
    ASSERT_NOTES(rows);
}

/* ---- texts that read like patterns ---- */

static void a_text_with_a_wildcard_is_noted(void **state)
{
    static const struct row rows[] = {
        {RULE("check == \"disk.*\""), "rule r compares check with \"disk.*\", in which .* stands "
                                      "for itself and for no other text; "
                                      "did you mean check.startsWith(\"disk\")?"},
        {RULE("check == \"*disk\""), "rule r compares check with \"*disk\", in which * stands for "
                                     "itself and for no other text; did you mean "
                                     "check.endsWith(\"disk\")?"},
        {RULE("host == \"a\" && labels.x != \"%disk%\""),
         "rule r compares labels.x with \"%disk%\", in which % stands for itself and for no other "
         "text; did you mean labels.x.contains(\"disk\")?"},
        {RULE("check in [\"a\", \"b*\"]"), "rule r compares check with \"b*\", in which *"},
        {RULE("check == \"100%\""), NULL},
        {RULE("check == \"*\""), NULL},
        {RULE("check == \"a*b\""), NULL},
        {RULE("message.contains(\"*\")"), NULL},
        {RULE("check.matches(\"disk.*\")"), NULL},
    };

    (void)state;
    ASSERT_NOTES(rows);
}

/* ---- how incidents close ---- */

#define CLOSES(when, close)                                                                        \
    "rules:\n  - {id: r, where: check == \"a\", by: [host], on: events, window: 10m, when: '" when \
    "', incident: {title: t}, close: '" close "'}\n"
#define MISSES(close)                                                                              \
    "rules:\n  - {id: r, where: check == \"a\", by: [host], expect: {every: 40s}, incident: "      \
    "{title: t}, close: '" close "'}\n"

static void a_close_that_comes_too_soon_is_noted(void **state)
{
    static const struct row rows[] = {
        {CLOSES("count() >= 3", "fewer(5, 1m)"),
         "rule r opens at 3 and closes at fewer than 5 in 1m: those that open it are too few"},
        {CLOSES("count() > 3", "cleared() || fewer(5, 1m)"),
         "rule r opens at 4 and closes at fewer than 5 in 1m"},
        {CLOSES("count() >= 5", "fewer(5, 1m)"), NULL},
        {CLOSES("count() >= 3", "fewer(5, 1m) && cleared()"), NULL},
        {CLOSES("count() >= 10", "fewer(3, 15m)"), NULL},
        {CLOSES("count() >= 3 && distinct(source) >= 2", "fewer(5, 1m)"), NULL},
        /* nobody waits for the sign of life */
        {MISSES("quiet(1m)"), "rule r closes by time alone: 1m after it opened"},
        {MISSES("fewer(1, 2m)"), "rule r closes by time alone: 2m after it opened"},
        {MISSES("cleared() || quiet(30s)"), "rule r gives a silent key up 30s after it missed it"},
        {MISSES("cleared() || quiet(40s)"), NULL},
        {MISSES("cleared() && quiet(1m)"), NULL},
        {MISSES("cleared()"), NULL},
    };

    (void)state;
    ASSERT_NOTES(rows);
}

/* ---- mutes ---- */

#define BY(id, by)                                                                                 \
    "  - {id: " id ", where: check == \"" id "\", by: [" by "], window: 1m, when: count() >= 1, "  \
    "incident: {title: t}, close: cleared()}\n"
#define INHIBIT(source, equal)                                                                     \
    "inhibit:\n  - {id: i, source: '" source "', target: 'rule == \"svc\"'" equal "}\n"

static void an_inhibition_without_equal_is_noted(void **state)
{
    static const struct row rows[] = {
        {"rules:\n" BY("down", "host") BY("svc", "labels.site, host")
             INHIBIT("rule == \"down\"", ""),
         "r.yaml:5:10: inhibit i has no `equal`: while any incident of its source is open, "
         "whatever "
         "its host, it mutes targets of every host; equal: [host] holds it"},
        {"rules:\n" BY("down", "host") BY("svc", "host")
             INHIBIT("rule == \"down\"", ", equal: [host]"),
         NULL},
        /* none that both have, or one that the source itself names */
        {"rules:\n" BY("down", "labels.site") BY("svc", "host") INHIBIT("rule == \"down\"", ""),
         NULL},
        {"rules:\n" BY("down", "") BY("svc", "host") INHIBIT("rule == \"down\"", ""), NULL},
        {"rules:\n" BY("down", "host") BY("svc", "host")
             INHIBIT("rule == \"down\" && host == \"core1\"", ""),
         NULL},
    };

    (void)state;
    ASSERT_NOTES(rows);
}

#define WINDOW(duration, rrule)                                                                    \
    "maintenance:\n  - {id: m, where: tenant != \"\", start: 2026-01-04T02:00, "                   \
    "duration: " duration ", rrule: '" rrule "'}\n"
#define ALWAYS "r.yaml:2:10: maintenance m is open without a break for more than a year"

static void a_window_that_is_always_open_is_noted(void **state)
{
    static const struct row rows[] = {
        {WINDOW("8d", "FREQ=WEEKLY"), ALWAYS},
        {WINDOW("7d", "FREQ=WEEKLY"), ALWAYS},
        {WINDOW("24h", "FREQ=DAILY"), ALWAYS},
        {WINDOW("31d", "FREQ=MONTHLY"), ALWAYS},
        {WINDOW("12h", "FREQ=DAILY;BYHOUR=2,14"), ALWAYS},
        {WINDOW("6d", "FREQ=WEEKLY"), NULL},
        {WINDOW("30d", "FREQ=MONTHLY"), NULL}, /* months of 31 */
        {WINDOW("8d", "FREQ=WEEKLY;COUNT=10"), NULL},
        {WINDOW("8d", "FREQ=WEEKLY;UNTIL=20260301T000000"), NULL},
        /* who writes that means it */
        {"maintenance:\n  - {id: m, where: tenant != \"\", time_intervals: [{}]}\n", NULL},
    };

    (void)state;
    ASSERT_NOTES(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_whose_events_are_dropped_is_noted),
        cmocka_unit_test(a_text_with_a_wildcard_is_noted),
        cmocka_unit_test(a_close_that_comes_too_soon_is_noted),
        cmocka_unit_test(an_inhibition_without_equal_is_noted),
        cmocka_unit_test(a_window_that_is_always_open_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
