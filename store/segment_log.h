/*
 * segment_log.h - an append-only log in a folder of preallocated files: journal and intake.
 *
 *   0000000000000007.seg  0000000000000008.seg  spare.1     each [64 MiB]
 *   frames 310..544       545..612 | zeros      zeros
 *                                  ^ append
 *
 * One append is one write, and is followed by one sync. Segments are filled with zeros before they
 * are used and recycled by renaming, so that in steady state neither an append nor its sync has to
 * move metadata of the file system, and a full disk is noticed while the next segment is prepared
 * and not in the middle of a frame (F6).
 *
 *   (no file) --prepare--> spare.N --append, when the current one is full--> <sequence>.seg
 *                             ^                                                   |
 *                             +---------------- release_before -------------------+
 *
 * After a failed write or sync nothing is written any more (C9): what the disk holds is only
 * known by reading it again.
 *
 * Bounds:  a frame of FRAME_PAYLOAD_MAX bytes; at most SPARES_MAX spare segments.
 * Thread:  one at a time.
 * Source:  store/segment_format.h has the layout.
 */
#ifndef STORE_SEGMENT_LOG_H
#define STORE_SEGMENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"

struct segment_log;

enum {
    SEGMENT_BYTES_DEFAULT = 64 << 20,
    SEGMENT_BYTES_MIN = 64 << 10,
    SEGMENT_BYTES_MAX = 1 << 30,
    FRAME_PAYLOAD_MAX = 16 << 20,
    SPARES_MAX = 2,
};

struct segment_config {
    const char *folder;     /* exists */
    const char *kind;       /* at most 15 characters: "journal" */
    struct id128 directory; /* of the data directory */
    uint32_t segment_bytes; /* of new segments [64 MiB]; a multiple of 4096 */
};

struct segment_place {
    uint64_t sequence;
    uint64_t first_frame; /* number of the first frame in it */
    uint32_t bytes;       /* of the file */
};

/* Where a log ends: what a walk over it found (store/segment_walk.h), which owns `places`. */
struct segment_end {
    const struct segment_place *places; /* the oldest first; the last is written on */
    size_t place_count;                 /* 0: the folder holds no segment yet */
    uint64_t last_sequence;             /* beyond the last place's where a loss was accepted */
    bool must_wipe;                     /* the same: later frames are still in the last place */
    uint64_t at;                        /* where the next frame goes in the last place */
    uint64_t last_at;                   /* where its last frame is; 0: it has none */
    uint64_t next_frame;                /* number of the next frame, from 1 */
    uint32_t chain;                     /* checksum of the last frame; 0: there was none */
    uint64_t torn_bytes;                /* of a frame that was not finished, as far as it shows */
};

/* Opens for appending at `end`. The last frame is written and synced again first: it may have been
 * read from the memory of a kernel whose sync failed. What is behind an accepted loss goes.
 * Owner:  the caller, until segment_log_destroy().
 * Errors: a negative errno with a sentence. */
int segment_log_open(const struct segment_config *config, const struct segment_end *end,
                     struct segment_log **out, struct error *err);

/* Syncs nothing. NULL is allowed. */
void segment_log_destroy(struct segment_log *log);

/* Writes one frame. Its number goes into `number` unless that is NULL. It is durable after
 * segment_log_sync(), which is owed before the next append: so there is never more than one frame
 * that a power cut can tear, and one after a damaged one tells the two apart (C8).
 * Errors: -ENOSPC: no room for another segment, nothing was written, and it may be tried again;
 *         -EMSGSIZE: the payload is too large; others: the log is broken. */
int segment_log_append(struct segment_log *log, uint32_t kind, const void *payload, size_t bytes,
                       uint64_t *number, struct error *err);

/* The checksum that such a frame has, behind one with the checksum `chain`, which the frame after
 * it names. */
uint32_t segment_frame_crc(const struct segment_config *config, uint64_t number, uint32_t kind,
                           uint32_t chain, const void *payload, size_t bytes);

/* Errors: a negative errno: the log is broken, nothing since the last sync may be relied on. */
int segment_log_sync(struct segment_log *log, struct error *err);

/* Segments all of whose frames have smaller numbers become spares, or go. Never the one that is
 * written to.
 * Errors: a negative errno; the log itself is not harmed. */
int segment_log_release_before(struct segment_log *log, uint64_t number, struct error *err);

/* Number of the first frame of its oldest segment, and of the one that is written to; that of the
 * next frame while there is none. */
uint64_t segment_log_first_frame(const struct segment_log *log);
uint64_t segment_log_segment_begins(const struct segment_log *log);

/* Works on the next spare segment for about `bytes_max`; true while there is more to do. To be
 * called where there is time, so that no append has to wait for it.
 * A full disk shows in segment_log_room() alone. */
bool segment_log_prepare(struct segment_log *log, uint64_t bytes_max);

/* Bytes of payload that a frame may have now so that segment_log_append() cannot say -ENOSPC. */
uint64_t segment_log_room(const struct segment_log *log);

/* The largest payload that a segment takes. */
uint64_t segment_log_payload_max(const struct segment_log *log);

bool segment_log_is_broken(const struct segment_log *log);
uint64_t segment_log_next_frame(const struct segment_log *log);

struct segment_counters {
    uint64_t frames, bytes, syncs; /* since it was opened */
    uint64_t segments, spares;     /* now */
    uint64_t recycled, removed;
    uint64_t waits; /* appends that had to fill a segment first */
};
void segment_log_counters(const struct segment_log *log, struct segment_counters *out);

#endif
