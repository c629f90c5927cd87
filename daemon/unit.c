/*
 * unit.c - see unit.h.
 */
#include "daemon/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "daemon/command.h"
#include "daemon/incident_log.h"
#include "daemon/log.h"
#include "daemon/unit_follow.h"
#include "daemon/unit_tell.h"
#include "sinks/sink_options.h"
#include "store/intake_log.h"
#include "store/lease_watch.h"
#include "store/redis_link.h"
#include "store/segment_walk.h"
#include "store/unit_join.h"

enum {
    CONNECT_MS = 1000,
    ANSWER_MS = 2000,
    RETRY_MS = 1000,
    ASK_MS_LEAST = 20,
    RECORD_BYTES = 4 << 10,
};

static const struct {
    const char *kind; /* and the name of the folder */
    uint32_t segment_bytes;
} LOGS[SHARED_LOGS] = {
    [SHARED_JOURNAL] = {"journal", SEGMENT_BYTES_DEFAULT},
    [SHARED_INTAKE] = {"intake", INTAKE_SEGMENT_BYTES},
};

struct unit {
    struct unit_options options;
    char folder[SHARED_LOGS][DATA_DIR_PATH_BYTES];
    char blobs[DATA_DIR_PATH_BYTES];
    struct segment_config log[SHARED_LOGS];
    struct shared_store *store; /* of the unit's thread, then of the mirror */
    pthread_t thread;
    bool has_thread;
    bool was_answered; /* this and the next are the thread's own */
    struct lease_watch watch;
    bool has_checked; /* whether its settings can go on with the unit of this number */
    uint64_t checked;
    struct error unfit;        /* why they cannot; "": they can, as far as is known */
    struct unit_follow follow; /* but for its counters */
    int waker;                 /* of the thread */
    uint64_t began_ns;

    pthread_mutex_t lock;
    /* Under the lock: */
    enum unit_stand stand;
    struct error why;
    struct mirror *mirror; /* NULL: not yet, or stopped */
    struct unit_joined joined;
    struct mirror_counters last; /* of a mirror that was stopped */
    int verdict;
    bool must_stop;

    /* Written before `stand` says that it does not stand by any more; then constant. */
    int64_t taken_over_ms, began_ms;
    bool is_lost;
    struct mirror *settled; /* the same mirror, for the journal's and the outbox's thread */

    _Atomic bool is_catching_up; /* relaxed: a flag by itself */
    /* relaxed: each is looked at until it is enough. */
    _Atomic int64_t stepped_ms, committed_ms;
    bool has_settled;  /* main */
    int64_t end_ms;    /* main: of all that the input held behind the start; INT64_MIN: not yet */
    bool is_past_told; /* main: all before the start, up to a step that ends at: */
    int64_t past_ms;
};

/* ---- what the mirror says ---- */

static void on_write(void *self, const struct incident *incident, struct mirror_record *to)
{
    size_t bytes = RECORD_BYTES, needed;

    (void)self;
    for (;;) {
        vector_reserve(&to->bytes, bytes);
        needed = incident_log_change(incident, to->bytes.at + to->bytes.count, bytes);
        if (needed < bytes)
            break;
        bytes = needed + 1;
    }
    to->bytes.count += needed;
}

static void on_fenced(void *self, const char *why)
{
    struct unit *unit = self;

    pthread_mutex_lock(&unit->lock);
    if (unit->verdict == 0)
        error_set(&unit->why, "%s", why);
    unit->verdict = EXIT_OVERTAKEN;
    pthread_mutex_unlock(&unit->lock);
    log_event(LOG_ERROR, "unit_overtaken", log_text("why", why),
              log_text("next", "nothing is sent any more, and the run ends"));
}

static void on_changed(void *self, enum mirror_change change, const char *why)
{
    (void)self;
    unit_tell_store(change, why);
}

/* ---- asking ---- */

static bool must_stop(struct unit *unit)
{
    pthread_mutex_lock(&unit->lock);
    bool stop = unit->must_stop;
    pthread_mutex_unlock(&unit->lock);
    return stop;
}

