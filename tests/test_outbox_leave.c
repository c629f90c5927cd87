/*
 * Aim: what another process may be telling the sinks, too, leaves when it may (S2 to S4). Method:
 * the core on virtual time (outbox_world.h); sink one folds repeats, sink two does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "outbox_world.h"

enum { FOLDS, OTHER };

static enum outbox_leave leave[2]; /* of sinks that fold repeats, and of others */
static bool gates_are_shut;
static void *gate;

static enum outbox_leave may_leave(void *self, bool folds)
{
    (void)self;
    return leave[folds ? FOLDS : OTHER];
}

static bool on_moved(void *self, const struct outbox_move *move)
{
    (void)self;
    if (!gates_are_shut || move->gate == NULL)
        return false;
    gate = move->gate;
    return true;
}

static void begin(int64_t taken_over_ms)
{
    static const char *const options[][2] = {{"idempotent", "true"}};
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed, on_moved, may_leave};

    begin_world(options, 1);
    outbox_core_destroy(core);
    core = outbox_core_create(sinks, 2, &fixture_transport, &bounds, &hooks);
    assert_non_null(core);
    if (taken_over_ms > 0)
        outbox_core_taken_over(core, taken_over_ms);
    leave[FOLDS] = leave[OTHER] = OUTBOX_LEAVE;
    gates_are_shut = false;
    gate = NULL;
}

static const char *reason_of(uint16_t sink)
{
    static const struct id128 incident = {0x0123456789abcdefu, 1}; /* fixture_incident() */
    static struct outbox_waiting_row row[4];
    size_t count = outbox_core_waits(core, incident, row, 4);

    for (size_t i = 0; i < count && i < 4; i++)
        if (row[i].sink == sink)
            return row[i].reason;
    return "";
}

static void S2_what_may_be_told_twice_waits_and_the_rest_goes_on(void **state)
{
    (void)state;
    begin(0);
    leave[OTHER] = OUTBOX_LEAVE_LATER;
    submit(1, 1, OP_OPEN, FOLDS);
    submit(1, 1, OP_OPEN, OTHER);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_string_equal(reason_of(OTHER), "whether the unit is still ours is not known");
    assert_true(outbox_core_due_ns(core) - fixture_mono_ns <= UINT64_C(100000000));
    leave[OTHER] = OUTBOX_LEAVE;
    assert_true(run_until_sent(1, 200));
    fixture_answer(1, 200, "", "");
    assert_int_equal(counters(OTHER).done, 1);
    assert_int_equal(counters(OTHER).possible_repeats, 0);
}

static void S2_what_was_kept_back_too_long_leaves_as_a_possible_repeat(void **state)
{
    (void)state;
    begin(0);
    leave[OTHER] = OUTBOX_LEAVE_REPEAT;
    submit(1, 1, OP_OPEN, OTHER);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_non_null(strstr(fixture_sent[0].body, "\"possible_repeat\":true"));
    assert_int_equal(counters(OTHER).possible_repeats, 1);
}

static void S2_who_was_overtaken_sends_nothing(void **state)
{
    (void)state;
    begin(0);
    leave[FOLDS] = leave[OTHER] = OUTBOX_LEAVE_NEVER;
    submit(1, 1, OP_OPEN, FOLDS);
    submit(1, 1, OP_OPEN, OTHER);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    /* Nothing that a stop would wait for: only the next look for what has grown too old. */
    assert_true(outbox_core_due_ns(core) - fixture_mono_ns > UINT64_C(30000000000));
    assert_string_equal(reason_of(FOLDS), "the unit has another owner now");
}

/* Asleep between the intent's way to the disk and its first byte. */
static void S2_an_intent_that_is_durable_asks_again(void **state)
{
    (void)state;
    begin(0);
    gates_are_shut = true;
    submit(1, 1, OP_OPEN, OTHER);
    outbox_core_run(core);
    assert_non_null(gate);
    leave[OTHER] = OUTBOX_LEAVE_LATER;
    outbox_core_permit(core, gate);
    assert_int_equal(fixture_sent_count, 0);
    gates_are_shut = false;
    leave[OTHER] = OUTBOX_LEAVE;
    assert_true(run_until_sent(0, 5000));
    assert_null(strstr(fixture_sent[0].body, "\"possible_repeat\":true")); /* no byte had left */
}

