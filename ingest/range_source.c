/* range_source.c - see range_source.h. */
#include "ingest/range_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/decoder.h"

enum { FEEDS_MAX = 4096, PRIME = 512, REACH_S = 30, WAIT_NS = 2000000 };

struct range_feed {
    struct feed feed; /* first */
    struct range_source *source;
    struct feed *inner;
    size_t index; /* among the feeds */
    /* What the inner feed gave out and has not got back: records [at, count). */
    const struct record *batch;
    size_t at, count;
    size_t given;            /* of them, out with our reader */
    int64_t next;            /* offset behind the last record that was passed over or given out */
    int64_t end_offset;      /* ends here at the latest */
    struct decoder *decoder; /* NULL: events lend no time, or nobody asks for it */
    int64_t timed;           /* offset of the record whose time was told last; -1: none */
    int64_t last_ms;         /* that time; LOG_TIME_NONE: none yet */
    bool had_log_time;
    bool is_over;
};

struct range_source {
    struct source source; /* first */
    struct source *inner;
    struct range_config config;
    bool is_live; /* has ends of its own to be told of; topics are named at the opening alone */
    struct range_feed *feeds;
    size_t feed_count, told;
    uint64_t open_ns, pace_ns; /* when the opening and the pace began */
    int64_t wall_ms;           /* at the opening: later log times are not true */
    int64_t first_ms;          /* earliest log time; of a pace */
    struct mark *marks;
    size_t mark_count;
};

static struct range_feed *feed_of(struct feed *base)
{
    return (struct range_feed *)base;
}

/* ---- bounds and pace ---- */

/* The time of the first event, which does not depend on the tenant; LOG_TIME_NONE: it has none. */
static int64_t lent_time(struct range_feed *feed, const struct record *record)
{
    const struct decode_result *decoded =
        decoder_decode(feed->decoder, FORMAT_AUTO, record->payload, record->bytes,
                       (struct text){"default", sizeof("default") - 1});

    return decoded->draft_count > 0 && decoded->drafts[0].has_time ? decoded->drafts[0].time_ms
                                                                   : LOG_TIME_NONE;
}

/* Asked in the order of the records. The one at the end of a range is asked for again. */
static int64_t time_of(struct range_feed *feed, const struct record *record)
{
    int64_t time = record->log_time_ms;

    if (record->offset == feed->timed)
        return feed->last_ms;
    if (time != LOG_TIME_NONE)
        feed->had_log_time = true;
    else if (feed->decoder != NULL && record->payload != NULL && !feed->had_log_time)
        time = lent_time(feed, record);
    feed->timed = record->offset;
    if (time != LOG_TIME_NONE)
        feed->last_ms = time;
    return feed->last_ms;
}

/* LOG_TIME_NONE is less than every time. */
static bool is_before(struct range_feed *feed, const struct record *record)
{
    const struct range_bound *from = &feed->source->config.from;

    switch (from->kind) {
    case RANGE_ANY:
        break;
    case RANGE_TIME:
        return time_of(feed, record) < from->value;
    case RANGE_OFFSET:
        return record->offset < from->value;
    }
    return false;
}

static bool is_beyond(struct range_feed *feed, const struct record *record)
{
    const struct range_bound *to = &feed->source->config.to;

    if (record->offset >= feed->end_offset)
        return true;
    return to->kind == RANGE_TIME && time_of(feed, record) >= to->value;
}

/* Log times up to here are due. */
static int64_t due_ms(const struct range_source *source)
{
    uint64_t passed_ms = (host_mono_ns() - source->pace_ns) / 1000000u;

    return source->first_ms + (int64_t)(passed_ms * source->config.speed / RANGE_SPEED_ONE);
}

static bool is_due(const struct range_source *source, const struct record *record, int64_t due)
{
    return record->log_time_ms == LOG_TIME_NONE || record->log_time_ms <= due ||
           record->log_time_ms > source->wall_ms;
}

/* ---- a feed ---- */

static void give_back(struct range_feed *feed)
{
    feed->inner->ops->release(feed->inner);
    feed->at = feed->count = feed->given = 0;
}

/* Nothing more is given out. What marks say of later records did not happen here. */
static void finish(struct range_feed *feed)
{
    struct range_source *source = feed->source;

    if (feed->count > 0)
        give_back(feed);
    feed->is_over = true;
    for (size_t i = 0; i < source->mark_count; i++)
        if (source->marks[i].part == feed->index && source->marks[i].offset > feed->next)
            source->marks[i].kind = MARK_KIND_COUNT;
}

