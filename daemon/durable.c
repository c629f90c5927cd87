/*
 * durable.c - see durable.h.
 */
#include "daemon/durable.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "base/vector.h"
#include "daemon/command.h"
#include "daemon/incident_log_mend.h"
#include "daemon/log.h"
#include "daemon/settings_text.h"
#include "ingest/ordered_source.h"
#include "sinks/sink.h"
#include "store/data_dir.h"
#include "store/journal.h"
#include "store/journal_compare.h"
#include "store/journal_recall.h"

enum { GROUP_MS = 50, GROUP_BYTES = 4 << 20, OPEN_BYTES = 16 << 20, FULL_WAIT_NS = 1000000 };

/* An op that may leave when its INTENT is durable. */
struct gate {
    uint64_t ticket;
    void *gate;
};

struct durable {
    struct durable_options options;
    struct data_dir dir;
    char folder[DATA_DIR_PATH_BYTES]; /* of the journal */
    char blobs[DATA_DIR_PATH_BYTES];
    struct segment_config segments;
    struct journal *journal;
    struct journal_recall *recall;
    struct journal_summary past; /* of the recall */
    struct source_part *parts;
    int64_t *read;
    struct id128 settings; /* that show in results */
    size_t first_rules;    /* of past.rules: those in force at the first watermark */
    int64_t *switch_ms;    /* when those behind it were put in force */
    size_t switch_count;   /* of them */
    size_t switches_again; /* of them that have been told again; sequencer role */
    struct id128 switched; /* the set that the next mark of a switch is of; the same */
    struct id128 rules;    /* asked for last; setup, then reload lock */
    size_t rules_kept;     /* the same: how many lists are kept at most */

    struct journal_compare *compare; /* incident role; NULL: not recovering */
    size_t part_count;               /* that have a number in the journal; sequencer role */
    bool has_begin;                  /* the same: the first watermark is in it */
    VECTOR_OF(struct journal_position) positions; /* incident role */
    struct outbox *outbox;                        /* NULL: no sinks; set under gates_lock */
    struct outbox_resumed *resumed;
    size_t resumed_count, foreign_ops;
    pthread_mutex_t gates_lock;
    VECTOR_OF(struct gate) gates; /* under the lock, by ticket: they wait for their INTENT */
    int waker;                    /* nobody wakes it: for short sleeps */
    _Atomic bool is_recovered;    /* relaxed: a report, and a hint for the sequencer */
    _Atomic bool is_stopping;     /* relaxed: the outbox takes nothing more in time */
    _Atomic int verdict;          /* released behind `why` */
    pthread_mutex_t lock;         /* of `why` */
    struct error why;
};

/* ---- the end of a run ---- */

static void end_run(struct durable *durable, int code, const char *why)
{
    pthread_mutex_lock(&durable->lock);
    if (atomic_load_explicit(&durable->verdict, memory_order_relaxed) == 0) {
        error_set(&durable->why, "%s", why);
        atomic_store_explicit(&durable->verdict, code, memory_order_relaxed);
    }
    pthread_mutex_unlock(&durable->lock);
}

int durable_verdict(struct durable *durable, struct error *why)
{
    int code;

    pthread_mutex_lock(&durable->lock);
    code = atomic_load_explicit(&durable->verdict, memory_order_relaxed);
    if (code != 0)
        error_set(why, "%s", durable->why.text);
    pthread_mutex_unlock(&durable->lock);
    return code;
}

/* The journal and what comes again are not the same. */
static void differ(struct durable *durable, const struct error *err)
{
    char text[ERROR_TEXT_BYTES];

    snprintf(text, sizeof(text),
             "%.300s: the recovery does not come to what the journal says: %.1500s",
             durable->dir.path, err->text);
    end_run(durable, EXIT_DATA, text);
    if (durable->outbox != NULL)
        outbox_tell_input(durable->outbox, text);
}

/* ---- opening ---- */

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

static int exit_code_of_segment(enum segment_refusal why)
{
    return why == SEGMENT_REFUSED_WORLD || why == SEGMENT_REFUSED_NOT ? EXIT_IO : EXIT_DATA;
}

