/*
 * engine.c - threads and life of the engine. The work is in ingest.c, sequencer.c,
 * dedup.c, correlation.c and incident_stage.c; this file decides who does what next,
 * and who sleeps. What it shows of itself is in engine_shows.c.
 */
#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/fault.h"
#include "base/host.h"
#include "correlate/away.h"
#include "correlate/blind.h"
#include "correlate/composite.h"
#include "correlate/correlation.h"
#include "correlate/crash.h"
#include "correlate/key_queue.h"
#include "correlate/mark.h"
#include "correlate/part.h"
#include "correlate/recovery.h"
#include "correlate/step_report.h"
#include "correlate/rules_retire.h"
#include "correlate/snapshot.h"
#include "correlate/sort.h"
#include "rules/mute.h"

/* A thread that waits for another's phase yields this often before it sleeps; more would
 * take a core from the Kafka client's threads. */
enum { SPINS = 20 };
#define SLEEP_MAX_NS 100000000u
#define SLEEP_BUSY_NS 1000000u /* while a step is under way: a lost wake costs this at most */

void engine_config_init(struct engine_config *config)
{
    *config = (struct engine_config){
        .workers = 2,
        .epoch_ms = 20,
        .round_ms = 200,
        .past_ms = 24 * 3600 * 1000,
        .future_ms = 1000,
        .behind_ms = 5000,
        .slack_ms = 50,
        .bin_epochs = 4096,
        .seal_ms = 10,
        .take_max = 512,
        .bins_bytes_cached = (uint64_t)8 << 20,
        .bins_bytes_max = (uint64_t)64 << 20,
        .memory_max = UINT64_MAX,
        .image_bytes = 64 << 10,
        .step_touches = 1 << 20,
        .sort_max = SORT_MAX,
        .alerts_max = 1000000,
        .undated_ms = INT64_MIN,
        .expire_ms = 5 * 60 * 1000,
        .flap_window_ms = 10 * 60 * 1000,
        .flap_start = 6,
        .flap_stop = 2,
        .until_ms = INT64_MIN,
    };
}

/* --- what a thread does next --------------------------------------------------------------- */

/* True when all workers have ended `phases` phases (T, acquire end). */
static bool all_at(const struct engine *engine, uint64_t phases)
{
    for (unsigned w = 0; w < engine->worker_count; w++)
        if (atomic_load_explicit(&engine->workers[w].phases_done, memory_order_acquire) < phases)
            return false;
    return true;
}

static void phase_run(struct worker *worker, uint64_t seq, const struct step *step, unsigned phase)
{
    switch ((enum phase)phase) {
    case PHASE_DEDUP:
        dedup_phase(worker, seq, step);
        break;
    case PHASE_ALERT_CANDIDATES:
        dedup_candidates_phase(worker, step);
        break;
    case PHASE_ALERT_EVICT:
        dedup_evict_phase(worker, seq, step);
        break;
    case PHASE_RULES:
        rules_phase(worker, seq, step);
        break;
    case PHASE_KEY_CANDIDATES:
        rules_candidates_phase(worker, step);
        break;
    case PHASE_KEY_EVICT:
        rules_evict_phase(worker, seq, step);
        break;
    }
}

bool stages_poll(struct worker *worker)
{
    struct engine *engine = worker->engine;
    /* relaxed: own counter. S, acquire end: the step, and through it the bins. */
    uint64_t done = atomic_load_explicit(&worker->phases_done, memory_order_relaxed);
    uint64_t seq = done / PHASES;
    unsigned phase = (unsigned)(done % PHASES);

    if (seq >= atomic_load_explicit(&engine->step_count, memory_order_acquire))
        return false;
    const struct step *step = &engine->steps[seq & (STEPS - 1)];
    if (phase != PHASE_DEDUP && !all_at(engine, done))
        return false;
    phase_run(worker, seq, step, phase);
    done++;
    if (!step->bounded) /* candidates and evictions have nothing to do */
        done = phase == PHASE_DEDUP ? seq * PHASES + PHASE_RULES : (seq + 1) * PHASES;
    /* T and I, release end: touches, counts, candidates and changes are complete. */
    atomic_store_explicit(&worker->phases_done, done, memory_order_release);
    engine_wake(engine, false);
    return true;
}

