/*
 * listed_keys.h - the keys that rules with `expect` list are there from the first step of a rule
 * set on, whether anything came for them or not (docs/correlation.md, section 3).
 *
 * A key that was listed before carries on, also where a former form of the rule watches it: who is
 * silent stays so over a reload. One that is listed no more leaves, and its incident
 * closes with it, also one that a former form opened. Of a rule that has gone all leave that have
 * no open incident.
 *
 * Thread: a worker, for keys of its own lanes, before the touches of the step.
 */
#ifndef CORRELATE_LISTED_KEYS_H
#define CORRELATE_LISTED_KEYS_H

#include "correlate/correlation.h"

/* Once for each set of rules that takes effect. */
void listed_keys_apply(struct correlation *c);

#endif
