/*
 * Aim: a rule on incidents sees what happens to the incidents of the rules that it names, at the
 * next round's start, and nothing else (docs/correlation.md, section 3, Composites). Method:
 * recordings of a few events, the bench on virtual time for a switch, and a storm that has to come
 * out the same for any number of workers and length of epochs. Rounds are 200 ms long.
 */
#include "engine_bench.h"

#define BASE(id, check)                                                                            \
    "  - id: " id "\n    where: check == \"" check                                                 \
    "\"\n    by: [resource, labels.rack]\n    window: 1m\n    when: count() >= 1\n"                \
    "    incident: {title: \"{resource} " id "\"}\n    close: cleared() || quiet(5m)\n"
#define BOTH(more)                                                                                 \
    "  - id: both\n    on: incidents\n    of: [disk, net]\n    by: [labels.rack]\n"                \
    "    window: open\n    when: count() >= 2\n    incident: {title: \"{labels.rack}: {count()}, " \
    "{resource} {source} {check}\"}\n    close: cleared()\n" more
#define TWO BASE("disk", "disk") BASE("net", "net")
#define R1 ",\"labels\":{\"rack\":\"r1\"}"
#define R2 ",\"labels\":{\"rack\":\"r2\"}"

static void two_incidents_of_a_rack_make_one_until_both_are_over(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" TWO BOTH(""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "disk", R1);
    bench_put(feed, 1100, "c", "net", R2); /* another rack */
    bench_put(feed, 1400, "b", "net", R1); /* at a round's start: told at the next */
    bench_put(feed, 2000, "a", "disk", R1 BENCH_CLEAR);
    bench_put(feed, 2399, "b", "net", R1 BENCH_CLEAR);
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "1000 opened rule disk resource=a labels.rack=r1 n=1 alerts=1\n"
                        "1100 opened rule net resource=c labels.rack=r2 n=1 alerts=1\n"
                        "1400 opened rule net resource=b labels.rack=r1 n=1 alerts=1\n"
                        "1600 opened rule both labels.rack=r1 n=1 alerts=2\n"
                        "2000 closed cleared disk resource=a labels.rack=r1 n=2 alerts=1\n"
                        "2399 closed cleared net resource=b labels.rack=r1 n=2 alerts=1\n"
                        "2400 closed cleared both labels.rack=r1 n=2 alerts=2\n");
    assert_non_null(strstr(bench->log.at, "\"title\":\"r1: 2, b tocsin net\""));
    assert_non_null(strstr(bench->log.at, "\"why\":\"2 incidents open now (needs 2)\""));
    assert_int_equal(bench->counters.derived, 5); /* three that open, two that close */
    bench_destroy(bench);
}

/* Neither does a composite see events, nor do other rules see incidents, whatever they are called.
 */
static void nobody_else_sees_them_and_they_see_nothing_else(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" BASE("disk", "x") BASE("net", "net") BOTH(
        "") BASE("ordinary",
                 "disk\" || check == \"net\" && source == \"tocsin") "  - id: alive\n    where: "
                                                                     "source == \"tocsin\"\n    "
                                                                     "expect: {every: 1s}\n"
                                                                     "    incident: {title: t}\n   "
                                                                     " close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "x", R1);    /* an incident of rule disk */
    bench_put(feed, 1100, "b", "disk", R1); /* an event that is called as that rule is */
    bench_put(feed, 5000, "x", "y", "");
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "1000 opened rule disk resource=a labels.rack=r1 n=1 alerts=1\n"
                        "1100 opened rule ordinary resource=b labels.rack=r1 n=1 alerts=1\n");
    assert_int_equal(bench->counters.derived, 1);
    bench_destroy(bench);
}

/* The incident of a key without a rack has no label of this name. */
static void what_is_empty_in_a_key_is_absent(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: a\n    where: check == \"x\"\n    by: [labels.rack]\n    window: 1m\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n"
        "  - id: racked\n    on: incidents\n    of: [a]\n    where: has(labels.rack)\n"
        "    by: [labels.rack]\n    window: 1m\n    when: count() >= 1\n"
        "    incident: {title: t}\n    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "x", "");
    bench_put(feed, 1000, "b", "x", R1);
    bench_put(feed, 5000, "x", "y", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1000 opened rule a labels.rack= n=1 alerts=1\n"
                                      "1000 opened rule a labels.rack=r1 n=1 alerts=1\n"
                                      "1200 opened rule racked labels.rack=r1 n=1 alerts=1\n");
    bench_destroy(bench);
}

