/*
 * Aim (L6): what keys hold is what was counted, and where it is not, the walk finds it. Method: a
 * live run on the bench that is walked while it goes on; then counts are changed behind its back.
 * All tests of the engine walk it once more at its end (engine_bench.h), and so does each run of
 * the model.
 */
#include "correlate/core.h"
#include "tests/engine_bench.h"

static const char rules[] = RULES_STORM("3", "");
static struct topic_config any_topic = {.disorder_ms = 0, .tenant = "default"};

/* Windows that hold something, incidents that are open, and one that a bound let go of. */
static struct bench *busy_bench(void)
{
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed;
    char name[16];

    bench->config.workers = 2;
    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    bench_go_live(bench);
    feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "r%d", i % 5);
        bench_put(feed, i * 20, name, "down", ",\"labels\":{\"rack\":\"k\"}");
        bench_pass(bench, 20, 20);
    }
    bench_put(feed, 810, "x", "slow", ",\"severity\":\"major\",\"labels\":{\"rack\":\"k\"}");
    bench_pass(bench, 200, 20);
    return bench;
}

static struct engine_counters walked(struct bench *bench)
{
    struct engine_counters before, now;

    engine_counters(bench->engine, &before);
    engine_ask_walk(bench->engine);
    do {
        bench_pass(bench, 5, 5);
        engine_counters(bench->engine, &now);
    } while (now.walks == before.walks);
    return now;
}

static void L6_what_is_held_is_counted_by_going_through_it(void **state)
{
    (void)state;
    struct bench *bench = busy_bench();
    struct engine_counters c = walked(bench);

    assert_int_equal(c.walks, 1);
    assert_int_equal(c.walk_mismatches, 0);
    assert_true(c.pending > 0);
    assert_true(c.open > 0);
    assert_true(c.lost > 0);
    c = walked(bench);
    assert_int_equal(c.walks, 2);
    assert_int_equal(c.walk_mismatches, 0);
    bench_stop(bench);
    bench_destroy(bench);
}

/* One of each that is counted, in the lane, in the tally of a rule and in that of the incidents. */
static void L6_each_count_that_is_wrong_is_found(void **state)
{
    (void)state;
    struct bench *bench = busy_bench();
    struct engine *engine = bench->engine;
    struct error err = {""};
    unsigned lane = 0;

    while (engine->key_lanes[lane].open == 0)
        lane++;
    engine->key_lanes[lane].open--;
    assert_int_equal(walked(bench).walk_mismatches, 2); /* the lane's, and that of all */
    engine->key_lanes[lane].open++;
    engine->key_lanes[lane].pending++;
    assert_int_equal(walked(bench).walk_mismatches, 4);
    engine->key_lanes[lane].pending--;
    tally_add(&engine->incident_tally.lost, 1);
    assert_int_equal(walked(bench).walk_mismatches, 5); /* that of all alone */
    tally_add(&engine->incident_tally.lost, UINT64_MAX);
    assert_int_equal(walked(bench).walk_mismatches, 5);
    engine_stop(engine);
    assert_true(engine_check_walk(engine, &err));
    tally_add(&engine->newest_rules->slots[0].tally[0].pending, 1);
    assert_false(engine_check_walk(engine, &err));
    assert_non_null(strstr(err.text, "L6 does not hold: pending is "));
    tally_add(&engine->newest_rules->slots[0].tally[0].pending, UINT64_MAX);
    tally_add(&engine->newest_rules->slots[0].tally[0].keys, 1);
    assert_false(engine_check_walk(engine, &err));
    assert_non_null(strstr(err.text, "L6 does not hold: keys is "));
    tally_add(&engine->newest_rules->slots[0].tally[0].keys, UINT64_MAX);
    bench_stop(bench);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L6_what_is_held_is_counted_by_going_through_it),
        cmocka_unit_test(L6_each_count_that_is_wrong_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
