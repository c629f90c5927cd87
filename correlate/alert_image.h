/*
 * alert_image.h - the alerts of a lane, put into an image and taken out of it (correlate/image.h).
 *
 * Repeats that a slot still counts are added to the cold record, heap entries are made anew from
 * what the alert says, and an alert that is held waits without one.
 *
 * Thread: who holds the sequencer role while no step is under way, or the owner before the threads
 *         start.
 */
#ifndef CORRELATE_ALERT_IMAGE_H
#define CORRELATE_ALERT_IMAGE_H

#include "correlate/core.h"
#include "correlate/image.h"

/* A stretch of it. `now_ms`: everything before has been worked off, nothing else. */
void alert_lane_save(const struct engine *engine, unsigned lane, struct lane_take *take,
                     int64_t now_ms, struct image_out *out);

/* A stretch, places `from` up to `until`, into a lane that has those before. */
void alert_lane_load(struct engine *engine, unsigned lane, uint64_t from, uint64_t until,
                     int64_t now_ms, struct image_in *in);

#endif
