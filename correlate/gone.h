/*
 * gone.h - what bounds take while an image is being taken, lane by lane (correlate/snapshot.h).
 *
 * Which alerts and keys go is decided over all lanes (X4), of which an image has some of before
 * that moment and some of after it. So whoever goes out of a lane that had been taken already is
 * noted, and stands in the image: a run that begins from it takes just those out at that moment,
 * and decides nothing.
 *
 *   lanes taken  |##########                     |     step that holds bounds, to_ms
 *   goes from     ^ here: noted      ^ here: the lane is taken without it
 *
 * Thread: as each function says.
 */
#ifndef CORRELATE_GONE_H
#define CORRELATE_GONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/vector.h"
#include "correlate/image.h"

struct engine;
struct step;
struct worker;

struct gone {
    int64_t at_ms;   /* the end of the step that took it */
    struct id128 id; /* fingerprint of the alert, or id of the key */
    uint32_t lane;   /* of alerts; of keys it is LANES and its number */
};

struct gone_list {
    VECTOR_OF(struct gone) all; /* by time, then by lane and id */
};

/* Notes it, if its lane had been taken. Thread: the worker whose lane it is. */
void gone_note(struct worker *worker, const struct step *step, uint32_t lane, struct id128 id);

/* Of all workers. Thread: sequencer role, while no step is under way, as the next two. */
void gone_forget(struct engine *engine);
size_t gone_count(const struct engine *engine);
void gone_save(const struct engine *engine, struct image_out *out);

/* All of them lie behind from_ms, up to to_ms. */
void gone_load(struct gone_list *list, int64_t from_ms, int64_t to_ms, uint32_t round_ms,
               struct image_in *in);

/* Those of the step that ends at this moment. */
const struct gone *gone_at(const struct gone_list *list, int64_t at_ms, size_t *count);

/* The first moment behind this one; INT64_MAX: there is none. */
int64_t gone_next(const struct gone_list *list, int64_t after_ms);

#endif
