/*
 * key_timers.h - a heap of due times of rule keys, 8 bytes each.
 *
 * As timer_heap.h, with due times cut to 32 bits, because there may be a million of them. They
 * are compared as numbers on a circle, which is right while all lie within half a circle, 24
 * days: a due time further ahead than KEY_TIMER_AHEAD_MS is put in as that, looked at then, and
 * put in again; none stays behind, because each step takes out what is due in it.
 *
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_KEY_TIMERS_H
#define CORRELATE_KEY_TIMERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/slab.h"

#define KEY_TIMER_AHEAD_MS ((int64_t)1 << 30)

struct key_timer {
    uint32_t due; /* the low bits of milliseconds */
    uint32_t number;
};

struct key_timers {
    struct key_timer *at;
    uint32_t count, room;
};

/* The next of the sizes 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 ... of tables with a place per key, of
 * which there may be a million: air is an eighth on average, and such sizes are those that malloc
 * has, too. `room` is one of them. */
static inline uint32_t key_room_after(uint32_t room)
{
    return room + (1u << (29 - __builtin_clz(room)));
}

static inline bool key_timer_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* The whole time of a due time near `near_ms`. */
static inline int64_t key_timer_ms(uint32_t due, int64_t near_ms)
{
    return near_ms + (int32_t)(due - (uint32_t)near_ms);
}

/* The earliest due time; INT64_MAX when there is none. */
static inline int64_t key_timers_due(const struct key_timers *timers, int64_t near_ms)
{
    return timers->count > 0 ? key_timer_ms(timers->at[0].due, near_ms) : INT64_MAX;
}

void key_timers_push(struct key_timers *timers, struct key_timer timer);

/* Takes the earliest entry out; there is one. */
struct key_timer key_timers_pop(struct key_timers *timers);

/* Entries were taken out of at[], or changed: O(count). */
void key_timers_order(struct key_timers *timers);

static inline void key_timers_release(struct key_timers *timers)
{
    free(timers->at);
}

#endif
