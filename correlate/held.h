/*
 * held.h - the open incidents, as the incident stage remembers them.
 *
 * Found by id; one entry from the line that opens an incident to the one that closes
 * it or says that its key is gone. So there are never more than keys with an open
 * incident, which max_keys bounds.
 *
 * Owner:  the incident role.
 */
#ifndef CORRELATE_HELD_H
#define CORRELATE_HELD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/incident.h"
#include "base/slab.h"

struct mute_link;
struct mute_tally;

struct held {
    struct incident *latest; /* as it was logged last; owned reference */
    uint64_t order;          /* of openings */
    struct mute_link *links; /* to all mutes that match */
    uint32_t muting;         /* how many of them mute it now */
    uint32_t shift;          /* changes that this stage added: what numbers are ahead by */
    uint32_t op_count;       /* made for each sink that takes it */
    bool is_told;            /* its `open` op was made */
    bool is_behind;          /* told, and an update was withheld since */
    bool is_muted;           /* as it was counted and told last */
    bool is_marked;          /* in the list of those for which that may have changed */
    uint8_t suppressed_by;   /* 1 + enum mute_kind while nobody was told that it opened, else 0 */
    /* While rules are switched: what muted it before. */
    struct mute_tally **before;
    uint32_t before_count;
};

struct held_table {
    struct held **slots; /* open addressing, load <= 1/2; NULL: free */
    uint32_t mask, count;
};

void held_table_init(struct held_table *table);
void held_table_release(struct held_table *table); /* not what it holds */

/* NULL: none. */
struct held *held_find(const struct held_table *table, struct id128 id);
void held_add(struct held_table *table, struct held *held);
void held_remove(struct held_table *table, struct id128 id);

#endif
