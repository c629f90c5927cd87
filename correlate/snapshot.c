/* snapshot.c - see snapshot.h. */
#include "correlate/snapshot.h"

#include <stdlib.h>
#include "correlate/alert_image.h"
#include "correlate/away.h"
#include "correlate/blind.h"
#include "correlate/gone.h"
#include "correlate/key_image.h"
#include "correlate/part.h"
#include "correlate/part_image.h"
#include "correlate/recovery.h"

static int64_t planned_ms(const struct engine *engine)
{
    return engine->planned_epoch * (int64_t)engine->config.epoch_ms;
}

/* --- one that is being taken --------------------------------------------------------------- */

enum { DISTURBED_MAX = 3, WORK_SHARE = 4, ROW_BYTES = 1 << 20 };

struct snapshot_run {
    bool has_stands;        /* owners have said how their partitions stand */
    bool is_disturbed;      /* something happened that the lanes taken so far do not know */
    unsigned disturbed;     /* how often; more than DISTURBED_MAX times: all is taken at once */
    uint64_t memberships;   /* as of the request for stands */
    struct image_sets sets; /* as of the first lane, as the next three */
    size_t old_sets;
    uint32_t generation;
    int64_t from_ms;
    struct lane_reach reach;
    VECTOR_OF(struct engine_image_piece) pieces; /* the first is of all but the lanes */
    struct image_out row;                        /* what becomes the next */
    unsigned moments;
    uint64_t next_ns, next_step;
    VECTOR_OF(uint64_t) spent_ns; /* at each moment, also those of lanes that were taken anew */
};

void snapshot_disturb(struct engine *engine)
{
    if (engine->snapshot != NULL)
        engine->snapshot->is_disturbed = true;
}

struct lane_reach snapshot_reach(const struct engine *engine)
{
    return engine->snapshot != NULL ? engine->snapshot->reach : (struct lane_reach){.lane = 0};
}

/* Has it anything by now? */
static bool has_begun(const struct snapshot_run *run)
{
    return run->pieces.count > 0;
}

static void lanes_forget(struct snapshot_run *run)
{
    for (size_t i = 0; i < run->pieces.count; i++)
        free(run->pieces.at[i].at);
    free(run->pieces.at);
    free(run->row.bytes.at);
    free(run->sets.sets.at);
    memset(&run->pieces, 0, sizeof(run->pieces));
    run->row = (struct image_out){.bytes = {.at = NULL}};
    run->sets = (struct image_sets){.sets = {.at = NULL}};
    run->reach = (struct lane_reach){.lane = 0};
    run->moments = 0;
    run->is_disturbed = false;
}

