/*
 * Aim: rule sets and forms of rules that nothing holds any more are let go while the engine runs,
 * those that something holds are not, and neither shows in what other rules do. Method: switches on
 * virtual time, between events that the test puts; what is held is asked of the engine.
 */
#include "correlate/rules_version.h"
#include "tests/engine_bench.h"
#include "tests/rules_parsed.h"

/* A mute, which is carried over as well. `first` opens at two events of check "one", `other` at one
 * event of check "two". */
#define RULES                                                                                      \
    "silences:\n  - {id: nobody, where: tenant == \"none\", to: 2100-01-01T00:00:00Z}\n"           \
    "rules:\n" RULE_BY_RESOURCE("other", "two", RULE_ON_EVENTS, "1s", "count() >= 1",              \
                                "quiet(500ms)")
#define FIRST(window, quiet)                                                                       \
    RULE_BY_RESOURCE("first", "one", RULE_ON_EVENTS, window, "count() >= 2", "quiet(" quiet ")")

static uint64_t sets_held(struct bench *bench)
{
    struct engine_counters counters;

    engine_counters(bench->engine, &counters);
    return counters.rule_sets;
}

static size_t forms_held(struct bench *bench)
{
    struct engine_rule_counters rows[64];

    return engine_rule_counters(bench->engine, rows, 64);
}

static int64_t now(struct bench *bench)
{
    return atomic_load(&bench->wall_ms) - BENCH_T0;
}

static struct bench *begin(struct bench_feed **feed)
{
    struct bench *bench = bench_create(RULES FIRST("2s", "1s"));

    bench->config.expire_ms = 3000; /* so that routes of silent alerts go soon */
    bench_go_live(bench);
    *feed = bench_feed(bench, "t", 0);
    (*feed)->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    return bench;
}

static void a_set_stays_while_an_incident_goes_by_it(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = begin(&feed);

    bench_switch(bench, RULES FIRST("3s", "10s"));
    bench_pass(bench, 1000, 20);
    bench_put(feed, now(bench), "a", "one", "");
    bench_put(feed, now(bench) + 1, "a", "one", "");
    bench_pass(bench, 1000, 20); /* open, and closes 10 s after: by the set that opened it */
    bench_switch(bench, RULES FIRST("3s", "1s"));
    bench_pass(bench, 6000, 100);
    assert_non_null(strstr(bench->brief, "opened rule first"));
    assert_null(strstr(bench->brief, "closed quiet first"));
    assert_int_equal(sets_held(bench), 2);
    bench_pass(bench, 12000, 100);
    assert_int_equal(sets_held(bench), 1);
    bench_stop(bench);
    bench_destroy(bench);
}

/* It is not the engine's to free, and counted as the others. */
static void the_first_set_counts_while_an_incident_goes_by_it(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = bench_create(RULES FIRST("2s", "10s"));

    bench->config.expire_ms = 3000;
    bench_go_live(bench);
    feed = bench_feed(bench, "t", 0);
    feed->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    bench_put(feed, now(bench), "a", "one", "");
    bench_put(feed, now(bench) + 1, "a", "one", "");
    bench_pass(bench, 1000, 20);
    assert_int_equal(sets_held(bench), 1);
    bench_switch(bench, RULES FIRST("3s", "1s"));
    bench_pass(bench, 6000, 100);
    assert_null(strstr(bench->brief, "closed quiet first"));
    assert_int_equal(sets_held(bench), 2);
    bench_pass(bench, 12000, 100);
    assert_non_null(strstr(bench->brief, "closed quiet first"));
    assert_int_equal(sets_held(bench), 1);
    bench_stop(bench);
    bench_destroy(bench);
}

static void a_form_stays_while_a_key_has_it(void **state)
{
    (void)state;
    struct bench_feed *feed;
    struct bench *bench = begin(&feed);
    struct engine_rule_counters rows[4];

    bench_put(feed, now(bench), "a", "one", "");
    bench_put(feed, now(bench) + 1, "a", "one", "");
    bench_put(feed, now(bench) + 2, "b", "one", ""); /* watches for two seconds */
    bench_pass(bench, 200, 20);
    bench_switch(bench, RULES FIRST("3s", "1s"));
    bench_pass(bench, 1000, 20);
    assert_int_equal(forms_held(bench), 3);
    bench_pass(bench, 20000, 100); /* closed, slid out, expired, looked at */
    assert_int_equal(forms_held(bench), 2);
    assert_int_equal(engine_rule_counters(bench->engine, rows, 4), 2);
    for (int i = 0; i < 2; i++)
        if (strcmp(rows[i].rule_id, "first") == 0) {
            assert_true(rows[i].current);
            /* Of the form that is gone: three events, and two alerts that expired. */
            assert_int_equal(rows[i].touches, 5);
            assert_int_equal(rows[i].opened, 1);
            assert_int_equal(rows[i].closed, 1);
        }
    /* Its place is used again, and the new form counts from there. */
    bench_switch(bench, RULES FIRST("4s", "1s"));
    bench_pass(bench, 1000, 20);
    bench_put(feed, now(bench), "a", "one", "");
    bench_put(feed, now(bench) + 1, "a", "one", "");
    bench_pass(bench, 20000, 100);
    assert_int_equal(engine_rule_counters(bench->engine, rows, 4), 2);
    for (int i = 0; i < 2; i++)
        if (strcmp(rows[i].rule_id, "first") == 0)
            assert_int_equal(rows[i].opened, 2);
    bench_stop(bench);
    bench_destroy(bench);
}

