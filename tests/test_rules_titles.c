/*
 * Aim: titles show fields and aggregates, are cut between characters, and are refused at the very
 * place that is wrong. Method: one rule around each title; texts and columns worked out.
 */
#include "rules_support.h"

static const char *title_text(const char *template, char *to, size_t bytes)
{
    snprintf(to, bytes,
             "rules:\n  - id: r\n    where: 'true'\n    window: 1m\n"
             "    when: count() >= 2 && distinct(labels.rack) >= 1\n    incident:\n"
             "      title: %s\n    close: cleared()\n",
             template);
    return to;
}

static void titles_show_fields_and_aggregates(void **state)
{
    static const struct {
        const char *template, *title;
    } cases[] = {
        {"plain", "plain"},
        {"\"{host}\"", "db01"},
        {"\"{host}:{check}/{severity} {state} {tenant}\"", "db01:c/critical problem acme"},
        {"\"{count()} of {distinct(labels.rack)}\"", "7 of 3"},
        {"\"{distinct( labels['rack'] )}\"", "3"},
        {"\"{labels.rack} {labels['rack']} [{labels.none}] [{dedup_key}]\"", "r7 r7 [] []"},
        {"\"{{{host}}} {{}}\"", "{db01} {}"},
        {"\"{value} {message}\"", "91.5 m"},
        {"\"{labels['}']}|\"", "brace|"},
        /* what is computed; what cannot be is nothing */
        {"\"{value * 2} {100 - value}%\"", "183 8.5%"},
        {"\"{value / 9} {int(value / 9 + 0.5)} {int(value / 9 * 10 + 0.5) / 10.0} "
         "{string(value)}\"",
         "10.166666666666666 10 10.2 91.5"},
        {"\"{count() * 10 / distinct(labels.rack)}\"", "23"},
        {"\"{host.upperAscii() + '!'} {size(message)}\"", "DB01! 1"},
        {"\"{severity >= MAJOR ? 'bad' : 'fair'} {severity > INFO}\"", "bad true"},
        {"\"[{labels.none + 'x'}] [{1 / (count() - 7)}] [{labels.none}]\"", "[] [] []"},
        {"\"{ts} {age} {ts.getHours('+01:00')}\"", "2024-05-01T12:30:00Z 3s 13"},
        {"\"{5 + 5} {1.50}\"", "10 1.5"},
    };
    struct words words = {.tenant = "acme",
                          .resource = "db01/sda",
                          .check = "c",
                          .message = "m",
                          .severity = SEVERITY_CRITICAL,
                          .label = {"rack", "r7", "}", "brace"},
                          .has_value = true,
                          .value = 91.5,
                          .ts_ms = 1714566600000,
                          .et_ms = 1714566603000};
    struct sample sample;

    (void)state;
    sample_make(&sample, &words);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024], title[256];
        struct rule_set *set = parse_good(title_text(cases[i].template, text, sizeof(text)));
        rule_title(rule_set_rule(set, 0), &sample.view, (int64_t[RULE_AGGREGATES_MAX]){7, 3}, title,
                   sizeof(title));
        assert_string_equal(title, cases[i].title);
        rule_set_destroy(set);
    }
}

static void titles_are_cut_between_characters(void **state)
{
    /* "ä" has two bytes, "€" three. */
    struct words words = {.tenant = "t", .message = "a\xc3\xa4\xe2\x82\xac!"};
    static const char *const cut[] = {"",
                                      "",
                                      "a",
                                      "a",
                                      "a\xc3\xa4",
                                      "a\xc3\xa4",
                                      "a\xc3\xa4",
                                      "a\xc3\xa4\xe2\x82\xac",
                                      "a\xc3\xa4\xe2\x82\xac!"};
    struct sample sample;
    char text[1024], title[16];
    struct rule_set *set = parse_good(title_text("\"{message}\"", text, sizeof(text)));

    (void)state;
    sample_make(&sample, &words);
    for (size_t bytes = 0; bytes <= 8; bytes++) {
        memset(title, '#', sizeof(title));
        if (bytes == 0)
            title[0] = '\0';
        rule_title(rule_set_rule(set, 0), &sample.view, (int64_t[RULE_AGGREGATES_MAX]){7, 3}, title,
                   bytes);
        assert_string_equal(title, cut[bytes]);
        if (bytes > 0)
            assert_int_equal(title[bytes], '#');
    }
    rule_set_destroy(set);
}

