/*
 * Aim: every key of a rule file does what docs/rules.md says; what is wrong is
 * refused whole, with line, column, the source line and a caret.
 * Method: small texts with worked-out messages; files in a folder of their own;
 * the packs that ship.
 */
#include "rules_support.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL "    incident: {title: t}\n    close: cleared()\n"

/* The rule of the design, as users know it. */
static const char sample_rule[] =
    "rules:\n"
    "  - id: host-storage-degrading\n"
    "    where: check.startsWith(\"smart.\") && severity >= WARNING\n"
    "    by: [tenant, host]\n"
    "    window: 10m                        # sliding, event time\n"
    "    when: count() >= 5 && distinct(check) >= 2\n"
    "    incident:\n"
    "      title: \"{host}: {distinct(check)} storage checks failing\"\n"
    "      priority: P2\n"
    "      tier: T2\n"
    "      runbook: kb/storage-degrading\n"
    "    close: quiet(15m) || cleared()\n";

static void whole_rule_is_read(void **state)
{
    struct rule_set *set = parse_good(sample_rule);
    const struct rule *rule = rule_set_rule(set, 0);
    struct words words = {.tenant = "acme",
                          .resource = "db01/sda",
                          .check = "smart.wear",
                          .severity = SEVERITY_WARNING};
    struct sample sample;
    struct text value[RULE_BY_MAX];
    uint32_t out[1];
    char title[80], scratch[32];

    (void)state;
    assert_int_equal(rule_set_count(set), 1);
    assert_string_equal(rule->id, "host-storage-degrading");
    assert_int_equal(rule->index, 0);
    assert_int_equal(rule->input, RULE_INPUT_ALERTS);
    assert_int_equal(rule->window_ms, 600000);
    assert_int_equal(rule->by_count, 2);
    assert_string_equal(rule->by_name[0], "tenant");
    assert_string_equal(rule->by_name[1], "host");
    assert_int_equal(rule->aggregate_count, 2);
    assert_int_equal(rule->aggregate[0].kind, AGGREGATE_COUNT);
    assert_string_equal(rule->aggregate[0].text, "count()");
    assert_int_equal(rule->aggregate[0].limit, 5);
    assert_int_equal(rule->aggregate[1].kind, AGGREGATE_DISTINCT);
    assert_string_equal(rule->aggregate[1].text, "distinct(check)");
    assert_int_equal(rule->aggregate[1].limit, 2);
    assert_int_equal(rule->quiet_count, 1);
    assert_int_equal(rule->quiet_ms[0], 900000);
    assert_int_equal(rule->priority, PRIORITY_P2);
    assert_string_equal(rule->tier, "T2");
    assert_string_equal(rule->runbook, "kb/storage-degrading");
    assert_string_equal(rule->team, "");
    assert_int_equal(rule->max_keys, 100000);
    assert_int_equal(rule->max_members, 1000);
    assert_false(rule->reads_message);
    assert_false(rule_set_reads_message(set));

    sample_make(&sample, &words);
    assert_int_equal(rule_set_match(set, &sample.view, out, 1), 1);
    assert_int_equal(out[0], 0);
    rule_by_values(rule, &sample.view, value);
    assert_memory_equal(value[0].at, "acme", value[0].len);
    assert_int_equal(value[1].len, 4);
    assert_memory_equal(value[1].at, "db01", 4);
    struct text distinct = rule_aggregate_value(rule, 1, &sample.view, scratch);
    assert_int_equal(distinct.len, 10);
    assert_memory_equal(distinct.at, "smart.wear", 10);
    assert_true(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){5, 2}));
    assert_false(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){4, 2}));
    assert_false(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){5, 1}));
    assert_true(rule_close(rule, 900000, false));
    assert_false(rule_close(rule, 899999, false));
    assert_true(rule_close(rule, 0, true));
    rule_title(rule, &sample.view, (int64_t[RULE_AGGREGATES_MAX]){6, 3}, title, sizeof(title));
    assert_string_equal(title, "db01: 3 storage checks failing");
    rule_set_destroy(set);
}

static void error_shows_line_and_caret(void **state)
{
    (void)state;
    assert_refused("rules:\n"
                   "  - id: r\n"
                   "    where: severity >= WARNING && chek == \"a\"\n"
                   "    window: 1m\n"
                   "    when: count() >= 1\n" TAIL,
                   "r.yaml:3:35: there is no field \"chek\"; did you mean \"check\"?\n"
                   "        where: severity >= WARNING && chek == \"a\"\n"
                   "                                      ^~~~");
}

