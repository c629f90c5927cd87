/*
 * batch_ring.h - bounded queue of pointers from one producer to one consumer.
 *
 * Carries batches between the threads of the engine and ops to the outbox. A
 * slot holds one pointer; pushing it hands over what it points at. Both sides
 * move several pointers per call, because the index that changes cores costs
 * more than the pointers do.
 *
 *        tail (consumer writes)         head (producer writes)
 *          v                              v
 *   [ free | item | item | item | ... | free | free ]
 *
 * head and tail count every item ever pushed or popped; `& mask` only picks
 * the slot. They wrap, so fill is the unsigned difference head - tail and the
 * two are never compared with < or >.
 *
 * Progress: every call is wait-free: no lock, no allocation, no system call.
 * Ordering: edge P (push releases head, pop acquires it) shows finished items;
 *           edge C (pop releases tail, push acquires it) frees a slot only
 *           after it has been read.
 * Source:   Lamport's single-producer single-consumer queue; remembering the
 *           other side's index is from FastForward and the LMAX Disruptor.
 */
#ifndef BASE_BATCH_RING_H
#define BASE_BATCH_RING_H

#include <stddef.h>

struct batch_ring;

/* Creates a ring of `slot_count` slots, a power of two.
 * Owner:  the caller, until batch_ring_destroy().
 * Errors: NULL when memory is short.
 * Thread: setup, before either side runs. */
struct batch_ring *batch_ring_create(size_t slot_count);

/* Releases the ring; what is still in it stays with its owner. NULL is allowed.
 * Thread: shutdown, after both sides have stopped. */
void batch_ring_destroy(struct batch_ring *ring);

/* Takes the first k of `count` items, k as large as there is room, and returns k.
 * Less than `count` means full: the caller keeps the rest and waits; nothing is
 * dropped here. The index is published once per call.
 * Thread: producer. */
size_t batch_ring_push(struct batch_ring *ring, void *const *items, size_t count);

/* Moves up to `max` of the oldest items into `out`, oldest first, and returns how
 * many; 0 means empty. The caller owns them. Freed slots are published once per
 * call, so larger takes move fewer cache lines between the two cores.
 * Thread: consumer. */
size_t batch_ring_pop(struct batch_ring *ring, void **out, size_t max);

/* Items in the ring. Exact for a caller that is producer or consumer while the
 * other side rests; otherwise a value that was true at some time during the call,
 * or a smaller one. Never above slot_count.
 * Thread: any. */
size_t batch_ring_count(const struct batch_ring *ring);

#endif
