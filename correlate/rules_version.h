/*
 * rules_version.h - a rule set in force, with stable slots for its rules.
 *
 * A slot is the number under which lanes remember a rule. Over a switch a rule
 * whose form is unchanged keeps its slot, so windows and incidents carry on;
 * every other rule gets a fresh one, and slots of gone rules drain (X5).
 *
 * Owner:  the engine keeps every version until it is destroyed: keys of old
 *         rules point into them.
 * Thread: built by the sequencer role, read by all.
 */
#ifndef CORRELATE_RULES_VERSION_H
#define CORRELATE_RULES_VERSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "rules/rule_set.h"

/* Per rule and worker: one writer each, read relaxed. */
struct rule_tally {
    _Alignas(64) _Atomic uint64_t touches;
    _Atomic uint64_t opened, closed, keys, evicted, expired, pending;
};

/* Of one mute, by its kind and id: incidents that it mutes now, and that it ever began to. One
 * writer, the incident role; read relaxed. */
struct mute_tally {
    _Atomic uint64_t now, total;
    uint32_t versions; /* that have the mute; who makes and ends versions */
};

struct rule_slot {
    const struct rule *rule;
    struct rule_tally *tally; /* one per worker; shared by all versions that have the slot */
    uint32_t order; /* among all slots of the version, by (rule id, slot): merges touches */
    bool current;   /* false: drains, gets no new touches but for open incidents */
};

struct rules_version {
    struct rule_set *set;
    struct rules_version *older;
    uint32_t generation; /* 1, 2, ... */
    uint32_t rule_count; /* of the set */
    uint32_t slot_count; /* of this and all earlier versions */
    uint32_t *slot_of;   /* rule index -> slot */
    struct rule_slot *slots;
    struct mute_tally **mutes; /* by the set's index; shared by all versions that have the mute */
    uint32_t mute_count;
    int64_t from_ms; /* when it took effect; INT64_MIN: from the beginning (S) */
    bool reads_message, takes_all;
};

/* Errors: ends the process when memory is short. `older` is NULL for the first.
 * Takes `set`. */
struct rules_version *rules_version_create(struct rule_set *set, struct rules_version *older,
                                           unsigned worker_count);

/* Frees the version and all older ones; the very first set is left to its owner. */
void rules_version_destroy(struct rules_version *version);

#endif
