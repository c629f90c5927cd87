/*
 * Aim: a partition that cannot be read, and a broker that is gone, are told of as spells of
 * blindness: marks, and self-alerts that come from the marks alone (semantics T4b, X1;
 * docs/correlation.md, sections 1 and 3). Method: the bench on virtual time; a rule on the
 * self-alerts shows their times in its lines. Rounds are 200 ms, seal rounds 10 ms, L = G = 500 ms.
 */
#include "tests/engine_bench.h"

static const char rules[] = BENCH_RULE_ONE "  - id: blind\n"
                                           "    where: tenant == \"@tocsin\" && check == "
                                           "\"input-blind\" && severity == CRITICAL\n"
                                           "    by: [resource]\n"
                                           "    window: 1m\n"
                                           "    when: count() >= 1\n"
                                           "    incident: {title: \"{message}\"}\n"
                                           "    close: cleared()\n";

static struct topic_config any_topic = {.disorder_ms = 500, .tenant = "default"};

/* At 1000 both partitions have been sealed by a proof of 990 at most: V lies between 400 and 500,
 * so the first round start at or after the watermark is 400 + 200 at the latest. */
static struct bench *blind_bench(struct bench_feed **feed)
{
    struct bench *bench = bench_create(rules);

    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    bench_go_live(bench);
    bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "t", 1);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    return bench;
}

static const struct mark *mark_of(const struct bench *bench, enum mark_kind kind, uint16_t part)
{
    for (size_t i = 0; i < bench->mark_count; i++)
        if (bench->mark[i].kind == kind && bench->mark[i].part == part)
            return &bench->mark[i];
    fail_msg("no such mark");
    return NULL;
}

static void T4_a_blind_spell_is_told_until_it_is_over(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = blind_bench(feed);

    bench_blind(feed[1]);
    bench_pass(bench, 10, 10);    /* seen since 1010 */
    bench_pass(bench, 9980, 998); /* 20 ms short of 10 s */
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 0);
    bench_pass(bench, 110, 10); /* at 11100 */
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 1);
    assert_int_equal(mark_of(bench, MARK_BLIND_BEGIN, 1)->value_ms, BENCH_T0 + 600);
    bench_pass(bench, 1000, 100);
    assert_string_equal(bench->brief,
                        "600 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "\"title\":\"t/1 cannot be read: what it holds is not "
                                          "correlated\""));
    assert_non_null(strstr(bench->log.at, "\"severity\":\"critical\""));
    bench_pass(bench, 7900, 100); /* at 20000 */
    bench_see(feed[1]);
    bench_pass(bench, 1000, 10);
    /* The end is seen between 20000 and 20200. R has gone on with the clock. */
    assert_int_equal(mark_of(bench, MARK_BLIND_END, 1)->value_ms, BENCH_T0 + 20200);
    assert_string_equal(bench->brief,
                        "600 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n"
                        "20200 closed cleared blind tenant=@tocsin resource=t/1 n=2 alerts=1\n");
    bench_stop(bench);
    assert_int_equal(bench->counters.derived, 2);
    bench_destroy(bench);
}

/* An alert expires when it is silent; that of a spell is told again in time. */
static void T4_the_alert_of_a_spell_does_not_expire_before_its_end(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = bench_create(rules);

    bench->config.expire_ms = 4100; /* reminders at 600 + n * 2000 */
    bench_go_live(bench);
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "t", 1);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    bench_blind(feed[1]);
    bench_pass(bench, 19000, 100);
    bench_see(feed[1]);
    bench_pass(bench, 1000, 10);
    assert_string_equal(bench->brief,
                        "600 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n"
                        "20200 closed cleared blind tenant=@tocsin resource=t/1 n=2 alerts=1\n");
    bench_stop(bench);
    /* Begin and end, and reminders from 2600 to 18600. */
    assert_int_equal(bench->counters.derived, 2 + 9);
    bench_destroy(bench);
}

static void T4_a_broker_that_is_gone_blinds_all_and_closes_nothing(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = blind_bench(feed);

    bench_blind(feed[0]);
    bench_blind(feed[1]);
    bench_pass(bench, 20, 10);
    int64_t watermark = engine_watermark(bench->engine);
    bench_pass(bench, 9900, 990); /* at 10920 */
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 0);
    bench_pass(bench, 589080, 9818); /* at 600000 */
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 2);
    assert_int_equal(mark_of(bench, MARK_BLIND_BEGIN, 0)->value_ms, BENCH_T0 + 600);
    assert_int_equal(mark_of(bench, MARK_BLIND_BEGIN, 1)->value_ms, BENCH_T0 + 600);
    assert_int_equal(engine_watermark(bench->engine), watermark);
    assert_string_equal(bench->brief, "");
    /* One comes back with a record from inside of the outage, the other one had none: nothing
     * was sealed meanwhile, so the record is not late. */
    bench_put(feed[1], 300000, "x", "down", "");
    bench_see(feed[0]);
    bench_pass(bench, 50, 10);
    bench_see(feed[1]);
    bench_pass(bench, 2000, 10);
    assert_string_equal(bench->brief,
                        "600 opened rule blind tenant=@tocsin resource=t/0 n=1 alerts=1\n"
                        "600 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n"
                        "300000 opened rule one resource=x n=1 alerts=1\n"
                        "600000 closed cleared one resource=x n=2 alerts=1\n" /* expired */
                        "600200 closed cleared blind tenant=@tocsin resource=t/0 n=2 alerts=1\n"
                        "600200 closed cleared blind tenant=@tocsin resource=t/1 n=2 alerts=1\n");
    bench_stop(bench);
    assert_int_equal(bench->counters.late_by_seal, 0);
    bench_destroy(bench);
}

