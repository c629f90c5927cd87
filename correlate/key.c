/* key.c - see key.h. */
#include "correlate/key.h"

#include <stdlib.h>
#include <string.h>
#include "correlate/rule_form.h"

enum { SLOTS_MIN = 8, WINDOW_MIN = 4, MEMBERS_MIN = 8 };

static void *zeroed(size_t bytes)
{
    return memset(memory_alloc(bytes), 0, bytes);
}

void key_lane_init(struct key_lane *lane)
{
    memset(lane, 0, sizeof(*lane));
    lane->slots = zeroed(SLOTS_MIN * sizeof(struct key_slot));
    lane->mask = SLOTS_MIN - 1;
}

void key_lane_release(struct key_lane *lane, struct slab *slab)
{
    for (uint32_t n = 0; n < lane->used; n++) {
        struct key_state *key = key_at(lane, n);
        if (key->used) {
            slab_free(slab, key->text, key->text->bytes);
            key_remove(lane, slab, n);
        }
    }
    for (uint32_t p = 0; p < lane->page_count; p++)
        free(lane->pages[p]);
    free(lane->pages);
    free(lane->free.at);
    free(lane->dirty.at);
    free(lane->slots);
    timer_heap_release(&lane->timers);
    memset(lane, 0, sizeof(*lane));
}

static void grow(struct key_lane *lane)
{
    struct key_slot *old = lane->slots;
    uint32_t old_count = lane->mask + 1;

    lane->slots = zeroed(old_count * 2 * sizeof(struct key_slot));
    lane->mask = old_count * 2 - 1;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].number == 0)
            continue;
        uint64_t at = old[i].key.lo;
        while (lane->slots[at & lane->mask].number != 0)
            at++;
        lane->slots[at & lane->mask] = old[i];
    }
    free(old);
}

uint32_t key_add(struct key_lane *lane, struct id128 key)
{
    uint64_t at = key.lo;
    uint32_t number;

    if ((lane->count + 1) * 2 > lane->mask + 1)
        grow(lane);
    if (lane->free.count > 0) {
        number = lane->free.at[--lane->free.count];
    } else {
        if (lane->used == lane->page_count * KEY_PAGE) {
            if (lane->page_count == lane->page_room) {
                lane->page_room = lane->page_room > 0 ? lane->page_room * 2 : 8;
                lane->pages =
                    memory_grow(lane->pages, lane->page_room * sizeof(struct key_state *));
            }
            lane->pages[lane->page_count++] = zeroed(KEY_PAGE * sizeof(struct key_state));
            /* Lists of keys grow here, so that a key that comes back never allocates. */
            vector_reserve(&lane->free, (size_t)lane->page_count * KEY_PAGE);
            vector_reserve(&lane->dirty, (size_t)lane->page_count * KEY_PAGE);
        }
        number = lane->used++;
    }
    struct key_state *state = key_at(lane, number);
    *state = (struct key_state){.key = key,
                                .timer_ms = INT64_MAX,
                                .dirty_round = INT64_MIN,
                                .generation = (uint16_t)(state->generation + 1),
                                .used = true,
                                .listed = state->listed};
    while (lane->slots[at & lane->mask].number != 0)
        at++;
    lane->slots[at & lane->mask] = (struct key_slot){key, number + 1};
    lane->count++;
    return number;
}

void key_remove(struct key_lane *lane, struct slab *slab, uint32_t number)
{
    struct key_state *key = key_at(lane, number);
    uint32_t hole = (uint32_t)key->key.lo & lane->mask;

    while (lane->slots[hole].number != number + 1)
        hole = (hole + 1) & lane->mask;
    lane->slots[hole].number = 0;
    for (uint32_t i = (hole + 1) & lane->mask; lane->slots[i].number != 0;
         i = (i + 1) & lane->mask) {
        uint32_t home = (uint32_t)lane->slots[i].key.lo & lane->mask;
        if (((i - home) & lane->mask) >= ((i - hole) & lane->mask)) {
            lane->slots[hole] = lane->slots[i];
            lane->slots[i].number = 0;
            hole = i;
        }
    }
    open_incident_free(key->open, slab);
    if (key->body != NULL)
        rule_form_of(key)->release(key, slab);
    key->open = NULL;
    key->body = NULL;
    key->used = false;
    lane->count--;
    vector_add(&lane->free) = number;
}

static size_t window_bytes(uint32_t room)
{
    return sizeof(struct window) + room * sizeof(struct window_entry);
}

struct window *window_room(struct window *window, struct slab *slab)
{
    uint32_t room = window != NULL ? window->room * 2 : WINDOW_MIN;

    if (window != NULL && window->count < window->room)
        return window;
    struct window *larger = slab_alloc(slab, window_bytes(room));
    *larger = (struct window){.room = room, .count = window != NULL ? window->count : 0};
    for (uint32_t i = 0; i < larger->count; i++)
        larger->ring[i] = *window_at(window, i);
    if (window != NULL)
        slab_free(slab, window, window_bytes(window->room));
    return larger;
}

static void values_free(struct window_entry *entry, struct slab *slab)
{
    if (entry->values != NULL)
        slab_free(slab, entry->values, entry->values->bytes);
    entry->values = NULL;
}

void window_pop(struct window *window, struct slab *slab)
{
    values_free(window_at(window, 0), slab);
    window->first = (window->first + 1) & (window->room - 1);
    window->count--;
}

void window_release(struct window *window, struct slab *slab)
{
    if (window == NULL)
        return;
    while (window->count > 0)
        window_pop(window, slab);
    slab_free(slab, window, window_bytes(window->room));
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
    slab_free(slab, open, sizeof(*open));
}
