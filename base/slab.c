/* slab.c - see slab.h. */
#include "base/slab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { EXIT_NO_MEMORY = 71 };

/* Of a page that is in use: with or without a class. */
struct slab_page {
    void *free; /* list through the first word of each block */
    char *at;
    struct slab_page *next, *previous; /* in a list of the slab's; `next` alone of a spare one */
    uint32_t used;                     /* blocks that are handed out */
    uint32_t fresh;                    /* bytes from here on never were */
    uint32_t block_bytes;
    uint8_t class;
    bool is_listed; /* among slab.next */
    bool is_memory; /* of a spare one: it has not been given back */
};

enum {
    HEAD_BYTES = 64,
    REGION_PAGES = SLAB_REGION_BYTES / SLAB_PAGE_BYTES, /* the first is for the heads */
    HEADS_BYTES = REGION_PAGES * HEAD_BYTES,
};
_Static_assert(sizeof(struct slab_page) <= HEAD_BYTES, "a head is a cache line");

static _Noreturn void memory_end(void)
{
    static const char text[] = "level=fatal msg=\"out of memory; the process ends and recovers "
                               "at its next start\"\n";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(EXIT_NO_MEMORY);
    _exit(EXIT_NO_MEMORY);
}

/* Of mimalloc, which programs are linked with but under a sanitizer: whom it tells of errors. */
void mi_register_error(void (*told)(int code, void *self), void *self) __attribute__((weak));

static void on_allocator_error(int code, void *self)
{
    (void)self;
    if (code == ENOMEM)
        memory_end();
}

void memory_ends_process(void)
{
    if (mi_register_error != NULL)
        mi_register_error(on_allocator_error, NULL);
}

void *memory_alloc(size_t bytes)
{
    return memory_grow(NULL, bytes);
}

void *memory_grow(void *block, size_t bytes)
{
    void *grown = realloc(block, bytes > 0 ? bytes : 1);

    if (grown == NULL)
        memory_end();
    return grown;
}

/* Up to 128 bytes a class for each 8; above, four for each doubling. */
enum { SMALL_BYTES = 128, SMALL_CLASSES = SMALL_BYTES / 8 };
_Static_assert(SLAB_CLASSES == SMALL_CLASSES + 6 * 4, "six doublings to SLAB_BYTES_MAX");

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
    return SMALL_CLASSES + (doubling - 7) * 4 + (unsigned)steps - 1;
}

size_t slab_fit(size_t bytes)
{
    size_t rounded = bytes;

    if (bytes <= SLAB_BYTES_MAX)
        class_of(bytes, &rounded);
    return rounded;
}

/* Heads of different regions begin at different places, or they would all go to the same few sets
 * of the caches. The first of them is the region's own: its first word links the regions. */
static struct slab_page *head_of(uintptr_t region, size_t index)
{
    size_t turn = (region / SLAB_REGION_BYTES) % (SLAB_PAGE_BYTES / HEADS_BYTES);

    return (void *)(region + turn * HEADS_BYTES + index * HEAD_BYTES);
}

static struct slab_page *page_of(const void *block)
{
    uintptr_t at = (uintptr_t)block, region = at & ~((uintptr_t)SLAB_REGION_BYTES - 1);

    return head_of(region, (at - region) / SLAB_PAGE_BYTES);
}

static void add_bytes(struct slab *slab, uint64_t bytes)
{
    /* relaxed: one writer; readers only want a recent figure. */
    uint64_t now = atomic_load_explicit(&slab->bytes, memory_order_relaxed);
    atomic_store_explicit(&slab->bytes, now + bytes, memory_order_relaxed);
}

void slab_init(struct slab *slab)
{
    for (int i = 0; i < SLAB_CLASSES; i++)
        slab->at[i] = slab->next[i] = NULL;
    slab->spare = NULL;
    slab->spare_count = 0;
    slab->regions = NULL;
    atomic_init(&slab->bytes, 0);
}

void slab_release(struct slab *slab)
{
    while (slab->regions != NULL) {
        void *next = *(void **)head_of((uintptr_t)slab->regions, 0);
        munmap(slab->regions, SLAB_REGION_BYTES);
        slab->regions = next;
    }
}

/* From the system itself: an allocator in between keeps books of its own about something as large
 * as this, and 2 % go there. Twice the size holds one that begins where it has to. */
