/*
 * kafka_feed.c - one partition of a topic, as its ingest thread sees it.
 *
 * A take costs one lock of our own that nobody else holds for long, and what
 * rd_kafka_consume_batch_queue() costs. That call is used in the one way that is
 * right in every librdkafka from 2.0.2 on: on a partition's own queue, from one
 * thread at a time, never across a seek, pause or rebalance. When the service
 * thread has to restart a partition it first holds the reader off. See kafka_source.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

static struct kafka_feed *of(struct feed *feed)
{
    return (struct kafka_feed *)feed;
}

struct kafka_feed *kafka_feed_create(struct kafka_source *source, const char *topic,
                                     int32_t partition)
{
    struct kafka_feed *feed = calloc(1, sizeof(*feed));

    if (feed == NULL)
        return NULL;
    feed->topic = strdup(topic);
    if (feed->topic == NULL) {
        free(feed);
        return NULL;
    }
    feed->feed.ops = &kafka_feed_ops;
    feed->feed.topic = feed->topic;
    feed->feed.partition = partition;
    feed->source = source;
    pthread_mutex_init(&feed->lock, NULL);
    feed->hold = true;
    feed->probe_offset = feed->end = feed->committed = feed->fetched_again = -1;
    feed->epoch = -1;
    for (size_t i = 0; i < source->config.gap_topic_count; i++)
        feed->gaps_expected =
            feed->gaps_expected || strcmp(source->config.gap_topics[i], topic) == 0;
    feed->waker = -1;
    feed->leader = -1;
    atomic_init(&feed->low, -1);
    return feed;
}

void kafka_feed_destroy(struct kafka_feed *feed)
{
    if (feed == NULL)
        return;
    assert(feed->taken == 0);
    assert(feed->queue == NULL);
    pthread_mutex_destroy(&feed->lock);
    free(feed->messages);
    free(feed->records);
    free(feed->topic);
    free(feed);
}

void kafka_feed_set_phase(struct kafka_feed *feed, enum kafka_phase phase)
{
    /* relaxed: the phase is a report; what a reader may do hangs on `hold`. */
    int old = atomic_load_explicit(&feed->phase, memory_order_relaxed);

    if (old == (int)phase)
        return;
    assert(old != KAFKA_LEFT);
    assert(phase != KAFKA_NEW);
    atomic_store_explicit(&feed->phase, (int)phase, memory_order_relaxed);
}

/* Runs in a thread of librdkafka with the queue locked: may not call back into it. */
static void wake_reader(rd_kafka_t *rk, void *opaque)
{
    struct kafka_feed *feed = opaque;

    (void)rk;
    /* G, release end: whoever sees the flag finds what came before the event. unseen by tsan:
     * librdkafka calls this with the queue locked, and the reader's look takes the same lock; the
     * order stands so that nothing hangs on that. */
    atomic_store_explicit(&feed->filled, true, memory_order_release);
    host()->waker_wake(host()->self, feed->waker);
}

void kafka_feed_set_waker(struct kafka_feed *feed, int waker)
{
    pthread_mutex_lock(&feed->lock);
    if (feed->queue != NULL && feed->waker >= 0)
        rd_kafka_queue_cb_event_enable(feed->queue, NULL, NULL);
    feed->waker = waker;
    if (feed->evented != (waker >= 0)) /* a restart does not write what the reader reads */
        feed->evented = waker >= 0;
    if (feed->queue != NULL && waker >= 0) {
        rd_kafka_queue_cb_event_enable(feed->queue, wake_reader, feed);
        /* What came before the call made no event. G, release end. unseen by tsan: `lock` is held
         * here, and the reader's look takes it. */
        atomic_store_explicit(&feed->filled, true, memory_order_release);
        if (rd_kafka_queue_length(feed->queue) > 0)
            host()->waker_wake(host()->self, waker);
    }
    pthread_mutex_unlock(&feed->lock);
}

int kafka_feed_begin(struct kafka_feed *feed)
{
    rd_kafka_t *rk = feed->source->fetch;
    rd_kafka_queue_t *queue;
    int waker;

    assert(feed->queue == NULL);
    if (feed->rkt == NULL)
        feed->rkt = rd_kafka_topic_new(rk, feed->topic, NULL);
    if (feed->rkt == NULL)
        return -ENOMEM;
    if (rd_kafka_consume_start(feed->rkt, feed->feed.partition, feed->next) != 0)
        return -EIO;
    queue = rd_kafka_queue_get_partition(rk, feed->topic, feed->feed.partition);
    if (queue == NULL) {
        rd_kafka_consume_stop(feed->rkt, feed->feed.partition);
        return -ENOMEM;
    }
    pthread_mutex_lock(&feed->lock);
    feed->queue = queue;
    feed->probe_offset = -1;
    feed->hold = false;
    waker = feed->waker;
    pthread_mutex_unlock(&feed->lock);
    if (waker >= 0)
        kafka_feed_set_waker(feed, waker);
    return 0;
}

