/*
 * bounds_tell.h - says when a bound makes incidents of a rule no longer watched, max_keys gives
 * keys of it up, or max_members pushes entries out of its windows: self-alerts per rule and minute
 * (docs/correlation.md, section 3).
 *
 *   worker:    something goes -> worker.untold[slot]
 *   sequencer: at each minute, with all steps before it done -> an event per rule, counts zero
 *
 * Per minute, because a rule that is over its bound is so in each round, and what an operator can
 * do about it takes longer. Nothing that a self-alert itself brings about counts: otherwise what is
 * said of a rule could be what makes it true again, for ever.
 *
 * A step that crosses a minute must therefore be one in which nothing can be pushed out: room says
 * how many entries windows can gain until then. Only where it is too small do steps end with their
 * minute, and the next waits until they are done. Incidents and keys go at the end of a bounded
 * step alone, and nothing is planned before that is done.
 *
 * Thread: who holds the sequencer role, but for the three of what goes.
 */
#ifndef CORRELATE_BOUNDS_TELL_H
#define CORRELATE_BOUNDS_TELL_H

#include "correlate/core.h"

/* A key of the slot gave an entry up for a newer one, which `touch` made. Thread: the worker. */
void bounds_pushed(struct worker *worker, uint32_t slot, const struct touch *touch);

/* A key that watched goes. Thread: the worker. */
void bounds_gave_up(struct worker *worker, const struct key_state *key);

/* The incident of a key is no longer watched. Thread: the worker. */
void bounds_lost(struct worker *worker, const struct key_state *key);

/* A minute in epochs: the smallest multiple of the round that is not below it. */
int64_t bounds_period(const struct engine *engine);

/* How many entries more the fullest window can take at the end of all steps that are planned; at
 * most zero when something may have been pushed out by then. `rules` are those of the next step. */
int64_t bounds_room(const struct engine *engine, const struct rules_version *rules);

/* At the begin of a minute what went before enters. False when the steps under way have to be done
 * first. */
bool bounds_tell(struct engine *engine, int64_t epoch);

/* The minute at which a step from `epoch` on has to end, because something waits to be told then
 * or may come to; INT64_MAX: none. */
int64_t bounds_limit(const struct engine *engine, int64_t epoch, int64_t room);

/* Is there an incident of the slot's rule that nobody was told of yet? No step is under way. */
bool bounds_owes(const struct engine *engine, uint32_t slot);

/* The slot's rule is forgotten, and with it what it was not told of; no step is under way. */
void bounds_forget(struct engine *engine, uint32_t slot);

#endif
