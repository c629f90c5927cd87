/*
 * Aim: the keys that a rule with `expect` lists are watched from the beginning, whether anything
 * came for them or not, and those only (docs/correlation.md, section 3, Absence). Method:
 * recordings of a few signs of life, and the bench on virtual time for what a clock or a switch
 * does.
 *
 * In a recording whose first event is at 1000 the first watermark is at 500, as L is 500 ms, and
 * the first round 200 ms long: keys are listed at 400.
 */
#include "engine_bench.h"

#define LISTED(id, every, keys, close)                                                             \
    "  - id: " id "\n    where: check == \"hb\"\n    by: [resource]\n    expect: {every: " every   \
    ", keys: " keys "}\n    incident: {title: \"{resource} is silent\"}\n    close: " close "\n"
#define A_AND_B "[{resource: a}, {resource: b}]"

static struct topic_config any_topic = {.disorder_ms = 500, .tenant = "default"};

static struct bench *listed_bench(const char *rules)
{
    struct bench *bench = bench_create(rules);

    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    return bench;
}

static void what_is_listed_is_missed_though_it_was_never_seen(void **state)
{
    (void)state;
    struct bench *bench = listed_bench("rules:\n" LISTED("alive", "1s", A_AND_B, "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "hb", "");
    bench_put(feed, 5000, "b", "hb", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1400 opened rule alive resource=b n=1 alerts=1\n"
                                      "2000 opened rule alive resource=a n=1 alerts=1\n"
                                      "5000 closed cleared alive resource=b n=2 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "\"why\":\"nothing since it was listed, 1s ago (expects "
                                          "an event every 1s)\""));
    assert_non_null(
        strstr(bench->log.at, "\"why\":\"nothing for 1s (expects an event every 1s)\""));
    char first[64];
    snprintf(first, sizeof(first), "\"first\":%" PRId64 ",\"title\":\"b is silent\"",
             BENCH_T0 + 400);
    assert_non_null(strstr(bench->log.at, first));
    bench_destroy(bench);
}

static void what_is_not_listed_is_not_watched(void **state)
{
    (void)state;
    struct bench *bench = listed_bench("rules:\n" LISTED("alive", "10s", A_AND_B, "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_rule_counters row;

    bench_put(feed, 1000, "c", "hb", "");
    bench_put(feed, 1100, "a", "hb", "");
    bench_run(bench);
    assert_int_equal(engine_rule_counters(bench->engine, &row, 1), 1);
    assert_int_equal(row.keys, 2);
    assert_int_equal(bench->counters.touches, 2);
    assert_int_equal(bench->counters.retired, 2);
    bench_destroy(bench);
}

/* Another tenant's key of the same name is another key. */
static void the_tenant_may_be_named(void **state)
{
    (void)state;
    struct bench *bench = listed_bench(
        "rules:\n" LISTED("alive", "1s", "[{tenant: acme, resource: a}]", "cleared()"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "hb", "");
    bench_put(feed, 1300, "a", "hb", ",\"tenant\":\"acme\"");
    bench_put(feed, 3000, "x", "x", "");
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "2300 opened rule alive tenant=acme resource=a n=1 alerts=1\n");
    bench_destroy(bench);
}

static void what_is_closed_in_its_silence_is_due_again(void **state)
{
    (void)state;
    struct bench *bench =
        listed_bench("rules:\n" LISTED("alive", "1s", "[{resource: a}]", "cleared() || quiet(2s)"));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "x", "x", "");
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1400 opened rule alive resource=a n=1 alerts=1\n"
                                      "3400 closed quiet alive resource=a n=2 alerts=1\n"
                                      "4400 opened rule alive resource=a n=1 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "\"nothing since it was listed, 4s ago"));
    bench_destroy(bench);
}

