/*
 * mirror.c - see mirror.h.
 */
#include "store/mirror_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "store/journal_format.h"
#include "store/segment_walk.h"
#include "store/shared_files.h"
#include "store/unit_image.h"

enum {
    /* A look-up and a create of a ticket begin no later than this before the lease ends (S2). */
    LEAVE_MARGIN_MS = 3000,
    RENEWALS_PER_LEASE = 3,
    AWAYS_TOLD = 4, /* sentences, each time that it is away */
};

const char *mirror_state_name(enum mirror_state state)
{
    static const char *const names[] = {
        [MIRROR_UP] = "up", [MIRROR_AWAY] = "away", [MIRROR_FENCED] = "fenced"};

    return names[state];
}

/* ---- states ---- */

static enum mirror_state state_of(struct mirror *mirror)
{
    pthread_mutex_lock(&mirror->lock);
    enum mirror_state state = mirror->state;
    pthread_mutex_unlock(&mirror->lock);
    return state;
}

/* Why it does not answer is another reason later, most often: a line that was closed, and then a
 * password that is refused. */
static void tell_away(struct mirror *mirror, const char *why, bool is_new)
{
    char told[sizeof(mirror->away_why)];

    snprintf(told, sizeof(told), "%.190s", why);
    if (!is_new && (mirror->is_alone || mirror->aways_told >= AWAYS_TOLD ||
                    strcmp(told, mirror->away_why) == 0))
        return;
    memcpy(mirror->away_why, told, sizeof(told));
    mirror->aways_told++;
    mirror->config.changed(mirror->config.self, MIRROR_CHANGE_AWAY, why);
}

/* Another owner is told of before anybody finds that nothing may leave any more. */
static bool move(struct mirror *mirror, enum mirror_state state, const char *why)
{
    enum mirror_state before = state_of(mirror); /* this thread alone changes it */
    bool is_new = before != state && before != MIRROR_FENCED;

    if (is_new && state == MIRROR_FENCED) {
        atomic_store_explicit(&mirror->is_fenced, true, memory_order_relaxed);
        mirror->config.fenced(mirror->config.self, why);
    }
    pthread_mutex_lock(&mirror->lock);
    if (is_new) {
        mirror->state = state;
        mirror->counters.aways += state == MIRROR_AWAY;
        atomic_store_explicit(&mirror->is_up, state == MIRROR_UP, memory_order_relaxed);
    }
    pthread_cond_broadcast(&mirror->moved);
    pthread_mutex_unlock(&mirror->lock);
    return is_new;
}

static void become(struct mirror *mirror, enum mirror_state state, const char *why)
{
    bool is_new = move(mirror, state, why);

    if (state == MIRROR_AWAY && state_of(mirror) == MIRROR_AWAY)
        tell_away(mirror, why, is_new);
    if (state == MIRROR_UP && is_new) {
        mirror->away_why[0] = '\0';
        mirror->aways_told = 0;
        mirror->config.changed(mirror->config.self, MIRROR_CHANGE_BACK, NULL);
    }
}

/* ---- the lease ---- */

static void lease_is_kept(struct mirror *mirror, uint64_t asked_ns)
{
    atomic_store_explicit(&mirror->lease_until_ns, asked_ns + mirror_ns_of(mirror->config.lease_ms),
                          memory_order_relaxed);
    mirror->next_renewal_ns = asked_ns + mirror_ns_of(mirror->config.lease_ms) / RENEWALS_PER_LEASE;
    mirror->has_asked_again = false;
    pthread_mutex_lock(&mirror->lock);
    mirror->counters.renewals++;
    mirror->counters.fence = shared_store_fence(mirror->store);
    pthread_mutex_unlock(&mirror->lock);
}

/* ---- what a frame says ---- */

/* What a frame names is in the store before the frame is. */
static enum shared_verdict read_frame(struct mirror *mirror, const struct segment_frame *frame,
                                      struct error *err)
{
    struct journal_cursor cursor = {frame->payload, frame->payload + frame->bytes,
                                    (frame->kind & JOURNAL_FRAME_FIRST) == 0};
    enum shared_verdict verdict = SHARED_FINE;
    struct journal_record record;
    int rc;

