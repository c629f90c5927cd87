/*
 * pages.h - for yardsticks: zeroed memory straight from the kernel, so that no allocator's habits
 * are in a figure, in huge pages if so wished and granted. Ends the process where there is none.
 */
#ifndef BENCH_YARDSTICKS_PAGES_H
#define BENCH_YARDSTICKS_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* All of it has been written to once. Returns owned, until pages_unmap() of as many bytes. */
void *pages_map(size_t bytes, bool huge);
void pages_unmap(void *pages, size_t bytes);

#endif
