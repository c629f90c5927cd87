/*
 * pattern_lane.h - what one thread needs to scan with vectorscan: its scratch.
 *
 *   thread 1 -> lane 0   [ lock | scratch ]
 *   thread 2 -> lane 1   [ lock |         ]   made at its first scan
 *   ...                  lane 63
 *
 * A set has PATTERN_LANES of them and a thread keeps its number for good; beyond as many threads
 * some share one, and the lock orders what they do to it. It is free otherwise.
 *
 * Memory:  a lane is filled when its thread first scans; where memory is short then, the thread
 *          takes turns with the first lane, which is filled while the set is built.
 */
#ifndef RULES_PATTERN_LANE_H
#define RULES_PATTERN_LANE_H

#include <pthread.h>
#include <stdbool.h>

enum { PATTERN_LANES = 64 };

struct hs_scratch;
struct pattern_database;

struct pattern_lane {
    _Alignas(64) pthread_mutex_t lock;
    struct hs_scratch *scratch; /* NULL until the first scan; of all lanes without databases */
};

/* PATTERN_LANES empty ones. Owner: the caller. NULL when memory is short. */
struct pattern_lane *pattern_lanes_create(void);

/* NULL is allowed. */
void pattern_lanes_destroy(struct pattern_lane *lanes);

/* The first lane is made to serve this database. False when memory is short.
 * Thread: setup. */
bool pattern_lanes_fit(struct pattern_lane *lanes, const struct pattern_database *database);

/* A lane with scratch; its lock is held until pattern_lane_give(). */
struct pattern_lane *pattern_lane_take(struct pattern_lane *lanes);
void pattern_lane_give(struct pattern_lane *lane);

#endif
