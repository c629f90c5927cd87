/* snapshot_file.c - see snapshot_file.h. */
#include "store/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "store/crc32c.h"
#include "store/pack.h"
#include "store/snapshot_format.h"

#define NEW_NAME "snapshot.new"

enum {
    FILE_MODE = 0600,
    PACK_LEVEL = 1,             /* the quickest: workers share the processors */
    SYNC_EVERY_BYTES = 8 << 20, /* so that the journal's own syncs never wait for all of it */
    LIST_BYTES_MAX = 1 << 24,   /* of sets and stands */
};

void snapshot_file_path(const struct snapshot_folder *folder, uint64_t number,
                        char to[SNAPSHOT_PATH_BYTES])
{
    snprintf(to, SNAPSHOT_PATH_BYTES, "%s/%016" PRIu64 ".snap", folder->path, number);
}

static void new_path(const struct snapshot_folder *folder, char to[SNAPSHOT_PATH_BYTES])
{
    snprintf(to, SNAPSHOT_PATH_BYTES, "%s/" NEW_NAME, folder->path);
}

/* ---- out ---- */

struct writer {
    int fd;
    uint64_t at, synced;
    uint64_t blocks;
    uint32_t chain;
    struct packer *packer;
    unsigned char *raw, *packed; /* a block, and room for it */
    size_t raw_bytes;
    enum snapshot_part part;
};

static int put(struct writer *writer, const void *from, size_t bytes)
{
    int rc = host_pwrite_all(writer->fd, from, bytes, (int64_t)writer->at);

    writer->at += bytes;
    if (rc == 0 && writer->at - writer->synced >= SYNC_EVERY_BYTES) {
        rc = host_sync(writer->fd);
        writer->synced = writer->at;
    }
    return rc;
}

static int block_end(struct writer *writer)
{
    unsigned char *body = writer->packed + sizeof(struct snapshot_block);
    struct snapshot_block head = {.part = writer->part, .bytes = (uint32_t)writer->raw_bytes};
    size_t packed;

    if (writer->raw_bytes == 0)
        return 0;
    packed = pack(writer->packer, body, pack_bound(SNAPSHOT_BLOCK_BYTES), writer->raw,
                  writer->raw_bytes);
    if (packed == 0) {
        packed = writer->raw_bytes;
        memcpy(body, writer->raw, packed);
    }
    head.packed = (uint32_t)packed;
    head.crc = crc32c(0, &head, offsetof(struct snapshot_block, crc));
    head.crc = crc32c(head.crc, body, packed);
    memcpy(writer->packed, &head, sizeof(head));
    writer->chain = crc32c(writer->chain, &head.crc, sizeof(head.crc));
    writer->blocks++;
    writer->raw_bytes = 0;
    return put(writer, writer->packed, sizeof(head) + packed);
}

static int add(struct writer *writer, enum snapshot_part part, const void *from, size_t bytes)
{
    const unsigned char *at = from;
    int rc = 0;

    if (part != writer->part)
        rc = block_end(writer);
    writer->part = part;
    while (rc == 0 && bytes > 0) {
        size_t room = SNAPSHOT_BLOCK_BYTES - writer->raw_bytes;
        size_t some = bytes < room ? bytes : room;
        memcpy(writer->raw + writer->raw_bytes, at, some);
        writer->raw_bytes += some;
        at += some;
        bytes -= some;
        if (writer->raw_bytes == SNAPSHOT_BLOCK_BYTES)
            rc = block_end(writer);
    }
    return rc;
}

static struct snapshot_facts_head facts_head_of(const struct snapshot_facts *facts)
{
    return (struct snapshot_facts_head){.at_ms = facts->at_ms,
                                        .seed = facts->seed,
                                        .told = facts->told,
                                        .known_frame = facts->known.frame,
                                        .frame = facts->frame,
                                        .lines = facts->lines.count,
                                        .digest = facts->lines.hash,
                                        .last_line = facts->lines.last,
                                        .known_crc = facts->known.crc,
                                        .set_count = facts->set_count,
                                        .kept_count = facts->kept_count,
                                        .epoch_ms = facts->epoch_ms,
                                        .stand_count = facts->stand_count};
}