/* Fills the batch if there is none. False when there is nothing now. */
static bool refill(struct range_feed *feed, size_t max)
{
    if (feed->at < feed->count)
        return true;
    if (feed->count > 0)
        give_back(feed);
    feed->count = feed->inner->ops->take(feed->inner, &feed->batch, max);
    return feed->count > 0;
}

static size_t range_take(struct feed *base, const struct record **out, size_t max)
{
    struct range_feed *feed = feed_of(base);
    const struct range_source *source = feed->source;
    uint64_t proof_ns;
    size_t count = 0;

    if (feed->is_over)
        return 0;
    if (!refill(feed, max)) {
        /* Records that were dropped by the broker or are no data may stand before the end. */
        if (source->is_live && feed->inner->ops->end_proof(feed->inner, &proof_ns) &&
            proof_ns >= source->open_ns)
            finish(feed);
        return 0;
    }
    int64_t due = source->config.speed > 0 ? due_ms(source) : 0;
    while (feed->at + count < feed->count && count < max) {
        const struct record *record = &feed->batch[feed->at + count];
        if (is_beyond(feed, record)) {
            if (count == 0)
                finish(feed);
            break;
        }
        if (source->config.speed > 0 && !is_due(source, record, due))
            break;
        count++;
    }
    if (count == 0)
        return 0;
    *out = &feed->batch[feed->at];
    feed->given = count;
    feed->next = (*out)[count - 1].offset + 1;
    return count;
}

static void range_release(struct feed *base)
{
    struct range_feed *feed = feed_of(base);

    feed->at += feed->given;
    feed->given = 0;
    if (feed->count > 0 && feed->at == feed->count)
        give_back(feed);
    if (feed->next >= feed->end_offset)
        finish(feed);
}

static enum feed_state range_state(struct feed *base)
{
    struct range_feed *feed = feed_of(base);

    if (feed->is_over)
        return FEED_FINISHED;
    return feed->inner->ops->state(feed->inner);
}

static bool range_end_proof(struct feed *base, uint64_t *proof_ns)
{
    (void)base;
    (void)proof_ns;
    return false; /* what ends is never at a live end */
}

static int64_t range_lag(struct feed *base)
{
    struct range_feed *feed = feed_of(base);
    int64_t lag = feed->inner->ops->lag != NULL ? feed->inner->ops->lag(feed->inner) : -1;
    int64_t left = feed->end_offset == INT64_MAX ? INT64_MAX : feed->end_offset - feed->next;

    if (feed->is_over)
        return 0;
    if (lag >= 0)
        lag += (int64_t)(feed->count - feed->at);
    return lag < 0 && left == INT64_MAX ? -1 : lag >= 0 && lag < left ? lag : left;
}

static const struct feed_ops range_feed_ops = {
    .take = range_take,
    .release = range_release,
    .state = range_state,
    .end_proof = range_end_proof,
    .lag = range_lag,
};

/* ---- the source ---- */

static size_t range_changes(struct source *base, struct source_change *out, size_t max)
{
    struct range_source *source = (struct range_source *)base;
    size_t count = 0;

    while (count < max && source->told < source->feed_count)
        out[count++] = (struct source_change){.kind = SOURCE_JOIN,
                                              .feed = &source->feeds[source->told++].feed};
    return count;
}

static void range_drop(struct source *base, struct feed *feed)
{
    (void)base;
    (void)feed; /* none leaves: a partition that goes meanwhile is one that cannot be read on */
}

static void range_wake_on(struct source *base, struct feed *feed, int waker)
{
    struct source *inner = ((struct range_source *)base)->inner;

    inner->ops->wake_on(inner, feed_of(feed)->inner, waker);
}

static bool range_ready(struct source *base, struct error *why)
{
    struct source *inner = ((struct range_source *)base)->inner;

    return inner->ops->ready(inner, why);
}

static void range_close(struct source *base)
{
    struct range_source *source = (struct range_source *)base;

    if (source == NULL)
        return;
    for (size_t i = 0; i < source->feed_count; i++) {
        if (source->feeds[i].count > 0)
            give_back(&source->feeds[i]);
        decoder_destroy(source->feeds[i].decoder);
    }
    source->inner->ops->close(source->inner);
    free(source->feeds);
    free(source);
}