/* A key that watches when another list comes, and is in both, is due when it was. */
static void X5_a_key_that_stays_listed_is_due_as_before(void **state)
{
    (void)state;
    struct bench *bench = listed_bench("rules:\n" LISTED("alive", "3s", A_AND_B, "cleared()"));

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "b", "hb", "");
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    bench_switch(bench,
                 "rules:\n" LISTED("alive", "3s", "[{resource: c}, {resource: b}]", "cleared()"));
    bench_settle(bench);
    bench_pass(bench, 3000, 20);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_SWITCH), 1);
    assert_string_equal(bench->brief, "3000 opened rule alive resource=b n=1 alerts=1\n");
    bench_destroy(bench);
}

/* What is no longer listed goes with its incident, what stays is not asked anew, what comes is due
 * from the switch on. */
static void X5_another_list_moves_only_what_it_changes(void **state)
{
    (void)state;
    struct bench *bench = listed_bench("rules:\n" LISTED("alive", "1s", A_AND_B, "cleared()"));

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_rule_counters row;
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "b", "hb", "");
    bench_settle(bench);
    bench_pass(bench, 1900, 20); /* both have opened */
    bench_switch(bench, "rules:\n" LISTED("alive", "1s", "[{resource: c}, {resource: b}]",
                                          "cleared() || quiet(30s)"));
    bench_settle(bench);
    bench_pass(bench, 300, 20);
    bench_put(feed, 2200, "a", "hb", ""); /* of nobody */
    bench_put(feed, 2200, "b", "hb", ""); /* b is back: not due before 3200 */
    bench_settle(bench);
    bench_pass(bench, 1500, 20);
    assert_int_equal(engine_rule_counters(bench->engine, &row, 1), 1);
    assert_int_equal(row.keys, 2);
    bench_stop(bench);
    int64_t begin = bench_mark(bench, MARK_BEGIN).value_ms - BENCH_T0;
    int64_t at = bench_mark(bench, MARK_SWITCH).value_ms - BENCH_T0;
    assert_true(begin < 0);
    assert_in_range(at, 1201, 2100);
    char expected[512];
    snprintf(expected, sizeof(expected),
             "%" PRId64 " opened rule alive resource=a n=1 alerts=1\n"
             "1000 opened rule alive resource=b n=1 alerts=1\n"
             "%" PRId64 " closed unlisted alive resource=a n=2 alerts=1\n"
             "2200 closed cleared alive resource=b n=2 alerts=1\n"
             "%" PRId64 " opened rule alive resource=c n=1 alerts=1\n",
             (begin - 199) / 200 * 200 + 1000, at, at + 1000);
    assert_string_equal(bench->brief, expected);
    bench_destroy(bench);
}

/* A rule of another form is another rule: the one before it hears no sign of life any more, and
 * takes no silence for an absence. */
static void X5_a_rule_that_is_gone_expects_nothing(void **state)
{
    (void)state;
    struct bench *bench =
        listed_bench("rules:\n  - id: learned\n    where: check == \"hb\"\n    by: [resource]\n"
                     "    expect: {every: 1s}\n    incident: {title: t}\n    close: cleared()\n");

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_rule_counters row[2] = {0};
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed, 0, "a", "hb", "");
    bench_settle(bench);
    bench_pass(bench, 600, 20);
    bench_switch(bench, "rules:\n" LISTED("other", "10s", A_AND_B, "cleared()"));
    bench_settle(bench);
    bench_pass(bench, 2000, 20);
    engine_rule_counters(bench->engine, row, 2); /* a form without keys may be gone */
    assert_int_equal(row[0].keys + row[1].keys, 2);
    bench_stop(bench);
    assert_string_equal(bench->brief, "");
    bench_destroy(bench);
}