static int put_all(struct writer *writer, const struct snapshot_folder *folder, uint64_t number,
                   const struct snapshot_facts *facts, const struct snapshot_piece *known,
                   const struct snapshot_piece *image, size_t image_count)
{
    const struct snapshot_facts_head fixed = facts_head_of(facts);
    const size_t sets = facts->set_count * sizeof(*facts->sets);
    const size_t kept = facts->kept_count * sizeof(*facts->kept);
    const size_t stands = facts->stand_count * sizeof(*facts->stands);
    struct snapshot_head head = {
        .magic = SNAPSHOT_HEAD_MAGIC,
        .version = SNAPSHOT_FILE_VERSION,
        .block_bytes = SNAPSHOT_BLOCK_BYTES,
        .directory = folder->directory,
        .number = number,
        .part_bytes = {sizeof(fixed) + sets + kept + stands, known->bytes, 0}};
    struct snapshot_tail tail = {.magic = SNAPSHOT_TAIL_MAGIC};
    int rc;

    for (size_t i = 0; i < image_count; i++)
        head.part_bytes[SNAPSHOT_IMAGE] += image[i].bytes;
    head.crc = crc32c(0, &head, offsetof(struct snapshot_head, crc));
    rc = put(writer, &head, sizeof(head));
    if (rc == 0)
        rc = add(writer, SNAPSHOT_FACTS, &fixed, sizeof(fixed));
    if (rc == 0)
        rc = add(writer, SNAPSHOT_FACTS, facts->sets, sets);
    if (rc == 0)
        rc = add(writer, SNAPSHOT_FACTS, facts->kept, kept);
    if (rc == 0)
        rc = add(writer, SNAPSHOT_FACTS, facts->stands, stands);
    if (rc == 0)
        rc = add(writer, SNAPSHOT_KNOWN, known->at, known->bytes);
    for (size_t i = 0; rc == 0 && i < image_count; i++)
        rc = add(writer, SNAPSHOT_IMAGE, image[i].at, image[i].bytes);
    if (rc == 0)
        rc = block_end(writer);
    tail.blocks = writer->blocks;
    tail.chain = writer->chain;
    tail.crc = crc32c(0, &tail, offsetof(struct snapshot_tail, crc));
    return rc != 0 ? rc : put(writer, &tail, sizeof(tail));
}

int snapshot_file_write(const struct snapshot_folder *folder, uint64_t number,
                        const struct snapshot_facts *facts, const struct snapshot_piece *known,
                        const struct snapshot_piece *image, size_t image_count,
                        struct snapshot_written *out, struct error *err)
{
    const struct host *h = host();
    struct writer writer = {.fd = -1, .part = SNAPSHOT_FACTS};
    char from[SNAPSHOT_PATH_BYTES], to[SNAPSHOT_PATH_BYTES];
    int rc = -ENOMEM, closed;

    new_path(folder, from);
    snapshot_file_path(folder, number, to);
    writer.packer = packer_create(PACK_LEVEL);
    writer.raw = malloc(SNAPSHOT_BLOCK_BYTES);
    writer.packed = malloc(sizeof(struct snapshot_block) + pack_bound(SNAPSHOT_BLOCK_BYTES));
    if (writer.packer == NULL || writer.raw == NULL || writer.packed == NULL)
        goto out;
    writer.fd = h->open(h->self, from, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    rc = writer.fd < 0 ? writer.fd : 0;
    if (rc == 0)
        rc = put_all(&writer, folder, number, facts, known, image, image_count);
    if (rc == 0)
        rc = host_sync(writer.fd);
    if (writer.fd >= 0) {
        closed = h->close(h->self, writer.fd);
        rc = rc != 0 ? rc : closed;
    }
    if (rc == 0)
        rc = h->rename(h->self, from, to);
    if (rc != 0) {
        h->unlink(h->self, from);
    } else {
        rc = h->sync_dir(h->self, folder->path);
        if (rc != 0)
            h->unlink(h->self, to); /* nobody counts on it */
    }
    out->bytes = writer.at;
out:
    if (rc != 0)
        error_set(err, "%s: it cannot be written: %s", from, strerrordesc_np(-rc));
    packer_destroy(writer.packer);
    free(writer.raw);
    free(writer.packed);
    return rc;
}

/* ---- in ---- */

struct reader {
    int fd;
    uint64_t at, bytes; /* of the file */
    char path[SNAPSHOT_PATH_BYTES];
    enum snapshot_refusal *why;
    struct error *err;
};

static int refuse(struct reader *reader, enum snapshot_refusal why, const char *what)
{
    *reader->why = why;
    error_set(reader->err, "%s: byte %" PRIu64 ": %s", reader->path, reader->at, what);
    return why == SNAPSHOT_DAMAGED ? -EBADMSG : -EINVAL;
}

static int refuse_world(struct reader *reader, int rc)
{
    *reader->why = SNAPSHOT_WORLD;
    error_set(reader->err, "%s: it cannot be read: %s", reader->path, strerrordesc_np(-rc));
    return rc;
}

static int take(struct reader *reader, void *to, size_t bytes)
{
    int rc;

    if (bytes > reader->bytes - reader->at)
        return refuse(reader, SNAPSHOT_DAMAGED, "the file ends before it is whole");
    rc = host_pread_all(reader->fd, to, bytes, (int64_t)reader->at);
    return rc != 0 ? refuse_world(reader, rc) : 0;
}

static int head_take(struct reader *reader, const struct snapshot_folder *folder, uint64_t number,
                     struct snapshot_head *head)
{
    int rc = take(reader, head, sizeof(*head));

