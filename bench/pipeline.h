/*
 * pipeline.h - for benches: the engine from where its decoder ends: events that are decoded go into
 * bins, and all that is behind is the engine's own, as it runs: watermark, steps, stages D, R and
 * I.
 *
 *   pipeline_decode(...)      not in any clock: what decoders do, words into bins
 *   pipeline_run(...)         puts the events into bins and works all off that is closed
 *
 * What differs from the engine at work: the bench makes its own ingest role, partition w is of
 * worker w, and unless epochs are to gather host_mono_ns() goes on by 3 ms with each look at it, so
 * that a step is all that was decoded for a run. Nobody listens.
 *
 * Thread: the bench's; with more than one worker pipeline_run() starts a thread for each.
 */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

#include "correlate/engine.h"

struct pipeline;

enum { PIPELINE_WORKERS_MAX = 2 };

struct pipeline_config {
    unsigned workers;
    int64_t expire_ms; /* of alerts */
    uint32_t alerts_max;
    bool gathers; /* closed epochs do, by the clock; that of all pipelines there are */
};

/* Returns owned, until pipeline_free(); the set stays the caller's. Ends the bench where it cannot
 * be made. */
struct pipeline *pipeline_make(const struct pipeline_config *config, struct rule_set *set);
void pipeline_free(struct pipeline *pipeline);

/* An event of partition `worker`, at a time that never falls in one partition. Taken up with the
 * next pipeline_run(); at most 80 s of them at a time. */
void pipeline_decode(struct pipeline *pipeline, unsigned worker, const struct event_draft *draft,
                     int64_t at_ms);

/* What a run took. */
struct pipeline_cost {
    double seconds; /* by the clock, from when all threads were there to the end */
    double cpu_s;   /* of the threads that worked */
};

/* Works off what has been decoded, but for events of the epoch that is still open. `is_last`: those
 * too, and nothing comes behind. */
struct pipeline_cost pipeline_run(struct pipeline *pipeline, bool is_last);

struct engine_counters pipeline_counters(const struct pipeline *pipeline);

#endif
