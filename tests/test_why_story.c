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

static const char pair_rule[] = "rules:\n- id: pair\n  where: host == \"db\"\n  by: [host]\n"
                                "  window: 10m\n  when: distinct(check) >= 2\n"
                                "  incident: {title: t}\n  close: quiet(1h)\n";

/* It expires at 20 s; its later ends are clears. */
static void an_alert_that_expired_before_is_cleared_by_a_clear(void **state)
{
    (void)state;
    static const struct put puts[] = {
        {0, "db/a", "one", ""},
        {21000, "db/a", "one", ""},
        {21100, "db/a", "one", BENCH_CLEAR},
        {21200, "db/a", "one", ""},
        {21300, "db/a", "one", BENCH_CLEAR},
        {35000, "db/a", "two", ""},
        {0, NULL, NULL, NULL},
    };
    struct bench *bench = bench_of(pair_rule, puts);
    char *text = story_of_first(bench);

    if (strstr(text, "cleared before it opened") == NULL ||
        strstr(text, "expired before it opened") != NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

/* The alert's first event has left the window when its second one is held. */
static void what_an_incident_does_not_hold_is_no_member_of_it(void **state)
{
    (void)state;
    static const struct put puts[] = {
        {0, "db/a", "one", ""},     {100, "db/a", "one", BENCH_CLEAR},
        {15000, "db/a", "one", ""}, {16000, "db/a", "two", ""},
        {0, NULL, NULL, NULL},
    };
    struct bench *bench = bench_of("rules:\n- id: pair\n  where: host == \"db\"\n  by: [host]\n"
                                   "  window: 10s\n  when: count() >= 2\n"
                                   "  incident: {title: t}\n  close: quiet(1h)\n",
                                   puts);
    char *first = story_of(bench, "t/0/0"), *held = story_of(bench, "t/0/2");

    if (strstr(first, "\n\nrule pair: count() 1 of 2 at " T "40.000Z; the oldest left at " T
                      "50.000Z\n") == NULL)
        fail_msg("%s", first);
    if (strstr(held, "\n\nit is in incident ") == NULL ||
        strstr(held, " of rule pair, which opened at " T "56.000Z\n") == NULL)
        fail_msg("%s", held);
    free(first);
    free(held);
    bench_destroy(bench);
}

/* The alert fires, expires after 20 s, and fires again: what made it a member of the second
 * incident is the event of its present life. */
static void a_member_is_of_its_present_life(void **state)
{
    static const struct put puts[] = {
        {0, "h/a", "c", ""},
        {60000, "h/a", "c", ""},
        {0, NULL, NULL, NULL},
    };
    struct bench *bench = bench_of("rules:\n- id: each\n  where: check == \"c\"\n  by: [resource]\n"
                                   "  window: open\n  when: count() >= 1\n"
                                   "  incident: {title: t}\n  close: cleared()\n",
                                   puts);
    static struct told told;
    char *text;

    (void)state;
    listen_to(bench, &told);
    assert_int_equal(told.incident_count, 2);
    text = story_of_incident(bench, told.incident[1]);
    if (strstr(text, "\n  h/a c, by t/0/1/0 at 2001-09-09T01:47:40.000Z\n") == NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
}

/* One line of repeats, the first of which had left the window, is where the story begins. */
static void a_line_of_repeats_stays_if_one_of_them_counted(void **state)
{
    (void)state;
    static const int64_t at[] = {0, 5000, 12000, 15500, 16000, 17000};
    struct bench *bench = bench_create("rules:\n- id: each\n  on: events\n  where: check == \"c\"\n"
                                       "  by: [resource]\n  window: 10s\n  when: count() >= 4\n"
                                       "  incident: {title: each}\n  close: quiet(1s)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    char *text;

    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
        bench_put(feed, at[i], "a", "c", "");
    text = story_of_first(bench);
    if (strstr(text, T "45.000Z  t/0/1/0               rule each counts the repeat of a c: "
                       "count() 2 of 4 (4 of them, until " T "56.000Z: count() 3 of 4)") == NULL ||
        strstr(text, "rule each counts a c: count() 1 of 4") != NULL)
        fail_msg("%s", text);
    free(text);
    bench_destroy(bench);
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
        cmocka_unit_test(an_alert_that_expired_before_is_cleared_by_a_clear),
        cmocka_unit_test(what_an_incident_does_not_hold_is_no_member_of_it),
        cmocka_unit_test(a_member_is_of_its_present_life),
        cmocka_unit_test(a_line_of_repeats_stays_if_one_of_them_counted),
        cmocka_unit_test(the_story_is_told_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
