/*
 * Aim: a sink that refuses our credentials and an outbox that fills up are told to the sinks
 * that work (O6, O7): once, ahead of what waits, with an end, and bounded. Method: the core
 * on virtual time (outbox_world.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "outbox_world.h"

/* The newest request to sink two; fails when there is none but `seen` of them. */
static size_t next_at_two(size_t *seen)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture_sent_count; i++)
        if (strcmp(fixture_sent[i].url, "http://two.example/") == 0 && count++ == *seen) {
            (*seen)++;
            return i;
        }
    fail_msg("sink two was sent %zu requests, no more", count);
    return 0;
}

static size_t count_at_two(void)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture_sent_count; i++)
        count += strcmp(fixture_sent[i].url, "http://two.example/") == 0;
    return count;
}

static void hold_one(void)
{
    size_t index = fixture_sent_count;

    submit(1, 1, OP_OPEN, 0);
    outbox_core_run(core);
    for (; index < fixture_sent_count; index++) /* a notice for it may be among them */
        if (strcmp(fixture_sent[index].url, "http://one.example/") == 0)
            fixture_answer(index, 401, "who are you", "");
    outbox_core_run(core);
}

/* Answers the next probe of sink one with a status; what sink two is sent stays open. */
static void probe_one(int status)
{
    size_t index = fixture_sent_count;

    for (;; index++) {
        if (index == fixture_sent_count)
            assert_true(run_until_sent(index, 400000));
        if (strcmp(fixture_sent[index].url, "http://one.example/") == 0)
            break;
    }
    fixture_answer(index, status, "", "");
    outbox_core_run(core);
}

static void O6_a_held_sink_is_told_to_the_others_with_its_end(void **state)
{
    static const char *const says[] = {
        "\"kind\":\"open\"",
        "\"tenant\":\"@tocsin\"",
        "\"rule\":\"sink-held\"",
        "\"key\":\"tenant=@tocsin resource=one\"",
        "\"title\":\"tocsin cannot page: sink one refuses its credentials\"",
        "\"why\":\"HTTP 401: who are you\"",
        "\"priority\":\"P1\"",
        "\"severity\":\"critical\"",
        "\"source\":\"tocsin\"",
        "\"resource\":\"one\"",
        "\"check\":\"sink-held\"",
        "\"change\":\"opened\"",
        "\"number\":1",
        "\"opened_at\":\"2026-02-01T10:00:00.000Z\"",
        "one attempt in five minutes asks",
    };
    size_t seen = 0, open, resolve;

    (void)state;
    fixture_wall_ms = 1769940000000; /* 2026-02-01T10:00:00Z */
    begin_world(NULL, 0);
    hold_one();
    open = next_at_two(&seen);
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++)
        if (!sent_has(open, says[i]))
            fail_msg("%s is not in %s", says[i], fixture_sent[open].body);
    assert_int_equal(counters(1).notices, 1);
    assert_int_equal(counters(1).ops, 1);
    assert_int_equal(counters(0).notices, 0); /* it would not take it */
    fixture_answer(open, 200, "", "");
    probe_one(403); /* still held: no second word */
    assert_int_equal(count_at_two(), 1);
    probe_one(200);
    resolve = next_at_two(&seen);
    assert_true(sent_has(resolve, "\"kind\":\"resolve\""));
    assert_true(sent_has(resolve, "\"change\":\"closed\""));
    assert_true(sent_has(resolve, "\"cause\":\"cleared\""));
    assert_int_equal(sent_number(resolve, "number"), 2);
    assert_int_equal(incident_of(resolve), incident_of(open));
    assert_string_not_equal(fixture_sent[resolve].headers[1], fixture_sent[open].headers[1]);
    fixture_answer(resolve, 200, "", "");
    assert_int_equal(counters(1).done, 2);
}

static void O6_each_spell_is_an_incident_of_its_own(void **state)
{
    size_t seen = 0;
    uint64_t first, second;

    (void)state;
    begin_world(NULL, 0);
    hold_one();
    first = incident_of(next_at_two(&seen));
    fixture_answer(1, 200, "", "");
    probe_one(200);
    fixture_answer(next_at_two(&seen), 200, "", "");
    submit(1, 2, OP_UPDATE, 0);
    outbox_core_run(core);
    fixture_answer(fixture_sent_count - 1, 401, "", "");
    outbox_core_run(core);
    second = incident_of(next_at_two(&seen));
    assert_true(first != second);
}

