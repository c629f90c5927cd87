/* value_counts.c - see value_counts.h. */
#include "correlate/value_counts.h"

#include <assert.h>
#include <string.h>

enum { PLACES_MIN = 16 };

/* Where the value is, or the free place where it would be. */
static uint32_t place_of(const struct value_counts *counts, uint64_t hash)
{
    uint32_t mask = counts->room - 1, at = (uint32_t)hash & mask;

    while (counts->places[at].times != 0 && counts->places[at].hash != hash)
        at = (at + 1) & mask;
    return at;
}

static void grow(struct value_counts *counts, struct slab *slab)
{
    struct value_counts larger = {.room = counts->room > 0 ? counts->room * 2 : PLACES_MIN,
                                  .different = counts->different};
    size_t bytes = larger.room * sizeof(*larger.places);

    larger.places = memset(slab_alloc(slab, bytes), 0, bytes);
    for (uint32_t i = 0; i < counts->room; i++)
        if (counts->places[i].times != 0)
            larger.places[place_of(&larger, counts->places[i].hash)] = counts->places[i];
    value_counts_free(counts, slab);
    *counts = larger;
}

struct value_count *value_counts_add(struct value_counts *counts, uint64_t hash, uint32_t entry,
                                     struct slab *slab)
{
    if ((counts->different + 1) * 2 > counts->room)
        grow(counts, slab);
    struct value_count *place = &counts->places[place_of(counts, hash)];
    if (place->times == 0) {
        counts->different++;
        place->hash = hash;
        place->entry = entry;
    }
    place->times++;
    return place;
}

void value_counts_take(struct value_counts *counts, uint64_t hash)
{
    uint32_t mask = counts->room - 1, hole = place_of(counts, hash);

    assert(counts->places[hole].times != 0);
    if (--counts->places[hole].times != 0)
        return;
    counts->different--;
    /* What stands behind moves up where its search would stop at the hole. */
    for (uint32_t i = (hole + 1) & mask; counts->places[i].times != 0; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)counts->places[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            counts->places[hole] = counts->places[i];
            counts->places[i].times = 0;
            hole = i;
        }
    }
}

struct value_count *value_counts_find(const struct value_counts *counts, uint64_t hash)
{
    struct value_count *place = &counts->places[place_of(counts, hash)];

    assert(place->times != 0);
    return place;
}

void value_counts_free(struct value_counts *counts, struct slab *slab)
{
    slab_free(slab, counts->places, counts->room * sizeof(*counts->places));
}
