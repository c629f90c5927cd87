/*
 * estate_output.h - where generated events go: a file of lines, a recording, or Kafka.
 *
 * An event is written in place: room, then commit. In a recording and in Kafka all
 * events of one key go to one partition, in order.
 *
 * Thread: one thread per output.
 */
#ifndef DAEMON_ESTATE_OUTPUT_H
#define DAEMON_ESTATE_OUTPUT_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"

struct estate_output;

struct estate_output_config {
    const char *brokers;     /* not NULL: Kafka */
    const char *recording;   /* not NULL: a recording at this path */
    const char *file;        /* else: lines into this file, "-" for standard output */
    const char *topic;       /* of Kafka and of the recording */
    const char *compression; /* on the way to Kafka */
    uint32_t partitions;     /* of the recording; Kafka says its own */
};

enum { ESTATE_OUTPUT_ROOM_BYTES = 1 << 12 }; /* more than any event */

/* Owner:  the caller, until estate_output_close().
 * Errors: a negative errno with a sentence, here and below. */
int estate_output_open(const struct estate_output_config *config, struct estate_output **out,
                       struct error *err);
void estate_output_close(struct estate_output *output);

/* Room for the next event; NULL with a sentence when what is before it cannot be written. */
char *estate_output_room(struct estate_output *output, struct error *err);

/* Sends the `bytes` that were written into the room. */
int estate_output_commit(struct estate_output *output, struct text key, int64_t time_ms,
                         size_t bytes, struct error *err);

/* Hands over what is buffered; a live reader must not wait for a buffer to fill up. */
int estate_output_flush(struct estate_output *output, struct error *err);

/* Everything is written, or acknowledged by Kafka within `timeout_ms`. Nothing may follow. */
int estate_output_finish(struct estate_output *output, unsigned timeout_ms, struct error *err);

/* Of events, line ends included. */
uint64_t estate_output_bytes(const struct estate_output *output);

#endif
