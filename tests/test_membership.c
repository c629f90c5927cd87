/*
 * Aim: the set of input partitions, as docs/correlation.md, section 1, and semantics T8 and T9 have
 * it. Method: live runs of the bench on virtual time, in which partitions come and go.
 */
#include "tests/time_bench.h"

/* More partitions than the engine asks for at once: none may find that time has begun without it.
 */
static void T8_all_partitions_of_a_recording_are_there_before_time_begins(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);

    for (int p = 0; p < 100; p++) {
        char name[16];
        snprintf(name, sizeof(name), "h%02d", p);
        bench_put(bench_feed(bench, "t", p), p < 99 ? 100000 : 1000, name, "down", "");
    }
    bench_run(bench);
    assert_int_equal(strncmp(bench->brief, "1000 opened rule one resource=h99 ", 34), 0);
    assert_int_equal(bench->counters.late_by_seal, 0);
    bench_destroy(bench);
}

static void T8_a_partition_joins_at_the_watermark(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct bench_feed *fresh = bench_feed_unjoined(bench, "t", 1);

    fresh->feed.start_offset = fresh->next_offset = 70;
    bench_put(fresh, 100, "old", "down", "");
    bench_put(fresh, 5000, "new", "down", "");
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 3000, "x", "x", "");
    bench_settle(bench);
    bench_pass(bench, 10, 10);
    int64_t watermark = engine_watermark(bench->engine) - BENCH_T0;
    assert_int_equal(watermark, 3000 - 500);
    bench_change(fresh, SOURCE_JOIN);
    /* What comes now has its place behind the watermark: old is late by the seal of the join. */
    bench_pass(bench, 20, 20);
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    struct mark join = bench_mark(bench, MARK_JOIN);
    assert_int_equal(join.part, 1);
    assert_int_equal(join.offset, 70);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "%" PRId64 " opened rule one resource=old n=1 alerts=1\n"
             "5000 opened rule one resource=new n=1 alerts=1\n",
             join.value_ms - BENCH_T0);
    assert_string_equal(bench->brief, expected);
    assert_in_range(join.value_ms - BENCH_T0, watermark, watermark + 60);
    assert_int_equal(bench->counters.late_by_seal, 1);
    bench_destroy(bench);
}

static void T8_a_leave_drops_its_bins_unread(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *gone = bench_feed(bench, "t", 1);

    bench_start(bench);
    bench_settle(bench);
    bench_put(gone, 100, "closed", "down", "");
    bench_put(gone, 5000, "unread", "down", "");
    bench_put(gone, 5000, "unread-too", "down", "");
    bench_put(feed, 4000, "x", "x", "");
    bench_settle(bench); /* the watermark is at 3500 */
    assert_string_equal(bench->brief, "100 opened rule one resource=closed n=1 alerts=1\n");
    bench_change(gone, SOURCE_LEAVE);
    bench_pass(bench, 40, 20);
    assert_true(gone->dropped);
    assert_int_equal(bench_marks(bench, MARK_LEAVE), 1);
    struct mark leave = bench_mark(bench, MARK_LEAVE);
    /* All of it had been read, and what lies at or after the watermark is dropped. */
    assert_int_equal(leave.part, 1);
    assert_int_equal(leave.offset, 3);
    assert_int_equal(leave.value_ms - BENCH_T0, 3500);
    /* Nobody waits for it any more, and its alert expires like any other. */
    bench_put(feed, 8000, "mine", "down", "");
    bench_settle(bench);
    bench_pass(bench, 2000, 20);
    assert_string_equal(bench->brief, "100 opened rule one resource=closed n=1 alerts=1\n"
                                      "8000 opened rule one resource=mine n=1 alerts=1\n");
    bench_stop(bench);
    assert_int_equal(bench->counters.left, 2);
    bench_destroy(bench);
}

/* The first alert of a record is in its bin, the second beyond the reach of the bins: what is
 * counted of the record is what has been put into bins (L2). */
static void T8_a_leave_in_the_middle_of_a_record_counts_what_was_read_of_it(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *gone = bench_feed(bench, "t", 1);

    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "x", "x", "");
    bench_put_text(gone, 80000000,
                   "{\"version\":\"4\",\"alerts\":["
                   "{\"status\":\"firing\",\"labels\":{\"alertname\":\"a\"},"
                   "\"startsAt\":\"2001-09-09T01:46:40.100Z\"},"
                   "{\"status\":\"firing\",\"labels\":{\"alertname\":\"b\"},"
                   "\"startsAt\":\"2001-09-09T23:46:40Z\"}]}");
    bench_settle(bench);
    bench_change(gone, SOURCE_LEAVE);
    bench_pass(bench, 2000, 20);
    assert_true(gone->dropped);
    bench_stop(bench);
    assert_int_equal(bench->counters.records, 1);
    assert_int_equal(bench->counters.events, 2);
    assert_int_equal(bench->counters.left, 1);
    bench_destroy(bench);
}

