/*
 * bounds_heard.h - does any rule of a set take what is told when bounds are reached
 * (correlate/bounds_tell.h), or events left out (correlate/in_place.h)? Otherwise nobody hears that
 * rules count too few.
 *
 * Thread: any.
 */
#ifndef CORRELATE_BOUNDS_HEARD_H
#define CORRELATE_BOUNDS_HEARD_H

#include <stdbool.h>
#include "rules/rule_set.h"

enum { BOUNDS_TOLD = 3, BOUNDS_ASKED_MAX = 50 };

/* The checks of the self-alerts that no rule takes, whichever rule they tell of: of the first
 * BOUNDS_ASKED_MAX, and as many whose ids stand in conditions; of fewer where a question takes
 * long. A rule that takes what is told of others by a part of their ids alone is not seen. One with
 * `expect`, or on flapping alerts, opens for no such event and takes none. Enrich steps are not
 * looked at. Returns how many. */
size_t bounds_unheard(const struct rule_set *rules, const char *unheard[BOUNDS_TOLD]);

/* Whether a rule takes the self-alert `check` of one of these resources: tenants over their quota
 * (QUOTA_CHECK), partitions that shed (SHED_CHECK). As above, but that all of them are asked of. */
bool limit_is_heard(const struct rule_set *rules, const char *check, const char *const *resources,
                    size_t count);

#endif