static void several_errors_are_told_at_once(void **state)
{
    (void)state;
    assert_refused("rules:\n"
                   "  - id: A\n"
                   "    where: true\n"
                   "    widnow: 1m\n"
                   "    when: count() >= 1\n"
                   "    incident: {title: \"{hots}\"}\n"
                   "    close: cleared()\n"
                   "  - id: b\n"
                   "    where: true\n"
                   "    window: 1m\n"
                   "    when: 5\n" TAIL,
                   "r.yaml:4:5: a rule has no key \"widnow\"; did you mean \"window\"?\n"
                   "        widnow: 1m\n"
                   "        ^~~~~~\n"
                   "r.yaml:2:9: an id is made of a-z, 0-9, \".\", \"_\" and \"-\"\n"
                   "      - id: A\n"
                   "            ^\n"
                   "r.yaml:2:5: a rule needs the key \"window\"\n"
                   "      - id: A\n"
                   "        ^\n"
                   "r.yaml:6:25: there is no field \"hots\"; did you mean \"host\"?\n"
                   "        incident: {title: \"{hots}\"}\n"
                   "                            ^~~~\n"
                   "r.yaml:11:11: when is true or false, and this is a whole number\n"
                   "        when: 5\n"
                   "              ^");
}

static void more_than_ten_errors_are_counted(void **state)
{
    char text[4000] = "rules:\n";
    struct rule_set *set;
    struct error err;
    unsigned lines = 0;

    (void)state;
    for (int i = 0; i < 15; i++)
        strcat(text, "- 5\n");
    assert_int_equal(rule_set_parse("r.yaml", text, strlen(text), &set, &err), -EINVAL);
    for (const char *at = err.text; (at = strstr(at, "r.yaml:")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 10);
    /* Reading stops when nothing more would be shown. */
    assert_non_null(strstr(err.text, "r.yaml:11:3: a rule is a map of keys, not text"));
    assert_null(strstr(err.text, "r.yaml:12:"));
}

/* The same mistake in every way of writing text; the place is that in the file. */
static void places_are_right_in_every_scalar_style(void **state)
{
    static const struct {
        const char *where;
        int line, column;
    } cases[] = {
        {"    where: check == \"a\" && x\n", 3, 28},
        {"    where: 'check == \"it''s\" && x'\n", 3, 33},
        {"    where: \"check == \\\"a\\\" && x\"\n", 3, 31},
        {"    where: \"check == '\\u00e4\\x41' && x\"\n", 3, 38},
        {"    where: |\n      check == \"a\" &&\n      x\n", 5, 7},
        {"    where: |2\n      check == \"a\" &&\n      x\n", 5, 7},
        {"    where: >-\n      check == \"a\" &&\n      x\n", 5, 7},
        {"    where: >\n\n      check == \"a\" &&\n\n        x\n", 7, 9},
        {"    where: check == \"a\" &&\n      x\n", 4, 7},
        {"    where: check == \"a\" &&\n\n\n      x\n", 6, 7},
        {"    where: 'check == \"a\" &&\n      x'\n", 4, 7},
        {"    where: \"check == 'a' &&\n      x\"\n", 4, 7},
        {"    where: \"check == 'a' \\\n      && x\"\n", 4, 10},
        /* columns count characters */
        {"    where: check == \"\xc3\xa4\xc3\xb6\" && x\n", 3, 29},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024], line[256];
        snprintf(text, sizeof(text),
                 "rules:\n  - id: r\n%s    window: 1m\n"
                 "    when: count() >= 1\n" TAIL,
                 cases[i].where);
        snprintf(line, sizeof(line),
                 "r.yaml:%d:%d: there is no field \"x\"; a label is written labels.NAME, a text "
                 "in quotes",
                 cases[i].line, cases[i].column);
        assert_refused_line(text, line);
    }
}

