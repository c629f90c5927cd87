/*
 * derived.h - events that the engine makes itself (semantics X6): what is no longer
 * watched because a bound was reached is told as an event like any other.
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_DERIVED_H
#define CORRELATE_DERIVED_H

#include "correlate/core.h"

/* After a bounded step: what it stopped watching enters at the start of the next round,
 * one event per rule, by rule id. Every worker has passed the step (F). */
void derived_make(struct engine *engine, const struct step *step);

#endif
