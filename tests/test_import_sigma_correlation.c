/*
 * Aim: correlations of Sigma, with the rules that they refer to, become rules of the same meaning
 * or are listed. Method: rows with the text that they have to become, worked out by hand; chains
 * whose parts are named twice, left out or asked to stand alone. What was written is loaded by the
 * engine as far as the engine has the constructs.
 */
#include "import_support.h"

#define BASES                                                                                      \
    "title: A\nname: a\nid: id-a\nlevel: high\ndetection: {s: {X: 1}, condition: s}\n---\n"        \
    "title: B\nname: b\ndetection: {s: {X: 2}, condition: s}\n---\n"

static const struct correlation_row {
    const char *correlation; /* lines below `correlation:` */
    const char *parts[6];    /* of the entry; none: left out */
    const char *finding;
} correlation_rows[] = {
    {"  type: event_count\n  rules: [a]\n  group-by: [U]\n  timespan: 5m\n  condition: {gte: 10}\n",
     {"    on: events\n", "      has(labels.U) && labels.X == \"1\"\n",
      "    by: [tenant, labels.U]\n    window: 5m\n    when: count() >= 10\n", "priority: P2\n",
      "title: \"C ({labels.U})\"\n", "close: quiet(5m)\n"},
     NULL},
    {"  type: event_count\n  rules: [id-a, b]\n  timespan: 1h\n  condition: {gt: 2}\n",
     {"      labels.X == \"1\" || labels.X == \"2\"\n", "    by: [tenant]\n", "when: count() > 2\n",
      "title: \"C\"\n", "priority: P2\n"},
     NULL},
    {"  type: event_count\n  rules: a\n  group-by: [U]\n  timespan: 90s\n  condition: {gte: "
     "5000}\n",
     {"window: 90s\n", "when: count() >= 5000\n    max_members: 5000\n"},
     NULL},
    {"  type: event_count\n  rules: [a]\n  group-by: [U]\n  timespan: 2d\n  condition: {gt: 1, "
     "lte: "
     "9}\n",
     {"window: {tumbling: 2d}\n    look: end\n    when: count() > 1 && count() <= 9\n"},
     "in.yml:18:14: differs: rule \"C\": that a count stays below a bound"},
    {"  type: event_count\n  rules: [a]\n  group-by: [U]\n  timespan: 5m\n  condition: {eq: 3}\n",
     {"look: end\n    when: count() == 3\n"},
     "differs"},
    {"  type: event_count\n  rules: [a]\n  group-by: [U]\n  timespan: 5m\n  condition: {lt: 3}\n",
     {"look: end\n    when: count() < 3\n"},
     "differs"},
    {"  type: event_count\n  rules: [a]\n  group-by: [U]\n  timespan: 5m\n  condition: {lt: 1}\n",
     {NULL},
     "nothing to happen"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gt: 9, lt: 5}\n",
     {NULL},
     "never be true"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gte: 100001}\n",
     {NULL},
     "at most 100000 events"},
    {"  type: value_count\n  rules: [a]\n  group-by: [U]\n  timespan: 1d\n  condition: {field: "
     "h.name, gte: 4}\n",
     {"      has(labels.U) && has(labels[\"h.name\"]) && labels.X == \"1\"\n",
      "when: distinct(labels[\"h.name\"]) >= 4\n"},
     NULL},
    {"  type: value_count\n  rules: [a]\n  timespan: 1d\n  condition: {field: [H], gte: 400}\n",
     {"when: distinct(labels.H) >= 400\n    max_members: 4000\n"},
     NULL},
    {"  type: value_count\n  rules: [a]\n  timespan: 1d\n  condition: {field: H, gte: 1000}\n",
     {"when: distinct(labels.H) >= 1000\n    max_members: 10000\n"},
     NULL},
    {"  type: value_count\n  rules: [a]\n  timespan: 1d\n  condition: {field: H, gt: 1000}\n",
     {"when: distinct(labels.H) > 1000\n    max_members: 10010\n"},
     "in.yml:17:14: differs: rule \"C\": more than 1000 values are counted as long as no key has "
     "more than 10010 events in 1d"},
    {"  type: value_count\n  rules: [a]\n  timespan: 1d\n  condition: {field: H, lt: 30000}\n",
     {"look: end\n    when: distinct(labels.H) < 30000\n    max_members: 100000\n"},
     "follow each other; more than 1000 values are counted as long as no key has more than 100000 "
     "events"},
    {"  type: value_count\n  rules: [a]\n  timespan: 1d\n  condition: {field: [H, I], gte: 4}\n",
     {NULL},
     "several fields"},
    {"  type: value_count\n  rules: [a]\n  timespan: 1d\n  condition: {gte: 4}\n",
     {NULL},
     "needs a field"},
    {"  type: event_count\n  rules: [a]\n  timespan: 1d\n  condition: {field: X, gte: 4}\n",
     {NULL},
     "value_count alone"},
    {"  type: temporal\n  rules: [a, b]\n  group-by: [U]\n  timespan: 5m\n",
     {"    where: |\n      has(labels.U)\n    all:\n      - as: \"a\"\n        where: |\n          "
      "labels.X == \"1\"\n      - as: \"b\"\n        where: |\n          labels.X == \"2\"\n    "
      "by: [tenant, labels.U]\n    within: 5m\n"},
     NULL},
    {"  type: temporal\n  rules: [a, b]\n  timespan: 5m\n  condition: {gte: 2}\n",
     {"    on: events\n    all:\n"},
     NULL},
    {"  type: temporal\n  rules: [a, b]\n  timespan: 5m\n  condition: {gt: 1}\n",
     {"    all:\n"},
     NULL},
    {"  type: temporal\n  rules: [a, b]\n  timespan: 5m\n  condition: {eq: 2}\n",
     {"    all:\n"},
     NULL},
    {"  type: temporal\n  rules: [a, b]\n  timespan: 5m\n  condition: {gte: 1}\n",
     {NULL},
     "only that all 2 rules"},
    {"  type: temporal\n  rules: [a, b]\n  timespan: 5m\n  condition: a and not b\n",
     {NULL},
     "a map like"},
    {"  type: temporal\n  rules: [a]\n  timespan: 5m\n", {NULL}, "two rules at least"},
    {"  type: temporal_ordered\n  rules: [b, a]\n  group-by: [U]\n  timespan: 1h\n",
     {"    sequence:\n      - as: \"b\"\n        where: |\n          labels.X == \"2\"\n      - "
      "as: "
      "\"a\"\n",
      "within: 1h\n", "priority: P2\n"},
     NULL},
    {"  type: temporal_ordered\n  rules: [b, b]\n  group-by: [U]\n  timespan: 1h\n",
     {"    sequence:\n      - as: \"b\"\n        where: |\n          labels.X == \"2\"\n      - "
      "as: \"b 2\"\n        where: |\n          labels.X == \"2\"\n    by:"},
     NULL},
    {"  type: temporal_ordered\n  rules: [b, a, id-a, b, b]\n  timespan: 1h\n",
     {"as: \"b\"\n", "as: \"a\"\n", "as: \"a 2\"\n", "as: \"b 2\"\n", "as: \"b 3\"\n"},
     NULL},
    {"  type: temporal\n  rules: [a, a]\n  timespan: 5m\n",
     {"    all:\n      - as: \"a\"\n", "      - as: \"a 2\"\n"},
     NULL},
    /* an alias of one and the same field is that field; of two, a label that steps make */
    {"  type: temporal\n  rules: [a, b]\n  group-by: [who]\n  timespan: 5m\n  aliases:\n    who: "
     "{a: "
     "U, b: U}\n",
     {"by: [tenant, labels.U]\n"},
     NULL},
    {"  type: temporal\n  rules: [a, b]\n  group-by: [who]\n  timespan: 5m\n  aliases:\n    who: "
     "{a: "
     "U, b: V}\n",
     {"by: [tenant, \"labels[\\\"sigma-alias-who\\\"]\"]\n",
      "      has(labels[\"sigma-alias-who\"])\n"},
     "in.yml:19:10: differs: rule \"C\": the alias who is a label that enrich steps make"},
    {"  type: temporal\n  rules: [a, b]\n  group-by: [who]\n  timespan: 5m\n  aliases:\n    who: "
     "{a: "
     "U}\n",
     {NULL},
     "names no field"},
    {"  type: event_count\n  rules: [a]\n  group-by: [U]\n  timespan: 5m\n  condition: {gte: 2}\n  "
     "aliases:\n    who: {a: U}\n",
     {"by: [tenant, labels.U]\n"},
     "ignored: key who"},
    {"  type: event_count\n  rules: [a]\n  generate: true\n  timespan: 5m\n  condition: {gte: 2}\n",
     {"when: count() >= 2\n"},
     NULL},
    {"  type: event_count\n  rules: [c]\n  timespan: 5m\n  condition: {gte: 2}\n",
     {NULL},
     "no rule in these files has the name or id \"c\""},
    {"  type: event_count\n  rules: [many]\n  timespan: 5m\n  condition: {gte: 2}\n",
     {NULL},
     "in.yml:15:10: left out: rule \"C\": it is made of itself"},
    {"  type: value_median\n  rules: [a]\n  timespan: 5m\n  condition: {gte: 2}\n",
     {NULL},
     "a correlation is event_count"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5 minutes\n  condition: {gte: 2}\n",
     {NULL},
     "a timespan is a number"},
    {"  type: event_count\n  rules: [a]\n  timespan: 31d\n  condition: {gte: 2}\n",
     {NULL},
     "at most 30 days"},
    {"  type: event_count\n  rules: [a]\n  timespan: 30d\n  condition: {gte: 2}\n",
     {"window: 30d\n"},
     NULL},
    {"  type: event_count\n  rules: [a]\n  timespan: 5M\n  condition: {gte: 2}\n",
     {NULL},
     "a timespan is a number"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {lt: 3, gt: 4, lte: 9}\n",
     {NULL},
     "never be true"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {lt: 1000000000}\n",
     {NULL},
     "at most 9 digits"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {gte: two}\n",
     {NULL},
     "a whole number"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition: {neq: 2}\n",
     {NULL},
     "gt, gte, lt"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n", {NULL}, "condition of a correlation"},
    {"  type: event_count\n  rules: [a]\n  timespan: 5m\n  gap: 1m\n  condition: {gte: 2}\n",
     {NULL},
     "in.yml:17:3: left out: rule \"C\": the key gap"},
    {"  type: event_count\n  rules: [a]\n  group-by: [A, B, C, D, E, F, G, H]\n  timespan: 5m\n  "
     "condition: {gte: 2}\n",
     {NULL},
     "a key takes 7 fields"},
};

