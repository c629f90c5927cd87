/*
 * Aim: incidents close by fewer() and last() when docs/correlation.md says, and the log says why.
 * Method: a rule and a few events at hand-picked times, edges above all, with worked-out lines.
 */
#include "tests/engine_bench.h"

struct put {
    int64_t at_ms;
    double value;
};

/* Stands for a clear. */
#define CLEAR (-2)

/* Events of one alert of resource x; a last event far away carries time on. */
static struct bench *run(const char *when, const char *close, const struct put *put, int count)
{
    char rule[1024], more[64];
    snprintf(rule, sizeof(rule),
             "rules:\n  - id: r\n    on: events\n    where: severity >= WARNING\n"
             "    by: [resource]\n    window: 10s\n    when: %s\n    incident: {title: t}\n"
             "    close: %s\n",
             when, close);
    struct bench *bench = bench_create(rule);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    for (int i = 0; i < count; i++) {
        snprintf(more, sizeof(more), ",\"value\":%g", put[i].value);
        bench_put(feed, put[i].at_ms, "x", "load",
                  put[i].value == CLEAR ? BENCH_CLEAR
                  : put[i].value < 0    ? ""
                                        : more);
    }
    bench_put(feed, 100000, "end", "info", ",\"severity\":\"info\"");
    bench_run(bench);
    return bench;
}

