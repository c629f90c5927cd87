/*
 * Aim: the same records and marks give the same incident log and ledger, however the work is
 * cut and whoever does it (semantics X1 to X4, X6, X7). Method: recordings on the bench, run in
 * many forms and compared as bytes; live runs on virtual time compared with their replay; small
 * cases whose lines are worked out by hand.
 */
#include "tests/engine_bench.h"
#include "base/hash.h"

/* What bounds took is told at 20 s, amid the storm. */
enum { STORM_FROM_MS = 15000, STORM_LIVE_FROM_MS = 18000 };

static const char storm_rules[] = RULES_STORM("6", "");

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(random_state) % n;
}

/* One event of a storm: few resources, so that alerts flap, repeat, clear and come back. */
static void storm_put(struct bench_feed *feed, int64_t at)
{
    char resource[8], more[96];
    uint64_t number = random_below(40);

    snprintf(resource, sizeof(resource), "r%" PRIu64, number);
    snprintf(more, sizeof(more),
             ",\"state\":\"%s\",\"severity\":\"%s\",\"labels\":{\"rack\":\"%d\"}",
             random_below(3) != 0 ? "problem" : "clear", random_below(2) != 0 ? "major" : "warning",
             (int)number % 5);
    bench_put(feed, at, resource, random_below(4) != 0 ? "down" : "slow", more);
}

static struct bench *storm_bench(void)
{
    static const char *const sinks[] = {"pager", "tickets"};
    struct bench *bench = bench_create(storm_rules);

    bench->config.alerts_max = 25;
    bench->config.expire_ms = 4000;
    bench->config.flap_window_ms = 5000;
    bench->config.sink_names = sinks;
    bench->config.sink_count = 2;
    return bench;
}

static struct bench *storm_recording(void)
{
    struct bench *bench = storm_bench();

    random_state = 11;
    for (int p = 0; p < 5; p++) {
        struct bench_feed *feed = bench_feed(bench, p < 2 ? "a" : "b", p);
        int64_t at = STORM_FROM_MS + (int64_t)random_below(500);
        for (int r = 0; r < 300; r++) {
            at += (int64_t)random_below(60);
            if (random_below(50) == 0)
                bench_put_text(feed, at, "{");
            else
                storm_put(feed, at - (int64_t)random_below(2) * (int64_t)random_below(700));
        }
    }
    return bench;
}

static char *kept(const struct bench_text *text)
{
    char *copy = malloc(text->used + 1);

    assert_non_null(copy);
    memcpy(copy, text->at, text->used);
    copy[text->used] = '\0';
    return copy;
}

/* What may differ between two forms of one run: how the work was cut, and memory. */
static void forget_form(struct engine_counters *counters)
{
    counters->steps = counters->rounds = counters->seals = counters->sleeps = 0;
    counters->bins_bytes = counters->state_bytes = 0;
    counters->table_bytes = counters->touch_bytes = counters->pauses = counters->paused = 0;
}

