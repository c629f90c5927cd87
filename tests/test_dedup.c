/*
 * Aim: repeats fold, problems pair with clears, flapping is damped, silence ends an alert and
 * the bound holds, as docs/correlation.md, section 2, has it. Method: small recordings on the
 * bench; lines and counts worked out by hand.
 */
#include "base/hash.h"
#include "tests/engine_bench.h"
#include "tests/random_seed.h"

static struct bench *dedup_bench(struct bench_feed **feed)
{
    struct bench *bench = bench_create(BENCH_RULE_ONE);

    *feed = bench_feed(bench, "t", 0);
    return bench;
}

static void the_fingerprint_is_tenant_source_resource_and_check(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = dedup_bench(&feed);

    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 1, "a", "down", ",\"message\":\"again\",\"value\":3"); /* no part of it */
    bench_put(feed, 2, "a", "down", ",\"source\":\"s\"");
    bench_put(feed, 3, "a", "down", ",\"tenant\":\"x\"");
    bench_put(feed, 4, "ad", "own", "");
    bench_put(feed, 5, "a", "down", ",\"dedup_key\":\"k\"");
    bench_put(feed, 6, "b", "down", ",\"dedup_key\":\"k\""); /* same key: the same alert, changed */
    bench_run(bench);
    assert_int_equal(bench->counters.alerts_opened, 5);
    assert_int_equal(bench->counters.duplicate, 1);
    bench_destroy(bench);
}

static void problems_pair_with_clears_and_come_back(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = dedup_bench(&feed);

    bench_put(feed, 0, "a", "down", BENCH_CLEAR); /* of nothing: no alert, unmatched */
    bench_put(feed, 10, "a", "down", "");
    bench_put(feed, 20, "a", "down", ""); /* duplicate */
    bench_put(feed, 30, "a", "down", BENCH_CLEAR);
    bench_put(feed, 40, "a", "down", BENCH_CLEAR); /* duplicate */
    bench_put(feed, 50, "a", "down", "");          /* re-fire */
    bench_run(bench);
    assert_string_equal(bench->brief, "10 opened rule one resource=a n=1 alerts=1\n"
                                      "30 closed cleared one resource=a n=2 alerts=1\n"
                                      "50 opened rule one resource=a n=1 alerts=1\n");
    assert_int_equal(bench->counters.unmatched, 1);
    assert_int_equal(bench->counters.duplicate, 2);
    assert_int_equal(bench->counters.routed, 3);
    assert_int_equal(bench->counters.alerts_refired, 1);
    assert_int_equal(bench->counters.alerts_opened, 1);
    bench_destroy(bench);
}

/* Three logins of three users are one alert. A rule on events counts each of them, one on alerts
 * what the alert is now. */
static void events_of_other_labels_are_counted(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n" RULE_BY_RESOURCE("events", "login", RULE_ON_EVENTS, "1m",
                                    "count() >= 3 && distinct(labels.user) >= 3 && sum(value) >= 6",
                                    "cleared()")
            RULE_BY_RESOURCE("alerts", "login", "", "1m", "count() >= 2", "cleared()")
                RULE_BY_RESOURCE("now", "login", "", "1m", "max(value) >= 3", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_rule_counters row[3];

    bench_put(feed, 10, "a", "login", ",\"value\":1,\"labels\":{\"user\":\"x\"}");
    bench_put(feed, 20, "a", "login", ",\"value\":2,\"labels\":{\"user\":\"y\"}");
    bench_put(feed, 30, "a", "login", ",\"value\":3,\"labels\":{\"user\":\"z\"}");
    bench_put(feed, 40, "a", "login", ",\"value\":4,\"labels\":{\"user\":\"z\"}"); /* a repeat */
    bench_run(bench);
    assert_string_equal(bench->brief, "30 opened rule events resource=a n=1 alerts=1\n"
                                      "30 opened rule now resource=a n=1 alerts=1\n");
    assert_non_null(strstr(bench->log.at,
                           "\"why\":\"3 events in 1m (needs 3); 3 different values of "
                           "labels.user in 1m (needs 3): x, y, z; "
                           "sum(value) is 6 in 1m (needs at least 6)\""));
    assert_int_equal(engine_rule_counters(bench->engine, row, 3), 3);
    assert_string_equal(row[1].rule_id, "events");
    assert_int_equal(row[0].touches, 3);
    assert_int_equal(row[1].touches, 4);
    assert_int_equal(bench->counters.routed, 4);
    bench_destroy(bench);
}

