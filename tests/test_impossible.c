/*
 * Aim: conditions that nothing can meet are refused at the part that makes them so, with the other
 * part named; what is nearly impossible is not. Method: tables of rules; each message is written
 * down by hand. That nothing possible is refused is the aim of test_impossible_random.c.
 */
#include "rules_parsed.h"
#include <stdio.h>
#include <time.h>

/* `where` stands at 4:7, `when` at 8:7, `close` at 11:7. */
static const char *rule_of(const char *where, const char *when, const char *close, char *to,
                           size_t bytes)
{
    snprintf(to, bytes,
             "rules:\n  - id: r\n    where: |\n      %s\n    by: [host, labels.x]\n    window: 1m\n"
             "    when: |\n      %s\n    incident: {title: t}\n    close: |\n      %s\n",
             where, when != NULL ? when : "count() >= 1", close != NULL ? close : "cleared()");
    return to;
}

static const struct {
    const char *where, *when, *close, *message; /* behind "r.yaml:" */
} refused[] = {
    /* two sides of one subject */
    {"check == \"a\" && !(check == \"a\")", NULL, NULL,
     "4:23: this can never be true beside check == \"a\" at 4:7"},
    {"!(check == \"a\") && \"a\" == check", NULL, NULL,
     "4:26: this can never be true beside !(check == \"a\") at 4:7"},
    {"host.endsWith(\"1\") && !host.endsWith(\"1\")", NULL, NULL,
     "4:29: this can never be true beside host.endsWith(\"1\") at 4:7"},
    {"check.startsWith(\"disk\") && !check.contains(\"is\")", NULL, NULL,
     "4:35: this can never be true beside check.startsWith(\"disk\") at 4:7"},
    {"check > \"b\" && check.startsWith(\"a\")", NULL, NULL,
     "4:22: this can never be true beside check > \"b\" at 4:7"},
    {"host == check && host != check", NULL, NULL,
     "4:24: this can never be true beside host == check at 4:7"},
    {"host.matches(\"a+\") && !host.matches(\"a+\")", NULL, NULL,
     "4:29: this can never be true beside host.matches(\"a+\") at 4:7"},
    {"check.lowerAscii() == \"Disk\"", NULL, NULL, "4:7: this can never be true"},
    {"has(host) && host == \"\"", NULL, NULL,
     "4:20: this can never be true beside has(host) at 4:7"},
    /* what has to be there */
    {"!has(labels.x) && labels.x == \"a\"", NULL, NULL,
     "4:25: this can never be true beside !has(labels.x) at 4:7"},
    {"!has(value) && value * 2 > 5", NULL, NULL,
     "4:22: this can never be true beside !has(value) at 4:7"},
    {"\"x\" in labels && !has(labels.x)", NULL, NULL,
     "4:24: this can never be true beside \"x\" in labels at 4:7"},
    {"!(has(labels.x) || labels.x == \"a\")", NULL, NULL,
     "4:26: this can never be false beside has(labels.x), which has to be false, at 4:9"},
    /* || against ranges, three sides, what computes */
    {"(value > 5 || value > 7) && value < 3", NULL, NULL,
     "4:35: this can never be true beside (value > 5 || value > 7) at 4:7"},
    {"value < 3 && (value > 5 || value > 7)", NULL, NULL,
     "4:20: this can never be true beside value < 3 at 4:7"},
    {"(value > 5 || !(value <= 7)) && value < 3", NULL, NULL,
     "4:39: this can never be true beside (value > 5 || !(value <= 7)) at 4:7"},
    {"(value > 5 && has(host) || value > 7 && has(host)) && (value < 3 || value < 2)", NULL, NULL,
     "4:61: this can never be true beside (value > 5 && has(host) || value > 7 && has(host)) at "
     "4:7"},
    {"severity > MINOR && severity != MAJOR && severity != CRITICAL", NULL, NULL,
     "4:48: this can never be true beside severity > MINOR at 4:7 and severity != MAJOR at 4:27"},
    {"value * 2 > 10 && value < 4", NULL, NULL,
     "4:25: this can never be true beside value * 2 > 10 at 4:7"},
    {"(has(value) ? value < 1 : value > 9) && value > 2", NULL, NULL,
     "4:47: this can never be true beside (has(value) ? value < 1 : value > 9) at 4:7"},
    {"(value > 5) == (value <= 5)", NULL, NULL, "4:7: this can never be true"},
    {"!((value > 5) == (value > 5))", NULL, NULL, "4:7: this can never be true"},
    {"(value > 5) != (value > 5)", NULL, NULL, "4:7: this can never be true"},
    {"!((value > 5) != (value <= 5))", NULL, NULL, "4:7: this can never be true"},
    {"!(has(value) ? value < 1 : value > 9) && value < 0", NULL, NULL,
     "4:48: this can never be true beside !(has(value) ? value < 1 : value > 9) at 4:7"},
    /* ranges of functions */
    {"size(check) == -1", NULL, NULL, "4:7: this can never be true: size(check) is at least 0"},
    {"size(labels) == 600", NULL, NULL,
     "4:7: this can never be true: size(labels) is from 0 to 512"},
    {"check == \"a\" && ts.getHours() >= 24", NULL, NULL,
     "4:23: this can never be true: ts.getHours() is from 0 to 23"},
    {"ts.getDayOfWeek(\"+02:00\") > 6", NULL, NULL,
     "4:7: this can never be true: ts.getDayOfWeek(\"+02:00\") is from 0 to 6"},
    {"ts.getMinutes() in [60, 61]", NULL, NULL,
     "4:7: this can never be true: ts.getMinutes() is from 0 to 59"},
    {"ts.getMonth() == 12", NULL, NULL,
     "4:7: this can never be true: ts.getMonth() is from 0 to 11"},
    {"state != \"problem\"", NULL, NULL,
     "4:7: this can never be true: what it sees are problems, state is always \"problem\""},
    /* constants */
    {"has(value) && false", NULL, NULL, "4:21: this can never be true"},
    {"has(value) || true", NULL, NULL,
     "4:21: this is always true, so the other sides of || make no difference"},
    {"true", "count() >= 1 || 1 < 2", NULL,
     "8:23: this is always true, so the other sides of || make no difference"},
    /* windows */
    {"true", "distinct(host) >= 2", NULL,
     "8:7: this can never be true: distinct(host) is always 1 (it is in `by`)"},
    {"true", "count() > 3 && distinct(tenant) > 1", NULL,
     "8:22: this can never be true: distinct(tenant) is always 1 (it is in `by`)"},
    {"check == \"a\"", "distinct(check) >= 2", NULL,
     "8:7: this can never be true beside check == \"a\" at 4:7"},
    {"has(value) && check in [\"a\", \"b\"]", "distinct(check) >= 3", NULL,
     "8:7: this can never be true beside check in [\"a\", \"b\"] at 4:21"},
    {"severity >= MAJOR", "distinct(severity) > 2", NULL,
     "8:7: this can never be true beside severity >= MAJOR at 4:7"},
    {"true", "count() < 0", NULL,
     "8:7: this can never be true: count() is from 1 to 1000 (max_members)"},
    {"true", "distinct(check) > 1000", NULL,
     "8:7: this can never be true: distinct(check) is from 1 to 1000 (max_members)"},
    {"true", "distinct(check) >= 3 && count() < 3", NULL,
     "8:31: this can never be true beside distinct(check) >= 3 at 8:7"},
    {"true", "stddev(value) < 0", NULL, "8:7: this can never be true: stddev(value) is at least 0"},
    {"true", "rate(value) < 0", NULL, "8:7: this can never be true: rate(value) is at least 0"},
    {"true", "min(value) > max(value)", NULL, "8:7: this can never be true"},
    {"value > 90", "max(value) < 80", NULL, "8:7: this can never be true beside value > 90 at 4:7"},
    {"value > 90 && check == \"a\"", "count() > 2 && quantile(value, 0.9) <= 90", NULL,
     "8:22: this can never be true beside value > 90 at 4:7"},
    {"value > 90 || value > 95", "avg(value) < 89 || count() > 4", NULL,
     "8:7: this can never be true beside value > 90 || value > 95 at 4:7"},
    {"double(labels.ms) >= 0", "sum(labels.ms) < 0", NULL,
     "8:7: this can never be true beside double(labels.ms) >= 0 at 4:7"},
    /* close */
    {"value > 90", NULL, "last(value) < 70 || cleared()",
     "11:7: this can never be true beside value > 90 at 4:7"},
    {"true", NULL, "last(value) < 5 && last(value) > 7",
     "11:26: this can never be true beside last(value) < 5 at 11:7"},
    {"true", NULL, "cleared() || last(labels.x) < 7",
     "11:20: this never changes while an incident is open: it is made of what `by` names"},
};

