/*
 * pipeline.c - see pipeline.h. The engine is made as always and never started: its roles are called
 * as its threads would, but for the ingest role, which takes up what was decoded before.
 */
#include "bench/pipeline.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bench/figures.h"
#include "correlate/core.h"

enum { TAKE = 512 };

/* What one ingest role has to do. */
struct share {
    VECTOR_OF(struct event) decoded;
    size_t taken;
    int64_t offset; /* of the next event */
    int64_t max_ms;
    bool is_placed; /* time has begun: events may go into bins */
    struct feed feed;
};

struct pipeline {
    struct engine *engine;
    struct rule_set *set;
    struct source source;
    struct share share[PIPELINE_WORKERS_MAX];
    unsigned workers, joined;
    atomic_uint ready;
    atomic_bool go;
    bool is_last;
    int64_t until_epoch; /* a run is over when all before it has been worked off */
    double cpu_s[PIPELINE_WORKERS_MAX];
};

/* --- a source that only says which partitions there are --------------------------------------- */

static size_t changes(struct source *source, struct source_change *out, size_t max)
{
    struct pipeline *pipeline =
        (struct pipeline *)(void *)((char *)source - offsetof(struct pipeline, source));
    size_t count = 0;

    while (pipeline->joined < pipeline->workers && count < max)
        out[count++] =
            (struct source_change){SOURCE_JOIN, &pipeline->share[pipeline->joined++].feed};
    return count;
}

static void wake_on(struct source *source, struct feed *feed, int waker)
{
    (void)source;
    (void)feed;
    (void)waker;
}

static const struct source_ops source_ops = {.changes = changes, .wake_on = wake_on};

/* --- a clock that is always late ----------------------------------------------------------------
 */

static uint64_t mono_ns(void *self)
{
    static _Thread_local uint64_t now_ns = 1;

    (void)self;
    return now_ns += 3000000;
}

/* --- life
 * ----------------------------------------------------------------------------------------- */

struct pipeline *pipeline_make(const struct pipeline_config *config, struct rule_set *set)
{
    static const struct engine_listener nobody = {0};
    static const struct topic_config ordered = {.topic = "events", .disorder_ms = 0};
    static struct host late;
    struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
    struct engine_config engine_config;
    struct error err = {""};

    if (pipeline == NULL || config->workers > PIPELINE_WORKERS_MAX)
        abort();
    late = *host();
    late.mono_ns = mono_ns;
    if (!config->gathers)
        host_set(&late);
    engine_config_init(&engine_config);
    engine_config.workers = config->workers;
    engine_config.seal_ms = 0;
    engine_config.topics = &ordered;
    engine_config.topic_count = 1;
    engine_config.expire_ms = config->expire_ms;
    engine_config.alerts_max = config->alerts_max;
    pipeline->source.ops = &source_ops;
    pipeline->workers = config->workers;
    for (unsigned w = 0; w < config->workers; w++)
        pipeline->share[w].feed = (struct feed){.topic = "events", .partition = (int32_t)w};
    if (engine_create(&engine_config, &pipeline->source, set, &nobody, &pipeline->engine, &err) !=
        0) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
    sequencer_poll(pipeline->engine); /* the partitions join */
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    for (unsigned w = 0; w < pipeline->workers; w++)
        free(pipeline->share[w].decoded.at);
    engine_destroy(pipeline->engine);
    free(pipeline);
    host_set(NULL);
}

struct engine_counters pipeline_counters(const struct pipeline *pipeline)
{
    struct engine_counters counters;

    engine_counters(pipeline->engine, &counters);
    return counters;
}

/* --- what decoders do
 * ------------------------------------------------------------------------------ */

static struct part *part_of(const struct worker *worker)
{
    return worker->parts[0];
}