void engine_wake(struct engine *engine, bool only_for_bins)
{
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct worker *worker = &engine->workers[w];
        /* relaxed: a hint. A wake lost to the race costs one bounded sleep. */
        int asleep = atomic_load_explicit(&worker->asleep, memory_order_relaxed);
        if (asleep == AWAKE || (only_for_bins && asleep != ASLEEP_FOR_BINS))
            continue;
        /* relaxed: by exchange, so that one of several wakers makes the call; what there is to
         * find is found through the edges of its own. */
        asleep = atomic_exchange_explicit(&worker->asleep, AWAKE, memory_order_relaxed);
        if (asleep != AWAKE)
            host()->waker_wake(host()->self, asleep == NAPPING ? worker->nap_waker : worker->waker);
    }
}

static bool poll_all(struct worker *worker)
{
    bool worked = stages_poll(worker);

    worked |= sequencer_poll(worker->engine);
    worked |= incident_poll(worker->engine);
    /* Stages first: what is closed is worked off before more is read. */
    if (!worked || atomic_load_explicit(&worker->engine->step_count, memory_order_relaxed) ==
                       atomic_load_explicit(&worker->phases_done, memory_order_relaxed) / PHASES)
        worked |= ingest_poll(worker);
    return worked;
}

static bool step_under_way(const struct engine *engine)
{
    return atomic_load_explicit(&engine->step_count, memory_order_relaxed) !=
           atomic_load_explicit(&engine->steps_done, memory_order_relaxed);
}

/*
 * Sleeps. While records stream in from a live source a thread naps for half a seal
 * round and lets the feeds fill: woken per fetch it would see fifty records a time.
 */
static void rest(struct worker *worker)
{
    struct engine *engine = worker->engine;
    uint64_t seal_ns = (uint64_t)engine->config.seal_ms * 1000000u;
    bool naps = seal_ns > 0 && host_mono_ns() - worker->data_ns < seal_ns;
    uint64_t timeout_ns = naps ? seal_ns / 2 : seal_ns > 0 ? seal_ns : SLEEP_MAX_NS;

    if (timeout_ns > SLEEP_BUSY_NS &&
        (step_under_way(engine) || atomic_load_explicit(&engine->deferred, memory_order_relaxed)))
        timeout_ns = SLEEP_BUSY_NS;
    int asleep = naps ? NAPPING : worker->holds_any ? ASLEEP_FOR_BINS : ASLEEP;
    /* Z, unseen by tsan: it hands no memory over; it keeps the looks for work below from
     * passing the store. Publishers do not pay for the same, see engine_wake(). */
    atomic_store_explicit(&worker->asleep, asleep, memory_order_seq_cst);
    /* Whoever published before it saw us asleep left something to find. */
    bool worked = naps ? stages_poll(worker) : poll_all(worker);
    if (!worked && !atomic_load_explicit(&engine->stop, memory_order_relaxed)) {
        tally_add(&worker->tally.sleeps, 1);
        host()->waker_sleep(host()->self, naps ? worker->nap_waker : worker->waker, timeout_ns);
    }
    atomic_store_explicit(&worker->asleep, AWAKE, memory_order_relaxed);
}

/* The worker that this thread is; NULL: none. */
static _Thread_local struct worker *own_worker;