static void a_silent_alert_expires_at_last_plus_expire(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = dedup_bench(&feed);

    bench->config.expire_ms = 1000;
    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 999, "a", "down", ""); /* a repeat one before the time keeps it */
    /* At exactly the time the timer comes first: a new alert. */
    bench_put(feed, 1999, "a", "down", "");
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule one resource=a n=1 alerts=1\n"
                                      "1999 closed cleared one resource=a n=2 alerts=1\n"
                                      "1999 opened rule one resource=a n=1 alerts=1\n"
                                      "2999 closed cleared one resource=a n=2 alerts=1\n");
    assert_int_equal(bench->counters.alerts_expired, 2);
    assert_int_equal(bench->counters.alerts_refired, 0);
    bench_destroy(bench);
}

static void flapping_begins_and_ends_with_hysteresis(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = dedup_bench(&feed);

    bench->config.flap_start = 4;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 100, "a", "down", BENCH_CLEAR);
    bench_put(feed, 200, "a", "down", "");
    bench_put(feed, 300, "a", "down", BENCH_CLEAR); /* the fourth: flapping, still routed */
    bench_put(feed, 400, "a", "down", "");          /* folded from here on */
    bench_put(feed, 500, "a", "down", BENCH_CLEAR);
    bench_put(feed, 600, "a", "down", "");
    /* Changes at 300..600 remembered. At most one lies in the window when the second newest, 500,
     * is 1000 old: it ends at 1500, open though told closed, and is told then. */
    bench_put(feed, 1490, "x", "x", "");
    bench_put(feed, 1600, "a", "down", BENCH_CLEAR); /* calm again */
    bench_run(bench);
    assert_string_equal(bench->brief, "0 opened rule one resource=a n=1 alerts=1\n"
                                      "100 closed cleared one resource=a n=2 alerts=1\n"
                                      "200 opened rule one resource=a n=1 alerts=1\n"
                                      "300 closed cleared one resource=a n=2 alerts=1\n"
                                      "1500 opened rule one resource=a n=1 alerts=1\n"
                                      "1600 closed cleared one resource=a n=2 alerts=1\n");
    assert_int_equal(bench->counters.flap_begun, 1);
    assert_int_equal(bench->counters.flap_ended, 1);
    assert_int_equal(bench->counters.flap_folded, 3);
    bench_destroy(bench);
}

static void the_flap_window_is_open_at_its_begin(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = dedup_bench(&feed);

    bench->config.flap_start = 3;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    bench_put(feed, 0, "out", "down", "");
    bench_put(feed, 1, "in", "down", "");
    bench_put(feed, 500, "out", "down", BENCH_CLEAR);
    bench_put(feed, 500, "in", "down", BENCH_CLEAR);
    bench_put(feed, 1000, "out", "down", ""); /* 0 is not in (0, 1000] */
    bench_put(feed, 1000, "in", "down", "");
    bench_run(bench);
    assert_int_equal(bench->counters.flap_begun, 1);
    bench_destroy(bench);
}

static void the_bound_holds_at_round_ends(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = dedup_bench(&feed);

    bench->config.alerts_max = 2;
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "r%d", i);
        bench_put(feed, i, name, "x", ""); /* no rule: no self-alert either */
    }
    bench_put(feed, 150, "r0", "x", ""); /* within the round nothing has gone yet: a repeat */
    bench_put(feed, 300, "r1", "x", ""); /* it had gone: anew, though r4 and r0 stay */
    bench_put(feed, 310, "r4", "x", "");
    bench_run(bench);
    assert_int_equal(bench->counters.duplicate, 2);
    assert_int_equal(bench->counters.alerts_opened, 6);
    assert_int_equal(bench->counters.alerts_evicted, 4);
    assert_int_equal(bench->counters.alerts, 2);
    bench_destroy(bench);
}

