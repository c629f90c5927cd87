/*
 * segment_format.h - the bytes of a segment, shared by its writer and its reader.
 *
 *   0        4096
 *   [ head ] [ frame | frame | frame ... | rest: zeros, or what a recycled segment held ]
 *
 *   frame:  [ frame_head | payload, zeros up to a multiple of 8 | frame_tail ]
 *
 * A frame is written by one pwrite and made durable by one sync, so that a power cut can leave
 * any part of the last one. It counts when head and tail fit each other, the checksums hold, its
 * number is the next one and it names the checksum of the frame before it. Remains of what a
 * recycled segment held carry smaller numbers; bytes inside of a payload that look like a frame
 * (a payload may hold what strangers send) do not know the directory's id, which is random.
 *
 * Little-endian throughout.
 */
#ifndef STORE_SEGMENT_FORMAT_H
#define STORE_SEGMENT_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/event.h"
#include "store/crc32c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "segments are little-endian");

#define SEGMENT_MAGIC "TOCSINSG"

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_HEAD_BYTES = 4096, /* a page, so that frames never share one with the head */
    SEGMENT_NAME_BYTES = 24,   /* "0000000000000001.seg" and a zero byte */
    SEGMENT_KIND_BYTES = 16,
    SEGMENT_ENGINE_BYTES = 32,
    FRAME_MAGIC = 0x4d524654, /* "TFRM" */
};

struct segment_head {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    char kind[SEGMENT_KIND_BYTES];     /* what the folder holds: "journal", "intake" */
    char engine[SEGMENT_ENGINE_BYTES]; /* that wrote it, "tocsin 0.1.0" */
    struct id128 directory;            /* the data directory's own id */
    uint64_t sequence;                 /* 1, 2, ...: the file's name says the same */
    uint64_t first_frame;              /* number of the first frame in it */
    uint32_t chain;                    /* checksum of the frame before that */
    uint32_t bytes;                    /* of the whole segment */
    uint32_t pad;
    uint32_t crc; /* of all before */
};

struct frame_head {
    uint32_t magic;
    uint32_t kind; /* the writer's own */
    struct id128 directory;
    uint64_t number; /* 1, 2, ... over all segments of a folder */
    uint32_t bytes;  /* of the payload */
    uint32_t chain;  /* checksum of the frame before */
    uint32_t pad;
    uint32_t crc; /* of all before */
};

struct frame_tail {
    uint32_t bytes; /* as in the head */
    uint32_t crc;   /* of head, payload and zeros */
};

_Static_assert(sizeof(struct segment_head) == 112, "written to files");
_Static_assert(sizeof(struct frame_head) == 48, "written to files");
_Static_assert(sizeof(struct frame_tail) == 8, "written to files");

/* What a frame takes up in the file. */
static inline uint64_t frame_span(uint64_t payload_bytes)
{
    return sizeof(struct frame_head) + ((payload_bytes + 7) & ~(uint64_t)7) +
           sizeof(struct frame_tail);
}

static inline uint32_t frame_head_crc(const struct frame_head *head)
{
    return crc32c(0, head, offsetof(struct frame_head, crc));
}

static inline uint32_t segment_head_crc(const struct segment_head *head)
{
    return crc32c(0, head, offsetof(struct segment_head, crc));
}

#endif
