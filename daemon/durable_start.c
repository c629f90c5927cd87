/*
 * durable_start.c - a data directory is opened: its journal is read to the end, and what the engine
 * needs to go on from there is got ready. See durable.h.
 */
#include "daemon/durable_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/incident_log_mend.h"
#include "daemon/log.h"
#include "daemon/past_check.h"
#include "daemon/settings_text.h"

enum { GROUP_MS = 50, GROUP_BYTES = 4 << 20, OPEN_BYTES = 16 << 20 };

static int exit_code_of(enum data_dir_refusal why)
{
    switch (why) {
    case DATA_DIR_LOCKED:
        return EXIT_LOCKED;
    case DATA_DIR_FOREIGN:
        return EXIT_CONFIG;
    case DATA_DIR_DAMAGED:
        return EXIT_DATA;
    case DATA_DIR_FINE:
    case DATA_DIR_WORLD:
    case DATA_DIR_MISSING:
        break;
    }
    return EXIT_IO;
}

int durable_exit_of_segment(enum segment_refusal why)
{
    return why == SEGMENT_REFUSED_WORLD || why == SEGMENT_REFUSED_NOT ? EXIT_IO : EXIT_DATA;
}

/* What a recovery will need is there, and nothing else is. */
static int look_at_kept(struct durable *durable, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    const struct snapshot_facts *facts = &durable->snapshots.begin.facts;
    struct id128 *ids = memory_alloc(
        ((past->rules_count + 1) * 2 + facts->set_count + facts->kept_count) * sizeof(*ids));
    struct kept_counts counts;
    size_t count = 0;
    int rc;

    ids[count++] = durable->rules;
    ids[count++] = durable->settings;
    for (size_t i = 0; i < past->rules_count; i++) {
        ids[count++] = past->rules[i].set;
        ids[count++] = past->rules[i].settings;
    }
    for (uint32_t i = 0; i < facts->set_count; i++)
        ids[count++] = facts->sets[i];
    for (uint32_t i = 0; i < facts->kept_count; i++) /* of the one before, should this one not do */
        ids[count++] = facts->kept[i];
    rc = kept_files_look(durable->blobs, ids, count, true, &counts, err);
    free(ids);
    durable->rules_kept = counts.lists;
    if (rc == 0 && counts.removed > 0)
        log_event(LOG_INFO, "rules_removed", log_number("files", (int64_t)counts.removed),
                  log_text("next", "the journal does not need them any more"));
    return rc == 0 ? EXIT_OK : rc == -ENOENT || rc == -EBADMSG ? EXIT_DATA : EXIT_IO;
}

/* Before anything is told under them. */
static int keep_rules_and_settings(struct durable *durable, struct error *err)
{
    char *now = settings_text(durable->options.engine);
    struct kept_files files = {0};
    int code;

    durable->settings = hash128(now, strlen(now), 0);
    durable->rules = durable->options.rules;
    code = past_check(&durable->past, &durable->snapshots.begin, durable->dir.path, durable->blobs,
                      now, &durable->changes, NULL, err);
    for (char *at = durable->changes; at != NULL && *at != '\0'; at++)
        if (*at == '\n')
            *at = at[1] != '\0' ? '|' : '\0'; /* a line each */
    if (code == EXIT_OK)
        code = durable_load_sinks(durable, now, err);
    if (code == EXIT_OK)
        code = durable_load_inputs(durable, now, err);
    kept_files_add(&files, 's', "settings", now, strlen(now));
    free(now);
    if (code == EXIT_OK && kept_files_save(durable->blobs, durable->settings, &files, err) != 0)
        code = EXIT_IO;
    kept_files_release(&files);
    if (code == EXIT_OK &&
        rules_kept_save(durable->blobs, durable->rules, durable->options.read, err) != 0)
        code = EXIT_IO;
    return code == EXIT_OK ? look_at_kept(durable, err) : code;
}

/* More was told than the journal knows: a part of it was lost, or it was put back older than what
 * was made of it. Sinks that fold no repeats hear that what comes may be one. */
static void find_doubt(struct durable *durable, const struct error *lost, uint64_t frame)
{
    const uint64_t history = durable_history_frame(durable);

    if (lost->text[0] == '\0' && durable->snapshots.ahead.count == 0 && history <= frame)
        return;
    durable->doubt_ms = host_wall_ms();
    log_event(LOG_WARNING, "told_before", log_text("path", durable->dir.path),
              log_text("why", lost->text[0] != '\0' ? "a loss of the journal is accepted"
                              : history > frame     ? "the history knows more than the journal"
                                                    : "a snapshot knows more than the journal"),
              log_number("frame", (int64_t)frame),
              log_text("next", "what is told up to now may have been told: sinks that fold no "
                               "repeats hear so"));
}