enum { CROWD = 300, CROWD_MAX = 100, CROWD_ROUNDS = 150, CROWD_EXPIRE_MS = 2000 };

/* What is left of `last_ms` (INT64_MIN: no alert) at a round's end. Returns how many went. */
static unsigned crowd_evict(int64_t last_ms[CROWD], int64_t end_ms, uint64_t *expired)
{
    unsigned count = 0, gone = 0;

    for (int i = 0; i < CROWD; i++) {
        if (last_ms[i] != INT64_MIN && last_ms[i] + CROWD_EXPIRE_MS < end_ms) {
            last_ms[i] = INT64_MIN;
            ++*expired;
        }
        count += last_ms[i] != INT64_MIN;
    }
    for (; count > CROWD_MAX; count--, gone++) {
        int least = -1;
        for (int i = 0; i < CROWD; i++)
            if (last_ms[i] != INT64_MIN && (least < 0 || last_ms[i] < last_ms[least]))
                least = i;
        last_ms[least] = INT64_MIN;
    }
    return gone;
}

/* Bursts of one millisecond fill the table, then a few come in each round: whoever goes first of
 * the burst is known for many rounds ahead, while some of it are heard of again, or expire. */
static void the_bound_takes_a_crowd_of_one_millisecond_in_order(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        struct bench_feed *feed;
        struct bench *bench = dedup_bench(&feed);
        uint64_t random = random_seed("CROWD_SEED") + workers, opened = 0, repeats = 0;
        uint64_t expired = 0, evicted = 0;
        int64_t last_ms[CROWD];

        bench->config.workers = workers;
        bench->config.alerts_max = CROWD_MAX;
        bench->config.expire_ms = CROWD_EXPIRE_MS;
        for (int i = 0; i < CROWD; i++)
            last_ms[i] = INT64_MIN;
        for (int round = 0; round < CROWD_ROUNDS; round++) {
            int64_t begin_ms = round * (int64_t)bench->config.round_ms, at_ms = begin_ms;
            int count = round % 12 == 0 ? 90 : round % 7 == 0 ? 0 : 12;
            for (int n = 0; n < count; n++) {
                random = hash_mix(random + 1);
                unsigned i = (unsigned)(random % CROWD);
                char name[16];
                if (count == 12) /* at the round's first and last moment, too */
                    at_ms = begin_ms + n / 4 * (int64_t)(bench->config.round_ms - 1) / 2;
                if (last_ms[i] != INT64_MIN && last_ms[i] + CROWD_EXPIRE_MS <= at_ms) {
                    last_ms[i] = INT64_MIN;
                    expired++;
                }
                repeats += last_ms[i] != INT64_MIN;
                opened += last_ms[i] == INT64_MIN;
                last_ms[i] = at_ms;
                snprintf(name, sizeof(name), "r%03u", i);
                bench_put(feed, at_ms, name, "x", "");
            }
            evicted += crowd_evict(last_ms, begin_ms + bench->config.round_ms, &expired);
        }
        bench_run(bench);
        assert_int_equal(bench->counters.duplicate, repeats);
        assert_int_equal(bench->counters.alerts_opened, opened);
        assert_int_equal(bench->counters.alerts_evicted, evicted);
        assert_in_range(evicted, 300, opened);
        assert_int_equal(bench->counters.alerts_expired, expired);
        assert_in_range(expired, 100, opened);
        bench_destroy(bench);
    }
}

/* The alerts of a, b and c were last heard of at 1000, 2400 and 3900; from the switch on 1 s is
 * long enough. Those of a and b are over with it, that of c in its time. */
