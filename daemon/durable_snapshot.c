/*
 * durable_snapshot.c - the thread that takes snapshots (semantics C6). See durable.h.
 *
 *   thread                            engine                     journal
 *     | is one due?  --ask-->           |                           |
 *     |                                 | lanes, a few at a time    |
 *     | <--image, with how much had ----|                           |
 *     |    been told and committed      |                           |
 *     | --flush: marks and groups up to the image------------------>| synced
 *     | reads the journal on, from where it knows it, up to what was committed then
 *     | writes the file, syncs, renames, syncs the folder
 *     | removes all but the two newest, and what only older ones needed of the journal
 *
 * What the file says that the journal knew is of a moment at or before the image: what was
 * committed in between is read from the journal by whoever goes on from it.
 *
 * Nothing that is promised rests on a snapshot that is not there: when one cannot be written it is
 * said and counted, and the next start reads more.
 */
#include "daemon/durable_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/incident_lines.h"
#include "daemon/log.h"
#include "daemon/unit.h"
#include "ingest/intake_source.h"

enum {
    LOOK_MS = 100,
    LEAST_MS = 10 * 1000,    /* between two */
    REREAD_RECORDS = 500000, /* about 5 s of reading again, at 100,000 a second */
    LAST_WAIT_MS = 2000,     /* of a run that ends, for an image */
};

static const uint64_t ms_ns = 1000000;

/* ---- one that is on its way ---- */

static void taken_release(struct snapshot_taken *taken)
{
    for (size_t i = 0; taken->piece != NULL && i < taken->piece_count; i++)
        free(taken->piece[i].at);
    free(taken->piece);
    free((void *)taken->facts.sets);
    free((void *)taken->facts.stands);
    *taken = (struct snapshot_taken){.piece = NULL};
}

static const struct id128 *sets_copy(const struct engine_image *image)
{
    struct id128 *sets = memory_alloc((image->set_count + 1) * sizeof(*sets));

    for (size_t i = 0; i < image->set_count; i++)
        sets[i] = rule_set_hash(image->sets[i]);
    return sets;
}

static const struct snapshot_stand *stands_copy(const struct engine_image *image)
{
    struct snapshot_stand *stands = memory_alloc((image->position_count + 1) * sizeof(*stands));

    for (size_t i = 0; i < image->position_count; i++)
        stands[i] = (struct snapshot_stand){.part = image->positions[i].part,
                                            .offset = image->positions[i].low};
    return stands;
}

void durable_image(struct durable *durable, const struct engine_image *image)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    struct snapshot_taken taken = {
        .piece = image->piece,
        .piece_count = image->piece_count,
        .longest_ns = image->taking_ns,
        .facts = {.at_ms = image->at_ms,
                  .seed = image->seed,
                  .epoch_ms = image->epoch_ms,
                  .sets = sets_copy(image),
                  .set_count = (uint32_t)image->set_count,
                  .stands = stands_copy(image),
                  .stand_count = (uint32_t)image->position_count,
                  /* relaxed: nothing is told before this returns. */
                  .told = atomic_load_explicit(&durable->told, memory_order_relaxed)}};
    const struct host *h = host();

    /* No mark that the image rests on may be lost, also those that no step came behind. */
    journal_keep_marks(durable->journal);
    pthread_mutex_lock(&snapshots->lock);
    taken.limit = snapshots->committed;
    taken_release(&snapshots->taken);
    snapshots->taken = taken;
    pthread_mutex_unlock(&snapshots->lock);
    h->waker_wake(h->self, snapshots->waker);
}

void durable_snapshots_committed(struct durable *durable, uint64_t frame)
{
    pthread_mutex_lock(&durable->snapshots.lock);
    durable->snapshots.committed = frame;
    pthread_mutex_unlock(&durable->snapshots.lock);
}

static uint64_t committed(struct durable_snapshots *snapshots)
{
    uint64_t frame;

    pthread_mutex_lock(&snapshots->lock);
    frame = snapshots->committed;
    pthread_mutex_unlock(&snapshots->lock);
    return frame;
}

static bool must_stop(struct durable_snapshots *snapshots)
{
    bool must;

    pthread_mutex_lock(&snapshots->lock);
    must = snapshots->must_stop;
    pthread_mutex_unlock(&snapshots->lock);
    return must;
}

