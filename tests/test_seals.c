/*
 * Aim: marks of time, as docs/correlation.md, section 1, and semantics T4 and T5 have them: how far
 * a partition is sealed that proves to stand at its end. Method: live runs of the bench on virtual
 * time, in which clock and broker do as they are told.
 */
#include "tests/time_bench.h"

static void T4_a_proven_end_is_sealed_G_behind_R(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *other = bench_feed(bench, "t", 1);

    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 50, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 10, 10); /* the seal round that sees M = 50, at clock 10 */
    assert_string_equal(bench->brief, "");
    bench_pass(bench, 1000, 10);
    assert_string_equal(bench->brief, "50 opened rule one resource=a n=1 alerts=1\n");
    /* R went on by the clock from 50 at 10, up to the answer before the last round, at 1000; G
     * is the largest L. */
    assert_int_equal(bench_passed(bench, feed), 50 + 990 - 500);
    assert_int_equal(bench_passed(bench, other), 50 + 990 - 500);
    bench_stop(bench);
    bench_destroy(bench);
}

/* Where no topic has disorder there is still what a fetch may take. */
static void T4_G_is_fifty_milliseconds_at_least(void **state)
{
    (void)state;
    struct topic_config ordered = {.disorder_ms = 0, .tenant = "default"};
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.topics = &ordered;
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 50, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 10, 10); /* R = 50 at clock 10 */
    bench_pass(bench, 1000, 10);
    assert_int_equal(bench_passed(bench, feed), 50 + 990 - 50);
    bench_stop(bench);
    bench_destroy(bench);
}

/* What is pushed is dated by the later of N and R: of the clock alone it would lie behind what has
 * been sealed where log times are ahead of it, and of R alone it would stand still with the input.
 */
static void C3_what_is_pushed_is_stamped_by_the_later_of_N_and_R(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 100, 10);
    bench_put(feed, 40, "a", "x", ""); /* R falls behind N */
    bench_settle(bench);
    bench_pass(bench, 10, 10);
    assert_int_equal(engine_stamp(bench->engine) - BENCH_T0, 110);
    bench_blind(feed); /* nothing proves that R may go on */
    bench_pass(bench, 1000, 100);
    assert_int_equal(engine_stamp(bench->engine) - BENCH_T0, 1110);
    bench_see(feed);
    bench_put(feed, 5000, "a", "x", ""); /* and ahead of it */
    bench_settle(bench);
    bench_pass(bench, 10, 10);
    assert_in_range(engine_stamp(bench->engine) - BENCH_T0, 5000, 5010);
    bench_stop(bench);
    bench_destroy(bench);
}

static void T4_R_is_the_least_M_of_partitions_that_are_not_far_behind(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *a = bench_feed(bench, "t", 0), *b = bench_feed(bench, "t", 1);
    struct bench_feed *idle = bench_feed(bench, "t", 2);

    bench_start(bench);
    bench_settle(bench);
    /* b is 4 s behind a: within B, so R is b's M; then on by the clock for one round. */
    bench_put(a, 100000, "a", "x", "");
    bench_put(b, 96000, "b", "x", "");
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    assert_in_range(bench_passed(bench, idle), 96000 - 500, 96010 - 500);
    /* And 6 s behind: left out, R is a's. */
    bench_put(a, 200000, "a", "x", "");
    bench_put(b, 194000, "b", "x", "");
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    assert_in_range(bench_passed(bench, idle), 200000 - 500, 200010 - 500);
    bench_stop(bench);
    bench_destroy(bench);
}

/* A month published again into a topic that had been quiet: V does not fall, so R may not
 * follow the old records down, or nothing would close until the clock had caught up. */
static void T4_old_records_in_a_quiet_topic_close_with_the_clock(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct bench_look look;

    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 60000, 1000); /* sealed up to 59 s or so */
    assert_in_range(bench_passed(bench, feed), 58000, 60000);
    bench_put(feed, 1000, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 2000, 100);
    bench_look(bench, &look);
    assert_int_equal(look.counters.late_by_seal, 1);
    assert_int_equal(look.counters.opened, 1);
    assert_in_range(bench_passed(bench, feed), 60000, 62000);
    bench_stop(bench);
    bench_destroy(bench);
}

/* Both partitions hold records from before the start, the newest 16 s old, and nothing follows:
 * timers are not to wait 16 s longer for ever. */
