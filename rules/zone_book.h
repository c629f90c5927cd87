/*
 * zone_book.h - the time zones of one load, each read once.
 *
 *   50,000 times Europe/Zurich --> one look into the tz database
 *
 * A set of rules may name a zone in each interval of each calendar. What was read is remembered by
 * its name; names that are none are looked up ZONE_BOOK_REFUSED_MAX times and no more, since a set
 * with one of them is refused anyway.
 *
 * Thread: one load, one thread. What it gave out lives in the arena.
 */
#ifndef RULES_ZONE_BOOK_H
#define RULES_ZONE_BOOK_H

#include "rules/zone.h"

enum { ZONE_BOOK_REFUSED_MAX = 256, ZONE_BOOK_SLOTS = 256 };

struct zone_entry;

/* All zero is an empty book. */
struct zone_book {
    struct zone_entry *slot[ZONE_BOOK_SLOTS]; /* by the hash of the name, each a list */
    uint32_t refused;                         /* names that were looked up in vain */
};

/* As zone_load(), from the book where the name is in it. All calls with one book name one arena.
 * Errors: NULL, with a sentence in *err. */
const struct zone *zone_book_load(struct zone_book *book, struct text name, struct arena *arena,
                                  struct error *err);

#endif
