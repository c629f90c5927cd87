/*
 * Aim: routes of Alertmanager become rules of the same meaning, or are listed. Method: rows of
 * matchers and of routing trees with conditions worked out by hand from its configuration
 * reference; a whole file; a sample in which every map gets one more key, which has to be in the
 * list. Inhibitions and time intervals are in test_import_alertmanager_mutes.c.
 */
#include "import_support.h"

/* ---- matchers ---- */

static const struct matcher_row {
    const char *matchers; /* value of `matchers:` of a child route */
    const char *where;    /* of its rule; NULL: left out */
    const char *finding;
} matcher_rows[] = {
    {"['a=b']", "labels.a == \"b\"", NULL},
    {"[a = b]", "labels.a == \"b\"", NULL},
    {"['a=\"b c\"']", "labels.a == \"b c\"", NULL},
    {"['a.b=c']", "labels[\"a.b\"] == \"c\"", NULL},
    {"['\"a b\"=c']", "labels[\"a b\"] == \"c\"", NULL},
    /* missing and empty are the same */
    {"['a=']", "!has(labels.a) || labels.a == \"\"", NULL},
    {"['a=\"\"']", "!has(labels.a) || labels.a == \"\"", NULL},
    {"['a!=b']", "!(has(labels.a) && labels.a == \"b\")", NULL},
    {"['a!=\"\"']", "labels.a != \"\"", NULL},
    /* patterns are anchored; plain alternatives are a list */
    {"['a=~\"b|c\"']", "labels.a in [\"b\", \"c\"]", NULL},
    {"['a=~b|c']", "labels.a in [\"b\", \"c\"]", NULL},
    {"['a=~b']", "labels.a == \"b\"", NULL},
    {"['a=~\"|b\"']", "!has(labels.a) || labels.a == \"\" || labels.a == \"b\"", NULL},
    {"['a=~\"b.*\"']", "labels.a.matches(\"^(?:b.*)$\")", NULL},
    {"['a=~\"b.*|c\"']", "labels.a.matches(\"^(?:b.*|c)$\")", NULL},
    {"['a=~\"b*\"']", "(has(labels.a) ? labels.a : \"\").matches(\"^(?:b*)$\")", NULL},
    {"['a=~\"(b|c)d\"']", "(has(labels.a) ? labels.a : \"\").matches(\"^(?:(b|c)d)$\")", NULL},
    {"['a=~\".+\"']", "labels.a != \"\"", NULL},
    {"['a!~\"b|c\"']", "!(has(labels.a) && labels.a in [\"b\", \"c\"])", NULL},
    {"['a!~\"b.*\"']", "!(has(labels.a) && labels.a.matches(\"^(?:b.*)$\"))", NULL},
    /* several */
    {"['a=b', 'c=d']", "labels.a == \"b\" && labels.c == \"d\"", NULL},
    {"['{a=\"b\", c!=\"d\",}']", "labels.a == \"b\" && !(has(labels.c) && labels.c == \"d\")",
     NULL},
    {"['a=b,c=d']", "labels.a == \"b\" && labels.c == \"d\"", NULL},
    /* escapes: "\\" and \" and \n, before all else a backslash is itself */
    {"['a=\"x\\\\y\\\"z\\.\"']", "labels.a == \"x\\\\y\\\"z\\\\.\"", NULL},
    /* refused */
    {"['a']", NULL, "=, !=, =~ or !~ is wanted here"},
    {"['a==b']", "labels.a == \"=b\"", NULL},
    {"['=b']", NULL, "the name of a label"},
    {"['a=\"b']", NULL, "a closing \" is missing"},
    {"['{a=b']", NULL, "a closing } is missing"},
    {"['a=\"b\" c']", NULL, "the end of the matcher"},
    {"['a=b\"c']", NULL, "needs quotes around all of it"},
    {"['a=\"\\x41\"']", NULL, "\\x and \\u mean"},
    {"[{a: b}]", NULL, "a matcher is text"},
};

static void matchers_become_conditions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(matcher_rows) / sizeof(matcher_rows[0]); i++) {
        const struct matcher_row *row = &matcher_rows[i];
        char text[1000], where[1000] = "";
        struct imported got;
        snprintf(text, sizeof(text),
                 "route:\n  receiver: r\n  routes:\n    - receiver: child\n      matchers: %s\n",
                 row->matchers);
        import_text_with(&got, text, NULL, false);
        if (got.rc != 0)
            fail_msg("%s\n%s", text, got.err.text);
        for (size_t e = 0; e < got.result.entry_count; e++)
            if (strcmp(got.result.entries[e].id, "am-child") == 0)
                entry_value(&got.result.entries[e], "where", where, sizeof(where));
        if ((row->finding == NULL && other_findings(&got) > 0) ||
            (row->finding != NULL && !has_finding(&got, row->finding))) {
            print_findings(&got);
            fail_msg("row %zu: other findings than %s\n%s", i, row->finding, text);
        }
        assert_string_equal(where, row->where != NULL ? row->where : "");
        /* Without the child's matchers nobody knows what is left for the root: it gets all. */
        if (row->where == NULL) {
            assert_int_equal(got.result.entry_count, 1);
            assert_true(has_finding(&got, "it gets what the route to \"child\" would have taken"));
        }
        assert_entries_load(&got);
        imported_release(&got);
    }
}