static void X1_the_log_depends_on_no_form_of_the_work(void **state)
{
    (void)state;
    static const struct form {
        unsigned workers, epoch_ms;
        size_t take;
        uint64_t shuffle, seed;
        bool refuses;
        bool bins_are_full;            /* from the first event on */
        size_t sort_max, step_touches; /* 0: as always */
    } forms[] = {
        {2, 20, 512, 0, 7, false, false, 0, 0},     {3, 20, 1, 0, 7, false, false, 0, 0},
        {8, 20, 512, 0, 7, false, false, 0, 0},     {1, 20, 1, 0, 7, false, false, 0, 0},
        {1, 200, 512, 0, 7, false, false, 0, 0},    {1, 1, 512, 0, 7, false, false, 0, 0},
        {4, 40, 7, 1, 7, false, false, 0, 0},       {4, 50, 100, 2, 7, true, false, 0, 0},
        {1, 20, 64, 3, 7, true, false, 0, 0},       {2, 20, 512, 0, 1, false, false, 0, 0},
        {5, 100, 3, 4, 99, true, false, 0, 0},      {7, 20, 16, 5, 12345, false, false, 0, 0},
        {1, 20, 64, 0, 7, false, true, 0, 0},       {3, 1, 7, 6, 7, false, true, 0, 0},
        {2, 200, 512, 7, 7, true, true, 0, 0},      {1, 20, 512, 0, 7, false, false, 1, 1},
        {3, 200, 512, 8, 7, false, false, 40, 300},
    };
    struct engine_config always;
    struct bench *bench = storm_recording();
    struct engine_counters expected;

    engine_config_init(&always);
    bench_run(bench);
    char *log = kept(&bench->log);
    expected = bench->counters;
    forget_form(&expected);
    /* The case is rich: everything that bounds and timers do is in it. */
    assert_true(expected.opened > 50 && expected.closed > 20 && expected.updates > 5);
    assert_true(expected.alerts_evicted > 5 && expected.keys_evicted > 5 && expected.derived > 2);
    assert_true(expected.flap_folded > 0 && expected.late > 5);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct form *form = &forms[i];
        bench_rewind(bench, true);
        bench->config.workers = form->workers;
        bench->config.epoch_ms = form->epoch_ms;
        bench->config.take_max = form->take;
        bench->config.shuffle = form->shuffle;
        bench->config.seed = form->seed;
        bench->config.bins_bytes_max = form->bins_are_full ? 0 : always.bins_bytes_max;
        bench->config.sort_max = form->sort_max > 0 ? form->sort_max : always.sort_max;
        bench->config.step_touches =
            form->step_touches > 0 ? form->step_touches : always.step_touches;
        bench->refuses = form->refuses;
        bench_run(bench);
        if (strcmp(bench->log.at, log) != 0)
            fail_msg("form %zu gives another log", i);
        forget_form(&bench->counters);
        assert_memory_equal(&bench->counters, &expected, sizeof(expected));
    }
    free(log);
    bench_destroy(bench);
}

/* A hundred rules ask for every event: 6,400 touches are those of 64 events. */
static void a_step_takes_as_many_events_as_its_touches_allow(void **state)
{
    enum { RULES = 100, EVENTS = 2000, AIM = 6400 };
    static char rules[RULES * 200];
    size_t used = (size_t)snprintf(rules, sizeof(rules), "rules:\n");
    char *log = NULL;

    (void)state;
    for (int r = 0; r < RULES; r++)
        used += (size_t)snprintf(rules + used, sizeof(rules) - used,
                                 "  - {id: r%d, where: check == \"down\", by: [host], window: 1m, "
                                 "when: count() >= %d, incident: {title: t}, close: cleared()}\n",
                                 r, r == 0 ? 1 : 2);
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "a", 0);
    for (int i = 0; i < EVENTS; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "h%d", i);
        bench_put(feed, 1000 + 20 * i, resource, "down", "");
    }
    for (int small = 0; small < 2; small++) {
        if (small == 1)
            bench_rewind(bench, true);
        bench->config.workers = 1;
        if (small == 1)
            bench->config.step_touches = AIM;
        bench_run(bench);
        assert_int_equal(bench->counters.touches, RULES * EVENTS);
        if (small == 0)
            log = kept(&bench->log);
    }
    assert_string_equal(bench->log.at, log);
    assert_true(bench->counters.steps >= EVENTS / (AIM / RULES));
    free(log);
    bench_destroy(bench);
}

static void X3_nothing_depends_on_zone_or_seed(void **state)
{
    (void)state;
    struct bench *bench = storm_recording();

    bench_run(bench);
    char *log = kept(&bench->log);
    for (uint64_t seed = 1; seed < 6; seed++) {
        bench_rewind(bench, true);
        setenv("TZ", seed % 2 != 0 ? "Asia/Kathmandu" : "UTC+11", 1);
        bench->config.seed = seed * 0x9e3779b97f4a7c15ULL;
        bench_run(bench);
        assert_string_equal(bench->log.at, log);
    }
    unsetenv("TZ");
    free(log);
    bench_destroy(bench);
}

