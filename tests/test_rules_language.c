/*
 * Aim: expressions are grouped, typed and evaluated as docs/rules.md says.
 * Method: tables of expressions with the worked-out grouping, truth or error; the
 * truth is asked of a whole set through rule_set_match(), as the hot path does.
 */
#include "rules_support.h"
#include "base/arena.h"
#include "base/nearest.h"
#include "rules/parser.h"
#include "rules/printer.h"
#include "rules/timestamp.h"
#include "rules/title.h"

/* ---- grouping ---- */

static void operators_group_by_precedence(void **state)
{
    static const struct {
        const char *text, *grouped;
    } cases[] = {
        {"a || b && c", "(a || (b && c))"},
        {"a && b || c", "((a && b) || c)"},
        {"(a || b) && c", "((a || b) && c)"},
        {"a && b && c", "(a && b && c)"},
        {"a && (b && c)", "(a && (b && c))"},
        {"!a && b", "(!a && b)"},
        {"!(a && b)", "!(a && b)"},
        {"!a == b", "(!a==b)"},
        {"a == 1 && b != 2", "((a==1) && (b!=2))"},
        {"a<1||a<=1||a>1||a>=1", "((a<1) || (a<=1) || (a>1) || (a>=1))"},
        {"a in [1, \"x\"] || b", "((a in [1, \"x\"]) || b)"},
        {"labels.rack == labels[\"a b\"]", "(labels.rack==labels[\"a b\"])"},
        {"labels[\"rack\"]", "labels.rack"},
        {"a.startsWith(\"x\") && !b.endsWith('y')", "(a.startsWith(\"x\") && !b.endsWith(\"y\"))"},
        {"f(a, b, 1h30m)", "f(a, b, 5400000ms)"},
        {"a > -3", "(a>-3)"},
        {"!!a", "!!a"},
        {"a == true && b == false", "((a==true) && (b==false))"},
        {"a + b * c - d", "((a+(b*c))-d)"},
        {"a / b / c % d", "(((a/b)/c)%d)"},
        {"a - (b - c)", "(a-(b-c))"},
        {"a + b < c * d && e", "(((a+b)<(c*d)) && e)"},
        {"-a * b", "(-a*b)"},
        {"- 5 - -5", "(-5--5)"},
        {"-5m + a", "(-300000ms+a)"},
        {"a ? b : c ? d : e", "(a?b:(c?d:e))"},
        {"a || b ? c : d || e", "((a || b)?c:(d || e))"},
        {"(a ? b : c) ? d : e", "((a?b:c)?d:e)"},
        {"a[b].c", "a[b].c"},
        {"labels[a + b] == c", "(labels[(a+b)]==c)"},
        {"a.size() + size(b)", "(a.size()+size(b))"},
        {"a == r\"\\d\\\"", "(a==\"\\\\d\\\\\")"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_create(1 << 20);
        struct script script = {"x", cases[i].text, strlen(cases[i].text)};
        struct yaml_node node = {.kind = YAML_SCALAR,
                                 .span = {&script, 0, (uint32_t)script.bytes},
                                 .text = {script.text, (uint32_t)script.bytes}};
        struct diagnostics diag;
        struct error err = {""};
        diagnostics_init(&diag, &err);
        struct ast *ast = parse_node(&node, arena, &diag);
        if (ast == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(ast_print(ast, arena), cases[i].grouped);
        arena_destroy(arena);
    }
}

/* ---- truth ---- */

/* db01/sda of acme, rack r7, no label "zone", value 91.5, 3 s old. */
static const struct words event_words = {
    .tenant = "acme",
    .source = "smartd",
    .resource = "db01/sda",
    .check = "disk.smart",
    .message = "sector 17 is \xc3\xa4lter",
    .severity = SEVERITY_MAJOR,
    .label = {"rack", "r7", "empty", "", "k8s.io/name", "web"},
    .has_value = true,
    .value = 91.5,
    .ts_ms = 1714566600000, /* 2024-05-01T12:30:00Z */
    .et_ms = 1714566603000,
};

static bool matches(const char *where, const struct words *words)
{
    char text[4096];
    struct sample sample;
    uint32_t out[1];
    struct rule_set *set = parse_good(rule_with_where(where, text, sizeof(text)));

    sample_make(&sample, words);
    size_t count = rule_set_match(set, &sample.view, out, 1);
    rule_set_destroy(set);
    return count == 1;
}

static void expressions_have_their_worked_out_truth(void **state)
{
    static const struct {
        const char *where;
        bool is_true;
    } cases[] = {
        {"true", true},
        {"false", false},
        {"tenant == \"acme\"", true},
        {"tenant != \"acme\"", false},
        {"\"acme\" == tenant", true},
        {"source == 'smartd' && resource == \"db01/sda\"", true},
        {"host == \"db01\"", true},
        {"state == \"problem\"", true},
        /* text: by bytes, a prefix first */
        {"check < \"disk.t\"", true},
        {"check <= \"disk.smart\"", true},
        {"check > \"disk.smar\"", true},
        {"check >= \"disk.smarts\"", false},
        {"check < source", true},
        {"check.startsWith(\"disk.\")", true},
        {"check.startsWith(\"disk.smart.x\")", false},
        {"check.startsWith(\"\")", true},
        {"check.endsWith(\"smart\")", true},
        {"check.endsWith(\"disk\")", false},
        {"message.contains(\"17 is \\u00e4\")", true},
        {"message.contains(\"18\")", false},
        {"message.contains(\"\")", true},
        {"resource.startsWith(host)", true},
        {"resource.contains(source)", false},
        {"check in [\"a\", \"disk.smart\", \"disk.full\"]", true},
        {"check in [\"a\"]", false},
        {"labels.rack in [\"r7\"]", true},
        /* severity */
        {"severity == ERROR && severity == MAJOR", true},
        {"severity > MAJOR", false},
        {"severity >= WARNING && severity < CRITICAL", true},
        {"severity in [OK, MAJOR]", true},
        {"severity in [OK, DEBUG]", false},
        {"WARNING < severity", true},
        /* numbers: whole and real ones mix */
        {"value > 91", true},
        {"value > 91.5", false},
        {"value >= 91.5", true},
        {"value == 9.15e1", true},
        {"value < -1", false},
        {"value in [1, 91.5]", true},
        {"value in [1, 91]", false},
        {"3 > 2.5", true},
        {"2 in [1, 2]", true},
        {"1e2 == 100", true},
        /* patterns: found anywhere, unless anchored */
        {"message.matches(r\"\\d+ is\") && !message.matches(r\"^\\d+ is\")", true},
        {"message.matches(\"^sector [0-9]{2}\") && message.matches(\"(?i)SECTOR\")", true},
        {"message.matches(r\"\\w+ter$\") && !message.matches(\"is .lte$\")", true},
        {"message.matches(\"is .lter\") && !message.matches(\"is ..lter\")", true},
        {"labels.rack.matches(\"^r[0-9]$\") && !labels.empty.matches(\".\")", true},
        {"labels.zone.matches(\".\") || false", false},
        {"!labels.zone.matches(\".\")", false},
        {"message.upperAscii().matches(\"^SECTOR\") && !message.matches(\"^SECTOR\")", true},
        {"(check + source).matches(\"artsm\")", true},
        {"(check.matches(\"^disk\") ? source : host).matches(\"^sm\" + \"art\")", true},
        {"host.matches(\"^db\") == check.matches(\"^disk\")", true},
        /* nearly impossible */
        {"value >= 91.5 && value <= 91.5", true},
        {"(value > 95 || value < 92) && value != 92 && value > 90", true},
        {"check in [\"a\", \"disk.smart\"] && check in [\"disk.smart\", \"b\"]", true},
        {"check.startsWith(\"disk\") && check.startsWith(\"disk.s\") && check != \"disk\"", true},
        {"labels.rack == \"r7\" && labels[\"empty\"] == \"\"", true},
        {"severity > WARNING && severity < CRITICAL && severity != MINOR", true},
        {"check > \"disk\" && check < \"disl\" && check == \"disk.smart\"", true},
        /* what computes */
        {"value * 2 == 183", true},
        {"value + 0.25 > 91.74 && value - 1 < 91", true},
        {"size(check) * 2 - 1 == 19", true},
        {"size(message) == 18", true}, /* characters, of which one has two bytes */
        {"size(labels) == 3", true},
        {"7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1 && 7 % -3 == 1", true},
        {"value / size(labels.empty) > 0.0", false},
        {"!(value / size(labels.empty) > 0.0)", false},
        {"value / size(labels.empty) > 0.0 || value > 0.0", true},
        {"1 / size(labels.empty) == 1 || size(check) % size(labels.empty) == 0 || false", false},
        {"check + \"!\" == \"disk.smart!\"", true},
        {"(source + \":\" + host).startsWith(\"smartd:db\")", true},
        {"(\"disk.\" + \"smart\").endsWith(\"t\") && check == \"disk.\" + \"smart\"", true},
        {"source.upperAscii() == \"SMARTD\" && \"ABC\".lowerAscii() == \"abc\"", true},
        {"message.upperAscii().contains(\"SECTOR 17 IS \u00e4LTER\")", true}, /* ASCII alone */
        {"severity > WARNING ? value > 91 : value > 95", true},
        {"severity < WARNING ? value > 91 : value > 95", false},
        {"(labels.zone == \"a\" ? 1 : 2) > 0", false},
        {"(has(labels.zone) ? labels.zone : \"none\") == \"none\"", true},
        {"(has(value) ? 1 : value) == 1", true},
        {"labels[source + \"x\"] == \"\"", false},
        {"labels[check.startsWith(\"disk\") ? \"rack\" : \"x\"] == \"r7\"", true},
        {"labels[\"ra\" + \"ck\"] == \"r7\"", true},
        {"\"rack\" in labels && !(\"zone\" in labels)", true},
        {"source.lowerAscii() in labels", false},
        {"check in [source, \"disk.\" + \"smart\"]", true},
        {"check in [source, resource]", false},
        {"check in [check, labels.zone]", false},
        {"!(check in [source, labels.zone])", false},
        {"size(check) in [10, 11.5]", true},
        {"size(check) in [10.5, 11]", false},
        {"value * 2 in [183, 1]", true},
        {"value + 1 in [value, value + 1.0]", true},
        {"source.lowerAscii() in [\"x\", \"smartd\"]", true},
        {"int(\"12\") == 12 && int(\"-12\") == -12 && int(\"+12\") == 12", true},
        {"int(labels.rack) == 7", false},
        {"int(value) == 91 && int(-1.9) == -1 && double(91) < value", true},
        {"double(\"91.50\") == value && double(\"9.15E+1\") == value", true},
        {"string(value) + string(size(check)) + string(severity) == \"91.510major\"", true},
        {"string(age) == \"3s\" && string(true) == \"true\"", true},
        {"string(ts) == \"2024-05-01T12:30:00Z\"", true},
        {"string(ts + 5ms) == \"2024-05-01T12:30:00.005Z\"", true},
        {"(value > 91) == (size(check) > 9)", true},
        {"(value > 91 ? true : false) != has(labels.zone)", true},
        /* durations and times */
        {"ts + age == timestamp(\"2024-05-01T12:30:03Z\")", true},
        {"age + 2s == 5s && age - 5s == -2s && -age == -3s && 5s - age == 2s", true},
        {"ts - timestamp(\"2024-05-01T12:00:00Z\") == 30m", true},
        {"ts - 30m >= timestamp(\"2024-05-01T12:00:00Z\")", true},
        {"timestamp(1714566600) == ts && int(ts) == 1714566600", true},
        {"duration(labels.rack) > 1s", false},
        {"duration(string(size(check)) + \"s\") == 10s", true},
        {"timestamp(\"2024-05-01T12:30:00\" + \"Z\") == ts", true},
        {"ts.getHours() == 12 && ts.getMinutes() == 30 && ts.getSeconds() == 0", true},
        {"ts.getFullYear() == 2024 && ts.getMonth() == 4 && ts.getDate() == 1", true},
        {"ts.getDayOfMonth() == 0 && ts.getDayOfWeek() == 3 && ts.getDayOfYear() == 121", true},
        {"(ts + 17ms).getMilliseconds() == 17", true},
        {"ts.getHours(\"+02:00\") == 14 && ts.getHours(\"-09:45\") == 2", true},
        {"ts.getHours(\"UTC\") == 12 && ts.getDate(\"-13:00\") == 30", true},
        {"age.getSeconds() == 3 && age.getMinutes() == 0", true},
        {"(age + 1h30m).getMinutes() == 90 && 1500ms.getMilliseconds() == 500", true},
        {"age == 3s", true},
        {"age > 2999ms && age < 1m", true},
        {"age == duration(\"3s\")", true},
        {"age in [1s, 3s]", true},
        {"ts == timestamp(\"2024-05-01T12:30:00Z\")", true},
        {"ts < timestamp(\"2024-05-01T14:30:00.001+02:00\")", true},
        {"ts > timestamp(\"2024-05-01T12:29:59.999Z\")", true},
        /* labels and has() */
        {"labels.rack == \"r7\"", true},
        {"labels[\"rack\"] == \"r7\"", true},
        {"labels[\"k8s.io/name\"] == \"web\"", true},
        {"has(labels.rack) && !has(labels.zone)", true},
        {"has(labels.empty) && labels.empty == \"\"", true},
        {"has(value) && has(message) && !has(dedup_key)", true},
        {"dedup_key == \"\"", true},
        {"has(labels.rack) == has(value)", true},
        {"has(labels.rack) != has(labels.zone)", true},
        {"(value > 5) == true", true},
        /* errors: a label that is not there, compared */
        {"labels.zone == \"a\"", false},
        {"labels.zone != \"a\"", false},
        {"!(labels.zone == \"a\")", false},
        {"labels.zone.startsWith(\"a\")", false},
        {"labels.zone in [\"a\"]", false},
        {"tenant == \"acme\" || labels.zone == \"a\"", true},
        {"labels.zone == \"a\" || tenant == \"acme\"", true},
        {"labels.zone == \"a\" || tenant == \"x\"", false},
        {"!(labels.zone == \"a\" || tenant == \"x\")", false},
        {"!(tenant == \"x\" && labels.zone == \"a\")", true},
        {"!(labels.zone == \"a\" && tenant == \"x\")", true},
        {"labels.zone == \"a\" && tenant == \"acme\"", false},
        {"!(labels.zone == \"a\" && tenant == \"acme\")", false},
        {"(labels.zone == \"a\") == (labels.zone == \"a\")", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (matches(cases[i].where, &event_words) != cases[i].is_true)
            fail_msg("%s is not %s", cases[i].where, cases[i].is_true ? "true" : "false");
}

static void absent_value_is_an_error_and_not_zero(void **state)
{
    struct words words = {.tenant = "t", .severity = SEVERITY_INFO};

    (void)state;
    assert_false(matches("value == 0", &words));
    assert_false(matches("value != 0", &words));
    assert_false(matches("value in [0]", &words));
    assert_true(matches("value == 0 || tenant == \"t\"", &words));
    assert_true(matches("!has(value) && !has(resource) && !has(check) && !has(host)", &words));
}

/* More labels than there are slots: each is still found. */
static void every_label_is_read_however_many_a_set_names(void **state)
{
    char text[40000];
    size_t used = (size_t)snprintf(text, sizeof(text), "rules:\n");
    struct words words = {.tenant = "t", .label = {"l99", "x", "l3", "x"}};
    struct sample sample;
    uint32_t out[128];

    (void)state;
    for (int i = 0; i < 128; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "  - {id: r%03d, where: 'labels.l%d == \"x\"', window: 1m, "
                                 "when: count() > 0, incident: {title: t}, close: cleared()}\n",
                                 i, i);
    struct rule_set *set = parse_good(text);
    sample_make(&sample, &words);
    assert_int_equal(rule_set_match(set, &sample.view, out, 128), 2);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[1], 99);
    rule_set_destroy(set);
}

/* ---- refusals ---- */

static void wrong_expressions_are_refused_at_their_place(void **state)
{
    static const struct {
        const char *where;
        int column; /* in the expression, from 1 */
        const char *sentence;
    } cases[] = {
        {"", 1, "the expression ends where a field, a value or \"(\" should follow"},
        {"chek == \"a\"", 1, "there is no field \"chek\"; did you mean \"check\"?"},
        {"check == \"a\" && sevrity > OK", 17,
         "there is no field \"sevrity\"; did you mean \"severity\"?"},
        {"severity > CRITCAL", 12, "there is no field \"CRITCAL\"; did you mean \"CRITICAL\"?"},
        {"colour == \"a\"", 1,
         "there is no field \"colour\"; a label is written labels.NAME, a text in quotes"},
        {"check.startswith(\"a\")", 7,
         "there is no function \"startswith\"; did you mean \"startsWith\"?"},
        {"check.matches(source)", 15, "a pattern is a constant text: matches(r\"^eth\\d+\")"},
        {"check.matches()", 1, "matches() takes exactly one thing"},
        {"value.matches(\"a\")", 1, "matches() works on text, and this is a number"},
        {"matches(check, \"a\")", 1, "matches() follows a text: field.matches(\"...\")"},
        {"count() > 1", 1, "count() belongs into when, not into where"},
        {"quiet(1m)", 1, "quiet() belongs into close, not into where"},
        {"startsWith(\"a\")", 1, "startsWith() follows a text: field.startsWith(\"...\")"},
        {"check.has(labels.x)", 7, "has() stands alone, without anything before it"},
        {"has(tenant)", 5, "has() cannot take tenant"},
        {"has(\"a\")", 5, "has() takes a field or a label here"},
        {"has()", 1, "has() takes exactly one thing"},
        {"check.contains(\"a\", \"b\")", 1, "contains() takes exactly one thing"},
        {"value.contains(\"a\")", 1, "contains() works on text, and this is a number"},
        {"check.contains(5)", 16, "contains() works on text, and this is a whole number"},
        {"check", 1, "where is true or false, and this is text"},
        {"check && true", 1, "&& needs true or false, and this is text"},
        {"true || 5", 9, "|| needs true or false, and this is a whole number"},
        {"!severity", 2, "! needs true or false, and this is a severity"},
        {"severity == \"major\"", 13,
         "this is text and cannot be compared with a severity; write MAJOR, without quotes"},
        {"severity >= 3", 13,
         "this is a whole number and cannot be compared with a severity; a severity is OK, DEBUG, "
         "INFO, WARNING, MINOR, MAJOR, ERROR or CRITICAL"},
        {"age > 5", 7,
         "this is a whole number and cannot be compared with a duration; a duration has a unit: "
         "5m"},
        {"labels.n > 5", 12,
         "this is a whole number and cannot be compared with text; labels hold text: write int() "
         "or "
         "double() around it"},
        {"ts > \"2024-05-01\"", 6,
         "this is text and cannot be compared with a time; a time is written "
         "timestamp(\"2024-05-01T00:00:00Z\")"},
        {"ts > timestamp(\"2024-13-01T00:00:00Z\")", 16, "there is no such day or time of day"},
        {"ts > timestamp(\"yesterday\")", 16, "a time is written as in 2024-05-01T12:30:00Z"},
        {"ts > timestamp(\"2024-05-01\")", 16, "a time is written as in 2024-05-01T12:30:00Z"},
        {"ts > timestamp(\"2024-05-01T12:30:00\")", 16,
         "a time ends with its zone, Z or as in +01:00, right behind the seconds"},
        {"ts > timestamp(\"2024-05-01T12:30:00.5 CET\")", 16,
         "a time ends with its zone, Z or as in +01:00, right behind the seconds"},
        {"ts > timestamp(\"2024-05-01T12:30:00Z.\")", 16,
         "a time ends with its zone, Z or as in +01:00, right behind the seconds"},
        {"true < false", 1, "true and false have no order: < does not apply"},
        {"value > 9007199254740993", 9,
         "this number is too large to be compared exactly with a real one: it lies between -2^53 "
         "and 2^53"},
        {"state == \"clear\"", 1,
         "this can never be true: what it sees are problems, state is always \"problem\""},
        {"state != \"problem\"", 1,
         "this can never be true: what it sees are problems, state is always \"problem\""},
        {"check in []", 10, "nothing is in an empty list"},
        {"check in \"a\"", 10, "a list in brackets follows \"in\", for example [\"a\", \"b\"]"},
        {"check in [true]", 11, "a list holds texts, numbers, severities or times"},
        {"5 in labels", 1, "a label's name is text, and this is a whole number"},
        {"check in tenant", 10, "a list in brackets follows \"in\", for example [\"a\", \"b\"]"},
        {"check in [\"a\", 5]", 16, "this is a whole number and cannot be compared with text"},
        {"check == [\"a\"]", 10, "a list stands on the right of \"in\" only"},
        {"labels == \"a\"", 1, "labels needs a name: labels.NAME or labels[\"NAME\"]"},
        {"labels.a.b == \"c\"", 1, "only labels have members: labels.NAME or labels[\"NAME\"]"},
        {"check.x == \"c\"", 1, "only labels have members: labels.NAME or labels[\"NAME\"]"},
        {"labels[5] == \"c\"", 8, "a label's name is text, and this is a whole number"},
        {"labels[\"x\" == \"c\"", 18, "the expression ends where \"]\" should follow"},
        {"check[\"a\"] == \"c\"", 1,
         "only labels and tables are looked up by name: labels[\"NAME\"]"},
        {"labels[\"\"] == \"c\"", 1, "a label has a name"},
        {"check = \"a\"", 7, "write == to compare"},
        {"severity => MAJOR", 10, "write >= for \"at least\""},
        {"severity =< MAJOR", 10, "write <= for \"at most\""},
        {"severity >= WARN", 13, "there is no field \"WARN\"; did you mean \"WARNING\"?"},
        {"true & false", 6, "write && for \"and\""},
        {"true | false", 6, "write || for \"or\""},
        {"true and false", 6, "write && for \"and\""},
        {"true or false", 6, "write || for \"or\""},
        {"not true", 1, "write ! for \"not\""},
        {"NOT true", 1, "write ! for \"not\""},
        {"NOT (true)", 1, "write ! for \"not\""},
        {"true && NOT has(value)", 9, "write ! for \"not\""},
        {"(true and false)", 7, "write && for \"and\""},
        {"check not in [\"a\"]", 7, "write !(a in b) for \"a not in b\""},
        {"(check NOT in [\"a\"])", 8, "write !(a in b) for \"a not in b\""},
        {"check =~ \"disk.*\"", 7,
         "a pattern is asked for by a function: write FIELD.matches(r\"...\")"},
        {"check ~ \"disk.*\"", 7,
         "a pattern is asked for by a function: write FIELD.matches(r\"...\")"},
        {"check !~ \"disk.*\"", 7,
         "a pattern is asked for by a function: write !FIELD.matches(r\"...\"), or != for another "
         "text"},
        {"labels.my-label == \"a\"", 8,
         "a label with a minus in its name stands in brackets: labels[\"my-label\"]"},
        {"true && labels.a-b-2.matches(\"a\")", 16,
         "a label with a minus in its name stands in brackets: labels[\"a-b-2\"]"},
        {"labels.n-1 == 5", 1,
         "- does not go between text and a whole number; text is made a number by int() or "
         "double(), a number text by string()"},
        {"host in nowhere_else", 9,
         "there is no set or table \"nowhere_else\"; sets: and tables: of the rule files name "
         "them, and a list stands in brackets: [\"a\", \"b\"]"},
        {"value + \"a\" > 2.0", 1,
         "+ does not go between a number and text; text is made a number by int() or double(), a "
         "number text by string()"},
        {"check + severity == \"a\"", 1,
         "+ does not go between text and a severity; other things are made text by string()"},
        {"age + 5 > 1m", 1,
         "+ does not go between a duration and a whole number; a duration has a unit: 5m"},
        {"ts + ts > ts", 1, "+ does not apply to a time"},
        {"age * 2 > 1m", 1,
         "* does not go between a duration and a whole number; a duration has a unit: 5m"},
        {"value % 2.0 == 1.0", 1, "% does not apply to real numbers"},
        {"check - source == \"a\"", 1, "- does not apply to text"},
        {"value / 0 > 1.0", 9, "this cannot be computed: division by zero"},
        {"size(check) % (2 - 2) > 1", 15, "this cannot be computed: division by zero"},
        {"9223372036854775807 + 1 > size(check)", 1,
         "this cannot be computed: the result is too large"},
        {"value > 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * 1e22 * "
         "1e22 * 1e22 * 1e22 * 1e22",
         9, "this cannot be computed: the result is too large"},
        {"int(\"5x\") > size(check)", 1, "this cannot be computed: the text is no whole number"},
        {"double(\".5\") > value", 1, "this cannot be computed: the text is no number"},
        {"int(severity) > 1", 5, "int() does not take a severity"},
        {"int() > 1", 1, "int() takes exactly one thing"},
        {"size(value) > 1", 6, "size() takes a text or labels, and this is a number"},
        {"size() > 1", 1, "size() takes exactly one thing"},
        {"check.size(1) > 1", 1, "size() takes nothing between its parentheses"},
        {"value.lowerAscii() == \"a\"", 1, "lowerAscii() works on text, and this is a number"},
        {"upperAscii(check) == \"a\"", 1, "upperAscii() follows a text: field.upperAscii()"},
        {"check.getHours() == 5", 1, "getHours() works on a time or a duration, and this is text"},
        {"age.getMonth() == 5", 1, "getMonth() works on a time, and this is a duration"},
        {"getHours(ts) == 5", 1, "getHours() follows a time: ts.getHours()"},
        {"ts.getHours(\"Europe/Berlin\") == 5", 13,
         "a zone is \"UTC\" or a fixed offset: \"+02:00\""},
        {"ts.getHours(check) == 5", 13,
         "getHours() takes nothing, or of a time a zone in quotes: \"UTC\", \"+02:00\""},
        {"age.getHours(\"UTC\") == 5", 14,
         "getHours() takes nothing, or of a time a zone in quotes: \"UTC\", \"+02:00\""},
        {"ts.gethours() == 5", 4, "there is no function \"gethours\"; did you mean \"getHours\"?"},
        {"(true ? 1 : \"a\") == 1", 13,
         "both sides of : are of one type; this is text, the other a whole number"},
        {"value ? true : false", 1, "? needs true or false, and this is a number"},
        {"true ? true", 12, "the expression ends where \":\" should follow"},
        {"-check == \"a\"", 2, "- needs a number or a duration, and this is text"},
        {"value * > 2", 9, "expected a field, a value or \"(\" here"},
        /* what can never be true */
        {"value > 5 && value < 3", 14, "this can never be true beside value > 5 at 4:7"},
        {"value >= 5 && 5 > value", 15, "this can never be true beside value >= 5 at 4:7"},
        {"value < 5 && (has(value) && value == 5)", 29,
         "this can never be true beside value < 5 at 4:7"},
        {"check == \"a\" && check == \"b\"", 17,
         "this can never be true beside check == \"a\" at 4:7"},
        {"check == \"a\" && has(labels.x) && check != \"a\"", 34,
         "this can never be true beside check == \"a\" at 4:7"},
        {"check in [\"a\", \"b\"] && \"c\" == check", 24,
         "this can never be true beside check in [\"a\", \"b\"] at 4:7"},
        {"labels.x.startsWith(\"a\") && labels.x.startsWith(\"ba\")", 29,
         "this can never be true beside labels.x.startsWith(\"a\") at 4:7"},
        {"host.startsWith(\"db\") && host in [\"web01\", \"d\"]", 26,
         "this can never be true beside host.startsWith(\"db\") at 4:7"},
        {"has(value) || severity > MAJOR && severity < CRITICAL", 35,
         "this can never be true beside severity > MAJOR at 4:21"},
        {"age > 5m && age < 5m", 13, "this can never be true beside age > 5m at 4:7"},
        {"severity > CRITICAL", 1, "this can never be true: there is no such severity"},
        {"has(value) && OK > severity", 15, "this can never be true: there is no such severity"},
        {"severity == OK", 1,
         "this can never be true: what it sees are problems, none of them is OK"},
        {"has(value) && severity in [OK]", 15,
         "this can never be true: what it sees are problems, none of them is OK"},
        {"severity < DEBUG && has(value)", 1,
         "this can never be true: what it sees are problems, none of them is OK"},
        {"!(severity >= DEBUG) && has(value)", 1,
         "this can never be true: what it sees are problems, none of them is OK"},
        {"severity <= DEBUG && severity != DEBUG", 22,
         "this can never be true beside severity <= DEBUG at 4:7"},
        {"1 > 2", 1, "this can never be true"},
        {"has(value) || size(\"ab\") == 3", 15, "this can never be true"},
        {"check == $a", 10, "this sign has no meaning in an expression"},
        {"1 < 2 < 3", 7, "comparisons do not chain: write a < b && b < c"},
        {"check == \"a", 10, "the text that begins here has no end"},
        {"check == \"\\q\"", 11,
         "after a backslash comes \\, a quote, n, t, r or u and four hex digits; before a pattern "
         "write r: r\"\\d+\""},
        {"(true", 6, "the expression ends where \")\" should follow"},
        {"true)", 5, "nothing was opened that this could close"},
        {"true true", 6, "expected an operator or the end here"},
        {"check.contains(\"a\" \"b\")", 20, "expected \",\" or \")\" here"},
        {"check.", 7, "the expression ends where a name should follow"},
        {"value > -\"a\"", 10, "- needs a number or a duration, and this is text"},
        {"value > 99999999999999999999", 9, "this number is larger than 2^63 - 1"},
        {"value > 1.2345678901234567", 9,
         "a number has at most 15 digits and lies between 1e-22 and 1e22"},
        {"value > 1e", 9, "a duration's unit is ms, s, m, h or d"},
        {"age > 5min", 7, "a duration's unit is ms, s, m, h or d"},
        {"age > 1m1h", 7, "the units of a duration go from large to small: 1h30m"},
        {"age > 1.5h", 7, "a unit follows a whole number only: 1h30m instead of 1.5h"},
        {"age > 99999999999999d", 7, "this duration is too long"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4096], line[512];
        /* A last line end belongs to a literal block, so the end is behind it. */
        snprintf(text, sizeof(text),
                 "rules:\n  - id: r\n    where: |-\n      %s\n    window: 1m\n"
                 "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n",
                 cases[i].where);
        snprintf(line, sizeof(line), "r.yaml:4:%d: %s", cases[i].column + 6, cases[i].sentence);
        if (cases[i].where[0] == '\0')
            continue; /* an empty block has no line of its own; see below */
        assert_refused_line(text, line);
    }
    assert_refused_line("rules:\n  - id: r\n    where: ''\n    window: 1m\n"
                        "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n",
                        "r.yaml:3:13: the expression ends where a field, a value or \"(\" should "
                        "follow");
}

static void nesting_and_length_are_bounded(void **state)
{
    char where[20000], text[24000];
    size_t used = 0;

    (void)state;
    memset(where, '(', 63);
    snprintf(where + 63, sizeof(where) - 63, "true%.*s", 63,
             ")))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))");
    rule_set_destroy(parse_good(rule_with_where(where, text, sizeof(text))));
    memset(where, '(', 64);
    snprintf(where + 64, sizeof(where) - 64, "true%.*s", 64,
             ")))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))");
    assert_refused_line(rule_with_where(where, text, sizeof(text)),
                        "r.yaml:4:71: the expression is nested deeper than 64 levels");
    memset(where, '!', 200);
    snprintf(where + 200, sizeof(where) - 200, "true");
    assert_refused_line(rule_with_where(where, text, sizeof(text)),
                        "r.yaml:4:70: the expression is nested deeper than 64 levels");
    /* A chain of any length is flat. */
    used = (size_t)snprintf(where, sizeof(where), "true");
    while (used < 16000)
        used += (size_t)snprintf(where + used, sizeof(where) - used, "&&true");
    rule_set_destroy(parse_good(rule_with_where(where, text, sizeof(text))));
    while (used < 16 * 1024)
        used += (size_t)snprintf(where + used, sizeof(where) - used, "&&true");
    assert_refused_line(rule_with_where(where, text, sizeof(text)),
                        "r.yaml:4:7: an expression has at most 16384 bytes");
}

/* ---- small parts ---- */

static void nearest_name_is_the_likely_one(void **state)
{
    static const char *const names[] = {"check", "host", "severity", "startsWith"};
    static const struct {
        const char *typed, *meant;
    } cases[] = {
        {"chekc", "check"},  {"chck", "check"},        {"Check", "check"},
        {"hots", "host"},    {"sevirity", "severity"}, {"starts_with", "startsWith"},
        {"SEV", "severity"}, /* a short form */
        {"se", NULL},        {"zone", NULL},           {"", NULL},
        {"x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = nearest_name(text_of(cases[i].typed), names, 4);
        if (cases[i].meant == NULL)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].meant);
    }
}

static void times_are_read_to_the_millisecond(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-02T00:00:00.5Z", 86400500},
        {"2000-02-29T12:00:00.123456Z", 951825600123},
        {"2024-05-01T14:30:00+02:00", 1714566600000},
        {"2024-05-01t10:30:00-02:00", 1714566600000},
        {"2023-02-29T00:00:00Z", -1},
        {"2024-05-01T24:00:00Z", -1},
        {"2024-05-01T00:00:00", -1},
        {"2024-05-01T00:00:00.Z", -1},
        {"2024-05-01T00:00:00Zx", -1},
        {"2024-5-1T00:00:00Z", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        const char *why = timestamp_parse(text_of(cases[i].text), &ms);
        if (cases[i].ms == -1)
            assert_non_null(why);
        else if (why != NULL || ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
}

static void numbers_print_short_and_exact(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0.0, "0"},       {-0.0, "0"},
        {5.0, "5"},       {-17.0, "-17"},
        {91.5, "91.5"},   {0.1, "0.1"},
        {1e15, "1e+15"},  {1e300, "1e+300"},
        {-0.25, "-0.25"}, {0.1 + 0.2, "0.30000000000000004"},
    };
    char text[NUMBER_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(number_print(cases[i].number, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_group_by_precedence),
        cmocka_unit_test(expressions_have_their_worked_out_truth),
        cmocka_unit_test(absent_value_is_an_error_and_not_zero),
        cmocka_unit_test(every_label_is_read_however_many_a_set_names),
        cmocka_unit_test(wrong_expressions_are_refused_at_their_place),
        cmocka_unit_test(nesting_and_length_are_bounded),
        cmocka_unit_test(nearest_name_is_the_likely_one),
        cmocka_unit_test(times_are_read_to_the_millisecond),
        cmocka_unit_test(numbers_print_short_and_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
