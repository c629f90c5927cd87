/*
 * Aim: what is said about an expression is what it came to: each test as written and with the
 * values it saw, and the one that decides. Method: rows of rules, events and sentences worked out
 * by hand, and random expressions whose explanation must agree with the run.
 */
#include "rules/explain.h"
#include "tests/rules_support.h"

struct row {
    const char *where;
    struct words words;
    enum truth truth;
    uint32_t tests;
    const char *cause; /* the first test that decides, printed */
};

static const struct row rows[] = {
    {"severity >= WARNING",
     {.severity = SEVERITY_INFO},
     TRUTH_FALSE,
     1,
     "severity >= WARNING: INFO >= WARNING is false"},
    {"severity >= WARNING && value > 90.0",
     {.severity = SEVERITY_MAJOR, .has_value = true, .value = 71.5},
     TRUTH_FALSE,
     2,
     "value > 90: 71.5 > 90 is false"},
    {"value > 90.0", {.check = "disk"}, TRUTH_ERROR, 1, "value > 90: the event has no value"},
    {"labels.rack == \"r7\"",
     {.check = "disk"},
     TRUTH_ERROR,
     1,
     "labels.rack == \"r7\": labels.rack is absent"},
    /* An error decides nothing where another side is false. */
    {"labels.rack == \"r7\" && check == \"disk\"",
     {.check = "fan"},
     TRUTH_FALSE,
     2,
     "check == \"disk\": \"fan\" == \"disk\" is false"},
    {"labels[\"a b\"] != \"x\"",
     {.label = {"a b", "x"}},
     TRUTH_FALSE,
     1,
     "labels[\"a b\"] != \"x\": \"x\" != \"x\" is false"},
    /* All sides of || decide that it is false; the one that holds, that it is true. */
    {"check == \"a\" || check == \"b\"",
     {.check = "c"},
     TRUTH_FALSE,
     2,
     "check == \"a\": \"c\" == \"a\" is false"},
    {"check == \"a\" || check == \"b\"",
     {.check = "b"},
     TRUTH_TRUE,
     2,
     "check == \"b\": \"b\" == \"b\" is true"},
    {"!(check == \"a\")",
     {.check = "a"},
     TRUTH_FALSE,
     1,
     "check == \"a\": \"a\" == \"a\" is true, behind a !"},
    {"check in [\"a\", \"b\"]",
     {.check = "c"},
     TRUTH_FALSE,
     1,
     "check in [\"a\", \"b\"]: \"c\" in [\"a\", \"b\"] is false"},
    {"check in [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\"]",
     {.check = "9"},
     TRUTH_FALSE,
     1,
     "check in [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", ... 2 more]: "
     "\"9\" in [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", ... 2 more] is false"},
    {"has(labels.rack)", {.check = "c"}, TRUTH_FALSE, 1, "has(labels.rack): labels.rack is absent"},
    {"!has(labels.rack)",
     {.label = {"rack", "r7"}},
     TRUTH_FALSE,
     1,
     "has(labels.rack): labels.rack is there, behind a !"},
    /* behind two it stands as it is written */
    {"!(source == \"s\" && !(check == \"a\"))",
     {.source = "s", .check = "b"},
     TRUTH_FALSE,
     2,
     "source == \"s\": \"s\" == \"s\" is true, behind a !"},
    {"!(!(check == \"a\"))",
     {.check = "b"},
     TRUTH_FALSE,
     1,
     "check == \"a\": \"b\" == \"a\" is false"},
    /* what holds behind a ! is not what brings an alternative near */
    {"source == \"x\" && !(check == \"a\") && !(check == \"b\") || severity >= MAJOR && "
     "!(check == \"c\")",
     {.check = "d", .source = "s"},
     TRUTH_FALSE,
     5,
     "source == \"x\": \"s\" == \"x\" is false"},
    /* and `check` rules an alternative out there, too */
    {"!(check == \"a\") && source == \"s\" || source == \"x\" && severity >= MAJOR",
     {.check = "a", .source = "s"},
     TRUTH_FALSE,
     4,
     "source == \"x\": \"s\" == \"x\" is false"},
    {"message.contains(\"disk\")",
     {.message = "fan \"2\" off"},
     TRUTH_FALSE,
     1,
     "message.contains(\"disk\"): \"fan \\\"2\\\" off\".contains(\"disk\") is false"},
    {"age < duration(\"5m\")",
     {.ts_ms = 1000, .et_ms = 301500},
     TRUTH_FALSE,
     1,
     "age < 5m: 5m500ms < 5m is false"},
    {"source == resource",
     {.source = "a", .resource = "b"},
     TRUTH_FALSE,
     1,
     "source == resource: \"a\" == \"b\" is false"},
    {"host == \"db01\"",
     {.resource = "db02/sda"},
     TRUTH_FALSE,
     1,
     "host == \"db01\": \"db02\" == \"db01\" is false"},
    /* Of alternatives the nearest: not ruled out by check, then by the share that holds. */
    {"check == \"a\" || check == \"b\" && severity >= MAJOR",
     {.check = "b", .severity = SEVERITY_MINOR},
     TRUTH_FALSE,
     3,
     "severity >= MAJOR: MINOR >= MAJOR is false"},
    {"check == \"a\" && severity == MINOR && source == \"s\" || severity >= MAJOR && check == "
     "\"b\"",
     {.check = "b", .severity = SEVERITY_MINOR, .source = "s"},
     TRUTH_FALSE,
     5,
     "severity >= MAJOR: MINOR >= MAJOR is false"},
    {"source == \"x\" && resource == \"y\" || source == \"s\" && resource == \"z\"",
     {.check = "b", .source = "s", .resource = "r"},
     TRUTH_FALSE,
     4,
     "resource == \"z\": \"r\" == \"z\" is false"},
    {"check == \"a\" || check == \"c\" || check == \"d\" && severity >= MINOR",
     {.check = "b", .severity = SEVERITY_MINOR},
     TRUTH_FALSE,
     4,
     "check == \"d\": \"b\" == \"d\" is false"},
    {"source == \"x\" && (check == \"a\" || check == \"b\" && severity >= MAJOR)",
     {.check = "b", .severity = SEVERITY_MINOR, .source = "s"},
     TRUTH_FALSE,
     4,
     "source == \"x\": \"s\" == \"x\" is false"},
    {"(source == \"x\" || source == \"s\" && resource == \"y\") && (check == \"a\" || check == "
     "\"b\")",
     {.check = "b", .source = "s", .resource = "r"},
     TRUTH_FALSE,
     5,
     "resource == \"y\": \"r\" == \"y\" is false"},
    {"!(check == \"b\" || check == \"c\")",
     {.check = "b"},
     TRUTH_FALSE,
     2,
     "check == \"b\": \"b\" == \"b\" is true, behind a !"},
    /* What computes is shown with the values of its operands. */
    {"value * 2.0 > 100.0",
     {.has_value = true, .value = 12.5},
     TRUTH_FALSE,
     1,
     "(value * 2) > 100: 25 > 100 is false"},
    {"int(labels.load) + 1 >= 10",
     {.label = {"load", "7"}},
     TRUTH_FALSE,
     1,
     "(int(labels.load) + 1) >= 10: 8 >= 10 is false"},
    {"int(labels.load) >= 10",
     {.label = {"load", "high"}},
     TRUTH_ERROR,
     1,
     "int(labels.load) >= 10: int(labels.load) has no value: the text is no whole number"},
    {"int(labels.load) >= 10",
     {.check = "c"},
     TRUTH_ERROR,
     1,
     "int(labels.load) >= 10: int(labels.load) has no value: the label is absent"},
    {"check.lowerAscii() == \"disk\"",
     {.check = "FAN"},
     TRUTH_FALSE,
     1,
     "check.lowerAscii() == \"disk\": \"fan\" == \"disk\" is false"},
    {"(check + \"/\" + source).startsWith(\"a/\")",
     {.check = "b", .source = "s"},
     TRUTH_FALSE,
     1,
     "((check + \"/\") + source).startsWith(\"a/\"): \"b/s\".startsWith(\"a/\") is false"},
    {"message.matches(\"^disk [0-9]+\")",
     {.message = "fan 1"},
     TRUTH_FALSE,
     1,
     "message.matches(\"^disk [0-9]+\"): \"fan 1\".matches(\"^disk [0-9]+\") is false"},
    {"(check + source).matches(\"^a\")",
     {.check = "b", .source = "a"},
     TRUTH_FALSE,
     1,
     "(check + source).matches(\"^a\"): \"ba\".matches(\"^a\") is false"},
    {"size(message) > 5", {.message = "abc"}, TRUTH_FALSE, 1, "size(message) > 5: 3 > 5 is false"},
    {"check in [source, resource]",
     {.check = "c", .source = "s", .resource = "r"},
     TRUTH_FALSE,
     1,
     "check in [source, resource]: \"c\" in [\"s\", \"r\"] is false"},
    {"check in labels",
     {.check = "c"},
     TRUTH_FALSE,
     1,
     "check in labels: \"c\" in labels is false"},
    {"ts > timestamp(\"1970-01-02T00:00:00Z\")",
     {.ts_ms = 1500},
     TRUTH_FALSE,
     1,
     "ts > 1970-01-02T00:00:00Z: 1970-01-01T00:00:01.500Z > 1970-01-02T00:00:00Z is false"},
    {"ts.getHours() >= 8",
     {.ts_ms = 3 * 3600000},
     TRUTH_FALSE,
     1,
     "ts.getHours() >= 8: 3 >= 8 is false"},
    {"has(value) ? value > 1.0 : severity == CRITICAL",
     {.severity = SEVERITY_INFO},
     TRUTH_FALSE,
     1,
     "(has(value) ? value > 1 : severity == CRITICAL) is false"},
    {"(has(labels.prio) ? labels.prio : \"low\") == \"high\"",
     {.check = "c"},
     TRUTH_FALSE,
     1,
     "(has(labels.prio) ? labels.prio : \"low\") == \"high\": \"low\" == \"high\" is false"},
};

