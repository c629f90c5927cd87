/*
 * names_spread.h - what becomes something else when a step before sets something else.
 *
 *   a: set labels.dc: own[host].dc           changes: labels.dc, of a
 *   b: set labels.rack: labels.dc + "-r"     reads it: labels.rack, of a
 *   c: where labels.rack == "d1-r", remove   reads that: whatever it sets or removes, of a
 *
 * Whoever goes over the steps in the order in which they run adds the names of those that have
 * changed, and asks of each other one what it makes of them. A name counts from then on, also where
 * a later step sets it anew to something that does not depend on it: that step may not run.
 *
 * Time:   a step, once: its operands, each looked for among the names.
 * Thread: any.
 */
#ifndef RULES_NAMES_SPREAD_H
#define RULES_NAMES_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "rules/enrich.h"

struct spread_name {
    const char *name;
    size_t origin; /* the first step by which it is another, as the caller counts */
};

struct names_spread {
    struct spread_name *at; /* by name */
    size_t count, max;
};

/* Room for `max` names, in `arena`; they are borrowed. False: memory is short. */
bool names_spread_init(struct names_spread *spread, size_t max, struct arena *arena);

/* False: it was there. */
bool names_spread_add(struct names_spread *spread, const char *name, size_t origin);

/* Adds what the step makes of names that are there, and lists those that were not, at most so many
 * as enrich_step_names() says: how many. A step that drops by one of them makes nothing but one
 * without a name. */
uint32_t names_spread_step(struct names_spread *spread, const struct enrich_set *set,
                           uint32_t index, struct spread_name *made);

#endif
