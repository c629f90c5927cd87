/*
 * lane_times.h - a lane in an image: taken at several moments, a stretch of places at each
 * (correlate/snapshot.h).
 *
 * Alerts and keys lie in the table of their lane in the order of 32 bits of their id, their
 * *place*, whatever the size of the table. So a lane can be taken from any place on, and who comes
 * or goes meanwhile belongs to the stretch that its place is in.
 *
 *   places   0 ............ until ............ PLACES
 *            | worked off   | worked off
 *            | up to at_ms  | up to a later one
 *
 * Thread: the worker that owns the lane, or who loads the image before the threads start.
 */
#ifndef CORRELATE_LANE_TIMES_H
#define CORRELATE_LANE_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/event.h"
#include "base/vector.h"

#define PLACES ((uint64_t)1 << 32)

static inline uint32_t lane_place(struct id128 id)
{
    return (uint32_t)id.lo;
}

/* The slot that a place falls to in a table of `room`. */
static inline uint32_t place_home(uint32_t place, uint32_t room)
{
    return (uint32_t)((uint64_t)place * room >> 32);
}

/* The first place that falls to this slot, which may be the one behind the last, or to a later one.
 */
static inline uint64_t place_first(uint32_t slot, uint32_t room)
{
    return (((uint64_t)slot << 32) + room - 1) / room;
}

/* What an image has by now: lanes before this one, and of it the places before this one. */
struct lane_reach {
    uint32_t lane; /* of alerts, then LANES and its number, of keys */
    uint64_t until;
};

static inline bool lane_reach_has(const struct lane_reach *reach, uint32_t lane, struct id128 id)
{
    return lane < reach->lane || (lane == reach->lane && lane_place(id) < reach->until);
}

/* How a stretch of a lane is taken. */
struct lane_take {
    uint64_t next;  /* its first place; then the first behind it, PLACES: the lane is over */
    uint64_t spent; /* so far: a byte that is put counts one, and so does a slot looked at */
    uint64_t most;  /* of that; the stretch ends at the next free slot, before which all that fall
                     * to the slots before it lie */
};

/* In a run that went on from an image: up to when each stretch was worked off. */
struct lane_times {
    VECTOR_OF(struct lane_stretch {
        uint64_t until;
        int64_t at_ms;
    })
    all; /* by place; the last goes up to PLACES */
};

static inline void lane_times_release(struct lane_times *times)
{
    free(times->all.at);
    *times = (struct lane_times){.all = {.at = NULL}};
}

/* For any id of the lane; the lane was taken. */
static inline int64_t lane_times_at(const struct lane_times *times, struct id128 id)
{
    const uint32_t place = lane_place(id);
    size_t low = 0, high = times->all.count;

    while (low + 1 < high) {
        size_t middle = (low + high - 1) / 2;
        if (times->all.at[middle].until <= place)
            low = middle + 1;
        else
            high = middle + 1;
    }
    return times->all.at[low].at_ms;
}

#endif