static void explain(const struct row *row, struct explanation *out)
{
    struct sample sample;
    char text[2048];
    struct rule_set *set = parse_good(rule_with_where(row->where, text, sizeof(text)));

    sample_make(&sample, &row->words);
    rule_explain_where(rule_set_rule(set, 0), &sample.view, out);
    rule_set_destroy(set);
}

static void the_test_that_decides_is_told_with_its_values(void **state)
{
    (void)state;
    static struct explanation explanation;
    char said[1200];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        explain(&rows[i], &explanation);
        assert_int_equal(explanation.truth, rows[i].truth);
        assert_int_equal(explanation.count, rows[i].tests);
        assert_int_equal(explanation.left_out, 0);
        if (rows[i].cause == NULL)
            continue;
        explained_test_print(explanation_cause(&explanation), said, sizeof(said));
        assert_string_equal(said, rows[i].cause);
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static struct explanation explanation;
    char message[200], said[1200];
    struct row row = {.where = "message == \"x\"", .words = {.message = message}};

    memset(message, 'a', sizeof(message)); /* 79 letters, then one of two bytes over the cut */
    memcpy(message + 79, "\xC3\xA9", 2);
    message[sizeof(message) - 1] = '\0';
    explain(&row, &explanation);
    explained_test_print(explanation_cause(&explanation), said, sizeof(said));
    message[79] = '\0';
    char expected[1200];
    snprintf(expected, sizeof(expected), "message == \"x\": \"%s...\" == \"x\" is false", message);
    assert_string_equal(said, expected);
}

