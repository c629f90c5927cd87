/*
 * incident_stage.c - stage I: merges the changes of a step by their order, has the mute
 * stage decide what is told, makes the ops, and tells the listener. Run by whoever holds the
 * incident role.
 *
 * When the listener is full the role keeps its place: the step stays unfinished, the
 * steps behind it fill their ring, and input waits (semantics O7). Nothing is dropped.
 */
#include <assert.h>
#include <stdlib.h>
#include "correlate/core.h"
#include "correlate/incident_make.h"
#include "correlate/step_report.h"

enum { ROLE_SLEEP_NS = 50000 };

static int change_order(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    return order_compare(&x->order, &y->order);
}

static void merge_begin(struct engine *engine, uint64_t seq)
{
    engine->merge.count = engine->merge_at = 0;
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct worker *worker = &engine->workers[w];
        size_t count = worker->changes[seq & (STEPS - 1)].count;
        vector_reserve(&engine->merge, count);
        for (size_t i = 0; i < count; i++)
            engine->merge.at[engine->merge.count++] = worker->changes[seq & (STEPS - 1)].at[i];
    }
    engine->merging = true;
    engine->advanced = false;
    /* In silent steps, too: of the same set, but slots of old rules may have been freed. */
    const struct rules_version *rules = engine->steps[seq & (STEPS - 1)].rules;
    if (rules != engine->mutes.version)
        mute_stage_switch(&engine->mutes, rules, rules->from_ms);
    if (engine->steps[seq & (STEPS - 1)].is_silent) {
        for (size_t i = 0; i < engine->merge.count; i++)
            incident_unref(engine->merge.at[i].incident);
        engine->merge.count = 0;
        engine->advanced = true;
        return;
    }
    if (engine->merge.count > 1)
        qsort(engine->merge.at, engine->merge.count, sizeof(struct change), change_order);
}

/* A sink with a priority limit takes nothing less urgent, and nothing without priority. */
static bool sink_takes(const struct engine_config *config, size_t sink, uint8_t priority)
{
    uint8_t max = config->sink_priority_max != NULL ? config->sink_priority_max[sink] : 0;

    return max == PRIORITY_NONE || (priority != PRIORITY_NONE && priority <= max);
}

/* Tells of one change. False when the listener is full. */
static bool report(struct engine *engine, const struct telling *telling)
{
    const struct engine_listener *listener = &engine->listener;
    struct incident *incident = telling->incident;

    if (!engine->telling_reported) {
        if (listener->incident != NULL)
            listener->incident(listener->self, incident);
        engine->telling_reported = true;
        engine->op_sink = 0;
    }
    for (; telling->has_op && engine->op_sink < engine->config.sink_count; engine->op_sink++) {
        const char *name = engine->config.sink_names[engine->op_sink];
        if (!sink_takes(&engine->config, engine->op_sink, incident->priority))
            continue;
        /* A sink gets all ops of an incident or none, so one number counts for all. */
        struct op op = {.id = op_id_make(incident->id, name, telling->op_number),
                        .number = telling->op_number,
                        .sink = (uint16_t)engine->op_sink,
                        .kind = telling->op_kind,
                        .incident = incident_ref(incident)};
        if (listener->op == NULL) {
            incident_unref(incident);
        } else if (!listener->op(listener->self, &op)) {
            incident_unref(incident);
            return false;
        }
        tally_add(&engine->incident_tally.ops, 1);
    }
    engine->telling_reported = false;
    incident_unref(incident);
    return true;
}

/* Tells of all that the mute stage has let through. False when the listener is full. */
static bool report_all(struct engine *engine)
{
    for (; engine->telling_at < engine->mutes.out.count; engine->telling_at++)
        if (!report(engine, &engine->mutes.out.at[engine->telling_at]))
            return false;
    engine->telling_at = engine->mutes.out.count = 0;
    return true;
}

/* What somebody does to an incident; the listener hears what came of it. */
static void merge_act(struct engine *engine, const struct change *act)
{
    const struct engine_listener *listener = &engine->listener;
    struct engine_acted acted = {act->order.offset, act->order.at_ms, incident_act(engine, act)};

    engine->closed_by_hand = (struct id128){0, 0};
    if (listener->acted != NULL)
        listener->acted(listener->self, &acted);
}

/* The next change, or what comes behind the last one; false when the step has no more. */
static bool merge_next(struct engine *engine, const struct step *step)
{
    if (engine->merge_at < engine->merge.count) {
        const struct change *change = &engine->merge.at[engine->merge_at++];
        if (change->incident == NULL) {
            merge_act(engine, change);
            return true;
        }
        if (change->told != NULL)
            vector_add(&engine->incident_events) =
                (struct incident_event){incident_ref(change->incident), change->told};
        if (change->by_hand != NULL)
            engine->closed_by_hand = change->incident->id;
        mute_stage_change(&engine->mutes, &change->order, change->incident, change->by_hand);
        return true;
    }
    if (engine->advanced)
        return false;
    engine->advanced = true;
    mute_stage_advance(&engine->mutes, step->to_ms - 1);
    return true;
}

