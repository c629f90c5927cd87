/*
 * intake_read.h - private to the intake log: a log is read to its end, and which frame a record
 * lies in is known by heart, to some KiB.
 *
 * Bounds:  a place for each segment and each 4 KiB of frames.
 * Thread:  one at a time.
 */
#ifndef STORE_INTAKE_READ_H
#define STORE_INTAKE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/vector.h"
#include "store/intake_log.h"
#include "store/segment_walk.h"

/* Where a frame lies among the positions. */
struct intake_place {
    uint64_t frame, position;
    int64_t wall_ms;
};

struct intake_places {
    VECTOR_OF(struct intake_place) at; /* the oldest first */
    uint64_t bytes;                    /* of frames since the last one */
};

/* The frame that comes behind all others, of so many bytes; one that begins a segment is always
 * known. */
void intake_places_add(struct intake_places *places, const struct intake_place *place,
                       bool begins_segment, size_t bytes);
/* The last one at or before a frame, or before a position; count: there is none. */
size_t intake_places_find(const struct intake_places *places, uint64_t number, bool is_frame);
/* Places before this frame are not needed any more. */
void intake_places_drop_before(struct intake_places *places, uint64_t frame);

struct intake_reading {
    intake_each each; /* may be NULL */
    void *self;
    struct intake_places *places; /* NULL: nobody asks for them */
    /* Filled: */
    uint64_t next;   /* position behind the last record */
    int64_t last_ms; /* its stamp; as it was where there is none */
    bool has_begun;
};

/* Reads all there is. The walk is the caller's, also when it fails; NULL: there is none.
 * Errors: a negative errno with a sentence; `why` tells the classes apart. */
int intake_read_all(const struct segment_config *config, struct intake_reading *reading,
                    struct segment_walk **walk, enum segment_refusal *why, struct error *err);

#endif
