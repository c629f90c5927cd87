/* snapshot_load.c - a run that goes on from an image. See snapshot.h. */
#include <errno.h>
#include <stdlib.h>
#include "correlate/alert_image.h"
#include "correlate/away.h"
#include "correlate/blind.h"
#include "correlate/crash.h"
#include "correlate/gone.h"
#include "correlate/key_image.h"
#include "correlate/part.h"
#include "correlate/part_image.h"
#include "correlate/snapshot.h"
#include "correlate/walk.h"

/* What the image was made with has to be what it is loaded into. */
struct image_span {
    int64_t from_ms, to_ms; /* of the first lane, and of all else */
};

static struct image_span head_take(struct engine *engine, size_t set_count, struct image_in *in)
{
    image_take_mark(in, SNAPSHOT_HEAD);
    in->version = image_take_u32(in);
    if (in->version < SNAPSHOT_VERSION_OLDEST || in->version > SNAPSHOT_VERSION)
        image_fail(in, "the version is not known");
    if (image_take_u64(in) != engine->config.seed)
        image_fail(in, "it was made with another seed of the hashes");
    if (image_take_u32(in) != engine->config.round_ms)
        image_fail(in, "it was made with another round");
    struct image_span span = {.from_ms = image_take_time(in)};
    span.to_ms = image_take_time(in);
    int64_t begin_ms = image_take_time(in);
    if (span.from_ms % (int64_t)engine->config.epoch_ms != 0 ||
        span.to_ms % (int64_t)engine->config.epoch_ms != 0)
        image_fail(in, "it ends inside of an epoch");
    if (begin_ms > span.from_ms || span.from_ms > span.to_ms)
        image_fail(in, "it ends before it begins");
    if (image_take_u32(in) != set_count)
        image_fail(in, "it names another number of rule sets");
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&engine->begin_ms, begin_ms, memory_order_relaxed);
    return span;
}

struct slot_read {
    struct rule_slot_kept kept;
    uint64_t count[7];
    struct untold untold;
};

static void slot_take(struct image_in *in, const struct image_sets *sets, struct slot_read *slot,
                      uint32_t number)
{
    if (!image_take_flag(in))
        return;
    slot->kept.rule = image_take_rule(in, sets);
    slot->kept.is_current = image_take_flag(in);
    slot->kept.since = image_take_u32(in);
    slot->kept.family = in->version >= 4 ? image_take_u32(in) : number;
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
            tally[w].listed = read->kept.rule->listed_digest.lo;
}