static void caret_stands_below_tabs_and_inside_long_lines(void **state)
{
    char text[2000], filler[301];
    struct rule_set *set;
    struct error err;

    (void)state;
    memset(filler, 'a', 300);
    filler[300] = '\0';
    snprintf(text, sizeof(text),
             "rules:\n  - id: r\n    where: check ==\t\"%s\" && x\n    window: 1m\n"
             "    when: count() >= 1\n" TAIL,
             filler);
    assert_int_equal(rule_set_parse("r.yaml", text, strlen(text), &set, &err), -EINVAL);
    /* 48 bytes before the mistake are shown: 43 of the filler, `" && `. */
    char expected[300];
    snprintf(expected, sizeof(expected),
             "r.yaml:3:327: there is no field \"x\"; a label is written labels.NAME, a text in "
             "quotes\n    %.43s\" && x\n    %48s^",
             filler, "");
    assert_string_equal(err.text, expected);

    assert_refused(
        "rules:\n  - id: r\n    where: check ==\t\"a\" && x\n    window: 1m\n"
        "    when: count() >= 1\n" TAIL,
        "r.yaml:3:28: there is no field \"x\"; a label is written labels.NAME, a text in "
        "quotes\n        where: check ==\t\"a\" && x\n"
        "                       \t       ^");
}

