/*
 * Aim: a mute that can do nothing beside its rules is found, and no other is called so. Method:
 * three rules with different keys, and mutes over them, a row each.
 */
#include "tests/rules_support.h"
#include "rules/mute_reach.h"

#define RULE(id, by, team)                                                                         \
    "  - {id: " id ", where: 'check == \"a\"', by: " by ", window: 1m, when: count() >= 2, "       \
    "incident: {title: t, team: " team ", priority: P2}, close: cleared()}\n"

static const char rules[] = "sets: {known: [host-down, x], unknown: [y]}\nrules:\n" RULE(
    "host-down", "[host]", "ops") RULE("rack-host", "[labels.rack, host]", "ops")
    RULE("rack-power", "[labels.rack]",
         "dc") "  - {id: minor-only, where: 'check == \"m\" && severity in [WARNING, MINOR]', by: "
               "[host], "
               "window: 1m, when: count() >= 2, incident: {title: t, priority: P4}, close: "
               "cleared()}\n"
               "  - {id: fixed, where: 'labels.env == \"prod\" && (value > 1 || check == \"b\") && "
               "\"c\" == check', by: [check, labels.env, host], window: 1m, when: count() >= 2, "
               "incident: {title: t, priority: P4}, close: cleared()}\n"
               "  - {id: either, where: 'check == \"b\" || check == \"c\"', by: [check], window: "
               "1m, "
               "when: count() >= 2, incident: {title: t, priority: P4}, close: cleared()}\n"
               "  - {id: listed, where: check == \"b\", by: [check], expect: {every: 5m, keys: "
               "[{check: b}, {check: c}]}, incident: {title: t, priority: P5}, close: cleared()}\n"
               "  - {id: gone, where: check == \"beat\", by: [host], expect: {every: 5m, severity: "
               "MAJOR}, incident: {title: t, priority: P5}, close: cleared()}\n";

static struct mute_reach reach_of(const char *mute)
{
    char text[4096];
    struct rule_set *set;
    struct mute_reach reach;

    snprintf(text, sizeof(text), "%s%s", rules, mute);
    set = parse_good(text);
    reach = mute_reach(set, 0);
    rule_set_destroy(set);
    return reach;
}

