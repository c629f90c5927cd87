/* alert.c - see alert.h. */
#include "correlate/alert.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/huge.h"

enum { SLOTS_MIN = 16 };

void alert_lane_init(struct alert_lane *lane, const struct engine_terms *terms)
{
    memset(lane, 0, sizeof(*lane));
    lane->slots = huge_alloc(SLOTS_MIN * sizeof(*lane->slots));
    lane->mask = SLOTS_MIN - 1;
    lane->untimed_due_ms = lane->away_due_ms = INT64_MAX;
    lane->terms = *terms;
    alert_timers_fit(&lane->timers, terms->expire_ms);
}

void alert_lane_release(struct alert_lane *lane, struct slab *slab)
{
    for (uint32_t i = 0; lane->slots != NULL && i <= lane->mask; i++) {
        if (lane->slots[i].bits == 0)
            continue;
        struct alert_cold *cold = alert_cold(lane, alert_slot_cold(&lane->slots[i]));
        slab_free(slab, cold->text, cold->text->bytes);
        slab_free(slab, cold->routes, cold->route_room * sizeof(struct route));
        slab_free(slab, cold->flap_routes, cold->flap_route_count * sizeof(struct route));
        slab_free(slab, cold->changes, lane->terms.flap_start * sizeof(int64_t));
    }
    for (uint32_t p = 0; p < lane->page_count; p++)
        free(lane->pages[p]);
    free(lane->pages);
    free(lane->cold_free.at);
    free(lane->untimed.at);
    free(lane->away.at);
    if (lane->slots != NULL)
        huge_free(lane->slots, (lane->mask + (size_t)1) * sizeof(*lane->slots));
    alert_timers_release(&lane->timers);
    lane_times_release(&lane->times);
    memset(lane, 0, sizeof(*lane));
}

static void place(struct alert_lane *lane, const struct alert_slot *slot)
{
    uint32_t i = alert_home(lane, slot->fingerprint);

    while (lane->slots[i & lane->mask].bits != 0)
        i++;
    lane->slots[i & lane->mask] = *slot;
}

static void grow(struct alert_lane *lane, uint32_t room)
{
    struct alert_slot *old = lane->slots;
    uint32_t old_count = lane->mask + 1;

    lane->slots = huge_alloc(room * sizeof(*old));
    lane->mask = room - 1;
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i].bits != 0)
            place(lane, &old[i]);
    huge_free(old, old_count * sizeof(*old));
}

void alert_lane_reserve(struct alert_lane *lane, uint32_t count)
{
    uint32_t room = lane->mask + 1;

    while ((uint64_t)count * 2 > room)
        room *= 2;
    if (room > lane->mask + 1)
        grow(lane, room);
}

static uint32_t cold_take(struct alert_lane *lane)
{
    if (lane->cold_free.count > 0) {
        uint32_t number = lane->cold_free.at[--lane->cold_free.count];
        if (lane->cold_free.count > 0) { /* the next alert's */
            const char *next =
                (const char *)alert_cold(lane, lane->cold_free.at[lane->cold_free.count - 1]);
            __builtin_prefetch(next, 1);
            __builtin_prefetch(next + 64, 1);
        }
        return number;
    }
    if (lane->cold_used == lane->page_count * ALERT_PAGE) {
        if (lane->page_count == lane->page_room) {
            lane->page_room = lane->page_room > 0 ? lane->page_room * 2 : 8;
            lane->pages = memory_grow(lane->pages, lane->page_room * sizeof(struct alert_cold *));
        }
        struct alert_cold *page = memory_alloc(ALERT_PAGE * sizeof(*page));
        memset(page, 0, ALERT_PAGE * sizeof(*page));
        lane->pages[lane->page_count++] = page;
        /* The free list grows here, so that an alert that comes back never allocates. */
        vector_reserve(&lane->cold_free, (size_t)lane->page_count * ALERT_PAGE);
    }
    assert(lane->cold_used < ALERT_COLD_MAX);
    return lane->cold_used++;
}

struct alert_slot *alert_add(struct alert_lane *lane, struct id128 fingerprint)
{
    alert_lane_reserve(lane, lane->count + 1);
    uint32_t i = alert_home(lane, fingerprint);
    while (lane->slots[i & lane->mask].bits != 0)
        i++;
    struct alert_slot *slot = &lane->slots[i & lane->mask];
    uint32_t number = cold_take(lane);
    struct alert_cold *cold = alert_cold(lane, number);
    *cold = (struct alert_cold){.fingerprint = fingerprint, .generation = cold->generation};
    *slot =
        (struct alert_slot){.fingerprint = fingerprint, .bits = (number + 1) << ALERT_COLD_SHIFT};
    lane->count++;
    return slot;
}

void alert_remove(struct alert_lane *lane, struct alert_slot *slot)
{
    uint32_t hole = (uint32_t)(slot - lane->slots);

    vector_add(&lane->cold_free) = alert_slot_cold(slot);
    alert_cold(lane, alert_slot_cold(slot))->generation++; /* its timers are nobody's now */
    lane->slots[hole].bits = 0;
    lane->count--;
    /* Backward shift: whoever probed past the hole moves into it. */
    for (uint32_t i = (hole + 1) & lane->mask; lane->slots[i].bits != 0; i = (i + 1) & lane->mask) {
        uint32_t home = alert_home(lane, lane->slots[i].fingerprint);
        if (((i - home) & lane->mask) >= ((i - hole) & lane->mask)) {
            lane->slots[hole] = lane->slots[i];
            lane->slots[i].bits = 0;
            hole = i;
        }
    }
}