static void T4_behind_a_backlog_without_successors_the_clock_takes_over(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *a = bench_feed(bench, "t", 0), *b = bench_feed(bench, "t", 1);

    bench_put(a, -20000, "a", "down", "");
    bench_put(b, -16000, "b", "down", "");
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 4000, 10);
    /* The least M, 4 s later: 16 s behind the clock. */
    assert_in_range(bench_passed(bench, a) + 100000, 83800 - 500, 84000 - 500);
    bench_pass(bench, 2000, 10); /* nothing for B */
    assert_in_range(bench_passed(bench, a), 5900 - 500, 6000 - 500);
    assert_in_range(bench_passed(bench, b), 5900 - 500, 6000 - 500);
    bench_pass(bench, 20000, 100);
    assert_in_range(bench_passed(bench, b), 25700 - 500, 26000 - 500);
    bench_stop(bench);
    assert_int_equal(bench->counters.late_by_seal, 0);
    bench_destroy(bench);
}

/* b does not say where it ends: it may hold more, of the time of what was read. */
static void T4_the_clock_takes_over_when_the_whole_backlog_has_been_read(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *a = bench_feed(bench, "t", 0), *b = bench_feed(bench, "t", 1);

    bench_put(a, -20000, "a", "down", "");
    bench_put(b, -20000, "b", "down", "");
    bench_answers_set(b, false);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 8000, 10);
    assert_in_range(bench_passed(bench, a) + 100000, 87800 - 500, 88000 - 500);
    bench_put(b, -10000, "c", "down", "");
    bench_settle(bench);
    bench_answers_set(b, true);
    bench_pass(bench, 4000, 10);
    assert_in_range(bench_passed(bench, b) + 100000, 93800 - 500, 94000 - 500); /* c's, for B */
    bench_pass(bench, 2000, 10);
    assert_in_range(bench_passed(bench, a), 13900 - 500, 14000 - 500);
    assert_in_range(bench_passed(bench, b), 13900 - 500, 14000 - 500);
    bench_stop(bench);
    assert_int_equal(bench->counters.late_by_seal, 0);
    bench_destroy(bench);
}

/* An empty partition answers before the first record of the other's backlog has come: it is not
 * sealed at the clock, which R could not leave any more. */
static void T4_an_empty_partition_is_not_sealed_ahead_of_a_backlog(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *a = bench_feed(bench, "t", 0), *b = bench_feed(bench, "t", 1);

    bench_answers_set(b, false);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 200, 10);
    bench_put(b, -3600000, "b", "down", "");
    bench_settle(bench);
    bench_answers_set(b, true);
    bench_pass(bench, 1000, 10);
    bench_put(b, 1000 - 3600000, "b", "down", "");
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    assert_in_range(bench_passed(bench, a) + 3600000, 1000 - 500, 2300 - 500);
    bench_stop(bench);
    assert_int_equal(bench->counters.late_by_seal, 0);
    bench_destroy(bench);
}

/* An input whose clock is an hour behind N shows it by records that come while it is read: R is
 * theirs, however long they have paused. */
static void T4_what_comes_behind_a_proof_says_what_time_the_input_has(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *a = bench_feed(bench, "t", 0);

    bench_put(a, -3600000, "a", "down", "");
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    bench_put(a, 1000 - 3600000, "b", "down", "");
    bench_settle(bench);
    bench_pass(bench, 60000, 100);
    assert_in_range(bench_passed(bench, a) + 3600000, 60700 - 500, 61000 - 500);
    bench_stop(bench);
    bench_destroy(bench);
}

#define RULE_QUIET                                                                                 \
    "rules:\n" RULE_BY_RESOURCE("quiet", "down", "", "1m", "count() >= 1", "quiet(30s)")

/* Live, two partitions, one incident since 0, quiet from then on, that closes after 30 s. */
static struct bench *open_incident_bench(struct bench_feed *feed[2])
{
    struct bench *bench = bench_create(RULE_QUIET);

    bench_go_live(bench);
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "t", 1);
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed[0], 0, "a", "down", "");
    bench_put(feed[0], 0, "a", "down", BENCH_CLEAR);
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    assert_string_equal(bench->brief, "0 opened rule quiet resource=a n=1 alerts=1\n");
    return bench;
}