/* What one process told of a held sink, the next one ends: so it is noted before it is told. */
static void O6_a_held_sink_is_told_of_once_it_is_noted(void **state)
{
    size_t seen = 0, open, resolve;
    int64_t since_ms;

    (void)state;
    fixture_wall_ms = 1769940000000;
    begin_world(NULL, 0);
    assert_true(outbox_core_take_holds(core, NULL, 0, true));
    assert_int_equal(counters(0).held_since_ms, 0);
    hold_one();
    assert_int_equal(count_at_two(), 0);
    since_ms = counters(0).held_since_ms;
    assert_int_equal(since_ms, 1769940000000);
    outbox_core_note_hold(core, 0, since_ms);
    outbox_core_run(core);
    open = next_at_two(&seen);
    fixture_answer(open, 200, "", "");
    probe_one(200);
    resolve = next_at_two(&seen);
    assert_int_equal(counters(0).held_since_ms, since_ms); /* the end is owed */
    fixture_answer(resolve, 503, "", "");
    assert_int_equal(counters(0).held_since_ms, since_ms);
    while (count_at_two() == seen)
        run_next(400000);
    fixture_answer(next_at_two(&seen), 200, "", "");
    assert_int_equal(counters(0).held_since_ms, 0);

    submit(1, 2, OP_UPDATE, 0); /* another spell is noted for itself */
    outbox_core_run(core);
    fixture_answer(fixture_sent_count - 1, 401, "", "");
    outbox_core_run(core);
    assert_int_equal(count_at_two(), seen);
    assert_true(counters(0).held_since_ms > since_ms);
}

/* The end of a spell that a sink has not taken yet is no news of the next one. */
static void O6_of_two_spells_the_last_one_is_the_one_that_is_asked_about(void **state)
{
    size_t seen = 0, old_end, open;

    (void)state;
    begin_world(NULL, 0);
    hold_one();
    fixture_answer(next_at_two(&seen), 200, "", "");
    probe_one(200);
    old_end = next_at_two(&seen);
    submit(1, 2, OP_UPDATE, 0);
    outbox_core_run(core);
    fixture_answer(fixture_sent_count - 1, 401, "", "");
    outbox_core_run(core);
    open = next_at_two(&seen);
    fixture_answer(open, 200, "", "");
    probe_one(200);
    fixture_answer(old_end, 200, "", "");
    assert_int_not_equal(counters(0).held_since_ms, 0); /* the new one's end is owed */
    fixture_answer(next_at_two(&seen), 200, "", "");
    assert_int_equal(counters(0).held_since_ms, 0);
}

static void O6_a_sink_that_a_former_process_found_held_is_told_of_no_second_time(void **state)
{
    struct outbox_hold hold = {.sink = "one", .since_ms = 1769940000000, .why = "HTTP 401"};
    uint64_t incident;
    size_t seen = 0, resolve;

    (void)state;
    fixture_wall_ms = hold.since_ms;
    begin_world(NULL, 0);
    hold_one();
    incident = incident_of(next_at_two(&seen));
    for (int held_again = 0; held_again < 2; held_again++) {
        tear_down(state); /* another process */
        set_up(state);
        seen = 0;
        begin_world(NULL, 0);
        assert_true(outbox_core_take_holds(core, &hold, 1, true));
        outbox_core_run(core);
        assert_int_equal(fixture_sent_count, 0);
        assert_int_equal(counters(0).held_since_ms, hold.since_ms);
        if (held_again) {
            hold_one();
            assert_int_equal(count_at_two(), 0);
            assert_int_equal(counters(0).held_since_ms, hold.since_ms);
            probe_one(200);
        } else {
            submit(1, 1, OP_OPEN, 0);
            outbox_core_run(core);
            fixture_answer(0, 200, "", "");
            outbox_core_run(core);
        }
        resolve = next_at_two(&seen);
        assert_true(sent_has(resolve, "\"kind\":\"resolve\""));
        assert_true(sent_has(resolve, "\"why\":\"HTTP 401\""));
        assert_int_equal(incident_of(resolve), incident);
        fixture_answer(resolve, 200, "", "");
        assert_int_equal(counters(0).held_since_ms, 0);
        assert_int_equal(count_at_two(), seen);
    }
}