static bool asked_to_stop(void *self)
{
    return must_stop(self);
}

/* Stands by, and says for what; in the log when it is something else than before. */
static void wait_for(struct unit *unit, enum shared_verdict verdict, const struct error *why,
                     enum shared_verdict *before)
{
    const char *apart = verdict == SHARED_TAKEN ? unit_follow_why(&unit->follow) : NULL;
    const char *unfit = unit->unfit.text[0] != '\0' ? unit->unfit.text : NULL;

    pthread_mutex_lock(&unit->lock);
    error_set(&unit->why, "standing by: %.600s%s%.600s%s%.600s", why->text,
              apart != NULL ? "; this directory does not follow: " : "", apart != NULL ? apart : "",
              unfit != NULL ? "; it cannot take over: " : "", unfit != NULL ? unfit : "");
    pthread_mutex_unlock(&unit->lock);
    if (verdict == *before)
        return;
    *before = verdict;
    log_event(verdict == SHARED_TAKEN ? LOG_INFO : LOG_WARNING, "standing_by",
              log_text("why", why->text));
}

static void decide(struct unit *unit, enum unit_stand stand, const struct error *why)
{
    pthread_mutex_lock(&unit->lock);
    unit->stand = stand;
    if (stand == UNIT_REFUSED) {
        unit->why = *why;
        unit->verdict = unit->unfit.text[0] != '\0'   ? EXIT_CONFIG
                        : unit->joined.is_disk_failed ? EXIT_IO
                                                      : EXIT_DATA;
    }
    pthread_mutex_unlock(&unit->lock);
    unit->options.decided(unit->options.self);
}

/* Frames that a log of the directory has. -1: it cannot be read, with a sentence. */
static int64_t count_frames(const struct unit *unit, enum shared_log which, struct error *err)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame frame;
    int64_t count = -1;
    int rc;

    if (segment_walk_create(&unit->log[which], &walk, &why, err) != 0)
        return -1;
    while ((rc = segment_walk_next(walk, &frame, err)) == 1)
        ;
    if (rc == 0)
        count = (int64_t)segment_walk_end(walk)->next_frame - 1;
    segment_walk_destroy(walk);
    return count;
}

static bool begin_mirror(struct unit *unit, uint64_t taken_ns, const uint64_t durable[SHARED_LOGS],
                         bool is_alone, struct error *err)
{
    const struct config *config = unit->options.config;
    struct mirror_config mirror = {.blobs = unit->blobs,
                                   .from = unit->joined.ends,
                                   .is_alone = is_alone,
                                   .lease_ms = (unsigned)config->shared.lease_ms,
                                   .retry_ms = RETRY_MS,
                                   .hold_ms = (unsigned)config->shared.hold_ms,
                                   .self = unit,
                                   .write = on_write,
                                   .fenced = on_fenced,
                                   .changed = on_changed};
    struct mirror *made;

    for (enum shared_log which = 0; which < SHARED_LOGS; which++) {
        const struct shared_end theirs = unit->joined.theirs.of[which];
        mirror.log[which] = &unit->log[which];
        mirror.durable[which] = durable[which];
        if (theirs.number < mirror.from.of[which].number)
            mirror.from.of[which] = theirs;
    }

    if (mirror_create(&mirror, unit->store, taken_ns, &made, err) != 0)
        return false;
    unit->store = NULL;
    unit->settled = made;
    pthread_mutex_lock(&unit->lock);
    unit->mirror = made;
    pthread_mutex_unlock(&unit->lock);
    return true;
}

/* The lease is ours since `taken_ns`. False: not any more, or the store went away. */
static bool own(struct unit *unit, uint64_t taken_ns, enum shared_verdict *verdict,
                struct error *err)
{
    const struct unit_join_config config = {
        .log = {&unit->log[SHARED_JOURNAL], &unit->log[SHARED_INTAKE]},
        .blobs = unit->blobs,
        .lease_ms = (unsigned)unit->options.config->shared.lease_ms,
        .copied = {unit->follow.copied[SHARED_JOURNAL], unit->follow.copied[SHARED_INTAKE]},
        .kept_ns = &taken_ns,
        .must_stop = asked_to_stop,
        .self = unit};
    uint64_t durable[SHARED_LOGS];
    enum shared_former former = shared_store_former(unit->store);

