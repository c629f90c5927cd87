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
#include "store/segment_format.h"

enum {
    FRAME_BYTES = 1 << 20, /* beyond this no further post is taken into one */
    FRAME_KIND = 1,
    PREPARE_BYTES = 256 << 10,
    PLACE_BYTES = 4 << 10, /* between two places that are known by heart */
    LOOK_MS = 10,
    SLEEP_MS = 1000,
};

struct frame_front {
    uint64_t first;
    uint32_t count;
    uint32_t pad;
};

struct record_front {
    uint32_t bytes; /* of the whole record, zeros behind it included */
    uint16_t kind;
    uint16_t who_bytes;
    int64_t at_ms, wall_ms;
    uint64_t of;
    uint16_t from_bytes, what_bytes;
    uint32_t body_bytes;
};

_Static_assert(sizeof(struct frame_front) == 16, "written to files");
_Static_assert(sizeof(struct record_front) == 40, "written to files");

/* Where a frame lies among the positions. */
struct place {
    uint64_t frame, position;
    int64_t wall_ms;
};

struct places {
    VECTOR_OF(struct place) at; /* the oldest first */
    uint64_t bytes;             /* of frames since the last one */
};

struct intake_log {
    struct intake_log_config config;
    struct intake_hooks hooks;
    struct segment_log *log; /* intake thread */
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
    struct places places;
    char why[ERROR_TEXT_BYTES]; /* it is broken */
    struct intake_log_counters counters;
};

/* ---- frames ---- */

static int damaged(struct error *err, uint64_t position, const char *what)
{
    error_set(err, "record %" PRIu64 " %s", position, what);
    return -EBADMSG;
}

int intake_frame_begin(struct intake_cursor *cursor, const char *payload, size_t bytes,
                       struct error *err)
{
    struct frame_front front;

    if (bytes < sizeof(front))
        return damaged(err, 0, "is cut off");
    memcpy(&front, payload, sizeof(front));
    *cursor =
        (struct intake_cursor){payload + sizeof(front), payload + bytes, front.first, front.count};
    return 0;
}

int intake_frame_next(struct intake_cursor *cursor, struct intake_record *out, struct error *err)
{
    size_t room = (size_t)(cursor->end - cursor->at);
    struct record_front front;
    const char *at;
    uint64_t needed;

    if (cursor->left == 0)
        return room == 0 ? 0 : damaged(err, cursor->position, "is not counted");
    if (room < sizeof(front))
        return damaged(err, cursor->position, "is cut off");
    memcpy(&front, cursor->at, sizeof(front));
    needed = sizeof(front) + (uint64_t)front.who_bytes + front.from_bytes + front.what_bytes +
             front.body_bytes;
    if (front.bytes > room || front.bytes % 8 != 0 || needed > front.bytes ||
        front.bytes - needed >= 8)
        return damaged(err, cursor->position, "has lengths that do not fit");
    if (front.kind == 0 || front.kind >= INTAKE_KIND_COUNT)
        return damaged(err, cursor->position, "is of a kind that is not known here");
    at = cursor->at + sizeof(front);
    *out = (struct intake_record){
        .position = cursor->position,
        .at_ms = front.at_ms,
        .wall_ms = front.wall_ms,
        .of = front.of,
        .kind = (enum intake_kind)front.kind,
        .who = {at, front.who_bytes},
        .from = {at + front.who_bytes, front.from_bytes},
        .what = {at + front.who_bytes + front.from_bytes, front.what_bytes},
        .body = {at + front.who_bytes + front.from_bytes + front.what_bytes, front.body_bytes}};
    cursor->at += front.bytes;
    cursor->position++;
    cursor->left--;
    return 1;
}

/* ---- posts ---- */

struct intake_post *intake_post_create(void)
{
    return calloc(1, sizeof(struct intake_post));
}

void intake_post_destroy(struct intake_post *post)
{
    if (post == NULL)
        return;
    free(post->bytes.at);
    free(post);
}

static void add_text(struct intake_post *post, struct text text)
{
    if (text.len > 0)
        memcpy(post->bytes.at + post->bytes.count, text.at, text.len);
    post->bytes.count += text.len;
}

