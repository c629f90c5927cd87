/* window.c - see window.h. */
#include "correlate/window.h"

#include <string.h>
#include "correlate/window_sums.h"

enum { RING_MIN = 2 };

static size_t ring_bytes(uint32_t room, uint32_t stride, bool has_sums)
{
    return sizeof(struct window_ring) + (size_t)room * stride +
           (has_sums ? sizeof(struct window_sums *) : 0);
}

static size_t block_bytes(const struct window *window)
{
    return window->is_ring ? ring_bytes(window->mask + 1, window->stride, window->has_sums)
                           : window->stride;
}

/* first and count are kept in the block, the rest of the key. */
static void store(const struct window *window)
{
    if (window->is_ring) {
        struct window_ring *ring = window->block;
        ring->first = window->first;
        ring->count = window->count;
    }
}

static void make_bare(struct window *window, struct slab *slab)
{
    window->block = window->entries = slab_alloc(slab, window->stride);
    window->first = window->mask = 0;
    window->is_ring = false;
}

static void make_ring(struct window *window, struct slab *slab)
{
    uint32_t room = window->is_ring ? (window->mask + 1) * 2 : RING_MIN;
    bool has_sums =
        window->has_sums || (room >= WINDOW_SUMS_ROOM && window_sums_wanted(window->rule));
    struct window_ring *ring = slab_alloc(slab, ring_bytes(room, window->stride, has_sums));

    ring->room = room;
    ring->has_sums = has_sums;
    if (has_sums)
        *window_ring_sums(ring, window->stride) = window->sums;
    ring->since_ms = window->since_ms;
    for (uint32_t i = 0; i < window->count; i++)
        memcpy(ring->entries + (size_t)i * window->stride, window_at(window, i), window->stride);
    if (window->block != NULL)
        slab_free(slab, window->block, block_bytes(window));
    window->block = ring;
    window->entries = ring->entries;
    window->first = 0;
    window->mask = room - 1;
    window->is_ring = true;
    window->has_sums = has_sums;
}

struct window_entry *window_push(struct window *window, struct slab *slab)
{
    if (window->block == NULL && window->rule->hold_ms == 0)
        make_bare(window, slab);
    else if (window->block == NULL)
        make_ring(window, slab);
    else if (window->count > window->mask)
        make_ring(window, slab);
    window->count++;
    store(window);
    return window_at(window, window->count - 1);
}

void window_values_free(const struct window *window, struct window_entry *entry, struct slab *slab)
{
    if (!window->rule->has_distinct)
        return;
    slab_free(slab, entry->word[0].values, entry->word[0].values->bytes);
}

static void free_block(struct window *window, struct slab *slab)
{
    window_sums_free(window, slab);
    slab_free(slab, window->block, block_bytes(window));
    *window = (struct window){.rule = window->rule, .stride = window->stride};
}

void window_pop(struct window *window, struct slab *slab)
{
    window_sums_pop(window, slab);
    window_values_free(window, window_at(window, 0), slab);
    window->first = (window->first + 1) & window->mask;
    window->count--;
    if (window->count == 0)
        free_block(window, slab);
    else
        store(window);
}

void window_remove(struct window *window, uint32_t i, struct slab *slab)
{
    window_sums_remove(window, i, slab);
    window_values_free(window, window_at(window, i), slab);
    if (i < window->count / 2) {
        for (; i > 0; i--)
            memcpy(window_at(window, i), window_at(window, i - 1), window->stride);
        window->first = (window->first + 1) & window->mask;
    } else {
        for (; i + 1 < window->count; i++)
            memcpy(window_at(window, i), window_at(window, i + 1), window->stride);
    }
    window->count--;
    if (window->count == 0)
        free_block(window, slab);
    else
        store(window);
}

void window_release(struct window *window, struct slab *slab)
{
    for (uint32_t i = 0; i < window->count; i++)
        window_values_free(window, window_at(window, i), slab);
    if (window->block != NULL)
        free_block(window, slab);
}
