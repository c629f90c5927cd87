/*
 * Aim: what the engine's machinery is made of never shows: tables that grow, steps that are under
 * way, stretches in which nothing happens, places that are used again, memory. Method: the bench,
 * with more of one thing than other tests have; lines and counts worked out by hand.
 */
#include "tests/engine_bench.h"
#include "tests/sanitized.h"

#define MINUTE_MS 60000

static void many_alerts_and_keys_are_all_kept(void **state)
{
    (void)state;
    enum { COUNT = 12000 }; /* some 47 in each lane: its tables double several times */
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char resource[16];

    for (int i = 0; i < COUNT; i++) {
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, i / 100, resource, "down", "");
    }
    for (int i = 0; i < COUNT; i += 2) {
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, 1000, resource, "down", BENCH_CLEAR);
    }
    bench_run(bench);
    assert_int_equal(bench->counters.opened, COUNT);
    assert_int_equal(bench->counters.closed, COUNT / 2);
    assert_int_equal(bench->counters.alerts, COUNT);
    assert_int_equal(bench->counters.keys, COUNT / 2);
    bench_destroy(bench);
}

/* More than an hour of timers in one step: they come in their order all the same. */
static void timers_of_an_idle_stretch_come_in_order(void **state)
{
    (void)state;
    enum { COUNT = 90 };
    struct bench *bench = bench_create("rules:\n"
                                       "  - id: all\n"
                                       "    where: check == \"down\"\n"
                                       "    window: 3h\n"
                                       "    when: count() >= 90\n"
                                       "    incident: {title: t}\n"
                                       "    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char resource[16];

    bench->config.expire_ms = 4 * 60 * MINUTE_MS;
    for (int i = 0; i < COUNT; i++) {
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, i * MINUTE_MS, resource, "down", "");
    }
    bench_put(feed, 10 * 60 * MINUTE_MS, "x", "x", "");
    bench_run(bench);
    /* 89 minutes; the last one is over four hours later. */
    assert_string_equal(bench->brief, "5340000 opened rule all tenant=default n=1 alerts=90\n"
                                      "19740000 closed cleared all tenant=default n=2 alerts=90\n");
    bench_destroy(bench);
}

static void an_idle_stretch_takes_no_steps(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "x", "x", "");
    bench_put(feed, INT64_C(30) * 86400000, "x", "x", "");
    /* The year 9999: to go there in stretches of 17 minutes would take hours. */
    bench_put(feed, INT64_C(253370764800000), "x", "x", "");
    bench_run(bench);
    /* One or two for each event, and for the expiry of the first; not one for each 17 minutes. */
    assert_in_range(bench->counters.steps, 1, 12);
    assert_int_equal(bench->counters.alerts_opened, 3);
    assert_int_equal(bench->counters.record_bytes,
                     3 * strlen("{\"resource\":\"x\",\"check\":\"x\"}"));
    bench_destroy(bench);
}

/* As many steps as there are places wait for the listener; input goes on being read until bins
 * hold it back, and nothing is lost or told twice. */
static void a_full_listener_makes_steps_wait(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    static const char *const sinks[] = {"pager"};
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    bench->config.sink_names = sinks;
    bench->config.sink_count = 1;
    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct bench_text expected = {0};
    char resource[16];

    bench_start(bench);
    bench_settle(bench);
    atomic_store(&bench->is_full, true);
    for (int i = 0; i < COUNT; i++) {
        snprintf(resource, sizeof(resource), "r%02d", i);
        bench_put(feed, i * 200, resource, "down", "");
        bench_text_add(&expected, "%d opened rule one resource=%s n=1 alerts=1\n", i * 200,
                       resource);
        bench_settle(bench);
        bench_pass(bench, 200, 100);
    }
    bench_pass(bench, 2000, 100);
    assert_string_equal(bench->brief, "0 opened rule one resource=r00 n=1 alerts=1\n");
    struct bench_look look;
    bench_look(bench, &look);
    assert_int_equal(look.counters.ops, 0);
    atomic_store(&bench->is_full, false);
    bench_settle(bench);
    bench_pass(bench, 2000, 100);
    assert_string_equal(bench->brief, expected.at);
    bench_stop(bench);
    assert_int_equal(bench->counters.ops, COUNT);
    bench_destroy(bench);
    free(expected.at);
}