/* Settings that show in results stay what they were; others may change between two runs. */
static int check_settings(const struct durable *durable, const char *now, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    struct kept_files before;
    struct error what = {""};
    struct id128 id;

    if (past->rules_count == 0)
        return EXIT_OK;
    id = past->rules[past->rules_count - 1].settings;
    if (id128_equal(id, durable->settings))
        return EXIT_OK;
    if (kept_files_load(durable->blobs, id, &before, err) != 0)
        return EXIT_DATA;
    settings_differ(before.file.count > 0 ? before.file.at[0].at : "", now, &what);
    kept_files_release(&before);
    error_set(err,
              "%s: the settings are not those under which the journal was written: %.1000s; start "
              "with the former ones, or give these a data directory of their own",
              durable->dir.path, what.text);
    return EXIT_CONFIG;
}

static int check_past(const struct durable *durable, struct error *err)
{
    if (durable->past.leaves == 0)
        return EXIT_OK;
    error_set(err,
              "%s: a partition left the input while the journal was written, which a recovery "
              "cannot read again; give this run a data directory of its own",
              durable->dir.path);
    return EXIT_DATA;
}

/* What a recovery will need is there, and nothing else is. */
static int look_at_kept(struct durable *durable, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    struct id128 *ids = memory_alloc((past->rules_count + 1) * 2 * sizeof(*ids));
    struct kept_counts counts;
    size_t count = 0;
    int rc;

    ids[count++] = durable->rules;
    ids[count++] = durable->settings;
    for (size_t i = 0; i < past->rules_count; i++) {
        ids[count++] = past->rules[i].set;
        ids[count++] = past->rules[i].settings;
    }
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
    code = check_settings(durable, now, err);
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

/* Reads the journal to its end, and opens it there for writing. */
static int read_journal(struct durable *durable, struct segment_log **log, struct error *err)
{
    struct journal_reader *reader = NULL;
    enum segment_refusal why;
    struct error lost = {""};
    int code = EXIT_OK;

    if (journal_reader_create(&durable->segments, &reader, &why, err) != 0)
        return exit_code_of_segment(why);
    if (journal_recall_create(reader, durable->options.accept_loss ? &lost : NULL, &durable->recall,
                              err) != 0) {
        why = journal_reader_refusal(reader);
        code = why == SEGMENT_REFUSED_NOT ? EXIT_DATA : exit_code_of_segment(why);
        goto out;
    }
    if (lost.text[0] != '\0')
        log_event(LOG_ERROR, "journal_loss_accepted", log_text("what", lost.text),
                  log_text("next", "all behind it is cut off and told anew: sinks that fold no "
                                   "repeats may get it twice"));
    journal_recall_summary(durable->recall, &durable->past);
    code = check_past(durable, err);
    if (code == EXIT_OK)
        code = keep_rules_and_settings(durable, err);
    if (code != EXIT_OK)
        goto out;
    if (journal_reader_end(reader)->torn_bytes > 0 || journal_reader_unfinished(reader) > 0)
        log_event(LOG_WARNING, "journal_tail_cut",
                  log_number("bytes", (int64_t)journal_reader_end(reader)->torn_bytes),
                  log_number("groups", (int64_t)journal_reader_unfinished(reader)),
                  log_text("next", "what was not committed is done again"));
    if (segment_log_open(&durable->segments, journal_reader_end(reader), log, err) != 0)
        code = EXIT_IO;
out:
    journal_reader_destroy(reader);
    return code;
}

static void on_committed(void *self, const struct journal_commit *commit);

static void on_broken(void *self, const char *why)
{
    end_run(self, EXIT_IO, why);
}

static int prepare(struct durable *durable, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    int64_t begin_ms = INT64_MIN;

    durable->switch_ms = calloc(past->rules_count + 1, sizeof(*durable->switch_ms));
    durable->parts = calloc(past->part_count + 1, sizeof(*durable->parts));
    durable->read = calloc(past->part_count + 1, sizeof(*durable->read));
    durable->waker = host()->waker_create(host()->self);
    if (durable->switch_ms == NULL || durable->parts == NULL || durable->read == NULL ||
        durable->waker < 0) {
        error_set(err, "out of memory or descriptors for the data directory");
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; i < past->part_count; i++) {
        durable->parts[i] = (struct source_part){past->parts[i].topic, past->parts[i].partition};
        durable->read[i] = past->parts[i].read;
    }
    durable->part_count = past->part_count;
    for (size_t i = 0; i < past->mark_count; i++)
        if (past->marks[i].kind == MARK_BEGIN) {
            durable->has_begin = true;
            begin_ms = past->marks[i].value_ms;
        }
    /* What was switched before the first watermark was never in force. */
    while (durable->first_rules + 1 < past->rules_count &&
           past->rules[durable->first_rules + 1].from_ms <= begin_ms)
        durable->first_rules++;
    for (size_t i = durable->first_rules + 1; i < past->rules_count; i++)
        durable->switch_ms[durable->switch_count++] = past->rules[i].from_ms;
    if (past->to_ms == INT64_MIN)
        return EXIT_OK;
    if (journal_compare_create(&durable->segments, past->groups, &durable->compare, err) != 0)
        return EXIT_IO;
    return EXIT_OK;
}

int durable_open(const struct durable_options *options, struct durable **out, struct error *err)
{
    const struct journal_config config = {
        .group_ms = GROUP_MS, .group_bytes = GROUP_BYTES, .open_bytes = OPEN_BYTES};
    struct durable *durable = calloc(1, sizeof(*durable));
    struct segment_log *log = NULL;
    enum data_dir_refusal why;
    int code = EXIT_SYSTEM;

    if (durable == NULL) {
        error_set(err, "out of memory for the data directory");
        return EXIT_SYSTEM;
    }
    pthread_mutex_init(&durable->lock, NULL);
    pthread_mutex_init(&durable->gates_lock, NULL);
    durable->options = *options;
    durable->waker = durable->dir.lock_fd = -1;
    if (data_dir_open(&durable->dir, options->path, DATA_DIR_RUN, &why, err) != 0) {
        code = exit_code_of(why);
        goto out;
    }
    data_dir_folder(&durable->dir, "journal", durable->folder);
    data_dir_folder(&durable->dir, "blobs", durable->blobs);
    durable->segments = (struct segment_config){.folder = durable->folder,
                                                .kind = "journal",
                                                .directory = durable->dir.id,
                                                .segment_bytes = SEGMENT_BYTES_DEFAULT};
    code = read_journal(durable, &log, err);
    if (code == EXIT_OK)
        code = prepare(durable, err);
    if (code == EXIT_OK) {
        const struct journal_hooks hooks = {durable, on_committed, on_broken};
        if (journal_create(&config, log, &hooks, &durable->journal, err) == 0)
            log = NULL;
        else
            code = EXIT_SYSTEM;
    }
out:
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

    engine->marks = past->marks;
    engine->mark_count = past->mark_count;
    if (past->groups > 0)
        engine->recovery = (struct engine_recovery){.is_wanted = true,
                                                    .until_ms = past->to_ms,
                                                    .read = durable->read,
                                                    .read_count = past->part_count,
                                                    .n_ms = past->n_ms,
                                                    .r_ms = past->r_ms,
                                                    .switch_ms = durable->switch_ms,
                                                    .switch_count = durable->switch_count};
}

void durable_mend_log(const struct durable *durable, const char *path, struct line_writer *writer)
{
    struct incident_log_mended mended;
    struct error err = {""};

    if (durable->past.changes == 0)
        return;
    if (incident_log_mend(path, &durable->segments, writer, &mended, &err) != 0)
        log_event(LOG_ERROR, "incident_log_not_mended", log_text("why", err.text),
                  log_text("next", "lines of the time before the start may be missing"));
    else if (!mended.is_known)
        log_event(LOG_WARNING, "incident_log_not_mended", log_text("path", path),
                  log_text("why", "its last line is not of this data directory"),
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
            *offset = part->start_offset;
            return true;
        }
    }
    return false;
}