/* Whole-rule mistakes: what stands in the rule, and the first line of the answer. */
static void wrong_keys_are_refused(void **state)
{
#define GOOD_WHERE "    where: 'true'\n"
#define GOOD_WINDOW "    window: 1m\n"
#define GOOD_WHEN "    when: count() >= 1\n"
#define HEAD "rules:\n  - id: r\n"
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"", "r.yaml:1:1: the file is empty"},
        {"5\n", "r.yaml:1:1: a rule file begins with \"rules:\""},
        {"rule: []\n", "r.yaml:1:1: a rule file has no key \"rule\"; did you mean \"rules\"?"},
        {"rules: {}\n", "r.yaml:1:8: rules takes a list, each entry beginning with \"-\""},
        {"rules:\n", "r.yaml:1:1: rules takes a list, each entry beginning with \"-\""},
        {"rules:\n  - x\n", "r.yaml:2:5: a rule is a map of keys, not text"},
        {"rules: [\n", "r.yaml:2:1: flow sequence without a closing bracket"},
        {"rules:\n\t- id: x\n", "r.yaml:2:1: tab character may not be used as indentation"},
        {"rules: &a []\n",
         "r.yaml:1:9: anchors (&name) are not allowed here; text with & needs quotes"},
        {"rules: *a\n", "r.yaml:1:9: aliases (*name) are not allowed here"},
        {"# c\n%YAML 1.2\n---\nrules: []\n",
         "r.yaml:2:1: directives (a line that begins with %) are not allowed here"},
        {"rules: []\n---\nrules: []\n",
         "r.yaml:2:1: a second document begins here; a file holds one"},
        {"rules: []\nrules: []\n", "r.yaml:2:1: the key \"rules\" is there already, in line 1"},
        {"rules: \xff\n", "r.yaml:1:8: the byte 0xff here is no UTF-8 text"},
        {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "r.yaml:1:17: nested deeper than 16 levels"},
        {HEAD "    where: !has(value)\n" GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:12: tags (!name) are not allowed here; text that begins with ! needs quotes"},
        {"rules:\n  - where: 'true'\n" GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:2:5: a rule needs the key \"id\""},
        {"rules:\n  - id: ''\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:2:10: an id has 1 to 100 characters"},
        {"rules:\n  - id: disk full\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:2:13: an id is made of a-z, 0-9, \".\", \"_\" and \"-\""},
        {HEAD GOOD_WINDOW GOOD_WHEN TAIL, "r.yaml:2:5: a rule needs the key \"where\""},
        {HEAD "    where: [a]\n" GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:12: an expression should stand here, not a list"},
        {HEAD "    on: event\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:9: on is \"alerts\" (what deduplication lets through) or \"events\" (repeats "
         "too)"},
        {HEAD "    by: host\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:9: by takes a list of fields: [tenant, host]"},
        {HEAD "    by: [hots]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:10: there is no field \"hots\"; did you mean \"host\"?"},
        {HEAD "    by: [message]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:10: by cannot take message"},
        {HEAD "    by: [host, host]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:16: by names host twice"},
        {HEAD "    by: ['labels[\"a\"]', labels.a]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:25: by names labels.a twice"},
        {HEAD "    by: [a == b]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:10: by takes a field or a label here"},
        {HEAD "    by: [source, resource, check, host, labels.a, labels.b, labels.c, "
              "labels.d]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:71: by takes at most 8 fields, the tenant included"},
        {HEAD GOOD_WHERE "    window: 10\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a duration needs a unit: ms, s, m, h or d"},
        {HEAD GOOD_WHERE "    window: 0s\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a window lies between 1ms and 30d"},
        {HEAD GOOD_WHERE "    window: -5m\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a duration is a number and a unit, for example 10m or 1h30m"},
        {HEAD GOOD_WHERE "    window: 30d1ms\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a window lies between 1ms and 30d"},
        {HEAD GOOD_WHERE "    window: ten\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a duration is a number and a unit, for example 10m or 1h30m"},
        {HEAD GOOD_WHERE "    window:\n" GOOD_WHEN TAIL,
         "r.yaml:4:5: a duration is a number and a unit, for example 10m"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: 1 < 2\n" TAIL,
         "r.yaml:5:11: when needs count() or distinct(field)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: severity > OK\n" TAIL,
         "r.yaml:5:11: when looks at a window, not at one event: compare count() or "
         "distinct(field)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > 1.5\n" TAIL,
         "r.yaml:5:21: when compares count() and distinct(field) with whole numbers"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count(check) > 1\n" TAIL,
         "r.yaml:5:11: count() takes nothing between its parentheses"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: distinct() > 1\n" TAIL,
         "r.yaml:5:11: distinct() takes exactly one thing"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: distinct(ts) > 1\n" TAIL,
         "r.yaml:5:20: distinct() cannot take ts"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: distinct(chek) > 1\n" TAIL,
         "r.yaml:5:20: there is no field \"chek\"; did you mean \"check\"?"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > -1\n" TAIL,
         "r.yaml:5:21: count() is never negative"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() < 1\n" TAIL,
         "r.yaml:5:11: when can never be true: it is looked at when the window holds an entry"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > 5 && count() < 6\n" TAIL,
         "r.yaml:5:11: when can never be true: it is looked at when the window holds an entry"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: distinct(check) > count()\n" TAIL,
         "r.yaml:5:11: when can never be true: it is looked at when the window holds an entry"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > 1000\n" TAIL,
         "r.yaml:5:11: when can never be true: a key holds at most 1000 entries (max_members)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: >-\n      distinct(labels.a) + 1\n" TAIL,
         "r.yaml:6:26: there is no arithmetic in rules"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    close: cleared()\n",
         "r.yaml:2:5: a rule needs the key \"incident\""},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: t\n    close: cleared()\n",
         "r.yaml:6:15: incident takes a map with a title, not text"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {}\n    close: cleared()\n",
         "r.yaml:6:15: incident needs the key \"title\""},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, prio: P1}\n    close: cleared()\n",
         "r.yaml:6:26: incident has no key \"prio\""},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, priority: P6}\n    close: cleared()\n",
         "r.yaml:6:36: a priority is P1, P2, P3, P4 or P5"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: \"a\\nb\"}\n    close: cleared()\n",
         "r.yaml:6:24: a title is one line of 1 to 1000 bytes"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, team: \"a\\nb\"}\n    close: cleared()\n",
         "r.yaml:6:33: team is one line of at most 200 bytes"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n",
         "r.yaml:2:5: a rule needs the key \"close\""},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t}\n    close: '!cleared()'\n",
         "r.yaml:7:13: close joins quiet() and cleared() with && and || only"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: 'true'\n",
         "r.yaml:7:13: close is made of quiet(duration) and cleared()"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: quiet(0s)\n",
         "r.yaml:7:18: a quiet time lies between 1ms and 30d"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: quiet(5)\n",
         "r.yaml:7:18: close is made of quiet(duration) and cleared()"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t}\n    close: "
         "quiet(1s)||quiet(2s)||quiet(3s)||quiet(4s)||quiet(5s)\n",
         "r.yaml:7:56: close has at most 4 different quiet times"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    max_keys: 0\n" TAIL,
         "r.yaml:6:15: max_keys is a whole number from 1 to 10000000"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    max_members: many\n" TAIL,
         "r.yaml:6:18: max_members is a whole number from 1 to 100000"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "    description: [a]\n",
         "r.yaml:8:18: description takes text, not a list"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL
         "  - id: r\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:8:9: the id \"r\" is taken already: r.yaml:2:9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused_line(cases[i].text, cases[i].line);
}

