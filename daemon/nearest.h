/*
 * nearest.h - what the writer of an unknown name probably meant.
 */
#ifndef DAEMON_NEAREST_H
#define DAEMON_NEAREST_H

#include <stddef.h>

/* One search: nearest_offer() each allowed name, then read `name`. */
struct nearest {
    const char *wanted;
    const char *name;  /* the best so far, NULL while none is near enough */
    unsigned distance; /* its number of edits */
};

void nearest_init(struct nearest *nearest, const char *wanted);

/* Near enough is at most two edits (insert, remove, replace, swap neighbours), and
 * at most a third of the longer name. The first of equals stays. */
void nearest_offer(struct nearest *nearest, const char *name);

#endif
