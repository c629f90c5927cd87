/*
 * alert_timers.h - due times of the alerts of one lane: what must happen next, soonest first.
 *
 *   soon: a heap                              later: a ring of lists, 8 s of due times each
 *   [ due before the first list, or beyond ]  [ from | from + 1 | ... | from + 63 ]
 *
 * Most alerts are heard of again before their time is over, so most entries are looked at only to
 * be put further back. A list takes one at its end and gives all of them up in a row, without the
 * levels of a heap of thousands; in order are only those of which something may come soon. What is
 * beyond the ring, which is longer than `expire`, is in the heap, too: ends of flapping. A lane of
 * few alerts has no lists. (8 s are those of an `expire` of five minutes.)
 *
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_ALERT_TIMERS_H
#define CORRELATE_ALERT_TIMERS_H

#include "correlate/timer_heap.h"

enum { ALERT_TIMER_LISTS = 64 };

struct timer_list {
    VECTOR_OF(struct timer) all;
    int64_t least_ms; /* of their due times; INT64_MAX: it is empty */
};

struct alert_timers {
    struct timer_heap soon;
    struct timer_list *later; /* NULL until there is one */
    struct timer_list spare;  /* the room of one that was opened, for the next that begins */
    uint32_t later_count;     /* entries in all lists */
    int64_t from;             /* number of the first list: due time >> bits */
    uint8_t bits;
};

/* For such an `expire`; only while there is no entry. */
void alert_timers_fit(struct alert_timers *timers, int64_t expire_ms);

void alert_timers_push(struct alert_timers *timers, struct timer timer);

/* The earliest due time; INT64_MAX when there is none. */
int64_t alert_timers_due(const struct alert_timers *timers);

/* Takes the earliest entry out; there is one. */
struct timer alert_timers_pop(struct alert_timers *timers);

/* Takes the first list out if it is one of due times up to `until_ms`: its entries are those of
 * `out`, until alert_timers_opened(), and nowhere else. Each is to be pushed again, or is over; one
 * that is due before the time returned goes to the heap, by alert_timers_push_soon(). INT64_MIN:
 * there is no such list. */
int64_t alert_timers_open(struct alert_timers *timers, int64_t until_ms, struct timer_list *out);
void alert_timers_opened(struct alert_timers *timers, struct timer_list *list);

static inline void alert_timers_push_soon(struct alert_timers *timers, struct timer timer)
{
    timer_heap_push(&timers->soon, timer);
}

/* All entries go. */
void alert_timers_clear(struct alert_timers *timers);
void alert_timers_release(struct alert_timers *timers);

/* Bytes that they take. */
uint64_t alert_timers_bytes(const struct alert_timers *timers);

#endif
