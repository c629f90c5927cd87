/*
 * rules_switch.h - a new rule set takes effect between two rounds (semantics X5).
 *
 *   asked for (engine_switch_rules) --X--> pending: its round is known --> in force
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_RULES_SWITCH_H
#define CORRELATE_RULES_SWITCH_H

#include "correlate/core.h"

/* Takes a set that was asked for and settles when it takes effect: at the first round
 * later than any binned event. One at a time; a later one waits until then. */
void rules_switch_poll(struct engine *engine);

/* The rules of a step that begins with epoch `from`. Where a switch lies ahead, `*closed`
 * becomes at most its epoch: steps do not straddle it. NULL: those of a switch that was made before
 * cannot be had, and nothing is planned any more. */
struct rules_version *rules_switch_at(struct engine *engine, int64_t from, int64_t *closed);

#endif