static void a_worse_severity_is_told(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n" BASE("disk", "disk") "  - id: bad\n    on: incidents\n    of: [disk]\n"
                                        "    where: severity >= CRITICAL\n    window: open\n"
                                        "    when: count() >= 1\n    incident: {title: "
                                        "\"{labels.rack} {message}\"}\n    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "disk", R1 ",\"severity\":\"major\"");
    bench_put(feed, 1300, "a", "disk", R1 ",\"severity\":\"critical\"");
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    /* The update is made at the end of its round, and that is the next round's start. */
    assert_string_equal(bench->brief,
                        "1000 opened rule disk resource=a labels.rack=r1 n=1 alerts=1\n"
                        "1400 updated severity disk resource=a labels.rack=r1 n=2 alerts=1\n"
                        "1400 opened rule bad tenant=default n=1 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "\"title\":\"r1 a disk\""));
    bench_destroy(bench);
}

/* Three rounds, and a composite of a composite. */
static void a_composite_may_be_named_by_another(void **state)
{
    (void)state;
    struct bench *bench =
        bench_create("rules:\n" TWO BOTH("") "  - id: above\n    on: incidents\n    of: [both]\n"
                                             "    by: [labels.rack, resource]\n    window: 1m\n"
                                             "    when: count() >= 1\n    incident: {title: t}\n"
                                             "    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "disk", R1);
    bench_put(feed, 1000, "b", "net", R1);
    bench_put(feed, 2000, "a", "disk", R1 BENCH_CLEAR);
    bench_put(feed, 2000, "b", "net", R1 BENCH_CLEAR);
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    const char *after = strstr(bench->brief, "1200");
    assert_non_null(after);
    assert_string_equal(
        after, "1200 opened rule both labels.rack=r1 n=1 alerts=2\n"
               "1400 opened rule above labels.rack=r1 resource=tenant=default labels.rack=r1 n=1 "
               "alerts=1\n"
               "2000 closed cleared disk resource=a labels.rack=r1 n=2 alerts=1\n"
               "2000 closed cleared net resource=b labels.rack=r1 n=2 alerts=1\n"
               "2200 closed cleared both labels.rack=r1 n=2 alerts=2\n"
               "2400 closed cleared above labels.rack=r1 resource=tenant=default labels.rack=r1 "
               "n=2 alerts=1\n");
    bench_destroy(bench);
}

/* Steps of a sequence and conditions of `all` name the rules. */
static void a_sequence_of_incidents(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n" TWO
        "  - id: then\n    on: incidents\n    of: [disk, net]\n    by: [labels.rack]\n"
        "    sequence: [{where: check == \"disk\"}, {where: check == \"net\"}]\n    within: 1m\n"
        "    incident: {title: t}\n    close: quiet(1m)\n"
        "  - id: together\n    on: incidents\n    of: [disk, net]\n    by: [labels.rack]\n"
        "    where: severity >= WARNING\n"
        "    all: [{where: check == \"disk\"}, {where: check == \"net\"}]\n    within: 1m\n"
        "    incident: {title: t}\n    close: quiet(1m)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_put(feed, 1000, "a", "disk", R1 ",\"severity\":\"major\"");
    bench_put(feed, 1400, "b", "net", R1 ",\"severity\":\"major\"");
    bench_put(feed, 2000, "a", "net", R2 ",\"severity\":\"major\"");
    bench_put(feed, 2400, "b", "disk", R2 ",\"severity\":\"major\"");
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    assert_non_null(strstr(bench->brief, "1600 opened rule then labels.rack=r1 n=1 alerts=2\n"
                                         "1600 opened rule together labels.rack=r1"));
    assert_non_null(strstr(bench->brief, "2600 opened rule together labels.rack=r2"));
    assert_null(strstr(bench->brief, "rule then labels.rack=r2"));
    bench_destroy(bench);
}

