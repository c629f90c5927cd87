/*
 * engine_run.h - for benches: one run of the engine over a source, with everything that
 * a bench wants to know of it: time to a share of the events, CPU, sleeps, wakes,
 * allocations, and the ledger.
 */
#ifndef BENCH_ENGINE_RUN_H
#define BENCH_ENGINE_RUN_H

#include "bench/figures.h"
#include "bench/sampler.h"
#include "correlate/engine.h"

struct engine_run {
    /* In. */
    const struct engine_config *config;
    struct source *source;
    struct rule_set *rules;
    uint64_t records; /* how many will come */
    double share;     /* the clock stops when this share of them is in closed epochs */
    bool stages;      /* tell on what the engine's threads spend their CPU: sampler.h */
    /* Out. */
    double seconds;          /* from the first record read to the share */
    double cpu_ns_event;     /* CPU of all threads but the caller's in that time, per event */
    double own_ns_event;     /* of these, CPU of the engine's threads */
    double busiest_ns_event; /* of the one of them that takes the most, per event of all */
    double stage_share[SAMPLE_STAGES]; /* of own_ns_event */
    double steady_allocations;         /* per million events, in the second half */
    double steady_wakes;               /* sleeps and wakes of own threads per million, same half */
    double steady_futexes;             /* futex calls of own threads per million, same half */
    const char *no_futexes;            /* why these were not counted; NULL: they were */
    uint64_t opened;                   /* incidents */
    struct engine_counters counters;   /* at the end */
    char why[512]; /* not empty: the ledger does not add up, or it took too long */
};

/* Runs to the share, then to the end if the source has one. */
void engine_run(struct engine_run *run);

#endif