    unit->began_ms = host_wall_ms();
    *verdict = unit_join(unit->store, &config, &unit->joined, err);
    unit->joined.is_disk_failed |= *verdict == SHARED_UNKEPT;
    if (*verdict == SHARED_LOST || *verdict == SHARED_UNKEPT)
        *verdict = SHARED_DAMAGED; /* something that its journal names, or a part of it */
    if (*verdict != SHARED_FINE)
        return false;
    if (former != SHARED_FORMER_LEFT && former != SHARED_FORMER_SELF)
        unit->taken_over_ms = unit->began_ms;
    unit->is_lost = unit_is_begun_anew(&unit->joined);
    atomic_store_explicit(&unit->is_catching_up, unit->is_lost, memory_order_relaxed);
    unit_tell_joined(&unit->joined, unit->options.config->shared.unit,
                     shared_store_fence(unit->store), former);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        durable[which] = unit->joined.ends.of[which].number;
    if (begin_mirror(unit, taken_ns, durable, false, err))
        return true;
    *verdict = SHARED_DAMAGED;
    return false;
}

/* D4: whether the unit has another owner nobody can tell, and a page too many is better than none.
 */
static bool go_alone(struct unit *unit, struct error *err)
{
    uint64_t lease_ns = (uint64_t)unit->options.config->shared.lease_ms * UINT64_C(1000000);
    uint64_t now_ns = host_mono_ns();
    int64_t frames[SHARED_LOGS];

    if (unit->was_answered || now_ns - unit->began_ns < lease_ns)
        return false; /* F4: of a store that went away nobody takes over */
    for (enum shared_log which = 0; which < SHARED_LOGS; which++)
        frames[which] = count_frames(unit, which, err);
    if (frames[SHARED_JOURNAL] <= 0 || frames[SHARED_INTAKE] < 0)
        return false;
    unit->began_ms = unit->taken_over_ms = host_wall_ms();
    return begin_mirror(unit, now_ns,
                        (const uint64_t[SHARED_LOGS]){(uint64_t)frames[SHARED_JOURNAL],
                                                      (uint64_t)frames[SHARED_INTAKE]},
                        true, err);
}

/* What cannot be gone on with does not change as long as the unit has the same owner. What else a
 * start would refuse is said by the start. */
static void check_settings(struct unit *unit)
{
    bool was_unfit = unit->unfit.text[0] != '\0';
    struct error why;

    if (unit->follow.copied[SHARED_JOURNAL] == 0 ||
        (unit->has_checked && unit->checked == unit->watch.fence))
        return;
    unit->has_checked = true;
    unit->checked = unit->watch.fence;
    bool is_unfit = unit->options.fits(unit->options.self, &why) == EXIT_CONFIG;
    unit->unfit.text[0] = '\0';
    if (is_unfit)
        unit->unfit = why;
    if (is_unfit && !was_unfit)
        log_event(LOG_ERROR, "standby_unfit", log_text("why", why.text),
                  log_text("next", "it does not take the unit; when nobody else has it, it ends, "
                                   "and the sinks are told"));
}

/* SHARED_FINE: the unit is ours, or, with settings that cannot go on with it, could be. */
static enum shared_verdict ask(struct unit *unit, uint64_t *taken_ns, int64_t *left_ms,
                               struct error *err)
{
    if (unit->unfit.text[0] != '\0')
        return lease_watch_ask(&unit->watch, unit->store, left_ms, err);
    return lease_watch_take(&unit->watch, unit->store, taken_ns, left_ms, err);
}

