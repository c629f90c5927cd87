/*
 * kafka_group.c - which partitions there are, and whether they are ours to read.
 *
 * Group mode uses the consumer group as an election, not as a division of work: a
 * correlation over partitions must see all of them (S5). All members subscribe with
 * the `range` assignor, which gives partition 0 of each topic to the first member; who
 * holds partition 0 of the bytewise first topic owns everything and reads all
 * partitions by hand, on the fetch client. First is who joined first (kafka_source.c, name_member).
 * The control client, which is the member, assigns itself nothing and so never fetches. A
 * revocation takes ownership away at once: all feeds leave, after their low positions were
 * committed for the next owner.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "ingest/kafka_internal.h"

/* Runs in the service thread, inside its poll of the control client. */
void kafka_group_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t *parts, void *opaque)
{
    struct kafka_source *source = opaque;

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        bool was_owner = source->owner;
        rd_kafka_topic_partition_list_t *nothing = rd_kafka_topic_partition_list_new(1);

        rd_kafka_assign(rk, nothing);
        rd_kafka_topic_partition_list_destroy(nothing);
        source->owner = rd_kafka_topic_partition_list_find(parts, source->topics[0], 0) != NULL;
        source->metadata_due_ns = 0;
        if (source->owner != was_owner)
            kafka_say(source, 6, "group %s: %s", source->config.group,
                      source->owner ? "this member owns the input"
                                    : "another member owns the input, standing by");
    } else {
        if (source->owner) {
            kafka_commit(source, true);
            kafka_say(source, 6, "group %s: ownership is gone, all partitions leave",
                      source->config.group);
        }
        source->owner = false;
        kafka_group_leave_all(source);
        rd_kafka_assign(rk, NULL);
    }
}

void kafka_group_subscribe(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *topics;
    rd_kafka_resp_err_t code;

    if (source->config.mode != KAFKA_GROUP || source->subscribed)
        return;
    topics = rd_kafka_topic_partition_list_new((int)source->config.topic_count);
    for (size_t i = 0; i < source->config.topic_count; i++)
        rd_kafka_topic_partition_list_add(topics, source->topics[i], RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(source->control, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        source->subscribed = true;
    else
        kafka_say_rarely(source, LINE_OTHER, 3, "cannot join group %s: %s", source->config.group,
                         rd_kafka_err2str(code));
}

/* `is_gone`: it does not exist any more, and is not only another member's. */
static void leave(struct kafka_feed *feed, bool is_gone)
{
    /* relaxed: the phase is written by this thread alone. */
    if (atomic_load_explicit(&feed->phase, memory_order_relaxed) == KAFKA_LEFT)
        return;
    kafka_feed_set_phase(feed, KAFKA_LEFT);
    feed->feed.is_gone = is_gone;
    kafka_feed_end(feed); /* if the reader is at it, again when the engine drops it */
    kafka_report(feed->source, SOURCE_LEAVE, feed);
}

void kafka_group_leave_all(struct kafka_source *source)
{
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed)
        leave(feed, false);
}

static struct kafka_feed *find_feed(struct kafka_source *source, const char *topic,
                                    int32_t partition)
{
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed)
        /* relaxed: written by this thread alone. */
        if (feed->feed.partition == partition && strcmp(feed->topic, topic) == 0 &&
            atomic_load_explicit(&feed->phase, memory_order_relaxed) != KAFKA_LEFT)
            return feed;
    return NULL;
}

/* What one topic's metadata says. */
struct found {
    struct kafka_feed *fresh[KAFKA_FEEDS_MAX];
    size_t fresh_count;
    size_t partitions;
    bool complete; /* all topics answered, existing or not */
};

static void look_at_topic(struct kafka_source *source, const struct rd_kafka_metadata_topic *topic,
                          struct found *found)
{
    for (int i = 0; i < topic->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *part = &topic->partitions[i];
        struct kafka_feed *feed = find_feed(source, topic->topic, part->id);

        found->partitions++;
        if (feed == NULL) {
            if (!source->owner || source->feed_count + found->fresh_count >= KAFKA_FEEDS_MAX)
                continue;
            feed = kafka_feed_create(source, topic->topic, part->id);
            if (feed == NULL)
                continue; /* out of memory: the next look tries again */
            found->fresh[found->fresh_count++] = feed;
        }
        if (feed->leader != part->leader)
            feed->leader = part->leader;
        feed->seen = true;
    }
}

