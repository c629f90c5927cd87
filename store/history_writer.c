/*
 * history_writer.c - see history_writer.h.
 *
 * Each round applies a batch of groups in one transaction, then trims one batch, then rests a
 * little: groups come twenty times a second, and each transaction has a sync that shares the disk
 * with the journal's own.
 */
#include "store/history_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "store/history_files.h"

enum {
    BATCH_ROWS = 4000,
    BATCH_GROUPS = 4000, /* of a transaction, at most */
    REST_MS = 200,       /* between two transactions while there is little to do */
    RETRY_MS = 5000,     /* while it is paused */
    IDLE_MS = 3600000,   /* as long as nobody wakes it */
    PLACE_GROUPS = 4096, /* groups without a row are noted after so many, */
    MOVED_MS = 1000,     /* or so much of the daemon's clock; where none came, */
    NOTE_MS = 60000,     /* after so much of it: people see the time of it */
    ANEW_MAX = 3,        /* files that one run begins anew; then it stays paused */
};

struct history_writer {
    struct history_writer_config config;
    char *path;
    uint64_t began_ns; /* when the clock was config.now_ms */
    pthread_t thread;
    int waker;     /* there is more, or the end */
    int nap_waker; /* the end alone */

    /* the thread's own */
    struct history *history;
    struct journal_reader *reader;
    bool has_record; /* the reader's next record, which begins the next group: */
    struct journal_record record;
    struct journal_place at; /* read up to here; the history's place may be behind it */
    int64_t noted_ms;        /* the daemon's clock as of the last commit */
    unsigned anew;           /* files that were begun anew */
    struct incident **open;  /* config.open_count of them; NULL: nothing is to be said of them */
    uint64_t open_frame;     /* where they are open */
    bool knew_open;          /* the file knows them */
    bool is_done;            /* it stays paused */

    _Atomic uint64_t durable;   /* D: release by the journal thread; frames up to it may be read */
    _Atomic bool must_stop;     /* relaxed: the wakers bring it */
    _Atomic uint64_t stop_ns;   /* relaxed: written before must_stop is seen */
    _Atomic uint64_t looked_to; /* relaxed, the thread's own: whole groups up to it are in the file,
                                   but for the place of those without rows */
    _Atomic uint64_t place; /* relaxed: a report, written behind its commit; floor and metrics */
    /* relaxed, each written by the thread alone: reports. */
    _Atomic uint64_t rows, removed, missed, aside, failures, bytes;
    _Atomic bool is_paused;
};

static void add(_Atomic uint64_t *to, uint64_t count)
{
    /* relaxed: this thread is its only writer, readers only report it. */
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + count,
                          memory_order_relaxed);
}

static bool must_stop(const struct history_writer *writer)
{
    /* relaxed: a flag by itself; the waker hurries it. */
    return atomic_load_explicit(&writer->must_stop, memory_order_relaxed);
}

static void say(struct history_writer *writer, enum history_news news, const char *sentence)
{
    if (writer->config.news != NULL)
        writer->config.news(writer->config.self, news, sentence);
}

/* ---- pausing ---- */

static void let_go(struct history_writer *writer)
{
    journal_reader_destroy(writer->reader);
    writer->reader = NULL;
    writer->has_record = false;
    history_close(writer->history);
    writer->history = NULL;
    writer->knew_open = false; /* a transaction may have come to nothing */
}

static void pause_for(struct history_writer *writer, const struct error *err)
{
    add(&writer->failures, 1);
    let_go(writer);
    if (!atomic_load_explicit(&writer->is_paused, memory_order_relaxed))
        say(writer, HISTORY_NEWS_PAUSED, err->text);
    /* relaxed: a report. */
    atomic_store_explicit(&writer->is_paused, true, memory_order_relaxed);
}

static void go_on(struct history_writer *writer)
{
    if (!atomic_load_explicit(&writer->is_paused, memory_order_relaxed))
        return;
    atomic_store_explicit(&writer->is_paused, false, memory_order_relaxed); /* relaxed: a report */
    say(writer, HISTORY_NEWS_GOES_ON, "");
}