static const struct source_ops range_source_ops = {
    .changes = range_changes,
    .drop = range_drop,
    .wake_on = range_wake_on,
    .ready = range_ready,
    .close = range_close,
};

/* ---- opening ---- */

static bool has_topic(const struct range_source *source, const char *topic)
{
    for (size_t i = 0; i < source->feed_count; i++)
        if (strcmp(source->feeds[i].feed.topic, topic) == 0)
            return true;
    return false;
}

static const char *missing_topic(const struct range_source *source)
{
    for (size_t i = 0; i < source->config.topic_count; i++)
        if (!has_topic(source, source->config.topics[i]))
            return source->config.topics[i];
    return NULL;
}

static void learn_feeds(struct range_source *source)
{
    struct source_change changes[64];
    size_t count;

    do {
        count = source->inner->ops->changes(source->inner, changes, 64);
        for (size_t i = 0; i < count && source->feed_count < FEEDS_MAX; i++) {
            struct range_feed *feed = &source->feeds[source->feed_count];
            if (changes[i].kind != SOURCE_JOIN)
                continue;
            *feed = (struct range_feed){.feed = *changes[i].feed,
                                        .source = source,
                                        .inner = changes[i].feed,
                                        .index = source->feed_count++,
                                        .next = changes[i].feed->start_offset,
                                        .end_offset = INT64_MAX,
                                        .timed = -1,
                                        .last_ms = LOG_TIME_NONE};
            feed->feed.ops = &range_feed_ops;
        }
    } while (count == 64);
}

/* Waits for a live source to show what was asked for. */
static int wait_for_feeds(struct range_source *source, struct error *err)
{
    uint64_t until_ns = host_mono_ns() + REACH_S * UINT64_C(1000000000);
    const char *missing;
    int waker;

    learn_feeds(source);
    if (!source->is_live || missing_topic(source) == NULL)
        return 0;
    waker = host()->waker_create(host()->self);
    while ((missing = missing_topic(source)) != NULL && host_mono_ns() < until_ns) {
        host()->waker_sleep(host()->self, waker, WAIT_NS);
        learn_feeds(source);
    }
    if (waker >= 0)
        host()->close(host()->self, waker);
    if (missing == NULL)
        return 0;
    if (source->inner->ops->ready(source->inner, err))
        error_set(err, "topic %s shows no partition", missing);
    return -ETIMEDOUT;
}

/* False when the other range did not begin here. */
static bool set_end_like(struct range_feed *feed)
{
    const struct range_source *like = (const struct range_source *)feed->source->config.like;

    for (size_t i = 0; i < like->feed_count; i++) {
        const struct range_feed *other = &like->feeds[i];
        if (other->feed.partition != feed->feed.partition ||
            strcmp(other->feed.topic, feed->feed.topic) != 0)
            continue;
        if (other->end_offset < feed->end_offset)
            feed->end_offset = other->end_offset;
        return other->inner->start_offset == feed->inner->start_offset;
    }
    feed->end_offset = feed->inner->start_offset; /* a partition that is new since then */
    return true;
}

static int borrow_times(struct range_source *source, struct error *err)
{
    const struct range_config *config = &source->config;

    if (!config->lends_time || (config->from.kind != RANGE_TIME && config->to.kind != RANGE_TIME))
        return 0;
    for (size_t i = 0; i < source->feed_count; i++) {
        source->feeds[i].decoder = decoder_create();
        if (source->feeds[i].decoder == NULL) {
            error_set(err, "out of memory");
            return -ENOMEM;
        }
    }
    return 0;
}

static int set_end(struct range_source *source, struct range_feed *feed, struct error *err)
{
    const struct range_bound *to = &source->config.to;

    if (source->is_live) {
        int64_t lag = feed->inner->ops->lag(feed->inner);
        if (lag < 0) {
            error_set(err, "%s/%" PRId32 ": where its log ends is not known", feed->feed.topic,
                      feed->feed.partition);
            return -EIO;
        }
        feed->end_offset = feed->inner->start_offset + lag;
        if (source->config.like != NULL && !set_end_like(feed)) {
            error_set(err,
                      "%s/%" PRId32 ": its log has lost its first records since it was opened the "
                      "first time; try again",
                      feed->feed.topic, feed->feed.partition);
            return -EIO;
        }
    }
    if (to->kind == RANGE_OFFSET && to->value < feed->end_offset)
        feed->end_offset = to->value;
    feed->is_over = feed->next >= feed->end_offset;
    return 0;
}

