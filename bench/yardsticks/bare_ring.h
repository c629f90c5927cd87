/*
 * bare_ring.h - yardstick: a ring from one producer to one consumer that takes batches of 64 alone.
 *
 * One ring, whose size is known when it is compiled, indexes on lines of their own, push and pop
 * inlined: no partial batches, no function call, nothing to ask. Why it is held against: two cores
 * cannot hand pointers over much faster than this, so what base/batch_ring is slower by is what its
 * generality costs.
 *
 * Thread: bare_push() one, bare_pop() one other. Orders as in base/batch_ring.c, edges P and C.
 */
#ifndef BENCH_YARDSTICKS_BARE_RING_H
#define BENCH_YARDSTICKS_BARE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { BARE_SLOTS = 65536, BARE_BATCH = 64 };

struct bare_ring {
    _Alignas(128) atomic_size_t head;
    size_t tail_seen;
    _Alignas(128) atomic_size_t tail;
    size_t head_seen;
    _Alignas(128) void *slots[BARE_SLOTS];
};

/* False, and nothing was done: there is no room for a batch. */
static inline bool bare_push(struct bare_ring *ring, void *const *items)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (head + BARE_BATCH - ring->tail_seen > BARE_SLOTS) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head + BARE_BATCH - ring->tail_seen > BARE_SLOTS)
            return false;
    }
    for (size_t i = 0; i < BARE_BATCH; i++)
        ring->slots[(head + i) & (BARE_SLOTS - 1)] = items[i];
    atomic_store_explicit(&ring->head, head + BARE_BATCH, memory_order_release);
    return true;
}

/* False, and nothing was done: there is no batch. */
static inline bool bare_pop(struct bare_ring *ring, void **out)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (ring->head_seen - tail < BARE_BATCH) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (ring->head_seen - tail < BARE_BATCH)
            return false;
    }
    for (size_t i = 0; i < BARE_BATCH; i++)
        out[i] = ring->slots[(tail + i) & (BARE_SLOTS - 1)];
    atomic_store_explicit(&ring->tail, tail + BARE_BATCH, memory_order_release);
    return true;
}

#endif
