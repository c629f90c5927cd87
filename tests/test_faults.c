/*
 * Aim: refused records reach the listener and stop nothing (F1), sums hold in spite of gaps and
 * redelivery (L1 to L4), and a partition far behind the others finishes (F7). Method: recordings
 * on the bench; every figure worked out by hand.
 */
#include "correlate/alert.h"
#include "tests/engine_bench.h"

static void F1_each_kind_of_refusal_is_told_and_the_pipeline_goes_on(void **state)
{
    (void)state;
    struct topic_config topic = {.disorder_ms = 500, .tenant = "acme", .tenant_fixed = true};
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 2);
    char *large = malloc(RECORD_BYTES_MAX + 2), deep[128];

    assert_non_null(large);
    memset(large, ' ', RECORD_BYTES_MAX + 1);
    memcpy(deep, "{\"x\":", 5);
    memset(deep + 5, '[', 40);
    memset(deep + 45, ']', 40);
    memcpy(deep + 85, "}", 2);
    bench->config.topics = &topic;
    bench->config.topic_count = 1;
    bench_put_text(feed, 0, "{\"resource\":");
    bench_put_bytes(feed, 1, large, RECORD_BYTES_MAX + 1);
    bench_put_text(feed, 2, deep);
    bench_put_text(feed, 3, "{\"resource\":\"\xff\",\"check\":\"down\"}");
    bench_put_text(feed, 4, "{\"check\":\"down\"}");
    bench_put_text(feed, 5, "{\"tenant\":\"other\",\"resource\":\"a\",\"check\":\"down\"}");
    bench_put(feed, 6, "a", "down", "");
    bench_run(bench);
    static const char *const begins[] = {"t/2/0 parse at ", "t/2/1 size at ",   "t/2/2 depth at ",
                                         "t/2/3 utf8 at ",  "t/2/4 schema at ", "t/2/5 tenant at "};
    const char *at = bench->rejected.at;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        if (strncmp(at, begins[i], strlen(begins[i])) != 0)
            fail_msg("%s", bench->rejected.at);
        at = strchr(at, '\n') + 1;
    }
    assert_string_equal(at, "");
    assert_null(strstr(bench->rejected.at, "without a sentence"));
    for (int r = REJECT_PARSE; r <= REJECT_TENANT; r++)
        assert_int_equal(bench->counters.rejected[r], 1);
    assert_int_equal(bench->counters.events, 7);
    assert_string_equal(bench->brief, "6 opened rule one tenant=acme resource=a n=1 alerts=1\n");
    free(large);
    bench_destroy(bench);
}

static void L1_L2_gaps_and_redelivered_records_are_accounted_for(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    feed->feed.start_offset = feed->next_offset = 100;
    bench_put(feed, 0, "a", "down", "");
    feed->next_offset = 105; /* four are missing */
    bench_put(feed, 10, "b", "down", "");
    feed->next_offset = 100; /* both come again, and are dropped unread */
    bench_put(feed, 20, "a", "down", BENCH_CLEAR);
    feed->next_offset = 105;
    bench_put(feed, 30, "b", "down", BENCH_CLEAR);
    bench_put(feed, 40, "c", "down", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule one resource=a n=1 alerts=1\n"
                                      "10 opened rule one resource=b n=1 alerts=1\n"
                                      "40 opened rule one resource=c n=1 alerts=1\n");
    assert_int_equal(bench->counters.records, 3);
    assert_int_equal(bench->counters.gaps, 4);
    assert_int_equal(bench->counters.redelivered, 2);
    assert_int_equal(bench->counters.events, 3);
    bench_destroy(bench);
}

static void L3_L4_touches_and_incidents_add_up(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_BY_RESOURCE(
        "three", "down", RULE_ON_EVENTS, "1s", "count() >= 3", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 1, "a", "down", "");
    bench_put(feed, 2, "a", "down", ""); /* opens: three correlated */
    bench_put(feed, 3, "a", "down", ""); /* and a fourth */
    bench_put(feed, 4, "b", "down", "");
    bench_put(feed, 5, "b", "down", "");          /* these two slide out at 1004 and 1005 */
    bench_put(feed, 6, "b", "down", BENCH_CLEAR); /* retired */
    bench_put(feed, 7, "a", "down", BENCH_CLEAR); /* closes: correlated */
    bench_put(feed, 1500, "c", "down", "");       /* pending at the end */
    bench_put(feed, 1500, "c", "down", "");
    bench_run(bench);
    assert_int_equal(bench->counters.touches, 10);
    assert_int_equal(bench->counters.correlated, 5);
    assert_int_equal(bench->counters.expired, 2);
    assert_int_equal(bench->counters.retired, 1);
    assert_int_equal(bench->counters.pending, 2);
    assert_int_equal(bench->counters.evicted, 0);
    assert_int_equal(bench->counters.opened, 1);
    assert_int_equal(bench->counters.closed, 1);
    bench_destroy(bench);
}

