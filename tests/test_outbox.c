/*
 * Aim: what the outbox is given leaves in order, merged where that may be, each sink by
 * itself (O1 to O4, O7). Method: the core on virtual time (outbox_world.h); each
 * statement has a test named after it. Retries are in test_outbox_retry.c, all at once
 * in test_outbox_model.c, the thread around the core in test_outbox_http.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "sinks/outbox_queue.h" /* before the world, whose `core` its parameters would hide */

#include "outbox_world.h"

/* ---- O1 ---- */

static void O1_an_op_is_pending_then_intent_then_done(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    assert_int_equal(counters(0).waiting, 1);
    assert_int_equal(fixture_sent_count, 0); /* nothing leaves before run() */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_int_equal(outbox_core_in_flight(core), 1);
    assert_int_equal(counters(0).waiting, 1);
    assert_int_equal(outbox_core_due_ns(core), UINT64_MAX);
    fixture_answer(0, 200, "", "");
    assert_int_equal(changes, 1);
    assert_int_equal(counters(0).done, 1);
    assert_int_equal(outbox_core_waiting(core), 0);
    assert_int_equal(outbox_core_in_flight(core), 0);
    assert_int_equal(finished_ops, 1);
    assert_int_equal(counters(0).bytes_sent, strlen(fixture_sent[0].body));
}

static void O1_an_attempt_that_fails_goes_through_retry_and_keeps_its_id(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 503, "busy", "");
    assert_int_equal(counters(0).retries, 1);
    assert_string_equal(counters(0).last_error, "HTTP 503: busy");
    assert_true(run_until_sent(1, 10000));
    assert_string_equal(fixture_sent[0].body, fixture_sent[1].body);
    assert_string_equal(fixture_sent[0].headers[1], fixture_sent[1].headers[1]);
    assert_string_equal(fixture_sent[0].headers[2], "Tocsin-Attempt: 1");
    assert_string_equal(fixture_sent[1].headers[2], "Tocsin-Attempt: 2");
    fixture_answer(1, 204, "", "");
    assert_int_equal(counters(0).done, 1);
}

/* A record that is read again, as its partition left and came back, may open an incident of an id
 * that there was: its ops are numbered from 1 once more, and are told like the first ones. */
static void O2_an_incident_that_opens_again_is_told_again(void **state)
{
    static const char *const kinds[] = {"open", "resolve", "open", "resolve"};

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_RESOLVE, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_RESOLVE, 0);
    for (uint32_t i = 0; i < 4; i++) {
        char kind[32];
        outbox_core_run(core);
        assert_int_equal(fixture_sent_count, i + 1);
        snprintf(kind, sizeof(kind), "\"kind\":\"%s\"", kinds[i]);
        assert_true(sent_has(i, kind));
        assert_int_equal(sent_number(i, "number"), i % 2 + 1);
        fixture_answer(i, 200, "", "");
    }
    submit(1, 1, OP_OPEN, 0); /* and when nothing of it waits any more */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 5);
    fixture_answer(4, 200, "", "");
    assert_int_equal(counters(0).done, 5);
    assert_int_equal(counters(0).superseded, 0);
}

/* ---- O2 ---- */

static void O2_one_op_in_flight_per_incident_in_order(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_ACK, 0);
    submit(1, 4, OP_RESOLVE, 0);
    for (uint32_t i = 0; i < 4; i++) {
        outbox_core_run(core);
        assert_int_equal(fixture_sent_count, i + 1);
        assert_int_equal(sent_number(i, "number"), i + 1);
        fixture_answer(i, 200, "", "");
    }
    assert_int_equal(counters(0).done, 4);
    assert_int_equal(counters(0).superseded, 0);
}

static void O2_a_retry_keeps_later_ops_of_the_incident_waiting(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_RESOLVE, 0);
    fixture_answer(0, 500, "", "");
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "number"), 1);
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(sent_number(2, "number"), 2);
}

static void O2_incidents_do_not_wait_for_each_other(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 5; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 5);
    fixture_answer(2, 200, "", "");
    submit(3, 2, OP_RESOLVE, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 6); /* although four opens are still out */
    assert_true(sent_has(5, "\"kind\":\"resolve\""));
}

