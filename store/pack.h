/*
 * pack.h - compression of blocks (zstd), one-shot, with kept contexts.
 *
 * Thread: one thread per packer or unpacker.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include <stdbool.h>
#include <stddef.h>

struct packer;
struct unpacker;

/* Owner: the caller. NULL when memory is short. */
struct packer *packer_create(int level);
void packer_destroy(struct packer *packer);
struct unpacker *unpacker_create(void);
void unpacker_destroy(struct unpacker *unpacker);

/* Room that packing `bytes` may need. */
size_t pack_bound(size_t bytes);

/* Returns the packed size, or 0 when that would not be smaller. */
size_t pack(struct packer *packer, void *to, size_t room, const void *from, size_t bytes);

/* True when `from` unpacks to exactly `bytes`. Any input is safe. */
bool unpack(struct unpacker *unpacker, void *to, size_t bytes, const void *from,
            size_t packed_bytes);

#endif