    if (rc != 0)
        return rc;
    if (memcmp(head->magic, SNAPSHOT_HEAD_MAGIC, sizeof(head->magic)) != 0)
        return refuse(reader, SNAPSHOT_DAMAGED, "this is no snapshot");
    if (head->version > SNAPSHOT_FILE_VERSION)
        return refuse(reader, SNAPSHOT_NEWER, "a newer tocsin wrote it");
    if (head->crc != crc32c(0, head, offsetof(struct snapshot_head, crc)) || head->version == 0 ||
        head->block_bytes != SNAPSHOT_BLOCK_BYTES)
        return refuse(reader, SNAPSHOT_DAMAGED, "the checksum of the head is wrong");
    if (!id128_equal(head->directory, folder->directory))
        return refuse(reader, SNAPSHOT_FOREIGN, "this is a snapshot of another data directory");
    if (head->number != number)
        return refuse(reader, SNAPSHOT_DAMAGED, "this is another snapshot under this one's name");
    reader->at += sizeof(*head);
    return 0;
}

/* One block, behind `used` bytes of its part. */
static int block_take(struct reader *reader, const struct snapshot_block *head,
                      unsigned char *packed, struct unpacker *unpacker, unsigned char *to)
{
    uint32_t crc = crc32c(0, head, offsetof(struct snapshot_block, crc));
    uint64_t from = reader->at;
    int rc;

    reader->at += sizeof(*head);
    rc = take(reader, packed, head->packed);
    if (rc != 0)
        return rc;
    reader->at = from;
    if (crc32c(crc, packed, head->packed) != head->crc)
        return refuse(reader, SNAPSHOT_DAMAGED, "the checksum of a block is wrong");
    if (head->packed == head->bytes)
        memcpy(to, packed, head->bytes);
    else if (!unpack(unpacker, to, head->bytes, packed, head->packed))
        return refuse(reader, SNAPSHOT_DAMAGED, "a block cannot be unpacked");
    reader->at += sizeof(*head) + head->packed;
    return 0;
}

/* The first `parts` of them, and of all the end. */
static int blocks_take(struct reader *reader, const struct snapshot_head *file, uint32_t parts,
                       unsigned char *packed, struct unpacker *unpacker,
                       unsigned char *const memory[SNAPSHOT_PARTS])
{
    struct snapshot_tail tail;
    uint64_t blocks = 0;
    uint32_t chain = 0;
    int rc = 0;

    for (uint32_t part = 0; part < parts; part++) {
        uint64_t left = file->part_bytes[part];
        unsigned char *to = memory[part];
        while (left > 0) {
            struct snapshot_block head;
            rc = take(reader, &head, sizeof(head));
            if (rc != 0)
                return rc;
            if (head.part != part || head.bytes == 0 || head.bytes > left ||
                head.bytes > SNAPSHOT_BLOCK_BYTES || head.packed == 0 || head.packed > head.bytes)
                return refuse(reader, SNAPSHOT_DAMAGED, "no block stands here");
            rc = block_take(reader, &head, packed, unpacker, to);
            if (rc != 0)
                return rc;
            chain = crc32c(chain, &head.crc, sizeof(head.crc));
            to += head.bytes;
            left -= head.bytes;
            blocks++;
        }
    }
    if (parts < SNAPSHOT_PARTS)
        return 0;
    rc = take(reader, &tail, sizeof(tail));
    if (rc != 0)
        return rc;
    if (memcmp(tail.magic, SNAPSHOT_TAIL_MAGIC, sizeof(tail.magic)) != 0 || tail.blocks != blocks ||
        tail.chain != chain || tail.crc != crc32c(0, &tail, offsetof(struct snapshot_tail, crc)))
        return refuse(reader, SNAPSHOT_DAMAGED, "the end is not that of these blocks");
    reader->at += sizeof(tail);
    if (reader->at != reader->bytes)
        return refuse(reader, SNAPSHOT_DAMAGED, "the file goes on behind its end");
    return 0;
}

/* The facts, which stand first in the memory. */
static int facts_take(struct reader *reader, uint32_t version, const unsigned char *from,
                      uint64_t bytes, struct snapshot_facts *facts)
{
    struct snapshot_facts_head head = {.lines = 0};
    const size_t fixed = version == 1 ? SNAPSHOT_FACTS_BYTES_1 : sizeof(head);
    const unsigned char *lists = from + fixed;
    uint64_t sets, kept, stands;

    reader->at = sizeof(struct snapshot_head);
    if (bytes < fixed)
        return refuse(reader, SNAPSHOT_DAMAGED, "its facts are too few");
    memcpy(&head, from, fixed);
    sets = (uint64_t)head.set_count * sizeof(struct id128);
    kept = (uint64_t)head.kept_count * sizeof(struct id128);
    stands = (uint64_t)head.stand_count * sizeof(struct snapshot_stand);
    if (sets + kept + stands != bytes - fixed)
        return refuse(reader, SNAPSHOT_DAMAGED, "its facts are too few or too many");
    *facts = (struct snapshot_facts){
        .at_ms = head.at_ms,
        .seed = head.seed,
        .told = head.told,
        .known = {head.known_frame, head.known_crc},
        .frame = head.frame,
        .has_lines = version > 1,
        .lines = {.hash = head.digest, .last = head.last_line, .count = head.lines},
        /* The memory is aligned, and so is what stands before. */
        .sets = (const struct id128 *)(const void *)lists,
        .kept = (const struct id128 *)(const void *)(lists + sets),
        .set_count = head.set_count,
        .kept_count = head.kept_count,
        .epoch_ms = head.epoch_ms,
        .stands = (const struct snapshot_stand *)(const void *)(lists + sets + kept),
        .stand_count = head.stand_count};
    return 0;
}

static int read_parts(struct reader *reader, const struct snapshot_head *head, uint32_t parts,
                      struct snapshot_content *out)
{
    const uint64_t facts = head->part_bytes[SNAPSHOT_FACTS],
                   known = head->part_bytes[SNAPSHOT_KNOWN],
                   image = parts > SNAPSHOT_IMAGE ? head->part_bytes[SNAPSHOT_IMAGE] : 0;
    struct unpacker *unpacker = unpacker_create();
    unsigned char *packed = malloc(SNAPSHOT_BLOCK_BYTES);
    int rc = 0;

