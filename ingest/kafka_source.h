/*
 * kafka_source.h - Kafka topics as a struct source.
 *
 *             control client                        fetch client
 *   group, metadata, start offsets,        one queue per partition, filled by
 *   end probes, committed offsets          librdkafka, drained by feed->take
 *          \                                    /
 *           service thread  <-- flags -->  ingest threads of the engine
 *
 * Two librdkafka clients on purpose. The fetch client reads partitions that are
 * named by hand and does nothing else: no rebalance, seek or pause ever touches a
 * queue that is being drained, which is where librdkafka before 2.1 loses or
 * repeats messages of rd_kafka_consume_batch_queue(). The control client does the
 * talking that may block, on connections of its own, so that a probe never waits
 * behind a long poll or a fetch of many megabytes.
 *
 * Proof of the end (struct feed_ops, end_proof). The service thread asks the
 * partition's leader for the log's end (ListOffsets, "latest") every probe_ms, for
 * the feeds that were asked for a proof. With p the monotonic time *before* that
 * request was sent and e the offset that came back:
 *
 *   every record that was acknowledged before p has an offset below e, because the
 *   leader answered after p; our next offset n is one behind the last record that
 *   was handed out (or the offset at which the end was reported, where the log ends
 *   in records that are never delivered). So n == e with an empty queue means
 *   that all records acknowledged before p have been taken, and p is the proof.
 *
 * This does not rest on which partitions took part in a fetch: a fetch answer can
 * leave a partition out (its queue was full, it backs off after an error, the
 * answer was full before its turn) without any trace that an application could see,
 * and its long poll may have looked at the log long before it was answered.
 * The other hazards: a leader that was replaced answers an error, which proves nothing;
 * an unreachable broker answers nothing; a process that slept gets its answer late, but p
 * was read before the sleep; a record that came between answer and check is in the queue,
 * or is not acknowledged before p.
 *
 * Memory: at most `queued_mb` of fetched records over all partitions that were known
 * when the fetch client started, plus one answer per broker. Partitions that join
 * later add their share.
 *
 * Threads: kafka_source_open() by setup. The service thread is ours.
 */
#ifndef INGEST_KAFKA_SOURCE_H
#define INGEST_KAFKA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "ingest/source.h"

enum kafka_mode {
    KAFKA_ASSIGN, /* reads all partitions of the topics, whoever else does */
    KAFKA_GROUP,  /* one member of the group owns all partitions, others stand by */
};

/* A librdkafka property. Values "env:NAME" and "file:PATH" stand for the contents
 * of an environment variable or the first line of a file. NULL: not known, for
 * the checks alone, which then look at the key. */
struct kafka_option {
    const char *key;
    const char *value;
};

struct kafka_config {
    const char *brokers; /* "host:port,host:port" */
    const char *const *topics;
    size_t topic_count;
    const char *const *gap_topics; /* those of them that are compacted or transactional: holes
                                    * between their offsets are normal. Names of other topics
                                    * do no harm. */
    size_t gap_topic_count;
    const char *group; /* for committed offsets; NULL: none. Needed in group mode. */
    enum kafka_mode mode;
    /* Where to begin when the group has no committed offset: "earliest", "latest", a
     * time as RFC 3339 with zone, or milliseconds since 1970 ["latest"]. */
    const char *start;
    int64_t start_offset; /* instead of `start` this offset in every partition, or the nearest that
                           * is there; -1: none [-1] */
    /* Where a partition was begun, from who keeps that: before committed offsets and `start`.
     * False: not known. NULL: nobody does. Called by the service thread. */
    bool (*began_at)(void *self, const char *topic, int32_t partition, int64_t *offset);
    void *began_at_self;
    bool from_start; /* begin at `start` even if there are committed offsets */
    bool is_lost;   /* what the group read is known to nobody: where it has committed offsets, begin
                     * at `start` if that is a time, or else at the first record there is */
    bool read_only; /* commit nothing, and come back to nothing that was read */
    bool accept_gap; /* go on behind missing records instead of stopping the partition */
    const struct kafka_option *options; /* security.protocol, ssl.*, sasl.*, and the
                                         * keys that kafka_option_check() lets through */
    size_t option_count;
    unsigned fetch_wait_ms;  /* [10] longest wait of a broker before an empty answer */
    unsigned probe_ms;       /* [10] between two probes of a log's end */
    unsigned metadata_ms;    /* [30000] between two looks for new partitions */
    unsigned commit_ms;      /* [5000] between two commits of low positions */
    unsigned unreachable_ms; /* [30000] not ready when no broker answered for this long */
    unsigned say_ms;         /* [10000] between two lines about the same trouble */
    int64_t snapshot_ms;     /* [300000] the longest between two snapshots of what was read, where
                              * no topic asks for more of them; 0: none are taken */
    unsigned queued_mb;      /* [256] see Memory above */
    void *log_self;
    /* `level` as in syslog: 3 error, 4 warning, 6 information. Called by the service
     * thread, one call at a time. May be NULL. */
    void (*log)(void *log_self, int level, const char *text);
};

/* Fills the defaults in brackets. */
void kafka_config_init(struct kafka_config *config);

/* 0 when `config` can be used. -EINVAL with a sentence for a missing broker list or
 * topic, an unreadable start, an option that is unknown, reserved or has a bad value. */
int kafka_config_check(const struct kafka_config *config, struct error *err);

/* The same for one property alone: -ENOENT for one that cannot be set, -EINVAL for its value. */
int kafka_option_check(const struct kafka_option *option, struct error *err);

/* Starts to read. Returns without waiting for a broker: until one answers, there are
 * no feeds and ready() says why. Copies what it needs of `config`.
 * Owner:  the caller, until source->ops->close().
 * Errors: as kafka_config_check(), or -ENOMEM / -EAGAIN. */
int kafka_source_open(const struct kafka_config *config, struct source **out, struct error *err);

struct kafka_counters {
    uint64_t lost;       /* records that the broker no longer had (D6) */
    uint64_t holes;      /* holes that were fetched again (L1) */
    uint64_t skipped;    /* offsets that never came and were passed over by accept_gap (L1) */
    uint64_t unsafe;     /* topics that may drop what is still needed (D1, D6) */
    int64_t snapshot_ms; /* a quarter of the least time for which one keeps records: so often a
                          * snapshot has to be taken (C6); 0: none drops any, or not known yet */
    uint64_t stopped;    /* feeds that wait for a person now */
    uint64_t unreadable; /* feeds that cannot be read now */
    uint64_t feeds;
    uint64_t queued;       /* records that were fetched and not taken, by the last look (1 s) */
    uint64_t queued_bytes; /* what these may hold, by the mean size of those that were taken */
    uint64_t probes;       /* partitions asked for their end */
    uint64_t probes_failed;
    uint64_t commits;
    uint64_t commits_failed;
    uint64_t rebuilds; /* clients made anew after a fatal error (F9) */
    uint64_t errors;   /* reported by librdkafka */
    bool owner;        /* reads, as opposed to standing by */
    bool silent;       /* no broker has answered for unreachable_ms, or they refuse us */
};
void kafka_source_counters(const struct source *base, struct kafka_counters *out);

/* The key of a record that is out: `index` in the batch of the last take of this feed of a
 * Kafka source. NULL for none. Correlation never looks at keys; recordings keep them. */
const char *kafka_source_key(const struct feed *base, size_t index, uint32_t *bytes);

/* 0 and the time, or -EINVAL, for "2026-01-31T10:00:00Z", "...+01:00" or milliseconds. */
int kafka_time_parse(const char *text, int64_t *ms);

#endif
