/*
 * mark.h - what a replay could not find out from the records alone is told to the
 * listener as marks, in the order of happening.
 *
 * Thread: who holds the sequencer role, or the owner once the threads have ended; mark_push() by a
 *         worker.
 */
#ifndef CORRELATE_MARK_H
#define CORRELATE_MARK_H

#include "correlate/core.h"

/* Tells of `mark`, whose `part` is a place in the engine's table. */
void mark_tell(struct engine *engine, const struct mark *mark);

/* Hands a mark of a partition that the worker owns to the sequencer. False when that is behind with
 * taking marks: it is not made. */
bool mark_push(struct worker *worker, const struct mark *mark);

/* Tells of the marks that ingest threads made (seals applied, caps, shedding). */
void marks_drain(struct engine *engine);

#endif
