/*
 * snapshot_file.h - the state of a run in a file of its data directory: where a start goes on
 * instead of from the beginning (semantics C6).
 *
 *   snapshots/0000000000000012.snap    the two newest stay
 *   snapshots/snapshot.new             one that is being written
 *
 *   [ head | block | block ... | tail ]
 *
 *   head   whose it is, its number, how many bytes each part has
 *   block  of one part, at most 1 MiB before it was packed, with a checksum
 *   tail   how many blocks there were, and the checksum of their checksums
 *
 *   facts   which moment it is of, and what has to be there for it to be good
 *   known   what the journal knew by then (store/journal_recall.h)
 *   image   the engine's state (correlate/snapshot.h)
 *
 * A file is written under another name, synced, renamed, and the folder is synced: one that is
 * there under its own name is whole, or was damaged later, which is noticed at any byte.
 *
 * Little-endian throughout.
 * Bounds:  a block in memory while it is written; what the head says while it is read.
 * Thread:  one at a time.
 */
#ifndef STORE_SNAPSHOT_FILE_H
#define STORE_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "store/journal_read.h"

enum { SNAPSHOT_FILE_VERSION = 2, SNAPSHOT_BLOCK_BYTES = 1 << 20, SNAPSHOT_PATH_BYTES = 4200 };

struct snapshot_folder {
    const char *path;       /* exists */
    struct id128 directory; /* of the data directory */
};

/* Where a partition is read on from. */
struct snapshot_stand {
    uint32_t part; /* as marks call it */
    uint32_t pad;
    int64_t offset;
};

/* What the lines of the incident log come to, up to `known`: the journal may not have them any
 * more. */
struct snapshot_lines {
    struct id128 hash; /* of all of them, one after the other */
    struct id128 last; /* of the last one */
    uint64_t count;
};

struct snapshot_facts {
    int64_t at_ms;              /* everything before was told */
    uint64_t seed;              /* of the engine's hashes */
    uint64_t told;              /* so many changes and ops of the journal lie before it */
    struct journal_place known; /* the end of the group up to which the journal is known */
    uint64_t frame;             /* all that it rests on is in the journal up to this frame */
    bool has_lines;             /* it says what follows: version 1 did not */
    struct snapshot_lines lines;
    const struct id128 *sets; /* rule sets that the image names, in its order */
    const struct id128 *kept; /* what the snapshot before this one needs of blobs/ */
    uint32_t set_count, kept_count, stand_count;
    uint32_t epoch_ms;                   /* of the run: the engine's times are multiples of it */
    const struct snapshot_stand *stands; /* of the partitions that are read */
};

struct snapshot_piece {
    const void *at;
    size_t bytes;
};

struct snapshot_written {
    uint64_t bytes; /* of the file */
};

/* Writes it, and makes it the newest. What was there before is not touched.
 * Errors: a negative errno with a sentence; then it is as if nothing had been written. */
int snapshot_file_write(const struct snapshot_folder *folder, uint64_t number,
                        const struct snapshot_facts *facts, const struct snapshot_piece *known,
                        const struct snapshot_piece *image, size_t image_count,
                        struct snapshot_written *out, struct error *err);

enum snapshot_refusal {
    SNAPSHOT_FINE,
    SNAPSHOT_WORLD,   /* it cannot be read, memory is short */
    SNAPSHOT_FOREIGN, /* of another data directory, or no snapshot at all */
    SNAPSHOT_NEWER,   /* a later version wrote it */
    SNAPSHOT_DAMAGED,
};

/* A whole file, in memory. */
struct snapshot_content {
    uint64_t number;
    uint64_t file_bytes;
    struct snapshot_facts facts; /* points into it */
    unsigned char *memory;       /* of the facts */
    unsigned char *known, *image;
    size_t known_bytes, image_bytes;
};

/* Any bytes are safe. Owner: the caller, until snapshot_content_release().
 * Errors: a negative errno with a sentence that names file and byte; `why` tells the classes. */
int snapshot_file_read(const struct snapshot_folder *folder, uint64_t number,
                       struct snapshot_content *out, enum snapshot_refusal *why, struct error *err);
/* Of the facts, and what the journal knew, alone: what stands behind them is not looked at. */
int snapshot_file_read_known(const struct snapshot_folder *folder, uint64_t number,
                             struct snapshot_content *out, enum snapshot_refusal *why,
                             struct error *err);
void snapshot_content_release(struct snapshot_content *content);
/* Of the image alone, which is nearly all of it. */
void snapshot_content_release_image(struct snapshot_content *content);

/* Numbers of the files that there are, the newest first, at most SNAPSHOT_LIST_MAX; how many they
 * are, or a negative errno. */
enum { SNAPSHOT_LIST_MAX = 64 };
int snapshot_file_list(const struct snapshot_folder *folder, uint64_t number[SNAPSHOT_LIST_MAX]);

void snapshot_file_path(const struct snapshot_folder *folder, uint64_t number,
                        char to[SNAPSHOT_PATH_BYTES]);

/* Removes one, and durably so with `must_sync`; what is not there is no error. */
int snapshot_file_remove(const struct snapshot_folder *folder, uint64_t number, bool must_sync);

/* Removes what a write left that never came to its end. */
void snapshot_file_sweep(const struct snapshot_folder *folder);

#endif
