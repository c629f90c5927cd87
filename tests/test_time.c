/*
 * Aim: effective time, seals and the set of input partitions as docs/correlation.md, section 1,
 * and semantics T1 to T9 have them. Method: the bench; recordings for what records alone decide,
 * live runs on virtual time for what the clock and the broker decide. A rule that opens at the
 * first event shows each event's effective time in its line.
 */
#include "tests/engine_bench.h"

static struct topic_config any_topic = {.disorder_ms = 500, .tenant = "default"};

static struct bench *time_bench(struct topic_config *topic)
{
    struct bench *bench = bench_create(BENCH_RULE_ONE);

    bench->config.topics = topic;
    bench->config.topic_count = 1;
    return bench;
}

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

/* --- live: seals
 * ---------------------------------------------------------------------------------- */

static struct bench *live_bench(void)
{
    struct bench *bench = time_bench(&any_topic);

    bench_go_live(bench);
    /* Test clocks are set, not lived through: log times may be far from N. */
    bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    return bench;
}

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

/* --- T6, T7
 * ----------------------------------------------------------------------------------------- */

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

/* --- T8, T9
 * ------------------------------------------------------------------------------------------ */

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
        cmocka_unit_test(T1_own_time_counts_within_the_trusted_range),
        cmocka_unit_test(T1_a_record_without_log_time_takes_the_last_one),
        cmocka_unit_test(T1_what_nothing_dates_is_dated_by_the_input),
        cmocka_unit_test(T1_in_a_plain_file_the_event_lends_its_time),
        cmocka_unit_test(T2_an_event_beyond_the_disorder_is_late_and_not_lost),
        cmocka_unit_test(T2_on_log_append_topics_the_log_time_alone_moves_M),
        cmocka_unit_test(T3_events_count_by_time_topic_partition_offset_sub),
        cmocka_unit_test(T3_windows_are_half_open_and_timers_come_before_events),
        cmocka_unit_test(T8_all_partitions_of_a_recording_are_there_before_time_begins),
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
        cmocka_unit_test(T5_a_record_behind_a_seal_is_raised_to_it_and_counted),
        cmocka_unit_test(T6_a_jump_of_the_wall_clock_changes_nothing),
        cmocka_unit_test(T7_without_disorder_a_topic_runs_in_log_order),
        cmocka_unit_test(T8_a_partition_joins_at_the_watermark),
        cmocka_unit_test(T8_a_leave_drops_its_bins_unread),
        cmocka_unit_test(T8_a_leave_in_the_middle_of_a_record_counts_what_was_read_of_it),
        cmocka_unit_test(T8_the_end_lies_behind_what_was_read_of_one_that_left),
        cmocka_unit_test(T8_partitions_four_to_six_under_load),
        cmocka_unit_test(T9_a_partition_without_records_is_carried_by_seals_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
