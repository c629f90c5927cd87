/*
 * Aim: a rule with a baseline opens when a window deviates from what its key showed in the same
 * window of earlier seasons, up or down, and learns from what it may only (docs/correlation.md,
 * section 3). Method: recordings with so many events a window, the mean and spread of which are
 * worked out beside them; means and spreads themselves against two passes over the numbers.
 */
#include "engine_bench.h"

#include <math.h>
#include "base/hash.h"
#include "correlate/baseline.h"

/* Windows of ten seconds; BENCH_T0 is the begin of one, and of a season of one or two. */
#define RULE(season, when, more)                                                                   \
    "rules:\n  - id: r\n    on: events\n    where: check == \"login\"\n    by: [resource]\n"       \
    "    window: {tumbling: 10s}\n    baseline: {season: " season "}\n    when: " when "\n"        \
    "    incident: {title: \"{resource}\"}\n    close: quiet(1s)\n" more

/* EXPIRE_MS: what came in a window is over at its end, so that an incident is quiet from its
 * opening on. */
enum { WINDOW_MS = 10000, WINDOWS = 16, EXPIRE_MS = 1000 };

/* `count` events in a window, from its first tenth of a second on. */
static void put_window(struct bench_feed *feed, const char *resource, int window, int count)
{
    for (int i = 0; i < count; i++)
        bench_put(feed, window * WINDOW_MS + 100 + i * 10, resource, "login", "");
}

/* `count[i]` of them in window i. */
static void put_windows(struct bench_feed *feed, const char *resource, const int *count,
                        int windows)
{
    for (int w = 0; w < windows; w++)
        put_window(feed, resource, w, count[w]);
}

/* Time goes on to there. */
static void put_end(struct bench_feed *feed, int window)
{
    bench_put(feed, window * WINDOW_MS, "end", "other", "");
}

static void check_ledger(const struct bench *bench)
{
    assert_int_equal(bench->counters.touches, bench->counters.correlated + bench->counters.expired +
                                                  bench->counters.evicted +
                                                  bench->counters.retired +
                                                  bench->counters.pending);
}

struct story {
    const char *what, *rule;
    int windows;
    int count[WINDOWS];
    const char *brief;
};

static const struct story stories[] = {
    {"a rise above what three seasons showed: 2, 4, 3 is 3 with a spread of sqrt(2/3)",
     RULE("10s", "deviation(count()) > 3", ""),
     5,
     {2, 4, 3, 6},
     "40000 opened rule r resource=x n=1 alerts=1\n41000 closed quiet r resource=x n=2 alerts=1\n"},
    {"as far as that, and no further, is not unusual",
     RULE("10s", "deviation(count()) > 4", ""),
     5,
     {2, 4, 3, 6},
     ""},
    {"two seasons are not enough to say so",
     RULE("10s", "deviation(count()) > 3", ""),
     4,
     {2, 4, 100},
     ""},
    {"but where two are asked for",
     RULE("10s, learn: 2", "deviation(count()) > 3", ""),
     4,
     {2, 4, 100},
     "30000 opened rule r resource=x n=1 alerts=1\n31000 closed quiet r resource=x n=2 alerts=1\n"},
    {"a fall to nothing: no event, and the window ends all the same",
     RULE("10s", "deviation(count()) < -3", ""),
     5,
     {5, 5, 6, 0},
     "40000 opened rule r resource=x n=1 alerts=0\n41000 closed quiet r resource=x n=2 alerts=0\n"},
    {"slots of a season learn apart: 9 is usual in one and unusual in the other",
     RULE("20s", "deviation(count()) > 3", ""),
     9,
     {9, 1, 9, 1, 10, 2, 9, 9},
     "80000 opened rule r resource=x n=1 alerts=1\n81000 closed quiet r resource=x n=2 alerts=1\n"},
    {"what never varied: any other number deviates, the same one does not",
     RULE("10s", "deviation(count()) != 0", ""),
     6,
     {2, 2, 2, 2, 3},
     "50000 opened rule r resource=x n=1 alerts=1\n51000 closed quiet r resource=x n=2 alerts=1\n"},
    {"it is cut at a million",
     RULE("10s", "deviation(count()) == 1000000", ""),
     5,
     {2, 2, 2, 3},
     "40000 opened rule r resource=x n=1 alerts=1\n41000 closed quiet r resource=x n=2 alerts=1\n"},
    /* Closes at 41 s; the window from there to 50 s is a part, the next has 30 again: still 2,
       4, 3. */
    {"neither the window that opened nor a part of one is learned from, or looked at",
     RULE("10s", "deviation(count()) > 3 || deviation(count()) < -3", ""),
     7,
     {2, 4, 3, 30, 0, 30},
     "40000 opened rule r resource=x n=1 alerts=1\n41000 closed quiet r resource=x n=2 alerts=1\n"
     "60000 opened rule r resource=x n=1 alerts=1\n61000 closed quiet r resource=x n=2 alerts=1\n"},
    {"windows of nothing teach that there is nothing: 6, 0, 0 is 2 with a spread of sqrt(8)",
     RULE("10s, forget: 100s", "deviation(count()) > 2", ""),
     5,
     {6, 0, 0, 8},
     "40000 opened rule r resource=x n=1 alerts=1\n41000 closed quiet r resource=x n=2 alerts=1\n"},
    {"what showed nothing for two seasons is forgotten, and learns anew",
     RULE("10s", "deviation(count()) != 0", ""),
     9,
     {2, 2, 2, 2, 0, 0, 5, 5},
     "50000 opened rule r resource=x n=1 alerts=0\n51000 closed quiet r resource=x n=2 alerts=0\n"},
    {"both sides of an && count",
     RULE("10s", "deviation(count()) > 3 && count() >= 7", ""),
     5,
     {2, 4, 3, 6},
     ""},
};

