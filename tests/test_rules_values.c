/*
 * Aim: expressions give values of every type, or the reason why there is none; whole numbers never
 * wrap, mixed numbers compare exactly, texts that are made stay within their room. Method: tables
 * of expressions over one event with worked-out values, each also as a constant where it can be
 * one.
 */
#include "rules_support.h"
#include <float.h>
#include "base/arena.h"
#include "rules/parser.h"
#include "rules/program.h"
#include "rules/types.h"

static char room_bytes[TEXT_ROOM_BYTES];

/* One expression of where-scope over one event; the value as text, or "error: reason". */
static void value_text(const char *text, const struct words *words, char *to, size_t bytes)
{
    struct arena *arena = arena_create(16 << 20);
    struct script script = {"x", text, strlen(text)};
    struct yaml_node node = {.kind = YAML_SCALAR,
                             .span = {&script, 0, (uint32_t)script.bytes},
                             .text = {script.text, (uint32_t)script.bytes}};
    struct text_room room = {room_bytes, sizeof(room_bytes), 0};
    struct program_input input;
    struct diagnostics diag;
    struct program program;
    struct sample sample;
    struct value value;
    struct error err = {""};
    const char *why;

    diagnostics_init(&diag, &err);
    struct scope scope = {.kind = SCOPE_WHERE, .arena = arena, .diag = &diag};
    struct ast *ast = parse_node(&node, arena, &diag);
    if (ast == NULL || !types_check_value(ast, &scope)) {
        err.text[strcspn(err.text, "\n")] = '\0';
        snprintf(to, bytes, "refused: %s", strrchr(err.text, ':') + 2);
        arena_destroy(arena);
        return;
    }
    assert_true(program_compile(ast, arena, NULL, &program));
    sample_make(&sample, words);
    program_input_start(&input, &sample.view);
    why = program_value(&program, &input, &room, &value);
    if (why == NULL)
        assert_int_equal(value.type, ast->type);
    if (why == NULL)
        why = value_convert(TYPE_TEXT, &value, &room, &value);
    if (why != NULL)
        snprintf(to, bytes, "error: %s", why);
    else
        snprintf(to, bytes, "%.*s", (int)value.text.len, value.text.at);
    arena_destroy(arena);
}

static const struct words event_words = {
    .tenant = "acme",
    .check = "disk.smart",
    .message = "",
    .severity = SEVERITY_MAJOR,
    .label = {"n", "9007199254740993", "min", "-9223372036854775808", "one", "1", "half", "0.5"},
    .has_value = true,
    .value = 9007199254740992.0, /* 2^53 */
    .ts_ms = 951825600000,       /* 2000-02-29T12:00:00Z */
    .et_ms = 951825600000 + 5400250,
};

