/*
 * peaks.c - see peaks.h.
 */
#include "daemon/peaks.h"

#include <stdlib.h>
#include "base/slab.h"

enum { FAN_BITS = 3, FAN = 1 << FAN_BITS };

static size_t blocks_of(size_t count, int level)
{
    for (int l = 0; l < level; l++)
        count = (count + FAN - 1) / FAN;
    return count;
}

void peaks_init(struct peaks *peaks, size_t count)
{
    *peaks = (struct peaks){.count = count};
    do {
        size_t blocks = blocks_of(count, peaks->levels);
        peaks->level[peaks->levels] = memory_alloc((blocks + 1) * sizeof(int64_t));
        peaks->levels++;
    } while (blocks_of(count, peaks->levels - 1) > FAN && peaks->levels < PEAKS_LEVELS);
}

void peaks_build(struct peaks *peaks)
{
    for (int l = 1; l < peaks->levels; l++) {
        size_t below = blocks_of(peaks->count, l - 1);
        for (size_t i = 0; i < below; i++) {
            int64_t *top = &peaks->level[l][i / FAN];
            if (i % FAN == 0 || peaks->level[l - 1][i] > *top)
                *top = peaks->level[l - 1][i];
        }
    }
}

void peaks_release(struct peaks *peaks)
{
    for (int l = 0; l < peaks->levels; l++)
        free(peaks->level[l]);
    *peaks = (struct peaks){0};
}

int64_t peaks_largest(const struct peaks *peaks, size_t from, size_t to)
{
    int64_t largest = INT64_MIN;

    while (from < to) {
        int level = 0;
        size_t width = 1;
        while (level + 1 < peaks->levels && from % (width * FAN) == 0 && to - from >= width * FAN) {
            level++;
            width *= FAN;
        }
        if (peaks->level[level][from / width] > largest)
            largest = peaks->level[level][from / width];
        from += width;
    }
    return largest;
}

size_t peaks_next(const struct peaks *peaks, size_t from, size_t to, int64_t least)
{
    while (from < to && peaks->level[0][from] < least) {
        int level = 0;
        size_t width = 1;
        while (level + 1 < peaks->levels && from % (width * FAN) == 0 &&
               peaks->level[level + 1][from / (width * FAN)] < least) {
            level++;
            width *= FAN;
        }
        from += width;
    }
    return from < to ? from : to;
}

size_t peaks_last(const struct peaks *peaks, size_t from, size_t to, int64_t least)
{
    size_t end = to; /* what is looked at lies before */

    while (end > from && peaks->level[0][end - 1] < least) {
        int level = 0;
        size_t width = 1;
        while (level + 1 < peaks->levels && end % (width * FAN) == 0 &&
               peaks->level[level + 1][end / (width * FAN) - 1] < least) {
            level++;
            width *= FAN;
        }
        end -= width < end ? width : end;
    }
    return end > from ? end - 1 : to;
}