static void what_nothing_can_meet_is_refused_where_it_stands(void **state)
{
    char text[1000], line[400];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        rule_of(refused[i].where, refused[i].when, refused[i].close, text, sizeof(text));
        snprintf(line, sizeof(line), "r.yaml:%s", refused[i].message);
        assert_refused_line(text, line);
    }
}

static const struct {
    const char *where, *when, *close;
} accepted[] = {
    {"true", NULL, NULL},
    {"false", NULL, NULL}, /* somebody's intention */
    {"has(value) || false", NULL, NULL},
    {"check == \"a\" || !(check == \"a\")", NULL, NULL},
    {"has(labels.x) || !has(labels.x)", NULL, NULL},
    {"(value > 5 || value > 2) && value < 3", NULL, NULL},
    {"(value > 5 || !(value > 3)) && value < 3", NULL, NULL},
    {"value >= 5 && value <= 5", NULL, NULL},
    {"(value > 5) == (value > 3)", NULL, NULL},
    {"(value > 5) != (value <= 5)", NULL, NULL}, /* true of all that have one */
    {"!((value > 5) != (value > 3))", NULL, NULL},
    {"value > 0.1 && value < 0.2", NULL, NULL},
    {"!has(labels.x) && (has(labels.x) ? labels.x : \"none\") == \"none\"", NULL, NULL},
    {"!has(labels.x) && (labels.x == \"a\" || check == \"a\")", NULL, NULL},
    {"check > \"a\" && check.startsWith(\"a\")", NULL, NULL},
    {"check.startsWith(\"a\") && check.endsWith(\"a\") && check != \"a\"", NULL, NULL},
    {"check.contains(\"a\") && !check.startsWith(\"a\")", NULL, NULL},
    {"ts.getHours() == 23 && ts.getHours(\"+02:00\") == 1", NULL, NULL},
    {"age.getHours() >= 24 && age.getMinutes() > 59", NULL, NULL},
    {"int(value) == 0 && value < 0", NULL, NULL}, /* -0.5 */
    {"value + 1 == value", NULL, NULL},           /* 1e20 */
    {"size(check) % 3 == 2", NULL, NULL},
    {"size(labels) == 512", NULL, NULL},
    {"true", "distinct(host) < 2", NULL},
    {"check in [\"a\", \"b\"]", "distinct(check) >= 2", NULL},
    {"check == \"a\" || has(value)", "distinct(check) >= 2", NULL},
    {"labels.y != \"a\"", "distinct(labels.y) >= 2", NULL},
    {"true", "count() * 2 == 10", NULL},
    {"true", "count() >= 1000", NULL},
    {"true", "distinct(check) == count()", NULL},
    {"value > 90", "min(value) < 91 && max(value) > 1000", NULL},
    {"value <= 0.1", "avg(value) > 0.1", NULL}, /* a sum of 0.1, rounded to steps of 2^-40 */
    {"value > 0", "sum(value) > 1e9", NULL},
    {"has(value) || has(labels.ms)", "sum(value) == 0", NULL},
    {"true", NULL, "last(value) < 70 || quiet(1d)"},
    {"check == \"disk\"", NULL, "last(value) < 5 && quiet(1h)"},
};

