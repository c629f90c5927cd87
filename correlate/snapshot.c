/* snapshot.c - see snapshot.h. */
#include "correlate/snapshot.h"

#include <stdlib.h>
#include "correlate/alert_image.h"
#include "correlate/blind.h"
#include "correlate/key_image.h"
#include "correlate/part.h"
#include "correlate/part_image.h"
#include "correlate/recovery.h"

static int64_t planned_ms(const struct engine *engine)
{
    return engine->planned_epoch * (int64_t)engine->config.epoch_ms;
}

/* --- out ---------------------------------------------------------------------------------- */

static struct image_sets sets_of(const struct engine *engine)
{
    struct image_sets sets = {.sets = {.at = NULL}};

    vector_add(&sets.sets) = engine->newest_rules->set;
    for (size_t i = 0; i < engine->retire.sets.count; i++)
        vector_add(&sets.sets) = engine->retire.sets.at[i];
    return sets;
}

static void head_put(const struct engine *engine, const struct image_sets *sets,
                     struct image_out *out)
{
    image_put_mark(out, SNAPSHOT_HEAD);
    image_put_u32(out, SNAPSHOT_VERSION);
    image_put_u64(out, engine->config.seed);
    image_put_u32(out, engine->config.round_ms);
    image_put_u32(out, engine->config.flap_start);
    image_put_i64(out, planned_ms(engine));
    /* relaxed: this role wrote it. */
    image_put_i64(out, atomic_load_explicit(&engine->begin_ms, memory_order_relaxed));
    image_put_u32(out, (uint32_t)sets->sets.count);
}

/* A slot with what was counted under it, by all workers. */
static void slot_put(const struct engine *engine, uint32_t s, const struct image_sets *sets,
                     struct image_out *out)
{
    const struct rule_slot *slot = &engine->newest_rules->slots[s];
    const struct rule_counts *earlier = &engine->newest_rules->earlier[s];
    uint64_t sum[7] = {earlier->touches, earlier->opened, earlier->closed, earlier->evicted,
                       earlier->expired, /* keys */ 0,    /* pending */ 0};
    struct untold untold = {0};

    image_put_u32(out, slot->rule != NULL);
    if (slot->rule == NULL)
        return;
    image_put_rule(out, sets, slot->rule);
    image_put_u32(out, slot->current);
    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct rule_tally *tally = &slot->tally[w];
        const struct worker *worker = &engine->workers[w];
        const _Atomic uint64_t *count[7] = {&tally->touches, &tally->opened,  &tally->closed,
                                            &tally->evicted, &tally->expired, &tally->keys,
                                            &tally->pending};
        for (int i = 0; i < 7; i++)
            sum[i] += tally_get(count[i]);
        if (s >= worker->untold.count)
            continue;
        untold.incidents += worker->untold.at[s].incidents;
        untold.keys += worker->untold.at[s].keys;
        untold.entries += worker->untold.at[s].entries;
    }
    for (int i = 0; i < 7; i++)
        image_put_u64(out, sum[i]);
    image_put_u64(out, untold.incidents);
    image_put_u64(out, untold.keys);
    image_put_u64(out, untold.entries);
}

static void rules_put(const struct engine *engine, const struct image_sets *sets,
                      struct image_out *out)
{
    const struct rules_version *rules = engine->newest_rules;
    uint32_t steps = enrich_count(rules->enrich);

    image_put_mark(out, SNAPSHOT_RULES);
    image_put_u32(out, rules->generation);
    image_put_i64(out, rules->from_ms);
    image_put_u32(out, rules->slot_count);
    for (uint32_t s = 0; s < rules->slot_count; s++)
        slot_put(engine, s, sets, out);
    image_put_u32(out, steps);
    for (uint32_t i = 0; i < steps; i++) {
        uint64_t applied = 0, errors = 0;
        for (unsigned w = 0; w < engine->worker_count; w++) {
            applied += tally_get(&rules_version_tally(rules, w)[i].applied);
            errors += tally_get(&rules_version_tally(rules, w)[i].errors);
        }
        image_put_u64(out, applied);
        image_put_u64(out, errors);
    }
}

/* Counters of stages: what was counted while records were read goes with their partitions. */
static void tallies_put(const struct engine *engine, struct image_out *out)
{
    struct tally sum;

    memset((void *)&sum, 0, sizeof(sum));
    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct tally *tally = &engine->workers[w].tally;
#define TALLY(name) tally_add(&sum.name, tally_get(&tally->name));
#include "correlate/tally.inc"
#undef TALLY
    }
#define TALLY(name)                                                                                \
    image_put_u64(out, tally_get(&sum.name));                                                      \
    image_put_u64(out, tally_get(&engine->incident_tally.name));
#include "correlate/tally.inc"
#undef TALLY
}

/* What workers have shown of their work, ever. */
static void so_far_put(const struct engine *engine, struct image_out *out)
{
    struct step_end sum = {0};

    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct step_end *end = &engine->workers[w].so_far;
        sum.keys_made += end->keys_made;
        sum.keys_gone += end->keys_gone;
        sum.untold += end->untold;
        sum.touches += end->touches;
        sum.fullest = end->fullest > sum.fullest ? end->fullest : sum.fullest;
    }
    image_put_u64(out, sum.keys_made);
    image_put_u64(out, sum.keys_gone);
    image_put_u64(out, sum.untold);
    image_put_u64(out, sum.touches);
    image_put_u64(out, sum.fullest);
    image_put_u64(out, engine->gone_told);
}