static void long_files_ids_and_titles_are_refused(void **state)
{
    char text[4096], word[1100];

    (void)state;
    memset(word, 'a', sizeof(word));
    snprintf(text, sizeof(text), "rules:\n  - id: %.100s\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
             word);
    rule_set_destroy(parse_good(text));
    snprintf(text, sizeof(text), "rules:\n  - id: %.101s\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
             word);
    assert_refused_line(text, "r.yaml:2:9: an id has 1 to 100 characters");
    snprintf(text, sizeof(text),
             HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
             "    incident: {title: %.1001s}\n    close: cleared()\n",
             word);
    assert_refused_line(text, "r.yaml:6:23: a title is one line of 1 to 1000 bytes");

    size_t bytes = (4u << 20) + 1;
    char *large = malloc(bytes + 1);
    struct rule_set *set = NULL;
    struct error err;
    memset(large, ' ', bytes);
    large[bytes] = '\0';
    assert_int_equal(rule_set_parse("r.yaml", large, bytes, &set, &err), -EINVAL);
    assert_memory_equal(err.text, "r.yaml:1:1: the file is larger than 4 MiB", 41);
    free(large);
}

/* What libfyaml would take minutes for is refused before it gets to see it. */
static void costly_texts_are_refused_at_once(void **state)
{
    static const struct {
        const char *head, *part, *line;
        uint32_t parts;
    } cases[] = {
        {"", "%", "r.yaml:1:1: directives (a line that begins with %) are not allowed here",
         4000000},
        {"a: |\n", "\n", "r.yaml:102:1: more than 100 empty lines in a row", 4000000},
        {"a: |\n", " \n", "r.yaml:102:2: more than 100 empty lines in a row", 2000000},
        {"!<", "a", "r.yaml:1:1025: a word with ! in it is longer than 1024 bytes", 4000000},
        {"", "[", "r.yaml:1:65537: this line is longer than 64 KiB", 4000000},
    };
    char *text = malloc(4100000);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t head = strlen(cases[i].head), part = strlen(cases[i].part);
        strcpy(text, cases[i].head);
        for (uint32_t p = 0; p < cases[i].parts; p++)
            memcpy(text + head + p * part, cases[i].part, part);
        text[head + cases[i].parts * part] = '\0';
        assert_refused_line(text, cases[i].line);
    }
    free(text);
    /* Empty lines apart, and a hundred of them, are common. */
    char lines[300];
    snprintf(lines, sizeof(lines), "rules: []%*s", 100, "");
    for (char *at = lines + 9; *at != '\0'; at++)
        *at = '\n';
    rule_set_destroy(parse_good(lines));
}

static char *many_rules(unsigned count)
{
    char *text = malloc((size_t)count * 130 + 100), *at = text;

    at += sprintf(at, "rules:\n");
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at,
                      "- {id: r%u,where: check==\"c%u\",window: 1m,when: count()>0,incident: "
                      "{title: t},close: cleared()}\n",
                      i, i);
    return text;
}

static void number_of_rules_is_bounded(void **state)
{
    char *text = many_rules(20000);
    struct rule_set *set = parse_good(text);
    struct words words = {.tenant = "t", .check = "c19999"};
    struct sample sample;
    uint32_t out[2];

    (void)state;
    assert_int_equal(rule_set_count(set), 20000);
    sample_make(&sample, &words);
    assert_int_equal(rule_set_match(set, &sample.view, out, 2), 1);
    assert_string_equal(rule_set_rule(set, out[0])->id, "r19999");
    rule_set_destroy(set);
    free(text);
    text = many_rules(20001);
    assert_refused_line(text, "r.yaml:20002:3: a set holds at most 20000 rules");
    free(text);
}

static void empty_set_matches_nothing(void **state)
{
    struct rule_set *set = parse_good("rules: []\n");
    struct words words = {.tenant = "t"};
    struct sample sample;
    uint32_t out[1];

    (void)state;
    sample_make(&sample, &words);
    assert_int_equal(rule_set_count(set), 0);
    assert_int_equal(rule_set_match(set, &sample.view, out, 1), 0);
    rule_set_destroy(set);
}

/* ---- what the engine reads ---- */