static void wrong_titles_are_refused_inside_the_text(void **state)
{
    static const struct {
        const char *template;
        int column;
        const char *sentence;
    } cases[] = {
        {"\"on {hots} now\"", 19, "there is no field \"hots\"; did you mean \"host\"?"},
        {"\"on {distinct(check)}\"", 19,
         "when does not compute distinct(check), so a title cannot show it"},
        {"\"on {quantile(value, 0.9)}\"", 19,
         "when does not compute quantile(value, 0.9), so a title cannot show it"},
        {"\"on {labels}\"", 19, "labels needs a name: labels.NAME or labels[\"NAME\"]"},
        {"\"on {quiet(1m)}\"", 19, "quiet() belongs into close, not into a title"},
        {"\"on {}\"", 18, "a placeholder names a field; a brace itself is written {{"},
        {"\"on {host\"", 18, "this { is not closed; a brace itself is written {{"},
        {"\"on host} \"", 22, "this } closes nothing; a brace itself is written }}"},
        {"\"on {host == 5}\"", 27, "this is a whole number and cannot be compared with text"},
        {"\"on {1 / 0}\"", 23, "this cannot be computed: division by zero"},
        {"\"on {host check}\"", 24, "expected an operator or the end here"},
        {"'it''s {hots}'", 22, "there is no field \"hots\"; did you mean \"host\"?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024], line[256];
        snprintf(line, sizeof(line), "r.yaml:7:%d: %s", cases[i].column, cases[i].sentence);
        assert_refused_line(title_text(cases[i].template, text, sizeof(text)), line);
    }
}

#define HOLD "where: check == \"a\", window: open, for: 1m, when: count() >= 2"

/* What opens an incident need not be an event; a sequence that ends with `not` has one all the
 * same: the last that came. */
static void a_field_that_stays_empty_is_known(void **state)
{
    static const struct {
        const char *by, *form, *title, *empty; /* NULL: none */
    } cases[] = {
        {"host", HOLD, "{host} {check}", "check"},
        {"host", "where: check == \"a\", window: {tumbling: 5m}, look: end, when: count() < 2",
         "{host} {labels.rack}", "labels.rack"},
        {"host", HOLD, "{host} {count()}", NULL},
        {"host", "where: check == \"a\", window: 5m, when: count() >= 2", "{check}", NULL},
        {"host", "sequence: [{where: check == \"a\"}, {not: check == \"b\"}], within: 1m",
         "{host} {check} {message}", NULL},
        {"host", "sequence: [{where: check == \"a\"}, {where: check == \"b\"}], within: 1m",
         "{check}", NULL},
        {"resource", HOLD, "{resource} {host}", "host"},
        {"labels.host, resource", HOLD, "{resource} {host}", NULL},
        {"host", HOLD, "{labels.host}", NULL},
        {"labels.hosts", HOLD, "{labels.host}", "labels.host"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        const char *empty;
        struct rule_set *set;
        snprintf(text, sizeof(text),
                 "rules:\n  - {id: r, by: [%s], %s, incident: {title: \"%s\"}, close: cleared()}\n",
                 cases[i].by, cases[i].form, cases[i].title);
        set = parse_good(text);
        empty = rule_title_empty(rule_set_rule(set, 0));
        if (cases[i].empty == NULL)
            assert_null(empty);
        else
            assert_string_equal(empty, cases[i].empty);
        rule_set_destroy(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles_show_fields_and_aggregates),
        cmocka_unit_test(titles_are_cut_between_characters),
        cmocka_unit_test(wrong_titles_are_refused_inside_the_text),
        cmocka_unit_test(a_field_that_stays_empty_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
