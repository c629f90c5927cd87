/*
 * mark_log.h - the marks of a run as lines of JSON, so that a recording of its input can
 * be replayed to the same incident log (X1).
 *
 *   {"mark":"seal","topic":"events","partition":0,"offset":8,"value":1700000000500}
 *
 * Where the clock closes time for partitions that are silent, the records alone do not say what
 * happened. A run with `marks.path` writes its marks here, `tocsin replay --marks` applies them.
 *
 * A seal that is followed by another at the same offset changes nothing, so only the last one
 * before a record is written: at most one line for each record, none for a silent night. The file
 * is bounded; at the bound writing ends, which is said once and counted.
 *
 * Thread: one call at a time (the sequencer's listener); close after the engine has stopped.
 */
#ifndef DAEMON_MARK_LOG_H
#define DAEMON_MARK_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"
#include "base/mark.h"

enum { MARK_LOG_BYTES_MAX = 256 << 20 };

struct mark_log;

/* Makes `path` anew: marks of another run do not belong to this one. At most `bytes_max` are
 * written.
 * Owner: the caller, until mark_log_close(). Errors: NULL with a sentence. */
struct mark_log *mark_log_create(const char *path, uint64_t bytes_max, struct error *err);

/* `topic` is borrowed for the life of the log; NULL for marks of no partition. Written at the
 * latest a second after a further mark came. */
void mark_log_add(struct mark_log *log, const struct mark *mark, const char *topic,
                  int32_t partition);

struct mark_counters {
    uint64_t written;
    uint64_t dropped; /* the bound was reached: a replay does not get them */
    bool failed;      /* a write failed: nothing is written any more */
};

/* NULL is allowed: zeros. Thread: any, until the close. */
void mark_log_counters(const struct mark_log *log, struct mark_counters *out);

/* Writes what is held back. 0, or the negative errno of the first write that failed.
 * NULL is allowed. */
int mark_log_close(struct mark_log *log);

/* A partition of the input that marks are read for; its index is the mark's `part`. */
struct mark_part {
    const char *topic;
    int32_t partition;
    int64_t start_offset; /* of the first record of the input */
};

/* What was read. `marks` is the caller's to free. */
struct mark_list {
    struct mark *marks; /* to be applied: seals, caps and blind spells, in the order of the file */
    size_t count;
    size_t foreign;  /* of partitions that are not in `parts` */
    size_t switches; /* rules were switched: results differ from there on */
    size_t leaves;   /* partitions left and their bins were dropped: the same */
    size_t late;     /* partitions that the run joined behind the first record of the input */
    size_t late_part;
    int64_t late_offset; /* where it joined the first of them, `late_part` */
    int64_t since_ms;    /* the daemon's clock before which none are there any more; INT64_MIN: all
                            are */
};

/* Reads the marks of a run for `parts`, from its file, or from its data directory. A partition that
 * joined late is sealed to where it joined. Errors: a negative errno with "file:line: sentence". */
int mark_log_read(const char *path, const struct mark_part *parts, size_t part_count,
                  struct mark_list *out, struct error *err);

#endif