static void limits_follow_the_constants(void **state)
{
    static const struct {
        const char *when;
        int64_t limit[2];
    } cases[] = {
        {"count() >= 5", {5, 0}},
        {"count() > 5", {6, 0}},
        {"5 <= count()", {5, 0}},
        {"5 < count()", {6, 0}},
        {"count() == 5", {6, 0}},
        {"count() != 5", {6, 0}},
        {"count() < 5", {5, 0}},
        {"count() <= 5", {6, 0}},
        {"count() >= 5 || count() >= 3", {5, 0}},
        {"distinct(check) >= 2 && count() >= 9", {2, 9}},
        {"count() == distinct(check)", {1000, 1000}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), HEAD GOOD_WHERE GOOD_WINDOW "    when: %s\n" TAIL,
                 cases[i].when);
        struct rule_set *set = parse_good(text);
        const struct rule *rule = rule_set_rule(set, 0);
        for (uint32_t a = 0; a < 2; a++)
            if ((a < rule->aggregate_count ? rule->aggregate[a].limit : 0) != cases[i].limit[a])
                fail_msg("%s: limit %u is %lld", cases[i].when, a,
                         (long long)rule->aggregate[a].limit);
        rule_set_destroy(set);
    }
}

static void by_begins_with_the_tenant_and_keeps_its_order(void **state)
{
    struct rule_set *set = parse_good(
        HEAD "    by: [labels.rack, 'labels[\"a b\"]', tenant, severity]\n" GOOD_WHERE GOOD_WINDOW
            GOOD_WHEN TAIL);
    const struct rule *rule = rule_set_rule(set, 0);
    struct words words = {.tenant = "t", .severity = SEVERITY_CRITICAL, .label = {"rack", "r7"}};
    struct sample sample;
    struct text value[RULE_BY_MAX];
    static const char *const names[] = {"tenant", "labels.rack", "labels[\"a b\"]", "severity"};
    static const char *const values[] = {"t", "r7", "", "critical"};

    (void)state;
    sample_make(&sample, &words);
    rule_by_values(rule, &sample.view, value);
    assert_int_equal(rule->by_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(rule->by_name[i], names[i]);
        assert_int_equal(value[i].len, strlen(values[i]));
        assert_memory_equal(value[i].at, values[i], value[i].len);
    }
    rule_set_destroy(set);
}

static void rules_are_ordered_by_id_bytewise(void **state)
{
    static const char *const ids[] = {"a", "a-b", "a.b", "a1", "ab", "b"};
    struct rule_set *set = parse_good("rules:\n"
                                      "- {id: b,   where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: ab,  where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a1,  where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a.b, where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a-b, where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a,   where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n");
    struct words words = {.tenant = "t"};
    struct sample sample;
    uint32_t out[6];

    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        assert_string_equal(rule_set_rule(set, i)->id, ids[i]);
        assert_int_equal(rule_set_rule(set, i)->index, i);
    }
    sample_make(&sample, &words);
    assert_int_equal(rule_set_match(set, &sample.view, out, 6), 6);
    assert_int_equal(rule_set_match(set, &sample.view, out, 4), 4);
    assert_int_equal(out[3], 3);
    rule_set_destroy(set);
}

static struct id128 form_of(const char *text)
{
    struct rule_set *set = parse_good(text);
    struct id128 form = rule_set_rule(set, 0)->form;

    rule_set_destroy(set);
    return form;
}

static struct id128 hash_of(const char *text)
{
    struct rule_set *set = parse_good(text);
    struct id128 hash = rule_set_hash(set);

    rule_set_destroy(set);
    return hash;
}

static void form_is_what_carries_state(void **state)
{
    static const char base[] =
        HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN TAIL;
    static const struct {
        const char *text;
        bool is_same_form, is_same_hash;
    } cases[] = {
        /* only written differently */
        {HEAD "    where: |\n      (check=='a')  &&\n      age < 1m30s\n    by: [tenant, host]\n"
              "    window: 60s\n    when: (count() >= 1)\n" TAIL,
         true, true},
        {HEAD
         "    description: d\n    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW
             GOOD_WHEN TAIL,
         true, true},
        /* another title, priority, close: the windows stay good */
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN
              "    incident: {title: u}\n    close: cleared()\n",
         true, false},
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN
              "    incident: {title: t}\n    close: quiet(1m)\n",
         true, false},
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN
              "    max_keys: 5\n" TAIL,
         true, false},
        /* another where, by, window, when, input */
        {HEAD "    where: check == \"b\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN TAIL,
         false, false},
        {HEAD "    where: check == \"a\" && age < 91s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN TAIL,
         false, false},
        {HEAD "    where: check == \"a\" && age < 90s\n" GOOD_WINDOW GOOD_WHEN TAIL, false, false},
        {HEAD
         "    where: check == \"a\" && age < 90s\n    by: [host]\n    window: 2m\n" GOOD_WHEN TAIL,
         false, false},
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW
              "    when: count() >= 2\n" TAIL,
         false, false},
        {HEAD "    on: events\n    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW
             GOOD_WHEN TAIL,
         false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (id128_equal(form_of(cases[i].text), form_of(base)) != cases[i].is_same_form)
            fail_msg("form of case %zu", i);
        if (id128_equal(hash_of(cases[i].text), hash_of(base)) != cases[i].is_same_hash)
            fail_msg("hash of case %zu", i);
    }
}