static const char quiet_lines[] = "0 opened rule quiet resource=a n=1 alerts=1\n"
                                  "30000 closed quiet quiet resource=a n=2 alerts=1\n";

static void T4_a_process_stopped_for_an_hour_closes_nothing(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = open_incident_bench(feed);

    /* The last answers before the stop; then the clock jumps, as SIGSTOP and SIGCONT make it. */
    bench_answers_set(feed[0], false);
    bench_answers_set(feed[1], false);
    bench_pass(bench, 20, 20);
    int64_t last_answer = 1020;
    bench_prove(feed[0]);
    bench_prove(feed[1]);
    bench_settle(bench);
    size_t seals = bench_marks(bench, MARK_SEAL);
    bench_clock_move(bench, 3600000);
    bench_settle(bench);
    bench_pass(bench, 1000, 100);
    assert_string_equal(bench->brief, "0 opened rule quiet resource=a n=1 alerts=1\n");
    assert_true(engine_watermark(bench->engine) - BENCH_T0 <= last_answer - 500);
    /* At most the one seal that those answers prove, on each partition. */
    assert_in_range(bench_marks(bench, MARK_SEAL), seals, seals + 2);
    /* The first answers after it prove that the hour was quiet. */
    bench_prove(feed[0]);
    bench_prove(feed[1]);
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    assert_string_equal(bench->brief, quiet_lines);
    bench_stop(bench);
    bench_destroy(bench);
}

static void T4_an_old_answer_proves_time_only_up_to_itself(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = open_incident_bench(feed);

    /* One partition's fetch is answered an hour later than the other's: the older one counts. */
    bench_answers_set(feed[0], false);
    bench_answers_set(feed[1], false);
    bench_pass(bench, 20, 20);
    bench_prove(feed[0]);
    bench_settle(bench);
    bench_clock_move(bench, 3600000);
    bench_prove(feed[1]);
    bench_settle(bench);
    bench_pass(bench, 100, 10);
    assert_string_equal(bench->brief, "0 opened rule quiet resource=a n=1 alerts=1\n");
    assert_true(engine_watermark(bench->engine) - BENCH_T0 <= 1020 - 500);
    bench_stop(bench);
    bench_destroy(bench);
}

static void T4_a_broker_down_ten_minutes_closes_nothing(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = open_incident_bench(feed);

    for (int i = 0; i < 2; i++)
        bench_state_set(feed[i], FEED_UNREADABLE);
    bench_pass(bench, 10, 10);
    int64_t watermark = engine_watermark(bench->engine);
    bench_pass(bench, 600000, 10000);
    assert_int_equal(engine_watermark(bench->engine), watermark); /* T9 too: no input at all */
    assert_string_equal(bench->brief, "0 opened rule quiet resource=a n=1 alerts=1\n");
    for (int i = 0; i < 2; i++)
        bench_state_set(feed[i], FEED_LIVE);
    bench_settle(bench);
    bench_pass(bench, 30, 10);
    assert_string_equal(bench->brief, quiet_lines);
    bench_stop(bench);
    bench_destroy(bench);
}

static void T4_a_partition_that_cannot_be_read_is_sealed_on_after_ten_seconds(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = open_incident_bench(feed);

    bench_state_set(feed[1], FEED_UNREADABLE);
    bench_settle(bench);
    bench_pass(bench, 10, 10);
    int64_t watermark = engine_watermark(bench->engine);
    bench_pass(bench, 9980, 499);
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 0);
    assert_int_equal(engine_watermark(bench->engine), watermark); /* it may still have something */
    bench_pass(bench, 100, 10);
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 1);
    bench_pass(bench, 30000, 1000);
    assert_string_equal(bench->brief, quiet_lines);
    /* It comes back with what it missed, more than B behind: sealed on, and not blind any more
     * only when it has caught up. */
    bench_put(feed[0], 41000, "x", "x", "");
    bench_put(feed[1], 2000, "old", "down", "");
    bench_state_set(feed[1], FEED_LIVE);
    bench_settle(bench);
    bench_pass(bench, 50, 10);
    assert_int_equal(bench_marks(bench, MARK_BLIND_END), 0);
    bench_put(feed[1], 41000, "new", "down", "");
    bench_settle(bench);
    bench_pass(bench, 50, 10);
    assert_int_equal(bench_marks(bench, MARK_BLIND_END), 1);
    bench_stop(bench);
    assert_int_equal(bench->counters.late_by_seal, 1); /* T5: old, and counted */
    bench_destroy(bench);
}