/* Lines of the rule `other`, by the caller's buffer. */
static void lines_of_other(const char *brief, char *to, size_t bytes)
{
    size_t used = 0;

    to[0] = '\0';
    while (*brief != '\0') {
        const char *end = strchr(brief, '\n');
        size_t length = (size_t)(end - brief) + 1;
        const char *word = strstr(brief, "other");
        if (word != NULL && word < end && used + length < bytes) {
            memcpy(to + used, brief, length);
            used += length;
            to[used] = '\0';
        }
        brief = end + 1;
    }
}

static void run_storm(bool switches, unsigned workers, char *lines, size_t bytes, uint64_t *most)
{
    static const char *const sets[] = {
        RULES FIRST("3s", "1s"),
        RULES,
        RULES FIRST("4s", "1s"),
        RULES FIRST("4s", "2s"),
    };
    struct bench_feed *feed;
    struct bench *bench = bench_create(RULES FIRST("2s", "1s"));

    bench->config.expire_ms = 3000;
    bench->config.workers = workers;
    bench_go_live(bench);
    feed = bench_feed(bench, "t", 0);
    feed->answers = true;
    bench_start(bench);
    bench_pass(bench, 400, 20);
    *most = 0;
    for (int i = 0; i < 100; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "r%d", i % 17);
        bench_put(feed, now(bench), resource, "two", "");
        bench_put(feed, now(bench), resource, "one", "");
        bench_put(feed, now(bench) + 1, resource, "one", "");
        if (switches)
            bench_switch(bench, sets[i % 4]);
        bench_pass(bench, 100, 50);
        *most = sets_held(bench) > *most ? sets_held(bench) : *most;
    }
    bench_pass(bench, 10000, 100);
    assert_int_equal(sets_held(bench), 1);
    assert_int_equal(forms_held(bench), 2); /* the last set has both rules */
    bench_stop(bench);
    lines_of_other(bench->brief, lines, bytes);
    bench_destroy(bench);
}

static void a_storm_of_reloads_changes_no_other_rule_and_leaves_nothing(void **state)
{
    (void)state;
    static char calm[256 << 10], storm[256 << 10];
    uint64_t most;

    run_storm(false, 2, calm, sizeof(calm), &most);
    assert_non_null(strstr(calm, "opened"));
    for (unsigned workers = 1; workers <= 2; workers++) {
        run_storm(true, workers, storm, sizeof(storm), &most);
        assert_string_equal(storm, calm);
        /* One set takes effect per round of 200 ms, a look comes each second and then takes 17
         * polls; an incident holds its set for a second or two. */
        assert_in_range(most, 3, 24);
    }
}

/* Places of forms that are let go are used again: by places the youngest form, which took that of
 * the oldest, would come before the one that drains. */
static void the_older_form_comes_first_whatever_its_place(void **state)
{
    (void)state;
    struct rule_set *sets[3] = {parse_good("rules:\n" FIRST("2s", "1s")),
                                parse_good("rules:\n" FIRST("3s", "1s")),
                                parse_good("rules:\n" FIRST("4s", "1s"))};
    const struct engine_terms terms = {.alerts_max = 1};
    struct rules_version *one = rules_version_create(sets[0], &terms, NULL, 1);
    struct rules_version *two = rules_version_create(sets[1], &terms, one, 1);
    const bool is_dead[2] = {true, false};
    struct rules_version *trimmed = rules_version_trim(two, is_dead, 1);
    struct rules_version *three = rules_version_create(sets[2], &terms, trimmed, 1);

    assert_int_equal(three->slot_of[0], 0);
    assert_ptr_equal(three->slots[1].rule, rule_set_rule(sets[1], 0));
    assert_true(three->slots[1].order < three->slots[0].order);
    free(one->slots[0].tally);
    rules_version_drop(one);
    rules_version_drop(two);
    rules_version_drop(trimmed);
    rules_version_destroy(three);
    for (int i = 0; i < 3; i++)
        rule_set_destroy(sets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_stays_while_an_incident_goes_by_it),
        cmocka_unit_test(the_first_set_counts_while_an_incident_goes_by_it),
        cmocka_unit_test(a_form_stays_while_a_key_has_it),
        cmocka_unit_test(the_older_form_comes_first_whatever_its_place),
        cmocka_unit_test(a_storm_of_reloads_changes_no_other_rule_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
