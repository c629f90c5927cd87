/*
 * Aim: windows that do not slide begin and end when docs/correlation.md says, `look: end` and
 * `for` open by timers, and such incidents have an id, a title and a reason of their own. Method:
 * tables of a rule and a few events at hand-picked times, edges above all, with worked-out lines;
 * tests/model runs the same forms on random ones.
 */
#include "tests/engine_bench.h"

#define RULE(form)                                                                                 \
    "rules:\n  - id: r\n    where: severity >= WARNING\n    by: [resource]\n" form                 \
    "    incident: {title: \"{resource} {check}\"}\n    close: cleared() || quiet(1h)\n"

struct put {
    int64_t at_ms;
    const char *check;
    bool clears;
};

struct story {
    const char *what, *rule;
    struct put put[8];
    const char *brief;
};

/* A last event far away carries time on; the rest are of resource x. */
static struct bench *run_story(const struct story *story)
{
    struct bench *bench = bench_create(story->rule);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    for (int i = 0; i < 8 && story->put[i].check != NULL; i++)
        bench_put(feed, story->put[i].at_ms, "x", story->put[i].check,
                  story->put[i].clears ? BENCH_CLEAR : "");
    bench_put(feed, 100000, "end", "info", ",\"severity\":\"info\"");
    bench_run(bench);
    return bench;
}

