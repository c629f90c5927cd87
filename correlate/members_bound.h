/*
 * members_bound.h - says when max_members pushes entries out of a rule's windows: a self-alert per
 * rule and minute (docs/correlation.md, section 3).
 *
 *   worker:    an entry is pushed out -> worker.pushed[slot]++
 *   sequencer: at each minute, with all steps before it done -> an event per rule, counts zero
 *
 * A step that crosses a minute must therefore be one in which nothing can be pushed out: room says
 * how many entries windows can gain until then. Only where it is too small do steps end with their
 * minute, and the next waits until they are done.
 *
 * Thread: who holds the sequencer role, but for members_pushed().
 */
#ifndef CORRELATE_MEMBERS_BOUND_H
#define CORRELATE_MEMBERS_BOUND_H

#include "correlate/core.h"

/* A key of the slot gave an entry up for a newer one. Thread: the worker. */
void members_pushed(struct worker *worker, uint32_t slot);

/* A minute in epochs: the smallest multiple of the round that is not below it. */
int64_t members_period(const struct engine *engine);

/* How many entries more the fullest window can take at the end of all steps that are planned; at
 * most zero when something may have been pushed out by then. `rules` are those of the next step. */
int64_t members_room(const struct engine *engine, const struct rules_version *rules);

/* At the begin of a minute what was pushed out before enters, with subs from `sub` on. False when
 * the steps under way have to be done first. */
bool members_tell(struct engine *engine, int64_t epoch, uint16_t sub);

/* The minute at which a step from `epoch` on has to end, because something waits to be told then
 * or may come to; INT64_MAX: none. */
int64_t members_limit(const struct engine *engine, int64_t epoch, int64_t room);

/* The slot's rule is forgotten, and with it what it was not told of; no step is under way. */
void members_forget(struct engine *engine, uint32_t slot);

#endif
