/*
 * Aim: aggregates over numbers are what docs/correlation.md says, to the last bit, whatever the
 * order of the entries. Method: sums and deviations against 128-bit arithmetic done in another way
 * here; windows of a few events with worked-out answers in the incident's `why`; refusals.
 */
#include <math.h>
#include "correlate/exact_sum.h"
#include "tests/engine_bench.h"

static void no_order_of_addition_shows(void **state)
{
    static const double numbers[] = {0.1,   -0.1,    1e15,    3.14159, -2.5e-12,  1e20,
                                     -1e20, 1.0 / 3, 2.95e20, 0x1p-41, 0x1.8p-40, -7};
    enum { COUNT = sizeof(numbers) / sizeof(numbers[0]) };
    struct exact_moments moments = {0}, forwards = {0}, backwards = {0};

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        exact_add(&forwards, exact_of(numbers[i]));
        exact_add(&backwards, exact_of(numbers[COUNT - 1 - i]));
    }
    assert_memory_equal(&forwards, &backwards, sizeof(forwards));
    /* 1e20 - 1e20 leaves nothing behind, as it would among doubles. */
    exact_add(&moments, exact_of(0.1));
    exact_add(&moments, exact_of(1e20));
    exact_add(&moments, exact_of(-1e20));
    assert_true(exact_to_real(moments.sum) == exact_to_real(exact_of(0.1)));
    /* Halves of 2^-40 go to the even neighbour. */
    assert_true(exact_of(0x1p-41) == 0);
    assert_true(exact_of(0x1.8p-40) == 2);
    assert_false(exact_fits(0x1p68));
    assert_false(exact_fits(NAN));
    assert_false(exact_fits(-INFINITY));
}

static void averages_and_deviations_are_those_of_the_numbers(void **state)
{
    struct exact_moments moments = {0};

    (void)state;
    /* 2, 4, 4, 4, 5, 5, 7, 9: the textbook's, 5 and 2. */
    for (int i = 0; i < 8; i++)
        exact_add(&moments, exact_of((double)("24445579"[i] - '0')));
    assert_true(exact_average(&moments) == 5);
    assert_true(exact_deviation(&moments) == 2);
    /* Far from zero nothing is lost: the deviation of a, a + 2 is 1. */
    moments = (struct exact_moments){0};
    exact_add(&moments, exact_of(0x1p50));
    exact_add(&moments, exact_of(0x1p50 + 2));
    assert_true(exact_deviation(&moments) == 1);
    /* And of the largest that fit, opposite: 2^68 - 2^15 on either side. */
    moments = (struct exact_moments){0};
    for (int i = 0; i < 65536; i++) {
        exact_add(&moments, exact_of(0x1p68 - 0x1p15));
        exact_add(&moments, exact_of(-(0x1p68 - 0x1p15)));
    }
    assert_true(exact_average(&moments) == 0);
    assert_true(exact_deviation(&moments) == 0x1p68 - 0x1p15);
}

/* Values at whole seconds; a NaN is an event without a value. */
static void put_values(struct bench_feed *feed, const double *values, int count)
{
    for (int i = 0; i < count; i++) {
        char check[16], more[64] = "";
        snprintf(check, sizeof(check), "c%d", i);
        if (values[i] == values[i])
            snprintf(more, sizeof(more), ",\"value\":%g", values[i]);
        bench_put(feed, 1000 * i, "x", check, more);
    }
    bench_put(feed, 100000, "end", "info", ",\"severity\":\"info\"");
}

