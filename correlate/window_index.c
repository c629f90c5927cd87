/* window_index.c - see window_index.h. */
#include "correlate/window_index.h"

#include <string.h>

static size_t index_bytes(const struct window *window)
{
    size_t room = (size_t)window->mask + 1;

    return sizeof(struct window_index) + 3 * room * sizeof(uint32_t);
}

static uint32_t *older_of(const struct window *window)
{
    return window->index->places;
}

static uint32_t *table_of(const struct window *window)
{
    return window->index->places + window->mask + 1;
}

static uint32_t table_mask(const struct window *window)
{
    return 2 * window->mask + 1;
}

/* Entry `i` stands at that place of the ring, and back. */
static uint32_t place_of(const struct window *window, uint32_t i)
{
    return (window->first + i) & window->mask;
}

static uint32_t entry_at(const struct window *window, uint32_t place)
{
    return (place - window->first) & window->mask;
}

static uint32_t home_of(const struct window *window, struct id128 alert)
{
    return (uint32_t)(alert.hi ^ alert.lo) & table_mask(window);
}

/* Where the table has the alert, or the free slot where it would. */
static uint32_t slot_of(struct window *window, struct id128 alert)
{
    const uint32_t *table = table_of(window);
    uint32_t slot = home_of(window, alert);

    while (table[slot] != 0) {
        window->looks++;
        if (id128_equal(*window_alert(window, entry_at(window, table[slot] - 1)), alert))
            break;
        slot = (slot + 1) & table_mask(window);
    }
    return slot;
}

/* No entry of its alert is left: those behind it that may stand nearer to their home do. */
static void free_slot(struct window *window, uint32_t hole)
{
    uint32_t *table = table_of(window), mask = table_mask(window);

    table[hole] = 0;
    for (uint32_t slot = (hole + 1) & mask; table[slot] != 0; slot = (slot + 1) & mask) {
        window->looks++;
        uint32_t home = home_of(window, *window_alert(window, entry_at(window, table[slot] - 1)));
        if (((slot - home) & mask) < ((slot - hole) & mask))
            continue;
        table[hole] = table[slot];
        table[slot] = 0;
        hole = slot;
    }
}

static void add(struct window *window, uint32_t i)
{
    uint32_t place = place_of(window, i), slot = slot_of(window, *window_alert(window, i));
    uint32_t *newest = &table_of(window)[slot];

    older_of(window)[place] = *newest != 0 ? (place - (*newest - 1)) & window->mask : 0;
    *newest = place + 1;
}

void window_index_again(struct window *window)
{
    window->index->gone = 0;
    memset(table_of(window), 0, ((size_t)table_mask(window) + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < window->span; i++)
        add(window, i);
}

void window_index_make(struct window *window, struct slab *slab)
{
    assert(window->is_ring && window->mask + 1 >= WINDOW_INDEX_ROOM);
    window->index = slab_alloc(slab, index_bytes(window));
    *window_ring_index(window->block) = window->index;
    window_index_again(window);
}

void window_index_free(struct window *window, struct slab *slab)
{
    if (window->index == NULL)
        return;
    slab_free(slab, window->index, index_bytes(window));
    *window_ring_index(window->block) = window->index = NULL;
}

void window_index_push(struct window *window)
{
    add(window, window->span - 1);
}

uint32_t window_index_older(struct window *window, uint32_t i)
{
    uint32_t *older = &older_of(window)[place_of(window, i)];

    /* What is gone is passed once. What has left at the old end stands further off than all. */
    while (*older != 0 && *older <= i) {
        uint32_t at = i - *older;
        window->looks++;
        if (!window_is_gone(window, at))
            return at;
        uint32_t further = older_of(window)[place_of(window, at)];
        *older = further != 0 ? *older + further : 0;
    }
    return window->span;
}

void window_index_leave(struct window *window, uint32_t i)
{
    uint32_t slot = slot_of(window, *window_alert(window, i));
    uint32_t *newest = &table_of(window)[slot];

    if (*newest != place_of(window, i) + 1)
        return;
    uint32_t at = window_index_older(window, i);
    if (at < window->span)
        *newest = place_of(window, at) + 1;
    else
        free_slot(window, slot);
}

uint32_t window_index_find(struct window *window, struct id128 alert)
{
    uint32_t newest = table_of(window)[slot_of(window, alert)];

    return newest != 0 ? entry_at(window, newest - 1) : window->span;
}