/* Even where the first records that come are older than the outage, it lies inside the spell. */
static void T4_the_length_of_an_outage_lies_inside_of_its_spell(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = blind_bench(feed);

    bench_blind(feed[0]);
    bench_answers_set(feed[1], false);
    bench_state_set(feed[1], FEED_STOPPED); /* the bench's feed is read all the same */
    bench_pass(bench, 60000, 1000);         /* at 61000 */
    /* Records come before the state says so; R follows the oldest of them. */
    bench_put(feed[1], 1100, "x", "down", "");
    bench_settle(bench);
    bench_pass(bench, 20, 10);
    bench_see(feed[1]);
    bench_pass(bench, 50, 10);
    assert_int_equal(mark_of(bench, MARK_BLIND_END, 1)->value_ms, BENCH_T0 + 61200);
    bench_stop(bench);
    bench_destroy(bench);
}

static void T4_a_stopped_partition_is_blind_too(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = blind_bench(feed);

    bench_answers_set(feed[1], false);
    bench_state_set(feed[1], FEED_STOPPED);
    bench_pass(bench, 12000, 100);
    assert_string_equal(bench->brief,
                        "600 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n");
    bench_stop(bench);
    bench_destroy(bench);
}

static void T4_a_partition_that_leaves_ends_its_spell(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = blind_bench(feed);

    bench_blind(feed[1]);
    bench_pass(bench, 14000, 100); /* at 15000 */
    bench_change(feed[1], SOURCE_LEAVE);
    bench_pass(bench, 2000, 10);
    assert_string_equal(bench->brief,
                        "600 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n"
                        "15200 closed cleared blind tenant=@tocsin resource=t/1 n=2 alerts=1\n");
    bench_stop(bench);
    bench_destroy(bench);
}

/* One cannot be read from the start: until it is sealed on there is no watermark, and no time
 * that a mark could have. */
static void T4_a_spell_from_the_start_is_told_when_time_begins(void **state)
{
    (void)state;
    struct bench *bench = bench_create(rules);

    bench_go_live(bench);
    struct bench_feed *a = bench_feed(bench, "t", 0), *b = bench_feed(bench, "t", 1);
    bench_start(bench);
    bench_blind(b);
    bench_put(a, 10, "x", "down", "");
    bench_pass(bench, 12000, 100);
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 1);
    assert_non_null(strstr(bench->brief, " opened rule blind tenant=@tocsin resource=t/1 "));
    bench_stop(bench);
    bench_destroy(bench);
}

/* The same log from records and marks, for any number of workers, in any order of reading. */
static void X1_spells_are_replayed_from_their_marks(void **state)
{
    (void)state;
    struct bench_feed *feed[2];
    struct bench *bench = blind_bench(feed);
    struct mark *marks;

    for (int i = 0; i < 40; i++) {
        if (i == 10)
            bench_blind(feed[1]);
        if (i == 30)
            bench_see(feed[1]);
        char name[16];
        snprintf(name, sizeof(name), "h%d", i);
        if (i < 10 || i >= 30)
            bench_put(feed[1], 1000 + i * 1000, name, "down", "");
        bench_put(feed[0], 1000 + i * 1000, name, "down", i % 3 == 0 ? BENCH_CLEAR : "");
        bench_pass(bench, 1000, 100);
    }
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    int64_t watermark = engine_watermark(bench->engine);
    char *live = strdup(bench->log.at);
    uint64_t derived = bench->counters.derived;
    size_t count = bench->mark_count;

    assert_non_null(strstr(live, "can be read again") == NULL ? strstr(live, "t/1") : NULL);
    assert_int_equal(derived, 2);
    marks = malloc(count * sizeof(*marks));
    memcpy(marks, bench->mark, count * sizeof(*marks));
    bench->config.marks = marks;
    bench->config.mark_count = count;
    for (unsigned workers = 1; workers <= 4; workers++) {
        bench_rewind(bench, true);
        bench->config.workers = workers;
        bench->config.shuffle = workers - 1;
        bench->config.epoch_ms = workers % 2 == 0 ? 200 : 20;
        bench_run(bench);
        assert_true(bench->log.used >= strlen(live));
        assert_memory_equal(bench->log.at, live, strlen(live));
        int64_t next = INT64_MAX;
        sscanf(bench->log.at + strlen(live), "{\"at\":%" SCNd64, &next);
        assert_true(next >= watermark);
        assert_int_equal(bench->counters.derived, derived);
    }
    free(marks);
    free(live);
    bench_destroy(bench);
}