static char *map_region(void)
{
    const size_t size = SLAB_REGION_BYTES;
    char *map = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        memory_end();
    size_t before = (size - (uintptr_t)map % size) % size;
    if (before > 0)
        munmap(map, before);
    munmap(map + before + size, size - before);
    return map + before;
}

static void make_region(struct slab *slab)
{
    char *region = map_region();

    *(void **)head_of((uintptr_t)region, 0) = slab->regions;
    slab->regions = region;
    for (size_t i = REGION_PAGES; i-- > 1;) {
        struct slab_page *page = head_of((uintptr_t)region, i);
        *page = (struct slab_page){.at = region + i * SLAB_PAGE_BYTES, .next = slab->spare};
        slab->spare = page;
    }
}

static struct slab_page *take_page(struct slab *slab, unsigned class, size_t block_bytes)
{
    if (slab->spare == NULL)
        make_region(slab);
    struct slab_page *page = slab->spare;
    slab->spare = page->next;
    if (page->is_memory)
        slab->spare_count--;
    else
        add_bytes(slab, SLAB_PAGE_BYTES);
    *page = (struct slab_page){
        .at = page->at, .block_bytes = (uint32_t)block_bytes, .class = (uint8_t) class};
    return page;
}

static void list_page(struct slab *slab, struct slab_page *page)
{
    struct slab_page *next = slab->next[page->class];

    page->is_listed = true;
    page->previous = NULL;
    page->next = next;
    if (next != NULL)
        next->previous = page;
    slab->next[page->class] = page;
}

static void unlist_page(struct slab *slab, struct slab_page *page)
{
    page->is_listed = false;
    if (page->next != NULL)
        page->next->previous = page->previous;
    if (page->previous != NULL)
        page->previous->next = page->next;
    else
        slab->next[page->class] = page->next;
}

/* A page that is no memory goes behind those that are, as these are to be used first. */
static void spare_page(struct slab *slab, struct slab_page *page)
{
    if (page->is_listed)
        unlist_page(slab, page);
    page->is_memory = slab->spare_count < SLAB_SPARE_PAGES ||
                      madvise(page->at, SLAB_PAGE_BYTES, MADV_DONTNEED) != 0;
    struct slab_page **at = &slab->spare;
    if (page->is_memory) {
        slab->spare_count++;
    } else {
        add_bytes(slab, (uint64_t)0 - SLAB_PAGE_BYTES);
        while (*at != NULL && (*at)->is_memory)
            at = &(*at)->next;
    }
    page->next = *at;
    *at = page;
}

/* The page that serves the class has no block left. */
static struct slab_page *next_page(struct slab *slab, unsigned class, size_t block_bytes)
{
    struct slab_page *page = slab->next[class];

    if (page != NULL)
        unlist_page(slab, page);
    else
        page = take_page(slab, class, block_bytes);
    slab->at[class] = page;
    return page;
}

void *slab_alloc(struct slab *slab, size_t bytes)
{
    size_t rounded;

    if (bytes > SLAB_BYTES_MAX) {
        add_bytes(slab, bytes);
        return memory_alloc(bytes);
    }
    unsigned class = class_of(bytes, &rounded);
    struct slab_page *page = slab->at[class];
    if (page == NULL || (page->free == NULL && page->fresh + rounded > SLAB_PAGE_BYTES))
        page = next_page(slab, class, rounded);
    page->used++;
    void *block = page->free;
    if (block != NULL) {
        page->free = *(void **)block;
        __builtin_prefetch(page->free, 1); /* who asks next reads the link in it */
    } else {
        block = page->at + page->fresh;
        page->fresh += (uint32_t)rounded;
    }
    return block;
}

void slab_free(struct slab *slab, void *block, size_t bytes)
{
    if (block == NULL)
        return;
    if (bytes > SLAB_BYTES_MAX) {
        add_bytes(slab, (uint64_t)0 - bytes);
        free(block);
        return;
    }
    struct slab_page *page = page_of(block);
    *(void **)block = page->free;
    page->free = block;
    page->used--;
    if (page == slab->at[page->class])
        return;
    if (page->used == 0)
        spare_page(slab, page);
    else if (!page->is_listed)
        list_page(slab, page);
}

uint64_t slab_blocks(const struct slab *slab)
{
    uint64_t blocks = 0;

    for (uintptr_t region = (uintptr_t)slab->regions; region != 0;
         region = *(uintptr_t *)(void *)head_of(region, 0))
        for (size_t i = 1; i < REGION_PAGES; i++)
            blocks += head_of(region, i)->used;
    return blocks;
}