/* Is each rule of the set in force in one slot? */
static bool slots_fit(const struct rule_set *set, const struct rule_slot_kept *kept, uint32_t count)
{
    bool *is_there = memory_alloc(rule_set_count(set) + 1);
    uint32_t current = 0;

    memset(is_there, 0, rule_set_count(set) + 1);
    for (uint32_t s = 0; s < count; s++) {
        const struct rule *rule = kept[s].rule;
        if (!kept[s].is_current)
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

/* Returns since when they are in force. */
static int64_t terms_take(struct engine_terms *terms, struct image_in *in)
{
    *terms = (struct engine_terms){.id = image_take_id(in)};
    terms->alerts_max = image_take_u32(in);
    terms->expire_ms = image_take_i64(in);
    terms->flap_window_ms = image_take_i64(in);
    terms->flap_start = image_take_u32(in);
    terms->flap_stop = image_take_u32(in);
    int64_t from_ms = image_take_any_time(in);
    if (in->fault == NULL && (!engine_terms_are_fine(terms, NULL) || from_ms == INT64_MAX))
        image_fail(in, "it was made under terms that cannot be");
    return from_ms;
}

static void rules_take(struct engine *engine, const struct image_sets *sets, struct image_in *in)
{
    struct rule_set *set = engine->newest_rules->set;

    image_take_mark(in, SNAPSHOT_RULES);
    uint32_t generation = image_take_u32(in);
    int64_t from_ms = image_take_any_time(in);
    struct engine_terms terms = engine->newest_rules->terms;
    int64_t terms_from_ms = terms_take(&terms, in);
    uint32_t count = image_take_count(in, sizeof(uint32_t));
    struct slot_read *read = memory_alloc((count + 1) * sizeof(*read));
    struct rule_slot_kept *kept = memory_alloc((count + 1) * sizeof(*kept));
    memset(read, 0, (count + 1) * sizeof(*read));
    for (uint32_t s = 0; s < count; s++) {
        slot_take(in, sets, &read[s], s);
        kept[s] = read[s].kept;
    }
    if (in->fault == NULL && (generation == 0 || !slots_fit(set, kept, count)))
        image_fail(in, "its rules are not those of the set in force");
    if (in->fault == NULL && !rules_version_families_fit(kept, count))
        image_fail(in, "rules share keys that cannot");
    if (in->fault == NULL) {
        struct rules_version *version =
            rules_version_restore(set, &terms, kept, count, generation, engine->worker_count);
        version->terms_from_ms = terms_from_ms;
        version->from_ms = from_ms;
        version_set(engine, version);
        for (uint32_t s = 0; s < count; s++)
            if (kept[s].rule != NULL)
                slot_fill(engine, s, &read[s]);
    }
    free(read);
    free(kept);
    uint32_t steps = image_take_u32(in);
    if (in->fault == NULL && steps != enrich_count(engine->newest_rules->enrich))
        image_fail(in, "its enrich steps are not those of the set in force");
    for (uint32_t i = 0; i < steps && in->fault == NULL; i++) {
        tally_add(&rules_version_tally(engine->newest_rules, 0)[i].applied, image_take_u64(in));
        tally_add(&rules_version_tally(engine->newest_rules, 0)[i].errors, image_take_u64(in));
    }
}

/* Counters of reading: they come with partitions. */
static const size_t brought[] = {
    offsetof(struct tally, records),      offsetof(struct tally, record_bytes),
    offsetof(struct tally, redelivered),  offsetof(struct tally, gaps),
    offsetof(struct tally, events),       offsetof(struct tally, binned),
    offsetof(struct tally, time_clamped), offsetof(struct tally, late),
    offsetof(struct tally, late_by_seal), offsetof(struct tally, capped),
    offsetof(struct tally, undated),      offsetof(struct tally, derived)};

/* But for what was counted while records were read: that comes with their partitions. */
static void tallies_take(struct engine *engine, struct image_in *in)
{
    struct tally *tally = &engine->workers[0].tally, read;

#define TALLY(name)                                                                                \
    atomic_init(&read.name, image_take_u64(in));                                                   \
    tally_add(&engine->incident_tally.name, image_take_u64(in));
#include "correlate/tally.inc"
#undef TALLY
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

enum { LANE_BYTES_LEAST = 32 }; /* less than any alert or key takes */

/* When a stretch was taken. */
static int64_t stretch_time(const struct image_span *span, int64_t after_ms, struct image_in *in)
{
    int64_t at_ms = image_take_time(in);

    if (at_ms < after_ms || at_ms < span->from_ms || at_ms > span->to_ms)
        image_fail(in, "a lane was taken at an impossible time");
    return at_ms;
}

/* How many will come to a lane, more or less: its table is made for them at once, since they come
 * in the order of their slots and would all lie at the beginning of one that grows with them. All
 * lanes together are believed as many as fit the image. */
static uint32_t lane_count(size_t *most, struct image_in *in)
{
    if (in->version < 5)
        return 0;
    uint32_t count = image_take_u32(in);
    count = count < *most ? count : (uint32_t)*most;
    *most -= count;
    return count;
}

static uint64_t stretch_until(uint64_t from, struct image_in *in)
{
    if (in->version < 5)
        return PLACES;
    uint64_t until = image_take_u64(in);
    if (until > from && until <= PLACES)
        return until;
    image_fail(in, "a stretch of a lane ends before it begins");
    return PLACES;
}

static void lanes_take(struct engine *engine, const struct image_sets *sets,
                       const struct image_span *span, struct image_in *in)
{
    struct step step = {.part_count = part_total(engine), .rules = engine->newest_rules};
    int64_t at_ms = span->from_ms;
    size_t most = image_left(in) / LANE_BYTES_LEAST;

    for (unsigned l = 0; l < LANES && in->fault == NULL; l++) {
        struct alert_lane *lane = &engine->alert_lanes[l];
        uint64_t from = 0, until;
        alert_lane_reserve(lane, lane_count(&most, in));
        do {
            at_ms = stretch_time(span, at_ms, in);
            until = stretch_until(from, in);
            alert_lane_load(engine, l, from, until, at_ms, in);
            vector_add(&lane->times.all) = (struct lane_stretch){until, at_ms};
            from = until;
        } while (until < PLACES && in->fault == NULL);
    }
    for (unsigned l = 0; l < LANES && in->fault == NULL; l++) {
        struct correlation c = correlation_begin(&engine->workers[lane_owner(engine, l)], 0, &step);
        struct key_lane *lane = &engine->key_lanes[l];
        uint64_t from = 0, until;
        key_lane_reserve(lane, lane_count(&most, in));
        do {
            step.from_ms = step.to_ms = at_ms = stretch_time(span, at_ms, in);
            until = stretch_until(from, in);
            key_lane_load(&c, l, from, until, sets, in);
            vector_add(&lane->times.all) = (struct lane_stretch){until, at_ms};
            from = until;
        } while (until < PLACES && in->fault == NULL);
        if (in->fault == NULL)
            walk_lane_begin(engine, l);
    }
    for (unsigned w = 0; w < engine->worker_count && in->fault == NULL; w++) {
        struct worker *worker = &engine->workers[w];
        struct correlation c = correlation_begin(worker, 0, &step);
        correlation_publish_due(&c);
        worker->so_far.flapping = tally_get(&worker->flapping);
        worker->step_end[0] = worker->so_far;
    }
}

/* --- what is told again in silence ------------------------------------------------------------ */

/* Counts as of the end of the image. */
struct snapshot_rerun {
    int64_t epoch;
    struct tally tally, incident_tally;
    struct step_end so_far;
    VECTOR_OF(struct untold) untold;
    uint64_t (*slot)[7];
    struct enrich_tally *enrich;
    struct gone_list gone; /* taken by bounds between two lanes */
};

static void slot_counts(struct rule_tally *tally, _Atomic uint64_t *count[7])
{
    count[0] = &tally->touches;
    count[1] = &tally->opened;
    count[2] = &tally->closed;
    count[3] = &tally->evicted;
    count[4] = &tally->expired;
    count[5] = &tally->keys;
    count[6] = &tally->pending;
}

static void set(_Atomic uint64_t *counter, uint64_t n)
{
    /* relaxed: no step is under way, and nobody else counts. */
    atomic_store_explicit(counter, n, memory_order_relaxed);
}

/* Takes the list. */
static void rerun_begin(struct engine *engine, const struct image_span *span,
                        struct gone_list *gone)
{
    const struct rules_version *rules = engine->newest_rules;
    const struct worker *worker = &engine->workers[0];
    uint32_t steps = enrich_count(rules->enrich);
    struct snapshot_rerun *rerun = memory_alloc(sizeof(*rerun));

    memset((void *)rerun, 0, sizeof(*rerun));
    rerun->epoch = span->to_ms / (int64_t)engine->config.epoch_ms;
#define TALLY(name)                                                                                \
    set(&rerun->tally.name, tally_get(&worker->tally.name));                                       \
    set(&rerun->incident_tally.name, tally_get(&engine->incident_tally.name));
#include "correlate/tally.inc"
#undef TALLY
    rerun->so_far = worker->so_far;
    rerun->gone = *gone;
    *gone = (struct gone_list){.all = {.at = NULL}};
    for (size_t i = 0; i < worker->untold.count; i++)
        vector_add(&rerun->untold) = worker->untold.at[i];
    rerun->slot = memory_alloc((rules->slot_count + 1) * sizeof(*rerun->slot));
    for (uint32_t s = 0; s < rules->slot_count; s++) {
        _Atomic uint64_t *count[7];
        if (rules->slots[s].rule == NULL)
            continue;
        slot_counts(&rules->slots[s].tally[0], count);
        for (int i = 0; i < 7; i++)
            rerun->slot[s][i] = tally_get(count[i]);
    }
    rerun->enrich = memory_alloc((steps + 1) * sizeof(*rerun->enrich));
    for (uint32_t i = 0; i < steps; i++) {
        set(&rerun->enrich[i].applied, tally_get(&rules_version_tally(rules, 0)[i].applied));
        set(&rerun->enrich[i].errors, tally_get(&rules_version_tally(rules, 0)[i].errors));
    }
    engine->rerun = rerun;
}

/* Does the worker count it in steps alone? All else it may be counting at this very moment, and
 * none of it is counted twice. */
static bool is_of_steps(size_t counter)
{
    for (size_t i = 0; i < sizeof(brought) / sizeof(brought[0]); i++)
        if (brought[i] == counter)
            return false;
    return counter != offsetof(struct tally, sleeps);
}

/* What a worker counted in silent steps is forgotten; the first has what was counted before. */
static void worker_recount(struct worker *worker, const struct snapshot_rerun *rerun)
{
    const struct rules_version *rules = worker->engine->newest_rules;
    bool is_first = worker->index == 0;

#define TALLY(name)                                                                                \
    if (is_of_steps(offsetof(struct tally, name)))                                                 \
        set(&worker->tally.name, is_first ? tally_get(&rerun->tally.name) : 0);
#include "correlate/tally.inc"
#undef TALLY
    worker->so_far = is_first ? rerun->so_far : (struct step_end){0};
    worker->so_far.flapping = tally_get(&worker->flapping);
    worker->step_end[(worker->engine->steps_seen - 1) & (STEPS - 1)] = worker->so_far;
    worker->untold.count = 0;
    for (size_t i = 0; is_first && i < rerun->untold.count; i++)
        vector_add(&worker->untold) = rerun->untold.at[i];
    for (uint32_t s = 0; s < rules->slot_count; s++) {
        _Atomic uint64_t *count[7];
        if (rules->slots[s].rule == NULL)
            continue;
        slot_counts(&rules->slots[s].tally[worker->index], count);
        for (int i = 0; i < 7; i++)
            set(count[i], is_first ? rerun->slot[s][i] : 0);
    }
    for (uint32_t i = 0; i < enrich_count(rules->enrich); i++) {
        struct enrich_tally *tally = &rules_version_tally(rules, worker->index)[i];
        set(&tally->applied, is_first ? tally_get(&rerun->enrich[i].applied) : 0);
        set(&tally->errors, is_first ? tally_get(&rerun->enrich[i].errors) : 0);
    }
}

static void times_forget(struct engine *engine)
{
    for (unsigned l = 0; l < LANES; l++) {
        lane_times_release(&engine->alert_lanes[l].times);
        lane_times_release(&engine->key_lanes[l].times);
    }
}

void snapshot_rerun_release(struct engine *engine)
{
    if (engine->rerun == NULL)
        return;
    times_forget(engine);
    free(engine->rerun->untold.at);
    free(engine->rerun->slot);
    free(engine->rerun->enrich);
    free(engine->rerun->gone.all.at);
    free(engine->rerun);
    engine->rerun = NULL;
}

bool snapshot_rerun_bounds(const struct engine *engine, int64_t epoch)
{
    size_t count;

    gone_at(&engine->rerun->gone, epoch * (int64_t)engine->config.epoch_ms, &count);
    return count > 0;
}

const struct gone *snapshot_rerun_gone(const struct engine *engine, int64_t at_ms, size_t *count)
{
    return gone_at(&engine->rerun->gone, at_ms, count);
}

bool snapshot_rerun_look(struct engine *engine, int64_t *closed)
{
    const struct snapshot_rerun *rerun = engine->rerun;

    if (rerun == NULL)
        return true;
    if (engine->planned_epoch < rerun->epoch) {
        const int64_t d = (int64_t)engine->config.epoch_ms;
        int64_t bound_ms = gone_next(&rerun->gone, engine->planned_epoch * d);
        int64_t end = bound_ms != INT64_MAX ? bound_ms / d : rerun->epoch;
        if (*closed > end)
            *closed = end;
        return true;
    }
    if (engine->steps_seen != atomic_load_explicit(&engine->step_count, memory_order_relaxed))
        return false;
    for (unsigned w = 0; w < engine->worker_count; w++)
        worker_recount(&engine->workers[w], rerun);
#define TALLY(name) set(&engine->incident_tally.name, tally_get(&rerun->incident_tally.name));
#include "correlate/tally.inc"
#undef TALLY
    engine->key_room = (struct key_room){.generation = 0};
    snapshot_rerun_release(engine);
    return true;
}

static void image_read(struct engine *engine, const struct image_sets *sets, struct image_in *in)
{
    struct gone_list gone = {.all = {.at = NULL}};
    const struct image_span span = head_take(engine, sets->sets.count, in);

    parts_load(engine, in);
    if (in->fault == NULL)
        rules_take(engine, sets, in);
    image_take_mark(in, SNAPSHOT_REST);
    blind_take(engine, span.to_ms, in);
    if (in->version >= 5)
        away_take(engine, in);
    crash_pass(engine, span.to_ms);
    tallies_take(engine, in);
    so_far_take(engine, in);
    engine->tight = image_take_flag(in);
    engine->left_reach_ms = image_take_any_time(in);
    composites_take(engine, sets, in);
    if (in->fault == NULL)
        mute_stage_load(&engine->mutes, span.to_ms, in);
    if (in->fault == NULL)
        gone_load(&gone, span.from_ms, span.to_ms, engine->config.round_ms, in);
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&engine->mute_due_ms, engine->mutes.due_ms, memory_order_relaxed);
    image_take_mark(in, SNAPSHOT_END);
    lanes_take(engine, sets, &span, in);
    if (in->fault == NULL && in->used != in->bytes)
        image_fail(in, "it goes on behind its end");
    place_set(engine, span.from_ms);
    if (in->fault == NULL && span.from_ms < span.to_ms)
        rerun_begin(engine, &span, &gone);
    else
        times_forget(engine);
    free(gone.all.at);
}

int engine_look_image(const void *image, size_t bytes, struct error *err)
{
    struct image_in in = {.at = image, .bytes = bytes};

    image_take_mark(&in, SNAPSHOT_HEAD);
    in.version = image_take_u32(&in);
    if (in.fault != NULL)
        error_set(err, "the image of the engine's state is damaged at byte %zu: %s", in.fault_at,
                  in.fault);
    else if (in.version < SNAPSHOT_VERSION_OLDEST || in.version > SNAPSHOT_VERSION)
        error_set(err,
                  "the image of the engine's state has version %u, and this tocsin reads %d "
                  "to %d",
                  in.version, SNAPSHOT_VERSION_OLDEST, SNAPSHOT_VERSION);
    else
        return 0;
    return -EINVAL;
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
