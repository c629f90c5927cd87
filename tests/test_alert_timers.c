/*
 * Due times of a lane: that they come in order, whatever their lists are doing.
 * Method: pushes, pops and opened lists at random, held against an array that is searched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "correlate/alert_timers.h"

enum { MOST = 4000 };

static int64_t due_of[MOST]; /* by owner; INT64_MAX: it has no entry */
static uint64_t draw = 1;

static uint64_t below(uint64_t n)
{
    draw = draw * 6364136223846793005u + 1442695040888963407u;
    return (draw >> 33) % n;
}

static int64_t least(void)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < MOST; i++)
        least = due_of[i] < least ? due_of[i] : least;
    return least;
}

static void push(struct alert_timers *timers, uint32_t owner, int64_t due_ms)
{
    alert_timers_push(timers, (struct timer){.due_ms = due_ms, .owner = owner});
    due_of[owner] = due_ms;
}

/* Some of what is opened goes further back, as alerts do that were heard of again. */
static void open_lists(struct alert_timers *timers, int64_t now_ms)
{
    struct timer_list list;
    int64_t end_ms;

    while ((end_ms = alert_timers_open(timers, now_ms, &list)) != INT64_MIN) {
        for (size_t i = 0; i < list.all.count; i++) {
            struct timer timer = list.all.at[i];
            assert_int_equal(timer.due_ms, due_of[timer.owner]);
            if (below(2) == 0)
                due_of[timer.owner] = timer.due_ms += (int64_t)below(400000);
            if (timer.due_ms < end_ms)
                alert_timers_push_soon(timers, timer);
            else
                alert_timers_push(timers, timer);
        }
        alert_timers_opened(timers, &list);
    }
}

static void run(int64_t begin_ms, int64_t spread_ms, int64_t expire_ms, uint32_t count)
{
    struct alert_timers timers = {0};
    int64_t now_ms = begin_ms;

    alert_timers_fit(&timers, expire_ms);
    for (int i = 0; i < MOST; i++)
        due_of[i] = INT64_MAX;
    for (uint32_t i = 0; i < count; i++)
        push(&timers, i, now_ms + (int64_t)below((uint64_t)spread_ms));
    for (int step = 0; step < 400; step++) {
        now_ms += (int64_t)below((uint64_t)spread_ms / 50 + 2);
        if (step % 3 != 0) /* else they are popped out of lists that were never opened */
            open_lists(&timers, now_ms);
        assert_int_equal(alert_timers_due(&timers), least());
        while (alert_timers_due(&timers) <= now_ms) {
            int64_t expected_ms = least();
            struct timer timer = alert_timers_pop(&timers);
            assert_int_equal(timer.due_ms, expected_ms);
            assert_int_equal(timer.due_ms, due_of[timer.owner]);
            due_of[timer.owner] = INT64_MAX;
            if (below(8) != 0)
                push(&timers, timer.owner, now_ms + 1 + (int64_t)below((uint64_t)spread_ms));
            assert_int_equal(alert_timers_due(&timers), least());
        }
    }
    assert_true(alert_timers_bytes(&timers) >= sizeof(struct timer));
    alert_timers_clear(&timers);
    assert_int_equal(alert_timers_due(&timers), INT64_MAX);
    push(&timers, 0, begin_ms - 1);
    assert_int_equal(alert_timers_pop(&timers).due_ms, begin_ms - 1);
    alert_timers_release(&timers);
}

static void few_come_in_order(void **state)
{
    (void)state;
    run(1700000000000, 300000, 300000, 20);
}

static void many_come_in_order(void **state)
{
    (void)state;
    run(1700000000000, 300000, 300000, 1000);
}

static void those_beyond_the_ring_come_in_order(void **state)
{
    (void)state;
    run(1700000000000, 30 * INT64_C(86400000), 300000, 500);
    run(1700000000000, 30 * INT64_C(86400000), 30 * INT64_C(86400000), 500);
}

static void those_of_one_moment_come(void **state)
{
    (void)state;
    run(0, 3, 1, 300);
}

static void times_before_1970_come_in_order(void **state)
{
    (void)state;
    run(-10000000, 500000, 300000, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_come_in_order),
        cmocka_unit_test(many_come_in_order),
        cmocka_unit_test(those_beyond_the_ring_come_in_order),
        cmocka_unit_test(those_of_one_moment_come),
        cmocka_unit_test(times_before_1970_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