bool kafka_feed_end(struct kafka_feed *feed)
{
    rd_kafka_queue_t *queue = NULL;
    bool quiet;

    pthread_mutex_lock(&feed->lock);
    feed->hold = true;
    quiet = feed->taken == 0;
    if (quiet) {
        queue = feed->queue;
        feed->queue = NULL;
        feed->probe_offset = -1;
    }
    pthread_mutex_unlock(&feed->lock);
    if (!quiet)
        return false;
    if (queue != NULL) {
        rd_kafka_queue_cb_event_enable(queue, NULL, NULL);
        rd_kafka_consume_stop(feed->rkt, feed->feed.partition);
        rd_kafka_queue_destroy(queue);
    }
    if (feed->rkt != NULL) {
        rd_kafka_topic_destroy(feed->rkt);
        feed->rkt = NULL;
    }
    return true;
}

void kafka_feed_drop(struct kafka_feed *feed)
{
    /* N, release end: the reader's last look at the feed, known to the engine, came before. */
    atomic_store_explicit(&feed->dropped, true, memory_order_release);
}

bool kafka_feed_dropped(const struct kafka_feed *feed)
{
    /* N, acquire end. */
    return atomic_load_explicit(&feed->dropped, memory_order_acquire);
}

static bool make_room(struct kafka_feed *feed, size_t max)
{
    rd_kafka_message_t **messages;
    struct record *records;

    if (max <= feed->room)
        return true;
    messages = realloc(feed->messages, max * sizeof(*messages));
    if (messages == NULL)
        return false;
    feed->messages = messages;
    records = realloc(feed->records, max * sizeof(*records));
    if (records == NULL)
        return false;
    feed->records = records;
    feed->room = max;
    return true;
}

/* An entry of the queue that is no record. */
static void note_condition(struct kafka_feed *feed, const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        /* What lies between the last record and this offset is never delivered:
         * markers of transactions, compacted records. */
        if (kafka_feed_judge(feed, message->offset, -1) == KAFKA_HOLE) {
            feed->trouble = KAFKA_HOLE;
            feed->came = message->offset;
        } else if (message->offset > feed->next) {
            feed->next = message->offset;
        }
        if (message->offset > feed->end)
            feed->end = message->offset;
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        feed->trouble = KAFKA_OUT_OF_RANGE;
        break;
    default:
        /* Unknown topic, no authorization and the like: librdkafka goes on trying,
         * and the service thread's watch sees a feed that does not move. */
        break;
    }
}

static int32_t leader_epoch(const rd_kafka_message_t *message)
{
#if RD_KAFKA_VERSION >= 0x020100ff
    return rd_kafka_message_leader_epoch(message);
#else
    (void)message; /* librdkafka before 2.1 does not tell */
    return -1;
#endif
}

enum kafka_trouble kafka_feed_judge(const struct kafka_feed *feed, int64_t offset, int32_t epoch)
{
    /* Leaders follow each other along a log: a record of an older one than the record before
     * it was written into a log that had been cut off behind our position. */
    if (epoch >= 0 && epoch < feed->epoch)
        return KAFKA_EPOCH_BACK;
    return offset > feed->next && !feed->gaps_expected ? KAFKA_HOLE : KAFKA_NO_TROUBLE;
}