static void X5_what_is_over_under_new_terms_is_over_when_they_begin(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct engine_terms terms;
    char expected[512];

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_pass(bench, 1000, 500);
    bench_put(feed, 1000, "a", "down", "");
    bench_pass(bench, 1400, 700);
    bench_put(feed, 2400, "b", "down", "");
    bench_pass(bench, 1500, 500);
    bench_put(feed, 3900, "c", "down", "");
    bench_settle(bench);
    bench_pass(bench, 10, 5);
    terms = engine_terms_of(&bench->config);
    terms.expire_ms = 1000;
    engine_switch(bench->engine, parse_good(BENCH_RULE_ONE), &terms);
    bench_settle(bench);
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    int64_t at = bench_mark(bench, MARK_SWITCH).value_ms - BENCH_T0;
    assert_in_range(at, 3900, 4800);
    snprintf(expected, sizeof(expected),
             "1000 opened rule one resource=a n=1 alerts=1\n"
             "2400 opened rule one resource=b n=1 alerts=1\n"
             "3900 opened rule one resource=c n=1 alerts=1\n"
             "%" PRId64 " closed cleared one resource=a n=2 alerts=1\n"
             "%" PRId64 " closed cleared one resource=b n=2 alerts=1\n"
             "4900 closed cleared one resource=c n=2 alerts=1\n",
             at, at);
    assert_string_equal(bench->brief, expected);
    bench_destroy(bench);
}

/* Two that flap: three changes within 10 s begin it. From the switch on none flaps that has no
 * more changes than end it, and changes are remembered as far as there is room. */
static void X5_what_flaps_is_judged_anew_when_terms_begin(void **state)
{
    static const struct {
        unsigned start, stop;
        int64_t window_ms;
        uint64_t flapping; /* behind the switch */
    } rows[] = {
        {0, 0, 10000, 0}, /* nothing flaps any more */
        {4, 3, 10000, 0}, /* three end it by now */
        {4, 2, 10000, 1}, /* three are still too many */
        {2, 1, 10000, 1}, /* two are remembered, and too many */
        {3, 1, 100, 0},   /* they lie too far back */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *bench = bench_create(BENCH_RULE_ONE);
        struct engine_terms terms;
        bench_go_live(bench);
        bench->config.flap_start = 3;
        bench->config.flap_stop = 1;
        bench->config.flap_window_ms = 10000;
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench_start(bench);
        bench_pass(bench, 2000, 500);
        bench_put(feed, 1000, "a", "down", "");
        bench_put(feed, 1010, "a", "down", BENCH_CLEAR);
        bench_put(feed, 1020, "a", "down", "");
        bench_settle(bench);
        bench_pass(bench, 10, 5);
        terms = engine_terms_of(&bench->config);
        terms.flap_start = rows[i].start;
        terms.flap_stop = rows[i].stop;
        terms.flap_window_ms = rows[i].window_ms;
        engine_switch(bench->engine, parse_good(BENCH_RULE_ONE), &terms);
        bench_settle(bench);
        bench_pass(bench, 2000, 100);
        bench_stop(bench);
        assert_int_equal(bench->counters.flap_begun, 1);
        if (bench->counters.flap_begun - bench->counters.flap_ended != rows[i].flapping)
            fail_msg("row %zu", i);
        bench_destroy(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fingerprint_is_tenant_source_resource_and_check),
        cmocka_unit_test(problems_pair_with_clears_and_come_back),
        cmocka_unit_test(events_of_other_labels_are_counted),
        cmocka_unit_test(a_silent_alert_expires_at_last_plus_expire),
        cmocka_unit_test(flapping_begins_and_ends_with_hysteresis),
        cmocka_unit_test(the_flap_window_is_open_at_its_begin),
        cmocka_unit_test(the_bound_holds_at_round_ends),
        cmocka_unit_test(the_bound_takes_a_crowd_of_one_millisecond_in_order),
        cmocka_unit_test(X5_what_is_over_under_new_terms_is_over_when_they_begin),
        cmocka_unit_test(X5_what_flaps_is_judged_anew_when_terms_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
