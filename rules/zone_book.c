/* zone_book.c - see zone_book.h. */
#include "rules/zone_book.h"

#include "base/hash.h"
#include "base/text.h"

struct zone_entry {
    struct text name;
    const struct zone *zone;
    struct zone_entry *next;
};

const struct zone *zone_book_load(struct zone_book *book, struct text name, struct arena *arena,
                                  struct error *err)
{
    struct zone_entry **slot = &book->slot[hash64(name.at, name.len, 0) % ZONE_BOOK_SLOTS];
    struct zone_entry *entry = *slot;

    while (entry != NULL && !texts_equal(entry->name, name))
        entry = entry->next;
    if (entry != NULL)
        return entry->zone;
    if (book->refused == ZONE_BOOK_REFUSED_MAX) {
        error_set(err,
                  "this time zone was not looked up: %d others before it could not be used either",
                  ZONE_BOOK_REFUSED_MAX);
        return NULL;
    }
    const struct zone *zone = zone_load(name, arena, err);
    if (zone == NULL) {
        book->refused++;
        return NULL;
    }
    entry = arena_alloc(arena, sizeof(*entry));
    if (entry == NULL)
        return zone; /* read again the next time */
    *entry = (struct zone_entry){{arena_copy(arena, name.at, name.len), name.len}, zone, *slot};
    if (entry->name.at != NULL)
        *slot = entry;
    return zone;
}
