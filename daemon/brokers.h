/*
 * brokers.h - the list of Kafka brokers as people write it: host:port, comma separated.
 *
 *   kafka1:9092, kafka2:9092      [2001:db8::7]:9092      SASL_SSL://kafka1.example:9093
 *
 * A broker without a port is on 9092, which is librdkafka's default. librdkafka takes a list with
 * anything in it and then tries for ever to reach it, so it is looked at when it is read.
 *
 * Thread: any.
 */
#ifndef DAEMON_BROKERS_H
#define DAEMON_BROKERS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* What is wrong, and where in the text: bytes [from, to). */
struct brokers_fault {
    size_t from, to;
    struct error why; /* a sentence without the place */
};

/* True when each entry is a broker's address. An empty list is no fault here. */
bool brokers_check(const char *text, struct brokers_fault *fault);

#endif