/* It was mended by taking it out: nothing is held any more. */
static void O6_a_held_sink_that_is_gone_is_over_with_a_start_that_runs(void **state)
{
    struct outbox_hold hold = {.sink = "three", .since_ms = 1769940000000, .why = "HTTP 401"};
    size_t seen = 0, resolve;

    (void)state;
    begin_world(NULL, 0);
    assert_true(outbox_core_take_holds(core, &hold, 1, true));
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    outbox_core_end_refusals(core);
    outbox_core_run(core);
    resolve = next_at_two(&seen);
    assert_true(sent_has(resolve, "\"key\":\"tenant=@tocsin resource=three\""));
    assert_true(sent_has(resolve, "\"kind\":\"resolve\""));
    assert_false(outbox_core_hold_over(core, 0));
    for (size_t i = 0; i < 2; i++)
        fixture_answer(i, 200, "", "");
    outbox_core_run(core);
    assert_true(outbox_core_hold_over(core, 0));
    assert_int_equal(fixture_sent_count, 2);
}

static void a_sink_that_was_held_itself_is_told_later(void **state)
{
    size_t seen = 0, index;

    (void)state;
    begin_world(NULL, 0);
    submit(5, 1, OP_OPEN, 1);
    outbox_core_run(core);
    fixture_answer(next_at_two(&seen), 401, "", "");
    hold_one();
    assert_int_equal(counters(0).notices, 1); /* one heard of two before it was held as well */
    assert_int_equal(counters(1).notices, 0); /* both are held: two cannot be told */
    while (count_at_two() == 1)
        probe_one(403);
    index = next_at_two(&seen);
    assert_true(sent_has(index, "\"kind\":\"open\""));
    fixture_answer(index, 200, "", ""); /* two works again */
    outbox_core_run(core);
    index = next_at_two(&seen);
    assert_true(sent_has(index, "\"rule\":\"sink-held\""));
}

static void O7_an_outbox_that_fills_up_is_told_ahead_of_what_waits(void **state)
{
    static const char *const slow[][2] = {{"in_flight_max", "1"}};
    size_t seen = 0, index;

    (void)state;
    bounds.ops_max = 100;
    begin_world(slow, 1);
    submit(1000, 1, OP_OPEN, 1); /* two has work of its own, and is quick */
    for (uint64_t i = 1; i <= 78; i++)
        submit(i, 1, OP_OPEN, 0);
    outbox_core_run(core);
    fixture_answer(next_at_two(&seen), 200, "", "");
    outbox_core_run(core);
    assert_int_equal(counters(1).notices, 0);
    for (uint64_t i = 79; i <= 80; i++)
        submit(i, 1, OP_OPEN, 0);
    for (uint64_t i = 1001; i <= 1010; i++) /* would leave first, if it were their turn */
        submit(i, 1, OP_OPEN, 1);
    outbox_core_run(core);
    index = next_at_two(&seen);
    assert_true(sent_has(index, "\"rule\":\"outbox-filling\""));
    assert_true(sent_has(index, "\"title\":\"tocsin falls behind: its outbox is 90 % full, most of "
                                "it for sink one\""));
    assert_true(sent_has(index, "\"why\":\"90 of 100 changes and 0 of 1048576 MiB wait; for one "
                                "80: it is slow\""));
    fixture_answer(index, 200, "", "");
    for (size_t i = 0; i < 10; i++) { /* two takes what is its own: 80 are left */
        outbox_core_run(core);
        fixture_answer(next_at_two(&seen), 200, "", "");
    }
    /* The slow one was told as well, ahead of its queue. */
    fixture_answer(0, 200, "", "");
    outbox_core_run(core);
    index = fixture_sent_count - 1;
    assert_string_equal(fixture_sent[index].url, "http://one.example/");
    assert_true(sent_has(index, "\"rule\":\"outbox-filling\""));
    fixture_answer(index, 200, "", "");
    for (unsigned left = 79; left > 70; left--) {
        outbox_core_run(core);
        fixture_answer(fixture_sent_count - 1, 200, "", "");
    }
    outbox_core_run(core);
    assert_int_equal(count_at_two(), seen); /* at 70 % it is not over yet */
    fixture_answer(fixture_sent_count - 1, 200, "", "");
    outbox_core_run(core);
    index = next_at_two(&seen);
    assert_true(sent_has(index, "\"kind\":\"resolve\""));
    assert_true(sent_has(index, "\"rule\":\"outbox-filling\""));
    bounds.ops_max = OPS_MAX;
}

