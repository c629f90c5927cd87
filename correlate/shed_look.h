/*
 * shed_look.h - when a partition is so far behind that it sheds (shed.h), and when no more: decided
 * live, by the clock, and written down as a mark before it holds.
 *
 *            behind > `behind` for all of `for`                (mark: behind, below)
 *   in full -----------------------------------> shedding
 *      ^                                            |
 *      +--------------------------------------------+
 *            behind <= `until` for a second                    (mark: 0)
 *
 * A partition is as far behind as N is ahead of the log time of the newest record of a take, while
 * more records wait; it is not behind where it has been read to its end. So neither a producer with
 * a slow clock nor one that hands in what is old makes others' events go: there the end is reached
 * again and again. What cannot be read, or is not because input pauses, says nothing.
 *
 * Bounded: a partition makes at most one pair of marks in each `for` and a second. What falls
 * behind by less than `until` to `behind` in that time makes none.
 *
 * Thread: the partition's owner.
 */
#ifndef CORRELATE_SHED_LOOK_H
#define CORRELATE_SHED_LOOK_H

#include <stdbool.h>
#include <stdint.h>

struct part;
struct worker;

enum { SHED_END_MS = 1000 };

/* What was seen of a partition since it joined. Not kept: whoever goes on looks anew. */
struct shed_watch {
    bool is_turning;   /* it has been beyond the bound since */
    uint64_t since_ns; /* monotonic */
};

/* A take is over: its records stand in the part's batch, none if there were none. Between two
 * records. */
void shed_look(struct worker *worker, struct part *part, uint64_t now_ns);

#endif
