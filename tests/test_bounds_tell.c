/*
 * Aim: which incidents are no longer watched, what max_members pushes out of a rule's windows and
 * which keys max_keys gives up is told once a minute, exactly, however steps were cut, and ends by
 * itself (docs/correlation.md, section 3). Method: a rule that holds few entries or keys and one
 * that listens to tocsin itself; minutes end at 20 s, 80 s, ... of the bench.
 */
#include "engine_bench.h"
#include "sanitized.h"

#include "base/hash.h"

/* `full` opens nothing: its events are of one check. */
#define FULL(members)                                                                              \
    "rules:\n  - id: full\n    on: events\n    where: check == \"a\"\n    by: [resource]\n"        \
    "    window: 10m\n    when: sum(value) > 1000\n    max_members: " members "\n"                 \
    "    incident: {title: t}\n    close: quiet(1s)\n"
#define LISTEN                                                                                     \
    "  - id: told\n    on: events\n    where: check in [\"members-evicted\", "                     \
    "\"keys-evicted\", \"no-longer-watched\"] && severity == WARNING\n    by: [resource]\n    "    \
    "window: 1s\n    when: "                                                                       \
    "count() >= 1\n"                                                                               \
    "    incident: {title: \"{message}\"}\n    close: fewer(1, 1s)\n"

enum { MINUTES = 6 };

/* `keys` holds two. */
#define KEYS(where, when)                                                                          \
    "rules:\n  - id: keys\n    on: events\n    where: " where "\n    by: [resource]\n"             \
    "    window: 10m\n    when: " when "\n    max_keys: 2\n"                                       \
    "    incident: {title: t}\n    close: last(value) < 0.0\n"

/* Of any event, and only one key. */
#define CATCH_ALL(id)                                                                              \
    "  - {id: " id ", on: events, where: 'check != \"\"', by: [resource], window: 10m, "           \
    "when: count() >= 1, max_keys: 1, incident: {title: t}, close: last(value) < 0.0}\n"

static void put_many(struct bench_feed *feed, int64_t at_ms, int count)
{
    for (int i = 0; i < count; i++)
        bench_put(feed, at_ms + i * 100, "x", "a", "");
}

static void assert_told(const struct bench *bench, int64_t at_ms, const char *message)
{
    char line[256];

    snprintf(line, sizeof(line), "\"at\":%" PRId64 ",\"change\":\"opened\"", BENCH_T0 + at_ms);
    const char *found = strstr(bench->log.at != NULL ? bench->log.at : "", line);
    if (found == NULL)
        fail_msg("nothing is told at %" PRId64 ":\n%s", at_ms, bench->brief);
    snprintf(line, sizeof(line), "\"title\":\"%s\"", message);
    const char *end = strchr(found, '\n'), *title = strstr(found, line);
    if (title == NULL || title > end)
        fail_msg("%s is not in\n%.*s", line, (int)(end - found), found);
}