static bool ask_topic(struct kafka_source *source, const char *name, struct found *found)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(source->control, name, NULL);
    rd_kafka_resp_err_t code;
    bool exists = false;

    if (rkt == NULL)
        return false;
    code = rd_kafka_metadata(source->control, 0, rkt, &metadata, KAFKA_CALL_MS);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        found->complete = false;
        kafka_say_rarely(source, LINE_BROKER, 4, "no answer from %s about topic %s: %s%s%s",
                         source->config.brokers, name, rd_kafka_err2str(code),
                         source->last_error[0] != '\0' ? "; " : "", source->last_error);
        return false;
    }
    kafka_answered(source);
    if (metadata->topic_cnt == 1) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[0];
        exists = topic->err == RD_KAFKA_RESP_ERR_NO_ERROR && topic->partition_cnt > 0;
        if (exists) {
            look_at_topic(source, topic, found);
        } else {
            /* Only this answer says that the topic is gone; anything else may pass. */
            if (topic->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
                found->complete = false;
            kafka_say_rarely(source, LINE_TOPIC, 4, "topic %s cannot be read: %s", name,
                             rd_kafka_err2str(topic->err));
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return exists;
}

static void set_ready(struct kafka_source *source, bool is_ready, const char *why, const char *what)
{
    pthread_mutex_lock(&source->lock);
    source->is_ready = is_ready;
    if (!is_ready)
        error_set(&source->not_ready, why, what);
    pthread_mutex_unlock(&source->lock);
}

static void join(struct kafka_source *source, struct found *found)
{
    if (found->fresh_count == 0)
        return;
    if (kafka_fetch_client(source) == NULL ||
        !kafka_start_feeds(source, found->fresh, found->fresh_count)) {
        for (size_t i = 0; i < found->fresh_count; i++)
            kafka_feed_destroy(found->fresh[i]);
        found->fresh_count = 0;
        found->complete = false;
        return;
    }
    for (size_t i = 0; i < found->fresh_count; i++) {
        struct kafka_feed *feed = found->fresh[i];
        feed->next_feed = source->feeds;
        source->feeds = feed;
        source->feed_count++;
        kafka_report(source, SOURCE_JOIN, feed);
    }
    kafka_say(source, 6, "%zu partition%s joined, %zu in all", found->fresh_count,
              plural(found->fresh_count), source->feed_count);
    source->had_feeds = true;
}

/* Compares the partitions that exist with the feeds that there are. */
void kafka_group_refresh(struct kafka_source *source)
{
    struct found *found = calloc(1, sizeof(*found));
    const char *missing = NULL;
    uint64_t wait_ms = source->config.metadata_ms;

    if (found == NULL)
        return;
    found->complete = true;
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed)
        feed->seen = false;
    for (size_t i = 0; found->complete && i < source->config.topic_count; i++) {
        /* relaxed: asked again at each turn. */
        if (atomic_load_explicit(&source->stopping, memory_order_relaxed))
            found->complete = false;
        else if (!ask_topic(source, source->topics[i], found) && found->complete)
            missing = source->topics[i];
    }
    source->partition_count = found->partitions;
    if (found->complete)
        join(source, found);
    else
        for (size_t i = 0; i < found->fresh_count; i++)
            kafka_feed_destroy(found->fresh[i]);
    if (found->complete) {
        for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed) {
            /* One answer may come from a broker that has just started; two are believed. */
            feed->misses = feed->seen ? 0 : feed->misses + 1;
            if (feed->misses < 2)
                continue;
            if (feed->misses == 2)
                kafka_say(source, 4, "%s/%" PRId32 " does not exist any more and leaves",
                          feed->topic, feed->feed.partition);
            leave(feed, true);
        }
        if (!source->owner)
            set_ready(source, false, "standing by: another member of group %s owns the input",
                      source->config.group);
        else if (missing != NULL)
            set_ready(source, false, "topic %s does not exist", missing);
        else
            set_ready(source, true, NULL, NULL);
        kafka_topics_ask(source);
    }
    /* Not settled: look again soon, with jitter so that many daemons spread out. */
    if (!found->complete || missing != NULL) {
        uint16_t jitter;
        host()->random(host()->self, &jitter, sizeof(jitter));
        uint64_t soon_ms = 500 + jitter % 500;
        wait_ms = soon_ms < wait_ms ? soon_ms : wait_ms;
    }
    source->metadata_due_ns = host_mono_ns() + wait_ms * 1000000u;
    free(found);
}
