/* pages.c - see pages.h. */
#include "bench/yardsticks/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *pages_map(size_t bytes, bool huge)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED) {
        fprintf(stderr, "a yardstick has no %zu bytes\n", bytes);
        exit(2);
    }
    madvise(pages, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE); /* a wish */
    memset(pages, 0, bytes);
    return pages;
}

void pages_unmap(void *pages, size_t bytes)
{
    munmap(pages, bytes);
}
