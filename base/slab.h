/*
 * slab.h - memory for many small things of few sizes, owned by one thread.
 *
 * Sizes are rounded up to a class (of 8 bytes up to 64, then four per doubling, so at most
 * 25 % is lost);
 * a freed block is the next one handed out of its class. In steady state nothing
 * reaches malloc. Blocks above SLAB_BYTES_MAX come from malloc directly.
 *
 * Thread: the owner only; the byte count may be read by anyone.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { SLAB_CLASSES = 40, SLAB_BYTES_MAX = 8192, SLAB_PAGE_BYTES = 64 << 10 };

struct slab {
    void *free[SLAB_CLASSES]; /* lists through the first word of each block */
    char *page[SLAB_CLASSES]; /* what is left of the newest page */
    size_t page_left[SLAB_CLASSES];
    void *pages;            /* every page, for release; lists through the first word */
    _Atomic uint64_t bytes; /* taken from the system; one writer, read relaxed */
};

void slab_init(struct slab *slab);
void slab_release(struct slab *slab);

/* Never NULL: a failed allocation ends the process (semantics F7, exit 71), since
 * an epoch half done is never continued. 16-byte aligned where `bytes` is a multiple of 16, else
 * at least 8-byte aligned. */
void *slab_alloc(struct slab *slab, size_t bytes);

/* `bytes` is what was asked for. NULL is allowed. */
void slab_free(struct slab *slab, void *block, size_t bytes);

/* malloc and realloc under the same rule. */
void *memory_alloc(size_t bytes);
void *memory_grow(void *block, size_t bytes);

#endif
