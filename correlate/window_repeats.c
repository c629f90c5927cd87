/* window_repeats.c - see window_repeats.h. */
#include "correlate/window_repeats.h"

#include <string.h>

enum { HEAP_MIN = 16 };

/* Nothing is passed any more. */
static void start_anew(struct window_repeats *repeats)
{
    repeats->heap_count = repeats->passed = repeats->singles = 0;
}

static uint32_t number_of(const struct window *window, uint32_t i)
{
    if (window_is_gone(window, i))
        return (uint32_t)window_words(window, i)->number_gone;
    return window_values(window, i)->number;
}

/* --- the heap ----------------------------------------------------------------------------- */

static void heap_put(struct window_repeats *repeats, uint32_t number, struct slab *slab)
{
    if (repeats->heap_count == WINDOW_REPEATS_MAX) {
        start_anew(repeats);
        return;
    }
    if (repeats->heap_count == repeats->heap_room) {
        uint32_t room = repeats->heap_room > 0 ? 2 * repeats->heap_room : HEAP_MIN;
        uint32_t *larger = slab_alloc(slab, room * sizeof(*larger));
        if (repeats->heap_count > 0)
            memcpy(larger, repeats->heap, repeats->heap_count * sizeof(*larger));
        slab_free(slab, repeats->heap, repeats->heap_room * sizeof(*larger));
        repeats->heap = larger;
        repeats->heap_room = room;
    }
    uint32_t i = repeats->heap_count++;
    for (; i > 0 && number < repeats->heap[(i - 1) / 2]; i = (i - 1) / 2)
        repeats->heap[i] = repeats->heap[(i - 1) / 2];
    repeats->heap[i] = number;
}

static void heap_pop(struct window_repeats *repeats)
{
    uint32_t last = repeats->heap[--repeats->heap_count], n = repeats->heap_count, i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && repeats->heap[child + 1] < repeats->heap[child])
            child++;
        if (repeats->heap[child] >= last)
            break;
        repeats->heap[i] = repeats->heap[child];
        i = child;
    }
    repeats->heap[i] = last;
}

/* --- entries ------------------------------------------------------------------------------ */

uint32_t window_repeats_number(struct window_repeats *repeats, const struct window *window,
                               uint32_t i)
{
    uint32_t number = repeats->taken;

    if (!repeats->has_taken && repeats->next == UINT32_MAX) {
        /* An entry may stay for so long: all get numbers anew. */
        for (uint32_t k = 0; k < i; k++)
            if (window_is_gone(window, k))
                window_words(window, k)->number_gone = k;
            else
                window_words(window, k)->values->number = k;
        start_anew(repeats);
        repeats->next = i;
    }
    if (!repeats->has_taken)
        number = repeats->next++;
    repeats->has_taken = false;
    window_words(window, i)->values->number = number;
    return number;
}

void window_repeats_add(struct window_repeats *repeats, const struct window *window,
                        const struct value_count *value, struct slab *slab)
{
    if (value->times == 2 && repeats->passed > 0 &&
        value->entry <= number_of(window, repeats->passed - 1))
        heap_put(repeats, value->entry, slab);
}

void window_repeats_change(struct window_repeats *repeats, const struct window *window, uint32_t i)
{
    repeats->taken = number_of(window, i);
    repeats->has_taken = true;
    for (; i < repeats->passed; repeats->passed--)
        repeats->singles -= !window_is_gone(window, repeats->passed - 1);
}

/* The entry of that number among those that are passed; `passed`: it is not there. */
static uint32_t find(const struct window_repeats *repeats, const struct window *window,
                     uint32_t number)
{
    uint32_t low = 0, high = repeats->passed;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (number_of(window, middle) < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < repeats->passed && number_of(window, low) == number;
    return is_there && !window_is_gone(window, low) ? low : repeats->passed;
}

static struct value_count *value_of(const struct window *window, const struct value_counts *counts,
                                    uint32_t i)
{
    return value_counts_find(counts, window_values(window, i)->value[0].hash);
}

uint32_t window_repeats_oldest(struct window_repeats *repeats, const struct window *window,
                               const struct value_counts *counts, uint32_t looks)
{
    while (repeats->heap_count > 0) {
        uint32_t i = find(repeats, window, repeats->heap[0]);
        if (i < repeats->passed && value_of(window, counts, i)->times > 1)
            return i;
        heap_pop(repeats);
    }
    for (; repeats->singles < looks; repeats->passed++) {
        if (window_is_gone(window, repeats->passed))
            continue;
        struct value_count *value = value_of(window, counts, repeats->passed);
        if (value->times > 1)
            return repeats->passed;
        value->entry = number_of(window, repeats->passed);
        repeats->singles++;
    }
    return window->span;
}

void window_repeats_free(struct window_repeats *repeats, struct slab *slab)
{
    slab_free(slab, repeats->heap, repeats->heap_room * sizeof(*repeats->heap));
}