static void expressions_have_their_worked_out_value(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"check", "disk.smart"},
        {"severity", "major"},
        {"ts", "2000-02-29T12:00:00Z"},
        {"age", "1h30m250ms"},
        {"-age", "-1h30m250ms"},
        {"age - age", "0ms"},
        {"3d", "72h"},
        {"severity > INFO", "true"},
        {"\"a\" + check", "adisk.smart"},
        /* whole numbers: up to the last one */
        {"int(labels.n)", "9007199254740993"},
        {"int(labels.n) + 9214364837600034814", "9223372036854775807"},
        {"int(labels.n) + 9214364837600034815", "error: the result is too large"},
        {"int(labels.min)", "-9223372036854775808"},
        {"-int(labels.min)", "error: the result is too large"},
        {"int(labels.min) - 1", "error: the result is too large"},
        {"int(labels.min) / -1", "error: the result is too large"},
        {"int(labels.min) % -1", "error: the result is too large"},
        {"int(labels.min) * -1", "error: the result is too large"},
        {"int(labels.min) / int(labels.one)", "-9223372036854775808"},
        {"1 / (int(labels.one) - 1)", "error: division by zero"},
        {"1 % (int(labels.one) - 1)", "error: division by zero"},
        {"1.5 / (double(labels.one) - 1)", "error: division by zero"},
        {"-7 / (int(labels.one) + 1)", "-3"},
        {"-7 % (int(labels.one) + 1)", "-1"},
        {"7 % -(int(labels.one) + 1)", "1"},
        /* real numbers */
        {"double(labels.half) * 3", "1.5"},
        {"0.1 + 0.2", "0.30000000000000004"},
        {"value * value * value", "7.307508186654515e+47"},
        {"double(\"1e308\") * (value / value * 10)", "error: the result is too large"},
        {"int(double(\"9.2e18\") * (value / value))", "9200000000000000000"},
        {"int(double(\"9.3e18\") * (value / value))", "error: the result is too large"},
        {"int(-2.9 * (value / value))", "-2"},
        {"-value", "-9007199254740992"},
        {"true ? 1 : 2.5", "1"},
        /* 2^53 + 1 is no double: compared exactly it is larger than 2^53 */
        {"int(labels.n) == value", "false"},
        {"int(labels.n) > value", "true"},
        {"value < int(labels.n)", "true"},
        {"int(labels.n) - 1 == value", "true"},
        {"int(labels.min) < value && value > int(labels.min)", "true"},
        {"int(labels.min) < double(labels.half)", "true"},
        {"int(labels.one) > double(labels.half)", "true"},
        {"int(labels.one) < double(labels.half) + 0.75", "true"},
        {"-int(labels.one) < -double(labels.half)", "true"},
        {"int(labels.n) in [double(\"9007199254740992\"), 1]", "false"},
        {"int(labels.n) - 1 in [double(\"9007199254740992\"), 1]", "true"},
        {"int(labels.one) in [double(\"9007199254740992\"), 1]", "true"},
        /* conversions */
        {"int(\"\" + labels.half)", "error: the text is no whole number"},
        {"int(message)", "error: the text is no whole number"},
        {"int(message + \"-\")", "error: the text is no whole number"},
        {"int(labels.n + \"000\")", "9007199254740993000"},
        {"int(labels.n + \"0000\")", "error: the result is too large"},
        {"double(message + \"1.\")", "error: the text is no number"},
        {"double(message + \"nan\")", "error: the text is no number"},
        {"double(message + \"0x10\")", "error: the text is no number"},
        {"double(message + \" 1\")", "error: the text is no number"},
        {"double(message + \"1e999\")", "error: the result is too large"},
        {"double(message + \"-1.25e2\")", "-125"},
        {"double(message + \"0.30000000000000004\")", "0.30000000000000004"},
        {"duration(message + \"1h30m\")", "1h30m"},
        {"duration(check)", "error: a duration is a number and a unit, for example 10m or 1h30m"},
        {"timestamp(message + \"2024-05-01T12:30:00+02:00\")", "2024-05-01T10:30:00Z"},
        {"severity(\"Critical\")", "critical"},
        {"severity(\"eRRor\") == MAJOR", "true"},
        {"severity(severity)", "major"},
        {"severity(message + \"warning\") < MINOR", "true"},
        /* as the event's own field takes it, docs/events.md */
        {"severity(message + \"crit\")", "critical"},
        {"severity(message + \"P2\")", "major"},
        {"severity(\"medium\")", "minor"},
        {"severity(message + \"Not_Classified\")", "info"},
        {"severity(message + \"resolved\")", "ok"},
        {"severity(message + \"p6\")", "error: the text names no severity"},
        {"severity(message)", "error: the text names no severity"},
        {"severity(check)", "error: the text names no severity"},
        {"severity(message + \"a word that is longer than any severity\")",
         "error: the text names no severity"},
        {"timestamp(check)", "error: a time is written as in 2024-05-01T12:30:00Z"},
        {"timestamp(int(labels.min))", "error: the result is too large"},
        {"timestamp(int(labels.n))", "error: the time is not between the years 1 and 9999"},
        {"timestamp(-int(labels.one))", "1969-12-31T23:59:59Z"},
        {"int(timestamp(-int(labels.one)) + 999ms)", "-1"},
        {"int(timestamp(-int(labels.one)) - 1ms)", "-2"},
        {"timestamp(\"0001-01-01T00:00:00Z\") - (age - age)", "0001-01-01T00:00:00Z"},
        {"timestamp(\"0001-01-01T00:00:00Z\") - age",
         "error: the time is not between the years 1 and 9999"},
        {"timestamp(\"9999-12-31T23:59:59.999Z\") + age",
         "error: the time is not between the years 1 and 9999"},
        /* calendar: a leap day, days before 1970, the year's last */
        {"ts.getMonth()", "1"},
        {"ts.getDate()", "29"},
        {"ts.getDayOfYear()", "59"},
        {"ts.getDayOfWeek()", "2"},
        {"(ts - 366d).getDayOfYear()", "58"},
        {"timestamp(\"1969-12-31T23:59:59.001Z\").getMilliseconds()", "1"},
        {"timestamp(\"1969-12-31T23:59:59.001Z\").getDayOfWeek()", "3"},
        {"timestamp(\"2000-12-31T00:00:00Z\").getDayOfYear()", "365"},
        {"timestamp(\"0001-01-01T00:00:00Z\").getFullYear(\"-01:00\")", "0"},
        {"(-age).getMinutes()", "-90"},
        /* what is absent */
        {"labels.x", "error: the label is absent"},
        {"labels[check]", "error: the label is absent"},
        {"labels.x + \"a\"", "error: the label is absent"},
        {"size(labels.x)", "error: the label is absent"},
        {"labels.x == \"a\" ? 1 : 2", "error: the condition cannot be computed"},
        {"has(labels.x) ? int(labels.x) : 3", "3"},
        {"size(labels)", "4"},
        /* as constants */
        {"1 + 2 * 3 - 4 / 2", "5"},
        {"-(1 - 3)", "2"},
        {"1h + 30m", "1h30m"},
        {"string(1.5) + string(7) + string(true) + string(WARNING)", "1.57truewarning"},
        {"\"a\\u00e4\".size()", "2"},
        {"1 in [1.0, 2] ? \"in\" : \"out\"", "in"},
        {"timestamp(\"2024-05-01T00:00:00Z\") + 1d", "2024-05-02T00:00:00Z"},
        {"timestamp(\"2024-05-01T00:00:00Z\").getDayOfWeek(\"-00:01\")", "2"},
        {"1 == 1.0 && !(2 < 1.5)", "true"},
        {"\"b\" in [\"a\", \"b\"]", "true"},
        {"-9223372036854775807 - 1", "-9223372036854775808"},
        {"-9223372036854775807 - 2", "refused: the result is too large"},
        {"1.0 / 0", "refused: division by zero"},
        {"labels", "refused: labels.NAME or labels[\"NAME\"]"},
        {"[1]", "refused: this is a list and no single value"},
    };
    char got[300];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value_text(cases[i].text, &event_words, got, sizeof(got));
        if (strcmp(got, cases[i].value) != 0)
            fail_msg("%s is not %s but %s", cases[i].text, cases[i].value, got);
    }
}

