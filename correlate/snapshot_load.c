/* snapshot_load.c - a run that goes on from an image. See snapshot.h. */
#include <errno.h>
#include <stdlib.h>
#include "correlate/alert_image.h"
#include "correlate/blind.h"
#include "correlate/key_image.h"
#include "correlate/part.h"
#include "correlate/part_image.h"
#include "correlate/snapshot.h"

/* What the image was made with has to be what it is loaded into. */
static int64_t head_take(struct engine *engine, size_t set_count, struct image_in *in)
{
    image_take_mark(in, SNAPSHOT_HEAD);
    if (image_take_u32(in) != SNAPSHOT_VERSION)
        image_fail(in, "the version is not known");
    if (image_take_u64(in) != engine->config.seed)
        image_fail(in, "it was made with another seed of the hashes");
    if (image_take_u32(in) != engine->config.round_ms)
        image_fail(in, "it was made with another round");
    if (image_take_u32(in) != engine->config.flap_start)
        image_fail(in, "it was made with another flap.start");
    int64_t at_ms = image_take_time(in), begin_ms = image_take_time(in);
    if (at_ms % (int64_t)engine->config.epoch_ms != 0)
        image_fail(in, "it ends inside of an epoch");
    if (begin_ms > at_ms)
        image_fail(in, "it ends before it begins");
    if (image_take_u32(in) != set_count)
        image_fail(in, "it names another number of rule sets");
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&engine->begin_ms, begin_ms, memory_order_relaxed);
    return at_ms;
}

struct slot_read {
    const struct rule *rule;
    uint64_t count[7];
    struct untold untold;
};

static void slot_take(struct image_in *in, const struct image_sets *sets, struct slot_read *slot,
                      bool *is_current)
{
    if (!image_take_flag(in))
        return;
    slot->rule = image_take_rule(in, sets);
    *is_current = image_take_flag(in);
    for (int i = 0; i < 7; i++)
        slot->count[i] = image_take_u64(in);
    slot->untold.incidents = image_take_u64(in);
    slot->untold.keys = image_take_u64(in);
    slot->untold.entries = image_take_u64(in);
}

/* The slot's counts become those of the first worker. */
static void slot_fill(struct engine *engine, uint32_t s, const struct slot_read *read)
{
    struct rule_tally *tally = engine->newest_rules->slots[s].tally;
    struct worker *worker = &engine->workers[0];
    _Atomic uint64_t *count[7] = {&tally->touches, &tally->opened, &tally->closed, &tally->evicted,
                                  &tally->expired, &tally->keys,   &tally->pending};

    for (int i = 0; i < 7; i++)
        tally_add(count[i], read->count[i]);
    vector_reserve(&worker->untold, s + 1);
    while (worker->untold.count <= s)
        vector_add(&worker->untold) = (struct untold){0};
    worker->untold.at[s] = read->untold;
    for (unsigned w = 0; w < engine->worker_count; w++)
        if (engine->newest_rules->slots[s].current)
            tally[w].listed = read->rule->listed_digest.lo;
}

/* Is each rule of the set in force in one slot? */
static bool slots_fit(const struct rule_set *set, const struct slot_read *read,
                      const bool *is_current, uint32_t count)
{
    bool *is_there = memory_alloc(rule_set_count(set) + 1);
    uint32_t current = 0;

    memset(is_there, 0, rule_set_count(set) + 1);
    for (uint32_t s = 0; s < count; s++) {
        const struct rule *rule = read[s].rule;
        if (!is_current[s])
            continue;
        if (rule->index < rule_set_count(set) && rule_set_rule(set, rule->index) == rule &&
            !is_there[rule->index])
            current++;
        else
            current = UINT32_MAX / 2;
        is_there[rule->index < rule_set_count(set) ? rule->index : 0] = true;
    }
    free(is_there);
    return current == rule_set_count(set);
}

/* The version in force takes the place of the one that the engine was made with. */
static void version_set(struct engine *engine, struct rules_version *version)
{
    rules_version_destroy(engine->newest_rules);
    engine->newest_rules = engine->stepped_rules = version;
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&engine->shown_rules, version, memory_order_relaxed);
    mute_stage_release(&engine->mutes);
    mute_stage_init(&engine->mutes, engine->config.seed, &engine->mute_slab);
    mute_stage_switch(&engine->mutes, version, INT64_MIN);
    for (unsigned w = 0; w < engine->worker_count; w++)
        engine->workers[w].listed_generation = version->generation;
}

