/*
 * Aim: a variable means what its expression would mean where it is used; wrong ones are told at
 * their place, and however they use each other, reading ends. Method: rules with variables beside
 * rules without, whose form and answers must be the same; small texts with worked-out messages; a
 * set whose variables double each other.
 */
#include "rules_support.h"

static const struct words event_words = {
    .tenant = "acme",
    .resource = "db01/sda",
    .check = "disk",
    .severity = SEVERITY_MAJOR,
    .label = {"rack", "r7"},
    .has_value = true,
    .value = 96,
};

static struct rule_set *with_vars(const char *vars, const char *where)
{
    char text[4096];

    snprintf(text, sizeof(text),
             HEAD "    vars:\n%s    where: |\n      %s\n" GOOD_WINDOW GOOD_WHEN TAIL, vars, where);
    return parse_good(text);
}

static bool matches(const struct rule_set *set)
{
    struct sample sample;
    uint32_t out[1];

    sample_make(&sample, &event_words);
    return rule_set_match(set, &sample.view, out, 1) == 1;
}

static void variables_stand_for_their_expressions(void **state)
{
    static const struct {
        const char *vars, *where, *same;
        bool is_true;
    } cases[] = {
        {"      free: 100.0 - value\n", "free < 5", "100.0 - value < 5", true},
        {"      free: 100.0 - value\n", "free > 5", "100.0 - value > 5", false},
        /* a whole, not a piece of text: no parentheses needed */
        {"      sum: 1 + 2\n", "sum * 2 == size(labels) + 5", "(1 + 2) * 2 == size(labels) + 5",
         true},
        {"      a: 'severity > INFO'\n      b: '!a'\n      c: a || b\n", "c && a",
         "(severity > INFO || !(severity > INFO)) && severity > INFO", true},
        {"      where_: labels.rack\n", "has(where_) && where_ == 'r7'",
         "has(labels.rack) && labels.rack == 'r7'", true},
        {"      racks: '[\"r6\", \"r7\"]'\n", "labels.rack in racks", "labels.rack in ['r6', 'r7']",
         true},
        {"      low: 3m\n", "age < low", "age < 3m", true},
        /* inside of everything */
        {"      n: size(check)\n",
         "labels[n > 3 ? 'rack' : 'x'].startsWith(string(n) + 'x') || n in [n, 1]",
         "labels[size(check) > 3 ? 'rack' : 'x'].startsWith(string(size(check)) + 'x') || "
         "size(check) in [size(check), 1]",
         true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4096];
        struct rule_set *set = with_vars(cases[i].vars, cases[i].where);
        struct rule_set *plain = parse_good(rule_with_where(cases[i].same, text, sizeof(text)));
        struct id128 form = rule_set_rule(set, 0)->form, other = rule_set_rule(plain, 0)->form;
        if (matches(set) != cases[i].is_true || matches(plain) != cases[i].is_true)
            fail_msg("%s is not %d", cases[i].where, cases[i].is_true);
        if (!id128_equal(form, other))
            fail_msg("%s is not the same form as %s", cases[i].where, cases[i].same);
        rule_set_destroy(plain);
        rule_set_destroy(set);
    }
}

static void variables_serve_all_expressions_of_a_rule(void **state)
{
    struct rule_set *set =
        parse_good(HEAD "    vars: {place: labels.rack, many: 3, kinds: distinct(check), "
                        "rest: 100.0 - value, still: quiet(5m)}\n"
                        "    where: rest < 50\n"
                        "    by: [place]\n"
                        "    window: 1m\n"
                        "    when: count() >= many && kinds >= 2\n"
                        "    incident: {title: \"{place}: {kinds} of {many}, {rest} left\"}\n"
                        "    close: still || cleared()\n");
    const struct rule *rule = rule_set_rule(set, 0);
    struct sample sample;
    struct text by[RULE_BY_MAX];
    char title[100];

    (void)state;
    sample_make(&sample, &event_words);
    assert_true(matches(set));
    assert_string_equal(rule->by_name[1], "labels.rack");
    rule_by_values(rule, &sample.view, by);
    assert_memory_equal(by[1].at, "r7", 2);
    assert_true(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){3, 2}));
    assert_false(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){2, 2}));
    assert_int_equal(rule->aggregate[0].limit, 3);
    assert_int_equal(rule->quiet_ms[0], 300000);
    rule_title(rule, &sample.view, (int64_t[RULE_AGGREGATES_MAX]){3, 2}, title, sizeof(title));
    assert_string_equal(title, "r7: 2 of 3, 4 left");
    rule_set_destroy(set);
}

