/*
 * source.h - where records come from: Kafka, recordings, plain files.
 *
 * A source is a set of feeds; a feed is one partition, an ordered log. The
 * engine decides which thread reads which feed and when: a feed that runs ahead
 * of the others is simply not taken from, and its own bounded queue fills up
 * (Kafka is the overflow buffer, semantics F8).
 *
 * Thread: open, close and changes by the engine's setup or by whoever holds the
 *         sequencer role; take, release and end_proof of one feed by the ingest
 *         thread that owns the feed. Different feeds may be used in parallel.
 */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"

struct act; /* base/act.h */

enum event_format { FORMAT_AUTO, FORMAT_NATIVE, FORMAT_ALERTMANAGER };

enum { LOG_TIME_NONE = INT64_MIN };

/* One entry of an input log, borrowed from the feed until its release. */
struct record {
    int64_t offset;
    int64_t log_time_ms; /* LOG_TIME_NONE where the log has none */
    const char *payload; /* NULL for a tombstone */
    uint32_t bytes;
    int32_t leader_epoch;  /* -1 where unknown */
    const struct act *act; /* what somebody does to an incident, in place of a payload; or NULL */
};

enum feed_state {
    FEED_LIVE,       /* may get more records */
    FEED_FINISHED,   /* a recording's end: nothing comes any more */
    FEED_UNREADABLE, /* cannot be read now; the reason is in the source's log */
    FEED_STOPPED,    /* needs a person: position outside of the log (D6) */
};

struct feed {
    const struct feed_ops *ops;
    const char *topic;    /* owned by the source, lives as long as the feed */
    int32_t partition;    /* -1 for @intake and @derived */
    int64_t start_offset; /* first record that will be taken */
    /* Readers before had come there, as they told by position(): the same log is read on. */
    bool is_continued;
    bool is_gone; /* set before the leave is told: what comes under its name is another log */
};

struct feed_ops {
    /* Takes up to `max` records, oldest first, into *out; returns how many.
     * They stay valid until release(). One take is out at a time. Never blocks. */
    size_t (*take)(struct feed *feed, const struct record **out, size_t max);
    void (*release)(struct feed *feed);

    enum feed_state (*state)(struct feed *feed);

    /* True when a fetch that was answered at *proof_ns (monotonic) or later
     * found the feed at its end and nothing has come since (semantics T4a).
     * A paused feed, an unreachable broker and a sleeping process prove nothing. */
    bool (*end_proof)(struct feed *feed, uint64_t *proof_ns);

    /* Records between the next one to be taken and the log's end; -1 unknown. */
    int64_t (*lag)(struct feed *feed);
};

enum source_change_kind { SOURCE_JOIN, SOURCE_LEAVE };

struct source_change {
    enum source_change_kind kind;
    struct feed *feed; /* on a leave: valid until source_ops.drop() */
};

struct source {
    const struct source_ops *ops;
};

struct source_ops {
    /* Feeds that joined or left since the last call, up to `max`. The first call
     * reports all feeds of the start. Never blocks. */
    size_t (*changes)(struct source *source, struct source_change *out, size_t max);

    /* The engine is done with a feed that left. */
    void (*drop)(struct source *source, struct feed *feed);

    /* Wakes `waker` (base/host.h) when `feed` gets records after having been empty; -1: nobody any
     * more, and behind the call nobody is being woken. */
    void (*wake_on)(struct source *source, struct feed *feed, int waker);

    /* Tells the low position of a feed, for lag tools; advisory (D5). May be NULL. */
    void (*position)(struct source *source, struct feed *feed, int64_t low_offset);

    /* Tells when proofs of the end are worth most: asked for at this time (monotonic) or soon after
     * they let something be told that waits; advisory, and what was told before holds no more. Who
     * reads is woken once they are there. May be NULL. */
    void (*prove_at)(struct source *source, uint64_t at_ns);

    /* True when the source can serve: brokers reachable, ownership held. Fills a
     * sentence otherwise. */
    bool (*ready)(struct source *source, struct error *why);

    void (*close)(struct source *source); /* releases everything, feeds included */
};

#endif
