/*
 * batch_ring.c - see batch_ring.h.
 *
 * Each side keeps the last value that it saw of the other side's index beside
 * its own index, and looks again only when that value is not enough. So a line
 * travels between the cores about once per batch instead of once per item.
 */
#include "base/batch_ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 64 };

struct batch_ring {
    /* Constant after create. */
    _Alignas(LINE_BYTES) size_t mask;

    /* Written by the producer only. */
    _Alignas(LINE_BYTES) atomic_size_t head;
    size_t tail_seen; /* the newest tail that the producer has loaded */

    /* Written by the consumer only. */
    _Alignas(LINE_BYTES) atomic_size_t tail;
    size_t head_seen; /* the newest head that the consumer has loaded */

    _Alignas(LINE_BYTES) void *slots[];
};

_Static_assert(offsetof(struct batch_ring, tail) - offsetof(struct batch_ring, head) == LINE_BYTES,
               "producer and consumer write to lines of their own");
_Static_assert(offsetof(struct batch_ring, slots) - offsetof(struct batch_ring, tail) == LINE_BYTES,
               "slots share no line with an index");

struct batch_ring *batch_ring_create(size_t slot_count)
{
    struct batch_ring *ring;
    size_t bytes;

    assert(slot_count > 0);
    assert((slot_count & (slot_count - 1)) == 0);
    if (slot_count > (SIZE_MAX - sizeof(*ring) - LINE_BYTES) / sizeof(ring->slots[0]))
        return NULL;
    /* aligned_alloc() wants a multiple of the alignment. */
    bytes = sizeof(*ring) + slot_count * sizeof(ring->slots[0]);
    bytes = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    ring = aligned_alloc(LINE_BYTES, bytes);
    if (ring == NULL)
        return NULL;
    memset(ring, 0, bytes);
    ring->mask = slot_count - 1;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    return ring;
}

void batch_ring_destroy(struct batch_ring *ring)
{
    free(ring);
}

/* How many of `count` slots from `index` on lie before the end of the array. */
static inline size_t before_wrap(const struct batch_ring *ring, size_t index, size_t count)
{
    size_t room = ring->mask + 1 - (index & ring->mask);

    return count < room ? count : room;
}

size_t batch_ring_push(struct batch_ring *ring, void *const *items, size_t count)
{
    /* relaxed: head has no other writer, so this is our own last store. */
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t room = ring->mask + 1 - (head - ring->tail_seen);
    size_t first;

    if (room < count) {
        /* C, acquire end: the consumer is done with every slot below this tail. */
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        room = ring->mask + 1 - (head - ring->tail_seen);
        if (count > room)
            count = room;
        if (count == 0)
            return 0;
    }
    first = before_wrap(ring, head, count);
    memcpy(&ring->slots[head & ring->mask], items, first * sizeof(items[0]));
    memcpy(&ring->slots[0], items + first, (count - first) * sizeof(items[0]));
    /* P, release end: the items and their slots are complete before the index is visible. */
    atomic_store_explicit(&ring->head, head + count, memory_order_release);
    return count;
}

size_t batch_ring_pop(struct batch_ring *ring, void **out, size_t max)
{
    /* relaxed: tail has no other writer, so this is our own last store. */
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t count = ring->head_seen - tail;
    size_t first;

    if (count < max) {
        /* P, acquire end: every slot below this head is complete. */
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        count = ring->head_seen - tail;
    }
    if (count > max)
        count = max;
    if (count == 0)
        return 0;
    first = before_wrap(ring, tail, count);
    memcpy(out, &ring->slots[tail & ring->mask], first * sizeof(out[0]));
    memcpy(out + first, &ring->slots[0], (count - first) * sizeof(out[0]));
    /* C, release end: the slots have been read before the producer may reuse them. */
    atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
    return count;
}

size_t batch_ring_count(const struct batch_ring *ring)
{
    /* The trailing index first, with acquire: head is then loaded no earlier than
     * it, so that the difference cannot go negative. relaxed for head: nothing is
     * read through it. It may be newer by more than a ring, hence the bound.
     * C, acquire end, unseen by tsan: no memory but the index itself is read after it. */
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    return head - tail > ring->mask ? ring->mask + 1 : head - tail;
}
