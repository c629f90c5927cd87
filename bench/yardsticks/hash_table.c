/* hash_table.c - see hash_table.h. */
#include "bench/yardsticks/hash_table.h"

#include <stdlib.h>
#include "base/hash.h"
#include "bench/yardsticks/pages.h"

enum { BATCH = 16 };

struct slot {
    uint64_t key, count;
};

struct hash_table {
    struct slot *slots;
    uint64_t mask;
};

uint64_t hash_table_key(uint32_t index)
{
    return hash_mix((uint64_t)index + 1) | 1;
}

static inline struct slot *find(const struct hash_table *table, uint64_t key)
{
    uint64_t at = key >> 1 & table->mask; /* the lowest bit is the same in all keys */

    while (table->slots[at].key != 0 && table->slots[at].key != key)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

struct hash_table *hash_table_create(uint32_t keys, bool huge_pages)
{
    struct hash_table *table = calloc(1, sizeof(*table));
    uint64_t room = 16;

    if (table == NULL)
        abort();
    while (room < 2 * (uint64_t)keys)
        room *= 2;
    table->slots = pages_map(room * sizeof(struct slot), huge_pages);
    table->mask = room - 1;
    for (uint32_t i = 0; i < keys; i++)
        *find(table, hash_table_key(i)) = (struct slot){hash_table_key(i), (uint64_t)i + 1};
    return table;
}

void hash_table_destroy(struct hash_table *table)
{
    pages_unmap(table->slots, (table->mask + 1) * sizeof(struct slot));
    free(table);
}

static uint64_t run_dependent(const struct hash_table *table, const uint64_t *keys, size_t count)
{
    uint64_t sum = 0, nothing = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t got = find(table, keys[i] + nothing)->count;
        sum += got;
        nothing = got >> 63; /* it is 0, which the processor cannot know before */
    }
    return sum;
}

static uint64_t run_independent(const struct hash_table *table, const uint64_t *keys, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += find(table, keys[i])->count;
    return sum;
}

static uint64_t run_ahead(const struct hash_table *table, const uint64_t *keys, size_t count)
{
    uint64_t sum = 0;

    for (size_t from = 0; from < count; from += BATCH) {
        size_t to = from + BATCH < count ? from + BATCH : count;
        for (size_t i = from; i < to; i++)
            __builtin_prefetch(&table->slots[keys[i] >> 1 & table->mask]);
        for (size_t i = from; i < to; i++)
            sum += find(table, keys[i])->count;
    }
    return sum;
}

uint64_t hash_table_run(const struct hash_table *table, const uint64_t *keys, size_t count,
                        enum hash_look look)
{
    return look == LOOK_DEPENDENT     ? run_dependent(table, keys, count)
           : look == LOOK_INDEPENDENT ? run_independent(table, keys, count)
                                      : run_ahead(table, keys, count);
}
