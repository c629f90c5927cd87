/*
 * import_index.h - names to things, for files with thousands of rules.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_IMPORT_INDEX_H
#define DAEMON_IMPORT_INDEX_H

#include <stddef.h>
#include "base/event.h"

struct import_index {
    struct import_index_slot *slots;
    size_t count, room; /* room is 0 or a power of two */
};

/* The place of a name's value, NULL at first. It is good until the next call for another name.
 * Borrows the name for as long as the index lives. */
void **import_index_at(struct import_index *index, struct text name);

/* The first names that have a value, at most `max`, in no order. Returns how many. */
size_t import_index_names(const struct import_index *index, struct text *names, size_t max);

void import_index_release(struct import_index *index);

#endif
