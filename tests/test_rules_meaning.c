/*
 * Aim: over a reload a rule is unchanged when it says the same in other words, and changed
 * otherwise. Method: pairs of expressions in one rule, with what their forms have to be; the list
 * is that of docs/rules.md, "Open windows over a reload".
 */
#include "tests/rules_support.h"

struct pair {
    const char *left, *right;
    bool is_same;
};

static struct id128 form_with(const char *where, const char *when)
{
    char text[2048];
    struct rule_set *set;
    struct id128 form;

    snprintf(text, sizeof(text),
             "sets:\n  core: [db1, db2]\n  heart: [db2, db1]\n  edge: [db3]\n"
             "rules:\n  - id: r\n    vars:\n      least: 5\n      loud: severity >= MAJOR\n"
             "    where: |\n      (%s) && (loud || value < least)\n"
             "    window: 1m\n    when: |\n      %s\n" TAIL,
             where, when);
    set = parse_good(text);
    form = rule_set_rule(set, 0)->form;
    rule_set_destroy(set);
    return form;
}

static void check(const struct pair *pairs, size_t count, bool is_when)
{
    for (size_t i = 0; i < count; i++) {
        const struct pair *pair = &pairs[i];
        struct id128 left =
            is_when ? form_with("has(value)", pair->left) : form_with(pair->left, "count() >= 1");
        struct id128 right =
            is_when ? form_with("has(value)", pair->right) : form_with(pair->right, "count() >= 1");
        if (id128_equal(left, right) != pair->is_same)
            fail_msg("%s / %s: %s", pair->left, pair->right,
                     pair->is_same ? "differ" : "are the same");
    }
}

static void the_same_in_other_words_is_unchanged(void **state)
{
    static const struct pair pairs[] = {
        {"age < 60s", "age<1m", true},
        {"age < 90s", "age < duration(\"1m30s\")", true},
        {"check == \"a\"", "check == 'a'", true},
        {"labels.rack == \"a\"", "labels[\"rack\"] == \"a\"", true},
        {"value > 5", "value > least", true},
        {"value > 60 * 24", "value > 1440", true},
        {"value > 5", "value > 5.0", true},
        {"value > 5", "5 < value", true},
        {"value >= 5", "5.0 <= value", true},
        {"check == \"a\"", "\"a\" == check", true},
        {"check != host", "host != check", true},
        {"check == \"a\" && host == \"b\"", "host == \"b\" && check == \"a\"", true},
        {"check == \"a\" || host == \"b\"", "host == \"b\" || check == \"a\"", true},
        {"check == \"a\" && host == \"b\" && has(value)",
         "check == \"a\" && (has(value) && host == \"b\")", true},
        {"severity >= ERROR", "severity >= MAJOR", true},
        {"check in [\"a\", \"b\", \"c\"]", "check in [\"c\", \"a\", \"b\"]", true},
        {"value in [1, 2]", "value in [2.0, 1]", true},
        {"host in core", "host in heart", true},
        {"!(host in core && check == \"a\")", "!('a' == check && host in heart)", true},
    };

    (void)state;
    check(pairs, sizeof(pairs) / sizeof(pairs[0]), false);
}