static void X2_changes_of_one_time_come_in_the_order_of_their_causes(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE RULE_BY_RESOURCE(
        "another", "down", "", "1m", "count() >= 1", "fewer(1, 1s)"));
    struct bench_feed *b = bench_feed(bench, "b", 0), *a = bench_feed(bench, "a", 0);

    bench_put(b, 100, "w", "down", "");
    bench_put(b, 100, "v", "down", "");
    bench_put(a, 100, "z", "down", "");
    /* At 1100 timers of two keys, by key, come before an event of that time. */
    bench_put(a, 1100, "y", "down", "");
    for (unsigned workers = 1; workers <= 8; workers++) {
        bench->config.workers = workers;
        bench->config.shuffle = workers - 1;
        bench_run(bench);
        assert_string_equal(bench->brief, "100 opened rule another resource=z n=1 alerts=1\n"
                                          "100 opened rule one resource=z n=1 alerts=1\n"
                                          "100 opened rule another resource=w n=1 alerts=1\n"
                                          "100 opened rule one resource=w n=1 alerts=1\n"
                                          "100 opened rule another resource=v n=1 alerts=1\n"
                                          "100 opened rule one resource=v n=1 alerts=1\n"
                                          "1100 closed fewer another resource=v n=2 alerts=1\n"
                                          "1100 closed fewer another resource=w n=2 alerts=1\n"
                                          "1100 closed fewer another resource=z n=2 alerts=1\n"
                                          "1100 opened rule another resource=y n=1 alerts=1\n"
                                          "1100 opened rule one resource=y n=1 alerts=1\n");
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

/* --- live and replayed
 * ---------------------------------------------------------------------------- */

/* A storm over three partitions as it happens; the third is fed `lag_ms` late. */
static struct bench *storm_live(int64_t lag_ms, unsigned workers)
{
    struct bench *bench = storm_bench();
    struct bench_feed *feed[4];

    bench_go_live(bench);
    bench->config.workers = workers;
    random_state = 5;
    for (int p = 0; p < 4; p++)
        feed[p] = bench_feed(bench, "t", p); /* the last one stays empty */
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, STORM_LIVE_FROM_MS, 1000);
    for (int64_t at = STORM_LIVE_FROM_MS; at < STORM_LIVE_FROM_MS + 3600; at += 40) {
        for (int p = 0; p < 3; p++)
            if (random_below(3) != 0)
                storm_put(feed[p], at - (p == 2 ? lag_ms : (int64_t)random_below(400)));
        if (at % 80 == 0) /* not every step: engine and test run beside each other */
            bench_settle(bench);
        bench_clock_move(bench, 40);
    }
    bench_pass(bench, 600, 100); /* not as far as the end of a recording of it */
    bench_stop(bench);
    assert_true(bench_marks(bench, MARK_SEAL) > 20);
    return bench;
}

/* The live log is what the replay says up to the live watermark. */
static void assert_replay_begins_with(struct bench *bench, const char *live, int64_t watermark)
{
    size_t used = strlen(live);

    assert_true(used > 1000);
    assert_true(bench->log.used >= used);
    if (strncmp(bench->log.at, live, used) != 0)
        fail_msg("the replay is another story");
    int64_t next = INT64_MAX;
    sscanf(bench->log.at + used, "{\"at\":%" SCNd64, &next);
    assert_true(next >= watermark);
}

static void X1b_live_is_replayed_where_no_seal_changed_a_time(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        struct bench *bench = storm_live(0, workers);
        char *live = kept(&bench->log);
        int64_t watermark = engine_watermark(bench->engine);

        assert_int_equal(bench->counters.late_by_seal, 0);
        bench_rewind(bench, true); /* without any mark */
        bench_run(bench);
        assert_replay_begins_with(bench, live, watermark);
        free(live);
        bench_destroy(bench);
    }
}

static void X1_marks_make_a_run_repeatable_that_seals_have_changed(void **state)
{
    (void)state;
    /* 6 s behind is more than B: this partition does not hold R back, its events are late. */
    struct bench *bench = storm_live(6000, 2);
    char *live = kept(&bench->log);
    int64_t watermark = engine_watermark(bench->engine);
    uint64_t late = bench->counters.late_by_seal;
    size_t count = bench->mark_count;
    struct mark *marks = malloc(count * sizeof(*marks));

    assert_non_null(marks);
    memcpy(marks, bench->mark, count * sizeof(*marks));
    assert_true(late > 10);
    bench_rewind(bench, true);
    bench->config.marks = marks;
    bench->config.mark_count = count;
    bench_run(bench);
    assert_int_equal(bench->counters.late_by_seal, late);
    assert_replay_begins_with(bench, live, watermark);
    /* And without them it is another log: the seals did change something. */
    bench_rewind(bench, true);
    bench->config.mark_count = 0;
    bench_run(bench);
    assert_int_equal(bench->counters.late_by_seal, 0);
    assert_int_not_equal(strncmp(bench->log.at, live, strlen(live)), 0);
    free(marks);
    free(live);
    bench_destroy(bench);
}

