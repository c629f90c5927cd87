/*
 * durable.c - see durable.h.
 */
#include "daemon/durable_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/incident_make.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/unit.h"

/* ---- the end of a run ---- */

void durable_end_run(struct durable *durable, int code, const char *why)
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

void durable_look(struct durable *durable)
{
    struct error why;

    if (data_dir_is_there(&durable->dir, &why) == -ESTALE)
        durable_end_run(durable, EXIT_IO, why.text);
}

void durable_differ(struct durable *durable, const struct error *err)
{
    char text[ERROR_TEXT_BYTES];

    snprintf(text, sizeof(text),
             "%.300s: the recovery does not come to what the journal says: %.1500s",
             durable->dir.path, err->text);
    durable_end_run(durable, EXIT_DATA, text); /* the stop tells the sinks: service_refusal.c */
}

/* All that was told is told again: from here on the configured settings are in force. */
static void switch_settings(struct durable *durable)
{
    const struct journal_summary *past = &durable->past;
    const struct journal_rules *last;

    if (past->rules_count == 0)
        return;
    last = &past->rules[past->rules_count - 1];
    if (!id128_equal(last->settings, durable->settings)) {
        journal_rules(durable->journal,
                      &(struct journal_rules){past->to_ms, last->set, durable->settings});
        durable->journaled = durable->settings;
        log_event(LOG_INFO, "settings_switched", log_text("path", durable->dir.path),
                  log_number("partitions", (int64_t)durable->turns.count),
                  log_text("what", durable->changes != NULL ? durable->changes : ""),
                  log_text("next", "what comes from here on goes by those that are configured"));
    }
    durable_tell_turns(durable); /* behind the settings that they name */
}

/* A switch, behind the settings that come with it. */
static void tell_switch(struct durable *durable, int64_t at_ms)
{
    if (!id128_equal(durable->switched_settings, durable->journaled))
        journal_rules(durable->journal, &(struct journal_rules){at_ms, durable->switched,
                                                                durable->switched_settings});
    durable->journaled = durable->switched_settings;
    journal_rules(durable->journal,
                  &(struct journal_rules){at_ms, durable->switched, durable->journaled});
}

void durable_begin(struct durable *durable, struct outbox *outbox)
{
    const struct journal_summary *past = &durable->past;
    uint64_t ticket;

    /* The outbox's thread may be waiting for gates already, also for such as are durable. */
    pthread_mutex_lock(&durable->gates_lock);
    durable->outbox = outbox;
    ticket = durable->durable_ticket;
    pthread_mutex_unlock(&durable->gates_lock);
    if (outbox != NULL)
        durable_open_gates(durable, ticket);
    journal_flush(durable->journal);
    if (past->rules_count == 0)
        journal_rules(durable->journal,
                      &(struct journal_rules){INT64_MIN, durable->rules, durable->settings});
    if (!durable->tells_again) {
        switch_settings(durable);
        atomic_store_explicit(&durable->is_recovered, true, memory_order_relaxed);
    }
    log_event(LOG_INFO, durable->tells_again ? "recovering" : "data_dir",
              log_text("path", durable->dir.path), log_number("groups", (int64_t)past->groups),
              log_number("partitions", (int64_t)past->part_count),
              log_number("changes", (int64_t)past->changes),
              log_number("ops_resumed", (int64_t)durable->resumed_count),
              log_number("snapshot", (int64_t)durable->snapshots.begin.number));
    if (durable->foreign_ops > 0)
        log_event(LOG_ERROR, "ops_without_sink", log_number("ops", (int64_t)durable->foreign_ops),
                  log_text("next", "their sinks are not configured any more: nobody is told"));
}

/* ---- what the engine tells ---- */

/* The journal and what comes again are not the same, and it is not trusted. */
static void differ_from_journal(struct durable *durable, const struct error *err)
{
    struct error text;

    error_set(&text, "%.1500s; --trust-journal goes on with what the journal says", err->text);
    durable_differ(durable, &text);
}

static void count_told(struct durable *durable)
{
    /* relaxed, load and store: this role is its only writer. */
    uint64_t told = atomic_load_explicit(&durable->told, memory_order_relaxed);

    atomic_store_explicit(&durable->told, told + 1, memory_order_relaxed);
}