static void O2_the_rate_budget_is_shared_by_all_incidents(void **state)
{
    static const char *const options[][2] = {{"rate_per_minute", "60"}, {"burst", "3"}};
    uint64_t from_ns;

    (void)state;
    begin_world(options, 2);
    for (uint64_t i = 1; i <= 6; i++)
        submit(i, 1, OP_OPEN, 0);
    from_ns = fixture_mono_ns;
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 3); /* the burst */
    for (size_t i = 3; i < 6; i++) {
        assert_true(run_until_sent(i, 5000));
        assert_int_equal(fixture_sent_count, i + 1);
        /* then one a second: 60 a minute */
        assert_int_equal(fixture_sent[i].at_ns - from_ns, (i - 2) * 1000000000);
    }
}

static void O2_attempts_under_way_are_bounded(void **state)
{
    static const char *const options[][2] = {{"in_flight_max", "2"}};

    (void)state;
    begin_world(options, 1);
    for (uint64_t i = 1; i <= 4; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 3);
}

/* ---- O3 ---- */

static void O3_a_stalled_sink_delays_no_other_sink(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 50; i++) {
        submit(i, 1, OP_OPEN, 0);
        submit(i, 1, OP_OPEN, 1);
    }
    for (size_t done = 0; done < 50;) { /* sink one never answers */
        outbox_core_run(core);
        for (size_t i = 0; i < fixture_sent_count; i++)
            if (fixture_sent[i].done != NULL &&
                strcmp(fixture_sent[i].url, "http://two.example/") == 0) {
                fixture_answer(i, 200, "", "");
                done++;
            }
    }
    assert_int_equal(counters(1).done, 50);
    assert_int_equal(counters(0).done, 0);
    assert_int_equal(counters(0).waiting, 50);
}

static void O3_a_budget_that_is_spent_and_a_time_to_stay_away_are_of_one_sink(void **state)
{
    static const char *const options[][2] = {{"rate_per_minute", "1"}, {"burst", "1"}};

    (void)state;
    begin_world(options, 2);
    submit(1, 1, OP_OPEN, 0);
    submit(2, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1); /* one has spent what it may */
    submit(1, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    assert_string_equal(fixture_sent[1].url, "http://two.example/");
    fixture_answer(0, 429, "", "3600"); /* and asks for an hour of peace */
    submit(2, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 3);
    assert_string_equal(fixture_sent[2].url, "http://two.example/");
}

static void O3_a_breaker_opens_for_its_sink_alone_and_closes_by_a_probe(void **state)
{
    size_t sent;

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 20; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 8); /* in_flight_max */
    for (size_t i = 0; i < 8; i++)
        fixture_fail(i, TRANSPORT_CONNECT);
    assert_true(counters(0).breaker_open);
    assert_false(counters(1).breaker_open);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 8); /* nothing while it is open */
    submit(1, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 9);
    fixture_answer(8, 200, "", "");
    assert_true(run_until_sent(9, 60000));
    assert_int_equal(fixture_sent_count, 10); /* one probe, though many ops are due */
    fixture_fail(9, TRANSPORT_CONNECT);
    assert_true(run_until_sent(10, 60000));
    sent = fixture_sent_count;
    assert_int_equal(sent, 11);
    fixture_answer(10, 200, "", "");
    assert_false(counters(0).breaker_open);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, sent + 8); /* everyone again, at once */
}

static void O3_what_waited_for_a_dead_sink_leaves_when_it_answers_again(void **state)
{
    for (unsigned round = 0; round < 20; round++) {
        tear_down(state);
        set_up(state);
        begin_world(NULL, 0);
        submit(1, 1, OP_OPEN, 0);
        outbox_core_run(core);
        for (size_t i = 0; i < 12; i++) { /* its delays grow beyond those of the breaker */
            fixture_fail(i, TRANSPORT_CONNECT);
            assert_true(run_until_sent(i + 1, 400000));
        }
        submit(2, 1, OP_OPEN, 0); /* never tried yet, so it will be a probe soon */
        while (incident_of(fixture_sent_count - 1) == 1) {
            fixture_fail(fixture_sent_count - 1, TRANSPORT_CONNECT);
            assert_true(run_until_sent(fixture_sent_count, 61000));
        }
        fixture_answer(fixture_sent_count - 1, 200, "", "");
        outbox_core_run(core);
        /* At once, and not when its own delay of up to five minutes has passed. */
        assert_int_equal(incident_of(fixture_sent_count - 1), 1);
        assert_int_equal(outbox_core_in_flight(core), 1);
    }
}

