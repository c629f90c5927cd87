/* recording_source.c - see recording_source.h. */
#include "ingest/recording_source.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "store/recording.h"

_Static_assert((int64_t)LOG_TIME_NONE == (int64_t)RECORDING_NO_TIME, "passed through");

struct recording_feed {
    struct feed feed; /* first */
    struct recording_source *source;
    struct recording_cursor *cursor;
    struct recorded *recorded;
    struct record *records;
    size_t room;
    uint64_t left;    /* records still to come */
    atomic_int state; /* enum feed_state; written by the reader, read by anyone */
    atomic_uint_fast64_t lag;
};

struct recording_source {
    struct source source; /* first */
    struct recording **recordings;
    size_t recording_count;
    struct recording_feed *feeds;
    size_t feed_count, reported;
    struct mark *marks;
    size_t mark_count;
    uint64_t torn;
    pthread_mutex_t lock; /* of the first failure */
    struct error failure;
    bool has_failed;
};

static size_t feed_take(struct feed *base, const struct record **out, size_t max)
{
    struct recording_feed *feed = (struct recording_feed *)base;
    struct error err = {""};
    ptrdiff_t count;

    if (feed->left == 0 || max == 0)
        return 0;
    if (max > feed->room) {
        struct recorded *recorded = realloc(feed->recorded, max * sizeof(*recorded));
        if (recorded == NULL)
            return 0;
        feed->recorded = recorded;
        struct record *records = realloc(feed->records, max * sizeof(*records));
        if (records == NULL)
            return 0;
        feed->records = records;
        feed->room = max;
    }
    count = recording_cursor_next(feed->cursor, feed->recorded, max, &err);
    if (count <= 0) {
        if (count == 0)
            error_set(&err, "%s/%" PRId32 ": the recording ends %" PRIu64 " records too early",
                      base->topic, base->partition, feed->left);
        feed->left = 0;
        pthread_mutex_lock(&feed->source->lock);
        if (!feed->source->has_failed)
            feed->source->failure = err;
        feed->source->has_failed = true;
        pthread_mutex_unlock(&feed->source->lock);
        /* relaxed: a report; the sentence is under the lock. */
        atomic_store_explicit(&feed->state, FEED_STOPPED, memory_order_relaxed);
        return 0;
    }
    for (ptrdiff_t i = 0; i < count; i++)
        feed->records[i] = (struct record){
            .offset = feed->recorded[i].offset,
            .log_time_ms = feed->recorded[i].time_ms,
            .payload = feed->recorded[i].payload,
            .bytes = feed->recorded[i].bytes,
            .leader_epoch = feed->recorded[i].leader_epoch,
        };
    feed->left -= (uint64_t)count;
    /* relaxed: a number for metrics. */
    atomic_store_explicit(&feed->lag, feed->left, memory_order_relaxed);
    *out = feed->records;
    return (size_t)count;
}

static void feed_release(struct feed *base)
{
    struct recording_feed *feed = (struct recording_feed *)base;

    /* Finished only now: who sees it may conclude that no record is out. The engine
     * reads it in the thread that reads the feed, so relaxed orders enough. */
    if (feed->left == 0 && atomic_load_explicit(&feed->state, memory_order_relaxed) == FEED_LIVE)
        atomic_store_explicit(&feed->state, FEED_FINISHED, memory_order_relaxed);
}

static enum feed_state feed_state(struct feed *base)
{
    /* relaxed: see feed_release(). */
    return (enum feed_state)atomic_load_explicit(&((struct recording_feed *)base)->state,
                                                 memory_order_relaxed);
}

static bool feed_end_proof(struct feed *base, uint64_t *proof_ns)
{
    (void)base;
    (void)proof_ns;
    return false; /* a recording ends; it is never at a live end */
}

static int64_t feed_lag(struct feed *base)
{
    /* relaxed: see feed_take(). */
    return (int64_t)atomic_load_explicit(&((struct recording_feed *)base)->lag,
                                         memory_order_relaxed);
}

static const struct feed_ops recording_feed_ops = {
    .take = feed_take,
    .release = feed_release,
    .state = feed_state,
    .end_proof = feed_end_proof,
    .lag = feed_lag,
};

static size_t source_changes(struct source *base, struct source_change *out, size_t max)
{
    struct recording_source *source = (struct recording_source *)base;
    size_t count = 0;

    while (count < max && source->reported < source->feed_count)
        out[count++] = (struct source_change){.kind = SOURCE_JOIN,
                                              .feed = &source->feeds[source->reported++].feed};
    return count;
}

static void source_drop(struct source *base, struct feed *feed)
{
    (void)base;
    (void)feed; /* no feed of a recording ever leaves */
}

static void source_wake_on(struct source *base, struct feed *feed, int waker)
{
    (void)base;
    (void)feed;
    (void)waker; /* a feed is never empty before it is finished */
}

static bool source_ready(struct source *base, struct error *why)
{
    struct recording_source *source = (struct recording_source *)base;
    bool is_ready;

    pthread_mutex_lock(&source->lock);
    is_ready = !source->has_failed;
    if (!is_ready && why != NULL)
        *why = source->failure;
    pthread_mutex_unlock(&source->lock);
    return is_ready;
}

