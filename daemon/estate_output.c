/* estate_output.c - see estate_output.h. */
#include "daemon/estate_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/host.h"
#include "ingest/kafka_producer.h"
#include "store/recording.h"

enum {
    BUFFER_BYTES = 1 << 20,
    LINGER_MS = 5,
    TOPIC_MS_MAX = 30000, /* to find the topic */
};

/* One of the three is set: a producer, a writer, or a descriptor. */
struct estate_output {
    const char *name;
    const char *topic;
    char *buffer;
    size_t used;
    uint64_t bytes;
    uint32_t partitions;
    struct kafka_producer *producer;
    struct recording_writer *writer;
    int64_t *offsets; /* next of each partition of the recording */
    int fd;
    bool fd_is_ours;
};

static int open_kafka(struct estate_output *output, const struct estate_output_config *config,
                      struct error *err)
{
    const struct kafka_producer_config kafka = {
        .brokers = config->brokers, .linger_ms = LINGER_MS, .compression = config->compression};
    int rc = kafka_producer_create(&kafka, &output->producer, err);

    if (rc != 0)
        return rc;
    output->name = config->topic;
    rc = kafka_producer_partitions(output->producer, config->topic, TOPIC_MS_MAX, err);
    output->partitions = rc > 0 ? (uint32_t)rc : 0;
    return rc > 0 ? 0 : rc;
}

static int open_recording(struct estate_output *output, const struct estate_output_config *config,
                          struct error *err)
{
    int rc = recording_writer_create(config->recording, &output->writer, err);

    if (rc != 0)
        return rc;
    output->name = config->recording;
    output->partitions = config->partitions;
    output->offsets = calloc(config->partitions, sizeof(*output->offsets));
    if (output->offsets == NULL) {
        error_set(err, "out of memory for %u partitions", config->partitions);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < config->partitions; i++) {
        rc = recording_writer_add_part(output->writer, config->topic, (int32_t)i, 0, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int open_file(struct estate_output *output, const struct estate_output_config *config,
                     struct error *err)
{
    output->name = config->file;
    if (strcmp(config->file, "-") == 0) {
        output->fd = STDOUT_FILENO;
        return 0;
    }
    output->fd = host()->open(host()->self, config->file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (output->fd < 0) {
        error_set(err, "%s: %s", config->file, strerror(-output->fd));
        return output->fd;
    }
    output->fd_is_ours = true;
    return 0;
}

int estate_output_open(const struct estate_output_config *config, struct estate_output **out,
                       struct error *err)
{
    struct estate_output *output = calloc(1, sizeof(*output));
    int rc;

    if (output != NULL)
        output->buffer = malloc(BUFFER_BYTES);
    if (output == NULL || output->buffer == NULL) {
        estate_output_close(output);
        error_set(err, "out of memory for an output buffer");
        return -ENOMEM;
    }
    output->topic = config->topic;
    rc = config->brokers != NULL     ? open_kafka(output, config, err)
         : config->recording != NULL ? open_recording(output, config, err)
                                     : open_file(output, config, err);
    if (rc != 0) {
        estate_output_close(output);
        return rc;
    }
    *out = output;
    return 0;
}

void estate_output_close(struct estate_output *output)
{
    if (output == NULL)
        return;
    kafka_producer_destroy(output->producer);
    recording_writer_destroy(output->writer);
    if (output->fd_is_ours)
        host()->close(host()->self, output->fd);
    free(output->offsets);
    free(output->buffer);
    free(output);
}

/* Kafka and recordings have buffers of their own. */
int estate_output_flush(struct estate_output *output, struct error *err)
{
    int rc = output->used > 0 ? host_write_all(output->fd, output->buffer, output->used) : 0;

    if (rc != 0)
        error_set(err, "%s: %s", output->name, strerror(-rc));
    output->used = 0;
    return rc;
}

char *estate_output_room(struct estate_output *output, struct error *err)
{
    if (output->used + ESTATE_OUTPUT_ROOM_BYTES > BUFFER_BYTES &&
        estate_output_flush(output, err) != 0)
        return NULL;
    return output->buffer + output->used;
}

static int record(struct estate_output *output, uint32_t partition, struct text key,
                  int64_t time_ms, size_t bytes, struct error *err)
{
    const struct recorded recorded = {
        .offset = output->offsets[partition]++,
        .time_ms = time_ms,
        .key = key.at,
        .key_bytes = key.len,
        .payload = output->buffer,
        .bytes = (uint32_t)bytes,
        .leader_epoch = -1,
    };
    return recording_writer_add(output->writer, (int)partition, &recorded, err);
}

int estate_output_commit(struct estate_output *output, struct text key, int64_t time_ms,
                         size_t bytes, struct error *err)
{
    uint32_t partition;

    if (output->partitions == 0) {
        output->buffer[output->used + bytes] = '\n';
        output->used += bytes + 1;
        output->bytes += bytes + 1;
        return 0;
    }
    output->bytes += bytes;
    partition = (uint32_t)(hash64(key.at, key.len, 0) % output->partitions);
    if (output->writer != NULL)
        return record(output, partition, key, time_ms, bytes, err);
    return kafka_producer_send(output->producer, output->topic, (int32_t)partition, key.at, key.len,
                               output->buffer, bytes, time_ms, err);
}

int estate_output_finish(struct estate_output *output, unsigned timeout_ms, struct error *err)
{
    if (output->producer != NULL)
        return kafka_producer_flush(output->producer, timeout_ms, err);
    if (output->writer != NULL)
        return recording_writer_finish(output->writer, err);
    return estate_output_flush(output, err);
}

uint64_t estate_output_bytes(const struct estate_output *output)
{
    return output->bytes;
}