/* ---- into a file ---- */

/* What the journal says, up to where it held nothing behind the image. */
static int read_on(struct durable *durable, uint64_t limit, struct error *err)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    const struct journal_span span = {.from = snapshots->place, .to = limit};
    struct journal_reader *reader;
    int rc = journal_reader_create_span(&durable->segments, &span, &reader, err);

    if (rc != 0)
        return rc;
    rc = journal_recall_read(snapshots->recall, reader, NULL, err);
    snapshots->place = journal_reader_place(reader);
    journal_reader_destroy(reader);
    return rc;
}

/* The incident log's lines up to there, which the journal lets go of some day. */
static int lines_go_on(struct durable *durable, uint64_t limit, struct error *err)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    const struct journal_span span = {.from = snapshots->lines_place, .to = limit};
    int rc = incident_lines_go_on(&durable->segments, &span, &snapshots->lines, err);

    snapshots->lines_place = snapshots->place;
    return rc;
}

/* What a start from the snapshot needs of blobs/. */
static void needs_list(const struct journal_recall *recall, const struct snapshot_facts *facts,
                       struct id_list *needs)
{
    struct journal_summary sum;

    journal_recall_summary(recall, &sum);
    needs->count = 0;
    for (size_t i = 0; i < sum.rules_count; i++) {
        vector_add(needs) = sum.rules[i].set;
        vector_add(needs) = sum.rules[i].settings;
    }
    for (uint32_t i = 0; i < facts->set_count; i++)
        vector_add(needs) = facts->sets[i];
}

static void forget(struct durable_snapshots *snapshots, const struct snapshot_facts *facts)
{
    struct journal_kept_part *parts = memory_alloc((facts->stand_count + 1) * sizeof(*parts));

    for (uint32_t i = 0; i < facts->stand_count; i++)
        parts[i] = (struct journal_kept_part){facts->stands[i].part, facts->stands[i].offset};
    journal_recall_forget(snapshots->recall, facts->at_ms, parts, facts->stand_count);
    free(parts);
}

static int write_file(struct durable_snapshots *snapshots, struct snapshot_taken *taken,
                      uint64_t *bytes, struct error *err)
{
    struct snapshot_piece *image = memory_alloc((taken->piece_count + 1) * sizeof(*image));
    struct journal_buffer known = {.bytes = {.at = NULL}};
    struct snapshot_written written = {0};
    int rc;

    for (size_t i = 0; i < taken->piece_count; i++)
        image[i] = (struct snapshot_piece){taken->piece[i].at, taken->piece[i].bytes};
    journal_recall_save(snapshots->recall, &known);
    rc = snapshot_file_write(&snapshots->folder, snapshots->last_number + 1, &taken->facts,
                             &(struct snapshot_piece){known.bytes.at, known.bytes.count}, image,
                             taken->piece_count, &written, err);
    journal_buffer_release(&known);
    free(image);
    *bytes = written.bytes;
    return rc;
}

/* Where the image stands in what is pushed; 0: it had not joined. */
static uint64_t intake_low(const struct journal_summary *sum, const struct snapshot_facts *facts)
{
    for (uint32_t i = 0; i < facts->stand_count; i++) {
        const struct snapshot_stand *stand = &facts->stands[i];
        if (stand->part < sum->part_count && stand->offset > 0 &&
            strcmp(sum->parts[stand->part].topic, INTAKE_TOPIC) == 0)
            return (uint64_t)stand->offset;
    }
    return 0;
}

/* The first frame of the intake log that a start from it needs; 0: all of it. */
static uint64_t intake_frame(const struct durable *durable, const struct snapshot_facts *facts,
                             const struct journal_summary *sum)
{
    const struct durable_options *options = &durable->options;

    return options->intake_floor != NULL
               ? options->intake_floor(options->self, intake_low(sum, facts))
               : 0;
}

