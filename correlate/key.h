/*
 * key.h - the rule keys of one lane: those that watch, and those with an open incident.
 *
 *   slots           states, in pages that stay where they are
 *   [hash number] -> [key, words, last touch] -> watching: the body of the rule's form
 *                                             -> open: members, counts, the opening
 *
 * Thread: the worker that owns the lane.
 */
#ifndef CORRELATE_KEY_H
#define CORRELATE_KEY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/incident.h"
#include "base/slab.h"
#include "base/vector.h"
#include "correlate/key_timers.h"
#include "correlate/lane_times.h"
#include "correlate/touch.h"
#include "rules/rule_set.h"

enum { KEY_PAGE = 64 };

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
    const struct rule *rule; /* the version that opened it */
    struct incident *latest; /* the last logged change: what the next one is copied from */
    void *body;              /* of a form that goes on watching after the close */
    int64_t last_touch_ms;
    int64_t quiet_checked_ms; /* close was looked at for timers up to here */
    int64_t away_end_ms;      /* its silence counts from here, at the earliest (correlate/away.h) */
    int64_t first_ts_ms;
    int64_t dirty_round; /* round in which it was touched; INT64_MIN: none */
    uint64_t event_count;
    uint32_t alert_count, open_count;
    uint32_t untracked_open;
    uint32_t alert_count_told;
    double last[RULE_LAST_MAX]; /* numbers that close looks at; NaN: none yet */
    int64_t *recent_ms;         /* ring of the newest touches that joined; NULL: nobody asks */
    uint32_t recent_room, recent_count;
    uint8_t severity, severity_told;
    bool member_evicted; /* cleared() can never be proved again */
    bool evicted_now;    /* and it happened in the dirty round */
    bool is_forgotten;   /* its key goes */
    bool is_told;        /* composites know of it */
    bool is_pushed;      /* its last touch was */
    struct members members;
};

/* A pointer in six bytes: the addresses of a process lie below 2^48, unless it asks for others.
 * One that does not ends the process as if memory had run out. */
struct short_pointer {
    uint32_t low;
    uint16_t high;
};

/*
 * 40 bytes: there may be millions. What else a key costs: its words (struct key_text), what its
 * form remembers (an alert that came up to four times is 40 bytes), a slot and a timer of 8 bytes
 * each and some air. The pointers are read and written through key_words(), key_body(), key_open().
 */
struct key_state {
    uint64_t id_high;       /* of the key's id, as the next; the rest stands in its slot */
    uint64_t last_any : 56; /* last touch of any kind, for the bound: key_last_ms() */
    uint64_t used : 1;
    uint64_t is_open : 1;
    uint64_t is_listed : 1; /* in the lane's dirty list */
    uint64_t has_timer : 1;
    uint64_t form_flag : 1;       /* of the rule's form */
    uint64_t is_self_touched : 1; /* by a self-alert, last of RAISE, CHANGE, REPEAT and BEAT */
    uint64_t is_queued : 1;       /* key_queue.h: has a place among those that watch */
    uint64_t is_queued_open : 1;  /* the same among those with an open incident */
    uint32_t id_middle;           /* the upper half of id.lo */
    uint32_t slot;                /* of the form that holds it; of one not used: the next such */
    uint32_t timer;               /* due time of its valid entry in the lane's timers */
    uint32_t words_low, body_low; /* struct short_pointer, split */
    uint16_t words_high, body_high;
};
_Static_assert(sizeof(struct key_state) == 40, "a key that watches is small");

struct key_slot {
    uint32_t hash;   /* the lower half of id.lo: its place */
    uint32_t number; /* of the state, plus one; 0: free */
};

struct key_lane {
    struct key_slot *slots;
    uint32_t room, count;
    struct key_state **pages;
    uint32_t page_count, page_room, used;
    uint32_t free;             /* number of a state that is not used, plus one; 0: none */
    VECTOR_OF(uint32_t) dirty; /* keys whose incident waits for its round's end */
    struct key_timers timers;
    uint64_t open, pending;  /* keys with an open incident, and touches that the others hold */
    struct lane_times times; /* in a silent step: what comes before was worked off */
};

/* What a rule's bound may take: smallest (open, last, key) first. */
struct key_candidate {
    bool open;
    int64_t last_ms;
    const struct key_text *text;
    uint64_t begin; /* of the words, for key_sort() */
    uint32_t slot;  /* of the rule */
    uint32_t number;
    uint8_t lane;
};

/* Ends the process: see struct short_pointer. */
_Noreturn void key_pointer_end(void);

static inline struct short_pointer short_pointer_of(const void *at)
{
    if (__builtin_expect((uint64_t)(uintptr_t)at >> 48 != 0, 0))
        key_pointer_end();
    return (struct short_pointer){(uint32_t)(uintptr_t)at, (uint16_t)((uintptr_t)at >> 32)};
}