struct source *durable_source(const struct durable *durable, struct source *inner)
{
    if (durable->past.part_count == 0)
        return inner;
    return ordered_source_create(inner, durable->parts, durable->past.part_count);
}

/* ---- rules ---- */

int durable_begin_rules(struct durable *durable, struct rule_set **rules, struct rule_set **next,
                        struct error *err)
{
    const struct journal_summary *past = &durable->past;
    struct rule_set *first = NULL;
    struct id128 first_id, last_id;
    int rc = 0;

    *next = NULL;
    if (past->rules_count == 0)
        return EXIT_OK;
    first_id = past->rules[durable->first_rules].set;
    last_id = past->rules[past->rules_count - 1].set;
    if (!id128_equal(first_id, durable->rules) || !id128_equal(last_id, first_id))
        rc = rules_kept_load(durable->blobs, first_id, &first, err);
    if (rc != 0)
        return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_DATA;
    if (first == NULL)
        return EXIT_OK;
    if (id128_equal(last_id, durable->rules))
        rule_set_destroy(*rules);
    else
        *next = *rules;
    *rules = first;
    return EXIT_OK;
}

struct rule_set *durable_rules_before(struct durable *durable, size_t index)
{
    const struct journal_summary *past = &durable->past;
    struct rule_set *set = NULL;
    struct error err = {""};