    mirror_changes_begin(&mirror->changes);
    while (verdict == SHARED_FINE && (rc = journal_get(&cursor, &record, err)) != 0) {
        if (rc < 0)
            return SHARED_DAMAGED;
        if (record.kind == JOURNAL_CHANGE)
            mirror_changes_add(mirror, &record.change);
        if (record.kind == JOURNAL_RULES) {
            verdict = shared_files_put(mirror->store, mirror->config.blobs, record.rules.set, err);
            if (verdict == SHARED_FINE)
                verdict = shared_files_put(mirror->store, mirror->config.blobs,
                                           record.rules.settings, err);
        }
    }
    mirror_changes_end(&mirror->changes);
    return verdict;
}

/* ---- the logs ---- */

static void walk_end(struct mirror *mirror, enum shared_log which)
{
    segment_walk_destroy(mirror->walk[which]);
    mirror->walk[which] = NULL;
}

/* The next frame of ours; the walk begins where the store's log ends. */
static enum shared_verdict next_frame(struct mirror *mirror, enum shared_log which,
                                      struct segment_frame *out, struct error *err)
{
    const struct segment_config *log = mirror->config.log[which];
    uint64_t end = mirror->ends.of[which].number;
    enum segment_refusal why;
    int rc = 0;

    if (mirror->walk[which] == NULL)
        rc = segment_walk_create_at(log, end + 1, &mirror->walk[which], &why, err);
    while (rc == 0) {
        rc = segment_walk_next(mirror->walk[which], out, err);
        if (rc == 0) {
            error_set(err, "%s: frame %" PRIu64 " was written, and is not there", log->folder,
                      end + 1);
            return SHARED_DAMAGED;
        }
        if (rc == 1 && out->number <= end)
            rc = 0; /* of the same segment, before it */
    }
    return rc == 1 ? SHARED_FINE : SHARED_DAMAGED;
}

/* Nothing that has changed by a frame of the intake log is to be read by others. */
static enum shared_verdict look_into(struct mirror *mirror, enum shared_log which,
                                     const struct segment_frame *frame, struct error *err)
{
    if (which == SHARED_JOURNAL)
        return read_frame(mirror, frame, err);
    mirror_changes_begin(&mirror->changes);
    return SHARED_FINE;
}

static enum shared_verdict put_next(struct mirror *mirror, enum shared_log which, struct error *err)
{
    struct shared_end *end = &mirror->ends.of[which];
    struct segment_frame frame;
    enum shared_verdict verdict = next_frame(mirror, which, &frame, err);

    if (verdict == SHARED_FINE)
        verdict = look_into(mirror, which, &frame, err);
    if (verdict == SHARED_FINE) {
        const struct shared_frame same = {frame.number, frame.kind, {frame.payload, frame.bytes}};
        verdict = shared_store_put(mirror->store, which, *end, &same, mirror->changes.open.at,
                                   mirror->changes.open.count, err);
        if (verdict == SHARED_FINE)
            *end = shared_end_after(*end, &same);
    }
    if (verdict != SHARED_FINE) { /* the walk is past a frame that is not there */
        walk_end(mirror, which);
        return verdict;
    }
    pthread_mutex_lock(&mirror->lock);
    if (!mirror->is_owed)
        mirror->put[which] = end->number;
    mirror->counters.frames++;
    mirror->counters.bytes += frame.bytes;
    mirror->counters.open += mirror->changes.open.count;
    pthread_cond_broadcast(&mirror->moved);
    pthread_mutex_unlock(&mirror->lock);
    return SHARED_FINE;
}

void mirror_ends_are(struct mirror *mirror, const struct unit_ends *ends)
{
    mirror->ends = *ends;
    pthread_mutex_lock(&mirror->lock);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        mirror->put[which] = mirror->is_owed ? 0 : ends->of[which].number;
    pthread_cond_broadcast(&mirror->moved);
    pthread_mutex_unlock(&mirror->lock);
}

/* ---- what the store says ---- */

/* How a store begins that has nothing of the unit. */
static void look_at_beginning(struct mirror *mirror)
{
    struct shared_end base;
    struct error ignored; /* what cannot be read is said by who reads it */

    mirror->must_begin = false;
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        mirror->must_begin |=
            unit_log_base(mirror->config.log[which], &base, &ignored) == 0 && base.number > 0;
    mirror->is_owed = mirror->must_begin;
}

/* With the frame that the chain is known behind; what was before it is in the image that follows,
 * and in what that knows of open incidents, or by that not needed. The journal is the first, and
 * with it the store forgets all else. */