static inline void *short_pointer_get(uint32_t low, uint16_t high)
{
    return (void *)((uintptr_t)low | (uintptr_t)high << 32);
}

/* The values of `by`. */
static inline struct key_text *key_words(const struct key_state *key)
{
    return short_pointer_get(key->words_low, key->words_high);
}

static inline void key_set_words(struct key_state *key, const struct key_text *words)
{
    const struct short_pointer at = short_pointer_of(words);

    key->words_low = at.low;
    key->words_high = at.high;
}

/* What the rule's form remembers while the key watches (rule_form.h); NULL: nothing. */
static inline void *key_body(const struct key_state *key)
{
    return short_pointer_get(key->body_low, key->body_high);
}

/* The key watches, from now on if it did not. */
static inline void key_set_body(struct key_state *key, void *body)
{
    const struct short_pointer at = short_pointer_of(body);

    key->is_open = false;
    key->body_low = at.low;
    key->body_high = at.high;
}

/* NULL: the key watches. */
static inline struct open_incident *key_open(const struct key_state *key)
{
    return key->is_open ? key_body(key) : NULL;
}

static inline void key_set_open(struct key_state *key, struct open_incident *open)
{
    key_set_body(key, open);
    key->is_open = true;
}

static inline int64_t key_last_ms(const struct key_state *key)
{
    return time_unpack(key->last_any);
}

void key_lane_init(struct key_lane *lane);

static inline struct key_state *key_at(const struct key_lane *lane, uint32_t number)
{
    return &lane->pages[number / KEY_PAGE][number % KEY_PAGE];
}

/* Slots in the order of their hashes, which are places of lane_times.h. */
static inline uint32_t key_home(const struct key_lane *lane, uint32_t hash)
{
    return place_home(hash, lane->room);
}

static inline uint32_t key_after(const struct key_lane *lane, uint32_t slot)
{
    return slot + 1 < lane->room ? slot + 1 : 0;
}

/* Two lines: at the load of this table a probe that finds nothing goes further than one. */
static inline void key_prefetch(const struct key_lane *lane, struct id128 key)
{
    const struct key_slot *slot = &lane->slots[key_home(lane, (uint32_t)key.lo)];

    __builtin_prefetch(slot);
    __builtin_prefetch(slot + 64 / sizeof(*slot));
}

/* The number of the key, plus one, as far as slots tell; 0: there is none. */
static inline uint32_t key_guess(const struct key_lane *lane, struct id128 key)
{
    const uint32_t hash = (uint32_t)key.lo;
    uint32_t i = key_home(lane, hash);

    while (lane->slots[i].number != 0 && lane->slots[i].hash != hash)
        i = key_after(lane, i);
    return lane->slots[i].number;
}

/* The same a little later: the slot has arrived, the state is fetched. */
static inline void key_prefetch_state(const struct key_lane *lane, struct id128 key)
{
    const uint32_t number = key_guess(lane, key);

    if (number != 0)
        __builtin_prefetch(key_at(lane, number - 1), 1);
}

/* And at last what the state points at. */
static inline void key_prefetch_body(const struct key_lane *lane, struct id128 key)
{
    const uint32_t number = key_guess(lane, key);

    if (number != 0)
        __builtin_prefetch(key_body(key_at(lane, number - 1)));
}

/* What a key is found by: the family of its rule's slot (rules_version.h) and the values of `by`.
 * The high byte is its lane. */
struct id128 key_id(uint32_t family, uint64_t seed, const struct text *value, uint32_t count);

/* What its slot does not say of the key's id. */
static inline bool key_has_rest(const struct key_state *state, struct id128 key)
{
    return state->id_high == key.hi && state->id_middle == (uint32_t)(key.lo >> 32);
}

/* The key's number, or UINT32_MAX. */
static inline uint32_t key_find(const struct key_lane *lane, struct id128 key)
{
    uint32_t hash = (uint32_t)key.lo;

    for (uint32_t i = key_home(lane, hash);; i = key_after(lane, i)) {
        const struct key_slot *slot = &lane->slots[i];
        if (slot->number == 0)
            return UINT32_MAX;
        if (slot->hash == hash && key_has_rest(key_at(lane, slot->number - 1), key))
            return slot->number - 1;
    }
}

/* Makes the table large enough for so many at once. */
void key_lane_reserve(struct key_lane *lane, uint32_t count);

/* Adds a key that key_find() did not find: watching, empty. */
uint32_t key_add(struct key_lane *lane, struct id128 key);

/* Takes it out; `key` as it was added. What the state points at is left to the caller. */
void key_remove(struct key_lane *lane, uint32_t number, struct id128 key);

/* Frees the lane's tables; its keys have been taken out. */
void key_lane_release(struct key_lane *lane);

/* The member, or NULL. */
struct member *members_find(const struct members *members, struct id128 alert);
struct member *members_add(struct members *members, struct slab *slab, struct id128 alert);
void open_incident_free(struct open_incident *open, struct slab *slab);

#endif
