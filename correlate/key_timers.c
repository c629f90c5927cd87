/* key_timers.c - see key_timers.h. */
#include "correlate/key_timers.h"

/* Eight to a node, as in timer_heap.h: of 8 bytes each they fill a line. */
enum { ROOM_MIN = 16, WAYS = 8 };

void key_timers_push(struct key_timers *timers, struct key_timer timer)
{
    if (timers->count == timers->room) {
        timers->room = timers->room > 0 ? key_room_after(timers->room) : ROOM_MIN;
        timers->at = memory_grow(timers->at, timers->room * sizeof(*timers->at));
    }
    struct key_timer *at = timers->at;
    uint32_t i = timers->count++;
    while (i > 0 && key_timer_before(timer.due, at[(i - 1) / WAYS].due)) {
        at[i] = at[(i - 1) / WAYS];
        i = (i - 1) / WAYS;
    }
    at[i] = timer;
}

/* Puts `timer` at place `i` or below, where both trees under it are in order. */
static void sink(struct key_timers *timers, uint32_t i, struct key_timer timer)
{
    struct key_timer *at = timers->at;
    uint32_t n = timers->count;

    for (;;) {
        uint32_t first = WAYS * i + 1, child = first;
        if (first >= n)
            break;
        for (uint32_t c = first + 1; c < first + WAYS && c < n; c++)
            if (key_timer_before(at[c].due, at[child].due))
                child = c;
        if (!key_timer_before(at[child].due, timer.due))
            break;
        at[i] = at[child];
        i = child;
    }
    at[i] = timer;
}

struct key_timer key_timers_pop(struct key_timers *timers)
{
    struct key_timer top = timers->at[0], last = timers->at[--timers->count];

    if (timers->count > 0)
        sink(timers, 0, last);
    return top;
}

void key_timers_order(struct key_timers *timers)
{
    for (uint32_t i = timers->count / WAYS + 1; i-- > 0;)
        sink(timers, i, timers->at[i]);
}
