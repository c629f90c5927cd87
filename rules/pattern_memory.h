/*
 * pattern_memory.h - which regular expressions of a set were refused, for who asks again and again
 * of fewer rules each time (daemon/import.c): those that were taken need not be looked at again.
 *
 * A pattern that several rules share is refused at the first of them; when that is gone it is found
 * at the next one, and has to be refused there for the same reason: so what those before it have
 * cost is remembered as well.
 *
 * Thread: one at a time.
 */
#ifndef RULES_PATTERN_MEMORY_H
#define RULES_PATTERN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/hash.h"
#include "rules/load_work.h"

/* Zeros: nothing was looked at yet. */
struct pattern_memory {
    bool is_filled;
    uint64_t cost, positions_cost, failed_cost, column_cost; /* of struct pattern_choosing */
    struct load_work work;                                   /* of the rest of the set */
    uint32_t count;
    struct id128 *refused; /* ascending, by the patterns' texts; owned */
};

static inline void pattern_memory_release(struct pattern_memory *memory)
{
    free(memory->refused);
}

#endif
