/*
 * intake.c - see intake.h.
 *
 * A push is applied when the engine has told all up to its stamp, and the journal has made durable
 * what it was handed up to then: a push may change nothing, and then there is no change to look
 * for.
 */
#include "daemon/intake.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "daemon/command.h"
#include "daemon/intake_body.h"
#include "daemon/intake_keep.h"
#include "daemon/log.h"
#include "daemon/owed_acts.h"
#include "daemon/unit.h"
#include "daemon/units.h"
#include "ingest/decoder.h"
#include "ingest/intake_act.h"
#include "ingest/intake_source.h"

enum { WAITING_MAX = 4096, ANSWER_BYTES = 512, SEGMENTS_LEAST = 8, BODIES_PER_SEGMENT = 8 };

/* One request, from its post to its answer. */
struct push {
    struct intake *intake;
    struct admin_reply *reply;
    int64_t wait_ms;
    uint32_t records;
    uint64_t events;
};

/* One that waits for being applied, or for something else to be so. */
struct waiter {
    struct push *push; /* owned; NULL: an act */
    uint64_t position;
    int64_t at_ms;
    uint64_t end_ns;
    bool is_told; /* by the engine; then `durable_ms` is what has to be durable */
    int64_t durable_ms;
    struct intake_until until; /* of an act; its text is owned */
};

struct intake {
    struct intake_options options;
    char folder[DATA_DIR_PATH_BYTES];
    struct segment_config segments;
    struct intake_log *log;
    struct source *source; /* ours, with the engine's inside; the engine's owner closes it */
    struct engine *engine;
    struct decoder *decoder; /* admin thread */
    struct silences silences;
    struct owed_acts *owed;
    struct intake_keep *keep;
    pthread_mutex_t waiters_lock;
    VECTOR_OF(struct waiter) waiters;         /* under it */
    bool is_stopped;                          /* the same: nobody looks any more */
    _Atomic int64_t stepped_ms, committed_ms; /* relaxed: each is looked at until it is enough */
    _Atomic bool is_broken;                   /* released behind `why` */
    struct error why;
    /* relaxed: reports. Each has one writer. */
    _Atomic uint64_t pushes, push_events, acts, refused_bad, refused_full, waiting;
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- life ---- */

static void on_record(void *self, const struct intake_record *record)
{
    struct intake *intake = self;

    silences_take(&intake->silences, record);
    owed_acts_read(intake->owed, record);
    intake_keep_read(intake->keep, record);
}

uint32_t intake_segment_bytes(uint64_t bytes_max, uint64_t body_max)
{
    uint64_t most = bytes_max > 0 ? bytes_max / SEGMENTS_LEAST : INTAKE_SEGMENT_BYTES;
    uint64_t least = BODIES_PER_SEGMENT * body_max;

    most = most > least ? most : least;
    if (most > INTAKE_SEGMENT_BYTES)
        most = INTAKE_SEGMENT_BYTES;
    if (most < SEGMENT_BYTES_MIN)
        most = SEGMENT_BYTES_MIN;
    return (uint32_t)(most & ~(uint64_t)4095);
}

int intake_open(const struct intake_options *options, struct intake **out, struct error *err)
{
    struct intake *intake = memory_alloc(sizeof(*intake));
    struct intake_log_config config = {.waiting_bytes_max = options->backlog_max};
    enum segment_refusal why;

    *intake = (struct intake){.options = *options};
    pthread_mutex_init(&intake->waiters_lock, NULL);
    intake->decoder = decoder_create();
    intake->owed = owed_acts_create();
    intake->keep = intake_keep_create(&(struct intake_keep_options){.segments = &intake->segments,
                                                                    .keep = options->keep,
                                                                    .unit = options->unit,
                                                                    .owed = intake->owed});
    if (intake->decoder == NULL || intake->owed == NULL || intake->keep == NULL) {
        intake_close(intake);
        error_set(err, "out of memory for the intake");
        return EXIT_SYSTEM;
    }
    atomic_init(&intake->stepped_ms, INT64_MIN);
    atomic_init(&intake->committed_ms, INT64_MIN);
    data_dir_folder(options->dir, "intake", intake->folder);
    intake->segments = (struct segment_config){
        .folder = intake->folder,
        .kind = "intake",
        .directory = options->dir->id,
        .segment_bytes = intake_segment_bytes(options->keep.bytes_max, options->body_max)};
    config.segments = intake->segments;
    if (intake_log_look(&config, on_record, intake, &intake->log, &why, err) != 0) {
        intake_close(intake);
        if (why == SEGMENT_REFUSED_WORLD || why == SEGMENT_REFUSED_NOT)
            return EXIT_IO;
        intake_log_way_out(err);
        return EXIT_DATA;
    }
    owed_acts_begin(intake->owed, 0, intake_log_next(intake->log));
    intake_keep_begin(intake->keep, intake->log);
    *out = intake;
    return EXIT_OK;
}

uint64_t intake_next(const struct intake *intake)
{
    return intake_log_next(intake->log);
}

int intake_begin(struct intake *intake, struct error *err)
{
    struct intake_log_counters counters;

    if (intake_log_write(intake->log, err) != 0)
        return EXIT_IO;
    intake_log_counters(intake->log, &counters);
    if (counters.torn_bytes > 0)
        log_event(LOG_WARNING, "intake_tail_cut", log_number("bytes", (int64_t)counters.torn_bytes),
                  log_text("next", "whoever pushed it was not told that it was kept"));
    return EXIT_OK;
}

int intake_source_over(struct intake *intake, const uint64_t *first, struct source *inner,
                       struct source **out, struct error *err)
{
    const uint64_t begins = intake_log_first(intake->log), next = intake_log_next(intake->log);
    const struct intake_source_config config = {
        .segments = intake->segments, .next = next, .first = first != NULL ? *first : begins};