/* An incident is open as long as it is, however long nothing happens to it. */
static void the_alert_of_an_open_incident_does_not_expire(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" TWO BOTH(""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = 700;
    bench_put(feed, 1000, "a", "disk", R1 ",\"severity\":\"major\"");
    for (int64_t at = 1500; at < 8000; at += 500) /* its alert goes on: so does its incident */
        bench_put(feed, at, "a", "disk", R1 ",\"severity\":\"major\"");
    bench_put(feed, 8000, "b", "net", R1);
    bench_put(feed, 9900, "x", "x", "");
    bench_run(bench);
    /* Their alerts are over at 8200 (a was last seen at 7500) and 8700, and so are the incidents.
     */
    assert_string_equal(bench->brief,
                        "1000 opened rule disk resource=a labels.rack=r1 n=1 alerts=1\n"
                        "8000 opened rule net resource=b labels.rack=r1 n=1 alerts=1\n"
                        "8200 closed cleared disk resource=a labels.rack=r1 n=2 alerts=1\n"
                        "8200 opened rule both labels.rack=r1 n=1 alerts=2\n"
                        "8700 closed cleared net resource=b labels.rack=r1 n=2 alerts=1\n"
                        "8800 closed cleared both labels.rack=r1 n=2 alerts=2\n");
    bench_destroy(bench);
}

/* What bounds have made of an incident nobody can say: its alert expires. */
static void an_incident_that_was_given_up_is_silent(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: disk\n    where: check == \"disk\"\n    by: [resource]\n    window: 1m\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: quiet(5m)\n    max_keys: 1\n"
        "  - id: any\n    on: incidents\n    of: [disk]\n    by: [resource]\n    window: open\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = 1000;
    bench_put(feed, 1000, "a", "disk", "");
    bench_put(feed, 2000, "b", "disk", ""); /* a's key goes at 2200 */
    bench_put(feed, 9000, "x", "x", "");
    bench_run(bench);
    assert_string_equal(bench->brief, "1000 opened rule disk resource=a n=1 alerts=1\n"
                                      "1200 opened rule any resource=a n=1 alerts=1\n"
                                      "2000 opened rule disk resource=b n=1 alerts=1\n"
                                      "2200 updated evicted disk resource=a n=2 alerts=1\n"
                                      "2200 opened rule any resource=b n=1 alerts=1\n"
                                      "3200 closed cleared any resource=a n=2 alerts=1\n");
    bench_destroy(bench);
}

/* An event from outside that has the id of an incident for its dedup key is no word about it. */
static void an_event_that_names_the_incident_is_another_alert(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" TWO BOTH(""));
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char id[33] = "", more[128];

    bench_put(feed, 1000, "a", "disk", R1);
    bench_put(feed, 1000, "b", "net", R1);
    bench_put(feed, 3000, "x", "x", "");
    bench_run(bench);
    const char *line = bench->log.at;
    for (int i = 0; i < 2; i++) { /* the two that the composite holds */
        line = strstr(line, "\"incident\":\"") + 12;
        sscanf(line, "%32[0-9a-f]", id);
        assert_int_equal(strlen(id), 32);
        snprintf(more, sizeof(more), ",\"dedup_key\":\"%s\"" BENCH_CLEAR, id);
        bench_put(feed, 3100, "a", "disk", more);
    }
    bench_put(feed, 5000, "x", "x", "");
    bench_rewind(bench, true);
    bench_run(bench);
    assert_null(strstr(bench->brief, "closed"));
    assert_non_null(strstr(bench->brief, "1200 opened rule both"));
    bench_destroy(bench);
}

/* A set without composites lets their alerts go; one that has them hears of what happens from then
 * on, and of the end of what was told before. */
static void X5_composites_come_and_go(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" TWO BOTH(""));

    bench_go_live(bench);
    bench->config.expire_ms = 2000;
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    bench_start(bench);
    bench_settle(bench);
    for (int64_t at = 0; at <= 12000; at += 1000) {
        bench_put(feed, at, "a", "disk", R1);
        bench_put(feed, at, "b", "net", R1);
        if (at == 3000)
            bench_switch(bench, "rules:\n" TWO);
        bench_settle(bench);
        if (at == 8000)
            bench_switch(bench, "rules:\n" TWO BOTH(""));
        bench_settle(bench);
        bench_settle(bench);
        bench_pass(bench, 1000, 20);
    }
    bench_put(feed, 13000, "a", "disk", R1 BENCH_CLEAR);
    bench_put(feed, 13000, "b", "net", R1 BENCH_CLEAR);
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_SWITCH), 2);
    /* Told as open at 200, the alerts are over 2 s after that and every 2 s while they are held: of
     * the switch at some 3000 they learn at 4200. The incident drains: its rule is gone. */
    assert_string_equal(bench->brief,
                        "0 opened rule disk resource=a labels.rack=r1 n=1 alerts=1\n"
                        "0 opened rule net resource=b labels.rack=r1 n=1 alerts=1\n"
                        "200 opened rule both labels.rack=r1 n=1 alerts=2\n"
                        "4200 closed cleared both labels.rack=r1 n=2 alerts=2\n"
                        "13000 closed cleared disk resource=a labels.rack=r1 n=2 alerts=1\n"
                        "13000 closed cleared net resource=b labels.rack=r1 n=2 alerts=1\n");
    /* Two that opened, and, after composites are back, two that closed: of nothing. */
    assert_int_equal(bench->counters.derived, 4);
    bench_destroy(bench);
}