/* Virtual milliseconds from an event's log time, which is when it comes, to its incident, while a
 * second partition is fed by a clock that is `behind_ms` behind; INT64_MAX: not fed. */
static int64_t latency_beside(int64_t behind_ms)
{
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *slow = bench_feed(bench, "t", 1);
    int64_t at = 0;

    bench_start(bench);
    bench_settle(bench);
    for (; bench->brief[0] == '\0' && at < 5000; at += 10) {
        bench_put(feed, at, at == 1000 ? "a" : "calm", at == 1000 ? "down" : "x", "");
        if (behind_ms != INT64_MAX)
            bench_put(slow, at - behind_ms, "slow", "x", "");
        bench_settle(bench);
        bench_pass(bench, 10, 10);
    }
    assert_string_equal(bench->brief, "1000 opened rule one resource=a n=1 alerts=1\n");
    bench_stop(bench);
    bench_destroy(bench);
    return at - 1000;
}

static void T4_a_clock_two_hours_behind_alone_on_a_partition_delays_nobody(void **state)
{
    (void)state;
    int64_t alone = latency_beside(INT64_MAX);

    assert_in_range(alone, 500, 560); /* L, an epoch, and rounds of seals */
    assert_int_equal(latency_beside(0), alone);
    assert_int_equal(latency_beside(2 * 3600 * 1000), alone);
}

static void T4_a_log_time_ahead_of_the_clock_is_capped_and_noted(void **state)
{
    (void)state;
    struct bench *bench = time_bench(&any_topic);
    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct mark cap = {0};

    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 200, 20);
    feed->is_ahead = true;
    bench_put(feed, 1200, "a", "down", ""); /* N + F exactly */
    bench_put(feed, 60000, "b", "down", "");
    bench_settle(bench);
    bench_pass(bench, 3000, 20);
    bench_stop(bench);
    assert_string_equal(bench->brief, "1200 opened rule one resource=a n=1 alerts=1\n"
                                      "1200 opened rule one resource=b n=1 alerts=1\n");
    assert_int_equal(bench->counters.capped, 1);
    assert_int_equal(bench_marks(bench, MARK_CAP), 1);
    cap = bench_mark(bench, MARK_CAP);
    assert_int_equal(cap.part, 0);
    assert_int_equal(cap.offset, 1);
    assert_int_equal(cap.value_ms, BENCH_T0 + 1200);
    /* A replay has no clock: the mark alone decides. */
    bench_rewind(bench, true);
    bench->config.marks = &cap;
    bench->config.mark_count = 1;
    bench_run(bench);
    assert_string_equal(bench->brief, "1200 opened rule one resource=a n=1 alerts=1\n"
                                      "1200 opened rule one resource=b n=1 alerts=1\n");
    bench_rewind(bench, true);
    bench->config.mark_count = 0;
    bench_run(bench);
    assert_string_equal(bench->brief, "1200 opened rule one resource=a n=1 alerts=1\n"
                                      "60000 opened rule one resource=b n=1 alerts=1\n");
    bench_destroy(bench);
}

/* Of a recording: V never falls, a cap is its record's alone, and a seal behind the last record
 * still moves the end. */
static void T4_journaled_marks_hold_where_they_stand(void **state)
{
    (void)state;
    static const struct mark marks[] = {
        {.kind = MARK_SEAL, .offset = 0, .value_ms = BENCH_T0 + 1000},
        {.kind = MARK_SEAL, .offset = 1, .value_ms = BENCH_T0 + 400},
        {.kind = MARK_CAP, .offset = 5, .value_ms = BENCH_T0 + 3000}, /* it never came */
        {.kind = MARK_SEAL, .offset = 8, .value_ms = BENCH_T0 + 5000},
    };
    struct bench *bench = time_bench(&any_topic);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.marks = marks;
    bench->config.mark_count = 4;
    any_topic.gaps_expected = true;
    bench_put(feed, 100, "a", "down", "");
    bench_put(feed, 500, "b", "down", "");
    feed->next_offset = 7;
    bench_put(feed, 1200, "c", "down", "");
    bench_run(bench);
    any_topic.gaps_expected = false;
    assert_string_equal(bench->brief, "1000 opened rule one resource=a n=1 alerts=1\n"
                                      "1000 opened rule one resource=b n=1 alerts=1\n"
                                      "1200 opened rule one resource=c n=1 alerts=1\n");
    assert_int_equal(bench->counters.late_by_seal, 2);
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 5200);
    bench_destroy(bench);
}