    if (config.first < begins) {
        error_set(err,
                  "%s: it begins with record %" PRIu64 ", and the snapshot that is gone on from "
                  "needs it from record %" PRIu64 " on: put back the files of a copy, or give this "
                  "run a data directory of its own",
                  intake->folder, begins, config.first);
        return EXIT_DATA;
    }
    if (intake_source_create(inner, &config, out, err) != 0)
        return EXIT_SYSTEM;
    owed_acts_begin(intake->owed, config.first, next);
    intake->source = *out;
    return EXIT_OK;
}

uint64_t intake_floor(struct intake *intake, uint64_t low)
{
    return intake_keep_floor(intake->keep, low);
}

void intake_release(struct intake *intake, uint64_t low, int64_t now_ms)
{
    intake_keep_release(intake->keep, low, now_ms);
}

static int64_t on_stamp(void *self)
{
    struct intake *intake = self;

    intake_source_expect(intake->source);
    return engine_stamp(intake->engine);
}

/* S1: with a standby what is pushed counts when that one can have it. */
static bool on_settle(void *self, uint64_t frame, struct error *err)
{
    struct intake *intake = self;

    if (unit_settle(intake->options.unit, SHARED_INTAKE, frame))
        return true;
    error_set(err, "the unit has another owner; ask that one");
    return false;
}

static void on_kept(void *self, char *payload, size_t bytes)
{
    struct intake *intake = self;

    if (payload != NULL)
        intake_keep_kept(intake->keep, payload, bytes);
    intake_source_give(intake->source, payload, bytes);
}

static struct intake_post *on_own(void *self)
{
    return intake_keep_own(((struct intake *)self)->keep);
}

static void on_broken(void *self, const char *why)
{
    struct intake *intake = self;

    error_set(&intake->why, "%s", why);
    /* V, release end: the sentence stands. unseen by tsan: no test breaks the intake of a daemon.
     */
    atomic_store_explicit(&intake->is_broken, true, memory_order_release);
}

int intake_verdict(struct intake *intake, struct error *why)
{
    /* V, acquire end. unseen by tsan: as above. */
    if (!atomic_load_explicit(&intake->is_broken, memory_order_acquire))
        return EXIT_OK;
    error_set(why, "%s", intake->why.text);
    return EXIT_IO;
}

void intake_stepped(struct intake *intake, int64_t to_ms)
{
    atomic_store_explicit(&intake->stepped_ms, to_ms, memory_order_relaxed);
}

void intake_committed(struct intake *intake, int64_t to_ms)
{
    atomic_store_explicit(&intake->committed_ms, to_ms, memory_order_relaxed);
}

/* ---- answers ---- */

enum applied { APPLIED_UNASKED, APPLIED, APPLIED_NOT_YET };

/* Answers a push that is kept, and lets it go. */
static void answer_kept(struct push *push, uint64_t position, int64_t at_ms, enum applied applied)
{
    char *text = malloc(ANSWER_BYTES), at[UNIT_TEXT_BYTES];
    int bytes = 0;

    if (text != NULL)
        bytes = snprintf(text, ANSWER_BYTES,
                         "{\"position\":\"" INTAKE_TOPIC "/%" PRIu64 "\",\"records\":%" PRIu32
                         ",\"events\":%" PRIu64 ",\"at\":\"%s\"%s}\n",
                         position, push->records, push->events, unit_format_time(at_ms, at),
                         applied == APPLIED           ? ",\"applied\":true"
                         : applied == APPLIED_NOT_YET ? ",\"applied\":false"
                                                      : "");
    admin_answer(push->reply, applied == APPLIED_NOT_YET ? 202 : 200, ADMIN_JSON, text,
                 (size_t)bytes);
    free(push);
}

/* What has been told and what is durable by now. */
static bool is_applied(struct intake *intake, struct waiter *waiter)
{
    if (!waiter->is_told) {
        int64_t told_ms = engine_told(intake->engine);
        if (told_ms <= waiter->at_ms)
            return false;
        waiter->is_told = true;
        waiter->durable_ms = atomic_load_explicit(&intake->stepped_ms, memory_order_relaxed);
    }
    return atomic_load_explicit(&intake->committed_ms, memory_order_relaxed) >= waiter->durable_ms;
}

static bool is_over(struct intake *intake, struct waiter *waiter)
{
    return waiter->push != NULL ? is_applied(intake, waiter)
                                : waiter->until.is_so(waiter->until.self, waiter->until.what);
}

static void answer_waiter(struct waiter *waiter, bool is_done)
{
    const struct intake_until *until = &waiter->until;

    if (waiter->push != NULL)
        answer_kept(waiter->push, waiter->position, waiter->at_ms,
                    is_done ? APPLIED : APPLIED_NOT_YET);
    else
        admin_answer(until->reply, is_done ? 200 : 202, ADMIN_JSON, until->text,
                     strlen(until->text));
}

/* What came of an act is on record, or cannot be. */
static void on_settled(void *self, struct intake_post *post)
{
    struct owed_act *act = self;

    intake_post_destroy(post);
    owed_act_answer(act);
    owed_act_free(act);
}

/* Everything that came of an act is durable: that goes on record, and then who waits is told. */
static void settle_act(void *self, struct owed_act *act)
{
    struct intake *intake = self;
    struct intake_post *post = intake_post_create();
    const char *what = act->closes ? ACT_CLOSE : ACT_ACKNOWLEDGE;
    const char *body = !act->was_open ? "{\"ok\":false,\"why\":\"it was not open any more\"}"
                       : act->closes  ? "{\"ok\":true,\"result\":\"closed\"}"
                                      : "{\"ok\":true,\"result\":\"acknowledged\"}";
    struct error err;

    if (post != NULL) {
        intake_post_add(post,
                        &(struct intake_record){.kind = INTAKE_OUTCOME,
                                                .of = act->position,
                                                .who = {act->who, (uint32_t)strlen(act->who)},
                                                .from = {act->from, (uint32_t)strlen(act->from)},
                                                .what = {what, (uint32_t)strlen(what)},
                                                .body = {body, (uint32_t)strlen(body)}});
        post->done = on_settled;
        post->self = act;
        if (intake_log_post(intake->log, post, &err) == 0)
            return;
    }
    intake_post_destroy(post);
    owed_act_answer(act); /* it is so, and the next start puts it on record */
    owed_act_free(act);
}

static bool on_look(void *self)
{
    struct intake *intake = self;
    uint64_t now_ns = host_mono_ns();
    size_t kept = 0;

    pthread_mutex_lock(&intake->waiters_lock);
    for (size_t i = 0; i < intake->waiters.count; i++) {
        struct waiter *waiter = &intake->waiters.at[i];
        bool is_done = is_over(intake, waiter);
        if (is_done || now_ns >= waiter->end_ns)
            answer_waiter(waiter, is_done);
        else
            intake->waiters.at[kept++] = *waiter;
    }
    intake->waiters.count = kept;
    pthread_mutex_unlock(&intake->waiters_lock);
    atomic_store_explicit(&intake->waiting, kept, memory_order_relaxed);
    bool owes = owed_acts_look(intake->owed,
                               atomic_load_explicit(&intake->committed_ms, memory_order_relaxed),
                               settle_act, intake);
    return owes || kept > 0;
}

/* It is answered by the next looks, or at once where there are too many, or none come any more. */
static void wait_for(struct intake *intake, struct waiter *waiter, int64_t wait_ms)
{
    bool is_taken;

    waiter->end_ns = host_mono_ns() + (uint64_t)wait_ms * 1000000u;
    pthread_mutex_lock(&intake->waiters_lock);
    is_taken = !intake->is_stopped && intake->waiters.count < WAITING_MAX;
    if (is_taken)
        vector_add(&intake->waiters) = *waiter;
    pthread_mutex_unlock(&intake->waiters_lock);
    if (is_taken)
        intake_log_wake(intake->log);
    else
        answer_waiter(waiter, false);
}

void intake_answer_when(struct intake *intake, const struct intake_until *until)
{
    wait_for(intake, &(struct waiter){.until = *until}, INTAKE_WAIT_MS);
}

static void answer_refused(struct intake *intake, struct admin_reply *reply, int code,
                           const struct error *why)
{
    count(code == 503 ? &intake->refused_full : &intake->refused_bad, 1);
    admin_answer_sentence(reply, code, why->text);
}

static const char *reason_of(int rc)
{
    return rc == -ENOSPC ? "the disk is full, so it was not kept; try again when there is room"
                         : "it could not be made durable";
}

static void on_posted(void *self, struct intake_post *post)
{
    struct push *push = self;
    struct intake *intake = push->intake;
    uint64_t position = post->first;
    int64_t at_ms = post->at_ms;
    int rc = post->rc;
    struct error why;

    error_set(&why, "%s: %.1000s", reason_of(rc), post->why.text);
    intake_post_destroy(post);
    if (rc != 0) {
        answer_refused(intake, push->reply, 503, &why);
        free(push);
        return;
    }
    count(&intake->pushes, 1);
    count(&intake->push_events, push->events);
    if (push->wait_ms == 0)
        answer_kept(push, position, at_ms, APPLIED_UNASKED);
    else
        wait_for(intake, &(struct waiter){.push = push, .position = position, .at_ms = at_ms},
                 push->wait_ms);
}

int intake_start(struct intake *intake, struct engine *engine, struct error *err)
{
    const struct intake_hooks hooks = {.self = intake,
                                       .stamp_ms = on_stamp,
                                       .settle = intake->options.unit != NULL ? on_settle : NULL,
                                       .kept = on_kept,
                                       .own = on_own,
                                       .look = on_look,
                                       .broken = on_broken};

    intake->engine = engine;
    return intake_log_start(intake->log, &hooks, err);
}

void intake_stop(struct intake *intake)
{
    if (intake == NULL)
        return;
    intake_log_stop(intake->log);
    pthread_mutex_lock(&intake->waiters_lock);
    intake->is_stopped = true;
    for (size_t i = 0; i < intake->waiters.count; i++)
        answer_waiter(&intake->waiters.at[i], false);
    intake->waiters.count = 0;
    pthread_mutex_unlock(&intake->waiters_lock);
    if (intake->owed != NULL)
        owed_acts_stop(intake->owed);
}

void intake_close(struct intake *intake)
{
    if (intake == NULL)
        return;
    intake_stop(intake);
    intake_log_destroy(intake->log);
    owed_acts_destroy(intake->owed);
    intake_keep_destroy(intake->keep);
    decoder_destroy(intake->decoder);
    silences_release(&intake->silences);
    free(intake->waiters.at);
    pthread_mutex_destroy(&intake->waiters_lock);
    free(intake);
}

/* ---- pushes ---- */

/* A push that is being put together. */
struct parcel {
    const struct intake_push *push;
    struct intake_post *post;
    uint64_t events;
};

static void add_record(void *self, const char *at, size_t bytes)
{
    struct parcel *parcel = self;
    const struct intake_push *push = parcel->push;

    intake_post_add(parcel->post,
                    &(struct intake_record){.kind = INTAKE_EVENTS,
                                            .who = {push->who, (uint32_t)strlen(push->who)},
                                            .from = {push->from, (uint32_t)strlen(push->from)},
                                            .what = {push->what, (uint32_t)strlen(push->what)},
                                            .body = {at, (uint32_t)bytes}});
}

/* 0 with a post, or an HTTP code with a sentence. */
static int make_post(struct intake *intake, const struct intake_push *push, struct parcel *parcel,
                     struct error *err)
{
    *parcel = (struct parcel){.push = push};
    if (push->bytes > intake->options.body_max) {
        error_set(err, "%zu bytes are more than a request may have (intake.body.max): %" PRIu64,
                  push->bytes, intake->options.body_max);
        return 413;
    }
    if (intake_source_backlog(intake->source) > intake->options.backlog_max) {
        error_set(err, "the engine is behind with what was pushed before; try again");
        return 503;
    }
    parcel->post = intake_post_create();
    if (parcel->post == NULL) {
        error_set(err, "out of memory");
        return 503;
    }
    return intake_body_read(intake->decoder, push->format, push->body, push->bytes, add_record,
                            parcel, &parcel->events, err) == 0
               ? 0
               : 400;
}

void intake_push(struct intake *intake, const struct intake_push *push)
{
    struct push *owed = malloc(sizeof(*owed));
    struct error err = {""};
    struct parcel parcel;
    int code = make_post(intake, push, &parcel, &err), rc = 0;

    if (code == 0 && owed != NULL) {
        *owed =
            (struct push){intake, push->reply, push->wait_ms, parcel.post->count, parcel.events};
        parcel.post->done = on_posted;
        parcel.post->self = owed;
        rc = intake_log_post(intake->log, parcel.post, &err);
        if (rc == 0)
            return; /* the answer follows */
        code = rc == -EMSGSIZE ? 413 : 503;
    } else if (code == 0) {
        error_set(&err, "out of memory");
        code = 503;
    }
    answer_refused(intake, push->reply, code, &err);
    intake_post_destroy(parcel.post);
    free(owed);
}

/* ---- acts ---- */

static int record_act(struct intake *intake, enum intake_kind kind, uint64_t of,
                      const struct intake_act *act, const json_t *body, struct intake_act *kept,
                      struct error *err)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    struct intake_post *post = intake_post_create();
    struct error why = {""};
    int rc = -ENOMEM;