/* Reads the journal to its end, behind `frame`, and opens it there for writing. */
static int read_journal(struct durable *durable, struct segment_log **log, uint64_t *frame,
                        struct error *err)
{
    struct journal_reader *reader = NULL;
    struct error lost = {""};
    int code = durable_read(durable, &reader, &lost, err);

    if (code != EXIT_OK)
        return code;
    if (lost.text[0] != '\0')
        log_event(LOG_ERROR, "journal_loss_accepted", log_text("what", lost.text),
                  log_text("next", "all behind it is cut off and told anew, as what may be a "
                                   "repeat"));
    journal_recall_summary(durable->recall, &durable->past);
    if (durable->options.has_intake)
        code = past_check_intake(&durable->past, &durable->snapshots.begin, durable->dir.path,
                                 durable->options.intake_next, durable->options.unit != NULL, err);
    if (code == EXIT_OK)
        code = keep_rules_and_settings(durable, err);
    if (code != EXIT_OK)
        goto out;
    if (journal_reader_end(reader)->torn_bytes > 0 || journal_reader_unfinished(reader) > 0)
        log_event(LOG_WARNING, "journal_tail_cut",
                  log_number("bytes", (int64_t)journal_reader_end(reader)->torn_bytes),
                  log_number("groups", (int64_t)journal_reader_unfinished(reader)),
                  log_text("next", "what was not committed is done again"));
    *frame = journal_reader_end(reader)->next_frame - 1;
    find_doubt(durable, &lost, *frame);
    code = durable_remove_ahead(durable, err);
    if (code != EXIT_OK)
        goto out;
    if (segment_log_open(&durable->segments, journal_reader_end(reader), log, err) != 0)
        code = EXIT_IO;
out:
    journal_reader_destroy(reader);
    return code;
}

static void on_broken(void *self, const char *why)
{
    durable_end_run(self, EXIT_IO, why);
}

static const char *const differences[JOURNAL_DIFFERENCES] = {
    [JOURNAL_FRESH] = "the journal does not know it: it is told now",
    [JOURNAL_GONE] = "it is not told any more: it stays where it was sent as the journal says",
    [JOURNAL_OTHER] = "it went otherwise: it stays as the journal says",
};

static void on_difference(void *self, const struct incident *incident, enum journal_difference what)
{
    char id[ID128_TEXT_BYTES];

    (void)self;
    id128_format(incident->id, id);
    log_event(LOG_WARNING, "recovery_differs", log_text("incident", id),
              log_text("rule", incident->rule_id), log_text("key", incident->key),
              log_text("what", differences[what]));
}

/* What is told again is compared with the journal; by another engine than the journal's it may
 * differ. */
static int prepare_to_tell_again(struct durable *durable, uint64_t frame, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    const struct journal_span span = durable_span(durable, frame);
    const struct journal_filter filter = {durable, durable_is_told};
    const struct journal_trust_hooks hooks = {durable, on_difference};
    bool is_trusted = durable->options.trust || past->other_engine[0] != '\0';
    int rc;

    durable->tells_again = true;
    if (is_trusted) {
        log_event(LOG_WARNING, "journal_trusted",
                  log_text("why", durable->options.trust ? "--trust-journal" : "another engine"),
                  log_text("engine", durable->options.trust ? past->engine : past->other_engine),
                  log_text("next", "what comes out otherwise is listed, and the journal stands"));
        rc = journal_trust_create(&durable->segments, &span, &filter, &hooks, &durable->trust, err);
    } else {
        rc = journal_compare_create(&durable->segments, &span, &filter, &durable->compare, err);
    }
    return rc != 0 ? EXIT_IO : EXIT_OK;
}

/* The rules with which the engine begins: those at its first watermark, where what was switched
 * before was never in force, or at the snapshot. */
