/*
 * mock_broker.h - a small Kafka broker in this process, for demos and tests.
 *
 * It is librdkafka's mock cluster: one broker, or a few, on the loopback interface that speak the
 * real protocol with any client. What it does not do, so that nobody builds on it:
 * it keeps everything in memory, 5 MiB of records per partition, and drops the oldest
 * beyond that; offsets by time are not looked up; an empty fetch waits its full
 * fetch.wait.max.ms even if a record comes meanwhile; transactions are only pretended;
 * a group's first join takes three seconds.
 */
#ifndef INGEST_MOCK_BROKER_H
#define INGEST_MOCK_BROKER_H

#include "base/error.h"

struct mock_broker;

/* Starts to listen on a free port of 127.0.0.1.
 * Owner:  the caller, until mock_broker_destroy().
 * Errors: NULL with a sentence. */
struct mock_broker *mock_broker_create(struct error *err);

/* The same with `count` of them, which share all topics. */
struct mock_broker *mock_broker_create_many(int count, struct error *err);
void mock_broker_destroy(struct mock_broker *broker);

/* "127.0.0.1:port"; lives as long as the broker. */
const char *mock_broker_address(const struct mock_broker *broker);

/* 0, or -EINVAL with a sentence. Topics that clients ask for are made by themselves,
 * with four partitions. */
int mock_broker_add_topic(struct mock_broker *broker, const char *topic, int partitions,
                          struct error *err);

/* For tests: the first broker closes its connections and takes none until it is up again. */
void mock_broker_set_up(struct mock_broker *broker, int is_up);

/* For tests: the partition is led by broker `to`, from 1, from now on. 0 or -EINVAL. */
int mock_broker_lead(struct mock_broker *broker, const char *topic, int partition, int to);

/* For tests: the next `count` requests of this kind, by its number in Kafka's protocol, are
 * answered with this error, by its number there. */
void mock_broker_fail(struct mock_broker *broker, int kind, int error, int count);

#endif
