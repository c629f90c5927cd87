/*
 * intake_log.h - the intake log: what is pushed into the daemon, and what people have it do, made
 * durable before anybody is told that it was taken (semantics C3). Read back it is the audit trail.
 *
 *   any thread --intake_log_post--> waiting --> intake thread: stamp, append, sync, settle()
 *                                                     |  --> kept(): to the engine
 *                                                     +--> done() of each post
 *
 * One frame holds all that came while the one before it was synced, so many senders share a sync.
 * A post is one piece: all of its records are in the log, next to each other, or none is.
 * What frames and posts hold is in intake_frame.h.
 *
 * Positions count records, from 0. Stamps never fall.
 *
 * What nobody needs any more goes from the front, segment by segment, once a checkpoint behind it
 * says what was in force there: so a log may begin with a later position than 0. The log's thread
 * writes checkpoints itself, between two frames, so that each stands for all records before it.
 *
 * On a full disk nothing of a post is kept, it is told so, and later ones may have room again.
 * After a failed write or sync nothing is kept any more (C9): what the disk holds shows at the next
 * start.
 *
 * Bounds:  as intake_log_config.
 * Thread:  as each function says.
 */
#ifndef STORE_INTAKE_LOG_H
#define STORE_INTAKE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "store/intake_frame.h"
#include "store/journal_keep.h"
#include "store/segment_log.h"
#include "store/segment_walk.h"

enum { INTAKE_SEGMENT_BYTES = 8 << 20 };

/* ---- reading ---- */

/* Called for each record, in order. */
typedef void (*intake_each)(void *self, const struct intake_record *record);

/* Reads a log to its end without writing anything. Fills `end`, whose places are not, unless it is
 * NULL. Errors: a negative errno with a sentence; `why` tells the classes apart. */
int intake_log_read(const struct segment_config *config, intake_each each, void *self,
                    struct segment_end *end, enum segment_refusal *why, struct error *err);

/* ---- writing ---- */

struct intake_log;

struct intake_log_config {
    struct segment_config segments;
    uint64_t waiting_bytes_max; /* of posts that are not on the disk yet */
};

struct intake_hooks {
    void *self;
    /* The stamp of what is appended next. Nothing stamped later comes to the engine before it. */
    int64_t (*stamp_ms)(void *self);
    /* A frame is durable here: returns when it is wherever else it has to be. False: it is not to
     * count, and nothing is kept any more; with a sentence. May be NULL. */
    bool (*settle)(void *self, uint64_t frame, struct error *err);
    /* What was stamped last is durable: the payload of its frame, which is taken; NULL: it is not,
     * and never will be. */
    void (*kept)(void *self, char *payload, size_t bytes);
    /* What is to be kept next, as a frame of its own, behind all that was kept() so far; NULL:
     * nothing. It is handed back by its done(). May be NULL. */
    struct intake_post *(*own)(void *self);
    /* Called at least every 10 ms while it says true. May be NULL. */
    bool (*look)(void *self);
    void (*broken)(void *self, const char *why); /* once */
};

/* Reads the log, telling `each` of its records; nothing is changed, so that what it lacks can be
 * judged before its end is cut.
 * Owner:  the caller, until intake_log_destroy(). Thread: setup, as the next two.
 * Errors: a negative errno with a sentence; `why` tells the classes apart. */
int intake_log_look(const struct intake_log_config *config, intake_each each, void *self,
                    struct intake_log **out, enum segment_refusal *why, struct error *err);

/* Opens one that was read for writing: an end that was not finished is cut. Before it is started.
 * Errors: a negative errno with a sentence. */
int intake_log_write(struct intake_log *log, struct error *err);

/* Both. Errors: as the first. */
int intake_log_open(const struct intake_log_config *config, intake_each each, void *self,
                    struct intake_log **out, enum segment_refusal *why, struct error *err);

/* To the sentence of a log that is damaged: what can be done. */
void intake_log_way_out(struct error *err);

/* Starts the thread. Errors: a negative errno with a sentence. Thread: setup. */
int intake_log_start(struct intake_log *log, const struct intake_hooks *hooks, struct error *err);

/* Keeps what was posted, and nothing more. NULL is allowed. */
void intake_log_stop(struct intake_log *log);
void intake_log_destroy(struct intake_log *log);

/* 0: done() will be called. -EAGAIN: too much is waiting; -ESHUTDOWN: it was stopped, or never
 * started; -EIO: it is broken. The post stays the caller's then, with a sentence. Thread: any. */
int intake_log_post(struct intake_log *log, struct intake_post *post, struct error *err);

/* As intake_log_post(), and waits; 0, or what done() would be told, with a sentence. The post stays
 * the caller's. Thread: any but the log's own. */
int intake_log_post_wait(struct intake_log *log, struct intake_post *post, struct error *err);

/* look() has something to look for. Thread: any. */
void intake_log_wake(struct intake_log *log);

/* Frames before this one are not needed any more: the thread lets go of the segments that hold no
 * other. Thread: any. */
void intake_log_release_before(struct intake_log *log, uint64_t frame);

/* Which of the oldest segments are old enough, or too many, as journal_keep_before(): the clock of
 * a frame is the stamp of its first record. Thread: one at a time; the log may be written. */
int intake_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                       uint64_t needed, int64_t now_ms, uint64_t *before, struct error *err);

/* A frame at or before the one that holds the record, at most some KiB before it; the last frame
 * where it is not there yet; 0: there is none, or it begins behind the record. Thread: any. */
uint64_t intake_log_frame_of(struct intake_log *log, uint64_t position);

/* Position of its first record; 0 while there is none. Thread: setup. */
uint64_t intake_log_first(const struct intake_log *log);
/* Position of the next record. Thread: setup, as the next. */
uint64_t intake_log_next(const struct intake_log *log);
/* Number of the last frame; 0: there is none. Of one that was opened for writing. */
uint64_t intake_log_frame(const struct intake_log *log);

struct intake_log_counters {
    uint64_t records, bytes, syncs; /* since the start */
    uint64_t refused;               /* posts that were not kept */
    uint64_t waiting_bytes;
    uint64_t torn_bytes; /* cut at the start */
    bool is_full;        /* the last post found no room on the disk */
    bool is_broken;
    uint64_t first;          /* position of the first record; what was before has been let go of */
    int64_t first_wall_ms;   /* when that was; 0: there is none */
    uint64_t release_faults; /* times that segments could not be let go of */
    struct segment_counters log;
};
/* Thread: any. */
void intake_log_counters(struct intake_log *log, struct intake_log_counters *out);

#endif