/* The shared store is to have it too, with all that a start from it asks for. */
void durable_tell_image(struct durable *durable, uint64_t number,
                        const struct snapshot_facts *facts, const struct journal_summary *sum)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    char path[SNAPSHOT_PATH_BYTES];
    struct id_list blobs = {.at = NULL};

    if (durable->options.unit == NULL)
        return;
    for (size_t i = 0; i < sum->rules_count; i++) {
        vector_add(&blobs) = sum->rules[i].set;
        vector_add(&blobs) = sum->rules[i].settings;
    }
    for (uint32_t i = 0; i < facts->set_count; i++)
        vector_add(&blobs) = facts->sets[i];
    for (uint32_t i = 0; i < facts->kept_count; i++)
        vector_add(&blobs) = facts->kept[i];
    snapshot_file_path(&snapshots->folder, number, path);
    unit_image(durable->options.unit,
               &(struct mirror_image){.path = path,
                                      .number = number,
                                      .known = facts->known.frame,
                                      .frame = facts->frame,
                                      .intake = intake_frame(durable, facts, sum),
                                      .blobs = blobs.at,
                                      .blob_count = blobs.count});
    free(blobs.at);
}

/* The two newest stay. */
static void remove_others(struct durable_snapshots *snapshots, uint64_t newest, uint64_t before)
{
    uint64_t number[SNAPSHOT_LIST_MAX];
    int count = snapshot_file_list(&snapshots->folder, number);

    for (int i = 0; i < count; i++)
        if (number[i] != newest && number[i] != before)
            snapshot_file_remove(&snapshots->folder, number[i], false);
}

/* What lies before the older of the two that stay. */
static void recycle(struct durable *durable, uint64_t older_frame, uint64_t older_intake)
{
    struct journal_summary sum;

    journal_recall_summary(durable->snapshots.recall, &sum);
    durable_recycle(durable, older_frame, sum.n_ms);
    if (durable->options.intake_release != NULL)
        durable->options.intake_release(durable->options.self, older_intake, sum.n_ms);
}

static int write_snapshot(struct durable *durable, struct snapshot_taken *taken, uint64_t *bytes,
                          struct error *err)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    struct journal_summary sum;
    int rc;

    if (!journal_flush_now(durable->journal)) {
        error_set(err, "what it rests on cannot be journaled: the disk is full, or fails");
        return -EIO;
    }
    taken->facts.frame = committed(snapshots);
    rc = read_on(durable, taken->limit, err);
    if (rc == 0)
        rc = lines_go_on(durable, taken->limit, err);
    if (rc != 0) { /* who knows how much of it was taken in */
        atomic_store_explicit(&snapshots->off, true, memory_order_relaxed);
        return rc;
    }
    taken->facts.known = snapshots->place;
    taken->facts.has_lines = true;
    taken->facts.lines = snapshots->lines;
    forget(snapshots, &taken->facts);
    taken->facts.kept = snapshots->needs.at;
    taken->facts.kept_count = (uint32_t)snapshots->needs.count;
    rc = write_file(snapshots, taken, bytes, err);
    if (rc != 0)
        return rc;
    snapshots->last_number++;
    remove_others(snapshots, snapshots->last_number, snapshots->newest);
    if (snapshots->newest > 0)
        recycle(durable, snapshots->newest_frame, snapshots->newest_intake);
    snapshots->newest = snapshots->last_number;
    snapshots->newest_frame = taken->facts.known.frame;
    journal_recall_summary(snapshots->recall, &sum);
    snapshots->newest_intake = intake_low(&sum, &taken->facts);
    durable_tell_image(durable, snapshots->newest, &taken->facts, &sum);
    needs_list(snapshots->recall, &taken->facts, &snapshots->needs);
    return 0;
}

/* ---- when ---- */

/* Waits for the image that was asked for. False: it does not come before the run ends. */
static bool await_image(struct durable *durable, struct snapshot_taken *to)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    const struct host *h = host();
    uint64_t end_ns = UINT64_MAX;

    for (;;) {
        pthread_mutex_lock(&snapshots->lock);
        *to = snapshots->taken;
        snapshots->taken = (struct snapshot_taken){.piece = NULL};
        pthread_mutex_unlock(&snapshots->lock);
        if (to->piece != NULL)
            return true;
        if (end_ns == UINT64_MAX && must_stop(snapshots))
            end_ns = host_mono_ns() + LAST_WAIT_MS * ms_ns;
        if (host_mono_ns() >= end_ns ||
            atomic_load_explicit(&durable->verdict, memory_order_relaxed) != 0)
            return false;
        h->waker_sleep(h->self, snapshots->waker, LOOK_MS * ms_ns);
    }
}

