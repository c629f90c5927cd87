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
    uint32_t times; /* 0: the place is free */
    uint32_t entry; /* the caller's, of the one that it was added for while there was none */
};

/* All zero: empty. */
struct value_counts {
    struct value_count *places;
    uint32_t room; /* a power of two, or 0 */
    uint32_t different;
};

/* Returns what is known of the value; stands until another is added or taken. */
struct value_count *value_counts_add(struct value_counts *counts, uint64_t hash, uint32_t entry,
                                     struct slab *slab);

/* Takes out one that was added. */
void value_counts_take(struct value_counts *counts, uint64_t hash);

/* One that is there; stands until another is added or taken. */
struct value_count *value_counts_find(const struct value_counts *counts, uint64_t hash);

void value_counts_free(struct value_counts *counts, struct slab *slab);

#endif