void durable_incident(struct durable *durable, struct incident *incident)
{
    struct error err = {""};

    if (durable->trust != NULL) {
        if (journal_trust_change(durable->trust, incident)) {
            journal_change(durable->journal, incident);
            count_told(durable);
        }
    } else if (!durable->tells_again) {
        journal_change(durable->journal, incident);
        count_told(durable);
    } else if (!journal_compare_change(durable->compare, incident, &err)) {
        differ_from_journal(durable, &err);
    }
}

/* For people alone: nothing is compared, and what has no words says nothing to them. */
void durable_joined(struct durable *durable, const struct engine_joined *joined)
{
    if (durable->tells_again || joined->source == NULL)
        return;
    journal_member(durable->journal, &(struct journal_member){.incident = joined->incident,
                                                              .at_ms = joined->at_ms,
                                                              .source = joined->source,
                                                              .resource = joined->resource,
                                                              .check = joined->check,
                                                              .dedup_key = joined->dedup_key,
                                                              .host = joined->host,
                                                              .severity = joined->severity});
}

bool durable_op(struct durable *durable, const struct op *op)
{
    const char *name = durable->options.engine->sink_names[op->sink];
    struct error err = {""};
    const struct journal_about about = {op->incident->opened_ms, op->incident->at_ms,
                                        op->incident->priority};
    struct op told = *op;

    if (!durable_takes(durable, op->sink, &about)) {
        incident_unref(op->incident);
        return true;
    }
    if (durable->trust != NULL &&
        journal_trust_op(durable->trust, op->incident->id, op->kind, name, &told.number)) {
        if (told.number != op->number)
            told.id = op_id_make(op->incident->id, name, told.number);
        journal_op(durable->journal, &told, name);
        count_told(durable);
        return true;
    }
    if (durable->trust == NULL && !durable->tells_again) {
        journal_op(durable->journal, op, name);
        count_told(durable);
        return true;
    }
    if (durable->trust == NULL && !journal_compare_op(durable->compare, op, name, &err))
        differ_from_journal(durable, &err);
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
            if (durable->trust == NULL)
                differ_from_journal(durable, &err);
            else
                log_event(LOG_WARNING, "recovery_differs", log_text("what", err.text));
            return;
        }
}

