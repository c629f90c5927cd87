/*
 * step.h - cuts closed epochs into steps (semantics X7): how far one goes, whether it
 * may reach a bound, and when the bins of its epochs are free again.
 *
 *   planned_epoch       closed (by the watermark)
 *        |                |
 *   ...  [ step ][ later ][ still open ...
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_STEP_H
#define CORRELATE_STEP_H

#include "correlate/core.h"

/* Cuts the next step out of [planned_epoch, closed), or skips it where nothing happens.
 * False when there is none to cut now: the ring is full, or a step under way has to be
 * done first. */
bool step_plan(struct engine *engine, int64_t closed);

/* The first watermark: from here on bins have a place. */
void step_begin(struct engine *engine, int64_t epoch);

/* Shows ingest threads which epochs' steps are done: their bins are free. */
void step_done_publish(struct engine *engine);

#endif