static void what_is_pushed_out_is_told_at_the_minute(void **state)
{
    (void)state;
    struct bench *bench = bench_create(FULL("3") LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_many(feed, 1000, 5); /* nothing comes for more than a minute then */
    put_many(feed, 80500, 1);
    bench_put(feed, 400000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 20000,
                "2 entries of rule full were pushed out within 1m: max_members was reached");
    assert_told(bench, 140000,
                "1 entry of rule full was pushed out within 1m: max_members was reached");
    assert_int_equal(bench->counters.opened, 2);
    assert_int_equal(bench->counters.derived, 2);
    assert_int_equal(bench->counters.evicted, 3);
    bench_destroy(bench);
}

/* One step could hold all of it. */
static void minutes_are_kept_apart_however_close_they_are(void **state)
{
    (void)state;
    struct bench *bench = bench_create(FULL("3") LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_many(feed, 19500, 5); /* the last at 19900 */
    put_many(feed, 20000, 4);
    bench_put(feed, 100000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 20000,
                "2 entries of rule full were pushed out within 1m: max_members was reached");
    assert_told(bench, 80000,
                "4 entries of rule full were pushed out within 1m: max_members was reached");
    assert_int_equal(bench->counters.derived, 2);
    bench_destroy(bench);
}

/* Nine rounds of 7 s are the first that make a minute; 63 s end at 8 s of the bench. */
static void a_minute_is_whole_rounds(void **state)
{
    (void)state;
    struct bench *bench = bench_create(FULL("3") LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.round_ms = 7000;
    put_many(feed, 1000, 5);
    bench_put(feed, 100000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 8000,
                "2 entries of rule full were pushed out within 1m3s: max_members was reached");
    assert_int_equal(bench->counters.derived, 1);
    bench_destroy(bench);
}

static void what_fits_is_not_told(void **state)
{
    (void)state;
    struct bench *bench = bench_create(FULL("3") LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_many(feed, 1000, 3);
    bench_put(feed, 100000, "end", "other", "");
    bench_run(bench);
    assert_int_equal(bench->counters.derived, 0);
    bench_destroy(bench);
}

/* Five entries came to a window of three, and the clock goes on. */
static struct bench *live_with_two_pushed_out(void)
{
    struct bench *bench = bench_create(FULL("3") LISTEN);

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    feed->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    put_many(feed, 500, 5);
    bench_pass(bench, 5000, 100);
    return bench;
}

/* Room for more comes too late for what has gone. */
static void what_was_pushed_out_is_told_when_there_is_room_again(void **state)
{
    (void)state;
    struct bench *bench = live_with_two_pushed_out();

    bench_switch(bench, FULL("500") LISTEN);
    bench_pass(bench, 25000, 700);
    bench_stop(bench);
    assert_told(bench, 20000,
                "2 entries of rule full were pushed out within 1m: max_members was reached");
    bench_destroy(bench);
}

/* Rules come and go: those of the set in force are told of. */
static void a_rule_that_is_gone_is_not_told_of(void **state)
{
    (void)state;
    struct bench *bench = live_with_two_pushed_out();

    bench_switch(bench, "rules:\n" LISTEN);
    bench_pass(bench, 20000, 100);
    bench_stop(bench);
    assert_int_equal(bench->counters.evicted, 2);
    assert_int_equal(bench->counters.derived, 0);
    bench_destroy(bench);
}

/* Twelve minutes (under ThreadSanitizer five) in which many keys are full, some hold more or less,
 * and alerts flap. */
static char *run_many(unsigned workers, uint64_t *told)
{
    struct bench *bench = bench_create(
        "rules:\n  - id: a\n    on: events\n    where: check in [\"c1\", \"c2\"]\n"
        "    by: [resource]\n    window: 30s\n    when: sum(value) > 1000\n    max_members: 12\n"
        "    incident: {title: t}\n    close: quiet(1s)\n"
        "  - id: b\n    where: 'check != \"other\" && tenant != \"@tocsin\"'\n    by: "
        "[labels.none]\n"
        "    window: {session: 2s, max: 1m}\n    when: distinct(resource) >= 500\n"
        "    max_members: 600\n    incident: {title: t}\n    close: quiet(1s)\n" LISTEN);
    struct bench_feed *feed[3];
    uint64_t random = 11;

    bench->config.workers = workers;
    for (int f = 0; f < 3; f++)
        feed[f] = bench_feed(bench, "t", f);
    for (int i = 0; i < ROUNDS(30000, 12500); i++) {
        char resource[16], check[8];
        random = hash_mix(random + 1);
        snprintf(resource, sizeof(resource), "r%u", (unsigned)(random % 30));
        snprintf(check, sizeof(check), "c%u", (unsigned)(random >> 8) % 5);
        bench_put(feed[i % 3], i * 24, resource, check, random >> 20 & 127 ? "" : BENCH_CLEAR);
    }
    bench_run(bench);
    *told = bench->counters.derived;
    assert_int_equal(bench->counters.touches, bench->counters.correlated + bench->counters.expired +
                                                  bench->counters.evicted +
                                                  bench->counters.retired +
                                                  bench->counters.pending);
    char *log = strdup(bench->log.at);
    bench_destroy(bench);
    return log;
}

static void it_is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    uint64_t told = 0, again = 0;
    char *one = run_many(1, &told);

    assert_in_range(told, ROUNDS(10, 4), 24);
    for (unsigned workers = 2; workers <= 4; workers++) {
        char *more = run_many(workers, &again);
        assert_string_equal(one, more);
        assert_int_equal(told, again);
        free(more);
    }
    free(one);
}

static void put_resources(struct bench_feed *feed, int64_t at_ms, int first, int count)
{
    for (int i = 0; i < count; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "r%d", first + i);
        bench_put(feed, at_ms + i * 1000, resource, "a", "");
    }
}

/* Each in a round of its own; the fourth goes when the minute ends. */
static void keys_given_up_are_told_at_the_minute(void **state)
{
    (void)state;
    struct bench *bench = bench_create(KEYS("check == \"a\"", "sum(value) > 1000") LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_resources(feed, 1000, 0, 5);
    put_resources(feed, 19900, 5, 1);
    put_resources(feed, 20000, 6, 1); /* the next minute */
    bench_put(feed, 100000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 20000, "4 keys of rule keys were given up within 1m: max_keys was reached");
    assert_told(bench, 80000, "1 key of rule keys was given up within 1m: max_keys was reached");
    assert_int_equal(bench->counters.keys_evicted, 5);
    assert_int_equal(bench->counters.derived, 2);
    bench_destroy(bench);
}

static uint64_t evicted_of(const struct bench *bench, const char *rule)
{
    struct engine_rule_counters row[4];
    size_t count = engine_rule_counters(bench->engine, row, 4);

    assert_in_range(count, 1, 4);
    for (size_t i = 0; i < count; i++)
        if (strcmp(row[i].rule_id, rule) == 0)
            return row[i].evicted;
    fail_msg("there is no rule %s", rule);
    return 0;
}

/* What is waited for holds no touch. */
static void keys_that_hold_no_touch_count_for_their_rule(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: alive\n    where: check == \"a\"\n    by: [resource]\n    max_keys: 1\n"
        "    expect: {every: 1h}\n    incident: {title: t}\n    close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_resources(feed, 1000, 0, 3);
    bench_put(feed, 10000, "end", "other", "");
    bench_run(bench);
    assert_int_equal(evicted_of(bench, "alive"), 2);
    assert_int_equal(bench->counters.keys_evicted, 2);
    assert_int_equal(bench->counters.evicted, 0);
    bench_destroy(bench);
}

/* As many incidents as keys: each that is given up is one. */
static void incidents_no_longer_watched_are_told_at_the_minute(void **state)
{
    (void)state;
    struct bench *bench = bench_create(KEYS("check == \"a\"", "count() >= 1") LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    put_resources(feed, 1000, 0, 5);
    put_resources(feed, 19900, 5, 1);
    put_resources(feed, 20000, 6, 1); /* the next minute */
    bench_put(feed, 100000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 20000,
                "4 incidents of rule keys are no longer watched: a bound was reached");
    assert_told(bench, 80000, "1 incident of rule keys is no longer watched: a bound was reached");
    assert_int_equal(bench->counters.derived, 2);
    /* Each counts for its rule, though the touches of an incident are none that a bound took. */
    assert_int_equal(evicted_of(bench, "keys"), 5);
    assert_int_equal(bench->counters.keys_evicted, 5);
    assert_int_equal(bench->counters.evicted, 0);
    bench_destroy(bench);
}

/* Its incidents are open, whoever opened them. */
static void incidents_of_a_rule_that_is_gone_are_told_of(void **state)
{
    (void)state;
    struct bench *bench = bench_create(KEYS("check == \"a\"", "count() >= 1") LISTEN);

    bench_go_live(bench);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    feed->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    for (int i = 0; i < 3; i++)
        put_resources(feed, 500, i, 1);
    bench_pass(bench, 5000, 100); /* one of three has gone */
    bench_switch(bench, "rules:\n" LISTEN);
    bench_pass(bench, 20000, 100);
    bench_stop(bench);
    assert_told(bench, 20000, "1 incident of rule keys is no longer watched: a bound was reached");
    bench_destroy(bench);
}

/* Rules that take what is said of them: an event each minute, for five days, if that counted. */
static void what_is_told_of_a_rule_is_no_reason_to_tell_it_again(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        int told;
    } cases[] = {
        /* r0 and r1 have incidents for ever, so whatever else comes is what goes. */
        {KEYS("check != \"\"", "count() >= 2"), MINUTES},
        /* Three entries of ten minutes; what is said of it is a key of its own, of @tocsin. */
        {"rules:\n  - id: full\n    on: events\n    where: check != \"\"\n    by: [labels.none]\n"
         "    window: 10m\n    when: distinct(severity) >= 3\n    max_members: 3\n"
         "    incident: {title: t}\n    close: quiet(1s)\n",
         MINUTES},
        /* Both have an incident of each key, and room for one. What is said of either is one, too,
         * and takes the place of the last that came: of that they are told a minute later. */
        {"rules:\n" CATCH_ALL("a") CATCH_ALL("b"), 2 * (MINUTES + 1)},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = bench_create(cases[i].rules);
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        for (int minute = 0; minute < MINUTES; minute++) {
            put_resources(feed, minute * 60000 + 1000, 0, 2);
            put_resources(feed, minute * 60000 + 3000, 0, 3);
        }
        bench_put(feed, INT64_C(5) * 86400 * 1000, "r0", "a", "");
        bench_run(bench);
        assert_int_equal(bench->counters.derived, cases[i].told);
        assert_in_range(bench->counters.steps, MINUTES, 100);
        bench_destroy(bench);
    }
}

/* Two alerts of two incidents are given up, and a key of them in the same round: two incidents are
 * not watched any more, not three. */
static void an_incident_is_lost_once(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: r\n    where: check == \"a\"\n    by: [resource]\n    window: 10m\n"
        "    when: count() >= 1\n    max_keys: 1\n    incident: {title: t}\n"
        "    close: cleared()\n"
        "  - id: told\n    on: events\n    where: check == \"no-longer-watched\"\n"
        "    window: 1s\n    when: count() >= 1\n    incident: {title: \"{message}\"}\n"
        "    close: fewer(1, 1s)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.alerts_max = 1;
    bench_put(feed, 10, "x", "a", "");
    bench_put(feed, 20, "y", "a", "");
    bench_put(feed, 30, "z", "b", "");
    bench_put(feed, 50000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 20000, "2 incidents of rule r are no longer watched: a bound was reached");
    assert_int_equal(bench->counters.keys_evicted, 1);
    bench_destroy(bench);
}

/* Both alerts of one incident are given up. */
static void an_incident_is_lost_with_the_first_of_its_alerts(void **state)
{
    (void)state;
    struct bench *bench = bench_create(
        "rules:\n  - id: r\n    where: check == \"a\"\n    by: [check]\n    window: 10m\n"
        "    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n" LISTEN);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.alerts_max = 1;
    bench_put(feed, 10, "x", "a", "");
    bench_put(feed, 20, "y", "a", "");
    bench_put(feed, 30, "z", "b", "");
    bench_put(feed, 50000, "end", "other", "");
    bench_run(bench);
    assert_told(bench, 20000, "1 incident of rule r is no longer watched: a bound was reached");
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_pushed_out_is_told_at_the_minute),
        cmocka_unit_test(minutes_are_kept_apart_however_close_they_are),
        cmocka_unit_test(a_minute_is_whole_rounds),
        cmocka_unit_test(what_fits_is_not_told),
        cmocka_unit_test(what_was_pushed_out_is_told_when_there_is_room_again),
        cmocka_unit_test(a_rule_that_is_gone_is_not_told_of),
        cmocka_unit_test(it_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(keys_given_up_are_told_at_the_minute),
        cmocka_unit_test(keys_that_hold_no_touch_count_for_their_rule),
        cmocka_unit_test(incidents_no_longer_watched_are_told_at_the_minute),
        cmocka_unit_test(incidents_of_a_rule_that_is_gone_are_told_of),
        cmocka_unit_test(what_is_told_of_a_rule_is_no_reason_to_tell_it_again),
        cmocka_unit_test(an_incident_is_lost_once),
        cmocka_unit_test(an_incident_is_lost_with_the_first_of_its_alerts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
