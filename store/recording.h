/*
 * recording.h - a stretch of input logs in one file, for replay.
 *
 *   file head | part | records | records | part | records | marks | ... | index | trailer
 *
 * A file of blocks; each block of records belongs to one partition ("part") and is
 * compressed by itself with zstd, so that partitions are read side by side by different
 * threads and at different paces. Every byte lies under a checksum. The index at the end
 * says where blocks are; a file without it (the writer was killed) is read by walking
 * from block to block, and what the kill tore off is counted. The layout is
 * docs/recording.md.
 *
 * Bounds: a block holds at most 4 MiB unpacked; a payload is kept up to
 *         RECORD_BYTES_MAX + 1 bytes, enough for every decoder to refuse it as too large.
 * Thread: one thread per writer and per cursor; different cursors of one reader may be
 *         used in parallel.
 */
#ifndef STORE_RECORDING_H
#define STORE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/mark.h"

enum { RECORDING_NO_TIME = INT64_MIN, RECORDING_PARTS_MAX = 65535 };

/* One entry of a log. */
struct recorded {
    int64_t offset;
    int64_t time_ms;     /* log time, or RECORDING_NO_TIME */
    const char *key;     /* NULL: none */
    const char *payload; /* NULL: a tombstone */
    uint32_t key_bytes;
    uint32_t bytes;
    int32_t leader_epoch; /* -1: unknown */
};

/* Writing */

struct recording_writer;

/* Makes a new file; one that exists is refused (-EEXIST).
 * Owner:  the caller, until recording_writer_destroy(). */
int recording_writer_create(const char *path, struct recording_writer **out, struct error *err);

/* Closes the file; without recording_writer_finish() it stays without an index, as if
 * killed. NULL is allowed. */
void recording_writer_destroy(struct recording_writer *writer);

/* Names the next part; returns its number (0, 1, ...) or a negative errno. */
int recording_writer_add_part(struct recording_writer *writer, const char *topic, int32_t partition,
                              int64_t start_offset, struct error *err);

/* Records of a part come in rising order of offsets; `index` is the number of the part.
 * Copies. 0 or a negative errno. */
int recording_writer_add(struct recording_writer *writer, int index,
                         const struct recorded *recorded, struct error *err);
int recording_writer_add_mark(struct recording_writer *writer, const struct mark *mark,
                              struct error *err);

/* Writes what is pending to the disk, so that a kill loses nothing from before. */
int recording_writer_sync(struct recording_writer *writer, struct error *err);

/* Writes what is pending, the index and the trailer, and syncs. Nothing may follow. */
int recording_writer_finish(struct recording_writer *writer, struct error *err);

uint64_t recording_writer_bytes(const struct recording_writer *writer);

/* Reading */

/* Whether a file begins as a recording does, whatever its name. A pipe is left untouched. */
bool recording_begins(const char *path);

struct recording; /* what a file holds; read-only after opening */
struct recording_cursor;

struct recording_part {
    const char *topic;
    int32_t partition;
    int64_t start_offset;
    uint64_t record_count;
};

/* Reads head and index, or walks the blocks. Errors name file and byte offset.
 * Owner: the caller, until recording_destroy(), after its cursors. */
int recording_open(const char *path, struct recording **out, struct error *err);
void recording_destroy(struct recording *recording);

size_t recording_part_count(const struct recording *recording);
const struct recording_part *recording_part(const struct recording *recording, size_t part);
/* In the order written; `part` of a mark is the number of a part of this file. */
const struct mark *recording_marks(const struct recording *recording, size_t *count);
/* The engine that wrote it, "tocsin 0.1.0". */
const char *recording_engine(const struct recording *recording);
/* False for a file without its end; *torn is then how many bytes were not readable. */
bool recording_is_complete(const struct recording *recording, uint64_t *torn);

/* Owner: the caller, until recording_cursor_destroy(). NULL when memory is short. */
struct recording_cursor *recording_cursor_create(const struct recording *recording, size_t part);
void recording_cursor_destroy(struct recording_cursor *cursor);

/* Fills up to `max` records, in order, and returns how many; 0 at the end. Keys and
 * payloads stay valid until the next call. Negative errno with a sentence for a block
 * that is damaged; then nothing more comes. */
ptrdiff_t recording_cursor_next(struct recording_cursor *cursor, struct recorded *out, size_t max,
                                struct error *err);

#endif
