/*
 * Blocks of huge.h: that none lies in another, that they come zeroed, and that halves join again.
 * Method: at random, held against what every block was filled with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/huge.h"

static void blocks_of_any_size_are_zeroed_and_on_lines_of_their_own(void **state)
{
    (void)state;
    for (size_t bytes = 64; bytes <= 4 * HUGE_REGION_BYTES; bytes *= 2) {
        unsigned char *block = huge_alloc(bytes);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0xff, bytes);
        huge_free(block, bytes);
        block = huge_alloc(bytes); /* it may be the same again */
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(block[i], 0);
        huge_free(block, bytes);
    }
    huge_free(NULL, 64);
    assert_int_equal(huge_regions(), 0);
}

/* 64 of the smallest fill a region, and two halves one, whatever was freed in which order. */
static void a_region_is_used_up_and_its_halves_join_again(void **state)
{
    enum { LEAVES = HUGE_REGION_BYTES / HUGE_BYTES_MIN };
    void *block[LEAVES], *half[2], *one_more;

    (void)state;
    for (int i = 0; i < LEAVES; i++)
        block[i] = huge_alloc(HUGE_BYTES_MIN);
    assert_int_equal(huge_regions(), 1);
    one_more = huge_alloc(HUGE_BYTES_MIN);
    assert_int_equal(huge_regions(), 2);
    huge_free(one_more, HUGE_BYTES_MIN);
    assert_int_equal(huge_regions(), 1);
    for (int i = 0; i < LEAVES - 1; i++) /* every seventh, which 64 is no multiple of */
        huge_free(block[i * 7 % LEAVES], HUGE_BYTES_MIN);
    assert_int_equal(huge_regions(), 1);
    half[0] = huge_alloc(HUGE_REGION_BYTES / 2); /* beside the one that is left */
    assert_int_equal(huge_regions(), 1);
    half[1] = huge_alloc(HUGE_REGION_BYTES / 2);
    assert_int_equal(huge_regions(), 2);
    huge_free(half[0], HUGE_REGION_BYTES / 2);
    huge_free(half[1], HUGE_REGION_BYTES / 2);
    huge_free(block[(LEAVES - 1) * 7 % LEAVES], HUGE_BYTES_MIN);
    assert_int_equal(huge_regions(), 0);
}

static void blocks_keep_what_is_in_them(void **state)
{
    enum { HELD = 200, STEPS = 4000 };
    static struct {
        unsigned char *at;
        size_t bytes;
    } held[HELD];
    uint64_t draw = 7;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        int i = (int)((draw >> 33) % HELD);
        if (held[i].at != NULL) { /* its first and last bytes say which it is */
            assert_int_equal(held[i].at[0], i);
            assert_int_equal(held[i].at[held[i].bytes - 1], i);
            huge_free(held[i].at, held[i].bytes);
            held[i].at = NULL;
            continue;
        }
        held[i].bytes = (size_t)HUGE_BYTES_MIN << (draw >> 60) % 6;
        held[i].at = huge_alloc(held[i].bytes);
        assert_int_equal(held[i].at[0] | held[i].at[held[i].bytes - 1], 0);
        memset(held[i].at, i, held[i].bytes);
    }
    for (int i = 0; i < HELD; i++)
        huge_free(held[i].at, held[i].bytes);
    assert_int_equal(huge_regions(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_any_size_are_zeroed_and_on_lines_of_their_own),
        cmocka_unit_test(a_region_is_used_up_and_its_halves_join_again),
        cmocka_unit_test(blocks_keep_what_is_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