/* --- bounds
 * ------------------------------------------------------------------------------------------- */

static void X4_a_bound_of_four_alerts_with_one_to_eight_workers(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.alerts_max = 4;
    /* Six alerts in one round: at its end those with the smallest (last, identity) go. f is the
     * oldest; b, d and e are of one time, so b goes and d and e stay. A repeat of a has made it
     * the newest. */
    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 10, "f", "down", "");
    bench_put(feed, 50, "e", "down", "");
    bench_put(feed, 50, "b", "down", "");
    bench_put(feed, 50, "d", "down", "");
    bench_put(feed, 60, "c", "down", "");
    bench_put(feed, 70, "a", "down", "");
    /* After it: a clear of an evicted alert is of none, one of a kept alert closes. */
    bench_put(feed, 250, "b", "down", BENCH_CLEAR);
    bench_put(feed, 260, "d", "down", BENCH_CLEAR);
    /* In a later round f comes back: there are five, and e goes. */
    bench_put(feed, 410, "f", "down", "");
    for (unsigned form = 0; form < 16; form++) {
        bench->config.workers = form % 8 + 1;
        bench->config.epoch_ms = form < 8 ? 20 : 200;
        bench_run(bench);
        assert_string_equal(bench->brief, "0 opened rule one resource=a n=1 alerts=1\n"
                                          "10 opened rule one resource=f n=1 alerts=1\n"
                                          "50 opened rule one resource=e n=1 alerts=1\n"
                                          "50 opened rule one resource=b n=1 alerts=1\n"
                                          "50 opened rule one resource=d n=1 alerts=1\n"
                                          "60 opened rule one resource=c n=1 alerts=1\n"
                                          "200 updated evicted one resource=b n=2 alerts=1\n"
                                          "200 updated evicted one resource=f n=2 alerts=1\n"
                                          "260 closed cleared one resource=d n=2 alerts=1\n"
                                          "600 updated evicted one resource=e n=2 alerts=1\n");
        assert_int_equal(bench->counters.alerts_evicted, 3);
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

static void X4_keys_go_oldest_first_and_open_incidents_last(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_BY_RESOURCE(
        "two", "down", RULE_ON_EVENTS "    max_keys: 4\n", "1m", "count() >= 2", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    /* a and b open; they are the oldest keys, and stay: x and y of those that only watch go. */
    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 1, "a", "down", "");
    bench_put(feed, 2, "b", "down", "");
    bench_put(feed, 3, "b", "down", "");
    bench_put(feed, 10, "y", "down", "");
    bench_put(feed, 10, "x", "down", "");
    bench_put(feed, 20, "v", "down", "");
    bench_put(feed, 30, "w", "down", "");
    /* The next round: x has to begin anew; v opens. */
    bench_put(feed, 210, "x", "down", "");
    bench_put(feed, 220, "v", "down", "");
    /* Then c and d open too: w and x go (watching), and of five incidents the oldest touched. */
    bench_put(feed, 410, "c", "down", "");
    bench_put(feed, 411, "c", "down", "");
    bench_put(feed, 412, "d", "down", "");
    bench_put(feed, 413, "d", "down", "");
    bench_put(feed, 414, "a", "down", "");
    bench_put(feed, 21000, "end", "other", ""); /* a minute ends at 20 s */
    for (unsigned form = 0; form < 16; form++) {
        bench->config.workers = form % 8 + 1;
        bench->config.epoch_ms = form < 8 ? 20 : 200;
        bench_run(bench);
        assert_string_equal(bench->brief, "1 opened rule two resource=a n=1 alerts=1\n"
                                          "3 opened rule two resource=b n=1 alerts=1\n"
                                          "220 opened rule two resource=v n=1 alerts=1\n"
                                          "411 opened rule two resource=c n=1 alerts=1\n"
                                          "413 opened rule two resource=d n=1 alerts=1\n"
                                          "600 updated evicted two resource=b n=2 alerts=1\n");
        /* x, y | one of w, x ... | the rest: two, one, and two with b. */
        assert_int_equal(bench->counters.keys_evicted, 2 + 1 + 2);
        /* A self-alert for the incident, one for the keys. */
        assert_int_equal(bench->counters.derived, 2);
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

/* With so many rules the room that they leave for keys is looked at before the first step alone,
 * and what came since is taken off: ten keys come in each of 40 rounds, and stay. */
static void X4_is_held_in_each_round_though_rooms_are_looked_at_once(void **state)
{
    (void)state;
    enum { IDLE = 4000, ROUNDS = 40, EACH = 10, KEYS = 100 };
    static char rules[IDLE * 256];
    char resource[16];
    size_t used = (size_t)snprintf(
        rules, sizeof(rules), "rules:\n%s",
        RULE_BY_RESOURCE("one", "down", "    max_keys: 100\n", "1m", "count() >= 1", "cleared()"));
    for (int i = 0; i < IDLE; i++)
        used += (size_t)snprintf(
            rules + used, sizeof(rules) - used,
            RULE_BY_RESOURCE("idle-%d", "idle", "", "1m", "count() >= 2", "cleared()"), i);
    struct bench *bench = bench_create(rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    for (int i = 0; i < ROUNDS * EACH; i++) {
        snprintf(resource, sizeof(resource), "r%d", i);
        bench_put(feed, 200 * (i / EACH) + i % EACH, resource, "down", "");
    }
    bench_put(feed, 21000, "end", "other", "");
    for (unsigned form = 0; form < 4; form++) {
        bench->config.workers = form % 2 + 1;
        bench->config.epoch_ms = form < 2 ? 20 : 200;
        bench_run(bench);
        assert_int_equal(bench->counters.keys_evicted, ROUNDS * EACH - KEYS);
        /* All had an incident; a self-alert for the minute. */
        assert_int_equal(bench->counters.derived, 1);
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

/* The end of flapping makes a key in a round that has no event. */
static void X4_a_bound_that_a_timer_passes_is_held(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_BY_RESOURCE(
        "two", "down", "    max_keys: 1\n", "500ms", "count() >= 2", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.flap_start = 2;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    bench_put(feed, 0, "a", "down", "");
    bench_put(feed, 10, "a", "down", BENCH_CLEAR); /* flapping; its key goes at 500 */
    bench_put(feed, 20, "a", "down", "");
    bench_put(feed, 900, "b", "down", ""); /* the only key until 1010, when a is told as open */
    bench_put(feed, 3000, "x", "x", "");
    for (unsigned form = 0; form < 8; form++) {
        bench->config.workers = form % 4 + 1;
        bench->config.epoch_ms = form < 4 ? 20 : 200;
        bench_run(bench);
        assert_int_equal(bench->counters.keys_evicted, 1); /* b's, at 1200 */
        assert_int_equal(bench->counters.evicted, 1);
        assert_int_equal(bench->counters.expired, 2); /* both of a */
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

/* --- X5
 * ---------------------------------------------------------------------------------------- */

#define RULE_SHORT(id, check, close) RULE_BY_RESOURCE(id, check, "", "1m", "count() >= 1", close)

/* A repeat is no touch for `kept`, before a switch and after it: its five seconds go on. Rules that
 * came get the alert at that repeat, those that went let it go, and what is open of a rule that has
 * another form now goes on with it. */
static void X5_a_switch_moves_nothing_of_a_rule_that_stays(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" RULE_SHORT("changed", "down", "cleared()")
                                           RULE_SHORT("gone", "down", "cleared()")
                                               RULE_SHORT("kept", "down", "fewer(1, 5s)"));
    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "a", "down", "");
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    bench_switch(bench, "rules:\n" RULE_SHORT("changed", "down\" && check != \"x", "cleared()")
                            RULE_SHORT("fresh", "down", "cleared()")
                                RULE_SHORT("kept", "down", "fewer(1, 30s)"));
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    bench_put(feed, 2000, "a", "down", ""); /* the first after the switch */
    bench_put(feed, 2100, "a", "down", ""); /* a repeat like any other */
    bench_put(feed, 2200, "b", "down", ""); /* takes the new `close` */
    bench_settle(bench);
    bench_pass(bench, 8000, 100);
    bench_stop(bench);
    assert_string_equal(bench->brief, "0 opened rule changed resource=a n=1 alerts=1\n"
                                      "0 opened rule gone resource=a n=1 alerts=1\n"
                                      "0 opened rule kept resource=a n=1 alerts=1\n"
                                      "2000 opened rule fresh resource=a n=1 alerts=1\n"
                                      "2000 closed cleared gone resource=a n=2 alerts=1\n"
                                      "2200 opened rule changed resource=b n=1 alerts=1\n"
                                      "2200 opened rule fresh resource=b n=1 alerts=1\n"
                                      "2200 opened rule kept resource=b n=1 alerts=1\n"
                                      "5000 closed fewer kept resource=a n=2 alerts=1\n");
    assert_int_equal(bench_marks(bench, MARK_SWITCH), 1);
    assert_int_equal(bench->counters.duplicate, 1);
    bench_destroy(bench);
}

/* --- X6, X7, ids
 * ---------------------------------------------------------------------------------------- */

static void X6_a_self_alert_enters_at_the_next_minute(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE RULE_SELF("1m", "quiet(10s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.alerts_max = 1;
    bench_put(feed, 19810, "a", "down", "");
    bench_put(feed, 19820, "b", "down", "");
    bench_put(feed, 19830, "c", "down", "");
    /* An event of the very time of the minute's end, and of a topic: @derived comes before it. */
    bench_put(feed, 20000, "d", "down", "");
    bench_put(feed, 85000, "x", "x", "");
    /* At 20000 a and b go. Then the self-alert, d and c are three: at 20200 c and the self-alert
     * go, of which the next minute tells rule one's incident (c) and not rule self's, which a
     * self-alert has touched last. At 80200 d goes, then the self-alert for x. */
    char *first = NULL;
    for (unsigned form = 0; form < 8; form++) {
        bench->config.workers = form % 4 + 1;
        bench->config.epoch_ms = form < 4 ? 20 : 200;
        bench_run(bench);
        assert_string_equal(
            bench->brief, "19810 opened rule one resource=a n=1 alerts=1\n"
                          "19820 opened rule one resource=b n=1 alerts=1\n"
                          "19830 opened rule one resource=c n=1 alerts=1\n"
                          "20000 updated evicted one resource=a n=2 alerts=1\n"
                          "20000 updated evicted one resource=b n=2 alerts=1\n"
                          "20000 opened rule self tenant=@tocsin resource=one n=1 alerts=1\n"
                          "20000 opened rule one resource=d n=1 alerts=1\n"
                          "20200 updated evicted one resource=c n=2 alerts=1\n"
                          "20200 updated evicted self tenant=@tocsin resource=one n=2 alerts=1\n"
                          "30200 closed quiet self tenant=@tocsin resource=one n=3 alerts=1\n"
                          "80000 opened rule self tenant=@tocsin resource=one n=1 alerts=1\n"
                          "80200 updated evicted one resource=d n=2 alerts=1\n"
                          "85200 updated evicted self tenant=@tocsin resource=one n=2 alerts=1\n");
        assert_int_equal(bench->counters.derived, 2);
        assert_non_null(strstr(bench->log.at, "\"title\":\"2 incidents of rule one are no longer "
                                              "watched: a bound was reached\""));
        assert_non_null(strstr(bench->log.at, "\"title\":\"1 incident of rule one is no longer "
                                              "watched: a bound was reached\""));
        if (first == NULL)
            first = kept(&bench->log);
        assert_string_equal(bench->log.at, first);
        bench_rewind(bench, true);
    }
    free(first);
    bench_destroy(bench);
}

static void X6_one_epoch_at_a_time_is_the_same_as_whole_rounds(void **state)
{
    (void)state;
    /* Live the steps are as small as the watermark moves; the replay takes them in one. */
    struct bench *bench = storm_live(0, 1);
    char *live = kept(&bench->log);
    int64_t watermark = engine_watermark(bench->engine);
    uint64_t small_steps = bench->counters.steps;

    assert_true(bench->counters.derived > 0);
    bench_rewind(bench, true);
    bench->config.epoch_ms = 200;
    bench_run(bench);
    assert_true(bench->counters.steps < small_steps);
    assert_replay_begins_with(bench, live, watermark);
    free(live);
    bench_destroy(bench);
}

static void X7_the_end_closes_what_came_and_leaves_later_timers_pending(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n" RULE_BY_RESOURCE("q", "down", "", "1m", "count() >= 1", "fewer(1, 1s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0), *other = bench_feed(bench, "t", 1);

    /* The largest M + L is 1700: the end is the round's at 1800. A timer of 1799 fires, one of 1800
     * does not. A refused record and a partition without events move nothing. */
    bench_put(feed, 799, "fires", "down", "");
    bench_put(feed, 800, "stays", "down", "");
    bench_put(feed, 1200, "x", "x", "");
    bench_put_text(feed, 90000, "{");
    bench_put_text(other, 90000, "{");
    for (unsigned workers = 1; workers <= 3; workers++) {
        bench->config.workers = workers;
        bench_run(bench);
        assert_string_equal(bench->brief, "799 opened rule q resource=fires n=1 alerts=1\n"
                                          "800 opened rule q resource=stays n=1 alerts=1\n"
                                          "1799 closed fewer q resource=fires n=2 alerts=1\n");
        assert_int_equal(engine_watermark(bench->engine), BENCH_T0 + 1800);
        assert_int_equal(bench->counters.in_bins, 0);
        assert_int_equal(bench->counters.open, 1);
        bench_rewind(bench, true);
    }
    bench_destroy(bench);
}

static void X7_a_recording_without_an_event_closes_nothing(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put_text(feed, 10, "{");
    bench_run(bench);
    assert_string_equal(bench->brief, "");
    assert_int_equal(bench->counters.steps, 0);
    assert_int_equal(bench->counters.rejected[REJECT_PARSE], 1);
    bench_destroy(bench);
}

/* The id of the `which`th opening of the log. */
static void id_of_opening(const char *log, int which, char id[33])
{
    const char *at = log;

    for (int i = 0; i <= which; i++) {
        at = strstr(i == 0 ? at : at + 1, "\"change\":\"opened\"");
        assert_non_null(at);
    }
    at = strstr(at, "\"incident\":\"");
    assert_non_null(at);
    memcpy(id, at + strlen("\"incident\":\""), 32);
    id[32] = '\0';
}

static void ids_of_one_record_that_fires_clears_and_fires_differ(void **state)
{
    (void)state;
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed = bench_feed(bench, "t", 3);
    char first[33], second[33], again[33], expected[33], text[256];

    bench_put_text(feed, 100,
                   "[{\"resource\":\"a\",\"check\":\"down\"},"
                   "{\"resource\":\"a\",\"check\":\"down\",\"state\":\"clear\"},"
                   "{\"resource\":\"a\",\"check\":\"down\"}]");
    bench_run(bench);
    id_of_opening(bench->log.at, 0, first);
    id_of_opening(bench->log.at, 1, second);
    assert_string_not_equal(first, second);
    /* The second id is the hash of what docs/correlation.md, section 4, says. */
    int bytes = snprintf(text, sizeof(text),
                         "default%cone%ctenant=default resource=a%cevent%ct/3/0/2", 0, 0, 0, 0);
    id128_format(hash128(text, (size_t)bytes, 0), expected);
    assert_string_equal(second, expected);
    /* It stays what it is, whatever the seed of the tables is. */
    bench_rewind(bench, true);
    bench->config.seed = 1;
    bench->config.workers = 3;
    bench_run(bench);
    id_of_opening(bench->log.at, 1, again);
    assert_string_equal(again, second);
    bench_destroy(bench);
}

#define RULE_AT_END(when)                                                                          \
    "rules:\n  - id: one\n    where: check == \"down\"\n    by: [tenant, labels.a, labels.b]\n"    \
    "    window: {tumbling: 10s}\n    look: end\n    when: " when "\n    incident: {title: t}\n"   \
    "    close: quiet(1h)\n"

/* Opened by a timer, at the same time, they have nothing but their keys to tell them apart. */
static void ids_of_keys_that_read_alike_differ(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE_AT_END("count() >= 1"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char first[33], second[33], expected[33], text[256];

    bench_put(feed, 0, "x", "down", ",\"labels\":{\"a\":\"x labels.b=\\\\y\",\"b\":\"\"}");
    bench_put(feed, 1, "x", "down", ",\"labels\":{\"a\":\"x\",\"b\":\"\\\\y labels.b=\"}");
    bench_put(feed, 20000, "x", "x", "");
    bench_run(bench);
    assert_int_equal(bench->counters.opened, 2);
    id_of_opening(bench->log.at, 0, first);
    id_of_opening(bench->log.at, 1, second);
    assert_string_not_equal(first, second);
    int bytes = snprintf(
        text, sizeof(text),
        "default%cone%ctenant=default labels.a=x labels.b=\\\\y\\ labels.b=%ctimer%c%" PRId64, 0, 0,
        0, 0, BENCH_T0 + 10000);
    id128_format(hash128(text, (size_t)bytes, 0), expected);
    assert_true(strcmp(first, expected) == 0 || strcmp(second, expected) == 0);
    bench_destroy(bench);
}

/* A window of the form before the switch and an absence of the form after it end at one time. */
static void ids_of_two_forms_of_a_rule_differ(void **state)
{
    (void)state;
    struct bench *bench = bench_create(RULE_AT_END("count() >= 1"));
    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char first[33], second[33];

    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "x", "down", "");
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    bench_switch(bench, "rules:\n  - id: one\n    where: check == \"down\"\n"
                        "    by: [tenant, labels.a, labels.b]\n    expect: {every: 8s}\n"
                        "    incident: {title: t}\n    close: quiet(1h)\n");
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    bench_put(feed, 2000, "y", "down", "");
    bench_settle(bench);
    bench_pass(bench, 12000, 100);
    bench_stop(bench);
    assert_int_equal(bench->counters.opened, 2);
    id_of_opening(bench->log.at, 0, first);
    id_of_opening(bench->log.at, 1, second);
    assert_string_not_equal(first, second);
    bench_destroy(bench);
}

/* The second of two forms is told by whether it is in force, and not by how many sets there were
 * before: who runs the last hours of a long life again begins with another first set. */
static void the_id_of_a_former_form_counts_no_sets(void **state)
{
    (void)state;
    static const char *const first[] = {RULE_AT_END("count() >= 1"), RULE_AT_END("count() >= 7")};
    char id[33], expected[33], text[256];
    int bytes =
        snprintf(text, sizeof(text),
                 "default%cone%ctenant=default labels.a= labels.b=%ctimer%c%" PRId64 "/former", 0,
                 0, 0, 0, BENCH_T0 + 10000);

    id128_format(hash128(text, (size_t)bytes, 0), expected);
    for (int i = 0; i < 2; i++) {
        struct bench *bench = bench_create(first[i]);
        bench_go_live(bench);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench_start(bench);
        bench_settle(bench);
        bench_put(feed, 0, "x", "other", "");
        bench_settle(bench);
        bench_pass(bench, 1000, 20);
        if (i == 1)
            bench_switch(bench, first[0]);
        bench_settle(bench);
        bench_pass(bench, 1000, 20);
        bench_put(feed, 2000, "x", "down", "");
        bench_settle(bench);
        bench_pass(bench, 1000, 20);
        bench_switch(bench, "rules: []");
        bench_settle(bench);
        bench_pass(bench, 12000, 100);
        bench_stop(bench);
        assert_int_equal(bench->counters.opened, 1);
        id_of_opening(bench->log.at, 0, id);
        assert_string_equal(id, expected);
        bench_destroy(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(X1_the_log_depends_on_no_form_of_the_work),
        cmocka_unit_test(a_step_takes_as_many_events_as_its_touches_allow),
        cmocka_unit_test(X3_nothing_depends_on_zone_or_seed),
        cmocka_unit_test(X2_changes_of_one_time_come_in_the_order_of_their_causes),
        cmocka_unit_test(X1b_live_is_replayed_where_no_seal_changed_a_time),
        cmocka_unit_test(X1_marks_make_a_run_repeatable_that_seals_have_changed),
        cmocka_unit_test(X4_a_bound_of_four_alerts_with_one_to_eight_workers),
        cmocka_unit_test(X4_keys_go_oldest_first_and_open_incidents_last),
        cmocka_unit_test(X4_is_held_in_each_round_though_rooms_are_looked_at_once),
        cmocka_unit_test(X4_a_bound_that_a_timer_passes_is_held),
        cmocka_unit_test(X5_a_switch_moves_nothing_of_a_rule_that_stays),
        cmocka_unit_test(X6_a_self_alert_enters_at_the_next_minute),
        cmocka_unit_test(X6_one_epoch_at_a_time_is_the_same_as_whole_rounds),
        cmocka_unit_test(X7_the_end_closes_what_came_and_leaves_later_timers_pending),
        cmocka_unit_test(X7_a_recording_without_an_event_closes_nothing),
        cmocka_unit_test(ids_of_one_record_that_fires_clears_and_fires_differ),
        cmocka_unit_test(ids_of_keys_that_read_alike_differ),
        cmocka_unit_test(ids_of_two_forms_of_a_rule_differ),
        cmocka_unit_test(the_id_of_a_former_form_counts_no_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