static struct text cut(struct text text, uint32_t most)
{
    return text.len > most ? (struct text){text.at, most} : text;
}

void intake_post_add(struct intake_post *post, const struct intake_record *record)
{
    struct text who = cut(record->who, INTAKE_WORD_BYTES_MAX);
    struct text from = cut(record->from, INTAKE_WORD_BYTES_MAX);
    struct text what = cut(record->what, INTAKE_WORD_BYTES_MAX);
    size_t used = sizeof(struct record_front) + who.len + from.len + what.len + record->body.len;
    size_t bytes = (used + 7) & ~(size_t)7;
    const struct record_front front = {.bytes = (uint32_t)bytes,
                                       .kind = (uint16_t)record->kind,
                                       .who_bytes = (uint16_t)who.len,
                                       .of = record->of,
                                       .from_bytes = (uint16_t)from.len,
                                       .what_bytes = (uint16_t)what.len,
                                       .body_bytes = record->body.len};

    assert(record->body.len <= INTAKE_BODY_BYTES_MAX);
    vector_reserve(&post->bytes, bytes);
    memcpy(post->bytes.at + post->bytes.count, &front, sizeof(front));
    post->bytes.count += sizeof(front);
    add_text(post, who);
    add_text(post, from);
    add_text(post, what);
    add_text(post, record->body);
    memset(post->bytes.at + post->bytes.count, 0, bytes - used);
    post->bytes.count += bytes - used;
    post->count++;
}

/* Into each record of a frame's payload. */
static void stamp(char *payload, size_t bytes, int64_t at_ms, int64_t wall_ms)
{
    size_t at = sizeof(struct frame_front);

    while (at < bytes) {
        struct record_front front;
        memcpy(&front, payload + at, sizeof(front));
        front.at_ms = at_ms;
        front.wall_ms = wall_ms;
        memcpy(payload + at, &front, sizeof(front));
        at += front.bytes;
    }
}

/* ---- places ---- */

/* The frame that comes behind all others; one that begins a segment is always known. */
static void place_add(struct places *places, const struct place *place, bool begins_segment,
                      size_t bytes)
{
    if (begins_segment || places->bytes >= PLACE_BYTES) {
        vector_add(&places->at) = *place;
        places->bytes = 0;
    }
    places->bytes += bytes;
}

