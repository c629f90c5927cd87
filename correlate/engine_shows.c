/*
 * engine_shows.c - what the engine shows of itself while it runs: its times, its counters, and
 * those of its rules, mutes, enrich steps and partitions. Any thread may ask.
 */
#include <stdio.h>
#include <string.h>
#include "base/host.h"
#include "correlate/clock_look.h"
#include "correlate/core.h"
#include "correlate/part.h"
#include "rules/mute.h"

struct engine_terms engine_terms_now(const struct engine *engine)
{
    return engine->newest_rules->terms;
}

int64_t engine_stamp(const struct engine *engine)
{
    int64_t now_ms = engine_clock_ms(engine);
    int64_t r_ms = atomic_load_explicit(&engine->shown_r_ms, memory_order_relaxed);

    return r_ms > now_ms ? r_ms : now_ms;
}

int64_t engine_clock_off(const struct engine *engine)
{
    return clock_look_off(engine, host_mono_ns());
}

int64_t engine_told(const struct engine *engine)
{
    /* relaxed: what was told shows by other ways. */
    int64_t epoch = atomic_load_explicit(&engine->done_epoch, memory_order_relaxed);

    return epoch != INT64_MIN ? epoch * (int64_t)engine->config.epoch_ms : INT64_MIN;
}

int64_t engine_input_end(const struct engine *engine)
{
    /* C, acquire end: the parts below the count are set up. */
    unsigned total = atomic_load_explicit(&engine->part_count, memory_order_acquire);
    int64_t end_ms = INT64_MIN;

    for (unsigned i = 1; i < total; i++) { /* 0 is @derived */
        const struct part *part = engine->parts[i];
        if (atomic_load_explicit(&part->membership, memory_order_relaxed) != PART_MEMBER)
            continue;
        if (atomic_load_explicit(&part->proof_ns, memory_order_relaxed) == 0)
            return INT64_MIN;
        /* No event of it is later than M or V. */
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        int64_t passed = atomic_load_explicit(&part->passed, memory_order_relaxed);
        int64_t last_ms = max_c > passed ? max_c : passed;
        end_ms = last_ms > end_ms ? last_ms : end_ms;
    }
    return end_ms;
}

int64_t engine_watermark(const struct engine *engine)
{
    return atomic_load_explicit(&engine->watermark_ms, memory_order_relaxed);
}

int64_t engine_begin(const struct engine *engine)
{
    return atomic_load_explicit(&engine->begin_ms, memory_order_relaxed);
}

/* --- counters -----------------------------------------------------------------------------------
 */

static uint64_t quota_cut_sum(const struct engine *engine)
{
    /* C, acquire end: the parts below the count are set up. */
    unsigned total = atomic_load_explicit(&engine->part_count, memory_order_acquire);
    uint64_t sum = 0;

    for (unsigned i = 1; i < total; i++)
        if (atomic_load_explicit(&engine->parts[i]->membership, memory_order_relaxed) ==
            PART_MEMBER)
            sum += atomic_load_explicit(&engine->parts[i]->quota_cut, memory_order_relaxed);
    return sum;
}