    /* A block is at most some thousand times as large as it is packed: what says more is wrong, and
     * no memory is asked for. */
    if (facts > LIST_BYTES_MAX || known > UINT64_MAX / 4 || image > UINT64_MAX / 4 ||
        known + image > (reader->bytes << 15))
        rc = refuse(reader, SNAPSHOT_DAMAGED, "its parts have impossible sizes");
    if (rc == 0) {
        out->memory = malloc((size_t)facts + 1);
        out->known = malloc((size_t)known + 1);
        out->image = malloc((size_t)image + 1);
        if (unpacker == NULL || packed == NULL || out->memory == NULL || out->known == NULL ||
            out->image == NULL)
            rc = refuse_world(reader, -ENOMEM);
    }
    out->known_bytes = (size_t)known;
    out->image_bytes = (size_t)image;
    out->file_bytes = reader->bytes;
    if (rc == 0) {
        unsigned char *const memory[SNAPSHOT_PARTS] = {out->memory, out->known, out->image};
        rc = blocks_take(reader, head, parts, packed, unpacker, memory);
    }
    if (rc == 0)
        rc = facts_take(reader, head->version, out->memory, facts, &out->facts);
    unpacker_destroy(unpacker);
    free(packed);
    return rc;
}

static int read_file(const struct snapshot_folder *folder, uint64_t number, uint32_t parts,
                     struct snapshot_content *out, enum snapshot_refusal *why, struct error *err)
{
    const struct host *h = host();
    struct reader reader = {.why = why, .err = err};
    struct snapshot_head head;
    int64_t bytes;
    int rc;