/* The last place at or before; count: there is none. */
static size_t place_find(const struct places *places, uint64_t number, bool is_frame)
{
    size_t low = 0, high = places->at.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct place *place = &places->at.at[middle];
        if ((is_frame ? place->frame : place->position) <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : places->at.count;
}

/* ---- reading ---- */

struct reading {
    intake_each each;
    void *self;
    struct places *places; /* NULL: nobody asks for them */
    uint64_t next;
    int64_t last_ms;
    bool has_begun;
};

/* One frame's records. */
static int read_frame(struct reading *reading, const struct segment_frame *frame, struct error *err)
{
    struct intake_cursor cursor;
    struct intake_record record;
    struct error why = {""};
    int rc = intake_frame_begin(&cursor, frame->payload, frame->bytes, &why);
    bool is_first = true;

    /* What was before the first frame that is there has been let go of. */
    if (rc == 0 && cursor.position != reading->next && (reading->has_begun || frame->number == 1))
        rc = damaged(&why, cursor.position, "is not the next one");
    reading->has_begun = true;
    while (rc == 0 && (rc = intake_frame_next(&cursor, &record, &why)) == 1) {
        if (is_first && reading->places != NULL)
            place_add(reading->places,
                      &(struct place){frame->number, record.position, record.wall_ms},
                      frame->at == SEGMENT_HEAD_BYTES, frame->bytes);
        is_first = false;
        reading->next = cursor.position;
        reading->last_ms = record.at_ms;
        if (reading->each != NULL)
            reading->each(reading->self, &record);
        rc = 0;
    }
    if (rc < 0)
        error_set(err, "%s: byte %" PRIu64 ": %s", frame->file, frame->at, why.text);
    return rc;
}

/* Reads all there is; the walk is the caller's, also when it fails. */
static int read_all(const struct segment_config *config, struct reading *reading,
                    struct segment_walk **walk, enum segment_refusal *why, struct error *err)
{
    struct segment_frame frame;
    int rc;

    *walk = NULL;
    rc = segment_walk_create(config, walk, why, err);
    if (rc != 0)
        return rc;
    while ((rc = segment_walk_next(*walk, &frame, err)) == 1) {
        rc = read_frame(reading, &frame, err);
        if (rc != 0) {
            *why = SEGMENT_REFUSED_DAMAGED;
            return rc;
        }
    }
    *why = segment_walk_refusal(*walk);
    return rc;
}

int intake_log_read(const struct segment_config *config, intake_each each, void *self,
                    struct segment_end *end, enum segment_refusal *why, struct error *err)
{
    struct reading reading = {.each = each, .self = self, .last_ms = INT64_MIN};
    struct segment_walk *walk;
    int rc = read_all(config, &reading, &walk, why, err);

    if (rc == 0 && end != NULL) {
        *end = *segment_walk_end(walk);
        end->places = NULL;
    }
    segment_walk_destroy(walk);
    return rc;
}

/* The lock is held, or nobody else is there. */
static void count_first(struct intake_log *log)
{
    const struct places *places = &log->places;

    if (places->at.count == 0)
        return;
    log->counters.first = places->at.at[0].position;
    log->counters.first_wall_ms = places->at.at[0].wall_ms;
}

int intake_log_open(const struct intake_log_config *config, intake_each each, void *self,
                    struct intake_log **out, enum segment_refusal *why, struct error *err)
{
    struct intake_log *log = calloc(1, sizeof(*log));
    struct reading reading = {.each = each, .self = self, .last_ms = INT64_MIN};
    struct segment_walk *walk = NULL;
    int rc = -ENOMEM;

    *why = SEGMENT_REFUSED_WORLD;
    if (log == NULL) {
        error_set(err, "%s: out of memory", config->segments.folder);
        return rc;
    }
    log->config = *config;
    log->waker = -1;
    log->last = &log->first;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->done, NULL);
    reading.places = &log->places;
    rc = read_all(&config->segments, &reading, &walk, why, err);
    if (rc != 0)
        goto out;
    count_first(log);
    log->next = reading.next;
    log->last_ms = reading.last_ms;
    log->counters.torn_bytes = segment_walk_end(walk)->torn_bytes;
    *why = SEGMENT_REFUSED_WORLD;
    rc = segment_log_open(&config->segments, segment_walk_end(walk), &log->log, err);
    if (rc == 0) {
        log->frame_max = segment_log_payload_max(log->log);
        segment_log_counters(log->log, &log->counters.log);
    }
out:
    segment_walk_destroy(walk);
    if (rc != 0) {
        intake_log_destroy(log);
        return rc;
    }
    *why = SEGMENT_REFUSED_NOT;
    *out = log;
    return 0;
}

/* ---- the thread ---- */

/* Takes posts off the queue: all, or as many as make a frame. The lock is held. */
static struct intake_post *take_posts(struct intake_log *log, size_t *bytes, uint32_t *count)
{
    struct intake_post *first = log->first, *post = first, **end = &first;

    *bytes = sizeof(struct frame_front);
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
    const struct frame_front front = {.first = log->next, .count = count};
    char *payload = memory_alloc(bytes), *at = payload;

    memcpy(at, &front, sizeof(front));
    at += sizeof(front);
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
    stamp(payload, bytes, *at_ms, wall_ms);
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
        place_add(&log->places, &(struct place){frame, log->next, wall_ms},
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

    write_posts(log, posts, bytes, count, bytes - sizeof(struct frame_front));
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
    write_posts(log, post, sizeof(struct frame_front) + post->bytes.count, post->count, 0);
}

/* Lets go of what nobody needs; the lock is held before and after. */
static void release(struct intake_log *log)
{
    uint64_t before = log->release_before;
    size_t first;
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
    first = place_find(&log->places, before, true);
    if (first < log->places.at.count) {
        log->places.at.count -= first;
        memmove(log->places.at.at, log->places.at.at + first,
                log->places.at.count * sizeof(log->places.at.at[0]));
    }
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
    if (post->bytes.count + sizeof(struct frame_front) > log->frame_max) {
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
    i = place_find(&log->places, position, false);
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