/* Until it is to be asked again; meanwhile it is followed where another has the unit. */
static void rest(struct unit *unit, enum shared_verdict verdict, int64_t left_ms)
{
    int64_t ask_ms = lease_watch_ask_ms(&unit->watch);

    if (verdict == SHARED_TAKEN) {
        left_ms -= unit_follow_step(&unit->follow, unit->store);
        check_settings(unit);
    }
    if ((verdict != SHARED_TAKEN && verdict != SHARED_UNSURE) || left_ms > ask_ms)
        left_ms = ask_ms;
    if (left_ms < ASK_MS_LEAST)
        left_ms = ASK_MS_LEAST;
    host()->waker_sleep(host()->self, unit->waker, (uint64_t)left_ms * UINT64_C(1000000));
}

static void *run(void *self)
{
    struct unit *unit = self;
    enum shared_verdict before = SHARED_FINE, verdict;
    struct error err;

    while (!must_stop(unit)) {
        uint64_t taken_ns;
        int64_t left_ms;
        verdict = ask(unit, &taken_ns, &left_ms, &err);
        unit->was_answered |= verdict != SHARED_AWAY;
        if (verdict == SHARED_FINE && unit->unfit.text[0] != '\0') {
            decide(unit, UNIT_REFUSED, &unit->unfit);
            return NULL;
        }
        if (verdict == SHARED_FINE && own(unit, taken_ns, &verdict, &err)) {
            decide(unit, UNIT_OWNS, &err);
            return NULL;
        }
        if (verdict == SHARED_AWAY && go_alone(unit, &err)) {
            log_event(LOG_ERROR, "unit_alone", log_text("why", err.text),
                      log_text("next", "the run goes on with the journal of this directory; what a "
                                       "sink might be told twice waits"));
            decide(unit, UNIT_ALONE, &err);
            return NULL;
        }
        if (verdict == SHARED_DAMAGED) {
            error_prefix(&err, "the shared store: ");
            decide(unit, UNIT_REFUSED, &err);
            return NULL;
        }
        wait_for(unit, verdict, &err, &before);
        rest(unit, verdict, left_ms);
    }
    return NULL;
}

/* ---- what others ask ---- */

enum unit_stand unit_stand(struct unit *unit, struct error *why)
{
    pthread_mutex_lock(&unit->lock);
    enum unit_stand stand = unit->stand;
    *why = unit->why;
    pthread_mutex_unlock(&unit->lock);
    return stand;
}

int unit_verdict(struct unit *unit, struct error *why)
{
    pthread_mutex_lock(&unit->lock);
    int verdict = unit->verdict;
    if (verdict != 0)
        *why = unit->why;
    pthread_mutex_unlock(&unit->lock);
    return verdict;
}

int64_t unit_taken_over_ms(const struct unit *unit)
{
    return unit->taken_over_ms;
}

void unit_image(struct unit *unit, const struct mirror_image *image)
{
    mirror_image(unit->settled, image);
}

uint64_t unit_release_floor(struct unit *unit, enum shared_log which)
{
    return mirror_floor(unit->settled, which);
}

bool unit_is_lost(const struct unit *unit)
{
    return unit->is_lost;
}

enum outbox_leave unit_may_leave(void *self, bool folds)
{
    static const enum outbox_leave leaves[] = {
        [MIRROR_LEAVE] = OUTBOX_LEAVE,
        [MIRROR_LEAVE_LATER] = OUTBOX_LEAVE_LATER,
        [MIRROR_LEAVE_REPEAT] = OUTBOX_LEAVE_REPEAT,
        [MIRROR_LEAVE_NEVER] = OUTBOX_LEAVE_NEVER,
    };
    const struct unit *unit = self;
    enum mirror_leave leave = mirror_may_leave(unit->settled, folds);

    if (leave != MIRROR_LEAVE_NEVER &&
        atomic_load_explicit(&unit->is_catching_up, memory_order_relaxed))
        return OUTBOX_LEAVE_FOLD;
    return leaves[leave];
}

bool unit_settle(struct unit *unit, enum shared_log which, uint64_t frame)
{
    mirror_durable(unit->settled, which, frame);
    return mirror_settle(unit->settled, which, frame);
}

void unit_stepped(struct unit *unit, int64_t to_ms)
{
    atomic_store_explicit(&unit->stepped_ms, to_ms, memory_order_relaxed);
}