static void what_is_nearly_impossible_is_not_refused(void **state)
{
    char text[1000];

    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++)
        rule_set_destroy(parse_good(
            rule_of(accepted[i].where, accepted[i].when, accepted[i].close, text, sizeof(text))));
}

/* ---- where else conditions stand ---- */

#define STEPS "rules:\n  - id: r\n    by: [host]\n    within: 5m\n"
#define CLOSED "    incident: {title: t}\n    close: quiet(1h)\n"

static void every_kind_of_condition_is_looked_at(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        /* a step, by itself and beside `where` */
        {STEPS "    sequence: [{where: check == \"a\"}, {where: value > 5 && value < 5}]\n" CLOSED,
         "r.yaml:5:60: this can never be true beside value > 5 at 5:47"},
        {STEPS
         "    where: check == \"a\"\n"
         "    sequence: [{where: value > 5}, {not: check == \"b\"}, {where: value < 5}]\n" CLOSED,
         "r.yaml:6:42: this can never be true beside check == \"a\" at 5:12"},
        {STEPS "    where: check == \"a\"\n"
               "    all: [{where: value > 5}, {where: check == \"b\" || check == \"c\"}]\n" CLOSED,
         "r.yaml:6:39: this can never be true beside check == \"a\" at 5:12"},
        /* enrich steps see clears */
        {"enrich:\n  - {id: s, where: state == \"open\", drop: true}\n",
         "r.yaml:2:20: this can never be true: state is \"problem\" or \"clear\""},
        {"enrich:\n  - {id: s, where: state == \"CLEAR\", drop: true}\n",
         "r.yaml:2:20: this can never be true: state is \"problem\" or \"clear\"; did you mean "
         "\"clear\"?"},
        /* mutes: what is absent is empty, and a priority is one of five */
        {"silences:\n  - {id: s, where: host == \"a\" && host == \"b\", to: "
         "2030-01-01T00:00:00Z}\n",
         "r.yaml:2:35: this can never be true beside host == \"a\" at 2:20"},
        {"silences:\n  - {id: s, where: priority == \"P9\", to: 2030-01-01T00:00:00Z}\n",
         "r.yaml:2:20: this can never be true: priority is \"P1\", \"P2\", \"P3\", \"P4\" or "
         "\"P5\""},
        {"silences:\n  - {id: s, where: priority == \"p3\", to: 2030-01-01T00:00:00Z}\n",
         "r.yaml:2:20: this can never be true: priority is \"P1\", \"P2\", \"P3\", \"P4\" or "
         "\"P5\"; did you mean \"P3\"?"},
        {"silences:\n  - {id: s, where: 'priority in [\"high\"]', to: 2030-01-01T00:00:00Z}\n",
         "r.yaml:2:21: this can never be true: priority is \"P1\", \"P2\", \"P3\", \"P4\" or "
         "\"P5\""},
        {"silences:\n  - {id: s, where: has(host) && host == \"\", to: 2030-01-01T00:00:00Z}\n",
         "r.yaml:2:33: this can never be true beside has(host) at 2:20"},
        {"inhibit:\n  - {id: s, source: rule == \"a\" && severity > CRITICAL, target: rule == "
         "\"b\"}\n",
         "r.yaml:2:36: this can never be true: there is no such severity"},
        {"inhibit:\n  - {id: s, source: rule == \"a\", target: rule == \"b\" && rule == \"c\"}\n",
         "r.yaml:2:57: this can never be true beside rule == \"b\" at 2:42"},
        /* what does not come has no number */
        {"rules:\n  - id: r\n    where: check == \"a\"\n    by: [host]\n    expect: {every: 5m}\n"
         "    incident: {title: t}\n    close: last(value) < 5\n",
         "r.yaml:7:12: there is no number of what does not come: no event opens or joins an "
         "incident of a rule with \"expect\""},
    };
    static const char *const good[] = {
        "enrich:\n  - {id: s, where: state == \"clear\", drop: true}\n",
        "silences:\n  - {id: s, where: '!has(host) && host == \"\"', to: 2030-01-01T00:00:00Z}\n",
        "rules:\n  - id: r\n    where: state == \"clear\"\n    by: [host]\n    expect: {every: "
        "5m}\n"
        "    incident: {title: t}\n    close: cleared()\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused_line(cases[i].text, cases[i].line);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        rule_set_destroy(parse_good(good[i]));
}

