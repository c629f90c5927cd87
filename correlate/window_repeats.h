/*
 * window_repeats.h - the oldest entry whose value a newer one has, too, among the first of a
 * window, in amortised O(log n) an entry (window_full.h says what for).
 *
 * Entries at the old end are `passed`: each was single when it was looked at, and is not looked at
 * again. What is added later may repeat one of them: the table of values says which entry a single
 * value is of, and that one's number is put on a heap. So the entry is the least of the heap that
 * is still there and repeated, else the first one behind those that are passed which is.
 *
 *   a b c d e | f f g ...     heap: empty         -> f, the first not passed
 *   ^ passed                  another d comes: heap: d  -> d
 *
 * Numbers of entries grow from the old end to the young one, so an entry is found by its number by
 * halving. An entry that gets other values ends what is passed before it.
 *
 * Owner:  the window's sums; the heap is a block of the slab, of WINDOW_REPEATS_MAX numbers at
 * most. Thread: the owner of the slab.
 */
#ifndef CORRELATE_WINDOW_REPEATS_H
#define CORRELATE_WINDOW_REPEATS_H

#include "correlate/value_counts.h"
#include "correlate/window.h"

/* With more on the heap all is looked at anew. */
enum { WINDOW_REPEATS_MAX = 1024 };

/* All zero: of an empty window. */
struct window_repeats {
    uint32_t *heap; /* numbers of entries that were passed and repeated since; least first */
    uint32_t heap_count, heap_room;
    uint32_t passed; /* places, and how many of them are not gone */
    uint32_t singles;
    uint32_t next;  /* number of the next entry that comes */
    uint32_t taken; /* number of the one that is about to get other values */
    bool has_taken;
};

/* Entry `i` gets its number: a new one, or that of the values that it had. */
uint32_t window_repeats_number(struct window_repeats *repeats, const struct window *window,
                               uint32_t i);

/* Its value was added. */
void window_repeats_add(struct window_repeats *repeats, const struct window *window,
                        const struct value_count *value, struct slab *slab);

/* Entry `i` is about to get other values. */
void window_repeats_change(struct window_repeats *repeats, const struct window *window, uint32_t i);

/* Entry `i` leaves, its place is gone (window_index.h). */
static inline void window_repeats_gone(struct window_repeats *repeats, uint32_t i)
{
    repeats->singles -= i < repeats->passed;
}

/* The oldest `places` and those from `span` on, which are gone, are none any more. */
static inline void window_repeats_trimmed(struct window_repeats *repeats, uint32_t places,
                                          uint32_t span)
{
    repeats->passed -= places < repeats->passed ? places : repeats->passed;
    if (repeats->passed > span)
        repeats->passed = span;
}

/* Entry `i` leaves, and its place does. */
static inline void window_repeats_leave(struct window_repeats *repeats, uint32_t i)
{
    repeats->singles -= i < repeats->passed;
    repeats->passed -= i < repeats->passed;
}

/* The oldest of the first `looks` entries that is repeated; window->span: none is. */
uint32_t window_repeats_oldest(struct window_repeats *repeats, const struct window *window,
                               const struct value_counts *counts, uint32_t looks);

void window_repeats_free(struct window_repeats *repeats, struct slab *slab);

#endif