static void each_aggregate_says_what_it_saw(void **state)
{
    static const struct {
        const char *when;
        double value[6];
        int count;
        const char *why; /* NULL: no incident */
    } cases[] = {
        {"sum(value) >= 6", {1, 2, 3}, 3, "sum(value) is 6 in 10s (needs at least 6)"},
        {"avg(value) > 1.7", {1, 2, 3}, 3, "avg(value) is 2 in 10s (needs more than 1.7)"},
        {"min(value) < 1", {1, 2, 0.5}, 3, "min(value) is 0.5 in 10s (needs less than 1)"},
        {"max(value) > 2", {1, 2, 2.5}, 3, "max(value) is 2.5 in 10s (needs more than 2)"},
        {"count() >= 2 && stddev(value) >= 1",
         {1, 3},
         2,
         "2 alerts in 10s (needs 2); stddev(value) is 1 in 10s (needs at least 1)"},
        {"quantile(value, 0.5) >= 3", {1, 2, 3, 9, 9}, 4, NULL},
        {"quantile(value, 0.5) >= 3",
         {1, 2, 3, 9, 9},
         5,
         "quantile(value, 0.5) is 3 in 10s (needs at least 3)"},
        {"first(value) == 7 && count() == 2",
         {7, 8},
         2,
         "first(value) is 7 in 10s (needs exactly 7); 2 alerts in 10s (needs exactly 2)"},
        {"last(value) == 8", {7, 8}, 2, "last(value) is 8 in 10s (needs exactly 8)"},
        /* 4 to 10, then again from 0 to 3: 6 + 3 in two seconds. */
        {"rate(value) == 4.5", {4, 10, 3}, 3, "rate(value) is 4.5 in 10s (needs exactly 4.5)"},
        {"rate(value) >= 0", {4}, 1, NULL},
        {"avg(value) < 100", {NAN, NAN}, 2, NULL},
        {"sum(value) == 0", {NAN}, 1, "sum(value) is 0 in 10s (needs exactly 0)"},
        {"avg(value) < 100 || count() >= 2", {NAN, NAN}, 2, "2 alerts in 10s (needs 2)"},
        {"max(value * 2.0 + 1.0) >= 11",
         {4, 5},
         2,
         "max(value * 2.0 + 1.0) is 11 in 10s (needs at least 11)"},
        {"max(value) >= 2 * min(value)",
         {2, 3, 4},
         3,
         "max(value) is 4 in 10s; min(value) is 2 in 10s"},
        /* Turned round, from both sides, and from the other: no bound twice. */
        {"9 > max(value) && !(max(value) <= 2.5) && max(value) < 9",
         {2, 3},
         2,
         "max(value) is 3 in 10s (needs less than 9, more than 2.5)"},
        {"max(value) > 100 || max(value) != 2",
         {3},
         1,
         "max(value) is 3 in 10s (needs other than 2)"},
        {"max(value) >= 2.5 * 2.0", {5}, 1, "max(value) is 5 in 10s (needs at least 5)"},
        {"avg(value) > 5", {1e300, 6}, 2, "avg(value) is 6 in 10s (needs more than 5)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char rule[1024];
        snprintf(rule, sizeof(rule),
                 "rules:\n  - id: r\n    where: severity >= WARNING\n    by: [resource]\n"
                 "    window: 10s\n    when: %s\n    incident: {title: t}\n    close: quiet(1h)\n",
                 cases[i].when);
        struct bench *bench = bench_create(rule);
        put_values(bench_feed(bench, "t", 0), cases[i].value, cases[i].count);
        bench_run(bench);
        char want[256];
        snprintf(want, sizeof(want), "\"why\":\"%s\"", cases[i].why != NULL ? cases[i].why : "");
        const char *why = bench->log.used > 0 ? strstr(bench->log.at, "\"why\":") : NULL;
        if (cases[i].why == NULL ? why != NULL
                                 : why == NULL || strncmp(why, want, strlen(want)) != 0)
            fail_msg("%s: %s instead of %s", cases[i].when, why != NULL ? why : "nothing", want);
        assert_int_equal(bench->counters.numbers_unfit, cases[i].value[0] == 1e300);
        bench_destroy(bench);
    }
}

/* 59 alerts of value 1, but c10's 99, then c10 changes to 1: with the 60th the largest is 1, with
 * the 61st, of 50, it is 50. So many entries are kept with sums. */
static void a_change_in_a_large_window_takes_its_old_number_out(void **state)
{
    enum { FEW = 59 };
    struct bench *bench = bench_create(
        "rules:\n  - id: r\n    where: severity >= WARNING\n    by: [resource]\n"
        "    window: 10m\n    when: count() >= 60 && max(value) >= 50 && sum(value) == 110\n"
        "    incident: {title: t}\n    close: quiet(1h)\n");
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    (void)state;
    for (int i = 0; i < FEW; i++) {
        char check[16];
        snprintf(check, sizeof(check), "c%d", i);
        bench_put(feed, 1000 * i, "x", check, i == 10 ? ",\"value\":99" : ",\"value\":1");
    }
    bench_put(feed, 1000 * FEW, "x", "c10", ",\"value\":1,\"severity\":\"critical\"");
    bench_put(feed, 1000 * FEW + 1, "x", "c59", ",\"value\":1");
    bench_put(feed, 1000 * FEW + 2, "x", "c60", ",\"value\":50");
    bench_put(feed, 100000, "end", "info", ",\"severity\":\"info\"");
    bench_run(bench);
    assert_string_equal(bench->brief, "59002 opened rule r resource=x n=1 alerts=61\n");
    bench_destroy(bench);
}

static void a_title_shows_them(void **state)
{
    struct bench *bench = bench_create(
        "rules:\n  - id: r\n    where: severity >= WARNING\n    window: 10s\n"
        "    when: count() >= 2 && avg(value) > 1\n"
        "    incident: {title: \"avg {avg(value)} of {count()}\"}\n    close: quiet(1h)\n");
    static const double values[] = {1, 2.5};

    (void)state;
    put_values(bench_feed(bench, "t", 0), values, 2);
    bench_run(bench);
    assert_non_null(strstr(bench->log.at, "\"title\":\"avg 1.75 of 2\""));
    bench_destroy(bench);
}

#define OPENED_BY(when)                                                                            \
    "rules:\n  - id: r\n    where: true\n    window: 10s\n    when: '" when "'\n"                  \
    "    incident: {title: t}\n    close: quiet(1h)\n"

static const struct refusal refused[] = {
    {OPENED_BY("sum(severity) > 1"),
     "this aggregate takes a number, or a label that holds one, and this is a severity"},
    {OPENED_BY("sum(message) > 1"),
     "r.yaml:5:16: this aggregate takes a number, or a label that holds one, "
     "and message is text; what computes a number of it may be named: "
     "double(message)"},
    {OPENED_BY("sum() > 1"), "sum() takes exactly one thing"},
    {OPENED_BY("quantile(value) > 1"), "quantile() takes two things: quantile(value, 0.95)"},
    {OPENED_BY("quantile(value, 95) > 1"),
     "a quantile is a number from 0 to 1: quantile(value, 0.95)"},
    {OPENED_BY("avg(vlaue) > 1"), "there is no field \"vlaue\"; did you mean \"value\"?"},
    {OPENED_BY("avg(count()) > 1"), "count() belongs into when, not into where"},
    {OPENED_BY("avg(value) > \"a\""), "this is text and cannot be compared with a number"},
};

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    assert_each_refused(refused, sizeof(refused) / sizeof(refused[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_of_addition_shows),
        cmocka_unit_test(averages_and_deviations_are_those_of_the_numbers),
        cmocka_unit_test(each_aggregate_says_what_it_saw),
        cmocka_unit_test(a_change_in_a_large_window_takes_its_old_number_out),
        cmocka_unit_test(a_title_shows_them),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
