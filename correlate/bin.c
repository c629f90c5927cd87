/* bin.c - see bin.h. */
#include "correlate/bin.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/slab.h"

struct text_block {
    struct text_block *next;
    uint32_t bytes; /* with this head: TEXT_BLOCK_SMALL, TEXT_BLOCK_LARGE, or one huge text */
    _Alignas(16) char data[];
};

static void account(struct bins *bins, size_t bytes)
{
    /* relaxed: one writer; the reader wants a recent figure only. */
    uint64_t now = atomic_load_explicit(&bins->bytes, memory_order_relaxed);
    atomic_store_explicit(&bins->bytes, now + bytes, memory_order_relaxed);
}

void bins_init(struct bins *bins, int64_t slot_count, unsigned worker_count, int64_t first)
{
    assert((slot_count & (slot_count - 1)) == 0);
    *bins =
        (struct bins){.slot_count = slot_count, .worker_count = worker_count, .free_until = first};
    bins->slot_bytes = sizeof(struct bin_slot) + worker_count * sizeof(struct bin_list);
    bins->slots = calloc((size_t)slot_count, bins->slot_bytes);
    if (bins->slots == NULL)
        bins->slots = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    for (int64_t e = 0; e < slot_count; e++)
        bins_slot(bins, e)->epoch = NO_EPOCH;
}

static void slot_free(struct bins *bins, struct bin_slot *slot)
{
    for (unsigned w = 0; w < bins->worker_count; w++) {
        struct bin_list *list = &slot->worker[w];
        if (list->first != NULL) {
            bins->used -= list->chunks * sizeof(*list->first);
            list->last->next = bins->chunks;
            bins->chunks = list->first;
            *list = (struct bin_list){0};
        }
    }
    while (slot->texts != NULL) {
        struct text_block *block = slot->texts;
        slot->texts = block->next;
        bins->used -= block->bytes;
        if (block->bytes > TEXT_BLOCK_LARGE) {
            account(bins, (size_t)0 - block->bytes);
            free(block);
        } else {
            int size = block->bytes == TEXT_BLOCK_LARGE;
            block->next = bins->blocks[size];
            bins->blocks[size] = block;
        }
    }
    slot->text_left = 0;
    slot->count = 0;
    slot->epoch = NO_EPOCH;
}

void bins_release(struct bins *bins)
{
    if (bins->slots == NULL)
        return;
    for (int64_t e = 0; e < bins->slot_count; e++)
        slot_free(bins, bins_slot(bins, e));
    while (bins->regions != NULL) {
        void *next = *(void **)bins->regions;
        free(bins->regions);
        bins->regions = next;
    }
    free(bins->slots);
    *bins = (struct bins){0};
}

/* `bytes` is a multiple of 64 and small against a region. */
static void *region_cut(struct bins *bins, size_t bytes)
{
    if (bins->region_left < bytes) {
        char *region = aligned_alloc(BIN_REGION_BYTES, BIN_REGION_BYTES);
        if (region == NULL)
            region = memory_alloc(SIZE_MAX / 2);          /* ends the process in one place */
        madvise(region, BIN_REGION_BYTES, MADV_HUGEPAGE); /* a wish: its failure is no harm */
        *(void **)(void *)region = bins->regions;
        bins->regions = region;
        bins->region = region + 64;
        bins->region_left = BIN_REGION_BYTES - 64;
        account(bins, BIN_REGION_BYTES);
    }
    void *cut = bins->region;
    bins->region += bytes;
    bins->region_left -= bytes;
    return cut;
}

static struct text_block *block_take(struct bins *bins, uint32_t bytes)
{
    int size = bytes == TEXT_BLOCK_LARGE;
    struct text_block *block = bytes <= TEXT_BLOCK_LARGE ? bins->blocks[size] : NULL;

    if (block != NULL) {
        bins->blocks[size] = block->next;
    } else if (bytes <= TEXT_BLOCK_LARGE) {
        block = region_cut(bins, bytes);
        block->bytes = bytes;
    } else {
        block = memory_alloc(bytes);
        block->bytes = bytes;
        account(bins, bytes);
    }
    bins->used += bytes;
    return block;
}

void bins_text_block(struct bins *bins, struct bin_slot *slot, size_t bytes)
{
    const size_t head = sizeof(struct text_block);
    /* The first block of a slot is small: a quiet night has one event per epoch. */
    uint32_t size = slot->texts == NULL && bytes <= TEXT_BLOCK_SMALL - head ? TEXT_BLOCK_SMALL
                    : bytes <= TEXT_BLOCK_LARGE / 4                         ? TEXT_BLOCK_LARGE
                                                    : (uint32_t)(bytes + head) + TEXT_BLOCK_LARGE;
    struct text_block *block = block_take(bins, size);

    block->next = slot->texts;
    slot->texts = block;
    slot->text_at = block->data;
    slot->text_left = (uint32_t)(size - head);
}

struct event_chunk *bins_chunk(struct bins *bins, struct bin_list *list)
{
    struct event_chunk *fresh = bins->chunks;

    if (fresh != NULL) {
        bins->chunks = fresh->next;
        __builtin_prefetch(bins->chunks, 1); /* as the next one's event is, in bins_event() */
    } else {
        fresh = region_cut(bins, sizeof(*fresh));
    }
    bins->used += sizeof(*fresh);
    list->chunks++;
    fresh->next = NULL;
    fresh->count = 0;
    if (list->last == NULL)
        list->first = fresh;
    else
        list->last->next = fresh;
    list->last = fresh;
    return fresh;
}

void bins_free_until(struct bins *bins, int64_t epoch)
{
    int64_t end = epoch;

    if (end - bins->free_until > bins->slot_count)
        end = bins->free_until + bins->slot_count; /* once round the ring is enough */
    for (int64_t e = bins->free_until; e < end; e++) {
        struct bin_slot *slot = bins_slot(bins, e);
        if (slot->epoch != NO_EPOCH && slot->epoch < epoch)
            slot_free(bins, slot);
    }
    if (epoch > bins->free_until)
        bins->free_until = epoch;
}