static void O7_memory_fills_the_outbox_as_well(void **state)
{
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct outbox_op *copy = outbox_op_create(&op);
    size_t seen = 0;

    (void)state;
    bounds.bytes_max = outbox_op_bytes(copy) * 5 / 4; /* 80 % */
    begin_world(NULL, 0);
    outbox_core_take(core, copy);
    outbox_core_run(core);
    assert_true(sent_has(next_at_two(&seen), "\"rule\":\"outbox-filling\""));
    bounds.bytes_max = UINT64_C(1) << 40;
}

static void what_nobody_was_told_yet_is_not_told_when_it_is_over(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    for (uint64_t i = 1; i <= 8; i++) /* two is busy with as much as it may be at once */
        submit(100 + i, 1, OP_OPEN, 1);
    outbox_core_run(core);
    assert_int_equal(count_at_two(), 8);
    hold_one();
    assert_int_equal(counters(1).notices, 1);
    assert_int_equal(count_at_two(), 8);
    probe_one(200);
    assert_int_equal(counters(1).notices, 2);
    assert_int_equal(counters(1).superseded, 2);
    for (size_t i = 0; i < fixture_sent_count; i++)
        if (fixture_sent[i].done != NULL)
            fixture_answer(i, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(count_at_two(), 8);
}

static void notices_that_wait_are_bounded(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    hold_one();
    /* Every word to two is begun and fails, so that nothing of it can be folded away. */
    for (unsigned spell = 0; spell < 200; spell++) {
        for (size_t i = 0; i < fixture_sent_count; i++)
            if (fixture_sent[i].done != NULL &&
                strcmp(fixture_sent[i].url, "http://two.example/") == 0)
                fixture_answer(i, 500, "", "");
        probe_one(200);
        submit(1, spell + 2, OP_UPDATE, 0);
        outbox_core_run(core);
        fixture_answer(fixture_sent_count - 1, 401, "", "");
        outbox_core_run(core);
        assert_true(counters(1).waiting <= 64);
    }
    assert_true(counters(1).waiting >= 32); /* the bound was at work */
}

static void a_sink_may_want_to_hear_nothing_of_it(void **state)
{
    (void)state;
    two_is_told = false;
    begin_world(NULL, 0);
    hold_one();
    assert_int_equal(counters(1).notices, 0);
    assert_int_equal(count_at_two(), 0);
}

/* Notices stay out of the account that makes input pause. */
static void O7_notices_take_no_room_from_changes(void **state)
{
    (void)state;
    begin_world(NULL, 0);
    hold_one();
    fixture_answer(1, 200, "", "");
    outbox_core_run(core);
    assert_int_equal(counters(1).done, 1);
    assert_int_equal(finished_ops, 0);
    probe_one(200);
    assert_int_equal(counters(0).done, 1);
    assert_int_equal(finished_ops, 1); /* the change alone */
}

static void input_that_is_lost_is_told_to_all_with_its_end(void **state)
{
    static const char *const says[] = {
        "\"kind\":\"open\"",
        "\"rule\":\"input-lost\"",
        "\"tenant\":\"@tocsin\"",
        "\"key\":\"tenant=@tocsin resource=input\"",
        "\"priority\":\"P1\"",
        "\"why\":\"no broker of b:1 has answered\"",
        "\"check\":\"input-lost\"",
        "\"title\":\"tocsin is blind: nothing of its input can be read\"",
    };
    size_t seen = 0, open, resolve;
    uint64_t first;

    (void)state;
    begin_world(NULL, 0);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    outbox_core_tell_input(core, "no broker of b:1 has answered");
    outbox_core_run(core);
    open = next_at_two(&seen);
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++)
        if (!sent_has(open, says[i]))
            fail_msg("%s is not in %s", says[i], fixture_sent[open].body);
    assert_int_equal(counters(0).notices, 1);
    assert_int_equal(counters(1).notices, 1);
    first = incident_of(open);
    fixture_answer(0, 200, "", "");
    fixture_answer(1, 200, "", "");
    outbox_core_tell_input(core, "another reason");
    outbox_core_run(core);
    assert_int_equal(count_at_two(), 1); /* one spell, told once */
    outbox_core_tell_input(core, "");
    outbox_core_run(core);
    resolve = next_at_two(&seen);
    assert_true(sent_has(resolve, "\"kind\":\"resolve\""));
    assert_int_equal(incident_of(resolve), first);
    fixture_answer(2, 200, "", "");
    fixture_answer(3, 200, "", "");
    outbox_core_tell_input(core, "again");
    outbox_core_run(core);
    assert_true(incident_of(next_at_two(&seen)) != first);
}

