/*
 * intake_log.c - see intake_log.h.
 *
 * The thread takes all posts that wait, or as many as fit a frame, and makes one frame of them.
 * What the engine gets is the payload as it was written, so that it reads the same from memory now
 * and from the disk after a crash.
 */
#include "store/intake_log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "store/intake_read.h"

enum {
    FRAME_BYTES = 1 << 20, /* beyond this no further post is taken into one */
    FRAME_KIND = 1,
    PREPARE_BYTES = 256 << 10,
    LOOK_MS = 10,
    SLEEP_MS = 1000,
};

struct intake_log {
    struct intake_log_config config;
    struct intake_hooks hooks;
    struct segment_walk *walk; /* at the log's end, until it is opened for writing; setup */
    struct segment_log *log;   /* intake thread */
    pthread_t thread;
    bool is_running;
    uint64_t frame_max; /* bytes of payload; setup */
    uint64_t next;      /* position; setup, then the intake thread */
    int64_t last_ms;    /* the stamp given last; the same */
    bool has_told;      /* of being broken; the same */
    bool is_lost;       /* a frame is not to count; the same */
    bool is_looking;    /* the same */
    int waker;          /* of the intake thread */
    pthread_mutex_t lock;
    pthread_cond_t done; /* for who waits for a post */
    /* Under the lock: */
    struct intake_post *first, **last;
    bool must_stop, has_call;
    uint64_t release_before; /* frame; 0: nothing is to go */
    struct intake_places places;
    char why[ERROR_TEXT_BYTES]; /* it is broken */
    struct intake_log_counters counters;
};

/* The lock is held, or nobody else is there. */
static void count_first(struct intake_log *log)
{
    const struct intake_places *places = &log->places;

    if (places->at.count == 0)
        return;
    log->counters.first = places->at.at[0].position;
    log->counters.first_wall_ms = places->at.at[0].wall_ms;
}

int intake_log_look(const struct intake_log_config *config, intake_each each, void *self,
                    struct intake_log **out, enum segment_refusal *why, struct error *err)
{
    struct intake_log *log = calloc(1, sizeof(*log));
    struct intake_reading reading = {.each = each, .self = self, .last_ms = INT64_MIN};
    int rc;

    *why = SEGMENT_REFUSED_WORLD;
    if (log == NULL) {
        error_set(err, "%s: out of memory", config->segments.folder);
        return -ENOMEM;
    }
    log->config = *config;
    log->waker = -1;
    log->last = &log->first;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->done, NULL);
    reading.places = &log->places;
    rc = intake_read_all(&config->segments, &reading, &log->walk, why, err);
    if (rc != 0) {
        intake_log_destroy(log);
        return rc;
    }
    count_first(log);
    log->next = reading.next;
    log->last_ms = reading.last_ms;
    log->counters.torn_bytes = segment_walk_end(log->walk)->torn_bytes;
    *why = SEGMENT_REFUSED_NOT;
    *out = log;
    return 0;
}

int intake_log_write(struct intake_log *log, struct error *err)
{
    int rc = segment_log_open(&log->config.segments, segment_walk_end(log->walk), &log->log, err);

    if (rc != 0)
        return rc;
    segment_walk_destroy(log->walk);
    log->walk = NULL;
    log->frame_max = segment_log_payload_max(log->log);
    segment_log_counters(log->log, &log->counters.log);
    return 0;
}

int intake_log_open(const struct intake_log_config *config, intake_each each, void *self,
                    struct intake_log **out, enum segment_refusal *why, struct error *err)
{
    int rc = intake_log_look(config, each, self, out, why, err);

    if (rc != 0)
        return rc;
    rc = intake_log_write(*out, err);
    if (rc == 0)
        return 0;
    *why = SEGMENT_REFUSED_WORLD;
    intake_log_destroy(*out);
    *out = NULL;
    return rc;
}

/* Behind the damage lie pushes that were answered, which the journal goes by: without them a
 * recovery would come to something else, so there is no going on from before it. */
void intake_log_way_out(struct error *err)
{
    const struct error what = *err;

    error_set(err,
              "%.1500s; put back the file as it was, or the whole directory from one copy, or give "
              "this run a data directory of its own: tocsin audit and tocsin digest --incidents "
              "still read this one",
              what.text);
}

/* ---- the thread ---- */