    *out = (struct snapshot_content){.number = number};
    *why = SNAPSHOT_FINE;
    snapshot_file_path(folder, number, reader.path);
    reader.fd = h->open(h->self, reader.path, O_RDONLY | O_NONBLOCK, 0);
    if (reader.fd < 0)
        return refuse_world(&reader, reader.fd);
    bytes = h->size(h->self, reader.fd);
    rc = bytes < 0 ? refuse_world(&reader, (int)bytes) : 0;
    reader.bytes = bytes > 0 ? (uint64_t)bytes : 0;
    if (rc == 0)
        rc = head_take(&reader, folder, number, &head);
    if (rc == 0)
        rc = read_parts(&reader, &head, parts, out);
    h->close(h->self, reader.fd);
    if (rc != 0)
        snapshot_content_release(out);
    return rc;
}

int snapshot_file_read(const struct snapshot_folder *folder, uint64_t number,
                       struct snapshot_content *out, enum snapshot_refusal *why, struct error *err)
{
    return read_file(folder, number, SNAPSHOT_PARTS, out, why, err);
}

int snapshot_file_read_known(const struct snapshot_folder *folder, uint64_t number,
                             struct snapshot_content *out, enum snapshot_refusal *why,
                             struct error *err)
{
    return read_file(folder, number, SNAPSHOT_IMAGE, out, why, err);
}

void snapshot_content_release(struct snapshot_content *content)
{
    free(content->memory);
    free(content->known);
    content->memory = content->known = NULL;
    snapshot_content_release_image(content);
}

void snapshot_content_release_image(struct snapshot_content *content)
{
    free(content->image);
    content->image = NULL;
}

/* ---- the folder ---- */

struct names {
    uint64_t *number;
    int count;
};

static bool name_read(const char *name, uint64_t *number)
{
    uint64_t value = 0;

    for (int i = 0; i < 16; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        value = 10 * value + (uint64_t)(name[i] - '0');
    }
    *number = value;
    return value > 0 && strcmp(name + 16, ".snap") == 0;
}

/* Keeps the largest ones, in order. */
static void see_name(void *user, const char *name)
{
    struct names *names = user;
    uint64_t number;
    int at;

    if (!name_read(name, &number))
        return;
    at = names->count < SNAPSHOT_LIST_MAX ? names->count++ : SNAPSHOT_LIST_MAX - 1;
    if (at == SNAPSHOT_LIST_MAX - 1 && names->count == SNAPSHOT_LIST_MAX &&
        names->number[at] > number)
        return;
    while (at > 0 && names->number[at - 1] < number) {
        names->number[at] = names->number[at - 1];
        at--;
    }
    names->number[at] = number;
}

int snapshot_file_list(const struct snapshot_folder *folder, uint64_t number[SNAPSHOT_LIST_MAX])
{
    const struct host *h = host();
    struct names names = {number, 0};
    int rc;

    memset(number, 0, SNAPSHOT_LIST_MAX * sizeof(*number));
    rc = h->list(h->self, folder->path, see_name, &names);
    return rc == -ENOENT ? 0 : rc < 0 ? rc : names.count;
}

int snapshot_file_remove(const struct snapshot_folder *folder, uint64_t number, bool must_sync)
{
    const struct host *h = host();
    char path[SNAPSHOT_PATH_BYTES];
    int rc;

    snapshot_file_path(folder, number, path);
    rc = h->unlink(h->self, path);
    if (rc == -ENOENT)
        rc = 0;
    return rc == 0 && must_sync ? h->sync_dir(h->self, folder->path) : rc;
}

void snapshot_file_sweep(const struct snapshot_folder *folder)
{
    const struct host *h = host();
    char path[SNAPSHOT_PATH_BYTES];

    new_path(folder, path);
    h->unlink(h->self, path);
}
