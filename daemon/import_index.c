/* import_index.c - open addressing, at most half full. See import_index.h. */
#include "daemon/import_index.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/slab.h"

struct import_index_slot {
    struct text name; /* at NULL: free */
    void *value;
};

static struct import_index_slot *slot_find(const struct import_index *index, struct text name)
{
    size_t at = (size_t)hash128(name.at, name.len, 0).lo;

    for (;; at++) {
        struct import_index_slot *slot = &index->slots[at & (index->room - 1)];
        if (slot->name.at == NULL ||
            (slot->name.len == name.len && memcmp(slot->name.at, name.at, name.len) == 0))
            return slot;
    }
}

static void grow(struct import_index *index)
{
    struct import_index old = *index;

    index->room = old.room > 0 ? old.room * 2 : 64;
    index->slots = memory_alloc(index->room * sizeof(index->slots[0]));
    memset(index->slots, 0, index->room * sizeof(index->slots[0]));
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i].name.at != NULL)
            *slot_find(index, old.slots[i].name) = old.slots[i];
    free(old.slots);
}

void **import_index_at(struct import_index *index, struct text name)
{
    struct import_index_slot *slot;

    if ((index->count + 1) * 2 > index->room)
        grow(index);
    slot = slot_find(index, name);
    if (slot->name.at == NULL) {
        slot->name = name;
        index->count++;
    }
    return &slot->value;
}

size_t import_index_names(const struct import_index *index, struct text *names, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < index->room && count < max; i++)
        if (index->slots[i].name.at != NULL && index->slots[i].value != NULL)
            names[count++] = index->slots[i].name;
    return count;
}

void import_index_release(struct import_index *index)
{
    free(index->slots);
    *index = (struct import_index){NULL, 0, 0};
}