static void tests_beyond_the_bound_are_counted(void **state)
{
    (void)state;
    static struct explanation explanation;
    char where[1900];
    size_t used = 0;
    struct row row = {.where = where, .words = {.check = "z"}};

    for (int i = 0; i < EXPLAIN_TESTS_MAX + 5; i++)
        used += (size_t)snprintf(where + used, sizeof(where) - used, "%scheck == \"%d\"",
                                 i > 0 ? " || " : "", i);
    explain(&row, &explanation);
    assert_int_equal(explanation.count, EXPLAIN_TESTS_MAX);
    assert_int_equal(explanation.left_out, 5);
}

/* A random expression of tests on check, severity and a label that may be absent. */
static size_t random_where(char *to, size_t bytes, unsigned *seed, int depth)
{
    static const char *const tests[] = {
        "check == \"a\"", "check != \"b\"", "severity >= MAJOR",       "labels.x == \"1\"",
        "has(labels.x)",  "value > 1.0",    "check in [\"a\", \"c\"]", "labels.x.contains(\"1\")",
    };
    unsigned kind = (unsigned)rand_r(seed) % 6;

    if (depth == 0 || kind > 3)
        return (size_t)snprintf(to, bytes, "%s", tests[(unsigned)rand_r(seed) % 8]);
    size_t used = (size_t)snprintf(to, bytes, kind == 3 ? "!(" : "(");
    used += random_where(to + used, bytes - used, seed, depth - 1);
    if (kind != 3) {
        used += (size_t)snprintf(to + used, bytes - used,
                                 kind == 0   ? ") == ("
                                 : kind == 1 ? ") && ("
                                             : ") || (");
        used += random_where(to + used, bytes - used, seed, depth - 1);
    }
    return used + (size_t)snprintf(to + used, bytes - used, ")");
}