/* ---- O4 ---- */

static void O4_updates_merge_into_what_has_not_been_sent(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_UPDATE, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_true(sent_has(0, "\"kind\":\"open\"")); /* an open stays an open */
    assert_int_equal(sent_number(0, "number"), 1);
    assert_int_equal(sent_number(0, "change_number"), 3); /* and tells the newest state */
    assert_int_equal(counters(0).superseded, 2);
    fixture_answer(0, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_int_equal(counters(0).waiting, 0);
    assert_int_equal(finished_ops, 3);
}

static void O4_an_update_after_the_first_byte_is_an_op_of_its_own(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0); /* the open is under way */
    submit(1, 3, OP_UPDATE, 0); /* this one merges into the first update */
    assert_int_equal(counters(0).superseded, 1);
    fixture_answer(0, 500, "", ""); /* sent and answered, if only with an error */
    submit(1, 4, OP_UPDATE, 0);
    assert_int_equal(counters(0).superseded, 2);
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "number"), 1);
    assert_int_equal(sent_number(1, "change_number"), 1);
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(sent_number(2, "number"), 2);
    assert_int_equal(sent_number(2, "change_number"), 4);
}

static void O4_an_op_that_was_answered_takes_no_update_in(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(0, 503, "", "");
    submit(1, 2, OP_UPDATE, 0); /* the sink has seen the open as it was */
    assert_int_equal(counters(0).superseded, 0);
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "change_number"), 1);
}

static void O4_an_op_that_never_left_still_takes_updates_in(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_fail(0, TRANSPORT_CONNECT);
    submit(1, 2, OP_UPDATE, 0);
    assert_int_equal(counters(0).superseded, 1);
    assert_true(run_until_sent(1, 10000));
    assert_int_equal(sent_number(1, "change_number"), 2);
}

static void O4_opens_and_resolves_never_vanish(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_RESOLVE, 0);
    outbox_core_run(core);
    assert_true(sent_has(0, "\"kind\":\"open\""));
    fixture_answer(0, 200, "", "");
    outbox_core_run(core);
    assert_true(sent_has(1, "\"kind\":\"resolve\""));
    assert_int_equal(counters(0).superseded, 1);
}

static void O4_fold_resolved_drops_an_incident_of_which_nothing_was_sent(void **state)
{
    static const char *const options[][2] = {{"fold_resolved", "true"}};

    (void)state;
    begin_world(options, 1);
    submit(1, 1, OP_OPEN, 0); /* waits */
    submit(1, 2, OP_UPDATE, 0);
    submit(1, 3, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 3);
    assert_int_equal(counters(0).waiting, 0);
    submit(2, 1, OP_OPEN, 0); /* was refused a connection */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    fixture_fail(0, TRANSPORT_CONNECT);
    submit(2, 2, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 5);
    submit(3, 1, OP_OPEN, 0); /* is under way: must be resolved */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    submit(3, 2, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 5);
    fixture_answer(1, 500, "", ""); /* answered, so something was sent */
    assert_true(run_until_sent(2, 10000));
    fixture_answer(2, 200, "", "");
    outbox_core_run(core);
    assert_true(sent_has(3, "\"kind\":\"resolve\""));
}