bool engine_place_now(struct engine_crash *out)
{
    const struct worker *worker = own_worker;
    const struct part *part;
    uint16_t id;

    if (worker == NULL)
        return false;
    id = atomic_load_explicit(&worker->at_part, memory_order_relaxed);
    if (id == 0)
        return false;
    part = worker->engine->parts[id];
    *out = (struct engine_crash){part->name, part->number,
                                 atomic_load_explicit(&worker->at_offset, memory_order_relaxed)};
    return true;
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct engine *engine = worker->engine;
    unsigned spins = 0;
    char name[16];

    own_worker = worker;
    fault_stack_use();

    snprintf(name, sizeof(name), "worker-%u", worker->index % 1000);
    pthread_setname_np(pthread_self(), name); /* for top and profilers */
    while (!atomic_load_explicit(&engine->stop, memory_order_relaxed)) {
        if (poll_all(worker)) {
            spins = 0;
        } else if (engine->worker_count > 1 && spins < SPINS && step_under_way(engine)) {
            spins++;
            sched_yield();
        } else {
            spins = 0;
            rest(worker);
        }
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static int config_check(const struct engine_config *config, struct error *err)
{
    const struct engine_terms terms = engine_terms_of(config);

    if (config->workers == 0 || config->workers > WORKERS_MAX)
        error_set(err, "workers must be 1 to %d", (int)WORKERS_MAX);
    else if (config->epoch_ms == 0 || config->round_ms == 0 ||
             config->round_ms % config->epoch_ms != 0)
        error_set(err, "the round (%u ms) must be a multiple of the epoch (%u ms)",
                  config->round_ms, config->epoch_ms);
    else if (config->bin_epochs == 0 || (config->bin_epochs & (config->bin_epochs - 1)) != 0)
        error_set(err, "bins have places for a power of two of epochs");
    else if (config->take_max == 0)
        error_set(err, "take must be at least 1");
    else if (config->step_touches == 0 || config->sort_max > SORT_MAX)
        error_set(err, "a step has touches, and at most %zu are sorted by keys", SORT_MAX);
    else if (engine_terms_are_fine(&terms, err))
        return 0;
    return -EINVAL;
}

static void topics_copy(struct engine *engine)
{
    const struct engine_config *config = &engine->config;

    engine->any_topic = (struct topic_config){.disorder_ms = 500, .tenant = "default"};
    engine->topics = memory_alloc((config->topic_count + 1) * sizeof(*engine->topics));
    for (size_t i = 0; i < config->topic_count; i++) {
        engine->topics[i] = config->topics[i];
        if (engine->topics[i].tenant == NULL)
            engine->topics[i].tenant = "default";
        if (engine->topics[i].topic == NULL)
            engine->any_topic = engine->topics[i];
    }
    engine->topic_count = config->topic_count;
    engine->disorder_max_ms = engine->any_topic.disorder_ms;
    for (size_t i = 0; i < engine->topic_count; i++)
        if (engine->topics[i].disorder_ms > engine->disorder_max_ms)
            engine->disorder_max_ms = engine->topics[i].disorder_ms;
    for (size_t i = 0; i < config->recovery.input_count; i++) {
        const struct engine_inputs *inputs = &config->recovery.inputs[i];
        for (size_t t = 0; t < inputs->topic_count; t++)
            if (inputs->topics[t].disorder_ms > engine->disorder_max_ms)
                engine->disorder_max_ms = inputs->topics[t].disorder_ms;
    }
    engine->slack_ms = config->slack_ms;
}

static int worker_init(struct engine *engine, unsigned index)
{
    struct worker *worker = &engine->workers[index];

    worker->engine = engine;
    worker->index = index;
    worker->shuffle_state = engine->config.shuffle + index;
    slab_init(&worker->slab);
    bins_init(&worker->bins, engine->slot_count, engine->worker_count, 0);
    atomic_init(&worker->highest_bin, INT64_MIN);
    atomic_init(&worker->reach_epoch, INT64_MIN);
    atomic_init(&worker->next_due, INT64_MAX);
    for (int s = 0; s < STEPS; s++) {
        worker->touches_out[s] = memory_alloc(engine->worker_count * sizeof(struct touch_list));
        memset(worker->touches_out[s], 0, engine->worker_count * sizeof(struct touch_list));
    }
    worker->decoder = decoder_create();
    worker->waker = host()->waker_create(host()->self);
    worker->nap_waker = host()->waker_create(host()->self);
    if (worker->decoder == NULL)
        return -ENOMEM;
    return worker->waker < 0 ? worker->waker : worker->nap_waker < 0 ? worker->nap_waker : 0;
}

int engine_create(const struct engine_config *config, struct source *source, struct rule_set *rules,
                  const struct engine_listener *listener, struct engine **out, struct error *err)
{
    struct engine *engine;
    int rc = config_check(config, err);

    if (rc != 0)
        return rc;
    engine = aligned_alloc(64, (sizeof(*engine) + 63) / 64 * 64);
    if (engine == NULL) {
        error_set(err, "out of memory for the engine");
        return -ENOMEM;
    }
    memset((void *)engine, 0, sizeof(*engine));
    engine->config = *config;
    engine->config.epoch_ms = recovery_epoch_ms(config);
    engine->source = source;
    engine->listener = *listener;
    engine->worker_count = listener->trace != NULL ? 1 : config->workers;
    engine->planned_epoch = INT64_MIN;
    engine->empty_epoch = INT64_MIN;
    engine->left_reach_ms = INT64_MIN;
    atomic_init(&engine->memory_max, config->memory_max);
    atomic_init(&engine->least_passed_ms, INT64_MIN);
    atomic_init(&engine->watermark_ms, INT64_MIN);
    atomic_init(&engine->shown_r_ms, INT64_MIN);
    atomic_init(&engine->begin_ms, INT64_MIN);
    atomic_init(&engine->done_epoch, INT64_MIN);
    topics_copy(engine);
    /* Room for four times the disorder at least. */
    engine->slot_count = engine->config.bin_epochs;
    while (engine->slot_count * (int64_t)engine->config.epoch_ms <
           4 * (2 * engine->disorder_max_ms + engine->slack_ms + 1000))
        engine->slot_count *= 2;
    bins_init(&engine->derived, 16, engine->worker_count, 0);
    engine->derived_reach = INT64_MIN;
    engine->spell_last_ms = INT64_MIN;
    blind_load(engine);
    away_load(engine);
    crash_load(engine);
    pthread_mutex_init(&engine->rules_lock, NULL);
    quota_rows_init(&engine->quota_rows);
    engine->first_set = rules;
    atomic_init(&engine->rule_sets, 1);
    const struct engine_terms terms = engine_terms_of(config);
    engine->newest_rules = rules_version_create(rules, &terms, NULL, engine->worker_count);
    /* Listed keys are there from the first step on: it is made, whatever there is in it. */
    engine->stepped_rules = engine->newest_rules->lists_keys ? NULL : engine->newest_rules;
    atomic_init(&engine->shown_rules, engine->newest_rules);
    slab_init(&engine->mute_slab);
    mute_stage_init(&engine->mutes, config->seed, &engine->mute_slab);
    mute_stage_switch(&engine->mutes, engine->newest_rules, INT64_MIN);
    atomic_init(&engine->mute_due_ms, INT64_MAX);
    engine->alert_lanes = memory_alloc(LANES * sizeof(*engine->alert_lanes));
    engine->key_lanes = memory_alloc(LANES * sizeof(*engine->key_lanes));
    for (int l = 0; l < LANES; l++) {
        alert_lane_init(&engine->alert_lanes[l], &terms);
        engine->alert_lanes[l].generation = engine->newest_rules->generation;
        key_lane_init(&engine->key_lanes[l]);
    }
    size_t bytes = engine->worker_count * sizeof(struct worker);
    engine->workers = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (engine->workers == NULL)
        engine->workers = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    memset((void *)engine->workers, 0, bytes);
    for (unsigned w = 0; w < engine->worker_count && rc == 0; w++)
        rc = worker_init(engine, w);
    if (rc != 0) {
        error_set(err, "cannot set up a worker: %s", strerror(-rc));
        engine_destroy(engine);
        return rc;
    }
    engine->wall_at_start = host()->wall_ms(host()->self);
    recovery_load(engine);
    engine->mono_at_start = host_mono_ns();
    *out = engine;
    return 0;
}

int engine_start(struct engine *engine, struct error *err)
{
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct worker *worker = &engine->workers[w];
        int rc = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (rc != 0) {
            error_set(err, "cannot start worker %u: %s", w, strerror(rc));
            engine_stop(engine);
            return -rc;
        }
        worker->started = true;
    }
    return 0;
}

/* Sleeps in small steps until `done` holds or the time is over. */
static bool wait_for(struct engine *engine, bool (*done)(const struct engine *),
                     uint64_t timeout_ms)
{
    uint64_t until = host_mono_ns() + timeout_ms * 1000000u;
    int waker = host()->waker_create(host()->self);
    bool is_done;

    while (!(is_done = done(engine)) && (timeout_ms == 0 || host_mono_ns() < until))
        host()->waker_sleep(host()->self, waker, 500000);
    host()->close(host()->self, waker);
    return is_done;
}

static bool is_finished(const struct engine *engine)
{
    /* E, acquire end: all that was told has been told. */
    return atomic_load_explicit(&engine->finished, memory_order_acquire);
}

static bool is_quiet(const struct engine *engine)
{
    return !step_under_way(engine);
}

bool engine_work_off(struct engine *engine, uint64_t timeout_ms)
{
    struct worker *worker = &engine->workers[0];
    uint64_t until = host_mono_ns() + timeout_ms * 1000000u;

    assert(engine->worker_count == 1);
    assert(!worker->started);
    /* Who finds nothing to do waits for closed epochs to gather: that is over in a moment. */
    /* relaxed: who gives up does so on this thread. */
    for (unsigned polls = 1;
         !is_finished(engine) && !atomic_load_explicit(&engine->stop_input, memory_order_relaxed);
         polls++)
        if ((!poll_all(worker) || polls % 1024 == 0) && timeout_ms > 0 && host_mono_ns() > until)
            break;
    ingest_stop(worker);
    marks_drain(engine);
    return is_finished(engine);
}

void engine_give_up(struct engine *engine)
{
    atomic_store_explicit(&engine->stop_input, true, memory_order_relaxed);
}

bool engine_wait_finished(struct engine *engine, uint64_t timeout_ms)
{
    return wait_for(engine, is_finished, timeout_ms);
}

void engine_stop(struct engine *engine)
{
    atomic_store_explicit(&engine->stop_input, true, memory_order_relaxed);
    wait_for(engine, is_quiet, 2000);
    atomic_store_explicit(&engine->stop, true, memory_order_relaxed);
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct worker *worker = &engine->workers[w];
        if (worker->started) {
            host()->waker_wake(host()->self, worker->waker);
            pthread_join(worker->thread, NULL);
        }
    }
    for (unsigned w = 0; w < engine->worker_count; w++) {
        if (engine->workers[w].started)
            ingest_stop(&engine->workers[w]);
        engine->workers[w].started = false;
    }
    /* The source lives on, and the wakers do not. */
    for (unsigned p = 0; p < atomic_load_explicit(&engine->part_count, memory_order_relaxed); p++)
        if (part_is_member(engine->parts[p]))
            engine->source->ops->wake_on(engine->source, engine->parts[p]->feed, -1);
    /* Seals that were applied and worked off, but not yet told of. */
    marks_drain(engine);
}

