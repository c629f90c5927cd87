/*
 * Aim: what was given up can be sent again by hand, in order, and nothing of it is lost
 * without being counted. Method: the core on virtual time (outbox_world.h); counters()
 * checks with each look that every dead op is kept, redriven, overtaken or forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "outbox_world.h"

static const struct outbox_pick everything = {.sink = -1};

static struct outbox_redriven redrive(const struct outbox_pick *pick)
{
    struct outbox_redriven out;

    outbox_core_redrive(core, pick, &out);
    return out;
}

/* Lets the op that is sent next die. */
static void kill_next(void)
{
    size_t index = fixture_sent_count;

    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, index + 1);
    fixture_answer(index, 404, "no such hook", "");
}

static void answer_next(int status)
{
    size_t index = fixture_sent_count;

    assert_true(run_until_sent(index, 400000));
    fixture_answer(index, status, "", "");
}

static void a_dead_op_is_shown_and_sent_again(void **state)
{
    struct outbox_dead_row row = {0};

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    assert_int_equal(counters(0).dead_kept, 1);
    assert_int_equal(outbox_core_waiting(core), 0);
    assert_int_equal(outbox_core_dead(core, &everything, &row, 1), 1);
    assert_int_equal(row.sink, 0);
    assert_int_equal(row.kind, OP_OPEN);
    assert_int_equal(row.number, 1);
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.priority, PRIORITY_P2);
    assert_int_equal(row.incident.lo, 1);
    assert_int_equal(row.died_ms, fixture_wall_ms);
    assert_string_equal(row.cause, "refused by the sink");
    assert_string_equal(row.error, "HTTP 404: no such hook");
    assert_string_equal(row.title, "3 alerts on db01");
    assert_int_equal(redrive(&everything).redriven, 1);
    assert_int_equal(counters(0).waiting, 1);
    assert_int_equal(outbox_core_dead(core, &everything, &row, 1), 0);
    answer_next(200);
    assert_string_equal(fixture_sent[0].body, fixture_sent[1].body); /* the same op id */
    assert_int_equal(counters(0).done, 1);
    assert_int_equal(counters(0).redriven, 1);
    assert_int_equal(counters(0).dead_kept, 0);
    assert_int_equal(redrive(&everything).redriven, 0);
}

static void a_sink_or_an_incident_is_picked(void **state)
{
    struct outbox_pick pick = {.sink = -1, .has_incident = true};

    (void)state;
    begin_world(NULL, 0);
    for (uint64_t incident = 1; incident <= 3; incident++) {
        submit(incident, 1, OP_OPEN, 0);
        kill_next();
        submit(incident, 1, OP_OPEN, 1);
        kill_next();
    }
    pick.incident = (struct id128){0x0123456789abcdefu, 2};
    assert_int_equal(outbox_core_dead(core, &pick, NULL, 0), 2);
    pick.sink = 1;
    assert_int_equal(outbox_core_dead(core, &pick, NULL, 0), 1);
    assert_int_equal(redrive(&pick).redriven, 1);
    assert_int_equal(counters(1).dead_kept, 2);
    assert_int_equal(counters(0).dead_kept, 3);
    pick = (struct outbox_pick){.sink = 0};
    assert_int_equal(redrive(&pick).redriven, 3);
    assert_int_equal(counters(0).dead_kept, 0);
    assert_int_equal(redrive(&everything).redriven, 2);
    pick.has_incident = true;
    pick.incident.lo = 77; /* of which nothing is known */
    assert_int_equal(redrive(&pick).redriven, 0);
}

static void O2_what_is_sent_again_keeps_its_order(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    submit(1, 2, OP_UPDATE, 0);
    kill_next();
    submit(1, 3, OP_RESOLVE, 0);
    kill_next();
    assert_int_equal(redrive(&everything).redriven, 3);
    for (unsigned number = 1; number <= 3; number++) {
        outbox_core_run(core);
        assert_int_equal(fixture_sent_count, 3 + number); /* one at a time */
        assert_int_equal(sent_number(2 + number, "number"), number);
        fixture_answer(2 + number, 200, "", "");
    }
    assert_int_equal(counters(0).done, 3);
}

static void O2_what_is_sent_again_goes_before_what_waits(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    submit(1, 2, OP_UPDATE, 0);
    answer_next(503); /* waits for its next attempt */
    submit(1, 3, OP_RESOLVE, 0);
    assert_int_equal(redrive(&everything).redriven, 1);
    for (unsigned number = 1; number <= 3; number++) {
        answer_next(200);
        assert_int_equal(sent_number(fixture_sent_count - 1, "number"), number);
    }
    assert_int_equal(counters(0).waiting, 0);
    /* The same where the later op has not been tried at all. */
    submit(2, 1, OP_OPEN, 0);
    kill_next();
    submit(2, 2, OP_RESOLVE, 0);
    assert_int_equal(redrive(&everything).redriven, 1);
    answer_next(200);
    assert_true(sent_has(fixture_sent_count - 1, "\"kind\":\"open\""));
    answer_next(200);
    assert_true(sent_has(fixture_sent_count - 1, "\"kind\":\"resolve\""));
}

