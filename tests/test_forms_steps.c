/*
 * Aim: rules made of steps open when, and only when, docs/correlation.md says so: order, time,
 * what must not come between, what a match uses up; and what is wrong with such a rule is said
 * with its place. Method: recordings of a few events on one key, told as "time check" pairs, and
 * the lines that they must give. That random logs give the same as a second program is the
 * part of tests/model.
 */
#include "engine_bench.h"

#define STEP(check) "      - where: check == \"" check "\"\n        as: " check "\n"
#define NOT(check) "      - not: check == \"" check "\"\n        as: " check "\n"
#define RULE_OF(form, more)                                                                        \
    "rules:\n  - id: steps\n" form "    within: 1s\n" more                                         \
    "    incident: {title: \"{check} on {resource}\"}\n    close: quiet(5s)\n"
#define SEQUENCE(steps, more) RULE_OF("    sequence:\n" steps, more)
#define ALL(steps) RULE_OF("    all:\n" steps, "")

struct told {
    int64_t at_ms;
    const char *check;
};

struct story {
    const char *what, *rules;
    struct told told[8]; /* ends with a NULL check */
    const char *brief;   /* openings alone */
    const char *why;     /* of the first opening; NULL: not looked at */
};

static const struct story stories[] = {
    {"a then b",
     SEQUENCE(STEP("a") STEP("b"), ""),
     {{0, "a"}, {900, "b"}},
     "900 ",
     "a: a on r0, then b: b on r1 900ms later (within 1s)"},
    {"b then a is none", SEQUENCE(STEP("a") STEP("b"), ""), {{0, "b"}, {900, "a"}}, "", NULL},
    {"within is open at its end",
     SEQUENCE(STEP("a") STEP("b"), ""),
     {{0, "a"}, {1000, "b"}},
     "",
     NULL},
    {"the last millisecond counts",
     SEQUENCE(STEP("a") STEP("b"), ""),
     {{0, "a"}, {999, "b"}},
     "999 ",
     NULL},
    {"the chain that began last is enough",
     SEQUENCE(STEP("a") STEP("b"), ""),
     {{0, "a"}, {600, "a"}, {1500, "b"}},
     "1500 ",
     "a: a on r1, then b: b on r2 900ms later (within 1s)"},
    {"within spans all steps",
     SEQUENCE(STEP("a") STEP("b") STEP("c"), ""),
     {{0, "a"}, {600, "b"}, {1200, "c"}},
     "",
     NULL},
    {"an unwanted event ends what waits",
     SEQUENCE(STEP("a") NOT("x") STEP("b"), ""),
     {{0, "a"}, {100, "x"}, {200, "b"}},
     "",
     NULL},
    {"one that came before does not",
     SEQUENCE(STEP("a") NOT("x") STEP("b"), ""),
     {{0, "x"}, {100, "a"}, {200, "b"}},
     "200 ",
     NULL},
    {"nor one that comes at another place",
     SEQUENCE(STEP("a") NOT("x") STEP("b") STEP("c"), ""),
     {{0, "a"}, {100, "b"}, {200, "x"}, {300, "c"}},
     "300 ",
     NULL},
    {"a second b goes on from an a that an x behind b did not end",
     SEQUENCE(STEP("a") STEP("b") NOT("x") STEP("c"), ""),
     {{0, "a"}, {100, "b"}, {200, "x"}, {300, "b"}, {400, "c"}},
     "400 ",
     "a: a on r0, then b: b on r3 300ms later, then c: c on r4 100ms later (within 1s)"},
    {"other events may come between",
     SEQUENCE(STEP("a") STEP("b"), ""),
     {{0, "a"}, {100, "z"}, {200, "b"}},
     "200 ",
     NULL},
    {"but not in a strict sequence",
     SEQUENCE(STEP("a") STEP("b"), "    where: 'true'\n    contiguity: strict\n"),
     {{0, "a"}, {100, "z"}, {200, "b"}},
     "",
     NULL},
    {"which opens without any",
     SEQUENCE(STEP("a") STEP("b"), "    where: 'true'\n    contiguity: strict\n"),
     {{0, "z"}, {100, "a"}, {200, "b"}},
     "200 ",
     NULL},
    {"a without b",
     SEQUENCE(STEP("a") NOT("b"), ""),
     {{0, "a"}, {500, "a"}, {3000, "z"}},
     "1000 ",
     "a: a on r0, then no b (within 1s)"},
    {"b in time", SEQUENCE(STEP("a") NOT("b"), ""), {{0, "a"}, {999, "b"}, {3000, "z"}}, "", NULL},
    {"b at the end of the time is late",
     SEQUENCE(STEP("a") NOT("b"), ""),
     {{0, "a"}, {1000, "b"}, {3000, "z"}},
     "1000 ",
     NULL},
    {"one event is one step",
     SEQUENCE("      - where: check == \"a\"\n        as: s\n"
              "      - where: check == \"a\"\n        as: t\n",
              ""),
     {{0, "a"}, {3000, "z"}},
     "",
     NULL},
    {"two events are two",
     SEQUENCE("      - where: check == \"a\"\n        as: s\n"
              "      - where: check == \"a\"\n        as: t\n",
              ""),
     {{0, "a"}, {300, "a"}},
     "300 ",
     "s: a on r0, then t: a on r1 300ms later (within 1s)"},
    {"all in any order",
     ALL(STEP("a") STEP("b") STEP("c")),
     {{0, "c"}, {500, "a"}, {999, "b"}},
     "999 ",
     "a: a on r1 and b: b on r2 and c: c on r0 (within 1s)"},
    {"all within the time", ALL(STEP("a") STEP("b")), {{0, "a"}, {1000, "b"}}, "", NULL},
    {"the latest of a condition counts",
     ALL(STEP("a") STEP("b")),
     {{0, "a"}, {500, "a"}, {1400, "b"}},
     "1400 ",
     "a: a on r1 and b: b on r2 (within 1s)"},
    {"what is over takes nothing else with it",
     ALL(STEP("a") STEP("b") STEP("c")),
     {{0, "a"}, {600, "b"}, {1200, "c"}, {1300, "a"}},
     "1300 ",
     "a: a on r3 and b: b on r1 and c: c on r2 (within 1s)"},
    {"an event may meet several",
     ALL("      - where: check == \"a\"\n"
         "      - where: check in [\"a\", \"b\"]\n"),
     {{0, "a"}},
     "0 ",
     "step 1: a on r0 and step 2: a on r0 (within 1s)"},
};