/* ---- the tree ---- */

static const char tree_in[] = "route:\n"
                              "  receiver: root\n"
                              "  group_by: [alertname]\n"
                              "  routes:\n"
                              "    - receiver: db\n"
                              "      match: {team: db}\n"
                              "      routes:\n"
                              "        - receiver: db-slow\n"
                              "          match_re: {alertname: 'Slow.*'}\n"
                              "          group_wait: 0s\n"
                              "    - receiver: copy\n"
                              "      matchers: ['env=\"prod\"']\n"
                              "      continue: true\n"
                              "      group_by: []\n"
                              "    - receiver: web\n"
                              "      matchers: ['team=~\"web|front\"']\n"
                              "      group_by: ['...']\n"
                              "      group_wait: 1h30m\n"
                              "    - receiver: rest\n"
                              "      matchers: ['env=prod']\n"
                              "      group_by: [alertname, instance]\n";

static void assert_rule(const struct imported *got, size_t index, const char *id, const char *where,
                        const char *by, const char *hold, const char *title)
{
    const struct import_entry *entry = &got->result.entries[index];
    char value[1000];

    assert_string_equal(entry->id, id);
    entry_value(entry, "where", value, sizeof(value));
    assert_string_equal(value, where);
    entry_value(entry, "by", value, sizeof(value));
    assert_string_equal(value, by);
    entry_value(entry, "for", value, sizeof(value));
    assert_string_equal(value, hold);
    entry_value(entry, "title", value, sizeof(value));
    assert_string_equal(value, title);
    assert_non_null(strstr(entry->text, "    window: open\n    when: count() >= 1\n"));
    assert_non_null(strstr(entry->text, "    close: cleared()\n"));
}

/* The first child that matches takes an alert, unless it says `continue`; what no child takes is
 * the parent's. Matchers that exclude each other need no negation. */
static void each_alert_goes_where_alertmanager_sends_it(void **state)
{
    (void)state;
    struct imported got;

    import_text_with(&got, tree_in, NULL, false);
    assert_int_equal(got.rc, 0);
    if (other_findings(&got) > 0)
        print_findings(&got);
    assert_int_equal(other_findings(&got), 0);
    assert_int_equal(got.result.entry_count, 6);
    assert_rule(&got, 0, "am-root",
                "!(has(labels.team) && labels.team == \"db\") && "
                "!(has(labels.env) && labels.env == \"prod\") && "
                "!(has(labels.team) && labels.team in [\"web\", \"front\"]) && "
                "!(has(labels.env) && labels.env == \"prod\")",
                "[tenant, labels.alertname]", "30s", "\"{labels.alertname}: {count()} firing\"");
    assert_rule(&got, 1, "am-db",
                "labels.team == \"db\" && !(has(labels.alertname) && "
                "labels.alertname.matches(\"^(?:Slow.*)$\"))",
                "[tenant, labels.alertname]", "30s", "\"{labels.alertname}: {count()} firing\"");
    assert_rule(&got, 2, "am-db-slow",
                "labels.team == \"db\" && labels.alertname.matches(\"^(?:Slow.*)$\")",
                "[tenant, labels.alertname]", "", "\"{labels.alertname}: {count()} firing\"");
    assert_rule(&got, 3, "am-copy",
                "labels.env == \"prod\" && !(has(labels.team) && labels.team == \"db\")",
                "[tenant]", "30s", "\"copy: {count()} firing\"");
    assert_rule(&got, 4, "am-web", "labels.team in [\"web\", \"front\"]",
                "[tenant, check, resource, dedup_key]", "1h30m",
                "\"{check} {resource}: {count()} firing\"");
    assert_rule(&got, 5, "am-rest",
                "labels.env == \"prod\" && !(has(labels.team) && labels.team == \"db\") && "
                "!(has(labels.team) && labels.team in [\"web\", \"front\"])",
                "[tenant, labels.alertname, labels.instance]", "30s",
                "\"{labels.alertname} {labels.instance}: {count()} firing\"");
    assert_entries_load(&got);
    imported_release(&got);
}

/* A misspelt key takes no other route along. What a route without a rule would have taken goes to
 * those who would not have got it, and each line names the key and where it stands. */