static const struct import_entry *entry_called(const struct imported *imported, const char *id)
{
    for (size_t i = 0; i < imported->result.entry_count; i++)
        if (strcmp(imported->result.entries[i].id, id) == 0)
            return &imported->result.entries[i];
    return NULL;
}

static void correlations_become_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(correlation_rows) / sizeof(correlation_rows[0]); i++) {
        const struct correlation_row *row = &correlation_rows[i];
        const struct import_entry *entry;
        struct imported got;
        char text[3000];
        snprintf(text, sizeof(text), BASES "title: C\nname: many\ncorrelation:\n%s",
                 row->correlation);
        import_text_with(&got, text, NULL, false);
        if (got.rc != 0)
            fail_msg("%s\n%s", text, got.err.text);
        entry = entry_called(&got, "sigma-c");
        if ((row->finding == NULL && got.result.finding_count > 0) ||
            (row->finding != NULL && !has_finding(&got, row->finding)) ||
            (entry != NULL) != (row->parts[0] != NULL)) {
            print_findings(&got);
            fail_msg("row %zu: expected %s\n%s", i, row->finding, text);
        }
        for (int p = 0; entry != NULL && p < 6 && row->parts[p] != NULL; p++)
            if (strstr(entry->text, row->parts[p]) == NULL)
                fail_msg("row %zu: no %s in\n%s", i, row->parts[p], entry->text);
        assert_entries_load(&got);
        imported_release(&got);
    }
}

