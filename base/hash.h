/*
 * hash.h - the two hashes of tocsin, both XXH3.
 *
 * Seeded hashes are identities inside the process (alerts, rule keys): whoever
 * does not know the seed cannot make keys collide. Hashes with seed 0 are public
 * ids (incidents, ops). Source: xxHash 0.8, XXH3_64bits / XXH3_128bits.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/event.h"

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

static inline struct id128 hash128(const void *data, size_t bytes, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(data, bytes, seed);
    return (struct id128){hash.high64, hash.low64};
}

static inline uint64_t hash64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

/* Finalizer of MurmurHash3: spreads a small number over 64 bits. */
static inline uint64_t hash_mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

#endif
