/*
 * step_report.c - see step_report.h.
 */
#include "correlate/step_report.h"

#include <assert.h>
#include <stdlib.h>
#include "correlate/part.h"
#include "rules/mute.h"

static const char *const count_names[ENGINE_COUNTS] = {
#define ROW(name) #name,
#include "correlate/step_counts.inc"
#undef ROW
};

const char *engine_count_name(enum engine_count count)
{
    return count_names[count];
}

void step_report_look(struct engine *engine)
{
    if (engine->listener.step == NULL)
        return;
    engine->positions.count = 0;
    for (unsigned i = 1; i < part_total(engine); i++) { /* 0 is @derived */
        const struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        vector_add(&engine->positions) = (struct engine_position){
            .part = (uint16_t)(i - 1),
            /* relaxed: an older one is as good. */
            .low = atomic_load_explicit(&part->low_offset, memory_order_relaxed),
            /* Q, acquire end: the marks of all records before it are in the ring, which is looked
             * into after this. unseen by tsan: see passed_publish(). */
            .read = atomic_load_explicit(&part->seen_offset, memory_order_acquire)};
    }
}

void step_report_make(struct engine *engine, uint64_t seq)
{
    struct step_report *report = &engine->reports[seq & (STEPS - 1)];

    report->positions.count = 0;
    vector_reserve(&report->positions, engine->positions.count);
    for (size_t i = 0; i < engine->positions.count; i++)
        report->positions.at[report->positions.count++] = engine->positions.at[i];
    report->marks = engine->marks_told;
    report->n_ms = engine_clock_ms(engine);
    report->r_ms = engine->r_settled ? engine->r_ms : INT64_MIN;
}

void step_report_count(struct worker *worker, uint64_t seq)
{
    uint64_t *counts = worker->step_counts[seq & (STEPS - 1)];
    const struct tally *tally = &worker->tally;

#define ROW(name) *counts++ = tally_get(&tally->name);
#define INCIDENT_ROW(name) *counts++ = 0;
#include "correlate/step_counts.inc"
#undef ROW
}

/* What the incident role has counted up to the step that it has just told. */
static void incident_counts(const struct engine *engine, uint64_t *counts)
{
    const struct tally *tally = &engine->incident_tally;
    const struct mute_counts *more = &engine->mutes.counts;

    counts[ENGINE_COUNT_announced] = tally_get(&tally->announced) + more->announced;
    counts[ENGINE_COUNT_suppressed_silence] =
        tally_get(&tally->suppressed_silence) + more->suppressed[MUTE_SILENCE];
    counts[ENGINE_COUNT_suppressed_maintenance] =
        tally_get(&tally->suppressed_maintenance) + more->suppressed[MUTE_MAINTENANCE];
    counts[ENGINE_COUNT_suppressed_inhibited] =
        tally_get(&tally->suppressed_inhibited) + more->suppressed[MUTE_INHIBIT];
}

void step_report_tell(struct engine *engine, uint64_t seq)
{
    const struct step_report *report = &engine->reports[seq & (STEPS - 1)];
    const struct step *step = &engine->steps[seq & (STEPS - 1)];
    uint64_t counts[ENGINE_COUNTS] = {0};
    const struct engine_step told = {.from_ms = step->from_ms,
                                     .to_ms = step->to_ms,
                                     .marks = report->marks,
                                     .positions = report->positions.at,
                                     .position_count = report->positions.count,
                                     .counts = counts,
                                     .n_ms = report->n_ms,
                                     .r_ms = report->r_ms};

    for (unsigned w = 0; w < engine->worker_count; w++)
        for (int i = 0; i < ENGINE_COUNTS; i++)
            counts[i] += engine->workers[w].step_counts[seq & (STEPS - 1)][i];
    incident_counts(engine, counts);
    engine->listener.step(engine->listener.self, &told);
}

void step_report_release(struct engine *engine)
{
    for (int s = 0; s < STEPS; s++)
        free(engine->reports[s].positions.at);
    free(engine->positions.at);
}
