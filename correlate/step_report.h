/*
 * step_report.h - what makes a step a whole that can be made durable: which marks it needs, how far
 * partitions had been read, and what had been counted (semantics C2).
 *
 *   sequencer role   looks at positions once it knows what is closed, then takes the marks that
 *                    ingest threads noted: no mark before a read position is missing then (edge Q)
 *   workers          leave their counts at the end of a step's last phase (edge I)
 *   incident role    tells the listener, when all changes of the step have been told
 *
 * Nothing of this happens for a listener without step().
 */
#ifndef CORRELATE_STEP_REPORT_H
#define CORRELATE_STEP_REPORT_H

#include "correlate/core.h"

/* After `passed` of all partitions has been looked at, before the marks are taken.
 * Thread: sequencer role. */
void step_report_look(struct engine *engine);

/* Step `seq` is about to be published. Thread: sequencer role. */
void step_report_make(struct engine *engine, uint64_t seq);

/* Thread: the worker, at the end of its last phase of the step. */
void step_report_count(struct worker *worker, uint64_t seq);

/* Thread: incident role. */
void step_report_tell(struct engine *engine, uint64_t seq);

void step_report_release(struct engine *engine);

#endif
