/*
 * kafka_topic.c - asks the brokers, once for each control client, how our topics are kept, and
 * says where that does not go together with how they are declared, or with what has to be read
 * again after a crash (L1, D1, D6).
 *
 * What tocsin has read and may have to read again must still be there then. Of a topic that drops
 * what is old, records must stay for four snapshot intervals, as a snapshot may fail and a daemon
 * be down for a while: so a quarter of the shortest retention.ms is the longest interval, and
 * whoever takes snapshots is told of it (C6), down to one a second. A compacted topic loses records
 * that a newer one of the same key replaces: its min.compaction.lag.ms has to be above two of these
 * intervals. And compaction leaves holes, at which a partition of a topic that is not declared
 * gaps_expected stops.
 *
 * It warns and reads on: a daemon that would not start would see nothing at all (D4). Brokers
 * that do not answer the question, or do not allow it, are told of for declared topics only. Who
 * only reads comes back to nothing, and is told of holes alone.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

/* No snapshot is asked for more often: brokers look for what is old every few minutes only
 * (log.retention.check.interval.ms), and each is an image of the whole state. */
enum { LEAST_MS = 1000 };

static bool is_declared(const struct kafka_source *source, const char *topic)
{
    for (size_t i = 0; i < source->config.gap_topic_count; i++)
        if (strcmp(source->config.gap_topics[i], topic) == 0)
            return true;
    return false;
}

static bool any_is_declared(const struct kafka_source *source)
{
    for (size_t i = 0; i < source->config.topic_count; i++)
        if (is_declared(source, source->topics[i]))
            return true;
    return false;
}

/* The interval of snapshots that all retentions leave. */
static int64_t interval_ms(const struct kafka_source *source, int64_t within_ms)
{
    int64_t most = source->config.snapshot_ms;

    return within_ms > 0 && within_ms < most ? within_ms : most;
}

static void say_unknown(struct kafka_source *source, const char *topic, const char *why)
{
    if (source->config.read_only)
        return;
    if (source->config.snapshot_ms == 0)
        kafka_say(source, 4,
                  "how topic %s, which is declared gaps_expected, is kept cannot be "
                  "learned: %s",
                  topic, why);
    else
        kafka_say(
            source, 4,
            "topic %s is declared gaps_expected, and whether its min.compaction.lag.ms is above "
            "%" PRId64 " cannot be learned: %s",
            topic, 2 * source->config.snapshot_ms, why);
}