/* The file cannot be gone on with. True: it is out of the way, and another one may be begun. */
static bool begin_anew(struct history_writer *writer, const struct error *why)
{
    char to[HISTORY_PATH_BYTES];
    struct error err = {""};

    let_go(writer);
    if (writer->anew == ANEW_MAX) {
        writer->is_done = true;
        error_set(&err, "%.1500s; %d files were begun anew in this run, and no more are", why->text,
                  ANEW_MAX);
        pause_for(writer, &err);
        return false;
    }
    if (history_move_aside(writer->path, HISTORY_ASIDE_MAX, to, &err) != 0) {
        pause_for(writer, &err);
        return false;
    }
    writer->anew++;
    atomic_store_explicit(&writer->place, 0, memory_order_relaxed); /* relaxed: see place */
    add(&writer->aside, 1);
    error_set(&err, "%.1500s; it is kept as %s", why->text, to);
    say(writer, HISTORY_NEWS_ASIDE, err.text);
    return true;
}

/* ---- opening ---- */

static void show_place(struct history_writer *writer)
{
    struct history_state state;
    uint64_t bytes = 0;
    struct error ignored;

    history_state(writer->history, &state);
    if (history_bytes(writer->history, &bytes, &ignored) == 0)
        atomic_store_explicit(&writer->bytes, bytes, memory_order_relaxed); /* relaxed: a report */
    atomic_store_explicit(&writer->missed, state.missed, memory_order_relaxed); /* the same */
    /* relaxed: segments are given up long after; what it names is durable already. */
    atomic_store_explicit(&writer->place, state.place.frame, memory_order_relaxed);
    writer->noted_ms = state.now_ms;
}

/* The journal no longer has what comes behind the place. */
static void miss(struct history_writer *writer, const struct journal_place *place)
{
    struct error err;
    uint64_t first = journal_reader_first(writer->reader), frames = first - place->frame - 1;

    history_miss(writer->history, frames);
    if (place->frame == 0) /* a new file: it begins where the journal does */
        return;
    error_set(&err,
              "%s: the journal has given up %" PRIu64 " frames that were not in the history yet; "
              "what happened in them is missing",
              writer->path, frames);
    say(writer, HISTORY_NEWS_MISSED, err.text);
}

/* The journal, from the history's place on. False: `again` says whether to try at once. */
static bool open_reader(struct history_writer *writer, uint64_t durable, bool *again)
{
    struct history_state state;
    enum segment_refusal why;
    enum journal_seek seek;
    struct error err = {""};

    history_state(writer->history, &state);
    if (journal_reader_create_at(writer->config.journal, &state.place, durable, &seek,
                                 &writer->reader, &why, &err) != 0) {
        pause_for(writer, &err);
        return false;
    }
    if (seek == JOURNAL_SEEK_OTHER) {
        error_set(&err,
                  "%s: frame %" PRIu64
                  " of the journal, which was the last one in it, is not there "
                  "or is another one now",
                  writer->path, state.place.frame);
        *again = begin_anew(writer, &err);
        return false;
    }
    if (seek == JOURNAL_SEEK_LATER)
        miss(writer, &state.place);
    writer->at = state.place;
    return true;
}

/* History and journal are open behind it. False: as open_reader(). */
static bool is_open(struct history_writer *writer, uint64_t durable, bool *again)
{
    struct error err = {""};
    enum history_refusal why;

    if (writer->history == NULL) {
        if (history_open(writer->path, writer->config.journal->directory, HISTORY_WRITE,
                         &writer->history, &why, &err) != 0) {
            if (why == HISTORY_WORLD || why == HISTORY_MISSING)
                pause_for(writer, &err);
            else
                *again = begin_anew(writer, &err);
            return false;
        }
        show_place(writer);
    }
    return writer->reader != NULL || open_reader(writer, durable, again);
}

/* ---- what is open ---- */

static void forget_open(struct history_writer *writer)
{
    for (size_t i = 0; writer->open != NULL && i < writer->config.open_count; i++)
        incident_unref(writer->open[i]);
    free(writer->open);
    writer->open = NULL;
}

/* A journal that does not go back to where they were open says what became of them nowhere. */
static bool tells_what_became(struct history_writer *writer)
{
    struct history_state state;

    history_state(writer->history, &state);
    return state.place.frame <= writer->open_frame &&
           journal_reader_first(writer->reader) <= writer->open_frame + 1;
}