static void O2_nothing_is_sent_again_beside_a_later_op_under_way(void **state)
{
    struct outbox_redriven got;

    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    submit(1, 2, OP_UPDATE, 0);
    outbox_core_run(core); /* under way */
    got = redrive(&everything);
    assert_int_equal(got.redriven, 0);
    assert_int_equal(got.busy, 1);
    assert_int_equal(counters(0).dead_kept, 1);
    fixture_answer(1, 503, "", "");
    got = redrive(&everything);
    assert_int_equal(got.redriven, 1);
    assert_int_equal(got.busy, 0);
}

static void O8_what_a_later_op_has_told_is_not_sent_again(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    submit(1, 2, OP_UPDATE, 0);
    answer_next(200); /* carries the whole incident */
    assert_int_equal(counters(0).overtaken, 1);
    assert_int_equal(counters(0).dead_kept, 0);
    assert_int_equal(redrive(&everything).redriven, 0);
    submit(1, 3, OP_RESOLVE, 0);
    answer_next(200);
    assert_int_equal(counters(0).done, 2);
}

static void at_their_bound_the_oldest_dead_ops_are_forgotten(void **state)
{
    struct outbox_dead_row rows[5];

    (void)state;
    bounds.dead_max = 3;
    begin_world(NULL, 0);
    for (uint64_t incident = 1; incident <= 5; incident++) {
        submit(incident, 1, OP_OPEN, 0);
        kill_next();
    }
    assert_int_equal(counters(0).dead, 5);
    assert_int_equal(counters(0).forgotten, 2);
    assert_int_equal(outbox_core_dead(core, &everything, rows, 5), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rows[i].incident.lo, 5 - i); /* the newest first */
    /* What is sent again stays under the bound until it has left. */
    assert_int_equal(redrive(&everything).redriven, 3);
    submit(6, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 5 + 3 + 1);
    fixture_answer(8, 404, "", "");
    assert_int_equal(counters(1).forgotten, 1);
    fixture_answer(5, 404, "", ""); /* dead again: there is no room for more than three */
    assert_int_equal(counters(0).dead_kept, 1);
    bounds.dead_max = DEAD_MAX;
}

static void the_bytes_of_dead_ops_are_bounded_as_well(void **state)
{
    struct op op = fixture_op(9, 1, OP_OPEN, 0);
    struct outbox_op *copy = outbox_op_create(&op);
    uint64_t bytes = outbox_op_bytes(copy);

    (void)state;
    bounds.dead_bytes_max = 2 * bytes + bytes / 2;
    begin_world(NULL, 0);
    outbox_core_take(core, copy);
    kill_next();
    for (uint64_t incident = 1; incident <= 3; incident++) {
        submit(incident, 1, OP_OPEN, 0);
        kill_next();
    }
    assert_int_equal(counters(0).dead_kept, 2);
    assert_int_equal(counters(0).forgotten, 2);
    bounds.dead_bytes_max = UINT64_C(1) << 30;
}

/* What was sent again and taken has left the bounds: there is room for another one. */
static void what_was_taken_at_last_makes_room_for_what_is_given_up(void **state)
{
    struct op op = fixture_op(9, 1, OP_OPEN, 0);
    struct outbox_op *copy = outbox_op_create(&op);
    uint64_t bytes = outbox_op_bytes(copy);

    (void)state;
    outbox_op_destroy(copy);
    for (int is_of_bytes = 0; is_of_bytes < 2; is_of_bytes++) {
        tear_down(NULL);
        set_up(NULL);
        bounds.dead_max = is_of_bytes ? DEAD_MAX : 1;
        bounds.dead_bytes_max = is_of_bytes ? bytes + bytes / 2 : UINT64_C(1) << 30;
        begin_world(NULL, 0);
        for (uint64_t incident = 1; incident <= 3; incident++) {
            submit(incident, 1, OP_OPEN, 0);
            kill_next();
            assert_int_equal(counters(0).dead_kept, 1);
            assert_int_equal(redrive(&everything).redriven, 1);
            answer_next(200);
        }
        assert_int_equal(counters(0).done, 3);
        assert_int_equal(counters(0).forgotten, 0);
    }
    bounds.dead_max = DEAD_MAX;
    bounds.dead_bytes_max = UINT64_C(1) << 30;
}

static void O5_what_is_sent_again_has_all_its_time_again(void **state)
{
    uint64_t from_ns, age_s;

    (void)state;
    begin_world(NULL, 0);
    for (unsigned life = 0; life < 2; life++) {
        from_ns = fixture_mono_ns;
        if (life == 0)
            submit(1, 1, OP_OPEN, 0);
        else
            assert_int_equal(redrive(&everything).redriven, 1);
        while (counters(0).dead == life)
            answer_next(500);
        age_s = (fixture_mono_ns - from_ns) / UINT64_C(1000000000);
        assert_true(age_s >= 72 * 3600 && age_s <= 72 * 3600 + 60);
    }
    struct outbox_dead_row row;
    assert_int_equal(outbox_core_dead(core, &everything, &row, 1), 1);
    assert_string_equal(row.cause, "not taken within retry_hours");
}