static void windows_are_compared_with_those_of_earlier_seasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
        struct bench *bench = bench_create(stories[i].rule);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench->config.expire_ms = EXPIRE_MS;
        put_windows(feed, "x", stories[i].count, stories[i].windows);
        put_end(feed, stories[i].windows);
        bench_run(bench);
        if (strcmp(bench->brief, stories[i].brief) != 0)
            fail_msg("%s:\n%s instead of\n%s", stories[i].what, bench->brief, stories[i].brief);
        check_ledger(bench);
        bench_destroy(bench);
    }
}

/* 2, 4, 3 and then 10: 7 / sqrt(2 / 3) is 8.573. */
static void the_incident_says_how_unusual_it_was(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE("10s", "deviation(count()) > 3 && count() >= 5", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_windows(feed, "x", (const int[]){2, 4, 3, 10}, 4);
    put_end(feed, 5);
    bench_run(bench);
    assert_non_null(strstr(bench->log.at, "\"events\":10,\"alerts\":1,"));
    assert_non_null(strstr(bench->log.at,
                           "\"why\":\"10 events in 10s (needs 5); count() is 10 in 10s, "
                           "8.573 standard deviations (needs more than 3) from its mean 3 of 3 "
                           "seasons\""));
    bench_destroy(bench);
}

/* 5, 5, 6: the mean is 16/3, the spread sqrt(2/9); nothing lies -11.31 spreads off. */
static void an_incident_of_nothing_says_what_is_missing(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE("10s", "deviation(count()) < -3", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_windows(feed, "x", (const int[]){5, 5, 6}, 3);
    put_end(feed, 5);
    bench_run(bench);
    assert_non_null(strstr(bench->log.at,
                           "\"severity\":\"warning\",\"events\":0,\"alerts\":0,\"open\":0,"
                           "\"opened\":1000000040000,\"first\":1000000030000,"
                           "\"title\":\"x\",\"why\":\"count() is 0 in 10s, "
                           "-11.31 standard deviations (needs less than -3) from its mean 5.333 "
                           "of 3 seasons\""));
    bench_destroy(bench);
}

/* Nobody was in it when it opened, and a clear does not make it grow. */
static void what_is_missing_does_not_grow_by_a_clear(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE("10s", "deviation(count()) < -3", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_windows(feed, "x", (const int[]){5, 5, 6}, 3);
    bench_put(feed, 40500, "x", "login", BENCH_CLEAR);
    put_end(feed, 5);
    bench_run(bench);
    assert_string_equal(bench->brief, "40000 opened rule r resource=x n=1 alerts=0\n"
                                      "41000 closed quiet r resource=x n=2 alerts=0\n");
    bench_destroy(bench);
}

/* What joins an open incident was heard of: the key is not forgotten after it. */
static void a_long_incident_does_not_make_forget(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE("10s", "deviation(count()) > 3", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = EXPIRE_MS; /* and so, after 65000, quiet from 66000 on */
    put_windows(feed, "x", (const int[]){2, 4, 3, 30}, 4);
    for (int at_ms = 40500; at_ms <= 65000; at_ms += 500)
        bench_put(feed, at_ms, "x", "login", "");
    put_window(feed, "x", 7, 30);
    put_end(feed, 8);
    bench_run(bench);
    assert_string_equal(bench->brief, "40000 opened rule r resource=x n=1 alerts=1\n"
                                      "67000 closed quiet r resource=x n=2 alerts=1\n"
                                      "80000 opened rule r resource=x n=1 alerts=1\n");
    bench_destroy(bench);
}

/* An average of nothing is nothing: such a window is passed over. 10, 12, -, 11, then 30. */
static void averages_of_nothing_teach_nothing(void **state)
{
    (void)state;
    static const char *const value[] = {"10", "12", NULL, "11", "30"};
    struct bench *bench =
        bench_create(RULE("10s, forget: 100s", "deviation(avg(value)) > 20 || count() < 1", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = EXPIRE_MS;
    for (int w = 0; w < 5; w++) {
        char more[32];
        if (value[w] == NULL)
            continue;
        snprintf(more, sizeof(more), ",\"value\":%s", value[w]);
        bench_put(feed, w * WINDOW_MS + 100, "x", "login", more);
    }
    put_end(feed, 6);
    bench_run(bench);
    /* (30 - 11) / sqrt(2 / 3) is 23.27; the empty window was not looked at, or it had opened. */
    assert_string_equal(bench->brief, "50000 opened rule r resource=x n=1 alerts=1\n"
                                      "51000 closed quiet r resource=x n=2 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "avg(value) is 30 in 10s, 23.27 standard deviations "
                                          "(needs more than 20) from its mean 11 of 3 seasons"));
    bench_destroy(bench);
}

/* Where nothing comes nothing is summed and nothing rises; the rest of it has no number. In windows
 * of two events rate and sum are 2, 4 and 3: nothing is sqrt(3/2) * 3 = 3.67 spreads below. */
static void of_nothing_sums_and_rates_are_nothing(void **state)
{
    static const struct {
        const char *aggregate;
        bool opens;
    } rows[] = {{"rate(value)", true}, {"sum(value)", true},   {"avg(value)", false},
                {"max(value)", false}, {"last(value)", false}, {"stddev(value)", false}};
    static const int rises[] = {2, 4, 3};

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        char rule[512], more[32];
        snprintf(rule, sizeof(rule), RULE("10s, forget: 100s", "deviation(%s) < -3", ""),
                 rows[r].aggregate);
        struct bench *bench = bench_create(rule);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench->config.expire_ms = EXPIRE_MS;
        for (int w = 0; w < 3; w++)
            for (int i = 0; i < 2; i++) {
                snprintf(more, sizeof(more), ",\"value\":%d", i * rises[w]);
                bench_put(feed, w * WINDOW_MS + 100 + i * 1000, "x", "login", more);
            }
        put_end(feed, 5);
        bench_run(bench);
        if ((strstr(bench->brief, "40000 opened rule r resource=x n=1 alerts=0\n") != NULL) !=
            rows[r].opens)
            fail_msg("%s: %s", rows[r].aggregate, bench->brief);
        bench_destroy(bench);
    }
}

/* Two seasons of ten seconds after its last event a key is over: the window that ends just then is
 * not looked at. A millisecond later it would be. */
static void what_is_forgotten_at_the_end_of_a_window_is_not_looked_at(void **state)
{
    (void)state;
    for (int later_ms = 0; later_ms < 2; later_ms++) {
        struct bench *bench = bench_create(RULE("10s", "deviation(count()) != 0", ""));
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        for (int w = 0; w < 4; w++)
            bench_put(feed, w * WINDOW_MS + later_ms, "x", "login", "");
        put_end(feed, 8);
        bench_run(bench);
        assert_int_equal(strstr(bench->brief, "50000 opened rule r resource=x") != NULL, later_ms);
        check_ledger(bench);
        bench_destroy(bench);
    }
}

static void forgotten_keys_leave_the_table(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE("20s", "deviation(count()) > 3", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0), *other = bench_feed(bench, "t", 1);
    struct engine_rule_counters row;

    put_windows(feed, "x", (const int[]){3, 3, 3, 3, 3}, 5);
    put_window(other, "y", 0, 3); /* twice the season later, at 50 s, it is forgotten */
    put_end(feed, 7);
    bench_run(bench);
    assert_int_equal(engine_rule_counters(bench->engine, &row, 1), 1);
    assert_int_equal(row.keys, 1);
    check_ledger(bench);
    bench_destroy(bench);
}

/* What was learned goes with the key that max_keys gives up; what it holds is counted. */
static void a_bound_takes_what_was_learned(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE("10s", "deviation(count()) != 0", "    max_keys: 1\n"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_windows(feed, "x", (const int[]){2, 2, 2}, 3);
    bench_put(feed, 3 * WINDOW_MS + 10, "x", "login", "");
    bench_put(feed, 3 * WINDOW_MS + 20, "y", "login", ""); /* newer: x goes, with an entry */
    put_end(feed, 5);
    bench_run(bench);
    assert_string_equal(bench->brief, "");
    assert_int_equal(bench->counters.keys_evicted, 1);
    assert_int_equal(bench->counters.evicted, 1);
    check_ledger(bench);
    bench_destroy(bench);
}

/* --- on virtual time ---------------------------------------------------------------------- */

static struct bench *begin_live(const char *rules, struct bench_feed **feed)
{
    struct bench *bench = bench_create(rules);

    bench_go_live(bench);
    bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    bench->config.expire_ms = EXPIRE_MS;
    *feed = bench_feed(bench, "t", 0);
    (*feed)->answers = true;
    bench_start(bench);
    bench_settle(bench);
    return bench;
}

/* Puts a window's events as its time comes, and lets it pass. */
static void pass_windows(struct bench *bench, struct bench_feed *feed, int from, int to,
                         const int *count)
{
    for (int w = from; w < to; w++) {
        put_window(feed, "x", w, count[w]);
        bench_pass(bench, WINDOW_MS, 500);
    }
}

/* 2, 4, 3 are known; then `next` replaces the rules, and 8 come. */
static void opens_after_switch(const char *first, const char *next, const char *brief)
{
    static const int count[] = {2, 4, 3, 8, 0, 0};
    struct bench_feed *feed;
    struct bench *bench = begin_live(first, &feed);

    pass_windows(bench, feed, 0, 3, count);
    bench_switch(bench, next);
    pass_windows(bench, feed, 3, 6, count);
    assert_string_equal(bench->brief, brief);
    bench_stop(bench);
    check_ledger(bench);
    bench_destroy(bench);
}

static void what_was_learned_outlives_another_threshold(void **state)
{
    (void)state;
    /* 5 / sqrt(2/3) is 6.12 */
    opens_after_switch(RULE("10s", "deviation(count()) > 100", ""),
                       RULE("10s", "deviation(count()) > 6", ""),
                       "40000 opened rule r resource=x n=1 alerts=1\n"
                       "41000 closed quiet r resource=x n=2 alerts=1\n");
}

static void what_was_learned_of_something_else_does_not(void **state)
{
    (void)state;
    opens_after_switch(RULE("10s", "deviation(count()) > 6", ""),
                       RULE("10s", "deviation(distinct(check)) > 6", ""), "");
    opens_after_switch(RULE("10s", "deviation(count()) > 6", ""),
                       RULE("10s, learn: 2", "deviation(count()) > 6", ""), "");
}

/* Nobody tells a rule that is gone of anything: it does not take that for silence. */
static void the_keys_of_a_rule_that_is_gone_leave(void **state)
{
    (void)state;
    static const int count[] = {2, 4, 3, 1};
    struct bench_feed *feed;
    struct bench *bench =
        begin_live(RULE("10s, forget: 100s", "deviation(count()) < -3", ""), &feed);
    struct engine_rule_counters row;

    pass_windows(bench, feed, 0, 3, count);
    put_window(feed, "x", 3, 1);
    bench_pass(bench, 2000, 500);
    bench_switch(bench, "rules: []\n");
    bench_pass(bench, 2000, 500);
    assert_int_equal(engine_rule_counters(bench->engine, &row, 1), 1);
    assert_int_equal(row.keys, 1);
    bench_pass(bench, 30000, 500);
    assert_string_equal(bench->brief, "");
    if (engine_rule_counters(bench->engine, &row, 1) > 0)
        assert_int_equal(row.keys, 0);
    bench_stop(bench);
    check_ledger(bench);
    bench_destroy(bench);
}

/* T4b: what could not be read did not fall silent. */
static void windows_of_a_blind_spell_are_passed_over(void **state)
{
    (void)state;
    struct bench_feed *feed, *blind;
    struct bench *bench =
        bench_create(RULE("20s, learn: 2, forget: 200s", "deviation(count()) < -3", ""));

    bench_go_live(bench);
    bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    feed = bench_feed(bench, "t", 0);
    blind = bench_feed(bench, "u", 0);
    feed->answers = blind->answers = true;
    bench_start(bench);
    bench_settle(bench);
    pass_windows(bench, feed, 0, 4, (const int[]){5, 6, 5, 6});
    bench_pass(bench, 5000, 500);
    bench_blind(blind);
    bench_pass(bench, 20000, 500);
    bench_see(blind);
    bench_pass(bench, 60000, 500);
    /* Nothing came for eight windows. */
    assert_string_equal(bench->brief, "");
    int64_t end_ms = bench_mark(bench, MARK_BLIND_END).value_ms - BENCH_T0;
    assert_in_range(end_ms, 60001, 70000);
    bench_pass(bench, 20000, 500);
    /* The spell began during the window that ends at 50 s. The first window that begins a minute
     * after the end of the spell, or later, ends at 140 s. */
    assert_non_null(strstr(bench->brief, "140000 opened rule r resource=x n=1 alerts=0\n"));
    assert_ptr_equal(strstr(bench->brief, "opened"), strstr(bench->brief, "140000") + 7);
    bench_stop(bench);
    check_ledger(bench);
    bench_destroy(bench);
}

/* --- the numbers themselves ---------------------------------------------------------------- */

static void means_and_spreads_are_those_of_two_passes(void **state)
{
    (void)state;
    enum { NUMBERS = 500 };
    double number[NUMBERS];
    struct baseline_slot slot = {0};

    for (int n = 1; n <= NUMBERS; n++) {
        double mean = 0, square = 0;
        number[n - 1] = 1e6 + (double)(hash_mix((uint64_t)n) % 2000) / 16;
        baseline_teach(&slot, number[n - 1]);
        for (int i = 0; i < n; i++)
            mean += number[i];
        mean /= n;
        for (int i = 0; i < n; i++)
            square += (number[i] - mean) * (number[i] - mean);
        assert_int_equal(slot.count, n);
        assert_true(fabs(slot.mean - mean) < 1e-8);
        assert_true(fabs(slot.square - square) <= 1e-9 * square + 1e-8);
        if (n > 1) {
            double deviation = baseline_deviation(&slot, 2, mean + 7);
            assert_true(fabs(deviation - 7 / sqrt(square / n)) < 1e-6);
        }
    }
    assert_true(isnan(baseline_deviation(&slot, NUMBERS + 1, 0)));
    assert_true(isnan(baseline_deviation(&slot, 2, NAN)));
}

/* --- any number of threads ------------------------------------------------------------------ */

static char *run_many(unsigned workers)
{
    struct bench *bench = bench_create(
        RULE("20s, learn: 2", "deviation(count()) > 1 || deviation(sum(value)) < -1", ""));
    struct bench_feed *feed[3];
    uint64_t random = 7;

    bench->config.workers = workers;
    for (int f = 0; f < 3; f++)
        feed[f] = bench_feed(bench, "t", f);
    for (int i = 0; i < 12000; i++) {
        char resource[16], more[48];
        random = hash_mix(random + 1);
        snprintf(resource, sizeof(resource), "r%u", (unsigned)(random % 40));
        snprintf(more, sizeof(more), ",\"value\":%u.%u%s", (unsigned)(random >> 20 & 1023),
                 (unsigned)(random >> 30 & 7), random >> 40 & 7 ? "" : BENCH_CLEAR);
        bench_put(feed[random >> 50 & 3 ? random >> 50 & 1 : 2], i * 25, resource, "login", more);
    }
    bench_run(bench);
    check_ledger(bench);
    assert_in_range(bench->counters.opened, 30, 100000);
    char *log = strdup(bench->log.at);
    bench_destroy(bench);
    return log;
}

static void the_log_is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    char *one = run_many(1), *four = run_many(4);

    assert_string_equal(one, four);
    free(one);
    free(four);
}

/* --- what is refused ------------------------------------------------------------------------ */

#define FORM(form)                                                                                 \
    "rules:\n  - id: r\n    where: 'true'\n" form "    incident: {title: t}\n    close: "          \
    "cleared()\n"
#define WHEN "    when: deviation(count()) > 3\n"

static const struct refusal refused[] = {
    {FORM("    window: {tumbling: 1h}\n    baseline: 7d\n" WHEN), "baseline takes a map"},
    {FORM("    window: {tumbling: 1h}\n    baseline: [{season: 7d}]\n" WHEN),
     "baseline takes a map"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {learn: 3}\n" WHEN),
     "baseline needs the key \"season\""},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 7d, lern: 3}\n" WHEN),
     "did you mean \"learn\""},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 7d, learn: 1}\n" WHEN),
     "learn is a whole number from 2 to 100"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 29d}\n" WHEN),
     "a season lasts at most 28d"},
    {FORM("    window: {tumbling: 5h}\n    baseline: {season: 7d}\n" WHEN),
     "a multiple of the window's length"},
    {FORM("    window: {tumbling: 1m}\n    baseline: {season: 7d}\n" WHEN),
     "a season has at most 2016 windows, and this one has 10080"},
    {FORM("    window: {tumbling: 500ms}\n    baseline: {season: 10s}\n" WHEN), "at least 1s"},
    {FORM("    window: 1h\n    baseline: {season: 7d}\n" WHEN), "window: {tumbling: 1h}"},
    {FORM("    window: {tumbling: 1h}\n    look: gain\n    baseline: {season: 7d}\n" WHEN),
     "when it ends"},
    {FORM("    window: {tumbling: 1h}\n    for: 1h\n    baseline: {season: 7d}\n" WHEN),
     "a rule with a baseline has no key \"for\""},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 1d, forget: 23h}\n" WHEN),
     "forget lies between one season and 10"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 1d, forget: 241h}\n" WHEN),
     "forget lies between one season and 10"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 7d}\n    when: count() > 3\n"),
     "a baseline is what deviation() goes by"},
    {FORM("    window: {tumbling: 1h}\n" WHEN), "deviation() needs a baseline"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 7d}\n    when: deviation(3) > 3\n"),
     "deviation() takes another aggregate"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 7d}\n"
          "    when: deviation(deviation(count())) > 3\n"),
     "deviation() takes another aggregate"},
    {FORM("    window: {tumbling: 1h}\n    baseline: {season: 7d}\n    when: deviation() > 3\n"),
     "deviation() takes exactly one thing"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_compared_with_those_of_earlier_seasons),
        cmocka_unit_test(the_incident_says_how_unusual_it_was),
        cmocka_unit_test(an_incident_of_nothing_says_what_is_missing),
        cmocka_unit_test(what_is_missing_does_not_grow_by_a_clear),
        cmocka_unit_test(a_long_incident_does_not_make_forget),
        cmocka_unit_test(averages_of_nothing_teach_nothing),
        cmocka_unit_test(of_nothing_sums_and_rates_are_nothing),
        cmocka_unit_test(what_is_forgotten_at_the_end_of_a_window_is_not_looked_at),
        cmocka_unit_test(forgotten_keys_leave_the_table),
        cmocka_unit_test(a_bound_takes_what_was_learned),
        cmocka_unit_test(what_was_learned_outlives_another_threshold),
        cmocka_unit_test(what_was_learned_of_something_else_does_not),
        cmocka_unit_test(the_keys_of_a_rule_that_is_gone_leave),
        cmocka_unit_test(windows_of_a_blind_spell_are_passed_over),
        cmocka_unit_test(means_and_spreads_are_those_of_two_passes),
        cmocka_unit_test(the_log_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