/* Where all ends does not depend on whether one that left got its old place again. */
static void T8_the_end_lies_behind_what_was_read_of_one_that_left(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *gone = bench_feed(bench, "t", 1);
    struct bench_feed *again = bench_feed_unjoined(bench, "t", 1);

    again->feed.start_offset = again->next_offset = 1;
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 4600, "x", "x", "");
    bench_put(gone, 5000, "x", "y", ""); /* M + L is 5500 */
    bench_settle(bench);
    bench_pass(bench, 1000, 10); /* sealed up to 5100 or so: its events have counted */
    assert_in_range(engine_watermark(bench->engine) - BENCH_T0, 5020, 5200);
    bench_change(gone, SOURCE_LEAVE);
    bench_pass(bench, 80, 20);
    assert_true(gone->dropped);
    bench_change(again, SOURCE_JOIN);
    bench_pass(bench, 20, 20);
    assert_int_equal(bench_mark(bench, MARK_JOIN).part, 1); /* the old place */
    bench_put(again, 4700, "x", "z", "");
    bench_settle(bench);
    bench_state_set(feed, FEED_FINISHED);
    bench_state_set(again, FEED_FINISHED);
    assert_true(engine_wait_finished(bench->engine, 0));
    bench_stop(bench);
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 5600);
    bench_destroy(bench);
}

static void T8_partitions_four_to_six_under_load(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed[6];
    uint64_t put = 0;

    bench->config.workers = 3;
    for (int i = 0; i < 4; i++)
        feed[i] = bench_feed(bench, "t", i);
    for (int i = 4; i < 6; i++)
        feed[i] = bench_feed_unjoined(bench, "t", i);
    bench_start(bench);
    for (int64_t at = 0; at < 4000; at += 50) {
        int parts = at < 1500 ? 4 : 6;
        if (at == 1500) {
            bench_change(feed[4], SOURCE_JOIN);
            bench_change(feed[5], SOURCE_JOIN);
        }
        if (at == 3000) {
            bench_settle(bench);       /* all of it has been read, */
            bench_pass(bench, 10, 10); /* and all that is closed has been cut */
            bench_change(feed[0], SOURCE_LEAVE);
        }
        for (int i = at >= 3000; i < parts; i++) {
            char resource[16];
            snprintf(resource, sizeof(resource), "r%d-%d", i, (int)(at / 1000));
            bench_put(feed[i], at, resource, "down", at % 1000 == 950 ? BENCH_CLEAR : "");
            put++;
        }
        bench_clock_move(bench, 50);
        if (at % 500 == 0)
            bench_settle(bench);
    }
    bench_pass(bench, 5000, 500);
    bench_stop(bench);
    assert_int_equal(bench->counters.records, put);
    assert_int_equal(bench->counters.in_bins, 0);
    assert_true(feed[0]->dropped);
    /* r<partition>-<second>: six partitions, less the seconds in which they were not members. */
    uint64_t lost = bench->counters.left;
    assert_true(lost <= 12); /* feed 0 can be ahead by L and a settle's stretch, not more */
    assert_int_equal(
        bench->counters.duplicate + bench->counters.unmatched + bench->counters.routed + lost, put);
    assert_int_equal(bench->counters.opened, 4 * 3 + 2 * 3 + 3);
    bench_destroy(bench);
}

static void T9_a_partition_without_records_is_carried_by_seals_alone(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *empty = bench_feed(bench, "t", 1);

    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    bench_answers_set(empty, false);
    bench_pass(bench, 20, 10);
    bench_put(feed, 3000, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 9000, 500);
    assert_string_equal(bench->brief, ""); /* nothing proves that it stands at its end */
    bench_prove(empty);
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    assert_string_equal(bench->brief, "3000 opened rule one resource=a n=1 alerts=1\n");
    bench_stop(bench);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T8_all_partitions_of_a_recording_are_there_before_time_begins),
        cmocka_unit_test(T8_a_partition_joins_at_the_watermark),
        cmocka_unit_test(T8_a_leave_drops_its_bins_unread),
        cmocka_unit_test(T8_a_leave_in_the_middle_of_a_record_counts_what_was_read_of_it),
        cmocka_unit_test(T8_the_end_lies_behind_what_was_read_of_one_that_left),
        cmocka_unit_test(T8_partitions_four_to_six_under_load),
        cmocka_unit_test(T9_a_partition_without_records_is_carried_by_seals_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