/* A rule that is a part of others is none by itself, unless `generate` says so or nobody refers to
 * it; what only informs is nobody's page. */
/* One rule of a chain that is named twice is made once: were there two, one event would be both. */
static const char part_bases[] = "title: A\nname: a\n"
                                 "detection: {s: {F: 1}, condition: s}\n---\n"
                                 "title: B\nname: b\n"
                                 "detection: {s: {F: 2}, condition: s}\n---\n";

/* The bases, a document, and what stands behind it. */
static void import_parts(struct imported *got, const char *first, const char *rest)
{
    static char text[2000];

    snprintf(text, sizeof(text), "%s%s%s", part_bases, first, rest);
    import_text_with(got, text, NULL, false);
}

static void a_part_of_a_chain_that_is_named_twice_is_made_once(void **state)
{
    (void)state;
    struct imported got;
    const struct import_entry *entry;

    import_text_with(&got,
                     BASES
                     "title: M\nname: m\ncorrelation:\n  type: event_count\n  rules: [a]\n"
                     "  group-by: [U]\n  timespan: 5m\n  condition: {gte: 3}\n---\n"
                     "title: C\ncorrelation:\n  type: temporal_ordered\n  rules: [m, b, m, b]\n"
                     "  group-by: [U]\n  timespan: 1h\n",
                     NULL, false);
    entry = entry_called(&got, "sigma-c");
    if (entry == NULL)
        print_findings(&got);
    assert_non_null(entry);
    assert_non_null(strstr(entry->text, "    of:\n      - sigma-m-seen\n      - sigma-b-seen\n"
                                        "    sequence:\n"));
    assert_non_null(strstr(entry->text,
                           "as: \"m 2\"\n        where: check == \"sigma-m-seen\"\n      - as: "
                           "\"b 2\"\n        where: check == \"sigma-b-seen\"\n    by:"));
    assert_null(strstr(entry->text, "-seen-2"));
    assert_entries_load(&got);
    imported_release(&got);
}

