/*
 * key_image.h - the rule keys of a lane, put into an image and taken out of it (correlate/image.h).
 *
 * What a key remembers while it watches is its form's (rule_form.h: save, load); what an open
 * incident is, is the same for all. Timers and the list of incidents that wait for their round's
 * end are made anew.
 *
 * Rules are named by their set, 0 the one in force and then the old ones, and their place in it.
 *
 * Thread: who holds the sequencer role while no step is under way, or the owner before the threads
 *         start.
 */
#ifndef CORRELATE_KEY_IMAGE_H
#define CORRELATE_KEY_IMAGE_H

#include "correlate/correlation.h"
#include "correlate/image.h"

struct image_sets {
    VECTOR_OF(const struct rule_set *) sets;
};

void image_put_rule(struct image_out *out, const struct image_sets *sets, const struct rule *rule);
/* NULL: the image is none. */
const struct rule *image_take_rule(struct image_in *in, const struct image_sets *sets);

/* A stretch of it. */
void key_lane_save(const struct engine *engine, unsigned lane, struct lane_take *take,
                   const struct image_sets *sets, struct image_out *out);

/* A stretch, places `from` up to `until`, into a lane that has those before; `c` is of the worker
 * that owns it, and its step has just ended. */
void key_lane_load(struct correlation *c, unsigned lane, uint64_t from, uint64_t until,
                   const struct image_sets *sets, struct image_in *in);

#endif