static void L6_a_ledger_that_does_not_add_up_is_told_to_all(void **state)
{
    size_t seen = 0, open;

    (void)state;
    begin_world(NULL, 0);
    outbox_core_tell_ledger(core, "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    outbox_core_tell_ledger(core, "pending is 7, and 6 are there");
    outbox_core_run(core);
    open = next_at_two(&seen);
    assert_true(sent_has(open, "\"check\":\"ledger-mismatch\""));
    assert_true(sent_has(open, "\"why\":\"pending is 7, and 6 are there\""));
    assert_true(sent_has(open, "\"tenant\":\"@tocsin\""));
    fixture_answer(0, 200, "", "");
    fixture_answer(1, 200, "", "");
    outbox_core_tell_ledger(core, "and again");
    outbox_core_run(core);
    assert_int_equal(count_at_two(), 1); /* told once */
}

/* Whoever tells of it, and whenever: one reason is one incident, another reason another. */
static void D4_a_refused_start_is_told_as_one_incident_for_one_reason(void **state)
{
    static const char *const reasons[] = {"a.seg: byte 7 is damaged", "a.seg: byte 7 is damaged",
                                          "b.seg: byte 9 is damaged"};
    size_t seen = 0, open[3];

    (void)state;
    begin_world(NULL, 0);
    outbox_core_tell_refusal(core, "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    for (int i = 0; i < 3; i++) {
        outbox_core_tell_refusal(core, reasons[i]);
        outbox_core_run(core);
        open[i] = next_at_two(&seen);
        assert_true(sent_has(open[i], "\"check\":\"not-running\""));
        assert_true(sent_has(open[i], reasons[i]));
        for (size_t all = fixture_sent_count - 2; all < fixture_sent_count; all++)
            fixture_answer(all, 200, "", "");
        outbox_core_tell_refusal(core, ""); /* as another process begins with */
        outbox_core_run(core);
        next_at_two(&seen);
        for (size_t all = fixture_sent_count - 2; all < fixture_sent_count; all++)
            fixture_answer(all, 200, "", "");
        outbox_core_run(core);
    }
    assert_int_equal(incident_of(open[0]), incident_of(open[1]));
    assert_int_not_equal(incident_of(open[0]), incident_of(open[2]));
}

/* Who knows it is left alone, and who may know it hears it as a repeat, with its begin. */
static void D4_a_refusal_that_a_sink_heard_of_before_is_not_news_to_it(void **state)
{
    struct outbox_hearing hearings[2] = {
        {.heard = OUTBOX_HEARD_IT, .since_ms = 1769940000000},
        {.heard = OUTBOX_HEARD_PERHAPS, .since_ms = 1769940000000}};

    (void)state;
    begin_world(NULL, 0);
    outbox_core_take_hearings(core, hearings);
    outbox_core_tell_refusal(core, "a.seg: byte 7 is damaged");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_int_equal(count_at_two(), 1);
    assert_true(sent_has(0, "\"possible_repeat\":true"));
    assert_true(sent_has(0, "\"opened_at\":\"2026-02-01T10:00:00.000Z\""));
    assert_int_equal(counters(1).possible_repeats, 1);
    assert_false(outbox_core_refusal_confirmed(core, 1));
    fixture_answer(0, 200, "", "");
    assert_true(outbox_core_refusal_confirmed(core, 1));
    assert_false(outbox_core_refusal_told(core, 0));

    tear_down(state); /* another reason, or nobody who keeps one */
    set_up(state);
    begin_world(NULL, 0);
    hearings[0].heard = hearings[1].heard = OUTBOX_HEARD_NOTHING;
    outbox_core_take_hearings(core, hearings);
    outbox_core_tell_refusal(core, "b.seg: byte 9 is damaged");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(sent_has(i, "\"possible_repeat\":false"));
}

/* The start that runs tells each sink that knows of a refusal: once, as of the same incident, and
 * when it takes it. */
static void D4_the_end_of_a_refused_start_is_told_once(void **state)
{
    static const char why[] = "a.seg: byte 7 is damaged";
    struct outbox_refusal before[2] = {{.sink = 1, .since_ms = 1769940000000},
                                       {.sink = 0, .since_ms = 1769940000000}};
    size_t seen = 0, open, resolve;
    uint64_t incident;

    (void)state;
    snprintf(before[0].why, sizeof(before[0].why), "%s", why);
    snprintf(before[1].why, sizeof(before[1].why), "%s", why);
    begin_world(NULL, 0);
    outbox_core_tell_refusal(core, why);
    outbox_core_run(core);
    open = next_at_two(&seen);
    incident = incident_of(open);
    assert_true(outbox_core_refusal_told(core, 1)); /* on its way: nobody can tell */
    fixture_answer(open, 200, "", "");
    fixture_answer(1 - open, 401, "", "");
    assert_true(outbox_core_refusal_told(core, 1));
    assert_false(outbox_core_refusal_told(core, 0));

    tear_down(state); /* another process */
    set_up(state);
    seen = 0;
    begin_world(NULL, 0);
    assert_true(outbox_core_take_refusals(core, before, 2));
    hold_one();
    seen = count_at_two(); /* that one is held */
    outbox_core_run(core);
    assert_int_equal(count_at_two(), seen); /* it may be refused as well */
    outbox_core_end_refusals(core);
    outbox_core_run(core);
    resolve = next_at_two(&seen);
    assert_true(sent_has(resolve, "\"check\":\"not-running\""));
    assert_true(sent_has(resolve, "\"kind\":\"resolve\""));
    assert_true(sent_has(resolve, "\"opened_at\":\"2026-02-01T10:00:00.000Z\""));
    assert_int_equal(incident_of(resolve), incident);
    assert_false(outbox_core_refusal_ended(core, 0));
    fixture_answer(resolve, 200, "", "");
    outbox_core_run(core);
    assert_true(outbox_core_refusal_ended(core, 0));
    assert_int_equal(count_at_two(), seen);

    probe_one(200); /* it works again: what waited for it, and this */
    for (size_t left = fixture_sent_count; !outbox_core_refusal_ended(core, 1); left++) {
        assert_true(left < 100);
        for (size_t i = 0; i < fixture_sent_count; i++)
            if (strcmp(fixture_sent[i].url, "http://one.example/") == 0 &&
                sent_has(i, "\"check\":\"not-running\""))
                fixture_answer(i, 200, "", "");
        outbox_core_run(core);
    }
    size_t resolves = 0;
    for (size_t i = 0; i < fixture_sent_count; i++)
        resolves += strcmp(fixture_sent[i].url, "http://one.example/") == 0 &&
                    sent_has(i, "\"check\":\"not-running\"");
    assert_int_equal(resolves, 1);
    outbox_core_end_refusals(core);
    outbox_core_run(core);
    assert_int_equal(count_at_two(), seen);
}

/* A sink that wants nothing of it has heard the last word: it is not told at every start. */
static void D4_an_end_of_a_refused_start_that_is_given_up_is_not_told_again(void **state)
{
    struct outbox_refusal before = {.sink = 1, .since_ms = 1769940000000, .why = "damaged"};

    (void)state;
    begin_world(NULL, 0);
    assert_true(outbox_core_take_refusals(core, &before, 1));
    outbox_core_end_refusals(core);
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 1);
    assert_false(outbox_core_refusal_ended(core, 0));
    fixture_answer(0, 503, "", ""); /* will be sent again */
    assert_false(outbox_core_refusal_ended(core, 0));
    assert_true(run_until_sent(1, 10000));
    fixture_answer(1, 404, "no such hook", "");
    assert_int_equal(counters(1).dead, 1);
    assert_true(outbox_core_refusal_ended(core, 0));
}