/* Shows what the step has made of the counts, and when the sequencer must not sleep on. */
static void merge_end(struct engine *engine)
{
    struct mute_counts *counts = &engine->mutes.counts;
    struct tally *tally = &engine->incident_tally;

    engine->merging = false;
    tally_add(&tally->muted, counts->begun);
    tally_add(&tally->unmuted, counts->ended);
    tally_add(&tally->withheld, counts->withheld);
    tally_add(&tally->updates, counts->added);
    tally_add(&tally->announced, counts->announced);
    tally_add(&tally->suppressed_silence, counts->suppressed[MUTE_SILENCE]);
    tally_add(&tally->suppressed_maintenance, counts->suppressed[MUTE_MAINTENANCE]);
    tally_add(&tally->suppressed_inhibited, counts->suppressed[MUTE_INHIBIT]);
    *counts = (struct mute_counts){0};
    /* relaxed: F, with steps_done behind it. */
    atomic_store_explicit(&engine->mute_due_ms, engine->mutes.due_ms, memory_order_relaxed);
    tally_add(&tally->steps, 1);
}

/* True when every worker has ended the last phase of step `seq` (I, acquire end). */
static bool step_worked(const struct engine *engine, uint64_t seq)
{
    for (unsigned w = 0; w < engine->worker_count; w++)
        if (atomic_load_explicit(&engine->workers[w].phases_done, memory_order_acquire) <
            (seq + 1) * PHASES)
            return false;
    return true;
}

static void tell_joins(const struct engine_listener *listener, const struct worker *worker,
                       uint64_t seq)
{
    for (size_t i = 0; i < worker->joins[seq & (STEPS - 1)].count; i++) {
        const struct joined *joined = &worker->joins[seq & (STEPS - 1)].at[i];
        struct engine_joined told = {.incident = joined->incident,
                                     .alert = joined->alert,
                                     .at_ms = joined->at_ms,
                                     .severity = joined->severity};
        const char **const texts[JOIN_TEXTS] = {&told.source, &told.resource, &told.check,
                                                &told.dedup_key, &told.host};
        /* Where none of them has words there is no room for words either. */
        const char *at =
            joined->words > 0 ? worker->join_words[seq & (STEPS - 1)].at + joined->words - 1 : NULL;
        for (int t = 0; joined->words > 0 && t < JOIN_TEXTS; t++) {
            *texts[t] = at;
            at += strlen(at) + 1;
        }
        listener->joined(listener->self, &told);
    }
}

/* The changes of step `seq` have been told. */
static void step_told(struct engine *engine, uint64_t seq)
{
    const struct engine_listener *listener = &engine->listener;

    for (unsigned w = 0; listener->joined != NULL && w < engine->worker_count; w++)
        tell_joins(listener, &engine->workers[w], seq);
    if (listener->step != NULL)
        step_report_tell(engine, seq);
    if (listener->passed != NULL)
        listener->passed(listener->self, engine->steps[seq & (STEPS - 1)].to_ms);
}

/* Whether the listener takes another step. */
static bool has_room(const struct engine *engine)
{
    return engine->listener.room == NULL || engine->listener.room(engine->listener.self);
}

bool incident_poll(struct engine *engine)
{
    bool worked = false;

    /* relaxed: only a hint; the exchange decides. R, acquire end. */
    if (atomic_load_explicit(&engine->incident_taken, memory_order_relaxed) ||
        atomic_exchange_explicit(&engine->incident_taken, true, memory_order_acquire))
        return false;
    for (;;) {
        /* relaxed: this role is its only writer. */
        uint64_t seq = atomic_load_explicit(&engine->steps_done, memory_order_relaxed);
        /* relaxed: saves the look at the workers; what a step left comes by I. */
        if (seq == atomic_load_explicit(&engine->step_count, memory_order_relaxed) ||
            !step_worked(engine, seq))
            break;
        bool full = !engine->merging && !has_room(engine);
        if (!engine->merging && !full)
            merge_begin(engine, seq);
        full = full || !report_all(engine);
        while (!full && merge_next(engine, &engine->steps[seq & (STEPS - 1)]))
            full = !report_all(engine);
        /* relaxed: a hint for ingest threads. */
        atomic_store_explicit(&engine->paused, full, memory_order_relaxed);
        if (full)
            break;
        if (!engine->steps[seq & (STEPS - 1)].is_silent)
            step_told(engine, seq);
        merge_end(engine);
        worked = true;
        /* F, release end: nobody reads the step or its bins any more. */
        atomic_store_explicit(&engine->steps_done, seq + 1, memory_order_release);
    }
    atomic_store_explicit(&engine->incident_taken, false, memory_order_release); /* R */
    return worked;
}

struct incident *engine_incident(struct engine *engine, struct id128 id)
{
    const struct host *h = host();
    const struct held *held;
    struct incident *found;
    int waker = -1; /* nobody wakes it: for short sleeps */

    /* R, acquire end. The role is left between two steps; whoever wants it has it soon. */
    while (atomic_exchange_explicit(&engine->incident_taken, true, memory_order_acquire)) {
        if (waker < 0)
            waker = h->waker_create(h->self);
        h->waker_sleep(h->self, waker, ROLE_SLEEP_NS);
    }
    if (waker >= 0)
        h->close(h->self, waker);
    held = held_find(&engine->mutes.held, id);
    found = held != NULL ? incident_ref(held->latest) : NULL;
    atomic_store_explicit(&engine->incident_taken, false, memory_order_release); /* R */
    engine_wake(engine, false); /* who found the role taken, and went to sleep */
    return found;
}