static void two_thresholds_open_and_close(void **state)
{
    static const struct {
        const char *what, *when, *close;
        struct put put[8];
        int count;
        const char *brief;
    } cases[] = {
        {"raise at 3 in 10 s, close at fewer than 2 in 5 s",
         "count() >= 3",
         "fewer(2, 5s)",
         /* Joined: 3000 and 5000; of these only one lies in (3000, 8000]. */
         {{0, 1}, {1000, 1}, {2000, 1}, {3000, 1}, {5000, 1}, {9000, 1}},
         6,
         "2000 opened rule r resource=x n=1 alerts=1\n"
         "8000 closed fewer r resource=x n=2 alerts=1\n"},
        {"never before the stretch has passed since the opening",
         "count() >= 1",
         "fewer(5, 4s)",
         {{1000, 1}},
         1,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "5000 closed fewer r resource=x n=2 alerts=1\n"},
        {"a touch just at that time comes after it",
         "count() >= 1",
         "fewer(1, 4s)",
         {{1000, 1}, {5000, 1}},
         2,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "5000 closed fewer r resource=x n=2 alerts=1\n"
         "5000 opened rule r resource=x n=1 alerts=1\n"
         "9000 closed fewer r resource=x n=2 alerts=1\n"},
        {"quiet has its own cause where both are due",
         "count() >= 1",
         "fewer(1, 4s) || quiet(4s)",
         {{1000, 1}, {1000, CLEAR}},
         2,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "5000 closed quiet r resource=x n=2 alerts=1\n"},
        {"but not while its alert is open",
         "count() >= 1",
         "fewer(1, 4s) || quiet(4s)",
         {{1000, 1}},
         1,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "5000 closed fewer r resource=x n=2 alerts=1\n"},
        {"a value below the lower threshold closes",
         "max(value) > 90",
         "last(value) < 70",
         {{1000, 95}, {2000, 80}, {3000, 70}, {4000, 69}, {5000, 80}},
         5,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "4000 closed value r resource=x n=2 alerts=1\n"},
        {"an event without a value says nothing",
         "max(value) > 90",
         "last(value) < 70",
         {{1000, 95}, {2000, -1}, {3000, 69}},
         3,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "3000 closed value r resource=x n=2 alerts=1\n"},
        {"and its number is remembered for a timer",
         "max(value) > 90",
         "last(value) < 70 && quiet(5s)",
         {{1000, 95}, {2000, 60}, {2000, CLEAR}},
         3,
         "1000 opened rule r resource=x n=1 alerts=1\n"
         "7000 closed quiet r resource=x n=2 alerts=1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = run(cases[i].when, cases[i].close, cases[i].put, cases[i].count);
        if (strcmp(bench->brief, cases[i].brief) != 0)
            fail_msg("%s:\n%s instead of\n%s", cases[i].what, bench->brief, cases[i].brief);
        bench_destroy(bench);
    }
}

/* An incident as long as one of its alerts is open, however long ago it was told of: repeats are
 * folded before a rule `on: alerts` sees them. */
static void quiet_waits_while_an_alert_is_open(void **state)
{
    static const struct {
        const char *what, *on, *close;
        const char
            *more[12]; /* of what comes at 0 s, 1 s, ...; a letter before it names the alert */
        const char *brief;
    } cases[] = {
        {"repeats of an open alert hold it; its clear begins the quiet",
         "alerts",
         "quiet(2s)",
         {"a", "a", "a", "a", "a", "a", "a" BENCH_CLEAR},
         "0 opened rule r tenant=default n=1 alerts=1\n"
         "8000 closed quiet r tenant=default n=2 alerts=1\n"},
        {"so does that of the last of several, and no other",
         "alerts",
         "quiet(2s)",
         {"a", "b", "a" BENCH_CLEAR, "b", NULL, "b" BENCH_CLEAR, "b" BENCH_CLEAR},
         "0 opened rule r tenant=default n=1 alerts=1\n"
         "1200 updated grew r tenant=default n=2 alerts=2\n"
         "7000 closed quiet r tenant=default n=3 alerts=2\n"},
        {"an alert that comes back ends it",
         "alerts",
         "quiet(2s)",
         {"a", "a" BENCH_CLEAR, "a", NULL, "a", NULL, "a" BENCH_CLEAR},
         "0 opened rule r tenant=default n=1 alerts=1\n"
         "8000 closed quiet r tenant=default n=2 alerts=1\n"},
        {"an alert without a clear expires, 4 s after its last event",
         "events",
         "quiet(2s)",
         {"a", "a", NULL, "a"},
         "0 opened rule r tenant=default n=1 alerts=1\n"
         "9000 closed quiet r tenant=default n=2 alerts=1\n"},
        {"beside cleared() it is not waited for",
         "alerts",
         "quiet(2s) || cleared()",
         {"a", "a", "a", "a", "a" BENCH_CLEAR},
         "0 opened rule r tenant=default n=1 alerts=1\n"
         "4000 closed cleared r tenant=default n=2 alerts=1\n"},
        {"with it there is a linger",
         "alerts",
         "quiet(2s) && cleared()",
         {"a", NULL, "a", NULL, "a" BENCH_CLEAR},
         "0 opened rule r tenant=default n=1 alerts=1\n"
         "6000 closed quiet r tenant=default n=2 alerts=1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char rule[512];
        snprintf(rule, sizeof(rule),
                 "rules:\n  - id: r\n    on: %s\n    where: check == \"down\"\n    window: 10s\n"
                 "    when: count() >= 1\n    incident: {title: t}\n    close: %s\n",
                 cases[i].on, cases[i].close);
        struct bench *bench = bench_create(rule);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench->config.expire_ms = 4000;
        for (int s = 0; s < 12; s++)
            if (cases[i].more[s] != NULL)
                bench_put(feed, s * 1000, (char[]){cases[i].more[s][0], '\0'}, "down",
                          cases[i].more[s] + 1);
        bench_put(feed, 100000, "end", "other", "");
        bench_run(bench);
        if (strcmp(bench->brief, cases[i].brief) != 0)
            fail_msg("%s:\n%s instead of\n%s", cases[i].what, bench->brief, cases[i].brief);
        bench_destroy(bench);
    }
}

/* An alert that a bound takes is over as well, though it never can be said to have cleared. */
static void quiet_begins_when_the_last_alert_is_evicted(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_BY_RESOURCE(
        "r", "down", "", "10s", "count() >= 1", "cleared() || quiet(2s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.alerts_max = 1;
    bench_put(feed, 10, "a", "down", "");
    bench_put(feed, 3010, "x", "other", ""); /* at the round's end, 3200, `a` goes */
    bench_put(feed, 100000, "end", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "10 opened rule r resource=a n=1 alerts=1\n"
                                      "3200 updated evicted r resource=a n=2 alerts=1\n"
                                      "5200 closed quiet r resource=a n=3 alerts=1\n");
    bench_destroy(bench);
}

#define CLOSED_BY(close)                                                                           \
    "rules:\n  - id: r\n    where: true\n    window: 10s\n    when: count() >= 1\n"                \
    "    incident: {title: t}\n    close: '" close "'\n"

static const struct refusal refused[] = {
    {CLOSED_BY("fewer(3)"), "fewer() takes a number and a duration: fewer(3, 10m)"},
    {CLOSED_BY("fewer(0, 1m)"), "fewer() takes a whole number from 1 to 1000 first"},
    {CLOSED_BY("fewer(3, 7)"), "fewer() takes a duration from 1ms to 30d second"},
    {CLOSED_BY("last(value)"), "close is true or false, and this is a number"},
    {CLOSED_BY("1 < 2"), "close compares last(x) with a number: last(value) < 70"},
    {CLOSED_BY("last(value) < last(labels.x)"),
     "close compares last(x) with a number: last(value) < 70"},
    {CLOSED_BY("last(value) < \"x\""), "this is text and cannot be compared with a number"},
    {CLOSED_BY("avg(value) < 3"), "avg() belongs into when, not into close"},
};

static void what_cannot_close_is_refused(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
}

/* b was open before the incident, whose one place for members a has: its repeat is no member, and
 * shows all the same that something still comes. */
static void what_is_not_tracked_puts_off_the_quiet(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: r\n    on: events\n    where: severity >= WARNING\n    by: [check]\n"
        "    window: 10s\n    when: count() >= 1\n    incident: {title: t}\n"
        "    close: last(value) < 10 || quiet(2s)\n    max_members: 1\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "b", "load", ",\"value\":50");
    bench_put(feed, 1000, "b", "load", ",\"value\":5");
    bench_put(feed, 3000, "a", "load", ",\"value\":50");
    bench_put(feed, 4000, "a", "load", ",\"value\":50" BENCH_CLEAR);
    bench_put(feed, 4500, "b", "load", ",\"value\":50");
    bench_put(feed, 100000, "end", "info", ",\"severity\":\"info\"");
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule r check=load n=1 alerts=1\n"
                                      "1000 closed value r check=load n=2 alerts=1\n"
                                      "3000 opened rule r check=load n=1 alerts=1\n"
                                      "6500 closed quiet r check=load n=2 alerts=1\n");
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_thresholds_open_and_close),
        cmocka_unit_test(quiet_waits_while_an_alert_is_open),
        cmocka_unit_test(quiet_begins_when_the_last_alert_is_evicted),
        cmocka_unit_test(what_cannot_close_is_refused),
        cmocka_unit_test(what_is_not_tracked_puts_off_the_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