/* T4b: of a key that was never seen nobody knows from which topic it would come. */
static void T4_any_blind_topic_hides_what_was_never_seen(void **state)
{
    (void)state;
    struct bench *bench =
        listed_bench("rules:\n" LISTED("alive", "30s", "[{resource: never}]", "cleared()"));
    struct bench_feed *feed[2];

    bench_go_live(bench);
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "u", 0);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    bench_blind(feed[1]);
    bench_pass(bench, 39000, 100); /* at 40000 */
    bench_see(feed[1]);
    bench_pass(bench, 1000, 10);
    int64_t end = bench_mark(bench, MARK_BLIND_END).value_ms;
    assert_string_equal(bench->brief, "");
    bench_pass(bench, 100000, 100);
    bench_stop(bench);
    char expected[128];
    snprintf(expected, sizeof(expected),
             "%" PRId64 " opened rule alive resource=never n=1 alerts=1\n",
             end + 60000 + 30000 - BENCH_T0);
    assert_string_equal(bench->brief, expected);
    bench_destroy(bench);
}

/* A daemon that waited for its first record knows what was missing meanwhile; so does a replay, by
 * the mark of the beginning. */
static void X1_a_replay_begins_where_the_run_began(void **state)
{
    (void)state;
    struct bench *bench = listed_bench("rules:\n" LISTED("alive", "1s", A_AND_B, "cleared()"));
    struct mark marks[BENCH_MARKS];

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 4000, 10);
    bench_put(feed, 4000, "a", "hb", "");
    bench_settle(bench);
    bench_pass(bench, 800, 10);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_BEGIN), 1);
    size_t count = bench->mark_count;
    memcpy(marks, bench->mark, count * sizeof(*marks));
    char *live = strdup(bench->log.at);
    assert_non_null(live);
    assert_non_null(strstr(live, "\"change\":\"closed\",\"cause\":\"cleared\""));
    bench_rewind(bench, true);
    bench->config.marks = marks;
    bench->config.mark_count = count;
    bench_run(bench);
    assert_true(bench->log.used >= strlen(live));
    assert_int_equal(strncmp(bench->log.at, live, strlen(live)), 0);
    free(live);
    bench_destroy(bench);
}

/* A run that is replayed may have gone on by its clock, with records or without any. */
static void X7_a_replay_goes_as_far_as_the_clock_of_the_run_did(void **state)
{
    (void)state;
    static const struct {
        int64_t until; /* from BENCH_T0 */
        const char *brief;
    } rows[] = {
        {5419, ""}, /* epochs are 20 ms long, and that of the timer has not ended */
        {5420, "5400 opened rule alive resource=a n=1 alerts=1\n"
               "5400 opened rule alive resource=b n=1 alerts=1\n"},
    };
    static struct mark begin = {.kind = MARK_BEGIN, .value_ms = BENCH_T0 + 400};

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *bench = listed_bench("rules:\n" LISTED("alive", "5s", A_AND_B, "cleared()"));
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        if (i % 2 == 0) {
            bench_put(feed, 1000, "c", "x", "");
        } else {
            bench->config.marks = &begin;
            bench->config.mark_count = 1;
        }
        bench->config.until_ms = BENCH_T0 + rows[i / 2].until;
        bench_run(bench);
        assert_string_equal(bench->brief, rows[i / 2].brief);
        bench_destroy(bench);
    }
}

/* Nor does the length of an epoch, though the first watermark is a multiple of it. */
static void X2_the_length_of_an_epoch_never_shows(void **state)
{
    (void)state;
    static const uint32_t epochs[] = {1, 10, 40, 100, 200};

    for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++) {
        struct bench *bench = listed_bench("rules:\n" LISTED("alive", "1s", A_AND_B, "cleared()"));
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench->config.epoch_ms = epochs[i];
        bench_put(feed, 1099, "x", "x", "");
        bench_put(feed, 3000, "x", "x", "");
        bench_run(bench);
        assert_string_equal(bench->brief, "1400 opened rule alive resource=a n=1 alerts=1\n"
                                          "1400 opened rule alive resource=b n=1 alerts=1\n");
        bench_destroy(bench);
    }
}

/* Sixty keys, of which every third gives signs of life, with a pause. */
static struct bench *estate(unsigned workers)
{
    static char keys[4096], rules[8192];
    size_t used = 0;