static void composites_put(const struct engine *engine, const struct image_sets *sets,
                           struct image_out *out)
{
    image_put_u32(out, engine->incidents_wait);
    image_put_u32(out, (uint32_t)(engine->incident_events.count - engine->incident_event_at));
    for (size_t i = engine->incident_event_at; i < engine->incident_events.count; i++) {
        image_put_rule(out, sets, engine->incident_events.at[i].rule);
        incident_save(engine->incident_events.at[i].incident, out);
    }
}

static void image_make(const struct engine *engine, const struct image_sets *sets,
                       struct image_out *out)
{
    head_put(engine, sets, out);
    parts_save(engine, out);
    rules_put(engine, sets, out);
    image_put_mark(out, SNAPSHOT_REST);
    blind_save(engine, out);
    tallies_put(engine, out);
    so_far_put(engine, out);
    image_put_u32(out, engine->tight);
    image_put_i64(out, engine->left_reach_ms);
    composites_put(engine, sets, out);
    mute_stage_save(&engine->mutes, out);
    for (unsigned l = 0; l < LANES; l++) {
        alert_lane_save(engine, l, planned_ms(engine), out);
        key_lane_save(engine, l, sets, out);
    }
    image_put_mark(out, SNAPSHOT_END);
}

static void tell(struct engine *engine)
{
    const uint64_t begin_ns = host_mono_ns();
    struct image_out out = {.bytes = {.at = NULL}};
    struct image_sets sets = sets_of(engine);

    image_make(engine, &sets, &out);
    const struct engine_image image = {.at = out.bytes.at,
                                       .bytes = out.bytes.count,
                                       .at_ms = planned_ms(engine),
                                       .sets = sets.sets.at,
                                       .set_count = sets.sets.count,
                                       .taking_ns = host_mono_ns() - begin_ns};
    engine->listener.image(engine->listener.self, &image);
    free(sets.sets.at);
}

/* --- when --------------------------------------------------------------------------------- */

void engine_ask_image(struct engine *engine)
{
    /* relaxed: all there is to it. */
    atomic_store_explicit(&engine->snapshot_asked, true, memory_order_relaxed);
    engine_wake(engine, false);
}

static void ask_stands(struct engine *engine)
{
    engine->snapshot.state = SNAPSHOT_ASKED;
    engine->snapshot.memberships = engine->memberships;
    /* relaxed: a number; this role is its only writer. */
    uint64_t asked = atomic_load_explicit(&engine->stands_asked, memory_order_relaxed);
    atomic_store_explicit(&engine->stands_asked, asked + 1, memory_order_relaxed);
    engine_wake(engine, false);
}

static bool stands_are_given(const struct engine *engine)
{
    uint64_t asked = atomic_load_explicit(&engine->stands_asked, memory_order_relaxed);

    for (unsigned w = 0; w < engine->worker_count; w++)
        /* Y, acquire end: how the worker's partitions stand. */
        if (atomic_load_explicit(&engine->workers[w].stands_given, memory_order_acquire) != asked)
            return false;
    return true;
}

/* Have all records before the stands been worked off? Those of partitions that left, too. */
static bool stands_are_closed(const struct engine *engine)
{
    for (unsigned i = 1; i < part_total(engine); i++) {
        const struct part *part = engine->parts[i];
        if (!part->dropped && !part_is_member(part))
            return false; /* its owner has it still */
        int64_t epoch = !part->dropped        ? part->stand.epoch
                        : part->low_count > 0 ? part->low_epoch
                                              : INT64_MIN;
        if (epoch >= engine->planned_epoch)
            return false;
    }
    return true;
}

/* Events that tocsin made stand in a step as soon as they are made, and every set that took effect
 * has had a step: else one more is to be planned first. */
static bool is_settled(const struct engine *engine)
{
    const struct bin_slot *slot = bins_slot(&engine->derived, engine->planned_epoch);

    return engine->stepped_rules != NULL &&
           engine->stepped_rules->generation == engine->newest_rules->generation &&
           !(engine->derived_reach > engine->planned_epoch && slot->epoch >= engine->planned_epoch);
}

bool snapshot_poll(struct engine *engine)
{
    struct snapshot_run *run = &engine->snapshot;

    if (run->state == SNAPSHOT_NONE) {
        if (engine->listener.image == NULL || recovery_is_under_way(engine) ||
            /* relaxed: all there is to it. */
            !atomic_load_explicit(&engine->snapshot_asked, memory_order_relaxed))
            return false;
        atomic_store_explicit(&engine->snapshot_asked, false, memory_order_relaxed);
        ask_stands(engine);
        return false;
    }
    if (run->memberships != engine->memberships) {
        ask_stands(engine);
        return false;
    }
    if (run->state == SNAPSHOT_ASKED) {
        if (!stands_are_given(engine))
            return false;
        run->state = SNAPSHOT_TAKING;
    }
    if (!stands_are_closed(engine) || !is_settled(engine))
        return false;
    if (engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed))
        return true;
    run->state = SNAPSHOT_NONE;
    tell(engine);
    return false;
}