static void a_key_that_is_not_known_costs_what_depends_on_it(void **state)
{
    static const struct {
        const char *route, *kept, *where, *findings[3]; /* of the last that is kept; "": whatever */
    } rows[] = {
        {"{receiver: r, routs: [{receiver: s, matchers: [a=b]}]}",
         "",
         "",
         {"1:22: left out: route to \"r\": its key routs is not known; did you mean \"routes\"?"}},
        {"{receiver: r, routes: {receiver: s, matchers: [a=b]}}",
         "",
         "",
         {"left out: route to \"r\": routes are a list"}},
        {"{receiver: r, routes: [{receiver: s, matchers: [a=b]}, {receiver: t, matcher: [a=c]}]}",
         "am-r am-s",
         "labels.a == \"b\"",
         {"1:77: left out: route to \"t\": its key matcher is not known; did you mean "
          "\"matchers\"?",
          "1:8: differs: route to \"r\": it gets what the route to \"t\" would have taken, of "
          "which "
          "no rule is made because of matcher at 1:77"}},
        {"{receiver: r, routes: [{receiver: s, matchers: [a=b], colour: red, routes: [{receiver: "
         "t}]},"
         " {receiver: u, matchers: [a=c]}]}",
         "am-r am-u",
         "labels.a == \"c\"",
         {"left out: route to \"s\": its key colour is not known",
          "left out: route to \"t\": it lies below the route to \"s\", of which no rule is made "
          "because of colour at 1:62",
          "differs: route to \"r\": it gets what the route to \"s\" would have taken"}},
        /* one that decides nothing of what the route takes */
        {"{receiver: r, routes: [{receiver: s, matchers: [a=b], repeat_intervall: 2h}]}",
         "am-r am-s",
         "labels.a == \"b\"",
         {"1:62: differs: route to \"s\": its key repeat_intervall is not known; did you mean "
          "\"repeat_interval\"? Its rule is made as if it were not there"}},
        {"{receiver: r, routes: [{reciever: s, matchers: [a=b]}]}",
         "am-r am-r-2",
         "labels.a == \"b\"",
         {"differs: route to \"r\": its key reciever is not known; did you mean \"receiver\"? Its "
          "rule"}},
        /* one that decides who else gets it */
        {"{receiver: r, routes: [{receiver: s, matchers: [a=b], continu: true}, {receiver: t, "
         "matchers: [a=b]}]}",
         "am-r am-s am-t",
         "labels.a == \"b\"",
         {"differs: route to \"s\": its key continu is not known; did you mean \"continue\"? Its "
          "rule "
          "is made, and the routes behind it get what it gets, too"}},
        /* what is behind and what is beside */
        {"{receiver: r, routes: [{receiver: s, matchers: [a=b], routs: []}, {receiver: t, "
         "matchers: "
         "[c=d]}]}",
         "am-r am-t",
         "labels.c == \"d\"",
         {"differs: route to \"t\": it gets what the route to \"s\" would have taken, of which no "
          "rule is made because of routs at 1:62",
          "differs: route to \"r\": it gets what"}},
        {"{receiver: r, routes: [{receiver: s, matchers: ['a']}]}",
         "am-r",
         "true",
         {"differs: route to \"r\": it gets what the route to \"s\" would have taken, of which no "
          "rule is made because of matchers at 1:45"}},
        /* what tocsin does not take of one route would be a part of all others */
        {"{receiver: r, routes: [{receiver: s, matchers: ['a=~\"[z\"']}, {receiver: t, matchers: "
         "[c=d]}]}",
         "am-r am-t",
         "labels.c == \"d\"",
         {"1:57: left out: route to \"s\": this tocsin does not take what it would become: the "
          "class "
          "has no end",
          "differs: route to \"t\": it gets what the route to \"s\" would have taken, of which no "
          "rule is made because of matchers at 1:45",
          "differs: route to \"r\": it gets what"}},
        {"{receiver: r, reciever: x, routes: [{receiver: s, match_re: {a: '[z'}}]}",
         "am-r",
         "true",
         {"left out: route to \"s\": this tocsin does not take what it would become",
          "differs: route to \"r\": its key reciever is not known; did you mean \"receiver\"? Its "
          "rule",
          "differs: route to \"r\": it gets what"}},
        {"{receiver: r, routes: [{receiver: s, matchers: [a=b], group_by: [a, b, c, d, e, f, g, "
         "h], "
         "routes: [{receiver: u, matchers: [x=y], group_by: [a]}]}, {receiver: t, matchers: "
         "[c=d]}]}",
         "am-r am-u am-t",
         "labels.c == \"d\"",
         {"left out: route to \"s\": a key takes 7 labels beside the tenant",
          "differs: route to \"t\": it gets what the route to \"s\" would have taken, of which no "
          "rule is made because of group_by at 1:62",
          "differs: route to \"r\": it gets what"}},
        {"{receiver: r, colour: red, routes: [{receiver: s, matchers: [a=b]}]}",
         "am-s",
         "labels.a == \"b\"",
         {"left out: route to \"r\": its key colour is not known"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[300], kept[200] = "", where[500] = "";
        struct imported got;
        snprintf(text, sizeof(text), "route: %s\n", rows[i].route);
        import_text_with(&got, text, NULL, true);
        for (size_t e = 0; e < got.result.entry_count; e++) {
            size_t used = strlen(kept);
            snprintf(kept + used, sizeof(kept) - used, "%s%s", e > 0 ? " " : "",
                     got.result.entries[e].id);
            entry_value(&got.result.entries[e], "where", where, sizeof(where));
        }
        for (size_t f = 0; f < 3 && rows[i].findings[f] != NULL; f++)
            if (!has_finding(&got, rows[i].findings[f])) {
                print_findings(&got);
                fail_msg("row %zu: no %s", i, rows[i].findings[f]);
            }
        assert_string_equal(kept, rows[i].kept);
        assert_string_equal(where, rows[i].where);
        assert_entries_load(&got);
        imported_release(&got);
    }
}

/* A number is no text, so what the route takes cannot be said. */
static void a_matcher_of_a_number_costs_its_route(void **state)
{
    struct imported got;

    (void)state;
    import_text_with(&got, "route: {receiver: r, routes: [{receiver: s, matchers: [a=b]}]}\n",
                     "labels: {a: value}\n", true);
    assert_true(has_finding(&got, "left out: route to \"s\": a is no text here"));
    assert_true(has_finding(&got, "differs: route to \"r\": it gets what the route to \"s\" would "
                                  "have taken, of which no rule is made because of matchers at"));
    assert_int_equal(got.result.entry_count, 1);
    imported_release(&got);
}

/* A route waits as its parent does, where it says nothing. */
static void durations_are_inherited_and_have_units(void **state)
{
    static const struct {
        const char *wait, *hold; /* of both routes */
    } rows[] = {
        {"1w", "7d"},     {"1h30m", "1h30m"}, {"1500ms", "1s500ms"},
        {"90s", "1m30s"}, {"2d12h", "2d12h"}, {"0s", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[300], hold[100];
        struct imported got;
        snprintf(text, sizeof(text),
                 "route: {receiver: r, group_wait: %s, routes: [{receiver: s, matchers: [a=b]}]}\n",
                 rows[i].wait);
        import_text_with(&got, text, NULL, false);
        assert_int_equal(got.result.entry_count, 2);
        for (size_t e = 0; e < 2; e++) {
            entry_value(&got.result.entries[e], "for", hold, sizeof(hold));
            assert_string_equal(hold, rows[i].hold);
        }
        assert_entries_load(&got);
        imported_release(&got);
    }
}

static void a_map_names_teams_and_fields(void **state)
{
    (void)state;
    struct imported got;
    char value[100];

    import_text_with(&got, "route: {receiver: dba, group_by: [instance, alertname]}\n",
                     "labels: {instance: host, alertname: check}\nprefix: x-\n"
                     "receivers: {dba: {team: Databases, tier: T2, priority: P1}}\n",
                     false);
    assert_int_equal(got.result.entry_count, 1);
    assert_string_equal(got.result.entries[0].id, "x-dba");
    entry_value(&got.result.entries[0], "by", value, sizeof(value));
    assert_string_equal(value, "[tenant, host, check]");
    entry_value(&got.result.entries[0], "where", value, sizeof(value));
    assert_string_equal(value, "true");
    assert_non_null(strstr(got.result.entries[0].text, "      priority: P1\n      team: "
                                                       "\"Databases\"\n      tier: \"T2\"\n"));
    imported_release(&got);
}

/* ---- a whole file ---- */

static const char whole_in[] = "global:\n"
                               "  resolve_timeout: 5m\n"
                               "templates: ['*.tmpl']\n"
                               "route:\n"
                               "  receiver: duty\n"
                               "  group_by: [alertname, cluster]\n"
                               "  group_interval: 5m\n"
                               "  repeat_interval: 4h\n"
                               "receivers:\n"
                               "  - name: duty\n"
                               "    webhook_configs: [{url: 'http://127.0.0.1/'}]\n"
                               "inhibit_rules:\n"
                               "  - source_matchers: [severity=critical]\n"
                               "    target_matchers: [severity=warning]\n"
                               "    equal: [cluster]\n";

static const char whole_out[] =
    "# Rules converted by `tocsin import` from the form of Prometheus Alertmanager:\n"
    "#   in.yml\n"
    "# Not carried over, or not quite (6):\n"
    "#   in.yml:1:1: ignored: key global: how people are told is set under `sinks` of tocsin's "
    "configuration\n"
    "#   in.yml:3:1: ignored: key templates: what a page says is the title of a rule\n"
    "#   in.yml:7:3: ignored: key group_interval: an incident is told when it changes\n"
    "#   in.yml:8:20: differs: repeat_interval: an alert that is told once is over after "
    "`engine.expire` [5m], and its incident with it; Alertmanager repeats a firing one after 4h: "
    "set engine.expire: 4h5m\n"
    "#   in.yml:10:5: ignored: receiver \"duty\": how people are told is set under `sinks` of "
    "tocsin's configuration\n"
    "#   in.yml:13:5: differs: inhibition inhibit-1: an alert without the label severity is a "
    "warning here, and has none in Alertmanager; and a word of severity that it names stands for "
    "all that are the same severity here\n"
    "\n"
    "rules:\n"
    "  # route: duty\n"
    "  - id: am-duty\n"
    "    where: |\n"
    "      true\n"
    "    by: [tenant, labels.alertname, labels.cluster]\n"
    "    window: open\n"
    "    when: count() >= 1\n"
    "    for: 30s\n"
    "    incident:\n"
    "      title: \"{labels.alertname} {labels.cluster}: {count()} firing\"\n"
    "      priority: P3\n"
    "      team: \"duty\"\n"
    "    close: cleared()\n"
    "\n"
    "inhibit:\n"
    "  # from: inhibition inhibit-1\n"
    "  - id: am-inhibit-1\n"
    "    source: |\n"
    "      severity == CRITICAL && rule in [\"am-duty\"]\n"
    "    target: |\n"
    "      severity == WARNING && rule in [\"am-duty\"]\n"
    "    equal: [labels.cluster]\n";

/* So that no entry of these tests goes unloaded. */
static void the_engine_has_every_construct(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(construct_probes) / sizeof(construct_probes[0]); i++)
        if (!engine_takes(construct_probes[i].rule))
            fail_msg("%s", construct_probes[i].rule);
}

static void a_whole_file_is_written(void **state)
{
    (void)state;
    struct imported got;

    import_text_with(&got, whole_in, NULL, true);
    assert_int_equal(got.rc, 0);
    assert_string_equal(got.result.text, whole_out);
    assert_entries_load(&got);
    imported_release(&got);
}

/* ---- nothing is silent ---- */

static const char walk_sample[] = "global:\n"
                                  "  resolve_timeout: 5m\n"
                                  "route:\n"
                                  "  receiver: r\n"
                                  "  group_by: [alertname]\n"
                                  "  routes:\n"
                                  "    - receiver: s\n"
                                  "      matchers: [a=b]\n"
                                  "      mute_time_intervals: [x]\n"
                                  "      routes:\n"
                                  "        - receiver: t\n"
                                  "          match:\n"
                                  "            c: d\n"
                                  "time_intervals:\n"
                                  "  - name: x\n"
                                  "    time_intervals:\n"
                                  "      - weekdays: [monday]\n"
                                  "        times:\n"
                                  "          - start_time: '01:00'\n"
                                  "            end_time: '02:00'\n"
                                  "inhibit_rules:\n"
                                  "  - source_match:\n"
                                  "      alertname: e\n"
                                  "    target_matchers: [alertname=f]\n";

/* One more key before each; it is in the list by its name or by its place (of a map that is taken
 * as a whole, that of the map), or in the result. */
static void every_unknown_key_is_listed(void **state)
{
    (void)state;
    unsigned places = 0;
    size_t line = 1;

    for (const char *at = walk_sample; *at != '\0'; at += strcspn(at, "\n") + 1, line++) {
        size_t indent = strspn(at, " -");
        char text[2000], place[40], place_of_list[40];
        struct imported got;
        snprintf(text, sizeof(text), "%.*s%.*s%s: 77\n%*s%s", (int)(at - walk_sample), walk_sample,
                 (int)indent, at, "unknown_key", (int)indent, "", at + indent);
        import_text_with(&got, text, NULL, false);
        if (got.rc != 0)
            fail_msg("%s\n%s", text, got.err.text);
        snprintf(place, sizeof(place), "in.yml:%zu:%zu:", line, indent + 1);
        snprintf(place_of_list, sizeof(place_of_list), "in.yml:%zu:%zu:", line - 1, indent + 1);
        if (!has_finding(&got, "unknown_key") && !has_finding(&got, place) &&
            !has_finding(&got, place_of_list) &&
            !(line == 2 && has_finding(&got, "ignored: key global")) &&
            strstr(got.result.text, "labels.unknown_key == \"77\"") == NULL &&
            !has_finding(&got, "no route groups by all labels"))
            fail_msg("lost:\n%s\n%s", text, got.result.text);
        places++;
        imported_release(&got);
    }
    assert_int_equal(places, 24);
}

static void a_receiver_that_is_not_listed_is_told(void **state)
{
    static const char text[] = "route: {receiver: duty, routes: [{receiver: dutty, matchers: "
                               "[a=b]}, {matchers: [a=c]}]}\n";
    char listed[300];
    struct imported got;

    (void)state;
    import_text_with(&got, text, NULL, true);
    assert_false(has_finding(&got, "lists no receiver"));
    imported_release(&got);
    snprintf(listed, sizeof(listed), "%sreceivers: [{name: duty, webhook_configs: [{url: x}]}]\n",
             text);
    import_text_with(&got, listed, NULL, true);
    assert_true(has_finding(&got, "in.yml:1:45: differs: route to \"dutty\": `receivers` lists no "
                                  "receiver \"dutty\"; did you mean \"duty\"? Its rule is made "
                                  "all the same"));
    assert_false(has_finding(&got, "route to \"duty\""));
    imported_release(&got);
}

/* One sentence says that it is made, and another that it is not: which is it? */
static void of_a_route_that_is_left_out_it_is_not_told_that_its_rule_is_made(void **state)
{
    static const char text[] =
        "route: {receiver: duty, routes: [{receiver: dutty, routs: [], matchers: [a=b]}, "
        "{receiver: none, matchers: [a=c], colour: red}]}\n"
        "receivers: [{name: duty, webhook_configs: [{url: x}]}]\n";
    struct imported got;

    (void)state;
    import_text_with(&got, text, NULL, true);
    assert_true(has_finding(&got, "left out: route to \"dutty\""));
    assert_true(has_finding(&got, "left out: route to \"none\""));
    assert_false(has_finding(&got, "is made all the same"));
    imported_release(&got);

    import_text_with(&got, "route: {receiver: duty, reciever: x, group_by: [{a: b}]}\n", NULL,
                     true);
    assert_true(has_finding(&got, "left out: route to \"duty\": group_by is a list of labels"));
    assert_true(has_finding(&got, "ignored: route to \"duty\": its key reciever is not known; did "
                                  "you mean \"receiver\"?"));
    assert_false(has_finding(&got, "Its rule is made"));
    imported_release(&got);
}

/* A receiver without a channel, and one of the usual name where none are listed. */
static void routes_to_nobody_are_muted(void **state)
{
    static const char *const texts[] = {
        "route: {receiver: duty, routes: [{receiver: nothing, matchers: [a=b]}]}\n"
        "receivers: [{name: duty, webhook_configs: [{url: x}]}, {name: nothing}]\n",
        "route: {receiver: duty, routes: [{receiver: nothing, matchers: [a=b]}]}\n"
        "receivers: [{name: duty, slack_configs: [{}]}, {name: nothing, email_configs: []}]\n",
        "route: {receiver: duty, routes: [{receiver: 'null', matchers: [a=b]}]}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *name = i == 2 ? "null" : "nothing";
        char where[80];
        struct imported got;
        import_text_with(&got, texts[i], NULL, true);
        assert_int_equal(got.rc, 0);
        /* Both rules: what the route swallows does not go on to the other, and may inhibit. */
        assert_int_equal(got.result.entry_count, 3);
        assert_true(has_finding(&got, "its receiver tells nobody: its incidents are there"));
        assert_false(has_finding(&got, "differs: route to \"duty\""));
        assert_int_equal(got.result.entries[2].section, IMPORT_MAINTENANCE);
        snprintf(where, sizeof(where),
                 "where: rule == \"am-%s\"\n    time_intervals:\n      - {}\n", name);
        assert_non_null(strstr(got.result.entries[2].text, where));
        assert_entries_load(&got);
        imported_release(&got);
    }
}

/* 300 routes and 900 inhibitions: the rules are written once, so the whole stays small. */
/* A group is repeated at the first look, every group_interval, after repeat_interval. */
static void how_rarely_alerts_are_repeated_is_listed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *words;
    } rows[] = {
        /* Alertmanager's defaults: 4h and 5m. */
        {"route:\n  receiver: r\n", "in.yml:2:3: differs: repeat_interval",
         "after 4h: set engine.expire: 4h5m"},
        /* The longest decides, and what it inherits: 12h + 10m against 1d + 10m. */
        {"route:\n  receiver: r\n  group_interval: 10m\n  repeat_interval: 12h\n  routes:\n"
         "    - {matchers: [a=b], receiver: s, repeat_interval: 1d}\n",
         "in.yml:6:", "after 1d: set engine.expire: 1d10m"},
        /* 1m + 3m are within the 5m. */
        {"route:\n  receiver: r\n  group_interval: 1m\n  repeat_interval: 3m\n", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct imported got;
        import_text_with(&got, rows[i].text, NULL, true);
        assert_int_equal(has_finding(&got, "differs: repeat_interval"), rows[i].place != NULL);
        if (rows[i].place != NULL &&
            (!has_finding(&got, rows[i].place) || !has_finding(&got, rows[i].words))) {
            print_findings(&got);
            fail_msg("row %zu", i);
        }
        imported_release(&got);
    }
}

static void many_routes_share_a_set(void **state)
{
    struct import_text text = {NULL, 0, 0};
    struct imported got;
    size_t sets = 0;

    (void)state;
    import_text_put(&text, "route:\n  receiver: r\n  group_by: [alertname, cluster]\n  routes:\n");
    for (int i = 0; i < 300; i++)
        import_text_format(&text, "    - {receiver: r%d, matchers: ['team=t%d']}\n", i, i);
    import_text_put(&text, "inhibit_rules:\n");
    for (int i = 0; i < 900; i++)
        import_text_format(&text,
                           "  - {source_matchers: ['alertname=a'], target_matchers: "
                           "['cluster=c%d'], equal: [cluster]}\n",
                           i);
    import_text_with(&got, text.at, NULL, true);
    if (got.rc != 0)
        fail_msg("%s", got.err.text);
    assert_int_equal(got.result.entry_count, 1201);
    assert_int_equal(other_findings(&got), 0);
    assert_non_null(strstr(got.result.text, "\nsets:\n  am_rules_1:\n    - \"am-r\"\n"));
    for (const char *at = got.result.text; (at = strstr(at, "\"am-r17\"")) != NULL; at++)
        sets++;
    /* By `cluster` and `equal`, or `equal` alone: two sets of labels, two lists. */
    assert_true(sets <= 2);
    assert_true(got.result.bytes < 400000);
    imported_release(&got);
    import_text_release(&text);
}

static void dead_and_broken_routes_are_listed(void **state)
{
    (void)state;
    static const struct {
        const char *route, *finding;
    } rows[] = {
        {"{receiver: r, routes: [{receiver: a}, {receiver: b, match: {x: y}}]}",
         "in.yml:1:46: left out: route to \"b\": no alert ever reaches it"},
        {"{receiver: r, routes: [{receiver: a}]}",
         "in.yml:1:8: left out: route to \"r\": no alert stays with it: the routes below it take "
         "them all"},
        {"{receiver: r, routes: [{receiver: p, match: {x: y}, routes: [{receiver: a, match_re: {x: "
         "\"y|z\"}}]}]}",
         "in.yml:1:31: left out: route to \"p\": no alert stays with it"},
        {"{receiver: r, routes: [{receiver: a, match: {x: y}}, {receiver: p, match: {x: y}, "
         "routes: "
         "[{receiver: b, match: {u: v}}]}]}",
         "in.yml:1:61: left out: route to \"p\": no alert ever reaches it: a route before it"},
        /* What nothing fulfils is taken by nobody before it. */
        {"{receiver: r, routes: [{receiver: a, match: {x: y}, matchers: ['x=~\"u|v\"']}]}",
         "in.yml:1:31: left out: route to \"a\": no alert ever reaches it: nothing fulfils all of "
         "its matchers"},
        {"{receiver: r, routes: [{receiver: p, match: {x: y}, routes: [{receiver: a, match: "
         "{x: u}}]}]}",
         "in.yml:1:69: left out: route to \"a\": no alert ever reaches it: nothing fulfils its "
         "matchers and those above it"},
        {"{receiver: r, group_wait: soon}", "this is no duration"},
        {"{receiver: r, group_by: [a, b, c, d, e, f, g, h]}", "a key takes 7 labels"},
        {"{receiver: r, group_by: [{a: b}]}", "group_by is a list of labels"},
        {"{receiver: r, routes: {receiver: a}}", "routes are a list"},
        {"[r]", "a route is a map"},
        {"{receiver: r, match: [a]}", "a map of labels and texts"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[500];
        struct imported got;
        snprintf(text, sizeof(text), "route: %s\n", rows[i].route);
        import_text_with(&got, text, NULL, false);
        assert_int_equal(got.rc, 0);
        if (!has_finding(&got, rows[i].finding)) {
            print_findings(&got);
            fail_msg("row %zu: no %s", i, rows[i].finding);
        }
        imported_release(&got);
    }
}

/* What stands behind or above a route that nothing fulfils has its rule as if that were not there.
 */
static void a_dead_route_costs_no_other_its_rule(void **state)
{
    static const char *const dead[] = {
        "['env=prod', 'env=~\"dev|stage\"']",
        "['env=prod', 'env!=prod']",
        "['env=\"\"', 'env=~\".+\"']",
        "['a=~\"x|\"', 'b=~\"x|\"', 'env=prod', 'env=\"\"']",
    };
    char text[500];

    (void)state;
    for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
        struct imported got;
        snprintf(text, sizeof(text),
                 "route:\n  receiver: ops\n  routes:\n    - {receiver: mail, matchers: %s}\n"
                 "    - {receiver: dba, matchers: ['team=dba']}\n",
                 dead[i]);
        import_text_with(&got, text, NULL, true);
        assert_int_equal(got.rc, 0);
        if (got.result.entry_count != 2 ||
            strstr(got.result.text, "where: |\n      labels.team == \"dba\"\n") == NULL ||
            strstr(got.result.text, "where: |\n      !(has(labels.team) && labels.team == \"dba\")"
                                    "\n") == NULL ||
            !has_finding(&got, "left out: route to \"mail\": no alert ever reaches it: nothing")) {
            print_findings(&got);
            fail_msg("%s\n%s", text, got.result.text);
        }
        imported_release(&got);
    }
}

/* What is written in another form than Alertmanager reads is never taken for what is not there. */
static void a_value_of_another_form_is_listed(void **state)
{
    static const struct {
        const char *route, *inhibition, *finding; /* NULL: all is carried over */
    } rows[] = {
        {"match: foo", "", ": left out: route to \"a\": this takes a map of labels and texts"},
        {"match_re: [x]", "", ": left out: route to \"a\": this takes a map of labels and texts"},
        {"match: ", "", NULL},
        {"routes: ", "", NULL},
        {"receiver: [b]", "", ": left out: route to \"def\": a receiver is one name"},
        {"continue: maybe", "", ": differs: route to \"a\": continue is true or false"},
        {"continue: [true]", "", ": differs: route to \"a\": continue is true or false"},
        {"continue: yes", "", NULL},
        {"", "{source_match: foo, target_match: {alertname: b}}",
         ": left out: inhibition inhibit-1: this takes a map of labels and texts"},
        {"", "{source_matchers: [a=b], target_match_re: x}",
         ": left out: inhibition inhibit-1: this takes a map of labels and texts"},
        {"", "{source_match: {alertname: a}, target_match: {alertname: b}, equal: {x: alertname}}",
         ": left out: inhibition inhibit-1: equal is a list of labels"},
        {"", "{source_match: {alertname: a}, target_match: {alertname: b}, equal: alertname}",
         NULL},
    };
    char text[1000];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_receiver = strncmp(rows[i].route, "receiver", 8) == 0;
        struct imported got;
        snprintf(text, sizeof(text),
                 "route:\n  receiver: def\n  group_by: [alertname]\n  repeat_interval: 1m\n"
                 "  group_interval: 1m\n  routes:\n  - {%s%s%s}\n"
                 "receivers: [{name: def}, {name: a}]\n%s%s\n",
                 has_receiver ? "" : "receiver: a", has_receiver || !rows[i].route[0] ? "" : ", ",
                 rows[i].route, rows[i].inhibition[0] != '\0' ? "inhibit_rules:\n- " : "",
                 rows[i].inhibition);
        import_text_with(&got, text, NULL, false);
        assert_int_equal(got.rc, 0);
        /* The root may be left out, for the route below it takes all. */
        if (rows[i].finding == NULL ? has_finding(&got, ": left out: route to \"a\"") ||
                                          has_finding(&got, ": left out: inhibition")
                                    : !has_finding(&got, rows[i].finding)) {
            print_findings(&got);
            fail_msg("%s%s", rows[i].route, rows[i].inhibition);
        }
        imported_release(&got);
    }
}

