/*
 * kafka_topic.c - asks the brokers, once for each control client, how our topics are kept, and
 * says where that does not go together with how they are declared, or with what has to be read
 * again after a crash (L1, D1, D6).
 *
 * A compacted topic loses records that a newer one of the same key replaces. What tocsin has
 * read and may have to read again must survive until then: min.compaction.lag.ms has to be
 * above two snapshot intervals. Of one that drops what is old, records must stay for four: a
 * snapshot may fail, and a daemon may be down for a while. And compaction leaves holes, at which a
 * partition of a topic that is not declared gaps_expected stops.
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

enum {
    SAFE_LAG_MS = 2 * KAFKA_SNAPSHOT_INTERVAL_MS,
    SAFE_RETENTION_MS = 4 * KAFKA_SNAPSHOT_INTERVAL_MS,
};

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

static void say_unknown(struct kafka_source *source, const char *topic, const char *why)
{
    if (source->config.read_only)
        return;
    kafka_say(source, 4,
              "topic %s is declared gaps_expected, and whether its min.compaction.lag.ms is above "
              "%d cannot be learned: %s",
              topic, SAFE_LAG_MS, why);
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

/* True when records may go by their age before they are read again. */
static bool drops_too_soon(struct kafka_source *source, const rd_kafka_ConfigResource_t *topic,
                           const char *policy)
{
    const char *retention = setting(topic, "retention.ms");
    int64_t retention_ms = retention != NULL ? strtoll(retention, NULL, 10) : -1;

    if (retention_ms < 0 || retention_ms >= SAFE_RETENTION_MS || source->config.read_only ||
        (policy != NULL && strstr(policy, "delete") == NULL))
        return false;
    kafka_say(source, 4,
              "topic %s keeps records for retention.ms %" PRId64
              ", which is less than %d (four snapshot intervals): after a crash they may be gone "
              "before they are read again",
              rd_kafka_ConfigResource_name(topic), retention_ms, SAFE_RETENTION_MS);
    return true;
}

/* True when compaction may take what is still needed. */
static bool compacts_too_soon(struct kafka_source *source, const rd_kafka_ConfigResource_t *topic,
                              const char *policy)
{
    const char *name = rd_kafka_ConfigResource_name(topic);
    const char *lag = setting(topic, "min.compaction.lag.ms");
    int64_t lag_ms = lag != NULL ? strtoll(lag, NULL, 10) : 0;

    if (policy == NULL || strstr(policy, "compact") == NULL)
        return false;
    if (!is_declared(source, name))
        kafka_say(source, 4,
                  "topic %s is compacted and not declared gaps_expected: a partition of it stops "
                  "where compaction has left a hole",
                  name);
    if (lag_ms > SAFE_LAG_MS || source->config.read_only)
        return false;
    kafka_say(source, 4,
              "topic %s is compacted and its min.compaction.lag.ms is %" PRId64
              ", which is not above %d (two snapshot intervals): records may be gone before they "
              "are read again after a crash",
              name, lag_ms, SAFE_LAG_MS);
    return true;
}

/* True when the topic may lose what is still needed. */
static bool look_at(struct kafka_source *source, const rd_kafka_ConfigResource_t *topic)
{
    const char *name = rd_kafka_ConfigResource_name(topic);
    const char *policy = setting(topic, "cleanup.policy");
    bool is_short, is_compacted;

    if (rd_kafka_ConfigResource_error(topic) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *why = rd_kafka_ConfigResource_error_string(topic);
        if (is_declared(source, name))
            say_unknown(source, name, why != NULL ? why : "no reason was given");
        return false;
    }
    is_short = drops_too_soon(source, topic, policy);
    is_compacted = compacts_too_soon(source, topic, policy);
    return is_short || is_compacted;
}

void kafka_topics_look(struct kafka_source *source)
{
    rd_kafka_event_t *event =
        source->answers != NULL ? rd_kafka_queue_poll(source->answers, 0) : NULL;
    const rd_kafka_DescribeConfigs_result_t *result;
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
        for (size_t i = 0; i < count; i++)
            unsafe += look_at(source, topics[i]);
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(source->answers);
    source->answers = NULL;
    pthread_mutex_lock(&source->lock);
    source->counters.unsafe = unsafe;
    pthread_mutex_unlock(&source->lock);
}
