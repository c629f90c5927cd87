/* held.c - see held.h. */
#include "correlate/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

static void slots_make(struct held_table *table, uint32_t count)
{
    table->slots = memory_alloc(count * sizeof(struct held *));
    memset(table->slots, 0, count * sizeof(struct held *));
    table->mask = count - 1;
}

void held_table_init(struct held_table *table)
{
    slots_make(table, SLOTS_MIN);
    table->count = 0;
}

void held_table_release(struct held_table *table)
{
    free(table->slots);
    table->slots = NULL;
}

/* The slot of the id, or the free one where it belongs. An id is a hash already. */
static uint32_t slot_of(const struct held_table *table, struct id128 id)
{
    uint32_t i = (uint32_t)id.lo & table->mask;

    while (table->slots[i] != NULL && !id128_equal(table->slots[i]->latest->id, id))
        i = (i + 1) & table->mask;
    return i;
}

struct held *held_find(const struct held_table *table, struct id128 id)
{
    return table->slots[slot_of(table, id)];
}

void held_add(struct held_table *table, struct held *held)
{
    if (2 * (table->count + 1) > table->mask + 1) {
        struct held_table old = *table;
        slots_make(table, (old.mask + 1) * 2);
        for (uint32_t i = 0; i <= old.mask; i++)
            if (old.slots[i] != NULL)
                table->slots[slot_of(table, old.slots[i]->latest->id)] = old.slots[i];
        free(old.slots);
    }
    uint32_t i = slot_of(table, held->latest->id);
    assert(table->slots[i] == NULL); /* an id is opened once */
    table->slots[i] = held;
    table->count++;
}

void held_remove(struct held_table *table, struct id128 id)
{
    uint32_t hole = slot_of(table, id);

    assert(table->slots[hole] != NULL);
    table->slots[hole] = NULL;
    table->count--;
    /* What was put behind the hole because its own place was taken moves up. */
    for (uint32_t i = (hole + 1) & table->mask; table->slots[i] != NULL;
         i = (i + 1) & table->mask) {
        uint32_t home = (uint32_t)table->slots[i]->latest->id.lo & table->mask;
        if (((i - home) & table->mask) < ((i - hole) & table->mask))
            continue;
        table->slots[hole] = table->slots[i];
        table->slots[i] = NULL;
        hole = i;
    }
}
