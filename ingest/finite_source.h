/*
 * finite_source.h - what sources of files and recordings have in common: all feeds are
 * known when the source opens, none leaves, each ends, and the first failure of any is
 * what the source says when it is asked whether it can serve.
 *
 *   LIVE ---finish---> FINISHED
 *     +-----stop-----> STOPPED
 *
 * Embedded: struct finite_source is the first member of the source, struct finite_feed
 * the first of its feeds. The functions below marked as ops stand in their tables as they are.
 *
 * Thread: init, add and release by who opens and closes; finish and stop by the reader of
 *         the feed; ops as ingest/source.h says.
 */
#ifndef INGEST_FINITE_SOURCE_H
#define INGEST_FINITE_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>
#include "ingest/source.h"

struct finite_feed {
    struct feed feed;
    atomic_int state; /* enum feed_state; written by the reader, read by anyone */
};

struct finite_source {
    struct source source;
    struct finite_feed **feeds; /* in the order in which changes() tells of them */
    size_t feed_count, room, reported;
    pthread_mutex_t lock; /* of the first failure */
    struct error failure;
    bool has_failed;
};

void finite_source_init(struct finite_source *source, const struct source_ops *ops);

/* Frees the list, not the feeds. */
void finite_source_release(struct finite_source *source);

/* Adds a feed, which stays the caller's. False when memory is short. */
bool finite_source_add(struct finite_source *source, struct finite_feed *feed);

/* The feed of a topic and partition; NULL when there is none. */
struct finite_feed *finite_source_find(const struct finite_source *source, const char *topic,
                                       int32_t partition);

/* Nothing comes any more. Only when no record is out: who sees it may conclude that. */
void finite_feed_finish(struct finite_feed *feed);

/* The feed cannot go on; `why` is kept if it is the source's first failure. */
void finite_feed_stop(struct finite_source *source, struct finite_feed *feed,
                      const struct error *why);

/* Ops of a feed. */
enum feed_state finite_feed_state(struct feed *feed);
bool finite_feed_end_proof(struct feed *feed, uint64_t *proof_ns);

/* Ops of a source. */
size_t finite_source_changes(struct source *base, struct source_change *out, size_t max);
void finite_source_drop(struct source *source, struct feed *feed);
void finite_source_wake_on(struct source *source, struct feed *feed, int waker);
bool finite_source_ready(struct source *base, struct error *why);

#endif