/* What the sink may have, whether it said so or fell silent, must be closed there. */
static void O4_fold_resolved_keeps_what_may_have_been_taken(void **state)
{
    static const char *const options[][2] = {{"fold_resolved", "true"}};

    (void)state;
    for (int is_lost = 0; is_lost < 2; is_lost++) {
        tear_down(NULL);
        set_up(NULL);
        begin_world(options, 1);
        submit(1, 1, OP_OPEN, 0);
        outbox_core_run(core);
        if (is_lost)
            fixture_fail(0, TRANSPORT_AFTER_FIRST_BYTE);
        else
            fixture_answer(0, 500, "", "");
        submit(1, 2, OP_RESOLVE, 0); /* while the open waits for its next attempt */
        assert_int_equal(counters(0).superseded, 0);
        assert_true(run_until_sent(1, 10000));
        assert_true(sent_has(1, "\"kind\":\"open\""));
        fixture_answer(1, 200, "", "");
        outbox_core_run(core);
        assert_int_equal(fixture_sent_count, 3);
        assert_true(sent_has(2, "\"kind\":\"resolve\""));
    }
}

/* ---- O7: the bound itself is kept by outbox.c; what it counts comes from here ---- */

static void O7_what_was_taken_is_given_back_to_the_byte(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    begin_world(NULL, 0);
    for (uint32_t i = 1; i <= 10; i++) {
        struct op op = fixture_op(1, i, i == 1 ? OP_OPEN : OP_UPDATE, 0);
        struct outbox_op *copy;
        op.incident->title = i % 2 == 0 ? "a longer title than before" : "short";
        copy = outbox_op_create(&op);
        bytes += outbox_op_bytes(copy);
        outbox_core_take(core, copy);
    }
    outbox_core_run(core);
    fixture_answer(0, 200, "", "");
    assert_int_equal(finished_ops, 10);
    assert_int_equal(finished_bytes, bytes);
}

static void no_search_of_an_incident_meets_many_others(void **state)
{
    size_t meets, most = 0;

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 1000; i++)
        submit(i, 1, OP_OPEN, 0);
    for (size_t b = 0; b <= core->bucket_mask; b++) {
        meets = 0;
        for (const struct outbox_chain *at = core->queues[0].buckets[b]; at != NULL;
             at = at->bucket_next)
            meets++;
        most = meets > most ? meets : most;
    }
    assert_in_range(most, 1, 8);
}

/* ---- L6: counters() of outbox_world.h walks with each look ---- */

static void L6_an_op_that_is_counted_and_not_there_is_found(void **state)
{
    struct error err = {""};

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0); /* one in each place: under way, behind it, ready, waiting */
    outbox_core_run(core);
    submit(1, 2, OP_RESOLVE, 0);
    submit(2, 1, OP_OPEN, 1);
    outbox_core_run(core);
    fixture_fail(1, TRANSPORT_CONNECT);
    submit(3, 1, OP_OPEN, 1);
    assert_true(outbox_core_check_walk(core, &err));
    for (size_t sink = 0; sink < 2; sink++) {
        core->queues[sink].counters.waiting++;
        assert_false(outbox_core_check_walk(core, &err));
        assert_string_equal(err.text, sink == 0 ? "L6 does not hold: 3 changes wait for sink one, "
                                                  "and 2 are there"
                                                : "L6 does not hold: 3 changes wait for sink two, "
                                                  "and 2 are there");
        core->queues[sink].counters.waiting--;
    }
    assert_true(outbox_core_check_walk(core, &err));
    for (size_t sink = 0; sink < 2; sink++)
        core->queues[sink].counters.waiting -= sink + 1;
    assert_false(outbox_core_check_walk(core, &err)); /* both are counted, and the first is told */
    assert_non_null(strstr(err.text, "sink one"));
    for (size_t sink = 0; sink < 2; sink++) {
        struct sink_counters counters;
        outbox_core_counters(core, sink, &counters);
        assert_int_equal(counters.walk_mismatches, 2);
        assert_int_equal(counters.walk_counted, 1 - sink);
        assert_int_equal(counters.walk_found, 2);
        core->queues[sink].counters.waiting += sink + 1;
    }
}

/* ---- the end ---- */

