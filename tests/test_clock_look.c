/*
 * Aim: a clock that is hours from that of the input is told, and the clock of a few producers, what
 * is old and what was read late are not taken for it (T6). Method: live runs on virtual time, whose
 * records lie hours from the run's clock, behind a proof or before one.
 */
#include "tests/engine_bench.h"

#define HOUR_MS (INT64_C(3600) * 1000)

static struct topic_config broker_dates = {
    .disorder_ms = 500, .tenant = "default", .log_append_time = true};
static struct topic_config producers_date = {.disorder_ms = 500, .tenant = "default"};

/* Two partitions that stand at their ends, as answers have shown. */
static struct bench *begin(struct topic_config *topic, struct bench_feed *feed[2])
{
    struct bench *bench = bench_create(BENCH_RULE_ONE);

    bench->config.topics = topic;
    bench->config.topic_count = 1;
    bench_go_live(bench);
    for (int i = 0; i < 2; i++) {
        feed[i] = bench_feed(bench, "t", i);
        feed[i]->is_ahead = true;
    }
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    return bench;
}

/* `off_ms` from the run's clock as it stands. */
static void put(struct bench_feed *feed, int64_t off_ms)
{
    struct bench *bench = feed->bench;
    int64_t now_ms = (int64_t)((atomic_load(&bench->mono_ns) - BENCH_MONO_NS) / 1000000u);

    bench_put(feed, now_ms + off_ms, "a", "x", "");
    bench_settle(bench);
}

static int64_t off(const struct bench *bench)
{
    return engine_clock_off(bench->engine);
}

static void end(struct bench *bench)
{
    bench_stop(bench);
    bench_destroy(bench);
}

static void T6_one_record_that_a_broker_dated_shows_a_clock_that_is_off(void **state)
{
    static const struct {
        int64_t at_ms, off_ms;
    } cases[] = {{0, 0},
                 {HOUR_MS, 0},
                 {-HOUR_MS + 2000, 0},
                 {2 * HOUR_MS, 2 * HOUR_MS},
                 {HOUR_MS + 1, HOUR_MS + 1},
                 {-2 * HOUR_MS, -2 * HOUR_MS}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench_feed *feed[2];
        struct bench *bench = begin(&broker_dates, feed);
        put(feed[1], cases[i].at_ms);
        /* The last proof was a moment ago. */
        assert_in_range(off(bench) - cases[i].off_ms + 20, 0, 20 + 20);
        if (cases[i].off_ms < 0) { /* what is far ahead waits, and what comes behind it */
            put(feed[1], 0);       /* and its clock is mended */
            assert_int_equal(off(bench), 0);
        }
        end(bench);
    }
}

/* Records were appended while nobody could read them: they are no older than the last proof. */
static void T6_what_is_read_hours_late_says_nothing_of_the_clock(void **state)
{
    struct bench_feed *feed[2];
    struct bench *bench = begin(&broker_dates, feed);

    (void)state;
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&feed[i]->lock);
        feed[i]->answers = false;
        pthread_mutex_unlock(&feed[i]->lock);
    }
    bench_pass(bench, 3 * HOUR_MS, 3 * HOUR_MS);
    put(feed[0], -3 * HOUR_MS + 1000);
    assert_int_equal(off(bench), 0);
    end(bench);
}

static void T6_a_backlog_says_nothing_of_the_clock(void **state)
{
    (void)state;
    for (int is_broker = 0; is_broker < 2; is_broker++) {
        struct bench *bench = bench_create(BENCH_RULE_ONE);
        bench->config.topics = is_broker == 1 ? &broker_dates : &producers_date;
        bench->config.topic_count = 1;
        bench_go_live(bench);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        for (int i = 0; i < 200; i++)
            bench_put(feed, -48 * HOUR_MS + i, "a", "x", "");
        bench_start(bench);
        bench_settle(bench);
        bench_pass(bench, 120000, 1000);
        assert_int_equal(off(bench), 0);
        for (int i = 0; is_broker == 0 && i < 200; i++)
            put(feed, -48 * HOUR_MS); /* an old file is published */
        bench_pass(bench, 120000, 1000);
        assert_int_equal(off(bench), 0);
        end(bench);
    }
}

static void T6_all_producers_together_show_a_clock_that_is_behind(void **state)
{
    struct bench_feed *feed[2];
    struct bench *bench = begin(&producers_date, feed);

    (void)state;
    for (int i = 0; i < 99; i++)
        put(feed[i % 2], 2 * HOUR_MS + i % 7);
    bench_pass(bench, 61000, 1000);
    assert_int_equal(off(bench), 0); /* one record is missing */
    put(feed[0], -2 * HOUR_MS);      /* an old one is none */
    assert_int_equal(off(bench), 0);
    put(feed[0], 3 * HOUR_MS);
    assert_int_equal(off(bench), 2 * HOUR_MS);
    put(feed[1], 1000); /* who has our time */
    assert_int_equal(off(bench), 0);
    end(bench);

    bench = begin(&producers_date, feed);
    for (int i = 0; i < 200; i++)
        put(feed[i % 2], 2 * HOUR_MS);
    bench_pass(bench, 55000, 1000);
    assert_int_equal(off(bench), 0); /* the minute is not over */
    bench_pass(bench, 5000, 1000);
    assert_int_equal(off(bench), 2 * HOUR_MS);
    end(bench);
}

static void T6_a_producer_whose_clock_alone_is_off_says_nothing_of_ours(void **state)
{
    (void)state;
    for (int own = 0; own < 2;
         own++) { /* another partition than that of the others, and the same */
        struct bench_feed *feed[2];
        struct bench *bench = begin(&producers_date, feed);
        put(feed[0], -200);
        for (int i = 0; i < 200; i++)
            put(feed[own], 5 * HOUR_MS);
        bench_pass(bench, 120000, 1000);
        put(feed[own], 5 * HOUR_MS);
        assert_int_equal(off(bench), 0);
        end(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T6_one_record_that_a_broker_dated_shows_a_clock_that_is_off),
        cmocka_unit_test(T6_what_is_read_hours_late_says_nothing_of_the_clock),
        cmocka_unit_test(T6_a_backlog_says_nothing_of_the_clock),
        cmocka_unit_test(T6_all_producers_together_show_a_clock_that_is_behind),
        cmocka_unit_test(T6_a_producer_whose_clock_alone_is_off_says_nothing_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