/* The times of openings, each with a blank behind it. */
static void openings(const struct bench *bench, char *to, size_t room)
{
    size_t used = 0;

    to[0] = '\0';
    for (const char *line = bench->brief; line != NULL && *line != '\0';
         line = strchr(line, '\n') + 1) {
        long long at;
        char change[16];
        if (sscanf(line, "%lld %15s", &at, change) == 2 && strcmp(change, "opened") == 0)
            used += (size_t)snprintf(to + used, room - used, "%lld ", at);
    }
}

static void each_story_opens_as_told(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(stories) / sizeof(stories[0]); s++) {
        const struct story *story = &stories[s];
        struct bench *bench = bench_create(story->rules);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        char resource[16], got[64];

        for (int i = 0; i < 8 && story->told[i].check != NULL; i++) {
            snprintf(resource, sizeof(resource), "r%d", i);
            bench_put(feed, story->told[i].at_ms, resource, story->told[i].check, "");
        }
        bench_run(bench);
        openings(bench, got, sizeof(got));
        if (strcmp(got, story->brief) != 0)
            fail_msg("%s: opened at \"%s\", not at \"%s\"", story->what, got, story->brief);
        if (story->why != NULL && strstr(bench->log.at, story->why) == NULL)
            fail_msg("%s: why is not \"%s\" in\n%s", story->what, story->why, bench->log.at);
        bench_destroy(bench);
    }
}

/* Of chains that live on, one completes as soon as the incident is over. */
static void to_next_goes_on_behind_an_incident(void **state)
{
    (void)state;
    static const char *const skips[] = {"past_last", "to_next"};
    for (int i = 0; i < 2; i++) {
        char rules[1024];
        snprintf(rules, sizeof(rules),
                 "rules:\n  - id: steps\n    sequence:\n" STEP("a")
                     STEP("b") "    within: 10s\n"
                               "    skip: %s\n    incident: {title: t}\n    close: fewer(1, 1s)\n",
                 skips[i]);
        struct bench *bench = bench_create(rules);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        char got[64];
        bench_put(feed, 0, "r0", "a", "");
        bench_put(feed, 100, "r1", "b", ""); /* opens */
        bench_put(feed, 200, "r2", "a", ""); /* joins; closes at 1200 */
        bench_put(feed, 3000, "r3", "b", "");
        bench_run(bench);
        openings(bench, got, sizeof(got));
        assert_string_equal(got, i == 0 ? "100 " : "100 3000 ");
        bench_destroy(bench);
    }
}

