/*
 * huge.h - memory for tables that are looked into at random, in huge pages where the kernel grants
 * them: with small ones each look also waits for the page to be found, about as long as for the
 * line.
 *
 *   region of 2 MiB    [ 512 KiB | 256 | 64 | 64 | free ... ]     halves, and halves of these
 *
 * Blocks have a power of two of bytes. Those below HUGE_BYTES_MIN come from malloc: they are many,
 * and a small program is to stay small. Larger ones are cut from regions, whose halves join again
 * when both are free; a region that is free goes back to the system. From HUGE_REGION_BYTES on a
 * block is mapped by itself.
 *
 * Thread: any; a lock is taken, which who doubles a table does not notice.
 */
#ifndef BASE_HUGE_H
#define BASE_HUGE_H

#include <stddef.h>

enum { HUGE_BYTES_MIN = 32 << 10, HUGE_REGION_BYTES = 2 << 20 };

/* Zeroed, on a line of its own. Never NULL: see slab_alloc(). Returns owned, until huge_free() with
 * as many bytes. */
void *huge_alloc(size_t bytes);
void huge_free(void *block, size_t bytes); /* NULL is allowed */

/* Regions that hold something now, for tests. */
unsigned huge_regions(void);

#endif