static enum shared_verdict begin_log(struct mirror *mirror, enum shared_log which,
                                     struct error *err)
{
    struct shared_end base;
    struct segment_frame frame;
    enum shared_verdict verdict;

    if (unit_log_base(mirror->config.log[which], &base, err) != 0)
        return SHARED_DAMAGED;
    if (base.number == 0)
        return which == SHARED_JOURNAL ? shared_store_clear(mirror->store, err) : SHARED_FINE;
    mirror->ends.of[which].number = base.number - 1;
    verdict = next_frame(mirror, which, &frame, err);
    if (verdict != SHARED_FINE)
        return verdict;
    const struct shared_frame same = {frame.number, frame.kind, {frame.payload, frame.bytes}};
    if (frame.number > base.number)
        base = shared_end_after(base, &same);
    verdict = which == SHARED_JOURNAL
                  ? shared_store_begin(mirror->store, &same, base, err)
                  : shared_store_begin_log(mirror->store, which, &same, base, err);
    if (verdict == SHARED_FINE) {
        mirror->ends.of[which] = base;
        mirror_trim_to(mirror, which, base.number);
    }
    return verdict;
}

/* Broken off anywhere, all of it comes again. */
static enum shared_verdict begin_behind(struct mirror *mirror, struct error *err)
{
    enum shared_verdict verdict = SHARED_FINE;

    mirror->ends = (struct unit_ends){.of = {{0, 0}}};
    for (enum shared_log which = 0; verdict == SHARED_FINE && which < SHARED_LOGS; which++)
        verdict = begin_log(mirror, which, err);
    if (verdict != SHARED_FINE) {
        for (enum shared_log which = 0; which < SHARED_LOGS; which++)
            walk_end(mirror, which);
        mirror_ends_are(mirror, &(struct unit_ends){.of = {{0, 0}}});
        return verdict;
    }
    mirror->must_begin = false;
    mirror_listing_begin(mirror);
    const struct unit_ends ends = mirror->ends;
    mirror_ends_are(mirror, &ends);
    return SHARED_FINE;
}

/* Behind a question whose answer was lost: whether somebody else has taken the unit meanwhile. A
 * number of ours or before ours, or our own name, says that nobody did. */
static bool was_taken_by_other(const struct mirror *mirror, uint64_t fence_before)
{
    enum shared_former former = shared_store_former(mirror->store);

    return shared_store_fence(mirror->store) > fence_before + 1 && former != SHARED_FORMER_SELF &&
           former != SHARED_FORMER_DOUBT;
}

/* It has forgotten the unit, or holds something else. */
static enum shared_verdict begin_anew(struct mirror *mirror, struct error *err)
{
    uint64_t asked_ns = host_mono_ns(), fence = shared_store_fence(mirror->store);
    bool was_asked = mirror->must_take;
    struct error ignored;

    mirror->must_take = true;
    enum shared_verdict verdict =
        shared_store_take(mirror->store, mirror->config.lease_ms, SHARED_ANY_FENCE, err);
    if (verdict == SHARED_FINE && was_asked && was_taken_by_other(mirror, fence)) {
        error_set(err, "the unit has had another owner while the shared store did not answer");
        shared_store_leave(mirror->store, false, &ignored);
        return SHARED_FENCED;
    }
    if (verdict == SHARED_FINE) {
        lease_is_kept(mirror, asked_ns);
        verdict = shared_store_clear(mirror->store, err);
    }
    if (verdict != SHARED_FINE)
        return verdict;
    mirror->must_take = false;
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        walk_end(mirror, which);
    mirror_listing_end(mirror);
    look_at_beginning(mirror);
    mirror_image_again(mirror);
    mirror_ends_are(mirror, &(struct unit_ends){.of = {{0, 0}}});
    pthread_mutex_lock(&mirror->lock);
    mirror->counters.anews++;
    pthread_mutex_unlock(&mirror->lock);
    return SHARED_FINE;
}

/* A question of before the end of the lease that was not answered: whoever was asleep meanwhile has
 * an owner behind it, perhaps, and answers nobody before the store was asked once more. */
static bool has_to_ask_again(struct mirror *mirror)
{
    uint64_t now = host_mono_ns();

    if (state_of(mirror) != MIRROR_UP || mirror->has_asked_again ||
        now < atomic_load_explicit(&mirror->lease_until_ns, memory_order_relaxed))
        return false;
    mirror->has_asked_again = true;
    mirror->next_renewal_ns = now;
    return true;
}

