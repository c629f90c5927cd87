/*
 * Aim: a name that is none is told with the one that was meant, at the name and nothing more of the
 * line. Method: one slip of the pen per row, in each place of a rule file that takes a name, and
 * the first line of the answer; the stretch that carets stand below, for calls.
 */
#include "rules_support.h"
#include "base/nearest.h"

#define WHERE(text) "    where: '" text "'\n"
#define WHEN(text) "    when: " text "\n"
#define RULE HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL
#define MEANT(what, wrong, right) "there is no " what " \"" wrong "\"; did you mean " right "?"

struct near_case {
    const char *text, *line;
};

static void check(const struct near_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_refused_line(cases[i].text, cases[i].line);
}

static void severities_are_told_with_the_one_that_was_meant(void **state)
{
    static const struct near_case cases[] = {
        {HEAD WHERE("severity >= \"majr\"") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:25: there is no severity \"majr\"; did you mean MAJOR, without quotes?"},
        {HEAD WHERE("\"majr\" <= severity") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no severity \"majr\"; did you mean MAJOR, without quotes?"},
        {HEAD WHERE("severity >= \"high\"") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:25: this is text and cannot be compared with a severity; write MAJOR, without "
         "quotes"},
        {HEAD WHERE("severity in [MAJOR, \"xyzzy\"]") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:33: there is no severity \"xyzzy\"; it is OK, DEBUG, INFO, WARNING, MINOR, "
         "MAJOR, ERROR or CRITICAL"},
        {HEAD WHERE("severity >= high") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:25: " MEANT("field", "high", "\"MAJOR\"")},
        {HEAD WHERE("severity >= severity(\"majr\")") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:34: " MEANT("severity", "majr", "MAJOR")},
        {HEAD WHERE("severity >= severity(\"xyzzy\")") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:34: there is no severity \"xyzzy\""},
        {HEAD GOOD_WHERE "    expect: {every: 5m, severity: majr}\n" TAIL,
         "r.yaml:4:35: severity is DEBUG, INFO, WARNING, MINOR, MAJOR or CRITICAL; did you mean "
         "MAJOR?"},
        {HEAD GOOD_WHERE "    expect: {every: 5m, severity: OK}\n" TAIL,
         "r.yaml:4:35: severity is DEBUG, INFO, WARNING, MINOR, MAJOR or CRITICAL"},
        {RULE "silences:\n  - {id: s, to: \"2999-01-01T00:00:00Z\", where: severity >= MAJR}\n",
         "r.yaml:9:60: an incident has no \"MAJR\"; did you mean \"MAJOR\"?"},
        {RULE "silences:\n  - {id: s, to: \"2999-01-01T00:00:00Z\", where: host == xyzzy}\n",
         "r.yaml:9:56: a text stands in quotes: \"xyzzy\""},
        {RULE "silences:\n  - {id: s, to: \"2999-01-01T00:00:00Z\", where: has(xyzzy)}\n",
         "r.yaml:9:52: an incident has no \"xyzzy\": it has rule, tenant, priority, severity, "
         "team, "
         "tier and the fields of its rule's by; a text stands in quotes"},
        {RULE "silences:\n  - {id: s, to: \"2999-01-01T00:00:00Z\", where: priority == P3}\n",
         "r.yaml:9:60: a priority is text here: write \"P3\", in quotes"},
        {RULE "silences:\n  - {id: s, to: \"2999-01-01T00:00:00Z\", where: 'priority in [p5]'}\n",
         "r.yaml:9:62: a priority is text here: write \"P5\", in quotes"},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

#define SILENCE(where)                                                                             \
    RULE "silences:\n  - {id: s, to: \"2999-01-01T00:00:00Z\", where: '" where "'}\n"
#define QUOTES(text) "a text stands in quotes: \"" text "\""

static void text_without_quotes_is_told_as_that(void **state)
{
    static const struct near_case cases[] = {
        {HEAD WHERE("check == host-down") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:22: " QUOTES("host-down")},
        {HEAD WHERE("web-1 != host") GOOD_WINDOW GOOD_WHEN TAIL, "r.yaml:3:13: " QUOTES("web-1")},
        {HEAD WHERE("check == login.failed") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:22: " QUOTES("login.failed")},
        {HEAD WHERE("labels.env == down") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:27: " QUOTES("down")},
        {HEAD WHERE("labels[\"a-b\"] == host/check") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:30: " QUOTES("host/check")},
        {HEAD WHERE("check in [\"a\", cpu-load]") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:28: " QUOTES("cpu-load")},
        {HEAD WHERE("host.startsWith(web)") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:29: " QUOTES("web")},
        {HEAD WHERE("host == 10.0.0.1") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:21: this is no number: an address or a version is text and stands in quotes"},
        {HEAD WHERE("check == disk full") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:27: expected an operator or the end here; a text stands in quotes"},
        /* a slip of the pen in a field's name stays one, and so does a name beside a text */
        {HEAD WHERE("check == hots") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:22: " MEANT("field", "hots", "\"host\"")},
        {HEAD WHERE("colour == \"a\"") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no field \"colour\"; a label is written labels.NAME, a text in "
         "quotes"},
        {SILENCE("rule == host-down"), "r.yaml:9:57: " QUOTES("host-down")},
        {SILENCE("rule in [disk.full]"), "r.yaml:9:58: " QUOTES("disk.full")},
        {SILENCE("labels.rack == down"), "r.yaml:9:64: " QUOTES("down")},
        {SILENCE("team.contains(down)"), "r.yaml:9:63: " QUOTES("down")},
        {SILENCE("host == rul"), "r.yaml:9:57: an incident has no \"rul\"; did you mean \"rule\"?"},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

#define ASKED "has() asks whether a thing is there"

static void null_is_told_with_what_says_the_same(void **state)
{
    static const struct near_case cases[] = {
        {HEAD WHERE("labels.rack == null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:28: there is no null: write !has(labels.rack)"},
        {HEAD WHERE("labels[\"a-b\"] != null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:30: there is no null: write has(labels[\"a-b\"])"},
        {HEAD WHERE("null == value") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no null: write !has(value)"},
        {HEAD WHERE("message in [\"a\", null]") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:30: there is no null: write !has(message)"},
        {HEAD WHERE("labels.rack == null-1") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:28: " QUOTES("null-1")},
        {SILENCE("labels.rack != null"), "r.yaml:9:64: there is no null: write has(labels.rack)"},
        {SILENCE("null == host"), "r.yaml:9:49: there is no null: write !has(host)"},
        /* what is always there, and what has() does not take */
        {HEAD WHERE("severity == null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:25: there is no null: severity is always there, so this would never be true"},
        {HEAD WHERE("null != ts") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no null: ts is always there, so this would always be true"},
        {HEAD WHERE("tenant in [\"a\", null]") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:29: there is no null: tenant is always there, so this would never be true"},
        {HEAD WHERE("severity in [MAJOR, null]") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:33: there is no null: severity is always there, so this would never be true"},
        {HEAD WHERE("labels != null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:23: there is no null: write size(labels) > 0"},
        {HEAD WHERE("null == labels") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no null: write size(labels) == 0"},
        {HEAD WHERE("labels[host] == null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:29: there is no null: " ASKED},
        {HEAD WHERE("size(message) == null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:30: there is no null: " ASKED},
        {HEAD WHERE("MAJOR != null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:22: there is no null: " ASKED},
        {HEAD WHERE("hots == null") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:21: there is no null: " ASKED},
        {SILENCE("rule != null"),
         "r.yaml:9:57: there is no null: rule is always there, so this would always be true"},
        {SILENCE("severity == null"),
         "r.yaml:9:61: there is no null: severity is always there, so this would never be true"},
        {SILENCE("labels != null"), "r.yaml:9:59: there is no null: write has(labels.NAME)"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL
         "  - {id: above, on: incidents, of: [r], where: value == null, by: [host], window: 1m, "
         "when: count() >= "
         "1, "
         "incident: {title: t}, close: cleared()}\n",
         "r.yaml:8:57: there is no null: value is never there, so this would always be true"},
        /* the words of other languages for it, which may be meant as texts, too */
        {HEAD WHERE("labels.rack == None") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:28: there is no None: write !has(labels.rack); a text stands in quotes"},
        {HEAD WHERE("nil != message") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no nil: write has(message); a text stands in quotes"},
        {HEAD WHERE("value == undefined") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:22: there is no undefined: write !has(value)"},
        {SILENCE("labels.rack == nil"),
         "r.yaml:9:64: there is no nil: write !has(labels.rack); a text stands in quotes"},
        {HEAD WHERE("labels.rack == none") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:28: " QUOTES("none")},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void functions_are_told_with_the_one_that_was_meant(void **state)
{
    static const struct near_case cases[] = {
        {HEAD WHERE("check.lenght() > 3") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:19: " MEANT("function", "lenght", "\"size\"")},
        {HEAD WHERE("len(check) > 3") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: " MEANT("function", "len", "\"size\"")},
        {HEAD WHERE("host.toLower() == \"a\"") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:18: " MEANT("function", "toLower", "\"lowerAscii\"")},
        {HEAD GOOD_WHERE GOOD_WINDOW WHEN("avrage(value) > 3") TAIL,
         "r.yaml:5:11: " MEANT("function", "avrage", "\"avg\"")},
        /* what other languages ask of data that does not come is a form of rule here */
        {HEAD WHERE("absent(check)") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: there is no function \"absent\": of what does not come a rule with expect "
         "tells, for example expect: {every: 5m}"},
        {HEAD GOOD_WHERE GOOD_WINDOW WHEN("nodata(5m) > 0") TAIL,
         "r.yaml:5:11: there is no function \"nodata\": of what does not come a rule with expect "
         "tells, for example expect: {every: 5m}"},
        /* it stands elsewhere, which is told once it is written well */
        {HEAD WHERE("quite(5m)") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: " MEANT("function", "quite", "\"quiet\"")},
        {HEAD GOOD_WHERE GOOD_WINDOW WHEN("count >= 2") TAIL,
         "r.yaml:5:11: count is a function: write count()"},
        {HEAD GOOD_WHERE GOOD_WINDOW WHEN("distinct > 1 && count() > 2") TAIL,
         "r.yaml:5:11: distinct is a function: write distinct(check)"},
        {HEAD GOOD_WHERE GOOD_WINDOW WHEN("cuont >= 2") TAIL,
         "r.yaml:5:11: there is no \"cuont\" in when; did you mean count()?"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t}\n    close: cleared || quiet(5m)\n",
         "r.yaml:7:12: cleared is a function: write cleared()"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: clear\n",
         "r.yaml:7:12: there is no \"clear\" in close; did you mean cleared()?"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: \"{count}\"}\n    close: cleared()\n",
         "r.yaml:6:25: count is a function: write count()"},
        {HEAD WHERE("size > 3") GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:13: size is a function: write size(message)"},
        /* a field is no slip of a function */
        {HEAD GOOD_WHERE GOOD_WINDOW WHEN("host >= 2") TAIL,
         "r.yaml:5:11: when looks at a window, not at one event: compare count(), distinct(field), "
         "or sum, avg, min, max, first, last and the like of a number, as max(value)"},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void macros_of_cel_are_named_with_what_to_use_instead(void **state)
{
#define MACRO(name) "macros of CEL are not part of this language, and " name "() is one: "
#define CASE(where)                                                                                \
    HEAD WHERE(where)                                                                              \
    GOOD_WINDOW GOOD_WHEN TAIL
    static const struct refusal cases[] = {
        {CASE("labels.map(l, l == \"x\") == \"y\""),
         "r.yaml:3:20: " MACRO("map") "a step of enrich computes labels and numbers"},
        {CASE("labels.filter(l, l == \"x\").size() > 1"),
         "r.yaml:3:20: " MACRO("filter") "name the conditions themselves"},
        {CASE("[\"a\", \"b\"].all(x, x != check)"),
         "r.yaml:3:24: " MACRO("all") "name each condition and join them by &&"},
        {CASE("labels.exists(l, l == \"x\")"),
         "r.yaml:3:20: " MACRO("exists") "name each condition and join them by ||"},
        {CASE("labels.exists_one(l, l == \"x\")"), "r.yaml:3:20: " MACRO("exists_one") "name each"},
        {CASE("labels.existsOne(l, l == \"x\")"), "r.yaml:3:20: " MACRO("existsOne") "name each"},
        /* No macros: the word of other languages, and a slip. */
        {CASE("exists(labels.x)"), "r.yaml:3:13: " MEANT("function", "exists", "\"has\"")},
        {CASE("check.filterr(5)"), "r.yaml:3:19: there is no function \"filterr\""},
    };
#undef CASE
#undef MACRO

    (void)state;
    assert_each_refused(cases, sizeof(cases) / sizeof(cases[0]));
}

static void carets_of_a_wrong_call_stand_below_its_name(void **state)
{
    static const struct {
        const char *where, *answer;
    } cases[] = {
        {"check.lenght() > 3", "r.yaml:4:13: there is no function \"lenght\"; did you mean "
                               "\"size\"?\n          check.lenght() > 3\n"
                               "                ^~~~~~"},
        {"has(value) && sise(check) > 3",
         "r.yaml:4:21: there is no function \"sise\"; did you mean "
         "\"size\"?\n          has(value) && sise(check) > 3\n"
         "                        ^~~~"},
        {"check.count() > 3", "r.yaml:4:13: count() belongs into when, not into where\n"
                              "          check.count() > 3\n"
                              "                ^~~~~"},
        {"labels.x.has(check)", "r.yaml:4:16: has() stands alone, without anything before it\n"
                                "          labels.x.has(check)\n"
                                "                   ^~~"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        assert_refused(rule_with_where(cases[i].where, text, sizeof(text)), cases[i].answer);
    }
}

static void keys_and_words_are_told_with_the_one_that_was_meant(void **state)
{
    static const struct near_case cases[] = {
        {HEAD "    sequnce: []\n    within: 5m\n" TAIL,
         "r.yaml:3:5: a rule has no key \"sequnce\"; did you mean \"sequence\"?"},
        /* a key of the incident, and what other programs call a key of a rule */
        {HEAD "    priority: P2\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:5: a rule has no key \"priority\"; it stands under \"incident\""},
        {HEAD "    expr: 'true'\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:5: a rule has no key \"expr\"; what its events are stands in \"where\", how "
         "many "
         "or how much in \"when\""},
        {HEAD "    group_by: [host]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:5: a rule has no key \"group_by\"; its key is \"by\""},
        /* a key of another form is not misspelt */
        {HEAD GOOD_WHERE GOOD_WINDOW "    within: 5m\n" GOOD_WHEN TAIL,
         "r.yaml:5:5: a rule has no key \"within\"; it is one of rules with \"sequence\" or "
         "\"all\""},
        {HEAD "    sequence: [{where: check == \"a\"}, {where: check == \"b\"}]\n"
              "    within: 5m\n    look: end\n" TAIL,
         "r.yaml:5:5: a rule with a sequence has no key \"look\"; it is one of rules with "
         "\"baseline\" or \"window\""},
        {HEAD GOOD_WHERE "    expct: {every: 5m}\n" TAIL,
         "r.yaml:4:5: a rule has no key \"expct\"; did you mean \"expect\"?"},
        {HEAD "    on: evnts\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:9: on is \"alerts\" (what deduplication lets through), \"events\" (repeats "
         "too), \"flapping\" (alerts that begin to flap) or \"incidents\" (of other rules); did "
         "you mean \"events\"?"},
        {HEAD GOOD_WHERE "    window: opne\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: " MEANT("window", "opne", "\"open\"")},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, priority: p2}\n    close: cleared()\n",
         "r.yaml:6:36: a priority is P1, P2, P3, P4 or P5; did you mean P2?"},
        /* P9 is no nearer to one than to another */
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, priority: P9}\n    close: cleared()\n",
         "r.yaml:6:36: a priority is P1, P2, P3, P4 or P5"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, priority: P11}\n    close: cleared()\n",
         "r.yaml:6:36: a priority is P1, P2, P3, P4 or P5"},
        {HEAD "    vars: {free: 100.0 - value}\n" WHERE("fere < 3.0 && free > 1.0")
             GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:4:13: " MEANT("field", "fere", "\"free\"")},
        {HEAD "    by: [lables.x]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:10: there is no \"lables\"; did you mean \"labels\"?"},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void a_hint_is_empty_where_nothing_is_near(void **state)
{
    static const char *const names[] = {"severity", "source"}, *const letters[] = {"s", "to"};
    char hint[NEAREST_HINT_BYTES];

    (void)state;
    assert_string_equal(nearest_hint(text_of("sevrity"), names, 2, hint),
                        "; did you mean \"severity\"?");
    assert_string_equal(nearest_hint(text_of("colour"), names, 2, hint), "");
    assert_string_equal(nearest_hint(text_of(""), names, 2, hint), "");
    /* any letter is as near to a single one */
    assert_string_equal(nearest_hint(text_of("t"), letters, 2, hint), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(severities_are_told_with_the_one_that_was_meant),
        cmocka_unit_test(text_without_quotes_is_told_as_that),
        cmocka_unit_test(null_is_told_with_what_says_the_same),
        cmocka_unit_test(functions_are_told_with_the_one_that_was_meant),
        cmocka_unit_test(macros_of_cel_are_named_with_what_to_use_instead),
        cmocka_unit_test(carets_of_a_wrong_call_stand_below_its_name),
        cmocka_unit_test(keys_and_words_are_told_with_the_one_that_was_meant),
        cmocka_unit_test(a_hint_is_empty_where_nothing_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