static void rules_take(struct engine *engine, const struct image_sets *sets, struct image_in *in)
{
    struct rule_set *set = engine->newest_rules->set;

    image_take_mark(in, SNAPSHOT_RULES);
    uint32_t generation = image_take_u32(in);
    int64_t from_ms = image_take_any_time(in);
    uint32_t count = image_take_count(in, sizeof(uint32_t));
    struct slot_read *read = memory_alloc((count + 1) * sizeof(*read));
    const struct rule **rule = memory_alloc((count + 1) * sizeof(*rule));
    bool *is_current = memory_alloc(count + 1);
    memset(read, 0, (count + 1) * sizeof(*read));
    memset(is_current, 0, count + 1);
    for (uint32_t s = 0; s < count; s++) {
        slot_take(in, sets, &read[s], &is_current[s]);
        rule[s] = read[s].rule;
    }
    if (in->fault == NULL && (generation == 0 || !slots_fit(set, read, is_current, count)))
        image_fail(in, "its rules are not those of the set in force");
    if (in->fault == NULL) {
        struct rules_version *version =
            rules_version_restore(set, rule, is_current, count, generation, engine->worker_count);
        version->from_ms = from_ms;
        version_set(engine, version);
        for (uint32_t s = 0; s < count; s++)
            if (rule[s] != NULL)
                slot_fill(engine, s, &read[s]);
    }
    free(read);
    free(rule);
    free(is_current);
    uint32_t steps = image_take_u32(in);
    if (in->fault == NULL && steps != enrich_count(engine->newest_rules->enrich))
        image_fail(in, "its enrich steps are not those of the set in force");
    for (uint32_t i = 0; i < steps && in->fault == NULL; i++) {
        tally_add(&rules_version_tally(engine->newest_rules, 0)[i].applied, image_take_u64(in));
        tally_add(&rules_version_tally(engine->newest_rules, 0)[i].errors, image_take_u64(in));
    }
}

/* But for what was counted while records were read: that comes with their partitions. */
static void tallies_take(struct engine *engine, struct image_in *in)
{
    struct tally *tally = &engine->workers[0].tally, read;

#define TALLY(name)                                                                                \
    atomic_init(&read.name, image_take_u64(in));                                                   \
    tally_add(&engine->incident_tally.name, image_take_u64(in));
#include "correlate/tally.inc"
#undef TALLY
    /* Of reading: partitions have brought these. */
    static const size_t brought[] = {
        offsetof(struct tally, records),      offsetof(struct tally, record_bytes),
        offsetof(struct tally, redelivered),  offsetof(struct tally, gaps),
        offsetof(struct tally, events),       offsetof(struct tally, binned),
        offsetof(struct tally, time_clamped), offsetof(struct tally, late),
        offsetof(struct tally, late_by_seal), offsetof(struct tally, capped),
        offsetof(struct tally, undated)};
    for (size_t i = 0; i < sizeof(brought) / sizeof(brought[0]); i++)
        atomic_init((_Atomic uint64_t *)(void *)((char *)&read + brought[i]), 0);
#define TALLY(name) tally_add(&tally->name, tally_get(&read.name));
#include "correlate/tally.inc"
#undef TALLY
}

static void so_far_take(struct engine *engine, struct image_in *in)
{
    struct step_end *so_far = &engine->workers[0].so_far;

    so_far->keys_made = image_take_u64(in);
    so_far->keys_gone = image_take_u64(in);
    so_far->untold = image_take_u64(in);
    so_far->touches = image_take_u64(in);
    so_far->fullest = image_take_u64(in);
    engine->gone_told = image_take_u64(in);
}

