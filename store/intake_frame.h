/*
 * intake_frame.h - what a frame of the intake log holds (intake_log.h), and the posts that frames
 * are made of.
 *
 *   frame:   [ first position | count ] [ record ] [ record ] ...
 *   record:  [ bytes, kind, stamp, wall clock, of | lengths | who from what body, zeros to 8 ]
 *
 * A record is stamped when its frame is written; until then its times are zeros.
 *
 * Bounds:  a record has at most INTAKE_RECORD_BYTES_MAX.
 * Thread:  any; a cursor and a post are used by one at a time.
 */
#ifndef STORE_INTAKE_FRAME_H
#define STORE_INTAKE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "base/vector.h"

enum {
    INTAKE_FRONT_BYTES = 16,         /* of a frame, before its records */
    INTAKE_WORD_BYTES_MAX = 1 << 10, /* of who, from and what */
    INTAKE_BODY_BYTES_MAX = 4 << 20,
    INTAKE_RECORD_BYTES_MAX = INTAKE_BODY_BYTES_MAX + 4 * INTAKE_WORD_BYTES_MAX,
};

enum intake_kind {
    INTAKE_EVENTS = 1, /* the body is a record as a topic would hold it */
    INTAKE_ACT,        /* somebody wants something done: the body says what with, in JSON */
    INTAKE_OUTCOME,    /* what came of the act at position `of`, in JSON */
    INTAKE_CHECKPOINT, /* what all records before it have left in force, in JSON */
    INTAKE_KIND_COUNT
};

struct intake_record {
    uint64_t position;
    int64_t at_ms;   /* stamp, on the scale of log times: max(N, R) */
    int64_t wall_ms; /* when people say that it was */
    uint64_t of;
    enum intake_kind kind;
    struct text who, from, what; /* "ops", "192.0.2.7:4711", "events" */
    struct text body;
};

/* ---- frames ---- */

/* Goes through the records of a frame's payload; any bytes are safe. */
struct intake_cursor {
    const char *at, *end;
    uint64_t position; /* of the next record */
    uint32_t left;
};

/* The front of a frame of `count` records, the first of which has this position: it goes before
 * them. */
void intake_frame_front(char out[INTAKE_FRONT_BYTES], uint64_t first, uint32_t count);
/* Into each record of a payload that was made here. */
void intake_frame_stamp(char *payload, size_t bytes, int64_t at_ms, int64_t wall_ms);

/* 0, or -EBADMSG with a sentence. */
int intake_frame_begin(struct intake_cursor *cursor, const char *payload, size_t bytes,
                       struct error *err);
/* 1 and the next record, whose texts point into the payload; 0 at the end; -EBADMSG. */
int intake_frame_next(struct intake_cursor *cursor, struct intake_record *out, struct error *err);

/* ---- posts ---- */

/* Records that are kept together, and who hears of it. Filled by intake_post_add(). */
struct intake_post {
    VECTOR_OF(char) bytes;
    uint32_t count;
    /* What came of it; takes the post. Thread: intake. */
    void (*done)(void *self, struct intake_post *post);
    void *self;
    /* From here on filled before done(). */
    int rc; /* 0; -ENOSPC; others: the log is broken */
    struct error why;
    uint64_t first; /* position of its first record */
    int64_t at_ms;  /* stamp of all of its records */
    struct intake_post *next;
};

/* NULL: memory is short. */
struct intake_post *intake_post_create(void);
void intake_post_destroy(struct intake_post *post);
/* Copies the texts; position and times are left to the log. */
void intake_post_add(struct intake_post *post, const struct intake_record *record);

#endif
