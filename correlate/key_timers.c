/* key_timers.c - see key_timers.h. */
#include "correlate/key_timers.h"

enum { ROOM_MIN = 16 };

void key_timers_push(struct key_timers *timers, struct key_timer timer)
{
    if (timers->count == timers->room) {
        timers->room = timers->room > 0 ? key_room_after(timers->room) : ROOM_MIN;
        timers->at = memory_grow(timers->at, timers->room * sizeof(*timers->at));
    }
    struct key_timer *at = timers->at;
    uint32_t i = timers->count++;
    while (i > 0 && key_timer_before(timer.due, at[(i - 1) / 2].due)) {
        at[i] = at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    at[i] = timer;
}

struct key_timer key_timers_pop(struct key_timers *timers)
{
    struct key_timer *at = timers->at;
    struct key_timer top = at[0], last = at[--timers->count];
    uint32_t n = timers->count, i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && key_timer_before(at[child + 1].due, at[child].due))
            child++;
        if (!key_timer_before(at[child].due, last.due))
            break;
        at[i] = at[child];
        i = child;
    }
    if (n > 0)
        at[i] = last;
    return top;
}
