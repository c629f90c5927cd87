/*
 * scenario.h - what a seed stands for: rules and sinks, events in partitions, and the lives in
 * which they are worked off.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/wire.h"
#include "sim/world.h"

enum scenario_sink { SINK_HOOK, SINK_PAGER, SINK_SNOW, SINK_ZEN, SCENARIO_SINKS };

/* What is done over the admin interface. */
struct people_plan {
    uint64_t every_ns; /* on the average; 0: nothing is done */
    bool has_pushes;
    unsigned reloads, silences; /* of 100 acts */
    unsigned by_hand;           /* of 100 of the others: acknowledgements and closes */
};

struct scenario {
    uint64_t seed;
    unsigned events; /* at least */
    bool is_orderly; /* nothing comes later than it may, so no seal should show */
    bool has_sink[SCENARIO_SINKS];
    unsigned disorder_ms, rate_per_minute, ops_max;
    uint64_t lag_ns; /* of look-ups */
    struct wire_plan wire;
    struct people_plan people;
    char rules[WORLD_CONFIG_BYTES], other_rules[WORLD_CONFIG_BYTES];
    bool is_switched;  /* rules change, or mutes */
    bool has_acts;     /* what people say of incidents is in what is told */
    bool has_refusals; /* ops are refused for good, and sent again by hand in the end */
    bool has_outage;
    bool has_history;
    bool has_redis;  /* the journal is mirrored there */
    bool is_shared;  /* lives are on either of two machines */
    bool is_pair;    /* and at once (pair.h): the last life of each machine has no end of its own */
    bool has_images; /* of such: snapshots are made, and whoever takes over begins with them */
    bool is_frozen;  /* some of them are, for a while */
    struct world_apart apart[WORLD_APARTS];
    bool has_redis_faults;
    struct world_redis redis;
    unsigned lease_ms;
    bool is_set_back; /* the wall clock steps back: what was put off may be put off for an hour */
    bool is_ahead; /* the wall clock of some life is, by far: what is pushed waits for its time */
    unsigned life_count;
    struct life_plan life[WORLD_LIVES_MAX];
    struct life_plan again; /* one more, which only goes through all again */
    uint64_t end_ns;        /* until then nothing more can come of the records */
};

/* Fills the records of the world too. */
void scenario_make(struct scenario *scenario, uint64_t seed, unsigned events);

/* A life in which nothing happens. */
struct life_plan scenario_quiet_life(void);

/* The configuration file of a life. */
void scenario_config(const struct scenario *scenario, const struct life_plan *life,
                     char to[WORLD_CONFIG_BYTES]);

/* A few lines for people. */
void scenario_tell(const struct scenario *scenario);

#endif
