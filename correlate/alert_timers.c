/* alert_timers.c - see alert_timers.h. */
#include "correlate/alert_timers.h"

#include <string.h>

enum { HEAP_ALONE = 64 }; /* so many have no levels that would cost anything */

/* An alert that is heard of now is due in three quarters of the ring at most. */
void alert_timers_fit(struct alert_timers *timers, int64_t expire_ms)
{
    timers->bits = 0;
    while ((int64_t)(ALERT_TIMER_LISTS * 3 / 4) << timers->bits < expire_ms)
        timers->bits++;
}

static int64_t list_number(const struct alert_timers *timers, int64_t due_ms)
{
    return due_ms >> timers->bits; /* rounds down, below zero too */
}

static struct timer_list *list_at(const struct alert_timers *timers, int64_t number)
{
    return &timers->later[(uint64_t)number % ALERT_TIMER_LISTS];
}

static void lists_make(struct alert_timers *timers)
{
    timers->later = memory_alloc(ALERT_TIMER_LISTS * sizeof(*timers->later));
    memset(timers->later, 0, ALERT_TIMER_LISTS * sizeof(*timers->later));
    for (int i = 0; i < ALERT_TIMER_LISTS; i++)
        timers->later[i].least_ms = INT64_MAX;
}

/* The number of the first list that has an entry; there is one. */
static int64_t first_list(const struct alert_timers *timers)
{
    int64_t number = timers->from;

    while (list_at(timers, number)->all.count == 0)
        number++;
    return number;
}

void alert_timers_push(struct alert_timers *timers, struct timer timer)
{
    int64_t number = list_number(timers, timer.due_ms);

    if (timers->later == NULL && timers->soon.heap.count < HEAP_ALONE) {
        timer_heap_push(&timers->soon, timer);
        return;
    }
    if (timers->later == NULL)
        lists_make(timers);
    if (timers->later_count == 0)
        timers->from = number; /* whatever is sooner goes to the heap */
    if (number >= timers->from + ALERT_TIMER_LISTS)
        timers->from = first_list(timers); /* those before it are empty: there is more room */
    if (number < timers->from || number >= timers->from + ALERT_TIMER_LISTS) {
        timer_heap_push(&timers->soon, timer);
        return;
    }
    struct timer_list *list = list_at(timers, number);
    if (list->all.room == 0) {
        *list = timers->spare;
        timers->spare = (struct timer_list){.least_ms = INT64_MAX};
        list->least_ms = INT64_MAX;
    }
    vector_add(&list->all) = timer;
    list->least_ms = timer.due_ms < list->least_ms ? timer.due_ms : list->least_ms;
    timers->later_count++;
}

int64_t alert_timers_due(const struct alert_timers *timers)
{
    int64_t soon_ms = timer_heap_due(&timers->soon);

    if (timers->later_count == 0)
        return soon_ms;
    int64_t later_ms = list_at(timers, first_list(timers))->least_ms;
    return soon_ms < later_ms ? soon_ms : later_ms;
}

int64_t alert_timers_open(struct alert_timers *timers, int64_t until_ms, struct timer_list *out)
{
    if (timers->later_count == 0)
        return INT64_MIN;
    int64_t number = first_list(timers);
    if (number > list_number(timers, until_ms))
        return INT64_MIN;
    struct timer_list *list = list_at(timers, number);
    *out = *list;
    *list = (struct timer_list){.least_ms = INT64_MAX};
    timers->later_count -= (uint32_t)out->all.count;
    timers->from = number + 1;
    return timers->from * ((int64_t)1 << timers->bits);
}

void alert_timers_opened(struct alert_timers *timers, struct timer_list *list)
{
    if (list->all.room > timers->spare.all.room) {
        struct timer_list smaller = timers->spare;
        timers->spare = *list;
        timers->spare.all.count = 0;
        *list = smaller;
    }
    free(list->all.at);
}

struct timer alert_timers_pop(struct alert_timers *timers)
{
    while (timers->later_count > 0 && alert_timers_due(timers) < timer_heap_due(&timers->soon)) {
        struct timer_list list;
        int64_t end_ms = alert_timers_open(timers, INT64_MAX, &list);
        for (size_t i = 0; i < list.all.count; i++)
            if (list.all.at[i].due_ms < end_ms)
                alert_timers_push_soon(timers, list.all.at[i]);
            else
                alert_timers_push(timers, list.all.at[i]);
        alert_timers_opened(timers, &list);
    }
    return timer_heap_pop(&timers->soon);
}

void alert_timers_clear(struct alert_timers *timers)
{
    timers->soon.heap.count = 0;
    timers->later_count = 0;
    for (int i = 0; timers->later != NULL && i < ALERT_TIMER_LISTS; i++) {
        timers->later[i].all.count = 0;
        timers->later[i].least_ms = INT64_MAX;
    }
}

void alert_timers_release(struct alert_timers *timers)
{
    for (int i = 0; timers->later != NULL && i < ALERT_TIMER_LISTS; i++)
        free(timers->later[i].all.at);
    free(timers->later);
    free(timers->spare.all.at);
    timer_heap_release(&timers->soon);
    *timers = (struct alert_timers){.bits = timers->bits};
}

uint64_t alert_timers_bytes(const struct alert_timers *timers)
{
    uint64_t bytes = (timers->soon.heap.room + timers->spare.all.room) * sizeof(struct timer);

    for (int i = 0; timers->later != NULL && i < ALERT_TIMER_LISTS; i++)
        bytes += sizeof(struct timer_list) + timers->later[i].all.room * sizeof(struct timer);
    return bytes;
}
