/*
 * key_sort.h - puts keys in the order in which a bound takes them: by (last touch, words).
 *
 * In a storm twenty keys and more come in one millisecond, whose words begin alike: a tenant, and
 * names that are numbered. Where the keys of one time begin to differ is worked out once for all of
 * them, and the eight bytes from there on decide nearly always.
 *
 * Thread: any.
 */
#ifndef CORRELATE_KEY_SORT_H
#define CORRELATE_KEY_SORT_H

#include "correlate/key.h"

/* All watch, or all have an open incident. Writes their `begin`. */
void key_sort(struct key_candidate *at, size_t count);

#endif
