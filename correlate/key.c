/* key.c - see key.h. */
#include "correlate/key.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

enum { SLOTS_MIN = 8, MEMBERS_MIN = 8 };

static void *zeroed(size_t bytes)
{
    return memset(memory_alloc(bytes), 0, bytes);
}

void key_lane_init(struct key_lane *lane)
{
    memset(lane, 0, sizeof(*lane));
    lane->slots = zeroed(SLOTS_MIN * sizeof(struct key_slot));
    lane->room = SLOTS_MIN;
}

void key_lane_release(struct key_lane *lane)
{
    for (uint32_t p = 0; p < lane->page_count; p++)
        free(lane->pages[p]);
    free(lane->pages);
    free(lane->dirty.at);
    free(lane->slots);
    key_timers_release(&lane->timers);
    lane_times_release(&lane->times);
    memset(lane, 0, sizeof(*lane));
}

void key_pointer_end(void)
{
    memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    abort();
}

struct id128 key_id(uint32_t family, uint64_t seed, const struct text *value, uint32_t count)
{
    struct id128 key = {hash_mix(family + 1), seed};

    for (uint32_t i = 0; i < count; i++)
        key = hash128(value[i].at, value[i].len, hash_mix(key.hi ^ value[i].len) ^ key.lo);
    return key;
}

static void place(struct key_lane *lane, struct key_slot slot)
{
    uint32_t at = key_home(lane, slot.hash);

    while (lane->slots[at].number != 0)
        at = key_after(lane, at);
    lane->slots[at] = slot;
}

/* From a load of 4/5 on: a slot and its air cost 10 to 12.5 bytes per key. */
void key_lane_reserve(struct key_lane *lane, uint32_t count)
{
    struct key_slot *old = lane->slots;
    uint32_t old_room = lane->room;

    while ((uint64_t)count * 5 > (uint64_t)lane->room * 4)
        lane->room = key_room_after(lane->room);
    if (lane->room == old_room)
        return;
    lane->slots = zeroed(lane->room * sizeof(struct key_slot));
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].number != 0)
            place(lane, old[i]);
    free(old);
}

static uint32_t take_number(struct key_lane *lane)
{
    uint32_t number = lane->free;

    if (number > 0) {
        lane->free = key_at(lane, number - 1)->slot;
        if (lane->free > 0) /* the next key's */
            __builtin_prefetch(key_at(lane, lane->free - 1), 1);
        return number - 1;
    }
    if (lane->used == lane->page_count * KEY_PAGE) {
        if (lane->page_count == lane->page_room) {
            lane->page_room = lane->page_room > 0 ? lane->page_room * 2 : 8;
            lane->pages = memory_grow(lane->pages, lane->page_room * sizeof(struct key_state *));
        }
        lane->pages[lane->page_count++] = zeroed(KEY_PAGE * sizeof(struct key_state));
    }
    return lane->used++;
}

uint32_t key_add(struct key_lane *lane, struct id128 key)
{
    uint32_t number = take_number(lane);
    struct key_state *state = key_at(lane, number);

    key_lane_reserve(lane, lane->count + 1);
    /* A number that comes back may still stand in the lane's dirty list. */
    *state = (struct key_state){.id_high = key.hi,
                                .id_middle = (uint32_t)(key.lo >> 32),
                                .used = true,
                                .is_listed = state->is_listed};
    place(lane, (struct key_slot){(uint32_t)key.lo, number + 1});
    lane->count++;
    return number;
}

/* How far behind its home a slot lies. */
static uint32_t distance(const struct key_lane *lane, uint32_t home, uint32_t at)
{
    return at >= home ? at - home : at + lane->room - home;
}

void key_remove(struct key_lane *lane, uint32_t number, struct id128 key)
{
    struct key_state *state = key_at(lane, number);
    uint32_t hole = key_home(lane, (uint32_t)key.lo);

    while (lane->slots[hole].number != number + 1)
        hole = key_after(lane, hole);
    lane->slots[hole].number = 0;
    for (uint32_t i = key_after(lane, hole); lane->slots[i].number != 0; i = key_after(lane, i)) {
        uint32_t home = key_home(lane, lane->slots[i].hash);
        if (distance(lane, home, i) >= distance(lane, hole, i)) {
            lane->slots[hole] = lane->slots[i];
            lane->slots[i].number = 0;
            hole = i;
        }
    }
    lane->count--;
    state->used = false;
    state->slot = lane->free;
    lane->free = number + 1;
}

struct member *members_find(const struct members *members, struct id128 alert)
{
    if (members->slots == NULL)
        return NULL;
    for (uint64_t i = alert.lo;; i++) {
        struct member *m = &members->slots[i & members->mask];
        if (m->state == MEMBER_NONE)
            return NULL;
        if (id128_equal(m->alert, alert))
            return m;
    }
}

static struct member *members_place(const struct members *members, struct id128 alert)
{
    uint64_t i = alert.lo;

    while (members->slots[i & members->mask].state != MEMBER_NONE)
        i++;
    return &members->slots[i & members->mask];
}

struct member *members_add(struct members *members, struct slab *slab, struct id128 alert)
{
    if (members->slots == NULL || (members->count + 1) * 2 > members->mask + 1) {
        struct members larger = {.count = members->count};
        uint32_t old_room = members->slots != NULL ? members->mask + 1 : 0;
        uint32_t room = old_room > 0 ? old_room * 2 : MEMBERS_MIN;
        larger.mask = room - 1;
        larger.slots = slab_alloc(slab, room * sizeof(struct member));
        memset(larger.slots, 0, room * sizeof(struct member));
        for (uint32_t i = 0; i < old_room; i++)
            if (members->slots[i].state != MEMBER_NONE)
                *members_place(&larger, members->slots[i].alert) = members->slots[i];
        slab_free(slab, members->slots, old_room * sizeof(struct member));
        *members = larger;
    }
    struct member *m = members_place(members, alert);
    m->alert = alert;
    members->count++;
    return m;
}

void open_incident_free(struct open_incident *open, struct slab *slab)
{
    if (open == NULL)
        return;
    incident_unref(open->latest);
    if (open->members.slots != NULL)
        slab_free(slab, open->members.slots, (open->members.mask + 1) * sizeof(struct member));
    slab_free(slab, open->recent_ms, open->recent_room * sizeof(int64_t));
    slab_free(slab, open, sizeof(*open));
}
