/*
 * dice.h - random numbers that a seed decides. Each story has dice of its own, so that one more
 * throw in one of them does not change the others.
 */
#ifndef TESTS_SIM_DICE_H
#define TESTS_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/hash.h"

struct dice {
    uint64_t state;
};

static inline struct dice dice_of(uint64_t seed, uint64_t story)
{
    return (struct dice){hash_mix(seed * 0x9e3779b97f4a7c15u + story)};
}

static inline uint64_t dice_throw(struct dice *dice)
{
    dice->state += 0x9e3779b97f4a7c15u;
    return hash_mix(dice->state);
}

/* 0 .. below - 1 */
static inline uint64_t dice_below(struct dice *dice, uint64_t below)
{
    return dice_throw(dice) % below;
}

/* from .. to */
static inline uint64_t dice_between(struct dice *dice, uint64_t from, uint64_t to)
{
    return from + dice_below(dice, to - from + 1);
}

static inline bool dice_percent(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

#endif
