/*
 * window_index.h - where a large window has the newest entry of an alert, and the ones before it.
 *
 * A window that holds more than WINDOW_INDEX_LEAST entries gets one when it is first asked for an
 * alert's entry; one that nobody asks has none. Places are those of the ring:
 *
 *   ring      [ a  b  a  .  c  a ]          . is gone
 *   table     a: 5   b: 1   c: 4            the newest of each alert; load at most 1/2
 *   older       0  0  2  .  0  3            how many places before it the next of its alert stands
 *
 * An entry that leaves from the middle stays in its place, marked as gone, so that no other one
 * moves: to take it out costs what finding it does. Who looks for a neighbour of an entry steps
 * over all that are gone side by side at once (window_gone_run()). The entries are moved up, and
 * the index made anew, when more are gone than there are, when the ring has no more room or is much
 * too large: each time as many came or went as are moved, or more.
 *
 *   an entry comes, is found, leaves     amortised O(1)
 *   memory                               12 bytes for each place of the ring, in state_bytes
 *
 * It is in no image, and goes with the ring, or with a ring of less than WINDOW_INDEX_ROOM places.
 *
 * Owner:  one block of the worker's slab; the ring points at it.
 * Thread: the owner of the lane.
 */
#ifndef CORRELATE_WINDOW_INDEX_H
#define CORRELATE_WINDOW_INDEX_H

#include "correlate/window.h"

/* To look at so many takes about as long as to ask the table. */
enum { WINDOW_INDEX_LEAST = 64 };
_Static_assert(WINDOW_INDEX_LEAST * 2 == WINDOW_INDEX_ROOM, "a ring of so many has room for it");

struct window_index {
    uint32_t gone;     /* entries that are */
    uint32_t places[]; /* `older` of each place, then the table: a place plus one, 0 is free */
};

/* Of a ring, which has room for the pointer. */
void window_index_make(struct window *window, struct slab *slab);
void window_index_free(struct window *window, struct slab *slab);

/* Its entries stand elsewhere in the ring, and none is gone. */
void window_index_again(struct window *window);

/* The last entry has come; the entry `i`, which is still whole, is about to leave. */
void window_index_push(struct window *window);
void window_index_leave(struct window *window, uint32_t i);

/* The newest entry of the alert; window->span: it has none. */
uint32_t window_index_find(struct window *window, struct id128 alert);

/* The next older entry of the same alert; window->span: there is none. */
uint32_t window_index_older(struct window *window, uint32_t i);

#endif
