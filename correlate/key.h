/*
 * key.h - the rule keys of one lane: windows that watch, and incidents that are open.
 *
 *   watching: a ring of entries, oldest first        open: members, counts, the opening
 *   [at alert values | at alert values | ...]        {alert -> open?}  last_touch ...
 *
 * Thread: the worker that owns the lane.
 */
#ifndef CORRELATE_KEY_H
#define CORRELATE_KEY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/incident.h"
#include "base/slab.h"
#include "correlate/timer_heap.h"
#include "correlate/touch.h"
#include "rules/rule_set.h"

/* What an entry remembers of the fields that `distinct` counts: a hash to compare,
 * and the text, cut to what an explanation can show. */
enum { VALUE_TEXT_BYTES = 300, KEY_PAGE = 64 };

struct window_values {
    uint32_t bytes; /* of this record, for the slab */
    uint32_t count;
    struct window_value {
        uint64_t hash;
        uint32_t at, len; /* in the text behind the values */
    } value[];
};

static inline struct text window_value_text(const struct window_values *values, uint32_t i)
{
    return (struct text){(const char *)(values->value + values->count) + values->value[i].at,
                         values->value[i].len};
}

struct window_entry {
    int64_t at_ms;
    int64_t ts_ms;
    struct id128 alert;
    struct window_values *values; /* NULL for a rule without distinct */
    uint8_t severity;
    bool cleared;
};

struct window {
    uint32_t first, count, room; /* room is a power of two */
    struct window_entry ring[];
};

/* The alerts of an incident: open addressing, load <= 1/2. */
struct member {
    struct id128 alert;
    uint8_t state; /* MEMBER_* */
};
enum { MEMBER_NONE, MEMBER_OPEN, MEMBER_CLEARED };
struct members {
    struct member *slots;
    uint32_t mask; /* 0: none yet */
    uint32_t count;
};

struct open_incident {
    struct incident *latest; /* the last logged change: what the next one is copied from */
    int64_t last_touch_ms;
    int64_t quiet_checked_ms; /* close was looked at for quiet timers up to here */
    int64_t first_ts_ms;
    uint64_t event_count;
    uint32_t alert_count, open_count;
    uint32_t untracked_open;
    uint32_t alert_count_told;
    uint8_t severity, severity_told;
    bool member_evicted; /* cleared() can never be proved again */
    bool evicted_now;    /* and it happened in the dirty round */
    struct members members;
};

struct key_state { /* zero but for the times below when added */
    struct id128 key;
    const struct rule *rule; /* the version that opened the incident, or the current one */
    struct key_text *text;
    struct open_incident *open; /* NULL: watching */
    void *body;                 /* of the rule's form, while it watches (correlate/rule_form.h) */
    int64_t last_any_ms;        /* last touch of any kind, for the bound */
    int64_t timer_ms;           /* due time of its valid heap entry; INT64_MAX: none */
    int64_t dirty_round;        /* round in which the open incident was touched; INT64_MIN: none */
    uint32_t slot;              /* of the rule */
    uint16_t generation;
    bool used;
    bool listed; /* in the lane's dirty list */
};

struct key_slot {
    struct id128 key;
    uint32_t number; /* of the state, plus one; 0: free */
};

struct key_lane {
    struct key_slot *slots;
    uint32_t mask;
    uint32_t count;
    struct key_state **pages;
    uint32_t page_count, page_room, used;
    VECTOR_OF(uint32_t) free;
    VECTOR_OF(uint32_t) dirty; /* keys whose incident waits for its round's end */
    struct timer_heap timers;
};

/* What a rule's bound may take: smallest (open, last, key) first. */
struct key_candidate {
    bool open;
    int64_t last_ms;
    const struct key_text *text;
    uint32_t slot; /* of the rule */
    uint32_t number;
    uint8_t lane;
};

void key_lane_init(struct key_lane *lane);
void key_lane_release(struct key_lane *lane, struct slab *slab);

static inline struct key_state *key_at(const struct key_lane *lane, uint32_t number)
{
    return &lane->pages[number / KEY_PAGE][number % KEY_PAGE];
}

static inline void key_prefetch(const struct key_lane *lane, struct id128 key)
{
    __builtin_prefetch(&lane->slots[key.lo & lane->mask]);
}

/* The key's number, or UINT32_MAX. */
static inline uint32_t key_find(const struct key_lane *lane, struct id128 key)
{
    for (uint64_t i = key.lo;; i++) {
        const struct key_slot *slot = &lane->slots[i & lane->mask];
        if (slot->number == 0)
            return UINT32_MAX;
        if (id128_equal(slot->key, key))
            return slot->number - 1;
    }
}

/* Adds a key that key_find() did not find: watching, empty. */
uint32_t key_add(struct key_lane *lane, struct id128 key);

/* Frees what the state holds, its body too, and takes it out. The text is left to the caller. */
void key_remove(struct key_lane *lane, struct slab *slab, uint32_t number);

/* Const as the window is: who holds it constant changes nothing in it. */
static inline struct window_entry *window_at(const struct window *window, uint32_t i)
{
    return (struct window_entry *)&window->ring[(window->first + i) & (window->room - 1)];
}

/* A window with room for one entry more: the same one, or a larger one in its place. NULL makes
 * an empty one. */
struct window *window_room(struct window *window, struct slab *slab);

/* The new entry at the young end, which has room. */
static inline struct window_entry *window_push(struct window *window)
{
    return window_at(window, window->count++);
}
void window_pop(struct window *window, struct slab *slab);     /* the oldest; frees its values */
void window_release(struct window *window, struct slab *slab); /* NULL is allowed */

/* The member, or NULL. */
struct member *members_find(const struct members *members, struct id128 alert);
struct member *members_add(struct members *members, struct slab *slab, struct id128 alert);
void open_incident_free(struct open_incident *open, struct slab *slab);

#endif
