/*
 * walk.h - what keys hold, counted by going through them: the ledger's `pending` and `open` are
 * sums of what was added and taken away, and a mistake in one of many places would show nowhere
 * else (semantics L6).
 *
 *   each lane adds up the same as the tallies of its worker do (struct key_lane: open, pending);
 *   while no step is under way a lane is held against its keys, one after the other, and when all
 *   have been, their sums against the tallies, at one moment.
 *
 * Thread: who holds the sequencer role; engine_check_walk() by the owner behind engine_stop().
 */
#ifndef CORRELATE_WALK_H
#define CORRELATE_WALK_H

#include "correlate/core.h"

/* Goes on with the walk that is asked for, by a lane at most. */
void walk_poll(struct engine *engine);

/* What the keys of a lane hold, as it is from now on: it was loaded. */
void walk_lane_begin(struct engine *engine, unsigned lane);

#endif