/* What it says of itself goes to everybody while it lasts: nothing of what is not, then one
 * opening, then its end. */
static void begins_and_ends(void (*tell)(struct outbox_core *core, const char *why),
                            const char *why, const char *const *parts)
{
    size_t seen = 0, open, resolve;

    begin_world(NULL, 0);
    tell(core, "");
    outbox_core_run(core);
    assert_int_equal(fixture_sent_count, 0);
    tell(core, why);
    outbox_core_run(core);
    open = next_at_two(&seen);
    for (; *parts != NULL; parts++)
        assert_true(sent_has(open, *parts));
    fixture_answer(0, 200, "", "");
    fixture_answer(1, 200, "", "");
    tell(core, "");
    outbox_core_run(core);
    resolve = next_at_two(&seen);
    assert_true(sent_has(resolve, "\"kind\":\"resolve\""));
    assert_int_equal(incident_of(resolve), incident_of(open));
}

static void F7_memory_that_is_short_is_told_to_all_with_its_end(void **state)
{
    (void)state;
    begins_and_ends(
        outbox_core_tell_memory, "120 of 128 MiB are used",
        (const char *const[]){"\"check\":\"memory-short\"", "\"why\":\"120 of 128 MiB are used\"",
                              "\"title\":\"tocsin has nearly used up its memory budget\"", NULL});
}