static void count_one(struct durable_snapshots *snapshots, int rc, uint64_t bytes,
                      uint64_t began_ns, uint64_t hold_ns)
{
    struct durable_snapshot_counters *counters = &snapshots->counters;

    pthread_mutex_lock(&snapshots->lock);
    counters->hold_ns = hold_ns;
    counters->hold_ns_max = hold_ns > counters->hold_ns_max ? hold_ns : counters->hold_ns_max;
    counters->failures += rc != 0;
    if (rc == 0) {
        counters->taken++;
        counters->bytes = bytes;
        counters->begun_ns = began_ns;
        counters->took_ns = host_mono_ns() - began_ns;
        counters->is_there = true;
    }
    pthread_mutex_unlock(&snapshots->lock);
}

static void take(struct durable *durable)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    struct engine_counters counters;
    struct snapshot_taken taken;
    struct error err = {""};
    uint64_t began_ns = host_mono_ns(), bytes = 0;
    int rc;

    engine_counters(snapshots->engine, &counters);
    engine_ask_image(snapshots->engine);
    if (!await_image(durable, &taken))
        return;
    rc = write_snapshot(durable, &taken, &bytes, &err);
    count_one(snapshots, rc, bytes, began_ns, taken.longest_ns);
    if (rc != 0)
        log_event(LOG_ERROR, "snapshot_failed", log_text("why", err.text),
                  log_text("next", "it is tried again; until then a start takes longer"));
    else
        log_event(LOG_DEBUG, "snapshot", log_number("number", (int64_t)snapshots->newest),
                  log_number("bytes", (int64_t)bytes));
    snapshots->taken_ns = host_mono_ns();
    if (rc == 0) {
        snapshots->records = counters.records;
        snapshots->frame = taken.facts.frame;
    }
    taken_release(&taken);
}

static bool is_off(const struct durable *durable)
{
    return atomic_load_explicit(&durable->snapshots.off, memory_order_relaxed) ||
           !durable_is_recovered(durable) ||
           atomic_load_explicit(&durable->verdict, memory_order_relaxed) != 0;
}

/* Whether there is anything that the newest does not hold. */
static bool has_news(const struct durable_snapshots *snapshots, uint64_t records, uint64_t frame)
{
    return records != snapshots->records || frame != snapshots->frame;
}

void durable_snapshots_within(struct durable *durable, int64_t within_ms)
{
    /* relaxed: the value is all that is handed over. */
    atomic_store_explicit(&durable->snapshots.within_ms, within_ms, memory_order_relaxed);
}

/* As configured, or before topics drop what would be read again. */
static uint64_t longest_ns(const struct durable *durable)
{
    int64_t every_ms = durable->options.snapshot_every_ms;
    int64_t within_ms = atomic_load_explicit(&durable->snapshots.within_ms, memory_order_relaxed);

    return (uint64_t)(within_ms > 0 && within_ms < every_ms ? within_ms : every_ms) * ms_ns;
}

static bool is_due(struct durable *durable)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    uint64_t every_ns = longest_ns(durable);
    uint64_t age_ns = host_mono_ns() - snapshots->taken_ns;
    struct engine_counters counters;

    if (is_off(durable) || (age_ns < LEAST_MS * ms_ns && age_ns < every_ns))
        return false;
    engine_counters(snapshots->engine, &counters);
    return counters.records - snapshots->records >= REREAD_RECORDS ||
           (age_ns >= every_ns && has_news(snapshots, counters.records, committed(snapshots)));
}

static void *run(void *self)
{
    struct durable *durable = self;
    struct durable_snapshots *snapshots = &durable->snapshots;
    struct engine_counters counters;
    const struct host *h = host();
    bool must_take_last;

    pthread_setname_np(pthread_self(), "tocsin-snapshot");
    while (!must_stop(snapshots)) {
        h->waker_sleep(h->self, snapshots->waker, LOOK_MS * ms_ns);
        if (!must_stop(snapshots) && is_due(durable))
            take(durable);
    }
    pthread_mutex_lock(&snapshots->lock);
    must_take_last = snapshots->must_take_last;
    pthread_mutex_unlock(&snapshots->lock);
    engine_counters(snapshots->engine, &counters);
    if (must_take_last && !is_off(durable) &&
        has_news(snapshots, counters.records, committed(snapshots)))
        take(durable);
    return NULL;
}