/* So many incidents take a minute and more under a sanitizer, which has nothing to see in them that
 * it does not see in the storm below. */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define HAS_TIME_FOR_MANY 1
#endif

#ifdef HAS_TIME_FOR_MANY
/* More than 28,672 changes of one round do not fit into one time. */
static void X2_what_is_too_much_for_one_round_enters_at_the_next(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: disk\n    where: check == \"disk\"\n    by: [resource]\n    window: 1m\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: quiet(5m)\n"
        "  - id: some\n    on: incidents\n    of: [disk]\n    window: open\n"
        "    when: count() >= 28672\n    incident: {title: t}\n    close: quiet(1m)\n"
        "    max_members: 50000\n"
        "  - id: more\n    on: incidents\n    of: [disk]\n    window: open\n"
        "    when: count() >= 28673\n    incident: {title: t}\n    close: quiet(1m)\n"
        "    max_members: 50000\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    for (int i = 0; i < 28700; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "h%d", i);
        bench_put(feed, 1000, resource, "disk", "");
    }
    bench_put(feed, 5000, "x", "x", "");
    bench_run(bench);
    assert_non_null(strstr(bench->brief, "1200 opened rule some"));
    assert_non_null(strstr(bench->brief, "1400 opened rule more"));
    assert_int_equal(bench->counters.derived, 28700);
    bench_destroy(bench);
}
#endif

/* Alerts of fifty hosts in five racks that come and go, incidents of incidents of incidents. */
static struct bench *storm(unsigned workers, uint32_t epoch_ms, size_t take_max)
{
    struct bench *bench = bench_create(
        "rules:\n" TWO BOTH("") "  - id: above\n    on: incidents\n    of: [both, disk]\n"
                                "    window: 2s\n    when: distinct(labels.rack) >= 3\n"
                                "    incident: {title: \"{distinct(labels.rack)} {check}\"}\n"
                                "    close: cleared() || fewer(1, 900ms)\n"
                                "  - id: top\n    on: incidents\n    of: [above]\n    window: 1m\n"
                                "    when: count() >= 2\n    incident: {title: t}\n"
                                "    close: quiet(1s)\n");

    bench->config.workers = workers;
    bench->config.epoch_ms = epoch_ms;
    bench->config.take_max = take_max;
    bench->config.expire_ms = 1500;
    for (int p = 0; p < 3; p++) {
        struct bench_feed *feed = bench_feed(bench, "t", p);
        uint32_t random = (uint32_t)p + 1;
        for (int64_t at = 1000; at < 12000; at += 13) {
            char resource[16], more[96];
            random = random * 1664525 + 1013904223;
            unsigned host = (random >> 8) % 50;
            snprintf(resource, sizeof(resource), "h%u", host);
            snprintf(more, sizeof(more), ",\"severity\":\"%s\",\"labels\":{\"rack\":\"r%u\"}%s",
                     (random >> 20) % 5 == 0 ? "critical" : "major", host % 5,
                     (random >> 24) % 3 == 0 ? BENCH_CLEAR : "");
            /* Every third second nothing happens. */
            if (at / 1000 % 3 != 0)
                bench_put(feed, at, resource, (random >> 16) % 2 == 0 ? "disk" : "net", more);
        }
    }
    bench_run(bench);
    return bench;
}

static void X2_neither_workers_nor_epochs_nor_takes_show(void **state)
{
    (void)state;
    static const struct {
        unsigned workers;
        uint32_t epoch_ms;
        size_t take_max;
    } runs[] = {{2, 20, 512}, {3, 20, 7},   {4, 20, 512}, {5, 40, 512}, {6, 20, 100},
                {7, 1, 512},  {8, 20, 512}, {1, 200, 1},  {1, 5, 512}};
    struct bench *one = storm(1, 20, 512);

    assert_non_null(strstr(one->brief, "opened rule top"));
    assert_non_null(strstr(one->brief, "opened rule both"));
    assert_true(one->counters.derived > 300);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct bench *other = storm(runs[i].workers, runs[i].epoch_ms, runs[i].take_max);
        assert_int_equal(other->log.used, one->log.used);
        assert_string_equal(other->log.at, one->log.at);
        assert_int_equal(other->counters.derived, one->counters.derived);
        assert_int_equal(other->counters.touches, one->counters.touches);
        bench_destroy(other);
    }
    bench_destroy(one);
}

