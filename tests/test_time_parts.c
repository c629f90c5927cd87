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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C6_spells_are_found_again_in_an_image),
        cmocka_unit_test(C7_spells_that_are_not_in_order_are_refused),
        cmocka_unit_test(C6_a_partition_is_as_blind_as_its_own_last_mark_says),
        cmocka_unit_test(T4_r_is_not_ahead_of_the_clock_that_it_was_taken_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