    if (text == NULL || post == NULL) {
        error_set(err, "out of memory");
    } else {
        intake_post_add(post,
                        &(struct intake_record){.kind = kind,
                                                .of = of,
                                                .who = {act->who, (uint32_t)strlen(act->who)},
                                                .from = {act->from, (uint32_t)strlen(act->from)},
                                                .what = {act->what, (uint32_t)strlen(act->what)},
                                                .body = {text, (uint32_t)strlen(text)}});
        rc = intake_log_post_wait(intake->log, post, &why);
        if (kept != NULL) {
            kept->position = post->first;
            kept->at_ms = post->at_ms;
        }
        if (rc != 0)
            error_set(err, "it could not be recorded: %s", why.text);
    }
    intake_post_destroy(post);
    free(text);
    return rc;
}

int intake_act_begin(struct intake *intake, struct intake_act *act, const json_t *body,
                     struct error *err)
{
    int rc = record_act(intake, INTAKE_ACT, 0, act, body, act, err);

    if (rc == 0)
        count(&intake->acts, 1);
    else
        error_prefix(err, "nothing was done: ");
    return rc;
}

int intake_act_end(struct intake *intake, const struct intake_act *act, const json_t *body,
                   struct error *err)
{
    int rc = record_act(intake, INTAKE_OUTCOME, act->position, act, body, NULL, err);