/* The set after the switch asks about incidents of `net` alone; what `both` has heard of the end of
 * an incident of `disk` it hears all the same. */
static void X5_what_was_told_is_told_to_its_end(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n" TWO BOTH(""));
    bench_go_live(bench);
    bench->config.expire_ms = 60000;
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    feed->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    bench_put(feed, 400, "a", "disk", R1);
    bench_put(feed, 400, "b", "net", R1);
    bench_pass(bench, 5000, 100);
    bench_switch(bench,
                 "rules:\n" TWO "  - id: nets\n    on: incidents\n    of: [net]\n    window: 1m\n"
                 "    when: count() >= 9\n    incident: {title: t}\n    close: cleared()\n");
    bench_pass(bench, 1000, 100);
    bench_put(feed, 7000, "a", "disk", R1 BENCH_CLEAR);
    bench_put(feed, 7000, "b", "net", R1 BENCH_CLEAR);
    bench_pass(bench, 3000, 100);
    bench_stop(bench);
    assert_string_equal(bench->brief,
                        "400 opened rule disk resource=a labels.rack=r1 n=1 alerts=1\n"
                        "400 opened rule net resource=b labels.rack=r1 n=1 alerts=1\n"
                        "600 opened rule both labels.rack=r1 n=1 alerts=2\n"
                        "7000 closed cleared disk resource=a labels.rack=r1 n=2 alerts=1\n"
                        "7000 closed cleared net resource=b labels.rack=r1 n=2 alerts=1\n"
                        "7200 closed cleared both labels.rack=r1 n=2 alerts=2\n");
    bench_destroy(bench);
}

#define ON(id, of)                                                                                 \
    "  - id: " id "\n    on: incidents\n    of: " of "\n    window: 1m\n    when: count() >= 1\n"  \
    "    incident: {title: t}\n    close: cleared()\n"

#define ABOVE(by, where, when, title)                                                              \
    "  - id: c\n    on: incidents\n    of: [disk, net]\n    by: " by "\n    where: " where         \
    "\n    window: 1m\n    when: " when "\n    incident: {title: " title                           \
    "}\n    close: cleared()\n"