static void F7_one_partition_an_hour_behind_finishes(void **state)
{
    (void)state;
    enum { EVENTS = 4000, HOUR = 3600000 };
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *ahead = bench_feed(bench, "t", 0), *behind = bench_feed(bench, "t", 1);

    /* Ten events a second on each; the bins reach some eighty seconds, so one is held most of
     * the time. */
    for (int i = 0; i < EVENTS; i++) {
        bench_put(ahead, HOUR + i * 100, "a", "x", "");
        bench_put(behind, i * 100, "b", "x", "");
    }
    bench_put(behind, HOUR, "b", "down", "");
    for (unsigned workers = 1; workers <= 2; workers++) {
        bench->config.workers = workers;
        bench_run(bench);
        assert_int_equal(bench->counters.records, 2 * EVENTS + 1);
        assert_int_equal(bench->counters.in_bins, 0);
        assert_int_equal(bench->counters.late, 0);
        assert_int_equal(bench->counters.opened, 1);
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

/* One partition is half a minute ahead of the other: 1,500 events of 4 KiB wait in bins at least,
 * and most of its 4,000 where nothing keeps it from being read on, unless who is ahead is not. */
static void F7_with_a_small_budget_who_is_ahead_waits(void **state)
{
    (void)state;
    enum { EVENTS = 4000, AHEAD = 30000, MIB = 1 << 20 };
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *ahead = bench_feed(bench, "t", 0), *behind = bench_feed(bench, "t", 1);
    char *text = malloc(4200);
    char *first = NULL;

    assert_non_null(text);
    for (int i = 0; i < EVENTS; i++) {
        int bytes =
            snprintf(text, 4200, "{\"resource\":\"r%d\",\"check\":\"down\",\"message\":\"", i);
        memset(text + bytes, 'x', 4000);
        strcpy(text + bytes + 4000, "\"}");
        bench_put_text(ahead, AHEAD + i * 20, text);
        bench_put_text(behind, i * 20, text);
    }
    const struct engine_config always = bench->config;
    bench->config.take_max = 64;
    for (int form = 0; form < 3; form++) {
        bench->config.bins_bytes_cached = form == 2 ? MIB : UINT64_MAX;
        bench->config.bins_bytes_max = form == 1 ? MIB : always.bins_bytes_max;
        bench_run(bench);
        assert_int_equal(bench->counters.records, 2 * EVENTS);
        assert_int_equal(bench->counters.late, 0);
        if (form > 0) /* and what steps under way still have */
            assert_true(bench->counters.bins_bytes <= 12 * MIB);
        else
            assert_true(bench->counters.bins_bytes >= 24 * MIB);
        if (first == NULL)
            first = strdup(bench->log.at);
        assert_string_equal(bench->log.at, first); /* X1: memory does not show */
        bench_rewind(bench, true);
    }
    free(first);
    free(text);
    bench_destroy(bench);
}

struct pauses {
    uint64_t of[3];
};

static struct pauses pauses_of(const struct bench *bench)
{
    struct engine_part_counters parts[BENCH_FEEDS];
    struct pauses pauses = {{0}};

    assert_int_equal(engine_part_counters(bench->engine, parts, BENCH_FEEDS), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(parts[i].partition >= 0 && parts[i].partition < 3);
        pauses.of[parts[i].partition] = parts[i].pauses;
    }
    return pauses;
}

/* However little memory may be held, everything goes on: who is ahead of another waits for it, and
 * who is behind all others for nobody. Each ends before the next one begins, so that one is behind
 * all others, and one ahead of all others, to the end. */
static void F7_at_the_budget_who_is_ahead_waits_and_who_is_behind_never(void **state)
{
    (void)state;
    enum { EVENTS = 2000, AHEAD = 30000, MIB = 1 << 20 };
    static const int64_t ahead_ms[3] = {AHEAD, 0, AHEAD / 2};
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    char text[2200], more[2001];
    char *first = NULL;

    memset(more, 'x', sizeof(more) - 1);
    more[sizeof(more) - 1] = '\0';
    for (int p = 0; p < 3; p++) {
        struct bench_feed *feed = bench_feed(bench, "t", p);
        for (int i = 0; i < EVENTS; i++) {
            snprintf(text, sizeof(text),
                     "{\"resource\":\"r%d\",\"check\":\"down\",\"message\":\"%s\"}", i, more);
            bench_put_text(feed, ahead_ms[p] + i * 7, text);
        }
    }
    bench->config.workers = 1; /* who finds out what all have passed looks before each take */
    bench->config.take_max = 64;
    for (int form = 0; form < 2; form++) {
        bench->config.memory_max = form == 0 ? UINT64_MAX : 1;
        bench_run(bench);
        struct pauses pauses = pauses_of(bench);
        assert_int_equal(bench->counters.records, 3 * EVENTS);
        assert_int_equal(bench->counters.late, 0);
        assert_int_equal(bench->counters.pauses, pauses.of[0] + pauses.of[1] + pauses.of[2]);
        if (form == 0) {
            assert_int_equal(bench->counters.pauses, 0);
            assert_true(bench->counters.bins_bytes >= 5 * MIB);
            first = strdup(bench->log.at);
        } else {
            assert_true(pauses.of[0] > 0);
            assert_int_equal(pauses.of[1], 0);
            assert_true(pauses.of[2] > 0);
            assert_true(bench->counters.bins_bytes <= 4 * MIB);
            assert_string_equal(bench->log.at, first); /* X1: memory does not show */
        }
        bench_rewind(bench, true);
    }
    free(first);
    bench_destroy(bench);
}

/* What is held is all that is there: alerts and keys with their tables, and nothing that has gone.
 */
static void F7_what_is_held_is_counted(void **state)
{
    (void)state;
    enum { EVENTS = 20000 };
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char resource[16];

    for (int i = 0; i < EVENTS; i++) {
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, i, resource, "down", "");
    }
    bench_run(bench);
    /* An alert has a slot of 32 bytes at a load of 1/2, a cold record and a timer; a key a state of
     * 40 bytes, a slot and a timer of 8 each. Words and windows lie in slabs. */
    const uint64_t least = EVENTS * (2 * 32 + sizeof(struct alert_cold) + 16 + 40 + 8 + 8);
    assert_in_range(bench->counters.table_bytes, least, 3 * least);
    assert_in_range(bench->counters.state_bytes, EVENTS * 64, EVENTS * 1000);
    assert_int_equal(engine_held_bytes(bench->engine),
                     bench->counters.table_bytes + bench->counters.state_bytes +
                         bench->counters.bins_bytes + bench->counters.touch_bytes);
    assert_true(bench->counters.touch_bytes >= 96);
    /* Each open incident as it was told last. */
    assert_in_range(incident_bytes_held(), EVENTS * sizeof(struct incident), EVENTS * 4096);
    bench_destroy(bench);
    assert_int_equal(incident_bytes_held(), 0);
}

static int64_t lag_of(const struct bench *bench)
{
    struct engine_part_counters part;

    assert_int_equal(engine_part_counters(bench->engine, &part, 1), 1);
    return part.lag;
}

/* Nothing is taken while the outbox is full: what waits meanwhile is counted all the same. */
static void the_lag_grows_while_a_full_outbox_holds_the_input(void **state)
{
    static const char *const sinks[] = {"pager"};
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);

    bench_go_live(bench);
    bench->config.sink_names = sinks;
    bench->config.sink_count = 1;
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_pass(bench, 1000, 500);
    atomic_store(&bench->is_full, true);
    bench_put(feed, 1000, "a", "down", "");
    bench_pass(bench, 1000, 100); /* its op is refused */
    bench_put(feed, 1900, "b", "down", "");
    bench_put(feed, 1900, "c", "down", "");
    bench_pass(bench, 100, 10);
    assert_int_equal(lag_of(bench), 2);
    bench_put(feed, 2000, "d", "down", "");
    bench_pass(bench, 100, 10);
    assert_int_equal(lag_of(bench), 3);
    atomic_store(&bench->is_full, false);
    bench_pass(bench, 1000, 100);
    assert_int_equal(lag_of(bench), 0);
    bench_stop(bench);
    assert_int_equal(bench->counters.opened, 4);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F1_each_kind_of_refusal_is_told_and_the_pipeline_goes_on),
        cmocka_unit_test(L1_L2_gaps_and_redelivered_records_are_accounted_for),
        cmocka_unit_test(L3_L4_touches_and_incidents_add_up),
        cmocka_unit_test(the_lag_grows_while_a_full_outbox_holds_the_input),
        cmocka_unit_test(F7_one_partition_an_hour_behind_finishes),
        cmocka_unit_test(F7_with_a_small_budget_who_is_ahead_waits),
        cmocka_unit_test(F7_at_the_budget_who_is_ahead_waits_and_who_is_behind_never),
        cmocka_unit_test(F7_what_is_held_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