static void first_rules_find(struct durable *durable)
{
    const struct journal_summary *past = &durable->past;
    const struct snapshot_content *begin = &durable->snapshots.begin;
    int64_t from_ms = INT64_MIN;

    for (size_t i = 0; i < past->mark_count; i++)
        if (past->marks[i].kind == MARK_BEGIN) {
            durable->has_begin = true;
            from_ms = past->marks[i].value_ms;
        }
    if (begin->number > 0)
        from_ms = begin->facts.at_ms - 1; /* a switch at its moment is still to come */
    while (durable->first_rules + 1 < past->rules_count &&
           past->rules[durable->first_rules + 1].from_ms <= from_ms)
        durable->first_rules++;
}

/* Those that an image says hold in its place. */
static int first_terms_find(struct durable *durable, struct error *err)
{
    const struct journal_summary *past = &durable->past;

    durable->first_terms = durable->terms;
    return past->rules_count == 0
               ? EXIT_OK
               : durable_terms_then(durable, past->rules[durable->first_rules].settings,
                                    &durable->first_terms, err);
}

static int prepare(struct durable *durable, uint64_t frame, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    int code;

    durable->switch_ms = calloc(past->rules_count + 1, sizeof(*durable->switch_ms));
    durable->switch_sets = calloc(past->rules_count + 1, sizeof(*durable->switch_sets));
    durable->switch_settings = calloc(past->rules_count + 1, sizeof(*durable->switch_settings));
    durable->parts = calloc(past->part_count + 1, sizeof(*durable->parts));
    durable->awaited = calloc(past->part_count + 1, sizeof(*durable->awaited));
    durable->read = calloc(past->part_count + 1, sizeof(*durable->read));
    durable->waker = host()->waker_create(host()->self);
    if (durable->switch_ms == NULL || durable->switch_sets == NULL ||
        durable->switch_settings == NULL || durable->parts == NULL || durable->awaited == NULL ||
        durable->read == NULL || durable->waker < 0) {
        error_set(err, "out of memory or descriptors for the data directory");
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; i < past->part_count; i++) {
        durable->parts[i] = (struct source_part){past->parts[i].topic, past->parts[i].partition};
        durable->read[i] = past->parts[i].read;
        if (!past->parts[i].has_left)
            durable->awaited[durable->awaited_count++] = durable->parts[i];
    }
    durable->part_count = past->part_count;
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&durable->told, past->changes + past->ops_made, memory_order_relaxed);
    first_rules_find(durable);
    durable_find_turns(durable);
    durable->journaled =
        past->rules_count > 0 ? past->rules[past->rules_count - 1].settings : durable->settings;
    for (size_t i = durable->first_rules + 1; i < past->rules_count; i++) {
        if (!id128_equal(past->rules[i].settings, past->rules[i - 1].settings))
            continue; /* these were switched, and not the set */
        durable->switch_sets[durable->switch_count] = past->rules[i].set;
        durable->switch_settings[durable->switch_count] = past->rules[i].settings;
        durable->switch_ms[durable->switch_count++] = past->rules[i].from_ms;
    }
    code = first_terms_find(durable, err);
    if (code != EXIT_OK || past->to_ms == INT64_MIN)
        return code;
    return prepare_to_tell_again(durable, frame, err);
}

int durable_lock(const char *path, struct data_dir *dir, struct error *err)
{
    enum data_dir_refusal why;

    return data_dir_open(dir, path, DATA_DIR_RUN, &why, err) == 0 ? EXIT_OK : exit_code_of(why);
}

int durable_open(const struct durable_options *options, struct durable **out, struct error *err)
{
    const struct journal_config config = {
        .group_ms = GROUP_MS, .group_bytes = GROUP_BYTES, .open_bytes = OPEN_BYTES};
    struct durable *durable = calloc(1, sizeof(*durable));
    struct segment_log *log = NULL;
    uint64_t frame = 0;
    int code = EXIT_SYSTEM;

    if (durable == NULL) {
        error_set(err, "out of memory for the data directory");
        return EXIT_SYSTEM;
    }
    pthread_mutex_init(&durable->lock, NULL);
    pthread_mutex_init(&durable->gates_lock, NULL);
    durable->options = *options;
    durable->waker = -1;
    durable->dir = data_dir_hand_over(options->dir);
    data_dir_folder(&durable->dir, "journal", durable->folder);
    data_dir_folder(&durable->dir, "blobs", durable->blobs);
    durable->segments = (struct segment_config){.folder = durable->folder,
                                                .kind = "journal",
                                                .directory = durable->dir.id,
                                                .segment_bytes = options->segment_bytes};
    if (durable->segments.segment_bytes == 0)
        durable->segments.segment_bytes = SEGMENT_BYTES_DEFAULT;
    durable_snapshots_init(durable);
    code = read_journal(durable, &log, &frame, err);
    if (code == EXIT_OK)
        code = prepare(durable, frame, err);
    if (code == EXIT_OK) {
        const struct journal_hooks hooks = {durable, durable_on_committed, durable_on_passed,
                                            on_broken, durable_may_release};
        durable_history_begin(durable, frame);
        journal_recall_forget_open(durable->recall);
        journal_recall_summary(durable->recall, &durable->past);
        durable_snapshots_committed(durable, frame);
        if (durable->snapshots.begin.number > 0)
            durable_tell_image(durable, durable->snapshots.begin.number,
                               &durable->snapshots.begin.facts, &durable->past);
        if (journal_create(&config, log, &hooks, &durable->journal, err) == 0)
            log = NULL;
        else
            code = EXIT_SYSTEM;
    }
    segment_log_destroy(log);
    if (code != EXIT_OK) {
        durable_close(durable);
        return code;
    }
    *out = durable;
    return EXIT_OK;
}

