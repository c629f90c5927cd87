/*
 * kafka_trouble.c - what the service thread does about what readers find wrong.
 *
 *   position outside of the log   stop; accept_gap goes on at the first record there is (D6)
 *   hole between two offsets      fetch once more; if it is there again, stop; accept_gap
 *                                 goes on behind it (L1)
 *   older leader epoch            stop; accept_gap goes on (D6)
 *
 * A stopped partition waits for a person, who is told why in the log and by /readyz.
 * Topics that are declared compacted or transactional have no holes in this sense.
 */
#include <inttypes.h>
#include <stdio.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

#define REST_NS 1000000000u /* between two questions to a broker about a refused position */

/* One sentence for the log and for /readyz. */
static void stop(struct kafka_feed *feed, const char *what)
{
    struct kafka_source *source = feed->source;
    struct error why;

    error_set(&why,
              "%s/%" PRId32
              ": %s; the partition is stopped until tocsin is started with input.accept_gap: true",
              feed->topic, feed->feed.partition, what);
    kafka_say(source, 3, "%s", why.text);
    kafka_feed_set_phase(feed, KAFKA_STOPPED);
    pthread_mutex_lock(&source->lock);
    source->stopped = why;
    source->counters.stopped++;
    pthread_mutex_unlock(&source->lock);
}

/* Under the lock although the reader is held off: it asks for its lag at any time. */
static void next_set(struct kafka_feed *feed, int64_t offset)
{
    pthread_mutex_lock(&feed->lock);
    feed->next = offset;
    pthread_mutex_unlock(&feed->lock);
}

/* Says which records are missing, and either skips them or stops the feed (D6).
 * True when the feed may begin at feed->next. */
bool kafka_check_range(struct kafka_feed *feed, int64_t first, int64_t latest)
{
    struct kafka_source *source = feed->source;
    int64_t missing = feed->next < first ? first - feed->next : feed->next - latest;
    char what[256];

    if (feed->next >= first && feed->next <= latest)
        return true;
    if (feed->next < first)
        snprintf(what, sizeof(what),
                 "records %" PRId64 " to %" PRId64 " (%" PRId64
                 ") are no longer held by the broker",
                 feed->next, first - 1, missing);
    else
        snprintf(what, sizeof(what),
                 "the log ends at %" PRId64 ", before our position %" PRId64
                 ": it was truncated or made anew",
                 latest, feed->next);
    /* A log that was made anew is read from its beginning; nothing of it was read before. */
    if (feed->next < first)
        kafka_count(source, &source->counters.lost, (uint64_t)missing);
    if (!source->config.accept_gap) {
        stop(feed, what);
        return false;
    }
    kafka_say(source, 4, "%s/%" PRId32 ": %s; going on at %" PRId64 " as input.accept_gap says",
              feed->topic, feed->feed.partition, what, first);
    next_set(feed, first);
    feed->epoch = -1;
    return true;
}

/* Each answers whether the feed may begin at feed->next; false without a stop: come again. */

static bool range_resolve(struct kafka_feed *feed)
{
    struct kafka_source *source = feed->source;
    rd_kafka_topic_partition_list_t *first = kafka_list_of(&feed, 1);
    rd_kafka_topic_partition_list_t *latest = kafka_list_of(&feed, 1);
    bool may_begin = false;

    /* Whatever comes of it: a broker that does not answer must not hold up probes and
     * polls again at once. */
    source->trouble_due_ns = host_mono_ns() + REST_NS;
    if (kafka_ask_first(source, first) && kafka_ask_end(source, latest)) {
        feed->end = latest->elems[0].offset;
        may_begin = kafka_check_range(feed, first->elems[0].offset, latest->elems[0].offset);
    }
    rd_kafka_topic_partition_list_destroy(first);
    rd_kafka_topic_partition_list_destroy(latest);
    return may_begin;
}

static bool hole_resolve(struct kafka_feed *feed)
{
    struct kafka_source *source = feed->source;
    int64_t missing = feed->came - feed->next;
    char what[256];

    snprintf(what, sizeof(what),
             "offsets %" PRId64 " to %" PRId64 " (%" PRId64
             ") never came, and the topic is not declared gaps_expected",
             feed->next, feed->came - 1, missing);
    if (feed->fetched_again != feed->next) {
        feed->fetched_again = feed->next;
        kafka_count(source, &source->counters.holes, 1);
        kafka_say_rarely(source, LINE_HOLE, 4, "%s/%" PRId32 ": %s; fetching them again",
                         feed->topic, feed->feed.partition, what);
        return true;
    }
    if (!source->config.accept_gap) {
        stop(feed, what);
        return false;
    }
    kafka_count(source, &source->counters.skipped, (uint64_t)missing);
    kafka_say_rarely(source, LINE_SKIP, 4,
                     "%s/%" PRId32 ": %s; going on at %" PRId64 " as input.accept_gap says",
                     feed->topic, feed->feed.partition, what, feed->came);
    next_set(feed, feed->came);
    return true;
}

static bool epoch_resolve(struct kafka_feed *feed)
{
    struct kafka_source *source = feed->source;
    char what[256];

    snprintf(what, sizeof(what),
             "record %" PRId64 " is of leader epoch %" PRId32 ", the one before it of %" PRId32
             ": the log was truncated behind our position and written anew",
             feed->came, feed->epoch_came, feed->epoch);
    if (!source->config.accept_gap) {
        stop(feed, what);
        return false;
    }
    kafka_say(source, 4, "%s/%" PRId32 ": %s; going on as input.accept_gap says", feed->topic,
              feed->feed.partition, what);
    feed->epoch = -1;
    return true;
}

void kafka_resolve_trouble(struct kafka_source *source)
{
    bool may_ask = host_mono_ns() >= source->trouble_due_ns;

    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed) {
        enum kafka_trouble trouble;
        bool may_begin = false;

        pthread_mutex_lock(&feed->lock);
        trouble = feed->trouble;
        pthread_mutex_unlock(&feed->lock);
        /* relaxed: our own last store. */
        int phase = atomic_load_explicit(&feed->phase, memory_order_relaxed);
        if (trouble == KAFKA_NO_TROUBLE || phase == KAFKA_STOPPED || phase == KAFKA_LEFT ||
            source->fetch == NULL || (trouble == KAFKA_OUT_OF_RANGE && !may_ask))
            continue;
        if (!kafka_feed_end(feed))
            continue; /* the reader has records out; come again */

        /* The reader is held off: what is under its lock is ours until the feed begins. */
        switch (trouble) {
        case KAFKA_NO_TROUBLE:
            break;
        case KAFKA_OUT_OF_RANGE:
            may_begin = range_resolve(feed);
            break;
        case KAFKA_HOLE:
            may_begin = hole_resolve(feed);
            break;
        case KAFKA_EPOCH_BACK:
            may_begin = epoch_resolve(feed);
            break;
        }
        if (!may_begin)
            continue;
        if (kafka_feed_begin(feed) != 0) {
            stop(feed, "librdkafka cannot start it again");
            continue;
        }
        pthread_mutex_lock(&feed->lock);
        feed->trouble = KAFKA_NO_TROUBLE;
        pthread_mutex_unlock(&feed->lock);
        kafka_feed_set_phase(feed, KAFKA_LIVE);
    }
}