/* Before the first group is read, and when all that was durable at the start is in the file. */
static int say_open(struct history_writer *writer, bool is_caught_up, struct error *err)
{
    const struct history_writer_config *config = &writer->config;
    int rc = 0;

    if (writer->open == NULL || writer->knew_open != is_caught_up)
        return 0;
    if (!is_caught_up) {
        if (tells_what_became(writer))
            rc = history_know_open(writer->history, writer->open, config->open_count, err);
        else
            forget_open(writer);
        writer->knew_open = rc == 0;
        return rc;
    }
    if (config->knows_open)
        rc = history_end_unseen(writer->history, writer->open, config->open_count,
                                writer->open_frame, config->open_ms, err);
    if (rc == 0)
        forget_open(writer);
    return rc;
}

/* ---- a batch ---- */

/* The next record goes to writer->record. 1, 0: there is no more for now, or a negative errno. */
static int look(struct history_writer *writer, struct error *err)
{
    int rc = 1;

    if (!writer->has_record)
        rc = journal_reader_next(writer->reader, &writer->record, NULL, err);
    writer->has_record = rc == 1;
    return rc;
}

/* Whole groups up to the bounds of a batch. 1: there is more, 0: there is not, or a negative
 * errno; then `of_journal` says whose. */
static int take_groups(struct history_writer *writer, bool *of_journal, struct error *err)
{
    size_t groups = 0;
    int rc;

    for (;;) {
        *of_journal = true;
        rc = look(writer, err);
        if (rc != 1)
            return rc;
        if (writer->record.kind == JOURNAL_GROUP) {
            if (groups++ == BATCH_GROUPS ||
                history_rows(writer->history) >= writer->config.batch_rows)
                return 1;
            writer->at = journal_reader_place(writer->reader);
        }
        *of_journal = false;
        rc = history_take(writer->history, &writer->record, &writer->at, err);
        if (rc != 0)
            return rc;
        writer->has_record = false;
    }
}

/* What went wrong with the history's file: pause, or begin anew. True: try again at once. */
static bool fail(struct history_writer *writer, int rc, bool of_journal, const struct error *err)
{
    if (rc == -EBADMSG && !of_journal) {
        add(&writer->failures, 1);
        return begin_anew(writer, err);
    }
    pause_for(writer, err);
    return false;
}

/* Groups were taken of which the file does not know. */
static uint64_t moved_by(const struct history_writer *writer)
{
    struct history_state state;

    history_state(writer->history, &state);
    /* relaxed: this thread is its only writer. */
    return state.place.frame - atomic_load_explicit(&writer->place, memory_order_relaxed);
}

/* Between two notes of where it is. */
static unsigned note_ms(const struct history_writer *writer)
{
    unsigned idle_ms = writer->config.note_ms;

    return moved_by(writer) > 0 && idle_ms > MOVED_MS ? MOVED_MS : idle_ms;
}

static bool is_long_ago(const struct history_writer *writer, int64_t now_ms)
{
    int64_t least_ms = note_ms(writer);

    return now_ms > INT64_MIN + least_ms && now_ms - least_ms >= writer->noted_ms;
}

static int64_t clock_now(const struct history_writer *writer)
{
    uint64_t elapsed_ns = host_mono_ns() - writer->began_ns;

    return writer->config.now_ms + (int64_t)(elapsed_ns / 1000000);
}

/* All that the journal has was taken. */
static void look_at_clock(struct history_writer *writer)
{
    if (writer->config.now_ms != 0)
        history_clock(writer->history, clock_now(writer));
}

/* Groups in which nothing is for the history only move its place, and time alone its clock: that
 * is not noted each time. */
static bool is_worth_it(const struct history_writer *writer)
{
    uint64_t moved = moved_by(writer);
    struct history_state state;

    history_state(writer->history, &state);
    return history_rows(writer->history) > 0 || moved >= PLACE_GROUPS ||
           (must_stop(writer) && (moved > 0 || state.now_ms > writer->noted_ms)) ||
           is_long_ago(writer, state.now_ms);
}