void pipeline_decode(struct pipeline *pipeline, unsigned w, const struct event_draft *draft,
                     int64_t at_ms)
{
    struct engine *engine = pipeline->engine;
    struct worker *worker = &engine->workers[w];
    struct share *share = &pipeline->share[w];
    const int64_t epoch = floor_div(at_ms, (int64_t)engine->config.epoch_ms);

    if (share->offset == 0 && share->decoded.count == 0) /* its first: nothing was before */
        worker->bins.free_until = epoch - 1;
    if (!bins_reach(&worker->bins, epoch) || at_ms < share->max_ms) {
        fprintf(stderr, "an event beyond the reach of bins, or out of order\n");
        exit(2);
    }
    size_t bytes = event_text_bytes(draft);
    void *room = bins_text(&worker->bins, bins_claim(&worker->bins, epoch), bytes);
    const struct event_text *text = event_text_pack(room, bytes, draft, at_ms);
    struct id128 fingerprint = event_fingerprint(text, engine->config.seed);
    vector_add(&share->decoded) = (struct event){
        .fingerprint = fingerprint,
        .attr_hash = event_attr_hash(text, draft->severity, draft->state, engine->config.seed),
        .et_ms = at_ms,
        .ts_ms = at_ms,
        .offset = share->offset++,
        .text = text,
        .part = part_of(worker)->id,
        .lane = (uint8_t)(fingerprint.hi >> 56),
        .severity = draft->severity,
        .state = draft->state};
    share->max_ms = at_ms;
}

/* --- the run
 * ---------------------------------------------------------------------------------------- */

static void publish(struct worker *worker, int64_t max_ms, int64_t next_offset, bool is_end)
{
    struct part *part = part_of(worker);

    part->had_event = true;
    part->max_c = max_ms;
    part->next_offset = next_offset;
    part->finished = is_end;
    atomic_store_explicit(&part->reach, max_ms, memory_order_relaxed);
    atomic_store_explicit(&part->seen_max_c, max_ms, memory_order_relaxed);
    atomic_store_explicit(&part->seen_offset, next_offset, memory_order_release);            /* Q */
    atomic_store_explicit(&part->passed, is_end ? INT64_MAX : max_ms, memory_order_release); /* W */
}

/* Bins that every worker has passed are free again. */
static void reclaim(struct worker *worker)
{
    /* F, acquire end: nobody reads the bins below any more. */
    int64_t done = atomic_load_explicit(&worker->engine->done_epoch, memory_order_acquire);

    if (done != INT64_MIN && done > worker->bins.free_until)
        bins_free_until(&worker->bins, done);
    /* B, release end. */
    atomic_store_explicit(&worker->reach_epoch, worker->bins.free_until + worker->bins.slot_count,
                          memory_order_release);
}

/* Time begins where the partitions' first events lie, so these are told before any is in a bin. */
static bool place(struct worker *worker, struct share *share)
{
    if (share->is_placed)
        return true;
    publish(worker, share->decoded.at[0].et_ms, 0, false);
    share->is_placed = atomic_load(&worker->engine->done_epoch) != INT64_MIN;
    return share->is_placed;
}

static void bin(struct worker *worker, const struct event *ev)
{
    const struct engine *engine = worker->engine;
    const int64_t epoch_ms = (int64_t)engine->config.epoch_ms;

    if ((uint64_t)(ev->et_ms - worker->epoch_from_ms) >= (uint64_t)epoch_ms) {
        worker->epoch = floor_div(ev->et_ms, epoch_ms);
        worker->epoch_from_ms = worker->epoch * epoch_ms;
    }
    *bins_event(&worker->bins, bins_claim(&worker->bins, worker->epoch),
                lane_owner(engine, ev->lane)) = *ev;
}

/* The ingest role: some of what was decoded goes into bins. */
static bool take(struct pipeline *pipeline, struct worker *worker)
{
    struct share *share = &pipeline->share[worker->index];
    size_t end =
        share->taken + TAKE < share->decoded.count ? share->taken + TAKE : share->decoded.count;

    reclaim(worker);
    if (share->taken == end || !place(worker, share))
        return false;
    tally_add(&worker->tally.records, end - share->taken);
    tally_add(&worker->tally.events, end - share->taken);
    tally_add(&worker->tally.binned, end - share->taken);
    for (; share->taken < end; share->taken++)
        bin(worker, &share->decoded.at[share->taken]);
    const struct event *last = &share->decoded.at[end - 1];
    publish(worker, last->et_ms, last->offset + 1,
            pipeline->is_last && end == share->decoded.count);
    return true;
}

