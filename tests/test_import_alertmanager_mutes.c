/*
 * Aim: inhibitions and time intervals of Alertmanager become inhibitions and maintenance windows of
 * the same meaning, or are listed. Method: rows worked out by hand from its configuration
 * reference, and routes that are muted by intervals of several forms.
 */
#include "import_support.h"

/* ---- inhibition ---- */

static const struct inhibit_row {
    const char *routes; /* group_by of the root, and more of it */
    const char *rule;   /* one entry of inhibit_rules */
    const char *source; /* NULL: left out */
    const char *target, *equal, *finding;
} inhibit_rows[] = {
    {"[alertname, cluster]",
     "{source_matchers: ['severity=critical'], target_matchers: ['severity=~\"warning|info\"'], "
     "equal: [cluster]}",
     "severity == CRITICAL && rule in [\"am-r\"]",
     "severity in [INFO, WARNING] && rule in [\"am-r\"]", "[labels.cluster]",
     "differs: inhibition inhibit-1: an alert without the label severity is a warning"},
    {"[alertname, cluster]",
     "{source_matchers: ['severity=critical'], target_matchers: ['severity!=critical'], equal: "
     "[cluster]}",
     "severity == CRITICAL && rule in [\"am-r\"]", "!(severity == CRITICAL) && rule in [\"am-r\"]",
     "[labels.cluster]",
     "differs: inhibition inhibit-1: a word of severity that it names stands for all that are the "
     "same severity here"},
    {"[alertname, cluster]",
     "{source_matchers: ['severity=critical'], target_matchers: ['alertname=a'], equal: [cluster]}",
     "severity == CRITICAL && rule in [\"am-r\"]",
     "labels.alertname == \"a\" && rule in [\"am-r\"]", "[labels.cluster]",
     "differs: inhibition inhibit-1: a word of severity that it names stands for all"},
    {"[alertname, cluster]",
     "{source_matchers: ['severity!=warning'], target_matchers: ['severity=info'], equal: "
     "[cluster]}",
     "!(severity == WARNING) && rule in [\"am-r\"]", "severity == INFO && rule in [\"am-r\"]",
     "[labels.cluster]",
     "differs: inhibition inhibit-1: an alert without the label severity is a warning"},
    {"[alertname, cluster]",
     "{source_match: {alertname: ClusterDown}, target_match_re: {alertname: 'Node.*'}, equal: "
     "[cluster]}",
     "labels.alertname == \"ClusterDown\" && rule in [\"am-r\"]",
     "labels.alertname.matches(\"^(?:Node.*)$\") && rule in [\"am-r\"]", "[labels.cluster]", NULL},
    /* words that are one severity */
    {"[alertname]", "{source_matchers: ['severity=page'], target_matchers: ['severity=critical']}",
     NULL, NULL, NULL,
     "left out: inhibition inhibit-1: \"page\" and \"critical\" are the same severity here, so its "
     "source and its target are the same incidents"},
    {"[alertname]",
     "{source_matchers: ['severity!=page'], target_matchers: ['severity!~\"fatal|crit\"']}", NULL,
     NULL, NULL, "left out: inhibition inhibit-1: \"page\" and \"fatal\" are the same severity"},
    {"[alertname]",
     "{source_matchers: ['severity=page'], target_matchers: ['severity=~\"critical|info\"']}",
     "severity == CRITICAL && rule in [\"am-r\"]",
     "severity in [INFO, CRITICAL] && rule in [\"am-r\"]", "",
     "differs: inhibition inhibit-1: \"page\" and \"critical\" are the same severity here, and of "
     "the incidents that match its source and its target none inhibits another"},
    {"[alertname]", "{source_matchers: ['severity=error'], target_matchers: ['severity=error']}",
     "severity == MAJOR && rule in [\"am-r\"]", "severity == MAJOR && rule in [\"am-r\"]", "",
     "differs: inhibition inhibit-1: a word of severity that it names stands for all"},
    /* where all routes group by it, the label is compared */
    {"[alertname, severity]",
     "{source_matchers: ['severity=page'], target_matchers: ['severity=critical'], equal: "
     "[alertname]}",
     "labels.severity == \"page\" && rule in [\"am-r\"]",
     "labels.severity == \"critical\" && rule in [\"am-r\"]", "[labels.alertname]", NULL},
    {"[severity, team]",
     "{source_matchers: ['severity!=\"critical\"'], target_matchers: ['severity=~\"cr.*\"', "
     "'team=\"\"']}",
     "!(labels.severity == \"critical\") && rule in [\"am-r\"]",
     "labels.severity.matches(\"^(?:cr.*)$\") && labels.team == \"\" && rule in [\"am-r\"]", "",
     NULL},
    {"[severity]", "{source_matchers: ['severity=\"\"'], target_matchers: ['severity=warning']}",
     "labels.severity == \"\" && rule in [\"am-r\"]",
     "labels.severity == \"warning\" && rule in [\"am-r\"]", "", NULL},
    {"[alertname, severity]",
     "{source_matchers: ['alertname=a'], target_matchers: ['alertname=b'], equal: [severity]}",
     "labels.alertname == \"a\" && rule in [\"am-r\"]",
     "labels.alertname == \"b\" && rule in [\"am-r\"]", "[labels.severity]", NULL},
    {"[alertname]",
     "{source_matchers: ['alertname=a'], target_matchers: ['alertname=b'], equal: [severity]}",
     NULL, NULL, NULL, "no route groups by all labels"},
    /* some do: the severity stands for it in all; with `equal` both sides are held to these */
    {"[alertname]\n  routes:\n    - {receiver: one, match: {x: y}, group_by: [alertname, "
     "severity]}",
     "{source_matchers: ['severity=critical'], target_matchers: ['severity=info']}",
     "severity == CRITICAL && rule in [\"am-r\", \"am-one\"]",
     "severity == INFO && rule in [\"am-r\", \"am-one\"]", "",
     "differs: inhibition inhibit-1: a word of severity that it names stands for all"},
    {"[alertname]\n  routes:\n    - {receiver: one, match: {x: y}, group_by: [alertname, "
     "severity]}",
     "{source_matchers: ['alertname=a'], target_matchers: ['severity=bad'], equal: [severity]}",
     "labels.alertname == \"a\" && rule in [\"am-one\"]",
     "labels.severity == \"bad\" && rule in [\"am-one\"]", "[labels.severity]",
     "differs: inhibition inhibit-1: it holds between incidents of those routes"},
    /* on incidents, what is missing is empty text: no test for presence */
    {"[alertname]",
     "{source_matchers: ['alertname!=\"\"'], target_matchers: ['alertname=~\"b*\"']}",
     "labels.alertname != \"\" && rule in [\"am-r\"]",
     "labels.alertname.matches(\"^(?:b*)$\") && rule in [\"am-r\"]", "", NULL},
    {"[alertname]", "{name: Site down, source_matchers: [], target_matchers: ['alertname=x']}",
     "rule in [\"am-r\"]", "labels.alertname == \"x\" && rule in [\"am-r\"]", "", NULL},
    {"[alertname]", "{source_matchers: ['severity=bad'], target_matchers: ['alertname=x']}", NULL,
     NULL, NULL,
     "severity is no text here, and this cannot be compared with it: add it to group_by of all its "
     "routes"},
    {"[alertname]", "{source_matchers: ['severity=~\"|info\"'], target_matchers: ['alertname=x']}",
     NULL, NULL, NULL, "severity is no text here"},
    {"[alertname]", "{source_matchers: ['severity=~\"cr.*\"'], target_matchers: ['alertname=x']}",
     NULL, NULL, NULL, "severity is no text here"},
    /* labels that no incident carries */
    {"[alertname]",
     "{source_matchers: ['alertname=a'], target_matchers: ['alertname=b'], equal: "
     "[cluster]}",
     NULL, NULL, NULL, "no route groups by all labels"},
    {"[alertname]", "{source_matchers: ['team=a'], target_matchers: ['alertname=b']}", NULL, NULL,
     NULL, "no route groups by all labels"},
    {"[alertname]",
     "{source_matchers: ['alertname=a'], target_matchers: ['alertname=b'], when: now}", NULL, NULL,
     NULL, "the key when of an inhibition is not known"},
    {"[alertname]", "{source_matchers: ['alertname=a'], target_matcher: ['alertname=b']}", NULL,
     NULL, NULL,
     "the key target_matcher of an inhibition is not known; did you mean \"target_matchers\"?"},
    /* only some do: both sides are held to them */
    {"[alertname, cluster]\n  routes:\n    - {receiver: flat, match: {x: y}, group_by: "
     "[alertname]}",
     "{source_matchers: ['alertname=a'], target_matchers: ['alertname=b'], equal: [cluster]}",
     "labels.alertname == \"a\" && rule in [\"am-r\"]",
     "labels.alertname == \"b\" && rule in [\"am-r\"]", "[labels.cluster]",
     "differs: inhibition inhibit-1: it holds between incidents of those routes"},
};

