/*
 * rules_running.h - the rules and mutes that are in force, as far as a reload changes them: what
 * GET /rules answers, `tocsin check --against` reads, and rules_preview.h compares with.
 *
 *   a set  --rules_running_of_set()--> what it says, without counts
 *          --rules_running_count()--->  with what the engine holds; forms that drain are added
 *          --rules_running_json()---->  GET /rules, and back by rules_running_read()
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_RULES_RUNNING_H
#define DAEMON_RULES_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "base/arena.h"
#include "base/error.h"
#include "correlate/engine.h"
#include "daemon/enrich_steps.h"
#include "daemon/list_effects.h"
#include "daemon/shape_change.h"
#include "rules/rule_set.h"

struct running_rule {
    struct engine_rule_counters held;   /* `current`: of the newest set */
    const struct rule_setting *setting; /* SETTING_COUNT of them; NULL: not known (it drains) */
    struct shape shape;                 /* of its form; of what drains, where it holds something */
    struct key_list list;               /* what it waits for, of the newest set */
};

/* A silence, maintenance window or inhibition. */
struct running_mute {
    const char *kind;
    const char *id;
    struct id128 digest; /* of what it does */
    struct shape shape;
    uint64_t incidents; /* that it mutes now */
};

struct rules_running {
    struct running_rule *rules; /* those of one set by id */
    size_t count;
    struct running_mute *mutes;
    size_t mute_count;
    struct running_steps steps;
    bool is_counted;     /* what is held is known */
    int64_t alerts;      /* that are held; -1: not known */
    int64_t flapping;    /* of these, likewise */
    struct arena *arena; /* its texts, those that are not of what it was made from */
};

/* All of these fill `out`, which is to be released, or fail with a sentence: -ENOMEM; of reading
 * -EINVAL, too. */
int rules_running_of_set(const struct rule_set *set, struct rules_running *out, struct error *err);

/* `loaded` is of the newest set, which the engine may not have taken yet, and outlives `out`. */
int rules_running_count(const struct rules_running *loaded, const struct engine *engine,
                        struct rules_running *out, struct error *err);
int rules_running_read(const char *text, struct rules_running *out, struct error *err);

/* {"version":..,"rules":[{"rule","form","key_kind","current","keys","open",
 * "settings":{name:[text,digest]},"shape":{key:text},"listed":[[tenant,value,..]]}],
 * "alerts":n,"flapping":n,"mutes":[{"kind","id","digest","shape","incidents"}],
 * "enrich":[{"step","digest","shape","means","sets","applied","errors"}]}.
 * `listed` only where the rule lists keys and they are kept (daemon/list_effects.h).
 * New reference; NULL when memory is short. */
json_t *rules_running_json(const struct rules_running *running);

void rules_running_release(struct rules_running *running);

#endif