static void absent_value_is_an_error_in_what_computes(void **state)
{
    struct words words = {.tenant = "t"};
    char got[300];

    (void)state;
    value_text("value * 2", &words, got, sizeof(got));
    assert_string_equal(got, "error: value is absent");
    value_text("has(value) ? value : 1", &words, got, sizeof(got));
    assert_string_equal(got, "1");
}

/* What is made of texts is bounded, and goes with the test that needed it. */
static void texts_are_made_in_a_bounded_room(void **state)
{
    static char message[TEXT_ROOM_BYTES / 2 + 2];
    static struct {
        struct event_view view;
        _Alignas(8) char text[TEXT_ROOM_BYTES];
    } sample;
    static const struct {
        const char *where;
        uint32_t bytes;
        bool is_true;
    } cases[] = {
        /* exactly the room, and one byte more */
        {"(message + message).endsWith(\"a\")", TEXT_ROOM_BYTES / 2, true},
        {"(message + message).endsWith(\"a\")", TEXT_ROOM_BYTES / 2 + 1, false},
        {"!(message + message).endsWith(\"b\")", TEXT_ROOM_BYTES / 2 + 1, false},
        {"message.lowerAscii().endsWith(\"a\")", TEXT_ROOM_BYTES / 2 + 1, true},
        /* each test begins with an empty room */
        {"(message + message).endsWith(\"a\") && (message + message).startsWith(\"A\") && "
         "message.lowerAscii() + message.upperAscii() != \"x\" || false",
         TEXT_ROOM_BYTES / 4, true},
        {"(message + message).endsWith(\"a\") && (message + message).startsWith(\"A\")",
         TEXT_ROOM_BYTES / 2, true},
    };

    (void)state;
    memset(message, 'a', sizeof(message));
    message[0] = 'A';
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        uint32_t out[1];
        struct event_draft draft = {
            .field = {[FIELD_TENANT] = {"t", 1}, [FIELD_MESSAGE] = {message, cases[i].bytes}}};
        struct rule_set *set = parse_good(rule_with_where(cases[i].where, text, sizeof(text)));
        assert_true(event_text_bytes(&draft) <= sizeof(sample.text));
        sample.view.text = event_text_pack(sample.text, event_text_bytes(&draft), &draft, 0);
        if ((rule_set_match(set, &sample.view, out, 1) == 1) != cases[i].is_true)
            fail_msg("%s of %u bytes is not %d", cases[i].where, (unsigned)cases[i].bytes,
                     cases[i].is_true);
        rule_set_destroy(set);
    }
}

