/*
 * nearest.h - "did you mean": the known name closest to a mistyped one.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>
#include "base/event.h"

/* The candidate with the smallest edit distance (insert, drop, change, swap of
 * neighbours, each 1) to `name`, ignoring case; NULL when none is within a third
 * of the name's length (at least 1) and none begins with it (three letters and more: WARN of
 * WARNING). The first of equals.
 * Nothing is near to a single letter.
 * Source: optimal string alignment distance. */
const char *nearest_name(struct text name, const char *const *candidates, size_t count);

enum { NEAREST_HINT_BYTES = 96 };

/* The end of a sentence that says what is not there: `; did you mean "WARNING"?`, empty when no
 * name is near. Returns `hint`. */
const char *nearest_hint(struct text name, const char *const *candidates, size_t count,
                         char hint[NEAREST_HINT_BYTES]);

#endif
