/*
 * Aim: a rule file with anything wrong in it is refused whole, with line, column, the source line
 * and a caret; and at once, however large it is. Method: small texts with worked-out messages.
 */
#include "rules_support.h"
#include <errno.h>

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
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"", "r.yaml:1:1: the file is empty"},
        {"5\n", "r.yaml:1:1: a rule file begins with \"rules:\""},
        {"tests: []\n", "r.yaml:1:1: this is a file of tests: tocsin test runs it"},
        {"rules: [x.yaml]\ntests: []\n",
         "r.yaml:2:1: this is a file of tests: tocsin test runs it"},
        {"{\"resource\": \"a\", \"check\": \"b\"}\n",
         "r.yaml:1:3: this is an event, and no rule file"},
        {"{\"resource\": \"a\"}\n{\"resource\": \"b\"}\n",
         "r.yaml:2:1: what stands above is whole, and this belongs to nothing: lines of JSON are "
         "events and no such file, and a key begins where the keys above it begin"},
        {"rules:\n  - id: r\n    where: x == \"a\"\n     window: 1m\n",
         "r.yaml:3:12: this value goes on in the next line, which is indented deeper, and there a "
         "key stands: indent that line as its neighbours, or put the text in quotes"},
        {"rule: []\n", "r.yaml:1:1: a rule file has no key \"rule\"; did you mean \"rules\"?"},
        {"rules: {}\n", "r.yaml:1:8: rules takes a list, each entry beginning with \"-\""},
        {"rules:\n", "r.yaml:1:1: rules takes a list, each entry beginning with \"-\""},
        {"rules:\n  - x\n", "r.yaml:2:5: a rule is a map of keys, not text"},
        {"rules: [\n", "r.yaml:1:8: this [ is not closed: if it begins a text, put that in quotes"},
        {"rules: {\n", "r.yaml:1:8: this { is not closed: if it begins a text, put that in quotes"},
        {"rules: {a: [b],\n",
         "r.yaml:1:8: this { is not closed: if it begins a text, put that in quotes"},
        {"rules:\n  - x: [a,\n      - b]\n", "r.yaml:3:7: a value should stand here"},
        {"rules: [a, {b: c\n\n",
         "r.yaml:1:12: this { is not closed: if it begins a text, put that in quotes"},
        {"rules:\n  - x: [a\n    y: b\n    z: c\n",
         "r.yaml:4:6: a comma or a ] is missing: text that begins with [ needs quotes; the [ is "
         "that of line 2, column 8"},
        {"rules:\n  - x: {a: 'b'\n    y: b\n",
         "r.yaml:3:5: a } is missing, or this line has to be indented: text that begins with { "
         "needs quotes; the { is that of line 2, column 8"},
        {"rules:\n  - x: ['a',\n    y: b\n",
         "r.yaml:3:5: a ] is missing, or this line has to be indented: text that begins with [ "
         "needs quotes; the [ is that of line 2, column 8"},
        /* A # in the middle of a word begins no comment. */
        {"rules: [a#b, {c: d]\n",
         "r.yaml:1:19: a ] stands where a } has to come first; the { is that of line 1, column 14"},
        {"rules: [{a: 1}, {b: [2}]\n",
         "r.yaml:1:23: a } stands where a ] has to come first; the [ is that of line 1, column 21"},
        /* Neither the bracket in quotes nor that of the comment is one. */
        {"rules: [it's, 'a]', \"\\\"]\", # ]\n  b}\n",
         "r.yaml:2:4: a } stands where a ] has to come first; the [ is that of line 1, column 8"},
        {"rules: [a, {b: [c]]\n",
         "r.yaml:1:19: a ] stands where a } has to come first; the { is that of line 1, column 12"},
        {"rules: {a: b}}\n", "r.yaml:1:14: this } closes nothing: text with it needs quotes"},
        {"rules: [a]]\n", "r.yaml:1:11: this ] closes nothing: text with it needs quotes"},
        {"rules:\n\t- id: x\n", "r.yaml:2:1: tab character may not be used as indentation"},
        {"rules: &a []\n",
         "r.yaml:1:9: anchors (&name) are not allowed here; text with & needs quotes"},
        {"rules: *a\n",
         "r.yaml:1:9: aliases (*name) are not allowed here; text that begins with * needs quotes"},
        /* What YAML takes for something else, because it lacks quotes. */
        {"rules: a: b\n", "r.yaml:1:9: a colon before a blank begins a map, and here is one "
                          "already: if it is text, put it in quotes"},
        {"rules: ? a\n", "r.yaml:1:8: text that begins with ? needs quotes"},
        {"rules: @a\n", "r.yaml:1:8: text that begins with '@' needs quotes"},
        {"rules: %a\n", "r.yaml:1:8: text that begins with '%' needs quotes"},
        {"rules: `a\n", "r.yaml:1:8: text that begins with '`' needs quotes"},
        {"rules: {a} b\n",
         "r.yaml:1:12: more text behind the closing bracket: text that begins with { or [ needs "
         "quotes"},
        {"rules: [a] b\n",
         "r.yaml:1:12: more text behind the closing bracket: text that begins with { or [ needs "
         "quotes"},
        {"rules: {a: {b}: c}\n",
         "r.yaml:1:15: a comma or a } is missing: text that begins with { needs quotes; the { is "
         "that of line 1, column 8"},
        {"rules: \"a\" b\n", "r.yaml:1:12: the quotes end here, and more text comes: put all of it "
                             "in quotes, \\\" for one inside"},
        {"rules: 'it's'\n",
         "r.yaml:1:12: the quotes end here, and more text comes: put all of it in "
         "quotes, '' for one inside"},
        {"rules: - a\n",
         "r.yaml:1:8: a - before a blank begins a list, which cannot stand here: if "
         "it is text, put it in quotes"},
        {"rules: | a\n", "r.yaml:1:10: behind | or > nothing stands in the same line: if it is "
                         "text, put it in quotes"},
        {HEAD "    where: [a]\n" GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:12: an expression should stand here, not a list; if it is text, put it in "
         "quotes: [ and - begin a list"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    description: {host}\n" TAIL,
         "r.yaml:6:18: description takes text, not a map; if it is text, put it in quotes: { "
         "begins a map, and so does a colon before a blank"},
        {"# c\n%YAML 1.2\n---\nrules: []\n",
         "r.yaml:2:1: directives (a line that begins with %) are not allowed here"},
        {"rules: []\n---\nrules: []\n",
         "r.yaml:2:1: a second document begins here; a file holds one"},
        {"rules: []\nrules: []\n", "r.yaml:2:1: the key \"rules\" is there already, in line 1"},
        {"rules: \xff\n", "r.yaml:1:8: the byte 0xff here is no UTF-8 text"},
        {"rules: \x01\n", "r.yaml:1:8: the control character 0x01 cannot stand here"},
        {"rules: \x7f\n", "r.yaml:1:8: the control character 0x7f cannot stand here"},
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
         "r.yaml:3:12: an expression should stand here, not a list; if it is text, put it in "
         "quotes: [ and - begin a list"},
        {HEAD "    on: event\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:3:9: on is \"alerts\" (what deduplication lets through), \"events\" (repeats "
         "too), "
         "\"flapping\" (alerts that begin to flap) or \"incidents\" (of other rules); did you mean "
         "\"events\"?"},
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
        {HEAD GOOD_WHERE "    window: 0.5h\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a duration is made of whole numbers, as in 30m or 1h30m"},
        {HEAD GOOD_WHERE "    window: 10 min\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a duration has no blank, and its unit is ms, s, m, h or d: 10m"},
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
        {HEAD GOOD_WHERE "    window: {tumbling: 1m, session: 5m}\n" GOOD_WHEN TAIL,
         "r.yaml:4:28: a window is sliding, tumbling or a session, one of them"},
        {HEAD GOOD_WHERE "    window: {session: 5m}\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: a session needs a max, so that it ends: {session: 5m, max: 2h}"},
        {HEAD GOOD_WHERE "    window: {session: 5m, max: 4m}\n" GOOD_WHEN TAIL,
         "r.yaml:4:32: the max of a session is at least its gap"},
        {HEAD GOOD_WHERE "    window: {sliding: 5m, max: 40m}\n" GOOD_WHEN TAIL,
         "r.yaml:4:27: only a session has a max"},
        {HEAD GOOD_WHERE "    window: {max: 4m}\n" GOOD_WHEN TAIL,
         "r.yaml:4:13: window needs the key \"sliding\", \"tumbling\" or \"session\""},
        {HEAD GOOD_WHERE "    window: {tumblign: 4m}\n" GOOD_WHEN TAIL,
         "r.yaml:4:14: window has no key \"tumblign\"; did you mean \"tumbling\"?"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    look: end\n" GOOD_WHEN TAIL,
         "r.yaml:5:11: only a tumbling window and a session have an end to look at"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    look: begin\n" GOOD_WHEN TAIL,
         "r.yaml:5:11: look is \"gain\" (when the window gains an entry) or \"end\" (when it "
         "ends)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    for: 5m\n" GOOD_WHEN TAIL,
         "r.yaml:5:5: for goes with \"window: open\": what is open now can hold for a while"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: 1 < 2\n" TAIL,
         "r.yaml:5:11: when needs count(), distinct(field) or another aggregate"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: severity > OK\n" TAIL,
         "r.yaml:5:11: when looks at a window, not at one event: compare count(), "
         "distinct(field), or sum, avg, min, max, first, last and the like of a number, as "
         "max(value)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > \"a\"\n" TAIL,
         "r.yaml:5:21: this is text and cannot be compared with a whole number"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > -1.5\n" TAIL,
         "r.yaml:5:21: count() is never negative"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > 1000.5\n" TAIL,
         "r.yaml:5:11: this can never be true: count() is from 1 to 1000 (max_members)"},
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
         "r.yaml:5:11: this can never be true: count() is from 1 to 1000 (max_members)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > 5 && count() < 6\n" TAIL,
         "r.yaml:5:26: this can never be true beside count() > 5 at 5:11"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: distinct(check) > count()\n" TAIL,
         "r.yaml:5:11: this can never be true"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: count() > 1000\n" TAIL,
         "r.yaml:5:11: this can never be true: count() is from 1 to 1000 (max_members)"},
        {HEAD GOOD_WHERE GOOD_WINDOW "    when: >-\n      distinct(labels.a) + 1\n" TAIL,
         "r.yaml:6:7: when is true or false, and this is a whole number"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    close: cleared()\n",
         "r.yaml:2:5: a rule needs the key \"incident\""},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: t\n    close: cleared()\n",
         "r.yaml:6:15: incident takes a map with a title, not text"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {}\n    close: cleared()\n",
         "r.yaml:6:15: incident needs the key \"title\""},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t, prio: P1}\n    close: cleared()\n",
         "r.yaml:6:26: incident has no key \"prio\"; did you mean \"priority\"?"},
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
         "r.yaml:7:13: close joins its parts with && and || only"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: 'true'\n",
         "r.yaml:7:13: close is made of quiet(duration), cleared(), fewer(count, duration) and "
         "comparisons of last(x)"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: quiet(0s)\n",
         "r.yaml:7:18: a quiet time lies between 1ms and 30d"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    incident: {title: t}\n    close: quiet(5)\n",
         "r.yaml:7:18: quiet() takes a duration, for example quiet(15m)"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
         "    incident: {title: t}\n    close: "
         "quiet(1s)||quiet(2s)||quiet(3s)||quiet(4s)||quiet(5s)\n",
         "r.yaml:7:56: close has at most 4 different quiet times"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    max_window: 1s\n" TAIL,
         "r.yaml:4:13: a window is at most max_window, 1s"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "bounds: {max_window: 59s}\n",
         "r.yaml:4:13: a window is at most max_window, 59s"},
        {HEAD GOOD_WHERE "    window: {session: 10s, max: 2h}\n" GOOD_WHEN TAIL
                         "bounds: {max_window: 1h}\n",
         "r.yaml:4:33: the max of a session is at most max_window, 1h"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "bounds: {max_window: 31d}\n",
         "r.yaml:8:22: max_window lies between 1ms and 30d"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "bounds: {max_keys: 0}\n",
         "r.yaml:8:20: max_keys is a whole number from 1 to 10000000"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "bounds: {max_member: 3}\n",
         "r.yaml:8:10: bounds has no key \"max_member\"; did you mean \"max_members\"?"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "bounds: 3\n",
         "r.yaml:8:9: bounds is a map of max_keys, max_members and max_window, not text"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    max_keys: 0\n" TAIL,
         "r.yaml:6:15: max_keys is a whole number from 1 to 10000000"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    max_keys: 010\n" TAIL,
         "r.yaml:6:15: max_keys begins with a zero: write 10"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN "    max_members: many\n" TAIL,
         "r.yaml:6:18: max_members is a whole number from 1 to 100000"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL "    description: [a]\n",
         "r.yaml:8:18: description takes text, not a list; if it is text, put it in "
         "quotes: [ and - begin a list"},
        {HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL
         "  - id: r\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
         "r.yaml:8:9: the id \"r\" is taken already: r.yaml:2:9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused_line(cases[i].text, cases[i].line);
}

