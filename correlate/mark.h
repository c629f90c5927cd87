/*
 * mark.h - what a replay could not find out from the records alone is told to the
 * listener as marks, in the order of happening.
 *
 * Thread: who holds the sequencer role, or the owner once the threads have ended.
 */
#ifndef CORRELATE_MARK_H
#define CORRELATE_MARK_H

#include "correlate/core.h"

/* Tells of `mark`, whose `part` is a place in the engine's table. */
void mark_tell(struct engine *engine, const struct mark *mark);

/* Tells of the marks that ingest threads made (seals applied, caps). */
void marks_drain(struct engine *engine);

#endif