static void worker_release(struct worker *worker)
{
    struct engine *engine = worker->engine;

    if (engine == NULL)
        return;
    decoder_destroy(worker->decoder);
    enrich_room_destroy(worker->enrich);
    bins_release(&worker->bins);
    for (int s = 0; s < STEPS; s++) {
        for (unsigned w = 0; worker->touches_out[s] != NULL && w < engine->worker_count; w++)
            free(worker->touches_out[s][w].at);
        free(worker->touches_out[s]);
        free(worker->changes[s].at);
        free(worker->joins[s].at);
        free(worker->join_words[s].at);
        for (size_t i = 0; i < worker->remains[s].count; i++)
            slab_free(&worker->slab, worker->remains[s].at[i].block,
                      worker->remains[s].at[i].bytes);
        free(worker->remains[s].at);
    }
    free(worker->sort_key.at);
    free(worker->sort_scratch.at);
    free(worker->batch.at);
    free(worker->match.at);
    free(worker->routes.at);
    free(worker->touches_in.at);
    free(worker->alert_candidates.at);
    free(worker->alert_line.all.at);
    free(worker->key_candidates.at);
    free(worker->gone.all.at);
    free(worker->key_excess.at);
    key_queues_release(worker);
    free(worker->untold.at);
    if (worker->waker > 0)
        host()->close(host()->self, worker->waker);
    if (worker->nap_waker > 0)
        host()->close(host()->self, worker->nap_waker);
}