/* A chain that began within the match ends with it, or lives on as a part of the incident. */
static void only_what_lives_on_is_a_member_beside_the_match(void **state)
{
    (void)state;
    static const char *const skips[] = {"past_last", "to_next"};
    for (int i = 0; i < 2; i++) {
        char more[64], wanted[64];
        snprintf(more, sizeof(more), "    skip: %s\n", skips[i]);
        char rules[1024];
        snprintf(rules, sizeof(rules), SEQUENCE(STEP("a") STEP("b") STEP("c"), "%s"), more);
        struct bench *bench = bench_create(rules);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench_put(feed, 0, "r0", "a", "");
        bench_put(feed, 100, "r1", "b", "");
        bench_put(feed, 200, "r2", "a", "");
        bench_put(feed, 300, "r3", "c", "");
        bench_run(bench);
        snprintf(wanted, sizeof(wanted), "300 opened rule steps tenant=default n=1 alerts=%d\n",
                 3 + i);
        assert_string_equal(bench->brief, wanted);
        bench_destroy(bench);
    }
}

/* A touch that meets two conditions is lost once with its key. */
static void what_meets_two_conditions_is_one(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        RULE_OF("    all:\n" STEP("a") "      - where: check in [\"a\", \"b\"]\n" STEP("c"),
                "    by: [resource]\n    max_keys: 1\n"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "x", "a", "");
    bench_put(feed, 10, "y", "a", "");
    bench_put(feed, 5000, "z", "other", "");
    bench_run(bench);
    assert_int_equal(bench->counters.touches, 2);
    assert_int_equal(bench->counters.evicted, 1);
    assert_int_equal(bench->counters.expired, 1);
    bench_destroy(bench);
}

static void keys_have_chains_of_their_own(void **state)
{
    (void)state;
    struct bench *bench = bench_create(SEQUENCE(STEP("a") STEP("b"), "    by: [resource]\n"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "x", "a", "");
    bench_put(feed, 100, "y", "b", "");
    bench_put(feed, 200, "x", "b", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "200 opened rule steps resource=x n=1 alerts=2\n");
    bench_destroy(bench);
}

static const struct refusal refused[] = {
    {RULE_OF("    sequence: a\n", ""), ":3:15: sequence takes a list of steps"},
    {SEQUENCE(STEP("a"), ""), "sequence needs at least two steps"},
    {SEQUENCE(NOT("a") STEP("b"), ""), "a sequence begins with a step that comes"},
    {SEQUENCE("      - where: chek == \"a\"\n" STEP("b"), ""), ":4:16: there is no field \"chek\""},
    {SEQUENCE("      - wher: check == \"a\"\n" STEP("b"), ""), "did you mean \"where\"?"},
    {SEQUENCE("      - as: x\n" STEP("b"), ""), "a step has either \"where\" or \"not\""},
    {SEQUENCE(STEP("a") STEP("a"), ""), "two steps have the name \"a\""},
    {SEQUENCE(STEP("a") STEP("b"), "    contiguity: strict\n"),
     "a strict sequence needs \"where\""},
    {SEQUENCE(STEP("a") STEP("b"), "    skip: next\n"), "skip is past_last or to_next"},
    {SEQUENCE(STEP("a") STEP("b"), "    window: 5m\n"), "has no key \"window\""},
    {ALL(STEP("a") NOT("b")), "a step has no key \"not\""},
    {"rules:\n  - id: r\n    all:\n" STEP("a")
         STEP("b") "    incident: {title: t}\n    close: cleared()\n",
     "needs the key \"within\""},
    {SEQUENCE(STEP("1") STEP("2") STEP("3") STEP("4") STEP("5") STEP("6") STEP("7") STEP("8")
                  STEP("9"),
              ""),
     "sequence takes at most 8 steps"},
    {"rules:\n  - id: r\n    topology: {}\n    incident: {title: t}\n    close: cleared()\n",
     ":3:5: topology is kept for rules that follow dependencies"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_story_opens_as_told),
        cmocka_unit_test(to_next_goes_on_behind_an_incident),
        cmocka_unit_test(only_what_lives_on_is_a_member_beside_the_match),
        cmocka_unit_test(what_meets_two_conditions_is_one),
        cmocka_unit_test(keys_have_chains_of_their_own),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
