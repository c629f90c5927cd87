/* slab.c - see slab.h. */
#include "base/slab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_NO_MEMORY = 71, PAGE_HEAD_BYTES = 16 };

void *memory_alloc(size_t bytes)
{
    return memory_grow(NULL, bytes);
}

void *memory_grow(void *block, size_t bytes)
{
    void *grown = realloc(block, bytes > 0 ? bytes : 1);

    if (grown == NULL) {
        static const char text[] = "level=fatal msg=\"out of memory; the process ends and recovers "
                                   "at its next start\"\n";
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
            _exit(EXIT_NO_MEMORY);
        _exit(EXIT_NO_MEMORY);
    }
    return grown;
}

/* Up to 64 bytes a class for each 8; above, four for each doubling. */
enum { SMALL_BYTES = 64, SMALL_CLASSES = SMALL_BYTES / 8 };

static unsigned class_of(size_t bytes, size_t *rounded)
{
    if (bytes <= SMALL_BYTES) {
        size_t units = bytes > 0 ? (bytes + 7) / 8 : 1;
        *rounded = units * 8;
        return (unsigned)units - 1;
    }
    unsigned doubling = 63u - (unsigned)__builtin_clzll(bytes - 1); /* 2^doubling < bytes */
    size_t quarter = (size_t)1 << (doubling - 2);
    size_t steps = (bytes - ((size_t)1 << doubling) + quarter - 1) / quarter; /* 1..4 */
    *rounded = ((size_t)1 << doubling) + steps * quarter;
    return SMALL_CLASSES + (doubling - 6) * 4 + (unsigned)steps - 1;
}

static void add_bytes(struct slab *slab, uint64_t bytes)
{
    /* relaxed: one writer; readers only want a recent figure. */
    uint64_t now = atomic_load_explicit(&slab->bytes, memory_order_relaxed);
    atomic_store_explicit(&slab->bytes, now + bytes, memory_order_relaxed);
}

void slab_init(struct slab *slab)
{
    for (int i = 0; i < SLAB_CLASSES; i++) {
        slab->free[i] = NULL;
        slab->page[i] = NULL;
        slab->page_left[i] = 0;
    }
    slab->pages = NULL;
    atomic_init(&slab->bytes, 0);
}

void slab_release(struct slab *slab)
{
    while (slab->pages != NULL) {
        void *next = *(void **)slab->pages;
        free(slab->pages);
        slab->pages = next;
    }
}

void *slab_alloc(struct slab *slab, size_t bytes)
{
    size_t rounded;
    unsigned class;

    if (bytes > SLAB_BYTES_MAX) {
        add_bytes(slab, bytes);
        return memory_alloc(bytes);
    }
    class = class_of(bytes, &rounded);
    void *block = slab->free[class];
    if (block != NULL) {
        slab->free[class] = *(void **)block;
        return block;
    }
    if (slab->page_left[class] < rounded) {
        char *page = memory_alloc(SLAB_PAGE_BYTES);
        add_bytes(slab, SLAB_PAGE_BYTES);
        *(void **)(void *)page = slab->pages;
        slab->pages = page;
        slab->page[class] = page + PAGE_HEAD_BYTES;
        slab->page_left[class] = SLAB_PAGE_BYTES - PAGE_HEAD_BYTES;
    }
    block = slab->page[class];
    slab->page[class] += rounded;
    slab->page_left[class] -= rounded;
    return block;
}

void slab_free(struct slab *slab, void *block, size_t bytes)
{
    size_t rounded;

    if (block == NULL)
        return;
    if (bytes > SLAB_BYTES_MAX) {
        add_bytes(slab, (uint64_t)0 - bytes);
        free(block);
        return;
    }
    unsigned class = class_of(bytes, &rounded);
    *(void **)block = slab->free[class];
    slab->free[class] = block;
}