/* Conditions over aggregates compute, too; a limit is known only where a count meets a constant. */
static void when_computes_over_aggregates(void **state)
{
    static const struct {
        const char *when;
        int64_t count, distinct;
        bool is_true;
        int64_t limit; /* of count() */
    } cases[] = {
        {"count() >= 2.5", 2, 0, false, 3},
        {"count() >= 2.5", 3, 0, true, 3},
        {"count() > 3.0", 3, 0, false, 4},
        {"count() > 3.0", 4, 0, true, 4},
        {"count() >= 3.0", 3, 0, true, 3},
        {"2 * count() > 7", 3, 0, false, 1000},
        {"2 * count() > 7", 4, 0, true, 1000},
        {"count() >= 60 / 20", 3, 0, true, 3},
        {"count() > (distinct(check) >= 2 ? 1 : 4)", 2, 2, true, 1000},
        {"count() > (distinct(check) >= 2 ? 1 : 4)", 4, 1, false, 1000},
        {"double(count()) / distinct(check) > 1.5", 4, 2, true, 1000},
        {"double(count()) / distinct(check) > 1.5", 3, 2, false, 1000},
        {"count() % 5 == 0 && count() > 1", 10, 0, true, 1000},
        {"count() in [3, 5]", 5, 0, true, 1000},
        {"count() in [3, 5]", 4, 0, false, 1000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text), HEAD GOOD_WHERE GOOD_WINDOW "    when: '%s'\n" TAIL,
                 cases[i].when);
        struct rule_set *set = parse_good(text);
        const struct rule *rule = rule_set_rule(set, 0);
        int64_t value[RULE_AGGREGATES_MAX] = {cases[i].count, cases[i].distinct};
        if (rule_when(rule, value) != cases[i].is_true)
            fail_msg("%s is not %d", cases[i].when, cases[i].is_true);
        if (rule->aggregate[0].limit != cases[i].limit)
            fail_msg("%s: limit %lld", cases[i].when, (long long)rule->aggregate[0].limit);
        rule_set_destroy(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_have_their_worked_out_value),
        cmocka_unit_test(absent_value_is_an_error_in_what_computes),
        cmocka_unit_test(texts_are_made_in_a_bounded_room),
        cmocka_unit_test(when_computes_over_aggregates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
