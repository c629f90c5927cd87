/*
 * composite.h - what happens to incidents becomes events for rules on incidents
 * (docs/correlation.md, section 3, Composites).
 *
 *   stage R: changes -> incident role: incident_events, in the order of the log
 *                    -> at the next round's start: events of @derived -> stage D
 *
 * So while a set has composites a step ends with its round at the latest, and the next round waits
 * until it is done.
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_COMPOSITE_H
#define CORRELATE_COMPOSITE_H

#include "correlate/core.h"

/* Is nothing planned from this epoch on before all steps are done? */
bool composite_holds(const struct engine *engine, int64_t epoch, bool busy);

/* Changes become events of this epoch, if it is a round's start. True when some are left that wait
 * for the next one: nothing may be planned beyond it. Every worker has passed all before it (F).
 * `busy`: a step is under way, of the same round. */
bool composite_enter(struct engine *engine, int64_t epoch, bool busy);

/* Frees what never became an event, when the engine ends. */
void composite_release(struct engine *engine);

#endif
