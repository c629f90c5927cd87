/*
 * segment_walk.h - reads a folder of segments from its oldest frame, and judges its end (C8).
 *
 *   ... frame 611, frame 612, something else ...
 *                             |
 *                             +-- nothing valid after it: a frame that was not finished when the
 *                             |   power went, or never begun: the log ends here
 *                             +-- a later frame, or a later segment, that is valid: the frame was
 *                                 whole once and is not any more: refused, with file and offset
 *
 * Never writes. Everything a file says is checked before it is used; any bytes are safe.
 *
 * Thread: one at a time.
 */
#ifndef STORE_SEGMENT_WALK_H
#define STORE_SEGMENT_WALK_H

#include "store/segment_log.h"

struct segment_walk;

struct segment_frame {
    uint32_t kind;
    uint64_t number;
    const char *payload; /* good until the next call */
    uint32_t bytes;
    uint32_t crc;     /* that the frame after it names */
    const char *file; /* where it lies, for sentences; good until the next call */
    uint64_t at;
};

enum segment_refusal {
    SEGMENT_REFUSED_NOT,
    SEGMENT_REFUSED_WORLD,   /* a file cannot be read, memory is short */
    SEGMENT_REFUSED_FOREIGN, /* of another data directory, another kind, or no segment at all */
    SEGMENT_REFUSED_NEWER,   /* a later version of the format wrote it */
    SEGMENT_REFUSED_DAMAGED, /* a frame or a file that was there is not any more */
};

/* Reads the names in `folder` and the heads of its segments; `kind` and `directory` of the config
 * have to be theirs. A folder without segments is an empty log.
 * Owner:  the caller, until segment_walk_destroy().
 * Errors: a negative errno with a sentence that names the file; `why` tells the classes apart. */
int segment_walk_create(const struct segment_config *config, struct segment_walk **out,
                        enum segment_refusal *why, struct error *err);
void segment_walk_destroy(struct segment_walk *walk);

/* The same, for who follows a log that is being written: begins with the segment that holds frame
 * `frame`, or with the oldest where none does, and finds segments that are made later. Behind a
 * frame that is not known to be durable it must not read. */
int segment_walk_create_at(const struct segment_config *config, uint64_t frame,
                           struct segment_walk **out, enum segment_refusal *why, struct error *err);

/* Number of the frame that segment_walk_next() would give. */
uint64_t segment_walk_next_number(const struct segment_walk *walk);

/* Number of the first frame of the oldest segment; 1 while none has been opened. */
uint64_t segment_walk_first(const struct segment_walk *walk);

/* 1 and the next frame; 0 at the end of the log; a negative errno with a sentence. After either of
 * these two it says the same again. */
int segment_walk_next(struct segment_walk *walk, struct segment_frame *out, struct error *err);

/* Goes on behind what is damaged (`--accept-loss`): after SEGMENT_REFUSED_DAMAGED, the log ends
 * where it was last good. */
void segment_walk_accept_loss(struct segment_walk *walk);

enum segment_refusal segment_walk_refusal(const struct segment_walk *walk);

/* Where the log ends; only after segment_walk_next() said 0. */
const struct segment_end *segment_walk_end(const struct segment_walk *walk);

/* Reads the name of a segment; false for other names. */
bool segment_name_read(const char *name, uint64_t *sequence);

#endif