static void O7_a_dead_op_leaves_the_bound_once(void **state)
{
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct outbox_op *copy = outbox_op_create(&op);
    uint64_t bytes = outbox_op_bytes(copy);

    (void)state;
    begin_world(NULL, 0);
    outbox_core_take(core, copy);
    kill_next();
    assert_int_equal(finished_ops, 1);
    assert_int_equal(finished_bytes, bytes);
    redrive(&everything);
    kill_next();
    redrive(&everything);
    submit(1, 2, OP_UPDATE, 0);
    answer_next(200);
    answer_next(200);
    assert_int_equal(finished_ops, 2);
    assert_int_equal(counters(0).dead, 2);
    assert_int_equal(counters(0).waiting, 0);
}

static void O7_bounds_do_not_mix_when_updates_merge(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    begin_world(NULL, 0);
    for (uint32_t number = 1; number <= 2; number++) {
        struct op op = fixture_op(1, number, number == 1 ? OP_OPEN : OP_UPDATE, 0);
        struct outbox_op *copy;
        op.incident->title = number == 1 ? "short" : "a longer title than before";
        copy = outbox_op_create(&op);
        bytes += outbox_op_bytes(copy);
        outbox_core_take(core, copy);
        if (number == 2)
            break;
        outbox_core_run(core);
        while (counters(0).dead == 0) { /* of which no byte ever left */
            fixture_fail(fixture_sent_count - 1, TRANSPORT_CONNECT);
            if (counters(0).dead == 0)
                assert_true(run_until_sent(fixture_sent_count, 400000));
        }
        redrive(&everything);
    }
    assert_int_equal(counters(0).superseded, 0);
    answer_next(200);
    answer_next(200);
    assert_int_equal(finished_bytes, bytes);
}

static void dead_ops_left_at_the_end_are_released(void **state)
{
    (void)state;
    begin_world(NULL, 0); /* idle chains, and one with a waiting op: the sanitizer sees a leak */
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    submit(2, 1, OP_OPEN, 0);
    kill_next();
    submit(2, 2, OP_UPDATE, 0);
    assert_int_equal(counters(0).dead_kept, 2);
    assert_int_equal(outbox_core_waiting(core), 1);
}

/* The incident's id was there before, and what was given up then is still kept. */
static void what_was_given_up_stays_before_an_incident_that_opens_again(void **state)
{
    static const char *const options[][2] = {{"rate_per_minute", "60"}, {"burst", "1"}};

    (void)state;
    begin_world(options, 2);
    submit(1, 1, OP_OPEN, 0);
    answer_next(200);
    submit(1, 2, OP_RESOLVE, 0);
    assert_true(run_until_sent(1, 400000));
    fixture_answer(1, 404, "no such hook", "");
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_UPDATE, 0); /* goes into the open before it */
    submit(1, 3, OP_RESOLVE, 0);
    assert_int_equal(counters(0).superseded, 1);
    assert_int_equal(redrive(&everything).redriven, 1);
    answer_next(200);
    answer_next(200);
    answer_next(200);
    assert_int_equal(fixture_sent_count, 5);
    assert_true(sent_has(2, "\"kind\":\"resolve\""));
    assert_int_equal(sent_number(2, "number"), 2);
    assert_true(sent_has(3, "\"kind\":\"open\""));
    assert_true(sent_has(4, "\"kind\":\"resolve\""));
    assert_int_equal(sent_number(4, "number"), 3);
    assert_int_equal(outbox_core_waiting(core), 0);
}

static void nothing_is_folded_while_something_given_up_is_kept_of_it(void **state)
{
    static const char *const options[][2] = {
        {"rate_per_minute", "60"}, {"burst", "1"}, {"fold_resolved", "true"}};

    (void)state;
    begin_world(options, 3);
    submit(1, 1, OP_OPEN, 0);
    kill_next();
    submit(1, 1, OP_OPEN, 0);
    submit(1, 2, OP_RESOLVE, 0);
    answer_next(200);
    answer_next(200);
    assert_int_equal(counters(0).done, 2);
    assert_int_equal(outbox_core_waiting(core), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dead_op_is_shown_and_sent_again),
        TEST(a_sink_or_an_incident_is_picked),
        TEST(O2_what_is_sent_again_keeps_its_order),
        TEST(O2_what_is_sent_again_goes_before_what_waits),
        TEST(O2_nothing_is_sent_again_beside_a_later_op_under_way),
        TEST(O8_what_a_later_op_has_told_is_not_sent_again),
        TEST(at_their_bound_the_oldest_dead_ops_are_forgotten),
        TEST(the_bytes_of_dead_ops_are_bounded_as_well),
        TEST(what_was_taken_at_last_makes_room_for_what_is_given_up),
        TEST(O5_what_is_sent_again_has_all_its_time_again),
        TEST(O7_a_dead_op_leaves_the_bound_once),
        TEST(O7_bounds_do_not_mix_when_updates_merge),
        TEST(what_was_given_up_stays_before_an_incident_that_opens_again),
        TEST(nothing_is_folded_while_something_given_up_is_kept_of_it),
        TEST(dead_ops_left_at_the_end_are_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
