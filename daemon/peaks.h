/*
 * peaks.h - an array of numbers that tells the largest of any stretch, and the next one up or down
 * from a place that is at least so large, without looking at all between.
 *
 *   level 1   [        9        ][        7        ] ...     the largest of each eight below
 *   level 0   [ 3 9 1 0 4 2 2 8 ][ 7 0 1 5 5 2 6 1 ] ...     the numbers
 *
 * A search skips each block whose largest is too small. Cost: about 8 looks for each level, of
 * which there are log8 of the count. Memory: 8 bytes for each number and a seventh more.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_PEAKS_H
#define DAEMON_PEAKS_H

#include <stddef.h>
#include <stdint.h>

enum { PEAKS_LEVELS = 11 }; /* 8^11 numbers */

struct peaks {
    int64_t *level[PEAKS_LEVELS];
    size_t count;
    int levels;
};

/* Room for `count` numbers, in level[0], which the caller fills before peaks_build(). Owner: the
 * caller, until peaks_release(). */
void peaks_init(struct peaks *peaks, size_t count);
void peaks_build(struct peaks *peaks);
void peaks_release(struct peaks *peaks);

/* The largest of the places `from` .. `to` - 1; INT64_MIN where there are none. */
int64_t peaks_largest(const struct peaks *peaks, size_t from, size_t to);

/* The first of these places with a number of at least `least`; `to` where there is none. */
size_t peaks_next(const struct peaks *peaks, size_t from, size_t to, int64_t least);

/* The last of them; `to` where there is none. */
size_t peaks_last(const struct peaks *peaks, size_t from, size_t to, int64_t least);

#endif