static bool is_over(const struct pipeline *pipeline)
{
    return pipeline->is_last
               ? atomic_load_explicit(&pipeline->engine->finished, memory_order_acquire)
               : atomic_load_explicit(&pipeline->engine->done_epoch, memory_order_acquire) >=
                     pipeline->until_epoch;
}

/* As a thread of the engine: stages first, then what is closed, then more input. */
static void work(struct pipeline *pipeline, struct worker *worker)
{
    const struct share *share = &pipeline->share[worker->index];

    /* Some of the epoch that stays open may still have to go into bins. */
    while (share->taken < share->decoded.count || !is_over(pipeline)) {
        bool worked = stages_poll(worker);
        worked |= sequencer_poll(pipeline->engine);
        worked |= incident_poll(pipeline->engine);
        if (!worked)
            worked = take(pipeline, worker);
        if (!worked && pipeline->workers > 1)
            sched_yield();
    }
}

static double thread_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct thread {
    struct pipeline *pipeline;
    unsigned index;
};

static void *thread_main(void *arg)
{
    const struct thread *thread = arg;
    struct pipeline *pipeline = thread->pipeline;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(thread->index, &set);
    sched_setaffinity(0, sizeof(set), &set); /* where the kernel allows it */
    atomic_fetch_add(&pipeline->ready, 1);
    while (!atomic_load(&pipeline->go))
        sched_yield();
    double begin = thread_cpu_s();
    work(pipeline, &pipeline->engine->workers[thread->index]);
    pipeline->cpu_s[thread->index] = thread_cpu_s() - begin;
    return NULL;
}

static struct pipeline_cost run_threads(struct pipeline *pipeline)
{
    struct thread thread[PIPELINE_WORKERS_MAX];
    pthread_t id[PIPELINE_WORKERS_MAX];
    struct pipeline_cost cost = {0};

    atomic_store(&pipeline->ready, 0);
    atomic_store(&pipeline->go, false);
    for (unsigned w = 0; w < pipeline->workers; w++) {
        thread[w] = (struct thread){pipeline, w};
        if (pthread_create(&id[w], NULL, thread_main, &thread[w]) != 0)
            exit(2);
    }
    while (atomic_load(&pipeline->ready) < pipeline->workers)
        sched_yield();
    double begin = bench_now_s();
    atomic_store(&pipeline->go, true);
    for (unsigned w = 0; w < pipeline->workers; w++)
        pthread_join(id[w], NULL);
    cost.seconds = bench_now_s() - begin;
    for (unsigned w = 0; w < pipeline->workers; w++)
        cost.cpu_s += pipeline->cpu_s[w];
    return cost;
}

struct pipeline_cost pipeline_run(struct pipeline *pipeline, bool is_last)
{
    struct pipeline_cost cost;
    int64_t least = INT64_MAX;

    for (unsigned w = 0; w < pipeline->workers; w++) {
        struct share *share = &pipeline->share[w];
        least = share->max_ms < least ? share->max_ms : least;
        if (is_last && share->decoded.count == 0)
            publish(&pipeline->engine->workers[w], share->max_ms, share->offset, true);
    }
    pipeline->is_last = is_last;
    pipeline->until_epoch = floor_div(least, (int64_t)pipeline->engine->config.epoch_ms);
    if (pipeline->workers > 1) {
        cost = run_threads(pipeline);
    } else {
        double cpu = thread_cpu_s(), begin = bench_now_s();
        work(pipeline, pipeline->engine->workers);
        cost = (struct pipeline_cost){bench_now_s() - begin, thread_cpu_s() - cpu};
    }
    for (unsigned w = 0; w < pipeline->workers; w++) {
        pipeline->share[w].decoded.count = pipeline->share[w].taken = 0;
        reclaim(&pipeline->engine->workers[w]);
    }
    return cost;
}