/* Whether to go on at once. */
static bool heed(struct mirror *mirror, enum shared_verdict verdict, struct error *err)
{
    if (verdict == SHARED_LOST || verdict == SHARED_APART) {
        move(mirror, MIRROR_AWAY, err->text);
        if (!mirror->must_take)
            mirror->config.changed(mirror->config.self, MIRROR_CHANGE_EMPTY, err->text);
        verdict = begin_anew(mirror, err);
    }
    if (verdict == SHARED_FINE)
        return true;
    if (verdict == SHARED_AWAY && has_to_ask_again(mirror))
        return false;
    become(mirror,
           verdict == SHARED_FENCED || verdict == SHARED_TAKEN ? MIRROR_FENCED : MIRROR_AWAY,
           err->text);
    mirror->next_try_ns = host_mono_ns() + mirror_ns_of(mirror->config.retry_ms);
    return false;
}

/* What is durable, of both logs as of one moment: a frame of the journal goes by what is durable of
 * the intake log by then. */
static void look(struct mirror *mirror, uint64_t durable[SHARED_LOGS], bool *must_stop)
{
    pthread_mutex_lock(&mirror->lock);
    memcpy(durable, mirror->durable, sizeof(mirror->durable));
    *must_stop = mirror->must_stop;
    pthread_mutex_unlock(&mirror->lock);
}

/* Whether what the store has is a beginning of what is durable here. SHARED_FENCED: it has gone on
 * elsewhere. */
static enum shared_verdict compare(struct mirror *mirror, unsigned lease_ms, uint64_t *kept_ns,
                                   struct unit_ends *ends, struct error *err)
{
    struct unit_join_config config = {
        .blobs = mirror->config.blobs, .lease_ms = lease_ms, .kept_ns = kept_ns};
    uint64_t durable[SHARED_LOGS];
    bool must_stop;

    memcpy(config.log, mirror->config.log, sizeof(config.log));
    look(mirror, durable, &must_stop);
    enum shared_verdict verdict = unit_join_compare(mirror->store, &config, durable, ends, err);
    if (verdict == SHARED_LOST)
        return SHARED_FINE; /* it knows nothing: all is owed */
    return verdict == SHARED_APART ? SHARED_FENCED : verdict;
}

/* The first answers of a store that did not answer at the start. Who has no future there needs no
 * lease to find out, and takes it from nobody. */
static bool meet(struct mirror *mirror)
{
    uint64_t taken_ns = 0;
    struct error err, ignored;
    struct unit_ends ends;
    int64_t left_ms;
    enum shared_verdict verdict =
        lease_watch_take(&mirror->watch, mirror->store, &taken_ns, &left_ms, &err);

    if (verdict == SHARED_UNSURE && !mirror->has_compared) {
        enum shared_verdict compared = compare(mirror, 0, &taken_ns, &ends, &err);
        mirror->has_compared = compared == SHARED_FINE;
        verdict = compared == SHARED_FINE ? verdict : compared;
    }
    if (verdict != SHARED_FINE)
        return heed(mirror, verdict, &err);
    verdict = compare(mirror, mirror->config.lease_ms, &taken_ns, &ends, &err);
    if (verdict == SHARED_FENCED)
        shared_store_leave(mirror->store, false, &ignored);
    if (verdict != SHARED_FINE)
        return heed(mirror, verdict, &err);
    mirror->is_alone = false;
    if (ends.of[SHARED_JOURNAL].number == 0)
        look_at_beginning(mirror);
    lease_is_kept(mirror, taken_ns);
    mirror_ends_are(mirror, &ends);
    return true;
}

static bool renew(struct mirror *mirror)
{
    uint64_t asked_ns = host_mono_ns();
    enum shared_verdict verdict;
    struct error err;

    if (atomic_load_explicit(&mirror->is_settled, memory_order_relaxed))
        shared_store_settle(mirror->store);
    if (mirror->must_take)
        return heed(mirror, begin_anew(mirror, &err), &err);
    verdict = shared_store_keep(mirror->store, mirror->config.lease_ms, &err);
    if (verdict == SHARED_FINE)
        lease_is_kept(mirror, asked_ns);
    return heed(mirror, verdict, &err);
}

/* ---- the thread ---- */