static void composites_take(struct engine *engine, const struct image_sets *sets,
                            struct image_in *in)
{
    engine->incidents_wait = image_take_flag(in);
    for (uint32_t count = image_take_count(in, 64); count > 0; count--) {
        const struct rule *rule = image_take_rule(in, sets);
        struct incident *incident = incident_load(in);
        if (in->fault == NULL && incident->field_count != rule->by_count)
            image_fail(in, "an incident has another key than its rule");
        if (in->fault != NULL) {
            incident_unref(incident);
            return;
        }
        vector_add(&engine->incident_events) = (struct incident_event){incident, rule};
    }
}

/* The run stands at `at_ms`, as if one step had ended there. */
static void place_set(struct engine *engine, int64_t at_ms)
{
    int64_t epoch = at_ms / (int64_t)engine->config.epoch_ms;

    engine->planned_epoch = epoch;
    engine->steps_seen = 1;
    /* relaxed, all of them: nobody else is there yet. */
    atomic_store_explicit(&engine->watermark_ms, at_ms, memory_order_relaxed);
    atomic_store_explicit(&engine->step_count, 1, memory_order_relaxed);
    atomic_store_explicit(&engine->steps_done, 1, memory_order_relaxed);
    atomic_store_explicit(&engine->done_epoch, epoch, memory_order_relaxed);
    for (unsigned w = 0; w < engine->worker_count; w++)
        atomic_store_explicit(&engine->workers[w].phases_done, PHASES, memory_order_relaxed);
}

static void lanes_take(struct engine *engine, const struct image_sets *sets, int64_t at_ms,
                       struct image_in *in)
{
    const struct step step = {.from_ms = at_ms,
                              .to_ms = at_ms,
                              .part_count = part_total(engine),
                              .rules = engine->newest_rules};

    for (unsigned l = 0; l < LANES && in->fault == NULL; l++) {
        struct correlation c = correlation_begin(&engine->workers[lane_owner(engine, l)], 0, &step);
        alert_lane_load(engine, l, at_ms, in);
        key_lane_load(&c, l, sets, in);
    }
    for (unsigned w = 0; w < engine->worker_count && in->fault == NULL; w++) {
        struct worker *worker = &engine->workers[w];
        struct correlation c = correlation_begin(worker, 0, &step);
        correlation_publish_due(&c);
        worker->so_far.flapping = tally_get(&worker->flapping);
        worker->step_end[0] = worker->so_far;
    }
}

static void image_read(struct engine *engine, const struct image_sets *sets, struct image_in *in)
{
    int64_t at_ms = head_take(engine, sets->sets.count, in);

    parts_load(engine, in);
    if (in->fault == NULL)
        rules_take(engine, sets, in);
    image_take_mark(in, SNAPSHOT_REST);
    blind_take(engine, at_ms, in);
    tallies_take(engine, in);
    so_far_take(engine, in);
    engine->tight = image_take_flag(in);
    engine->left_reach_ms = image_take_any_time(in);
    composites_take(engine, sets, in);
    if (in->fault == NULL)
        mute_stage_load(&engine->mutes, at_ms, in);
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&engine->mute_due_ms, engine->mutes.due_ms, memory_order_relaxed);
    lanes_take(engine, sets, at_ms, in);
    image_take_mark(in, SNAPSHOT_END);
    if (in->fault == NULL && in->used != in->bytes)
        image_fail(in, "it goes on behind its end");
    place_set(engine, at_ms);
}

int engine_load_image(struct engine *engine, const void *image, size_t bytes,
                      struct rule_set *const *sets, size_t set_count, struct error *err)
{
    struct image_in in = {.at = image, .bytes = bytes};
    struct image_sets known = {.sets = {.at = NULL}};

    for (size_t i = 0; i < set_count; i++)
        vector_add(&known.sets) = sets[i];
    for (size_t i = 1; i < set_count; i++)
        vector_add(&engine->retire.sets) = sets[i];
    if (set_count == 0 || sets[0] != engine->newest_rules->set)
        image_fail(&in, "the first rule set is not the one in force");
    atomic_store_explicit(&engine->rule_sets, set_count, memory_order_relaxed);
    image_read(engine, &known, &in);
    free(known.sets.at);
    if (in.fault == NULL)
        return 0;
    error_set(err, "the image of the engine's state is damaged at byte %zu: %s", in.fault_at,
              in.fault);
    return -EINVAL;
}
