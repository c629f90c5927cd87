/* recording_source.c - see recording_source.h. */
#include "ingest/recording_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "ingest/finite_source.h"
#include "store/recording.h"

_Static_assert((int64_t)LOG_TIME_NONE == (int64_t)RECORDING_NO_TIME, "passed through");

struct recording_feed {
    struct finite_feed base; /* first */
    struct recording_source *source;
    struct recording_cursor *cursor;
    struct recorded *recorded;
    struct record *records;
    size_t room;
    uint64_t left; /* records still to come */
    atomic_uint_fast64_t lag;
};

struct recording_source {
    struct finite_source base; /* first: it holds the feeds */
    struct recording **recordings;
    size_t recording_count;
    struct mark *marks;
    size_t mark_count;
    uint64_t torn;
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
            error_set(&err, "%s/%" PRId32 ": the recording ends %" PRIu64 " record%s too early",
                      base->topic, base->partition, feed->left, plural(feed->left));
        feed->left = 0;
        finite_feed_stop(&feed->source->base, &feed->base, &err);
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

    if (feed->left == 0)
        finite_feed_finish(&feed->base);
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
    .state = finite_feed_state,
    .end_proof = finite_feed_end_proof,
    .lag = feed_lag,
};

static void feed_destroy(struct recording_feed *feed)
{
    recording_cursor_destroy(feed->cursor);
    free(feed->recorded);
    free(feed->records);
    free(feed);
}

static void source_close(struct source *base)
{
    struct recording_source *source = (struct recording_source *)base;

    if (source == NULL)
        return;
    for (size_t i = 0; i < source->base.feed_count; i++)
        feed_destroy((struct recording_feed *)source->base.feeds[i]);
    for (size_t i = 0; source->recordings != NULL && i < source->recording_count; i++)
        recording_destroy(source->recordings[i]);
    finite_source_release(&source->base);
    free(source->recordings);
    free(source->marks);
    free(source);
}

static const struct source_ops recording_source_ops = {
    .changes = finite_source_changes,
    .drop = finite_source_drop,
    .wake_on = finite_source_wake_on,
    .ready = finite_source_ready,
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

static int add_feed(struct recording_source *source, const struct recording *recording,
                    size_t index, const char *path, struct error *err)
{
    const struct recording_part *part = recording_part(recording, index);
    struct recording_feed *feed;

    if (finite_source_find(&source->base, part->topic, part->partition) != NULL) {
        error_set(err, "%s: %s/%" PRId32 " is in an earlier recording already", path, part->topic,
                  part->partition);
        return -EINVAL;
    }
    feed = calloc(1, sizeof(*feed));
    if (feed == NULL || (feed->cursor = recording_cursor_create(recording, index)) == NULL ||
        !finite_source_add(&source->base, &feed->base)) {
        if (feed != NULL)
            feed_destroy(feed);
        error_set(err, "%s: out of memory", path);
        return -ENOMEM;
    }
    feed->base.feed = (struct feed){.ops = &recording_feed_ops,
                                    .topic = part->topic,
                                    .partition = part->partition,
                                    .start_offset = part->start_offset};
    feed->source = source;
    feed->left = part->record_count;
    atomic_init(&feed->lag, part->record_count);
    if (part->record_count == 0)
        finite_feed_finish(&feed->base);
    return 0;
}

int recording_source_open(const char *const *paths, size_t count, struct source **out,
                          struct error *err)
{
    struct recording_source *source = calloc(1, sizeof(*source));
    int rc = 0;

    if (source != NULL) {
        finite_source_init(&source->base, &recording_source_ops);
        source->recordings = calloc(count + 1, sizeof(struct recording *));
    }
    if (source == NULL || source->recordings == NULL) {
        error_set(err, "out of memory for %zu recordings", count);
        rc = -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t first_feed = source->base.feed_count;
        uint64_t torn;

        rc = recording_open(paths[i], &source->recordings[i], err);
        if (rc != 0)
            break;
        source->recording_count = i + 1;
        recording_is_complete(source->recordings[i], &torn);
        source->torn += torn;
        for (size_t p = 0; rc == 0 && p < recording_part_count(source->recordings[i]); p++)
            rc = add_feed(source, source->recordings[i], p, paths[i], err);
        if (rc == 0)
            rc = add_marks(source, source->recordings[i], first_feed, err);
    }
    if (rc != 0) {
        source_close(source != NULL ? &source->base.source : NULL);
        return rc;
    }
    *out = &source->base.source;
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