static void inhibitions_hold_between_incidents_that_carry_the_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(inhibit_rows) / sizeof(inhibit_rows[0]); i++) {
        const struct inhibit_row *row = &inhibit_rows[i];
        const struct import_entry *entry = NULL;
        char text[2000], value[500];
        struct imported got;
        snprintf(text, sizeof(text),
                 "route:\n  receiver: r\n  group_by: %s\ninhibit_rules:\n  - %s\n", row->routes,
                 row->rule);
        import_text_with(&got, text, NULL, false);
        if (got.rc != 0)
            fail_msg("%s\n%s", text, got.err.text);
        for (size_t e = 0; e < got.result.entry_count; e++)
            if (got.result.entries[e].section == IMPORT_INHIBIT)
                entry = &got.result.entries[e];
        if ((row->finding == NULL && other_findings(&got) > 0) ||
            (row->finding != NULL && !has_finding(&got, row->finding)) ||
            (entry != NULL) != (row->source != NULL)) {
            print_findings(&got);
            fail_msg("row %zu: %s", i, text);
        }
        if (entry != NULL) {
            entry_value(entry, "source", value, sizeof(value));
            assert_string_equal(value, row->source);
            entry_value(entry, "target", value, sizeof(value));
            assert_string_equal(value, row->target);
            entry_value(entry, "equal", value, sizeof(value));
            assert_string_equal(value, row->equal);
        }
        assert_entries_load(&got);
        imported_release(&got);
    }
}