static const struct refusal refused[] = {
    {"rules:\n" TWO ON("c", "[disk, nett]"),
     "r.yaml:18:16: there is no rule \"nett\"; did you mean \"net\"?"},
    {"rules:\n" TWO ON("c", "[qqqqq]"), "r.yaml:18:10: there is no rule \"qqqqq\""},
    {"rules:\n" ON("c", "[c]"), "r.yaml:4:10: rule c is made of itself: of c"},
    {"rules:\n" TWO ON("c", "[disk, e]") ON("d", "[c]") ON("e", "[net, d]"),
     "rule c is made of itself: of e, which is made of d, which is made of c"},
    {"rules:\n" TWO ON("c", "disk"), "of takes a list of 1 to 100 ids of rules"},
    {"rules:\n" TWO ON("c", "[]"), "of takes a list of 1 to 100 ids of rules"},
    {"rules:\n" TWO ON("c", "[disk, net, disk]"), "r.yaml:18:21: of names disk twice"},
    {"rules:\n" TWO ON("c", "[[disk]]"), "of lists ids of rules"},
    {"rules:\n" TWO "  - id: c\n    on: incidents\n    window: 1m\n    when: count() >= 1\n"
     "    incident: {title: t}\n    close: cleared()\n",
     "a rule on incidents needs the key \"of\""},
    {"rules:\n" TWO "  - id: c\n    of: [disk]\n    where: 'true'\n    window: 1m\n"
     "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n",
     "r.yaml:17:5: of names rules whose incidents are looked at: that takes \"on: incidents\""},
    {"rules:\n" TWO "  - id: c\n    on: incidents\n    of: [disk]\n    where: check == \"net\"\n"
     "    window: 1m\n    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n",
     "this can never be true beside of at 18:5\n"},
    /* beside a name that is none nothing else is told: it would not be true of the one meant */
    {"rules:\n" TWO "  - id: c\n    on: incidents\n    of: [dsk]\n    where: check == \"disk\"\n"
     "    window: 1m\n    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n",
     "r.yaml:18:10: there is no rule \"dsk\"; did you mean \"disk\"?"},
    {"rules:\n" TWO "  - id: c\n    on: incidents\n    of: [disk]\n    expect: {every: 5m}\n"
     "    where: 'true'\n    incident: {title: t}\n    close: cleared()\n",
     "there is no \"on\" to choose"},
    /* what an incident never has */
    {"rules:\n" TWO ABOVE("[labels.rakc]", "'true'", "count() >= 1", "t"),
     "r.yaml:19:10: no rule of `of` has labels.rakc in its `by`; did you mean \"labels.rack\"?"},
    /* one value for all, however many they are */
    {"rules:\n" TWO ABOVE("[labels.rack]", "'true'", "count() >= 2 || distinct(labels.rakc) >= 2",
                          "t"),
     "no rule of `of` has labels.rakc in its `by`; did you mean \"labels.rack\"?"},
    /* its key's tenant is its tenant, and the same of check, source and resource */
    {"rules:\n" TWO ABOVE("[labels.tenant]", "'true'", "count() >= 1", "t"),
     "r.yaml:19:10: no rule of `of` has labels.tenant in its `by`"},
    {"rules:\n" TWO ABOVE("[host]", "value > 5", "count() >= 1", "t"),
     "r.yaml:20:12: an incident has no value: a rule on incidents sees check (its rule), message "
     "(its title), severity and what is in its `by`"},
    {"rules:\n" TWO ABOVE("[host]", "'!has(value)'", "count() >= 1", "t"),
     "r.yaml:20:18: an incident has no value"},
    {"rules:\n" TWO ABOVE("[host]", "'true'", "avg(value) >= 1", "t"),
     "r.yaml:22:15: an incident has no value"},
    {"rules:\n" TWO ABOVE("[host]", "'true'", "distinct(value) >= 1", "t"),
     "r.yaml:22:20: an incident has no value"},
    {"rules:\n" TWO ABOVE("[host]", "'true'", "count() >= 1", "'{value}'"),
     "r.yaml:23:25: an incident has no value"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
}

/* A host of `by` is a label of the incident, so is a label. */
static void what_by_names_is_there(void **state)
{
    (void)state;
    rule_set_destroy(
        parse_good("rules:\n  - id: a\n    where: has(host)\n    by: [host, labels.rack]\n"
                   "    window: 1m\n    when: count() >= 1\n    incident: {title: t}\n"
                   "    close: cleared()\n" ON("c", "[a]") "    by: [labels.host, labels.rack]\n"));
}

static void a_hundred_rules_may_be_named(void **state)
{
    char text[30000];

    (void)state;
    for (int count = 100; count <= 101; count++) {
        size_t used = (size_t)snprintf(text, sizeof(text), "rules:\n");
        for (int i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "  - {id: r%d, where: check == \"a\", by: [host], window: 1m, "
                                     "when: count() >= 1, incident: {title: t}, close: "
                                     "cleared()}\n",
                                     i);
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used,
                             "  - id: c\n    on: incidents\n    window: 1m\n    when: count() >= "
                             "1\n    incident: {title: t}\n    close: cleared()\n    of: [");
        for (int i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "r%d%s", i,
                                     i + 1 < count ? ", " : "]\n");
        if (count == 100)
            rule_set_destroy(parse_good(text));
        else
            assert_non_null(
                strstr(parse_bad(text).text, "of takes a list of 1 to 100 ids of rules"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_incidents_of_a_rack_make_one_until_both_are_over),
        cmocka_unit_test(nobody_else_sees_them_and_they_see_nothing_else),
        cmocka_unit_test(what_is_empty_in_a_key_is_absent),
        cmocka_unit_test(a_worse_severity_is_told),
        cmocka_unit_test(a_composite_may_be_named_by_another),
        cmocka_unit_test(a_sequence_of_incidents),
        cmocka_unit_test(the_alert_of_an_open_incident_does_not_expire),
        cmocka_unit_test(an_incident_that_was_given_up_is_silent),
        cmocka_unit_test(an_event_that_names_the_incident_is_another_alert),
        cmocka_unit_test(X5_composites_come_and_go),
        cmocka_unit_test(X5_what_was_told_is_told_to_its_end),
#ifdef HAS_TIME_FOR_MANY
        cmocka_unit_test(X2_what_is_too_much_for_one_round_enters_at_the_next),
#endif
        cmocka_unit_test(X2_neither_workers_nor_epochs_nor_takes_show),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(what_by_names_is_there),
        cmocka_unit_test(a_hundred_rules_may_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
