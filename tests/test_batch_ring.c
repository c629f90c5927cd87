/*
 * Aim: the ring loses, repeats and reorders nothing, takes exactly what it has
 * room for, and hands over what its items point at. Method: fixed cases for the
 * edges, random operations against a plain array, then two-thread runs in which
 * the consumer can predict every pointer and its content; run them under tsan as
 * well: weakening any of the four acquire/release orders is seen there only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include "base/batch_ring.h"

enum { SLOTS = 64, CELLS = 256, RUN_ITEMS = 400000, MODEL_STEPS = 200000 };

/* Where only order matters, a number stands in for an item. */
static void *numbered(uintptr_t n)
{
    return (void *)(n + 1);
}

static void number_items(void **items, uintptr_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] = numbered(first + i);
}

static void full_ring_takes_nothing_and_keeps_its_items(void **state)
{
    struct batch_ring *ring = batch_ring_create(SLOTS);
    void *items[SLOTS], *got[SLOTS];

    (void)state;
    number_items(items, 0, SLOTS);
    assert_int_equal(batch_ring_push(ring, items, SLOTS), SLOTS);
    assert_int_equal(batch_ring_count(ring), SLOTS);
    assert_int_equal(batch_ring_push(ring, items, 1), 0);
    assert_int_equal(batch_ring_pop(ring, got, SLOTS), SLOTS);
    assert_memory_equal(got, items, sizeof(items));
    assert_int_equal(batch_ring_count(ring), 0);
    batch_ring_destroy(ring);
}

static void push_takes_the_first_items_that_fit(void **state)
{
    struct batch_ring *ring = batch_ring_create(4);
    void *items[6], *got[6];

    (void)state;
    number_items(items, 0, 6);
    assert_int_equal(batch_ring_push(ring, items, 3), 3);
    assert_int_equal(batch_ring_pop(ring, got, 2), 2);
    /* One left and four slots: three of the next six fit, across the wrap. */
    assert_int_equal(batch_ring_push(ring, items, 6), 3);
    assert_int_equal(batch_ring_pop(ring, got, 6), 4);
    assert_ptr_equal(got[0], items[2]);
    assert_ptr_equal(got[1], items[0]);
    assert_ptr_equal(got[3], items[2]);
    batch_ring_destroy(ring);
}

static void empty_ring_gives_nothing(void **state)
{
    struct batch_ring *ring = batch_ring_create(1);
    void *item = numbered(7), *got = NULL;

    (void)state;
    assert_int_equal(batch_ring_pop(ring, &got, 1), 0);
    assert_int_equal(batch_ring_push(ring, &item, 1), 1);
    assert_int_equal(batch_ring_pop(ring, &got, 0), 0);
    assert_int_equal(batch_ring_pop(ring, &got, 1), 1);
    assert_ptr_equal(got, item);
    assert_int_equal(batch_ring_pop(ring, &got, 1), 0);
    batch_ring_destroy(ring);
}

static void random_operations_agree_with_a_plain_array(void **state)
{
    struct batch_ring *ring = batch_ring_create(16);
    uint64_t seed = 42, pushed = 0, popped = 0;
    void *items[24], *got[24];

    (void)state;
    for (int step = 0; step < MODEL_STEPS; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t count = (size_t)(seed >> 33) % 24;
        if ((seed >> 60) & 1) {
            size_t room = 16 - (size_t)(pushed - popped);
            number_items(items, pushed, count);
            assert_int_equal(batch_ring_push(ring, items, count), count < room ? count : room);
            pushed += count < room ? count : room;
        } else {
            size_t fill = (size_t)(pushed - popped);
            size_t want = count < fill ? count : fill;
            assert_int_equal(batch_ring_pop(ring, got, count), want);
            for (size_t i = 0; i < want; i++)
                assert_ptr_equal(got[i], numbered(popped + i));
            popped += want;
        }
        assert_int_equal(batch_ring_count(ring), pushed - popped);
    }
    batch_ring_destroy(ring);
}

/* A cell is written by the producer before each push and read by the consumer
 * after each pop, without atomics: only the two edges keep that from being a race. */
struct run {
    struct batch_ring *there;
    struct batch_ring *back; /* cells return, so that each is used many times */
    uint64_t cells[CELLS];
    size_t push_max;
};

