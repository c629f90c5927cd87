/*
 * intake_source.c - see intake_source.h.
 *
 * A frame's payload is what records point into, whether the walk over the disk lends it or it was
 * given. One frame is taken from at a time, and let go when the engine is done with what it took.
 */
#include "ingest/intake_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "ingest/intake_act.h"
#include "store/intake_log.h"

struct frame {
    char *payload;
    size_t bytes;
    struct frame *next;
};

struct intake_source {
    struct source source; /* first */
    struct source *inner;
    bool has_inner; /* a partition of it has been told */
    bool has_told;  /* of ours */
    bool is_finite;

    struct feed feed;
    /* Of the ingest thread that owns the feed: */
    struct segment_walk *walk;  /* NULL: all that was on the disk has been read */
    uint64_t disk_at, disk_end; /* positions: behind the frame that was read last, and the last */
    uint64_t wanted;            /* position before which records are passed over */
    struct intake_cursor cursor;
    struct frame *taken; /* of which the cursor is; NULL: of the walk, or none */
    VECTOR_OF(struct record) records;
    VECTOR_OF(struct intake_act_read *) acts; /* that records point to */
    _Atomic int state;                        /* enum feed_state; relaxed: a report */

    pthread_mutex_t lock;
    /* Under the lock: */
    struct frame *first, **last;
    int waker; /* -1: none */
    bool is_expecting;
    _Atomic uint64_t backlog; /* relaxed: bytes; a bound that is looked at beforehand */
};

static struct intake_source *self_of(const struct source *base)
{
    return (struct intake_source *)base;
}

static struct intake_source *self_of_feed(const struct feed *feed)
{
    return (struct intake_source *)((char *)feed - offsetof(struct intake_source, feed));
}

/* ---- the feed ---- */

static void stop(struct intake_source *self)
{
    atomic_store_explicit(&self->state, FEED_STOPPED, memory_order_relaxed);
}

static bool has_left(const struct intake_source *self)
{
    return self->cursor.left > 0;
}

static void let_go(struct intake_source *self)
{
    if (self->taken == NULL)
        return;
    atomic_fetch_sub_explicit(&self->backlog, self->taken->bytes, memory_order_relaxed);
    free(self->taken->payload);
    free(self->taken);
    self->taken = NULL;
}

/* The next frame on the disk; false when there is none. What has been appended since is not looked
 * at: it comes through memory, and may be half written. */
static bool next_on_disk(struct intake_source *self)
{
    struct segment_frame frame;
    struct error err;

    if (self->disk_at < self->disk_end) {
        if (segment_walk_next(self->walk, &frame, &err) == 1 &&
            intake_frame_begin(&self->cursor, frame.payload, frame.bytes, &err) == 0) {
            self->disk_at = self->cursor.position + self->cursor.left;
            return true;
        }
        stop(self); /* it was whole when the log was opened: what is wrong now is the disk */
    }
    segment_walk_destroy(self->walk);
    self->walk = NULL;
    if (self->is_finite && atomic_load_explicit(&self->state, memory_order_relaxed) == FEED_LIVE)
        atomic_store_explicit(&self->state, FEED_FINISHED, memory_order_relaxed);
    return false;
}

static bool next_in_memory(struct intake_source *self)
{
    struct frame *frame;
    struct error err;

    pthread_mutex_lock(&self->lock);
    frame = self->first;
    if (frame != NULL) {
        self->first = frame->next;
        if (frame->next == NULL)
            self->last = &self->first;
        self->taken = frame;
    }
    pthread_mutex_unlock(&self->lock);
    if (frame == NULL)
        return false;
    if (intake_frame_begin(&self->cursor, frame->payload, frame->bytes, &err) != 0)
        stop(self);
    return true;
}

static bool next_frame(struct intake_source *self)
{
    let_go(self);
    if (self->walk != NULL && next_on_disk(self))
        return true;
    return self->walk == NULL &&
           atomic_load_explicit(&self->state, memory_order_relaxed) == FEED_LIVE &&
           next_in_memory(self);
}