/* Every incident has a tenant, whatever its rule groups by. */
static void a_label_that_is_the_tenant_is_always_there(void **state)
{
    (void)state;
    struct imported got;
    char value[200];

    import_text_with(&got,
                     "route: {receiver: r, group_by: [a]}\n"
                     "inhibit_rules:\n  - source_matchers: ['a=b']\n    "
                     "target_matchers: ['a=c']\n    equal: [customer]\n",
                     "labels: {customer: tenant}\n", false);
    assert_int_equal(got.result.entry_count, 2);
    entry_value(&got.result.entries[1], "equal", value, sizeof(value));
    assert_string_equal(value, "[tenant]");
    assert_entries_load(&got);
    imported_release(&got);
}

/* Without routes nothing is known of what rules group by. */
static void inhibitions_alone_are_held_to_no_rule(void **state)
{
    (void)state;
    struct imported got;
    char value[200];

    import_text_with(&got,
                     "inhibit_rules:\n  - name: Site Down\n    source_matchers: ['a=b']\n    "
                     "target_matchers: ['c=d']\n    equal: [e]\n",
                     NULL, false);
    assert_int_equal(other_findings(&got), 1);
    assert_true(has_finding(&got,
                            "differs: inhibition Site Down: the file has no routes, so it holds "
                            "between incidents of all rules"));
    assert_int_equal(got.result.entry_count, 1);
    assert_string_equal(got.result.entries[0].id, "am-site-down");
    entry_value(&got.result.entries[0], "target", value, sizeof(value));
    assert_string_equal(value, "labels.c == \"d\"");
    imported_release(&got);

    import_text_with(&got,
                     "inhibit_rules:\n  - source_matchers: ['a=b']\n    "
                     "target_matchers: ['c=d']\n    equal: [severity]\n",
                     NULL, false);
    assert_int_equal(got.result.entry_count, 0);
    assert_true(has_finding(&got, "left out: inhibition inhibit-1: severity is no key of incidents "
                                  "here"));
    imported_release(&got);

    /* There are routes, but none of which a rule could be made. */
    import_text_with(&got,
                     "route: {receiver: r, group_by: {a: b}}\n"
                     "inhibit_rules:\n  - source_matchers: ['a=b']\n    "
                     "target_matchers: ['c=d']\n    equal: [e]\n",
                     NULL, false);
    assert_int_equal(got.result.entry_count, 0);
    assert_true(has_finding(&got,
                            "left out: inhibition inhibit-1: no route became a rule, so there "
                            "is no incident it is about"));
    imported_release(&got);
}