/* Marks by hand: out of order, between rounds, of partitions that are not there, and before the
 * first record. */
static void X1_a_spell_counts_from_the_next_round_and_the_last_mark_of_a_time_decides(void **state)
{
    (void)state;
    static const struct mark marks[] = {
        {MARK_BLIND_END, 1, 0, BENCH_T0 + 5000},
        {MARK_BLIND_BEGIN, 1, 0, BENCH_T0 - 3599},  /* rounded up to -3400 */
        {MARK_BLIND_BEGIN, 0, 0, BENCH_T0 + 1000},  /* over at the same time: */
        {MARK_BLIND_END, 0, 0, BENCH_T0 + 1000},    /* a clear of nothing */
        {MARK_BLIND_BEGIN, 7, 0, BENCH_T0 + 1200},  /* of no partition */
        {MARK_BLIND_BEGIN, 0, 0, BENCH_T0 + 10600}, /* at the end: the log ends at 10600 */
    };
    struct bench *bench = bench_create(rules);
    struct bench_feed *a = bench_feed(bench, "t", 0), *b = bench_feed(bench, "t", 1);

    bench->config.marks = marks;
    bench->config.mark_count = sizeof(marks) / sizeof(marks[0]);
    bench_put(a, 4000, "x", "down", "");
    bench_put(b, 10000, "y", "down", ""); /* 10000 + L = 10500, then the next round: 10600 */
    for (unsigned workers = 1; workers <= 3; workers++) {
        bench->config.workers = workers;
        bench_run(bench);
        assert_string_equal(bench->brief,
                            "-3400 opened rule blind tenant=@tocsin resource=t/1 n=1 alerts=1\n"
                            "4000 opened rule one resource=x n=1 alerts=1\n"
                            "5000 closed cleared blind tenant=@tocsin resource=t/1 n=2 alerts=1\n"
                            "10000 opened rule one resource=y n=1 alerts=1\n");
        assert_int_equal(bench->counters.derived, 3);
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

/* Offsets of spells are those that the sequencer has heard of: they may be ahead of a seal's. */
static void X1_a_mark_of_a_spell_does_not_hide_the_seal_behind_it(void **state)
{
    (void)state;
    static const struct mark marks[] = {
        {MARK_BLIND_BEGIN, 0, 1, BENCH_T0 + 200},
        {MARK_SEAL, 0, 0, BENCH_T0 + 3000},
    };
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.marks = marks;
    bench->config.mark_count = 2;
    bench_put(feed, 1000, "x", "down", "");
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "200 opened rule blind tenant=@tocsin resource=t/0 n=1 alerts=1\n"
                        "3000 opened rule one resource=x n=1 alerts=1\n");
    bench_destroy(bench);
}

/* What is pushed can be read whatever happens to the topics, and shows nothing of them. */
static void T9_with_the_intake_alone_nothing_closes(void **state)
{
    (void)state;
    struct bench *bench = bench_create(rules);
    struct bench_feed *topic, *intake;

    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    bench_go_live(bench);
    topic = bench_feed(bench, "t", 0);
    intake = bench_feed(bench, "@intake", -1);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    bench_blind(topic);
    bench_pass(bench, 100, 10);
    int64_t watermark = engine_watermark(bench->engine);
    bench_put(intake, 1100, "x", "down", "");
    bench_pass(bench, 20000, 100);
    assert_int_equal(engine_watermark(bench->engine), watermark);
    bench_see(topic);
    bench_pass(bench, 2000, 10);
    assert_true(engine_watermark(bench->engine) > watermark);
    assert_non_null(strstr(bench->brief, "opened rule one resource=x"));
    bench_stop(bench);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T4_a_blind_spell_is_told_until_it_is_over),
        cmocka_unit_test(T4_the_alert_of_a_spell_does_not_expire_before_its_end),
        cmocka_unit_test(T4_a_broker_that_is_gone_blinds_all_and_closes_nothing),
        cmocka_unit_test(T9_with_the_intake_alone_nothing_closes),
        cmocka_unit_test(T4_the_length_of_an_outage_lies_inside_of_its_spell),
        cmocka_unit_test(T4_a_stopped_partition_is_blind_too),
        cmocka_unit_test(T4_a_partition_that_leaves_ends_its_spell),
        cmocka_unit_test(T4_a_spell_from_the_start_is_told_when_time_begins),
        cmocka_unit_test(X1_spells_are_replayed_from_their_marks),
        cmocka_unit_test(X1_a_mark_of_a_spell_does_not_hide_the_seal_behind_it),
        cmocka_unit_test(X1_a_spell_counts_from_the_next_round_and_the_last_mark_of_a_time_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