/* Changes that no listener has taken any more. */
static void changes_drop(struct engine *engine)
{
    uint64_t done = atomic_load_explicit(&engine->steps_done, memory_order_relaxed);
    uint64_t count = atomic_load_explicit(&engine->step_count, memory_order_relaxed);

    for (size_t i = engine->telling_at; i < engine->mutes.out.count; i++)
        incident_unref(engine->mutes.out.at[i].incident);
    engine->mutes.out.count = 0;
    for (size_t i = engine->merge_at; engine->merging && i < engine->merge.count; i++)
        incident_unref(engine->merge.at[i].incident);
    for (uint64_t s = done + engine->merging; s < count; s++)
        for (unsigned w = 0; w < engine->worker_count; w++) {
            struct worker *worker = &engine->workers[w];
            if (atomic_load_explicit(&worker->phases_done, memory_order_relaxed) <= s * PHASES)
                continue; /* it has not begun with this step: older changes lie there */
            for (size_t i = 0; i < worker->changes[s & (STEPS - 1)].count; i++)
                incident_unref(worker->changes[s & (STEPS - 1)].at[i].incident);
        }
}

static void wish_drop(struct engine *engine, struct switch_wish *wish)
{
    if (wish != NULL)
        rules_retire_free(engine, wish->set);
    free(wish);
}