    if (rules_kept_load(durable->blobs, past->rules[durable->first_rules + 1 + index].set, &set,
                        &err) != 0)
        differ(durable, &err);
    return set;
}

void durable_switched(struct durable *durable, const struct rule_set *rules)
{
    durable->switched = rule_set_hash(rules);
}

bool durable_has_rules(const struct durable *durable, const struct rule_set *rules)
{
    return id128_equal(rule_set_hash(rules), durable->rules);
}

int durable_keep_rules(struct durable *durable, const struct rule_set *rules,
                       const struct rules_read *read, struct error *err)
{
    const struct id128 id = rule_set_hash(rules);
    int rc;

    if (durable->rules_kept >= KEPT_LISTS_MAX) {
        error_set(err,
                  "%s: its journal needs %zu rule sets, and more are not kept; restart, or give "
                  "these rules a data directory of their own",
                  durable->dir.path, durable->rules_kept);
        return -ENOSPC;
    }
    rc = rules_kept_save(durable->blobs, id, read, err);
    durable->rules_kept += rc == 0;
    return rc;
}

void durable_asked_for(struct durable *durable, const struct rule_set *rules)
{
    durable->rules = rule_set_hash(rules);
}

/* ---- the outbox ---- */

static const enum journal_fate fates[OP_STATE_COUNT] = {
    [OP_PENDING] = JOURNAL_FATE_OWED, [OP_INTENT] = JOURNAL_FATE_INTENT,
    [OP_RETRY] = JOURNAL_FATE_RETRY,  [OP_UNCERTAIN] = JOURNAL_FATE_UNCERTAIN,
    [OP_MADE] = JOURNAL_FATE_MADE,    [OP_DONE] = JOURNAL_FATE_DONE,
    [OP_DEAD] = JOURNAL_FATE_DEAD,    [OP_SUPERSEDED] = JOURNAL_FATE_TAKEN_IN,
};

static enum op_state state_of(uint8_t fate)
{
    for (int i = 0; i < OP_STATE_COUNT; i++)
        if (fates[i] == fate)
            return (enum op_state)i;
    return OP_PENDING;
}

/* A chain that was woken and one that failed wait both: only what differs after a restart is
 * written down. The commit of an op is its INTENT where repeats are folded (O1). */
static bool is_worth_it(const struct outbox_move *move)
{
    switch (move->state) {
    case OP_INTENT:
        return move->gate != NULL;
    case OP_PENDING:
    case OP_UNCERTAIN: /* followed by RETRY */
        return false;
    case OP_RETRY:
    case OP_MADE:
    case OP_DONE:
    case OP_DEAD:
    case OP_SUPERSEDED:
    case OP_STATE_COUNT:
        break;
    }
    return true;
}