static void matchers_that_no_rule_meets_are_found(void **state)
{
    static const struct {
        const char *where;
        bool is_possible;
    } cases[] = {
        {"rule == \"host-down\"", true},
        {"rule == \"host-dwon\"", false},
        {"rule.startsWith(\"rack-\")", true},
        {"rule.startsWith(\"site-\")", false},
        {"rule in known", true},
        {"rule in unknown", false},
        {"rule.matches(\"^(host|site)-\")", true},
        {"rule.matches(\"^site-\")", false},
        {"priority == \"P2\" && team == \"dc\"", true},
        {"priority == \"P1\"", false},
        {"team == \"ops\" && has(labels.rack)", true},
        {"team == \"dc\" && has(host)", false},
        {"team == \"dc\" && !has(host)", true},
        {"rule == \"host-down\" && labels.rack == \"\"", true},
        {"rule == \"host-down\" && labels.rack != \"\"", false},
        {"labels.site == \"x\"", false},
        {"labels.site == \"x\" || host == \"h\"", true},
        {"tenant != \"\"", true},
        {"severity >= MAJOR && rule == \"host-down\"", true},
        {"severity >= MAJOR && rule == \"host-dwon\"", false},
        /* Severities that the rule's own `where` lets through. */
        {"rule == \"minor-only\" && severity >= MINOR", true},
        {"rule == \"minor-only\" && severity == CRITICAL", false},
        {"rule == \"minor-only\" && !(severity < MAJOR)", false},
        {"(rule == \"minor-only\" || priority == \"P1\") && severity > MINOR", false},
        {"(rule == \"minor-only\" || rule == \"host-down\") && severity > MINOR", true},
        {"rule == \"gone\" && severity == MAJOR && host == \"h\"", true},
        {"rule == \"gone\" && (severity == CRITICAL || host == \"\" && severity < MAJOR)", false},
        /* Values that it fixes. */
        {"rule == \"fixed\" && check == \"c\" && labels.env == \"prod\" && host == \"h\"", true},
        {"rule == \"fixed\" && check == \"b\"", false},
        {"rule == \"fixed\" && labels.env.startsWith(\"test\")", false},
        {"rule == \"fixed\" && !(check in [\"a\", \"c\"])", false},
        {"rule == \"either\" && check == \"c\"", true},
        {"rule == \"listed\" && check == \"c\"", true},
        {"host == \"h\" && host.startsWith(\"h\") && !(host in known)", true},
        {"(has(host) ? host : \"none\") == \"none\"", true},
        {"(has(labels.site) ? labels.site : \"none\") == \"some\"", false},
        /* What an incident will have on the right of a search is not known, either. */
        {"!(\"h1 h2\".contains(host))", true},
        {"!(\"h1\".startsWith(host))", true},
        {"!(\"h1\".endsWith(labels.rack))", true},
        {"!(\"h1\".endsWith(labels.site))", false},
        {"size(team) == 2", true},
        {"size(team) == 4", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char mute[400];
        snprintf(mute, sizeof(mute),
                 "silences:\n  - id: s\n    to: \"2999-01-01T00:00:00Z\"\n    where: |\n      %s\n",
                 cases[i].where);
        if (reach_of(mute).is_possible != cases[i].is_possible)
            fail_msg("%s is not %d", cases[i].where, cases[i].is_possible);
    }
}

/* A name that is missing and one that is empty are equal. */
static void names_in_equal_that_tell_nothing_apart_are_found(void **state)
{
    static const struct {
        const char *source, *target, *equal;
        bool is_possible;
        uint32_t idle, empty; /* the tenant is the first */
    } cases[] = {
#define IS(id) "rule == \"" id "\""
        {IS("rack-power"), IS("rack-host"), "labels.rack", true, 0, 0},
        {IS("rack-power"), IS("rack-host"), "labels.rakc", true, 2, 0},
        {IS("rack-power"), IS("rack-host"), "labels.rack, labels.rakc", true, 4, 0},
        {IS("rack-host"), IS("host-down"), "host", true, 0, 0},
        {IS("none"), IS("host-down"), "host", false, 0, 0},
        {IS("rack-host"), IS("none"), "host", false, 0, 0},
        /* one side alone carries it: nothing is said against those of its incidents without it */
        {IS("rack-power"), IS("rack-host"), "host", true, 0, 2},
        {IS("rack-power"), IS("host-down"), "labels.rack", true, 0, 2},
        {IS("rack-host"), IS("host-down"), "host, labels.rack", true, 0, 4},
        {IS("host-down"), IS("rack-host"), "labels.rack, host, labels.rakc", true, 8, 2},
        {IS("host-down"), "team == \"ops\" && " IS("rack-host"), "labels.rack", true, 0, 2},
        {IS("gone"), "team == \"ops\"", "host, labels.rack", true, 0, 4},
        {IS("rack-host"), "team == \"ops\" && severity < MAJOR", "labels.rack", true, 0, 0},
        /* but where each has one */
        {IS("host-down"), IS("rack-host") " && labels.rack != \"\"", "labels.rack", false, 0, 0},
        {IS("host-down"), IS("rack-host") " && has(labels.rack)", "host, labels.rack", false, 0, 0},
        {IS("host-down"), IS("rack-host") " && labels.rack == \"r7\" && severity > MINOR",
         "labels.rack", false, 0, 0},
        {IS("host-down"), IS("rack-host") " && labels.rack.startsWith(\"\")", "labels.rack", true,
         0, 2},
        {IS("rack-power") " && labels.rack == \"r7\"", IS("host-down"), "labels.rack", false, 0, 0},
        {IS("fixed"), IS("host-down"), "check", false, 0, 0},
        {IS("host-down"), IS("fixed"), "host, labels.env", false, 0, 0},
        {IS("host-down"), IS("fixed") " || " IS("rack-host"), "labels.env", true, 0, 2},
        /* what all incidents have */
        {IS("host-down"), IS("rack-host"), "team, host", true, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char mute[600];
        snprintf(
            mute, sizeof(mute),
            "inhibit:\n  - id: i\n    source: |\n      %s\n    target: |\n      %s\n    equal: "
            "[%s]\n",
            cases[i].source, cases[i].target, cases[i].equal);
        struct mute_reach reach = reach_of(mute);
        if (reach.is_possible != cases[i].is_possible ||
            (reach.is_possible &&
             (reach.idle_equal != cases[i].idle || reach.only_empty != cases[i].empty)))
            fail_msg("case %zu: %d, %x, %x", i, reach.is_possible, (unsigned)reach.idle_equal,
                     (unsigned)reach.only_empty);
    }
}

/* What matches both sides is not inhibited by what does. */
static void sides_that_are_one_inhibit_nothing(void **state)
{
    static const struct {
        const char *source, *target;
        bool is_one_side;
    } cases[] = {
        {"rule == \"host-down\"", "rule == \"host-down\"", true},
        {"rule == \"host-down\"", "rule == \"host-down\" && priority == \"P2\"", true},
        {"team == \"ops\"", "rule in [\"host-down\", \"rack-host\"]", true},
        {"team == \"ops\"", "rule == \"host-down\"", false},
        {"rule == \"host-down\"", "team == \"ops\"", false},
        {"rule == \"host-down\"", "rule == \"host-down\" && host == \"a\"", false},
        {"rule == \"host-down\" && severity >= MAJOR", "rule == \"host-down\"", false},
        {"rule == \"host-down\"", "rule == \"rack-host\"", false},
        {"rule == \"fixed\" && check == \"c\"", "rule == \"fixed\"", true},
        {"rule == \"either\" && check == \"c\"", "rule == \"either\"", false},
        {"rule == \"none\"", "rule == \"none\"", false},
        /* the same words, of whatever is not known beforehand */
        {"tenant == \"a\"", "tenant == \"a\"", true},
        {"tenant == \"a\"", "tenant == \"b\"", false},
        {"host == \"a\" && severity < MAJOR", "MAJOR > severity && \"a\" == host", true},
        /* severities that one side has and the other, too */
        {"severity == CRITICAL", "severity == CRITICAL", true},
        {"severity == CRITICAL", "severity == MAJOR", false},
        {"severity == CRITICAL", "severity >= MAJOR", false},
        {"severity == CRITICAL && rule == \"host-down\"",
         "severity > MAJOR && rule in [\"host-down\"]", true},
        {"severity == CRITICAL && rule == \"host-down\"", "severity > MAJOR", false},
        {"severity >= MINOR && rule == \"minor-only\"",
         "severity == MINOR && rule == \"minor-only\"", true},
        {"rule == \"gone\"", "rule == \"gone\" && severity >= WARNING", true},
        {"rule == \"gone\" && host == \"a\"", "rule == \"gone\" && severity >= WARNING", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char mute[400];
        snprintf(
            mute, sizeof(mute),
            "inhibit:\n  - id: i\n    source: |\n      %s\n    target: |\n      %s\n    equal: "
            "[host]\n",
            cases[i].source, cases[i].target);
        struct mute_reach reach = reach_of(mute);
        if (reach.is_one_side != cases[i].is_one_side || (reach.is_one_side && reach.is_possible))
            fail_msg("case %zu: %d, %d", i, reach.is_one_side, reach.is_possible);
    }
}

/* Of a mute that can match nothing it is told which name of it nothing has. */
static void names_that_no_rule_has_are_told_with_the_nearest(void **state)
{
    static const struct {
        const char *where, *sentence; /* NULL: none */
    } cases[] = {
        {"rule == \"host-dwon\"", "there is no rule \"host-dwon\"; did you mean \"host-down\"?"},
        {"\"host-dwon\" == rule", "there is no rule \"host-dwon\"; did you mean \"host-down\"?"},
        {"team in [\"dc\", \"opps\"] && host == \"a\"",
         "there is no team \"opps\"; did you mean \"ops\"?"},
        {"team == \"network\"", "there is no team \"network\""},
        {"tier == \"T1\"", "there is no tier \"T1\""},
        {"rule == \"host-down\" && labels.rack != \"\"", NULL},
        {"rule.startsWith(\"site-\")", NULL},
        {"labels.rakc == \"r7\"", "no rule counts by labels.rakc; did you mean \"labels.rack\"?"},
        {"labels.site == \"x\"", "no rule counts by labels.site"},
        {"host == \"a\" && dedup_key in [\"x\"]", "no rule counts by dedup_key"},
        {"tenant == \"a\" && priority == \"P5\" && severity == OK", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4096], told[256] = "";
        snprintf(text, sizeof(text),
                 "%ssilences:\n  - id: s\n    to: \"2999-01-01T00:00:00Z\"\n    where: |\n      "
                 "%s\n",
                 rules, cases[i].where);
        struct rule_set *set = parse_good(text);
        assert_int_equal(mute_reach_stray(set, 0, told, sizeof(told)), cases[i].sentence != NULL);
        assert_string_equal(told, cases[i].sentence != NULL ? cases[i].sentence : "");
        rule_set_destroy(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matchers_that_no_rule_meets_are_found),
        cmocka_unit_test(names_in_equal_that_tell_nothing_apart_are_found),
        cmocka_unit_test(sides_that_are_one_inhibit_nothing),
        cmocka_unit_test(names_that_no_rule_has_are_told_with_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
