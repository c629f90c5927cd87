/*
 * recording_format.h - the bytes of a recording, shared by its writer and its reader.
 * docs/recording.md says the same for people. Little-endian throughout.
 */
#ifndef STORE_RECORDING_FORMAT_H
#define STORE_RECORDING_FORMAT_H

#include <assert.h>
#include "base/hash.h"
#include "store/recording.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "recordings are little-endian");

enum {
    RECORDING_VERSION = 1,
    BLOCK_MAGIC = 0x4b4c4254,       /* "TBLK" */
    BLOCK_TARGET_BYTES = 256 << 10, /* unpacked; fits the second-level cache */
    BLOCK_RAW_MAX = 4 << 20,
    KEY_BYTES_MAX = 64 << 10,
};

enum block_kind { BLOCK_PART = 1, BLOCK_RECORDS, BLOCK_MARKS, BLOCK_INDEX, BLOCK_KIND_COUNT };

enum { BLOCK_PACKED = 1, BLOCK_NO_TIMES = 2 }; /* flags */

struct file_head {
    char magic[8]; /* "TOCSINRC" */
    uint32_t version;
    uint32_t reserved;
    int64_t created_ms;
    char engine[32];
    uint64_t hash; /* XXH3-64 of the bytes before it, as all hashes here */
};

struct block_head {
    uint32_t magic;
    uint16_t kind;
    uint16_t flags;
    uint32_t part;
    uint32_t count; /* records, marks, or index entries */
    int64_t first_offset;
    int64_t last_offset;
    int64_t first_time_ms;
    int64_t max_time_ms;
    uint32_t raw_bytes;
    uint32_t packed_bytes; /* of the body in the file */
    int32_t leader_epoch;
    uint32_t reserved;
    uint64_t body_hash;
    uint64_t head_hash;
};

/* BLOCK_INDEX: one for each earlier block. */
struct index_entry {
    uint64_t at;
    int64_t first_offset;
    uint32_t part;
    uint32_t count;
    uint32_t kind;
    uint32_t packed_bytes;
};

/* BLOCK_MARKS */
struct mark_entry {
    uint32_t kind;
    uint32_t part;
    int64_t offset;
    int64_t value_ms;
};

struct file_trailer {
    char magic[8]; /* "TOCSINIX" */
    uint64_t index_at;
    uint64_t block_count;
    uint64_t hash;
};

_Static_assert(sizeof(struct file_head) == 64, "written to files");
_Static_assert(sizeof(struct block_head) == 80, "written to files");
_Static_assert(sizeof(struct index_entry) == 32, "written to files");
_Static_assert(sizeof(struct mark_entry) == 24, "written to files");
_Static_assert(sizeof(struct file_trailer) == 32, "written to files");

#define RECORDING_HEAD_MAGIC "TOCSINRC"
#define RECORDING_TRAILER_MAGIC "TOCSINIX"

static inline uint64_t block_head_hash(const struct block_head *head)
{
    return hash64(head, offsetof(struct block_head, head_hash), 0);
}

/* A record in the body of BLOCK_RECORDS, five numbers and two stretches of bytes:
 *   offset - previous - 1, time - previous, key bytes + 1, payload bytes + 1, key, payload
 * as varints, signed ones in zigzag; the previous offset of the first record is
 * first_offset - 1, its previous time first_time_ms. Without times (BLOCK_NO_TIMES) the
 * second number is absent. */

static inline char *varint_put(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

/* NULL: the bytes end before the number does, or it has more than 64 bits. */
static inline const char *varint_get(const char *at, const char *end, uint64_t *value)
{
    uint64_t result = 0;

    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*at++;
        if (shift == 63 && byte > 1)
            return NULL;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return at;
        }
    }
    return NULL;
}

static inline uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Where a walk through a body stands. */
struct body_walk {
    const char *at;
    const char *end;
    int64_t offset; /* of the last record */
    int64_t time_ms;
    bool has_times;
    int32_t leader_epoch;
};

/* Decodes the next record of a body whose checksum holds; false for bytes that are none,
 * which a writer never makes. (In recording_read.c) */
bool body_walk_next(struct body_walk *walk, struct recorded *out);

#endif