/* ---- begin and end ---- */

void durable_snapshots_init(struct durable *durable)
{
    struct durable_snapshots *snapshots = &durable->snapshots;

    data_dir_folder(&durable->dir, "snapshots", snapshots->folder_path);
    snapshots->folder = (struct snapshot_folder){snapshots->folder_path, durable->dir.id};
    snapshots->waker = -1;
    pthread_mutex_init(&snapshots->lock, NULL);
}

/* What the newest one knew, to be read on from there. */
static int recall_begin(struct durable_snapshots *snapshots, struct error *err)
{
    const struct snapshot_content *begin = &snapshots->begin;

    if (begin->number == 0) {
        snapshots->recall = journal_recall_begin();
        return snapshots->recall != NULL ? 0 : -ENOMEM;
    }
    snapshots->place = begin->facts.known;
    if (begin->facts.has_lines) {
        snapshots->lines = begin->facts.lines;
        snapshots->lines_place = begin->facts.known;
    }
    snapshots->newest = begin->number;
    snapshots->newest_frame = begin->facts.known.frame;
    snapshots->frame = begin->facts.frame;
    snapshots->counters.is_there = true;
    snapshots->counters.bytes = begin->file_bytes;
    snapshots->counters.begun_ns = host_mono_ns();
    return journal_recall_load(begin->known, begin->known_bytes, &snapshots->recall, err);
}

int durable_snapshots_begin(struct durable *durable, struct engine *engine, struct error *err)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    struct engine_counters counters;
    int rc;

    if (durable->options.snapshot_every_ms == 0)
        atomic_store_explicit(&snapshots->off, true, memory_order_relaxed);
    snapshot_file_sweep(&snapshots->folder);
    error_set(err, "out of memory or descriptors for snapshots");
    if (recall_begin(snapshots, err) != 0)
        return EXIT_SYSTEM;
    if (snapshots->newest > 0) {
        struct journal_summary sum;
        journal_recall_summary(snapshots->recall, &sum);
        snapshots->newest_intake = intake_low(&sum, &snapshots->begin.facts);
        needs_list(snapshots->recall, &snapshots->begin.facts, &snapshots->needs);
    }
    engine_counters(engine, &counters);
    snapshots->records = counters.records;
    snapshots->engine = engine;
    snapshots->taken_ns = host_mono_ns();
    snapshots->waker = host()->waker_create(host()->self);
    rc = snapshots->waker < 0 ? snapshots->waker
                              : -pthread_create(&snapshots->thread, NULL, run, durable);
    if (rc != 0)
        return EXIT_SYSTEM;
    snapshots->is_running = true;
    err->text[0] = '\0';
    return EXIT_OK;
}

void durable_snapshots_end(struct durable *durable, bool must_take_last)
{
    struct durable_snapshots *snapshots = &durable->snapshots;

    if (!snapshots->is_running)
        return;
    pthread_mutex_lock(&snapshots->lock);
    snapshots->must_stop = true;
    snapshots->must_take_last = must_take_last;
    pthread_mutex_unlock(&snapshots->lock);
    host()->waker_wake(host()->self, snapshots->waker);
    pthread_join(snapshots->thread, NULL);
    snapshots->is_running = false;
}

void durable_snapshots_release(struct durable *durable)
{
    struct durable_snapshots *snapshots = &durable->snapshots;

    taken_release(&snapshots->taken);
    snapshot_content_release(&snapshots->begin);
    journal_recall_destroy(snapshots->recall);
    free(snapshots->needs.at);
    free(snapshots->ahead.at);
    if (snapshots->waker >= 0)
        host()->close(host()->self, snapshots->waker);
    pthread_mutex_destroy(&snapshots->lock);
}

void durable_snapshot_counters(struct durable *durable, struct durable_snapshot_counters *out)
{
    pthread_mutex_lock(&durable->snapshots.lock);
    *out = durable->snapshots.counters;
    pthread_mutex_unlock(&durable->snapshots.lock);
    out->is_off = atomic_load_explicit(&durable->snapshots.off, memory_order_relaxed);
}
