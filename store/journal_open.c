/*
 * journal_open.c - see journal_open.h.
 *
 * What leaves the table gives its place in the list to the last one, and closes the gap in its run
 * of slots, so that neither grows by what came and went.
 */
#include "store/journal_open.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

enum { SLOTS_MIN = 64 };

static size_t home_of(const struct journal_open *open, struct id128 id)
{
    return hash_mix(id.lo ^ id.hi) & (open->slot_count - 1);
}

/* That of the incident, or the free one where it would go. */
static size_t slot_of(const struct journal_open *open, struct id128 id)
{
    size_t slot = home_of(open, id), at;

    while ((at = open->slots[slot]) != 0 && !id128_equal(open->at.at[at - 1]->id, id))
        slot = (slot + 1) & (open->slot_count - 1);
    return slot;
}

static void table_grow(struct journal_open *open)
{
    if (2 * (open->at.count + 1) <= open->slot_count)
        return;
    free(open->slots);
    open->slot_count = open->slot_count > 0 ? 2 * open->slot_count : SLOTS_MIN;
    open->slots = memory_alloc(open->slot_count * sizeof(*open->slots));
    memset(open->slots, 0, open->slot_count * sizeof(*open->slots));
    for (size_t i = 0; i < open->at.count; i++)
        open->slots[slot_of(open, open->at.at[i]->id)] = i + 1;
}

/* Those behind it in its run that may stand there move up. */
static void slot_free(struct journal_open *open, size_t free_slot)
{
    const size_t mask = open->slot_count - 1;

    for (size_t slot = (free_slot + 1) & mask; open->slots[slot] != 0; slot = (slot + 1) & mask) {
        size_t home = home_of(open, open->at.at[open->slots[slot] - 1]->id);
        if (((slot - home) & mask) < ((slot - free_slot) & mask))
            continue;
        open->slots[free_slot] = open->slots[slot];
        free_slot = slot;
    }
    open->slots[free_slot] = 0;
}

static void leave(struct journal_open *open, size_t slot)
{
    size_t place = open->slots[slot] - 1, last = open->at.count - 1;
    struct incident *gone = open->at.at[place];

    slot_free(open, slot);
    if (place != last) {
        open->slots[slot_of(open, open->at.at[last]->id)] = place + 1;
        open->at.at[place] = open->at.at[last];
    }
    open->at.count--;
    incident_unref(gone);
}

bool journal_open_take(struct journal_open *open, struct incident *change)
{
    table_grow(open);
    size_t slot = slot_of(open, change->id), at = open->slots[slot];

    if (incident_is_over(change)) {
        if (at != 0)
            leave(open, slot);
        return at != 0;
    }
    if (at == 0) {
        vector_add(&open->at) = incident_ref(change);
        open->slots[slot] = open->at.count;
        return true;
    }
    incident_ref(change);
    incident_unref(open->at.at[at - 1]);
    open->at.at[at - 1] = change;
    return true;
}

void journal_open_release(struct journal_open *open)
{
    for (size_t i = 0; i < open->at.count; i++)
        incident_unref(open->at.at[i]);
    free(open->at.at);
    free(open->slots);
    *open = (struct journal_open){.slots = NULL};
}