/* Takes posts off the queue: all, or as many as make a frame. The lock is held. */
static struct intake_post *take_posts(struct intake_log *log, size_t *bytes, uint32_t *count)
{
    struct intake_post *first = log->first, *post = first, **end = &first;

    *bytes = INTAKE_FRONT_BYTES;
    *count = 0;
    while (post != NULL && (*count == 0 || *bytes + post->bytes.count <= FRAME_BYTES)) {
        *bytes += post->bytes.count;
        *count += post->count;
        end = &post->next;
        post = post->next;
    }
    log->first = post;
    if (post == NULL)
        log->last = &log->first;
    *end = NULL;
    return first;
}

static char *make_frame(const struct intake_log *log, const struct intake_post *posts, size_t bytes,
                        uint32_t count)
{
    char *payload = memory_alloc(bytes), *at = payload + INTAKE_FRONT_BYTES;

    intake_frame_front(payload, log->next, count);
    for (const struct intake_post *post = posts; post != NULL; post = post->next) {
        memcpy(at, post->bytes.at, post->bytes.count);
        at += post->bytes.count;
    }
    return payload;
}

/* Appends and syncs; takes the payload. 0, or a negative errno with a sentence. */
static int write_frame(struct intake_log *log, char *payload, size_t bytes, int64_t *at_ms,
                       struct error *err)
{
    int64_t now_ms = log->hooks.stamp_ms(log->hooks.self), wall_ms = host_wall_ms();
    uint64_t frame;
    int rc;

    *at_ms = now_ms > log->last_ms ? now_ms : log->last_ms;
    intake_frame_stamp(payload, bytes, *at_ms, wall_ms);
    rc = segment_log_append(log->log, FRAME_KIND, payload, bytes, &frame, err);
    if (rc == 0)
        rc = segment_log_sync(log->log, err);
    if (rc == 0 && log->hooks.settle != NULL && !log->hooks.settle(log->hooks.self, frame, err)) {
        log->is_lost = true; /* it stands in the file, and its position is not given again */
        rc = -EIO;
    }
    /* The disk may hold it all the same: only what was never written is known to be gone. */
    if (rc == -ENOSPC && segment_log_is_broken(log->log))
        rc = -EIO;
    if (rc != 0) {
        free(payload);
        payload = NULL;
    } else {
        log->last_ms = *at_ms;
        pthread_mutex_lock(&log->lock);
        intake_places_add(&log->places, &(struct intake_place){frame, log->next, wall_ms},
                          segment_log_segment_begins(log->log) == frame, bytes);
        count_first(log);
        pthread_mutex_unlock(&log->lock);
    }
    log->hooks.kept(log->hooks.self, payload, payload != NULL ? bytes : 0);
    return rc;
}

static void tell_posts(struct intake_post *post, int rc, const struct error *err, uint64_t position,
                       int64_t at_ms)
{
    while (post != NULL) {
        struct intake_post *next = post->next;
        post->rc = rc;
        post->why = *err;
        post->first = position;
        post->at_ms = at_ms;
        post->next = NULL;
        position += post->count;
        post->done(post->self, post);
        post = next;
    }
}

static bool is_broken(const struct intake_log *log)
{
    return log->is_lost || segment_log_is_broken(log->log);
}

/* One frame, from its posts to their answers; the lock is held before and after. `waited`: bytes of
 * them that were counted as waiting. */
static void write_posts(struct intake_log *log, struct intake_post *posts, size_t bytes,
                        uint32_t count, uint64_t waited)
{
    struct intake_log_counters *counters = &log->counters;
    struct error err = {""};
    int64_t at_ms = 0;
    uint64_t first = log->next, posts_refused = 0;
    int rc;

    pthread_mutex_unlock(&log->lock);
    rc = write_frame(log, make_frame(log, posts, bytes, count), bytes, &at_ms, &err);
    if (rc == 0)
        log->next += count;
    for (const struct intake_post *post = posts; rc != 0 && post != NULL; post = post->next)
        posts_refused++;
    pthread_mutex_lock(&log->lock);
    counters->waiting_bytes -= waited;
    counters->refused += posts_refused;
    counters->records += rc == 0 ? count : 0;
    counters->bytes += rc == 0 ? bytes : 0;
    counters->syncs += rc == 0;
    counters->is_full = rc == -ENOSPC;
    segment_log_counters(log->log, &counters->log);
    if (is_broken(log) && !counters->is_broken) {
        counters->is_broken = true;
        memcpy(log->why, err.text, sizeof(log->why));
    }
    pthread_mutex_unlock(&log->lock);
    tell_posts(posts, rc, &err, first, at_ms);
    if (is_broken(log) && !log->has_told && log->hooks.broken != NULL)
        log->hooks.broken(log->hooks.self, err.text);
    log->has_told = is_broken(log);
    pthread_mutex_lock(&log->lock);
}