/* ---- for engine and input ---- */

void durable_fill_engine(const struct durable *durable, struct engine_config *engine)
{
    const struct journal_summary *past = &durable->past;

    engine->marks = durable->marks;
    engine->mark_count = past->mark_count + durable->turns.count;
    engine->alerts_max = durable->first_terms.alerts_max;
    engine->expire_ms = durable->first_terms.expire_ms;
    engine->flap_window_ms = durable->first_terms.flap_window_ms;
    engine->flap_start = durable->first_terms.flap_start;
    engine->flap_stop = durable->first_terms.flap_stop;
    engine->sink_priority_max = durable->priority_widest;
    if (durable->snapshots.begin.number > 0)
        engine->seed = durable->snapshots.begin.facts.seed;
    if (past->groups > 0)
        engine->recovery = (struct engine_recovery){.is_wanted = true,
                                                    .until_ms = past->to_ms,
                                                    .read = durable->read,
                                                    .read_count = past->part_count,
                                                    .n_ms = past->n_ms,
                                                    .r_ms = past->r_ms,
                                                    .switch_ms = durable->switch_ms,
                                                    .switch_count = durable->switch_count,
                                                    .inputs = durable->inputs,
                                                    .input_count = durable->input_count};
    if (durable->snapshots.begin.number > 0)
        engine->recovery.image_epoch_ms = durable->snapshots.begin.facts.epoch_ms;
}

void durable_mend_log(const struct durable *durable, const char *path, struct line_writer *writer)
{
    const struct snapshot_facts *facts = &durable->snapshots.begin.facts;
    struct incident_log_known known = {.place = {0, 0}};
    struct incident_log_mended mended;
    struct error err = {""};

    if (durable->past.changes == 0)
        return;
    if (durable->snapshots.begin.number > 0 && facts->has_lines && facts->lines.count > 0)
        known = (struct incident_log_known){facts->known, facts->lines.last};
    if (incident_log_mend(path, &durable->segments, &known, writer, &mended, &err) != 0)
        log_event(LOG_ERROR, "incident_log_not_mended", log_text("why", err.text),
                  log_text("next", "lines of the time before the start may be missing"));
    else if (!mended.is_known)
        log_event(LOG_WARNING, "incident_log_not_mended", log_text("path", path),
                  log_text("why", "its last whole line is not of this data directory"),
                  log_text("next", "tocsin digest --incidents writes all lines"));
    else if (mended.lines > 0)
        log_event(LOG_INFO, "incident_log_mended", log_text("path", path),
                  log_number("lines", (int64_t)mended.lines));
}

bool durable_began_at(void *self, const char *topic, int32_t partition, int64_t *offset)
{
    const struct durable *durable = self;

    for (size_t i = 0; i < durable->past.part_count; i++) {
        const struct journal_recalled_part *part = &durable->past.parts[i];
        if (part->partition == partition && strcmp(part->topic, topic) == 0) {
            const struct snapshot_stand *stand = durable_stand(durable, i);
            *offset = stand != NULL ? stand->offset : part->start_offset;
            return true;
        }
    }
    return false;
}

struct source *durable_source(const struct durable *durable, struct source *inner)
{
    if (durable->awaited_count == 0)
        return inner;
    return ordered_source_create(inner, durable->awaited, durable->awaited_count);
}