static void T6_a_clock_that_is_off_is_told_to_all_with_its_end(void **state)
{
    (void)state;
    begins_and_ends(
        outbox_core_tell_clock, "7200 s behind",
        (const char *const[]){"\"check\":\"clock-off\"", "\"why\":\"7200 s behind\"",
                              "\"title\":\"tocsin goes by another clock than its input\"", NULL});
}

static int told_set_up(void **state)
{
    two_is_told = true;
    return set_up(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, told_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(O6_a_held_sink_is_told_to_the_others_with_its_end),
        TEST(O6_each_spell_is_an_incident_of_its_own),
        TEST(O6_a_held_sink_is_told_of_once_it_is_noted),
        TEST(O6_of_two_spells_the_last_one_is_the_one_that_is_asked_about),
        TEST(O6_a_sink_that_a_former_process_found_held_is_told_of_no_second_time),
        TEST(O6_a_held_sink_that_is_gone_is_over_with_a_start_that_runs),
        TEST(a_sink_that_was_held_itself_is_told_later),
        TEST(O7_an_outbox_that_fills_up_is_told_ahead_of_what_waits),
        TEST(O7_memory_fills_the_outbox_as_well),
        TEST(what_nobody_was_told_yet_is_not_told_when_it_is_over),
        TEST(notices_that_wait_are_bounded),
        TEST(a_sink_may_want_to_hear_nothing_of_it),
        TEST(O7_notices_take_no_room_from_changes),
        TEST(input_that_is_lost_is_told_to_all_with_its_end),
        TEST(L6_a_ledger_that_does_not_add_up_is_told_to_all),
        TEST(D4_a_refused_start_is_told_as_one_incident_for_one_reason),
        TEST(D4_a_refusal_that_a_sink_heard_of_before_is_not_news_to_it),
        TEST(D4_the_end_of_a_refused_start_is_told_once),
        TEST(D4_an_end_of_a_refused_start_that_is_given_up_is_not_told_again),
        TEST(F7_memory_that_is_short_is_told_to_all_with_its_end),
        TEST(T6_a_clock_that_is_off_is_told_to_all_with_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