static void write_waiting(struct intake_log *log)
{
    uint32_t count;
    size_t bytes;
    struct intake_post *posts = take_posts(log, &bytes, &count);

    write_posts(log, posts, bytes, count, bytes - INTAKE_FRONT_BYTES);
}

/* What the owner of the log has to say itself, between two frames; the lock is held before and
 * after. */
static void write_own(struct intake_log *log)
{
    struct intake_post *post = NULL;

    if (log->hooks.own == NULL || is_broken(log))
        return;
    pthread_mutex_unlock(&log->lock);
    post = log->hooks.own(log->hooks.self);
    pthread_mutex_lock(&log->lock);
    if (post == NULL)
        return;
    post->next = NULL;
    write_posts(log, post, INTAKE_FRONT_BYTES + post->bytes.count, post->count, 0);
}

/* Lets go of what nobody needs; the lock is held before and after. */
static void release(struct intake_log *log)
{
    uint64_t before = log->release_before;
    struct error err;
    int rc;

    log->release_before = 0;
    if (before == 0 || is_broken(log))
        return;
    pthread_mutex_unlock(&log->lock);
    rc = segment_log_release_before(log->log, before, &err);
    before = segment_log_first_frame(log->log);
    pthread_mutex_lock(&log->lock);
    log->counters.release_faults += rc != 0;
    intake_places_drop_before(&log->places, before);
    count_first(log);
    segment_log_counters(log->log, &log->counters.log);
}