/* ---- time intervals ---- */

static void muted_routes_get_maintenance_windows(void **state)
{
    (void)state;
    static const char in[] =
        "route:\n"
        "  receiver: r\n"
        "  routes:\n"
        "    - {receiver: dev, match: {a: b}, mute_time_intervals: [night, we]}\n"
        "time_intervals:\n"
        "  - name: night\n"
        "    time_intervals:\n"
        "      - times: [{start_time: 22:00, end_time: 24:00}]\n"
        "        weekdays: ['monday:friday']\n"
        "        location: Europe/Zurich\n"
        "      - days_of_month: ['1:5', '-3:-1']\n"
        "        months: ['may:august', '12']\n"
        "        years: ['2026:2027']\n"
        "mute_time_intervals:\n"
        "  - name: we\n"
        "    time_intervals: [{weekdays: [saturday]}]\n";
    static const char out[] = "  - id: am-dev-mute\n"
                              "    where: rule == \"am-dev\"\n"
                              "    time_intervals:\n"
                              "      - times: [{start_time: \"22:00\", end_time: \"24:00\"}]\n"
                              "        weekdays: [\"monday:friday\"]\n"
                              "        location: \"Europe/Zurich\"\n"
                              "      - days_of_month: [\"1:5\", \"-3:-1\"]\n"
                              "        months: [\"may:august\", \"12\"]\n"
                              "        years: [\"2026:2027\"]\n"
                              "      - weekdays: [\"saturday\"]\n";
    struct imported got;

    import_text_with(&got, in, NULL, false);
    if (other_findings(&got) > 0)
        print_findings(&got);
    assert_int_equal(other_findings(&got), 0);
    assert_int_equal(got.result.entry_count, 3);
    assert_int_equal(got.result.entries[2].section, IMPORT_MAINTENANCE);
    assert_string_equal(got.result.entries[2].text, out);
    assert_entries_load(&got);
    imported_release(&got);
}