/* Passes over what lies before the range. True when the first record of the range is at hand or
 * none can come; false: not yet. */
static bool prime(struct range_feed *feed)
{
    while (!feed->is_over && refill(feed, PRIME)) {
        const struct record *record = &feed->batch[feed->at];
        if (!is_before(feed, record) || is_beyond(feed, record))
            return true;
        feed->next = record->offset + 1;
        feed->at++;
    }
    return feed->is_over || feed->inner->ops->state(feed->inner) != FEED_LIVE;
}

/* Brings all feeds to their first records. */
static int prime_all(struct range_source *source, struct error *err)
{
    uint64_t until_ns = host_mono_ns() + REACH_S * UINT64_C(1000000000);
    int waker = host()->waker_create(host()->self);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < source->feed_count; i++) {
        struct range_feed *feed = &source->feeds[i];
        while (!prime(feed) && rc == 0) {
            if (host_mono_ns() < until_ns) {
                host()->waker_sleep(host()->self, waker, WAIT_NS);
            } else {
                if (source->inner->ops->ready(source->inner, err))
                    error_set(err, "%s/%" PRId32 ": its first record did not come",
                              feed->feed.topic, feed->feed.partition);
                rc = -ETIMEDOUT;
            }
        }
        feed->feed.start_offset =
            feed->at < feed->count ? feed->batch[feed->at].offset : feed->next;
        if (feed->next < feed->feed.start_offset)
            feed->next = feed->feed.start_offset;
    }
    if (waker >= 0)
        host()->close(host()->self, waker);
    return rc;
}

/* When the pace begins. */
static int set_first_time(struct range_source *source, struct error *err)
{
    source->first_ms = INT64_MAX;
    for (size_t i = 0; i < source->feed_count; i++) {
        const struct range_feed *feed = &source->feeds[i];
        if (feed->at == feed->count)
            continue;
        int64_t time = feed->batch[feed->at].log_time_ms;
        if (time == LOG_TIME_NONE) {
            error_set(err, "%s/%" PRId32 ": a pace goes by log times, and the records have none",
                      feed->feed.topic, feed->feed.partition);
            return -EINVAL;
        }
        if (time < source->first_ms)
            source->first_ms = time;
    }
    if (source->first_ms == INT64_MAX)
        source->first_ms = 0;
    return 0;
}

int range_source_open(struct source *inner, const struct range_config *config, struct source **out,
                      struct error *err)
{
    struct range_source *source = calloc(1, sizeof(*source));
    int rc = 0;

    if (source != NULL)
        source->feeds = calloc(FEEDS_MAX, sizeof(*source->feeds));
    if (source == NULL || source->feeds == NULL) {
        error_set(err, "out of memory");
        free(source);
        inner->ops->close(inner);
        return -ENOMEM;
    }
    source->source.ops = &range_source_ops;
    source->inner = inner;
    source->config = *config;
    source->is_live = config->topics != NULL;
    source->open_ns = host_mono_ns();
    source->wall_ms = host_wall_ms();
    rc = wait_for_feeds(source, err);
    source->config.topics = NULL; /* borrowed for this call */
    source->config.topic_count = 0;
    if (rc == 0)
        rc = borrow_times(source, err);
    for (size_t i = 0; rc == 0 && i < source->feed_count; i++)
        rc = set_end(source, &source->feeds[i], err);
    if (rc == 0 && (config->speed > 0 || config->from.kind != RANGE_ANY))
        rc = prime_all(source, err);
    if (rc == 0 && config->speed > 0)
        rc = set_first_time(source, err);
    source->pace_ns = host_mono_ns();
    if (rc != 0) {
        range_close(&source->source);
        return rc;
    }
    *out = &source->source;
    return 0;
}

void range_source_own_marks(struct source *base, struct mark *marks, size_t count)
{
    struct range_source *source = (struct range_source *)base;
    const struct range_bound *from = &source->config.from;

    source->marks = marks;
    source->mark_count = count;
    /* A range that begins later than the run was not being watched before. */
    for (size_t i = 0; i < count && from->kind != RANGE_ANY; i++)
        if (marks[i].kind == MARK_BEGIN &&
            (from->kind != RANGE_TIME || marks[i].value_ms < from->value))
            marks[i].kind = MARK_KIND_COUNT;
}