static bool on_moved(void *self, const struct outbox_move *move)
{
    struct durable *durable = self;
    const struct journal_op_state record = {.op = move->op,
                                            .fate = (uint8_t)fates[move->state],
                                            .may_exist = move->may_exist,
                                            .not_before_ms = move->not_before_ms,
                                            .reference = move->remote->ref,
                                            .label = move->remote->label,
                                            .reason = move->cause != NULL ? move->cause : ""};
    uint64_t ticket;

    if (!is_worth_it(move))
        return false;
    pthread_mutex_lock(&durable->gates_lock);
    ticket = journal_op_state(durable->journal, &record);
    if (move->gate != NULL)
        vector_add(&durable->gates) = (struct gate){ticket, move->gate};
    pthread_mutex_unlock(&durable->gates_lock);
    return move->gate != NULL;
}

/* What is durable may leave. */
static void open_gates(struct durable *durable, uint64_t ticket)
{
    size_t count = 0;

    pthread_mutex_lock(&durable->gates_lock);
    while (count < durable->gates.count && durable->gates.at[count].ticket <= ticket)
        outbox_permit(durable->outbox, durable->gates.at[count++].gate);
    durable->gates.count -= count;
    if (count > 0)
        memmove(durable->gates.at, durable->gates.at + count,
                durable->gates.count * sizeof(durable->gates.at[0]));
    pthread_mutex_unlock(&durable->gates_lock);
}

/* The sink's index, and whether it folds repeats; -1: it is not configured any more. */
static int sink_of(const struct outbox_config *config, const char *name, bool *folds,
                   struct error *err)
{
    for (size_t i = 0; i < config->sink_count; i++) {
        struct sink *sink = NULL;
        if (strcmp(config->sinks[i].name, name) != 0)
            continue;
        if (sink_create(&config->sinks[i], false, &sink, err) != 0)
            return -1;
        *folds = !sink_classes[sink_class_of(sink)].keeps_intent;
        sink_destroy(sink);
        return (int)i;
    }
    return -1;
}

static void resume(struct durable *durable, const struct journal_recalled_op *known, int sink,
                   bool folds)
{
    enum op_state state = state_of(known->fate);
    struct outbox_resumed *to = &durable->resumed[durable->resumed_count++];

    *to = (struct outbox_resumed){.op = {.id = known->id,
                                         .number = known->number,
                                         .sink = (uint16_t)sink,
                                         .kind = known->kind},
                                  .incident = known->incident->id,
                                  .state = state == OP_PENDING && folds ? OP_INTENT : state,
                                  .may_exist = known->may_exist,
                                  .not_before_ms = known->not_before_ms};
    if (state != OP_DONE)
        to->op.incident = incident_ref(known->incident);
    snprintf(to->remote.ref, sizeof(to->remote.ref), "%.*s", SINK_REF_BYTES - 1, known->reference);
    snprintf(to->remote.label, sizeof(to->remote.label), "%.*s", SINK_LABEL_BYTES - 1,
             known->label);
}

int durable_fill_outbox(struct durable *durable, struct outbox_config *config, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    const char *name = "";
    bool folds = false;
    int sink = -1;

    config->moved = on_moved;
    config->moved_self = durable;
    durable->resumed = calloc(past->op_count + 1, sizeof(*durable->resumed));
    if (durable->resumed == NULL) {
        error_set(err, "out of memory for %zu ops of the journal", past->op_count);
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; i < past->op_count; i++) {
        if (strcmp(past->ops[i].sink, name) != 0)
            sink = sink_of(config, past->ops[i].sink, &folds, err);
        name = past->ops[i].sink;
        if (sink >= 0)
            resume(durable, &past->ops[i], sink, folds);
        else
            durable->foreign_ops++;
    }
    config->resumed = durable->resumed;
    config->resumed_count = durable->resumed_count;
    return EXIT_OK;
}

/* The outbox takes it, however long that lasts; false at the end of the run: the journal has it. */
static bool hand_over(struct durable *durable, const struct op *op)
{
    const struct host *h = host();

    while (!outbox_submit(durable->outbox, op)) {
        if (atomic_load_explicit(&durable->is_stopping, memory_order_relaxed))
            return false;
        h->waker_sleep(h->self, durable->waker, FULL_WAIT_NS);
    }
    return true;
}

