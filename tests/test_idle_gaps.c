/*
 * Aim: time in which nothing happens costs what happens in it, however long it is; counted in
 * steps, which is what the engine works by, so that a slow machine cannot fail it. Method:
 * recordings with a gap of fifty days, longer than the 32 bits of milliseconds that an alert keeps.
 * Rounds are 200 ms long, alerts expire after five minutes: 14,400 times in such a gap.
 */
#include "engine_bench.h"

#define DAYS_50 (INT64_C(50) * 86400 * 1000)
#define MINUTES_5 (INT64_C(5) * 60 * 1000)

enum { RESOURCES = 100 };

/* Incidents of `base` stay open until a negative value comes, and with them those of `over`. */
#define COMPOSITE                                                                                  \
    "rules:\n  - id: base\n    on: events\n    where: check == \"down\"\n    by: [resource]\n"     \
    "    window: 1m\n    when: count() >= 1\n    incident: {title: t}\n"                           \
    "    close: last(value) < 0.0\n"                                                               \
    "  - id: over\n    on: incidents\n    of: [base]\n    by: [resource]\n    window: open\n"      \
    "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n"

static void incidents_under_a_composite_cost_nothing_while_they_last(void **state)
{
    (void)state;
    struct bench *bench = bench_create(COMPOSITE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "down", "");
    bench_put(feed, 1000, "b", "down", "");
    bench_put(feed, DAYS_50, "a", "down", ",\"value\":-1");
    bench_put(feed, DAYS_50 + 5000, "x", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1000 opened rule base resource=a n=1 alerts=1\n"
                                      "1000 opened rule base resource=b n=1 alerts=1\n"
                                      "1200 opened rule over resource=a n=1 alerts=1\n"
                                      "1200 opened rule over resource=b n=1 alerts=1\n"
                                      "4320000000 closed value base resource=a n=2 alerts=1\n"
                                      "4320000200 closed cleared over resource=a n=2 alerts=1\n");
    assert_int_equal(bench->counters.alerts_expired, 2); /* of `a` and `b`, after five minutes */
    /* The events, what composites are told of them, alerts that expire and those that do not for
     * the first time, events, and what is told, at the end: six times; a look at what waits each
     * 2^30 ms, and the end of all. */
    assert_in_range(bench->counters.steps, 6, 6 + DAYS_50 / (INT64_C(1) << 30) + 1);
    bench_destroy(bench);
}

/* A hundred resources, a second apart, each with four steps: an event, what is told of it, and the
 * times at which the alert of the event expires and that of the incident would. */
static void timers_cost_their_number(void **state)
{
    (void)state;
    struct bench *bench = bench_create(COMPOSITE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.epoch_ms = 1;
    for (int i = 0; i < RESOURCES; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, 1000 + i * 1000, resource, "down", "");
    }
    bench_put(feed, DAYS_50, "x", "other", "");
    bench_run(bench);
    assert_int_equal(bench->counters.opened, 2 * RESOURCES);
    assert_int_equal(bench->counters.alerts_expired, RESOURCES);
    assert_in_range(bench->counters.steps, RESOURCES, 4 * RESOURCES + 10);
    bench_destroy(bench);
}

/* Two alerts may be kept. That of the incident of `a`, told at 1200, has shown itself every five
 * minutes since; whether it or another went silent first, decides. */
struct silent {
    int64_t other_ms; /* after the alert's last sign of life, the 9,000th */
    bool goes;
};

static const struct silent silents[] = {{-1, false}, {+1, true}};

static void a_bound_sees_when_held_alerts_showed_themselves_last(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(silents) / sizeof(silents[0]); i++) {
        struct bench *bench = bench_create(COMPOSITE);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        int64_t sign_ms = 1200 + 9000 * MINUTES_5;

        bench->config.alerts_max = 2;
        bench_put(feed, 1000, "a", "down", "");
        bench_put(feed, sign_ms + silents[i].other_ms, "b", "other", "");
        bench_put(feed, sign_ms + 150, "c", "other", "");
        bench_put(feed, sign_ms + 5000, "c", "other", ""); /* a repeat: time goes on */
        bench_run(bench);
        const char *lost = strstr(bench->brief, "updated evicted over resource=a");
        assert_int_equal(lost != NULL, silents[i].goes);
        bench_destroy(bench);
    }
}

/* The alert of the incident of `a`, told at 1200, has one millisecond with three others, of which
 * the bound takes one, and the alert of `a`. A switch to a higher bound leaves it waiting without a
 * timer; when that bound takes one, five seconds later, it is `e`: the incident showed itself
 * since.
 */
static void a_switch_of_terms_lets_no_held_alert_look_silent(void **state)
{
    (void)state;
    struct bench *bench = bench_create(COMPOSITE);
    struct engine_counters counters;
    struct engine_terms terms;

    bench->config.alerts_max = 3;
    bench->config.expire_ms = 5000;
    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_pass(bench, 1200, 600);
    bench_put(feed, 1000, "a", "down", "");
    bench_put(feed, 1200, "b", "other", ",\"dedup_key\":\"!b\"");
    bench_put(feed, 1200, "c", "other", ",\"dedup_key\":\"!c\"");
    bench_put(feed, 1200, "d", "other", ",\"dedup_key\":\"!d\"");
    bench_settle(bench);
    bench_pass(bench, 2000, 500);
    engine_counters(bench->engine, &counters);
    assert_int_equal(counters.alerts_evicted, 2);
    terms = engine_terms_of(&bench->config);
    terms.alerts_max = 4;
    engine_switch(bench->engine, parse_good(COMPOSITE), &terms);
    bench_settle(bench);
    bench_pass(bench, 3400, 500);
    bench_put(feed, 6100, "e", "other", "");
    bench_put(feed, 6300, "f", "other", "");
    bench_put(feed, 6300, "g", "other", "");
    bench_put(feed, 6300, "h", "other", "");
    bench_settle(bench);
    bench_pass(bench, 3000, 500);
    bench_stop(bench);
    assert_int_equal(bench->counters.alerts_evicted, 3);
    assert_null(strstr(bench->brief, "updated evicted over resource=a"));
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_switch_of_terms_lets_no_held_alert_look_silent),
        cmocka_unit_test(incidents_under_a_composite_cost_nothing_while_they_last),
        cmocka_unit_test(timers_cost_their_number),
        cmocka_unit_test(a_bound_sees_when_held_alerts_showed_themselves_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