/* NULL for what is refused because a part of it can never be true. */
static struct rule_set *parse_possible(const char *text)
{
    struct rule_set *set = NULL;
    struct error err = {""};

    if (rule_set_parse("r.yaml", text, strlen(text), &set, &err) != 0 &&
        !is_said_impossible(err.text))
        fail_msg("refused:\n%s\n%s", err.text, text);
    return set;
}

/* The tests that decide, with all others taken for the opposite or an error, still decide: here,
 * that one of them comes to what the whole is, unless negations or == stand between. */
static void random_expressions_agree_with_their_run(void **state)
{
    (void)state;
    static struct explanation explanation;
    unsigned seed = 20261122;
    struct sample sample;
    char where[1900], text[2048];
    uint32_t found, compared = 0;

    for (int i = 0; i < 2600; i++) {
        struct words words = {.check = rand_r(&seed) % 2 ? "a" : "b",
                              .severity = rand_r(&seed) % 2 ? SEVERITY_INFO : SEVERITY_CRITICAL,
                              .has_value = rand_r(&seed) % 2,
                              .value = rand_r(&seed) % 3};
        if (rand_r(&seed) % 2) {
            words.label[0] = "x";
            words.label[1] = rand_r(&seed) % 2 ? "1" : "2";
        }
        random_where(where, sizeof(where), &seed, 4);
        struct rule_set *set = parse_possible(rule_with_where(where, text, sizeof(text)));
        if (set == NULL)
            continue;
        compared++;
        sample_make(&sample, &words);
        rule_explain_where(rule_set_rule(set, 0), &sample.view, &explanation);
        bool matches = rule_set_match(set, &sample.view, &found, 1) == 1;
        rule_set_destroy(set);
        if ((explanation.truth == TRUTH_TRUE) != matches)
            fail_msg("seed 20261122, round %d: %s", i, where);
        const struct explained_test *cause = explanation_cause(&explanation);
        assert_non_null(cause);
        if (strchr(where, '!') == NULL && strstr(where, ") == (") == NULL &&
            cause->truth != explanation.truth)
            fail_msg("seed 20261122, round %d: the cause is another: %s", i, where);
    }
    assert_true(compared > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_test_that_decides_is_told_with_its_values),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(tests_beyond_the_bound_are_counted),
        cmocka_unit_test(random_expressions_agree_with_their_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