#define RULE(where, more)                                                                          \
    "rules:\n  - id: r\n    where: " where "\n    window: 1m\n    when: count() >= 1\n"            \
    "    incident: {title: t}\n    close: cleared()\n" more
#define STEPS(steps)                                                                               \
    "rules:\n  - id: r\n    sequence: [" steps "]\n    within: 1m\n    incident: {title: t}\n"     \
    "    close: cleared()\n"

/* Who comes from another program is told how the same is written here, or what takes his file. */
static void habits_of_other_programs_are_told_the_way(void **state)
{
    static const struct refusal rows[] = {
        /* files */
        {"groups:\n  - name: node\n    rules: []\n",
         "r.yaml:1:1: this is a rule file of Prometheus, which works it out itself: its alerts "
         "come "
         "to tocsin by Alertmanager (docs/events.md), whose configuration tocsin import takes\n"},
        {"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: {groups: []}\n",
         "r.yaml:2:1: this is a rule file of Prometheus, "},
        {"apiVersion: v1\nkind: ConfigMap\n", "r.yaml:1:1: this is an object of Kubernetes, "},
        {"title: x\nlogsource: {product: linux}\ndetection: {condition: a}\n",
         "r.yaml:3:1: this is a rule of Sigma: tocsin import makes a rule file of it\n"},
        {"title: x\ncorrelation: {type: event_count}\n", "r.yaml:2:1: this is a rule of Sigma: "},
        {"global: {}\nroute: {receiver: a}\n",
         "r.yaml:2:1: this is a configuration of Alertmanager: tocsin import makes a rule file of "
         "it"},
        {"inhibit_rules: []\n", "r.yaml:1:1: this is a configuration of Alertmanager: "},
        {"apiVersion: v1\nkind: ConfigMap\n",
         "r.yaml:1:1: this is an object of Kubernetes, and no rule file\n"},
        {"rules: [a.yaml]\nsinks: []\n",
         "r.yaml:2:1: this is a configuration of tocsin: tocsin check --config reads it\n"},
        {"- id: x\n  where: true\n",
         "r.yaml:1:1: a rule file begins with \"rules:\"; this list stands under that key\n"},
        {"id: x\nwhere: true\n",
         "r.yaml:2:1: a rule file begins with \"rules:\"; a rule is an entry "
         "of that list: - id: ...\n"},
        /* keys of a rule, of a step */
        {RULE("check == \"a\"", "    labels: {team: x}\n"),
         "r.yaml:8:5: a rule has no key \"labels\"; what its events are stands in \"where\": "
         "labels.team "
         "== \"storage\"\n"},
        {RULE("check == \"a\"", "    timeframe: 5m\n"),
         "a rule has no key \"timeframe\"; how far it looks back is \"window\", or \"within\" of "
         "steps"},
        {STEPS("{a: check == \"x\"}, {where: check == \"y\"}"),
         "r.yaml:3:17: a step has no key \"a\"; it is written {where: CONDITION, as: a}\n"},
        {STEPS("{name: a, where: check == \"x\"}, {where: check == \"y\"}"),
         "r.yaml:3:17: a step has no key \"name\"; its name is \"as\"\n"},
        {STEPS("{if: check == \"x\"}, {where: check == \"y\"}"),
         "r.yaml:3:17: a step has no key \"if\"; what meets it stands in \"where\"\n"},
        {STEPS("check == \"x\", {where: check == \"y\"}"),
         "r.yaml:3:16: a step is a map with \"where\", not text: write it behind \"where: \"\n"},
        /* expressions */
        {RULE("check|contains == \"x\"", ""),
         "r.yaml:3:17: this is written as a function: FIELD.contains(\"...\"), "
         "FIELD.startsWith(\"...\"), FIELD.matches(r\"...\")\n"},
        {RULE("check|startswith(\"x\")", ""), "r.yaml:3:17: this is written as a function: "},
        {RULE("check | \"x\"", ""), "r.yaml:3:18: write || for \"or\"\n"},
        {RULE("check like \"x%\"", ""),
         "r.yaml:3:18: write FIELD.contains(\"...\"), FIELD.startsWith(\"...\") or "},
        {RULE("message contains \"x\"", ""),
         "r.yaml:3:20: a text is looked into by a function: write FIELD.contains(\"...\")\n"},
        {RULE("message matches \"x\"", ""),
         "r.yaml:3:20: a pattern is asked for by a function: write FIELD.matches(r\"...\")\n"},
        {RULE("check is \"x\"", ""), "r.yaml:3:18: write == to compare\n"},
    };

    (void)state;
    assert_each_refused(rows, sizeof(rows) / sizeof(rows[0]));
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
        {"a: |\n", "\n", "r.yaml:52:1: more than 50 empty lines in a row", 4000000},
        {"a: |\n", " \n", "r.yaml:52:2: more than 50 empty lines in a row", 2000000},
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
    /* Empty lines apart, and fifty of them, are nothing unusual. */
    char lines[300];
    snprintf(lines, sizeof(lines), "rules: []%*s", 51, "");
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

/* One step, and what is wrong with it at which line and column. */
static void wrong_enrich_steps_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *step, *sentence;
    } cases[] = {
        {"{id: a, wher: check == \"x\"}",
         "r.yaml:2:13: an enrich step has no key \"wher\"; did you mean \"where\"?"},
        {"{set: {labels.a: check}}", "r.yaml:2:5: an enrich step needs the key \"id\""},
        {"{id: a}", "r.yaml:2:5: an enrich step needs extract, set, remove or drop"},
        {"step", "r.yaml:2:5: an enrich step is a map of keys, not text"},
        {"{id: a, where: chek == \"x\", drop: true}",
         "r.yaml:2:20: there is no field \"chek\"; did you mean \"check\"?"},
        {"{id: a, where: severity > CRITICAL, drop: true}",
         "r.yaml:2:20: this can never be true: there is no such severity"},
        {"{id: a, drop: true}", "r.yaml:2:5: a step that drops needs the key \"where\""},
        {"{id: a, where: value > 1, drop: no}",
         "r.yaml:2:37: drop takes true; a step without it drops nothing"},
        {"{id: a, where: value > 1, drop: true, remove: [labels.a]}",
         "r.yaml:2:43: a step that drops does nothing else"},
        {"{id: a, set: {check: message}}",
         "r.yaml:2:19: check cannot be changed: it identifies the event; set a label instead"},
        {"{id: a, set: {state: message}}",
         "r.yaml:2:19: state cannot be changed: problems and clears find each other as they were "
         "sent"},
        {"{id: a, set: {ts: ts}}",
         "r.yaml:2:19: ts cannot be changed: times are those of the event as it was sent"},
        {"{id: a, set: {mesage: check}}",
         "r.yaml:2:19: there is no field \"mesage\"; did you mean \"message\"?"},
        {"{id: a, set: {labels: check}}",
         "r.yaml:2:19: labels needs a name: labels.NAME or labels[\"NAME\"]"},
        {"{id: a, set: {severity: check}}",
         "r.yaml:2:29: severity takes a severity, not text; severity(...) makes one of it"},
        {"{id: a, set: {severity: 5}}", "r.yaml:2:29: severity takes a severity"},
        {"{id: a, set: {severity: severity(\"bad\")}}",
         "r.yaml:2:38: there is no severity \"bad\""},
        {"{id: a, set: {severity: OK}}",
         "r.yaml:2:29: a problem is never OK: DEBUG is the least, and drop: true drops the event"},
        {"{id: a, set: {severity: 'severity(\"cleared\")'}}",
         "r.yaml:2:30: a problem is never OK: DEBUG is the least, and drop: true drops the event"},
        {"{id: a, set: {severity: severity(value)}}",
         "r.yaml:2:38: severity() does not take a number"},
        {"{id: a, set: {value: check}}",
         "r.yaml:2:26: value takes a number, not text; double(...) makes one of it"},
        {"{id: a, set: [labels.a]}",
         "r.yaml:2:18: set takes a map: {labels.team: \"...\", severity: ...}"},
        {"{id: a, remove: [message]}", "r.yaml:2:22: only labels can be removed"},
        {"{id: a, remove: labels.a}",
         "r.yaml:2:21: remove takes a list of labels: [labels.pod_uid]"},
        {"{id: a, vars: {v: check}, set: {labels.a: message}}",
         "r.yaml:2:20: nothing in the rule uses this variable"},
        {"{id: a, extract: {from: message}}", "r.yaml:2:22: extract needs the key \"pattern\""},
        {"{id: a, extract: {from: value, pattern: '(?P<a>x)'}}",
         "r.yaml:2:29: extract takes text to read from, not a number"},
        {"{id: a, extract: {from: message, pattern: 'disk .*'}}",
         "r.yaml:2:48: the pattern has no named group, (?P<name>...), to extract"},
        {"{id: v, set: {labels.v: count()}}",
         "r.yaml:2:29: count() belongs into when, not into an enrich step"},
        {"{id: a, extract: {from: message, pattern: 'x(?P<a>b'}}",
         "r.yaml:2:49: the group has no end: ) is missing"},
        {"{id: a, extract: {from: message, pattern: '(?P<a>b)(?P<a>c)'}}",
         "r.yaml:2:60: two groups have this name: of which is the label?"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[500];
        struct rule_set *set = NULL;
        struct error err = {""};
        snprintf(text, sizeof(text), "enrich:\n  - %s\n", cases[i].step);
        assert_int_equal(rule_set_parse("r.yaml", text, strlen(text), &set, &err), -EINVAL);
        bool is_right = strncmp(err.text, cases[i].sentence, strlen(cases[i].sentence)) == 0;
        if (!is_right)
            print_error("%s\nis refused with\n%s\nnot\n%s\n", cases[i].step, err.text,
                        cases[i].sentence);
        wrong += !is_right;
    }
    assert_int_equal(wrong, 0);
}