static void *push_run(void *arg)
{
    struct run *run = arg;
    void *cells[CELLS];
    size_t free_count = CELLS;
    uint64_t made = 0;

    for (size_t i = 0; i < CELLS; i++)
        cells[i] = &run->cells[i];
    while (made < RUN_ITEMS) {
        size_t want = free_count < run->push_max ? free_count : run->push_max;
        if (want > RUN_ITEMS - made)
            want = (size_t)(RUN_ITEMS - made);
        for (size_t i = 0; i < want; i++)
            *(uint64_t *)cells[free_count - want + i] = made + i;
        size_t done = 0;
        while (done < want) {
            size_t k = batch_ring_push(run->there, cells + free_count - want + done, want - done);
            if (k == 0)
                sched_yield();
            done += k;
        }
        made += want;
        free_count -= want;
        free_count += batch_ring_pop(run->back, cells + free_count, CELLS - free_count);
        if (free_count == 0)
            sched_yield();
    }
    return NULL;
}

static void run_two_threads(size_t push_max, size_t pop_max)
{
    static struct run run;
    void *taken[CELLS];
    uint64_t expected = 0;
    pthread_t producer;

    memset(&run, 0, sizeof(run));
    run.there = batch_ring_create(SLOTS);
    run.back = batch_ring_create(CELLS);
    run.push_max = push_max;
    assert_int_equal(pthread_create(&producer, NULL, push_run, &run), 0);
    while (expected < RUN_ITEMS) {
        size_t n = batch_ring_pop(run.there, taken, pop_max);
        for (size_t i = 0; i < n; i++, expected++)
            assert_int_equal(*(uint64_t *)taken[i], expected);
        assert_int_equal(batch_ring_push(run.back, taken, n), n);
        if (n == 0)
            sched_yield();
    }
    pthread_join(producer, NULL);
    batch_ring_destroy(run.there);
    batch_ring_destroy(run.back);
}

static void two_threads_see_every_item_once_in_order(void **state)
{
    (void)state;
    run_two_threads(17, 5); /* coprime to SLOTS: both straddle the wrap */
}

static void two_threads_agree_item_by_item(void **state)
{
    (void)state;
    run_two_threads(1, 1);
}

static void two_threads_agree_when_batches_exceed_the_ring(void **state)
{
    (void)state;
    run_two_threads(CELLS, CELLS);
}

/* The slots themselves: items that carry no memory of their own, popped and
 * pushed at a full ring, so that a slot is reused the moment it is freed (C). */
static void *push_numbers(void *ring)
{
    void *items[7];

    for (uintptr_t n = 0; n < RUN_ITEMS;) {
        size_t want = RUN_ITEMS - n < 7 ? (size_t)(RUN_ITEMS - n) : 7;
        number_items(items, n, want);
        size_t k = batch_ring_push(ring, items, want);
        if (k == 0)
            sched_yield();
        n += k;
    }
    return NULL;
}

static void a_slot_is_reused_only_after_it_was_read(void **state)
{
    struct batch_ring *ring = batch_ring_create(8);
    void *taken[3];
    uintptr_t expected = 0;
    pthread_t producer;

    (void)state;
    assert_int_equal(pthread_create(&producer, NULL, push_numbers, ring), 0);
    while (expected < RUN_ITEMS) {
        size_t n = batch_ring_pop(ring, taken, 3);
        for (size_t i = 0; i < n; i++, expected++)
            assert_ptr_equal(taken[i], numbered(expected));
        assert_true(batch_ring_count(ring) <= 8);
        if (n == 0)
            sched_yield();
    }
    pthread_join(producer, NULL);
    batch_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_ring_takes_nothing_and_keeps_its_items),
        cmocka_unit_test(push_takes_the_first_items_that_fit),
        cmocka_unit_test(empty_ring_gives_nothing),
        cmocka_unit_test(random_operations_agree_with_a_plain_array),
        cmocka_unit_test(two_threads_see_every_item_once_in_order),
        cmocka_unit_test(two_threads_agree_item_by_item),
        cmocka_unit_test(two_threads_agree_when_batches_exceed_the_ring),
        cmocka_unit_test(a_slot_is_reused_only_after_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