static void windows_begin_and_end_at_their_times(void **state)
{
    static const struct story stories[] = {
        {"a tumbling window forgets what came before its begin",
         RULE("    window: {tumbling: 10s}\n    when: count() >= 2\n"),
         {{9999, "a", false}, {10000, "b", false}, {19999, "c", false}},
         "19999 opened rule r resource=x n=1 alerts=2\n"},
        {"its end is looked at once, and by a timer",
         RULE("    window: {tumbling: 10s}\n    look: end\n    when: count() == 2\n"),
         {{11000, "a", false}, {12000, "b", false}, {20000, "c", false}},
         "20000 opened rule r resource=x n=1 alerts=2\n"},
        {"and where it is not true at the end, it was not at all",
         RULE("    window: {tumbling: 10s}\n    look: end\n    when: count() < 3\n"),
         {{11000, "a", false}, {12000, "b", false}, {13000, "c", false}},
         ""},
        {"a session goes on as long as the next comes before its gap is over",
         RULE("    window: {session: 5s, max: 1h}\n    when: count() >= 3\n"),
         {{0, "a", false}, {4999, "b", false}, {9998, "c", false}},
         "9998 opened rule r resource=x n=1 alerts=3\n"},
        {"an event just at the end of the gap begins the next",
         RULE("    window: {session: 5s, max: 1h}\n    when: count() >= 2\n"),
         {{0, "a", false}, {5000, "b", false}, {10000, "c", false}, {14000, "d", false}},
         "14000 opened rule r resource=x n=1 alerts=2\n"},
        {"a session ends at its max, in the midst of events",
         RULE("    window: {session: 5s, max: 12s}\n    look: end\n    when: count() >= 3\n"),
         {{0, "a", false}, {4000, "b", false}, {8000, "c", false}, {12000, "d", false}},
         "12000 opened rule r resource=x n=1 alerts=3\n"},
        {"open counts what is open, and nothing else",
         RULE("    window: open\n    when: count() >= 2\n"),
         {{0, "a", false}, {1000, "a", true}, {2000, "b", false}, {3000, "a", false}},
         "3000 opened rule r resource=x n=1 alerts=2\n"},
        {"what has to hold is broken by a clear just before its time",
         RULE("    window: open\n    for: 5s\n    when: count() >= 1\n"),
         {{0, "a", false}, {4999, "a", true}, {6000, "a", false}, {11000, "a", true}},
         "11000 opened rule r resource=x n=1 alerts=1\n"
         "11000 closed cleared r resource=x n=2 alerts=1\n"},
        {"holding goes on over a change of alerts",
         RULE("    window: open\n    for: 5s\n    when: count() >= 1\n"),
         {{0, "a", false}, {2000, "b", false}, {3000, "a", true}},
         "5000 opened rule r resource=x n=1 alerts=1\n"},
        {"and begins anew when it was broken",
         RULE("    window: open\n    for: 5s\n    when: count() == 1\n"),
         {{0, "a", false}, {2000, "b", false}, {3000, "a", true}},
         "8000 opened rule r resource=x n=1 alerts=1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
        struct bench *bench = run_story(&stories[i]);
        if (strcmp(bench->brief, stories[i].brief) != 0)
            fail_msg("%s:\n%s instead of\n%s", stories[i].what, bench->brief, stories[i].brief);
        assert_int_equal(bench->counters.touches,
                         bench->counters.correlated + bench->counters.expired +
                             bench->counters.evicted + bench->counters.retired +
                             bench->counters.pending);
        bench_destroy(bench);
    }
}

/* Without an event there are the values of `by`, and no others. */
static void an_opening_by_a_timer_knows_its_key(void **state)
{
    static const struct story story = {
        "",
        RULE("    window: open\n    for: 5s\n    when: count() >= 2\n"),
        {{0, "a", false}, {2000, "b", false}},
        ""};
    struct bench *bench;

    (void)state;
    bench = run_story(&story);
    assert_non_null(strstr(bench->log.at, "\"at\":1000000007000,\"change\":\"opened\""));
    assert_non_null(strstr(bench->log.at, "\"title\":\"x \""));
    assert_non_null(strstr(bench->log.at, "\"why\":\"2 alerts open now (needs 2); held for 5s\""));
    bench_destroy(bench);
}

/* An incident says what bears its opening, in the direction in which it is asked for; what of an
 * || was not met is not why. */
static void why_tells_what_bears_the_opening(void **state)
{
    static const struct {
        const char *form, *why;
    } cases[] = {
        {"    window: {tumbling: 10s}\n    look: end\n    when: count() < 20\n",
         "3 alerts in 10s (needs fewer than 20)"},
        {"    window: {tumbling: 10s}\n    look: end\n    when: count() <= 20\n",
         "3 alerts in 10s (needs fewer than 21)"},
        {"    window: {tumbling: 10s}\n    look: end\n    when: 2 < count() && count() < 3.5\n",
         "3 alerts in 10s (needs 3, fewer than 4)"},
        {"    window: {tumbling: 10s}\n    look: end\n    when: count() > 2.5 && count() > 2\n",
         "3 alerts in 10s (needs 3)"},
        {"    window: 10s\n    when: count() >= 100 || distinct(check) >= 3\n",
         "3 different values of check in 10s (needs 3): a, b, c"},
        {"    window: 10s\n    when: count() >= 100 || distinct(check) >= 3 && count() >= 3\n",
         "3 alerts in 10s (needs 3); 3 different values of check in 10s (needs 3): a, b, c"},
        {"    window: 10s\n    when: \"!(count() < 3 || distinct(check) == 9)\"\n",
         "3 alerts in 10s (needs 3); 3 different values of check in 10s (needs other than 9): a, "
         "b, "
         "c"},
        {"    window: 10s\n    when: count() + 1 > 3\n", "3 alerts in 10s"},
        {"    window: {tumbling: 10s}\n    look: end\n    when: count() == distinct(check)\n",
         "3 alerts in 10s; 3 different values of check in 10s: a, b, c"},
    };
    struct story story = {"", "", {{1000, "a", false}, {2000, "b", false}, {3000, "c", false}}, ""};
    char rule[512], wanted[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(rule, sizeof(rule),
                 "rules:\n  - id: r\n    where: severity >= WARNING\n    by: [resource]\n%s"
                 "    incident: {title: t}\n    close: cleared() || quiet(1h)\n",
                 cases[i].form);
        story.rule = rule;
        snprintf(wanted, sizeof(wanted), "\"why\":\"%s\"", cases[i].why);
        struct bench *bench = run_story(&story);
        if (strstr(bench->log.at, wanted) == NULL)
            fail_msg("%s is not in\n%s", wanted, bench->log.at);
        bench_destroy(bench);
    }
}

/* The begin of a session is that of its first entry, also when a bound has pushed that one out. */
static void the_max_of_a_session_counts_from_what_was_pushed_out(void **state)
{
    static const struct story story = {
        "",
        RULE("    window: {session: 5s, max: 12s}\n    look: end\n    when: count() >= 2\n"
             "    max_members: 2\n"),
        {{0, "a", false}, {4000, "b", false}, {8000, "c", false}, {11000, "d", false}},
        ""};
    struct bench *bench;

    (void)state;
    bench = run_story(&story);
    assert_string_equal(bench->brief, "12000 opened rule r resource=x n=1 alerts=2\n");
    assert_int_equal(bench->counters.evicted, 2);
    bench_destroy(bench);
}

/* Counting stops where a comparison can tell no more, and not before. */
static void as_many_different_values_as_asked_for_and_no_more(void **state)
{
    static const struct story stories_of[] = {
        {"",
         RULE("    window: {tumbling: 10s}\n    look: end\n    when: distinct(check) == 2\n"),
         {{1000, "a", false}, {2000, "b", false}},
         "10000 opened rule r resource=x n=1 alerts=2\n"},
        {"",
         RULE("    window: {tumbling: 10s}\n    look: end\n    when: distinct(check) == 2\n"),
         {{1000, "a", false}, {2000, "b", false}, {3000, "c", false}},
         ""},
        {"",
         RULE("    window: {tumbling: 10s}\n    look: end\n    when: distinct(check) > 2\n"),
         {{1000, "a", false}, {2000, "b", false}, {3000, "c", false}},
         "10000 opened rule r resource=x n=1 alerts=3\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(stories_of) / sizeof(stories_of[0]); i++) {
        struct bench *bench = run_story(&stories_of[i]);
        assert_string_equal(bench->brief, stories_of[i].brief);
        bench_destroy(bench);
    }
}

/* What is kept of a value has an end; which values are the same is told by all of it. */
static void values_that_differ_at_their_ends_are_different(void **state)
{
    (void)state;
    for (unsigned differ = 0; differ < 2; differ++) {
        char begin[401], more[500];
        struct bench *bench = bench_create(
            "rules:\n  - id: r\n    on: events\n    where: severity >= WARNING\n    by: "
            "[resource]\n"
            "    window: 10s\n    when: distinct(message) >= 2\n    incident: {title: t}\n"
            "    close: quiet(1h)\n");
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        memset(begin, 'm', sizeof(begin) - 1);
        begin[sizeof(begin) - 1] = '\0';
        for (unsigned i = 0; i < 2; i++) {
            snprintf(more, sizeof(more), ",\"message\":\"%s%u\"", begin, i * differ);
            bench_put(feed, 1000 * (int64_t)i, "x", "a", more);
        }
        bench_run(bench);
        assert_int_equal(strstr(bench->brief, "opened rule r") != NULL, differ == 1);
        bench_destroy(bench);
    }
}

/* One loud value does not push out the others: what goes has a newer entry of its value. */
static void a_full_window_gives_up_a_value_that_comes_again(void **state)
{
    static const struct {
        const char *form, *sources, *brief;
        unsigned evicted;
    } cases[] = {
        {"1h\n    when: distinct(source) >= 3\n    max_members: 3\n", "abaaaaac",
         "7000 opened rule r resource=x n=1 alerts=3\n", 5},
        /* The first b has a newer one, and then the first a that follows: c and b are single. */
        {"1h\n    when: distinct(source) >= 4\n    max_members: 4\n", "bcbaad",
         "5000 opened rule r resource=x n=1 alerts=4\n", 2},
        /* No value comes again: the oldest goes, and as many as may be held are left. */
        {"1h\n    when: distinct(source) > 2 && count() > 4\n    max_members: 5\n", "abcde",
         "4000 opened rule r resource=x n=1 alerts=5\n", 0},
        {"{tumbling: 10s}\n    look: end\n    when: distinct(source) >= 3\n    max_members: 3\n",
         "abcdebbb", "10000 opened rule r resource=x n=1 alerts=3\n", 5},
        /* What is held still leaves in time: a after 4 s. */
        {"4s\n    when: distinct(source) >= 3\n    max_members: 3\n", "abbbc", "", 1},
        /* Numbers are those of the newest entries, and two fields may want to keep every one. */
        {"1h\n    when: distinct(source) >= 3 && sum(value) >= 0\n    max_members: 3\n", "abaaaaac",
         "", 5},
        {"1h\n    when: distinct(source) >= 3 && distinct(check) >= 1\n    max_members: 3\n",
         "abaaaaac", "", 5},
    };
    char rule[512], more[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(rule, sizeof(rule),
                 "rules:\n  - id: r\n    on: events\n    where: severity >= WARNING\n"
                 "    by: [resource]\n    window: %s    incident: {title: t}\n"
                 "    close: quiet(1d)\n",
                 cases[i].form);
        struct bench *bench = bench_create(rule);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        for (int at = 0; cases[i].sources[at] != '\0'; at++) {
            snprintf(more, sizeof(more), ",\"source\":\"%c\"", cases[i].sources[at]);
            bench_put(feed, 1000 * (int64_t)at, "x", "a", more);
        }
        bench_put(feed, 3700000, "end", "info", ",\"severity\":\"info\"");
        bench_run(bench);
        assert_string_equal(bench->brief, cases[i].brief);
        assert_int_equal(bench->counters.evicted, cases[i].evicted);
        bench_destroy(bench);
    }
}

/* In a window that keeps sums, and beyond as many single values as are looked at. */
static void a_loud_value_is_all_that_leaves_a_large_window(void **state)
{
    static const struct {
        const char *ask, *form;
        int quiet, loud;
        bool opens;
    } cases[] = {
        {"distinct(source) >= 3", "window: 1h", 1, 1100, true},
        {"distinct(source) >= 3", "window: {session: 5m, max: 1h}\n    look: end", 1, 1100, true},
        {"distinct(source) >= 900", "window: 1h", 898, 400, true},
        {"distinct(source) >= 1000\n    max_members: 1000", "window: 1h", 998, 400, true},
        {"distinct(source) >= 1001\n    max_members: 1001", "window: 1h", 999, 400, true},
        {"distinct(source) >= 1003\n    max_members: 1003", "window: 1h", 1001, 400, false},
    };
    char rule[512], more[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(rule, sizeof(rule),
                 "rules:\n  - id: r\n    on: events\n    where: severity >= WARNING\n"
                 "    by: [resource]\n    %s\n    when: %s\n    incident: {title: t}\n"
                 "    close: quiet(1d)\n",
                 cases[i].form, cases[i].ask);
        struct bench *bench = bench_create(rule);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        int64_t at_ms = 0;
        for (int n = 0; n < cases[i].quiet + cases[i].loud + 1; n++) {
            bool is_loud = n >= cases[i].quiet && n < cases[i].quiet + cases[i].loud;
            snprintf(more, sizeof(more), ",\"source\":\"s%d\"", is_loud ? -1 : n);
            bench_put(feed, at_ms += 1000, "x", "a", more);
        }
        bench_put(feed, 3700000, "end", "info", ",\"severity\":\"info\"");
        bench_run(bench);
        if ((strstr(bench->brief, "opened rule r") != NULL) != cases[i].opens)
            fail_msg("case %zu: %s", i, bench->brief);
        bench_destroy(bench);
    }
}

/* An event has the host of its label, another one that of its resource: of a key by resource alone
 * it is not known which. */
static void a_title_without_an_event_has_no_host_that_by_does_not_name(void **state)
{
    static const struct {
        const char *by, *title;
    } cases[] = {
        {"[resource]", "\"title\":\"host=, labels.host=\""},
        {"[resource, host]", "\"title\":\"host=db9, labels.host=db9\""},
        {"[labels.host]", "\"title\":\"host=db9, labels.host=db9\""},
        {"[labels.rack]", "\"title\":\"host=, labels.host=\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char rules[512];
        snprintf(rules, sizeof(rules),
                 "rules:\n  - id: r\n    where: check == \"a\"\n    by: %s\n    window: open\n"
                 "    for: 10s\n    when: count() >= 1\n    incident: {title: \"host={host}, "
                 "labels.host={labels.host}\"}\n    close: cleared()\n",
                 cases[i].by);
        struct bench *bench = bench_create(rules);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench_put(feed, 0, "vm7/nic", "a", ",\"labels\":{\"host\":\"db9\"}");
        bench_put(feed, 100000, "end", "info", "");
        bench_run(bench);
        if (strstr(bench->log.at, cases[i].title) == NULL)
            fail_msg("by %s: %s", cases[i].by, bench->log.at);
        bench_destroy(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_begin_and_end_at_their_times),
        cmocka_unit_test(an_opening_by_a_timer_knows_its_key),
        cmocka_unit_test(why_tells_what_bears_the_opening),
        cmocka_unit_test(the_max_of_a_session_counts_from_what_was_pushed_out),
        cmocka_unit_test(as_many_different_values_as_asked_for_and_no_more),
        cmocka_unit_test(values_that_differ_at_their_ends_are_different),
        cmocka_unit_test(a_full_window_gives_up_a_value_that_comes_again),
        cmocka_unit_test(a_loud_value_is_all_that_leaves_a_large_window),
        cmocka_unit_test(a_title_without_an_event_has_no_host_that_by_does_not_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