void engine_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    changes_drop(engine);
    snapshot_release(engine);
    snapshot_rerun_release(engine);
    composite_release(engine);
    for (int l = 0; l < LANES; l++) {
        struct worker *owner = &engine->workers[lane_owner(engine, (unsigned)l)];
        alert_lane_release(&engine->alert_lanes[l], &owner->slab);
        rule_keys_release(&engine->key_lanes[l], engine->newest_rules, &owner->slab);
    }
    for (unsigned w = 0; w < engine->worker_count; w++)
        worker_release(&engine->workers[w]);
    for (unsigned w = 0; w < engine->worker_count; w++)
        slab_release(&engine->workers[w].slab);
    for (unsigned p = 0; p < atomic_load_explicit(&engine->part_count, memory_order_relaxed); p++) {
        free(engine->parts[p]->name);
        free(engine->parts[p]->crashes.at);
        rejoin_forget(&engine->parts[p]->rejoin);
        quota_destroy(engine->parts[p]->quota);
        quota_stand_release(&engine->parts[p]->stand.quota);
        free(engine->parts[p]);
    }
    for (size_t i = 0; i < engine->old_ranks.count; i++)
        free(engine->old_ranks.at[i]);
    step_report_release(engine);
    mute_stage_release(&engine->mutes);
    slab_release(&engine->mute_slab);
    bins_release(&engine->derived);
    free(engine->spells.at);
    free(engine->away.at);
    free(engine->crashes.at);
    free(engine->joins_wait.at);
    free(engine->old_ranks.at);
    free(engine->merge.at);
    rules_retire_release(engine);
    pthread_mutex_destroy(&engine->rules_lock);
    quota_rows_release(&engine->quota_rows);
    wish_drop(engine, atomic_load_explicit(&engine->switch_request, memory_order_relaxed));
    free(engine->topics);
    free(engine->alert_lanes);
    free(engine->key_lanes);
    free(engine->workers);
    free(engine);
}

static void wish_make(struct engine *engine, struct switch_wish wish)
{
    struct switch_wish *made = memory_alloc(sizeof(*made));

    *made = wish;
    /* X, both ends: the sequencer sees the whole wish; one that it never took is ours again. */
    wish_drop(engine,
              atomic_exchange_explicit(&engine->switch_request, made, memory_order_acq_rel));
}

void engine_switch_rules(struct engine *engine, struct rule_set *rules)
{
    wish_make(engine, (struct switch_wish){.set = rules});
}

void engine_switch(struct engine *engine, struct rule_set *rules, const struct engine_terms *terms)
{
    wish_make(engine, (struct switch_wish){.set = rules, .terms = *terms, .has_terms = true});
}