static void acts_free(struct intake_source *self)
{
    for (size_t i = 0; i < self->acts.count; i++)
        intake_act_free(self->acts.at[i]);
    self->acts.count = 0;
}

/* What the record does to an incident; NULL: nothing. */
static const struct act *take_act(struct intake_source *self, const struct intake_record *record)
{
    struct intake_act_read *read = intake_act_read(record);

    if (read == NULL)
        return NULL;
    vector_add(&self->acts) = read;
    return intake_act_of(read);
}

/* Of the frame that the cursor is in. */
static void take_records(struct intake_source *self, size_t max)
{
    struct intake_record record;
    struct error err;
    int rc = 0;

    while (self->records.count < max && has_left(self) &&
           (rc = intake_frame_next(&self->cursor, &record, &err)) == 1) {
        if (record.position < self->wanted ||
            (self->is_finite && record.position >= self->disk_end))
            continue;
        vector_add(&self->records) =
            (struct record){.offset = (int64_t)record.position,
                            .log_time_ms = record.at_ms,
                            .payload = record.kind == INTAKE_EVENTS ? record.body.at : NULL,
                            .bytes = record.kind == INTAKE_EVENTS ? record.body.len : 0,
                            .leader_epoch = -1,
                            .act = take_act(self, &record)};
    }
    if (rc < 0) {
        self->cursor.left = 0;
        stop(self);
    }
}

static size_t feed_take(struct feed *feed, const struct record **out, size_t max)
{
    struct intake_source *self = self_of_feed(feed);

    self->records.count = 0;
    acts_free(self);
    while (self->records.count == 0 && (has_left(self) || next_frame(self)))
        take_records(self, max);
    *out = self->records.at;
    return self->records.count;
}

static void feed_release(struct feed *feed)
{
    struct intake_source *self = self_of_feed(feed);

    if (!has_left(self))
        let_go(self);
}

static enum feed_state feed_state(struct feed *feed)
{
    return (enum feed_state)atomic_load_explicit(&self_of_feed(feed)->state, memory_order_relaxed);
}

/* Whatever is stamped from here on, under the lock, is later than the moment. */
static bool feed_end_proof(struct feed *feed, uint64_t *proof_ns)
{
    struct intake_source *self = self_of_feed(feed);
    bool is_at_end;

    if (self->walk != NULL || has_left(self) || feed_state(feed) != FEED_LIVE)
        return false;
    pthread_mutex_lock(&self->lock);
    is_at_end = self->first == NULL && !self->is_expecting;
    *proof_ns = host_mono_ns();
    pthread_mutex_unlock(&self->lock);
    return is_at_end;
}

static int64_t feed_lag(struct feed *feed)
{
    struct intake_source *self = self_of_feed(feed);

    /* relaxed: a report. Frames are small, so bytes tell whether there is something. */
    return self->walk == NULL && !has_left(self) &&
                   atomic_load_explicit(&self->backlog, memory_order_relaxed) == 0
               ? 0
               : -1;
}

static const struct feed_ops feed_ops = {
    .take = feed_take,
    .release = feed_release,
    .state = feed_state,
    .end_proof = feed_end_proof,
    .lag = feed_lag,
};

/* ---- the source ---- */

static size_t changes(struct source *base, struct source_change *out, size_t max)
{
    struct intake_source *self = self_of(base);
    size_t count = self->inner->ops->changes(self->inner, out, max);

    self->has_inner = self->has_inner || count > 0 || self->is_finite;
    if (self->has_inner && !self->has_told && count < max) {
        out[count++] = (struct source_change){SOURCE_JOIN, &self->feed};
        self->has_told = true;
    }
    return count;
}

static void drop(struct source *base, struct feed *feed)
{
    struct intake_source *self = self_of(base);

    if (feed != &self->feed && self->inner->ops->drop != NULL)
        self->inner->ops->drop(self->inner, feed);
}