/* Told on working days from 9 to 17 and on Saturday until noon: muted at all other times. */
static void routes_that_tell_at_times_are_muted_at_all_others(void **state)
{
    (void)state;
    static const char in[] =
        "route:\n"
        "  receiver: r\n"
        "  routes:\n"
        "    - {receiver: day, match: {a: b}, active_time_intervals: [work, half]}\n"
        "    - {receiver: all, match: {a: c}, active_time_intervals: [ever]}\n"
        "time_intervals:\n"
        "  - name: work\n"
        "    time_intervals:\n"
        "      - times: [{start_time: 09:00, end_time: 12:30}, {start_time: 12:30, end_time: "
        "17:00}]\n"
        "        weekdays: ['Monday:friday']\n"
        "        location: Europe/Zurich\n"
        "  - name: half\n"
        "    time_intervals:\n"
        "      - {times: [{start_time: 00:00, end_time: 12:00}], weekdays: [saturday], location: "
        "Europe/Zurich}\n"
        "  - name: ever\n"
        "    time_intervals: [{}]\n";
    static const char out[] =
        "  - id: am-day-inactive\n"
        "    where: rule == \"am-day\"\n"
        "    time_intervals:\n"
        "      - weekdays: [\"sunday\"]\n"
        "        location: \"Europe/Zurich\"\n"
        "      - weekdays: [\"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\"]\n"
        "        times: [{start_time: \"00:00\", end_time: \"09:00\"}, {start_time: \"17:00\", "
        "end_time: \"24:00\"}]\n"
        "        location: \"Europe/Zurich\"\n"
        "      - weekdays: [\"saturday\"]\n"
        "        times: [{start_time: \"12:00\", end_time: \"24:00\"}]\n"
        "        location: \"Europe/Zurich\"\n";
    struct imported got;

    import_text_with(&got, in, NULL, false);
    if (other_findings(&got) > 0)
        print_findings(&got);
    assert_int_equal(other_findings(&got), 0);
    assert_int_equal(got.result.entry_count, 4);
    assert_string_equal(got.result.entries[3].text, out);
    assert_entries_load(&got);
    imported_release(&got);
}

static const struct interval_row {
    const char *names, *interval, *finding;
} interval_rows[] = {
    {"mute_time_intervals: [other]", "time_intervals: [{weekdays: [monday]}]",
     "there is no time interval \"other\": "},
    {"mute_time_intervals: [x]", "time_intervals: [{weekdays: [monday], moon: full}]",
     "the key moon of an interval is not known"},
    {"mute_time_intervals: [x]", "time_intervals: [{weekdays: [monday], month: ['1']}]",
     "the key month of an interval is not known; did you mean \"months\"?"},
    {"mute_time_intervals: [x]", "time_intervals: [{weekdays: [monday], location: Local}]",
     "the zone of the machine"},
    {"mute_time_intervals: [x]", "time_intervals: [{times: [{start_time: 1:00}]}]",
     "a time is a map of start_time and end_time"},
    {"mute_time_intervals: [x]", "time_intervals: []", "it has no list time_intervals"},
    {"mute_time_intervals: [x]", "time_intervals: [{weekdays: monday}]", "a list of ranges"},
    {"active_time_intervals: [x]", "time_intervals: [{weekdays: [monday], months: ['1']}]",
     "ignored: key active_time_intervals: what lies outside of"},
    {"active_time_intervals: [x]",
     "time_intervals: [{location: UTC, weekdays: [monday]}, {location: Asia/Tokyo}]",
     "ignored: key active_time_intervals: its intervals are in different zones"},
    /* Without one it is UTC. */
    {"active_time_intervals: [x]",
     "time_intervals: [{location: Asia/Tokyo, weekdays: [monday]}, {weekdays: [tuesday]}]",
     "ignored: key active_time_intervals: its intervals are in different zones"},
    {"active_time_intervals: [x]",
     "time_intervals: [{weekdays: [monday]}, {location: Asia/Tokyo, weekdays: [tuesday]}]",
     "ignored: key active_time_intervals: its intervals are in different zones"},
    {"active_time_intervals: [x]", "time_intervals: [{weekdays: [friday:monday]}]",
     "ignored: key active_time_intervals: its weekdays or times"},
    {"active_time_intervals: [x]",
     "time_intervals: [{times: [{start_time: 9:00, end_time: 10:00}]}]",
     "ignored: key active_time_intervals: its weekdays or times"},
    {"group_wait: 1s", "time_intervals: [{weekdays: [monday]}]",
     "ignored: time interval \"x\": no route names it"},
};

static void intervals_that_cannot_be_kept_are_listed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(interval_rows) / sizeof(interval_rows[0]); i++) {
        char text[1000];
        struct imported got;
        snprintf(text, sizeof(text),
                 "route:\n  receiver: r\n  routes:\n    - receiver: dev\n      match: {a: b}\n"
                 "      %s\ntime_intervals:\n  - name: x\n    %s\n",
                 interval_rows[i].names, interval_rows[i].interval);
        import_text_with(&got, text, NULL, false);
        assert_int_equal(got.rc, 0);
        if (!has_finding(&got, interval_rows[i].finding)) {
            print_findings(&got);
            fail_msg("row %zu: no %s\n%s", i, interval_rows[i].finding, text);
        }
        assert_null(strstr(got.result.text, "maintenance:"));
        imported_release(&got);
    }
}