static void enrich_steps_are_unique_and_bounded(void **state)
{
    (void)state;
    enum { STEPS = 1001 };
    char *text = malloc(STEPS * 60 + 20), *at = text;
    struct rule_set *set = NULL;
    struct error err = {""};

    assert_refused("enrich:\n  - {id: a, set: {labels.a: check}}\n  - {id: a, remove: [host]}\n",
                   "r.yaml:3:10: the id \"a\" is taken already: r.yaml:2:10\n"
                   "      - {id: a, remove: [host]}\n"
                   "             ^");
    assert_non_null(text);
    at += sprintf(at, "enrich:\n");
    for (int i = 0; i < STEPS; i++) {
        if (i == STEPS - 1)
            assert_int_equal(rule_set_parse("r.yaml", text, (size_t)(at - text), &set, &err), 0);
        at += sprintf(at, "  - {id: s%d, set: {labels.a: check}}\n", i);
    }
    rule_set_destroy(set);
    assert_int_equal(rule_set_parse("r.yaml", text, (size_t)(at - text), &set, &err), -EINVAL);
    assert_non_null(strstr(err.text, "r.yaml:1002:5: a set holds at most 1000 enrich steps"));
    free(text);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_shows_line_and_caret),
        cmocka_unit_test(several_errors_are_told_at_once),
        cmocka_unit_test(more_than_ten_errors_are_counted),
        cmocka_unit_test(places_are_right_in_every_scalar_style),
        cmocka_unit_test(caret_stands_below_tabs_and_inside_long_lines),
        cmocka_unit_test(wrong_keys_are_refused),
        cmocka_unit_test(habits_of_other_programs_are_told_the_way),
        cmocka_unit_test(long_files_ids_and_titles_are_refused),
        cmocka_unit_test(costly_texts_are_refused_at_once),
        cmocka_unit_test(wrong_enrich_steps_are_refused),
        cmocka_unit_test(enrich_steps_are_unique_and_bounded),
        cmocka_unit_test(number_of_rules_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
