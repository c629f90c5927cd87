/*
 * stage.h - for benches: stage R alone (correlate/correlation.c), one worker, no threads, no input,
 * nobody who listens. The bench makes the touches, so nothing before the stage is measured.
 *
 *   struct touch *touch = stage_touches(engine, seq, count);    to be filled, in order
 *   stage_run(engine, seq, from_ms, to_ms);
 *
 * Thread: the bench's.
 */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include "correlate/correlation.h"

/* Returns owned, until stage_free(); the set stays the caller's. */
struct engine *stage_make(struct rule_set *set);
void stage_free(struct engine *engine);

/* Room for the touches of step `seq`. */
struct touch *stage_touches(struct engine *engine, uint64_t seq, uint32_t count);

/* Runs the step, which lasts from `from_ms` to before `to_ms`. */
void stage_run(struct engine *engine, uint64_t seq, int64_t from_ms, int64_t to_ms);

double stage_cpu_s(void); /* of this thread */

#endif
