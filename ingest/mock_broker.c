/* mock_broker.c - librdkafka's mock cluster behind a few calls. See mock_broker.h. */
#include "ingest/mock_broker.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

struct mock_broker {
    rd_kafka_t *client; /* the mock cluster hangs on one */
    rd_kafka_mock_cluster_t *cluster;
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text; /* it would complain that it has no broker to connect to: it is one */
}

struct mock_broker *mock_broker_create(struct error *err)
{
    return mock_broker_create_many(1, err);
}

struct mock_broker *mock_broker_create_many(int count, struct error *err)
{
    struct mock_broker *broker = calloc(1, sizeof(*broker));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[512] = "out of memory";

    rd_kafka_conf_set_log_cb(conf, on_log);
    if (broker != NULL)
        broker->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (broker == NULL || broker->client == NULL) {
        rd_kafka_conf_destroy(conf);
        error_set(err, "the broker cannot start: %s", text);
        free(broker);
        return NULL;
    }
    broker->cluster = rd_kafka_mock_cluster_new(broker->client, count);
    if (broker->cluster == NULL) {
        error_set(err, "the broker cannot listen on 127.0.0.1");
        mock_broker_destroy(broker);
        return NULL;
    }
    return broker;
}

void mock_broker_destroy(struct mock_broker *broker)
{
    if (broker == NULL)
        return;
    if (broker->cluster != NULL)
        rd_kafka_mock_cluster_destroy(broker->cluster);
    rd_kafka_destroy(broker->client);
    free(broker);
}

const char *mock_broker_address(const struct mock_broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

int mock_broker_add_topic(struct mock_broker *broker, const char *topic, int partitions,
                          struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(broker->cluster, topic, partitions, 1);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        error_set(err, "topic %s with %d partitions cannot be made: %s", topic, partitions,
                  rd_kafka_err2str(code));
        return -EINVAL;
    }
    return 0;
}

void mock_broker_set_up(struct mock_broker *broker, int is_up)
{
    if (is_up)
        rd_kafka_mock_broker_set_up(broker->cluster, 1);
    else
        rd_kafka_mock_broker_set_down(broker->cluster, 1);
}

int mock_broker_lead(struct mock_broker *broker, const char *topic, int partition, int to)
{
    return rd_kafka_mock_partition_set_leader(broker->cluster, topic, partition, to) ==
                   RD_KAFKA_RESP_ERR_NO_ERROR
               ? 0
               : -EINVAL;
}

void mock_broker_fail(struct mock_broker *broker, int kind, int error, int count)
{
    while (count-- > 0)
        rd_kafka_mock_push_request_errors(broker->cluster, (int16_t)kind, 1,
                                          (rd_kafka_resp_err_t)error);
}
