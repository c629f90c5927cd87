/*
 * snapshot_format.h - how a snapshot's file looks, byte by byte (store/snapshot_file.h is the
 * door).
 */
#ifndef STORE_SNAPSHOT_FORMAT_H
#define STORE_SNAPSHOT_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include "base/event.h"
#include "store/snapshot_file.h"

#define SNAPSHOT_HEAD_MAGIC "TOCSINSN"
#define SNAPSHOT_TAIL_MAGIC "TOCSINSE"

enum snapshot_part {
    SNAPSHOT_FACTS,
    SNAPSHOT_KNOWN,
    SNAPSHOT_IMAGE,
    SNAPSHOT_PARTS,
};

struct snapshot_head {
    char magic[8];
    uint32_t version;
    uint32_t block_bytes;
    struct id128 directory;
    uint64_t number;
    uint64_t part_bytes[SNAPSHOT_PARTS];
    uint32_t pad;
    uint32_t crc; /* of all before */
};

struct snapshot_block {
    uint32_t part;
    uint32_t bytes;  /* before it was packed */
    uint32_t packed; /* as it stands here; the same where packing did not pay */
    uint32_t crc;    /* of the three and of what follows */
};

struct snapshot_tail {
    char magic[8];
    uint64_t blocks;
    uint32_t chain; /* checksum of the blocks' checksums */
    uint32_t crc;   /* of all before */
};

/* The fixed half of the facts; sets, what is kept of before, and stands follow. Version 1 had none
 * of the last field, and zeros for lines and digest. */
struct snapshot_facts_head {
    int64_t at_ms;
    uint64_t seed, told, known_frame, frame, lines;
    struct id128 digest;
    uint32_t known_crc, set_count, kept_count, stand_count, epoch_ms, pad;
    struct id128 last_line;
};
enum { SNAPSHOT_FACTS_BYTES_1 = offsetof(struct snapshot_facts_head, last_line) };

_Static_assert(sizeof(struct snapshot_head) == 72, "written to files");
_Static_assert(sizeof(struct snapshot_block) == 16, "written to files");
_Static_assert(sizeof(struct snapshot_tail) == 24, "written to files");
_Static_assert(SNAPSHOT_FACTS_BYTES_1 == 88, "written to files");
_Static_assert(sizeof(struct snapshot_facts_head) == 104, "written to files");
_Static_assert(sizeof(struct snapshot_stand) == 16, "written to files");

#endif
