/*
 * Aim: /readyz and /healthz say no when something is wrong, say which, and only then.
 * Method: looks with times of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "daemon/health.h"

static const uint64_t second = UINT64_C(1000000000);

/* A second of a daemon that works. */
static struct health_view good(unsigned n)
{
    return (struct health_view){.now_ns = n * second,
                                .progress = n,
                                .watermark_ms = (int64_t)n * 1000,
                                .waiting = 5,
                                .source_ready = true,
                                .source_why = ""};
}

static void assert_not_ready(struct health *health, const char *sentence)
{
    struct error why = {{0}};
    assert_false(health_is_ready(health, &why));
    assert_string_equal(why.text, sentence);
}

static void it_is_ready_with_the_first_good_look(void **state)
{
    (void)state;
    struct health health;
    struct error why;
    struct health_view view = good(1);
    health_init(&health, 0);
    assert_not_ready(&health, "starting");
    assert_true(health_is_alive(&health, 0, &why));
    assert_true(health_see(&health, &view)); /* changed */
    assert_true(health_is_ready(&health, &why));
    view = good(2);
    assert_false(health_see(&health, &view));
    health_release(&health);
}

static void each_fault_is_named_and_goes_away(void **state)
{
    (void)state;
    struct health health;
    struct error why;
    struct health_view view = good(1);
    health_init(&health, 0);
    view.source_ready = false;
    view.source_why = "no broker has answered";
    health_see(&health, &view);
    assert_not_ready(&health, "no broker has answered");
    view = good(2);
    view.outbox_fill = 1;
    health_see(&health, &view);
    assert_not_ready(&health, "the outbox is full and input pauses: see tocsin_sink_waiting");
    view = good(3);
    view.outbox_fill = 0.99;
    assert_true(health_see(&health, &view));
    assert_true(health_is_ready(&health, &why));
    health_release(&health);
}

static void a_watermark_that_stands_while_input_waits_is_stuck(void **state)
{
    (void)state;
    struct health health;
    struct error why;
    struct health_view view;
    health_init(&health, 0);
    for (unsigned n = 1; n <= 30; n++) {
        view = good(n);
        view.watermark_ms = 1000;
        health_see(&health, &view);
        assert_true(health_is_ready(&health, &why)); /* it moved at second 1 */
    }
    view = good(31);
    view.watermark_ms = 1000;
    assert_true(health_see(&health, &view));
    assert_not_ready(&health, "the watermark has not moved for 30 s while 5 records and events "
                              "wait for it");
    assert_true(health_is_alive(&health, view.now_ns, &why));
    /* It moves again. */
    view = good(32);
    assert_true(health_see(&health, &view));
    assert_true(health_is_ready(&health, &why));
    health_release(&health);
}

static void a_quiet_night_is_not_stuck(void **state)
{
    (void)state;
    struct health health;
    struct error why;
    health_init(&health, 0);
    for (unsigned n = 1; n <= 1000; n++) {
        struct health_view view = good(n);
        view.watermark_ms = INT64_MIN; /* never had a record */
        view.waiting = 0;
        health_see(&health, &view);
        assert_true(health_is_ready(&health, &why));
    }
    health_release(&health);
}

/* It stood by for a minute: neither its engine nor its watermark stood still. */
static void the_time_before_the_engine_began_is_not_held_against_it(void **state)
{
    (void)state;
    struct health health;
    struct error why;
    struct health_view view = good(60);

    view.progress = 0;
    view.watermark_ms = INT64_MIN;
    view.waiting = 1;
    health_init(&health, 0);
    health_begin(&health, 60 * second);
    assert_true(health_is_alive(&health, 60 * second, &why));
    health_see(&health, &view);
    assert_true(health_is_alive(&health, 60 * second, &why));
    assert_true(health_is_ready(&health, &why));
    health_release(&health);
}

static void an_engine_without_progress_is_dead(void **state)
{
    (void)state;
    struct health health;
    struct error why = {{0}};
    struct health_view view;
    health_init(&health, 0);
    for (unsigned n = 1; n <= 31; n++) {
        view = good(n);
        view.progress = 7;
        assert_true(health_is_alive(&health, n * second, &why));
        health_see(&health, &view);
    }
    assert_false(health_is_alive(&health, 31 * second, &why));
    assert_string_equal(why.text, "the engine has made no progress for 30 s");
    health_release(&health);
}

static void a_main_thread_that_hangs_is_dead(void **state)
{
    (void)state;
    struct health health;
    struct error why = {{0}};
    struct health_view view = good(1);
    health_init(&health, 0);
    health_see(&health, &view);
    assert_true(health_is_alive(&health, 30 * second, &why));
    assert_false(health_is_alive(&health, 31 * second, &why));
    assert_string_equal(why.text, "the main thread has not looked at the engine for 30 s");
    health_stop(&health); /* a shutdown looks no more, and is no hang */
    assert_true(health_is_alive(&health, 61 * second, &why));
    health_release(&health);
}

static void stopping_is_not_ready(void **state)
{
    (void)state;
    struct health health;
    struct health_view view = good(1);
    health_init(&health, 0);
    health_see(&health, &view);
    health_stop(&health);
    assert_not_ready(&health, "stopping");
    view = good(2);
    health_see(&health, &view);
    assert_not_ready(&health, "stopping");
    health_release(&health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_with_the_first_good_look),
        cmocka_unit_test(each_fault_is_named_and_goes_away),
        cmocka_unit_test(a_watermark_that_stands_while_input_waits_is_stuck),
        cmocka_unit_test(a_quiet_night_is_not_stuck),
        cmocka_unit_test(the_time_before_the_engine_began_is_not_held_against_it),
        cmocka_unit_test(an_engine_without_progress_is_dead),
        cmocka_unit_test(a_main_thread_that_hangs_is_dead),
        cmocka_unit_test(stopping_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
