/*
 * plural.h - counted nouns in sentences for people: "1 event", "2 events", "0 events".
 *
 *   printf("%zu test%s", count, plural(count));
 *
 * Thread: any.
 */
#ifndef BASE_PLURAL_H
#define BASE_PLURAL_H

#include <stdint.h>

static inline const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

#endif