/* A name of the mapping file that is like one of the file's, and is none. */
static void a_receiver_that_is_misspelt_in_the_map_is_found(void **state)
{
    static const char in[] = "route: {receiver: net}\n"
                             "receivers: [{name: net}, {name: mail}, {name: mails}]\n";
    static const char config[] =
        "how people are told is set under `sinks` of tocsin's configuration";
    static const struct {
        const char *map, *said; /* of net; "": nothing more */
    } rows[] = {
        {"receivers: {nett: {priority: P1}}\n",
         "; the mapping file has \"nett\", which is none: did you mean this one?"},
        {"receivers: {nett: {priority: P1}, net: {priority: P2}}\n", ""},
        {"receivers: {somebody: {priority: P1}}\n", ""},
        {"receivers: {mail: {priority: P1}}\n", ""},
        {"", ""},
    };
    char wanted[300];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct imported got;
        import_text_with(&got, in, rows[i].map[0] != '\0' ? rows[i].map : NULL, true);
        snprintf(wanted, sizeof(wanted), "receiver \"net\": %s%s", config, rows[i].said);
        assert_true(has_finding(&got, wanted));
        snprintf(wanted, sizeof(wanted), "receiver \"net\": %s;", config);
        assert_true(has_finding(&got, wanted) == (rows[i].said[0] != '\0'));
        snprintf(wanted, sizeof(wanted), "receiver \"mails\": %s;", config);
        assert_false(has_finding(&got, wanted));
        imported_release(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_another_form_is_listed),
        cmocka_unit_test(matchers_become_conditions),
        cmocka_unit_test(each_alert_goes_where_alertmanager_sends_it),
        cmocka_unit_test(a_key_that_is_not_known_costs_what_depends_on_it),
        cmocka_unit_test(a_matcher_of_a_number_costs_its_route),
        cmocka_unit_test(durations_are_inherited_and_have_units),
        cmocka_unit_test(a_map_names_teams_and_fields),
        cmocka_unit_test(the_engine_has_every_construct),
        cmocka_unit_test(a_whole_file_is_written),
        cmocka_unit_test(every_unknown_key_is_listed),
        cmocka_unit_test(dead_and_broken_routes_are_listed),
        cmocka_unit_test(a_dead_route_costs_no_other_its_rule),
        cmocka_unit_test(a_receiver_that_is_not_listed_is_told),
        cmocka_unit_test(of_a_route_that_is_left_out_it_is_not_told_that_its_rule_is_made),
        cmocka_unit_test(routes_to_nobody_are_muted),
        cmocka_unit_test(how_rarely_alerts_are_repeated_is_listed),
        cmocka_unit_test(many_routes_share_a_set),
        cmocka_unit_test(a_receiver_that_is_misspelt_in_the_map_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