void durable_step(struct durable *durable, const struct engine_step *step)
{
    struct journal_counts counts;

    if (durable->tells_again) {
        compare_counts(durable, step);
        if (durable->trust != NULL)
            journal_aside(durable->journal);
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

/* Lists what the journal has otherwise, and says how much that is. */
static bool end_trust(struct durable *durable, uint64_t *differences, struct error *err)
{
    uint64_t count[JOURNAL_DIFFERENCES];

    if (journal_trust_end(durable->trust, count, err) != 0)
        return false;
    for (int i = 0; i < JOURNAL_DIFFERENCES; i++)
        *differences += count[i];
    if (count[JOURNAL_GONE] + count[JOURNAL_OTHER] > 0)
        return true;
    journal_trust_destroy(durable->trust); /* all goes on as the engine tells it */
    durable->trust = NULL;
    return true;
}

void durable_recovered(struct durable *durable)
{
    struct error err = {""};
    uint64_t differences = 0;

    /* What differed before stays the end of the run. */
    if (!durable->tells_again || atomic_load_explicit(&durable->verdict, memory_order_relaxed) != 0)
        return;
    if (durable->trust != NULL && !end_trust(durable, &differences, &err)) {
        durable_end_run(durable, EXIT_IO, err.text);
        return;
    }
    if (durable->compare != NULL && !journal_compare_end(durable->compare, &err)) {
        differ_from_journal(durable, &err);
        return;
    }
    journal_compare_destroy(durable->compare);
    durable->compare = NULL;
    durable->tells_again = false;
    switch_settings(durable);
    if (durable->trust != NULL) { /* what it keeps of those that differ is in no snapshot */
        atomic_store_explicit(&durable->snapshots.off, true, memory_order_relaxed);
        log_event(LOG_WARNING, "snapshots_off",
                  log_text("why", "incidents differ from the journal, which is trusted"),
                  log_text("next", "a start reads again what this one read"));
    }
    atomic_store_explicit(&durable->is_recovered, true, memory_order_relaxed);
    log_event(LOG_INFO, "recovered", log_number("changes", (int64_t)durable->past.changes),
              log_number("differences", (int64_t)differences));
}

void durable_short_of(struct durable *durable, uint16_t part, int64_t at, int64_t read)
{
    struct error err;

    error_set(&err,
              "%s/%" PRId32 " had been read up to offset %" PRId64 ", and now ends at %" PRId64,
              durable->parts[part].topic, durable->parts[part].partition, read, at);
    durable_differ(durable, &err);
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
        durable_note_join(durable, mark);
    }
    if (mark->kind == MARK_SWITCH) {
        if (durable->switches_again < durable->switch_count) {
            durable->switches_again++;
            return; /* of the run before */
        }
        tell_switch(durable, mark->value_ms);
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

void durable_on_committed(void *self, const struct journal_commit *commit)
{
    struct durable *durable = self;
    struct outbox *outbox;

    if (durable->options.unit != NULL &&
        !unit_settle(durable->options.unit, SHARED_JOURNAL, commit->frame)) {
        durable_end_run(durable, EXIT_OVERTAKEN, "the unit has another owner");
        for (size_t i = 0; i < commit->op_count; i++)
            incident_unref(commit->ops[i].incident);
        return;
    }
    pthread_mutex_lock(&durable->gates_lock);
    outbox = durable->outbox;
    if (outbox == NULL)
        durable->durable_ticket = commit->ticket;
    pthread_mutex_unlock(&durable->gates_lock);
    for (size_t i = 0; i < commit->op_count; i++)
        if (outbox == NULL || !durable_hand_over(durable, &commit->ops[i]))
            incident_unref(commit->ops[i].incident);
    if (durable->options.committed != NULL)
        tell_records(durable, commit);
    if (outbox != NULL)
        durable_open_gates(durable, commit->ticket);
    durable_history_tell(durable, commit->frame);
    durable_snapshots_committed(durable, commit->frame);
}

void durable_on_passed(void *self, int64_t to_ms)
{
    struct durable *durable = self;

    if (atomic_load_explicit(&durable->verdict, memory_order_relaxed) != 0)
        return; /* with another owner of the unit it is not */
    if (durable->options.committed_to != NULL)
        durable->options.committed_to(durable->options.self, to_ms);
}

void durable_counters(struct durable *durable, struct journal_counters *out)
{
    journal_counters(durable->journal, out);
}

/* ---- the end ---- */

void durable_sync(struct durable *durable)
{
    journal_flush(durable->journal);
}

void durable_flush(struct durable *durable)
{
    atomic_store_explicit(&durable->is_stopping, true, memory_order_relaxed);
    if (!journal_flush_now(durable->journal))
        log_event(LOG_WARNING, "journal_not_flushed", log_text("path", durable->dir.path),
                  log_text("next", "what was told last is not on the disk: it is told by the next "
                                   "start, and nobody has heard of it"));
}

void durable_stop(struct durable *durable)
{
    journal_stop(durable->journal);
}

void durable_close(struct durable *durable)
{
    if (durable == NULL)
        return;
    durable_snapshots_end(durable, false);
    journal_destroy(durable->journal);
    durable_history_end(durable);
    journal_compare_destroy(durable->compare);
    journal_trust_destroy(durable->trust);
    journal_recall_destroy(durable->recall);
    data_dir_close(&durable->dir);
    if (durable->waker >= 0)
        host()->close(host()->self, durable->waker);
    free(durable->resumed);
    free(durable->gates.at);
    free(durable->positions.at);
    pthread_mutex_destroy(&durable->gates_lock);
    free(durable->switch_ms);
    free(durable->switch_sets);
    free(durable->switch_settings);
    free(durable->changes);
    durable_release_sinks(durable);
    durable_release_inputs(durable);
    durable_snapshots_release(durable);
    free(durable->parts);
    free(durable->awaited);
    free(durable->read);
    pthread_mutex_destroy(&durable->lock);
    free(durable);
}
