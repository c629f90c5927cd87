/*
 * Aim: the story of an incident begins with what counted first, is in order, and tells in one line
 * what came again. Method: small recordings, and a dense one in which deduplication is seconds
 * ahead of the rules.
 */
#include "tests/why_bench.h"

/* Six events of one alert, four of which open: three that count, the opener, two that join. */
static void repeats_that_a_rule_counts_are_one_line(void **state)
{
    (void)state;
    static struct told told;
    struct bench *bench = bench_create("rules:\n- id: each\n  on: events\n  where: check == \"c\"\n"
                                       "  by: [resource]\n  window: 10s\n  when: count() >= 4\n"
                                       "  incident: {title: each}\n  close: quiet(1s)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char *text;

    for (int64_t i = 0; i < 6; i++)
        bench_put(feed, 100 * i, "a", "c", "");
    listen_to(bench, &told);
    assert_int_equal(told.incident_count, 1);
    text = story_of_incident(bench, told.incident[0]);
    if (strstr(text, "rule each counts a c: count() 1 of 4\n") == NULL ||
        strstr(text, "counts the repeat of a c: count() 2 of 4 (2 of them, until " T
                     "40.200Z: count() 3 of 4)") == NULL ||
        strstr(text, "of rule each (2 of them, until " T "40.500Z)") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

/* What counted, and was over when the incident opened, is the beginning of its story. */
static void the_story_begins_with_what_counted_first(void **state)
{
    (void)state;
    static const struct {
        struct put put[4];
        const char *line, *member;
    } cases[] = {
        {{{0, "db/a", "one", ""}, {1000, "db/a", "one", BENCH_CLEAR}, {3000, "db/a", "two", ""}},
         T "40.000Z  t/0/0/0               rule pair counts db/a one: count() 1 of 2\n",
         "db/a one, by t/0/0/0 at " T "40.000Z, cleared before it opened\n"},
        {{{0, "db/a", "one", ""}, {30000, "db/a", "two", ""}}, /* it expires at 20 s */
         T "40.000Z  t/0/0/0               rule pair counts db/a one: count() 1 of 2\n",
         "db/a one, by t/0/0/0 at " T "40.000Z, expired before it opened\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *bench = bench_of("rules:\n- id: pair\n  where: host == \"db\"\n  by: "
                                       "[host]\n  window: 10m\n  when: count() >= 2\n"
                                       "  incident: {title: t}\n  close: quiet(1h)\n",
                                       cases[i].put);
        char *text = story_of_first(bench);
        if (strstr(text, cases[i].line) == NULL || strstr(text, cases[i].member) == NULL)
            fail_msg("%s", text);
        free(text);
        bench_destroy(bench);
    }
}

/* An incident opens at 1 s and closes at 3 s; its alerts repeat every 20 ms, one of them on. In a
 * dense input deduplication is seconds ahead of the rules. */
static void the_story_is_told_in_order(void **state)
{
    (void)state;
    struct bench *bench = bench_create("rules:\n- id: pair\n  where: check == \"c\"\n  by: [host]\n"
                                       "  window: 10s\n  when: count() >= 2\n"
                                       "  incident: {title: t}\n  close: cleared()\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char last[WHY_TIME_BYTES] = "", *rest = NULL;
    size_t lines = 0, closes = 0;

    for (int64_t at = 0; at < 9000; at += 2) {
        if (at % 20 == 0 && (at < 3000 || at > 4000))
            bench_put(feed, at, "h/a", "c", "");
        if (at % 20 == 0 && at >= 1000 && at < 3000)
            bench_put(feed, at, "h/b", "c", "");
        if (at == 3000) {
            bench_put(feed, at, "h/a", "c", BENCH_CLEAR);
            bench_put(feed, at, "h/b", "c", BENCH_CLEAR);
        }
        bench_put(feed, at, "other", "noise", "");
    }
    char *text = story_of_first(bench), *copy = strdup(text);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, T, strlen(T)) != 0)
            continue;
        lines++;
        closes += strstr(line, "closes: ") != NULL;
        if (strncmp(line, last, 24) < 0 || (closes > 0 && strncmp(line, T "43.000Z", 24) > 0))
            fail_msg("out of order: %s\n%s", line, text);
        snprintf(last, sizeof(last), "%.24s", line);
    }
    assert_int_equal(closes, 1);
    assert_true(lines >= 8);
    free(copy);
    free(text);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_that_a_rule_counts_are_one_line),
        cmocka_unit_test(the_story_begins_with_what_counted_first),
        cmocka_unit_test(the_story_is_told_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
