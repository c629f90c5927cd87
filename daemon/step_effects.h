/*
 * step_effects.h - what an enrich step that a reload changes does to incidents that are open: rules
 * carry on, and yet what they go by is made by the step.
 *
 *   by       the rule has its keys by what the step sets: an alert may be of another key from its
 *            next event on, so its incident may close, and one opens under the other value
 *   expect   the same of a rule with `expect`: a sign of life may be of another key, and the one of
 *            before is missed
 *   drop     the step drops events that the rule may take: an alert of which nothing is heard any
 *            more expires, and its incident may close though it still fires
 *   drop, expect
 *            they may be signs of life
 *   reads    where or close of the rule reads it: an alert may leave its incident, or be told to
 *            the rule anew
 *
 * So it is with what a later step, which has not changed, makes of it (rules/names_spread.h): told
 * once, of the first step that comes to it.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_STEP_EFFECTS_H
#define DAEMON_STEP_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "base/arena.h"

struct rule_set;
struct rules_running;
struct preview_steps;

enum step_effect_kind {
    EFFECT_BY,
    EFFECT_EXPECT,
    EFFECT_READS,
    EFFECT_DROP,
    EFFECT_DROP_EXPECT,
    EFFECT_KINDS
};

/* Of one name that the step sets, as "labels.rack". */
struct step_effect {
    const char *name;    /* NULL: of what is dropped */
    const char *through; /* the step that sets it, or drops, by what this one sets; NULL: this one
                            itself */
    enum step_effect_kind kind;
    const char *const *rules; /* ids */
    size_t rule_count;
    uint64_t keys, open; /* that they hold now */
};

struct step_effects {
    struct step_effect *at;
    size_t count;
};

/* Fills the effects of each step that is not unchanged. `set` is what `next` was made of. Rules
 * that are known to hold nothing for them are left out. False: memory is short. */
bool step_effects_find(const struct rules_running *running, const struct rules_running *next,
                       const struct rule_set *set, struct arena *arena,
                       struct preview_steps *steps);

/* May an open incident of the rule close, and open anew, by one of the steps? */
bool step_effects_reopen(const struct preview_steps *steps, const char *rule_id);

/* May one close though its alerts still fire, because one of the steps drops what they say? */
bool step_effects_close(const struct preview_steps *steps, const char *rule_id);

/* A line each. */
void step_effects_print(const struct step_effects *effects, bool is_counted, FILE *to);

/* [{"name","through","in":"by","expect","where, close","drop" or "drop,
 * expect","rules":[..],"keys", "open","meaning"}]; `name` and `through` are null where there are
 * none, numbers where they are not known. New reference. */
json_t *step_effects_json(const struct step_effects *effects, bool is_counted);

#endif