static void a_variable_in_a_title_is_part_of_the_sets_hash(void **state)
{
    static const char *const texts[] = {
        HEAD "    vars: {x: '\"a\"'}\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN
             "    incident: {title: \"{x}\"}\n    close: cleared()\n",
        HEAD "    vars: {x: '\"b\"'}\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN
             "    incident: {title: \"{x}\"}\n    close: cleared()\n",
    };
    struct rule_set *a = parse_good(texts[0]), *b = parse_good(texts[1]);

    (void)state;
    assert_false(id128_equal(rule_set_hash(a), rule_set_hash(b)));
    assert_true(id128_equal(rule_set_rule(a, 0)->form, rule_set_rule(b, 0)->form));
    rule_set_destroy(a);
    rule_set_destroy(b);
}

static void wrong_variables_are_refused_at_their_place(void **state)
{
    static const struct {
        const char *vars, *where, *line;
    } cases[] = {
        {"    vars: [a]\n", "true",
         "r.yaml:3:11: vars takes a map of names and expressions, not a list"},
        {"    vars: {1a: 'true'}\n", "true",
         "r.yaml:3:12: a name is made of at most 60 letters, digits and _, and does not begin with "
         "a "
         "digit"},
        {"    vars: {host: 'true'}\n", "true", "r.yaml:3:12: this is the name of a field"},
        {"    vars: {MAJOR: 'true'}\n", "true", "r.yaml:3:12: this is the name of a severity"},
        {"    vars: {labels: 'true'}\n", "true", "r.yaml:3:12: this word has a meaning of its own"},
        {"    vars: {x: 'value >'}\n", "x",
         "r.yaml:3:23: the expression ends where a field, a value or \"(\" should follow"},
        {"    vars: {x: [a]}\n", "x",
         "r.yaml:3:15: an expression should stand here, not a list; if it is text, put it in "
         "quotes: [ and - begin a list"},
        {"    vars: {x: 'true'}\n", "true", "r.yaml:3:12: nothing in the rule uses this variable"},
        {"    vars: {x: 'value > 5'}\n", "x == 5",
         "r.yaml:4:17: this is a whole number and cannot be compared with true or false"},
        {"    vars: {x: 'chek'}\n", "x == \"a\"",
         "r.yaml:3:16: there is no field \"chek\"; did you mean \"check\"?"},
        {"    vars: {x: 'chek == \"a\"'}\n", "x",
         "r.yaml:3:16: there is no field \"chek\"; did you mean \"check\"?"},
        {"    vars: {x: 'count() > 5'}\n", "x",
         "r.yaml:3:16: count() belongs into when, not into where"},
        {"    vars: {x: x || true}\n", "x",
         "r.yaml:3:15: a variable may use those above it: \"x\" is not one of them"},
        {"    vars: {x: y || true, y: 'true'}\n", "x",
         "r.yaml:3:15: a variable may use those above it: \"y\" is not one of them"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2048];
        snprintf(text, sizeof(text), HEAD "%s    where: %s\n" GOOD_WINDOW GOOD_WHEN TAIL,
                 cases[i].vars, cases[i].where);
        assert_refused_line(text, cases[i].line);
    }
}

/* x1 is x0 twice, x2 is x1 twice, ...: two to the power of 40 parts. */
static void doubling_variables_are_bounded(void **state)
{
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof(text), HEAD "    vars:\n      x0: value > 5\n");

    (void)state;
    for (int i = 1; i <= 40; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "      x%d: x%d || x%d\n", i,
                                 i - 1, i - 1);
    snprintf(text + used, sizeof(text) - used, "    where: x40\n" GOOD_WINDOW GOOD_WHEN TAIL);
    assert_refused_line(text,
                        "r.yaml:5:11: variables of this set stand for more than 1000000 parts");
}

/* x1 is -x0, x2 is -x1, each in as many parentheses as an expression may have. */
static void depth_counts_what_variables_stand_for(void **state)
{
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof(text), HEAD "    vars:\n      x0: value\n");

    (void)state;
    for (int i = 1; i <= 3; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "      x%d: x%d", i, i - 1);
        for (int k = 0; k < 60; k++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, " + 1.0");
        used += (size_t)snprintf(text + used, sizeof(text) - used, "\n");
    }
    snprintf(text + used, sizeof(text) - used, "    where: x3 > 5\n" GOOD_WINDOW GOOD_WHEN TAIL);
    assert_refused_line(text,
                        "r.yaml:5:11: with its variables the expression is nested deeper than "
                        "128 levels");
    char *where = strstr(text, "where: x3");
    where[8] = '2';
    assert_refused_line(text, "r.yaml:7:7: nothing in the rule uses this variable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_stand_for_their_expressions),
        cmocka_unit_test(variables_serve_all_expressions_of_a_rule),
        cmocka_unit_test(a_variable_in_a_title_is_part_of_the_sets_hash),
        cmocka_unit_test(wrong_variables_are_refused_at_their_place),
        cmocka_unit_test(doubling_variables_are_bounded),
        cmocka_unit_test(depth_counts_what_variables_stand_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