/* The same behind its connection, where the transport asks: again and again, and the sink is not
 * down for it. */
static void S2_what_is_kept_back_at_its_first_byte_is_no_failure_of_the_sink(void **state)
{
    (void)state;
    begin(0);
    submit(1, 1, OP_OPEN, OTHER);
    outbox_core_run(core);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(fixture_sent_count, i + 1);
        leave[OTHER] = OUTBOX_LEAVE_LATER;
        assert_false(fixture_sent[i].may_leave(fixture_sent[i].may_leave_self));
        fixture_fail(i, TRANSPORT_BEFORE_FIRST_BYTE);
        leave[OTHER] = OUTBOX_LEAVE;
        assert_false(counters(OTHER).breaker_open);
        assert_true(run_until_sent(i + 1, 5000));
    }
    assert_true(fixture_sent[8].may_leave(fixture_sent[8].may_leave_self));
    assert_null(strstr(fixture_sent[8].body, "\"possible_repeat\":true"));
    fixture_answer(8, 200, "", "");
    assert_int_equal(counters(OTHER).done, 1);
    assert_int_equal(counters(OTHER).uncertain, 0);
}

static void S3_what_another_owner_may_have_told_says_so(void **state)
{
    struct op op;

    (void)state;
    op = fixture_op(1, 1, OP_OPEN, OTHER);
    begin(op.incident->at_ms);
    outbox_core_take(core, outbox_op_create(&op));
    op = fixture_op(2, 1, OP_OPEN, OTHER);
    op.incident->at_ms++;
    outbox_core_take(core, outbox_op_create(&op));
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    assert_non_null(strstr(fixture_sent[0].body, "\"possible_repeat\":true"));
    assert_null(strstr(fixture_sent[1].body, "\"possible_repeat\":true"));
}

static void take(uint64_t incident, uint32_t number, enum op_kind kind, int64_t at_ms)
{
    for (uint16_t sink = 0; sink < 2; sink++) {
        struct op op = fixture_op(incident, number, kind, sink);
        op.incident->at_ms = at_ms;
        outbox_core_take(core, outbox_op_create(&op));
    }
}

static void S4_what_resolved_before_the_start_is_not_told(void **state)
{
    enum { START_MS = 1000000 };

    (void)state;
    begin(START_MS);
    leave[FOLDS] = leave[OTHER] = OUTBOX_LEAVE_FOLD;
    take(1, 1, OP_OPEN, START_MS - 2); /* still open */
    take(2, 1, OP_OPEN, START_MS - 2);
    take(2, 2, OP_RESOLVE, START_MS);
    take(3, 1, OP_OPEN, START_MS); /* it resolves later: both are told */
    take(3, 2, OP_RESOLVE, START_MS + 1);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    assert_int_equal(counters(FOLDS).superseded, 2);
    assert_int_equal(counters(OTHER).superseded, 2);
    assert_string_equal(reason_of(FOLDS), "the past is caught up with first");
    leave[FOLDS] = leave[OTHER] = OUTBOX_LEAVE;
    assert_true(run_until_sent(3, 1000));
    assert_int_equal(fixture_sent_count, 4); /* opens of the first and the third, to both */
    take(4, 1, OP_OPEN, START_MS - 2);       /* from here on as ever */
    take(4, 2, OP_RESOLVE, START_MS - 1);
    assert_int_equal(counters(FOLDS).superseded, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(S2_what_may_be_told_twice_waits_and_the_rest_goes_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(S2_what_was_kept_back_too_long_leaves_as_a_possible_repeat,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(S2_who_was_overtaken_sends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(S2_an_intent_that_is_durable_asks_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            S2_what_is_kept_back_at_its_first_byte_is_no_failure_of_the_sink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(S3_what_another_owner_may_have_told_says_so, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(S4_what_resolved_before_the_start_is_not_told, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