static void wake_on(struct source *base, struct feed *feed, int waker)
{
    struct intake_source *self = self_of(base);

    if (feed != &self->feed) {
        self->inner->ops->wake_on(self->inner, feed, waker);
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->waker = waker;
    pthread_mutex_unlock(&self->lock);
}

static void prove_at(struct source *base, uint64_t at_ns)
{
    struct source *inner = self_of(base)->inner;

    if (inner->ops->prove_at != NULL)
        inner->ops->prove_at(inner, at_ns);
}

static void position(struct source *base, struct feed *feed, int64_t low_offset)
{
    struct intake_source *self = self_of(base);

    if (feed != &self->feed && self->inner->ops->position != NULL)
        self->inner->ops->position(self->inner, feed, low_offset);
}

static bool ready(struct source *base, struct error *why)
{
    struct intake_source *self = self_of(base);

    if (self->is_finite && feed_state(&self->feed) == FEED_STOPPED) {
        error_set(why, "what was pushed cannot be read any more");
        return false;
    }
    return self->inner->ops->ready(self->inner, why);
}

static void close_all(struct source *base)
{
    struct intake_source *self = self_of(base);

    self->inner->ops->close(self->inner);
    let_go(self);
    while (self->first != NULL) {
        struct frame *frame = self->first;
        self->first = frame->next;
        free(frame->payload);
        free(frame);
    }
    segment_walk_destroy(self->walk);
    pthread_mutex_destroy(&self->lock);
    free(self->records.at);
    acts_free(self);
    free(self->acts.at);
    free(self);
}

int intake_source_create(struct source *inner, const struct intake_source_config *config,
                         struct source **out, struct error *err)
{
    static const struct source_ops ops = {.changes = changes,
                                          .drop = drop,
                                          .wake_on = wake_on,
                                          .position = position,
                                          .prove_at = prove_at,
                                          .ready = ready,
                                          .close = close_all};
    struct intake_source *self = calloc(1, sizeof(*self));
    enum segment_refusal why;
    int rc = -ENOMEM;

    if (self == NULL) {
        error_set(err, "%s: out of memory", config->segments.folder);
        return rc;
    }
    if (config->next > 0) {
        rc = segment_walk_create(&config->segments, &self->walk, &why, err);
        if (rc != 0) {
            free(self);
            return rc;
        }
    }
    self->source.ops = &ops;
    self->inner = inner;
    self->disk_end = config->next;
    self->wanted = config->first;
    self->is_finite = config->is_finite;
    self->feed = (struct feed){.ops = &feed_ops,
                               .topic = INTAKE_TOPIC,
                               .partition = INTAKE_PARTITION,
                               .start_offset = (int64_t)config->first};
    self->last = &self->first;
    self->waker = -1;
    pthread_mutex_init(&self->lock, NULL);
    *out = &self->source;
    return 0;
}

/* ---- who gives ---- */

void intake_source_expect(struct source *source)
{
    struct intake_source *self = self_of(source);

    pthread_mutex_lock(&self->lock);
    self->is_expecting = true;
    pthread_mutex_unlock(&self->lock);
}

void intake_source_give(struct source *source, char *payload, size_t bytes)
{
    struct intake_source *self = self_of(source);
    struct frame *frame = payload != NULL ? memory_alloc(sizeof(*frame)) : NULL;
    int waker;

    pthread_mutex_lock(&self->lock);
    self->is_expecting = false;
    if (frame != NULL) {
        *frame = (struct frame){payload, bytes, NULL};
        *self->last = frame;
        self->last = &frame->next;
        atomic_fetch_add_explicit(&self->backlog, bytes, memory_order_relaxed);
    }
    waker = self->waker;
    pthread_mutex_unlock(&self->lock);
    if (frame != NULL && waker >= 0)
        host()->waker_wake(host()->self, waker);
}

uint64_t intake_source_backlog(const struct source *source)
{
    return atomic_load_explicit(&self_of(source)->backlog, memory_order_relaxed);
}
