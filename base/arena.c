/* arena.c - a list of blocks, the newest first. See arena.h. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks double from 4 KiB, so that a small set is small, up to 2 MiB, so that the
 * unused end of the last one stays small beside a large set. From there on they are huge pages:
 * what is built once and read for ever at random places would else miss in the processor's table
 * of pages as well. */
enum { BLOCK_BYTES_MIN = 4 << 10, BLOCK_BYTES_MAX = 2 << 20, ALIGNMENT = 16, LINE_BYTES = 64 };

struct block {
    struct block *next;
    size_t size, used; /* bytes of data[] */
    _Alignas(ALIGNMENT) char data[];
};

struct arena {
    struct block *blocks;
    size_t bytes, bytes_max, block_bytes;
    bool is_full;
};

struct arena *arena_create(size_t bytes_max)
{
    struct arena *arena = calloc(1, sizeof(*arena));

    if (arena != NULL) {
        arena->bytes = sizeof(*arena);
        arena->bytes_max = bytes_max;
        arena->block_bytes = BLOCK_BYTES_MIN;
    }
    return arena;
}

static void blocks_free(struct block *block)
{
    for (struct block *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    blocks_free(arena->blocks);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct block *newest = arena->blocks;

    arena->is_full = false;
    if (newest == NULL)
        return;
    blocks_free(newest->next);
    newest->next = NULL;
    newest->used = 0;
    arena->bytes = sizeof(*arena) + sizeof(*newest) + newest->size;
}

/* Memory for a block and its header. */
static struct block *block_alloc(size_t bytes)
{
    struct block *block;

    if (bytes % BLOCK_BYTES_MAX != 0)
        return malloc(bytes);
    block = aligned_alloc(BLOCK_BYTES_MAX, bytes);
    if (block != NULL)
        madvise(block, bytes, MADV_HUGEPAGE); /* a wish: its failure is no harm */
    return block;
}

/* Whole huge pages once the arena has grown to them; the header is in the first. */
static size_t block_size(const struct arena *arena, size_t bytes)
{
    const size_t page = BLOCK_BYTES_MAX, header = sizeof(struct block);

    if (arena->block_bytes < page)
        return bytes > arena->block_bytes ? bytes : arena->block_bytes;
    return (header + bytes + page - 1) / page * page - header;
}

static struct block *block_add(struct arena *arena, size_t bytes)
{
    size_t size = block_size(arena, bytes);
    struct block *block;

    if (arena->bytes + sizeof(*block) + size > arena->bytes_max) {
        arena->is_full = true;
        return NULL;
    }
    block = block_alloc(sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->next = arena->blocks;
    block->size = size;
    block->used = 0;
    arena->blocks = block;
    arena->bytes += sizeof(*block) + size;
    if (arena->block_bytes < BLOCK_BYTES_MAX)
        arena->block_bytes *= 2;
    return block;
}

/* Bytes to leave out before the next allocation. */
static size_t padding(const struct block *block, size_t bytes)
{
    return bytes % LINE_BYTES == 0 ? -(uintptr_t)(block->data + block->used) % LINE_BYTES : 0;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct block *block = arena->blocks;
    void *at;

    if (bytes > arena->bytes_max) {
        arena->is_full = true;
        return NULL;
    }
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (block == NULL || block->size - block->used < bytes + padding(block, bytes))
        block = block_add(arena, bytes + LINE_BYTES);
    if (block == NULL)
        return NULL;
    block->used += padding(block, bytes);
    at = block->data + block->used;
    block->used += bytes;
    memset(at, 0, bytes);
    return at;
}

void *arena_alloc_many(struct arena *arena, size_t count, size_t bytes)
{
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    return arena_alloc(arena, count * bytes);
}

char *arena_copy(struct arena *arena, const char *from, size_t bytes)
{
    char *copy = arena_alloc(arena, bytes + 1);

    if (copy != NULL && bytes > 0)
        memcpy(copy, from, bytes);
    return copy;
}

bool arena_is_full(const struct arena *arena)
{
    return arena->is_full;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}
