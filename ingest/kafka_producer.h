/*
 * kafka_producer.h - puts records into Kafka: for generators, tests and demos.
 *
 * Sends are queued and leave in batches; order is kept in each partition (one
 * request in flight per broker unless `unordered`). A full queue makes the sender wait.
 *
 * Thread: one thread per producer.
 */
#ifndef INGEST_KAFKA_PRODUCER_H
#define INGEST_KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "ingest/kafka_source.h"

struct kafka_producer;

enum { KAFKA_ANY_PARTITION = -1 }; /* by key, or any where there is no key */

struct kafka_producer_config {
    const char *brokers;
    const struct kafka_option *options;
    size_t option_count;
    unsigned linger_ms;      /* [5] */
    const char *compression; /* ["none"], "lz4", "zstd", "gzip", "snappy" */
};

/* Owner: the caller, until kafka_producer_destroy(). */
int kafka_producer_create(const struct kafka_producer_config *config, struct kafka_producer **out,
                          struct error *err);
void kafka_producer_destroy(struct kafka_producer *producer);

/* Copies key and payload; NULL for none. `time_ms` 0 lets the client stamp the record.
 * Waits up to 10 s while the queue is full.
 * Errors: negative errno with a sentence. */
int kafka_producer_send(struct kafka_producer *producer, const char *topic, int32_t partition,
                        const void *key, size_t key_bytes, const void *payload, size_t bytes,
                        int64_t time_ms, struct error *err);

/* Waits until everything sent is acknowledged. 0; -ETIMEDOUT, or -EIO when a record was
 * refused, with a sentence. */
int kafka_producer_flush(struct kafka_producer *producer, unsigned timeout_ms, struct error *err);

/* Records that are not acknowledged yet. */
size_t kafka_producer_waiting(const struct kafka_producer *producer);

/* Partitions of a topic; negative errno with a sentence, -ETIMEDOUT where no broker has answered.
 */
int kafka_producer_partitions(struct kafka_producer *producer, const char *topic,
                              unsigned timeout_ms, struct error *err);

#endif