void unit_committed(struct unit *unit, int64_t to_ms)
{
    atomic_store_explicit(&unit->committed_ms, to_ms, memory_order_relaxed);
}

/* What is told and changes nothing is handed to nobody, so what was told is looked for first, and
 * then what had been handed over by then. */
static bool is_past_handed(struct unit *unit, int64_t told_ms)
{
    if (!unit->is_past_told &&
        (told_ms > unit->began_ms || (unit->end_ms != INT64_MIN && told_ms > unit->end_ms))) {
        unit->is_past_told = true;
        unit->past_ms = atomic_load_explicit(&unit->stepped_ms, memory_order_relaxed);
    }
    return unit->is_past_told &&
           atomic_load_explicit(&unit->committed_ms, memory_order_relaxed) >= unit->past_ms;
}

static void settle(struct unit *unit)
{
    pthread_mutex_lock(&unit->lock);
    if (unit->mirror != NULL)
        mirror_settled(unit->mirror);
    unit->has_settled = true;
    pthread_mutex_unlock(&unit->lock);
}

void unit_look(struct unit *unit, int64_t told_ms, int64_t end_ms, double outbox_fill)
{
    if (unit->end_ms == INT64_MIN)
        unit->end_ms = end_ms;
    bool is_handed = is_past_handed(unit, told_ms);

    if (!atomic_load_explicit(&unit->is_catching_up, memory_order_relaxed)) {
        if (is_handed && outbox_fill <= 0 && !unit->has_settled)
            settle(unit);
        return;
    }
    if (is_handed)
        log_event(LOG_INFO, "caught_up", log_text("next", "sinks are told what is open"));
    else if (outbox_fill >= 1)
        log_event(
            LOG_WARNING, "caught_up_in_part",
            log_text("why", "the outbox is full of what is open so far, and input waits"),
            log_text("next", "sinks are told, also what resolves until it is caught up with"));
    else
        return;
    atomic_store_explicit(&unit->is_catching_up, false, memory_order_relaxed);
}

void unit_counters(struct unit *unit, struct unit_counters *out)
{
    *out = (struct unit_counters){
        .is_catching_up = atomic_load_explicit(&unit->is_catching_up, memory_order_relaxed),
        .followed_ms = atomic_load_explicit(&unit->follow.followed_ms, memory_order_relaxed),
        .follow_failures = atomic_load_explicit(&unit->follow.failures, memory_order_relaxed)};
    pthread_mutex_lock(&unit->lock);
    out->stand = unit->stand;
    if (unit->mirror != NULL)
        mirror_counters(unit->mirror, &out->mirror);
    else
        out->mirror = unit->last;
    pthread_mutex_unlock(&unit->lock);
}

/* ---- conversations ---- */

static int secret_of(const struct config *config, const char *name, char **out, struct error *err)
{
    const struct config_pairs *options = &config->shared.options;

    *out = NULL;
    for (size_t i = 0; i < options->count; i++)
        if (strcmp(options->item[i].name, name) == 0 &&
            sink_secret_read(options->item[i].value, out, err) != 0) {
            error_prefix(err, "shared.options: %.80s: ", name);
            return -EINVAL;
        }
    return 0;
}

