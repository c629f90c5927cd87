/* match_range.c - see match_range.h. */
#include "rules/match_range.h"

#include <stdlib.h>
#include <string.h>

struct node {
    uint32_t first, count; /* of its owners */
};

struct match_range {
    uint32_t leaf_count;
    int64_t *starts;    /* of each leaf, ascending; the first is INT64_MIN */
    struct node *nodes; /* 1 is the root, leaf i is leaf_count + i */
    uint32_t *owners;
};

int64_t match_range_key(double real)
{
    int64_t bits;

    real += 0.0;
    memcpy(&bits, &real, sizeof(bits));
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

static int order_starts(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The leaf in which `number` lies. */
static uint32_t leaf_of(const struct match_range *range, int64_t number)
{
    uint32_t low = 0, high = range->leaf_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (range->starts[middle] <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void find_starts(struct match_range *range, const struct interval *intervals, uint32_t count)
{
    uint32_t kept = 1;

    range->starts[0] = INT64_MIN;
    range->leaf_count = 1;
    for (uint32_t i = 0; i < count; i++) {
        range->starts[range->leaf_count++] = intervals[i].low;
        if (intervals[i].high < INT64_MAX)
            range->starts[range->leaf_count++] = intervals[i].high + 1;
    }
    qsort(range->starts, range->leaf_count, sizeof(range->starts[0]), order_starts);
    for (uint32_t i = 1; i < range->leaf_count; i++)
        if (range->starts[i] != range->starts[kept - 1])
            range->starts[kept++] = range->starts[i];
    range->leaf_count = kept;
}

/* Hangs an interval at the nodes that make it up: counts it, or enters its owner as well. */
static void hang(struct match_range *range, const struct interval *interval, bool is_counting)
{
    uint32_t left = leaf_of(range, interval->low) + range->leaf_count;
    uint32_t right = leaf_of(range, interval->high) + range->leaf_count + 1;

    for (; left < right; left /= 2, right /= 2) {
        uint32_t at[2] = {left % 2 ? left++ : 0, right % 2 ? --right : 0};
        for (int i = 0; i < 2; i++) {
            struct node *node = &range->nodes[at[i]];
            if (at[i] == 0)
                continue;
            if (!is_counting)
                range->owners[node->first + node->count] = interval->owner;
            node->count++;
        }
    }
}

struct match_range *match_range_create(const struct interval *intervals, uint32_t count,
                                       struct arena *arena, struct arena *scratch)
{
    struct match_range *range = arena_alloc(arena, sizeof(*range));
    int64_t *starts = arena_alloc_many(scratch, 2 * (size_t)count + 1, sizeof(*starts));
    uint32_t total = 0;

    if (range == NULL || starts == NULL)
        return NULL;
    range->starts = starts;
    find_starts(range, intervals, count);
    range->starts = arena_alloc_many(arena, range->leaf_count, sizeof(*starts));
    range->nodes = arena_alloc_many(arena, 2 * (size_t)range->leaf_count, sizeof(struct node));
    if (range->starts == NULL || range->nodes == NULL)
        return NULL;
    memcpy(range->starts, starts, range->leaf_count * sizeof(*starts));
    for (uint32_t i = 0; i < count; i++)
        hang(range, &intervals[i], true);
    for (uint32_t i = 0; i < 2 * range->leaf_count; i++) {
        range->nodes[i].first = total;
        total += range->nodes[i].count;
        range->nodes[i].count = 0;
    }
    range->owners = arena_alloc_many(arena, (size_t)total + 1, sizeof(uint32_t));
    if (range->owners == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        hang(range, &intervals[i], false);
    return range;
}

void match_range_find(const struct match_range *range, int64_t number,
                      void (*visit)(void *self, uint32_t owner), void *self)
{
    for (uint32_t i = leaf_of(range, number) + range->leaf_count; i > 0; i /= 2)
        for (uint32_t o = 0; o < range->nodes[i].count; o++)
            visit(self, range->owners[range->nodes[i].first + o]);
}
