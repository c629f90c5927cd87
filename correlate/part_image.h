/*
 * part_image.h - how partitions stand, put into an image and taken out of it (correlate/image.h).
 *
 * A partition that is read stands where its owner said last (edge Y): between two records, all of
 * which before it have been worked off. One that has left keeps its place and its counts.
 *
 * Thread: who holds the sequencer role while no step is under way, or the owner before the threads
 *         start.
 */
#ifndef CORRELATE_PART_IMAGE_H
#define CORRELATE_PART_IMAGE_H

#include "correlate/core.h"
#include "correlate/image.h"

void parts_save(const struct engine *engine, struct image_out *out);

/* Into an engine without partitions. What was counted while they were read becomes a worker's. */
void parts_load(struct engine *engine, struct image_in *in);

#endif
