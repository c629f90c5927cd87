/*
 * input.h - the `input` section of the configuration as a Kafka source.
 */
#ifndef DAEMON_INPUT_H
#define DAEMON_INPUT_H

#include "daemon/config.h"
#include "ingest/kafka_source.h"
#include "ingest/source.h"

/* 0 when a source could be opened with `config`; -EINVAL with a sentence otherwise. */
int input_check(const struct config *config, struct error *err);

/* Who knows where partitions were begun: see kafka_config.began_at; and how much may be fetched
 * ahead, 0: as usual. */
struct input_past {
    bool (*began_at)(void *self, const char *topic, int32_t partition, int64_t *offset);
    void *self;
    unsigned queued_mb;
    bool is_lost; /* see kafka_config.is_lost */
};

/* Starts to read; what the source has to say goes to the log. Returns before a
 * broker has answered. `past`: NULLs where nobody knows. Owner: the caller, until
 * source->ops->close(). */
int input_open(const struct config *config, struct input_past past, struct source **out,
               struct error *err);

/* What a command line says instead of the configuration; NULL and 0: nothing. */
struct input_instead {
    const char *brokers;
    const char *const *topics;
    size_t topic_count;
    const struct kafka_option *options; /* in addition */
    size_t option_count;
    const char *start;
    int64_t start_offset; /* -1: none */
};

/* Opens the input to be read again: no group, nothing is committed. What the source has to say goes
 * to standard error, after the name of the command.
 * Owner: the caller, until source->ops->close(). */
int input_open_again(const struct config *config, const struct input_instead *instead,
                     const char *command, struct source **out, struct error *err);

#endif