static void an_interval_that_is_not_there_differs(void **state)
{
    struct imported got;

    (void)state;
    import_text_with(&got,
                     "route: {receiver: r, routes: [{receiver: s, matchers: [a=b], "
                     "mute_time_intervals: [x]}, {receiver: t, active_time_intervals: [y]}]}\n",
                     NULL, false);
    assert_int_equal(got.rc, 0);
    assert_false(has_finding(&got, "left out: route to \"s\""));
    assert_true(has_finding(&got, "differs: route to \"s\": there is no time interval \"x\": "
                                  "its incidents are told at that time, too"));
    assert_true(has_finding(&got, "differs: route to \"t\": there is no time interval \"y\": "
                                  "its incidents are told at all times"));
    imported_release(&got);
}

/* One window for all routes with the same intervals, and one for all that tell nobody; an interval
 * that the engine does not take is left out by its name, and the rest of the route's stay. */
static void routes_share_windows_and_a_bad_interval_has_a_name(void **state)
{
    static const char in[] =
        "route:\n"
        "  receiver: top\n"
        "  group_by: [alertname]\n"
        "  repeat_interval: 0s\n"
        "  group_interval: 5m\n"
        "  routes:\n"
        "    - {receiver: a, matchers: ['t=\"1\"'], mute_time_intervals: [bad, good]}\n"
        "    - {receiver: b, matchers: ['t=\"2\"'], mute_time_intervals: [good]}\n"
        "    - {receiver: \"null\", matchers: ['t=\"4\"']}\n"
        "    - {receiver: \"null\", matchers: ['t=\"5\"']}\n"
        "time_intervals:\n"
        "  - {name: good, time_intervals: [{weekdays: [monday]}]}\n"
        "  - {name: bad, time_intervals: [{location: Mars/Olympus}]}\n";
    static const char *const out[] = {"  - id: am-a-mute\n"
                                      "    where: rule in [\"am-a\", \"am-b\"]\n"
                                      "    time_intervals:\n"
                                      "      - weekdays: [\"monday\"]\n",
                                      "  - id: am-null-untold\n"
                                      "    where: rule in [\"am-null\", \"am-null-2\"]\n"
                                      "    time_intervals:\n"
                                      "      - {}\n"};
    struct imported got;
    bool is_told = false;

    (void)state;
    import_text_with(&got, in, NULL, true);
    assert_int_equal(got.rc, 0);
    for (size_t i = 0; i < 2; i++)
        if (strstr(got.result.text, out[i]) == NULL)
            fail_msg("%s\nis not in\n%s", out[i], got.result.text);
    for (size_t i = 0; i < got.result.finding_count; i++) {
        const struct import_finding *finding = &got.result.findings[i];
        if (strcmp(finding->construct, "time interval \"bad\"") != 0)
            continue;
        is_told = true;
        assert_int_equal(finding->effect, IMPORT_LEFT_OUT);
        assert_int_equal(finding->place.line, 13);
        assert_non_null(strstr(finding->why, "there is no time zone \"Mars/Olympus\""));
    }
    assert_true(is_told);
    imported_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inhibitions_hold_between_incidents_that_carry_the_labels),
        cmocka_unit_test(a_label_that_is_the_tenant_is_always_there),
        cmocka_unit_test(inhibitions_alone_are_held_to_no_rule),
        cmocka_unit_test(muted_routes_get_maintenance_windows),
        cmocka_unit_test(routes_that_tell_at_times_are_muted_at_all_others),
        cmocka_unit_test(intervals_that_cannot_be_kept_are_listed),
        cmocka_unit_test(an_interval_that_is_not_there_differs),
        cmocka_unit_test(routes_share_windows_and_a_bad_interval_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
