/*
 * slab.h - memory for many small things of few sizes, owned by one thread.
 *
 * Sizes are rounded up to a class (of 8 bytes up to 128, then four per doubling, so at most
 * 25 % is lost). Blocks of a class are cut from pages of 64 KiB; a freed block is handed out
 * again before others of its page are. A page without a block in use serves any class: things that
 * grow from one size to the next leave nothing behind. SLAB_SPARE_PAGES of such pages are kept as
 * they are, those beyond go back to the system. In steady state nothing reaches malloc.
 *
 *   region of 2 MiB   [ heads of its pages | page | page | ... | page ]
 *
 * So the head of a block's page is found from its address. Regions stay until the slab is
 * released: what was taken back is no memory any more, but addresses.
 *
 * Blocks above SLAB_BYTES_MAX come from malloc directly.
 *
 * Thread: the owner only; the byte count may be read by anyone.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SLAB_CLASSES = 40,
    SLAB_BYTES_MAX = 8192,
    SLAB_PAGE_BYTES = 64 << 10,
    SLAB_REGION_BYTES = 2 << 20,
    SLAB_SPARE_PAGES = 4,
};

struct slab_page;

struct slab {
    struct slab_page *at[SLAB_CLASSES];   /* the page that serves */
    struct slab_page *next[SLAB_CLASSES]; /* others that have free blocks */
    struct slab_page *spare;              /* pages of no class, newest first */
    uint32_t spare_count;                 /* of them, those that are memory */
    void *regions;                        /* every region, for release; through the first word */
    _Atomic uint64_t bytes;               /* taken from the system; one writer, read relaxed */
};

void slab_init(struct slab *slab);
void slab_release(struct slab *slab);

/* Never NULL: a failed allocation ends the process (semantics F7, exit 71), since
 * an epoch half done is never continued. 16-byte aligned where `bytes` is a multiple of 16, else
 * at least 8-byte aligned. */
void *slab_alloc(struct slab *slab, size_t bytes);

/* The bytes of the class that a block of `bytes` comes from, all of which may be used by who asks
 * for so many. */
size_t slab_fit(size_t bytes);

/* `bytes` is what was asked for. NULL is allowed. */
void slab_free(struct slab *slab, void *block, size_t bytes);

/* How many blocks are handed out, without those from malloc: looks at every page. */
uint64_t slab_blocks(const struct slab *slab);

/* From here on a failed allocation of anybody ends the process in the same way, libraries among
 * them, where the allocator tells of it; what they do themselves then is anything from a lost
 * request to an abort. The allocator that programs are linked with does, that of a sanitizer does
 * not. Thread: setup. */
void memory_ends_process(void);

/* malloc and realloc under the same rule. */
void *memory_alloc(size_t bytes);
void *memory_grow(void *block, size_t bytes);

#endif
