/* finite_source.c - see finite_source.h. */
#include "ingest/finite_source.h"

#include <stdlib.h>
#include <string.h>

void finite_source_init(struct finite_source *source, const struct source_ops *ops)
{
    source->source.ops = ops;
    pthread_mutex_init(&source->lock, NULL);
}

void finite_source_release(struct finite_source *source)
{
    pthread_mutex_destroy(&source->lock);
    free(source->feeds);
}

bool finite_source_add(struct finite_source *source, struct finite_feed *feed)
{
    if (source->feed_count == source->room) {
        size_t room = source->room > 0 ? 2 * source->room : 16;
        struct finite_feed **larger = realloc(source->feeds, room * sizeof(*larger));
        if (larger == NULL)
            return false;
        source->feeds = larger;
        source->room = room;
    }
    source->feeds[source->feed_count++] = feed;
    return true;
}

struct finite_feed *finite_source_find(const struct finite_source *source, const char *topic,
                                       int32_t partition)
{
    for (size_t i = 0; i < source->feed_count; i++)
        if (source->feeds[i]->feed.partition == partition &&
            strcmp(source->feeds[i]->feed.topic, topic) == 0)
            return source->feeds[i];
    return NULL;
}

void finite_feed_finish(struct finite_feed *feed)
{
    /* relaxed: the reader's own word; the engine reads it in that thread, others as a report. */
    if (atomic_load_explicit(&feed->state, memory_order_relaxed) == FEED_LIVE)
        atomic_store_explicit(&feed->state, FEED_FINISHED, memory_order_relaxed);
}

void finite_feed_stop(struct finite_source *source, struct finite_feed *feed,
                      const struct error *why)
{
    pthread_mutex_lock(&source->lock);
    if (!source->has_failed)
        source->failure = *why;
    source->has_failed = true;
    pthread_mutex_unlock(&source->lock);
    /* relaxed: a report; the sentence is under the lock. */
    atomic_store_explicit(&feed->state, FEED_STOPPED, memory_order_relaxed);
}

enum feed_state finite_feed_state(struct feed *feed)
{
    /* relaxed: see finite_feed_finish(). */
    return (enum feed_state)atomic_load_explicit(&((struct finite_feed *)feed)->state,
                                                 memory_order_relaxed);
}

bool finite_feed_end_proof(struct feed *feed, uint64_t *proof_ns)
{
    (void)feed;
    (void)proof_ns;
    return false; /* what ends is never at a live end */
}

size_t finite_source_changes(struct source *base, struct source_change *out, size_t max)
{
    struct finite_source *source = (struct finite_source *)base;
    size_t count = 0;

    while (count < max && source->reported < source->feed_count)
        out[count++] = (struct source_change){.kind = SOURCE_JOIN,
                                              .feed = &source->feeds[source->reported++]->feed};
    return count;
}

void finite_source_drop(struct source *source, struct feed *feed)
{
    (void)source;
    (void)feed; /* none ever leaves */
}

void finite_source_wake_on(struct source *source, struct feed *feed, int waker)
{
    (void)source;
    (void)feed;
    (void)waker; /* a feed is never empty before it is finished */
}

bool finite_source_ready(struct source *base, struct error *why)
{
    struct finite_source *source = (struct finite_source *)base;
    bool is_ready;

    pthread_mutex_lock(&source->lock);
    is_ready = !source->has_failed;
    if (!is_ready && why != NULL)
        *why = source->failure;
    pthread_mutex_unlock(&source->lock);
    return is_ready;
}