/* The log whose turn it is; SHARED_LOGS: nothing is owed. */
static enum shared_log owed(const struct mirror *mirror, const uint64_t durable[SHARED_LOGS])
{
    if (mirror->ends.of[SHARED_INTAKE].number < durable[SHARED_INTAKE])
        return SHARED_INTAKE;
    return mirror->ends.of[SHARED_JOURNAL].number < durable[SHARED_JOURNAL] ? SHARED_JOURNAL
                                                                            : SHARED_LOGS;
}

/* Nothing counts as there before an image is, so a store is not begun before there is one: what it
 * knows of open incidents goes there before the frames. */
static bool waits_for_image(struct mirror *mirror)
{
    return mirror->must_begin && !mirror_is_told(mirror);
}

/* A frame, or something for an image between two of them. False: nothing is to be done. */
static bool take_turn(struct mirror *mirror, enum shared_log which, uint64_t now_ns)
{
    bool has_image = !mirror->must_begin && mirror_has_image_turn(mirror, now_ns);
    enum shared_verdict verdict;
    struct error err;

    if (waits_for_image(mirror) || (which == SHARED_LOGS && !has_image && !mirror->must_begin &&
                                    mirror->listing.recall == NULL))
        return false;
    if (mirror->must_begin)
        verdict = begin_behind(mirror, &err);
    else if (mirror->listing.recall != NULL)
        verdict = mirror_listing_put(mirror, &err);
    else if (has_image && (which == SHARED_LOGS || !mirror->was_image))
        verdict = mirror_image_turn(mirror, &err);
    else
        verdict = put_next(mirror, which, &err);
    mirror->was_image = has_image && !mirror->was_image;
    heed(mirror, verdict, &err);
    return true;
}

static void *run(void *self)
{
    struct mirror *mirror = self;
    uint64_t durable[SHARED_LOGS];
    bool must_stop;

    for (;;) {
        look(mirror, durable, &must_stop);
        enum mirror_state state = state_of(mirror);
        enum shared_log which = owed(mirror, durable);
        uint64_t now = host_mono_ns();
        if (state == MIRROR_FENCED)
            return NULL;
        if (state == MIRROR_UP && now < mirror->next_renewal_ns && take_turn(mirror, which, now))
            continue;
        uint64_t next = state == MIRROR_AWAY ? mirror->next_try_ns : mirror->next_renewal_ns;
        if (state == MIRROR_UP && mirror->next_image_ns > now && mirror->next_image_ns < next &&
            mirror_has_told(mirror))
            next = mirror->next_image_ns;
        if (now < next && !must_stop) {
            host()->waker_sleep(host()->self, mirror->waker, next - now);
            continue;
        }
        if (mirror->is_alone ? meet(mirror) : renew(mirror))
            become(mirror, MIRROR_UP, NULL);
        if (must_stop && (owed(mirror, durable) == SHARED_LOGS || state_of(mirror) != MIRROR_UP ||
                          waits_for_image(mirror)))
            return NULL;
    }
}

/* ---- what others ask ---- */

void mirror_durable(struct mirror *mirror, enum shared_log which, uint64_t frame)
{
    pthread_mutex_lock(&mirror->lock);
    mirror->durable[which] = frame;
    pthread_mutex_unlock(&mirror->lock);
    host()->waker_wake(host()->self, mirror->waker);
}

void mirror_settled(struct mirror *mirror)
{
    /* relaxed: the mirror thread sees it at some renewal. */
    atomic_store_explicit(&mirror->is_settled, true, memory_order_relaxed);
}

bool mirror_settle(struct mirror *mirror, enum shared_log which, uint64_t frame)
{
    pthread_mutex_lock(&mirror->lock);
    while (mirror->state == MIRROR_UP && mirror->put[which] < frame)
        pthread_cond_wait(&mirror->moved, &mirror->lock);
    bool is_ours = mirror->state != MIRROR_FENCED;
    pthread_mutex_unlock(&mirror->lock);
    return is_ours;
}

enum mirror_leave mirror_may_leave(const struct mirror *mirror, bool folds)
{
    uint64_t now = host_mono_ns();
    uint64_t until = atomic_load_explicit(&mirror->lease_until_ns, memory_order_relaxed);

    if (atomic_load_explicit(&mirror->is_fenced, memory_order_relaxed))
        return MIRROR_LEAVE_NEVER;
    if (now + mirror_ns_of(LEAVE_MARGIN_MS) < until)
        return MIRROR_LEAVE;
    if (folds) /* one that was asleep has to ask first */
        return now >= until && atomic_load_explicit(&mirror->is_up, memory_order_relaxed)
                   ? MIRROR_LEAVE_LATER
                   : MIRROR_LEAVE;
    return now + mirror_ns_of(LEAVE_MARGIN_MS) < until + mirror_ns_of(mirror->config.hold_ms)
               ? MIRROR_LEAVE_LATER
               : MIRROR_LEAVE_REPEAT;
}

