/*
 * alert.h - the alert table of one lane.
 *
 *   slots, open addressing, load <= 1/2, 32 B each          cold records, by number
 *   [fingerprint 16 | attr 8 | last 4 | bits 4]  --number--> identity, words, routes, changes
 *
 * A repeat touches the slot and nothing else. The table doubles when it is half
 * full; with 256 lanes one doubling moves a few thousand slots at most. Slots lie
 * in the order of places (lane_times.h).
 *
 * Thread: the worker that owns the lane.
 */
#ifndef CORRELATE_ALERT_H
#define CORRELATE_ALERT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"
#include "base/slab.h"
#include "correlate/lane_times.h"
#include "correlate/terms.h"
#include "correlate/alert_timers.h"

enum {
    ALERT_OPEN = 1,
    ALERT_FLAPPING = 2,
    ALERT_EVENT_ROUTES = 4, /* a route of a rule that says `on: events` */
    ALERT_STALE = 8,        /* rules changed since its routes were made */
    ALERT_INCIDENT = 16,    /* it stands for an incident: rules on incidents alone see it */
    ALERT_FLAGS = 31,
    ALERT_COUNT_SHIFT = 5, /* repeats not yet added to the cold record */
    ALERT_COUNT_MAX = 127,
    ALERT_COLD_SHIFT = 12, /* number of the cold record, plus one; 0: the slot is free */
    ALERT_COLD_MAX = (1 << 20) - 2,
    ALERT_PAGE = 64, /* cold records per page */
};

struct alert_slot {
    struct id128 fingerprint;
    uint64_t attr_hash;
    uint32_t last32; /* low bits of the et of its last event: expiry is far below 2^32 ms */
    uint32_t bits;
};
_Static_assert(sizeof(struct alert_slot) == 32, "two alerts per cache line");

/* One rule and key that the alert was counted under. */
struct route {
    struct id128 key;
    uint32_t slot;
    uint8_t lane;
};

enum alert_timer { ALERT_TIMER_EXPIRE, ALERT_TIMER_FLAP };

struct alert_cold {
    struct id128 fingerprint;
    uint64_t count;            /* events folded into it, less what the slot still holds */
    struct event_text *text;   /* of its last event that was not a repeat; slab */
    struct route *routes;      /* slab */
    struct route *flap_routes; /* slab; of rules of flapping alerts, while it flaps */
    int64_t *changes;    /* newest flap_start changes, a ring; slab, made at the first clear */
    int64_t problem_et;  /* et of the event that `text` is from */
    int64_t flap_end_ms; /* while flapping */
    uint64_t told_attr;  /* attributes that the rules were told last */
    uint16_t route_count, route_room;
    uint16_t flap_route_count;
    uint16_t change_count, change_next;
    uint16_t generation;
    uint8_t severity; /* of `text` */
    bool told_open;
    bool is_held;         /* it is open, and of an open incident: it does not expire */
    bool is_pushed : 1;   /* `text` is of an event that was pushed */
    bool is_away : 1;     /* it waits in the lane's list of these */
    int64_t first_change; /* before `changes` exists: its only change */
};

struct alert_lane {
    struct alert_slot *slots;
    uint32_t mask; /* slots - 1 */
    uint32_t count;
    struct alert_cold **pages;
    uint32_t page_count, page_room;
    uint32_t cold_used; /* numbers ever handed out */
    VECTOR_OF(uint32_t) cold_free;
    struct alert_timers timers;
    VECTOR_OF(uint32_t) untimed; /* cold numbers of alerts that wait without a timer: is_held */
    int64_t untimed_due_ms; /* when they are to be looked at all the same; INT64_MAX: none waits */
    VECTOR_OF(uint32_t) away; /* the same of alerts that are pushed, while nobody can push */
    int64_t away_due_ms;
    uint32_t generation;       /* of the rules its STALE flags are about */
    struct engine_terms terms; /* that its timers and rings of changes go by */
    struct lane_times times;   /* in a silent step: what comes before was worked off */
};

/* When the lane has to be looked at next. */
static inline int64_t alert_lane_due(const struct alert_lane *lane)
{
    int64_t due = alert_timers_due(&lane->timers);

    due = due < lane->untimed_due_ms ? due : lane->untimed_due_ms;
    return due < lane->away_due_ms ? due : lane->away_due_ms;
}

/* What the bound may take: smallest (last, identity) first. */
struct alert_candidate {
    int64_t last_ms;
    const struct event_text *identity;
    uint32_t cold;
    uint8_t lane;
};

/* Those of a worker's lanes that go first, sorted: every alert whose `last` is not later than that
 * of the last one in it. Good while the terms are the same: what happens to an alert later makes
 * its entry one that is passed over. */
struct alert_line {
    VECTOR_OF(struct alert_candidate) all;
    size_t first;     /* those before are gone */
    bool owes_timers; /* its alerts have no entry in their lanes' heaps */
};

/* Its alerts are in their lanes' heaps, which it will be made from. */
static inline void alert_line_clear(struct alert_line *line)
{
    line->all.count = line->first = 0;
}

void alert_lane_init(struct alert_lane *lane, const struct engine_terms *terms);
void alert_lane_release(struct alert_lane *lane, struct slab *slab);

static inline struct alert_cold *alert_cold(const struct alert_lane *lane, uint32_t number)
{
    return &lane->pages[number / ALERT_PAGE][number % ALERT_PAGE];
}

static inline uint32_t alert_slot_cold(const struct alert_slot *slot)
{
    return (slot->bits >> ALERT_COLD_SHIFT) - 1;
}

static inline int64_t alert_slot_last(const struct alert_slot *slot, int64_t now_ms)
{
    return now_ms - (int64_t)(uint32_t)((uint32_t)now_ms - slot->last32);
}

/* The slot that it falls to; the top byte of the fingerprint's .hi chose the lane. */
static inline uint32_t alert_home(const struct alert_lane *lane, struct id128 fingerprint)
{
    return place_home(lane_place(fingerprint), lane->mask + 1);
}

static inline void alert_prefetch(const struct alert_lane *lane, struct id128 fingerprint)
{
    const struct alert_slot *at = &lane->slots[alert_home(lane, fingerprint)];
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + 2, 1); /* the next line: a probe at load 1/2 rarely goes further */
}

/* The alert's slot, or NULL. */
static inline struct alert_slot *alert_find(const struct alert_lane *lane, struct id128 fingerprint)
{
    for (uint32_t i = alert_home(lane, fingerprint);; i++) {
        struct alert_slot *slot = &lane->slots[i & lane->mask];
        if (slot->bits == 0)
            return NULL;
        if (id128_equal(slot->fingerprint, fingerprint))
            return slot;
    }
}

/* Makes the table large enough for so many at once. */
void alert_lane_reserve(struct alert_lane *lane, uint32_t count);

/* Adds an alert that alert_find() did not find; flags and all else are zero. */
struct alert_slot *alert_add(struct alert_lane *lane, struct id128 fingerprint);

/* Takes the alert out; its cold record's parts have been freed or buried before. */
void alert_remove(struct alert_lane *lane, struct alert_slot *slot);

#endif