/* One transaction with what is durable. True: there is more to be read at once. */
static bool apply(struct history_writer *writer, uint64_t durable)
{
    struct error err = {""};
    bool of_journal = false;
    uint64_t rows;
    int rc = say_open(writer, false, &err), more;

    if (rc == 0)
        rc = take_groups(writer, &of_journal, &err);
    more = rc;
    if (rc == 0)
        look_at_clock(writer);
    if (rc == 0 && durable >= writer->open_frame)
        rc = say_open(writer, true, &err);
    if (rc >= 0 && is_worth_it(writer)) {
        rows = history_rows(writer->history);
        of_journal = false;
        rc = history_commit(writer->history, &err);
        if (rc == 0) {
            add(&writer->rows, rows);
            show_place(writer);
        }
    }
    if (rc < 0)
        return fail(writer, rc, of_journal, &err);
    if (more == 0)
        atomic_store_explicit(&writer->looked_to, durable, memory_order_relaxed); /* a report */
    go_on(writer);
    return more == 1;
}

/* True: there is more to take out. */
static bool trim(struct history_writer *writer)
{
    struct history_state before, after;
    struct error err = {""};
    int rc;

    history_state(writer->history, &before);
    rc = history_trim(writer->history, &writer->config.limits, &err);
    if (rc < 0)
        return fail(writer, rc, false, &err);
    history_state(writer->history, &after);
    add(&writer->removed, after.removed - before.removed);
    if (rc == 1)
        show_place(writer);
    return rc == 1;
}

/* ---- the thread ---- */

/* True: there is more to be done at once. */
static bool round_of(struct history_writer *writer)
{
    /* D2, acquire end: what lies up to it can be read. unseen by tsan: it lies in files. */
    uint64_t durable = atomic_load_explicit(&writer->durable, memory_order_acquire);
    bool more = false;

    if (writer->is_done || !is_open(writer, durable, &more))
        return more;
    journal_reader_limit(writer->reader, durable);
    more = apply(writer, durable);
    if (writer->history != NULL)
        more |= trim(writer);
    return more;
}

static bool is_behind(const struct history_writer *writer)
{
    /* D2, acquire end; relaxed: this thread is its only writer. unseen by tsan: as above. */
    return atomic_load_explicit(&writer->looked_to, memory_order_relaxed) <
           atomic_load_explicit(&writer->durable, memory_order_acquire);
}

/* Until there is more, or it is time to note the clock. */
static void wait_for_news(struct history_writer *writer)
{
    unsigned least_ms = writer->history == NULL ? REST_MS : note_ms(writer);
    uint64_t wait_ms = writer->config.now_ms == 0 ? IDLE_MS
                       : least_ms > REST_MS       ? least_ms - REST_MS
                                                  : 0;

    host()->waker_sleep(host()->self, writer->waker, wait_ms * 1000000ull);
}

static void *run(void *self)
{
    struct history_writer *writer = self;
    const struct host *h = host();
    bool more = true;

    pthread_setname_np(pthread_self(), "tocsin-history");
    while (!must_stop(writer)) {
        if (!more) {
            uint64_t rest_ns =
                (writer->history == NULL || writer->reader == NULL ? writer->config.retry_ms
                                                                   : REST_MS) *
                1000000ull;
            h->waker_sleep(h->self, writer->nap_waker, rest_ns);
            if (!must_stop(writer) && writer->reader != NULL && !is_behind(writer))
                wait_for_news(writer);
        }
        if (!must_stop(writer))
            more = round_of(writer);
    }
    /* relaxed: written before must_stop was. */
    while (host_mono_ns() < atomic_load_explicit(&writer->stop_ns, memory_order_relaxed) &&
           (round_of(writer) || (writer->reader != NULL && is_behind(writer))))
        ;
    let_go(writer);
    return NULL;
}

void history_writer_tell(struct history_writer *writer, uint64_t frame)
{
    /* D2, release end: the group is durable. unseen by tsan: it lies in files. */
    atomic_store_explicit(&writer->durable, frame, memory_order_release);
    host()->waker_wake(host()->self, writer->waker);
}