void durable_begin(struct durable *durable, struct outbox *outbox)
{
    const struct journal_summary *past = &durable->past;

    /* The outbox's thread may be waiting for gates already. */
    pthread_mutex_lock(&durable->gates_lock);
    durable->outbox = outbox;
    pthread_mutex_unlock(&durable->gates_lock);
    journal_flush(durable->journal);
    if (past->rules_count == 0)
        journal_rules(durable->journal,
                      &(struct journal_rules){INT64_MIN, durable->rules, durable->settings});
    if (durable->compare == NULL)
        atomic_store_explicit(&durable->is_recovered, true, memory_order_relaxed);
    log_event(LOG_INFO, durable->compare != NULL ? "recovering" : "data_dir",
              log_text("path", durable->dir.path), log_number("groups", (int64_t)past->groups),
              log_number("partitions", (int64_t)past->part_count),
              log_number("changes", (int64_t)past->changes),
              log_number("ops_resumed", (int64_t)durable->resumed_count));
    if (durable->foreign_ops > 0)
        log_event(LOG_ERROR, "ops_without_sink", log_number("ops", (int64_t)durable->foreign_ops),
                  log_text("next", "their sinks are not configured any more: nobody is told"));
}

/* ---- what the engine tells ---- */

void durable_incident(struct durable *durable, struct incident *incident)
{
    struct error err = {""};

    if (durable->compare == NULL)
        journal_change(durable->journal, incident);
    else if (!journal_compare_change(durable->compare, incident, &err))
        differ(durable, &err);
}

bool durable_op(struct durable *durable, const struct op *op)
{
    const char *name = durable->options.engine->sink_names[op->sink];
    struct error err = {""};

    if (durable->compare == NULL) {
        journal_op(durable->journal, op, name);
        return true;
    }
    if (!journal_compare_op(durable->compare, op, name, &err))
        differ(durable, &err);
    incident_unref(op->incident); /* the outbox has had it since the start, or it is at its end */
    return true;
}

bool durable_room(struct durable *durable)
{
    return atomic_load_explicit(&durable->verdict, memory_order_relaxed) == 0 &&
           (durable->outbox == NULL || outbox_fill(durable->outbox) < 1) &&
           journal_room(durable->journal);
}

static void counts_of(const struct engine_step *step, struct journal_counts *to)
{
    to->count = ENGINE_COUNTS;
    for (int i = 0; i < ENGINE_COUNTS; i++)
        to->value[i] = step->counts[i];
}

/* The ledger as of the end of what was told, where a step ends there. */
static void compare_counts(struct durable *durable, const struct engine_step *step)
{
    const struct journal_counts *before = durable->past.counts;
    struct error err;

    if (step->to_ms != durable->past.to_ms)
        return;
    for (uint32_t i = 0; i < before->count && i < ENGINE_COUNTS; i++)
        if (before->value[i] != step->counts[i]) {
            error_set(&err, "it counted %" PRIu64 " %s, and now there are %" PRIu64,
                      before->value[i], engine_count_name((enum engine_count)i), step->counts[i]);
            differ(durable, &err);
            return;
        }
}

void durable_step(struct durable *durable, const struct engine_step *step)
{
    struct journal_counts counts;

    if (durable->compare != NULL) {
        compare_counts(durable, step);
        return;
    }
    counts_of(step, &counts);
    durable->positions.count = 0;
    for (size_t i = 0; i < step->position_count; i++)
        vector_add(&durable->positions) = (struct journal_position){
            step->positions[i].part, step->positions[i].low, step->positions[i].read};
    journal_step(durable->journal,
                 &(struct journal_step){.from_ms = step->from_ms,
                                        .to_ms = step->to_ms,
                                        .positions = durable->positions.at,
                                        .position_count = durable->positions.count,
                                        .counts = &counts,
                                        .n_ms = step->n_ms,
                                        .r_ms = step->r_ms});
}

void durable_recovered(struct durable *durable)
{
    struct error err = {""};

    /* What differed before stays the end of the run. */
    if (durable->compare == NULL ||
        atomic_load_explicit(&durable->verdict, memory_order_relaxed) != 0)
        return;
    if (!journal_compare_end(durable->compare, &err)) {
        differ(durable, &err);
        return;
    }
    journal_compare_destroy(durable->compare);
    durable->compare = NULL;
    atomic_store_explicit(&durable->is_recovered, true, memory_order_relaxed);
    log_event(LOG_INFO, "recovered", log_number("changes", (int64_t)durable->past.changes));
}