static void rules_that_read_what_changes_in_repeats_say_so(void **state)
{
    static const struct {
        const char *where;
        bool reads;
    } cases[] = {
        {"message.contains(\"x\")", true},
        {"value > 5", true},
        {"has(value)", true},
        {"age < 5m", true},
        {"check == \"a\"", false},
        {"has(labels.x)", false},
        {"ts > timestamp(\"2024-05-01T00:00:00Z\")", true},
        {"check == \"a\" || (host == \"b\" && !has(message))", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        struct rule_set *set = parse_good(rule_with_where(cases[i].where, text, sizeof(text)));
        if (rule_set_rule(set, 0)->reads_message != cases[i].reads ||
            rule_set_reads_message(set) != cases[i].reads)
            fail_msg("%s", cases[i].where);
        rule_set_destroy(set);
    }
}

static void quiet_times_are_sorted_and_single(void **state)
{
    struct rule_set *set = parse_good(HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
                                      "    incident: {title: t}\n"
                                      "    close: quiet(1h) || (cleared() && (quiet(1m) || "
                                      "quiet(1h) || quiet(30s)))\n");
    const struct rule *rule = rule_set_rule(set, 0);

    (void)state;
    assert_int_equal(rule->quiet_count, 3);
    assert_int_equal(rule->quiet_ms[0], 30000);
    assert_int_equal(rule->quiet_ms[1], 60000);
    assert_int_equal(rule->quiet_ms[2], 3600000);
    assert_false(rule_close(rule, 59999, false));
    assert_true(rule_close(rule, 30000, true));
    assert_false(rule_close(rule, 29999, true));
    assert_true(rule_close(rule, 3600000, false));
    rule_set_destroy(set);
}

/* ---- titles ---- */

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
    };
    struct words words = {.tenant = "acme",
                          .resource = "db01/sda",
                          .check = "c",
                          .message = "m",
                          .severity = SEVERITY_CRITICAL,
                          .label = {"rack", "r7", "}", "brace"},
                          .has_value = true,
                          .value = 91.5};
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
        {"\"on {ts}\"", 19, "a title cannot take ts"},
        {"\"on {}\"", 18, "a placeholder names a field; a brace itself is written {{"},
        {"\"on {host\"", 18, "this { is not closed; a brace itself is written {{"},
        {"\"on host} \"", 22, "this } closes nothing; a brace itself is written }}"},
        {"\"on {host == 5}\"", 19, "a title takes a field or a label here"},
        {"\"on {host check}\"", 24, "expected &&, || or the end here"},
        {"'it''s {hots}'", 22, "there is no field \"hots\"; did you mean \"host\"?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024], line[256];
        snprintf(line, sizeof(line), "r.yaml:7:%d: %s", cases[i].column, cases[i].sentence);
        assert_refused_line(title_text(cases[i].template, text, sizeof(text)), line);
    }
}

/* ---- files ---- */

