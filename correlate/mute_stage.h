/*
 * mute_stage.h - decides for each change of an incident whether it is told.
 *
 *   change --> mute_stage --> the change, with `muted_by` while muted --> incident log
 *                             its op, or none                         --> sinks
 *                             and incidents that came free by it
 *
 * An incident is linked with every mute of the set that matches it. A silence or a
 * maintenance window has one list of links, and mutes all of it while it is in force. An
 * inhibition has a group of lists for each combination of equal values that occurs:
 * those that are only its sources, only its targets, or both. So what a change costs is the
 * mutes that are asked whether they match, and those incidents that it mutes or frees:
 * never all that are open.
 *
 * Time is effective time, as changes have it. Mutes begin and end at whole milliseconds
 * t: after the round end at t and a switch at t, before timers and events of t. Exact rules:
 * docs/correlation.md, section 5.
 *
 * Thread: the incident role.
 */
#ifndef CORRELATE_MUTE_STAGE_H
#define CORRELATE_MUTE_STAGE_H

#include "base/vector.h"
#include "correlate/held.h"
#include "correlate/rules_version.h"
#include "correlate/touch.h"
#include "rules/mute.h"

/* What is to be told next: a line of the incident log, and an op for each sink or none. */
struct telling {
    struct incident *incident; /* owned reference */
    bool has_op;
    uint8_t op_kind;    /* enum op_kind */
    uint32_t op_number; /* of this incident, from 1 */
};

/* Sums; the incident role's own. */
struct mute_counts {
    uint64_t begun, ended; /* incidents that became muted, and that are not any more */
    uint64_t withheld;     /* changes of which nobody was told */
    uint64_t added;        /* changes that the stage made itself */
    /* Of incidents that opened: those of whose opening sinks are told, and the others by the first
     * mute that kept it from them. One that is told at last moves: `suppressed` may be minus one,
     * modulo 2^64. */
    uint64_t announced, suppressed[MUTE_KIND_COUNT];
};

struct mute_list {
    struct mute_link *first, *last;
};

/* A mute in force, with its incidents. */
struct mute_place {
    const struct mute *mute;
    struct mute_tally *tally;
    /* Silence, maintenance: valid while `list` holds something, looked up anew otherwise. */
    struct mute_list list;
    bool is_open;
    int64_t until_ms;
};

struct image_in; /* correlate/image.h */
struct image_out;
struct mute_group;

struct mute_stage {
    uint64_t seed;
    struct slab *slab;
    const struct rules_version *version;
    struct mute_place *places;
    uint32_t place_count;
    struct held_table held;
    uint64_t next_order;
    struct mute_group **groups; /* of inhibitions, by hash; chains */
    uint32_t group_mask, group_count;
    int64_t due_ms;                 /* when a mute with incidents begins or ends next */
    VECTOR_OF(struct held *) moved; /* whose muting began or ended in what is under way */
    uint64_t next_link;
    VECTOR_OF(struct telling) out; /* in order; emptied by whoever tells */
    struct mute_counts counts;
};

void mute_stage_init(struct mute_stage *stage, uint64_t seed, struct slab *slab);
void mute_stage_release(struct mute_stage *stage);

/* Another rule set is in force from `at_ms` on. */
void mute_stage_switch(struct mute_stage *stage, const struct rules_version *version,
                       int64_t at_ms);

/* Into an image between two steps, and out of it: the stage was made ready for the same set, and
 * everything before `now_ms` has been told. Lists are made anew, in the order in which their links
 * were made. */
void mute_stage_save(const struct mute_stage *stage, struct image_out *out);
void mute_stage_load(struct mute_stage *stage, int64_t now_ms, struct image_in *in);

/* All that begins or ends at or before `at_ms`. */
void mute_stage_advance(struct mute_stage *stage, int64_t at_ms);

/* One change, in order; takes the reference. `by_hand` is the act that made it (base/act.h), or
 * NULL. */
void mute_stage_change(struct mute_stage *stage, const struct order *order,
                       struct incident *incident, const struct event_text *by_hand);

/* Somebody takes the incident on: a change of its own. False where no such incident is held. */
bool mute_stage_acknowledge(struct mute_stage *stage, const struct order *order, struct id128 id,
                            const struct event_text *by_hand);

#endif