/* A detection that correlations refer to is in the result as a part of them: where none of these
 * is, it is listed, too. */
static void a_detection_that_was_only_a_part_of_what_is_left_out_is_listed(void **state)
{
    static const char left_out[] =
        "title: C\ncorrelation: {type: temporal, rules: [a, b], timespan: 5m, gap: 1}\n";
    static const char why[] = "it is only a part of correlations, and those are left out";
    char line[200];
    struct imported got;

    (void)state;
    /* One correlation, left out: both parts at their places. */
    import_parts(&got, left_out, "");
    assert_int_equal(got.result.entry_count, 0);
    assert_true(has_finding(&got, ": left out: rule \"C\": the key gap"));
    snprintf(line, sizeof(line), "in.yml:1:1: left out: rule \"A\": %s", why);
    assert_true(has_finding(&got, line));
    snprintf(line, sizeof(line), "in.yml:5:1: left out: rule \"B\": %s", why);
    assert_true(has_finding(&got, line));
    imported_release(&got);

    /* Another one has A. */
    import_parts(&got, left_out,
                 "---\ntitle: D\ncorrelation: {type: event_count, rules: [a], timespan: 5m, "
                 "condition: {gte: 3}}\n");
    assert_non_null(entry_called(&got, "sigma-d"));
    assert_false(has_finding(&got, "rule \"A\": it is only"));
    assert_true(has_finding(&got, "rule \"B\": it is only"));
    imported_release(&got);

    /* A chain has what its parts are made of. */
    import_parts(&got,
                 "title: M\nname: m\ncorrelation: {type: event_count, rules: [a], "
                 "timespan: 5m, condition: {gte: 3}}\n",
                 "---\ntitle: D\ncorrelation: {type: temporal_ordered, rules: [m, b], "
                 "timespan: 5m}\n");
    assert_non_null(entry_called(&got, "sigma-d"));
    assert_false(has_finding(&got, "it is only a part"));
    imported_release(&got);

    /* Left out as its parts are; what the chain is made of is so as well. */
    import_parts(&got,
                 "title: M\nname: m\ncorrelation: {type: event_count, rules: [a], "
                 "timespan: 5m, condition: {gte: 3}}\n",
                 "---\ntitle: D\ncorrelation: {type: temporal_ordered, rules: [m, b], "
                 "timespan: 5m, gap: 1}\n");
    assert_true(has_finding(&got, "rule \"A\": it is only"));
    assert_true(has_finding(&got, "rule \"B\": it is only"));
    assert_true(has_finding(&got, "rule \"M\": it is only"));
    imported_release(&got);

    /* Rules of their own, and nothing else. */
    import_parts(&got,
                 "title: C\ncorrelation: {type: temporal, rules: [a, b], timespan: 5m, gap: 1, "
                 "generate: true}\n",
                 "");
    assert_non_null(entry_called(&got, "sigma-a"));
    assert_non_null(entry_called(&got, "sigma-b"));
    assert_false(has_finding(&got, "it is only a part"));
    imported_release(&got);

    /* In whatever words; what is neither is listed. */
    import_parts(&got,
                 "title: C\ngenerate: True\ncorrelation: {type: temporal, rules: [a, b], "
                 "timespan: 5m}\n",
                 "");
    assert_non_null(entry_called(&got, "sigma-a"));
    assert_int_equal(got.result.finding_count, 0);
    imported_release(&got);
    import_parts(&got,
                 "title: C\ncorrelation: {type: temporal, rules: [a, b], timespan: 5m, "
                 "generate: maybe}\n",
                 "");
    assert_null(entry_called(&got, "sigma-a"));
    assert_true(has_finding(&got, "in.yml:10:60: ignored: key generate: it is true or false"));
    imported_release(&got);

    /* An alias that cannot be read is no field. */
    import_parts(&got,
                 "title: C\ncorrelation: {type: temporal, rules: [a, b], timespan: 5m, "
                 "group-by: [u], aliases: [u]}\n",
                 "");
    assert_true(has_finding(&got, "left out: rule \"C\": aliases are a map of names"));
    imported_release(&got);
}

