/*
 * Aim: a rule with `expect` opens an incident when a key that has shown a sign of life shows none
 * for too long, and not because tocsin itself could not see (docs/correlation.md, section 3;
 * semantics T4b). Method: recordings of a few signs of life, and the bench on virtual time with a
 * partition that cannot be read for a while.
 */
#include "engine_bench.h"

#define EXPECT(every, close, more)                                                                 \
    "rules:\n  - id: alive\n    where: check == \"hb\"\n    by: [resource]\n    expect: "          \
    "{every: " every "}\n    incident: {title: \"{resource} is silent\"}\n    close: " close       \
    "\n" more

#define OK ",\"state\":\"clear\",\"severity\":\"ok\""

static void silence_opens_and_a_sign_of_life_closes(void **state)
{
    (void)state;
    struct bench *bench = bench_create(EXPECT("1s", "cleared()", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "hb", "");
    bench_put(feed, 900, "r", "hb", "");  /* a repeat, which deduplication folds */
    bench_put(feed, 1800, "r", "hb", OK); /* a clear */
    bench_put(feed, 2700, "r", "hb", OK); /* a clear of what is closed */
    bench_put(feed, 5000, "x", "other", "");
    bench_put(feed, 6000, "r", "hb", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "3700 opened rule alive resource=r n=1 alerts=1\n"
                                      "6000 closed cleared alive resource=r n=2 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "\"title\":\"r is silent\""));
    assert_non_null(
        strstr(bench->log.at, "\"why\":\"nothing for 1s (expects an event every 1s)\""));
    assert_non_null(strstr(bench->log.at, "\"severity\":\"major\",\"events\":0,\"alerts\":1,"
                                          "\"open\":1"));
    assert_int_equal(bench->counters.touches, 5);
    assert_int_equal(bench->counters.correlated, 1);
    assert_int_equal(bench->counters.retired, 4);
    bench_destroy(bench);
}

