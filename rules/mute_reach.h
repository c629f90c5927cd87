/*
 * mute_reach.h - whether a mute can do anything beside the rules of its set.
 *
 *   rules of the set  ->  what is known of their incidents: rule, priority, team, tier; which names
 *                         they carry (`by`), and of those the values that its `where` fixes; the
 *                         severities that it lets through
 *   matcher           ->  false for all that is known: it can match none of that rule
 *
 * A typo in a rule's name or in `by` shows so. One in `equal` does not keep an inhibition from
 * muting: a name that neither side carries counts as equal, so it mutes everything; that is told
 * as a name that makes no difference. Nor does one that a single side carries: what is empty there
 * equals what is missing here; that is told as a name that has to be empty.
 *
 * Thread: any.
 */
#ifndef RULES_MUTE_REACH_H
#define RULES_MUTE_REACH_H

#include "rules/mute.h"

struct mute_reach {
    bool is_possible;    /* some incident of the set's rules may be muted by it */
    bool has_target;     /* some may match its `where` or `target` */
    bool has_source;     /* and its `source`; of an inhibition */
    bool is_one_side;    /* what may match a side matches both, always: none inhibits another */
    bool is_severity;    /* what no incident has is the severity that it asks for */
    uint32_t idle_equal; /* of a possible inhibition: bits of `equal` that make no difference */
    uint32_t only_empty; /* and bits that have to be empty: no two rules carry them on both sides */
};

/* What a look at each rule costs, in steps of some ten nanoseconds. */
uint64_t mute_reach_cost(const struct rule_set *set, uint32_t index);

/* Costs a look at each rule. */
struct mute_reach mute_reach(const struct rule_set *set, uint32_t index);

/* Of a possible inhibition: a name beside the tenant that is in `by` of rules on both sides, and
 * not asked for by its source itself, so that `equal` could hold the two to one value. NULL: there
 * is none. The set's. Costs a look at each rule. */
const char *mute_reach_shared(const struct rule_set *set, uint32_t index);

/* A rule, team or tier that the mute asks for and no rule of the set has, or a name that none
 * counts by: puts a sentence like `there is no rule "host-dwon"; did you mean "host-down"?`. False
 * when there is none. */
bool mute_reach_stray(const struct rule_set *set, uint32_t index, char *to, size_t bytes);

#endif