/* What alerts and keys that are gone held is used again. */
static void memory_of_what_is_gone_is_used_again(void **state)
{
    (void)state;
    enum { WAVES = ROUNDS(200, 50), COUNT = 80 };
    uint64_t bytes[2];

    for (int twice = 0; twice < 2; twice++) {
        struct bench *bench = bench_create(BENCH_RULE_ONE);
        bench->config.expire_ms = 1000;
        bench_go_live(bench);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        char resource[16], more[400];

        bench_start(bench);
        memset(more, 'm', sizeof(more));
        memcpy(more, ",\"message\":\"", 12);
        memcpy(more + sizeof(more) - 2, "\"", 2);
        for (int wave = 0; wave < (twice + 1) * WAVES; wave++) {
            for (int i = 0; i < COUNT; i++) {
                snprintf(resource, sizeof(resource), "r%d-%d", wave % 7, i);
                bench_put(feed, wave * 2000, resource, "down", more);
            }
            bench_settle(bench);
            bench_pass(bench, 2000, 1000);
        }
        bench_pass(bench, 2000, 1000);
        bench_stop(bench);
        assert_int_equal(bench->counters.opened, (twice + 1) * WAVES * COUNT);
        bytes[twice] = bench->counters.state_bytes;
        bench_destroy(bench);
    }
    /* A wave is gone before the next one is put, so no step holds more than one: in a recording it
     * is a matter of timing how many it holds. 16,000 keys more would show. */
    print_message("%d and %d waves: %" PRIu64 " and %" PRIu64 " bytes\n", WAVES, 2 * WAVES,
                  bytes[0], bytes[1]);
    assert_in_range(bytes[1], 1, bytes[0] + (64 << 10));
}

/* One event of the partition lies in the first epoch that no step has: the place is not free yet,
 * and a new life in it would wake that event up. */
static void a_place_is_used_again_only_behind_its_last_event(void **state)
{
    (void)state;
    struct topic_config topic = {.disorder_ms = 500, .tenant = "default"};
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    bench->config.topics = &topic;
    bench->config.topic_count = 1;
    bench_go_live(bench);
    bench->config.future_ms = 86400000;
    struct bench_feed *feed = bench_feed(bench, "t", 0), *gone = bench_feed(bench, "t", 1);
    struct bench_feed *again = bench_feed_unjoined(bench, "t", 1);

    again->feed.start_offset = again->next_offset = 1;
    bench_start(bench);
    bench_settle(bench);
    bench_answers_set(feed, false);
    bench_answers_set(gone, false);
    bench_pass(bench, 20, 10); /* the last seals */
    bench_put(gone, 4000, "edge", "down", "");
    bench_put(feed, 4500, "x", "y", "");
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 3500);
    bench_change(gone, SOURCE_LEAVE);
    bench_pass(bench, 80, 20); /* now the other one alone holds the watermark */
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 4000);
    assert_true(gone->dropped);
    bench_change(again, SOURCE_JOIN);
    bench_pass(bench, 20, 20);
    assert_int_equal(bench_mark(bench, MARK_JOIN).part, 2); /* another place */
    bench_put(feed, 6000, "x", "y", "");
    bench_put(again, 6000, "x", "x", "");
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 5500);
    bench_stop(bench);
    assert_string_equal(bench->brief, "");
    assert_int_equal(bench->counters.left, 1);
    bench_destroy(bench);
}

static void a_rules_own_counters_add_up(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_BY_RESOURCE(
        "two", "down", RULE_ON_EVENTS, "1s", "count() >= 2", "quiet(1s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_rule_counters row[2];

    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 10, "a", "down", "");          /* opens */
    bench_put(feed, 10, "a", "down", BENCH_CLEAR); /* closes at 1010 */
    bench_put(feed, 20, "b", "down", "");          /* expires at 1020 */
    bench_put(feed, 1500, "c", "down", "");        /* is pending at the end, at 2200 */
    bench_put(feed, 1520, "d", "down", "");
    bench_put(feed, 1530, "d", "down", ""); /* opens, and is open at the end */
    bench_run(bench);
    assert_int_equal(engine_rule_counters(bench->engine, row, 2), 1);
    assert_string_equal(row[0].rule_id, "two");
    assert_int_equal(row[0].touches, 7);
    assert_int_equal(row[0].opened, 2);
    assert_int_equal(row[0].closed, 1);
    assert_int_equal(row[0].open, 1);
    assert_int_equal(row[0].expired, 1);
    assert_int_equal(row[0].pending, 1);
    assert_int_equal(row[0].evicted, 0);
    assert_int_equal(row[0].keys, 2);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_alerts_and_keys_are_all_kept),
        cmocka_unit_test(timers_of_an_idle_stretch_come_in_order),
        cmocka_unit_test(an_idle_stretch_takes_no_steps),
        cmocka_unit_test(a_full_listener_makes_steps_wait),
        cmocka_unit_test(memory_of_what_is_gone_is_used_again),
        cmocka_unit_test(a_place_is_used_again_only_behind_its_last_event),
        cmocka_unit_test(a_rules_own_counters_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