/* Steps are met by events of one key: those have the same values of what `by` names, and of nothing
 * else. The steps stand at 5:15. */
static void steps_that_no_key_can_meet_are_refused(void **state)
{
    static const struct {
        const char *by, *steps, *line; /* behind "r.yaml:", its beginning; NULL: taken */
    } cases[] = {
        {"host, check", "[{where: check == \"a\"}, {where: check == \"b\"}]",
         "5:47: this can never be true beside check == \"a\" at 5:24: events of one key have the "
         "same "
         "values of what `by` names"},
        {"host", "[{where: check == \"a\"}, {where: check == \"b\"}]", NULL},
        {"check", "[{where: 'check in [\"a\", \"b\"]'}, {where: 'check in [\"b\", \"c\"]'}]", NULL},
        {"check",
         "[{where: 'check in [\"a\", \"b\"]'}, {where: check != \"a\"}, {where: check != \"b\"}]",
         "5:79: this can never be true beside check in [\"a\", \"b\"] at 5:25 and check != \"a\" "
         "at "
         "5:56: events of one key"},
        {"check", "[{where: check.startsWith(\"disk.\")}, {where: check == \"net\" && value > 5}]",
         "5:60: this can never be true beside check.startsWith(\"disk.\") at 5:24: events of one "
         "key"},
        {"check", "[{where: check == \"a\" || value > 5}, {where: check == \"b\"}]", NULL},
        {"host", "[{where: tenant == \"a\"}, {where: tenant == \"b\"}]",
         "5:48: this can never be true beside tenant == \"a\" at 5:24: events of one key"},
        {"host", "[{where: value > 5}, {where: value < 5}]", NULL},
        {"labels.x", "[{where: labels.x == \"a\"}, {where: labels.x != \"a\"}]",
         "5:50: this can never be true beside labels.x == \"a\" at 5:24: events of one key"},
        {"labels.x", "[{where: labels.x == \"a\"}, {where: labels.y == \"b\"}]", NULL},
        {"labels.x", "[{where: int(labels.x) > 5}, {where: int(labels.x) < 5}]",
         "5:52: this can never be true beside int(labels.x) > 5 at 5:24: events of one key"},
        /* absent and empty are one to `by` */
        {"labels.x", "[{where: labels.x == \"\"}, {where: '!has(labels.x)'}]", NULL},
        {"labels.x", "[{where: has(labels.x)}, {where: '!has(labels.x)'}]", NULL},
        {"labels.x", "[{where: '\"x\" in labels'}, {where: '!(\"x\" in labels)'}]", NULL},
        /* what must not come */
        {"check", "[{where: check == \"a\"}, {not: check == \"b\"}, {where: check == \"a\"}]",
         NULL},
        {"check", "[{where: check == \"a\"}, {not: check == \"b\"}]", NULL},
    };
    char text[600];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int is_all = 0; is_all < 2; is_all++) {
            struct error err;
            if (is_all && strstr(cases[i].steps, "not:") != NULL)
                continue;
            snprintf(text, sizeof(text),
                     "rules:\n  - id: r\n    by: [%s]\n    within: 5m\n    %s%s\n" CLOSED,
                     cases[i].by, is_all ? "all:      " : "sequence: ", cases[i].steps);
            if (cases[i].line == NULL) {
                rule_set_destroy(parse_good(text));
                continue;
            }
            err = parse_bad(text);
            if (strncmp(err.text, "r.yaml:", 7) != 0 ||
                strncmp(err.text + 7, cases[i].line, strlen(cases[i].line)) != 0)
                fail_msg("%s\n%s", cases[i].line, err.text);
        }
}

