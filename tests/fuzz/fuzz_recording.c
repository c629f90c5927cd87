/*
 * Aim: no file, however made, does more to the reader than a sentence. Method: the input
 * is served as a file from memory. Checksums would stop the fuzzer at the door, so every
 * block it makes gets right ones first, as a hostile writer would do; and the bytes also go
 * to the decoder of a block's body directly.
 */
#include <stdlib.h>
#include <string.h>
#include "store/recording_format.h"
#include "tests/memory_host.h"

/* Gives file head, blocks in a row, and trailer the hashes that they should have. */
static void sign(char *file, size_t bytes)
{
    struct file_head head;
    struct file_trailer trailer;
    size_t at = sizeof(head);

    if (bytes < sizeof(head))
        return;
    memcpy(&head, file, sizeof(head));
    memcpy(head.magic, RECORDING_HEAD_MAGIC, sizeof(head.magic));
    head.version = RECORDING_VERSION;
    head.hash = hash64(&head, offsetof(struct file_head, hash), 0);
    memcpy(file, &head, sizeof(head));
    while (bytes - at >= sizeof(struct block_head)) {
        struct block_head block;
        memcpy(&block, file + at, sizeof(block));
        size_t left = bytes - at - sizeof(block);
        block.magic = BLOCK_MAGIC;
        block.kind = (uint16_t)(1 + block.kind % (BLOCK_KIND_COUNT - 1));
        if (block.packed_bytes > left)
            block.packed_bytes %= left + 1;
        if ((block.flags & BLOCK_PACKED) == 0)
            block.raw_bytes = block.packed_bytes;
        block.body_hash = hash64(file + at + sizeof(block), block.packed_bytes, 0);
        block.head_hash = block_head_hash(&block);
        memcpy(file + at, &block, sizeof(block));
        at += sizeof(block) + block.packed_bytes;
    }
    if (bytes < sizeof(head) + sizeof(trailer) || bytes % 2 == 0)
        return; /* every other length is read by walking */
    memcpy(&trailer, file + bytes - sizeof(trailer), sizeof(trailer));
    memcpy(trailer.magic, RECORDING_TRAILER_MAGIC, sizeof(trailer.magic));
    trailer.index_at %= bytes;
    trailer.block_count %= 100000;
    trailer.hash = hash64(&trailer, offsetof(struct file_trailer, hash), 0);
    memcpy(file + bytes - sizeof(trailer), &trailer, sizeof(trailer));
}

static volatile char sink; /* so that every byte is really read */

static void look_at(const struct recorded *recorded)
{
    for (uint32_t i = 0; i < recorded->key_bytes; i++)
        sink ^= recorded->key[i];
    for (uint32_t i = 0; i < recorded->bytes; i++)
        sink ^= recorded->payload[i];
}

static void read_all(const char *file, size_t bytes)
{
    struct recording *recording;
    struct error err;

    memory_host_file = file;
    memory_host_bytes = bytes;
    if (recording_open("input", &recording, &err) != 0) {
        if (strlen(err.text) < 10)
            abort(); /* a sentence is owed */
        return;
    }
    for (size_t part = 0; part < recording_part_count(recording) && part < 8; part++) {
        struct recording_cursor *cursor = recording_cursor_create(recording, part);
        struct recorded out[16];
        ptrdiff_t count;
        size_t calls = 0;
        while ((count = recording_cursor_next(cursor, out, 16, &err)) > 0 && calls++ < 1000)
            for (ptrdiff_t i = 0; i < count; i++)
                look_at(&out[i]);
        recording_cursor_destroy(cursor);
    }
    recording_destroy(recording);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct recorded recorded;
    char *copy = malloc(bytes + 1);

    memory_host_begin();
    memcpy(copy, data, bytes);
    struct body_walk walk = {.at = copy, .end = copy + bytes, .has_times = bytes % 2 == 0};
    for (size_t i = 0; i <= bytes && body_walk_next(&walk, &recorded); i++)
        look_at(&recorded);
    read_all(copy, bytes);
    sign(copy, bytes);
    read_all(copy, bytes);
    free(copy);
    host_set(NULL);
    return 0;
}