void engine_counters(const struct engine *engine, struct engine_counters *out)
{
    struct tally sum;
    uint64_t pending = 0;

    memset(out, 0, sizeof(*out));
    memset((void *)&sum, 0, sizeof(sum));
    for (unsigned w = 0; w <= engine->worker_count; w++) {
        const struct tally *tally =
            w < engine->worker_count ? &engine->workers[w].tally : &engine->incident_tally;
#define TALLY(name) tally_add(&sum.name, tally_get(&tally->name));
#include "correlate/tally.inc"
#undef TALLY
        for (int r = 0; r < REJECT_REASON_COUNT; r++)
            out->rejected[r] += tally_get(&tally->rejected[r]);
    }
    for (unsigned w = 0; w < engine->worker_count; w++) {
        out->alerts += tally_get(&engine->workers[w].alerts);
        out->flapping += tally_get(&engine->workers[w].flapping);
        out->bins_bytes += tally_get(&engine->workers[w].bins.bytes);
        out->state_bytes += tally_get(&engine->workers[w].slab.bytes);
        out->table_bytes += tally_get(&engine->workers[w].table_bytes);
        out->touch_bytes += tally_get(&engine->workers[w].touch_bytes);
        out->paused += tally_get(&engine->workers[w].paused);
        out->pauses += tally_get(&engine->workers[w].pauses);
    }
    out->bins_bytes += tally_get(&engine->derived.bytes);
    out->state_bytes += tally_get(&engine->mute_slab.bytes);
    struct engine_rule_counters row;
    for (size_t i = 0; engine_rule_row(engine, &i, &row);) {
        out->keys += row.keys;
        pending += row.pending;
    }
    out->records = sum.records;
    out->record_bytes = sum.record_bytes;
    out->redelivered = sum.redelivered;
    out->gaps = sum.gaps;
    out->events = sum.events;
    out->derived = sum.derived;
    out->in_bins = sum.binned - sum.closed_events - sum.left_events;
    out->left = sum.left_events;
    out->duplicate = sum.duplicate;
    out->unmatched = sum.unmatched;
    out->routed = sum.routed;
    out->dropped = sum.dropped;
    out->quota_cut = quota_cut_sum(engine);
    out->quota_shared = atomic_load_explicit(&engine->quota_rows.shared, memory_order_relaxed);
    out->enrich_errors = sum.enrich_errors;
    out->touches = sum.touches;
    out->correlated = sum.correlated;
    out->expired = sum.expired;
    out->evicted = sum.evicted;
    out->retired = sum.retired;
    out->pending = pending;
    out->opened = sum.opened;
    out->closed = sum.closed;
    out->open = sum.opened - sum.closed;
    out->lost = sum.lost;
    out->walks = tally_get(&engine->walks);
    out->walk_mismatches = tally_get(&engine->walk_mismatches);
    out->ops = sum.ops;
    out->updates = sum.updates;
    out->muted = sum.muted;
    out->unmuted = sum.unmuted;
    out->withheld = sum.withheld;
    out->announced = sum.announced;
    out->suppressed_silence = sum.suppressed_silence;
    out->suppressed_maintenance = sum.suppressed_maintenance;
    out->suppressed_inhibited = sum.suppressed_inhibited;
    /* relaxed: a report. */
    out->untold = atomic_load_explicit(&engine->step_count, memory_order_relaxed) -
                  atomic_load_explicit(&engine->steps_done, memory_order_relaxed);
    out->time_clamped = sum.time_clamped;
    out->late = sum.late;
    out->late_by_seal = sum.late_by_seal;
    out->capped = sum.capped;
    out->undated = sum.undated;
    out->alerts_opened = sum.alerts_opened;
    out->alerts_cleared = sum.alerts_cleared;
    out->alerts_expired = sum.alerts_expired;
    out->alerts_evicted = sum.alerts_evicted;
    out->alerts_refired = sum.alerts_refired;
    out->flap_begun = sum.flap_begun;
    out->flap_ended = sum.flap_ended;
    out->flap_folded = sum.flap_folded;
    out->keys_evicted = sum.keys_evicted;
    out->numbers_unfit = sum.numbers_unfit;
    out->steps = sum.steps;
    out->rounds = sum.rounds;
    out->seals = sum.seals;
    out->sleeps = sum.sleeps;
    out->parts_refused = sum.parts_refused;
    out->rule_sets = tally_get(&engine->rule_sets);
}

static void row_fill(const struct engine *engine, const struct rules_version *version, size_t index,
                     struct engine_rule_counters *out)
{
    const struct rule_slot *slot = &version->slots[index];
    const struct rule_counts *earlier = &version->earlier[index];

    *out = (struct engine_rule_counters){.form = slot->rule->form,
                                         .key_kind = slot->rule->key_kind,
                                         .current = slot->current,
                                         .touches = earlier->touches,
                                         .opened = earlier->opened,
                                         .closed = earlier->closed,
                                         .evicted = earlier->evicted,
                                         .expired = earlier->expired};
    snprintf(out->rule_id, sizeof(out->rule_id), "%s", slot->rule->id);
    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct rule_tally *tally = &slot->tally[w];
        out->touches += tally_get(&tally->touches);
        out->opened += tally_get(&tally->opened);
        out->closed += tally_get(&tally->closed);
        out->keys += tally_get(&tally->keys);
        out->evicted += tally_get(&tally->evicted);
        out->expired += tally_get(&tally->expired);
        out->pending += tally_get(&tally->pending);
    }
    out->open = out->opened - out->closed;
}

/* `see` may be NULL. */
static bool row_see(const struct engine *engine, size_t *index, struct engine_rule_counters *out,
                    void (*see)(void *self, const struct engine_rule_counters *row,
                                const struct rule *rule),
                    void *self)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&engine->rules_lock;
    bool is_there;

    pthread_mutex_lock(lock);
    /* C, acquire end: the version built first to last shares tallies; the newest knows all slots
     * that are not free. */
    const struct rules_version *version =
        atomic_load_explicit(&engine->shown_rules, memory_order_acquire);

    while (*index < version->slot_count && version->slots[*index].rule == NULL)
        ++*index;
    is_there = *index < version->slot_count;
    if (is_there) {
        row_fill(engine, version, *index, out);
        if (see != NULL)
            see(self, out, version->slots[*index].rule);
        ++*index;
    }
    pthread_mutex_unlock(lock);
    return is_there;
}

bool engine_rule_row(const struct engine *engine, size_t *index, struct engine_rule_counters *out)
{
    return row_see(engine, index, out, NULL, NULL);
}

