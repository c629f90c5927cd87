/*
 * Aim: effective time as docs/correlation.md, section 1, and semantics T1 to T3, T6 and T7 have it.
 * Method: the bench; recordings for what records alone decide, live runs on virtual time for what
 * the clock does. Seals are in test_seals.c, the set of input partitions in test_membership.c.
 */
#include "tests/time_bench.h"

static void T1_own_time_counts_within_the_trusted_range(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.past_ms = 400;
    bench->config.future_ms = 1000;
    /* kt - P exactly is trusted, and one millisecond before is not: the log time counts. kt + F
     * exactly is trusted but counts as kt at most; one beyond counts as kt too, and is clamped. */
    bench_put_own(feed, 0, -400, "past", "down");
    bench_put_own(feed, 0, -401, "too-old", "down");
    bench_put_own(feed, 10, 1010, "ahead", "down");
    bench_put_own(feed, 20, 1021, "too-far", "down");
    bench_put(feed, 30, "none", "down", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "-400 opened rule one resource=past n=1 alerts=1\n"
                                      "0 opened rule one resource=too-old n=1 alerts=1\n"
                                      "10 opened rule one resource=ahead n=1 alerts=1\n"
                                      "20 opened rule one resource=too-far n=1 alerts=1\n"
                                      "30 opened rule one resource=none n=1 alerts=1\n");
    assert_int_equal(bench->counters.time_clamped, 2);
    assert_int_equal(bench->counters.late, 0);
    bench_destroy(bench);
}

static void T1_a_record_without_log_time_takes_the_last_one(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 7, "a", "down", "");
    bench_put(feed, LOG_TIME_NONE, "b", "down", "");
    /* A log time has been shown: the event does not lend its own, and an hour ahead is too far. */
    bench_put_own(feed, LOG_TIME_NONE, 3600000, "c", "down");
    bench_run(bench);
    assert_string_equal(bench->brief, "7 opened rule one resource=a n=1 alerts=1\n"
                                      "7 opened rule one resource=b n=1 alerts=1\n"
                                      "7 opened rule one resource=c n=1 alerts=1\n");
    assert_int_equal(bench->counters.time_clamped, 1);
    bench_destroy(bench);
}

static void T1_what_nothing_dates_is_dated_by_the_input(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.undated_ms = BENCH_T0 + 500;
    bench_put(feed, LOG_TIME_NONE, "a", "down", "");
    bench_put(feed, LOG_TIME_NONE, "b", "down", "");
    bench_put_own(feed, LOG_TIME_NONE, 700, "c", "down");
    bench_put(feed, LOG_TIME_NONE, "d", "down", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "500 opened rule one resource=a n=1 alerts=1\n"
                                      "500 opened rule one resource=b n=1 alerts=1\n"
                                      "700 opened rule one resource=c n=1 alerts=1\n"
                                      "700 opened rule one resource=d n=1 alerts=1\n");
    assert_int_equal(bench->counters.undated, 3);
    bench_destroy(bench);
}

static void T1_in_a_plain_file_the_event_lends_its_time(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put_own(feed, LOG_TIME_NONE, 40, "a", "down");
    bench_put(feed, LOG_TIME_NONE, "b", "down", ""); /* the last kt */
    bench_put_own(feed, LOG_TIME_NONE, 200000, "c", "down");
    bench_run(bench);
    assert_string_equal(bench->brief, "40 opened rule one resource=a n=1 alerts=1\n"
                                      "40 opened rule one resource=b n=1 alerts=1\n"
                                      "200000 opened rule one resource=c n=1 alerts=1\n");
    assert_int_equal(bench->counters.time_clamped, 0);
    bench_destroy(bench);
}

static void T2_an_event_beyond_the_disorder_is_late_and_not_lost(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "first", "down", "");
    bench_put(feed, 500, "just", "down", ""); /* M - L exactly: in time */
    bench_put(feed, 499, "late", "down", ""); /* one more: raised to M - L */
    bench_put(feed, 1100, "next", "down", "");
    bench_put(feed, 550, "after", "down", ""); /* M has moved on */
    bench_run(bench);
    assert_string_equal(bench->brief, "500 opened rule one resource=just n=1 alerts=1\n"
                                      "500 opened rule one resource=late n=1 alerts=1\n"
                                      "600 opened rule one resource=after n=1 alerts=1\n"
                                      "1000 opened rule one resource=first n=1 alerts=1\n"
                                      "1100 opened rule one resource=next n=1 alerts=1\n");
    assert_int_equal(bench->counters.late, 2);
    assert_int_equal(bench->counters.late_by_seal, 0);
    bench_destroy(bench);
}

