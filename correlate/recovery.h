/*
 * recovery.h - a run that goes on after another one: until all that had been told has been told
 * again nothing new is decided about it (semantics C7).
 *
 *   records   ...read again, under the journaled marks...  | read on
 *                                                          ^ read_until of the partition: from here
 *                                                            on it makes marks of its own
 *   time      ...told again, to be compared...       | told for the first time
 *                                                    ^ until_ms: no step goes over it
 *
 * Thread: who holds the sequencer role; recovery_load() by the owner before the threads start.
 */
#ifndef CORRELATE_RECOVERY_H
#define CORRELATE_RECOVERY_H

#include "correlate/core.h"

/* The epoch of the run: the configured one, or a part of it. Epochs may have had another size in
 * the run before, and what was told ends at the end of one of this run all the same. */
unsigned recovery_epoch_ms(const struct engine_config *config);

void recovery_load(struct engine *engine);

/* Where the next of the switches is that were made before; INT64_MAX: all have been made again. */
int64_t recovery_switch_epoch(const struct engine *engine);

/* Its set, which is the caller's; NULL: it cannot be had. `terms` are those before it, and become
 * its own. The next one follows. */
struct rule_set *recovery_switch_rules(struct engine *engine, struct engine_terms *terms);

/* True while what was told, and switched to, before is not all there again: nothing new is switched
 * to. */
static inline bool recovery_is_under_way(const struct engine *engine)
{
    return engine->recover_epoch != INT64_MIN ||
           engine->switch_at < engine->config.recovery.switch_count;
}

/* Before which offset a partition that joins makes no mark; INT64_MIN: it makes them from the
 * start, for it is new: nothing of it was told, so *wm, the watermark at which it joins, is not
 * below what was. */
int64_t recovery_join(const struct engine *engine, const struct part *part, int64_t *wm);

/* Says when a partition is proven to end before what had been read of it. */
void recovery_check(struct engine *engine);

/* Keeps steps from going over the end of what was told, and says when it is reached. False: it is,
 * but for steps that are under way; nothing is to be planned. */
bool recovery_look(struct engine *engine, int64_t *closed);

#endif
