/*
 * value_counts.h - how many different values there are, as some come and others go: a table from
 * a value's hash to how often it is there. Open addressing, load at most 1/2.
 *
 * Owner:  the table is one block of the worker's slab, which grows by doubling.
 * Thread: the owner of the slab.
 */
#ifndef CORRELATE_VALUE_COUNTS_H
#define CORRELATE_VALUE_COUNTS_H

#include <stdint.h>
#include "base/slab.h"

struct value_count {
    uint64_t hash;
    uint64_t times; /* 0: the place is free */
};

/* All zero: empty. */
struct value_counts {
    struct value_count *places;
    uint32_t room; /* a power of two, or 0 */
    uint32_t different;
};

void value_counts_add(struct value_counts *counts, uint64_t hash, struct slab *slab);

/* Takes out one that was added. */
void value_counts_take(struct value_counts *counts, uint64_t hash);

/* How often it is there. */
uint64_t value_counts_times(const struct value_counts *counts, uint64_t hash);

void value_counts_free(struct value_counts *counts, struct slab *slab);

#endif