static void another_meaning_is_a_change(void **state)
{
    static const struct pair pairs[] = {
        {"age < 60s", "age < 61s", false},
        {"value > 5", "value >= 5", false},
        {"value > 5", "5 > value", false},
        {"value < 5", "value > 5", false},
        {"value > 5", "value > 5.5", false},
        {"value > -5", "value > 5", false},
        {"check == \"5\"", "check == \"5.0\"", false},
        {"check == \"a\" && host == \"b\"", "check == \"b\" && host == \"a\"", false},
        {"check == \"a\" && host == \"b\"", "check == \"a\" || host == \"b\"", false},
        {"check == \"a\" && (host == \"b\" || has(value))",
         "(check == \"a\" && host == \"b\") || has(value)", false},
        {"check == \"a\" && check == \"a\" && host == \"b\"", "check == \"a\" && host == \"b\"",
         false}, /* nothing cleverer is tried */
        {"value - 5.0 > ts.getHours()", "5.0 - value > ts.getHours()", false},
        {"value * 2 > age.getHours()", "value * 2.0 > age.getHours()", false},
        {"has(value) ? has(labels.a) : has(labels.b)", "has(value) ? has(labels.b) : has(labels.a)",
         false},
        {"check in [\"a\", \"b\"]", "check in [\"a\", \"c\"]", false},
        {"check in [\"a\", \"b\"]", "check in [\"a\"]", false},
        {"host in core", "host in edge", false},
        {"host in core", "!(host in core)", false},
        {"check.startsWith(\"a\")", "check.endsWith(\"a\")", false},
        {"check.contains(host)", "host.contains(check)", false},
        {"labels.a == \"x\"", "labels.b == \"x\"", false},
        {"has(labels.a)", "has(labels.b)", false},
        {"check.matches(\"a+\")", "check.matches(\"a*\")", false},
    };

    (void)state;
    check(pairs, sizeof(pairs) / sizeof(pairs[0]), false);
}

static void aggregates_keep_their_order(void **state)
{
    static const struct pair pairs[] = {
        {"count() >= 5", "5 <= count()", true},
        {"count() >= 5 && count() < 9", "count() < 9 && count() >= 5", true},
        {"count() >= 5", "count() > 4", false},
        {"count() >= 5 || count() * 2 == 4", "count() * 2 == 4 || 5 <= count()", true},
        /* entries hold numbers in the order of the aggregates */
        {"sum(value) > 5 && max(value) > 2", "max(value) > 2 && sum(value) > 5", false},
        {"sum(value) > 5", "avg(value) > 5", false},
        {"quantile(value, 0.5) > 5", "quantile(value, 0.9) > 5", false},
        {"distinct(host) > 1", "distinct(check) > 1", false},
    };

    (void)state;
    check(pairs, sizeof(pairs) / sizeof(pairs[0]), true);
}

static void settings_change_with_what_they_mean(void **state)
{
    static const char rule[] = "rules:\n  - id: r\n    vars: {least: %s}\n    where: has(value)\n"
                               "    window: 1m\n    when: count() >= 1\n"
                               "    incident: {title: \"{value - least}\", team: %s}\n"
                               "    close: %s\n";
    static const struct {
        const char *least, *team, *close;
        unsigned changed; /* bits of enum rule_setting_kind */
    } cases[] = {
        {"5.0", "a", "quiet(1m) || cleared()", 0},
        {"5.0", "a", "cleared()||quiet(60s)", 0},
        {"6.0", "a", "quiet(1m) || cleared()", 1u << SETTING_TITLE},
        {"5.0", "b", "quiet(1m) || cleared()", 1u << SETTING_TEAM},
        {"5.0", "a", "quiet(1m) && cleared()", 1u << SETTING_CLOSE},
    };
    struct rule_set *base = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        unsigned changed = 0;
        snprintf(text, sizeof(text), rule, cases[i].least, cases[i].team, cases[i].close);
        struct rule_set *set = parse_good(text);
        base = base != NULL ? base : parse_good(text);
        assert_true(id128_equal(rule_set_rule(set, 0)->form, rule_set_rule(base, 0)->form));
        for (int kind = 0; kind < SETTING_COUNT; kind++)
            if (!id128_equal(rule_set_rule(set, 0)->setting[kind].digest,
                             rule_set_rule(base, 0)->setting[kind].digest))
                changed |= 1u << kind;
        if (changed != cases[i].changed)
            fail_msg("case %zu: %x instead of %x", i, changed, cases[i].changed);
        assert_true(id128_equal(rule_set_hash(set), rule_set_hash(base)) == (changed == 0));
        rule_set_destroy(set);
    }
    rule_set_destroy(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_in_other_words_is_unchanged),
        cmocka_unit_test(another_meaning_is_a_change),
        cmocka_unit_test(aggregates_keep_their_order),
        cmocka_unit_test(settings_change_with_what_they_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