static void T2_on_log_append_topics_the_log_time_alone_moves_M(void **state)
{
    (void)state;
    struct topic_config topic = {.disorder_ms = 500, .tenant = "default", .log_append_time = true};
    struct bench *bench = time_bench(&topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.behind_ms = 5000;
    bench_put_own(feed, 10000, 1000, "a", "down");
    /* M is kt - B = 5000, so a is at 4500 and late; a refused record moves nothing. */
    bench_put_text(feed, 70000, "no json");
    bench_put_own(feed, 10001, 4600, "b", "down");
    bench_run(bench);
    assert_string_equal(bench->brief, "4500 opened rule one resource=a n=1 alerts=1\n"
                                      "4600 opened rule one resource=b n=1 alerts=1\n");
    assert_int_equal(bench->counters.late, 1);
    bench_destroy(bench);
}

static void T3_events_count_by_time_topic_partition_offset_sub(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n"
                                       "  - id: all\n"
                                       "    where: check == \"down\"\n"
                                       "    window: 1m\n"
                                       "    when: distinct(resource) >= 5\n"
                                       "    incident: {title: \"{resource}\"}\n"
                                       "    close: cleared()\n");
    struct bench_feed *b10 = bench_feed(bench, "b", 10), *b2 = bench_feed(bench, "b", 2);
    struct bench_feed *a = bench_feed(bench, "a", 0);

    /* All at one time but the first: topics bytewise, partitions as numbers, then offset and sub.
     */
    bench_put(b10, 10, "6", "down", "");
    bench_put(b10, 9, "1", "down", "");
    bench_put_text(
        b2, 10,
        "[{\"resource\":\"4\",\"check\":\"down\"},{\"resource\":\"5\",\"check\":\"down\"}]");
    bench_put(a, 10, "2", "down", "");
    bench_put(a, 10, "3", "down", "");
    bench_run(bench);
    assert_non_null(strstr(bench->log.at, "\"title\":\"5\""));
    assert_non_null(
        strstr(bench->log.at, "5 different values of resource in 1m (needs 5): 1, 2, 3, 4, 5\""));
    bench_destroy(bench);
}

static void T3_windows_are_half_open_and_timers_come_before_events(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_BY_RESOURCE(
        "two", "down", RULE_ON_EVENTS, "10s", "count() >= 2", "quiet(1s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "in", "down", "");
    bench_put(feed, 0, "out", "down", "");
    bench_put(feed, 9999, "in", "down", "");
    bench_put(feed, 9999, "in", "down", BENCH_CLEAR); /* quiet from here on */
    bench_put(feed, 10000, "out", "down", "");        /* the first has left at this very time */
    /* The timer of quiet is due at 10999: it closes before the event of that time counts, which
     * then stands alone in a new window. */
    bench_put(feed, 10999, "in", "down", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "9999 opened rule two resource=in n=1 alerts=1\n"
                                      "10999 closed quiet two resource=in n=2 alerts=1\n");
    assert_int_equal(bench->counters.pending, 2);
    bench_destroy(bench);
}

/* The log of a live run during which the wall clock jumps by `jump_ms`; freed by the caller. */
static char *log_with_jump(int64_t jump_ms)
{
    struct bench *bench = time_bench(&any_topic);
    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    feed->is_ahead = true;
    bench_start(bench);
    bench_settle(bench);
    for (int64_t at = 0; at < 3000; at += 100) {
        char resource[8];
        snprintf(resource, sizeof(resource), "r%d", (int)(at / 500));
        if (at == 1000)
            atomic_fetch_add(&bench->wall_ms, jump_ms);
        /* Some ahead of the clock by less than F, one by more. */
        bench_put(feed, at == 2000 ? 9000 : at + 900, resource, "down",
                  at % 500 == 300 ? BENCH_CLEAR : "");
        bench_settle(bench);
        bench_pass(bench, 100, 20);
    }
    bench_pass(bench, 10000, 1000);
    bench_stop(bench);
    assert_int_equal(bench->counters.capped, 1);
    assert_int_equal(bench->counters.opened, 12);
    char *log = malloc(bench->brief_text.used + 1);
    assert_non_null(log);
    strcpy(log, bench->brief);
    bench_destroy(bench);
    return log;
}

static void T6_a_jump_of_the_wall_clock_changes_nothing(void **state)
{
    (void)state;
    const int64_t ten_years = INT64_C(3653) * 86400 * 1000;
    char *calm = log_with_jump(0), *ahead = log_with_jump(ten_years),
         *back = log_with_jump(-ten_years);

    assert_string_equal(ahead, calm);
    assert_string_equal(back, calm);
    free(calm);
    free(ahead);
    free(back);
}

static void T7_without_disorder_a_topic_runs_in_log_order(void **state)
{
    (void)state;
    struct topic_config topic = {.disorder_ms = 0, .tenant = "default"};
    struct bench *bench = time_bench(&topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 300, "a", "down", "");
    bench_put(feed, 0, "b", "down", "");
    bench_put(feed, 300, "b", "down", BENCH_CLEAR);
    bench_put(feed, 400, "c", "down", "");
    bench_put(feed, 350, "c", "down", BENCH_CLEAR);
    bench_run(bench);
    assert_string_equal(bench->brief, "300 opened rule one resource=a n=1 alerts=1\n"
                                      "300 opened rule one resource=b n=1 alerts=1\n"
                                      "300 closed cleared one resource=b n=2 alerts=1\n"
                                      "400 opened rule one resource=c n=1 alerts=1\n"
                                      "400 closed cleared one resource=c n=2 alerts=1\n");
    assert_int_equal(bench->counters.late, 2);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T1_own_time_counts_within_the_trusted_range),
        cmocka_unit_test(T1_a_record_without_log_time_takes_the_last_one),
        cmocka_unit_test(T1_what_nothing_dates_is_dated_by_the_input),
        cmocka_unit_test(T1_in_a_plain_file_the_event_lends_its_time),
        cmocka_unit_test(T2_an_event_beyond_the_disorder_is_late_and_not_lost),
        cmocka_unit_test(T2_on_log_append_topics_the_log_time_alone_moves_M),
        cmocka_unit_test(T3_events_count_by_time_topic_partition_offset_sub),
        cmocka_unit_test(T3_windows_are_half_open_and_timers_come_before_events),
        cmocka_unit_test(T6_a_jump_of_the_wall_clock_changes_nothing),
        cmocka_unit_test(T7_without_disorder_a_topic_runs_in_log_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