static void forget(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* As `owner`. 0, or a negative errno with a sentence. */
static int open_store(const struct config *config, const char *owner, struct shared_store **out,
                      struct error *err)
{
    struct redis_config to = {
        .address = config->shared.address, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS};
    char *user = NULL, *password = NULL;
    struct shared_link *link = NULL;
    int rc = secret_of(config, "user", &user, err);

    if (rc == 0)
        rc = secret_of(config, "password", &password, err);
    to.user = user;
    to.password = password;
    if (rc == 0)
        rc = redis_link_create(&to, &link, err);
    if (rc == 0)
        rc = shared_store_create(link, config->shared.unit, owner, out, err);
    if (rc != 0 && link != NULL)
        link->destroy(link);
    forget(user);
    forget(password);
    return rc;
}

/* ---- open incidents ---- */

struct listing {
    FILE *to;
    uint64_t count;
};

static void list_one(void *user, const struct shared_open *open)
{
    struct listing *listing = user;

    fprintf(listing->to, "%s%.*s", listing->count++ > 0 ? "," : "", (int)open->record.len,
            open->record.at);
}

int unit_list_open(const struct config *config, FILE *to, struct error *err)
{
    struct listing listing = {to, 0};
    struct shared_store *store;
    enum shared_verdict verdict;

    if (open_store(config, "reader", &store, err) != 0)
        return -EIO;
    fprintf(to, "{\"unit\":\"%s\",\"open\":[", config->shared.unit);
    verdict = shared_store_open_list(store, list_one, &listing, err);
    fprintf(to, "],\"count\":%" PRIu64 "}\n", listing.count);
    shared_store_destroy(store);
    if (verdict != SHARED_FINE)
        error_prefix(err, "the shared store: ");
    return verdict == SHARED_FINE ? 0 : -EIO;
}

/* ---- setup ---- */

int unit_create(const struct unit_options *options, struct unit **out, struct error *err)
{
    struct unit *unit = memory_alloc(sizeof(*unit));
    char owner[ID128_TEXT_BYTES + DATA_DIR_PLACE_BYTES], *end;
    int rc;

    *unit = (struct unit){.options = *options, .began_ns = host_mono_ns(), .end_ms = INT64_MIN};
    atomic_init(&unit->stepped_ms, INT64_MIN);
    atomic_init(&unit->committed_ms, INT64_MIN);
    pthread_mutex_init(&unit->lock, NULL);
    error_set(&unit->why, "standing by: the shared store has not answered yet");
    data_dir_folder(options->dir, "blobs", unit->blobs);
    for (enum shared_log which = 0; which < SHARED_LOGS; which++) {
        data_dir_folder(options->dir, LOGS[which].kind, unit->folder[which]);
        unit->log[which] = (struct segment_config){.folder = unit->folder[which],
                                                   .kind = LOGS[which].kind,
                                                   .directory = options->dir->id,
                                                   .segment_bytes = LOGS[which].segment_bytes};
    }
    unit->watch.lease_ms = (unsigned)options->config->shared.lease_ms;
    unit->follow =
        (struct unit_follow){.config = options->config,
                             .log = {&unit->log[SHARED_JOURNAL], &unit->log[SHARED_INTAKE]},
                             .blobs = unit->blobs,
                             .must_stop = asked_to_stop,
                             .self = unit};
    /* A copy is another owner; itself after the machine was started anew waits for the lease. */
    id128_format(options->dir->id, owner);
    end = owner + strlen(owner);
    *end = '.';
    data_dir_place(options->dir, end + 1);
    unit->waker = host()->waker_create(host()->self);
    rc = unit->waker < 0 ? unit->waker : open_store(options->config, owner, &unit->store, err);
    if (rc == 0) {
        rc = -pthread_create(&unit->thread, NULL, run, unit);
        unit->has_thread = rc == 0;
        if (rc != 0)
            error_set(err, "the unit has no thread: %s", strerror(-rc));
    }
    if (rc == 0) {
        *out = unit;
        return EXIT_OK;
    }
    unit_destroy(unit);
    return rc == -EINVAL ? EXIT_CONFIG : EXIT_SYSTEM;
}

void unit_stop(struct unit *unit)
{
    struct mirror *mirror;

    pthread_mutex_lock(&unit->lock);
    unit->must_stop = true;
    pthread_mutex_unlock(&unit->lock);
    host()->waker_wake(host()->self, unit->waker);
    if (unit->has_thread)
        pthread_join(unit->thread, NULL);
    unit->has_thread = false;
    pthread_mutex_lock(&unit->lock);
    mirror = unit->mirror;
    if (mirror != NULL)
        mirror_counters(mirror, &unit->last);
    unit->mirror = NULL;
    pthread_mutex_unlock(&unit->lock);
    mirror_destroy(mirror);
}

void unit_destroy(struct unit *unit)
{
    if (unit == NULL)
        return;
    if (unit->waker >= 0) {
        unit_stop(unit);
        host()->close(host()->self, unit->waker);
    }
    shared_store_destroy(unit->store);
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}