void engine_rules_see(const struct engine *engine,
                      void (*see)(void *self, const struct engine_rule_counters *row,
                                  const struct rule *rule),
                      void *self)
{
    struct engine_rule_counters row;
    size_t index = 0;

    while (row_see(engine, &index, &row, see, self))
        ;
}

size_t engine_rule_counters(const struct engine *engine, struct engine_rule_counters *out,
                            size_t max)
{
    size_t count = 0, index = 0;

    while (count < max && engine_rule_row(engine, &index, &out[count]))
        count++;
    return count;
}

bool engine_mute_row(const struct engine *engine, size_t index, struct engine_mute_counters *out)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&engine->rules_lock;

    pthread_mutex_lock(lock);
    /* C, acquire end: the version and its tallies are set up. */
    const struct rules_version *version =
        atomic_load_explicit(&engine->shown_rules, memory_order_acquire);
    bool is_there = index < version->mute_count;

    if (is_there) {
        const struct mute *mute = rule_set_mute(version->set, (uint32_t)index);
        *out = (struct engine_mute_counters){.kind = mute_kind_name(mute->kind),
                                             .incidents = tally_get(&version->mutes[index]->now),
                                             .total = tally_get(&version->mutes[index]->total)};
        snprintf(out->id, sizeof(out->id), "%s", mute->id);
    }
    pthread_mutex_unlock(lock);
    return is_there;
}

size_t engine_mute_counters(const struct engine *engine, struct engine_mute_counters *out,
                            size_t max)
{
    size_t count = 0;

    while (count < max && engine_mute_row(engine, count, &out[count]))
        count++;
    return count;
}

size_t engine_enrich_counters(const struct engine *engine, struct engine_enrich_counters *out,
                              size_t max)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&engine->rules_lock;
    size_t count = 0;

    pthread_mutex_lock(lock);
    /* C, acquire end: the version and its tallies are set up. */
    const struct rules_version *version =
        atomic_load_explicit(&engine->shown_rules, memory_order_acquire);
    for (; count < max && count < enrich_count(version->enrich); count++) {
        const struct enrich_step *step = enrich_step_at(version->enrich, (uint32_t)count);
        out[count] = (struct engine_enrich_counters){.applied = 0};
        snprintf(out[count].step, sizeof(out[count].step), "%s", step->id);
        for (unsigned w = 0; w < engine->worker_count; w++) {
            const struct enrich_tally *tally = rules_version_tally(version, w) + count;
            out[count].applied += tally_get(&tally->applied);
            out[count].errors += tally_get(&tally->errors);
        }
    }
    pthread_mutex_unlock(lock);
    return count;
}

const char *engine_part_name(const struct engine *engine, uint16_t part, int32_t *partition)
{
    /* C, acquire end: the parts below the count are set up; 0 of them is @derived. */
    unsigned total = atomic_load_explicit(&engine->part_count, memory_order_acquire);

    if (part + 1u >= total)
        return NULL;
    *partition = engine->parts[part + 1]->number;
    return engine->parts[part + 1]->name;
}

size_t engine_part_counters(const struct engine *engine, struct engine_part_counters *out,
                            size_t max)
{
    /* C, acquire end: the parts below the count are set up. */
    unsigned total = atomic_load_explicit(&engine->part_count, memory_order_acquire);
    size_t count = 0;

    for (unsigned i = 1; i < total && count < max; i++) { /* 0 is @derived */
        const struct part *part = engine->parts[i];
        if (atomic_load_explicit(&part->membership, memory_order_relaxed) != PART_MEMBER)
            continue;
        out[count++] = (struct engine_part_counters){
            .topic = part->name,
            .partition = part->number,
            .start_offset = atomic_load_explicit(&part->start_offset, memory_order_relaxed),
            .read_offset = atomic_load_explicit(&part->read_offset, memory_order_relaxed),
            .low_offset = atomic_load_explicit(&part->low_offset, memory_order_relaxed),
            .lag = atomic_load_explicit(&part->lag, memory_order_relaxed),
            .passed_ms = atomic_load_explicit(&part->passed, memory_order_relaxed),
            .first_ms = atomic_load_explicit(&part->first_ms, memory_order_relaxed),
            .records = tally_get(&part->records),
            .gaps = tally_get(&part->gaps),
            .redelivered = tally_get(&part->redelivered),
            .rejected = tally_get(&part->rejected),
            .pauses = tally_get(&part->pauses),
            .shed = tally_get(&part->shed_events),
            .shed_spells = tally_get(&part->shed_spells),
            .behind_ms = atomic_load_explicit(&part->behind_seen_ms, memory_order_relaxed),
            .is_shedding =
                atomic_load_explicit(&part->shed_below, memory_order_relaxed) != SEVERITY_OK,
            .is_paused = atomic_load_explicit(&part->is_paused, memory_order_relaxed),
            .state = (enum feed_state)atomic_load_explicit(&part->state, memory_order_relaxed),
            .blind = atomic_load_explicit(&part->blind, memory_order_relaxed),
        };
    }
    return count;
}