    if (rc != 0)
        error_prefix(err, "it was done, but what came of it is not on record: ");
    return rc;
}

void intake_acted(struct intake *intake, const struct engine_acted *acted)
{
    owed_acts_told(intake->owed, acted);
    intake_log_wake(intake->log);
}

bool intake_may_owe(struct intake *intake)
{
    return owed_acts_has_room(intake->owed);
}

void intake_owe(struct intake *intake, const struct intake_act *act, bool closes,
                struct admin_reply *reply, char *answer)
{
    owed_acts_add(intake->owed,
                  &(struct owed_act){.position = act->position,
                                     .closes = closes,
                                     .who = (char *)(uintptr_t)act->who,
                                     .from = (char *)(uintptr_t)act->from,
                                     .reply = reply,
                                     .answer = answer,
                                     .end_ns = host_mono_ns() + INTAKE_WAIT_MS * 1000000ull});
    intake_log_wake(intake->log);
}

const struct silences *intake_silences(const struct intake *intake)
{
    return &intake->silences;
}

void intake_silences_take(struct intake *intake, const struct intake_act *act, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);

    if (text != NULL)
        silences_take(&intake->silences,
                      &(struct intake_record){.kind = INTAKE_ACT,
                                              .at_ms = act->at_ms,
                                              .what = {act->what, (uint32_t)strlen(act->what)},
                                              .body = {text, (uint32_t)strlen(text)}});
    free(text);
}

void intake_counters(struct intake *intake, struct intake_counters *out)
{
    *out = (struct intake_counters){.pushes = counted(&intake->pushes),
                                    .push_events = counted(&intake->push_events),
                                    .acts = counted(&intake->acts),
                                    .refused_bad = counted(&intake->refused_bad),
                                    .refused_full = counted(&intake->refused_full),
                                    .waiting = counted(&intake->waiting),
                                    .checkpoints = intake_keep_checkpoints(intake->keep)};
    intake_log_counters(intake->log, &out->log);
    if (intake->source != NULL)
        out->backlog_bytes = intake_source_backlog(intake->source);
}