static void base_rules_stand_alone_when_asked_to(void **state)
{
    (void)state;
    struct imported got;

    import_text_with(&got,
                     BASES "title: C\ncorrelation: {type: event_count, rules: [a], timespan: 5m, "
                           "condition: {gte: 2}}\n",
                     NULL, false);
    assert_int_equal(got.result.entry_count, 2);
    assert_null(entry_called(&got, "sigma-a"));
    assert_non_null(entry_called(&got, "sigma-b"));
    imported_release(&got);

    import_text_with(&got,
                     BASES "title: C\ncorrelation: {type: event_count, rules: [a], timespan: 5m, "
                           "generate: true, condition: {gte: 2}}\n",
                     NULL, false);
    assert_non_null(entry_called(&got, "sigma-a"));
    imported_release(&got);

    /* One that says so is enough. */
    import_text_with(&got,
                     BASES "title: C\ncorrelation: {type: event_count, rules: [a], timespan: 5m, "
                           "generate: true, condition: {gte: 2}}\n---\n"
                           "title: D\ncorrelation: {type: event_count, rules: [a], timespan: 5m, "
                           "condition: {gte: 3}}\n",
                     NULL, false);
    assert_non_null(entry_called(&got, "sigma-a"));
    imported_release(&got);

    import_text_with(&got, "title: I\nlevel: informational\ndetection: {s: {A: 1}, condition: s}\n",
                     NULL, false);
    assert_int_equal(got.result.entry_count, 0);
    assert_true(has_finding(&got, "in.yml:1:1: left out: rule \"I\": of level informational"));
    imported_release(&got);
}

static void rules_of_the_same_title_get_ids_of_their_own(void **state)
{
    (void)state;
    struct imported got;
#define SAME(title) "title: " title "\ndetection: {s: {A: 1}, condition: s}\n"

    import_text_with(&got,
                     SAME("X y!") "---\n" SAME("x Y") "---\n" SAME("x y 2") "---\n" SAME("X-y"),
                     NULL, false);
    assert_int_equal(got.result.entry_count, 4);
    assert_string_equal(got.result.entries[0].id, "sigma-x-y");
    assert_string_equal(got.result.entries[1].id, "sigma-x-y-2");
    assert_string_equal(got.result.entries[2].id, "sigma-x-y-2-2");
    assert_string_equal(got.result.entries[3].id, "sigma-x-y-3");
    imported_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlations_become_rules),
        cmocka_unit_test(a_part_of_a_chain_that_is_named_twice_is_made_once),
        cmocka_unit_test(a_detection_that_was_only_a_part_of_what_is_left_out_is_listed),
        cmocka_unit_test(base_rules_stand_alone_when_asked_to),
        cmocka_unit_test(rules_of_the_same_title_get_ids_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