void durable_short_of(struct durable *durable, uint16_t part, int64_t at, int64_t read)
{
    struct error err;

    error_set(&err,
              "%s/%" PRId32 " had been read up to offset %" PRId64 ", and now ends at %" PRId64,
              durable->parts[part].topic, durable->parts[part].partition, read, at);
    differ(durable, &err);
}

void durable_mark(struct durable *durable, const struct mark *mark, const char *topic,
                  int32_t partition)
{
    if (mark->kind == MARK_BEGIN) {
        if (durable->has_begin)
            return;
        durable->has_begin = true;
    }
    if (mark->kind == MARK_JOIN) {
        if (mark->part < durable->past.part_count && durable->past.part_count > 0 &&
            !atomic_load_explicit(&durable->is_recovered, memory_order_relaxed))
            return; /* of the run before */
        if (mark->part >= durable->part_count) {
            journal_part(durable->journal, &(struct journal_part){mark->part, partition, topic});
            durable->part_count = mark->part + 1u;
        }
    }
    if (mark->kind == MARK_SWITCH) {
        if (durable->switches_again < durable->switch_count) {
            durable->switches_again++;
            return; /* of the run before */
        }
        journal_rules(durable->journal, &(struct journal_rules){mark->value_ms, durable->switched,
                                                                durable->settings});
    }
    journal_mark(durable->journal, mark);
}

bool durable_is_recovered(const struct durable *durable)
{
    return atomic_load_explicit(&durable->is_recovered, memory_order_relaxed);
}

/* ---- what is committed ---- */

/* The lines of the incident log are those of the group's records. */
static void tell_records(struct durable *durable, const struct journal_commit *commit)
{
    struct journal_cursor cursor = {commit->records, commit->records + commit->record_bytes, true};
    struct journal_record record;
    struct incident incident;
    struct error err;

    while (commit->record_bytes > 0 && journal_get(&cursor, &record, &err) == 1) {
        if (record.kind == JOURNAL_CHANGE) {
            memcpy((void *)&incident, (const void *)&record.change, sizeof(incident));
            durable->options.committed(durable->options.self, &incident, NULL, NULL);
        } else if (record.kind == JOURNAL_OP) {
            const struct op op = {.id = record.op.id,
                                  .number = record.op.number,
                                  .kind = record.op.kind,
                                  .incident = &incident};
            durable->options.committed(durable->options.self, NULL, &op, record.op.sink);
        }
    }
}

static void on_committed(void *self, const struct journal_commit *commit)
{
    struct durable *durable = self;
    struct outbox *outbox;

    pthread_mutex_lock(&durable->gates_lock);
    outbox = durable->outbox;
    pthread_mutex_unlock(&durable->gates_lock);
    for (size_t i = 0; i < commit->op_count; i++)
        if (outbox == NULL || !hand_over(durable, &commit->ops[i]))
            incident_unref(commit->ops[i].incident);
    if (durable->options.committed != NULL)
        tell_records(durable, commit);
    if (outbox != NULL)
        open_gates(durable, commit->ticket);
}

void durable_counters(struct durable *durable, struct journal_counters *out)
{
    journal_counters(durable->journal, out);
}

/* ---- the end ---- */

void durable_flush(struct durable *durable)
{
    atomic_store_explicit(&durable->is_stopping, true, memory_order_relaxed);
    journal_flush(durable->journal);
}

void durable_close(struct durable *durable)
{
    if (durable == NULL)
        return;
    journal_destroy(durable->journal);
    journal_compare_destroy(durable->compare);
    journal_recall_destroy(durable->recall);
    data_dir_close(&durable->dir);
    if (durable->waker >= 0)
        host()->close(host()->self, durable->waker);
    free(durable->resumed);
    free(durable->gates.at);
    free(durable->positions.at);
    pthread_mutex_destroy(&durable->gates_lock);
    free(durable->switch_ms);
    free(durable->parts);
    free(durable->read);
    pthread_mutex_destroy(&durable->lock);
    free(durable);
}
