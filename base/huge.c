/*
 * huge.c - see huge.h. A region's blocks are a tree: node 1 is all of it, nodes 2i and 2i + 1 are
 * the halves of node i. A node holds the level of the largest free block in it, plus one.
 */
#include "base/huge.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/slab.h"

enum { LEVELS = 7, LEAVES = 1 << (LEVELS - 1) }; /* blocks of level l have HUGE_BYTES_MIN << l */
_Static_assert(HUGE_BYTES_MIN << (LEVELS - 1) == HUGE_REGION_BYTES, "the last level is all of it");

struct region {
    struct region *next;
    char *at;
    uint8_t free[2 * LEAVES];
};

static inline size_t level_bytes(unsigned level)
{
    return (size_t)HUGE_BYTES_MIN << level;
}

static struct region *regions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static char *map(size_t bytes)
{
    const size_t align = HUGE_REGION_BYTES;
    char *map = bytes > SIZE_MAX / 2 ? MAP_FAILED
                                     : mmap(NULL, bytes + align, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        map = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    size_t before = (align - (uintptr_t)map % align) % align;
    if (before > 0)
        munmap(map, before);
    if (before < align)
        munmap(map + before + bytes, align - before);
    madvise(map + before, bytes, MADV_HUGEPAGE); /* a wish: its failure is no harm */
    return map + before;
}

static struct region *region_make(void)
{
    struct region *region = memory_alloc(sizeof(*region));

    region->at = map(HUGE_REGION_BYTES);
    for (unsigned node = 1; node < 2 * LEAVES; node++) {
        unsigned depth = 31u - (unsigned)__builtin_clz(node);
        region->free[node] = (uint8_t)(LEVELS - depth);
    }
    region->next = regions;
    return regions = region;
}

/* What its halves have; both free are one. `level` is the node's own. */
static void node_join(struct region *region, unsigned node, unsigned level)
{
    uint8_t left = region->free[2 * node], right = region->free[2 * node + 1];

    region->free[node] = left == level && right == level ? (uint8_t)(level + 1)
                         : left > right                  ? left
                                                         : right;
}

/* Up from a node of `level` whose free blocks have changed. */
static void nodes_join(struct region *region, unsigned node, unsigned level)
{
    while (node > 1) {
        node /= 2;
        node_join(region, node, ++level);
    }
}

static void *region_take(struct region *region, unsigned level)
{
    unsigned node = 1, at_level = LEVELS - 1;

    for (; at_level > level; at_level--) {
        unsigned left = 2 * node, right = left + 1;
        /* The half whose largest is the smaller one that does: large blocks stay whole. */
        bool fits_left = region->free[left] > level, fits_right = region->free[right] > level;
        node =
            fits_left && (!fits_right || region->free[left] <= region->free[right]) ? left : right;
    }
    region->free[node] = 0;
    nodes_join(region, node, level);
    return region->at + (size_t)(node - (1u << (LEVELS - 1 - level))) * level_bytes(level);
}

static unsigned level_of(size_t bytes)
{
    return (unsigned)__builtin_ctzll(bytes / HUGE_BYTES_MIN);
}

void *huge_alloc(size_t bytes)
{
    void *block;

    assert(bytes > 0 && (bytes & (bytes - 1)) == 0);
    if (bytes < HUGE_BYTES_MIN) {
        block = aligned_alloc(64, (bytes + 63) / 64 * 64);
        if (block == NULL)
            block = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    } else if (bytes >= HUGE_REGION_BYTES) {
        return map(bytes);
    } else {
        const unsigned level = level_of(bytes);
        pthread_mutex_lock(&lock);
        struct region *region = regions;
        while (region != NULL && region->free[1] <= level)
            region = region->next;
        block = region_take(region != NULL ? region : region_make(), level);
        pthread_mutex_unlock(&lock);
    }
    return memset(block, 0, bytes);
}

/* Its region is found among a few hundred at most: larger tables have none. */
static void region_give(void *block, unsigned level)
{
    char *at = (char *)((uintptr_t)block & ~((uintptr_t)HUGE_REGION_BYTES - 1));
    struct region **link = &regions, *region;

    while ((*link)->at != at)
        link = &(*link)->next;
    region = *link;
    unsigned node = (1u << (LEVELS - 1 - level)) +
                    (unsigned)((size_t)((char *)block - at) / level_bytes(level));
    assert(region->free[node] == 0);
    region->free[node] = (uint8_t)(level + 1);
    nodes_join(region, node, level);
    if (region->free[1] < LEVELS)
        return;
    *link = region->next;
    munmap(region->at, HUGE_REGION_BYTES);
    free(region);
}

void huge_free(void *block, size_t bytes)
{
    if (block == NULL)
        return;
    if (bytes < HUGE_BYTES_MIN) {
        free(block);
    } else if (bytes >= HUGE_REGION_BYTES) {
        munmap(block, bytes);
    } else {
        pthread_mutex_lock(&lock);
        region_give(block, level_of(bytes));
        pthread_mutex_unlock(&lock);
    }
}

unsigned huge_regions(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&lock);
    for (const struct region *region = regions; region != NULL; region = region->next)
        count++;
    pthread_mutex_unlock(&lock);
    return count;
}