/* Sends the question; the answers are looked for by kafka_topics_look(). */
void kafka_topics_ask(struct kafka_source *source)
{
    size_t count = source->config.topic_count;
    rd_kafka_ConfigResource_t **topics;
    rd_kafka_AdminOptions_t *options;
    char text[256];

    if (source->topics_asked || source->control == NULL)
        return;
    source->topics_asked = true;
    topics = calloc(count, sizeof(rd_kafka_ConfigResource_t *));
    if (topics == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        topics[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, source->topics[i]);
    options = rd_kafka_AdminOptions_new(source->control, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_CALL_MS, text, sizeof(text));
    source->answers = rd_kafka_queue_new(source->control);
    rd_kafka_DescribeConfigs(source->control, topics, count, options, source->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(topics, count);
    free(topics);
}

void kafka_topics_forget(struct kafka_source *source)
{
    if (source->answers != NULL)
        rd_kafka_queue_destroy(source->answers);
    source->answers = NULL;
    source->topics_asked = false;
}

static const char *setting(const rd_kafka_ConfigResource_t *topic, const char *name)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(topic, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

/* For how long the topic keeps a record; -1: for good, whatever its age. */
static int64_t retention_of(const rd_kafka_ConfigResource_t *topic)
{
    const char *policy = setting(topic, "cleanup.policy");
    const char *retention = setting(topic, "retention.ms");

    if (rd_kafka_ConfigResource_error(topic) != RD_KAFKA_RESP_ERR_NO_ERROR || retention == NULL ||
        (policy != NULL && strstr(policy, "delete") == NULL))
        return -1;
    return strtoll(retention, NULL, 10);
}

/* A quarter of the shortest; 0: all keep their records for good. */
static int64_t snapshot_within(struct kafka_source *source,
                               const rd_kafka_ConfigResource_t **topics, size_t count)
{
    const char *name = NULL;
    int64_t least = -1, within;

    for (size_t i = 0; i < count; i++) {
        int64_t retention_ms = retention_of(topics[i]);
        if (retention_ms < 0 || (least >= 0 && retention_ms >= least))
            continue;
        least = retention_ms;
        name = rd_kafka_ConfigResource_name(topics[i]);
    }
    if (least < 0)
        return 0;
    within = least / 4 > LEAST_MS ? least / 4 : LEAST_MS;
    if (within < source->config.snapshot_ms && !source->config.read_only)
        kafka_say(source, 6,
                  "topic %s keeps records for retention.ms %" PRId64
                  ": a snapshot is taken at least each %" PRId64 " ms",
                  name, least, within);
    return within;
}

/* True when records may go by their age before they are read again. */
static bool drops_too_soon(struct kafka_source *source, const rd_kafka_ConfigResource_t *topic,
                           int64_t every_ms)
{
    const char *name = rd_kafka_ConfigResource_name(topic);
    int64_t retention_ms = retention_of(topic);

    if (retention_ms < 0 || source->config.read_only ||
        (every_ms > 0 && retention_ms >= 4 * every_ms))
        return false;
    if (every_ms == 0)
        kafka_say(source, 4,
                  "topic %s keeps records for retention.ms %" PRId64
                  ", and no snapshots are taken: a start that is later reads again from where the "
                  "data directory was begun, and does not find them",
                  name, retention_ms);
    else
        kafka_say(source, 4,
                  "topic %s keeps records for retention.ms %" PRId64 ", which is less than %" PRId64
                  " (four snapshot intervals): after a crash they "
                  "may be gone before they are read again",
                  name, retention_ms, 4 * every_ms);
    return true;
}

/* True when compaction may take what is still needed. */
static bool compacts_too_soon(struct kafka_source *source, const rd_kafka_ConfigResource_t *topic,
                              int64_t every_ms)
{
    const char *name = rd_kafka_ConfigResource_name(topic);
    const char *policy = setting(topic, "cleanup.policy");
    const char *lag = setting(topic, "min.compaction.lag.ms");
    int64_t lag_ms = lag != NULL ? strtoll(lag, NULL, 10) : 0;

    if (policy == NULL || strstr(policy, "compact") == NULL)
        return false;
    if (!is_declared(source, name))
        kafka_say(source, 4,
                  "topic %s is compacted and not declared gaps_expected: a partition of it stops "
                  "where compaction has left a hole",
                  name);
    if (source->config.read_only || (every_ms > 0 && lag_ms > 2 * every_ms))
        return false;
    if (every_ms == 0)
        kafka_say(source, 4,
                  "topic %s is compacted, and no snapshots are taken: a start reads again from "
                  "where the data directory was begun, and does not find what was replaced",
                  name);
    else
        kafka_say(source, 4,
                  "topic %s is compacted and its min.compaction.lag.ms is %" PRId64
                  ", which is not above %" PRId64 " (two snapshot intervals): records may be gone "
                  "before they are read again after a crash",
                  name, lag_ms, 2 * every_ms);
    return true;
}

/* True when the topic may lose what is still needed. */
static bool look_at(struct kafka_source *source, const rd_kafka_ConfigResource_t *topic,
                    int64_t every_ms)
{
    const char *name = rd_kafka_ConfigResource_name(topic);
    bool is_short, is_compacted;

    if (rd_kafka_ConfigResource_error(topic) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *why = rd_kafka_ConfigResource_error_string(topic);
        if (is_declared(source, name))
            say_unknown(source, name, why != NULL ? why : "no reason was given");
        return false;
    }
    is_short = drops_too_soon(source, topic, every_ms);
    is_compacted = compacts_too_soon(source, topic, every_ms);
    return is_short || is_compacted;
}

void kafka_topics_look(struct kafka_source *source)
{
    rd_kafka_event_t *event =
        source->answers != NULL ? rd_kafka_queue_poll(source->answers, 0) : NULL;
    const rd_kafka_DescribeConfigs_result_t *result;
    int64_t within_ms = 0;
    uint64_t unsafe = 0;
    size_t count = 0;

    if (event == NULL)
        return;
    result = rd_kafka_event_DescribeConfigs_result(event);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR && any_is_declared(source)) {
        for (size_t i = 0; i < source->config.topic_count; i++)
            if (is_declared(source, source->topics[i]))
                say_unknown(source, source->topics[i], rd_kafka_event_error_string(event));
    } else if (result != NULL) {
        const rd_kafka_ConfigResource_t **topics =
            rd_kafka_DescribeConfigs_result_resources(result, &count);
        within_ms = snapshot_within(source, topics, count);
        for (size_t i = 0; i < count; i++)
            unsafe += look_at(source, topics[i], interval_ms(source, within_ms));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(source->answers);
    source->answers = NULL;
    pthread_mutex_lock(&source->lock);
    source->counters.unsafe = unsafe;
    if (within_ms > 0) /* else what an answer said before stands */
        source->counters.snapshot_ms = within_ms;
    pthread_mutex_unlock(&source->lock);
}
