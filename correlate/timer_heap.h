/*
 * timer_heap.h - a heap of due times: what must happen next, soonest first. Four to a node: half as
 * many levels as of a binary one, and the four lie side by side; of a large heap each level is a
 * line that is in no near cache.
 *
 * Entries are lower bounds. A deadline that moves back (a repeat of an alert) does
 * not touch the heap; the entry is popped at the old time, looked at, and pushed
 * again with the real one. `owner` is an index with a generation, so that an
 * entry of something that is gone is recognised.
 *
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_TIMER_HEAP_H
#define CORRELATE_TIMER_HEAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/vector.h"

struct timer {
    int64_t due_ms;
    uint32_t owner;
    uint16_t generation;
    uint16_t kind;
};

enum { TIMER_HEAP_WAYS = 4 };

struct timer_heap {
    VECTOR_OF(struct timer) heap;
};

static inline void timer_heap_push(struct timer_heap *timers, struct timer timer)
{
    vector_reserve(&timers->heap, 1);
    struct timer *at = timers->heap.at;
    size_t i = timers->heap.count++;
    while (i > 0 && at[(i - 1) / TIMER_HEAP_WAYS].due_ms > timer.due_ms) {
        at[i] = at[(i - 1) / TIMER_HEAP_WAYS];
        i = (i - 1) / TIMER_HEAP_WAYS;
    }
    at[i] = timer;
}

/* The earliest due time; INT64_MAX when there is none. */
static inline int64_t timer_heap_due(const struct timer_heap *timers)
{
    return timers->heap.count > 0 ? timers->heap.at[0].due_ms : INT64_MAX;
}

/* Takes the earliest entry out; the heap is not empty. */
static inline struct timer timer_heap_pop(struct timer_heap *timers)
{
    struct timer *at = timers->heap.at;
    struct timer top = at[0], last = at[--timers->heap.count];
    size_t n = timers->heap.count, i = 0;

    for (;;) {
        size_t first = TIMER_HEAP_WAYS * i + 1, child = first;
        if (first >= n)
            break;
        for (size_t c = first + 1; c < first + TIMER_HEAP_WAYS && c < n; c++)
            if (at[c].due_ms < at[child].due_ms)
                child = c;
        if (at[child].due_ms >= last.due_ms)
            break;
        at[i] = at[child];
        i = child;
    }
    if (n > 0)
        at[i] = last;
    return top;
}

static inline void timer_heap_release(struct timer_heap *timers)
{
    free(timers->heap.at);
}

#endif
