/*
 * Aim (C6, T4, T4b): what spells of blindness leave behind is found again as it was, an image in
 * which they cannot be so is refused, and R by the clock is never ahead of it. Method: an engine
 * that has nothing but its partitions, given to the functions one by one, where a run would have to
 * meet a spell, a snapshot and a fraction of a millisecond at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "correlate/blind.h"
#include "correlate/core.h"
#include "correlate/part.h"
#include "correlate/seal.h"

enum { ROUND_MS = 200 };

static struct engine engine;
static struct part part[2];

static void engine_make(void)
{
    memset(&engine, 0, sizeof(engine));
    memset(part, 0, sizeof(part));
    engine.config.round_ms = engine.config.epoch_ms = ROUND_MS;
    engine.spell_last_ms = INT64_MIN;
    engine.part_count = 1; /* @derived */
}

/* An image in which two spells begin, at `first_ms` and `second_ms`. */
static struct image_out image_of(int64_t first_ms, int64_t second_ms)
{
    struct image_out out = {0};

    engine_make();
    vector_add(&engine.spells) = (struct spell_mark){.at_ms = first_ms, .part = 1, .begins = true};
    vector_add(&engine.spells) = (struct spell_mark){.at_ms = second_ms, .part = 2, .begins = true};
    engine.spell_last_ms = second_ms;
    blind_save(&engine, &out);
    free(engine.spells.at);
    engine_make();
    return out;
}

static void C6_spells_are_found_again_in_an_image(void **state)
{
    (void)state;
    struct image_out out = image_of(600, 800);
    struct image_in in = {.at = out.bytes.at, .bytes = out.bytes.count};

    blind_take(&engine, 0, &in);
    assert_null(in.fault);
    assert_int_equal(in.used, in.bytes);
    assert_int_equal(engine.spells.count, 2);
    assert_int_equal(engine.spells.at[0].at_ms, 600);
    assert_int_equal(engine.spells.at[1].at_ms, 800);
    assert_int_equal(engine.spells.at[1].part, 2);
    assert_true(engine.spells.at[1].begins);
    assert_int_equal(engine.spell_last_ms, 800);
    assert_int_equal(engine.spell_due_ms, 600);
    free(engine.spells.at);
    free(out.bytes.at);
}

static void C7_spells_that_are_not_in_order_are_refused(void **state)
{
    (void)state;
    struct image_out out = image_of(800, 600);
    struct image_in in = {.at = out.bytes.at, .bytes = out.bytes.count};

    blind_take(&engine, 0, &in);
    assert_string_equal(in.fault, "spells of blindness are not in order");
    free(engine.spells.at);
    free(out.bytes.at);
}

/* Marks of two partitions stand between each other's; only its own say whether one was blind. */
static void C6_a_partition_is_as_blind_as_its_own_last_mark_says(void **state)
{
    (void)state;
    static const struct mark marks[] = {
        {MARK_BLIND_END, 1, 0, 400},   {MARK_BLIND_BEGIN, 0, 0, 600}, {MARK_SEAL, 0, 0, 700},
        {MARK_BLIND_BEGIN, 1, 0, 800}, {MARK_BLIND_END, 1, 0, 1000},
    };

    engine_make();
    engine.config.marks = marks;
    engine.config.mark_count = sizeof(marks) / sizeof(marks[0]);
    for (unsigned i = 0; i < 2; i++) {
        part[i].id = (uint16_t)(i + 1);
        part[i].mark_end = engine.config.mark_count;
        blind_join(&engine, &part[i]);
    }
    assert_true(part[0].blind_told);
    assert_false(part[1].blind_told);
}

/* A backlog of one old record, and then two answers: at the first, which is on the stroke of a
 * millisecond of the clock, R becomes the clock's; 0.6 ms later the clock is in the same one. */
static void T4_r_is_not_ahead_of_the_clock_that_it_was_taken_from(void **state)
{
    (void)state;
    const int64_t wall_ms = 1000000;
    const uint64_t start_ns = 5000000, first_ns = start_ns + 100000000;

    engine_make();
    engine.wall_at_start = wall_ms;
    engine.mono_at_start = start_ns;
    engine.config.behind_ms = 50;
    engine.parts[0] = &part[0]; /* of no membership */
    engine.parts[1] = &part[1];
    engine.part_count = 2;
    part[0].seen_max_c = INT64_MIN;
    part[1].id = 1;
    part[1].membership = PART_MEMBER;
    part[1].read_until = INT64_MIN;
    part[1].seal_request = INT64_MIN;
    part[1].seen_records = 1;
    part[1].seen_max_c = wall_ms - 3600000;
    seal_round(&engine, start_ns + 400000); /* not on the stroke */
    assert_int_equal(engine.r_ms, wall_ms - 3600000);
    part[1].proof_ns = first_ns;
    seal_round(&engine, first_ns);
    assert_true(engine.r_settled);
    assert_int_equal(engine.r_ms, wall_ms + 100);
    part[1].proof_ns = first_ns + 600000;
    seal_round(&engine, first_ns + 600000);
    assert_int_equal(engine.r_ms, wall_ms + 100);
    part[1].proof_ns = first_ns + 1000000;
    seal_round(&engine, first_ns + 1000000);
    assert_int_equal(engine.r_ms, wall_ms + 101);
}

/* Two partitions of a live run with G = 200 ms, of which the second had a record. */
static uint64_t told_ns;

static void prove_at(struct source *source, uint64_t at_ns)
{
    (void)source;
    told_ns = at_ns;
}