/* A timer comes before events of its time. */
static void a_sign_of_life_at_the_last_moment_is_late(void **state)
{
    (void)state;
    struct bench *bench = bench_create(EXPECT("1s", "cleared()", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "hb", "");
    bench_put(feed, 999, "r", "hb", "");
    bench_put(feed, 1999, "r", "hb", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1999 opened rule alive resource=r n=1 alerts=1\n"
                                      "1999 closed cleared alive resource=r n=2 alerts=1\n");
    bench_destroy(bench);
}

static void what_was_never_seen_is_not_missed(void **state)
{
    (void)state;
    struct bench *bench = bench_create(EXPECT("1s", "cleared()", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "other", "");
    bench_put(feed, 5000, "r", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "");
    bench_destroy(bench);
}

/* quiet() lets an incident of somebody who has gone for good end; then nobody waits for him. */
static void what_is_closed_in_its_silence_is_forgotten(void **state)
{
    (void)state;
    struct bench *bench = bench_create(EXPECT("1s", "cleared() || quiet(2s)", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    struct engine_rule_counters row;

    bench_put(feed, 0, "r", "hb", "");
    bench_put(feed, 9000, "x", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1000 opened rule alive resource=r n=1 alerts=1\n"
                                      "3000 closed quiet alive resource=r n=2 alerts=1\n");
    assert_int_equal(engine_rule_counters(bench->engine, &row, 1), 1);
    assert_int_equal(row.keys, 0);
    bench_destroy(bench);
}

/* With && the first sign of life is not enough; the key is watched again from the close on. */
static void a_close_that_waits_for_both_is_watched_on(void **state)
{
    (void)state;
    struct bench *bench = bench_create(EXPECT("1s", "cleared() && quiet(3s)", ""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 0, "r", "hb", "");    /* opens at 1000 */
    bench_put(feed, 1500, "r", "hb", ""); /* resumed; closes at 4000 */
    bench_put(feed, 9000, "x", "other", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1000 opened rule alive resource=r n=1 alerts=1\n"
                                      "4000 closed quiet alive resource=r n=2 alerts=1\n"
                                      "5000 opened rule alive resource=r n=1 alerts=1\n");
    bench_destroy(bench);
}

/* T4b: what cannot be seen is not absent; and it has a minute and its interval to come back. */
static void T4_absence_is_put_off_while_its_topic_is_blind(void **state)
{
    (void)state;
    static struct topic_config any_topic = {.disorder_ms = 500, .tenant = "default"};
    struct bench *bench = bench_create(EXPECT("30s", "cleared()", ""));
    struct bench_feed *feed[3];

    bench->config.topics = &any_topic;
    bench->config.topic_count = 1;
    bench_go_live(bench);
    bench->config.future_ms = INT64_C(24) * 3600 * 1000;
    feed[0] = bench_feed(bench, "t", 0);
    feed[1] = bench_feed(bench, "t", 1);
    feed[2] = bench_feed(bench, "u", 0);
    bench_start(bench);
    bench_settle(bench);
    bench_put(feed[0], 100, "seen", "hb", "");
    bench_put(feed[2], 100, "elsewhere", "hb", "");
    bench_settle(bench);
    bench_pass(bench, 1000, 10);
    bench_blind(feed[1]);
    bench_pass(bench, 39000, 100); /* at 40000 */
    bench_see(feed[1]);
    bench_pass(bench, 1000, 10);
    assert_int_equal(bench_mark(bench, MARK_BLIND_END).value_ms, BENCH_T0 + 40200);
    /* The other topic was never blind. */
    assert_string_equal(bench->brief, "30100 opened rule alive resource=elsewhere n=1 alerts=1\n");
    bench_pass(bench, 29200, 100);
    bench_put(feed[0], 70200, "late", "hb", "");
    bench_settle(bench);
    bench_pass(bench, 70800, 100);
    /* Due just 60 s behind the spell: it counts. */
    assert_string_equal(bench->brief, "30100 opened rule alive resource=elsewhere n=1 alerts=1\n"
                                      "100200 opened rule alive resource=late n=1 alerts=1\n"
                                      "130200 opened rule alive resource=seen n=1 alerts=1\n");
    bench_stop(bench);
    bench_destroy(bench);
}

static const struct refusal refused[] = {
    {EXPECT("0s", "cleared()", ""), "every lies between 1ms and 30d"},
    {EXPECT("1s, evry: 2s", "cleared()", ""), "expect has no key \"evry\""},
    {EXPECT("1s, severity: BAD", "cleared()", ""), "severity is DEBUG"},
    {EXPECT("1s", "cleared()", "    on: events\n"), "there is no \"on\" to choose"},
    {EXPECT("1s", "cleared()", "    window: 5m\n"), "has no key \"window\""},
    {"rules:\n  - id: r\n    where: 'true'\n    expect: 5m\n    incident: {title: t}\n"
     "    close: cleared()\n",
     "expect takes a map"},
#define TITLED(title)                                                                              \
    "rules:\n- id: r\n  where: 'true'\n  by: [host, labels.rack]\n  vars: {place: labels.rack}\n"  \
    "  expect: {every: 5m}\n  incident: {title: \"{host} of {place}: " title                       \
    "\"}\n  close: cleared()\n"
    {TITLED("{resource} is silent"),
     "r.yaml:7:42: this would stay empty: no event opens an incident of this rule"},
    {TITLED("{labels.row}"), "r.yaml:7:42: this would stay empty"},
    {TITLED("{has(labels.row) ? 1 : 2}"), "r.yaml:7:46: this would stay empty"},
    {TITLED("{host + message}"), "r.yaml:7:49: this would stay empty"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
    rule_set_destroy(parse_good(TITLED("{tenant} {labels.rack + host}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_opens_and_a_sign_of_life_closes),
        cmocka_unit_test(a_sign_of_life_at_the_last_moment_is_late),
        cmocka_unit_test(what_was_never_seen_is_not_missed),
        cmocka_unit_test(what_is_closed_in_its_silence_is_forgotten),
        cmocka_unit_test(a_close_that_waits_for_both_is_watched_on),
        cmocka_unit_test(T4_absence_is_put_off_while_its_topic_is_blind),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
