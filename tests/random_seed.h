/*
 * random_seed.h - where the random part of a test begins.
 *
 * The same in each plain run, so that a change is judged by what it changes and not by a draw: what
 * a new draw finds is found by `./dev test --long`, which sets TOCSIN_FRESH_SEEDS, and stays as a
 * case of its own. The seed is printed; the variable that it is printed as sets it for one run.
 */
#ifndef TESTS_RANDOM_SEED_H
#define TESTS_RANDOM_SEED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"

static inline uint64_t random_seed(const char *variable)
{
    const char *given = getenv(variable);
    uint64_t seed = 20261123;

    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    else if (getenv("TOCSIN_FRESH_SEEDS") != NULL)
        seed = host_mono_ns();
    printf("%s=%llu\n", variable, (unsigned long long)seed);
    return seed;
}

#endif