/* ---- bounds ---- */

static size_t put_ors(char *to, size_t bytes, int count, int sides)
{
    size_t used = 0;

    for (int i = 0; i < count; i++)
        for (int k = 0; k < sides; k++)
            used += (size_t)snprintf(to + used, bytes - used, "%svalue %s %d%s",
                                     k > 0   ? " || "
                                     : i > 0 ? " && ("
                                             : "(",
                                     (i + k) % 2 ? "<" : ">", (i * 7 + k * 5) % 40,
                                     k + 1 == sides ? ")" : "");
    return used;
}

/* 3^40 conjunctions: what is too much is taken on trust, and soon. */
static void what_is_too_much_is_taken_on_trust(void **state)
{
    static char where[16000], text[17000];
    clock_t from = clock();

    (void)state;
    put_ors(where, sizeof(where), 40, 3);
    for (int i = 0; i < 50; i++)
        rule_set_destroy(
            parse_good(rule_of(where, "count() > 1 && max(value) > 3", NULL, text, sizeof(text))));
    if (clock() - from > 5 * CLOCKS_PER_SEC)
        fail_msg("%ld ms", (long)((clock() - from) * 1000 / CLOCKS_PER_SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nothing_can_meet_is_refused_where_it_stands),
        cmocka_unit_test(what_is_nearly_impossible_is_not_refused),
        cmocka_unit_test(every_kind_of_condition_is_looked_at),
        cmocka_unit_test(steps_that_no_key_can_meet_are_refused),
        cmocka_unit_test(what_is_too_much_is_taken_on_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