static void at_the_end_what_failed_is_tried_once_more_at_once_past_a_breaker(void **state)
{
    uint64_t from_ns;

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 10; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    for (size_t i = 0; i < 8; i++) /* in_flight_max; two wait behind the breaker */
        fixture_fail(i, TRANSPORT_CONNECT);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 8);
    from_ns = fixture_mono_ns;
    outbox_core_end(core);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 16);
    for (size_t i = 8; i < 16; i++) /* also one that fails again leaves the others their try */
        fixture_fail(i, TRANSPORT_CONNECT);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 18);
    fixture_answer(16, 200, "", "");
    fixture_answer(17, 200, "", "");
    assert_int_equal(fixture_mono_ns, from_ns);
    /* Each has had its try: nothing more is due at once. */
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 18 + 8); /* the answers told that the sink is back */
}

static void at_the_end_a_time_that_the_sink_asked_for_stands(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(2, 1, OP_OPEN, 1);
    outbox_core_run(core);
    fixture_answer(0, 503, "", "120"); /* of one op */
    fixture_answer(1, 429, "", "120"); /* of a whole sink */
    submit(3, 1, OP_OPEN, 1);
    outbox_core_end(core);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    assert_true(run_until_sent(2, 200000));
    assert_int_equal(fixture_sent[2].at_ns - fixture_sent[0].at_ns, 120 * UINT64_C(1000000000));
}

static void at_the_end_a_held_sink_is_left_alone(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    submit(2, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_fail(1, TRANSPORT_CONNECT);
    fixture_answer(0, 401, "", "");
    assert_true(counters(0).held);
    outbox_core_end(core);
    for (int i = 0; i < 2; i++)
        outbox_core_run(core);
    /* Nothing but the word of it to the other sink. */
    for (size_t i = 2; i < fixture_sent_count; i++)
        assert_string_equal(fixture_sent[i].url, "http://two.example/");
}

static void ops_left_at_the_end_are_released(void **state)
{
    (void)state;
    begin_world(NULL, 0); /* what is left in every place: the sanitizer sees a leak */
    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    submit(1, 2, OP_UPDATE, 0);
    submit(2, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_fail(1, TRANSPORT_CONNECT);
    submit(3, 1, OP_OPEN, 1);
    assert_int_equal(outbox_core_waiting(core), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(O1_an_op_is_pending_then_intent_then_done),
        TEST(O1_an_attempt_that_fails_goes_through_retry_and_keeps_its_id),
        TEST(O2_an_incident_that_opens_again_is_told_again),
        TEST(O2_one_op_in_flight_per_incident_in_order),
        TEST(O2_a_retry_keeps_later_ops_of_the_incident_waiting),
        TEST(O2_incidents_do_not_wait_for_each_other),
        TEST(O2_the_rate_budget_is_shared_by_all_incidents),
        TEST(O2_attempts_under_way_are_bounded),
        TEST(O3_a_stalled_sink_delays_no_other_sink),
        TEST(O3_a_budget_that_is_spent_and_a_time_to_stay_away_are_of_one_sink),
        TEST(O3_a_breaker_opens_for_its_sink_alone_and_closes_by_a_probe),
        TEST(O3_what_waited_for_a_dead_sink_leaves_when_it_answers_again),
        TEST(O4_updates_merge_into_what_has_not_been_sent),
        TEST(O4_an_update_after_the_first_byte_is_an_op_of_its_own),
        TEST(O4_an_op_that_was_answered_takes_no_update_in),
        TEST(O4_an_op_that_never_left_still_takes_updates_in),
        TEST(O4_opens_and_resolves_never_vanish),
        TEST(O4_fold_resolved_drops_an_incident_of_which_nothing_was_sent),
        TEST(O4_fold_resolved_keeps_what_may_have_been_taken),
        TEST(O7_what_was_taken_is_given_back_to_the_byte),
        TEST(no_search_of_an_incident_meets_many_others),
        TEST(L6_an_op_that_is_counted_and_not_there_is_found),
        TEST(at_the_end_what_failed_is_tried_once_more_at_once_past_a_breaker),
        TEST(at_the_end_a_time_that_the_sink_asked_for_stands),
        TEST(at_the_end_a_held_sink_is_left_alone),
        TEST(ops_left_at_the_end_are_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