static void live_make(int64_t wall_ms, uint64_t start_ns)
{
    static const struct source_ops ops = {.prove_at = prove_at};
    static struct source source = {.ops = &ops};
    static struct part no_part;

    engine_make();
    engine.source = &source;
    engine.wall_at_start = wall_ms;
    engine.mono_at_start = start_ns;
    engine.config.behind_ms = 5000;
    engine.config.seal_ms = 10;
    engine.config.epoch_ms = 20;
    engine.slack_ms = 200;
    engine.part_count = 3;
    engine.parts[0] = &no_part; /* of no membership */
    for (unsigned i = 0; i < 2; i++) {
        engine.parts[i + 1] = &part[i];
        part[i].id = (uint16_t)(i + 1);
        part[i].membership = PART_MEMBER;
        part[i].read_until = INT64_MIN;
        part[i].seal_request = INT64_MIN;
        part[i].seen_max_c = INT64_MIN;
        part[i].passed = wall_ms - 1000;
        part[i].proof_ns = start_ns;
    }
    told_ns = 0;
    seal_round(&engine, start_ns); /* all stand at their ends */
}

/* R is as of when the record came, and not of the round that sees it. */
static void T4_r_goes_on_from_when_its_record_came(void **state)
{
    (void)state;
    const int64_t wall_ms = 1000000;
    const uint64_t start_ns = 5000000000, came_ns = start_ns + 33000000;

    live_make(wall_ms, start_ns);
    part[0].proof_ns = part[1].proof_ns = start_ns + 30000000;
    seal_round(&engine, start_ns + 30000000);
    part[1].seen_records = 1;
    part[1].seen_max_c = wall_ms + 31;
    part[1].taken_ns = came_ns;
    seal_round(&engine, start_ns + 40000000);
    assert_int_equal(engine.r_ms, wall_ms + 31);
    assert_int_equal(engine.r_ns, came_ns);
    /* Where the two were not stored at once it may be of before the last round: then it is now's.
     */
    part[1].seen_records = 2;
    part[1].seen_max_c = wall_ms + 47;
    seal_round(&engine, start_ns + 50000000);
    assert_int_equal(engine.r_ms, wall_ms + 47);
    assert_int_equal(engine.r_ns, start_ns + 50000000);
}

/* A lone record of 31 ms past the stroke lies in the epoch that ends at 40: R is 200 ms behind that
 * 209 ms after it came. A proof of then is asked for, and a round is made as soon as all are there,
 * once. */
static void T4_a_proof_is_asked_for_when_it_lets_an_epoch_close(void **state)
{
    (void)state;
    const int64_t wall_ms = 1000000;
    const uint64_t start_ns = 5000000000, came_ns = start_ns + 33000000;
    const uint64_t wanted_ns = came_ns + 209000000;

    live_make(wall_ms, start_ns);
    seal_aim(&engine, wall_ms - 1000, start_ns + 1000);
    assert_int_equal(told_ns, 0); /* nothing waits */
    part[1].seen_records = 1;
    part[1].seen_max_c = wall_ms + 31;
    part[1].taken_ns = came_ns;
    seal_round(&engine, came_ns + 1000000);
    for (uint64_t ns = came_ns + 10000000; ns < wanted_ns; ns += 10000000) {
        seal_aim(&engine, wall_ms - 1000, ns);
        assert_true(told_ns + 8000000 > ns); /* what was asked for just now may be on its way */
        assert_true(told_ns <= ns + 20000000);
    }
    assert_int_equal(told_ns, wanted_ns);
    engine.seal_due_ns = wanted_ns + 8000000;
    assert_false(seal_is_due(&engine, wanted_ns - 1));
    assert_false(seal_is_due(&engine, wanted_ns)); /* nobody has answered yet */
    part[0].proof_ns = wanted_ns + 100;
    assert_false(seal_is_due(&engine, wanted_ns + 500));
    part[1].proof_ns = wanted_ns - 1; /* proves too little */
    assert_false(seal_is_due(&engine, wanted_ns + 500));
    part[1].proof_ns = wanted_ns + 100;
    assert_true(seal_is_due(&engine, wanted_ns + 500));
    seal_aim(&engine, wall_ms - 1000, wanted_ns + 500);
    assert_int_equal(told_ns, wanted_ns); /* it waits for its round */
    seal_round(&engine, wanted_ns + 500);
    for (unsigned i = 0; i < 2; i++)
        assert_true(part[i].seal_request >= wall_ms + 40);
    assert_false(seal_is_due(&engine, wanted_ns + 600)); /* they do not prove it twice */
    part[0].passed = part[1].passed = wall_ms + 40;
    assert_false(seal_is_due(&engine, wanted_ns + 700));
    seal_aim(&engine, wall_ms + 40, wanted_ns + 700);
    assert_int_equal(told_ns, wanted_ns + 20000000);
    /* Where no answer comes, rounds are made as always. */
    assert_true(seal_is_due(&engine, wanted_ns + 8000000));
    /* Some time after the last record nothing can be waiting. */
    seal_aim(&engine, wall_ms + 400, came_ns + 1000000000);
    assert_int_equal(atomic_load(&engine.wanted_ns), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C6_spells_are_found_again_in_an_image),
        cmocka_unit_test(C7_spells_that_are_not_in_order_are_refused),
        cmocka_unit_test(C6_a_partition_is_as_blind_as_its_own_last_mark_says),
        cmocka_unit_test(T4_r_is_not_ahead_of_the_clock_that_it_was_taken_from),
        cmocka_unit_test(T4_r_goes_on_from_when_its_record_came),
        cmocka_unit_test(T4_a_proof_is_asked_for_when_it_lets_an_epoch_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