static void file_write(const char *folder, const char *name, const char *text)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void folder_remove(const char *folder)
{
    static const char *const names[] = {"a.yaml", "b.yaml", ".c.yaml", "d.txt"};
    char path[300];

    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

#define ONE_RULE(id)                                                                               \
    "rules:\n- {id: " id ", where: 'true', window: 1m, when: count()>0, incident: {title: t}, "    \
    "close: cleared()}\n"

static void folder_is_read_by_name_and_ids_are_unique_over_files(void **state)
{
    char folder[] = "/tmp/tocsin-rules-XXXXXX", expected[700];
    const char *paths[] = {folder};
    struct rule_set *set = NULL;
    struct error err = {""};

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(expected, sizeof(expected), "%s: there is no *.yaml file in this folder", folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ENOENT);
    assert_string_equal(err.text, expected);

    file_write(folder, "b.yaml", ONE_RULE("x"));
    file_write(folder, "a.yaml", ONE_RULE("y"));
    file_write(folder, ".c.yaml", "not read");
    file_write(folder, "d.txt", "not read");
    if (rule_set_load(paths, 1, &set, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(rule_set_count(set), 2);
    rule_set_destroy(set);
    set = NULL;

    file_write(folder, "a.yaml", ONE_RULE("x"));
    snprintf(expected, sizeof(expected),
             "%s/b.yaml:2:8: the id \"x\" is taken already: %s/a.yaml:2:8", folder, folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -EINVAL);
    err.text[strcspn(err.text, "\n")] = '\0';
    assert_string_equal(err.text, expected);
    assert_null(set);

    /* Errors of several files are told at once. */
    file_write(folder, "a.yaml", "rules: 5\n");
    file_write(folder, "b.yaml", "rules: 6\n");
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -EINVAL);
    assert_non_null(strstr(err.text, "a.yaml:1:8: rules takes a list"));
    assert_non_null(strstr(err.text, "b.yaml:1:8: rules takes a list"));
    folder_remove(folder);

    snprintf(expected, sizeof(expected), "%s: No such file or directory", folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ENOENT);
    assert_string_equal(err.text, expected);
}

static void shipped_packs_load_together(void **state)
{
    const char *paths[] = {TESTS_DIR "/../rules/packs"};
    struct rule_set *set = NULL;
    struct error err = {""};

    (void)state;
    if (rule_set_load(paths, 1, &set, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(rule_set_count(set) >= 7);
    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        /* A rule that ships says whom to call and where to read on. */
        const struct rule *rule = rule_set_rule(set, i);
        if (rule->team[0] == '\0' || rule->runbook[0] == '\0' || rule->quiet_count == 0)
            fail_msg("%s lacks team, runbook or quiet time", rule->id);
    }
    rule_set_destroy(set);
}

/* What the manual shows must load: every fenced block of it that is a rule file. */
static void rules_of_the_manual_load(void **state)
{
    FILE *file = fopen(TESTS_DIR "/../docs/rules.md", "r");
    static char line[4096], text[16384];
    bool is_inside = false;
    unsigned blocks = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "```yaml", 7) == 0) {
            is_inside = true;
            text[0] = '\0';
        } else if (is_inside && strncmp(line, "```", 3) == 0) {
            is_inside = false;
            rule_set_destroy(parse_good(text));
            blocks++;
        } else if (is_inside) {
            assert_true(strlen(text) + strlen(line) < sizeof(text));
            strcat(text, line);
        }
    }
    fclose(file);
    assert_int_equal(blocks, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_rule_is_read),
        cmocka_unit_test(error_shows_line_and_caret),
        cmocka_unit_test(several_errors_are_told_at_once),
        cmocka_unit_test(more_than_ten_errors_are_counted),
        cmocka_unit_test(places_are_right_in_every_scalar_style),
        cmocka_unit_test(caret_stands_below_tabs_and_inside_long_lines),
        cmocka_unit_test(wrong_keys_are_refused),
        cmocka_unit_test(long_files_ids_and_titles_are_refused),
        cmocka_unit_test(costly_texts_are_refused_at_once),
        cmocka_unit_test(number_of_rules_is_bounded),
        cmocka_unit_test(empty_set_matches_nothing),
        cmocka_unit_test(limits_follow_the_constants),
        cmocka_unit_test(by_begins_with_the_tenant_and_keeps_its_order),
        cmocka_unit_test(rules_are_ordered_by_id_bytewise),
        cmocka_unit_test(form_is_what_carries_state),
        cmocka_unit_test(rules_that_read_what_changes_in_repeats_say_so),
        cmocka_unit_test(quiet_times_are_sorted_and_single),
        cmocka_unit_test(titles_show_fields_and_aggregates),
        cmocka_unit_test(titles_are_cut_between_characters),
        cmocka_unit_test(wrong_titles_are_refused_inside_the_text),
        cmocka_unit_test(folder_is_read_by_name_and_ids_are_unique_over_files),
        cmocka_unit_test(shipped_packs_load_together),
        cmocka_unit_test(rules_of_the_manual_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
