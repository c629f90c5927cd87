/* window_extremes.c - see window_extremes.h. */
#include "correlate/window_extremes.h"

#include <string.h>

enum { ROOM_MIN = 16 };

/* Equal numbers do not beat each other: the oldest of them is in front, as in a scan. */
static bool beats(const struct extremes *extremes, double a, double b)
{
    return extremes->is_max ? a > b : a < b;
}

static struct extreme *nth(const struct extremes *extremes, uint32_t i)
{
    return &extremes->at[extremes->first + i];
}

/* The first of the queue that stands at entry `i` or behind it; the ends are looked at first. */
static uint32_t find(const struct extremes *extremes, uint32_t base, uint32_t i)
{
    uint32_t low = 0, high = extremes->count;

    if (high == 0 || nth(extremes, 0)->place - base >= i)
        return 0;
    if (nth(extremes, high - 1)->place - base < i)
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (nth(extremes, middle)->place - base < i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for `more` behind the last. */
static void make_room(struct extremes *extremes, uint32_t more, struct slab *slab)
{
    uint32_t room = extremes->room > 0 ? extremes->room : ROOM_MIN;

    if (extremes->first + extremes->count + more <= extremes->room)
        return;
    /* Moved to the front at least half of the room is free: moves are paid for by what came. */
    while ((extremes->count + more) * 2 > room)
        room *= 2;
    if (room > extremes->room) {
        struct extreme *at = slab_alloc(slab, room * sizeof(*at));
        if (extremes->count > 0)
            memcpy(at, nth(extremes, 0), extremes->count * sizeof(*at));
        extremes_free(extremes, slab);
        extremes->at = at;
        extremes->room = room;
    } else {
        memmove(extremes->at, nth(extremes, 0), extremes->count * sizeof(*extremes->at));
    }
    extremes->first = 0;
}

/* `from` elements at `at` make way for `to` others, which the caller fills. */
static void splice(struct extremes *extremes, uint32_t at, uint32_t from, uint32_t to,
                   struct slab *slab)
{
    if (at == 0 && from >= to) {
        extremes->first += from - to;
    } else {
        if (to > from)
            make_room(extremes, to - from, slab);
        memmove(nth(extremes, at + to), nth(extremes, at + from),
                (extremes->count - at - from) * sizeof(*extremes->at));
    }
    extremes->count += to - from;
}

void extremes_put(struct extremes *extremes, const struct window_column *column, uint32_t base,
                  uint32_t i, struct slab *slab)
{
    double number = window_number(column, i);
    uint32_t at = find(extremes, base, i), beaten = 0;

    if (at < extremes->count && beats(extremes, nth(extremes, at)->number, number))
        return;
    while (beaten < at && beats(extremes, number, nth(extremes, at - beaten - 1)->number))
        beaten++;
    splice(extremes, at - beaten, beaten, 1, slab);
    *nth(extremes, at - beaten) = (struct extreme){number, base + i};
}

void extremes_take(struct extremes *extremes, const struct window_column *column, uint32_t base,
                   uint32_t i, struct slab *slab)
{
    uint32_t at = find(extremes, base, i), kept_out = 0;

    if (at == extremes->count || nth(extremes, at)->place - base != i)
        return;
    /* Entries between it and the one before it in the queue, that nothing behind beats: counted,
     * then put in. */
    uint32_t from = at > 0 ? nth(extremes, at - 1)->place - base + 1 : 0;
    bool has_best = at + 1 < extremes->count;
    double behind = has_best ? nth(extremes, at + 1)->number : 0, best = behind;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t left = kept_out;
        bool has = has_best;
        best = behind;
        for (uint32_t e = i; e-- > from;) {
            if (window_is_gone(column->window, e)) {
                e -= window_gone_run(column->window, e) - 1;
                continue;
            }
            double number = window_number(column, e);
            if (number != number || (has && beats(extremes, best, number)))
                continue;
            best = number;
            has = true;
            if (pass == 0)
                kept_out++;
            else
                *nth(extremes, at + --left) = (struct extreme){number, base + e};
        }
        if (pass == 0)
            splice(extremes, at, 1, kept_out, slab);
    }
}

void extremes_close_up(struct extremes *extremes, uint32_t base, uint32_t i)
{
    for (uint32_t e = find(extremes, base, i); e < extremes->count; e++)
        nth(extremes, e)->place--;
}

void extremes_free(struct extremes *extremes, struct slab *slab)
{
    slab_free(slab, extremes->at, extremes->room * sizeof(*extremes->at));
}
