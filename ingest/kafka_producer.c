/* kafka_producer.c - see kafka_producer.h. */
#include "ingest/kafka_producer.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

enum { TOPICS_MAX = 64, POLL_EVERY = 1024, FULL_WAIT_MS = 10000 };

struct kafka_producer {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topics[TOPICS_MAX]; /* a look-up by name for each record costs more */
    size_t topic_count;
    uint64_t sent, refused;
    char why[256]; /* of the first refusal */
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_producer *producer = opaque;

    (void)rk;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && producer->refused++ == 0)
        snprintf(producer->why, sizeof(producer->why), "%s", rd_kafka_err2str(message->err));
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text; /* whoever sends learns of trouble from send and flush */
}

int kafka_producer_create(const struct kafka_producer_config *config, struct kafka_producer **out,
                          struct error *err)
{
    struct kafka_producer *producer = calloc(1, sizeof(*producer));
    rd_kafka_conf_t *conf =
        kafka_conf_create(config->options, config->option_count, config->brokers, err);
    char text[512];
    int rc = conf != NULL ? 0 : -EINVAL;

    snprintf(text, sizeof(text), "%u", config->linger_ms);
    const struct kafka_option own[] = {
        {"linger.ms", text},
        {"compression.codec", config->compression != NULL ? config->compression : "none"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.messages", "1000000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"max.in.flight.requests.per.connection", "1"}, /* a retry keeps the order */
    };
    for (size_t i = 0; rc == 0 && i < sizeof(own) / sizeof(own[0]); i++)
        rc = kafka_conf_set(conf, own[i].key, own[i].value, err);
    if (rc == 0 && producer == NULL) {
        error_set(err, "kafka: out of memory");
        rc = -ENOMEM;
    }
    if (rc == 0) {
        rd_kafka_conf_set_opaque(conf, producer);
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rd_kafka_conf_set_log_cb(conf, on_log);
        producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
        if (producer->rk == NULL) {
            error_set(err, "kafka: cannot make a producer: %s", text);
            rc = -EINVAL;
        } else {
            conf = NULL; /* the client owns it */
        }
    }
    if (conf != NULL)
        rd_kafka_conf_destroy(conf);
    if (rc != 0) {
        free(producer);
        return rc;
    }
    *out = producer;
    return 0;
}

void kafka_producer_destroy(struct kafka_producer *producer)
{
    if (producer == NULL)
        return;
    rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (size_t i = 0; i < producer->topic_count; i++)
        rd_kafka_topic_destroy(producer->topics[i]);
    rd_kafka_destroy(producer->rk);
    free(producer);
}

static rd_kafka_topic_t *topic_of(struct kafka_producer *producer, const char *name)
{
    for (size_t i = 0; i < producer->topic_count; i++)
        if (strcmp(rd_kafka_topic_name(producer->topics[i]), name) == 0)
            return producer->topics[i];
    if (producer->topic_count == TOPICS_MAX)
        return NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(producer->rk, name, NULL);
    if (rkt != NULL)
        producer->topics[producer->topic_count++] = rkt;
    return rkt;
}

int kafka_producer_send(struct kafka_producer *producer, const char *topic, int32_t partition,
                        const void *key, size_t key_bytes, const void *payload, size_t bytes,
                        int64_t time_ms, struct error *err)
{
    rd_kafka_topic_t *rkt = topic_of(producer, topic);
    uint64_t give_up_ns = 0;
    rd_kafka_resp_err_t code;

    if (rkt == NULL) {
        error_set(err, "kafka: no more than %d topics per producer", TOPICS_MAX);
        return -EINVAL;
    }
    if (++producer->sent % POLL_EVERY == 0)
        rd_kafka_poll(producer->rk, 0);
    for (;;) {
        code = rd_kafka_producev(producer->rk, RD_KAFKA_V_RKT(rkt), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_KEY(key, key_bytes),
                                 RD_KAFKA_V_VALUE((void *)payload, bytes),
                                 RD_KAFKA_V_TIMESTAMP(time_ms), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        uint64_t now_ns = host_mono_ns();
        if (give_up_ns == 0)
            give_up_ns = now_ns + (uint64_t)FULL_WAIT_MS * 1000000u;
        if (now_ns > give_up_ns)
            break;
        rd_kafka_poll(producer->rk, 10);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        error_set(err, "kafka: a record for %s cannot be sent: %s", topic, rd_kafka_err2str(code));
        return code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? -ETIMEDOUT : -EIO;
    }
    return 0;
}

int kafka_producer_flush(struct kafka_producer *producer, unsigned timeout_ms, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(producer->rk, (int)timeout_ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        int waiting = rd_kafka_outq_len(producer->rk);
        error_set(err, "kafka: %d record%s not acknowledged within %u ms", waiting,
                  waiting == 1 ? " was" : "s were", timeout_ms);
        return -ETIMEDOUT;
    }
    if (producer->refused > 0) {
        error_set(err, "kafka: %llu record%s refused: %s", (unsigned long long)producer->refused,
                  producer->refused == 1 ? " was" : "s were", producer->why);
        return -EIO;
    }
    return 0;
}

size_t kafka_producer_waiting(const struct kafka_producer *producer)
{
    int waiting = rd_kafka_outq_len(producer->rk);

    return waiting > 0 ? (size_t)waiting : 0;
}

int kafka_producer_partitions(struct kafka_producer *producer, const char *topic,
                              unsigned timeout_ms, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = topic_of(producer, topic);
    rd_kafka_resp_err_t code =
        rkt == NULL ? RD_KAFKA_RESP_ERR__INVALID_ARG
                    : rd_kafka_metadata(producer->rk, 0, rkt, &metadata, (int)timeout_ms);
    int count = 0;

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1) {
            code = metadata->topics[0].err;
            count = metadata->topics[0].partition_cnt;
        }
        rd_kafka_metadata_destroy(metadata);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bool is_silent = code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                         code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                         code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
        error_set(err, "kafka: topic %s: %s", topic, rd_kafka_err2str(code));
        return is_silent ? -ETIMEDOUT : -EIO;
    }
    return count;
}