int64_t history_writer_clock(const struct history_writer *writer)
{
    /* relaxed: reports; a sync between the two looks at most makes it say that it is behind. */
    if (writer->config.now_ms == 0 ||
        atomic_load_explicit(&writer->is_paused, memory_order_relaxed) ||
        atomic_load_explicit(&writer->looked_to, memory_order_relaxed) <
            atomic_load_explicit(&writer->durable, memory_order_relaxed))
        return INT64_MIN;
    return clock_now(writer);
}

uint64_t history_writer_floor(const struct history_writer *writer)
{
    /* relaxed: see place. */
    return atomic_load_explicit(&writer->place, memory_order_relaxed) + 1;
}

void history_writer_counters(const struct history_writer *writer,
                             struct history_writer_counters *out)
{
    /* relaxed: reports of what is still moving. */
    uint64_t durable = atomic_load_explicit(&writer->durable, memory_order_relaxed);
    uint64_t frame = atomic_load_explicit(&writer->place, memory_order_relaxed);
    uint64_t looked = atomic_load_explicit(&writer->looked_to, memory_order_relaxed);

    *out = (struct history_writer_counters){
        .frame = frame,
        .lag = durable > looked ? durable - looked : 0,
        .rows = atomic_load_explicit(&writer->rows, memory_order_relaxed),
        .removed = atomic_load_explicit(&writer->removed, memory_order_relaxed),
        .missed = atomic_load_explicit(&writer->missed, memory_order_relaxed),
        .aside = atomic_load_explicit(&writer->aside, memory_order_relaxed),
        .failures = atomic_load_explicit(&writer->failures, memory_order_relaxed),
        .bytes = atomic_load_explicit(&writer->bytes, memory_order_relaxed),
        .is_paused = atomic_load_explicit(&writer->is_paused, memory_order_relaxed)};
}

/* ---- life ---- */

static void release(struct history_writer *writer)
{
    const struct host *h = host();

    if (writer->waker >= 0)
        h->close(h->self, writer->waker);
    if (writer->nap_waker >= 0)
        h->close(h->self, writer->nap_waker);
    forget_open(writer);
    free(writer->path);
    free(writer);
}

int history_writer_create(const struct history_writer_config *config, uint64_t durable,
                          struct history_writer **out, struct error *err)
{
    struct history_writer *writer = calloc(1, sizeof(*writer));
    const struct host *h = host();
    int rc;

    if (writer == NULL) {
        error_set(err, "out of memory for the history");
        return -ENOMEM;
    }
    writer->config = *config;
    writer->path = strdup(config->path);
    writer->open_frame = durable;
    writer->open = memory_alloc((config->open_count + 1) * sizeof(*writer->open));
    for (size_t i = 0; i < config->open_count; i++)
        writer->open[i] = incident_ref(config->open[i]);
    if (config->batch_rows == 0)
        writer->config.batch_rows = BATCH_ROWS;
    if (config->retry_ms == 0)
        writer->config.retry_ms = RETRY_MS;
    if (config->note_ms == 0)
        writer->config.note_ms = NOTE_MS;
    writer->began_ns = host_mono_ns();
    writer->waker = h->waker_create(h->self);
    writer->nap_waker = h->waker_create(h->self);
    atomic_init(&writer->durable, durable);
    rc = writer->path == NULL || writer->waker < 0 || writer->nap_waker < 0
             ? -ENOMEM
             : -pthread_create(&writer->thread, NULL, run, writer);
    if (rc != 0) {
        error_set(err, "the history's thread cannot be started: %s", strerrordesc_np(-rc));
        release(writer);
        return rc;
    }
    *out = writer;
    return 0;
}

void history_writer_destroy(struct history_writer *writer, uint64_t wait_ns)
{
    const struct host *h = host();

    if (writer == NULL)
        return;
    /* relaxed: must_stop comes behind it, and the thread is joined. */
    atomic_store_explicit(&writer->stop_ns, host_mono_ns() + wait_ns, memory_order_relaxed);
    atomic_store_explicit(&writer->must_stop, true, memory_order_relaxed);
    h->waker_wake(h->self, writer->waker);
    h->waker_wake(h->self, writer->nap_waker);
    pthread_join(writer->thread, NULL);
    release(writer);
}
