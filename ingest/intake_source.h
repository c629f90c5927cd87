/*
 * intake_source.h - another source, and beside its partitions one more: the intake log as topic
 * @intake, partition -1 (store/intake_log.h).
 *
 *   disk: what was there at the start, from the first record on   ...then memory: what has been
 *                                                                 kept since, as it comes
 *
 * Records that hold no events have no payload: they take their place, and where somebody does
 * something to an incident they say what (struct record, `act`).
 *
 * The partition is told right behind the inner source's first ones, never before: by itself it
 * shows the clock's time, and topics that are read from their beginning would be late by that.
 *
 * Bounds:  what is in memory is at most what intake_source_backlog() lets who gives take in.
 * Thread:  as struct source; the others as each function says.
 */
#ifndef INGEST_INTAKE_SOURCE_H
#define INGEST_INTAKE_SOURCE_H

#include "ingest/source.h"
#include "store/segment_log.h"

#define INTAKE_TOPIC "@intake"
enum { INTAKE_PARTITION = -1 };

struct intake_source_config {
    struct segment_config segments; /* its folder outlives the source */
    uint64_t next;                  /* position behind the last record on the disk */
    uint64_t first;                 /* of the first record that is wanted */
    bool is_finite;                 /* nothing comes behind `next`, where the feed ends */
};

/* Takes `inner`.
 * Owner:  the caller, until ops->close().
 * Errors: a negative errno with a sentence; `inner` stays the caller's. */
int intake_source_create(struct source *inner, const struct intake_source_config *config,
                         struct source **out, struct error *err);

/* Something will be stamped: until it is given, or has come to nothing, the partition's end proves
 * nothing. Thread: one at a time, as the next. */
void intake_source_expect(struct source *source);
/* A frame's payload, which is taken; NULL: nothing came of it. */
void intake_source_give(struct source *source, char *payload, size_t bytes);

/* Bytes in memory that the engine has not worked off. Thread: any. */
uint64_t intake_source_backlog(const struct source *source);

#endif
