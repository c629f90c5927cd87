/* intake_keep.c - see intake_keep.h. */
#include "daemon/intake_keep.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "daemon/log.h"
#include "daemon/silences.h"
#include "daemon/unit.h"

enum {
    /* A checkpoint comes at most so often, and takes at most such a part of the log. */
    CHECKPOINTS_PER_SEGMENT = 64,
    CHECKPOINT_SHARE = 8,
    RECORD_BYTES = 40, /* of one without its texts */
};

struct intake_keep {
    struct intake_keep_options options;
    struct intake_log *log;
    struct silences silences; /* as of the log's end: setup, then the log's thread */
    bool is_too_large;        /* for a checkpoint; the same: said once */
    pthread_mutex_t lock;
    /* Under the lock: */
    bool has_checkpoint, is_wanted;
    uint64_t checkpoint; /* its position */
    uint64_t bytes;      /* of records since */
    uint64_t its_bytes;
    _Atomic uint64_t checkpoints; /* relaxed: a report */
};

struct intake_keep *intake_keep_create(const struct intake_keep_options *options)
{
    struct intake_keep *keep = calloc(1, sizeof(*keep));

    if (keep == NULL)
        return NULL;
    keep->options = *options;
    pthread_mutex_init(&keep->lock, NULL);
    return keep;
}

void intake_keep_destroy(struct intake_keep *keep)
{
    if (keep == NULL)
        return;
    silences_release(&keep->silences);
    pthread_mutex_destroy(&keep->lock);
    free(keep);
}

void intake_keep_read(struct intake_keep *keep, const struct intake_record *record)
{
    silences_take(&keep->silences, record);
    pthread_mutex_lock(&keep->lock);
    keep->bytes +=
        RECORD_BYTES + record->who.len + record->from.len + record->what.len + record->body.len;
    if (record->kind == INTAKE_CHECKPOINT) {
        keep->has_checkpoint = true;
        keep->checkpoint = record->position;
        keep->its_bytes = record->body.len;
        keep->bytes = 0;
    }
    pthread_mutex_unlock(&keep->lock);
}

void intake_keep_begin(struct intake_keep *keep, struct intake_log *log)
{
    keep->log = log;
}

void intake_keep_kept(struct intake_keep *keep, const char *payload, size_t bytes)
{
    struct intake_cursor cursor;
    struct intake_record record;
    struct error ignored; /* it was made here */

    if (intake_frame_begin(&cursor, payload, bytes, &ignored) != 0)
        return;
    while (intake_frame_next(&cursor, &record, &ignored) == 1)
        intake_keep_read(keep, &record);
}

static void on_done(void *self, struct intake_post *post)
{
    struct intake_keep *keep = self;

    /* Where it could not be kept, the next snapshot asks again. */
    atomic_fetch_add_explicit(&keep->checkpoints, post->rc == 0, memory_order_relaxed);
    intake_post_destroy(post);
}

/* 500 silences of 16 KiB each are more than a record holds: the log is kept whole for as long. */
static void tell_too_large(struct intake_keep *keep)
{
    if (!keep->is_too_large)
        log_event(LOG_WARNING, "intake_not_recycled",
                  log_text("why", "the silences made by hand are too large for a checkpoint"),
                  log_text("next", "the intake log grows until some have ended"));
    keep->is_too_large = true;
}

struct intake_post *intake_keep_own(struct intake_keep *keep)
{
    struct intake_post *post = NULL;
    json_t *body;
    char *text;
    bool is_wanted;

    pthread_mutex_lock(&keep->lock);
    is_wanted = keep->is_wanted;
    keep->is_wanted = false;
    pthread_mutex_unlock(&keep->lock);
    if (!is_wanted)
        return NULL;
    body = silences_checkpoint(&keep->silences);
    text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(body);
    if (text != NULL && strlen(text) > INTAKE_BODY_BYTES_MAX)
        tell_too_large(keep);
    else if (text != NULL && (post = intake_post_create()) != NULL) {
        intake_post_add(post, &(struct intake_record){.kind = INTAKE_CHECKPOINT,
                                                      .who = text_of("tocsin"),
                                                      .what = text_of(INTAKE_CHECKPOINT_WHAT),
                                                      .body = text_of(text)});
        post->done = on_done;
        post->self = keep;
    }
    free(text);
    return post;
}

/* Position before which nothing is needed; 0: nothing is known to be. */
static uint64_t needed_from(struct intake_keep *keep, uint64_t low)
{
    uint64_t owed = owed_acts_oldest(keep->options.owed), position = 0;
    bool asks;

    pthread_mutex_lock(&keep->lock);
    asks = keep->bytes >= keep->options.segments->segment_bytes / CHECKPOINTS_PER_SEGMENT &&
           keep->bytes >= keep->its_bytes * CHECKPOINT_SHARE;
    keep->is_wanted |= asks;
    if (keep->has_checkpoint)
        position = keep->checkpoint < low ? keep->checkpoint : low;
    pthread_mutex_unlock(&keep->lock);
    if (asks)
        intake_log_wake(keep->log);
    return owed < position ? owed : position;
}

uint64_t intake_keep_floor(struct intake_keep *keep, uint64_t low)
{
    uint64_t position = needed_from(keep, low);

    return position > 0 ? intake_log_frame_of(keep->log, position) : 0;
}

void intake_keep_release(struct intake_keep *keep, uint64_t low, int64_t now_ms)
{
    uint64_t needed = intake_keep_floor(keep, low), before = 0;
    struct error err = {""};

    if (keep->options.unit != NULL &&
        unit_release_floor(keep->options.unit, SHARED_INTAKE) < needed)
        needed = unit_release_floor(keep->options.unit, SHARED_INTAKE);
    if (needed == 0)
        return;
    if (intake_keep_before(keep->options.segments, &keep->options.keep, needed, now_ms, &before,
                           &err) != 0)
        log_event(LOG_ERROR, "intake_not_recycled", log_text("why", err.text),
                  log_text("next", "the intake log grows until a later snapshot succeeds in it"));
    else if (before > 0)
        intake_log_release_before(keep->log, before);
}

uint64_t intake_keep_checkpoints(const struct intake_keep *keep)
{
    return atomic_load_explicit(&keep->checkpoints, memory_order_relaxed);
}
