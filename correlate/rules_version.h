/*
 * rules_version.h - a rule set in force, with stable slots for its rules.
 *
 * A slot is the number under which lanes remember a rule. Over a switch a rule
 * whose form is unchanged keeps its slot, so windows and incidents carry on;
 * every other rule gets a fresh one, and slots of gone rules drain (X5). A slot that
 * nothing holds any more is free, and a later version may use its number again
 * (correlate/rules_retire.h).
 *
 * Forms of one rule whose keys can be compared are a family: the same id and `by`, and both of
 * absence or neither. A key is found by its family and values, and says itself whose slot it has,
 * so of all forms of a family one at a time holds it (correlate/key_holder.c).
 *
 * Owner:  the engine; a version goes when no step under way knows it, a rule set
 *         when no slot and no open incident points into it.
 * Thread: built by the sequencer role, read by all.
 */
#ifndef CORRELATE_RULES_VERSION_H
#define CORRELATE_RULES_VERSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "correlate/terms.h"
#include "rules/enrich.h"
#include "rules/rule_set.h"

/* Per rule and worker: one writer each, read relaxed. */
struct rule_tally {
    _Alignas(64) _Atomic uint64_t touches;
    _Atomic uint64_t opened, closed, keys, evicted, expired, pending;
    uint64_t listed; /* digest of the list of keys that the worker has gone by; it alone */
};

/* Of one mute, by its kind and id: incidents that it mutes now, and that it ever began to. One
 * writer, the incident role; read relaxed. */
struct mute_tally {
    _Atomic uint64_t now, total;
    uint32_t versions; /* that have the mute; who makes and ends versions */
};

/* What earlier forms of a rule have counted whose slots are free by now. */
struct rule_counts {
    uint64_t touches, opened, closed, evicted, expired;
};

struct rule_slot {
    const struct rule *rule;  /* NULL: the slot is free */
    struct rule_tally *tally; /* one per worker; shared by all versions that have the slot */
    uint32_t order;   /* among all slots of the version, by (rule id, since): merges touches */
    uint32_t since;   /* generation of the version that has it first: places are used again */
    uint32_t family;  /* below slot_count; used again once no slot has it */
    bool is_told : 1; /* what happens to its incidents is told to composites of the set */
    bool current : 1; /* false: drains, gets no new touches but for open incidents */
    /* Of the rule, for those who want no more of it: ten thousand rules are in no cache. */
    bool has_steps : 1;
    bool is_listed : 1;
    uint8_t input; /* enum rule_input */
};
_Static_assert(sizeof(struct rule_slot) == 32, "two to a cache line");

/* What the steps of the set's enrichment have done since it took effect: a row of each worker. */
struct enrich_counts {
    uint32_t versions;         /* that have it; who makes and ends versions */
    size_t stride;             /* of a row, in tallies */
    struct enrich_tally *rows; /* one writer each */
};

struct rules_version {
    struct rule_set *set;
    uint32_t generation;    /* 1, 2, ... */
    uint32_t rule_count;    /* of the set */
    uint32_t slot_count;    /* free ones too */
    uint32_t drain_count;   /* slots that are neither current nor free */
    uint32_t members_least; /* smallest max_members of a rule with windows; of all slots */
    uint32_t *slot_of;      /* rule index -> slot */
    uint32_t *family_of;    /* rule index -> the slot's family */
    uint8_t *input_of;      /* rule index -> enum rule_input, where all of them stay near */
    struct rule_slot *slots;
    struct rule_counts *earlier; /* by slot; of current ones */
    struct mute_tally **mutes;   /* by the set's index; shared by all versions that have the mute */
    uint32_t mute_count;
    int64_t from_ms;           /* when it took effect; INT64_MIN: from the beginning (S) */
    struct engine_terms terms; /* that go with the set */
    int64_t terms_from_ms;     /* since when they are what they are; INT64_MIN as above */
    bool reads_message, takes_all, takes_flapping;
    bool takes_incidents;
    bool lists_keys;                 /* of some rule that expects */
    const struct enrich_set *enrich; /* of the set; NULL: events are as they were sent */
    uint32_t drop_reach;             /* its steps that every event is run through */
    struct enrich_counts *enrich_counts;
};

/* The worker's row, by step. Only where there are steps. */
static inline struct enrich_tally *rules_version_tally(const struct rules_version *version,
                                                       unsigned worker)
{
    return version->enrich_counts->rows + worker * version->enrich_counts->stride;
}

/* Errors: ends the process when memory is short. `older` is NULL for the first.
 * Takes `set`. */
struct rules_version *rules_version_create(struct rule_set *set, const struct engine_terms *terms,
                                           struct rules_version *older, unsigned worker_count);

/* What is kept of a slot from one run to the next. */
struct rule_slot_kept {
    const struct rule *rule; /* NULL: it is free */
    bool is_current;
    uint32_t since, family;
};

/* False where one of `count` slots has a family that it cannot have. */
bool rules_version_families_fit(const struct rule_slot_kept *kept, uint32_t count);

/* One of a run before, of these slots; current ones are of `set`, all of whose rules are there
 * once. Counters are zero. */
struct rules_version *rules_version_restore(struct rule_set *set, const struct engine_terms *terms,
                                            const struct rule_slot_kept *kept, uint32_t slot_count,
                                            uint32_t generation, unsigned worker_count);

/* The slot in force of the same family, itself where it is; UINT32_MAX: the rule is gone, or keys
 * of the one in force are no such keys. */
uint32_t rules_version_heir(const struct rules_version *version, uint32_t slot);

/* The same version without the slots that are marked; their tallies are left to the caller. */
struct rules_version *rules_version_trim(const struct rules_version *version, const bool *is_dead,
                                         unsigned worker_count);

/* Frees the version; its set, and the tallies that another version has too, stay. */
void rules_version_drop(struct rules_version *version);

/* Frees the version with the tallies of its slots, but not its set. */
void rules_version_destroy(struct rules_version *version);

#endif