/* Under the lock. */
static uint64_t frames_owed(const struct mirror *mirror)
{
    uint64_t frames = 0;

    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        if (mirror->durable[which] > mirror->put[which])
            frames += mirror->durable[which] - mirror->put[which];
    return frames;
}

void mirror_counters(const struct mirror *mirror, struct mirror_counters *out)
{
    struct mirror *self = (struct mirror *)(uintptr_t)mirror; /* only its lock is touched */
    uint64_t until = atomic_load_explicit(&mirror->lease_until_ns, memory_order_relaxed);

    pthread_mutex_lock(&self->lock);
    *out = mirror->counters;
    out->state = mirror->state;
    out->owed = frames_owed(mirror);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        out->held[which] =
            self->put[which] >= out->first[which] && self->put[which] > 0
                ? self->put[which] - (out->first[which] > 0 ? out->first[which] - 1 : 0)
                : 0;
    pthread_mutex_unlock(&self->lock);
    out->lease_left_ms = (int64_t)(until - host_mono_ns()) / 1000000;
}

/* ---- setup ---- */

int mirror_create(const struct mirror_config *config, struct shared_store *store, uint64_t taken_ns,
                  struct mirror **out, struct error *err)
{
    struct mirror *mirror = memory_alloc(sizeof(*mirror));
    struct shared_end anchor;
    int rc;

    *mirror = (struct mirror){.config = *config,
                              .store = store,
                              .is_alone = config->is_alone,
                              .watch = {.lease_ms = config->lease_ms},
                              .state = config->is_alone ? MIRROR_AWAY : MIRROR_UP};
    atomic_init(&mirror->is_up, !config->is_alone);
    pthread_mutex_init(&mirror->lock, NULL);
    mirror->upload.fd = -1;
    if (!config->is_alone && config->from.of[SHARED_JOURNAL].number == 0)
        look_at_beginning(mirror);
    else
        for (enum shared_log which = 0; which < SHARED_LOGS; which++)
            if (unit_anchor_read(config->log[which], &anchor, err) == 0)
                mirror->known[which] = anchor.number; /* what it was given before */
    mirror_ends_are(mirror, &config->from);
    memcpy(mirror->durable, mirror->put, sizeof(mirror->durable));
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        if (config->durable[which] > mirror->durable[which])
            mirror->durable[which] = config->durable[which];
    pthread_cond_init(&mirror->moved, NULL);
    if (config->is_alone)
        atomic_init(&mirror->lease_until_ns, taken_ns); /* over, and asked for at once */
    else
        lease_is_kept(mirror, taken_ns);
    mirror->waker = host()->waker_create(host()->self);
    rc = mirror->waker < 0 ? mirror->waker : -pthread_create(&mirror->thread, NULL, run, mirror);
    if (rc == 0) {
        *out = mirror;
        return 0;
    }
    error_set(err, "the shared store: no thread: %s", strerror(-rc));
    if (mirror->waker >= 0)
        host()->close(host()->self, mirror->waker);
    pthread_cond_destroy(&mirror->moved);
    pthread_mutex_destroy(&mirror->lock);
    free(mirror);
    return rc;
}

void mirror_destroy(struct mirror *mirror)
{
    struct error ignored; /* the lease ends by itself */

    if (mirror == NULL)
        return;
    pthread_mutex_lock(&mirror->lock);
    mirror->must_stop = true;
    pthread_mutex_unlock(&mirror->lock);
    host()->waker_wake(host()->self, mirror->waker);
    pthread_join(mirror->thread, NULL);
    if (mirror->state == MIRROR_UP)
        shared_store_leave(mirror->store, frames_owed(mirror) == 0, &ignored);
    shared_store_destroy(mirror->store);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        walk_end(mirror, which);
    host()->close(host()->self, mirror->waker);
    pthread_cond_destroy(&mirror->moved);
    pthread_mutex_destroy(&mirror->lock);
    mirror_upload_end(mirror);
    mirror_told_release(&mirror->told);
    mirror_listing_end(mirror);
    mirror_changes_release(&mirror->changes);
    free(mirror->chunk_room);
    free(mirror);
}
