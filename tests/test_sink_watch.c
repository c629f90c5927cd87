/*
 * Aim (L6, O6): each change of a sink becomes one line of the log, which says what to do about it,
 * and no change becomes none. Method: two looks at counters; lines go to a pipe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "daemon/log.h"
#include "daemon/sink_watch.h"
#include "tests/log_pipe.h"

static int setup(void **state)
{
    (void)state;
    return log_pipe_open();
}

static int teardown(void **state)
{
    (void)state;
    log_pipe_close();
    return 0;
}

/* What was logged since the last look. */
static const char *logged(void)
{
    log_flush(true);
    return log_pipe_text();
}

static void assert_logs(struct sink_counters *before, const struct sink_counters *now,
                        const char *what)
{
    sink_watch_see(before, now);
    const char *text = logged();
    if (strstr(text, what) == NULL || strchr(text, '\n') != strrchr(text, '\n'))
        fail_msg("'%s' is not the one line with '%s'", text, what);
    sink_watch_see(before, now); /* and not again */
    assert_string_equal(logged(), "");
}

static void L6_each_walk_that_finds_another_count_is_logged(void **state)
{
    struct sink_counters before = {.name = "pager"}, now = before;

    (void)state;
    now.walk_mismatches = 1;
    now.walk_counted = 7;
    now.walk_found = 6;
    assert_logs(&before, &now,
                "event=ledger_mismatch sink=pager why=\"7 changes were counted as waiting, and 6 "
                "were there\" next=\"it goes on; this is a mistake of tocsin\"\n");
    now.walk_mismatches = 2;
    now.walk_found = 8;
    assert_logs(&before, &now, "7 changes were counted as waiting, and 8 were there");
}

static void what_a_sink_comes_to_is_logged_once(void **state)
{
    struct sink_counters before = {.name = "pager"}, now = before;

    (void)state;
    snprintf(now.last_error, sizeof(now.last_error), "it answered 401");
    now.held = true;
    now.waiting = 3;
    assert_logs(&before, &now, "event=sink_held sink=pager why=\"it answered 401\" waiting=3\n");
    now.held = false;
    assert_logs(&before, &now, "event=sink_free sink=pager");
    now.breaker_open = true;
    assert_logs(&before, &now, "event=sink_down sink=pager why=\"it answered 401\" waiting=3\n");
    now.breaker_open = false;
    assert_logs(&before, &now, "event=sink_up sink=pager");
    now.dead = 2;
    assert_logs(&before, &now, "event=sink_gave_up sink=pager why=\"it answered 401\" changes=2");
    now.last_error[0] = '\0';
    now.dead = 5;
    assert_logs(&before, &now, "why=\"they were given up before the start\" changes=3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(L6_each_walk_that_finds_another_count_is_logged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_sink_comes_to_is_logged_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
