/*
 * Aim: a rule `on: flapping` hears of an alert when it begins to flap and when it has come to
 * rest, and of nothing else (docs/correlation.md, section 2). Method: recordings of one alert that
 * opens and clears; three changes in a second begin flapping, at most one in a second ends it.
 */
#include "engine_bench.h"

#define FLAPPING                                                                                   \
    "rules:\n  - id: flaps\n    on: flapping\n    where: check == \"link\"\n    by: [resource]\n"  \
    "    window: 1m\n    when: count() >= 1\n    incident: {title: \"{resource} flaps\"}\n"        \
    "    close: cleared()\n"

static struct bench *flap_bench(const char *rules)
{
    struct bench *bench = bench_create(rules);

    bench->config.flap_start = 3;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    return bench;
}

static void the_third_change_opens_and_rest_clears(void **state)
{
    (void)state;
    struct bench *bench = flap_bench(FLAPPING);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "link", "");
    bench_put(feed, 100, "r", "link", BENCH_CLEAR);
    bench_put(feed, 200, "r", "link", "");
    bench_put(feed, 5000, "x", "other", "");
    bench_run(bench);
    /* The second newest change, at 100, leaves the second at 1100. */
    assert_string_equal(bench->brief, "200 opened rule flaps resource=r n=1 alerts=1\n"
                                      "1100 closed cleared flaps resource=r n=2 alerts=1\n");
    assert_int_equal(bench->counters.touches, 2);
    bench_destroy(bench);
}

/* The change that begins it may be a clear: the alert's problem is what is matched. */
static void a_clear_may_begin_it(void **state)
{
    (void)state;
    struct bench *bench = flap_bench(FLAPPING);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.flap_start = 2;
    bench_put(feed, 0, "r", "link", "");
    bench_put(feed, 100, "r", "link", BENCH_CLEAR);
    bench_put(feed, 5000, "x", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "100 opened rule flaps resource=r n=1 alerts=1\n"
                                      "1000 closed cleared flaps resource=r n=2 alerts=1\n");
    bench_destroy(bench);
}

static void an_alert_that_is_calm_or_of_another_check_is_not_told(void **state)
{
    (void)state;
    struct bench *bench = flap_bench(FLAPPING);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "link", "");
    bench_put(feed, 0, "r", "cpu", "");
    bench_put(feed, 100, "r", "cpu", BENCH_CLEAR);
    bench_put(feed, 200, "r", "cpu", "");
    bench_put(feed, 1500, "r", "link", BENCH_CLEAR);
    bench_put(feed, 3000, "r", "link", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "");
    assert_int_equal(bench->counters.flap_begun, 1);
    assert_int_equal(bench->counters.touches, 0);
    bench_destroy(bench);
}

/* An incident that opens and closes is no alert to it, though rules on incidents hear of it as of
 * one. */
static void incidents_do_not_flap(void **state)
{
    (void)state;
    struct bench *bench = flap_bench(
        FLAPPING
        "  - id: link\n    where: check == \"a\"\n    by: [resource]\n    window: 1m\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n"
        "  - id: above\n    on: incidents\n    of: [link]\n    by: [resource]\n    window: 1m\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: quiet(1h)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.flap_start = 2;
    bench->config.flap_window_ms = 5000;
    bench_put(feed, 0, "r", "a", "");
    bench_put(feed, 1000, "r", "a", BENCH_CLEAR);
    bench_put(feed, 9000, "x", "other", "");
    bench_run(bench);
    assert_non_null(strstr(bench->brief, "closed cleared link"));
    assert_non_null(strstr(bench->brief, "opened rule above"));
    assert_null(strstr(bench->brief, "opened rule flaps"));
    assert_int_equal(bench->counters.flap_begun, 2); /* the alert, and that of its incident */
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_third_change_opens_and_rest_clears),
        cmocka_unit_test(a_clear_may_begin_it),
        cmocka_unit_test(an_alert_that_is_calm_or_of_another_check_is_not_told),
        cmocka_unit_test(incidents_do_not_flap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