void snapshot_release(struct engine *engine)
{
    if (engine->snapshot != NULL)
        lanes_forget(engine->snapshot);
    if (engine->snapshot != NULL)
        free(engine->snapshot->spent_ns.at);
    free(engine->snapshot);
    engine->snapshot = NULL;
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

static void head_put(const struct engine *engine, const struct snapshot_run *run,
                     struct image_out *out)
{
    image_put_mark(out, SNAPSHOT_HEAD);
    image_put_u32(out, SNAPSHOT_VERSION);
    image_put_u64(out, engine->config.seed);
    image_put_u32(out, engine->config.round_ms);
    image_put_i64(out, run->from_ms);
    image_put_i64(out, planned_ms(engine));
    /* relaxed: this role wrote it. */
    image_put_i64(out, atomic_load_explicit(&engine->begin_ms, memory_order_relaxed));
    image_put_u32(out, (uint32_t)run->sets.sets.count);
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
    image_put_u32(out, slot->since);
    image_put_u32(out, slot->family);
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

static void terms_put(const struct rules_version *rules, struct image_out *out)
{
    image_put_id(out, rules->terms.id);
    image_put_u32(out, rules->terms.alerts_max);
    image_put_i64(out, rules->terms.expire_ms);
    image_put_i64(out, rules->terms.flap_window_ms);
    image_put_u32(out, rules->terms.flap_start);
    image_put_u32(out, rules->terms.flap_stop);
    image_put_i64(out, rules->terms_from_ms);
}

static void rules_put(const struct engine *engine, const struct image_sets *sets,
                      struct image_out *out)
{
    const struct rules_version *rules = engine->newest_rules;
    uint32_t steps = enrich_count(rules->enrich);

    image_put_mark(out, SNAPSHOT_RULES);
    image_put_u32(out, rules->generation);
    image_put_i64(out, rules->from_ms);
    terms_put(rules, out);
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

/* All but the lanes. */
static struct image_out front_make(const struct engine *engine, const struct snapshot_run *run)
{
    struct image_out out = {.bytes = {.at = NULL}};

    head_put(engine, run, &out);
    parts_save(engine, &out);
    rules_put(engine, &run->sets, &out);
    image_put_mark(&out, SNAPSHOT_REST);
    blind_save(engine, &out);
    away_save(engine, &out);
    tallies_put(engine, &out);
    so_far_put(engine, &out);
    image_put_u32(&out, engine->tight);
    image_put_i64(&out, engine->left_reach_ms);
    composites_put(engine, &run->sets, &out);
    mute_stage_save(&engine->mutes, &out);
    gone_save(engine, &out);
    image_put_mark(&out, SNAPSHOT_END);
    return out;
}

static void piece_end(struct snapshot_run *run, struct image_out *out)
{
    vector_add(&run->pieces) = (struct engine_image_piece){out->bytes.at, out->bytes.count};
    *out = (struct image_out){.bytes = {.at = NULL}};
}

/* A stretch of a lane, with the time up to which it was worked off: those of alerts first, then
 * those of keys. In front of the first of a lane stands how many it has, more or less: what comes
 * or goes before the last changes it. */
static void stretch_put(const struct engine *engine, struct snapshot_run *run,
                        struct lane_take *take)
{
    struct image_out *out = &run->row;
    struct lane_reach *reach = &run->reach;
    const unsigned lane = reach->lane % LANES;

    take->next = reach->until;
    if (reach->until == 0)
        image_put_u32(out, reach->lane < LANES ? engine->alert_lanes[lane].count
                                               : engine->key_lanes[lane].count);
    image_put_i64(out, planned_ms(engine));
    image_put_u64(out, 0);
    const size_t until_at = out->bytes.count - sizeof(take->next);
    take->spent += sizeof(take->next) + sizeof(int64_t);
    if (reach->lane < LANES)
        alert_lane_save(engine, lane, take, planned_ms(engine), out);
    else
        key_lane_save(engine, lane, take, &run->sets, out);
    memcpy(out->bytes.at + until_at, &take->next, sizeof(take->next));
    if (take->next == PLACES)
        *reach = (struct lane_reach){.lane = reach->lane + 1};
    else
        reach->until = take->next;
}

void *engine_image_join(const struct engine_image *image, size_t *bytes)
{
    unsigned char *row, *to;

    *bytes = 0;
    for (size_t i = 0; i < image->piece_count; i++)
        *bytes += image->piece[i].bytes;
    row = to = memory_alloc(*bytes + 1);
    for (size_t i = 0; i < image->piece_count; i++) {
        memcpy(to, image->piece[i].at, image->piece[i].bytes);
        to += image->piece[i].bytes;
        free(image->piece[i].at);
    }
    free(image->piece);
    return row;
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
    struct snapshot_run *run = engine->snapshot;

    run->has_stands = false;
    run->memberships = engine->memberships;
    /* relaxed: a number; this role is its only writer. */
    uint64_t asked = atomic_load_explicit(&engine->stands_asked, memory_order_relaxed);
    /* U, release end: the last look at the stands that this makes old is over. */
    atomic_store_explicit(&engine->stands_asked, asked + 1, memory_order_release);
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

static bool is_whole(const struct engine *engine)
{
    const struct snapshot_run *run = engine->snapshot;

    return !run->is_disturbed && run->generation == engine->newest_rules->generation &&
           run->old_sets == engine->retire.sets.count;
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static void tell(struct engine *engine)
{
    struct snapshot_run *run = engine->snapshot;
    VECTOR_OF(struct engine_position) stands = {.at = NULL};

    for (unsigned i = 1; i < part_total(engine); i++)
        if (part_is_member(engine->parts[i]))
            vector_add(&stands) = (struct engine_position){.part = (uint16_t)(i - 1),
                                                           .low = engine->parts[i]->stand.offset,
                                                           .read = engine->parts[i]->stand.offset};
    const size_t moments = run->spent_ns.count;
    qsort(run->spent_ns.at, moments, sizeof(uint64_t), by_size);
    const struct engine_image image = {.piece = run->pieces.at,
                                       .piece_count = run->pieces.count,
                                       .at_ms = planned_ms(engine),
                                       .sets = run->sets.sets.at,
                                       .set_count = run->sets.sets.count,
                                       .seed = engine->config.seed,
                                       .epoch_ms = engine->config.epoch_ms,
                                       .positions = stands.at,
                                       .position_count = stands.count,
                                       .moments = run->moments,
                                       .taking_ns = run->spent_ns.at[moments - 1],
                                       .taking_ns_p99 = run->spent_ns.at[(moments - 1) * 99 / 100],
                                       .taking_ns_p50 = run->spent_ns.at[(moments - 1) / 2]};

    memset(&run->pieces, 0, sizeof(run->pieces)); /* the listener's */
    engine->listener.image(engine->listener.self, &image);
    free(stands.at);
    snapshot_release(engine);
}

static void begin(struct engine *engine, struct snapshot_run *run)
{
    vector_add(&run->pieces) = (struct engine_image_piece){.at = NULL}; /* in front, made last */
    run->sets = sets_of(engine);
    run->old_sets = engine->retire.sets.count;
    run->generation = engine->newest_rules->generation;
    run->from_ms = planned_ms(engine);
    gone_forget(engine);
}

/* Takes as much of the lanes as fits a moment. True when all of them are there, and the rest. */
static bool take_some(struct engine *engine)
{
    struct snapshot_run *run = engine->snapshot;
    struct lane_take take = {.most = run->disturbed > DISTURBED_MAX ? UINT64_MAX
                                                                    : engine->config.image_bytes};

    if (!has_begun(run))
        begin(engine, run);
    run->moments++;
    while (run->reach.lane < 2 * LANES && take.spent < take.most) {
        /* Rows do not grow unless one thing alone is large: what is in them would be moved. */
        if (run->row.bytes.count > ROW_BYTES / 2)
            piece_end(run, &run->row);
        if (run->row.bytes.at == NULL)
            vector_reserve(&run->row.bytes, ROW_BYTES);
        stretch_put(engine, run, &take);
    }
    if (run->reach.lane < 2 * LANES || take.spent >= take.most)
        return false;
    piece_end(run, &run->row);
    struct image_out front = front_make(engine, run);
    run->pieces.at[0] = (struct engine_image_piece){front.bytes.at, front.bytes.count};
    return true;
}

bool snapshot_poll(struct engine *engine)
{
    struct snapshot_run *run = engine->snapshot;

    if (run == NULL) {
        if (engine->listener.image == NULL || recovery_is_under_way(engine) ||
            /* relaxed: all there is to it. */
            !atomic_load_explicit(&engine->snapshot_asked, memory_order_relaxed))
            return false;
        atomic_store_explicit(&engine->snapshot_asked, false, memory_order_relaxed);
        run = engine->snapshot = memory_alloc(sizeof(*run));
        *run = (struct snapshot_run){.has_stands = false};
        ask_stands(engine);
        return false;
    }
    if (run->memberships != engine->memberships) {
        lanes_forget(run);
        ask_stands(engine);
        return false;
    }
    if (has_begun(run) && !is_whole(engine)) {
        lanes_forget(run);
        run->disturbed++;
    }
    run->is_disturbed = false;
    run->has_stands = run->has_stands || stands_are_given(engine);
    if (!run->has_stands || !stands_are_closed(engine) || !is_settled(engine))
        return false;
    uint64_t begin_ns = host_mono_ns();
    if (begin_ns < run->next_ns || engine->steps_seen < run->next_step)
        return false;
    if (engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed))
        return true;
    bool is_done = take_some(engine);
    uint64_t spent_ns = host_mono_ns() - begin_ns;
    vector_add(&run->spent_ns) = spent_ns;
    run->next_step = engine->steps_seen + engine->config.image_steps;
    run->next_ns = begin_ns + WORK_SHARE * spent_ns; /* the rest is the workers' */
    if (is_done)
        tell(engine);
    return false;
}