    for (int i = 0; i < 60; i++)
        used += (size_t)snprintf(keys + used, sizeof(keys) - used, "%s{resource: h%d}",
                                 i > 0 ? ", " : "[", i);
    snprintf(keys + used, sizeof(keys) - used, "]");
    snprintf(rules, sizeof(rules),
             "rules:\n  - id: alive\n    where: check == \"hb\"\n    by: [resource]\n    expect: "
             "{every: 700ms, keys: %s}\n    incident: {title: \"{resource}\"}\n    close: "
             "cleared() || quiet(900ms)\n",
             keys);
    struct bench *bench = listed_bench(rules);
    bench->config.workers = workers;
    for (int p = 0; p < 3; p++) {
        struct bench_feed *feed = bench_feed(bench, "t", p);
        for (int64_t at = 1000 + 7 * p; at < 6000; at += 97) {
            char resource[16];
            snprintf(resource, sizeof(resource), "h%d", (int)(at / 97 * 3 % 66));
            if (at < 2500 || at > 4000)
                bench_put(feed, at, resource, "hb", "");
        }
    }
    bench_run(bench);
    return bench;
}

static void X2_the_number_of_workers_never_shows(void **state)
{
    (void)state;
    struct bench *one = estate(1);

    assert_true(one->counters.opened > 100);
    for (unsigned workers = 2; workers <= 8; workers++) {
        struct bench *many = estate(workers);
        assert_int_equal(many->log.used, one->log.used);
        assert_string_equal(many->log.at, one->log.at);
        assert_int_equal(many->counters.retired, one->counters.retired);
        bench_destroy(many);
    }
    bench_destroy(one);
}

#define REFUSED(keys) "rules:\n" LISTED("r", "1s", keys, "cleared()")

static const struct refusal refused[] = {
    {REFUSED("5"), "r.yaml:5:31: keys takes a list of maps, or {file: NAME.csv}"},
    {REFUSED("[]"), "keys lists one key at least"},
    {REFUSED("[a]"), "keys lists maps that name each field of by: {resource: ...}"},
    {REFUSED("[{resorce: a}]"), "a key of this rule has no key \"resorce\"; did you mean "
                                "\"resource\"?"},
    {REFUSED("[{tenant: t}]"), "this key has no resource"},
    {REFUSED("[{resource: ''}]"), "the value of a key has 1 to 1024 bytes"},
    {REFUSED("[{resource: [a]}]"), "resource takes text, not a list"},
    {REFUSED("[{resource: a}, {resource: b}, {tenant: default, resource: a}]"),
     "r.yaml:5:62: this key is listed twice"},
    {REFUSED("[{resource: a}, {resource: b}]") "    max_keys: 1\n",
     "keys lists more keys than max_keys, 1"},
    {REFUSED("{fil: a.csv}"), "keys has no key \"fil\"; did you mean \"file\"?"},
    {REFUSED("{file: ''}"), "file takes a name"},
    {REFUSED("{file: a.txt}"), "a file of keys ends with .csv or .json"},
    {REFUSED("{file: /nowhere/at/all.csv}"), "/nowhere/at/all.csv: No such file or directory"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_listed_is_missed_though_it_was_never_seen),
        cmocka_unit_test(what_is_not_listed_is_not_watched),
        cmocka_unit_test(the_tenant_may_be_named),
        cmocka_unit_test(what_is_closed_in_its_silence_is_due_again),
        cmocka_unit_test(X5_a_key_that_stays_listed_is_due_as_before),
        cmocka_unit_test(X5_another_list_moves_only_what_it_changes),
        cmocka_unit_test(X5_a_rule_that_is_gone_expects_nothing),
        cmocka_unit_test(T4_any_blind_topic_hides_what_was_never_seen),
        cmocka_unit_test(X1_a_replay_begins_where_the_run_began),
        cmocka_unit_test(X7_a_replay_goes_as_far_as_the_clock_of_the_run_did),
        cmocka_unit_test(X2_the_length_of_an_epoch_never_shows),
        cmocka_unit_test(X2_the_number_of_workers_never_shows),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