static void source_close(struct source *base)
{
    struct recording_source *source = (struct recording_source *)base;

    if (source == NULL)
        return;
    for (size_t i = 0; source->feeds != NULL && i < source->feed_count; i++) {
        recording_cursor_destroy(source->feeds[i].cursor);
        free(source->feeds[i].recorded);
        free(source->feeds[i].records);
    }
    for (size_t i = 0; source->recordings != NULL && i < source->recording_count; i++)
        recording_destroy(source->recordings[i]);
    pthread_mutex_destroy(&source->lock);
    free(source->feeds);
    free(source->recordings);
    free(source->marks);
    free(source);
}

static const struct source_ops recording_source_ops = {
    .changes = source_changes,
    .drop = source_drop,
    .wake_on = source_wake_on,
    .ready = source_ready,
    .close = source_close,
};

static int add_marks(struct recording_source *source, const struct recording *recording,
                     size_t first_feed, struct error *err)
{
    size_t count;
    const struct mark *marks = recording_marks(recording, &count);
    struct mark *larger;

    if (count == 0)
        return 0;
    larger = realloc(source->marks, (source->mark_count + count) * sizeof(*larger));
    if (larger == NULL) {
        error_set(err, "out of memory for %zu marks", count);
        return -ENOMEM;
    }
    source->marks = larger;
    for (size_t i = 0; i < count; i++) {
        source->marks[source->mark_count] = marks[i];
        source->marks[source->mark_count++].part = (uint16_t)(marks[i].part + first_feed);
    }
    return 0;
}

static int add_feeds(struct recording_source *source, const struct recording *recording,
                     const char *path, struct error *err)
{
    size_t count = recording_part_count(recording);
    struct recording_feed *larger =
        realloc(source->feeds, (source->feed_count + count + 1) * sizeof(*larger));

    if (larger == NULL) {
        error_set(err, "%s: out of memory", path);
        return -ENOMEM;
    }
    source->feeds = larger;
    for (size_t i = 0; i < count; i++) {
        const struct recording_part *part = recording_part(recording, i);
        struct recording_feed *feed = &source->feeds[source->feed_count];

        for (size_t j = 0; j < source->feed_count; j++)
            if (source->feeds[j].feed.partition == part->partition &&
                strcmp(source->feeds[j].feed.topic, part->topic) == 0) {
                error_set(err, "%s: %s/%" PRId32 " is in an earlier recording already", path,
                          part->topic, part->partition);
                return -EINVAL;
            }
        memset(feed, 0, sizeof(*feed));
        feed->feed = (struct feed){.ops = &recording_feed_ops,
                                   .topic = part->topic,
                                   .partition = part->partition,
                                   .start_offset = part->start_offset};
        feed->source = source;
        feed->left = part->record_count;
        atomic_init(&feed->lag, part->record_count);
        atomic_init(&feed->state, part->record_count > 0 ? FEED_LIVE : FEED_FINISHED);
        feed->cursor = recording_cursor_create(recording, i);
        source->feed_count++;
        if (feed->cursor == NULL) {
            error_set(err, "%s: out of memory", path);
            return -ENOMEM;
        }
    }
    return 0;
}

int recording_source_open(const char *const *paths, size_t count, struct source **out,
                          struct error *err)
{
    struct recording_source *source = calloc(1, sizeof(*source));
    int rc = 0;

    if (source != NULL) {
        source->source.ops = &recording_source_ops;
        pthread_mutex_init(&source->lock, NULL);
        source->recordings = calloc(count + 1, sizeof(struct recording *));
    }
    if (source == NULL || source->recordings == NULL) {
        error_set(err, "out of memory for %zu recordings", count);
        rc = -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t first_feed = source->feed_count;
        uint64_t torn;

        rc = recording_open(paths[i], &source->recordings[i], err);
        if (rc != 0)
            break;
        source->recording_count = i + 1;
        recording_is_complete(source->recordings[i], &torn);
        source->torn += torn;
        rc = add_feeds(source, source->recordings[i], paths[i], err);
        if (rc == 0)
            rc = add_marks(source, source->recordings[i], first_feed, err);
    }
    if (rc != 0) {
        source_close(source != NULL ? &source->source : NULL);
        return rc;
    }
    *out = &source->source;
    return 0;
}

const struct mark *recording_source_marks(const struct source *base, size_t *count)
{
    const struct recording_source *source = (const struct recording_source *)base;

    *count = source->mark_count;
    return source->marks;
}

uint64_t recording_source_torn(const struct source *base)
{
    return ((const struct recording_source *)base)->torn;
}

const char *recording_source_key(const struct feed *base, size_t index, uint32_t *bytes)
{
    const struct recording_feed *feed = (const struct recording_feed *)base;

    if (base->ops != &recording_feed_ops)
        return NULL;
    *bytes = feed->recorded[index].key_bytes;
    return feed->recorded[index].key;
}
