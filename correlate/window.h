/*
 * window.h - the entries of a key that watches, oldest first.
 *
 * A million keys with one entry each are the ordinary case of a large estate, so one entry lies
 * bare; from the second on a ring holds them:
 *
 *   one    [ entry ]
 *   more   [ since | first | count | room | entry entry entry ... | sums ]    room is a power of 2
 *
 * `sums` is there where a window that large is kept with them (window_sums.h).
 *
 * `since` is the form's: when the window began, or since when it has been as it is.
 *
 * An entry is followed by words of its rule's: the different values that `distinct` looks at
 * (a pointer), and one number for each thing that other aggregates look at. How many, says
 * rule->entry_words; every entry of a window has as many.
 *
 * Owner:  what the window holds lies in the worker's slab.
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_WINDOW_H
#define CORRELATE_WINDOW_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"
#include "base/slab.h"
#include "correlate/touch.h"
#include "rules/rule_set.h"

struct image_in;    /* correlate/image.h */
struct image_out;
struct window_sums; /* correlate/window_sums.h */

/* What an entry remembers of the fields that `distinct` counts: a hash to compare,
 * and the text, cut to what an explanation can show. */
enum { VALUE_TEXT_BYTES = 300 };

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
    struct id128 alert;
    int64_t ts_ms;
    uint64_t at : 56; /* window_at_ms() */
    uint64_t severity : 4;
    uint64_t cleared : 1;
    union window_word {
        struct window_values *values; /* the first word of a rule with distinct */
        double number;                /* NaN: the event has none */
    } word[];
};
_Static_assert(sizeof(struct window_entry) == 32, "an entry without words is half a cache line");

struct window_ring {
    int64_t since_ms;
    uint32_t first, count, room;
    uint32_t has_sums; /* behind the entries */
    _Alignas(8) char entries[];
};

/* A key's window, while it is worked on. */
struct window {
    const struct rule *rule;
    void *block; /* NULL: empty */
    char *entries;
    struct window_sums *sums; /* NULL: not kept, or not yet */
    int64_t since_ms;         /* kept by a ring alone */
    uint32_t first, count, mask;
    uint32_t stride; /* bytes of an entry */
    bool is_ring;
    bool has_sums;
};

/* Where a ring with sums keeps them. */
static inline struct window_sums **window_ring_sums(struct window_ring *ring, uint32_t stride)
{
    return (struct window_sums **)(void *)(ring->entries + (size_t)ring->room * stride);
}

static inline struct window window_read(void *block, bool is_ring, const struct rule *rule)
{
    struct window window = {.rule = rule,
                            .block = block,
                            .entries = block,
                            .count = block != NULL,
                            .stride =
                                (uint32_t)sizeof(struct window_entry) + 8u * rule->entry_words,
                            .is_ring = is_ring};

    if (is_ring) {
        struct window_ring *ring = block;
        assert(ring != NULL);
        window.entries = ring->entries;
        window.since_ms = ring->since_ms;
        window.first = ring->first;
        window.count = ring->count;
        window.mask = ring->room - 1;
        window.has_sums = ring->has_sums != 0;
        if (window.has_sums)
            window.sums = *window_ring_sums(ring, window.stride);
    } else if (block != NULL) {
        window.since_ms = time_unpack(((struct window_entry *)block)->at);
    }
    return window;
}

static inline struct window_entry *window_at(const struct window *window, uint32_t i)
{
    uint32_t at = (window->first + i) & window->mask;

    return (struct window_entry *)(void *)(window->entries + (size_t)at * window->stride);
}

/* Which entry it is. */
static inline uint32_t window_index(const struct window *window, const struct window_entry *entry)
{
    uint32_t at = (uint32_t)((size_t)((const char *)entry - window->entries) / window->stride);

    return (at - window->first) & window->mask;
}

/* When entry `i` came. */
static inline int64_t window_at_ms(const struct window *window, uint32_t i)
{
    return time_unpack(window_at(window, i)->at);
}

/* One column of numbers of a window; NaN where the entry has none. */
struct window_column {
    const struct window *window;
    uint32_t word;
};

static inline double window_number(const struct window_column *column, uint32_t i)
{
    return window_at(column->window, i)->word[column->word].number;
}

/* Keeps since_ms, where there is a ring. */
static inline void window_keep_since(const struct window *window)
{
    if (window->is_ring)
        ((struct window_ring *)window->block)->since_ms = window->since_ms;
}

/* The new entry at the young end, its bytes undefined. The window may move. Once it is filled,
 * window_sums_put() is owed. */
struct window_entry *window_push(struct window *window, struct slab *slab);

/* The oldest leaves; with the last one the block does. */
void window_pop(struct window *window, struct slab *slab);

/* Entry `i` leaves, wherever it stands: those on the side that has fewer move up. */
void window_remove(struct window *window, uint32_t i, struct slab *slab);

void window_release(struct window *window, struct slab *slab);

/* The entries, and back: the sums are made anew. Into a window that is empty. */
void window_save(const struct window *window, struct image_out *out);
void window_load(struct window *window, struct slab *slab, struct image_in *in);

/* Frees the values of `distinct` that the entry holds. */
void window_values_free(const struct window *window, struct window_entry *entry, struct slab *slab);

#endif