static void *run(void *arg)
{
    struct intake_log *log = arg;
    const struct host *h = host();

    pthread_setname_np(pthread_self(), "tocsin-intake");
    pthread_mutex_lock(&log->lock);
    for (;;) {
        bool is_busy;
        write_own(log);
        release(log);
        if (log->first != NULL) {
            write_waiting(log);
            continue;
        }
        if (log->must_stop)
            break;
        log->is_looking = log->is_looking || log->has_call;
        log->has_call = false;
        pthread_mutex_unlock(&log->lock);
        if (log->is_looking)
            log->is_looking = log->hooks.look != NULL && log->hooks.look(log->hooks.self);
        /* The next segment is made while there is time for it. */
        is_busy = segment_log_prepare(log->log, PREPARE_BYTES);
        pthread_mutex_lock(&log->lock);
        segment_log_counters(log->log, &log->counters.log);
        pthread_mutex_unlock(&log->lock);
        if (!is_busy)
            h->waker_sleep(h->self, log->waker,
                           (log->is_looking ? LOOK_MS : SLEEP_MS) * UINT64_C(1000000));
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

int intake_log_start(struct intake_log *log, const struct intake_hooks *hooks, struct error *err)
{
    int rc;

    log->hooks = *hooks;
    log->waker = host()->waker_create(host()->self);
    rc = log->waker < 0 ? log->waker : -pthread_create(&log->thread, NULL, run, log);
    if (rc != 0)
        error_set(err, "%s: its thread cannot be started: %s", log->config.segments.folder,
                  strerrordesc_np(-rc));
    log->is_running = rc == 0;
    return rc;
}

void intake_log_stop(struct intake_log *log)
{
    if (log == NULL || !log->is_running)
        return;
    pthread_mutex_lock(&log->lock);
    log->must_stop = true;
    pthread_mutex_unlock(&log->lock);
    host()->waker_wake(host()->self, log->waker);
    pthread_join(log->thread, NULL);
    pthread_mutex_lock(&log->lock);
    log->is_running = false;
    pthread_mutex_unlock(&log->lock);
}

void intake_log_destroy(struct intake_log *log)
{
    if (log == NULL)
        return;
    intake_log_stop(log);
    segment_walk_destroy(log->walk);
    segment_log_destroy(log->log);
    if (log->waker >= 0)
        host()->close(host()->self, log->waker);
    pthread_cond_destroy(&log->done);
    pthread_mutex_destroy(&log->lock);
    free(log->places.at.at);
    free(log);
}

/* ---- posting ---- */

/* Why nothing can be posted now; 0: it can. The lock is held. */
static int refusal(const struct intake_log *log, const struct intake_post *post, struct error *err)
{
    const struct intake_log_counters *counters = &log->counters;

    if (counters->is_broken) {
        error_set(err, "%s", log->why);
        return -EIO;
    }
    if (log->must_stop || !log->is_running) {
        error_set(err, "the daemon is starting or stopping; try again");
        return -ESHUTDOWN;
    }
    if (counters->waiting_bytes > 0 &&
        counters->waiting_bytes + post->bytes.count > log->config.waiting_bytes_max) {
        error_set(err, "more is pushed than the disk takes; try again");
        return -EAGAIN;
    }
    return 0;
}

int intake_log_post(struct intake_log *log, struct intake_post *post, struct error *err)
{
    int rc;

    assert(post->count > 0);
    if (post->bytes.count + INTAKE_FRONT_BYTES > log->frame_max) {
        error_set(err, "%" PRIu32 " records of %zu bytes are too many at once", post->count,
                  post->bytes.count);
        return -EMSGSIZE;
    }
    pthread_mutex_lock(&log->lock);
    rc = refusal(log, post, err);
    if (rc == 0) {
        post->next = NULL;
        *log->last = post;
        log->last = &post->next;
        log->counters.waiting_bytes += post->bytes.count;
    } else {
        log->counters.refused++;
    }
    pthread_mutex_unlock(&log->lock);
    if (rc == 0)
        host()->waker_wake(host()->self, log->waker);
    return rc;
}

struct waiting {
    struct intake_log *log;
    bool is_done;
};

static void on_waited(void *self, struct intake_post *post)
{
    struct waiting *waiting = self;

    (void)post;
    pthread_mutex_lock(&waiting->log->lock);
    waiting->is_done = true;
    pthread_cond_broadcast(&waiting->log->done);
    pthread_mutex_unlock(&waiting->log->lock);
}

int intake_log_post_wait(struct intake_log *log, struct intake_post *post, struct error *err)
{
    struct waiting waiting = {log, false};
    int rc;

    post->done = on_waited;
    post->self = &waiting;
    rc = intake_log_post(log, post, err);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&log->lock);
    while (!waiting.is_done)
        pthread_cond_wait(&log->done, &log->lock);
    pthread_mutex_unlock(&log->lock);
    if (post->rc != 0)
        error_set(err, "%s", post->why.text);
    return post->rc;
}

void intake_log_wake(struct intake_log *log)
{
    bool is_running;

    pthread_mutex_lock(&log->lock);
    log->has_call = true;
    is_running = log->is_running;
    pthread_mutex_unlock(&log->lock);
    if (is_running)
        host()->waker_wake(host()->self, log->waker);
}

void intake_log_release_before(struct intake_log *log, uint64_t frame)
{
    pthread_mutex_lock(&log->lock);
    if (frame > log->release_before)
        log->release_before = frame;
    pthread_mutex_unlock(&log->lock);
    intake_log_wake(log);
}

/* The stamp of its first record. */
static int frame_clock(const struct segment_frame *frame, int64_t *out, struct error *err)
{
    struct intake_cursor cursor;
    struct intake_record record;
    int rc = intake_frame_begin(&cursor, frame->payload, frame->bytes, err);

    if (rc == 0)
        rc = intake_frame_next(&cursor, &record, err);
    if (rc == 1)
        *out = record.at_ms;
    return rc;
}

int intake_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                       uint64_t needed, int64_t now_ms, uint64_t *before, struct error *err)
{
    return segments_keep_before(config, keep, frame_clock, needed, now_ms, before, err);
}

uint64_t intake_log_frame_of(struct intake_log *log, uint64_t position)
{
    uint64_t frame = 0;
    size_t i;

    pthread_mutex_lock(&log->lock);
    i = intake_places_find(&log->places, position, false);
    if (i < log->places.at.count)
        frame = log->places.at.at[i].frame;
    pthread_mutex_unlock(&log->lock);
    return frame;
}

uint64_t intake_log_first(const struct intake_log *log)
{
    return log->counters.first;
}

uint64_t intake_log_next(const struct intake_log *log)
{
    return log->next;
}

uint64_t intake_log_frame(const struct intake_log *log)
{
    return segment_log_next_frame(log->log) - 1;
}

void intake_log_counters(struct intake_log *log, struct intake_log_counters *out)
{
    pthread_mutex_lock(&log->lock);
    *out = log->counters;
    pthread_mutex_unlock(&log->lock);
}