static void T5_a_record_behind_a_seal_is_raised_to_it_and_counted(void **state)
{
    (void)state;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *idle = bench_feed(bench, "t", 1);

    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 2000, 20);
    int64_t seal = bench_passed(bench, idle);
    bench_put(idle, seal, "in-time", "down", "");
    bench_put(idle, seal - 1, "late", "down", "");
    bench_put(feed, seal + 400, "x", "x", "");
    bench_settle(bench);
    bench_pass(bench, 3000, 20);
    bench_stop(bench);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "%" PRId64 " opened rule one resource=in-time n=1 alerts=1\n"
             "%" PRId64 " opened rule one resource=late n=1 alerts=1\n",
             seal, seal);
    assert_string_equal(bench->brief, expected);
    assert_int_equal(bench->counters.late_by_seal, 1);
    assert_int_equal(bench->counters.late, 0);
    bench_destroy(bench);
}

/* By that who starts from nothing knows when the past is over, whatever time it is of. */
static void S4_the_input_ends_where_all_that_was_there_at_the_start_does(void **state)
{
    (void)state;
    const int64_t day_ms = 24 * 3600 * 1000;
    struct bench *bench = live_bench();
    struct bench_feed *feed = bench_feed(bench, "t", 0), *other = bench_feed(bench, "t", 1);

    bench_wait_behind(other, 1); /* one of it has not come yet */
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 50 - day_ms, "a", "down", "");
    bench_put(other, 40 - day_ms, "b", "down", "");
    bench_settle(bench);
    bench_pass(bench, 100, 10);
    assert_true(engine_input_end(bench->engine) == INT64_MIN);
    bench_put(other, 70 - day_ms, "b", "full", "");
    bench_wait_behind(other, 0);
    bench_settle(bench);
    bench_pass(bench, 100, 10);
    assert_int_equal(engine_input_end(bench->engine) - BENCH_T0, 70 - day_ms);
    assert_true(engine_told(bench->engine) < BENCH_T0 + 70 - day_ms);
    bench_pass(bench, 2000, 10); /* R goes on from there */
    assert_true(engine_told(bench->engine) > BENCH_T0 + 70 - day_ms);
    bench_stop(bench);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T4_a_proven_end_is_sealed_G_behind_R),
        cmocka_unit_test(T4_G_is_fifty_milliseconds_at_least),
        cmocka_unit_test(C3_what_is_pushed_is_stamped_by_the_later_of_N_and_R),
        cmocka_unit_test(T4_R_is_the_least_M_of_partitions_that_are_not_far_behind),
        cmocka_unit_test(T4_old_records_in_a_quiet_topic_close_with_the_clock),
        cmocka_unit_test(T4_behind_a_backlog_without_successors_the_clock_takes_over),
        cmocka_unit_test(T4_the_clock_takes_over_when_the_whole_backlog_has_been_read),
        cmocka_unit_test(T4_an_empty_partition_is_not_sealed_ahead_of_a_backlog),
        cmocka_unit_test(T4_what_comes_behind_a_proof_says_what_time_the_input_has),
        cmocka_unit_test(T4_a_process_stopped_for_an_hour_closes_nothing),
        cmocka_unit_test(T4_an_old_answer_proves_time_only_up_to_itself),
        cmocka_unit_test(T4_a_broker_down_ten_minutes_closes_nothing),
        cmocka_unit_test(T4_a_partition_that_cannot_be_read_is_sealed_on_after_ten_seconds),
        cmocka_unit_test(T4_a_clock_two_hours_behind_alone_on_a_partition_delays_nobody),
        cmocka_unit_test(T4_a_log_time_ahead_of_the_clock_is_capped_and_noted),
        cmocka_unit_test(T4_journaled_marks_hold_where_they_stand),
        cmocka_unit_test(S4_the_input_ends_where_all_that_was_there_at_the_start_does),
        cmocka_unit_test(T5_a_record_behind_a_seal_is_raised_to_it_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