static size_t feed_take(struct feed *base, const struct record **out, size_t max)
{
    struct kafka_feed *feed = of(base);
    size_t count = 0, bytes = 0;
    ssize_t got = 0;

    /* An empty feed costs one load: with a hundred partitions most are empty most of the
     * time. Without a waker there are no events, so every take looks. Cleared before the look,
     * so what comes during it sets it again. G, acquire end of both. unseen by tsan: see
     * wake_reader(); the locks of the look order the same. */
    if (feed->evented && (!atomic_load_explicit(&feed->filled, memory_order_acquire) ||
                          !atomic_exchange_explicit(&feed->filled, false, memory_order_acquire)))
        return 0;
    if (!make_room(feed, max))
        return 0;
    pthread_mutex_lock(&feed->lock);
    assert(feed->taken == 0);
    if (!feed->hold && feed->trouble == KAFKA_NO_TROUBLE)
        got = rd_kafka_consume_batch_queue(feed->queue, 0, feed->messages, max);
    for (ssize_t i = 0; i < got; i++) {
        rd_kafka_message_t *message = feed->messages[i];
        rd_kafka_timestamp_type_t type;

        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && feed->trouble == KAFKA_NO_TROUBLE) {
            feed->trouble = kafka_feed_judge(feed, message->offset, leader_epoch(message));
            feed->came = message->offset;
            feed->epoch_came = leader_epoch(message);
        } else if (feed->trouble == KAFKA_NO_TROUBLE) {
            note_condition(feed, message);
        }
        /* Behind a trouble nothing counts: the service thread fetches it again, or stops. */
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || feed->trouble != KAFKA_NO_TROUBLE) {
            rd_kafka_message_destroy(message);
            continue;
        }
        struct record *record = &feed->records[count];
        *record = (struct record){.offset = message->offset,
                                  .log_time_ms = rd_kafka_message_timestamp(message, &type),
                                  .payload = message->payload,
                                  .bytes = (uint32_t)message->len,
                                  .leader_epoch = leader_epoch(message)};
        if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
            record->log_time_ms = LOG_TIME_NONE;
        if (record->leader_epoch >= 0)
            feed->epoch = record->leader_epoch;
        feed->messages[count++] = message;
        bytes += message->len + message->key_len;
        if (message->offset >= feed->next)
            feed->next = message->offset + 1;
    }
    feed->taken = count;
    feed->records_taken += count;
    feed->bytes_taken += bytes;
    if (got > 0 || feed->hold || feed->trouble != KAFKA_NO_TROUBLE) /* more may be there */
        atomic_store_explicit(&feed->filled, true, memory_order_relaxed);
    pthread_mutex_unlock(&feed->lock);
    *out = feed->records;
    return count;
}

static void feed_release(struct feed *base)
{
    struct kafka_feed *feed = of(base);

    /* `taken` is changed by this thread alone, so reading it needs no lock. */
    for (size_t i = 0; i < feed->taken; i++)
        rd_kafka_message_destroy(feed->messages[i]);
    pthread_mutex_lock(&feed->lock);
    feed->taken = 0;
    pthread_mutex_unlock(&feed->lock);
}

const char *kafka_source_key(const struct feed *base, size_t index, uint32_t *bytes)
{
    const struct kafka_feed *feed = (const struct kafka_feed *)base;

    assert(index < feed->taken);
    *bytes = (uint32_t)feed->messages[index]->key_len;
    return feed->messages[index]->key;
}

static enum feed_state feed_state(struct feed *base)
{
    /* relaxed: a report, nothing is published with it. */
    switch (atomic_load_explicit(&of(base)->phase, memory_order_relaxed)) {
    case KAFKA_UNREADABLE:
        return FEED_UNREADABLE;
    case KAFKA_STOPPED:
        return FEED_STOPPED;
    default:
        return FEED_LIVE;
    }
}

static bool feed_end_proof(struct feed *base, uint64_t *proof_ns)
{
    struct kafka_feed *feed = of(base);
    bool proven;

    /* relaxed: a hint for the service thread, which reads what it needs under locks. */
    atomic_store_explicit(&feed->asked, true, memory_order_relaxed);
    pthread_mutex_lock(&feed->lock);
    proven = !feed->hold && feed->trouble == KAFKA_NO_TROUBLE && feed->taken == 0 &&
             feed->probe_offset >= 0 && feed->probe_offset == feed->next &&
             rd_kafka_queue_length(feed->queue) == 0;
    if (proven)
        *proof_ns = feed->probe_ns;
    pthread_mutex_unlock(&feed->lock);
    return proven;
}

static int64_t feed_lag(struct feed *base)
{
    struct kafka_feed *feed = of(base);
    int64_t lag;

    pthread_mutex_lock(&feed->lock);
    lag = feed->end < 0 ? -1 : feed->end > feed->next ? feed->end - feed->next : 0;
    pthread_mutex_unlock(&feed->lock);
    return lag;
}

const struct feed_ops kafka_feed_ops = {
    .take = feed_take,
    .release = feed_release,
    .state = feed_state,
    .end_proof = feed_end_proof,
    .lag = feed_lag,
};
