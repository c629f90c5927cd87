/*
 * hash_table.h - yardstick: what a look-up in a table larger than the caches costs.
 *
 * Slots of 16 bytes (key, count), open addressing, a load of at most one half, keys that are good
 * hashes already. The same keys are looked up in three ways, all of them hits, in an order that has
 * nothing to do with where they lie:
 *
 *   dependent     the next key is known only when the last answer is there: latency of memory
 *   independent   the processor runs ahead as far as it can by itself
 *   ahead         batches of 16, whose lines are fetched before the first of them is looked at
 *
 * Why it is held against: it says how much of a stage's time is waiting for memory, and what
 * fetching ahead can win back at best; a table of ours that is slower than `ahead` has the rest in
 * its own instructions.
 */
#ifndef BENCH_YARDSTICKS_HASH_TABLE_H
#define BENCH_YARDSTICKS_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_table;

enum hash_look { LOOK_DEPENDENT, LOOK_INDEPENDENT, LOOK_AHEAD };

/* A table of so many keys, hash_table_key(0) and so on; key i has the count i + 1. Returns owned,
 * until hash_table_destroy(). */
struct hash_table *hash_table_create(uint32_t keys, bool huge_pages);
void hash_table_destroy(struct hash_table *table);

uint64_t hash_table_key(uint32_t index);

/* Looks the keys up; the sum of their counts. */
uint64_t hash_table_run(const struct hash_table *table, const uint64_t *keys, size_t count,
                        enum hash_look look);

#endif
